//! The job that an action would make: when it would run, and whether it could.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Map;
use zelo_core::job::Reason;
use zelo_core::timing::{Due, DueQuestion, Timetable};
use zelo_core::{Candidate, Job, JobId, JobState, Plan};

use super::Question;
use crate::condition::{Language, Reveal, Told};
use crate::in_force::InForce;
use crate::prepare::Unprepared;

/// A job as it would be.
#[derive(Clone, Debug, Serialize)]
pub struct JobTold {
    /// `ready`, `scheduled`, or `skipped`; `waits` where something is missing now.
    pub state: &'static str,
    pub due: Option<Timestamp>,
    pub expires: Option<Timestamp>,
    /// The actions that come before it.
    pub needs: Vec<String>,
    /// The fields that would reach the plugin.
    pub fields: Vec<String>,
    /// Why it would not run, or what it would wait for.
    pub reason: Option<Reason>,
}

/// What would come of a candidate that fires.
pub(super) struct Prospect<'p> {
    in_force: &'p InForce,
    question: &'p Question<'p>,
    job: Result<Job, Reason>,
    needs: Vec<String>,
}

impl<'p> Prospect<'p> {
    pub(super) fn new(in_force: &'p InForce, question: &'p Question<'p>, candidate: &Candidate) -> Self {
        let needs = match &candidate.plan {
            Plan::Fire { needs, .. } => needs.clone(),
            Plan::Cancel { .. } => Vec::new(),
        };
        Self { in_force, question, job: job(in_force, question, candidate), needs }
    }

    /// Whether its conditions on records hold now.
    pub(super) fn only_if(&self, reveal: &Reveal<'_>) -> Option<Told> {
        let job = self.job.as_ref().ok()?;
        let action = self.in_force.action(&job.automation, &job.action).filter(|action| action.only_if().is_some())?;
        let documents = self.in_force.sight(&action, job, self.question.event, self.question.records);
        Some(action.only_if()?.told(&documents, reveal))
    }

    pub(super) fn told(self, language: Language) -> JobTold {
        let skipped =
            |reason| JobTold { state: "skipped", due: None, expires: None, needs: Vec::new(), fields: Vec::new(), reason: Some(reason) };
        let job = match self.job {
            Ok(job) => job,
            Err(reason) => return skipped(reason),
        };
        let waiting = || {
            let steps = self.needs.join(", ");
            Reason::new("step", language.pick(format!("depois de {steps}"), format!("after {steps}")))
        };
        let state = if job.due <= self.question.event.received { "ready" } else { "scheduled" };
        let told =
            |state, fields, reason| JobTold { state, due: Some(job.due), expires: job.expires, needs: self.needs.clone(), fields, reason };
        if !self.needs.is_empty() {
            return told("scheduled", Vec::new(), Some(waiting()));
        }
        match self.in_force.prepare(&job, self.question.event, self.question.records, &Map::new(), self.question.index) {
            Ok(prepared) => told(state, prepared.fields, None),
            Err(Unprepared::Wait(reason)) => told("waits", Vec::new(), Some(reason)),
            Err(Unprepared::Skip(reason)) => told("skipped", Vec::new(), Some(reason)),
            Err(Unprepared::Fail(reason)) => told("fails", Vec::new(), Some(reason)),
        }
    }
}

/// The job that `candidate` would be, at the moment it runs.
fn job(in_force: &InForce, question: &Question<'_>, candidate: &Candidate) -> Result<Job, Reason> {
    let event = question.event;
    let Plan::Fire { key, anchor, lookups, .. } = &candidate.plan else {
        return Err(Reason::new("cancelled", "it makes no job"));
    };
    let anchor = anchor.clone().transpose().map_err(|why| Reason::new("no_time", why))?;
    let asked = DueQuestion {
        automation: &candidate.automation,
        action: &candidate.action,
        anchor,
        reference: event.order(),
        lookups,
        clinic: event.clinic.as_deref(),
    };
    let Due { at, expires } = in_force.due(&asked, question.records)?;
    Ok(Job {
        id: JobId::derive(event.id, &candidate.automation, &candidate.action),
        event: event.id,
        connection: event.connection.clone(),
        clinic: event.clinic.clone(),
        entity: None,
        automation: candidate.automation.clone(),
        rule: candidate.rule.clone(),
        action: candidate.action.clone(),
        rule_digest: candidate.rule_digest.clone(),
        key: *key,
        lookups: lookups.clone(),
        needs: Vec::new(),
        anchor,
        reference: event.order(),
        due: at,
        expires,
        run_at: at,
        state: JobState::Running,
        attempt: 1,
        lease: 1,
        attention: None,
        reason: None,
        cancel: None,
        again: false,
    })
}
