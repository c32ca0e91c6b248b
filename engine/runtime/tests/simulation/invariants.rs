//! What was promised, held against what a story left.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde_json::Value;
use zelo_core::effect::{Body, Message};
use zelo_core::{AuditKind, Effect, EffectResult, Job, JobId, JobState};
use zelo_store::{EventView, effect_id};

use crate::destination::{KEYED, KEYLESS, PUTS};
use crate::left::{Left, Thing, number};
use crate::store::Note;
use crate::story::Told;
use crate::world::{Delivery, Word};

/// A promise that was broken.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) promise: &'static str,
    pub(crate) how: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken promise: {}\n{}", self.promise, self.how)
    }
}

type Check = Result<(), String>;

/// What it says, and what holds a story against it.
type Promise = (&'static str, fn(&Left<'_>) -> Check);

/// Fails with a reason.
macro_rules! ensure {
    ($holds:expr, $($why:tt)*) => {
        if !$holds {
            return Err(format!($($why)*));
        }
    };
}

pub(crate) const ENDS: &str = "every story comes to an end";
pub(crate) const STORED: &str = "what was acknowledged is stored, and everything once";
pub(crate) const ONE_JOB: &str = "a match is one job";
pub(crate) const ENDS_ONCE: &str = "a job ends once";
pub(crate) const LEASE: &str = "only who holds the lease changes anything";
pub(crate) const EFFECTS: &str = "an effect happens once, or not at all";
pub(crate) const REQUESTS: &str = "no request is carried out twice, unless its job says that it does not know";
pub(crate) const KEYS: &str = "the newest word decides";
pub(crate) const NUMBERS: &str = "a number is given once, and none is left out";
pub(crate) const RECORDS: &str = "records do not depend on the order of jobs";
pub(crate) const AUDIT: &str = "what has to be answered for is in the audit log";

/// The promises that `told` breaks.
pub(crate) fn broken_by(told: &Told) -> Vec<Violation> {
    let promises: [Promise; 11] = [
        (ENDS, ends),
        (STORED, stored),
        (LEASE, lease),
        (ENDS_ONCE, ends_once),
        (NUMBERS, numbers),
        (EFFECTS, effects),
        (REQUESTS, requests),
        (ONE_JOB, one_job),
        (KEYS, keys),
        (RECORDS, records),
        (AUDIT, audit),
    ];
    let left = Left::of(told);
    promises.iter().filter_map(|(promise, check)| check(&left).err().map(|how| Violation { promise, how })).collect()
}

fn ends(left: &Left<'_>) -> Check {
    left.told.stuck.clone().map_or(Ok(()), Err)
}

fn stored(left: &Left<'_>) -> Check {
    let mut known: BTreeMap<u64, Vec<&EventView>> = BTreeMap::new();
    for view in &left.stored.events {
        if let Some(number) = number(&view.event) {
            known.entry(number).or_default().push(view);
        }
    }
    for sent in &left.told.deliveries {
        let number = sent.delivery.number;
        let views = known.get(&number).map_or(&[][..], Vec::as_slice);
        ensure!(views.len() <= 1, "delivery {number} is stored {} times", views.len());
        for id in &sent.acknowledged {
            ensure!(views.len() == 1, "delivery {number} was acknowledged as {id}, and is not stored");
            ensure!(views[0].event.id == *id, "delivery {number} was acknowledged as {id}, and is stored as {}", views[0].event.id);
        }
        ensure!(!sent.acknowledged.is_empty(), "delivery {number} was never acknowledged");
    }
    Ok(())
}

fn lease(left: &Left<'_>) -> Check {
    let mut held: HashMap<JobId, u64> = HashMap::new();
    for note in &left.notes {
        let (job, lease) = match note {
            Note::Claimed { job, lease } => {
                let before = held.insert(*job, *lease);
                ensure!(before.is_none_or(|before| before < *lease), "{job} was claimed under {lease} after {before:?}");
                continue;
            }
            Note::Checkpointed { job, lease, .. } => (*job, *lease),
            Note::Settled { job, lease } => (job.id, *lease),
            Note::Recorded { .. } | Note::Stands(_) => continue,
        };
        let now = held.get(&job);
        ensure!(now == Some(&lease), "{job} is held under {now:?}, and who held it under {lease} changed it");
    }
    Ok(())
}

fn ends_once(left: &Left<'_>) -> Check {
    let mut ended: HashMap<JobId, JobState> = HashMap::new();
    for note in &left.notes {
        let job = match note {
            Note::Stands(job) | Note::Settled { job, .. } => job,
            Note::Recorded { .. } | Note::Claimed { .. } | Note::Checkpointed { .. } => continue,
        };
        if let Some(end) = ended.get(&job.id) {
            ensure!(!matches!(note, Note::Settled { .. }), "{} ended as {end:?}, and was settled as {:?} after that", job.id, job.state);
            ensure!(*end == job.state, "{} ended as {end:?}, and stands at {:?} after that", job.id, job.state);
        }
        if !job.state.is_live() {
            ended.insert(job.id, job.state);
        }
    }
    for job in left.jobs() {
        let (id, state) = (job.id, job.state);
        ensure!(!state.is_live(), "{id} is still {state:?}");
        ensure!(ended.get(&id) == Some(&state), "{id} ended as {:?}, and is stored as {state:?}", ended.get(&id));
    }
    let ids: BTreeSet<String> = left.jobs().map(|job| job.id.to_string()).collect();
    ensure!(ids.len() == left.stored.jobs.len(), "a job is both live and ended");
    Ok(())
}

/// Receipts are numbered by one counter.
fn numbers(left: &Left<'_>) -> Check {
    let counted = left.notes.iter().filter_map(|note| match note {
        Note::Checkpointed { counted, .. } => *counted,
        _ => None,
    });
    let counted: Vec<u64> = counted.collect();
    ensure!(counted.iter().copied().eq(1..=counted.len() as u64), "these numbers were given: {counted:?}");
    let mut written: Vec<u64> = Vec::new();
    for job in left.jobs() {
        let of_job = left.effects_of(job.id).filter_map(|(_, _, result)| match result {
            EffectResult::Counted { value } => Some(*value),
            _ => None,
        });
        let of_job: Vec<u64> = of_job.collect();
        ensure!(of_job.len() <= 1, "{} was given {of_job:?}", job.id);
        written.extend(of_job);
    }
    written.sort_unstable();
    ensure!(written == counted, "these numbers were given: {counted:?}; and these stand in journals: {written:?}");
    Ok(())
}

/// What stands in a journal is there, once; and nothing else is.
fn effects(left: &Left<'_>) -> Check {
    let (mut messages, mut documents, mut emitted) = (BTreeMap::new(), BTreeMap::new(), 0);
    for job in left.jobs() {
        for (place, effect, result) in left.effects_of(job.id) {
            let id = effect_id(job.id, place);
            match (effect, result) {
                (Effect::Message(message), EffectResult::Sent { .. }) => drop(messages.insert(id, message.clone())),
                (Effect::Document(document), EffectResult::Kept { .. }) => drop(documents.insert(id, document.text.clone())),
                (Effect::Event(event), EffectResult::Done) => {
                    let caused = left.emitted().filter(|emitted| emitted.data["number"] == event.data["number"]).count();
                    ensure!(caused == 1, "an event that {id} emitted is stored {caused} times");
                    emitted += 1;
                }
                (_, EffectResult::Refused { .. }) => return Err(format!("{id} was refused")),
                _ => {}
            }
        }
    }
    ensure!(
        left.stored.messages.len() == messages.len(),
        "{} messages in the outbox, {} in journals",
        left.stored.messages.len(),
        messages.len()
    );
    for view in &left.stored.messages {
        ensure!(messages.get(&view.id) == Some(&view.message), "message {} is not what the journal says", view.id);
    }
    ensure!(left.stored.documents.len() == documents.len(), "{} documents, {} in journals", left.stored.documents.len(), documents.len());
    for view in &left.stored.documents {
        ensure!(documents.get(&view.id) == Some(&view.text), "document {} is not what the journal says", view.id);
    }
    let caused = left.emitted().count();
    ensure!(caused == emitted, "{caused} events of plugins, {emitted} in journals");
    once_each(left)
}

/// Whoever is done has done what it is for; nobody reads the same twice.
fn once_each(left: &Left<'_>) -> Check {
    let mut texts: BTreeMap<String, u32> = BTreeMap::new();
    for view in &left.stored.messages {
        *texts.entry(text(&view.message)).or_default() += 1;
    }
    for (text, count) in &texts {
        ensure!(*count == 1, "the message `{text}` was sent {count} times");
    }
    for Job { id, action, state, .. } in left.jobs() {
        let done = *state == JobState::Done;
        let (messages, documents) = match action.as_str() {
            "remind" | "follow" | "send" | "announce" => (1, 0),
            "issue" => (0, 1),
            _ => (0, 0),
        };
        let sent = left.stored.messages.iter().filter(|message| message.job == *id).count();
        let kept = left.stored.documents.iter().filter(|document| document.job == *id).count();
        if done {
            ensure!((sent, kept) == (messages, documents), "{action} {id} is done, with {sent} messages and {kept} documents");
        } else {
            ensure!((sent, kept) == (0, 0), "{action} {id} is {state:?}, with {sent} messages and {kept} documents");
        }
    }
    Ok(())
}

fn text(message: &Message) -> String {
    match &message.body {
        Body::Text { text } => text.clone(),
        Body::Template { name, .. } => name.clone(),
    }
}

/// What was asked of other people's machines.
fn requests(left: &Left<'_>) -> Check {
    let mut of_jobs: BTreeMap<String, u32> = BTreeMap::new();
    for ((address, key), asked) in &left.asked {
        ensure!(asked.bodies.len() == 1, "{address} was asked {} different things under {key}", asked.bodies.len());
        *of_jobs.entry(key.clone()).or_default() += asked.carried_out;
        if address.starts_with(KEYLESS) {
            ensure!(asked.times == 1, "{address}, which takes no keys, carried out {key} {} times", asked.times);
        }
        let known = address.starts_with(KEYED) || address.starts_with(KEYLESS) || address.starts_with(PUTS);
        ensure!(known, "{address} was asked");
    }
    for action in ["charge", "note", "reserve", "tell"] {
        for job in left.jobs().filter(|job| job.action == action) {
            let carried_out = of_jobs.remove(&effect_id(job.id, 1)).unwrap_or(0);
            let answer = left.effects_of(job.id).find_map(|(_, _, result)| match result {
                EffectResult::Answered { response } => Some(response.status),
                _ => None,
            });
            let (id, state) = (job.id, job.state);
            match answer {
                Some(201) => ensure!(carried_out > 0, "{action} {id} was answered with 201, and nothing was carried out"),
                Some(422) => ensure!(carried_out == 0 || !matches!(action, "note" | "tell"), "{action} {id} was refused, and carried out"),
                Some(status) => return Err(format!("{action} {id} was answered with {status}, which is no answer")),
                None if state == JobState::Unknown => {}
                None => ensure!(carried_out == 0, "{action} {id} is {state:?}, has no answer, and was carried out"),
            }
            if state == JobState::Done {
                ensure!(answer == Some(201), "{action} {id} is done, with the answer {answer:?}");
            }
        }
    }
    ensure!(of_jobs.is_empty(), "{of_jobs:?} were asked for by no job");
    Ok(())
}

/// Every event has the jobs that a plain reading of the rules gives it.
fn one_job(left: &Left<'_>) -> Check {
    let mut wanted = 0;
    let heard = left.heard();
    for (place, here) in heard.iter().enumerate() {
        let word = here.delivery.word;
        let actions: &[&str] = match word {
            Word::Booked { .. } => &["remind", "follow", "tell"],
            Word::Canceled { .. } => &[],
            Word::Sale { .. } => &["issue", "send"],
            Word::Order => &["charge", "note", "reserve"],
            Word::Seen { .. } => &["move"],
        };
        for action in actions {
            // What runs already for the same time is what is wanted.
            let is_same = |other: &Word| other.thing() == word.thing() && other.anchor(action) == word.anchor(action);
            let counts_from_itself = matches!(*action, "follow" | "tell") || word.thing().is_none();
            let may_run = !counts_from_itself && heard[..place].iter().any(|other| other.speaks && is_same(&other.delivery.word));
            let (least, most) = (u32::from(here.speaks && !may_run), u32::from(here.speaks));
            let jobs = left.jobs_of(here.event, action);
            let number = here.delivery.number;
            ensure!(
                (least as usize..=most as usize).contains(&jobs),
                "delivery {number} has {jobs} jobs of {action}, not {least} to {most}"
            );
            wanted += jobs;
        }
    }
    for event in left.emitted() {
        let jobs = left.jobs_of(event, "announce");
        ensure!(jobs == 1, "{} was emitted, and announced by {jobs} jobs", event.id);
        wanted += jobs;
    }
    ensure!(left.jobs().count() == wanted, "{} jobs are of no event", left.jobs().count() - wanted);
    Ok(())
}

/// Under a key, what is done is what the newest word wants at that moment.
fn keys(left: &Left<'_>) -> Check {
    let mut newest: BTreeMap<Thing, &Delivery> = BTreeMap::new();
    let mut sales: BTreeMap<(&str, Thing), u32> = BTreeMap::new();
    for note in &left.notes {
        match note {
            Note::Recorded { number } => {
                let delivery = left.delivery(*number);
                if let Some(thing) = delivery.word.thing() {
                    let newest = newest.entry(thing).or_insert(delivery);
                    if newest.at <= delivery.at {
                        *newest = delivery;
                    }
                }
            }
            Note::Settled { job, .. } if job.state == JobState::Done => {
                let action = job.action.as_str();
                match action {
                    "remind" | "follow" => {
                        let delivery = left.delivery_of(job);
                        let Some(last) = delivery.word.thing().and_then(|thing| newest.get(&thing)) else {
                            return Err(format!("{action} {} was done for delivery {}, which was not heard", job.id, delivery.number));
                        };
                        let anchor = delivery.word.anchor(action);
                        let is_same = last.number == delivery.number || (anchor.is_some() && last.word.anchor(action) == anchor);
                        let (number, last) = (delivery.number, last.number);
                        ensure!(is_same, "{action} {} was done for delivery {number}, after {last} was heard", job.id);
                    }
                    "issue" | "send" => {
                        let sale = left.delivery_of(job).word.thing().expect("a sale");
                        let times = sales.entry((action, sale)).or_default();
                        *times += 1;
                        ensure!(*times == 1, "{action} was done again for {sale:?}, by {}", job.id);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    // Reminders are due when all has been heard.
    for job in left.jobs().filter(|job| job.action == "remind") {
        let delivery = left.delivery_of(job);
        let last = delivery.word.thing().and_then(|thing| newest.get(&thing)).map(|last| last.number);
        let (is_last, is_cancelled) = (last == Some(delivery.number), job.state == JobState::Cancelled);
        ensure!(
            is_last != is_cancelled,
            "remind {} is for delivery {}, {last:?} is the last word, and it is {:?}",
            job.id,
            delivery.number,
            job.state
        );
    }
    Ok(())
}

/// A contact stands where the newest of the jobs that are done has put it, and has a note of each.
fn records(left: &Left<'_>) -> Check {
    let mut moved: BTreeMap<String, Vec<&Delivery>> = BTreeMap::new();
    for job in left.jobs().filter(|job| job.action == "move" && job.state == JobState::Done) {
        let delivery = left.delivery_of(job);
        let Word::Seen { person, .. } = delivery.word else { return Err(format!("{} is of nobody", job.id)) };
        moved.entry(format!("p{person}")).or_default().push(delivery);
    }
    ensure!(left.stored.contacts.len() == moved.len(), "{} contacts, {} were moved", left.stored.contacts.len(), moved.len());
    for view in &left.stored.contacts {
        let Some(deliveries) = moved.get_mut(&view.id) else { return Err(format!("contact {} was moved by nobody", view.id)) };
        deliveries.sort_by_key(|delivery| delivery.at);
        let last = deliveries.last().map(|delivery| delivery.word);
        let stage = last.and_then(|word| if let Word::Seen { stage, .. } = word { Some(stage) } else { None });
        ensure!(view.document["stage"].as_str() == stage, "contact {} stands at {}, not {stage:?}", view.id, view.document["stage"]);
        let notes = view.document["notes"].as_array().map_or(&[][..], Vec::as_slice);
        let notes: Vec<&str> = notes.iter().filter_map(|note| note["text"].as_str()).collect();
        let wanted: Vec<String> = deliveries.iter().map(|delivery| format!("note {}", delivery.number)).collect();
        ensure!(notes == wanted, "contact {} has the notes {notes:?}, not {wanted:?}", view.id);
    }
    Ok(())
}

fn audit(left: &Left<'_>) -> Check {
    ensure!(left.stored.findings.is_empty(), "the audit log does not hold: {:?}", left.stored.findings);
    for job in left.jobs() {
        let id = job.id;
        let of_job: Vec<_> = left.stored.audit.iter().map(|row| &row.entry).filter(|entry| entry.job == Some(id)).collect();
        let shown = of_job.iter().any(|entry| entry.kind == AuditKind::Disclosed);
        ensure!(left.stored.journals[&id].is_empty() || shown, "{id} has begun, and nothing says what it was shown");
        let done: Vec<Value> = of_job
            .iter()
            .filter(|entry| entry.kind == AuditKind::Done)
            .flat_map(|entry| entry.detail()["effects"].as_array().cloned().unwrap_or_default())
            .collect();
        for (place, effect, _) in left.effects_of(id).filter(|(_, effect, _)| !matches!(effect, Effect::StateNext { .. })) {
            let said =
                done.iter().filter(|said| said["entry"] == place && said["begun"].is_null() && said["effect"] == effect.kind()).count();
            ensure!(said == 1, "effect {place} of {id}, {}, is answered for {said} times", effect.kind());
        }
    }
    Ok(())
}
