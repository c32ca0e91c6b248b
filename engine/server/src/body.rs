//! Reads the body of a delivery, within its limits: of bytes, of time, and of what all bodies together may hold.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// A body that was read. Its bytes count against the budget of all bodies until it is dropped.
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Held {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::new(), permit: None }
    }

    /// Takes `data` along: if that is not too much for this body, nor for all of them.
    pub(crate) fn take(&mut self, data: &[u8], max: usize, budget: &Arc<Semaphore>) -> Result<(), Problem> {
        if self.bytes.len() + data.len() > max {
            return Err(Problem::too_large(max));
        }
        let amount = u32::try_from(data.len()).map_err(|_| Problem::too_large(max))?;
        let permit = budget.clone().try_acquire_many_owned(amount).map_err(|_| Problem::busy())?;
        match &mut self.permit {
            Some(before) => before.merge(permit),
            none => *none = Some(permit),
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }
}

/// How fast a body must come once `timeout` is over, in bytes a millisecond: 256 KiB/s. Who sends by drops is cut off at `timeout`.
const PACE_MIN: usize = 256;

/// Reads `body`, of at most `max` bytes, within `timeout`; of much, each 256 KiB that are there give it another second.
///
/// A body that announces more than `max` bytes is refused before it is read.
pub(crate) async fn read(mut body: Body, max: usize, timeout: Duration, budget: &Arc<Semaphore>) -> Result<Held, Problem> {
    let announced = body.size_hint().lower();
    let outcome = if announced > max as u64 { Err(Problem::too_large(max)) } else { collect(&mut body, max, timeout, budget).await };
    if outcome.is_err() {
        linger(&mut body).await;
    }
    outcome
}

async fn collect(body: &mut Body, max: usize, timeout: Duration, budget: &Arc<Semaphore>) -> Result<Held, Problem> {
    let began = tokio::time::Instant::now();
    let deadline = |held: &Held| began + timeout + Duration::from_millis((held.bytes.len() / PACE_MIN) as u64);
    let mut held = Held::new();
    while let Some(frame) = tokio::time::timeout_at(deadline(&held), body.frame()).await.map_err(|_| Problem::slow())? {
        let frame = frame.map_err(|_| Problem::malformed("The body ended before its time, or is not framed as HTTP says."))?;
        let Ok(data) = frame.into_data() else { continue };
        held.take(&data, max, budget)?;
    }
    Ok(held)
}

/// How much of a refused body is still let in, and for how long.
const LINGER_MAX: usize = 1024 * 1024;
const LINGER_TIME: Duration = Duration::from_secs(1);

/// Throws away what a refused sender is still sending, within bounds: closing the connection at once would reset it,
/// and the sender would not see the answer.
async fn linger(body: &mut Body) {
    let drain = async {
        let mut seen = 0;
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, |data| data.len());
            if seen > LINGER_MAX {
                break;
            }
        }
    };
    // Whether it came to its end does not matter.
    let _ = tokio::time::timeout(LINGER_TIME, drain).await;
}
