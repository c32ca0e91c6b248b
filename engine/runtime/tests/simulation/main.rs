//! The real runtime, again and again, in stories that a seed tells.
//!
//! A story is one process after the other over one store ([`story`]): a provider sends its deliveries ([`world`]), what the
//! runtime asks of the store and of other people's machines waits for its turn ([`scheduler`]), fails or is not answered
//! ([`store`], [`destination`], [`weather`]), processes die, time passes. The clock is set; nothing here waits for real. After
//! each story its store is held against what was promised ([`invariants`]). [`broken`] has stores that break a promise. Outages of
//! other people's machines, in numbers, are in [`outage`]; what never answers is in [`hung`].
//!
//! `ZELO_SEEDS=10000` tells so many stories, `ZELO_SEEDS=500..600` these; `ZELO_SEED=17` tells that one, from beginning to end.

#![allow(clippy::unwrap_used, reason = "what the tests share is no test to clippy")]

mod broken;
mod destination;
mod hung;
mod invariants;
mod left;
mod outage;
mod scheduler;
mod store;
mod story;
mod weather;
mod world;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use broken::Broken;
use invariants::{LEASE, STORED, Violation, broken_by};
use story::{Script, Told, tell};
use world::Ground;

/// So many stories, unless `ZELO_SEEDS` says otherwise.
const SEEDS: u64 = 200;

/// Names the one seed whose story is to be told from beginning to end.
const SEED: &str = "ZELO_SEED";

/// What happens in so many stories, among other things.
const SEEN: [&str; 12] = [
    "remind done",
    "remind cancelled",
    "follow cancelled",
    "tell unknown",
    "issue cancelled",
    "issue skipped",
    "send done",
    "announce done",
    "charge done",
    "charge dead",
    "note unknown",
    "reserve cancelled",
];

/// Lines of a story that are told with a failure, but for one that was asked for.
const LINES: usize = 60;

/// The seeds that were asked for: one, the first so many, or those of a range.
fn seeds() -> Range<u64> {
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("`{text}` is no seed and no number of seeds"));
    if let Ok(seed) = std::env::var(SEED) {
        return number(&seed)..number(&seed) + 1;
    }
    match std::env::var("ZELO_SEEDS") {
        Ok(seeds) => seeds.split_once("..").map_or_else(|| 0..number(&seeds), |(from, to)| number(from)..number(to)),
        Err(_) => 0..SEEDS,
    }
}

/// The sandbox, the plugins and the rules are made once.
fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(Ground::new)
}

/// What is to be said of a story that broke promises: its last `lines`, and which promises.
fn failure(how: &str, told: &Told, violations: &[Violation], lines: usize) -> String {
    let from = told.story.len().saturating_sub(lines);
    let violations: Vec<String> = violations.iter().map(|violation| format!("{how}: {violation}")).collect();
    format!("{how}: …\n{}\n\n{}\n", told.story[from..].join("\n"), violations.join("\n"))
}

/// Tells the stories of `seeds`, and what `look` finds of each, in order. Each is on one thread, so a few are told at once.
fn told<T: Send>(seeds: Range<u64>, broken: Broken, look: impl Fn(u64, &Told) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(BTreeMap::new());
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds.end) {
                    let seen = look(seed, &tell(ground(), Script::of(seed, broken)));
                    found.lock().unwrap().insert(seed, seen);
                }
            });
        }
    });
    found.into_inner().unwrap().into_values().collect()
}

#[test]
fn nothing_is_lost_and_nothing_is_done_twice() {
    let lines = if std::env::var(SEED).is_ok() { usize::MAX } else { LINES };
    let stories = told(seeds(), Broken::Not, |seed, told| {
        let violations = broken_by(told);
        if !violations.is_empty() || lines == usize::MAX {
            println!("{}", failure(&format!("{SEED}={seed}"), told, &violations, lines));
        }
        ((!violations.is_empty()).then_some(seed), told.came_to())
    });
    let mut came_to: BTreeMap<String, u64> = BTreeMap::new();
    for (what, count) in stories.iter().flat_map(|(_, came_to)| came_to) {
        *came_to.entry(what.clone()).or_default() += count;
    }
    println!("{} stories: {came_to:?}", stories.len());
    // Who sees nothing finds nothing.
    for what in SEEN.iter().filter(|_| stories.len() as u64 >= SEEDS) {
        assert!(came_to.contains_key(*what), "in no story was there any of this: {what}");
    }
    let failed: Vec<u64> = stories.iter().filter_map(|(failed, _)| *failed).collect();
    assert!(failed.is_empty(), "these seeds break a promise: {failed:?}");
}

/// The same seed is the same story, line by line.
#[test]
fn a_seed_tells_the_same_story_again() {
    let [one, other] = [(); 2].map(|()| told(0..20, Broken::Not, |_, told| told.story.clone()));
    for (seed, (one, other)) in one.iter().zip(&other).enumerate() {
        let differs = one.iter().zip(other).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one.len(), other.len(), "seed {seed}");
    }
}

/// A little story, with a crash at each of its steps in turn.
#[test]
fn it_may_die_anywhere() {
    let mut crashes = 0;
    for step in 0.. {
        let told = tell(ground(), Script::with_crash_at(step));
        let violations = broken_by(&told);
        assert!(violations.is_empty(), "{}", failure(&format!("died at step {step}"), &told, &violations, LINES));
        if told.crashes == 0 {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 60, "only {crashes} places to die at");
}

/// Tells stories over a store that is broken, until one of the first hundred is seen to break a promise.
fn is_caught(broken: Broken, promise: &str) {
    let seen = (0..100).find_map(|seed| {
        let violations = broken_by(&tell(ground(), Script::of(seed, broken)));
        (!violations.is_empty()).then_some((seed, violations))
    });
    let Some((seed, violations)) = seen else { panic!("nobody saw {broken:?}") };
    let promises: Vec<&str> = violations.iter().map(|violation| violation.promise).collect();
    assert!(promises.contains(&promise), "seed {seed} of {broken:?} breaks {promises:?}");
}

#[test]
fn a_settlement_without_its_lease_is_seen() {
    is_caught(Broken::Settles, LEASE);
}

#[test]
fn an_effect_without_its_lease_is_seen() {
    is_caught(Broken::Checkpoints, LEASE);
}

#[test]
fn an_answer_before_the_disk_is_seen() {
    is_caught(Broken::AnswersEarly, STORED);
}
