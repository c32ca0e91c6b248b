//! What zelo remembers about patients, contacts and the like, as far as the rule lets the action write it. The manifest
//! has to want `records`, and the rule has to grant the type and its fields.
//!
//! ```
//! # let run = zelo_plugin::testing::Run::of(run, serde_json::json!({}));
//! # assert_eq!(run.records[0].set["stage"], "scheduled");
//! # fn run(_: serde_json::Value, _: &zelo_plugin::Context) -> Result<zelo_plugin::Outcome, zelo_plugin::Failure> {
//! use zelo_plugin::records::{self, Edit};
//!
//! let known = records::get("contact", "17")?.is_some();
//! Edit::of("contact", "17").set("stage", "scheduled").append("notes", "Called back.").write()?;
//! # Ok(zelo_plugin::Outcome::new(if known { "moved" } else { "created" }, "Done"))
//! # }
//! ```

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What is to change in one record. Made with [`Edit::of`], written with [`Edit::write`].
///
/// Edits commute, so that jobs may run in any order: of each field the newest event has the last word, and what is
/// appended stands in the order of the events.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// The type of the record.
    pub record: String,
    /// What the provider calls the thing.
    pub id: String,
    /// Fields and their new values; fields that are not named stay as they are.
    pub set: Map<String, Value>,
    /// List fields, and the text that is added to each.
    pub append: BTreeMap<String, String>,
}

crate::refusals! {
    /// Why a record was not read or written, for good.
    Error, "the record was refused", "the record is not valid";
    /// Not a record, or not an edit: what is wrong with it.
    Invalid
}

/// The fields of a record that the action may write, as far as they are there. `None`: there is no such record. What this
/// run has written itself is not in it yet.
///
/// # Errors
/// It is not granted. `?` makes a permanent failure of it.
pub fn get(record: &str, id: &str) -> Result<Option<Map<String, Value>>, Error> {
    let Some(text) = crate::backend::record(record, id)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| Error::Invalid(format!("what is there is not an object: {error}")))
}

impl Edit {
    /// An edit that changes nothing yet.
    pub fn of(record: impl Into<String>, id: impl Into<String>) -> Self {
        Self { record: record.into(), id: id.into(), set: Map::new(), append: BTreeMap::new() }
    }

    /// With a new value for a field; `null` empties it.
    pub fn set(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.set.insert(field.into(), value.into());
        self
    }

    /// With a text at the end of a list field: one text for each field.
    pub fn append(mut self, field: impl Into<String>, text: impl Into<String>) -> Self {
        self.append.insert(field.into(), text.into());
        self
    }

    /// Writes it. A record that does not exist comes to exist.
    ///
    /// # Errors
    /// It will never be written. `?` makes a permanent failure of it.
    pub fn write(self) -> Result<(), Error> {
        crate::backend::edit(self)
    }
}
