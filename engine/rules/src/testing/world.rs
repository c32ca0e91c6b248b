//! The world of a test: what has come, and what came of it.
//!
//! Arrivals are decided by [`zelo_core::decide`], as the store has it done; what is due before the next of them is ended by
//! [`zelo_core::settle`]. Only what a plugin would have done is not known: it is taken to be done.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use zelo_core::decide::{State, decide};
use zelo_core::job::Reason;
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::{AttemptEnd, Report, Settled, Settlement, settle, step_ended};
use zelo_core::{
    Arrival, Candidate, Event, EventId, Indexer, Job, JobId, JobState, LookupRef, Plan, RecordRow, RecordWrite, SeededEntropy, Status,
};

use super::{Payload, RuleTest, TestEvent};
use crate::in_force::InForce;
use crate::json;
use crate::load::RuleSet;
use crate::prepare::{Prepared, Unprepared};
use crate::rule::Rule;
use crate::source::{Reading, Source, Through};

/// What has come, and what came of it.
pub(super) struct World {
    pub(super) in_force: Arc<InForce>,
    /// In order; the last of them is the test's own.
    arrivals: Vec<Arrival>,
    pub(super) state: State,
    /// What became of the test's own arrival.
    status: Status,
    /// What the test and the events before its own say of records.
    pub(super) records: Vec<RecordWrite>,
    /// What the steps of the test gave.
    steps: Map<String, Value>,
    index: Indexer,
}

/// The source whose events of type `kind` the rule takes. An event of a plugin is of the source whose event led to it: any
/// will do.
pub(super) fn source<'s>(set: &'s RuleSet, rule: &Rule, kind: &str) -> Result<&'s Source, String> {
    let sources = || set.sources().filter(|source| rule.source.as_ref().is_none_or(|id| *id == source.id));
    let found = sources().find(|source| source.types().any(|known| known == kind));
    let emitted = || sources().next().filter(|_| rule.types().contains(kind));
    found.or_else(emitted).ok_or_else(|| format!("no source names the event type `{kind}`"))
}

/// What the events of `test` are made with.
pub(super) struct Making<'t> {
    pub(super) set: &'t RuleSet,
    pub(super) rule: &'t Rule,
    pub(super) test: &'t RuleTest,
    pub(super) connection: &'t str,
    pub(super) in_force: Arc<InForce>,
    pub(super) index: &'t Indexer,
    pub(super) fixtures: &'t dyn Fn(&str) -> Result<String, String>,
}

impl Making<'_> {
    /// The world in which all of them have come.
    ///
    /// # Errors
    /// Which event cannot be made, and why.
    pub(super) fn world(&self) -> Result<World, (String, String)> {
        let test = self.test;
        let mut arrivals: Vec<Arrival> = Vec::new();
        let events = test.before.iter().enumerate().map(|(place, event)| (format!("before[{place}]"), event));
        for (path, event) in events.chain([("event".to_owned(), &test.event)]) {
            // They come in the order in which they stand: what happened earlier than the one before it came late.
            let latest = arrivals.last().map(|arrival| arrival.event.received);
            let arrival = self.arrival(event, arrivals.len(), latest).map_err(|why| (path, why))?;
            arrivals.push(arrival);
        }
        let (mut state, mut records) = (State::default(), Vec::new());
        for lookup in arrivals.iter().flat_map(lookups) {
            let Some(document) = recorded(test, lookup).filter(|_| !state.records.contains_key(&lookup.record.hash)) else { continue };
            let row = RecordRow { time: Timestamp::UNIX_EPOCH, document: document.clone(), stamps: Default::default() };
            state.records.insert(lookup.record.hash, row);
            if let Value::Object(fields) = document {
                let write =
                    RecordWrite { key: lookup.record.clone(), id: String::new(), fields: fields.clone(), subject: None, clinic: None };
                records.push(write);
            }
        }
        if let Some((_, before)) = arrivals.split_last() {
            records.extend(before.iter().flat_map(|arrival| arrival.records.iter().cloned()));
        }
        let mut world = World {
            in_force: Arc::clone(&self.in_force),
            arrivals,
            state,
            status: Status::Accepted,
            records,
            steps: test.steps.clone(),
            index: self.index.clone(),
        };
        world.play();
        Ok(world)
    }

    fn arrival(&self, event: &TestEvent, number: usize, latest: Option<Timestamp>) -> Result<Arrival, String> {
        let source = source(self.set, self.rule, &event.kind)?;
        let data = zelo_core::Payload::from(payload(self.rule, event, self.fixtures)?);
        let time = event.at.unwrap_or(self.test.now);
        let received = latest.map_or(time, |latest| latest.max(time));
        let number = u16::try_from(number).map_err(|_| "too many events come before it".to_owned())?;
        let through = Through {
            connection: self.connection,
            source: &source.id,
            clinic: None,
            event: EventId::new(received, number, &SeededEntropy::new(u64::from(number))),
            received,
        };
        let body = data.to_string();
        // An event of a plugin is read by no source.
        let reading = source.read_as(&event.kind, data.clone()).unwrap_or_else(|| emitted(&event.kind, data));
        let reading = Reading { time: Some(time), ..reading };
        let mut arrival = reading.arrival(&through, body.as_bytes(), self.index, self.in_force.clone());
        arrival.candidates = self.in_force.candidates(&arrival.event, self.index);
        Ok(arrival)
    }
}

fn emitted(kind: &str, data: zelo_core::Payload) -> Reading {
    Reading {
        kind: kind.to_owned(),
        time: None,
        entity: None,
        people: Vec::new(),
        clinic: None,
        delivery_id: None,
        violation: None,
        data,
        records: Vec::new(),
    }
}

/// The payload of `event`.
pub(super) fn payload(rule: &Rule, event: &TestEvent, fixtures: &dyn Fn(&str) -> Result<String, String>) -> Result<Value, String> {
    let mut data = match &event.payload {
        Payload::Data(data) => data.clone(),
        Payload::File(_) => {
            let path = event.fixture(&rule.file).unwrap_or_default();
            let text = fixtures(&path).map_err(|why| format!("{path} cannot be read: {why}"))?;
            json::parse(text.as_bytes()).map_err(|why| format!("{path} is not strict JSON: {why}"))?
        }
    };
    for (path, value) in &event.set {
        if !path.assign(&mut data, value.clone()) {
            return Err(format!("{} cannot be set: the payload has no such place", path.as_str()));
        }
    }
    Ok(data)
}

/// The places where the candidates of an arrival look for records.
fn lookups(arrival: &Arrival) -> impl Iterator<Item = &LookupRef> {
    arrival.candidates.iter().flat_map(|candidate| match &candidate.plan {
        Plan::Fire { lookups, .. } => lookups.as_slice(),
        Plan::Cancel { .. } => &[],
    })
}

/// The record that `test` gives for a place.
fn recorded<'t>(test: &'t RuleTest, lookup: &LookupRef) -> Option<&'t Value> {
    recorded_in(&test.records, lookup)
}

/// The record for a place among `records`, by the names of lookups.
pub(super) fn recorded_in<'t>(records: &'t BTreeMap<String, Value>, lookup: &LookupRef) -> Option<&'t Value> {
    let record = match records.get(&lookup.name)? {
        Value::Array(records) => records.get(lookup.position as usize)?,
        record => record,
    };
    (!record.is_null()).then_some(record)
}

impl World {
    /// The test's own arrival.
    pub(super) fn own(&self) -> Option<&Arrival> {
        self.arrivals.last()
    }

    /// What the test's own event wants: nothing, where the very same delivery came before.
    pub(super) fn candidates(&self) -> &[Candidate] {
        let own = self.own().filter(|_| self.status != Status::Duplicate);
        own.map(|arrival| arrival.candidates.as_slice()).unwrap_or_default()
    }

    /// Why the test's own event makes no job, though it fires.
    pub(super) fn why_nothing(&self) -> &'static str {
        match self.status {
            Status::Duplicate => "the very same delivery came before; change something in it with `set`",
            Status::Stale => "the event is stale: a newer one of its entity came before",
            _ => "what is known under its key is newer or stays as it is, or it counts events and these are too few",
        }
    }

    /// The arrival of an event.
    pub(super) fn arrival(&self, event: EventId) -> Option<&Arrival> {
        self.arrivals.iter().find(|arrival| arrival.event.id == event)
    }

    /// All jobs, live and ended, by their due times.
    pub(super) fn jobs(&self) -> Vec<&Job> {
        let mut jobs: Vec<&Job> = self.state.jobs.values().collect();
        jobs.sort_by(|one, other| (one.due, &one.action, one.event).cmp(&(other.due, &other.action, other.event)));
        jobs
    }

    fn play(&mut self) {
        for place in 0..self.arrivals.len() {
            let Some(arrival) = self.arrivals.get(place).cloned() else { return };
            while let Some(job) = self.due_before(arrival.event.received) {
                self.end(job);
            }
            self.status = decide(&arrival, &mut self.state).status;
        }
    }

    /// The next job that is looked at before `until`: at equal instants deliveries come first.
    fn due_before(&self, until: Timestamp) -> Option<Job> {
        let due = self.state.jobs.values().filter(|job| job.state.is_live() && !job.waits() && job.run_at < until);
        due.min_by_key(|job| (job.run_at, job.id)).cloned()
    }

    /// Ends a job whose time has come, or has it wait.
    fn end(&mut self, job: Job) {
        let (id, now) = (job.id, job.run_at);
        let running = Job { state: JobState::Running, attempt: job.attempt + 1, lease: job.lease + 1, ..job };
        let settlement = Settlement {
            job: id,
            lease: running.lease,
            end: self.comes_to(&running, now),
            journal: Vec::new(),
            shown: None,
            local: Vec::new(),
            emitted: Vec::new(),
            outward: false,
            report: Report::default(),
            policy: RetryPolicy::default(),
        };
        let key = running.key.and_then(|key| self.state.keys.get(&key));
        let Settled::Applied { job: ended, key: row, .. } = settle(&running, key, &settlement, now) else { return };
        if let (Some(key), Some(row)) = (running.key, row) {
            self.state.keys.insert(key, row);
        }
        self.put(*ended);
    }

    fn put(&mut self, job: Job) {
        let (id, state) = (job.id, job.state);
        for lookup in job.lookups.iter().filter(|_| !state.is_live()) {
            if let Some(readers) = self.state.readers.get_mut(&lookup.record.hash) {
                readers.remove(&id);
            }
        }
        self.state.jobs.insert(id, job);
        let woken: Vec<Job> = self.state.jobs.values().filter_map(|other| step_ended(other, id, state)).collect();
        woken.into_iter().for_each(|other| self.put(other));
    }

    /// What a job comes to that is looked at now.
    fn comes_to(&self, job: &Job, now: Timestamp) -> AttemptEnd {
        if let Some(expires) = job.expires.filter(|expires| now >= *expires) {
            let missing = job.attention.clone();
            return AttemptEnd::Skipped(missing.unwrap_or_else(|| Reason::new("expired", format!("it expired at {expires}"))));
        }
        let done = || AttemptEnd::Done { code: "done".to_owned() };
        // What its steps gave, nobody knows.
        if job.needs.iter().any(|need| !self.steps.contains_key(&need.step)) {
            return done();
        }
        match self.prepare(job, &self.steps) {
            None => done(),
            Some(Ok(_)) => done(),
            Some(Err(Unprepared::Wait(reason))) => AttemptEnd::Wait { reason, until: job.expires.unwrap_or(Timestamp::MAX) },
            Some(Err(Unprepared::Skip(reason))) => AttemptEnd::Skipped(reason),
            Some(Err(Unprepared::Fail(reason))) => AttemptEnd::Dead(reason),
        }
    }

    /// What the plugin of `job` is given, on the events and records that have come.
    pub(super) fn prepare(&self, job: &Job, steps: &Map<String, Value>) -> Option<Result<Prepared, Unprepared>> {
        let event = &self.arrival(job.event)?.event;
        let mut collected: Vec<&Event> = self.joined(job.id).filter_map(|event| Some(&self.arrival(event)?.event)).collect();
        collected.sort_by_key(|event| event.order());
        let collected: Vec<Event> = if collected.is_empty() { vec![event.clone()] } else { collected.into_iter().cloned().collect() };
        Some(self.in_force.prepare_collected(job, event, &collected, &self.state, steps, &self.index))
    }

    /// The events that `job` collected, in order of arrival.
    fn joined(&self, job: JobId) -> impl Iterator<Item = EventId> {
        self.state.dirty.joined.iter().filter(move |joined| joined.job == job).map(|joined| joined.event)
    }

    /// The job that the test's own event made for `action`, or was collected by.
    pub(super) fn job(&self, action: &str) -> Option<&Job> {
        let own = self.own_job(action)?;
        let collecting =
            |job: &&Job| job.action == action && self.joined(job.id).any(|event| self.own().is_some_and(|own| own.event.id == event));
        self.state.jobs.get(&own).or_else(|| self.state.jobs.values().find(collecting))
    }

    /// The id of the job that the test's own event makes for `action`, where nothing came before it.
    pub(super) fn own_job(&self, action: &str) -> Option<JobId> {
        let arrival = self.own()?;
        let candidate = arrival.candidates.iter().find(|candidate| candidate.origin.action == action)?;
        Some(JobId::derive(arrival.event.id, &candidate.origin.automation, action))
    }
}
