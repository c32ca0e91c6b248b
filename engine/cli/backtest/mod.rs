//! `zelo backtest`: what other rules would have done about the events that are stored, beside those in force.
//!
//! It is counted where the store is open, by code that cannot write; this command brings the rule texts there and prints the
//! counts that come back. No value of an event is among them.

mod table;

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use zelo_core::Clock;
use zelo_rules::{FileText, Files};
use zelo_runtime::backtest::Progress;
use zelo_runtime::rulebook;
use zelo_runtime::system::SystemClock;

use super::control::{Outcome, Text, Trial, Tried, Way};
use super::when::When;
use super::{Findings, Format, print_line};
use crate::config::Config;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Arguments {
    /// A folder of rules (as `paths.rules`; without `sources` in it, those in use), or one rule file: it takes the place of
    /// the rule with its id, or joins them.
    rules: PathBuf,
    /// Events that arrived from then on: 30d, 12h, a date (midnight in UTC), 2026-03-02T08:00:00-03:00.
    #[arg(long, value_name = "WHEN", default_value = "30d", value_parser = When::parse)]
    since: When,
    /// … and before then. Default: now.
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    until: Option<When>,
    /// Only events of this connection.
    #[arg(long)]
    connection: Option<String>,
    /// How to print the counts.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const HELP: &str = "\
Nothing is run and nothing is written. Each rule is counted under the rules in force (old) and under RULES (new):
  events         of its types, where it is on        runs           jobs whose plugin would be run
  fires          those that it fires for             waited         jobs that lack a contact or another value for a while
  second_laps    not fired: it led to them itself    messages.X     runs of actions that may send one, by channel
  made           jobs; each ends as one of runs,     outside_hours  runs due before 08:00 or from 20:00, clinic time
                 replaced, cancelled, skipped.WHY,   no_basis       messages of actions that may see personal fields and
                 failed                                             name no `basis` (consent is not recorded)
Records are those known now, not then. What was pending before --since is not looked at; jobs that are due after the last
event are counted as if nothing else came. What plugins would emit or write is not known.";

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let config = Config::load(config)?;
    let trial = trial(&config, arguments)?;
    let bar = progress();
    let tried = super::tokio()?.block_on(ask(&config, &trial, &bar));
    bar.finish_and_clear();
    match tried? {
        Tried::Refused { diagnostics, rendered } => {
            match arguments.format {
                Format::Json => print_line(&serde_json::to_string_pretty(&diagnostics)?),
                Format::Text => print_line(rendered.trim_end()),
            }
            Ok(Findings::Some)
        }
        Tried::Stopped => bail!("stopped before the end; nothing was changed"),
        Tried::Counted(outcome) => {
            tell(&trial, &outcome, arguments.format)?;
            Ok(Findings::None)
        }
    }
}

/// Has it counted, until it is done or the user has had enough.
async fn ask(config: &Config, trial: &Trial, bar: &ProgressBar) -> Result<Tried> {
    let way = Way::look(config).await?;
    let shown = bar.clone();
    let counting = way.backtest(trial, move |Progress { done, total }| {
        shown.set_length(total);
        shown.set_position(done);
        ControlFlow::Continue(())
    });
    let tried = tokio::select! {
        tried = counting => tried,
        _ = tokio::signal::ctrl_c() => Ok(Tried::Stopped),
    };
    way.close().await?;
    tried
}

/// What is to be tried.
fn trial(config: &Config, arguments: &Arguments) -> Result<Trial> {
    let now = SystemClock.now();
    let (since, until) = (arguments.since.at(now), arguments.until.map_or(now, |until| until.at(now)));
    ensure!(since < until, "--since ({since}) is not before --until ({until})");
    let (files, about) = files(config, &arguments.rules)?;
    let texts = |files: Vec<FileText>| files.into_iter().map(Text::from).collect();
    let connection = arguments.connection.clone();
    Ok(Trial { sources: texts(files.sources), rules: texts(files.rules), about, since, until, connection })
}

/// The files to try; and the id of the rule, where it is one file.
fn files(config: &Config, rules: &Path) -> Result<(Files, Option<String>)> {
    let found = std::fs::metadata(rules).with_context(|| format!("{} cannot be read", rules.display()))?;
    if found.is_dir() {
        let mut files = rulebook::read_files(rules)?;
        if files.sources.is_empty() {
            files.sources = rulebook::read_files(&config.rules())?.sources;
        }
        ensure!(!files.rules.is_empty(), "there is no rule file (*.toml) in {}", rules.display());
        return Ok((files, None));
    }
    let text = std::fs::read_to_string(rules).with_context(|| format!("{} cannot be read", rules.display()))?;
    let mut files = rulebook::read_files(&config.rules())?;
    let about = id(&text);
    // The file itself goes as well: a mended one stands where it stood.
    let same = |file: &FileText| std::fs::canonicalize(&file.name).ok() == std::fs::canonicalize(rules).ok();
    files.rules.retain(|file| !same(file) && (about.is_none() || id(&file.text) != about));
    files.rules.push(FileText { name: rules.display().to_string(), text });
    Ok((files, about))
}

/// The id that a rule file gives itself, if it can be read so far.
fn id(text: &str) -> Option<String> {
    text.parse::<toml::Table>().ok()?.get("id")?.as_str().map(str::to_owned)
}

/// On a terminal only.
fn progress() -> ProgressBar {
    let target = if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} events, {per_sec}, {eta} left");
    bar.enable_steady_tick(Duration::from_millis(200));
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn tell(trial: &Trial, outcome: &Outcome, format: Format) -> Result<()> {
    match format {
        Format::Json => print_line(&serde_json::to_string_pretty(&table::json(trial, outcome))?),
        Format::Text => table::text(trial, outcome).iter().for_each(|line| print_line(line)),
    }
    Ok(())
}
