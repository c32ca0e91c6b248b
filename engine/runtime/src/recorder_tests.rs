use std::collections::HashMap;

use jiff::SignedDuration;
use serde_json::{Value, json};
use zelo_core::effect::Body;
use zelo_core::grants::Messages;
use zelo_core::invocation::EventRef;
use zelo_core::job::Reason;
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::{AttemptEnd, Report, Settled, Settlement};
use zelo_core::timing::{Due, DueQuestion, Records, Timetable};
use zelo_core::{
    Arrival, AutomationId, Candidate, Clock, Event, EventId, Invocation, JobState, ManualClock, Plan, SeededEntropy, Timestamp,
};
use zelo_host::{Host, HostConfig, Limits};
use zelo_rules::Files;
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{MasterKey, Page, Work};

use super::*;
use crate::connection::Channels;
use crate::intake::Counts;
use crate::rulebook::{Edition, Rulebook};
use crate::{Catalog, Shared};

const TO: &str = "+55 11 90000-0001";

/// Everything is due at once.
struct AtOnce;

impl Timetable for AtOnce {
    fn due(&self, question: &DueQuestion<'_>, _: &dyn Records) -> Result<Due, Reason> {
        Ok(Due { at: question.reference, expires: None })
    }
}

fn start() -> Timestamp {
    "2026-03-05T13:00:00Z".parse().unwrap()
}

async fn runtime() -> (Runtime, Arc<ManualClock>) {
    let entropy = Arc::new(SeededEntropy::new(1));
    let master = MasterKey::generate(entropy.as_ref());
    let store = SqliteStore::open(SqliteConfig { path: None, ..SqliteConfig::default() }, master, entropy.clone()).await.unwrap();
    let catalog = Arc::new(Catalog::default());
    let rules = zelo_rules::load(&Files::default(), catalog.as_ref()).set.unwrap();
    let clock = Arc::new(ManualClock::new(start()));
    let shared = Shared {
        store,
        host: Arc::new(Host::new(HostConfig::default()).unwrap()),
        rules: Rulebook::new(Edition::new(Arc::new(rules), catalog, &[]).unwrap()),
        connections: HashMap::new(),
        channels: Channels([("outbox".to_owned(), ChannelKind::Outbox)].into()),
        clock: clock.clone(),
        entropy,
        retry: RetryPolicy::default(),
        limits: Limits::default(),
        bell: tokio::sync::Notify::new(),
        counts: Counts::default(),
    };
    (Runtime::new(shared), clock)
}

/// Stores an event that makes one job, and claims it.
async fn claimed(runtime: &Runtime) -> Work {
    let now = start();
    let event = Event {
        id: EventId::new(now, runtime.entropy.as_ref()),
        connection: "c".into(),
        source: "s".into(),
        kind: "appointment.created".into(),
        time: now,
        received: now,
        entity: None,
        subjects: Vec::new(),
        clinic: Some("77".into()),
        data: Arc::new(Value::Null),
    };
    let arrival = Arrival {
        event,
        body: Arc::from(&b"null"[..]),
        delivery: KeyHash([1; 16]),
        entity: None,
        subjects: Vec::new(),
        records: Vec::new(),
        candidates: vec![Candidate {
            automation: AutomationId::new("r", "c", None),
            rule: "r".into(),
            action: "a".into(),
            rule_digest: String::new(),
            plan: Plan::Fire { key: None, anchor: None, lookups: Vec::new() },
        }],
        timetable: Arc::new(AtOnce),
    };
    runtime.store.record(arrival).await.unwrap();
    claim(runtime, now).await
}

async fn claim(runtime: &Runtime, now: Timestamp) -> Work {
    runtime.store.claim(now, 1, SignedDuration::from_mins(1)).await.unwrap().remove(0)
}

fn granted() -> Grants {
    Grants { messages: Some(Messages { channels: vec!["outbox".into()], to: vec![TO.into()] }), state: true }
}

fn message(to: &str, text: &str) -> Effect {
    let body = Body::Text { text: text.to_owned() };
    Effect::Message(Message { channel: None, to: to.to_owned(), body, media: Vec::new(), buttons: Vec::new() })
}

fn get(key: &str) -> Effect {
    Effect::StateGet { key: key.to_owned() }
}

fn set(key: &str, value: &str) -> Effect {
    Effect::StateSet { key: key.to_owned(), value: value.to_owned() }
}

fn invocation(job: &Job) -> JournalEntry {
    JournalEntry::Invocation(Box::new(Invocation {
        job: job.id.to_string(),
        rule: "r".into(),
        action: "a".into(),
        event: EventRef { id: job.event.to_string(), kind: "appointment.created".into(), time: start().to_string() },
        now: start().to_string(),
        seed: 1,
        locale: "pt-BR".into(),
        input: json!({}),
        grants: granted(),
        plugin_digest: String::new(),
        fields: Vec::new(),
    }))
}

/// Settles an attempt with what its trace holds; the first one's journal begins with the invocation.
async fn settle(runtime: &Runtime, job: &Job, trace: &Mutex<Trace>, first: bool, end: AttemptEnd) -> JobState {
    let mut trace = std::mem::take(&mut *lock(trace));
    if first {
        trace.journal.insert(0, (0, invocation(job)));
    }
    let settlement = Settlement {
        job: job.id,
        lease: job.lease,
        end,
        journal: trace.journal,
        local: trace.local,
        outward: false,
        report: Report::default(),
        policy: RetryPolicy::default(),
    };
    match runtime.store.settle(settlement, runtime.clock.now()).await.unwrap() {
        Settled::Applied { job, .. } => job.state,
        Settled::Stale => panic!("stale"),
    }
}

fn later() -> AttemptEnd {
    AttemptEnd::Retry { reason: Reason::new("plugin", "later"), after: None }
}

#[tokio::test]
async fn nobody_but_the_granted_recipient_is_written_to() {
    let (runtime, _) = runtime().await;
    let work = claimed(&runtime).await;
    let (mut recorder, trace) = Recorder::new(&runtime, &work.job, granted(), Vec::new());
    for stranger in ["+55 11 90000-0002", "", "+55 11 90000-0001 "] {
        let result = recorder.perform(message(stranger, "x")).await.unwrap();
        assert!(matches!(result, EffectResult::Refused { .. }), "{stranger}");
    }
    assert!(lock(&trace).local.is_empty());
    let (mut bare, trace) = Recorder::new(&runtime, &work.job, Grants::default(), Vec::new());
    assert!(matches!(bare.perform(message(TO, "x")).await.unwrap(), EffectResult::Refused { .. }));
    assert!(matches!(bare.perform(set("k", "v")).await.unwrap(), EffectResult::Refused { .. }));
    assert!(matches!(bare.perform(get("k")).await.unwrap(), EffectResult::Refused { .. }));
    assert!(lock(&trace).local.is_empty());
}

#[tokio::test]
async fn a_retried_job_does_not_repeat_what_was_stored() {
    let (runtime, clock) = runtime().await;
    let work = claimed(&runtime).await;
    let (mut recorder, trace) = Recorder::new(&runtime, &work.job, granted(), Vec::new());
    let first = recorder.perform(message(TO, "hello")).await.unwrap();
    assert_eq!(recorder.perform(get("count")).await.unwrap(), EffectResult::Value { value: None });
    recorder.perform(set("count", "1")).await.unwrap();
    assert_eq!(settle(&runtime, &work.job, &trace, true, later()).await, JobState::Scheduled);

    clock.set(start() + SignedDuration::from_hours(2));
    let work = claim(&runtime, clock.now()).await;
    assert_eq!(work.journal.len(), 4);
    let (mut recorder, trace) = Recorder::new(&runtime, &work.job, granted(), work.journal);
    assert_eq!(recorder.perform(message(TO, "hello")).await.unwrap(), first, "the same answer");
    // What it read before it wrote is what it reads again, though the store knows better by now.
    assert_eq!(recorder.perform(get("count")).await.unwrap(), EffectResult::Value { value: None });
    recorder.perform(set("count", "1")).await.unwrap();
    assert_eq!(recorder.perform(get("count")).await.unwrap(), EffectResult::Value { value: Some("1".into()) });
    recorder.perform(message(TO, "and goodbye")).await.unwrap();
    assert_eq!(settle(&runtime, &work.job, &trace, false, AttemptEnd::Done { code: "sent".into() }).await, JobState::Done);

    let texts: Vec<Body> = runtime.store.messages(&Page::default()).await.unwrap().into_iter().map(|view| view.message.body).collect();
    let text = |text: &str| Body::Text { text: text.to_owned() };
    assert!(texts == [text("and goodbye"), text("hello")], "each once, the newest first");
}

#[tokio::test]
async fn an_attempt_that_was_never_settled_has_done_nothing() {
    let (runtime, clock) = runtime().await;
    let work = claimed(&runtime).await;
    let (mut recorder, _) = Recorder::new(&runtime, &work.job, granted(), Vec::new());
    recorder.perform(message(TO, "hello")).await.unwrap();
    drop(recorder);
    assert!(runtime.store.messages(&Page::default()).await.unwrap().is_empty());
    runtime.store.reclaim(Timestamp::MAX, RetryPolicy::default()).await.unwrap();
    let work = claim(&runtime, clock.now()).await;
    assert_eq!((work.job.attempt, work.journal.len()), (2, 0));
}

#[tokio::test]
async fn a_replay_that_asks_for_something_else_names_both() {
    let (runtime, clock) = runtime().await;
    let work = claimed(&runtime).await;
    let (mut recorder, trace) = Recorder::new(&runtime, &work.job, granted(), Vec::new());
    recorder.perform(message(TO, "hello")).await.unwrap();
    settle(&runtime, &work.job, &trace, true, later()).await;
    clock.set(start() + SignedDuration::from_hours(2));
    let journal = claim(&runtime, clock.now()).await.journal;

    let (mut recorder, _) = Recorder::new(&runtime, &work.job, granted(), journal.clone());
    let Err(Stop::Differs { asked, recorded }) = recorder.perform(get("k")).await else { panic!("it went on") };
    assert!(asked.contains("state_get") && recorded.contains("message"), "{asked} / {recorded}");
    let (mut recorder, _) = Recorder::new(&runtime, &work.job, granted(), journal);
    let Err(Stop::Differs { asked, recorded }) = recorder.perform(message(TO, "other words")).await else { panic!("it went on") };
    assert!(asked != recorded && !recorded.contains("hello") && !asked.contains("words"), "{asked} / {recorded}");
}

#[tokio::test]
async fn state_belongs_to_one_action_of_one_clinic() {
    let (runtime, _) = runtime().await;
    let work = claimed(&runtime).await;
    let (mut recorder, trace) = Recorder::new(&runtime, &work.job, granted(), Vec::new());
    recorder.perform(set("k", "mine")).await.unwrap();
    settle(&runtime, &work.job, &trace, true, AttemptEnd::Done { code: "kept".into() }).await;
    for (job, sees) in [
        (work.job.clone(), Some("mine")),
        (Job { clinic: Some("78".into()), ..work.job.clone() }, None),
        (Job { action: "b".into(), ..work.job.clone() }, None),
        (Job { automation: AutomationId::new("r", "d", None), ..work.job.clone() }, None),
    ] {
        let (mut recorder, _) = Recorder::new(&runtime, &job, granted(), Vec::new());
        assert_eq!(recorder.perform(get("k")).await.unwrap(), EffectResult::Value { value: sees.map(str::to_owned) });
    }
}
