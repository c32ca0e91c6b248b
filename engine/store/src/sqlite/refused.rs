//! Deliveries that were refused.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::{EventId, TraceId};

use super::column::{Columns, ms};
use super::reader::Reader;
use super::writer::{Desk, Write};
use crate::refused::{REFUSED_LIFE, REFUSED_MAX};
use crate::seal::{Keyring, Place};
use crate::{Error, MasterKey, Page, Refused, RefusedView, RefusedWrite};

const INSERT: &str = "INSERT INTO refused (trace, connection, clinic, at, code, why, count, size, sealed, body) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (trace) DO NOTHING";

const OLD: &str = "DELETE FROM refused WHERE at < ?1";

const TOO_MANY: &str = "DELETE FROM refused WHERE connection = ?1 AND seq <= \
    (SELECT seq FROM refused WHERE connection = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)";

const LIST: &str = "SELECT seq, trace, connection, clinic, at, code, why, count, size, sealed, body IS NOT NULL AS has_body FROM refused \
    WHERE seq < ?1 AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) ORDER BY seq DESC LIMIT ?4";

const ONE: &str = "SELECT seq, trace, connection, clinic, at, code, why, count, size, sealed, body IS NOT NULL AS has_body, body \
    FROM refused WHERE trace = ?1";

/// What is sealed of each, beside its body.
#[derive(Serialize, Deserialize)]
struct Around {
    address: Option<String>,
    path: String,
    headers: Vec<(String, Option<String>)>,
}

fn place<'a>(column: &'static str, trace: &'a [u8; 16]) -> Place<'a> {
    Place { table: "refused", column, row: trace }
}

/// Keeps one, and forgets those before it that are too many or too old.
pub(crate) struct PutRefused {
    refused: Refused,
    sealed: Vec<u8>,
    body: Option<Vec<u8>>,
}

impl PutRefused {
    pub(crate) fn new(ring: &Keyring, write: RefusedWrite) -> Self {
        let RefusedWrite { refused, body } = write;
        let trace = refused.trace.bytes();
        let Refused { address, path, headers, .. } = refused.clone();
        let around = serde_json::json!(Around { address, path, headers }).to_string();
        let sealed = ring.seal_own(place("sealed", &trace), around.as_bytes());
        Self { sealed, body: body.map(|body| ring.seal_own(place("body", &trace), &body)), refused }
    }
}

#[async_trait]
impl Write for PutRefused {
    type Answer = ();

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<(), Error> {
        let Self { refused, sealed, body } = self;
        desk.saw(refused.at);
        let doing = "keep a refused delivery";
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let insert = sqlx::query(INSERT)
            .bind(refused.trace.bytes().to_vec())
            .bind(&refused.connection)
            .bind(&refused.clinic)
            .bind(ms(refused.at))
            .bind(&refused.code)
            .bind(&refused.why)
            .bind(count(refused.count))
            .bind(count(refused.size))
            .bind(sealed)
            .bind(body);
        insert.execute(&mut *conn).await.map_err(Error::database(doing))?;
        let before = refused.at.saturating_sub(REFUSED_LIFE).unwrap_or(jiff::Timestamp::MIN);
        sqlx::query(OLD).bind(ms(before)).execute(&mut *conn).await.map_err(Error::database(doing))?;
        let too_many = sqlx::query(TOO_MANY).bind(&refused.connection).bind(REFUSED_MAX);
        too_many.execute(conn).await.map_err(Error::database(doing))?;
        Ok(())
    }
}

/// A page of them.
pub(crate) async fn list(reader: Reader, page: Page) -> Result<Vec<RefusedView>, Error> {
    let mut conn = reader.conn().await?;
    let query = sqlx::query(LIST).bind(page.before.unwrap_or(i64::MAX)).bind(page.connection).bind(page.clinic).bind(page.limit);
    let rows = query.fetch_all(&mut *conn).await.map_err(Error::database("read refused deliveries"))?;
    rows.iter().map(|row| view(&reader.ring, row)).collect()
}

/// One of them, with its body where that is kept.
pub(crate) async fn one(reader: Reader, trace: [u8; 16]) -> Result<Option<(RefusedView, Option<Vec<u8>>)>, Error> {
    let mut conn = reader.conn().await?;
    let row = sqlx::query(ONE).bind(trace.to_vec()).fetch_optional(&mut *conn).await.map_err(Error::database("read a refused delivery"))?;
    let Some(row) = row else { return Ok(None) };
    let sealed: Option<Vec<u8>> = Columns::new(&row, "refused", "seq").get("body")?;
    let open = |sealed: Vec<u8>| reader.ring.open_own(place("body", &trace), &sealed).map(|body| body.to_vec());
    let body = sealed.map(open).transpose().map_err(|_| Error::Sealed { what: "the body of a refused delivery".into() })?;
    Ok(Some((view(&reader.ring, &row)?, body)))
}

fn view(ring: &Keyring, row: &SqliteRow) -> Result<RefusedView, Error> {
    let row = Columns::new(row, "refused", "seq");
    let trace = trace_of(&row)?;
    let sealed: Vec<u8> = row.get("sealed")?;
    let plain = ring.open_own(place("sealed", &trace), &sealed);
    let plain = plain.map_err(|_| Error::Sealed { what: "what stands around a refused delivery".into() })?;
    let around: Around = serde_json::from_slice(&plain).map_err(|error| row.damaged("sealed", error.to_string()))?;
    let number = |column| Ok::<_, Error>(row.get::<i64>(column)?.unsigned_abs());
    Ok(RefusedView {
        cursor: row.get("seq")?,
        has_body: row.get("has_body")?,
        refused: Refused {
            trace: TraceId::from(EventId::from_bytes(trace)),
            connection: row.get("connection")?,
            clinic: row.get("clinic")?,
            at: row.time("at")?,
            code: row.get("code")?,
            why: row.get("why")?,
            count: number("count")?,
            size: number("size")?,
            address: around.address,
            path: around.path,
            headers: around.headers,
        },
    })
}

fn trace_of(row: &Columns<'_>) -> Result<[u8; 16], Error> {
    let trace: Vec<u8> = row.get("trace")?;
    trace.try_into().map_err(|_| row.damaged("trace", "it has not 16 bytes".to_owned()))
}

/// Seals all of them under another master key.
pub(super) async fn rewrap(conn: &mut SqliteConnection, ring: &Keyring, new: &MasterKey) -> Result<(), Error> {
    let doing = "seal refused deliveries anew";
    let rows = sqlx::query("SELECT seq, trace, sealed, body FROM refused").fetch_all(&mut *conn).await.map_err(Error::database(doing))?;
    for row in rows.iter().map(|row| Columns::new(row, "refused", "seq")) {
        let seq: i64 = row.get("seq")?;
        let unopened = |_| Error::Sealed { what: format!("refused delivery {seq}") };
        let trace = trace_of(&row)?;
        let sealed: Vec<u8> = row.get("sealed")?;
        let body: Option<Vec<u8>> = row.get("body")?;
        let sealed = ring.reseal_own(new, place("sealed", &trace), &sealed).map_err(unopened)?;
        let body = body.map(|body| ring.reseal_own(new, place("body", &trace), &body)).transpose().map_err(unopened)?;
        let query = sqlx::query("UPDATE refused SET sealed = ?2, body = ?3 WHERE seq = ?1").bind(seq).bind(sealed).bind(body);
        query.execute(&mut *conn).await.map_err(Error::database(doing))?;
    }
    Ok(())
}
