//! What is measured besides time: what the system says of a process, what stands in a store, and what is made of many numbers.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

/// What a process has used up.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    /// Bytes that it gave the system to write: files, their logs, answers, log lines.
    pub(crate) given: u64,
    /// Bytes that the system has to bring to a disk for it.
    pub(crate) to_disk: u64,
    /// Computing on all cores, in microseconds. Says more than a rate where others use the cores too.
    pub(crate) computing_us: u64,
}

/// The unit of times in `/proc/PID/stat`: a hundredth of a second on every Linux there is.
const TICK_US: u64 = 10_000;

impl Used {
    pub(crate) fn by(pid: u32) -> Self {
        let of = |name| figure(&format!("/proc/{pid}/io"), name);
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // The fields behind the name, which may have blanks in it; the twelfth and thirteenth are ticks in the program and in the system.
        let fields = stat.rsplit_once(") ").unwrap().1;
        let ticks: u64 = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
        Self { given: of("wchar:"), to_disk: of("write_bytes:"), computing_us: ticks * TICK_US }
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            given: self.given - before.given,
            to_disk: self.to_disk - before.to_disk,
            computing_us: self.computing_us - before.computing_us,
        }
    }
}

/// Memory that a process has in hand now, in MiB.
pub(crate) fn memory(pid: u32) -> f64 {
    figure(&format!("/proc/{pid}/status"), "VmRSS:") as f64 / 1024.0
}

/// The most that it has ever had, in MiB.
pub(crate) fn memory_max(pid: u32) -> f64 {
    figure(&format!("/proc/{pid}/status"), "VmHWM:") as f64 / 1024.0
}

fn figure(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Looks at the memory of a process ten times a second.
pub(crate) struct MemoryWatch {
    end: Arc<AtomicBool>,
    thread: JoinHandle<Vec<(Duration, f64)>>,
}

impl MemoryWatch {
    pub(crate) fn begin(pid: u32) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let (ended, begun) = (end.clone(), Instant::now());
        let thread = std::thread::spawn(move || {
            let mut seen = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                seen.push((begun.elapsed(), memory(pid)));
                std::thread::sleep(Duration::from_millis(100));
            }
            seen
        });
        Self { end, thread }
    }

    /// When it had how much.
    pub(crate) fn end(self) -> Vec<(Duration, f64)> {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Milliseconds since 1970, as zelo's clock tells them.
pub(crate) fn now_ms() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64
}

/// A store, read beside the server that writes it.
pub(crate) struct Rows {
    tokio: tokio::runtime::Runtime,
    conn: SqliteConnection,
}

impl Rows {
    pub(crate) fn of(database: &Path) -> Self {
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options = SqliteConnectOptions::new().filename(database).read_only(true).disable_statement_logging();
        let conn = tokio.block_on(options.connect()).unwrap();
        Self { tokio, conn }
    }

    /// The one number that a query gives.
    pub(crate) fn number(&mut self, sql: &'static str) -> i64 {
        self.tokio.block_on(sqlx::query_scalar(sql).fetch_one(&mut self.conn)).unwrap()
    }

    pub(crate) fn events(&mut self) -> i64 {
        self.number("SELECT count(*) FROM events")
    }

    /// The number of the last job, pending or over.
    pub(crate) fn last_job(&mut self) -> i64 {
        self.number("SELECT max(coalesce((SELECT max(seq) FROM jobs), 0), coalesce((SELECT max(seq) FROM job_history), 0))")
    }

    /// Of each job after the one with this number that was done: when its event was received and when it ended, in milliseconds since
    /// 1970.
    pub(crate) fn done_after(&mut self, last: i64) -> Vec<(i64, i64)> {
        let sql = "SELECT events.received, job_history.ended FROM job_history JOIN events ON events.event_id = job_history.event_id
                   WHERE job_history.seq > ? AND job_history.state = 'done'";
        let rows = self.tokio.block_on(sqlx::query(sql).bind(last).fetch_all(&mut self.conn)).unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// When the first attempt at a job after the one with this number began, in milliseconds since 1970.
    pub(crate) fn begun_after(&mut self, last: i64) -> i64 {
        let sql = "SELECT min(journal.at) FROM job_history JOIN journal ON journal.job_id = job_history.job_id WHERE job_history.seq > ?";
        self.tokio.block_on(sqlx::query_scalar(sql).bind(last).fetch_one(&mut self.conn)).unwrap()
    }

    pub(crate) fn close(self) {
        drop(self.tokio.block_on(self.conn.close()));
    }
}

pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// The smallest of `times` that at least `share` of them do not exceed.
pub(crate) fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort();
    let place = (times.len() as f64 * share).ceil() as usize;
    times.get(place.saturating_sub(1)).copied().unwrap_or_default()
}
