//! Arrivals: what [`zelo_core::decide`] asks for is read in bulk, what it decides is written in bulk.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use sqlx::sqlite::SqliteConnection;

use zelo_core::decide::{Decision, Needs, RecordRow, State, decide};
use zelo_core::{Arrival, Event, EventId, Job, JobId, KeyHash, Plan, RecordWrite, Status};

use super::bulk::{Rows, bytes, expect_rows, fetch_in, in_list};
use super::column::{Columns, ms};
use super::jobs::{self, Ended, Kept, KeyOf};
use super::keys::Keys;
use super::writer::Desk;
use crate::Error;
use crate::envelope::{self, Head, RecordBody};
use crate::seal::{DataKey, Keyring, Owner, Place};

const DELIVERIES: &str = in_list!("SELECT delivery, event_id FROM events WHERE delivery", "");
const ENTITIES: &str = in_list!("SELECT entity, newest FROM entities WHERE entity", "");
const READERS: &str = in_list!("SELECT record, job FROM job_lookups WHERE record", "");
const RECORDS: &str = in_list!("SELECT record, time, key_id, sealed FROM records WHERE record", "");

const INSERT_EVENTS: Rows = Rows {
    doing: "store events",
    head: "INSERT INTO events (event_id, delivery, connection, clinic, source, type, entity, entity_type, time, received, status) SELECT * FROM (VALUES",
    columns: 11,
    tail: ") WHERE column1 IS NOT NULL",
};

const INSERT_PARTS: Rows = Rows {
    doing: "store payloads",
    head: "INSERT INTO event_parts (event_id, part, connection, clinic, key_id, sealed) SELECT * FROM (VALUES",
    columns: 6,
    tail: ") WHERE column1 IS NOT NULL",
};

const PUT_ENTITIES: Rows = Rows {
    doing: "store entities",
    head: "INSERT INTO entities (entity, connection, clinic, kind, newest) SELECT * FROM (VALUES",
    columns: 5,
    tail: ") WHERE column1 IS NOT NULL ON CONFLICT (entity) DO UPDATE SET newest = excluded.newest, clinic = coalesce(excluded.clinic, clinic)",
};

// Replacing gives the row a new, highest `written`.
const PUT_RECORDS: Rows = Rows {
    doing: "store records",
    head: "INSERT OR REPLACE INTO records (record, connection, clinic, kind, time, key_id, sealed) SELECT * FROM (VALUES",
    columns: 7,
    tail: ") WHERE column1 IS NOT NULL",
};

/// Stores `arrivals` in order, inside the writer's transaction.
pub(crate) async fn record(conn: &mut SqliteConnection, desk: &mut Desk, arrivals: &[Arrival]) -> Result<Vec<Decision>, Error> {
    let (mut state, known) = load(conn, desk, arrivals).await?;
    let mut decisions = Vec::with_capacity(arrivals.len());
    let mut heard: HashMap<KeyHash, Heard<'_>> = HashMap::new();
    // Which arrival ended a job: its arrival is when the job ended.
    let mut ended: HashMap<JobId, Timestamp> = HashMap::new();
    for arrival in arrivals {
        let decision = decide(arrival, &mut state);
        desk.saw(arrival.event.received);
        if decision.status == Status::Accepted {
            let spoke = |write: &&RecordWrite| state.records.get(&write.key.hash).is_some_and(|row| row.time == arrival.event.time);
            for write in arrival.records.iter().filter(spoke) {
                heard.insert(write.key.hash, Heard { place: decisions.len(), arrival, write });
            }
        }
        ended.extend(decision.jobs.iter().filter(|job| !job.state.is_live()).map(|job| (job.id, arrival.event.received)));
        decisions.push(decision);
    }
    let changes = Changes { arrivals, decisions: &decisions, state: &state, heard, ended, known };
    changes.store(conn, desk).await?;
    Ok(decisions)
}

/// What a batch asks for.
async fn load(conn: &mut SqliteConnection, desk: &Desk, arrivals: &[Arrival]) -> Result<(State, HashMap<JobId, Kept>), Error> {
    let needs = Needs::of(arrivals);
    let mut state = State::default();
    for row in &fetch_in(conn, "look for duplicates", DELIVERIES, bytes(&needs.deliveries)).await? {
        let row = Columns::new(row, "events", "event_id");
        state.deliveries.insert(row.hash("delivery")?, row.event_id("event_id")?);
    }
    for row in &fetch_in(conn, "read entities", ENTITIES, bytes(&needs.entities)).await? {
        let row = Columns::new(row, "entities", "entity");
        state.entities.insert(row.hash("entity")?, row.time("newest")?);
    }
    state.keys = jobs::keys(conn, bytes(&needs.keys)).await?;
    let mut readers: Vec<(KeyHash, i64)> = Vec::new();
    for row in &fetch_in(conn, "look for readers of records", READERS, bytes(&needs.written)).await? {
        let row = Columns::new(row, "job_lookups", "record");
        readers.push((row.hash("record")?, row.get("job")?));
    }
    let known = load_jobs(conn, &mut state, &readers).await?;
    let more: Vec<KeyHash> = state.jobs.values().filter_map(|job| job.key).filter(|key| !state.keys.contains_key(key)).collect();
    state.keys.extend(jobs::keys(conn, bytes(&more)).await?);
    let lookups = state.jobs.values().flat_map(|job| job.lookups.iter().map(|lookup| lookup.record.hash));
    let wanted: HashSet<KeyHash> = lookups.chain(needs.written).chain(needs.read).collect();
    state.records = load_records(conn, desk.sealer.ring(), &wanted).await?;
    Ok((state, known))
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
            let (_, document) = open_record(&keys, row, hash)?;
            Ok((hash, RecordRow { time: row.time("time")?, document }))
        })
        .collect()
}

/// The provider's id and the document of a row of `records`.
pub(crate) fn open_record(keys: &Keys, row: &Columns<'_>, hash: KeyHash) -> Result<(String, Value), Error> {
    let plain = keys.open(row.get("key_id")?, record_at(&hash), row.get("sealed")?)?;
    let body: RecordBody<'static> = envelope::from_json(&plain).map_err(|why| row.damaged("sealed", why))?;
    Ok((body.id.into_owned(), body.document.into_owned()))
}

fn record_at(hash: &KeyHash) -> Place<'_> {
    Place { table: "records", column: "sealed", row: &hash.0 }
}

/// The row of the payload of an event: its id and part 0.
pub(crate) fn payload_row(event: EventId) -> [u8; 18] {
    let mut row = [0; 18];
    row[..16].copy_from_slice(event.bytes());
    row
}

/// Where the payload of an event stands.
pub(crate) fn payload_at(row: &[u8; 18]) -> Place<'_> {
    Place { table: "event_parts", column: "sealed", row }
}

/// A write of a record that was newer than what was known.
struct Heard<'a> {
    /// Of the arrival within the batch.
    place: usize,
    arrival: &'a Arrival,
    write: &'a RecordWrite,
}

/// What a batch of arrivals changes.
struct Changes<'a> {
    arrivals: &'a [Arrival],
    decisions: &'a [Decision],
    state: &'a State,
    /// The last write of each record that was heard.
    heard: HashMap<KeyHash, Heard<'a>>,
    ended: HashMap<JobId, Timestamp>,
    /// Jobs that were there before.
    known: HashMap<JobId, Kept>,
}

impl Changes<'_> {
    async fn store(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<(), Error> {
        let new: Vec<(&Arrival, &Decision)> =
            self.arrivals.iter().zip(self.decisions).filter(|(_, decision)| decision.status != Status::Duplicate).collect();
        let keys = self.owners(conn, desk, &new).await?;
        self.events(conn, desk, &new, &keys).await?;
        self.entities(conn).await?;
        self.records(conn, desk, &keys).await?;
        self.jobs(conn, desk, &new, &keys).await?;
        self.keys(conn).await
    }

    /// The arrivals that had a say.
    fn accepted(&self) -> impl Iterator<Item = &Arrival> {
        self.arrivals.iter().zip(self.decisions).filter(|(_, decision)| decision.status == Status::Accepted).map(|(arrival, _)| arrival)
    }

    /// The data keys of all that is sealed here.
    async fn owners(&self, conn: &mut SqliteConnection, desk: &mut Desk, new: &[(&Arrival, &Decision)]) -> Result<OwnerKeys, Error> {
        let mut owners = HashMap::new();
        for (arrival, _) in new {
            let owner = Owner::of_arrival(arrival);
            owners.entry(desk.sealer.ring().owner_hash(&owner)).or_insert((owner, arrival.event.received));
        }
        for Heard { arrival, write, .. } in self.heard.values() {
            let owner = Owner::of_record(&arrival.event.connection, write);
            owners.entry(desk.sealer.ring().owner_hash(&owner)).or_insert((owner, arrival.event.received));
        }
        Ok(OwnerKeys(desk.sealer.owners(conn, owners).await?))
    }

    async fn events(&self, conn: &mut SqliteConnection, desk: &Desk, new: &[(&Arrival, &Decision)], keys: &OwnerKeys) -> Result<(), Error> {
        let ring = desk.sealer.ring();
        let mut parts = Vec::with_capacity(new.len());
        for (arrival, _) in new {
            let key = keys.of(ring, &Owner::of_arrival(arrival))?;
            let sealed = ring.seal(key, payload_at(&payload_row(arrival.event.id)), &[&Head::of(arrival), &arrival.body]);
            parts.push((&arrival.event, key.id(), sealed));
        }
        let touched = INSERT_EVENTS
            .run(conn, new.to_vec(), |query, (arrival, decision)| {
                let event = &arrival.event;
                query
                    .bind(event.id.bytes().to_vec())
                    .bind(arrival.delivery.0.to_vec())
                    .bind(event.connection.as_str())
                    .bind(event.clinic.as_deref())
                    .bind(event.source.as_str())
                    .bind(event.kind.as_str())
                    .bind(arrival.entity.map(|hash| hash.0.to_vec()))
                    .bind(event.entity.as_ref().map(|entity| entity.kind.as_str()))
                    .bind(ms(event.time))
                    .bind(ms(event.received))
                    .bind(decision.status.as_str())
            })
            .await?;
        expect_rows("events", "store events", new.len(), touched)?;
        let touched = INSERT_PARTS
            .run(conn, parts, |query, (event, key, sealed)| {
                query
                    .bind(event.id.bytes().to_vec())
                    .bind(0)
                    .bind(event.connection.as_str())
                    .bind(event.clinic.as_deref())
                    .bind(key)
                    .bind(sealed)
            })
            .await?;
        expect_rows("event_parts", "store payloads", new.len(), touched)
    }

    async fn entities(&self, conn: &mut SqliteConnection) -> Result<(), Error> {
        let mut clinics: HashMap<KeyHash, (&Event, Option<&str>)> = HashMap::new();
        for arrival in self.accepted() {
            let Some(entity) = arrival.entity else { continue };
            let entry = clinics.entry(entity).or_insert((&arrival.event, None));
            entry.1 = arrival.event.clinic.as_deref().or(entry.1);
        }
        let dirty = &self.state.dirty.entities;
        let rows: Vec<_> = clinics
            .into_iter()
            .filter(|(hash, _)| dirty.contains(hash))
            .filter_map(|(hash, (event, clinic))| Some((hash, event, clinic, *self.state.entities.get(&hash)?)))
            .collect();
        let wanted = dirty.len();
        let touched = PUT_ENTITIES
            .run(conn, rows, |query, (hash, event, clinic, newest)| {
                query
                    .bind(hash.0.to_vec())
                    .bind(event.connection.as_str())
                    .bind(clinic)
                    .bind(event.entity.as_ref().map_or("", |entity| entity.kind.as_str()))
                    .bind(ms(newest))
            })
            .await?;
        expect_rows("entities", "store entities", wanted, touched)
    }

    async fn records(&self, conn: &mut SqliteConnection, desk: &Desk, keys: &OwnerKeys) -> Result<(), Error> {
        let ring = desk.sealer.ring();
        let mut rows = Vec::with_capacity(self.state.dirty.records.len());
        // In order of arrival, so that "last written" is.
        let mut heard: Vec<_> = self.heard.iter().collect();
        heard.sort_by_key(|(hash, heard)| (heard.place, **hash));
        for (&hash, Heard { arrival, write, .. }) in heard {
            let Some(row) = self.state.records.get(&hash) else { continue };
            let key = keys.of(ring, &Owner::of_record(&arrival.event.connection, write))?;
            let body = RecordBody { id: write.id.as_str().into(), document: std::borrow::Cow::Borrowed(&row.document) };
            let body = envelope::to_json(&body).map_err(|why| damaged_record(hash, why))?;
            let sealed = ring.seal(key, record_at(&hash), &[&body]);
            rows.push((&arrival.event.connection, *write, ms(row.time), key.id(), sealed));
        }
        let wanted = rows.len();
        let touched = PUT_RECORDS
            .run(conn, rows, |query, (connection, write, time, key, sealed)| {
                query
                    .bind(write.key.hash.0.to_vec())
                    .bind(connection.as_str())
                    .bind(write.clinic.as_deref())
                    .bind(write.key.kind.as_str())
                    .bind(time)
                    .bind(key)
                    .bind(sealed)
            })
            .await?;
        expect_rows("records", "store records", wanted, touched)
    }

    async fn jobs(
        &self,
        conn: &mut SqliteConnection,
        desk: &mut Desk,
        new: &[(&Arrival, &Decision)],
        keys: &OwnerKeys,
    ) -> Result<(), Error> {
        let dirty = &self.state.dirty;
        if dirty.new_jobs.is_empty() && dirty.changed_jobs.is_empty() {
            return Ok(());
        }
        let makers: HashMap<_, _> = new.iter().enumerate().map(|(place, (arrival, _))| (arrival.event.id, (place, *arrival))).collect();
        let (mut insert, mut update, mut end) = (Vec::new(), Vec::new(), Vec::new());
        let mut made: Vec<(usize, &Arrival, &Job)> = Vec::with_capacity(dirty.new_jobs.len());
        for job in dirty.new_jobs.iter().filter_map(|id| self.state.jobs.get(id)) {
            let (place, maker) = makers.get(&job.event).ok_or_else(|| lost_job(job))?;
            made.push((*place, maker, job));
        }
        // Numbered in order of arrival, however they were batched.
        made.sort_by_key(|(place, _, job)| (*place, job.id));
        for (_, maker, job) in made {
            let key_id = keys.of(desk.sealer.ring(), &Owner::of_arrival(maker))?.id();
            let kept = Kept { seq: desk.next_job(), key_id, lease_expires: None };
            if job.state.is_live() {
                insert.push((kept, job));
            } else {
                end.push(self.ended(kept, job, false));
            }
        }
        for job in dirty.changed_jobs.iter().filter_map(|id| self.state.jobs.get(id)) {
            let kept = *self.known.get(&job.id).ok_or_else(|| lost_job(job))?;
            if job.state.is_live() {
                update.push((kept, job));
            } else {
                end.push(self.ended(kept, job, true));
            }
        }
        jobs::insert(conn, insert).await?;
        jobs::update(conn, update).await?;
        jobs::end(conn, end).await
    }

    fn ended<'j>(&self, kept: Kept, job: &'j Job, was_live: bool) -> Ended<'j> {
        let at = self.ended.get(&job.id).copied().unwrap_or(job.reference);
        Ended { kept, job, at, summary: None, was_live }
    }

    async fn keys(&self, conn: &mut SqliteConnection) -> Result<(), Error> {
        let mut left = self.state.dirty.keys.clone();
        let mut rows = Vec::with_capacity(left.len());
        for (arrival, candidate) in self.accepted().flat_map(|arrival| arrival.candidates.iter().map(move |one| (arrival, one))) {
            let key = match &candidate.plan {
                Plan::Fire { key, .. } => *key,
                Plan::Cancel { key, .. } => Some(*key),
            };
            let Some(key) = key.filter(|key| left.remove(key)) else { continue };
            rows.extend(self.key_of(key, &arrival.event.connection, arrival.event.clinic.as_deref()));
        }
        // The rest are keys of jobs that a changed record ended.
        for job in self.state.jobs.values() {
            let Some(key) = job.key.filter(|key| left.remove(key)) else { continue };
            rows.extend(self.key_of(key, &job.connection, job.clinic.as_deref()));
        }
        jobs::put_keys(conn, rows).await
    }

    fn key_of<'k>(&self, key: KeyHash, connection: &'k str, clinic: Option<&'k str>) -> Option<KeyOf<'k>> {
        self.state.keys.get(&key).map(|row| KeyOf { key, row: row.clone(), connection, clinic })
    }
}

/// Data keys by owner.
struct OwnerKeys(HashMap<KeyHash, Arc<DataKey>>);

impl OwnerKeys {
    fn of(&self, ring: &Keyring, owner: &Owner) -> Result<&Arc<DataKey>, Error> {
        let hash = ring.owner_hash(owner);
        self.0.get(&hash).ok_or_else(|| Error::Inconsistent {
            table: "seal_keys",
            column: "wrapped",
            row: format!("{hash:?}"),
            why: "the owner has no key".into(),
        })
    }
}

fn damaged_record(hash: KeyHash, why: String) -> Error {
    Error::Inconsistent { table: "records", column: "sealed", row: format!("{hash:?}"), why }
}

fn lost_job(job: &Job) -> Error {
    Error::Inconsistent { table: "jobs", column: "job_id", row: job.id.to_string(), why: "it changed without having been read".into() }
}
