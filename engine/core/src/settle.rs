//! What the end of an attempt changes.
//!
//! [`settle`] is a function of the job as it is stored, of the lease that the worker holds and of what happened. The
//! store applies it inside one transaction with the journal and the local effects of the attempt.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arrival::Arrival;
use crate::decide::{DoneAnchor, KeyRow};
use crate::effect::{Document, Effect, JournalEntry, RecordEdit};
use crate::hash::KeyHash;
use crate::id::JobId;
use crate::invocation::Invocation;
use crate::job::{Job, JobState, Reason};
use crate::record::Stamp;
use crate::retry::RetryPolicy;
use crate::revive::STEP;
use crate::timing::Due;

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum AttemptEnd {
    /// The plugin ran to its end. `code` is its own word for what it did.
    Done { code: String },
    /// Failed, and may go well another time.
    Retry { reason: Reason, after: Option<SignedDuration> },
    /// Failed for good.
    Dead(Reason),
    /// Something was begun on somebody else's machine, and nobody can know whether it happened.
    Unknown(Reason),
    /// Not wanted any more.
    Cancelled(Reason),
    /// Not run, as the rule says.
    Skipped(Reason),
    /// Something is missing that may still come: look again at `until`, or when a record changes.
    Wait { reason: Reason, until: Timestamp },
    /// Not due yet after all: the records say another time.
    Moved(Due),
    /// Broken off, and not by its own fault: it waits to be run again. Nothing of it is kept but what was on disk; `begun`, where that
    /// is anything, with this plugin.
    Interrupted { reason: Reason, begun: Option<String> },
    /// Its destination is left alone: it comes back at `until`, and no attempt was used. What it did stays done; `begun`, where that
    /// is anything.
    Deferred { reason: Reason, until: Timestamp, begun: bool },
}

/// The end of an attempt, with all that must be stored with it.
#[derive(Clone, Debug)]
pub struct Settlement {
    pub job: JobId,
    /// The lease that the worker holds; another one changes nothing.
    pub lease: u64,
    pub end: AttemptEnd,
    /// Journal entries that are not stored yet, by their place.
    pub journal: Vec<(u32, JournalEntry)>,
    /// What a plugin was shown in an attempt of which nothing is kept.
    pub shown: Option<Box<Invocation>>,
    /// Effects that commit together with the settlement.
    pub local: Vec<LocalWrite>,
    /// Events that commit together with the settlement, matched against the rules in force.
    pub emitted: Vec<Arrival>,
    /// Whether something outside of the store has happened: then a cancellation comes too late to undo the attempt.
    pub outward: bool,
    /// What the plugin said: sealed.
    pub report: Report,
    pub policy: RetryPolicy,
}

/// What a plugin said in one attempt, for people. All of it is sealed like personal data.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What it did, or why it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// For later steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Its log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LogLine>,
}

/// A line of a plugin's log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    pub text: String,
}

impl Report {
    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Prints sizes only.
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Report({} lines)", self.lines.len())
    }
}

/// Prints its level only.
impl fmt::Debug for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogLine({})", self.level)
    }
}

/// A write of an effect to the store.
#[derive(Clone, Debug, PartialEq)]
pub enum LocalWrite {
    /// A message in an outbox channel. `index` is the place of its effect in the journal.
    Message { index: u32, channel: String, message: crate::effect::Message },
    /// A value in the action's own state; `None` deletes it.
    State { slot: KeyHash, value: Option<String> },
    /// A document. `index` is the place of its effect in the journal.
    Document { index: u32, document: Document },
    /// Fields of the record at `hash`, because of an event.
    Record { hash: KeyHash, stamp: Stamp, edit: RecordEdit },
}

/// What must be on disk in the midst of an attempt, before its plugin goes on, with all that the attempt did before it. Commits as
/// one.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    pub job: JobId,
    /// The lease that the worker holds; another one changes nothing.
    pub lease: u64,
    /// Journal entries that are not stored yet, by their place. An entry takes the place of one that had begun.
    pub journal: Vec<(u32, JournalEntry)>,
    pub local: Vec<LocalWrite>,
    pub emitted: Vec<Arrival>,
    pub purpose: Purpose,
}

/// What a checkpoint is for.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// A counter goes up: its effect, and the place of that in the journal.
    Count { slot: KeyHash, index: u32, effect: Effect },
    /// Something outward is about to be done, unless the job was asked to stop.
    Begin,
    /// Something outward was done: its result is kept, whatever was asked since.
    Done,
}

/// What became of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checkpointed {
    /// On disk.
    Kept,
    /// On disk: what the counter stands at now.
    Counted(u64),
    /// The job was asked to stop, so nothing was written.
    Cancelled(Reason),
    /// Another worker holds the job now, or it has ended: nothing was written.
    Stale,
}

/// What a settlement comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled {
    /// Another worker holds the job now, or it has ended: nothing may be written.
    Stale,
    /// The job as it now stands.
    Applied {
        job: Box<Job>,
        /// The row of the job's key, where that changes.
        key: Option<KeyRow>,
        /// Whether journal and local effects are written too; not where a cancellation came before them.
        keep_effects: bool,
    },
}

/// Decides what `settlement` makes of `job`, which is the stored row, and of the row of its key.
pub fn settle(job: &Job, key: Option<&KeyRow>, settlement: &Settlement, now: Timestamp) -> Settled {
    if job.state != JobState::Running || job.lease != settlement.lease {
        return Settled::Stale;
    }
    let mut next = job.clone();
    next.attention = None;
    next.reason = None;
    next.again = false;
    next.in_flight = job.in_flight && !settlement.journal.iter().any(|(_, entry)| entry.lands());
    let mut keep_effects = true;
    match (&job.cancel, &settlement.end) {
        (Some(reason), AttemptEnd::Done { .. } | AttemptEnd::Dead(_)) if !settlement.outward => {
            keep_effects = false;
            next.end(JobState::Cancelled, reason.clone());
        }
        (_, AttemptEnd::Done { code }) => next.end(JobState::Done, Reason::new(code, code.as_str())),
        (_, AttemptEnd::Dead(reason)) => next.end(JobState::Dead, reason.clone()),
        (_, AttemptEnd::Unknown(reason)) => next.end(JobState::Unknown, reason.clone()),
        (Some(reason), _) => {
            keep_effects = settlement.outward;
            next.end(JobState::Cancelled, reason.clone());
        }
        (None, AttemptEnd::Cancelled(reason)) => next.end(JobState::Cancelled, reason.clone()),
        // It read what has been replaced since, so it looks again, at once.
        (None, AttemptEnd::Skipped(_) | AttemptEnd::Wait { .. } | AttemptEnd::Moved(_)) if job.again => {
            next.state = JobState::Ready;
            next.attempt = 0;
            next.run_at = now;
        }
        (None, AttemptEnd::Skipped(reason)) => next.end(JobState::Skipped, reason.clone()),
        (None, AttemptEnd::Wait { reason, until }) => {
            // It has not begun, however often it was looked at.
            next.state = JobState::Scheduled;
            next.attempt = 0;
            next.run_at = *until;
            next.attention = Some(reason.clone());
        }
        (None, AttemptEnd::Moved(due)) => {
            next.state = JobState::Scheduled;
            next.attempt = 0;
            next.due = due.at;
            next.run_at = due.at;
            next.expires = due.expires;
        }
        (None, AttemptEnd::Interrupted { reason, begun }) => {
            keep_effects = false;
            next.state = JobState::Scheduled;
            // Whatever keeps it from running keeps it out of the line by now: that goes by the plugin that it began with.
            next.run_at = now;
            next.attempt = if begun.is_some() { job.attempt.saturating_sub(1).max(1) } else { 0 };
            next.plugin = begun.clone();
            next.reason = Some(reason.clone());
        }
        (None, AttemptEnd::Deferred { reason, until, begun }) => defer(&mut next, reason, *until, *begun),
        (None, AttemptEnd::Retry { reason, after }) => retry(&mut next, reason, *after, settlement.policy, now),
    }
    if let Some(invocation) = begins(&settlement.journal).filter(|_| keep_effects) {
        next.plugin = Some(invocation.disclosure.plugin.clone());
    }
    let key = key.filter(|row| job.key.is_some() && (row.live == Some(job.id) || settled(next.state))).map(|row| KeyRow {
        live: row.live.filter(|live| *live != job.id || next.state.is_live()),
        newest: row.newest,
        done: if settled(next.state) { Some(DoneAnchor(job.anchor)) } else { row.done },
    });
    Settled::Applied { job: Box::new(next), key, keep_effects }
}

/// Whether nothing may be made for the same time under the same key: it was done, or perhaps was.
fn settled(state: JobState) -> bool {
    matches!(state, JobState::Done | JobState::Unknown)
}

/// What the end of `step`, which stands at `state` for good, makes of a job that needs it. `None`: nothing.
///
/// A job whose last step is done becomes due at its own time. A step that ended in any other way takes its job with it: what
/// it would have given is not there.
pub fn step_ended(job: &Job, step: JobId, state: JobState) -> Option<Job> {
    let place = job.needs.iter().position(|need| need.job == step && !need.done).filter(|_| job.state.is_live() && !state.is_live())?;
    let mut next = job.clone();
    let need = next.needs.get_mut(place)?;
    if state == JobState::Done {
        need.done = true;
    } else {
        let text = format!("its step `{}` ended as {}", need.step, state.as_str());
        next.end(JobState::Cancelled, Reason::new(STEP, text));
    }
    Some(next)
}

/// What becomes of a running job whose worker is gone at `now`: its process died, or its lease ran out.
///
/// Whether the job is at fault nobody knows, so it is tried again at once, but not for ever; and the second half of its attempts one after
/// another, as after other failures: a process that dies again and again within minutes must not use them all up.
pub fn reclaim(job: &Job, policy: RetryPolicy, now: Timestamp) -> Job {
    let mut next = job.clone();
    next.again = false;
    match &job.cancel {
        Some(reason) => next.end(JobState::Cancelled, reason.clone()),
        None if job.attempt >= policy.attempts => {
            let text = format!("given up: none of its {} attempts came to an end", job.attempt);
            next.end(JobState::Dead, Reason::new("crashed", text));
        }
        None => {
            next.state = JobState::Ready;
            let wait = policy.wait(job.attempt, None, jitter(job)).filter(|_| job.attempt > policy.attempts / 2);
            if let Some(at) = wait.and_then(|wait| now.saturating_add(wait).ok()) {
                next.state = JobState::Scheduled;
                next.run_at = at;
            }
        }
    }
    next
}

/// The same number for the same attempt of a job.
fn jitter(job: &Job) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|place| job.id.bytes()[8 + place])).wrapping_mul(u64::from(job.attempt))
}

fn retry(job: &mut Job, reason: &Reason, after: Option<SignedDuration>, policy: RetryPolicy, now: Timestamp) {
    let Some(wait) = policy.wait(job.attempt, after, jitter(job)) else {
        let text = format!("given up after {} attempts: {}", job.attempt, reason.text);
        return job.end(JobState::Dead, Reason::new(&reason.code, text));
    };
    let at = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
    if job.expires.is_some_and(|expires| at >= expires) {
        let text = format!("given up: it expires before it could be tried again: {}", reason.text);
        return job.end(JobState::Dead, Reason::new(&reason.code, text));
    }
    job.state = JobState::Scheduled;
    job.run_at = at;
    job.reason = Some(reason.clone());
}

/// Has `job` come back at `until`, as if it had not been tried. One that has begun keeps the attempt that it began with, and so does
/// one that others come after: they must not overtake it.
fn defer(job: &mut Job, reason: &Reason, until: Timestamp, begun: bool) {
    if let Some(expires) = job.expires.filter(|expires| until >= *expires) {
        let text = format!("given up: it expires at {expires}, before it can be tried again: {}", reason.text);
        return job.end(JobState::Dead, Reason::new(&reason.code, text));
    }
    let begun = begun || job.lane.order.is_some();
    job.attempt = if begun { job.attempt.saturating_sub(1).max(1) } else { 0 };
    job.state = JobState::Scheduled;
    job.run_at = until;
    job.reason = Some(reason.clone());
}

/// The invocation that these entries of a journal freeze, where they do.
pub fn begins(entries: &[(u32, JournalEntry)]) -> Option<&Invocation> {
    entries.iter().find_map(|(_, entry)| match entry {
        JournalEntry::Invocation(invocation) => Some(invocation.as_ref()),
        _ => None,
    })
}

/// The frozen invocation of a journal, if it has one.
pub fn frozen(journal: &[JournalEntry]) -> Option<&Invocation> {
    match journal.first() {
        Some(JournalEntry::Invocation(invocation)) => Some(invocation),
        _ => None,
    }
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
