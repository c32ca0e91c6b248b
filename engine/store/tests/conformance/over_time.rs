//! Throttled, counted and collected: what is remembered survives, and nothing collected is lost.

use std::sync::Arc;

use serde_json::json;
use zelo_core::decide::{OnKnown, SWITCHED_OFF};
use zelo_core::job::Reason;
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::AttemptEnd;
use zelo_core::timing::{Due, DueQuestion, Records, Timetable};
use zelo_core::{EventId, Job, JobState, RecordWrite, Timestamp};
use zelo_store::{Import, Work};

use crate::build::{DayBefore, Db, Kind, counted, done, job_key, minute, record_ref, sending, throttled};

fn codes(jobs: &[Job]) -> Vec<(&str, &str)> {
    jobs.iter().map(|job| (job.state.as_str(), job.reason.as_ref().map_or("", |reason| reason.code.as_str()))).collect()
}

fn events(work: &Work) -> Vec<EventId> {
    work.collected.iter().map(|event| event.id).collect()
}

/// The ids of deliveries, each given as its number and time.
fn ids(db: &Db, deliveries: &[(u64, i64)]) -> Vec<EventId> {
    deliveries.iter().map(|(number, time)| db.delivery(*number, *time).0.event.id).collect()
}

/// Stores deliveries that are collected together, each given as its number and time; the job as it stands then.
async fn collect(db: &Db, deliveries: &[(u64, i64)]) -> Job {
    let index = db.store.indexer().clone();
    let mut job = None;
    for (number, time) in deliveries {
        job = db.record(db.delivery(*number, *time).collected(&index, "p1", None)).await.pop();
    }
    job.unwrap()
}

struct Off;

impl Timetable for Off {
    fn due(&self, _: &DueQuestion<'_>, _: &dyn Records) -> Result<Due, Reason> {
        Err(Reason::new(SWITCHED_OFF, "off"))
    }
}

conforming! {
    async fn what_fired_is_remembered(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let fire = |db: &Db, number, time| db.delivery(number, time).fires_over("remind", None, throttled(&index, "p1", 2, 60));
        db.record(fire(&db, 1, 0)).await;
        db.record(fire(&db, 2, 30)).await;
        let db = db.reopen().await;
        assert_eq!(codes(&db.record(fire(&db, 3, 59)).await), [("skipped", "throttled")]);
        assert!(db.record(fire(&db, 3, 59)).await.is_empty(), "a duplicate");
        let other = db.delivery(4, 59).fires_over("remind", None, throttled(&index, "p2", 2, 60));
        assert_eq!(codes(&db.record(other).await), [("ready", "")], "another value");
        assert_eq!(codes(&db.record(fire(&db, 5, 60)).await), [("ready", "")]);
        let late = fire(&db, 6, 29).received(61);
        assert_eq!(codes(&db.record(late).await), [("skipped", "throttled")], "what gets through late falls where it belongs");
    }

    async fn what_came_to_nothing_leaves_its_place(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let key = Some(job_key(&index, "77"));
        let fire = |db: &Db, number, time| db.delivery(number, time).fires_over("remind", key, throttled(&index, "p1", 1, 60));
        db.record(fire(&db, 1, 0)).await;
        db.record(db.delivery(2, 1).cancels(&index, "77")).await;
        let db = db.reopen().await;
        assert_eq!(codes(&db.record(fire(&db, 3, 2)).await), [("ready", "")], "nothing was sent");
        let edited = db.record(fire(&db, 4, 3)).await;
        assert_eq!(codes(&edited), [("cancelled", "replaced"), ("ready", "")], "in its place");
        let skipped = db.claim(4).await.remove(0);
        db.settle(&skipped, AttemptEnd::Skipped(Reason::new("only_if", "no")), 4).await;
        assert_eq!(codes(&db.record(fire(&db, 5, 5)).await), [("ready", "")]);
        let sent = db.claim(6).await.remove(0);
        db.settle(&sent, done(), 6).await;
        let other = db.delivery(6, 7).fires_over("remind", Some(job_key(&index, "78")), throttled(&index, "p1", 1, 60));
        assert_eq!(codes(&db.record(other).await), [("skipped", "throttled")], "this one fired");
    }

    async fn what_was_counted_is_remembered(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let count = |db: &Db, number, time| db.delivery(number, time).fires_over("remind", None, counted(&index, "p1", 3, 60)).0;
        for number in 1..3 {
            let decision = db.store.record(count(&db, number, number as i64)).await.unwrap();
            assert!(decision.jobs.is_empty());
            assert_eq!((decision.counted[0].count, decision.counted[0].at_least), (number as u32, 3));
        }
        let db = db.reopen().await;
        assert!(db.store.record(count(&db, 2, 2)).await.unwrap().counted.is_empty(), "a duplicate does not count");
        assert_eq!(codes(&db.record(crate::build::Delivery(count(&db, 3, 60))).await), [("ready", "")]);
        let again = db.store.record(count(&db, 4, 60)).await.unwrap();
        assert_eq!(again.counted[0].count, 1, "it begins again");
    }

    async fn a_burst_is_one_job_with_all_its_events(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let first = collect(&db, &[(1, 10), (2, 25)]).await;
        let db = db.reopen().await;
        let late = db.delivery(3, 5).received(26).collected(&index, "p1", None);
        let grown = db.record(late).await.remove(0);
        assert_eq!((grown.id, grown.collected, grown.due), (first.id, 3, minute(55)));
        assert_eq!(grown.event, ids(&db, &[(2, 25)])[0], "it is about the newest");
        assert!(db.record(db.delivery(2, 25).collected(&index, "p1", None)).await.is_empty(), "a duplicate");
        db.record(db.delivery(4, 25).collected(&index, "p2", None)).await;
        assert!(db.claim(54).await.is_empty(), "not before it was quiet");
        let db = db.reopen().await;
        let work = db.claim(55).await;
        let work = work.iter().find(|work| work.job.id == first.id).unwrap();
        assert_eq!(events(work), ids(&db, &[(3, 5), (1, 10), (2, 25)]), "as they happened");
        assert_eq!(work.event.id, work.job.event);
        // Begun is closed.
        let next = db.record(db.delivery(5, 56).collected(&index, "p1", None)).await;
        assert_eq!((next.len(), next[0].collected), (1, 1));
        db.settle(work, done(), 56).await;
        assert_eq!((db.job(first.id).await.state, db.job(first.id).await.collected), (JobState::Done, 3));
        let other = db.claim(86).await.remove(0);
        assert_eq!((other.job.id, events(&other)), (next[0].id, ids(&db, &[(5, 56)])));
    }

    async fn a_collection_whose_worker_dies_is_whole_the_next_time(kind) {
        let db = Db::open(kind).await;
        let job = collect(&db, &[(1, 0), (2, 1)]).await;
        assert_eq!(db.claim(31).await.len(), 1);
        let later = collect(&db, &[(3, 32)]).await;
        let db = db.reopen().await;
        db.store.reclaim(Timestamp::MAX, RetryPolicy::default(), &[]).await.unwrap();
        let joined = collect(&db, &[(4, 33)]).await;
        assert_eq!((joined.id, joined.collected), (later.id, 2), "what has begun does not grow");
        let work = db.claim(40).await.remove(0);
        assert_eq!((work.job.id, work.job.attempt, events(&work)), (job.id, 2, ids(&db, &[(1, 0), (2, 1)])));
    }

    async fn one_that_was_looked_at_too_early_still_grows(kind) {
        let db = Db::open(kind).await;
        let job = collect(&db, &[(1, 0)]).await;
        let work = db.claim(30).await.remove(0);
        db.settle(&work, AttemptEnd::Moved(Due { at: minute(50), expires: None }), 30).await;
        let grown = collect(&db, &[(2, 31)]).await;
        assert_eq!((grown.id, grown.collected, grown.due), (job.id, 2, minute(61)));
    }

    async fn of_one_instant_the_collections_are_two(kind) {
        let db = Db::open(kind).await;
        let first = collect(&db, &[(1, 0)]).await;
        let work = db.claim(30).await.remove(0);
        let second = collect(&db, &[(2, 0)]).await;
        db.settle(&work, done(), 31).await;
        assert_ne!(first.id, second.id);
        assert!(db.job(second.id).await.state.is_live(), "it is not the same thing done twice");
    }

    async fn a_collection_is_cancelled_as_a_whole(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let job = collect(&db, &[(1, 0), (2, 5)]).await;
        let db = db.reopen().await;
        assert!(db.record(db.delivery(3, 4).cancels_collected(&index, "p1")).await.is_empty(), "older than the newest");
        let cancelled = db.record(db.delivery(4, 6).cancels_collected(&index, "p1")).await;
        assert_eq!((cancelled[0].id, cancelled[0].state), (job.id, JobState::Cancelled));
        assert!(db.record(db.delivery(5, 3).received(7).collected(&index, "p1", None)).await.is_empty(), "nor does it come back");
        assert_eq!(collect(&db, &[(6, 7)]).await.collected, 1);
        assert_eq!(db.job(job.id).await.collected, 2);
    }

    async fn switching_off_ends_what_is_collected(kind) {
        let db = Db::open(kind).await;
        let job = collect(&db, &[(1, 0), (2, 5)]).await;
        assert!(db.store.retime(Arc::new(DayBefore)).await.unwrap().is_empty(), "under the same rules nothing changes");
        assert_eq!(codes(&db.store.retime(Arc::new(Off)).await.unwrap()), [("cancelled", SWITCHED_OFF)]);
        let next = collect(&db, &[(3, 6)]).await;
        assert!(next.id != job.id && next.collected == 1);
    }

    async fn the_records_of_the_newest_event_decide(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let told = |db: &Db, number, time, id, hours| db.delivery(number, time).remembers(&index, id, json!({ "hours": hours }));
        db.record(told(&db, 1, 0, "a", 1)).await;
        db.record(db.delivery(2, 0).collected(&index, "p1", Some("a"))).await;
        let job = db.record(db.delivery(3, 1).collected(&index, "p1", Some("b"))).await.remove(0);
        assert_eq!(job.due, minute(31), "nothing is known of b");
        let db = db.reopen().await;
        assert!(db.record(told(&db, 4, 2, "a", 5)).await.is_empty(), "a is not read any more");
        assert_eq!(db.record(told(&db, 5, 3, "b", 2)).await[0].due, minute(31 + 120));
        let write = RecordWrite {
            key: record_ref(&index, "c"),
            id: "c".into(),
            fields: json!({ "hours": 3 }).as_object().unwrap().clone(),
            subject: None,
            clinic: Some("7".into()),
        };
        db.record(db.delivery(6, 4).collected(&index, "p1", Some("c"))).await;
        let import =
            Import { connection: "centro".into(), records: vec![write], on_known: OnKnown::Keep, timetable: Arc::new(DayBefore), entry: None };
        db.store.import(import, minute(5)).await.unwrap();
        assert_eq!((db.job(job.id).await.due, db.job(job.id).await.collected), (minute(34 + 180), 3));
        let work = db.claim(34 + 180).await.remove(0);
        assert_eq!(events(&work), ids(&db, &[(2, 0), (3, 1), (6, 4)]));
        db.settle(&work, done(), 300).await;
        for (number, id) in [(7, "a"), (8, "b"), (9, "c")] {
            assert!(db.record(told(&db, number, 301, id, 1)).await.is_empty(), "nobody reads {id} afterwards");
        }
    }

    async fn events_of_one_batch_are_collected_together(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let all = (1..=600).map(|number| db.store.record(db.delivery(number, 0).collected(&index, "p1", None).0));
        let decisions = futures::future::join_all(all).await;
        let jobs: std::collections::BTreeSet<_> = decisions.into_iter().map(|decision| decision.unwrap().jobs[0].id).collect();
        assert_eq!(jobs.len(), 2, "at most 500 in one");
        let work = db.claim(30).await;
        let sizes: Vec<usize> = work.iter().map(|work| work.collected.len()).collect();
        assert_eq!((sizes.iter().max(), sizes.iter().sum::<usize>()), (Some(&500), 600));
    }
}

#[tokio::test]
async fn a_collection_that_lost_an_event_is_not_run_without_it() {
    let db = Db::open(Kind::SqliteFile).await;
    collect(&db, &[(1, 0), (2, 1)]).await;
    assert_eq!(db.sql("DELETE FROM job_events WHERE event = 1").await, 1);
    assert!(db.claim(40).await.is_empty());
}

#[tokio::test]
async fn what_is_made_of_several_peoples_events_is_under_no_persons_key() {
    let db = Db::open(Kind::SqliteFile).await;
    let index = db.store.indexer().clone();
    let of = |number, person: &str| db.delivery(number, 0).subject(&index, person).collected(&index, "all", None);
    let slot = index.state("centro", "7", "reminder", "answer", "last");
    let keys = |kind: &'static str| match kind {
        "subject" => "UPDATE messages SET seq = seq WHERE key_id IN (SELECT key_id FROM seal_keys WHERE owner_kind = 'subject')",
        _ => "UPDATE messages SET seq = seq WHERE key_id IN (SELECT key_id FROM seal_keys WHERE owner_kind = 'clinic')",
    };
    db.record(of(1, "p1")).await;
    db.record(of(2, "p1")).await;
    let work = db.claim(30).await.remove(0);
    db.store.settle(sending(&work, slot, "5511", "Olá"), minute(31)).await.unwrap();
    assert_eq!((db.sql(keys("subject")).await, db.sql(keys("clinic")).await), (1, 0), "one person's is that person's");
    db.record(of(3, "p1")).await;
    db.record(of(4, "p2")).await;
    db.record(of(5, "p1")).await;
    let work = db.claim(60).await.remove(0);
    assert_eq!(work.collected.len(), 3);
    db.store.settle(sending(&work, slot, "5511", "Olá"), minute(61)).await.unwrap();
    assert_eq!((db.sql(keys("subject")).await, db.sql(keys("clinic")).await), (1, 1));
}
