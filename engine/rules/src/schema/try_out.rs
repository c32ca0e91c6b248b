//! `[[test]]`: an event, and what the rule does about it.

use serde_json::{Value, json};

use super::patterns;
use super::table::{Keys, named};
use super::values::{anything, boolean, fitting, one_or_list, path, string};

pub(super) fn test() -> Value {
    let record = json!({ "type": ["object", "array"] });
    let anything_by_name = || named(&json!({}), &anything());
    Keys::new()
        .need("name", "What the test says, for who reads that it failed.", string())
        .need("event", "The event that happens.", event())
        .need("now", "When the event happens and arrives: `2026-03-06T13:00:00Z`.", instant())
        .may("connection", "Whose event it is. Absent: of a connection with the source's name.", string())
        .may("records", "The record of a lookup, or a list of them, by the lookup's name.", named(&json!({}), &record))
        .may("steps", "What an action gave that others need, by its name.", anything_by_name())
        .may("settings", "What was chosen; the rest is defaults.", anything_by_name())
        .need("expect", "What the rule must do.", expect())
        .schema()
}

fn instant() -> Value {
    fitting(patterns::INSTANT)
}

fn event() -> Value {
    Keys::new()
        .need("type", "The event's type.", string())
        .may("file", "The file of its payload, relative to the rule's file.", string())
        .may("data", "Its payload.", anything())
        .may("set", "Changes singular paths of the payload first; `{ null = true }` sets null.", named(&path(), &anything()))
        .holds(json!({ "if": { "required": ["file"] }, "then": { "not": { "required": ["data"] } }, "else": { "required": ["data"] } }))
        .schema()
}

fn expect() -> Value {
    Keys::new()
        .may("fires", "Whether any action fires.", boolean())
        .may("cancels", "The actions whose pending jobs it cancels, all of them.", one_or_list(&string()))
        .may("actions", "What is expected of an action, by its name.", named(&json!({}), &expected_action()))
        .schema()
}

fn expected_action() -> Value {
    Keys::new()
        .may("at", "When it is due.", instant())
        .may("with", "Some of the plugin's inputs.", named(&json!({}), &anything()))
        .may("skipped", "It is skipped: the code of the reason.", string())
        .may("waits", "It waits: the code of the reason.", string())
        .schema()
}
