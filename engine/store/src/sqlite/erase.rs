//! Erasing: the keys of a person are destroyed, what stood under them is deleted, and what a law keeps is kept under a key of its own.
//!
//! All of it is one transaction. Who is erased has no key and no hash any more: nothing in the database says who they were. The dedupe
//! digests of their deliveries stay as long as the rows of events do, so that a provider that sends an old delivery once more does
//! not bring them back.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::job::Reason;
use zelo_core::{Actor, AuditEntry, AuditKind, Job, JobId, JobState, KeyHash, Pseudonym};

use super::bulk::integers;
use super::column::{Columns, ms};
use super::effects::{document_at, message_at, numbered};
use super::jobs::{self, Kept as KeptJob};
use super::keys::{Keys, Owned};
use super::load::record_at;
use super::subjects::{jobs_of, keys_of, subject};
use super::writer::{Desk, Write};
use super::{audit, steps};
use crate::seal::{DataKey, Place};
use crate::{Duties, Erasure, Error, Kept};

const KEEPING: &str = "keep what a law keeps";

/// What a job is told whose person was erased.
const ERASED: &str = "erased";

/// The jobs and events that go, for the statements that follow, with what a law keeps: `messages`, `documents`, `records.TYPE`. A job that
/// is not the person's `own` only has data of theirs: these go, and that it was done stays.
const SCRATCH: &str = "CREATE TEMP TABLE IF NOT EXISTS erased_jobs (job BLOB PRIMARY KEY, own INTEGER NOT NULL) STRICT, WITHOUT ROWID; \
    CREATE TEMP TABLE IF NOT EXISTS erased_events (seq INTEGER PRIMARY KEY) STRICT; \
    CREATE TEMP TABLE IF NOT EXISTS kept_by_law (kind TEXT PRIMARY KEY) STRICT, WITHOUT ROWID; \
    DELETE FROM erased_jobs; DELETE FROM erased_events; DELETE FROM kept_by_law";

const MARK_EVENTS: &str = "INSERT OR IGNORE INTO erased_events (seq) SELECT part_id / 256 FROM key_parts \
    WHERE key_id IN (SELECT value FROM json_each(?1)) AND part_id % 256 = 0 \
    UNION SELECT e.seq FROM event_about a JOIN events e ON e.event_id = a.event_id WHERE a.key_id IN (SELECT value FROM json_each(?1))";

const MARK_JOB: &str = "INSERT INTO erased_jobs (job, own) VALUES (?1, \
    EXISTS (SELECT 1 FROM jobs j WHERE j.job_id = ?1 AND j.key_id IN (SELECT value FROM json_each(?2))) \
    OR EXISTS (SELECT 1 FROM job_history h WHERE h.job_id = ?1 AND h.key_id IN (SELECT value FROM json_each(?2))))";

/// Running jobs that may have read records of these people's, and did nothing yet that is known.
const READING: &str = "SELECT j.job_id FROM records r JOIN job_lookups l ON l.record = r.record JOIN jobs j ON j.seq = l.job \
    WHERE r.key_id IN (SELECT value FROM json_each(?1)) AND j.state = 'running'";

/// Whether a job did something that no other attempt may do again, or its event goes.
const DID: &str = "SELECT EXISTS (SELECT 1 FROM journal WHERE job_id = ?1 AND kind NOT IN ('invocation', 'record_get', 'state_get')) \
    OR EXISTS (SELECT 1 FROM jobs j JOIN events e ON e.event_id = j.event_id JOIN erased_events x ON x.seq = e.seq WHERE j.job_id = ?1)";

/// Whether somebody on hold is among those whose data would go with them.
const HELD: &str = "SELECT EXISTS (SELECT 1 FROM holds h CROSS JOIN seal_about a ON a.pseudonym = h.pseudonym WHERE \
    a.key_id IN (SELECT value FROM json_each(?1)) \
    OR a.key_id IN (SELECT p.key_id FROM erased_events e JOIN event_parts p ON p.part_id BETWEEN e.seq * 256 AND e.seq * 256 + 255) \
    OR a.key_id IN (SELECT b.key_id FROM erased_jobs e JOIN job_about b ON b.job_id = e.job) \
    OR a.key_id IN (SELECT j.key_id FROM erased_jobs e JOIN jobs j ON j.job_id = e.job) \
    OR a.key_id IN (SELECT j.key_id FROM erased_jobs e JOIN job_history j ON j.job_id = e.job) \
    OR a.key_id IN (SELECT b.key_id FROM erased_events x JOIN events e ON e.seq = x.seq JOIN event_about b ON b.event_id = e.event_id) \
    OR a.key_id IN (SELECT r.key_id FROM record_about b JOIN records r ON r.record = b.record WHERE b.key_id IN (SELECT value FROM json_each(?1))) \
    OR a.key_id IN (SELECT t.key_id FROM state_about b JOIN state t ON t.slot = b.slot WHERE b.key_id IN (SELECT value FROM json_each(?1))))";

// What stands under the key of somebody else stays there, theirs.
const DOCUMENTS: &str = "SELECT seq, job_id, effect, key_id, sealed, content FROM documents \
    WHERE (key_id IN (SELECT value FROM json_each(?1)) \
    OR (job_id IN (SELECT job FROM erased_jobs) AND key_id IN (SELECT key_id FROM seal_keys WHERE about IS NULL))) \
    AND key_id NOT IN (SELECT key_id FROM seal_keys WHERE purpose = 'duty')";

const MESSAGES: &str = "SELECT seq, job_id, effect, key_id, sealed FROM messages \
    WHERE (key_id IN (SELECT value FROM json_each(?1)) \
    OR (job_id IN (SELECT job FROM erased_jobs) AND key_id IN (SELECT key_id FROM seal_keys WHERE about IS NULL))) \
    AND key_id NOT IN (SELECT key_id FROM seal_keys WHERE purpose = 'duty')";

const RECORDS: &str = "SELECT written, record, kind, key_id, sealed FROM records WHERE kind = ?2 \
    AND (key_id IN (SELECT value FROM json_each(?1)) \
    OR (record IN (SELECT record FROM record_about WHERE key_id IN (SELECT value FROM json_each(?1))) \
        AND key_id IN (SELECT key_id FROM seal_keys WHERE about IS NULL))) \
    AND key_id NOT IN (SELECT key_id FROM seal_keys WHERE purpose = 'duty')";

/// What is deleted, by the word that the proof has for it; `?1`: keys. Hashes go before the rows that lead to them.
const DELETES: [(&str, &str); 32] = [
    // What stays of events says that they had a job, also those that one collected: a replay must not make it again.
    (
        "",
        "INSERT OR IGNORE INTO jobs_erased (event_id, automation, action) \
         SELECT e.event_id, h.automation, h.action FROM erased_jobs x JOIN job_history h ON h.job_id = x.job \
         JOIN events e ON e.event_id = h.event_id WHERE x.own AND e.seq NOT IN (SELECT seq FROM erased_events) UNION \
         SELECT e.event_id, h.automation, h.action FROM erased_jobs x JOIN job_history h ON h.job_id = x.job JOIN job_events c ON c.job = h.seq \
         JOIN events e ON e.seq = c.event WHERE x.own AND e.seq NOT IN (SELECT seq FROM erased_events)",
    ),
    ("", "DELETE FROM jobs_erased WHERE event_id IN (SELECT e.event_id FROM erased_events x JOIN events e ON e.seq = x.seq)"),
    ("", "DELETE FROM entities WHERE entity IN (SELECT e.entity FROM erased_events x JOIN events e ON e.seq = x.seq)"),
    ("", "DELETE FROM entity_events WHERE (entity, event) IN (SELECT e.entity, e.seq FROM erased_events x JOIN events e ON e.seq = x.seq)"),
    ("", "UPDATE events SET entity = NULL, cause = NULL, keys = NULL WHERE seq IN (SELECT seq FROM erased_events)"),
    (
        "",
        "UPDATE events SET keys = NULL WHERE seq IN (SELECT part_id / 256 FROM key_parts WHERE key_id IN (SELECT value FROM json_each(?1)))",
    ),
    ("", "DELETE FROM job_events WHERE event IN (SELECT seq FROM erased_events)"),
    // Nobody else may know what is left of an event without its main person.
    (
        "",
        "DELETE FROM key_parts WHERE (key_id, part_id) IN (SELECT p.key_id, p.part_id FROM erased_events e \
         JOIN event_parts p ON p.part_id BETWEEN e.seq * 256 AND e.seq * 256 + 255)",
    ),
    (
        "events",
        "DELETE FROM event_parts WHERE part_id IN (SELECT p.part_id FROM erased_events e \
         JOIN event_parts p ON p.part_id BETWEEN e.seq * 256 AND e.seq * 256 + 255)",
    ),
    ("parts", "DELETE FROM event_parts WHERE part_id IN (SELECT part_id FROM key_parts WHERE key_id IN (SELECT value FROM json_each(?1)))"),
    ("", "DELETE FROM key_parts WHERE key_id IN (SELECT value FROM json_each(?1))"),
    (
        "records",
        "DELETE FROM records WHERE key_id IN (SELECT value FROM json_each(?1)) \
         OR (record IN (SELECT record FROM record_about WHERE key_id IN (SELECT value FROM json_each(?1))) \
             AND 'records.' || kind NOT IN (SELECT kind FROM kept_by_law))",
    ),
    ("", "DELETE FROM record_about WHERE record NOT IN (SELECT record FROM records)"),
    // What it did is not known any more, so it is not run again.
    ("", "UPDATE job_history SET stripped = 1 WHERE job_id IN (SELECT job_id FROM journal WHERE job_id IN (SELECT job FROM erased_jobs))"),
    ("", "DELETE FROM job_decisions WHERE job_id IN (SELECT job FROM erased_jobs WHERE own)"),
    ("journal", "DELETE FROM journal WHERE job_id IN (SELECT job FROM erased_jobs)"),
    ("reports", "DELETE FROM attempts WHERE job_id IN (SELECT job FROM erased_jobs)"),
    (
        "messages",
        "DELETE FROM messages WHERE (key_id IN (SELECT value FROM json_each(?1)) \
         OR (job_id IN (SELECT job FROM erased_jobs) AND 'messages' NOT IN (SELECT kind FROM kept_by_law))) \
         AND key_id NOT IN (SELECT key_id FROM seal_keys WHERE purpose = 'duty')",
    ),
    (
        "documents",
        "DELETE FROM documents WHERE (key_id IN (SELECT value FROM json_each(?1)) \
         OR (job_id IN (SELECT job FROM erased_jobs) AND 'documents' NOT IN (SELECT kind FROM kept_by_law))) \
         AND key_id NOT IN (SELECT key_id FROM seal_keys WHERE purpose = 'duty')",
    ),
    // How much went to somebody else is theirs.
    (
        "",
        "DELETE FROM sent_messages WHERE job_id IN (SELECT job FROM erased_jobs WHERE own) OR job_id IN (SELECT h.job_id FROM erased_jobs e \
         JOIN job_history h ON h.job_id = e.job JOIN seal_keys k ON k.key_id = h.key_id WHERE k.about IS NULL)",
    ),
    ("", "DELETE FROM job_keys WHERE job_key IN (SELECT job_key FROM job_history WHERE job_id IN (SELECT job FROM erased_jobs WHERE own))"),
    ("jobs", "DELETE FROM job_history WHERE job_id IN (SELECT job FROM erased_jobs WHERE own)"),
    ("", "UPDATE job_history SET summary = NULL WHERE job_id IN (SELECT job FROM erased_jobs)"),
    ("", "DELETE FROM job_about WHERE key_id IN (SELECT value FROM json_each(?1)) OR job_id IN (SELECT job FROM erased_jobs WHERE own)"),
    (
        "",
        "DELETE FROM event_about WHERE key_id IN (SELECT value FROM json_each(?1)) \
         OR event_id IN (SELECT e.event_id FROM erased_events x JOIN events e ON e.seq = x.seq)",
    ),
    (
        "state",
        "DELETE FROM state WHERE key_id IN (SELECT value FROM json_each(?1)) \
         OR slot IN (SELECT slot FROM state_about WHERE key_id IN (SELECT value FROM json_each(?1)))",
    ),
    ("", "DELETE FROM state_about WHERE slot NOT IN (SELECT slot FROM state)"),
    // A phone that wants no messages wants none, whoever else of those who have it goes.
    (
        "",
        "UPDATE consents SET key_id = (SELECT i.key_id FROM identities i WHERE i.identity = consents.who \
         AND i.key_id NOT IN (SELECT value FROM json_each(?1)) LIMIT 1) WHERE given = 0 AND key_id IN (SELECT value FROM json_each(?1)) \
         AND EXISTS (SELECT 1 FROM identities i WHERE i.identity = consents.who AND i.key_id NOT IN (SELECT value FROM json_each(?1)))",
    ),
    ("consents", "DELETE FROM consents WHERE key_id IN (SELECT value FROM json_each(?1))"),
    ("identities", "DELETE FROM identities WHERE key_id IN (SELECT value FROM json_each(?1))"),
    ("", "DELETE FROM holds WHERE key_id IN (SELECT value FROM json_each(?1))"),
    ("", "DELETE FROM erased_events"),
];

pub(super) const DESTROY: &str = "UPDATE seal_keys SET wrapped = NULL, destroyed_at = ?2, owner_hash = randomblob(16) \
    WHERE key_id IN (SELECT value FROM json_each(?1))";

/// Erases a person, except what `duties` keep. Nothing where there is nobody to erase.
pub(crate) struct Erase {
    pub subject: Pseudonym,
    pub duties: Duties,
    pub actor: Actor,
    pub now: Timestamp,
    /// It was done before, and a backup has brought them back: who is on hold since then does not keep them.
    pub again: bool,
}

#[async_trait]
impl Write for Erase {
    type Answer = Option<Erasure>;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Option<Erasure>, Error> {
        desk.saw(self.now);
        erase(conn, desk, self).await
    }
}

/// The same, for who has the writer's desk.
pub(crate) async fn erase(conn: &mut SqliteConnection, desk: &mut Desk, wanted: &Erase) -> Result<Option<Erasure>, Error> {
    let Some(known) = subject(conn, wanted.subject).await?.filter(|known| known.erased.is_none()) else { return Ok(None) };
    desk.recent.flush(conn).await?;
    let keys = keys_of(conn, wanted.subject).await?;
    let keys = operational(conn, keys).await?;
    let mut jobs = jobs_of(conn, &keys).await?;
    // What a pending job was given by a step goes with that.
    let mut steps: Vec<JobId> = jobs.iter().copied().collect();
    while !steps.is_empty() {
        let needing = jobs::needing(conn, steps).await?;
        let given = |job: &Job, step| job.needs.iter().any(|need| need.done && need.job == step);
        steps = needing
            .into_iter()
            .filter(|(step, _, job)| given(job, *step))
            .map(|(_, _, job)| job.id)
            .filter(|job| jobs.insert(*job))
            .collect();
    }
    let (doing, list) = ("erase a person", integers(keys.iter().copied()));
    sqlx::raw_sql(SCRATCH).execute(&mut *conn).await.map_err(Error::database(doing))?;
    for job in &jobs {
        let query = sqlx::query(MARK_JOB).bind(job.bytes().to_vec()).bind(&list);
        query.execute(&mut *conn).await.map_err(Error::database(doing))?;
    }
    for kind in wanted.duties.kinds() {
        let query = sqlx::query("INSERT INTO kept_by_law (kind) VALUES (?1)").bind(kind);
        query.execute(&mut *conn).await.map_err(Error::database(doing))?;
    }
    sqlx::query(MARK_EVENTS).bind(&list).execute(&mut *conn).await.map_err(Error::database(doing))?;
    if !wanted.again && sqlx::query_scalar(HELD).bind(&list).fetch_one(&mut *conn).await.map_err(Error::database(doing))? {
        return Err(Error::Held);
    }
    let now = desk.latest.max(wanted.now);
    let restarted = restart(conn, &list, &jobs, now).await?;
    let cancelled = cancel(conn, jobs.into_iter().filter(|job| !restarted.contains(job)).collect(), now).await?;
    let owner = Owned { pseudonym: wanted.subject, connection: &known.connection, clinic: known.clinic.as_deref() };
    let kept = keep(conn, desk, &list, &owner, wanted).await?;
    let mut deleted = BTreeMap::new();
    for (kind, sql) in DELETES {
        let query = sqlx::query(sql).bind(&list);
        let rows = query.execute(&mut *conn).await.map_err(Error::database(doing))?.rows_affected();
        if !kind.is_empty() && rows > 0 {
            *deleted.entry(kind.to_owned()).or_insert(0) += rows;
        }
    }
    sqlx::raw_sql("DELETE FROM erased_jobs").execute(&mut *conn).await.map_err(Error::database(doing))?;
    sqlx::query(DESTROY).bind(&list).bind(ms(wanted.now)).execute(&mut *conn).await.map_err(Error::database(doing))?;
    desk.sealer.ring().forget(&keys);
    desk.known.forget(&keys);
    desk.scrub = true;
    let mut erasure = Erasure { pseudonym: wanted.subject, at: wanted.now, keys: keys.len() as u64, deleted, cancelled, kept, head: None };
    let entry = AuditEntry {
        connection: Some(known.connection),
        clinic: known.clinic,
        about: vec![wanted.subject],
        ..AuditEntry::new(wanted.now, AuditKind::Erased, wanted.actor.clone(), &erasure)
    };
    audit::append(conn, desk, vec![entry]).await?;
    erasure.head = audit::Sign { now: wanted.now }.run(conn, desk).await?;
    Ok(Some(erasure))
}

/// Those of `keys` that no law keeps.
async fn operational(conn: &mut SqliteConnection, keys: Vec<i64>) -> Result<Vec<i64>, Error> {
    let sql = "SELECT key_id FROM seal_keys WHERE purpose = 'operations' AND key_id IN (SELECT value FROM json_each(?1))";
    sqlx::query_scalar(sql).bind(integers(keys)).fetch_all(conn).await.map_err(Error::database("read the keys of a person"))
}

/// Begins those live jobs anew that are not the person's own and did nothing yet: what they were shown, or read this moment, is gone then.
/// Who works at one is told that it holds nothing any more. The jobs.
async fn restart(conn: &mut SqliteConnection, list: &str, jobs: &BTreeSet<JobId>, now: Timestamp) -> Result<HashSet<JobId>, Error> {
    let doing = "begin jobs anew whose data were erased";
    let rows = sqlx::query(READING).bind(list).fetch_all(&mut *conn).await.map_err(Error::database(doing))?;
    let reading: Vec<JobId> = rows.iter().map(|row| Columns::new(row, "jobs", "job_id").job_id("job_id")).collect::<Result<_, _>>()?;
    let rows = sqlx::query("SELECT job FROM erased_jobs WHERE NOT own").fetch_all(&mut *conn).await.map_err(Error::database(doing))?;
    let shown: Vec<JobId> = rows.iter().map(|row| Columns::new(row, "jobs", "job").job_id("job")).collect::<Result<_, _>>()?;
    let all: HashSet<JobId> = reading.iter().filter(|job| !jobs.contains(*job)).chain(&shown).copied().collect();
    let (mut changes, mut restarted): (Vec<(KeptJob, Job, Timestamp)>, HashSet<JobId>) = (Vec::new(), HashSet::new());
    for (kept, mut job) in jobs::by_ids(conn, all.into_iter().collect()).await? {
        let did: bool =
            sqlx::query_scalar(DID).bind(job.id.bytes().to_vec()).fetch_one(&mut *conn).await.map_err(Error::database(doing))?;
        // One cannot do without what it collected, nor without its step.
        let lost = shown.contains(&job.id) && (job.collected > 0 || job.needs.iter().any(|need| need.done && jobs.contains(&need.job)));
        if did || job.in_flight || job.cancel.is_some() || lost {
            continue;
        }
        let query = sqlx::query("DELETE FROM journal WHERE job_id = ?1").bind(job.id.bytes().to_vec());
        query.execute(&mut *conn).await.map_err(Error::database(doing))?;
        (job.lease, job.attempt, job.again) = (job.lease + 1, 0, false);
        (job.reason, job.attention, job.plugin) = (None, None, None);
        if job.state == JobState::Running {
            (job.state, job.run_at) = (JobState::Ready, now);
        }
        restarted.insert(job.id);
        changes.push((KeptJob { lease_expires: None, ..kept }, job, now));
    }
    steps::write_back(conn, &changes).await?;
    Ok(restarted)
}

/// Ends the live ones among `jobs`: those that run too, whose worker is told then that it holds nothing any more.
async fn cancel(conn: &mut SqliteConnection, jobs: Vec<JobId>, now: Timestamp) -> Result<u64, Error> {
    let reason = Reason::new(ERASED, "the person was erased");
    let mut changes: Vec<(KeptJob, Job, Timestamp)> = Vec::new();
    for (kept, mut job) in jobs::by_ids(conn, jobs).await? {
        job.end(JobState::Cancelled, reason.clone());
        changes.push((kept, job, now));
    }
    steps::write_back(conn, &changes).await?;
    Ok(changes.len() as u64)
}

/// Seals anew, under a key of its own, what `duties` keep.
async fn keep(conn: &mut SqliteConnection, desk: &mut Desk, list: &str, owner: &Owned<'_>, wanted: &Erase) -> Result<Vec<Kept>, Error> {
    let Duties { documents, messages, records } = &wanted.duties;
    let mut kept = Vec::new();
    let mut moving = Moving { conn, desk, owner, now: wanted.now, key: None };
    if let Some(duty) = documents {
        let (rows, mut count) = (moving.read(DOCUMENTS, list, None).await?, 0);
        for row in rows.iter().map(|row| Columns::new(row, "documents", "seq")) {
            let at = numbered(row.job_id("job_id")?, row.small("effect")?);
            let sealed = moving.anew(&row, document_at(&at, "sealed"), None).await?;
            let content = moving.anew(&row, document_at(&at, "content"), None).await?;
            let Some((sealed, content)) = sealed.zip(content) else { continue };
            let sql = "UPDATE documents SET key_id = ?2, sealed = ?3, content = ?4 WHERE seq = ?1";
            let query = sqlx::query(sql).bind(row.get::<i64>("seq")?).bind(moving.id()).bind(sealed).bind(content);
            query.execute(&mut *moving.conn).await.map_err(Error::database(KEEPING))?;
            count += 1;
        }
        kept.extend(Kept::of("documents".to_owned(), count, duty));
    }
    if let Some(duty) = messages {
        let (rows, mut count) = (moving.read(MESSAGES, list, None).await?, 0);
        for row in rows.iter().map(|row| Columns::new(row, "messages", "seq")) {
            let at = numbered(row.job_id("job_id")?, row.small("effect")?);
            let Some(sealed) = moving.anew(&row, message_at(&at), None).await? else { continue };
            let query = sqlx::query("UPDATE messages SET key_id = ?2, sealed = ?3 WHERE seq = ?1").bind(row.get::<i64>("seq")?);
            query.bind(moving.id()).bind(sealed).execute(&mut *moving.conn).await.map_err(Error::database(KEEPING))?;
            count += 1;
        }
        kept.extend(Kept::of("messages".to_owned(), count, duty));
    }
    for (kind, duty) in records {
        let (rows, mut count) = (moving.read(RECORDS, list, Some(kind)).await?, 0);
        for row in rows.iter().map(|row| Columns::new(row, "records", "written")) {
            let hash: KeyHash = row.hash("record")?;
            // Where nobody looks for it: what a law keeps is not for rules, nor for what comes later under the same name.
            let mut nowhere = KeyHash([0; 16]);
            moving.desk.sealer.ring().fill(&mut nowhere.0);
            let Some(sealed) = moving.anew(&row, record_at(&hash), Some(record_at(&nowhere))).await? else { continue };
            let sql = "UPDATE records SET key_id = ?2, sealed = ?3, record = ?4 WHERE written = ?1";
            let query = sqlx::query(sql).bind(row.get::<i64>("written")?).bind(moving.id()).bind(sealed).bind(nowhere.0.to_vec());
            query.execute(&mut *moving.conn).await.map_err(Error::database(KEEPING))?;
            count += 1;
        }
        kept.extend(Kept::of(format!("records.{kind}"), count, duty));
    }
    Ok(kept)
}

impl Kept {
    fn of(kind: String, rows: u64, duty: &str) -> Option<Self> {
        (rows > 0).then(|| Self { kind, rows, duty: duty.to_owned() })
    }
}

/// What stays, on its way to its own key.
struct Moving<'m> {
    conn: &'m mut SqliteConnection,
    desk: &'m mut Desk,
    owner: &'m Owned<'m>,
    now: Timestamp,
    /// Made when the first thing needs it.
    key: Option<std::sync::Arc<DataKey>>,
}

impl Moving<'_> {
    async fn read(&mut self, sql: &'static str, keys: &str, kind: Option<&str>) -> Result<Vec<SqliteRow>, Error> {
        let query = sqlx::query(sql).bind(keys.to_owned()).bind(kind.map(str::to_owned));
        query.fetch_all(&mut *self.conn).await.map_err(Error::database("read what a law keeps"))
    }

    /// What stands sealed at `place` in `row`, sealed under the key of what stays, for `there` where that is elsewhere. Nothing where it
    /// does not open: nobody could read it anyway.
    async fn anew(&mut self, row: &Columns<'_>, place: Place<'_>, there: Option<Place<'_>>) -> Result<Option<Vec<u8>>, Error> {
        let id: i64 = row.get("key_id")?;
        let keys = Keys::load(self.conn, self.desk.sealer.ring(), vec![id]).await?;
        let Ok(plain) = keys.open(id, place, row.get(place.column)?) else { return Ok(None) };
        if self.key.is_none() {
            self.key = Some(self.desk.sealer.duty(self.conn, self.owner, self.now).await?);
        }
        let lost = || row.damaged("key_id", "there is no key for what must stay".into());
        Ok(Some(self.desk.sealer.ring().seal(self.key.as_ref().ok_or_else(lost)?, there.unwrap_or(place), &[&plain])))
    }

    fn id(&self) -> Option<i64> {
        self.key.as_ref().map(|key| key.id())
    }
}
