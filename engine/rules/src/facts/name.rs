//! Names of members, with a hash that is quick to make and to compare. It is no defence: who compares many names that strangers
//! chose needs another one.

/// A name with its hash.
#[derive(Clone, Debug)]
pub(super) struct Name {
    hash: u64,
    text: Box<str>,
}

impl Name {
    pub(super) fn new(text: &str) -> Self {
        Self { hash: hash(text.as_bytes()), text: text.into() }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Of its first and its last eight bytes and its length.
#[inline]
pub(super) fn hash(text: &[u8]) -> u64 {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (head, tail) = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
            (Some(head), Some(tail)) => (u64::from(u32::from_le_bytes(*head)) | (u64::from(u32::from_le_bytes(*tail)) << 32), 0),
            _ => (text.iter().fold(0, |packed, byte| (packed << 8) | u64::from(*byte)), 0),
        },
    };
    (head.wrapping_mul(SPREAD) ^ tail.rotate_left(29)).wrapping_add((text.len() as u64).wrapping_mul(SPREAD))
}
