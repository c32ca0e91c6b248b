//! Reading events: the row, and the sealed payload beside it.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::{Event, EventId, Status};

use super::bulk::{fetch_in, in_list};
use super::column::{Columns, ms};
use super::keys::Keys;
use super::reader::Reader;
use super::record::{payload_at, payload_row};
use crate::archive::{Archived, Range};
use crate::seal::Keyring;
use crate::{Error, EventView, Page, envelope};

macro_rules! select {
    () => {
        "SELECT seq, e.event_id, e.connection, e.clinic, source, type, entity_type, time, received, status, cause, key_id, sealed \
         FROM events e JOIN event_parts p ON p.part_id = e.seq * 256 WHERE "
    };
}

const BY_ID: &str = in_list!(concat!(select!(), "e.event_id"), "");

const PAGE: &str =
    concat!(select!(), "seq < ?1 AND (?2 IS NULL OR e.connection = ?2) AND (?3 IS NULL OR e.clinic = ?3) ORDER BY seq DESC LIMIT ?4");

// Along the primary key, which is the order of arrival.
const ARRIVED: &str =
    concat!(select!(), "seq > ?1 AND received >= ?2 AND received < ?3 AND (?4 IS NULL OR e.connection = ?4) ORDER BY seq LIMIT ?5");

/// The events `ids`, each by itself: a damaged one does not keep the others.
pub(crate) async fn by_ids(
    conn: &mut SqliteConnection,
    ring: &Keyring,
    ids: &HashSet<EventId>,
) -> Result<HashMap<EventId, Result<Event, Error>>, Error> {
    let rows = fetch_in(conn, "read events", BY_ID, ids.iter().map(|id| *id.bytes()).collect()).await?;
    let keys = keys(conn, ring, &rows).await?;
    rows.iter()
        .map(|row| {
            let row = Columns::new(row, "events", "event_id");
            Ok((row.event_id("event_id")?, view(&row, &keys).map(|view| view.event)))
        })
        .collect()
}

/// One event.
pub(crate) async fn one(reader: Reader, id: EventId) -> Result<Option<EventView>, Error> {
    let mut conn = reader.conn().await?;
    let rows = fetch_in(&mut conn, "read an event", BY_ID, vec![*id.bytes()]).await?;
    Ok(views(&mut conn, &reader.ring, &rows).await?.pop())
}

/// A page of events.
pub(crate) async fn page(reader: Reader, page: Page) -> Result<Vec<EventView>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(PAGE)
        .bind(page.before.unwrap_or(i64::MAX))
        .bind(page.connection)
        .bind(page.clinic)
        .bind(page.limit)
        .fetch_all(&mut *conn)
        .await
        .map_err(Error::database("read events"))?;
    views(&mut conn, &reader.ring, &rows).await
}

/// Events of `range` behind `after`, in order of arrival, each by itself.
pub(crate) async fn arrived(reader: Reader, range: Range, after: i64, limit: u32) -> Result<Vec<Archived>, Error> {
    let mut conn = reader.conn().await?;
    let query = sqlx::query(ARRIVED).bind(after).bind(ms(range.since)).bind(ms(range.until)).bind(range.connection).bind(limit);
    let rows = query.fetch_all(&mut *conn).await.map_err(Error::database("read events in order of arrival"))?;
    let keys = keys(&mut conn, &reader.ring, &rows).await?;
    rows.iter()
        .map(|row| {
            let row = Columns::new(row, "events", "event_id");
            Ok(Archived { cursor: row.get("seq")?, event: view(&row, &keys) })
        })
        .collect()
}

async fn views(conn: &mut SqliteConnection, ring: &Keyring, rows: &[SqliteRow]) -> Result<Vec<EventView>, Error> {
    let keys = keys(conn, ring, rows).await?;
    rows.iter().map(|row| view(&Columns::new(row, "events", "event_id"), &keys)).collect()
}

async fn keys(conn: &mut SqliteConnection, ring: &Keyring, rows: &[SqliteRow]) -> Result<Keys, Error> {
    let ids = rows.iter().map(|row| Columns::new(row, "event_parts", "event_id").get("key_id")).collect::<Result<Vec<i64>, _>>()?;
    Keys::load(conn, ring, ids).await
}

fn view(row: &Columns<'_>, keys: &Keys) -> Result<EventView, Error> {
    let id = row.event_id("event_id")?;
    let mut event = Event {
        id,
        connection: row.get("connection")?,
        source: row.get("source")?,
        kind: row.get("type")?,
        time: row.time("time")?,
        received: row.time("received")?,
        entity: None,
        subjects: Vec::new(),
        clinic: row.get("clinic")?,
        data: Value::Null.into(),
        cause: row.json("cause")?,
    };
    let plain = keys.open(row.get("key_id")?, payload_at(&payload_row(id)), row.get("sealed")?)?;
    envelope::fill_event(&mut event, row.get("entity_type")?, &plain).map_err(|why| row.damaged("sealed", why))?;
    Ok(EventView { cursor: row.get("seq")?, event, status: row.word("status", Status::parse)? })
}
