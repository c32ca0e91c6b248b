//! The ends of attempts: what [`zelo_core::settle`] decides, written with what the attempts did, fenced by the lease; and
//! what follows from it for other jobs.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use zelo_core::decide::KeyRow;
use zelo_core::job::Reason;
use zelo_core::settle::{Settled, Settlement, settle as decide};
use zelo_core::{Arrival, Job, JobId, JobState, KeyHash};

use super::audit;
use super::bulk::{fetch_each, in_list};
use super::effects::{Effects, Spoken, Within};
use super::jobs::{self, Ended, Kept, KeyOf, job_columns, jobs_by_id};
use super::keys::Keys;
use super::others::{self, Others, Records, about_jobs};
use super::record::{Payload, record};
use super::steps;
use super::trip::{Pipeline, Trip};
use super::writer::Desk;
use crate::seal::Place;
use crate::{Error, Outcome};

/// The jobs that settlements name, the rows of their keys, and whose data they have.
macro_rules! named {
    () => {
        concat!(
            jobs_by_id!(),
            in_list!(
                "; SELECT job_key, live, newest, done, done_anchor FROM job_keys WHERE job_key IN (SELECT job_key FROM jobs WHERE job_id",
                ")"
            ),
            "; ",
            about_jobs!()
        )
    };
}

const NAMED: &str = named!();

/// The same as the first thing of a transaction.
const BEGIN_AND_NAMED: &str = concat!("BEGIN IMMEDIATE; ", named!());

/// One job that settlements name, as it stands now.
struct Entry {
    kept: Kept,
    job: Job,
    changed: bool,
    ended: Option<Timestamp>,
    summary: Option<Vec<u8>>,
}

/// Stores `settlements` in order, inside the writer's transaction, which it may be the one to begin.
pub(crate) async fn settle(
    pipe: &mut Pipeline<'_>,
    desk: &mut Desk,
    settlements: &[(Settlement, Timestamp)],
    begins: bool,
) -> Result<Vec<Outcome>, Error> {
    let ids = settlements.iter().map(|(settlement, _)| *settlement.job.bytes()).collect();
    let conn = pipe.now().await?;
    let named = fetch_each(conn, "read jobs", if begins { BEGIN_AND_NAMED } else { NAMED }, ids).await?;
    let [.., named, under, about] = named.as_slice() else { return Err(Error::database("read jobs")(sqlx::Error::RowNotFound)) };
    let loaded = named.iter().map(jobs::live_job).collect::<Result<Vec<_>, _>>()?;
    let (mut rows, others) = (jobs::key_rows(under)?, Others::of_rows(about)?);
    let keys = Keys::load(conn, desk.sealer.ring(), loaded.iter().map(|(kept, _)| kept.key_id).collect()).await?;
    let mut entries: HashMap<JobId, Entry> =
        loaded.into_iter().map(|(kept, job)| (job.id, Entry { kept, job, changed: false, ended: None, summary: None })).collect();

    let connection = |id: &JobId| entries.get(id).map_or("", |entry| entry.job.connection.as_str());
    let all: Vec<Vec<KeyHash>> =
        settlements.iter().map(|(settlement, _)| others::shown(&desk.indexer, connection(&settlement.job), settlement)).collect();
    let records = Records::load(conn, all.iter().flatten().copied()).await?;
    let mut shown = HashMap::new();
    let mut outcomes = Vec::with_capacity(settlements.len());
    let mut effects = Effects::default();
    let mut changed_keys = BTreeSet::new();
    // Of each settlement whose effects are kept: its place, and the events it emits.
    let mut emitted: Vec<(usize, JobId, &[Arrival])> = Vec::new();
    for ((settlement, now), of_records) in settlements.iter().zip(all) {
        desk.saw(*now);
        let Some(entry) = entries.get_mut(&settlement.job) else {
            outcomes.push(outcome(Settled::Stale));
            continue;
        };
        if records.lack(&of_records) {
            // Shown it was, all the same.
            if entry.job.state == JobState::Running && entry.job.lease == settlement.lease {
                effects.collect_seen(settlement.job, &settlement.journal, *now);
            }
            outcomes.push(outcome(Settled::Stale));
            continue;
        }
        let row = entry.job.key.and_then(|key| rows.get(&key));
        let settled = decide(&entry.job, row, settlement, *now);
        if let Settled::Applied { job, key, keep_effects } = &settled {
            shown.insert(job.id, of_records);
            if let (Some(hash), Some(row)) = (entry.job.key, key) {
                rows.insert(hash, row.clone());
                changed_keys.insert(hash);
            }
            if !settlement.report.is_empty() {
                let state = job.state;
                effects.reports.push(Spoken { job: job.id, attempt: entry.job.attempt, state, report: &settlement.report, at: *now });
            }
            if let Some(shown) = &settlement.shown {
                effects.disclosed(job.id, shown, *now);
            }
            entry.job = Job::clone(job);
            entry.changed = true;
            entry.ended = (!job.state.is_live()).then_some(*now);
            if *keep_effects {
                effects.collect(settlement.job, &settlement.journal, &settlement.local, *now);
                emitted.push((outcomes.len(), settlement.job, &settlement.emitted));
                if let Some(summary) = settlement.report.summary.as_ref().filter(|_| entry.ended.is_some()) {
                    let key = keys.get(entry.kept.key_id)?;
                    entry.summary = Some(desk.sealer.ring().seal(key, summary_at(&settlement.job), &[summary.as_bytes()]));
                }
            } else {
                effects.collect_seen(settlement.job, &settlement.journal, *now);
            }
        }
        outcomes.push(outcome(settled));
    }
    store(pipe.later(), &mut entries, &rows, changed_keys);
    let jobs = entries.values().map(|entry| (entry.job.id, (entry.kept, &entry.job))).collect();
    let stored = effects.store(pipe, &Within { desk, keys: &keys, jobs, shown, records }, others).await?;
    audit::write(pipe.later(), desk, stored.audit);
    let ended = entries.values().filter_map(|entry| steps::Ended::of(&entry.job, entry.ended?)).collect();
    let mut followed = steps::follow(pipe, ended).await?;
    followed.extend(needless(pipe, &entries, &rows).await?);
    followed.extend(steps::wake(pipe, &stored.records).await?);
    for (by, job) in followed {
        let place = settlements.iter().rposition(|(settlement, _)| settlement.job == by);
        if let Some(outcome) = place.and_then(|place| outcomes.get_mut(place)) {
            outcome.others.push(job);
        }
    }
    emit(pipe, desk, &stored.others, &emitted, &mut outcomes).await?;
    Ok(outcomes)
}

fn outcome(settled: Settled) -> Outcome {
    Outcome { settled, others: Vec::new(), emitted: Vec::new() }
}

/// Ends jobs that were made under the key of one that was then done after all, for the same time: it is not done twice.
async fn needless(
    pipe: &mut Pipeline<'_>,
    entries: &HashMap<JobId, Entry>,
    rows: &HashMap<KeyHash, KeyRow>,
) -> Result<Vec<(JobId, Job)>, Error> {
    let done = entries.values().filter(|entry| entry.changed && entry.job.state == JobState::Done);
    let done: Vec<(&Job, JobId, Timestamp)> =
        done.filter_map(|entry| Some((&entry.job, rows.get(&entry.job.key?)?.live?, entry.ended?))).collect();
    if done.is_empty() {
        return Ok(Vec::new());
    }
    let conn = pipe.now().await?;
    let mut ended = Vec::new();
    for (kept, mut job) in jobs::by_ids(conn, done.iter().map(|(_, live, _)| *live).collect()).await? {
        let Some((first, _, at)) = done.iter().find(|(first, live, _)| *live == job.id && first.anchor == job.anchor) else { continue };
        // What was collected is not done again, whenever it happened.
        if job.state == JobState::Running || job.attempt > 0 || job.collected > 0 {
            continue;
        }
        job.state = JobState::Skipped;
        job.attention = None;
        job.reason = Some(Reason::new("already_done", "done before for this very time, and not done twice"));
        ended.push((first.id, (kept, job, *at)));
    }
    let mut others = Vec::new();
    for (first, change) in ended {
        others.push((first, change.1.clone()));
        others.extend(steps::write_back(conn, &[change]).await?.into_iter().map(|job| (first, job)));
    }
    Ok(others)
}

/// Stores the events that settlements emitted, in order.
pub(crate) async fn emit(
    pipe: &mut Pipeline<'_>,
    desk: &mut Desk,
    others: &Others,
    emitted: &[(usize, JobId, &[Arrival])],
    outcomes: &mut [Outcome],
) -> Result<(), Error> {
    let arrivals: Vec<Arrival> = emitted.iter().flat_map(|(_, _, arrivals)| arrivals.iter().cloned()).collect();
    if arrivals.is_empty() {
        return Ok(());
    }
    let mut payloads: Vec<Option<Payload>> = arrivals.iter().map(|_| None).collect();
    let places: Vec<usize> = emitted.iter().flat_map(|(place, _, arrivals)| vec![*place; arrivals.len()]).collect();
    let decisions = record(pipe, desk, &arrivals, &mut payloads, false).await?;
    let by = emitted.iter().flat_map(|(_, job, arrivals)| arrivals.iter().map(|_| *job));
    others::link(pipe.later(), others, &by.zip(&decisions).collect::<Vec<_>>());
    for (place, decision) in places.into_iter().zip(decisions) {
        if let Some(outcome) = outcomes.get_mut(place) {
            outcome.emitted.push(decision);
        }
    }
    Ok(())
}

/// Writes jobs and their keys back.
fn store(trip: &mut Trip, entries: &mut HashMap<JobId, Entry>, rows: &HashMap<KeyHash, KeyRow>, changed_keys: BTreeSet<KeyHash>) {
    let mut summaries: HashMap<JobId, Vec<u8>> =
        entries.iter_mut().filter_map(|(id, entry)| entry.summary.take().map(|summary| (*id, summary))).collect();
    let (mut update, mut end, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    let mut left = changed_keys;
    for entry in entries.values().filter(|entry| entry.changed) {
        let Entry { kept, job, .. } = entry;
        match entry.ended {
            Some(at) => end.push(Ended { kept: *kept, job, at, summary: summaries.remove(&job.id), was_live: true }),
            None => update.push((*kept, job)),
        }
        if let Some(key) = job.key.filter(|key| left.remove(key))
            && let Some(row) = rows.get(&key)
        {
            keys.push(KeyOf { key, row: row.clone(), connection: &job.connection, clinic: job.clinic.as_deref() });
        }
    }
    end.sort_by_key(|ended| ended.kept.seq);
    jobs::update(trip, update);
    jobs::end(trip, end);
    jobs::put_keys(trip, keys);
}

/// Where the summary of an ended job stands.
pub(crate) fn summary_at(job: &JobId) -> Place<'_> {
    Place { table: "job_history", column: "summary", row: job.bytes() }
}
