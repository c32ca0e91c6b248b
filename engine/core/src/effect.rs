//! Effects: what a plugin did, and the journal that remembers it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::invocation::Invocation;

/// One doing that a plugin asked for.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// A message to a person.
    Message(Message),
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
    pub media: Vec<Media>,
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
pub struct Media {
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

/// What became of an effect; only final results are kept in the journal.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EffectResult {
    /// The message stands in the channel.
    Sent { message: String, channel: String },
    /// What `StateGet` found.
    Value { value: Option<String> },
    /// Done, nothing to report.
    Done,
    /// Refused by a grant: the plugin is told, the refusal is kept.
    Refused { reason: String },
}

/// One line of a job's journal.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum JournalEntry {
    /// Entry 0.
    Invocation(Box<Invocation>),
    /// An effect with its final result.
    Effect { effect: Effect, result: EffectResult },
}

impl Effect {
    /// A word for logs and pages: never its content.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Message(_) => "message",
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
        write!(f, "Message({} media)", self.media.len())
    }
}

/// Prints the kind only.
impl fmt::Debug for EffectResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sent { .. } => "Sent",
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
        }
    }
}

mod base64_bytes {
    use data_encoding::BASE64;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        BASE64.decode(String::deserialize(deserializer)?.as_bytes()).map_err(D::Error::custom)
    }
}
