//! What must be on disk in the midst of an attempt: a counter's new value, the beginning or the result of something outward, each with
//! all that the attempt did before it.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use zelo_core::settle::{Checkpoint, Checkpointed, Purpose, begins};
use zelo_core::{EffectResult, Job, JobState, JournalEntry, KeyHash};

use super::audit;
use super::column::ms;
use super::effects::{Effects, Within};
use super::jobs;
use super::keys::Keys;
use super::others::{Others, Records, shown_in};
use super::settle::emit;
use super::steps::wake;
use super::trip::Pipeline;
use super::writer::{Desk, Write};
use crate::Error;

const COUNT: &str = "INSERT INTO counters (slot, connection, clinic, value, updated) VALUES (?1, ?2, ?3, 1, ?4) \
    ON CONFLICT (slot) DO UPDATE SET value = value + 1, updated = excluded.updated RETURNING value";

/// Asks for a checkpoint.
pub(crate) struct Check {
    pub checkpoint: Checkpoint,
    pub now: Timestamp,
}

#[async_trait]
impl Write for Check {
    type Answer = Checkpointed;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Checkpointed, Error> {
        desk.saw(self.now);
        let Checkpoint { job, lease, journal, local, emitted, purpose } = &self.checkpoint;
        let Some((kept, job)) = jobs::by_ids(conn, vec![*job]).await?.pop() else { return Ok(Checkpointed::Stale) };
        if job.state != JobState::Running || job.lease != *lease {
            return Ok(Checkpointed::Stale);
        }
        if let Some(reason) = job.cancel.clone().filter(|_| !matches!(purpose, Purpose::Done)) {
            return Ok(Checkpointed::Cancelled(reason));
        }
        let shown: Vec<KeyHash> = shown_in(&desk.indexer, &job.connection, journal).collect();
        let records = Records::load(conn, shown.iter().copied()).await?;
        if records.lack(&shown) {
            return Ok(Checkpointed::Stale);
        }
        let counted = match purpose {
            Purpose::Count { slot, index, effect } => {
                let value = count(conn, &job, *slot, self.now).await?;
                Some((value, *index, JournalEntry::Effect { effect: effect.clone(), result: EffectResult::Counted { value } }))
            }
            Purpose::Begin | Purpose::Done => None,
        };
        match purpose {
            Purpose::Begin => jobs::fly(conn, kept, true).await?,
            Purpose::Done => jobs::fly(conn, kept, false).await?,
            Purpose::Count { .. } => {}
        }
        if let Some(invocation) = begins(journal) {
            jobs::begin(conn, kept, &invocation.disclosure.plugin).await?;
        }
        let keys = Keys::load(conn, desk.sealer.ring(), vec![kept.key_id]).await?;
        let mut effects = Effects::default();
        effects.collect(job.id, journal, local, self.now);
        effects.journal.extend(counted.iter().map(|(_, index, entry)| (job.id, *index, entry, self.now)));
        let within =
            Within { desk, keys: &keys, jobs: HashMap::from([(job.id, (kept, &job))]), shown: HashMap::from([(job.id, shown)]), records };
        let others = Others::load(conn, [job.id]).await?;
        let mut pipe = Pipeline::new(conn);
        let stored = effects.store(&mut pipe, &within, others).await?;
        wake(&mut pipe, &stored.records).await?;
        audit::write(pipe.later(), desk, stored.audit);
        emit(&mut pipe, desk, &stored.others, &[(0, job.id, emitted)], &mut []).await?;
        pipe.now().await?;
        Ok(counted.map_or(Checkpointed::Kept, |(value, ..)| Checkpointed::Counted(value)))
    }
}

/// The counter at `slot` goes up by one.
async fn count(conn: &mut SqliteConnection, job: &Job, slot: KeyHash, now: Timestamp) -> Result<u64, Error> {
    let value: i64 = sqlx::query_scalar(COUNT)
        .bind(slot.0.to_vec())
        .bind(&job.connection)
        .bind(&job.clinic)
        .bind(ms(now))
        .fetch_one(conn)
        .await
        .map_err(Error::database("count"))?;
    u64::try_from(value).map_err(|_| Error::Inconsistent {
        table: "counters",
        column: "value",
        row: format!("{slot:?}"),
        why: format!("{value} is no count"),
    })
}
