//! What recent events are found by, before it stands in the tables.
//!
//! Hashes come in no order: a batch that wrote each into its index would rewrite as many pages as it has events, most of them for one entry,
//! and these pages would be most of what is written. So they are kept here first and are merged into the tables later, many at a time and in
//! order, a little with each batch, as a log-structured merge tree does it (O'Neil et al. 1996). Nothing depends on this memory: the rows of
//! the events have the same, and are read again up from the last one that was merged wholly.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use zelo_core::clock::from_ms;
use zelo_core::decide::State;
use zelo_core::{Arrival, EventId, KeyHash, KeyMap};

use super::bulk::Rows;
use super::column::{Columns, ms};
use super::open::meta;
use super::record::PARTS;
use super::trip::Trip;
use crate::Error;

const PUT_DELIVERIES: Rows = Rows {
    doing: "store deliveries",
    head: "INSERT OR IGNORE INTO deliveries (delivery, event) SELECT * FROM (VALUES",
    columns: 2,
    tail: ") WHERE column1 IS NOT NULL",
};

const PUT_ENTITIES: Rows = Rows {
    doing: "store entities",
    head: "INSERT INTO entities (entity, connection, clinic, kind, newest) \
        SELECT column1, e.connection, e.clinic, coalesce(e.entity_type, ''), column2 FROM (VALUES",
    columns: 3,
    tail: ") JOIN events e ON e.seq = column3 WHERE column1 IS NOT NULL ON CONFLICT (entity) DO UPDATE SET \
        newest = max(newest, excluded.newest), clinic = coalesce(excluded.clinic, clinic)",
};

const PUT_KEYS: Rows = Rows {
    doing: "store what stands under keys",
    head: "INSERT OR IGNORE INTO key_parts (key_id, part_id) SELECT * FROM (VALUES",
    columns: 2,
    tail: ") WHERE column1 IS NOT NULL",
};

const PUT_THINGS: Rows = Rows {
    doing: "store what events speak of",
    head: "INSERT OR IGNORE INTO entity_events (entity, event) SELECT * FROM (VALUES",
    columns: 2,
    tail: ") WHERE column1 IS NOT NULL",
};

const UNMERGED: &str = "SELECT seq, event_id, delivery, entity AS thing, CASE status WHEN 'accepted' THEN entity END AS entity, clinic IS NOT NULL AS placed, time, received, keys \
    FROM events WHERE seq > ?1 ORDER BY seq";

const MARK: &str = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// With each delivery and each part that comes, this many of those before are merged: what is being merged is gone before as many have come again.
const EACH: usize = 2;

/// What is merged besides with each batch.
const BESIDE: usize = 16;

/// An event that was stored.
pub(crate) struct Stored<'a> {
    pub seq: i64,
    pub arrival: &'a Arrival,
    /// Whether it had a say about its entity.
    pub accepted: bool,
    /// The keys of its parts, with the numbers of these.
    pub keys: &'a [(u8, i64)],
}

/// The newest time of an entity, and the event that says whose it is.
#[derive(Clone, Copy)]
struct Newest {
    time: Timestamp,
    event: i64,
    /// Whether that event names a clinic.
    placed: bool,
}

impl Newest {
    fn and(self, later: Self) -> Self {
        let named = if later.placed || !self.placed { later } else { self };
        Self { time: self.time.max(later.time), ..named }
    }
}

/// What some events are found by, in no order.
#[derive(Default)]
struct Found {
    deliveries: KeyMap<(i64, EventId)>,
    entities: KeyMap<Newest>,
    parts: Vec<(i64, i64)>,
    /// What each speaks of, whether it had a say about it or not.
    things: Vec<(KeyHash, i64)>,
    /// The last of them.
    upto: i64,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.deliveries.is_empty() && self.entities.is_empty() && self.parts.is_empty() && self.things.is_empty()
    }

    fn add(
        &mut self,
        seq: i64,
        delivery: (KeyHash, EventId),
        thing: Option<KeyHash>,
        entity: Option<(KeyHash, Newest)>,
        keys: &[(u8, i64)],
    ) {
        self.things.extend(thing.map(|thing| (thing, seq)));
        self.deliveries.insert(delivery.0, (seq, delivery.1));
        self.parts.extend(keys.iter().map(|(part, key)| (*key, seq * PARTS + i64::from(*part))));
        if let Some((hash, newest)) = entity {
            self.heard(hash, newest);
        }
        self.upto = self.upto.max(seq);
    }

    fn heard(&mut self, entity: KeyHash, newest: Newest) {
        self.entities.entry(entity).and_modify(|before| *before = before.and(newest)).or_insert(newest);
    }

    /// Takes over what `later` has, and leaves it empty.
    fn absorb(&mut self, later: &mut Self) {
        self.deliveries.extend(later.deliveries.drain());
        self.parts.append(&mut later.parts);
        self.things.append(&mut later.things);
        for (hash, newest) in later.entities.drain() {
            self.heard(hash, newest);
        }
        self.upto = self.upto.max(later.upto);
    }

    /// Writes it into the tables, in their order. What stands there already may be written again.
    fn store(&self, trip: &mut Trip) {
        let rows = sorted(self.deliveries.iter().map(|(hash, (seq, _))| (*hash, *seq)));
        trip.add(&PUT_DELIVERIES, rows, |query, (hash, seq)| query.bind(hash.0.to_vec()).bind(seq));
        let mut rows: Vec<_> = self.entities.iter().map(|(hash, newest)| (*hash, *newest)).collect();
        rows.sort_unstable_by_key(|(hash, _)| *hash);
        trip.add(&PUT_ENTITIES, rows, |query, (hash, newest)| query.bind(hash.0.to_vec()).bind(ms(newest.time)).bind(newest.event));
        trip.add(&PUT_KEYS, sorted(self.parts.iter().copied()), |query, (key, part)| query.bind(key).bind(part));
        trip.add(&PUT_THINGS, sorted(self.things.iter().copied()), |query, (hash, seq)| query.bind(hash.0.to_vec()).bind(seq));
    }
}

fn sorted<T: Ord>(rows: impl Iterator<Item = T>) -> Vec<T> {
    let mut rows: Vec<T> = rows.collect();
    rows.sort_unstable();
    rows
}

/// What is being merged: it is still found, and taken out from the first to the last of each table.
#[derive(Default)]
struct Merging {
    found: Found,
    /// The keys of what is found by key, last first; the others are in this order themselves.
    deliveries: Vec<KeyHash>,
    entities: Vec<KeyHash>,
}

impl Merging {
    fn of(mut found: Found) -> Self {
        let last_first = |keys: &mut Vec<KeyHash>| keys.sort_unstable_by(|one, other| other.cmp(one));
        let (mut deliveries, mut entities) = (found.deliveries.keys().copied().collect(), found.entities.keys().copied().collect());
        last_first(&mut deliveries);
        last_first(&mut entities);
        found.parts.sort_unstable_by(|one, other| other.cmp(one));
        found.things.sort_unstable_by(|one, other| other.cmp(one));
        Self { found, deliveries, entities }
    }

    /// The first of each, taken out: as many as keep up with `fresh`, and some more.
    fn take(&mut self, fresh: &Found) -> Found {
        let some = |fresh: usize| fresh * EACH + BESIDE;
        let (events, parts) = (some(fresh.deliveries.len()), some(fresh.parts.len()));
        let found = &mut self.found;
        let deliveries = last(&mut self.deliveries, events).filter_map(|hash| found.deliveries.remove_entry(&hash)).collect();
        let entities = last(&mut self.entities, events).filter_map(|hash| found.entities.remove_entry(&hash)).collect();
        let (parts, things) = (last(&mut found.parts, parts).collect(), last(&mut found.things, events).collect());
        Found { deliveries, entities, parts, things, upto: found.upto }
    }
}

/// As many as `some` from the end of `all`, taken out.
fn last<T>(all: &mut Vec<T>, some: usize) -> impl Iterator<Item = T> {
    all.drain(all.len().saturating_sub(some)..)
}

/// What recent events are found by.
pub(crate) struct Recent {
    /// As many events are kept before they are merged.
    limit: usize,
    older: Merging,
    newer: Found,
    /// What the present transaction has stored.
    fresh: Found,
    /// What the present transaction has merged, of what was stored before.
    merged: Found,
}

impl Recent {
    /// As the database stands, keeping `limit` events before they are merged.
    pub(crate) async fn load(conn: &mut SqliteConnection, limit: usize) -> Result<Self, Error> {
        let (newer, fresh, merged) = Default::default();
        let mut recent = Self { limit, older: Merging::default(), newer, fresh, merged };
        let merged = meta(conn, MERGED).await?;
        let merged: i64 = merged.and_then(|text| String::from_utf8(text).ok()?.parse().ok()).unwrap_or(0);
        let rows = sqlx::query(UNMERGED).bind(merged).fetch_all(conn).await.map_err(Error::database("read the recent events"))?;
        for row in &rows {
            let row = Columns::new(row, "events", "seq");
            let (seq, order) = (row.get("seq")?, row.time("time")?.min(row.time("received")?));
            let newest = Newest { time: order, event: seq, placed: row.get("placed")? };
            let entity = row.opt_hash("entity")?.map(|hash| (hash, newest));
            let keys = unpacked(row.get::<Option<&[u8]>>("keys")?.unwrap_or_default());
            recent.newer.add(seq, (row.hash("delivery")?, row.event_id("event_id")?), row.opt_hash("thing")?, entity, &keys);
        }
        Ok(recent)
    }

    /// Adds what `arrivals` ask for to what the tables say.
    pub(crate) fn fill(&self, arrivals: &[Arrival], state: &mut State) {
        for all in [&self.older.found, &self.newer, &self.fresh] {
            for arrival in arrivals {
                if let Some((_, event)) = all.deliveries.get(&arrival.delivery) {
                    state.deliveries.insert(arrival.delivery, *event);
                }
                if let Some((entity, newest)) = arrival.entity.and_then(|entity| Some((entity, all.entities.get(&entity)?))) {
                    state.entities.entry(entity).and_modify(|time| *time = newest.time.max(*time)).or_insert(newest.time);
                }
            }
        }
    }

    /// The present transaction has stored an event.
    pub(crate) fn add(&mut self, stored: &Stored<'_>) {
        let Stored { seq, arrival, accepted, keys } = *stored;
        let event = &arrival.event;
        let newest = Newest { time: from_ms(ms(event.order())), event: seq, placed: event.clinic.is_some() };
        let entity = arrival.entity.filter(|_| accepted).map(|hash| (hash, newest));
        self.fresh.add(seq, (arrival.delivery, event.id), arrival.entity, entity, keys);
    }

    /// Merges a little, as much as keeps up with what comes.
    pub(crate) fn advance(&mut self, trip: &mut Trip) {
        if self.older.found.is_empty() || self.fresh.is_empty() {
            return;
        }
        let mut some = self.older.take(&self.fresh);
        some.store(trip);
        self.merged.absorb(&mut some);
        if self.older.found.is_empty() {
            mark(trip, self.older.found.upto);
        }
    }

    /// Merges all of it: whoever reads the tables finds everything in them then.
    pub(crate) async fn flush(&mut self, conn: &mut SqliteConnection) -> Result<(), Error> {
        if self.older.found.is_empty() && self.newer.is_empty() && self.fresh.is_empty() {
            return Ok(());
        }
        self.merged.absorb(&mut std::mem::take(&mut self.older).found);
        self.merged.absorb(&mut self.newer);
        let fresh = std::mem::take(&mut self.fresh);
        let mut trip = Trip::default();
        self.merged.store(&mut trip);
        fresh.store(&mut trip);
        mark(&mut trip, self.merged.upto.max(fresh.upto));
        trip.make(conn).await
    }

    /// The transaction is on disk.
    pub(crate) fn committed(&mut self) {
        self.newer.absorb(&mut self.fresh);
        self.merged = Found::default();
        if self.older.found.is_empty() && self.newer.deliveries.len().max(self.newer.parts.len()) >= self.limit {
            self.older = Merging::of(std::mem::take(&mut self.newer));
        }
    }

    /// The transaction was taken back.
    pub(crate) fn rolled_back(&mut self) {
        self.fresh = Found::default();
        // Where it came from, or before all that is left: the mark of what is merged must not pass it.
        if !self.merged.is_empty() {
            let mut found = std::mem::take(&mut self.older).found;
            found.absorb(&mut self.merged);
            self.older = Merging::of(found);
        }
    }
}

pub(crate) const MERGED: &str = "merged";

/// Notes that the tables have everything of the events up to `upto`.
fn mark(trip: &mut Trip, upto: i64) {
    trip.add_one("note what is merged", MARK, |query| query.bind(MERGED).bind(upto.to_string().into_bytes()));
}

/// The keys of the parts of an event, as its row holds them.
pub(crate) fn packed(keys: &[(u8, i64)]) -> Vec<u8> {
    keys.iter().flat_map(|(part, key)| [part.to_le_bytes().as_slice(), &key.to_le_bytes()].concat()).collect()
}

fn unpacked(packed: &[u8]) -> Vec<(u8, i64)> {
    let (all, _) = packed.as_chunks::<9>();
    all.iter().map(|[part, key @ ..]| (*part, i64::from_le_bytes(*key))).collect()
}
