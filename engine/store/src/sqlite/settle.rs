//! The ends of attempts: what [`zelo_core::settle`] decides, written with journal, local effects and emitted events, fenced
//! by the lease. And what must be on disk before an attempt ends.

use std::collections::{BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use zelo_core::decide::KeyRow;
use zelo_core::effect::{Document, Message, RecordEdit};
use zelo_core::job::Reason;
use zelo_core::settle::{Checkpoint, Checkpointed, LocalWrite, Report, Settled, Settlement, settle as decide};
use zelo_core::{Arrival, EffectResult, Job, JobId, JobState, JournalEntry, KeyHash, RecordRow, Stamp};

use super::bulk::{Rows, bytes, expect_rows, in_list};
use super::column::ms;
use super::jobs::{self, Ended, Kept, KeyOf};
use super::keys::Keys;
use super::load::{load_records, record_at};
use super::record::{Payload, SealedRecord, owned, put_records, record};
use super::steps;
use super::writer::{Desk, Write};
use crate::envelope::{self, DocumentHead, RecordBody};
use crate::seal::Place;
use crate::{Error, Outcome};

const INSERT_JOURNAL: Rows = Rows {
    doing: "store a journal",
    head: "INSERT OR FAIL INTO journal (job_id, seq, connection, clinic, kind, at, key_id, sealed) SELECT * FROM (VALUES",
    columns: 8,
    tail: ") WHERE column1 IS NOT NULL",
};

// No ON CONFLICT: the same effect twice is an error, and takes its whole settlement back.
const INSERT_MESSAGES: Rows = Rows {
    doing: "store messages",
    head: "INSERT OR FAIL INTO messages (job_id, effect, connection, clinic, channel, recipient, at, key_id, sealed) SELECT * FROM (VALUES",
    columns: 9,
    tail: ") WHERE column1 IS NOT NULL",
};

const INSERT_DOCUMENTS: Rows = Rows {
    doing: "store documents",
    head: "INSERT OR FAIL INTO documents (job_id, effect, connection, clinic, at, size, key_id, sealed, content) SELECT * FROM (VALUES",
    columns: 9,
    tail: ") WHERE column1 IS NOT NULL",
};

const COUNT: &str = "INSERT INTO counters (slot, connection, clinic, value, updated) VALUES (?1, ?2, ?3, 1, ?4) \
    ON CONFLICT (slot) DO UPDATE SET value = value + 1, updated = excluded.updated RETURNING value";

const PUT_STATE: Rows = Rows {
    doing: "store state",
    head: "INSERT OR FAIL INTO state (slot, connection, clinic, updated, key_id, sealed) SELECT * FROM (VALUES",
    columns: 6,
    tail: ") WHERE column1 IS NOT NULL ON CONFLICT (slot) DO UPDATE SET updated = excluded.updated, key_id = excluded.key_id, sealed = excluded.sealed",
};

const INSERT_ATTEMPTS: Rows = Rows {
    doing: "store what plugins said",
    head: "INSERT OR FAIL INTO attempts (job_id, attempt, connection, clinic, at, state, key_id, sealed) SELECT * FROM (VALUES",
    columns: 8,
    tail: ") WHERE column1 IS NOT NULL",
};

const DELETE_STATE: &str = in_list!("DELETE FROM state WHERE slot", "");

/// One job that settlements name, as it stands now.
struct Entry {
    kept: Kept,
    job: Job,
    changed: bool,
    ended: Option<Timestamp>,
    summary: Option<Vec<u8>>,
}

/// What a plugin said in an attempt.
struct Spoken<'a> {
    job: JobId,
    attempt: u32,
    state: JobState,
    report: &'a Report,
    at: Timestamp,
}

/// What is to be written besides jobs.
#[derive(Default)]
struct Effects<'a> {
    journal: Vec<(JobId, u32, &'a JournalEntry, Timestamp)>,
    messages: Vec<(JobId, u32, &'a str, &'a Message, Timestamp)>,
    documents: Vec<(JobId, u32, &'a Document, Timestamp)>,
    /// Record, edit, the event it is for, and when it is written.
    records: Vec<(JobId, KeyHash, &'a RecordEdit, Stamp, Timestamp)>,
    /// What was said, in which attempt, and what the job came to.
    reports: Vec<Spoken<'a>>,
    /// The last word on each slot.
    state: HashMap<KeyHash, (JobId, Option<&'a str>, Timestamp)>,
}

/// Stores `settlements` in order, inside the writer's transaction.
pub(crate) async fn settle(
    conn: &mut SqliteConnection,
    desk: &mut Desk,
    settlements: &[(Settlement, Timestamp)],
) -> Result<Vec<Outcome>, Error> {
    let loaded = jobs::by_ids(conn, settlements.iter().map(|(settlement, _)| settlement.job).collect()).await?;
    let under: HashSet<KeyHash> = loaded.iter().filter_map(|(_, job)| job.key).collect();
    let mut rows = jobs::keys(conn, bytes(&under)).await?;
    let keys = Keys::load(conn, desk.sealer.ring(), loaded.iter().map(|(kept, _)| kept.key_id).collect()).await?;
    let mut entries: HashMap<JobId, Entry> =
        loaded.into_iter().map(|(kept, job)| (job.id, Entry { kept, job, changed: false, ended: None, summary: None })).collect();

    let mut outcomes = Vec::with_capacity(settlements.len());
    let mut effects = Effects::default();
    let mut changed_keys = BTreeSet::new();
    // Of each settlement whose effects are kept: its place, and the events it emits.
    let mut emitted: Vec<(usize, &[Arrival])> = Vec::new();
    for (settlement, now) in settlements {
        desk.saw(*now);
        let Some(entry) = entries.get_mut(&settlement.job) else {
            outcomes.push(outcome(Settled::Stale));
            continue;
        };
        let row = entry.job.key.and_then(|key| rows.get(&key));
        let settled = decide(&entry.job, row, settlement, *now);
        if let Settled::Applied { job, key, keep_effects } = &settled {
            if let (Some(hash), Some(row)) = (entry.job.key, key) {
                rows.insert(hash, row.clone());
                changed_keys.insert(hash);
            }
            if !settlement.report.is_empty() {
                let state = job.state;
                effects.reports.push(Spoken { job: job.id, attempt: entry.job.attempt, state, report: &settlement.report, at: *now });
            }
            entry.job = Job::clone(job);
            entry.changed = true;
            entry.ended = (!job.state.is_live()).then_some(*now);
            if *keep_effects {
                effects.collect(settlement.job, &settlement.journal, &settlement.local, *now);
                emitted.push((outcomes.len(), &settlement.emitted));
                if let Some(summary) = settlement.report.summary.as_ref().filter(|_| entry.ended.is_some()) {
                    let key = keys.get(entry.kept.key_id)?;
                    entry.summary = Some(desk.sealer.ring().seal(key, summary_at(&settlement.job), &[summary.as_bytes()]));
                }
            }
        }
        outcomes.push(outcome(settled));
    }
    store(conn, &mut entries, &rows, changed_keys).await?;
    let written = effects.store(conn, desk, &entries, &keys).await?;
    let ended = entries.values().filter_map(|entry| steps::Ended::of(&entry.job, entry.ended?)).collect();
    let mut others = steps::follow(conn, ended).await?;
    others.extend(needless(conn, &entries, &rows).await?);
    others.extend(wake(conn, &written).await?);
    for (by, job) in others {
        let place = settlements.iter().rposition(|(settlement, _)| settlement.job == by);
        if let Some(outcome) = place.and_then(|place| outcomes.get_mut(place)) {
            outcome.others.push(job);
        }
    }
    emit(conn, desk, &emitted, &mut outcomes).await?;
    Ok(outcomes)
}

fn outcome(settled: Settled) -> Outcome {
    Outcome { settled, others: Vec::new(), emitted: Vec::new() }
}

/// Ends jobs that were made under the key of one that was then done after all, for the same time: it is not done twice.
async fn needless(
    conn: &mut SqliteConnection,
    entries: &HashMap<JobId, Entry>,
    rows: &HashMap<KeyHash, KeyRow>,
) -> Result<Vec<(JobId, Job)>, Error> {
    let done = entries.values().filter(|entry| entry.changed && entry.job.state == JobState::Done);
    let done: Vec<(&Job, JobId, Timestamp)> =
        done.filter_map(|entry| Some((&entry.job, rows.get(&entry.job.key?)?.live?, entry.ended?))).collect();
    let mut ended = Vec::new();
    for (kept, mut job) in jobs::by_ids(conn, done.iter().map(|(_, live, _)| *live).collect()).await? {
        let Some((first, _, at)) = done.iter().find(|(first, live, _)| *live == job.id && first.anchor == job.anchor) else { continue };
        if job.state == JobState::Running || job.attempt > 0 {
            continue;
        }
        job.state = JobState::Skipped;
        job.attention = None;
        job.reason = Some(Reason::new("already_done", "done before for this very time, and not done twice"));
        ended.push((first.id, (kept, job, *at)));
    }
    let mut others = Vec::new();
    for (first, change) in ended {
        others.push((first, change.1.clone()));
        others.extend(steps::write_back(conn, &[change]).await?.into_iter().map(|job| (first, job)));
    }
    Ok(others)
}

/// Has the jobs that read records which an action wrote looked at again. The jobs, each with who wrote.
async fn wake(conn: &mut SqliteConnection, written: &HashMap<KeyHash, (JobId, Timestamp)>) -> Result<Vec<(JobId, Job)>, Error> {
    let mut changes: Vec<(Kept, Job, Timestamp)> = Vec::new();
    let mut writers = Vec::new();
    for (record, kept, mut job) in jobs::reading(conn, bytes(written.keys())).await? {
        let Some((writer, at)) = written.get(&record) else { continue };
        if changes.iter().any(|(_, other, _)| other.id == job.id) {
            continue;
        }
        match job.state {
            JobState::Running => job.again = true,
            // Whether it is due is asked when it is looked at; one that has begun keeps its time.
            JobState::Scheduled if job.attempt == 0 && !job.waits() => job.run_at = *at,
            _ => continue,
        }
        writers.push(*writer);
        changes.push((kept, job, *at));
    }
    jobs::write_back(conn, &changes).await?;
    Ok(writers.into_iter().zip(changes.into_iter().map(|(_, job, _)| job)).collect())
}

/// Stores the events that settlements emitted, in order.
async fn emit(
    conn: &mut SqliteConnection,
    desk: &mut Desk,
    emitted: &[(usize, &[Arrival])],
    outcomes: &mut [Outcome],
) -> Result<(), Error> {
    let arrivals: Vec<Arrival> = emitted.iter().flat_map(|(_, arrivals)| arrivals.iter().cloned()).collect();
    if arrivals.is_empty() {
        return Ok(());
    }
    let mut payloads: Vec<Option<Payload>> = arrivals.iter().map(|_| None).collect();
    let places: Vec<usize> = emitted.iter().flat_map(|(place, arrivals)| vec![*place; arrivals.len()]).collect();
    let decisions = record(conn, desk, &arrivals, &mut payloads).await?;
    for (place, decision) in places.into_iter().zip(decisions) {
        if let Some(outcome) = outcomes.get_mut(place) {
            outcome.emitted.push(decision);
        }
    }
    Ok(())
}

/// Asks for a counter, with all that must be on disk beside it.
pub(crate) struct Check {
    pub checkpoint: Checkpoint,
    pub now: Timestamp,
}

#[async_trait]
impl Write for Check {
    type Answer = Checkpointed;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Checkpointed, Error> {
        desk.saw(self.now);
        let Checkpoint { job, lease, journal, local, emitted, counter: (slot, index, effect) } = &self.checkpoint;
        let Some((kept, job)) = jobs::by_ids(conn, vec![*job]).await?.pop() else { return Ok(Checkpointed::Stale) };
        if job.state != JobState::Running || job.lease != *lease {
            return Ok(Checkpointed::Stale);
        }
        if let Some(reason) = job.cancel {
            return Ok(Checkpointed::Cancelled(reason));
        }
        let value: i64 = sqlx::query_scalar(COUNT)
            .bind(slot.0.to_vec())
            .bind(&job.connection)
            .bind(&job.clinic)
            .bind(ms(self.now))
            .fetch_one(&mut *conn)
            .await
            .map_err(Error::database("count"))?;
        let counted = u64::try_from(value).map_err(|_| Error::Inconsistent {
            table: "counters",
            column: "value",
            row: format!("{slot:?}"),
            why: format!("{value} is no count"),
        })?;
        let entry = JournalEntry::Effect { effect: effect.clone(), result: EffectResult::Counted { value: counted } };
        let keys = Keys::load(conn, desk.sealer.ring(), vec![kept.key_id]).await?;
        let mut effects = Effects::default();
        effects.collect(job.id, journal, local, self.now);
        effects.journal.push((job.id, *index, &entry, self.now));
        let id = job.id;
        let entries = HashMap::from([(id, Entry { kept, job, changed: false, ended: None, summary: None })]);
        let written = effects.store(conn, desk, &entries, &keys).await?;
        wake(conn, &written).await?;
        emit(conn, desk, &[(0, emitted)], &mut []).await?;
        Ok(Checkpointed::Counted(counted))
    }
}

/// Writes jobs and their keys back.
async fn store(
    conn: &mut SqliteConnection,
    entries: &mut HashMap<JobId, Entry>,
    rows: &HashMap<KeyHash, KeyRow>,
    changed_keys: BTreeSet<KeyHash>,
) -> Result<(), Error> {
    let mut summaries: HashMap<JobId, Vec<u8>> =
        entries.iter_mut().filter_map(|(id, entry)| entry.summary.take().map(|summary| (*id, summary))).collect();
    let (mut update, mut end, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    let mut left = changed_keys;
    for entry in entries.values().filter(|entry| entry.changed) {
        let Entry { kept, job, .. } = entry;
        match entry.ended {
            Some(at) => end.push(Ended { kept: *kept, job, at, summary: summaries.remove(&job.id), was_live: true }),
            None => update.push((*kept, job)),
        }
        if let Some(key) = job.key.filter(|key| left.remove(key))
            && let Some(row) = rows.get(&key)
        {
            keys.push(KeyOf { key, row: row.clone(), connection: &job.connection, clinic: job.clinic.as_deref() });
        }
    }
    end.sort_by_key(|ended| ended.kept.seq);
    jobs::update(conn, update).await?;
    jobs::end(conn, end).await?;
    jobs::put_keys(conn, keys).await
}

impl<'a> Effects<'a> {
    fn collect(&mut self, job: JobId, journal: &'a [(u32, JournalEntry)], local: &'a [LocalWrite], now: Timestamp) {
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

    /// Writes all of it. The records that changed by it: who wrote them last, and when.
    async fn store(
        self,
        conn: &mut SqliteConnection,
        desk: &Desk,
        entries: &HashMap<JobId, Entry>,
        keys: &Keys,
    ) -> Result<HashMap<KeyHash, (JobId, Timestamp)>, Error> {
        self.store_journal(conn, desk, entries, keys).await?;
        self.store_messages(conn, desk, entries, keys).await?;
        self.store_documents(conn, desk, entries, keys).await?;
        self.store_reports(conn, desk, entries, keys).await?;
        self.store_state(conn, desk, entries, keys).await?;
        self.store_records(conn, desk, entries, keys).await
    }

    async fn store_journal(
        &self,
        conn: &mut SqliteConnection,
        desk: &Desk,
        entries: &HashMap<JobId, Entry>,
        keys: &Keys,
    ) -> Result<(), Error> {
        let mut rows = Vec::with_capacity(self.journal.len());
        for (id, place, entry, at) in &self.journal {
            let Some(Entry { job, kept, .. }) = entries.get(id) else { continue };
            let json = envelope::to_json(entry).map_err(|why| unwritable("journal", *id, why))?;
            let sealed = desk.sealer.ring().seal(keys.get(kept.key_id)?, journal_at(&numbered(*id, *place)), &[&json]);
            rows.push((job, kept.key_id, *place, kind(entry), ms(*at), sealed));
        }
        let wanted = rows.len();
        let touched = INSERT_JOURNAL
            .run(conn, rows, |query, (job, key, place, kind, at, sealed)| {
                query
                    .bind(job.id.bytes().to_vec())
                    .bind(place)
                    .bind(job.connection.as_str())
                    .bind(job.clinic.as_deref())
                    .bind(kind)
                    .bind(at)
                    .bind(key)
                    .bind(sealed)
            })
            .await?;
        expect_rows("journal", "store a journal", wanted, touched)
    }

    async fn store_messages(
        &self,
        conn: &mut SqliteConnection,
        desk: &Desk,
        entries: &HashMap<JobId, Entry>,
        keys: &Keys,
    ) -> Result<(), Error> {
        let mut rows = Vec::with_capacity(self.messages.len());
        for (id, index, channel, message, at) in &self.messages {
            let Some(Entry { job, kept, .. }) = entries.get(id) else { continue };
            let json = envelope::to_json(message).map_err(|why| unwritable("messages", *id, why))?;
            let sealed = desk.sealer.ring().seal(keys.get(kept.key_id)?, message_at(&numbered(*id, *index)), &[&json]);
            let recipient = desk.indexer.recipient(&job.connection, &message.to);
            rows.push((job, kept.key_id, *index, *channel, recipient, ms(*at), sealed));
        }
        let wanted = rows.len();
        let touched = INSERT_MESSAGES
            .run(conn, rows, |query, (job, key, index, channel, recipient, at, sealed)| {
                query
                    .bind(job.id.bytes().to_vec())
                    .bind(index)
                    .bind(job.connection.as_str())
                    .bind(job.clinic.as_deref())
                    .bind(channel)
                    .bind(recipient.0.to_vec())
                    .bind(at)
                    .bind(key)
                    .bind(sealed)
            })
            .await?;
        expect_rows("messages", "store messages", wanted, touched)
    }

    async fn store_documents(
        &self,
        conn: &mut SqliteConnection,
        desk: &Desk,
        entries: &HashMap<JobId, Entry>,
        keys: &Keys,
    ) -> Result<(), Error> {
        let mut rows = Vec::with_capacity(self.documents.len());
        for (id, index, document, at) in &self.documents {
            let Some(Entry { job, kept, .. }) = entries.get(id) else { continue };
            let head = DocumentHead {
                name: document.name.as_str().into(),
                media_type: document.media_type.as_str().into(),
                text: document.text.as_str().into(),
            };
            let head = envelope::to_json(&head).map_err(|why| unwritable("documents", *id, why))?;
            let (ring, key, row) = (desk.sealer.ring(), keys.get(kept.key_id)?, numbered(*id, *index));
            let sealed = ring.seal(key, document_at(&row, "sealed"), &[&head]);
            let content = ring.seal(key, document_at(&row, "content"), &[&document.content]);
            rows.push((job, kept.key_id, *index, ms(*at), document.content.len() as i64, sealed, content));
        }
        let wanted = rows.len();
        let touched = INSERT_DOCUMENTS
            .run(conn, rows, |query, (job, key, index, at, size, sealed, content)| {
                query
                    .bind(job.id.bytes().to_vec())
                    .bind(index)
                    .bind(job.connection.as_str())
                    .bind(job.clinic.as_deref())
                    .bind(at)
                    .bind(size)
                    .bind(key)
                    .bind(sealed)
                    .bind(content)
            })
            .await?;
        expect_rows("documents", "store documents", wanted, touched)
    }

    async fn store_reports(
        &self,
        conn: &mut SqliteConnection,
        desk: &Desk,
        entries: &HashMap<JobId, Entry>,
        keys: &Keys,
    ) -> Result<(), Error> {
        let mut rows = Vec::with_capacity(self.reports.len());
        for spoken in &self.reports {
            let Some(Entry { job, kept, .. }) = entries.get(&spoken.job) else { continue };
            let json = envelope::to_json(spoken.report).map_err(|why| unwritable("attempts", spoken.job, why))?;
            let sealed = desk.sealer.ring().seal(keys.get(kept.key_id)?, report_at(&numbered(spoken.job, spoken.attempt)), &[&json]);
            rows.push((job, kept.key_id, spoken, sealed));
        }
        let wanted = rows.len();
        let touched = INSERT_ATTEMPTS
            .run(conn, rows, |query, (job, key, spoken, sealed)| {
                query
                    .bind(job.id.bytes().to_vec())
                    .bind(spoken.attempt)
                    .bind(job.connection.as_str())
                    .bind(job.clinic.as_deref())
                    .bind(ms(spoken.at))
                    .bind(spoken.state.as_str())
                    .bind(key)
                    .bind(sealed)
            })
            .await?;
        expect_rows("attempts", "store what plugins said", wanted, touched)
    }

    async fn store_state(
        &self,
        conn: &mut SqliteConnection,
        desk: &Desk,
        entries: &HashMap<JobId, Entry>,
        keys: &Keys,
    ) -> Result<(), Error> {
        let mut rows = Vec::new();
        let mut gone: Vec<u8> = Vec::new();
        for (slot, (id, value, at)) in &self.state {
            let Some(Entry { job, kept, .. }) = entries.get(id) else { continue };
            let Some(value) = value else {
                gone.extend(slot.0);
                continue;
            };
            let sealed = desk.sealer.ring().seal(keys.get(kept.key_id)?, state_at(slot), &[value.as_bytes()]);
            rows.push((*slot, job, kept.key_id, ms(*at), sealed));
        }
        let wanted = rows.len();
        let touched = PUT_STATE
            .run(conn, rows, |query, (slot, job, key, at, sealed)| {
                query.bind(slot.0.to_vec()).bind(job.connection.as_str()).bind(job.clinic.as_deref()).bind(at).bind(key).bind(sealed)
            })
            .await?;
        expect_rows("state", "store state", wanted, touched)?;
        if !gone.is_empty() {
            sqlx::query(DELETE_STATE).bind(gone).execute(conn).await.map_err(Error::database("delete state"))?;
        }
        Ok(())
    }
}

impl Effects<'_> {
    /// Edits records in the order of the settlements.
    async fn store_records(
        &self,
        conn: &mut SqliteConnection,
        desk: &Desk,
        entries: &HashMap<JobId, Entry>,
        keys: &Keys,
    ) -> Result<HashMap<KeyHash, (JobId, Timestamp)>, Error> {
        let ring = desk.sealer.ring();
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
            let (Some(Entry { job, kept, .. }), Some(row)) = (entries.get(id), known.get(hash)) else { continue };
            let body = envelope::to_json(&RecordBody::of(&edit.id, row)).map_err(|why| unwritable("records", *id, why))?;
            // Whose it is was decided when it was first written.
            let owner = owned.get(hash);
            let key = owner.map_or_else(|| keys.get(kept.key_id), |owner| Ok(&owner.key))?;
            rows.push(SealedRecord {
                hash: *hash,
                connection: &job.connection,
                clinic: job.clinic.as_deref().or_else(|| owner?.clinic.as_deref()),
                kind: &edit.record,
                time: row.time,
                key_id: key.id(),
                sealed: ring.seal(key, record_at(hash), &[&body]),
            });
        }
        put_records(conn, rows).await?;
        Ok(last.into_iter().map(|(hash, (id, _, now))| (hash, (id, now))).collect())
    }
}

/// A word for a journal entry that may stand in the clear.
fn kind(entry: &JournalEntry) -> &'static str {
    match entry {
        JournalEntry::Invocation(_) => "invocation",
        JournalEntry::Effect { effect, .. } => effect.kind(),
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

/// Where the summary of an ended job stands.
pub(crate) fn summary_at(job: &JobId) -> Place<'_> {
    Place { table: "job_history", column: "summary", row: job.bytes() }
}

fn unwritable(table: &'static str, job: JobId, why: String) -> Error {
    Error::Inconsistent { table, column: "sealed", row: job.to_string(), why }
}
