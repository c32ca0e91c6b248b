//! Erasing: what goes, what stays, and that nothing comes back.

use serde_json::json;
use zelo_core::settle::{LocalWrite, Settled};
use zelo_core::{Actor, AuditKind, Document, IdentityKind, JobState, Status};
use zelo_store::sqlite::SqliteConfig;
use zelo_store::{AuditPage, Duties, Error, Kept, MasterKey, Page, Who};

use crate::build::{DAY, Db, Kind, done, entropy, minute, sending, sqlite};

impl Db {
    /// Somebody with one of everything, who is known as `person`.
    async fn known(&self, number: u64, person: &str) {
        let index = self.store.indexer().clone();
        let delivery = self.delivery(number, 0).about(&index, person).subject(&index, person).known_by(&index, IdentityKind::Cpf, person);
        let delivery = delivery.remembers(&index, person, json!({ "name": person })).says("messages", true);
        self.record(delivery.fires("thank").fires_for(&index, person, DAY * 3, None)).await;
        let work = self.claim(1).await.remove(0);
        let slot = index.state("centro", "7", "reminder", "thank", person);
        let mut end = sending(&work, slot, person, "Olá");
        let (name, content) = (format!("{person}.pdf"), person.as_bytes().to_vec());
        let document = Document { name, media_type: "application/pdf".into(), content, text: person.into() };
        end.local.push(LocalWrite::Document { index: 3, document });
        self.store.settle(end, minute(2)).await.unwrap();
    }

    async fn counts(&self) -> [usize; 5] {
        let page = Page::default();
        [
            self.store.events(&page).await.unwrap().len(),
            self.store.records(&page, None).await.unwrap().len(),
            self.store.jobs(&page, None).await.unwrap().len(),
            self.store.messages(&page).await.unwrap().len(),
            self.store.documents(&page).await.unwrap().len(),
        ]
    }
}

conforming! {
    async fn who_is_erased_is_nowhere_and_others_stay(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for (number, person) in [(1, "p1"), (2, "p2")] {
            db.known(number, person).await;
        }
        let (p1, p2) = (db.person("p1").await, db.person("p2").await);
        assert_eq!(db.counts().await, [2, 2, 4, 2, 2]);
        let erasure = db.store.erase(p1, Actor::command(), minute(5)).await.unwrap().unwrap();
        assert_eq!((erasure.keys, erasure.cancelled, erasure.kept.clone()), (1, 1, vec![]));
        for (kind, rows) in
            [("events", 1), ("records", 1), ("journal", 3), ("reports", 1), ("messages", 1), ("documents", 1), ("jobs", 2), ("state", 1)]
        {
            assert_eq!(erasure.deleted.get(kind), Some(&rows), "{kind}");
        }
        let db = db.reopen().await;
        assert_eq!(db.counts().await, [1, 1, 2, 1, 1]);
        assert_eq!(db.store.state(index.state("centro", "7", "reminder", "thank", "p1")).await.unwrap(), None);
        assert_eq!(db.store.find_subjects(Who::Identity(index.identity(IdentityKind::Cpf, "p1"))).await.unwrap(), []);
        assert_eq!(db.store.find_subjects(Who::Id { connection: None, id: "p1".into() }).await.unwrap(), []);
        assert_eq!(db.store.find_subjects(Who::Pseudonym(p1)).await.unwrap()[0].erased, Some(minute(5)));
        assert_eq!(db.store.export_subject(p2).await.unwrap().unwrap().jobs.len(), 2, "others keep theirs");
        let told = db.store.audit(&AuditPage { kind: Some(AuditKind::Erased), ..AuditPage::default() }).await.unwrap().remove(0);
        assert_eq!((told.entry.about.as_slice(), told.cursor as u64), (&[p1][..], erasure.head.as_ref().unwrap().seq), "the proof is signed");
        assert_eq!(db.store.verify_audit(erasure.head.into_iter().collect()).await.unwrap().findings, []);
        assert_eq!(db.store.erase(p1, Actor::command(), minute(6)).await.unwrap(), None, "there is nobody any more");

        // A provider that sends the old delivery once more brings nobody back; news about them are somebody new's.
        let old = db.delivery(1, 0).about(&index, "p1").subject(&index, "p1").known_by(&index, IdentityKind::Cpf, "p1");
        assert_eq!(db.store.record(old.0).await.unwrap().status, Status::Duplicate);
        assert_eq!(db.store.find_subjects(Who::Id { connection: None, id: "p1".into() }).await.unwrap(), []);
        db.record(db.delivery(3, 9).subject(&index, "p1").known_by(&index, IdentityKind::Cpf, "p1")).await;
        assert_ne!(db.person("p1").await, p1);
        assert_eq!(db.store.find_subjects(Who::Identity(index.identity(IdentityKind::Cpf, "p1"))).await.unwrap().len(), 1);
    }

    async fn a_job_that_runs_holds_nothing_any_more(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).subject(&index, "p1").fires("thank")).await;
        let work = db.claim(1).await.remove(0);
        db.store.erase(db.person("p1").await, Actor::command(), minute(1)).await.unwrap().unwrap();
        let slot = index.state("centro", "7", "reminder", "thank", "last");
        let outcome = db.store.settle(sending(&work, slot, "5511", "Olá"), minute(2)).await.unwrap();
        assert_eq!(outcome.settled, Settled::Stale);
        assert_eq!(db.counts().await, [0; 5]);
        assert!(db.claim(DAY * 9).await.is_empty());
    }

    async fn what_was_collected_of_several_goes_with_any_of_them(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for (number, person) in [(1, "p1"), (2, "p2")] {
            db.record(db.delivery(number, number as i64).subject(&index, person).collected(&index, "all", None)).await;
        }
        let work = db.claim(DAY).await.remove(0);
        assert_eq!(work.collected.len(), 2);
        let slot = index.state("centro", "7", "reminder", "answer", "last");
        db.store.settle(sending(&work, slot, "5511", "p1 and p2"), minute(DAY)).await.unwrap();
        let (p1, p2) = (db.person("p1").await, db.person("p2").await);
        for person in [p1, p2] {
            let seen = db.store.seen_of(person).await.unwrap();
            assert_eq!(seen.iter().map(|row| row.entry.kind).collect::<Vec<_>>(), [AuditKind::Disclosed, AuditKind::Done]);
        }
        let export = db.store.export_subject(p1).await.unwrap().unwrap();
        assert_eq!((export.jobs.len(), export.jobs[0].journal.len(), export.messages.len()), (1, 0, 0), "nothing of the other");
        let erasure = db.store.erase(p1, Actor::command(), minute(DAY + 1)).await.unwrap().unwrap();
        assert_eq!((erasure.deleted["journal"], erasure.deleted["messages"], erasure.deleted["state"]), (3, 1, 1));
        assert_eq!(db.counts().await, [1, 0, 1, 0, 0]);
        let left = db.store.job(work.job.id).await.unwrap().unwrap();
        assert_eq!((left.about, left.summary), (vec![p2], None), "that it was done, and nothing of what");
        assert_eq!(db.store.state(slot).await.unwrap(), None);
    }

    async fn who_is_on_hold_keeps_what_is_of_others_too(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for (number, person) in [(1, "p1"), (2, "p2")] {
            db.record(db.delivery(number, number as i64).subject(&index, person).collected(&index, "all", None)).await;
        }
        let body = json!({ "patient": 1, "pharmacist": { "name": "Bea" } });
        let both = db.delivery(3, 0).body(&body).subject(&index, "ana").subject(&index, "bea").part(r#"{"name":"Bea"}"#);
        db.record(both).await;
        for (held, erased) in [("p2", "p1"), ("bea", "ana")] {
            let (held, erased) = (db.person(held).await, db.person(erased).await);
            db.store.hold(held, Some("lawsuit".into()), Actor::command(), minute(5)).await.unwrap();
            assert!(matches!(db.store.erase(erased, Actor::command(), minute(6)).await, Err(Error::Held)));
            db.store.hold(held, None, Actor::command(), minute(7)).await.unwrap();
            assert!(db.store.erase(erased, Actor::command(), minute(8)).await.unwrap().is_some());
        }
    }

    async fn a_phone_that_wants_no_messages_wants_none_whoever_of_those_who_have_it_goes(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let phone = |number, id: &str| db.delivery(number, 0).subject(&index, id).known_by(&index, IdentityKind::Phone, "+5511");
        db.record(phone(1, "patient").fires("thank")).await;
        let job = db.claim(1).await.remove(0).job.id;
        db.record(phone(2, "lead").through(&index, "bot").says("messages", false)).await;
        let lead = db.store.find_subjects(Who::Id { connection: Some("bot".into()), id: "lead".into() }).await.unwrap()[0].pseudonym;
        db.store.erase(lead, Actor::command(), minute(3)).await.unwrap().unwrap();
        assert!(!db.store.consent(job, "messages").await.unwrap().unwrap().given);
    }

    async fn what_a_law_keeps_of_several_stays_too(kind) {
        let duties = Duties { documents: Some("CTN, art. 195".into()), ..Duties::default() };
        let db = Db::open_with(kind, SqliteConfig { duties, ..SqliteConfig::default() }).await;
        let index = db.store.indexer().clone();
        for (number, person) in [(1, "p1"), (2, "p2")] {
            db.record(db.delivery(number, number as i64).subject(&index, person).collected(&index, "all", None)).await;
        }
        let work = db.claim(DAY).await.remove(0);
        let slot = index.state("centro", "7", "reminder", "answer", "last");
        let mut end = sending(&work, slot, "5511", "both");
        let document = Document { name: "r.pdf".into(), media_type: "application/pdf".into(), content: vec![1], text: "r".into() };
        end.local.push(LocalWrite::Document { index: 3, document });
        db.store.settle(end, minute(DAY)).await.unwrap();
        let erasure = db.store.erase(db.person("p1").await, Actor::command(), minute(DAY + 1)).await.unwrap().unwrap();
        assert_eq!(erasure.kept, [Kept { kind: "documents".into(), rows: 1, duty: "CTN, art. 195".into() }]);
        assert_eq!(db.counts().await, [1, 0, 1, 0, 1]);
    }

    async fn what_is_on_hold_does_not_go(kind) {
        let db = Db::open(kind).await;
        db.known(1, "p1").await;
        let p1 = db.person("p1").await;
        assert!(db.store.hold(p1, Some("lawsuit of Ana".into()), Actor::command(), minute(3)).await.unwrap());
        assert!(matches!(db.store.erase(p1, Actor::command(), minute(4)).await, Err(Error::Held)));
        let db = db.reopen().await;
        assert_eq!(db.store.find_subjects(Who::Pseudonym(p1)).await.unwrap()[0].held, Some(minute(3)));
        assert!(db.store.hold(p1, None, Actor::command(), minute(5)).await.unwrap());
        assert!(db.store.erase(p1, Actor::command(), minute(6)).await.unwrap().is_some());
        assert!(!db.store.hold(p1, None, Actor::command(), minute(7)).await.unwrap(), "nobody");
    }

    async fn what_a_law_keeps_stays_under_a_key_of_its_own(kind) {
        let duties = Duties { documents: Some("CTN, art. 195".into()), messages: None, records: vec![("clinic".into(), "a law".into())] };
        let db = Db::open_with(kind, SqliteConfig { duties, ..SqliteConfig::default() }).await;
        db.known(1, "p1").await;
        let p1 = db.person("p1").await;
        let erasure = db.store.erase(p1, Actor::command(), minute(5)).await.unwrap().unwrap();
        let kept = |kind: &str, duty: &str| Kept { kind: kind.into(), rows: 1, duty: duty.into() };
        assert_eq!(erasure.kept, [kept("documents", "CTN, art. 195"), kept("records.clinic", "a law")]);
        let db = db.reopen().await;
        assert_eq!(db.counts().await, [0, 1, 0, 0, 1]);
        let document = db.store.documents(&Page::default()).await.unwrap().remove(0);
        let (view, content) = db.store.document(document.job, document.index).await.unwrap().unwrap();
        assert_eq!((view.name.as_str(), content.as_slice()), ("p1.pdf", &b"p1"[..]));
        let export = db.store.export_subject(p1).await.unwrap().unwrap();
        assert_eq!((export.documents.len(), export.records.len(), export.events.len()), (1, 1, 0), "it is told of who was erased");
        // What comes later is not under the key of what stays.
        let index = db.store.indexer().clone();
        db.record(db.delivery(9, 9).subject(&index, "p1").remembers(&index, "p1", json!({ "name": "new" }))).await;
        assert_eq!(db.store.export_subject(p1).await.unwrap().unwrap().records[0].document, json!({ "name": "p1" }), "it stays as it was");
        let hash = index.record("centro", "clinic", "p1");
        assert_eq!(db.store.record_at(hash).await.unwrap().unwrap().document, json!({ "name": "new" }), "and comes back into no use");
    }
}

/// A store in a file that has its register, with somebody in it.
async fn registered() -> Db {
    let db = Db::open_with(Kind::SqliteFile, SqliteConfig { register: Some("here".into()), ..SqliteConfig::default() }).await;
    db.known(1, "p1").await;
    db.known(2, "p2").await;
    db
}

#[tokio::test]
async fn a_backup_brings_nobody_back() {
    let db = registered().await.reopen().await;
    db.store.close().await.unwrap();
    let backup = std::fs::read(db.file()).unwrap();
    let db = db.reopen().await;
    let p1 = db.person("p1").await;
    db.store.erase(p1, Actor::command(), minute(5)).await.unwrap().unwrap();
    db.store.close().await.unwrap();
    std::fs::write(db.file(), &backup).unwrap();
    let db = db.reopen().await;
    assert_eq!(db.counts().await, [1, 1, 2, 1, 1], "before anybody could look");
    assert!(db.store.find_subjects(Who::Pseudonym(p1)).await.unwrap()[0].erased.is_some());
    let told = db.store.audit(&AuditPage { kind: Some(AuditKind::Erased), ..AuditPage::default() }).await.unwrap();
    assert_eq!(told.len(), 1);
    let db = db.reopen().await;
    let told = db.store.audit(&AuditPage { kind: Some(AuditKind::Erased), ..AuditPage::default() }).await.unwrap();
    assert_eq!(told.len(), 1, "once");

    // Without its register, a store that had one does not open.
    db.store.close().await.unwrap();
    std::fs::remove_file(db.config.register.as_ref().unwrap()).unwrap();
    let error = sqlite(db.config.clone(), 1).await.err().unwrap().to_string();
    assert!(error.contains("register of erasures") && error.contains("is missing"), "{error}");
}

#[tokio::test]
async fn a_backup_in_which_others_were_on_hold_opens_and_brings_nobody_back() {
    let db = registered().await;
    let index = db.store.indexer().clone();
    for (number, person) in [(11, "p1"), (12, "p2")] {
        db.record(db.delivery(number, number as i64).subject(&index, person).collected(&index, "all", None)).await;
    }
    let (p1, p2) = (db.person("p1").await, db.person("p2").await);
    db.store.hold(p2, Some("lawsuit".into()), Actor::command(), minute(20)).await.unwrap();
    assert!(matches!(db.store.erase(p1, Actor::command(), minute(20)).await, Err(Error::Held)));
    db.store.close().await.unwrap();
    let backup = std::fs::read(db.file()).unwrap();
    let db = db.reopen().await;
    db.store.hold(p2, None, Actor::command(), minute(21)).await.unwrap();
    db.store.erase(p1, Actor::command(), minute(22)).await.unwrap().unwrap();
    db.store.close().await.unwrap();
    std::fs::write(db.file(), &backup).unwrap();
    let db = db.reopen().await;
    assert!(db.store.find_subjects(Who::Pseudonym(p1)).await.unwrap()[0].erased.is_some());
    assert!(db.store.find_subjects(Who::Pseudonym(p2)).await.unwrap()[0].held.is_some(), "as the backup has it");
}

#[tokio::test]
async fn an_erasure_that_was_written_down_happens_whatever_happens_to_the_process() {
    let db = registered().await;
    let p1 = db.person("p1").await;
    db.store.close().await.unwrap();
    let before = std::fs::read(db.file()).unwrap();
    let db = db.reopen().await;
    db.store.erase(p1, Actor::command(), minute(5)).await.unwrap().unwrap();
    db.store.close().await.unwrap();
    // As if the process had died between the register and the database.
    std::fs::write(db.file(), before).unwrap();
    assert_eq!(db.reopen().await.counts().await, [1, 1, 2, 1, 1]);
}

#[tokio::test]
async fn no_byte_of_a_destroyed_key_is_left_in_the_files() {
    let db = registered().await;
    let keys = db.blobs("SELECT wrapped FROM seal_keys WHERE about IS NOT NULL ORDER BY key_id").await;
    let hashes = db.blobs("SELECT owner_hash FROM seal_keys WHERE about IS NOT NULL ORDER BY key_id").await;
    let identities = db.blobs("SELECT identity FROM identities ORDER BY key_id").await;
    db.store.erase(db.person("p1").await, Actor::command(), minute(5)).await.unwrap().unwrap();
    // The log of writes is emptied when nobody reads any more.
    db.record(db.delivery(7, 0)).await;
    let folder = db.file().parent().unwrap().to_owned();
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let all: Vec<u8> = files.flat_map(|path| std::fs::read(path).unwrap()).collect();
    let found = |needle: &[u8]| all.windows(needle.len()).any(|window| window == needle);
    for gone in [&keys[0], &hashes[0], &identities[0]] {
        assert!(!found(gone));
    }
    for there in [&keys[1], &hashes[1], &identities[1]] {
        assert!(found(there), "the search finds what is there");
    }
    assert_eq!(db.store.jobs(&Page::default(), Some(JobState::Done)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_store_opens_under_its_new_master_key_only() {
    use zelo_store::sqlite::SqliteStore;
    let db = registered().await;
    let p1 = db.person("p1").await;
    let key = db.store.audit_key();
    db.store.close().await.unwrap();
    let master = |byte| MasterKey::from_bytes([byte; 32]);
    let wrong = SqliteStore::rotate(db.config.clone(), master(3), &master(2), entropy(), minute(9)).await;
    assert!(matches!(wrong, Err(Error::Sealed { .. })), "who has not the old one changes nothing");
    let keys = SqliteStore::rotate(db.config.clone(), master(1), &master(2), entropy(), minute(9)).await.unwrap();
    assert_eq!(keys, 2);
    assert!(matches!(sqlite(db.config.clone(), 1).await, Err(Error::Sealed { .. })));
    let store = sqlite(db.config.clone(), 2).await.unwrap();
    let db = Db { store, ..db };
    assert_eq!((db.counts().await, db.person("p1").await), ([2, 2, 4, 2, 2], p1), "all is there, and is found");
    assert_eq!(db.store.audit_key(), key);
    assert_eq!(db.store.verify_audit(vec![]).await.unwrap().findings, []);
    assert_eq!(db.store.audit(&AuditPage::default()).await.unwrap()[0].entry.kind, AuditKind::Rotated);
    let work = db.claim(DAY * 3).await.remove(0);
    db.settle(&work, done(), DAY * 3).await;
}
