//! Events that are stored already, decided about once more: for a rule that was not in force when they came, or was another.
//!
//! The same decisions as about an arrival, with these differences: what the event says about entities and records is known already
//! and is not heard again; an action that has a job for it, however that ended, gets no other; and a job whose time has passed is
//! late as of now, not as of its event. Events outside of the range make nothing, but they are heard: what they replaced or cancelled
//! would have been replaced or cancelled, so it is.

use std::collections::HashMap;
use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};

use super::{Change, State};
use crate::arrival::{Arrival, Candidate, Plan};
use crate::hash::KeyHash;
use crate::id::{AutomationId, JobId};
use crate::job::{Job, JobState, Reason};
use crate::settle::step_ended;
use crate::timing::{Due, DueQuestion};
use crate::window::{Counted, Window};

/// The code of the reason of a job that a replay makes too late to be run.
pub const REPLAY_LATE: &str = "late";

/// When jobs run whose time has passed: each in a slot of its own.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// When the first slot is.
    pub begins: Timestamp,
    /// How many slots each minute has.
    pub per_minute: NonZeroU32,
    /// Slots that are taken.
    pub taken: u32,
}

impl Pace {
    /// From `now` on, but behind what ran last of earlier replays.
    pub fn after(now: Timestamp, last: Option<Timestamp>, per_minute: NonZeroU32) -> Self {
        let free = Self { begins: now, per_minute, taken: 0 };
        let Some(last) = last.filter(|last| *last >= now) else { return free };
        Self { begins: Self { begins: last, taken: 1, ..free }.next(), ..free }
    }

    /// When the next slot is.
    fn next(&self) -> Timestamp {
        let wait = SignedDuration::from_millis(60_000 * i64::from(self.taken) / i64::from(self.per_minute.get()));
        self.begins.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }
}

/// One replay: what it knows, and how far it is.
#[derive(Debug)]
pub struct Replay {
    now: Timestamp,
    pace: Pace,
    /// The jobs that there are for its events, by the id of the job that would be made: most are that job, some collected the event.
    known: HashMap<JobId, (JobId, JobState)>,
    /// Events that were counted, by the hash that tells them apart: beginning with the first event of the range.
    counts: HashMap<KeyHash, Window>,
}

/// A stored event, with what the rule wants because of it.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    pub arrival: &'a Arrival,
    /// Something newer was known of its entity when it came.
    pub stale: bool,
    /// Whether it may make jobs: others are only heard.
    pub within: bool,
}

/// What becomes of an action that an event of the range fires.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    pub automation: AutomationId,
    pub action: String,
    pub fate: Fate,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// A job is made. How it stands in the end is in the [`State`]: a later event may have ended it.
    Made(JobId),
    /// It joins a job that collects events.
    Collected(JobId),
    /// There is a job for it already.
    Known(JobId, JobState),
    /// It is counted, and does not fire yet.
    Counted(Counted),
    /// Something newer has spoken.
    Outdated(Reason),
}

impl Replay {
    /// A replay at `now` of events for which there are the jobs of `known`.
    pub fn new(now: Timestamp, pace: Pace, known: HashMap<JobId, (JobId, JobState)>) -> Self {
        Self { now, pace, known, counts: HashMap::new() }
    }

    /// Decides about the next event, in order of arrival, and changes `state`.
    pub fn decide(&mut self, past: Past<'_>, state: &mut State) -> Vec<Fired> {
        let mut change = Change::new(past.arrival, state);
        change.stale = past.stale;
        change.again = Some(self);
        let fates = past.arrival.candidates.iter().filter_map(|candidate| {
            let fate = change.look_again(candidate, past.within)?;
            let origin = &candidate.origin;
            Some(Fired { automation: origin.automation.clone(), action: origin.action.clone(), fate })
        });
        fates.collect()
    }

    /// Ends what waits for a step that has ended with all that came, once nothing comes any more; how the next replay of the same moment
    /// goes on.
    pub fn finish(self, state: &mut State) -> Pace {
        let mut waiting: Vec<JobId> = state.dirty.new_jobs.iter().copied().collect();
        let mut before = usize::MAX;
        // As long as that ends others.
        while waiting.len() < before {
            before = waiting.len();
            waiting.retain(|id| !end_with_step(*id, state));
        }
        self.pace
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) fn window(&mut self, hash: KeyHash) -> &mut Window {
        self.counts.entry(hash).or_default()
    }

    /// A live job was made: if its time has passed, it has taken a slot.
    pub(super) fn made(&mut self, job: &Job) {
        self.pace.taken = self.pace.taken.saturating_add(u32::from(job.due <= self.now && !job.waits()));
    }
}

impl<'a> Change<'a> {
    /// What becomes of what a candidate wants; nothing, where it fires nothing or may not.
    fn look_again(&mut self, candidate: &'a Candidate, within: bool) -> Option<Fate> {
        let Plan::Fire { key, over, .. } = &candidate.plan else {
            if candidate.plan.key().is_some_and(|key| !self.is_of_another(key)) {
                self.consider(candidate);
            }
            return None;
        };
        let key = key.filter(|_| over.debounce.is_none());
        let known = self.again.as_ref().and_then(|replay| replay.known.get(&self.job_id(candidate)).copied());
        if let Some((job, state)) = known {
            self.silence(key, "replaced", "replaced: a newer event came for the same key, and has a job");
            if let (Some(replay), Some(count)) = (self.again.as_mut(), over.count) {
                // It fired then, and counting began again.
                replay.counts.remove(&count.window);
            }
            if state.is_live() || state == JobState::Done {
                self.steps.insert((&candidate.origin.automation, &candidate.origin.action), (job, state == JobState::Done));
            }
            return within.then_some(Fate::Known(job, state));
        }
        if !within {
            self.silence(key, "outside", "a newer event came for the same key, after the end of the range that is replayed");
            return None;
        }
        if key.is_some_and(|key| self.is_of_another(key)) {
            return Some(Fate::Outdated(newer()));
        }
        let (counted, joined) = (self.counted.len(), self.state.dirty.joined.len());
        self.consider(candidate);
        let id = self.job_id(candidate);
        Some(match (self.state.dirty.new_jobs.contains(&id), self.state.dirty.joined.get(joined), self.counted.get(counted)) {
            (true, ..) => Fate::Made(id),
            (_, Some(joined), _) => Fate::Collected(joined.job),
            (_, _, Some(counted)) => Fate::Counted(counted.clone()),
            _ if self.stale => Fate::Outdated(Reason::new("stale", "it came late: something newer was known of the same thing")),
            _ if self.counting.contains(&(&candidate.origin.automation, candidate.origin.action.as_str())) => {
                Fate::Outdated(Reason::new("step", "the step that it needs only counted this event"))
            }
            _ => Fate::Outdated(newer()),
        })
    }

    /// Whether what is pending under `key` is of an event of the very same time, and was not made here: whose word is the later one
    /// was decided when they came.
    fn is_of_another(&self, key: KeyHash) -> bool {
        let row = self.state.keys.get(&key).filter(|row| row.newest == self.arrival.event.order());
        row.and_then(|row| row.live).is_some_and(|live| !self.state.dirty.new_jobs.contains(&live))
    }

    /// A newer word under `key` that makes nothing here: what was made here for an older one is not wanted.
    fn silence(&mut self, key: Option<KeyHash>, code: &str, text: &str) {
        let Some(key) = key.filter(|key| self.speaks(*key)) else { return };
        let live = self.state.keys.get(&key).and_then(|row| row.live);
        if live.is_some_and(|live| self.state.dirty.new_jobs.contains(&live)) {
            self.cancel(key, &Reason::new(code, text));
        }
    }

    /// When a job runs that is `due`: of an event that arrives, then. In a replay, one whose time has passed runs as soon as may be, in
    /// its turn and where its hours are open.
    ///
    /// # Errors
    /// It is too late for that, as its rule says.
    pub(super) fn run_at(&self, question: &DueQuestion<'_>, due: Due) -> Result<Timestamp, Reason> {
        match &self.again {
            Some(replay) if due.at <= replay.now => self.late(question, due, replay.pace.next()),
            _ => Ok(due.at),
        }
    }

    /// The same for a job that has collected one more event, and has a slot already where it was made here.
    pub(super) fn again_at(&self, job: &mut Job, slot: Timestamp) {
        let Some(replay) = self.again.as_ref().filter(|_| job.state.is_live()) else { return };
        if job.due > replay.now {
            return;
        }
        let slot = if self.state.dirty.new_jobs.contains(&job.id) { slot.max(replay.now) } else { replay.now };
        match self.late(&DueQuestion::of(job), Due { at: job.due, expires: job.expires }, slot) {
            Ok(run_at) => job.run_at = run_at,
            Err(reason) => job.end(JobState::Skipped, reason),
        }
    }

    /// When a job runs whose time had passed at `slot`.
    fn late(&self, question: &DueQuestion<'_>, due: Due, slot: Timestamp) -> Result<Timestamp, Reason> {
        let late = |text: &str| Reason::new(REPLAY_LATE, text);
        let soonest = self.arrival.timetable.due(&DueQuestion { reference: slot, ..question.clone() }, self.state).map_err(|reason| {
            if reason.code == "late" { late("its time has passed by now, and its rule sends nothing so late") } else { reason }
        })?;
        let run_at = soonest.at.max(slot);
        match due.expires {
            Some(expires) if expires <= run_at => Err(late("its time, and what its rule allows after it, have passed by now")),
            _ => Ok(run_at),
        }
    }
}

/// Ends a job that was made here if one of its steps, made here too, came to nothing; whether it did.
fn end_with_step(id: JobId, state: &mut State) -> bool {
    let Some(job) = state.jobs.get(&id).filter(|job| job.state.is_live()) else { return false };
    let steps = job.needs.iter().filter(|need| !need.done).filter_map(|need| state.jobs.get(&need.job));
    let next = steps.filter(|step| !step.state.is_live()).find_map(|step| step_ended(job, step.id, step.state));
    let Some(next) = next else { return false };
    state.jobs.insert(id, next);
    state.leave(id);
    true
}

fn newer() -> Reason {
    Reason::new("newer", "something newer has spoken for the same key")
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
