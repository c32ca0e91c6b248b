//! What a store says of itself.

use zelo_core::job::Reason;
use zelo_core::settle::AttemptEnd;
use zelo_core::{Actor, AuditEntry, AuditKind};

use crate::build::{DAY, Db, Kind, done, minute, settlement};

conforming! {
    async fn figures_are_what_is_there(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let nothing = db.store.figures().await.unwrap();
        assert_eq!((nothing.scheduled, nothing.ready, nothing.running, nothing.attention), (0, 0, 0, 0));
        assert_eq!((nothing.next_run, nothing.signed, nothing.unsigned), (None, None, None));
        assert_eq!(nothing.disk.is_some(), matches!(kind, Kind::SqliteFile));

        for number in 0..3 {
            db.record(db.delivery(number, 0).fires_for(&index, &number.to_string(), 10 * DAY, None)).await;
        }
        for number in 3..8 {
            db.record(db.delivery(number, 0).fires("thank")).await;
        }
        let work = db.claim(1).await;
        let mut ends = work.iter().take(3);
        for end in [done(), AttemptEnd::Dead(Reason::new("x", "x")), AttemptEnd::Unknown(Reason::new("x", "x"))] {
            db.store.settle(settlement(ends.next().unwrap(), end), minute(2)).await.unwrap();
        }

        let figures = db.store.figures().await.unwrap();
        assert_eq!((figures.scheduled, figures.ready, figures.running), (3, 0, 2));
        assert_eq!((figures.dead, figures.unknown), (1, 1));
        assert_eq!(figures.next_run, db.store.next_run().await.unwrap());
        assert_eq!((figures.writes_waiting, figures.failed), (0, 0));
        // Eight arrivals, one claim, three settlements, one at a time; and what making the store took.
        assert!(figures.commits.count() >= nothing.commits.count() + 12, "{figures:?}");
        assert_eq!(figures.commits.count(), figures.batches.count());
        assert!(figures.batches.sum >= nothing.batches.sum + 12.0, "{figures:?}");
        if let Some(disk) = figures.disk {
            assert!(disk.file + disk.log > 0 && disk.free > 0, "{disk:?}");
        }
    }

    async fn a_store_is_ready_until_it_is_closed(kind) {
        let db = Db::open(kind).await;
        db.store.ready().await.unwrap();
        db.store.close().await.unwrap();
        assert!(db.store.ready().await.is_err());
    }

    async fn what_is_not_signed_has_an_age(kind) {
        let db = Db::open(kind).await;
        let noted = async |at: i64| db.store.answer_for(vec![AuditEntry::new(minute(at), AuditKind::Viewed, Actor::command(), &())]).await;
        noted(1).await.unwrap();
        noted(2).await.unwrap();
        let figures = db.store.figures().await.unwrap();
        assert_eq!((figures.signed, figures.unsigned), (None, Some(minute(1))));
        db.store.sign_audit(minute(3)).await.unwrap();
        let figures = db.store.figures().await.unwrap();
        assert_eq!((figures.signed, figures.unsigned), (Some(minute(3)), None));
        noted(4).await.unwrap();
        let figures = db.store.figures().await.unwrap();
        assert_eq!((figures.signed, figures.unsigned), (Some(minute(3)), Some(minute(4))));
    }
}
