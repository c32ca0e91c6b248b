use std::path::Path;

use serde_json::json;
use zelo_core::effect::{Body, Message};
use zelo_core::{Actor, RecordRef};
use zelo_host::{Host, HostConfig};
use zelo_rules::{FileText, Files, Headers};
use zelo_store::AuditPage;

use super::*;
use crate::automations::{Chosen, Switch, To};
use crate::recorder::tests::{runtime_of, start};
use crate::{Catalog, Connection, Incoming, Installed, rulebook};

const SOURCE: &str = r#"
id = "s"
title = "Somewhere"
timezone = "UTC"

[receive]
format = "json"
verify = { kind = "token", header = "x-token" }

[[events]]
match = { path = "lead" }
type = "lead.created"
time = "$.at"
subjects = [{ id = "$.id" }]
clinic = "$.clinic"

[[events]]
match = { path = "person" }
type = "person.known"

[[records]]
type = "person"
on = ["person.known"]
key = "$.id"
keep = { phone = "$.phone" }
"#;

const RULE: &str = r#"
id = "ask"
title = "Ask"
source = "s"
on = "lead.created"

[settings.hours]
type = "integer"
default = 2
min = 1

[lookup.person]
key = "$.id"

[[then]]
name = "ask"
plugin = "message"
after = "{{ settings.hours }}h"
purpose = "Ask"
basis = "lgpd:11.II.f"

[then.allow]
name = "$.name"
phone = { record = "person", path = "$.phone" }

[then.with]
to = "{{ phone }}"
text = "Olá {{ name }}"

[then.grant]
messages = { channels = ["outbox"], to = ["{{ phone }}"] }

[[test]]
name = "asks"
event = { type = "lead.created", data = { id = "p1", name = "Exemplo", clinic = "1" } }
now = "2017-05-28T12:00:00Z"
records.person = { phone = "+55 11 90000-0000" }
expect = { fires = true }
"#;

/// A clinic's server with one rule, which is on nowhere; the plugin that it runs is the one that ships.
pub(crate) async fn place() -> (Runtime, Arc<ManualClock>) {
    let host = Arc::new(Host::new(HostConfig::default()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist/message.wasm");
    std::fs::copy(&shipped, folder.path().join("message.wasm")).unwrap();
    let catalog = Arc::new(Catalog::load(&host, &Installed::in_folder(folder.path())).unwrap());
    let file = |name: &str, text: &str| FileText { name: name.into(), text: text.into() };
    let files = Files { sources: vec![file("s.toml", SOURCE)], rules: vec![file("ask.toml", RULE)], samples: vec![] };
    let (rules, _) = rulebook::check(&files, &catalog).unwrap_or_else(|error| panic!("{error}"));
    let edition = Edition::new(Arc::new(rules), catalog, &[]).unwrap();
    let connection = |name: &str| Connection {
        name: name.into(),
        source: "s".into(),
        secrets: vec![b"token".to_vec()],
        clinic: None,
        handshake: None,
        insecure: false,
        expect: None,
    };
    let connections = ["c", "d"].map(|name| (name.to_owned(), connection(name))).into();
    runtime_of(None, Arc::new(Answers::default()), host, edition, connections).await
}

/// Something that a provider says.
pub(crate) async fn say(runtime: &Runtime, path: &str, body: Value) {
    let headers: Headers<'_> = [("x-token", &b"token"[..])].into_iter().collect();
    let body = body.to_string();
    let incoming = Incoming { connection: "c", path, url: path, headers: &headers, body: body.as_bytes() };
    runtime.receive(runtime.arrived(), incoming).await.unwrap();
}

pub(crate) fn lead(id: &str, name: &str, clinic: &str) -> Value {
    json!({ "id": id, "name": name, "clinic": clinic, "at": start().to_string() })
}

async fn know_phone(runtime: &Runtime, id: &str, phone: &str) {
    let key = RecordRef { kind: "person".into(), hash: runtime.store.indexer().record("c", "person", id) };
    let fields = json!({ "phone": phone }).as_object().unwrap().clone();
    let write = RecordWrite { key, id: id.into(), fields, subject: None, clinic: None };
    let timetable = runtime.rules.current().in_force.clone();
    let import = Import { connection: "c".into(), records: vec![write], on_known: OnKnown::Replace, timetable };
    runtime.store.import(import, runtime.clock.now()).await.unwrap();
}

fn asked(clinic: Option<&str>, settings: Value) -> Asked {
    Asked {
        rule: "ask".into(),
        connection: "c".into(),
        clinic: clinic.map(Into::into),
        clinics: Clinics::All,
        settings: settings.as_object().unwrap().clone(),
        on: On::Stored,
        only: None,
    }
}

fn after(from: Timestamp, hours: i64) -> Timestamp {
    from.saturating_add(SignedDuration::from_hours(hours)).unwrap()
}

fn sent(job: &JobTried) -> (&str, &str) {
    let [Effect::Message(Message { to, body: Body::Text { text }, .. })] = job.effects.as_slice() else { panic!("{job:?}") };
    (to, text)
}

#[tokio::test]
async fn without_events_it_is_tried_on_the_sample_of_its_tests() {
    let (runtime, _) = place().await;
    let preview = runtime.preview(&asked(None, json!({ "hours": 5 }))).await.unwrap();
    let [tried] = preview.events.as_slice() else { panic!("{preview:?}") };
    assert_eq!((preview.on, tried.stored.is_none()), (Some(On::Sample), true));
    let came: Timestamp = "2017-05-28T12:00:00Z".parse().unwrap();
    assert_eq!((tried.received, tried.jobs[0].at), (came, after(came, 5)));
    assert_eq!((tried.jobs[0].state, sent(&tried.jobs[0])), (JobState::Done, ("+55 11 90000-0000", "Olá Exemplo")));
}

#[tokio::test]
async fn it_is_tried_on_the_latest_events_of_the_clinic_and_nothing_comes_of_it() {
    let (runtime, _) = place().await;
    say(&runtime, "lead", lead("p1", "Ana", "1")).await;
    say(&runtime, "lead", lead("p2", "Bia", "2")).await;
    say(&runtime, "person", json!({ "id": "p3" })).await;
    know_phone(&runtime, "p1", "+55 11 90000-0001").await;
    let written = runtime.store.audit(&AuditPage::default()).await.unwrap().len();

    let preview = runtime.preview(&asked(Some("1"), json!({}))).await.unwrap();
    let [tried] = preview.events.as_slice() else { panic!("{preview:?}") };
    assert_eq!(preview.on, Some(On::Stored));
    let view = tried.stored.as_ref().unwrap();
    assert_eq!((view.event.clinic.as_deref(), view.event.subjects.as_slice()), (Some("1"), &["p1".to_owned()][..]));
    assert_eq!((tried.jobs[0].at, sent(&tried.jobs[0])), (after(start(), 2), ("+55 11 90000-0001", "Olá Ana")));

    let both = runtime.preview(&asked(None, json!({}))).await.unwrap().events;
    let clinics: Vec<_> = both.iter().map(|tried| tried.stored.as_ref().unwrap().event.clinic.as_deref().unwrap()).collect();
    assert_eq!(clinics, ["2", "1"], "the newest first");
    let missing = &both[0].jobs[0];
    assert_eq!((missing.effects.len(), missing.reason.as_ref().map(|why| why.code.as_ref())), (0, Some("missing")));

    let told = Asked { clinics: Clinics::of(["c/2".parse().unwrap()]), ..asked(None, json!({})) };
    let hers = runtime.preview(&told).await.unwrap().events;
    assert!(hers.iter().all(|tried| tried.stored.as_ref().unwrap().event.clinic.as_deref() == Some("2")) && hers.len() == 1);
    let sample = runtime.preview(&Asked { on: On::Sample, ..asked(None, json!({})) }).await.unwrap();
    assert_eq!(sample.on, Some(On::Sample));

    let everything = Page::default();
    assert!(runtime.store.jobs(&everything, None).await.unwrap().is_empty());
    assert!(runtime.store.messages(&everything).await.unwrap().is_empty());
    assert_eq!(runtime.store.events(&everything).await.unwrap().len(), 3);
    assert_eq!(runtime.store.audit(&AuditPage::default()).await.unwrap().len(), written);
}

#[tokio::test]
async fn what_cannot_be_tried_is_said() {
    let (runtime, _) = place().await;
    assert!(matches!(runtime.preview(&asked(None, json!({ "hours": 0 }))).await, Err(Error::Settings(_))));
    let nowhere = Asked { connection: "nowhere".into(), ..asked(None, json!({})) };
    assert!(matches!(runtime.preview(&nowhere).await, Err(Error::NoConnection(_))));
    let nothing = Asked { rule: "nothing".into(), ..asked(None, json!({})) };
    assert!(matches!(runtime.preview(&nothing).await, Err(Error::NoRule(_))));
}

/// The fewest turns that were left while `work` went on, and what came of it.
async fn watched<T>(work: impl Future<Output = T>) -> (usize, T) {
    let (mut work, mut least) = (std::pin::pin!(work), TURNS.available_permits());
    let came = std::future::poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        least = least.min(TURNS.available_permits());
        polled
    });
    let came = came.await;
    (least, came)
}

#[tokio::test]
async fn as_many_are_tried_at_once_as_there_are_turns() {
    let (runtime, _) = place().await;
    let tried = asked(None, json!({}));
    let all = TURNS.acquire_many(2).await.unwrap();
    let mut waits = std::pin::pin!(runtime.preview(&tried));
    assert!(tokio::time::timeout(std::time::Duration::from_millis(50), &mut waits).await.is_err(), "it waits for one");
    drop(all);
    let (least, came) = watched(waits).await;
    assert!(least < 2, "it takes one");
    assert_eq!(came.unwrap().events.len(), 1);
}

#[tokio::test]
async fn what_a_job_would_say_is_left_out_while_others_are_looked_at() {
    let (runtime, _) = place().await;
    let on = Switch { rule: "ask".into(), connection: Some("c".into()), clinic: None, to: To::On(Chosen::Exactly(Map::new())) };
    runtime.switch(&on, Actor::command()).await.unwrap();
    say(&runtime, "lead", lead("p1", "Ana", "1")).await;
    know_phone(&runtime, "p1", "+55 11 90000-0001").await;
    let job = runtime.store.jobs(&Page::default(), None).await.unwrap().remove(0).job;
    let prepared = runtime.outlook(&job).await.unwrap().unwrap().prepared.unwrap();
    let all = TURNS.acquire_many(2).await.unwrap();
    assert!(runtime.messages_of(&prepared).await.is_empty());
    drop(all);
    // Another test may have the turns for a moment.
    let texts = async {
        loop {
            let texts = runtime.messages_of(&prepared).await;
            if !texts.is_empty() {
                return texts;
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(tokio::time::timeout(std::time::Duration::from_secs(10), texts).await.unwrap(), ["Olá Ana"]);
}
