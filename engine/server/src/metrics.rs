//! `GET /metrics`: the figures, for monitoring.
//!
//! They hold nothing of anybody, but how much a clinic has to do is nobody else's business either: without a token they are told to
//! the machine itself alone, and only where nobody said that others reach this server through a proxy, which is on this machine too. An
//! address of their own ([`serve_metrics`](crate::serve_metrics)) is open to whoever reaches it.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::Extensions;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};

use crate::access::identify;
use crate::origin::Peer;
use crate::problem::Problem;
use crate::{App, Settings, health, limits};

/// A store that takes longer to count is told of as down.
const COUNTED_WITHIN: Duration = Duration::from_secs(2);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `/metrics`, for those who may read it.
pub(crate) fn routes(app: &App) -> Router<App> {
    Router::new().route("/metrics", get(tell)).layer(from_fn_with_state(app.clone(), guard))
}

/// `/metrics` for whoever asks, whether the server lives and is ready, and nothing else.
pub(crate) fn open_routes(app: App) -> Router {
    let missing = async || Problem::not_found("There is nothing here but /metrics, /healthz and /readyz.");
    let routes = Router::new().route("/metrics", get(tell)).route("/healthz", get(health::alive)).route("/readyz", get(health::ready));
    routes.fallback(missing).with_state(app.clone()).layer(from_fn_with_state(app, limits::careful))
}

async fn tell(State(app): State<App>, headers: HeaderMap) -> Response {
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

/// Lets through the machine itself, where that says something, and who is known.
async fn guard(State(app): State<App>, request: Request, next: Next) -> Result<Response, Problem> {
    if !is_local(&app.settings, request.headers(), request.extensions()) && identify(&app, request.headers()).await?.is_none() {
        return Err(Problem::credential(
            "Send `Authorization: Bearer` and a token made with `zelo token new --role viewer`, or give the figures an address of their own with `metrics` under [server].",
        ));
    }
    Ok(next.run(request).await)
}

/// What a proxy says of whom it asks for.
const FORWARDED: [&str; 6] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Whether somebody on this machine asks, and nobody through them.
fn is_local(settings: &Settings, headers: &HeaderMap, extensions: &Extensions) -> bool {
    let here = extensions.get::<Peer>().is_some_and(|peer| peer.0.to_canonical().is_loopback());
    let fronted = settings.public_url.is_some() || !settings.trusted_proxies.is_empty();
    here && !fronted && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::HeaderName;

    use super::*;

    #[test]
    fn the_machine_itself_is_told_unless_others_come_through_it() {
        let told = |settings: &Settings, peer: &str, header: Option<&'static str>| {
            let headers = header.map(|name| (HeaderName::from_static(name), HeaderValue::from_static("203.0.113.9")));
            let mut extensions = Extensions::new();
            extensions.insert(Peer(peer.parse().unwrap()));
            is_local(settings, &headers.into_iter().collect(), &extensions)
        };
        let bare = Settings::default();
        for here in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(told(&bare, here, None), "{here}");
            assert!(FORWARDED.iter().all(|name| !told(&bare, here, Some(name))), "somebody else asks through a proxy");
        }
        for elsewhere in ["192.168.1.7", "203.0.113.9", "fd00::1"] {
            assert!(!told(&bare, elsewhere, None), "{elsewhere}");
        }
        let public = Settings { public_url: Some("https://hooks.example.com".into()), ..Settings::default() };
        let trusting = Settings { trusted_proxies: vec!["127.0.0.1".parse().unwrap()], ..Settings::default() };
        assert!(!told(&public, "127.0.0.1", None) && !told(&trusting, "127.0.0.1", None), "a proxy is on this machine too");
        assert!(!is_local(&bare, &HeaderMap::new(), &Extensions::new()), "nobody knows who asks");
    }
}
