//! What is in force, in words.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use zelo_rules::Rule;
use zelo_store::AutomationRow;

use super::{Scene, automations};
use crate::cli::meant::did_you_mean;

/// Every rule with where it is on, and what keeps any of it from working.
pub(super) async fn list(scene: &Scene<'_>) -> Result<Value> {
    let rows = scene.store.automations().await?;
    // Without a server, automations that fit no rule are found here; a server has said so before.
    let (idle, mut problem) = match scene.in_force().await {
        Ok(in_force) => (in_force.problems().to_vec(), None),
        Err(error) => (Vec::new(), Some(format!("{error:#}"))),
    };
    problem = scene.problem.clone().or(problem);
    let rules = scene.rules.rules().map(|rule| {
        json!({
            "id": rule.id, "title": rule.title, "digest": rule.digest, "source": rule.source, "on": rule.on, "file": rule.file,
            "sentence": scene.rules.sentences(&rule.id, &serde_json::Map::new()),
            "automations": of(scene, rule, &rows),
        })
    });
    let idle = idle.iter().map(|problem| json!({ "automation": problem.automation, "reason": problem.text }));
    Ok(json!({ "rules": rules.collect::<Vec<_>>(), "idle": idle.collect::<Vec<_>>(), "problem": problem }))
}

/// One rule on one screen, with where it is on and what was chosen there.
pub(super) async fn show(scene: &Scene<'_>, id: &str) -> Result<Value> {
    let rows = scene.store.automations().await?;
    let rule = scene.rules.rule(id).zip(scene.rules.overview(id));
    let (rule, overview) = rule.with_context(|| unknown(scene, id))?;
    let mut told = serde_json::to_value(overview)?;
    if let Some(told) = told.as_object_mut() {
        told.insert("automations".to_owned(), of(scene, rule, &rows));
        told.insert("problem".to_owned(), scene.problem.clone().map_or(Value::Null, Value::String));
    }
    Ok(told)
}

/// That there is no such rule, and which was probably meant.
pub(super) fn unknown(scene: &Scene<'_>, id: &str) -> String {
    format!("there is no rule `{id}`{}", did_you_mean(id, scene.rules.rules().map(|rule| rule.id.as_str())))
}

/// The automations of a rule, on and off, with all their settings and the rule in words under these.
fn of(scene: &Scene<'_>, rule: &Rule, rows: &[AutomationRow]) -> Value {
    let of = rows.iter().filter(|row| row.rule == rule.id).map(|row| {
        let mut told = automations::told(row);
        if let Some(told) = told.as_object_mut() {
            told.insert("sentence".to_owned(), json!(scene.rules.sentences(&rule.id, &row.settings)));
        }
        told
    });
    of.collect()
}
