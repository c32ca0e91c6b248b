//! What must be on disk in the midst of an attempt: a counter's new value, with all that the attempt did before it.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use zelo_core::settle::{Checkpoint, Checkpointed};
use zelo_core::{EffectResult, JobState, JournalEntry};

use super::column::ms;
use super::effects::{Effects, Within};
use super::jobs;
use super::keys::Keys;
use super::settle::emit;
use super::steps::wake;
use super::writer::{Desk, Write};
use crate::Error;

const COUNT: &str = "INSERT INTO counters (slot, connection, clinic, value, updated) VALUES (?1, ?2, ?3, 1, ?4) \
    ON CONFLICT (slot) DO UPDATE SET value = value + 1, updated = excluded.updated RETURNING value";

/// Asks for a counter, with all that must be on disk beside it.
pub(crate) struct Check {
    pub checkpoint: Checkpoint,
    pub now: Timestamp,
}

#[async_trait]
impl Write for Check {
    type Answer = Checkpointed;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Checkpointed, Error> {
        desk.saw(self.now);
        let Checkpoint { job, lease, journal, local, emitted, counter: (slot, index, effect) } = &self.checkpoint;
        let Some((kept, job)) = jobs::by_ids(conn, vec![*job]).await?.pop() else { return Ok(Checkpointed::Stale) };
        if job.state != JobState::Running || job.lease != *lease {
            return Ok(Checkpointed::Stale);
        }
        if let Some(reason) = job.cancel {
            return Ok(Checkpointed::Cancelled(reason));
        }
        let value: i64 = sqlx::query_scalar(COUNT)
            .bind(slot.0.to_vec())
            .bind(&job.connection)
            .bind(&job.clinic)
            .bind(ms(self.now))
            .fetch_one(&mut *conn)
            .await
            .map_err(Error::database("count"))?;
        let counted = u64::try_from(value).map_err(|_| Error::Inconsistent {
            table: "counters",
            column: "value",
            row: format!("{slot:?}"),
            why: format!("{value} is no count"),
        })?;
        let entry = JournalEntry::Effect { effect: effect.clone(), result: EffectResult::Counted { value: counted } };
        let keys = Keys::load(conn, desk.sealer.ring(), vec![kept.key_id]).await?;
        let mut effects = Effects::default();
        effects.collect(job.id, journal, local, self.now);
        effects.journal.push((job.id, *index, &entry, self.now));
        let within = Within { desk, keys: &keys, jobs: HashMap::from([(job.id, (kept, &job))]) };
        let written = effects.store(conn, &within).await?;
        wake(conn, &written).await?;
        emit(conn, desk, &[(0, emitted)], &mut []).await?;
        Ok(Checkpointed::Counted(counted))
    }
}
