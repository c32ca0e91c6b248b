//! Automations and credentials.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::{Actor, AuditEntry, AuditKind, AutomationId};

use super::audit;
use super::column::{Columns, clinics, ms};
use super::reader::Reader;
use super::writer::{Desk, Write};
use crate::{AutomationRow, CredentialKind, CredentialRow, Error};

const AUTOMATIONS: &str =
    "SELECT automation, rule, connection, clinic, settings, enabled, origin, changed FROM automations ORDER BY automation";

const AUTOMATION: &str =
    "SELECT automation, rule, connection, clinic, settings, enabled, origin, changed FROM automations WHERE automation = ?1";

const PUT_AUTOMATION: &str = "INSERT INTO automations (automation, rule, connection, clinic, settings, enabled, origin, changed) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (automation) DO UPDATE SET rule = excluded.rule, \
    connection = excluded.connection, clinic = excluded.clinic, settings = excluded.settings, enabled = excluded.enabled, \
    origin = excluded.origin, changed = excluded.changed";

const PUT_CREDENTIAL: &str = "INSERT INTO credentials (hash, kind, role, name, created, expires, clinics, person, person_version) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (hash) DO UPDATE SET kind = excluded.kind, role = excluded.role, name = excluded.name, \
    created = excluded.created, expires = excluded.expires, clinics = excluded.clinics, person = excluded.person, \
    person_version = excluded.person_version";

/// Kept for good: the credential may have run out since.
const ADMIT: &str = "INSERT INTO meta (name, value) VALUES ('admitted', x'01') ON CONFLICT (name) DO NOTHING";

const ADMITTED: &str = "SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'admitted')";

const CREDENTIAL: &str = "SELECT hash, kind, role, name, created, expires, clinics, person, person_version FROM credentials \
    WHERE hash = ?1 AND (expires IS NULL OR expires > ?2) AND (person IS NULL OR EXISTS (SELECT 1 FROM people \
    WHERE people.name = credentials.person AND people.version = credentials.person_version))";

const TAKE: &str = "DELETE FROM credentials WHERE hash = ?1 AND (expires IS NULL OR expires > ?2) \
    RETURNING hash, kind, role, name, created, expires, clinics, person, person_version";

const CREDENTIALS: &str = "SELECT hash, kind, role, name, created, expires, clinics, person, person_version FROM credentials \
    WHERE expires IS NULL OR expires > ?1 ORDER BY created, hash";

const REVOKE: &str =
    "DELETE FROM credentials WHERE hash = ?1 RETURNING hash, kind, role, name, created, expires, clinics, person, person_version";

const PRUNE: &str = "DELETE FROM credentials WHERE expires <= ?1";

/// Writes an automation and who did so, unless it already is so; whether it stood as it had to.
pub(crate) struct PutAutomation {
    pub row: AutomationRow,
    pub by: Actor,
    /// How it has to stand; no matter how, where that is not given.
    pub stood: Option<Option<AutomationRow>>,
}

#[async_trait]
impl Write for PutAutomation {
    type Answer = bool;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<bool, Error> {
        let (row, doing) = (&self.row, "store an automation");
        desk.saw(row.changed);
        let before = sqlx::query(AUTOMATION).bind(&row.id.0).fetch_optional(&mut *conn).await.map_err(Error::database(doing))?;
        let before = before.as_ref().map(automation_row).transpose()?;
        if self.stood.as_ref().is_some_and(|stood| *stood != before) {
            return Ok(false);
        }
        if before.as_ref().is_some_and(|before| AutomationRow { changed: row.changed, ..before.clone() } == *row) {
            return Ok(true);
        }
        sqlx::query(PUT_AUTOMATION)
            .bind(&row.id.0)
            .bind(&row.rule)
            .bind(&row.connection)
            .bind(&row.clinic)
            .bind(Value::Object(row.settings.clone()).to_string())
            .bind(row.enabled)
            .bind(&row.origin)
            .bind(ms(row.changed))
            .execute(&mut *conn)
            .await
            .map_err(Error::database(doing))?;
        audit::append(conn, desk, vec![configured(before.as_ref(), row, self.by.clone())]).await?;
        Ok(true)
    }
}

/// What the audit log says of a changed automation: settings by their names alone, a value may be somebody's phone.
fn configured(before: Option<&AutomationRow>, row: &AutomationRow, by: Actor) -> AuditEntry {
    let none = Map::new();
    let former = before.map_or(&none, |before| &before.settings);
    let names: BTreeSet<&String> = former.keys().chain(row.settings.keys()).collect();
    let changed: Vec<&String> = names.into_iter().filter(|name| former.get(*name) != row.settings.get(*name)).collect();
    let detail = json!({
        "automation": row.id, "rule": row.rule, "enabled": row.enabled, "origin": row.origin,
        "settings": row.settings.keys().collect::<Vec<_>>(), "changed": changed,
    });
    AuditEntry {
        connection: Some(row.connection.clone()),
        clinic: row.clinic.clone(),
        ..AuditEntry::new(row.changed, AuditKind::Configured, by, &detail)
    }
}

/// Keeps a credential, and drops those that had run out when it was made.
pub(crate) struct PutCredential {
    pub row: CredentialRow,
    pub by: Actor,
}

#[async_trait]
impl Write for PutCredential {
    type Answer = ();

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<(), Error> {
        let row = &self.row;
        desk.saw(row.created);
        let doing = "store a credential";
        sqlx::query(PRUNE).bind(ms(row.created)).execute(&mut *conn).await.map_err(Error::database(doing))?;
        sqlx::query(PUT_CREDENTIAL)
            .bind(row.hash.to_vec())
            .bind(row.kind.as_str())
            .bind(&row.role)
            .bind(&row.name)
            .bind(ms(row.created))
            .bind(row.expires.map(ms))
            .bind(clinics(&row.clinics))
            .bind(row.person.as_ref().map(|(name, _)| name))
            .bind(row.person.as_ref().map(|(_, version)| version))
            .execute(&mut *conn)
            .await
            .map_err(Error::database(doing))?;
        if row.kind != CredentialKind::Link {
            sqlx::query(ADMIT).execute(&mut *conn).await.map_err(Error::database(doing))?;
        }
        let (kind, detail) = match row.kind {
            CredentialKind::Session if row.person.is_some() => (AuditKind::SignedIn, json!({ "what": "signed in", "role": row.role })),
            CredentialKind::Session => (AuditKind::SignedIn, json!({ "what": "link used", "role": row.role })),
            made => (AuditKind::Configured, made_credential(made, row)),
        };
        audit::append(conn, desk, vec![AuditEntry::new(row.created, kind, self.by.clone(), &detail)]).await
    }
}

/// What the audit log says of a new token or link.
fn made_credential(kind: CredentialKind, row: &CredentialRow) -> Value {
    let mut told = json!({ "credential": kind.as_str(), "role": row.role, "name": row.name });
    if let Some(named) = row.clinics.named() {
        told["clinics"] = named.iter().map(ToString::to_string).collect();
    }
    told
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

/// Makes a credential good for nothing.
pub(crate) struct RevokeCredential {
    pub hash: [u8; 32],
    pub by: Actor,
    pub now: Timestamp,
}

#[async_trait]
impl Write for RevokeCredential {
    type Answer = bool;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<bool, Error> {
        desk.saw(self.now);
        let row = sqlx::query(REVOKE).bind(self.hash.to_vec()).fetch_optional(&mut *conn).await;
        let Some(row) = row.map_err(Error::database("revoke a credential"))? else { return Ok(false) };
        let row = credential_row(&row)?;
        let mut detail = made_credential(row.kind, &row);
        detail["what"] = "revoked".into();
        audit::append(conn, desk, vec![AuditEntry::new(self.now, AuditKind::Configured, self.by.clone(), &detail)]).await?;
        Ok(true)
    }
}

/// All credentials that have not run out.
pub(crate) async fn credentials(reader: Reader, now: Timestamp) -> Result<Vec<CredentialRow>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(CREDENTIALS).bind(ms(now)).fetch_all(&mut *conn).await.map_err(Error::database("read credentials"))?;
    rows.iter().map(credential_row).collect()
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
        kind: row.word("kind", CredentialKind::parse)?,
        role: row.get("role")?,
        name: row.get("name")?,
        clinics: row.clinics("clinics")?,
        person: match row.get("person")? {
            Some(name) => Some((name, row.get("person_version")?)),
            None => None,
        },
        created: row.time("created")?,
        expires: row.opt_time("expires")?,
    })
}
