//! The kill switch.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::middleware::from_fn;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use zelo_core::halt::reason;
use zelo_core::{Halt, HaltScope};

use super::query::Parameters;
use crate::access::{Known, operators};
use crate::problem::Problem;
use crate::{App, body};

/// The longest body in bytes.
const BODY_MAX: usize = 4096;

/// The routes of what is halted: everybody may see it, operators change it.
pub(super) fn routes() -> Router<App> {
    let change = put(halt).delete(resume).route_layer(from_fn(operators));
    Router::new().route("/halts", get(list)).route("/halts/{scope}", change)
}

/// What is said about a halt beside its scope.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    reason: Option<String>,
}

async fn list(State(app): State<App>, parameters: Parameters) -> Result<Json<Value>, Problem> {
    parameters.none()?;
    Ok(all(&app))
}

fn all(app: &App) -> Json<Value> {
    Json(json!({ "items": app.runtime.line.halts().iter().map(told).collect::<Vec<_>>() }))
}

async fn halt(State(app): State<App>, who: Known, Path(scope): Path<String>, request: Body) -> Result<Json<Value>, Problem> {
    let held = body::read(request, BODY_MAX, app.settings.request_timeout, &app.bodies).await?;
    let said: Said = match held.bytes.is_empty() {
        true => Said::default(),
        false => serde_json::from_slice(&held.bytes).map_err(|_| Problem::malformed("This is not {reason}."))?,
    };
    put_halt(&app, &who, &scope, said.reason.as_deref()).await?;
    Ok(all(&app))
}

async fn resume(State(app): State<App>, who: Known, Path(scope): Path<String>) -> Result<Json<Value>, Problem> {
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

fn told(halt: &Halt) -> Value {
    json!({ "scope": halt.scope.to_string(), "at": halt.at.to_string(), "actor": halt.actor.as_str(), "reason": halt.reason })
}
