//! Makes data keys, wraps and unwraps them, and keeps the ones in use at hand.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hmac::Hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

use zelo_core::{Entropy, KeyHash};

use super::data_key::{DataKey, Place, Unopened};
use super::master::{MasterKey, mac};
use super::owner::Owner;

/// Keys in each half of the cache: some ten thousand people in some megabytes.
const HALF: usize = 8192;

/// The keys of a store.
///
/// A key comes into the cache only when its row is known to be on disk: a key of a transaction that was taken back
/// must never seal anything.
pub struct Keyring {
    wrapping: DataKey,
    owners: Hmac<Sha256>,
    entropy: Arc<dyn Entropy>,
    cache: Mutex<Cache>,
}

/// Two halves: a key that is asked for moves to the young one; when that is full it becomes the old one.
#[derive(Default)]
struct Cache {
    young: Half,
    old: Half,
}

#[derive(Default)]
struct Half {
    by_id: HashMap<i64, Arc<DataKey>>,
    by_owner: HashMap<KeyHash, Arc<DataKey>>,
}

impl Keyring {
    /// The keyring under `master`.
    pub fn new(master: &MasterKey, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            wrapping: DataKey::new(0, &master.derive("zelo/1/wrap")),
            owners: mac(&master.derive("zelo/1/owners")),
            entropy,
            cache: Mutex::default(),
        }
    }

    /// Names an owner, as stored.
    pub fn owner_hash(&self, owner: &Owner) -> KeyHash {
        owner.hash(&self.owners)
    }

    /// A new key for the row `id`, with its wrapped form for that row. Not in the cache yet: see [`Keyring::keep`].
    pub fn make(&self, id: i64) -> (Arc<DataKey>, Vec<u8>) {
        let mut key = Zeroizing::new([0; 32]);
        self.entropy.fill(&mut *key);
        let wrapped = self.wrapping.seal(&*self.entropy, wrapped_at(&id.to_le_bytes()), &[&*key]);
        (Arc::new(DataKey::new(id, &key)), wrapped)
    }

    /// The key that stands wrapped in the row `id`.
    ///
    /// # Errors
    /// It was wrapped under another master key, or is damaged.
    pub fn unwrap(&self, id: i64, wrapped: &[u8]) -> Result<Arc<DataKey>, Unopened> {
        let key = self.wrapping.open(wrapped_at(&id.to_le_bytes()), wrapped)?;
        let key = Zeroizing::new(<[u8; 32]>::try_from(key.as_slice()).map_err(|_| Unopened)?);
        Ok(Arc::new(DataKey::new(id, &key)))
    }

    /// Seals under the wrapping key itself: for the value that shows whether a master key is the right one.
    pub fn seal_check(&self, place: Place<'_>, value: &[u8]) -> Vec<u8> {
        self.wrapping.seal(&*self.entropy, place, &[value])
    }

    /// Whether [`Keyring::seal_check`] sealed `value` under the same master key.
    pub fn opens_check(&self, place: Place<'_>, value: &[u8], sealed: &[u8]) -> bool {
        self.wrapping.open(place, sealed).is_ok_and(|plain| plain.as_slice() == value)
    }

    /// Seals `parts` under `key` with a fresh nonce.
    pub fn seal(&self, key: &DataKey, place: Place<'_>, parts: &[&[u8]]) -> Vec<u8> {
        key.seal(&*self.entropy, place, parts)
    }

    /// Puts a key at hand whose row is on disk.
    pub fn keep(&self, owner: KeyHash, key: &Arc<DataKey>) {
        self.with_cache(|cache| {
            cache.young.by_owner.insert(owner, key.clone());
            cache.young.by_id.insert(key.id(), key.clone());
            cache.age();
        });
    }

    /// The key of `owner`, if it is at hand.
    pub fn of_owner(&self, owner: KeyHash) -> Option<Arc<DataKey>> {
        self.with_cache(|cache| {
            if let Some(key) = cache.young.by_owner.get(&owner) {
                return Some(key.clone());
            }
            let key = cache.old.by_owner.get(&owner)?.clone();
            cache.young.by_owner.insert(owner, key.clone());
            cache.age();
            Some(key)
        })
    }

    /// The key of the row `id`, if it is at hand.
    pub fn of_id(&self, id: i64) -> Option<Arc<DataKey>> {
        self.with_cache(|cache| {
            if let Some(key) = cache.young.by_id.get(&id) {
                return Some(key.clone());
            }
            let key = cache.old.by_id.get(&id)?.clone();
            cache.young.by_id.insert(id, key.clone());
            cache.age();
            Some(key)
        })
    }

    fn with_cache<T>(&self, look: impl FnOnce(&mut Cache) -> T) -> T {
        look(&mut self.cache.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Cache {
    fn age(&mut self) {
        if self.young.by_owner.len().max(self.young.by_id.len()) >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

fn wrapped_at(row: &[u8]) -> Place<'_> {
    Place { table: "seal_keys", column: "wrapped", row }
}

/// Prints nothing of the keys.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")
    }
}

#[cfg(test)]
mod tests {
    use zelo_core::SeededEntropy;

    use super::*;

    fn ring(master: u8) -> Keyring {
        Keyring::new(&MasterKey::from_bytes([master; 32]), Arc::new(SeededEntropy::new(u64::from(master))))
    }

    #[test]
    fn a_wrapped_key_opens_in_its_row_under_its_master_key() {
        let here = Place { table: "t", column: "c", row: b"r" };
        let (key, wrapped) = ring(1).make(5);
        let sealed = ring(1).seal(&key, here, &[b"value"]);
        let again = ring(1).unwrap(5, &wrapped).unwrap();
        assert_eq!(again.open(here, &sealed).unwrap().as_slice(), b"value");
        assert!(ring(1).unwrap(6, &wrapped).is_err(), "another row");
        assert!(ring(2).unwrap(5, &wrapped).is_err(), "another master key");
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let ring = ring(1);
        let (key, _) = ring.make(0);
        let owner = |number: usize| KeyHash((number as u128).to_le_bytes());
        ring.keep(owner(0), &key);
        for number in 1..10 * HALF {
            ring.keep(owner(number), &Arc::new(DataKey::new(number as i64, &[0; 32])));
            assert!(ring.of_owner(owner(0)).is_some() && ring.of_id(0).is_some());
        }
        assert!(ring.of_owner(owner(1)).is_none());
        let held = ring.with_cache(|cache| cache.young.by_id.len() + cache.old.by_id.len());
        assert!(held <= 2 * HALF);
    }

    #[test]
    fn a_person_is_one_owner_in_every_clinic() {
        let owner =
            |connection: &str, clinic: Option<&str>, kind| Owner { connection: connection.into(), clinic: clinic.map(Into::into), kind };
        use super::super::owner::OwnerKind::{Clinic, Connection, Subject};
        let ring = ring(1);
        let hash = |one: Owner| ring.owner_hash(&one);
        let person = Subject(KeyHash([1; 16]));
        assert_eq!(hash(owner("c", Some("a"), person)), hash(owner("c", Some("b"), person)));
        assert_ne!(hash(owner("c", Some("a"), Clinic)), hash(owner("c", Some("b"), Clinic)));
        assert_ne!(hash(owner("c", None, Connection)), hash(owner("c", Some(""), Clinic)));
    }
}
