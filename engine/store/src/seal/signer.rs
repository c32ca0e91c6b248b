//! Signs heads of the audit log: Ed25519 (RFC 8032).

use std::fmt;

use jiff::Timestamp;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use zelo_core::audit::{Head, Link};
use zelo_core::clock::from_ms;

/// Has the key that signs.
pub struct Signer(Ed25519KeyPair);

impl Signer {
    /// Signs with the key that `seed` makes.
    pub fn new(seed: &[u8; 32]) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(seed).unwrap_or_else(|_| unreachable!("any 32 bytes are a seed")))
    }

    /// The public half, by which others check what was signed.
    pub fn public_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        key
    }

    /// Signs the chain up to `link`.
    pub fn sign(&self, link: &Link, at: Timestamp) -> Head {
        let at = from_ms(at.as_millisecond());
        let mut signature = [0; 64];
        signature.copy_from_slice(self.0.sign(&Head::signed(link, at)).as_ref());
        Head { seq: link.seq, hash: link.hash, at, key: self.public_key(), signature }
    }
}

/// Whether `head` was signed by the key that it names.
pub fn is_signed(head: &Head) -> bool {
    UnparsedPublicKey::new(&ED25519, head.key).verify(&Head::signed(&head.link(), head.at), &head.signature).is_ok()
}

/// Prints the public half.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", data_encoding::HEXLOWER.encode(&self.public_key()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_signed_by_its_key_as_a_whole() {
        let signer = Signer::new(&[1; 32]);
        let head = signer.sign(&Link { seq: 7, hash: [3; 32] }, Timestamp::UNIX_EPOCH);
        assert!(is_signed(&head));
        let other = |change: fn(&mut Head)| {
            let mut other = head.clone();
            change(&mut other);
            other
        };
        let others = [
            other(|head| head.seq = 8),
            other(|head| head.hash[0] = 0),
            other(|head| head.at = Timestamp::from_second(1).unwrap()),
            other(|head| head.signature[5] ^= 1),
            other(|head| head.key = Signer::new(&[2; 32]).public_key()),
        ];
        assert!(others.iter().all(|head| !is_signed(head)));
    }
}
