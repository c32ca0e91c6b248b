//! Reading beside the writer.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::Sqlite;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::Error;
use crate::seal::Keyring;

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
    Pool(SqlitePool),
    /// In memory: there is one connection, free between the writer's transactions.
    Writer(Arc<Mutex<SqliteConnection>>),
}

/// A connection for reading.
pub(crate) enum ReadConnection {
    Pooled(PoolConnection<Sqlite>),
    Shared(OwnedMutexGuard<SqliteConnection>),
}

impl Reader {
    /// Waits for a connection.
    pub(crate) async fn conn(&self) -> Result<ReadConnection, Error> {
        match &self.from {
            From::Pool(pool) => match pool.acquire().await {
                Ok(conn) => Ok(ReadConnection::Pooled(conn)),
                Err(sqlx::Error::PoolClosed) => Err(Error::Closed),
                Err(error) => Err(Error::database("open a connection for reading")(error)),
            },
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
            Self::Pooled(conn) => conn,
            Self::Shared(conn) => conn,
        }
    }
}

impl DerefMut for ReadConnection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Pooled(conn) => conn,
            Self::Shared(conn) => conn,
        }
    }
}
