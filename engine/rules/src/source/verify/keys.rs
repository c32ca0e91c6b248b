//! Secrets and public keys as files write them, and what is computed with them.

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Digest;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// In either case.
    Hex,
    /// RFC 4648 §4, with or without padding.
    Base64,
}

/// How a secret or a public key is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyForm {
    /// None: the text itself is the key.
    pub(super) encoding: Option<Encoding>,
    /// What is cut off before the key is decoded, where it is there.
    pub(in crate::source) prefix: String,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    Ed25519([u8; 32]),
    /// `RSAPublicKey` of RFC 8017 in DER.
    Rsa(Vec<u8>),
}

/// What kind of public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PublicKind {
    Ed25519,
    Rsa,
}

impl Algorithm {
    /// The keyed hash (RFC 2104) of all `pieces`, one after the other.
    pub(super) fn hmac(self, key: &[u8], pieces: &[impl AsRef<[u8]>]) -> Vec<u8> {
        match self {
            Self::Sha1 => mac::<Hmac<sha1::Sha1>>(key, pieces),
            Self::Sha256 => mac::<Hmac<sha2::Sha256>>(key, pieces),
            Self::Sha512 => mac::<Hmac<sha2::Sha512>>(key, pieces),
        }
    }

    pub(super) fn hash(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => sha1::Sha1::digest(bytes).to_vec(),
            Self::Sha256 => sha2::Sha256::digest(bytes).to_vec(),
            Self::Sha512 => sha2::Sha512::digest(bytes).to_vec(),
        }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], pieces: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    pieces.iter().for_each(|piece| mac.update(piece.as_ref()));
    mac.finalize().into_bytes().to_vec()
}

impl Encoding {
    pub(super) fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Hex => HEXLOWER_PERMISSIVE.decode(text).ok(),
            Self::Base64 if text.ends_with(b"=") => BASE64.decode(text).ok(),
            Self::Base64 => BASE64_NOPAD.decode(text).ok(),
        }
    }

    pub(super) fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => HEXLOWER.encode(bytes),
            Self::Base64 => BASE64.encode(bytes),
        }
    }
}

impl KeyForm {
    /// The key that `text` stands for; none where it cannot be read, or where nothing is left.
    pub(super) fn read(&self, text: &[u8]) -> Option<Vec<u8>> {
        // Without what tells it from keys of other kinds it may be one of those.
        let text = text.strip_prefix(self.prefix.as_bytes())?;
        let key = match self.encoding {
            Some(encoding) => encoding.decode(text.trim_ascii())?,
            None => text.to_vec(),
        };
        (!key.is_empty()).then_some(key)
    }
}

/// `user:password`, of a header that says `Basic` and it in Base64 (RFC 7617).
pub(super) fn decoded_basic(header: &str) -> Option<Vec<u8>> {
    let (scheme, credentials) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| Encoding::Base64.decode(credentials.trim_start().as_bytes())).flatten()
}

/// What such a header says.
pub(super) fn basic(credentials: &[u8]) -> String {
    format!("Basic {}", BASE64.encode(credentials))
}

/// The shortest and longest RSA key, in bits: providers publish old ones of 1024, and nobody can make them publish others.
const RSA_BITS: std::ops::RangeInclusive<usize> = 1024..=8192;

impl PublicKey {
    /// A key in PEM or DER (`SubjectPublicKeyInfo` of RFC 5280, for RSA also `RSAPublicKey`); for Ed25519 also its 32 bytes alone.
    pub(super) fn read(kind: PublicKind, bytes: &[u8]) -> Option<Self> {
        let der = if bytes.trim_ascii_start().starts_with(b"-----BEGIN") { pem(bytes)? } else { bytes.to_vec() };
        match kind {
            PublicKind::Ed25519 => {
                let key = subject_key(&der, &ED25519_ID).unwrap_or(&der);
                Some(Self::Ed25519(key.try_into().ok()?))
            }
            PublicKind::Rsa => {
                let key = subject_key(&der, &RSA_ID).unwrap_or(&der);
                RSA_BITS.contains(&rsa_bits(key)?).then(|| Self::Rsa(key.to_vec()))
            }
        }
    }

    /// Whether `signature` is one of `message` (RFC 8032; RFC 8017 §8.2 with SHA-256).
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => public::ed25519(key, message, signature),
            Self::Rsa(key) => public::rsa(key, message, signature),
        }
    }
}

/// Whether a signature fits.
#[cfg(not(target_family = "wasm"))]
mod public {
    use ring::signature::{ED25519, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};

    pub(super) fn ed25519(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
    }

    pub(super) fn rsa(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, key).verify(message, signature).is_ok()
    }
}

/// In WebAssembly nobody receives deliveries, so none fits.
#[cfg(target_family = "wasm")]
mod public {
    pub(super) fn ed25519(_: &[u8], _: &[u8], _: &[u8]) -> bool {
        false
    }

    pub(super) fn rsa(_: &[u8], _: &[u8], _: &[u8]) -> bool {
        false
    }
}

/// `AlgorithmIdentifier`s, in DER (RFC 8410, RFC 3279).
const ED25519_ID: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];
const RSA_ID: [u8; 13] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// What stands between the lines of a PEM file (RFC 7468) that holds one public key.
fn pem(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let found = ["PUBLIC KEY", "RSA PUBLIC KEY"]
        .into_iter()
        .find_map(|label| text.strip_prefix(&format!("-----BEGIN {label}-----"))?.strip_suffix(&format!("-----END {label}-----")));
    let inside: String = found?.chars().filter(|char| !char.is_ascii_whitespace()).collect();
    BASE64.decode(inside.as_bytes()).ok()
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// The key in a `SubjectPublicKeyInfo` of this algorithm.
fn subject_key<'d>(der: &'d [u8], algorithm: &[u8]) -> Option<&'d [u8]> {
    let (inside, []) = element(der, SEQUENCE)? else { return None };
    let (named, rest) = element(inside, SEQUENCE)?;
    let (bits, []) = element(rest, BIT_STRING)? else { return None };
    // No bit of the last byte is unused.
    bits.strip_prefix(&[0]).filter(|_| named == algorithm)
}

/// The length of the modulus of an `RSAPublicKey`.
fn rsa_bits(der: &[u8]) -> Option<usize> {
    let (inside, []) = element(der, SEQUENCE)? else { return None };
    let (modulus, rest) = element(inside, INTEGER)?;
    let (_, []) = element(rest, INTEGER)? else { return None };
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    Some(modulus.len() * 8 - modulus.first()?.leading_zeros() as usize)
}

/// The content of the element that `der` begins with, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = der.strip_prefix(&[tag])?.split_first()?;
    // A length of its own has one or two digits: keys are not longer.
    let digits = match length {
        0x81 => 1,
        0x82 => 2,
        _ if length < 0x80 => return rest.split_at_checked(usize::from(length)),
        _ => return None,
    };
    let (digits, rest) = rest.split_at_checked(digits)?;
    rest.split_at_checked(digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_hashes_are_those_of_the_standards() {
        // RFC 4231, test case 2; RFC 2202, test case 2 for SHA-1.
        let hex = |algorithm: Algorithm| HEXLOWER.encode(&algorithm.hmac(b"Jefe", &["what do ya want ", "for nothing?"]));
        assert_eq!(hex(Algorithm::Sha256), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(
            hex(Algorithm::Sha512),
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        );
        assert_eq!(hex(Algorithm::Sha1), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }

    #[test]
    fn a_secret_is_decoded_or_it_is_none() {
        let form = |encoding, prefix: &str| KeyForm { encoding, prefix: prefix.to_owned() };
        assert_eq!(form(Some(Encoding::Base64), "whsec_").read(b"whsec_AAEC"), Some(vec![0, 1, 2]));
        assert_eq!(form(Some(Encoding::Base64), "whsec_").read(b"AAE="), None, "it may be a key of another kind");
        assert_eq!(form(Some(Encoding::Base64), "whsec_").read(b"whsec_"), None);
        assert_eq!(form(Some(Encoding::Base64), "").read(b"AA=A"), None);
        assert_eq!(form(Some(Encoding::Hex), "").read(b"0aFF"), Some(vec![10, 255]));
        assert_eq!(form(Some(Encoding::Hex), "").read(b"0aF"), None);
        assert_eq!(form(None, "").read(b" as it is "), Some(b" as it is ".to_vec()));
    }

    #[test]
    fn a_key_that_is_cut_short_is_none() {
        let mut der = vec![0x30, 0x2a, 0x30, 0x05];
        der.extend(ED25519_ID);
        der.extend([0x03, 0x21, 0x00]);
        der.extend([7; 32]);
        assert_eq!(PublicKey::read(PublicKind::Ed25519, &der), Some(PublicKey::Ed25519([7; 32])));
        assert_eq!(PublicKey::read(PublicKind::Ed25519, &[7; 32]), Some(PublicKey::Ed25519([7; 32])));
        for length in (0..der.len()).filter(|length| *length != 32) {
            assert_eq!(PublicKey::read(PublicKind::Ed25519, &der[..length]), None, "{length}");
            assert_eq!(PublicKey::read(PublicKind::Rsa, &der[..length]), None, "{length}");
        }
        assert_eq!(PublicKey::read(PublicKind::Rsa, &der), None, "a key of another kind");
        // X25519 has keys of the same length, which sign nothing.
        let other = der.iter().map(|byte| if *byte == 0x70 { 0x6e } else { *byte }).collect::<Vec<_>>();
        assert_eq!(PublicKey::read(PublicKind::Ed25519, &other), None, "a key of another kind");
        der.push(0);
        assert_eq!(PublicKey::read(PublicKind::Ed25519, &der), None, "something follows it");
    }
}
