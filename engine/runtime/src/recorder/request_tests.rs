//! Attempts that die at every point between an effect and its commit, against a destination that heeds idempotency keys and against
//! one that does not.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex as StdMutex, OnceLock};

use async_trait::async_trait;
use tokio::sync::Notify;
use zelo_core::concurrency::unlimited;
use zelo_core::http::{Body, HttpGrant, Method, Response, Target};
use zelo_core::job::Reason;
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::AttemptEnd;
use zelo_core::{Grants, JobState, SignedDuration, Timestamp};
use zelo_host::Effects;
use zelo_store::Work;

use super::super::tests::{claimed_as, done, lock_trace, message, recording, runtime_over, start, state_after};
use super::*;
use crate::Runtime;
use crate::outbound::{Exchange, Hop, Outbound};

/// Where an attempt dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// Before the request is begun.
    Before,
    /// It is on disk as begun; nothing was sent.
    Begun,
    /// It was carried out; no answer came.
    CarriedOut,
    /// It was answered; the answer does not reach the disk.
    Answered,
    /// All of it is on disk; the attempt was not settled.
    Unsettled,
    Never,
}

/// A shop that takes orders.
#[derive(Default)]
struct Shop {
    /// Whether an order that comes again under its key is the same order.
    heeds_keys: bool,
    orders: StdMutex<Vec<String>>,
    /// How it answers next; 201 where nothing is said.
    next: StdMutex<Vec<Exchange>>,
    death: StdMutex<Option<Death>>,
    asked: AtomicU32,
    /// Rung where an attempt dies.
    dead: Notify,
    runtime: OnceLock<Runtime>,
}

#[async_trait]
impl Outbound for Shop {
    async fn exchange(&self, hop: &Hop<'_>) -> Exchange {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if let Some(answer) = self.next.lock().unwrap().pop() {
            return answer;
        }
        let death = self.death.lock().unwrap().take();
        if death == Some(Death::Begun) {
            self.die().await;
        }
        let (_, key) = hop.headers.iter().find(|(name, _)| name == "idempotency-key").expect("every such request has a key");
        {
            let mut orders = self.orders.lock().unwrap();
            if !(self.heeds_keys && orders.contains(key)) {
                orders.push(key.clone());
            }
        }
        match death {
            Some(Death::CarriedOut) => self.die().await,
            Some(Death::Answered) => give_up(self.runtime.get().unwrap()).await,
            _ => {}
        }
        Exchange::Answered(Response { status: 201, headers: Vec::new(), body: Body(br#"{"order":7}"#.to_vec()) })
    }

    fn longest(&self) -> std::time::Duration {
        std::time::Duration::MAX
    }
}

impl Shop {
    async fn die(&self) {
        self.dead.notify_one();
        std::future::pending().await
    }
}

/// What another start of the server does with what the dead one held.
async fn give_up(runtime: &Runtime) {
    runtime.store.reclaim(Timestamp::MAX, RetryPolicy { attempts: 99, ..RetryPolicy::default() }, &[]).await.unwrap();
}

async fn shop(heeds_keys: bool) -> (Runtime, Arc<Shop>, Work) {
    let shop = Arc::new(Shop { heeds_keys, ..Shop::default() });
    let (runtime, _) = runtime_over(None, shop.clone()).await;
    assert!(shop.runtime.set(runtime.clone()).is_ok());
    let work = claimed_as(&runtime, 1, start()).await;
    (runtime, shop, work)
}

fn grants(key: bool) -> Grants {
    let grant = |request: &str| HttpGrant {
        request: request.parse().unwrap(),
        idempotency_key: key.then(|| "idempotency-key".to_owned()),
        secrets: ["crm".to_owned()].into(),
    };
    let messages = zelo_core::grants::Messages { channels: vec!["outbox".into()], to: vec!["+55".into()], budget: None };
    Grants {
        http: ["GET", "POST", "PUT"].map(|method| grant(&format!("{method} https://shop.example.com/orders/*"))).into(),
        messages: Some(messages),
        ..Grants::default()
    }
}

fn order(method: Method) -> Effect {
    let url = Target::parse("https://shop.example.com/orders/1").unwrap();
    let body = (!method.is_safe()).then(|| Body(b"{}".to_vec()));
    Effect::Http(Request { method, url, headers: Vec::new(), body })
}

/// One attempt at `work`, as a plugin that sends a message, orders, and sends another: where it stands in the end, if it came to one.
async fn attempt(runtime: &Runtime, shop: &Shop, work: &Work, key: bool, method: Method, death: Death) -> Option<JobState> {
    let (mut recorder, trace) = recording(runtime, work, grants(key));
    *shop.death.lock().unwrap() = Some(death);
    let plugin = async {
        recorder.perform(message("+55", "ordering")).await?;
        if death == Death::Before {
            shop.die().await;
        }
        recorder.perform(order(method)).await?;
        recorder.perform(message("+55", "ordered")).await
    };
    let ran = tokio::select! {
        ran = plugin => ran,
        () = shop.dead.notified() => return None,
    };
    let end = match ran {
        Ok(_) if death == Death::Unsettled => return None,
        Ok(_) => done(),
        Err(Stop::Unknown { .. }) => AttemptEnd::Unknown(Reason::new("unknown", "unknown")),
        Err(Stop::Store(_)) if death == Death::Answered => return None,
        Err(Stop::Later { after, .. }) => {
            AttemptEnd::Retry { reason: Reason::new("later", "later"), after: after.and_then(|after| after.try_into().ok()) }
        }
        Err(other) => panic!("{other:?}"),
    };
    Some(state_after(runtime, &work.job, &trace, end).await)
}

/// The job again, after what held it is gone.
async fn again(runtime: &Runtime) -> Work {
    give_up(runtime).await;
    let later = runtime.clock.now() + SignedDuration::from_hours(2);
    runtime.store.claim(later, 1, SignedDuration::from_mins(1), unlimited()).await.unwrap().remove(0)
}

async fn messages(runtime: &Runtime) -> usize {
    runtime.store.messages(&zelo_store::Page { limit: 99, ..Default::default() }).await.unwrap().len()
}

/// A first attempt dies at `death`, a second one lives: where the job stands then, and how often it was ordered.
async fn after(death: Death, heeds_keys: bool, method: Method) -> (JobState, usize, usize) {
    let (runtime, shop, work) = shop(heeds_keys).await;
    assert_eq!(attempt(&runtime, &shop, &work, heeds_keys, method, death).await, None, "{death:?} is a death");
    let state = attempt(&runtime, &shop, &again(&runtime).await, heeds_keys, method, Death::Never).await.expect("this one ends");
    let orders = shop.orders.lock().unwrap().len();
    (state, orders, messages(&runtime).await)
}

#[tokio::test]
async fn where_the_destination_heeds_keys_it_happens_once_wherever_an_attempt_dies() {
    for death in [Death::Before, Death::Begun, Death::CarriedOut, Death::Answered, Death::Unsettled] {
        assert_eq!(after(death, true, Method::Post).await, (JobState::Done, 1, 2), "{death:?}");
    }
}

#[tokio::test]
async fn where_nobody_can_know_the_job_says_so_and_nothing_is_repeated() {
    for (death, expected) in [
        (Death::Before, (JobState::Done, 1, 2)),
        (Death::Begun, (JobState::Unknown, 0, 1)),
        (Death::CarriedOut, (JobState::Unknown, 1, 1)),
        (Death::Answered, (JobState::Unknown, 1, 1)),
        (Death::Unsettled, (JobState::Done, 1, 2)),
    ] {
        assert_eq!(after(death, false, Method::Post).await, expected, "{death:?}");
    }
}

#[tokio::test]
async fn a_method_that_may_be_repeated_is() {
    for (death, times) in [(Death::Begun, 1), (Death::CarriedOut, 2), (Death::Answered, 2)] {
        assert_eq!(after(death, false, Method::Put).await, (JobState::Done, times, 2), "{death:?}: as often as it takes");
    }
}

fn came(status: u16) -> Exchange {
    Exchange::Answered(Response { status, headers: Vec::new(), body: Body(Vec::new()) })
}

#[tokio::test]
async fn an_answer_that_passes_ends_the_attempt_and_the_request_is_made_again() {
    for passing in [came(503), came(429), Exchange::Unsent("nobody".into())] {
        let (runtime, shop, work) = shop(false).await;
        shop.next.lock().unwrap().push(passing.clone());
        assert_eq!(attempt(&runtime, &shop, &work, false, Method::Post, Death::Never).await, Some(JobState::Scheduled), "{passing:?}");
        let second = again(&runtime).await;
        let begun = second.journal.last().unwrap();
        assert!(matches!(begun, JournalEntry::Begun { in_flight: false, .. }), "known not to have been carried out: {begun:?}");
        assert_eq!(attempt(&runtime, &shop, &second, false, Method::Post, Death::Never).await, Some(JobState::Done));
        let orders = shop.orders.lock().unwrap().len();
        assert_eq!((orders, messages(&runtime).await), (1, 2));
    }
}

#[tokio::test]
async fn without_an_answer_only_who_heeds_keys_is_asked_again() {
    for lost in [Exchange::Lost("cut off".into()), came(504), came(500), came(524)] {
        for (heeds, first) in [(true, JobState::Scheduled), (false, JobState::Unknown)] {
            let (runtime, shop, work) = shop(heeds).await;
            shop.next.lock().unwrap().push(lost.clone());
            assert_eq!(attempt(&runtime, &shop, &work, heeds, Method::Post, Death::Never).await, Some(first), "{lost:?}");
        }
    }
}

#[tokio::test]
async fn what_only_asks_is_noted_and_not_asked_again() {
    let (runtime, shop, work) = shop(false).await;
    let answer = || came(200);
    shop.next.lock().unwrap().extend([answer()]);
    let (mut recorder, trace) = recording(&runtime, &work, grants(false));
    let first = recorder.perform(order(Method::Get)).await.unwrap();
    assert!(matches!(&first, EffectResult::Answered { response } if response.status == 200));
    assert!(lock_trace(&trace).is_idle(), "asking changes nothing");
    let retry = AttemptEnd::Retry { reason: Reason::new("plugin", "later"), after: None };
    assert_eq!(state_after(&runtime, &work.job, &trace, retry).await, JobState::Scheduled);
    let (mut recorder, _) = recording(&runtime, &again(&runtime).await, grants(false));
    assert_eq!(recorder.perform(order(Method::Get)).await.unwrap(), first, "from the journal");
    assert_eq!(shop.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_job_that_was_asked_to_stop_sends_nothing_more() {
    let (runtime, shop, work) = shop(true).await;
    let cancelled = || AttemptEnd::Cancelled(Reason::new("x", "x"));
    runtime.store.retime(Arc::new(Off)).await.unwrap();
    let (mut recorder, trace) = recording(&runtime, &work, grants(true));
    let stop = recorder.perform(order(Method::Post)).await.unwrap_err();
    assert!(matches!(stop, Stop::Cancelled(_)), "{stop:?}");
    assert_eq!(shop.asked.load(Ordering::SeqCst), 0);
    assert_eq!(state_after(&runtime, &work.job, &trace, cancelled()).await, JobState::Cancelled);
}

/// The rule of every job is gone.
struct Off;

impl zelo_core::timing::Timetable for Off {
    fn due(&self, _: &zelo_core::timing::DueQuestion<'_>, _: &dyn zelo_core::timing::Records) -> Result<zelo_core::timing::Due, Reason> {
        Err(Reason::new(zelo_core::decide::RULE_GONE, "gone"))
    }
}

#[tokio::test]
async fn what_is_refused_is_told_and_sends_nothing() {
    let (runtime, shop, work) = shop(true).await;
    let (mut recorder, trace) = recording(&runtime, &work, grants(true));
    let elsewhere = |url: &str, secret: Option<&str>| {
        let headers = secret.map(|name| zelo_core::http::Header {
            name: "authorization".into(),
            value: zelo_core::http::HeaderValue::Secret(name.to_owned()),
        });
        let url = Target::parse(url).unwrap();
        Effect::Http(Request { method: Method::Get, url, headers: headers.into_iter().collect(), body: None })
    };
    for (effect, why) in [
        (elsewhere("https://shop.example.com/admin", None), "not granted"),
        (elsewhere("https://169.254.169.254/orders/1", None), "not granted"),
        (elsewhere("https://shop.example.com/orders/1", Some("bank")), "the secret `bank` is not granted"),
    ] {
        let came = recorder.perform(effect).await.unwrap();
        assert!(matches!(&came, EffectResult::Refused { reason } if reason.contains(why)), "{came:?}");
    }
    assert!(!lock_trace(&trace).is_idle(), "it has to be answered for");
    assert_eq!(shop.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_conflict_while_the_first_is_at_work_is_waited_for() {
    let (runtime, shop, work) = shop(true).await;
    assert_eq!(attempt(&runtime, &shop, &work, true, Method::Post, Death::CarriedOut).await, None);
    shop.next.lock().unwrap().push(came(409));
    let second = again(&runtime).await;
    assert_eq!(attempt(&runtime, &shop, &second, true, Method::Post, Death::Never).await, Some(JobState::Scheduled));
    assert_eq!(attempt(&runtime, &shop, &again(&runtime).await, true, Method::Post, Death::Never).await, Some(JobState::Done));
    assert_eq!(shop.orders.lock().unwrap().len(), 1);
}

/// Whatever else ends a job that has something in flight, it does not say that it was not done.
#[tokio::test]
async fn what_is_in_flight_is_unknown_however_the_job_ends() {
    let ends = [
        AttemptEnd::Skipped(Reason::new("expired", "too late")),
        AttemptEnd::Cancelled(Reason::new("switched_off", "off")),
        AttemptEnd::Dead(Reason::new("no_plugin", "gone")),
    ];
    for end in ends {
        let (runtime, shop, work) = shop(true).await;
        assert_eq!(attempt(&runtime, &shop, &work, true, Method::Post, Death::CarriedOut).await, None);
        let second = again(&runtime).await;
        assert!(second.job.in_flight);
        let (_, trace) = recording(&runtime, &second, grants(true));
        assert_eq!(state_after(&runtime, &second.job, &trace, end.clone()).await, JobState::Unknown, "{end:?}");
        let told = runtime.store.job(work.job.id).await.unwrap().unwrap().job.reason.unwrap();
        assert!(told.code == "unknown" && told.text.contains("a request had begun before"), "{told:?}");
    }
}

#[tokio::test]
async fn a_job_that_is_switched_off_while_it_waits_to_ask_again_is_unknown() {
    let (runtime, shop, work) = shop(true).await;
    shop.next.lock().unwrap().push(Exchange::Lost("cut off".into()));
    assert_eq!(attempt(&runtime, &shop, &work, true, Method::Post, Death::Never).await, Some(JobState::Scheduled));
    runtime.store.retime(Arc::new(Off)).await.unwrap();
    assert_eq!(runtime.store.job(work.job.id).await.unwrap().unwrap().job.state, JobState::Unknown);
}

#[tokio::test]
async fn a_job_that_is_asked_to_stop_while_its_request_is_in_flight_is_unknown() {
    let (runtime, shop, work) = shop(true).await;
    assert_eq!(attempt(&runtime, &shop, &work, true, Method::Post, Death::CarriedOut).await, None);
    runtime.store.retime(Arc::new(Off)).await.unwrap();
    give_up(&runtime).await;
    assert_eq!(runtime.store.job(work.job.id).await.unwrap().unwrap().job.state, JobState::Unknown, "its worker died after it was asked");
}

#[tokio::test]
async fn what_landed_is_not_in_flight_any_more() {
    let (runtime, shop, work) = shop(false).await;
    assert_eq!(attempt(&runtime, &shop, &work, false, Method::Post, Death::Unsettled).await, None);
    assert!(!again(&runtime).await.job.in_flight, "its answer is known");
    let (runtime, shop, work) = self::shop(false).await;
    shop.next.lock().unwrap().push(came(503));
    assert_eq!(attempt(&runtime, &shop, &work, false, Method::Post, Death::Never).await, Some(JobState::Scheduled));
    assert!(!again(&runtime).await.job.in_flight, "it was not carried out");
}

/// A shop that five requests in a row did not reach.
async fn shut() -> (Runtime, Arc<Shop>, Work, Arc<zelo_core::ManualClock>) {
    let shop = Arc::new(Shop { heeds_keys: true, ..Shop::default() });
    let (runtime, clock) = runtime_over(None, shop.clone()).await;
    let work = claimed_as(&runtime, 1, start()).await;
    let Effect::Http(request) = order(Method::Post) else { panic!("it is a request") };
    for _ in 0..zelo_core::breaker::FAILURES {
        assert!(runtime.pass(&request.url, &work.job.automation).ok().unwrap().end(Word::Failed).is_none());
    }
    (runtime, shop, work, clock)
}

#[tokio::test]
async fn who_is_down_is_not_asked_and_the_request_has_not_begun() {
    let (runtime, shop, work, clock) = shut().await;
    let (mut recorder, trace) = recording(&runtime, &work, grants(true));
    recorder.perform(message("+55", "ordering")).await.unwrap();
    let Err(Stop::Held(held)) = recorder.perform(order(Method::Post)).await else { panic!("it was sent") };
    assert_eq!((held.host.as_str(), held.since), ("shop.example.com", start()));
    assert_eq!(shop.asked.load(Ordering::SeqCst), 0);
    let end = AttemptEnd::Deferred { reason: held.reason(), until: held.until, begun: true };
    assert_eq!(state_after(&runtime, &work.job, &trace, end).await, JobState::Scheduled);
    assert_eq!(messages(&runtime).await, 1, "what was done stays done");
    assert!(!runtime.store.journal(work.job.id).await.unwrap().iter().any(|entry| matches!(entry, JournalEntry::Begun { .. })));

    // It is the probe, and nobody is there: that is not its fault.
    clock.set(held.until);
    let work = runtime.store.claim(held.until, 1, SignedDuration::from_mins(1), unlimited()).await.unwrap().remove(0);
    assert_eq!(work.job.attempt, 2);
    shop.next.lock().unwrap().push(Exchange::Unsent("nobody".into()));
    let (mut recorder, trace) = recording(&runtime, &work, grants(true));
    recorder.perform(message("+55", "ordering")).await.unwrap();
    let Err(Stop::Held(again)) = recorder.perform(order(Method::Post)).await else { panic!("it used an attempt") };
    assert!(again.until > held.until + SignedDuration::from_secs(10) && again.since == start(), "{again:?}");
    let end = AttemptEnd::Deferred { reason: again.reason(), until: again.until, begun: true };
    assert_eq!(state_after(&runtime, &work.job, &trace, end).await, JobState::Scheduled);

    clock.set(again.until);
    let work = runtime.store.claim(again.until, 1, SignedDuration::from_mins(1), unlimited()).await.unwrap().remove(0);
    assert_eq!(work.job.attempt, 2, "the one that it had");
    assert!(matches!(work.journal.last(), Some(JournalEntry::Begun { in_flight: false, .. })));
    assert_eq!(attempt(&runtime, &shop, &work, true, Method::Post, Death::Never).await, Some(JobState::Done));
    let orders = shop.orders.lock().unwrap().len();
    assert_eq!((orders, messages(&runtime).await), (1, 2));
}

/// What is in flight stays so, and nothing is guessed.
#[tokio::test]
async fn what_is_in_flight_waits_for_who_is_down() {
    let (runtime, shop, work, _) = shut().await;
    // As an earlier attempt left it: what it was called with, and what it had begun.
    let (_, trace) = recording(&runtime, &work, grants(true));
    let (_, invocation) = lock_trace(&trace).journal.remove(0);
    let work = Work { journal: vec![invocation, JournalEntry::Begun { effect: order(Method::Post), in_flight: true }], ..work };
    for (key, is_held) in [(true, true), (false, false)] {
        let (mut recorder, trace) = recording(&runtime, &work, grants(key));
        let stop = recorder.perform(order(Method::Post)).await.unwrap_err();
        assert_eq!(matches!(stop, Stop::Held(_)), is_held, "{stop:?}");
        assert_eq!(matches!(stop, Stop::Unknown { .. }), !is_held, "{stop:?}");
        assert!(lock_trace(&trace).journal.is_empty());
    }
    assert_eq!(shop.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_request_that_is_broken_off_makes_way_for_another() {
    let (runtime, _, work, clock) = shut().await;
    let Effect::Http(request) = order(Method::Post) else { panic!("it is a request") };
    clock.set(start() + SignedDuration::from_secs(9));
    let probe = runtime.pass(&request.url, &work.job.automation).ok().unwrap();
    assert!(runtime.pass(&request.url, &work.job.automation).is_err(), "one at a time");
    drop(probe);
    clock.set(start() + SignedDuration::from_secs(10));
    assert!(runtime.pass(&request.url, &work.job.automation).is_ok());
}
