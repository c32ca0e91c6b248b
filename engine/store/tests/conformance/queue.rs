//! Claiming, leases, and giving back.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::json;
use zelo_core::JobState;
use zelo_core::concurrency::unlimited;
use zelo_core::job::Reason;
use zelo_core::retry::RetryPolicy;
use zelo_core::settle::{AttemptEnd, Checkpoint, Purpose, Settled};
use zelo_core::timing::Due;

use crate::build::{DAY, Db, Kind, LEASE, done, minute, settlement};

conforming! {
    async fn jobs_are_claimed_when_due_in_order_of_time(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for (number, day) in [(1, 12), (2, 10), (3, 11)] {
            db.record(db.delivery(number, 0).fires_for(&index, &number.to_string(), day * DAY, None)).await;
        }
        assert_eq!(db.store.next_run().await.unwrap(), Some(minute(9 * DAY)));
        assert!(db.claim(9 * DAY - 1).await.is_empty());
        let first = db.store.claim(minute(10 * DAY), 1, LEASE, unlimited()).await.unwrap();
        assert_eq!(first[0].job.anchor, Some(minute(10 * DAY)));
        assert_eq!((first[0].job.state, first[0].job.attempt, first[0].job.lease), (JobState::Running, 1, 1));
        db.record(db.delivery(4, 9 * DAY).fires("thank")).await;
        let rest = db.store.claim(minute(10 * DAY), 10, LEASE, unlimited()).await.unwrap();
        assert_eq!(rest.iter().map(|work| work.job.run_at).collect::<Vec<_>>(), [minute(10 * DAY), minute(9 * DAY)], "as they became ready");
        assert!(db.claim(10 * DAY).await.is_empty(), "what is running is not claimed again");
        assert_eq!(db.store.next_run().await.unwrap(), Some(minute(11 * DAY)));
    }

    async fn nobody_gets_a_job_that_another_has(kind) {
        let db = Db::open(kind).await;
        for number in 0..60 {
            db.record(db.delivery(number, 0).fires("thank")).await;
        }
        let claims = futures::future::join_all((0..10).map(|_| db.store.claim(minute(1), 9, LEASE, unlimited()))).await;
        let jobs: Vec<_> = claims.into_iter().flat_map(Result::unwrap).map(|work| work.job.id).collect();
        assert_eq!((jobs.len(), jobs.iter().collect::<HashSet<_>>().len()), (60, 60));
    }

    async fn a_claim_brings_all_that_the_attempt_reads(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        db.record(db.delivery(1, 0).remembers(&index, "k1", json!({ "hours": 2 }))).await;
        db.record(db.delivery(2, 1).subject(&index, "p1").body(&json!({ "name": "Ana" })).fires_for(&index, "77", 2 * DAY, Some("k1"))).await;
        let work = db.claim(9 * DAY).await.remove(0);
        assert_eq!(*work.event.data, json!({ "name": "Ana" }));
        assert_eq!(work.event.subjects, ["p1"]);
        assert_eq!(work.records.0[&work.job.lookups[0].record.hash], json!({ "hours": 2 }));
        assert!(work.journal.is_empty());
        assert_eq!(db.job(work.job.id).await, work.job, "as stored");
    }

    async fn who_renews_a_lease_keeps_the_job_and_nobody_else_does(kind) {
        let db = Db::open(kind).await;
        for number in 1..=3 {
            db.record(db.delivery(number, 0).fires("thank")).await;
        }
        let works = db.claim(1).await;
        let leases: Vec<_> = works.iter().map(|work| (work.job.id, work.job.lease)).collect();
        assert_eq!(db.store.renew(&[], minute(20)).await.unwrap(), []);
        assert_eq!(db.store.renew(&leases[..2], minute(20)).await.unwrap(), []);
        let back = db.store.reclaim(minute(19), RetryPolicy::default(), &[]).await.unwrap();
        assert_eq!(back.iter().map(|job| job.id).collect::<Vec<_>>(), [leases[2].0], "the other two were renewed");
        assert_eq!(db.store.renew(&leases, minute(30)).await.unwrap(), [leases[2]], "nobody holds it");
        let again = db.claim(19).await.remove(0);
        assert_eq!(db.store.renew(&leases, minute(40)).await.unwrap(), [leases[2]], "another holds it");
        let back = db.store.reclaim(minute(39), RetryPolicy::default(), &[]).await.unwrap();
        assert_eq!(back.iter().map(|job| job.id).collect::<Vec<_>>(), [again.job.id], "a stale number has renewed nothing");
        db.store.settle(settlement(&works[0], done()), minute(39)).await.unwrap();
        let ahead = (leases[1].0, leases[1].1 + 1);
        assert_eq!(db.store.renew(&[leases[0], ahead, leases[1]], minute(50)).await.unwrap(), [leases[0], ahead], "one has ended");
        assert_eq!(db.store.reclaim(minute(49), RetryPolicy::default(), &[]).await.unwrap().len(), 0);
        assert_eq!(db.store.reclaim(minute(50), RetryPolicy::default(), &[]).await.unwrap().len(), 1);
    }

    async fn a_job_keeps_the_plugin_that_it_began_with(kind) {
        let db = Db::open(kind).await;
        let id = db.record(db.delivery(1, 0).fires("thank")).await[0].id;
        let work = db.claim(1).await.remove(0);
        assert_eq!(db.job(id).await.plugin, None);
        let journal = crate::build::sending(&work, zelo_core::KeyHash([1; 16]), "55", "x").journal[..1].to_vec();
        let (job, lease) = (id, work.job.lease);
        let begins = Checkpoint { job, lease, journal, local: vec![], emitted: vec![], purpose: Purpose::Begin };
        db.store.checkpoint(begins, minute(1)).await.unwrap();
        assert_eq!(db.job(id).await.plugin.as_deref(), Some("messenger"));
        let live = db.store.figures().await.unwrap().live;
        let told: Vec<_> = live.iter().map(|live| (live.plugin.as_deref(), live.state, live.jobs)).collect();
        assert_eq!(told, [(Some("messenger"), JobState::Running, 1)]);
        db.store.settle(settlement(&work, AttemptEnd::Dead(Reason::new("x", "x"))), minute(2)).await.unwrap();
        assert_eq!(db.job(id).await.plugin.as_deref(), Some("messenger"), "for when it is revived");
        assert_eq!(db.store.figures().await.unwrap().live, []);
    }

    async fn who_lost_the_lease_changes_nothing(kind) {
        let db = Db::open(kind).await;
        let id = db.record(db.delivery(1, 0).fires("thank")).await[0].id;
        let slow = db.claim(1).await.remove(0);
        assert_eq!(db.store.reclaim(minute(5), RetryPolicy::default(), &[]).await.unwrap().len(), 0, "the lease holds still");
        for late in [minute(6), Timestamp::MAX] {
            let held = db.store.reclaim(late, RetryPolicy::default(), &[id]).await.unwrap();
            assert_eq!(held.len(), 0, "somebody has it in hand, whatever the clock says");
        }
        let back = db.store.reclaim(minute(6), RetryPolicy::default(), &[]).await.unwrap();
        assert_eq!((back[0].id, back[0].state), (id, JobState::Ready));
        let fast = db.claim(7).await.remove(0);
        assert_eq!((fast.job.attempt, fast.job.lease), (2, 2));

        let slot = db.store.indexer().state("centro", "7", "reminder", "thank", "last");
        let stale = crate::build::sending(&slow, slot, "55", "late");
        assert_eq!(db.store.settle(stale, minute(8)).await.unwrap().settled, Settled::Stale);
        assert_eq!(db.message_count().await, 0);
        assert_eq!(db.store.state(slot).await.unwrap(), None);
        assert!(db.store.journal(id).await.unwrap().is_empty());
        assert_eq!(db.job(id).await, fast.job);

        assert!(matches!(db.settle(&fast, done(), 9).await, Settled::Applied { .. }));
        assert_eq!(db.settle(&fast, done(), 9).await, Settled::Stale, "a job ends once");
        assert_eq!(db.job(id).await.state, JobState::Done);
    }

    async fn of_two_who_settle_at_once_one_is_heard(kind) {
        let db = Db::open(kind).await;
        db.record(db.delivery(1, 0).fires("thank")).await;
        let work = db.claim(1).await.remove(0);
        let ends = [done(), AttemptEnd::Dead(Reason::new("x", "x")), AttemptEnd::Skipped(Reason::new("x", "x"))];
        let settled = futures::future::join_all(ends.map(|end| db.store.settle(settlement(&work, end), minute(2)))).await;
        let applied = settled.into_iter().filter(|one| one.as_ref().is_ok_and(|outcome| matches!(outcome.settled, Settled::Applied { .. }))).count();
        assert_eq!(applied, 1);
        assert_eq!(db.job(work.job.id).await.state, JobState::Done, "the first one");
    }

    async fn a_failed_attempt_is_tried_again_until_it_is_given_up(kind) {
        let db = Db::open(kind).await;
        let id = db.record(db.delivery(1, 0).fires("thank")).await[0].id;
        let mut now = 1;
        for attempt in 1..=RetryPolicy::default().attempts {
            let work = db.claim(now).await.remove(0);
            assert_eq!(work.job.attempt, attempt);
            db.settle(&work, AttemptEnd::Retry { reason: Reason::new("http_503", "the provider is down"), after: None }, now).await;
            assert!(db.claim(now).await.is_empty(), "not at once");
            now += 60;
        }
        let job = db.job(id).await;
        assert_eq!((job.state, job.reason.unwrap().code.as_str()), (JobState::Dead, "http_503"));
        assert!(db.claim(9 * DAY).await.is_empty());
    }

    async fn a_wait_costs_no_attempt_and_ends_when_told(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let id = db.record(db.delivery(1, 0).fires_for(&index, "77", DAY, Some("k1"))).await[0].id;
        let work = db.claim(1).await.remove(0);
        db.settle(&work, AttemptEnd::Wait { reason: Reason::new("no_contact", "no phone is known"), until: minute(60) }, 1).await;
        let waiting = db.job(id).await;
        assert_eq!((waiting.state, waiting.attempt, waiting.attention.unwrap().code.as_str()), (JobState::Scheduled, 0, "no_contact"));
        assert_eq!(db.store.next_run().await.unwrap(), Some(minute(60)));
        // The record comes: the job is looked at again at its due time, not at the end of the wait.
        let woken = db.record(db.delivery(2, 2).remembers(&index, "k1", json!({ "phone": "55" }))).await;
        assert_eq!((woken[0].id, woken[0].run_at, woken[0].attention.clone()), (id, minute(0), None));
        assert_eq!(db.claim(3).await.len(), 1);
    }

    async fn a_job_may_be_moved(kind) {
        let db = Db::open(kind).await;
        let id = db.record(db.delivery(1, 0).fires("thank")).await[0].id;
        let work = db.claim(1).await.remove(0);
        db.settle(&work, AttemptEnd::Moved(Due { at: minute(30), expires: Some(minute(90)) }), 1).await;
        let moved = db.job(id).await;
        assert_eq!((moved.due, moved.expires, moved.attempt), (minute(30), Some(minute(90)), 0));
        let work = db.claim(30).await.remove(0);
        assert_eq!(work.job.lease, 2, "the lease rises all the same");
    }

    async fn at_start_every_lease_is_given_back(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for (number, key) in [(1, "a"), (2, "b")] {
            db.record(db.delivery(number, 0).fires_for(&index, key, DAY, None)).await;
        }
        assert_eq!(db.claim(1).await.len(), 2);
        db.record(db.delivery(3, 1).cancels(&index, "b")).await;
        let db = db.reopen().await;
        let back = db.store.reclaim(Timestamp::MAX, RetryPolicy { attempts: 2, ..RetryPolicy::default() }, &[]).await.unwrap();
        let states: HashSet<_> = back.iter().map(|job| job.state).collect();
        assert_eq!(states, HashSet::from([JobState::Ready, JobState::Cancelled]));
        let work = db.claim(10).await.remove(0);
        let dead = db.store.reclaim(Timestamp::MAX, RetryPolicy { attempts: 2, ..RetryPolicy::default() }, &[]).await.unwrap();
        assert_eq!((dead[0].id, dead[0].state), (work.job.id, JobState::Dead));
        assert_eq!(db.store.job(work.job.id).await.unwrap().unwrap().ended, Some(minute(15)), "when its lease ran out");
        assert_eq!(db.record(db.delivery(4, 20).fires_for(&index, "a", 2 * DAY, None)).await.len(), 1, "the key is free");
    }
}

/// What one damaged row does: it is left out and given up in the end; the others run.
#[tokio::test]
async fn a_damaged_payload_stops_no_other_job() {
    let db = Db::open(Kind::SqliteFile).await;
    let bad = db.record(db.delivery(1, 0).fires("thank")).await[0].id;
    let good = db.record(db.delivery(2, 0).fires("thank")).await[0].id;
    let touched = db.sql("UPDATE event_parts SET sealed = zeroblob(length(sealed)) WHERE part_id = 256").await;
    assert_eq!(touched, 1);
    let policy = RetryPolicy { attempts: 2, ..RetryPolicy::default() };
    for round in 0..2 {
        let work = db.claim(1 + round * 60).await;
        assert!(work.iter().all(|work| work.job.id == good));
        db.store.reclaim(minute(round * 60 + 30), policy, &[]).await.unwrap();
    }
    let job = db.job(bad).await;
    assert_eq!((job.state, job.reason.unwrap().code.as_str()), (JobState::Dead, "crashed"));
    assert!(db.store.events(&zelo_store::Page::default()).await.unwrap_err().to_string().contains("event_parts.sealed"));
}
