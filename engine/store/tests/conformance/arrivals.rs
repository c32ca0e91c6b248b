//! What becomes of deliveries.

use serde_json::json;
use zelo_core::{JobState, Status};
use zelo_store::Page;

use crate::build::{DAY, DayBefore, Db, minute};

conforming! {
    async fn an_event_reads_back_as_it_came(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let delivery = db.delivery(1, 5).received(6).about(&index, "77").subject(&index, "p1").subject(&index, "p2");
        let decision = db.store.record(delivery.body(&json!({ "data": { "name": "Ana", "price": 1.5 } })).0).await.unwrap();
        assert_eq!(decision.status, Status::Accepted);
        let db = db.reopen().await;
        let view = db.store.event(decision.event).await.unwrap().unwrap();
        assert_eq!(view.status, Status::Accepted);
        let event = view.event;
        assert_eq!((event.time, event.received), (minute(5), minute(6)));
        assert_eq!((event.connection.as_str(), event.source.as_str(), event.kind.as_str()), ("centro", "clinicarx", "appointment.created"));
        assert_eq!(event.entity.map(|entity| (entity.kind, entity.id)), Some(("appointment".into(), "77".into())));
        assert_eq!((event.subjects, event.clinic), (vec!["p1".to_owned(), "p2".into()], Some("7".into())));
        assert_eq!(*event.data, json!({ "data": { "name": "Ana", "price": 1.5 } }));
        assert!(db.store.event(zelo_core::EventId::from_bytes([9; 16])).await.unwrap().is_none());
    }

    async fn a_duplicate_is_acknowledged_and_changes_nothing(kind) {
        let db = Db::open(kind).await;
        let first = db.store.record(db.delivery(1, 0).fires("thank").0).await.unwrap();
        let mut again = db.delivery(1, 5).fires("thank");
        again.0.event.id = db.delivery(2, 5).0.event.id;
        let second = db.store.record(again.0).await.unwrap();
        assert_eq!((second.status, second.event), (Status::Duplicate, first.event));
        assert_eq!(db.store.events(&Page::default()).await.unwrap().len(), 1);
        assert_eq!(db.store.jobs(&Page::default(), None).await.unwrap().len(), 1);
    }

    async fn an_older_event_of_an_entity_is_stale(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 10).about(&index, "77").fires_for(&index, "77", 9 * DAY, None)).await;
        let late = db.delivery(2, 5).about(&index, "77").fires_for(&index, "77", 8 * DAY, None).remembers(&index, "k", json!({ "hours": 1 })).fires("thank");
        let late = db.store.record(late.0).await.unwrap();
        assert_eq!(late.status, Status::Stale);
        assert_eq!(late.jobs.len(), 1, "only the rule without a key fires");
        assert!(db.store.records(&Page::default(), None).await.unwrap().is_empty());
        let pending = db.store.jobs(&Page::default(), Some(JobState::Scheduled)).await.unwrap();
        assert_eq!(pending[0].job.anchor, Some(minute(9 * DAY)));
    }

    async fn an_edit_replaces_and_a_cancellation_ends(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let made = db.record(db.delivery(1, 0).fires_for(&index, "77", 9 * DAY, None)).await;
        let moved = db.record(db.delivery(2, 1).fires_for(&index, "77", 10 * DAY, None)).await;
        assert_eq!(moved.len(), 2);
        let first = db.store.job(made[0].id).await.unwrap().unwrap();
        assert_eq!((first.job.state, first.ended), (JobState::Cancelled, Some(minute(1))));
        assert_eq!(first.job.reason.unwrap().code, "replaced");
        let db = db.reopen().await;
        let ended = db.record(db.delivery(3, 2).cancels(&index, "77")).await;
        assert_eq!((ended.len(), ended[0].state), (1, JobState::Cancelled));
        assert_eq!(db.store.next_run().await.unwrap(), None);
        assert!(db.record(db.delivery(4, 1).fires_for(&index, "77", 11 * DAY, None)).await.is_empty(), "the cancellation stands");
        assert!(db.claim(99 * DAY).await.is_empty());
    }

    async fn records_merge_and_hear_no_older_word(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 5).remembers(&index, "k1", json!({ "name": "Centro", "hours": 1 }))).await;
        db.record(db.delivery(2, 6).remembers(&index, "k2", json!({ "name": "Norte" }))).await;
        db.record(db.delivery(3, 7).remembers(&index, "k1", json!({ "hours": 2 }))).await;
        db.record(db.delivery(4, 4).remembers(&index, "k1", json!({ "hours": 9 }))).await;
        let db = db.reopen().await;
        let records = db.store.records(&Page::default(), Some("clinic")).await.unwrap();
        let seen: Vec<_> = records.iter().map(|record| (record.id.as_str(), record.time, record.document.clone())).collect();
        assert_eq!(seen, [("k1", minute(7), json!({ "name": "Centro", "hours": 2 })), ("k2", minute(6), json!({ "name": "Norte" }))]);
        assert!(db.store.records(&Page::default(), Some("patient")).await.unwrap().is_empty());
        let older = Page { before: Some(records[0].cursor), ..Page::default() };
        assert_eq!(db.store.records(&older, None).await.unwrap().len(), 1);
    }

    async fn a_record_that_changes_moves_the_jobs_that_read_it(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let read = db.record(db.delivery(1, 0).fires_for(&index, "77", 9 * DAY, Some("k1"))).await[0].clone();
        let other = db.record(db.delivery(2, 0).fires_for(&index, "78", 9 * DAY, Some("k2"))).await[0].clone();
        let moved = db.record(db.delivery(3, 1).remembers(&index, "k1", json!({ "hours": 3 }))).await;
        assert_eq!(moved.iter().map(|job| job.id).collect::<Vec<_>>(), [read.id]);
        assert_eq!(db.job(read.id).await.due, minute(8 * DAY + 180));
        assert_eq!(db.job(other.id).await.due, other.due);
        // A record that ends it frees its key, and nothing reads for it any more.
        let ended = db.record(db.delivery(4, 2).remembers(&index, "k1", json!({ "closed": true }))).await;
        assert_eq!((ended[0].id, ended[0].state), (read.id, JobState::Skipped));
        assert!(db.record(db.delivery(5, 3).remembers(&index, "k1", json!({ "hours": 5 }))).await.is_empty());
        assert!(db.record(db.delivery(6, 4).cancels(&index, "77")).await.is_empty(), "nothing is pending under the key");
    }

    async fn a_job_that_is_too_late_is_kept_as_skipped(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).remembers(&index, "k1", json!({ "closed": true }))).await;
        let skipped = db.record(db.delivery(2, 1).fires_for(&index, "77", 9 * DAY, Some("k1"))).await;
        let view = db.store.job(skipped[0].id).await.unwrap().unwrap();
        assert_eq!((view.job.state, view.ended), (JobState::Skipped, Some(minute(1))));
        assert_eq!(view.job, skipped[0]);
    }

    async fn rules_in_force_move_pending_jobs(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for number in 0..1100 {
            db.record(db.delivery(number, 0).fires_for(&index, &number.to_string(), 9 * DAY, None)).await;
        }
        assert!(db.store.retime(std::sync::Arc::new(DayBefore)).await.unwrap().is_empty(), "nothing has changed");
        struct Off;
        impl zelo_core::timing::Timetable for Off {
            fn due(&self, _: &zelo_core::timing::DueQuestion<'_>, _: &dyn zelo_core::timing::Records) -> Result<zelo_core::timing::Due, zelo_core::job::Reason> {
                Err(zelo_core::job::Reason::new("switched_off", "the automation was switched off"))
            }
        }
        let changed = db.store.retime(std::sync::Arc::new(Off)).await.unwrap();
        assert_eq!(changed.len(), 1100);
        assert!(changed.iter().all(|job| job.state == JobState::Cancelled));
        assert_eq!(db.store.next_run().await.unwrap(), None);
        // The keys are free: a newer event makes a job again.
        assert_eq!(db.record(db.delivery(5000, 1).fires_for(&index, "5", 9 * DAY, None)).await.len(), 1);
    }

    async fn lists_come_newest_first_by_pages_and_by_clinic(kind) {
        let db = Db::open(kind).await;
        for number in 0..5 {
            let mut delivery = db.delivery(number, number as i64).fires("thank");
            delivery.0.event.clinic = Some((number % 2).to_string());
            db.record(delivery).await;
        }
        let page = Page { limit: 2, ..Page::default() };
        let first = db.store.events(&page).await.unwrap();
        assert_eq!(first.iter().map(|view| view.event.time).collect::<Vec<_>>(), [minute(4), minute(3)]);
        let next = Page { before: Some(first[1].cursor), ..page.clone() };
        assert_eq!(db.store.events(&next).await.unwrap()[0].event.time, minute(2));
        let clinic = Page { clinic: Some("1".into()), ..Page::default() };
        assert_eq!(db.store.events(&clinic).await.unwrap().len(), 2);
        assert_eq!(db.store.jobs(&clinic, None).await.unwrap().len(), 2);
        let elsewhere = Page { connection: Some("norte".into()), ..Page::default() };
        assert!(db.store.events(&elsewhere).await.unwrap().is_empty());

        let work = db.claim(9).await;
        db.settle(&work[0], crate::build::done(), 9).await;
        let jobs = db.store.jobs(&Page::default(), None).await.unwrap();
        assert_eq!(jobs.iter().map(|view| view.job.reference).collect::<Vec<_>>(), [4, 3, 2, 1, 0].map(minute), "live and ended in one order");
        let jobs = db.store.jobs(&Page { limit: 1, before: Some(jobs[3].cursor), ..Page::default() }, None).await.unwrap();
        assert_eq!((jobs.len(), jobs[0].job.state), (1, JobState::Done));
        assert_eq!(db.store.jobs(&Page::default(), Some(JobState::Running)).await.unwrap().len(), 4);
    }
}
