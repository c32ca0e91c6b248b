//! The schema, and how it moves forward. It never moves back: a file of a newer zelo is refused.

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use crate::Error;

/// Marks a file as zelo's (SQLite's `application_id`): "zelo" in ASCII.
const APPLICATION: i64 = 0x7a65_6c6f;

/// Number `n` of the list brings a database from `user_version` `n - 1` to `n`. What has shipped never changes.
const MIGRATIONS: [&str; 20] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_chains.sql"),
    include_str!("migrations/0003_over_time.sql"),
    include_str!("migrations/0004_budgets.sql"),
    include_str!("migrations/0005_audit.sql"),
    include_str!("migrations/0006_in_flight.sql"),
    include_str!("migrations/0007_privacy.sql"),
    include_str!("migrations/0008_revive.sql"),
    include_str!("migrations/0009_queue.sql"),
    include_str!("migrations/0010_replay.sql"),
    include_str!("migrations/0011_waiting.sql"),
    include_str!("migrations/0012_recent.sql"),
    include_str!("migrations/0013_plugin.sql"),
    include_str!("migrations/0014_people.sql"),
    include_str!("migrations/0015_door.sql"),
    include_str!("migrations/0016_heard.sql"),
    include_str!("migrations/0017_counts.sql"),
    include_str!("migrations/0018_conversations.sql"),
    include_str!("migrations/0019_agenda.sql"),
    include_str!("migrations/0020_activity.sql"),
];

/// Brings the database behind `conn` to the present schema. `name` is what messages call it.
pub(crate) async fn migrate(conn: &mut SqliteConnection, name: &str) -> Result<(), Error> {
    let version = pragma(conn, "PRAGMA user_version").await?;
    let tables = pragma(conn, "SELECT count(*) FROM sqlite_schema").await?;
    if version != 0 || tables != 0 {
        known(conn, name).await?;
    }
    for (number, sql) in (1..).zip(MIGRATIONS).skip(usize::try_from(version).unwrap_or(0)) {
        let doing = "migrate";
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.map_err(Error::database(doing))?;
        sqlx::raw_sql(sql).execute(&mut *tx).await.map_err(Error::database(doing))?;
        let mark = format!("PRAGMA user_version = {number}; PRAGMA application_id = {APPLICATION}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(mark)).execute(&mut *tx).await.map_err(Error::database(doing))?;
        tx.commit().await.map_err(Error::database(doing))?;
        tracing::info!(schema = number, "the database was brought to a new schema");
    }
    Ok(())
}

/// The schema of the database behind `conn`, which must be zelo's, and no newer than this one knows.
pub(crate) async fn known(conn: &mut SqliteConnection, name: &str) -> Result<u32, Error> {
    let version = pragma(conn, "PRAGMA user_version").await?;
    if pragma(conn, "PRAGMA application_id").await? != APPLICATION {
        return Err(Error::Open(format!("{name} is a database of another program; give zelo a file of its own ([store] url)")));
    }
    let newest = MIGRATIONS.len();
    match u32::try_from(version) {
        Ok(version) if version as usize <= newest => Ok(version),
        _ => Err(Error::Open(format!(
            "{name} was made by a newer zelo (schema {version}, this one knows {newest}): start that version, or restore a backup from before its update"
        ))),
    }
}

async fn pragma(conn: &mut SqliteConnection, sql: &'static str) -> Result<i64, Error> {
    sqlx::query_scalar(sql).fetch_one(conn).await.map_err(Error::database("read what the database is"))
}
