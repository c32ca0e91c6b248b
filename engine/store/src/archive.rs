//! Reading back what was stored: for those who count and never write.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use jiff::Timestamp;

use zelo_core::{Event, EventId, JobId, KeyHash, RecordRow};

use crate::{DocumentView, Duties, Error, EventView, MessageView, Page};

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

    /// A page of the contacts who got messages, by the last of them, newest first: of each up to `each` of the newest messages, newest
    /// first. Only what went through `channel`, where one is given. `page.before` is the `cursor` of a contact's last message.
    async fn conversations(&self, page: &Page, channel: Option<&str>, each: u32) -> Result<Vec<Vec<MessageView>>, Error>;

    /// Messages to the contact whom effect `index` of `job` went to, newest first; nothing where `page.clinics` are not told of that one.
    async fn conversation(&self, job: JobId, index: u32, page: &Page) -> Result<Vec<MessageView>, Error>;

    /// What is kept of who is erased, because a law says so.
    fn duties(&self) -> Duties;

    /// The documents that these effects of jobs made, without their contents, as far as there are any.
    async fn documents(&self, of: &[(JobId, u32)]) -> Result<Vec<DocumentView>, Error>;
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
