//! What people are known by beside what a connection calls them: keyed hashes of CPF, phone and e-mail address.

use std::collections::HashSet;

use zelo_core::{Event, Identity, KeyHash};

use super::bulk::Rows;
use super::column::ms;
use super::interned::Interned;
use super::trip::Trip;
use super::writer::Desk;

const KNOW: Rows = Rows {
    doing: "store what people are known by",
    head: "INSERT OR IGNORE INTO identities (identity, key_id, kind, connection, clinic, seen) SELECT * FROM (VALUES",
    columns: 6,
    tail: ") WHERE column1 IS NOT NULL",
};

/// As many are remembered as written, so that what people are known by is not written again with each of their events.
const REMEMBERED: usize = 65_536;

/// An identity of the person whose key is `key_id`, as an event tells it.
pub(crate) struct Known<'a> {
    pub identity: Identity,
    pub key_id: i64,
    pub event: &'a Event,
}

/// What is known to be written.
#[derive(Default)]
pub(crate) struct Written {
    committed: HashSet<(KeyHash, i64)>,
    fresh: Vec<(KeyHash, i64)>,
}

impl Written {
    /// The transaction is on disk.
    pub(crate) fn committed(&mut self) {
        if self.committed.len() + self.fresh.len() > REMEMBERED {
            self.committed.clear();
        }
        self.committed.extend(self.fresh.drain(..));
    }

    /// The transaction was taken back.
    pub(crate) fn rolled_back(&mut self) {
        self.fresh.clear();
    }

    /// Keys were destroyed, and what was written for them.
    pub(crate) fn forget(&mut self, keys: &[i64]) {
        self.committed.retain(|(_, key)| !keys.contains(key));
        self.fresh.retain(|(_, key)| !keys.contains(key));
    }
}

/// Writes what is not known to be written.
pub(crate) fn know(trip: &mut Trip, desk: &mut Desk, known: Vec<Known<'_>>) {
    let mut seen = HashSet::new();
    let is_new =
        |one: &Known<'_>| seen.insert((one.identity.hash, one.key_id)) && !desk.known.committed.contains(&(one.identity.hash, one.key_id));
    let rows: Vec<Known<'_>> = known.into_iter().filter(is_new).collect();
    desk.known.fresh.extend(rows.iter().map(|one| (one.identity.hash, one.key_id)));
    trip.add(&KNOW, rows, |query, one| {
        query
            .bind(one.identity.hash.0.to_vec())
            .bind(one.key_id)
            .bind(Interned(one.identity.kind.as_str()))
            .bind(Interned(&one.event.connection))
            .bind(one.event.clinic.as_deref().map(Interned))
            .bind(ms(one.event.received))
    });
}
