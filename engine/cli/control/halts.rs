//! The kill switch.

use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};
use zelo_core::halt::reason as reason_of;
use zelo_core::{Actor, Halt, HaltScope};

use super::Scene;
use crate::cli::meant::did_you_mean;

pub(super) async fn list(scene: &Scene<'_>) -> Result<Value> {
    let told = |halt: &Halt| json!({ "scope": halt.scope.to_string(), "at": halt.at, "actor": halt.actor.as_str(), "reason": halt.reason });
    Ok(scene.store.halts().await?.iter().map(told).collect())
}

/// Whether it was not halted before. A name that nothing has is no halt: who mistyped it would take what goes on for halted.
pub(super) async fn halt(scene: &Scene<'_>, scope: &str, reason: Option<String>) -> Result<Value> {
    let scope = parse(scope)?;
    if let Some((_, in_force)) = &scene.server
        && let Err(known) = in_force.has(&scope)
    {
        bail!("there is no {scope} in the rules in force{}; nothing was halted", did_you_mean(named(&scope), known));
    }
    let reason = reason_of(reason.as_deref()).map_err(|why| anyhow!(why))?;
    let halt = Halt { scope, at: scene.clock.now(), actor: Actor::command(), reason };
    Ok(Value::Bool(scene.store.put_halt(halt).await?))
}

/// What a scope names.
fn named(scope: &HaltScope) -> &str {
    match scope {
        HaltScope::All => "all",
        HaltScope::Rule(name) | HaltScope::Plugin(name) => name,
    }
}

/// Whether it was halted.
pub(super) async fn resume(scene: &Scene<'_>, scope: &str) -> Result<Value> {
    Ok(Value::Bool(scene.store.lift_halt(parse(scope)?, Actor::command(), scene.clock.now()).await?))
}

fn parse(scope: &str) -> Result<HaltScope> {
    scope.parse().map_err(|why: String| anyhow!(why))
}
