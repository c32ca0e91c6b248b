//! What is in force: rules, automations, connections, and how many deliveries came to what.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use serde_json::{Map, Value};
use zelo_core::{AutomationId, Status, Timestamp};
use zelo_rules::{Diagnostic, Overview, Text};
use zelo_runtime::outbound::Down;

use super::query::Parameters;
use crate::App;
use crate::problem::Problem;

#[derive(Serialize)]
struct RuleJson<'a> {
    id: &'a str,
    /// One text, or one by language.
    title: &'a Text,
    source: Option<&'a str>,
    on: &'a BTreeSet<String>,
    digest: &'a str,
    /// The rule in words, by language, with defaults for its settings.
    sentence: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct AutomationJson<'a> {
    id: &'a str,
    rule: &'a str,
    connection: &'a str,
    clinic: Option<&'a str>,
    settings: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct IdleJson<'a> {
    automation: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct RulesJson<'a> {
    items: Vec<RuleJson<'a>>,
    next: Option<String>,
    /// What is switched on.
    automations: Vec<AutomationJson<'a>>,
    /// What is switched on and yet does nothing.
    idle: Vec<IdleJson<'a>>,
    /// Why the files on disk are not in force; empty if they are.
    problems: Vec<Diagnostic>,
    /// The same as one text, and the only place for what is not a mistake in a rule file: a broken plugin, a rule that is
    /// switched on and gone, a file that cannot be read. Null if the files on disk are in force.
    problem: Option<String>,
}

pub(super) async fn rules(State(app): State<App>, parameters: Parameters) -> Result<Json<Value>, Problem> {
    parameters.none()?;
    let edition = app.runtime.rules.current();
    let items = edition.rules.rules().map(|rule| RuleJson {
        id: &rule.id,
        title: &rule.title,
        source: rule.source.as_deref(),
        on: &rule.on,
        digest: &rule.digest,
        sentence: edition.rules.sentences(&rule.id, &Map::new()),
    });
    let automations = edition.in_force.automations().map(|automation| AutomationJson {
        id: &automation.id.0,
        rule: &automation.rule,
        connection: &automation.connection,
        clinic: automation.clinic.as_deref(),
        settings: &automation.settings,
    });
    let idle = edition.in_force.problems().iter().map(|problem| IdleJson { automation: &problem.automation.0, reason: &problem.text });
    let answer = RulesJson {
        items: items.collect(),
        next: None,
        automations: automations.collect(),
        idle: idle.collect(),
        problems: app.runtime.rules.problems(),
        problem: app.runtime.rules.problem(),
    };
    serde_json::to_value(answer).map(Json).map_err(|_| Problem::internal())
}

/// A rule on one screen, and where it is or was switched on.
#[derive(Serialize)]
pub(super) struct OneRuleJson {
    #[serde(flatten)]
    overview: Overview,
    automations: Vec<SwitchedJson>,
}

/// An automation, on or off.
#[derive(Serialize)]
struct SwitchedJson {
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
pub(super) async fn rule(State(app): State<App>, Path(id): Path<String>, parameters: Parameters) -> Result<Json<OneRuleJson>, Problem> {
    parameters.none()?;
    let edition = app.runtime.rules.current();
    let Some(overview) = edition.rules.overview(&id) else {
        return Err(Problem::not_found(match edition.rules.nearest(&id) {
            Some(near) => format!("There is no rule with this id. Did you mean `{near}`?"),
            None => "There is no rule with this id. /api/v1/rules lists them.".to_owned(),
        }));
    };
    let rows = app.runtime.store.automations().await?;
    let switched = rows.into_iter().filter(|row| row.rule == id).map(|row| SwitchedJson {
        sentence: edition.rules.sentences(&id, &row.settings),
        id: row.id.to_string(),
        connection: row.connection,
        clinic: row.clinic,
        enabled: row.enabled,
        settings: row.settings,
    });
    Ok(Json(OneRuleJson { automations: switched.collect(), overview }))
}

#[derive(Serialize)]
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

#[derive(Serialize)]
struct DeliveriesJson {
    accepted: u64,
    duplicate: u64,
    stale: u64,
    quarantined: u64,
    ignored: u64,
    refused: u64,
}

/// A destination of requests that is left alone for a while.
#[derive(Serialize)]
struct DownJson {
    host: String,
    /// The automation that it takes no more of; nothing where it takes nothing of anybody.
    automation: Option<AutomationId>,
    since: Timestamp,
    /// When it is tried again; nothing where it is being tried.
    again: Option<Timestamp>,
}

#[derive(Serialize)]
struct ConnectionJson {
    name: String,
    source: String,
    clinic: Option<String>,
    /// Takes deliveries that nobody signed.
    insecure: bool,
}

pub(super) async fn status(State(app): State<App>, parameters: Parameters) -> Result<Json<StatusJson>, Problem> {
    parameters.none()?;
    let edition = app.runtime.rules.current();
    let metrics = app.runtime.metrics();
    let mut connections: Vec<ConnectionJson> =
        app.runtime.connections.values().map(|connection| ConnectionJson::new(&app, connection)).collect();
    connections.sort_by(|one, other| one.name.cmp(&other.name));
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
    fn new(app: &App, connection: &zelo_runtime::Connection) -> Self {
        Self {
            name: connection.name.clone(),
            source: connection.source.clone(),
            clinic: connection.clinic.clone(),
            insecure: app.runtime.is_insecure(connection),
        }
    }
}
