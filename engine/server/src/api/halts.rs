//! The kill switch.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zelo_core::halt::reason;
use zelo_core::{Halt, HaltScope, Timestamp};

use super::query::Parameters;
use crate::access::Known;
use crate::openapi::shapes;
use crate::problem::Problem;
use crate::{App, body};

/// The longest body in bytes.
const BODY_MAX: usize = 4096;

/// What is said about a halt beside its scope.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = HaltSaid)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    /// At most 500 characters, with nobody's name.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// What is halted.
#[utoipa::path(get, path = "/api/v1/halts", tag = "api", operation_id = "halts", responses(
    (status = 200, description = "As asked for.", body = Halts),
))]
pub(super) async fn list(State(app): State<App>, parameters: Parameters) -> Result<Json<Halts>, Problem> {
    parameters.none()?;
    Ok(all(&app))
}

fn all(app: &App) -> Json<Halts> {
    Json(Halts { items: app.runtime.line.halts().iter().map(HaltJson::new).collect() })
}

/// Halts all, a rule or a plugin: what runs is broken off, nothing begins and nothing is lost.
#[utoipa::path(put, path = "/api/v1/halts/{scope}", tag = "api", operation_id = "halt", params(("scope" = shapes::HaltScope, Path)), request_body(content = Option<Said>), responses(
    (status = 200, description = "What is halted now.", body = Halts),
))]
pub(super) async fn halt(State(app): State<App>, who: Known, Path(scope): Path<String>, request: Body) -> Result<Json<Halts>, Problem> {
    let held = body::read(request, BODY_MAX, app.settings.request_timeout, &app.bodies).await?;
    let said: Said = match held.bytes.is_empty() {
        true => Said::default(),
        false => serde_json::from_slice(&held.bytes).map_err(|_| Problem::malformed("This is not {reason}."))?,
    };
    put_halt(&app, &who, &scope, said.reason.as_deref()).await?;
    Ok(all(&app))
}

/// Lets go on what was halted.
#[utoipa::path(delete, path = "/api/v1/halts/{scope}", tag = "api", operation_id = "resume", params(("scope" = shapes::HaltScope, Path)), responses(
    (status = 200, description = "What is halted now.", body = Halts),
))]
pub(super) async fn resume(State(app): State<App>, who: Known, Path(scope): Path<String>) -> Result<Json<Halts>, Problem> {
    lift_halt(&app, &who, &scope).await?;
    Ok(all(&app))
}

/// Halts what `scope` names, because `who` says so.
pub(crate) async fn put_halt(app: &App, who: &Known, scope: &str, why: Option<&str>) -> Result<(), Problem> {
    let scope = known(scope)?;
    if app.runtime.rules.current().in_force.has(&scope).is_err() {
        return Err(Problem::not_found("No rule in force has this name, or runs a plugin of this name; nothing was halted."));
    }
    let why = reason(why).map_err(|_| Problem::malformed("`reason` is at most 500 characters long."))?;
    app.runtime.halt(scope, why, who.actor()).await?;
    Ok(())
}

/// Lets go on what `scope` names, because `who` says so.
pub(crate) async fn lift_halt(app: &App, who: &Known, scope: &str) -> Result<(), Problem> {
    let scope = known(scope)?;
    if !app.runtime.resume(scope, who.actor()).await? {
        return Err(Problem::not_found("Nothing of this name is halted."));
    }
    Ok(())
}

fn known(scope: &str) -> Result<HaltScope, Problem> {
    scope.parse().map_err(|_| Problem::malformed("What can be halted is `all`, `rule:NAME` or `plugin:NAME`."))
}

/// What is halted.
#[derive(Serialize, ToSchema)]
pub(super) struct Halts {
    items: Vec<HaltJson>,
}

/// Something that is halted, since when, by whom and why.
#[derive(Serialize, ToSchema)]
struct HaltJson {
    #[schema(value_type = shapes::HaltScope)]
    scope: String,
    at: Timestamp,
    actor: String,
    reason: Option<String>,
}

impl HaltJson {
    fn new(halt: &Halt) -> Self {
        Self { scope: halt.scope.to_string(), at: halt.at, actor: halt.actor.as_str().to_owned(), reason: halt.reason.clone() }
    }
}
