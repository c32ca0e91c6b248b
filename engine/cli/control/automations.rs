//! What is on, and for whom.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use zelo_core::{Actor, AutomationId, Timestamp};
use zelo_rules::RuleSet;
use zelo_runtime::{Connection, rulebook};
use zelo_store::AutomationRow;

use super::Scene;
use crate::cli::meant::did_you_mean;

/// Every automation that is on, or was.
pub(super) async fn list(scene: &Scene<'_>) -> Result<Value> {
    Ok(scene.store.automations().await?.iter().map(told).collect())
}

/// What is to be switched.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Switch {
    pub(in crate::cli) rule: String,
    pub(in crate::cli) connection: Option<String>,
    pub(in crate::cli) clinic: Option<String>,
    pub(in crate::cli) settings: Map<String, Value>,
    pub(in crate::cli) enabled: bool,
}

/// Switches a rule on or off; the rows that this wrote.
pub(super) async fn switch(scene: &Scene<'_>, switch: &Switch) -> Result<Value> {
    let Switch { rule, connection, clinic, settings, enabled } = switch;
    let known = scene.store.automations().await?;
    let rows = if *enabled {
        let places = places(scene.rules, scene.connections, rule, connection.as_deref())?;
        let on = |place| switched_on(scene.rules, &known, rule, place, clinic.as_deref(), settings);
        places.into_iter().map(on).collect::<Result<Vec<_>>>()?
    } else {
        switched_off(&known, rule, connection.as_deref(), clinic.as_deref())?
    };
    let mut told_rows = Vec::new();
    for row in rows {
        let row = AutomationRow { origin: "people".to_owned(), changed: scene.clock.now(), ..row };
        told_rows.push(told(&row));
        scene.store.put_automation(row, Actor::command()).await?;
    }
    Ok(Value::Array(told_rows))
}

/// The row that switches `rule` on. A switch alone keeps the settings that it had.
fn switched_on(
    rules: &RuleSet,
    known: &[AutomationRow],
    rule: &str,
    connection: String,
    clinic: Option<&str>,
    settings: &Map<String, Value>,
) -> Result<AutomationRow> {
    let id = AutomationId::new(rule, &connection, clinic);
    let mut all = known.iter().find(|row| row.id == id).map(|row| row.settings.clone()).unwrap_or_default();
    all.extend(settings.clone());
    if let Err(problems) = rules.settings_for(rule, &all) {
        bail!("{}", problems.join("\n"));
    }
    Ok(AutomationRow {
        id,
        rule: rule.to_owned(),
        connection,
        clinic: clinic.map(str::to_owned),
        settings: all,
        enabled: true,
        origin: String::new(),
        changed: Timestamp::UNIX_EPOCH,
    })
}

/// The rows that switch `rule` off, which may be gone from the files already.
fn switched_off(known: &[AutomationRow], rule: &str, connection: Option<&str>, clinic: Option<&str>) -> Result<Vec<AutomationRow>> {
    let there = |row: &&AutomationRow| row.rule == rule && connection.is_none_or(|wanted| wanted == row.connection);
    let of_clinic = |row: &AutomationRow| AutomationRow {
        id: AutomationId::new(rule, &row.connection, clinic),
        clinic: clinic.map(str::to_owned),
        enabled: false,
        ..row.clone()
    };
    let mut rows: Vec<AutomationRow> = known.iter().filter(there).filter(|row| row.clinic.as_deref() == clinic).map(of_clinic).collect();
    if rows.is_empty() {
        // Off for one clinic of a connection where it is on.
        rows.extend(known.iter().filter(there).filter(|row| row.clinic.is_none()).map(of_clinic));
    }
    if rows.is_empty() {
        bail!("`{rule}` was never switched on there; see zelo automation list");
    }
    Ok(rows)
}

/// The connections that a rule is to be switched on for.
fn places(rules: &RuleSet, connections: &HashMap<String, Connection>, rule: &str, wanted: Option<&str>) -> Result<Vec<String>> {
    let known = || did_you_mean(rule, rules.rules().map(|rule| rule.id.as_str()));
    let found = rules.rule(rule).with_context(|| format!("there is no rule `{rule}`{}", known()))?;
    let reads = |connection: &&Connection| rules.source(&connection.source).is_some_and(|source| rulebook::reads(found, source));
    let mut names: Vec<String> = connections
        .values()
        .filter(reads)
        .filter(|connection| wanted.is_none_or(|wanted| wanted == connection.name))
        .map(|connection| connection.name.clone())
        .collect();
    names.sort();
    if names.is_empty() {
        bail!("there is no connection {}whose events `{rule}` reads", wanted.map(|wanted| format!("`{wanted}` ")).unwrap_or_default());
    }
    Ok(names)
}

pub(super) fn told(row: &AutomationRow) -> Value {
    json!({
        "id": row.id, "rule": row.rule, "connection": row.connection, "clinic": row.clinic, "settings": row.settings,
        "enabled": row.enabled, "origin": row.origin, "changed": row.changed.to_string(),
    })
}
