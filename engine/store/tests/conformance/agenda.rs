//! What will be done and when, what people make of that, and what ended badly.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use zelo_core::job::Reason;
use zelo_core::settle::AttemptEnd;
use zelo_core::{Actor, AuditKind, Clinics, JobId, JobState, RecordRef};
use zelo_store::{Amend, Amended, AuditPage, Decided, Page, Pending, Reschedule, Rescheduled};

use crate::build::{DAY, DayBefore, Db, Kind, minute};

fn pending(since: i64, until: i64) -> Pending {
    let (connection, clinic) = (None, None);
    Pending { since: minute(since), until: minute(until), after: None, limit: 100, connection, clinic, clinics: Clinics::All }
}

impl Db {
    async fn reschedule(&self, job: JobId, to: i64, now: i64) -> Option<Rescheduled> {
        let actor = Actor::credential("token", "ana");
        self.store.reschedule(Reschedule { job, to: minute(to), actor, timetable: Arc::new(DayBefore) }, minute(now)).await.unwrap()
    }

    /// Why it is not moved.
    async fn unmoved(&self, job: JobId, to: i64, now: i64) -> String {
        match self.reschedule(job, to, now).await {
            Some(Rescheduled::Refused(reason)) => reason.code,
            other => panic!("{other:?}"),
        }
    }

    async fn times(&self, of: &Pending) -> Vec<Timestamp> {
        self.store.archive().pending(of).await.unwrap().into_iter().map(|view| view.job.run_at).collect()
    }
}

conforming! {
    async fn a_moved_job_runs_when_it_was_moved_to(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let job = db.record(db.delivery(1, 0).subject(&index, "p1").fires_for(&index, "77", 3 * DAY, Some("k1"))).await.remove(0);
        assert_eq!(job.due, minute(2 * DAY));
        assert!(matches!(db.reschedule(job.id, 100, 5).await, Some(Rescheduled::Moved(moved)) if moved.due == minute(100)));
        let db = db.reopen().await;
        assert!(db.store.retime(Arc::new(DayBefore)).await.unwrap().is_empty(), "the rules say what they said");
        assert_eq!(db.job(job.id).await.due, minute(100));
        assert!(db.claim(99).await.is_empty());
        assert_eq!(db.claim(100).await.len(), 1);
        let decisions = db.store.decisions(job.id).await.unwrap();
        let told: Vec<_> = decisions.iter().map(|view| (view.at, view.actor.as_str(), view.decision, view.was)).collect();
        assert_eq!(told, [(minute(5), "token:ana", Decided::Moved, JobState::Scheduled)]);
        let audit = db.store.audit(&AuditPage { kind: Some(AuditKind::Decided), ..AuditPage::default() }).await.unwrap();
        assert_eq!((audit.len(), audit[0].entry.job, audit[0].entry.about.len()), (1, Some(job.id), 1));
        assert_eq!(serde_json::from_str::<Value>(&audit[0].entry.detail).unwrap()["decision"], "moved");
    }

    async fn what_comes_or_changes_afterwards_says_when(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let job = db.record(db.delivery(1, 0).subject(&index, "p1").fires_for(&index, "77", 3 * DAY, Some("k1"))).await.remove(0);
        db.reschedule(job.id, 100, 5).await;
        db.record(db.delivery(2, 6).remembers(&index, "k1", json!({ "hours": 1 }))).await;
        let moved = db.job(job.id).await;
        assert_eq!((moved.due, moved.moved), (minute(2 * DAY + 60), None), "the record says another time");
        db.reschedule(job.id, 200, 7).await;
        let jobs = db.record(db.delivery(3, 8).subject(&index, "p1").fires_for(&index, "77", 4 * DAY, Some("k1"))).await;
        let newer = jobs.iter().find(|one| one.id != job.id).unwrap();
        assert_eq!((newer.due, newer.moved), (minute(3 * DAY + 60), None), "a newer event takes its place");
        assert_eq!(db.job(job.id).await.state, JobState::Cancelled);
        assert_eq!(db.unmoved(job.id, 300, 9).await, "wrong_state");
    }

    async fn what_cannot_be_moved_stands_as_it_did(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let steps = db.record(db.delivery(1, 0).fires_after(&index, "issue", None, &[], None).fires_after(&index, "send", None, &["issue"], None)).await;
        let send = steps.iter().find(|job| job.action == "send").unwrap();
        assert_eq!(db.unmoved(send.id, 10, 1).await, "step");
        let work = db.claim(1).await.remove(0);
        assert_eq!(db.unmoved(work.job.id, 10, 1).await, "wrong_state", "it runs");
        let again = AttemptEnd::Retry { reason: Reason::new("later", "later"), after: None };
        db.settle(&work, again, 1).await;
        assert_eq!(db.unmoved(work.job.id, 10, 1).await, "begun");
        let job = db.record(db.delivery(2, 0).fires_for(&index, "78", 3 * DAY, None)).await.remove(0);
        assert_eq!(db.unmoved(job.id, 3 * DAY, 1).await, "after_anchor");
        assert_eq!(db.unmoved(job.id, 2 * DAY + 99 * 60, 1).await, "expired");
        assert_eq!(db.reschedule(JobId::from_bytes([9; 16]), 10, 1).await, None);
        assert_eq!((db.job(job.id).await, db.store.decisions(job.id).await.unwrap()), (job, vec![]));
    }

    async fn the_agenda_is_in_order_and_counted_by_day(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for (number, anchor) in [(1, 3 * DAY), (2, 2 * DAY + 5), (3, 2 * DAY), (4, 4 * DAY)] {
            let clinic = if number == 4 { "8" } else { "7" };
            db.record(db.delivery(number, 0).of_clinic(clinic).fires_for(&index, &number.to_string(), anchor, None)).await;
        }
        // What is due stands in the line; what waits for a person is not theirs to wait for.
        db.record(db.delivery(5, 0).fires("thank")).await;
        let work = db.claim(0).await.remove(0);
        db.settle(&work, AttemptEnd::Wait { reason: Reason::new("missing", "no phone"), until: minute(DAY + 1) }, 0).await;
        assert_eq!(db.times(&pending(0, 9 * DAY)).await, [DAY, DAY + 5, 2 * DAY, 3 * DAY].map(minute));
        assert_eq!(db.times(&pending(DAY, DAY + 5)).await, [minute(DAY)], "the first instant is in it, the last is not");
        let first = Pending { limit: 1, ..pending(0, 9 * DAY) };
        let page = db.store.archive().pending(&first).await.unwrap();
        let rest = Pending { after: Some((page[0].job.run_at, page[0].cursor)), ..pending(0, 9 * DAY) };
        assert_eq!(db.times(&rest).await, [DAY + 5, 2 * DAY, 3 * DAY].map(minute));
        let theirs = Pending { clinics: Clinics::of(["centro/8".parse().unwrap()]), ..pending(0, 9 * DAY) };
        assert_eq!(db.times(&theirs).await, [minute(3 * DAY)]);
        assert_eq!(db.times(&Pending { clinic: Some("7".into()), ..pending(0, 9 * DAY) }).await.len(), 3);
        let spans = [(minute(0), minute(DAY)), (minute(DAY), minute(2 * DAY)), (minute(2 * DAY), minute(9 * DAY))];
        assert_eq!(db.store.archive().pending_counts(&first, &spans).await.unwrap(), [0, 2, 2]);
        assert_eq!(db.store.archive().pending_counts(&theirs, &spans).await.unwrap(), [0, 0, 1]);
    }

    async fn what_ended_badly_is_told_by_its_reason(kind) {
        let db = Db::open(kind).await;
        let mut jobs = Vec::new();
        for (number, clinic, code) in [(1, "7", "later"), (2, "7", "trap"), (3, "8", "later"), (4, "7", "unknown")] {
            db.record(db.delivery(number, number as i64).of_clinic(clinic).fires("thank")).await;
            let work = db.claim(number as i64).await.remove(0);
            let reason = Reason::new(code, "given up");
            let end = if code == "unknown" { AttemptEnd::Unknown(reason) } else { AttemptEnd::Dead(reason) };
            db.settle(&work, end, 10 + number as i64).await;
            jobs.push(work.job.id);
        }
        let told = |page: Page, state| {
            let archive = db.store.archive();
            async move {
                let found = archive.troubles(&page, state).await.unwrap();
                found.into_iter().map(|one| (one.code.unwrap(), one.count, one.first, one.last, one.job)).collect::<Vec<_>>()
            }
        };
        let all = told(Page::default(), JobState::Dead).await;
        assert_eq!(all, [("later".into(), 2, minute(11), minute(13), jobs[2]), ("trap".into(), 1, minute(12), minute(12), jobs[1])]);
        let theirs = Page { clinics: Clinics::of(["centro/8".parse().unwrap()]), ..Page::default() };
        assert_eq!(told(theirs, JobState::Dead).await, [("later".into(), 1, minute(13), minute(13), jobs[2])]);
        assert_eq!(told(Page::default(), JobState::Unknown).await.len(), 1);
    }

    async fn what_a_person_says_of_a_record_stands_and_is_written_down(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).subject(&index, "k1").remembers(&index, "k1", json!({ "name": "Ana" })).fires_after(&index, "greet", None, &[], Some("k1"))).await;
        let work = db.claim(1).await.remove(0);
        db.settle(&work, AttemptEnd::Wait { reason: Reason::new("missing", "no phone"), until: minute(9000) }, 1).await;
        let key = RecordRef { kind: work.job.lookups[0].record.kind.clone(), hash: work.job.lookups[0].record.hash };
        let said = |phone: &str| Amend {
            record: key.hash,
            fields: json!({ "phone": phone }).as_object().unwrap().clone(),
            new: None,
            lacking: None,
            stood: None,
            clinics: Clinics::All,
            actor: Actor::credential("token", "ana"),
            timetable: Arc::new(DayBefore),
        };
        assert_eq!(db.store.amend(said("5511"), minute(20)).await.unwrap(), Amended::Changed);
        assert_eq!(db.store.amend(said("5511"), minute(21)).await.unwrap(), Amended::Same);
        let db = db.reopen().await;
        assert_eq!(db.claim(21).await.remove(0).job.id, work.job.id, "it goes on");
        db.record(db.delivery(2, 15).remembers(&index, "k1", json!({ "phone": "0", "name": "Bia" }))).await;
        let row = db.store.record_at(key.hash).await.unwrap().unwrap();
        assert_eq!(row.document, json!({ "phone": "5511", "name": "Bia" }), "an event from before does not know better");
        db.record(db.delivery(3, 30).remembers(&index, "k1", json!({ "phone": "5522" }))).await;
        assert_eq!(db.store.record_at(key.hash).await.unwrap().unwrap().document["phone"], "5522");
        let audit = db.store.audit(&AuditPage { kind: Some(AuditKind::Amended), ..AuditPage::default() }).await.unwrap();
        assert_eq!((audit.len(), audit[0].entry.about.clone()), (2, vec![db.person("k1").await]), "each time that they say so, and about whom");
    }
}

#[tokio::test]
async fn a_moved_job_stays_so_in_a_crash() {
    let db = Db::open(Kind::SqliteFile).await;
    let index = db.store.indexer().clone();
    let job = db.record(db.delivery(1, 0).fires_for(&index, "77", 3 * DAY, None)).await.remove(0);
    db.reschedule(job.id, 100, 5).await;
    let db = db.crash().await;
    assert_eq!(db.times(&pending(0, 9 * DAY)).await, [minute(100)]);
    assert_eq!(db.claim(100).await.len(), 1);
}
