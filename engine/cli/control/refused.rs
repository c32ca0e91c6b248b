//! Deliveries that were refused.

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zelo_core::{Actor, AuditEntry, AuditKind};
use zelo_store::{Page, RefusedView};

use super::Scene;

/// Which of them.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Ask {
    pub(in crate::cli) trace: Option<String>,
    pub(in crate::cli) connection: Option<String>,
    pub(in crate::cli) limit: u32,
}

pub(super) async fn answer(scene: &Scene<'_>, ask: &Ask) -> Result<Value> {
    let Some(trace) = &ask.trace else {
        let page = Page { limit: ask.limit, connection: ask.connection.clone(), ..Page::default() };
        return Ok(scene.store.refused(&page).await?.iter().map(told).collect());
    };
    let missing = || anyhow!("no refused delivery with the trace {trace} is kept; zelo refused lists those that are");
    let (view, body) = scene.store.refused_one(trace.parse().map_err(|_| missing())?).await?.ok_or_else(missing)?;
    let detail = json!({ "what": "refused", "ids": [trace], "rows": 1 });
    let entry = AuditEntry {
        connection: Some(view.refused.connection.clone()),
        clinic: view.refused.clinic.clone(),
        ..AuditEntry::new(scene.clock.now(), AuditKind::Viewed, Actor::command(), &detail)
    };
    scene.store.answer_for(vec![entry]).await?;
    let mut row = told(&view);
    row["body"] = body.map(|body| String::from_utf8_lossy(&body).into_owned()).into();
    Ok(json!([row]))
}

fn told(view: &RefusedView) -> Value {
    let refused = &view.refused;
    json!({
        "trace_id": refused.trace, "connection": refused.connection, "clinic": refused.clinic, "at": refused.at, "code": refused.code,
        "why": refused.why, "count": refused.count, "size": refused.size, "address": refused.address, "path": refused.path,
        "headers": refused.headers, "has_body": view.has_body,
    })
}
