//! A story: processes that live one after the other over one store, a provider, and the scheduler that says what is next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use zelo_core::{Clock, EventId, JobState, ManualClock, SeededEntropy, Status};
use zelo_rules::Headers;
use zelo_runtime::keeper::Pace;
use zelo_runtime::{Answer, Incoming, Refused, Runtime};
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{MasterKey, Page, Store};

use crate::broken::Broken;
use crate::destination::Destination;
use crate::scheduler::{Dice, Points};
use crate::store::{Faulty, Notes, to_its_end};
use crate::weather::Weather;
use crate::world::{self, CONNECTION, Delivery, Ground, Parts};

/// More steps than any story needs: one that takes them stands still.
const STEPS_MAX: u64 = 20_000;

/// How long a worker may hold a job.
const LEASE: SignedDuration = SignedDuration::from_mins(10);

/// Nothing is held up for longer at a time.
const HELD_UP_MAX: SignedDuration = SignedDuration::from_hours(1);

/// What happens, but for the order.
pub(crate) struct Script {
    pub(crate) seed: u64,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) weather: Weather,
    /// The step at which the first process dies, whatever the weather.
    pub(crate) crash_at: Option<u64>,
    pub(crate) broken: Broken,
}

impl Script {
    /// What a seed says.
    pub(crate) fn of(seed: u64, broken: Broken) -> Self {
        let mut dice = Dice::new(seed ^ 0x5eed);
        Self { seed, deliveries: world::deliveries(&mut dice), weather: Weather::of(&mut dice), crash_at: None, broken }
    }

    /// A little story in fair weather, the same each time until the one crash.
    pub(crate) fn with_crash_at(step: u64) -> Self {
        Self { seed: 1, deliveries: world::small(), weather: Weather::CALM, crash_at: Some(step), broken: Broken::Not }
    }
}

/// What a story left.
pub(crate) struct Told {
    pub(crate) deliveries: Vec<Sent>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) destination: Arc<Destination>,
    pub(crate) notes: Arc<Notes>,
    /// All that happened, line by line.
    pub(crate) story: Vec<String>,
    pub(crate) crashes: u64,
    /// Why it did not come to an end.
    pub(crate) stuck: Option<String>,
    _folder: Option<tempfile::TempDir>,
}

impl Told {
    /// What happened how often.
    pub(crate) fn came_to(&self) -> BTreeMap<String, u64> {
        let store = self.store.clone();
        let jobs = to_its_end(async move { store.jobs(&Page { limit: 1000, ..Page::default() }, None).await.unwrap() });
        let mut counts = BTreeMap::from([("crashes".to_owned(), self.crashes), ("lines".to_owned(), self.story.len() as u64)]);
        for view in jobs {
            *counts.entry(format!("{} {}", view.job.action, view.job.state.as_str())).or_default() += 1;
        }
        counts
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let store = self.store.clone();
        let _ = to_its_end(async move { store.close().await });
    }
}

/// A delivery, and what the provider knows of it.
pub(crate) struct Sent {
    pub(crate) delivery: Delivery,
    /// What it was told, each time that it was acknowledged.
    pub(crate) acknowledged: Vec<EventId>,
    state: SentState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SentState {
    /// To be sent from then on.
    Waits(Timestamp),
    OnItsWay,
    /// The provider is content.
    Over,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Crashed,
    Stopped,
    /// Nothing is left to do.
    AllDone,
    Stuck,
}

/// What is the same for all processes of a story.
struct Director<'a> {
    ground: &'a Ground,
    script: Script,
    dice: Dice,
    points: Arc<Points>,
    clock: Arc<ManualClock>,
    destination: Arc<Destination>,
    notes: Arc<Notes>,
    sent: Vec<Sent>,
    store: Arc<dyn Store>,
    folder: Option<tempfile::TempDir>,
    crashes: u64,
    lives: u64,
    stuck: Option<String>,
}

/// A process.
struct Life {
    runtime: Runtime,
    heard: Heard,
    stop: watch::Sender<bool>,
}

/// What the provider was answered, by the places of its deliveries.
type Heard = Arc<Mutex<Vec<(usize, Result<Answer, Refused>)>>>;

/// Lets the story of `script` happen.
pub(crate) fn tell(ground: &Ground, script: Script) -> Told {
    let points = Arc::new(Points::default());
    let state = |delivery: Delivery| Sent { state: SentState::Waits(delivery.sent), delivery, acknowledged: Vec::new() };
    let folder = script.weather.on_disk.then(folder);
    let mut director = Director {
        ground,
        dice: Dice::new(script.seed),
        destination: Arc::new(Destination::new(points.clone(), script.weather)),
        clock: Arc::new(ManualClock::new(world::beginning())),
        notes: Arc::default(),
        sent: script.deliveries.iter().cloned().map(state).collect(),
        store: open(&script, folder.as_ref(), 0),
        folder,
        points,
        script,
        crashes: 0,
        lives: 0,
        stuck: None,
    };
    loop {
        director.lives += 1;
        let end = director.live();
        director.points.clear();
        director.points.tell(format!("== {end:?} at {}", director.clock.now()));
        match end {
            End::AllDone | End::Stuck => break,
            End::Crashed => director.crashes += 1,
            End::Stopped => {}
        }
        director.start_anew();
    }
    let Director { sent, store, destination, notes, points, crashes, stuck, folder, .. } = director;
    Told { deliveries: sent, store, destination, notes, story: points.story(), crashes, stuck, _folder: folder }
}

/// A folder in memory where there is one: a story has hundreds of commits, and does not pull the plug of the machine.
fn folder() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// Opens the store of a story for another of its processes.
fn open(script: &Script, folder: Option<&tempfile::TempDir>, lives: u64) -> Arc<dyn Store> {
    let config = SqliteConfig { path: folder.map(|folder| folder.path().join("zelo.db")), recent: 4, ..SqliteConfig::default() };
    let entropy = Arc::new(SeededEntropy::new(script.seed ^ lives << 32));
    to_its_end(async move { SqliteStore::open(config, MasterKey::from_bytes([7; 32]), entropy).await }).unwrap()
}

impl Director<'_> {
    /// The process is gone: nobody is answered any more, and a store on disk is opened again.
    fn start_anew(&mut self) {
        for sent in &mut self.sent {
            if sent.state == SentState::OnItsWay {
                sent.state = SentState::Waits(self.clock.now());
            }
        }
        if self.folder.is_some() {
            let store = self.store.clone();
            to_its_end(async move { store.close().await }).unwrap();
            self.store = open(&self.script, self.folder.as_ref(), self.lives);
        }
    }

    /// One process, from its start to its end.
    fn live(&mut self) -> End {
        let faulty = Faulty {
            inner: self.store.clone(),
            points: self.points.clone(),
            weather: self.script.weather,
            notes: self.notes.clone(),
            broken: self.script.broken,
            late: Mutex::default(),
        };
        let parts = Parts {
            store: Arc::new(faulty),
            outbound: self.destination.clone(),
            clock: self.clock.clone(),
            seed: self.script.seed ^ self.lives << 40,
        };
        let process = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let life = Life { runtime: self.ground.process(parts), heard: Heard::default(), stop: watch::Sender::new(false) };
        process.block_on(self.direct(&life))
    }

    /// Says what is next, until the process has come to its end.
    async fn direct(&mut self, life: &Life) -> End {
        let keeper = tokio::spawn({
            let (runtime, stopped) = (life.runtime.clone(), life.stop.subscribe());
            async move { runtime.keep(Pace { slots: 4, lease: LEASE, ..Pace::default() }, stopped).await }
        });
        loop {
            // Until all tasks wait: paused time goes on only then.
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.hear(&life.heard);
            if keeper.is_finished() {
                keeper.await.unwrap();
                return End::Stopped;
            }
            let steps = self.points.steps();
            if steps > STEPS_MAX {
                self.stuck = Some(format!("{STEPS_MAX} steps were not enough"));
                return End::Stuck;
            }
            if self.crashes == 0 && self.script.crash_at == Some(steps) {
                return End::Crashed;
            }
            let weather = self.script.weather;
            if self.is_stormy() && self.crashes < weather.crashes_max && self.dice.chance(weather.crash) {
                if self.dice.chance(800) {
                    return End::Crashed;
                }
                self.points.tell("== is asked to stop");
                life.stop.send_replace(true);
                self.crashes += 1;
            }
            self.set_clock();
            if let Some(end) = self.step(life).await {
                return end;
            }
        }
    }

    fn is_stormy(&self) -> bool {
        self.points.steps() < self.script.weather.calm_after
    }

    /// One thing goes on, or time does.
    async fn step(&mut self, life: &Life) -> Option<End> {
        let (now, stopping) = (self.clock.now(), *life.stop.borrow());
        let free = self.points.free();
        let due: Vec<usize> = (0..self.sent.len()).filter(|place| !stopping && self.sent[*place].is_due(now)).collect();
        let all = free + due.len();
        if all == 0 {
            return self.wait().await;
        }
        let picked = self.dice.below(all as u64) as usize;
        match picked.checked_sub(free) {
            Some(place) => self.send(life, due[place]),
            None if self.is_stormy() && self.points.frozen() < 3 && self.dice.chance(self.script.weather.freeze) => {
                self.points.freeze(picked);
            }
            None => self.points.release(picked, self.dice.roll()),
        }
        None
    }

    /// Nothing moves: what was held up goes on, or time passes until something is due.
    async fn wait(&mut self) -> Option<End> {
        let is_held_up = self.points.frozen() > 0;
        match self.dice.below(10) {
            0..3 if is_held_up => {
                self.thaw();
                return None;
            }
            // Somebody else may hold the job by then.
            3..6 if is_held_up => {
                self.pass(LEASE).await;
                return None;
            }
            _ => {}
        }
        let now = self.clock.now();
        let store = self.store.clone();
        let (next, live) = to_its_end(async move {
            let next = store.next_run().await.unwrap();
            let jobs = store.jobs(&Page { limit: 1000, ..Page::default() }, None).await.unwrap();
            (next, jobs.into_iter().map(|view| view.job).filter(|job| job.state.is_live()).collect::<Vec<_>>())
        });
        let provider = self.sent.iter().filter_map(|sent| match sent.state {
            SentState::Waits(at) => Some(at),
            SentState::OnItsWay | SentState::Over => None,
        });
        let lease = live.iter().any(|job| job.state == JobState::Running).then(|| now + LEASE);
        match provider.chain(next).chain(lease).min().map(|at| at.duration_since(now)) {
            // Nothing is held up for as long as that.
            wait if is_held_up && wait.is_none_or(|wait| wait > HELD_UP_MAX) => self.thaw(),
            // No nap of the keeper is longer than a second.
            Some(wait) => self.pass(wait.max(SignedDuration::from_secs(1))).await,
            None if live.is_empty() && self.sent.iter().all(|sent| sent.state == SentState::Over) => return Some(End::AllDone),
            None => {
                self.stuck = Some(format!("nothing is due; these jobs live: {live:?}"));
                return Some(End::Stuck);
            }
        }
        None
    }

    fn thaw(&self) {
        self.points.tell("   goes on: all that was held up");
        self.points.thaw();
    }

    async fn pass(&mut self, time: SignedDuration) {
        self.clock.set(self.clock.now() + time);
        self.points.tell(format!("   {} passes", time));
        tokio::time::sleep(Duration::try_from(time).unwrap() + Duration::from_millis(1)).await;
    }

    /// Each step takes a little time; and sometimes somebody sets the clock.
    fn set_clock(&mut self) {
        let step = SignedDuration::from_millis(self.dice.below(40) as i64);
        let set = if self.is_stormy() && self.dice.chance(self.script.weather.clock) {
            SignedDuration::from_secs(self.dice.below(1200) as i64 - 600)
        } else {
            SignedDuration::ZERO
        };
        if !set.is_zero() {
            self.points.tell(format!("   the clock is set by {set}"));
        }
        self.clock.set(self.clock.now() + step + set);
    }

    fn send(&mut self, life: &Life, place: usize) {
        let sent = &mut self.sent[place];
        sent.state = SentState::OnItsWay;
        self.points.tell(format!("sends {} {:?}", sent.delivery.number, sent.delivery.word));
        let (path, body) = (sent.delivery.path(), sent.delivery.body());
        let (runtime, heard) = (life.runtime.clone(), life.heard.clone());
        tokio::spawn(async move {
            let incoming = Incoming { connection: CONNECTION, path, url: "", headers: &Headers::default(), body: &body };
            let answer = runtime.receive(runtime.arrived(), incoming).await;
            heard.lock().unwrap().push((place, answer));
        });
    }

    /// The provider hears what it was answered.
    fn hear(&mut self, heard: &Heard) {
        for (place, answer) in heard.lock().unwrap().drain(..) {
            let sent = &mut self.sent[place];
            let later = self.clock.now() + SignedDuration::from_secs(1 + self.dice.below(120) as i64);
            sent.state = match answer {
                Ok(Answer::Handshake(text)) => panic!("a delivery was answered {text}"),
                Ok(Answer::Taken { receipts, .. }) => {
                    let [receipt] = receipts.all() else { unreachable!("nothing is split") };
                    assert!(matches!(receipt.status, Status::Accepted | Status::Stale | Status::Duplicate), "{:?}", receipt.status);
                    sent.acknowledged.push(receipt.event_id.unwrap());
                    let again = sent.acknowledged.len() < 3 && self.dice.chance(self.script.weather.again);
                    if again { SentState::Waits(later) } else { SentState::Over }
                }
                Err(_) => SentState::Waits(later),
            };
        }
    }
}

impl Sent {
    fn is_due(&self, now: Timestamp) -> bool {
        matches!(self.state, SentState::Waits(at) if at <= now)
    }
}
