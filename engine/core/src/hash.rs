//! Keyed hashes: how zelo finds things without storing what they are called.
//!
//! Provider ids, job keys and deliveries can identify a person, so the store keeps only an HMAC-SHA256 (RFC 2104)
//! of them, cut to 128 bits, under a key that is derived from the master key. Each kind has its own label and every
//! part is length-prefixed, so no two questions can collide.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;

use crate::arrival::IdentityKind;
use crate::budget::contact;
use crate::id::AutomationId;

/// A keyed hash, as stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyHash(pub [u8; 16]);

/// A half of it tells as much apart as a hash table can.
impl Hash for KeyHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [half @ .., _, _, _, _, _, _, _, _] = self.0;
        state.write_u64(u64::from_le_bytes(half));
    }
}

/// A table by keyed hashes, in which each is its own place: they are spread already, and by a key that who would crowd them does not have.
pub type KeyMap<V> = HashMap<KeyHash, V, BuildHasherDefault<Spread>>;

/// Hashes a keyed hash: no further.
#[derive(Default)]
pub struct Spread(u64);

impl Hasher for Spread {
    fn write_u64(&mut self, half: u64) {
        self.0 = half;
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// As lower-case hexadecimal.
impl Serialize for KeyHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
    }
}

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = HEXLOWER.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| D::Error::custom(format_args!("`{text}` is no keyed hash")))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&HEXLOWER.encode_display(&self.0), f)
    }
}

/// Makes keyed hashes.
#[derive(Clone)]
pub struct Indexer(Hmac<Sha256>);

impl fmt::Debug for Indexer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Indexer")
    }
}

impl Indexer {
    /// Hashes under `key`.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(<Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length")))
    }

    fn hash(&self, label: &str, parts: &[&[u8]]) -> KeyHash {
        let mut mac = self.0.clone();
        mac.update(label.as_bytes());
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        let mut hash = [0; 16];
        hash.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        KeyHash(hash)
    }

    /// A delivery that the provider names: `(connection, type, id)`.
    pub fn delivery(&self, connection: &str, kind: &str, id: &str) -> KeyHash {
        self.hash("delivery", &[connection.as_bytes(), kind.as_bytes(), b"id", id.as_bytes()])
    }

    /// A delivery that only its content identifies.
    pub fn delivery_body(&self, connection: &str, kind: &str, body: &[u8]) -> KeyHash {
        self.hash("delivery", &[connection.as_bytes(), kind.as_bytes(), b"body", body])
    }

    /// An entity of a connection.
    pub fn entity(&self, connection: &str, kind: &str, id: &str) -> KeyHash {
        self.hash("entity", &[connection.as_bytes(), kind.as_bytes(), id.as_bytes()])
    }

    /// A record of a connection.
    pub fn record(&self, connection: &str, kind: &str, id: &str) -> KeyHash {
        self.hash("record", &[connection.as_bytes(), kind.as_bytes(), id.as_bytes()])
    }

    /// A person, as a connection names them.
    pub fn subject(&self, connection: &str, id: &str) -> KeyHash {
        self.hash("subject", &[connection.as_bytes(), id.as_bytes()])
    }

    /// What a person is known by whoever names them: `value` as everybody writes it. The same in every connection.
    pub fn identity(&self, kind: IdentityKind, value: &str) -> KeyHash {
        self.hash("identity", &[kind.as_str().as_bytes(), value.as_bytes()])
    }

    /// The job key: automation, action and the value at `key`.
    pub fn job_key(&self, automation: &AutomationId, action: &str, value: &str) -> KeyHash {
        self.hash("job", &[automation.0.as_bytes(), action.as_bytes(), value.as_bytes()])
    }

    /// Where an action remembers what it fired for, by the value that tells its windows apart.
    pub fn throttle(&self, automation: &AutomationId, action: &str, value: Option<&str>) -> KeyHash {
        self.window("throttle", automation, action, value)
    }

    /// Where an action remembers what it counted.
    pub fn count(&self, automation: &AutomationId, action: &str, value: Option<&str>) -> KeyHash {
        self.window("count", automation, action, value)
    }

    /// Where an action collects the events of a clinic.
    pub fn debounce(&self, automation: &AutomationId, action: &str, clinic: Option<&str>, value: Option<&str>) -> KeyHash {
        let part = |text: Option<&str>| text.map_or(vec![0], |text| [&[1], text.as_bytes()].concat());
        self.hash("debounce", &[automation.0.as_bytes(), action.as_bytes(), &part(clinic), &part(value)])
    }

    /// Where jobs of an action for a clinic go one after another, by the value that tells them apart.
    pub fn order(&self, automation: &AutomationId, action: &str, clinic: Option<&str>, value: &str) -> KeyHash {
        let clinic = clinic.map_or(vec![0], |clinic| [&[1], clinic.as_bytes()].concat());
        self.hash("order", &[automation.0.as_bytes(), action.as_bytes(), &clinic, value.as_bytes()])
    }

    /// Where jobs of an action are limited together.
    pub fn group(&self, automation: &AutomationId, action: &str, value: &str) -> KeyHash {
        self.window("group", automation, action, Some(value))
    }

    fn window(&self, label: &str, automation: &AutomationId, action: &str, value: Option<&str>) -> KeyHash {
        let parts: Vec<&[u8]> = [Some(automation.0.as_str()), Some(action), value].into_iter().flatten().map(str::as_bytes).collect();
        self.hash(label, &parts)
    }

    /// A name in an action's own state, or of a counter of its own: connection, clinic, rule, action and the plugin's key. The
    /// same for an automation of the whole connection and for one of the clinic alone: receipts are numbered on when a clinic
    /// gets one of its own.
    pub fn state(&self, connection: &str, clinic: &str, rule: &str, action: &str, key: &str) -> KeyHash {
        self.hash("state", &[connection, clinic, rule, action, key].map(str::as_bytes))
    }

    /// The value of a field that a plugin is shown only as a hash. The same value of a connection has the same hash.
    pub fn field(&self, connection: &str, value: &str) -> KeyHash {
        self.hash("field", &[connection.as_bytes(), value.as_bytes()])
    }

    /// A recipient of messages.
    pub fn recipient(&self, connection: &str, address: &str) -> KeyHash {
        self.hash("recipient", &[connection.as_bytes(), address.as_bytes()])
    }

    /// A contact whose messages are counted: a recipient, however the address is written.
    pub fn contact(&self, connection: &str, address: &str) -> KeyHash {
        self.hash("contact", &[connection.as_bytes(), contact(address).as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn a_table_by_hashes_finds_each() {
        let index = Indexer::new(&[7; 32]);
        let number = |number: u32| index.subject("c", &number.to_string());
        let table: KeyMap<u32> = (0..1000).map(|one| (number(one), one)).collect();
        assert!((0..1000).all(|one| table.get(&number(one)) == Some(&one)) && table.len() == 1000);
        assert!(!table.contains_key(&number(1000)));
        // Those whose first half is the same are two.
        let KeyHash(mut other) = number(1);
        other[15] ^= 1;
        assert!(!table.contains_key(&KeyHash(other)));
        // A table looks at the lowest bits and at the highest.
        let hashes: Vec<u64> = (0..1000).map(|one| BuildHasherDefault::<Spread>::default().hash_one(number(one))).collect();
        let places = |part: fn(u64) -> u64| hashes.iter().map(|hash| part(*hash)).collect::<HashSet<_>>().len();
        assert!(places(|hash| hash >> 57) > 100 && places(|hash| hash & 127) > 100 && places(|hash| hash) == 1000, "spread over all bits");
    }

    #[test]
    fn a_hash_reads_back_what_it_prints() {
        let hash = Indexer::new(&[7; 32]).subject("c", "1");
        let text = serde_json::to_string(&hash).unwrap();
        assert_eq!((text.as_str(), text.len()), (format!("\"{hash:?}\"").as_str(), 34));
        assert_eq!(serde_json::from_str::<KeyHash>(&text).unwrap(), hash);
    }

    #[test]
    fn kinds_and_parts_do_not_collide() {
        let index = Indexer::new(&[7; 32]);
        assert_ne!(index.entity("c", "ab", "c"), index.entity("c", "a", "bc"));
        assert_ne!(index.entity("c", "patient", "1"), index.record("c", "patient", "1"));
        assert_ne!(index.entity("one", "patient", "1"), index.entity("two", "patient", "1"), "connections are apart");
        assert_eq!(index.contact("c", "+55 11 9"), index.contact("c", "55119"));
        assert_ne!(index.contact("c", "55119"), index.contact("d", "55119"), "counted apart");
        assert_ne!(index.contact("c", "55119"), index.recipient("c", "55119"));
        let one = AutomationId("one".into());
        assert_ne!(index.throttle(&one, "a", Some("1")), index.count(&one, "a", Some("1")));
        assert_ne!(index.count(&one, "a", Some("")), index.count(&one, "a", None));
        assert_ne!(index.debounce(&one, "a", Some("1"), None), index.debounce(&one, "a", None, Some("1")));
        assert_ne!(index.debounce(&one, "a", None, Some("1")), index.job_key(&one, "a", "1"));
        assert_ne!(index.record("c", "p", "1"), Indexer::new(&[8; 32]).record("c", "p", "1"), "the key matters");
    }
}
