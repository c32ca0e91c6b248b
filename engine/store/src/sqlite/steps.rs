//! What one job's doing makes of others: the end of a step, of those that need it; a record that was written, of those that
//! read it.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use zelo_core::settle::step_ended;
use zelo_core::{Job, JobId, JobState, KeyHash};

use super::bulk::bytes;
use super::jobs::{self, Kept};
use super::trip::Pipeline;
use crate::Error;

/// A job that ended, with when it did and which job's end it comes from.
#[derive(Clone, Copy)]
pub(crate) struct Ended {
    pub job: JobId,
    pub state: JobState,
    pub at: Timestamp,
    /// The job whose end it all began with; itself, where that is this one.
    pub root: JobId,
}

impl Ended {
    /// `job`, if it has ended.
    pub(crate) fn of(job: &Job, at: Timestamp) -> Option<Self> {
        (!job.state.is_live()).then_some(Self { job: job.id, state: job.state, at, root: job.id })
    }
}

/// Lets go, or takes along, what needs the jobs that `ended`; and so on with what ends by that. The jobs that changed, each
/// with the root of its change.
pub(crate) async fn follow(pipe: &mut Pipeline<'_>, mut ended: Vec<Ended>) -> Result<Vec<(JobId, Job)>, Error> {
    let mut followed = Vec::new();
    while !ended.is_empty() {
        let conn = pipe.now().await?;
        let mut changes: Vec<(Kept, Job, Timestamp)> = Vec::new();
        let mut roots = Vec::new();
        for (step, kept, job) in jobs::needing(conn, ended.iter().map(|ended| ended.job).collect()).await? {
            let Some(cause) = ended.iter().find(|ended| ended.job == step) else { continue };
            let place = changes.iter().position(|(_, other, _)| other.id == job.id);
            let current = place.and_then(|place| changes.get(place)).map_or(&job, |(_, job, _)| job);
            let Some(next) = step_ended(current, step, cause.state) else { continue };
            match place.and_then(|place| changes.get_mut(place)) {
                Some(change) => change.1 = next,
                None => {
                    changes.push((kept, next, cause.at));
                    roots.push(cause.root);
                }
            }
        }
        jobs::write_back(conn, &changes).await?;
        let next = changes.iter().zip(&roots).filter_map(|((_, job, at), root)| Some(Ended { root: *root, ..Ended::of(job, *at)? }));
        ended = next.collect();
        followed.extend(roots.into_iter().zip(changes.into_iter().map(|(_, job, _)| job)));
    }
    Ok(followed)
}

/// Writes changed jobs, and what their ends make of others: those.
pub(crate) async fn write_back(conn: &mut SqliteConnection, changes: &[(Kept, Job, Timestamp)]) -> Result<Vec<Job>, Error> {
    jobs::write_back(conn, changes).await?;
    let ended = changes.iter().filter_map(|(_, job, at)| Ended::of(job, *at)).collect();
    Ok(follow(&mut Pipeline::new(conn), ended).await?.into_iter().map(|(_, job)| job).collect())
}

/// Has the jobs that read records which an action wrote looked at again. The jobs, each with who wrote.
pub(crate) async fn wake(pipe: &mut Pipeline<'_>, written: &HashMap<KeyHash, (JobId, Timestamp)>) -> Result<Vec<(JobId, Job)>, Error> {
    if written.is_empty() {
        return Ok(Vec::new());
    }
    let conn = pipe.now().await?;
    let mut changes: Vec<(Kept, Job, Timestamp)> = Vec::new();
    let mut writers = Vec::new();
    for (record, kept, mut job) in jobs::reading(conn, bytes(written.keys())).await? {
        let Some((writer, at)) = written.get(&record) else { continue };
        if changes.iter().any(|(_, other, _)| other.id == job.id) {
            continue;
        }
        match job.state {
            JobState::Running => job.again = true,
            // Whether it is due is asked when it is looked at; one that has begun keeps its time.
            JobState::Scheduled if job.attempt == 0 && !job.waits() => job.run_at = *at,
            _ => continue,
        }
        writers.push(*writer);
        changes.push((kept, job, *at));
    }
    jobs::write_back(conn, &changes).await?;
    Ok(writers.into_iter().zip(changes.into_iter().map(|(_, job, _)| job)).collect())
}
