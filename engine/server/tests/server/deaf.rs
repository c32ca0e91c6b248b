//! A store that can no longer be told what people see, or that stops in the midst of a look at it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::Notify;
use zelo_core::audit::Head;
use zelo_core::audit::verify::Verified;
use zelo_core::decide::{Decision, Imported};
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::{Checkpoint, Checkpointed, Settlement};
use zelo_core::timing::Timetable;
use zelo_core::{
    Actor, Arrival, AuditEntry, AutomationId, Concurrency, EventId, Halt, HaltScope, Indexer, Job, JobId, JobState, JournalEntry, KeyHash,
    Pseudonym, RecordRow, SignedDuration, Timestamp, TraceId,
};
use zelo_store::{
    Amend, Amended, Archive, AttemptView, AuditPage, AuditPrune, AuditView, AutomationRow, BackupReport, Cancellation, ConsentView,
    ConsentWrite, CredentialRow, DecisionView, DocumentView, Erasure, Error, EventView, Figures, HeardHour, Import, JobView, MessageView,
    Outcome, Page, PersonRow, RecordView, RefusedView, RefusedWrite, Replay, Replayed, Reschedule, Rescheduled, Retained, Retention,
    Revivals, Revive, SecretValue, SecretView, SeeTo, SeenTo, Store, SubjectExport, SubjectView, Who, Work,
};

/// What somebody asks for who stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum At {
    /// When something is next to run.
    #[default]
    NextRun,
    /// Whether the audit log is whole.
    Audit,
}

/// Where somebody who looks stops, once: it says that it is there, and waits until it may go on.
#[derive(Default)]
pub(crate) struct Stop {
    pub(crate) at: At,
    pub(crate) there: Notify,
    pub(crate) on: Notify,
}

/// The same store, until it is deaf: then what people saw is not written down.
pub(crate) struct Deaf {
    pub(crate) inner: Arc<dyn Store>,
    pub(crate) deaf: Arc<AtomicBool>,
    /// Before it says what is asked for there.
    pub(crate) stop: Arc<Mutex<Option<Arc<Stop>>>>,
}

impl Deaf {
    async fn stop(&self, at: At) {
        let stop = self.stop.lock().unwrap().take_if(|stop| stop.at == at);
        if let Some(stop) = stop {
            stop.there.notify_one();
            stop.on.notified().await;
        }
    }
}

#[async_trait]
impl Store for Deaf {
    fn indexer(&self) -> &Indexer {
        self.inner.indexer()
    }
    async fn record(&self, arrival: Arrival) -> Result<Decision, Error> {
        self.inner.record(arrival).await
    }
    async fn record_all(&self, arrivals: Vec<Arrival>) -> Result<Vec<Decision>, Error> {
        self.inner.record_all(arrivals).await
    }
    async fn claim(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
        concurrency: &Arc<dyn Concurrency>,
    ) -> Result<Vec<Work>, Error> {
        self.inner.claim(now, limit, lease, concurrency).await
    }
    async fn settle(&self, settlement: Settlement, now: Timestamp) -> Result<Outcome, Error> {
        self.inner.settle(settlement, now).await
    }
    async fn checkpoint(&self, checkpoint: Checkpoint, now: Timestamp) -> Result<Checkpointed, Error> {
        self.inner.checkpoint(checkpoint, now).await
    }
    async fn import(&self, import: Import, now: Timestamp) -> Result<Vec<Imported>, Error> {
        self.inner.import(import, now).await
    }
    async fn amend(&self, amend: Amend, now: Timestamp) -> Result<Amended, Error> {
        self.inner.amend(amend, now).await
    }
    async fn reclaim(&self, now: Timestamp, policy: RetryPolicy, held: &[JobId]) -> Result<Vec<Job>, Error> {
        self.inner.reclaim(now, policy, held).await
    }
    async fn renew(&self, leases: &[(JobId, u64)], until: Timestamp) -> Result<Vec<(JobId, u64)>, Error> {
        self.inner.renew(leases, until).await
    }
    async fn retime(&self, timetable: Arc<dyn Timetable>) -> Result<Vec<Job>, Error> {
        self.inner.retime(timetable).await
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
    async fn next_run(&self) -> Result<Option<Timestamp>, Error> {
        self.stop(At::NextRun).await;
        self.inner.next_run().await
    }
    async fn sent_since(&self, contact: KeyHash, of: Option<(AutomationId, String)>, after: Timestamp) -> Result<u32, Error> {
        self.inner.sent_since(contact, of, after).await
    }
    async fn state(&self, slot: KeyHash) -> Result<Option<String>, Error> {
        self.inner.state(slot).await
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
    async fn decisions(&self, job: JobId) -> Result<Vec<DecisionView>, Error> {
        self.inner.decisions(job).await
    }
    async fn messages(&self, page: &Page) -> Result<Vec<MessageView>, Error> {
        self.inner.messages(page).await
    }
    async fn audit(&self, page: &AuditPage) -> Result<Vec<AuditView>, Error> {
        self.inner.audit(page).await
    }
    async fn answer_for(&self, entries: Vec<AuditEntry>) -> Result<(), Error> {
        if self.deaf.load(Ordering::SeqCst) { Err(Error::Closed) } else { self.inner.answer_for(entries).await }
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
        self.stop(At::Audit).await;
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
        self.inner.consent(job, topic).await
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
        self.inner.document(job, index).await
    }
    async fn record_at(&self, hash: KeyHash) -> Result<Option<RecordRow>, Error> {
        self.inner.record_at(hash).await
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
        if self.deaf.load(Ordering::SeqCst) { Err(Error::Closed) } else { self.inner.add_heard(hours, now).await }
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
