//! A data key, and what it does: seal and open.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use zelo_core::{Entropy, Pseudonym};

use super::cipher::{Cipher, NONCE, TAG};

/// The first byte of everything sealed, so that the way of sealing can change.
const FORMAT: u8 = 1;
/// The same of what is not sealed at all.
#[cfg(feature = "unsealed")]
const UNSEALED: u8 = 0;

/// Where a sealed value stands: it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub table: &'static str,
    pub column: &'static str,
    /// What identifies the row.
    pub row: &'a [u8],
}

/// A sealed value did not open: damaged, moved, or sealed under another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unopened;

/// One key, ready for use.
pub struct DataKey {
    id: i64,
    about: Arc<[Pseudonym]>,
    cipher: Cipher,
}

impl DataKey {
    pub(super) fn new(id: i64, about: &[Pseudonym], key: &[u8; 32]) -> Self {
        Self { id, about: about.into(), cipher: Cipher::new(key) }
    }

    /// The row that holds its wrapped form.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// The people whose data it seals; nobody where it is a clinic's.
    pub fn about(&self) -> &Arc<[Pseudonym]> {
        &self.about
    }

    /// Seals `parts`, one after the other, as the value at `place`.
    pub fn seal(&self, entropy: &dyn Entropy, place: Place<'_>, parts: &[&[u8]]) -> Vec<u8> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let mut sealed = Vec::with_capacity(1 + NONCE + len + TAG);
        sealed.push(FORMAT);
        let mut nonce = [0; NONCE];
        entropy.fill(&mut nonce);
        sealed.extend_from_slice(&nonce);
        for part in parts {
            sealed.extend_from_slice(part);
        }
        let tag = self.cipher.seal(&nonce, &place.bytes(), &mut sealed[1 + NONCE..]);
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// `parts` as they are, in a form that [`DataKey::open`] knows.
    #[cfg(feature = "unsealed")]
    pub(super) fn unsealed(&self, parts: &[&[u8]]) -> Vec<u8> {
        [&[UNSEALED][..]].iter().chain(parts).copied().collect::<Vec<_>>().concat()
    }

    /// Opens the value at `place`.
    ///
    /// # Errors
    /// It is not what was sealed there under this key.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        #[cfg(feature = "unsealed")]
        if let Some((&UNSEALED, plain)) = sealed.split_first() {
            return Ok(Zeroizing::new(plain.to_vec()));
        }
        let (&FORMAT, rest) = sealed.split_first().ok_or(Unopened)? else { return Err(Unopened) };
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(Unopened)?;
        let (body, tag) = rest.split_last_chunk::<TAG>().ok_or(Unopened)?;
        let mut plain = Zeroizing::new(body.to_vec());
        self.cipher.open(nonce, &place.bytes(), &mut plain, *tag)?;
        Ok(plain)
    }
}

impl Place<'_> {
    /// Additional data of the cipher: table, column and row, each ended by a byte that none of the names holds.
    fn bytes(&self) -> Vec<u8> {
        [self.table.as_bytes(), self.column.as_bytes(), self.row].join(&0)
    }
}

/// Prints the row only.
impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use zelo_core::SeededEntropy;

    use super::*;

    const HERE: Place<'_> = Place { table: "events", column: "sealed", row: b"1" };

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let (key, entropy) = (DataKey::new(1, &[], &[1; 32]), SeededEntropy::new(1));
        let sealed = key.seal(&entropy, HERE, &[b"Ana ", b"Silva"]);
        assert_eq!(key.open(HERE, &sealed).unwrap().as_slice(), b"Ana Silva");
        assert_ne!(sealed, key.seal(&entropy, HERE, &[b"Ana Silva"]), "every seal has its own nonce");
        for place in [Place { row: b"2", ..HERE }, Place { column: "summary", ..HERE }, Place { table: "records", ..HERE }] {
            assert!(key.open(place, &sealed).is_err());
        }
        assert!(DataKey::new(1, &[], &[2; 32]).open(HERE, &sealed).is_err());
    }

    #[test]
    fn damage_is_noticed_wherever_it_is() {
        let (key, entropy) = (DataKey::new(1, &[], &[1; 32]), SeededEntropy::new(1));
        let sealed = key.seal(&entropy, HERE, &[b"Ana Silva"]);
        for place in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[place] ^= 1;
            assert!(key.open(HERE, &damaged).is_err(), "byte {place}");
            assert!(key.open(HERE, &sealed[..place]).is_err(), "cut at {place}");
        }
        assert_eq!(key.open(HERE, &key.seal(&entropy, HERE, &[])).unwrap().len(), 0);
    }
}
