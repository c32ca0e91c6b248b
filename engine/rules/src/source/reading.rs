//! Makes an event of a verified delivery.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use zelo_core::{Entity, Payload};

use super::people::people;
use super::split::Lists;
use super::{Delivery, EventMapping, Format, Given, Holds, Match, PersonReading, Place, RecordMapping, Refusal, Source, Wanted, form};
use crate::encoding::{is_utf8, unmarked};
use crate::facts::{Asked, Facts, Node};
use crate::time::{instant, instant_of_digits, instant_of_number};
use crate::{json, xml};

/// The payloads of a delivery.
#[derive(Debug)]
pub struct Texts {
    /// The JSON text of each event; at least one.
    pub all: Vec<Arc<[u8]>>,
    /// Whether they are elements of lists: each is an event by itself.
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
    /// Where the payload is not in the form of its type; nothing where it is, or where nobody looked.
    pub violation: Option<String>,
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
    /// What `delivery` says, event by event. Whether to believe it is the business of [`Source::verify`].
    ///
    /// # Errors
    /// It is too large, of another media type, or not strictly written.
    pub fn read_all(&self, delivery: &Delivery<'_>) -> Result<Vec<Read>, Refusal> {
        let asked = Asked::default();
        let read = |text: &Arc<[u8]>| {
            let facts = Facts::read(&asked, text).map_err(|why| Refusal::Malformed { why })?;
            Ok(self.read_facts(delivery, text, &facts))
        };
        self.texts(delivery)?.all.iter().map(read).collect()
    }

    /// The first event that `delivery` tells of, and where it is not split the only one.
    ///
    /// # Errors
    /// See [`Source::read_all`].
    pub fn read(&self, delivery: &Delivery<'_>) -> Result<Read, Refusal> {
        let first = self.read_all(delivery)?.into_iter().next();
        first.ok_or_else(|| Refusal::Malformed { why: "it holds no event".to_owned() })
    }

    /// The payloads that `delivery` becomes. Whether what says that it is JSON is JSON, [`RuleSet::facts`] sees.
    ///
    /// # Errors
    /// It is too large, of another media type, not strictly written, or tells of too many events.
    ///
    /// [`RuleSet::facts`]: crate::RuleSet::facts
    pub fn texts(&self, delivery: &Delivery<'_>) -> Result<Texts, Refusal> {
        let malformed = |why| Refusal::Malformed { why };
        let (text, format) = self.written(delivery)?;
        let of_body = format.is_some();
        let whole = |text| Ok(Texts { all: vec![text], split: false, of_body });
        let (false, Some(format)) = (self.split.is_empty(), format) else { return whole(text) };
        let asked = Asked::default();
        let document = Facts::read(&asked, &text).map_err(malformed)?;
        let lists = if format == Format::Xml { Lists::MayBeSingle } else { Lists::AreLists };
        let all = self.split.events(document.text(), lists).map_err(malformed)?;
        if all.is_empty() { whole(text) } else { Ok(Texts { all, split: true, of_body: false }) }
    }

    /// The JSON text that `delivery` as a whole is, or becomes. Whether what says that it is JSON is JSON, [`RuleSet::facts`] sees.
    ///
    /// # Errors
    /// It is too large, of another media type, or not strict XML, or no form.
    ///
    /// [`RuleSet::facts`]: crate::RuleSet::facts
    pub fn text(&self, delivery: &Delivery<'_>) -> Result<Arc<[u8]>, Refusal> {
        Ok(self.written(delivery)?.0)
    }

    /// The same, and the format of the body that it was read from; none where the body was not read.
    fn written(&self, delivery: &Delivery<'_>) -> Result<(Arc<[u8]>, Option<Format>), Refusal> {
        self.fits(delivery.body)?;
        if let Some(composed) = &self.payload {
            return Ok((Value::Object(composed.payload(delivery)).to_string().into_bytes().into(), None));
        }
        let format = self.format(delivery)?;
        let text: Result<Arc<[u8]>, String> = match format {
            Format::Json => unmarked(delivery.body).map(Into::into),
            Format::Xml => xml::parse(delivery.body, self.xml_root.as_deref()).map(|tree| tree.to_string().into_bytes().into()),
            Format::Form => form::parse(delivery.body).map(|tree| tree.to_string().into_bytes().into()),
        };
        Ok((text.map_err(|why| Refusal::Malformed { why })?, Some(format)))
    }

    /// What `delivery` says, of which `facts` were read from `text`.
    pub fn read_facts(&self, delivery: &Delivery<'_>, text: &Arc<[u8]>, facts: &Facts<'_>) -> Read {
        match self.events.iter().find(|event| event.matches.accepts(delivery, facts)) {
            Some(mapping) => {
                let mut reading = self.reading(mapping, facts, Payload::of_text(Arc::clone(text)), Some(delivery));
                reading.violation = mapping.shape.as_ref().and_then(|shape| shape.violation(&reading.data));
                Read::Event(reading)
            }
            None => Read::Ignored { why: format!("no [[events]] of `{}` matches it", self.id) },
        }
    }

    /// The JSON that `delivery` as a whole is, or becomes.
    ///
    /// # Errors
    /// It is too large, of another media type, or not strictly written.
    pub fn data(&self, delivery: &Delivery<'_>) -> Result<Value, Refusal> {
        // Whoever asks about a payload that is made of other things gives it as it is made.
        let text = if self.payload.is_some() { delivery.body.into() } else { self.text(delivery)? };
        json::parse(&text).map_err(|why| Refusal::Malformed { why })
    }

    /// What `data` says as an event of type `kind`, whichever way it came; nothing where no `[[events]]` names the type.
    pub fn read_as(&self, kind: &str, data: Payload) -> Option<Reading> {
        let mapping = self.events.iter().find(|event| event.kind == kind)?;
        let asked = Asked::default();
        let facts = Facts::of(&asked, &data);
        Some(self.reading(mapping, &facts, data.clone(), None))
    }

    /// Where `data`, as an event of type `kind`, is not in its form; nothing where it is, or the type promises none.
    pub fn violation(&self, kind: &str, data: &Value) -> Option<String> {
        self.events.iter().filter(|event| event.kind == kind).find_map(|event| event.shape.as_ref())?.violation(data)
    }

    /// What an event says; of what stands around its body, where it has come with a `delivery`.
    fn reading(&self, mapping: &EventMapping, facts: &Facts<'_>, data: Payload, delivery: Option<&Delivery<'_>>) -> Reading {
        let id = |path: &crate::Path| facts.id(path);
        let instant_of_text = |text: &str| instant(text, &self.timezone).or_else(|| instant_of_digits(text));
        let time = mapping.time.as_ref().and_then(|given| match given {
            Given::Around(around) => instant_of_text(&around.fill(delivery?)?),
            Given::Path(path) => facts.read_first(path, |node| match node {
                Node::Text(text) => instant_of_text(text),
                Node::Number(number) => instant_of_number(number.as_f64()?),
                _ => None,
            }),
        });
        // As exact as it is kept: what is decided now must come out the same from what is stored.
        let time = time.and_then(|time| Timestamp::from_millisecond(time.as_millisecond()).ok());
        let entity = mapping.entity.as_ref().and_then(|entity| Some(Entity { kind: entity.kind.clone(), id: id(&entity.id)? }));
        let people = people(&mapping.subjects, facts);
        let clinic = mapping.clinic.as_ref().and_then(|place| place.id(facts));
        let records = self.records.iter().filter(|record| record.on.contains(&mapping.kind));
        let records = records.filter_map(|record| record.reading(facts, &people, clinic.as_deref())).collect();
        let part = |given: &Given| match given {
            Given::Path(path) => id(path),
            Given::Around(around) => around.fill(delivery?).filter(|text| !text.is_empty()),
        };
        let parts: Option<Vec<String>> = mapping.id.iter().map(part).collect();
        let delivery_id = match parts.unwrap_or_default() {
            none if none.is_empty() => None,
            mut one if one.len() == 1 => one.pop(),
            // Written so that no two lists are the same text.
            several => serde_json::to_string(&several).ok(),
        };
        Reading { kind: mapping.kind.clone(), time, entity, people, clinic, delivery_id, violation: None, data, records }
    }
}

impl Match {
    fn accepts(&self, delivery: &Delivery<'_>, facts: &Facts<'_>) -> bool {
        let path = self.path.as_ref().is_none_or(|path| delivery.path.trim_matches('/') == path);
        let header = self.header.as_ref().is_none_or(|(name, value)| delivery.headers.text(name) == Some(value));
        let query = || self.query.as_ref().is_none_or(|(name, value)| form::parameter(delivery.url, name).as_deref() == Some(value));
        path && header && query() && self.body.iter().all(|holds| holds.accepts(facts))
    }
}

impl Holds {
    fn accepts(&self, facts: &Facts<'_>) -> bool {
        match &self.wanted {
            Wanted::Equals(value) => facts.has(&self.path, value),
            Wanted::Exists(wanted) => {
                let found = facts.read_all(&self.path, |node| (!matches!(node, Node::Null)).then_some(()));
                found.is_empty() != *wanted
            }
        }
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
            Said::Form if body.starts_with(b"{") => takes(Format::Json).or(takes(Format::Form)),
            Said::Form if body.starts_with(b"<") => takes(Format::Xml).or(takes(Format::Form)),
            Said::Form => takes(Format::Form),
            Said::Other => None,
            Said::Nothing => match *self.formats {
                [only] => Some(only),
                _ if body.starts_with(b"<") => takes(Format::Xml),
                _ if body.starts_with(b"{") || body.starts_with(b"[") => takes(Format::Json).or(takes(Format::Form)),
                _ => takes(Format::Form).or(takes(Format::Json)),
            },
        };
        let format = found.ok_or_else(|| {
            let known: Vec<&str> = self.formats.iter().map(|format| format.media_type()).collect();
            Refusal::Unsupported { why: format!("it takes {}", known.join(" and ")) }
        })?;
        // What is ASCII alone is the same in whatever it is said to be; XML says it once more, inside.
        let other = charset(delivery).is_some_and(|charset| !is_utf8(charset));
        if other && (format == Format::Xml || !delivery.body.is_ascii()) {
            let form = match format {
                Format::Json => "JSON",
                Format::Xml => "XML",
                Format::Form => "forms",
            };
            return Err(Refusal::Unsupported { why: format!("it takes {form} in UTF-8") });
        }
        Ok(format)
    }
}

impl Format {
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
            Self::Form => "application/x-www-form-urlencoded",
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
