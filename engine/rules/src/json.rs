//! JSON as it comes from outside: strict.
//!
//! A document that readers could understand differently is refused: a repeated key, text that is not UTF-8, half of a
//! surrogate pair. Depth is limited, so nobody's recursion depends on what a stranger sends.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Lists and objects are nested no deeper.
pub(crate) const DEPTH_MAX: u32 = 64;

/// Reads one document.
///
/// # Errors
/// What is wrong and where, without any part of the document.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| format!("byte {} is not UTF-8", error.valid_up_to()))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }.deserialize(&mut reader).map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// What an id at a path says: text as it is, an integer in decimal; nothing else names anything.
pub(crate) fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => id_of_text(text),
        Value::Number(number) => id_of_number(number),
        _ => None,
    }
}

/// The same of a text.
pub(crate) fn id_of_text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The same of a number.
pub(crate) fn id_of_number(number: &Number) -> Option<String> {
    (number.is_i64() || number.is_u64()).then(|| number.to_string())
}

#[derive(Clone, Copy)]
struct Strict {
    depth: u32,
}

impl Strict {
    fn deeper<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.depth < DEPTH_MAX { Ok(Self { depth: self.depth + 1 }) } else { Err(E::custom(format!("nested deeper than {DEPTH_MAX}"))) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        let deeper = self.deeper()?;
        while let Some(element) = elements.next_element_seed(deeper)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let deeper = self.deeper()?;
        while let Some(key) = members.next_key::<String>()? {
            let value = members.next_value_seed(deeper)?;
            if object.insert(key, value).is_some() {
                return Err(A::Error::custom("an object has one key twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_serde_json_reads() {
        let text = r#"{"a": [1, -2, 18446744073709551615, 2.5, true, null, "é\u00e9\ud83d\ude00"], "b": {}}"#;
        assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn refuses_what_can_be_read_differently() {
        assert!(parse(br#"{"a": 1, "b": {"a": 1, "a": 2}}"#).unwrap_err().contains("one key twice"));
        assert_eq!(parse(b"{\"a\": \"\xff\"}").unwrap_err(), "byte 7 is not UTF-8");
        for text in [r#""\ud800""#, "1e999", "{} {}", "", "[1,]", "NaN"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(64).as_bytes()).is_ok());
        assert!(parse(nested(66).as_bytes()).unwrap_err().contains("deeper than 64"));
        assert!(parse(nested(100_000).as_bytes()).is_err());
    }

    #[test]
    fn an_id_is_text_or_an_integer() {
        let id = |value: Value| id_text(&value);
        assert_eq!(id(serde_json::json!(17052897890_i64)).unwrap(), "17052897890");
        assert_eq!(id(serde_json::json!("017")).unwrap(), "017");
        for value in
            [serde_json::json!(1.5), serde_json::json!(null), serde_json::json!(true), serde_json::json!(""), serde_json::json!({})]
        {
            assert_eq!(id(value), None);
        }
    }
}
