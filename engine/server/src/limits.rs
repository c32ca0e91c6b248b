//! What holds for every request: how many at once, that none is torn apart, and what browsers may do with the answers.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};

use crate::App;
use crate::problem::Problem;

/// Takes a request into work if there is room, and finishes what it has begun.
///
/// hyper drops a handler when its client hangs up; a handler that waits for the database must not be dropped. So each
/// request runs in a task of its own, which also keeps a panic from taking the connection with it.
pub(crate) async fn bounded(State(app): State<App>, request: Request, next: Next) -> Response {
    let Ok(permit) = app.requests.clone().try_acquire_owned() else {
        return Problem::busy().into_response();
    };
    let work = tokio::spawn(async move {
        let response = next.run(request).await;
        drop(permit);
        response
    });
    work.await.unwrap_or_else(|error| {
        tracing::error!(panicked = error.is_panic(), "a request came to no end");
        Problem::internal().into_response()
    })
}

/// Puts the security headers on every answer. What a handler has said itself stands.
pub(crate) async fn careful(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    otherwise(headers, CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'");
    otherwise(headers, CACHE_CONTROL, "no-store");
    response
}

fn otherwise(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}
