//! `zelo replay`: has a rule make jobs for events that are stored, because a person says so. Without `--yes` it says what would become of
//! them, and changes nothing.

use std::num::NonZeroU32;
use std::path::Path;

use anyhow::{Result, ensure};
use zelo_core::Clock;
use zelo_runtime::replay::{PER_MINUTE, Report};
use zelo_runtime::system::SystemClock;
use zelo_store::{Fate, Replayable, Replayed};

use super::control::{ReplayAsk, Request, Way};
use super::when::When;
use super::{Findings, Format, print_line};
use crate::config::Config;

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Arguments {
    /// The rule, which is on.
    #[arg(long, value_name = "ID")]
    rule: String,
    /// Events that arrived from then on: 30d, 12h, a date (midnight in UTC), 2026-03-02T08:00:00-03:00.
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    from: When,
    /// … and before then. Default: now.
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    to: Option<When>,
    /// Only events of this connection.
    #[arg(long)]
    connection: Option<String>,
    /// Jobs only for those of this clinic, as the provider names it; what the others say of the same is heard.
    #[arg(long)]
    clinic: Option<String>,
    /// Of the jobs whose time has passed, run so many each minute.
    #[arg(long, value_name = "N", default_value_t = PER_MINUTE)]
    per_minute: NonZeroU32,
    /// Do it. Without it, say what would become of them, and change nothing.
    #[arg(long)]
    yes: bool,
    /// How to print what becomes of them.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const HELP: &str = "\
What becomes of each action that the rule, as it is in force, fires for an event of the range, on the records of now:
  made       a job, which runs at its time; one whose time has passed at once (--per-minute), unless its rule says skip or expires
  collected  it joins a job that collects events
  cancelled  a later event has replaced or cancelled it, also one from after the range
  skipped    too late, or too often (throttle); the job is made and says so
  known      there is a job for it already, however that ended: no second one is made (zelo jobs retry runs dead ones again)
  counted    it counts, and does not fire yet
  outdated   something newer has spoken
  gone       its event was deleted or its person erased; unreadable events are those of erased people
  forgotten  its job may have been deleted ([retention], an erasure, before replays were there): nobody can tell whether it had one
It is written in portions: one that broke off is completed by the same again, and one that is complete makes nothing again.";

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let Arguments { rule, from, to, connection, clinic, per_minute, yes, format } = arguments;
    let now = SystemClock.now();
    let (from, to) = (from.at(now), to.map_or(now, |to| to.at(now)));
    ensure!(from < to, "--from ({from}) is not before --to ({to})");
    let range = Replayable { from, to, connection: connection.clone(), clinic: clinic.clone() };
    let ask = Request::Replay(ReplayAsk { rule: rule.clone(), range, per_minute: *per_minute, dry_run: !yes });
    let config = Config::load(config)?;
    let report: Report = super::tokio()?.block_on(async {
        let way = if *yes { Way::open(&config).await? } else { Way::look(&config).await? };
        let answer = way.ask(&ask).await;
        way.close().await?;
        answer
    })?;
    match format {
        Format::Json => print_line(&serde_json::to_string_pretty(&report)?),
        Format::Text => tell(&report),
    }
    Ok(if report.undecided() == 0 { Findings::None } else { Findings::Some })
}

fn tell(report: &Report) {
    let Report { events, matched, unreadable, counts, items, dry_run, .. } = report;
    items.iter().for_each(|item| print_line(&line(item)));
    let mut told = vec![format!("{events} events"), format!("{matched} matched")];
    told.extend(Fate::ALL.into_iter().filter_map(|fate| Some(format!("{} {}", counts.get(fate.as_str())?, fate.as_str()))));
    let overdue = items.iter().filter(|item| item.run_at.is_some() && item.due != item.run_at).count();
    if overdue > 0 {
        told.push(format!("{overdue} of them late"));
    }
    if *unreadable > 0 {
        told.push(format!("{unreadable} unreadable"));
    }
    let tail = if *dry_run { "; nothing was changed: --yes does it" } else { "" };
    print_line(&format!("{}{tail}", told.join(", ")));
}

/// What becomes of one action for one event, on one line.
fn line(item: &Replayed) -> String {
    let Replayed { event, action, fate, job, state, due, run_at, reason, .. } = item;
    let job = job.map(|job| format!("  {job}")).unwrap_or_default();
    let state = state.map(|state| format!("  {}", state.as_str())).unwrap_or_default();
    let at = match (due, run_at) {
        (Some(due), Some(at)) if due != at => format!("  at {at}, was due {due}"),
        (_, Some(at)) => format!("  at {at}"),
        (Some(due), None) => format!("  was due {due}"),
        (None, None) => String::new(),
    };
    let why = reason.as_ref().map(|why| format!("  {}: {}", why.code, why.text)).unwrap_or_default();
    format!("{event}  {action}  {:9}{job}{state}{at}{why}", fate.as_str())
}
