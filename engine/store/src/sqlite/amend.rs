//! A person's word about a record.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;

use zelo_core::decide::{Needs, amend};
use zelo_core::{AuditEntry, AuditKind, Job, Pseudonym};

use super::audit;
use super::column::Columns;
use super::jobs::Kept;
use super::keys::Keys;
use super::load::{load_needs, open_record, record_at};
use super::others::Records;
use super::record::{SealedRecord, put_records};
use super::steps;
use super::trip::Trip;
use super::writer::{Desk, Write};
use crate::envelope::{self, RecordBody};
use crate::seal::{DataKey, Owner};
use crate::{Amend, Amended, Error, NewRecord};

const KNOWN: &str = "SELECT record, connection, clinic, kind, time, key_id, sealed FROM records WHERE record = ?1";

/// Writes it.
pub(crate) struct Say {
    pub amend: Amend,
    pub now: Timestamp,
}

/// What a record is, whatever it says.
struct Found {
    of: NewRecord,
    key: Arc<DataKey>,
    about: Vec<Pseudonym>,
}

#[async_trait]
impl Write for Say {
    type Answer = Amended;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Amended, Error> {
        desk.saw(self.now);
        let Amend { record, fields, new, lacking, stood, clinics, actor, timetable } = &self.amend;
        let known = self.known(conn, desk).await?;
        let is_new = known.is_none();
        let place = known.as_ref().map(|found| &found.of).or(new.as_ref());
        if !place.is_some_and(|of| clinics.include(&of.connection, of.clinic.as_deref())) {
            return Ok(Amended::Missing);
        }
        let needs = Needs { written: [*record].into(), ..Needs::default() };
        let (mut state, jobs) = load_needs(conn, desk.sealer.ring(), needs).await?;
        if let Some(job) = lacking {
            let waits = state.jobs.get(job).is_some_and(|job| job.attention.is_some() && job.state.is_live());
            let has = |name: &String| state.records.get(record).and_then(|row| row.document.get(name)).is_some_and(is_something);
            if !waits || fields.keys().any(has) {
                return Ok(Amended::Missing);
            }
        }
        let at = |name: &String| state.records.get(record).and_then(|row| row.document.get(name)).unwrap_or(&Value::Null);
        if stood.iter().flatten().any(|(name, value)| at(name) != value) {
            return Ok(Amended::Otherwise);
        }
        let found = match (known, new) {
            (Some(found), _) => found,
            (None, Some(new)) => self.made(conn, desk, new).await?,
            (None, None) => return Ok(Amended::Missing),
        };
        let news = amend(*record, fields, self.now, timetable.as_ref(), &mut state);
        if let Some(row) = state.records.get(record) {
            let damaged = |why| Error::Inconsistent { table: "records", column: "sealed", row: format!("{record:?}"), why };
            let body = envelope::to_json(&RecordBody::of(&found.of.id, row)).map_err(damaged)?;
            let sealed = desk.sealer.ring().seal(&found.key, record_at(record), &[&body]);
            let (connection, clinic, kind) = (&found.of.connection, found.of.clinic.as_deref(), &found.of.kind);
            let mut trip = Trip::default();
            put_records(
                &mut trip,
                vec![SealedRecord { hash: *record, connection, clinic, kind, time: row.time, key_id: found.key.id(), sealed }],
            );
            trip.make(conn).await?;
        }
        let changed = state.dirty.changed_jobs.iter().filter_map(|id| Some((*jobs.get(id)?, state.jobs.get(id)?.clone(), self.now)));
        let changed: Vec<(Kept, Job, Timestamp)> = changed.collect();
        steps::write_back(conn, &changed).await?;
        // Which fields, and none of their values.
        let names: Vec<&String> = fields.keys().collect();
        let entry = AuditEntry {
            connection: Some(found.of.connection),
            clinic: found.of.clinic,
            about: found.about,
            ..AuditEntry::new(self.now, AuditKind::Amended, actor.clone(), &json!({ "record": found.of.kind, "fields": names }))
        };
        audit::append(conn, desk, vec![entry]).await?;
        Ok(match (is_new, news) {
            (true, _) => Amended::New,
            (false, true) => Amended::Changed,
            (false, false) => Amended::Same,
        })
    }
}

/// Whether a value says anything.
fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().any(is_something),
        _ => true,
    }
}

impl Say {
    /// The record, where it is there.
    async fn known(&self, conn: &mut SqliteConnection, desk: &Desk) -> Result<Option<Found>, Error> {
        let hash = self.amend.record;
        let row = sqlx::query(KNOWN).bind(hash.0.to_vec()).fetch_optional(&mut *conn).await.map_err(Error::database("read a record"))?;
        let Some(row) = row else { return Ok(None) };
        let row = Columns::new(&row, "records", "record");
        let key_id = row.get("key_id")?;
        let keys = Keys::load(conn, desk.sealer.ring(), vec![key_id]).await?;
        let (id, _) = open_record(&keys, &row, hash)?;
        let of = NewRecord { connection: row.get("connection")?, kind: row.get("kind")?, id, subject: None, clinic: row.get("clinic")? };
        let about = Records::load(conn, [hash]).await?.people(hash);
        Ok(Some(Found { of, key: keys.get(key_id)?.clone(), about }))
    }

    /// A record that is about to be there.
    async fn made(&self, conn: &mut SqliteConnection, desk: &mut Desk, new: &NewRecord) -> Result<Found, Error> {
        let owner = Owner::of_people(&new.connection, new.clinic.as_deref(), new.subject.into_iter().collect());
        let hash = desk.sealer.ring().owner_hash(&owner);
        let keys = desk.sealer.owners_now(conn, [(hash, (owner, self.now))].into()).await?;
        let key = keys.get(&hash).cloned().ok_or_else(|| Error::Inconsistent {
            table: "seal_keys",
            column: "wrapped",
            row: format!("{hash:?}"),
            why: "the owner has no key".into(),
        })?;
        Ok(Found { of: new.clone(), about: key.about().to_vec(), key })
    }
}
