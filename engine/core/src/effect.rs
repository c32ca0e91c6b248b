//! Effects: what a plugin did, and the journal that remembers it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::http::{Request, Response};
use crate::invocation::Invocation;

/// One doing that a plugin asked for.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// A request over HTTP.
    Http(Request),
    /// A message to a person.
    Message(Message),
    /// A document, kept.
    Document(Document),
    /// The fields of a record that the action may write.
    RecordGet {
        record: String,
        id: String,
    },
    RecordEdit(RecordEdit),
    /// A counter of the action's own goes up by one.
    StateNext {
        key: String,
    },
    /// An event, which rules may be about.
    Event(Emitted),
    StateGet {
        key: String,
    },
    StateSet {
        key: String,
        value: String,
    },
    StateDelete {
        key: String,
    },
}

/// A message to a person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The channel that the plugin asked for; none: the first that is granted and configured.
    pub channel: Option<String>,
    pub to: String,
    pub body: Body,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
}

/// What a message says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    Text {
        text: String,
    },
    /// A text that the channel's provider has approved, by name.
    Template {
        name: String,
        parameters: Vec<String>,
    },
}

/// Something attached to a message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Attachment {
    File(File),
    /// A document that this job, or a step that it needed, has made.
    Document {
        id: String,
    },
}

/// A file that travels with its message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub name: String,
    pub media_type: String,
    #[serde(with = "base64_bytes")]
    pub content: Vec<u8>,
}

/// A quick answer that a message offers.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    pub id: String,
    pub title: String,
}

/// A document that an action made: a receipt, a certificate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// A file name, without folders.
    pub name: String,
    pub media_type: String,
    #[serde(with = "base64_bytes")]
    pub content: Vec<u8>,
    /// What it says, line by line: for lists, for searching, and for people who cannot see it.
    pub text: String,
}

/// What an action writes in a record. Fields that are not named stay as they are.
///
/// Edits commute: of each field the newest event has the last word, and what is appended is kept in the order of the events, so
/// that jobs may run in any order.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordEdit {
    pub record: String,
    /// What the provider calls the thing.
    pub id: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub set: Map<String, Value>,
    /// Texts that are added to list fields, each with the time of its event: `{"at": …, "text": …}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub append: BTreeMap<String, String>,
}

/// An event of a plugin.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Emitted {
    /// `receipt.issued`
    #[serde(rename = "type")]
    pub kind: String,
    /// Its payload: rules read it as they read a provider's.
    pub data: Value,
}

/// What became of an effect; only final results are kept in the journal.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EffectResult {
    /// The destination of a request answered.
    Answered { response: Response },
    /// It answered with what is not handed on.
    Unusable { reason: String },
    /// The message stands in the channel.
    Sent { message: String, channel: String },
    /// The document is kept under this id.
    Kept { document: String },
    /// What `RecordGet` found; none where there is no such record.
    Record { fields: Option<Map<String, Value>> },
    /// What the counter stands at now.
    Counted { value: u64 },
    /// What `StateGet` found.
    Value { value: Option<String> },
    /// Done, nothing to report.
    Done,
    /// Refused by a grant, a budget or the limit on chains: the plugin is told, the refusal is kept.
    Refused { reason: String },
}

impl EffectResult {
    /// A word for logs and spans: never its content.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Answered { .. } => "answered",
            Self::Unusable { .. } => "unusable",
            Self::Sent { .. } => "sent",
            Self::Kept { .. } => "kept",
            Self::Record { .. } | Self::Value { .. } => "read",
            Self::Counted { .. } => "counted",
            Self::Done => "done",
            Self::Refused { .. } => "refused",
        }
    }
}

/// One line of a job's journal.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum JournalEntry {
    /// Entry 0.
    Invocation(Box<Invocation>),
    /// An effect with its final result.
    Effect { effect: Effect, result: EffectResult },
    /// An effect on somebody else's machine whose end is not known. The last entry of its journal.
    Begun {
        effect: Effect,
        /// Whether it may have been carried out; if not, it is known that it was not.
        in_flight: bool,
    },
}

impl JournalEntry {
    /// Whether what may have been in flight before is not any more.
    pub(crate) fn lands(&self) -> bool {
        matches!(self, Self::Begun { in_flight: false, .. } | Self::Effect { effect: Effect::Http(_), .. })
    }
}

impl Effect {
    /// A word for logs and pages: never its content.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Message(_) => "message",
            Self::Document(_) => "document",
            Self::RecordGet { .. } => "record_get",
            Self::RecordEdit(_) => "record",
            Self::StateNext { .. } => "counter",
            Self::Event(_) => "event",
            Self::StateGet { .. } => "state_get",
            Self::StateSet { .. } => "state_set",
            Self::StateDelete { .. } => "state_delete",
        }
    }
}

/// Prints the kind only.
impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Effect({})", self.kind())
    }
}

/// Prints sizes only.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} attachments)", self.attachments.len())
    }
}

/// Prints its size only.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Document({} bytes)", self.content.len())
    }
}

/// Prints the type of the record only.
impl fmt::Debug for RecordEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordEdit({})", self.record)
    }
}

/// Prints its type only.
impl fmt::Debug for Emitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Emitted({})", self.kind)
    }
}

/// Prints the kind only.
impl fmt::Debug for EffectResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answered { .. } => "Answered",
            Self::Unusable { .. } => "Unusable",
            Self::Sent { .. } => "Sent",
            Self::Kept { .. } => "Kept",
            Self::Record { .. } => "Record",
            Self::Counted { .. } => "Counted",
            Self::Value { .. } => "Value",
            Self::Done => "Done",
            Self::Refused { .. } => "Refused",
        })
    }
}

/// Prints the kind only.
impl fmt::Debug for JournalEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invocation(invocation) => invocation.fmt(f),
            Self::Effect { effect, result } => write!(f, "{effect:?} = {result:?}"),
            Self::Begun { effect, .. } => write!(f, "{effect:?} begun"),
        }
    }
}

/// Bytes in JSON.
pub(crate) mod base64_bytes {
    use data_encoding::BASE64;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        BASE64.decode(String::deserialize(deserializer)?.as_bytes()).map_err(D::Error::custom)
    }
}
