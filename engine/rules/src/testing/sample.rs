//! What the tests of a rule show it on: for whoever wants to see what it does before anything has come.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use zelo_core::LookupRef;

use super::world::{payload, recorded_in};
use super::{ExpectAction, RuleTest};
use crate::rule::Rule;

/// An event that fires a rule, as one of its tests has it.
#[derive(Clone)]
pub struct SampleEvent {
    pub kind: String,
    pub data: Value,
    /// When it happens.
    pub at: Timestamp,
    /// The documents of the lookups, by their names.
    records: BTreeMap<String, Value>,
}

/// Prints the type only.
impl std::fmt::Debug for SampleEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SampleEvent({})", self.kind)
    }
}

impl SampleEvent {
    /// The record that it gives for a place.
    pub fn record(&self, lookup: &LookupRef) -> Option<&Value> {
        recorded_in(&self.records, lookup)
    }
}

/// The event of the first test of `rule` in which all goes well. `fixtures` gives the text of a file, as for
/// [`run_tests`](super::run_tests); nothing where no test says so, or its file cannot be read.
pub fn sample_event(rule: &Rule, fixtures: &dyn Fn(&str) -> Result<String, String>) -> Option<SampleEvent> {
    let mut sampled = rule.tests.iter().filter(|test| goes_well(test)).filter_map(|test| {
        let data = payload(rule, &test.event, fixtures).ok()?;
        Some(SampleEvent { kind: test.event.kind.clone(), data, at: test.event.at.unwrap_or(test.now), records: test.records.clone() })
    });
    sampled.next()
}

fn goes_well(test: &RuleTest) -> bool {
    let does = |action: &ExpectAction| action.skipped.is_none() && action.waits.is_none();
    let fires = test.expect.fires.unwrap_or(!test.expect.actions.is_empty());
    fires && test.before.is_empty() && test.expect.actions.values().all(does)
}
