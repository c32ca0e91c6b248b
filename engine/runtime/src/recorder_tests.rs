use std::collections::HashMap;

use jiff::SignedDuration;
use serde_json::json;
use zelo_core::concurrency::unlimited;
use zelo_core::effect::{Body, File};
use zelo_core::grants::{Messages, RecordFields};
use zelo_core::invocation::EventRef;
use zelo_core::job::Reason;
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::{AttemptEnd, Report, Settled, Settlement};
use zelo_core::timing::{Due, DueQuestion, Records, Timetable};
use zelo_core::{
    AutomationId, Budget, Candidate, Clock, Document, EventId, JobState, Lane, ManualClock, Need, Origin, OverTime, Plan, RecordEdit,
    SeededEntropy, Timestamp,
};
use zelo_host::{Host, HostConfig, Limits};
use zelo_rules::Files;
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{MasterKey, Outcome, Page};

use super::*;
use crate::connection::{Channels, Connection};
use crate::intake::Counts;
use crate::line::Line;
use crate::outbound::Answers;
use crate::rulebook::{Edition, Rulebook};
use crate::{Catalog, Outbound, Shared};

pub(crate) const TO: &str = "+55 11 90000-0001";

/// Everything is due at once.
struct AtOnce;

impl Timetable for AtOnce {
    fn due(&self, question: &DueQuestion<'_>, _: &dyn Records) -> Result<Due, Reason> {
        Ok(Due { at: question.reference, expires: None })
    }
}

pub(crate) fn start() -> Timestamp {
    "2026-03-05T13:00:00Z".parse().unwrap()
}

async fn runtime() -> (Runtime, Arc<ManualClock>) {
    runtime_with(Some(Budget::default())).await
}

pub(crate) async fn runtime_with(budget: Option<Budget>) -> (Runtime, Arc<ManualClock>) {
    runtime_over(budget, Arc::new(Answers::default())).await
}

/// A runtime whose requests go through `outbound`.
pub(crate) async fn runtime_over(budget: Option<Budget>, outbound: Arc<dyn Outbound>) -> (Runtime, Arc<ManualClock>) {
    let catalog = Arc::new(Catalog::default());
    let rules = Arc::new(zelo_rules::load(&Files::default(), catalog.as_ref()).set.unwrap());
    let edition = Edition::new(rules, catalog, &[]).unwrap();
    runtime_of(budget, outbound, Arc::new(Host::new(HostConfig::default()).unwrap()), edition, HashMap::new()).await
}

/// A runtime with these rules and connections.
pub(crate) async fn runtime_of(
    budget: Option<Budget>,
    outbound: Arc<dyn Outbound>,
    host: Arc<Host>,
    edition: Edition,
    connections: HashMap<String, Connection>,
) -> (Runtime, Arc<ManualClock>) {
    let entropy = Arc::new(SeededEntropy::new(1));
    let master = MasterKey::generate(entropy.as_ref());
    let store = SqliteStore::open(SqliteConfig { path: None, ..SqliteConfig::default() }, master, entropy.clone()).await.unwrap();
    let clock = Arc::new(ManualClock::new(start()));
    let shared = Shared {
        store,
        host,
        rules: Rulebook::new(edition),
        connections,
        channels: Channels([("outbox".to_owned(), ChannelKind::Outbox)].into()),
        outbound,
        secrets: crate::Secrets::Unsaid,
        clock: clock.clone(),
        entropy,
        retry: RetryPolicy::default(),
        limits: Limits::default(),
        budgets: crate::Budgets::new(budget, ["equipe"]),
        line: Line::default(),
        bell: tokio::sync::Notify::new(),
        counts: Counts::default(),
    };
    (Runtime::new(shared), clock)
}

/// Stores an event that makes one job, and claims it.
async fn claimed(runtime: &Runtime) -> Work {
    claimed_as(runtime, 1, start()).await
}

/// The same of event `number`, which comes at `now`.
pub(crate) async fn claimed_as(runtime: &Runtime, number: u8, now: Timestamp) -> Work {
    let event = Event {
        id: EventId::new(now, 0, runtime.entropy.as_ref()),
        connection: "c".into(),
        source: "s".into(),
        kind: "appointment.created".into(),
        time: now,
        received: now,
        entity: None,
        subjects: vec!["p1".into()],
        clinic: Some("77".into()),
        data: Value::Null.into(),
        cause: None,
    };
    let arrival = Arrival {
        event,
        body: Arc::from(&b"null"[..]),
        delivery: KeyHash([number; 16]),
        quarantined: false,
        entity: None,
        people: Vec::new(),
        consents: Vec::new(),
        records: Vec::new(),
        candidates: vec![Candidate {
            origin: Arc::new(Origin {
                automation: AutomationId::new("r", "c", None),
                rule: "r".into(),
                action: "a".into(),
                rule_digest: String::new(),
            }),
            plan: Plan::Fire {
                key: None,
                anchor: None,
                lookups: Vec::new(),
                needs: Vec::new(),
                also_about: Vec::new(),
                over: OverTime::default(),
                lane: Lane::default(),
            },
        }],
        timetable: Arc::new(AtOnce),
    };
    runtime.store.record(arrival).await.unwrap();
    claim(runtime, now).await
}

pub(crate) async fn claim(runtime: &Runtime, now: Timestamp) -> Work {
    runtime.store.claim(now, 1, SignedDuration::from_mins(1), unlimited()).await.unwrap().remove(0)
}

/// A recorder for an attempt at `work`, with what earlier ones stored.
pub(crate) fn recording(runtime: &Runtime, work: &Work, grants: Grants) -> (Recorder, Arc<Mutex<Trace>>) {
    let Work { job, event, collected, records, journal, steps } = work;
    let work = Work {
        job: job.clone(),
        event: event.clone(),
        collected: collected.clone(),
        records: records.clone(),
        journal: journal.clone(),
        steps: steps.clone(),
    };
    let frozen = !journal.is_empty();
    Recorder::new(runtime, &runtime.rules.current().in_force, work, &invocation(job, grants), frozen)
}

fn granted() -> Grants {
    let messages = Some(Messages { channels: vec!["outbox".into()], to: vec![TO.into()], budget: None });
    Grants { messages, state: true, ..Grants::default() }
}

pub(crate) fn message(to: &str, text: &str) -> Effect {
    sending(to, text, Vec::new())
}

fn sending(to: &str, text: &str, attachments: Vec<Attachment>) -> Effect {
    let body = Body::Text { text: text.to_owned() };
    Effect::Message(Message { channel: None, to: to.to_owned(), body, attachments, buttons: Vec::new() })
}

fn document(text: &str) -> Effect {
    let content = b"%PDF-1.7".to_vec();
    Effect::Document(Document { name: "recibo.pdf".into(), media_type: "application/pdf".into(), content, text: text.into() })
}

pub(crate) fn next() -> Effect {
    Effect::StateNext { key: "receipts".into() }
}

fn get(key: &str) -> Effect {
    Effect::StateGet { key: key.to_owned() }
}

fn set(key: &str, value: &str) -> Effect {
    Effect::StateSet { key: key.to_owned(), value: value.to_owned() }
}

fn invocation(job: &Job, grants: Grants) -> Invocation {
    Invocation {
        job: job.id.to_string(),
        rule: "r".into(),
        action: "a".into(),
        event: EventRef { id: job.event.to_string(), kind: "appointment.created".into(), time: start().to_string() },
        now: start().to_string(),
        seed: 1,
        locale: "pt-BR".into(),
        input: json!({}),
        grants,
        plugin_digest: String::new(),
        disclosure: Default::default(),
        records: Vec::new(),
    }
}

/// What an attempt has done so far.
pub(crate) fn lock_trace(trace: &Mutex<Trace>) -> MutexGuard<'_, Trace> {
    lock(trace)
}

/// Settles an attempt with what its trace holds.
pub(crate) async fn settle(runtime: &Runtime, job: &Job, trace: &Mutex<Trace>, end: AttemptEnd) -> Outcome {
    let Trace { journal, local, emitted, outward, .. } = std::mem::take(&mut *lock(trace));
    let (report, policy) = (Report::default(), RetryPolicy::default());
    let settlement = Settlement { job: job.id, lease: job.lease, end, journal, shown: None, local, emitted, outward, report, policy };
    runtime.store.settle(settlement, runtime.clock.now()).await.unwrap()
}

pub(crate) async fn state_after(runtime: &Runtime, job: &Job, trace: &Mutex<Trace>, end: AttemptEnd) -> JobState {
    match settle(runtime, job, trace, end).await.settled {
        Settled::Applied { job, .. } => job.state,
        Settled::Stale => panic!("stale"),
    }
}

pub(crate) fn done() -> AttemptEnd {
    AttemptEnd::Done { code: "done".into() }
}

pub(crate) async fn refused(recorder: &mut Recorder, effect: Effect) -> String {
    match recorder.perform(effect).await.unwrap() {
        EffectResult::Refused { reason } => reason,
        other => panic!("it was done: {other:?}"),
    }
}

pub(crate) fn later() -> AttemptEnd {
    AttemptEnd::Retry { reason: Reason::new("plugin", "later"), after: None }
}

#[tokio::test]
async fn nobody_but_the_granted_recipient_is_written_to() {
    let (runtime, _) = runtime().await;
    let work = claimed(&runtime).await;
    let (mut recorder, trace) = recording(&runtime, &work, granted());
    for stranger in ["+55 11 90000-0002", "", "+55 11 90000-0001 "] {
        let result = recorder.perform(message(stranger, "x")).await.unwrap();
        assert!(matches!(result, EffectResult::Refused { .. }), "{stranger}");
    }
    assert!(lock(&trace).local.is_empty());
    let (mut bare, trace) = recording(&runtime, &work, Grants::default());
    assert!(matches!(bare.perform(message(TO, "x")).await.unwrap(), EffectResult::Refused { .. }));
    assert!(matches!(bare.perform(set("k", "v")).await.unwrap(), EffectResult::Refused { .. }));
    assert!(matches!(bare.perform(get("k")).await.unwrap(), EffectResult::Refused { .. }));
    assert!(lock(&trace).local.is_empty());
}

#[tokio::test]
async fn a_retried_job_does_not_repeat_what_was_stored() {
    let (runtime, clock) = runtime().await;
    let work = claimed(&runtime).await;
    let (mut recorder, trace) = recording(&runtime, &work, granted());
    let first = recorder.perform(message(TO, "hello")).await.unwrap();
    assert_eq!(recorder.perform(get("count")).await.unwrap(), EffectResult::Value { value: None });
    recorder.perform(set("count", "1")).await.unwrap();
    assert_eq!(state_after(&runtime, &work.job, &trace, later()).await, JobState::Scheduled);

    clock.set(start() + SignedDuration::from_hours(2));
    let work = claim(&runtime, clock.now()).await;
    assert_eq!(work.journal.len(), 4);
    let (mut recorder, trace) = recording(&runtime, &work, granted());
    assert_eq!(recorder.perform(message(TO, "hello")).await.unwrap(), first, "the same answer");
    // What it read before it wrote is what it reads again, though the store knows better by now.
    assert_eq!(recorder.perform(get("count")).await.unwrap(), EffectResult::Value { value: None });
    recorder.perform(set("count", "1")).await.unwrap();
    assert_eq!(recorder.perform(get("count")).await.unwrap(), EffectResult::Value { value: Some("1".into()) });
    recorder.perform(message(TO, "and goodbye")).await.unwrap();
    assert_eq!(state_after(&runtime, &work.job, &trace, done()).await, JobState::Done);

    let texts: Vec<Body> = runtime.store.messages(&Page::default()).await.unwrap().into_iter().map(|view| view.message.body).collect();
    let text = |text: &str| Body::Text { text: text.to_owned() };
    assert!(texts == [text("and goodbye"), text("hello")], "each once, the newest first");
}

#[tokio::test]
async fn an_attempt_that_was_never_settled_has_done_nothing() {
    let (runtime, clock) = runtime().await;
    let work = claimed(&runtime).await;
    let (mut recorder, _) = recording(&runtime, &work, granted());
    recorder.perform(message(TO, "hello")).await.unwrap();
    drop(recorder);
    assert!(runtime.store.messages(&Page::default()).await.unwrap().is_empty());
    runtime.store.reclaim(Timestamp::MAX, RetryPolicy::default(), &[]).await.unwrap();
    let work = claim(&runtime, clock.now()).await;
    assert_eq!((work.job.attempt, work.journal.len()), (2, 0));
}

#[tokio::test]
async fn a_replay_that_asks_for_something_else_names_both() {
    let (runtime, clock) = runtime().await;
    let work = claimed(&runtime).await;
    let (mut recorder, trace) = recording(&runtime, &work, granted());
    recorder.perform(message(TO, "hello")).await.unwrap();
    settle(&runtime, &work.job, &trace, later()).await;
    clock.set(start() + SignedDuration::from_hours(2));
    let work = claim(&runtime, clock.now()).await;

    let (mut recorder, _) = recording(&runtime, &work, granted());
    let Err(Stop::Differs { asked, recorded }) = recorder.perform(get("k")).await else { panic!("it went on") };
    assert!(asked.contains("state_get") && recorded.contains("message"), "{asked} / {recorded}");
    let (mut recorder, _) = recording(&runtime, &work, granted());
    let Err(Stop::Differs { asked, recorded }) = recorder.perform(message(TO, "other words")).await else { panic!("it went on") };
    assert!(asked != recorded && !recorded.contains("hello") && !asked.contains("words"), "{asked} / {recorded}");
}

#[tokio::test]
async fn state_belongs_to_one_action_of_one_clinic() {
    let (runtime, _) = runtime().await;
    let work = claimed(&runtime).await;
    let (mut recorder, trace) = recording(&runtime, &work, granted());
    recorder.perform(set("k", "mine")).await.unwrap();
    settle(&runtime, &work.job, &trace, done()).await;
    for (job, sees) in [
        (work.job.clone(), Some("mine")),
        (Job { clinic: Some("78".into()), ..work.job.clone() }, None),
        (Job { action: "b".into(), ..work.job.clone() }, None),
        (Job { connection: "d".into(), ..work.job.clone() }, None),
        (Job { rule: "s".into(), ..work.job.clone() }, None),
        // A clinic that gets an automation of its own goes on where it was.
        (Job { automation: AutomationId::new("r", "c", Some("77")), ..work.job.clone() }, Some("mine")),
    ] {
        let work = Work {
            job,
            event: work.event.clone(),
            collected: Vec::new(),
            records: Default::default(),
            journal: Vec::new(),
            steps: Map::new(),
        };
        let (mut recorder, _) = recording(&runtime, &work, granted());
        assert_eq!(recorder.perform(get("k")).await.unwrap(), EffectResult::Value { value: sees.map(str::to_owned) });
    }
}

#[tokio::test]
async fn a_number_is_on_disk_before_the_plugin_sees_it() {
    let (runtime, clock) = runtime().await;
    let work = claimed(&runtime).await;
    let (mut recorder, trace) = recording(&runtime, &work, granted());
    let sent = recorder.perform(message(TO, "hello")).await.unwrap();
    assert_eq!(recorder.perform(next()).await.unwrap(), EffectResult::Counted { value: 1 });
    assert!(lock(&trace).outward, "no cancellation takes it back");
    // The process dies here. What came before the number is there with it.
    drop(recorder);
    assert_eq!(runtime.store.messages(&Page::default()).await.unwrap().len(), 1);
    runtime.store.reclaim(Timestamp::MAX, RetryPolicy::default(), &[]).await.unwrap();
    let work = claim(&runtime, clock.now()).await;
    assert_eq!(work.journal.len(), 3, "invocation, message, number");
    let (mut recorder, trace) = recording(&runtime, &work, granted());
    assert_eq!(recorder.perform(message(TO, "hello")).await.unwrap(), sent);
    assert_eq!(recorder.perform(next()).await.unwrap(), EffectResult::Counted { value: 1 }, "the same number again");
    assert_eq!(recorder.perform(next()).await.unwrap(), EffectResult::Counted { value: 2 });
    assert_eq!(state_after(&runtime, &work.job, &trace, done()).await, JobState::Done);
    assert_eq!(runtime.store.journal(work.job.id).await.unwrap().len(), 4);
    assert_eq!(runtime.store.messages(&Page::default()).await.unwrap().len(), 1, "and not sent twice");
}

#[tokio::test]
async fn a_number_needs_its_grant_and_its_lease() {
    let (runtime, clock) = runtime().await;
    let work = claimed(&runtime).await;
    let (mut bare, _) = recording(&runtime, &work, Grants::default());
    refused(&mut bare, next()).await;
    runtime.store.reclaim(Timestamp::MAX, RetryPolicy::default(), &[]).await.unwrap();
    let current = claim(&runtime, clock.now()).await;
    let (mut stale, _) = recording(&runtime, &work, granted());
    assert!(matches!(stale.perform(next()).await, Err(Stop::Store(_))), "another worker has the job");
    let (mut recorder, _) = recording(&runtime, &current, granted());
    assert_eq!(recorder.perform(next()).await.unwrap(), EffectResult::Counted { value: 1 }, "no number was lost");
}

#[tokio::test]
async fn a_document_travels_only_with_the_job_that_made_it_or_needs_who_did() {
    let (runtime, _) = runtime().await;
    let work = claimed(&runtime).await;
    let (mut bare, _) = recording(&runtime, &work, granted());
    assert!(refused(&mut bare, document("x")).await.contains("documents"));
    let grants = Grants { documents: true, ..granted() };
    let (mut recorder, trace) = recording(&runtime, &work, grants.clone());
    let EffectResult::Kept { document: id } = recorder.perform(document("Recibo nº 1")).await.unwrap() else { panic!("not kept") };
    let attach = |id: &str| sending(TO, "your receipt", vec![Attachment::Document { id: id.to_owned() }]);
    assert!(matches!(recorder.perform(attach(&id)).await.unwrap(), EffectResult::Sent { .. }), "its own");
    let other_index = effect_id(work.job.id, 7);
    for strange in [other_index.as_str(), "", "job_1/1", "../../etc/passwd"] {
        assert!(refused(&mut recorder, attach(strange)).await.contains("document"), "{strange}");
    }
    settle(&runtime, &work.job, &trace, done()).await;

    let stranger =
        Work { job: Job { id: zelo_core::JobId::derive(work.job.event, &work.job.automation, "send"), ..work.job.clone() }, ..work };
    let (mut recorder, _) = recording(&runtime, &stranger, granted());
    refused(&mut recorder, attach(&id)).await;
    let need = Need { step: "issue".into(), job: parse_effect_id(&id).unwrap().0, done: true };
    let waiting = Job { needs: vec![Need { done: false, ..need.clone() }], ..stranger.job.clone() };
    let waiting = Work {
        job: waiting,
        event: stranger.event.clone(),
        collected: Vec::new(),
        records: Default::default(),
        journal: Vec::new(),
        steps: Map::new(),
    };
    let (mut recorder, _) = recording(&runtime, &waiting, granted());
    refused(&mut recorder, attach(&id)).await;
    let later = Work { job: Job { needs: vec![need], ..stranger.job.clone() }, ..stranger };
    let (mut recorder, _) = recording(&runtime, &later, granted());
    assert!(matches!(recorder.perform(attach(&id)).await.unwrap(), EffectResult::Sent { .. }), "its step's");
    refused(&mut recorder, attach(&effect_id(later.job.needs[0].job, 9))).await;
    let file = Attachment::File(File { name: "a.ics".into(), media_type: "text/calendar".into(), content: Vec::new() });
    assert!(matches!(recorder.perform(sending(TO, "x", vec![file])).await.unwrap(), EffectResult::Sent { .. }));
}

#[tokio::test]
async fn an_action_writes_and_reads_of_records_what_it_was_granted() {
    let (runtime, _) = runtime().await;
    let work = claimed(&runtime).await;
    let fields = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let contact = RecordFields { fields: fields(&["stage", "notes"]), ids: Some(vec!["p1".into()]) };
    let grants = |contact: RecordFields| Grants { records: [("contact".to_owned(), contact)].into(), ..Grants::default() };
    let edit = |record: &str, id: &str, field: &str| {
        let set = json!({ field: "scheduled" }).as_object().unwrap().clone();
        Effect::RecordEdit(RecordEdit { record: record.into(), id: id.into(), set, append: Default::default() })
    };
    let read = |id: &str| Effect::RecordGet { record: "contact".into(), id: id.into() };
    let (mut recorder, trace) = recording(&runtime, &work, grants(contact));
    for (strange, why) in [
        (edit("patient", "p1", "stage"), "records `patient`"),
        (edit("contact", "p2", "stage"), "this record"),
        (edit("contact", "p1", "phone"), "field `phone`"),
        (read("p2"), "this record"),
    ] {
        let reason = refused(&mut recorder, strange).await;
        assert!(reason.contains(why), "{reason}");
    }
    assert_eq!(recorder.perform(read("p1")).await.unwrap(), EffectResult::Record { fields: None });
    assert_eq!(recorder.perform(edit("contact", "p1", "stage")).await.unwrap(), EffectResult::Done);
    assert_eq!(recorder.perform(read("p1")).await.unwrap(), EffectResult::Record { fields: None }, "it commits at the end");
    settle(&runtime, &work.job, &trace, done()).await;

    // Another action sees of the record what it may write itself.
    let contact = RecordFields { fields: fields(&["stage", "notes"]), ids: None };
    let (mut recorder, _) = recording(&runtime, &work, grants(contact));
    let seen = EffectResult::Record { fields: json!({ "stage": "scheduled" }).as_object().cloned() };
    assert_eq!(recorder.perform(read("p1")).await.unwrap(), seen);
    let other = RecordFields { fields: fields(&["notes"]), ids: None };
    let (mut recorder, _) = recording(&runtime, &work, grants(other));
    let nothing = EffectResult::Record { fields: Some(Map::new()) };
    assert_eq!(recorder.perform(read("p1")).await.unwrap(), nothing);
}

#[tokio::test]
async fn an_event_of_a_plugin_carries_what_led_to_it() {
    let (runtime, _) = runtime().await;
    let work = claimed(&runtime).await;
    let emit = |kind: &str| Effect::Event(Emitted { kind: kind.into(), data: json!({ "number": 1 }) });
    let grants = Grants { events: ["receipt.issued".to_owned()].into(), ..Grants::default() };
    let (mut recorder, trace) = recording(&runtime, &work, grants.clone());
    assert!(refused(&mut recorder, emit("appointment.created")).await.contains("appointment.created"));
    assert_eq!(recorder.perform(emit("receipt.issued")).await.unwrap(), EffectResult::Done);
    let outcome = settle(&runtime, &work.job, &trace, done()).await;
    let event = runtime.store.event(outcome.emitted[0].event).await.unwrap().unwrap().event;
    assert_eq!((event.kind.as_str(), event.connection.as_str(), event.clinic.as_deref()), ("receipt.issued", "c", Some("77")));
    assert_eq!((event.subjects.clone(), &*event.data), (work.event.subjects.clone(), &json!({ "number": 1 })));
    let automation = work.job.automation.clone();
    assert_eq!(event.cause, Some(Cause { job: work.job.id, lineage: vec![automation.clone()] }));
    // And on: the event of an event remembers both.
    let second = Work { event, ..work };
    let (mut recorder, trace) = recording(&runtime, &second, grants);
    recorder.perform(emit("receipt.issued")).await.unwrap();
    let lineage = lock(&trace).emitted[0].event.cause.clone().unwrap().lineage;
    assert_eq!(lineage, [automation.clone(), automation]);
}

#[tokio::test]
async fn a_chain_of_automations_is_not_endless() {
    let (runtime, _) = runtime().await;
    let mut work = claimed(&runtime).await;
    let grants = Grants { events: ["receipt.issued".to_owned()].into(), ..Grants::default() };
    let emit = || Effect::Event(Emitted { kind: "receipt.issued".into(), data: json!({}) });
    let led_by = |automations: usize| {
        let lineage = (0..automations).map(|number| AutomationId::new(&format!("r{number}"), "c", None)).collect();
        Some(Cause { job: zelo_core::JobId::from_bytes([0; 16]), lineage })
    };
    work.event.cause = led_by(LINEAGE_MAX - 1);
    let (mut recorder, trace) = recording(&runtime, &work, grants.clone());
    assert_eq!(recorder.perform(emit()).await.unwrap(), EffectResult::Done);
    assert_eq!(lock(&trace).emitted[0].event.cause.as_ref().unwrap().lineage.len(), LINEAGE_MAX);

    work.event.cause = led_by(LINEAGE_MAX);
    let (mut recorder, trace) = recording(&runtime, &work, grants.clone());
    let why = refused(&mut recorder, emit()).await;
    assert!(why.contains("8 automations led to this job"), "{why}");
    assert!(lock(&trace).emitted.is_empty());
    // What was refused stays refused, and is told in the same words.
    settle(&runtime, &work.job, &trace, later()).await;
    let mut again = claim(&runtime, start() + SignedDuration::from_hours(2)).await;
    again.event.cause = None;
    let (mut recorder, _) = recording(&runtime, &again, grants);
    assert_eq!(refused(&mut recorder, emit()).await, why);
}

#[tokio::test]
async fn an_event_because_of_several_remembers_what_led_to_any_of_them() {
    let (runtime, _) = runtime().await;
    let work = claimed(&runtime).await;
    let led = |automation: &str, person: &str| Event {
        subjects: vec![person.into()],
        cause: Some(Cause { job: work.job.id, lineage: vec![AutomationId(automation.into())] }),
        ..work.event.clone()
    };
    let emitted = async |collected: Vec<Event>| {
        let Work { job, event, records, journal, steps, .. } = &work;
        let (job, event, records, journal, steps) = (job.clone(), event.clone(), records.clone(), journal.clone(), steps.clone());
        let work = Work { job, event, collected, records, journal, steps };
        let (mut recorder, trace) = recording(&runtime, &work, Grants { events: ["a.b".to_owned()].into(), ..Grants::default() });
        recorder.perform(Effect::Event(Emitted { kind: "a.b".into(), data: json!(1) })).await.unwrap();
        let event = lock(&trace).emitted[0].event.clone();
        (event.cause.unwrap().lineage.iter().map(|id| id.0.clone()).collect::<Vec<_>>(), event.subjects)
    };
    let own = work.job.automation.0.clone();
    let one = emitted(vec![led("x", "p1"), led("y", "p1"), led("x", "p1"), work.event.clone()]).await;
    assert_eq!(one, (vec!["x".to_owned(), "y".to_owned(), own.clone()], vec!["p1".to_owned()]));
    let two = emitted(vec![led("x", "p2"), work.event.clone()]).await;
    assert_eq!(two, (vec!["x".to_owned(), own], vec!["p1".to_owned(), "p2".to_owned()]), "of several people it is about all of them");
}

#[tokio::test]
async fn a_document_from_before_a_number_still_travels() {
    let (runtime, clock) = runtime().await;
    let work = claimed(&runtime).await;
    let grants = Grants { documents: true, ..granted() };
    let (mut recorder, _) = recording(&runtime, &work, grants.clone());
    let EffectResult::Kept { document: id } = recorder.perform(document("A")).await.unwrap() else { panic!("not kept") };
    recorder.perform(next()).await.unwrap();
    let attach = || sending(TO, "here", vec![Attachment::Document { id: id.clone() }]);
    assert!(matches!(recorder.perform(attach()).await.unwrap(), EffectResult::Sent { .. }));
    drop(recorder);
    // And after a crash, when document and number are replayed; and no cancellation comes before the end any more.
    runtime.store.reclaim(Timestamp::MAX, RetryPolicy::default(), &[]).await.unwrap();
    let work = claim(&runtime, clock.now()).await;
    let (mut recorder, trace) = recording(&runtime, &work, grants);
    assert!(lock(&trace).outward);
    recorder.perform(document("A")).await.unwrap();
    recorder.perform(next()).await.unwrap();
    assert!(matches!(recorder.perform(attach()).await.unwrap(), EffectResult::Sent { .. }));
}

#[test]
fn ids_sort_by_arrival_within_a_millisecond() {
    let (counts, entropy) = (Counts::default(), SeededEntropy::new(3));
    let ids: Vec<_> = (0..5000).map(|_| counts.id(start(), &entropy)).collect();
    assert!(ids[..4096].is_sorted());
    let later = counts.id(start() + SignedDuration::from_millis(20), &entropy);
    assert!(ids.iter().all(|id| *id < later));
}
