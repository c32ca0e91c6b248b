//! Grants: what an action may do. Nothing is granted by default.

use serde::{Deserialize, Serialize};

/// The doings that one action is capable of, after its templates were rendered.
///
/// A capability that is absent is not even linked into the sandbox; what is linked is checked again per call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Messages>,
    /// May keep values of its own between runs.
    #[serde(default)]
    pub state: bool,
}

/// Through which channels, and to whom, an action may send messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Messages {
    /// In order of preference.
    pub channels: Vec<String>,
    /// Exactly these recipients.
    pub to: Vec<String>,
}

/// A capability, as rules, manifests and WIT interfaces name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Lines in the job's log. Always granted: they stay with the job, sealed.
    Log,
    Messages,
    State,
}

impl Capability {
    /// Every capability of this version.
    pub const ALL: [Self; 3] = [Self::Log, Self::Messages, Self::State];

    /// The word in rules, manifests and WIT.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Messages => "messages",
            Self::State => "state",
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
        let mut on = vec![Capability::Log];
        if self.messages.is_some() {
            on.push(Capability::Messages);
        }
        if self.state {
            on.push(Capability::State);
        }
        on
    }
}
