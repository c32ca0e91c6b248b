//! Where the plugins of a test are run. This crate runs nothing itself: whoever can implements these.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use zelo_core::http::Answer;
use zelo_core::{Arrival, Indexer, JobId, RecordWrite};

use crate::in_force::InForce;
use crate::prepare::Prepared;

/// Runs plugins for tests.
pub trait Runner {
    /// Makes the keyed hashes under which the runs look for things.
    fn indexer(&self) -> &Indexer;

    /// A place of its own for the runs of one test: `arrival` has come into it, it knows `records` and nothing else, and requests get
    /// `answers` or none.
    ///
    /// # Errors
    /// Why there is none.
    fn stage(
        &self,
        in_force: Arc<InForce>,
        arrival: Arrival,
        records: Vec<RecordWrite>,
        answers: Vec<Answer>,
    ) -> Result<Box<dyn Stage + '_>, String>;
}

/// Where the jobs of one arrival are run, a step before those that need it.
pub trait Stage {
    /// Runs the plugin of `job` at `now` with what was prepared for it.
    ///
    /// # Errors
    /// Why it cannot be run at all.
    fn run(&mut self, job: JobId, prepared: &Prepared, now: Timestamp) -> Result<Ran, String>;
}

/// What a plugin did.
#[derive(Clone)]
pub struct Ran {
    pub ended: Ended,
    /// What it, or the host, said of its end.
    pub said: Option<String>,
    /// What it gave to later steps.
    pub output: Option<Value>,
    /// Its effects in order, as they are told: see [`zelo_core::told::KINDS`].
    pub effects: Vec<Value>,
}

/// Prints no value.
impl std::fmt::Debug for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ran({}, {} effects)", self.ended.as_str(), self.effects.len())
    }
}

/// How a plugin ended. The first four are the contract's own words, which a test can expect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Done,
    Missing,
    Retry,
    Permanent,
    /// The host ended it: it trapped, or used more than it may.
    Broken,
}

impl Ended {
    /// What a test can expect.
    pub(crate) const WORDS: [(&'static str, Self); 4] =
        [("done", Self::Done), ("missing", Self::Missing), ("retry", Self::Retry), ("permanent", Self::Permanent)];

    /// The word in tests.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.into_iter().find(|(_, ended)| *ended == self).map_or("broken", |(word, _)| word)
    }
}
