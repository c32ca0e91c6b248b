//! Over time: counting, throttling and collecting, as part of what an arrival changes.

use jiff::Timestamp;

use super::{Change, KeyRow, State, Wanted, retime};
use crate::arrival::{Candidate, LookupRef};
use crate::hash::KeyHash;
use crate::id::JobId;
use crate::job::{Job, JobState, Reason};
use crate::window::{COLLECTED_MAX, Counted, Entry, Throttle};

/// An event that joins a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    pub job: JobId,
    pub event: crate::id::EventId,
}

impl State {
    /// Whether a job came to nothing: it leaves its place in a window to another.
    fn is_void(&self, job: JobId) -> bool {
        let ended = |job: &Job| matches!(job.state, JobState::Cancelled | JobState::Skipped);
        self.void.contains(&job) || self.jobs.get(&job).is_some_and(ended)
    }

    /// Whether the job collects events, and was not looked at by any worker yet.
    fn is_open(&self, job: JobId) -> bool {
        let open = |job: &Job| job.state != JobState::Running && job.attempt == 0 && job.state.is_live() && job.collected < COLLECTED_MAX;
        self.jobs.get(&job).is_some_and(open)
    }
}

impl<'a> Change<'a> {
    /// Counts the event where the action counts. Whether the action may fire.
    pub(super) fn count(&mut self, candidate: &'a Candidate) -> bool {
        let (over, needs) = candidate.plan.over_time();
        let who = (&candidate.origin.automation, candidate.origin.action.as_str());
        if needs.iter().any(|step| self.counting.contains(&(&candidate.origin.automation, step.as_str()))) {
            self.counting.insert(who);
            return false;
        }
        let Some(count) = over.and_then(|over| over.count) else { return true };
        let entry = Entry { at: self.arrival.event.order(), job: self.job_id(candidate) };
        let counted = match &mut self.again {
            // Counting goes on with the events that came since: what a replay counts is not remembered.
            Some(replay) => replay.window(count.window).count(entry, count.at_least, count.within),
            None => {
                self.state.dirty.windows.insert(count.window);
                self.state.windows.entry(count.window).or_default().count(entry, count.at_least, count.within)
            }
        };
        if counted >= count.at_least {
            return true;
        }
        self.counting.insert(who);
        self.counted.push(Counted {
            automation: candidate.origin.automation.clone(),
            rule: candidate.origin.rule.clone(),
            action: candidate.origin.action.clone(),
            count: counted,
            at_least: count.at_least,
            within: count.within,
        });
        false
    }

    /// Takes a job into its window, in the place of the one that it replaces where that has one; or says why not.
    pub(super) fn admit(&mut self, throttle: &Throttle, replaced: Option<JobId>, job: JobId) -> Result<(), Reason> {
        let mut window = self.state.windows.get(&throttle.window).cloned().unwrap_or_default();
        let taken = replaced.is_some_and(|old| window.replace(old, job));
        if !taken {
            window.entries.retain(|entry| !self.state.is_void(entry.job));
            let entry = Entry { at: self.arrival.event.order(), job };
            if !window.admit(entry, throttle.limit, throttle.per) {
                return Err(throttle.reason());
            }
        }
        self.state.windows.insert(throttle.window, window);
        self.state.dirty.windows.insert(throttle.window);
        Ok(())
    }

    /// Collects the event under `key`: into the job that is open there, or a new one.
    pub(super) fn collect(&mut self, candidate: &Candidate, key: KeyHash, wanted: Wanted<'_>) {
        let time = self.arrival.event.order();
        let row = self.state.keys.get(&key);
        // Here only cancellations make a row newer: what is older than one of them was cancelled by it.
        if row.is_some_and(|row| time < row.newest) {
            return;
        }
        if let Some(id) = row.and_then(|row| row.live).filter(|id| self.state.is_open(*id)) {
            return self.grow(candidate, id, wanted.lookups);
        }
        let Some(id) = self.make(candidate, Wanted { collected: 1, anchor: Some(time), ..wanted }) else { return };
        let row = self.state.keys.entry(key).or_insert(KeyRow { live: None, newest: Timestamp::MIN, done: None });
        row.live = Some(id);
        self.state.dirty.keys.insert(key);
        self.state.dirty.joined.push(Joined { job: id, event: self.arrival.event.id });
    }

    /// Adds the event to an open job, which is about the newest of its events.
    fn grow(&mut self, candidate: &Candidate, id: JobId, lookups: &[LookupRef]) {
        let Some(mut job) = self.state.jobs.remove(&id) else { return };
        if !self.state.dirty.new_jobs.contains(&id) {
            self.state.dirty.grown.entry(id).or_insert_with(|| job.lookups.clone());
        }
        let event = &self.arrival.event;
        let time = event.order();
        job.collected += 1;
        job.reference = job.reference.min(time);
        if job.anchor.is_none_or(|last| time >= last) {
            job.anchor = Some(time);
            job.event = event.id;
            job.entity = self.arrival.entity;
            job.rule_digest.clone_from(&candidate.origin.rule_digest);
            self.reads(id, &job.lookups, lookups);
            job.lookups = lookups.to_vec();
        }
        let slot = job.run_at;
        retime(&mut job, self.arrival.timetable.as_ref(), self.state);
        self.again_at(&mut job, slot);
        let ended = !job.state.is_live();
        self.state.jobs.insert(id, job);
        self.state.dirty.joined.push(Joined { job: id, event: event.id });
        self.touch(id);
        if ended {
            self.state.leave(id);
        }
    }

    /// A live job reads other records from now on.
    fn reads(&mut self, job: JobId, before: &[LookupRef], after: &[LookupRef]) {
        for lookup in before {
            if let Some(readers) = self.state.readers.get_mut(&lookup.record.hash) {
                readers.remove(&job);
            }
        }
        for lookup in after {
            self.state.readers.entry(lookup.record.hash).or_default().insert(job);
        }
    }

    /// Whether a cancellation under `key` comes from before the newest event that is collected there.
    pub(super) fn is_outrun(&self, key: KeyHash) -> bool {
        let live = self.state.keys.get(&key).and_then(|row| row.live).and_then(|id| self.state.jobs.get(&id));
        live.is_some_and(|job| job.collected > 0 && job.anchor.is_some_and(|last| self.arrival.event.order() < last))
    }

    /// The id of the job that a candidate makes for this event.
    pub(super) fn job_id(&self, candidate: &Candidate) -> JobId {
        JobId::derive(self.arrival.event.id, &candidate.origin.automation, &candidate.origin.action)
    }
}

#[cfg(test)]
#[path = "over_time_tests.rs"]
mod tests;
