//! Reading back what was stored: for those who count and never write.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use jiff::Timestamp;

use zelo_core::{AutomationId, Clinics, Event, EventId, JobId, JobState, KeyHash, Pseudonym, RecordRow, Status};

use crate::{DocumentView, Duties, Error, EventView, JobView, MessageView, Page};

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

    /// How much came to be in `range`, by connection, clinic and what it is: events by when they arrived, jobs by when they ended.
    async fn tally(&self, range: &Range) -> Result<Vec<Tally>, Error>;

    /// What stands open among the connections and clinics of `page`, counted up to [`OPEN_MAX`] each.
    async fn open(&self, page: &Page) -> Result<Open, Error>;

    /// The jobs that wait for nothing but their time, the next one first: up to the limit of `page`, and of its connections and clinics.
    async fn next(&self, page: &Page) -> Result<Vec<JobView>, Error>;

    /// Jobs whose time will come in a range, in order of that: not those that wait for a person.
    async fn pending(&self, of: &Pending) -> Result<Vec<JobView>, Error>;

    /// How many there are in each of `spans`: from the first instant on, up to but not including the second. Places and paging of `of` aside.
    async fn pending_counts(&self, of: &Pending, spans: &[(Timestamp, Timestamp)]) -> Result<Vec<u64>, Error>;

    /// What ended badly as `state`, by its reason, rule and action, the newest first; of the last [`TROUBLED_MAX`] jobs of `page`, whose
    /// limit is not looked at.
    async fn troubles(&self, page: &Page, state: JobState) -> Result<Vec<TroubleView>, Error>;

    /// The records at `hashes` as they are now, as far as there are any that can be read.
    async fn records(&self, hashes: HashSet<KeyHash>) -> Result<HashMap<KeyHash, RecordRow>, Error>;

    /// Whose data stand in the records at `hashes`.
    async fn people(&self, hashes: &HashSet<KeyHash>) -> Result<Vec<Pseudonym>, Error>;

    /// A page of the contacts who got messages, by the last of them, newest first: of each up to `each` of the newest messages, newest
    /// first. Only what went through `channel`, where one is given. `page.before` is the `cursor` of a contact's last message.
    async fn conversations(&self, page: &Page, channel: Option<&str>, each: u32) -> Result<Vec<Vec<MessageView>>, Error>;

    /// Messages to the contact whom effect `index` of `job` went to, newest first; nothing where `page.clinics` are not told of that one.
    async fn conversation(&self, job: JobId, index: u32, page: &Page) -> Result<Vec<MessageView>, Error>;

    /// What is kept of who is erased, because a law says so.
    fn duties(&self) -> Duties;

    /// The documents that these effects of jobs made, without their contents, as far as there are any.
    async fn documents(&self, of: &[(JobId, u32)]) -> Result<Vec<DocumentView>, Error>;

    /// How many live jobs `rule` has, by automation and clinic. It looks at each of them, by index, and reads none.
    async fn live_jobs(&self, rule: &str) -> Result<Vec<LiveJobs>, Error>;
}

/// The live jobs of one automation for one clinic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveJobs {
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
