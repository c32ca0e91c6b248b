//! Whether it lives, and whether it can take deliveries.

use std::time::Duration;

use axum::extract::State;

use crate::App;
use crate::problem::Problem;

/// The process answers.
pub(crate) async fn alive() -> &'static str {
    "alive\n"
}

/// A store that takes longer than this for a cheap read is not ready.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// The store answers.
pub(crate) async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    // In a task of its own: giving up waiting must not cancel the read.
    let read = tokio::spawn(async move { app.runtime.store.next_run().await });
    match tokio::time::timeout(READY_WITHIN, read).await {
        Ok(Ok(answer)) => answer.map(|_| "ready\n").map_err(Problem::from),
        Ok(Err(_)) => Err(Problem::internal()),
        Err(_) => Err(Problem::unavailable()),
    }
}
