//! Digests of what is in force.

use sha2::{Digest, Sha256};

/// SHA-256 over `parts`, each with its length before it, hexadecimal.
pub(crate) fn of(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}
