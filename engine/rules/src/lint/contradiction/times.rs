//! Times that cannot be before one and after another.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Test, literal};
use crate::condition::{Right, TestKind};
use crate::time;

/// A time as it is written, which decides with what it can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// Counted from the event.
    Relative(SignedDuration),
    /// With an offset.
    Instant(Timestamp),
    /// A day, or a time, of some zone: shown as if that were UTC.
    Day(Timestamp),
    Local(Timestamp),
}

/// Whether something must be before a time that is not later than one it must be after.
pub(super) fn out_of_order(tests: &[Test<'_>]) -> bool {
    let positive = || tests.iter().filter(|test| !test.negated).map(|test| test.kind);
    let befores = positive().filter_map(|kind| if let TestKind::Before(right) = kind { written(right) } else { None });
    let afters: Vec<Written> =
        positive().filter_map(|kind| if let TestKind::After(right) = kind { written(right) } else { None }).collect();
    befores.into_iter().any(|before| afters.iter().any(|after| not_later(before, *after)))
}

fn written(right: &Right) -> Option<Written> {
    let text = literal(right)?.as_str()?;
    if text == "now" {
        return Some(Written::Relative(SignedDuration::ZERO));
    }
    match text.split_at_checked(1)? {
        ("+", after) => return time::duration(after).map(Written::Relative),
        ("-", before) => return time::duration(before).map(|before| Written::Relative(-before)),
        _ => {}
    }
    if let Some(day) = time::day(text) {
        return Some(Written::Day(day.to_zoned(TimeZone::UTC).ok()?.timestamp()));
    }
    let instant = time::instant(text, &TimeZone::UTC)?;
    Some(if text.trim().parse::<Timestamp>().is_ok() { Written::Instant(instant) } else { Written::Local(instant) })
}

/// Whether `a` is surely not later than `b`.
fn not_later(a: Written, b: Written) -> bool {
    match (a, b) {
        (Written::Relative(a), Written::Relative(b)) => a <= b,
        (Written::Instant(a), Written::Instant(b)) | (Written::Day(a), Written::Day(b)) => a <= b,
        // Where clocks are put forward, an hour that there is not comes after one that there is.
        (Written::Local(a), Written::Local(b)) => a == b || b.duration_since(a) >= SignedDuration::from_hours(24),
        _ => false,
    }
}
