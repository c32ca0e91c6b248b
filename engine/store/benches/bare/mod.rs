//! The other side of what storing costs: a group commit and nothing else.
//!
//! What is left when zelo is taken away: one task, one connection with the same pragmas, batches of the same size, multi-row inserts of
//! `(id, body)`, one `COMMIT` for each batch, the callers answered after it.

use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::sync::{mpsc, oneshot};

/// What shares a transaction at most.
pub(crate) const BATCH: usize = 256;

/// The one who writes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Bare(mpsc::Sender<Put>);

/// A body, its id, and whom to tell that it is on disk.
type Put = (u64, Arc<[u8]>, oneshot::Sender<()>);

impl Bare {
    /// Into a new file at `path`.
    pub(crate) async fn open(path: &Path) -> Self {
        let mut conn = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", "-32768")
            .pragma("wal_autocheckpoint", "8192")
            .pragma("temp_store", "memory")
            .disable_statement_logging()
            .connect()
            .await
            .unwrap();
        sqlx::query("CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT").execute(&mut conn).await.unwrap();
        let (sender, mut waiting) = mpsc::channel(4096);
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(BATCH);
            while waiting.recv_many(&mut batch, BATCH).await > 0 {
                // The same courtesy as in the store: who is about to write may come along.
                let mut seen = 0;
                while seen < batch.len() && batch.len() < BATCH {
                    seen = batch.len();
                    tokio::task::yield_now().await;
                    while batch.len() < BATCH
                        && let Ok(one) = waiting.try_recv()
                    {
                        batch.push(one);
                    }
                }
                bare_commit(&mut conn, &batch).await;
                for (_, _, reply) in batch.drain(..) {
                    let _ = reply.send(());
                }
            }
        });
        Self(sender)
    }

    /// Returns when it is on disk.
    pub(crate) async fn put(&self, id: u64, body: Arc<[u8]>) {
        let (reply, answer) = oneshot::channel();
        self.0.send((id, body, reply)).await.unwrap();
        answer.await.unwrap();
    }
}

async fn bare_commit(conn: &mut SqliteConnection, batch: &[Put]) {
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let mut rest = batch;
    for size in [256, 64, 16, 4, 1] {
        while rest.len() >= size {
            let (part, left) = rest.split_at(size);
            let sql = format!("INSERT INTO bodies (id, body) VALUES {}", vec!["(?,?)"; size].join(","));
            let query =
                part.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, (id, body, _)| query.bind(*id as i64).bind(body.to_vec()));
            query.execute(&mut *tx).await.unwrap();
            rest = left;
        }
    }
    tx.commit().await.unwrap();
}
