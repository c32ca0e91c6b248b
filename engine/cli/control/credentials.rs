//! Tokens, links and sessions: which there are, and the end of one.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use zelo_core::Actor;
use zelo_server::credentials;

use super::Scene;

pub(super) async fn list(scene: &Scene<'_>) -> Result<Value> {
    let rows = scene.store.credentials(scene.clock.now()).await?;
    let told = rows.iter().map(|row| {
        json!({
            "id": credentials::id(row), "kind": row.kind.as_str(), "name": row.name, "role": row.role, "created": row.created,
            "expires": row.expires,
            "clinics": row.clinics.named().map(|named| named.iter().map(ToString::to_string).collect::<Vec<_>>()),
        })
    });
    Ok(Value::Array(told.collect()))
}

pub(super) async fn revoke(scene: &Scene<'_>, wanted: &str) -> Result<Value> {
    let now = scene.clock.now();
    let rows = scene.store.credentials(now).await?;
    let row = credentials::named(&rows, wanted)?;
    ensure!(scene.store.revoke_credential(row.hash, Actor::command(), now).await?, "it is gone already");
    Ok(json!({ "id": credentials::id(row), "kind": row.kind.as_str(), "name": row.name }))
}
