//! Deliveries that were refused.

use axum::extract::{Path, State};
use axum::middleware::from_fn;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Serialize;
use zelo_store::RefusedView;

use super::query::{List, Parameters};
use crate::App;
use crate::access::{Known, integrators};
use crate::problem::Problem;
use crate::seen::Seen;

/// The routes: everybody may see that they were refused; what they said is for who looks after connections.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/refused", get(list)).route("/refused/{trace}", get(one).route_layer(from_fn(integrators)))
}

#[derive(Serialize)]
pub(crate) struct RefusedJson {
    trace_id: String,
    connection: String,
    clinic: Option<String>,
    at: Timestamp,
    code: String,
    why: String,
    /// How many it stands for.
    count: u64,
    size: u64,
    address: Option<String>,
    path: String,
    /// Names, and values that are no secret.
    headers: Vec<HeaderJson>,
    /// Whether its body is kept.
    has_body: bool,
    /// Only where one is asked for; what is not UTF-8 is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Serialize)]
struct HeaderJson {
    name: String,
    /// Null where it may be secret.
    value: Option<String>,
}

impl RefusedJson {
    fn new(view: &RefusedView) -> Self {
        let refused = &view.refused;
        Self {
            trace_id: refused.trace.to_string(),
            connection: refused.connection.clone(),
            clinic: refused.clinic.clone(),
            at: refused.at,
            code: refused.code.clone(),
            why: refused.why.clone(),
            count: refused.count,
            size: refused.size,
            address: refused.address.clone(),
            path: refused.path.clone(),
            headers: refused.headers.iter().map(|(name, value)| HeaderJson { name: name.clone(), value: value.clone() }).collect(),
            has_body: view.has_body,
            body: None,
        }
    }
}

async fn list(State(app): State<App>, who: Known, parameters: Parameters) -> Result<Json<List<RefusedJson>>, Problem> {
    let wanted = parameters.page("")?;
    let rows = app.runtime.store.refused(&wanted.page).await?;
    Seen::of("refused").rows(wanted.shown(&rows)).by(&who, &app).await?;
    Ok(Json(wanted.answer(&rows, |row| row.cursor, RefusedJson::new)))
}

/// One, with its body where that is kept.
async fn one(State(app): State<App>, who: Known, Path(trace): Path<String>, parameters: Parameters) -> Result<Json<RefusedJson>, Problem> {
    parameters.none()?;
    let missing = || Problem::not_found("No refused delivery of this trace is kept. An id is 32 hexadecimal digits.");
    let trace = trace.parse().map_err(|_| missing())?;
    let (view, body) = app.runtime.store.refused_one(trace).await?.ok_or_else(missing)?;
    Seen::of("refused").rows([&view]).by(&who, &app).await?;
    let body = body.map(|body| String::from_utf8_lossy(&body).into_owned());
    Ok(Json(RefusedJson { body, ..RefusedJson::new(&view) }))
}
