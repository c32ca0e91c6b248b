//! A server over a store in memory, with one source, one rule and a clock that is set.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use zelo_core::concurrency::unlimited;
use zelo_core::effect::{Attachment, Body as MessageBody, Document, File, Message, RecordEdit};
use zelo_core::grants::{Capability, Messages};
use zelo_core::invocation::EventRef;
use zelo_core::job::Reason;
use zelo_core::settle::{AttemptEnd, LocalWrite, LogLine, Report, Settlement};
use zelo_core::timing::{Due, DueQuestion, Records, Timetable};
use zelo_core::{
    Actor, Arrival, AutomationId, Candidate, Cause, Clinics, Clock, Effect, EffectResult, Entropy, Event, EventId, Grants, Invocation, Job,
    JournalEntry, ManualClock, Origin, OverTime, Plan, SeededEntropy, SignedDuration, Timestamp,
};
use zelo_host::{Host, HostConfig, Limits};
use zelo_rules::{Automation, FileText, Files, InForce, PluginFacts, PluginWords, Plugins, SampleText};
use zelo_runtime::line::Line;
use zelo_runtime::rulebook::Edition;
use zelo_runtime::{Catalog, ChannelKind, Channels, Connection, Rulebook, Runtime, Shared, intake};
use zelo_server::access::{self, Role};
use zelo_server::{Front, Rates, Settings, front};
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{MasterKey, Store};

use crate::contract;
use crate::deaf::{Deaf, Stop};
use crate::door::rate;

pub(crate) const SECRET: &str = "a-secret-of-the-connection";
/// Stands in payloads; must not come out where nobody signed in.
pub(crate) const MARKER: &str = "Zacarias-Marker";
/// The bytes of the documents.
pub(crate) const FILE: &str = "%PDF-1.4 a few bytes";
pub(crate) const START: &str = "2026-03-02T11:00:00Z";

pub(crate) const SOURCE: &str = r#"
id = "acme"
title = "Acme"

[receive]
format = "json"
max_body = 2048
verify = { any = [
  { kind = "hmac", header = "x-signature", signed = "{body}", algorithm = "sha256", encodings = ["hex"] },
  { kind = "token", header = "x-zelo-token" } ] }

[[events]]
match = { path = "patient/new" }
type = "patient.created"
title = { pt-BR = "um paciente é cadastrado", en = "a patient is registered" }
time = "$.timestamp"
entity = { type = "patient", id = "$.data.id" }
subjects = [{ id = "$.data.id", cpf = "$.data.cpf", phone = "$.data.phone", email = "$.data.email" }]
clinic = "$.data.clinic"

[[records]]
type = "patient"
on = ["patient.created"]
key = "$.data.id"
subject = "$.data.id"
keep = { name = "$.data.name", phone = "$.data.phone" }

[classes]
public = ["$.data.id", "$.data.clinic", "$.timestamp"]
personal = ["$.data.name", "$.data.phone", "$.data.cpf", "$.data.email"]

[words]
"$.data.name" = { pt-BR = "o nome", en = "the name" }
"#;

pub(crate) const RULE: &str = r#"
id = "greeting"
title = { en = "Greeting", pt-BR = "Saudação" }
on = ["patient.created"]
source = "acme"

[[then]]
name = "greet"
plugin = "greeter"
purpose = { en = "Greet the patient", pt-BR = "Saudar o paciente" }
basis = "lgpd:11.II.f"
consent = "messages"

[then.allow]
name = "$.data.name"
phone = "$.data.phone"

[then.with]
to = "{{ phone }}"
text = "Olá {{ name }}"

[then.grant]
messages = { channels = ["outbox"], to = ["{{ phone }}"] }
"#;

/// One plugin that is said to be installed; nothing runs it.
pub(crate) struct Greeter;

impl Plugins for Greeter {
    fn plugin(&self, name: &str) -> Option<PluginFacts> {
        (name == "greeter").then(|| PluginFacts {
            name: "greeter".into(),
            version: "1.0.0".into(),
            digest: "00".repeat(32),
            imports: vec![Capability::Messages],
            inputs: json!({ "type": "object", "properties": { "to": { "type": "string" }, "text": { "type": "string" } }, "required": ["to", "text"] }),
            words: PluginWords::default(),
        })
    }

    fn names(&self) -> Vec<String> {
        vec!["greeter".into()]
    }
}

pub(crate) struct House {
    pub(crate) runtime: Runtime,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) front: Front,
}

/// An answer, read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// Asserts that this is a problem document of `status` and `code`, and that it tells nothing of a payload.
    pub(crate) fn is_problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:zelo:problem:{code}"));
        assert_eq!(problem["status"], status);
        assert!(["title", "detail"].iter().all(|name| problem[name].as_str().is_some_and(|text| !text.is_empty())), "{problem}");
        assert!(!self.text.contains(MARKER) && !self.text.contains(SECRET), "{}", self.text);
        problem
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        Self::built(settings, false, None).await
    }

    /// As [`House::with`]; its connections are `acme`, and `open`, which is insecure if asked for. Its store is in memory, or a file.
    pub(crate) async fn built(settings: Settings, insecure: bool, path: Option<PathBuf>) -> Self {
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
        Self::over(open(path, &entropy).await, entropy, settings, insecure)
    }

    /// One whose store no longer writes down what people see, once the switch is on.
    pub(crate) async fn hard_of_hearing() -> (Self, Arc<AtomicBool>) {
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
        let deaf = Arc::<AtomicBool>::default();
        let store = Deaf { inner: open(None, &entropy).await, deaf: deaf.clone(), stop: Arc::default() };
        (Self::over(Arc::new(store), entropy, Settings::default(), false), deaf)
    }

    /// One where who looks stops in the midst of it, once the switch is set.
    pub(crate) async fn halting(settings: Settings) -> (Self, Arc<Mutex<Option<Arc<Stop>>>>) {
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
        let stop = Arc::<Mutex<_>>::default();
        let store = Deaf { inner: open(None, &entropy).await, deaf: Arc::default(), stop: stop.clone() };
        (Self::over(Arc::new(store), entropy, settings, false), stop)
    }

    /// One with the only source `text`, without rules, and one connection of it: `p`.
    pub(crate) async fn of_source(text: &str, handshake: Option<&str>) -> Self {
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
        let store = open(None, &entropy).await;
        let file = FileText { name: "p.toml".into(), text: text.into() };
        let files = Files { sources: vec![file], rules: vec![], samples: vec![] };
        let loaded = zelo_rules::load(&files, &Greeter);
        let rules = Arc::new(loaded.set.unwrap_or_else(|| panic!("{}", zelo_rules::render(&loaded.diagnostics, &files))));
        let source = rules.sources().next().unwrap().id.clone();
        let in_force = Arc::new(InForce::new(rules.clone(), vec![]));
        let edition = Edition { in_force, rules, catalog: Arc::new(Catalog::default()) };
        let secrets = vec![SECRET.into()];
        let handshake = handshake.map(Into::into);
        let connection = Connection { name: "p".into(), source, secrets, clinic: None, handshake, insecure: false, expect: None };
        Self::put_together(store, entropy, Settings::default(), edition, vec![connection])
    }

    /// One with another source, which names these schemas.
    pub(crate) async fn reading(source: &str, schemas: &[(&str, Value)]) -> Self {
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
        let schema =
            |(name, schema): &(&str, Value)| SampleText { source: "acme.toml".into(), name: (*name).into(), text: Ok(schema.to_string()) };
        let edition = edition_of(source, schemas.iter().map(schema).collect());
        Self::of(open(None, &entropy).await, entropy, Settings::default(), false, edition)
    }

    /// One whose only connection, `acme`, has this secret, and is not configured.
    pub(crate) async fn sharing(secret: &str) -> Self {
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
        let (name, source, secrets) = ("acme".into(), "acme".into(), vec![secret.into()]);
        let connection = Connection { name, source, secrets, clinic: None, handshake: None, insecure: false, expect: None };
        let settings = Settings { configured: Some(Default::default()), ..Settings::default() };
        Self::put_together(open(None, &entropy).await, entropy, settings, edition_of(SOURCE, Vec::new()), vec![connection])
    }

    /// One in which one address may ask for every route at once.
    pub(crate) async fn for_a_walk() -> Self {
        let rates = Rates { address: rate(100_000, 100_000), ..Rates::default() };
        Self::with(Settings { rates, ..Settings::default() }).await
    }

    /// One with another rule than [`RULE`], called the same.
    pub(crate) async fn ruled(rule: &str) -> Self {
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
        Self::of(open(None, &entropy).await, entropy, Settings::default(), false, edition_with(SOURCE, rule, Vec::new()))
    }

    /// One with this rule, `greeting`, in the place of its own, and clinics of São Paulo.
    pub(crate) async fn ruled_in_brazil(settings: Settings, rule: &str) -> Self {
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
        let source = SOURCE.replace("title = \"Acme\"", "title = \"Acme\"\nclinic_timezone = \"America/Sao_Paulo\"");
        let edition = edition_with(&source, rule, Vec::new());
        Self::of(open(None, &entropy).await, entropy, settings, false, edition)
    }

    /// Runs the one job that is due, as the keeper would; how it stands then.
    pub(crate) async fn attempt(&self) -> Job {
        let mut claimed = self.store().claim(self.clock.now(), 10, SignedDuration::from_mins(1), unlimited()).await.unwrap();
        assert_eq!(claimed.len(), 1);
        let work = claimed.remove(0);
        let id = work.job.id;
        let (settlement, _places) = self.runtime.attempt(work).await;
        self.store().settle(settlement, self.clock.now()).await.unwrap();
        self.store().job(id).await.unwrap().unwrap().job
    }

    fn over(store: Arc<dyn Store>, entropy: Arc<dyn Entropy>, settings: Settings, insecure: bool) -> Self {
        Self::of(store, entropy, settings, insecure, edition_of(SOURCE, Vec::new()))
    }

    fn of(store: Arc<dyn Store>, entropy: Arc<dyn Entropy>, settings: Settings, insecure: bool, edition: Edition) -> Self {
        let connections = [("acme", false), ("open", insecure)].map(|(name, insecure)| Connection {
            name: name.into(),
            source: "acme".into(),
            secrets: vec![SECRET.into()],
            clinic: None,
            handshake: None,
            insecure,
            expect: None,
        });
        Self::put_together(store, entropy, settings, edition, connections.into())
    }

    fn put_together(
        store: Arc<dyn Store>,
        entropy: Arc<dyn Entropy>,
        settings: Settings,
        edition: Edition,
        connections: Vec<Connection>,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(START.parse().unwrap()));
        let runtime = Runtime::new(Shared {
            store,
            host: Arc::new(Host::new(HostConfig { instances: 1, ..HostConfig::default() }).unwrap()),
            rules: Rulebook::new(edition),
            connections: connections.into_iter().map(|connection| (connection.name.clone(), connection)).collect::<HashMap<_, _>>(),
            channels: Channels([("outbox".to_owned(), ChannelKind::Outbox)].into()),
            outbound: Arc::new(zelo_runtime::outbound::Answers::default()),
            secrets: zelo_runtime::Secrets::Unsaid,
            clock: clock.clone(),
            entropy,
            retry: zelo_core::retry::RetryPolicy::default(),
            limits: Limits::default(),
            budgets: Default::default(),
            line: Line::default(),
            bell: tokio::sync::Notify::new(),
            counts: intake::Counts::default(),
        });
        Self { front: front(runtime.clone(), settings), runtime, clock }
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        self.clock.set(self.clock.now().saturating_add(by).unwrap());
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, uri) = (request.method().to_string(), request.uri().to_string());
        let response = self.front.answer(request).await;
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let answer = Answer { status: parts.status, headers: parts.headers, text };
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let to_machine = ["/hooks/", "/events"].iter().any(|way_in| uri.starts_with(way_in)) && !answer.text.starts_with("<!DOCTYPE html>");
        assert_eq!(answer.headers.get("referrer-policy").map(|policy| policy == "no-referrer"), (!to_machine).then_some(true), "{uri}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
        contract::holds(&method, &uri, &answer);
        answer
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(request("GET", path, headers, Body::empty())).await
    }

    /// An answer that goes on: its head, and its body to read from.
    pub(crate) async fn open(&self, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
        self.front.answer(request("GET", path, headers, Body::empty())).await
    }

    /// Sends a form.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], form: String) -> Answer {
        let headers = [&[("content-type", "application/x-www-form-urlencoded")], headers].concat();
        self.send(request("POST", path, &headers, form.into())).await
    }

    /// A delivery about patient `id`, with the token of the connection.
    pub(crate) async fn deliver(&self, id: &str, name: &str) -> Answer {
        self.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", SECRET)], patient(id, name).to_string())).await
    }

    pub(crate) async fn link(&self) -> String {
        access::new_link(self.store(), self.clock.as_ref(), self.runtime.entropy.as_ref(), Actor::command()).await.unwrap()
    }

    pub(crate) async fn token(&self) -> String {
        self.token_of(Role::Viewer).await
    }

    pub(crate) async fn token_of(&self, role: Role) -> String {
        self.token_for(role, Clinics::All).await
    }

    pub(crate) async fn token_for(&self, role: Role, clinics: Clinics) -> String {
        let (clock, entropy) = (self.clock.as_ref(), self.runtime.entropy.as_ref());
        access::new_token(self.store(), clock, entropy, (role, clinics), "tests", None, Actor::command()).await.unwrap()
    }

    /// GET with a fresh token.
    pub(crate) async fn api(&self, path: &str) -> Answer {
        let authorization = format!("Bearer {}", self.token().await);
        self.get(&format!("/api/v1/{path}"), &[("authorization", &authorization)]).await
    }

    /// Signs in; the cookie to send from then on.
    pub(crate) async fn sign_in(&self) -> String {
        let code = self.link().await;
        let answer = self.post("/sign-in", &[], format!("code={code}")).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        cookie(&answer)
    }

    /// Ends the one job that is due, as if its plugin had sent `text`.
    pub(crate) async fn finish_with_message(&self, text: &str) -> Job {
        let file = File { name: "visit.ics".into(), media_type: "text/calendar".into(), content: b"BEGIN".to_vec() };
        self.finish_with(vec![message(text, vec![Attachment::File(file)])]).await
    }

    /// Ends the one job that is due, as if its plugin had kept this document.
    pub(crate) async fn finish_with_document(&self, name: &str, media_type: &str) -> Job {
        self.finish_with(vec![document(name, media_type)]).await
    }

    /// Ends the one job that is due, as if its plugin had done this.
    pub(crate) async fn finish_with(&self, effects: Vec<Effect>) -> Job {
        let (job, event) = self.claim().await;
        let stamp = zelo_core::Stamp { time: event.time, event: event.id };
        let mut journal = vec![(0, JournalEntry::Invocation(Box::new(invocation(&job, event))))];
        let mut local = Vec::new();
        for (effect, index) in effects.into_iter().zip(1..) {
            let id = zelo_store::effect_id(job.id, index);
            let (write, result) = match &effect {
                Effect::Message(message) => (
                    Some(LocalWrite::Message { index, channel: "outbox".into(), message: message.clone() }),
                    EffectResult::Sent { message: id, channel: "outbox".into() },
                ),
                Effect::Document(document) => {
                    (Some(LocalWrite::Document { index, document: document.clone() }), EffectResult::Kept { document: id })
                }
                Effect::RecordEdit(edit) => {
                    let hash = self.store().indexer().record(&job.connection, &edit.record, &edit.id);
                    (Some(LocalWrite::Record { hash, stamp, edit: edit.clone() }), EffectResult::Done)
                }
                Effect::RecordGet { .. } => (None, EffectResult::Record { fields: None }),
                Effect::StateNext { .. } => (None, EffectResult::Counted { value: 1 }),
                _ => (None, EffectResult::Done),
            };
            local.extend(write);
            journal.push((index, JournalEntry::Effect { effect, result }));
        }
        self.settle(&job, AttemptEnd::Done { code: "sent".into() }, journal, local).await;
        job
    }

    /// Stores an event that a plugin emitted, with a job `issue` and a job `send` that comes after it.
    pub(crate) async fn emit(&self, cause: Cause) {
        let now = self.clock.now();
        let event = Event {
            id: EventId::new(now, 0, self.runtime.entropy.as_ref()),
            connection: "acme".into(),
            source: "acme".into(),
            kind: "receipt.wanted".into(),
            time: now,
            received: now,
            entity: None,
            subjects: vec![],
            clinic: None,
            data: Value::Null.into(),
            cause: Some(cause),
        };
        let candidate = |action: &str, needs: &[&str]| Candidate {
            origin: Arc::new(Origin {
                automation: AutomationId::new("receipt", "acme", None),
                rule: "receipt".into(),
                action: action.into(),
                rule_digest: "d".into(),
            }),
            plan: Plan::Fire {
                key: None,
                anchor: None,
                lookups: vec![],
                needs: needs.iter().map(|need| (*need).into()).collect(),
                also_about: Vec::new(),
                over: OverTime::default(),
                lane: zelo_core::Lane::default(),
            },
        };
        let arrival = Arrival {
            delivery: self.store().indexer().delivery("acme", &event.kind, &event.id.to_string()),
            quarantined: false,
            event,
            body: Arc::from(&b"{}"[..]),
            entity: None,
            people: vec![],
            consents: vec![],
            records: vec![],
            candidates: vec![candidate("issue", &[]), candidate("send", &["issue"])],
            timetable: Arc::new(AtOnce),
        };
        self.store().record(arrival).await.unwrap();
    }

    /// Has the one job that is due wait for a person.
    pub(crate) async fn wait_for_contact(&self) -> Job {
        let (job, _) = self.claim().await;
        let until = self.clock.now().saturating_add(SignedDuration::from_hours(1)).unwrap();
        let reason = Reason::new("missing", "patient $.phone is missing");
        self.settle(&job, AttemptEnd::Wait { reason, until }, vec![], vec![]).await;
        job
    }

    /// Ends the one job that is due: its plugin gave up.
    pub(crate) async fn give_up(&self) -> Job {
        let (job, _) = self.claim().await;
        self.give_up_on(&job).await;
        job
    }

    /// Ends a job that runs: its plugin gave up.
    pub(crate) async fn give_up_on(&self, job: &Job) {
        let reason = Reason::new("plugin", "the plugin says that it cannot be done");
        self.settle(job, AttemptEnd::Dead(reason), vec![], vec![]).await;
    }

    /// Ends the one job that is due: nobody knows what became of it.
    pub(crate) async fn lose(&self) -> Job {
        let (job, _) = self.claim().await;
        self.settle(&job, AttemptEnd::Unknown(Reason::new("unknown", "no answer came")), vec![], vec![]).await;
        job
    }

    /// Begins the one job that is due.
    pub(crate) async fn claim(&self) -> (Job, Event) {
        let mut claimed = self.store().claim(self.clock.now(), 10, SignedDuration::from_mins(1), unlimited()).await.unwrap();
        assert_eq!(claimed.len(), 1);
        let work = claimed.remove(0);
        (work.job, work.event)
    }

    /// Looks who may run, which is nobody: the newest job.
    pub(crate) async fn claim_nothing(&self) -> zelo_core::JobId {
        let rooms = self.runtime.concurrency();
        assert!(self.store().claim(self.clock.now(), 10, SignedDuration::from_mins(1), &rooms).await.unwrap().is_empty());
        self.store().jobs(&zelo_store::Page::default(), None).await.unwrap()[0].job.id
    }

    async fn settle(&self, job: &Job, end: AttemptEnd, journal: Vec<(u32, JournalEntry)>, local: Vec<LocalWrite>) {
        let settlement = Settlement {
            shown: None,
            job: job.id,
            lease: job.lease,
            end,
            journal,
            local,
            emitted: vec![],
            outward: false,
            report: Report {
                summary: Some("greeted <b>somebody</b>".into()),
                output: Some(json!({ "greeted": 1 })),
                lines: vec![LogLine { level: "info".into(), text: "one line".into() }],
            },
            policy: zelo_core::retry::RetryPolicy::default(),
        };
        self.store().settle(settlement, self.clock.now()).await.unwrap();
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.runtime.store.as_ref()
    }
}

/// A store in memory, or a file.
async fn open(path: Option<PathBuf>, entropy: &Arc<dyn Entropy>) -> Arc<dyn Store> {
    let config = SqliteConfig { path, ..SqliteConfig::default() };
    SqliteStore::open(config, MasterKey::generate(entropy.as_ref()), entropy.clone()).await.unwrap()
}

/// Every job is due when its event happened.
struct AtOnce;

impl Timetable for AtOnce {
    fn due(&self, question: &DueQuestion<'_>, _: &dyn Records) -> Result<Due, Reason> {
        Ok(Due { at: question.reference, expires: None })
    }
}

/// A message to the patient.
pub(crate) fn message(text: &str, attachments: Vec<Attachment>) -> Effect {
    let body = MessageBody::Text { text: text.into() };
    Effect::Message(Message { channel: None, to: "+5511987654321".into(), body, attachments, buttons: vec![] })
}

/// A document of a few bytes.
pub(crate) fn document(name: &str, media_type: &str) -> Effect {
    let text = "Recibo\nR$ 10,00".into();
    Effect::Document(Document { name: name.into(), media_type: media_type.into(), content: FILE.into(), text })
}

/// What an action writes of contact `id`.
pub(crate) fn contact(id: &str, set: Value, note: &str) -> Effect {
    let set = set.as_object().unwrap().clone();
    Effect::RecordEdit(RecordEdit { record: "contact".into(), id: id.into(), set, append: [("notes".to_owned(), note.to_owned())].into() })
}

fn edition_of(source: &str, samples: Vec<SampleText>) -> Edition {
    edition_with(source, RULE, samples)
}

fn edition_with(source: &str, rule: &str, samples: Vec<SampleText>) -> Edition {
    let file = |name: &str, text: &str| FileText { name: name.into(), text: text.into() };
    let files = Files { sources: vec![file("acme.toml", source)], rules: vec![file("greeting.toml", rule)], samples };
    let loaded = zelo_rules::load(&files, &Greeter);
    let rules = Arc::new(loaded.set.unwrap_or_else(|| panic!("{}", zelo_rules::render(&loaded.diagnostics, &files))));
    let automation = Automation {
        id: AutomationId::new("greeting", "acme", None),
        rule: "greeting".into(),
        connection: "acme".into(),
        clinic: None,
        settings: Map::new(),
        enabled: true,
    };
    Edition { in_force: Arc::new(InForce::new(rules.clone(), vec![automation])), rules, catalog: Arc::new(Catalog::default()) }
}

fn invocation(job: &Job, event: Event) -> Invocation {
    Invocation {
        job: job.id.to_string(),
        rule: job.rule.clone(),
        action: job.action.clone(),
        event: EventRef { id: event.id.to_string(), kind: event.kind, time: event.time.to_string() },
        now: START.into(),
        seed: 1,
        locale: "pt-BR".into(),
        input: json!({ "to": "+5511987654321" }),
        grants: Grants {
            messages: Some(Messages { channels: vec!["outbox".into()], to: vec!["+5511987654321".into()], budget: None }),
            ..Grants::default()
        },
        plugin_digest: "00".repeat(32),
        disclosure: zelo_core::Disclosure { fields: [("phone".to_owned(), "personal".to_owned())].into(), ..Default::default() },
        records: Vec::new(),
    }
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header("host", "zelo.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}

pub(crate) fn delivery(path: &str, headers: &[(&str, &str)], body: String) -> Request<Body> {
    let length = body.len().to_string();
    let headers = [&[("content-type", "application/json"), ("content-length", length.as_str())], headers].concat();
    request("POST", path, &headers, body.into())
}

/// The payload about a patient; `timestamp` grows with the id, so that none is stale.
pub(crate) fn patient(id: &str, name: &str) -> Value {
    json!({ "timestamp": START.parse::<Timestamp>().unwrap(), "data": { "id": id, "clinic": "9", "name": name, "phone": "+5511987654321" } })
}

/// The cookie that an answer sets, as a browser would send it.
pub(crate) fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}
