//! What a person makes of a job: an ended one is run again, or is said to be done or not; a pending one is cancelled.
//!
//! [`revive`] is a function of what is stored about the job and of the rules in force; the store applies it. A job that is revived is the
//! same job: what it did is in its journal and is replayed, and its idempotency keys are those that it had.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::decide::{DoneAnchor, KeyRow, RULE_GONE, SWITCHED_OFF};
use crate::effect::{Effect, EffectResult, JournalEntry};
use crate::job::{Job, JobState, Reason};
use crate::timing::Due;

/// The code of the reason of a live job that a person had run again.
pub const REVIVED: &str = "revived";
/// The code of the reason where a person said what became of an unknown job.
pub const DECIDED: &str = "decided";
/// The code of the reason where a person cancelled a job.
pub const BY_PERSON: &str = "cancelled_by_person";
/// The code of the reason of a job that ended because a step that it needs did.
pub const STEP: &str = "step";

/// What a person says about an ended job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Run it again. Of an unknown job that says too little.
    Retry,
    /// What nobody knew about was not carried out: run it.
    Run,
    /// What nobody knew about was carried out.
    Done,
    /// It was not, and is not wanted any more.
    Not,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 4] = [Self::Retry, Self::Run, Self::Done, Self::Not];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Run => "run",
            Self::Done => "done",
            Self::Not => "not",
        }
    }

    /// The verdict that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == word)
    }
}

/// What is known about an ended job.
#[derive(Debug)]
pub struct Question<'a> {
    pub job: &'a Job,
    /// The row of its key, where it has one.
    pub key: Option<&'a KeyRow>,
    /// Whether the newest word under its key asked for the very same, and was skipped because of this job.
    pub echoed: bool,
    pub journal: &'a [JournalEntry],
    /// Where the jobs stand that it needs, in the order of its needs; none: gone.
    pub steps: &'a [Option<JobState>],
    /// What it would be run on and is not there any more.
    pub lost: Option<&'a str>,
    /// What the rules in force say about its time, on the records of now.
    pub due: Result<Due, Reason>,
}

/// What becomes of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Revived {
    /// Live again, or ended in another way.
    pub job: Job,
    /// The row of its key, where that changes.
    pub key: Option<KeyRow>,
    pub journal: Kept,
}

/// What becomes of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// So many entries stay, and are replayed; none: the job is prepared anew.
    pub entries: u32,
    /// The last of them had begun, and a person says that it was not carried out.
    pub landed: bool,
}

/// Decides what `verdict` makes of an ended job. A job that is to run does so at `slot` or when it is due, whichever is later.
///
/// # Errors
/// Why it is refused.
pub fn revive(question: &Question<'_>, verdict: Verdict, slot: Timestamp, now: Timestamp) -> Result<Revived, Reason> {
    let job = question.job;
    match (job.state, verdict) {
        (JobState::Dead, Verdict::Retry | Verdict::Run) | (JobState::Unknown, Verdict::Run) => run(question, slot, now),
        (JobState::Cancelled, Verdict::Retry | Verdict::Run) if is_of_step(job) => run(question, slot, now),
        (JobState::Unknown, Verdict::Done) => {
            Ok(ended(question, JobState::Done, "a person says that it was carried out", question.key.cloned(), whole(question.journal)))
        }
        (JobState::Unknown, Verdict::Not) => {
            let text = "a person says that it was not carried out, and that it is not wanted any more";
            Ok(ended(question, JobState::Cancelled, text, question.key.map(|row| unmarked(job, row)), landed(question.journal)))
        }
        (JobState::Unknown, Verdict::Retry) => {
            let text = "nobody knows whether it was carried out; say whether it was, before it is done twice or not at all";
            Err(Reason::new("undecided", text))
        }
        (state, _) => {
            let wanted = if matches!(verdict, Verdict::Retry | Verdict::Run) { "dead or unknown" } else { "unknown" };
            Err(Reason::new("wrong_state", format!("it is {}; only a job that is {wanted} can be decided so", state.as_str())))
        }
    }
}

/// Whether `job` was cancelled because of a step, and so comes back with that.
pub fn is_of_step(job: &Job) -> bool {
    job.state == JobState::Cancelled && job.reason.as_ref().is_some_and(|reason| reason.code == STEP)
}

/// What becomes of a live job that a person cancels: one that runs is asked to stop before its next outward effect.
pub fn cancel(job: &Job) -> Job {
    let mut next = job.clone();
    let reason = Reason::new(BY_PERSON, "cancelled by a person");
    if job.state == JobState::Running {
        next.cancel.get_or_insert(reason);
    } else {
        next.end(JobState::Cancelled, reason);
    }
    next
}

fn run(question: &Question<'_>, slot: Timestamp, now: Timestamp) -> Result<Revived, Reason> {
    let Question { job, key, journal, lost, .. } = question;
    if let Some(lost) = lost {
        return Err(Reason::new("gone", format!("{lost}, so there is nothing to run it on")));
    }
    let kept = match job.state {
        JobState::Unknown if is_in_flight(journal) => landed(journal),
        _ => did(journal),
    };
    let due = time(question, kept)?;
    let key = key.map(|row| place(question, row)).transpose()?;
    let mut next = Job { needs: question.job.needs.clone(), ..Job::clone(job) };
    for (need, state) in next.needs.iter_mut().zip(question.steps) {
        need.done = *state == Some(JobState::Done);
        if !need.done && !state.is_some_and(JobState::is_live) {
            let stands = state.map_or("is gone".to_owned(), |state| format!("is {}", state.as_str()));
            return Err(Reason::new(STEP, format!("its step `{}` {stands}; it comes back with that", need.step)));
        }
    }
    if let Some(expires) = due.expires.filter(|expires| now >= *expires) {
        return Err(Reason::new("expired", format!("too late: it expired at {expires}")));
    }
    (next.due, next.expires) = (due.at, due.expires);
    next.run_at = due.at.max(slot);
    next.state = if next.run_at <= now && !next.waits() { JobState::Ready } else { JobState::Scheduled };
    // Its attempts are counted anew. One that did something has begun: a newer event does not take its place, nor join it.
    next.attempt = u32::from(kept.entries > 0);
    next.plugin = next.plugin.filter(|_| kept.entries > 0);
    next.in_flight = !kept.landed && is_in_flight(journal);
    let before = job.reason.as_ref().map(|reason| format!(": {}", reason.text)).unwrap_or_default();
    next.reason = Some(Reason::new(REVIVED, format!("a person had it run again; it had ended as {}{before}", job.state.as_str())));
    next.attention = None;
    next.cancel = None;
    next.again = false;
    next.moved = None;
    Ok(Revived { job: next, key, journal: kept })
}

/// When the job is due: one that did something keeps its time.
fn time(question: &Question<'_>, kept: Kept) -> Result<Due, Reason> {
    match &question.due {
        Err(reason) if kept.entries == 0 || reason.code == SWITCHED_OFF || reason.code == RULE_GONE => Err(reason.clone()),
        Ok(due) if kept.entries == 0 => Ok(*due),
        _ => Ok(Due { at: question.job.due, expires: question.job.expires }),
    }
}

/// The row of the job's key with the job in its place; or why there is no place for it.
fn place(question: &Question<'_>, row: &KeyRow) -> Result<KeyRow, Reason> {
    let Question { job, echoed, .. } = question;
    // Where events are collected, only cancellations make the row newer, and jobs do not take each other's places.
    let collects = job.collected > 0;
    let word = job.anchor.filter(|_| collects).unwrap_or(job.reference);
    if row.newest > word && !echoed {
        return Err(Reason::new("replaced", "a newer event came for the same key, and what it said stands"));
    }
    let other = row.live.filter(|live| *live != job.id);
    if other.is_some() && !collects {
        return Err(Reason::new("replaced", "another job for the same key is pending"));
    }
    if job.state != JobState::Unknown && !collects && row.done == Some(DoneAnchor(job.anchor)) {
        return Err(Reason::new("already_done", "done since for this very time, and not done twice"));
    }
    Ok(KeyRow { live: other.or(Some(job.id)), ..unmarked(job, row) })
}

/// The row without the mark of an unknown job, which was perhaps done.
fn unmarked(job: &Job, row: &KeyRow) -> KeyRow {
    let own = |done: &DoneAnchor| job.state == JobState::Unknown && *done == DoneAnchor(job.anchor);
    KeyRow { done: row.done.filter(|done| !own(done)), ..row.clone() }
}

fn ended(question: &Question<'_>, state: JobState, text: &str, key: Option<KeyRow>, journal: Kept) -> Revived {
    let mut job = question.job.clone();
    job.end(state, Reason::new(DECIDED, text));
    let key = key.filter(|row| Some(row) != question.key);
    Revived { job, key, journal }
}

/// The journal up to the last entry by which something was done. What comes after has only asked or was turned down, and is asked
/// again, on what is known then: nothing is done twice by that.
fn did(journal: &[JournalEntry]) -> Kept {
    let did = |entry: &JournalEntry| match entry {
        JournalEntry::Invocation(_) | JournalEntry::Effect { result: EffectResult::Refused { .. }, .. } => false,
        JournalEntry::Effect { effect: Effect::Http(request), result: EffectResult::Answered { response } } => {
            // The client's mistake ([RFC 9110, 15.5](https://www.rfc-editor.org/rfc/rfc9110#section-15.5)): it was not carried out.
            !request.method.is_safe() && !(400..500).contains(&response.status)
        }
        JournalEntry::Effect { effect: Effect::Http(request), .. } => !request.method.is_safe(),
        JournalEntry::Effect { effect, .. } => !matches!(effect, Effect::RecordGet { .. } | Effect::StateGet { .. }),
        JournalEntry::Begun { .. } => true,
    };
    let entries = journal.iter().rposition(did).map_or(0, |last| last + 1);
    Kept { entries: u32::try_from(entries).unwrap_or(u32::MAX), landed: false }
}

fn whole(journal: &[JournalEntry]) -> Kept {
    Kept { entries: u32::try_from(journal.len()).unwrap_or(u32::MAX), landed: false }
}

fn is_in_flight(journal: &[JournalEntry]) -> bool {
    matches!(journal.last(), Some(JournalEntry::Begun { in_flight: true, .. }))
}

/// All of a journal, once a person has said that nothing of it is in flight.
fn landed(journal: &[JournalEntry]) -> Kept {
    Kept { landed: is_in_flight(journal), ..whole(journal) }
}

#[cfg(test)]
#[path = "revive_tests.rs"]
mod tests;
