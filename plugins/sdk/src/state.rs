//! Values that outlive a run. They belong to one action of one automation of one clinic, and no other sees them. The
//! manifest has to want `state`, and the rule has to grant it.

use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Failure;

/// Why a value was not read or kept, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Not granted.
    Refused(String),
    /// The key or the value is not one that can be kept, or what is there cannot be read.
    Invalid(String),
}

/// The value under `key`, if there is one.
///
/// # Errors
/// It is not granted, or what is there is no `T`.
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Error> {
    let Some(text) = crate::backend::get(key)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| Error::Invalid(format!("what is kept there is something else: {error}")))
}

/// Keeps `value` under `key`, as JSON, with the end of the attempt, however that ends; nothing of it if the
/// process dies or the job is cancelled before.
///
/// # Errors
/// It is not granted, or too long.
pub fn set(key: &str, value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string(value).map_err(|error| Error::Invalid(format!("the value is not JSON: {error}")))?;
    crate::backend::set(key, &text)
}

/// Forgets `key`, whether there is a value or not.
///
/// # Errors
/// It is not granted.
pub fn delete(key: &str) -> Result<(), Error> {
    crate::backend::delete(key)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "the state was refused: {reason}"),
            Self::Invalid(reason) => write!(f, "the state is not valid: {reason}"),
        }
    }
}

impl core::error::Error for Error {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::permanent(error.to_string())
    }
}
