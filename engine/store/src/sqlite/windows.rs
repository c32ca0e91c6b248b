//! What actions remember over time: rows of `windows`, and the events that jobs collected.

use std::collections::{HashMap, HashSet};

use sqlx::sqlite::SqliteConnection;

use zelo_core::clock::from_ms;
use zelo_core::decide::State;
use zelo_core::window::{Entry, Window};
use zelo_core::{EventId, JobId, KeyHash};

use super::bulk::{Rows, bytes, fetch_in, in_list};
use super::column::{Columns, ms};
use super::interned::Interned;
use super::trip::Trip;
use crate::Error;

/// Bytes of an entry: a time and a job.
const ENTRY: usize = 24;

const WINDOWS: &str = in_list!("SELECT window, entries, forgotten FROM windows WHERE window", "");

const VOID: &str = in_list!("SELECT job_id FROM job_history WHERE state IN ('cancelled', 'skipped') AND job_id", "");

const PUT: Rows = Rows {
    doing: "store windows",
    head: "INSERT OR FAIL INTO windows (window, connection, clinic, entries, forgotten) SELECT * FROM (VALUES",
    columns: 5,
    tail: ") WHERE column1 IS NOT NULL ON CONFLICT (window) DO UPDATE SET entries = excluded.entries, forgotten = excluded.forgotten",
};

const JOIN: Rows = Rows {
    doing: "store collected events",
    head: "INSERT OR FAIL INTO job_events (job, time, event, connection, clinic) SELECT * FROM (VALUES",
    columns: 5,
    tail: ") WHERE column1 IS NOT NULL",
};

const COLLECTED: &str = in_list!(
    "SELECT j.job_id AS job_id, e.event_id AS event_id FROM jobs j JOIN job_events c ON c.job = j.seq JOIN events e ON e.seq = c.event WHERE j.job_id",
    " ORDER BY c.job, c.time, c.event"
);

/// A window with whose it is.
pub(crate) struct WindowOf<'a> {
    pub key: KeyHash,
    pub window: &'a Window,
    pub connection: &'a str,
    pub clinic: Option<&'a str>,
}

/// An event that a job collected, by their places.
pub(crate) struct JoinedRow<'a> {
    pub job: i64,
    pub time: jiff::Timestamp,
    pub event: i64,
    pub connection: &'a str,
    pub clinic: Option<&'a str>,
}

/// Fills in the windows at `hashes`, and which of the jobs there came to nothing.
pub(crate) async fn load(conn: &mut SqliteConnection, state: &mut State, hashes: &HashSet<KeyHash>) -> Result<(), Error> {
    for row in &fetch_in(conn, "read windows", WINDOWS, bytes(hashes)).await? {
        let row = Columns::new(row, "windows", "window");
        let entries: &[u8] = row.get("entries")?;
        let entries = entries.chunks(ENTRY).map(entry).collect::<Option<Vec<_>>>();
        let entries = entries.ok_or_else(|| row.damaged("entries", "it is no list of entries".into()))?;
        state.windows.insert(row.hash("window")?, Window { entries, forgotten: row.opt_time("forgotten")? });
    }
    let jobs = state.windows.values().flat_map(|window| &window.entries).map(|entry| *entry.job.bytes()).collect();
    for row in &fetch_in(conn, "read which jobs came to nothing", VOID, jobs).await? {
        state.void.insert(Columns::new(row, "job_history", "job_id").job_id("job_id")?);
    }
    Ok(())
}

/// Writes windows.
pub(crate) fn put(trip: &mut Trip, mut windows: Vec<WindowOf<'_>>) {
    windows.sort_unstable_by_key(|of| of.key);
    trip.add_all("windows", &PUT, windows, |query, WindowOf { key, window, connection, clinic }| {
        let entries: Vec<u8> = window.entries.iter().flat_map(stored).collect();
        query.bind(key.0.to_vec()).bind(Interned(connection)).bind(clinic.map(Interned)).bind(entries).bind(window.forgotten.map(ms))
    });
}

/// Adds events to the jobs that collect them.
pub(crate) fn join(trip: &mut Trip, rows: Vec<JoinedRow<'_>>) {
    trip.add_all("job_events", &JOIN, rows, |query, row| {
        query.bind(row.job).bind(ms(row.time)).bind(row.event).bind(Interned(row.connection)).bind(row.clinic.map(Interned))
    });
}

/// The events that live jobs collected, in their order.
pub(crate) async fn collected(conn: &mut SqliteConnection, jobs: Vec<JobId>) -> Result<HashMap<JobId, Vec<EventId>>, Error> {
    let mut collected: HashMap<JobId, Vec<EventId>> = HashMap::new();
    for row in &fetch_in(conn, "read collected events", COLLECTED, jobs.iter().map(|id| *id.bytes()).collect()).await? {
        let row = Columns::new(row, "job_events", "job_id");
        collected.entry(row.job_id("job_id")?).or_default().push(row.event_id("event_id")?);
    }
    Ok(collected)
}

fn entry(bytes: &[u8]) -> Option<Entry> {
    let (at, job) = bytes.split_first_chunk::<8>()?;
    Some(Entry { at: from_ms(i64::from_be_bytes(*at)), job: JobId::from_bytes(job.try_into().ok()?) })
}

fn stored(entry: &Entry) -> Vec<u8> {
    [ms(entry.at).to_be_bytes().as_slice(), entry.job.bytes()].concat()
}
