//! Jobs: the runs-to-be of actions.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::arrival::LookupRef;
use crate::concurrency::Lane;
use crate::hash::KeyHash;
use crate::id::{AutomationId, EventId, JobId};

/// Where a job stands. The first three are alive, the others final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Its time has not come.
    Scheduled,
    /// Due, waiting for a worker.
    Ready,
    /// A worker holds its lease.
    Running,
    /// Ran to its end.
    Done,
    /// Failed for good; a person may revive it.
    Dead,
    /// Made needless: by a newer event, a cancellation, or the automation being switched off.
    Cancelled,
    /// Not run, for a reason that the rule names: too late, a condition that does not hold.
    Skipped,
    /// Nobody can know whether its effect happened; a person decides.
    Unknown,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 8] =
        [Self::Scheduled, Self::Ready, Self::Running, Self::Done, Self::Dead, Self::Cancelled, Self::Skipped, Self::Unknown];

    /// The word on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
        }
    }

    /// From the word on the wire and in the store.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether something may still happen.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Scheduled | Self::Ready | Self::Running)
    }
}

/// Why a job stands where it stands: a code for machines and a sentence for people.
///
/// Never carries a value of an event: it is stored and shown in the clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub code: String,
    pub text: String,
    /// Since when it has waited for this, where that decides how long it still does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

impl Reason {
    /// A reason.
    pub fn new(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.to_owned(), text: text.into(), since: None }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A step that a job needs: another action of the same rule, for the same event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The name of the action: `{{ steps.NAME.… }}`.
    pub step: String,
    pub job: JobId,
    /// Whether that job is done.
    pub done: bool,
}

/// The time that a person gave a job, in the place of that of its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// When the rules said that it was due. Where they say another time, by what has come or changed since, that one holds.
    pub from: Timestamp,
    pub to: Timestamp,
}

/// A run-to-be of an action.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub id: JobId,
    pub event: EventId,
    pub connection: String,
    pub clinic: Option<String>,
    pub entity: Option<KeyHash>,
    pub automation: AutomationId,
    pub rule: String,
    pub action: String,
    /// The digest of the rule that made it.
    pub rule_digest: String,
    pub key: Option<KeyHash>,
    /// How it stands to those beside it.
    pub lane: Lane,
    pub lookups: Vec<LookupRef>,
    /// The steps of its rule that come before it.
    pub needs: Vec<Need>,
    /// The events that it collects; 0: it is for one event and collects none. `event` is the newest of them.
    pub collected: u32,
    /// The instant that its timing counts from, where the rule names one; the time of the newest event that it collects.
    pub anchor: Option<Timestamp>,
    /// When the event that made it happened: what "late" is judged from, so that the due time of a job does not
    /// depend on when its delivery got through. Of several events, the first.
    pub reference: Timestamp,
    /// When it is to run.
    pub due: Timestamp,
    /// When a person wants it to run, as long as the rules say what they said then.
    pub moved: Option<Moved>,
    /// From when on it is too late.
    pub expires: Option<Timestamp>,
    /// When to look at it next: `due`, or the time of a retry, or the end of a wait for a missing contact.
    pub run_at: Timestamp,
    pub state: JobState,
    /// Attempts begun.
    pub attempt: u32,
    /// Rises with every claim; who settles must name it.
    pub lease: u64,
    /// A person should look: what is missing.
    pub attention: Option<Reason>,
    /// Why it ended, or why it waits.
    pub reason: Option<Reason>,
    /// Set while it runs: what asks it to stop.
    pub cancel: Option<Reason>,
    /// Set while it runs: a record that it may have read has changed.
    pub again: bool,
    /// Something has begun on somebody else's machine, in this attempt or an earlier one, and nobody knows yet whether it was
    /// carried out.
    pub in_flight: bool,
    /// The plugin that it began with, which it runs to its end, whatever its rule says by then; none while nothing of it has begun.
    pub plugin: Option<String>,
}

impl Job {
    /// Ends it, for `reason`. One that has something in flight, and is not done, ends as unknown whatever ends it: to say that it
    /// was not done would be a guess.
    pub fn end(&mut self, state: JobState, reason: Reason) {
        self.cancel = None;
        self.attention = None;
        if std::mem::take(&mut self.in_flight) && matches!(state, JobState::Dead | JobState::Cancelled | JobState::Skipped) {
            self.state = JobState::Unknown;
            let text = format!("{}; a request had begun before, and nobody can know whether it was carried out", reason.text);
            self.reason = Some(Reason::new("unknown", text));
        } else {
            self.state = state;
            self.reason = Some(reason);
        }
    }

    /// Whether a step that it needs is not done yet: until then it is not looked at.
    pub fn waits(&self) -> bool {
        self.needs.iter().any(|need| !need.done)
    }
}
