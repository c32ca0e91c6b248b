//! What is on, and for whom.

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use zelo_core::Actor;
use zelo_runtime::Runtime;
use zelo_runtime::automations::{self, Chosen, To};
use zelo_store::AutomationRow;

use super::Scene;

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

impl Switch {
    /// As the engine has it. A switch alone keeps the settings that there are.
    fn meant(&self) -> automations::Switch {
        let Self { rule, connection, clinic, settings, enabled } = self.clone();
        let to = if enabled { To::On(Chosen::Beside(settings)) } else { To::Off };
        automations::Switch { rule, connection, clinic, to }
    }
}

/// Switches a rule on or off where the running server has the store; the rows that this wrote.
pub(super) async fn switch(runtime: &Runtime, switch: &Switch) -> Result<Value> {
    let switched = runtime.switch(&switch.meant(), Actor::command()).await?;
    Ok(switched.rows.iter().map(told).collect())
}

/// The same where nobody runs: it is in force when a server starts.
pub(super) async fn keep(scene: &Scene<'_>, switch: &Switch) -> Result<Value> {
    let rows = automations::rows(scene.rules, scene.connections, &scene.store.automations().await?, &switch.meant())?;
    let rows = automations::put(scene.store, rows, Actor::command(), scene.clock.now()).await?;
    Ok(rows.iter().map(told).collect())
}

pub(super) fn told(row: &AutomationRow) -> Value {
    json!({
        "id": row.id, "rule": row.rule, "connection": row.connection, "clinic": row.clinic, "settings": row.settings,
        "enabled": row.enabled, "origin": row.origin, "changed": row.changed.to_string(),
    })
}
