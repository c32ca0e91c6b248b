//! How much is pending, for those who are about to switch something off.

use sqlx::sqlite::SqliteRow;

use zelo_core::AutomationId;

use super::column::Columns;
use super::reader::Reader;
use crate::Error;
use crate::archive::LiveJobs;

const OF_RULE: &str =
    "SELECT automation, clinic, count(*) AS pending FROM jobs WHERE rule = ?1 GROUP BY automation, clinic ORDER BY automation, clinic";

/// The live jobs of `rule`, by automation and clinic.
pub(crate) async fn of(reader: Reader, rule: String) -> Result<Vec<LiveJobs>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(OF_RULE).bind(rule).fetch_all(&mut *conn).await.map_err(Error::database("count pending jobs"))?;
    rows.iter().map(pending).collect()
}

fn pending(row: &SqliteRow) -> Result<LiveJobs, Error> {
    let columns = Columns::new(row, "jobs", "automation");
    let jobs: i64 = columns.get("pending")?;
    Ok(LiveJobs {
        automation: AutomationId(columns.get("automation")?),
        clinic: columns.get("clinic")?,
        jobs: u64::try_from(jobs).unwrap_or(0),
    })
}
