//! The machine's clock is set an hour ahead or back while jobs wait and run: nothing is done twice, nothing stands still.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::SignedDuration;
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use zelo_core::clock::ManualClock;
use zelo_core::http::{Body, Response};
use zelo_core::retry::RetryPolicy;
use zelo_core::{Clock, JobState, SeededEntropy};
use zelo_host::{Host, HostConfig, Limits};
use zelo_rules::{Delivery, Headers};
use zelo_runtime::keeper::Pace;
use zelo_runtime::outbound::{Exchange, Hop};
use zelo_runtime::rulebook::{self, Edition, everything_on};
use zelo_runtime::{Catalog, ChannelKind, Channels, Connection, Installed, Outbound, Rulebook, Runtime, Shared};
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{JobView, MasterKey, Page};

use crate::house::root;

/// Another system: it remembers what it is asked. Who is called `slow` has to wait for its answer.
struct Other {
    asked: Mutex<Vec<String>>,
    answers: Semaphore,
}

#[async_trait]
impl Outbound for Other {
    async fn exchange(&self, hop: &Hop<'_>) -> Exchange {
        let whom = hop.url.as_str().rsplit('/').next().unwrap().to_owned();
        self.asked.lock().unwrap().push(whom.clone());
        if whom == "slow" {
            self.answers.acquire().await.unwrap().forget();
        }
        Exchange::Answered(Response { status: 201, headers: Vec::new(), body: Body(b"{}".to_vec()) })
    }

    fn longest(&self) -> Duration {
        Duration::MAX
    }
}

/// A rule that tells the other system about patients; no key, so asking twice would be telling twice.
fn rule(id: &str, on: &str, timing: &str) -> String {
    format!(
        r#"
id     = "{id}"
title  = "Tell"
source = "clinicarx"
on     = "{on}"

[[then]]
name   = "tell"
plugin = "request"
purpose = "Keep the other system up to date"
basis   = "lgpd:11.II.f"
{timing}

[then.allow]
id = "$.data.id"

[then.with]
method  = "POST"
url     = "https://other.example.com/{{{{ id | urlencode }}}}"
body    = {{ id = "{{{{ id }}}}" }}

[then.grant]
http = ["POST https://other.example.com/*"]
"#
    )
}

/// A running keeper on a clock that is set.
struct Life {
    _folder: tempfile::TempDir,
    runtime: Runtime,
    clock: Arc<ManualClock>,
    other: Arc<Other>,
    connection: Connection,
    stop: watch::Sender<bool>,
    keeper: JoinHandle<()>,
}

impl Life {
    async fn begin(slots: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules");
        crate::house::copy(&root().join("rules/sources"), &rules.join("sources"));
        std::fs::create_dir(rules.join("automations")).unwrap();
        std::fs::write(rules.join("automations/tell.toml"), rule("tell", "patient.created", "")).unwrap();
        std::fs::write(rules.join("automations/later.toml"), rule("later", "patient.updated", "after = \"30m\"")).unwrap();
        let host = Arc::new(Host::new(HostConfig::default()).unwrap());
        let catalog = Arc::new(Catalog::load(&host, &Installed::in_folder(root().join("plugins/dist"))).unwrap());
        let (rules, _) = rulebook::check(&rulebook::read_files(&rules).unwrap(), &catalog).unwrap();
        let rules = Arc::new(rules);
        let name = "clinicarx".to_owned();
        let connection = Connection {
            name: name.clone(),
            source: name.clone(),
            secrets: Vec::new(),
            clinic: None,
            handshake: None,
            insecure: false,
            expect: None,
        };
        let clock = Arc::new(ManualClock::new("2026-03-02T11:00:00Z".parse().unwrap()));
        let entropy = Arc::new(SeededEntropy::new(7));
        let config = SqliteConfig { path: Some(folder.path().join("zelo.db")), ..SqliteConfig::default() };
        let store = SqliteStore::open(config, MasterKey::from_bytes([7; 32]), entropy.clone()).await.unwrap();
        let edition = Edition::new(rules.clone(), catalog, &everything_on(&rules, &[&connection], clock.now())).unwrap();
        let other = Arc::new(Other { asked: Mutex::default(), answers: Semaphore::new(0) });
        let runtime = Runtime::new(Shared {
            store,
            host,
            rules: Rulebook::new(edition),
            connections: HashMap::from([(name, connection.clone())]),
            channels: Channels([("outbox".to_owned(), ChannelKind::Outbox)].into()),
            outbound: other.clone(),
            secrets: zelo_runtime::Secrets::Unsaid,
            clock: clock.clone(),
            entropy,
            retry: RetryPolicy::default(),
            limits: Limits::default(),
            budgets: Default::default(),
            line: zelo_runtime::Line::default(),
            bell: tokio::sync::Notify::new(),
            counts: Default::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let keeper = tokio::spawn({
            let runtime = runtime.clone();
            async move { runtime.keep(Pace { slots, ..Pace::default() }, stopped).await }
        });
        Self { _folder: folder, runtime, clock, other, connection, stop, keeper }
    }

    async fn deliver(&self, path: &str, id: &str) {
        // What is due by the clock waits for the clock: those that are to run at once were due long before it is set.
        let happened = if path == "patient/new" { "2026-03-02 09:00:00" } else { "2026-03-02 11:00:00" };
        let body = json!({ "data": { "id": id, "name": "Íris" }, "timestamp": happened }).to_string();
        let headers = Headers::default();
        let delivery = Delivery { path, url: "", headers: &headers, body: body.as_bytes() };
        self.runtime.accept(&self.connection, &delivery, self.clock.now()).await.unwrap();
        self.runtime.bell.notify_one();
    }

    fn pass(&self, minutes: i64) {
        self.clock.set(self.clock.now() + SignedDuration::from_mins(minutes));
        self.runtime.bell.notify_one();
    }

    fn asked(&self, whom: &str) -> usize {
        self.other.asked.lock().unwrap().iter().filter(|asked| *asked == whom).count()
    }

    async fn until_asked(&self, whom: &str, count: usize) {
        let start = Instant::now();
        while self.asked(whom) < count {
            assert!(start.elapsed() < Duration::from_secs(30), "{whom} is not told of");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn jobs(&self) -> Vec<JobView> {
        self.runtime.store.jobs(&Page::default(), None).await.unwrap()
    }

    /// Two rounds of the keeper, from claim to claim: it has looked at the clock, and for jobs that are stuck.
    async fn rounds(&self, name: &str) {
        for round in 0..2 {
            let id = format!("{name}-{round}");
            self.deliver("patient/new", &id).await;
            self.until_asked(&id, 1).await;
        }
    }

    async fn end(mut self) {
        let start = Instant::now();
        while self.jobs().await.iter().any(|view| view.job.state.is_live()) {
            assert!(start.elapsed() < Duration::from_secs(30), "{:?}", self.jobs().await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.stop.send_replace(true);
        (&mut self.keeper).await.unwrap();
        let jobs = self.jobs().await;
        assert!(jobs.iter().all(|view| view.job.state == JobState::Done && view.job.attempt == 1), "{jobs:?}");
        let asked = self.other.asked.lock().unwrap().clone();
        assert_eq!(asked.len(), jobs.len(), "each is told of once: {asked:?}");
        self.runtime.store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_runs_is_not_given_to_another_when_the_clock_goes_ahead() {
    let life = Life::begin(8).await;
    life.deliver("patient/new", "slow").await;
    life.until_asked("slow", 1).await;
    life.pass(60);
    life.rounds("ahead").await;
    life.pass(-60);
    life.rounds("back").await;
    // It was told that its lease ran out, and is at work all the same.
    assert_eq!(life.asked("slow"), 1);
    life.other.answers.add_permits(1);
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pending_comes_once_however_the_clock_goes() {
    let life = Life::begin(8).await;
    life.deliver("patient/edit", "pending").await;
    life.rounds("before").await;
    assert_eq!(life.asked("pending"), 0);
    life.pass(60);
    life.until_asked("pending", 1).await;
    life.pass(-60);
    life.rounds("back").await;
    life.pass(60);
    life.rounds("again").await;
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_nobody_has_in_hand_does_not_wait_for_a_clock_that_went_back() {
    let life = Life::begin(1).await;
    life.deliver("patient/new", "slow").await;
    life.until_asked("slow", 1).await;
    // Whoever claims this one never comes to run it: the one slot is taken, so the keeper does not get it first.
    life.deliver("patient/new", "lost").await;
    let claimed = life.runtime.store.claim(life.clock.now(), 1, Pace::default().lease, &life.runtime.concurrency()).await.unwrap();
    assert_eq!(claimed.len(), 1);
    life.other.answers.add_permits(1);
    life.rounds("before").await;
    assert_eq!(life.asked("lost"), 0, "its lease holds");
    life.pass(-60);
    life.until_asked("lost", 1).await;
    let lost = life.jobs().await.into_iter().find(|view| view.job.id == claimed[0].job.id).unwrap();
    assert_eq!(lost.job.attempt, 2);
    life.stop.send_replace(true);
    life.keeper.await.unwrap();
}
