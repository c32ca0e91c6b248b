//! What people and programs look at: jobs, journals, messages, records, state.

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::{JobId, JobState, JournalEntry, KeyHash, Pseudonym, RecordRow};

use super::bulk::integers;
use super::claim::journals;
use super::column::{Columns, clinics, of_clinics};
use super::effects::{document_at, message_at, numbered, report_at, state_at};
use super::jobs::{self, job_columns};
use super::keys::Keys;
use super::load::{load_records, open_record};
use super::others::{Others, Records};
use super::reader::{ReadConnection, Reader};
use super::settle::summary_at;
use super::together::Question;
use super::waiting::wait;
use crate::envelope::{self, DocumentHead};
use crate::seal::Keyring;
use crate::{AttemptView, DocumentView, Error, JobView, MessageView, Page, RecordView, effect_id};

const JOB: &str = concat!(
    "SELECT ",
    job_columns!(),
    ", parked, NULL AS ended, NULL AS summary FROM jobs WHERE job_id = ?1 UNION ALL SELECT ",
    job_columns!(),
    ", NULL AS parked, ended, summary FROM job_history WHERE job_id = ?1"
);

const ATTEMPTS: &str = "SELECT attempt_id, attempt, at, state, key_id, sealed FROM attempts WHERE job_id = ?1 ORDER BY attempt_id";

// Each half stops at the limit by itself, newest first along its primary key.
const JOBS: &str = concat!(
    "SELECT * FROM (SELECT ",
    job_columns!(),
    ", parked, NULL AS ended, NULL AS summary FROM jobs WHERE seq < ?1 AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) AND ",
    of_clinics!(),
    " \
     AND (?5 IS NULL OR state = ?5) ORDER BY seq DESC LIMIT ?4) UNION ALL SELECT * FROM (SELECT ",
    job_columns!(),
    ", NULL AS parked, ended, summary FROM job_history WHERE seq < ?1 AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) AND ",
    of_clinics!(),
    " \
     AND (?5 IS NULL OR state = ?5) ORDER BY seq DESC LIMIT ?4) ORDER BY seq DESC LIMIT ?4"
);

const JOBS_AT: &str = concat!(
    "SELECT ",
    job_columns!(),
    ", parked, NULL AS ended, NULL AS summary FROM jobs WHERE seq IN (SELECT value FROM json_each(?1)) UNION ALL SELECT ",
    job_columns!(),
    ", NULL AS parked, ended, summary FROM job_history WHERE seq IN (SELECT value FROM json_each(?1)) ORDER BY seq DESC"
);

const ATTENTION: &str = concat!(
    "SELECT ",
    job_columns!(),
    ", parked, NULL AS ended, NULL AS summary FROM jobs WHERE attention IS NOT NULL AND seq < ?1 AND (?2 IS NULL OR connection = ?2) \
     AND (?3 IS NULL OR clinic = ?3) AND ",
    of_clinics!(),
    " ORDER BY seq DESC LIMIT ?4"
);

const MESSAGES: &str = concat!(
    "SELECT seq, job_id, effect, connection, clinic, channel, at, key_id, sealed, action FROM messages WHERE seq < ?1 \
    AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) AND ",
    of_clinics!(),
    " ORDER BY seq DESC LIMIT ?4"
);

const RECORDS: &str = concat!(
    "SELECT written, record, connection, clinic, kind, time, key_id, sealed FROM records WHERE written < ?1 \
    AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) AND ",
    of_clinics!(),
    " AND (?5 IS NULL OR kind = ?5) ORDER BY written DESC LIMIT ?4"
);

const DOCUMENTS: &str = concat!(
    "SELECT seq, job_id, effect, connection, clinic, at, size, key_id, sealed, action FROM documents WHERE seq < ?1 \
    AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) AND ",
    of_clinics!(),
    " ORDER BY seq DESC LIMIT ?4"
);

const DOCUMENT: &str = "SELECT seq, job_id, effect, connection, clinic, at, size, key_id, sealed, content, action FROM documents WHERE job_id = ?1 AND effect = ?2";

const RECORDS_OF: &str = "SELECT written, record, connection, clinic, kind, time, key_id, sealed FROM records \
    WHERE key_id IN (SELECT value FROM json_each(?1)) ORDER BY written";

/// What came of an event of theirs; not what came of somebody else's event in which they only have a part.
macro_rules! of_theirs {
    ($table:literal) => {
        concat!(
            "key_id IN (SELECT value FROM json_each(?1)) AND (key_id IN (SELECT key_id FROM seal_keys WHERE about = ?2) OR EXISTS (SELECT 1 \
             FROM (SELECT event_id FROM jobs WHERE job_id = ",
            $table,
            ".job_id UNION ALL SELECT event_id FROM job_history WHERE job_id = ",
            $table,
            ".job_id) j JOIN events e ON e.event_id = j.event_id JOIN event_parts p ON p.part_id = e.seq * 256 \
             WHERE p.key_id IN (SELECT value FROM json_each(?1)))) ORDER BY seq"
        )
    };
}

const MESSAGES_OF: &str = concat!(
    "SELECT seq, job_id, effect, connection, clinic, channel, at, key_id, sealed, action FROM messages WHERE ",
    of_theirs!("messages")
);

const DOCUMENTS_OF: &str = concat!(
    "SELECT seq, job_id, effect, connection, clinic, at, size, key_id, sealed, content, action FROM documents WHERE ",
    of_theirs!("documents")
);

const STATE: &str = "SELECT slot, key_id, sealed FROM state WHERE slot = ?1";

/// One job.
pub(crate) async fn job(reader: Reader, id: JobId) -> Result<Option<JobView>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(JOB).bind(id.bytes().to_vec()).fetch_all(&mut *conn).await.map_err(Error::database("read a job"))?;
    Ok(job_views(&mut conn, &reader, &rows).await?.pop())
}

/// A page of jobs.
pub(crate) async fn jobs(reader: Reader, page: Page, state: Option<JobState>) -> Result<Vec<JobView>, Error> {
    let mut conn = reader.conn().await?;
    let rows = fetch_page(&mut conn, "read jobs", JOBS, page, state.map(JobState::as_str)).await?;
    job_views(&mut conn, &reader, &rows).await
}

/// A page of the jobs that wait for a person.
pub(crate) async fn attention(reader: Reader, page: Page) -> Result<Vec<JobView>, Error> {
    let mut conn = reader.conn().await?;
    let rows = fetch_page(&mut conn, "read the jobs that need attention", ATTENTION, page, None).await?;
    let mut views = job_views(&mut conn, &reader, &rows).await?;
    for view in &mut views {
        // What is missing may be known to the plugin alone.
        view.summary = said(&mut conn, &reader, view.job.id).await?.pop().and_then(|attempt| attempt.report.summary);
    }
    Ok(views)
}

/// The jobs at some places, newest first.
pub(crate) async fn jobs_at(conn: &mut ReadConnection, reader: &Reader, seqs: Vec<i64>) -> Result<Vec<JobView>, Error> {
    let rows = sqlx::query(JOBS_AT).bind(integers(seqs)).fetch_all(&mut **conn).await.map_err(Error::database("read jobs"))?;
    job_views(conn, reader, &rows).await
}

pub(super) async fn job_views(conn: &mut ReadConnection, reader: &Reader, rows: &[SqliteRow]) -> Result<Vec<JobView>, Error> {
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "job_history", "seq")).collect();
    let sealed: Vec<_> =
        rows.iter().map(|row| Ok((row.get::<Option<&[u8]>>("summary")?, jobs::kept(row)?))).collect::<Result<_, Error>>()?;
    let ids = sealed.iter().map(|(_, kept)| kept.key_id).collect();
    let keys = Keys::load(conn, &reader.ring, ids).await?;
    let others = Others::load(conn, rows.iter().map(|row| row.job_id("job_id")).collect::<Result<Vec<_>, _>>()?).await?;
    rows.iter()
        .zip(sealed)
        .map(|(row, (summary, kept))| {
            let job = jobs::job(row)?;
            let summary = summary.map(|sealed| keys.open(kept.key_id, summary_at(&job.id), sealed)).transpose()?;
            let summary = summary.map(|plain| text(row, "summary", &plain)).transpose()?;
            let about = others.people(job.id, &keys.about(kept.key_id));
            let waits = row.get::<Option<&str>>("parked")?.map(wait);
            Ok(JobView { cursor: kept.seq, about, job, waits, summary, ended: row.opt_time("ended")? })
        })
        .collect()
}

/// The journal of a job.
pub(crate) async fn journal(reader: Reader, job: JobId) -> Result<Vec<JournalEntry>, Error> {
    let mut conn = reader.conn().await?;
    journals(&mut conn, &reader.ring, vec![job]).await?.remove(&job).unwrap_or_else(|| Ok(Vec::new()))
}

/// What was said in the attempts of a job.
pub(crate) async fn attempts(reader: Reader, job: JobId) -> Result<Vec<AttemptView>, Error> {
    let mut conn = reader.conn().await?;
    said(&mut conn, &reader, job).await
}

async fn said(conn: &mut ReadConnection, reader: &Reader, job: JobId) -> Result<Vec<AttemptView>, Error> {
    let rows =
        sqlx::query(ATTEMPTS).bind(job.bytes().to_vec()).fetch_all(&mut **conn).await.map_err(Error::database("read what plugins said"))?;
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "attempts", "attempt_id")).collect();
    let keys = load_keys(conn, reader, &rows).await?;
    rows.iter()
        .map(|row| {
            let attempt = row.small("attempt")?;
            let plain = keys.open(row.get("key_id")?, report_at(&numbered(job, attempt)), row.get("sealed")?)?;
            let report = envelope::from_json(&plain).map_err(|why| row.damaged("sealed", why))?;
            Ok(AttemptView { attempt, at: row.time("at")?, state: row.word("state", JobState::parse)?, report })
        })
        .collect()
}

/// A page of messages.
pub(crate) async fn messages(reader: Reader, page: Page) -> Result<Vec<MessageView>, Error> {
    let mut conn = reader.conn().await?;
    let rows = fetch_page(&mut conn, "read messages", MESSAGES, page, None).await?;
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "messages", "seq")).collect();
    let whose = Whose::of_jobs(&mut conn, &reader, &rows).await?;
    rows.iter().map(|row| message_view(row, &whose)).collect()
}

/// A page of documents.
pub(crate) async fn documents(reader: Reader, page: Page) -> Result<Vec<DocumentView>, Error> {
    let mut conn = reader.conn().await?;
    let rows = fetch_page(&mut conn, "read documents", DOCUMENTS, page, None).await?;
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "documents", "seq")).collect();
    let whose = Whose::of_jobs(&mut conn, &reader, &rows).await?;
    rows.iter().map(|row| document_view(row, &whose)).collect()
}

/// One document with its content.
pub(crate) async fn document(reader: Reader, job: JobId, index: u32) -> Result<Option<(DocumentView, Vec<u8>)>, Error> {
    let mut conn = reader.conn().await?;
    let row = sqlx::query(DOCUMENT).bind(job.bytes().to_vec()).bind(index).fetch_optional(&mut *conn).await;
    let Some(row) = row.map_err(Error::database("read a document"))? else { return Ok(None) };
    let row = Columns::new(&row, "documents", "seq");
    let whose = Whose::of_jobs(&mut conn, &reader, &[row]).await?;
    let content = whose.keys.open(row.get("key_id")?, document_at(&numbered(job, index), "content"), row.get("content")?)?;
    Ok(Some((document_view(&row, &whose)?, content.to_vec())))
}

/// Whose data rows have, and the keys that open them.
pub(crate) struct Whose {
    keys: Keys,
    others: Others,
}

impl Whose {
    /// Of what came of jobs.
    pub(crate) async fn of_jobs(conn: &mut ReadConnection, reader: &Reader, rows: &[Columns<'_>]) -> Result<Self, Error> {
        let jobs = rows.iter().map(|row| row.job_id("job_id")).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { keys: load_keys(conn, reader, rows).await?, others: Others::load(conn, jobs).await? })
    }

    fn about(&self, job: JobId, key: i64) -> Vec<Pseudonym> {
        self.others.people(job, &self.keys.about(key))
    }
}

pub(crate) fn document_view(row: &Columns<'_>, whose: &Whose) -> Result<DocumentView, Error> {
    let (job, index) = (row.job_id("job_id")?, row.small("effect")?);
    let plain = whose.keys.open(row.get("key_id")?, document_at(&numbered(job, index), "sealed"), row.get("sealed")?)?;
    let head: DocumentHead<'static> = envelope::from_json(&plain).map_err(|why| row.damaged("sealed", why))?;
    Ok(DocumentView {
        cursor: row.get("seq")?,
        about: whose.about(job, row.get("key_id")?),
        id: effect_id(job, index),
        job,
        index,
        at: row.time("at")?,
        connection: row.get("connection")?,
        clinic: row.get("clinic")?,
        name: head.name.into_owned(),
        media_type: head.media_type.into_owned(),
        text: head.text.into_owned(),
        size: row.count("size")?,
        action: row.get("action")?,
    })
}

/// The record at a hash.
pub(crate) struct RecordAt(pub KeyHash);

#[async_trait]
impl Question for RecordAt {
    type Answer = Option<RecordRow>;

    async fn answers(conn: &mut SqliteConnection, ring: &Keyring, questions: &[Self]) -> Result<Vec<Self::Answer>, Error> {
        let found = load_records(conn, ring, &questions.iter().map(|Self(hash)| *hash).collect()).await?;
        Ok(questions.iter().map(|Self(hash)| found.get(hash).cloned()).collect())
    }
}

/// A page of records.
pub(crate) async fn records(reader: Reader, page: Page, kind: Option<String>) -> Result<Vec<RecordView>, Error> {
    let mut conn = reader.conn().await?;
    let rows = fetch_page(&mut conn, "read records", RECORDS, page, kind.as_deref()).await?;
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "records", "written")).collect();
    record_views(&mut conn, &reader, &rows).await
}

/// The records that stand under some keys, a list of their rows.
pub(crate) async fn records_of(reader: Reader, keys: String) -> Result<Vec<RecordView>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(RECORDS_OF).bind(keys).fetch_all(&mut *conn).await.map_err(Error::database("read records"))?;
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "records", "written")).collect();
    record_views(&mut conn, &reader, &rows).await
}

/// The messages of somebody whose keys these are.
pub(crate) async fn messages_of(reader: Reader, keys: String, of: Pseudonym) -> Result<Vec<MessageView>, Error> {
    let mut conn = reader.conn().await?;
    let query = sqlx::query(MESSAGES_OF).bind(keys).bind(of.bytes().to_vec());
    let rows = query.fetch_all(&mut *conn).await.map_err(Error::database("read messages"))?;
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "messages", "seq")).collect();
    let whose = Whose::of_jobs(&mut conn, &reader, &rows).await?;
    rows.iter().map(|row| message_view(row, &whose)).collect()
}

/// The documents of somebody whose keys these are, with their contents.
pub(crate) async fn documents_of(reader: Reader, keys: String, of: Pseudonym) -> Result<Vec<(DocumentView, Vec<u8>)>, Error> {
    let mut conn = reader.conn().await?;
    let query = sqlx::query(DOCUMENTS_OF).bind(keys).bind(of.bytes().to_vec());
    let rows = query.fetch_all(&mut *conn).await.map_err(Error::database("read documents"))?;
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "documents", "seq")).collect();
    let whose = Whose::of_jobs(&mut conn, &reader, &rows).await?;
    let whole = |row: &Columns<'_>| {
        let view = document_view(row, &whose)?;
        let content = whose.keys.open(row.get("key_id")?, document_at(&numbered(view.job, view.index), "content"), row.get("content")?)?;
        Ok((view, content.to_vec()))
    };
    rows.iter().map(whole).collect()
}

async fn record_views(conn: &mut ReadConnection, reader: &Reader, rows: &[Columns<'_>]) -> Result<Vec<RecordView>, Error> {
    let keys = load_keys(conn, reader, rows).await?;
    let hashes = rows.iter().map(|row| row.hash("record")).collect::<Result<Vec<_>, _>>()?;
    let whose = Records::load(conn, hashes).await?;
    rows.iter().map(|row| record_view(row, &keys, &whose)).collect()
}

fn record_view(row: &Columns<'_>, keys: &Keys, whose: &Records) -> Result<RecordView, Error> {
    let hash = row.hash("record")?;
    let (id, record) = open_record(keys, row, hash)?;
    Ok(RecordView {
        cursor: row.get("written")?,
        about: whose.people(hash),
        connection: row.get("connection")?,
        clinic: row.get("clinic")?,
        kind: row.get("kind")?,
        id,
        time: record.time,
        document: record.document,
    })
}

pub(crate) fn message_view(row: &Columns<'_>, whose: &Whose) -> Result<MessageView, Error> {
    let (job, index) = (row.job_id("job_id")?, row.small("effect")?);
    let plain = whose.keys.open(row.get("key_id")?, message_at(&numbered(job, index)), row.get("sealed")?)?;
    Ok(MessageView {
        cursor: row.get("seq")?,
        about: whose.about(job, row.get("key_id")?),
        id: effect_id(job, index),
        job,
        at: row.time("at")?,
        connection: row.get("connection")?,
        clinic: row.get("clinic")?,
        channel: row.get("channel")?,
        action: row.get("action")?,
        message: envelope::from_json(&plain).map_err(|why| row.damaged("sealed", why))?,
    })
}

/// A value of an action's own state.
pub(crate) async fn state(reader: Reader, slot: KeyHash) -> Result<Option<String>, Error> {
    let mut conn = reader.conn().await?;
    let row = sqlx::query(STATE).bind(slot.0.to_vec()).fetch_optional(&mut *conn).await.map_err(Error::database("read state"))?;
    let Some(row) = row else { return Ok(None) };
    let row = Columns::new(&row, "state", "slot");
    let keys = load_keys(&mut conn, &reader, &[row]).await?;
    let plain = keys.open(row.get("key_id")?, state_at(&slot), row.get("sealed")?)?;
    text(&row, "sealed", &plain).map(Some)
}

async fn fetch_page(
    conn: &mut ReadConnection,
    doing: &'static str,
    sql: &'static str,
    page: Page,
    only: Option<&str>,
) -> Result<Vec<SqliteRow>, Error> {
    sqlx::query(sql)
        .bind(page.before.unwrap_or(i64::MAX))
        .bind(page.connection)
        .bind(page.clinic)
        .bind(page.limit)
        .bind(only)
        .bind(clinics(&page.clinics))
        .fetch_all(&mut **conn)
        .await
        .map_err(Error::database(doing))
}

async fn load_keys(conn: &mut ReadConnection, reader: &Reader, rows: &[Columns<'_>]) -> Result<Keys, Error> {
    let ids = rows.iter().map(|row| row.get("key_id")).collect::<Result<Vec<i64>, _>>()?;
    Keys::load(conn, &reader.ring, ids).await
}

fn text(row: &Columns<'_>, column: &'static str, plain: &[u8]) -> Result<String, Error> {
    std::str::from_utf8(plain).map(str::to_owned).map_err(|error| row.damaged(column, error.to_string()))
}
