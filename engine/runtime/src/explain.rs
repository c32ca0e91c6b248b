//! Why the rules in force did or did not fire for an event that is stored, or for one that might come.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use zelo_core::{Event, EventId, Halt, JobId, JobState, Plan, Status};
use zelo_rules::{Class, Delivery, Explanation, Headers, InForce, Question, Read, RuleSet, Through};
use zelo_store::{Decided, DecisionView, JobView, RecordSet, Store};

use crate::connection::Connection;
use crate::waits::Waits;

/// What may be shown, and how.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'t> {
    /// Values of this class and of less delicate ones are shown.
    pub reveal: Class,
    /// `pt-BR` or `en`.
    pub locale: &'t str,
}

/// An explanation, and what was really made because of the event.
#[derive(Debug, Serialize)]
pub struct Explained {
    #[serde(flatten)]
    pub explanation: Explanation,
    /// What became of a stored event: rules look at none that is `quarantined`, and those with a key at none that is `stale`.
    pub status: Option<Status>,
    /// Where it is not in the form of its type, by the schema in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub violation: Option<String>,
    /// Of a stored event.
    pub jobs: Vec<JobMade>,
}

/// A job that was made because of the event.
#[derive(Debug, Serialize)]
pub struct JobMade {
    pub job: JobId,
    pub rule: String,
    pub action: String,
    pub state: &'static str,
    pub due: Timestamp,
    pub reason: Option<String>,
    /// What keeps it from running, though its time has come.
    pub waits: Option<Waits>,
    /// What people decided about it, in order.
    pub decisions: Vec<DecisionMade>,
}

/// What a person decided about a job.
#[derive(Debug, Serialize)]
pub struct DecisionMade {
    pub at: Timestamp,
    pub actor: String,
    pub decision: Decided,
    pub was: &'static str,
}

/// A payload that might come.
#[derive(Clone, Copy, Debug)]
pub struct Given<'g> {
    /// The event type; none: what the source makes of the path.
    pub kind: Option<&'g str>,
    /// What would follow `/hooks/{connection}/`.
    pub path: &'g str,
    pub body: &'g [u8],
}

/// Why a payload cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the source `{0}` of the connection is gone")]
    NoSource(String),
    #[error("source `{source_id}` names no event type `{kind}`{}", meant(.known))]
    NoType { source_id: String, kind: String, known: Vec<String> },
    #[error("{why}; say what it is with a type{}", meant(.known))]
    Ignored { why: String, known: Vec<String> },
    #[error("{0}")]
    Malformed(String),
}

fn meant(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(": {}", known.join(", ")) }
}

/// Explains `event`, which is stored with `status`, on the records that are stored now.
///
/// # Errors
/// The store cannot be read.
pub async fn explain(
    store: &dyn Store,
    in_force: &InForce,
    event: &Event,
    status: Option<Status>,
    telling: Telling<'_>,
) -> Result<Explained, zelo_store::Error> {
    explained(store, in_force, (event, status), telling, None).await
}

/// The same of one rule, however many there are.
///
/// # Errors
/// The store cannot be read.
pub async fn explain_rule(
    store: &dyn Store,
    in_force: &InForce,
    (event, status): (&Event, Status),
    telling: Telling<'_>,
    rule: &str,
) -> Result<Explained, zelo_store::Error> {
    explained(store, in_force, (event, Some(status)), telling, Some(rule)).await
}

async fn explained(
    store: &dyn Store,
    in_force: &InForce,
    (event, status): (&Event, Option<Status>),
    telling: Telling<'_>,
    only: Option<&str>,
) -> Result<Explained, zelo_store::Error> {
    let (index, records) = (store.indexer(), looked_up(store, in_force, event, only).await?);
    let explanation = {
        let question = Question { event, index, records: &records, reveal: telling.reveal, locale: telling.locale };
        match only {
            Some(rule) => in_force.explain_rule(&question, rule),
            None => in_force.explain(&question),
        }
    };
    let mut jobs = Vec::new();
    for rule in explanation.rules.iter().filter(|_| explanation.event.id.is_some()) {
        let Some(automation) = &rule.automation else { continue };
        for action in &rule.actions {
            if let Some(made) = store.job(JobId::derive(event.id, automation, &action.action)).await? {
                let decisions = store.decisions(made.job.id).await?;
                jobs.push(JobMade::new(made, &store.halts().await?, decisions));
            }
        }
    }
    let source = in_force.rules().source(&event.source).filter(|_| event.cause.is_none());
    let violation = source.and_then(|source| source.violation(&event.kind, &event.data));
    Ok(Explained { explanation, status, violation, jobs })
}

/// The same of those rules alone that listen to events of its type, without what was made; and how many others there are.
///
/// # Errors
/// The store cannot be read.
pub async fn listeners(
    store: &dyn Store,
    in_force: &InForce,
    event: &Event,
    telling: Telling<'_>,
) -> Result<(Explanation, usize), zelo_store::Error> {
    let (index, records) = (store.indexer(), looked_up(store, in_force, event, None).await?);
    let Telling { reveal, locale } = telling;
    Ok(in_force.explain_listeners(&Question { event, index, records: &records, reveal, locale }))
}

/// The records that those look up who want something because of `event`; of one rule `only`, where it is named.
async fn looked_up(store: &dyn Store, in_force: &InForce, event: &Event, only: Option<&str>) -> Result<RecordSet, zelo_store::Error> {
    let mut records = HashMap::new();
    for candidate in in_force.candidates(event, store.indexer()) {
        if only.is_some_and(|only| candidate.origin.rule != only) {
            continue;
        }
        let Plan::Fire { lookups, .. } = candidate.plan else { continue };
        for lookup in lookups {
            if let Some(row) = store.record_at(lookup.record.hash).await? {
                records.insert(lookup.record.hash, row.document);
            }
        }
    }
    Ok(RecordSet(records))
}

/// The event that `given` would be on `connection`.
///
/// # Errors
/// The source does not know it, or cannot read it.
pub fn given(rules: &RuleSet, connection: &Connection, given: Given<'_>, now: Timestamp) -> Result<Event, Error> {
    let source = rules.source(&connection.source).ok_or_else(|| Error::NoSource(connection.source.clone()))?;
    let known = || source.types().map(str::to_owned).collect();
    let headers = Headers::default();
    let delivery = Delivery { path: given.path, url: "", headers: &headers, body: given.body };
    let reading = match given.kind {
        Some(kind) => {
            let data = source.data(&delivery).map_err(|refused| Error::Malformed(refused.to_string()))?;
            let missing = || Error::NoType { source_id: source.id.clone(), kind: kind.to_owned(), known: known() };
            source.read_as(kind, data.into()).ok_or_else(missing)?
        }
        None => {
            let mut events = source.read_all(&delivery).map_err(|refused| Error::Malformed(refused.to_string()))?;
            if events.len() > 1 {
                return Err(Error::Malformed(format!("the body holds {} events; ask about one of them", events.len())));
            }
            match events.pop() {
                Some(Read::Event(reading)) => reading,
                Some(Read::Ignored { why }) => return Err(Error::Ignored { why, known: known() }),
                None => return Err(Error::Malformed("the body holds no event".to_owned())),
            }
        }
    };
    let through = Through {
        connection: &connection.name,
        source: &connection.source,
        clinic: connection.clinic.as_deref(),
        event: EventId::from_bytes([0; 16]),
        received: now,
    };
    Ok(reading.event(&through))
}

impl JobMade {
    fn new(view: JobView, halts: &[Halt], decisions: Vec<DecisionView>) -> Self {
        let waits = Waits::of(&view, halts);
        let job = view.job;
        let decision = |view: DecisionView| DecisionMade {
            at: view.at,
            actor: view.actor.as_str().to_owned(),
            decision: view.decision,
            was: view.was.as_str(),
        };
        Self {
            decisions: decisions.into_iter().map(decision).collect(),
            waits,
            job: job.id,
            state: job.state.as_str(),
            due: job.due,
            reason: job.attention.or(job.reason).map(|reason| reason.text),
            rule: job.rule,
            action: job.action,
        }
    }
}

impl Explained {
    /// The explanation as text, with the jobs that were made.
    pub fn render(&self) -> String {
        let mut text = self.explanation.render();
        let english = self.explanation.language == "en";
        let note = match self.status {
            Some(Status::Stale) if english => {
                "\nIt came late: something newer was known of the same thing, so rules with a key made nothing of it.\n"
            }
            Some(Status::Stale) => {
                "\nChegou atrasado: já se sabia algo mais novo sobre a mesma coisa, e as regras com chave nada fizeram com ele.\n"
            }
            Some(Status::Quarantined) if english => "\nIt is quarantined: it is not in the form of its type, and no rule saw it.\n",
            Some(Status::Quarantined) => "\nEstá em quarentena: não tem a forma do seu tipo, e nenhuma regra o viu.\n",
            _ => "",
        };
        let by_schema = match (&self.violation, self.status) {
            (Some(why), Some(Status::Quarantined) | None) if english => format!("\nBy the schema in force: {why}.\n"),
            (Some(why), Some(Status::Quarantined) | None) => format!("\nPelo esquema em vigor: {why}.\n"),
            _ => String::new(),
        };
        // Before the rules: it stands against what they say.
        let head = text.find('\n').map_or(text.len(), |end| end + 1);
        text.insert_str(head, &format!("{note}{by_schema}"));
        let (made, because) = if english { ("job made", "because") } else { ("job criado", "porque") };
        for job in &self.jobs {
            let reason = job
                .reason
                .as_ref()
                .filter(|_| job.state != JobState::Done.as_str())
                .map(|reason| format!(" ({because}: {reason})"))
                .unwrap_or_default();
            text.push_str(&format!("\n{made}: {} {}.{} {} {}{reason}", job.job, job.rule, job.action, job.state, job.due));
            if let Some(waits) = &job.waits {
                text.push_str(&format!("\n  {}", waits.told(english)));
            }
            for DecisionMade { at, actor, decision, was } in &job.decisions {
                let told = match (decision, english) {
                    (Decided::Revived, true) => "run again",
                    (Decided::Revived, false) => "mandado tentar de novo",
                    (Decided::Done, true) => "said to be done",
                    (Decided::Done, false) => "dado por feito",
                    (Decided::GivenUp, true) => "given up",
                    (Decided::GivenUp, false) => "desistiu-se dele",
                    (Decided::Cancelled, true) => "cancelled",
                    (Decided::Cancelled, false) => "cancelado",
                    (Decided::Replayed, true) => "made by a replay",
                    (Decided::Replayed, false) => "criado por um replay",
                    (Decided::Moved, true) => "moved to another time",
                    (Decided::Moved, false) => "passado para outro horário",
                };
                let (by, before) = if english { ("by", "it was") } else { ("por", "estava") };
                // One that a replay made was not there before.
                let was = if *decision == Decided::Replayed { String::new() } else { format!(" ({before} {was})") };
                text.push_str(&format!("\n  {told} {by} {actor} {at}{was}"));
            }
        }
        text
    }
}
