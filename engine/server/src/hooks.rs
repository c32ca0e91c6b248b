//! `/hooks/{connection}/…`: the way in for providers. They POST deliveries; some ask by GET first whether we are here.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use zelo_rules::{Ack, Headers};
use zelo_runtime::{Answer, Incoming, Refused};

use crate::App;
use crate::openapi::shapes;
use crate::origin;
use crate::problem::Problem;
use crate::refused;
use crate::unpack;

/// What the address says.
#[derive(Deserialize)]
pub(crate) struct Place {
    pub(crate) connection: String,
    #[serde(default)]
    pub(crate) path: String,
}

impl Place {
    /// Where a delivery goes that nothing in its address stands for something else: what the router would find out. Of anything that is
    /// not so simple, or no delivery at all, nothing.
    pub(crate) fn of(request: &Request) -> Option<Self> {
        let rest = request.uri().path().strip_prefix("/hooks/").filter(|rest| request.method() == Method::POST && !rest.contains('%'))?;
        let (connection, path) = rest.split_once('/').unwrap_or((rest, ""));
        (!connection.is_empty()).then(|| Self { connection: connection.to_owned(), path: path.to_owned() })
    }
}

/// That a delivery is a POST.
fn wants_post(app: &App, place: &Place) -> Problem {
    Problem::method_other_than(if app.runtime.is_asked(&place.connection) { "GET, POST" } else { "POST" })
}

/// Answers a handshake. What is no question is no delivery either.
#[utoipa::path(
    get,
    path = "/hooks/{connection}/{path}",
    tag = "hooks",
    operation_id = "ask",
    params(
        ("connection" = String, Path, description = "The name of a connection."),
        ("path" = String, Path, description = "What the provider appends; it may have slashes."),
    ),
    responses(
        (status = 200, description = "The text that the provider asked for.", body = String, content_type = "text/plain"),
        (status = 403, description = "Who asks does not know the word.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such connection.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 405, description = "This connection is asked nothing; it takes deliveries.", body = shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn ask(State(app): State<App>, place: Result<Path<Place>, PathRejection>, request: Request) -> Result<Response, Problem> {
    let Path(place) = place.map_err(|_| Problem::malformed("The address is not UTF-8."))?;
    let (parts, _) = request.into_parts();
    if !app.runtime.connections.contains_key(&place.connection) {
        return Err(app.door.missed(Problem::from(Refused::NoConnection(place.connection)), &parts.extensions));
    }
    if !app.runtime.is_asked(&place.connection) {
        return Err(wants_post(&app, &place));
    }
    let url = origin::url(&app.settings, &parts.headers, &parts.extensions, &parts.uri);
    let headers = headers(&parts.headers);
    let incoming = Incoming { connection: &place.connection, path: &place.path, url: &url, headers: &headers, body: &[] };
    let visit = app
        .door
        .knock_to_ask(&app.runtime, &incoming, &parts.extensions)
        .map_err(|problem| refuse(&app, Some(&place.connection), problem))?;
    let arrived = app.runtime.arrived();
    match visit.asked(app.runtime.ask(arrived, &incoming)).map_err(|problem| problem.traced(arrived.trace()))? {
        Some(answer) => Ok(plain_text(StatusCode::OK, answer)),
        None => Err(wants_post(&app, &place)),
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
#[utoipa::path(
    post,
    path = "/hooks/{connection}/{path}",
    tag = "hooks",
    operation_id = "receive",
    params(
        ("connection" = String, Path, description = "The name of a connection."),
        ("path" = String, Path, description = "What the provider appends; it may have slashes."),
    ),
    request_body(content = shapes::Bytes, content_type = "*/*", description = "As the provider sends it, signed as its source file says."),
    responses(
        (status = 202, description = "It was taken; a list where it was split.", body = shapes::Receipts),
        (status = "2XX", description = "It was taken, and this is what its source says that the provider wants to hear; or the answer of a handshake.", body = String, content_type = "text/plain"),
        (status = 401, description = "It is not verified.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 403, description = "It is a handshake of somebody who does not know the word.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 415, description = "Its body is in another format.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 422, description = "Its payload is not in the form of its type.", body = shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn receive(
    State(app): State<App>,
    place: Result<Path<Place>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let Path(place) = place.map_err(|_| Problem::malformed("The address is not UTF-8."))?;
    deliver(&app, place, request).await
}

/// The same, where it is known which connection it is for.
pub(crate) async fn deliver(app: &App, place: Place, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let connection = app.runtime.connections.contains_key(&place.connection).then_some(place.connection.as_str());
    let url = origin::url(&app.settings, &parts.headers, &parts.extensions, &parts.uri);
    let headers = headers(&parts.headers);
    let head = Incoming { connection: &place.connection, path: &place.path, url: &url, headers: &headers, body: &[] };
    let visit = app.door.knock(&app.runtime, &head, &parts.extensions).map_err(|problem| refuse(app, connection, problem))?;
    // Of an unknown connection nothing is read; the runtime says that it is unknown.
    let held = match app.runtime.max_body(&place.connection) {
        None => None,
        Some(max) => {
            let read = unpack::read(&parts.headers, body, max.min(app.settings.body_max), app.settings.request_timeout, &app.bodies);
            match read.await {
                Ok(held) => Some(held),
                Err(problem) => {
                    let problem = refuse(app, connection, visit.unread(problem));
                    return Err(refused::keep(app, &place, &parts, &[], problem).await);
                }
            }
        }
    };
    visit.still().map_err(|problem| refuse(app, connection, problem))?;
    let incoming = Incoming { body: held.as_ref().map_or(&[], |held| &held.bytes), ..head };
    let arrived = app.runtime.arrived();
    let answer = match visit.heard(app.runtime.receive(arrived, incoming).await) {
        Ok(answer) => answer,
        Err(problem) => {
            let body = held.as_ref().map_or(&[] as &[u8], |held| &held.bytes);
            return Err(refused::keep(app, &place, &parts, body, problem.traced(arrived.trace())).await);
        }
    };
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
    app.runtime.count_refused(connection, problem.code());
    if problem.is_turned_away() {
        // As many as somebody likes to send: they are counted, and the beginning of each lock-out is logged.
        tracing::debug!(trace_id = %trace, connection, code = problem.code(), "turned away");
    } else {
        tracing::warn!(trace_id = %trace, connection, code = problem.code(), "refused");
    }
    problem.traced(trace)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::post;
    use http_body_util::BodyExt;
    use proptest::prelude::*;
    use tower::ServiceExt;

    use super::*;

    /// Where the router sends `request`.
    async fn routed(request: Request) -> Option<(String, String)> {
        let said = async |Path(Place { connection, path })| format!("{connection} {path}");
        let [each, slash, path] = ["/hooks/{connection}", "/hooks/{connection}/", "/hooks/{connection}/{*path}"];
        let router = Router::new().route(each, post(said)).route(slash, post(said)).route(path, post(said));
        let response = router.oneshot(request).await.unwrap();
        if response.status() != StatusCode::OK {
            return None;
        }
        let text = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
        text.split_once(' ').map(|(connection, path)| (connection.to_owned(), path.to_owned()))
    }

    proptest! {
        #[test]
        fn the_short_way_leads_where_the_router_would(
            path in "(/hooks/[ab]{0,2}|/hooks|/?)(/[a-c.?-]{0,2}|//|/hooks|%2F|%41|%){0,4}(\\?[a-z/%]{0,3})?",
            is_post in prop::bool::weighted(0.8),
        ) {
            let method = if is_post { Method::POST } else { Method::GET };
            if let Ok(request) = Request::builder().method(method).uri(&path).body(Body::empty()) {
                let place = Place::of(&request).map(|place| (place.connection, place.path));
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                let found = runtime.block_on(routed(request));
                // What it leaves to the router: no name, and what stands for something else.
                let left = path.split('?').next().is_some_and(|path| path.contains('%')) || path.starts_with("/hooks//");
                prop_assert_eq!(place, found.filter(|_| !left));
            }
        }
    }
}
