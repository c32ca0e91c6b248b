//! What people decide about jobs: ended ones come back from the history or are said to be done or not, live ones are cancelled.
//!
//! [`zelo_core::revive`] decides. Here is read what it asks about, one job after the other, and written what it says, portion by
//! portion: each is a transaction, so that nobody waits long for the writer.

use std::collections::{HashMap, HashSet, VecDeque};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::decide::KeyRow;
use zelo_core::job::Reason;
use zelo_core::revive::{self, Question, Revived, Verdict};
use zelo_core::timing::{Due, DueQuestion, Timetable};
use zelo_core::{Actor, AuditEntry, AuditKind, EventId, Job, JobId, JobState, JournalEntry, KeyHash};

use super::bulk::expect_rows;
use super::claim::journals;
use super::column::{Columns, ms};
use super::effects::{journal_at, numbered};
use super::jobs::{self, Kept, KeyOf, job_columns};
use super::keys::Keys;
use super::load::load_records;
use super::others::Others;
use super::reader::Reader;
use super::trip::Trip;
use super::writer::{Desk, Write};
use super::{audit, column, steps};
use crate::revive::REVIVED_MAX;
use crate::{Cancellation, Decided, DecisionView, Error, RecordSet, Revival, Revivals, Revive, Trouble, Which, envelope};

/// Jobs that one transaction decides about, beside those that they bring back.
const PORTION: usize = 64;

const READ: &str = "read an ended job";
const WRITE: &str = "write down what a person decided";

const HISTORY: &str = concat!("SELECT ", job_columns!(), ", stripped FROM job_history WHERE job_id = ?1");

// The partial index of what ended badly, in order.
const TROUBLED: &str = "SELECT seq, job_id FROM job_history WHERE state IN ('dead', 'unknown') AND state = ?1 AND seq > ?2 \
    AND (?3 IS NULL OR rule = ?3) AND (?4 IS NULL OR action = ?4) AND (?5 IS NULL OR reason ->> '$.code' = ?5) \
    AND (?6 IS NULL OR connection = ?6) AND (?7 IS NULL OR clinic = ?7) AND (?8 IS NULL OR ended >= ?8) AND (?9 IS NULL OR ended < ?9) \
    AND (?11 IS NULL OR (connection, clinic) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?11))) \
    ORDER BY seq LIMIT ?10";

const AFTER: &str = "SELECT job_id, needs FROM job_history WHERE state = 'cancelled' AND needs IS NOT NULL AND event_id = ?1 ORDER BY seq";

const STATE: &str = "SELECT state FROM jobs WHERE job_id = ?1 UNION ALL SELECT state FROM job_history WHERE job_id = ?1";

const HAS_EVENT: &str = "SELECT EXISTS (SELECT 1 FROM events e JOIN event_parts p ON p.part_id = e.seq * 256 WHERE e.event_id = ?1)";

const HAS_COLLECTED: &str = "SELECT count(*) FROM job_events c JOIN event_parts p ON p.part_id = c.event * 256 WHERE c.job = ?1";

const HAS_KEY: &str = "SELECT EXISTS (SELECT 1 FROM seal_keys WHERE key_id = ?1 AND wrapped IS NOT NULL)";

const ECHOED: &str = "SELECT EXISTS (SELECT 1 FROM job_history WHERE state = 'skipped' AND job_key IS NOT NULL AND job_key = ?1 \
    AND reference = ?2 AND anchor IS ?3 AND reason ->> '$.code' = 'already_done')";

const LAND: &str = "UPDATE journal SET sealed = ?3, key_id = ?4 WHERE job_id = ?1 AND seq = ?2 AND kind = 'begun'";

const DECISION: &str = "INSERT INTO job_decisions (job_id, connection, clinic, at, actor, decision, was, reason, came_with) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const DECISIONS: &str =
    "SELECT decision_id, at, actor, decision, was, reason, came_with FROM job_decisions WHERE job_id = ?1 ORDER BY decision_id";

/// How far one call has come.
#[derive(Clone, Default)]
pub(crate) struct Round {
    /// Of ids, how many were looked at; of all, the place of the last one.
    after: i64,
    /// Those that run, each in a slot of its own.
    turns: u32,
    seen: HashSet<JobId>,
    /// What a dry run would have written.
    jobs: HashMap<JobId, JobState>,
    keys: HashMap<KeyHash, KeyRow>,
}

/// Decides about a portion of the jobs that are meant.
pub(crate) struct Portion {
    pub ask: Revive,
    pub now: Timestamp,
    pub round: Round,
}

#[async_trait]
impl Write for Portion {
    /// What became of them, and from where on to go on.
    type Answer = (Revivals, Option<Round>);

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Self::Answer, Error> {
        desk.saw(self.now);
        let mut round = self.round.clone();
        let (wanted, last) = self.meant(conn).await?;
        round.after = last.unwrap_or(round.after);
        let mut deciding = Deciding { conn, desk, ask: &self.ask, now: self.now, round, found: Revivals::default(), audit: Vec::new() };
        for job in wanted {
            deciding.decide(job).await?;
        }
        let Deciding { conn, desk, mut round, mut found, audit: entries, .. } = deciding;
        audit::append(conn, desk, entries).await?;
        if !self.ask.dry_run {
            (round.jobs, round.keys) = Default::default();
        }
        found.more = last.is_some() && round.seen.len() >= REVIVED_MAX;
        let next = last.is_some() && !found.more;
        Ok((found, next.then_some(round)))
    }
}

impl Portion {
    /// The next jobs that are meant, and where to go on after them.
    async fn meant(&self, conn: &mut SqliteConnection) -> Result<(Vec<JobId>, Option<i64>), Error> {
        let after = self.round.after;
        match &self.ask.which {
            Which::Jobs(ids) => {
                let rest = ids.get(usize::try_from(after).unwrap_or(usize::MAX)..).unwrap_or_default();
                let some: Vec<JobId> = rest.iter().take(PORTION).copied().collect();
                let last = after + some.len() as i64;
                Ok((some, (rest.len() > PORTION).then_some(last)))
            }
            Which::All(Trouble { state, rule, action, code, connection, clinic, since, until, clinics }) => {
                let rows = sqlx::query(TROUBLED)
                    .bind(state.as_str())
                    .bind(after)
                    .bind(rule)
                    .bind(action)
                    .bind(code)
                    .bind(connection)
                    .bind(clinic)
                    .bind(since.map(ms))
                    .bind(until.map(ms))
                    .bind(PORTION as i64)
                    .bind(column::clinics(clinics))
                    .fetch_all(conn)
                    .await
                    .map_err(Error::database("look for jobs that ended badly"))?;
                let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "job_history", "seq")).collect();
                let ids = rows.iter().map(|row| row.job_id("job_id")).collect::<Result<Vec<_>, _>>()?;
                let last = rows.last().filter(|_| rows.len() == PORTION).map(|row| row.get("seq")).transpose()?;
                Ok((ids, last))
            }
        }
    }
}

/// An ended job as stored.
struct Ended {
    kept: Kept,
    job: Job,
    /// What it did was erased.
    stripped: bool,
}

/// One portion at work.
struct Deciding<'d> {
    conn: &'d mut SqliteConnection,
    desk: &'d mut Desk,
    ask: &'d Revive,
    now: Timestamp,
    round: Round,
    found: Revivals,
    audit: Vec<AuditEntry>,
}

impl Deciding<'_> {
    /// Decides about a job, and about those that come back with it.
    async fn decide(&mut self, id: JobId) -> Result<(), Error> {
        if !self.round.seen.insert(id) {
            return Ok(());
        }
        let Some(ended) = self.ended(id).await? else {
            match jobs::by_ids(self.conn, vec![id]).await?.pop() {
                Some((_, job)) => {
                    let text = format!("it is {}: it has not ended", job.state.as_str());
                    self.found.jobs.push(told(&job, job.state, None, Err(Reason::new("wrong_state", text))));
                }
                None => self.found.missing.push(id),
            }
            return Ok(());
        };
        if !self.one(&ended, self.ask.verdict, None).await? || self.ask.verdict == Verdict::Not {
            return Ok(());
        }
        let mut back = VecDeque::from([(id, ended.job.event)]);
        while let Some((step, event)) = back.pop_front() {
            for after in self.after(step, event).await? {
                if self.one(&after, Verdict::Retry, Some(step)).await? {
                    back.push_back((after.job.id, event));
                }
            }
        }
        Ok(())
    }

    /// Decides about one job, which comes back `with` a step where that is given; whether it was as asked.
    async fn one(&mut self, ended: &Ended, verdict: Verdict, with: Option<JobId>) -> Result<bool, Error> {
        let Ended { kept, job, .. } = ended;
        let row = self.key(job).await?;
        let (journal, lost) = match self.lost(ended).await? {
            None => (self.journal(job.id).await?, None),
            lost => (Vec::new(), lost),
        };
        let question = Question {
            job,
            key: row.as_ref(),
            echoed: self.echoed(job, row.as_ref()).await?,
            journal: &journal,
            steps: &self.steps(job).await?,
            lost,
            due: self.due(job).await?,
        };
        let outcome = revive::revive(&question, verdict, self.slot(), self.now);
        if with.is_some() && matches!(&outcome, Err(refused) if refused.code == revive::STEP) {
            // Another of its steps did not come back; it does with that.
            return Ok(false);
        }
        if with.is_some() {
            // It may have been asked for before its step was.
            self.found.jobs.retain(|told| told.job != job.id);
        }
        self.found.jobs.push(told(job, job.state, with, outcome.as_ref().map(|revived| &revived.job).map_err(Clone::clone)));
        if with.is_some() {
            self.round.seen.insert(job.id);
        }
        let Ok(revived) = outcome else { return Ok(false) };
        if revived.job.state.is_live() && !revived.job.waits() {
            self.round.turns = self.round.turns.saturating_add(1);
        }
        if self.ask.dry_run {
            self.round.jobs.insert(job.id, revived.job.state);
            self.round.keys.extend(job.key.zip(revived.key));
            return Ok(true);
        }
        self.apply(*kept, job, &journal, revived, with).await?;
        Ok(true)
    }

    /// When the next job that runs may do so.
    fn slot(&self) -> Timestamp {
        let wait = |each: std::num::NonZeroU32| SignedDuration::from_millis(60_000 * i64::from(self.round.turns) / i64::from(each.get()));
        self.ask.per_minute.map_or(self.now, |each| self.now.saturating_add(wait(each)).unwrap_or(Timestamp::MAX))
    }

    /// Writes what was decided.
    async fn apply(
        &mut self,
        kept: Kept,
        before: &Job,
        journal: &[JournalEntry],
        revived: Revived,
        with: Option<JobId>,
    ) -> Result<(), Error> {
        let Revived { job, key, journal: stays } = revived;
        self.cut(kept, job.id, journal, stays).await?;
        let mut trip = Trip::default();
        let decided = if job.state.is_live() {
            let gone = sqlx::query("DELETE FROM job_history WHERE seq = ?1").bind(kept.seq).execute(&mut *self.conn).await;
            expect_rows("job_history", WRITE, 1, gone.map_err(Error::database(WRITE))?.rows_affected())?;
            jobs::insert(&mut trip, &mut self.desk.line, vec![(kept, &job)]);
            Decided::Revived
        } else {
            let reason = job.reason.as_ref().and_then(|reason| serde_json::to_string(reason).ok());
            let query = sqlx::query("UPDATE job_history SET state = ?2, reason = ?3 WHERE seq = ?1");
            let done = query.bind(kept.seq).bind(job.state.as_str()).bind(reason).execute(&mut *self.conn).await;
            expect_rows("job_history", WRITE, 1, done.map_err(Error::database(WRITE))?.rows_affected())?;
            if job.state == JobState::Done { Decided::Done } else { Decided::GivenUp }
        };
        if let Some((key, row)) = job.key.zip(key) {
            jobs::put_keys(&mut trip, vec![KeyOf { key, row, connection: &job.connection, clinic: job.clinic.as_deref() }]);
        }
        trip.make(self.conn).await?;
        let decision = Decision { kept, before, decided, with, actor: &self.ask.actor, now: self.now };
        self.audit.push(decision.store(self.conn, self.desk).await?);
        Ok(())
    }

    /// Leaves of a journal what stays of it.
    async fn cut(&mut self, kept: Kept, id: JobId, journal: &[JournalEntry], stays: revive::Kept) -> Result<(), Error> {
        if (stays.entries as usize) < journal.len() {
            let query = sqlx::query("DELETE FROM journal WHERE job_id = ?1 AND seq >= ?2").bind(id.bytes().to_vec()).bind(stays.entries);
            query.execute(&mut *self.conn).await.map_err(Error::database(WRITE))?;
        }
        let place = stays.entries.saturating_sub(1);
        let (true, Some(JournalEntry::Begun { effect, .. })) = (stays.landed, journal.get(place as usize)) else { return Ok(()) };
        let entry = JournalEntry::Begun { effect: effect.clone(), in_flight: false };
        let damaged = |why| Error::Inconsistent { table: "journal", column: "sealed", row: id.to_string(), why };
        let plain = envelope::to_json(&entry).map_err(damaged)?;
        let keys = Keys::load(self.conn, self.desk.sealer.ring(), vec![kept.key_id]).await?;
        let at = numbered(id, place);
        let sealed = self.desk.sealer.ring().seal(keys.get(kept.key_id)?, journal_at(&at), &[&plain]);
        let query = sqlx::query(LAND).bind(id.bytes().to_vec()).bind(place).bind(sealed).bind(kept.key_id);
        let done = query.execute(&mut *self.conn).await.map_err(Error::database(WRITE))?;
        expect_rows("journal", WRITE, 1, done.rows_affected())
    }

    async fn ended(&mut self, id: JobId) -> Result<Option<Ended>, Error> {
        let row = sqlx::query(HISTORY).bind(id.bytes().to_vec()).fetch_optional(&mut *self.conn).await.map_err(Error::database(READ))?;
        row.map(|row| {
            let row = Columns::new(&row, "job_history", "seq");
            Ok(Ended { kept: jobs::kept(&row)?, job: jobs::job(&row)?, stripped: row.get("stripped")? })
        })
        .transpose()
    }

    /// The jobs that ended because `step` did.
    async fn after(&mut self, step: JobId, event: EventId) -> Result<Vec<Ended>, Error> {
        let rows: Vec<SqliteRow> =
            sqlx::query(AFTER).bind(event.bytes().to_vec()).fetch_all(&mut *self.conn).await.map_err(Error::database(READ))?;
        let mut after = Vec::new();
        for row in &rows {
            let row = Columns::new(row, "job_history", "seq");
            let (id, needs): (JobId, Vec<zelo_core::Need>) = (row.job_id("job_id")?, row.json("needs")?.unwrap_or_default());
            if !needs.iter().any(|need| need.job == step) || self.round.jobs.contains_key(&id) {
                continue;
            }
            after.extend(self.ended(id).await?.filter(|ended| revive::is_of_step(&ended.job)));
        }
        Ok(after)
    }

    /// The row of the job's key.
    async fn key(&mut self, job: &Job) -> Result<Option<KeyRow>, Error> {
        let Some(key) = job.key else { return Ok(None) };
        if let Some(row) = self.round.keys.get(&key) {
            return Ok(Some(row.clone()));
        }
        let row = jobs::keys(self.conn, vec![key.0]).await?.remove(&key);
        // Where nothing is remembered, nothing stands against it.
        Ok(Some(row.unwrap_or(KeyRow { live: None, newest: job.reference, done: None })))
    }

    /// What a job would be run on and is not there any more.
    async fn lost(&mut self, ended: &Ended) -> Result<Option<&'static str>, Error> {
        let Ended { kept, job, stripped } = ended;
        if *stripped {
            return Ok(Some("what it did was erased with the data of a person"));
        }
        let database = || Error::database(READ);
        let has_key: bool = sqlx::query_scalar(HAS_KEY).bind(kept.key_id).fetch_one(&mut *self.conn).await.map_err(database())?;
        if !has_key {
            return Ok(Some("its person was erased"));
        }
        let has_event: bool =
            sqlx::query_scalar(HAS_EVENT).bind(job.event.bytes().to_vec()).fetch_one(&mut *self.conn).await.map_err(database())?;
        let collected: i64 = match job.collected {
            0 => 0,
            _ => sqlx::query_scalar(HAS_COLLECTED).bind(kept.seq).fetch_one(&mut *self.conn).await.map_err(database())?,
        };
        Ok((!has_event || collected != i64::from(job.collected)).then_some("its event was deleted"))
    }

    async fn journal(&mut self, id: JobId) -> Result<Vec<JournalEntry>, Error> {
        journals(self.conn, self.desk.sealer.ring(), vec![id]).await?.remove(&id).unwrap_or_else(|| Ok(Vec::new()))
    }

    /// Where the steps stand that a job needs.
    async fn steps(&mut self, job: &Job) -> Result<Vec<Option<JobState>>, Error> {
        let mut stand = Vec::with_capacity(job.needs.len());
        for need in &job.needs {
            if let Some(state) = self.round.jobs.get(&need.job) {
                stand.push(Some(*state));
                continue;
            }
            let row = sqlx::query(STATE).bind(need.job.bytes().to_vec()).fetch_optional(&mut *self.conn).await;
            let row = row.map_err(Error::database("read where a step stands"))?;
            stand.push(row.map(|row| Columns::new(&row, "jobs", "state").word("state", JobState::parse)).transpose()?);
        }
        Ok(stand)
    }

    async fn echoed(&mut self, job: &Job, row: Option<&KeyRow>) -> Result<bool, Error> {
        let Some((key, row)) = job.key.zip(row).filter(|(_, row)| job.state == JobState::Unknown && row.newest > job.reference) else {
            return Ok(false);
        };
        let query = sqlx::query_scalar(ECHOED).bind(key.0.to_vec()).bind(ms(row.newest)).bind(job.anchor.map(ms));
        query.fetch_one(&mut *self.conn).await.map_err(Error::database("look for what was skipped because of a job"))
    }

    async fn due(&mut self, job: &Job) -> Result<Result<Due, Reason>, Error> {
        due(self.conn, self.desk, self.ask.timetable.as_ref(), job).await
    }
}

/// What the rules in force say about the time of a job.
pub(super) async fn due(
    conn: &mut SqliteConnection,
    desk: &Desk,
    timetable: &dyn Timetable,
    job: &Job,
) -> Result<Result<Due, Reason>, Error> {
    let hashes = job.lookups.iter().map(|lookup| lookup.record.hash).collect();
    let records = load_records(conn, desk.sealer.ring(), &hashes).await?;
    let records = RecordSet(records.into_iter().map(|(hash, row)| (hash, row.document)).collect());
    Ok(timetable.due(&DueQuestion::of(job), &records))
}

fn told(job: &Job, was: JobState, with: Option<JobId>, outcome: Result<&Job, Reason>) -> Revival {
    let (next, refused) = match outcome {
        Ok(next) => (next, None),
        Err(refused) => (job, Some(refused)),
    };
    Revival {
        job: job.id,
        rule: job.rule.clone(),
        action: job.action.clone(),
        connection: job.connection.clone(),
        clinic: job.clinic.clone(),
        was,
        state: next.state,
        run_at: next.state.is_live().then_some(next.run_at),
        with,
        refused,
    }
}

/// A decision to be written down.
pub(super) struct Decision<'d> {
    pub kept: Kept,
    pub before: &'d Job,
    pub decided: Decided,
    pub with: Option<JobId>,
    pub actor: &'d Actor,
    pub now: Timestamp,
}

impl Decision<'_> {
    /// Writes it beside the job; what the audit log says of it.
    pub(super) async fn store(&self, conn: &mut SqliteConnection, desk: &Desk) -> Result<AuditEntry, Error> {
        let Self { kept, before: job, decided, with, actor, now } = self;
        let reason = job.attention.as_ref().or(job.reason.as_ref());
        let done = sqlx::query(DECISION)
            .bind(job.id.bytes().to_vec())
            .bind(&job.connection)
            .bind(&job.clinic)
            .bind(ms(*now))
            .bind(actor.as_str())
            .bind(decided.as_str())
            .bind(job.state.as_str())
            .bind(reason.and_then(|reason| serde_json::to_string(reason).ok()))
            .bind(with.map(|with| with.bytes().to_vec()))
            .execute(&mut *conn)
            .await
            .map_err(Error::database(WRITE))?;
        expect_rows("job_decisions", WRITE, 1, done.rows_affected())?;
        let keys = Keys::load(conn, desk.sealer.ring(), vec![kept.key_id]).await?;
        let others = Others::load(conn, [job.id]).await?;
        let mut detail = json!({
            "decision": decided.as_str(), "was": job.state.as_str(), "rule": job.rule, "action": job.action,
            "reason": reason.map(|reason| reason.code.as_str()),
        });
        if let Some(with) = with {
            detail["with"] = json!(with);
        }
        Ok(AuditEntry {
            connection: Some(job.connection.clone()),
            clinic: job.clinic.clone(),
            about: others.people(job.id, &keys.about(kept.key_id)),
            job: Some(job.id),
            ..AuditEntry::new(*now, AuditKind::Decided, (*actor).clone(), &detail)
        })
    }
}

/// How a job stands, wherever it is.
pub(super) async fn over(conn: &mut SqliteConnection, job: JobId) -> Result<Option<JobState>, Error> {
    let row = sqlx::query(STATE).bind(job.bytes().to_vec()).fetch_optional(conn).await.map_err(Error::database(READ))?;
    row.map(|row| Columns::new(&row, "job_history", "state").word("state", JobState::parse)).transpose()
}

/// Cancels a live job, because a person says so.
pub(crate) struct Cancel {
    pub job: JobId,
    pub actor: Actor,
    pub now: Timestamp,
}

#[async_trait]
impl Write for Cancel {
    type Answer = Option<Cancellation>;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Self::Answer, Error> {
        desk.saw(self.now);
        let Some((kept, before)) = jobs::by_ids(conn, vec![self.job]).await?.pop() else {
            return Ok(over(conn, self.job).await?.map(Cancellation::Over));
        };
        let job = revive::cancel(&before);
        steps::write_back(conn, &[(kept, job.clone(), self.now)]).await?;
        let decision = Decision { kept, before: &before, decided: Decided::Cancelled, with: None, actor: &self.actor, now: self.now };
        let entry = decision.store(conn, desk).await?;
        audit::append(conn, desk, vec![entry]).await?;
        Ok(Some(if job.state.is_live() { Cancellation::Asked(Box::new(job)) } else { Cancellation::Ended(Box::new(job)) }))
    }
}

/// What people decided about a job, in order.
pub(crate) async fn decisions(reader: Reader, job: JobId) -> Result<Vec<DecisionView>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(DECISIONS).bind(job.bytes().to_vec()).fetch_all(&mut *conn).await;
    let rows = rows.map_err(Error::database("read what people decided"))?;
    let view = |row: &SqliteRow| {
        let row = Columns::new(row, "job_decisions", "decision_id");
        Ok(DecisionView {
            at: row.time("at")?,
            actor: Actor::stored(row.get("actor")?),
            decision: row.word("decision", Decided::parse)?,
            was: row.word("was", JobState::parse)?,
            reason: row.json("reason")?,
            with: row.opt_job_id("came_with")?,
        })
    };
    rows.iter().map(view).collect()
}
