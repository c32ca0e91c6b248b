//! What the store stands at: counted by the indexes of live jobs, by what the writer notes of itself, and by the file system.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use tokio::sync::mpsc;
use zelo_core::clock::from_ms;
use zelo_core::{Distribution, JobState};

use super::column::Columns;
use super::reader::Reader;
use super::writer::Command;
use crate::{Error, Figures, Live, OnDisk};

/// Seconds that a transaction takes: from a fast disk's to one that is about to fail.
const SECONDS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// Writes that share one.
const WRITES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

// Each count walks one partial index, and no table; the ends of the audit log are looked up. SQLite uses a partial index only where its
// condition stands in the question. Of those that are ready, the next ones are looked at: the heads of all lines are among them, and
// who is parked waits for somebody else.
pub(super) const COUNTS: &str = "SELECT \
    (SELECT count(*) FROM jobs WHERE state = 'scheduled' AND waits = 0) AS scheduled, \
    (SELECT count(*) FROM jobs WHERE state = 'ready' AND parked IS NULL) \
        + (SELECT count(*) FROM jobs WHERE parked IS NOT NULL) AS ready, \
    (SELECT count(*) FROM jobs WHERE state = 'running') AS running, \
    (SELECT count(*) FROM jobs WHERE attention IS NOT NULL) AS attention, \
    (SELECT count(*) FROM job_history WHERE state IN ('dead', 'unknown') AND state = 'dead') AS dead, \
    (SELECT count(*) FROM job_history WHERE state IN ('dead', 'unknown') AND state = 'unknown') AS unknown, \
    (SELECT min(run_at) FROM (SELECT min(run_at) AS run_at FROM (SELECT run_at FROM jobs \
            WHERE state = 'ready' AND parked IS NULL ORDER BY turn LIMIT 256) \
        UNION ALL SELECT min(run_at) FROM jobs WHERE state = 'scheduled' AND waits = 0)) AS next_run, \
    (SELECT at FROM audit_heads ORDER BY seq DESC LIMIT 1) AS signed, \
    (SELECT at FROM audit_log WHERE seq > coalesce((SELECT max(seq) FROM audit_heads), 0) ORDER BY seq LIMIT 1) AS unsigned";

// All of it stands in one index, in order.
pub(super) const LIVE: &str = "SELECT rule, action, plugin, state, count(*) AS jobs FROM jobs GROUP BY rule, action, plugin, state";

/// What the writer notes of itself.
#[derive(Debug)]
pub(crate) struct Pulse {
    commits: Distribution,
    batches: Distribution,
    failed: AtomicU64,
    looked_at: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            commits: Distribution::new(SECONDS),
            batches: Distribution::new(WRITES),
            failed: AtomicU64::new(0),
            looked_at: AtomicU64::new(0),
        }
    }
}

impl Pulse {
    /// A transaction of so many writes is on disk, after this time.
    pub(super) fn committed(&self, writes: usize, took: Duration) {
        self.commits.observe(took.as_secs_f64());
        self.batches.observe(writes as f64);
    }

    /// A transaction came to nothing.
    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// A claim read so many jobs to find those that may begin.
    pub(super) fn looked_at(&self, jobs: usize) {
        self.looked_at.fetch_add(jobs as u64, Ordering::Relaxed);
    }
}

/// Where figures come from, beside the tables.
pub(super) struct Gauges {
    pub pulse: Arc<Pulse>,
    pub path: Option<PathBuf>,
}

/// With less room than this, in bytes, a write that is accepted may be the one that fails: as much as the log of writes grows to, twice.
const ROOM_MIN: u64 = 64 << 20;

impl Gauges {
    /// Whether there is room for more.
    pub(super) fn room(&self) -> Result<(), Error> {
        match self.path.as_deref().and_then(on_disk) {
            Some(OnDisk { free, .. }) if free < ROOM_MIN => Err(Error::NoRoom { free }),
            _ => Ok(()),
        }
    }

    /// What the store stands at, whose writer takes `commands`.
    pub(super) async fn read(&self, reader: Reader, commands: &mpsc::Sender<Command>) -> Result<Figures, Error> {
        let (row, live) = {
            let mut conn = reader.conn().await?;
            let row = sqlx::query(COUNTS).fetch_one(&mut *conn).await.map_err(Error::database("count"))?;
            (row, sqlx::query(LIVE).fetch_all(&mut *conn).await.map_err(Error::database("count"))?)
        };
        let number = |name: &str| row.try_get::<i64, _>(name).map(|count| count.unsigned_abs()).map_err(Error::database("count"));
        let time = |name: &str| row.try_get::<Option<i64>, _>(name).map(|at| at.map(from_ms)).map_err(Error::database("count"));
        Ok(Figures {
            scheduled: number("scheduled")?,
            ready: number("ready")?,
            running: number("running")?,
            attention: number("attention")?,
            live: live.iter().map(kind).collect::<Result<_, _>>()?,
            dead: number("dead")?,
            unknown: number("unknown")?,
            next_run: time("next_run")?,
            writes_waiting: commands.max_capacity().saturating_sub(commands.capacity()) as u64,
            writes_max: commands.max_capacity() as u64,
            commits: self.pulse.commits.spread(),
            batches: self.pulse.batches.spread(),
            failed: self.pulse.failed.load(Ordering::Relaxed),
            looked_at: self.pulse.looked_at.load(Ordering::Relaxed),
            signed: time("signed")?,
            unsigned: time("unsigned")?,
            disk: self.path.as_deref().and_then(on_disk),
        })
    }
}

fn kind(row: &SqliteRow) -> Result<Live, Error> {
    let row = Columns::new(row, "jobs", "rule");
    Ok(Live {
        rule: row.get("rule")?,
        action: row.get("action")?,
        plugin: row.get("plugin")?,
        state: row.word("state", JobState::parse)?,
        jobs: row.count("jobs")?,
    })
}

/// How much room the database at `path` takes; nothing where the system does not say.
fn on_disk(path: &Path) -> Option<OnDisk> {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let system = rustix::fs::statvfs(path).ok()?;
    Some(OnDisk { file: size(path), log: size(Path::new(&log)), free: system.f_bavail.saturating_mul(system.f_frsize) })
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;
    use sqlx::sqlite::SqliteConnection;

    use super::*;
    use crate::sqlite::migrate::migrate;

    #[tokio::test]
    async fn nothing_walks_a_table() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        migrate(&mut conn, "a test").await.unwrap();
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {COUNTS}"))).fetch_all(&mut conn).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        for index in ["jobs_scheduled", "jobs_ready", "jobs_parked", "jobs_leased", "jobs_attention", "job_history_trouble"] {
            assert!(plan.iter().any(|step| step.contains(index)), "{index} is not used: {plan:#?}");
        }
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {LIVE}"))).fetch_all(&mut conn).await.unwrap();
        let live: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        assert_eq!(live, ["SCAN jobs USING COVERING INDEX jobs_live"]);
        // Of the heads and the log of audit, only an end is read.
        let walks = |step: &&String| step.starts_with("SCAN") && !step.contains("INDEX") && !step.contains("CONSTANT ROW");
        let walked: Vec<_> = plan.iter().filter(walks).collect();
        assert!(walked.iter().all(|step| step.contains("audit_heads") || step.contains("subquery")), "{walked:?}");
    }
}
