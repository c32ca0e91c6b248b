//! Secrets that the store keeps.

use std::fmt;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zelo_core::Actor;
use zelo_store::SecretView;

use super::Scene;

/// What a secret says, on its way to the store. Prints nothing.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::cli) struct Unsaid(String);

impl Unsaid {
    pub(in crate::cli) fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Unsaid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unsaid")
    }
}

/// Whether there was none of this name.
pub(super) async fn set(scene: &Scene<'_>, name: &str, value: &Unsaid) -> Result<Value> {
    Ok(Value::Bool(zelo_server::keep_secret(scene.store, name, &value.0, Actor::command(), scene.clock.now()).await?))
}

/// Whether there was one.
pub(super) async fn remove(scene: &Scene<'_>, name: &str) -> Result<Value> {
    Ok(Value::Bool(scene.store.remove_secret(name.to_owned(), Actor::command(), scene.clock.now()).await?))
}

pub(super) async fn list(scene: &Scene<'_>) -> Result<Value> {
    let told = |secret: &SecretView| json!({ "name": secret.name, "at": secret.at });
    Ok(scene.store.secrets().await?.iter().map(told).collect())
}
