//! Identifiers.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::entropy::Entropy;

/// A text that is not an id of the wanted kind.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not {wanted} id; it looks like `{prefix}_` and 32 hexadecimal digits")]
pub struct InvalidId {
    text: String,
    wanted: &'static str,
    prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $wanted:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The sixteen bytes that the store keeps.
            pub fn bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// From the sixteen bytes that the store keeps.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .filter(|hex| hex.len() == 32)
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .ok_or_else(|| InvalidId { text: text.to_owned(), wanted: $wanted, prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A person, as the audit log and people's handles know them: random, so that nothing leads back to them once they are erased.
    Pseudonym, "sub", "a person's"
);

id!(
    /// One accepted event: a UUID version 7 (RFC 9562 §5.7), so ids sort by arrival.
    EventId, "evt", "an event"
);
id!(
    /// One job. Derived from what it is for, so that the same match can never be two jobs.
    JobId, "job", "a job"
);

impl EventId {
    /// A new id for an event that arrived at `received`, as the one with this number (below 4096) of that millisecond (RFC 9562
    /// §6.2, method 1), so that ids of one process sort by arrival.
    pub fn new(received: Timestamp, number: u16, entropy: &dyn Entropy) -> Self {
        let mut random = [0; 10];
        entropy.fill(&mut random);
        random[..2].copy_from_slice(&number.to_be_bytes());
        Self(uuid_v7(received.as_millisecond(), random))
    }

    /// When the event with this id arrived, in milliseconds since 1970.
    fn received_ms(&self) -> i64 {
        let bytes = self.bytes();
        let mut wide = [0; 8];
        wide[2..].copy_from_slice(&bytes[..6]);
        i64::from_be_bytes(wide)
    }
}

impl JobId {
    /// The id of the job that `action` of `automation` makes for `event`.
    pub fn derive(event: EventId, automation: &AutomationId, action: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(event.bytes())
            .chain_update((automation.0.len() as u64).to_le_bytes())
            .chain_update(&automation.0)
            .chain_update(action)
            .finalize();
        let mut tail = [0; 10];
        tail.copy_from_slice(&digest[..10]);
        Self(uuid_v7(event.received_ms(), tail))
    }
}

fn uuid_v7(ms: i64, tail: [u8; 10]) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(u64::try_from(ms).unwrap_or(0), &tail).into_uuid()
}

/// Names an automation: a rule that is switched on for a connection, or for one clinic of it.
///
/// Stable across restarts and renamed settings: `rule@connection` or `rule@connection/clinic`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AutomationId(pub String);

impl AutomationId {
    /// The name of `rule` switched on for `connection`, or only for its clinic `clinic`.
    pub fn new(rule: &str, connection: &str, clinic: Option<&str>) -> Self {
        Self(match clinic {
            Some(clinic) => format!("{rule}@{connection}/{clinic}"),
            None => format!("{rule}@{connection}"),
        })
    }
}

impl fmt::Display for AutomationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn an_id_reads_back_what_it_prints() {
        let event = EventId::new("2026-03-02T11:00:00Z".parse().unwrap(), 0, &SeededEntropy::new(1));
        assert_eq!(event.to_string().parse::<EventId>().unwrap(), event);
        assert!("job_00".parse::<JobId>().is_err());
        assert!(event.to_string().parse::<JobId>().is_err(), "an event's id is not a job's");
    }

    #[test]
    fn a_job_is_named_by_what_it_is_for() {
        let event = EventId::new("2026-03-02T11:00:00Z".parse().unwrap(), 0, &SeededEntropy::new(1));
        let on = |rule: &str| AutomationId::new(rule, "centro", None);
        assert_eq!(JobId::derive(event, &on("a"), "b"), JobId::derive(event, &on("a"), "b"));
        assert_ne!(JobId::derive(event, &on("a"), "b"), JobId::derive(event, &on("a"), "c"));
        assert_ne!(JobId::derive(event, &AutomationId("ab".into()), "c"), JobId::derive(event, &AutomationId("a".into()), "bc"));
    }
}
