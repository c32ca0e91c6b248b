//! Makes data keys, wraps and unwraps them, and keeps the ones in use at hand.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use hmac::Hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

use zelo_core::{Entropy, KeyHash, KeyMap, Pseudonym};

use super::data_key::{DataKey, Place, Unopened};
use super::master::MasterKey;
use super::owner::Owner;
use super::root::Root;

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
    #[cfg(feature = "unsealed")]
    sealing: bool,
}

/// Two halves: a key that is asked for moves to the young one; when that is full it becomes the old one.
#[derive(Default)]
struct Cache {
    young: Half,
    old: Half,
    destroyed: HashSet<i64>,
}

#[derive(Default)]
struct Half {
    by_id: HashMap<i64, Arc<DataKey>>,
    by_owner: KeyMap<Arc<DataKey>>,
}

impl Keyring {
    /// The keyring of a store with this `root`, under `master`.
    pub fn new(master: &MasterKey, root: &Root, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            wrapping: wrapping(master),
            owners: root.owners(),
            entropy,
            cache: Mutex::default(),
            #[cfg(feature = "unsealed")]
            sealing: true,
        }
    }

    /// Whether values are sealed: a benchmark may want to know what that costs.
    #[cfg(feature = "unsealed")]
    pub(crate) fn sealing(self, sealing: bool) -> Self {
        Self { sealing, ..self }
    }

    #[cfg(feature = "unsealed")]
    pub(crate) fn is_sealing(&self) -> bool {
        self.sealing
    }

    /// Names an owner, as stored.
    pub fn owner_hash(&self, owner: &Owner) -> KeyHash {
        owner.hash(&self.owners)
    }

    /// Random bytes.
    pub fn fill(&self, bytes: &mut [u8]) {
        self.entropy.fill(bytes);
    }

    /// A name for a person that says nothing about them.
    pub fn pseudonym(&self) -> Pseudonym {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        Pseudonym::from_bytes(bytes)
    }

    /// A new key for the row `id`, which is about these people, with its wrapped form for that row. Not in the cache yet: see
    /// [`Keyring::keep`].
    pub fn make(&self, id: i64, about: &[Pseudonym]) -> (Arc<DataKey>, Vec<u8>) {
        let mut key = Zeroizing::new([0; 32]);
        self.entropy.fill(&mut *key);
        let wrapped = self.wrapping.seal(&*self.entropy, wrapped_at(&id.to_le_bytes()), &[&*key]);
        (Arc::new(DataKey::new(id, about, &key)), wrapped)
    }

    /// The key that stands wrapped in the row `id`.
    ///
    /// # Errors
    /// It was wrapped under another master key, or is damaged.
    pub fn unwrap(&self, id: i64, about: &[Pseudonym], wrapped: &[u8]) -> Result<Arc<DataKey>, Unopened> {
        let key = self.wrapping.open(wrapped_at(&id.to_le_bytes()), wrapped)?;
        let key = Zeroizing::new(<[u8; 32]>::try_from(key.as_slice()).map_err(|_| Unopened)?);
        Ok(Arc::new(DataKey::new(id, about, &key)))
    }

    /// The wrapped form of `key`, which stands in the row `id`, under another master key.
    ///
    /// # Errors
    /// It is not wrapped under the present one, or is damaged.
    pub fn rewrap(&self, master: &MasterKey, id: i64, wrapped: &[u8]) -> Result<Vec<u8>, Unopened> {
        let row = id.to_le_bytes();
        let key = self.wrapping.open(wrapped_at(&row), wrapped)?;
        Ok(wrapping(master).seal(&*self.entropy, wrapped_at(&row), &[&key]))
    }

    /// Seals `parts` under `key` with a fresh nonce.
    pub fn seal(&self, key: &DataKey, place: Place<'_>, parts: &[&[u8]]) -> Vec<u8> {
        #[cfg(feature = "unsealed")]
        if !self.sealing {
            return key.unsealed(parts);
        }
        key.seal(&*self.entropy, place, parts)
    }

    /// Seals a value of the store itself: see [`seal_own`].
    pub(crate) fn seal_own(&self, place: Place<'_>, value: &[u8]) -> Vec<u8> {
        self.wrapping.seal(&*self.entropy, place, &[value])
    }

    /// Opens what [`Keyring::seal_own`] sealed.
    ///
    /// # Errors
    /// It was sealed under another master key, or is damaged.
    pub(crate) fn open_own(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        self.wrapping.open(place, sealed)
    }

    /// What [`Keyring::seal_own`] sealed, under another master key.
    ///
    /// # Errors
    /// It is not sealed under the present one, or is damaged.
    pub(crate) fn reseal_own(&self, master: &MasterKey, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        Ok(seal_own(master, &*self.entropy, place, &self.open_own(place, sealed)?))
    }

    /// Puts a key at hand whose row is on disk.
    pub fn keep(&self, owner: KeyHash, key: &Arc<DataKey>) {
        self.with_cache(|cache| {
            if cache.destroyed.contains(&key.id()) {
                return;
            }
            cache.young.by_owner.insert(owner, key.clone());
            cache.young.by_id.insert(key.id(), key.clone());
            cache.age();
        });
    }

    /// Puts keys out of hand whose rows were emptied, for good: who read such a row before that brings none back.
    pub fn forget(&self, ids: &[i64]) {
        self.with_cache(|cache| {
            cache.destroyed.extend(ids);
            for half in [&mut cache.young, &mut cache.old] {
                half.by_id.retain(|id, _| !ids.contains(id));
                half.by_owner.retain(|_, key| !ids.contains(&key.id()));
            }
        });
    }

    /// Whether the key of the row `id` was destroyed since the store was opened.
    pub fn is_destroyed(&self, id: i64) -> bool {
        self.with_cache(|cache| cache.destroyed.contains(&id))
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

/// What wraps all other keys under `master`.
fn wrapping(master: &MasterKey) -> DataKey {
    DataKey::new(0, &[], &master.derive("zelo/1/wrap"))
}

/// Seals a value of the store itself under what wraps its keys: its secrets, and what shows whether a master key is the right one.
pub(crate) fn seal_own(master: &MasterKey, entropy: &dyn Entropy, place: Place<'_>, value: &[u8]) -> Vec<u8> {
    wrapping(master).seal(entropy, place, &[value])
}

/// Opens what [`seal_own`] sealed.
///
/// # Errors
/// It was sealed under another master key, or is damaged.
pub(crate) fn open_own(master: &MasterKey, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
    wrapping(master).open(place, sealed)
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
        let (master, entropy) = (MasterKey::from_bytes([master; 32]), Arc::new(SeededEntropy::new(u64::from(master))));
        Keyring::new(&master, &Root::first(&master, entropy.as_ref()), entropy)
    }

    #[test]
    fn a_wrapped_key_opens_in_its_row_under_its_master_key() {
        let here = Place { table: "t", column: "c", row: b"r" };
        let (key, wrapped) = ring(1).make(5, &[]);
        let sealed = ring(1).seal(&key, here, &[b"value"]);
        let again = ring(1).unwrap(5, &[], &wrapped).unwrap();
        assert_eq!(again.open(here, &sealed).unwrap().as_slice(), b"value");
        assert!(ring(1).unwrap(6, &[], &wrapped).is_err(), "another row");
        assert!(ring(2).unwrap(5, &[], &wrapped).is_err(), "another master key");
    }

    #[test]
    fn a_key_that_was_destroyed_does_not_come_back() {
        let ring = ring(1);
        let ((gone, _), (other, _)) = (ring.make(1, &[]), ring.make(2, &[]));
        let owner = |byte: u8| KeyHash([byte; 16]);
        ring.keep(owner(1), &gone);
        ring.keep(owner(2), &other);
        ring.forget(&[1]);
        ring.keep(owner(1), &gone);
        assert!(ring.of_owner(owner(1)).is_none() && ring.of_id(1).is_none() && ring.is_destroyed(1));
        assert!(ring.of_owner(owner(2)).is_some() && ring.of_id(2).is_some() && !ring.is_destroyed(2));
    }

    #[test]
    fn a_key_that_is_wrapped_anew_opens_under_the_new_master_key_only() {
        let here = Place { table: "t", column: "c", row: b"r" };
        let (key, wrapped) = ring(1).make(5, &[]);
        let sealed = ring(1).seal(&key, here, &[b"value"]);
        let again = ring(1).rewrap(&MasterKey::from_bytes([2; 32]), 5, &wrapped).unwrap();
        assert_eq!(ring(2).unwrap(5, &[], &again).unwrap().open(here, &sealed).unwrap().as_slice(), b"value");
        assert!(ring(1).unwrap(5, &[], &again).is_err());
        assert!(ring(2).rewrap(&MasterKey::from_bytes([1; 32]), 5, &wrapped).is_err());
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let ring = ring(1);
        let (key, _) = ring.make(0, &[]);
        let owner = |number: usize| KeyHash((number as u128).to_le_bytes());
        ring.keep(owner(0), &key);
        for number in 1..10 * HALF {
            ring.keep(owner(number), &Arc::new(DataKey::new(number as i64, &[], &[0; 32])));
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
        assert_eq!(hash(owner("c", Some("a"), person.clone())), hash(owner("c", Some("b"), person)));
        assert_ne!(hash(owner("c", Some("a"), Clinic)), hash(owner("c", Some("b"), Clinic)));
        assert_ne!(hash(owner("c", None, Connection)), hash(owner("c", Some(""), Clinic)));
    }
}
