//! Who got how many messages of late: what budgets are counted by. Written with the messages themselves, so that what is taken
//! back never counts.

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use zelo_core::budget::PER_MAX;
use zelo_core::{AutomationId, Job, KeyHash};

use super::bulk::{Rows, expect_rows};
use super::column::ms;
use super::effects::of_job;
use super::reader::Reader;
use crate::Error;

const INSERT: Rows = Rows {
    doing: "count messages",
    head: "INSERT OR FAIL INTO sent_messages (job_id, effect, connection, clinic, contact, at, automation, action) SELECT * FROM (VALUES",
    columns: 8,
    tail: ") WHERE column1 IS NOT NULL",
};

// A portion at a time: whoever writes after a long silence must not pay for all of it.
const FORGET: &str = "DELETE FROM sent_messages WHERE (contact, at, job_id, effect) IN \
    (SELECT contact, at, job_id, effect FROM sent_messages WHERE at <= ?1 ORDER BY at LIMIT 512)";

const SENT_SINCE: &str =
    "SELECT count(*) FROM sent_messages WHERE contact = ?1 AND at > ?2 AND (?3 IS NULL OR (automation = ?3 AND action = ?4))";

/// A message that counts from now on.
pub(crate) struct Sent<'a> {
    pub job: &'a Job,
    pub effect: u32,
    pub contact: KeyHash,
    pub at: Timestamp,
}

/// Counts messages, and forgets some that can matter no more.
pub(crate) async fn count(conn: &mut SqliteConnection, sent: Vec<Sent<'_>>) -> Result<(), Error> {
    let Some(latest) = sent.iter().map(|sent| sent.at).max() else { return Ok(()) };
    let wanted = sent.len();
    let touched = INSERT
        .run(conn, sent, |query, Sent { job, effect, contact, at }| {
            let query = of_job(query, job, effect).bind(contact.0.to_vec()).bind(ms(at));
            query.bind(job.automation.0.as_str()).bind(job.action.as_str())
        })
        .await?;
    expect_rows("sent_messages", "count messages", wanted, touched)?;
    let before = latest.saturating_sub(PER_MAX).unwrap_or(Timestamp::MIN);
    sqlx::query(FORGET).bind(ms(before)).execute(conn).await.map_err(Error::database("forget old messages"))?;
    Ok(())
}

/// How many messages went to a contact later than `after`.
pub(crate) async fn sent_since(
    reader: Reader,
    contact: KeyHash,
    of: Option<(AutomationId, String)>,
    after: Timestamp,
) -> Result<u32, Error> {
    let mut conn = reader.conn().await?;
    let (automation, action) = of.map(|(automation, action)| (automation.0, action)).unzip();
    let count: i64 = sqlx::query_scalar(SENT_SINCE)
        .bind(contact.0.to_vec())
        .bind(ms(after))
        .bind(automation)
        .bind(action)
        .fetch_one(&mut *conn)
        .await
        .map_err(Error::database("count messages"))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}
