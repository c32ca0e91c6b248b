//! Tokens, links and sessions, as people name them.

use data_encoding::HEXLOWER;
use zelo_store::CredentialRow;

/// Digits of a hash that are told.
const TOLD: usize = 12;
/// And that are enough to name it.
const ENOUGH: usize = 4;

/// Why a credential is not found.
#[derive(Debug, thiserror::Error)]
pub enum Unfound {
    #[error("say at least {ENOUGH} digits of what `zelo token list` calls it")]
    Short,
    #[error("there is no credential {0}; `zelo token list` tells those that there are")]
    None(String),
    #[error("several begin with {0}; say more of it")]
    Several(String),
}

/// What a credential is called: the beginning of its hash, of which nobody finds the credential.
pub fn id(row: &CredentialRow) -> String {
    HEXLOWER.encode(&row.hash)[..TOLD].to_owned()
}

/// The one of `rows` whose name begins with `wanted`.
///
/// # Errors
/// There is none, or more than one.
pub fn named<'r>(rows: &'r [CredentialRow], wanted: &str) -> Result<&'r CredentialRow, Unfound> {
    let wanted = wanted.trim().to_ascii_lowercase();
    if wanted.len() < ENOUGH {
        return Err(Unfound::Short);
    }
    let mut found = rows.iter().filter(|row| HEXLOWER.encode(&row.hash).starts_with(&wanted));
    match (found.next(), found.next()) {
        (None, _) => Err(Unfound::None(wanted)),
        (Some(row), None) => Ok(row),
        (Some(_), Some(_)) => Err(Unfound::Several(wanted)),
    }
}
