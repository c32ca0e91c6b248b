//! Changes the master key: every key is wrapped anew, in one transaction, while nobody else has the store open.

use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use zelo_core::{Actor, AuditEntry, AuditKind, Entropy};

use super::column::Columns;
use super::open::{CHECK, CHECK_AT, Opened, ROOT_AT, put_meta};
use super::{audit, refused, secrets};
use crate::seal::{Keyring, seal_own};
use crate::{Error, MasterKey};

/// Keys that are read at once.
const CHUNK: i64 = 5000;

const WRAPPED: &str = "SELECT key_id, wrapped FROM seal_keys WHERE wrapped IS NOT NULL AND key_id > ?1 ORDER BY key_id LIMIT ?2";

/// Wraps everything in `opened` under `new`. How many keys there were. Until this returns well, the old master key is the right one.
pub(super) async fn rotate(opened: &mut Opened, new: &MasterKey, entropy: Arc<dyn Entropy>, now: Timestamp) -> Result<u64, Error> {
    let doing = "change the master key";
    let Opened { conn, desk, ring, root, .. } = opened;
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.map_err(Error::database(doing))?;
    let keys = rewrap(&mut tx, ring, new).await?;
    secrets::rewrap(&mut tx, ring, new).await?;
    refused::rewrap(&mut tx, ring, new).await?;
    put_meta(&mut tx, "root", seal_own(new, entropy.as_ref(), ROOT_AT, root.bytes())).await?;
    put_meta(&mut tx, "key_check", seal_own(new, entropy.as_ref(), CHECK_AT, CHECK)).await?;
    let entry = AuditEntry::new(now, AuditKind::Rotated, Actor::command(), &serde_json::json!({ "keys": keys }));
    audit::append(&mut tx, desk, vec![entry]).await?;
    tx.commit().await.map_err(Error::database(doing))?;
    // The old wrapped forms are in the log of writes until it is emptied.
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *conn).await.map_err(Error::database(doing))?;
    Ok(keys)
}

async fn rewrap(conn: &mut SqliteConnection, ring: &Keyring, new: &MasterKey) -> Result<u64, Error> {
    let doing = "wrap keys anew";
    let (mut after, mut keys) = (0, 0);
    loop {
        let rows = sqlx::query(WRAPPED).bind(after).bind(CHUNK).fetch_all(&mut *conn).await.map_err(Error::database(doing))?;
        for row in rows.iter().map(|row| Columns::new(row, "seal_keys", "key_id")) {
            let id: i64 = row.get("key_id")?;
            let wrapped = ring.rewrap(new, id, row.get("wrapped")?).map_err(|_| Error::Sealed { what: format!("data key {id}") })?;
            let query = sqlx::query("UPDATE seal_keys SET wrapped = ?2 WHERE key_id = ?1").bind(id).bind(wrapped);
            query.execute(&mut *conn).await.map_err(Error::database(doing))?;
            (after, keys) = (id, keys + 1);
        }
        if rows.len() < CHUNK as usize {
            return Ok(keys);
        }
    }
}
