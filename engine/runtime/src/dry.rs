//! A dry run: the real sandbox, and a recorder that performs nothing. What a plugin asks for is answered from what was given, and listed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use zelo_core::effect::{Attachment, Message};
use zelo_core::http::{Answer, HttpGrant, Request};
use zelo_core::invocation::EventRef;
use zelo_core::{Effect, EffectResult, Grants, Invocation, JournalEntry, Timestamp};
use zelo_host::{Effects, Host, Level, Limits, MissingGrants, Plugin, Run, Stop};

use crate::outbound::{Answers, Marks, Secrets, Sending, Sent, Ways, secrets_of};

/// What a plugin is given, and finds.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    pub input: Value,
    pub now: Timestamp,
    pub seed: u64,
    /// BCP 47.
    pub locale: String,
    /// The fields of records, by their type and their id.
    pub records: BTreeMap<String, BTreeMap<String, Map<String, Value>>>,
    pub state: BTreeMap<String, String>,
    /// Where counters stand before the run.
    pub counters: BTreeMap<String, u64>,
    /// What other people's machines answer.
    pub answers: Vec<Answer>,
}

/// What came of it.
#[derive(Debug)]
pub struct Tried {
    pub run: Run,
    /// What would have been done, as it is told of jobs: see [`JournalEntry::told`].
    pub effects: Vec<Value>,
    pub log: Vec<(Level, String)>,
}

/// Runs `plugin` once, with all capabilities that its manifest wants, and performs nothing.
///
/// # Errors
/// It imports what its manifest does not want.
pub async fn run(host: &Host, plugin: &Plugin, trial: Trial) -> Result<Tried, MissingGrants> {
    let manifest = plugin.manifest();
    let prepared = host.prepare(plugin, &manifest.wanted())?;
    let invocation = Invocation {
        job: "dry-run".to_owned(),
        rule: "dry-run".to_owned(),
        action: manifest.name.clone(),
        event: EventRef { id: "dry-run".to_owned(), kind: "dry.run".to_owned(), time: trial.now.to_string() },
        now: trial.now.to_string(),
        seed: trial.seed,
        locale: trial.locale,
        input: trial.input,
        grants: Grants::default(),
        plugin_digest: plugin.digest().to_owned(),
        disclosure: zelo_core::Disclosure::default(),
        records: Vec::new(),
    };
    let seen = Arc::new(Mutex::new(Seen::default()));
    let world = World {
        now: trial.now,
        records: trial.records,
        state: trial.state,
        counters: trial.counters,
        answers: Answers(trial.answers),
        made: Vec::new(),
        seen: Arc::clone(&seen),
    };
    let limits = Limits::default().lowered_to(manifest);
    let run = host.run(&prepared, &invocation, Box::new(world), &limits).await;
    let seen = std::mem::take(&mut *lock(&seen));
    Ok(Tried { run, effects: seen.journal.iter().filter_map(JournalEntry::told).collect(), log: seen.log })
}

/// What the run did.
#[derive(Default)]
struct Seen {
    journal: Vec<JournalEntry>,
    log: Vec<(Level, String)>,
}

/// The world that the plugin sees.
struct World {
    records: BTreeMap<String, BTreeMap<String, Map<String, Value>>>,
    state: BTreeMap<String, String>,
    counters: BTreeMap<String, u64>,
    answers: Answers,
    now: Timestamp,
    /// The ids of the documents it made.
    made: Vec<String>,
    seen: Arc<Mutex<Seen>>,
}

impl World {
    /// A request, answered as the network would have it: what passes, and what nobody can know, never reaches the plugin. All is granted
    /// that an answer is given to.
    async fn request(&self, request: &Request) -> Result<EffectResult, Stop> {
        if self.answers.to(request.method, &request.url).is_none() {
            let reason = "no answer is given for this request (`[[http]]` in the file of `--given`, `given.http` in a case), so nobody can know what the plugin does next";
            return Err(Stop::Unknown { reason: reason.to_owned() });
        }
        let secrets: BTreeSet<String> = secrets_of(request).map(str::to_owned).collect();
        let grant = |answer: &Answer| HttpGrant { request: answer.request.clone(), idempotency_key: None, secrets: secrets.clone() };
        let grants: Vec<HttpGrant> = self.answers.0.iter().map(grant).collect();
        let sending = match Sending::granted(request, Ways { grants: &grants, secrets: &Secrets::Unsaid }) {
            Ok(sending) => sending,
            Err(reason) => return Ok(EffectResult::Refused { reason }),
        };
        let (sent, _) = sending.send(&self.answers, Marks { key: "dry-run", trace: None }, self.now).await;
        match sent {
            Sent::Answered(response) => Ok(EffectResult::Answered { response }),
            Sent::Unusable(reason) => Ok(EffectResult::Unusable { reason }),
            Sent::Refused(reason) => Ok(EffectResult::Refused { reason }),
            Sent::NotYet { reason, .. } => Err(Stop::Later { reason, after: None }),
            Sent::Lost { reason, .. } => Err(Stop::Unknown { reason }),
        }
    }

    /// What `effect` comes to.
    async fn answer(&mut self, effect: &Effect) -> Result<EffectResult, Stop> {
        Ok(match effect {
            Effect::Http(request) => return self.request(request).await,
            Effect::Message(message) => self.send(message),
            Effect::Document(_) => {
                let document = format!("document-{}", self.made.len() + 1);
                self.made.push(document.clone());
                EffectResult::Kept { document }
            }
            Effect::RecordGet { record, id } => {
                EffectResult::Record { fields: self.records.get(record).and_then(|records| records.get(id)).cloned() }
            }
            // What this run has written is not read back by it: see `records.wit`.
            Effect::RecordEdit(_) | Effect::Event(_) => EffectResult::Done,
            Effect::StateNext { key } => {
                let counter = self.counters.entry(key.clone()).or_default();
                *counter += 1;
                EffectResult::Counted { value: *counter }
            }
            Effect::StateGet { key } => EffectResult::Value { value: self.state.get(key).cloned() },
            Effect::StateSet { key, value } => {
                self.state.insert(key.clone(), value.clone());
                EffectResult::Done
            }
            Effect::StateDelete { key } => {
                self.state.remove(key);
                EffectResult::Done
            }
        })
    }

    fn send(&self, message: &Message) -> EffectResult {
        let foreign = |attachment: &Attachment| matches!(attachment, Attachment::Document { id } if !self.made.contains(id));
        if message.attachments.iter().any(foreign) {
            return EffectResult::Refused { reason: "a document that this run has not made is attached".to_owned() };
        }
        let number = lock(&self.seen).journal.len() + 1;
        EffectResult::Sent { message: format!("message-{number}"), channel: message.channel.clone().unwrap_or_else(|| "outbox".to_owned()) }
    }
}

#[async_trait]
impl Effects for World {
    async fn perform(&mut self, effect: Effect) -> Result<EffectResult, Stop> {
        let result = match self.answer(&effect).await {
            Ok(result) => result,
            Err(stop) => {
                let in_flight = matches!(stop, Stop::Unknown { .. });
                lock(&self.seen).journal.push(JournalEntry::Begun { effect, in_flight });
                return Err(stop);
            }
        };
        lock(&self.seen).journal.push(JournalEntry::Effect { effect, result: result.clone() });
        Ok(result)
    }

    fn log(&mut self, level: Level, text: &str) {
        lock(&self.seen).log.push((level, text.to_owned()));
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tried {
    /// All of it, as JSON.
    pub fn to_json(&self) -> Value {
        let log = self.log.iter().map(|(level, text)| json!({ "level": level.as_str(), "text": text }));
        json!({
            "end": end(&self.run),
            "effects": self.effects,
            "log": log.collect::<Vec<_>>(),
            "used": {
                "cpu_us": u64::try_from(self.run.cpu.as_micros()).unwrap_or(u64::MAX), "memory": self.run.memory, "host_calls": self.run.host_calls,
            },
        })
    }
}

/// How a run ended: `kind`, and what belongs to it.
fn end(run: &Run) -> Value {
    use zelo_host::End;
    let kind = run.end.kind();
    match &run.end {
        End::Outcome { code, summary, output } => json!({ "kind": kind, "code": code, "summary": summary, "output": output }),
        End::Retry { reason, after } => json!({ "kind": kind, "reason": reason, "after_ms": after.map(|after| after.as_millis() as u64) }),
        End::Permanent { reason } | End::Missing { reason } => json!({ "kind": kind, "reason": reason }),
        End::Limit(limit) => json!({ "kind": kind, "reason": limit.to_string() }),
        End::Trap { message } => json!({ "kind": kind, "reason": message }),
        End::Stopped(Stop::Unknown { reason } | Stop::Later { reason, .. }) => json!({ "kind": kind, "reason": reason }),
        End::Stopped(Stop::Held(held)) => json!({ "kind": kind, "reason": held.reason().text }),
        // Nothing else stops a dry run from outside.
        End::Stopped(stop) => json!({ "kind": kind, "reason": format!("{stop:?}") }),
    }
}
