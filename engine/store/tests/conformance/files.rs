//! Opening and closing: who may, and what is refused.

use zelo_core::{Entropy, SeededEntropy};
use zelo_store::sqlite::SqliteConfig;
use zelo_store::{Error, MasterKey};

use crate::build::{Db, Kind, sqlite};

conforming! {
    async fn a_full_queue_refuses_arrivals_at_once(kind) {
        let db = Db::open_with(kind, SqliteConfig { queue: 2, ..SqliteConfig::default() }).await;
        // The writer has had no chance to run between the calls: two fit, the others are told.
        let outcomes = futures::future::join_all((0..5).map(|number| db.store.record(db.delivery(number, 0).0))).await;
        let busy = outcomes.iter().filter(|outcome| matches!(outcome, Err(Error::Busy))).count();
        assert_eq!((busy, outcomes.iter().filter(|outcome| outcome.is_ok()).count()), (3, 2));
        assert!(db.store.record(db.delivery(4, 0).0).await.is_ok(), "a refused delivery may come again");
        assert_eq!(db.store.events(&zelo_store::Page::default()).await.unwrap().len(), 3);
    }

    async fn closing_finishes_what_waits(kind) {
        let db = Db::open(kind).await;
        let (recorded, closed) = futures::join!(db.store.record(db.delivery(1, 0).0), db.store.close());
        assert!(recorded.is_ok() && closed.is_ok());
        assert!(matches!(db.store.record(db.delivery(2, 0).0).await, Err(Error::Closed)));
        assert!(matches!(db.store.put_automation(zelo_store::AutomationRow {
            id: zelo_core::AutomationId("a".into()), rule: "a".into(), connection: "c".into(), clinic: None,
            settings: serde_json::Map::new(), enabled: true, origin: "config".into(), changed: crate::build::minute(0),
        }, zelo_core::Actor::command()).await, Err(Error::Closed)));
        assert!(db.store.close().await.is_ok(), "closing twice is closing once");
    }
}

fn at(db: &Db) -> SqliteConfig {
    SqliteConfig { path: Some(db.file()), ..SqliteConfig::default() }
}

async fn refusal(config: SqliteConfig, master: u8) -> String {
    sqlite(config, master).await.err().unwrap().to_string()
}

#[tokio::test]
async fn only_one_server_may_have_the_file() {
    let db = Db::open(Kind::SqliteFile).await;
    assert!(refusal(at(&db), 1).await.contains("another zelo has"));
    db.store.close().await.unwrap();
    sqlite(at(&db), 1).await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn a_store_that_closes_finishes_what_is_read_and_lends_no_more() {
    let db = Db::open(Kind::SqliteFile).await;
    db.record(db.delivery(1, 0)).await;
    // More than can read side by side: they wait for each other, and the store for all of them.
    let page = zelo_store::Page::default();
    let reads = futures::future::join_all((0..40).map(|_| db.store.events(&page)));
    let close = async {
        // They have begun, or wait.
        tokio::task::yield_now().await;
        db.store.close().await
    };
    let (read, closed) = futures::join!(reads, close);
    closed.unwrap();
    assert!(read.iter().all(|read| read.as_ref().is_ok_and(|events| events.len() == 1)), "{read:?}");
    assert!(matches!(db.store.events(&page).await, Err(Error::Closed)));
}

#[tokio::test]
async fn a_store_that_is_dropped_lets_the_file_go() {
    let db = Db::open(Kind::SqliteFile).await;
    let config = at(&db);
    let Db { store, .. } = &db;
    let path = config.path.clone().unwrap();
    drop(store.clone());
    assert!(refusal(config.clone(), 1).await.contains("another zelo has"));
    let copy = tempfile::tempdir().unwrap();
    let elsewhere = copy.path().join("zelo.db");
    db.store.close().await.unwrap();
    std::fs::copy(path, &elsewhere).unwrap();
    let config = SqliteConfig { path: Some(elsewhere), ..SqliteConfig::default() };
    drop(sqlite(config.clone(), 1).await.unwrap());
    let mut opened = sqlite(config.clone(), 1).await;
    // The writer ends in its own time.
    for _ in 0..1000 {
        if opened.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        opened = sqlite(config.clone(), 1).await;
    }
    assert!(opened.is_ok());
}

#[tokio::test]
async fn a_wrong_master_key_is_refused_at_once() {
    let db = Db::open(Kind::SqliteFile).await;
    db.record(db.delivery(1, 0)).await;
    db.store.close().await.unwrap();
    let refusal = refusal(at(&db), 2).await;
    assert!(refusal.contains("does not open with this master key"), "{refusal}");
    sqlite(at(&db), 1).await.unwrap();
}

#[tokio::test]
async fn an_older_schema_is_brought_forward_with_what_it_holds() {
    use sqlx::Connection;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zelo.db");
    let mut conn = sqlx::SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
    let job = "INSERT INTO jobs (seq, job_id, event_id, key_id, connection, automation, rule, action, rule_digest, reference, due, run_at, \
               state, attempt, lease, again) VALUES (1, zeroblob(16), zeroblob(16), 1, 'c', 'a', 'r', 'a', 'd', 1, 1, 1, 'scheduled', 0, 0, 0)";
    for sql in
        [include_str!("../../src/sqlite/migrations/0001_first.sql"), job, "PRAGMA user_version = 1", "PRAGMA application_id = 2053467247"]
    {
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    }
    conn.close().await.unwrap();
    let store = sqlite(SqliteConfig { path: Some(path), ..SqliteConfig::default() }, 1).await.unwrap();
    let job = store.jobs(&zelo_store::Page::default(), None).await.unwrap().remove(0).job;
    assert!(job.needs.is_empty() && !job.waits());
    assert_eq!(store.next_run().await.unwrap(), Some(job.run_at), "what waited for its time still does");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let db = Db::open(Kind::SqliteFile).await;
    db.store.close().await.unwrap();
    db.sql("PRAGMA user_version = 9999").await;
    assert!(refusal(at(&db), 1).await.contains("made by a newer zelo (schema 9999"));
}

#[tokio::test]
async fn a_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let db = Db::open(Kind::SqliteFile).await;
    db.store.close().await.unwrap();
    std::fs::copy(db.file(), &path).unwrap();
    db.sql("PRAGMA application_id = 1").await;
    assert!(refusal(at(&db), 1).await.contains("another program"));
    std::fs::write(&path, "not a database, but long enough to be looked at as one").unwrap();
    assert!(sqlite(SqliteConfig { path: Some(path), ..SqliteConfig::default() }, 1).await.is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_their_owner_only() {
    use std::os::unix::fs::MetadataExt;
    let db = Db::open(Kind::SqliteFile).await;
    db.record(db.delivery(1, 0)).await;
    let folder = db.file().parent().unwrap().to_owned();
    let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
    assert!(names.len() >= 3, "database, log and lock");
    for entry in names {
        assert_eq!(entry.metadata().unwrap().mode() & 0o077, 0, "{:?}", entry.file_name());
    }
}

#[test]
fn a_master_key_is_drawn_from_the_entropy_given() {
    #[derive(Debug)]
    struct Nines;
    impl Entropy for Nines {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(9);
        }
    }
    assert_eq!(MasterKey::generate(&Nines).to_hex().as_str(), "09".repeat(32));
    assert_ne!(MasterKey::generate(&SeededEntropy::new(1)).to_hex(), MasterKey::generate(&SeededEntropy::new(2)).to_hex());
}
