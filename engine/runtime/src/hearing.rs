//! What is heard through each connection: counted in memory as it comes, written by the caretaker, judged by [`zelo_core::hearing`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use zelo_core::hearing::{self, Hour};
use zelo_core::{SignedDuration, Timestamp};
use zelo_store::HeardHour;

use crate::{Connection, Runtime};

/// Refusals that are no fault of what was sent.
const OWN_FAULTS: [&str; 4] = ["busy", "unavailable", "stopping", "internal"];

/// What is known of all connections.
#[derive(Debug)]
pub(crate) struct Hearing {
    /// Since when this process listens.
    listening: Timestamp,
    connections: HashMap<String, Mutex<Ear>>,
    /// Whether what was heard before this process has been read.
    recalled: AtomicBool,
}

/// What is known of one connection.
#[derive(Debug, Default)]
struct Ear {
    expect: Option<SignedDuration>,
    heard: hearing::Heard,
    /// What of this is not in the store.
    unwritten: hearing::Heard,
    /// Whether it was logged that it is silent, and that refusals rise.
    logged: (bool, bool),
}

/// How a connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    pub connection: String,
    /// When a delivery was acknowledged last, as far as it is known.
    pub last: Option<Timestamp>,
    /// Nothing has come for longer than it should.
    pub silent: bool,
    /// More is refused than usual.
    pub refusals_rise: bool,
}

impl Hearing {
    pub(crate) fn new<'c>(listening: Timestamp, connections: impl IntoIterator<Item = &'c Connection>) -> Self {
        let ear = |connection: &Connection| Mutex::new(Ear { expect: connection.expect, ..Ear::default() });
        let connections = connections.into_iter().map(|connection| (connection.name.clone(), ear(connection))).collect();
        Self { listening, connections, recalled: AtomicBool::new(false) }
    }

    fn with(&self, connection: &str, act: impl FnOnce(&mut Ear)) {
        if let Some(ear) = self.connections.get(connection) {
            act(&mut lock(ear));
        }
    }

    /// A delivery of `connection` was acknowledged.
    pub(crate) fn accepted(&self, connection: &str, at: Timestamp) {
        self.with(connection, |ear| {
            ear.heard.accepted(at);
            ear.unwritten.accepted(at);
        });
    }

    fn refused(&self, connection: &str, at: Timestamp) {
        self.with(connection, |ear| {
            ear.heard.refused(at);
            ear.unwritten.refused(at);
        });
    }

    /// What is not in the store, as if it were from now on.
    fn unwritten(&self) -> Vec<HeardHour> {
        let mut unwritten = Vec::new();
        for (connection, ear) in &self.connections {
            let hours = std::mem::take(&mut lock(ear).unwritten);
            unwritten.extend(hours.hours().map(|(hour, came)| HeardHour { connection: connection.clone(), hour, came }));
        }
        unwritten
    }

    fn at(&self, now: Timestamp) -> Vec<Heard> {
        let stands = |(connection, ear): (&String, &Mutex<Ear>)| {
            let Ear { expect, heard, .. } = &*lock(ear);
            Heard {
                connection: connection.clone(),
                last: heard.last(),
                silent: heard.is_silent(*expect, self.listening, now),
                refusals_rise: heard.refusals_rise(now),
            }
        };
        let mut all: Vec<Heard> = self.connections.iter().map(stands).collect();
        all.sort_unstable_by(|one, other| one.connection.cmp(&other.connection));
        all
    }
}

impl Runtime {
    /// A delivery was refused for `reason`, a word of this program; of `connection`, where that is one of ours.
    pub fn count_refused(&self, connection: Option<&str>, reason: &'static str) {
        self.metrics().refused(connection, reason);
        if let Some(connection) = connection.filter(|_| !OWN_FAULTS.contains(&reason)) {
            self.0.hearing.refused(connection, self.clock.now());
        }
    }

    /// How each connection stands now, by name.
    pub fn heard(&self) -> Vec<Heard> {
        self.0.hearing.at(self.clock.now())
    }

    /// What came through `connection`, by the hour since 1970 and in order, as far as it is known; nothing where it is none of ours.
    pub fn heard_by_hour(&self, connection: &str) -> Vec<(i64, Hour)> {
        let mut hours = Vec::new();
        self.0.hearing.with(connection, |ear| hours = ear.heard.hours().collect());
        hours
    }

    /// Writes down what was heard and is not written yet, reads once what was heard before this process, and says in the log which
    /// connections have fallen silent, or are refused more than usual, and which are not any more.
    pub async fn note_heard(&self, now: Timestamp) {
        if let Err(error) = self.write_heard(now).await {
            tracing::error!(%error, "what came through connections was not written down; this is tried again in a minute");
        }
        for Heard { connection, last, silent, refusals_rise } in self.0.hearing.at(now) {
            let mut before = (silent, refusals_rise);
            self.0.hearing.with(&connection, |ear| {
                ear.heard.forget(now);
                before = std::mem::replace(&mut ear.logged, before);
            });
            let last = last.map(tracing::field::display);
            match (before.0, silent) {
                (false, true) => tracing::warn!(connection, last, "nothing comes any more"),
                (true, false) => tracing::info!(connection, last, "something comes again"),
                _ => {}
            }
            match (before.1, refusals_rise) {
                (false, true) => tracing::warn!(connection, "more is refused than usual"),
                (true, false) => tracing::info!(connection, "no more is refused than usual"),
                _ => {}
            }
        }
    }

    async fn write_heard(&self, now: Timestamp) -> Result<(), zelo_store::Error> {
        let hearing = &self.0.hearing;
        // First of all: what this process writes would be read as what was there before it.
        if !hearing.recalled.load(Ordering::Acquire) {
            for HeardHour { connection, hour, came } in self.store.heard().await? {
                // What is to come, by a clock that went wrong, has not been heard.
                if hour <= hearing::hour_of(now) {
                    let came = Hour { last: came.last.map(|last| last.min(now)), ..came };
                    hearing.with(&connection, |ear| ear.heard.add(hour, came));
                }
            }
            hearing.recalled.store(true, Ordering::Release);
        }
        let unwritten = hearing.unwritten();
        if unwritten.is_empty() {
            return Ok(());
        }
        let written = self.store.add_heard(unwritten.clone(), now).await;
        if written.is_err() {
            for HeardHour { connection, hour, came } in unwritten {
                hearing.with(&connection, |ear| ear.unwritten.add(hour, came));
            }
        }
        written
    }
}

fn lock(ear: &Mutex<Ear>) -> MutexGuard<'_, Ear> {
    ear.lock().unwrap_or_else(PoisonError::into_inner)
}
