//! What a rule would do with one event that is stored, were it switched on: the same matching, plugins and timing as ever, over a store in
//! memory and on a clock that is set. Nothing leaves the process, nothing is kept, and the store of the server is only read.
//!
//! The records are those that are known now. What other people's machines would answer nobody knows, so they answer nothing here.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use zelo_core::decide::OnKnown;
use zelo_core::retry::RetryPolicy;
use zelo_core::{AutomationId, Candidate, Event, LookupRef, ManualClock, Plan, RecordWrite, SeededEntropy};
use zelo_rules::{Automation, InForce, Through};
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{Import, MasterKey, Store};

use crate::intake::Counts;
use crate::line::Line;
use crate::outbound::Answers;
use crate::rulebook::Edition;
use crate::simulation::{self, Row};
use crate::{Budgets, Rulebook, Runtime, Secrets, Shared};

/// Why nobody can say what it would do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no rule `{0}`")]
    NoRule(String),
    #[error("the source of this event is gone, or does not know its type any more")]
    NoSource,
    /// With these settings it cannot be switched on.
    #[error("{}", .0.join("; "))]
    Settings(Vec<String>),
    #[error(transparent)]
    Store(#[from] zelo_store::Error),
}

impl Runtime {
    /// What `rule` with `settings` would do because of `event`, in order, beginning with its arrival; nothing where it does not fire.
    ///
    /// # Errors
    /// Why nobody can say.
    pub async fn preview(&self, rule: &str, settings: &Map<String, Value>, event: &Event) -> Result<Vec<Row>, Error> {
        let edition = self.rules.current();
        if edition.rules.rule(rule).is_none() {
            return Err(Error::NoRule(rule.to_owned()));
        }
        let settings = edition.rules.settings_for(rule, settings).map_err(Error::Settings)?;
        let automation = Automation {
            id: AutomationId::new(rule, &event.connection, None),
            rule: rule.to_owned(),
            connection: event.connection.clone(),
            clinic: None,
            settings,
            enabled: true,
        };
        let in_force = Arc::new(InForce::new(Arc::clone(&edition.rules), vec![automation]));
        if !in_force.problems().is_empty() {
            return Err(Error::Settings(in_force.problems().iter().map(|problem| problem.text.clone()).collect()));
        }
        let source = edition.rules.source(&event.source).ok_or(Error::NoSource)?;
        let reading = source.read_as(&event.kind, event.data.clone()).ok_or(Error::NoSource)?;
        let clock = Arc::new(ManualClock::new(event.received));
        // Nothing outlives this call, so its key needs no secret.
        let entropy = Arc::new(SeededEntropy::new(0));
        let master = MasterKey::generate(entropy.as_ref());
        let store = SqliteStore::open(SqliteConfig { path: None, ..SqliteConfig::default() }, master, entropy.clone()).await?;
        let through = Through {
            connection: &event.connection,
            source: &event.source,
            clinic: event.clinic.as_deref(),
            event: event.id,
            received: event.received,
        };
        let mut arrival = reading.arrival(&through, event.data.to_string().as_bytes(), store.indexer(), in_force.clone());
        arrival.candidates = in_force.candidates(&arrival.event, store.indexer());
        let records = self.known(&in_force.candidates(event, self.store.indexer()), &arrival.candidates).await?;
        let aside = Runtime::new(Shared {
            store: store.clone(),
            host: Arc::clone(&self.host),
            rules: Rulebook::new(Edition {
                in_force: in_force.clone(),
                rules: Arc::clone(&edition.rules),
                catalog: Arc::clone(&edition.catalog),
            }),
            connections: HashMap::new(),
            channels: self.channels.clone(),
            outbound: Arc::new(Answers::default()),
            secrets: Secrets::Unsaid,
            clock: clock.clone(),
            entropy,
            retry: RetryPolicy::default(),
            limits: self.limits,
            budgets: Budgets::new(None, []),
            line: Line::default(),
            bell: tokio::sync::Notify::new(),
            counts: Counts::default(),
        });
        let import = Import { connection: event.connection.clone(), records, on_known: OnKnown::Replace, timetable: in_force };
        aside.store.import(import, event.received).await?;
        let decision = aside.store.record(arrival).await?;
        let mut rows = Vec::new();
        let played = simulation::play_out(&aside, &clock, &decision, &mut |row| rows.push(row)).await;
        aside.store.close().await?;
        match played {
            Ok(()) => Ok(rows),
            Err(simulation::Error::Store(error)) => Err(error.into()),
            Err(simulation::Error::Line { .. }) => Err(Error::NoSource),
        }
    }

    /// The records that are known here where the candidates look for them, as `theirs`, which are the same in another store, will find them.
    async fn known(&self, ours: &[Candidate], theirs: &[Candidate]) -> Result<Vec<RecordWrite>, zelo_store::Error> {
        let mut records: Vec<RecordWrite> = Vec::new();
        for (here, there) in ours.iter().flat_map(lookups).zip(theirs.iter().flat_map(lookups)) {
            if records.iter().any(|known| known.key == there.record) {
                continue;
            }
            if let Some(row) = self.store.record_at(here.record.hash).await?
                && let Value::Object(fields) = row.document
            {
                records.push(RecordWrite { key: there.record.clone(), id: String::new(), fields, subject: None, clinic: None });
            }
        }
        Ok(records)
    }
}

fn lookups(candidate: &Candidate) -> &[LookupRef] {
    match &candidate.plan {
        Plan::Fire { lookups, .. } => lookups,
        Plan::Cancel { .. } => &[],
    }
}
