//! The secrets that outlive a master key.
//!
//! Keyed hashes are how stored things are found, and the key that signs the audit log is how others know it: neither may change when
//! the master key does. So they stand sealed in the store, and [`key rotate`](super) only wraps them anew.

use std::fmt;

use hmac::Hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

use zelo_core::{Entropy, Indexer};

use super::master::{MasterKey, mac};
use super::signer::Signer;

const LEN: usize = 32;

/// Three secrets of 32 bytes: what is searched is hashed under the first, owners are named under the second, the third signs.
pub struct Root(Zeroizing<[u8; 3 * LEN]>);

impl Root {
    /// Of a store that has none yet. One that was made before there was a root hashed under keys of its master key: these stay.
    pub fn first(master: &MasterKey, entropy: &dyn Entropy) -> Self {
        let mut root = Zeroizing::new([0; 3 * LEN]);
        root[..LEN].copy_from_slice(&*master.derive("zelo/1/index"));
        root[LEN..2 * LEN].copy_from_slice(&*master.derive("zelo/1/owners"));
        entropy.fill(&mut root[2 * LEN..]);
        Self(root)
    }

    /// From the bytes that are sealed.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// The bytes to seal.
    pub fn bytes(&self) -> &[u8] {
        &*self.0
    }

    /// Makes the keyed hashes that the store is searched by.
    pub fn indexer(&self) -> Indexer {
        Indexer::new(&self.part(0))
    }

    /// Signs the audit log.
    pub fn signer(&self) -> Signer {
        Signer::new(&self.part(2))
    }

    /// Names owners.
    pub(super) fn owners(&self) -> Hmac<Sha256> {
        mac(&self.part(1))
    }

    fn part(&self, place: usize) -> Zeroizing<[u8; LEN]> {
        let mut part = Zeroizing::new([0; LEN]);
        part.copy_from_slice(&self.0[place * LEN..(place + 1) * LEN]);
        part
    }
}

/// Prints nothing of them.
impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Root")
    }
}
