//! Stores that break a promise on purpose: whoever looks on must see it.

use std::sync::Arc;

use zelo_core::Timestamp;
use zelo_core::settle::{Checkpoint, Checkpointed, Settlement};
use zelo_store::{Error, Outcome, Store};

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    Not,
    /// A worker settles under whatever lease there is now, not under its own.
    Settles,
    /// What a worker did in the midst of its attempt is let in though its lease is gone.
    Checkpoints,
    /// An arrival is answered first, and stored later.
    AnswersEarly,
}

impl Broken {
    pub(crate) async fn settle(self, store: Arc<dyn Store>, mut settlement: Settlement, now: Timestamp) -> Result<Outcome, Error> {
        if self == Self::Settles
            && let Some(view) = store.job(settlement.job).await?
        {
            settlement.lease = view.job.lease;
        }
        store.settle(settlement, now).await
    }

    pub(crate) async fn checkpoint(self, store: Arc<dyn Store>, mut checkpoint: Checkpoint, now: Timestamp) -> Result<Checkpointed, Error> {
        if self == Self::Checkpoints
            && let Some(view) = store.job(checkpoint.job).await?
        {
            checkpoint.lease = view.job.lease;
        }
        store.checkpoint(checkpoint, now).await
    }
}
