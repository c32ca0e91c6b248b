//! `[[then]]`: actions.

use serde_json::{Value, json};

use super::table::{Keys, named};
use super::values::{any_of, boolean, by_language, fitting, list, name, path, refers, some, string, text, types, with, word};
use super::{grant, patterns, timing};
use crate::rule::TRANSFORMS;
use crate::rule::basis::{BASES, CONSENTS};

pub(super) fn action() -> Value {
    let needs = any_of([string(), with(list(&string()), json!({ "uniqueItems": true }))]);
    let keys = Keys::new()
        .need("name", "Names the action within its rule.", name())
        .need("plugin", "The plugin that does it; it may be pinned: `reminder@1`.", string())
        .may("on", "Some of the rule's types. Absent: all of them.", types())
        .may("when", "A condition over the event, beside the rule's own. Absent: nothing more.", refers("condition"))
        .may("needs", "Actions above this one: it runs after them, for the same event.", needs)
        .may("key", "Path: jobs with the same value are one. A newer event replaces the pending job.", path())
        .may("cancel_on", "These events cancel the pending job, and never fire this action.", list(&cancellation()))
        .may("only_if", "Conditions that are asked when the job runs, of fresh records too.", some(&refers("condition")))
        .may("purpose", "Why. What is sensitive, or of a health service, needs it.", text())
        .may(
            "basis",
            "On what legal basis: an article of the LGPD, item and letter. What is sensitive, or of a health service, needs one of article 11.",
            word(&BASES),
        )
        .may(
            "consent",
            "A topic: the action does not run for who has withdrawn consent to it. Where the basis is consent, only for who has given it.",
            name(),
        )
        .may("allow", "The fields that reach the plugin; nothing else is ever read.", named(&field_name(), &field()))
        .may("with", "The plugin's inputs: templates over the fields and `settings`.", named(&json!({}), &refers("input")))
        .may("grant", "What the plugin may do. Nothing is granted by default.", grant::grant())
        .holds(json!({ "if": { "required": ["cancel_on"] }, "then": { "anyOf": [{ "required": ["key"] }, { "required": ["debounce"] }] } }))
        .holds(json!({ "anyOf": [{ "not": consenting() }, { "required": ["consent"] }] }))
        .holds(json!({ "not": { "anyOf": [{ "required": ["at", "after"] }, { "required": ["order_by", "debounce"] }] } }));
    timing::keys(keys).schema()
}

fn cancellation() -> Value {
    Keys::new()
        .need("type", "The types of events that cancel.", types())
        .need("key", "Where the key of the job stands in those events.", path())
        .schema()
}

/// An action whose basis is consent.
fn consenting() -> Value {
    json!({ "properties": { "basis": { "enum": CONSENTS } }, "required": ["basis"] })
}

/// A name that templates can say, and do not use for something else.
fn field_name() -> Value {
    with(fitting(patterns::FIELD), json!({ "not": { "enum": ["settings", "steps"] } }))
}

fn field() -> Value {
    let table = Keys::new()
        .need("path", "Where it stands. A singular path yields a value or nothing, any other a list.", path())
        .may("record", "The lookup whose record has it. Absent: the event.", string())
        .may("as", "What is made of it before anything sees it.", word(&TRANSFORMS))
        .may("collected", "With `debounce`: the list of the values in all collected events.", boolean())
        .schema();
    any_of([path(), table])
}

/// What one input of a plugin is given.
pub(super) fn input() -> Value {
    any_of([json!({ "type": ["string", "number", "boolean"] }), list(&refers("input")), by_language(), named(&json!({}), &refers("input"))])
}
