//! People: how they are found, what is held of them, and what becomes of it when they go.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use zelo_core::audit::Head;
use zelo_core::{Actor, EventId, IdentityKind, JournalEntry, KeyHash, Pseudonym};

use crate::{AttemptView, AuditView, DocumentView, EventView, JobView, MessageView, RecordView};

/// How a person is asked for.
#[derive(Clone, Debug)]
pub enum Who {
    /// By the name that stands in the audit log.
    Pseudonym(Pseudonym),
    /// By what a provider calls them, in one connection or in all.
    Id { connection: Option<String>, id: String },
    /// By CPF, phone or e-mail address: see [`Indexer::identity`](zelo_core::Indexer::identity).
    Identity(KeyHash),
}

/// A person, as one connection knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectView {
    pub pseudonym: Pseudonym,
    pub connection: String,
    /// Of the first event that named them.
    pub clinic: Option<String>,
    pub since: Timestamp,
    /// When they were erased.
    pub erased: Option<Timestamp>,
    /// Since when their data must not go.
    pub held: Option<Timestamp>,
    /// What else they are known by.
    pub identities: Vec<IdentityKind>,
    /// Others who share a CPF, a phone or an e-mail address with them: the same person by another name, or one of the family.
    pub linked: Vec<Link>,
}

/// Somebody who shares an identity with another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub pseudonym: Pseudonym,
    pub by: IdentityKind,
}

/// All that is held of a person.
#[derive(Clone)]
pub struct SubjectExport {
    pub subject: SubjectView,
    pub events: Vec<EventView>,
    pub records: Vec<RecordView>,
    pub jobs: Vec<JobExport>,
    pub messages: Vec<MessageView>,
    /// With their contents.
    pub documents: Vec<(DocumentView, Vec<u8>)>,
    /// What actions keep between runs, as they wrote it.
    pub state: Vec<String>,
    pub consents: Vec<ConsentView>,
    /// What the audit log says about them, in order.
    pub audit: Vec<AuditView>,
}

/// A job with all that it says.
#[derive(Clone)]
pub struct JobExport {
    pub job: JobView,
    pub journal: Vec<JournalEntry>,
    pub attempts: Vec<AttemptView>,
}

/// The last word on a consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConsentView {
    pub topic: String,
    pub given: bool,
    pub at: Timestamp,
    /// The event that said so; nothing where a person wrote it down.
    pub event: Option<EventId>,
}

/// What somebody writes down of a consent.
#[derive(Clone, Debug)]
pub struct ConsentWrite {
    pub subject: Pseudonym,
    pub topic: String,
    pub given: bool,
    /// The actions of rules in force that ask for it: a withdrawal cancels what is pending of them.
    pub actions: Vec<(String, String)>,
    pub actor: Actor,
}

/// What kinds of things are kept although their person was erased, because a law says so, each with the law.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duties {
    pub documents: Option<String>,
    pub messages: Option<String>,
    /// Types of records.
    pub records: Vec<(String, String)>,
}

impl Duties {
    /// What they keep: `documents`, `messages`, `records.TYPE`.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = String> {
        let documents = self.documents.iter().map(|_| "documents".to_owned());
        let messages = self.messages.iter().map(|_| "messages".to_owned());
        documents.chain(messages).chain(self.records.iter().map(|(kind, _)| format!("records.{kind}")))
    }
}

/// What became of a person's data: no value, so that it can be kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Erasure {
    pub pseudonym: Pseudonym,
    pub at: Timestamp,
    /// Keys that were destroyed: whatever stood under them, here and in every copy of this database that is opened by zelo, is noise.
    pub keys: u64,
    /// Rows that were deleted, by kind.
    pub deleted: std::collections::BTreeMap<String, u64>,
    /// Jobs that were pending, and are cancelled.
    pub cancelled: u64,
    /// What stays, by kind, and the law that says so.
    pub kept: Vec<Kept>,
    /// The audit log with this erasure in it, signed.
    pub head: Option<Head>,
}

/// What stays of somebody who was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub kind: String,
    pub rows: u64,
    pub duty: String,
}

/// How long things are kept. Nothing: for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// By their types.
    pub events: Vec<Aged>,
    /// Jobs that ended, with their journals and what their plugins said; by rule and action: `rule/action`.
    pub jobs: Vec<Aged>,
    /// As jobs.
    pub messages: Vec<Aged>,
    /// As jobs.
    pub documents: Vec<Aged>,
    /// Values that actions keep; as jobs.
    pub state: Vec<Aged>,
    /// Those that nobody wrote since; by their types.
    pub records: Vec<Aged>,
    /// Deliveries that were refused; by connection.
    #[serde(default)]
    pub refused: Vec<Aged>,
}

/// What is old enough to go, of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aged {
    /// What a report calls it: `events.clinic.updated`.
    pub name: String,
    /// What is older goes.
    pub before: Timestamp,
    /// Of these alone, each a name, or a beginning and `*`; nothing: of all.
    pub only: Option<Vec<String>>,
    /// Not of these, likewise.
    pub except: Vec<String>,
}

impl Aged {
    /// All of a kind.
    pub fn all(name: &str, before: Timestamp) -> Self {
        Self { name: name.to_owned(), before, only: None, except: Vec::new() }
    }
}

/// What a round of deleting did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retained {
    /// Rows that were deleted, by kind.
    pub deleted: std::collections::BTreeMap<String, u64>,
    /// Keys of people of whom nothing is left, destroyed.
    pub keys: u64,
    /// Whether there is more to delete at once.
    pub more: bool,
}

impl Retained {
    /// Whether nothing was deleted.
    pub fn is_empty(&self) -> bool {
        self.keys == 0 && self.deleted.values().all(|rows| *rows == 0)
    }
}
