//! The audit log: who did and saw what, each entry chained to the one before it.
//!
//! An entry never holds a value of anybody's: people stand in it under a random [`Pseudonym`] that leads nowhere once they are
//! erased, so erasing changes no entry and the chain still verifies. [`Link`] is the chain: SHA-256 over the link before and
//! the entry, every part with its length, so that no two entries can say the same. [`verify`] finds what was done to it.

pub mod verify;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::id::{JobId, Pseudonym};

/// What an entry tells. The words are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditKind {
    /// A plugin was shown fields.
    Disclosed,
    /// A plugin did something.
    Done,
    /// A plugin asked for what its rule does not grant.
    Refused,
    /// Somebody changed what is in force: rules, automations, settings.
    Configured,
    /// Somebody came in, or tried to.
    SignedIn,
    /// Somebody looked at personal data.
    Viewed,
    /// What is held of a person was handed out.
    Exported,
    /// A person was erased.
    Erased,
    /// A person gave a consent, or withdrew one.
    Consent,
    /// A person's data were put on hold, or let go.
    Held,
    /// What had been kept long enough was deleted.
    Retained,
    /// The beginning of this log was cut off, behind a signed head.
    Pruned,
    /// The master key was changed.
    Rotated,
    /// A person decided about a job: it runs again, or ended so.
    Decided,
    /// A person changed what is remembered about something.
    Amended,
}

impl AuditKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Disclosed,
        Self::Done,
        Self::Refused,
        Self::Configured,
        Self::SignedIn,
        Self::Viewed,
        Self::Exported,
        Self::Erased,
        Self::Consent,
        Self::Held,
        Self::Retained,
        Self::Pruned,
        Self::Rotated,
        Self::Decided,
        Self::Amended,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disclosed => "disclosed",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Configured => "configured",
            Self::SignedIn => "signed_in",
            Self::Viewed => "viewed",
            Self::Exported => "exported",
            Self::Erased => "erased",
            Self::Consent => "consent",
            Self::Held => "held",
            Self::Retained => "retained",
            Self::Pruned => "pruned",
            Self::Rotated => "rotated",
            Self::Decided => "decided",
            Self::Amended => "amended",
        }
    }

    /// The kind that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Who did something: the engine itself, or somebody who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor(String);

impl Actor {
    /// The engine, because a rule says so.
    pub fn engine() -> Self {
        Self("engine".to_owned())
    }

    /// Who runs a command on the machine itself.
    pub fn command() -> Self {
        Self("command".to_owned())
    }

    /// Somebody whom a credential let in: its kind, and what people call it.
    pub fn credential(kind: &str, name: &str) -> Self {
        Self(format!("{kind}:{name}"))
    }

    /// From the text that is stored.
    pub fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An entry.
#[derive(Clone, PartialEq)]
pub struct AuditEntry {
    /// Whole milliseconds.
    pub at: Timestamp,
    pub kind: AuditKind,
    pub connection: Option<String>,
    pub clinic: Option<String>,
    /// The people it is about.
    pub about: Vec<Pseudonym>,
    pub actor: Actor,
    pub job: Option<JobId>,
    /// What else there is to say: names, ids of zelo's own, counts; a JSON object, as its text is chained.
    pub detail: String,
}

impl AuditEntry {
    /// An entry about nobody in particular. What cannot be written as JSON is left out of `detail`.
    pub fn new(at: Timestamp, kind: AuditKind, actor: Actor, detail: &impl Serialize) -> Self {
        let detail = serde_json::to_string(detail).unwrap_or_else(|_| "{}".to_owned());
        Self { at, kind, connection: None, clinic: None, about: Vec::new(), actor, job: None, detail }
    }

    /// What else there is to say, read.
    pub fn detail(&self) -> Map<String, Value> {
        serde_json::from_str(&self.detail).unwrap_or_default()
    }

    fn digest(&self, before: &Link, seq: u64) -> Link {
        let mut hash = Sha256::new();
        hash.update(b"zelo audit 1\0");
        hash.update(before.hash);
        hash.update(seq.to_be_bytes());
        hash.update(self.at.as_millisecond().to_be_bytes());
        let mut part = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => {
                hash.update((bytes.len() as u64).to_be_bytes());
                hash.update(bytes);
            }
            None => hash.update(u64::MAX.to_be_bytes()),
        };
        part(Some(self.kind.as_str().as_bytes()));
        part(self.connection.as_deref().map(str::as_bytes));
        part(self.clinic.as_deref().map(str::as_bytes));
        part(Some(&self.about.iter().flat_map(|one| *one.bytes()).collect::<Vec<u8>>()));
        part(Some(self.actor.as_str().as_bytes()));
        part(self.job.as_ref().map(|job| job.bytes().as_slice()));
        part(Some(self.detail.as_bytes()));
        Link { seq, hash: hash.finalize().into() }
    }
}

/// Prints kind and job only.
impl fmt::Debug for AuditEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuditEntry({} {:?})", self.kind.as_str(), self.job)
    }
}

/// The place of an entry in the chain, and the hash of it and of all before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// From 1 on, without gaps.
    pub seq: u64,
    pub hash: [u8; 32],
}

impl Link {
    /// What the first entry is chained to.
    pub const FIRST: Self = Self { seq: 0, hash: [0; 32] };

    /// The link of `entry`, which comes next.
    pub fn next(&self, entry: &AuditEntry) -> Self {
        entry.digest(self, self.seq + 1)
    }
}

/// Prints the place and the beginning of the hash.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({} {})", self.seq, data_encoding::HEXLOWER.encode(&self.hash[..4]))
    }
}

/// The chain up to some entry, as it was signed: who holds it elsewhere can tell whether anything before it was changed since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub seq: u64,
    /// Of the chain, hexadecimal.
    #[serde(with = "hex")]
    pub hash: [u8; 32],
    /// When it was signed.
    pub at: Timestamp,
    /// The Ed25519 key that signed it (RFC 8032).
    #[serde(with = "hex")]
    pub key: [u8; 32],
    #[serde(with = "hex")]
    pub signature: [u8; 64],
}

impl Head {
    /// The bytes that are signed.
    pub fn signed(link: &Link, at: Timestamp) -> Vec<u8> {
        let mut bytes = b"zelo audit head 1\0".to_vec();
        bytes.extend(link.seq.to_be_bytes());
        bytes.extend(link.hash);
        bytes.extend(at.as_millisecond().to_be_bytes());
        bytes
    }

    pub fn link(&self) -> Link {
        Link { seq: self.seq, hash: self.hash }
    }
}

/// Bytes as hexadecimal digits.
mod hex {
    use data_encoding::HEXLOWER;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer, const N: usize>(bytes: &[u8; N], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[u8; N], D::Error> {
        let bytes = HEXLOWER.decode(String::deserialize(deserializer)?.as_bytes()).map_err(D::Error::custom)?;
        bytes.try_into().map_err(|_| D::Error::custom(format!("not {N} bytes")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(detail: &str) -> AuditEntry {
        AuditEntry { detail: detail.to_owned(), ..AuditEntry::new(Timestamp::UNIX_EPOCH, AuditKind::Viewed, Actor::engine(), &()) }
    }

    #[test]
    fn every_part_of_an_entry_is_in_its_link() {
        let one = AuditEntry {
            connection: Some("a".into()),
            clinic: Some("b".into()),
            about: vec![Pseudonym::from_bytes([1; 16])],
            ..entry("{}")
        };
        let before = Link::FIRST;
        let mut links = vec![before.next(&one), Link { seq: 1, hash: [0; 32] }.next(&one), Link { seq: 0, hash: [1; 32] }.next(&one)];
        let changed = [
            AuditEntry { at: Timestamp::from_millisecond(1).unwrap(), ..one.clone() },
            AuditEntry { kind: AuditKind::Exported, ..one.clone() },
            AuditEntry { connection: None, ..one.clone() },
            AuditEntry { connection: Some("ab".into()), clinic: Some(String::new()), ..one.clone() },
            AuditEntry { clinic: None, ..one.clone() },
            AuditEntry { about: vec![], ..one.clone() },
            AuditEntry { about: vec![Pseudonym::from_bytes([2; 16])], ..one.clone() },
            AuditEntry { actor: Actor::command(), ..one.clone() },
            AuditEntry { job: Some(JobId::from_bytes([3; 16])), ..one.clone() },
            AuditEntry { detail: "{ }".into(), ..one.clone() },
        ];
        links.extend(changed.iter().map(|entry| before.next(entry)));
        for (place, link) in links.iter().enumerate() {
            assert!(links[..place].iter().all(|other| other.hash != link.hash), "{place}");
        }
    }

    #[test]
    fn a_head_reads_as_it_was_written() {
        let head = Head { seq: 7, hash: [1; 32], at: Timestamp::UNIX_EPOCH, key: [2; 32], signature: [3; 64] };
        let text = serde_json::to_string(&head).unwrap();
        assert_eq!(serde_json::from_str::<Head>(&text).unwrap(), head);
        assert!(serde_json::from_str::<Head>(&text.replace("0101", "01")).is_err());
        assert!(AuditKind::ALL.into_iter().all(|kind| AuditKind::parse(kind.as_str()) == Some(kind)));
    }
}
