//! Makes an event of a verified delivery.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use zelo_core::{Entity, Payload};

use super::people::people;
use super::{Delivery, EventMapping, Format, Match, PersonReading, Place, RecordMapping, Refusal, Source, cloudevents};
use crate::facts::{Asked, Facts};
use crate::json;
use crate::time::instant;
use crate::xml;

/// The payloads of a delivery.
#[derive(Debug)]
pub struct Texts {
    /// The JSON text of each event.
    pub all: Vec<Arc<[u8]>>,
    /// Whether they are a list: each is an event by itself.
    pub split: bool,
    /// Whether each is what was sent: else the body says less, or more, than the event.
    pub of_body: bool,
}

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
    pub people: Vec<PersonReading>,
    pub clinic: Option<String>,
    /// What the provider calls the delivery; none: only its content identifies it.
    pub delivery_id: Option<String>,
    pub data: Payload,
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

impl Reading {
    /// What the provider calls the people it is about, the main one first.
    pub fn subjects(&self) -> Vec<String> {
        self.people.iter().map(|person| person.id.clone()).collect()
    }
}

impl Source {
    /// What `delivery` says. Whether to believe it is the business of [`Source::verify`].
    ///
    /// # Errors
    /// It is too large, of another media type, or not strict JSON or XML.
    pub fn read(&self, delivery: &Delivery<'_>) -> Result<Read, Refusal> {
        let text = self.text(delivery)?;
        let asked = Asked::default();
        let facts = Facts::read(&asked, &text).map_err(|why| Refusal::Malformed { why })?;
        Ok(self.read_facts(delivery, &text, &facts))
    }

    /// The JSON text that the body of `delivery` is, or becomes. Whether what says that it is JSON is JSON, [`RuleSet::facts`] sees.
    ///
    /// # Errors
    /// It is too large, of another media type, or not strict XML.
    ///
    /// [`RuleSet::facts`]: crate::RuleSet::facts
    pub fn text(&self, delivery: &Delivery<'_>) -> Result<Arc<[u8]>, Refusal> {
        let mut texts = self.texts(delivery)?.all;
        let several = || Refusal::Malformed { why: "it holds no event, or several; here one is looked at".to_owned() };
        texts.pop().filter(|_| texts.is_empty()).ok_or_else(several)
    }

    /// The payloads that `delivery` becomes. Whether what says that it is JSON is JSON, [`RuleSet::facts`] sees.
    ///
    /// # Errors
    /// It is too large, of another media type, not strict XML, or no CloudEvents, or too many.
    ///
    /// [`RuleSet::facts`]: crate::RuleSet::facts
    pub fn texts(&self, delivery: &Delivery<'_>) -> Result<Texts, Refusal> {
        self.fits(delivery.body)?;
        if self.takes_cloudevents() {
            return cloudevents::texts(delivery);
        }
        Ok(Texts { all: vec![self.one_text(delivery)?], split: false, of_body: true })
    }

    /// Whether what comes are CloudEvents.
    pub fn takes_cloudevents(&self) -> bool {
        self.formats.contains(&Format::CloudEvents)
    }

    /// What the sender says of the trace that `delivery` belongs to.
    pub fn traceparent(&self, delivery: &Delivery<'_>) -> Option<String> {
        let of_event = if self.takes_cloudevents() { cloudevents::traceparent(delivery) } else { None };
        of_event.or_else(|| delivery.headers.text("traceparent").map(str::to_owned))
    }

    fn one_text(&self, delivery: &Delivery<'_>) -> Result<Arc<[u8]>, Refusal> {
        match self.format(delivery)? {
            Format::Json | Format::CloudEvents => Ok(delivery.body.into()),
            Format::Xml => {
                let tree = xml::parse(delivery.body, self.xml_root.as_deref()).map_err(|why| Refusal::Malformed { why })?;
                Ok(tree.to_string().into_bytes().into())
            }
        }
    }

    /// What `delivery` says, of which `facts` were read from `text`.
    pub fn read_facts(&self, delivery: &Delivery<'_>, text: &Arc<[u8]>, facts: &Facts<'_>) -> Read {
        match self.events.iter().find(|event| event.matches.accepts(delivery, facts)) {
            Some(mapping) => Read::Event(self.reading(mapping, facts, Payload::of_text(Arc::clone(text)))),
            None => Read::Ignored { why: format!("no [[events]] of `{}` matches it", self.id) },
        }
    }

    /// The JSON that the body of `delivery` is, or becomes.
    ///
    /// # Errors
    /// It is too large, of another media type, or not strict JSON or XML.
    pub fn data(&self, delivery: &Delivery<'_>) -> Result<Value, Refusal> {
        json::parse(&self.text(delivery)?).map_err(|why| Refusal::Malformed { why })
    }

    /// What `data` says as an event of type `kind`, whichever way it came; nothing where no `[[events]]` names the type.
    pub fn read_as(&self, kind: &str, data: Payload) -> Option<Reading> {
        let mapping = self.events.iter().find(|event| event.kind == kind)?;
        let asked = Asked::default();
        let facts = Facts::of(&asked, &data);
        Some(self.reading(mapping, &facts, data.clone()))
    }

    fn reading(&self, mapping: &EventMapping, facts: &Facts<'_>, data: Payload) -> Reading {
        let id = |path: &crate::Path| facts.id(path);
        let time = mapping.time.as_ref().and_then(|path| facts.read_first(path, |node| instant(node.text()?, &self.timezone)));
        // As exact as it is kept: what is decided now must come out the same from what is stored.
        let time = time.and_then(|time| Timestamp::from_millisecond(time.as_millisecond()).ok());
        let entity = mapping.entity.as_ref().and_then(|entity| Some(Entity { kind: entity.kind.clone(), id: id(&entity.id)? }));
        let people = people(&mapping.subjects, facts);
        let clinic = mapping.clinic.as_ref().and_then(|place| place.id(facts));
        let records = self.records.iter().filter(|record| record.on.contains(&mapping.kind));
        let records = records.filter_map(|record| record.reading(facts, &people, clinic.as_deref())).collect();
        let parts: Option<Vec<String>> = mapping.id.iter().map(id).collect();
        let delivery_id = match parts.unwrap_or_default() {
            none if none.is_empty() => None,
            mut one if one.len() == 1 => one.pop(),
            // Written so that no two lists are the same text.
            several => serde_json::to_string(&several).ok(),
        };
        Reading { kind: mapping.kind.clone(), time, entity, people, clinic, delivery_id, data, records }
    }
}

impl Match {
    fn accepts(&self, delivery: &Delivery<'_>, facts: &Facts<'_>) -> bool {
        let path = self.path.as_ref().is_none_or(|path| delivery.path.trim_matches('/') == path);
        let header = self.header.as_ref().is_none_or(|(name, value)| delivery.headers.text(name) == Some(value));
        path && header && self.body.as_ref().is_none_or(|(path, value)| facts.has(path, value))
    }
}

impl Place {
    fn id(&self, facts: &Facts<'_>) -> Option<String> {
        match self {
            Self::Path(path) => facts.id(path),
            Self::Literal(text) => Some(text.clone()),
        }
    }
}

impl RecordMapping {
    fn reading(&self, facts: &Facts<'_>, people: &[PersonReading], clinic: Option<&str>) -> Option<RecordReading> {
        let id = facts.id(&self.key)?;
        let fields = self.keep.iter().filter_map(|(name, path)| Some((name.clone(), facts.value(path)?))).collect();
        let subject = match &self.subject {
            Some(path) => facts.id(path),
            None => people.iter().any(|person| person.id == id).then(|| id.clone()),
        };
        let clinic = match &self.clinic {
            Some(place) => place.id(facts),
            None => clinic.map(str::to_owned),
        };
        Some(RecordReading { kind: self.kind.clone(), id, fields, subject, clinic })
    }
}

/// What a `Content-Type` says.
enum Said {
    Nothing,
    Json,
    Xml,
    /// Of the form that HTTP clients say of anything, where nobody tells them better.
    Form,
    Other,
}

impl Source {
    /// The format of a body: what its `Content-Type` says; where it says nothing, the only one that the source takes, or how
    /// the body begins. Senders that say nothing, or only `text/plain`, are common, and so are those that send JSON or XML
    /// under the type that their HTTP client gives to anything: that of a form.
    fn format(&self, delivery: &Delivery<'_>) -> Result<Format, Refusal> {
        let takes = |format: Format| self.formats.contains(&format).then_some(format);
        let body = delivery.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(delivery.body).trim_ascii_start();
        let found = match said(delivery) {
            Said::Json => takes(Format::Json),
            Said::Xml => takes(Format::Xml),
            Said::Form if body.starts_with(b"{") => takes(Format::Json),
            Said::Form if body.starts_with(b"<") => takes(Format::Xml),
            Said::Form | Said::Other => None,
            Said::Nothing => match *self.formats {
                [only] => Some(only),
                _ if body.starts_with(b"<") => takes(Format::Xml),
                _ => takes(Format::Json),
            },
        };
        let format = found.ok_or_else(|| {
            let known: Vec<&str> = self.formats.iter().map(|format| format.media_type()).collect();
            Refusal::Unsupported { why: format!("it takes {}", known.join(" and ")) }
        })?;
        if format == Format::Xml && charset(delivery).is_some_and(|charset| !xml::is_utf8(charset)) {
            return Err(Refusal::Unsupported { why: "it takes XML in UTF-8".to_owned() });
        }
        Ok(format)
    }
}

impl Format {
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
            Self::CloudEvents => "application/cloudevents+json",
        }
    }
}

fn said(delivery: &Delivery<'_>) -> Said {
    let Some(header) = delivery.headers.text("content-type") else { return Said::Nothing };
    let media_type = header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "" | "text/plain" | "application/octet-stream" => Said::Nothing,
        "application/x-www-form-urlencoded" => Said::Form,
        json if json.ends_with("/json") || json.ends_with("+json") => Said::Json,
        xml if xml.ends_with("/xml") || xml.ends_with("+xml") => Said::Xml,
        _ => Said::Other,
    }
}

/// The encoding that a `Content-Type` names.
fn charset<'a>(delivery: &Delivery<'a>) -> Option<&'a str> {
    let mut parameters = delivery.headers.text("content-type")?.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, charset) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(charset.trim().trim_matches('"'))
}
