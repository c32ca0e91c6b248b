//! A batch ends as its arrivals would have ended one by one, whenever what they are found by comes into the tables, and whatever is lost of
//! the memory.

use proptest::prelude::*;
use serde_json::json;
use zelo_core::{Actor, Status};
use zelo_store::sqlite::SqliteConfig;
use zelo_store::{Aged, Error, Retention};

use crate::build::{DAY, Db, Delivery, Kind, counted, job_key, minute, throttled};

/// What one delivery of the property says.
#[derive(Clone, Debug)]
struct Said {
    /// Deliveries with the same number are duplicates.
    number: u64,
    time: i64,
    entity: Option<u8>,
    ask: Option<Ask>,
    record: Option<(u8, i64)>,
    thanks: bool,
}

#[derive(Clone, Debug)]
enum Ask {
    Book { key: u8, days: i64, reads: Option<u8> },
    Cancel { key: u8 },
    Throttled { key: Option<u8>, value: u8, limit: u32 },
    Counted { value: u8 },
    Collected { value: u8, reads: Option<u8> },
    CancelCollected { value: u8 },
}

fn said() -> impl Strategy<Value = Said> {
    let book = (0..3_u8, 3..6_i64, prop::option::of(0..2_u8)).prop_map(|(key, days, reads)| Ask::Book { key, days, reads });
    let throttled = (prop::option::of(0..3_u8), 0..2_u8, 1..3_u32).prop_map(|(key, value, limit)| Ask::Throttled { key, value, limit });
    let collected = (0..2_u8, prop::option::of(0..2_u8)).prop_map(|(value, reads)| Ask::Collected { value, reads });
    let ask = prop_oneof![
        4 => book,
        1 => (0..3_u8).prop_map(|key| Ask::Cancel { key }),
        3 => throttled,
        2 => (0..2_u8).prop_map(|value| Ask::Counted { value }),
        4 => collected,
        1 => (0..2_u8).prop_map(|value| Ask::CancelCollected { value }),
    ];
    let record = (0..2_u8, -1..3_i64);
    (0..14_u64, 0..6_i64, prop::option::of(0..3_u8), prop::option::of(ask), prop::option::weighted(0.3, record), any::<bool>())
        .prop_map(|(number, time, entity, ask, record, thanks)| Said { number, time, entity, ask, record, thanks })
}

fn delivery(db: &Db, place: usize, said: &Said) -> Delivery {
    let index = db.store.indexer().clone();
    let mut delivery = db.delivery(said.number, said.time).received(10);
    // An id of its own for every delivery, duplicates too.
    delivery.0.event.id = zelo_core::EventId::new(minute(10), 0, &zelo_core::SeededEntropy::new(1000 + place as u64));
    delivery.0.event.clinic = (!said.number.is_multiple_of(3)).then(|| (said.number % 3).to_string());
    if let Some(entity) = said.entity {
        delivery = delivery.about(&index, &entity.to_string());
    }
    if let Some((id, hours)) = said.record {
        let fields = if hours < 0 { json!({ "closed": true }) } else { json!({ "hours": hours, "closed": false }) };
        delivery = delivery.remembers(&index, &id.to_string(), fields);
    }
    if said.thanks {
        delivery = delivery.fires("thank");
    }
    match &said.ask {
        Some(Ask::Book { key, days, reads }) => {
            let reads = reads.map(|id| id.to_string());
            delivery.fires_for(&index, &key.to_string(), days * DAY, reads.as_deref())
        }
        Some(Ask::Cancel { key }) => delivery.cancels(&index, &key.to_string()),
        Some(Ask::Throttled { key, value, limit }) => {
            let key = key.map(|key| job_key(&index, &key.to_string()));
            delivery.fires_over("remind", key, throttled(&index, &value.to_string(), *limit, 3))
        }
        Some(Ask::Counted { value }) => delivery.fires_over("remind", None, counted(&index, &value.to_string(), 3, 3)),
        Some(Ask::Collected { value, reads }) => delivery.collected(&index, &value.to_string(), reads.map(|id| id.to_string()).as_deref()),
        Some(Ask::CancelCollected { value }) => delivery.cancels_collected(&index, &value.to_string()),
        None => delivery,
    }
}

/// Every plain column of every table, but for numbers of rows of which only the order counts.
const DUMPS: [&str; 12] = [
    "SELECT json_array(seq, hex(event_id), hex(delivery), clinic, hex(entity), time, status) FROM events ORDER BY seq",
    "SELECT json_array(hex(entity), connection, clinic, kind, newest) FROM entities ORDER BY entity",
    "SELECT json_array(hex(delivery), event) FROM deliveries ORDER BY delivery",
    "SELECT json_array(hex(owner_hash), part_id) FROM key_parts JOIN seal_keys USING (key_id) ORDER BY owner_hash, part_id",
    "SELECT json_array(hex(record), clinic, kind, time) FROM records ORDER BY written",
    "SELECT json_array(hex(job_key), clinic, hex(live), newest, done, done_anchor) FROM job_keys ORDER BY job_key",
    "SELECT json_array(seq, hex(job_id), hex(job_key), hex(event_id), collected, reference, lookups, anchor, due, run_at, expires, state, attempt, lease, reason, cancel) FROM jobs ORDER BY seq",
    "SELECT json_array(seq, hex(job_id), hex(job_key), hex(event_id), collected, reference, lookups, anchor, due, run_at, state, reason, ended) FROM job_history ORDER BY seq",
    "SELECT json_array(hex(record), job) FROM job_lookups ORDER BY record, job",
    "SELECT json_array(hex(window), hex(entries), forgotten) FROM windows ORDER BY window",
    "SELECT json_array(job, time, event, clinic) FROM job_events ORDER BY job, time, event",
    "SELECT json_array(hex(owner_hash), owner_kind, clinic) FROM seal_keys ORDER BY owner_hash",
];

async fn dump(db: &Db) -> Vec<Vec<String>> {
    use sqlx::Connection;
    let mut conn = sqlx::SqliteConnection::connect(&format!("sqlite://{}", db.file().display())).await.unwrap();
    let mut all = Vec::new();
    for sql in DUMPS {
        all.push(sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap());
    }
    conn.close().await.unwrap();
    all
}

/// Stores what was said in batches of up to `size`, of which the store keeps `recent` in memory, with a crash after `crash` of them; what the
/// callers were told, and what is stored.
async fn run(all: &[Said], size: usize, recent: usize, crash: usize) -> (Vec<String>, Vec<Vec<String>>) {
    let mut db = Db::open_with(Kind::SqliteFile, SqliteConfig { batch: size, recent, ..SqliteConfig::default() }).await;
    let mut told = Vec::new();
    for (round, part) in all.chunks(size).enumerate() {
        if round == crash {
            db = db.crash().await;
        }
        let deliveries = part.iter().enumerate().map(|(place, said)| db.store.record(delivery(&db, round * size + place, said).0));
        told.extend(futures::future::join_all(deliveries).await.into_iter().map(|decision| format!("{:?}", decision.unwrap())));
    }
    db.store.close().await.unwrap();
    (told, dump(&db).await)
}

#[tokio::test]
async fn what_is_taken_back_is_merged_another_time() {
    let config = || SqliteConfig { recent: 4, ..SqliteConfig::default() };
    let db = Db::open_with(Kind::SqliteFile, config()).await;
    let index = db.store.indexer().clone();
    let body = json!({ "patient": 1, "pharmacist": { "name": "Bea" } });
    let both = db.delivery(0, 0).body(&body).subject(&index, "ana").subject(&index, "bea").part(r#"{"name":"Bea"}"#);
    db.record(both).await;
    let (ana, bea) = (db.person("ana").await, db.person("bea").await);
    db.store.hold(bea, Some("lawsuit".into()), Actor::command(), minute(1)).await.unwrap();
    for number in 1..20 {
        let delivery = db.delivery(number, number as i64).about(&index, &number.to_string());
        // Erasing merges, and is taken back; so is what came with it, and comes again alone.
        let erase = db.store.erase(ana, Actor::command(), minute(30));
        let (recorded, erased) = futures::join!(db.store.record(delivery.0), erase);
        assert!(recorded.is_ok() && matches!(erased, Err(Error::Held)));
    }
    let db = db.crash().await;
    for number in 1..20 {
        let again = db.store.record(db.delivery(number, number as i64).about(&index, &number.to_string()).0).await.unwrap();
        assert_eq!(again.status, Status::Duplicate, "delivery {number}");
        let older = db.store.record(db.delivery(100 + number, number as i64 - 1).about(&index, &number.to_string()).0).await.unwrap();
        assert_eq!(older.status, Status::Stale, "entity {number}");
    }
}

/// Stores events `numbers` of patient `ana`, each of an entity of its own.
async fn store(db: &Db, numbers: std::ops::Range<u64>) {
    let index = db.store.indexer().clone();
    for number in numbers {
        db.record(db.delivery(number, number as i64).about(&index, &number.to_string()).subject(&index, "ana")).await;
    }
}

#[tokio::test]
async fn a_crash_in_the_midst_of_merging_loses_nothing() {
    let config = || SqliteConfig { recent: 60, ..SqliteConfig::default() };
    for last in [60, 62, 64, 65] {
        let db = Db::open_with(Kind::SqliteFile, config()).await;
        let index = db.store.indexer().clone();
        store(&db, 0..last).await;
        let db = db.crash().await;
        // What is asked for by key reads the tables, where all of it is then; and what comes after is not in them.
        let export = db.store.export_subject(db.person("ana").await).await.unwrap().unwrap();
        assert_eq!(export.events.len() as u64, last);
        store(&db, last..last + 1).await;
        let db = db.crash().await;
        for number in 0..=last {
            let again = db.store.record(db.delivery(number, number as i64).0).await.unwrap();
            assert_eq!(again.status, Status::Duplicate, "delivery {number} of {last}");
            let older = db.delivery(1000 + number, number as i64 - 1).about(&index, &number.to_string());
            assert_eq!(db.store.record(older.0).await.unwrap().status, Status::Stale, "entity {number} of {last}");
        }
    }
}

/// What is given a place after the newest were deleted is read up after a crash like anything else.
#[tokio::test]
async fn a_place_is_given_once() {
    let db = Db::open_with(Kind::SqliteFile, SqliteConfig { recent: 60, ..SqliteConfig::default() }).await;
    let index = db.store.indexer().clone();
    store(&db, 0..9).await;
    let keep = Retention { events: vec![Aged::all("events", minute(100))], ..Retention::default() };
    assert_eq!(db.store.retain(keep, Actor::engine(), minute(200)).await.unwrap().deleted["events"], 9);
    let db = db.reopen().await;
    store(&db, 20..22).await;
    let db = db.crash().await;
    for number in 20..22 {
        assert_eq!(db.store.record(db.delivery(number, number as i64).0).await.unwrap().status, Status::Duplicate);
        let older = db.delivery(100 + number, number as i64 - 1).about(&index, &number.to_string());
        assert_eq!(db.store.record(older.0).await.unwrap().status, Status::Stale);
    }
}

/// Events of many people each do not gather in the memory.
#[tokio::test]
async fn parts_are_merged_as_they_come() {
    let db = Db::open_with(Kind::SqliteFile, SqliteConfig { recent: 40, ..SqliteConfig::default() }).await;
    let index = db.store.indexer().clone();
    let body = json!({ "all": (0..9).map(|person| json!({ "name": format!("P{person}") })).collect::<Vec<_>>() });
    for round in 0..6 {
        let all = (round * 20..round * 20 + 20).map(|number| {
            let delivery = db.delivery(number, number as i64).body(&body).subject(&index, "main");
            let people = (0..9).fold(delivery, |delivery, person| {
                delivery.subject(&index, &format!("p{person}")).part(&format!(r#"{{"name":"P{person}"}}"#))
            });
            db.store.record(people.0)
        });
        assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
    }
    let merged = db.blobs("SELECT CAST(CAST(count(*) AS TEXT) AS BLOB) FROM key_parts").await;
    let merged: u64 = String::from_utf8(merged[0].clone()).unwrap().parse().unwrap();
    assert!(merged >= 1200 - 2 * 200, "{merged} of 1200 parts are merged");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn batches_do_not_matter(all in prop::collection::vec(said(), 1..24), size in 2..24_usize, recent in 0..9_usize, crash in 0..9_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (alone, together) = runtime.block_on(async { (run(&all, 1, usize::MAX, usize::MAX).await, run(&all, size, recent, crash).await) });
        prop_assert_eq!(alone.0, together.0, "what the callers were told");
        for (one, other) in alone.1.into_iter().zip(together.1) {
            prop_assert_eq!(one, other);
        }
    }
}
