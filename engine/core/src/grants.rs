//! Grants: what an action may do. Nothing is granted by default.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::http::HttpGrant;

/// The doings that one action is capable of, after its templates were rendered.
///
/// A capability that is absent is not even linked into the sandbox; what is linked is checked again per call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// The requests that it may make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Messages>,
    /// May make documents.
    #[serde(default)]
    pub documents: bool,
    /// Which records it may write, by their type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub records: BTreeMap<String, RecordFields>,
    /// May keep values of its own between runs.
    #[serde(default)]
    pub state: bool,
    /// The types of the events that it may emit.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub events: BTreeSet<String>,
}

/// Through which channels, and to whom, an action may send messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Messages {
    /// In order of preference.
    pub channels: Vec<String>,
    /// Exactly these recipients.
    pub to: Vec<String>,
    /// What the rule asks for beside the budget of its connection: of this action's messages, so many to one contact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// What an action may write in records of one type. It reads no more of them than that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordFields {
    pub fields: BTreeSet<String>,
    /// Exactly these records, as the provider calls them; none: any of the job's connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<String>>,
}

/// A capability, as rules, manifests and WIT interfaces name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Lines in the job's log. Always granted: they stay with the job, sealed.
    Log,
    /// Requests to granted addresses.
    Http,
    Messages,
    Documents,
    Records,
    State,
    Events,
}

impl Capability {
    /// Every capability of this version.
    pub const ALL: [Self; 7] = [Self::Log, Self::Http, Self::Messages, Self::Documents, Self::Records, Self::State, Self::Events];

    /// The word in rules, manifests and WIT.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Http => "http",
            Self::Messages => "messages",
            Self::Documents => "documents",
            Self::Records => "records",
            Self::State => "state",
            Self::Events => "events",
        }
    }

    /// From the word in rules, manifests and WIT.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|capability| capability.as_str() == word)
    }
}

impl Grants {
    /// The capabilities these grants turn on.
    pub fn capabilities(&self) -> Vec<Capability> {
        let granted = [
            (Capability::Log, true),
            (Capability::Http, !self.http.is_empty()),
            (Capability::Messages, self.messages.is_some()),
            (Capability::Documents, self.documents),
            (Capability::Records, !self.records.is_empty()),
            (Capability::State, self.state),
            (Capability::Events, !self.events.is_empty()),
        ];
        granted.into_iter().filter(|(_, on)| *on).map(|(capability, _)| capability).collect()
    }
}
