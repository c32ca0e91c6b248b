//! `GET /metrics`: the figures, for monitoring.
//!
//! They hold nothing of anybody, but how much a clinic has to do is nobody else's business either: without a token they are told to
//! the machine itself alone, and only where nobody said that others reach this server through a proxy, which is on this machine too. An
//! address of their own ([`serve_metrics`](crate::serve_metrics)) is open to whoever reaches it.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::middleware::map_response_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};

use crate::problem::Problem;
use crate::{App, health, limits};

/// A store that takes longer to count is told of as down.
const COUNTED_WITHIN: Duration = Duration::from_secs(2);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `/metrics` for whoever asks, whether the server lives and is ready, and nothing else.
pub(crate) fn open_routes(app: App) -> Router {
    let missing = async || Problem::not_found("There is nothing here but /metrics, /healthz and /readyz.");
    let routes = Router::new().route("/metrics", get(tell)).route("/healthz", get(health::alive)).route("/readyz", get(health::ready));
    routes.fallback(missing).with_state(app.clone()).layer(map_response_with_state(app, careful))
}

async fn careful(State(app): State<App>, mut response: Response) -> Response {
    limits::careful(&app, false, response.headers_mut());
    response
}

/// The figures, in the text format of Prometheus, or as OpenMetrics where that is asked for.
#[utoipa::path(get, path = "/metrics", tag = "server", operation_id = "metrics", responses(
    (status = 200, description = "The figures.", content((String = "text/plain"), (String = "application/openmetrics-text"))),
))]
pub(crate) async fn tell(State(app): State<App>, headers: HeaderMap) -> Response {
    // One at a time: who asks often does not keep the store from its work.
    let _turn = app.telling.lock().await;
    let store = app.runtime.store.clone();
    // In a task of its own: giving up waiting must not cancel the read.
    let read = tokio::spawn(async move { store.figures().await });
    let figures = match tokio::time::timeout(COUNTED_WITHIN, read).await {
        Ok(Ok(Ok(figures))) => Some(figures),
        Ok(Ok(Err(error))) => {
            tracing::error!(%error, "the store could not be counted");
            None
        }
        Ok(Err(_)) | Err(_) => None,
    };
    let wanted = |kind: &str| headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok()).any(|accept| accept.contains(kind));
    let kind = if wanted("application/openmetrics-text") { OPEN_METRICS } else { TEXT };
    ([(CONTENT_TYPE, kind)], app.runtime.told(figures)).into_response()
}
