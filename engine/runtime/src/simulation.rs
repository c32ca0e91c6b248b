//! A day in a second: deliveries from a file through the same runtime, on a clock that is set.
//!
//! What is simulated is time and the provider; matching, deciding, storing, running and settling are the real thing, over a
//! store in memory. At equal instants deliveries come before due jobs. It ends when nothing is scheduled any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zelo_core::breaker::{DOWN, Patience};
use zelo_core::decide::Decision;
use zelo_core::settle::Settled;
use zelo_core::{Clock, Event, Job, JobState, JournalEntry, ManualClock, Status, Timestamp};
use zelo_rules::{Delivery, Headers};
use zelo_store::Work;

use crate::Runtime;
use crate::intake::Accepted;

/// One line of a day: a delivery and when it arrived.
#[derive(Deserialize)]
pub struct DayLine {
    /// The arrival; the body carries the provider's own time.
    pub at: Timestamp,
    /// The connection, which by default is called like its source.
    pub source: String,
    /// With the parameters of the URL, where there are any.
    pub path: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub body: Value,
}

/// One thing that happened, in time order.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Of an event its status, of a job its state; `counted`, where an action counted the event and made no job.
    pub state: String,
    /// What the job counts from, and when it is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// What was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Value>,
    pub detail: String,
}

/// Why a day cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("line {line}: {why}")]
    Line { line: usize, why: String },
    #[error("the simulated store failed")]
    Store(#[from] zelo_store::Error),
}

/// Reads a day: one JSON object a line, empty lines passed over.
pub fn read_day(text: &str) -> Result<Vec<(usize, DayLine)>, Error> {
    let mut day: Vec<(usize, DayLine)> = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fail = |why: String| Error::Line { line: number + 1, why };
        let line: DayLine =
            serde_json::from_str(line).map_err(|error| fail(format!("not a delivery {{at, source, path, body}}: {error}")))?;
        if let Some((_, before)) = day.last()
            && line.at < before.at
        {
            return Err(fail(format!("arrives at {}, before the line above it; a day is in order of arrival", line.at)));
        }
        day.push((number + 1, line));
    }
    Ok(day)
}

/// Runs `day` through `runtime`, whose clock is `clock` and whose store is empty. `tell` hears what happens, in order.
pub async fn simulate(
    runtime: &Runtime,
    clock: &Arc<ManualClock>,
    day: Vec<(usize, DayLine)>,
    tell: &mut (dyn FnMut(Row) + Send),
) -> Result<(), Error> {
    for (line, delivery) in day {
        run_until(runtime, clock, Some(delivery.at), tell).await?;
        clock.set(delivery.at);
        deliver(runtime, line, &delivery, tell).await?;
    }
    run_until(runtime, clock, None, tell).await
}

/// Tells what came of an event that was stored, and runs all jobs that there are until nothing is scheduled any more.
pub(crate) async fn play_out(
    runtime: &Runtime,
    clock: &Arc<ManualClock>,
    decision: &Decision,
    tell: &mut (dyn FnMut(Row) + Send),
) -> Result<(), Error> {
    tell_decision(clock.now(), decision, tell);
    run_until(runtime, clock, None, tell).await
}

async fn deliver(runtime: &Runtime, line: usize, delivery: &DayLine, tell: &mut (dyn FnMut(Row) + Send)) -> Result<(), Error> {
    let fail = |why: String| Error::Line { line, why };
    let connection = runtime
        .connections
        .get(&delivery.source)
        .or_else(|| runtime.connections.values().find(|connection| connection.source == delivery.source))
        .ok_or_else(|| fail(format!("there is no connection or source `{}`", delivery.source)))?;
    let body = match &delivery.body {
        Value::String(text) => text.clone().into_bytes(),
        json => json.to_string().into_bytes(),
    };
    let headers: Headers<'_> = delivery.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let path = delivery.path.split('?').next().unwrap_or_default();
    let request = Delivery { path, url: &delivery.path, headers: &headers, body: &body };
    let now = runtime.clock.now();
    match runtime.accept(connection, &request, now).await {
        Err(refused) => tell(Row { state: "refused".to_owned(), detail: refused.to_string(), ..blank(now) }),
        Ok(accepted) => accepted.into_iter().for_each(|accepted| tell_accepted(runtime, now, delivery, accepted, tell)),
    }
    Ok(())
}

fn tell_accepted(runtime: &Runtime, now: Timestamp, delivery: &DayLine, accepted: Accepted, tell: &mut (dyn FnMut(Row) + Send)) {
    match accepted {
        Accepted::Ignored { why } => tell(Row { state: Status::Ignored.as_str().to_owned(), detail: why, ..blank(now) }),
        Accepted::Recorded { event, decision, violation } => {
            let why_not = runtime.rules.current().in_force.why_not(&event);
            let row = event_row(now, &event, &delivery.path, &decision, &why_not);
            let quarantined = violation.filter(|_| decision.status == Status::Quarantined);
            tell(match quarantined {
                Some(violation) => Row { detail: format!("{}: no rule sees it: {violation}", delivery.path), ..row },
                None => row,
            });
            tell_decision(now, &decision, tell);
        }
    }
}

/// Runs all jobs that are due before `until`; all there are, if that is none.
async fn run_until(
    runtime: &Runtime,
    clock: &Arc<ManualClock>,
    until: Option<Timestamp>,
    tell: &mut (dyn FnMut(Row) + Send),
) -> Result<(), Error> {
    while let Some(next) = runtime.store.next_run().await? {
        // What became due by the arrival of a delivery waits for the others of that instant.
        let next = next.max(clock.now());
        if until.is_some_and(|until| next >= until) {
            break;
        }
        clock.set(next);
        let mut work = runtime.store.claim(clock.now(), 100, SignedDuration::from_hours(1), &runtime.concurrency()).await?;
        work.sort_by_key(|work| (work.job.run_at, work.job.id));
        for work in work {
            attempt(runtime, work, tell).await?;
        }
    }
    Ok(())
}

async fn attempt(runtime: &Runtime, work: Work, tell: &mut (dyn FnMut(Row) + Send)) -> Result<(), Error> {
    let (id, before) = (work.job.id, work.journal.len());
    let has_waited = Patience::of(&work.job).has_waited();
    let (settlement, places) = runtime.attempt(work).await;
    let now = runtime.clock.now();
    let summary = settlement.report.summary.clone();
    let emitted: Vec<Event> = settlement.emitted.iter().map(|arrival| arrival.event.clone()).collect();
    let outcome = runtime.store.settle(settlement, now).await;
    drop(places);
    let outcome = outcome?;
    let Settled::Applied { job, keep_effects, .. } = outcome.settled else { return Ok(()) };
    // A checkpoint stores what is no part of the settlement: all that this attempt did stands in the journal now.
    let journal = if keep_effects { runtime.store.journal(id).await? } else { Vec::new() };
    let done: Vec<Value> = journal.iter().skip(before).filter_map(JournalEntry::told).collect();
    for effect in &done {
        tell(Row { effect: Some(effect.clone()), ..job_row(now, &job, summary.as_deref()) });
    }
    // That its destination is still down was told.
    let waits_on = has_waited && job.state.is_live() && Patience::of(&job).has_waited();
    if done.is_empty() && !waits_on {
        tell(job_row(now, &job, summary.as_deref()));
    }
    for job in &outcome.others {
        tell(job_row(now, job, None));
    }
    for (event, decision) in emitted.iter().zip(&outcome.emitted) {
        let why_not = runtime.rules.current().in_force.why_not(event);
        tell(event_row(now, event, "emitted", decision, &why_not));
        tell_decision(now, decision, tell);
    }
    Ok(())
}

/// What came of an event: what counted it, and the jobs that it made or changed.
fn tell_decision(at: Timestamp, decision: &Decision, tell: &mut (dyn FnMut(Row) + Send)) {
    for counted in &decision.counted {
        tell(Row {
            event: Some(decision.event.to_string()),
            rule: Some(counted.rule.clone()),
            action: Some(counted.action.clone()),
            state: "counted".to_owned(),
            detail: counted.to_string(),
            ..blank(at)
        });
    }
    for job in &decision.jobs {
        tell(job_row(at, job, None));
    }
}

fn blank(at: Timestamp) -> Row {
    Row {
        at,
        event: None,
        kind: None,
        rule: None,
        action: None,
        job: None,
        state: String::new(),
        anchor: None,
        due: None,
        effect: None,
        detail: String::new(),
    }
}

/// What became of an event; `why_not` says of each rule that listened but did not fire what failed first.
fn event_row(at: Timestamp, event: &Event, path: &str, decision: &Decision, why_not: &[(String, String)]) -> Row {
    let silent = || why_not.iter().map(|(rule, why)| format!("; not {rule}: {why}")).collect::<String>();
    let detail = match decision.status {
        Status::Duplicate => format!("{path}: the same delivery came before as {}; nothing new happens", decision.event),
        Status::Stale => format!("{path}: older ({}) than what is known of it; records and pending jobs stay as they are", event.time),
        _ if decision.rules.is_empty() && !decision.counted.is_empty() => format!("{path}: counted, no rule fires yet{}", silent()),
        _ if decision.rules.is_empty() => format!("{path}: no rule fires{}", silent()),
        _ => format!("{path}: fires {}{}", decision.rules.join(", "), silent()),
    };
    Row {
        event: Some(decision.event.to_string()),
        kind: Some(event.kind.clone()),
        state: decision.status.as_str().to_owned(),
        detail,
        ..blank(at)
    }
}

fn job_row(at: Timestamp, job: &Job, summary: Option<&str>) -> Row {
    let detail = match (job.state, &job.attention, &job.reason) {
        (JobState::Scheduled, Some(missing), _) => {
            format!("needs attention: {}; waits until {}", summary.unwrap_or(&missing.text), job.run_at)
        }
        (JobState::Scheduled, ..) if job.waits() => {
            let steps: Vec<&str> = job.needs.iter().filter(|need| !need.done).map(|need| need.step.as_str()).collect();
            format!("comes after {}", steps.join(", "))
        }
        (JobState::Scheduled, None, Some(reason)) if job.attempt > 0 || reason.code == DOWN => {
            format!("tried again at {}: {}", job.run_at, reason.text)
        }
        (JobState::Scheduled | JobState::Ready, ..) if job.collected > 0 => format!("collected {}, due {}", job.collected, job.due),
        (JobState::Scheduled | JobState::Ready, ..) => match job.anchor {
            Some(anchor) => format!("due {}, counted from {anchor}", job.due),
            None => format!("due {}", job.due),
        },
        (JobState::Running, ..) => {
            job.cancel.as_ref().map_or_else(|| "running".to_owned(), |reason| format!("asked to stop: {}", reason.text))
        }
        (JobState::Done, ..) => summary.unwrap_or("done").to_owned(),
        (_, _, Some(reason)) => match summary {
            Some(summary) => format!("{}: {summary}", reason.text),
            None => reason.text.clone(),
        },
        (state, ..) => state.as_str().to_owned(),
    };
    Row {
        event: Some(job.event.to_string()),
        rule: Some(job.rule.clone()),
        action: Some(job.action.clone()),
        job: Some(job.id.to_string()),
        state: job.state.as_str().to_owned(),
        anchor: job.anchor,
        due: Some(job.due),
        detail,
        ..blank(at)
    }
}
