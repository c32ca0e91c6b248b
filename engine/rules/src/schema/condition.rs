//! Conditions.

use serde_json::{Map, Value, json};

use super::patterns::{self, or_template};
use super::table::Keys;
use super::values::{any_of, boolean, by_default, fitting, list, one_or_some, path, refers, some, string, with, word, words, zone};
use crate::condition::{COMPARISONS, CONVERSIONS, DAYS, OPERATORS, RightSide};

/// What each operator asks of a node. An operator without a line here is named in the tests.
pub(super) const ABOUT: [(&str, &str); 23] = [
    ("equals", "Holds if a node has this value. Types are strict: `17` is not `\"17\"`."),
    ("not_equals", "The exact negation of `equals`: holds too where there is nothing, null, or a value of another type."),
    ("in", "Holds if a node has one of these values."),
    ("not_in", "The exact negation of `in`: holds too where there is nothing."),
    ("exists", "Holds if a node is there and not null; with `false` if not."),
    ("is_null", "Holds if a node is null; with `false` if not."),
    ("missing", "Holds if there is no node; with `false` if there is one."),
    ("gt", "Holds if a node is a number greater than this; with `as = \"date\"` a later time."),
    ("gte", "Holds if a node is this number or a greater one; with `as = \"date\"` this time or a later one."),
    ("lt", "Holds if a node is a number less than this; with `as = \"date\"` an earlier time."),
    ("lte", "Holds if a node is this number or a lesser one; with `as = \"date\"` this time or an earlier one."),
    ("between", "Holds if a node is a number from the first to the second of these, both included."),
    ("contains", "Holds if a node is a list with this element, or a string with this part."),
    ("not_contains", "The exact negation of `contains`: holds too where there is nothing."),
    ("starts_with", "Holds if a node is a string that begins so."),
    ("ends_with", "Holds if a node is a string that ends so."),
    ("matches", "Holds if a node is a string with a part that fits this regular expression."),
    (
        "glob",
        "Holds if a node is a string that fits as a whole: `*` for any characters, `?` for one, `\\` before one that stands for itself.",
    ),
    ("length", "Holds if a node is a string, list or object of so many characters, elements or members."),
    ("before", "Holds if a node is a time before this one: an instant, a day, or counted from the event: `now`, `+24h`, `-2d`."),
    ("after", "Holds if a node is a time after this one: an instant, a day, or counted from the event: `now`, `+24h`, `-2d`."),
    ("within", "Holds if a node is a time in these hours, on these days."),
    ("changed", "Holds if the event is an edit that changed what stands there; with `false` if not."),
];

/// What conditions are made of.
pub(super) fn definitions() -> Vec<(&'static str, Value)> {
    vec![("condition", condition()), ("right", right()), ("reference", reference()), ("lengths", lengths()), ("hours", hours())]
}

fn condition() -> Value {
    let keys = Keys::new()
        .may("all", "All of these must hold.", some(&refers("condition")))
        .may("any", "One of these must hold.", some(&refers("condition")))
        .may("not", "This must not hold.", refers("condition"))
        .may("path", "What the operators are about. Of several nodes any one is enough.", path())
        .may("record", "The lookup whose record is asked; only in `only_if`. Absent: the event.", string())
        .may("every", "Not one node, but all of them must pass, and there must be some.", by_default(boolean(), false))
        .may("as", "What both sides are turned into first; what cannot be turned fails.", word(&CONVERSIONS));
    let keys = OPERATORS.iter().fold(keys, |keys, (operator, side)| {
        let about = ABOUT.iter().find(|(known, _)| known == operator).map_or("", |(_, about)| *about);
        keys.may(operator, about, right_side(*side))
    });
    let one_of = |keys: Vec<&str>| keys.into_iter().map(|key| json!({ "required": [key] })).collect::<Vec<_>>();
    let operators = || OPERATORS.iter().map(|(operator, _)| *operator);
    let of_clause = operators().chain(["record", "every", "as"]).collect();
    keys.holds(json!({
        "if": { "required": ["path"] },
        "then": with(conversions(), json!({ "anyOf": one_of(operators().collect()) })),
        "else": { "anyOf": one_of(vec!["all", "any", "not"]), "not": { "anyOf": one_of(of_clause) } },
    }))
    .schema()
}

/// What `as` means for the operators that compare numbers or times.
fn conversions() -> Value {
    let all = |side: RightSide, schema: &Value| {
        let of_side = OPERATORS.iter().filter(move |(_, known)| *known == side);
        of_side.map(|(operator, _)| ((*operator).to_owned(), schema.clone())).collect::<Map<_, _>>()
    };
    let not_a_text = json!({ "if": { "type": "string" }, "then": { "pattern": patterns::TEMPLATE } });
    let mut of_text = all(RightSide::Number, &json!(false));
    of_text.extend(all(RightSide::Pair, &json!(false)));
    of_text.extend(all(RightSide::Time, &json!(false)));
    json!({
        "if": { "required": ["as"] },
        "then": {
            "if": { "properties": { "as": { "const": "string" } } },
            "then": { "properties": of_text },
            "else": {
                "if": { "properties": { "as": { "const": "number" } } },
                "then": { "properties": all(RightSide::Time, &json!(false)) },
            },
        },
        "else": { "properties": all(RightSide::Number, &not_a_text) },
    })
}

fn right_side(side: RightSide) -> Value {
    match side {
        RightSide::Flag => boolean(),
        RightSide::Value => refers("right"),
        RightSide::Number => any_of([json!({ "type": ["number", "string"] }), refers("reference")]),
        RightSide::Text => any_of([string(), refers("reference")]),
        RightSide::Time => any_of([fitting(&or_template(patterns::MOMENT)), refers("reference")]),
        RightSide::Values => any_of([list(&refers("right")), refers("reference")]),
        RightSide::Pair => with(list(&refers("right")), json!({ "minItems": 2, "maxItems": 2 })),
        RightSide::Pattern => string(),
        RightSide::Length => any_of([json!({ "type": "number" }), fitting(patterns::TEMPLATE), refers("lengths"), refers("reference")]),
        RightSide::Hours => refers("hours"),
        RightSide::Change => any_of([boolean(), change()]),
    }
}

/// A value, what stands at a path, or a setting.
fn right() -> Value {
    any_of([json!({ "type": ["string", "number", "boolean", "array"] }), refers("reference")])
}

fn reference() -> Value {
    Keys::new()
        .may("path", "Any of what stands there.", path())
        .may("record", "The lookup whose record is asked; only in `only_if`. Absent: the event.", string())
        .may("setting", "What was chosen for this setting.", string())
        .holds(json!({ "if": { "required": ["setting"] }, "then": { "not": { "required": ["path"] } }, "else": { "required": ["path"] } }))
        .schema()
}

fn lengths() -> Value {
    let keys =
        COMPARISONS.iter().fold(Keys::new(), |keys, (word, _)| keys.may(word, "A number to compare the length with.", refers("right")));
    keys.holds(json!({ "minProperties": 1 })).schema()
}

fn hours() -> Value {
    let hour = || fitting(patterns::TIME_OF_DAY);
    let of_path = any_of([refers("reference")]);
    Keys::new()
        .may("from", "The time of day when they begin; later than `to`, they are over midnight.", hour())
        .may("to", "The time of day when they end, itself not included.", hour())
        .may("weekdays", "The days of the week. Absent: every day.", one_or_some(&words(DAYS)))
        .may("timezone", "Whose local time: a zone, or a path to one. Absent: the clinic's zone of the source.", any_of([zone(), of_path]))
        .holds(json!({
            "dependentRequired": { "from": ["to"], "to": ["from"] },
            "anyOf": [{ "required": ["from"] }, { "required": ["weekdays"] }],
        }))
        .schema()
}

fn change() -> Value {
    Keys::new()
        .may("from", "What stood there before.", refers("right"))
        .may("to", "What stands there now.", refers("right"))
        .holds(json!({ "minProperties": 1 }))
        .schema()
}
