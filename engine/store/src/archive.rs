//! Reading back what was stored: for those who count and never write.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use jiff::Timestamp;

use zelo_core::{Clinics, Event, EventId, JobId, JobState, KeyHash, RecordRow};

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

    /// Jobs whose time will come in a range, in order of that: not those that wait for a person.
    async fn pending(&self, of: &Pending) -> Result<Vec<JobView>, Error>;

    /// How many there are in each of `spans`: from the first instant on, up to but not including the second. Places and paging of `of` aside.
    async fn pending_counts(&self, of: &Pending, spans: &[(Timestamp, Timestamp)]) -> Result<Vec<u64>, Error>;

    /// What ended badly as `state`, by its reason, rule and action, the newest first; of the last [`TROUBLED_MAX`] jobs of `page`, whose
    /// limit is not looked at.
    async fn troubles(&self, page: &Page, state: JobState) -> Result<Vec<TroubleView>, Error>;

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

/// Which pending jobs are read.
#[derive(Clone, Debug)]
pub struct Pending {
    /// The first instant that belongs to it.
    pub since: Timestamp,
    /// The first one that does not.
    pub until: Timestamp,
    /// Only those after this one: its `run_at` and the `cursor` of its row.
    pub after: Option<(Timestamp, i64)>,
    pub limit: u32,
    pub connection: Option<String>,
    pub clinic: Option<String>,
    /// Only those of these.
    pub clinics: Clinics,
}

/// What ended badly is looked through as far as this.
pub const TROUBLED_MAX: u32 = 20_000;

/// Jobs of one action that ended badly for one reason.
#[derive(Clone, Debug, PartialEq)]
pub struct TroubleView {
    /// Of the reason; nothing where none was written down.
    pub code: Option<String>,
    pub rule: String,
    pub action: String,
    pub count: u64,
    /// When the first and the last of them ended.
    pub first: Timestamp,
    pub last: Timestamp,
    /// The last of them.
    pub job: JobId,
}
