//! Whether it lives, and whether it can take deliveries.

use std::time::Duration;

use axum::extract::State;

use crate::App;
use crate::openapi::shapes;
use crate::problem::Problem;

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "server", responses(
    (status = 200, description = "As asked for.", body = String, content_type = "text/plain"),
))]
pub(crate) async fn alive() -> &'static str {
    "alive\n"
}

/// A store that takes longer than this for a cheap read, and for its turn to write, is not ready.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// It does not stop, the store answers, and its disk has room and takes writes.
#[utoipa::path(get, path = "/readyz", tag = "server", responses(
    (status = 200, description = "As asked for.", body = String, content_type = "text/plain"),
    (status = 503, description = "It is not ready.", body = shapes::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    if app.stop.as_ref().is_some_and(|stop| *stop.borrow()) {
        return Err(Problem::stopping());
    }
    // In a task of its own: giving up waiting must not cancel it.
    let asked = tokio::spawn(async move { app.runtime.store.ready().await });
    match tokio::time::timeout(READY_WITHIN, asked).await {
        Ok(Ok(answer)) => answer.map(|()| "ready\n").map_err(Problem::from),
        Ok(Err(_)) => Err(Problem::internal()),
        Err(_) => Err(Problem::unavailable()),
    }
}
