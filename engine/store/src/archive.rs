//! Reading back what was stored: for those who count and never write.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use jiff::Timestamp;

use zelo_core::{Event, EventId, JobState, KeyHash, Pseudonym, RecordRow, Status};

use crate::{Error, EventView, JobView, Page};

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

    /// Events that are looked for, newest first, with their payloads.
    async fn find_events(&self, wanted: &EventsWanted) -> Result<Vec<EventView>, Error>;

    /// Jobs that are looked for, live and ended, newest first.
    async fn find_jobs(&self, wanted: &JobsWanted) -> Result<Vec<JobView>, Error>;

    /// Those of some things of which an event speaks.
    async fn known_things(&self, things: Vec<KeyHash>) -> Result<Vec<KeyHash>, Error>;

    /// The events that these deliveries became, in order of arrival.
    async fn delivered(&self, deliveries: Vec<KeyHash>) -> Result<Vec<EventView>, Error>;

    /// The types of all events that are stored, by name: few, whatever is stored.
    async fn event_types(&self) -> Result<Vec<String>, Error>;

    /// The records at `hashes` as they are now, as far as there are any that can be read.
    async fn records(&self, hashes: HashSet<KeyHash>) -> Result<HashMap<KeyHash, RecordRow>, Error>;
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

/// What events and jobs that are looked for have to do with.
#[derive(Clone, Debug, Default)]
pub enum Concerning {
    #[default]
    Anything,
    /// Things of connections, one of these: [`Indexer::entity`](zelo_core::Indexer::entity).
    Things(Vec<KeyHash>),
    /// One of these people.
    People(Vec<Pseudonym>),
}

/// Which events are looked for. What is not given does not matter.
#[derive(Clone, Debug, Default)]
pub struct EventsWanted {
    pub page: Page,
    pub kind: Option<String>,
    pub status: Option<Status>,
    /// Arrived then or later.
    pub since: Option<Timestamp>,
    /// Arrived before.
    pub until: Option<Timestamp>,
    pub concerning: Concerning,
}

/// Which jobs are looked for. What is not given does not matter.
#[derive(Clone, Debug, Default)]
pub struct JobsWanted {
    pub page: Page,
    pub state: Option<JobState>,
    pub rule: Option<String>,
    /// Due then or later.
    pub since: Option<Timestamp>,
    /// Due before.
    pub until: Option<Timestamp>,
    /// For this event, or for several of which it is one.
    pub event: Option<EventId>,
    pub concerning: Concerning,
}

/// An event, and where to go on behind it.
#[derive(Debug)]
pub struct Archived {
    pub cursor: i64,
    pub event: Result<EventView, Error>,
}
