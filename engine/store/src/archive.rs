//! Reading back what was stored: for those who count and never write.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use jiff::Timestamp;

use zelo_core::{Event, EventId, JobState, KeyHash, RecordRow, Status};

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

    /// How much came to be in `range`, by connection, clinic and what it is: events by when they arrived, jobs by when they ended.
    async fn tally(&self, range: &Range) -> Result<Vec<Tally>, Error>;

    /// What stands open among the connections and clinics of `page`, counted up to [`OPEN_MAX`] each.
    async fn open(&self, page: &Page) -> Result<Open, Error>;

    /// The jobs that wait for nothing but their time, the next one first: up to the limit of `page`, and of its connections and clinics.
    async fn next(&self, page: &Page) -> Result<Vec<JobView>, Error>;

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

/// An event, and where to go on behind it.
#[derive(Debug)]
pub struct Archived {
    pub cursor: i64,
    pub event: Result<EventView, Error>,
}

/// Nobody reads more than so many one by one.
pub const OPEN_MAX: u32 = 10_000;

/// How much of one kind came to be at one clinic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    pub connection: String,
    pub clinic: Option<String>,
    pub of: Counted,
    pub count: u64,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Events that are stored with this status.
    Event(Status),
    /// Jobs that ended so.
    Job(JobState),
    Message,
    Document,
}

/// What stands open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Jobs that wait for a person.
    pub attention: u64,
    /// Jobs that are dead, or of unknown end.
    pub failed: u64,
    /// Jobs that wait for their time.
    pub scheduled: u64,
}
