//! What intake hands to the store: one verified, read and matched delivery.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::concurrency::Lane;
use crate::event::Event;
use crate::hash::KeyHash;
use crate::id::AutomationId;
use crate::timing::Timetable;
use crate::window::OverTime;

/// One delivery on its way into the store. Everything that does not depend on stored state is settled already.
#[derive(Clone)]
pub struct Arrival {
    pub event: Event,
    /// The payload as it came, for the store to seal.
    pub body: Arc<[u8]>,
    /// What identifies the delivery.
    pub delivery: KeyHash,
    /// It is not in the form that its type promises: it is stored, and changes nothing else.
    pub quarantined: bool,
    /// What orders it.
    pub entity: Option<KeyHash>,
    /// The people it is about, in the order of `event.subjects`.
    pub people: Vec<Person>,
    pub records: Vec<RecordWrite>,
    /// What its main person says about consents.
    pub consents: Vec<ConsentSaid>,
    pub candidates: Vec<Candidate>,
    /// The rules that the candidates were matched with.
    pub timetable: Arc<dyn Timetable>,
}

/// Prints ids and counts only.
impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arrival({:?}, {} candidates)", self.event, self.candidates.len())
    }
}

/// A person that an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The person, as the connection names them.
    pub hash: KeyHash,
    /// What else they are known by.
    pub identities: Vec<Identity>,
    /// The parts of the body that are theirs alone: ranges of its bytes, each a JSON value, in order, that no other's overlap. `None`: the
    /// body itself is about them.
    pub parts: Option<Vec<Range<usize>>>,
}

impl Person {
    /// Somebody that the whole body is about, and of whom nothing else is known.
    pub fn new(hash: KeyHash) -> Self {
        Self { hash, identities: Vec::new(), parts: None }
    }
}

/// What a person is known by whoever names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    pub kind: IdentityKind,
    /// Of the kind and the value as everybody writes it; the same in every connection.
    pub hash: KeyHash,
}

/// What kind of identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityKind {
    /// The number under which Brazil taxes a person: theirs alone.
    Cpf,
    /// May be shared by a family.
    Phone,
    /// May be shared by a family.
    Email,
}

impl IdentityKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Cpf, Self::Phone, Self::Email];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpf => "cpf",
            Self::Phone => "phone",
            Self::Email => "email",
        }
    }
}

/// What an event says about a consent of its main person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentSaid {
    pub topic: String,
    /// Given, or withdrawn.
    pub given: bool,
    /// The actions of rules in force that ask for it, by rule and name: a withdrawal ends what is pending of them.
    pub actions: Arc<[(String, String)]>,
}

/// What one event says about one record.
#[derive(Clone)]
pub struct RecordWrite {
    pub key: RecordRef,
    /// What the provider calls it: kept, sealed, for people to see.
    pub id: String,
    /// Kept fields and their new values; a field that the payload did not mention is not in here.
    pub fields: Map<String, Value>,
    /// The person whose key seals it: the record's own subject, else the clinic's or the connection's key.
    pub subject: Option<KeyHash>,
    pub clinic: Option<String>,
}

/// Where a record is found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordRef {
    pub kind: String,
    pub hash: KeyHash,
}

/// A record that a job reads, resolved to its place when the job is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupRef {
    /// The name in the rule: `[lookup.patient]`.
    pub name: String,
    /// The place among the nodes of a key that yields several.
    pub position: u32,
    /// Whether the key is singular: a lone record, not a list of them.
    pub singular: bool,
    pub record: RecordRef,
}

/// What one action of one automation wants because of one event.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub origin: Arc<Origin>,
    pub plan: Plan,
}

/// An action of an automation, as it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub automation: AutomationId,
    pub rule: String,
    pub action: String,
    /// Of the rule with its plugins, sources and settings.
    pub rule_digest: String,
}

/// What is wanted.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are jobs, and one is made for every match")]
pub enum Plan {
    /// A job.
    Fire {
        key: Option<KeyHash>,
        /// `None`: the action has no `at`. `Some(Err)`: it has one, but the event gives no usable time.
        anchor: Option<Result<Timestamp, String>>,
        lookups: Vec<LookupRef>,
        /// Actions of the same rule that come before this one; their candidates come before this one's.
        needs: Vec<String>,
        /// Those of the arrival's people beside the ones that its body itself is about, by their places, whose parts the action reads.
        also_about: Vec<usize>,
        /// How often, from how many events on, or of how many events together. What is collected has neither key nor needs.
        over: OverTime,
        lane: Lane,
    },
    /// The end of whatever is pending under this key.
    Cancel { key: KeyHash, code: &'static str, text: String },
}

impl Plan {
    /// A job that nothing tells apart from others, as soon as may be.
    pub fn plain() -> Self {
        let (lookups, needs, also_about) = (Vec::new(), Vec::new(), Vec::new());
        Self::Fire { key: None, anchor: None, lookups, needs, also_about, over: OverTime::default(), lane: Lane::default() }
    }

    /// The key that its job is known by: its own, or that of what is collected.
    pub fn key(&self) -> Option<KeyHash> {
        match self {
            Self::Fire { key, over, .. } => over.debounce.or(*key),
            Self::Cancel { key, .. } => Some(*key),
        }
    }

    /// What it says over time, and what it needs.
    pub(crate) fn over_time(&self) -> (Option<&OverTime>, &[String]) {
        match self {
            Self::Fire { over, needs, .. } => (Some(over), needs),
            Self::Cancel { .. } => (None, &[]),
        }
    }
}
