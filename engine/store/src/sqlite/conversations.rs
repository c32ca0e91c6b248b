//! Messages by whom they went to, and the documents that went with them.

use sqlx::sqlite::SqliteRow;

use zelo_core::{JobId, KeyHash};

use super::column::{Columns, clinics, of_clinics};
use super::lists::{Whose, document_view, message_view};
use super::reader::{ReadConnection, Reader};
use crate::{DocumentView, Error, MessageView, Page};

/// What of the messages is asked for; within a query of `messages` under another name, of those.
macro_rules! wanted {
    () => {
        concat!("(?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) AND (?5 IS NULL OR channel = ?5) AND ", of_clinics!())
    };
}

macro_rules! select {
    () => {
        "SELECT seq, job_id, effect, connection, clinic, channel, at, key_id, sealed, action FROM messages "
    };
}

/// The last message of each contact. A contact's rows stand in their index by their places, so whether one is the last is one look.
const LAST: &str = concat!(
    "SELECT recipient FROM messages WHERE seq < ?1 AND ",
    wanted!(),
    " AND NOT EXISTS (SELECT 1 FROM messages later WHERE later.recipient = messages.recipient AND later.seq > messages.seq AND ",
    wanted!(),
    ") ORDER BY seq DESC LIMIT ?4"
);

const OF: &str = concat!(select!(), "WHERE recipient = ?7 AND seq < ?1 AND ", wanted!(), " ORDER BY seq DESC LIMIT ?4");

const RECIPIENT: &str = "SELECT recipient, connection, clinic FROM messages WHERE job_id = ?1 AND effect = ?2";

const DOCUMENT: &str =
    "SELECT seq, job_id, effect, connection, clinic, at, size, key_id, sealed, action FROM documents WHERE job_id = ?1 AND effect = ?2";

/// A page of contacts, each with the newest messages.
pub(crate) async fn all(reader: Reader, page: Page, channel: Option<String>, each: u32) -> Result<Vec<Vec<MessageView>>, Error> {
    let mut conn = reader.conn().await?;
    let rows = fetch(&mut conn, LAST, &page, channel.as_deref(), None).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let recipient = Columns::new(row, "messages", "recipient").hash("recipient")?;
        let newest = Page { limit: each, before: None, ..page.clone() };
        found.push(of(&mut conn, &reader, recipient, &newest, channel.as_deref()).await?);
    }
    Ok(found)
}

/// A page of the messages to the contact of one of them.
pub(crate) async fn one(reader: Reader, job: JobId, index: u32, page: Page) -> Result<Vec<MessageView>, Error> {
    let mut conn = reader.conn().await?;
    let query = sqlx::query(RECIPIENT).bind(job.bytes().to_vec()).bind(index);
    let Some(row) = query.fetch_optional(&mut *conn).await.map_err(Error::database("read a message"))? else { return Ok(Vec::new()) };
    let row = Columns::new(&row, "messages", "recipient");
    if !page.clinics.include(row.get("connection")?, row.get("clinic")?) {
        return Ok(Vec::new());
    }
    let recipient = row.hash("recipient")?;
    of(&mut conn, &reader, recipient, &page, None).await
}

/// Some documents, without their contents.
pub(crate) async fn documents(reader: Reader, of: Vec<(JobId, u32)>) -> Result<Vec<DocumentView>, Error> {
    let mut conn = reader.conn().await?;
    let mut found = Vec::with_capacity(of.len());
    for (job, index) in of {
        let row = sqlx::query(DOCUMENT).bind(job.bytes().to_vec()).bind(index).fetch_optional(&mut *conn).await;
        let Some(row) = row.map_err(Error::database("read a document"))? else { continue };
        let row = Columns::new(&row, "documents", "seq");
        let whose = Whose::of_jobs(&mut conn, &reader, &[row]).await?;
        found.push(document_view(&row, &whose)?);
    }
    Ok(found)
}

async fn of(
    conn: &mut ReadConnection,
    reader: &Reader,
    recipient: KeyHash,
    page: &Page,
    channel: Option<&str>,
) -> Result<Vec<MessageView>, Error> {
    let rows = fetch(conn, OF, page, channel, Some(recipient)).await?;
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "messages", "seq")).collect();
    let whose = Whose::of_jobs(conn, reader, &rows).await?;
    rows.iter().map(|row| message_view(row, &whose)).collect()
}

async fn fetch(
    conn: &mut ReadConnection,
    sql: &'static str,
    page: &Page,
    channel: Option<&str>,
    recipient: Option<KeyHash>,
) -> Result<Vec<SqliteRow>, Error> {
    let query = sqlx::query(sql)
        .bind(page.before.unwrap_or(i64::MAX))
        .bind(page.connection.as_deref())
        .bind(page.clinic.as_deref())
        .bind(page.limit)
        .bind(channel)
        .bind(clinics(&page.clinics));
    // Only one of the statements has a seventh parameter.
    let query = match recipient {
        Some(recipient) => query.bind(recipient.0.to_vec()),
        None => query,
    };
    query.fetch_all(&mut **conn).await.map_err(Error::database("read conversations"))
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, Row};

    use super::*;

    /// However many messages there are, the page reads along its keys.
    #[tokio::test]
    async fn no_conversation_is_looked_for_by_reading_all() {
        let mut conn = sqlx::SqliteConnection::connect("sqlite::memory:").await.unwrap();
        super::super::migrate::migrate(&mut conn, "a test").await.unwrap();
        for sql in [LAST, OF, RECIPIENT, DOCUMENT] {
            let rows = sqlx::query(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"))).fetch_all(&mut conn).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            assert!(plan.iter().all(|step| !step.starts_with("SCAN messages") && !step.contains("TEMP B-TREE")), "{plan:?}");
        }
    }
}
