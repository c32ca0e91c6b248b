//! Times in conditions: instants, days, times counted from the event, and hours of the week.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use zelo_core::timing::SendWindow;

use super::{Circumstances, Documents, Spot};
use crate::time;

/// Hours of the day, days of the week, or both.
#[derive(Clone, Debug)]
pub struct Within {
    /// From the first, up to but not including the second; a later first is a window over midnight.
    pub hours: Option<(Time, Time)>,
    /// None: every day. The day is that of the time itself, also after midnight.
    pub weekdays: BTreeSet<Day>,
    pub zone: ZoneOfTime,
}

/// A day of the week, in the order of ISO 8601.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub(super) i8);

/// Whose local time is meant.
#[derive(Clone, Debug)]
pub enum ZoneOfTime {
    /// The clinic's, as the source says.
    Clinic,
    Fixed(TimeZone),
    /// The name of a zone that stands there; where none does, the clinic's.
    At(Spot),
}

/// The names of days in files, Monday first.
pub(crate) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Day {
    fn of(weekday: Weekday) -> Self {
        Self(weekday.to_monday_zero_offset())
    }

    /// The name in files.
    pub fn name(self) -> &'static str {
        usize::try_from(self.0).ok().and_then(|index| DAYS.get(index)).copied().unwrap_or_default()
    }
}

impl Within {
    /// Whether the time that `text` says is inside. A date alone has no hour.
    pub(super) fn contains(&self, text: &str, documents: &dyn Documents) -> bool {
        let circumstances = documents.circumstances();
        let (day, hour) = match (time::instant(text, &circumstances.zone), time::day(text)) {
            (Some(instant), _) => {
                let local = instant.to_zoned(self.zone.now(documents));
                (local.weekday(), Some(local.time()))
            }
            (None, Some(date)) => (date.weekday(), None),
            (None, None) => return false,
        };
        let in_hours = |(from, to): (Time, Time)| hour.is_some_and(|hour| SendWindow { from, to }.contains(hour));
        self.hours.is_none_or(in_hours) && (self.weekdays.is_empty() || self.weekdays.contains(&Day::of(day)))
    }
}

impl ZoneOfTime {
    /// Where it stands, if it does.
    pub(super) fn spot(&self) -> Option<&Spot> {
        if let Self::At(spot) = self { Some(spot) } else { None }
    }

    fn now(&self, documents: &dyn Documents) -> TimeZone {
        let clinic = || documents.circumstances().local();
        match self {
            Self::Clinic => clinic(),
            Self::Fixed(zone) => zone.clone(),
            Self::At(spot) => spot.nodes(documents).iter().find_map(|node| time::zone(node.as_str()?)).unwrap_or_else(clinic),
        }
    }
}

impl Circumstances<'_> {
    /// The zone of the clinic, else that of the source's times.
    fn local(&self) -> TimeZone {
        self.clinic_zone.clone().unwrap_or_else(|| self.zone.clone())
    }
}

/// The instant that `text` says: an instant of the payload, a day (its beginning in the clinic's zone), or a time counted from the
/// event: `now`, `+24h`, `-2d`.
pub(super) fn moment(text: &str, circumstances: &Circumstances<'_>) -> Option<Timestamp> {
    if let Some(offset) = relative(text) {
        return circumstances.time.checked_add(offset).ok();
    }
    stated(text, circumstances)
}

/// The instant that `text` says by itself: an instant of the payload, or a day.
pub(super) fn stated(text: &str, circumstances: &Circumstances<'_>) -> Option<Timestamp> {
    time::instant(text, &circumstances.zone).or_else(|| beginning(time::day(text)?, &circumstances.local()))
}

/// How far from the event a time is that counts from it.
fn relative(text: &str) -> Option<SignedDuration> {
    match text.split_at_checked(1)? {
        _ if text == "now" => Some(SignedDuration::ZERO),
        ("+", after) => time::duration(after),
        ("-", before) => time::duration(before).map(|before| -before),
        _ => None,
    }
}

/// Whether [`moment`] can read `text`.
pub(crate) fn is_moment(text: &str) -> bool {
    relative(text).is_some() || time::instant(text, &TimeZone::UTC).is_some() || time::day(text).is_some()
}

fn beginning(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    Some(day.to_zoned(zone.clone()).ok()?.timestamp())
}
