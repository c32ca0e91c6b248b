//! The key that everything else hangs on.

use std::fmt;

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use zelo_core::Entropy;

/// Thirty-two random bytes. Who has them and the files can read everything; who has only the files, nothing.
///
/// Wiped from memory when dropped; prints nothing.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

/// What was read is not a master key.
#[derive(Debug, thiserror::Error)]
#[error(
    "a master key is 32 bytes: 64 hexadecimal digits, 44 characters of base64, or the bytes themselves; this is none of them ({len} bytes)"
)]
pub struct InvalidMasterKey {
    len: usize,
}

impl MasterKey {
    /// A new key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(&mut *key);
        Self(key)
    }

    /// The key with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads what a key file or an environment variable holds: hexadecimal, base64, or the bytes themselves. Space
    /// around text is ignored.
    ///
    /// # Errors
    /// It is none of these, or not of 32 bytes.
    pub fn parse(content: &[u8]) -> Result<Self, InvalidMasterKey> {
        if let Ok(raw) = <[u8; 32]>::try_from(content) {
            return Ok(Self::from_bytes(raw));
        }
        let text = content.trim_ascii();
        [&HEXLOWER_PERMISSIVE, &BASE64, &BASE64_NOPAD]
            .into_iter()
            .filter_map(|encoding| encoding.decode(text).ok().map(Zeroizing::new))
            .find_map(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok())
            .map(Self::from_bytes)
            .ok_or(InvalidMasterKey { len: content.len() })
    }

    /// The key as 64 hexadecimal digits, to write to a key file.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(HEXLOWER.encode(&*self.0))
    }

    /// The key for `label`. Labels are part of the format: a changed one makes stored data unreadable.
    pub(super) fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let mut mac = mac(&self.0);
        mac.update(label.as_bytes());
        mac.update(&[1]);
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

/// HMAC-SHA256 under `key`.
pub(super) fn mac(key: &[u8; 32]) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"))
}

/// Prints nothing of the key.
impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey")
    }
}

#[cfg(test)]
mod tests {
    use zelo_core::SeededEntropy;

    use super::*;

    #[test]
    fn a_key_reads_in_every_form_it_may_be_written_in() {
        let key = MasterKey::generate(&SeededEntropy::new(1));
        let raw = *key.0;
        let forms = [
            raw.to_vec(),
            key.to_hex().as_bytes().to_vec(),
            key.to_hex().to_uppercase().into_bytes(),
            format!("  {}\n", key.to_hex().as_str()).into_bytes(),
            BASE64.encode(&raw).into_bytes(),
            BASE64_NOPAD.encode(&raw).into_bytes(),
        ];
        for form in forms {
            assert_eq!(*MasterKey::parse(&form).unwrap().0, raw);
        }
        assert!(MasterKey::parse(b"").is_err());
        assert!(MasterKey::parse(b"secret").is_err());
        assert!(MasterKey::parse(&[b'a'; 66]).is_err());
        assert_eq!(format!("{key:?}"), "MasterKey");
    }

    #[test]
    fn each_label_has_its_own_key() {
        let key = MasterKey::from_bytes([7; 32]);
        assert_ne!(*key.derive("a"), *key.derive("b"));
        assert_ne!(*key.derive("a"), *MasterKey::from_bytes([8; 32]).derive("a"));
    }
}
