//! Taking jobs whose time has come.
//!
//! The writer only marks the rows; what an attempt reads is loaded afterwards, beside the writer.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteConnection;

use serde_json::Value;
use zelo_core::settle::Report;
use zelo_core::{Concurrency, Event, EventId, Job, JobId, JournalEntry, KeyHash, RecordRow};

use super::bulk::{fetch_in, in_list, integers};
use super::column::{Columns, ms};
use super::effects::{journal_at, numbered, report_at};
use super::jobs::{Kept, job_columns, live_job};
use super::keys::{Keys, unopened};
use super::line::Admitted;
use super::load::load_records;
use super::writer::{Desk, Write};
use super::{events, reader::Reader, windows};
use crate::seal::Keyring;
use crate::{Error, RecordSet, Work, envelope};

// RETURNING promises no order.
const CLAIM: &str = concat!(
    "UPDATE jobs SET state = 'running', attempt = attempt + 1, lease = lease + 1, lease_expires = ?1, again = 0 WHERE seq IN \
     (SELECT value FROM json_each(?2)) RETURNING ",
    job_columns!(),
    ", lease_expires, again, in_flight"
);

const JOURNALS: &str = in_list!("SELECT entry_id, job_id, seq, key_id, sealed FROM journal WHERE job_id", " ORDER BY job_id, seq");

const OUTPUTS: &str =
    in_list!("SELECT attempt_id, job_id, attempt, key_id, sealed FROM attempts WHERE job_id", " AND state = 'done' ORDER BY attempt_id");

/// Asks for jobs.
pub(crate) struct Claim {
    pub now: Timestamp,
    pub limit: u32,
    pub lease: SignedDuration,
    pub concurrency: Arc<dyn Concurrency>,
}

#[async_trait]
impl Write for Claim {
    type Answer = Vec<(Kept, Job)>;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Self::Answer, Error> {
        desk.saw(self.now);
        desk.line.promote(conn, self.now, self.limit).await?;
        if self.limit == 0 {
            return Ok(Vec::new());
        }
        let Admitted { jobs: admitted, looked_at } = desk.line.admit(conn, &self.concurrency, self.limit).await?;
        desk.pulse.looked_at(looked_at);
        if admitted.is_empty() {
            return Ok(Vec::new());
        }
        let turns: HashMap<i64, usize> = admitted.iter().enumerate().map(|(turn, seq)| (*seq, turn)).collect();
        let until = self.now.saturating_add(self.lease).unwrap_or(Timestamp::MAX);
        let rows =
            sqlx::query(CLAIM).bind(ms(until)).bind(integers(admitted)).fetch_all(conn).await.map_err(Error::database("claim jobs"))?;
        let mut jobs = rows.iter().map(live_job).collect::<Result<Vec<_>, _>>()?;
        jobs.sort_by_key(|(kept, _)| turns.get(&kept.seq).copied());
        Ok(jobs)
    }
}

/// Loads what the attempts of claimed jobs read. A job whose event or journal is damaged is left out, and logged: its
/// lease runs out, and after its last attempt it is given up, visibly.
pub(crate) async fn load(reader: Reader, jobs: Vec<(Kept, Job)>) -> Result<Vec<Work>, Error> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let mut conn = reader.conn().await?;
    let collecting = jobs.iter().filter(|(_, job)| job.collected > 0).map(|(_, job)| job.id).collect();
    let collected = windows::collected(&mut conn, collecting).await?;
    let wanted: HashSet<EventId> = jobs.iter().map(|(_, job)| job.event).chain(collected.values().flatten().copied()).collect();
    let events = events::by_ids(&mut conn, &reader.ring, &wanted).await?;
    let hashes: HashSet<KeyHash> = jobs.iter().flat_map(|(_, job)| job.lookups.iter().map(|lookup| lookup.record.hash)).collect();
    let records = load_records(&mut conn, &reader.ring, &hashes).await?;
    let mut journals = journals(&mut conn, &reader.ring, jobs.iter().map(|(_, job)| job.id).collect()).await?;
    let steps = jobs.iter().flat_map(|(_, job)| job.needs.iter().filter(|need| need.done).map(|need| need.job)).collect();
    let outputs = outputs(&mut conn, &reader, steps).await?;
    drop(conn);
    let mut work = Vec::with_capacity(jobs.len());
    for (_, job) in jobs {
        let given = |step: JobId| outputs.get(&step).cloned().unwrap_or(Value::Null);
        let steps = job.needs.iter().filter(|need| need.done).map(|need| (need.step.clone(), given(need.job))).collect();
        let all = collected.get(&job.id).map_or(&[][..], Vec::as_slice);
        match assemble(&events, all, &records, &mut journals, &job) {
            Ok((event, collected, records, journal)) => work.push(Work { job, event, collected, records, journal, steps }),
            Err(error) => tracing::error!(%error, job = %job.id, "a claimed job cannot be loaded"),
        }
    }
    Ok(work)
}

type Loaded<T> = Result<T, Error>;

fn assemble(
    events: &HashMap<EventId, Loaded<Event>>,
    collected: &[EventId],
    records: &HashMap<KeyHash, RecordRow>,
    journals: &mut HashMap<JobId, Loaded<Vec<JournalEntry>>>,
    job: &Job,
) -> Loaded<(Event, Vec<Event>, RecordSet, Vec<JournalEntry>)> {
    let lost = |column, why: &str| Error::Inconsistent { table: "jobs", column, row: job.id.to_string(), why: why.into() };
    let event = |id: &EventId| events.get(id).cloned().unwrap_or_else(|| Err(lost("event_id", "its event is not stored")));
    if collected.len() != job.collected as usize {
        return Err(lost("collected", "it collected another number of events than are stored"));
    }
    let collected = collected.iter().map(event).collect::<Loaded<_>>()?;
    let journal = journals.remove(&job.id).unwrap_or_else(|| Ok(Vec::new()))?;
    let place = |hash: KeyHash| records.get(&hash).map(|row| (hash, row.document.clone()));
    let records = RecordSet(job.lookups.iter().filter_map(|lookup| place(lookup.record.hash)).collect());
    Ok((event(&job.event)?, collected, records, journal))
}

/// The journals of jobs, each in order and without a gap.
pub(crate) async fn journals(
    conn: &mut SqliteConnection,
    ring: &Keyring,
    jobs: Vec<JobId>,
) -> Result<HashMap<JobId, Loaded<Vec<JournalEntry>>>, Error> {
    let rows = fetch_in(conn, "read journals", JOURNALS, jobs.iter().map(|id| *id.bytes()).collect()).await?;
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "journal", "entry_id")).collect();
    let ids = rows.iter().map(|row| row.get("key_id")).collect::<Result<Vec<i64>, _>>()?;
    let keys = Keys::load(conn, ring, ids).await?;
    let mut journals: HashMap<JobId, Loaded<Vec<JournalEntry>>> = HashMap::new();
    for row in &rows {
        let job = row.job_id("job_id")?;
        let journal = journals.entry(job).or_insert_with(|| Ok(Vec::new()));
        if let Ok(entries) = journal {
            match entry(row, &keys, job, entries.len()) {
                Ok(entry) => entries.push(entry),
                Err(error) => *journal = Err(error),
            }
        }
    }
    Ok(journals)
}

fn entry(row: &Columns<'_>, keys: &Keys, job: JobId, wanted: usize) -> Loaded<JournalEntry> {
    let number = row.small("seq")?;
    if number as usize != wanted {
        return Err(row.damaged("seq", format!("entry {wanted} of job {job} is missing")));
    }
    let at = numbered(job, number);
    let place = journal_at(&at);
    let plain = keys.get(row.get("key_id")?)?.open(place, row.get("sealed")?).map_err(|_| unopened(place))?;
    envelope::from_json(&plain).map_err(|why| row.damaged("sealed", why))
}

/// What done jobs gave to those that come after them.
async fn outputs(conn: &mut SqliteConnection, reader: &Reader, jobs: Vec<JobId>) -> Loaded<HashMap<JobId, Value>> {
    let rows = fetch_in(conn, "read what steps gave", OUTPUTS, jobs.iter().map(|id| *id.bytes()).collect()).await?;
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "attempts", "attempt_id")).collect();
    let ids = rows.iter().map(|row| row.get("key_id")).collect::<Result<Vec<i64>, _>>()?;
    let keys = Keys::load(conn, &reader.ring, ids).await?;
    let output = |row: &Columns<'_>| {
        let job = row.job_id("job_id")?;
        let plain = keys.open(row.get("key_id")?, report_at(&numbered(job, row.small("attempt")?)), row.get("sealed")?)?;
        let report: Report = envelope::from_json(&plain).map_err(|why| row.damaged("sealed", why))?;
        Ok(report.output.map(|output| (job, output)))
    };
    rows.iter().filter_map(|row| output(row).transpose()).collect()
}
