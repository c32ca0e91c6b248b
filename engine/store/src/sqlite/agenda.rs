//! What will be done and when: pending jobs by their time, along the index that has those alone.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::column::{Columns, clinics, ms, of_clinics};
use super::jobs::job_columns;
use super::lists::job_views;
use super::reader::Reader;
use crate::archive::Pending;
use crate::{Error, JobView};

const PENDING: &str = concat!(
    "SELECT ",
    job_columns!(),
    ", parked, NULL AS ended, NULL AS summary FROM jobs WHERE state = 'scheduled' AND attention IS NULL AND run_at >= ?1 AND run_at < ?5 \
     AND (run_at, seq) > (?7, ?8) AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) AND ",
    of_clinics!(),
    " ORDER BY run_at, seq LIMIT ?4"
);

const COUNTS: &str = concat!(
    "SELECT span.key AS place, (SELECT count(*) FROM jobs WHERE state = 'scheduled' AND attention IS NULL AND run_at >= span.value ->> 0 \
     AND run_at < span.value ->> 1 AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) AND ",
    of_clinics!(),
    ") AS amount FROM json_each(?1) AS span ORDER BY span.key"
);

/// Jobs whose time comes in the range, in order.
pub(crate) async fn pending(reader: Reader, of: Pending) -> Result<Vec<JobView>, Error> {
    let mut conn = reader.conn().await?;
    let Pending { since, until, after, limit, connection, clinic, clinics: wanted } = of;
    let (run_at, seq) = after.map_or((ms(since), 0), |(at, cursor)| (ms(at), cursor));
    let rows = sqlx::query(PENDING)
        .bind(ms(since))
        .bind(connection)
        .bind(clinic)
        .bind(limit)
        .bind(ms(until))
        .bind(clinics(&wanted))
        .bind(run_at)
        .bind(seq)
        .fetch_all(&mut *conn)
        .await
        .map_err(Error::database("read what will be done"))?;
    job_views(&mut conn, &reader, &rows).await
}

/// How many of them there are in each span.
pub(crate) async fn counts(reader: Reader, of: Pending, spans: Vec<(Timestamp, Timestamp)>) -> Result<Vec<u64>, Error> {
    let mut conn = reader.conn().await?;
    let spans: Value = spans.iter().map(|(from, to)| json!([ms(*from), ms(*to)])).collect();
    let rows = sqlx::query(COUNTS)
        .bind(spans.to_string())
        .bind(of.connection)
        .bind(of.clinic)
        .bind(Option::<i64>::None)
        .bind(Option::<i64>::None)
        .bind(clinics(&of.clinics))
        .fetch_all(&mut *conn)
        .await
        .map_err(Error::database("count what will be done"))?;
    rows.iter().map(|row| Columns::new(row, "jobs", "place").count("amount")).collect()
}
