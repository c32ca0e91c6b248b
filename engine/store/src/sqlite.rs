//! The embedded database: one process, one writer, readers beside it.
//!
//! - `open`: lock, schema, master key; `migrate` and `migrations/`: the schema.
//! - `writer`: the one task that writes, by group commit. What it runs: `load` and `record` (arrivals; `recent`: what they are found by), `settle` (ends of
//!   attempts), `effects` (what they did and said), `checkpoint`, `steps` (what becomes of other jobs), `import`, `amend`, `claim` (with `line`: whose turn it is), `keeper` (leases, due times), `people` (automations,
//!   credentials), `revive` (what people decide about jobs), `halts`, `secrets`.
//! - `backup`: copies of the file, and how one takes its place.
//! - `reader`: connections that only read. What they serve: `events`, `lists`, `conversations`, `archive`, and the loading half of `claim`. `together`: those that many jobs ask at once.
//! - `replay`: stored events, once more for a rule.
//! - `budgets`: who got how many messages of late, written with the messages.
//! - `jobs`, `keys`, `windows`: rows that several of these share. `bulk`, `trip`, `column`: writing and reading many rows, in few trips to the connection's thread.
//!
//! Invariants: nobody else writes, and nothing is answered before its transaction is on disk. A database future is
//! never dropped half-way: writes run in the writer's task, reads in tasks of their own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};
use tokio::task::JoinHandle;

use zelo_core::audit::Head;
use zelo_core::audit::verify::Verified;
use zelo_core::clock::from_ms;
use zelo_core::decide::{Decision, Imported};
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::{Checkpoint, Checkpointed, Settlement};
use zelo_core::timing::Timetable;
use zelo_core::{
    Actor, Arrival, AuditEntry, AutomationId, Concurrency, Entropy, EventId, Halt, HaltScope, Indexer, Job, JobId, JobState, JournalEntry,
    KeyHash, Plan, Pseudonym, RecordRow, TraceId,
};

use crate::register::Register;
use crate::{
    Amend, Amended, Archive, AttemptView, AuditPage, AuditPrune, AuditView, AutomationRow, BackupReport, Cancellation, ConsentView,
    ConsentWrite, CredentialRow, DecisionView, DocumentView, Duties, Erasure, Error, EventView, Figures, HeardHour, Import, JobView,
    MasterKey, MessageView, Outcome, Page, PersonRow, RecordView, RefusedView, RefusedWrite, Replay, Replayed, Reschedule, Rescheduled,
    Restored, Retained, Retention, Revivals, Revive, SecretValue, SecretView, SeeTo, SeenTo, Store, SubjectExport, SubjectView, Who, Work,
};

mod activity;
mod agenda;
mod amend;
mod archive;
mod audit;
mod backup;
mod budgets;
mod bulk;
mod checkpoint;
mod claim;
mod column;
mod consents;
mod conversations;
mod counts;
mod effects;
mod erase;
mod events;
mod figures;
mod halts;
mod heard;
mod identities;
mod import;
mod interned;
mod jobs;
mod keeper;
mod keys;
mod line;
mod lists;
mod load;
mod migrate;
mod open;
mod others;
mod pending;
mod people;
mod persons;
mod reader;
mod recent;
mod record;
mod refused;
mod replay;
mod reschedule;
mod retention;
mod revive;
mod rotate;
mod secrets;
mod settle;
mod steps;
mod subjects;
mod today;
mod together;
mod trip;
mod troubles;
mod turns;
mod waiting;
mod windows;
mod writer;

use amend::Say;
use budgets::SentSince;
use checkpoint::Check;
use claim::Claim;
use erase::Erase;
use figures::Gauges;
use halts::{LiftHalt, PutHalt};
use heard::AddHeard;
use import::Bring;
use keeper::{Reclaim, Renew, Retime};
use lists::RecordAt;
use people::{PutAutomation, PutCredential, RevokeCredential, TakeCredential};
use persons::{PutPerson, RemovePerson, SeeToPerson, SpendCode};
use reader::Reader;
use record::Payload;
use refused::PutRefused;
use reschedule::Move;
use retention::Retain;
use revive::{Cancel, Portion, Round};
use secrets::{PutSecret, RemoveSecret};
use together::Together;
use writer::{Command, Merge, Ready, Waiting, Write};

pub use consents::WITHDRAWN;

/// Where the database is, and how much it takes at once.
#[derive(Clone, Debug)]
pub struct SqliteConfig {
    /// The file; none keeps everything in memory, and forgets it when the store is closed.
    pub path: Option<PathBuf>,
    /// Writes that may wait. An arrival beyond them is refused with [`Error::Busy`].
    pub queue: usize,
    /// Writes that may share a transaction. More of them would share more pages; but meanwhile all who wait, wait for all of them.
    pub batch: usize,
    /// Events that are found by memory, before what they are found by is merged into the tables: less is written the more there are, and
    /// opening a store after a crash reads as many, or half as many again.
    pub recent: usize,
    /// The register of erasures, which stands apart from the database and its backups: see [`Store::erase`]. None: who was erased is not
    /// written down elsewhere.
    pub register: Option<PathBuf>,
    /// What is kept of who is erased.
    pub duties: Duties,
    /// Neither seals nor keeps an audit log.
    #[cfg(feature = "unsealed")]
    pub unsealed: bool,
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self {
            path: None,
            queue: 4096,
            batch: 128,
            recent: 32_768,
            register: None,
            duties: Duties::default(),
            #[cfg(feature = "unsealed")]
            unsealed: false,
        }
    }
}

/// A store in one SQLite file, or in memory.
pub struct SqliteStore {
    indexer: Indexer,
    audit_key: [u8; 32],
    register: Option<Register>,
    duties: Duties,
    commands: mpsc::Sender<Command>,
    reader: Reader,
    budgets: Together<SentSince>,
    records: Together<RecordAt>,
    gauges: Arc<Gauges>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// One at a time.
    backups: Arc<Mutex<()>>,
    /// One at a time, too.
    replays: Arc<Mutex<()>>,
}

impl SqliteStore {
    /// Opens the store, and makes it where it is not there yet.
    ///
    /// # Errors
    /// Another process has it open, it was made by a newer zelo or by another program ([`Error::Open`]), `master` is
    /// not the key it was made with ([`Error::Sealed`]), or the database fails.
    pub async fn open(config: SqliteConfig, master: MasterKey, entropy: Arc<dyn Entropy>) -> Result<Arc<Self>, Error> {
        open::open(config, master, entropy).await
    }

    /// Wraps all keys of the store under `new` instead of `old`, while nobody else has it open; how many there are. Everything stays as
    /// it is, but opens with the new master key only.
    ///
    /// # Errors
    /// As of [`SqliteStore::open`]. Nothing was changed then.
    pub async fn rotate(
        config: SqliteConfig,
        old: MasterKey,
        new: &MasterKey,
        entropy: Arc<dyn Entropy>,
        now: Timestamp,
    ) -> Result<u64, Error> {
        open::rotate(config, old, new, entropy, now).await
    }

    /// Looks through a backup, and whether `master` opens it. Nothing is changed.
    ///
    /// # Errors
    /// It is none, of a newer zelo ([`Error::Open`]), of another master key ([`Error::Sealed`]), or damaged ([`Error::Damaged`]).
    pub async fn check(backup: &Path, master: &MasterKey) -> Result<BackupReport, Error> {
        backup::check(backup, master).await
    }

    /// Puts a copy of `backup` in the place of the store of `config`, which nobody may have open. A store that is there is moved aside if
    /// `replace` says what to add to its name. Who was erased since is erased again when the store is opened.
    ///
    /// # Errors
    /// As of [`SqliteStore::check`]; or there is a store, and `replace` is none. Nothing was changed then.
    pub async fn restore(config: &SqliteConfig, backup: &Path, master: &MasterKey, replace: Option<&str>) -> Result<Restored, Error> {
        let Some(path) = &config.path else { return Err(Error::Open("a store in memory cannot be restored".to_owned())) };
        backup::restore(path, config.register.as_deref(), backup, master, replace).await
    }

    /// Has the writer run `write`, and waits for the disk.
    async fn write<W: Write>(&self, write: W) -> Result<W::Answer, Error> {
        let (reply, answer) = oneshot::channel();
        let task = Box::new(Waiting { write, found: None, reply });
        self.commands.send(Command::Other(task)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Runs a read in a task of its own, so that it ends even if nobody waits for it any more.
    async fn read<T: Send + 'static, F>(&self, read: impl FnOnce(Reader) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        match tokio::spawn(read(self.reader.clone())).await {
            Ok(outcome) => outcome,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(Error::Closed),
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn indexer(&self) -> &Indexer {
        &self.indexer
    }

    async fn record_all(&self, arrivals: Vec<Arrival>) -> Result<Vec<Decision>, Error> {
        let room = self.commands.try_reserve().map_err(|error| match error {
            TrySendError::Full(()) => Error::Busy,
            TrySendError::Closed(()) => Error::Closed,
        })?;
        let sealed = |arrival| {
            let arrival = whole_ms(arrival);
            let payload = Payload::seal_early(&self.reader.ring, &arrival);
            (arrival, payload)
        };
        let (reply, answer) = oneshot::channel();
        room.send(Command::Record(arrivals.into_iter().map(sealed).collect(), reply));
        answer.await.map_err(|_| Error::Closed)?
    }

    async fn claim(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
        concurrency: &Arc<dyn Concurrency>,
    ) -> Result<Vec<Work>, Error> {
        let jobs = self.write(Claim { now, limit, lease, concurrency: concurrency.clone() }).await?;
        self.read(|reader| claim::load(reader, jobs)).await
    }

    async fn settle(&self, settlement: Settlement, now: Timestamp) -> Result<Outcome, Error> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Settle(Box::new(settlement), now, reply)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    async fn checkpoint(&self, checkpoint: Checkpoint, now: Timestamp) -> Result<Checkpointed, Error> {
        self.write(Check { checkpoint, now }).await
    }

    async fn import(&self, import: Import, now: Timestamp) -> Result<Vec<Imported>, Error> {
        let now = from_ms(now.as_millisecond());
        self.write(Bring { import, now }).await
    }

    async fn amend(&self, amend: Amend, now: Timestamp) -> Result<Amended, Error> {
        let now = from_ms(now.as_millisecond());
        self.write(Say { amend, now }).await
    }

    async fn reclaim(&self, now: Timestamp, policy: RetryPolicy, held: &[JobId]) -> Result<Vec<Job>, Error> {
        let mut all = Vec::new();
        loop {
            let held = held.iter().copied().collect();
            let (jobs, more) = self.write(Reclaim { now, policy, held }).await?;
            all.extend(jobs);
            if !more {
                return Ok(all);
            }
        }
    }

    async fn renew(&self, leases: &[(JobId, u64)], until: Timestamp) -> Result<Vec<(JobId, u64)>, Error> {
        self.write(Renew { leases: leases.to_vec(), until }).await
    }

    async fn retime(&self, timetable: Arc<dyn Timetable>) -> Result<Vec<Job>, Error> {
        let mut all = Vec::new();
        let mut after = Some(0);
        while let Some(place) = after {
            let (jobs, next) = self.write(Retime { timetable: timetable.clone(), after: place }).await?;
            all.extend(jobs);
            after = next;
        }
        Ok(all)
    }

    async fn revive(&self, ask: Revive, now: Timestamp) -> Result<Revivals, Error> {
        let now = from_ms(now.as_millisecond());
        let mut all = Revivals::default();
        let mut next = Some(Round::default());
        while let Some(round) = next {
            let (Revivals { jobs, missing, more }, rest) = self.write(Portion { ask: ask.clone(), now, round }).await?;
            all.jobs.extend(jobs);
            all.missing.extend(missing);
            all.more |= more;
            next = rest;
        }
        Ok(all)
    }

    fn replaying(&self) -> Option<OwnedMutexGuard<()>> {
        self.replays.clone().try_lock_owned().ok()
    }

    async fn replay(&self, ask: Replay, now: Timestamp) -> Result<Vec<Replayed>, Error> {
        let now = from_ms(now.as_millisecond());
        let (rule, dry_run) = (ask.rule.clone(), ask.dry_run);
        let last = self.read(move |reader| replay::placed(reader, rule, now)).await?;
        let (portions, places) = replay::portions(ask, now, last);
        let mut all = Vec::new();
        if dry_run {
            all = self.read(|reader| replay::tried(reader, portions)).await?;
        } else {
            let mut pace = None;
            for portion in portions {
                let (fates, then) = self.write(portion.behind(pace)).await?;
                all.extend(fates);
                pace = Some(then);
            }
        }
        all.sort_by_key(|one| places.get(&one.event).copied());
        Ok(all)
    }

    async fn cancel(&self, job: JobId, actor: Actor, now: Timestamp) -> Result<Option<Cancellation>, Error> {
        self.write(Cancel { job, actor, now: from_ms(now.as_millisecond()) }).await
    }

    async fn reschedule(&self, ask: Reschedule, now: Timestamp) -> Result<Option<Rescheduled>, Error> {
        let ask = Reschedule { to: from_ms(ask.to.as_millisecond()), ..ask };
        self.write(Move { ask, now: from_ms(now.as_millisecond()) }).await
    }

    async fn next_run(&self) -> Result<Option<Timestamp>, Error> {
        self.read(keeper::next_run).await
    }

    async fn sent_since(&self, contact: KeyHash, of: Option<(AutomationId, String)>, after: Timestamp) -> Result<u32, Error> {
        self.budgets.ask(&self.reader, SentSince { contact, of, after }).await
    }

    async fn state(&self, slot: KeyHash) -> Result<Option<String>, Error> {
        self.read(|reader| lists::state(reader, slot)).await
    }

    fn archive(&self) -> Arc<dyn Archive> {
        Arc::new(archive::SqliteArchive { reader: self.reader.clone(), duties: self.duties.clone() })
    }

    async fn event(&self, id: EventId) -> Result<Option<EventView>, Error> {
        self.read(|reader| events::one(reader, id)).await
    }

    async fn events(&self, page: &Page) -> Result<Vec<EventView>, Error> {
        self.read(|reader| events::page(reader, page.clone())).await
    }

    async fn job(&self, id: JobId) -> Result<Option<JobView>, Error> {
        self.read(|reader| lists::job(reader, id)).await
    }

    async fn jobs(&self, page: &Page, state: Option<JobState>) -> Result<Vec<JobView>, Error> {
        self.read(|reader| lists::jobs(reader, page.clone(), state)).await
    }

    async fn attention(&self, page: &Page) -> Result<Vec<JobView>, Error> {
        self.read(|reader| lists::attention(reader, page.clone())).await
    }

    async fn journal(&self, job: JobId) -> Result<Vec<JournalEntry>, Error> {
        self.read(|reader| lists::journal(reader, job)).await
    }

    async fn attempts(&self, job: JobId) -> Result<Vec<AttemptView>, Error> {
        self.read(|reader| lists::attempts(reader, job)).await
    }

    async fn decisions(&self, job: JobId) -> Result<Vec<DecisionView>, Error> {
        self.read(move |reader| revive::decisions(reader, job)).await
    }

    async fn messages(&self, page: &Page) -> Result<Vec<MessageView>, Error> {
        self.read(|reader| lists::messages(reader, page.clone())).await
    }

    async fn audit(&self, page: &AuditPage) -> Result<Vec<AuditView>, Error> {
        self.read(|reader| audit::page(reader, page.clone())).await
    }

    async fn answer_for(&self, entries: Vec<AuditEntry>) -> Result<(), Error> {
        self.write(audit::Append(entries)).await
    }

    fn audit_key(&self) -> [u8; 32] {
        self.audit_key
    }

    async fn sign_audit(&self, now: Timestamp) -> Result<Option<Head>, Error> {
        self.write(audit::Sign { now }).await
    }

    async fn unexported_heads(&self, limit: u32) -> Result<Vec<Head>, Error> {
        self.read(move |reader| audit::unexported(reader, limit)).await
    }

    async fn exported_heads(&self, seqs: Vec<u64>) -> Result<(), Error> {
        self.write(audit::Exported(seqs)).await
    }

    async fn verify_audit(&self, others: Vec<Head>) -> Result<Verified, Error> {
        let key = self.audit_key;
        self.read(move |reader| async move { audit::verify(&mut *reader.conn().await?, key, others).await }).await
    }

    async fn prune_audit(&self, prune: AuditPrune, now: Timestamp) -> Result<Option<Head>, Error> {
        self.write(audit::Prune { before: prune.before, exported: prune.exported, now, actor: prune.actor }).await
    }

    async fn find_subjects(&self, who: Who) -> Result<Vec<SubjectView>, Error> {
        let indexer = self.indexer.clone();
        self.read(|reader| subjects::find(reader, indexer, who)).await
    }

    async fn export_subject(&self, subject: Pseudonym) -> Result<Option<SubjectExport>, Error> {
        self.write(Merge).await?;
        self.read(move |reader| subjects::export(reader, subject)).await
    }

    async fn seen_of(&self, subject: Pseudonym) -> Result<Vec<AuditView>, Error> {
        self.read(move |reader| async move { audit::about(&mut *reader.conn().await?, subject).await }).await
    }

    async fn erase(&self, subject: Pseudonym, actor: Actor, now: Timestamp) -> Result<Option<Erasure>, Error> {
        let now = from_ms(now.as_millisecond());
        let found = self.find_subjects(Who::Pseudonym(subject)).await?.pop().filter(|found| found.erased.is_none());
        let Some(found) = found else { return Ok(None) };
        if found.held.is_some() {
            return Err(Error::Held);
        }
        if let Some(register) = self.register.clone() {
            let written = tokio::task::spawn_blocking(move || register.add(subject, now)).await;
            written.map_err(|_| Error::Closed)??;
        }
        let erased = self.write(Erase { subject, duties: self.duties.clone(), actor, now, again: false }).await;
        if let (Err(_), Some(register)) = (&erased, self.register.clone()) {
            // It is undone, and who asked is told: it must not happen at the next start all the same.
            let taken_back = tokio::task::spawn_blocking(move || register.revoke(subject, now)).await;
            taken_back.map_err(|_| Error::Closed)??;
        }
        erased
    }

    async fn hold(&self, subject: Pseudonym, reason: Option<String>, actor: Actor, now: Timestamp) -> Result<bool, Error> {
        self.write(subjects::Hold { subject, reason, actor, now }).await
    }

    async fn note_consent(&self, write: ConsentWrite, now: Timestamp) -> Result<Option<usize>, Error> {
        self.write(consents::Note { write, now: from_ms(now.as_millisecond()) }).await
    }

    async fn consent(&self, job: JobId, topic: &str) -> Result<Option<ConsentView>, Error> {
        let topic = topic.to_owned();
        self.read(move |reader| consents::of_job(reader, job, topic)).await
    }

    async fn aged(&self, keep: Retention) -> Result<BTreeMap<String, u64>, Error> {
        self.read(move |reader| retention::aged(reader, keep)).await
    }

    async fn retain(&self, keep: Retention, actor: Actor, now: Timestamp) -> Result<Retained, Error> {
        self.write(Retain { keep, actor, now: from_ms(now.as_millisecond()) }).await
    }

    async fn documents(&self, page: &Page) -> Result<Vec<DocumentView>, Error> {
        self.read(|reader| lists::documents(reader, page.clone())).await
    }

    async fn document(&self, job: JobId, index: u32) -> Result<Option<(DocumentView, Vec<u8>)>, Error> {
        self.read(|reader| lists::document(reader, job, index)).await
    }

    async fn record_at(&self, hash: KeyHash) -> Result<Option<RecordRow>, Error> {
        self.records.ask(&self.reader, RecordAt(hash)).await
    }

    async fn records(&self, page: &Page, kind: Option<&str>) -> Result<Vec<RecordView>, Error> {
        self.read(|reader| lists::records(reader, page.clone(), kind.map(str::to_owned))).await
    }

    async fn automations(&self) -> Result<Vec<AutomationRow>, Error> {
        self.read(people::automations).await
    }

    async fn put_automation(&self, row: AutomationRow, by: Actor) -> Result<(), Error> {
        self.write(PutAutomation { row, by, stood: None }).await.map(drop)
    }

    async fn exchange_automation(&self, row: AutomationRow, stood: Option<AutomationRow>, by: Actor) -> Result<bool, Error> {
        self.write(PutAutomation { row, by, stood: Some(stood) }).await
    }

    async fn halts(&self) -> Result<Vec<Halt>, Error> {
        self.read(halts::halts).await
    }

    async fn put_halt(&self, halt: Halt) -> Result<bool, Error> {
        self.write(PutHalt(halt)).await
    }

    async fn lift_halt(&self, scope: HaltScope, actor: Actor, now: Timestamp) -> Result<bool, Error> {
        self.write(LiftHalt { scope, actor, now }).await
    }

    async fn put_credential(&self, row: CredentialRow, by: Actor) -> Result<(), Error> {
        self.write(PutCredential { row, by }).await
    }

    async fn credential(&self, hash: [u8; 32], now: Timestamp) -> Result<Option<CredentialRow>, Error> {
        self.read(|reader| people::credential(reader, hash, now)).await
    }

    async fn take_credential(&self, hash: [u8; 32], now: Timestamp) -> Result<Option<CredentialRow>, Error> {
        self.write(TakeCredential { hash, now }).await
    }

    async fn has_credentials(&self) -> Result<bool, Error> {
        self.read(people::admitted).await
    }

    async fn credentials(&self, now: Timestamp) -> Result<Vec<CredentialRow>, Error> {
        self.read(|reader| people::credentials(reader, now)).await
    }

    async fn revoke_credential(&self, hash: [u8; 32], by: Actor, now: Timestamp) -> Result<bool, Error> {
        self.write(RevokeCredential { hash, by, now }).await
    }

    async fn people(&self) -> Result<Vec<PersonRow>, Error> {
        self.read(persons::people).await
    }

    async fn person(&self, name: &str) -> Result<Option<PersonRow>, Error> {
        self.read(|reader| persons::person(reader, name.to_owned())).await
    }

    async fn put_person(&self, row: PersonRow, by: Actor, now: Timestamp) -> Result<(), Error> {
        self.write(PutPerson { row, by, now }).await
    }

    async fn remove_person(&self, name: &str, by: Actor, now: Timestamp) -> Result<bool, Error> {
        self.write(RemovePerson { name: name.to_owned(), by, now }).await
    }

    async fn see_to_person(&self, ask: SeeTo, by: Actor, now: Timestamp) -> Result<SeenTo, Error> {
        self.write(SeeToPerson { ask, by, now }).await
    }

    async fn spend_code(&self, name: &str, step: i64, now: Timestamp) -> Result<bool, Error> {
        self.write(SpendCode { name: name.to_owned(), step, now }).await
    }

    async fn put_secret(&self, name: String, value: SecretValue, by: Actor, now: Timestamp) -> Result<bool, Error> {
        let sealed = self.reader.ring.seal_own(secrets::place(&name), value.bytes());
        self.write(PutSecret { name, sealed, by, now }).await
    }

    async fn remove_secret(&self, name: String, by: Actor, now: Timestamp) -> Result<bool, Error> {
        self.write(RemoveSecret { name, by, now }).await
    }

    async fn secrets(&self) -> Result<Vec<SecretView>, Error> {
        self.read(secrets::list).await
    }

    async fn secret(&self, name: String) -> Result<Option<SecretValue>, Error> {
        self.read(|reader| secrets::secret(reader, name)).await
    }

    async fn put_refused(&self, write: RefusedWrite) -> Result<(), Error> {
        self.write(PutRefused::new(&self.reader.ring, write)).await
    }

    async fn refused(&self, page: &Page) -> Result<Vec<RefusedView>, Error> {
        let page = page.clone();
        self.read(|reader| refused::list(reader, page)).await
    }

    async fn refused_one(&self, trace: TraceId) -> Result<Option<(RefusedView, Option<Vec<u8>>)>, Error> {
        self.read(move |reader| refused::one(reader, trace.bytes())).await
    }

    async fn add_heard(&self, hours: Vec<HeardHour>, now: Timestamp) -> Result<(), Error> {
        self.write(AddHeard { hours, now }).await
    }

    async fn heard(&self) -> Result<Vec<HeardHour>, Error> {
        self.read(heard::all).await
    }

    async fn ready(&self) -> Result<(), Error> {
        self.gauges.room()?;
        self.next_run().await?;
        self.write(Ready).await
    }

    async fn figures(&self) -> Result<Figures, Error> {
        let (gauges, commands) = (self.gauges.clone(), self.commands.clone());
        self.read(|reader| async move { gauges.read(reader, &commands).await }).await
    }

    async fn backup(&self, target: PathBuf) -> Result<BackupReport, Error> {
        let (key, turn) = (self.audit_key, self.backups.clone());
        self.read(move |reader| async move {
            let _turn = turn.lock().await;
            backup::backup(reader, key, target).await
        })
        .await
    }

    async fn close(&self) -> Result<(), Error> {
        let Some(writer) = self.writer.lock().await.take() else { return Ok(()) };
        // The writer goes last: it empties the log of writes into the file, which nobody else may have open then.
        self.reader.close().await;
        let _ = self.commands.send(Command::Close).await;
        writer.await.map_err(|_| Error::Closed)
    }
}

/// The store keeps whole milliseconds. What is decided from an arrival must not depend on whether it is compared with
/// one that was stored or with one of the same batch, so it comes in as it will be stored.
fn whole_ms(mut arrival: Arrival) -> Arrival {
    let whole = |time: &mut Timestamp| *time = from_ms(time.as_millisecond());
    whole(&mut arrival.event.time);
    whole(&mut arrival.event.received);
    for candidate in &mut arrival.candidates {
        if let Plan::Fire { anchor: Some(Ok(anchor)), .. } = &mut candidate.plan {
            whole(anchor);
        }
    }
    arrival
}
