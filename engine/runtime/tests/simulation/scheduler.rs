//! Points: where everything that happens is held up until the scheduler lets it go on, one thing at a time.
//!
//! A process is one tokio runtime on this thread, with its time paused. Whatever its tasks ask of the store or of other people's
//! machines they ask at a point, before and after, so between two points only one thing moves; the seed chooses which. To
//! crash is to drop the runtime, wherever its tasks are.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::oneshot;

/// Repeatable numbers (SplitMix64).
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..count`.
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        self.roll() % count.max(1)
    }

    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }
}

/// Where the tasks of a process wait to go on.
#[derive(Default)]
pub(crate) struct Points(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    /// By what they are about to do, then by when they came: the order must not depend on how fast a plugin was.
    held: BTreeMap<(String, u64), Held>,
    came: u64,
    steps: u64,
    story: Vec<String>,
}

struct Held {
    go: oneshot::Sender<Dice>,
    frozen: bool,
}

impl Points {
    /// Waits for its turn; the dice decide what happens there.
    pub(crate) async fn reach(&self, about: String) -> Dice {
        let (go, gone) = oneshot::channel();
        {
            let mut waiting = self.lock();
            waiting.came += 1;
            let place = (about, waiting.came);
            waiting.held.insert(place, Held { go, frozen: false });
        }
        match gone.await {
            Ok(dice) => dice,
            // Its process is gone, and this with it.
            Err(_) => std::future::pending().await,
        }
    }

    /// How many wait that may go on.
    pub(crate) fn free(&self) -> usize {
        let mut waiting = self.lock();
        waiting.held.retain(|_, held| !held.go.is_closed());
        waiting.held.values().filter(|held| !held.frozen).count()
    }

    /// How many are held up for longer.
    pub(crate) fn frozen(&self) -> usize {
        self.lock().held.values().filter(|held| held.frozen).count()
    }

    /// Lets one of the free go on.
    pub(crate) fn release(&self, number: usize, luck: u64) {
        let mut waiting = self.lock();
        let Some(place) = waiting.nth(number) else { return };
        let Some(held) = waiting.held.remove(&place) else { return };
        waiting.story.push(place.0);
        waiting.steps += 1;
        let _ = held.go.send(Dice::new(luck));
    }

    /// Holds one of the free up, while others go on and time passes.
    pub(crate) fn freeze(&self, number: usize) {
        let mut waiting = self.lock();
        let Some(place) = waiting.nth(number) else { return };
        waiting.story.push(format!("   held up: {}", place.0));
        if let Some(held) = waiting.held.get_mut(&place) {
            held.frozen = true;
        }
    }

    /// Holds all up whose names begin with `what`.
    pub(crate) fn hold_up(&self, what: &str) {
        self.lock().held.iter_mut().filter(|((about, _), _)| about.starts_with(what)).for_each(|(_, held)| held.frozen = true);
    }

    pub(crate) fn thaw(&self) {
        self.lock().held.values_mut().for_each(|held| held.frozen = false);
    }

    /// How many went on so far.
    pub(crate) fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// The process is gone.
    pub(crate) fn clear(&self) {
        self.lock().held.clear();
    }

    /// Adds to what is told of a failure.
    pub(crate) fn tell(&self, what: impl Into<String>) {
        self.lock().story.push(what.into());
    }

    /// All that happened, in order.
    pub(crate) fn story(&self) -> Vec<String> {
        self.lock().story.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap()
    }
}

impl Waiting {
    fn nth(&self, number: usize) -> Option<(String, u64)> {
        self.held.iter().filter(|(_, held)| !held.frozen).nth(number).map(|(place, _)| place.clone())
    }
}
