//! `zelo plugin run`: one dry run.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use zelo_core::Clock;
use zelo_core::http::Answer;
use zelo_runtime::dry::{self, Trial, Tried};
use zelo_runtime::system::SystemClock;

use super::super::{Findings, Format, print_line, setup, tokio};
use super::load;

#[derive(Debug, clap::Args)]
pub(in super::super) struct Arguments {
    /// The plugin.
    file: PathBuf,
    /// Its input: a JSON object.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    input: String,
    /// The same from a file; `-` for standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    input_file: Option<PathBuf>,
    /// What it finds: `[records.TYPE.ID]`, `[state]`, `[counters]` and answers to its requests, `[[http]]`, in TOML.
    #[arg(long, value_name = "FILE")]
    given: Option<PathBuf>,
    /// The present instant, RFC 3339; default: now.
    #[arg(long)]
    now: Option<Timestamp>,
    /// Where its randomness starts from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The language of its texts.
    #[arg(long, default_value = "pt-BR")]
    locale: String,
    /// Perform nothing, and list what would be done. Without a rule nothing is granted, so there is no other way.
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, default_value_t = true, default_missing_value = "true")]
    dry_run: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What a plugin finds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Given {
    records: BTreeMap<String, BTreeMap<String, Map<String, Value>>>,
    state: BTreeMap<String, String>,
    counters: BTreeMap<String, u64>,
    http: Vec<Answer>,
}

impl Given {
    /// A run that finds it.
    pub(super) fn trial(self, input: Value, now: Timestamp, seed: u64, locale: String) -> Trial {
        let Self { records, state, counters, http: answers } = self;
        Trial { input, now, seed, locale, records, state, counters, answers }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Findings> {
    if !arguments.dry_run {
        bail!("without a rule nothing is granted, so a plugin by itself can do nothing; to see it act, let a rule run it");
    }
    let input = match &arguments.input_file {
        None => arguments.input.clone(),
        Some(path) => read(path)?,
    };
    let input: Value = serde_json::from_str(&input).context("the input is not JSON")?;
    if !input.is_object() {
        bail!("the input is not a JSON object");
    }
    let given = match &arguments.given {
        None => Given::default(),
        Some(path) => toml::from_str(&read(path)?).with_context(|| path.display().to_string())?,
    };
    let host = setup::host_for_tools()?;
    let plugin = load(&host, &arguments.file)?;
    let trial = given.trial(input, arguments.now.unwrap_or_else(|| SystemClock.now()), arguments.seed, arguments.locale.clone());
    let tried = tokio()?.block_on(dry::run(&host, &plugin, trial))?;
    match arguments.format {
        Format::Json => print_line(&serde_json::to_string_pretty(&tried.to_json())?),
        Format::Text => show(&tried),
    }
    Ok(if tried.to_json()["end"]["kind"] == "outcome" { Findings::None } else { Findings::Some })
}

/// The text of a file, or of standard input.
fn read(path: &Path) -> Result<String> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("the standard input cannot be read")?;
        return Ok(text);
    }
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn show(tried: &Tried) {
    let told = tried.to_json();
    let end = &told["end"];
    let words = ["code", "summary", "reason"].iter().filter_map(|member| end[member].as_str()).collect::<Vec<_>>().join(": ");
    print_line(&format!("{:<10}{words}", end["kind"].as_str().unwrap_or_default()));
    if !end["output"].is_null() {
        print_line(&format!("{:<10}{}", "output", end["output"]));
    }
    for effect in &tried.effects {
        let kind = effect["kind"].as_str().unwrap_or_default();
        let members = effect.as_object().into_iter().flatten().filter(|(name, _)| *name != "kind");
        let members = members.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        print_line(&format!("{:<10}{kind} {members}", "would"));
    }
    for (level, text) in &tried.log {
        print_line(&format!("{:<10}{} {text}", "log", level.as_str()));
    }
    let run = &tried.run;
    let mib = run.memory as f64 / f64::from(1 << 20);
    print_line(&format!(
        "{:<10}{:.1} ms of computing, {mib:.1} MiB, {} calls of the host",
        "used",
        run.cpu.as_secs_f64() * 1e3,
        run.host_calls
    ));
}
