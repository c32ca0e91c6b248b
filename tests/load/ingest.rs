//! Deliveries accepted a second, with as many in flight as the budget says: axum alone, axum and a bare group commit, zelo.

use std::path::Path;

use crate::Size;
use crate::drive::{End, closed};
use crate::measure::{Rows, Used, median, memory, memory_max};
use crate::report::{Report, number};
use crate::servers::{House, Server};
use crate::workload::{BODY, Deliveries, Standing};

/// Design §9.
const IN_FLIGHT: usize = 256;
const RATIO: f64 = 0.7;
/// For each round of other parts.
const ROUNDS: usize = 3;

/// One of the servers, and what was found of it.
struct Side {
    name: &'static str,
    server: Server,
    standing: Standing,
    rates: Vec<f64>,
    given: Vec<f64>,
    to_disk: Vec<f64>,
    computing_us: Vec<f64>,
}

impl Side {
    fn new(name: &'static str, server: Server, standing: Standing) -> Self {
        Self { name, server, standing, rates: Vec::new(), given: Vec::new(), to_disk: Vec::new(), computing_us: Vec::new() }
    }
}

pub(crate) fn measure(folder: &Path, size: Size, report: &mut Report) -> Result<(), String> {
    let (quiet, firing) = (House::new(folder, "quiet", ["tell"]), House::new(folder, "firing", ["appointment-reminder"]));
    let mut sides = [
        Side::new("axum alone", Server::axum(), Standing::Scheduled),
        Side::new("axum, bare commit", Server::bare(folder), Standing::Scheduled),
        Side::new("zelo, no rule fires", quiet.serve(), Standing::Done),
        Side::new("zelo, a rule fires", firing.serve(), Standing::Scheduled),
    ];
    println!("{IN_FLIGHT} in flight, bodies of {BODY} bytes, {} deliveries a round; accepted a second", size.events);
    println!("{:>5} {}", "round", sides.iter().map(|side| format!("{:>20}", side.name)).collect::<String>());
    let mut deliveries = Deliveries::new();
    // Round 0 warms up: files are made, statements prepared, keys of patients drawn. The others are many, and short: how fast a machine is that
    // others share changes from one second to the next.
    for round in 0..=ROUNDS * size.rounds {
        let mut line = format!("{round:>5} ");
        for side in &mut sides {
            let some = deliveries.some(size.events, side.standing);
            let before = Used::by(side.server.pid());
            let done = closed(side.server.port, some, IN_FLIGHT).all_accepted(side.name)?;
            let used = Used::by(side.server.pid()).since(before);
            line += &format!("{:>20.0}", done.per_second());
            if round > 0 {
                side.rates.push(done.per_second());
                for (all, amount) in
                    [(&mut side.given, used.given), (&mut side.to_disk, used.to_disk), (&mut side.computing_us, used.computing_us)]
                {
                    all.push(amount as f64 / done.count(End::Accepted) as f64);
                }
            }
        }
        println!("{line}");
    }
    let bare = sides[1].rates.clone();
    for side in sides {
        // Of what stood beside it in time.
        let ratio = median(side.rates.iter().zip(&bare).map(|(rate, bare)| rate / bare).collect());
        let rate = median(side.rates);
        let (name, pid) = (side.name, side.server.pid());
        report.figure(format!("{name}: accepted"), format!("{}/s", number(rate)));
        if name.starts_with("zelo") {
            report.at_least(format!("{name}: of the bare commit's rate"), ratio, RATIO, "");
        }
        report.figure(format!("{name}: computing for an event"), format!("{} µs", number(median(side.computing_us))));
        let (given, to_disk) = (number(median(side.given)), number(median(side.to_disk)));
        report.figure(format!("{name}: written for an event"), format!("{given} B, {to_disk} B to disk"));
        report.figure(format!("{name}: memory"), format!("{} MiB, at most {}", number(memory(pid)), number(memory_max(pid))));
    }
    let all = (ROUNDS * size.rounds + 1) as i64 * size.events as i64;
    for (house, scheduled) in [(&quiet, 0), (&firing, all)] {
        let mut rows = Rows::of(&house.database());
        let found = (rows.events(), rows.number("SELECT count(*) FROM jobs"));
        rows.close();
        if found != (all, scheduled) {
            return Err(format!("{all} deliveries were accepted, {scheduled} fired; stored are {} events and {} jobs", found.0, found.1));
        }
    }
    Ok(())
}
