//! Opening: the lock, the file, the schema, the check of the master key, the writer.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::{Mutex, mpsc};

use zelo_core::Entropy;
use zelo_core::clock::from_ms;

use super::keys::Sealer;
use super::migrate::migrate;
use super::reader::{From, Reader};
use super::writer::{Desk, Writer};
use super::{SqliteConfig, SqliteStore};
use crate::seal::{Keyring, Place};
use crate::{Error, MasterKey};

/// Readers side by side: pages and workers; one writer keeps them fed.
const READERS: u32 = 4;

/// Prepared statements a connection keeps: every statement there is, the bulk ones in each of their sizes.
const STATEMENTS: usize = 256;

/// What is sealed to tell a wrong master key from a right one.
const CHECK: &[u8] = b"zelo";

const CHECK_AT: Place<'static> = Place { table: "meta", column: "value", row: b"key_check" };

const NEXT_JOB: &str =
    "SELECT coalesce(max(seq), 0) + 1 FROM (SELECT max(seq) AS seq FROM jobs UNION ALL SELECT max(seq) FROM job_history)";
const NEXT_EVENT: &str = "SELECT coalesce(max(seq), 0) + 1 FROM events";
const NEXT_KEY: &str = "SELECT coalesce(max(key_id), 0) + 1 FROM seal_keys";
const LATEST: &str = "SELECT coalesce((SELECT received FROM events ORDER BY seq DESC LIMIT 1), 0)";

/// Opens the store and starts its writer.
pub(super) async fn open(config: SqliteConfig, master: MasterKey, entropy: Arc<dyn Entropy>) -> Result<Arc<SqliteStore>, Error> {
    let name = config.path.as_ref().map_or_else(|| "the database in memory".into(), |path| path.display().to_string());
    let lock = config.path.as_deref().map(prepare).transpose()?;
    let options = match &config.path {
        Some(path) => SqliteConnectOptions::new().filename(path).create_if_missing(true),
        None => SqliteConnectOptions::new().in_memory(true),
    };
    let options = options.statement_cache_capacity(STATEMENTS).disable_statement_logging().busy_timeout(Duration::from_secs(10));
    let mut conn = writing(options.clone()).connect().await.map_err(Error::database("open"))?;
    migrate(&mut conn, &name).await?;
    let ring = Arc::new(Keyring::new(&master, entropy));
    check(&mut conn, &ring, &name).await?;

    let desk = Desk {
        indexer: master.indexer(),
        sealer: Sealer::new(ring.clone(), number(&mut conn, NEXT_KEY).await?),
        next_event: number(&mut conn, NEXT_EVENT).await?,
        next_job: number(&mut conn, NEXT_JOB).await?,
        latest: from_ms(number(&mut conn, LATEST).await?).max(Timestamp::UNIX_EPOCH),
    };
    let conn = Arc::new(Mutex::new(conn));
    let from = match &config.path {
        Some(_) => From::Pool(
            SqlitePoolOptions::new().max_connections(READERS).test_before_acquire(false).connect_lazy_with(options.read_only(true)),
        ),
        None => From::Writer(conn.clone()),
    };
    let (commands, waiting) = mpsc::channel(config.queue.max(1));
    let indexer = desk.indexer.clone();
    let writer = Writer { conn, desk, commands: waiting, batch: config.batch.max(1), lock };
    let writer = tokio::spawn(writer.run());
    Ok(Arc::new(SqliteStore { indexer, commands, reader: Reader { from, ring }, writer: Mutex::new(Some(writer)) }))
}

/// Takes the lock, and makes folder and file where they are missing, for the owner's eyes only.
fn prepare(path: &Path) -> Result<File, Error> {
    let failed = |what: &Path, error: std::io::Error| Error::Open(format!("cannot open {}: {error}", what.display()));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    }
    let lock_path = PathBuf::from(format!("{}.lock", path.display()));
    let lock = private().open(&lock_path).map_err(|error| failed(&lock_path, error))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(Error::Open(format!("another zelo has {} open; only one can", path.display())));
        }
        Err(TryLockError::Error(error)) => return Err(failed(&lock_path, error)),
    }
    private().open(path).map_err(|error| failed(path, error))?;
    Ok(lock)
}

/// Opens or makes a file that only its owner may read. SQLite gives its log files the same rights.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// `synchronous = FULL`, since an acknowledgement is a promise; group commit pays for it.
///
/// The rest is measured (`benches/ingest.rs`). Keyed hashes are spread over their indexes, so a batch touches about
/// a thousand pages: the default cache of 2 MB would write them out in mid-transaction, and the default checkpoint after
/// a thousand pages would copy them into the file, and wait for the disk, at nearly every commit. A statement that
/// writes many rows notes the pages it changes; in memory, not in a temporary file.
fn writing(options: SqliteConnectOptions) -> SqliteConnectOptions {
    options
        .pragma("cache_size", "-32768")
        .pragma("wal_autocheckpoint", "8192")
        .pragma("temp_store", "memory")
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
}

/// Refuses a master key that is not the one the store was made with; a new store remembers it.
async fn check(conn: &mut SqliteConnection, ring: &Keyring, name: &str) -> Result<(), Error> {
    let doing = "check the master key";
    let stored: Option<Vec<u8>> = sqlx::query_scalar("SELECT value FROM meta WHERE name = 'key_check'")
        .fetch_optional(&mut *conn)
        .await
        .map_err(Error::database(doing))?;
    match stored {
        Some(sealed) if ring.opens_check(CHECK_AT, CHECK, &sealed) => Ok(()),
        Some(_) => Err(Error::Sealed { what: name.to_owned() }),
        None => {
            sqlx::query("INSERT INTO meta (name, value) VALUES ('key_check', ?1)")
                .bind(ring.seal_check(CHECK_AT, CHECK))
                .execute(conn)
                .await
                .map_err(Error::database(doing))?;
            Ok(())
        }
    }
}

async fn number(conn: &mut SqliteConnection, sql: &'static str) -> Result<i64, Error> {
    sqlx::query_scalar(sql).fetch_one(conn).await.map_err(Error::database("read where to go on"))
}
