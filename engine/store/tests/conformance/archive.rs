//! Reading back, for those who count.

use std::collections::HashSet;

use serde_json::json;
use zelo_core::EventId;
use zelo_store::{LiveJobs, Range};

use crate::build::{DAY, Db, Kind, done, minute};

fn range(since: i64, until: i64) -> Range {
    Range { since: minute(since), until: minute(until), connection: None }
}

/// The events of a range, `limit` at a time.
async fn all(db: &Db, range: &Range, limit: u32) -> Vec<EventId> {
    let archive = db.store.archive();
    let (mut ids, mut after) = (Vec::new(), 0);
    loop {
        let page = archive.events(range, after, limit).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= limit as usize);
        after = last.cursor;
        ids.extend(page.into_iter().map(|archived| archived.event.unwrap().event.id));
    }
    assert_eq!(archive.count(range).await.unwrap(), ids.len() as u64);
    ids
}

conforming! {
    async fn events_come_in_order_of_arrival_within_their_range(kind) {
        let db = Db::open(kind).await;
        let mut ids = Vec::new();
        // What happened first arrived last.
        for number in 1..=7 {
            let delivery = db.delivery(number, 100 - number as i64).received(10 * number as i64);
            ids.push(db.store.record(delivery.body(&json!({ "number": number })).0).await.unwrap().event);
        }
        let mut other = db.delivery(8, 0).received(40);
        other.0.event.connection = "outro".into();
        let other = db.store.record(other.0).await.unwrap().event;
        assert_eq!(all(&db, &range(20, 50), 2).await, [ids[1], ids[2], ids[3], other], "the first instant is in it, the last is not");
        assert_eq!(all(&db, &range(0, DAY), 3).await.len(), 8);
        let of = Range { connection: Some("outro".into()), ..range(0, DAY) };
        assert_eq!(all(&db, &of, 3).await, [other]);
        assert!(all(&db, &range(71, DAY), 3).await.is_empty());
        let event = db.store.archive().event(ids[2]).await.unwrap().unwrap();
        assert_eq!(*event.data, json!({ "number": 3 }));
    }
}

#[tokio::test]
async fn what_cannot_be_read_does_not_keep_the_rest() {
    let db = Db::open(Kind::SqliteFile).await;
    let index = db.store.indexer().clone();
    for (number, person) in [(1, "p1"), (2, "p2")] {
        db.record(db.delivery(number, 0).received(number as i64).subject(&index, person).remembers(&index, person, json!({ "a": 1 })))
            .await;
    }
    let records = db.store.records(&zelo_store::Page::default(), None).await.unwrap();
    let wanted: HashSet<_> = records.iter().map(|record| index.record("centro", &record.kind, &record.id)).collect();
    assert_eq!(db.store.archive().records(wanted.clone()).await.unwrap().len(), 2);
    let gone = "UPDATE seal_keys SET wrapped = NULL, destroyed_at = 1 WHERE key_id = (SELECT key_id FROM event_parts WHERE part_id = 256)";
    assert_eq!(db.sql(gone).await, 1);
    let db = db.reopen().await;
    let page = db.store.archive().events(&range(0, DAY), 0, 10).await.unwrap();
    assert_eq!(page.iter().map(|archived| archived.event.is_ok()).collect::<Vec<_>>(), [false, true]);
    // Of records the same: they belong to the clinic.
    let gone = "UPDATE seal_keys SET wrapped = NULL, destroyed_at = 1 WHERE key_id = (SELECT key_id FROM records ORDER BY written LIMIT 1)";
    assert_eq!(db.sql(gone).await, 1);
    let db = db.reopen().await;
    assert!(db.store.archive().records(wanted).await.unwrap().len() < 2);
}

conforming! {
    async fn what_is_pending_is_counted_by_automation_and_clinic(kind) {
        let db = Db::open(kind).await;
        for (number, clinic) in [(1, "7"), (2, "7"), (3, "8"), (4, "8")] {
            db.record(db.delivery(number, number as i64).of_clinic(clinic).fires("remind")).await;
        }
        let work = db.claim(DAY).await;
        // One of them ends; those that run are pending too.
        db.settle(&work[3], done(), DAY).await;
        let automation = work[0].job.automation.clone();
        let pending = |clinic: &str, jobs| LiveJobs { automation: automation.clone(), clinic: Some(clinic.into()), jobs };
        let ended = work[3].job.clinic.clone().unwrap();
        let expected = ["7", "8"].map(|clinic| pending(clinic, if clinic == ended { 1 } else { 2 }));
        assert_eq!(db.store.archive().live_jobs(&work[0].job.rule).await.unwrap(), expected);
        assert_eq!(db.store.archive().live_jobs("another").await.unwrap(), []);
    }
}
