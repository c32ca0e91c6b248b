//! What an arrival changes: the one place where keys, order and replacement are decided.
//!
//! [`decide`] is a function of an [`Arrival`] and of the rows it asked for ([`Needs`]), which the store reads and
//! writes back inside one transaction. It is called for each arrival of a batch in order, on the same [`State`], so a
//! batch ends as its arrivals would have ended one by one.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::arrival::{Arrival, Candidate, LookupRef, Plan, RecordRef, RecordWrite};
use crate::concurrency::Lane;
use crate::event::Status;
use crate::hash::{KeyHash, KeyMap};
use crate::id::{AutomationId, EventId, JobId};
use crate::job::{Job, JobState, Need, Reason};
use crate::record::RecordRow;
use crate::reschedule;
use crate::timing::{DueQuestion, Records, Timetable};
use crate::window::{Counted, Throttle, Window};

mod over_time;
mod replay;

pub use over_time::Joined;
pub use replay::{Fate, Fired, Pace, Past, REPLAY_LATE, Replay};

/// The code of the reason by which a [`Timetable`] says that the job's automation is off.
pub const SWITCHED_OFF: &str = "switched_off";
/// The code of the reason by which a [`Timetable`] says that the job's rule has no such action any more.
pub const RULE_GONE: &str = "rule_gone";

/// What is remembered under one job key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// The job that may still run.
    pub live: Option<JobId>,
    /// The time of the newest event that spoke under this key, to fire or to cancel. It outlives the job, so a
    /// cancellation that arrives before a late edit stands. Where events are collected, of the newest that cancelled.
    pub newest: Timestamp,
    /// The anchor of the last job that was done: the same one is never done again.
    pub done: Option<DoneAnchor>,
}

/// The anchor of a job that was done, which may be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DoneAnchor(pub Option<Timestamp>);

/// The rows that a batch of arrivals asks for.
#[derive(Debug, Default)]
pub struct Needs {
    pub deliveries: HashSet<KeyHash>,
    pub entities: HashSet<KeyHash>,
    pub keys: HashSet<KeyHash>,
    /// Records that the arrivals write: pending jobs that read them are asked for too, with all that those read.
    pub written: HashSet<KeyHash>,
    /// Records that new jobs will read.
    pub read: HashSet<KeyHash>,
    /// What actions remember over time, with which of the jobs there came to nothing.
    pub windows: HashSet<KeyHash>,
}

impl Needs {
    /// What `arrivals` ask for.
    pub fn of(arrivals: &[Arrival]) -> Self {
        let mut needs = Self::default();
        for arrival in arrivals {
            needs.deliveries.insert(arrival.delivery);
            needs.entities.extend(arrival.entity);
            needs.written.extend(arrival.records.iter().map(|write| write.key.hash));
            for candidate in &arrival.candidates {
                needs.keys.extend(candidate.plan.key());
                if let Plan::Fire { lookups, over, .. } = &candidate.plan {
                    needs.read.extend(lookups.iter().map(|lookup| lookup.record.hash));
                    needs.windows.extend(over.throttle.map(|throttle| throttle.window));
                    needs.windows.extend(over.count.map(|count| count.window));
                }
            }
        }
        needs
    }
}

/// The rows that were asked for, and what became of them.
#[derive(Debug, Default)]
pub struct State {
    /// Events already stored under these deliveries.
    pub deliveries: KeyMap<EventId>,
    /// The newest time of each entity.
    pub entities: KeyMap<Timestamp>,
    pub keys: HashMap<KeyHash, KeyRow>,
    /// Live jobs: those under the keys, and those that read the written records.
    pub jobs: HashMap<JobId, Job>,
    /// Live jobs that read a record.
    pub readers: HashMap<KeyHash, BTreeSet<JobId>>,
    pub records: HashMap<KeyHash, RecordRow>,
    pub windows: HashMap<KeyHash, Window>,
    /// Jobs in the windows that were cancelled or skipped.
    pub void: HashSet<JobId>,
    /// What must be written back.
    pub dirty: Dirty,
}

/// What must be written back; the values stand in [`State`].
#[derive(Debug, Default)]
pub struct Dirty {
    pub entities: HashSet<KeyHash>,
    pub keys: HashSet<KeyHash>,
    pub records: HashSet<KeyHash>,
    pub new_jobs: BTreeSet<JobId>,
    pub changed_jobs: BTreeSet<JobId>,
    pub windows: HashSet<KeyHash>,
    /// Events that were collected, in order of arrival; the first of a new job is the one that opened it.
    pub joined: Vec<Joined>,
    /// Jobs that were there before and collected more, with the records that they read before.
    pub grown: HashMap<JobId, Vec<LookupRef>>,
}

/// What became of one arrival.
#[derive(Clone, Debug)]
pub struct Decision {
    pub status: Status,
    /// The stored event: of a duplicate, the one stored before.
    pub event: EventId,
    /// Rules that matched, but for those that only counted.
    pub rules: Vec<String>,
    /// Where the event was counted, and fired nothing yet.
    pub counted: Vec<Counted>,
    /// Jobs that were made or changed, as they stand now.
    pub jobs: Vec<Job>,
}

/// What an import does with what is known already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnKnown {
    /// Fields that are known stay as they are.
    Keep,
    Replace,
}

/// What became of one imported record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    New,
    Changed,
    /// It said nothing new.
    Same,
}

/// Works records that no event brought into `state`. Any event of theirs, before or after, knows better.
pub fn import(writes: &[RecordWrite], on_known: OnKnown, timetable: &dyn Timetable, state: &mut State) -> Vec<Imported> {
    let import = |write: &RecordWrite| {
        let hash = write.key.hash;
        let known = state.records.get(&hash);
        let row = RecordRow::imported(known, &write.fields, on_known == OnKnown::Replace);
        let outcome = match known {
            None => Imported::New,
            Some(known) if known.document != row.document => Imported::Changed,
            Some(_) => return Imported::Same,
        };
        state.records.insert(hash, row);
        state.dirty.records.insert(hash);
        state.reconsider(hash, timetable);
        outcome
    };
    writes.iter().map(import).collect()
}

/// Works what a person says at `now` about the record at `hash` into `state`; whether that is anything new. It stands until something
/// later is heard of the same field.
pub fn amend(hash: KeyHash, fields: &Map<String, Value>, now: Timestamp, timetable: &dyn Timetable, state: &mut State) -> bool {
    let known = state.records.get(&hash);
    let row = RecordRow::amended(known, fields, now);
    let news = known.is_none_or(|known| known.document != row.document);
    state.records.insert(hash, row);
    state.dirty.records.insert(hash);
    if news {
        state.reconsider(hash, timetable);
    }
    news
}

impl State {
    /// Looks again at the pending jobs that read the record at `hash`, which has changed. Those that changed by it.
    fn reconsider(&mut self, hash: KeyHash, timetable: &dyn Timetable) -> BTreeSet<JobId> {
        let mut touched = BTreeSet::new();
        for id in self.readers.get(&hash).cloned().unwrap_or_default() {
            let Some(mut job) = self.jobs.remove(&id) else { continue };
            // A job that runs may have read what this replaces: if it ends waiting for something, it looks again.
            let running = job.state == JobState::Running;
            job.again |= running;
            let changed = running || retime(&mut job, timetable, self);
            let ended = !job.state.is_live();
            self.jobs.insert(id, job);
            if changed {
                touched.insert(id);
                self.mark(id);
            }
            if ended {
                self.leave(id);
            }
        }
        touched
    }

    /// Remembers that a job must be written back.
    fn mark(&mut self, id: JobId) {
        if !self.dirty.new_jobs.contains(&id) {
            self.dirty.changed_jobs.insert(id);
        }
    }

    /// A job that ended reads no records any more, and holds no key.
    fn leave(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        for lookup in &job.lookups {
            if let Some(readers) = self.readers.get_mut(&lookup.record.hash) {
                readers.remove(&id);
            }
        }
        if let Some(key) = job.key
            && let Some(row) = self.keys.get_mut(&key)
            && row.live == Some(id)
        {
            row.live = None;
            self.dirty.keys.insert(key);
        }
    }
}

impl Records for State {
    fn record(&self, hash: KeyHash) -> Option<&Value> {
        self.records.get(&hash).map(|row| &row.document)
    }
}

/// Decides what `arrival` changes, and changes it in `state`.
///
/// A duplicate changes nothing. A stale event (older than the newest of its entity; ties by arrival) is stored and
/// fires rules without a key, but no record, replacement or cancellation comes from it.
pub fn decide(arrival: &Arrival, state: &mut State) -> Decision {
    if let Some(&event) = state.deliveries.get(&arrival.delivery) {
        return Decision { status: Status::Duplicate, event, rules: Vec::new(), counted: Vec::new(), jobs: Vec::new() };
    }
    state.deliveries.insert(arrival.delivery, arrival.event.id);
    if arrival.quarantined {
        let (status, event) = (Status::Quarantined, arrival.event.id);
        return Decision { status, event, rules: Vec::new(), counted: Vec::new(), jobs: Vec::new() };
    }
    let mut change = Change::new(arrival, state);
    change.order();
    if !change.stale {
        for write in &arrival.records {
            change.remember(write);
        }
    }
    for candidate in &arrival.candidates {
        change.consider(candidate);
    }
    let Change { stale, touched, counted, counting, .. } = change;
    let fires = |candidate: &&Candidate| {
        matches!(candidate.plan, Plan::Fire { .. }) && !counting.contains(&(&candidate.origin.automation, candidate.origin.action.as_str()))
    };
    let fired: BTreeSet<&String> = arrival.candidates.iter().filter(fires).map(|candidate| &candidate.origin.rule).collect();
    Decision {
        status: if stale { Status::Stale } else { Status::Accepted },
        event: arrival.event.id,
        rules: fired.into_iter().cloned().collect(),
        counted,
        jobs: touched.iter().filter_map(|id| state.jobs.get(id)).cloned().collect(),
    }
}

/// A job that an action wants.
struct Wanted<'a> {
    key: Option<KeyHash>,
    lane: Lane,
    anchor: Option<Timestamp>,
    lookups: &'a [LookupRef],
    needs: Vec<Need>,
    /// Why it will not be run after all.
    not: Option<Reason>,
    throttle: Option<&'a Throttle>,
    /// The pending job whose place it takes.
    replaced: Option<JobId>,
    collected: u32,
}

impl<'a> Wanted<'a> {
    /// That runs, needs nothing and takes nobody's place.
    fn new(key: Option<KeyHash>, anchor: Option<Timestamp>, lookups: &'a [LookupRef]) -> Self {
        Self { key, lane: Lane::default(), anchor, lookups, needs: Vec::new(), not: None, throttle: None, replaced: None, collected: 0 }
    }
}

/// The anchor of a plan, and why there is none where there should be.
fn split(anchor: &Option<Result<Timestamp, String>>) -> (Option<Timestamp>, Option<Reason>) {
    match anchor {
        Some(Ok(anchor)) => (Some(*anchor), None),
        Some(Err(why)) => (None, Some(Reason::new("no_time", why))),
        None => (None, None),
    }
}

/// One arrival being worked into the state.
struct Change<'a> {
    arrival: &'a Arrival,
    state: &'a mut State,
    stale: bool,
    touched: BTreeSet<JobId>,
    /// The jobs that this arrival has made, by automation and action, and whether they are done: only those made before can be.
    steps: HashMap<(&'a AutomationId, &'a str), (JobId, bool)>,
    /// The actions that only count this event, and those that need them.
    counting: HashSet<(&'a AutomationId, &'a str)>,
    counted: Vec<Counted>,
    /// Set where the event was stored before, and is decided about again.
    again: Option<&'a mut Replay>,
}

impl<'a> Change<'a> {
    fn new(arrival: &'a Arrival, state: &'a mut State) -> Self {
        let (touched, steps) = (BTreeSet::new(), HashMap::new());
        Self { arrival, state, stale: false, touched, steps, counting: HashSet::new(), counted: Vec::new(), again: None }
    }

    /// Finds out whether the event is stale, and remembers its time where it is not.
    fn order(&mut self) {
        let Some(entity) = self.arrival.entity else { return };
        let time = self.arrival.event.order();
        match self.state.entities.get(&entity) {
            Some(&newest) if time < newest => self.stale = true,
            _ => {
                self.state.entities.insert(entity, time);
                self.state.dirty.entities.insert(entity);
            }
        }
    }

    fn remember(&mut self, write: &RecordWrite) {
        let RecordRef { hash, .. } = write.key;
        let known = self.state.records.get(&hash);
        let Some(row) = RecordRow::fed(known, &write.fields, self.arrival.event.order()) else { return };
        let same = known.is_some_and(|known| known.document == row.document);
        self.state.records.insert(hash, row);
        self.state.dirty.records.insert(hash);
        if same {
            return;
        }
        self.touched.extend(self.state.reconsider(hash, self.arrival.timetable.as_ref()));
    }

    fn consider(&mut self, candidate: &'a Candidate) {
        match &candidate.plan {
            Plan::Fire { over, lookups, lane, .. } if over.debounce.is_some() => {
                if let Some(key) = over.debounce {
                    let wanted = Wanted { lane: *lane, throttle: over.throttle.as_ref(), ..Wanted::new(Some(key), None, lookups) };
                    self.collect(candidate, key, wanted);
                }
            }
            Plan::Fire { key, anchor, lookups, needs, over, lane, also_about: _ } => {
                if key.is_some_and(|key| !self.speaks(key)) || !self.count(candidate) {
                    return;
                }
                let (anchor, missing) = split(anchor);
                if let (Some(key), Some(missing)) = (key, &missing) {
                    self.cancel(*key, missing);
                }
                let (needs, idle) = self.needs(candidate, needs);
                let pending = key.and_then(|key| self.state.keys.get(&key)).is_some_and(|row| row.live.is_some());
                if idle.is_some() && pending {
                    // Its step runs, or ran, for the event before: so does what is pending here.
                    return;
                }
                let wanted = Wanted {
                    lane: *lane,
                    needs,
                    not: missing.or(idle),
                    throttle: over.throttle.as_ref(),
                    ..Wanted::new(*key, anchor, lookups)
                };
                let live = if key.is_some() { self.replace(candidate, wanted) } else { self.make(candidate, wanted) };
                self.step(candidate, live);
            }
            Plan::Cancel { key, code, text } => {
                if self.speaks(*key) && !self.is_outrun(*key) {
                    self.cancel(*key, &Reason::new(code, text.as_str()));
                }
            }
        }
    }

    /// The jobs that a candidate's job needs; or why one of its steps does not run because of this event.
    fn needs(&self, candidate: &Candidate, steps: &[String]) -> (Vec<Need>, Option<Reason>) {
        let mut needs = Vec::with_capacity(steps.len());
        for step in steps {
            match self.steps.get(&(&candidate.origin.automation, step.as_str())) {
                Some((job, done)) => needs.push(Need { step: step.clone(), job: *job, done: *done }),
                None => return (Vec::new(), Some(Reason::new("step", format!("its step `{step}` does not run for this event")))),
            }
        }
        (needs, None)
    }

    /// Remembers the live job of a candidate, for those that need it.
    fn step(&mut self, candidate: &'a Candidate, live: Option<JobId>) {
        if let Some(id) = live {
            self.steps.insert((&candidate.origin.automation, &candidate.origin.action), (id, false));
        }
    }

    /// Whether this event has a say under `key`: it is newer than whatever spoke there before.
    fn speaks(&mut self, key: KeyHash) -> bool {
        let time = self.arrival.event.order();
        if self.stale || self.state.keys.get(&key).is_some_and(|row| time < row.newest) {
            return false;
        }
        let row = self.state.keys.entry(key).or_insert(KeyRow { live: None, newest: time, done: None });
        row.newest = time;
        self.state.dirty.keys.insert(key);
        true
    }

    /// Fires under a key: what is pending there makes way, unless it is already what is wanted.
    /// The id of the job that is made, if it is live.
    fn replace(&mut self, candidate: &Candidate, mut wanted: Wanted<'_>) -> Option<JobId> {
        let key = wanted.key?;
        let anchor = wanted.anchor;
        let row = self.state.keys.get(&key).cloned();
        let newer = Reason::new("replaced", "replaced: a newer event came for the same key");
        if wanted.not.is_none() && row.as_ref().is_some_and(|row| row.done == Some(DoneAnchor(anchor))) {
            // Something pending for another time is no longer wanted; and why nothing is pending now can be asked.
            wanted.not = Some(Reason::new("already_done", "done before for this very time, and not done twice"));
        }
        if let Some(live) = row.and_then(|row| row.live).and_then(|id| self.state.jobs.get(&id)) {
            let begun = live.state == JobState::Running || live.attempt > 0;
            if begun && live.anchor == anchor && live.cancel.is_none() {
                return None;
            }
            // One that runs is asked to stop, so that its place is free as well.
            wanted.replaced = Some(live.id);
            self.cancel(key, &newer);
        }
        let id = self.make(candidate, wanted)?;
        if let Some(row) = self.state.keys.get_mut(&key) {
            row.live = Some(id);
        }
        Some(id)
    }

    /// Ends what is pending under `key`; asks what is running to stop.
    fn cancel(&mut self, key: KeyHash, reason: &Reason) {
        let Some(id) = self.state.keys.get(&key).and_then(|row| row.live) else { return };
        let Some(job) = self.state.jobs.get_mut(&id) else { return };
        if job.state == JobState::Running {
            job.cancel = Some(reason.clone());
            return self.touch(id);
        }
        job.end(JobState::Cancelled, reason.clone());
        if let Some(row) = self.state.keys.get_mut(&key) {
            row.live = None;
        }
        self.touch(id);
        self.state.leave(id);
    }

    /// Makes a job; its id, if it is live. One that will not run is made too, as skipped, so that people see why.
    fn make(&mut self, candidate: &Candidate, wanted: Wanted<'_>) -> Option<JobId> {
        let Wanted { key, lane, anchor, lookups, needs, not, throttle, replaced, collected } = wanted;
        let event = &self.arrival.event;
        let reference = event.order();
        let question = DueQuestion {
            automation: &candidate.origin.automation,
            action: &candidate.origin.action,
            anchor,
            reference,
            collected,
            lookups,
            clinic: event.clinic.as_deref(),
        };
        let due = self.arrival.timetable.due(&question, self.state).and_then(|due| Ok((due, self.run_at(&question, due)?)));
        let (at, run_at) = due.as_ref().map_or((reference, reference), |(due, run_at)| (due.at, *run_at));
        let id = self.job_id(candidate);
        let due = match (not, due, throttle) {
            (Some(reason), ..) => Err(reason),
            (None, Ok((due, _)), Some(throttle)) => self.admit(throttle, replaced, id).map(|()| due),
            (None, due, _) => due.map(|(due, _)| due),
        };
        let free = needs.iter().all(|need| need.done);
        let now = self.again.as_ref().map_or(event.received, |replay| replay.now());
        let job = Job {
            id,
            event: event.id,
            connection: event.connection.clone(),
            clinic: event.clinic.clone(),
            entity: self.arrival.entity,
            automation: candidate.origin.automation.clone(),
            rule: candidate.origin.rule.clone(),
            action: candidate.origin.action.clone(),
            rule_digest: candidate.origin.rule_digest.clone(),
            key,
            lane,
            lookups: lookups.to_vec(),
            needs,
            collected,
            anchor,
            reference,
            due: at,
            expires: due.as_ref().ok().and_then(|due| due.expires),
            run_at,
            state: match &due {
                Err(_) => JobState::Skipped,
                Ok(_) if run_at <= now && free => JobState::Ready,
                Ok(_) => JobState::Scheduled,
            },
            attempt: 0,
            lease: 0,
            attention: None,
            reason: due.err(),
            cancel: None,
            again: false,
            in_flight: false,
            plugin: None,
            moved: None,
        };
        let live = job.state.is_live();
        if let Some(replay) = self.again.as_mut().filter(|_| live) {
            replay.made(&job);
        }
        if live {
            for lookup in lookups {
                self.state.readers.entry(lookup.record.hash).or_default().insert(id);
            }
        }
        self.state.jobs.insert(id, job);
        self.state.dirty.new_jobs.insert(id);
        self.touched.insert(id);
        live.then_some(id)
    }

    fn touch(&mut self, id: JobId) {
        self.touched.insert(id);
        self.state.mark(id);
    }
}

/// Computes the due time of a live job again, on the records given. True if the job changed.
///
/// A job that waits for a missing contact is looked at again. One that has begun keeps its time, but is ended, or asked to
/// end while it runs, where its automation is off.
pub fn retime(job: &mut Job, timetable: &dyn Timetable, records: &dyn Records) -> bool {
    let begun = job.state == JobState::Running || job.attempt > 0;
    match timetable.due(&DueQuestion::of(job), records).map(|due| reschedule::standing(job, due)) {
        Err(reason) if reason.code == SWITCHED_OFF || reason.code == RULE_GONE => {
            if job.state == JobState::Running {
                let news = job.cancel.is_none();
                job.cancel.get_or_insert(reason);
                return news;
            }
            job.end(JobState::Cancelled, reason);
            true
        }
        _ if begun => false,
        Ok((due, moved)) if due.at == job.due && due.expires == job.expires && moved == job.moved && job.attention.is_none() => false,
        Ok((due, moved)) => {
            job.due = due.at;
            job.expires = due.expires;
            job.run_at = due.at;
            job.moved = moved;
            job.state = JobState::Scheduled;
            job.attention = None;
            true
        }
        Err(reason) => {
            job.end(JobState::Skipped, reason);
            true
        }
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
