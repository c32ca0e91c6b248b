//! The line of jobs that are ready: in whose turn they begin, and which of them have to wait beside it.
//!
//! Turns are dealt out in `turns`. A job that finds no room in one of its scopes is *parked*, out of the index of those that may begin
//! (`waiting`), and comes back when there is room for it; or under the name of what orders it, when the one before it is over
//! (`jobs::end`, `jobs::update`). Who comes back, from there or from a worker that is gone, has an old turn: the next claim gives it one
//! of now, behind those that came back before it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use zelo_core::concurrency::{Priority, order_scope};
use zelo_core::{Concurrency, Job, Scope};

use super::bulk::{Bound, Rows, expect_rows};
use super::column::{Columns, ms};
use super::jobs::{self, Kept, job_columns, live_job};
use super::trip::Trip;
use super::turns::Turns;
use super::waiting::{Taken, Waiting, enter};
use crate::Error;

/// Jobs that one claim makes ready at most: after a long standstill, due work comes in portions.
const PROMOTED: u32 = 4096;

/// Jobs that one claim looks at at most, and parks where they find no room.
const LOOKED_AT: usize = 2048;

/// Jobs that are read at once at most, where more than there is room for must be looked at.
const REACH: usize = 256;

const DUE: &str = "SELECT seq, connection, clinic, priority FROM jobs WHERE state = 'scheduled' AND waits = 0 AND run_at <= ?1 \
     ORDER BY run_at, job_id LIMIT ?2";

const PROMOTE: Rows = Rows {
    doing: "make due jobs ready",
    head: "UPDATE jobs SET state = 'ready', turn = new.column2, came = new.column3 FROM (VALUES",
    columns: 3,
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
    ", lease_expires, again, in_flight, turn FROM jobs WHERE state = 'ready' AND parked IS NULL AND turn >= ?1 ORDER BY turn, seq LIMIT ?2"
);

const FIRST: &str = "SELECT seq, turn FROM jobs WHERE state = 'ready' AND parked IS NULL AND turn >= ?1 ORDER BY turn, seq LIMIT ?2";

// What was to be served before has been: these came back.
const BACK: &str = "SELECT seq, connection, clinic, priority FROM jobs WHERE state = 'ready' AND parked IS NULL AND turn < ?1 \
     ORDER BY turn, seq LIMIT ?2";

const AGAIN: Rows = Rows {
    doing: "give those who came back their turns",
    head: "UPDATE jobs SET turn = new.column2 FROM (VALUES",
    columns: 2,
    tail: ") AS new WHERE jobs.seq = new.column1",
};

/// Makes lines of those that are ready; their turns, the last of each line.
const LAST: &str =
    "SELECT connection, clinic, priority, max(turn) AS turn FROM jobs WHERE state = 'ready' GROUP BY connection, clinic, priority";

const RUNNING: &str = "SELECT seq FROM jobs WHERE state = 'running'";

// Who is let go comes before all that is served, in the order of those who are let go with it, until it is given a turn of now: so many
// turns there never were.
macro_rules! release {
    ($which:literal) => {
        concat!("UPDATE jobs SET parked = NULL, turn = turn - 281474976710656 WHERE ", $which)
    };
}

const RELEASE_FIRST: &str = release!("seq = (SELECT seq FROM jobs WHERE parked = ?1 ORDER BY turn, seq LIMIT 1)");

// One that has begun first: all others are behind it.
const RELEASE_NEXT: Rows = Rows {
    doing: "let the next job of an order come back",
    head: release!("seq IN (SELECT (SELECT seq FROM jobs WHERE parked = column1 ORDER BY attempt = 0, came, seq LIMIT 1) FROM (VALUES"),
    columns: 1,
    tail: ") WHERE column1 IS NOT NULL)",
};

const RELEASE_ALL: &str = release!("parked IS NOT NULL");

const IS_ORDERED: &str = "SELECT EXISTS (SELECT 1 FROM jobs WHERE order_key IS NOT NULL AND state = 'ready')";

// People may bring back a job that had begun when the next one has begun by then: of several, the one that was made first goes first.
/// Whether another job of the same order runs, has begun before, or comes first.
const IS_BEHIND: &str = "SELECT EXISTS (SELECT 1 FROM jobs WHERE order_key = ?1 AND attempt > 0 AND seq <> ?2 \
        AND (?3 = 0 OR state = 'running' OR seq < ?2)) \
     OR (?3 = 0 AND ?2 <> (SELECT seq FROM jobs WHERE order_key = ?1 AND state = 'ready' ORDER BY came, seq LIMIT 1))";

// Where nobody waits, those who ran when the store was closed come back before whoever comes next.
const SERVING: &str = "SELECT coalesce((SELECT min(turn) FROM jobs WHERE state = 'ready' AND parked IS NULL AND turn >= 0), \
    (SELECT max(turn) FROM jobs WHERE state = 'running' AND turn >= 0), 0)";

const CAME: &str = "SELECT coalesce(max(came), 0) FROM jobs WHERE order_key IS NOT NULL AND state = 'ready'";

/// What the writer knows of the line. Nothing is lost with it: a store that is opened makes it anew.
#[derive(Default)]
pub(crate) struct Line {
    turns: Turns,
    /// How many have become ready.
    came: i64,
    room: Room,
    /// What room there was before the transaction, where it changed that.
    before: Option<Room>,
    /// Who is parked in want of room.
    waiting: Waiting,
    /// Who was, before the transaction, where it let all of them go.
    let_go: Option<Waiting>,
}

/// Who is where.
#[derive(Clone, Default)]
struct Room {
    /// By whose word.
    concurrency: Option<Arc<dyn Concurrency>>,
    /// The scopes of those that run, by their places.
    running: HashMap<i64, Vec<Scope>>,
    /// The scopes that somebody has left, as long as somebody may come back for it.
    left: BTreeSet<String>,
}

impl Line {
    /// The line as it stands in the database.
    pub(crate) async fn load(conn: &mut SqliteConnection) -> Result<Self, Error> {
        let rows = sqlx::query(LAST).fetch_all(&mut *conn).await.map_err(Error::database("read the line of jobs"))?;
        let mut line = Self::default();
        line.turns.serving = sqlx::query_scalar(SERVING).fetch_one(&mut *conn).await.map_err(Error::database("read the line of jobs"))?;
        for row in &rows {
            let row = Columns::new(row, "jobs", "turn");
            let priority = row.word("priority", Priority::parse)?;
            line.turns.found(row.get("connection")?, row.get("clinic")?, priority, row.get("turn")?);
        }
        line.came = sqlx::query_scalar(CAME).fetch_one(conn).await.map_err(Error::database("read the line of jobs"))?;
        Ok(line)
    }

    /// The transaction is on disk.
    pub(super) fn committed(&mut self) {
        self.before = None;
        self.let_go = None;
        self.waiting.committed();
    }

    /// The transaction was taken back: who came, left or was let go in it is where he was.
    pub(super) fn rolled_back(&mut self) {
        if let Some(before) = self.before.take() {
            self.room = before;
        }
        if let Some(waiting) = self.let_go.take() {
            self.waiting = waiting;
        }
        self.waiting.rolled_back();
    }

    /// The turn of a job that becomes ready, and its place among those that became so.
    pub(crate) fn place(&mut self, connection: &str, clinic: Option<&str>, priority: Priority) -> (i64, i64) {
        self.came += 1;
        (self.turns.next(connection, clinic, priority), self.came)
    }

    /// Makes jobs ready whose time has come, in the order in which it came.
    pub(crate) async fn promote(&mut self, conn: &mut SqliteConnection, now: Timestamp, limit: u32) -> Result<(), Error> {
        let due = sqlx::query(DUE).bind(ms(now)).bind(PROMOTED.max(limit)).fetch_all(&mut *conn).await;
        let due = due.map_err(Error::database("look for due jobs"))?;
        let mut places = Vec::with_capacity(due.len());
        for row in &due {
            let row = Columns::new(row, "jobs", "seq");
            let clinic: Option<&str> = row.get("clinic")?;
            places.push((row.get::<i64>("seq")?, self.place(row.get("connection")?, clinic, row.word("priority", Priority::parse)?)));
        }
        let wanted = places.len();
        let touched = PROMOTE.run(conn, places, |query, (seq, (turn, came))| query.bind(seq).bind(turn).bind(came)).await?;
        expect_rows("jobs", "make due jobs ready", wanted, touched)
    }

    /// Gives those that came back turns of now, a portion of them.
    async fn catch_up(&mut self, conn: &mut SqliteConnection) -> Result<(), Error> {
        let late = sqlx::query(BACK).bind(self.turns.serving).bind(PROMOTED).fetch_all(&mut *conn).await;
        let late = late.map_err(Error::database("look who came back"))?;
        let mut turns = Vec::with_capacity(late.len());
        for row in &late {
            let row = Columns::new(row, "jobs", "seq");
            let priority = row.word("priority", Priority::parse)?;
            turns.push((row.get::<i64>("seq")?, self.turns.again(row.get("connection")?, row.get("clinic")?, priority)));
        }
        let wanted = turns.len();
        let touched = AGAIN.run(conn, turns, |query, (seq, turn)| query.bind(seq).bind(turn)).await?;
        expect_rows("jobs", "give those who came back their turns", wanted, touched)
    }

    /// Up to `limit` jobs that may begin now, by the turn; who finds no room is parked.
    pub(crate) async fn admit(
        &mut self,
        conn: &mut SqliteConnection,
        concurrency: &Arc<dyn Concurrency>,
        limit: u32,
    ) -> Result<Admitted, Error> {
        self.before.get_or_insert_with(|| self.room.clone());
        let same = self.room.concurrency.as_ref().is_some_and(|known| Arc::ptr_eq(known, concurrency));
        if !same {
            self.room = Room { concurrency: Some(concurrency.clone()), ..Room::default() };
            let waiting = std::mem::take(&mut self.waiting);
            self.let_go.get_or_insert(waiting);
            sqlx::query(RELEASE_ALL).execute(&mut *conn).await.map_err(Error::database("look at parked jobs again"))?;
        }
        let limit = limit as usize;
        if concurrency.is_unlimited() && !is_ordered(conn).await? {
            self.catch_up(conn).await?;
            let next = sqlx::query_as::<_, (i64, i64)>(FIRST).bind(self.turns.serving).bind(limit as i64).fetch_all(conn).await;
            let next = next.map_err(Error::database("look who is next"))?;
            self.turns.serving = next.last().map_or(self.turns.serving, |(_, turn)| self.turns.serving.max(*turn));
            return Ok(Admitted { looked_at: next.len(), jobs: next.into_iter().map(|(seq, _)| seq).collect() });
        }
        let mut taken = self.count(conn, concurrency.as_ref()).await?;
        let mut admitted: Vec<i64> = Vec::new();
        let (mut let_in, mut serving) = (HashSet::new(), self.turns.serving);
        let (mut looked_at, mut reach) = (0, limit);
        while admitted.len() < limit && looked_at < LOOKED_AT {
            let back = self.come_back(conn, &taken, limit - admitted.len()).await?;
            self.catch_up(conn).await?;
            // Those that were let in stand in the line until they are claimed.
            let next = self.next(conn, reach).await?;
            looked_at += next.len();
            let mut parked = Vec::new();
            for (kept, job, turn) in next.iter().filter(|(kept, ..)| !let_in.contains(&kept.seq)) {
                if admitted.len() == limit {
                    break;
                }
                let scopes = concurrency.scopes(job);
                let place = match (self.waiting.park(&scopes, &taken, *turn), job.lane.order) {
                    (Some(place), _) => Some(place),
                    (None, Some(order)) if is_behind(conn, kept.seq, job).await? => Some(order_scope(order)),
                    (None, _) => None,
                };
                if let Some(place) = place {
                    parked.push((kept.seq, place));
                    continue;
                }
                enter(&scopes, &mut taken);
                serving = serving.max(*turn);
                self.room.running.insert(kept.seq, scopes);
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
        self.turns.serving = serving;
        Ok(Admitted { jobs: admitted, looked_at })
    }

    /// Those that are next, with their turns.
    async fn next(&self, conn: &mut SqliteConnection, limit: usize) -> Result<Vec<(Kept, Job, i64)>, Error> {
        let rows = sqlx::query(NEXT)
            .bind(self.turns.serving)
            .bind(limit as i64)
            .fetch_all(conn)
            .await
            .map_err(Error::database("look who is next"))?;
        rows.iter()
            .map(|row| {
                let (kept, job) = live_job(row)?;
                Ok((kept, job, Columns::new(row, "jobs", "seq").get("turn")?))
            })
            .collect()
    }

    /// How many are in each scope.
    async fn count(&mut self, conn: &mut SqliteConnection, concurrency: &dyn Concurrency) -> Result<Taken, Error> {
        let rows = sqlx::query(RUNNING).fetch_all(&mut *conn).await.map_err(Error::database("look who runs"))?;
        let now = rows.iter().map(|row| row.try_get(0)).collect::<Result<BTreeSet<i64>, _>>().map_err(Error::database("look who runs"))?;
        let Room { running, left, .. } = &mut self.room;
        let gone = running.extract_if(|seq, _| !now.contains(seq)).flat_map(|(_, scopes)| scopes);
        left.extend(gone.map(|scope| scope.name));
        let come = now.into_iter().filter(|seq| !running.contains_key(seq)).collect();
        for (kept, job) in jobs::by_seqs(conn, come).await? {
            running.insert(kept.seq, concurrency.scopes(&job));
        }
        let mut taken = Taken::new();
        running.values().for_each(|scopes| enter(scopes, &mut taken));
        Ok(taken)
    }

    /// Lets those come back into the line who find room where somebody has left, `limit` at most; how many they are. Who comes back may be
    /// behind another of its order, and leave the room to the next one.
    async fn come_back(&mut self, conn: &mut SqliteConnection, taken: &Taken, limit: usize) -> Result<usize, Error> {
        if self.room.left.is_empty() {
            return Ok(0);
        }
        let back = self.waiting.come_back(conn, &self.room.left, taken, limit).await?;
        if back == 0 {
            self.room.left.clear();
        }
        Ok(back)
    }
}

/// Who may begin.
pub(crate) struct Admitted {
    /// Places of jobs, by the turn.
    pub jobs: Vec<i64>,
    /// How many rows were read for it.
    pub looked_at: usize,
}

/// Lets the first one who is parked under `name` come back into the line; whether there is one.
pub(super) async fn release_first(conn: &mut SqliteConnection, name: &str) -> Result<bool, Error> {
    let released = sqlx::query(RELEASE_FIRST).bind(name).execute(conn).await;
    Ok(released.map_err(Error::database("let parked jobs come back"))?.rows_affected() > 0)
}

/// Lets the next one who is parked behind another of each of these orders come back into the line.
pub(crate) fn release_next(trip: &mut Trip, orders: Vec<String>) {
    trip.add(&RELEASE_NEXT, orders, Bound::bind);
}

async fn is_ordered(conn: &mut SqliteConnection) -> Result<bool, Error> {
    sqlx::query_scalar(IS_ORDERED).fetch_one(conn).await.map_err(Error::database("look for jobs in order"))
}

async fn is_behind(conn: &mut SqliteConnection, seq: i64, job: &Job) -> Result<bool, Error> {
    let Some(order) = job.lane.order else { return Ok(false) };
    let asked = sqlx::query_scalar(IS_BEHIND).bind(order.0.to_vec()).bind(seq).bind(job.attempt);
    asked.fetch_one(conn).await.map_err(Error::database("look who comes first"))
}
