//! What a plugin is given.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::grants::Grants;

/// Everything that one run of an action depends on, frozen at its first attempt as journal entry 0. Retries use it
/// as it is, so a plugin that is tried again sees the same input at the same `now` with the same seed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    pub job: String,
    pub rule: String,
    pub action: String,
    pub event: EventRef,
    /// When the first attempt began, RFC 3339.
    pub now: String,
    pub seed: u64,
    /// BCP 47: the language that texts are to be in.
    pub locale: String,
    /// The rendered inputs: the only data of the event that reaches the plugin.
    pub input: Value,
    /// The capabilities of the action, rendered.
    pub grants: Grants,
    /// SHA-256 of the component, hexadecimal.
    pub plugin_digest: String,
    /// The names of the fields that reached the inputs: what was disclosed.
    pub fields: Vec<String>,
}

/// The event that a job is for, without its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRef {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub time: String,
}

/// Prints ids only.
impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invocation({} {}.{})", self.job, self.rule, self.action)
    }
}
