//! Sources: how to receive, verify and read one provider's webhooks.
//!
//! A source file says everything about a provider; nothing in zelo knows any provider by name.

mod classes;
mod delivery;
mod file;
mod reading;
mod verify;

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

pub use classes::{Class, Classes};
pub use delivery::{Delivery, Headers, Refusal};
pub(crate) use file::{check_name, expand, pick, read, zone};
pub use reading::{Read, Reading, RecordReading};
pub use verify::{Algorithm, Encoding, Scheme};

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
    pub format: Format,
    /// The longest body that is read, in bytes.
    pub max_body: usize,
    /// A delivery must satisfy one of these.
    pub verify: Vec<Scheme>,
    pub events: Vec<EventMapping>,
    pub records: Vec<RecordMapping>,
    pub classes: Classes,
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Json,
}

/// How one kind of delivery becomes an event: one `[[events]]`.
#[derive(Clone, Debug)]
pub struct EventMapping {
    pub matches: Match,
    /// The type of the event: `appointment.created`.
    pub kind: String,
    pub time: Option<Path>,
    pub entity: Option<EntityMapping>,
    /// Where the ids of the people stand that it is about.
    pub subjects: Vec<Path>,
    pub clinic: Option<Place>,
    /// What identifies the delivery.
    pub id: Option<Path>,
}

/// What a delivery must look like; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Match {
    /// The rest of the URL, without slashes at its ends.
    pub path: Option<String>,
    /// A header and its value.
    pub header: Option<(String, String)>,
    /// A query and the value of one of its nodes.
    pub body: Option<(Path, serde_json::Value)>,
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
}

impl Source {
    /// The event types that it names.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.events.iter().map(|event| event.kind.as_str())
    }

    /// The record types that it feeds.
    pub fn record_types(&self) -> impl Iterator<Item = &str> {
        self.records.iter().map(|record| record.kind.as_str())
    }

    /// The class of what a path yields in a payload.
    pub fn class(&self, path: &Path) -> Class {
        self.classes.of(path)
    }

    /// The class of what a path yields in a record of type `kind`.
    pub fn record_class(&self, kind: &str, path: &Path) -> Class {
        classes::of_record(self, kind, path)
    }
}
