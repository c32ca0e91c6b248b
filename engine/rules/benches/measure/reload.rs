//! What those who match feel while a new rule set is built aside and swapped in.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use zelo_rules::Files;

use super::zelo::{self, Zelo};
use crate::workload::{Events, Workload};

/// So many rules are in force, and built anew.
pub(crate) const RULES: usize = 10_000;

/// So often they are built anew.
const RELOADS: usize = 5;

/// Prints how long a match from bytes took, without and with reloads going on.
pub(crate) fn measure(workload: &Workload) {
    let files = zelo::files(workload.rules(RULES).files);
    let in_force = ArcSwap::from_pointee(Zelo::build(&files).0);
    println!("\nreload: µs of a match from bytes, {RULES} rules in force, while another thread builds them anew and swaps them in");
    println!(
        "{:>18} {:>8} {:>8} {:>8} {:>8} {:>10} {:>10} {:>14}",
        "", "median", "99 %", "99.9 %", "99.99 %", "worst", "matches", "a rebuild, ms"
    );
    let (busy, took) = busy(&in_force, &files, &workload.events);
    let quiet = latencies(&in_force, &workload.events, |begun| begun.elapsed() < took);
    line("nothing going on", quiet, "-");
    line("reloads", busy, &format!("{:.0}", took.as_secs_f64() * 1e3 / RELOADS as f64));
}

/// The latencies while the rules are built anew, and how long that took.
fn busy(in_force: &ArcSwap<Zelo>, files: &Files, events: &Events) -> (Vec<f64>, Duration) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let building = scope.spawn(|| {
            let begun = Instant::now();
            for _ in 0..RELOADS {
                let old = in_force.swap(Zelo::build(files).0.into());
                // As the runtime does it: who matches is not who clears up.
                while Arc::strong_count(&old) > 1 {
                    std::thread::yield_now();
                }
            }
            done.store(true, Ordering::Release);
            begun.elapsed()
        });
        let latencies = latencies(in_force, events, |_| !done.load(Ordering::Acquire));
        (latencies, building.join().expect("building does not panic"))
    })
}

/// Matches the events again and again while `goes_on`: µs of each, always with the set that is in force then.
fn latencies(in_force: &ArcSwap<Zelo>, events: &Events, goes_on: impl Fn(Instant) -> bool) -> Vec<f64> {
    let begun = Instant::now();
    let latency = |body: &String| {
        let begun = Instant::now();
        black_box(zelo::from_bytes(&in_force.load(), body.as_bytes()));
        begun.elapsed().as_secs_f64() * 1e6
    };
    events.texts.iter().cycle().take_while(|_| goes_on(begun)).map(latency).collect()
}

fn line(what: &str, mut latencies: Vec<f64>, rebuild: &str) {
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    let [median, most, nearly, almost, worst] = [0.5, 0.99, 0.999, 0.9999, 1.0].map(at);
    let count = latencies.len();
    println!("{what:>18} {median:>8.1} {most:>8.1} {nearly:>8.1} {almost:>8.1} {worst:>10.1} {count:>10} {rebuild:>14}");
}
