//! `POST /events`: CloudEvents, for connections whose source takes them (`format = "cloudevents"`).
//!
//! Each is verified as its source says, like any delivery; the address only says which connection is meant, and no connection of
//! another kind is reached here. `OPTIONS` is the question of a sender whether its events are welcome
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md#4-abuse-protection>).

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::ALLOW;
use http::{HeaderValue, StatusCode};

use crate::App;
use crate::hooks::{self, Place};
use crate::openapi::shapes;
use crate::problem::Problem;

/// The name of the connection, where the address says it.
type Named = Option<Result<Path<String>, PathRejection>>;

/// Takes events for the only connection that takes CloudEvents.
#[utoipa::path(
    post,
    path = "/events",
    tag = "hooks",
    operation_id = "receive_events",
    request_body(content = shapes::Bytes, content_type = "*/*", description = "One event, structured or binary, or a batch (CloudEvents 1.0)."),
    responses(
        (status = 202, description = "It was taken; a list of a batch.", body = shapes::Receipts),
        (status = "2XX", description = "It was taken, and this is what its source says that the sender wants to hear.", body = String, content_type = "text/plain"),
        (status = 401, description = "It is not verified.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 403, description = "It is not let in from this address.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 404, description = "No connection takes CloudEvents here, or several do.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 415, description = "It is no CloudEvent in JSON.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 422, description = "Its payload is not in the form of its type.", body = shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn receive(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let place = place(&app, None).map_err(|problem| app.door.missed(problem, request.extensions()))?;
    hooks::receive(State(app), Ok(Path(place)), request).await
}

/// Takes events for the connection that is named.
#[utoipa::path(
    post,
    path = "/events/{connection}",
    tag = "hooks",
    operation_id = "receive_events_for",
    params(("connection" = String, Path, description = "The name of a connection whose source takes CloudEvents.")),
    request_body(content = shapes::Bytes, content_type = "*/*", description = "One event, structured or binary, or a batch (CloudEvents 1.0)."),
    responses(
        (status = 202, description = "It was taken; a list of a batch.", body = shapes::Receipts),
        (status = "2XX", description = "It was taken, and this is what its source says that the sender wants to hear.", body = String, content_type = "text/plain"),
        (status = 401, description = "It is not verified.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 403, description = "It is not let in from this address.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 404, description = "No connection takes CloudEvents here, or several do.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 415, description = "It is no CloudEvent in JSON.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 422, description = "Its payload is not in the form of its type.", body = shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn receive_for(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    let place = place(&app, Some(name)).map_err(|problem| app.door.missed(problem, request.extensions()))?;
    hooks::receive(State(app), Ok(Path(place)), request).await
}

/// Answers whether the events of a sender are welcome.
#[utoipa::path(
    options,
    path = "/events",
    tag = "hooks",
    operation_id = "ask_events",
    responses(
        (status = 200, description = "Events of this sender are welcome."),
        (status = 204, description = "It was not asked for a sender: these are the methods."),
        (status = 403, description = "Events of this sender are not welcome.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 404, description = "No connection takes CloudEvents here, or several do.", body = shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn ask(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    welcome(&app, &place(&app, None)?, &request)
}

/// The same of the connection that is named.
#[utoipa::path(
    options,
    path = "/events/{connection}",
    tag = "hooks",
    operation_id = "ask_events_for",
    params(("connection" = String, Path, description = "The name of a connection whose source takes CloudEvents.")),
    responses(
        (status = 200, description = "Events of this sender are welcome."),
        (status = 204, description = "It was not asked for a sender: these are the methods."),
        (status = 403, description = "Events of this sender are not welcome.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 404, description = "No connection takes CloudEvents here, or several do.", body = shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn ask_for(
    State(app): State<App>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, Problem> {
    welcome(&app, &place(&app, Some(name))?, &request)
}

/// The connection that is meant. What takes no CloudEvents is not there.
fn place(app: &App, named: Named) -> Result<Place, Problem> {
    let edition = app.runtime.rules.current();
    let takes = |source: &str| edition.rules.source(source).is_some_and(|source| source.takes_cloudevents());
    let mut there = app.runtime.connections.values().filter(|connection| takes(&connection.source));
    let connection = match named {
        Some(name) => {
            let Path(name) = name.map_err(|_| Problem::malformed("The address is not UTF-8."))?;
            there.find(|connection| connection.name == name).ok_or_else(|| {
                Problem::not_found(
                    "There is no connection of this name that takes CloudEvents: one whose source says `format = \"cloudevents\"`.",
                )
            })?
        }
        None => match (there.next(), there.next()) {
            (Some(only), None) => only,
            (None, _) => {
                return Err(Problem::not_found("No connection takes CloudEvents: its source would say `format = \"cloudevents\"`."));
            }
            (Some(_), Some(_)) => {
                return Err(Problem::not_found("Several connections take CloudEvents: send them to /events/ and the name of one."));
            }
        },
    };
    Ok(Place { connection: connection.name.clone(), path: String::new() })
}

/// Whether the connection takes events from who asks, as `origins` says in zelo.toml.
fn welcome(app: &App, place: &Place, request: &Request) -> Result<Response, Problem> {
    app.door.hears(&place.connection, request.extensions())?;
    let allow = (ALLOW, HeaderValue::from_static("OPTIONS, POST"));
    let Some(origin) = request.headers().get("webhook-request-origin") else {
        return Ok((StatusCode::NO_CONTENT, [allow]).into_response());
    };
    let known = app.settings.origins.get(&place.connection).map(Vec::as_slice).unwrap_or_default();
    let is_known = |asked: &str| known.iter().any(|known| known == "*" || known.eq_ignore_ascii_case(asked));
    if !origin.to_str().is_ok_and(is_known) {
        return Err(Problem::origin());
    }
    let mut answer = (StatusCode::OK, [allow]).into_response();
    answer.headers_mut().insert("webhook-allowed-origin", origin.clone());
    // How fast is too fast, an answer of 429 or 503 says.
    answer.headers_mut().insert("webhook-allowed-rate", HeaderValue::from_static("*"));
    Ok(answer)
}
