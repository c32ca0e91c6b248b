//! Stored events, once more for one rule. For those who write rules.

use std::num::NonZeroU32;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;
use zelo_runtime::replay::{Error, PER_MINUTE, Report, Wanted};
use zelo_store::Replayable;

use super::query::Parameters;
use crate::access::Known;
use crate::openapi::shapes;
use crate::problem::Problem;
use crate::{App, body};

/// The longest body in bytes.
const BODY_MAX: usize = 4096;

/// What is to be replayed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    rule: String,
    from: Timestamp,
    to: Timestamp,
    connection: Option<String>,
    clinic: Option<String>,
    #[schema(value_type = Option<u32>, minimum = 1)]
    per_minute: Option<NonZeroU32>,
    /// Only who says `false` changes anything.
    #[serde(default = "yes")]
    dry_run: bool,
}

fn yes() -> bool {
    true
}

/// Stored events, once more for one rule: what would become of them, or what became of them.
#[utoipa::path(post, path = "/api/v1/replay", tag = "api", request_body = Asked, responses(
    (status = 200, description = "As asked for.", body = shapes::Replay),
    (status = 404, description = "No rule in force has this id.", body = shapes::Problem, content_type = "application/problem+json"),
    (status = 409, description = "It cannot be replayed so.", body = shapes::Problem, content_type = "application/problem+json"),
))]
pub(super) async fn replay(State(app): State<App>, who: Known, parameters: Parameters, request: Body) -> Result<Json<Report>, Problem> {
    parameters.none()?;
    let held = body::read(request, BODY_MAX, app.settings.request_timeout, &app.bodies).await?;
    let Asked { rule, from, to, connection, clinic, per_minute, dry_run } = serde_json::from_slice(&held.bytes).map_err(|error| {
        let form = "{rule, from, to, connection, clinic, per_minute, dry_run}, where `dry_run` is true unless it says false";
        Problem::malformed(format!("This is not {form}: line {}, column {}.", error.line(), error.column()))
    })?;
    let range = Replayable { from, to, connection, clinic };
    let wanted = Wanted { rule, range, per_minute: per_minute.unwrap_or(PER_MINUTE), dry_run, actor: who.actor() };
    match app.runtime.replay(wanted).await {
        Ok(report) => Ok(Json(report)),
        Err(Error::Store(error)) => Err(error.into()),
        Err(Error::NoRule(_)) => Err(Problem::not_found("No rule in force has this id.")),
        Err(Error::Empty { .. }) => Err(Problem::malformed("`from` is not before `to`, or not before now.")),
        Err(refused @ (Error::Off(_) | Error::TooMany(_) | Error::TooMuch(_) | Error::Another)) => {
            Err(Problem::replay(refused.to_string()))
        }
    }
}
