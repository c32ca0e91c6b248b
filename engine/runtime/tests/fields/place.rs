//! A place where a case happens: the real way in, the real keeper, a store in memory and a clock that is set; and all that
//! it leaves behind.

use std::collections::HashMap;
use std::fmt::{Debug, Write as _};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use zelo_core::decide::OnKnown;
use zelo_core::retry::RetryPolicy;
use zelo_core::{AutomationId, Clock, Indexer, JobState, JournalEntry, ManualClock, RecordRef, RecordWrite, SeededEntropy};
use zelo_host::{Host, Limits};
use zelo_rules::{FileText, Files, Headers};
use zelo_runtime::keeper::Pace;
use zelo_runtime::line::Line;
use zelo_runtime::outbound::Answers;
use zelo_runtime::rulebook::{self, Edition};
use zelo_runtime::{
    Answer, Budgets, Catalog, ChannelKind, Channels, Connection, Incoming, Receipts, Refused, Rulebook, Runtime, Secrets, Shared,
};
use zelo_store::seal::Root;
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{AttemptView, AuditPage, AuditView, AutomationRow, Import, JobView, MasterKey, Page};

use crate::case::Case;
use crate::plugins::CONTACT;

const CONNECTION: &str = "origin";

const SOURCE: &str = r#"
id = "origin"
title = "Where it comes from"
timezone = "UTC"
clinic_timezone = "America/Sao_Paulo"

[receive]
format = "json"
verify = { kind = "token", header = "x-token" }

[[events]]
match = { path = "visit" }
type = "visit.made"
time = "$.at"
entity = { type = "visit", id = "$.id" }
subjects = [{ id = "$.person.id" }]
clinic = "$.clinic"

[[events]]
match = { path = "person" }
type = "person.known"
time = "$.at"
entity = { type = "person", id = "$.id" }
subjects = [{ id = "$.id" }]
clinic = "$.clinic"

[[records]]
type = "person"
on = ["person.known"]
key = "$.id"
keep = { p0 = "$.p0", p1 = "$.p1" }
"#;

/// The installed plugins, and where they run: made once for all cases.
pub(crate) struct Plugins {
    pub(crate) host: Arc<Host>,
    pub(crate) catalog: Arc<Catalog>,
}

/// What a case left behind.
pub(crate) struct Left {
    pub(crate) jobs: Vec<LeftOfJob>,
    pub(crate) audit: Vec<AuditView>,
    /// What stands in the clear about jobs, whenever all was still: reasons, what wants attention, the words for logs.
    pub(crate) clear: String,
    /// Why deliveries were refused, as people and programs are told.
    pub(crate) refusals: Vec<String>,
}

pub(crate) struct LeftOfJob {
    pub(crate) view: JobView,
    pub(crate) journal: Vec<JournalEntry>,
    pub(crate) attempts: Vec<AttemptView>,
}

fn master() -> MasterKey {
    MasterKey::generate(&SeededEntropy::new(0))
}

/// What the transform `hash` makes of a text.
pub(crate) fn hash(text: &str) -> String {
    let index: Indexer = Root::first(&master(), &SeededEntropy::new(0)).indexer();
    data_encoding::HEXLOWER.encode(&index.field(CONNECTION, text).0)
}

/// Lets `case` happen, and gives what it left.
pub(crate) async fn happen(plugins: &Plugins, case: &Case) -> Left {
    let clock = Arc::new(ManualClock::new("2026-03-05T13:00:00Z".parse().unwrap()));
    let runtime = runtime(plugins, case, &clock).await;
    know_contact(&runtime, case.contact.clone()).await;
    let refusals = refused(&runtime, case).await;
    for (path, body) in [("person", &case.person), ("visit", &case.visit)] {
        let receipt = receive(&runtime, case, path, body.to_string().as_bytes(), &case.token).await.unwrap();
        assert!(receipt.all()[0].event_id.is_some(), "{path} is accepted");
    }
    let clear = keep(&runtime, &clock).await;
    let left = left(&runtime, clear, refusals).await;
    runtime.store.close().await.unwrap();
    left
}

async fn runtime(plugins: &Plugins, case: &Case, clock: &Arc<ManualClock>) -> Runtime {
    let entropy = Arc::new(SeededEntropy::new(1));
    let store = SqliteStore::open(SqliteConfig::default(), master(), entropy.clone()).await.unwrap();
    let connection = Connection {
        name: CONNECTION.to_owned(),
        source: "origin".to_owned(),
        secrets: vec![case.token.clone().into_bytes()],
        clinic: None,
        handshake: None,
        insecure: false,
        expect: None,
    };
    Runtime::new(Shared {
        store,
        host: Arc::clone(&plugins.host),
        rules: Rulebook::new(edition(plugins, case)),
        connections: HashMap::from([(CONNECTION.to_owned(), connection)]),
        channels: Channels([("outbox".to_owned(), ChannelKind::Outbox)].into()),
        outbound: Arc::new(Answers::default()),
        secrets: Secrets::Unsaid,
        clock: clock.clone(),
        entropy,
        retry: RetryPolicy { attempts: 2, ..RetryPolicy::default() },
        limits: Limits::default(),
        budgets: Budgets::new(None, []),
        line: Line::default(),
        bell: tokio::sync::Notify::new(),
        counts: Default::default(),
    })
}

/// The rule of `case`, through the loader, switched on.
fn edition(plugins: &Plugins, case: &Case) -> Edition {
    let files = Files {
        sources: vec![FileText { name: "sources/origin.toml".to_owned(), text: SOURCE.to_owned() }],
        rules: vec![FileText { name: "tells.toml".to_owned(), text: case.rule.clone() }],
        samples: Vec::new(),
    };
    let (rules, _) = rulebook::check(&files, &plugins.catalog).unwrap_or_else(|error| panic!("{error}\n{}", case.rule));
    let row = AutomationRow {
        id: AutomationId::new("tells", CONNECTION, None),
        rule: "tells".to_owned(),
        connection: CONNECTION.to_owned(),
        clinic: None,
        settings: Map::new(),
        enabled: true,
        origin: "test".to_owned(),
        changed: Timestamp::UNIX_EPOCH,
    };
    Edition::new(Arc::new(rules), Arc::clone(&plugins.catalog), &[row]).unwrap()
}

/// What is known of the contact before anything comes.
async fn know_contact(runtime: &Runtime, fields: Map<String, Value>) {
    let (kind, id) = CONTACT;
    let key = RecordRef { kind: kind.to_owned(), hash: runtime.store.indexer().record(CONNECTION, kind, id) };
    let write = RecordWrite { key, id: id.to_owned(), fields, subject: None, clinic: None };
    let timetable = runtime.rules.current().in_force.clone();
    let import = Import { connection: CONNECTION.to_owned(), records: vec![write], on_known: OnKnown::Replace, timetable };
    runtime.store.import(import, runtime.clock.now()).await.unwrap();
}

async fn receive(runtime: &Runtime, case: &Case, path: &str, body: &[u8], token: &str) -> Result<Receipts, Refused> {
    let headers: Headers<'_> = [("x-token", token.as_bytes()), ("x-more", case.header.as_bytes())].into_iter().collect();
    let incoming = Incoming { connection: CONNECTION, path, url: &case.url, headers: &headers, body };
    match runtime.receive(runtime.arrived(), incoming).await? {
        Answer::Taken { receipts, .. } => Ok(receipts),
        Answer::Handshake(text) => panic!("a delivery was answered {text}"),
    }
}

/// Deliveries with something wrong, and what is said of them; none is accepted.
async fn refused(runtime: &Runtime, case: &Case) -> Vec<String> {
    let whole = case.visit.to_string();
    let half = whole.as_bytes()[..whole.len() - 1].to_vec();
    let twice = whole.replacen('{', &format!("{{{}:1,{}:{whole},", json!(case.header), json!(case.header)), 1).into_bytes();
    let latin = [whole.as_bytes(), b"\xff"].concat();
    let mut told = Vec::new();
    for (body, token) in
        [(half, case.token.as_str()), (twice, &case.token), (latin, &case.token), (whole.into_bytes(), case.header.as_str())]
    {
        let refused = receive(runtime, case, "visit", &body, token).await.unwrap_err();
        told.push(messages(&refused));
    }
    told
}

/// An error as people see it, with its sources.
fn messages(error: &(dyn std::error::Error + 'static)) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    format!("{error:?} {}", sources.map(ToString::to_string).collect::<Vec<_>>().join(": "))
}

/// Lets the keeper run until nothing is pending, the clock set to whatever comes next; what stood in the clear meanwhile.
async fn keep(runtime: &Runtime, clock: &ManualClock) -> String {
    let (stop, stopped) = watch::channel(false);
    let keeper = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.keep(Pace::default(), stopped).await }
    });
    let mut clear = String::new();
    loop {
        let jobs = still(runtime).await;
        for view in jobs {
            let mut job = view.job;
            // Every row names its clinic.
            job.clinic = None;
            writeln!(clear, "{job:?} {:?}", [&job.reason, &job.attention, &job.cancel]).unwrap();
        }
        let Some(next) = runtime.store.next_run().await.unwrap() else { break };
        clock.set(next.max(clock.now()));
        runtime.bell.notify_one();
    }
    stop.send(true).unwrap();
    keeper.await.unwrap();
    clear
}

/// The jobs, once none of them is at work or due.
async fn still(runtime: &Runtime) -> Vec<JobView> {
    for _ in 0..100_000 {
        let jobs = runtime.store.jobs(&Page::default(), None).await.unwrap();
        let is_due = |view: &JobView| view.job.state == JobState::Scheduled && view.job.run_at <= runtime.clock.now();
        let is_at_work = |view: &JobView| matches!(view.job.state, JobState::Ready | JobState::Running) || is_due(view);
        if !jobs.iter().any(is_at_work) {
            return jobs;
        }
        tokio::task::yield_now().await;
    }
    panic!("the jobs come to no end");
}

async fn left(runtime: &Runtime, clear: String, refusals: Vec<String>) -> Left {
    let store = runtime.store.as_ref();
    let mut jobs = Vec::new();
    for view in store.jobs(&Page::default(), None).await.unwrap() {
        let journal = store.journal(view.job.id).await.unwrap();
        let attempts = store.attempts(view.job.id).await.unwrap();
        jobs.push(LeftOfJob { view, journal, attempts });
    }
    assert!(store.messages(&Page::default()).await.unwrap().is_empty(), "nobody is written to");
    let audit = store.audit(&AuditPage { page: Page { limit: 1000, ..Page::default() }, ..AuditPage::default() }).await.unwrap();
    Left { jobs, audit, clear, refusals }
}

/// What is printed of it, in both ways.
pub(crate) fn printed(what: &impl Debug) -> String {
    format!("{what:?}")
}
