//! Reading and matching an event beside a bare parse of the same bytes; and whether what is matched is right.
//!
//! The sides take turns on blocks of events, each going first as often as the others. Of each block and side the median over
//! all rounds counts: an interruption by somebody else falls into few of them, so that a busy machine disturbs little. serde_json comes
//! by itself: the thousands of small pieces that a tree of it leaves behind would be felt by whoever comes next.

use std::hint::black_box;
use std::time::{Duration, Instant};

use zelo_core::Event;

use super::zelo::{self, Matched, Zelo};
use crate::workload::{Events, Workload};

/// So many events are a block.
const BLOCK: usize = 200;

/// A round takes at most about this long: where matching is slow, it has only some of the events.
const ROUND_MAX: Duration = Duration::from_secs(2);

/// Of slow sets fewer rounds say as much.
const ROUNDS: usize = 20;
const ROUNDS_SLOW: usize = 4;
const SLOW: Duration = Duration::from_micros(500);

/// What design.md allows from bytes, in bare parses of sonic-rs.
const BUDGETS: [(usize, f64); 3] = [(10, 1.5), (10_000, 2.5), (100_000, 4.0)];

/// Prints a line for each size.
pub(crate) fn measure(workload: &Workload, sizes: &[usize]) {
    println!("\nmatching: µs an event, from its bytes (sonic-rs and serde_json: parsed into a tree, and nothing else) and from its tree");
    println!(
        "{:>8} {:>9} {:>9} {:>10} {:>11} {:>10} {:>8} {:>7} {:>8} {:>7}",
        "rules", "build ms", "sonic-rs", "serde_json", "zelo, bytes", "zelo, tree", "ratio", "budget", "matches", "events"
    );
    for &count in sizes {
        size(workload, count);
    }
}

fn size(workload: &Workload, count: usize) {
    let rules = workload.rules(count);
    let matches = rules.mean_matches();
    let (zelo, took) = Zelo::build(&zelo::files(rules.files));
    let build = (took.load + took.join).as_secs_f64() * 1e3;
    let trees = zelo.read(&workload.events.texts);
    check(&zelo, &workload.events, &trees, &rules.expected);
    let each = probe(&zelo, &workload.events);
    let taken = taken(&workload.events, &trees, each);
    let rounds = if each > SLOW { ROUNDS_SLOW } else { ROUNDS };
    let [sonic, bytes, tree] = costs(
        &taken,
        rounds,
        [
            &|(body, _)| _ = black_box(sonic_rs::from_slice::<sonic_rs::Value>(body).expect("JSON")),
            &|(body, _)| _ = black_box(zelo::from_bytes(&zelo, body)),
            &|(_, event)| _ = black_box(zelo::from_tree(&zelo, event)),
        ],
    );
    let [serde] = costs(&taken, rounds, [&|(body, _)| _ = black_box(serde_json::from_slice::<serde_json::Value>(body).expect("JSON"))]);
    let budget = BUDGETS.iter().find(|(rules, _)| *rules == count).map_or("-".to_owned(), |(_, budget)| format!("{budget}x"));
    println!(
        "{count:>8} {build:>9.1} {sonic:>9.2} {serde:>10.2} {bytes:>11.2} {tree:>10.2} {:>7.1}x {budget:>7} {matches:>8.2} {:>7}",
        bytes / sonic,
        taken.len()
    );
}

/// Stops where an event does not match what it should, from bytes or from its tree.
fn check(zelo: &Zelo, events: &Events, trees: &[Event], expected: &[Vec<usize>]) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let part = |first: usize| {
        for at in (first..events.len()).step_by(threads) {
            let right = |matched: &Matched, from: &str| {
                let (numbers, expected) = (zelo::numbers(matched), &expected[at]);
                assert!(numbers == *expected, "event {at} matches rules {numbers:?} from {from}, and should match {expected:?}");
            };
            right(&zelo::from_bytes(zelo, events.texts[at].as_bytes()), "its bytes");
            right(&zelo::from_tree(zelo, &trees[at]), "its tree");
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|first| _ = scope.spawn(move || part(first))));
}

/// About how long matching an event takes.
fn probe(zelo: &Zelo, events: &Events) -> Duration {
    let begun = Instant::now();
    let probed = events.texts.iter().zip(1..).find(|(text, _)| {
        black_box(zelo::from_bytes(zelo, text.as_bytes()));
        begun.elapsed() > ROUND_MAX / 4
    });
    begun.elapsed() / probed.map_or(events.len() as u32, |(_, number)| number)
}

/// An event, in both shapes.
type Taken<'e> = (&'e [u8], &'e Event);

/// The events of a round, where each takes so long: all of them, or some from all over.
fn taken<'e>(events: &'e Events, trees: &'e [Event], each: Duration) -> Vec<Taken<'e>> {
    // None is a multiple of five: one sender in five escapes what is not ASCII.
    let step = [1, 3, 7, 31, 101].into_iter().find(|step| each * (events.len() / step) as u32 <= ROUND_MAX).unwrap_or(331);
    events.texts.iter().map(String::as_bytes).zip(trees).step_by(step).collect()
}

/// What each side takes for an event, in µs.
fn costs<const SIDES: usize>(taken: &[Taken<'_>], rounds: usize, sides: [&dyn Fn(&Taken<'_>); SIDES]) -> [f64; SIDES] {
    let mut sums = [0.0; SIDES];
    let mut seen = vec![[const { Vec::new() }; SIDES]; taken.len().div_ceil(BLOCK)];
    for round in 0..rounds {
        for (block, seen) in taken.chunks(BLOCK).zip(&mut seen) {
            for side in (0..SIDES).map(|side| (side + round) % SIDES) {
                let begun = Instant::now();
                block.iter().for_each(sides[side]);
                seen[side].push(begun.elapsed());
            }
        }
    }
    for block in seen {
        for (sum, mut seen) in sums.iter_mut().zip(block) {
            seen.sort();
            *sum += seen[seen.len() / 2].as_secs_f64() * 1e6;
        }
    }
    sums.map(|sum| sum / taken.len() as f64)
}
