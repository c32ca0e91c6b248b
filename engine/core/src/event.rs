//! Events: what a provider told us, in the words of CloudEvents 1.0.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AutomationId, EventId, JobId};
use crate::payload::Payload;

/// The thing an event is about. It orders events.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// What it is: `appointment`, `patient`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the provider calls it.
    pub id: String,
}

/// One accepted webhook.
///
/// Equal to its delivery: `data` is the payload as the provider documents it, never changed.
#[derive(Clone)]
pub struct Event {
    pub id: EventId,
    /// The subscription it came through.
    pub connection: String,
    /// The source file that read it.
    pub source: String,
    /// The type that the source gave it: `appointment.created`.
    pub kind: String,
    /// When it happened, as the provider says; when it arrived, where the provider does not say.
    pub time: Timestamp,
    /// When it arrived.
    pub received: Timestamp,
    pub entity: Option<Entity>,
    /// The people it is about, as the provider names them; the first is the main one.
    pub subjects: Vec<String>,
    /// The clinic it belongs to, as the provider names it.
    pub clinic: Option<String>,
    /// The payload.
    pub data: Payload,
    /// What led to it, where a plugin emitted it.
    pub cause: Option<Cause>,
}

/// Why an event exists that no provider sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The job whose plugin emitted it.
    pub job: JobId,
    /// The automations that led here, the first one first. None of them is run again because of this event: a second lap
    /// would never end.
    pub lineage: Vec<AutomationId>,
}

impl Event {
    /// The time that orders it: when it happened, but never later than it arrived. A provider's clock that is ahead
    /// must not make everything that follows look old.
    pub fn order(&self) -> Timestamp {
        self.time.min(self.received)
    }
}

/// Prints ids and types only: a payload never reaches a log through `{:?}`.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({} {} {})", self.id, self.connection, self.kind)
    }
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Stored, and the newest of its entity.
    Accepted,
    /// Seen before: acknowledged, nothing changed.
    Duplicate,
    /// Stored, but older than what is known of its entity.
    Stale,
    /// Stored, but not in the form its type promises; no rule saw it.
    Quarantined,
    /// Of no type that the source names: acknowledged, counted, not stored.
    Ignored,
}

impl Status {
    /// The word on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Stale => "stale",
            Self::Quarantined => "quarantined",
            Self::Ignored => "ignored",
        }
    }

    /// From the word on the wire and in the store.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Accepted, Self::Duplicate, Self::Stale, Self::Quarantined, Self::Ignored].into_iter().find(|status| status.as_str() == word)
    }
}
