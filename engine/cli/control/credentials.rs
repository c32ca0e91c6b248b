//! Tokens, links and sessions: which there are, and the end of one.

use anyhow::{Result, bail, ensure};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use zelo_core::Actor;
use zelo_store::CredentialRow;

use super::Scene;

/// Digits of a hash that are told.
const TOLD: usize = 12;
/// And that are enough to name it.
const ENOUGH: usize = 4;

/// What a credential is called here: the beginning of its hash, of which nobody finds the credential.
fn id(row: &CredentialRow) -> String {
    HEXLOWER.encode(&row.hash)[..TOLD].to_owned()
}

pub(super) async fn list(scene: &Scene<'_>) -> Result<Value> {
    let rows = scene.store.credentials(scene.clock.now()).await?;
    let told = rows.iter().map(|row| {
        json!({
            "id": id(row), "kind": row.kind.as_str(), "name": row.name, "role": row.role, "created": row.created, "expires": row.expires,
            "clinics": row.clinics.named().map(|named| named.iter().map(ToString::to_string).collect::<Vec<_>>()),
        })
    });
    Ok(Value::Array(told.collect()))
}

pub(super) async fn revoke(scene: &Scene<'_>, wanted: &str) -> Result<Value> {
    let wanted = wanted.trim().to_ascii_lowercase();
    ensure!(wanted.len() >= ENOUGH, "say at least {ENOUGH} digits of what `zelo token list` calls it");
    let now = scene.clock.now();
    let rows = scene.store.credentials(now).await?;
    let found: Vec<&CredentialRow> = rows.iter().filter(|row| HEXLOWER.encode(&row.hash).starts_with(&wanted)).collect();
    match found.as_slice() {
        [] => bail!("there is no credential {wanted}; `zelo token list` tells those that there are"),
        [row] => {
            ensure!(scene.store.revoke_credential(row.hash, Actor::command(), now).await?, "it is gone already");
            Ok(json!({ "id": id(row), "kind": row.kind.as_str(), "name": row.name }))
        }
        _ => bail!("several begin with {wanted}; say more of it"),
    }
}
