//! Files that somebody or something changed: refused at the start or at the first read, with advice, and left as they are.

use std::path::{Path, PathBuf};

use zelo_store::sqlite::SqliteConfig;
use zelo_store::{Page, Store};

use crate::build::{Db, Kind, sqlite};

fn at(path: &Path) -> SqliteConfig {
    SqliteConfig { path: Some(path.to_owned()), ..SqliteConfig::default() }
}

/// A store that was closed, with some events; its file.
async fn closed() -> (Db, PathBuf) {
    let db = Db::open(Kind::SqliteFile).await;
    for number in 0..300 {
        db.record(db.delivery(number, 0).fires("remind")).await;
    }
    db.store.close().await.unwrap();
    let file = db.file();
    (db, file)
}

async fn refused(path: &Path) -> String {
    let before = std::fs::read(path).ok();
    let refused = sqlite(at(path), 1).await.err().unwrap_or_else(|| panic!("{} was opened", path.display())).to_string();
    assert_eq!(std::fs::read(path).ok(), before, "nothing was changed: {refused}");
    refused
}

/// What reading all of it comes to.
async fn read_all(store: &dyn Store) -> Result<usize, zelo_store::Error> {
    let page = Page { limit: 1000, ..Page::default() };
    Ok(store.events(&page).await?.len() + store.jobs(&page, None).await?.len())
}

#[tokio::test]
async fn a_damaged_beginning_is_refused_at_the_start() {
    let (_db, file) = closed().await;
    let whole = std::fs::read(&file).unwrap();
    let with = |place: usize, bytes: &[u8]| {
        let mut text = whole.clone();
        text[place..place + bytes.len()].copy_from_slice(bytes);
        std::fs::write(&file, text).unwrap();
    };
    with(0, b"SQLITE");
    let text = refused(&file).await;
    assert!(text.contains("is not a database") && text.contains("Nothing was changed") && text.contains("zelo restore FILE"), "{text}");
    // The size of a page; the kind of the first one.
    for (place, bytes) in [(16, [0, 0]), (100, [0xff, 0xff])] {
        with(place, &bytes);
        let text = refused(&file).await;
        assert!(text.contains("damaged") && text.contains("zelo restore FILE"), "at {place}: {text}");
    }
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(read_all(sqlite(at(&file), 1).await.unwrap().as_ref()).await.unwrap(), 600);
}

#[tokio::test]
async fn a_file_without_its_end_is_refused_at_the_start() {
    let (_db, file) = closed().await;
    let size = std::fs::metadata(&file).unwrap().len();
    for left in [size - 4096, size / 2, 4096, 100] {
        std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(left).unwrap();
        let text = refused(&file).await;
        assert!(text.contains("damaged"), "{left} of {size} bytes: {text}");
    }
}

#[tokio::test]
async fn a_damaged_page_is_told_at_the_start_or_when_it_is_read() {
    let (db, file) = closed().await;
    let whole = std::fs::read(&file).unwrap();
    let mut found = 0;
    let pages = whole.len() / 4096;
    for page in (2..pages).step_by(pages / 12) {
        let mut text = whole.clone();
        text[page * 4096..page * 4096 + 2048].fill(0x5a);
        let path = db.folder.path().join(format!("{page}.db"));
        std::fs::write(&path, text).unwrap();
        let told = match sqlite(at(&path), 1).await {
            Err(error) => Some(error),
            Ok(store) => {
                let read = read_all(store.as_ref()).await;
                // What no list reads, a backup does.
                let read = read.err().or(store.backup(db.folder.path().join(format!("{page}.copy"))).await.err());
                store.close().await.unwrap();
                read
            }
        };
        if let Some(error) = told {
            let text = error.to_string();
            assert!(text.contains("damaged") && text.contains("zelo restore FILE"), "page {page}: {text}");
            found += 1;
        }
    }
    // The copy makes its indexes anew: one that nothing read is whole in it.
    assert!(found >= 8, "{found}");
}

#[tokio::test]
async fn a_log_without_its_database_is_not_thrown_away() {
    let db = Db::open(Kind::SqliteFile).await;
    db.record(db.delivery(1, 0)).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, log) = (folder.path().join("zelo.db"), folder.path().join("zelo.db-wal"));
    std::fs::copy(format!("{}-wal", db.file().display()), &log).unwrap();
    let before = std::fs::read(&log).unwrap();
    for _ in 0..2 {
        let text = sqlite(at(&file), 1).await.err().unwrap().to_string();
        assert!(text.contains("belongs to it"), "{text}");
        assert_eq!(std::fs::read(&log).unwrap(), before);
    }
}

#[tokio::test]
async fn where_no_folder_can_be_made_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data"), "a file").unwrap();
    let text = sqlite(at(&folder.path().join("data/zelo.db")), 1).await.err().unwrap().to_string();
    assert!(text.contains("cannot open") && text.contains("data"), "{text}");
}
