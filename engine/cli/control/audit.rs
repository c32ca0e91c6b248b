//! The audit log: verified, read, signed, cut off.

use anyhow::{Context, Result};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zelo_core::audit::Head;
use zelo_core::{Actor, Timestamp};
use zelo_server::export;
use zelo_store::{AuditPage, AuditPrune, AuditView, Page, Store};

use super::Scene;

/// What is asked about the audit log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(in crate::cli) enum Ask {
    /// Held against its chain, its signed heads, and these, which were kept elsewhere.
    Verify {
        heads: Vec<Head>,
    },
    /// The places of its first and last entry, where the first is not before `since`.
    Ends {
        since: u64,
    },
    /// The entries at these places, in order.
    Entries {
        from: u64,
        to: u64,
    },
    /// Signed heads that nobody else holds yet.
    Heads,
    Prune {
        before: Timestamp,
        exported: bool,
    },
    Sign,
}

/// What came of a look through the log.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Checked {
    pub(in crate::cli) findings: Vec<String>,
    /// That were looked at.
    pub(in crate::cli) entries: u64,
    /// That they were held against.
    pub(in crate::cli) heads: u64,
    /// The place of the last entry.
    pub(in crate::cli) last: u64,
}

/// Signed heads, and the key that they are checked with.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Heads {
    pub(in crate::cli) key: String,
    pub(in crate::cli) heads: Vec<Head>,
}

/// Heads that are read at once: signed every few minutes, that is years.
const HEADS: u32 = 1_000_000;

pub(super) async fn answer(scene: &Scene<'_>, ask: &Ask) -> Result<Value> {
    let (store, now) = (scene.store, scene.clock.now());
    let value = match ask {
        Ask::Verify { heads } => {
            let found = store.verify_audit(heads.clone()).await?;
            let findings = found.findings.iter().map(ToString::to_string).collect();
            serde_json::to_value(Checked { findings, entries: found.entries, heads: found.heads, last: found.last.seq })
        }
        Ask::Ends { since } => serde_json::to_value(ends(store, *since).await?),
        Ask::Entries { from, to } => {
            let limit = u32::try_from(to.saturating_sub(*from).saturating_add(1)).context("that many entries at once")?;
            let mut entries = page(store, to.saturating_add(1), limit).await?;
            // Newest first, and from before where some are missing.
            entries.retain(|view| view.cursor >= place(*from));
            entries.reverse();
            serde_json::to_value(entries.iter().map(export::entry).collect::<Vec<_>>())
        }
        Ask::Heads => {
            let heads = store.unexported_heads(HEADS).await?;
            serde_json::to_value(Heads { key: HEXLOWER.encode(&store.audit_key()), heads })
        }
        Ask::Prune { before, exported } => {
            let prune = AuditPrune { before: *before, exported: *exported, actor: Actor::command() };
            serde_json::to_value(store.prune_audit(prune, now).await?)
        }
        Ask::Sign => serde_json::to_value(store.sign_audit(now).await?),
    };
    Ok(value?)
}

/// The places of the first entry that is not before `since`, and of the last one.
async fn ends(store: &dyn Store, since: u64) -> Result<Option<(u64, u64)>> {
    let Some(last) = newest(store, u64::MAX, since).await? else { return Ok(None) };
    // The beginning may have been cut off, and the list is read from its end.
    let (mut below, mut first) = (since, last);
    while below < first {
        let middle = below + (first - below) / 2;
        match newest(store, middle + 1, since).await? {
            Some(seq) => first = seq,
            None => below = middle + 1,
        }
    }
    Ok(Some((first, last)))
}

/// The place of the last entry before `before`, unless that is before `since`.
async fn newest(store: &dyn Store, before: u64, since: u64) -> Result<Option<u64>> {
    let last = page(store, before, 1).await?;
    Ok(last.first().and_then(|view| u64::try_from(view.cursor).ok()).filter(|seq| *seq >= since))
}

/// Entries before the place `before`, newest first.
async fn page(store: &dyn Store, before: u64, limit: u32) -> Result<Vec<AuditView>> {
    let page = Page { limit, before: Some(place(before)), ..Page::default() };
    Ok(store.audit(&AuditPage { page, ..AuditPage::default() }).await?)
}

fn place(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
