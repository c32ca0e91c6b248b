//! Accepts connections until told to stop, and then finishes what was begun.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use axum::{Router, extract::Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tower::ServiceExt;
use zelo_runtime::Runtime;

use crate::door::{Patient, Seat};
use crate::origin::Peer;
use crate::{App, Certificates, Front, Settings, answers, metrics};

/// Answers on `listener` until `stop` turns true or its sender is gone, then takes nothing new and waits for the requests in
/// work, for at most [`Settings::stop_timeout`].
///
/// # Errors
/// The listener cannot be used any more.
pub async fn serve(listener: TcpListener, runtime: Runtime, settings: Settings, stop: watch::Receiver<bool>) -> io::Result<()> {
    let app = App::new(runtime, settings, Some(stop.clone()));
    if let Some(certificates) = app.settings.tls.clone() {
        tokio::spawn(watch_over(certificates, app.settings.certificates_every, stop.clone()));
    }
    answer_on(listener, &app, answers(app.clone()), stop).await
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

/// Has changed certificates take their place, until `stop` turns true.
async fn watch_over(certificates: Arc<Certificates>, every: Duration, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = stopped(&mut stop) => break,
            () = tokio::time::sleep(every) => {}
        }
        let certificates = certificates.clone();
        // One that broke is told of by its panic; there is a next time.
        let _ = tokio::task::spawn_blocking(move || certificates.look_and_tell()).await;
    }
}

async fn answer_on(listener: TcpListener, app: &App, answers: impl Answers, mut stop: watch::Receiver<bool>) -> io::Result<()> {
    let room = Arc::new(Semaphore::new(app.settings.connections_max));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(app.settings.request_timeout);
    http.max_buf_size(app.settings.head_max).max_headers(app.settings.headers_max);
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
        let Some(seat) = seat(app, peer.ip()) else {
            app.runtime.metrics().turned_away("connections");
            continue;
        };
        let (http, answers, watcher, settings) = (http.clone(), answers.clone(), connections.watcher(), app.settings.clone());
        let runtime = app.runtime.clone();
        tokio::spawn(async move {
            let patience = settings.answer_timeout;
            match &settings.tls {
                None => converse(&http, answers, Patient::new(stream, patience), peer, watcher).await,
                Some(certificates) => match timeout(settings.request_timeout, certificates.acceptor().accept(stream)).await {
                    Ok(Ok(stream)) => converse(&http, answers, Patient::new(stream, patience), peer, watcher).await,
                    Ok(Err(_)) | Err(_) => runtime.metrics().turned_away("handshake"),
                },
            }
            drop((permit, seat));
        });
    }
    drop(listener);
    finish(app, connections).await;
    Ok(())
}

/// A place among the connections of one address. A trusted proxy has as many as there are: it asks for others.
fn seat(app: &App, peer: IpAddr) -> Option<Seat> {
    let is_proxy = app.settings.trusted_proxies.iter().any(|proxy| proxy.has(peer));
    app.sockets.enter(peer, if is_proxy { usize::MAX } else { app.settings.connections_each_max })
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
async fn converse<S>(http: &http1::Builder, answers: impl Answers, stream: S, peer: SocketAddr, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip()));
        let answers = answers.clone();
        async move { Ok::<_, Infallible>(answers.answer(request.map(Body::new)).await) }
    };
    let connection = http.serve_connection(TokioIo::new(stream), hyper::service::service_fn(answer));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Who answers the requests of a connection.
trait Answers: Clone + Send + 'static {
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send;
}

impl Answers for Front {
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send {
        Front::answer(self, request)
    }
}

impl Answers for Router {
    async fn answer(&self, request: Request) -> Response {
        self.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
    }
}

/// Waits for the connections to end, and for requests whose clients have hung up.
async fn finish(app: &App, connections: GracefulShutdown) {
    let done = async {
        connections.shutdown().await;
        app.deliveries.emptied().await;
        app.requests.emptied().await;
    };
    if tokio::time::timeout(app.settings.stop_timeout, done).await.is_err() {
        tracing::warn!("stopped with requests still in work; what was not acknowledged may be sent again");
    }
}
