//! A person says when a pending job runs.
//!
//! Their word stands in the place of the time that the rules give, as long as the rules give that: an appointment that is put off, or
//! another setting, makes another time, and that holds. What is checked when the job runs is checked all the same.

use jiff::Timestamp;

use crate::job::{Job, JobState, Moved, Reason};
use crate::revive::STEP;
use crate::timing::{Due, DueQuestion, Records, Timetable};

/// When `job` is due: as a person said, else as the rules do, on the records given.
///
/// # Errors
/// As of [`Timetable::due`].
pub fn due(job: &Job, timetable: &dyn Timetable, records: &dyn Records) -> Result<Due, Reason> {
    timetable.due(&DueQuestion::of(job), records).map(|due| standing(job, due).0)
}

/// When a job is due that is so by the rules, and what of a person's word stands against them.
pub(crate) fn standing(job: &Job, due: Due) -> (Due, Option<Moved>) {
    let moved = job.moved.filter(|moved| moved.from == due.at);
    (moved.map_or(due, |moved| Due { at: moved.to, ..due }), moved)
}

/// What becomes of a pending job that a person wants to run at `to`, or at once where that has passed. `due` is what the rules say about
/// its time, on the records of now.
///
/// # Errors
/// Why it stays where it is.
pub fn reschedule(job: &Job, due: Result<Due, Reason>, to: Timestamp, now: Timestamp) -> Result<Job, Reason> {
    if !matches!(job.state, JobState::Scheduled | JobState::Ready) {
        let text = format!("it is {}: only a job that has not begun can be moved", job.state.as_str());
        return Err(Reason::new("wrong_state", text));
    }
    if job.attempt > 0 {
        return Err(Reason::new("begun", "it has begun, and is tried again by itself"));
    }
    if let Some(need) = job.needs.iter().find(|need| !need.done) {
        return Err(Reason::new(STEP, format!("it comes after its step `{}`, and runs when that is done", need.step)));
    }
    let due = due?;
    let to = to.max(now);
    if let Some(expires) = due.expires.filter(|expires| to >= *expires) {
        return Err(Reason::new("expired", format!("too late: it expires at {expires}")));
    }
    // What reminds of something is no use after it. What collects events counts from the last of them.
    if let Some(anchor) = job.anchor.filter(|anchor| job.collected == 0 && due.at < *anchor && to >= *anchor) {
        return Err(Reason::new("after_anchor", format!("too late: it is to come before {anchor}")));
    }
    let mut next = job.clone();
    next.moved = (to != due.at).then_some(Moved { from: due.at, to });
    (next.due, next.expires, next.run_at) = (to, due.expires, to);
    next.state = JobState::Scheduled;
    next.attention = None;
    Ok(next)
}

#[cfg(test)]
#[path = "reschedule_tests.rs"]
mod tests;
