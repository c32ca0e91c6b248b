//! Several events of one delivery, and events in quarantine.

use serde_json::json;
use zelo_core::{JobState, Status};
use zelo_store::Page;

use crate::build::{DAY, Db};

conforming! {
    async fn the_events_of_a_delivery_are_stored_together(kind) {
        let db = Db::open(kind).await;
        let first = db.store.record_all(vec![db.delivery(1, 0).fires("thank").0, db.delivery(2, 0).0]).await.unwrap();
        assert_eq!(first.iter().map(|decision| decision.status).collect::<Vec<_>>(), [Status::Accepted; 2]);
        let mut again = db.delivery(1, 5);
        again.0.event.id = db.delivery(9, 5).0.event.id;
        let mut twice = db.delivery(3, 5);
        twice.0.event.id = db.delivery(8, 5).0.event.id;
        let new = db.delivery(3, 0).fires("thank");
        let second = db.store.record_all(vec![again.0, new.0, twice.0]).await.unwrap();
        let statuses: Vec<_> = second.iter().map(|decision| decision.status).collect();
        assert_eq!(statuses, [Status::Duplicate, Status::Accepted, Status::Duplicate], "the repeats are acknowledged, the rest is taken");
        assert_eq!((second[0].event, second[2].event), (first[0].event, second[1].event));
        let db = db.reopen().await;
        assert_eq!(db.store.events(&Page::default()).await.unwrap().len(), 3);
        assert_eq!(db.store.jobs(&Page::default(), None).await.unwrap().len(), 2);
        assert!(db.store.record_all(Vec::new()).await.unwrap().is_empty());
    }

    async fn of_a_delivery_with_a_fault_nothing_is_stored(kind) {
        let db = Db::open(kind).await;
        db.record(db.delivery(1, 0)).await;
        let mut bad = db.delivery(3, 1);
        bad.0.event.id = db.delivery(1, 0).0.event.id;
        let faulty = vec![db.delivery(2, 1).fires("thank").0, bad.0];
        let beside = [db.delivery(4, 1).0, db.delivery(5, 1).0];
        let [before, after] = beside.map(|arrival| db.store.record(arrival));
        // All of them wait together: the fault of one is not the others'.
        let (before, faulty, after) = tokio::join!(before, db.store.record_all(faulty), after);
        assert!(faulty.is_err());
        assert_eq!([before, after].map(|decision| decision.unwrap().status), [Status::Accepted; 2]);
        let db = db.reopen().await;
        let stored = db.store.events(&Page::default()).await.unwrap();
        let mut ids: Vec<_> = stored.iter().map(|view| view.event.id).collect();
        ids.sort();
        let mut expected = [(1, 0), (4, 1), (5, 1)].map(|(number, time)| db.delivery(number, time).0.event.id);
        expected.sort();
        assert_eq!(ids, expected);
        assert!(db.store.jobs(&Page::default(), None).await.unwrap().is_empty());
        let again = db.store.record_all(vec![db.delivery(2, 1).0, db.delivery(3, 1).0]).await.unwrap();
        assert!(again.iter().all(|decision| decision.status == Status::Accepted), "nothing of it is known");
    }

    async fn what_is_in_quarantine_is_seen_and_changes_nothing(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).about(&index, "77").fires_for(&index, "77", 9 * DAY, None)).await;
        let odd = |number| {
            let delivery = db.delivery(number, 5).about(&index, "77").cancels(&index, "77").remembers(&index, "k", json!({ "hours": 1 }));
            let mut arrival = delivery.fires("thank").body(&json!({ "odd": true })).0;
            arrival.quarantined = true;
            arrival
        };
        let decision = db.store.record(odd(2)).await.unwrap();
        assert_eq!((decision.status, decision.rules.len(), decision.jobs.len()), (Status::Quarantined, 0, 0));
        let mut again = odd(2);
        again.event.id = db.delivery(7, 5).0.event.id;
        let again = db.store.record(again).await.unwrap();
        assert_eq!((again.status, again.event), (Status::Duplicate, decision.event));
        let db = db.reopen().await;
        let view = db.store.event(decision.event).await.unwrap().unwrap();
        assert_eq!((view.status, &*view.event.data), (Status::Quarantined, &json!({ "odd": true })));
        assert!(db.store.records(&Page::default(), None).await.unwrap().is_empty());
        let pending = db.store.jobs(&Page::default(), None).await.unwrap();
        assert_eq!(pending.iter().map(|view| view.job.state).collect::<Vec<_>>(), [JobState::Scheduled]);
        // It is not the newest that is known of its entity.
        let older = db.store.record(db.delivery(3, 3).about(&index, "77").0).await.unwrap();
        assert_eq!(older.status, Status::Accepted);
    }
}
