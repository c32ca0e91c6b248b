//! What has been heard through a connection, by the hour; whether it has fallen silent, and whether more is refused than usual.
//!
//! **Silent** is a connection through which nothing was acknowledged for longer than its patience: what its configuration expects, or twice
//! the longest gap in the two weeks up to when it was last heard. Gaps are counted in hours of the clock, so that is two hours at least.
//! Without eight days of history in these two weeks nothing is too long: nights and a weekend have to be in it. Just after the process has
//! begun nothing is too long either: who could not get through sends again.
//!
//! **Refusals rise** where more than ten were refused in this hour of the clock and the one before, and these are more than a tenth of what
//! came, or more than five times what is usual in two hours of the two weeks before, where a day of these is known.
//!
//! Nothing here tells one delivery from another, or knows whose it is.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// Hours that gaps and rates are taken from.
const USUAL: i64 = 14 * 24;

/// Hours for which what was heard is kept: of a connection that is silent, those before it was heard last.
pub const KEPT: i64 = 28 * 24;

/// Hours of history without which nobody knows how a connection speaks: any so many have a whole weekend in them.
const KNOWN: i64 = 8 * 24;

/// How long providers get after a start to send again what did not get through before it.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// As many may be refused without anybody being told.
const REFUSED_MAX: u64 = 10;

/// Hours without which nobody knows how much is usually refused.
const RATE_KNOWN: i64 = 24;

/// What came through a connection in one hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hour {
    /// Deliveries that were acknowledged, by their events.
    pub accepted: u64,
    pub refused: u64,
    /// When one was acknowledged last.
    pub last: Option<Timestamp>,
}

impl Hour {
    fn add(&mut self, more: Self) {
        self.accepted = self.accepted.saturating_add(more.accepted);
        self.refused = self.refused.saturating_add(more.refused);
        self.last = self.last.max(more.last);
    }
}

/// The hour that `at` is in, since 1970.
pub fn hour_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3600)
}

/// What came through one connection, by the hour since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard(BTreeMap<i64, Hour>);

impl Heard {
    /// A delivery was acknowledged.
    pub fn accepted(&mut self, at: Timestamp) {
        self.add(hour_of(at), Hour { accepted: 1, refused: 0, last: Some(at) });
    }

    /// A delivery was refused.
    pub fn refused(&mut self, at: Timestamp) {
        self.add(hour_of(at), Hour { refused: 1, ..Hour::default() });
    }

    /// So much more came in `hour`.
    pub fn add(&mut self, hour: i64, more: Hour) {
        self.0.entry(hour).or_default().add(more);
    }

    /// Each hour in which something came, in order.
    pub fn hours(&self) -> impl Iterator<Item = (i64, Hour)> + '_ {
        self.0.iter().map(|(hour, came)| (*hour, *came))
    }

    /// Forgets what is older than [`KEPT`], but for acknowledged deliveries of a connection that has said nothing since.
    pub fn forget(&mut self, now: Timestamp) {
        let before = hour_of(now) - KEPT;
        let before_last = self.last_hour().map_or(before, |last| last - KEPT);
        self.0.retain(|hour, came| *hour >= before || (came.accepted > 0 && *hour >= before_last));
    }

    /// When a delivery was acknowledged last.
    pub fn last(&self) -> Option<Timestamp> {
        self.0.values().rev().find_map(|came| came.last)
    }

    /// Whether it has been silent for too long at `now`, in a process that began to listen at `listening`. `expect`: after how long it is,
    /// where somebody has said so. Once it is, it stays so until it is heard.
    pub fn is_silent(&self, expect: Option<SignedDuration>, listening: Timestamp, now: Timestamp) -> bool {
        let Some(patience) = expect.or_else(|| self.patience()) else { return false };
        let since = self.last().unwrap_or(listening);
        now.duration_since(since) > patience && now.duration_since(listening) > patience.min(AGAIN)
    }

    /// Whether more is refused than usual.
    pub fn refusals_rise(&self, now: Timestamp) -> bool {
        let recent = hour_of(now) - 1;
        let (mut accepted, mut refused) = (0_u64, 0_u64);
        for came in self.0.range(recent..=recent + 1).map(|(_, came)| came) {
            accepted = accepted.saturating_add(came.accepted);
            refused = refused.saturating_add(came.refused);
        }
        let known = self.0.keys().next().map_or(0, |first| (recent - first).clamp(0, USUAL));
        let usual = self.0.range(recent - known..recent).fold(0_u64, |sum, (_, came)| sum.saturating_add(came.refused));
        let is_share = refused.saturating_mul(9) > accepted;
        // Two hours against two of those that are known.
        let is_unusual = known >= RATE_KNOWN && refused.saturating_mul(known.unsigned_abs()) > usual.saturating_mul(2 * 5);
        refused > REFUSED_MAX && (is_share || is_unusual)
    }

    /// How long a silence may last, going by those that were; nothing: too little is known.
    fn patience(&self) -> Option<SignedDuration> {
        let last = self.last_hour()?;
        let heard: Vec<i64> = self.0.range(last - USUAL..=last).filter(|(_, came)| came.accepted > 0).map(|(hour, _)| *hour).collect();
        let is_known = heard.first().is_some_and(|first| last - first >= KNOWN);
        let longest = heard.windows(2).map(|pair| pair[1] - pair[0]).max().filter(|_| is_known)?;
        Some(SignedDuration::from_hours(2 * longest))
    }

    fn last_hour(&self) -> Option<i64> {
        self.0.iter().rev().find(|(_, came)| came.accepted > 0).map(|(hour, _)| *hour)
    }
}

#[cfg(test)]
#[path = "hearing_tests.rs"]
mod tests;
