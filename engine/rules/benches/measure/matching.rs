//! Reading and matching an event beside a bare parse of the same bytes; and whether what is matched is right.

use std::hint::black_box;
use std::time::{Duration, Instant};

use zelo_core::Event;

use super::zelo::{self, Matched, Zelo};
use crate::workload::{Events, Workload};

/// No round lasts longer than about this for one side: where matching is slow, a round takes only some of the events.
const ROUND_MAX: Duration = Duration::from_secs(2);

/// Of slow sets fewer rounds say as much.
const ROUNDS: usize = 21;
const ROUNDS_SLOW: usize = 5;
const SLOW: Duration = Duration::from_micros(500);

/// What design.md allows from bytes, in bare parses of sonic-rs.
const BUDGETS: [(usize, f64); 3] = [(10, 1.5), (10_000, 2.5), (100_000, 4.0)];

/// Prints a line for each size.
pub(crate) fn measure(workload: &Workload, sizes: &[usize]) {
    println!("\nmatching: µs an event, medians of rounds in which the sides take turns; the ratio is that of each round, its median");
    println!(
        "{:>8} {:>9} {:>9} {:>10} {:>11} {:>9} {:>8} {:>7} {:>8} {:>7}",
        "rules", "build ms", "sonic-rs", "serde_json", "zelo, bytes", "its tree", "ratio", "budget", "matches", "events"
    );
    for &count in sizes {
        size(workload, count);
    }
}

fn size(workload: &Workload, count: usize) {
    let rules = workload.rules(count);
    let matches = rules.mean_matches();
    let (zelo, took) = Zelo::build(&zelo::files(rules.files));
    let trees = zelo.read(&workload.events.texts);
    check(&zelo, &workload.events, &trees, &rules.expected);
    let sides = rounds(&zelo, &workload.events, &trees);
    let median = |of: fn(&Round) -> f64| median(sides.rounds.iter().map(of).collect());
    let budget = BUDGETS.iter().find(|(rules, _)| *rules == count).map_or("-".to_owned(), |(_, budget)| format!("{budget}x"));
    println!(
        "{count:>8} {:>9.1} {:>9.2} {:>10.2} {:>11.2} {:>9.2} {:>7.1}x {budget:>7} {matches:>8.2} {:>7}",
        (took.load + took.join).as_secs_f64() * 1e3,
        median(|round| round.sonic),
        median(|round| round.serde),
        median(|round| round.bytes),
        median(|round| round.tree),
        median(|round| round.bytes / round.sonic),
        sides.events
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
            right(&zelo.from_bytes(events.texts[at].as_bytes()), "its bytes");
            right(&zelo.from_tree(&trees[at]), "its tree");
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|first| _ = scope.spawn(move || part(first))));
}

struct Rounds {
    rounds: Vec<Round>,
    /// How many events a round takes.
    events: usize,
}

/// The cost of each side, in µs an event.
struct Round {
    sonic: f64,
    serde: f64,
    bytes: f64,
    tree: f64,
}

fn rounds(zelo: &Zelo, events: &Events, trees: &[Event]) -> Rounds {
    let begun = Instant::now();
    let probed = events.texts.iter().zip(1..).find(|(text, _)| {
        black_box(zelo.from_bytes(text.as_bytes()));
        begun.elapsed() > ROUND_MAX / 4
    });
    let each = begun.elapsed() / probed.map_or(events.len() as u32, |(_, number)| number);
    // Not every fifth: one in five escapes what is not ASCII.
    let step = [1, 3, 7, 31, 101, 331].into_iter().find(|step| each * (events.len() / step) as u32 <= ROUND_MAX).unwrap_or(997);
    let taken: Vec<(&[u8], &Event)> = events.texts.iter().map(String::as_bytes).zip(trees).step_by(step).collect();
    let count = if each > SLOW { ROUNDS_SLOW } else { ROUNDS };
    let round = |_| Round {
        sonic: timed(&taken, |(body, _)| _ = black_box(sonic_rs::from_slice::<sonic_rs::Value>(body).expect("JSON"))),
        serde: timed(&taken, |(body, _)| _ = black_box(serde_json::from_slice::<serde_json::Value>(body).expect("JSON"))),
        bytes: timed(&taken, |(body, _)| _ = black_box(zelo.from_bytes(body))),
        tree: timed(&taken, |(_, event)| _ = black_box(zelo.from_tree(event))),
    };
    Rounds { rounds: (0..count).map(round).collect(), events: taken.len() }
}

/// µs for each of `things`.
fn timed<T: Copy>(things: &[T], mut each: impl FnMut(T)) -> f64 {
    let begun = Instant::now();
    things.iter().for_each(|thing| each(*thing));
    begun.elapsed().as_secs_f64() * 1e6 / things.len() as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
