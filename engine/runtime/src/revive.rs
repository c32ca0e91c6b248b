//! Jobs that people decide about: against the rules in force, and claimed at once where they run.

use std::num::NonZeroU32;

use zelo_core::revive::Verdict;
use zelo_core::{Actor, JobId, Timestamp};
use zelo_store::{Cancellation, Error, Reschedule, Rescheduled, Revivals, Revive, Which};

use crate::Runtime;

/// What a person decides about ended jobs.
#[derive(Clone, Debug)]
pub struct Decision {
    pub which: Which,
    pub verdict: Verdict,
    /// How many of them run each minute; none: all at once.
    pub per_minute: Option<NonZeroU32>,
    /// Only says what would become of them.
    pub dry_run: bool,
    pub actor: Actor,
}

impl Runtime {
    /// Has the store do what a person decides, on the rules in force: a job whose automation is off is refused, and not run to find
    /// that out.
    ///
    /// # Errors
    /// The store failed. What it decided before stands.
    pub async fn revive(&self, decision: Decision) -> Result<Revivals, Error> {
        let Decision { which, verdict, per_minute, dry_run, actor } = decision;
        let timetable = self.rules.current().in_force.clone();
        let ask = Revive { which, verdict, per_minute, dry_run, actor, timetable };
        let revivals = self.store.revive(ask, self.clock.now()).await;
        if !dry_run {
            // Some may be due, also where it failed half-way.
            self.bell.notify_one();
        }
        let revivals = revivals?;
        let (jobs, refused) = (revivals.jobs.len(), revivals.refused());
        tracing::info!(verdict = verdict.as_str(), dry_run, jobs, refused, "a person decided about jobs");
        Ok(revivals)
    }

    /// Has a pending job run at `to`, or at once where that has passed, because a person says so; nothing where there is no such job.
    ///
    /// # Errors
    /// The store failed.
    pub async fn reschedule(&self, job: JobId, to: Timestamp, actor: Actor) -> Result<Option<Rescheduled>, Error> {
        let timetable = self.rules.current().in_force.clone();
        let moved = self.store.reschedule(Reschedule { job, to, actor, timetable }, self.clock.now()).await?;
        if matches!(moved, Some(Rescheduled::Moved(_))) {
            // It may be due by now, or be the next one.
            self.bell.notify_one();
            tracing::info!(%job, "a person moved a job");
        }
        Ok(moved)
    }

    /// Cancels a job because a person says so; nothing where there is no such job.
    ///
    /// # Errors
    /// The store failed.
    pub async fn cancel(&self, job: JobId, actor: Actor) -> Result<Option<Cancellation>, Error> {
        let cancelled = self.store.cancel(job, actor, self.clock.now()).await?;
        if matches!(cancelled, Some(Cancellation::Ended(_) | Cancellation::Asked(_))) {
            tracing::info!(%job, "a person cancelled a job");
        }
        Ok(cancelled)
    }
}
