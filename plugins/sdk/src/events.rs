//! Events that a plugin makes, for other rules to be about. The manifest has to want `events`, and the rule has to grant
//! their types.
//!
//! ```
//! # let run = zelo_plugin::testing::Run::of(run, serde_json::json!({}));
//! # assert_eq!(run.events[0].data["number"], 17);
//! # fn run(_: serde_json::Value, _: &zelo_plugin::Context) -> Result<zelo_plugin::Outcome, zelo_plugin::Failure> {
//! use zelo_plugin::events;
//!
//! events::emit("receipt.issued", &serde_json::json!({ "number": 17 }))?;
//! # Ok(zelo_plugin::Outcome::new("issued", "Issued"))
//! # }
//! ```

use serde::Serialize;

crate::refusals! {
    /// Why an event was not taken, for good.
    Error, "the event was refused", "the event is not valid";
    /// Not an event: what is wrong with it.
    Invalid
}

/// Makes an event of this type with `data`, which must be an object as JSON. It happens with the end of the job, once
/// however often the job is tried.
///
/// # Errors
/// It is not granted, or not an event. `?` makes a permanent failure of it.
pub fn emit(kind: &str, data: &impl Serialize) -> Result<(), Error> {
    let data = serde_json::to_string(data).map_err(|error| Error::Invalid(format!("the data is not JSON: {error}")))?;
    crate::backend::emit(kind, &data)
}
