//! The shape that the payload of an event type promises: a JSON Schema.
//!
//! A schema stands alone: what it refers to outside of itself is never fetched, and makes it a mistake. Patterns are read by an engine whose
//! time is linear in the text, so that no payload makes one take long.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::json;

/// A checked JSON Schema: of the draft that its `$schema` names, 2020-12 where it names none.
#[derive(Clone)]
pub struct Shape(Arc<Inner>);

struct Inner {
    /// The file, as the source file names it.
    name: String,
    validator: Validator,
    /// The names that the schema itself gives to members.
    names: BTreeSet<String>,
    text: String,
}

/// Prints none of it.
impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shape({} bytes)", self.0.text.len())
    }
}

impl Shape {
    /// Reads and checks the schema in the file `name`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(name: &str, text: &str) -> Result<Self, String> {
        let schema = json::parse(text.as_bytes())?;
        let options = jsonschema::options().offline().with_pattern_options(PatternOptions::regex());
        let validator = options.build(&schema).map_err(|error| error.to_string())?;
        let mut names = BTreeSet::new();
        collect(&schema, &mut names);
        Ok(Self(Arc::new(Inner { name: name.to_owned(), validator, names, text: text.to_owned() })))
    }

    /// The file that it was read from, as the source file names it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The text that it was read from.
    pub(crate) fn text(&self) -> &str {
        &self.0.text
    }

    /// Where `payload` has another shape, and which keyword of the schema says so; no value, and no name that the schema does not have.
    pub(crate) fn violation(&self, payload: &Value) -> Option<String> {
        let Err(error) = self.0.validator.validate(payload) else { return None };
        let mut place = "$".to_owned();
        for step in error.instance_path().as_str().split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            if step.bytes().all(|byte| byte.is_ascii_digit()) && !step.is_empty() {
                place += &format!("[{step}]");
            } else if self.0.names.contains(&step) {
                place += &format!(".{step}");
            } else {
                place += ".*";
            }
        }
        Some(format!("`{}` of its schema does not hold at {place}", error.kind().keyword()))
    }
}

/// Collects the names under `properties`, wherever they stand.
fn collect(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                names.extend(properties.keys().cloned());
            }
            members.values().for_each(|member| collect(member, names));
        }
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape(schema: Value) -> Result<Shape, String> {
        Shape::read("a.json", &schema.to_string())
    }

    #[test]
    fn a_violation_says_where_and_nothing_of_what() {
        let shape = shape(json!({
            "type": "object",
            "properties": {
                "data": { "type": "object", "required": ["id"], "properties": { "id": { "type": "string", "pattern": "^(a+)+$" } } },
                "phones": { "type": "array", "items": { "type": "object", "properties": { "phone": { "type": "string" } } } },
            },
            "additionalProperties": { "type": "integer" },
        }))
        .unwrap();
        for (payload, said) in [
            (json!({"data": {"id": "aa"}, "phones": [{"phone": "1"}], "n": 1}), None),
            (json!({"data": {"id": 17}}), Some("`type` of its schema does not hold at $.data.id")),
            (json!({"data": {}}), Some("`required` of its schema does not hold at $.data")),
            (json!({"data": {"id": "Marina"}}), Some("`pattern` of its schema does not hold at $.data.id")),
            (json!({"phones": [{}, {"phone": 5}]}), Some("`type` of its schema does not hold at $.phones[1].phone")),
            (json!({"Marina Souza": "x"}), Some("`type` of its schema does not hold at $.*")),
            (json!([]), Some("`type` of its schema does not hold at $")),
        ] {
            assert_eq!(shape.violation(&payload).as_deref(), said, "{payload}");
        }
        let long = json!({"data": {"id": format!("{}b", "a".repeat(100_000))}});
        assert!(shape.violation(&long).is_some(), "and no pattern takes long");
    }

    #[test]
    fn a_schema_stands_alone_and_is_one() {
        let dir = std::env::temp_dir();
        for outside in ["https://example.com/a.json".to_owned(), "other.json".to_owned(), format!("file://{}/a.json", dir.display())] {
            assert!(shape(json!({ "$ref": outside })).is_err(), "{outside}");
        }
        for bad in [json!({"type": "thing"}), json!({"pattern": "("}), json!({"minimum": "1"}), json!(1), json!({"$ref": "#/$defs/none"})] {
            assert!(shape(bad.clone()).is_err(), "{bad}");
        }
        assert!(Shape::read("a.json", r#"{"type": "object", "type": "array"}"#).unwrap_err().contains("one key twice"));
        assert!(Shape::read("a.json", "{").is_err());
        let own = shape(json!({"$defs": {"id": {"type": "string"}}, "properties": {"id": {"$ref": "#/$defs/id"}}})).unwrap();
        assert!(own.violation(&json!({"id": 1})).is_some() && own.violation(&json!({"id": "1"})).is_none());
        assert!(shape(json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"})).is_ok());
    }
}
