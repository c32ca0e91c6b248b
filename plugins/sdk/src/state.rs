//! Values and counters that outlive a run. They belong to one action of one automation of one clinic, and no other sees
//! them. The manifest has to want `state`, and the rule has to grant it.

use serde::Serialize;
use serde::de::DeserializeOwned;

crate::refusals! {
    /// Why a value was not read or kept, for good.
    Error, "the state was refused", "the state is not valid";
    /// The key or the value is not one that can be kept, or what is there cannot be read.
    Invalid
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

/// The counter `key` goes up by one, and this is where it stands: 1 the first time. It commits at once, so a number is
/// never given twice, and a job that is tried again gets its number again. A counter is not a value: [`get`] does not
/// see it.
///
/// ```
/// # let mut setup = zelo_plugin::testing::Setup::new();
/// # setup.counters.insert("receipts".into(), 41);
/// # let run = setup.run(run, serde_json::json!({}));
/// # assert_eq!((run.outcome().summary.as_str(), run.counters["receipts"]), ("Receipt 42", 42));
/// # fn run(_: serde_json::Value, _: &zelo_plugin::Context) -> Result<zelo_plugin::Outcome, zelo_plugin::Failure> {
/// use zelo_plugin::{Outcome, state};
///
/// let number = state::next("receipts")?;
/// Ok(Outcome::new("issued", format!("Receipt {number}")))
/// # }
/// ```
///
/// # Errors
/// It is not granted. `?` makes a permanent failure of it.
pub fn next(key: &str) -> Result<u64, Error> {
    crate::backend::next(key)
}
