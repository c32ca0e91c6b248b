//! What holds for every request: how many at once, that none is torn apart, and what browsers may do with the answers.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::App;
use crate::origin;
use crate::problem::Problem;

/// How many requests of one kind may be in work.
#[derive(Clone)]
pub(crate) struct Room {
    permits: Arc<Semaphore>,
    size: u32,
}

impl Room {
    pub(crate) fn new(size: usize) -> Self {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        Self { permits: Arc::new(Semaphore::new(size as usize)), size }
    }

    /// A place in it, if there is one.
    fn enter(&self) -> Option<OwnedSemaphorePermit> {
        self.permits.clone().try_acquire_owned().ok()
    }

    /// Waits until nobody is in it.
    pub(crate) async fn emptied(&self) {
        let _ = self.permits.acquire_many(self.size).await;
    }
}

/// Takes a request into work if there is room, and finishes what it has begun.
///
/// hyper drops a handler when its client hangs up; a handler that waits for the database must not be dropped. So each
/// request runs in a task of its own, which also keeps a panic from taking the connection with it.
pub(crate) async fn bounded(app: &App, is_delivery: bool, work: impl Future<Output = Response> + Send + 'static) -> Response {
    let room = if is_delivery { &app.deliveries } else { &app.requests };
    let Some(permit) = room.enter() else {
        return Problem::busy().into_response();
    };
    let work = tokio::spawn(async move {
        let response = work.await;
        drop(permit);
        response
    });
    work.await.unwrap_or_else(|error| {
        tracing::error!(panicked = error.is_panic(), "a request came to no end");
        Problem::internal().into_response()
    })
}

/// What no page of ours asks a browser for, so nothing that gets into one does.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), \
                           magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), publickey-credentials-get=(), \
                           screen-wake-lock=(), sync-xhr=(), usb=(), xr-spatial-tracking=()";
/// A year (RFC 6797). Of this host alone: others below it are not ours to speak for.
const TRANSPORT: &str = "max-age=31536000";

/// Puts the security headers on an answer. What a handler has said itself stands.
pub(crate) fn careful(app: &App, headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    if origin::is_https(&app.settings) {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TRANSPORT));
    }
    otherwise(headers, CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
    otherwise(headers, X_FRAME_OPTIONS, "DENY");
    otherwise(headers, CACHE_CONTROL, "no-store");
}

fn otherwise(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
