//! Reading events: the row, and the sealed payload beside it.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use zeroize::Zeroizing;

use zelo_core::{Event, EventId, Pseudonym, Status};

use super::bulk::{fetch_in, in_list, integers};
use super::column::{Columns, clinics, ms};
use super::keys::Keys;
use super::reader::Reader;
use super::record::{PARTS, part_at, part_row};
use crate::archive::{Archived, Range};
use crate::envelope::{self, Whole};
use crate::seal::Keyring;
use crate::{Error, EventView, Page};

macro_rules! select {
    () => {
        "SELECT seq, e.event_id, e.connection, e.clinic, source, type, entity_type, time, received, status, cause, key_id, sealed \
         FROM events e JOIN event_parts p ON p.part_id = e.seq * 256 WHERE "
    };
}

const BY_ID: &str = in_list!(concat!(select!(), "e.event_id"), "");

const PAGE: &str = concat!(
    select!(),
    "seq < ?1 AND (?2 IS NULL OR e.connection = ?2) AND (?3 IS NULL OR e.clinic = ?3) AND (?5 IS NULL OR \
    (e.connection, e.clinic) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?5))) ORDER BY seq DESC LIMIT ?4"
);

const AT: &str = concat!(select!(), "seq IN (SELECT value FROM json_each(?1)) ORDER BY seq DESC");

// Along the primary key, which is the order of arrival.
const ARRIVED: &str =
    concat!(select!(), "seq > ?1 AND received >= ?2 AND received < ?3 AND (?4 IS NULL OR e.connection = ?4) ORDER BY seq LIMIT ?5");

const OTHERS: &str = "SELECT part_id, key_id, sealed FROM event_parts WHERE part_id > ?1 AND part_id < ?1 + 256 ORDER BY part_id";

/// The events `ids`, each by itself: a damaged one does not keep the others.
pub(crate) async fn by_ids(
    conn: &mut SqliteConnection,
    ring: &Keyring,
    ids: &HashSet<EventId>,
) -> Result<HashMap<EventId, Result<Event, Error>>, Error> {
    let rows = fetch_in(conn, "read events", BY_ID, ids.iter().map(|id| *id.bytes()).collect()).await?;
    let ids = rows.iter().map(|row| Columns::new(row, "events", "event_id").event_id("event_id"));
    let ids = ids.collect::<Result<Vec<_>, Error>>()?;
    Ok(ids.into_iter().zip(views(conn, ring, &rows).await?.into_iter().map(|view| view.map(|view| view.event))).collect())
}

/// One event.
pub(crate) async fn one(reader: Reader, id: EventId) -> Result<Option<EventView>, Error> {
    let mut conn = reader.conn().await?;
    let rows = fetch_in(&mut conn, "read an event", BY_ID, vec![*id.bytes()]).await?;
    views(&mut conn, &reader.ring, &rows).await?.pop().transpose()
}

/// What one event has of the person whose keys these are: of what is about others alone nothing; and where it is about somebody else,
/// the person's own part of it, as a list.
pub(crate) async fn of(reader: Reader, id: EventId, keys: &[i64]) -> Result<Option<EventView>, Error> {
    let mut conn = reader.conn().await?;
    let (conn, ring): (&mut SqliteConnection, &Keyring) = (&mut conn, &reader.ring);
    let rows = fetch_in(conn, "read an event", BY_ID, vec![*id.bytes()]).await?;
    let Some(row) = rows.first().map(|row| Columns::new(row, "events", "event_id")) else { return Ok(None) };
    let (key, mut about): (i64, Vec<Pseudonym>) = (row.get("key_id")?, Vec::new());
    let own = others(conn, ring, &row, Some(keys), &mut about).await?;
    if keys.contains(&key) {
        let opened = Keys::load(conn, ring, vec![key]).await?;
        about.extend(opened.about(key));
        return view(&row, about, whole(&row, &opened)?, &own).map(Some);
    }
    let mut event = bare(&row)?;
    let mut values = Vec::new();
    for part in own.values() {
        let (subject, part) = envelope::own_part(part).map_err(|why| row.damaged("sealed", why))?;
        event.subjects.push(subject);
        values.extend(part);
    }
    event.data = Value::Array(values).into();
    Ok(Some(EventView { cursor: row.get("seq")?, about, event, status: row.word("status", Status::parse)? }))
}

/// A page of events.
pub(crate) async fn page(reader: Reader, page: Page) -> Result<Vec<EventView>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(PAGE)
        .bind(page.before.unwrap_or(i64::MAX))
        .bind(page.connection)
        .bind(page.clinic)
        .bind(page.limit)
        .bind(clinics(&page.clinics))
        .fetch_all(&mut *conn)
        .await
        .map_err(Error::database("read events"))?;
    views(&mut conn, &reader.ring, &rows).await?.into_iter().collect()
}

/// The events at some places, newest first.
pub(crate) async fn at(conn: &mut SqliteConnection, ring: &Keyring, seqs: Vec<i64>) -> Result<Vec<EventView>, Error> {
    let rows = sqlx::query(AT).bind(integers(seqs)).fetch_all(&mut *conn).await.map_err(Error::database("read events"))?;
    views(conn, ring, &rows).await?.into_iter().collect()
}

/// Events of `range` behind `after`, in order of arrival, each by itself.
pub(crate) async fn arrived(reader: Reader, range: Range, after: i64, limit: u32) -> Result<Vec<Archived>, Error> {
    let mut conn = reader.conn().await?;
    let query = sqlx::query(ARRIVED).bind(after).bind(ms(range.since)).bind(ms(range.until)).bind(range.connection).bind(limit);
    let rows = query.fetch_all(&mut *conn).await.map_err(Error::database("read events in order of arrival"))?;
    let views = views(&mut conn, &reader.ring, &rows).await?;
    let archived = |(row, event): (&SqliteRow, _)| Ok(Archived { cursor: Columns::new(row, "events", "event_id").get("seq")?, event });
    rows.iter().zip(views).map(archived).collect()
}

/// The events of `rows`, each by itself.
async fn views(conn: &mut SqliteConnection, ring: &Keyring, rows: &[SqliteRow]) -> Result<Vec<Result<EventView, Error>>, Error> {
    let ids = rows.iter().map(|row| Columns::new(row, "event_parts", "event_id").get("key_id")).collect::<Result<Vec<i64>, _>>()?;
    let keys = Keys::load(conn, ring, ids).await?;
    let mut views = Vec::with_capacity(rows.len());
    for row in rows.iter().map(|row| Columns::new(row, "events", "event_id")) {
        views.push(match whole(&row, &keys) {
            Ok(whole) => {
                let mut about = keys.about(row.get("key_id")?);
                let own = if whole.has_others() { others(conn, ring, &row, None, &mut about).await? } else { BTreeMap::new() };
                view(&row, about, whole, &own)
            }
            Err(error) => Err(error),
        });
    }
    Ok(views)
}

fn whole(row: &Columns<'_>, keys: &Keys) -> Result<Whole, Error> {
    let plain = keys.open(row.get("key_id")?, part_at(&part_row(row.event_id("event_id")?, 0)), row.get("sealed")?)?;
    Whole::read(&plain).map_err(|why| row.damaged("sealed", why))
}

/// The parts of the event of `row` that are of one person each, by their places, under `only` some keys; without those whose key was
/// destroyed. Whose they are is added to `about`.
async fn others(
    conn: &mut SqliteConnection,
    ring: &Keyring,
    row: &Columns<'_>,
    only: Option<&[i64]>,
    about: &mut Vec<Pseudonym>,
) -> Result<BTreeMap<usize, Zeroizing<Vec<u8>>>, Error> {
    let (seq, id): (i64, EventId) = (row.get("seq")?, row.event_id("event_id")?);
    let rows = sqlx::query(OTHERS).bind(seq * PARTS).fetch_all(&mut *conn).await.map_err(Error::database("read parts of an event"))?;
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "event_parts", "part_id")).collect();
    let ids = rows.iter().map(|row| row.get("key_id")).collect::<Result<Vec<i64>, _>>()?;
    let keys = Keys::load(conn, ring, ids).await?;
    let mut parts = BTreeMap::new();
    for row in &rows {
        let (part, key): (i64, i64) = (row.get("part_id")?, row.get("key_id")?);
        let place = part % PARTS;
        if keys.get(key).is_ok() && only.is_none_or(|only| only.contains(&key)) {
            let plain = keys.open(key, part_at(&part_row(id, place as u16)), row.get("sealed")?)?;
            parts.insert(place as usize, plain);
            about.extend(keys.about(key));
        }
    }
    Ok(parts)
}

/// The event of `row` without what is sealed of it.
fn bare(row: &Columns<'_>) -> Result<Event, Error> {
    Ok(Event {
        id: row.event_id("event_id")?,
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
    })
}

fn view(row: &Columns<'_>, about: Vec<Pseudonym>, whole: Whole, own: &BTreeMap<usize, Zeroizing<Vec<u8>>>) -> Result<EventView, Error> {
    let mut event = bare(row)?;
    whole.fill(&mut event, row.get("entity_type")?, own).map_err(|why| row.damaged("sealed", why))?;
    Ok(EventView { cursor: row.get("seq")?, about, event, status: row.word("status", Status::parse)? })
}
