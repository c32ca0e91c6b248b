//! Deliveries that were refused.

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use zelo_store::RefusedView;

use super::query::{List, PageQuery, Parameters};
use crate::App;
use crate::access::Known;
use crate::openapi::shapes;
use crate::problem::Problem;
use crate::seen::Seen;

/// A delivery that was refused.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedJson {
    #[schema(value_type = shapes::TraceId)]
    trace_id: String,
    connection: String,
    clinic: Option<String>,
    #[schema(value_type = shapes::Timestamp)]
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
    #[schema(nullable = false)]
    body: Option<String>,
}

#[derive(Serialize, ToSchema)]
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

/// Refused deliveries, newest first, without their bodies. One may stand for many of the same connection and reason.
#[utoipa::path(get, path = "/api/v1/refused", tag = "api", params(PageQuery), operation_id = "refused_deliveries", responses(
    (status = 200, description = "As asked for.", body = List<RefusedJson>),
))]
pub(super) async fn list(State(app): State<App>, who: Known, parameters: Parameters) -> Result<Json<List<RefusedJson>>, Problem> {
    let wanted = parameters.page("", &who)?;
    let rows = app.runtime.store.refused(&wanted.page).await?;
    Seen::of("refused").rows(wanted.shown(&rows)).by(&who, &app).await?;
    Ok(Json(wanted.answer(&rows, |row| row.cursor, RefusedJson::new)))
}

/// One, with its body where that is kept.
#[utoipa::path(get, path = "/api/v1/refused/{trace_id}", tag = "api", operation_id = "refused_delivery", params(
    ("trace_id" = String, Path, description = "32 hexadecimal digits."),
), responses(
    (status = 200, description = "The delivery.", body = RefusedJson),
))]
pub(super) async fn one(
    State(app): State<App>,
    who: Known,
    Path(trace): Path<String>,
    parameters: Parameters,
) -> Result<Json<RefusedJson>, Problem> {
    parameters.none()?;
    let missing = || Problem::not_found("No refused delivery of this trace is kept. An id is 32 hexadecimal digits.");
    let trace = trace.parse().map_err(|_| missing())?;
    let (view, body) = app.runtime.store.refused_one(trace).await?.ok_or_else(missing)?;
    Seen::of("refused").rows([&view]).by(&who, &app).await?;
    let body = body.map(|body| String::from_utf8_lossy(&body).into_owned());
    Ok(Json(RefusedJson { body, ..RefusedJson::new(&view) }))
}
