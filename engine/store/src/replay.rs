//! Stored events that are decided about once more for one rule: what is asked for, and what becomes of it.

use std::collections::HashSet;
use std::num::NonZeroU32;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use zelo_core::job::Reason;
use zelo_core::{Actor, Arrival, EventId, JobId, JobState};

/// Asks that a rule make jobs for events that are stored.
#[derive(Clone, Debug)]
pub struct Replay {
    pub rule: String,
    /// For the audit log: the events of which were looked at.
    pub range: Replayable,
    /// The events that the rule wants something of, in order of arrival; as candidates what it wants. What they say of records and
    /// consents was heard when they came.
    pub events: Vec<Arrival>,
    /// Which of them may make jobs. The others did not come in the range, or are of another clinic: they are heard for what they replaced
    /// or cancelled.
    pub within: HashSet<EventId>,
    /// How many of the jobs whose time has passed run each minute.
    pub per_minute: NonZeroU32,
    /// Only says what would become of them.
    pub dry_run: bool,
    pub actor: Actor,
}

/// Which events are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayable {
    /// The first instant of arrival that belongs to it.
    pub from: Timestamp,
    /// The first one that does not.
    pub to: Timestamp,
    pub connection: Option<String>,
    pub clinic: Option<String>,
}

/// What becomes of one action for one event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replayed {
    pub event: EventId,
    pub connection: String,
    pub clinic: Option<String>,
    pub action: String,
    pub fate: Fate,
    /// The job that is made, or that there is.
    pub job: Option<JobId>,
    /// How it stands.
    pub state: Option<JobState>,
    pub due: Option<Timestamp>,
    /// When it runs, where it does.
    pub run_at: Option<Timestamp>,
    /// Why nothing runs.
    pub reason: Option<Reason>,
}

/// What becomes of it, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// A job is made, and runs when its time comes.
    Made,
    /// It joins a job that collects events.
    Collected,
    /// A job is made that has ended with that: a later event replaced or cancelled it.
    Cancelled,
    /// A job is made that does not run: it is too late, or fired too often.
    Skipped,
    /// There is a job for it already, however that ended.
    Known,
    /// It is counted, and does not fire yet.
    Counted,
    /// Something newer has spoken.
    Outdated,
    /// Its event was deleted, or its person erased, in the meantime.
    Gone,
    /// It came before what was deleted of jobs, or its job went with a person: nobody can tell whether it had one.
    Forgotten,
}

impl Fate {
    /// Every fate.
    pub const ALL: [Self; 9] = [
        Self::Made,
        Self::Collected,
        Self::Cancelled,
        Self::Skipped,
        Self::Known,
        Self::Counted,
        Self::Outdated,
        Self::Gone,
        Self::Forgotten,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Collected => "collected",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Known => "known",
            Self::Counted => "counted",
            Self::Outdated => "outdated",
            Self::Gone => "gone",
            Self::Forgotten => "forgotten",
        }
    }

    /// Whether something runs because of it.
    pub fn runs(self) -> bool {
        matches!(self, Self::Made | Self::Collected)
    }
}
