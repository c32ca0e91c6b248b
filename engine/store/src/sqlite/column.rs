//! Reading stored values: a value that is not what zelo wrote is an error that names its place, never a panic.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type, ValueRef};

use zelo_core::clock::from_ms;
use zelo_core::{ClinicRef, Clinics, EventId, JobId, KeyHash, Pseudonym};

use crate::Error;

/// One row of a table, for reading.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'r> {
    row: &'r SqliteRow,
    table: &'static str,
    /// The column that names the row in errors.
    key: &'static str,
}

impl<'r> Columns<'r> {
    /// The row of `table` that column `key` identifies.
    pub(crate) fn new(row: &'r SqliteRow, table: &'static str, key: &'static str) -> Self {
        Self { row, table, key }
    }

    /// The value as the type asked for.
    pub(crate) fn get<T: Decode<'r, Sqlite> + Type<Sqlite>>(&self, column: &'static str) -> Result<T, Error> {
        self.row.try_get(column).map_err(|error| self.damaged(column, error.to_string()))
    }

    /// A 16-byte id or hash.
    fn sixteen(&self, column: &'static str) -> Result<Option<[u8; 16]>, Error> {
        let bytes: Option<&[u8]> = self.get(column)?;
        bytes.map(|bytes| bytes.try_into().map_err(|_| self.damaged(column, format!("{} bytes, not 16", bytes.len())))).transpose()
    }

    fn given<T>(&self, column: &'static str, value: Option<T>) -> Result<T, Error> {
        value.ok_or_else(|| self.damaged(column, "it is null".into()))
    }

    pub(crate) fn hash(&self, column: &'static str) -> Result<KeyHash, Error> {
        self.given(column, self.opt_hash(column)?)
    }

    pub(crate) fn opt_hash(&self, column: &'static str) -> Result<Option<KeyHash>, Error> {
        Ok(self.sixteen(column)?.map(KeyHash))
    }

    /// Pseudonyms, one behind the other; null: nobody's.
    pub(crate) fn pseudonyms(&self, column: &'static str) -> Result<Vec<Pseudonym>, Error> {
        let bytes: Option<&[u8]> = self.get(column)?;
        let (all, rest) = bytes.unwrap_or_default().as_chunks::<16>();
        if rest.is_empty() {
            Ok(all.iter().map(|one| Pseudonym::from_bytes(*one)).collect())
        } else {
            Err(self.damaged(column, "it is no list of pseudonyms".into()))
        }
    }

    pub(crate) fn event_id(&self, column: &'static str) -> Result<EventId, Error> {
        self.given(column, self.sixteen(column)?.map(EventId::from_bytes))
    }

    pub(crate) fn job_id(&self, column: &'static str) -> Result<JobId, Error> {
        self.given(column, self.opt_job_id(column)?)
    }

    pub(crate) fn opt_job_id(&self, column: &'static str) -> Result<Option<JobId>, Error> {
        Ok(self.sixteen(column)?.map(JobId::from_bytes))
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, Error> {
        Ok(from_ms(self.get(column)?))
    }

    pub(crate) fn opt_time(&self, column: &'static str) -> Result<Option<Timestamp>, Error> {
        Ok(self.get::<Option<i64>>(column)?.map(from_ms))
    }

    /// A count: never negative.
    pub(crate) fn count(&self, column: &'static str) -> Result<u64, Error> {
        let number: i64 = self.get(column)?;
        u64::try_from(number).map_err(|_| self.damaged(column, format!("{number} is negative")))
    }

    pub(crate) fn small(&self, column: &'static str) -> Result<u32, Error> {
        let number: i64 = self.get(column)?;
        u32::try_from(number).map_err(|_| self.damaged(column, format!("{number} is out of range")))
    }

    /// A word of a closed list.
    pub(crate) fn word<T>(&self, column: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
        let word: &str = self.get(column)?;
        parse(word).ok_or_else(|| self.damaged(column, format!("`{word}` is no word that zelo writes there")))
    }

    /// JSON that holds no personal data.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>, Error> {
        let text: Option<&str> = self.get(column)?;
        text.map(|text| serde_json::from_str(text).map_err(|error| self.damaged(column, error.to_string()))).transpose()
    }

    /// An error about this row.
    /// What [`clinics`] made.
    pub(crate) fn clinics(&self, column: &'static str) -> Result<Clinics, Error> {
        let pairs: Option<Vec<(String, String)>> = self.json(column)?;
        let named = |pairs: Vec<(String, String)>| pairs.into_iter().map(|(connection, clinic)| ClinicRef { connection, clinic }).collect();
        Ok(pairs.map_or(Clinics::All, |pairs| Clinics::Only(named(pairs))))
    }

    pub(crate) fn damaged(&self, column: &'static str, why: String) -> Error {
        Error::Inconsistent { table: self.table, column, row: self.name(), why }
    }

    /// What this row is called in errors: the integer or, in hexadecimal, the bytes of its key column.
    fn name(&self) -> String {
        let Ok(value) = self.row.try_get_raw(self.key) else { return "?".into() };
        if value.is_null() {
            return "null".into();
        }
        if let Ok(number) = self.row.try_get_unchecked::<i64, _>(self.key)
            && value.type_info().as_ref() == &<i64 as Type<Sqlite>>::type_info()
        {
            return number.to_string();
        }
        self.row.try_get_unchecked::<&[u8], _>(self.key).map_or_else(|_| "?".into(), |bytes| data_encoding::HEXLOWER.encode(bytes))
    }
}

/// The condition that a row is of one of the clinics of parameter 6, which [`clinics`] makes.
macro_rules! of_clinics {
    () => {
        "(?6 IS NULL OR (connection, clinic) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?6)))"
    };
}

pub(crate) use of_clinics;

/// As a list of pairs; null for all.
pub(crate) fn clinics(clinics: &Clinics) -> Option<String> {
    let pairs = |named: &BTreeSet<ClinicRef>| named.iter().map(|one| json!([one.connection, one.clinic])).collect::<Value>();
    clinics.named().map(|named| pairs(named).to_string())
}

/// A time as stored.
pub(crate) fn ms(time: Timestamp) -> i64 {
    time.as_millisecond()
}
