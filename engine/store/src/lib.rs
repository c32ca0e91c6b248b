//! What zelo keeps, and the promises it keeps it with.
//!
//! [`Store`] is the contract that every database implements; `sqlite/` is the embedded one. One conformance suite
//! (`tests/conformance.rs`) holds each of them against it. Personal data is sealed on its way in and opened on its way
//! out (`seal`): whoever calls this crate sees plain values, whoever reads the files sees none.
//!
//! To add a table, you have to: 1. write a forward-only migration under each database's `migrations/`, every row with
//! its connection and clinic, personal values only in sealed columns, what is searched only as a [`KeyHash`];
//! 2. add the reads and writes to [`Store`], and the SQL to the file of the same name under each database; 3. add a case
//! to the conformance suite; 4. if it can hold personal data, add it to the marker test.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use tokio::sync::OwnedMutexGuard;
use zeroize::Zeroizing;

use zelo_core::audit::Head;
use zelo_core::audit::verify::Verified;
use zelo_core::concurrency::Wait;
use zelo_core::decide::{Decision, Imported, OnKnown};
use zelo_core::effect::Message;
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::{Checkpoint, Checkpointed, Report, Settled, Settlement};
use zelo_core::timing::{Records, Timetable};
use zelo_core::{
    Actor, Arrival, AuditEntry, AuditKind, AutomationId, Clinics, Concurrency, Event, EventId, Halt, HaltScope, Indexer, Job, JobId,
    JobState, JournalEntry, KeyHash, Pseudonym, RecordRow, RecordWrite, Status, TraceId,
};

mod amend;
mod archive;
mod backup;
mod envelope;
mod error;
mod figures;
mod heard;
mod refused;
mod register;
pub mod replay;
pub mod revive;
pub mod seal;
mod secrets;
pub mod sqlite;
mod subjects;

pub use amend::{Amend, Amended, NewRecord};
pub use archive::{
    Archive, Archived, Concerning, Counted, EventsWanted, JobsWanted, LiveJobs, OPEN_MAX, Open, Pending, Range, TROUBLED_MAX, Tally,
    TroubleView,
};
pub use backup::{AuditEnd, BackupReport, Restored};
pub use error::Error;
pub use figures::{Figures, Live, OnDisk};
pub use heard::HeardHour;
pub use refused::{REFUSED_LIFE, REFUSED_MAX, Refused, RefusedView, RefusedWrite};
pub use replay::{Fate, Replay, Replayable, Replayed};
pub use revive::{Cancellation, Decided, DecisionView, Reschedule, Rescheduled, Revival, Revivals, Revive, Trouble, Which};
pub use seal::MasterKey;
pub use secrets::{SECRET_MAX, SECRET_NAME_MAX, SecretValue, SecretView, is_secret_name};
pub use subjects::{
    Aged, ConsentView, ConsentWrite, Duties, Erasure, JobExport, Kept, Link, Retained, Retention, SubjectExport, SubjectView, Who,
};

/// Where zelo keeps what it knows. All writes go through one writer in order; reads do not wait for them.
///
/// A call that returns `Ok` from a write is a promise: it is on disk.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Makes the keyed hashes that this store is searched by.
    fn indexer(&self) -> &Indexer;

    /// Stores one arrival and all that [`zelo_core::decide`] makes of it. Arrivals that wait together share one
    /// transaction, in order.
    ///
    /// # Errors
    /// [`Error::Busy`] at once if the queue is full; nothing is stored then.
    async fn record(&self, arrival: Arrival) -> Result<Decision, Error> {
        // One arrival has one decision, unless nobody is there to decide.
        self.record_all(vec![arrival]).await?.pop().ok_or(Error::Closed)
    }

    /// Stores the arrivals of one delivery, in order, as [`Store::record`] does one: all of them in one transaction, or none. What became of
    /// each.
    ///
    /// # Errors
    /// [`Error::Busy`] at once if the queue is full; nothing is stored then.
    async fn record_all(&self, arrivals: Vec<Arrival>) -> Result<Vec<Decision>, Error>;

    /// Takes up to `limit` jobs whose time has come and that may run beside those that run, each under a new lease until `now + lease`.
    /// Clinics take turns; of one clinic and priority, who came due first comes first. What is due becomes ready by it, with a `limit` of 0
    /// too.
    async fn claim(
        &self,
        now: Timestamp,
        limit: u32,
        lease: SignedDuration,
        concurrency: &Arc<dyn Concurrency>,
    ) -> Result<Vec<Work>, Error>;

    /// Stores the end of an attempt with its journal and local effects, as [`zelo_core::settle`] decides. Settlements
    /// that wait together share one transaction.
    async fn settle(&self, settlement: Settlement, now: Timestamp) -> Result<Outcome, Error>;

    /// Stores what must be on disk in the midst of an attempt, as one: a counter goes up by one.
    async fn checkpoint(&self, checkpoint: Checkpoint, now: Timestamp) -> Result<Checkpointed, Error>;

    /// Stores records that no event brought, as of `now`. Any event of theirs, before or after, knows better; than a person, only one from
    /// after.
    async fn import(&self, import: Import, now: Timestamp) -> Result<Vec<Imported>, Error>;

    /// Writes what a person says at `now` about a record, and that they did: what happened before changes those fields no more, what
    /// happens later does. Pending jobs that read it are looked at again.
    async fn amend(&self, amend: Amend, now: Timestamp) -> Result<Amended, Error>;

    /// Gives jobs back whose lease has run out at `now`; `Timestamp::MAX` gives back all (at start, when no worker
    /// of an earlier process can be alive). Not those that are `held`: their attempts are alive, whatever the clock says.
    async fn reclaim(&self, now: Timestamp, policy: RetryPolicy, held: &[JobId]) -> Result<Vec<Job>, Error>;

    /// Has `leases`, jobs with the numbers of their leases, run until `until`; those that are lost: the job has ended, or is not held under
    /// that number any more.
    async fn renew(&self, leases: &[(JobId, u64)], until: Timestamp) -> Result<Vec<(JobId, u64)>, Error>;

    /// Computes the due times of all pending jobs again: the rules in force have changed. The jobs that changed.
    async fn retime(&self, timetable: Arc<dyn Timetable>) -> Result<Vec<Job>, Error>;

    /// Runs ended jobs again, or says of unknown ones whether they were done, as [`zelo_core::revive`] decides; with the steps that come
    /// after them. Portion by portion: what has run by the end of the call may be on its way already.
    async fn revive(&self, ask: Revive, now: Timestamp) -> Result<Revivals, Error>;

    /// The turn of whoever replays; none while somebody else has it. It is held while the events are read for [`Store::replay`], too.
    fn replaying(&self) -> Option<OwnedMutexGuard<()>>;

    /// Has a rule make jobs for events that are stored, as [`zelo_core::decide::Replay`] decides. What is under one key or in one
    /// window is written in one transaction, all of it or nothing; the rest portion by portion. What becomes of each action that they
    /// fire, in order of arrival. An action that has a job for an event, however that ended, gets no other, so the same replay again makes
    /// what is missing, and nothing twice. A dry run does not ask the writer.
    async fn replay(&self, ask: Replay, now: Timestamp) -> Result<Vec<Replayed>, Error>;

    /// Cancels a pending job, or asks one that runs to stop, because `actor` says so. Nothing where there is no such job.
    async fn cancel(&self, job: JobId, actor: Actor, now: Timestamp) -> Result<Option<Cancellation>, Error>;

    /// Has a pending job run at another time, because a person says so, as [`zelo_core::reschedule`] decides. Nothing where there is no such
    /// job.
    async fn reschedule(&self, ask: Reschedule, now: Timestamp) -> Result<Option<Rescheduled>, Error>;

    /// When the next job is to be looked at, if one is pending.
    async fn next_run(&self) -> Result<Option<Timestamp>, Error>;

    /// How many messages went to `contact` later than `after`; of one action of an automation, where one is given. Exact for
    /// the last [`PER_MAX`](zelo_core::budget::PER_MAX); what is older is forgotten.
    async fn sent_since(&self, contact: KeyHash, of: Option<(AutomationId, String)>, after: Timestamp) -> Result<u32, Error>;

    /// A value of an action's own state.
    async fn state(&self, slot: KeyHash) -> Result<Option<String>, Error>;

    /// What is stored, for those who only read.
    fn archive(&self) -> Arc<dyn Archive>;

    /// One event with its payload.
    async fn event(&self, id: EventId) -> Result<Option<EventView>, Error>;
    /// Events, newest first.
    async fn events(&self, page: &Page) -> Result<Vec<EventView>, Error>;
    /// One job, live or ended.
    async fn job(&self, id: JobId) -> Result<Option<JobView>, Error>;
    /// Jobs, live and ended, newest first.
    async fn jobs(&self, page: &Page, state: Option<JobState>) -> Result<Vec<JobView>, Error>;
    /// Live jobs that wait for a person, newest first.
    async fn attention(&self, page: &Page) -> Result<Vec<JobView>, Error>;
    /// The journal of a job, in order.
    async fn journal(&self, job: JobId) -> Result<Vec<JournalEntry>, Error>;
    /// What plugins said in the attempts of a job, in order; attempts that said nothing are not in it.
    async fn attempts(&self, job: JobId) -> Result<Vec<AttemptView>, Error>;
    /// What people decided about a job, in order.
    async fn decisions(&self, job: JobId) -> Result<Vec<DecisionView>, Error>;
    /// Messages in the outbox channels, newest first.
    async fn messages(&self, page: &Page) -> Result<Vec<MessageView>, Error>;

    /// The audit log, newest first.
    async fn audit(&self, page: &AuditPage) -> Result<Vec<AuditView>, Error>;
    /// Adds what no other write brings along: what people did and saw.
    async fn answer_for(&self, entries: Vec<AuditEntry>) -> Result<(), Error>;
    /// The public key that signs the audit log.
    fn audit_key(&self) -> [u8; 32];
    /// Signs the audit log as it stands, unless its last entry is signed; its last head, where it has entries.
    async fn sign_audit(&self, now: Timestamp) -> Result<Option<Head>, Error>;
    /// Heads that were not exported, in order.
    async fn unexported_heads(&self, limit: u32) -> Result<Vec<Head>, Error>;
    /// Notes that the heads at these places were exported.
    async fn exported_heads(&self, seqs: Vec<u64>) -> Result<(), Error>;
    /// Holds the audit log against its chain, its signed heads, and `others`, which were kept elsewhere.
    async fn verify_audit(&self, others: Vec<Head>) -> Result<Verified, Error>;
    /// Cuts off the beginning of the audit log, behind a signed head, which is returned; nothing where there is nothing to cut.
    async fn prune_audit(&self, prune: AuditPrune, now: Timestamp) -> Result<Option<Head>, Error>;

    /// Documents, newest first.
    async fn documents(&self, page: &Page) -> Result<Vec<DocumentView>, Error>;
    /// The document that effect `index` of `job` made, with its content.
    async fn document(&self, job: JobId, index: u32) -> Result<Option<(DocumentView, Vec<u8>)>, Error>;
    /// The people who are meant, whether they were erased or not.
    async fn find_subjects(&self, who: Who) -> Result<Vec<SubjectView>, Error>;
    /// All that is held of somebody.
    async fn export_subject(&self, subject: Pseudonym) -> Result<Option<SubjectExport>, Error>;
    /// All that the audit log says about somebody, in order.
    async fn seen_of(&self, subject: Pseudonym) -> Result<Vec<AuditView>, Error>;
    /// Erases somebody: destroys their keys and hashes, deletes what stood under them, cancels what is pending, and keeps what a law
    /// keeps under a key of its own. Nothing where there is nobody to erase. Written down in the register first: from then on they are
    /// erased, whatever happens to this process.
    ///
    /// # Errors
    /// [`Error::Held`]: their data are on hold.
    async fn erase(&self, subject: Pseudonym, actor: Actor, now: Timestamp) -> Result<Option<Erasure>, Error>;
    /// Puts somebody's data on hold for `reason`, or lets them go where there is none. Whether there is such a person.
    async fn hold(&self, subject: Pseudonym, reason: Option<String>, actor: Actor, now: Timestamp) -> Result<bool, Error>;
    /// Writes down what somebody said of a consent; how many jobs that ended. Nothing where there is no such person.
    async fn note_consent(&self, write: ConsentWrite, now: Timestamp) -> Result<Option<usize>, Error>;
    /// What the people of a live job last said about a topic; a withdrawal by anything that they are known by counts first.
    async fn consent(&self, job: JobId, topic: &str) -> Result<Option<ConsentView>, Error>;
    /// How much was kept long enough, by kind: what [`Store::retain`] would delete at least.
    async fn aged(&self, keep: Retention) -> Result<BTreeMap<String, u64>, Error>;
    /// Deletes a portion of what was kept long enough, and says whether there is more.
    async fn retain(&self, keep: Retention, actor: Actor, now: Timestamp) -> Result<Retained, Error>;
    /// The record at `hash`.
    async fn record_at(&self, hash: KeyHash) -> Result<Option<RecordRow>, Error>;
    /// Records, of one type where given, last written first.
    async fn records(&self, page: &Page, kind: Option<&str>) -> Result<Vec<RecordView>, Error>;

    /// Every automation ever switched on.
    async fn automations(&self) -> Result<Vec<AutomationRow>, Error>;
    /// Writes an automation as a whole, and that `by` did so; nothing where it already is as `row` says.
    async fn put_automation(&self, row: AutomationRow, by: Actor) -> Result<(), Error>;
    /// The same, only where it stands as `stood`; none: where it never was. Whether it did: what somebody else has written since stays.
    async fn exchange_automation(&self, row: AutomationRow, stood: Option<AutomationRow>, by: Actor) -> Result<bool, Error>;

    /// What is halted.
    async fn halts(&self) -> Result<Vec<Halt>, Error>;
    /// Writes down that something is halted; whether it was not before.
    async fn put_halt(&self, halt: Halt) -> Result<bool, Error>;
    /// Writes down that something is halted no more; whether it was.
    async fn lift_halt(&self, scope: HaltScope, actor: Actor, now: Timestamp) -> Result<bool, Error>;

    /// Keeps a credential, and writes down that `by` made it; of a session, that `by` came in.
    async fn put_credential(&self, row: CredentialRow, by: Actor) -> Result<(), Error>;
    /// The credential with this hash, if it has not run out at `now`.
    async fn credential(&self, hash: [u8; 32], now: Timestamp) -> Result<Option<CredentialRow>, Error>;
    /// Removes a credential; `Some` to exactly one caller, and only if it had not run out at `now`.
    async fn take_credential(&self, hash: [u8; 32], now: Timestamp) -> Result<Option<CredentialRow>, Error>;
    /// Whether anybody has ever been let in: a session or an API token was kept.
    async fn has_credentials(&self) -> Result<bool, Error>;

    /// All credentials that have not run out at `now`, the oldest first.
    async fn credentials(&self, now: Timestamp) -> Result<Vec<CredentialRow>, Error>;
    /// Makes the credential with this hash good for nothing any more, and writes down that `by` did so; whether there was one.
    async fn revoke_credential(&self, hash: [u8; 32], by: Actor, now: Timestamp) -> Result<bool, Error>;

    /// Everybody who signs in with a password, by name.
    async fn people(&self) -> Result<Vec<PersonRow>, Error>;
    /// Who signs in under this name.
    async fn person(&self, name: &str) -> Result<Option<PersonRow>, Error>;
    /// Writes somebody as a whole, under a new version, ends their sessions, and writes down that `by` did so.
    async fn put_person(&self, row: PersonRow, by: Actor, now: Timestamp) -> Result<(), Error>;
    /// Removes somebody, with their sessions; whether they were there.
    async fn remove_person(&self, name: &str, by: Actor, now: Timestamp) -> Result<bool, Error>;
    /// Changes or removes somebody, as [`Store::put_person`] and [`Store::remove_person`] do, unless nobody would be left who comes in as
    /// they are to be kept: decided in the same write, so that two who remove each other do not both come through.
    async fn see_to_person(&self, ask: SeeTo, by: Actor, now: Timestamp) -> Result<SeenTo, Error>;
    /// Notes that the code of period `step` was used; whether neither it nor a later one had been.
    async fn spend_code(&self, name: &str, step: i64, now: Timestamp) -> Result<bool, Error>;
    /// Keeps a secret of this name, in the place of the one before, and writes down that `by` did so; whether there was none before.
    async fn put_secret(&self, name: String, value: SecretValue, by: Actor, now: Timestamp) -> Result<bool, Error>;
    /// Forgets a secret, and writes down that `by` did so; whether there was one.
    async fn remove_secret(&self, name: String, by: Actor, now: Timestamp) -> Result<bool, Error>;
    /// The names of the secrets, in order, and when each was set.
    async fn secrets(&self) -> Result<Vec<SecretView>, Error>;
    /// The secret of this name.
    async fn secret(&self, name: String) -> Result<Option<SecretValue>, Error>;

    /// Keeps what can be told of a refused delivery, in the place of the oldest of its connection where those are too many.
    async fn put_refused(&self, write: RefusedWrite) -> Result<(), Error>;
    /// Refused deliveries, newest first.
    async fn refused(&self, page: &Page) -> Result<Vec<RefusedView>, Error>;
    /// One of them, with its body where that is kept.
    async fn refused_one(&self, trace: TraceId) -> Result<Option<(RefusedView, Option<Vec<u8>>)>, Error>;

    /// Adds what came through connections to what is known of these hours. What is too old is forgotten: as
    /// [`Heard::forget`](zelo_core::hearing::Heard::forget) does.
    async fn add_heard(&self, hours: Vec<HeardHour>, now: Timestamp) -> Result<(), Error>;
    /// How much came through each connection, by connection and hour.
    async fn heard(&self) -> Result<Vec<HeardHour>, Error>;

    /// Whether it reads and writes, and has room: after a write that the disk failed, only another write tells.
    ///
    /// # Errors
    /// [`Error::NoRoom`]: next to nothing is left on its disk. Or what a read or a write would say.
    async fn ready(&self) -> Result<(), Error>;

    /// What it stands at, for monitoring. Cheap, however much is stored: it counts live jobs by index, and reads no job.
    async fn figures(&self) -> Result<Figures, Error>;

    /// Copies everything to the file `target`, as it stands at one moment, while writes go on; when this returns well, the copy was looked
    /// through and is on disk. All that was acknowledged before the call is in it.
    ///
    /// # Errors
    /// `target` is there already or cannot be made ([`Error::Open`]), or the store is damaged ([`Error::Damaged`]). No file is left then.
    async fn backup(&self, target: PathBuf) -> Result<BackupReport, Error>;

    /// Finishes the writes that wait, and closes the files.
    async fn close(&self) -> Result<(), Error>;
}

/// An entry of the audit log with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditView {
    pub cursor: i64,
    pub entry: AuditEntry,
    /// Of the chain up to it.
    pub hash: [u8; 32],
}

/// Which entries of the audit log are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditPage {
    pub page: Page,
    pub kind: Option<AuditKind>,
    /// Only what this one did, as [`Actor::as_str`] says.
    pub actor: Option<String>,
    /// Only what happened then or later.
    pub since: Option<Timestamp>,
    /// Only what happened before.
    pub until: Option<Timestamp>,
}

/// How much of the audit log is to be cut off, and for whom.
#[derive(Clone, Debug)]
pub struct AuditPrune {
    /// What happened before this.
    pub before: Timestamp,
    /// Only behind a head that was exported.
    pub exported: bool,
    pub actor: Actor,
}

/// A claimed job with all that its attempt reads.
#[derive(Debug)]
pub struct Work {
    /// As stored after the claim: `running`, with its lease and attempt number.
    pub job: Job,
    /// Its event; of several, the newest.
    pub event: Event,
    /// All events that it collected, in the order in which they happened, then arrived; none where it is for one event.
    pub collected: Vec<Event>,
    /// The records that its lookups name, where they exist.
    pub records: RecordSet,
    /// What earlier attempts stored.
    pub journal: Vec<JournalEntry>,
    /// What the steps before it gave, by their names.
    pub steps: Map<String, Value>,
}

/// What a settlement came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub settled: Settled,
    /// Jobs that it let go, or took along, or woke.
    pub others: Vec<Job>,
    /// What became of the events that it emitted, in their order.
    pub emitted: Vec<Decision>,
}

/// Records that no event brought: from before the first webhook.
#[derive(Clone)]
pub struct Import {
    pub connection: String,
    pub records: Vec<RecordWrite>,
    pub on_known: OnKnown,
    /// The rules in force: pending jobs may read what is imported.
    pub timetable: Arc<dyn Timetable>,
}

/// Records by their place.
#[derive(Clone, Default)]
pub struct RecordSet(pub HashMap<KeyHash, Value>);

impl std::fmt::Debug for RecordSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecordSet({})", self.0.len())
    }
}

impl Records for RecordSet {
    fn record(&self, hash: KeyHash) -> Option<&Value> {
        self.0.get(&hash)
    }
}

/// Which rows of a list are wanted, newest first.
#[derive(Clone, Debug)]
pub struct Page {
    pub limit: u32,
    /// Only rows older than this one: the `cursor` of the last row seen.
    pub before: Option<i64>,
    pub connection: Option<String>,
    pub clinic: Option<String>,
    /// Only rows of these.
    pub clinics: Clinics,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: 50, before: None, connection: None, clinic: None, clinics: Clinics::All }
    }
}

/// A stored event.
#[derive(Clone, Debug)]
pub struct EventView {
    pub cursor: i64,
    /// The people whose data it holds; nobody where it is a clinic's.
    pub about: Vec<Pseudonym>,
    pub event: Event,
    pub status: Status,
}

/// A stored job.
#[derive(Clone)]
pub struct JobView {
    pub cursor: i64,
    /// The people whose data it holds; nobody where it is a clinic's.
    pub about: Vec<Pseudonym>,
    pub job: Job,
    /// What keeps it from running, where its time has come and something was found to.
    pub waits: Option<Wait>,
    /// What the plugin said it did.
    pub summary: Option<String>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// Of what the plugin said, it prints the size only.
impl std::fmt::Debug for JobView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = self.summary.as_ref().map_or(0, String::len);
        write!(f, "JobView({:?}, ended {:?}, {said} bytes said)", self.job, self.ended)
    }
}

/// What a plugin said in one attempt of a job.
#[derive(Clone, Debug)]
pub struct AttemptView {
    pub attempt: u32,
    pub at: Timestamp,
    /// What the job came to by it.
    pub state: JobState,
    pub report: Report,
}

/// A message in an outbox channel.
#[derive(Clone, Debug)]
pub struct MessageView {
    pub cursor: i64,
    /// The people whose data it holds; nobody where it is a clinic's.
    pub about: Vec<Pseudonym>,
    /// Job and place of the effect: the same on every attempt.
    pub id: String,
    pub job: JobId,
    pub at: Timestamp,
    pub connection: String,
    pub clinic: Option<String>,
    pub channel: String,
    /// Whose doing it is, `rule/action`; empty where that is not known any more.
    pub action: String,
    pub message: Message,
}

/// A document, without its content.
#[derive(Clone)]
pub struct DocumentView {
    pub cursor: i64,
    /// The people whose data it holds; nobody where it is a clinic's.
    pub about: Vec<Pseudonym>,
    /// Job and place of the effect: the same on every attempt.
    pub id: String,
    pub job: JobId,
    pub index: u32,
    pub at: Timestamp,
    pub connection: String,
    pub clinic: Option<String>,
    pub name: String,
    pub media_type: String,
    pub text: String,
    /// Bytes.
    pub size: u64,
    /// Whose doing it is, `rule/action`; empty where that is not known any more.
    pub action: String,
}

/// A record.
#[derive(Clone)]
pub struct RecordView {
    pub cursor: i64,
    /// The people whose data it holds; nobody where it is a clinic's.
    pub about: Vec<Pseudonym>,
    pub connection: String,
    pub clinic: Option<String>,
    pub kind: String,
    pub id: String,
    pub time: Timestamp,
    pub document: Value,
}

/// A rule that a clinic has switched on, or had.
#[derive(Clone, Debug, PartialEq)]
pub struct AutomationRow {
    pub id: AutomationId,
    pub rule: String,
    pub connection: String,
    pub clinic: Option<String>,
    pub settings: Map<String, Value>,
    pub enabled: bool,
    /// Who says so: `config` (the file, in force as long as it stands there) or `people`.
    pub origin: String,
    pub changed: Timestamp,
}

/// Something that lets a person or program in. Only the SHA-256 of its secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialRow {
    pub hash: [u8; 32],
    pub kind: CredentialKind,
    pub role: String,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub clinics: Clinics,
    /// Of a session that a person began with their password: whose it is, and how they stood then.
    pub person: Option<(String, i64)>,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
}

/// Somebody who signs in with a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonRow {
    /// By which they sign in.
    pub name: String,
    pub role: String,
    pub clinics: Clinics,
    /// Argon2id, in the PHC string format.
    pub password: String,
    /// The secret of their codes (RFC 6238); nothing: they need none.
    pub secret: Option<Zeroizing<Vec<u8>>>,
    pub created: Timestamp,
    /// How they stand: another one after every change. A session is good as long as its person stands as when it began.
    pub version: i64,
}

/// What is to become of somebody who signs in with a password.
#[derive(Clone, Debug)]
pub struct SeeTo {
    pub name: String,
    /// How they are to be, whole; nothing: they are removed.
    pub row: Option<PersonRow>,
    /// The role in which somebody who is told of everything must be left, where there is one.
    pub keep: String,
}

/// What became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenTo {
    Done,
    /// There is nobody of this name.
    Missing,
    /// They are the last one of the role that is kept, and stand as they did.
    Last,
}

/// Of password and secret, it prints nothing.
impl std::fmt::Debug for PersonRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PersonRow({} {} {})", self.name, self.role, self.version)
    }
}

/// What kind of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// An API token.
    Token,
    /// A signed-in browser.
    Session,
    /// A sign-in link: used once.
    Link,
}

impl CredentialKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Token, Self::Session, Self::Link];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Session => "session",
            Self::Link => "link",
        }
    }

    /// The kind that a word names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The id of what effect `index` of `job` makes, a message or a document: the same on every attempt.
pub fn effect_id(job: JobId, index: u32) -> String {
    format!("{job}/{index}")
}

/// The job and the place of the effect that an id of [`effect_id`] names.
pub fn parse_effect_id(id: &str) -> Option<(JobId, u32)> {
    let (job, index) = id.split_once('/')?;
    Some((job.parse().ok()?, index.parse().ok().filter(|_| index.bytes().all(|byte| byte.is_ascii_digit()))?))
}
