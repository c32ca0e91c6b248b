//! The job that an action would make: when it would run, and whether it could.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Map;
use zelo_core::job::Reason;
use zelo_core::timing::{Due, DueQuestion, Timetable};
use zelo_core::{Candidate, Job, JobId, JobState, OverTime, Plan};

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
    /// What else must be, of the events before it: they are not looked at here.
    pub provided: Vec<String>,
    /// Why it would not run, or what it would wait for.
    pub reason: Option<Reason>,
}

/// What would come of a candidate that fires.
pub(super) struct Prospect<'p> {
    in_force: &'p InForce,
    question: &'p Question<'p>,
    job: Result<Job, Reason>,
    needs: Vec<String>,
    over: OverTime,
}

impl<'p> Prospect<'p> {
    pub(super) fn new(in_force: &'p InForce, question: &'p Question<'p>, candidate: &Candidate) -> Self {
        let (needs, over) = match &candidate.plan {
            Plan::Fire { needs, over, .. } => (needs.clone(), *over),
            Plan::Cancel { .. } => (Vec::new(), OverTime::default()),
        };
        Self { in_force, question, job: job(in_force, question, candidate), needs, over }
    }

    /// Whether its conditions on records hold now.
    pub(super) fn only_if(&self, reveal: &Reveal<'_>) -> Option<Told> {
        let job = self.job.as_ref().ok()?;
        let action = self.in_force.action(&job.automation, &job.action).filter(|action| action.only_if().is_some())?;
        let documents = self.in_force.sight(&action, job, self.question.event, self.question.records);
        Some(action.only_if()?.told(&documents, reveal))
    }

    /// What keeps its conditions on records from holding, in the language asked for.
    fn unmet(&self, job: &Job, language: Language) -> Option<Reason> {
        let action = self.in_force.action(&job.automation, &job.action)?;
        let documents = self.in_force.sight(&action, job, self.question.event, self.question.records);
        let failure = action.only_if()?.failure(&documents)?;
        Some(Reason::new(if failure.missing.is_some() { "missing" } else { "only_if" }, failure.why_in(language)))
    }

    pub(super) fn told(&self, language: Language) -> JobTold {
        let skipped = |reason| JobTold {
            state: "skipped",
            due: None,
            expires: None,
            needs: Vec::new(),
            fields: Vec::new(),
            provided: Vec::new(),
            reason: Some(reason),
        };
        let job = match &self.job {
            Ok(job) => job,
            Err(reason) => return skipped(reason.clone()),
        };
        let waiting = || {
            let steps = self.needs.join(", ");
            Reason::new("step", language.pick(format!("depois de {steps}"), format!("after {steps}")))
        };
        let state = if job.due <= self.question.event.received { "ready" } else { "scheduled" };
        let mut provided = provided(&self.over, language);
        if job.key.is_some() && self.over.debounce.is_none() {
            provided.push(
                language
                    .pick(
                        "toma o lugar do que está pendente com a mesma chave; não se repete o que já foi feito para o mesmo momento",
                        "takes the place of what is pending under its key; what was done for this very time is not done again",
                    )
                    .to_owned(),
            );
        }
        let told = |state, fields, reason| {
            let (due, needs) = (Some(job.due), self.needs.clone());
            JobTold { state, due, expires: job.expires, needs, fields, provided: provided.clone(), reason }
        };
        if !self.needs.is_empty() {
            return told("scheduled", Vec::new(), Some(waiting()));
        }
        let unmet = self.unmet(job, language);
        match self.in_force.prepare(job, self.question.event, self.question.records, &Map::new(), self.question.index) {
            Ok(prepared) => told(state, prepared.disclosure.fields.into_keys().collect(), None),
            Err(Unprepared::Wait(reason)) => told("waits", Vec::new(), Some(unmet.unwrap_or(reason))),
            Err(Unprepared::Skip(reason)) => told("skipped", Vec::new(), Some(unmet.unwrap_or(reason))),
            Err(Unprepared::Fail(reason)) => told("fails", Vec::new(), Some(reason)),
        }
    }
}

/// What an action over time asks of the events before this one.
fn provided(over: &OverTime, language: Language) -> Vec<String> {
    let count = over.count.map(|count| {
        let (at_least, within) = (count.at_least, count.within);
        language.pick(
            format!("só se com este já forem {at_least} em {within:#}"),
            format!("only if this one makes it {at_least} within {within:#}"),
        )
    });
    let throttle = over.throttle.map(|throttle| {
        let (limit, per) = (throttle.limit, throttle.per);
        language.pick(format!("no máximo {limit}× em {per:#}"), format!("at most {limit}× within {per:#}"))
    });
    let debounce = over.debounce.map(|_| {
        language.pick("espera até nada mais chegar, e vale para todos", "waits until nothing more comes, and is for all of them").to_owned()
    });
    [count, throttle, debounce].into_iter().flatten().collect()
}

/// The job that `candidate` would be, at the moment it runs.
fn job(in_force: &InForce, question: &Question<'_>, candidate: &Candidate) -> Result<Job, Reason> {
    let event = question.event;
    let Plan::Fire { anchor, lookups, over, lane, .. } = &candidate.plan else {
        return Err(Reason::new("cancelled", "it makes no job"));
    };
    let anchor = anchor.clone().transpose().map_err(|why| Reason::new("no_time", why))?;
    let collected = u32::from(over.debounce.is_some());
    let asked = DueQuestion {
        automation: &candidate.origin.automation,
        action: &candidate.origin.action,
        anchor,
        reference: event.order(),
        collected,
        lookups,
        clinic: event.clinic.as_deref(),
    };
    let Due { at, expires } = in_force.due(&asked, question.records)?;
    Ok(Job {
        id: JobId::derive(event.id, &candidate.origin.automation, &candidate.origin.action),
        event: event.id,
        connection: event.connection.clone(),
        clinic: event.clinic.clone(),
        entity: None,
        automation: candidate.origin.automation.clone(),
        rule: candidate.origin.rule.clone(),
        action: candidate.origin.action.clone(),
        rule_digest: candidate.origin.rule_digest.clone(),
        key: candidate.plan.key(),
        lane: *lane,
        collected,
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
        in_flight: false,
        plugin: None,
        moved: None,
    })
}
