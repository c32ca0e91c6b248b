//! `POST /hooks/{connection}/…`: the way in for providers.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use zelo_rules::Headers;
use zelo_runtime::{Incoming, Receipts};

use crate::App;
use crate::body;
use crate::origin;
use crate::problem::Problem;
use crate::refused;

/// What the address says.
#[derive(Deserialize)]
pub(crate) struct Place {
    pub(crate) connection: String,
    #[serde(default)]
    pub(crate) path: String,
}

/// Takes a delivery. A 202 is a promise: it is on disk, or needs not be.
pub(crate) async fn receive(
    State(app): State<App>,
    place: Result<Path<Place>, PathRejection>,
    request: Request,
) -> Result<(StatusCode, Json<Receipts>), Problem> {
    let Path(place) = place.map_err(|_| Problem::malformed("The address is not UTF-8."))?;
    let (parts, body) = request.into_parts();
    let connection = app.runtime.connections.contains_key(&place.connection).then_some(place.connection.as_str());
    // Of an unknown connection nothing is read; the runtime says that it is unknown.
    let held = match app.runtime.max_body(&place.connection) {
        None => None,
        Some(max) => {
            let read = async {
                plain(&parts.headers)?;
                body::read(body, max.min(app.settings.body_max), app.settings.request_timeout, &app.bodies).await
            };
            match read.await {
                Ok(held) => Some(held),
                Err(problem) => return Err(refused::keep(&app, &place, &parts, &[], refuse(&app, connection, problem)).await),
            }
        }
    };
    let url = origin::url(&app.settings, &parts.headers, &parts.extensions, &parts.uri);
    let headers: Headers<'_> = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let incoming = Incoming {
        connection: &place.connection,
        path: &place.path,
        url: &url,
        headers: &headers,
        body: held.as_ref().map_or(&[], |held| &held.bytes),
    };
    let arrived = app.runtime.arrived();
    match app.runtime.receive(arrived, incoming).await {
        Ok(receipts) => Ok((StatusCode::ACCEPTED, Json(receipts))),
        Err(why) => {
            let body = held.as_ref().map_or(&[] as &[u8], |held| &held.bytes);
            Err(refused::keep(&app, &place, &parts, body, Problem::from(why).traced(arrived.trace())).await)
        }
    }
}

/// Refuses a body that is compressed: what is signed and what is read would not be the same bytes.
fn plain(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(CONTENT_ENCODING) {
        Some(coding) if coding != "identity" => Err(Problem::unsupported("The body is compressed. Send it without Content-Encoding.")),
        _ => Ok(()),
    }
}

/// Counts and logs a delivery that did not get as far as the runtime. `connection` is one of ours.
fn refuse(app: &App, connection: Option<&str>, problem: Problem) -> Problem {
    let trace = app.runtime.arrived().trace();
    app.runtime.metrics().refused(connection, problem.code());
    tracing::warn!(trace_id = %trace, connection, code = problem.code(), "refused");
    problem.traced(trace)
}
