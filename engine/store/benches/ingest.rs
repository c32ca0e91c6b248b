//! What storing an arrival costs beside a bare group commit of the same bytes.
//!
//! Both sides get the same bodies from the same number of callers in flight, in files in the same folder, in
//! alternating rounds of one run, so that a busy disk or a warm cache is shared fairly. The bare side is what is left
//! when zelo is taken away: one task, one sqlx connection with the same pragmas, batches of the same size, multi-row
//! inserts of `(id, body)`, one `COMMIT` per batch, the callers answered after it. The other side is
//! [`Store::record`] with everything on: identity, entity order, subject keys, sealing; on `jobs`, each arrival also
//! fires a rule with a key that reads a record, and every eighth updates one.
//!
//! `cargo bench -p zelo-store` prints arrivals a second of each round and the ratio of the medians. `INGEST_EVENTS`
//! (arrivals a round), `INGEST_ROUNDS` and `INGEST_DIR` (a folder on the disk to measure) change the run.

#![allow(clippy::unwrap_used, reason = "a benchmark fails where it unwraps")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zelo_core::{Arrival, SeededEntropy};
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{MasterKey, Store};

/// As in the program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[path = "bare/mod.rs"]
mod bare;
#[path = "work/mod.rs"]
mod work;

use bare::{BATCH, Bare};
use work::{BODY, IN_FLIGHT, arrival, body, median, run};

fn main() {
    let setting = |name: &str, default: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (events, rounds) = (setting("INGEST_EVENTS", 20_000), setting("INGEST_ROUNDS", 5));
    let folder = std::env::var("INGEST_DIR").map_or_else(|_| tempfile::tempdir(), tempfile::tempdir_in).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let bare = Bare::open(&folder.path().join("bare.db")).await;
        let plain = open(&folder.path().join("plain.db")).await;
        let jobs = open(&folder.path().join("jobs.db")).await;
        let mut rates: [Vec<f64>; 3] = Default::default();
        println!("{IN_FLIGHT} in flight, bodies of {BODY} bytes, {events} arrivals a round");
        println!(
            "{:>5} {:>12} {:>12} {:>12} {:>14} {:>12} {:>12}",
            "round", "bare/s", "record/s", "with jobs/s", "bytes: bare", "record", "with jobs"
        );
        for round in 0..=rounds {
            let first = (round * events) as u64;
            let numbers = first..first + events as u64;
            let bodies: Vec<(u64, Arc<[u8]>)> = numbers.clone().map(|number| (number, body(number))).collect();
            let (begun, before) = (Instant::now(), written());
            run(bodies, |(number, body)| {
                let bare = bare.clone();
                async move { bare.put(number, body).await }
            })
            .await;
            let mut took = vec![begun.elapsed()];
            let mut wrote = vec![written() - before];
            for (store, fires) in [(&plain, false), (&jobs, true)] {
                let arrivals: Vec<Arrival> = numbers.clone().map(|number| arrival(store.indexer(), number, fires)).collect();
                let (begun, before) = (Instant::now(), written());
                run(arrivals, |arrival| {
                    let store = store.clone();
                    async move { drop(store.record(arrival).await.unwrap()) }
                })
                .await;
                took.push(begun.elapsed());
                wrote.push(written() - before);
            }
            let rate = |took: &Duration| events as f64 / took.as_secs_f64();
            // Round 0 warms up: files are made, statements prepared, keys of patients drawn.
            if round > 0 {
                let each = |wrote: &u64| *wrote as f64 / events as f64;
                println!(
                    "{round:>5} {:>12.0} {:>12.0} {:>12.0} {:>14.0} {:>12.0} {:>12.0}",
                    rate(&took[0]),
                    rate(&took[1]),
                    rate(&took[2]),
                    each(&wrote[0]),
                    each(&wrote[1]),
                    each(&wrote[2])
                );
                rates.iter_mut().zip(&took).for_each(|(rates, took)| rates.push(rate(took)));
            }
        }
        let [bare, plain, jobs] = rates.map(median);
        println!(
            "median: bare {bare:.0}/s, record {plain:.0}/s ({:.0} %), with jobs {jobs:.0}/s ({:.0} %)",
            plain / bare * 100.0,
            jobs / bare * 100.0
        );
    });
}

/// The bytes that this process has given the system to write, logs and copies of them into the files alike.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")).and_then(|bytes| bytes.parse().ok()).unwrap()
}

async fn open(path: &Path) -> Arc<SqliteStore> {
    let config = SqliteConfig { path: Some(path.to_owned()), batch: BATCH, ..SqliteConfig::default() };
    SqliteStore::open(config, MasterKey::from_bytes([7; 32]), Arc::new(SeededEntropy::new(7))).await.unwrap()
}
