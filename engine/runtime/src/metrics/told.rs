//! The figures as monitoring reads them: [OpenMetrics 1.0](https://prometheus.io/docs/specs/om/open_metrics_spec/), which the older text
//! format 0.0.4 of Prometheus includes as far as it is used here.

use std::collections::BTreeMap;
use std::fmt::{self, Error};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use zelo_core::{Distribution, Spread, Timestamp};
use zelo_host::Capacity;
use zelo_store::Figures;

use super::labelled::Labelled;
use super::live::{self, Counted};
use super::process::Process;
use super::{Metrics, Runtime};
use crate::Heard;

impl Runtime {
    /// All figures. What the store cannot say now is left out, and that it cannot is told: `figures` is what it said.
    pub fn told(&self, figures: Option<Figures>) -> String {
        let edition = self.rules.current();
        let live = figures.as_ref().map(|figures| live::count(&edition.in_force, &figures.live)).unwrap_or_default();
        let snapshot = Snapshot {
            metrics: self.metrics().clone(),
            now: self.clock.now(),
            figures,
            live,
            rules: edition.rules.rules().count() as u64,
            automations: edition.in_force.automations().count() as u64,
            refused_files: self.rules.problem().is_some(),
            capacity: self.host.capacity(),
            breakers: self.breaker_states(),
            heard: self.heard(),
            process: Process::now(),
        };
        let mut registry = Registry::default();
        registry.register_collector(Box::new(snapshot));
        let mut told = String::new();
        // Writing to a text does not fail.
        let _ = text::encode(&mut told, &registry);
        told
    }
}

/// What is told at one time.
#[derive(Debug)]
struct Snapshot {
    metrics: Arc<Metrics>,
    now: Timestamp,
    figures: Option<Figures>,
    live: Counted,
    rules: u64,
    automations: u64,
    refused_files: bool,
    capacity: Capacity,
    /// By host.
    breakers: BTreeMap<String, u64>,
    heard: Vec<Heard>,
    process: Process,
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let mut page = Page(encoder);
        self.deliveries(&mut page)?;
        self.jobs(&mut page)?;
        self.plugins(&mut page)?;
        self.store(&mut page)?;
        self.process(&mut page)
    }
}

impl Snapshot {
    fn deliveries(&self, page: &mut Page<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        page.counters("zelo_deliveries", "Deliveries that were acknowledged, by what they came to.", &metrics.deliveries)?;
        page.counters("zelo_deliveries_refused", "Deliveries that were not acknowledged.", &metrics.refused)?;
        self.heard(page)?;
        let help = "Connections, and requests to pages and API, that were not let in.";
        page.counters("zelo_turned_away", help, &metrics.turned_away)?;
        let help = "From the last byte of a delivery to its answer.";
        page.histogram("zelo_receive", help, Some(&Unit::Seconds), &metrics.receive.spread())?;
        page.counters("zelo_rules_fired", "Events that a rule fired for.", &metrics.fired)?;
        page.gauge("zelo_rules", "Rules in force.", None, self.rules)?;
        page.gauge("zelo_automations", "Rules that are switched on, for each connection and clinic.", None, self.automations)?;
        let help = "1: the rule files on disk have mistakes, and the rules before them are in force.";
        page.gauge("zelo_rules_refused", help, None, u64::from(self.refused_files))
    }

    fn heard(&self, page: &mut Page<'_>) -> fmt::Result {
        let flags = |of: fn(&Heard) -> bool| -> Vec<(&str, u64)> {
            self.heard.iter().map(|heard| (heard.connection.as_str(), u64::from(of(heard)))).collect()
        };
        let help = "1: nothing has come for longer than it should.";
        page.gauges("zelo_connection_silent", help, "connection", &flags(|heard| heard.silent))?;
        let help = "1: more is refused than usual.";
        page.gauges("zelo_connection_refusals_rising", help, "connection", &flags(|heard| heard.refusals_rise))?;
        let help = "When a delivery was acknowledged last, in seconds since 1970.";
        let mut family = page.family("zelo_connection_last_heard", help, Some(&Unit::Seconds), MetricType::Gauge)?;
        for Heard { connection, last, .. } in &self.heard {
            if let Some(last) = last {
                ConstGauge::new(seconds(*last)).encode(family.encode_family(&[("connection", connection.as_str())])?)?;
            }
        }
        Ok(())
    }

    fn jobs(&self, page: &mut Page<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        page.counters("zelo_attempts", "Runs of jobs, by the state of the job afterwards.", &metrics.attempts)?;
        page.counters("zelo_jobs_ended", "Jobs that ended.", &metrics.ended)?;
        let help = "Until a job was done, since its event arrived or it was due, whichever came last.";
        page.histogram("zelo_job_done", help, Some(&Unit::Seconds), &metrics.done.spread())?;
        let Some(figures) = &self.figures else { return Ok(()) };
        let live = [("scheduled", figures.scheduled), ("ready", figures.ready), ("running", figures.running)];
        page.gauges("zelo_jobs", "Jobs that may still run.", "state", &live)?;
        let help = "Jobs that may still run, by what is in force; those that wait for another step too.";
        let mut family = page.family("zelo_jobs_live", help, None, MetricType::Gauge)?;
        for ([rule, plugin, state], jobs) in &self.live {
            let labels = [("rule", rule.as_str()), ("plugin", plugin.as_str()), ("state", state.as_str())];
            ConstGauge::new(*jobs as f64).encode(family.encode_family(&labels)?)?;
        }
        let kept = [("dead", figures.dead), ("unknown", figures.unknown)];
        page.gauges("zelo_jobs_kept", "Jobs that ended badly, and are kept.", "state", &kept)?;
        page.gauge("zelo_jobs_attention", "Jobs that wait for a person.", None, figures.attention)?;
        let help = "How long the oldest job that is due has waited for a worker.";
        page.gauge("zelo_queue_age", help, Some(&Unit::Seconds), self.since(figures.next_run))
    }

    fn plugins(&self, page: &mut Page<'_>) -> fmt::Result {
        let metrics = &self.metrics;
        let help = "Runs of plugins, requests and all, without the wait for a free instance.";
        page.histograms("zelo_plugin_call", help, &metrics.calls)?;
        let mut family = page.family("zelo_plugin_cpu", "Computing of plugins.", Some(&Unit::Seconds), MetricType::Counter)?;
        metrics
            .computing
            .each(|labels, sum| ConstCounter::new(sum.load(Ordering::Relaxed) as f64 / 1e6).encode(family.encode_family(&labels)?))?;
        page.gauge("zelo_plugin_instances", "Plugins that run now.", None, u64::from(self.capacity.running))?;
        let help = "Plugins that may run at once; who comes later waits.";
        page.gauge("zelo_plugin_instances_max", help, None, u64::from(self.capacity.instances))?;
        page.histograms("zelo_outbound_request", "Requests of plugins to other systems.", &metrics.outbound)?;
        let help = "Destinations that ever failed: 2 while they are down and left alone, 1 while they are tried, 0 while they work.";
        let breakers: Vec<(&str, u64)> = self.breakers.iter().map(|(host, state)| (host.as_str(), *state)).collect();
        page.gauges("zelo_breaker_state", help, "host", &breakers)?;
        page.counters("zelo_breaker_openings", "Times that a destination was left alone for a while.", &metrics.openings)?;
        let help = "Jobs that were told to come back later because their destination is left alone.";
        page.counters("zelo_jobs_deferred", help, &metrics.deferred)
    }

    fn store(&self, page: &mut Page<'_>) -> fmt::Result {
        page.gauge("zelo_store_up", "1: the store answers.", None, u64::from(self.figures.is_some()))?;
        let Some(figures) = &self.figures else { return Ok(()) };
        page.gauge("zelo_store_queue", "Writes that wait for the writer.", None, figures.writes_waiting)?;
        page.gauge(
            "zelo_store_queue_max",
            "Writes that may wait; beyond them deliveries are told to come again.",
            None,
            figures.writes_max,
        )?;
        page.histogram("zelo_store_commit", "Transactions, until they are on disk.", Some(&Unit::Seconds), &figures.commits)?;
        page.histogram("zelo_store_batch_writes", "Writes that shared a transaction.", None, &figures.batches)?;
        page.counter("zelo_store_commits_failed", "Transactions that came to nothing.", figures.failed)?;
        page.counter("zelo_store_looked_at", "Jobs that were read to find those that may begin.", figures.looked_at)?;
        if let Some(disk) = figures.disk {
            let sizes = [("file", disk.file), ("log", disk.log)];
            let mut family = page.family("zelo_store", "Room that the store takes.", Some(&Unit::Bytes), MetricType::Gauge)?;
            for (part, size) in sizes {
                ConstGauge::new(size as f64).encode(family.encode_family(&[("part", part)])?)?;
            }
            page.gauge("zelo_store_disk_free", "Room that is left where the store is.", Some(&Unit::Bytes), disk.free)?;
        }
        if let Some(signed) = figures.signed {
            let help = "When the audit log was signed last, in seconds since 1970.";
            page.gauge("zelo_audit_signed_timestamp", help, Some(&Unit::Seconds), seconds(signed))?;
        }
        let help = "How long the oldest entry of the audit log has been there that no signed head covers.";
        page.gauge("zelo_audit_unsigned", help, Some(&Unit::Seconds), self.since(figures.unsigned))
    }

    fn process(&self, page: &mut Page<'_>) -> fmt::Result {
        let mut family = page.family("zelo_build", "What runs.", None, MetricType::Info)?;
        family.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        let help = "When the process began, in seconds since 1970.";
        page.gauge("process_start_time", help, Some(&Unit::Seconds), seconds(self.metrics.began))?;
        if let Some(resident) = self.process.resident {
            page.gauge("process_resident_memory", "Memory in use.", Some(&Unit::Bytes), resident)?;
        }
        match self.process.open_files {
            Some(open) => page.gauge("process_open_fds", "Open files and sockets.", None, open),
            None => Ok(()),
        }
    }

    /// Seconds since `then`; zero where that is nothing, or still to come.
    fn since(&self, then: Option<Timestamp>) -> f64 {
        then.map_or(0.0, |then| self.now.duration_since(then).as_secs_f64().max(0.0))
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1e3
}

/// What is written on.
struct Page<'e>(DescriptorEncoder<'e>);

/// A number as a gauge has it.
trait Number {
    fn float(self) -> f64;
}

impl Number for u64 {
    fn float(self) -> f64 {
        self as f64
    }
}

impl Number for f64 {
    fn float(self) -> f64 {
        self
    }
}

impl Page<'_> {
    fn family<'p>(&'p mut self, name: &'p str, help: &str, unit: Option<&'p Unit>, kind: MetricType) -> Result<MetricEncoder<'p>, Error> {
        // The encoder ends the sentence.
        self.0.encode_descriptor(name, help, unit, kind)
    }

    fn gauge(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: impl Number) -> fmt::Result {
        ConstGauge::new(value.float()).encode(self.family(name, help, unit, MetricType::Gauge)?)
    }

    fn gauges(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) -> fmt::Result {
        let mut family = self.family(name, help, None, MetricType::Gauge)?;
        values.iter().try_for_each(|(value, count)| ConstGauge::new(*count as f64).encode(family.encode_family(&[(label, *value)])?))
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        ConstCounter::new(value).encode(self.family(name, help, None, MetricType::Counter)?)
    }

    fn counters<const N: usize>(&mut self, name: &str, help: &str, counters: &Labelled<N, AtomicU64>) -> fmt::Result {
        let mut family = self.family(name, help, None, MetricType::Counter)?;
        counters.each(|labels, count| ConstCounter::new(count.load(Ordering::Relaxed)).encode(family.encode_family(&labels)?))
    }

    fn histogram(&mut self, name: &str, help: &str, unit: Option<&Unit>, spread: &Spread) -> fmt::Result {
        encode(spread, self.family(name, help, unit, MetricType::Histogram)?)
    }

    /// Of seconds.
    fn histograms<const N: usize>(&mut self, name: &str, help: &str, all: &Labelled<N, Distribution>) -> fmt::Result {
        let mut family = self.family(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        all.each(|labels, one| encode(&one.spread(), family.encode_family(&labels)?))
    }
}

fn encode(spread: &Spread, mut encoder: MetricEncoder<'_>) -> fmt::Result {
    let bounds = spread.bounds.iter().copied().chain([f64::INFINITY]);
    let buckets: Vec<_> = bounds.zip(spread.counts.iter().copied()).collect();
    encoder.encode_histogram::<NoLabelSet>(spread.sum, spread.count(), &buckets, None)
}
