//! `zelo simulate`: a day in a second.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::Deserialize;
use zelo_core::http::Answer;
use zelo_core::{ManualClock, SeededEntropy, Timestamp};
use zelo_runtime::outbound::Answers;
use zelo_runtime::rulebook::{Edition, everything_on};
use zelo_runtime::simulation::{self, Row};
use zelo_store::MasterKey;

use super::setup::{self, Ground, Secrets};
use super::{Findings, Format, print_line};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One delivery a line, {at, source, path, body}, in order of arrival.
    file: PathBuf,
    /// What other people's machines answer to the requests of plugins: TOML of `[[http]]` with `request`, `status`, `headers` and `body`.
    /// Without it nobody answers.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    /// How to print what happens.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    super::tokio()?.block_on(simulate(config, arguments))
}

async fn simulate(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let asked = config.is_some();
    let config = Config::load(config)?;
    let text = std::fs::read_to_string(&arguments.file).with_context(|| format!("{} cannot be read", arguments.file.display()))?;
    let name = arguments.file.display();
    let day = simulation::read_day(&text).with_context(|| name.to_string())?;
    let start = day.first().map_or(Timestamp::UNIX_EPOCH, |(_, line)| line.at);
    let clock = Arc::new(ManualClock::new(start));

    let host = Arc::new(setup::host_for_tools()?);
    let (rules, catalog) = setup::rules(&config, &host, &config.installed())?;
    let entropy = Arc::new(SeededEntropy::new(0));
    let connections = setup::connections(&config, &rules, entropy.as_ref(), Secrets::Unused)?;
    // A configuration that is only lying about must not leave rules out.
    let rows = if asked && !config.automations.is_empty() {
        setup::automations(&config, &rules, &connections, start)?
    } else {
        everything_on(&rules, &connections.values().collect::<Vec<_>>(), start)
    };
    let edition = Edition::new(rules, catalog, &rows)?;
    let master = MasterKey::generate(entropy.as_ref());
    let store = setup::store_in_memory(master, entropy.clone()).await?;
    let outbound = Arc::new(arguments.answers.as_deref().map(answers).transpose()?.unwrap_or_default());
    let ground = Ground { store, host, clock: clock.clone(), entropy, outbound, secrets: zelo_runtime::Secrets::Unsaid };
    let runtime = setup::runtime(&config, ground, edition, connections);

    let format = arguments.format;
    let mut failure = None;
    let mut tell = |row: Row| match format {
        Format::Text => print_line(&line(&row)),
        Format::Json => match serde_json::to_string(&row) {
            Ok(json) => print_line(&json),
            Err(error) => failure = Some(error),
        },
    };
    simulation::simulate(&runtime, &clock, day, &mut tell).await.with_context(|| name.to_string())?;
    runtime.store.close().await?;
    match failure {
        Some(error) => Err(error.into()),
        None => Ok(Findings::None),
    }
}

/// The answers of a file.
fn answers(path: &Path) -> Result<Answers> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        http: Vec<Answer>,
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let file: File = toml::from_str(&text).with_context(|| path.display().to_string())?;
    Ok(Answers(file.http))
}

/// A row for people: when, what became of it, what it is, what happened.
fn line(row: &Row) -> String {
    let what = match (&row.rule, &row.action, &row.kind) {
        (Some(rule), Some(action), _) => format!("{rule}.{action}"),
        (_, _, Some(kind)) => kind.clone(),
        _ => "-".to_owned(),
    };
    let mut line = format!("{}  {:<10} {:<30} {}", row.at, row.state, what, row.detail);
    if let Some(effect) = &row.effect {
        line.push_str(&format!("\n{:>34}{}", "", effect["kind"].as_str().unwrap_or_default()));
        for (name, value) in effect.as_object().into_iter().flatten().filter(|(name, _)| *name != "kind") {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let text = text.replace('\n', &format!("\n{:>38}", ""));
            line.push_str(&format!("\n{:>36}{name}: {text}", ""));
        }
    }
    line
}
