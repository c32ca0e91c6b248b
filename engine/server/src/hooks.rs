//! `/hooks/{connection}/…`: the way in for providers. They POST deliveries; some ask by GET first whether we are here.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use zelo_rules::{Ack, Headers};
use zelo_runtime::{Answer, Incoming};

use crate::App;
use crate::origin;
use crate::problem::Problem;
use crate::unpack;

/// What the address says.
#[derive(Deserialize)]
pub(crate) struct Place {
    connection: String,
    #[serde(default)]
    path: String,
}

/// Takes a delivery, or a question whether we are here.
pub(crate) async fn take(State(app): State<App>, place: Result<Path<Place>, PathRejection>, request: Request) -> Result<Response, Problem> {
    let place = place.map_err(|_| Problem::malformed("The address is not UTF-8."));
    match *request.method() {
        Method::POST => receive(&app, &place?.0, request).await,
        Method::GET => ask(&app, &place?.0, &request.into_parts().0),
        _ => Err(wants_post(&app, place.ok().as_deref())),
    }
}

/// That a delivery is a POST.
fn wants_post(app: &App, place: Option<&Place>) -> Problem {
    let asked = place.is_some_and(|place| app.runtime.is_asked(&place.connection));
    Problem::method_other_than(if asked { "GET, POST" } else { "POST" })
}

/// Answers a handshake. What is no question is no delivery either.
fn ask(app: &App, place: &Place, parts: &Parts) -> Result<Response, Problem> {
    if !app.runtime.is_asked(&place.connection) {
        return Err(wants_post(app, Some(place)));
    }
    let url = origin::url(&app.settings, &parts.headers, &parts.extensions, &parts.uri);
    let headers = headers(&parts.headers);
    let incoming = Incoming { connection: &place.connection, path: &place.path, url: &url, headers: &headers, body: &[] };
    let arrived = app.runtime.arrived();
    match app.runtime.ask(arrived, &incoming) {
        Ok(Some(answer)) => Ok(plain_text(StatusCode::OK, answer)),
        Ok(None) => Err(wants_post(app, Some(place))),
        Err(refused) => Err(Problem::from(refused).traced(arrived.trace())),
    }
}

/// Text as it is: never a page, whatever is in it.
fn plain_text(status: StatusCode, text: String) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

fn headers(headers: &HeaderMap) -> Headers<'_> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}

/// Takes a delivery. A 2xx is a promise: it is on disk, or needs not be.
async fn receive(app: &App, place: &Place, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let connection = app.runtime.connections.contains_key(&place.connection).then_some(place.connection.as_str());
    // Of an unknown connection nothing is read; the runtime says that it is unknown.
    let held = match app.runtime.max_body(&place.connection) {
        None => None,
        Some(max) => {
            let read = unpack::read(&parts.headers, body, max.min(app.settings.body_max), app.settings.request_timeout, &app.bodies);
            Some(read.await.map_err(|problem| refuse(app, connection, problem))?)
        }
    };
    let url = origin::url(&app.settings, &parts.headers, &parts.extensions, &parts.uri);
    let headers = headers(&parts.headers);
    let incoming = Incoming {
        connection: &place.connection,
        path: &place.path,
        url: &url,
        headers: &headers,
        body: held.as_ref().map_or(&[], |held| &held.bytes),
    };
    let arrived = app.runtime.arrived();
    let answer = app.runtime.receive(arrived, incoming).await.map_err(|refused| Problem::from(refused).traced(arrived.trace()))?;
    Ok(match answer {
        Answer::Taken { receipts, ack: None } => (StatusCode::ACCEPTED, Json(receipts)).into_response(),
        Answer::Taken { ack: Some(ack), .. } => exactly(ack)?,
        Answer::Handshake(text) => plain_text(StatusCode::OK, text),
    })
}

/// What the provider wants to hear, and no word more.
fn exactly(ack: Ack) -> Result<Response, Problem> {
    let status = StatusCode::from_u16(ack.status).map_err(|_| Problem::internal())?;
    Ok(if ack.body.is_empty() { status.into_response() } else { plain_text(status, ack.body) })
}

/// Counts and logs a delivery that did not get as far as the runtime. `connection` is one of ours.
fn refuse(app: &App, connection: Option<&str>, problem: Problem) -> Problem {
    let trace = app.runtime.arrived().trace();
    app.runtime.metrics().refused(connection, problem.code());
    tracing::warn!(trace_id = %trace, connection, code = problem.code(), "refused");
    problem.traced(trace)
}
