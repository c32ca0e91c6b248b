//! What attempts did and said: their journals, messages, documents, records, state and reports, sealed and written.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use zelo_core::effect::{Document, Message, RecordEdit};
use zelo_core::settle::{LocalWrite, Report};
use zelo_core::{
    Actor, AuditEntry, AuditKind, Disclosure, Effect, EffectResult, Invocation, Job, JobId, JobState, JournalEntry, KeyHash, RecordRow,
    Stamp,
};

use super::budgets::{self, Sent};
use super::bulk::{Bound, Rows};
use super::column::ms;
use super::counts;
use super::interned::Interned;
use super::jobs::Kept;
use super::keys::Keys;
use super::load::{load_records, record_at};
use super::others::{Others, Records};
use super::record::{SealedRecord, owned, put_records};
use super::trip::{Pipeline, Trip};
use super::writer::Desk;
use crate::envelope::{self, DocumentHead, RecordBody};
use crate::seal::{DataKey, Place};
use crate::{Counted, Error};

const INSERT_JOURNAL: Rows = Rows {
    doing: "store a journal",
    head: "INSERT OR FAIL INTO journal (job_id, seq, connection, clinic, kind, at, key_id, sealed) SELECT * FROM (VALUES",
    columns: 8,
    // What had begun gets its end; any other entry stands for good, and writing over it takes its whole settlement back.
    tail: ") WHERE column1 IS NOT NULL ON CONFLICT (job_id, seq) DO UPDATE SET kind = excluded.kind, at = excluded.at, key_id = excluded.key_id, sealed = excluded.sealed WHERE journal.kind = 'begun'",
};

// No ON CONFLICT: the same effect twice is an error, and takes its whole settlement back.
const INSERT_MESSAGES: Rows = Rows {
    doing: "store messages",
    head: "INSERT OR FAIL INTO messages (job_id, effect, connection, clinic, channel, recipient, at, key_id, sealed, action) SELECT * FROM (VALUES",
    columns: 10,
    tail: ") WHERE column1 IS NOT NULL",
};

const INSERT_DOCUMENTS: Rows = Rows {
    doing: "store documents",
    head: "INSERT OR FAIL INTO documents (job_id, effect, connection, clinic, at, size, key_id, sealed, content, action) SELECT * FROM (VALUES",
    columns: 10,
    tail: ") WHERE column1 IS NOT NULL",
};

const PUT_STATE: Rows = Rows {
    doing: "store state",
    head: "INSERT OR FAIL INTO state (slot, connection, clinic, updated, key_id, sealed, action) SELECT * FROM (VALUES",
    columns: 7,
    tail: ") WHERE column1 IS NOT NULL ON CONFLICT (slot) DO UPDATE SET updated = excluded.updated, key_id = excluded.key_id, sealed = excluded.sealed, action = excluded.action",
};

const INSERT_ATTEMPTS: Rows = Rows {
    doing: "store what plugins said",
    head: "INSERT OR FAIL INTO attempts (job_id, attempt, connection, clinic, at, state, key_id, sealed) SELECT * FROM (VALUES",
    columns: 8,
    tail: ") WHERE column1 IS NOT NULL",
};

const DELETE_STATE: Rows = Rows { doing: "delete state", head: "DELETE FROM state WHERE slot IN (VALUES", columns: 1, tail: ")" };

// Whatever an action reads of its own state may stand in what it writes there.
const PUT_STATE_ABOUT: Rows = Rows {
    doing: "say whose data came into state",
    head: "INSERT OR IGNORE INTO state_about (slot, key_id) SELECT * FROM (VALUES",
    columns: 2,
    tail: ") WHERE column1 IS NOT NULL",
};

const PUT_RECORD_ABOUT: Rows = Rows {
    doing: "say whose data came into records",
    head: "INSERT OR IGNORE INTO record_about (record, key_id) SELECT * FROM (VALUES",
    columns: 2,
    tail: ") WHERE column1 IS NOT NULL",
};

const DELETE_STATE_ABOUT: Rows =
    Rows { doing: "delete state", head: "DELETE FROM state_about WHERE slot IN (VALUES", columns: 1, tail: ")" };

/// What a plugin said in an attempt.
pub(crate) struct Spoken<'a> {
    pub job: JobId,
    pub attempt: u32,
    pub state: JobState,
    pub report: &'a Report,
    pub at: Timestamp,
}

/// What is to be written besides jobs.
#[derive(Default)]
pub(crate) struct Effects<'a> {
    pub journal: Vec<(JobId, u32, &'a JournalEntry, Timestamp)>,
    /// What has to be answered for, whatever becomes of the rest.
    answered_for: Vec<(JobId, AuditKind, Timestamp, Value)>,
    messages: Vec<(JobId, u32, &'a str, &'a Message, Timestamp)>,
    documents: Vec<(JobId, u32, &'a Document, Timestamp)>,
    /// Record, edit, the event it is for, and when it is written.
    records: Vec<(JobId, KeyHash, &'a RecordEdit, Stamp, Timestamp)>,
    /// What was said, in which attempt, and what the job came to.
    pub reports: Vec<Spoken<'a>>,
    /// The last word on each slot.
    state: HashMap<KeyHash, (JobId, Option<&'a str>, Timestamp)>,
}

/// What came of writing effects.
pub(crate) struct Stored {
    /// Whose data the jobs have.
    pub others: Others,
    /// The records that changed: who wrote them last, and when.
    pub records: HashMap<KeyHash, (JobId, Timestamp)>,
    /// For the audit log.
    pub audit: Vec<AuditEntry>,
}

/// The jobs whose effects are written, with the keys that seal all that comes of them.
pub(crate) struct Within<'a> {
    pub desk: &'a Desk,
    pub keys: &'a Keys,
    pub jobs: HashMap<JobId, (Kept, &'a Job)>,
    /// The records that the plugins of the jobs were shown, and whose they are.
    pub shown: HashMap<JobId, Vec<KeyHash>>,
    pub records: Records,
}

/// A job with its key.
#[derive(Clone, Copy)]
struct Of<'a> {
    job: &'a Job,
    key: &'a Arc<DataKey>,
}

impl<'a> Within<'a> {
    fn of(&self, id: JobId) -> Result<Of<'a>, Error> {
        let missing = || unwritable("jobs", id, "its effects were collected, but not the job".into());
        let (kept, job) = self.jobs.get(&id).ok_or_else(missing)?;
        Ok(Of { job, key: self.keys.get(kept.key_id)? })
    }

    /// `value` as JSON, sealed under the key of its job.
    fn seal(&self, of: Of<'_>, place: Place<'_>, value: &impl Serialize) -> Result<Vec<u8>, Error> {
        let json = envelope::to_json(value).map_err(|why| unwritable(place.table, of.job.id, why))?;
        Ok(self.desk.sealer.ring().seal(of.key, place, &[&json]))
    }
}

impl<'a> Effects<'a> {
    /// Adds what one attempt did.
    pub(crate) fn collect(&mut self, job: JobId, journal: &'a [(u32, JournalEntry)], local: &'a [LocalWrite], now: Timestamp) {
        self.collect_seen(job, journal, now);
        let done: Vec<Value> = journal.iter().filter_map(|(place, entry)| done(*place, entry)).collect();
        if !done.is_empty() {
            self.answered_for.push((job, AuditKind::Done, now, json!({ "effects": done })));
        }
        self.journal.extend(journal.iter().map(|(place, entry)| (job, *place, entry, now)));
        for write in local {
            match write {
                LocalWrite::Message { index, channel, message } => self.messages.push((job, *index, channel, message, now)),
                LocalWrite::Document { index, document } => self.documents.push((job, *index, document, now)),
                LocalWrite::State { slot, value } => drop(self.state.insert(*slot, (job, value.as_deref(), now))),
                LocalWrite::Record { hash, stamp, edit } => self.records.push((job, *hash, edit, *stamp, now)),
            }
        }
    }

    /// Adds what one attempt was shown and refused, and nothing else of it.
    pub(crate) fn collect_seen(&mut self, job: JobId, journal: &[(u32, JournalEntry)], now: Timestamp) {
        for (place, entry) in journal {
            match entry {
                JournalEntry::Invocation(invocation) => self.disclosed(job, invocation, now),
                JournalEntry::Effect { effect, result: EffectResult::Refused { .. } } => {
                    self.answered_for.push((job, AuditKind::Refused, now, json!({ "entry": place, "effect": effect.kind() })));
                }
                JournalEntry::Effect { .. } | JournalEntry::Begun { .. } => {}
            }
        }
    }

    /// Adds that a plugin was shown what `invocation` says.
    pub(crate) fn disclosed(&mut self, job: JobId, invocation: &Invocation, now: Timestamp) {
        let Disclosure { plugin, fields, purpose, basis } = &invocation.disclosure;
        let (digest, event) = (&invocation.plugin_digest, &invocation.event);
        let detail = json!({
            "event": event.id, "type": event.kind, "plugin": plugin, "digest": digest, "fields": fields, "purpose": purpose, "basis": basis,
        });
        self.answered_for.push((job, AuditKind::Disclosed, now, detail));
    }

    /// Writes all of it, and has it answered for; `others` is whose data the jobs had before.
    pub(crate) async fn store(self, pipe: &mut Pipeline<'_>, within: &Within<'_>, mut others: Others) -> Result<Stored, Error> {
        within.records.note(pipe, &mut others, within.keys, &within.jobs, &within.shown).await?;
        let audit = self.audit(within, &others)?;
        let trip = pipe.later();
        self.journal(trip, within)?;
        let mut counted = self.messages(trip, within)?;
        counted.extend(self.documents(trip, within)?);
        self.reports(trip, within)?;
        counts::add(trip, counted);
        self.store_state(trip, within, &others)?;
        Ok(Stored { records: self.store_records(pipe, within, &others).await?, audit, others })
    }

    /// What the audit log says of it, in the order in which it happened.
    fn audit(&self, within: &Within<'_>, others: &Others) -> Result<Vec<AuditEntry>, Error> {
        let entry = |(id, kind, at, detail): &(JobId, AuditKind, Timestamp, Value)| {
            let of = within.of(*id)?;
            let mut detail = detail.clone();
            detail["rule"] = of.job.rule.as_str().into();
            detail["action"] = of.job.action.as_str().into();
            Ok(AuditEntry {
                connection: Some(of.job.connection.clone()),
                clinic: of.job.clinic.clone(),
                about: others.people(*id, of.key.about()),
                job: Some(*id),
                ..AuditEntry::new(*at, *kind, Actor::engine(), &detail)
            })
        };
        self.answered_for.iter().map(entry).collect()
    }

    fn journal(&self, trip: &mut Trip, within: &Within<'_>) -> Result<(), Error> {
        let mut rows = Vec::with_capacity(self.journal.len());
        for (id, place, entry, at) in &self.journal {
            let of = within.of(*id)?;
            rows.push((of, *place, kind(entry), ms(*at), within.seal(of, journal_at(&numbered(*id, *place)), entry)?));
        }
        trip.add_all("journal", &INSERT_JOURNAL, rows, |query, (of, place, kind, at, sealed)| {
            of_job(query, of.job, place).bind(Interned(kind)).bind(at).bind(of.key.id()).bind(sealed)
        });
        Ok(())
    }

    fn messages<'w>(&'w self, trip: &mut Trip, within: &'w Within<'_>) -> Result<Vec<counts::One<'w>>, Error> {
        let mut rows = Vec::with_capacity(self.messages.len());
        let mut sent = Vec::with_capacity(self.messages.len());
        let mut counted = Vec::with_capacity(self.messages.len());
        for (id, index, channel, message, at) in &self.messages {
            let of = within.of(*id)?;
            let contact = within.desk.indexer.contact(&of.job.connection, &message.to);
            counted.push((*at, of.job.connection.as_str(), of.job.clinic.as_deref(), Counted::Message));
            sent.push(Sent { job: of.job, effect: *index, contact, at: *at });
            let sealed = within.seal(of, message_at(&numbered(*id, *index)), message)?;
            let recipient = within.desk.indexer.recipient(&of.job.connection, &message.to);
            rows.push((of, *index, *channel, recipient, ms(*at), sealed));
        }
        trip.add_all("messages", &INSERT_MESSAGES, rows, |query, (of, index, channel, recipient, at, sealed)| {
            of_job(query, of.job, index)
                .bind(Interned(channel))
                .bind(recipient.0.to_vec())
                .bind(at)
                .bind(of.key.id())
                .bind(sealed)
                .bind(Interned(&action(of.job)))
        });
        budgets::count(trip, sent);
        Ok(counted)
    }

    fn documents<'w>(&'w self, trip: &mut Trip, within: &'w Within<'_>) -> Result<Vec<counts::One<'w>>, Error> {
        let mut rows = Vec::with_capacity(self.documents.len());
        let mut counted = Vec::with_capacity(self.documents.len());
        for (id, index, document, at) in &self.documents {
            let (of, row) = (within.of(*id)?, numbered(*id, *index));
            counted.push((*at, of.job.connection.as_str(), of.job.clinic.as_deref(), Counted::Document));
            let head = DocumentHead {
                name: document.name.as_str().into(),
                media_type: document.media_type.as_str().into(),
                text: document.text.as_str().into(),
            };
            let sealed = within.seal(of, document_at(&row, "sealed"), &head)?;
            let content = within.desk.sealer.ring().seal(of.key, document_at(&row, "content"), &[&document.content]);
            rows.push((of, *index, ms(*at), document.content.len() as i64, sealed, content));
        }
        trip.add_all("documents", &INSERT_DOCUMENTS, rows, |query, (of, index, at, size, sealed, content)| {
            of_job(query, of.job, index).bind(at).bind(size).bind(of.key.id()).bind(sealed).bind(content).bind(Interned(&action(of.job)))
        });
        Ok(counted)
    }

    fn reports(&self, trip: &mut Trip, within: &Within<'_>) -> Result<(), Error> {
        let mut rows = Vec::with_capacity(self.reports.len());
        for spoken in &self.reports {
            let of = within.of(spoken.job)?;
            rows.push((of, spoken, within.seal(of, report_at(&numbered(spoken.job, spoken.attempt)), spoken.report)?));
        }
        trip.add_all("attempts", &INSERT_ATTEMPTS, rows, |query, (of, spoken, sealed)| {
            of_job(query, of.job, spoken.attempt).bind(ms(spoken.at)).bind(Interned(spoken.state.as_str())).bind(of.key.id()).bind(sealed)
        });
        Ok(())
    }

    fn store_state(&self, trip: &mut Trip, within: &Within<'_>, others: &Others) -> Result<(), Error> {
        let mut rows = Vec::new();
        let mut gone: Vec<KeyHash> = Vec::new();
        for (slot, (id, value, at)) in &self.state {
            let of = within.of(*id)?;
            match value {
                Some(value) => {
                    let sealed = within.desk.sealer.ring().seal(of.key, state_at(slot), &[value.as_bytes()]);
                    rows.push((*slot, of, ms(*at), sealed));
                }
                None => gone.push(*slot),
            }
        }
        let about: Vec<(KeyHash, i64)> =
            rows.iter().flat_map(|(slot, of, ..)| keys_of(*of, others).into_iter().map(|key| (*slot, key))).collect();
        trip.add_all("state", &PUT_STATE, rows, |query, (slot, of, at, sealed)| {
            query
                .bind(slot.0.to_vec())
                .bind(Interned(&of.job.connection))
                .bind(of.job.clinic.as_deref().map(Interned))
                .bind(at)
                .bind(of.key.id())
                .bind(sealed)
                .bind(Interned(&action(of.job)))
        });
        trip.add(&PUT_STATE_ABOUT, about, |query, (slot, key)| query.bind(slot.0.to_vec()).bind(key));
        for delete in [&DELETE_STATE, &DELETE_STATE_ABOUT] {
            trip.add(delete, gone.clone(), |query, slot| query.bind(slot.0.to_vec()));
        }
        Ok(())
    }

    /// Edits records in the order of the settlements.
    async fn store_records(
        &self,
        pipe: &mut Pipeline<'_>,
        within: &Within<'_>,
        others: &Others,
    ) -> Result<HashMap<KeyHash, (JobId, Timestamp)>, Error> {
        if self.records.is_empty() {
            return Ok(HashMap::new());
        }
        let conn = pipe.now().await?;
        let ring = within.desk.sealer.ring();
        let hashes: HashSet<KeyHash> = self.records.iter().map(|(_, hash, ..)| *hash).collect();
        let mut known = load_records(conn, ring, &hashes).await?;
        let mut last = HashMap::new();
        for (id, hash, edit, stamp, now) in &self.records {
            let row = RecordRow::edited(known.get(hash), edit, *stamp);
            known.insert(*hash, row);
            last.insert(*hash, (*id, *edit, *now));
        }
        let owned = owned(conn, ring, &hashes).await?;
        let mut rows = Vec::with_capacity(last.len());
        // In order, so that "last written" does not depend on chance.
        let mut written: Vec<_> = last.iter().collect();
        written.sort_by_key(|(hash, (_, _, now))| (*now, **hash));
        for (hash, (id, edit, _)) in written {
            let (of, Some(row)) = (within.of(*id)?, known.get(hash)) else { continue };
            // Whose it is was decided when it was first written.
            let owner = owned.get(hash);
            let of = Of { key: owner.map_or(of.key, |owner| &owner.key), ..of };
            rows.push(SealedRecord {
                hash: *hash,
                connection: &of.job.connection,
                clinic: of.job.clinic.as_deref().or_else(|| owner?.clinic.as_deref()),
                kind: &edit.record,
                time: row.time,
                key_id: of.key.id(),
                sealed: within.seal(of, record_at(hash), &RecordBody::of(&edit.id, row))?,
            });
        }
        put_records(pipe.later(), rows);
        let mut about: Vec<(KeyHash, i64)> = Vec::new();
        for (id, hash, ..) in &self.records {
            let of = within.of(*id)?;
            // Under the key of whom it was first about, it may have what is of somebody else by now.
            let owner = owned.get(hash).map_or(of.key.id(), |owner| owner.key.id());
            about.extend(keys_of(of, others).into_iter().filter(|key| *key != owner).map(|key| (*hash, key)));
        }
        pipe.later().add(&PUT_RECORD_ABOUT, about, |query, (hash, key)| query.bind(hash.0.to_vec()).bind(key));
        Ok(last.into_iter().map(|(hash, (id, _, now))| (hash, (id, now))).collect())
    }
}

/// The keys of people whose data a job has.
fn keys_of(of: Of<'_>, others: &Others) -> Vec<i64> {
    let own = (!of.key.about().is_empty()).then(|| of.key.id());
    own.into_iter().chain(others.keys(of.job.id)).collect()
}

/// What the audit log says of an effect: where it went, and no value of anybody's. Nothing of what was refused, which is said apart.
fn done(place: u32, entry: &JournalEntry) -> Option<Value> {
    let (effect, result) = match entry {
        JournalEntry::Effect { result: EffectResult::Refused { .. }, .. } | JournalEntry::Invocation(_) => return None,
        JournalEntry::Effect { effect, result } => (effect, Some(result)),
        JournalEntry::Begun { effect, .. } => (effect, None),
    };
    let mut said = json!({ "entry": place, "effect": effect.kind() });
    if result.is_none() {
        said["begun"] = true.into();
    }
    match effect {
        // Neither path nor query: they can name somebody.
        Effect::Http(request) => said["to"] = format!("{} {}", request.method.as_str(), request.url.origin()).into(),
        Effect::Message(_) => {
            if let Some(EffectResult::Sent { channel, .. }) = result {
                said["to"] = channel.as_str().into();
            }
        }
        // Of a document its maker's own words would be all there is to say.
        Effect::Document(_) => {}
        Effect::RecordGet { record, .. } => {
            said["record"] = record.as_str().into();
            if let Some(EffectResult::Record { fields: Some(fields) }) = result {
                said["fields"] = fields.keys().cloned().collect::<Vec<_>>().into();
            }
        }
        Effect::RecordEdit(edit) => {
            said["record"] = edit.record.as_str().into();
            said["fields"] = edit.set.keys().chain(edit.append.keys()).cloned().collect::<Vec<_>>().into();
        }
        Effect::Event(emitted) => said["type"] = emitted.kind.as_str().into(),
        Effect::StateNext { .. } | Effect::StateGet { .. } | Effect::StateSet { .. } | Effect::StateDelete { .. } => {}
    }
    Some(said)
}

/// The columns that all tables begin with whose rows are numbered within a job.
pub(crate) fn of_job(query: Bound, job: &Job, number: u32) -> Bound {
    query.bind(job.id.bytes().to_vec()).bind(number).bind(Interned(&job.connection)).bind(job.clinic.as_deref().map(Interned))
}

/// Of which action what comes of a job is.
fn action(job: &Job) -> String {
    format!("{}/{}", job.rule, job.action)
}

/// A word for a journal entry that may stand in the clear.
fn kind(entry: &JournalEntry) -> &'static str {
    match entry {
        JournalEntry::Invocation(_) => "invocation",
        JournalEntry::Effect { effect, .. } => effect.kind(),
        JournalEntry::Begun { .. } => "begun",
    }
}

/// The row of something numbered within a job.
pub(crate) fn numbered(job: JobId, number: u32) -> [u8; 20] {
    let mut row = [0; 20];
    row[..16].copy_from_slice(job.bytes());
    row[16..].copy_from_slice(&number.to_le_bytes());
    row
}

/// Where a journal entry stands.
pub(crate) fn journal_at(row: &[u8; 20]) -> Place<'_> {
    Place { table: "journal", column: "sealed", row }
}

/// Where a message stands.
pub(crate) fn message_at(row: &[u8; 20]) -> Place<'_> {
    Place { table: "messages", column: "sealed", row }
}

/// Where a column of a document stands.
pub(crate) fn document_at<'a>(row: &'a [u8; 20], column: &'static str) -> Place<'a> {
    Place { table: "documents", column, row }
}

/// Where the report of an attempt stands.
pub(crate) fn report_at(row: &[u8; 20]) -> Place<'_> {
    Place { table: "attempts", column: "sealed", row }
}

/// Where a value of an action's state stands.
pub(crate) fn state_at(slot: &KeyHash) -> Place<'_> {
    Place { table: "state", column: "sealed", row: &slot.0 }
}

fn unwritable(table: &'static str, job: JobId, why: String) -> Error {
    Error::Inconsistent { table, column: "sealed", row: job.to_string(), why }
}
