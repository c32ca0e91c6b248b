//! CloudEvents 1.0: what a delivery of one or several is, as the JSON that rules read.
//!
//! The HTTP binding knows three ways to send them (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>):
//! structured (`application/cloudevents+json`), binary (the attributes are `ce-…` headers), and batched
//! (`application/cloudevents-batch+json`). An event reads the same whichever way it came: as in the JSON format, its
//! attributes beside `data`.

use std::sync::Arc;

use data_encoding::BASE64;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Delivery, Headers, Refusal, Texts};
use crate::encoding::is_utf8;
use crate::json;

/// One delivery has no more events.
pub(super) const EVENTS_MAX: usize = 256;

/// What stands before the name of an attribute in a header.
const PREFIX: &str = "ce-";

/// The attributes that every event has.
const REQUIRED: [&str; 3] = ["id", "source", "type"];
/// Those that are texts where they are there.
const TEXTS: [&str; 5] = ["datacontenttype", "dataschema", "subject", "time", "traceparent"];

/// The events of `delivery`, in order.
///
/// # Errors
/// They are not CloudEvents 1.0, or too many.
pub(super) fn texts(delivery: &Delivery<'_>) -> Result<Texts, Refusal> {
    let malformed = |why| Refusal::Malformed { why };
    let one =
        |event: Result<Map<String, Value>, String>| Ok(Texts { all: vec![text(event.map_err(malformed)?)], split: false, of_body: false });
    match mode(delivery)? {
        Mode::Binary => one(binary(delivery).and_then(checked)),
        Mode::Structured => one(json::parse(delivery.body).and_then(object).and_then(checked)),
        Mode::Batched => {
            let Value::Array(events) = json::parse(delivery.body).map_err(malformed)? else {
                return Err(malformed("a batch is a list of events".to_owned()));
            };
            if events.len() > EVENTS_MAX {
                return Err(malformed(format!("a batch has at most {EVENTS_MAX} events, and this one has {}", events.len())));
            }
            let numbered = |(number, event): (usize, Value)| {
                object(event).and_then(checked).map(text).map_err(|why| malformed(format!("event {} of the batch: {why}", number + 1)))
            };
            let all = events.into_iter().enumerate().map(numbered).collect::<Result<_, _>>()?;
            Ok(Texts { all, split: true, of_body: false })
        }
    }
}

/// The trace that the event of `delivery` says it belongs to: its extension for distributed tracing. None of a batch.
pub(super) fn traceparent(delivery: &Delivery<'_>) -> Option<String> {
    let event = match mode(delivery).ok()? {
        Mode::Binary => attributes(delivery.headers).ok()?,
        Mode::Structured => json::parse(delivery.body).and_then(object).ok()?,
        Mode::Batched => return None,
    };
    event.get("traceparent").and_then(Value::as_str).map(str::to_owned)
}

/// How events are sent.
enum Mode {
    Structured,
    Binary,
    Batched,
}

fn mode(delivery: &Delivery<'_>) -> Result<Mode, Refusal> {
    let (media_type, charset) = delivery.headers.text("content-type").map(media_type).unwrap_or_default();
    let unsupported = |why: &str| Err(Refusal::Unsupported { why: why.to_owned() });
    if media_type.starts_with("application/cloudevents") && charset.is_some_and(|charset| !is_utf8(&charset)) {
        return unsupported("events in JSON are in UTF-8");
    }
    match media_type.as_str() {
        "application/cloudevents" | "application/cloudevents+json" => Ok(Mode::Structured),
        "application/cloudevents-batch" | "application/cloudevents-batch+json" => Ok(Mode::Batched),
        other if other.starts_with("application/cloudevents") => unsupported("of the formats of CloudEvents it takes JSON"),
        _ if delivery.headers.iter().any(|(name, _)| attribute(name).is_some()) => Ok(Mode::Binary),
        // Who says nothing at all, as in a file for `zelo simulate`, has the event as a whole in the body.
        "" => Ok(Mode::Structured),
        _ => unsupported(
            "it takes CloudEvents: application/cloudevents+json, application/cloudevents-batch+json, or anything with `ce-…` headers",
        ),
    }
}

/// A media type in lower case, and its charset.
fn media_type(header: &str) -> (String, Option<String>) {
    let mut parts = header.split(';');
    let media_type = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let charset = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    (media_type, charset.map(|(_, value)| value.trim().trim_matches('"').to_owned()))
}

/// The name of the attribute that a header carries, as it is written.
fn attribute(header: &str) -> Option<&str> {
    let prefix = header.get(..PREFIX.len()).filter(|prefix| prefix.eq_ignore_ascii_case(PREFIX))?;
    header.get(prefix.len()..)
}

fn object(value: Value) -> Result<Map<String, Value>, String> {
    if let Value::Object(event) = value { Ok(event) } else { Err("an event is an object".to_owned()) }
}

fn text(event: Map<String, Value>) -> Arc<[u8]> {
    Value::Object(event).to_string().into_bytes().into()
}

/// The event whose attributes are headers, and whose data are the body.
fn binary(delivery: &Delivery<'_>) -> Result<Map<String, Value>, String> {
    let mut event = attributes(delivery.headers)?;
    let Some(content_type) = delivery.headers.text("content-type").filter(|header| !header.trim().is_empty()) else {
        // Who does not say what the data are sends JSON, as in the JSON format.
        if !delivery.body.is_empty() {
            event.insert("data".to_owned(), json::parse(delivery.body)?);
        }
        return Ok(event);
    };
    event.insert("datacontenttype".to_owned(), Value::from(content_type));
    if delivery.body.is_empty() {
        return Ok(event);
    }
    let (media_type, charset) = media_type(content_type);
    let as_text = || std::str::from_utf8(delivery.body).ok().filter(|_| charset.as_deref().is_none_or(is_utf8));
    if is_json(&media_type) {
        event.insert("data".to_owned(), json::parse(delivery.body)?);
    } else if let Some(text) = as_text().filter(|_| is_text(&media_type)) {
        event.insert("data".to_owned(), Value::from(text));
    } else {
        event.insert("data_base64".to_owned(), Value::from(BASE64.encode(delivery.body)));
    }
    Ok(event)
}

fn attributes(headers: &Headers<'_>) -> Result<Map<String, Value>, String> {
    let mut event = Map::new();
    for (name, value) in headers.iter().filter_map(|(name, value)| Some((attribute(name)?, value))) {
        let name = name.to_ascii_lowercase();
        if name == "data" || name == "datacontenttype" {
            return Err(format!("`{PREFIX}{name}` is no header of an event: its data are the body, and Content-Type says what they are"));
        }
        let value = header_value(value).ok_or("a `ce-…` header is not percent-encoded UTF-8")?;
        if event.insert(name, Value::String(value)).is_some() {
            return Err("a `ce-…` header stands there twice".to_owned());
        }
    }
    Ok(event)
}

/// What a header says, as the HTTP binding has it (§3.1.3.2): quoted or not, percent-encoded.
fn header_value(value: &[u8]) -> Option<String> {
    let mut quoted = Vec::new();
    let value = match value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        None => value,
        Some(inner) => {
            let mut bytes = inner.iter();
            while let Some(byte) = bytes.next() {
                quoted.push(if *byte == b'\\' { *bytes.next()? } else { *byte });
            }
            &quoted
        }
    };
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        decoded.push(digit(digits[0])? * 16 + digit(digits[1])?);
        rest = after;
    }
    String::from_utf8(decoded).ok()
}

/// The event, if it is one of CloudEvents 1.0. Attributes that are null are not there; data that are JSON in base64 are JSON.
fn checked(mut event: Map<String, Value>) -> Result<Map<String, Value>, String> {
    event.retain(|name, value| name == "data" || !value.is_null());
    match event.get("specversion") {
        Some(Value::String(version)) if version == "1.0" => {}
        Some(_) => return Err("`specversion` is of another version; 1.0 is taken".to_owned()),
        None => return Err("it has no `specversion`, so it is no CloudEvent".to_owned()),
    }
    for name in REQUIRED {
        let text = event.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.ok_or_else(|| format!("`{name}` is missing, or not a text"))?;
    }
    for name in TEXTS {
        if event.get(name).is_some_and(|value| value.as_str().is_none_or(str::is_empty)) {
            return Err(format!("`{name}` is not a text"));
        }
    }
    if event.get("time").and_then(Value::as_str).is_some_and(|time| time.parse::<Timestamp>().is_err()) {
        return Err("`time` is not an instant as RFC 3339 writes them".to_owned());
    }
    event.iter().filter(|(name, _)| !is_data(name)).try_for_each(|(name, value)| extension(name, value))?;
    data(&mut event)?;
    Ok(event)
}

fn is_data(name: &str) -> bool {
    matches!(name, "data" | "data_base64")
}

/// Any attribute is of this form.
fn extension(name: &str, value: &Value) -> Result<(), String> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Err("the name of an attribute has other than lower-case letters and digits".to_owned());
    }
    match value {
        Value::Bool(_) => Ok(()),
        Value::Number(number) if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => Ok(()),
        Value::String(text) if !text.chars().any(char::is_control) => Ok(()),
        _ => Err("an attribute is neither a text without control characters, nor a whole number of 32 bits, nor true or false".to_owned()),
    }
}

/// Data in base64 are bytes, unless the event says that they are JSON.
fn data(event: &mut Map<String, Value>) -> Result<(), String> {
    let Some(encoded) = event.get("data_base64") else { return Ok(()) };
    if event.contains_key("data") {
        return Err("it has `data` and `data_base64`; one of them says what its data are".to_owned());
    }
    let bytes = encoded.as_str().and_then(|text| BASE64.decode(text.as_bytes()).ok()).ok_or("`data_base64` is not base64")?;
    if event.get("datacontenttype").and_then(Value::as_str).is_some_and(|header| is_json(&media_type(header).0)) {
        let value = json::parse(&bytes).map_err(|why| format!("its data: {why}"))?;
        event.remove("data_base64");
        event.insert("data".to_owned(), value);
    }
    Ok(())
}

fn is_json(media_type: &str) -> bool {
    media_type.ends_with("/json") || media_type.ends_with("+json")
}

fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/") || media_type.ends_with("/xml") || media_type.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_decoded_once_and_strictly() {
        let of = |value: &[u8]| header_value(value);
        assert_eq!(of(b"Euro%20%E2%82%AC%20%F0%9F%98%80").unwrap(), "Euro \u{20ac} \u{1f600}");
        assert_eq!(of(br#""a \"b\" \\""#).unwrap(), r#"a "b" \"#);
        assert_eq!(of(b"%2525").unwrap(), "%25", "once");
        assert_eq!(of(b"").unwrap(), "");
        for wrong in [b"%".as_slice(), b"%2", b"%zz", b"%+1", b"%ff", b"\xff", br#""a\""#] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }
}
