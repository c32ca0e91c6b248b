//! Stored events, once more for one rule.

use std::num::NonZeroU32;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use zelo_core::Actor;
use zelo_runtime::replay::{self, Error, Limits, Report, Wanted};
use zelo_store::Replayable;

use super::Scene;
use crate::cli::meant::did_you_mean;

/// What is to be replayed.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Ask {
    pub(in crate::cli) rule: String,
    pub(in crate::cli) range: Replayable,
    pub(in crate::cli) per_minute: NonZeroU32,
    pub(in crate::cli) dry_run: bool,
}

pub(super) async fn run(scene: &Scene<'_>, ask: &Ask) -> Result<Report> {
    let Ask { rule, range, per_minute, dry_run } = ask;
    if let Some(name) = range.connection.as_ref().filter(|name| !scene.connections.contains_key(*name)) {
        bail!("there is no connection `{name}`{}", did_you_mean(name, scene.connections.keys().map(String::as_str)));
    }
    let wanted = Wanted { rule: rule.clone(), range: range.clone(), per_minute: *per_minute, dry_run: *dry_run, actor: Actor::command() };
    let in_force = scene.in_force().await?;
    match replay::replay(scene.store, &in_force, wanted, Limits::default(), scene.clock.now()).await {
        Err(error @ Error::NoRule(_)) => {
            bail!("{error}{}", did_you_mean(rule, scene.rules.rules().map(|rule| rule.id.as_str())))
        }
        outcome => Ok(outcome?),
    }
}
