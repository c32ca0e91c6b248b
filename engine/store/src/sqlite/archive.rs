//! The events of a range in order of arrival, and what is read beside them.

use std::collections::{BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;

use jiff::Timestamp;
use zelo_core::{Event, EventId, JobId, JobState, KeyHash, Pseudonym, RecordRow};

use super::activity;
use super::column::ms;
use super::conversations;
use super::counts;
use super::events;
use super::load::load_records;
use super::others::Records;
use super::pending;
use super::reader::Reader;
use super::{agenda, today, troubles};
use crate::archive::{Archive, Archived, EventsWanted, JobsWanted, LiveJobs, Open, Pending, Range, Tally, TroubleView};
use crate::seal::Keyring;
use crate::{DocumentView, Duties, Error, EventView, JobView, MessageView, Page};

const COUNT: &str = "SELECT count(*) FROM events WHERE received >= ?1 AND received < ?2 AND (?3 IS NULL OR connection = ?3)";

/// Reads, and nothing else: it holds no way to the writer.
pub(crate) struct SqliteArchive {
    pub reader: Reader,
    pub duties: Duties,
}

impl SqliteArchive {
    /// Runs a read in a task of its own: a database future is never dropped half-way.
    async fn read<T: Send + 'static, F>(&self, read: impl FnOnce(Reader) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        tokio::spawn(read(self.reader.clone())).await.unwrap_or(Err(Error::Closed))
    }
}

#[async_trait]
impl Archive for SqliteArchive {
    async fn count(&self, range: &Range) -> Result<u64, Error> {
        let range = range.clone();
        self.read(|reader| async move {
            let mut conn = reader.conn().await?;
            let query = sqlx::query_scalar(COUNT).bind(ms(range.since)).bind(ms(range.until)).bind(range.connection);
            let count: i64 = query.fetch_one(&mut *conn).await.map_err(Error::database("count events"))?;
            Ok(u64::try_from(count).unwrap_or(0))
        })
        .await
    }

    async fn events(&self, range: &Range, after: i64, limit: u32) -> Result<Vec<Archived>, Error> {
        let range = range.clone();
        self.read(move |reader| async move { events::arrived(reader, range, after, limit).await }).await
    }

    async fn event(&self, id: EventId) -> Result<Option<Event>, Error> {
        Ok(self.read(move |reader| events::one(reader, id)).await?.map(|view| view.event))
    }

    async fn find_events(&self, wanted: &EventsWanted) -> Result<Vec<EventView>, Error> {
        let wanted = wanted.clone();
        self.read(|reader| activity::events(reader, wanted)).await
    }

    async fn find_jobs(&self, wanted: &JobsWanted) -> Result<Vec<JobView>, Error> {
        let wanted = wanted.clone();
        self.read(|reader| activity::jobs(reader, wanted)).await
    }

    async fn known_things(&self, things: Vec<KeyHash>) -> Result<Vec<KeyHash>, Error> {
        self.read(|reader| activity::known_things(reader, things)).await
    }

    async fn delivered(&self, deliveries: Vec<KeyHash>) -> Result<Vec<EventView>, Error> {
        self.read(|reader| activity::delivered(reader, deliveries)).await
    }

    async fn event_types(&self) -> Result<Vec<String>, Error> {
        self.read(activity::event_types).await
    }

    async fn tally(&self, range: &Range) -> Result<Vec<Tally>, Error> {
        let range = range.clone();
        self.read(|reader| counts::tally(reader, range)).await
    }

    async fn open(&self, page: &Page) -> Result<Open, Error> {
        let page = page.clone();
        self.read(|reader| today::open(reader, page)).await
    }

    async fn next(&self, page: &Page) -> Result<Vec<JobView>, Error> {
        let page = page.clone();
        self.read(|reader| today::next(reader, page)).await
    }

    async fn pending(&self, of: &Pending) -> Result<Vec<JobView>, Error> {
        let of = of.clone();
        self.read(|reader| agenda::pending(reader, of)).await
    }

    async fn pending_counts(&self, of: &Pending, spans: &[(Timestamp, Timestamp)]) -> Result<Vec<u64>, Error> {
        let (of, spans) = (of.clone(), spans.to_vec());
        self.read(|reader| agenda::counts(reader, of, spans)).await
    }

    async fn troubles(&self, page: &Page, state: JobState) -> Result<Vec<TroubleView>, Error> {
        let page = page.clone();
        self.read(move |reader| troubles::troubles(reader, page, state)).await
    }

    async fn records(&self, hashes: HashSet<KeyHash>) -> Result<HashMap<KeyHash, RecordRow>, Error> {
        self.read(|reader| async move {
            let mut conn = reader.conn().await?;
            let conn: &mut SqliteConnection = &mut conn;
            let ring: &Keyring = &reader.ring;
            match load_records(conn, ring, &hashes).await {
                Err(Error::Sealed { .. } | Error::Inconsistent { .. }) => each(conn, ring, hashes).await,
                loaded => loaded,
            }
        })
        .await
    }

    async fn conversations(&self, page: &Page, channel: Option<&str>, each: u32) -> Result<Vec<Vec<MessageView>>, Error> {
        let (page, channel) = (page.clone(), channel.map(str::to_owned));
        self.read(move |reader| conversations::all(reader, page, channel, each)).await
    }

    async fn conversation(&self, job: JobId, index: u32, page: &Page) -> Result<Vec<MessageView>, Error> {
        let page = page.clone();
        self.read(move |reader| conversations::one(reader, job, index, page)).await
    }

    fn duties(&self) -> Duties {
        self.duties.clone()
    }

    async fn documents(&self, of: &[(JobId, u32)]) -> Result<Vec<DocumentView>, Error> {
        let of = of.to_vec();
        self.read(move |reader| conversations::documents(reader, of)).await
    }

    async fn people(&self, hashes: &HashSet<KeyHash>) -> Result<Vec<Pseudonym>, Error> {
        let hashes = hashes.clone();
        self.read(move |reader| async move {
            let mut conn = reader.conn().await?;
            let records = Records::load(&mut conn, hashes.iter().copied()).await?;
            let people: BTreeSet<Pseudonym> = hashes.into_iter().flat_map(|hash| records.people(hash)).collect();
            Ok(people.into_iter().collect())
        })
        .await
    }

    async fn live_jobs(&self, rule: &str) -> Result<Vec<LiveJobs>, Error> {
        let rule = rule.to_owned();
        self.read(|reader| pending::of(reader, rule)).await
    }
}

/// Each record by itself: one whose key was destroyed, or whose row is damaged, is as good as none.
async fn each(conn: &mut SqliteConnection, ring: &Keyring, hashes: HashSet<KeyHash>) -> Result<HashMap<KeyHash, RecordRow>, Error> {
    let mut found = HashMap::new();
    for hash in hashes {
        match load_records(conn, ring, &[hash].into()).await {
            Ok(record) => found.extend(record),
            Err(Error::Sealed { .. } | Error::Inconsistent { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
