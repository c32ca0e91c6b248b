//! Opening: the lock, the file, the schema, the check of the master key, the writer.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Mutex, mpsc};

use zelo_core::clock::from_ms;
use zelo_core::{Actor, Entropy};

use super::audit::Chain;
use super::column::ms;
use super::erase::{Erase, erase};
use super::figures::Gauges;
use super::identities::Written;
use super::keys::Sealer;
use super::line::Line;
use super::migrate::migrate;
use super::reader::{From, Pool, Reader};
use super::recent::Recent;
use super::writer::{Desk, Writer};
use super::{SqliteConfig, SqliteStore};
use crate::register::Register;
use crate::seal::{Keyring, Place, Root, open_own, seal_own};
use crate::{Duties, Error, MasterKey};

/// How long somebody else may hold the database: no zelo does, but a program that somebody looks into it with may.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Prepared statements a connection keeps. Of trips there are as many as there are sizes of batches, some of them a quarter of a megabyte: those
/// that were not used for long give way.
const STATEMENTS: usize = 128;

/// What is sealed to tell a wrong master key from a right one.
pub(super) const CHECK: &[u8] = b"zelo";

/// Where the store's own secrets stand.
pub(super) const ROOT_AT: Place<'static> = Place { table: "meta", column: "value", row: b"root" };

pub(super) const CHECK_AT: Place<'static> = Place { table: "meta", column: "value", row: b"key_check" };

const NEXT_JOB: &str =
    "SELECT coalesce(max(seq), 0) + 1 FROM (SELECT max(seq) AS seq FROM jobs UNION ALL SELECT max(seq) FROM job_history)";
// Never a place again that was merged: what stands there would not be read up after a crash. The last events may have been deleted.
const NEXT_EVENT: &str = "SELECT max(coalesce((SELECT max(seq) FROM events), 0), \
    coalesce((SELECT CAST(CAST(value AS TEXT) AS INTEGER) FROM meta WHERE name = 'merged'), 0)) + 1";
const NEXT_KEY: &str = "SELECT coalesce(max(key_id), 0) + 1 FROM seal_keys";
const LATEST: &str = "SELECT coalesce((SELECT received FROM events ORDER BY seq DESC LIMIT 1), 0)";

/// Opens the store and starts its writer.
pub(super) async fn open(config: SqliteConfig, master: MasterKey, entropy: Arc<dyn Entropy>) -> Result<Arc<SqliteStore>, Error> {
    let mut opened = alone(&config, &master, entropy).await?;
    let register = config.register.as_deref().map(|path| Register::new(path, opened.desk.signer.public_key()));
    if let Some(register) = &register {
        apply(&mut opened, register, &config.duties).await?;
    }
    let Opened { conn, desk, ring, options, lock, .. } = opened;
    let conn = Arc::new(Mutex::new(conn));
    let from = match &config.path {
        Some(_) => From::Pool(Pool::new(options.read_only(true))),
        None => From::Writer(conn.clone()),
    };
    let (commands, waiting) = mpsc::channel(config.queue.max(1));
    let (indexer, audit_key) = (desk.indexer.clone(), desk.signer.public_key());
    let gauges = Arc::new(Gauges { pulse: desk.pulse.clone(), path: config.path });
    let writer = Writer { conn, desk, commands: waiting, batch: config.batch.max(1), lock };
    let writer = tokio::spawn(writer.run());
    let (reader, writer) = (Reader { from, ring }, Mutex::new(Some(writer)));
    let (budgets, records) = Default::default();
    let (backups, replays) = Default::default();
    let duties = config.duties;
    let store = SqliteStore { indexer, audit_key, register, duties, commands, reader, budgets, records, gauges, writer, backups, replays };
    Ok(Arc::new(store))
}

/// Changes the master key of the store, which nobody else has open.
pub(super) async fn rotate(
    config: SqliteConfig,
    old: MasterKey,
    new: &MasterKey,
    entropy: Arc<dyn Entropy>,
    now: Timestamp,
) -> Result<u64, Error> {
    let mut opened = alone(&config, &old, entropy.clone()).await?;
    let keys = super::rotate::rotate(&mut opened, new, entropy, now).await?;
    opened.conn.close().await.map_err(Error::database("close"))?;
    Ok(keys)
}

/// A store that is open, and that nobody writes to yet.
pub(super) struct Opened {
    pub conn: SqliteConnection,
    pub desk: Desk,
    pub ring: Arc<Keyring>,
    pub root: Root,
    options: SqliteConnectOptions,
    lock: Option<File>,
}

async fn alone(config: &SqliteConfig, master: &MasterKey, entropy: Arc<dyn Entropy>) -> Result<Opened, Error> {
    let name = config.path.as_ref().map_or_else(|| "the database in memory".into(), |path| path.display().to_string());
    let lock = config.path.as_deref().map(prepare).transpose()?;
    let options = match &config.path {
        Some(path) => SqliteConnectOptions::new().filename(path).create_if_missing(true),
        None => SqliteConnectOptions::new().in_memory(true),
    };
    let options = options.statement_cache_capacity(STATEMENTS).disable_statement_logging().busy_timeout(PATIENCE);
    let mut conn = writing(options.clone()).connect().await.map_err(Error::database("open"))?;
    migrate(&mut conn, &name).await?;
    let root = root(&mut conn, master, entropy.as_ref(), &name).await?;
    let ring = Keyring::new(master, &root, entropy);
    #[cfg(feature = "unsealed")]
    let ring = ring.sealing(!config.unsealed);
    let ring = Arc::new(ring);
    let desk = Desk {
        indexer: root.indexer(),
        signer: root.signer(),
        chain: Chain::load(&mut conn).await?,
        known: Written::default(),
        recent: Recent::load(&mut conn, config.recent).await?,
        sealer: Sealer::new(ring.clone(), number(&mut conn, NEXT_KEY).await?),
        next_event: number(&mut conn, NEXT_EVENT).await?,
        next_job: number(&mut conn, NEXT_JOB).await?,
        line: Line::load(&mut conn).await?,
        scrub: false,
        failing: false,
        bare_after: 0,
        latest: from_ms(number(&mut conn, LATEST).await?).max(Timestamp::UNIX_EPOCH),
        pulse: Arc::default(),
    };
    Ok(Opened { conn, desk, ring, root, options, lock })
}

/// Erases again whoever the register names and a backup brought back, before anybody can look.
async fn apply(opened: &mut Opened, register: &Register, duties: &Duties) -> Result<(), Error> {
    let doing = "apply the register of erasures";
    register.prepare(meta(&mut opened.conn, "register").await?.is_some())?;
    let Opened { conn, desk, .. } = opened;
    put_meta(conn, "register", vec![1]).await?;
    let mut erased = 0;
    for line in register.lines()? {
        let now = desk.latest.max(line.at);
        let wanted = Erase { subject: line.erased, duties: duties.clone(), actor: Actor::engine(), now, again: true };
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.map_err(Error::database(doing))?;
        // Who was on hold when the backup was made was let go before they were erased.
        let query = sqlx::query("DELETE FROM holds WHERE pseudonym = ?1 AND at <= ?2").bind(line.erased.bytes().to_vec()).bind(ms(line.at));
        query.execute(&mut *tx).await.map_err(Error::database(doing))?;
        let found = erase(&mut tx, desk, &wanted).await?.is_some();
        tx.commit().await.map_err(Error::database(doing))?;
        desk.committed();
        erased += u32::from(found);
    }
    if erased > 0 {
        tracing::warn!(
            people = erased,
            "people who had been erased were in this database, as a restored backup has them; they were erased again"
        );
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(conn).await.map_err(Error::database(doing))?;
    }
    Ok(())
}

/// Takes the lock, and makes folder and file where they are missing, for the owner's eyes only.
fn prepare(path: &Path) -> Result<File, Error> {
    let lock = lock(path)?;
    let mut file = private().create(true).open(path).map_err(|error| failed(path, &error))?;
    look(path, &mut file)?;
    Ok(lock)
}

/// Takes the lock of the store at `path`, and makes its folder where that is missing.
pub(super) fn lock(path: &Path) -> Result<File, Error> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    }
    let lock_path = PathBuf::from(format!("{}.lock", path.display()));
    let lock = private().create(true).open(&lock_path).map_err(|error| failed(&lock_path, &error))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::Open(format!(
            "another zelo has {} open, and only one can: stop that one first, or give this one a file of its own ([store] url)",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(failed(&lock_path, &error)),
    }
}

/// What can be told from the outside, before anything is written: the rest SQLite finds when it reads.
///
/// No page is checked at the start. A stop at any moment leaves what was committed, whatever it was (`synchronous = FULL`), so one that
/// was not clean says nothing about the pages; and what a disk has lost it may lose at any time, and in pages that only a look through
/// all of them finds, which takes as long as reading the file (`docs/operations.md` has figures). Each backup is looked through in full
/// instead.
fn look(path: &Path, file: &mut File) -> Result<(), Error> {
    let mut head = Vec::new();
    file.take(MAGIC.len() as u64).read_to_end(&mut head).map_err(|error| failed(path, &error))?;
    let log = log_of(path);
    if head.is_empty() && std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(Error::Open(format!(
            "{} is empty or was not there, but {} is, which belongs to it: bring the database back, or restore a backup (zelo restore FILE \
             --replace), which moves both aside",
            path.display(),
            log.display()
        )));
    }
    if !head.is_empty() && head != MAGIC {
        return Err(Error::Open(format!(
            "{} is not a database: it is another program's, or its beginning is damaged. Nothing was changed. Give zelo a file of its own \
             ([store] url), or restore a backup (zelo restore FILE --replace)",
            path.display()
        )));
    }
    Ok(())
}

/// How every SQLite database begins.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";

/// Where SQLite keeps what is committed, and not in the file of the database yet.
pub(super) fn log_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", path.display()))
}

fn failed(what: &Path, error: &std::io::Error) -> Error {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => ": zelo's user must be able to write there",
        ErrorKind::ReadOnlyFilesystem => ": the disk is mounted for reading only, and zelo has to write there",
        ErrorKind::StorageFull => ": the disk is full",
        _ => "",
    };
    Error::Open(format!("cannot open {}: {error}{advice}", what.display()))
}

/// Opens a file that only its owner may read. SQLite gives its log files the same rights.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).truncate(false);
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
        // What is deleted is overwritten where that costs no write of its own: so are keys that were destroyed.
        .pragma("secure_delete", "FAST")
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
}

/// The secrets of the store. Refuses a master key that is not the one it was made with; a new store remembers its own.
async fn root(conn: &mut SqliteConnection, master: &MasterKey, entropy: &dyn Entropy, name: &str) -> Result<Root, Error> {
    if let Some(root) = root_with(conn, master, name).await? {
        return Ok(root);
    }
    if meta(conn, "key_check").await?.is_none() {
        put_meta(conn, "key_check", seal_own(master, entropy, CHECK_AT, CHECK)).await?;
    }
    let root = Root::first(master, entropy);
    put_meta(conn, "root", seal_own(master, entropy, ROOT_AT, root.bytes())).await?;
    Ok(root)
}

/// The secrets that the store has already, opened with `master`, which must be the key it was made with.
pub(super) async fn root_with(conn: &mut SqliteConnection, master: &MasterKey, name: &str) -> Result<Option<Root>, Error> {
    let wrong = || Error::Sealed { what: name.to_owned() };
    if let Some(check) = meta(conn, "key_check").await? {
        open_own(master, CHECK_AT, &check).ok().filter(|plain| plain.as_slice() == CHECK).ok_or_else(wrong)?;
    }
    let Some(sealed) = meta(conn, "root").await? else { return Ok(None) };
    let plain = open_own(master, ROOT_AT, &sealed).map_err(|_| wrong())?;
    Root::from_bytes(&plain).map(Some).ok_or_else(wrong)
}

/// A fact about the store itself.
pub(super) async fn meta(conn: &mut SqliteConnection, name: &'static str) -> Result<Option<Vec<u8>>, Error> {
    let query = sqlx::query_scalar("SELECT value FROM meta WHERE name = ?1").bind(name);
    query.fetch_optional(conn).await.map_err(Error::database("check the master key"))
}

/// Writes a fact about the store itself.
pub(super) async fn put_meta(conn: &mut SqliteConnection, name: &'static str, value: Vec<u8>) -> Result<(), Error> {
    let query = sqlx::query("INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value");
    query.bind(name).bind(value).execute(conn).await.map_err(Error::database("note something about the store"))?;
    Ok(())
}

async fn number(conn: &mut SqliteConnection, sql: &'static str) -> Result<i64, Error> {
    sqlx::query_scalar(sql).fetch_one(conn).await.map_err(Error::database("read where to go on"))
}
