//! Consents: who said what last, and what a withdrawal ends.

use zelo_core::{Actor, AuditKind, IdentityKind, JobState};
use zelo_store::sqlite::WITHDRAWN;
use zelo_store::{AuditPage, ConsentView, ConsentWrite};

use crate::build::{DAY, Db, minute};

conforming! {
    async fn the_last_word_counts_whatever_came_first(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let about = |number, time| db.delivery(number, time).subject(&index, "p1");
        db.record(about(1, 0).fires("remind")).await;
        let job = db.store.jobs(&Default::default(), None).await.unwrap()[0].job.id;
        let word = async |topic| db.store.consent(job, topic).await.unwrap().map(|word: ConsentView| (word.given, word.at));
        assert_eq!(word("messages").await, None);
        db.record(about(2, 5).says("messages", true)).await;
        assert_eq!(word("messages").await, Some((true, minute(5))));
        db.record(about(3, 3).says("messages", false)).await;
        assert_eq!(word("messages").await, Some((true, minute(5))), "an older word that arrives later");
        assert_eq!(word("marketing").await, None);
        db.record(db.delivery(4, 9).subject(&index, "p2").says("messages", false)).await;
        assert_eq!(word("messages").await, Some((true, minute(5))), "somebody else's");
        let withdrawn = about(5, 9).says("messages", false);
        db.record(withdrawn.clone()).await;
        assert_eq!(db.job(job).await.state, JobState::Cancelled);
        db.record(withdrawn).await;
        let told = AuditPage { kind: Some(AuditKind::Consent), ..AuditPage::default() };
        assert_eq!(db.store.audit(&told).await.unwrap().len(), 4, "a delivery that comes twice says nothing new");
    }

    async fn a_withdrawal_by_a_phone_ends_what_is_pending_for_it_elsewhere(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let phone = "+5511987654321";
        let patient = |number, id: &str| db.delivery(number, 0).subject(&index, id).known_by(&index, IdentityKind::Phone, phone);
        db.record(patient(1, "mother").fires_for(&index, "1", DAY * 3, None)).await;
        db.record(patient(2, "child").fires_for(&index, "2", DAY * 3, None)).await;
        db.record(db.delivery(3, 0).subject(&index, "other").fires_for(&index, "3", DAY * 3, None)).await;
        db.record(patient(4, "mother").fires("thank")).await;
        let running = db.claim(1).await.remove(0);
        db.record(patient(5, "mother").fires("remind")).await;
        let reminding = db.claim(1).await.remove(0);
        let says = db.delivery(6, 4).subject(&index, "lead").known_by(&index, IdentityKind::Phone, phone).through(&index, "bot");
        let ended = db.record(says.says("messages", false)).await;
        assert_eq!(ended.iter().filter(|job| job.state == JobState::Cancelled).count(), 2, "the reminders of both");
        assert!(ended.iter().filter(|job| !job.state.is_live()).all(|job| job.reason.as_ref().unwrap().code == WITHDRAWN));
        assert_eq!(db.job(reminding.job.id).await.cancel.unwrap().code, WITHDRAWN, "what runs is asked to stop");
        assert_eq!(db.job(running.job.id).await.cancel, None, "another action, which asks for no such consent");
        let left = db.store.jobs(&Default::default(), Some(JobState::Scheduled)).await.unwrap();
        assert_eq!(left.len(), 1, "somebody else's");
        let db = db.reopen().await;
        assert!(!db.store.consent(running.job.id, "messages").await.unwrap().unwrap().given, "it holds for the phone wherever it is known");
        let told = db.store.audit(&AuditPage { kind: Some(AuditKind::Consent), ..AuditPage::default() }).await.unwrap().remove(0);
        assert_eq!((told.entry.detail()["cancelled"].as_u64(), told.entry.detail()["topic"].as_str()), (Some(3), Some("messages")));
    }

    async fn what_one_gave_another_with_the_same_phone_did_not_give(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let phone = |number, id: &str| db.delivery(number, 0).subject(&index, id).known_by(&index, IdentityKind::Phone, "+5511");
        db.record(phone(1, "child").fires("thank")).await;
        let job = db.claim(1).await.remove(0).job.id;
        db.record(phone(2, "mother").says("messages", true)).await;
        assert_eq!(db.store.consent(job, "messages").await.unwrap(), None);
        db.record(phone(3, "child").says("messages", true)).await;
        assert!(db.store.consent(job, "messages").await.unwrap().unwrap().given);
    }

    async fn what_a_person_told_somebody_is_written_down(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).subject(&index, "p1").fires_for(&index, "1", DAY * 3, None)).await;
        let subject = db.person("p1").await;
        let note = |given, actions: &[(&str, &str)]| ConsentWrite {
            subject,
            topic: "messages".into(),
            given,
            actions: actions.iter().map(|(rule, action)| ((*rule).into(), (*action).into())).collect(),
            actor: Actor::command(),
        };
        assert_eq!(db.store.note_consent(note(true, &[]), minute(1)).await.unwrap(), Some(0));
        assert_eq!(db.store.note_consent(note(false, &[("reminder", "remind")]), minute(2)).await.unwrap(), Some(1));
        let unknown = ConsentWrite { subject: zelo_core::Pseudonym::from_bytes([1; 16]), ..note(true, &[]) };
        assert_eq!(db.store.note_consent(unknown, minute(3)).await.unwrap(), None);
        let words = db.store.export_subject(subject).await.unwrap().unwrap().consents;
        assert_eq!(words, [ConsentView { topic: "messages".into(), given: false, at: minute(2), event: None }]);
    }
}
