//! Whose data a value is: who has a key of their own.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use zelo_core::{Arrival, KeyHash, RecordWrite};

/// What the data under a key is kept for, where no law says that they must be kept.
pub const PURPOSE: &str = "operations";

/// What the data under a key is kept for that stay although their person was erased: a law says so.
pub const DUTY: &str = "duty";

/// Who a data key belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    pub connection: String,
    pub clinic: Option<String>,
    pub kind: OwnerKind,
}

/// What kind of owner, the nearest to the person first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OwnerKind {
    /// A person, as the connection names them.
    Subject(KeyHash),
    /// Several people together, in order: their data cannot be told apart, so they go with any of them.
    Together(Vec<KeyHash>),
    /// The clinic: what is about no person that zelo knows of.
    Clinic,
    /// The connection: what names no clinic either.
    Connection,
}

impl Owner {
    /// The owner of an arrival's payload, without what is others' alone: who it is about, else its clinic, else its connection.
    pub fn of_arrival(arrival: &Arrival) -> Self {
        let whole = arrival.people.iter().filter(|person| person.parts.is_none()).map(|person| person.hash);
        Self::of_people(&arrival.event.connection, arrival.event.clinic.as_deref(), whole.collect())
    }

    /// The owner of what is about `people`: themselves, one or together; else the clinic, else the connection.
    pub fn of_people(connection: &str, clinic: Option<&str>, mut people: Vec<KeyHash>) -> Self {
        people.sort_unstable();
        people.dedup();
        match people.as_slice() {
            [] | [_] => Self::new(connection, clinic, people.pop()),
            _ => Self { connection: connection.to_owned(), clinic: clinic.map(str::to_owned), kind: OwnerKind::Together(people) },
        }
    }

    /// The owners of what each of several has alone; nobody where it is one or none.
    pub fn members(&self) -> Vec<Self> {
        let OwnerKind::Together(people) = &self.kind else { return Vec::new() };
        people.iter().map(|person| Self::new(&self.connection, self.clinic.as_deref(), Some(*person))).collect()
    }

    /// The owner of a record: the person it is about, else its clinic, else the connection.
    pub fn of_record(connection: &str, write: &RecordWrite) -> Self {
        Self::new(connection, write.clinic.as_deref(), write.subject)
    }

    /// The owner of what is made of the events of several: their clinic, else the connection.
    pub fn of_several(connection: &str, clinic: Option<&str>) -> Self {
        Self::new(connection, clinic, None)
    }

    fn new(connection: &str, clinic: Option<&str>, subject: Option<KeyHash>) -> Self {
        let kind = match (subject, clinic) {
            (Some(subject), _) => OwnerKind::Subject(subject),
            (None, Some(_)) => OwnerKind::Clinic,
            (None, None) => OwnerKind::Connection,
        };
        Self { connection: connection.to_owned(), clinic: clinic.map(str::to_owned), kind }
    }

    /// The word in the store.
    pub fn kind_str(&self) -> &'static str {
        match self.kind {
            OwnerKind::Subject(_) | OwnerKind::Together(_) => "subject",
            OwnerKind::Clinic => "clinic",
            OwnerKind::Connection => "connection",
        }
    }

    /// Names the owner: the same for the same person, whichever clinic they are seen at.
    pub(super) fn hash(&self, mac: &Hmac<Sha256>) -> KeyHash {
        let (label, part) = match &self.kind {
            // A keyed hash of connection and person already.
            OwnerKind::Subject(subject) => return *subject,
            OwnerKind::Together(people) => ("together", people.iter().flat_map(|person| person.0).collect()),
            OwnerKind::Clinic => ("clinic", self.clinic.as_deref().unwrap_or_default().as_bytes().to_vec()),
            OwnerKind::Connection => ("connection", Vec::new()),
        };
        let mut mac = mac.clone();
        for part in [label.as_bytes(), self.connection.as_bytes(), &part] {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        let mut hash = [0; 16];
        hash.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        KeyHash(hash)
    }
}
