//! What ended badly, by its reason.

use zelo_core::JobState;

use super::column::{Columns, clinics, of_clinics};
use super::reader::Reader;
use crate::archive::{TROUBLED_MAX, TroubleView};
use crate::{Error, Page};

// The job of a group is that of its last row: SQLite takes bare columns from the row that has the maximum.
const TROUBLES: &str = concat!(
    "SELECT code, rule, action, count(*) AS amount, min(ended) AS first, max(ended) AS last, max(seq) AS newest, job_id FROM ( \
     SELECT seq, job_id, rule, action, ended, reason ->> '$.code' AS code FROM job_history WHERE state IN ('dead', 'unknown') AND state = ?1 \
     AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) AND ",
    of_clinics!(),
    " ORDER BY seq DESC LIMIT ?4) GROUP BY code, rule, action ORDER BY newest DESC"
);

/// The groups.
pub(crate) async fn troubles(reader: Reader, page: Page, state: JobState) -> Result<Vec<TroubleView>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(TROUBLES)
        .bind(state.as_str())
        .bind(page.connection)
        .bind(page.clinic)
        .bind(TROUBLED_MAX)
        .bind(Option::<i64>::None)
        .bind(clinics(&page.clinics))
        .fetch_all(&mut *conn)
        .await
        .map_err(Error::database("read what ended badly"))?;
    let view = |row| {
        let row = Columns::new(row, "job_history", "newest");
        Ok(TroubleView {
            code: row.get("code")?,
            rule: row.get("rule")?,
            action: row.get("action")?,
            count: row.count("amount")?,
            first: row.time("first")?,
            last: row.time("last")?,
            job: row.job_id("job_id")?,
        })
    };
    rows.iter().map(view).collect()
}
