//! What is switched on, and switching it.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use zelo_core::Timestamp;
use zelo_runtime::automations::{Chosen, Error, Switch, To};
use zelo_store::AutomationRow;

use super::query::Parameters;
use crate::access::Known;
use crate::openapi::shapes;
use crate::pages::automations::spot::Spot;
use crate::problem::Problem;
use crate::{App, body};

/// The longest body in bytes.
const BODY_MAX: usize = 64 * 1024;

/// A rule that is switched on, or was.
#[derive(Serialize, ToSchema)]
#[schema(as = AutomationRow)]
pub(super) struct RowJson {
    #[schema(value_type = shapes::AutomationId)]
    id: String,
    rule: String,
    connection: String,
    clinic: Option<String>,
    enabled: bool,
    /// What was chosen; the rest is defaults.
    settings: Map<String, Value>,
    /// Who says so: `config`, the file, or `people`.
    origin: String,
    changed: Timestamp,
}

impl From<AutomationRow> for RowJson {
    fn from(row: AutomationRow) -> Self {
        let AutomationRow { id, rule, connection, clinic, settings, enabled, origin, changed } = row;
        Self { id: id.to_string(), rule, connection, clinic, enabled, settings, origin, changed }
    }
}

/// All of them.
#[derive(Serialize, ToSchema)]
pub(super) struct AutomationsJson {
    items: Vec<RowJson>,
    next: Option<String>,
}

/// Every automation that is on, or was.
#[utoipa::path(get, path = "/api/v1/automations", tag = "api", operation_id = "list_automations", responses(
    (status = 200, description = "As asked for.", body = AutomationsJson),
))]
pub(super) async fn list(State(app): State<App>, who: Known, parameters: Parameters) -> Result<Json<AutomationsJson>, Problem> {
    parameters.none()?;
    let rows = app.runtime.store.automations().await?.into_iter();
    let told = rows.filter(|row| who.clinics.include(&row.connection, row.clinic.as_deref()));
    Ok(Json(AutomationsJson { items: told.map(RowJson::from).collect(), next: None }))
}

/// How an automation is to stand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    rule: String,
    connection: String,
    /// Only for this clinic.
    clinic: Option<String>,
    enabled: bool,
    /// These and no other; the rest is defaults. Absent: as they are.
    settings: Option<Map<String, Value>>,
}

/// How it stands now.
#[derive(Serialize, ToSchema)]
pub(super) struct SwitchJson {
    automation: RowJson,
    /// How many pending jobs were cancelled, or are due at another time.
    jobs: usize,
}

/// Switches a rule on or off for a connection, or for one clinic of it. It fires for what comes from then on; what is pending for one that is
/// off is cancelled.
#[utoipa::path(put, path = "/api/v1/automations", tag = "api", operation_id = "switch_automation", request_body = Asked, responses(
    (status = 200, description = "Switched.", body = SwitchJson),
    (status = 404, description = "There is no such rule, connection or clinic.", body = shapes::Problem, content_type = "application/problem+json"),
    (status = 409, description = "It cannot be switched so, or is kept and not in force.", body = shapes::Problem, content_type = "application/problem+json"),
))]
pub(super) async fn switch(State(app): State<App>, who: Known, parameters: Parameters, request: Body) -> Result<Json<SwitchJson>, Problem> {
    parameters.none()?;
    let held = body::read(request, BODY_MAX, app.settings.request_timeout, &app.bodies).await?;
    let Asked { rule, connection, clinic, enabled, settings } = serde_json::from_slice(&held.bytes).map_err(|error| {
        let form = "{rule, connection, clinic, enabled, settings}";
        Problem::malformed(format!("This is not {form}: line {}, column {}.", error.line(), error.column()))
    })?;
    let edition = app.runtime.rules.current();
    let found = edition.rules.rule(&rule).ok_or_else(|| Problem::not_found("No rule in force has this id."))?;
    let spot = Spot::asked(&app, &edition.rules, found, &who, &connection, clinic.as_deref())?;
    let to = match (enabled, settings) {
        (false, _) => To::Off,
        (true, Some(settings)) => To::On(Chosen::Exactly(settings)),
        (true, None) => To::On(Chosen::Beside(Map::new())),
    };
    let switch = Switch { rule, connection: Some(spot.connection), clinic: spot.clinic, to };
    let mut switched = app.runtime.switch(&switch, who.actor()).await.map_err(|error| match error {
        Error::Store(error) => error.into(),
        Error::NoRule { .. } | Error::NoConnection { .. } => Problem::not_found("No rule in force has this id, or none that reads there."),
        refused @ (Error::Settings(_) | Error::NeverOn { .. } | Error::NotInForce(_) | Error::Changed) => {
            Problem::automation(refused.to_string())
        }
    })?;
    let row = switched.rows.pop().ok_or_else(Problem::internal)?;
    Ok(Json(SwitchJson { automation: row.into(), jobs: switched.jobs }))
}
