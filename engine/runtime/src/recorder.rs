//! What a plugin did in one attempt: checked against its grants, replayed from the journal or done anew, and written down.

mod request;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Map, Value};
use tracing::Instrument;
use zelo_core::effect::{Attachment, Message};
use zelo_core::settle::{Checkpoint, Checkpointed, LocalWrite, LogLine, Purpose};
use zelo_core::{
    Arrival, AutomationId, Cause, Effect, EffectResult, Emitted, Event, Grants, Invocation, Job, JournalEntry, KeyHash, LINEAGE_MAX,
    Person, SpanId, Stamp,
};
use zelo_host::{Effects, Level, Stop};
use zelo_rules::InForce;
use zelo_store::{Work, effect_id, parse_effect_id};

use crate::Runtime;
use crate::budgets::{ASK_AGAIN, Answer, Places};
use crate::connection::ChannelKind;

/// What an attempt leaves behind. Shared between the run, which fills it, and the attempt, which settles it.
#[derive(Default)]
pub(crate) struct Trace {
    /// Entries that are not in the store yet, by their place.
    pub(crate) journal: Vec<(u32, JournalEntry)>,
    pub(crate) local: Vec<LocalWrite>,
    /// What the plugin was shown, where nothing of the attempt is kept.
    pub(crate) shown: Option<Box<Invocation>>,
    pub(crate) emitted: Vec<Arrival>,
    /// Whether something was done that no cancellation can take back: a number was given.
    pub(crate) outward: bool,
    /// Whether something of it is on disk.
    pub(crate) kept: bool,
    /// Held while something is on its way there.
    pub(crate) writing: Arc<tokio::sync::Mutex<()>>,
    /// The plugin's log.
    pub(crate) lines: Vec<LogLine>,
    /// What its messages hold of the budgets of their contacts.
    pub(crate) places: Places,
}

impl Trace {
    /// What is left of an attempt that was broken off: what has to be answered for, since nothing else of it is kept. Where it had
    /// `begun`, its first entry is on disk, and that a plugin was shown `invocation` with it.
    pub(crate) fn broken_off(self, invocation: Invocation, begun: bool) -> Self {
        let shown = (!begun).then(|| (0, JournalEntry::Invocation(Box::new(invocation))));
        let refused = self.journal.into_iter().filter(|(_, entry)| is_refused(entry));
        Self { journal: shown.into_iter().chain(refused).collect(), lines: self.lines, places: self.places, ..Self::default() }
    }

    /// What is left of an attempt that hung: nothing but what has to be answered for. Its plugin was shown `invocation`; where that is
    /// `frozen`, it is on disk.
    pub(crate) fn given_up(self, invocation: Invocation, frozen: bool) -> Self {
        let shown = (!frozen).then(|| Box::new(invocation));
        Self { shown, lines: self.lines, places: self.places, ..Self::default() }
    }

    /// Whether the attempt has sent anything to somebody else's machine, if only to ask.
    pub(crate) fn has_asked(&self) -> bool {
        let is_request = |entry: &JournalEntry| {
            matches!(entry, JournalEntry::Effect { effect: Effect::Http(_), .. } | JournalEntry::Begun { effect: Effect::Http(_), .. })
        };
        self.journal.iter().any(|(_, entry)| is_request(entry))
    }

    /// Whether the attempt has done nothing but read. What was refused has to be answered for, so it counts as done.
    pub(crate) fn is_idle(&self) -> bool {
        self.local.is_empty() && self.emitted.is_empty() && !self.outward && !self.journal.iter().any(|(_, entry)| is_refused(entry))
    }
}

fn is_refused(entry: &JournalEntry) -> bool {
    matches!(entry, JournalEntry::Effect { result: EffectResult::Refused { .. }, .. })
}

/// Performs the effects of one attempt.
pub(crate) struct Recorder {
    runtime: Runtime,
    in_force: Arc<InForce>,
    job: Job,
    event: Event,
    /// The automations that led to its event, or to any that it collected, and its own.
    lineage: Vec<AutomationId>,
    grants: Grants,
    /// What earlier attempts stored, entry 0 (the invocation) included.
    stored: Vec<JournalEntry>,
    /// The place of the next effect.
    next: u32,
    /// State that this attempt has written, which the store does not know yet.
    written: HashMap<KeyHash, Option<String>>,
    /// The places of the documents that this job has made.
    documents: HashSet<u32>,
    trace: Arc<Mutex<Trace>>,
}

impl Recorder {
    /// `frozen`: whether an earlier attempt stored `invocation`.
    pub(crate) fn new(
        runtime: &Runtime,
        in_force: &Arc<InForce>,
        work: Work,
        invocation: &Invocation,
        frozen: bool,
    ) -> (Self, Arc<Mutex<Trace>>) {
        let journal = if frozen { Vec::new() } else { vec![(0, JournalEntry::Invocation(Box::new(invocation.clone())))] };
        // A number that an earlier attempt was given is given for good, and what was sent cannot be taken back.
        let outward = work.journal.iter().any(|entry| match entry {
            JournalEntry::Effect { effect, result } => is_outward(effect) && !matches!(result, EffectResult::Refused { .. }),
            JournalEntry::Begun { in_flight, .. } => *in_flight,
            JournalEntry::Invocation(_) => false,
        });
        let trace = Arc::new(Mutex::new(Trace { journal, outward, ..Trace::default() }));
        let lineage = lineage(&work);
        let event = Event { subjects: subjects(in_force, &work), ..work.event };
        let recorder = Self {
            runtime: runtime.clone(),
            in_force: in_force.clone(),
            job: work.job,
            event,
            lineage,
            grants: invocation.grants.clone(),
            stored: work.journal,
            next: 1,
            written: HashMap::new(),
            documents: HashSet::new(),
            trace: trace.clone(),
        };
        (recorder, trace)
    }

    /// Does an effect. All but counters and requests are local: they commit with the settlement. `begun` says what an earlier
    /// attempt left of a request.
    async fn perform_new(&mut self, index: u32, effect: &Effect, begun: Begun) -> Result<EffectResult, Stop> {
        if let Some(reason) = self.not_granted(effect) {
            return Ok(EffectResult::Refused { reason });
        }
        match effect {
            Effect::Message(message) => self.send(index, message).await,
            Effect::Http(request) => self.request(index, request, begun).await,
            Effect::Document(document) => {
                self.documents.insert(index);
                lock(&self.trace).local.push(LocalWrite::Document { index, document: document.clone() });
                Ok(EffectResult::Kept { document: effect_id(self.job.id, index) })
            }
            Effect::RecordGet { record, id } => self.read_record(record, id).await,
            Effect::RecordEdit(edit) => {
                let hash = self.runtime.store.indexer().record(&self.job.connection, &edit.record, &edit.id);
                let stamp = Stamp { time: self.event.order(), event: self.event.id };
                lock(&self.trace).local.push(LocalWrite::Record { hash, stamp, edit: edit.clone() });
                Ok(EffectResult::Done)
            }
            Effect::Event(emitted) => Ok(self.emit(index, emitted)),
            Effect::StateNext { key } => self.count(index, key, effect).await,
            Effect::StateGet { key } => {
                let slot = self.slot(key);
                if let Some(value) = self.written.get(&slot) {
                    return Ok(EffectResult::Value { value: value.clone() });
                }
                let store = self.runtime.store.clone();
                let value = undivided(async move { store.state(slot).await }).await?;
                Ok(EffectResult::Value { value })
            }
            Effect::StateSet { key, value } => Ok(self.keep(key, Some(value.clone()))),
            Effect::StateDelete { key } => Ok(self.keep(key, None)),
        }
    }

    /// Why the rule does not let the action do this, whatever else is right or wrong with it.
    fn not_granted(&self, effect: &Effect) -> Option<String> {
        let not = |what: &str| Some(format!("{what} not granted"));
        match effect {
            // What an earlier attempt has begun has to be told apart first.
            Effect::Http(_) => None,
            Effect::Message(message) => match &self.grants.messages {
                None => not("messages are"),
                Some(granted) if !granted.to.contains(&message.to) => not("this recipient is"),
                Some(_) => None,
            },
            Effect::Document(_) => {
                if self.grants.documents {
                    None
                } else {
                    not("documents are")
                }
            }
            Effect::RecordGet { record, id } => self.record_not_granted(record, id),
            Effect::RecordEdit(edit) => self.record_not_granted(&edit.record, &edit.id).or_else(|| {
                let granted = self.grants.records.get(&edit.record)?;
                let strange = edit.set.keys().chain(edit.append.keys()).find(|field| !granted.fields.contains(*field))?;
                not(&format!("field `{strange}` of records `{}` is", edit.record))
            }),
            Effect::Event(emitted) if !self.grants.events.contains(&emitted.kind) => not(&format!("event `{}` is", emitted.kind)),
            Effect::Event(_) => None,
            Effect::StateNext { .. } | Effect::StateGet { .. } | Effect::StateSet { .. } | Effect::StateDelete { .. } => {
                if self.grants.state { None } else { not("state is") }
            }
        }
    }

    fn record_not_granted(&self, record: &str, id: &str) -> Option<String> {
        let Some(granted) = self.grants.records.get(record) else { return Some(format!("records `{record}` are not granted")) };
        let allowed = granted.ids.as_ref().is_none_or(|ids| ids.iter().any(|granted| granted == id));
        (!allowed).then(|| format!("this record `{record}` is not granted"))
    }

    async fn send(&mut self, index: u32, message: &Message) -> Result<EffectResult, Stop> {
        let refused = |reason: String| Ok(EffectResult::Refused { reason });
        for attachment in &message.attachments {
            if let Attachment::Document { id } = attachment
                && !self.has_document(id).await?
            {
                return refused("this document was made by no step of this rule for this event".to_owned());
            }
        }
        let channels = self.grants.messages.iter().flat_map(|granted| granted.channels.iter().cloned()).collect::<Vec<_>>();
        match self.runtime.channels.choose(&channels, message.channel.as_deref()) {
            Err(reason) => refused(reason),
            Ok((channel, ChannelKind::Outbox)) => {
                if let Some(reason) = self.over_budget(&message.to).await? {
                    return refused(reason);
                }
                let write = LocalWrite::Message { index, channel: channel.to_owned(), message: message.clone() };
                lock(&self.trace).local.push(write);
                Ok(EffectResult::Sent { message: effect_id(self.job.id, index), channel: channel.to_owned() })
            }
        }
    }

    /// Why no more messages go to `to`; otherwise one more counts.
    async fn over_budget(&self, to: &str) -> Result<Option<String>, Stop> {
        let of_action = self.grants.messages.as_ref().and_then(|granted| granted.budget);
        let runtime = self.runtime.clone();
        let Some(asking) = runtime.budgets.asking(runtime.store.as_ref(), &self.job, to, of_action, runtime.clock.now()) else {
            return Ok(None);
        };
        if lock(&self.trace).places.take_kept(asking.contact()) {
            return Ok(None);
        }
        let asking = asking.beside(&lock(&self.trace).places);
        match undivided(async move { runtime.budgets.ask(runtime.store.as_ref(), &asking).await }).await? {
            Answer::Take(place) => {
                lock(&self.trace).places.take(place);
                Ok(None)
            }
            Answer::Spent(reason) => Ok(Some(reason)),
            Answer::Later => {
                let reason = "other jobs may be sending the last messages that this contact may get".to_owned();
                Err(Stop::Later { reason, after: Some(ASK_AGAIN) })
            }
        }
    }

    /// Whether `id` names a document that this job, or a step before it, has made.
    async fn has_document(&self, id: &str) -> Result<bool, Stop> {
        let Some((job, index)) = parse_effect_id(id) else { return Ok(false) };
        if job == self.job.id {
            return Ok(self.documents.contains(&index));
        }
        if !self.job.needs.iter().any(|need| need.done && need.job == job) {
            return Ok(false);
        }
        let store = self.runtime.store.clone();
        Ok(undivided(async move { store.document(job, index).await }).await?.is_some())
    }

    /// The fields of a record that the action may write.
    async fn read_record(&self, record: &str, id: &str) -> Result<EffectResult, Stop> {
        let hash = self.runtime.store.indexer().record(&self.job.connection, record, id);
        let store = self.runtime.store.clone();
        let row = undivided(async move { store.record_at(hash).await }).await?;
        let granted = self.grants.records.get(record);
        let fields = row.and_then(|row| match row.document {
            Value::Object(fields) => Some(fields),
            _ => None,
        });
        let visible = |fields: Map<String, Value>| {
            fields.into_iter().filter(|(name, _)| granted.is_some_and(|granted| granted.fields.contains(name))).collect()
        };
        Ok(EffectResult::Record { fields: fields.map(visible) })
    }

    /// Counts, and puts all that the attempt has done so far on disk with it: what comes after a number must not be able to
    /// forget what came before.
    async fn count(&mut self, index: u32, key: &str, effect: &Effect) -> Result<EffectResult, Stop> {
        let counted = self.checkpoint(Purpose::Count { slot: self.slot(key), index, effect: effect.clone() }).await?;
        lock(&self.trace).outward = true;
        counted.map(|value| EffectResult::Counted { value }).ok_or_else(|| Stop::Store("a counter did not count".to_owned()))
    }

    /// Puts all that the attempt has done so far on disk; what a counter stands at then.
    async fn checkpoint(&self, purpose: Purpose) -> Result<Option<u64>, Stop> {
        let writing = lock(&self.trace).writing.clone();
        let writing = writing.lock_owned().await;
        let checkpoint = {
            let mut trace = lock(&self.trace);
            Checkpoint {
                job: self.job.id,
                lease: self.job.lease,
                journal: std::mem::take(&mut trace.journal),
                local: std::mem::take(&mut trace.local),
                emitted: std::mem::take(&mut trace.emitted),
                purpose,
            }
        };
        let (store, now) = (self.runtime.store.clone(), self.runtime.clock.now());
        let trace = self.trace.clone();
        let written = async move {
            let outcome = store.checkpoint(checkpoint, now).await;
            lock(&trace).kept |= matches!(outcome, Ok(Checkpointed::Kept | Checkpointed::Counted(_)));
            drop(writing);
            outcome
        };
        let counted = match undivided(written).await? {
            Checkpointed::Kept => None,
            Checkpointed::Counted(value) => Some(value),
            Checkpointed::Cancelled(reason) => return Err(Stop::Cancelled(reason)),
            Checkpointed::Stale => {
                // Perhaps somebody whose data it was shown was erased: what it said of them is not kept either.
                lock(&self.trace).lines.clear();
                return Err(Stop::Store("what it had is not there any more, or another worker holds this job now".to_owned()));
            }
        };
        lock(&self.trace).places.stored();
        Ok(counted)
    }

    /// An event of the plugin, unless the chain that leads to it is too long to be meant.
    fn emit(&self, index: u32, emitted: &Emitted) -> EffectResult {
        // Its own automation is the last of them.
        let led = self.lineage.len().saturating_sub(1);
        if led >= LINEAGE_MAX {
            let reason = format!(
                "{led} automations led to this job, each by an event of its own, and a chain is no longer than {LINEAGE_MAX}: this may be a loop"
            );
            return EffectResult::Refused { reason };
        }
        let arrival = self.arrival(index, emitted);
        lock(&self.trace).emitted.push(arrival);
        EffectResult::Done
    }

    /// An event of the plugin, matched against the rules in force. It is of the connection, the source and the people of the
    /// event that led to it.
    fn arrival(&self, index: u32, emitted: &Emitted) -> Arrival {
        let store = &self.runtime.store;
        let (indexer, now) = (store.indexer(), self.runtime.clock.now());
        let event = Event {
            id: self.runtime.counts.id(now, self.runtime.entropy.as_ref()),
            kind: emitted.kind.clone(),
            time: now,
            received: now,
            entity: None,
            data: emitted.data.clone().into(),
            cause: Some(Cause { job: self.job.id, lineage: self.lineage.clone() }),
            ..self.event.clone()
        };
        Arrival {
            body: Arc::from(emitted.data.to_string().into_bytes()),
            delivery: indexer.delivery(&event.connection, &event.kind, &effect_id(self.job.id, index)),
            quarantined: false,
            entity: None,
            people: event.subjects.iter().map(|subject| Person::new(indexer.subject(&event.connection, subject))).collect(),
            consents: Vec::new(),
            records: Vec::new(),
            candidates: self.in_force.candidates(&event, indexer),
            timetable: self.in_force.clone(),
            event,
        }
    }

    fn keep(&mut self, key: &str, value: Option<String>) -> EffectResult {
        let slot = self.slot(key);
        self.written.insert(slot, value.clone());
        lock(&self.trace).local.push(LocalWrite::State { slot, value });
        EffectResult::Done
    }

    /// An action's state is its own: no other clinic, rule or action reaches it.
    fn slot(&self, key: &str) -> KeyHash {
        let Job { connection, clinic, rule, action, .. } = &self.job;
        self.runtime.store.indexer().state(connection, clinic.as_deref().unwrap_or_default(), rule, action, key)
    }

    /// What a replayed effect had done, so that a later one of the same run sees it.
    fn replayed(&mut self, index: u32, effect: &Effect, result: &EffectResult) {
        if matches!(result, EffectResult::Kept { .. }) {
            self.documents.insert(index);
        }
        match effect {
            Effect::StateSet { key, value } => drop(self.written.insert(self.slot(key), Some(value.clone()))),
            Effect::StateDelete { key } => drop(self.written.insert(self.slot(key), None)),
            _ => {}
        }
    }
}

#[async_trait]
impl Effects for Recorder {
    async fn perform(&mut self, effect: Effect) -> Result<EffectResult, Stop> {
        let index = self.next;
        self.next += 1;
        let mut begun = Begun::Not;
        match self.stored.get(index as usize) {
            Some(JournalEntry::Effect { effect: before, result }) if *before == effect => {
                let result = result.clone();
                self.replayed(index, &effect, &result);
                return Ok(result);
            }
            Some(JournalEntry::Begun { effect: before, in_flight }) if *before == effect => {
                begun = if *in_flight { Begun::InFlight } else { Begun::NotDone };
            }
            Some(JournalEntry::Effect { effect: before, .. } | JournalEntry::Begun { effect: before, .. }) => {
                let name = |effect: &Effect| format!("effect {index}: {}", effect.kind());
                let (asked, mut recorded) = (name(&effect), name(before));
                if asked == recorded {
                    recorded.push_str(" with other content");
                }
                return Err(Stop::Differs { asked, recorded });
            }
            Some(JournalEntry::Invocation(_)) => return Err(Stop::Store("the journal holds two invocations".to_owned())),
            None => {}
        }
        let span = tracing::debug_span!(
            "effect",
            kind = effect.kind(),
            index,
            span_id = %SpanId::of_effect(self.job.id, self.job.lease, index),
            outcome = tracing::field::Empty,
        );
        let done = self.perform_new(index, &effect, begun).instrument(span.clone()).await;
        span.record("outcome", done.as_ref().map_or_else(Stop::kind, EffectResult::kind));
        let result = done?;
        if matches!(result, EffectResult::Refused { .. }) {
            // Why stands in the journal: it may repeat what the plugin wrote.
            tracing::warn!(job = %self.job.id, rule = self.job.rule, action = self.job.action, effect = effect.kind(), "an effect was refused");
        }
        match &result {
            // Its entry is on disk with its number.
            EffectResult::Counted { .. } => {}
            _ => lock(&self.trace).journal.push((index, JournalEntry::Effect { effect: effect.clone(), result: result.clone() })),
        }
        if is_outward(&effect) && matches!(result, EffectResult::Answered { .. } | EffectResult::Unusable { .. }) {
            // On disk before the plugin knows it.
            lock(&self.trace).outward = true;
            self.checkpoint(Purpose::Done).await?;
        }
        Ok(result)
    }

    /// A line may hold personal data: it stays with the job, sealed.
    fn log(&mut self, level: Level, text: &str) {
        lock(&self.trace).lines.push(LogLine { level: level.as_str().to_owned(), text: text.to_owned() });
    }
}

/// What an earlier attempt left of an effect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    Not,
    /// It is known that it was not carried out.
    NotDone,
    /// Nobody knows whether it was.
    InFlight,
}

/// Whether no cancellation can take it back once it was done: a number was given, somebody else's machine has changed.
fn is_outward(effect: &Effect) -> bool {
    match effect {
        Effect::StateNext { .. } => true,
        Effect::Http(request) => !request.method.is_safe(),
        _ => false,
    }
}

/// The automations that led to the events of `work`, each once, and its own at the end.
fn lineage(work: &Work) -> Vec<AutomationId> {
    let mut lineage: Vec<AutomationId> = Vec::new();
    let causes = std::iter::once(&work.event).chain(&work.collected).filter_map(|event| event.cause.as_ref());
    for automation in causes.flat_map(|cause| &cause.lineage) {
        if !lineage.contains(automation) {
            lineage.push(automation.clone());
        }
    }
    lineage.push(work.job.automation.clone());
    lineage
}

/// The people that the events of `work` are about: what comes of them is about all of these together.
fn subjects(in_force: &InForce, work: &Work) -> Vec<String> {
    let mut subjects = in_force.subjects_of(&work.job, &work.event);
    for subject in work.collected.iter().flat_map(|event| in_force.subjects_of(&work.job, event)) {
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    subjects
}

/// Runs `question` in a task of its own: the wall time of the run may end this future, which must not end the store's midway.
async fn undivided<T: Send + 'static>(question: impl Future<Output = Result<T, zelo_store::Error>> + Send + 'static) -> Result<T, Stop> {
    match tokio::spawn(question).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Stop::Store(error.to_string())),
        Err(broken) => Err(Stop::Store(broken.to_string())),
    }
}

/// A run that panicked leaves what it had done; a settlement decides about it.
pub(crate) fn lock(trace: &Mutex<Trace>) -> MutexGuard<'_, Trace> {
    trace.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
pub(crate) mod tests;
