//! Stored events, decided about once more for one rule.
//!
//! [`zelo_core::decide::Replay`] decides. What matters to each other makes a portion: here is read what it asks about, all of it before
//! the first event, and written what it says, in one transaction. A dry run is the same for all portions on what one reader sees, without
//! the writing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::slice;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::clock::from_ms;
use zelo_core::decide::{self, Decision, Fired, Needs, Pace, Past, State};
use zelo_core::job::Reason;
use zelo_core::{Actor, Arrival, AuditEntry, AuditKind, AutomationId, Candidate, EventId, Job, JobId, JobState, KeyHash, Plan, Status};

use super::bulk::{Rows, expect_rows, fetch_in, in_list};
use super::column::{Columns, ms};
use super::jobs::Kept;
use super::load::load_needs;
use super::reader::Reader;
use super::record::{Changes, Made};
use super::trip::Pipeline;
use super::writer::{Desk, Write};
use super::{audit, steps};
use crate::replay::{Fate, Replay, Replayable, Replayed};
use crate::seal::Keyring;
use crate::{Decided, Error};

/// Matches that one transaction writes, and events that it decides about; more, where more of them matter to each other.
const PORTION: (usize, usize) = (500, 5_000);

// Those whose payload can still be opened.
const STORED: &str = in_list!(
    "SELECT e.seq, e.event_id, e.status, e.received, p.key_id FROM events e JOIN event_parts p ON p.part_id = e.seq * 256 \
     JOIN seal_keys k ON k.key_id = p.key_id AND k.wrapped IS NOT NULL WHERE e.event_id",
    ""
);

const KNOWN: &str = concat!(
    in_list!("SELECT job_id, state FROM jobs WHERE job_id", ""),
    in_list!(" UNION ALL SELECT job_id, state FROM job_history WHERE job_id", "")
);

/// The jobs of a table that collected events, from the events on.
macro_rules! collected {
    ($jobs:literal) => {
        in_list!(
            concat!(
                "SELECT e.event_id, j.automation, j.action, j.job_id, j.state FROM events e CROSS JOIN job_events c ON c.event = e.seq \
                 CROSS JOIN ",
                $jobs,
                " j ON j.seq = c.job WHERE j.rule = ?2 AND e.event_id"
            ),
            ""
        )
    };
}

const COLLECTED: &str = concat!(collected!("jobs"), " UNION ALL ", collected!("job_history"));

// Under no name stands what is true of every rule.
const FORGOTTEN: &str = "SELECT max(ended) AS ended FROM jobs_forgotten WHERE rule IN (?1, '')";

const ERASED: &str = in_list!("SELECT event_id, automation, action FROM jobs_erased WHERE event_id", "");

// What a replay made, was late then, and has not been tried yet.
const PLACED: &str = "SELECT max(j.run_at) FROM jobs j WHERE j.rule = ?1 AND j.run_at >= ?2 AND j.waits = 0 AND j.attempt = 0 AND EXISTS \
    (SELECT 1 FROM job_decisions d WHERE d.job_id = j.job_id AND d.decision = 'replayed' AND j.due <= d.at)";

const DECISIONS: Rows = Rows {
    doing: "write down what a replay made",
    head: "INSERT OR FAIL INTO job_decisions (job_id, connection, clinic, at, actor, decision, was, reason) SELECT * FROM (VALUES",
    columns: 8,
    tail: ") WHERE column1 IS NOT NULL",
};

/// What is asked of all portions.
pub(crate) struct Asked {
    rule: String,
    range: Replayable,
    within: HashSet<EventId>,
    actor: Actor,
    now: Timestamp,
    /// How many portions there are.
    portions: usize,
}

/// Events that matter to each other, and to no others.
pub(crate) struct Portion {
    asked: Arc<Asked>,
    /// Which of them it is, from 1 on.
    number: usize,
    events: Vec<Arrival>,
    pace: Pace,
}

/// What becomes of a portion.
struct Outcome {
    fates: Vec<Replayed>,
    state: State,
    stored: HashMap<EventId, Stored>,
    before: HashMap<JobId, Kept>,
    pace: Pace,
}

/// Where an event stands.
struct Stored {
    seq: i64,
    key_id: i64,
    status: Status,
    received: Timestamp,
}

/// The portions of a replay at `now`, and where the events stand in it.
pub(crate) fn portions(ask: Replay, now: Timestamp, last: Option<Timestamp>) -> (Vec<Portion>, HashMap<EventId, usize>) {
    let Replay { rule, range, events, within, per_minute, actor, .. } = ask;
    let places = events.iter().enumerate().map(|(place, arrival)| (arrival.event.id, place)).collect();
    let pace = Pace::after(now, last, per_minute);
    let cut = cut(events, &within, PORTION);
    let asked = Arc::new(Asked { rule, range, within, actor, now, portions: cut.len() });
    let portion = |(number, events)| Portion { asked: asked.clone(), number, events, pace };
    ((1..).zip(cut).map(portion).collect(), places)
}

/// Cuts `events` into as many as `most` (matches, and events), in order of arrival, such that those under one key or in one window are
/// together, however many they are.
fn cut(events: Vec<Arrival>, within: &HashSet<EventId>, most: (usize, usize)) -> Vec<Vec<Arrival>> {
    let mut first: Vec<usize> = (0..events.len()).collect();
    let mut seen: HashMap<KeyHash, usize> = HashMap::new();
    for (place, arrival) in events.iter().enumerate() {
        let Needs { keys, windows, .. } = Needs::of(slice::from_ref(arrival));
        for hash in keys.into_iter().chain(windows) {
            let (one, other) = (root(&mut first, *seen.entry(hash).or_insert(place)), root(&mut first, place));
            first[one.max(other)] = one.min(other);
        }
    }
    let mut sizes: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (place, arrival) in events.iter().enumerate() {
        let size = sizes.entry(root(&mut first, place)).or_default();
        let matches = if within.contains(&arrival.event.id) { fires(arrival).count() } else { 0 };
        *size = (size.0 + matches, size.1 + 1);
    }
    let (mut goes, mut full, mut parts) = (HashMap::new(), (0, 0), 0);
    for (first, size) in sizes {
        full = (full.0 + size.0, full.1 + size.1);
        if parts == 0 || full.0 > most.0 || full.1 > most.1 {
            (full, parts) = (size, parts + 1);
        }
        goes.insert(first, parts - 1);
    }
    let mut cut: Vec<Vec<Arrival>> = (0..parts).map(|_| Vec::new()).collect();
    for (place, arrival) in events.into_iter().enumerate() {
        cut[goes[&root(&mut first, place)]].push(arrival);
    }
    cut
}

/// The first of those that the one at `place` is together with.
fn root(first: &mut [usize], mut place: usize) -> usize {
    while first[place] != place {
        first[place] = first[first[place]];
        place = first[place];
    }
    place
}

/// When the last job runs that earlier replays of `rule` have made late, where that is not before `now`.
pub(crate) async fn placed(reader: Reader, rule: String, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let mut conn = reader.conn().await?;
    let query = sqlx::query_scalar(PLACED).bind(rule).bind(ms(now));
    let last: Option<i64> = query.fetch_one(&mut *conn).await.map_err(Error::database("look how far earlier replays go"))?;
    Ok(last.map(from_ms))
}

/// What would become of `portions`, as of one moment; the writer is not asked.
pub(crate) async fn tried(reader: Reader, portions: Vec<Portion>) -> Result<Vec<Replayed>, Error> {
    let mut conn = reader.conn().await?;
    let mut seen = conn.begin().await.map_err(Error::database("begin to read for a replay"))?;
    let (mut all, mut pace) = (Vec::new(), None);
    for portion in portions {
        let outcome = portion.behind(pace).decide(&mut seen, &reader.ring).await?;
        pace = Some(outcome.pace);
        all.extend(outcome.fates);
    }
    Ok(all)
}

impl Portion {
    /// The same, behind those before it.
    pub(crate) fn behind(self, pace: Option<Pace>) -> Self {
        Self { pace: pace.unwrap_or(self.pace), ..self }
    }

    /// Reads what it asks about, and decides.
    async fn decide(&self, conn: &mut SqliteConnection, ring: &Keyring) -> Result<Outcome, Error> {
        let (Asked { rule, within, now, .. }, events) = (self.asked.as_ref(), &self.events);
        let stored = stored(conn, events).await?;
        let mut known = known(conn, rule, events).await?;
        let forgotten = forgotten(conn, rule, events, &stored, &known).await?;
        // What nobody can tell about is left alone as if it had a job that ended.
        known.extend(forgotten.iter().map(|id| (*id, (*id, JobState::Cancelled))));
        let needs = Needs { deliveries: Default::default(), entities: Default::default(), ..Needs::of(events) };
        let (mut state, before) = load_needs(conn, ring, needs).await?;
        let mut replay = decide::Replay::new(*now, self.pace, known);
        let mut fates = Vec::new();
        for arrival in events {
            let within = within.contains(&arrival.event.id);
            let Some(at) = usable(&stored, arrival) else {
                fates.extend(fires(arrival).filter(|_| within).map(|one| told(arrival, &one.origin.action, Fate::Gone)));
                continue;
            };
            let past = Past { arrival, stale: at.status == Status::Stale, within };
            let fired = replay.decide(past, &mut state);
            fates.extend(fired.into_iter().map(|fired| fate(arrival, fired, &forgotten)));
        }
        let pace = replay.finish(&mut state);
        let fates = fates.into_iter().map(|fate| in_the_end(fate, &state)).collect();
        Ok(Outcome { fates, state, stored, before, pace })
    }
}

#[async_trait]
impl Write for Portion {
    type Answer = (Vec<Replayed>, Pace);

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Self::Answer, Error> {
        let now = self.asked.now;
        desk.saw(now);
        let Outcome { fates, state, stored, before, pace } = self.decide(conn, desk.sealer.ring()).await?;
        let made = self.events.iter().enumerate().filter_map(|(place, arrival)| {
            let Stored { seq, key_id, .. } = usable(&stored, arrival)?;
            Some((arrival.event.id, Made { place, seq: *seq, key_id: *key_id }))
        });
        let made: HashMap<EventId, Made> = made.collect();
        let over: Vec<JobId> = state.dirty.new_jobs.iter().chain(&state.dirty.changed_jobs).copied().collect();
        let over: Vec<steps::Ended> = over.iter().filter_map(|id| steps::Ended::of(state.jobs.get(id)?, now)).collect();
        let ended = over.iter().map(|ended| (ended.job, now)).collect();
        let decision = |arrival: &Arrival| Decision {
            status: usable(&stored, arrival).map_or(Status::Quarantined, |stored| stored.status),
            event: arrival.event.id,
            rules: Vec::new(),
            counted: Vec::new(),
            jobs: Vec::new(),
        };
        let decisions: Vec<Decision> = self.events.iter().map(decision).collect();
        let changes = Changes { arrivals: &self.events, decisions: &decisions, state: &state, heard: HashMap::new(), ended, known: before };
        let mut pipe = Pipeline::new(conn);
        changes.of_jobs(&mut pipe, desk, &made).await?;
        steps::follow(&mut pipe, over).await?;
        let conn = pipe.now().await?;
        self.write_down(conn, desk, &state, &fates).await?;
        Ok((fates, pace))
    }
}

/// Where an event stands that a replay may be about: no rule saw what is in quarantine.
fn usable<'s>(stored: &'s HashMap<EventId, Stored>, arrival: &Arrival) -> Option<&'s Stored> {
    stored.get(&arrival.event.id).filter(|stored| stored.status != Status::Quarantined)
}

impl Portion {
    /// Writes beside each job who made it and when, and in the audit log what was asked for and what came of it.
    async fn write_down(&self, conn: &mut SqliteConnection, desk: &mut Desk, state: &State, fates: &[Replayed]) -> Result<(), Error> {
        let Asked { rule, range, within, actor, now, portions } = self.asked.as_ref();
        let jobs: Vec<&Job> = state.dirty.new_jobs.iter().filter_map(|id| state.jobs.get(id)).collect();
        let wanted = jobs.len();
        let touched = DECISIONS
            .run(conn, jobs, |query, job| {
                query
                    .bind(job.id.bytes().to_vec())
                    .bind(job.connection.as_str())
                    .bind(job.clinic.as_deref())
                    .bind(ms(*now))
                    .bind(actor.as_str())
                    .bind(Decided::Replayed.as_str())
                    .bind(job.state.as_str())
                    .bind(job.reason.as_ref().and_then(|reason| serde_json::to_string(reason).ok()))
            })
            .await?;
        expect_rows("job_decisions", DECISIONS.doing, wanted, touched)?;
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for fate in fates {
            *counts.entry(fate.fate.as_str()).or_default() += 1;
        }
        let detail = json!({
            "decision": Decided::Replayed.as_str(), "rule": rule, "from": range.from, "to": range.to, "events": within.len(),
            "per_minute": self.pace.per_minute, "portion": [self.number, portions], "came_to": counts,
        });
        let entry = AuditEntry {
            connection: range.connection.clone(),
            clinic: range.clinic.clone(),
            ..AuditEntry::new(*now, AuditKind::Decided, actor.clone(), &detail)
        };
        audit::append(conn, desk, vec![entry]).await
    }
}

/// What of an arrival would be a job.
fn fires(arrival: &Arrival) -> impl Iterator<Item = &Candidate> {
    arrival.candidates.iter().filter(|candidate| matches!(candidate.plan, Plan::Fire { .. }))
}

fn job_of(arrival: &Arrival, candidate: &Candidate) -> JobId {
    JobId::derive(arrival.event.id, &candidate.origin.automation, &candidate.origin.action)
}

async fn stored(conn: &mut SqliteConnection, events: &[Arrival]) -> Result<HashMap<EventId, Stored>, Error> {
    let ids = events.iter().map(|arrival| *arrival.event.id.bytes()).collect();
    let rows = fetch_in(conn, "look for the events of a replay", STORED, ids).await?;
    let stored = |row: &SqliteRow| {
        let row = Columns::new(row, "events", "event_id");
        let status = row.word("status", Status::parse)?;
        Ok((
            row.event_id("event_id")?,
            Stored { seq: row.get("seq")?, key_id: row.get("key_id")?, status, received: row.time("received")? },
        ))
    };
    rows.iter().map(stored).collect()
}

/// The jobs that there are for `events`, by the id of the job that would be made.
async fn known(conn: &mut SqliteConnection, rule: &str, events: &[Arrival]) -> Result<HashMap<JobId, (JobId, JobState)>, Error> {
    let doing = "look for the jobs of a replay";
    let mut known = HashMap::new();
    let ids = events.iter().flat_map(|arrival| fires(arrival).map(|one| *job_of(arrival, one).bytes())).collect();
    for row in &fetch_in(conn, doing, KNOWN, ids).await? {
        let row = Columns::new(row, "jobs", "job_id");
        let id = row.job_id("job_id")?;
        known.insert(id, (id, row.word("state", JobState::parse)?));
    }
    let collects = |one: &Candidate| matches!(&one.plan, Plan::Fire { over, .. } if over.debounce.is_some());
    let collecting: Vec<_> = events.iter().filter(|arrival| arrival.candidates.iter().any(collects)).collect();
    if collecting.is_empty() {
        return Ok(known);
    }
    let ids = collecting.iter().map(|arrival| *arrival.event.id.bytes()).collect();
    let rows = sqlx::query(COLLECTED).bind(super::bulk::packed(ids)).bind(rule).fetch_all(conn).await.map_err(Error::database(doing))?;
    for row in &rows {
        let row = Columns::new(row, "job_events", "job_id");
        let automation = AutomationId(row.get("automation")?);
        let would_be = JobId::derive(row.event_id("event_id")?, &automation, row.get("action")?);
        known.entry(would_be).or_insert((row.job_id("job_id")?, row.word("state", JobState::parse)?));
    }
    Ok(known)
}

/// What would be jobs of `events`, and nobody can tell whether they were: jobs of their time were deleted, or theirs was, with a person.
async fn forgotten(
    conn: &mut SqliteConnection,
    rule: &str,
    events: &[Arrival],
    stored: &HashMap<EventId, Stored>,
    known: &HashMap<JobId, (JobId, JobState)>,
) -> Result<HashSet<JobId>, Error> {
    let doing = "read what is known of deleted jobs";
    let row = sqlx::query(FORGOTTEN).bind(rule).fetch_one(&mut *conn).await.map_err(Error::database(doing))?;
    let ended: Option<i64> = Columns::new(&row, "jobs_forgotten", "rule").get("ended")?;
    let lost = |arrival: &&Arrival| stored.get(&arrival.event.id).is_some_and(|at| ended.is_some_and(|ended| ms(at.received) <= ended));
    let lost = events.iter().filter(lost).flat_map(|arrival| fires(arrival).map(|one| job_of(arrival, one)));
    let mut forgotten: HashSet<JobId> = lost.filter(|id| !known.contains_key(id)).collect();
    let ids = events.iter().map(|arrival| *arrival.event.id.bytes()).collect();
    for row in &fetch_in(conn, doing, ERASED, ids).await? {
        let row = Columns::new(row, "jobs_erased", "event_id");
        let id = JobId::derive(row.event_id("event_id")?, &AutomationId(row.get("automation")?), row.get("action")?);
        if !known.contains_key(&id) {
            forgotten.insert(id);
        }
    }
    Ok(forgotten)
}

fn told(arrival: &Arrival, action: &str, fate: Fate) -> Replayed {
    Replayed {
        event: arrival.event.id,
        connection: arrival.event.connection.clone(),
        clinic: arrival.event.clinic.clone(),
        action: action.to_owned(),
        fate,
        job: None,
        state: None,
        due: None,
        run_at: None,
        reason: None,
    }
}

fn fate(arrival: &Arrival, Fired { action, fate, .. }: Fired, forgotten: &HashSet<JobId>) -> Replayed {
    let told = |fate| told(arrival, &action, fate);
    match fate {
        decide::Fate::Made(job) => Replayed { job: Some(job), ..told(Fate::Made) },
        decide::Fate::Collected(job) => Replayed { job: Some(job), ..told(Fate::Collected) },
        decide::Fate::Known(job, _) if forgotten.contains(&job) => told(Fate::Forgotten),
        decide::Fate::Known(job, state) => Replayed { job: Some(job), state: Some(state), ..told(Fate::Known) },
        decide::Fate::Counted(counted) => Replayed { reason: Some(Reason::new("counted", counted.to_string())), ..told(Fate::Counted) },
        decide::Fate::Outdated(reason) => Replayed { reason: Some(reason), ..told(Fate::Outdated) },
    }
}

/// The same with how its job stands when all events were heard.
fn in_the_end(fate: Replayed, state: &State) -> Replayed {
    let job = fate.job.filter(|_| fate.fate.runs()).and_then(|job| state.jobs.get(&job));
    let Some(job) = job else { return fate };
    let word = match job.state {
        JobState::Skipped => Fate::Skipped,
        JobState::Cancelled => Fate::Cancelled,
        _ => fate.fate,
    };
    let run_at = job.state.is_live().then_some(job.run_at);
    Replayed { fate: word, state: Some(job.state), due: Some(job.due), run_at, reason: job.reason.clone(), ..fate }
}

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::*;
    use crate::sqlite::migrate::migrate;

    #[tokio::test]
    async fn what_was_collected_is_found_from_the_events_on() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        migrate(&mut conn, "a test").await.unwrap();
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {COLLECTED}"))).fetch_all(&mut conn).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        assert_eq!(plan.iter().filter(|step| step.contains("job_events_event")).count(), 2, "{plan:#?}");
        assert!(plan.iter().all(|step| !step.starts_with("SCAN") || step.contains("cut") || step.contains("CONSTANT")), "{plan:#?}");
    }
}
