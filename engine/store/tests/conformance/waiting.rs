//! Those that are parked: who comes back, when, and beside whom.

use std::collections::BTreeMap;
use std::sync::Arc;

use zelo_core::concurrency::{Wait, unlimited};
use zelo_core::{Concurrency, HaltScope, JobId, JobState};
use zelo_store::{Page, Work};

use crate::build::{DAY, Db, Kind, LEASE, minute};
use crate::line::{Rooms, in_order};

impl Db {
    async fn looked_at(&self) -> u64 {
        self.store.figures().await.unwrap().looked_at
    }

    /// Claims, and says how many jobs were looked at for it.
    async fn counted(&self, now: i64, limit: u32, rooms: &Arc<dyn Concurrency>) -> (Vec<Work>, u64) {
        let before = self.looked_at().await;
        let work = self.admit(now, limit, rooms).await;
        (work, self.looked_at().await - before)
    }
}

/// How many of each clinic.
fn clinics(work: &[Work]) -> BTreeMap<String, usize> {
    let mut clinics = BTreeMap::new();
    work.iter().for_each(|work| *clinics.entry(work.job.clinic.clone().unwrap_or_default()).or_default() += 1);
    clinics
}

conforming! {
    async fn who_was_halted_for_long_takes_turns_with_those_who_come(kind) {
        let db = Db::open(kind).await;
        let mut of_flood = Vec::new();
        for number in 0..200 {
            of_flood.push(db.record(db.delivery(number, 0).of_clinic("flood").fires("a")).await[0].id);
        }
        let halted = Rooms::of([("a", &[("halt:a", 0)])]);
        assert!(db.admit(1, 9, &halted).await.is_empty());
        // Long after, when many others have had their turns.
        for number in 1000..1400 {
            db.record(db.delivery(number, 1).of_clinic("other").fires("b")).await;
        }
        for work in db.admit(2, 400, &halted).await {
            db.finish(&work, 2).await;
        }
        for number in 2000..2100 {
            db.record(db.delivery(number, 3).of_clinic("eight").fires("b")).await;
        }
        let mut ran: Vec<JobId> = Vec::new();
        for round in 0..10 {
            let work = db.admit(4, 10, unlimited()).await;
            let shares = clinics(&work);
            assert!(shares["eight"] >= 4 && shares["flood"] >= 4, "round {round}: {shares:?}");
            ran.extend(work.iter().filter(|work| work.job.action == "a").map(|work| work.job.id));
            // One that comes now is not behind those that were halted either.
            let late = db.record(db.delivery(3000 + round, 4).of_clinic(&round.to_string()).fires("b")).await[0].id;
            assert!(db.admit(4, 4, unlimited()).await.iter().any(|work| work.job.id == late), "round {round}");
        }
        ran.extend(db.admit(5, 500, unlimited()).await.iter().filter(|work| work.job.action == "a").map(|work| work.job.id));
        ran.dedup();
        let mut in_turn = of_flood.iter().filter(|id| ran.contains(id));
        assert!(ran.iter().all(|id| in_turn.next() == Some(id)), "in the order in which they came");
    }

    async fn who_was_parked_for_long_takes_turns_too(kind) {
        let db = Db::open(kind).await;
        let rooms = Rooms::of([("a", &[("plugin:p", 1)])]);
        for number in 0..100 {
            db.record(db.delivery(number, 0).of_clinic("flood").fires("a")).await;
        }
        let mut inside = db.admit(1, 200, &rooms).await;
        for number in 1000..1200 {
            db.record(db.delivery(number, 1).of_clinic("other").fires("b")).await;
        }
        assert_eq!(db.admit(2, 200, &rooms).await.len(), 200);
        // As soon as there is room, and not all of them before everybody else.
        for number in 0..20 {
            db.finish(&inside.remove(0), 3).await;
            db.record(db.delivery(2000 + number, 3).of_clinic("eight").fires("b")).await;
            let both = db.admit(3, 2, &rooms).await;
            let shares = clinics(&both);
            assert_eq!((shares.get("flood"), shares.get("eight")), (Some(&1), Some(&1)), "{number}: {shares:?}");
            inside = both.into_iter().filter(|work| work.job.action == "a").collect();
        }
    }

    async fn nobody_wanders_between_two_full_scopes(kind) {
        let db = Db::open(kind).await;
        // Those of `a` are in both; those of `s` and `r` keep one of them full in turn.
        let rooms = Rooms::of([("a", &[("plugin:p", 2), ("rule:r", 1)]), ("s", &[("plugin:p", 2)]), ("r", &[("rule:r", 1)])]);
        for some in 0..20 {
            let many = (0..100).map(|number| db.record(db.delivery(some * 100 + number, 0).fires("a")));
            futures::future::join_all(many).await;
        }
        let mut inside = db.admit(1, 4, &rooms).await;
        assert_eq!(inside.len(), 1);
        let (_, looked_at) = db.counted(1, 4, &rooms).await;
        assert_eq!(looked_at, 0, "all of them are parked");
        let mut worst = 0;
        for number in 0..30 {
            let action = if number % 2 == 0 { "s" } else { "r" };
            for more in 0..2 {
                db.record(db.delivery(5000 + 2 * number + more, 1).fires(action)).await;
            }
            for work in std::mem::take(&mut inside) {
                db.finish(&work, 2).await;
                let (work, looked_at) = db.counted(2, 4, &rooms).await;
                worst = worst.max(looked_at);
                inside.extend(work);
            }
        }
        assert!(worst <= 12, "a claim looked at {worst} jobs");
    }

    async fn a_queue_that_nobody_is_in_keeps_nobody_waiting(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let rooms = Rooms::of([("remind", &[("plugin:p", 1)])]);
        let mut made = Vec::new();
        for number in 0..3 {
            made.push(db.record(db.delivery(number, 0).fires_for(&index, &number.to_string(), DAY, None)).await[0].id);
        }
        let first = db.admit(1, 9, &rooms).await;
        // The next one is called off while it is parked.
        let moved = db.record(db.delivery(9, 1).cancels(&index, "1")).await;
        assert!(moved.iter().any(|job| job.id == made[1] && job.state == JobState::Cancelled));
        db.finish(&first[0], 2).await;
        let next = db.admit(2, 9, &rooms).await;
        assert_eq!(next.iter().map(|work| work.job.id).collect::<Vec<_>>(), [made[2]]);
        db.finish(&next[0], 3).await;
        assert!(db.admit(3, 9, &rooms).await.is_empty());
    }

    async fn who_was_halted_keeps_the_order_of_the_key(kind) {
        let db = Db::open(kind).await;
        let mut made = Vec::new();
        for number in 0..3 {
            // The first is parked by the halt, the others behind it; the last comes after the halt.
            if number == 2 {
                assert!(db.admit(1, 9, &Rooms::of([("a", &[("halt:a", 0)])])).await.is_empty());
                for other in 100..150 {
                    db.record(db.delivery(other, 0).of_clinic("other").fires("thank")).await;
                }
                assert_eq!(db.admit(1, 50, &Rooms::of([("a", &[("halt:a", 0)])])).await.len(), 50);
            }
            made.push(db.record(db.delivery(number, 0).fires("a").beside(in_order(1))).await[0].id);
        }
        for id in made {
            let work = db.admit(2, 9, unlimited()).await;
            assert_eq!(work.iter().map(|work| work.job.id).collect::<Vec<_>>(), [id]);
            db.finish(&work[0], 2).await;
        }
    }

    async fn who_waits_says_for_what(kind) {
        let db = Db::open(kind).await;
        let waits = async |id| db.store.job(id).await.unwrap().unwrap().waits;
        let value = format!("action:r/v:{}", "07".repeat(16));
        let rooms = Rooms::of([
            ("a", &[("rule:r", 2), ("plugin:p", 1)]),
            ("h", &[("halt:plugin:p", 0), ("rule:r", 2)]),
            ("v", &[(value.leak(), 1)]),
        ]);
        let mut made = Vec::new();
        for (number, action) in (0..).zip(["a", "a", "h", "v", "v"]) {
            made.push(db.record(db.delivery(number, 0).fires(action)).await[0].id);
        }
        for number in 10..12 {
            made.push(db.record(db.delivery(number, 0).fires("o").beside(in_order(1))).await[0].id);
        }
        assert_eq!(waits(made[1]).await, None, "nobody has looked");
        let inside = db.admit(1, 9, &rooms).await;
        let room = |scope: &str, limit| Some(Wait::Room { scope: scope.into(), limit });
        assert_eq!(waits(made[0]).await, None);
        assert_eq!(waits(made[1]).await, room("plugin:p", 1), "that one is full");
        assert_eq!(waits(made[2]).await, Some(Wait::Halt(HaltScope::Plugin("p".into()))));
        assert_eq!(waits(made[4]).await, room("action:r/v", 1), "without the value");
        assert_eq!(waits(made[6]).await, Some(Wait::Order));
        let listed = db.store.jobs(&Page::default(), None).await.unwrap();
        assert_eq!(listed.iter().filter(|view| view.waits.is_some()).count(), 4);
        db.finish(&inside[0], 2).await;
        db.admit(2, 9, &rooms).await;
        assert_eq!(waits(made[1]).await, None);
    }

    async fn what_is_due_becomes_ready_without_a_free_slot(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let id = db.record(db.delivery(1, 0).fires_for(&index, "a", 2 * DAY, None)).await[0].id;
        assert!(db.admit(DAY - 1, 0, unlimited()).await.is_empty());
        assert_eq!(db.job(id).await.state, JobState::Scheduled);
        assert!(db.admit(DAY, 0, unlimited()).await.is_empty());
        assert_eq!(db.job(id).await.state, JobState::Ready);
    }
}

#[tokio::test]
async fn a_claim_that_is_taken_back_lets_nobody_go() {
    let db = Db::open(Kind::SqliteFile).await;
    let rooms = Rooms::of([("a", &[("plugin:p", 2)]), ("b", &[("halt:b", 0)])]);
    let mut made = Vec::new();
    for number in 0..200 {
        made.push(db.record(db.delivery(number, 0).fires(if number % 2 == 0 { "a" } else { "b" })).await[0].id);
    }
    let inside = db.admit(1, 9, &rooms).await;
    assert_eq!(inside.len(), 2);
    db.finish(&inside[0], 2).await;
    let refuse = "CREATE TRIGGER refuse BEFORE UPDATE OF state ON jobs WHEN NEW.state = 'running' BEGIN SELECT RAISE(ABORT, 'no'); END";
    db.sql(refuse).await;
    for _ in 0..3 {
        db.store.claim(minute(2), 9, LEASE, &rooms).await.unwrap_err();
    }
    db.sql("DROP TRIGGER refuse").await;
    let (next, looked_at) = db.counted(2, 9, &rooms).await;
    assert_eq!(next.iter().map(|work| work.job.id).collect::<Vec<_>>(), [made[4]], "the next one, and no other");
    assert!(looked_at <= 3, "{looked_at}");
    // What was let go in a claim that was taken back is parked still, and is let go again.
    db.sql(refuse).await;
    db.store.claim(minute(2), 9, LEASE, unlimited()).await.unwrap_err();
    db.sql("DROP TRIGGER refuse").await;
    db.finish(&inside[1], 3).await;
    assert_eq!(db.admit(3, 9, &rooms).await.iter().map(|work| work.job.id).collect::<Vec<_>>(), [made[6]]);
    assert_eq!(db.admit(3, 200, unlimited()).await.len(), 196);
}
