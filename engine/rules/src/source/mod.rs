//! Sources: how to receive, verify and read one provider's webhooks.
//!
//! A source file says everything about a provider; nothing in zelo knows any provider by name.

mod around;
mod arrival;
mod changes;
mod classes;
mod cloudevents;
mod consents;
mod delivery;
mod event_file;
pub(crate) mod file;

pub(crate) mod form;
pub(crate) mod fresh;
mod handshake;
mod parameters;
mod people;
mod reading;
pub(crate) mod receive;
mod receive_file;
mod sample;
mod shape;
mod split;
pub(crate) mod verify;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

pub use around::{Around, Composed, Given};
pub use arrival::Through;
pub use changes::Changes;
pub(crate) use classes::CLASSES;
pub use classes::{Class, Classes};
pub use consents::ConsentMapping;
pub use delivery::{Delivery, Headers, Refusal};
pub(crate) use event_file::expand;
#[cfg(test)]
pub(crate) use event_file::is_type;
pub(crate) use file::{FORMATS, check_name, pick, read, zone};
pub(crate) use handshake::METHODS;
pub use handshake::{Handshake, Method};

pub use people::{PersonMapping, PersonReading, common};
pub use reading::{Read, Reading, RecordReading, Texts};
pub(crate) use receive::{ACK_MAX, MAX_BODY_MAX};
pub(crate) use receive_file::ON_VIOLATION;
pub use sample::Sample;
pub use shape::Shape;
pub use split::Split;
pub(crate) use verify::{ALGORITHMS, BODY_ENCODINGS, ENCODINGS, KEY_ENCODINGS, KINDS};
pub use verify::{Added, Scheme, Shows};
pub use words::Words;

use crate::path::Path;
use crate::text::Text;

/// One provider.
#[derive(Clone, Debug)]
pub struct Source {
    pub id: String,
    pub title: Text,
    /// The file that it was read from.
    pub file: String,
    /// Of timestamps without an offset.
    pub timezone: TimeZone,
    /// Of a clinic whose record names none.
    pub clinic_timezone: Option<TimeZone>,
    /// What bodies may be; at least one.
    pub formats: Vec<Format>,
    /// The root element of XML bodies, where `$` is what stands in it.
    pub xml_root: Option<String>,
    /// The longest body that is read, in bytes.
    pub max_body: usize,
    /// A delivery must satisfy one of these; without one nothing does.
    pub verify: Vec<Scheme>,
    /// Nothing is checked: anyone can send. Said aloud wherever it is found.
    pub insecure: bool,
    /// How the provider asks whether we are here.
    pub handshakes: Vec<Handshake>,
    /// What a delivery that is taken is answered, where the provider minds.
    pub ack: Option<Ack>,
    /// What payloads are made of, where that is not the body.
    pub payload: Option<Composed>,
    /// Which lists of a body hold an event in each element.
    pub split: Split,
    /// What becomes of an event that is not in the form of its type.
    pub on_violation: OnViolation,
    pub events: Vec<EventMapping>,
    pub records: Vec<RecordMapping>,
    /// What is personal here says something about a person's health: LGPD art. 11.
    pub health: bool,
    /// Which events give and take people's consent.
    pub consents: Vec<ConsentMapping>,
    /// What people call what stands in its payloads.
    pub words: Words,
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
}

/// An exact answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// 200 to 299.
    pub status: u16,
    pub body: String,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
    Xml,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// CloudEvents 1.0, in any way that HTTP knows to send them.
    CloudEvents,
}

/// What becomes of an event that is not in the form that its type promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnViolation {
    /// It is acknowledged and stored, and no rule sees it.
    #[default]
    Quarantine,
    /// Its delivery is refused.
    Refuse,
}

/// How one kind of delivery becomes an event: one `[[events]]`.
#[derive(Clone, Debug)]
pub struct EventMapping {
    pub matches: Match,
    /// The type of the event: `appointment.created`.
    pub kind: String,
    pub time: Option<Given>,
    pub entity: Option<EntityMapping>,
    /// The people that it is about, the main one first.
    pub subjects: Vec<PersonMapping>,
    pub clinic: Option<Place>,
    /// What identifies the delivery, all parts together; nothing: its content.
    pub id: Vec<Given>,
    /// Where an edit says what it changed.
    pub changes: Option<Changes>,
    /// What the payload must look like.
    pub shape: Option<Shape>,
    /// An example of a body: a file, as the source file names it.
    pub sample: Option<String>,
    /// What happens, as people say it: `um agendamento é criado`.
    pub title: Option<Text>,
    /// The class of the most delicate that may stand in it.
    pub class: Class,
    /// How delicate what stands in it is: its own classes, and those of the source about which it says nothing.
    pub classes: Classes,
}

/// What a delivery must look like; all that is given must hold. Where nothing is given, it takes anything.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// The rest of the URL, without slashes at its ends.
    pub path: Option<String>,
    /// A header and its value.
    pub header: Option<(String, String)>,
    /// A parameter of the URL and its value.
    pub query: Option<(String, String)>,
    /// What must hold of the payload.
    pub body: Vec<Holds>,
}

/// What must hold of a payload.
#[derive(Clone, Debug)]
pub struct Holds {
    pub path: Path,
    pub wanted: Wanted,
}

/// What a path must yield.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// A node of this value.
    Equals(serde_json::Value),
    /// A node that is not null, or none.
    Exists(bool),
}

/// The thing an event is about.
#[derive(Clone, Debug)]
pub struct EntityMapping {
    pub kind: String,
    pub id: Path,
}

/// A value from the payload, or always the same.
#[derive(Clone, Debug)]
pub enum Place {
    Path(Path),
    Literal(String),
}

/// What is remembered of some events: one `[[records]]`.
#[derive(Clone, Debug)]
pub struct RecordMapping {
    pub kind: String,
    /// The event types that speak about it.
    pub on: BTreeSet<String>,
    pub key: Path,
    /// Kept fields by name.
    pub keep: BTreeMap<String, Path>,
    /// Who it is about, where its key does not say so.
    pub subject: Option<Path>,
    /// Whose it is; none: the event's clinic.
    pub clinic: Option<Place>,
    /// Whose it is, as people say it: `o paciente`.
    pub title: Option<Text>,
    /// What people call what stands in it.
    pub words: Words,
}

/// What a source remembers of one type of records, for whoever brings some that no event told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordFacts {
    /// The kept fields by name, and whether each is a list.
    pub fields: BTreeMap<String, bool>,
    /// Whether its key names the person it is about.
    pub is_person: bool,
    /// Whether its key names the clinic it belongs to.
    pub is_clinic: bool,
}

impl Source {
    /// All that it asks of events.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let events = self.events.iter().flat_map(|event| {
            let body = event.matches.body.iter().map(|holds| &holds.path);
            let changes = event.changes.iter().flat_map(|changes| [&changes.of, &changes.old, &changes.new]);
            let entity = event.entity.as_ref().map(|entity| &entity.id);
            let around = event.time.iter().chain(&event.id).filter_map(Given::path);
            let one = body.chain(entity).chain(around);
            let clinic = if let Some(Place::Path(path)) = &event.clinic { Some(path) } else { None };
            one.chain(clinic).chain(event.subjects.iter().flat_map(PersonMapping::paths)).chain(changes)
        });
        let records = self.records.iter().flat_map(|record| {
            let clinic = if let Some(Place::Path(path)) = &record.clinic { Some(path) } else { None };
            [&record.key].into_iter().chain(record.keep.values()).chain(&record.subject).chain(clinic)
        });
        events.chain(records).chain(self.consents.iter().flat_map(ConsentMapping::paths))
    }

    /// The event types that it names.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.events.iter().map(|event| event.kind.as_str())
    }

    /// Where events of type `kind` say what they changed; nothing where they do not.
    pub(crate) fn changes(&self, kind: &str) -> Option<&Changes> {
        self.events.iter().filter(|event| event.kind == kind).find_map(|event| event.changes.as_ref())
    }

    /// How events of type `kind` name the people that they are about.
    pub(crate) fn people(&self, kind: &str) -> &[PersonMapping] {
        self.events.iter().find(|event| event.kind == kind).map_or(&[], |event| &event.subjects)
    }

    /// The record types that it feeds.
    pub fn record_types(&self) -> impl Iterator<Item = &str> {
        self.records.iter().map(|record| record.kind.as_str())
    }

    /// What it remembers of records of type `kind`; nothing where it feeds none.
    pub fn record(&self, kind: &str) -> Option<RecordFacts> {
        let mut found: Option<RecordFacts> = None;
        for record in self.records.iter().filter(|record| record.kind == kind) {
            let facts = found.get_or_insert_default();
            let is_key = |path: &Path| path.as_str() == record.key.as_str();
            let names_it = |place: &Place| matches!(place, Place::Path(path) if is_key(path));
            let mut events = self.events.iter().filter(|event| record.on.contains(&event.kind));
            facts.is_person |= match &record.subject {
                Some(path) => is_key(path),
                None => events.clone().any(|event| event.subjects.iter().any(|subject| is_key(&subject.id))),
            };
            facts.is_clinic |= match &record.clinic {
                Some(place) => names_it(place),
                None => events.any(|event| event.clinic.as_ref().is_some_and(names_it)),
            };
            for (name, path) in &record.keep {
                *facts.fields.entry(name.clone()).or_default() |= !path.is_singular();
            }
        }
        found
    }
}
