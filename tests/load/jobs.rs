//! Jobs done a second: everything is halted while they gather, and then let go.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::Size;
use crate::drive::closed;
use crate::measure::{Rows, Used, median};
use crate::report::{Report, number};
use crate::servers::{House, Server};
use crate::workload::{Deliveries, Standing};

/// Design §9.
const DONE_A_SECOND: f64 = 5_000.0;
/// Fewer than this many a second, and the run is given up.
const LEAST_A_SECOND: usize = 50;

/// A kind of job.
struct Side {
    name: &'static str,
    house: House,
    server: Server,
    rates: Vec<f64>,
    given: Vec<f64>,
    computing_us: Vec<f64>,
}

impl Side {
    fn new(folder: &Path, name: &'static str, rule: &str) -> Self {
        let house = House::new(folder, rule, [rule]);
        let server = house.serve();
        Self { name, house, server, rates: Vec::new(), given: Vec::new(), computing_us: Vec::new() }
    }

    /// One round: how many jobs were done a second, and what was used up meanwhile.
    fn round(&self, deliveries: &mut Deliveries, number: usize) -> Result<(f64, Used), String> {
        let mut rows = Rows::of(&self.house.database());
        let last = rows.last_job();
        self.house.zelo(&["halt", "all"]);
        closed(self.server.port, deliveries.some(number, Standing::Scheduled), 256).all_accepted(self.name)?;
        let before = Used::by(self.server.pid());
        self.house.zelo(&["resume", "all"]);
        until_done(&mut rows, "SELECT count(*) FROM jobs", Duration::from_secs((number / LEAST_A_SECOND) as u64 + 10))?;
        // Not from the command that lets them go: half of a second's jobs would be its own start.
        let (begun, done) = (rows.begun_after(last), rows.done_after(last));
        let used = Used::by(self.server.pid()).since(before);
        rows.close();
        if done.len() != number {
            return Err(format!("{}: {number} jobs were made, {} are done", self.name, done.len()));
        }
        let ended = done.iter().map(|(_, ended)| *ended).max().unwrap_or_default();
        Ok((number as f64 * 1000.0 / (ended - begun).max(1) as f64, used))
    }
}

/// Waits until a count of rows is zero.
pub(crate) fn until_done(rows: &mut Rows, sql: &'static str, within: Duration) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        match rows.number(sql) {
            0 => return Ok(()),
            left if begun.elapsed() > within => return Err(format!("{left} jobs are not done after {} s", within.as_secs())),
            _ => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

pub(crate) fn measure(folder: &Path, size: Size, report: &mut Report) -> Result<(), String> {
    let mut sides = [Side::new(folder, "a message each", "tell"), Side::new(folder, "a record each", "contact-board")];
    println!("\n{} jobs a round, done a second", size.events);
    println!("{:>5} {}", "round", sides.iter().map(|side| format!("{:>20}", side.name)).collect::<String>());
    let mut deliveries = Deliveries::new();
    for round in 0..=size.rounds {
        let mut line = format!("{round:>5} ");
        for side in &mut sides {
            let (rate, used) = side.round(&mut deliveries, size.events)?;
            line += &format!("{rate:>20.0}");
            if round > 0 {
                side.rates.push(rate);
                side.given.push(used.given as f64 / size.events as f64);
                side.computing_us.push(used.computing_us as f64 / size.events as f64);
            }
        }
        println!("{line}");
    }
    for Side { name, rates, given, computing_us, .. } in sides {
        report.at_least(format!("jobs done, {name}"), median(rates), DONE_A_SECOND, "/s");
        let (given, computing_us) = (number(median(given)), number(median(computing_us)));
        report.figure("  each: computing, written", format!("{computing_us} µs, {given} B"));
    }
    Ok(())
}
