//! The matching budget (design.md §9), both sides in one run: reading and matching an event from its bytes, beside what merely
//! parsing the same bytes takes. Before anything is timed, every event must match exactly what a reference evaluator says.
//!
//! `cargo bench --bench matching` runs all parts with all sizes; `cargo bench --bench matching -- matching 10 1000` only what is
//! named. Parts are `matching`, `building` (time and memory, from files to rules in force) and `reload` (what those who match
//! feel while 10,000 rules are built anew). Ratios of one run compare; absolute figures are those of the machine.
//!
//! [`workload`] says what is matched. `ZELO_BENCH_WORKLOAD` names a folder to read it from instead.

mod measure;
mod workload;

use measure::{building, matching, reload};
use workload::Workload;

/// That of the binary.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
const PARTS: [&str; 3] = ["matching", "building", "reload"];

fn main() {
    let mut sizes = Vec::new();
    let mut parts = Vec::new();
    // What begins with a dash is cargo's.
    for word in std::env::args().skip(1).filter(|word| !word.starts_with('-')) {
        match word.parse::<usize>() {
            _ if word == building::ALONE => return building::alone(),
            Ok(size) if size > 0 => sizes.push(size),
            _ if PARTS.contains(&word.as_str()) => parts.push(word),
            _ => panic!("`{word}` is neither a number of rules nor one of {PARTS:?}"),
        }
    }
    if sizes.is_empty() {
        sizes = SIZES.to_vec();
    }
    let wants = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let workload = Workload::new();
    println!("{} events of {} bytes in the mean, {}", workload.events.len(), workload.events.mean_bytes(), workload.origin());
    if wants("matching") {
        matching::measure(&workload, &sizes);
    }
    if wants("building") {
        building::measure(&workload, &sizes);
    }
    if wants("reload") && (sizes.contains(&reload::RULES) || parts.iter().any(|part| part == "reload")) {
        reload::measure(&workload);
    }
}
