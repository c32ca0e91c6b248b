//! `zelo jobs`: what is to be done, what was done and what went wrong; running it again, and deciding what became of it.

use std::num::NonZeroU32;
use std::path::Path;

use anyhow::{Result, bail};
use serde_json::Value;
use zelo_core::revive::Verdict;
use zelo_core::{Clock, JobId, JobState, Timestamp};
use zelo_runtime::system::SystemClock;
use zelo_store::{Revival, Revivals, Trouble, Which};

use super::control::{self, JobsAsk, Request, Way};
use super::when::When;
use super::{Findings, Format, print_line};
use crate::config::Config;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// One job: how it stands, what it did, what people decided about it.
    Show {
        job: JobId,
        /// What it did and said in full. That somebody looked stands in the audit log.
        #[arg(long)]
        reveal: bool,
        /// How to print it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Run dead jobs again: these, or all that are meant. What a job did before is not done twice.
    Retry(Retry),
    /// Say what became of jobs of which nobody knows whether they were carried out.
    Decide(Decide),
    /// Keep a pending job from running; one that runs stops before its next request.
    Cancel {
        job: JobId,
        /// How to print what became of it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// The newest jobs.
#[derive(Debug, clap::Args)]
struct List {
    /// Only those that stand so: scheduled, ready, running, done, dead, cancelled, skipped, unknown.
    #[arg(long, value_parser = state)]
    state: Option<JobState>,
    /// Only those of this rule.
    #[arg(long)]
    rule: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// How to print them.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Retry {
    /// These jobs.
    #[arg(value_name = "ID")]
    jobs: Vec<JobId>,
    /// All that ended so: dead, or unknown.
    #[arg(long, value_parser = trouble)]
    state: Option<JobState>,
    /// Those of this rule.
    #[arg(long)]
    rule: Option<String>,
    /// Those of actions of this name.
    #[arg(long)]
    action: Option<String>,
    /// Those that ended for a reason with this code, as `zelo jobs` shows it.
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,
    /// Those of this connection.
    #[arg(long)]
    connection: Option<String>,
    /// Those of this clinic, as the provider names it.
    #[arg(long)]
    clinic: Option<String>,
    /// Those that ended from then on: 30d, 12h, a date (midnight in UTC), 2026-03-02T08:00:00-03:00.
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    since: Option<When>,
    /// … and before then.
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    until: Option<When>,
    /// Run so many each minute, for a destination that has just come back. Without it, all at once.
    #[arg(long, value_name = "N")]
    per_minute: Option<NonZeroU32>,
    /// Say what would become of them, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// How to print what became of them.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("verdict").required(true).args(["done", "not_done"]))]
struct Decide {
    /// These jobs.
    #[arg(value_name = "ID", required = true)]
    jobs: Vec<JobId>,
    /// It was carried out: the job ends as done.
    #[arg(long)]
    done: bool,
    /// It was not: the job ends as cancelled, unless it is to run.
    #[arg(long)]
    not_done: bool,
    /// Do it now.
    #[arg(long, requires = "not_done", conflicts_with = "done")]
    run: bool,
    /// Say what would become of them, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// How to print what became of them.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn state(word: &str) -> Result<JobState, String> {
    let known = JobState::ALL.map(JobState::as_str).join(", ");
    JobState::parse(word).ok_or_else(|| format!("a job is one of {known}"))
}

fn trouble(word: &str) -> Result<JobState, String> {
    let bad = |state: &JobState| matches!(state, JobState::Dead | JobState::Unknown);
    JobState::parse(word).filter(bad).ok_or_else(|| "jobs that ended badly are dead, or unknown".to_owned())
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    match &arguments.command {
        None => list(config, &arguments.list),
        Some(Command::Show { job, reveal, format }) => show(config, *job, *reveal, *format),
        Some(Command::Retry(retry)) => {
            let which = retry.which(SystemClock.now())?;
            decide(config, which, Verdict::Retry, (retry.per_minute, retry.dry_run), retry.format)
        }
        Some(Command::Decide(said)) => {
            let verdict = match said {
                Decide { done: true, .. } => Verdict::Done,
                Decide { run: true, .. } => Verdict::Run,
                Decide { .. } => Verdict::Not,
            };
            decide(config, Which::Jobs(said.jobs.clone()), verdict, (None, said.dry_run), said.format)
        }
        Some(Command::Cancel { job, format }) => cancel(config, *job, *format),
    }
}

impl Retry {
    fn which(&self, now: Timestamp) -> Result<Which> {
        let Self { jobs, state, rule, action, reason, connection, clinic, since, until, .. } = self;
        let filter = Trouble {
            state: state.unwrap_or(Trouble::default().state),
            rule: rule.clone(),
            action: action.clone(),
            code: reason.clone(),
            connection: connection.clone(),
            clinic: clinic.clone(),
            since: since.map(|when| when.at(now)),
            until: until.map(|when| when.at(now)),
            ..Trouble::default()
        };
        let filtered = state.is_some() || !filter.is_all();
        match (jobs.is_empty(), filtered) {
            (true, true) => Ok(Which::All(filter)),
            (false, false) => Ok(Which::Jobs(jobs.clone())),
            (false, true) => bail!("either jobs by their ids or a filter, not both"),
            (true, false) => {
                bail!("which jobs? Name them by their ids, or say --state dead, --rule RULE, --since 2h; try with --dry-run first")
            }
        }
    }
}

/// Asks for one thing, looking only: where there is no store yet, none is made.
fn look(config: Option<&Path>, ask: JobsAsk) -> Result<Value> {
    let config = Config::load(config)?;
    super::tokio()?.block_on(async {
        let way = Way::look(&config).await?;
        let answer = way.ask(&Request::Jobs(ask)).await;
        way.close().await?;
        answer
    })
}

fn list(config: Option<&Path>, wanted: &List) -> Result<Findings> {
    let List { state, rule, limit, format } = wanted;
    let jobs = look(config, JobsAsk::List { state: *state, rule: rule.clone(), limit: *limit })?;
    if *format == Format::Json {
        print_line(&serde_json::to_string_pretty(&jobs)?);
        return Ok(Findings::None);
    }
    for job in jobs.as_array().into_iter().flatten() {
        print_line(&line(job));
    }
    Ok(Findings::None)
}

/// A job on one line.
fn line(job: &Value) -> String {
    let text = |name: &str| job[name].as_str().unwrap_or_default();
    let at = job["ended"].as_str().unwrap_or(text("run_at"));
    let why = if job["attention"].is_null() { &job["reason"] } else { &job["attention"] };
    let why = why["code"].as_str().map(|code| format!("  {code}: {}", why["text"].as_str().unwrap_or_default())).unwrap_or_default();
    let waits = job["told"].as_str().map(|told| format!("  {told}")).unwrap_or_default();
    format!("{}  {:9}  {at}  {}.{}{why}{waits}", text("id"), text("state"), text("rule"), text("action"))
}

fn show(config: Option<&Path>, job: JobId, reveal: bool, format: Format) -> Result<Findings> {
    let job = look(config, JobsAsk::Show { job, reveal })?;
    if format == Format::Json {
        print_line(&serde_json::to_string_pretty(&job)?);
        return Ok(Findings::None);
    }
    print_line(&line(&job));
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    print_line(&format!("  event {}, due {}, attempts {}", text(&job, "event"), text(&job, "due"), job["attempt"]));
    for need in job["needs"].as_array().into_iter().flatten() {
        print_line(&format!(
            "  after {} {}{}",
            text(need, "step"),
            text(need, "job"),
            if need["done"] == true { ", which is done" } else { "" }
        ));
    }
    for attempt in job["attempts"].as_array().into_iter().flatten() {
        let said = attempt["summary"].as_str().map(|said| format!(": {said}")).unwrap_or_default();
        print_line(&format!("  attempt {} {} {}{said}", attempt["attempt"], text(attempt, "at"), text(attempt, "state")));
    }
    for effect in job["effects"].as_array().into_iter().flatten() {
        let to = effect["to"].as_str().map(|to| format!(" {to}")).unwrap_or_default();
        print_line(&format!("  effect {} {}{to}: {}", effect["index"], text(effect, "kind"), text(effect, "outcome")));
        if !effect["told"].is_null() {
            print_line(&format!("    {}", effect["told"]));
        }
    }
    for decision in job["decisions"].as_array().into_iter().flatten() {
        let with = decision["with"].as_str().map(|with| format!(", with {with}")).unwrap_or_default();
        let was = if decision["decision"] == "replayed" { String::new() } else { format!("; it was {}", text(decision, "was")) };
        let told = if was.is_empty() { "made by replay on".to_owned() } else { text(decision, "decision") };
        print_line(&format!("  {told} {} by {}{was}{with}", text(decision, "at"), text(decision, "actor")));
    }
    Ok(Findings::None)
}

fn decide(
    config: Option<&Path>,
    which: Which,
    verdict: Verdict,
    (per_minute, dry_run): (Option<NonZeroU32>, bool),
    format: Format,
) -> Result<Findings> {
    let (_, answer) = control::run(config, &Request::Jobs(JobsAsk::Decide { which, verdict, per_minute, dry_run }))?;
    let revivals: Revivals = serde_json::from_value(answer)?;
    let refused = revivals.refused();
    if format == Format::Json {
        print_line(&serde_json::to_string_pretty(&revivals)?);
    } else {
        revivals.jobs.iter().for_each(|job| print_line(&told(job)));
        revivals.missing.iter().for_each(|job| print_line(&format!("{job}  there is no such job")));
        let decided = revivals.jobs.len() + revivals.missing.len() - refused;
        let tail = if dry_run { "; nothing was changed: this is what would become of them" } else { "" };
        print_line(&format!("{decided} decided, {refused} refused{tail}"));
        if revivals.more {
            print_line("there are more: ask again for the rest");
        }
    }
    Ok(if refused == 0 { Findings::None } else { Findings::Some })
}

/// What becomes of a job, on one line.
fn told(revival: &Revival) -> String {
    let Revival { job, rule, action, was, state, run_at, with, refused, .. } = revival;
    let head = format!("{job}  {rule}.{action}  {}", was.as_str());
    if let Some(why) = refused {
        return format!("{head}, refused ({}): {}", why.code, why.text);
    }
    let at = run_at.map(|at| format!(" {at}")).unwrap_or_default();
    let with = with.map(|with| format!(", with {with}")).unwrap_or_default();
    format!("{head} → {}{at}{with}", state.as_str())
}

fn cancel(config: Option<&Path>, job: JobId, format: Format) -> Result<Findings> {
    let (_, answer) = control::run(config, &Request::Jobs(JobsAsk::Cancel { job }))?;
    let state = answer["state"].as_str().unwrap_or_default();
    let cancelled = answer["cancelled"] == true;
    if format == Format::Json {
        print_line(&serde_json::to_string_pretty(&answer)?);
    } else if answer["missing"] == true {
        print_line(&format!("{job}  there is no such job"));
    } else if !cancelled {
        print_line(&format!("{job}  is {state}: only a pending job can be cancelled"));
    } else if state == JobState::Running.as_str() {
        print_line(&format!("{job}  runs, and was asked to stop before its next request"));
    } else {
        print_line(&format!("{job}  {state}"));
    }
    Ok(if cancelled { Findings::None } else { Findings::Some })
}
