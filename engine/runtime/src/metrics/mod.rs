//! What happened, in numbers: counted as it happens, and told in the text format of OpenMetrics.
//!
//! Labels are names that the operator chose, of connections, rules, plugins and hosts, and words of this program: never a caller's text,
//! an id, or anything of a person. To add a figure, you have to: 1. give it a field here, and a method that says what happened;
//! 2. tell it in `told`; 3. describe it in `docs/observability.md`, which a test compares with what is told.

mod labelled;
mod live;
mod process;
mod told;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use zelo_core::decide::Decision;
use zelo_core::{Distribution, Job, SignedDuration, Spread, Status, Timestamp};
use zelo_host::Run;

use crate::Runtime;
use crate::outbound::Sent;
use labelled::Labelled;

/// Seconds that somebody waits for.
const WAITS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Seconds that a plugin takes, requests and all.
const CALLS: &[f64] = &[0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];
/// Seconds until a job is done, tries and all.
const DONE: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0];

/// The figures of a runtime, since it began.
#[derive(Debug)]
pub struct Metrics {
    began: Timestamp,
    /// By connection and status.
    deliveries: Labelled<2, AtomicU64>,
    /// By connection, where it is one of ours, and reason.
    refused: Labelled<2, AtomicU64>,
    /// By reason.
    turned_away: Labelled<1, AtomicU64>,
    receive: Distribution,
    /// By rule.
    fired: Labelled<1, AtomicU64>,
    /// By rule, plugin, and the state of the job afterwards.
    attempts: Labelled<3, AtomicU64>,
    /// By rule, plugin and state.
    ended: Labelled<3, AtomicU64>,
    done: Distribution,
    /// By plugin and end.
    calls: Labelled<2, Distribution>,
    /// Microseconds of computing, by plugin.
    computing: Labelled<1, AtomicU64>,
    /// By host and outcome.
    outbound: Labelled<2, Distribution>,
    /// By host.
    openings: Labelled<1, AtomicU64>,
    /// By host.
    deferred: Labelled<1, AtomicU64>,
}

impl Metrics {
    /// Nothing has happened yet but that it `began`. What may come through these connections stands at zero.
    pub fn new<'c>(began: Timestamp, connections: impl IntoIterator<Item = &'c str>) -> Self {
        let metrics = Self {
            began,
            deliveries: Labelled::new(["connection", "status"], AtomicU64::default),
            refused: Labelled::new(["connection", "reason"], AtomicU64::default),
            turned_away: Labelled::new(["reason"], AtomicU64::default),
            receive: Distribution::new(WAITS),
            fired: Labelled::new(["rule"], AtomicU64::default),
            attempts: Labelled::new(["rule", "plugin", "state"], AtomicU64::default),
            ended: Labelled::new(["rule", "plugin", "state"], AtomicU64::default),
            done: Distribution::new(DONE),
            calls: Labelled::new(["plugin", "end"], || Distribution::new(CALLS)),
            computing: Labelled::new(["plugin"], AtomicU64::default),
            outbound: Labelled::new(["host", "outcome"], || Distribution::new(CALLS)),
            openings: Labelled::new(["host"], AtomicU64::default),
            deferred: Labelled::new(["host"], AtomicU64::default),
        };
        for connection in connections {
            for status in [Status::Accepted, Status::Duplicate, Status::Stale, Status::Quarantined, Status::Ignored] {
                metrics.deliveries.with([connection, status.as_str()], |_| {});
            }
            // A forged delivery must be a step from zero, which a rate sees.
            metrics.refused.with([connection, "unverified"], |_| {});
        }
        for reason in ["address", "connections", "handshake", "limited"] {
            metrics.turned_away.with([reason], |_| {});
        }
        metrics
    }

    /// A delivery of `connection`, which is one of ours, was acknowledged.
    pub(crate) fn received(&self, connection: &str, status: Status) {
        self.deliveries.with([connection, status.as_str()], one_more);
    }

    /// How many deliveries came to this.
    pub fn deliveries(&self, status: Status) -> u64 {
        self.deliveries.sum(|values| values[1] == status.as_str())
    }

    /// How many deliveries were refused.
    pub fn refusals(&self) -> u64 {
        self.refused.sum(|_| true)
    }

    /// A delivery was refused for `reason`, a word of this program; of `connection`, where that is one of ours.
    pub(crate) fn refused(&self, connection: Option<&str>, reason: &'static str) {
        self.refused.with([connection.unwrap_or_default(), reason], one_more);
    }

    /// Something that is no delivery was turned away for `reason`, a word of this program: a connection, or a request to pages or API.
    pub fn turned_away(&self, reason: &'static str) {
        self.turned_away.with([reason], one_more);
    }

    /// A delivery was answered, whatever with, after this time.
    pub(crate) fn answered(&self, after: Duration) {
        self.receive.observe(after.as_secs_f64());
    }

    /// A run of `plugin` has ended.
    pub(crate) fn called(&self, plugin: &str, run: &Run) {
        self.calls.with([plugin, run.end.kind()], |calls| calls.observe(run.wall.as_secs_f64()));
        let cpu = u64::try_from(run.cpu.as_micros()).unwrap_or(u64::MAX);
        self.computing.with([plugin], |sum| {
            sum.fetch_add(cpu, Ordering::Relaxed);
        });
    }

    /// How long the runs of `plugin` took since the start, by how they ended: seconds.
    pub fn calls_of(&self, plugin: &str) -> Vec<(String, Spread)> {
        let mut found = Vec::new();
        self.calls.every(|[of, end], calls| {
            if of == plugin {
                found.push((end.to_owned(), calls.spread()));
            }
        });
        found
    }

    /// Since when this counts.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// A request that was granted came to something. The host stands in a rule, so it is the operator's.
    pub(crate) fn requested(&self, host: &str, sent: &Sent, took: Duration) {
        self.outbound.with([host, sent.outcome()], |requests| requests.observe(took.as_secs_f64()));
    }

    /// A destination is left alone from now on, for a while.
    pub(crate) fn opened(&self, host: &str) {
        self.openings.with([host], one_more);
    }

    /// A job comes back later, because its destination is left alone.
    pub(crate) fn deferred(&self, host: &str) {
        self.deferred.with([host], one_more);
    }
}

impl Runtime {
    /// Counts an attempt at `job`, which stands as it was settled.
    pub(crate) fn count_attempt(&self, job: &Job) {
        let edition = self.rules.current();
        let plugin = edition.in_force.plugin_of(job).unwrap_or_default();
        self.metrics().attempts.with([&job.rule, plugin, job.state.as_str()], one_more);
    }

    /// Counts what came of an event: the rules that it fired, and the jobs that ended by it.
    pub(crate) fn count_decision(&self, decision: &Decision) {
        for rule in &decision.rules {
            self.metrics().fired.with([rule], one_more);
        }
        self.count_ended(&decision.jobs);
    }

    /// Counts those of `jobs` that have ended. Each is told of once: when it does.
    pub fn count_ended<'j>(&self, jobs: impl IntoIterator<Item = &'j Job>) {
        let mut edition = None;
        for job in jobs.into_iter().filter(|job| !job.state.is_live()) {
            let edition = edition.get_or_insert_with(|| self.rules.current());
            let plugin = edition.in_force.plugin_of(job).unwrap_or_default();
            self.metrics().ended.with([&job.rule, plugin, job.state.as_str()], one_more);
        }
    }

    /// Notes how long it took until a job was done: from when its event arrived, or it was due, whichever came last.
    pub(crate) fn count_done(&self, job: &Job, received: Timestamp) {
        let after = self.clock.now().duration_since(received.max(job.due));
        self.metrics().done.observe(after.max(SignedDuration::ZERO).as_secs_f64());
    }
}

fn one_more(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}
