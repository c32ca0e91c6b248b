//! Jobs as rows: live ones in `jobs`, ended ones in `job_history`.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::concurrency::order_scope;
use zelo_core::decide::{DoneAnchor, KeyRow};
use zelo_core::job::Reason;
use zelo_core::{AutomationId, Job, JobId, JobState, KeyHash, Lane, LookupRef, Need, Priority, RecordRef};

use super::bulk::{Bound, Rows, bytes, expect_rows, fetch_in, in_list, integers};
use super::column::{Columns, ms};
use super::counts;
use super::interned::Interned;
use super::line::{self, Line};
use super::trip::Trip;
use crate::{Counted, Error};

/// The columns that `jobs` and `job_history` share, in the order of [`bind_job`].
macro_rules! job_columns {
    () => {
        "seq, job_id, event_id, key_id, connection, clinic, entity, automation, rule, action, rule_digest, job_key, priority, order_key, group_key, lookups, needs, collected, anchor, \
         reference, due, expires, run_at, state, attempt, lease, attention, reason, cancel, plugin, moved"
    };
}
pub(crate) use job_columns;

/// The live jobs of a list of ids.
macro_rules! jobs_by_id {
    () => {
        in_list!(concat!("SELECT ", job_columns!(), ", lease_expires, again, in_flight FROM jobs WHERE job_id"), "")
    };
}
pub(crate) use jobs_by_id;

const BY_ID: &str = jobs_by_id!();

const BY_SEQ: &str =
    concat!("SELECT ", job_columns!(), ", lease_expires, again, in_flight FROM jobs WHERE seq IN (SELECT value FROM json_each(?1))");

const KEYS: &str = in_list!("SELECT job_key, live, newest, done, done_anchor FROM job_keys WHERE job_key", "");

const INSERT: Rows = Rows {
    doing: "store jobs",
    head: concat!(
        "INSERT OR FAIL INTO jobs (",
        job_columns!(),
        ", lease_expires, again, in_flight, waits, turn, came) SELECT * FROM (VALUES"
    ),
    columns: 37,
    tail: ") WHERE column1 IS NOT NULL",
};

const END: Rows = Rows {
    doing: "store ended jobs",
    head: concat!("INSERT OR FAIL INTO job_history (", job_columns!(), ", ended, summary) SELECT * FROM (VALUES"),
    columns: 33,
    tail: ") WHERE column1 IS NOT NULL",
};

const UPDATE: Rows = Rows {
    doing: "update jobs",
    head: "UPDATE jobs SET due = new.column2, expires = new.column3, run_at = new.column4, state = new.column5, attempt = new.column6, \
           lease = new.column7, attention = new.column8, reason = new.column9, cancel = new.column10, lease_expires = new.column11, \
           again = new.column12, needs = new.column13, waits = new.column14, in_flight = new.column15, plugin = new.column16, \
           moved = new.column17, parked = CASE WHEN new.column5 = 'ready' THEN parked END FROM (VALUES",
    columns: 17,
    tail: ") AS new WHERE jobs.seq = new.column1",
};

const GROW: Rows = Rows {
    doing: "update jobs that collect",
    head: "UPDATE jobs SET event_id = new.column2, key_id = new.column3, entity = new.column4, rule_digest = new.column5, \
           lookups = new.column6, collected = new.column7, anchor = new.column8, reference = new.column9 FROM (VALUES",
    columns: 9,
    tail: ") AS new WHERE jobs.seq = new.column1",
};

const DELETE: &str = "DELETE FROM jobs WHERE seq IN (SELECT value FROM json_each(?))";

const INSERT_LOOKUPS: Rows = Rows {
    doing: "store what jobs read",
    head: "INSERT OR IGNORE INTO job_lookups (record, job) SELECT * FROM (VALUES",
    columns: 2,
    tail: ") WHERE column1 IS NOT NULL",
};

const DELETE_LOOKUPS: Rows =
    Rows { doing: "forget what ended jobs read", head: "DELETE FROM job_lookups WHERE (record, job) IN (VALUES", columns: 2, tail: ")" };

const INSERT_NEEDS: Rows = Rows {
    doing: "store what jobs need",
    head: "INSERT OR IGNORE INTO job_needs (needed, job) SELECT * FROM (VALUES",
    columns: 2,
    tail: ") WHERE column1 IS NOT NULL",
};

const DELETE_NEEDS: Rows =
    Rows { doing: "forget what ended jobs needed", head: "DELETE FROM job_needs WHERE (needed, job) IN (VALUES", columns: 2, tail: ")" };

const NEEDING: &str = in_list!("SELECT needed, job FROM job_needs WHERE needed", "");

const READING: &str = in_list!("SELECT record, job FROM job_lookups WHERE record", "");

const PUT_KEYS: Rows = Rows {
    doing: "store job keys",
    head: "INSERT OR FAIL INTO job_keys (job_key, connection, clinic, live, newest, done, done_anchor) SELECT * FROM (VALUES",
    columns: 7,
    tail: ") WHERE column1 IS NOT NULL ON CONFLICT (job_key) DO UPDATE SET live = excluded.live, newest = excluded.newest, done = excluded.done, \
           done_anchor = excluded.done_anchor",
};

/// What the store knows of a job beyond the job itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    /// Its place in all lists.
    pub seq: i64,
    /// The key of its event's owner: seals all that comes of it.
    pub key_id: i64,
    /// Set while it runs.
    pub lease_expires: Option<Timestamp>,
}

/// A job that ended, for `job_history`.
pub(crate) struct Ended<'a> {
    pub kept: Kept,
    pub job: &'a Job,
    pub at: Timestamp,
    /// What the plugin said about it, sealed.
    pub summary: Option<Vec<u8>>,
    /// Whether it stands in `jobs`; a job that was skipped as it was made never did.
    pub was_live: bool,
}

/// A key's row with whose it is.
pub(crate) struct KeyOf<'a> {
    pub key: KeyHash,
    pub row: KeyRow,
    pub connection: &'a str,
    pub clinic: Option<&'a str>,
}

/// Live jobs by id.
pub(crate) async fn by_ids(conn: &mut SqliteConnection, ids: Vec<JobId>) -> Result<Vec<(Kept, Job)>, Error> {
    let rows = fetch_in(conn, "read jobs", BY_ID, ids.iter().map(|id| *id.bytes()).collect()).await?;
    rows.iter().map(live_job).collect()
}

/// Live jobs by place.
pub(crate) async fn by_seqs(conn: &mut SqliteConnection, seqs: Vec<i64>) -> Result<Vec<(Kept, Job)>, Error> {
    if seqs.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(BY_SEQ).bind(integers(seqs)).fetch_all(conn).await.map_err(Error::database("read jobs"))?;
    rows.iter().map(live_job).collect()
}

/// The rows of job keys.
pub(crate) async fn keys(conn: &mut SqliteConnection, keys: Vec<[u8; 16]>) -> Result<HashMap<KeyHash, KeyRow>, Error> {
    key_rows(&fetch_in(conn, "read job keys", KEYS, keys).await?)
}

/// What rows of `job_keys` say.
pub(crate) fn key_rows(rows: &[SqliteRow]) -> Result<HashMap<KeyHash, KeyRow>, Error> {
    rows.iter()
        .map(|row| {
            let row = Columns::new(row, "job_keys", "job_key");
            Ok((row.hash("job_key")?, key_row(&row, "live", "newest")?))
        })
        .collect()
}

/// A row of `job_keys`; two of its columns may have been selected under other names.
pub(crate) fn key_row(row: &Columns<'_>, live: &'static str, newest: &'static str) -> Result<KeyRow, Error> {
    let done = row.get::<bool>("done")?.then_some(DoneAnchor(row.opt_time("done_anchor")?));
    Ok(KeyRow { live: row.opt_job_id(live)?, newest: row.time(newest)?, done })
}

/// Writes rows of job keys.
pub(crate) fn put_keys(trip: &mut Trip, keys: Vec<KeyOf<'_>>) {
    trip.add_all("job_keys", &PUT_KEYS, keys, |query, KeyOf { key, row, connection, clinic }| {
        query
            .bind(key.0.to_vec())
            .bind(Interned(connection))
            .bind(clinic.map(Interned))
            .bind(row.live.map(|id| id.bytes().to_vec()))
            .bind(ms(row.newest))
            .bind(row.done.is_some())
            .bind(row.done.and_then(|done| done.0).map(ms))
    });
}

/// Adds live jobs, with what they read.
pub(crate) fn insert(trip: &mut Trip, line: &mut Line, jobs: Vec<(Kept, &Job)>) {
    let lookups: Vec<_> = jobs.iter().flat_map(|(kept, job)| lookup_rows(*kept, job)).collect();
    let needs: Vec<_> = jobs.iter().flat_map(|(kept, job)| need_rows(*kept, job)).collect();
    let mut place = |job: &Job| match job.state {
        JobState::Ready => line.place(&job.connection, job.clinic.as_deref(), job.lane.priority),
        _ => (0, 0),
    };
    let jobs: Vec<_> = jobs.into_iter().map(|(kept, job)| (kept, job, place(job))).collect();
    trip.add_all("jobs", &INSERT, jobs, |query, (kept, job, (turn, came))| {
        let query = bind_job(query, kept, job).bind(kept.lease_expires.map(ms)).bind(job.again).bind(job.in_flight);
        query.bind(job.waits()).bind(turn).bind(came)
    });
    trip.add(&INSERT_NEEDS, needs, |query, (step, seq)| query.bind(step.bytes().to_vec()).bind(seq));
    // Two lookups of a job may name one record: the row is there once.
    trip.add(&INSERT_LOOKUPS, lookups, |query, (record, seq)| query.bind(record.0.to_vec()).bind(seq));
}

/// Writes back live jobs that changed and live on.
pub(crate) fn update(trip: &mut Trip, jobs: Vec<(Kept, &Job)>) {
    let has_begun = |job: &Job| job.attempt > 0 || job.state == JobState::Running;
    let stood_back = orders(jobs.iter().map(|(_, job)| *job).filter(|job| !has_begun(job)));
    trip.add_all("jobs", &UPDATE, jobs, |query, (kept, job)| {
        let lease_expires = kept.lease_expires.filter(|_| job.state == JobState::Running);
        query
            .bind(kept.seq)
            .bind(ms(job.due))
            .bind(job.expires.map(ms))
            .bind(ms(job.run_at))
            .bind(Interned(job.state.as_str()))
            .bind(job.attempt)
            .bind(job.lease as i64)
            .bind(reason(job.attention.as_ref()))
            .bind(reason(job.reason.as_ref()))
            .bind(reason(job.cancel.as_ref()))
            .bind(lease_expires.map(ms))
            .bind(job.again && job.state == JobState::Running)
            .bind(needs(&job.needs))
            .bind(job.waits())
            .bind(job.in_flight)
            .bind(job.plugin.as_deref().map(Interned))
            .bind(moved(job))
    });
    line::release_next(trip, stood_back);
}

/// Writes back what changes of jobs, live before, that collected more, given the records that they read before. What else
/// changed of them is for [`update`] or [`end`], after this.
pub(crate) fn grow(trip: &mut Trip, jobs: Vec<(Kept, &Job, &[LookupRef])>) {
    let read = |kept: Kept, lookups: &[LookupRef]| lookups.iter().map(move |lookup| (lookup.record.hash, kept.seq)).collect::<Vec<_>>();
    let before: Vec<_> = jobs.iter().flat_map(|(kept, _, lookups)| read(*kept, lookups)).collect();
    let after: Vec<_> = jobs.iter().flat_map(|(kept, job, _)| read(*kept, &job.lookups)).collect();
    trip.add_all("jobs", &GROW, jobs, |query, (kept, job, _)| {
        query
            .bind(kept.seq)
            .bind(job.event.bytes().to_vec())
            .bind(kept.key_id)
            .bind(job.entity.map(|hash| hash.0.to_vec()))
            .bind(Interned(&job.rule_digest))
            .bind(lookups(&job.lookups))
            .bind(job.collected)
            .bind(job.anchor.map(ms))
            .bind(ms(job.reference))
    });
    trip.add(&DELETE_LOOKUPS, before, |query, (record, seq)| query.bind(record.0.to_vec()).bind(seq));
    trip.add(&INSERT_LOOKUPS, after, |query, (record, seq)| query.bind(record.0.to_vec()).bind(seq));
}

/// Notes whether a request of a live job has begun whose answer is not known.
pub(crate) async fn fly(conn: &mut SqliteConnection, kept: Kept, in_flight: bool) -> Result<(), Error> {
    let done = sqlx::query("UPDATE jobs SET in_flight = ?2 WHERE seq = ?1").bind(kept.seq).bind(in_flight).execute(conn).await;
    expect_rows("jobs", "note what has begun", 1, done.map_err(Error::database("note what has begun"))?.rows_affected())
}

/// Notes the plugin that a live job begins with.
pub(crate) async fn begin(conn: &mut SqliteConnection, kept: Kept, plugin: &str) -> Result<(), Error> {
    let done = sqlx::query("UPDATE jobs SET plugin = ?2 WHERE seq = ?1").bind(kept.seq).bind(plugin).execute(conn).await;
    expect_rows("jobs", "note what it begins with", 1, done.map_err(Error::database("note what it begins with"))?.rows_affected())
}

/// Moves jobs that ended into the history.
pub(crate) fn end(trip: &mut Trip, jobs: Vec<Ended<'_>>) {
    let lived: Vec<i64> = jobs.iter().filter(|ended| ended.was_live).map(|ended| ended.kept.seq).collect();
    let lookups: Vec<_> = jobs.iter().filter(|ended| ended.was_live).flat_map(|ended| lookup_rows(ended.kept, ended.job)).collect();
    let needs: Vec<_> = jobs.iter().filter(|ended| ended.was_live).flat_map(|ended| need_rows(ended.kept, ended.job)).collect();
    let over = orders(jobs.iter().filter(|ended| ended.was_live).map(|ended| ended.job));
    let counted: Vec<_> = jobs
        .iter()
        .map(|ended| (ended.at, ended.job.connection.as_str(), ended.job.clinic.as_deref(), Counted::Job(ended.job.state)))
        .collect();
    trip.add_all("job_history", &END, jobs, |query, ended| bind_job(query, ended.kept, ended.job).bind(ms(ended.at)).bind(ended.summary));
    counts::add(trip, counted);
    if !lived.is_empty() {
        trip.add_one_of("jobs", "remove ended jobs", lived.len(), DELETE, |query| query.bind(integers(lived)));
        trip.add(&DELETE_LOOKUPS, lookups, |query, (record, seq)| query.bind(record.0.to_vec()).bind(seq));
        trip.add(&DELETE_NEEDS, needs, |query, (step, seq)| query.bind(step.bytes().to_vec()).bind(seq));
    }
    line::release_next(trip, over);
}

/// What orders these jobs, where anything does: the next of each can come back into the line, since the one before it stands there no more.
fn orders<'a>(jobs: impl Iterator<Item = &'a Job>) -> Vec<String> {
    let orders: BTreeSet<KeyHash> = jobs.filter_map(|job| job.lane.order).collect();
    orders.into_iter().map(order_scope).collect()
}

/// Writes changed jobs; those that ended go, with the time given, and leave their keys free.
pub(crate) async fn write_back(conn: &mut SqliteConnection, changes: &[(Kept, Job, Timestamp)]) -> Result<(), Error> {
    let (mut updated, mut ended) = (Vec::new(), Vec::new());
    for (kept, job, at) in changes {
        if job.state.is_live() {
            updated.push((*kept, job));
        } else {
            ended.push(Ended { kept: *kept, job, at: *at, summary: None, was_live: true });
        }
    }
    let under: HashSet<KeyHash> = ended.iter().filter_map(|ended| ended.job.key).collect();
    let rows = keys(conn, bytes(&under)).await?;
    let mut free = Vec::new();
    for job in ended.iter().map(|ended| ended.job) {
        if let Some((key, row)) = job.key.and_then(|key| rows.get_key_value(&key))
            && row.live == Some(job.id)
        {
            let row = KeyRow { live: None, ..row.clone() };
            free.push(KeyOf { key: *key, row, connection: &job.connection, clinic: job.clinic.as_deref() });
        }
    }
    let mut trip = Trip::default();
    update(&mut trip, updated);
    end(&mut trip, ended);
    put_keys(&mut trip, free);
    trip.make(conn).await
}

/// The live jobs that need any of `steps`, with the step; a job that needs two of them comes twice.
pub(crate) async fn needing(conn: &mut SqliteConnection, steps: Vec<JobId>) -> Result<Vec<(JobId, Kept, Job)>, Error> {
    let rows = fetch_in(conn, "look for jobs that need others", NEEDING, steps.iter().map(|id| *id.bytes()).collect()).await?;
    let pairs = rows.iter().map(|row| {
        let row = Columns::new(row, "job_needs", "needed");
        Ok((row.job_id("needed")?, row.get("job")?))
    });
    indexed(conn, "job_needs", pairs.collect::<Result<_, Error>>()?).await
}

/// The live jobs that read any of `records`, with the record.
pub(crate) async fn reading(conn: &mut SqliteConnection, records: Vec<[u8; 16]>) -> Result<Vec<(KeyHash, Kept, Job)>, Error> {
    let rows = fetch_in(conn, "look for jobs that read records", READING, records).await?;
    let pairs = rows.iter().map(|row| {
        let row = Columns::new(row, "job_lookups", "record");
        Ok((row.hash("record")?, row.get("job")?))
    });
    indexed(conn, "job_lookups", pairs.collect::<Result<_, Error>>()?).await
}

/// The live jobs that an index names by their places.
async fn indexed<K: Copy + std::fmt::Debug>(
    conn: &mut SqliteConnection,
    table: &'static str,
    pairs: Vec<(K, i64)>,
) -> Result<Vec<(K, Kept, Job)>, Error> {
    let places: BTreeSet<i64> = pairs.iter().map(|(_, seq)| *seq).collect();
    let jobs: HashMap<i64, (Kept, Job)> =
        by_seqs(conn, places.into_iter().collect()).await?.into_iter().map(|(kept, job)| (kept.seq, (kept, job))).collect();
    let found = pairs.into_iter().map(|(of, seq)| match jobs.get(&seq) {
        Some((kept, job)) => Ok((of, *kept, job.clone())),
        None => Err(Error::Inconsistent { table, column: "job", row: format!("{of:?}"), why: format!("job {seq} is not live") }),
    });
    found.collect()
}

fn lookup_rows(kept: Kept, job: &Job) -> impl Iterator<Item = (KeyHash, i64)> {
    job.lookups.iter().map(move |lookup| (lookup.record.hash, kept.seq))
}

fn need_rows(kept: Kept, job: &Job) -> impl Iterator<Item = (JobId, i64)> {
    job.needs.iter().map(move |need| (need.job, kept.seq))
}

fn bind_job(query: Bound, kept: Kept, job: &Job) -> Bound {
    query
        .bind(kept.seq)
        .bind(job.id.bytes().to_vec())
        .bind(job.event.bytes().to_vec())
        .bind(kept.key_id)
        .bind(Interned(&job.connection))
        .bind(job.clinic.as_deref().map(Interned))
        .bind(job.entity.map(|hash| hash.0.to_vec()))
        .bind(Interned(&job.automation.0))
        .bind(Interned(&job.rule))
        .bind(Interned(&job.action))
        .bind(Interned(&job.rule_digest))
        .bind(job.key.map(|hash| hash.0.to_vec()))
        .bind(Interned(job.lane.priority.as_str()))
        .bind(job.lane.order.map(|hash| hash.0.to_vec()))
        .bind(job.lane.group.map(|hash| hash.0.to_vec()))
        .bind(lookups(&job.lookups))
        .bind(needs(&job.needs))
        .bind(job.collected)
        .bind(job.anchor.map(ms))
        .bind(ms(job.reference))
        .bind(ms(job.due))
        .bind(job.expires.map(ms))
        .bind(ms(job.run_at))
        .bind(Interned(job.state.as_str()))
        .bind(job.attempt)
        .bind(job.lease as i64)
        .bind(reason(job.attention.as_ref()))
        .bind(reason(job.reason.as_ref()))
        .bind(reason(job.cancel.as_ref()))
        .bind(job.plugin.as_deref().map(Interned))
        .bind(moved(job))
}

/// A row of `jobs`.
pub(crate) fn live_job(row: &SqliteRow) -> Result<(Kept, Job), Error> {
    let row = Columns::new(row, "jobs", "seq");
    let kept = Kept { lease_expires: row.opt_time("lease_expires")?, ..kept(&row)? };
    Ok((kept, Job { again: row.get("again")?, in_flight: row.get("in_flight")?, ..job(&row)? }))
}

/// Place and key of a row of either table.
pub(crate) fn kept(row: &Columns<'_>) -> Result<Kept, Error> {
    Ok(Kept { seq: row.get("seq")?, key_id: row.get("key_id")?, lease_expires: None })
}

/// The job of a row of either table.
pub(crate) fn job(row: &Columns<'_>) -> Result<Job, Error> {
    Ok(Job {
        id: row.job_id("job_id")?,
        event: row.event_id("event_id")?,
        connection: row.get("connection")?,
        clinic: row.get("clinic")?,
        entity: row.opt_hash("entity")?,
        automation: AutomationId(row.get("automation")?),
        rule: row.get("rule")?,
        action: row.get("action")?,
        rule_digest: row.get("rule_digest")?,
        key: row.opt_hash("job_key")?,
        lane: Lane {
            priority: row.word("priority", Priority::parse)?,
            order: row.opt_hash("order_key")?,
            group: row.opt_hash("group_key")?,
        },
        lookups: stored_lookups(row)?,
        needs: row.json("needs")?.unwrap_or_default(),
        collected: row.small("collected")?,
        anchor: row.opt_time("anchor")?,
        reference: row.time("reference")?,
        due: row.time("due")?,
        expires: row.opt_time("expires")?,
        run_at: row.time("run_at")?,
        state: row.word("state", JobState::parse)?,
        attempt: row.small("attempt")?,
        lease: row.count("lease")?,
        attention: row.json("attention")?,
        reason: row.json("reason")?,
        cancel: row.json("cancel")?,
        again: false,
        in_flight: false,
        plugin: row.get("plugin")?,
        moved: row.json("moved")?,
    })
}

/// A lookup as stored.
#[derive(Serialize, Deserialize)]
struct StoredLookup {
    name: String,
    position: u32,
    singular: bool,
    kind: String,
    record: KeyHash,
}

/// Lookups as stored: null where there are none.
fn lookups(lookups: &[LookupRef]) -> Option<String> {
    let stored: Vec<_> = lookups
        .iter()
        .map(|lookup| StoredLookup {
            name: lookup.name.clone(),
            position: lookup.position,
            singular: lookup.singular,
            kind: lookup.record.kind.clone(),
            record: lookup.record.hash,
        })
        .collect();
    if stored.is_empty() { None } else { serde_json::to_string(&stored).ok() }
}

fn stored_lookups(row: &Columns<'_>) -> Result<Vec<LookupRef>, Error> {
    let stored: Vec<StoredLookup> = row.json("lookups")?.unwrap_or_default();
    let lookups = stored.into_iter().map(|StoredLookup { name, position, singular, kind, record }| LookupRef {
        name,
        position,
        singular,
        record: RecordRef { kind, hash: record },
    });
    Ok(lookups.collect())
}

/// Needs as stored: null where there are none.
fn needs(needs: &[Need]) -> Option<String> {
    if needs.is_empty() { None } else { serde_json::to_string(needs).ok() }
}

/// The time that a person gave it, as stored.
fn moved(job: &Job) -> Option<String> {
    job.moved.and_then(|moved| serde_json::to_string(&moved).ok())
}

fn reason(reason: Option<&Reason>) -> Option<String> {
    reason.and_then(|reason| serde_json::to_string(reason).ok())
}
