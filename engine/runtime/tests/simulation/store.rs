//! The store as a process sees it: the real one, whose calls wait for their turn, fail, or are not answered; and notes of what
//! became of each.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, mpsc};

use async_trait::async_trait;
use jiff::SignedDuration;
use zelo_core::audit::Head;
use zelo_core::audit::verify::Verified;
use zelo_core::decide::{Decision, Imported};
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::{Checkpoint, Checkpointed, Settled, Settlement};
use zelo_core::timing::Timetable;
use zelo_core::{
    Actor, Arrival, AuditEntry, AutomationId, Concurrency, EventId, Halt, HaltScope, Indexer, Job, JobId, JobState, JournalEntry, KeyHash,
    Pseudonym, RecordRow, Status, Timestamp, TraceId,
};
use zelo_store::{
    Amend, Amended, Archive, AttemptView, AuditPage, AuditPrune, AuditView, AutomationRow, BackupReport, Cancellation, ConsentView,
    ConsentWrite, CredentialRow, DecisionView, DocumentView, Erasure, Error, EventView, Figures, HeardHour, Import, JobView, MessageView,
    Outcome, Page, PersonRow, RecordView, RefusedView, RefusedWrite, Replay, Replayed, Reschedule, Rescheduled, Retained, Retention,
    Revivals, Revive, SecretValue, SecretView, SeeTo, SeenTo, Store, SubjectExport, SubjectView, Who, Work,
};

use crate::broken::Broken;
use crate::scheduler::Points;
use crate::weather::Weather;

/// Runs a database future to its end, whatever becomes of who asked: the threads of the store are no part of the story.
pub(crate) fn to_its_end<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    static BESIDE: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let beside = BESIDE.get_or_init(|| {
        let builder = &mut tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build().unwrap()
    });
    let (done, ended) = mpsc::channel();
    beside.spawn(async move { done.send(future.await) });
    ended.recv().expect("the store panicked")
}

/// What the store did, in the order in which it did it, whether anybody was told or not.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// An event of ours by its number, where it was new.
    Recorded {
        number: u64,
    },
    Claimed {
        job: JobId,
        lease: u64,
    },
    /// What a worker who holds `lease` put on disk in the midst of its attempt.
    Checkpointed {
        job: JobId,
        lease: u64,
        counted: Option<u64>,
    },
    /// What a worker who holds `lease` made of its job.
    Settled {
        job: Box<Job>,
        lease: u64,
    },
    /// A job as it stands now, for any other reason.
    Stands(Box<Job>),
}

/// Notes of a whole story.
#[derive(Default)]
pub(crate) struct Notes(Mutex<Vec<Note>>);

impl Notes {
    pub(crate) fn all(&self) -> Vec<Note> {
        self.0.lock().unwrap().clone()
    }

    fn add(&self, notes: impl IntoIterator<Item = Note>) {
        self.0.lock().unwrap().extend(notes);
    }

    fn stand<'a>(&self, jobs: impl IntoIterator<Item = &'a Job>) {
        self.add(jobs.into_iter().map(|job| Note::Stands(Box::new(job.clone()))));
    }
}

/// The store of one process.
pub(crate) struct Faulty {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) points: Arc<Points>,
    pub(crate) weather: Weather,
    pub(crate) notes: Arc<Notes>,
    pub(crate) broken: Broken,
    /// What a broken store said it had stored.
    pub(crate) late: Mutex<Vec<Arrival>>,
}

impl Faulty {
    /// A call: its turn, its doing, and its turn to be heard. `note` hears what the store answered.
    async fn call<T, F>(
        &self,
        about: String,
        refusal: Error,
        call: impl FnOnce(Arc<dyn Store>) -> F + Send,
        note: impl FnOnce(&T) + Send,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.turn(&about).await.then_some(()).ok_or(refusal)?;
        let answer = to_its_end(call(self.inner.clone()));
        match &answer {
            Ok(answer) => note(answer),
            Err(error) => self.points.tell(format!("   the store refused: {about}: {error}")),
        }
        if self.turn(&format!("{about}, heard")).await { answer } else { Err(Error::Closed) }
    }

    /// Whether all goes well here.
    async fn turn(&self, about: &str) -> bool {
        let mut dice = self.points.reach(about.to_owned()).await;
        let fails = dice.chance(self.weather.store / 2) && self.points.steps() < self.weather.calm_after;
        if fails {
            self.points.tell(format!("   failed: {about}"));
        }
        !fails
    }
}

#[async_trait]
impl Store for Faulty {
    fn indexer(&self) -> &Indexer {
        self.inner.indexer()
    }
    async fn record(&self, arrival: Arrival) -> Result<Decision, Error> {
        let number = arrival.event.data["n"].as_u64().expect("a delivery of ours");
        if self.broken == Broken::AnswersEarly {
            return self.answer_early(arrival, number).await;
        }
        let (new, wanted) = (arrival.event.id, move |store: Arc<dyn Store>| async move { store.record(arrival).await });
        self.call(format!("records {number}"), Error::Busy, wanted, |decision| {
            if decision.event == new {
                self.notes.add([Note::Recorded { number }]);
            }
            self.notes.stand(&decision.jobs);
        })
        .await
    }
    async fn record_all(&self, arrivals: Vec<Arrival>) -> Result<Vec<Decision>, Error> {
        let wanted = move |store: Arc<dyn Store>| async move { store.record_all(arrivals).await };
        self.call("records several".to_owned(), Error::Busy, wanted, |_| {}).await
    }
    async fn claim(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
        concurrency: &Arc<dyn Concurrency>,
    ) -> Result<Vec<Work>, Error> {
        self.catch_up();
        let concurrency = concurrency.clone();
        // One at a time: what several workers do at once then depends on the seed alone.
        let limit = limit.min(1);
        self.call(
            "claims".to_owned(),
            Error::Closed,
            move |store| async move { store.claim(now, limit, lease, &concurrency).await },
            |works| {
                for Work { job, .. } in works {
                    self.notes.add([Note::Claimed { job: job.id, lease: job.lease }, Note::Stands(Box::new(job.clone()))]);
                }
            },
        )
        .await
    }
    async fn settle(&self, settlement: Settlement, now: Timestamp) -> Result<Outcome, Error> {
        let (broken, lease) = (self.broken, settlement.lease);
        let about = format!("settles {} {lease}", settlement.job);
        let settle = move |store| async move { broken.settle(store, settlement, now).await };
        self.call(about, Error::Closed, settle, |outcome| {
            if let Settled::Applied { job, .. } = &outcome.settled {
                self.notes.add([Note::Settled { job: job.clone(), lease }]);
            }
            self.notes.stand(outcome.others.iter().chain(outcome.emitted.iter().flat_map(|decision| &decision.jobs)));
        })
        .await
    }
    async fn checkpoint(&self, checkpoint: Checkpoint, now: Timestamp) -> Result<Checkpointed, Error> {
        let (broken, job, lease) = (self.broken, checkpoint.job, checkpoint.lease);
        let about = format!("puts on disk {job} {lease}");
        let put = move |store| async move { broken.checkpoint(store, checkpoint, now).await };
        self.call(about, Error::Closed, put, |kept| match kept {
            Checkpointed::Kept => self.notes.add([Note::Checkpointed { job, lease, counted: None }]),
            Checkpointed::Counted(value) => self.notes.add([Note::Checkpointed { job, lease, counted: Some(*value) }]),
            Checkpointed::Cancelled(_) | Checkpointed::Stale => {}
        })
        .await
    }
    async fn import(&self, import: Import, now: Timestamp) -> Result<Vec<Imported>, Error> {
        self.inner.import(import, now).await
    }
    async fn amend(&self, amend: Amend, now: Timestamp) -> Result<Amended, Error> {
        self.inner.amend(amend, now).await
    }
    async fn reclaim(&self, now: Timestamp, policy: RetryPolicy, held: &[JobId]) -> Result<Vec<Job>, Error> {
        let held = if self.weather.alone { held.to_vec() } else { Vec::new() };
        let reclaim = move |store: Arc<dyn Store>| async move { store.reclaim(now, policy, &held).await };
        self.call("reclaims".to_owned(), Error::Closed, reclaim, |jobs| self.notes.stand(jobs)).await
    }
    /// Of nodes that are not alone, one may be cut off.
    async fn renew(&self, leases: &[(JobId, u64)], until: Timestamp) -> Result<Vec<(JobId, u64)>, Error> {
        let mut leases = leases.to_vec();
        leases.sort_unstable();
        let gets_through = self.weather.alone || self.points.steps().is_multiple_of(2);
        if !gets_through {
            return Err(Error::Closed);
        }
        self.call("renews".to_owned(), Error::Closed, move |store| async move { store.renew(&leases, until).await }, |_| ()).await
    }
    async fn retime(&self, timetable: Arc<dyn Timetable>) -> Result<Vec<Job>, Error> {
        self.inner.retime(timetable).await
    }
    async fn next_run(&self) -> Result<Option<Timestamp>, Error> {
        self.call("asks for the next run".to_owned(), Error::Closed, |store| async move { store.next_run().await }, |_| ()).await
    }
    async fn sent_since(&self, contact: KeyHash, of: Option<(AutomationId, String)>, after: Timestamp) -> Result<u32, Error> {
        let about = format!("asks what was sent to {contact:?} {of:?}");
        self.call(about, Error::Closed, move |store| async move { store.sent_since(contact, of, after).await }, |_| ()).await
    }
    async fn state(&self, slot: KeyHash) -> Result<Option<String>, Error> {
        self.call(format!("asks for state {slot:?}"), Error::Closed, move |store| async move { store.state(slot).await }, |_| ()).await
    }
    fn archive(&self) -> Arc<dyn Archive> {
        self.inner.archive()
    }
    async fn event(&self, id: EventId) -> Result<Option<EventView>, Error> {
        self.inner.event(id).await
    }
    async fn events(&self, page: &Page) -> Result<Vec<EventView>, Error> {
        self.inner.events(page).await
    }
    async fn job(&self, id: JobId) -> Result<Option<JobView>, Error> {
        self.inner.job(id).await
    }
    async fn jobs(&self, page: &Page, state: Option<JobState>) -> Result<Vec<JobView>, Error> {
        self.inner.jobs(page, state).await
    }
    async fn attention(&self, page: &Page) -> Result<Vec<JobView>, Error> {
        self.inner.attention(page).await
    }
    async fn journal(&self, job: JobId) -> Result<Vec<JournalEntry>, Error> {
        self.inner.journal(job).await
    }
    async fn attempts(&self, job: JobId) -> Result<Vec<AttemptView>, Error> {
        self.inner.attempts(job).await
    }
    async fn messages(&self, page: &Page) -> Result<Vec<MessageView>, Error> {
        self.inner.messages(page).await
    }
    async fn audit(&self, page: &AuditPage) -> Result<Vec<AuditView>, Error> {
        self.inner.audit(page).await
    }
    async fn answer_for(&self, entries: Vec<AuditEntry>) -> Result<(), Error> {
        self.inner.answer_for(entries).await
    }
    fn audit_key(&self) -> [u8; 32] {
        self.inner.audit_key()
    }
    async fn sign_audit(&self, now: Timestamp) -> Result<Option<Head>, Error> {
        self.inner.sign_audit(now).await
    }
    async fn unexported_heads(&self, limit: u32) -> Result<Vec<Head>, Error> {
        self.inner.unexported_heads(limit).await
    }
    async fn exported_heads(&self, seqs: Vec<u64>) -> Result<(), Error> {
        self.inner.exported_heads(seqs).await
    }
    async fn verify_audit(&self, others: Vec<Head>) -> Result<Verified, Error> {
        self.inner.verify_audit(others).await
    }
    async fn prune_audit(&self, prune: AuditPrune, now: Timestamp) -> Result<Option<Head>, Error> {
        self.inner.prune_audit(prune, now).await
    }
    async fn find_subjects(&self, who: Who) -> Result<Vec<SubjectView>, Error> {
        self.inner.find_subjects(who).await
    }
    async fn export_subject(&self, subject: Pseudonym) -> Result<Option<SubjectExport>, Error> {
        self.inner.export_subject(subject).await
    }
    async fn seen_of(&self, subject: Pseudonym) -> Result<Vec<AuditView>, Error> {
        self.inner.seen_of(subject).await
    }
    async fn erase(&self, subject: Pseudonym, actor: Actor, now: Timestamp) -> Result<Option<Erasure>, Error> {
        self.inner.erase(subject, actor, now).await
    }
    async fn hold(&self, subject: Pseudonym, reason: Option<String>, actor: Actor, now: Timestamp) -> Result<bool, Error> {
        self.inner.hold(subject, reason, actor, now).await
    }
    async fn note_consent(&self, write: ConsentWrite, now: Timestamp) -> Result<Option<usize>, Error> {
        self.inner.note_consent(write, now).await
    }
    async fn consent(&self, job: JobId, topic: &str) -> Result<Option<ConsentView>, Error> {
        let topic = topic.to_owned();
        let consent = move |store: Arc<dyn Store>| async move { store.consent(job, &topic).await };
        self.call(format!("asks for a consent {job}"), Error::Closed, consent, |_| ()).await
    }
    async fn aged(&self, keep: Retention) -> Result<std::collections::BTreeMap<String, u64>, Error> {
        self.inner.aged(keep).await
    }
    async fn retain(&self, keep: Retention, actor: Actor, now: Timestamp) -> Result<Retained, Error> {
        self.inner.retain(keep, actor, now).await
    }
    async fn documents(&self, page: &Page) -> Result<Vec<DocumentView>, Error> {
        self.inner.documents(page).await
    }
    async fn document(&self, job: JobId, index: u32) -> Result<Option<(DocumentView, Vec<u8>)>, Error> {
        let document = move |store: Arc<dyn Store>| async move { store.document(job, index).await };
        self.call(format!("asks for document {job}/{index}"), Error::Closed, document, |_| ()).await
    }
    async fn record_at(&self, hash: KeyHash) -> Result<Option<RecordRow>, Error> {
        let record = move |store: Arc<dyn Store>| async move { store.record_at(hash).await };
        self.call(format!("asks for record {hash:?}"), Error::Closed, record, |_| ()).await
    }
    async fn records(&self, page: &Page, kind: Option<&str>) -> Result<Vec<RecordView>, Error> {
        self.inner.records(page, kind).await
    }
    async fn automations(&self) -> Result<Vec<AutomationRow>, Error> {
        self.inner.automations().await
    }
    async fn put_automation(&self, row: AutomationRow, by: Actor) -> Result<(), Error> {
        self.inner.put_automation(row, by).await
    }
    async fn exchange_automation(&self, row: AutomationRow, stood: Option<AutomationRow>, by: Actor) -> Result<bool, Error> {
        self.inner.exchange_automation(row, stood, by).await
    }
    async fn put_credential(&self, row: CredentialRow, by: Actor) -> Result<(), Error> {
        self.inner.put_credential(row, by).await
    }
    async fn credential(&self, hash: [u8; 32], now: Timestamp) -> Result<Option<CredentialRow>, Error> {
        self.inner.credential(hash, now).await
    }
    async fn take_credential(&self, hash: [u8; 32], now: Timestamp) -> Result<Option<CredentialRow>, Error> {
        self.inner.take_credential(hash, now).await
    }
    async fn has_credentials(&self) -> Result<bool, Error> {
        self.inner.has_credentials().await
    }
    async fn credentials(&self, now: Timestamp) -> Result<Vec<CredentialRow>, Error> {
        self.inner.credentials(now).await
    }
    async fn revoke_credential(&self, hash: [u8; 32], by: Actor, now: Timestamp) -> Result<bool, Error> {
        self.inner.revoke_credential(hash, by, now).await
    }
    async fn people(&self) -> Result<Vec<PersonRow>, Error> {
        self.inner.people().await
    }
    async fn person(&self, name: &str) -> Result<Option<PersonRow>, Error> {
        self.inner.person(name).await
    }
    async fn see_to_person(&self, ask: SeeTo, by: Actor, now: Timestamp) -> Result<SeenTo, Error> {
        self.inner.see_to_person(ask, by, now).await
    }
    async fn put_person(&self, row: PersonRow, by: Actor, now: Timestamp) -> Result<(), Error> {
        self.inner.put_person(row, by, now).await
    }
    async fn remove_person(&self, name: &str, by: Actor, now: Timestamp) -> Result<bool, Error> {
        self.inner.remove_person(name, by, now).await
    }
    async fn spend_code(&self, name: &str, step: i64, now: Timestamp) -> Result<bool, Error> {
        self.inner.spend_code(name, step, now).await
    }
    fn replaying(&self) -> Option<tokio::sync::OwnedMutexGuard<()>> {
        self.inner.replaying()
    }
    async fn replay(&self, ask: Replay, now: Timestamp) -> Result<Vec<Replayed>, Error> {
        self.inner.replay(ask, now).await
    }

    async fn revive(&self, ask: Revive, now: Timestamp) -> Result<Revivals, Error> {
        self.inner.revive(ask, now).await
    }
    async fn cancel(&self, job: JobId, actor: Actor, now: Timestamp) -> Result<Option<Cancellation>, Error> {
        self.inner.cancel(job, actor, now).await
    }
    async fn reschedule(&self, ask: Reschedule, now: Timestamp) -> Result<Option<Rescheduled>, Error> {
        self.inner.reschedule(ask, now).await
    }
    async fn decisions(&self, job: JobId) -> Result<Vec<DecisionView>, Error> {
        self.inner.decisions(job).await
    }
    async fn halts(&self) -> Result<Vec<Halt>, Error> {
        self.inner.halts().await
    }
    async fn put_halt(&self, halt: Halt) -> Result<bool, Error> {
        self.inner.put_halt(halt).await
    }
    async fn lift_halt(&self, scope: HaltScope, actor: Actor, now: Timestamp) -> Result<bool, Error> {
        self.inner.lift_halt(scope, actor, now).await
    }
    async fn put_secret(&self, name: String, value: SecretValue, by: Actor, now: Timestamp) -> Result<bool, Error> {
        self.inner.put_secret(name, value, by, now).await
    }
    async fn remove_secret(&self, name: String, by: Actor, now: Timestamp) -> Result<bool, Error> {
        self.inner.remove_secret(name, by, now).await
    }
    async fn secrets(&self) -> Result<Vec<SecretView>, Error> {
        self.inner.secrets().await
    }
    async fn secret(&self, name: String) -> Result<Option<SecretValue>, Error> {
        self.inner.secret(name).await
    }
    async fn add_heard(&self, hours: Vec<HeardHour>, now: Timestamp) -> Result<(), Error> {
        self.inner.add_heard(hours, now).await
    }
    async fn heard(&self) -> Result<Vec<HeardHour>, Error> {
        self.inner.heard().await
    }
    async fn put_refused(&self, write: RefusedWrite) -> Result<(), Error> {
        self.inner.put_refused(write).await
    }
    async fn refused(&self, page: &Page) -> Result<Vec<RefusedView>, Error> {
        self.inner.refused(page).await
    }
    async fn refused_one(&self, trace: TraceId) -> Result<Option<(RefusedView, Option<Vec<u8>>)>, Error> {
        self.inner.refused_one(trace).await
    }
    async fn ready(&self) -> Result<(), Error> {
        self.inner.ready().await
    }
    async fn backup(&self, target: PathBuf) -> Result<BackupReport, Error> {
        self.inner.backup(target).await
    }
    async fn figures(&self) -> Result<Figures, Error> {
        self.inner.figures().await
    }
    async fn close(&self) -> Result<(), Error> {
        self.inner.close().await
    }
}

/// Stores that are broken on purpose.
impl Faulty {
    /// Says that it is stored, and means to store it.
    async fn answer_early(&self, arrival: Arrival, number: u64) -> Result<Decision, Error> {
        self.points.reach(format!("records {number}")).await;
        let promised = self.late.lock().unwrap().iter().find(|late| late.delivery == arrival.delivery).map(|late| late.event.id);
        let is_stored = self.notes.all().iter().any(|note| matches!(note, Note::Recorded { number: stored } if *stored == number));
        let promise = |event| Decision { status: Status::Accepted, event, rules: Vec::new(), counted: Vec::new(), jobs: Vec::new() };
        let decision = match promised {
            Some(event) => promise(event),
            None if is_stored => {
                let store = self.inner.clone();
                to_its_end(async move { store.record(arrival).await })?
            }
            None => {
                let event = arrival.event.id;
                self.late.lock().unwrap().push(arrival);
                promise(event)
            }
        };
        self.points.reach(format!("records {number}, heard")).await;
        Ok(decision)
    }

    /// Stores what it said that it had stored.
    fn catch_up(&self) {
        for arrival in std::mem::take(&mut *self.late.lock().unwrap()) {
            let number = arrival.event.data["n"].as_u64().unwrap();
            let (event, store) = (arrival.event.id, self.inner.clone());
            let decision = to_its_end(async move { store.record(arrival).await }).unwrap();
            if decision.event == event {
                self.notes.add([Note::Recorded { number }]);
            }
            self.notes.stand(&decision.jobs);
        }
    }
}
