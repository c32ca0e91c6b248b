//! Reading back what was stored: for those who count and never write.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use jiff::Timestamp;

use zelo_core::{AutomationId, Event, EventId, KeyHash, RecordRow};

use crate::{Error, EventView};

/// What is stored, to be read. Whoever holds one has no way to change anything: it leads to no writer.
#[async_trait]
pub trait Archive: Send + Sync + 'static {
    /// How many events arrived in `range`.
    async fn count(&self, range: &Range) -> Result<u64, Error>;

    /// Up to `limit` events of `range` in order of arrival: those behind the one at cursor `after`, or the first for 0. One
    /// that cannot be read any more, because its key was destroyed or its row is damaged, does not keep the others.
    async fn events(&self, range: &Range, after: i64, limit: u32) -> Result<Vec<Archived>, Error>;

    /// One event with its payload.
    async fn event(&self, id: EventId) -> Result<Option<Event>, Error>;

    /// The records at `hashes` as they are now, as far as there are any that can be read.
    async fn records(&self, hashes: HashSet<KeyHash>) -> Result<HashMap<KeyHash, RecordRow>, Error>;

    /// How many live jobs `rule` has, by automation and clinic. It looks at each of them, by index, and reads none.
    async fn pending(&self, rule: &str) -> Result<Vec<Pending>, Error>;
}

/// The live jobs of one automation for one clinic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub automation: AutomationId,
    pub clinic: Option<String>,
    pub jobs: u64,
}

/// Which events are read back.
#[derive(Clone, Debug)]
pub struct Range {
    /// The first instant of arrival that belongs to it.
    pub since: Timestamp,
    /// The first one that does not.
    pub until: Timestamp,
    /// Only of this connection.
    pub connection: Option<String>,
}

/// An event, and where to go on behind it.
#[derive(Debug)]
pub struct Archived {
    pub cursor: i64,
    pub event: Result<EventView, Error>,
}
