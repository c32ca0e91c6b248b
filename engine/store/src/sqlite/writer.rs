//! The one task that writes.
//!
//! It owns the only connection that may write and takes commands from a bounded queue: as many as wait, up to a batch,
//! share one transaction (group commit) and are answered when it is on disk. Nothing is answered before. If one of
//! them is at fault (a damaged row), the transaction is taken back and each is tried alone.

use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{Mutex, mpsc, oneshot};

use zelo_core::decide::Decision;
use zelo_core::settle::Settlement;
use zelo_core::{Arrival, Indexer};

use super::audit::Chain;
use super::figures::Pulse;
use super::identities::Written;
use super::keys::Sealer;
use super::line::Line;
use super::open::PATIENCE;
use super::recent::Recent;
use super::record::{Payload, record};
use super::settle::settle;
use super::trip::Pipeline;
use crate::seal::Signer;
use crate::{Error, Outcome};

/// Where an answer goes. Who asked may be gone; what was asked happens all the same.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What the writer is asked.
pub(crate) enum Command {
    /// The arrivals of one delivery, each with its payload where that is sealed already.
    Record(Vec<(Arrival, Option<Payload>)>, Reply<Vec<Decision>>),
    Settle(Box<Settlement>, Timestamp, Reply<Outcome>),
    /// Anything else: seldom, or in no need of company.
    Other(Box<dyn Task>),
    /// Finish what waits, and end.
    Close,
}

/// A write that runs by itself inside a batch. It must change the database only: it may be run again.
#[async_trait]
pub(crate) trait Write: Send + Sync + 'static {
    type Answer: Send;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Self::Answer, Error>;
}

/// A [`Write`] with whom to answer.
#[async_trait]
pub(crate) trait Task: Send {
    async fn run(&mut self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<(), Error>;

    /// Answers: with what the last run found, or the error.
    fn answer(self: Box<Self>, result: Result<(), Error>);
}

/// The one implementation of [`Task`].
pub(crate) struct Waiting<W: Write> {
    pub write: W,
    pub found: Option<W::Answer>,
    pub reply: Reply<W::Answer>,
}

#[async_trait]
impl<W: Write> Task for Waiting<W> {
    async fn run(&mut self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<(), Error> {
        self.found = Some(self.write.run(conn, desk).await?);
        Ok(())
    }

    fn answer(self: Box<Self>, result: Result<(), Error>) {
        let Self { found, reply, .. } = *self;
        let _ = reply.send(result.and_then(|()| found.ok_or(Error::Closed)));
    }
}

/// Comes before whatever is written after the disk has failed a transaction: one that changed nothing must not pass for a disk that takes
/// writes again, nor one that found room for its few pages where the next does not. Another value each time: what is the same is not written.
const TRY_DISK: &str = "INSERT INTO meta (name, value) VALUES ('disk', randomblob(65536)) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Asks whether writes can be made: a transaction like any other, of nothing.
pub(crate) struct Ready;

#[async_trait]
impl Write for Ready {
    type Answer = ();

    async fn run(&self, _: &mut SqliteConnection, _: &mut Desk) -> Result<(), Error> {
        Ok(())
    }
}

/// Puts into the tables what recent events are found by.
pub(crate) struct Merge;

#[async_trait]
impl Write for Merge {
    type Answer = ();

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<(), Error> {
        desk.recent.flush(conn).await
    }
}

/// What the writer carries from one transaction to the next.
pub(crate) struct Desk {
    pub indexer: Indexer,
    pub sealer: Sealer,
    /// Signs heads of the audit log.
    pub signer: Signer,
    /// Where the audit log stands.
    pub chain: Chain,
    /// What people are known by.
    pub known: Written,
    /// What recent events are found by.
    pub recent: Recent,
    /// The place of the next event.
    pub next_event: i64,
    /// The place of the next job. Counted here, since jobs live in two tables; a gap does no harm.
    pub next_job: i64,
    /// Whose turn it is.
    pub line: Line,
    /// Something was deleted that must not stay in the log of writes either.
    pub scrub: bool,
    /// The disk did not take the last transaction, so the next has to show that it takes it again.
    pub failing: bool,
    /// Behind which key to look for bare ones next.
    pub bare_after: i64,
    /// The latest time that any write has told: for writes that tell none.
    pub latest: Timestamp,
    /// How it goes.
    pub pulse: Arc<Pulse>,
}

impl Desk {
    /// The place of a new event.
    pub(crate) fn next_event(&mut self) -> i64 {
        self.next_event += 1;
        self.next_event - 1
    }

    /// The place of a new job.
    pub(crate) fn next_job(&mut self) -> i64 {
        self.next_job += 1;
        self.next_job - 1
    }

    /// The transaction is on disk.
    pub(super) fn committed(&mut self) {
        self.sealer.committed();
        self.chain.committed();
        self.known.committed();
        self.recent.committed();
        self.line.committed();
    }

    /// The transaction was taken back.
    fn rolled_back(&mut self) {
        self.sealer.rolled_back();
        self.chain.rolled_back();
        self.known.rolled_back();
        self.recent.rolled_back();
        self.line.rolled_back();
    }

    /// A write told the time.
    pub(crate) fn saw(&mut self, now: Timestamp) {
        self.latest = self.latest.max(now);
    }
}

/// The writer, before it runs.
pub(crate) struct Writer {
    /// Shared with readers only where the database is in memory.
    pub conn: Arc<Mutex<SqliteConnection>>,
    pub desk: Desk,
    pub commands: mpsc::Receiver<Command>,
    pub batch: usize,
    /// Keeps other servers off the file until the connection is closed.
    pub lock: Option<File>,
}

impl Writer {
    /// Serves until it is told to close, or nobody is left who could ask.
    pub(crate) async fn run(mut self) {
        let mut waiting = Vec::with_capacity(self.batch);
        while self.commands.recv_many(&mut waiting, self.batch).await > 0 {
            self.gather(&mut waiting).await;
            let (batch, close) = Batch::of(&mut waiting);
            if close {
                self.commands.close();
            }
            let mut conn = self.conn.lock().await;
            batch.serve(&mut conn, &mut self.desk).await;
            if self.desk.scrub {
                self.desk.scrub = !scrub(&mut conn).await;
            }
        }
        // The next start has nothing to read up then.
        let (reply, _) = oneshot::channel();
        let last = Batch { others: vec![Box::new(Waiting { write: Merge, found: None, reply })], ..Batch::default() };
        last.serve(&mut *self.conn.lock().await, &mut self.desk).await;
        if let Some(conn) = Arc::into_inner(self.conn)
            && let Err(error) = conn.into_inner().close().await
        {
            tracing::warn!(%error, "the database did not close cleanly; nothing is lost, the next start repairs it");
        }
        drop(self.lock);
    }

    /// Gives those who are about to write a chance to come along, as long as they keep coming.
    async fn gather(&mut self, waiting: &mut Vec<Command>) {
        let mut seen = 0;
        while seen < waiting.len() && waiting.len() < self.batch {
            seen = waiting.len();
            tokio::task::yield_now().await;
            while waiting.len() < self.batch
                && let Ok(command) = self.commands.try_recv()
            {
                waiting.push(command);
            }
        }
    }
}

/// Commands that share a transaction. Arrivals come first, then settlements, then the rest: they wait at the same
/// time, so any order among the kinds is one in which they may have come.
#[derive(Default)]
struct Batch {
    arrivals: Vec<Arrival>,
    payloads: Vec<Option<Payload>>,
    /// Who waits for how many of the arrivals.
    arrived: Vec<(usize, Reply<Vec<Decision>>)>,
    settlements: Vec<(Settlement, Timestamp)>,
    settled: Vec<Reply<Outcome>>,
    others: Vec<Box<dyn Task>>,
}

impl Batch {
    /// Sorts `waiting`; whether one of them asks to close.
    fn of(waiting: &mut Vec<Command>) -> (Self, bool) {
        let mut batch = Self::default();
        let mut close = false;
        for command in waiting.drain(..) {
            match command {
                Command::Record(delivery, reply) => {
                    batch.arrived.push((delivery.len(), reply));
                    for (arrival, payload) in delivery {
                        batch.arrivals.push(arrival);
                        batch.payloads.push(payload);
                    }
                }
                Command::Settle(settlement, now, reply) => {
                    batch.settlements.push((*settlement, now));
                    batch.settled.push(reply);
                }
                Command::Other(task) => batch.others.push(task),
                Command::Close => close = true,
            }
        }
        (batch, close)
    }

    fn len(&self) -> usize {
        self.arrived.len() + self.settlements.len() + self.others.len()
    }

    /// Runs and answers.
    async fn serve(mut self, conn: &mut SqliteConnection, desk: &mut Desk) {
        if self.len() == 0 {
            return;
        }
        match self.commit(conn, desk).await {
            Err(error) if self.len() > 1 && error.is_of_one() => {
                tracing::error!(%error, writes = self.len(), "a write is at fault; each of its batch is tried alone");
                for mut one in self.singles() {
                    let outcome = one.commit(conn, desk).await;
                    one.answer(outcome);
                }
            }
            outcome => {
                if let Err(error) = &outcome {
                    tracing::error!(%error, source = error_source(error), writes = self.len(), "nothing of a batch was written");
                }
                self.answer(outcome);
            }
        }
    }

    /// One transaction. When this returns well, it is on disk.
    async fn commit(&mut self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Done, Error> {
        let begun = Instant::now();
        let outcome = self.transaction(conn, desk).await;
        match &outcome {
            Ok(_) => {
                desk.committed();
                desk.pulse.committed(self.len(), begun.elapsed());
            }
            Err(error) => {
                // SQLite has taken it back already where the disk failed it: then there is none, and that is what it says. sqlx's own
                // transactions would count one that is not there, and begin no other.
                let _ = sqlx::raw_sql("ROLLBACK").execute(conn).await;
                desk.rolled_back();
                desk.failing |= !error.is_of_one();
                desk.pulse.failed();
            }
        }
        outcome
    }

    async fn transaction(&mut self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Done, Error> {
        // Arrivals and settlements come first, and begin it themselves.
        let begins = (!self.arrivals.is_empty() || !self.settlements.is_empty()) && !desk.failing;
        if !begins {
            sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *conn).await.map_err(Error::database("begin a transaction"))?;
        }
        if desk.failing {
            sqlx::raw_sql(TRY_DISK).execute(&mut *conn).await.map_err(Error::database("try whether the disk takes writes again"))?;
        }
        let outcome = self.run(conn, desk, begins).await?;
        sqlx::raw_sql("COMMIT").execute(conn).await.map_err(Error::database("commit"))?;
        if std::mem::take(&mut desk.failing) {
            tracing::info!("the disk takes writes again");
        }
        Ok(outcome)
    }

    async fn run(&mut self, conn: &mut SqliteConnection, desk: &mut Desk, begins: bool) -> Result<Done, Error> {
        let mut outcome = Done::default();
        let mut pipe = Pipeline::new(conn);
        if !self.arrivals.is_empty() {
            outcome.decisions = record(&mut pipe, desk, &self.arrivals, &mut self.payloads, begins).await?;
        }
        if !self.settlements.is_empty() {
            outcome.settled = settle(&mut pipe, desk, &self.settlements, begins && self.arrivals.is_empty()).await?;
        }
        for task in &mut self.others {
            task.run(pipe.now().await?, desk).await?;
        }
        desk.recent.advance(pipe.later());
        pipe.now().await?;
        Ok(outcome)
    }

    fn answer(self, outcome: Result<Done, Error>) {
        let (decisions, settled, others) = match outcome {
            Ok(Done { decisions, settled }) => {
                let mut decisions = decisions.into_iter();
                let each = self.arrived.iter().map(|(amount, _)| Ok(decisions.by_ref().take(*amount).collect()));
                (each.collect(), settled.into_iter().map(Ok).collect(), Ok(()))
            }
            Err(error) => (vec![Err(error.clone()); self.arrived.len()], vec![Err(error.clone()); self.settled.len()], Err(error)),
        };
        send(self.arrived.into_iter().map(|(_, reply)| reply).collect(), decisions);
        send(self.settled, settled);
        for task in self.others {
            task.answer(others.clone());
        }
    }

    fn singles(self) -> Vec<Self> {
        let mut all = self.arrivals.into_iter();
        let arrivals = self.arrived.into_iter().map(|(amount, reply)| Self {
            arrivals: all.by_ref().take(amount).collect(),
            payloads: std::iter::repeat_with(|| None).take(amount).collect(),
            arrived: vec![(amount, reply)],
            ..Self::default()
        });
        let settlements = self.settlements.into_iter().zip(self.settled);
        let settlements = settlements.map(|(one, reply)| Self { settlements: vec![one], settled: vec![reply], ..Self::default() });
        let others = self.others.into_iter().map(|task| Self { others: vec![task], ..Self::default() });
        arrivals.chain(settlements).chain(others).collect()
    }
}

/// Empties the log of writes into the file, where no page has what was deleted. Not while a reader still looks at an old one, and a
/// backup looks for long: nobody waits for that, the next batch tries again. Whether it is done.
async fn scrub(conn: &mut SqliteConnection) -> bool {
    if sqlx::raw_sql("PRAGMA busy_timeout = 0").execute(&mut *conn).await.is_err() {
        return false;
    }
    let emptied = sqlx::query_scalar::<_, i64>("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *conn).await;
    let waits = format!("PRAGMA busy_timeout = {}", PATIENCE.as_millis());
    let patient = sqlx::raw_sql(sqlx::AssertSqlSafe(waits)).execute(conn).await;
    patient.is_ok() && matches!(emptied, Ok(0))
}

/// What a transaction came to; other tasks keep their answers themselves.
#[derive(Default)]
struct Done {
    decisions: Vec<Decision>,
    settled: Vec<Outcome>,
}

fn send<T>(replies: Vec<Reply<T>>, answers: Vec<Result<T, Error>>) {
    for (reply, answer) in replies.into_iter().zip(answers) {
        let _ = reply.send(answer);
    }
}

/// What the database itself said: codes and names of tables and columns, never values.
fn error_source(error: &Error) -> Option<String> {
    match error {
        Error::Database { source, .. } => Some(source.to_string()),
        _ => None,
    }
}
