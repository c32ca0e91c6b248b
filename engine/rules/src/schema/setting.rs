//! `[settings.NAME]`: what a clinic may choose.

use serde_json::{Value, json};

use super::patterns;
use super::table::Keys;
use super::values::{anything, boolean, fitting, some, string, text, word};
use crate::rule::SETTING_TYPES;

pub(super) fn setting() -> Value {
    let number = || json!({ "type": "number" });
    Keys::new()
        .need("type", "What may be chosen.", word(&SETTING_TYPES))
        .may("default", "What holds where nobody chose. Without one it must be chosen.", anything())
        .may("min", "The lowest number that may be chosen.", number())
        .may("max", "The highest number that may be chosen.", number())
        .may("values", "What a `choice` is from. A choice called `language` chooses the language of texts.", some(&string()))
        .may("label", "What the setting is called on the page.", text())
        .may("description", "What it does, for who chooses.", text())
        .holds(by_type())
        .schema()
}

/// What each type has, and what it is by default: one question after the other.
fn by_type() -> Value {
    let questions = SETTING_TYPES.iter().rev().map(|(word, _)| {
        let then = match *word {
            "integer" => json!({ "properties": { "default": { "type": "integer" }, "values": false } }),
            "number" => json!({ "properties": { "default": { "type": "number" }, "values": false } }),
            "boolean" => without_bounds(boolean()),
            "choice" => json!({ "properties": { "default": string(), "min": false, "max": false }, "required": ["values"] }),
            "duration" => without_bounds(fitting(patterns::DURATION)),
            "time-of-day" => without_bounds(fitting(patterns::TIME_OF_DAY)),
            _ => without_bounds(string()),
        };
        (*word, then)
    });
    questions.fold(json!({}), |other, (word, then)| {
        json!({ "if": { "properties": { "type": { "const": word } }, "required": ["type"] }, "then": then, "else": other })
    })
}

fn without_bounds(default: Value) -> Value {
    json!({ "properties": { "default": default, "min": false, "max": false, "values": false } })
}
