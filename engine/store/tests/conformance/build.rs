//! What the tests are made of: stores, deliveries, settlements.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use zelo_core::concurrency::unlimited;
use zelo_core::effect::{Body, Message};
use zelo_core::event::Entity;
use zelo_core::job::Reason;
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::{AttemptEnd, LocalWrite, Report, Settled, Settlement};
use zelo_core::timing::{Due, DueQuestion, Records, Timetable};
use zelo_core::window::{By, Count, Quiet, Throttle};
use zelo_core::{
    Arrival, AutomationId, Candidate, ConsentSaid, Disclosure, Effect, EffectResult, Event, EventId, Identity, IdentityKind, Indexer,
    Invocation, Job, JobId, JournalEntry, KeyHash, Lane, LookupRef, Origin, OverTime, Person, Plan, Pseudonym, RecordRef, RecordWrite,
    SeededEntropy, Stamp,
};
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{Error, MasterKey, Page, Store, Who, Work};

/// A database that the suite runs on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    SqliteFile,
    SqliteMemory,
}

/// A store with what keeps it alive.
pub(crate) struct Db {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) folder: TempDir,
    pub(crate) kind: Kind,
    pub(crate) config: SqliteConfig,
}

impl Db {
    pub(crate) async fn open(kind: Kind) -> Self {
        // Small enough that what is found by memory and what by the tables take turns in every test.
        Self::open_with(kind, SqliteConfig { recent: 3, ..SqliteConfig::default() }).await
    }

    pub(crate) async fn open_with(kind: Kind, config: SqliteConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = (kind == Kind::SqliteFile).then(|| folder.path().join("zelo.db"));
        let register = config.register.is_some().then(|| folder.path().join("keys/erasures.jsonl"));
        let config = SqliteConfig { path, register, ..config };
        let store = sqlite(config.clone(), 1).await.unwrap();
        Self { store, folder, kind, config }
    }

    /// Closes and opens again; what is in memory stays open.
    pub(crate) async fn reopen(self) -> Self {
        if self.kind == Kind::SqliteMemory {
            return self;
        }
        self.store.close().await.unwrap();
        let store = sqlite(self.config.clone(), 1).await.unwrap();
        Self { store, ..self }
    }

    /// Goes on with the file as a crash of this moment would leave it.
    pub(crate) async fn crash(self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["zelo.db", "zelo.db-wal"] {
            std::fs::copy(self.folder.path().join(name), folder.path().join(name)).unwrap();
        }
        let config = SqliteConfig { path: Some(folder.path().join("zelo.db")), ..self.config };
        let store = sqlite(config.clone(), 1).await.unwrap();
        Self { store, folder, config, kind: self.kind }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("zelo.db")
    }

    /// Runs SQL on the file, beside the store.
    pub(crate) async fn sql(&self, sql: &'static str) -> u64 {
        use sqlx::Connection;
        let mut conn = sqlx::SqliteConnection::connect(&format!("sqlite://{}", self.file().display())).await.unwrap();
        let touched = sqlx::query(sql).execute(&mut conn).await.unwrap().rows_affected();
        conn.close().await.unwrap();
        touched
    }

    /// What SQL finds in the file, beside the store: of each row the first column.
    pub(crate) async fn blobs(&self, sql: &'static str) -> Vec<Vec<u8>> {
        use sqlx::Connection;
        let mut conn = sqlx::SqliteConnection::connect(&format!("sqlite://{}", self.file().display())).await.unwrap();
        let found = sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        found
    }

    /// The one whom connection `centro` calls so.
    pub(crate) async fn person(&self, id: &str) -> Pseudonym {
        let who = Who::Id { connection: Some("centro".into()), id: id.into() };
        self.store.find_subjects(who).await.unwrap()[0].pseudonym
    }

    /// A delivery of this store.
    pub(crate) fn delivery(&self, number: u64, time: i64) -> Delivery {
        Delivery::new(self.store.indexer(), number, time)
    }

    /// Stores a delivery; the jobs it made or changed.
    pub(crate) async fn record(&self, delivery: Delivery) -> Vec<Job> {
        self.store.record(delivery.0).await.unwrap().jobs
    }

    pub(crate) async fn claim(&self, now: i64) -> Vec<Work> {
        self.store.claim(minute(now), 100, LEASE, unlimited()).await.unwrap()
    }

    /// Settles what `work` holds, with nothing but an end.
    pub(crate) async fn settle(&self, work: &Work, end: AttemptEnd, now: i64) -> Settled {
        self.store.settle(settlement(work, end), minute(now)).await.unwrap().settled
    }

    pub(crate) async fn job(&self, id: JobId) -> Job {
        self.store.job(id).await.unwrap().unwrap().job
    }

    pub(crate) async fn message_count(&self) -> usize {
        self.store.messages(&Page::default()).await.unwrap().len()
    }
}

pub(crate) async fn sqlite(config: SqliteConfig, master: u8) -> Result<Arc<dyn Store>, Error> {
    let store = SqliteStore::open(config, MasterKey::from_bytes([master; 32]), entropy()).await?;
    Ok(store)
}

/// Another one each time: nothing random comes twice.
pub(crate) fn entropy() -> Arc<SeededEntropy> {
    static SEED: AtomicU64 = AtomicU64::new(1);
    Arc::new(SeededEntropy::new(SEED.fetch_add(1, Ordering::Relaxed)))
}

pub(crate) const LEASE: SignedDuration = SignedDuration::from_mins(5);

/// Event `number` of the tests, which happened at minute `minutes`.
pub(crate) fn stamp(minutes: i64, number: u64) -> Stamp {
    Stamp { time: minute(minutes), event: EventId::new(minute(0), number as u16, &SeededEntropy::new(number)) }
}

/// So many minutes after the beginning of the tests' time.
pub(crate) fn minute(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_772_000_000 + minutes * 60).unwrap()
}

/// How long the rules of the tests collect.
pub(crate) const QUIET: Quiet = Quiet { wait: SignedDuration::from_mins(30), max: Some(SignedDuration::from_mins(100)) };

/// The rules of the tests: a day before the anchor, or when what is collected ends, and as many hours later as the first record
/// says; an hour to live.
pub(crate) struct DayBefore;

pub(crate) const DAY: i64 = 24 * 60;

impl Timetable for DayBefore {
    fn due(&self, question: &DueQuestion<'_>, records: &dyn Records) -> Result<Due, Reason> {
        let record = question.lookups.first().and_then(|lookup| records.record(lookup.record.hash));
        if record.is_some_and(|record| record["closed"] == true) {
            return Err(Reason::new("late", "the clinic is closed"));
        }
        let hours = record.and_then(|record| record["hours"].as_i64()).unwrap_or(0);
        let at = match question.anchor {
            Some(last) if question.collected > 0 => {
                QUIET.ends(question.reference, last, question.collected).saturating_add(SignedDuration::from_hours(hours)).unwrap()
            }
            Some(anchor) => anchor.saturating_add(SignedDuration::from_hours(hours - 24)).unwrap(),
            None => question.reference,
        };
        Ok(Due { at, expires: at.saturating_add(SignedDuration::from_hours(99)).ok() })
    }
}

/// A delivery under construction.
#[derive(Clone)]
pub(crate) struct Delivery(pub(crate) Arrival);

impl Delivery {
    /// Delivery `number`, of something that happened at minute `time` and arrived then.
    pub(crate) fn new(index: &Indexer, number: u64, time: i64) -> Self {
        let body = json!({ "number": number }).to_string();
        Self(Arrival {
            event: Event {
                id: EventId::new(minute(time), 0, &SeededEntropy::new(number)),
                connection: "centro".into(),
                source: "clinicarx".into(),
                kind: "appointment.created".into(),
                time: minute(time),
                received: minute(time),
                entity: None,
                subjects: Vec::new(),
                clinic: Some("7".into()),
                data: Value::Null.into(),
                cause: None,
            },
            body: Arc::from(body.as_bytes()),
            delivery: index.delivery("centro", "appointment.created", &number.to_string()),
            quarantined: false,
            entity: None,
            people: Vec::new(),
            consents: Vec::new(),
            records: Vec::new(),
            candidates: Vec::new(),
            timetable: Arc::new(DayBefore),
        })
    }

    pub(crate) fn body(mut self, body: &Value) -> Self {
        self.0.body = Arc::from(body.to_string().as_bytes());
        self
    }

    pub(crate) fn received(mut self, time: i64) -> Self {
        self.0.event.received = minute(time);
        self
    }

    pub(crate) fn about(mut self, index: &Indexer, id: &str) -> Self {
        self.0.event.entity = Some(Entity { kind: "appointment".into(), id: id.into() });
        self.0.entity = Some(index.entity("centro", "appointment", id));
        self
    }

    pub(crate) fn subject(mut self, index: &Indexer, id: &str) -> Self {
        self.0.event.subjects.push(id.into());
        self.0.people.push(Person::new(index.subject("centro", id)));
        self
    }

    /// Its main person, or one who has `parts` of it, is known by that too.
    pub(crate) fn known_by(mut self, index: &Indexer, kind: IdentityKind, value: &str) -> Self {
        let identity = Identity { kind, hash: index.identity(kind, value) };
        self.0.people.last_mut().unwrap().identities.push(identity);
        self
    }

    /// The last person has `text` of the body, and nothing else.
    pub(crate) fn part(mut self, text: &str) -> Self {
        let body = std::str::from_utf8(&self.0.body).unwrap();
        let start = body.find(text).unwrap();
        self.0.people.last_mut().unwrap().parts = Some(std::iter::once(start..start + text.len()).collect());
        self
    }

    /// Of another connection.
    pub(crate) fn through(mut self, index: &Indexer, connection: &str) -> Self {
        self.0.event.connection = connection.into();
        let subjects = self.0.event.subjects.iter().zip(&mut self.0.people);
        subjects.for_each(|(id, person)| person.hash = index.subject(connection, id));
        self
    }

    /// Gives or withdraws a consent that `remind` asks for.
    pub(crate) fn says(mut self, topic: &str, given: bool) -> Self {
        let actions = [("reminder".to_owned(), "remind".to_owned())].into();
        self.0.consents.push(ConsentSaid { topic: topic.into(), given, actions });
        self
    }

    /// Fires at once, under no key.
    pub(crate) fn fires(self, action: &str) -> Self {
        self.plan(
            action,
            Plan::Fire {
                key: None,
                anchor: None,
                lookups: Vec::new(),
                needs: Vec::new(),
                also_about: Vec::new(),
                over: OverTime::default(),
                lane: Lane::default(),
            },
        )
    }

    /// What fires stands so to those beside it.
    pub(crate) fn beside(mut self, beside: Lane) -> Self {
        for candidate in &mut self.0.candidates {
            if let Plan::Fire { lane, .. } = &mut candidate.plan {
                *lane = beside;
            }
        }
        self
    }

    /// Of that clinic.
    pub(crate) fn of_clinic(mut self, clinic: &str) -> Self {
        self.0.event.clinic = Some(clinic.into());
        self
    }

    /// Fires under `key`, a day before minute `anchor`; where `reads` is given, as the record of that id says.
    pub(crate) fn fires_for(self, index: &Indexer, key: &str, anchor: i64, reads: Option<&str>) -> Self {
        let hash = job_key(index, key);
        let lookups = reads.map(|id| LookupRef { name: "clinic".into(), position: 0, singular: true, record: record_ref(index, id) });
        self.plan("remind", {
            let lookups = lookups.into_iter().collect();
            Plan::Fire {
                key: Some(hash),
                anchor: Some(Ok(minute(anchor))),
                lookups,
                needs: Vec::new(),
                also_about: Vec::new(),
                over: OverTime::default(),
                lane: Lane::default(),
            }
        })
    }

    /// Fires at once, under `key` where there is one, after the steps `needs`; reads `reads`.
    pub(crate) fn fires_after(self, index: &Indexer, action: &str, key: Option<&str>, needs: &[&str], reads: Option<&str>) -> Self {
        let key = key.map(|key| index.job_key(&AutomationId::new("reminder", "centro", None), action, key));
        let lookups = reads.map(|id| LookupRef { name: "clinic".into(), position: 0, singular: true, record: record_ref(index, id) });
        let needs = needs.iter().map(|step| (*step).to_owned()).collect();
        self.plan(
            action,
            Plan::Fire {
                key,
                anchor: None,
                lookups: lookups.into_iter().collect(),
                needs,
                also_about: Vec::new(),
                over: OverTime::default(),
                lane: Lane::default(),
            },
        )
    }

    /// Fires under `key` where there is one, as `over` allows.
    pub(crate) fn fires_over(self, action: &str, key: Option<KeyHash>, over: OverTime) -> Self {
        self.plan(
            action,
            Plan::Fire { key, anchor: None, lookups: Vec::new(), needs: Vec::new(), also_about: Vec::new(), over, lane: Lane::default() },
        )
    }

    /// Is collected under `value`; reads `reads`.
    pub(crate) fn collected(self, index: &Indexer, value: &str, reads: Option<&str>) -> Self {
        let over = OverTime { debounce: Some(self.collection(index, value)), ..OverTime::default() };
        let lookups = reads.map(|id| LookupRef { name: "clinic".into(), position: 0, singular: true, record: record_ref(index, id) });
        self.plan(
            "answer",
            Plan::Fire {
                key: None,
                anchor: None,
                lookups: lookups.into_iter().collect(),
                needs: Vec::new(),
                also_about: Vec::new(),
                over,
                lane: Lane::default(),
            },
        )
    }

    /// Cancels what is collected under `value`.
    pub(crate) fn cancels_collected(self, index: &Indexer, value: &str) -> Self {
        let key = self.collection(index, value);
        self.plan("answer", Plan::Cancel { key, code: "cancelled_by_event", text: "cancelled".into() })
    }

    fn collection(&self, index: &Indexer, value: &str) -> KeyHash {
        index.debounce(&AutomationId::new("reminder", "centro", None), "answer", self.0.event.clinic.as_deref(), Some(value))
    }

    pub(crate) fn cancels(self, index: &Indexer, key: &str) -> Self {
        let key = job_key(index, key);
        self.plan("remind", Plan::Cancel { key, code: "cancelled_by_event", text: "the appointment was cancelled".into() })
    }

    /// Says something about the record `id`.
    pub(crate) fn remembers(mut self, index: &Indexer, id: &str, fields: Value) -> Self {
        self.0.records.push(RecordWrite {
            key: record_ref(index, id),
            id: id.into(),
            fields: fields.as_object().unwrap().clone(),
            subject: Some(index.subject("centro", id)),
            clinic: Some("7".into()),
        });
        self
    }

    fn plan(mut self, action: &str, plan: Plan) -> Self {
        self.0.candidates.push(Candidate {
            origin: Arc::new(Origin {
                automation: AutomationId::new("reminder", "centro", None),
                rule: "reminder".into(),
                action: action.into(),
                rule_digest: "d1".into(),
            }),
            plan,
        });
        self
    }
}

/// At most `limit` jobs in so many minutes.
pub(crate) fn throttled(index: &Indexer, value: &str, limit: u32, minutes: i64) -> OverTime {
    let window = index.throttle(&AutomationId::new("reminder", "centro", None), "remind", Some(value));
    OverTime { throttle: Some(Throttle { window, limit, per: SignedDuration::from_mins(minutes), by: By::Path }), ..OverTime::default() }
}

/// From the event on that makes it so many in so many minutes.
pub(crate) fn counted(index: &Indexer, value: &str, at_least: u32, minutes: i64) -> OverTime {
    let window = index.count(&AutomationId::new("reminder", "centro", None), "remind", Some(value));
    OverTime { count: Some(Count { window, at_least, within: SignedDuration::from_mins(minutes) }), ..OverTime::default() }
}

pub(crate) fn job_key(index: &Indexer, key: &str) -> KeyHash {
    index.job_key(&AutomationId::new("reminder", "centro", None), "remind", key)
}

pub(crate) fn record_ref(index: &Indexer, id: &str) -> RecordRef {
    RecordRef { kind: "clinic".into(), hash: index.record("centro", "clinic", id) }
}

/// The end of an attempt without effects.
pub(crate) fn settlement(work: &Work, end: AttemptEnd) -> Settlement {
    Settlement {
        job: work.job.id,
        lease: work.job.lease,
        end,
        journal: Vec::new(),
        shown: None,
        local: Vec::new(),
        emitted: Vec::new(),
        outward: false,
        report: Report::default(),
        policy: RetryPolicy::default(),
    }
}

pub(crate) fn done() -> AttemptEnd {
    AttemptEnd::Done { code: "sent".into() }
}

pub(crate) fn message(to: &str, text: &str) -> Message {
    Message { channel: None, to: to.into(), body: Body::Text { text: text.into() }, attachments: Vec::new(), buttons: Vec::new() }
}

/// An attempt that sent one message and kept one value, as its journal tells it.
pub(crate) fn sending(work: &Work, slot: KeyHash, to: &str, text: &str) -> Settlement {
    let sent = EffectResult::Sent { message: zelo_store::effect_id(work.job.id, 1), channel: "outbox".into() };
    let invocation = Invocation {
        job: work.job.id.to_string(),
        rule: work.job.rule.clone(),
        action: work.job.action.clone(),
        event: zelo_core::invocation::EventRef {
            id: work.event.id.to_string(),
            kind: work.event.kind.clone(),
            time: work.event.time.to_string(),
        },
        now: minute(0).to_string(),
        seed: 1,
        locale: "pt-BR".into(),
        input: json!({ "to": to, "text": text }),
        grants: zelo_core::Grants::default(),
        plugin_digest: "p1".into(),
        disclosure: Disclosure {
            plugin: "messenger".into(),
            fields: [("phone".to_owned(), "personal".to_owned())].into(),
            purpose: Some("Thank".into()),
            basis: Some("lgpd:11.II.f".into()),
        },
        records: Vec::new(),
    };
    Settlement {
        journal: vec![
            (0, JournalEntry::Invocation(Box::new(invocation))),
            (1, JournalEntry::Effect { effect: Effect::Message(message(to, text)), result: sent }),
            (2, JournalEntry::Effect { effect: Effect::StateSet { key: "last".into(), value: text.into() }, result: EffectResult::Done }),
        ],
        local: vec![
            LocalWrite::Message { index: 1, channel: "outbox".into(), message: message(to, text) },
            LocalWrite::State { slot, value: Some(text.into()) },
        ],
        report: Report { summary: Some(format!("told {to}: {text}")), ..Report::default() },
        ..settlement(work, done())
    }
}
