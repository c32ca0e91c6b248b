//! When an action runs.

use serde_json::{Value, json};

use super::patterns::{self, or_template};
use super::table::{Keys, not_both};
use super::values::{any_of, first_by_default, fitting, path, string, with, zone};
use crate::rule::{IF_LATE, PRIORITIES};

/// The keys of an action that are about time.
pub(super) fn keys(action: Keys) -> Keys {
    action
        .may("at", "The time of the payload that it counts from. Absent: at once.", at())
        .may("after", "So long after the event itself, instead of `at`.", duration())
        .may("send_window", "The hours in which it runs; outside it waits for the next opening, where that is not too late.", window())
        .may("if_late", "What to do where the due time had passed when the event happened.", first_by_default(&IF_LATE))
        .may("throttle", "At most so many jobs in any span of time.", throttle())
        .may("count", "Only with the event that makes it so many, and then from the beginning.", count())
        .may("debounce", "One job for all events that come until it is quiet.", debounce())
        .may("priority", "How soon it is let in beside what else waits.", first_by_default(&PRIORITIES))
        .may("order_by", "Path: jobs with the same value run one after another, in the order in which they became ready.", path())
        .may("concurrency", "At most so many jobs of this action at once.", any_of([at_once(), apart()]))
        .may("expires", "So long after the due time it is skipped.", duration())
}

/// How many jobs may run at once.
pub(super) fn at_once() -> Value {
    json!({ "type": "integer", "minimum": 1, "maximum": 1000 })
}

fn apart() -> Value {
    Keys::new()
        .need("limit", "So many jobs.", at_once())
        .may("by", "Path: limited apart for each value. Absent: all together.", path())
        .schema()
}

fn throttle() -> Value {
    Keys::new()
        .need("limit", "So many jobs.", amount())
        .need("per", "In any span of this length.", duration())
        .may("by", "Path: counted apart for each value. Absent: by the action's key.", path())
        .schema()
}

fn count() -> Value {
    Keys::new()
        .need("at_least", "So many events.", amount())
        .need("within", "In a span of this length.", duration())
        .may("by", "Path: counted apart for each value. Absent: by the action's key.", path())
        .schema()
}

fn debounce() -> Value {
    Keys::new()
        .need("wait", "Quiet for so long.", duration())
        .may("max", "At most so long after the first of them.", duration())
        .may("by", "Path: collected apart for each value. Absent: all together.", path())
        .schema()
}

/// A whole number, or a template that gives one.
fn amount() -> Value {
    let template = with(string(), json!({ "pattern": r"\{\{" }));
    any_of([at_once(), template])
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
