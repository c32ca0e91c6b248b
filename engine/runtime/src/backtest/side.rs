//! One rule set going through past events: the real decisions on a state in memory, with a clock that follows the arrivals.
//!
//! A job whose time has come before the next arrival is looked at as a worker would, up to the point where its plugin would
//! be run; then it counts as run. Jobs that are left at the end are looked at as if nothing else had come.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use jiff::civil::Time;
use zelo_core::decide::{Dirty, Needs, State, decide};
use zelo_core::job::Reason;
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::{AttemptEnd, Report, Settled, Settlement, settle, step_ended};
use zelo_core::{Arrival, Event, EventId, Indexer, Job, JobId, JobState, KeyHash, Person, RecordRef, RecordWrite, Status, Timestamp};
use zelo_rules::{Class, InForce, RecordReading};
use zelo_store::{Error, EventView};

use super::Past;
use super::tally::Counts;
use crate::attempt::{Seen, readiness};
use crate::connection::Channels;

/// From when on messages are fit for people, and from when on no more.
const DAY: (Time, Time) = (Time::constant(8, 0, 0, 0), Time::constant(20, 0, 0, 0));

/// What is counted where no channel that is granted exists.
const NO_CHANNEL: &str = "none";

/// One rule set, and what it has done so far.
pub(super) struct Side {
    in_force: Arc<InForce>,
    channels: Channels,
    state: State,
    /// When to look at which job; entries of jobs that changed since are passed over.
    due: BTreeSet<(Timestamp, JobId)>,
    /// Jobs that need a step.
    needing: HashMap<JobId, Vec<JobId>>,
    /// Live jobs that have waited for something.
    waited: HashSet<JobId>,
    /// Records that these events made other than they are stored: kept. All others are read again when they are asked for.
    changed: HashSet<KeyHash>,
    absent: HashSet<KeyHash>,
    /// The events of jobs that collect several.
    collected: HashMap<JobId, Vec<EventId>>,
    index: Indexer,
    /// The events of the page, which their jobs are about more often than not.
    page: HashMap<EventId, Event>,
    clock: Timestamp,
    counts: BTreeMap<String, Counts>,
}

impl Side {
    pub(super) fn new(in_force: Arc<InForce>, channels: Channels, index: Indexer) -> Self {
        let counts = in_force.automations().map(|automation| (automation.rule.clone(), Counts::default())).collect();
        Self {
            in_force,
            channels,
            state: State::default(),
            due: BTreeSet::new(),
            needing: HashMap::new(),
            waited: HashSet::new(),
            changed: HashSet::new(),
            absent: HashSet::new(),
            collected: HashMap::new(),
            index,
            page: HashMap::new(),
            clock: Timestamp::MIN,
            counts,
        }
    }

    /// Goes through `page`; the rules that fired for each event.
    pub(super) fn look(&mut self, page: &[EventView], past: &dyn Past) -> Result<Vec<BTreeSet<String>>, Error> {
        let arrivals: Vec<Arrival> = page.iter().map(|view| self.arrival(&view.event)).collect();
        self.page = page.iter().map(|view| (view.event.id, view.event.clone())).collect();
        let needs = Needs::of(&arrivals);
        self.fetch(needs.written.into_iter().chain(needs.read), past)?;
        let fired = arrivals.iter().zip(page).map(|(arrival, view)| self.arrive(arrival, view.status, past)).collect();
        let changed = &self.changed;
        self.state.records.retain(|hash, _| changed.contains(hash));
        self.absent.clear();
        fired
    }

    /// Looks at the jobs that are left, as if nothing else had come.
    pub(super) fn finish(mut self, past: &dyn Past) -> Result<BTreeMap<String, Counts>, Error> {
        self.run_until(Timestamp::MAX, past)?;
        Ok(self.counts)
    }

    /// `event` as it arrived, read and matched by these rules.
    fn arrival(&self, event: &Event) -> Arrival {
        let index = &self.index;
        let name = &event.connection;
        // What a plugin emitted is no word of the provider's: it feeds no records.
        let source = self.in_force.rules().source(&event.source).filter(|_| event.cause.is_none());
        let reading = source.and_then(|source| source.read_as(&event.kind, event.data.clone()));
        let write = |record: RecordReading| RecordWrite {
            key: RecordRef { hash: index.record(name, &record.kind, &record.id), kind: record.kind },
            id: record.id,
            fields: record.fields,
            subject: record.subject.map(|subject| index.subject(name, &subject)),
            clinic: record.clinic.or_else(|| event.clinic.clone()),
        };
        Arrival {
            event: event.clone(),
            body: Arc::default(),
            // Duplicates were never stored.
            delivery: index.delivery(name, &event.kind, &event.id.to_string()),
            quarantined: false,
            entity: event.entity.as_ref().map(|entity| index.entity(name, &entity.kind, &entity.id)),
            people: event.subjects.iter().map(|subject| Person::new(index.subject(name, subject))).collect(),
            consents: Vec::new(),
            records: reading.into_iter().flat_map(|reading| reading.records).map(write).collect(),
            candidates: self.in_force.candidates(event, index),
            timetable: self.in_force.clone(),
        }
    }

    /// One arrival; the rules that it fires.
    fn arrive(&mut self, arrival: &Arrival, status: Status, past: &dyn Past) -> Result<BTreeSet<String>, Error> {
        let event = &arrival.event;
        self.run_until(event.received, past)?;
        self.clock = self.clock.max(event.received);
        let in_force = self.in_force.clone();
        let concerned = in_force.concerned(event);
        for rule in &concerned.listening {
            self.count(rule).events += 1;
        }
        for rule in &concerned.second_laps {
            self.count(rule).second_laps += 1;
        }
        if let (Status::Stale, Some(entity)) = (status, arrival.entity) {
            // Something newer was known of it then, be it from before the first of these events.
            let newer = event.order().saturating_add(jiff::SignedDuration::from_millis(1)).unwrap_or(event.order());
            let newest = self.state.entities.entry(entity).or_insert(newer);
            *newest = newer.max(*newest);
        }
        self.fetch_readers(arrival, past)?;
        let before: Vec<_> = arrival.records.iter().map(|write| (write.key.hash, self.document(write.key.hash))).collect();
        let decision = decide(arrival, &mut self.state);
        for (hash, document) in before {
            if self.document(hash) != document {
                self.changed.insert(hash);
            }
        }
        self.state.deliveries.clear();
        let Dirty { new_jobs, joined, .. } = std::mem::take(&mut self.state.dirty);
        for joined in joined {
            self.collected.entry(joined.job).or_default().push(joined.event);
        }
        for job in decision.jobs {
            if new_jobs.contains(&job.id) {
                self.count(&job.rule).made += 1;
                for need in &job.needs {
                    self.needing.entry(need.job).or_default().push(job.id);
                }
            }
            self.stands(job);
        }
        let fired: BTreeSet<String> = decision.rules.into_iter().collect();
        for rule in &fired {
            self.count(rule).fires += 1;
        }
        Ok(fired)
    }

    fn document(&self, hash: KeyHash) -> Option<serde_json::Value> {
        self.state.records.get(&hash).map(|row| row.document.clone())
    }

    fn count(&mut self, rule: &str) -> &mut Counts {
        self.counts.entry(rule.to_owned()).or_default()
    }

    /// Looks at all jobs whose time comes before `until`. At equal instants arrivals come first.
    fn run_until(&mut self, until: Timestamp, past: &dyn Past) -> Result<(), Error> {
        while let Some((at, id)) = self.due.first().copied().filter(|(at, _)| *at < until) {
            self.due.pop_first();
            let job = self.state.jobs.get(&id).filter(|job| job.run_at == at && !job.waits()).cloned();
            if let Some(job) = job {
                self.clock = self.clock.max(at);
                self.attempt(job, past)?;
            }
        }
        Ok(())
    }

    /// One attempt at a job, without its plugin.
    fn attempt(&mut self, job: Job, past: &dyn Past) -> Result<(), Error> {
        let now = self.clock;
        let job = Job { state: JobState::Running, attempt: job.attempt + 1, lease: job.lease + 1, ..job };
        self.fetch(job.lookups.iter().map(|lookup| lookup.record.hash), past)?;
        let mut collected = Vec::new();
        for id in self.collected.get(&job.id).map_or(std::slice::from_ref(&job.event), Vec::as_slice) {
            collected.extend(self.event(*id, past)?);
        }
        collected.sort_by_key(Event::order);
        let event = collected.iter().find(|event| event.id == job.event).cloned();
        let end = match event {
            None => AttemptEnd::Skipped(Reason::new("unreadable", "its event cannot be read any more")),
            Some(event) => readiness(
                &self.in_force,
                &job,
                &Seen { event: &event, collected: &collected, records: &self.state, steps: &serde_json::Map::new(), index: &self.index },
                now,
            )
            .map_or_else(
                |end| match end {
                    // What a step would have given is not known, for it was not run.
                    AttemptEnd::Dead(reason) if reason.code == "template" && !job.needs.is_empty() => run(),
                    other => other,
                },
                |_| run(),
            ),
        };
        match &end {
            AttemptEnd::Done { .. } => self.ran(&job),
            AttemptEnd::Wait { .. } if self.waited.insert(job.id) => self.count(&job.rule).waited += 1,
            _ => {}
        }
        let settlement = Settlement {
            job: job.id,
            lease: job.lease,
            end,
            journal: Vec::new(),
            shown: None,
            local: Vec::new(),
            emitted: Vec::new(),
            outward: false,
            report: Report::default(),
            policy: RetryPolicy::default(),
        };
        let key = job.key.and_then(|key| self.state.keys.get(&key));
        if let Settled::Applied { job: next, key: row, .. } = settle(&job, key, &settlement, now) {
            if let (Some(key), Some(row)) = (job.key, row) {
                self.state.keys.insert(key, row);
            }
            self.stands(*next);
        }
        Ok(())
    }

    fn event(&self, id: EventId, past: &dyn Past) -> Result<Option<Event>, Error> {
        match self.page.get(&id) {
            Some(event) => Ok(Some(event.clone())),
            None => past.event(id),
        }
    }

    /// Counts what a run would do, as far as the rule says it.
    fn ran(&mut self, job: &Job) {
        let local = job.due.to_zoned(self.in_force.clinic_zone(job, &self.state)).time();
        let outside = local < DAY.0 || local >= DAY.1;
        let in_force = self.in_force.clone();
        let Some(action) = in_force.action(&job.automation, &job.action).map(|found| found.action) else { return };
        let channel = action
            .grant
            .messages
            .as_ref()
            .map(|granted| self.channels.choose(&granted.channels, None).map_or(NO_CHANNEL, |(name, _)| name));
        let channel = channel.map(str::to_owned);
        let unfounded = action.basis.is_none() && action.class != Class::Public;
        let counts = self.count(&job.rule);
        counts.outside_hours += u64::from(outside);
        if let Some(channel) = channel {
            counts.no_basis += u64::from(unfounded);
            *counts.messages.entry(channel).or_default() += 1;
        }
    }

    /// Keeps a job as it now stands; one that has ended is counted and forgotten, and takes along or lets go those that need it.
    fn stands(&mut self, job: Job) {
        let mut standing = vec![job];
        while let Some(job) = standing.pop() {
            if job.state.is_live() {
                if !job.waits() {
                    self.due.insert((job.run_at, job.id));
                }
                self.state.jobs.insert(job.id, job);
                continue;
            }
            self.count(&job.rule).end(&job);
            self.forget(&job);
            for id in self.needing.remove(&job.id).unwrap_or_default() {
                standing.extend(self.state.jobs.get(&id).and_then(|other| step_ended(other, job.id, job.state)));
            }
        }
    }

    fn forget(&mut self, job: &Job) {
        if matches!(job.state, JobState::Cancelled | JobState::Skipped) {
            // It holds no place in its window any more.
            self.state.void.insert(job.id);
        }
        self.state.jobs.remove(&job.id);
        self.waited.remove(&job.id);
        self.collected.remove(&job.id);
        for lookup in &job.lookups {
            let hash = lookup.record.hash;
            if let Some(readers) = self.state.readers.get_mut(&hash) {
                readers.remove(&job.id);
                if readers.is_empty() {
                    self.state.readers.remove(&hash);
                }
            }
        }
        if let Some(row) = job.key.and_then(|key| self.state.keys.get_mut(&key)).filter(|row| row.live == Some(job.id)) {
            row.live = None;
        }
    }

    /// Fetches what the live jobs read that read what `arrival` writes.
    fn fetch_readers(&mut self, arrival: &Arrival, past: &dyn Past) -> Result<(), Error> {
        let readers = arrival.records.iter().filter_map(|write| self.state.readers.get(&write.key.hash)).flatten();
        let jobs = readers.filter_map(|id| self.state.jobs.get(id));
        let wanted: Vec<KeyHash> = jobs.flat_map(|job| job.lookups.iter().map(|lookup| lookup.record.hash)).collect();
        self.fetch(wanted, past)
    }

    /// Fetches records that are not at hand.
    fn fetch(&mut self, wanted: impl IntoIterator<Item = KeyHash>, past: &dyn Past) -> Result<(), Error> {
        let wanted = wanted.into_iter().filter(|hash| !self.state.records.contains_key(hash) && !self.absent.contains(hash));
        let wanted: HashSet<KeyHash> = wanted.collect();
        if !wanted.is_empty() {
            let found = past.records(&wanted)?;
            self.absent.extend(wanted.into_iter().filter(|hash| !found.contains_key(hash)));
            self.state.records.extend(found);
        }
        Ok(())
    }
}

/// The end of an attempt whose plugin would have been run.
fn run() -> AttemptEnd {
    AttemptEnd::Done { code: "run".to_owned() }
}
