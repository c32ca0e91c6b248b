//! Copying the log into the database, beside the writer.
//!
//! SQLite does this by itself at the commit that makes the log long enough, and all who wait for that commit wait for
//! tens of megabytes to reach the disk. This task does most of it before, on a connection of its own and without
//! holding anybody up (a passive checkpoint); what is left for the writer is little.

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Writes after which it is time: some ten megabytes of log.
const EVERY: usize = 1024;

/// Tells the task when to work. When it is dropped, the task ends.
pub(crate) struct Checkpoints {
    wake: mpsc::Sender<()>,
    task: JoinHandle<()>,
    written: usize,
}

impl Checkpoints {
    /// Starts the task, on `conn`.
    pub(crate) fn start(mut conn: SqliteConnection) -> Self {
        let (wake, mut woken) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            while woken.recv().await.is_some() {
                // Copying is only ever early here: what fails is done by the writer, or tells it why it cannot be.
                if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut conn).await {
                    tracing::warn!(%error, "the log could not be copied into the database yet");
                }
            }
            if let Err(error) = conn.close().await {
                tracing::debug!(%error, "closing the connection of checkpoints");
            }
        });
        Self { wake, task, written: 0 }
    }

    /// So many writes were committed.
    pub(crate) fn wrote(&mut self, writes: usize) {
        self.written += writes;
        // Where it is at work already, it is told again later.
        if self.written >= EVERY && self.wake.try_send(()).is_ok() {
            self.written = 0;
        }
    }

    /// Lets it finish.
    pub(crate) async fn stop(self) {
        drop(self.wake);
        let _ = self.task.await;
    }
}
