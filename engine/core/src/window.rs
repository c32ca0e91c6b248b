//! Actions over time: how often one may fire, how many events it takes, how long it collects them.
//!
//! Pure: what is remembered is a [`Window`], under a keyed hash of the automation, the action and the value that they are
//! told apart by. All of it is in the time of events ([`crate::Event::order`]), so events that get through late fall where
//! they belong. A span is half open: what is exactly one length later is outside.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::hash::KeyHash;
use crate::id::{AutomationId, JobId};
use crate::job::Reason;

/// Events that one job collects at most; then it is due at once.
pub const COLLECTED_MAX: u32 = 500;

/// Entries that a window remembers at least, however few its limit needs: what room there is for late events.
const KEPT_MIN: usize = 64;

/// What an action says over time, as far as its events go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OverTime {
    pub throttle: Option<Throttle>,
    pub count: Option<Count>,
    /// Where its events are collected, if they are. When that ends is for the [`crate::timing::Timetable`] to say.
    pub debounce: Option<KeyHash>,
}

/// At most `limit` jobs in any span of `per`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    pub window: KeyHash,
    pub limit: u32,
    pub per: SignedDuration,
    pub by: By,
}

/// Fires with the event that makes it `at_least` in a span of `within`, then begins again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub window: KeyHash,
    pub at_least: u32,
    pub within: SignedDuration,
}

/// What tells the windows of an action apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A `by` of its own.
    Path,
    /// The key of the action.
    Key,
    /// Nothing: there is one.
    All,
}

/// An event that was counted, and fired nothing yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub automation: AutomationId,
    pub rule: String,
    pub action: String,
    /// How many there are now, this one among them.
    pub count: u32,
    /// How many it takes.
    pub at_least: u32,
    pub within: SignedDuration,
}

/// How long an action collects events before it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// So long after the last event.
    pub wait: SignedDuration,
    /// But at most so long after the first.
    pub max: Option<SignedDuration>,
}

/// What is remembered under one hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// In order of time; of one time, in order of arrival.
    pub entries: Vec<Entry>,
    /// The time of the newest entry that there was no room for.
    pub forgotten: Option<Timestamp>,
}

/// A job in a window, or an event that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When the event happened.
    pub at: Timestamp,
    /// The job that is there for it; of an event that was only counted, the job that would be.
    pub job: JobId,
}

impl Throttle {
    /// Why a job more is not run.
    pub fn reason(&self) -> Reason {
        let times = if self.limit == 1 { "once".to_owned() } else { format!("{} times", self.limit) };
        let of = match self.by {
            By::Path => " for this `by`",
            By::Key => " for this `key`",
            By::All => "",
        };
        Reason::new("throttled", format!("already fired {times} within {:#}{of}", self.per))
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counted {} of {} within {:#}", self.count, self.at_least, self.within)
    }
}

impl Quiet {
    /// When the collection of so many events ends, of which the first and the last happened then: never before its last.
    pub fn ends(&self, first: Timestamp, last: Timestamp, collected: u32) -> Timestamp {
        if collected >= COLLECTED_MAX {
            return last;
        }
        let quiet = later(last, self.wait);
        self.max.map_or(quiet, |max| quiet.min(later(first, max).max(last)))
    }
}

fn later(instant: Timestamp, by: SignedDuration) -> Timestamp {
    instant.saturating_add(by).unwrap_or(Timestamp::MAX)
}

impl Window {
    /// Takes in a job for an event that happened `at`, unless that made more than `limit` in some span of `per`.
    ///
    /// Exact for whatever order events arrive in, as far as entries are remembered. Where some that might matter are
    /// forgotten (the event is older than the last so many jobs), it says no.
    pub fn admit(&mut self, entry: Entry, limit: u32, per: SignedDuration) -> bool {
        let Entry { at, .. } = entry;
        if self.forgotten.is_some_and(|forgotten| at.duration_since(forgotten) < per) {
            return false;
        }
        let place = self.place(at);
        let mut times: Vec<Timestamp> = self.entries.iter().map(|entry| entry.at).collect();
        times.insert(place, at);
        let limit = limit as usize;
        // The spans that would hold one too many, this one among them.
        let mut crowds = times.windows(limit + 1).skip(place.saturating_sub(limit)).take(limit + 1);
        let crowded =
            crowds.any(|crowd| matches!((crowd.first(), crowd.last()), (Some(first), Some(last)) if last.duration_since(*first) < per));
        if !crowded {
            self.remember(place, entry, limit);
        }
        !crowded
    }

    /// Counts an event: how many of those that were counted, this one among them, the fullest span of `within` around it
    /// holds. If these are `at_least` so many, all are forgotten, and counting begins again.
    pub fn count(&mut self, entry: Entry, at_least: u32, within: SignedDuration) -> u32 {
        let place = self.place(entry.at);
        self.remember(place, entry, at_least as usize);
        let in_span = |first: &Entry, other: &Entry| other.at.duration_since(first.at) < within;
        let firsts = self.entries.iter().enumerate().filter(|(_, first)| first.at <= entry.at && in_span(first, &entry));
        let sizes = firsts.map(|(place, first)| self.entries.iter().skip(place).take_while(|other| in_span(first, other)).count());
        let most = u32::try_from(sizes.max().unwrap_or(1)).unwrap_or(u32::MAX);
        if most >= at_least {
            *self = Self::default();
        }
        most
    }

    /// Puts `new` in the place of `old`, at the time at which that one is remembered. Whether there was one.
    pub fn replace(&mut self, old: JobId, new: JobId) -> bool {
        let entry = self.entries.iter_mut().find(|entry| entry.job == old);
        entry.map(|entry| entry.job = new).is_some()
    }

    /// Where something that happened `at` and arrives now has its place.
    fn place(&self, at: Timestamp) -> usize {
        self.entries.partition_point(|entry| entry.at <= at)
    }

    /// No span holds more than `limit` entries, so twice as many reach further back than one span.
    fn remember(&mut self, place: usize, entry: Entry, limit: usize) {
        self.entries.insert(place, entry);
        let surplus = self.entries.len().saturating_sub(KEPT_MIN.max(limit.saturating_mul(2)));
        if let Some(last) = self.entries.drain(..surplus).next_back() {
            self.forgotten = self.forgotten.max(Some(last.at));
        }
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
