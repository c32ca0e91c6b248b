//! Passwords: only their Argon2id hashes are kept (RFC 9106), with what OWASP's Password Storage Cheat Sheet asks for at least.
//!
//! Making a hash takes 19 MiB and some ten milliseconds by design, so it happens off the threads that answer, a few at a time.

use std::sync::{Arc, LazyLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use zelo_core::Entropy;

use crate::problem::Problem;

/// The fewest and the most characters of a password. No other rule: what people make of one is guessed first.
pub const LENGTH_MIN: usize = 12;
pub const LENGTH_MAX: usize = 256;

/// KiB, passes and lanes of one hash.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Bytes of a salt.
const SALT: usize = 16;

/// Hashes that are made at once, and those that wait for that; beyond it, people are told to come again.
const AT_ONCE: usize = 2;
const WAITING_MAX: usize = 32;

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("a password has at least {LENGTH_MIN} characters")]
    Short,
    #[error("a password has at most {LENGTH_MAX} characters")]
    Long,
    #[error("the password could not be hashed")]
    Hash,
}

/// The hash of `password` to keep, in the PHC string format, under a salt of its own. It takes a while.
///
/// # Errors
/// It is too short or too long.
pub fn hash(password: &str, entropy: &dyn Entropy) -> Result<String, Error> {
    match password.chars().count() {
        ..LENGTH_MIN => return Err(Error::Short),
        length if length > LENGTH_MAX => return Err(Error::Long),
        _ => {}
    }
    let mut salt = [0; SALT];
    entropy.fill(&mut salt);
    hashed(password, &salt).ok_or(Error::Hash)
}

fn hashed(password: &str, salt: &[u8]) -> Option<String> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: PasswordHash = hasher.hash_password_with_salt(password.as_bytes(), salt).ok()?;
    Some(hash.to_string())
}

/// Whether `hash` is of `password`; the parameters are those of the hash. It takes a while.
fn is_of(hash: &str, password: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

/// What is checked where there is no such person: it takes as long, and says no.
static NOBODY: LazyLock<String> = LazyLock::new(|| hashed("", &[0; SALT]).unwrap_or_default());

/// The turns in which passwords are checked.
#[derive(Clone)]
pub(crate) struct Checking {
    turns: Arc<Semaphore>,
    room: Arc<Semaphore>,
}

impl Default for Checking {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), room: Arc::new(Semaphore::new(AT_ONCE + WAITING_MAX)) }
    }
}

impl Checking {
    /// Whether `hash` is of `password`; where there is none, nobody's is, and that takes as long.
    ///
    /// # Errors
    /// Too many wait for it.
    pub(crate) async fn check(&self, hash: Option<String>, password: String) -> Result<bool, Problem> {
        let _room = self.room.clone().try_acquire_owned().map_err(|_| Problem::busy())?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| Problem::internal())?;
        let checked = tokio::task::spawn_blocking(move || {
            let is = is_of(hash.as_deref().unwrap_or(&NOBODY), &password) && hash.is_some();
            drop(turn);
            is
        });
        checked.await.map_err(|_| Problem::internal())
    }
}

#[cfg(test)]
mod tests {
    use zelo_core::SeededEntropy;

    use super::*;

    #[test]
    fn a_hash_is_of_its_password_alone_and_says_what_it_cost() {
        let entropy = SeededEntropy::new(1);
        let (one, other) = (hash("correct horse battery", &entropy).unwrap(), hash("correct horse battery", &entropy).unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other, "each has a salt of its own");
        assert!(is_of(&one, "correct horse battery") && is_of(&other, "correct horse battery"));
        assert!(!is_of(&one, "correct horse batterz") && !is_of(&one, "") && !is_of("no hash", "x"));
    }

    #[test]
    fn a_password_is_long_enough_to_be_one() {
        let entropy = SeededEntropy::new(1);
        assert_eq!(hash("eleven char", &entropy), Err(Error::Short));
        assert_eq!(hash(&"é".repeat(257), &entropy), Err(Error::Long));
        assert!(hash("doze carácte", &entropy).is_ok());
    }

    #[tokio::test]
    async fn who_is_nobody_has_no_password() {
        assert!(!Checking::default().check(None, String::new()).await.unwrap(), "nor the one that is checked instead");
    }
}
