//! Secrets that people gave zelo to keep.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use sqlx::sqlite::SqliteConnection;

use zelo_core::{Actor, AuditEntry, AuditKind};

use super::audit;
use super::column::{Columns, ms};
use super::reader::Reader;
use super::writer::{Desk, Write};
use crate::seal::{Keyring, Place};
use crate::{Error, MasterKey, SecretValue, SecretView};

const LIST: &str = "SELECT name, at FROM secrets ORDER BY name";

const PUT: &str = "INSERT INTO secrets (name, sealed, at) VALUES (?1, ?2, ?3) \
    ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, at = excluded.at";

/// Keeps a secret; whether there was none of this name.
pub(crate) struct PutSecret {
    pub name: String,
    /// Sealed for [`place`].
    pub sealed: Vec<u8>,
    pub by: Actor,
    pub now: Timestamp,
}

/// Where the secret `name` stands.
pub(crate) fn place(name: &str) -> Place<'_> {
    Place { table: "secrets", column: "sealed", row: name.as_bytes() }
}

#[async_trait]
impl Write for PutSecret {
    type Answer = bool;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<bool, Error> {
        let Self { name, sealed, by, now } = self;
        desk.saw(*now);
        let doing = "keep a secret";
        let known = sqlx::query("SELECT 1 FROM secrets WHERE name = ?1").bind(name).fetch_optional(&mut *conn).await;
        let new = known.map_err(Error::database(doing))?.is_none();
        let put = sqlx::query(PUT).bind(name).bind(sealed).bind(ms(*now)).execute(&mut *conn).await;
        put.map_err(Error::database(doing))?;
        desk.scrub = true;
        let detail = json!({ "secret": name, "what": if new { "set" } else { "changed" } });
        audit::append(conn, desk, vec![AuditEntry::new(*now, AuditKind::Configured, by.clone(), &detail)]).await?;
        Ok(new)
    }
}

/// Forgets a secret; whether there was one.
pub(crate) struct RemoveSecret {
    pub name: String,
    pub by: Actor,
    pub now: Timestamp,
}

#[async_trait]
impl Write for RemoveSecret {
    type Answer = bool;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<bool, Error> {
        let Self { name, by, now } = self;
        desk.saw(*now);
        let query = sqlx::query("DELETE FROM secrets WHERE name = ?1").bind(name);
        let gone = query.execute(&mut *conn).await.map_err(Error::database("forget a secret"))?.rows_affected() > 0;
        if gone {
            desk.scrub = true;
            let detail = json!({ "secret": name, "what": "removed" });
            audit::append(conn, desk, vec![AuditEntry::new(*now, AuditKind::Configured, by.clone(), &detail)]).await?;
        }
        Ok(gone)
    }
}

/// What may be said of all of them.
pub(crate) async fn list(reader: Reader) -> Result<Vec<SecretView>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(LIST).fetch_all(&mut *conn).await.map_err(Error::database("read the names of secrets"))?;
    let view = |row| {
        let row = Columns::new(row, "secrets", "at");
        Ok(SecretView { name: row.get::<&str>("name")?.to_owned(), at: row.time("at")? })
    };
    rows.iter().map(view).collect()
}

/// One of them, opened.
pub(crate) async fn secret(reader: Reader, name: String) -> Result<Option<SecretValue>, Error> {
    let mut conn = reader.conn().await?;
    let row = sqlx::query_scalar("SELECT sealed FROM secrets WHERE name = ?1").bind(&name).fetch_optional(&mut *conn).await;
    let Some(sealed): Option<Vec<u8>> = row.map_err(Error::database("read a secret"))? else { return Ok(None) };
    let value = reader.ring.open_own(place(&name), &sealed).map_err(|_| Error::Sealed { what: format!("the secret {name}") })?;
    Ok(Some(SecretValue::new(value.to_vec())))
}

/// Seals all of them under another master key.
pub(super) async fn rewrap(conn: &mut SqliteConnection, ring: &Keyring, new: &MasterKey) -> Result<u64, Error> {
    let doing = "seal secrets anew";
    let rows: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT name, sealed FROM secrets").fetch_all(&mut *conn).await.map_err(Error::database(doing))?;
    let mut secrets = 0;
    for (name, sealed) in rows {
        let again = ring.reseal_own(new, place(&name), &sealed).map_err(|_| Error::Sealed { what: format!("the secret {name}") })?;
        let query = sqlx::query("UPDATE secrets SET sealed = ?2 WHERE name = ?1").bind(&name).bind(again);
        query.execute(&mut *conn).await.map_err(Error::database(doing))?;
        secrets += 1;
    }
    Ok(secrets)
}
