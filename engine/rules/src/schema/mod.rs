//! JSON Schemas of rule and source files, for editors: what may stand where, and what it means.
//!
//! The readers decide; a schema says what they would say, as far as one file alone can tell. It is built from the tables of
//! words that the readers use, so a new word of such a table (an operator, a transform, a type of setting) is in the schema by itself.
//!
//! To add a key: read it (`Table::get`), give it a line in the table of its kind here (`.may("key", "What it means.", value)`, with
//! `need` where it cannot be left out), and write `rules/schema` anew with `UPDATE=1 cargo test --workspace --test rules schema`. The tests say
//! what was forgotten: every key that a reader asks for must be a property of the schema at that place, and the reverse.
//!
//! To add a kind of table: a function that makes its [`table::Keys`]; where it stands at several places or in itself, an entry in the
//! `$defs` of its file that others name with [`values::refers`]. Some file of the tests must have such a table.
//!
//! Editors differ in what they know. The schemas use nothing that draft 7 does not have too, but for `$defs` and `dependentRequired`, and a `$ref` stands
//! alone: Taplo reads nothing that stands beside it. A table has no `allOf`, which would cost its completions there.

mod action;
mod condition;
mod grant;
mod patterns;
mod rule;
mod setting;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod timing;
mod try_out;
mod values;
mod verify;

use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of rule files.
pub fn rule_schema() -> Value {
    file("A rule of zelo", "A rule: on which events, when, then which actions.", rule::keys(), rule::definitions())
}

/// The JSON Schema (draft 2020-12) of source files.
pub fn source_schema() -> Value {
    file("A source of zelo", "A source: how to receive, verify and read one provider's webhooks.", source::keys(), source::definitions())
}

fn file(title: &str, about: &str, keys: table::Keys, definitions: Vec<(&str, Value)>) -> Value {
    let definitions: Map<String, Value> = definitions.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": about,
        "$defs": definitions,
    });
    values::with(keys.schema(), head)
}
