//! The line of jobs that are ready: in whose turn they begin, and which of them have to wait beside it.
//!
//! Turns are start-time fair queueing (P. Goyal, H. Vin, H. Cheng, 1996): every clinic has a line of its own for each priority, and a
//! job's turn comes so much after the one before it in that line, or after the turn that is being served, whichever is later. So who
//! has one job waiting comes next, however many others have.
//!
//! A job that finds no room in one of its scopes is *parked* under it, out of the index of those that may begin, and comes back when
//! somebody leaves. Under the name of what orders it, when the one before it is over (`jobs::end`, `jobs::update`).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use zelo_core::concurrency::{Priority, order_scope};
use zelo_core::{Concurrency, Job, Scope};

use super::bulk::{Rows, expect_rows};
use super::column::{Columns, ms};
use super::jobs::{self, Kept, job_columns, live_job};
use crate::Error;

/// Jobs that one claim makes ready at most: after a long standstill, due work comes in portions.
const PROMOTED: u32 = 4096;

/// Jobs that one claim looks at at most, and parks where they find no room.
const LOOKED_AT: usize = 2048;

/// Jobs that are read at once at most, where more than there is room for must be looked at.
const REACH: usize = 256;

/// Lines that are remembered at most, before those that are empty are forgotten.
const LINES: usize = 4096;

const DUE: &str = "SELECT seq, connection, clinic, priority FROM jobs WHERE state = 'scheduled' AND waits = 0 AND run_at <= ?1 \
     ORDER BY run_at, job_id LIMIT ?2";

const PROMOTE: Rows = Rows {
    doing: "make due jobs ready",
    head: "UPDATE jobs SET state = 'ready', turn = new.column2 FROM (VALUES",
    columns: 2,
    tail: ") AS new WHERE jobs.seq = new.column1",
};

const PARK: Rows = Rows {
    doing: "park jobs",
    head: "UPDATE jobs SET parked = new.column2 FROM (VALUES",
    columns: 2,
    tail: ") AS new WHERE jobs.seq = new.column1",
};

const NEXT: &str = concat!(
    "SELECT ",
    job_columns!(),
    ", lease_expires, again, in_flight, turn FROM jobs WHERE state = 'ready' AND parked IS NULL ORDER BY turn, seq LIMIT ?1"
);

const FIRST: &str = "SELECT seq, turn FROM jobs WHERE state = 'ready' AND parked IS NULL ORDER BY turn, seq LIMIT ?1";

/// Makes lines of those that are ready; their turns, the last of each line.
const LAST: &str =
    "SELECT connection, clinic, priority, max(turn) AS turn FROM jobs WHERE state = 'ready' GROUP BY connection, clinic, priority";

const RUNNING: &str = "SELECT seq FROM jobs WHERE state = 'running'";

const RELEASE: &str = "UPDATE jobs SET parked = NULL WHERE seq IN (SELECT seq FROM jobs WHERE parked = ?1 ORDER BY turn LIMIT ?2)";

// One that has begun first: all others are behind it.
const RELEASE_NEXT: &str =
    "UPDATE jobs SET parked = NULL WHERE seq IN (SELECT seq FROM jobs WHERE parked = ?1 ORDER BY attempt = 0, turn LIMIT 1)";

const RELEASE_ALL: &str = "UPDATE jobs SET parked = NULL WHERE parked IS NOT NULL";

const IS_ORDERED: &str = "SELECT EXISTS (SELECT 1 FROM jobs WHERE order_key IS NOT NULL AND state = 'ready')";

// People may bring back a job that had begun when the next one has begun by then: of several, the one that was made first goes first.
/// Whether another job of the same order runs, has begun before, or comes first.
const IS_BEHIND: &str = "SELECT EXISTS (SELECT 1 FROM jobs WHERE order_key = ?1 AND attempt > 0 AND seq <> ?2 \
        AND (?3 = 0 OR state = 'running' OR seq < ?2)) \
     OR (?3 = 0 AND ?2 <> (SELECT seq FROM jobs WHERE order_key = ?1 AND state = 'ready' ORDER BY turn, seq LIMIT 1))";

/// What the writer knows of the line. Nothing is lost with it: a store that is opened makes it anew.
#[derive(Default)]
pub(crate) struct Line {
    /// The turn that is being served.
    serving: i64,
    /// The last turn of each line.
    last: HashMap<(String, Option<String>, Priority), i64>,
    /// The scopes of those that run, by their places.
    running: HashMap<i64, Vec<Scope>>,
    /// The scopes that somebody has left, with their limits, as long as there is room and somebody is parked under them.
    left: HashMap<String, u32>,
    /// By whose word.
    concurrency: Option<Arc<dyn Concurrency>>,
}

impl Line {
    /// The line as it stands in the database.
    pub(crate) async fn load(conn: &mut SqliteConnection) -> Result<Self, Error> {
        let rows = sqlx::query(LAST).fetch_all(&mut *conn).await.map_err(Error::database("read the line of jobs"))?;
        let mut line = Self::default();
        for row in &rows {
            let row = Columns::new(row, "jobs", "turn");
            line.last.insert((row.get("connection")?, row.get("clinic")?, row.word("priority", Priority::parse)?), row.get("turn")?);
        }
        let first = sqlx::query_scalar("SELECT coalesce(min(turn), 0) FROM jobs WHERE state = 'ready'");
        line.serving = first.fetch_one(conn).await.map_err(Error::database("read the line of jobs"))?;
        Ok(line)
    }

    /// The transaction was taken back: who left a scope in it is there still, or again.
    pub(super) fn rolled_back(&mut self) {
        self.concurrency = None;
    }

    /// The turn of a job that becomes ready.
    pub(crate) fn turn(&mut self, connection: &str, clinic: Option<&str>, priority: Priority) -> i64 {
        if self.last.len() >= LINES {
            let serving = self.serving;
            self.last.retain(|_, last| *last > serving);
        }
        let last = self.last.entry((connection.to_owned(), clinic.map(str::to_owned), priority)).or_insert(0);
        *last = self.serving.max(*last) + priority.cost();
        *last
    }

    /// Makes jobs ready whose time has come, in the order in which it came.
    pub(crate) async fn promote(&mut self, conn: &mut SqliteConnection, now: Timestamp, limit: u32) -> Result<(), Error> {
        let due = sqlx::query(DUE).bind(ms(now)).bind(PROMOTED.max(limit)).fetch_all(&mut *conn).await;
        let due = due.map_err(Error::database("look for due jobs"))?;
        let mut turns = Vec::with_capacity(due.len());
        for row in &due {
            let row = Columns::new(row, "jobs", "seq");
            let clinic: Option<&str> = row.get("clinic")?;
            turns.push((row.get::<i64>("seq")?, self.turn(row.get("connection")?, clinic, row.word("priority", Priority::parse)?)));
        }
        let wanted = turns.len();
        let touched = PROMOTE.run(conn, turns, |query, (seq, turn)| query.bind(seq).bind(turn)).await?;
        expect_rows("jobs", "make due jobs ready", wanted, touched)
    }

    /// Up to `limit` jobs that may begin now, by the turn; who finds no room is parked.
    pub(crate) async fn admit(
        &mut self,
        conn: &mut SqliteConnection,
        concurrency: &Arc<dyn Concurrency>,
        limit: u32,
    ) -> Result<Vec<i64>, Error> {
        let same = self.concurrency.as_ref().is_some_and(|known| Arc::ptr_eq(known, concurrency));
        if !same {
            self.running.clear();
            self.left.clear();
            sqlx::query(RELEASE_ALL).execute(&mut *conn).await.map_err(Error::database("look at parked jobs again"))?;
            self.concurrency = Some(concurrency.clone());
        }
        let limit = limit as usize;
        if concurrency.is_unlimited() && !is_ordered(conn).await? {
            let next = sqlx::query_as::<_, (i64, i64)>(FIRST).bind(limit as i64).fetch_all(conn).await;
            let next = next.map_err(Error::database("look who is next"))?;
            self.serving = next.last().map_or(self.serving, |(_, turn)| self.serving.max(*turn));
            return Ok(next.into_iter().map(|(seq, _)| seq).collect());
        }
        let mut taken = self.count(conn, concurrency.as_ref()).await?;
        let mut admitted: Vec<i64> = Vec::new();
        let mut let_in = BTreeSet::new();
        let (mut looked_at, mut reach) = (0, limit);
        while admitted.len() < limit && looked_at < LOOKED_AT {
            let back = self.come_back(conn, &taken).await?;
            // Those that were let in stand in the line until they are claimed.
            let next = self.next(conn, reach).await?;
            looked_at += next.len();
            let mut parked = Vec::new();
            for (kept, job, turn) in next.iter().filter(|(kept, ..)| !let_in.contains(&kept.seq)) {
                if admitted.len() == limit {
                    break;
                }
                let scopes = concurrency.scopes(job);
                let full = scopes.iter().find(|scope| taken.get(&scope.name).copied().unwrap_or(0) >= scope.limit);
                let place = match (full, job.lane.order) {
                    (Some(full), _) => Some(full.name.clone()),
                    (None, Some(order)) if is_behind(conn, kept.seq, job).await? => Some(order_scope(order)),
                    (None, _) => None,
                };
                if let Some(place) = place {
                    parked.push((kept.seq, place));
                    continue;
                }
                scopes.iter().for_each(|scope| *taken.entry(scope.name.clone()).or_default() += 1);
                self.serving = self.serving.max(*turn);
                self.running.insert(kept.seq, scopes);
                admitted.push(kept.seq);
            }
            let_in.extend(admitted.iter().copied());
            if parked.is_empty() && back == 0 {
                break;
            }
            // Many may be in the way.
            reach = reach.saturating_mul(2).clamp(limit, REACH.max(limit));
            let wanted = parked.len();
            let touched = PARK.run(conn, parked, |query, (seq, place)| query.bind(seq).bind(place)).await?;
            expect_rows("jobs", "park jobs", wanted, touched)?;
        }
        Ok(admitted)
    }

    /// Those that are next, with their turns.
    async fn next(&self, conn: &mut SqliteConnection, limit: usize) -> Result<Vec<(Kept, Job, i64)>, Error> {
        let rows = sqlx::query(NEXT).bind(limit as i64).fetch_all(conn).await.map_err(Error::database("look who is next"))?;
        rows.iter()
            .map(|row| {
                let (kept, job) = live_job(row)?;
                Ok((kept, job, Columns::new(row, "jobs", "seq").get("turn")?))
            })
            .collect()
    }

    /// How many are in each scope.
    async fn count(&mut self, conn: &mut SqliteConnection, concurrency: &dyn Concurrency) -> Result<HashMap<String, u32>, Error> {
        let rows = sqlx::query(RUNNING).fetch_all(&mut *conn).await.map_err(Error::database("look who runs"))?;
        let now = rows.iter().map(|row| row.try_get(0)).collect::<Result<BTreeSet<i64>, _>>().map_err(Error::database("look who runs"))?;
        let gone = self.running.extract_if(|seq, _| !now.contains(seq)).flat_map(|(_, scopes)| scopes);
        self.left.extend(gone.map(|scope| (scope.name, scope.limit)));
        let come = now.into_iter().filter(|seq| !self.running.contains_key(seq)).collect();
        for (kept, job) in jobs::by_seqs(conn, come).await? {
            self.running.insert(kept.seq, concurrency.scopes(&job));
        }
        let mut taken: HashMap<String, u32> = HashMap::new();
        for scope in self.running.values().flatten() {
            *taken.entry(scope.name.clone()).or_default() += 1;
        }
        Ok(taken)
    }

    /// Lets as many as there is room for come back into the line of each scope that somebody has left; how many they are. Who comes back
    /// may find another scope full, and leave the room to the next one.
    async fn come_back(&mut self, conn: &mut SqliteConnection, taken: &HashMap<String, u32>) -> Result<u64, Error> {
        let mut back = 0;
        for (scope, limit) in std::mem::take(&mut self.left) {
            let room = limit.saturating_sub(taken.get(&scope).copied().unwrap_or(0));
            let released = if room == 0 { 0 } else { release(conn, &scope, room).await? };
            if released > 0 {
                self.left.insert(scope, limit);
            }
            back += released;
        }
        Ok(back)
    }
}

/// Lets the first `room` of those who are parked under `scope` come back into the line; how many they are.
pub(crate) async fn release(conn: &mut SqliteConnection, scope: &str, room: u32) -> Result<u64, Error> {
    let released = sqlx::query(RELEASE).bind(scope).bind(room).execute(conn).await;
    Ok(released.map_err(Error::database("let parked jobs come back"))?.rows_affected())
}

/// Lets the next one who is parked behind another of its order come back into the line.
pub(crate) async fn release_next(conn: &mut SqliteConnection, order: &str) -> Result<(), Error> {
    let released = sqlx::query(RELEASE_NEXT).bind(order).execute(conn).await;
    released.map(drop).map_err(Error::database("let the next job of an order come back"))
}

async fn is_ordered(conn: &mut SqliteConnection) -> Result<bool, Error> {
    sqlx::query_scalar(IS_ORDERED).fetch_one(conn).await.map_err(Error::database("look for jobs in order"))
}

async fn is_behind(conn: &mut SqliteConnection, seq: i64, job: &Job) -> Result<bool, Error> {
    let Some(order) = job.lane.order else { return Ok(false) };
    let asked = sqlx::query_scalar(IS_BEHIND).bind(order.0.to_vec()).bind(seq).bind(job.attempt);
    asked.fetch_one(conn).await.map_err(Error::database("look who comes first"))
}
