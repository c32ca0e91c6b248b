//! What stands inside of sealed values.
//!
//! Everything that names or describes a person is in here, and nothing of it anywhere else: the provider's ids beside
//! the payload, the provider's id beside the record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use zelo_core::{Arrival, Entity, Event, RecordRow, Stamp};

/// What is sealed beside the body of an event.
#[derive(Serialize, Deserialize)]
pub(crate) struct Head {
    /// The provider's id of the entity.
    entity: Option<String>,
    subjects: Vec<String>,
}

impl Head {
    /// The head of an arrival, as the sealed part begins: its length in four bytes, then JSON; the body follows.
    pub(crate) fn of(arrival: &Arrival) -> Vec<u8> {
        let head = Self { entity: arrival.event.entity.as_ref().map(|entity| entity.id.clone()), subjects: arrival.event.subjects.clone() };
        let mut bytes = vec![0; 4];
        // Strings and lists of strings always have a JSON form.
        let _ = serde_json::to_writer(&mut bytes, &head);
        let len = (bytes.len() - 4) as u32;
        bytes[..4].copy_from_slice(&len.to_le_bytes());
        bytes
    }
}

/// Puts entity, subjects and payload from the opened part back into `event`, whose other fields are set.
///
/// # Errors
/// Why the part is not what [`Head::of`] and the body made.
pub(crate) fn fill_event(event: &mut Event, entity_kind: Option<String>, part: &[u8]) -> Result<(), String> {
    let (len, rest) = part.split_first_chunk::<4>().ok_or("it is too short")?;
    let (head, body) = rest.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or("it is cut off")?;
    let head: Head = serde_json::from_slice(head).map_err(|error| place_only(&error))?;
    event.data = serde_json::from_slice::<Value>(body).map_err(|error| place_only(&error))?.into();
    event.entity = head.entity.zip(entity_kind).map(|(id, kind)| Entity { kind, id });
    event.subjects = head.subjects;
    Ok(())
}

/// A record as sealed: the provider's id and the document.
#[derive(Serialize, Deserialize)]
pub(crate) struct RecordBody<'a> {
    pub id: std::borrow::Cow<'a, str>,
    pub document: std::borrow::Cow<'a, Value>,
    /// Of the fields that actions wrote, for which event.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stamps: BTreeMap<String, Stamp>,
}

impl<'a> RecordBody<'a> {
    /// What is sealed of a record.
    pub(crate) fn of(id: &'a str, row: &'a RecordRow) -> Self {
        Self { id: id.into(), document: std::borrow::Cow::Borrowed(&row.document), stamps: row.stamps.clone() }
    }
}

/// What is sealed of a document beside its content.
#[derive(Serialize, Deserialize)]
pub(crate) struct DocumentHead<'a> {
    pub name: std::borrow::Cow<'a, str>,
    pub media_type: std::borrow::Cow<'a, str>,
    pub text: std::borrow::Cow<'a, str>,
}

/// Any value as JSON, for sealing.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|error| place_only(&error))
}

/// A sealed JSON value.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| place_only(&error))
}

/// Where JSON went wrong. The parser's own words can quote the text, which may be personal.
fn place_only(error: &serde_json::Error) -> String {
    format!("it is not the JSON that was sealed (line {}, column {})", error.line(), error.column())
}
