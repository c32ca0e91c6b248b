//! Stored events, decided about once more for one rule.
//!
//! [`zelo_core::decide::Replay`] decides. Here is read what it asks about, all of it before the first, and written what it says, in one
//! transaction; a dry run is the same without the writing.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::decide::{self, Decision, Fired, Needs, Past, State};
use zelo_core::job::Reason;
use zelo_core::{Arrival, AuditEntry, AuditKind, AutomationId, Candidate, EventId, Job, JobId, JobState, Plan, Status};

use super::bulk::{Rows, expect_rows, fetch_in, in_list};
use super::column::{Columns, ms};
use super::load::load_needs;
use super::record::{Changes, Made};
use super::writer::{Desk, Write};
use super::{audit, steps};
use crate::replay::{Fate, Replay, Replayed};
use crate::{Decided, Error};

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

/// The jobs of a table that collected events of a rule: that table is read but once, so it comes first.
macro_rules! collected {
    ($jobs:literal) => {
        in_list!(
            concat!(
                "SELECT e.event_id, j.automation, j.action, j.job_id, j.state FROM job_events c CROSS JOIN events e ON e.seq = c.event \
                 CROSS JOIN ",
                $jobs,
                " j ON j.seq = c.job WHERE j.rule = ?2 AND e.event_id"
            ),
            ""
        )
    };
}

const COLLECTED: &str = concat!(collected!("jobs"), " UNION ALL ", collected!("job_history"));

const FORGOTTEN: &str = "SELECT ended FROM jobs_forgotten WHERE rule = ?1";

const DECISIONS: Rows = Rows {
    doing: "write down what a replay made",
    head: "INSERT OR FAIL INTO job_decisions (job_id, connection, clinic, at, actor, decision, was, reason) SELECT * FROM (VALUES",
    columns: 8,
    tail: ") WHERE column1 IS NOT NULL",
};

/// A replay as a whole.
pub(crate) struct Replaying {
    pub ask: Replay,
    pub now: Timestamp,
}

/// Where an event stands.
struct Stored {
    seq: i64,
    key_id: i64,
    status: Status,
    received: Timestamp,
}

#[async_trait]
impl Write for Replaying {
    type Answer = Vec<Replayed>;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Self::Answer, Error> {
        desk.saw(self.now);
        let Replay { rule, events, within, per_minute, dry_run, .. } = &self.ask;
        let stored = stored(conn, events).await?;
        let known = known(conn, rule, events).await?;
        let forgotten = sqlx::query(FORGOTTEN).bind(rule).fetch_optional(&mut *conn).await;
        let forgotten = forgotten.map_err(Error::database("read until when jobs were deleted"))?;
        let forgotten = forgotten.map(|row| Columns::new(&row, "jobs_forgotten", "rule").time("ended")).transpose()?;

        // No rule saw what is in quarantine.
        let usable = |event: &EventId| stored.get(event).filter(|stored| stored.status != Status::Quarantined);
        let arrivals: Vec<Arrival> = events.iter().filter(|arrival| usable(&arrival.event.id).is_some()).cloned().collect();
        let needs = Needs { deliveries: Default::default(), entities: Default::default(), ..Needs::of(&arrivals) };
        let (mut state, before) = load_needs(conn, desk.sealer.ring(), needs).await?;
        let mut replay = decide::Replay::new(self.now, *per_minute, known.clone());
        let (mut fates, mut decisions) = (Vec::new(), Vec::with_capacity(arrivals.len()));
        for (place, arrival) in events.iter().enumerate() {
            let Some(at) = usable(&arrival.event.id) else {
                fates.extend(fires(arrival).filter(|_| within.contains(&place)).map(|one| told(arrival, &one.origin.action, Fate::Gone)));
                continue;
            };
            let lost = within.contains(&place) && forgotten.is_some_and(|ended| at.received <= ended);
            let past = Past { arrival, stale: at.status == Status::Stale, within: within.contains(&place) && !lost };
            let fired = replay.decide(past, &mut state);
            if lost {
                let unknown = fires(arrival).filter(|one| !known.contains_key(&job_of(arrival, one)));
                fates.extend(unknown.map(|one| told(arrival, &one.origin.action, Fate::Forgotten)));
            }
            fates.extend(fired.into_iter().map(|fired| fate(arrival, fired)));
            let event = arrival.event.id;
            decisions.push(Decision { status: at.status, event, rules: Vec::new(), counted: Vec::new(), jobs: Vec::new() });
        }
        replay.finish(&mut state);
        let fates: Vec<Replayed> = fates.into_iter().map(|fate| in_the_end(fate, &state)).collect();
        if *dry_run {
            return Ok(fates);
        }
        let made = arrivals.iter().enumerate().filter_map(|(place, arrival)| {
            let Stored { seq, key_id, .. } = stored.get(&arrival.event.id)?;
            Some((arrival.event.id, Made { place, seq: *seq, key_id: *key_id }))
        });
        let made: HashMap<EventId, Made> = made.collect();
        let over: Vec<JobId> = state.dirty.new_jobs.iter().chain(&state.dirty.changed_jobs).copied().collect();
        let over: Vec<steps::Ended> = over.iter().filter_map(|id| steps::Ended::of(state.jobs.get(id)?, self.now)).collect();
        let ended = over.iter().map(|ended| (ended.job, self.now)).collect();
        let changes = Changes { arrivals: &arrivals, decisions: &decisions, state: &state, heard: HashMap::new(), ended, known: before };
        changes.of_jobs(conn, desk, &made).await?;
        steps::follow(conn, over).await?;
        self.write_down(conn, desk, &state, &fates).await?;
        Ok(fates)
    }
}

impl Replaying {
    /// Writes beside each job who made it and when, and in the audit log what was asked for and what came of it.
    async fn write_down(&self, conn: &mut SqliteConnection, desk: &mut Desk, state: &State, fates: &[Replayed]) -> Result<(), Error> {
        let Replay { rule, range, within, per_minute, actor, .. } = &self.ask;
        let jobs: Vec<&Job> = state.dirty.new_jobs.iter().filter_map(|id| state.jobs.get(id)).collect();
        let wanted = jobs.len();
        let touched = DECISIONS
            .run(conn, jobs, |query, job| {
                query
                    .bind(job.id.bytes().to_vec())
                    .bind(job.connection.as_str())
                    .bind(job.clinic.as_deref())
                    .bind(ms(self.now))
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
            "per_minute": per_minute, "came_to": counts,
        });
        let entry = AuditEntry {
            connection: range.connection.clone(),
            clinic: range.clinic.clone(),
            ..AuditEntry::new(self.now, AuditKind::Decided, actor.clone(), &detail)
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

fn fate(arrival: &Arrival, Fired { action, fate, .. }: Fired) -> Replayed {
    let told = |fate| told(arrival, &action, fate);
    match fate {
        decide::Fate::Made(job) => Replayed { job: Some(job), ..told(Fate::Made) },
        decide::Fate::Collected(job) => Replayed { job: Some(job), ..told(Fate::Collected) },
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
