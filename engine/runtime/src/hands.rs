//! The jobs that this process has in hand, each under its lease.
//!
//! Within the process this decides: what is in hand is given to nobody else, whatever the clock says. Between processes the lease does,
//! and the heartbeat that renews it; who has lost it is told here, and lets go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use zelo_core::{Job, JobId};

/// A job and the number of its lease.
type Lease = (JobId, u64);

type Leases = Arc<Mutex<HashMap<Lease, Arc<Notify>>>>;

/// All jobs in hand.
#[derive(Clone, Default)]
pub(crate) struct Hands(Leases);

/// A job in hand, until this is dropped.
pub(crate) struct Held {
    lease: Lease,
    lost: Arc<Notify>,
    of: Leases,
}

impl Hands {
    pub(crate) fn hold(&self, job: &Job) -> Held {
        let (lease, lost) = ((job.id, job.lease), Arc::new(Notify::new()));
        lock(&self.0).insert(lease, lost.clone());
        Held { lease, lost, of: self.0.clone() }
    }

    /// What is in hand.
    pub(crate) fn leases(&self) -> Vec<Lease> {
        lock(&self.0).keys().copied().collect()
    }

    /// These leases are somebody else's now, or nobody's.
    pub(crate) fn lose(&self, lost: &[Lease]) {
        let held = lock(&self.0);
        lost.iter().filter_map(|lease| held.get(lease)).for_each(|held| held.notify_one());
    }
}

impl Held {
    /// Ends when the lease is lost.
    pub(crate) async fn lost(&self) {
        self.lost.notified().await;
    }
}

/// Under another lease the same job may be in hand again by now.
impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.of).remove(&self.lease);
    }
}

fn lock(leases: &Leases) -> MutexGuard<'_, HashMap<Lease, Arc<Notify>>> {
    leases.lock().unwrap_or_else(PoisonError::into_inner)
}
