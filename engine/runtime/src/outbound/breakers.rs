//! Which destinations are left alone: a [breaker](zelo_core::breaker) for each, in the memory of this process. A process that starts
//! knows nothing, and asks everybody.
//!
//! A destination is a scheme, a host and a port. Nothing is kept of one that never failed. Redirects are not held, and say nothing
//! about where they lead to: the request had begun before.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zelo_core::breaker::{Breaker, Heard, Held, Pass, Standing};
use zelo_core::http::{HttpGrant, Target};
use zelo_core::{SignedDuration, Timestamp};

use crate::Runtime;

/// Destinations that are remembered at most. Rules spell them out, so it takes a mistake to come so far; those that come then are asked
/// without a breaker.
const DESTINATIONS_MAX: usize = 1_000;

/// One that has worked for so long is forgotten when room is needed.
const IDLE: SignedDuration = SignedDuration::from_hours(1);

/// The destinations of this process that failed.
#[derive(Debug, Default)]
pub(crate) struct Breakers(Mutex<BTreeMap<String, Destination>>);

/// A destination that failed at least once.
#[derive(Debug)]
struct Destination {
    host: String,
    breaker: Breaker,
    /// When something was heard of it last.
    heard: Timestamp,
}

/// A destination that is left alone, or being tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    pub host: String,
    pub since: Timestamp,
    /// Before when nothing goes there; nothing where it is being tried.
    pub again: Option<Timestamp>,
}

/// The leave to send one request. Dropped without a word (the attempt was broken off), it has said nothing about the destination.
pub(crate) struct Passage {
    runtime: Runtime,
    origin: String,
    host: String,
    pass: Option<Pass>,
}

impl Breakers {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Destination>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Destination {
    /// Who is not let through.
    fn held(&mut self, now: Timestamp, jitter: u64) -> Option<Held> {
        let Down { host, since, again } = self.down()?;
        Some(Held { host, since, again, until: self.breaker.place(now, jitter) })
    }

    fn down(&self) -> Option<Down> {
        let (since, again) = match self.breaker.standing() {
            Standing::Closed => return None,
            Standing::Open { since, until } => (since, Some(until)),
            Standing::HalfOpen { since } => (since, None),
        };
        Some(Down { host: self.host.clone(), since, again })
    }
}

impl Runtime {
    /// Asks to send a request to `url`.
    pub(crate) fn pass(&self, url: &Target) -> Result<Passage, Held> {
        let (now, origin, host) = (self.clock.now(), url.origin(), url.host());
        let mut known = self.breakers.lock();
        let pass = match known.get_mut(&origin) {
            None => Pass::UNKNOWN,
            Some(destination) => {
                let before = destination.breaker.standing();
                let pass = destination.breaker.ask(now);
                self.tell(&host, before, destination.breaker.standing());
                match pass {
                    Some(pass) => pass,
                    None => match destination.held(now, self.jitter()) {
                        Some(held) => return Err(held),
                        None => Pass::UNKNOWN,
                    },
                }
            }
        };
        drop(known);
        Ok(Passage { runtime: self.clone(), origin, host, pass: Some(pass) })
    }

    /// What holds an action back whatever it asks for: none of the destinations that `grants` name would be asked now.
    pub(crate) fn held_everywhere(&self, grants: &[HttpGrant]) -> Option<Held> {
        let now = self.clock.now();
        let mut known = self.breakers.lock();
        let mut last = None;
        for grant in grants {
            let origin = grant.request.destination().origin();
            last = Some(known.get(&origin).filter(|destination| !destination.breaker.lets(now)).map(|_| origin)?);
        }
        known.get_mut(&last?)?.held(now, self.jitter())
    }

    /// The destinations that are left alone or being tried, by their hosts.
    pub fn down(&self) -> Vec<Down> {
        let mut all: Vec<Down> = self.looked_at().values().filter_map(Destination::down).collect();
        all.sort_by(|one, other| one.host.cmp(&other.host));
        all
    }

    /// How each destination that ever failed stands, by its host: closed, half-open or open; of several ports of one host, the worst.
    pub(crate) fn breaker_states(&self) -> BTreeMap<String, u64> {
        let mut all = BTreeMap::new();
        for destination in self.looked_at().values() {
            let state = match destination.breaker.standing() {
                Standing::Closed => 0,
                Standing::HalfOpen { .. } => 1,
                Standing::Open { .. } => 2,
            };
            let worst = all.entry(destination.host.clone()).or_insert(state);
            *worst = state.max(*worst);
        }
        all
    }

    /// All of them, as they stand now.
    fn looked_at(&self) -> MutexGuard<'_, BTreeMap<String, Destination>> {
        let now = self.clock.now();
        let mut known = self.breakers.lock();
        for destination in known.values_mut() {
            let before = destination.breaker.standing();
            let after = destination.breaker.look(now);
            self.tell(&destination.host, before, after);
        }
        known
    }

    /// Says when a destination goes down or works again.
    fn tell(&self, host: &str, before: Standing, after: Standing) {
        match (before, after) {
            (Standing::Open { .. }, Standing::Open { .. }) => {}
            (_, Standing::Open { until, .. }) => {
                self.metrics().opened(host);
                // One that is down for an hour is tried a dozen times: once is news.
                if before == Standing::Closed {
                    tracing::warn!(host, %until, "a destination is down: it is left alone, and what is for it waits");
                } else {
                    tracing::debug!(host, %until, "a destination is still down");
                }
            }
            (Standing::Open { .. } | Standing::HalfOpen { .. }, Standing::Closed) => tracing::info!(host, "a destination works again"),
            _ => {}
        }
    }

    fn jitter(&self) -> u64 {
        let mut bytes = [0; 8];
        self.entropy.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

impl Passage {
    /// Says what was heard. Where this was the probe, and the destination is still down: what its job waits for.
    pub(crate) fn end(mut self, heard: Heard) -> Option<Held> {
        self.say(heard)
    }

    fn say(&mut self, heard: Heard) -> Option<Held> {
        let pass = self.pass.take()?;
        let (runtime, is_probe) = (&self.runtime, pass.is_probe());
        let now = runtime.clock.now();
        let mut known = runtime.breakers.lock();
        if !known.contains_key(&self.origin) {
            if matches!(heard, Heard::Working | Heard::Nothing) {
                return None;
            }
            if known.len() >= DESTINATIONS_MAX {
                known.retain(|_, kept| kept.breaker.standing() != Standing::Closed || now.duration_since(kept.heard) < IDLE);
            }
            if known.len() >= DESTINATIONS_MAX {
                return None;
            }
        }
        let new = || Destination { host: self.host.clone(), breaker: Breaker::new(now), heard: now };
        let destination = known.entry(self.origin.clone()).or_insert_with(new);
        let before = destination.breaker.standing();
        destination.breaker.ended(pass, heard, now, runtime.jitter());
        destination.heard = now;
        runtime.tell(&self.host, before, destination.breaker.standing());
        let is_down = matches!(destination.breaker.standing(), Standing::Open { .. });
        if is_probe && is_down { destination.held(now, runtime.jitter()) } else { None }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.say(Heard::Nothing);
    }
}
