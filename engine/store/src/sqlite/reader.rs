//! Reading beside the writer.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::Error;
use crate::seal::Keyring;

/// Readers side by side: pages and workers; one writer keeps them fed.
const READERS: u32 = 4;

/// How long somebody waits for one of them.
const WAIT: Duration = Duration::from_secs(30);

/// Hands out connections that read.
#[derive(Clone)]
pub(crate) struct Reader {
    pub from: From,
    pub ring: Arc<Keyring>,
}

/// Where reads go.
#[derive(Clone)]
pub(crate) enum From {
    /// A file: connections of their own, which see what is committed and never wait for the writer.
    Pool(Arc<Pool>),
    /// In memory: there is one connection, free between the writer's transactions.
    Writer(Arc<Mutex<SqliteConnection>>),
}

/// Connections that read a file, opened as they are wanted and kept for whoever comes next.
///
/// The pool that sqlx has asks each connection that comes back whether it is still there, on that connection's own thread. Nobody can
/// have gone here, and for a read of one row the question takes as long as the answer.
pub(crate) struct Pool {
    pub options: SqliteConnectOptions,
    /// For as many as may be out.
    room: Arc<Semaphore>,
    /// Those that are not out, the last one last.
    kept: std::sync::Mutex<Vec<SqliteConnection>>,
}

/// A connection for reading.
pub(crate) enum ReadConnection {
    Pooled(Lent),
    Shared(OwnedMutexGuard<SqliteConnection>),
}

/// A connection that goes back to its pool. It is there until it is dropped.
pub(crate) struct Lent {
    conn: Option<SqliteConnection>,
    pool: Arc<Pool>,
    /// Given back after it.
    _room: OwnedSemaphorePermit,
}

impl Pool {
    /// Opens connections with `options`; none yet.
    pub(crate) fn new(options: SqliteConnectOptions) -> Arc<Self> {
        Arc::new(Self { options, room: Arc::new(Semaphore::new(READERS as usize)), kept: std::sync::Mutex::default() })
    }

    async fn lend(self: &Arc<Self>) -> Result<Lent, Error> {
        let doing = "open a connection for reading";
        let room = match self.room.clone().try_acquire_owned() {
            Ok(room) => room,
            Err(_) => match tokio::time::timeout(WAIT, self.room.clone().acquire_owned()).await {
                Ok(room) => room.map_err(|_| Error::Closed)?,
                Err(_) => return Err(Error::database(doing)(sqlx::Error::PoolTimedOut)),
            },
        };
        let kept = self.kept().pop();
        let conn = match kept {
            Some(conn) => conn,
            None => self.options.connect().await.map_err(Error::database(doing))?,
        };
        Ok(Lent { conn: Some(conn), pool: self.clone(), _room: room })
    }

    /// Waits until all are back, lends none any more and closes them.
    async fn close(&self) {
        if let Ok(all) = self.room.acquire_many(READERS).await {
            self.room.close();
            drop(all);
        }
        let kept = std::mem::take(&mut *self.kept());
        for conn in kept {
            if let Err(error) = conn.close().await {
                tracing::warn!(%error, "a connection that read did not close cleanly; nothing is lost");
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        // Nothing that is done under it can leave it half done.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.pool.kept().extend(self.conn.take());
    }
}

impl Reader {
    /// Waits for a connection.
    pub(crate) async fn conn(&self) -> Result<ReadConnection, Error> {
        match &self.from {
            From::Pool(pool) => pool.lend().await.map(ReadConnection::Pooled),
            From::Writer(conn) => Ok(ReadConnection::Shared(conn.clone().lock_owned().await)),
        }
    }

    /// Waits for reads that run, and refuses more.
    pub(crate) async fn close(&self) {
        if let From::Pool(pool) = &self.from {
            pool.close().await;
        }
    }
}

impl Deref for ReadConnection {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match self {
            Self::Pooled(lent) => lent.conn.as_ref().unwrap_or_else(|| unreachable!("it goes back when it is dropped")),
            Self::Shared(conn) => conn,
        }
    }
}

impl DerefMut for ReadConnection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Pooled(lent) => lent.conn.as_mut().unwrap_or_else(|| unreachable!("it goes back when it is dropped")),
            Self::Shared(conn) => conn,
        }
    }
}
