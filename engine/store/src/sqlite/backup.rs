//! Backups: an exact copy beside the writer, looked through before it gets its name.
//!
//! `VACUUM INTO` writes it from one snapshot, on a connection that only reads: nothing that was deleted is in it, and writes go on
//! meanwhile, into the log of writes, which cannot be emptied until it is done.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};

use zelo_core::audit::Head;
use zelo_core::clock::from_ms;

use super::audit;
use super::migrate;
use super::open::{MAGIC, lock, log_of, meta, private, root_with};
use super::reader::{From, Reader};
use crate::register::Register;
use crate::{AuditEnd, BackupReport, Error, MasterKey, Restored};

/// Findings of a check that are told: one is enough to know.
const FINDINGS: u32 = 5;

/// From this schema on there is the audit log that can be verified.
const AUDITED: u32 = 7;

const JOBS: &str = "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM job_history)";

/// Copies the store behind `reader` to `target`, where nothing may be. `key` verifies its audit log.
pub(super) async fn backup(reader: Reader, key: [u8; 32], target: PathBuf) -> Result<BackupReport, Error> {
    let part = beside(&target, ".part");
    let made = on_disk({
        let (target, part) = (target.clone(), part.clone());
        move || {
            vacant(&target)?;
            // One that died left it; two of one store at a time are kept apart by who calls this.
            forget(&part)?;
            make(&part).map(drop)
        }
    });
    made.await?;
    let copied = copy_out(&reader, key, &part).await;
    let named = match copied {
        Ok(report) => {
            on_disk({
                let part = part.clone();
                move || {
                    vacant(&target)?;
                    put(&part, &target)?;
                    Ok(report)
                }
            })
            .await
        }
        Err(error) => Err(error),
    };
    if named.is_err() {
        // It says nothing to anybody; the error does.
        let _ = on_disk(move || forget(&part)).await;
    }
    named
}

/// Writes the copy and looks through it.
async fn copy_out(reader: &Reader, key: [u8; 32], part: &Path) -> Result<BackupReport, Error> {
    let doing = "write the backup";
    let name = address(part)?;
    let (heads, last) = match &reader.from {
        // A connection of its own: it takes as long as it takes, and the readers serve others.
        From::Pool(pool) => {
            let mut conn = pool.options.connect().await.map_err(Error::database("open"))?;
            let before = before(&mut conn).await;
            let copied = sqlx::query("VACUUM INTO ?1").bind(&name).execute(&mut conn).await;
            conn.close().await.map_err(Error::database(doing))?;
            copied.map_err(Error::database(doing))?;
            before?
        }
        From::Writer(_) => {
            let mut conn = reader.conn().await?;
            let before = before(&mut conn).await?;
            sqlx::query("VACUUM INTO ?1").bind(&name).execute(&mut *conn).await.map_err(Error::database(doing))?;
            before
        }
    };
    let report = examine(part, "the store", Some((key, heads))).await?;
    // What was there before the copy began must be in it.
    if report.audit.as_ref().map_or(0, |end| end.seq) < last {
        return Err(Error::Damaged { what: "the backup".to_owned(), found: format!("its audit log ends before entry {last}") });
    }
    Ok(report)
}

/// How SQLite is told of a file to write, whatever it was told of the one that it reads (<https://sqlite.org/uri.html>).
fn address(path: &Path) -> Result<String, Error> {
    let name = path.to_str().ok_or_else(|| Error::Open(format!("{} is not a name in UTF-8; choose another", path.display())))?;
    let name = name.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Ok(format!("file:{name}?mode=rwc&cache=private"))
}

/// The signed heads of the audit log and its last entry, before a copy is made.
async fn before(conn: &mut SqliteConnection) -> Result<(Vec<Head>, u64), Error> {
    Ok((audit::heads(conn).await?, audit::last(conn).await?.map_or(0, |link| link.seq)))
}

/// Looks through the database at `path`, which nobody writes to: whether it is zelo's, of a schema that this version knows, and whole; its
/// audit log too, where `key` is given, which is held against `heads`.
async fn examine(path: &Path, name: &str, audit: Option<([u8; 32], Vec<Head>)>) -> Result<BackupReport, Error> {
    let mut conn = look_at(path).await?;
    let schema = migrate::known(&mut conn, name).await?;
    let doing = "look through the backup";
    let found: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("PRAGMA integrity_check({FINDINGS})")))
        .fetch_all(&mut conn)
        .await
        .map_err(Error::database(doing))?;
    if found != ["ok"] {
        return Err(Error::Damaged { what: name.to_owned(), found: found.join("; ") });
    }
    let count = async |conn: &mut SqliteConnection, sql: &'static str| -> Result<u64, Error> {
        let count: i64 = sqlx::query_scalar(sql).fetch_one(conn).await.map_err(Error::database(doing))?;
        Ok(u64::try_from(count).unwrap_or(0))
    };
    let events = count(&mut conn, "SELECT count(*) FROM events").await?;
    let jobs = count(&mut conn, JOBS).await?;
    let newest: Option<i64> = sqlx::query_scalar("SELECT received FROM events ORDER BY seq DESC LIMIT 1")
        .fetch_optional(&mut conn)
        .await
        .map_err(Error::database(doing))?;
    let mut end = None;
    if schema >= AUDITED {
        if let Some((key, heads)) = audit {
            let verified = audit::verify(&mut conn, key, heads).await?;
            if let Some(finding) = verified.findings.first() {
                return Err(Error::Damaged { what: format!("the audit log in {name}"), found: finding.to_string() });
            }
        }
        end = audit::last(&mut conn).await?.map(|link| AuditEnd { seq: link.seq, hash: HEXLOWER.encode(&link.hash) });
    }
    conn.close().await.map_err(Error::database(doing))?;
    let bytes = on_disk({
        let path = path.to_owned();
        move || fs::metadata(&path).map(|file| file.len()).map_err(|error| failed(&path, &error))
    });
    Ok(BackupReport { bytes: bytes.await?, schema, events, jobs, newest: newest.map(from_ms), audit: end })
}

/// A connection to a database that stands still; nothing is made beside it.
async fn look_at(path: &Path) -> Result<SqliteConnection, Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true).disable_statement_logging();
    options.connect().await.map_err(|error| match error {
        sqlx::Error::Database(_) => Error::Open(format!("{} is not a database of zelo", path.display())),
        error => Error::database("open the backup")(error),
    })
}

/// Looks through `backup`, and whether `master` opens it. Nothing is changed.
pub(super) async fn check(backup: &Path, master: &MasterKey) -> Result<BackupReport, Error> {
    by_itself(backup)?;
    check_copy(backup, backup, master).await
}

/// A database that something was written to lately is not whole without its log.
fn by_itself(backup: &Path) -> Result<(), Error> {
    let log = log_of(backup);
    if fs::metadata(&log).is_ok_and(|file| file.len() > 0) {
        return Err(Error::Open(format!(
            "{} lies beside it: this is a store as it runs, or a part of one, and no backup. Bring both to where they were, and start zelo \
             there",
            log.display()
        )));
    }
    Ok(())
}

/// Looks through `copy`, which messages call `backup`.
async fn check_copy(copy: &Path, backup: &Path, master: &MasterKey) -> Result<BackupReport, Error> {
    let mut head = Vec::new();
    let begins = File::open(copy).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut head));
    begins.map_err(|error| failed(backup, &error))?;
    let name = backup.display().to_string();
    if head != MAGIC {
        return Err(Error::Open(format!("{name} is not a backup of zelo")));
    }
    let mut conn = look_at(copy).await?;
    migrate::known(&mut conn, &name).await?;
    let key = root_with(&mut conn, master, &name).await?.map(|root| root.signer().public_key());
    conn.close().await.map_err(Error::database("close"))?;
    examine(copy, &name, key.map(|key| (key, Vec::new()))).await
}

/// Puts a copy of `backup` in the place of the store at `path`, which nobody may have open. What is there is moved aside if `replace` says
/// what to add to its name.
pub(super) async fn restore(
    path: &Path,
    register: Option<&Path>,
    backup: &Path,
    master: &MasterKey,
    replace: Option<&str>,
) -> Result<Restored, Error> {
    if let (Ok(one), Ok(other)) = (fs::canonicalize(path), fs::canonicalize(backup))
        && one == other
    {
        return Err(Error::Open(format!("{} is the store itself", backup.display())));
    }
    let _lock = lock(path)?;
    let log = log_of(path);
    let there = path.exists() || log.exists();
    if there && replace.is_none() {
        return Err(Error::Open(format!(
            "there is a store already: {}. With --replace it is moved aside and kept, and the backup takes its place",
            path.display()
        )));
    }
    by_itself(backup)?;
    expect_register(backup, register, master).await?;
    let part = beside(path, ".restoring");
    let copied = on_disk({
        let (backup, part) = (backup.to_owned(), part.clone());
        move || {
            forget(&part)?;
            let copy = || io::copy(&mut File::open(&backup)?, &mut make_io(&part)?).map(drop);
            copy().map_err(|error| failed(&part, &error))
        }
    });
    let report = match copied.await {
        Ok(()) => check_copy(&part, backup, master).await,
        Err(error) => Err(error),
    };
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            let _ = on_disk(move || forget(&part)).await;
            return Err(error);
        }
    };
    let moved = replace.filter(|_| there).map(|mark| beside(path, mark));
    let (path, aside) = (path.to_owned(), moved.clone());
    on_disk(move || {
        if let Some(aside) = &aside {
            move_aside(&path, aside)?;
        }
        put(&part, &path)
    })
    .await?;
    Ok(Restored { report, moved })
}

/// A backup of a store that had a register must not be opened without it.
async fn expect_register(backup: &Path, register: Option<&Path>, master: &MasterKey) -> Result<(), Error> {
    let (Some(register), name) = (register, backup.display().to_string()) else { return Ok(()) };
    let mut conn = look_at(backup).await?;
    migrate::known(&mut conn, &name).await?;
    let expected = meta(&mut conn, "register").await?.is_some();
    let root = root_with(&mut conn, master, &name).await?;
    conn.close().await.map_err(Error::database("close"))?;
    match root {
        Some(root) if expected => Register::new(register, root.signer().public_key()).prepare(true),
        _ => Ok(()),
    }
}

/// Gives the store at `path` the name `aside`, with its log of writes, which belongs to it. The database goes first: where this is
/// interrupted, a log without a database is refused at the next start, and nothing is opened without what it wrote last.
fn move_aside(path: &Path, aside: &Path) -> Result<(), Error> {
    for (from, to) in [(path.to_owned(), aside.to_owned()), (log_of(path), log_of(aside))] {
        vacant(&to)?;
        match fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&from, &error)),
            _ => {}
        }
    }
    // An index of the log, which is made anew.
    forget(&beside(path, "-shm"))?;
    sync_folder(path)
}

/// Has `part` on disk, under the name `target`.
fn put(part: &Path, target: &Path) -> Result<(), Error> {
    let synced = File::open(part).and_then(|file| file.sync_all()).and_then(|()| fs::rename(part, target));
    synced.map_err(|error| failed(target, &error))?;
    sync_folder(target)
}

fn sync_folder(file: &Path) -> Result<(), Error> {
    let folder = folder_of(file);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(folder, &error))
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Nothing is ever overwritten.
fn vacant(target: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(target) {
        Ok(_) => Err(Error::Open(format!("{} is there already, and is not overwritten; choose another name", target.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(target, &error)),
    }
}

fn make(part: &Path) -> Result<File, Error> {
    make_io(part).map_err(|error| {
        let folder = folder_of(part).display();
        Error::Open(match error.kind() {
            io::ErrorKind::NotFound => format!("the folder {folder} is not there; make it first"),
            _ => format!("nothing can be written in {folder}: {error}. Choose a folder that zelo's user may write to"),
        })
    })
}

/// Makes a file that only its owner may read, where there is none.
fn make_io(path: &Path) -> io::Result<File> {
    let mut options: OpenOptions = private();
    options.create_new(true).open(path)
}

fn forget(part: &Path) -> Result<(), Error> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(part, &error)),
        _ => Ok(()),
    }
}

fn failed(what: &Path, error: &io::Error) -> Error {
    Error::Open(format!("{}: {error}", what.display()))
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Work on files, which may take long, where it holds up nobody.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)?
}
