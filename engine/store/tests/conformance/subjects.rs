//! People: found, told whole, and several of them in one event.

use serde_json::json;
use zelo_core::settle::LocalWrite;
use zelo_core::{Actor, AuditKind, Document, IdentityKind, Plan};
use zelo_store::{Link, Page, Who};

use crate::build::{Db, minute, sending};

conforming! {
    async fn a_person_is_found_by_what_they_are_known_by(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        use IdentityKind::{Cpf, Phone};
        db.record(db.delivery(1, 0).subject(&index, "p1").known_by(&index, Cpf, "111").known_by(&index, Phone, "+5511")).await;
        db.record(db.delivery(2, 0).subject(&index, "p1").known_by(&index, Cpf, "111")).await;
        db.record(db.delivery(3, 0).subject(&index, "child").known_by(&index, Phone, "+5511")).await;
        db.record(db.delivery(4, 0).subject(&index, "lead").through(&index, "bot").known_by(&index, Cpf, "111")).await;
        let db = db.reopen().await;
        let find = |who| async { db.store.find_subjects(who).await.unwrap() };
        let by = |kind, value| Who::Identity(index.identity(kind, value));
        let people = find(by(Cpf, "111")).await;
        assert_eq!(people.iter().map(|one| one.connection.as_str()).collect::<Vec<_>>(), ["centro", "bot"], "the same person twice");
        let (p1, lead) = (&people[0], &people[1]);
        assert_eq!((p1.identities.as_slice(), p1.erased, p1.held), (&[Cpf, Phone][..], None, None));
        let child = db.person("child").await;
        assert_eq!(p1.linked, [Link { pseudonym: lead.pseudonym, by: Cpf }, Link { pseudonym: child, by: Phone }]);
        assert_eq!(find(by(Phone, "+5511")).await.len(), 2, "one phone may be a family's");
        assert_eq!(find(by(Phone, "111")).await, [], "of another kind");
        assert_eq!(find(Who::Id { connection: None, id: "lead".into() }).await, std::slice::from_ref(lead));
        assert_eq!(find(Who::Id { connection: Some("centro".into()), id: "lead".into() }).await, []);
        assert_eq!(find(Who::Pseudonym(p1.pseudonym)).await, std::slice::from_ref(p1));
    }

    async fn all_that_is_held_of_a_person_is_told(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for (number, person) in [(1, "p1"), (2, "p2")] {
            let delivery = db.delivery(number, 0).subject(&index, person).remembers(&index, person, json!({ "name": person }));
            db.record(delivery.says("messages", true).fires("thank")).await;
        }
        for work in db.claim(1).await {
            let slot = index.state("centro", "7", "reminder", "thank", &work.event.subjects[0]);
            db.store.settle(sending(&work, slot, "5511", &format!("to {}", work.event.subjects[0])), minute(2)).await.unwrap();
        }
        let db = db.reopen().await;
        let export = db.store.export_subject(db.person("p1").await).await.unwrap().unwrap();
        assert_eq!(export.events.iter().map(|view| view.event.subjects[0].as_str()).collect::<Vec<_>>(), ["p1"]);
        assert_eq!(export.records.iter().map(|view| view.id.as_str()).collect::<Vec<_>>(), ["p1"]);
        assert_eq!(export.state, ["to p1"]);
        assert_eq!(export.jobs.iter().map(|job| (job.journal.len(), job.attempts.len())).collect::<Vec<_>>(), [(3, 1)]);
        assert_eq!(export.jobs[0].job.summary.as_deref(), Some("told 5511: to p1"));
        assert_eq!(export.messages.len(), 1);
        assert_eq!(export.consents.iter().map(|one| (one.topic.as_str(), one.given)).collect::<Vec<_>>(), [("messages", true)]);
        let kinds: Vec<AuditKind> = export.audit.iter().map(|row| row.entry.kind).collect();
        assert_eq!(kinds, [AuditKind::Consent, AuditKind::Disclosed, AuditKind::Done]);
        assert!(db.store.export_subject(zelo_core::Pseudonym::from_bytes([9; 16])).await.unwrap().is_none());
    }

    async fn every_row_says_whose_it_is(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let delivery = db.delivery(1, 0).subject(&index, "p1").remembers(&index, "p1", json!({ "name": "p1" }));
        db.record(delivery.fires("thank")).await;
        db.record(db.delivery(2, 0)).await;
        let work = db.claim(1).await.remove(0);
        let slot = index.state("centro", "7", "reminder", "thank", "last");
        let mut end = sending(&work, slot, "5511", "Olá");
        let document = Document { name: "a.pdf".into(), media_type: "application/pdf".into(), content: vec![1], text: String::new() };
        end.local.push(LocalWrite::Document { index: 3, document });
        db.store.settle(end, minute(2)).await.unwrap();
        let person = db.person("p1").await;
        let db = db.reopen().await;
        let page = Page::default();
        assert_eq!(db.store.events(&page).await.unwrap().into_iter().map(|view| view.about).collect::<Vec<_>>(), [vec![], vec![person]]);
        assert_eq!(db.store.jobs(&page, None).await.unwrap()[0].about, [person]);
        assert_eq!(db.store.job(work.job.id).await.unwrap().unwrap().about, [person]);
        assert_eq!(db.store.messages(&page).await.unwrap()[0].about, [person]);
        assert_eq!(db.store.documents(&page).await.unwrap()[0].about, [person]);
        assert_eq!(db.store.document(work.job.id, 3).await.unwrap().unwrap().0.about, [person]);
        assert_eq!(db.store.records(&page, None).await.unwrap()[0].about, [person]);
    }

    async fn each_of_several_people_has_their_own_part(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let body = json!({ "patient": { "name": "Ana" }, "pharmacist": { "name": "Bea" }, "room": 3 });
        let attendance = |number| db.delivery(number, 0).body(&body).subject(&index, "ana").subject(&index, "bea").part(r#"{"name":"Bea"}"#);
        let mut about_both = attendance(2).fires("certify");
        if let Plan::Fire { also_about, .. } = &mut about_both.0.candidates[0].plan {
            also_about.push(1);
        }
        db.record(attendance(1).fires("thank")).await;
        db.record(about_both).await;
        let db = db.reopen().await;
        let view = db.store.event(db.delivery(1, 0).0.event.id).await.unwrap().unwrap();
        assert_eq!((view.event.subjects.clone(), &*view.event.data), (vec!["ana".to_owned(), "bea".into()], &body));
        let (ana, bea) = (db.person("ana").await, db.person("bea").await);
        assert_eq!(view.about, [ana, bea]);
        for work in db.claim(1).await {
            let slot = index.state("centro", "7", "reminder", &work.job.action, "last");
            db.store.settle(sending(&work, slot, "5511", &work.job.action), minute(2)).await.unwrap();
        }
        let of_ana = db.store.export_subject(ana).await.unwrap().unwrap();
        let of_bea = db.store.export_subject(bea).await.unwrap().unwrap();
        assert_eq!(of_ana.jobs.len(), 2);
        assert_eq!(of_bea.jobs.iter().map(|job| job.job.job.action.as_str()).collect::<Vec<_>>(), ["certify"], "what read her part");
        assert_eq!(of_bea.jobs[0].journal.len(), 0, "it has what is Ana's");
        assert_eq!(of_bea.events.len(), 2);
        for view in &of_bea.events {
            assert_eq!((view.event.subjects.as_slice(), &*view.event.data), (&["bea".to_owned()][..], &json!([{ "name": "Bea" }])));
        }
        let whole = json!({ "patient": { "name": "Ana" }, "pharmacist": null, "room": 3 });
        assert_eq!(of_ana.events.iter().map(|view| &*view.event.data).collect::<Vec<_>>(), [&whole, &whole], "hers, and nothing of Bea");
        assert_eq!(db.store.seen_of(bea).await.unwrap().len(), 2, "she was shown once, together with Ana");

        let erasure = db.store.erase(bea, Actor::command(), minute(3)).await.unwrap().unwrap();
        assert_eq!((erasure.deleted["parts"], erasure.deleted["jobs"]), (2, 1));
        let view = db.store.event(db.delivery(1, 0).0.event.id).await.unwrap().unwrap();
        assert_eq!((view.event.subjects.as_slice(), view.about.as_slice()), (&["ana".to_owned()][..], &[ana][..]));
        assert_eq!(&*view.event.data, &json!({ "patient": { "name": "Ana" }, "pharmacist": null, "room": 3 }));
        assert_eq!(db.message_count().await, 1, "what was about both is gone, what was Ana's is not");
        db.store.erase(ana, Actor::command(), minute(4)).await.unwrap().unwrap();
        assert!(db.store.event(db.delivery(1, 0).0.event.id).await.unwrap().is_none());
        assert_eq!(db.message_count().await, 0);
        assert_eq!(db.store.verify_audit(vec![]).await.unwrap().findings, []);
    }
}
