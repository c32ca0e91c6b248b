//! What holds for every request: how many at once, that none is torn apart, and what browsers may do with the answers.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::HeaderValue;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};

use tokio::runtime::Handle;
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

/// Takes a request into work if there is room, and finishes what it has begun, whether its client waits for that or not. A panic does not
/// take the connection with it.
pub(crate) async fn bounded(app: &App, is_delivery: bool, work: impl Future<Output = Response> + Send + 'static) -> Response {
    let room = if is_delivery { &app.deliveries } else { &app.requests };
    let Some(permit) = room.enter() else {
        return Problem::busy().into_response();
    };
    let work = async move {
        let response = work.await;
        drop(permit);
        response
    };
    finished(work).await.unwrap_or_else(|| {
        tracing::error!("a request panicked");
        Problem::internal().into_response()
    })
}

/// What comes of `work`, which ends though nobody waits for that any more; nothing where it panics.
async fn finished<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    Begun(Some(Box::pin(AssertUnwindSafe(work).catch_unwind()))).await.ok()
}

/// Work that was begun, and goes on in a task of its own where it is dropped.
///
/// hyper drops a handler when its client hangs up, and a handler that waits for the database must not be dropped. To give each its task from
/// the start would cost every delivery two turns of the scheduler.
struct Begun<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> Future for Begun<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let done = ready!(work.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(done)
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Begun<F> {
    fn drop(&mut self) {
        // Without a runtime the process is at its end, and so is whatever it had begun.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

/// What no page of ours asks a browser for, so nothing that gets into one does.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), geolocation=(), gyroscope=(), \
                           magnetometer=(), microphone=(), midi=(), payment=(), picture-in-picture=(), publickey-credentials-get=(), \
                           screen-wake-lock=(), sync-xhr=(), usb=(), xr-spatial-tracking=()";
/// A year (RFC 6797). Of this host alone: others below it are not ours to speak for.
const TRANSPORT: &str = "max-age=31536000";

/// Puts the security headers on an answer; what a handler has said itself stands. What only concerns a page that a browser shows is not said
/// to the machines that deliver: half of each answer to them would be that (OWASP, REST Security Cheat Sheet, “Security headers”).
pub(crate) fn careful(app: &App, to_machine: bool, headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !to_machine {
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(PERMISSIONS));
        headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    }
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

#[cfg(test)]
mod tests {
    use std::future::{poll_fn, ready};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_was_begun_ends_though_nobody_waits() {
        let (go, gone) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        let mut work = Box::pin(finished(async move {
            gone.await.unwrap();
            tell.send("done").unwrap();
        }));
        // Begun, and dropped where it waits.
        assert!(poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_pending())).await);
        drop(work);
        go.send(()).unwrap();
        assert_eq!(told.await, Ok("done"));
    }

    #[tokio::test]
    async fn a_panic_ends_nothing_but_its_own_request() {
        let room = Room::new(1);
        let permit = room.enter();
        assert!(permit.is_some() && room.enter().is_none());
        let work = async move {
            let _permit = permit;
            ready(()).await;
            panic!("as tests do");
        };
        assert_eq!(finished::<()>(work).await, None);
        assert!(room.enter().is_some(), "its place is free again");
        assert_eq!(finished(ready(7)).await, Some(7));
    }
}
