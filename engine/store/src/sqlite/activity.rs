//! Events and jobs as people look for them: first their places, which indexes find, then as many rows as are shown.

use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite};

use zelo_core::{Clinics, JobState, KeyHash, Pseudonym, Status};

use super::bulk::{bytes, fetch_in, in_list, integers};
use super::column::{Columns, ms};
use super::open::meta;
use super::reader::Reader;
use super::recent::MERGED;
use super::subjects::keys_of;
use super::{events, lists};
use crate::archive::{Concerning, EventsWanted, JobsWanted};
use crate::{Error, EventView, JobView, Page};

/// From one name to the next along the index, and not over the events.
const TYPES: &str = "WITH RECURSIVE types (name) AS (SELECT min(type) FROM events \
    UNION ALL SELECT (SELECT min(type) FROM events WHERE type > name) FROM types WHERE name IS NOT NULL) \
    SELECT name FROM types WHERE name IS NOT NULL";

const THINGS: &str = in_list!("SELECT DISTINCT entity FROM entity_events WHERE entity", "");
const RECENT_THINGS: &str = in_list!("SELECT DISTINCT entity FROM events WHERE seq > ?2 AND entity", "");

const DELIVERED: &str = in_list!("SELECT event AS seq FROM deliveries WHERE delivery", "");
const RECENTLY_DELIVERED: &str = in_list!("SELECT seq FROM events WHERE seq > ?2 AND delivery", "");

/// Up to which event the tables that find events have everything; what came after is asked for in its own rows.
async fn merged(conn: &mut SqliteConnection) -> Result<i64, Error> {
    let mark = meta(conn, MERGED).await?;
    Ok(mark.and_then(|text| String::from_utf8(text).ok()?.parse().ok()).unwrap_or(0))
}

/// The events that are looked for.
pub(crate) async fn events(reader: Reader, wanted: EventsWanted) -> Result<Vec<EventView>, Error> {
    let mut conn = reader.conn().await?;
    let mut sql = events_sql(&mut conn, &wanted).await?;
    let seqs: Vec<i64> = sql.build_query_scalar().fetch_all(&mut *conn).await.map_err(Error::database("look for events"))?;
    events::at(&mut conn, &reader.ring, seqs).await
}

async fn events_sql(conn: &mut SqliteConnection, wanted: &EventsWanted) -> Result<QueryBuilder<Sqlite>, Error> {
    let EventsWanted { page, kind, status, since, until, concerning } = wanted;
    // Of erased people only the row is left.
    let mut sql = QueryBuilder::new("SELECT seq FROM events e WHERE EXISTS (SELECT 1 FROM event_parts p WHERE p.part_id = e.seq * 256)");
    within(&mut sql, page);
    if let Some(kind) = kind {
        sql.push(" AND type = ").push_bind(kind.clone());
    }
    if let Some(status) = status {
        // In these words the index is told by.
        sql.push(if *status == Status::Accepted { "" } else { " AND status <> 'accepted'" });
        sql.push(" AND status = ").push_bind(status.as_str());
    }
    if let Some(since) = since {
        sql.push(" AND received >= ").push_bind(ms(*since));
    }
    if let Some(until) = until {
        sql.push(" AND received < ").push_bind(ms(*until));
    }
    match concerning {
        Concerning::Anything => {}
        Concerning::Things(things) => {
            sql.push(" AND seq IN (");
            of_things(&mut sql, things, merged(conn).await?);
            sql.push(")");
        }
        Concerning::People(people) => {
            let keys = keys(conn, people).await?;
            sql.push(" AND seq IN (");
            of_keys(&mut sql, &keys, merged(conn).await?);
            sql.push(")");
        }
    }
    sql.push(" ORDER BY seq DESC LIMIT ").push_bind(page.limit);
    Ok(sql)
}

/// The jobs that are looked for.
pub(crate) async fn jobs(reader: Reader, wanted: JobsWanted) -> Result<Vec<JobView>, Error> {
    let mut conn = reader.conn().await?;
    let mut seqs: Vec<i64> = Vec::new();
    for table in [Table::Live, Table::Ended] {
        let Some(mut sql) = jobs_sql(&mut conn, &wanted, table).await? else { continue };
        let found: Vec<i64> = sql.build_query_scalar().fetch_all(&mut *conn).await.map_err(Error::database("look for jobs"))?;
        seqs.extend(found);
    }
    // A job that ended between the two stands in both.
    seqs.sort_unstable_by(|one, other| other.cmp(one));
    seqs.dedup();
    seqs.truncate(wanted.page.limit as usize);
    lists::jobs_at(&mut conn, &reader, seqs).await
}

/// Where jobs stand.
#[derive(Clone, Copy, PartialEq)]
enum Table {
    Live,
    Ended,
}

/// What finds jobs in `table`; nothing where none of them is in such a state.
async fn jobs_sql(conn: &mut SqliteConnection, wanted: &JobsWanted, table: Table) -> Result<Option<QueryBuilder<Sqlite>>, Error> {
    let JobsWanted { page, state, rule, since, until, event, concerning } = wanted;
    if state.is_some_and(|state| state.is_live() != (table == Table::Live)) {
        return Ok(None);
    }
    let mut sql = QueryBuilder::new(match table {
        Table::Live => "SELECT seq FROM jobs j WHERE 1",
        Table::Ended => "SELECT seq FROM job_history j WHERE 1",
    });
    within(&mut sql, page);
    if let Some(state) = state {
        sql.push(if *state == JobState::Done || state.is_live() { "" } else { " AND state <> 'done'" });
        sql.push(" AND state = ").push_bind(state.as_str());
    }
    if let Some(rule) = rule {
        sql.push(" AND rule = ").push_bind(rule.clone());
    }
    if let Some(since) = since {
        sql.push(" AND due >= ").push_bind(ms(*since));
    }
    if let Some(until) = until {
        sql.push(" AND due < ").push_bind(ms(*until));
    }
    if let Some(event) = event {
        let id = event.bytes().to_vec();
        sql.push(" AND seq IN (SELECT seq FROM ").push(if table == Table::Live { "jobs" } else { "job_history" });
        sql.push(" WHERE event_id = ").push_bind(id.clone());
        sql.push(" UNION SELECT c.job FROM events e JOIN job_events c ON c.event = e.seq WHERE e.event_id = ").push_bind(id).push(")");
    }
    match concerning {
        Concerning::Anything => {}
        Concerning::Things(things) => {
            sql.push(" AND event_id IN (SELECT event_id FROM events WHERE seq IN (");
            of_things(&mut sql, things, merged(conn).await?);
            sql.push("))");
        }
        Concerning::People(people) => {
            let keys = integers(keys(conn, people).await?);
            sql.push(" AND seq IN (SELECT seq FROM ").push(if table == Table::Live { "jobs" } else { "job_history" });
            sql.push(" WHERE key_id IN (SELECT value FROM json_each(")
                .push_bind(keys.clone())
                .push(")) UNION SELECT x.seq FROM job_about a JOIN ");
            sql.push(if table == Table::Live { "jobs" } else { "job_history" });
            sql.push(" x ON x.job_id = a.job_id WHERE a.key_id IN (SELECT value FROM json_each(").push_bind(keys).push(")))");
        }
    }
    sql.push(" ORDER BY seq DESC LIMIT ").push_bind(page.limit);
    Ok(Some(sql))
}

/// What every page asks for.
fn within(sql: &mut QueryBuilder<Sqlite>, page: &Page) {
    if let Some(before) = page.before {
        sql.push(" AND seq < ").push_bind(before);
    }
    if let Some(connection) = &page.connection {
        sql.push(" AND connection = ").push_bind(connection.clone());
    }
    if let Some(clinic) = &page.clinic {
        sql.push(" AND clinic = ").push_bind(clinic.clone());
    }
    if let Clinics::Only(named) = &page.clinics {
        sql.push(" AND (connection, clinic) IN (VALUES ");
        // A list may not be empty: this is nobody's.
        sql.push("(NULL, NULL)");
        for one in named {
            sql.push(", (").push_bind(one.connection.clone()).push(", ").push_bind(one.clinic.clone()).push(")");
        }
        sql.push(")");
    }
}

/// The keys that are about some people.
async fn keys(conn: &mut SqliteConnection, people: &[Pseudonym]) -> Result<Vec<i64>, Error> {
    let mut keys = Vec::new();
    for person in people {
        keys.extend(keys_of(conn, *person).await?);
    }
    Ok(keys)
}

/// The places of the events that speak of `things`.
fn of_things(sql: &mut QueryBuilder<Sqlite>, things: &[KeyHash], merged: i64) {
    let list = |sql: &mut QueryBuilder<Sqlite>| {
        let mut all = sql.separated(", ");
        for thing in things {
            all.push_bind(thing.0.to_vec());
        }
    };
    sql.push("SELECT event FROM entity_events WHERE entity IN (");
    list(sql);
    sql.push(") UNION SELECT seq FROM events WHERE seq > ").push_bind(merged).push(" AND entity IN (");
    list(sql);
    sql.push(")");
}

/// The places of the events that have something under `keys`.
fn of_keys(sql: &mut QueryBuilder<Sqlite>, keys: &[i64], merged: i64) {
    let all = integers(keys.iter().copied());
    sql.push("SELECT part_id / 256 FROM key_parts WHERE key_id IN (SELECT value FROM json_each(").push_bind(all.clone());
    sql.push(
        ")) UNION SELECT e.seq FROM event_about a JOIN events e ON e.event_id = a.event_id WHERE a.key_id IN (SELECT value FROM json_each(",
    );
    sql.push_bind(all.clone()).push("))");
    for key in keys {
        // The row names its keys, which is read quickly, and its parts say whether it is one of them.
        sql.push(" UNION SELECT r.seq FROM events r WHERE r.seq > ").push_bind(merged).push(" AND instr(r.keys, ");
        sql.push_bind(key.to_le_bytes().to_vec()).push(") > 0 AND EXISTS (SELECT 1 FROM event_parts p WHERE p.part_id >= r.seq * 256");
        sql.push(" AND p.part_id < r.seq * 256 + 256 AND p.key_id = ").push_bind(*key).push(")");
    }
}

/// Those of `things` that an event speaks of.
pub(crate) async fn known_things(reader: Reader, things: Vec<KeyHash>) -> Result<Vec<KeyHash>, Error> {
    let mut conn = reader.conn().await?;
    let merged = merged(&mut conn).await?;
    let mut known = Vec::new();
    for row in
        [fetch_in(&mut conn, "look for things", THINGS, bytes(&things)).await?, recent(&mut conn, RECENT_THINGS, &things, merged).await?]
            .iter()
            .flatten()
    {
        known.push(Columns::new(row, "entity_events", "entity").hash("entity")?);
    }
    known.sort_unstable();
    known.dedup();
    Ok(known)
}

/// The events that `deliveries` became.
pub(crate) async fn delivered(reader: Reader, deliveries: Vec<KeyHash>) -> Result<Vec<EventView>, Error> {
    let mut conn = reader.conn().await?;
    let merged = merged(&mut conn).await?;
    let old = fetch_in(&mut conn, "look for deliveries", DELIVERED, bytes(&deliveries)).await?;
    let new = recent(&mut conn, RECENTLY_DELIVERED, &deliveries, merged).await?;
    let seqs = old.iter().chain(&new).map(|row| Columns::new(row, "events", "seq").get("seq"));
    let mut seqs = seqs.collect::<Result<Vec<i64>, _>>()?;
    seqs.dedup();
    let mut views = events::at(&mut conn, &reader.ring, seqs).await?;
    views.reverse();
    Ok(views)
}

/// What `sql` finds of `hashes` behind the event `merged`.
async fn recent(
    conn: &mut SqliteConnection,
    sql: &'static str,
    hashes: &[KeyHash],
    merged: i64,
) -> Result<Vec<sqlx::sqlite::SqliteRow>, Error> {
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query(sql).bind(super::bulk::packed(bytes(hashes))).bind(merged);
    query.fetch_all(conn).await.map_err(Error::database("look among recent events"))
}

/// The types of events.
pub(crate) async fn event_types(reader: Reader) -> Result<Vec<String>, Error> {
    let mut conn = reader.conn().await?;
    sqlx::query_scalar(TYPES).fetch_all(&mut *conn).await.map_err(Error::database("read the types of events"))
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, Row};
    use zelo_core::EventId;

    use super::*;
    use crate::sqlite::migrate::migrate;

    async fn plan(conn: &mut SqliteConnection, sql: QueryBuilder<Sqlite>) -> String {
        let text = format!("EXPLAIN QUERY PLAN {}", sql.into_sql().as_str());
        let rows = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_all(conn).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>("detail")).collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn what_is_rare_is_found_by_an_index_and_the_rest_from_the_newest_on() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        migrate(&mut conn, "a test").await.unwrap();
        let (thing, of) = (KeyHash([1; 16]), EventsWanted::default);
        let things = || Concerning::Things(vec![thing]);
        for (wanted, index) in [
            (of(), "SCAN e"),
            (EventsWanted { kind: Some("a".into()), ..of() }, "events_type"),
            (EventsWanted { status: Some(Status::Stale), ..of() }, "events_status"),
            (EventsWanted { concerning: things(), ..of() }, "SEARCH entity_events USING PRIMARY KEY"),
        ] {
            let sql = events_sql(&mut conn, &wanted).await.unwrap();
            let plan = plan(&mut conn, sql).await;
            assert!(plan.contains(index) && (index.starts_with("SCAN") || !plan.contains("SCAN e")), "{index}: {plan}");
        }
        let of = JobsWanted::default;
        for (wanted, index) in [
            (of(), "SCAN j"),
            (JobsWanted { rule: Some("a".into()), ..of() }, "job_history_rule"),
            (JobsWanted { state: Some(JobState::Skipped), ..of() }, "job_history_undone"),
            (JobsWanted { event: Some(EventId::from_bytes([1; 16])), ..of() }, "job_history_event"),
            (JobsWanted { concerning: things(), ..of() }, "job_history_event"),
        ] {
            let sql = jobs_sql(&mut conn, &wanted, Table::Ended).await.unwrap().unwrap();
            let plan = plan(&mut conn, sql).await;
            assert!(plan.contains(index) && (index.starts_with("SCAN") || !plan.contains("SCAN j")), "{index}: {plan}");
        }
    }
}
