//! People who sign in with a password.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::{Actor, AuditEntry, AuditKind, Clinics};

use super::audit;
use super::column::{Columns, clinics, ms};
use super::keys::Keys;
use super::reader::Reader;
use super::writer::{Desk, Write};
use crate::seal::{Owner, Place};
use crate::{Error, PersonRow, SeeTo, SeenTo};

macro_rules! select {
    () => {
        "SELECT name, role, clinics, password, key_id, secret, created, version FROM people "
    };
}

const ALL: &str = concat!(select!(), "ORDER BY name");

const ONE: &str = concat!(select!(), "WHERE name = ?1");

/// Rises above whatever it was, and above that of somebody of this name who was removed.
const PUT: &str = "INSERT INTO people (name, role, clinics, password, key_id, secret, created, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
    ON CONFLICT (name) DO UPDATE SET role = excluded.role, clinics = excluded.clinics, password = excluded.password, \
    key_id = excluded.key_id, secret = excluded.secret, version = max(excluded.version, version + 1), \
    code_step = CASE WHEN secret IS NULL OR excluded.secret IS NULL THEN 0 ELSE code_step END";

const REMOVE: &str = "DELETE FROM people WHERE name = ?1";

/// Whether there is such a person, whether they are one of a role who is told of everything, and whether there is another one.
const STANDING: &str = "SELECT EXISTS (SELECT 1 FROM people WHERE name = ?1) AS known, \
    EXISTS (SELECT 1 FROM people WHERE name = ?1 AND role = ?2 AND clinics IS NULL) AS is_one, \
    EXISTS (SELECT 1 FROM people WHERE name <> ?1 AND role = ?2 AND clinics IS NULL) AS another";

const SIGN_OUT: &str = "DELETE FROM credentials WHERE person = ?1";

const SPEND: &str = "UPDATE people SET code_step = ?2 WHERE name = ?1 AND code_step < ?2";

/// Writes somebody, and ends their sessions.
pub(crate) struct PutPerson {
    pub row: PersonRow,
    pub by: Actor,
    pub now: Timestamp,
}

#[async_trait]
impl Write for PutPerson {
    type Answer = ();

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<(), Error> {
        let (row, doing) = (&self.row, "store a person");
        desk.saw(self.now);
        let before = sqlx::query(ONE).bind(&row.name).fetch_optional(&mut *conn).await.map_err(Error::database(doing))?;
        let before = match &before {
            Some(before) => {
                let columns = Columns::new(before, "people", "name");
                let keys = Keys::load(conn, desk.sealer.ring(), columns.get::<Option<i64>>("key_id")?.into_iter().collect()).await?;
                Some(person_row(&columns, &keys)?)
            }
            None => None,
        };
        let sealed = match &row.secret {
            Some(secret) => {
                // Nobody's but the server's own.
                let owner = Owner::of_several("", None);
                let hash = desk.sealer.ring().owner_hash(&owner);
                let keys = desk.sealer.owners_now(conn, HashMap::from([(hash, (owner, self.now))])).await?;
                let key = keys.get(&hash).ok_or_else(|| Error::Sealed { what: "the key of the server".to_owned() })?;
                Some((key.id(), desk.sealer.ring().seal(key, secret_at(&row.name), &[secret])))
            }
            None => None,
        };
        let (key, secret) = sealed.unzip();
        sqlx::query(PUT)
            .bind(&row.name)
            .bind(&row.role)
            .bind(clinics(&row.clinics))
            .bind(&row.password)
            .bind(key)
            .bind(secret)
            .bind(ms(row.created))
            .bind(ms(self.now))
            .execute(&mut *conn)
            .await
            .map_err(Error::database(doing))?;
        sqlx::query(SIGN_OUT).bind(&row.name).execute(&mut *conn).await.map_err(Error::database(doing))?;
        audit::append(conn, desk, vec![written(before.as_ref(), row, self.by.clone(), self.now)]).await
    }
}

/// What the audit log says of a changed person: never a password or a secret.
fn written(before: Option<&PersonRow>, row: &PersonRow, by: Actor, now: Timestamp) -> AuditEntry {
    let mut changed = BTreeSet::new();
    if let Some(before) = before {
        let parts = [
            ("role", before.role != row.role),
            ("clinics", before.clinics != row.clinics),
            ("password", before.password != row.password),
            ("code", before.secret != row.secret),
        ];
        changed.extend(parts.into_iter().filter(|(_, is)| *is).map(|(name, _)| name));
    }
    let named = row.clinics.named().map(|named| named.iter().map(ToString::to_string).collect::<Vec<_>>());
    let detail = json!({
        "person": row.name, "what": if before.is_some() { "changed" } else { "added" }, "changed": changed,
        "role": row.role, "clinics": named, "code": row.secret.is_some(),
    });
    AuditEntry::new(now, AuditKind::Configured, by, &detail)
}

/// Removes somebody; whether they were there.
pub(crate) struct RemovePerson {
    pub name: String,
    pub by: Actor,
    pub now: Timestamp,
}

#[async_trait]
impl Write for RemovePerson {
    type Answer = bool;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<bool, Error> {
        desk.saw(self.now);
        let doing = "remove a person";
        let removed = sqlx::query(REMOVE).bind(&self.name).execute(&mut *conn).await.map_err(Error::database(doing))?.rows_affected() > 0;
        sqlx::query(SIGN_OUT).bind(&self.name).execute(&mut *conn).await.map_err(Error::database(doing))?;
        if removed {
            let detail = json!({ "person": self.name, "what": "removed" });
            audit::append(conn, desk, vec![AuditEntry::new(self.now, AuditKind::Configured, self.by.clone(), &detail)]).await?;
        }
        Ok(removed)
    }
}

/// Changes or removes somebody, unless nobody is left then in the role that is kept.
pub(crate) struct SeeToPerson {
    pub ask: SeeTo,
    pub by: Actor,
    pub now: Timestamp,
}

#[async_trait]
impl Write for SeeToPerson {
    type Answer = SeenTo;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<SeenTo, Error> {
        let SeeTo { name, row, keep } = &self.ask;
        let standing = sqlx::query(STANDING).bind(name).bind(keep).fetch_one(&mut *conn).await.map_err(Error::database("read a person"))?;
        let standing = Columns::new(&standing, "people", "name");
        let (known, is_one, another): (bool, bool, bool) = (standing.get("known")?, standing.get("is_one")?, standing.get("another")?);
        if !known {
            return Ok(SeenTo::Missing);
        }
        let stays = row.as_ref().is_some_and(|row| row.role == *keep && row.clinics == Clinics::All);
        if is_one && !stays && !another {
            return Ok(SeenTo::Last);
        }
        match row.clone() {
            Some(row) => PutPerson { row, by: self.by.clone(), now: self.now }.run(conn, desk).await?,
            None => drop(RemovePerson { name: name.clone(), by: self.by.clone(), now: self.now }.run(conn, desk).await?),
        }
        Ok(SeenTo::Done)
    }
}

/// Notes that a code was used; whether neither it nor a later one had been.
pub(crate) struct SpendCode {
    pub name: String,
    pub step: i64,
    pub now: Timestamp,
}

#[async_trait]
impl Write for SpendCode {
    type Answer = bool;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<bool, Error> {
        desk.saw(self.now);
        let query = sqlx::query(SPEND).bind(&self.name).bind(self.step);
        Ok(query.execute(conn).await.map_err(Error::database("note a code"))?.rows_affected() > 0)
    }
}

/// Everybody.
pub(crate) async fn people(reader: Reader) -> Result<Vec<PersonRow>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(ALL).fetch_all(&mut *conn).await.map_err(Error::database("read people"))?;
    opened(&mut conn, &reader, &rows).await
}

/// One of them.
pub(crate) async fn person(reader: Reader, name: String) -> Result<Option<PersonRow>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(ONE).bind(name).fetch_all(&mut *conn).await.map_err(Error::database("read a person"))?;
    Ok(opened(&mut conn, &reader, &rows).await?.pop())
}

async fn opened(conn: &mut SqliteConnection, reader: &Reader, rows: &[SqliteRow]) -> Result<Vec<PersonRow>, Error> {
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "people", "name")).collect();
    let ids = rows.iter().map(|row| row.get::<Option<i64>>("key_id")).collect::<Result<Vec<_>, _>>()?;
    let keys = Keys::load(conn, &reader.ring, ids.into_iter().flatten().collect()).await?;
    rows.iter().map(|row| person_row(row, &keys)).collect()
}

fn person_row(row: &Columns<'_>, keys: &Keys) -> Result<PersonRow, Error> {
    let name: String = row.get("name")?;
    let secret = match row.get::<Option<i64>>("key_id")? {
        Some(key) => Some(keys.open(key, secret_at(&name), row.get("secret")?)?),
        None => None,
    };
    Ok(PersonRow {
        role: row.get("role")?,
        clinics: row.clinics("clinics")?,
        password: row.get("password")?,
        secret,
        created: row.time("created")?,
        version: row.get("version")?,
        name,
    })
}

fn secret_at(name: &str) -> Place<'_> {
    Place { table: "people", column: "secret", row: name.as_bytes() }
}
