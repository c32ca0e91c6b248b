//! Backups: what is in them, what is refused, and what restoring leaves.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use zelo_core::settle::AttemptEnd;
use zelo_core::{Actor, AuditEntry, AuditKind};
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{Error, MasterKey, Page, Restored};

use crate::build::{Db, Kind, minute, sqlite};

fn at(path: &Path) -> SqliteConfig {
    SqliteConfig { path: Some(path.to_owned()), ..SqliteConfig::default() }
}

/// Some deliveries, and a job that was done.
async fn fill(db: &Db, count: u64) {
    for number in 0..count {
        db.record(db.delivery(number, 0).fires("remind")).await;
    }
    for work in db.claim(60).await {
        db.settle(&work, AttemptEnd::Done { code: "sent".into() }, 60).await;
    }
    let entry = |number| AuditEntry::new(minute(number), AuditKind::Viewed, Actor::command(), &json!({ "number": number }));
    db.store.answer_for((0..3).map(entry).collect()).await.unwrap();
}

/// Overwrites a part of a file, so far from its beginning.
fn damage(path: &Path, place: u64) {
    let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(place)).unwrap();
    file.write_all(&[0x5a; 2048]).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

conforming! {
    async fn a_backup_is_a_store_of_its_own(kind) {
        let db = Db::open(kind).await;
        fill(&db, 3).await;
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("copy.db");
        let report = db.store.backup(target.clone()).await.unwrap();
        assert_eq!((report.events, report.jobs, report.audit.as_ref().map(|end| end.seq)), (3, 3, Some(3)));
        assert_eq!(report.newest, Some(minute(0)));
        assert_eq!(report.bytes, std::fs::metadata(&target).unwrap().len());
        assert_eq!(names(folder.path()), ["copy.db"], "nothing lies beside it");
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&target).unwrap()) & 0o777, 0o600);

        // What comes later is not in it, and it is a store like any other.
        db.record(db.delivery(9, 1)).await;
        let copy = sqlite(at(&target), 1).await.unwrap();
        let ids = |events: Vec<zelo_store::EventView>| events.into_iter().map(|view| (view.event.id, view.event.data)).collect::<Vec<_>>();
        let there = ids(db.store.events(&Page::default()).await.unwrap());
        assert_eq!(ids(copy.events(&Page::default()).await.unwrap()), there[1..]);
        assert_eq!(copy.verify_audit(Vec::new()).await.unwrap().findings, []);
        copy.close().await.unwrap();
    }

    async fn a_backup_overwrites_nothing_and_says_where_it_cannot_be_made(kind) {
        let db = Db::open(kind).await;
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("copy.db");
        std::fs::write(&target, "mine").unwrap();
        let refused = async |target: PathBuf| db.store.backup(target).await.unwrap_err().to_string();
        assert!(refused(target.clone()).await.contains("is not overwritten"));
        assert_eq!(std::fs::read(&target).unwrap(), b"mine");
        assert!(refused(folder.path().join("nowhere/copy.db")).await.contains("make it first"));
        assert!(refused(target.join("copy.db")).await.contains("Not a directory"));
        // What a backup that died left behind is in nobody's way.
        std::fs::write(folder.path().join("other.db.part"), "half").unwrap();
        db.store.backup(folder.path().join("other.db")).await.unwrap();
        assert_eq!(names(folder.path()), ["copy.db", "other.db"]);
    }
}

#[tokio::test]
async fn a_backup_of_a_damaged_store_is_none() {
    let db = Db::open(Kind::SqliteFile).await;
    fill(&db, 200).await;
    db.store.close().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let size = std::fs::metadata(db.file()).unwrap().len();
    let mut found = 0;
    for place in (1..8).map(|part| size / 4096 * part / 8 * 4096) {
        let file = folder.path().join(format!("{place}.db"));
        std::fs::copy(db.file(), &file).unwrap();
        damage(&file, place);
        let Ok(store) = sqlite(at(&file), 1).await else {
            found += 1;
            continue;
        };
        let target = folder.path().join("copy.db");
        match store.backup(target.clone()).await {
            // A page that held nothing: the copy is without it.
            Ok(report) => {
                assert_eq!((report.events, report.jobs, report.audit.unwrap().seq), (200, 200, 3), "at {place}");
                std::fs::remove_file(&target).unwrap();
            }
            Err(error) => {
                assert!(error.to_string().contains("damaged"), "{error}");
                assert!(error.to_string().contains("zelo restore FILE"), "{error}");
                found += 1;
            }
        }
        assert!(!target.exists(), "no half backup has the name of one");
    }
    assert!(found >= 5, "{found} of 7");
}

async fn restore(to: &SqliteConfig, backup: &Path, master: u8, replace: Option<&str>) -> Result<Restored, Error> {
    SqliteStore::restore(to, backup, &MasterKey::from_bytes([master; 32]), replace).await
}

async fn refused(to: &SqliteConfig, backup: &Path, master: u8) -> String {
    let before = names(to.path.as_deref().unwrap().parent().unwrap());
    let refused = restore(to, backup, master, Some(".old")).await.err();
    let refused = refused.unwrap_or_else(|| panic!("{} was taken", backup.display())).to_string();
    let after = names(to.path.as_deref().unwrap().parent().unwrap());
    assert_eq!(
        after.iter().filter(|name| !name.ends_with(".lock")).collect::<Vec<_>>(),
        before.iter().filter(|name| !name.ends_with(".lock")).collect::<Vec<_>>(),
        "{refused}"
    );
    refused
}

#[tokio::test]
async fn a_backup_takes_the_place_of_a_store_only_if_that_is_wanted() {
    let db = Db::open(Kind::SqliteFile).await;
    fill(&db, 3).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup.db");
    db.store.backup(backup.clone()).await.unwrap();
    db.record(db.delivery(9, 1)).await;
    let config = db.config.clone();
    assert!(refused(&config, &backup, 1).await.contains("another zelo has"), "a server runs");
    let log = std::fs::read(format!("{}-wal", db.file().display())).unwrap();
    assert!(!log.is_empty());
    // As a server leaves it that was killed: the last write is in the log alone.
    let killed = folder.path().join("killed");
    std::fs::create_dir(&killed).unwrap();
    let there = killed.join("zelo.db");
    std::fs::copy(db.file(), &there).unwrap();
    std::fs::write(killed.join("zelo.db-wal"), log).unwrap();

    let error = restore(&at(&there), &backup, 1, None).await.unwrap_err().to_string();
    assert!(error.contains("--replace"), "{error}");
    let restored = restore(&at(&there), &backup, 1, Some(".old")).await.unwrap();
    assert_eq!((restored.report.events, restored.moved.as_deref()), (3, Some(killed.join("zelo.db.old").as_path())));
    assert_eq!(names(&killed), ["zelo.db", "zelo.db.lock", "zelo.db.old", "zelo.db.old-wal"]);
    let count = async |path: PathBuf| {
        let store = sqlite(at(&path), 1).await.unwrap();
        let events = store.events(&Page::default()).await.unwrap().len();
        store.close().await.unwrap();
        events
    };
    assert_eq!(count(there).await, 3, "the backup");
    assert_eq!(count(killed.join("zelo.db.old")).await, 4, "what was there is whole");
}

#[tokio::test]
async fn what_is_no_good_backup_is_refused_and_changes_nothing() {
    let db = Db::open(Kind::SqliteFile).await;
    fill(&db, 100).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup.db");
    db.store.backup(backup.clone()).await.unwrap();
    db.store.close().await.unwrap();
    let other = Db::open(Kind::SqliteFile).await;
    other.store.close().await.unwrap();
    let to = other.config.clone();
    let variant = |name: &str| {
        let path = folder.path().join(name);
        std::fs::copy(&backup, &path).unwrap();
        path
    };
    assert!(refused(&to, &backup, 2).await.contains("does not open with this master key"));
    assert!(refused(&to, &folder.path().join("nothing.db"), 1).await.contains("No such file"));
    let newer = variant("newer.db");
    run(&newer, "PRAGMA user_version = 9999").await;
    assert!(refused(&to, &newer, 1).await.contains("made by a newer zelo"));
    let foreign = variant("foreign.db");
    run(&foreign, "PRAGMA application_id = 7").await;
    assert!(refused(&to, &foreign, 1).await.contains("another program"));
    let text = folder.path().join("text.db");
    std::fs::write(&text, "a letter, and no database at all").unwrap();
    assert!(refused(&to, &text, 1).await.contains("is not a backup of zelo"));
    let size = std::fs::metadata(&backup).unwrap().len();
    let torn = variant("torn.db");
    std::fs::OpenOptions::new().write(true).open(&torn).unwrap().set_len(size - 4096).unwrap();
    let error = refused(&to, &torn, 1).await;
    assert!(error.contains("damaged"), "{error}");
    for place in [4096 * 2, size / 8192 * 4096, size - 4096] {
        let damaged = variant(&format!("damaged-{place}.db"));
        damage(&damaged, place);
        let error = refused(&to, &damaged, 1).await;
        assert!(error.contains("damaged"), "at {place}: {error}");
    }
    // Somebody who changed an entry of the audit log where no page and no index tells.
    let forged = variant("forged.db");
    run(&forged, "UPDATE audit_log SET actor = 'nobody' WHERE seq = 2").await;
    let error = refused(&to, &forged, 1).await;
    assert!(error.contains("audit log"), "{error}");
    let live = variant("live.db");
    std::fs::write(folder.path().join("live.db-wal"), "log").unwrap();
    assert!(refused(&to, &live, 1).await.contains("no backup"));
    assert_eq!(restore(&to, &backup, 1, Some(".old")).await.unwrap().report.events, 100, "the one that is whole is taken");
}

async fn run(path: &Path, sql: &'static str) {
    use sqlx::Connection;
    let mut conn = sqlx::SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn a_backup_is_not_restored_without_the_register_of_erasures() {
    let register = SqliteConfig { register: Some("somewhere".into()), ..SqliteConfig::default() };
    let db = Db::open_with(Kind::SqliteFile, register).await;
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup.db");
    db.store.backup(backup.clone()).await.unwrap();
    let to = SqliteConfig { register: Some(folder.path().join("erasures.jsonl")), ..at(&folder.path().join("zelo.db")) };
    let error = restore(&to, &backup, 1, None).await.unwrap_err().to_string();
    assert!(error.contains("register of erasures") && error.contains("missing"), "{error}");
    std::fs::write(folder.path().join("erasures.jsonl"), "").unwrap();
    restore(&to, &backup, 1, None).await.unwrap();
}
