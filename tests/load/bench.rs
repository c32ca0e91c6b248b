//! Drives the real `zelo` under load, over HTTP, beside servers that do less: `cargo bench --bench load`.
//!
//! All of a comparison is of one run, in alternating rounds: the same axum with nothing behind it, the same with a bare group commit of the
//! same bytes, and zelo, with sealing and audit on. A missed budget is told and fails nothing; what was refused where it should not be, lost or done
//! twice fails the run. It talks to this machine alone, and leaves neither a process nor a folder behind.
//!
//! `LOAD_ONLY=ingest,jobs,latency,overload,start,pages` names the parts; `LOAD_EVENTS` (of a round), `LOAD_ROUNDS` (of `ingest` three times as
//! many), `LOAD_SECONDS` (of an open loop), `LOAD_STORED` and `LOAD_RULES` (behind the pages) and `LOAD_DIR` (a folder on the disk to measure)
//! change the run. What is printed besides the figures goes to standard error.

#![allow(clippy::unwrap_used, reason = "a benchmark fails where it unwraps")]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

#[path = "../../engine/store/benches/bare/mod.rs"]
mod bare;
mod client;
mod compared;
mod drive;
mod ingest;
mod jobs;
mod measure;
mod open;
mod pages;
mod report;
mod servers;
mod start;
mod workload;

use report::Report;

/// zelo has it, so those beside it have it too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How much is measured.
#[derive(Clone, Copy)]
struct Size {
    /// Deliveries of a round.
    events: usize,
    /// Rounds that count; one more warms up.
    rounds: usize,
    /// How long an open loop goes on.
    lasts: Duration,
    /// Events and rules behind the pages.
    stored: usize,
    rules: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["answer"] => compared::serve(None),
        ["commit", file] => compared::serve(Some(Path::new(file))),
        // What cargo adds says nothing here.
        _ => {
            if let Err(why) = run() {
                eprintln!("FAILED: {why}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn run() -> Result<(), String> {
    let setting = |name: &str, default: usize| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default).max(1);
    let size = Size {
        events: setting("LOAD_EVENTS", 8_000),
        rounds: setting("LOAD_ROUNDS", 3),
        lasts: Duration::from_secs(setting("LOAD_SECONDS", 8) as u64),
        stored: setting("LOAD_STORED", 100_000),
        rules: setting("LOAD_RULES", 10_000),
    };
    let only = std::env::var("LOAD_ONLY").unwrap_or_else(|_| "ingest,jobs,latency,overload,start,pages".to_owned());
    let wanted = |part: &str| only.split(',').any(|name| name == part);
    let folder = std::env::var("LOAD_DIR").map_or_else(|_| tempfile::tempdir(), tempfile::tempdir_in).unwrap();
    let mut report = Report::default();
    if wanted("ingest") {
        ingest::measure(folder.path(), size, &mut report)?;
    }
    if wanted("jobs") {
        jobs::measure(folder.path(), size, &mut report)?;
    }
    if wanted("latency") || wanted("overload") {
        let part = if wanted("overload") { open::Part::All } else { open::Part::Latency };
        open::measure(folder.path(), size, part, &mut report)?;
    }
    if wanted("start") {
        start::measure(folder.path(), size, &mut report)?;
    }
    if wanted("pages") {
        pages::measure(folder.path(), size, &mut report)?;
    }
    report.print();
    Ok(())
}
