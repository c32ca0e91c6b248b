//! What is in force: rules, automations, connections, and how many deliveries came to what.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use zelo_core::{AutomationId, Status, Timestamp};
use zelo_rules::{Diagnostic, Overview, Text};
use zelo_runtime::Heard;
use zelo_runtime::outbound::Down;

use super::query::Parameters;
use crate::App;
use crate::access::Known;
use crate::openapi::shapes;
use crate::problem::Problem;

/// A rule.
#[derive(Serialize, ToSchema)]
pub(super) struct RuleJson {
    id: String,
    #[schema(value_type = shapes::Text)]
    title: Text,
    source: Option<String>,
    on: BTreeSet<String>,
    digest: String,
    /// The rule in words, by language, with defaults for its settings.
    sentence: BTreeMap<&'static str, String>,
}

/// A rule that is switched on.
#[derive(Serialize, ToSchema)]
struct AutomationJson {
    #[schema(value_type = shapes::AutomationId)]
    id: String,
    rule: String,
    connection: String,
    clinic: Option<String>,
    settings: Map<String, Value>,
}

/// What is switched on and yet does nothing, and why.
#[derive(Serialize, ToSchema)]
struct IdleJson {
    #[schema(value_type = shapes::AutomationId)]
    automation: String,
    reason: String,
}

/// What is in force.
#[derive(Serialize, ToSchema)]
pub(super) struct RulesJson {
    items: Vec<RuleJson>,
    next: Option<String>,
    /// What is switched on.
    automations: Vec<AutomationJson>,
    /// What is switched on and yet does nothing.
    idle: Vec<IdleJson>,
    /// Why the files on disk are not in force; empty if they are.
    #[schema(value_type = Vec<shapes::Diagnostic>)]
    problems: Vec<Diagnostic>,
    /// The same as one text, and the only place for what is not a mistake in a rule file: a broken plugin, a rule that is
    /// switched on and gone, a file that cannot be read. Null if the files on disk are in force.
    problem: Option<String>,
}

/// The rules in force, what is switched on, and why the files on disk are not in force where they are not.
#[utoipa::path(get, path = "/api/v1/rules", tag = "api", responses(
    (status = 200, description = "As asked for.", body = RulesJson),
))]
pub(super) async fn rules(State(app): State<App>, who: Known, parameters: Parameters) -> Result<Json<RulesJson>, Problem> {
    parameters.none()?;
    let edition = app.runtime.rules.current();
    let all = who.sees_everything();
    let sees = |connection: &str, clinic: Option<&str>| who.clinics.include(connection, clinic);
    let switched: Vec<_> = edition.in_force.automations().filter(|one| sees(&one.connection, one.clinic.as_deref())).collect();
    let items = edition.rules.rules().filter(|rule| all || switched.iter().any(|one| one.rule == rule.id)).map(|rule| RuleJson {
        id: rule.id.clone(),
        title: rule.title.clone(),
        source: rule.source.clone(),
        on: rule.on.clone(),
        digest: rule.digest.clone(),
        sentence: edition.rules.sentences(&rule.id, &Map::new()),
    });
    let automations = switched.iter().map(|automation| AutomationJson {
        id: automation.id.to_string(),
        rule: automation.rule.clone(),
        connection: automation.connection.clone(),
        clinic: automation.clinic.clone(),
        settings: automation.settings.clone(),
    });
    let idle = edition
        .in_force
        .problems()
        .iter()
        .filter(|_| all)
        .map(|problem| IdleJson { automation: problem.automation.to_string(), reason: problem.text.clone() });
    Ok(Json(RulesJson {
        items: items.collect(),
        next: None,
        automations: automations.collect(),
        idle: idle.collect(),
        problems: if all { app.runtime.rules.problems() } else { Vec::new() },
        problem: app.runtime.rules.problem().filter(|_| all),
    }))
}

/// A rule on one screen, and where it is or was switched on.
#[derive(Serialize, ToSchema)]
pub(super) struct OneRuleJson {
    #[serde(flatten)]
    #[schema(value_type = shapes::Overview)]
    overview: Overview,
    automations: Vec<SwitchedJson>,
}

/// An automation, on or off.
#[derive(Serialize, ToSchema)]
struct SwitchedJson {
    #[schema(value_type = shapes::AutomationId)]
    id: String,
    connection: String,
    clinic: Option<String>,
    enabled: bool,
    /// What was chosen; the rest is defaults.
    settings: Map<String, Value>,
    /// The rule in words, by language, under these settings.
    sentence: BTreeMap<&'static str, String>,
}

/// One rule: what it does in words, what it shows to plugins and why, what it may do, what can be chosen.
#[utoipa::path(get, path = "/api/v1/rules/{id}", tag = "api", params(("id" = String, Path)), responses(
    (status = 200, description = "As asked for.", body = OneRuleJson),
))]
pub(super) async fn rule(
    State(app): State<App>,
    who: Known,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<OneRuleJson>, Problem> {
    parameters.none()?;
    let edition = app.runtime.rules.current();
    let all = who.sees_everything();
    let rows = app.runtime.store.automations().await?.into_iter().filter(|row| row.rule == id);
    let rows: Vec<_> = rows.filter(|row| who.clinics.include(&row.connection, row.clinic.as_deref())).collect();
    let Some(overview) = edition.rules.overview(&id).filter(|_| all || !rows.is_empty()) else {
        return Err(Problem::not_found(match edition.rules.nearest(&id).filter(|_| all) {
            Some(near) => format!("There is no rule with this id. Did you mean `{near}`?"),
            None => "There is no rule with this id. /api/v1/rules lists them.".to_owned(),
        }));
    };
    let switched = rows.into_iter().map(|row| SwitchedJson {
        sentence: edition.rules.sentences(&id, &row.settings),
        id: row.id.to_string(),
        connection: row.connection,
        clinic: row.clinic,
        enabled: row.enabled,
        settings: row.settings,
    });
    Ok(Json(OneRuleJson { automations: switched.collect(), overview }))
}

/// What is in force, and what came.
#[derive(Serialize, ToSchema)]
pub(super) struct StatusJson {
    version: &'static str,
    /// Since the process began.
    deliveries: DeliveriesJson,
    rules: usize,
    automations: usize,
    problems: usize,
    connections: Vec<ConnectionJson>,
    down: Vec<DownJson>,
}

/// How many deliveries came to what.
#[derive(Serialize, ToSchema)]
struct DeliveriesJson {
    accepted: u64,
    duplicate: u64,
    stale: u64,
    quarantined: u64,
    ignored: u64,
    refused: u64,
}

/// A destination of requests that is left alone for a while.
#[derive(Serialize, ToSchema)]
struct DownJson {
    host: String,
    /// The automation that it takes no more of; nothing where it takes nothing of anybody.
    #[schema(value_type = Option<shapes::AutomationId>)]
    automation: Option<AutomationId>,
    since: Timestamp,
    /// When it is tried again; nothing where it is being tried.
    again: Option<Timestamp>,
}

/// A connection.
#[derive(Serialize, ToSchema)]
struct ConnectionJson {
    name: String,
    source: String,
    clinic: Option<String>,
    /// Takes deliveries that nobody signed.
    insecure: bool,
    /// When a delivery was acknowledged last, as far as it is known.
    last_heard: Option<Timestamp>,
    /// Nothing has come for longer than it should.
    silent: bool,
    /// More is refused than usual.
    refusals_rising: bool,
}

/// What is in force, and how many deliveries came to what.
#[utoipa::path(get, path = "/api/v1/status", tag = "api", responses(
    (status = 200, description = "As asked for.", body = StatusJson),
))]
pub(super) async fn status(State(app): State<App>, parameters: Parameters) -> Result<Json<StatusJson>, Problem> {
    parameters.none()?;
    let edition = app.runtime.rules.current();
    let metrics = app.runtime.metrics();
    let connections = app.runtime.heard().into_iter().filter_map(|heard| ConnectionJson::new(&app, heard)).collect();
    Ok(Json(StatusJson {
        version: env!("CARGO_PKG_VERSION"),
        deliveries: DeliveriesJson {
            accepted: metrics.deliveries(Status::Accepted),
            duplicate: metrics.deliveries(Status::Duplicate),
            stale: metrics.deliveries(Status::Stale),
            quarantined: metrics.deliveries(Status::Quarantined),
            ignored: metrics.deliveries(Status::Ignored),
            refused: metrics.refusals(),
        },
        rules: edition.rules.rules().count(),
        automations: edition.in_force.automations().count(),
        problems: app.runtime.rules.problems().len(),
        connections,
        down: app.runtime.down().into_iter().map(DownJson::new).collect(),
    }))
}

impl DownJson {
    fn new(Down { host, automation, since, again }: Down) -> Self {
        Self { host, automation, since, again }
    }
}

impl ConnectionJson {
    fn new(app: &App, heard: Heard) -> Option<Self> {
        let connection = app.runtime.connections.get(&heard.connection)?;
        Some(Self {
            name: connection.name.clone(),
            source: connection.source.clone(),
            clinic: connection.clinic.clone(),
            insecure: app.runtime.is_insecure(connection),
            last_heard: heard.last,
            silent: heard.silent,
            refusals_rising: heard.refusals_rise,
        })
    }
}
