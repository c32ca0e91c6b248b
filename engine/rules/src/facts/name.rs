//! Names of members, with a key that is quick to make and to compare. It is no defence: who compares many names that strangers
//! chose needs a hash with a secret.

/// So many bytes of a name are in its key.
const HEAD: usize = 16;

/// The first so many bytes of a head.
const BYTES: [u128; HEAD] = {
    let mut bytes = [0; HEAD];
    let mut at = 1;
    while at < HEAD {
        bytes[at] = (bytes[at - 1] << 8) | 0xff;
        at += 1;
    }
    bytes
};

/// A name with its key.
#[derive(Clone, Debug)]
pub(super) struct Name {
    key: Key,
    text: Box<str>,
}

/// What tells names apart quickly: a short one is its key, of a long one it is the length and the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    head: u128,
    length: usize,
}

impl Name {
    pub(super) fn new(text: &str) -> Self {
        Self { key: Key::of(text.as_bytes()), text: text.into() }
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is `name`, whose key is `key`.
    #[inline]
    pub(super) fn is(&self, key: Key, name: &[u8]) -> bool {
        self.key == key && (key.is_all() || self.text.as_bytes() == name)
    }
}

impl Key {
    pub(super) fn of(name: &[u8]) -> Self {
        let mut head = [0; HEAD];
        head.iter_mut().zip(name).for_each(|(byte, own)| *byte = *own);
        Self { head: u128::from_le_bytes(head), length: name.len() }
    }

    /// That of the name of this length with which `bytes` begin.
    #[inline]
    pub(super) fn beginning(bytes: [u8; HEAD], length: usize) -> Self {
        let own = BYTES.get(length).copied().unwrap_or(u128::MAX);
        Self { head: u128::from_le_bytes(bytes) & own, length }
    }

    /// Whether names of this key are one name.
    #[inline]
    pub(super) fn is_all(self) -> bool {
        self.length <= HEAD
    }

    /// Those of different names mostly differ, from their first bits on.
    #[inline]
    pub(super) fn tag(self) -> u32 {
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let folded = (self.head as u64) ^ ((self.head >> 64) as u64).rotate_left(23) ^ self.length as u64;
        (folded.wrapping_mul(SPREAD) >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_depend_on_what_follows() {
        for name in ["", "a", "id", "created_at", "fifteen_bytes__", "exactly_16_bytes"] {
            let followed = format!("{name}\": and so much more");
            let chunk = followed.as_bytes().first_chunk().unwrap();
            assert_eq!(Key::beginning(*chunk, name.len()), Key::of(name.as_bytes()), "{name}");
            assert!(Name::new(name).is(Key::of(name.as_bytes()), name.as_bytes()));
        }
    }

    #[test]
    fn different_names_are_not_one() {
        let is = |name: &str, other: &str| Name::new(name).is(Key::of(other.as_bytes()), other.as_bytes());
        assert!(!is("a", "a\0"), "what it is filled up with counts too");
        assert!(!is("sixteen_bytes___1", "sixteen_bytes___2"), "they begin alike and are as long");
        assert!(!is("id", "di"));
    }
}
