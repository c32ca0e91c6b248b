//! Secrets that the store keeps.

use std::fmt;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zelo_core::Actor;
use zelo_store::{SECRET_MAX, SECRET_NAME_MAX, SecretValue, SecretView, is_secret_name};

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
    ensure!(
        is_secret_name(name),
        "this is no name of a secret: it begins with a letter and has lower-case letters, digits, `-` and `_`, {SECRET_NAME_MAX} at most"
    );
    ensure!(!value.0.is_empty(), "standard input is empty; the secret is to be on it");
    ensure!(value.0.len() <= SECRET_MAX, "this is longer than a secret may be: {SECRET_MAX} bytes");
    let value = SecretValue::new(value.0.as_bytes().to_vec());
    Ok(Value::Bool(scene.store.put_secret(name.to_owned(), value, Actor::command(), scene.clock.now()).await?))
}

/// Whether there was one.
pub(super) async fn remove(scene: &Scene<'_>, name: &str) -> Result<Value> {
    Ok(Value::Bool(scene.store.remove_secret(name.to_owned(), Actor::command(), scene.clock.now()).await?))
}

pub(super) async fn list(scene: &Scene<'_>) -> Result<Value> {
    let told = |secret: &SecretView| json!({ "name": secret.name, "at": secret.at });
    Ok(scene.store.secrets().await?.iter().map(told).collect())
}
