//! Tests that stand beside their rules: `[[test]]`.
//!
//! A test gives an event, a time and records, and says what must come of them. It is read and checked with its rule, and
//! run by [`run_tests`] on the very code that decides about real events. What plugins do is the business of a [`Runner`].
//!
//! To let tests expect something more, you have to: 1. give it a place in [`Expect`] or [`ExpectAction`], 2. read it in
//! `expect`, with every mistake that can be made in it, 3. compare it in `run`.

mod compare;
mod diff;
mod expect;
mod file;
mod fixtures;
mod run;
mod runner;
mod sample;
mod world;

pub use compare::Difference;
pub(crate) use file::{Declared, read};
pub use fixtures::missing_fixtures;
pub use run::{TestResult, Testing, run_tests};
pub use runner::{Ended, Ran, Runner, Stage};
pub use sample::{SampleEvent, sample_event};

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};
use zelo_core::http::Answer;

use crate::path::Path;
use crate::reader::At;

/// One test of one rule.
#[derive(Clone, Debug)]
pub(crate) struct RuleTest {
    pub(crate) name: String,
    /// From 1.
    pub(crate) line: usize,
    pub(crate) event: TestEvent,
    /// What came before it, in order of arrival.
    pub(crate) before: Vec<TestEvent>,
    pub(crate) connection: Option<String>,
    /// When the event happens.
    pub(crate) now: Timestamp,
    /// The documents of the lookups.
    pub(crate) records: BTreeMap<String, Value>,
    pub(crate) settings: Map<String, Value>,
    /// What other people's machines answer.
    pub(crate) answers: Vec<Answer>,
    /// What the steps before an action gave.
    pub(crate) steps: Map<String, Value>,
    pub(crate) expect: Expect,
}

/// An event of a test.
#[derive(Clone, Debug)]
pub(crate) struct TestEvent {
    pub(crate) kind: String,
    pub(crate) payload: Payload,
    /// Values to put into the payload first.
    pub(crate) set: Vec<(Path, Value)>,
    /// When it happens; none: when the test's own does.
    pub(crate) at: Option<Timestamp>,
}

/// Where the payload of a test comes from.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// A file, relative to the rule's.
    File(At<String>),
    Data(Value),
}

/// What must come of a test's event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expect {
    pub(crate) fires: Option<bool>,
    pub(crate) actions: BTreeMap<String, ExpectAction>,
    /// The actions whose pending jobs it cancels, all of them.
    pub(crate) cancels: Option<Vec<String>>,
    /// The jobs that there are in the end, all of them: of each some members, instants as they are printed.
    pub(crate) jobs: Option<Vec<Value>>,
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
    /// How the plugin ends.
    pub(crate) outcome: Option<Ended>,
    /// What the plugin does, all of it: of each effect some members.
    pub(crate) effects: Option<Vec<Value>>,
    /// Some members of what the plugin gives to later steps.
    pub(crate) output: Option<Value>,
}

impl ExpectAction {
    /// Whether it takes a run of the plugin to tell.
    pub(crate) fn asks_for_a_run(&self) -> bool {
        self.outcome.is_some() || self.effects.is_some() || self.output.is_some()
    }
}
