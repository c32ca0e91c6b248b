//! Deliveries at their own pace, with two rules on: from each a job at once and one for later. First at half of what zelo gets done, then at
//! five times what it can take, and what becomes of it.

use std::path::Path;
use std::time::Duration;

use crate::Size;
use crate::drive::{End, Phase, Rest, Round, Sample, closed, open};
use crate::jobs::until_done;
use crate::measure::{MemoryWatch, Rows, now_ms, quantile};
use crate::report::{Report, ms, number};
use crate::servers::{House, Server};
use crate::workload::{Deliveries, Standing};

/// More than zelo has requests in work at once, so that it has to say no.
const CONNECTIONS: usize = 2048;
const OVERLOAD: f64 = 5.0;
/// Before and after the overload.
const BEFORE: Duration = Duration::from_secs(3);
const AFTER: Duration = Duration::from_secs(5);
/// What is looked at together to say that answers are as before.
const SLOT: Duration = Duration::from_millis(200);
const RECOVERED_WITHIN_S: f64 = 1.0;
/// Until all jobs of an open loop are done.
const DONE_WITHIN: Duration = Duration::from_secs(300);
const AT_ONCE_LEFT: &str = "SELECT count(*) FROM jobs WHERE rule = 'tell'";

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Latency,
    All,
}

pub(crate) fn measure(folder: &Path, size: Size, part: Part, report: &mut Report) -> Result<(), String> {
    let house = House::new(folder, "open", ["tell", "appointment-reminder"]);
    let server = house.serve();
    let mut rows = Rows::of(&house.database());
    let mut deliveries = Deliveries::new();
    // Keys of patients are drawn, and what it can take is known.
    closed(server.port, deliveries.some(size.events / 2, Standing::Scheduled), 256).all_accepted("warming up")?;
    until_done(&mut rows, AT_ONCE_LEFT, DONE_WITHIN)?;
    let (some, last, begun) = (deliveries.some(size.events, Standing::Scheduled), rows.last_job(), now_ms());
    let most = closed(server.port, some, 256).all_accepted("two rules on")?.per_second();
    until_done(&mut rows, AT_ONCE_LEFT, DONE_WITHIN)?;
    let ended = rows.done_after(last).iter().map(|(_, ended)| *ended).max().unwrap_or(begun);
    let lasting = size.events as f64 * 1000.0 / (ended - begun).max(1) as f64;
    let mut accepted = size.events / 2 + size.events;
    let ordinary = Phase { rate: lasting / 2.0, lasts: size.lasts, rest: Rest::Sent };
    println!("\ntwo rules on: {most:.0}/s accepted at most, {lasting:.0}/s with their jobs done");
    report.figure("two rules on: accepted at most; with their jobs done", format!("{}/s; {}/s", number(most), number(lasting)));
    println!("open loop: {:.0}/s for {} s", ordinary.rate, size.lasts.as_secs());
    accepted += latency(&server, &mut rows, &mut deliveries, ordinary, report)?;
    if part == Part::All {
        accepted += overload(&server, &mut deliveries, ordinary, most * OVERLOAD, report)?;
        until_done(&mut rows, AT_ONCE_LEFT, DONE_WITHIN)?;
    }
    // Each that was accepted is there once, and what came of it: a message sent, a reminder for later.
    for (what, sql) in [
        ("events", "SELECT count(*) FROM events"),
        ("jobs done", "SELECT count(*) FROM job_history WHERE rule = 'tell' AND state = 'done'"),
        ("messages", "SELECT count(*) FROM messages"),
        ("reminders", "SELECT count(*) FROM jobs WHERE rule = 'appointment-reminder'"),
    ] {
        let found = rows.number(sql);
        if found != accepted as i64 {
            return Err(format!("{accepted} deliveries were accepted, and there are {found} {what}"));
        }
    }
    println!("{accepted} deliveries were accepted in all; each is stored once, its message sent once");
    rows.close();
    Ok(())
}

/// How many were accepted.
fn latency(server: &Server, rows: &mut Rows, deliveries: &mut Deliveries, ordinary: Phase, report: &mut Report) -> Result<usize, String> {
    let number = (ordinary.rate * ordinary.lasts.as_secs_f64()) as usize;
    let some = deliveries.some(number, Standing::Scheduled);
    let last = rows.last_job();
    let round = open(server.port, &[ordinary], some, CONNECTIONS).all_accepted("half of what it can take")?;
    until_done(rows, AT_ONCE_LEFT, DONE_WITHIN)?;
    report.figure(format!("{:.0}/s, from when it was due to its 202", ordinary.rate), quantiles(&mut latencies(&round.samples)));
    let between = |(received, ended): &(i64, i64)| Duration::from_millis((ended - received).max(0) as u64);
    let mut done: Vec<Duration> = rows.done_after(last).iter().map(between).collect();
    if done.len() != number {
        return Err(format!("{number} deliveries were accepted, {} of their jobs are done", done.len()));
    }
    report.figure("  from received to its job done", quantiles(&mut done));
    Ok(number)
}

fn latencies(samples: &[Sample]) -> Vec<Duration> {
    samples.iter().map(|sample| sample.answered - sample.due).collect()
}

fn quantiles(times: &mut [Duration]) -> String {
    let [half, most, all] = [0.5, 0.99, 1.0].map(|share| ms(quantile(times, share)));
    format!("p50 {half}, p99 {most}, max {all}")
}

/// How many were accepted.
fn overload(server: &Server, deliveries: &mut Deliveries, usual: Phase, rate: f64, report: &mut Report) -> Result<usize, String> {
    let lasts = usual.lasts;
    let phases = [Phase { lasts: BEFORE, ..usual }, Phase { rate, lasts, rest: Rest::GivenUp }, Phase { lasts: AFTER, ..usual }];
    // Twice as many as it takes at most; who is refused comes again.
    let enough = rate / OVERLOAD * 2.0 * lasts.as_secs_f64() + usual.rate * (BEFORE + AFTER).as_secs_f64();
    let some = deliveries.some(enough as usize, Standing::Scheduled);
    println!("overload: {rate:.0}/s for {} s", lasts.as_secs());
    let watch = MemoryWatch::begin(server.pid());
    let round = open(server.port, &phases, some, CONNECTIONS);
    let memory = watch.end();
    let (begins, ends) = (BEFORE, BEFORE + lasts);
    let during: Vec<Sample> = round.samples.iter().filter(|sample| sample.due >= begins && sample.due < ends).copied().collect();
    let count = |wanted: End| during.iter().filter(|sample| sample.end == wanted).count();
    let (accepted, busy, unsent) = (count(End::Accepted), count(End::Busy), count(End::Unsent));
    let others = during.len() - accepted - busy - unsent;
    if others > 0 {
        let one = during.iter().find(|sample| !matches!(sample.end, End::Accepted | End::Busy | End::Unsent));
        return Err(format!("overload: {others} deliveries were answered with neither 202 nor 503 and Retry-After: {one:?}"));
    }
    let a_second = |count: usize| number(count as f64 / lasts.as_secs_f64());
    report.figure("overload: due, sent", format!("{}/s, {}/s", a_second(during.len()), a_second(accepted + busy)));
    report.figure("overload: 202", format!("{}/s", a_second(accepted)));
    report.figure("overload: 503, each with Retry-After", format!("{}/s", a_second(busy)));
    report.figure("overload: no connection free in time", format!("{}/s", a_second(unsent)));
    let highest = |from: Duration, to: Duration| {
        memory.iter().filter(|(at, _)| *at >= from && *at < to).map(|(_, memory)| *memory).fold(0.0, f64::max)
    };
    let (before, most, after) = (highest(Duration::ZERO, begins), highest(begins, ends), memory.last().map_or(0.0, |last| last.1));
    report.figure("overload: memory before, at most, after", format!("{}, {}, {} MiB", number(before), number(most), number(after)));
    let slow = during.iter().filter(|sample| sample.end == End::Accepted).map(|sample| sample.answered - sample.sent).collect::<Vec<_>>();
    report.figure("overload: from sent to 202", quantiles(&mut { slow }));
    match recovered(&round, begins, ends) {
        Some(after) => report.at_most("overload: answers as before, after", after.as_secs_f64(), RECOVERED_WITHIN_S, " s"),
        None => report.at_most("overload: answers as before, after", f64::INFINITY, RECOVERED_WITHIN_S, " s"),
    }
    let ordinary: Vec<&Sample> = round.samples.iter().filter(|sample| sample.due < begins).collect();
    if let Some(sample) = ordinary.iter().find(|sample| sample.end != End::Accepted) {
        return Err(format!("before the overload, a delivery ended as {:?}", sample.end));
    }
    if let Some(sample) = round.samples.iter().find(|sample| matches!(sample.end, End::Other(_) | End::Broken)) {
        return Err(format!("after the overload, a delivery ended as {:?}", sample.end));
    }
    Ok(round.count(End::Accepted))
}

/// How long after the overload, which ends at `ends`, two slots follow each other whose deliveries are accepted within twice the 99th percentile
/// of those before it.
fn recovered(round: &Round, begins: Duration, ends: Duration) -> Option<Duration> {
    let between = |from: Duration, to: Duration| -> Vec<Sample> {
        round.samples.iter().filter(|sample| sample.due >= from && sample.due < to).copied().collect()
    };
    let usual = quantile(&mut latencies(&between(Duration::ZERO, begins)), 0.99);
    let slots = (AFTER.as_millis() / SLOT.as_millis()) as u32;
    // Of each slot; none: somebody was refused.
    let seen: Vec<Option<Duration>> = (0..slots)
        .map(|slot| between(ends + SLOT * slot, ends + SLOT * (slot + 1)))
        .map(|samples| samples.iter().all(|sample| sample.end == End::Accepted).then(|| quantile(&mut latencies(&samples), 0.99)))
        .collect();
    let text: Vec<String> = seen.iter().map(|slot| slot.map_or("refused".to_owned(), |time| time.as_millis().to_string())).collect();
    println!("p99 before: {}; after, each {} ms: {} ms", ms(usual), SLOT.as_millis(), text.join(" "));
    let as_before = |slot: &Option<Duration>| slot.is_some_and(|time| time <= usual * 2);
    seen.windows(2).position(|two| two.iter().all(as_before)).map(|slot| SLOT * (slot as u32 + 1))
}
