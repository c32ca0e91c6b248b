//! Tables with known keys.

use serde_json::{Map, Value, json};

use super::values::with;

/// A table whose keys are known: any other is a mistake.
#[derive(Default)]
pub(super) struct Keys {
    properties: Map<String, Value>,
    required: Vec<&'static str>,
    rules: Vec<Value>,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A key that must be there.
    pub(super) fn need(mut self, key: &'static str, about: &str, value: Value) -> Self {
        self.required.push(key);
        self.may(key, about, value)
    }

    /// A key that may be absent.
    pub(super) fn may(mut self, key: &'static str, about: &str, value: Value) -> Self {
        self.properties.insert(key.to_owned(), described(about, value));
        self
    }

    /// What holds of the table beside its keys: other keywords of JSON Schema.
    pub(super) fn holds(mut self, keywords: Value) -> Self {
        self.rules.push(keywords);
        self
    }

    pub(super) fn schema(self) -> Value {
        let mut schema = json!({ "type": "object", "properties": self.properties, "additionalProperties": false });
        if !self.required.is_empty() {
            schema = with(schema, json!({ "required": self.required }));
        }
        self.rules.into_iter().fold(schema, with)
    }
}

/// `value`, explained. Nothing may stand beside a `$ref`.
fn described(about: &str, value: Value) -> Value {
    let value = if value.get("$ref").is_some() { json!({ "anyOf": [value] }) } else { value };
    with(value, json!({ "description": about }))
}

/// A table whose keys are names that the file gives, all with values of one kind.
pub(super) fn named(names: &Value, value: &Value) -> Value {
    json!({ "type": "object", "propertyNames": names, "additionalProperties": value })
}

/// That at most one of two keys is there.
pub(super) fn not_both(one: &str, other: &str) -> Value {
    json!({ "not": { "required": [one, other] } })
}
