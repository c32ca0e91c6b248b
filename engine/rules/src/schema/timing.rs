//! When an action runs.

use serde_json::Value;

use super::patterns::{self, or_template};
use super::table::{Keys, not_both};
use super::values::{any_of, first_by_default, fitting, path, string, zone};
use crate::rule::IF_LATE;

/// The keys of an action that are about time.
pub(super) fn keys(action: Keys) -> Keys {
    action
        .may("at", "The time of the payload that it counts from. Absent: at once.", at())
        .may("after", "So long after the event itself, instead of `at`.", duration())
        .may("send_window", "The hours in which it runs; outside it waits for the next opening, where that is not too late.", window())
        .may("if_late", "What to do where the due time had passed when the event happened.", first_by_default(&IF_LATE))
        .may("expires", "So long after the due time it is skipped.", duration())
}

fn duration() -> Value {
    fitting(&or_template(patterns::DURATION))
}

fn time_of_day() -> Value {
    fitting(&or_template(patterns::TIME_OF_DAY))
}

fn at() -> Value {
    Keys::new()
        .need("time", "Path of a time, of names and indexes only.", path())
        .may("before", "So long before that time.", duration())
        .may("after", "So long after that time.", duration())
        .holds(not_both("before", "after"))
        .schema()
}

fn window() -> Value {
    let of_record = Keys::new()
        .need("record", "The lookup whose record names the zone.", string())
        .need("path", "Where it stands in the record.", path())
        .schema();
    Keys::new()
        .need("from", "The time of day when it opens.", time_of_day())
        .need("to", "The time of day when it closes.", time_of_day())
        .may(
            "timezone",
            "A zone, or `{ record, path }`. Where that yields none: the source's `clinic_timezone`.",
            any_of([zone(), of_record]),
        )
        .schema()
}
