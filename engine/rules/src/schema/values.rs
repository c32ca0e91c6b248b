//! Values that stand in many places.

use serde_json::{Value, json};

use super::patterns;
use crate::text::LOCALES;

/// `schema` with the keywords of `more`.
pub(super) fn with(mut schema: Value, more: Value) -> Value {
    if let (Value::Object(schema), Value::Object(more)) = (&mut schema, more) {
        schema.extend(more);
    }
    schema
}

/// What `$defs` calls `name`.
pub(super) fn refers(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

pub(super) fn string() -> Value {
    json!({ "type": "string" })
}

pub(super) fn boolean() -> Value {
    json!({ "type": "boolean" })
}

/// Whatever JSON can say.
pub(super) fn anything() -> Value {
    json!({})
}

/// A string that fits.
pub(super) fn fitting(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

/// One of the words of a table that a reader picks from.
pub(super) fn word<T>(known: &[(&str, T)]) -> Value {
    words(known.iter().map(|(word, _)| *word))
}

/// One of some words.
pub(super) fn words<'a>(known: impl IntoIterator<Item = &'a str>) -> Value {
    json!({ "type": "string", "enum": known.into_iter().collect::<Vec<_>>() })
}

pub(super) fn list(item: &Value) -> Value {
    json!({ "type": "array", "items": item })
}

/// A list that is not empty.
pub(super) fn some(item: &Value) -> Value {
    with(list(item), json!({ "minItems": 1 }))
}

/// One string, or a list of them.
pub(super) fn one_or_list(item: &Value) -> Value {
    any_of([item.clone(), list(item)])
}

/// One string, or a list that is not empty.
pub(super) fn one_or_some(item: &Value) -> Value {
    any_of([item.clone(), some(item)])
}

pub(super) fn any_of<const N: usize>(schemas: [Value; N]) -> Value {
    json!({ "anyOf": schemas.to_vec() })
}

/// Where the key is absent, this holds.
pub(super) fn by_default(schema: Value, value: impl Into<Value>) -> Value {
    with(schema, json!({ "default": value.into() }))
}

/// The first word of a table holds where the key is absent.
pub(super) fn first_by_default<T>(known: &[(&str, T)]) -> Value {
    let first = known.first().map(|(word, _)| *word);
    by_default(word(known), first)
}

pub(super) fn path() -> Value {
    fitting(patterns::PATH)
}

pub(super) fn name() -> Value {
    fitting(patterns::NAME)
}

/// Event types, `appointment.*` too.
pub(super) fn types() -> Value {
    one_or_list(&fitting(patterns::TYPES))
}

/// A time zone of the IANA database.
pub(super) fn zone() -> Value {
    with(string(), json!({ "examples": ["America/Sao_Paulo"] }))
}

/// A text for people.
pub(super) fn text() -> Value {
    any_of([string(), by_language()])
}

/// A string for each language.
pub(super) fn by_language() -> Value {
    let languages: serde_json::Map<String, Value> = LOCALES.iter().map(|locale| ((*locale).to_owned(), string())).collect();
    json!({ "type": "object", "properties": languages, "additionalProperties": false })
}
