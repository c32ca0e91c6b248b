//! What people say about records.

use std::sync::Arc;

use serde_json::{Value, json};
use zelo_core::job::Reason;
use zelo_core::settle::{AttemptEnd, LocalWrite, Settlement};
use zelo_core::{Actor, AuditKind, ClinicRef, Clinics, KeyHash};
use zelo_store::{Amend, Amended, AuditPage, NewRecord, Page};

use crate::build::{DayBefore, Db, done, minute, record_ref, settlement};
use crate::chains::contact;

fn amend(record: KeyHash, fields: Value) -> Amend {
    let (fields, actor) = (fields.as_object().unwrap().clone(), Actor::credential("session", "ana"));
    Amend { record, fields, new: None, lacking: None, stood: None, clinics: Clinics::All, actor, timetable: Arc::new(DayBefore) }
}

fn only(clinic: &str) -> Clinics {
    Clinics::of([ClinicRef { connection: "centro".into(), clinic: clinic.into() }])
}

/// A card on the board, which an action put there at minute 1.
async fn card(db: &Db) -> KeyHash {
    db.record(db.delivery(1, 0).subject(db.store.indexer(), "p1").fires("move")).await;
    let work = db.claim(1).await.remove(0);
    let local = vec![contact(db, "registered", "hello", 1)];
    let LocalWrite::Record { hash, .. } = &local[0] else { panic!() };
    let hash = *hash;
    db.store.settle(Settlement { local, ..settlement(&work, done()) }, minute(1)).await.unwrap();
    hash
}

async fn stage(db: &Db) -> Value {
    db.store.records(&Page::default(), Some("contact")).await.unwrap().remove(0).document["stage"].clone()
}

conforming! {
    async fn what_a_person_says_stands_until_something_happens(kind) {
        let db = Db::open(kind).await;
        let hash = card(&db).await;
        let before = db.store.records(&Page::default(), None).await.unwrap().remove(0);
        let said = amend(hash, json!({ "stage": "attended" }));
        assert_eq!(db.store.amend(said.clone(), minute(10)).await.unwrap(), Amended::Changed);
        assert_eq!(db.store.amend(said, minute(11)).await.unwrap(), Amended::Same);
        let db = db.reopen().await;
        let after = db.store.records(&Page::default(), None).await.unwrap().remove(0);
        assert_eq!((after.id, after.clinic, after.about, &after.document["notes"]), (before.id, before.clinic, before.about, &before.document["notes"]));
        assert!(after.cursor > before.cursor, "it is the last that was written");
        for (number, time, told) in [(2, 9, "attended"), (3, 12, "later")] {
            db.record(db.delivery(number, time).subject(db.store.indexer(), "p1").fires("move")).await;
            let work = db.claim(20).await.remove(0);
            let local = vec![contact(&db, "later", "again", time)];
            db.store.settle(Settlement { local, ..settlement(&work, done()) }, minute(20)).await.unwrap();
            assert_eq!(stage(&db).await, told, "{time}");
        }
    }

    async fn what_changed_since_somebody_looked_stays(kind) {
        let db = Db::open(kind).await;
        let hash = card(&db).await;
        let move_from = |from: Value, to: &str| Amend { stood: Some(json!({ "stage": from }).as_object().unwrap().clone()), ..amend(hash, json!({ "stage": to })) };
        assert_eq!(db.store.amend(move_from(json!("registered"), "attended"), minute(10)).await.unwrap(), Amended::Changed);
        let stale = [move_from(json!("registered"), "lead"), move_from(Value::Null, "lead")];
        for stale in stale {
            assert_eq!(db.store.amend(stale, minute(11)).await.unwrap(), Amended::Otherwise);
        }
        assert_eq!(stage(&db).await, "attended");
        // Two who saw the same: one of them comes first.
        let (one, other) = (move_from(json!("attended"), "lead"), move_from(json!("attended"), "canceled"));
        let (one, other) = tokio::join!(db.store.amend(one, minute(12)), db.store.amend(other, minute(12)));
        assert_eq!([one.unwrap(), other.unwrap()].into_iter().filter(|told| *told == Amended::Changed).count(), 1);
        let said = db.store.audit(&AuditPage { kind: Some(AuditKind::Amended), ..AuditPage::default() }).await.unwrap();
        assert_eq!(said.len(), 2, "what was not written is not answered for");
        // What is not there is as null.
        let nothing = Amend { stood: Some(json!({ "mood": null }).as_object().unwrap().clone()), ..amend(hash, json!({ "mood": "good" })) };
        assert_eq!(db.store.amend(nothing, minute(13)).await.unwrap(), Amended::Changed);
    }

    async fn who_said_it_is_answered_for_without_a_value(kind) {
        let db = Db::open(kind).await;
        let hash = card(&db).await;
        let said = Amend { clinics: only("7"), ..amend(hash, json!({ "stage": "marker-attended" })) };
        assert_eq!(db.store.amend(said, minute(10)).await.unwrap(), Amended::Changed);
        let entries = db.store.audit(&AuditPage { kind: Some(AuditKind::Amended), ..AuditPage::default() }).await.unwrap();
        for (wanted, found) in [("session:ana", 1), ("session:zeca", 0), ("session", 0)] {
            let page = AuditPage { actor: Some(wanted.into()), ..AuditPage::default() };
            assert_eq!(db.store.audit(&page).await.unwrap().len(), found, "{wanted}");
        }
        for (since, until, found) in [(10, 11, true), (9, 10, false), (11, 12, false)] {
            let page = AuditPage { since: Some(minute(since)), until: Some(minute(until)), ..AuditPage::default() };
            let told = db.store.audit(&page).await.unwrap();
            assert_eq!(told.iter().any(|view| view.entry.kind == AuditKind::Amended), found, "{since} to {until}");
        }
        let entry = &entries[0].entry;
        assert_eq!((entries.len(), entry.at, entry.actor.as_str()), (1, minute(10), "session:ana"));
        assert_eq!((entry.connection.as_deref(), entry.clinic.as_deref()), (Some("centro"), Some("7")));
        assert_eq!(entry.about, [db.person("p1").await]);
        assert_eq!(entry.detail, r#"{"fields":["stage"],"record":"contact"}"#);
    }

    async fn what_somebody_is_not_told_of_is_not_there_to_be_changed(kind) {
        let db = Db::open(kind).await;
        let hash = card(&db).await;
        let other = Amend { clinics: only("8"), ..amend(hash, json!({ "stage": "attended" })) };
        assert_eq!(db.store.amend(other, minute(10)).await.unwrap(), Amended::Missing);
        let nowhere = record_ref(db.store.indexer(), "99").hash;
        assert_eq!(db.store.amend(amend(nowhere, json!({ "name": "Ana" })), minute(10)).await.unwrap(), Amended::Missing);
        assert_eq!(stage(&db).await, "registered");
        assert_eq!(db.store.records(&Page::default(), None).await.unwrap().len(), 1);
        assert!(db.store.audit(&AuditPage { kind: Some(AuditKind::Amended), ..AuditPage::default() }).await.unwrap().is_empty());
    }

    async fn what_is_lacking_no_more_is_not_filled_in(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).remembers(&index, "9", json!({ "phone": null })).fires_after(&index, "greet", None, &[], Some("9"))).await;
        let work = db.claim(1).await.remove(0);
        let record = record_ref(&index, "9");
        let fill = |phone: &str| Amend { lacking: Some(work.job.id), ..amend(record.hash, json!({ "phone": phone })) };
        assert_eq!(db.store.amend(fill("1"), minute(2)).await.unwrap(), Amended::Missing, "it runs, and waits for nobody");
        db.settle(&work, AttemptEnd::Wait { reason: Reason::new("missing", "no phone"), until: minute(9000) }, 2).await;
        // Meanwhile it comes by itself.
        db.record(db.delivery(2, 3).remembers(&index, "9", json!({ "phone": "from the provider" }))).await;
        assert_eq!(db.store.amend(fill("2"), minute(4)).await.unwrap(), Amended::Missing, "somebody else has said it");
        assert_eq!(db.store.record_at(record.hash).await.unwrap().unwrap().document, json!({ "phone": "from the provider" }));
        assert!(db.store.audit(&AuditPage { kind: Some(AuditKind::Amended), ..AuditPage::default() }).await.unwrap().is_empty());
    }

    async fn a_record_that_was_missing_wakes_who_waited_for_it(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).fires_after(&index, "greet", None, &[], Some("9"))).await;
        let work = db.claim(1).await.remove(0);
        db.settle(&work, AttemptEnd::Wait { reason: Reason::new("missing", "no phone"), until: minute(9000) }, 1).await;
        let record = record_ref(&index, "9");
        let (subject, clinic) = (Some(index.subject("centro", "9")), Some("7".to_owned()));
        let new = NewRecord { connection: "centro".into(), kind: record.kind.clone(), id: "9".into(), subject, clinic };
        let said = Amend { new: Some(new), clinics: only("7"), ..amend(record.hash, json!({ "phone": "1" })) };
        let elsewhere = Amend { clinics: only("8"), ..said.clone() };
        assert_eq!(db.store.amend(elsewhere, minute(4)).await.unwrap(), Amended::Missing);
        assert_eq!(db.store.amend(said, minute(5)).await.unwrap(), Amended::New);
        let db = db.reopen().await;
        assert_eq!(db.claim(6).await.remove(0).job.id, work.job.id);
        let view = db.store.records(&Page::default(), None).await.unwrap().remove(0);
        assert_eq!((view.id.as_str(), view.clinic.as_deref(), view.document), ("9", Some("7"), json!({ "phone": "1" })));
        assert_eq!(view.about, [db.person("9").await], "it goes with its person");
        // Of what happened before they said it, the rest is taken.
        db.record(db.delivery(2, 3).remembers(&index, "9", json!({ "phone": null, "name": "José" }))).await;
        let known = db.store.record_at(record.hash).await.unwrap().unwrap();
        assert_eq!(known.document, json!({ "phone": "1", "name": "José" }));
    }
}
