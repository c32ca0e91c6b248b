//! What the keeper asks for: leases that ran out, due times under new rules, when to look next.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::clock::from_ms;
use zelo_core::decide::retime;
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::reclaim;
use zelo_core::timing::{Records, Timetable};
use zelo_core::{Job, JobId, KeyHash, RecordRow};

use super::column::{Columns, ms};
use super::jobs::{Kept, job_columns, live_job};
use super::load::load_records;
use super::reader::Reader;
use super::steps;
use super::writer::{Desk, Write};
use crate::Error;

/// Jobs that one transaction works through.
const PORTION: u32 = 512;

const EXPIRED: &str = concat!(
    "SELECT ",
    job_columns!(),
    ", lease_expires, again, in_flight FROM jobs WHERE state = 'running' AND lease_expires <= ?1 ORDER BY lease_expires LIMIT ?2"
);

// Those that have begun too: they keep their time, but end where their automation is off.
const LIVE: &str = concat!("SELECT ", job_columns!(), ", lease_expires, again, in_flight FROM jobs WHERE seq > ?1 ORDER BY seq LIMIT ?2");

const NEXT: &str = "SELECT min(run_at) FROM (SELECT * FROM (SELECT run_at FROM jobs WHERE state = 'ready' AND parked IS NULL ORDER BY turn LIMIT 1) \
    UNION ALL SELECT min(run_at) FROM jobs WHERE state = 'scheduled' AND waits = 0)";

// One statement for all: of each lease, its job in hexadecimal and its number.
const RENEW: &str = "UPDATE jobs SET lease_expires = ?1 FROM (SELECT unhex(value ->> 0) AS job_id, value ->> 1 AS lease FROM json_each(?2)) AS held \
    WHERE jobs.job_id = held.job_id AND jobs.lease = held.lease AND jobs.state = 'running' RETURNING jobs.job_id, jobs.lease";

/// Renews leases.
pub(crate) struct Renew {
    pub leases: Vec<(JobId, u64)>,
    pub until: Timestamp,
}

#[async_trait]
impl Write for Renew {
    /// Those that are lost.
    type Answer = Vec<(JobId, u64)>;

    async fn run(&self, conn: &mut SqliteConnection, _: &mut Desk) -> Result<Self::Answer, Error> {
        let hex = |job: &JobId| job.bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let held: Vec<(String, u64)> = self.leases.iter().map(|(job, lease)| (hex(job), *lease)).collect();
        let rows = sqlx::query(RENEW)
            .bind(ms(self.until))
            .bind(serde_json::to_string(&held).unwrap_or_default())
            .fetch_all(conn)
            .await
            .map_err(Error::database("renew leases"))?;
        let renewed = rows.iter().map(|row| {
            let row = Columns::new(row, "jobs", "job_id");
            Ok((row.job_id("job_id")?, row.count("lease")?))
        });
        let renewed = renewed.collect::<Result<HashSet<(JobId, u64)>, Error>>()?;
        Ok(self.leases.iter().filter(|lease| !renewed.contains(lease)).copied().collect())
    }
}

/// Gives back some jobs whose lease has run out.
pub(crate) struct Reclaim {
    pub now: Timestamp,
    pub policy: RetryPolicy,
    /// Whose attempts are alive.
    pub held: HashSet<JobId>,
}

#[async_trait]
impl Write for Reclaim {
    /// The jobs, and whether there may be more.
    type Answer = (Vec<Job>, bool);

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Self::Answer, Error> {
        // Those that stay are found each time.
        let limit = PORTION as usize + self.held.len();
        let rows = sqlx::query(EXPIRED)
            .bind(ms(self.now))
            .bind(limit as i64)
            .fetch_all(&mut *conn)
            .await
            .map_err(Error::database("look for leases that ran out"))?;
        let more = rows.len() == limit;
        let mut changes = Vec::with_capacity(rows.len());
        // `now` may be the end of time, which is no time at which a job can have ended, or be tried again.
        let now = if self.now == Timestamp::MAX { desk.latest } else { self.now };
        for (kept, job) in live_jobs(&rows)?.into_iter().filter(|(_, job)| !self.held.contains(&job.id)) {
            let at = kept.lease_expires.unwrap_or(desk.latest).min(self.now);
            changes.push((kept, reclaim(&job, self.policy, now), at));
        }
        let others = steps::write_back(conn, &changes).await?;
        Ok((changes.into_iter().map(|(_, job, _)| job).chain(others).collect(), more))
    }
}

/// Computes the due times of some pending jobs again.
pub(crate) struct Retime {
    pub timetable: Arc<dyn Timetable>,
    /// Begins after this place.
    pub after: i64,
}

#[async_trait]
impl Write for Retime {
    /// The jobs that changed, and after which place to go on.
    type Answer = (Vec<Job>, Option<i64>);

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Self::Answer, Error> {
        let rows =
            sqlx::query(LIVE).bind(self.after).bind(PORTION).fetch_all(&mut *conn).await.map_err(Error::database("read pending jobs"))?;
        let pending = live_jobs(&rows)?;
        let next = pending.last().map(|(kept, _)| kept.seq).filter(|_| rows.len() == PORTION as usize);
        let hashes: HashSet<KeyHash> = pending.iter().flat_map(|(_, job)| job.lookups.iter().map(|lookup| lookup.record.hash)).collect();
        let records = Known(load_records(conn, desk.sealer.ring(), &hashes).await?);
        let mut changes = Vec::new();
        for (kept, mut job) in pending {
            if retime(&mut job, self.timetable.as_ref(), &records) {
                let at = desk.latest.max(job.reference);
                changes.push((kept, job, at));
            }
        }
        let others = steps::write_back(conn, &changes).await?;
        Ok((changes.into_iter().map(|(_, job, _)| job).chain(others).collect(), next))
    }
}

/// When the next job is to be looked at.
pub(crate) async fn next_run(reader: Reader) -> Result<Option<Timestamp>, Error> {
    let mut conn = reader.conn().await?;
    let at: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(&mut *conn).await.map_err(Error::database("look for the next job"))?;
    Ok(at.map(from_ms))
}

/// Records as a timetable reads them.
struct Known(std::collections::HashMap<KeyHash, RecordRow>);

impl Records for Known {
    fn record(&self, hash: KeyHash) -> Option<&serde_json::Value> {
        self.0.get(&hash).map(|row| &row.document)
    }
}

fn live_jobs(rows: &[SqliteRow]) -> Result<Vec<(Kept, Job)>, Error> {
    rows.iter().map(live_job).collect()
}
