//! Makes an event of a verified delivery.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use zelo_core::Entity;

use super::{Delivery, EventMapping, Match, Place, RecordMapping, Refusal, Source};
use crate::json::{self, id_text};
use crate::number::equal;
use crate::time::instant;

/// What became of a delivery.
#[derive(Debug)]
pub enum Read {
    /// Of no type that the source names.
    Ignored { why: String },
    /// An event.
    Event(Reading),
}

/// What a delivery says.
pub struct Reading {
    /// The event's type.
    pub kind: String,
    /// When it happened; none where the payload does not say, or not in a readable way.
    pub time: Option<Timestamp>,
    pub entity: Option<Entity>,
    /// The people it is about, the main one first.
    pub subjects: Vec<String>,
    pub clinic: Option<String>,
    /// What the provider calls the delivery; none: only its content identifies it.
    pub delivery_id: Option<String>,
    pub data: Arc<Value>,
    pub records: Vec<RecordReading>,
}

/// What a delivery says about one record.
pub struct RecordReading {
    /// The record's type.
    pub kind: String,
    pub id: String,
    /// What was mentioned; a field that is not in here keeps its old value.
    pub fields: Map<String, Value>,
    /// The person it is about.
    pub subject: Option<String>,
    pub clinic: Option<String>,
}

/// Prints the type and sizes only.
impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reading({}, {} records)", self.kind, self.records.len())
    }
}

/// Prints the type and sizes only.
impl fmt::Debug for RecordReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordReading({}, {} fields)", self.kind, self.fields.len())
    }
}

impl Source {
    /// What `delivery` says. Whether to believe it is the business of [`Source::verify`].
    ///
    /// # Errors
    /// It is too large, of another media type, or not strict JSON.
    pub fn read(&self, delivery: &Delivery<'_>) -> Result<Read, Refusal> {
        self.fits(delivery.body)?;
        check_media_type(delivery)?;
        let data = json::parse(delivery.body).map_err(|why| Refusal::Malformed { why })?;
        let Some(mapping) = self.events.iter().find(|event| event.matches.accepts(delivery, &data)) else {
            return Ok(Read::Ignored { why: format!("no [[events]] of `{}` matches it", self.id) });
        };
        Ok(Read::Event(self.reading(mapping, Arc::new(data))))
    }

    /// What `data` says as an event of type `kind`, whichever way it came; nothing where no `[[events]]` names the type.
    pub fn read_as(&self, kind: &str, data: Arc<Value>) -> Option<Reading> {
        let mapping = self.events.iter().find(|event| event.kind == kind)?;
        Some(self.reading(mapping, data))
    }

    fn reading(&self, mapping: &EventMapping, data: Arc<Value>) -> Reading {
        let id = |path: &crate::Path| path.first(&data).and_then(id_text);
        let time = mapping.time.as_ref().and_then(|path| path.first(&data)?.as_str().and_then(|text| instant(text, &self.timezone)));
        let entity = mapping.entity.as_ref().and_then(|entity| Some(Entity { kind: entity.kind.clone(), id: id(&entity.id)? }));
        let mut subjects: Vec<String> = Vec::new();
        for subject in mapping.subjects.iter().flat_map(|path| path.nodes(&data).iter().filter_map(id_text).collect::<Vec<_>>()) {
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
        }
        let clinic = mapping.clinic.as_ref().and_then(|place| place.id(&data));
        let records = self.records.iter().filter(|record| record.on.contains(&mapping.kind));
        let records = records.filter_map(|record| record.reading(&data, &subjects, clinic.as_deref())).collect();
        let delivery_id = mapping.id.as_ref().and_then(id);
        Reading { kind: mapping.kind.clone(), time, entity, subjects, clinic, delivery_id, records, data }
    }
}

impl Match {
    fn accepts(&self, delivery: &Delivery<'_>, data: &Value) -> bool {
        let path = self.path.as_ref().is_none_or(|path| delivery.path.trim_matches('/') == path);
        let header = self.header.as_ref().is_none_or(|(name, value)| delivery.headers.text(name) == Some(value));
        path && header && self.body.as_ref().is_none_or(|(path, value)| path.nodes(data).iter().any(|node| equal(node, value)))
    }
}

impl Place {
    fn id(&self, data: &Value) -> Option<String> {
        match self {
            Self::Path(path) => path.first(data).and_then(id_text),
            Self::Literal(text) => Some(text.clone()),
        }
    }
}

impl RecordMapping {
    fn reading(&self, data: &Value, subjects: &[String], clinic: Option<&str>) -> Option<RecordReading> {
        let id = self.key.first(data).and_then(id_text)?;
        let fields = self.keep.iter().filter_map(|(name, path)| Some((name.clone(), path.value(data)?))).collect();
        let subject = match &self.subject {
            Some(path) => path.first(data).and_then(id_text),
            None => subjects.contains(&id).then(|| id.clone()),
        };
        let clinic = match &self.clinic {
            Some(place) => place.id(data),
            None => clinic.map(str::to_owned),
        };
        Some(RecordReading { kind: self.kind.clone(), id, fields, subject, clinic })
    }
}

/// Refuses what says that it is something else than JSON. Senders that say nothing, or only `text/plain`, are common, and so
/// are those that send JSON under the type that their HTTP client gives to anything: that of a form.
fn check_media_type(delivery: &Delivery<'_>) -> Result<(), Refusal> {
    let Some(header) = delivery.headers.text("content-type") else { return Ok(()) };
    let media_type = header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = media_type.is_empty()
        || media_type.ends_with("/json")
        || media_type.ends_with("+json")
        || ["text/plain", "application/octet-stream"].contains(&media_type.as_str())
        || (media_type == "application/x-www-form-urlencoded" && delivery.body.trim_ascii_start().starts_with(b"{"));
    if json { Ok(()) } else { Err(Refusal::Unsupported { why: "it takes application/json".to_owned() }) }
}
