//! Accepts connections until told to stop, and then finishes what was begun.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use axum::{Router, extract::Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::ServiceExt;
use zelo_runtime::Runtime;

use crate::origin::Peer;
use crate::{App, Settings, metrics, routes};

/// The longest head of a request, in bytes, and the most headers in it.
const HEAD_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 100;

/// Answers on `listener` until `stop` turns true or its sender is gone, then takes nothing new and waits for the requests in
/// work, for at most [`Settings::stop_timeout`].
///
/// # Errors
/// The listener cannot be used any more.
pub async fn serve(listener: TcpListener, runtime: Runtime, settings: Settings, stop: watch::Receiver<bool>) -> io::Result<()> {
    let app = App::new(runtime, settings, Some(stop.clone()));
    answer_on(listener, &app, routes(app.clone()), stop).await
}

/// The same with `/metrics`, `/healthz` and `/readyz` alone, for whoever reaches `listener`, until `end` turns true or its sender is gone:
/// while the server stops, which it is told by `stop`, this goes on and says so.
///
/// # Errors
/// The listener cannot be used any more.
pub async fn serve_metrics(
    listener: TcpListener,
    runtime: Runtime,
    stop: watch::Receiver<bool>,
    end: watch::Receiver<bool>,
) -> io::Result<()> {
    let app = App::new(runtime, Settings::default(), Some(stop));
    answer_on(listener, &app, metrics::open_routes(app.clone()), end).await
}

async fn answer_on(listener: TcpListener, app: &App, router: Router, mut stop: watch::Receiver<bool>) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(app.settings.connections_max));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(app.settings.request_timeout).max_buf_size(HEAD_MAX).max_headers(HEADERS_MAX);
    let connections = GracefulShutdown::new();
    loop {
        let accepting = async {
            let permit = room.clone().acquire_owned().await.map_err(io::Error::other)?;
            accept(&listener).await.map(|(stream, peer)| (permit, stream, peer))
        };
        let (permit, stream, peer) = tokio::select! {
            accepted = accepting => accepted?,
            () = stopped(&mut stop) => break,
        };
        let conversation = converse(&http, router.clone(), stream, peer, connections.watcher());
        tokio::spawn(async move {
            conversation.await;
            drop(permit);
        });
    }
    drop(listener);
    finish(app, connections).await;
    Ok(())
}

/// Ends when the server stops.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone, and with it whoever could say stop.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The next connection. One that broke before it was accepted is passed over; a lack of file handles is waited out.
async fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small: waiting to fill a packet would only make them late.
                let _ = stream.set_nodelay(true);
                return Ok((stream, peer));
            }
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused => {}
                io::ErrorKind::InvalidInput => return Err(error),
                _ => {
                    tracing::error!(%error, "no connection can be accepted; trying again in a second");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            },
        }
    }
}

/// One connection from its first request to its last.
fn converse(
    http: &http1::Builder,
    router: Router,
    stream: TcpStream,
    peer: SocketAddr,
    watcher: Watcher,
) -> impl Future<Output = ()> + use<> {
    let answer = move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip()));
        answer(router.clone(), request.map(Body::new))
    };
    let connection = http.serve_connection(TokioIo::new(stream), hyper::service::service_fn(answer));
    let watched = watcher.watch(connection);
    async move {
        if let Err(error) = watched.await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

async fn answer(router: Router, request: Request) -> Result<Response, Infallible> {
    router.oneshot(request).await
}

/// Waits for the connections to end, and for requests whose clients have hung up.
async fn finish(app: &App, connections: GracefulShutdown) {
    let all = u32::try_from(app.settings.requests_max).unwrap_or(u32::MAX);
    let done = async {
        connections.shutdown().await;
        let _ = app.requests.acquire_many(all).await;
    };
    if tokio::time::timeout(app.settings.stop_timeout, done).await.is_err() {
        tracing::warn!("stopped with requests still in work; what was not acknowledged may be sent again");
    }
}
