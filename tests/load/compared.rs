//! The servers that stand beside zelo: the same hyper and axum, with nothing behind them, or a bare group commit of the same bytes.
//!
//! Each is this program, started again with a word that says which. It prints its port, and ends with whoever started it.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{StatusCode, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::bare::Bare;

/// What a source of zelo takes at most, in bytes.
const BODY_MAX: usize = 256 * 1024;

/// Where bodies go: nowhere, or to the disk before they are answered.
#[derive(Clone)]
struct Behind {
    bare: Option<Bare>,
    last: Arc<AtomicU64>,
}

/// Answers until standard input ends; stores in `file`, if there is one.
pub(crate) fn serve(file: Option<&Path>) {
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    tokio.block_on(async {
        let bare = match file {
            Some(file) => Some(Bare::open(file).await),
            None => None,
        };
        let router = Router::new().route("/hooks/{connection}/{*path}", post(receive)).with_state(Behind { bare, last: Arc::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        std::io::stdout().flush().unwrap();
        tokio::spawn(accept(listener, router));
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    });
}

async fn accept(listener: TcpListener, router: Router) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(converse(stream, router.clone()));
    }
}

/// With the bounds that zelo's connections have.
async fn converse(stream: TcpStream, router: Router) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10)).max_buf_size(32 * 1024).max_headers(100);
    let answer = |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move { Ok::<Response, Infallible>(router.oneshot(request.map(Body::new)).await.into_response()) }
    };
    // Whoever has hung up has no need of an answer.
    let _ = http.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

async fn receive(State(behind): State<Behind>, request: Request) -> Response {
    let Ok(body) = Limited::new(request.into_body(), BODY_MAX).collect().await else { return StatusCode::BAD_REQUEST.into_response() };
    let body: Arc<[u8]> = Arc::from(&*body.to_bytes());
    let id = behind.last.fetch_add(1, Ordering::Relaxed);
    if let Some(bare) = &behind.bare {
        bare.put(id, body).await;
    }
    (StatusCode::ACCEPTED, Json(json!({ "event_id": id, "status": "accepted", "rules": 0 }))).into_response()
}
