//! Reading what a batch of arrivals asks for: all of it before the first is decided, in as few statements as there are
//! dependencies.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::sqlite::SqliteConnection;

use zelo_core::decide::{Needs, State};
use zelo_core::{Arrival, JobId, KeyHash, RecordRow};

use super::bulk::{bytes, fetch_in, in_list, packed};
use super::column::Columns;
use super::jobs::{self, Kept};
use super::keys::Keys;
use super::recent::Recent;
use super::windows;
use crate::Error;
use crate::envelope::{self, RecordBody};
use crate::seal::{Keyring, Place};

macro_rules! arrived {
    () => {
        concat!(
            in_list!(
                "SELECT 0 AS what, d.delivery AS hash, e.event_id AS id, 0 AS number, 0 AS done, NULL AS done_anchor \
                 FROM deliveries d JOIN events e ON e.seq = d.event WHERE d.delivery",
                "?1",
                ""
            ),
            in_list!(" UNION ALL SELECT 1, entity, NULL, newest, 0, NULL FROM entities WHERE entity", "?2", ""),
            in_list!(" UNION ALL SELECT 2, job_key, live, newest, done, done_anchor FROM job_keys WHERE job_key", "?3", ""),
            in_list!(" UNION ALL SELECT 3, record, NULL, job, 0, NULL FROM job_lookups WHERE record", "?4", "")
        )
    };
}

/// All that depends on the arrivals alone. `what` tells the tables apart, in the order of [`TABLES`].
const ARRIVED: &str = arrived!();

/// The same as the first thing of a transaction.
const BEGIN_AND_ARRIVED: &str = concat!("BEGIN IMMEDIATE; ", arrived!());

const TABLES: [&str; 4] = ["events", "entities", "job_keys", "job_lookups"];

const RECORDS: &str = in_list!("SELECT record, time, key_id, sealed FROM records WHERE record", "");

/// What `arrivals` ask for, and where the jobs among it stand. Whether it `begins` the transaction: that takes no trip of its own then.
pub(crate) async fn load(
    conn: &mut SqliteConnection,
    ring: &Keyring,
    recent: &Recent,
    arrivals: &[Arrival],
    begins: bool,
) -> Result<(State, HashMap<JobId, Kept>), Error> {
    let first = if begins { BEGIN_AND_ARRIVED } else { ARRIVED };
    let (mut state, known) = load_with(conn, ring, Needs::of(arrivals), first).await?;
    recent.fill(arrivals, &mut state);
    Ok((state, known))
}

/// What `needs` name, and where the jobs among it stand.
pub(crate) async fn load_needs(conn: &mut SqliteConnection, ring: &Keyring, needs: Needs) -> Result<(State, HashMap<JobId, Kept>), Error> {
    load_with(conn, ring, needs, ARRIVED).await
}

async fn load_with(
    conn: &mut SqliteConnection,
    ring: &Keyring,
    needs: Needs,
    first: &'static str,
) -> Result<(State, HashMap<JobId, Kept>), Error> {
    let mut state = State::default();
    let readers = load_arrived(conn, &needs, first, &mut state).await?;
    let known = load_jobs(conn, &mut state, &readers).await?;
    windows::load(conn, &mut state, &needs.windows).await?;
    // A job that a record ends leaves its key.
    let more: HashSet<KeyHash> = state.jobs.values().filter_map(|job| job.key).filter(|key| !state.keys.contains_key(key)).collect();
    state.keys.extend(jobs::keys(conn, bytes(&more)).await?);
    let lookups = state.jobs.values().flat_map(|job| job.lookups.iter().map(|lookup| lookup.record.hash));
    let wanted: HashSet<KeyHash> = lookups.chain(needs.written).chain(needs.read).collect();
    state.records = load_records(conn, ring, &wanted).await?;
    Ok((state, known))
}

/// Fills in deliveries, entities and keys; the places of jobs that read the written records.
async fn load_arrived(
    conn: &mut SqliteConnection,
    needs: &Needs,
    sql: &'static str,
    state: &mut State,
) -> Result<Vec<(KeyHash, i64)>, Error> {
    let rows = sqlx::query(sql)
        .bind(packed(bytes(&needs.deliveries)))
        .bind(packed(bytes(&needs.entities)))
        .bind(packed(bytes(&needs.keys)))
        .bind(packed(bytes(&needs.written)))
        .fetch_all(conn)
        .await
        .map_err(Error::database("read what arrivals ask for"))?;
    let mut readers = Vec::new();
    for row in &rows {
        let what: i64 = Columns::new(row, "events", "hash").get("what")?;
        let row = Columns::new(row, TABLES.get(usize::try_from(what).unwrap_or(0)).copied().unwrap_or("events"), "hash");
        let hash = row.hash("hash")?;
        match what {
            0 => drop(state.deliveries.insert(hash, row.event_id("id")?)),
            1 => drop(state.entities.insert(hash, row.time("number")?)),
            2 => drop(state.keys.insert(hash, jobs::key_row(&row, "id", "number")?)),
            _ => readers.push((hash, row.get("number")?)),
        }
    }
    Ok(readers)
}

/// The live jobs under the keys of `state` and those that read written records.
async fn load_jobs(conn: &mut SqliteConnection, state: &mut State, readers: &[(KeyHash, i64)]) -> Result<HashMap<JobId, Kept>, Error> {
    let under_keys: Vec<JobId> = state.keys.values().filter_map(|row| row.live).collect();
    let mut loaded = jobs::by_ids(conn, under_keys).await?;
    let reading: BTreeSet<i64> = readers.iter().map(|(_, seq)| *seq).collect();
    loaded.extend(jobs::by_seqs(conn, reading.into_iter().collect()).await?);
    let ids: HashMap<i64, JobId> = loaded.iter().map(|(kept, job)| (kept.seq, job.id)).collect();
    for (record, seq) in readers {
        let Some(id) = ids.get(seq) else {
            let why = format!("job {seq} is not live");
            return Err(Error::Inconsistent { table: "job_lookups", column: "job", row: format!("{record:?}"), why });
        };
        state.readers.entry(*record).or_default().insert(*id);
    }
    let mut known = HashMap::with_capacity(loaded.len());
    for (kept, job) in loaded {
        known.insert(job.id, kept);
        state.jobs.insert(job.id, job);
    }
    Ok(known)
}

/// The records at `hashes`, as far as there are any.
pub(crate) async fn load_records(
    conn: &mut SqliteConnection,
    ring: &Keyring,
    hashes: &HashSet<KeyHash>,
) -> Result<HashMap<KeyHash, RecordRow>, Error> {
    let rows = fetch_in(conn, "read records", RECORDS, bytes(hashes)).await?;
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "records", "record")).collect();
    let ids = rows.iter().map(|row| row.get("key_id")).collect::<Result<Vec<i64>, _>>()?;
    let keys = Keys::load(conn, ring, ids).await?;
    rows.iter()
        .map(|row| {
            let hash = row.hash("record")?;
            Ok((hash, open_record(&keys, row, hash)?.1))
        })
        .collect()
}

/// The provider's id and the record of a row of `records`.
pub(crate) fn open_record(keys: &Keys, row: &Columns<'_>, hash: KeyHash) -> Result<(String, RecordRow), Error> {
    let plain = keys.open(row.get("key_id")?, record_at(&hash), row.get("sealed")?)?;
    let body: RecordBody<'static> = envelope::from_json(&plain).map_err(|why| row.damaged("sealed", why))?;
    Ok((body.id.into_owned(), RecordRow { time: row.time("time")?, document: body.document.into_owned(), stamps: body.stamps }))
}

pub(crate) fn record_at(hash: &KeyHash) -> Place<'_> {
    Place { table: "records", column: "sealed", row: &hash.0 }
}
