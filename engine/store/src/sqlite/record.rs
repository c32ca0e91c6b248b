//! Arrivals: what [`zelo_core::decide`] asks for is read in bulk, what it decides is written in bulk.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use zelo_core::decide::{Decision, Joined, State, decide};
use zelo_core::{Arrival, Candidate, EventId, Job, JobId, KeyHash, KeyMap, Person, Plan, Pseudonym, RecordWrite, Status};

use super::bulk::{Rows, bytes, fetch_in, in_list};
use super::column::{Columns, ms};
use super::consents;
use super::counts;
use super::identities::{self as people, Known};
use super::interned::Interned;
use super::jobs::{self, Ended, Kept, KeyOf};
use super::keys::Keys;
use super::load::{load, record_at};
use super::recent::{self, Stored};
use super::steps;
use super::trip::{Pipeline, Trip};
use super::windows::{self, JoinedRow, WindowOf};
use super::writer::Desk;
use crate::envelope::{self, Parts, RecordBody};
use crate::seal::{DataKey, Keyring, Owner, Place};
use crate::{Counted, Error};

/// Parts an event has room for: its payload is part 0.
pub(super) const PARTS: i64 = 256;

const INSERT_EVENTS: Rows = Rows {
    doing: "store events",
    head: "INSERT OR FAIL INTO events (seq, event_id, delivery, connection, clinic, source, type, entity, entity_type, time, received, status, cause, keys) SELECT * FROM (VALUES",
    columns: 14,
    tail: ") WHERE column1 IS NOT NULL",
};

const INSERT_PARTS: Rows = Rows {
    doing: "store payloads",
    head: "INSERT OR FAIL INTO event_parts (part_id, connection, clinic, key_id, sealed) SELECT * FROM (VALUES",
    columns: 5,
    tail: ") WHERE column1 IS NOT NULL",
};

// Replacing gives the row a new, highest `written`.
const PUT_RECORDS: Rows = Rows {
    doing: "store records",
    head: "INSERT OR REPLACE INTO records (record, connection, clinic, kind, time, key_id, sealed) SELECT * FROM (VALUES",
    columns: 7,
    tail: ") WHERE column1 IS NOT NULL",
};

const INSERT_ABOUT: Rows = Rows {
    doing: "store whose data jobs have",
    head: "INSERT INTO job_about (key_id, job_id) SELECT * FROM (VALUES",
    columns: 2,
    tail: ") WHERE column1 IS NOT NULL ON CONFLICT (key_id, job_id) DO UPDATE SET shown = 0",
};

/// Stores `arrivals` in order, inside the writer's transaction, which it may be the one to begin. What is sealed already is taken out of
/// `payloads`; the rest is sealed here.
pub(crate) async fn record(
    pipe: &mut Pipeline<'_>,
    desk: &mut Desk,
    arrivals: &[Arrival],
    payloads: &mut [Option<Payload>],
    begins: bool,
) -> Result<Vec<Decision>, Error> {
    let (mut state, known) = load(pipe.now().await?, desk.sealer.ring(), &desk.recent, arrivals, begins).await?;
    let mut decisions = Vec::with_capacity(arrivals.len());
    let mut heard: HashMap<KeyHash, Heard<'_>> = HashMap::new();
    // Which arrival ended a job: its arrival is when the job ended.
    let mut ended: HashMap<JobId, Timestamp> = HashMap::new();
    for arrival in arrivals {
        let decision = decide(arrival, &mut state);
        desk.saw(arrival.event.received);
        if decision.status == Status::Accepted {
            let spoke = |write: &&RecordWrite| state.records.get(&write.key.hash).is_some_and(|row| row.time == arrival.event.order());
            for write in arrival.records.iter().filter(spoke) {
                heard.insert(write.key.hash, Heard { place: decisions.len(), arrival, write });
            }
        }
        ended.extend(decision.jobs.iter().filter(|job| !job.state.is_live()).map(|job| (job.id, arrival.event.received)));
        decisions.push(decision);
    }
    let over = ended.iter().filter_map(|(id, at)| steps::Ended::of(state.jobs.get(id)?, *at)).collect();
    let changes = Changes { arrivals, decisions: &decisions, state: &state, heard, ended, known };
    let told = changes.store(pipe, desk, payloads).await?;
    if !told.is_empty() {
        for (event, job) in consents::hear(pipe.now().await?, desk, told).await? {
            if let Some(decision) = decisions.iter_mut().find(|decision| decision.event == event) {
                decision.jobs.push(job);
            }
        }
    }
    for (root, job) in steps::follow(pipe, over).await? {
        // The last arrival that spoke of the root is the one that ended it.
        if let Some(decision) = decisions.iter_mut().rfind(|decision| decision.jobs.iter().any(|job| job.id == root)) {
            decision.jobs.push(job);
        }
    }
    Ok(decisions)
}

/// A sealed payload, as `event_parts` holds it.
pub(crate) struct Payload {
    key_id: i64,
    sealed: Vec<u8>,
    /// What is of one person each, by their places.
    own: Vec<(usize, i64, Vec<u8>)>,
}

impl Payload {
    /// Seals the payload of `arrival` under the keys of its owners.
    fn seal(ring: &Keyring, keys: &OwnerKeys, arrival: &Arrival) -> Result<Self, Error> {
        let parts = Parts::of(arrival);
        let id = arrival.event.id;
        let key = keys.of(ring, &Owner::of_arrival(arrival))?;
        let mut own = Vec::with_capacity(parts.own.len());
        for (place, part) in parts.own {
            let Some(person) = arrival.people.get(place).filter(|_| place < PARTS as usize) else { continue };
            let key = keys.of(ring, &Owner::of_people(&arrival.event.connection, arrival.event.clinic.as_deref(), vec![person.hash]))?;
            own.push((place, key.id(), ring.seal(key, part_at(&part_row(id, place as u16)), &[&part])));
        }
        Ok(Self { key_id: key.id(), sealed: ring.seal(key, part_at(&part_row(id, 0)), &[&parts.whole]), own })
    }

    /// The same before the writer is asked, where the keys are at hand: callers seal side by side, the writer alone.
    pub(crate) fn seal_early(ring: &Keyring, arrival: &Arrival) -> Option<Self> {
        let mut keys = KeyMap::default();
        for owner in owners_of(arrival).map(|owner| ring.owner_hash(&owner)) {
            // Where it is about one person, that is the owner as well.
            if let Entry::Vacant(free) = keys.entry(owner) {
                free.insert(ring.of_owner(owner)?);
            }
        }
        Self::seal(ring, &OwnerKeys(keys), arrival).ok()
    }

    /// The key that seals what is of the person at `place`.
    fn key_of(&self, place: usize) -> i64 {
        self.own.iter().find(|(own, ..)| *own == place).map_or(self.key_id, |(_, key, _)| *key)
    }

    fn keys(&self) -> impl Iterator<Item = i64> {
        self.own.iter().map(|(_, key, _)| *key).chain([self.key_id])
    }
}

/// Whom the payload of an arrival is sealed for: those it is about together, and each of its people.
fn owners_of(arrival: &Arrival) -> impl Iterator<Item = Owner> {
    let event = &arrival.event;
    let own = move |person: &Person| Owner::of_people(&event.connection, event.clinic.as_deref(), vec![person.hash]);
    arrival.people.iter().map(own).chain([Owner::of_arrival(arrival)])
}

/// The row of a part of an event, for its seal: its id and the number of the part; the payload is part 0.
pub(crate) fn part_row(event: EventId, part: u16) -> [u8; 18] {
    let mut row = [0; 18];
    row[..16].copy_from_slice(event.bytes());
    row[16..].copy_from_slice(&part.to_le_bytes());
    row
}

/// Where a part of an event stands.
pub(crate) fn part_at(row: &[u8; 18]) -> Place<'_> {
    Place { table: "event_parts", column: "sealed", row }
}

/// An arrival that is no duplicate.
struct New<'a> {
    arrival: &'a Arrival,
    decision: &'a Decision,
    payload: Option<Payload>,
}

/// A stored event.
#[derive(Clone, Copy)]
pub(crate) struct Made {
    /// Of the arrival within the batch.
    pub place: usize,
    pub seq: i64,
    /// The key that its payload is sealed under.
    pub key_id: i64,
}

/// A job that collected events of the batch.
struct Collection {
    /// The first of them.
    first: Made,
    key_id: i64,
}

/// Those of `new` that speak of consents, each with the key of its main person.
async fn consenting<'a>(
    pipe: &mut Pipeline<'_>,
    new: &[New<'a>],
    keys: &OwnerKeys,
    ring: &Keyring,
) -> Result<Vec<(&'a Arrival, i64, Vec<Pseudonym>)>, Error> {
    let mut told = Vec::new();
    for New { arrival, payload, decision } in new {
        let Some(person) = arrival.people.first().filter(|_| !arrival.consents.is_empty() && decision.status != Status::Quarantined) else {
            continue;
        };
        let event = &arrival.event;
        let key = match payload {
            Some(payload) => Keys::load(pipe.now().await?, ring, vec![payload.key_of(0)]).await?.get(payload.key_of(0))?.clone(),
            None => keys.of(ring, &Owner::of_people(&event.connection, event.clinic.as_deref(), vec![person.hash]))?.clone(),
        };
        told.push((*arrival, key.id(), key.about().to_vec()));
    }
    Ok(told)
}

/// What the people of `new` are known by, with whose key.
fn identities<'a>(new: &[New<'a>], keys: &OwnerKeys, ring: &Keyring) -> Result<Vec<Known<'a>>, Error> {
    let mut known = Vec::new();
    for New { arrival, payload, .. } in new {
        let event = &arrival.event;
        for (place, person) in arrival.people.iter().enumerate().filter(|(_, person)| !person.identities.is_empty()) {
            let key_id = match payload {
                Some(payload) => payload.key_of(place),
                None => keys.of(ring, &Owner::of_people(&event.connection, event.clinic.as_deref(), vec![person.hash]))?.id(),
            };
            known.extend(person.identities.iter().map(|identity| Known { identity: *identity, key_id, event }));
        }
    }
    Ok(known)
}

/// Stands for a key that is not known yet.
const SEVERAL: i64 = 0;

/// A write of a record that was newer than what was known.
pub(crate) struct Heard<'a> {
    /// Of the arrival within the batch.
    place: usize,
    arrival: &'a Arrival,
    write: &'a RecordWrite,
}

/// What a batch of arrivals changes.
pub(crate) struct Changes<'a> {
    pub arrivals: &'a [Arrival],
    pub decisions: &'a [Decision],
    pub state: &'a State,
    /// The last write of each record that was heard.
    pub heard: HashMap<KeyHash, Heard<'a>>,
    /// When the jobs ended that did.
    pub ended: HashMap<JobId, Timestamp>,
    /// Jobs that were there before.
    pub known: HashMap<JobId, Kept>,
}

impl Changes<'_> {
    /// Writes all of it. The arrivals that speak of consents, each with the key of its main person.
    async fn store(
        &self,
        pipe: &mut Pipeline<'_>,
        desk: &mut Desk,
        payloads: &mut [Option<Payload>],
    ) -> Result<Vec<(&Arrival, i64, Vec<Pseudonym>)>, Error> {
        let all = self.arrivals.iter().zip(self.decisions).zip(payloads);
        let new = all.filter(|((_, decision), _)| decision.status != Status::Duplicate);
        let ring = desk.sealer.ring();
        // Whose key was destroyed since is sealed anew.
        let usable = |payload: &Payload| payload.keys().all(|key| !ring.is_destroyed(key));
        let new: Vec<_> =
            new.map(|((arrival, decision), payload)| New { arrival, decision, payload: payload.take().filter(usable) }).collect();
        let keys = self.owners(pipe, desk, &new).await?;
        let known = identities(&new, &keys, desk.sealer.ring())?;
        let told = consenting(pipe, &new, &keys, desk.sealer.ring()).await?;
        let made = self.events(pipe.later(), desk, new, &keys)?;
        people::know(pipe.later(), desk, known);
        self.records(pipe.later(), desk, &keys)?;
        self.of_jobs(pipe, desk, &made).await?;
        Ok(told)
    }

    /// The arrivals that had a say.
    fn accepted(&self) -> impl Iterator<Item = &Arrival> {
        self.arrivals.iter().zip(self.decisions).filter(|(_, decision)| decision.status == Status::Accepted).map(|(arrival, _)| arrival)
    }

    /// The data keys of all that is still to be sealed here.
    async fn owners(&self, pipe: &mut Pipeline<'_>, desk: &mut Desk, new: &[New<'_>]) -> Result<OwnerKeys, Error> {
        let mut owners = HashMap::new();
        let payloads = new.iter().filter(|new| new.payload.is_none());
        let payloads = payloads.flat_map(|new| owners_of(new.arrival).map(|owner| (new.arrival, owner)));
        let records = self.heard.values().map(|heard| (heard.arrival, Owner::of_record(&heard.arrival.event.connection, heard.write)));
        for (arrival, owner) in payloads.chain(records) {
            owners.entry(desk.sealer.ring().owner_hash(&owner)).or_insert((owner, arrival.event.received));
        }
        Ok(OwnerKeys(desk.sealer.owners(pipe, owners).await?))
    }

    /// Writes the events; where each stands.
    fn events<'a>(&self, trip: &mut Trip, desk: &mut Desk, new: Vec<New<'a>>, keys: &OwnerKeys) -> Result<HashMap<EventId, Made>, Error> {
        let mut parts = Vec::with_capacity(new.len());
        let mut rows = Vec::with_capacity(new.len());
        let mut made = HashMap::with_capacity(new.len());
        let mut counted = Vec::with_capacity(new.len());
        for (place, New { arrival, decision, payload }) in new.into_iter().enumerate() {
            let payload = match payload {
                Some(payload) => payload,
                None => Payload::seal(desk.sealer.ring(), keys, arrival)?,
            };
            let seq = desk.next_event();
            made.insert(arrival.event.id, Made { place, seq, key_id: payload.key_id });
            let mut keys = vec![(0, payload.key_id)];
            keys.extend(payload.own.iter().map(|(place, key, _)| (*place as u8, *key)));
            desk.recent.add(&Stored { seq, arrival, accepted: decision.status == Status::Accepted, keys: &keys });
            let event = &arrival.event;
            counted.push((event.received, event.connection.as_str(), event.clinic.as_deref(), Counted::Event(decision.status)));
            rows.push((seq, arrival, decision.status, recent::packed(&keys)));
            let own = payload.own.into_iter().map(|(place, key, sealed)| (seq * PARTS + place as i64, &arrival.event, key, sealed));
            parts.extend([(seq * PARTS, &arrival.event, payload.key_id, payload.sealed)].into_iter().chain(own));
        }
        trip.add_all("events", &INSERT_EVENTS, rows, |query, (seq, arrival, status, keys)| {
            let event = &arrival.event;
            query
                .bind(seq)
                .bind(event.id.bytes().to_vec())
                .bind(arrival.delivery.0.to_vec())
                .bind(Interned(&event.connection))
                .bind(event.clinic.as_deref().map(Interned))
                .bind(Interned(&event.source))
                .bind(Interned(&event.kind))
                .bind(arrival.entity.map(|hash| hash.0.to_vec()))
                .bind(event.entity.as_ref().map(|entity| Interned(&entity.kind)))
                .bind(ms(event.time))
                .bind(ms(event.received))
                .bind(Interned(status.as_str()))
                .bind(event.cause.as_ref().and_then(|cause| serde_json::to_string(cause).ok()))
                .bind(keys)
        });
        trip.add_all("event_parts", &INSERT_PARTS, parts, |query, (part, event, key, sealed)| {
            query.bind(part).bind(Interned(&event.connection)).bind(event.clinic.as_deref().map(Interned)).bind(key).bind(sealed)
        });
        counts::add(trip, counted);
        Ok(made)
    }

    fn records(&self, trip: &mut Trip, desk: &Desk, keys: &OwnerKeys) -> Result<(), Error> {
        let ring = desk.sealer.ring();
        let mut rows = Vec::with_capacity(self.state.dirty.records.len());
        // In order of arrival, so that "last written" is.
        let mut heard: Vec<_> = self.heard.iter().collect();
        heard.sort_by_key(|(hash, heard)| (heard.place, **hash));
        for (&hash, Heard { arrival, write, .. }) in heard {
            let Some(row) = self.state.records.get(&hash) else { continue };
            let key = keys.of(ring, &Owner::of_record(&arrival.event.connection, write))?;
            let body = envelope::to_json(&RecordBody::of(&write.id, row)).map_err(|why| damaged_record(hash, why))?;
            let sealed = ring.seal(key, record_at(&hash), &[&body]);
            rows.push(SealedRecord {
                hash,
                connection: &arrival.event.connection,
                clinic: write.clinic.as_deref(),
                kind: &write.key.kind,
                time: row.time,
                key_id: key.id(),
                sealed,
            });
        }
        put_records(trip, rows);
        Ok(())
    }

    /// Writes what becomes of jobs, windows and keys because of `events`, which are stored already.
    pub(crate) async fn of_jobs(&self, pipe: &mut Pipeline<'_>, desk: &mut Desk, events: &HashMap<EventId, Made>) -> Result<(), Error> {
        self.jobs(pipe, desk, events).await?;
        self.windows(pipe.later());
        self.keys(pipe.later());
        Ok(())
    }

    async fn jobs(&self, pipe: &mut Pipeline<'_>, desk: &mut Desk, events: &HashMap<EventId, Made>) -> Result<(), Error> {
        let dirty = &self.state.dirty;
        if dirty.new_jobs.is_empty() && dirty.changed_jobs.is_empty() {
            return Ok(());
        }
        let (mut insert, mut update, mut end) = (Vec::new(), Vec::new(), Vec::new());
        let collections = self.collections(pipe, desk, events).await?;
        let together = self.together(pipe, desk).await?;
        let mut made = Vec::with_capacity(dirty.new_jobs.len());
        for job in dirty.new_jobs.iter().filter_map(|id| self.state.jobs.get(id)) {
            // What has collected more by now is about a later event than the one that made it.
            let Made { place, key_id, .. } = match collections.get(&job.id) {
                Some(collection) => collection.first,
                None => *events.get(&job.event).ok_or_else(|| lost_job(job))?,
            };
            let key_id = together.get(&job.id).copied().unwrap_or(key_id);
            made.push((place, collections.get(&job.id).map_or(key_id, |collection| collection.key_id), job));
        }
        // Numbered in order of arrival, however they were batched.
        made.sort_by_key(|(place, _, job)| (*place, job.id));
        let mut seqs = HashMap::new();
        for (_, key_id, job) in made {
            let kept = Kept { seq: desk.next_job(), key_id, lease_expires: None };
            seqs.insert(job.id, kept.seq);
            if job.state.is_live() {
                insert.push((kept, job));
            } else {
                end.push(self.ended(kept, job, false));
            }
        }
        for job in dirty.changed_jobs.iter().filter_map(|id| self.state.jobs.get(id)) {
            let kept = self.kept(job, &collections)?;
            seqs.insert(job.id, kept.seq);
            if job.state.is_live() {
                update.push((kept, job));
            } else {
                end.push(self.ended(kept, job, true));
            }
        }
        let grown = dirty.grown.iter().filter_map(|(id, before)| Some((self.state.jobs.get(id)?, before.as_slice())));
        let grown = grown.map(|(job, before)| Ok((self.kept(job, &collections)?, job, before))).collect::<Result<_, Error>>()?;
        jobs::grow(pipe.later(), grown);
        jobs::insert(pipe.later(), &mut desk.line, insert);
        jobs::update(pipe.later(), update);
        jobs::end(pipe.later(), end);
        let rows = dirty.joined.iter().filter_map(|joined| self.joined(joined, &seqs, events));
        windows::join(pipe.later(), rows.collect());
        Ok(())
    }

    /// Where a job that was there before stands, under the key of all that it has collected by now.
    fn kept(&self, job: &Job, collections: &HashMap<JobId, Collection>) -> Result<Kept, Error> {
        let kept = *self.known.get(&job.id).ok_or_else(|| lost_job(job))?;
        Ok(collections.get(&job.id).map_or(kept, |collection| Kept { key_id: collection.key_id, ..kept }))
    }

    /// The jobs that collected events of this batch. What comes of a job is sealed under the key of its event's owner; of
    /// events of several owners, under that of their clinic.
    async fn collections(
        &self,
        pipe: &mut Pipeline<'_>,
        desk: &mut Desk,
        events: &HashMap<EventId, Made>,
    ) -> Result<HashMap<JobId, Collection>, Error> {
        let mut collections: HashMap<JobId, Collection> = HashMap::new();
        let mut several = HashMap::new();
        for joined in &self.state.dirty.joined {
            let (Some(job), Some(made)) = (self.state.jobs.get(&joined.job), events.get(&joined.event)) else { continue };
            let before = self.known.get(&job.id).map_or(made.key_id, |kept| kept.key_id);
            let collection = collections.entry(job.id).or_insert(Collection { first: *made, key_id: before });
            if collection.key_id != made.key_id {
                let owner = Owner::of_several(&job.connection, job.clinic.as_deref());
                let hash = desk.sealer.ring().owner_hash(&owner);
                several.entry(hash).or_insert((owner, job.reference));
                collection.key_id = SEVERAL;
            }
        }
        let further = self.further();
        for (_, owner, at) in &further {
            several.entry(desk.sealer.ring().owner_hash(owner)).or_insert_with(|| (owner.clone(), *at));
        }
        let keys = desk.sealer.owners(pipe, several).await?;
        // Whose data it has all the same.
        let mut about: Vec<(i64, JobId)> = Vec::new();
        for joined in &self.state.dirty.joined {
            let Some(made) = events.get(&joined.event) else { continue };
            if collections.get(&joined.job).is_some_and(|collection| collection.key_id == SEVERAL) {
                let before = self.known.get(&joined.job).map(|kept| kept.key_id);
                let first = collections.get(&joined.job).map(|collection| collection.first.key_id);
                about.extend([Some(made.key_id), before, first].into_iter().flatten().map(|key| (key, joined.job)));
            }
        }
        let ring = desk.sealer.ring();
        about.extend(further.iter().filter_map(|(job, owner, _)| Some((keys.get(&ring.owner_hash(owner))?.id(), *job))));
        about.sort_unstable();
        about.dedup();
        pipe.later().add(&INSERT_ABOUT, about, |query, (key, job)| query.bind(key).bind(job.bytes().to_vec()));
        for (id, collection) in collections.iter_mut().filter(|(_, collection)| collection.key_id == SEVERAL) {
            let Some(job) = self.state.jobs.get(id) else { continue };
            let hash = desk.sealer.ring().owner_hash(&Owner::of_several(&job.connection, job.clinic.as_deref()));
            collection.key_id = keys.get(&hash).ok_or_else(|| lost_job(job))?.id();
        }
        Ok(collections)
    }

    /// The jobs that collected events of this batch whose further people the action reads too, with each of these and when.
    fn further(&self) -> Vec<(JobId, Owner, Timestamp)> {
        let mut further = Vec::new();
        for joined in &self.state.dirty.joined {
            let Some(job) = self.state.jobs.get(&joined.job) else { continue };
            let Some(arrival) = self.arrivals.iter().find(|arrival| arrival.event.id == joined.event) else { continue };
            let people = also_about(arrival, job).iter().filter_map(|place| arrival.people.get(*place));
            let owner = |person: &Person| Owner::of_people(&job.connection, job.clinic.as_deref(), vec![person.hash]);
            further.extend(people.map(|person| (job.id, owner(person), job.reference)));
        }
        further
    }

    /// The keys of new jobs whose actions read what is of several people: what comes of them goes with any of these.
    async fn together(&self, pipe: &mut Pipeline<'_>, desk: &mut Desk) -> Result<HashMap<JobId, i64>, Error> {
        let (mut owners, mut jobs) = (HashMap::new(), Vec::new());
        for job in self.state.dirty.new_jobs.iter().filter_map(|id| self.state.jobs.get(id)) {
            let Some(arrival) = self.arrivals.iter().find(|arrival| arrival.event.id == job.event && arrival.people.len() > 1) else {
                continue;
            };
            let also = also_about(arrival, job);
            if also.is_empty() {
                continue;
            }
            let people = arrival.people.iter().enumerate();
            let people = people.filter(|(place, person)| person.parts.is_none() || also.contains(place)).map(|(_, person)| person.hash);
            let owner = Owner::of_people(&job.connection, job.clinic.as_deref(), people.collect());
            let hash = desk.sealer.ring().owner_hash(&owner);
            owners.entry(hash).or_insert((owner, job.reference));
            jobs.push((job.id, hash));
        }
        let keys = desk.sealer.owners(pipe, owners).await?;
        Ok(jobs.into_iter().filter_map(|(job, hash)| Some((job, keys.get(&hash)?.id()))).collect())
    }

    fn joined<'j>(&'j self, joined: &Joined, seqs: &HashMap<JobId, i64>, events: &HashMap<EventId, Made>) -> Option<JoinedRow<'j>> {
        let made = events.get(&joined.event)?;
        let event = &self.arrivals.iter().find(|arrival| arrival.event.id == joined.event)?.event;
        let job = *seqs.get(&joined.job)?;
        Some(JoinedRow { job, time: event.order(), event: made.seq, connection: &event.connection, clinic: event.clinic.as_deref() })
    }

    fn windows(&self, trip: &mut Trip) {
        let mut left = self.state.dirty.windows.clone();
        let mut rows = Vec::with_capacity(left.len());
        for (arrival, candidate) in self.arrivals.iter().flat_map(|arrival| arrival.candidates.iter().map(move |one| (arrival, one))) {
            let Plan::Fire { over, .. } = &candidate.plan else { continue };
            let windows = [over.throttle.map(|throttle| throttle.window), over.count.map(|count| count.window)];
            for key in windows.into_iter().flatten().filter(|key| left.remove(key)) {
                let event = &arrival.event;
                let window = self.state.windows.get(&key);
                rows.extend(window.map(|window| WindowOf { key, window, connection: &event.connection, clinic: event.clinic.as_deref() }));
            }
        }
        windows::put(trip, rows);
    }

    fn ended<'j>(&self, kept: Kept, job: &'j Job, was_live: bool) -> Ended<'j> {
        let at = self.ended.get(&job.id).copied().unwrap_or(job.reference);
        Ended { kept, job, at, summary: None, was_live }
    }

    fn keys(&self, trip: &mut Trip) {
        let mut left = self.state.dirty.keys.clone();
        let mut rows = Vec::with_capacity(left.len());
        for (arrival, candidate) in self.accepted().flat_map(|arrival| arrival.candidates.iter().map(move |one| (arrival, one))) {
            let Some(key) = candidate.plan.key().filter(|key| left.remove(key)) else { continue };
            rows.extend(self.key_of(key, &arrival.event.connection, arrival.event.clinic.as_deref()));
        }
        // The rest are keys of jobs that a changed record ended, or of what stale events opened.
        for job in self.state.jobs.values() {
            let Some(key) = job.key.filter(|key| left.remove(key)) else { continue };
            rows.extend(self.key_of(key, &job.connection, job.clinic.as_deref()));
        }
        jobs::put_keys(trip, rows);
    }

    fn key_of<'k>(&self, key: KeyHash, connection: &'k str, clinic: Option<&'k str>) -> Option<KeyOf<'k>> {
        self.state.keys.get(&key).map(|row| KeyOf { key, row: row.clone(), connection, clinic })
    }
}

/// Those of the people of `arrival` whose own parts the action of `job` reads, by their places.
fn also_about<'a>(arrival: &'a Arrival, job: &Job) -> &'a [usize] {
    let of = |candidate: &&Candidate| candidate.origin.automation == job.automation && candidate.origin.action == job.action;
    let plans = arrival.candidates.iter().filter(of).map(|candidate| &candidate.plan);
    let also = plans.filter_map(|plan| match plan {
        Plan::Fire { also_about, .. } => Some(also_about.as_slice()),
        Plan::Cancel { .. } => None,
    });
    also.max_by_key(|also| also.len()).unwrap_or_default()
}

/// A record, as `records` holds it.
pub(crate) struct SealedRecord<'a> {
    pub hash: KeyHash,
    pub connection: &'a str,
    pub clinic: Option<&'a str>,
    pub kind: &'a str,
    pub time: Timestamp,
    pub key_id: i64,
    pub sealed: Vec<u8>,
}

/// Whose a record is.
pub(crate) struct Owned {
    pub key: Arc<DataKey>,
    pub clinic: Option<String>,
}

const OWNED: &str = in_list!("SELECT record, clinic, key_id FROM records WHERE record", "");

/// Whose the records at `hashes` are, as far as there are any whose key was not destroyed.
pub(crate) async fn owned(
    conn: &mut SqliteConnection,
    ring: &Keyring,
    hashes: &HashSet<KeyHash>,
) -> Result<HashMap<KeyHash, Owned>, Error> {
    let rows = fetch_in(conn, "read whose records are", OWNED, bytes(hashes)).await?;
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "records", "record")).collect();
    let ids = rows.iter().map(|row| row.get("key_id")).collect::<Result<Vec<i64>, _>>()?;
    let keys = Keys::load(conn, ring, ids.clone()).await?;
    let mut owned = HashMap::with_capacity(rows.len());
    for (row, id) in rows.iter().zip(ids) {
        if let Ok(key) = keys.get(id) {
            owned.insert(row.hash("record")?, Owned { key: key.clone(), clinic: row.get("clinic")? });
        }
    }
    Ok(owned)
}

/// Writes records, the last one last.
pub(crate) fn put_records(trip: &mut Trip, rows: Vec<SealedRecord<'_>>) {
    trip.add_all("records", &PUT_RECORDS, rows, |query, row| {
        query
            .bind(row.hash.0.to_vec())
            .bind(Interned(row.connection))
            .bind(row.clinic.map(Interned))
            .bind(Interned(row.kind))
            .bind(ms(row.time))
            .bind(row.key_id)
            .bind(row.sealed)
    });
}

/// Data keys by owner.
pub(crate) struct OwnerKeys(pub KeyMap<Arc<DataKey>>);

impl OwnerKeys {
    pub(crate) fn of(&self, ring: &Keyring, owner: &Owner) -> Result<&Arc<DataKey>, Error> {
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
