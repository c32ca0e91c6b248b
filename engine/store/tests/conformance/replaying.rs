//! Stored events, once more for a rule: what is made is made once, all of it or nothing, and nothing else changes.

use std::num::NonZeroU32;

use zelo_core::settle::AttemptEnd;
use zelo_core::{Actor, Arrival, AuditKind, JobState};
use zelo_store::{Aged, AuditPage, Decided, Error, Fate, Page, Replay, Replayable, Replayed, Retention, Store};

use crate::build::{DAY, Db, Delivery, Kind, done, minute};

fn ask(events: &[Delivery], within: usize, dry_run: bool) -> Replay {
    let ids = events[..within].iter().map(|delivery| delivery.0.event.id).collect();
    let events: Vec<Arrival> = events.iter().map(|delivery| delivery.0.clone()).collect();
    let range = Replayable { from: minute(0), to: minute(60), connection: Some("centro".into()), clinic: None };
    let (per_minute, actor) = (NonZeroU32::new(60).unwrap(), Actor::command());
    Replay { rule: "reminder".into(), range, events, within: ids, per_minute, dry_run, actor }
}

async fn replay(store: &dyn Store, events: &[Delivery], now: i64) -> Vec<Replayed> {
    store.replay(ask(events, events.len(), false), minute(now)).await.unwrap()
}

fn fates(found: &[Replayed]) -> Vec<Fate> {
    found.iter().map(|one| one.fate).collect()
}

/// Stores the events as they come while no rule is on.
async fn came(db: &Db, events: &[Delivery]) {
    for event in events {
        let mut bare = event.clone();
        bare.0.candidates.clear();
        assert!(db.record(bare).await.is_empty());
    }
}

async fn job_count(db: &Db) -> usize {
    db.store.jobs(&Page::default(), None).await.unwrap().len()
}

conforming! {
    async fn a_replay_makes_what_is_missing_once(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let events = [
            db.delivery(1, 0).subject(&index, "p1").fires("welcome"),
            db.delivery(2, 1).fires_for(&index, "77", 9 * DAY, None),
            db.delivery(3, 2).fires_for(&index, "77", 9 * DAY + 60, None),
            db.delivery(4, 3).fires_for(&index, "78", 9 * DAY, None),
            db.delivery(5, 4).cancels(&index, "78"),
        ];
        came(&db, &events).await;
        let entries = db.store.audit(&AuditPage::default()).await.unwrap().len();
        let wanted = [Fate::Made, Fate::Cancelled, Fate::Made, Fate::Cancelled];
        let dry = db.store.replay(ask(&events, 5, true), minute(9)).await.unwrap();
        assert_eq!(fates(&dry), wanted);
        assert_eq!((job_count(&db).await, db.claim(99).await.len()), (0, 0), "a dry run");
        assert_eq!(db.store.audit(&AuditPage::default()).await.unwrap().len(), entries);

        let db = db.reopen().await;
        let made = replay(db.store.as_ref(), &events, 9).await;
        assert_eq!(made, dry, "what the dry run said");
        assert_eq!(job_count(&db).await, 4);
        let id = made[0].job.unwrap();
        let decisions = db.store.decisions(id).await.unwrap();
        let decisions: Vec<_> = decisions.iter().map(|one| (one.decision, one.actor.as_str(), one.at, one.was)).collect();
        assert_eq!(decisions, [(Decided::Replayed, "command", minute(9), JobState::Ready)]);
        let last = db.store.audit(&AuditPage::default()).await.unwrap().remove(0).entry;
        assert_eq!((last.kind, last.connection.as_deref(), last.detail()["came_to"]["made"].as_u64()), (AuditKind::Decided, Some("centro"), Some(2)));

        // It runs on its event as it is stored, and is not made again when it is done.
        let work = db.claim(9).await;
        assert_eq!(work.iter().map(|work| (work.job.id, work.event.subjects.len())).collect::<Vec<_>>(), [(id, 1)]);
        assert_eq!(db.store.job(id).await.unwrap().unwrap().about.len(), 1, "it is about its person");
        db.settle(&work[0], done(), 9).await;
        let again = replay(db.store.as_ref(), &events, 10).await;
        assert_eq!(fates(&again), [Fate::Known; 4]);
        assert_eq!(again[0].state, Some(JobState::Done));
        assert_eq!((job_count(&db).await, db.claim(99).await.len()), (4, 0));
        // A newer event still has the last word.
        let moved = db.record(db.delivery(6, 11).fires_for(&index, "77", 10 * DAY, None)).await;
        assert_eq!(moved.iter().map(|job| job.state).collect::<Vec<_>>(), [JobState::Cancelled, JobState::Scheduled]);
    }

    async fn what_was_late_when_it_came_stays_late(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let fire = |number, time| db.delivery(number, time).about(&index, "a").fires_for(&index, "77", 9 * DAY, None);
        let events = [fire(2, 5), fire(1, 3).received(6).fires("note")];
        came(&db, &events).await;
        let found = replay(db.store.as_ref(), &events, 9).await;
        assert_eq!(fates(&found), [Fate::Made, Fate::Outdated, Fate::Made], "what has no key fires as it would have");
        assert_eq!(found[1].reason.as_ref().unwrap().code, "stale");
        let alone = replay(db.store.as_ref(), &events[1..], 9).await;
        assert_eq!(fates(&alone), [Fate::Outdated, Fate::Known]);
    }

    async fn what_came_while_it_was_on_has_its_job(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let old = db.delivery(1, 0).fires_for(&index, "77", 9 * DAY, None);
        came(&db, std::slice::from_ref(&old)).await;
        let on = db.delivery(2, 1).fires_for(&index, "77", 8 * DAY, None);
        let live = db.record(on.clone()).await.remove(0);
        assert_eq!(fates(&replay(db.store.as_ref(), &[old, on], 9).await), [Fate::Outdated, Fate::Known]);
        assert_eq!((job_count(&db).await, db.job(live.id).await), (1, live));
    }

    async fn what_was_collected_is_not_collected_again(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let events = [1, 2, 3].map(|number| db.delivery(number, number as i64).collected(&index, "p1", None));
        came(&db, &events).await;
        let found = replay(db.store.as_ref(), &events, 200).await;
        assert_eq!(fates(&found), [Fate::Made, Fate::Collected, Fate::Collected]);
        let db = db.reopen().await;
        let work = db.claim(200).await.remove(0);
        assert_eq!(work.collected.len(), 3);
        assert_eq!(fates(&replay(db.store.as_ref(), &events, 200).await), [Fate::Known; 3], "while it runs");
        db.settle(&work, done(), 200).await;
        let again = replay(db.store.as_ref(), &events, 201).await;
        assert_eq!((fates(&again), again[2].job), (vec![Fate::Known; 3], Some(work.job.id)));
        assert_eq!(job_count(&db).await, 1);
    }

    async fn a_step_that_is_done_lets_what_comes_after_it_go(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let first = db.delivery(1, 0).fires("receipt");
        db.record(first.clone()).await;
        let work = db.claim(0).await.remove(0);
        db.settle(&work, done(), 0).await;
        // An action more, after the one that was there.
        let both = first.fires_after(&index, "send", None, &["receipt"], None);
        let lost = db.delivery(2, 1).fires("receipt");
        db.record(lost.clone()).await;
        let work = db.claim(1).await.remove(0);
        db.settle(&work, AttemptEnd::Dead(zelo_core::job::Reason::new("plugin", "no")), 1).await;
        let lost = lost.fires_after(&index, "send", None, &["receipt"], None);
        let fresh = db.delivery(3, 2).fires_after(&index, "receipt", Some("r"), &[], None).fires_after(&index, "send", None, &["receipt"], None);
        came(&db, std::slice::from_ref(&fresh)).await;
        let found = replay(db.store.as_ref(), &[both, lost, fresh], 9).await;
        let wanted = [Fate::Known, Fate::Made, Fate::Known, Fate::Skipped, Fate::Made, Fate::Made];
        assert_eq!(fates(&found), wanted);
        let ready: Vec<_> = db.claim(10).await.into_iter().map(|work| work.job.action).collect();
        assert_eq!(ready, ["send", "receipt"], "the last one waits for its step");
    }

    async fn who_was_erased_is_gone(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        let events = [db.delivery(1, 0).subject(&index, "p1").fires("welcome"), db.delivery(2, 1).subject(&index, "p2").fires("welcome")];
        came(&db, &events).await;
        let person = db.person("p1").await;
        db.store.erase(person, Actor::command(), minute(2)).await.unwrap().unwrap();
        assert_eq!(fates(&replay(db.store.as_ref(), &events, 9).await), [Fate::Gone, Fate::Made]);
        assert_eq!(job_count(&db).await, 1);
    }

    async fn whose_job_went_with_another_person_gets_no_other(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        // Both are collected in one job, which is about both.
        let events = [1, 2].map(|number| db.delivery(number, number as i64).subject(&index, &format!("p{number}")).collected(&index, "x", None));
        for event in &events {
            db.record(event.clone()).await;
        }
        let work = db.claim(200).await.remove(0);
        db.settle(&work, done(), 200).await;
        assert_eq!(fates(&replay(db.store.as_ref(), &events, 201).await), [Fate::Known; 2]);
        db.store.erase(db.person("p1").await, Actor::command(), minute(202)).await.unwrap().unwrap();
        let db = db.reopen().await;
        let after = fates(&replay(db.store.as_ref(), &events, 203).await);
        assert_eq!(after[0], Fate::Gone);
        assert!(matches!(after[1], Fate::Known | Fate::Forgotten), "{after:?}");
        assert!(db.claim(300).await.is_empty());
    }

    async fn a_second_replay_begins_behind_the_first(kind) {
        let db = Db::open(kind).await;
        let events: Vec<Delivery> = (1..=6).map(|number| db.delivery(number, number as i64).fires("welcome")).collect();
        came(&db, &events).await;
        let first = replay(db.store.as_ref(), &events[..3], 40).await;
        let second = db.store.replay(ask(&events[3..], 3, true), minute(40)).await.unwrap();
        let at = |found: &[Replayed]| found.iter().map(|one| one.run_at.unwrap().as_second() - minute(40).as_second()).collect::<Vec<_>>();
        assert_eq!((at(&first), at(&second)), (vec![0, 1, 2], vec![3, 4, 5]));
    }

    async fn one_replays_at_a_time(kind) {
        let db = Db::open(kind).await;
        let turn = db.store.replaying();
        assert!(turn.is_some() && db.store.replaying().is_none());
        drop(turn);
        assert!(db.store.replaying().is_some());
    }

    async fn where_jobs_were_deleted_nobody_can_tell(kind) {
        let db = Db::open(kind).await;
        let events = [db.delivery(1, 0).fires("welcome"), db.delivery(2, 30).fires("welcome")];
        db.record(events[0].clone()).await;
        let work = db.claim(0).await.remove(0);
        db.settle(&work, done(), 1).await;
        came(&db, &events[1..]).await;
        let jobs = Aged::all("jobs", minute(10));
        let keep = Retention { jobs: vec![jobs], ..Retention::default() };
        db.store.retain(keep, Actor::engine(), minute(20)).await.unwrap();
        assert_eq!(job_count(&db).await, 0);
        let db = db.reopen().await;
        assert_eq!(fates(&replay(db.store.as_ref(), &events, 40).await), [Fate::Forgotten, Fate::Made]);
        assert_eq!(job_count(&db).await, 1);
    }
}

#[tokio::test]
async fn what_nobody_can_open_is_gone() {
    let db = Db::open(Kind::SqliteFile).await;
    let index = db.store.indexer().clone();
    let events = [db.delivery(1, 0).subject(&index, "p1").fires("welcome")];
    came(&db, &events).await;
    db.sql("UPDATE seal_keys SET wrapped = NULL, destroyed_at = 1 WHERE owner_kind = 'subject'").await;
    assert_eq!(fates(&replay(db.store.as_ref(), &events, 9).await), [Fate::Gone]);
    assert_eq!(job_count(&db).await, 0);
}

#[tokio::test]
async fn a_person_of_a_job_who_goes_leaves_word_of_it() {
    let db = Db::open(Kind::SqliteFile).await;
    let index = db.store.indexer().clone();
    let events = [db.delivery(1, 0).subject(&index, "ana").fires("welcome"), db.delivery(2, 1).subject(&index, "bea").fires("welcome")];
    db.record(events[0].clone()).await;
    let work = db.claim(0).await.remove(0);
    db.settle(&work, done(), 1).await;
    db.record(events[1].clone()).await;
    // The job about Ana's event stands under Bea's key.
    db.sql("UPDATE job_history SET key_id = (SELECT key_id FROM jobs)").await;
    db.store.erase(db.person("bea").await, Actor::command(), minute(2)).await.unwrap().unwrap();
    assert_eq!(fates(&replay(db.store.as_ref(), &events, 9).await), [Fate::Forgotten, Fate::Gone]);
    assert_eq!(db.claim(99).await.len(), 0);
    db.store.erase(db.person("ana").await, Actor::command(), minute(10)).await.unwrap().unwrap();
    assert!(db.blobs("SELECT event_id FROM jobs_erased").await.is_empty(), "nothing is left of her either");
}

#[tokio::test]
async fn what_came_before_anybody_took_note_of_deleted_jobs_is_forgotten() {
    use sqlx::Connection;
    let db = Db::open(Kind::SqliteFile).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zelo.db");
    let mut conn = sqlx::SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
    let events = [db.delivery(1, 5).fires("welcome"), db.delivery(2, 6).fires("welcome")];
    let event = format!(
        "INSERT INTO events (seq, event_id, delivery, connection, source, type, time, received, status) \
         VALUES (1, randomblob(16), randomblob(16), 'c', 's', 't', 1, {}, 'accepted')",
        minute(5).as_millisecond()
    );
    for sql in [
        include_str!("../../src/sqlite/migrations/0001_first.sql"),
        include_str!("../../src/sqlite/migrations/0002_chains.sql"),
        include_str!("../../src/sqlite/migrations/0003_over_time.sql"),
        include_str!("../../src/sqlite/migrations/0004_budgets.sql"),
        include_str!("../../src/sqlite/migrations/0005_audit.sql"),
        include_str!("../../src/sqlite/migrations/0006_in_flight.sql"),
        include_str!("../../src/sqlite/migrations/0007_privacy.sql"),
        include_str!("../../src/sqlite/migrations/0008_revive.sql"),
        include_str!("../../src/sqlite/migrations/0009_queue.sql"),
        &event,
        "PRAGMA user_version = 9",
        "PRAGMA application_id = 2053467247",
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
    }
    conn.close().await.unwrap();
    let config = zelo_store::sqlite::SqliteConfig { path: Some(path), ..Default::default() };
    let store = crate::build::sqlite(config, 1).await.unwrap();
    for event in &events {
        let mut bare = event.clone();
        bare.0.candidates.clear();
        store.record(bare.0).await.unwrap();
    }
    assert_eq!(fates(&replay(store.as_ref(), &events, 9).await), [Fate::Forgotten, Fate::Made]);
}

#[tokio::test]
async fn what_breaks_off_between_portions_is_completed_by_the_same_again() {
    let db = Db::open(Kind::SqliteFile).await;
    let events: Vec<Delivery> = (1..=1200).map(|number| db.delivery(number, number as i64).fires("welcome")).collect();
    let bare = events.iter().cloned().map(|mut bare| {
        bare.0.candidates.clear();
        db.store.record(bare.0)
    });
    futures::future::join_all(bare).await.into_iter().for_each(|one| drop(one.unwrap()));
    db.sql(
        "CREATE TRIGGER broken BEFORE INSERT ON audit_log WHEN (SELECT count(*) FROM job_decisions) > 500 \
         BEGIN SELECT RAISE(ABORT, 'broken'); END",
    )
    .await;
    let dry = db.store.replay(ask(&events, events.len(), true), minute(2000)).await.unwrap();
    let broken = db.store.replay(ask(&events, events.len(), false), minute(2000)).await;
    assert!(matches!(broken, Err(Error::Database { .. })), "{broken:?}");
    let db = db.crash().await;
    db.sql("DROP TRIGGER broken").await;
    let begun = std::time::Instant::now();
    let whole = replay(db.store.as_ref(), &events, 2000).await;
    println!("700 matches in two portions took {:?}", begun.elapsed());
    let made = |found: &[Replayed], fate| found.iter().filter(|one| one.fate == fate).count();
    assert_eq!((made(&whole, Fate::Known), made(&whole, Fate::Made)), (500, 700));
    assert_eq!(made(&dry, Fate::Made), 1200);
    let at = |found: &[Replayed]| found[500..].iter().map(|one| one.run_at).collect::<Vec<_>>();
    assert_eq!(at(&whole), at(&dry), "in the same slots as if it had not broken off");
    assert!(whole.iter().zip(&events).all(|(one, event)| one.event == event.0.event.id), "in order of arrival");
    assert!(replay(db.store.as_ref(), &events, 2000).await.iter().all(|one| one.fate == Fate::Known));
    assert_eq!(db.blobs("SELECT job_id FROM jobs").await.len(), 1200);
}

#[tokio::test]
async fn what_breaks_off_is_as_if_it_had_not_begun() {
    let db = Db::open(Kind::SqliteFile).await;
    let events: Vec<Delivery> = (1..300).map(|number| db.delivery(number, number as i64).fires("welcome")).collect();
    came(&db, &events).await;
    db.sql("CREATE TRIGGER broken BEFORE INSERT ON audit_log BEGIN SELECT RAISE(ABORT, 'broken'); END").await;
    let broken = db.store.replay(ask(&events, events.len(), false), minute(400)).await;
    assert!(matches!(broken, Err(Error::Database { .. })), "{broken:?}");
    assert_eq!(job_count(&db).await, 0);
    db.sql("DROP TRIGGER broken").await;
    let db = db.reopen().await;
    let made = replay(db.store.as_ref(), &events, 400).await;
    assert!(made.iter().all(|one| one.fate == Fate::Made) && made.len() == 299);
    assert!(replay(db.store.as_ref(), &events, 400).await.iter().all(|one| one.fate == Fate::Known));
    assert_eq!(db.claim(400).await.len(), 1, "one a second");
    assert_eq!(db.store.claim(minute(500), 1000, crate::build::LEASE, zelo_core::concurrency::unlimited()).await.unwrap().len(), 298);
}
