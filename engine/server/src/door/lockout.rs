//! Who has failed to be verified too often, and is not looked at for a while. Pure: time is an argument.
//!
//! What is locked out is a *place* (an address; of IPv6 its /64) *at a connection*, never a connection and never an address as a whole.
//! Three things keep whoever forges deliveries from locking out the provider:
//!
//! - A place from which a delivery was verified within [`Policy::known_for`] is *known* at that connection, and never locked out there,
//!   whatever else comes from it: providers share their addresses with others.
//! - A *signature* cannot be guessed, so looking at one gives nothing away: from a place that is locked out, [`Policy::looks`] of them
//!   are looked at in each second. One that is good is let in, and ends the lock-out. Only what could be guessed, a token or a
//!   password, is not looked at.
//! - A lock-out ends by itself. It begins with [`Policy::first`] and is twice as long each time, up to [`Policy::longest`].
//!
//! Memory is bounded: strangers push out strangers only, and only towards leniency; who is known is known by deliveries that were
//! verified, which a forger has none of.

use std::collections::HashMap;
use std::time::Duration;

use super::network::Place;

/// The number of a connection.
pub(crate) type At = usize;

/// How much is forgiven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    /// The failure that locks out; each one after a lock-out locks out again.
    pub(crate) failures: u32,
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    /// How long failures are remembered, after the last or after a lock-out.
    pub(crate) remember: Duration,
    pub(crate) known_for: Duration,
    /// Signatures from a place that is locked out, in each second.
    pub(crate) looks: u32,
    /// Places with failures that are remembered, over all connections.
    pub(crate) suspects_max: usize,
    /// Places that are known, at each connection.
    pub(crate) known_max: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            failures: 10,
            first: Duration::from_secs(30),
            longest: Duration::from_secs(60 * 60),
            remember: Duration::from_secs(24 * 60 * 60),
            known_for: Duration::from_secs(7 * 24 * 60 * 60),
            looks: 5,
            suspects_max: 16_384,
            known_max: 1024,
        }
    }
}

/// What a delivery shows to be verified by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A secret itself: one could try them all.
    Guessable,
    Signature,
}

/// What becomes of a delivery before it is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    /// It is looked at; its place is known.
    Known,
    /// It is looked at.
    Stranger,
    /// It is looked at although its place is locked out, for this time yet: if it fails, it hears that.
    Watched(Duration),
    /// It is not looked at; to come again after this time.
    Shut(Duration),
}

/// A place that has failed.
#[derive(Clone, Copy, Debug, Default)]
struct Suspect {
    failures: u32,
    /// How often it was locked out.
    locks: u32,
    /// Until when it is, or was.
    until: Duration,
    /// When it failed last.
    last: Duration,
    /// When the second began in which so many signatures were looked at.
    looks: (Duration, u32),
}

/// Who has failed, and who is known.
#[derive(Debug)]
pub(crate) struct Lockouts {
    policy: Policy,
    suspects: HashMap<(At, Place), Suspect>,
    /// By connection, then place: when the last delivery was verified.
    known: HashMap<At, HashMap<Place, Duration>>,
}

impl Lockouts {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, suspects: HashMap::new(), known: HashMap::new() }
    }

    /// What becomes of a delivery that comes from `place` `now`.
    pub(crate) fn ask(&mut self, at: At, place: Place, proof: Proof, now: Duration) -> Say {
        if self.is_known(at, place, now) {
            return Say::Known;
        }
        let Some(suspect) = self.suspects.get_mut(&(at, place)) else { return Say::Stranger };
        let left = suspect.until.saturating_sub(now);
        match proof {
            _ if left.is_zero() => Say::Stranger,
            Proof::Guessable => Say::Shut(left),
            Proof::Signature => match suspect.look(self.policy.looks, now) {
                Ok(()) => Say::Watched(left),
                Err(wait) => Say::Shut(wait),
            },
        }
    }

    /// A delivery from `place` was verified.
    pub(crate) fn verified(&mut self, at: At, place: Place, now: Duration) {
        self.suspects.remove(&(at, place));
        let (known_max, known_for) = (self.policy.known_max, self.policy.known_for);
        let known = self.known.entry(at).or_default();
        if known.len() >= known_max && !known.contains_key(&place) {
            known.retain(|_, last| now.saturating_sub(*last) < known_for);
            drop_oldest(known, known_max, |last| *last);
        }
        known.insert(place, now);
    }

    /// A delivery from `place` was not verified. The time for which it is locked out by that, if it is.
    pub(crate) fn failed(&mut self, at: At, place: Place, now: Duration) -> Option<Duration> {
        if self.is_known(at, place, now) {
            return None;
        }
        if self.suspects.len() >= self.policy.suspects_max && !self.suspects.contains_key(&(at, place)) {
            let remember = self.policy.remember;
            self.suspects.retain(|_, suspect| !suspect.is_over(remember, now));
            drop_oldest(&mut self.suspects, self.policy.suspects_max, |suspect| suspect.last);
        }
        let suspect = self.suspects.entry((at, place)).or_default();
        if suspect.is_over(self.policy.remember, now) {
            *suspect = Suspect::default();
        }
        suspect.last = now;
        // While it is locked out, further failures make that no longer.
        if now < suspect.until {
            return None;
        }
        suspect.failures += 1;
        if suspect.failures < self.policy.failures {
            return None;
        }
        let span = self.policy.first.saturating_mul(1 << suspect.locks.min(20)).min(self.policy.longest);
        suspect.locks += 1;
        suspect.until = now.saturating_add(span);
        Some(span)
    }

    fn is_known(&self, at: At, place: Place, now: Duration) -> bool {
        let last = self.known.get(&at).and_then(|known| known.get(&place));
        last.is_some_and(|last| now.saturating_sub(*last) < self.policy.known_for)
    }
}

impl Suspect {
    /// Takes one of the looks of this second; else how long it is to the next.
    fn look(&mut self, looks: u32, now: Duration) -> Result<(), Duration> {
        const SECOND: Duration = Duration::from_secs(1);
        let (began, taken) = self.looks;
        if now.saturating_sub(began) >= SECOND {
            self.looks = (now, 0);
        } else if taken >= looks {
            return Err((began + SECOND).saturating_sub(now));
        }
        self.looks.1 += 1;
        Ok(())
    }

    /// Whether nothing is left to be remembered of it.
    fn is_over(&self, remember: Duration, now: Duration) -> bool {
        now.saturating_sub(self.last.max(self.until)) >= remember
    }
}

/// Makes room where a map holds `max` or more: those that were there last stay, three quarters of them. So it is looked through once
/// in many times.
fn drop_oldest<K: std::hash::Hash + Eq + Copy, V>(map: &mut HashMap<K, V>, max: usize, last: impl Fn(&V) -> Duration) {
    if map.len() < max {
        return;
    }
    let mut ages: Vec<(Duration, K)> = map.iter().map(|(key, value)| (last(value), *key)).collect();
    let surplus = map.len() - max + max.div_ceil(4);
    ages.sort_unstable_by_key(|(last, _)| *last);
    for (_, key) in ages.into_iter().take(surplus) {
        map.remove(&key);
    }
}

#[cfg(test)]
#[path = "lockout_tests.rs"]
mod tests;
