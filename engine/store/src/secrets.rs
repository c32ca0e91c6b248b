//! Secrets that people gave zelo to keep, by name: sealed under what wraps all keys.

use std::fmt;

use jiff::Timestamp;
use zeroize::Zeroizing;

/// The longest secret, in bytes: a private key of RSA with its frame is half as long.
pub const SECRET_MAX: usize = 8192;
/// The longest name of one, in bytes.
pub const SECRET_NAME_MAX: usize = 64;

/// What a secret says. Wiped from memory when dropped; prints nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Zeroizing<Vec<u8>>);

impl SecretValue {
    /// The secret that is these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Prints nothing of it.
impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue")
    }
}

/// What may be said of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretView {
    pub name: String,
    /// When it was set last.
    pub at: Timestamp,
}

/// Whether a secret can be called so: as sources and connections are.
pub fn is_secret_name(name: &str) -> bool {
    name.starts_with(|char: char| char.is_ascii_lowercase())
        && name.len() <= SECRET_NAME_MAX
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
}
