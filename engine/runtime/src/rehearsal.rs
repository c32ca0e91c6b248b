//! Runs plugins for the tests of rules: the same host, grants and recorder as ever, over a store in memory for each test.
//!
//! Nothing leaves the process. A test's event is stored with its jobs, so that counters count, documents are kept for the
//! steps after them, and records can be read; when a job runs, and with what, is the test's to say.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::SignedDuration;
use zelo_core::concurrency::unlimited;
use zelo_core::decide::OnKnown;
use zelo_core::http::Answer;
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::{AttemptEnd, Settlement};
use zelo_core::{Arrival, Indexer, JobId, JournalEntry, ManualClock, RecordWrite, SeededEntropy, Timestamp};
use zelo_host::{Host, Limits};
use zelo_rules::{Ended, InForce, Prepared, Ran, RuleSet, Runner, Stage};
use zelo_store::seal::Root;
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{Import, MasterKey, Work};

use crate::attempt::{Call, MISSING, MISSING_LATE, PLUGIN};
use crate::budgets::Places;
use crate::intake::Counts;
use crate::line::Line;
use crate::outbound::Answers;
use crate::rulebook::Edition;
use crate::{Budgets, Catalog, Channels, Rulebook, Runtime, Secrets, Shared};

/// Runs plugins for tests.
pub struct Rehearsal {
    /// Where the store and the plugins run. Tests are run outside of it, on a thread that may block.
    tasks: tokio::runtime::Handle,
    host: Arc<Host>,
    rules: Arc<RuleSet>,
    catalog: Arc<Catalog>,
    channels: Channels,
    indexer: Indexer,
}

/// The place of one test.
struct Place<'r> {
    rehearsal: &'r Rehearsal,
    runtime: Runtime,
    clock: Arc<ManualClock>,
    /// Jobs that are due and not run yet.
    due: HashMap<JobId, Work>,
}

impl Rehearsal {
    /// Over these parts.
    pub fn new(tasks: tokio::runtime::Handle, host: Arc<Host>, rules: Arc<RuleSet>, catalog: Arc<Catalog>, channels: Channels) -> Self {
        Self { tasks, host, rules, catalog, channels, indexer: Root::first(&master(), &SeededEntropy::new(0)).indexer() }
    }

    async fn place(
        &self,
        in_force: Arc<InForce>,
        arrival: Arrival,
        records: Vec<RecordWrite>,
        answers: Vec<Answer>,
    ) -> Result<Place<'_>, zelo_store::Error> {
        let now = arrival.event.received;
        let clock = Arc::new(ManualClock::new(now));
        let store = SqliteStore::open(SqliteConfig { path: None, ..SqliteConfig::default() }, master(), entropy()).await?;
        let connection = arrival.event.connection.clone();
        let runtime = Runtime::new(Shared {
            store: store.clone(),
            host: Arc::clone(&self.host),
            rules: Rulebook::new(Edition { in_force: in_force.clone(), rules: self.rules.clone(), catalog: self.catalog.clone() }),
            connections: HashMap::new(),
            channels: self.channels.clone(),
            outbound: Arc::new(Answers(answers)),
            secrets: Secrets::Unsaid,
            clock: clock.clone(),
            entropy: entropy(),
            retry: RetryPolicy::default(),
            limits: Limits::default(),
            budgets: Budgets::new(None, []),
            line: Line::default(),
            bell: tokio::sync::Notify::new(),
            counts: Counts::default(),
        });
        runtime.store.import(Import { connection, records, on_known: OnKnown::Replace, timetable: in_force, entry: None }, now).await?;
        runtime.store.record(arrival).await?;
        Ok(Place { rehearsal: self, runtime, clock, due: HashMap::new() })
    }
}

/// Nothing of a test outlives it, so its key needs no secret; and what has no secret is the same each time.
fn master() -> MasterKey {
    MasterKey::generate(&SeededEntropy::new(0))
}

fn entropy() -> Arc<SeededEntropy> {
    Arc::new(SeededEntropy::new(1))
}

impl Runner for Rehearsal {
    fn indexer(&self) -> &Indexer {
        &self.indexer
    }

    fn stage(
        &self,
        in_force: Arc<InForce>,
        arrival: Arrival,
        records: Vec<RecordWrite>,
        answers: Vec<Answer>,
    ) -> Result<Box<dyn Stage + '_>, String> {
        let place = self.tasks.block_on(self.place(in_force, arrival, records, answers)).map_err(|error| error.to_string())?;
        Ok(Box::new(place))
    }
}

impl Stage for Place<'_> {
    fn run(&mut self, job: JobId, prepared: &Prepared, now: Timestamp) -> Result<Ran, String> {
        self.rehearsal.tasks.clone().block_on(self.perform(job, prepared, now))
    }
}

impl Place<'_> {
    async fn perform(&mut self, job: JobId, prepared: &Prepared, now: Timestamp) -> Result<Ran, String> {
        let failed = |error: zelo_store::Error| error.to_string();
        let runtime = &self.runtime;
        self.clock.set(now);
        let claimed = runtime.store.claim(now, 100, SignedDuration::from_hours(1), unlimited()).await.map_err(failed)?;
        self.due.extend(claimed.into_iter().map(|work| (work.job.id, work)));
        let work = self.due.remove(&job).ok_or("its job is not due")?;
        let edition = runtime.rules.current();
        let call = Call::first(&work, prepared.clone(), now, (Timestamp::MAX, None));
        let (settlement, _) = runtime.perform(&edition, work, call, Places::default()).await;
        let mut ran = ran(&settlement);
        runtime.store.settle(settlement, now).await.map_err(failed)?;
        // A checkpoint stores what is no part of the settlement: all that was done stands in the journal now.
        let journal = runtime.store.journal(job).await.map_err(failed)?;
        ran.effects = journal.iter().filter_map(JournalEntry::told).collect();
        Ok(ran)
    }
}

/// How a plugin ended, without its effects.
fn ran(settlement: &Settlement) -> Ran {
    let ended = match &settlement.end {
        AttemptEnd::Done { .. } => Ended::Done,
        AttemptEnd::Wait { reason, .. } if reason.code == MISSING => Ended::Missing,
        AttemptEnd::Dead(reason) if reason.code == MISSING_LATE => Ended::Missing,
        AttemptEnd::Retry { reason, .. } if reason.code == PLUGIN => Ended::Retry,
        AttemptEnd::Dead(reason) if reason.code == PLUGIN => Ended::Permanent,
        _ => Ended::Broken,
    };
    let words = [said(&settlement.end), settlement.report.summary.clone()];
    let words: Vec<String> = words.into_iter().flatten().collect();
    Ran { ended, said: (!words.is_empty()).then(|| words.join(": ")), output: settlement.report.output.clone(), effects: Vec::new() }
}

/// Why an attempt was not done.
fn said(end: &AttemptEnd) -> Option<String> {
    match end {
        AttemptEnd::Done { .. } | AttemptEnd::Moved(_) => None,
        AttemptEnd::Retry { reason, .. } | AttemptEnd::Wait { reason, .. } => Some(reason.text.clone()),
        AttemptEnd::Dead(reason)
        | AttemptEnd::Unknown(reason)
        | AttemptEnd::Cancelled(reason)
        | AttemptEnd::Skipped(reason)
        | AttemptEnd::Interrupted { reason, .. }
        | AttemptEnd::Deferred { reason, .. } => Some(reason.text.clone()),
    }
}
