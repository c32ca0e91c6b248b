//! What recent events are found by, before it stands in the tables.
//!
//! Hashes come in no order: a batch that wrote each into its index would rewrite as many pages as it has events, most of them for one entry,
//! and these pages would be most of what is written. So they are kept here first and are merged into the tables later, many at a time and in
//! order, a little with each batch, as a log-structured merge tree does it (O'Neil et al. 1996). Nothing depends on this memory: the rows of
//! the events have the same, and are read again up from the last one that was merged wholly.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use zelo_core::clock::from_ms;
use zelo_core::decide::State;
use zelo_core::{Arrival, EventId, KeyHash};

use super::bulk::Rows;
use super::column::{Columns, ms};
use super::open::{meta, put_meta};
use super::record::PARTS;
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

/// What some events are found by.
#[derive(Default)]
struct Found {
    deliveries: BTreeMap<KeyHash, (i64, EventId)>,
    entities: BTreeMap<KeyHash, Newest>,
    parts: BTreeSet<(i64, i64)>,
    /// What each speaks of, whether it had a say about it or not.
    things: BTreeSet<(KeyHash, i64)>,
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
            self.entities.entry(hash).and_modify(|before| *before = before.and(newest)).or_insert(newest);
        }
        self.upto = self.upto.max(seq);
    }

    fn absorb(&mut self, later: &mut Self) {
        // Not `append`, which goes through all of both.
        self.deliveries.extend(std::mem::take(&mut later.deliveries));
        self.parts.extend(std::mem::take(&mut later.parts));
        self.things.extend(std::mem::take(&mut later.things));
        for (hash, newest) in std::mem::take(&mut later.entities) {
            self.entities.entry(hash).and_modify(|before| *before = before.and(newest)).or_insert(newest);
        }
        self.upto = self.upto.max(later.upto);
    }

    /// The first of each, taken out: as many as keep up with `fresh`, and some more.
    fn take(&mut self, fresh: &Self) -> Self {
        let some = |fresh: usize| fresh * EACH + BESIDE;
        let mut taken = Self { upto: self.upto, ..Self::default() };
        taken.deliveries.extend(std::iter::from_fn(|| self.deliveries.pop_first()).take(some(fresh.deliveries.len())));
        taken.entities.extend(std::iter::from_fn(|| self.entities.pop_first()).take(some(fresh.deliveries.len())));
        taken.parts.extend(std::iter::from_fn(|| self.parts.pop_first()).take(some(fresh.parts.len())));
        taken.things.extend(std::iter::from_fn(|| self.things.pop_first()).take(some(fresh.deliveries.len())));
        taken
    }

    /// Writes it into the tables. What stands there already may be written again.
    async fn store(&self, conn: &mut SqliteConnection) -> Result<(), Error> {
        let rows = self.deliveries.iter().map(|(hash, (seq, _))| (hash.0.to_vec(), *seq)).collect();
        PUT_DELIVERIES.run(conn, rows, |query, (hash, seq)| query.bind(hash).bind(seq)).await?;
        let rows = self.entities.iter().map(|(hash, newest)| (hash.0.to_vec(), *newest)).collect();
        PUT_ENTITIES.run(conn, rows, |query, (hash, newest)| query.bind(hash).bind(ms(newest.time)).bind(newest.event)).await?;
        let rows = self.parts.iter().copied().collect();
        PUT_KEYS.run(conn, rows, |query, (key, part)| query.bind(key).bind(part)).await?;
        let rows = self.things.iter().map(|(hash, seq)| (hash.0.to_vec(), *seq)).collect();
        PUT_THINGS.run(conn, rows, |query, (hash, seq)| query.bind(hash).bind(seq)).await?;
        Ok(())
    }
}

/// What recent events are found by.
pub(crate) struct Recent {
    /// As many events are kept before they are merged.
    limit: usize,
    /// What is being merged.
    older: Found,
    newer: Found,
    /// What the present transaction has stored.
    fresh: Found,
    /// What the present transaction has merged, of what was stored before.
    merged: Found,
}

impl Recent {
    /// As the database stands, keeping `limit` events before they are merged.
    pub(crate) async fn load(conn: &mut SqliteConnection, limit: usize) -> Result<Self, Error> {
        let mut recent =
            Self { limit, older: Found::default(), newer: Found::default(), fresh: Found::default(), merged: Found::default() };
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
        for all in [&self.older, &self.newer, &self.fresh] {
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
    pub(crate) async fn advance(&mut self, conn: &mut SqliteConnection) -> Result<(), Error> {
        if self.older.is_empty() || self.fresh.is_empty() {
            return Ok(());
        }
        let mut some = self.older.take(&self.fresh);
        let stored = some.store(conn).await;
        let last = self.older.is_empty();
        self.merged.absorb(&mut some);
        stored?;
        if last {
            mark(conn, self.older.upto).await?;
        }
        Ok(())
    }

    /// Merges all of it: whoever reads the tables finds everything in them then.
    pub(crate) async fn flush(&mut self, conn: &mut SqliteConnection) -> Result<(), Error> {
        if self.older.is_empty() && self.newer.is_empty() && self.fresh.is_empty() {
            return Ok(());
        }
        self.merged.absorb(&mut self.older);
        self.merged.absorb(&mut self.newer);
        let fresh = std::mem::take(&mut self.fresh);
        self.merged.store(conn).await?;
        fresh.store(conn).await?;
        mark(conn, self.merged.upto.max(fresh.upto)).await
    }

    /// The transaction is on disk.
    pub(crate) fn committed(&mut self) {
        self.newer.absorb(&mut self.fresh);
        self.merged = Found::default();
        if self.older.is_empty() && self.newer.deliveries.len().max(self.newer.parts.len()) >= self.limit {
            self.older = std::mem::take(&mut self.newer);
        }
    }

    /// The transaction was taken back.
    pub(crate) fn rolled_back(&mut self) {
        self.fresh = Found::default();
        // Where it came from, or before all that is left: the mark of what is merged must not pass it.
        self.older.absorb(&mut self.merged);
    }
}

pub(crate) const MERGED: &str = "merged";

/// Notes that the tables have everything of the events up to `upto`.
async fn mark(conn: &mut SqliteConnection, upto: i64) -> Result<(), Error> {
    put_meta(conn, MERGED, upto.to_string().into_bytes()).await
}

/// The keys of the parts of an event, as its row holds them.
pub(crate) fn packed(keys: &[(u8, i64)]) -> Vec<u8> {
    keys.iter().flat_map(|(part, key)| [part.to_le_bytes().as_slice(), &key.to_le_bytes()].concat()).collect()
}

fn unpacked(packed: &[u8]) -> Vec<(u8, i64)> {
    let (all, _) = packed.as_chunks::<9>();
    all.iter().map(|[part, key @ ..]| (*part, i64::from_le_bytes(*key))).collect()
}
