//! "Receipt, then message", killed between any two of its steps: one number is used, one document made, one message sent.
//!
//! The runtime is the real one with the plugins and rules that ship, over a store on disk that dies at a chosen write: before
//! it reaches the disk, or after. What follows is a new start over the same file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use jiff::SignedDuration;
use serde_json::{Value, json};
use zelo_core::audit::Head;
use zelo_core::audit::verify::Verified;
use zelo_core::concurrency::unlimited;
use zelo_core::decide::{Decision, Imported};
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::{Checkpoint, Checkpointed, Settlement};
use zelo_core::timing::Timetable;
use zelo_core::{
    Actor, Arrival, AuditEntry, AutomationId, Clock, Concurrency, EventId, Halt, HaltScope, Indexer, Job, JobId, JobState, JournalEntry,
    KeyHash, ManualClock, Pseudonym, RecordRow, SeededEntropy, Timestamp, TraceId,
};
use zelo_host::{Host, HostConfig, Limits};
use zelo_rules::{Delivery, Headers};
use zelo_runtime::line::Line;
use zelo_runtime::rulebook::{self, Edition, everything_on};
use zelo_runtime::{Catalog, ChannelKind, Channels, Connection, Installed, Rulebook, Runtime, Shared};
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{
    Amend, Amended, Archive, AttemptView, AuditPage, AuditPrune, AuditView, AutomationRow, BackupReport, Cancellation, ConsentView,
    ConsentWrite, CredentialRow, DecisionView, DocumentView, Erasure, Error, EventView, Figures, HeardHour, Import, JobView, MasterKey,
    MessageView, Outcome, Page, PersonRow, RecordView, RefusedView, RefusedWrite, Replay, Replayed, Reschedule, Rescheduled, Retained,
    Retention, Revivals, Revive, SecretValue, SecretView, SeeTo, SeenTo, Store, SubjectExport, SubjectView, Who, Work,
};

/// A store that dies.
struct Mortal {
    inner: Arc<SqliteStore>,
    /// Half-writes that it still lives through: an even number left, and the write is lost; an odd one, and it is on disk
    /// but nobody is told.
    left: AtomicI64,
}

impl Mortal {
    /// Runs a write of the worker, or dies at it.
    async fn write<T>(&self, write: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match self.left.fetch_sub(2, Ordering::SeqCst) {
            left if left < 0 => Err(Error::Closed),
            0 => Err(Error::Closed),
            1 => {
                let _ = write.await;
                Err(Error::Closed)
            }
            _ => write.await,
        }
    }
}

#[async_trait]
impl Store for Mortal {
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
        self.write(self.inner.claim(now, limit, lease, concurrency)).await
    }
    async fn settle(&self, settlement: Settlement, now: Timestamp) -> Result<Outcome, Error> {
        self.write(self.inner.settle(settlement, now)).await
    }
    async fn checkpoint(&self, checkpoint: Checkpoint, now: Timestamp) -> Result<Checkpointed, Error> {
        self.write(self.inner.checkpoint(checkpoint, now)).await
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

/// What every life of the server shares.
struct Ground {
    folder: tempfile::TempDir,
    host: Arc<Host>,
    rules: Arc<zelo_rules::RuleSet>,
    catalog: Arc<Catalog>,
    connection: Connection,
    clock: Arc<ManualClock>,
}

impl Ground {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let host = Arc::new(Host::new(HostConfig::default()).unwrap());
        let catalog = Arc::new(Catalog::load(&host, &Installed::in_folder(root.join("plugins/dist"))).unwrap());
        let files = rulebook::read_files(&root.join("rules")).unwrap();
        let (rules, _) = rulebook::check(&files, &catalog).unwrap();
        let name = "clinicarx".to_owned();
        let connection = Connection {
            name: name.clone(),
            source: name,
            secrets: Vec::new(),
            clinic: None,
            handshake: None,
            insecure: false,
            expect: None,
        };
        let clock = Arc::new(ManualClock::new("2026-03-02T11:00:00Z".parse().unwrap()));
        Self { folder: tempfile::tempdir().unwrap(), host, rules: Arc::new(rules), catalog, connection, clock }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("zelo.db")
    }

    /// The same plugins and rules over an empty folder, on the first day.
    fn afresh(&self) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            host: self.host.clone(),
            rules: self.rules.clone(),
            catalog: self.catalog.clone(),
            connection: self.connection.clone(),
            clock: Arc::new(ManualClock::new("2026-03-02T11:00:00Z".parse().unwrap())),
        }
    }

    /// A start of the server, which dies after `left` half-writes.
    async fn life(&self, left: i64, seed: u64) -> Runtime {
        self.life_with(&self.catalog, left, seed).await
    }

    /// The same with other plugins.
    async fn life_with(&self, catalog: &Arc<Catalog>, left: i64, seed: u64) -> Runtime {
        let entropy = Arc::new(SeededEntropy::new(seed));
        let config = SqliteConfig { path: Some(self.file()), ..SqliteConfig::default() };
        let begun = std::time::Instant::now();
        // The writer of the life before lets go of the file when it has nothing more to do.
        let inner = loop {
            match SqliteStore::open(config.clone(), MasterKey::from_bytes([7; 32]), entropy.clone()).await {
                Ok(store) => break store,
                Err(error) => assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{error}"),
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        };
        inner.reclaim(Timestamp::MAX, RetryPolicy::default(), &[]).await.unwrap();
        let rows = everything_on(&self.rules, &[&self.connection], self.clock.now());
        let edition = Edition::new(self.rules_with(catalog), catalog.clone(), &rows).unwrap();
        Runtime::new(Shared {
            store: Arc::new(Mortal { inner, left: AtomicI64::new(left) }),
            host: self.host.clone(),
            rules: Rulebook::new(edition),
            connections: HashMap::from([(self.connection.name.clone(), self.connection.clone())]),
            channels: Channels([("outbox".to_owned(), ChannelKind::Outbox)].into()),
            outbound: Arc::new(zelo_runtime::outbound::Answers::default()),
            secrets: zelo_runtime::Secrets::Unsaid,
            clock: self.clock.clone(),
            entropy,
            retry: RetryPolicy::default(),
            limits: Limits::default(),
            budgets: Default::default(),
            line: Line::default(),
            bell: tokio::sync::Notify::new(),
            counts: Default::default(),
        })
    }

    /// The rules, about these plugins.
    fn rules_with(&self, catalog: &Arc<Catalog>) -> Arc<zelo_rules::RuleSet> {
        if Arc::ptr_eq(catalog, &self.catalog) {
            return self.rules.clone();
        }
        let files = rulebook::read_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")).unwrap();
        Arc::new(rulebook::check(&files, catalog).unwrap().0)
    }

    async fn deliver(&self, runtime: &Runtime, path: &str, data: Value) {
        let body = json!({ "data": data, "timestamp": "2026-03-02 11:00:00" }).to_string();
        let headers = Headers::default();
        let delivery = Delivery { path, url: "", headers: &headers, body: body.as_bytes() };
        runtime.accept(&self.connection, &delivery, self.clock.now()).await.unwrap();
    }

    /// A clinic, two services, a patient, and an attendance that is over.
    async fn day(&self, runtime: &Runtime) {
        let service =
            |code: &str, price: f64| json!({ "id": format!("s{code}"), "code": code, "name": format!("Serviço {code}"), "price": price });
        let clinic = json!({ "id": "77", "name": "Clínica Aurora", "cnpj": "11222333000181", "timezone": "America/Sao_Paulo" });
        let patient = json!({ "id": "p1", "name": "Íris Modelo", "document": "52998224725", "phones": [{ "phone": "(11) 90000-0001" }] });
        let services = json!([{ "service_code": "1004", "service_name": "Vacina" }, { "service_code": "123", "service_name": "Teste" }]);
        self.deliver(runtime, "clinic/new", clinic.clone()).await;
        self.deliver(runtime, "service/new", service("1004", 189.9)).await;
        self.deliver(runtime, "service/new", service("123", 65.5)).await;
        self.deliver(runtime, "patient/new", patient.clone()).await;
        let attendance =
            json!({ "id": "a1", "closed_time": "2026-03-02 10:59:00", "patient": patient, "clinic": clinic, "services": services });
        self.deliver(runtime, "attendance/finished", attendance).await;
    }
}

/// Does what is due until nothing is, or the store has died.
async fn run(runtime: &Runtime) -> Result<(), Error> {
    while runtime.store.next_run().await?.is_some_and(|next| next <= runtime.clock.now()) {
        for work in runtime.store.claim(runtime.clock.now(), 100, SignedDuration::from_mins(1), unlimited()).await? {
            let (settlement, _places) = runtime.attempt(work).await;
            runtime.store.settle(settlement, runtime.clock.now()).await?;
        }
    }
    Ok(())
}

/// What a life left: the numbers of receipts, and how many documents, messages and events of receipts there are.
async fn left_behind(runtime: &Runtime) -> (Vec<Value>, usize, usize, usize) {
    let page = Page { limit: 1000, ..Page::default() };
    let store = &runtime.store;
    let issued = store.events(&page).await.unwrap().into_iter().filter(|view| view.event.kind == "receipt.issued");
    let numbers: Vec<Value> = issued.map(|view| view.event.data["number"].clone()).collect();
    let documents = store.documents(&page).await.unwrap().len();
    let jobs = store.jobs(&page, None).await.unwrap();
    let sends: Vec<JobId> = jobs.iter().filter(|view| view.job.rule == "attendance-receipt").map(|view| view.job.id).collect();
    let messages = store.messages(&page).await.unwrap().into_iter().filter(|message| sends.contains(&message.job)).count();
    let undone = jobs.iter().filter(|view| view.job.state.is_live()).count();
    (numbers, documents, messages, undone)
}

#[tokio::test]
async fn one_number_one_document_one_message_wherever_it_dies() {
    let mut deaths = 0;
    let house = Ground::new();
    // Until a life is long enough for all of it.
    for left in 0.. {
        let ground = house.afresh();
        let first = ground.life(i64::MAX, 1).await;
        ground.day(&first).await;
        first.store.close().await.unwrap();
        drop(first);

        let mortal = ground.life(left, 2).await;
        let whole = run(&mortal).await.is_ok();
        // The process is gone: whatever it held in memory with it.
        mortal.store.close().await.unwrap();
        drop(mortal);

        let last = ground.life(i64::MAX, 3).await;
        // A run that met the dying store is tried again after a while.
        for _ in 0..4 {
            ground.clock.set(ground.clock.now() + SignedDuration::from_mins(10));
            run(&last).await.unwrap();
        }
        let left_behind = left_behind(&last).await;
        assert_eq!(left_behind, (vec![json!(1)], 1, 1, 0), "died after {left} half-writes");
        last.store.close().await.unwrap();
        if whole {
            break;
        }
        deaths += 1;
    }
    assert!(deaths >= 10, "claims, the number, settlements: {deaths}");
}

/// The plugins that ship, `receipt` in another version; with a shelf, where there is one.
fn with_another_receipt(host: &Host, shelf: &Path) -> [Arc<Catalog>; 2] {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dist");
    let installed = |folder: &Path| Installed { shelf: Some(shelf.to_owned()), ..Installed::in_folder(folder) };
    let first = Catalog::load(host, &installed(&dist)).unwrap();
    let other = tempfile::tempdir().unwrap();
    for entry in
        std::fs::read_dir(dist).unwrap().map(Result::unwrap).filter(|entry| entry.path().extension().is_some_and(|end| end == "wasm"))
    {
        let mut bytes = std::fs::read(entry.path()).unwrap();
        if entry.file_name() == "receipt.wasm" {
            let version = b"version = \"1.0.0\"";
            let at = bytes.windows(version.len()).position(|window| window == version).unwrap();
            bytes[at + 11] = b'2';
        }
        std::fs::write(other.path().join(entry.file_name()), bytes).unwrap();
    }
    let second = Catalog::load(host, &installed(other.path())).unwrap();
    [Arc::new(first), Arc::new(second)]
}

#[tokio::test]
async fn a_job_that_has_begun_ends_with_the_version_it_began_with() {
    let house = Ground::new();
    let shelf = tempfile::tempdir().unwrap();
    let [first, second] = with_another_receipt(&house.host, shelf.path());
    let digest = |catalog: &Catalog| catalog.named("receipt").unwrap().digest().to_owned();
    assert_ne!(digest(&first), digest(&second));
    let mut began_with = std::collections::BTreeSet::new();
    for left in 0.. {
        let ground = house.afresh();
        let life = ground.life_with(&first, i64::MAX, 1).await;
        ground.day(&life).await;
        life.store.close().await.unwrap();
        let mortal = ground.life_with(&first, left, 2).await;
        let whole = run(&mortal).await.is_ok();
        mortal.store.close().await.unwrap();
        // The plugin was replaced while nobody looked.
        let last = ground.life_with(&second, i64::MAX, 3).await;
        for _ in 0..4 {
            ground.clock.set(ground.clock.now() + SignedDuration::from_mins(10));
            run(&last).await.unwrap();
        }
        assert_eq!(left_behind(&last).await, (vec![json!(1)], 1, 1, 0), "died after {left} half-writes");
        let issued = last.store.jobs(&Page { limit: 99, ..Page::default() }, None).await.unwrap();
        let issued = issued.into_iter().find(|view| view.job.action == "issue").expect("the receipt's job").job.id;
        let journal = last.store.journal(issued).await.unwrap();
        let [JournalEntry::Invocation(invocation), ..] = &journal[..] else { panic!("it begins with what was frozen") };
        began_with.insert(invocation.plugin_digest.clone());
        last.store.close().await.unwrap();
        if whole {
            break;
        }
    }
    assert_eq!(began_with, [digest(&first), digest(&second)].into(), "some had begun when the plugin was replaced, some had not");
}
