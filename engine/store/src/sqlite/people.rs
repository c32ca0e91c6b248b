//! Automations and credentials.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::AutomationId;

use super::column::{Columns, ms};
use super::reader::Reader;
use super::writer::{Desk, Write};
use crate::{AutomationRow, CredentialKind, CredentialRow, Error};

const AUTOMATIONS: &str =
    "SELECT automation, rule, connection, clinic, settings, enabled, origin, changed FROM automations ORDER BY automation";

const PUT_AUTOMATION: &str = "INSERT INTO automations (automation, rule, connection, clinic, settings, enabled, origin, changed) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (automation) DO UPDATE SET rule = excluded.rule, \
    connection = excluded.connection, clinic = excluded.clinic, settings = excluded.settings, enabled = excluded.enabled, \
    origin = excluded.origin, changed = excluded.changed";

const PUT_CREDENTIAL: &str = "INSERT INTO credentials (hash, kind, role, name, created, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
    ON CONFLICT (hash) DO UPDATE SET kind = excluded.kind, role = excluded.role, name = excluded.name, \
    created = excluded.created, expires = excluded.expires";

/// Kept for good: the credential may have run out since.
const ADMIT: &str = "INSERT INTO meta (name, value) VALUES ('admitted', x'01') ON CONFLICT (name) DO NOTHING";

const ADMITTED: &str = "SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'admitted')";

const CREDENTIAL: &str = "SELECT hash, kind, role, name, created, expires FROM credentials \
    WHERE hash = ?1 AND (expires IS NULL OR expires > ?2)";

const TAKE: &str = "DELETE FROM credentials WHERE hash = ?1 AND (expires IS NULL OR expires > ?2) \
    RETURNING hash, kind, role, name, created, expires";

const PRUNE: &str = "DELETE FROM credentials WHERE expires <= ?1";

/// Writes an automation.
pub(crate) struct PutAutomation(pub AutomationRow);

#[async_trait]
impl Write for PutAutomation {
    type Answer = ();

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<(), Error> {
        let row = &self.0;
        desk.saw(row.changed);
        sqlx::query(PUT_AUTOMATION)
            .bind(&row.id.0)
            .bind(&row.rule)
            .bind(&row.connection)
            .bind(&row.clinic)
            .bind(serde_json::Value::Object(row.settings.clone()).to_string())
            .bind(row.enabled)
            .bind(&row.origin)
            .bind(ms(row.changed))
            .execute(conn)
            .await
            .map_err(Error::database("store an automation"))?;
        Ok(())
    }
}

/// Keeps a credential, and drops those that had run out when it was made.
pub(crate) struct PutCredential(pub CredentialRow);

#[async_trait]
impl Write for PutCredential {
    type Answer = ();

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<(), Error> {
        let row = &self.0;
        desk.saw(row.created);
        let doing = "store a credential";
        sqlx::query(PRUNE).bind(ms(row.created)).execute(&mut *conn).await.map_err(Error::database(doing))?;
        sqlx::query(PUT_CREDENTIAL)
            .bind(row.hash.to_vec())
            .bind(kind_str(row.kind))
            .bind(&row.role)
            .bind(&row.name)
            .bind(ms(row.created))
            .bind(row.expires.map(ms))
            .execute(&mut *conn)
            .await
            .map_err(Error::database(doing))?;
        if row.kind != CredentialKind::Link {
            sqlx::query(ADMIT).execute(conn).await.map_err(Error::database(doing))?;
        }
        Ok(())
    }
}

/// Removes a credential for whoever comes first.
pub(crate) struct TakeCredential {
    pub hash: [u8; 32],
    pub now: Timestamp,
}

#[async_trait]
impl Write for TakeCredential {
    type Answer = Option<CredentialRow>;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Self::Answer, Error> {
        desk.saw(self.now);
        let row = sqlx::query(TAKE)
            .bind(self.hash.to_vec())
            .bind(ms(self.now))
            .fetch_optional(conn)
            .await
            .map_err(Error::database("take a credential"))?;
        row.as_ref().map(credential_row).transpose()
    }
}

/// Every automation.
pub(crate) async fn automations(reader: Reader) -> Result<Vec<AutomationRow>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(AUTOMATIONS).fetch_all(&mut *conn).await.map_err(Error::database("read automations"))?;
    rows.iter().map(automation_row).collect()
}

/// A credential that has not run out.
pub(crate) async fn credential(reader: Reader, hash: [u8; 32], now: Timestamp) -> Result<Option<CredentialRow>, Error> {
    let mut conn = reader.conn().await?;
    let row = sqlx::query(CREDENTIAL)
        .bind(hash.to_vec())
        .bind(ms(now))
        .fetch_optional(&mut *conn)
        .await
        .map_err(Error::database("read a credential"))?;
    row.as_ref().map(credential_row).transpose()
}

/// Whether anybody was ever let in.
pub(crate) async fn admitted(reader: Reader) -> Result<bool, Error> {
    let mut conn = reader.conn().await?;
    sqlx::query_scalar(ADMITTED).fetch_one(&mut *conn).await.map_err(Error::database("look for credentials"))
}

fn automation_row(row: &SqliteRow) -> Result<AutomationRow, Error> {
    let row = Columns::new(row, "automations", "automation");
    Ok(AutomationRow {
        id: AutomationId(row.get("automation")?),
        rule: row.get("rule")?,
        connection: row.get("connection")?,
        clinic: row.get("clinic")?,
        settings: row.json("settings")?.unwrap_or_default(),
        enabled: row.get("enabled")?,
        origin: row.get("origin")?,
        changed: row.time("changed")?,
    })
}

fn credential_row(row: &SqliteRow) -> Result<CredentialRow, Error> {
    let row = Columns::new(row, "credentials", "name");
    let hash: &[u8] = row.get("hash")?;
    Ok(CredentialRow {
        hash: hash.try_into().map_err(|_| row.damaged("hash", format!("{} bytes, not 32", hash.len())))?,
        kind: row.word("kind", parse_kind)?,
        role: row.get("role")?,
        name: row.get("name")?,
        created: row.time("created")?,
        expires: row.opt_time("expires")?,
    })
}

fn kind_str(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::Token => "token",
        CredentialKind::Session => "session",
        CredentialKind::Link => "link",
    }
}

fn parse_kind(word: &str) -> Option<CredentialKind> {
    [CredentialKind::Token, CredentialKind::Session, CredentialKind::Link].into_iter().find(|kind| kind_str(*kind) == word)
}
