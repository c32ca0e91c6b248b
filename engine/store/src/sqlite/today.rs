//! What stands open, counted, and what comes next. No row is opened that is not shown.

use sqlx::Row;

use super::bulk::Ready;
use super::column::{clinics, of_clinics};
use super::jobs::job_columns;
use super::lists::job_views;
use super::reader::Reader;
use crate::archive::{OPEN_MAX, Open};
use crate::{Error, JobView, Page};

// Each stops at the limit; SQLite uses a partial index only where its condition stands in the question. What is scheduled is looked through
// along the index that names places, so that a row is only read for those of the places that are asked for.
pub(super) const OPEN: &str = concat!(
    "SELECT (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE attention IS NOT NULL \
         AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) AND ",
    of_clinics!(),
    " LIMIT ?4)) AS attention, (SELECT count(*) FROM (SELECT 1 FROM job_history WHERE state IN ('dead', 'unknown') \
         AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) AND ",
    of_clinics!(),
    " LIMIT ?4)) AS failed, (SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY jobs_agenda \
         WHERE state = 'scheduled' AND attention IS NULL AND waits = 0 AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) AND ",
    of_clinics!(),
    " LIMIT ?4)) AS scheduled"
);

pub(super) const NEXT: &str = concat!(
    "SELECT ",
    job_columns!(),
    ", parked, NULL AS ended, NULL AS summary FROM jobs INDEXED BY jobs_agenda \
     WHERE state = 'scheduled' AND attention IS NULL AND waits = 0 AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) AND ",
    of_clinics!(),
    " ORDER BY run_at LIMIT ?4"
);

/// What stands open of what `page` asks for.
pub(crate) async fn open(reader: Reader, page: Page) -> Result<Open, Error> {
    let mut conn = reader.conn().await?;
    let row = bound(OPEN, page, OPEN_MAX).fetch_one(&mut *conn).await.map_err(Error::database("count what stands open"))?;
    let count = |name: &str| -> Result<u64, Error> {
        let count: i64 = row.try_get(name).map_err(Error::database("count what stands open"))?;
        Ok(u64::try_from(count).unwrap_or(0))
    };
    Ok(Open { attention: count("attention")?, failed: count("failed")?, scheduled: count("scheduled")? })
}

/// The jobs that run next, of what `page` asks for.
pub(crate) async fn next(reader: Reader, page: Page) -> Result<Vec<JobView>, Error> {
    let mut conn = reader.conn().await?;
    let limit = page.limit;
    let rows = bound(NEXT, page, limit).fetch_all(&mut *conn).await.map_err(Error::database("read the jobs that run next"))?;
    job_views(&mut conn, &reader, &rows).await
}

fn bound(sql: &'static str, page: Page, limit: u32) -> Ready {
    let none: Option<String> = None;
    sqlx::query(sql).bind(none.clone()).bind(page.connection).bind(page.clinic).bind(limit).bind(none).bind(clinics(&page.clinics))
}
