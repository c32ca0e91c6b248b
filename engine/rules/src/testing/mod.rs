//! Tests that stand beside their rules: `[[test]]`.
//!
//! A test gives an event, a time and records, and says what must come of them. It is read and checked with its rule, and
//! run by [`run_tests`] on the very code that decides about real events.

mod file;
mod run;

pub(crate) use file::{Declared, read};
pub use run::{TestResult, run_tests};

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::path::Path;

/// One test of one rule.
#[derive(Clone, Debug)]
pub(crate) struct RuleTest {
    pub(crate) name: String,
    /// From 1.
    pub(crate) line: usize,
    pub(crate) event: TestEvent,
    pub(crate) connection: Option<String>,
    /// When the event happens and arrives.
    pub(crate) now: Timestamp,
    /// The documents of the lookups.
    pub(crate) records: BTreeMap<String, Value>,
    pub(crate) settings: Map<String, Value>,
    /// What the steps before an action gave.
    pub(crate) steps: Map<String, Value>,
    pub(crate) expect: Expect,
}

/// The event of a test.
#[derive(Clone, Debug)]
pub(crate) struct TestEvent {
    pub(crate) kind: String,
    pub(crate) payload: Payload,
    /// Values to put into the payload first.
    pub(crate) set: Vec<(Path, Value)>,
}

/// Where the payload of a test comes from.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// A file, relative to the rule's.
    File(String),
    Data(Value),
}

/// What must come of a test's event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expect {
    pub(crate) fires: Option<bool>,
    pub(crate) actions: BTreeMap<String, ExpectAction>,
    /// The actions whose pending jobs it cancels, all of them.
    pub(crate) cancels: Option<Vec<String>>,
}

/// What must come of one action.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExpectAction {
    pub(crate) at: Option<Timestamp>,
    /// Some of the plugin's inputs.
    pub(crate) with: Map<String, Value>,
    /// The code of the reason for which it is not run.
    pub(crate) skipped: Option<String>,
    /// The code of the reason for which it waits.
    pub(crate) waits: Option<String>,
}
