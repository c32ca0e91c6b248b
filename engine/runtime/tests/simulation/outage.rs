//! Outages of other people's machines: what is asked of who is down, and how everybody comes back.
//!
//! Here nothing fails at random and nothing has its turn: the real runtime, on a clock that is set, with as many attempts side by side as
//! a server has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use zelo_core::breaker::{DOWN, FAILURES, WINDOWS};
use zelo_core::http::{Body, Response, Target};
use zelo_core::retry::RetryPolicy;
use zelo_core::{Clock, Job, JobState, ManualClock, SeededEntropy};
use zelo_rules::Headers;
use zelo_runtime::outbound::{Down, Exchange, Hop};
use zelo_runtime::{Incoming, Outbound, Runtime};
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{MasterKey, Page, Store};

use crate::world::{CONNECTION, Ground, Parts, beginning};

/// Attempts at the same time.
const SLOTS: u32 = 64;

/// One action for each of these destinations.
const HOSTS: [&str; 4] = ["down.example", "fine.example", "wrong.example", "busy.example"];

/// The rule of the day: every order is told to `hosts`.
fn rule(hosts: &[&str]) -> String {
    let action = |host: &&str| {
        let name = host.split('.').next().unwrap();
        format!(
            r#"
[[then]]
name = "{name}"
plugin = "request"
allow = {{ n = "$.n" }}
with = {{ method = "PUT", url = "https://{host}/marker/{{{{ n }}}}?marker=1", body = {{ n = "{{{{ n }}}}" }} }}
grant = {{ http = ["PUT https://{host}/marker/*"] }}
"#
        )
    };
    format!("on = \"order.placed\"\n{}", hosts.iter().map(action).collect::<String>())
}

/// What is answered at an address, so long after the beginning.
type Answers = fn(&Target, SignedDuration) -> Exchange;

/// Machines that answer as they are told to, and remember when they were asked.
struct Machines {
    clock: Arc<ManualClock>,
    asked: Mutex<Vec<(Timestamp, String)>>,
    /// What they answer at a time.
    answer: Answers,
}

#[async_trait]
impl Outbound for Machines {
    async fn exchange(&self, hop: &Hop<'_>) -> Exchange {
        let now = self.clock.now();
        self.asked.lock().unwrap().push((now, hop.url.host()));
        // Whoever else is about to ask does so before this one has its answer.
        for _ in 0..SLOTS {
            tokio::task::yield_now().await;
        }
        (self.answer)(hop.url, now.duration_since(beginning()))
    }

    fn longest(&self) -> Duration {
        Duration::from_secs(20)
    }
}

fn answer(status: u16, headers: &[(&str, &str)]) -> Exchange {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Exchange::Answered(Response { status, headers, body: Body(b"{}".to_vec()) })
}

/// A server on a clock that is set.
struct Day {
    runtime: Runtime,
    clock: Arc<ManualClock>,
    machines: Arc<Machines>,
    store: Arc<dyn Store>,
}

impl Day {
    async fn new(hosts: &[&str], answer: Answers) -> Self {
        Self::of(&[("orders", &rule(hosts))], answer).await
    }

    async fn of(rules: &[(&str, &str)], answer: Answers) -> Self {
        let clock = Arc::new(ManualClock::new(beginning()));
        let machines = Arc::new(Machines { clock: clock.clone(), asked: Mutex::default(), answer });
        let config = SqliteConfig { path: None, ..SqliteConfig::default() };
        let entropy = Arc::new(SeededEntropy::new(1));
        let store: Arc<dyn Store> = SqliteStore::open(config, MasterKey::from_bytes([7; 32]), entropy).await.unwrap();
        let ground = Ground::of(rules);
        let parts = Parts { store: store.clone(), outbound: machines.clone(), clock: clock.clone(), seed: 1 };
        Self { runtime: ground.process(parts), clock, machines, store }
    }

    /// An order comes.
    async fn order(&self, number: u32) {
        let body = json!({ "n": number, "at": self.clock.now().to_string(), "person": "p1" }).to_string();
        let headers = Headers::default();
        let incoming = Incoming { connection: CONNECTION, path: "order", url: "", headers: &headers, body: body.as_bytes() };
        self.runtime.receive(self.runtime.arrived(), incoming).await.unwrap();
    }

    /// Does all that is due before `until` into the day.
    async fn run(&self, until: SignedDuration) {
        let until = beginning() + until;
        while let Some(next) = self.store.next_run().await.unwrap().filter(|next| *next < until) {
            // Up to a second late, as a server that has other things to do is.
            let due = next.max(self.clock.now());
            self.clock.set(Timestamp::from_second((due.as_millisecond() + 999).div_euclid(1000)).unwrap().min(until));
            let work = self.store.claim(self.clock.now(), SLOTS, SignedDuration::from_mins(10), &self.runtime.concurrency()).await.unwrap();
            let attempts = work.into_iter().map(|work| {
                let (runtime, store) = (self.runtime.clone(), self.store.clone());
                tokio::spawn(async move {
                    let (settlement, places) = runtime.attempt(work).await;
                    store.settle(settlement, runtime.clock.now()).await.unwrap();
                    drop(places);
                })
            });
            for attempt in attempts.collect::<Vec<_>>() {
                attempt.await.unwrap();
            }
        }
        self.clock.set(until);
    }

    /// When `host` was asked.
    fn asked(&self, host: &str) -> Vec<SignedDuration> {
        let asked = self.machines.asked.lock().unwrap();
        asked.iter().filter(|(_, other)| other == host).map(|(at, _)| at.duration_since(beginning())).collect()
    }

    async fn jobs(&self, action: &str) -> Vec<Job> {
        let mut jobs = Vec::new();
        let mut page = Page { limit: 500, ..Page::default() };
        loop {
            let views = self.store.jobs(&page, None).await.unwrap();
            let Some(last) = views.last() else { return jobs };
            page.before = Some(last.cursor);
            jobs.extend(views.into_iter().map(|view| view.job).filter(|job| job.action == action));
        }
    }
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// The calls of `jobs` jobs within an hour, were each tried again by itself; and how many of them would have been given up.
fn without_breaker(jobs: u64) -> (u64, u64) {
    let policy = RetryPolicy::default();
    let (mut calls, mut dead) = (0, 0);
    for job in 0..jobs {
        let (mut at, mut attempt) = (SignedDuration::ZERO, 1);
        while at < minutes(60) {
            calls += 1;
            let Some(wait) = policy.wait(attempt, None, job.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(attempt)) else {
                dead += 1;
                break;
            };
            (at, attempt) = (at + wait, attempt + 1);
        }
    }
    (calls, dead)
}

/// The tale in numbers: a thousand jobs, and their destination is down for an hour.
#[tokio::test]
async fn a_thousand_jobs_wait_for_who_is_down_and_come_back_by_and_by() {
    const JOBS: u32 = 1_000;
    let day = Day::new(&HOSTS[..1], |_, at| if at < minutes(60) { Exchange::Unsent("nobody".into()) } else { answer(201, &[]) }).await;
    for number in 0..JOBS {
        day.order(number).await;
    }
    day.run(minutes(60)).await;
    let during = day.asked(HOSTS[0]).len();
    let (plain, given_up) = without_breaker(u64::from(JOBS));
    let jobs = day.jobs("down").await;
    let attempts = jobs.iter().map(|job| job.attempt).max().unwrap();
    let told = format!(
        "in an hour of outage {JOBS} jobs made {during} calls and used {attempts} attempts each at most; plain retries would have made \
         {plain} calls and given {given_up} jobs up"
    );
    println!("{told}");
    // As many as run at once find out together, the rest is probes: at 5, 10, 20 … seconds, then every five minutes.
    assert!(during <= SLOTS as usize + 20, "{told}");
    assert!(jobs.len() == JOBS as usize && jobs.iter().all(|job| job.state == JobState::Scheduled), "{told}");
    assert!(attempts <= 2, "{told}");
    let down = day.runtime.down();
    assert!(matches!(&down[..], [Down { host, since, again: Some(_), .. }] if host == HOSTS[0] && *since == beginning()), "{down:?}");
    for job in jobs.iter().filter(|job| job.attempt == 0) {
        let why = job.reason.as_ref().unwrap();
        assert!(why.code == DOWN && why.text.starts_with("destination down.example is down since 2026-03-05T12:00:00Z, tried again at "));
        assert!(!why.text.contains("marker"), "no path, no query: {why}");
    }

    day.run(minutes(180)).await;
    let after: Vec<SignedDuration> = day.asked(HOSTS[0]).split_off(during);
    let (first, last) = (after[0], after[after.len() - 1]);
    let mut by_second: BTreeMap<i64, u32> = BTreeMap::new();
    for at in &after {
        *by_second.entry((*at - first).as_secs()).or_default() += 1;
    }
    let took = format!(
        "asked again {} s after the outage, and all done {} s after that; calls by second: {:?}",
        (first - minutes(60)).as_secs(),
        (last - first).as_secs(),
        by_second.values().collect::<Vec<_>>()
    );
    println!("{took}");
    assert!(day.jobs("down").await.iter().all(|job| job.state == JobState::Done), "{took}");
    assert_eq!(after.len(), JOBS as usize, "each is done once: {took}");
    assert!(first - minutes(60) <= SignedDuration::from_secs(331) && last - first <= SignedDuration::from_secs(90), "{took}");
    for (second, calls) in by_second {
        // A second of this count may have an end of one window and the beginning of the next.
        let room = |window: i64| 1 << window.clamp(0, i64::from(WINDOWS) - 1);
        assert!(calls <= room(second) + room(second - 1), "second {second}: {took}");
    }
    assert!(day.runtime.down().is_empty());
}

#[tokio::test]
async fn what_one_destination_does_holds_for_it_alone() {
    fn answers(url: &Target, at: SignedDuration) -> Exchange {
        match &*url.host() {
            "down.example" => Exchange::Unsent("nobody".into()),
            "wrong.example" => answer(if at.as_secs() % 2 == 0 { 404 } else { 400 }, &[]),
            "busy.example" if at < SignedDuration::from_secs(1) => answer(429, &[("retry-after", "90")]),
            _ => answer(201, &[]),
        }
    }
    let day = Day::new(&HOSTS, answers).await;
    for number in 0..20 {
        day.run(SignedDuration::from_secs(i64::from(number))).await;
        day.order(number).await;
    }
    day.run(SignedDuration::from_secs(20)).await;
    let each_second: Vec<SignedDuration> = (0..20).map(SignedDuration::from_secs).collect();
    assert_eq!(day.asked("fine.example"), each_second, "nobody is held up by others");
    assert_eq!(day.asked("wrong.example"), each_second, "who does not like what it is asked works");
    assert_eq!(day.asked("busy.example").len(), 1, "who asks to be left alone is");
    let down = day.asked("down.example").len();
    // Those that opened it, and probes 5 and 15 seconds after that.
    assert!((FAILURES as usize..=FAILURES as usize + 2).contains(&down), "{down} calls");
    let hosts: Vec<String> = day.runtime.down().into_iter().map(|down| down.host).collect();
    assert_eq!(hosts, ["busy.example", "down.example"]);
    let told = day.runtime.told(None);
    for line in [
        r#"zelo_breaker_state{host="busy.example"} 2"#,
        r#"zelo_breaker_state{host="down.example"} "#,
        r#"zelo_breaker_openings_total{host="busy.example"} 1"#,
        r#"zelo_jobs_deferred_total{host="busy.example"} 19"#,
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(!told.contains("fine.example\"} 0") && !told.contains("marker"), "{told}");

    day.run(SignedDuration::from_secs(90)).await;
    assert_eq!(day.asked("busy.example").len(), 1, "for as long as it said");
    day.run(minutes(10)).await;
    assert!(day.jobs("busy").await.iter().all(|job| job.state == JobState::Done));
    assert!(day.runtime.told(None).contains(r#"zelo_breaker_state{host="busy.example"} 0"#));
    assert!(day.jobs("wrong").await.iter().all(|job| job.state == JobState::Dead));

    // For a day, and not for ever.
    assert!(day.jobs("down").await.iter().all(|job| job.state == JobState::Scheduled && job.attempt <= 5));
    day.clock.set(beginning() + SignedDuration::from_hours(25));
    day.run(SignedDuration::from_hours(26)).await;
    for job in day.jobs("down").await {
        let why = job.reason.unwrap();
        assert_eq!((job.state, why.code.as_str()), (JobState::Dead, DOWN), "{why}");
        assert!(why.text.contains("waited for it for more than 24 hours"), "{why}");
    }
}

/// Whatever the answer says is wrong.
#[tokio::test]
async fn a_job_that_always_fails_keeps_nobody_out_and_dies_of_its_attempts() {
    fn answers(url: &Target, status: u16) -> Exchange {
        answer(if url.as_str().contains("/marker/0?") { status } else { 201 }, &[])
    }
    // Who answers with 500 may have carried it out; the others say that they did not.
    let all: [(Answers, JobState); 3] = [
        (|url, _| answers(url, 500), JobState::Unknown),
        (|url, _| answers(url, 503), JobState::Dead),
        (|url, _| answers(url, 429), JobState::Dead),
    ];
    for (answers, end) in all {
        let day = Day::new(&HOSTS[..1], answers).await;
        day.order(0).await;
        // By then it has had the breaker opened, all alone, and was the probe.
        day.run(minutes(10)).await;
        assert_eq!(day.runtime.down().len(), 1);
        for number in 1..=100 {
            day.order(number).await;
        }
        day.run(minutes(12)).await;
        let done = day.jobs("down").await.iter().filter(|job| job.state == JobState::Done).count();
        assert_eq!(done, 100, "they do not wait for the bad one: {:?}", day.asked(HOSTS[0]));
        day.run(minutes(120)).await;
        let asked = day.asked(HOSTS[0]).len();
        let policy = RetryPolicy::default();
        let left: Vec<Job> = day.jobs("down").await.into_iter().filter(|job| job.state != JobState::Done).collect();
        assert!(matches!(&left[..], [bad] if bad.state == end && bad.attempt == policy.attempts), "{left:?}");
        assert_eq!(asked, 100 + policy.attempts as usize, "each of the good ones once");
    }
}

#[tokio::test]
async fn who_asks_for_too_much_waits_and_others_do_not() {
    fn answers(url: &Target, at: SignedDuration) -> Exchange {
        let is_over = !url.as_str().contains("/notes/") || at >= SignedDuration::from_secs(1);
        if is_over { answer(201, &[]) } else { answer(429, &[("retry-after", "3600")]) }
    }
    let (orders, notes) = (rule(&HOSTS[3..]), rule(&HOSTS[3..]).replace("/marker/", "/notes/"));
    let day = Day::of(&[("orders", &orders), ("notes", &notes)], answers).await;
    for number in 0..20 {
        day.run(SignedDuration::from_secs(i64::from(number))).await;
        day.order(number).await;
    }
    day.run(minutes(1)).await;
    let jobs = day.jobs("busy").await;
    let of = |jobs: &[Job], rule: &str, state: JobState| jobs.iter().filter(|job| job.rule == rule && job.state == state).count();
    assert_eq!(of(&jobs, "orders", JobState::Done), 20, "it was told nothing of the kind");
    assert_eq!(of(&jobs, "notes", JobState::Scheduled), 20);
    assert_eq!(day.asked("busy.example").len(), 21);
    let why = jobs.iter().find(|job| job.rule == "notes" && job.attempt == 0).and_then(|job| job.reason.clone()).unwrap();
    assert_eq!(why.code, DOWN);
    assert!(why.text.starts_with("destination busy.example takes no more of the rule notes@"), "{why}");
    day.run(minutes(70)).await;
    assert_eq!(of(&day.jobs("busy").await, "notes", JobState::Done), 20);
    assert_eq!(day.asked("busy.example").len(), 41);
}

/// What a long halt, a slow step or a replay leaves: it was due long ago when it meets the breaker for the first time.
#[tokio::test]
async fn a_job_that_is_a_week_late_waits_as_long_as_any() {
    const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
    let day = Day::new(&HOSTS[..1], |_, at| {
        let is_down = (WEEK..WEEK + SignedDuration::from_secs(60)).contains(&at);
        if is_down { Exchange::Unsent("nobody".into()) } else { answer(201, &[]) }
    });
    let day = day.await;
    for number in 0..100 {
        day.order(number).await;
    }
    day.clock.set(beginning() + WEEK);
    day.run(WEEK + minutes(10)).await;
    let left: Vec<Job> = day.jobs("down").await.into_iter().filter(|job| job.state != JobState::Done).collect();
    assert!(left.is_empty(), "{} are not done: {:?}", left.len(), left.first());
    assert!(day.asked(HOSTS[0]).len() > 100, "it was down");
}
