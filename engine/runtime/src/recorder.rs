//! What a plugin did in one attempt: checked against its grants, replayed from the journal or done anew, and written down.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use zelo_core::effect::Message;
use zelo_core::settle::{LocalWrite, LogLine};
use zelo_core::{Effect, EffectResult, Grants, Job, JournalEntry, KeyHash};
use zelo_host::{Effects, Level, Stop};
use zelo_store::message_id;

use crate::Runtime;
use crate::connection::ChannelKind;

/// What an attempt leaves behind. Shared between the run, which fills it, and the attempt, which settles it.
#[derive(Default)]
pub(crate) struct Trace {
    /// Entries that are not in the store yet, by their place.
    pub(crate) journal: Vec<(u32, JournalEntry)>,
    pub(crate) local: Vec<LocalWrite>,
    /// The plugin's log.
    pub(crate) lines: Vec<LogLine>,
}

/// Performs the effects of one attempt.
pub(crate) struct Recorder {
    runtime: Runtime,
    job: Job,
    grants: Grants,
    /// What earlier attempts stored, entry 0 (the invocation) included.
    stored: Vec<JournalEntry>,
    /// The place of the next effect.
    next: u32,
    /// State that this attempt has written, which the store does not know yet.
    written: HashMap<KeyHash, Option<String>>,
    trace: Arc<Mutex<Trace>>,
}

impl Recorder {
    pub(crate) fn new(runtime: &Runtime, job: &Job, grants: Grants, stored: Vec<JournalEntry>) -> (Self, Arc<Mutex<Trace>>) {
        let trace = Arc::<Mutex<Trace>>::default();
        let recorder =
            Self { runtime: runtime.clone(), job: job.clone(), grants, stored, next: 1, written: HashMap::new(), trace: trace.clone() };
        (recorder, trace)
    }

    /// Does an effect for the first time. Everything of this version is local: it commits with the settlement.
    async fn perform_new(&mut self, index: u32, effect: &Effect) -> Result<EffectResult, Stop> {
        match effect {
            Effect::Message(message) => Ok(self.send(index, message)),
            Effect::StateGet { .. } | Effect::StateSet { .. } | Effect::StateDelete { .. } if !self.grants.state => {
                Ok(EffectResult::Refused { reason: "state is not granted".to_owned() })
            }
            Effect::StateGet { key } => {
                let slot = self.slot(key);
                if let Some(value) = self.written.get(&slot) {
                    return Ok(EffectResult::Value { value: value.clone() });
                }
                // In a task of its own: the wall time of the run may end this future, which must not end a read midway.
                let store = self.runtime.store.clone();
                let read = tokio::spawn(async move { store.state(slot).await });
                match read.await {
                    Ok(Ok(value)) => Ok(EffectResult::Value { value }),
                    Ok(Err(error)) => Err(Stop::Store(error.to_string())),
                    Err(broken) => Err(Stop::Store(broken.to_string())),
                }
            }
            Effect::StateSet { key, value } => Ok(self.keep(key, Some(value.clone()))),
            Effect::StateDelete { key } => Ok(self.keep(key, None)),
        }
    }

    fn send(&self, index: u32, message: &Message) -> EffectResult {
        let refused = |reason: String| EffectResult::Refused { reason };
        let Some(granted) = &self.grants.messages else { return refused("messages are not granted".to_owned()) };
        if !granted.to.contains(&message.to) {
            return refused("this recipient is not granted".to_owned());
        }
        match self.runtime.channels.choose(&granted.channels, message.channel.as_deref()) {
            Err(reason) => refused(reason),
            Ok((channel, ChannelKind::Outbox)) => {
                let write = LocalWrite::Message { index, channel: channel.to_owned(), message: message.clone() };
                lock(&self.trace).local.push(write);
                EffectResult::Sent { message: message_id(self.job.id, index), channel: channel.to_owned() }
            }
        }
    }

    fn keep(&mut self, key: &str, value: Option<String>) -> EffectResult {
        let slot = self.slot(key);
        self.written.insert(slot, value.clone());
        lock(&self.trace).local.push(LocalWrite::State { slot, value });
        EffectResult::Done
    }

    /// An action's state is its own: no other clinic, automation or action reaches it.
    fn slot(&self, key: &str) -> KeyHash {
        let clinic = self.job.clinic.as_deref().unwrap_or_default();
        self.runtime.store.indexer().state(clinic, &self.job.automation, &self.job.action, key)
    }
}

#[async_trait]
impl Effects for Recorder {
    async fn perform(&mut self, effect: Effect) -> Result<EffectResult, Stop> {
        let index = self.next;
        self.next += 1;
        match self.stored.get(index as usize) {
            Some(JournalEntry::Effect { effect: before, result }) if *before == effect => {
                let result = result.clone();
                if let Some((slot, value)) = self.written_by(&effect) {
                    self.written.insert(slot, value);
                }
                return Ok(result);
            }
            Some(JournalEntry::Effect { effect: before, .. }) => {
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
        let result = self.perform_new(index, &effect).await?;
        if matches!(result, EffectResult::Refused { .. }) {
            // Why stands in the journal: it may repeat what the plugin wrote.
            tracing::warn!(job = %self.job.id, rule = self.job.rule, action = self.job.action, effect = effect.kind(), "an effect was refused");
        }
        lock(&self.trace).journal.push((index, JournalEntry::Effect { effect, result: result.clone() }));
        Ok(result)
    }

    /// A line may hold personal data: it stays with the job, sealed.
    fn log(&mut self, level: Level, text: &str) {
        lock(&self.trace).lines.push(LogLine { level: level.as_str().to_owned(), text: text.to_owned() });
    }
}

impl Recorder {
    /// What a replayed effect had written, so that a later read of the same run sees it.
    fn written_by(&self, effect: &Effect) -> Option<(KeyHash, Option<String>)> {
        match effect {
            Effect::StateSet { key, value } => Some((self.slot(key), Some(value.clone()))),
            Effect::StateDelete { key } => Some((self.slot(key), None)),
            _ => None,
        }
    }
}

/// A run that panicked leaves what it had done; a settlement decides about it.
pub(crate) fn lock(trace: &Mutex<Trace>) -> MutexGuard<'_, Trace> {
    trace.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
