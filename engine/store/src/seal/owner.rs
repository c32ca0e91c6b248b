//! Whose data a value is: who has a key of their own.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use zelo_core::{Arrival, KeyHash, RecordWrite};

/// What the data under a key is kept for. One for now; retention gives each purpose a key of its own.
pub const PURPOSE: &str = "operations";

/// Who a data key belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    pub connection: String,
    pub clinic: Option<String>,
    pub kind: OwnerKind,
}

/// What kind of owner, the nearest to the person first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnerKind {
    /// A person, as the connection names them.
    Subject(KeyHash),
    /// The clinic: what is about no person that zelo knows of.
    Clinic,
    /// The connection: what names no clinic either.
    Connection,
}

impl Owner {
    /// The owner of an arrival's payload: its first subject, else its clinic, else its connection.
    pub fn of_arrival(arrival: &Arrival) -> Self {
        Self::new(&arrival.event.connection, arrival.event.clinic.as_deref(), arrival.subjects.first().copied())
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
            OwnerKind::Subject(_) => "subject",
            OwnerKind::Clinic => "clinic",
            OwnerKind::Connection => "connection",
        }
    }

    /// Names the owner: the same for the same person, whichever clinic they are seen at.
    pub(super) fn hash(&self, mac: &Hmac<Sha256>) -> KeyHash {
        let part = match &self.kind {
            // A keyed hash of connection and person already.
            OwnerKind::Subject(subject) => return *subject,
            OwnerKind::Clinic => self.clinic.as_deref().unwrap_or_default().as_bytes(),
            OwnerKind::Connection => &[],
        };
        let mut mac = mac.clone();
        for part in [self.kind_str().as_bytes(), self.connection.as_bytes(), part] {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        let mut hash = [0; 16];
        hash.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        KeyHash(hash)
    }
}
