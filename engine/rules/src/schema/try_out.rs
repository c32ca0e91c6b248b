//! `[[test]]`: an event, and what the rule does about it.

use serde_json::{Value, json};
use zelo_core::JobState;
use zelo_core::told::KINDS;

use super::patterns;
use super::table::{Keys, named};
use super::values::{anything, boolean, fitting, list, one_or_list, path, string, with, word, words};
use crate::testing::Ended;

pub(super) fn test() -> Value {
    let record = json!({ "type": ["object", "array"] });
    let anything_by_name = || named(&json!({}), &anything());
    Keys::new()
        .need("name", "What the test says, for who reads that it failed.", string())
        .need("event", "The event that happens.", payload(Keys::new()).schema())
        .may("before", "Events that came before it, in their order.", list(&before()))
        .need("now", "When the event happens and arrives: `2026-03-06T13:00:00Z`.", instant())
        .may("connection", "Whose event it is. Absent: of a connection with the source's name.", string())
        .may("records", "The record of a lookup, or a list of them, by the lookup's name.", named(&json!({}), &record))
        .may("http", "What other people's machines answer; what nobody answers finds nobody there.", list(&answer()))
        .may("steps", "What an action gave that others need, by its name.", anything_by_name())
        .may("settings", "What was chosen; the rest is defaults.", anything_by_name())
        .need("expect", "What the rule must do.", expect())
        .schema()
}

fn instant() -> Value {
    fitting(patterns::INSTANT)
}

fn before() -> Value {
    payload(Keys::new()).may("at", "When it happens and arrives. Absent: at `now`.", instant()).schema()
}

fn answer() -> Value {
    Keys::new()
        .need("request", "The requests it answers, as in a grant; the first that fits answers.", fitting(patterns::REQUEST))
        .may("status", "Absent: 200.", json!({ "type": "integer", "minimum": 100, "maximum": 599 }))
        .may("headers", "By their names.", named(&json!({}), &string()))
        .may("body", "A text as it is, anything else as JSON.", anything())
        .schema()
}

fn payload(event: Keys) -> Keys {
    event
        .need("type", "The event's type.", string())
        .may("file", "The file of its payload, relative to the rule's file.", string())
        .may("data", "Its payload.", anything())
        .may("set", "Changes singular paths of the payload first; `{ null = true }` sets null.", named(&path(), &anything()))
        .holds(json!({ "if": { "required": ["file"] }, "then": { "not": { "required": ["data"] } }, "else": { "required": ["data"] } }))
}

fn expect() -> Value {
    Keys::new()
        .may("fires", "Whether any action fires.", boolean())
        .may("cancels", "The actions whose pending jobs it cancels, all of them.", one_or_list(&string()))
        .may("actions", "What is expected of an action, by its name.", named(&json!({}), &expected_action()))
        .may("jobs", "All jobs after everything, live and ended: by their due times, then by their actions.", list(&job()))
        .schema()
}

fn expected_action() -> Value {
    Keys::new()
        .may("at", "When it is due.", instant())
        .may("with", "Some of the plugin's inputs.", named(&json!({}), &anything()))
        .may("skipped", "It is skipped: the code of the reason.", string())
        .may("waits", "It waits: the code of the reason.", string())
        .may("outcome", "How the plugin ends; it is really run, and nothing leaves the process.", word(&Ended::WORDS))
        .may("effects", "What the plugin does, in order, each with some of its members; it is really run.", list(&effect()))
        .may("output", "Some of what the plugin gives to the steps after it; it is really run.", json!({ "type": "object" }))
        .schema()
}

/// An effect as it is told: its kind, and some of the members of that kind.
fn effect() -> Value {
    let kind = with(words(KINDS.map(|(kind, _)| kind)), json!({ "description": "What kind of effect it is." }));
    json!({ "type": "object", "properties": { "kind": kind }, "required": ["kind"] })
}

fn job() -> Value {
    Keys::new()
        .may("action", "Whose job it is.", string())
        .may("state", "How it stands.", words(JobState::ALL.map(JobState::as_str)))
        .may("at", "When it is due.", instant())
        .may("reason", "The code of why it stands so.", string())
        .may("event", "The type of its event.", string())
        .schema()
}
