//! When a job is due.
//!
//! A job keeps its *anchor* (the appointment's time) and its *reference* (when the event that made it happened). Its due
//! time is a function of these two, the rule and the records in force, and of nothing else: the same deliveries give
//! the same due times whenever they get through, and a due time can be computed again at any later moment.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::Value;

use crate::arrival::LookupRef;
use crate::hash::KeyHash;
use crate::id::AutomationId;
use crate::job::{Job, Reason};

/// What the rules in force say about time. Implemented over a rule set; a plain table in tests.
pub trait Timetable: Send + Sync {
    /// When the job asked about is due, on the records given.
    ///
    /// # Errors
    /// Why there is nothing to run: the rule is gone, or it is too late and the rule says `if_late = "skip"`.
    fn due(&self, question: &DueQuestion<'_>, records: &dyn Records) -> Result<Due, Reason>;
}

/// What a [`Timetable`] is asked.
#[derive(Clone, Debug)]
pub struct DueQuestion<'a> {
    pub automation: &'a AutomationId,
    pub action: &'a str,
    pub anchor: Option<Timestamp>,
    pub reference: Timestamp,
    /// The events that the job collects: the first happened at `reference`, the last at `anchor`.
    pub collected: u32,
    pub lookups: &'a [LookupRef],
    /// The clinic of the job: an automation may not be the one that is in force there any more.
    pub clinic: Option<&'a str>,
}

impl<'a> DueQuestion<'a> {
    /// About `job`, as it stands.
    pub fn of(job: &'a Job) -> Self {
        Self {
            automation: &job.automation,
            action: &job.action,
            anchor: job.anchor,
            reference: job.reference,
            collected: job.collected,
            lookups: &job.lookups,
            clinic: job.clinic.as_deref(),
        }
    }
}

/// Reads records.
pub trait Records {
    /// The record at `hash`, if there is one.
    fn record(&self, hash: KeyHash) -> Option<&Value>;
}

/// When a job is to run, and from when on it is too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub at: Timestamp,
    pub expires: Option<Timestamp>,
}

/// The hours in which messages may go out: every day from `from`, up to but not including `to`.
///
/// `from` later than `to` is a window over midnight; equal bounds are the whole day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendWindow {
    pub from: Time,
    pub to: Time,
}

/// What to do with a job whose time has passed before it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfLate {
    /// Run it as soon as it may run.
    Now,
    /// Do not run it.
    Skip,
}

/// The timing of an action, with settings and records filled in.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Added to the anchor; negative for `before`.
    pub offset: SignedDuration,
    pub window: Option<(SendWindow, TimeZone)>,
    pub if_late: IfLate,
    pub expires: Option<SignedDuration>,
}

impl Timing {
    /// The due time for `anchor` (none: as soon as possible), judged from `reference`.
    ///
    /// Outside the window it is the next opening; if that is not before the anchor, the last allowed minute before it;
    /// if that is past too, `if_late` decides. Without an anchor the next opening always holds.
    ///
    /// # Errors
    /// It is too late, and the rule says to skip then, or the anchor itself has passed.
    pub fn due(&self, anchor: Option<Timestamp>, reference: Timestamp) -> Result<Due, Reason> {
        let late = || Reason::new("late", "its time had passed before the event came, and the rule skips late ones");
        let Some(anchor) = anchor else {
            return Ok(self.expiring(self.opening(reference)));
        };
        let ideal = add(anchor, self.offset);
        let in_time = self.windowed(ideal, anchor);
        if in_time >= reference {
            return Ok(self.expiring(in_time));
        }
        if self.if_late == IfLate::Skip {
            return Err(late());
        }
        if self.offset.is_negative() && anchor <= reference {
            return Err(Reason::new("late", "the time it counts from had passed before the event came"));
        }
        let soonest = self.windowed(reference, anchor);
        Ok(self.expiring(soonest.max(reference)))
    }

    fn expiring(&self, at: Timestamp) -> Due {
        Due { at, expires: self.expires.map(|after| add(at, after)) }
    }

    /// `instant` where it is allowed; else the next opening, or the last allowed minute before `anchor` where the
    /// opening comes too late and the action is one that comes *before* its anchor.
    fn windowed(&self, instant: Timestamp, anchor: Timestamp) -> Timestamp {
        let opening = self.opening(instant);
        if opening == instant || opening < anchor || !self.offset.is_negative() {
            return opening;
        }
        match &self.window {
            Some((window, zone)) => window.last_minute_before(anchor, zone),
            None => instant,
        }
    }

    fn opening(&self, instant: Timestamp) -> Timestamp {
        match &self.window {
            Some((window, zone)) => window.opening(instant, zone),
            None => instant,
        }
    }
}

impl SendWindow {
    /// Whether the local `time` is inside.
    pub fn contains(&self, time: Time) -> bool {
        if self.from < self.to { self.from <= time && time < self.to } else { time >= self.from || time < self.to || self.from == self.to }
    }

    /// `instant`, or the next moment at which the window opens in `zone`.
    pub fn opening(&self, instant: Timestamp, zone: &TimeZone) -> Timestamp {
        let local = instant.to_zoned(zone.clone()).datetime();
        if self.contains(local.time()) {
            return instant;
        }
        let today = local.date();
        let day = if local.time() < self.from { today } else { next(today) };
        at(day.to_datetime(self.from), zone, instant)
    }

    /// The last whole minute inside the window that begins before `anchor`.
    pub fn last_minute_before(&self, anchor: Timestamp, zone: &TimeZone) -> Timestamp {
        let before = add(anchor, SignedDuration::from_secs(-1));
        let local = before.to_zoned(zone.clone()).datetime();
        let minute = local.date().to_datetime(Time::constant(local.hour(), local.minute(), 0, 0));
        if self.contains(local.time()) {
            return at(minute, zone, anchor);
        }
        let day = if local.time() >= self.to { local.date() } else { previous(local.date()) };
        let close = at(day.to_datetime(self.to), zone, anchor);
        add(close, SignedDuration::from_mins(-1))
    }
}

/// A local time as an instant; in a gap or fold of the clock the compatible reading (RFC 5545 §3.3.5).
fn at(local: DateTime, zone: &TimeZone, otherwise: Timestamp) -> Timestamp {
    zone.to_timestamp(local).unwrap_or(otherwise)
}

fn next(day: Date) -> Date {
    day.saturating_add(1.day())
}

fn previous(day: Date) -> Date {
    day.saturating_sub(1.day())
}

fn add(instant: Timestamp, offset: SignedDuration) -> Timestamp {
    instant.saturating_add(offset).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ts(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn timing(hours: i64, if_late: IfLate) -> Timing {
        Timing {
            offset: SignedDuration::from_hours(-hours),
            window: Some((
                SendWindow { from: Time::constant(8, 0, 0, 0), to: Time::constant(20, 0, 0, 0) },
                TimeZone::get("America/Sao_Paulo").unwrap(),
            )),
            if_late,
            expires: Some(SignedDuration::from_hours(2)),
        }
    }

    fn due(hours: i64, anchor: &str, reference: &str) -> String {
        match timing(hours, IfLate::Now).due(Some(ts(anchor)), ts(reference)) {
            Ok(due) => due.at.to_string(),
            Err(reason) => reason.code,
        }
    }

    #[test]
    fn a_day_before_in_local_hours() {
        // São Paulo is UTC-3: 10:00 local is 13:00 UTC.
        assert_eq!(due(24, "2026-03-06T13:00:00Z", "2026-03-02T15:00:00Z"), "2026-03-05T13:00:00Z");
        // 06:17 local a day before is outside: the window opens at 08:00 local.
        assert_eq!(due(24, "2017-05-30T09:17:03Z", "2017-05-28T12:00:00Z"), "2017-05-29T11:00:00Z");
    }

    #[test]
    fn an_opening_that_comes_too_late_becomes_the_last_minute_before() {
        // 07:30 local, one hour before: 06:30 is closed, 08:00 is after it, so 19:59 the evening before.
        assert_eq!(due(1, "2026-03-06T10:30:00Z", "2026-03-02T15:00:00Z"), "2026-03-05T22:59:00Z");
    }

    #[test]
    fn late_is_judged_from_the_event() {
        // Booked at 15:00 local for 10:00 the next day: 24 hours before has passed, so at once.
        assert_eq!(due(24, "2026-03-06T13:00:00Z", "2026-03-05T18:00:00Z"), "2026-03-05T18:00:00Z");
        // Booked at 23:00 local for 10:00: the next opening.
        assert_eq!(due(24, "2026-03-06T13:00:00Z", "2026-03-06T02:00:00Z"), "2026-03-06T11:00:00Z");
        // Booked at 23:00 local for 07:30: the opening is too late, the evening has passed, `now` is left.
        assert_eq!(due(24, "2026-03-06T10:30:00Z", "2026-03-06T02:00:00Z"), "2026-03-06T02:00:00Z");
        // Told about only after the appointment.
        assert_eq!(due(24, "2026-03-06T10:30:00Z", "2026-03-06T10:30:00Z"), "late");
        assert!(timing(24, IfLate::Skip).due(Some(ts("2026-03-06T13:00:00Z")), ts("2026-03-05T18:00:00Z")).is_err());
    }

    #[test]
    fn the_expiry_counts_from_the_due_time() {
        let due = timing(24, IfLate::Now).due(Some(ts("2026-03-06T13:00:00Z")), ts("2026-03-01T00:00:00Z")).unwrap();
        assert_eq!(due.expires, Some(ts("2026-03-05T15:00:00Z")));
    }

    #[test]
    fn a_window_over_midnight() {
        let window = SendWindow { from: Time::constant(20, 0, 0, 0), to: Time::constant(2, 0, 0, 0) };
        let utc = TimeZone::UTC;
        assert_eq!(window.opening(ts("2026-03-05T23:00:00Z"), &utc), ts("2026-03-05T23:00:00Z"));
        assert_eq!(window.opening(ts("2026-03-05T02:00:00Z"), &utc), ts("2026-03-05T20:00:00Z"));
        assert_eq!(window.last_minute_before(ts("2026-03-05T12:00:00Z"), &utc), ts("2026-03-05T01:59:00Z"));
        assert_eq!(window.last_minute_before(ts("2026-03-05T20:00:00Z"), &utc), ts("2026-03-05T01:59:00Z"));
    }

    proptest! {
        /// Whatever the window and the anchor: a time found in the window is in it, is before the anchor, and not
        /// before the event, except where `if_late` had to decide.
        #[test]
        fn a_due_time_keeps_its_promises(
            from in 0..24i8, to in 0..24i8, hours in 1..72i64,
            anchor in 0..2_000_000i64, lead in 1..400_000i64, zone in prop::sample::select(vec!["America/Sao_Paulo", "America/Noronha", "Asia/Kathmandu", "America/New_York", "UTC"]),
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let window = SendWindow { from: Time::constant(from, 0, 0, 0), to: Time::constant(to, 0, 0, 0) };
            let anchor = Timestamp::from_second(1_772_900_000 + anchor).unwrap();
            let reference = add(anchor, SignedDuration::from_secs(-lead));
            let timing = Timing { offset: SignedDuration::from_hours(-hours), window: Some((window, zone.clone())), if_late: IfLate::Now, expires: None };
            let at = timing.due(Some(anchor), reference).unwrap().at;
            prop_assert!(at < anchor && at >= reference);
            let inside = window.contains(at.to_zoned(zone.clone()).time());
            prop_assert!(inside || at == reference, "{at} is closed");
            if !inside {
                // Then no allowed minute is left between the event and the anchor.
                let mut minute = add(reference, SignedDuration::from_secs(60));
                while minute < anchor {
                    prop_assert!(!window.contains(minute.to_zoned(zone.clone()).time()) || add(minute, SignedDuration::from_secs(-60)) < reference);
                    minute = add(minute, SignedDuration::from_secs(60));
                }
            }
        }
    }
}
