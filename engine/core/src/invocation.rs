//! What a plugin is given.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::grants::Grants;
use crate::hash::KeyHash;

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
    /// What reached the inputs, and why.
    #[serde(default)]
    pub disclosure: Disclosure,
    /// The records that fields were read from. They may be about others than the event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<KeyHash>,
}

/// What a plugin is shown of somebody, for what, and on which legal basis: no value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disclosure {
    /// The plugin's own name.
    pub plugin: String,
    /// The fields that reached its inputs, by name, each with how delicate it is: `public`, `personal` or `sensitive`; the steps as
    /// `steps.NAME`.
    pub fields: BTreeMap<String, String>,
    /// As the rule says it.
    pub purpose: Option<String>,
    /// `lgpd:11.II.f`
    pub basis: Option<String>,
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
