//! Jobs: listed, told, run again, decided about, cancelled.

use std::num::NonZeroU32;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zelo_core::revive::Verdict;
use zelo_core::{Actor, AuditEntry, AuditKind, Effect, EffectResult, Halt, JobId, JobState, JournalEntry};
use zelo_runtime::Waits;
use zelo_store::{Cancellation, JobView, Page, Revivals, Revive, Which};

use super::Scene;

/// What is asked about jobs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(in crate::cli) enum Ask {
    /// The newest.
    List { state: Option<JobState>, rule: Option<String>, limit: usize },
    /// One, with what it did; in full only where that is asked for, and then it stands in the audit log.
    Show { job: JobId, reveal: bool },
    /// What a person says of ended ones.
    Decide { which: Which, verdict: Verdict, per_minute: Option<NonZeroU32>, dry_run: bool },
    /// A pending one is not to run.
    Cancel { job: JobId },
}

impl Ask {
    /// Whether jobs may be due by it.
    pub(super) fn wakes(&self) -> bool {
        matches!(self, Self::Decide { dry_run: false, .. })
    }
}

/// Jobs that are read at once.
const PAGE: u32 = 200;

pub(super) async fn answer(scene: &Scene<'_>, ask: &Ask) -> Result<Value> {
    match ask {
        Ask::List { state, rule, limit } => list(scene, *state, rule.as_deref(), *limit).await,
        Ask::Show { job, reveal } => show(scene, *job, *reveal).await,
        Ask::Decide { which, verdict, per_minute, dry_run } => {
            let (which, actor, timetable) = (which.clone(), Actor::command(), scene.in_force().await?);
            let ask = Revive { which, verdict: *verdict, per_minute: *per_minute, dry_run: *dry_run, actor, timetable };
            let revivals: Revivals = scene.store.revive(ask, scene.clock.now()).await?;
            Ok(serde_json::to_value(revivals)?)
        }
        Ask::Cancel { job } => {
            let cancelled = scene.store.cancel(*job, Actor::command(), scene.clock.now()).await?;
            Ok(match cancelled {
                None => json!({ "job": job, "missing": true }),
                Some(Cancellation::Ended(now) | Cancellation::Asked(now)) => json!({ "job": job, "state": now.state, "cancelled": true }),
                Some(Cancellation::Over(state)) => json!({ "job": job, "state": state, "cancelled": false }),
            })
        }
    }
}

async fn list(scene: &Scene<'_>, state: Option<JobState>, rule: Option<&str>, limit: usize) -> Result<Value> {
    let halts = scene.store.halts().await?;
    let mut found = Vec::new();
    let mut page = Page { limit: PAGE, ..Page::default() };
    loop {
        let rows = scene.store.jobs(&page, state).await?;
        page.before = rows.last().map(|view| view.cursor);
        let more = rows.len() == PAGE as usize;
        let wanted = rows.iter().filter(|view| rule.is_none_or(|rule| view.job.rule == rule));
        found.extend(wanted.map(|view| told(view, &halts)));
        if !more || found.len() >= limit {
            found.truncate(limit);
            return Ok(Value::Array(found));
        }
    }
}

/// A job without what its plugin said.
fn told(view: &JobView, halts: &[Halt]) -> Value {
    let waits = Waits::of(view, halts);
    let job = &view.job;
    json!({
        "id": job.id, "event": job.event, "rule": job.rule, "action": job.action, "connection": job.connection, "clinic": job.clinic,
        "state": job.state, "attempt": job.attempt, "due": job.due, "expires": job.expires, "run_at": job.run_at, "ended": view.ended,
        "attention": job.attention, "reason": job.reason, "waits": waits, "told": waits.as_ref().map(|waits| waits.told(true)),
    })
}

async fn show(scene: &Scene<'_>, id: JobId, reveal: bool) -> Result<Value> {
    let store = scene.store;
    let view = store.job(id).await?.with_context(|| format!("there is no job {id}"))?;
    let journal = store.journal(id).await?;
    let attempts = store.attempts(id).await?;
    let decisions = store.decisions(id).await?;
    let mut whole = told(&view, &store.halts().await?);
    whole["needs"] = json!(view.job.needs);
    whole["decisions"] = decisions
        .iter()
        .map(|one| {
            json!({
                "at": one.at, "actor": one.actor.as_str(), "decision": one.decision, "was": one.was, "reason": one.reason,
                "with": one.with,
            })
        })
        .collect();
    whole["effects"] = journal.iter().zip(0..).filter_map(|(entry, index)| effect(index, entry, reveal)).collect();
    whole["attempts"] = attempts
        .iter()
        .map(|one| {
            let mut told = json!({ "attempt": one.attempt, "at": one.at, "state": one.state });
            if reveal {
                told["summary"] = json!(one.report.summary);
                told["lines"] = json!(one.report.lines);
            }
            told
        })
        .collect();
    if reveal {
        let detail = json!({ "what": "job", "ids": [id], "rows": 1 });
        let entry = AuditEntry {
            connection: Some(view.job.connection.clone()),
            clinic: view.job.clinic.clone(),
            about: view.about,
            ..AuditEntry::new(scene.clock.now(), AuditKind::Viewed, Actor::command(), &detail)
        };
        store.answer_for(vec![entry]).await?;
    }
    Ok(whole)
}

/// What one entry of a journal did: its kind, where it went and what came of it; in full where that is asked for.
fn effect(index: u32, entry: &JournalEntry, reveal: bool) -> Option<Value> {
    let (effect, outcome) = match entry {
        JournalEntry::Invocation(_) => return None,
        JournalEntry::Begun { effect, in_flight: true } => (effect, "nobody knows"),
        JournalEntry::Begun { effect, in_flight: false } => (effect, "not carried out"),
        JournalEntry::Effect { effect, result: EffectResult::Refused { .. } } => (effect, "refused"),
        JournalEntry::Effect { effect, .. } => (effect, "done"),
    };
    let mut told = json!({ "index": index, "kind": effect.kind(), "outcome": outcome });
    if let Effect::Http(request) = effect {
        // Neither path nor query: they can name somebody.
        told["to"] = json!(format!("{} {}", request.method.as_str(), request.url.origin()));
    }
    if reveal {
        told["told"] = json!(entry.told());
    }
    Some(told)
}
