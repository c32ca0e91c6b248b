//! What came to be, counted by the hour, and what stands open.

use jiff::ToSpan;
use serde_json::json;
use zelo_core::job::Reason;
use zelo_core::settle::AttemptEnd;
use zelo_core::{ClinicRef, Clinics, JobState, KeyHash, Status};
use zelo_store::{Counted, OPEN_MAX, Page, Range, Tally};

use crate::build::{DAY, Db, Kind, minute, sending};

const HOUR: i64 = 60;
/// The last minute before an hour begins.
const EVE: i64 = 46;

async fn told(db: &Db, since: i64, until: i64) -> Vec<Tally> {
    db.store.archive().tally(&Range { since: minute(since), until: minute(until), connection: None }).await.unwrap()
}

fn of(clinic: &str, of: Counted, count: u64) -> Tally {
    Tally { connection: "centro".into(), clinic: Some(clinic.into()), of, count }
}

/// A page of this clinic's.
fn page(clinic: &str) -> Page {
    let clinics = Clinics::of([ClinicRef { connection: "centro".into(), clinic: clinic.into() }]);
    Page { clinics, ..Page::default() }
}

/// However many of another clinic come before them.
#[tokio::test]
async fn what_is_scheduled_is_counted_among_the_readers_own() {
    let db = Db::open(Kind::SqliteFile).await;
    let index = db.store.indexer().clone();
    db.record(db.delivery(1, 0).fires_for(&index, "1", 3 * DAY, None).of_clinic("8")).await;
    for sql in [
        "CREATE TABLE copies AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20100) SELECT jobs.* FROM jobs, n",
        "UPDATE copies SET seq = 1000 + rowid, job_id = randomblob(16), clinic = '9', run_at = run_at - 60000",
        "INSERT INTO jobs SELECT * FROM copies",
    ] {
        db.sql(sql).await;
    }
    let archive = db.store.archive();
    assert_eq!(archive.open(&page("8")).await.unwrap().scheduled, 1);
    assert_eq!(archive.open(&page("9")).await.unwrap().scheduled, u64::from(OPEN_MAX));
    assert_eq!(archive.next(&page("8")).await.unwrap().len(), 1);
}

conforming! {
    async fn what_came_to_be_is_counted_by_the_hour_it_came(kind) {
        let db = Db::open(kind).await;
        for (number, at) in [(1, EVE + 1), (2, EVE + HOUR), (3, EVE + HOUR + 1), (4, EVE + 25 * HOUR)] {
            db.record(db.delivery(number, at).received(at).of_clinic("9")).await;
        }
        db.record(db.delivery(5, EVE + 1).received(EVE + 1)).await;
        let accepted = Counted::Event(Status::Accepted);
        assert_eq!(told(&db, EVE, EVE + HOUR).await, [of("7", accepted, 1), of("9", accepted, 2)]);
        assert_eq!(told(&db, EVE + HOUR, DAY).await, [of("9", accepted, 1)]);
        assert_eq!(told(&db, 0, 2 * DAY).await.iter().map(|tally| tally.count).sum::<u64>(), 5);
        let other = Range { since: minute(0), until: minute(2 * DAY), connection: Some("outro".into()) };
        assert_eq!(db.store.archive().tally(&other).await.unwrap(), []);
        // A duplicate came before.
        db.record(db.delivery(5, EVE + 1).received(EVE + 1)).await;
        assert_eq!(told(&db, EVE, EVE + HOUR).await[0].count, 1);
        let db = db.reopen().await;
        assert_eq!(told(&db, 0, 2 * DAY).await.len(), 2);
    }

    async fn what_ended_is_counted_as_it_ended_and_what_is_open_stands_open(kind) {
        let db = Db::open(kind).await;
        let index = db.store.indexer().clone();
        for number in 1..=3 {
            db.record(db.delivery(number, 0).fires("thank").of_clinic("9")).await;
        }
        let mut work = db.claim(HOUR).await;
        let sent = sending(&work[0], KeyHash([1; 16]), "+55", "Oi");
        db.store.settle(sent, minute(HOUR)).await.unwrap();
        db.settle(&work.remove(1), AttemptEnd::Dead(Reason::new("plugin", "no")), HOUR).await;
        db.record(db.delivery(9, 0).fires_for(&index, "7", 3 * DAY, None).of_clinic("8")).await;
        let ended: Vec<_> = told(&db, EVE, DAY).await;
        assert_eq!(ended, [
            of("9", Counted::Job(JobState::Dead), 1),
            of("9", Counted::Job(JobState::Done), 1),
            of("9", Counted::Message, 1),
        ]);
        let archive = db.store.archive();
        let open = archive.open(&Page::default()).await.unwrap();
        assert_eq!((open.attention, open.failed, open.scheduled), (0, 1, 1));
        let open = archive.open(&page("9")).await.unwrap();
        assert_eq!((open.failed, open.scheduled), (1, 0));
        assert_eq!(archive.next(&page("9")).await.unwrap().len(), 0);
        let next = archive.next(&page("8")).await.unwrap();
        assert_eq!(next.iter().map(|view| view.job.run_at).collect::<Vec<_>>(), [minute(2 * DAY)]);
        assert_eq!(archive.next(&Page { limit: 0, ..Page::default() }).await.unwrap().len(), 0);
    }

    async fn counts_of_long_ago_are_dropped(kind) {
        let db = Db::open(kind).await;
        db.record(db.delivery(1, 0).received(0).body(&json!({ "n": 1 }))).await;
        let midnight = minute(0).to_zoned(jiff::tz::TimeZone::UTC).date().saturating_add(101.days());
        let midnight = midnight.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        let later = midnight.duration_since(minute(0)).as_mins() + 1;
        db.record(db.delivery(2, later).received(later)).await;
        assert_eq!(told(&db, -HOUR, HOUR).await, []);
        assert_eq!(told(&db, later - 1, later + HOUR).await.len(), 1);
    }
}
