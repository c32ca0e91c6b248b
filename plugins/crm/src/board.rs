//! The board that zelo has itself: records of the type `contact`.

use zelo_plugin::Failure;
use zelo_plugin::records::{self, Edit};

use crate::{Change, Crm, Known};

const RECORD: &str = "contact";

/// zelo's own board.
pub(crate) struct Board;

impl Crm for Board {
    fn find(&self, contact: &str) -> Result<Option<Known>, Failure> {
        let fields = records::get(RECORD, contact)?;
        Ok(fields.map(|fields| Known { stage: fields.get("stage").and_then(|stage| stage.as_str()).map(str::to_owned) }))
    }

    fn write(&self, contact: &str, change: Change<'_>) -> Result<(), Failure> {
        let Change { name, phone, email, stage, last_contact, note } = change;
        let mut edit = Edit::of(RECORD, contact).set("last_contact", last_contact);
        for (field, value) in [("name", name), ("phone", phone), ("email", email), ("stage", stage.map(|stage| stage.as_str()))] {
            if let Some(value) = value {
                edit = edit.set(field, value);
            }
        }
        if let Some(note) = note {
            edit = edit.append("notes", note);
        }
        Ok(edit.write()?)
    }
}
