//! What a rule would do under settings that somebody tries: about the latest events that are stored, else about the sample of its tests.
//!
//! The real sandbox, grants and recorder, over a store in memory that knows those events and the records that the rule looks up, and
//! is gone afterwards. Nothing leaves the process, nothing is written, and no job of the clinic is touched: requests to other
//! systems are answered by nobody. Consents are not known there, so a rule that needs one says that it has none.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use zelo_core::decide::OnKnown;
use zelo_core::job::Reason;
use zelo_core::{
    Arrival, AutomationId, Clinics, Clock, Effect, EffectResult, Event, EventId, Indexer, JobId, JobState, JournalEntry, LookupRef,
    ManualClock, Plan, RecordWrite, Status,
};
use zelo_rules::{Action, InForce, Reading, SampleEvent, Source, Through};
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{AutomationRow, EventView, Import, MasterKey, Page};

use crate::intake::Counts;
use crate::line::Line;
use crate::outbound::Answers;
use crate::rulebook::{Edition, reads};
use crate::{Budgets, Rulebook, Runtime, Secrets, Shared};

/// How many of the latest events are looked at for some that the rule fires for.
const LOOKED_AT: u32 = 50;
/// How many of those are shown.
const SHOWN: usize = 3;
/// Previews at once: each has a store or a plugin of its own.
pub(crate) static TURNS: Semaphore = Semaphore::const_new(2);

/// What is to be tried.
#[derive(Clone, Debug)]
pub struct Asked {
    pub rule: String,
    pub connection: String,
    /// Only events of this clinic.
    pub clinic: Option<String>,
    /// Of which clinics whoever asks is told.
    pub clinics: Clinics,
    /// What was chosen; the rest is defaults.
    pub settings: Map<String, Value>,
    pub on: On,
    /// This stored event alone, and no sample in its place.
    pub only: Option<EventId>,
}

/// On what a rule is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Stored events, where there are some that it fires for; else a sample.
    Stored,
    /// A sample alone.
    Sample,
}

/// What would be done.
#[derive(Debug)]
pub struct Preview {
    /// On what it was tried; none where there is neither an event nor a sample.
    pub on: Option<On>,
    /// Newest first.
    pub events: Vec<Tried>,
}

/// One event, and what would be done about it.
#[derive(Debug)]
pub struct Tried {
    /// Of a stored one, with whom it is about.
    pub stored: Option<EventView>,
    pub received: Timestamp,
    /// In the order of the rule.
    pub jobs: Vec<JobTried>,
}

/// What one action would do.
pub struct JobTried {
    pub action: String,
    pub state: JobState,
    /// When it would run.
    pub at: Timestamp,
    /// Why it was not done, or what is missing.
    pub reason: Option<Reason>,
    /// What was done and was not refused, in order.
    pub effects: Vec<Effect>,
}

/// Prints no value.
impl std::fmt::Debug for JobTried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "JobTried({} {}, {} effects)", self.action, self.state.as_str(), self.effects.len())
    }
}

/// Why nothing was tried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no rule `{0}`")]
    NoRule(String),
    #[error("there is no connection `{0}` whose events the rule reads")]
    NoConnection(String),
    #[error("{}", .0.join("\n"))]
    Settings(Vec<String>),
    #[error("the store failed")]
    Store(#[from] zelo_store::Error),
}

/// An event to try, with the records that it finds.
struct Trial {
    stored: Option<EventView>,
    event: Event,
    /// Of each place where the rule looks, in its order.
    documents: Vec<Option<Value>>,
}

impl Runtime {
    /// Tries a rule; nothing comes of it.
    ///
    /// # Errors
    /// There is no such rule or connection, it cannot have these settings, or the store does not answer.
    pub async fn preview(&self, asked: &Asked) -> Result<Preview, Error> {
        let edition = self.rules.current();
        let rule = edition.rules.rule(&asked.rule).ok_or_else(|| Error::NoRule(asked.rule.clone()))?;
        let connection = self.connections.get(&asked.connection);
        let source = connection.and_then(|connection| edition.rules.source(&connection.source)).filter(|source| reads(rule, source));
        let source = source.ok_or_else(|| Error::NoConnection(asked.connection.clone()))?;
        edition.rules.settings_for(&asked.rule, &asked.settings).map_err(Error::Settings)?;
        let row = AutomationRow {
            id: AutomationId::new(&asked.rule, &asked.connection, None),
            rule: asked.rule.clone(),
            connection: asked.connection.clone(),
            clinic: None,
            settings: asked.settings.clone(),
            enabled: true,
            origin: crate::automations::PEOPLE.to_owned(),
            changed: self.clock.now(),
        };
        let tried = Edition::new(edition.rules.clone(), edition.catalog.clone(), &[row]);
        let tried = tried.map_err(|error| Error::Settings(vec![error.to_string()]))?;
        if let Some(problem) = tried.in_force.problems().first() {
            return Err(Error::Settings(vec![problem.text.clone()]));
        }
        let stored = if asked.on == On::Stored { self.stored(asked, &tried.in_force).await? } else { Vec::new() };
        let (on, trials) = if stored.is_empty() && asked.only.is_none() {
            let sample = self.sample(&edition, asked, source, &tried.in_force).await;
            (sample.is_some().then_some(On::Sample), sample.into_iter().collect())
        } else {
            (Some(On::Stored), stored)
        };
        if trials.is_empty() {
            return Ok(Preview { on, events: Vec::new() });
        }
        // Nobody closes it.
        let _turn = TURNS.acquire().await.map_err(|_| zelo_store::Error::Closed)?;
        Ok(Preview { on, events: self.play(source, tried, &rule.actions, trials).await? })
    }

    /// The latest stored events that the rule fires for, newest first.
    async fn stored(&self, asked: &Asked, in_force: &InForce) -> Result<Vec<Trial>, Error> {
        let (connection, clinic) = (Some(asked.connection.clone()), asked.clinic.clone());
        let page = Page { limit: LOOKED_AT, before: None, connection, clinic, clinics: asked.clinics.clone() };
        let views = match asked.only {
            Some(id) => self.store.event(id).await?.into_iter().filter(|view| sees(asked, &view.event)).collect(),
            None => self.store.events(&page).await?,
        };
        let mut trials = Vec::new();
        for view in views {
            if trials.len() == SHOWN || (view.status != Status::Accepted && asked.only.is_none()) {
                continue;
            }
            let Some(lookups) = fires(in_force, &view.event, self.store.indexer()) else { continue };
            let mut documents = Vec::new();
            for lookup in lookups {
                documents.push(self.store.record_at(lookup.record.hash).await?.map(|row| row.document));
            }
            trials.push(Trial { event: view.event.clone(), stored: Some(view), documents });
        }
        Ok(trials)
    }

    /// The event of the rule's own tests.
    async fn sample(&self, edition: &Arc<Edition>, asked: &Asked, source: &Source, in_force: &InForce) -> Option<Trial> {
        let (held, rule) = (Arc::clone(edition), asked.rule.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let read = |path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string());
            zelo_rules::sample_event(held.rules.rule(&rule)?, &read)
        });
        let sample: SampleEvent = reading.await.ok().flatten()?;
        let through = Through {
            connection: &asked.connection,
            source: &source.id,
            clinic: asked.clinic.as_deref(),
            event: EventId::new(sample.at, 0, self.entropy.as_ref()),
            received: sample.at,
        };
        let event = reading_of(source, &sample.kind, sample.data.clone().into(), sample.at).event(&through);
        let lookups = fires(in_force, &event, self.store.indexer())?;
        let documents = lookups.iter().map(|lookup| sample.record(lookup).cloned()).collect();
        Some(Trial { stored: None, event, documents })
    }

    /// Has `trials`, newest first, arrive in a place of their own, and all that comes of them run.
    async fn play(&self, source: &Source, edition: Edition, actions: &[Action], trials: Vec<Trial>) -> Result<Vec<Tried>, Error> {
        let first = trials.iter().map(|trial| trial.event.received).min().unwrap_or(Timestamp::UNIX_EPOCH);
        let clock = Arc::new(ManualClock::new(first));
        let config = SqliteConfig { path: None, ..SqliteConfig::default() };
        let store = SqliteStore::open(config, MasterKey::generate(self.entropy.as_ref()), self.entropy.clone()).await?;
        let in_force = edition.in_force.clone();
        let place = Runtime::new(Shared {
            store: store.clone(),
            host: self.host.clone(),
            rules: Rulebook::new(edition),
            connections: HashMap::new(),
            channels: self.channels.clone(),
            outbound: Arc::new(Answers::default()),
            secrets: Secrets::Unsaid,
            clock: clock.clone(),
            entropy: self.entropy.clone(),
            retry: self.retry,
            limits: self.limits,
            budgets: Budgets::new(None, []),
            line: Line::default(),
            bell: tokio::sync::Notify::new(),
            counts: Counts::default(),
        });
        let mut attempted = BTreeSet::new();
        for trial in trials.iter().rev() {
            place.run_until(&clock, Some(trial.event.received), &mut attempted).await?;
            clock.set(clock.now().max(trial.event.received));
            place.arrive(source, &in_force, trial).await?;
        }
        place.run_until(&clock, None, &mut attempted).await?;
        let tried = place.came_to(trials, actions).await;
        place.store.close().await?;
        tried
    }

    /// Stores the event of `trial` with the records that it finds.
    async fn arrive(&self, source: &Source, in_force: &Arc<InForce>, trial: &Trial) -> Result<(), Error> {
        let (event, index) = (&trial.event, self.store.indexer());
        let through = Through {
            connection: &event.connection,
            source: &event.source,
            clinic: event.clinic.as_deref(),
            event: event.id,
            received: event.received,
        };
        let body = event.data.to_string();
        let reading = reading_of(source, &event.kind, event.data.clone(), event.time);
        let arrival = reading.arrival(&through, body.as_bytes(), index, in_force.clone());
        let arrival = Arrival { candidates: in_force.candidates(&arrival.event, index), quarantined: false, ..arrival };
        let lookups = fires(in_force, &arrival.event, index).unwrap_or_default();
        let found = lookups.iter().zip(&trial.documents).filter_map(|(lookup, document)| {
            let Some(Value::Object(fields)) = document else { return None };
            Some(RecordWrite { key: lookup.record.clone(), id: String::new(), fields: fields.clone(), subject: None, clinic: None })
        });
        let import = Import {
            connection: event.connection.clone(),
            records: found.collect(),
            on_known: OnKnown::Replace,
            timetable: in_force.clone(),
        };
        let now = self.clock.now();
        self.store.import(import, now).await?;
        self.store.record(arrival).await?;
        Ok(())
    }

    /// Runs what is due before `until`, each job once; all there is, if that is none.
    async fn run_until(&self, clock: &ManualClock, until: Option<Timestamp>, attempted: &mut BTreeSet<JobId>) -> Result<(), Error> {
        while let Some(next) = self.store.next_run().await? {
            let next = next.max(clock.now());
            if until.is_some_and(|until| next >= until) {
                break;
            }
            clock.set(next);
            let claimed = self.store.claim(next, 100, SignedDuration::from_hours(1), &self.concurrency()).await?;
            // What waits for something that nobody will bring.
            let fresh = claimed.iter().any(|work| !attempted.contains(&work.job.id));
            if !fresh {
                break;
            }
            for work in claimed {
                attempted.insert(work.job.id);
                let (settlement, _places) = self.attempt(work).await;
                self.store.settle(settlement, self.clock.now()).await?;
            }
        }
        Ok(())
    }

    /// What came of `trials`, by `actions` in their order.
    async fn came_to(&self, trials: Vec<Trial>, actions: &[Action]) -> Result<Vec<Tried>, Error> {
        let mut made = self.store.jobs(&Page { limit: 200, ..Page::default() }, None).await?;
        made.sort_by_key(|view| actions.iter().position(|action| action.name == view.job.action));
        let mut tried = Vec::new();
        for Trial { stored, event, .. } in trials {
            let mut jobs = Vec::new();
            for view in made.iter().filter(|view| view.job.event == event.id) {
                let (job, journal) = (&view.job, self.store.journal(view.job.id).await?);
                let effects = journal.into_iter().filter_map(done).collect();
                let reason = job.attention.clone().or_else(|| job.reason.clone()).filter(|_| job.state != JobState::Done);
                // What should have been before it came is done at once.
                let at = job.due.max(event.received);
                jobs.push(JobTried { action: job.action.clone(), state: job.state, at, reason, effects });
            }
            tried.push(Tried { stored, received: event.received, jobs });
        }
        Ok(tried)
    }
}

/// Whether an event is of the connection that is asked for, and of the clinics that whoever asks is told of.
fn sees(asked: &Asked, event: &Event) -> bool {
    event.connection == asked.connection && asked.clinics.include(&event.connection, event.clinic.as_deref())
}

/// What was done, and not refused.
fn done(entry: JournalEntry) -> Option<Effect> {
    match entry {
        JournalEntry::Effect { result: EffectResult::Refused { .. }, .. } => None,
        JournalEntry::Effect { effect, .. } => Some(effect),
        _ => None,
    }
}

/// The places where the rule in force looks for records, if it fires for `event`.
fn fires(in_force: &InForce, event: &Event, index: &Indexer) -> Option<Vec<LookupRef>> {
    let mut fires = false;
    let mut found: Vec<LookupRef> = Vec::new();
    for candidate in in_force.candidates(event, index) {
        let Plan::Fire { lookups, .. } = candidate.plan else { continue };
        fires = true;
        for lookup in lookups {
            if !found.iter().any(|known| known.name == lookup.name && known.position == lookup.position) {
                found.push(lookup);
            }
        }
    }
    fires.then_some(found)
}

/// What `data` says as an event of type `kind`; one of a plugin is read by no source.
fn reading_of(source: &Source, kind: &str, data: zelo_core::Payload, at: Timestamp) -> Reading {
    let reading = source.read_as(kind, data.clone()).unwrap_or_else(|| Reading {
        kind: kind.to_owned(),
        time: None,
        entity: None,
        people: Vec::new(),
        clinic: None,
        delivery_id: None,
        violation: None,
        data,
        records: Vec::new(),
    });
    Reading { time: reading.time.or(Some(at)), ..reading }
}

#[cfg(test)]
#[path = "preview_tests.rs"]
pub(crate) mod tests;
