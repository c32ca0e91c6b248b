//! What people say about records, with their own hands.

use std::sync::Arc;

use serde_json::{Map, Value};

use zelo_core::timing::Timetable;
use zelo_core::{Actor, Clinics, JobId, KeyHash};

/// Fields of a record, as a person says they are.
#[derive(Clone)]
pub struct Amend {
    /// Where the record is: [`Indexer::record`](zelo_core::Indexer::record) of its connection, type and id.
    pub record: KeyHash,
    /// The fields and their values. Which fields may be written is for the caller to know.
    pub fields: Map<String, Value>,
    /// What it is to be where there is none; none: then nothing is written.
    pub new: Option<NewRecord>,
    /// Only where none of the fields has a value, and this job still lives, which waits for them: they were asked for what is not there.
    pub lacking: Option<JobId>,
    /// Only where these fields are so, as who says it saw them: null is the same as not there.
    pub stood: Option<Map<String, Value>>,
    /// What they are told of: any other record is none.
    pub clinics: Clinics,
    pub actor: Actor,
    /// The rules in force: pending jobs may read it.
    pub timetable: Arc<dyn Timetable>,
}

/// A record that is not there yet.
#[derive(Clone)]
pub struct NewRecord {
    pub connection: String,
    pub kind: String,
    /// What the provider calls it.
    pub id: String,
    /// The person whose it is: it is sealed under their key, else under that of the clinic or the connection.
    pub subject: Option<KeyHash>,
    pub clinic: Option<String>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amended {
    /// There was no such record.
    New,
    Changed,
    /// It was as they said; from now on it is their word.
    Same,
    /// It is not as who says it saw it, and stays.
    Otherwise,
    /// There is no such record for them; or what was lacking is lacking no more.
    Missing,
}
