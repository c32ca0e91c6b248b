//! What never answers: a store, another machine. Nothing here fails and nobody dies; some calls wait for ever, while time goes on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::watch;
use tokio::time::Instant;
use zelo_core::retry::RetryPolicy;
use zelo_core::{Job, JobState, ManualClock, SeededEntropy, Timestamp};
use zelo_rules::Headers;
use zelo_runtime::keeper::Pace;
use zelo_runtime::{Incoming, Runtime};
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{MasterKey, Page, Store};

use crate::broken::Broken;
use crate::destination::{Destination, KEYED, KEYLESS};
use crate::scheduler::Points;
use crate::store::{Faulty, Notes, to_its_end};
use crate::weather::Weather;
use crate::world::{CONNECTION, Delivery, Ground, Parts, Word, beginning};

/// A process with one slot.
struct Place {
    runtime: Runtime,
    clock: Arc<ManualClock>,
    points: Arc<Points>,
    store: Arc<dyn Store>,
    destination: Arc<Destination>,
    began: Instant,
    _stop: watch::Sender<bool>,
}

impl Place {
    fn begin(lease: SignedDuration) -> Self {
        let (points, clock) = (Arc::new(Points::default()), Arc::new(ManualClock::new(beginning())));
        let config = SqliteConfig { path: None, ..SqliteConfig::default() };
        let opening = SqliteStore::open(config, MasterKey::from_bytes([7; 32]), Arc::new(SeededEntropy::new(1)));
        let store: Arc<dyn Store> = to_its_end(opening).unwrap();
        let faulty = Faulty {
            inner: store.clone(),
            points: points.clone(),
            weather: Weather::CALM,
            notes: Arc::new(Notes::default()),
            broken: Broken::Not,
            late: Mutex::default(),
        };
        let destination = Arc::new(Destination::new(points.clone(), Weather::CALM));
        let parts = Parts { store: Arc::new(faulty), outbound: destination.clone(), clock: clock.clone(), seed: 1 };
        let runtime = Ground::new().process(parts);
        let (stop, stopped) = watch::channel(false);
        tokio::spawn({
            let runtime = runtime.clone();
            async move { runtime.keep(Pace { slots: 1, lease, ..Pace::default() }, stopped).await }
        });
        Self { runtime, clock, points, store, destination, began: Instant::now(), _stop: stop }
    }

    fn deliver(&self, number: u64, word: Word) {
        let delivery = Delivery { number, at: beginning() - SignedDuration::from_secs(60), sent: beginning(), word };
        let runtime = self.runtime.clone();
        tokio::spawn(async move {
            let (headers, body) = (Headers::default(), delivery.body());
            let incoming = Incoming { connection: CONNECTION, path: delivery.path(), url: "", headers: &headers, body: &body };
            runtime.receive(runtime.arrived(), incoming).await.unwrap();
        });
    }

    /// Time goes on for so long, and everything that does not begin with `hung`; or until that is `enough`. How long it took.
    async fn go(&self, seconds: u64, hung: &str, enough: impl Fn(&Self) -> bool) -> Duration {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(seconds) && !enough(self) {
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.clock.set(beginning() + SignedDuration::try_from(self.began.elapsed()).unwrap());
            self.points.hold_up(hung);
            while self.points.free() > 0 {
                self.points.release(0, 0);
                tokio::task::yield_now().await;
                self.points.hold_up(hung);
            }
        }
        start.elapsed()
    }

    fn job(&self, action: &str) -> Option<Job> {
        let store = self.store.clone();
        let views = to_its_end(async move { store.jobs(&Page::default(), None).await }).unwrap();
        views.into_iter().map(|view| view.job).find(|job| job.action == action)
    }

    /// The reason why a job stands where it stands, where it waits to be tried again.
    fn waits_because(&self, action: &str) -> Option<String> {
        self.job(action).filter(|job| job.state == JobState::Scheduled).and_then(|job| job.reason).map(|reason| reason.code)
    }

    fn asked(&self, address: &str) -> u32 {
        self.destination.asked().iter().filter(|((asked, _), _)| asked.starts_with(address)).map(|(_, asked)| asked.times).sum()
    }
}

fn is_done(place: &Place, action: &str) -> bool {
    place.job(action).is_some_and(|job| job.state == JobState::Done)
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_store_never_answers_is_over_at_its_deadline() {
    let lease = Pace::default().lease;
    let place = Place::begin(lease);
    place.deliver(1, Word::Order);
    for action in ["charge", "note"] {
        let took = place.go(600, "puts on disk", |place| place.waits_because(action).as_deref() == Some("deadline")).await;
        assert_eq!(place.waits_because(action).as_deref(), Some("deadline"), "the one slot is free for the next");
        assert!(took < Duration::try_from(lease).unwrap(), "{action}: {took:?}");
    }
    assert_eq!(place.asked(""), 0, "nothing has begun that was not on disk");
    // What was under way gets to the disk in the end, and is stale by then.
    place.points.thaw();
    place.go(600, "nothing", |place| is_done(place, "reserve") && is_done(place, "note")).await;
    let attempts = |action: &str| place.job(action).map(|job| (job.state, job.attempt));
    assert_eq!(["charge", "note", "reserve"].map(attempts), [(2), (2), (1)].map(|attempt| Some((JobState::Done, attempt))));
    assert_eq!((place.asked(KEYED), place.asked(KEYLESS)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_cannot_be_prepared_is_over_soon() {
    let place = Place::begin(Pace::default().lease);
    place.deliver(1, Word::Sale { sale: 1 });
    let took = place.go(60, "asks what was sent", |place| place.waits_because("send").is_some()).await;
    assert_eq!(place.waits_because("send").as_deref(), Some("deadline"), "after {took:?}");
    place.points.thaw();
    place.go(600, "nothing", |place| is_done(place, "send")).await;
    assert!(is_done(&place, "send"));
}

#[tokio::test(start_paused = true)]
async fn what_had_begun_elsewhere_stays_unknown() {
    let place = Place::begin(Pace::default().lease);
    place.deliver(1, Word::Order);
    place.go(60, "nothing", |place| is_done(place, "charge") || is_done(place, "note")).await;
    place.deliver(2, Word::Order);
    let lost = |place: &Place| place.job("note").is_some_and(|job| job.state == JobState::Unknown);
    place.go(600, "asks https://crm", lost).await;
    assert!(lost(&place), "{:?}", place.job("note"));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_shorter_than_its_run_is_renewed() {
    let place = Place::begin(12 * SECOND);
    place.deliver(1, Word::Order);
    // Another node looks for leases that ran out, and knows nobody's hands.
    let reclaim = |place: &Place, now: Timestamp| {
        let store = place.store.clone();
        to_its_end(async move { store.reclaim(now, RetryPolicy::default(), &[]).await }).unwrap()
    };
    place
        .go(25, "asks https", |place| {
            assert_eq!(reclaim(place, zelo_core::Clock::now(place.clock.as_ref())), [], "after {:?}", place.began.elapsed());
            false
        })
        .await;
    let running =
        |place: &Place| ["charge", "note"].into_iter().find(|action| place.job(action).is_some_and(|job| job.state == JobState::Running));
    assert!(running(&place).is_some());
    // It takes the job away. The one slot is free for the next one when that is heard of, and long before the run is over.
    assert_eq!(reclaim(&place, Timestamp::MAX).len(), 1);
    assert_eq!(running(&place), None);
    let took = place.go(20, "asks https", |place| running(place).is_some()).await;
    assert!(took <= Duration::from_secs(7), "a third of its lease, and a round of the keeper: {took:?}");
}
