//! What stands inside of sealed values.
//!
//! Everything that names or describes a person is in here, and nothing of it anywhere else: the provider's ids beside
//! the payload, the provider's id beside the record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use zelo_core::{Arrival, Entity, Event, RecordRow, Stamp};

/// What is sealed beside the body of an event.
#[derive(Serialize, Deserialize)]
pub(crate) struct Head {
    /// The provider's id of the entity.
    entity: Option<String>,
    /// The provider's ids of the people that the body is about; nothing where somebody has a part of their own, which has their id.
    subjects: Vec<Option<String>>,
    /// Where the body has `null` instead of what is one person's alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holes: Vec<Hole>,
}

/// What was taken out of a body: whose it is, by their place, and where it stood.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Hole {
    person: usize,
    start: usize,
    len: usize,
}

const HOLE: &[u8] = b"null";

/// What is sealed of a person's own part of a body, beside its bytes.
#[derive(Serialize, Deserialize)]
struct PartHead {
    /// What the provider calls them.
    subject: String,
}

/// The parts of an arrival: the whole, as it is sealed under its owner's key, and what is of one person alone, by their places.
pub(crate) struct Parts {
    pub whole: Vec<u8>,
    pub own: Vec<(usize, Vec<u8>)>,
}

impl Parts {
    /// Each begins with its head: its length in four bytes, then JSON; then the body, or what of it is theirs.
    pub(crate) fn of(arrival: &Arrival) -> Self {
        let own = |place: usize| arrival.people.get(place).and_then(|person| person.parts.as_ref()).is_some();
        let mut holes: Vec<Hole> = Vec::new();
        for (place, person) in arrival.people.iter().enumerate() {
            let parts = person.parts.iter().flatten().filter(|part| arrival.body.get((*part).clone()).is_some());
            holes.extend(parts.map(|part| Hole { person: place, start: part.start, len: part.len() }));
        }
        holes.sort_unstable_by_key(|hole| hole.start);
        let subjects = arrival.event.subjects.iter().enumerate();
        let head = Head {
            entity: arrival.event.entity.as_ref().map(|entity| entity.id.clone()),
            subjects: subjects.clone().map(|(place, subject)| (!own(place)).then(|| subject.clone())).collect(),
            holes: holes.clone(),
        };
        let mut whole = with_head(&head, arrival.body.len());
        let mut at = 0;
        for hole in &holes {
            whole.extend_from_slice(arrival.body.get(at..hole.start).unwrap_or_default());
            whole.extend_from_slice(HOLE);
            at = hole.start + hole.len;
        }
        whole.extend_from_slice(arrival.body.get(at..).unwrap_or_default());
        let own = subjects.filter(|(place, _)| own(*place)).map(|(place, subject)| {
            let mut part = with_head(&PartHead { subject: subject.clone() }, 0);
            for hole in holes.iter().filter(|hole| hole.person == place) {
                part.extend_from_slice(arrival.body.get(hole.start..hole.start + hole.len).unwrap_or_default());
            }
            (place, part)
        });
        Self { whole, own: own.collect() }
    }
}

/// As a rule a head is no longer than this, in bytes.
const HEAD: usize = 256;

/// The beginning of a part of which about `room` bytes follow.
fn with_head(head: &impl Serialize, room: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + HEAD + room);
    bytes.extend_from_slice(&[0; 4]);
    // Strings and lists of strings always have a JSON form.
    let _ = serde_json::to_writer(&mut bytes, head);
    let len = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    bytes
}

fn split_head<T: serde::de::DeserializeOwned>(part: &[u8]) -> Result<(T, &[u8]), String> {
    let (len, rest) = part.split_first_chunk::<4>().ok_or("it is too short")?;
    let (head, body) = rest.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or("it is cut off")?;
    Ok((from_json(head)?, body))
}

/// The whole of an event, opened, before the parts of others are put into it.
pub(crate) struct Whole {
    head: Head,
    body: Vec<u8>,
}

impl Whole {
    /// # Errors
    /// Why it is not what [`Parts::of`] made.
    pub(crate) fn read(part: &[u8]) -> Result<Self, String> {
        let (head, body) = split_head(part)?;
        Ok(Self { head, body: body.to_vec() })
    }

    /// Whether others have parts of it.
    pub(crate) fn has_others(&self) -> bool {
        self.head.subjects.iter().any(Option::is_none)
    }

    /// Puts entity, people and payload into `event`, whose other fields are set. Of people whose part is not in `own`, because their key
    /// was destroyed, nothing is left.
    ///
    /// # Errors
    /// Why it is not what [`Parts::of`] made.
    pub(crate) fn fill(
        self,
        event: &mut Event,
        entity_kind: Option<String>,
        own: &BTreeMap<usize, Zeroizing<Vec<u8>>>,
    ) -> Result<(), String> {
        let mut theirs = BTreeMap::new();
        for (place, part) in own {
            theirs.insert(*place, split_head::<PartHead>(part)?);
        }
        let subject = |(place, subject): (usize, &Option<String>)| {
            subject.clone().or_else(|| theirs.get(&place).map(|(head, _)| head.subject.clone()))
        };
        event.subjects = self.head.subjects.iter().enumerate().filter_map(subject).collect();
        event.entity = self.head.entity.zip(entity_kind).map(|(id, kind)| Entity { kind, id });
        let body = if self.head.holes.is_empty() { self.body } else { filled(&self.head.holes, &self.body, &mut theirs)? };
        event.data = serde_json::from_slice::<Value>(&body).map_err(|error| place_only(&error))?.into();
        Ok(())
    }
}

/// A person's own part of a body: what the provider calls them, and what of it is theirs.
pub(crate) fn own_part(part: &[u8]) -> Result<(String, Vec<Value>), String> {
    let (head, bytes): (PartHead, &[u8]) = split_head(part)?;
    let values = serde_json::Deserializer::from_slice(bytes).into_iter();
    Ok((head.subject, values.collect::<Result<_, _>>().map_err(|error| place_only(&error))?))
}

/// `body` with what `theirs` has in its holes; a hole stays one where it has nothing.
fn filled(holes: &[Hole], body: &[u8], theirs: &mut BTreeMap<usize, (PartHead, &[u8])>) -> Result<Vec<u8>, String> {
    let cut_off = || "it is cut off".to_owned();
    let mut whole = Vec::with_capacity(body.len());
    let (mut rest, mut at) = (body, 0);
    for hole in holes {
        let (before, after) = rest.split_at_checked(hole.start.checked_sub(at).ok_or_else(cut_off)?).ok_or_else(cut_off)?;
        whole.extend_from_slice(before);
        rest = after.get(HOLE.len()..).ok_or_else(cut_off)?;
        at = hole.start + hole.len;
        match theirs.get_mut(&hole.person) {
            Some((_, bytes)) => {
                let (own, left) = bytes.split_at_checked(hole.len).ok_or_else(cut_off)?;
                whole.extend_from_slice(own);
                *bytes = left;
            }
            None => whole.extend_from_slice(HOLE),
        }
    }
    whole.extend_from_slice(rest);
    Ok(whole)
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
