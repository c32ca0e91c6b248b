//! How much came through each connection, by the hour.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use zelo_core::hearing::{Hour, KEPT, hour_of};

use super::column::{Columns, ms};
use super::reader::Reader;
use super::writer::{Desk, Write};
use crate::{Error, HeardHour};

const ADD: &str = "INSERT INTO heard (connection, hour, accepted, refused, last) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT (connection, hour) DO UPDATE SET accepted = accepted + excluded.accepted, refused = refused + excluded.refused, \
    last = coalesce(max(last, excluded.last), last, excluded.last)";

// As `zelo_core::hearing::Heard::forget`.
const FORGET: &str = "DELETE FROM heard WHERE connection = ?1 AND hour < ?2 AND (accepted = 0 OR hour < ?3 + \
    (SELECT hour FROM heard WHERE connection = ?1 AND accepted > 0 ORDER BY hour DESC LIMIT 1))";

const ALL: &str = "SELECT connection, hour, accepted, refused, last FROM heard ORDER BY connection, hour";

/// Adds what came, and forgets of the same connections what is too old.
pub(crate) struct AddHeard {
    pub hours: Vec<HeardHour>,
    pub now: Timestamp,
}

#[async_trait]
impl Write for AddHeard {
    type Answer = ();

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<(), Error> {
        desk.saw(self.now);
        let doing = "count what came through a connection";
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        for HeardHour { connection, hour, came: Hour { accepted, refused, last } } in &self.hours {
            let add = sqlx::query(ADD).bind(connection).bind(hour).bind(count(*accepted)).bind(count(*refused)).bind(last.map(ms));
            add.execute(&mut *conn).await.map_err(Error::database(doing))?;
            let forget = sqlx::query(FORGET).bind(connection).bind(hour_of(self.now) - KEPT).bind(-KEPT);
            forget.execute(&mut *conn).await.map_err(Error::database(doing))?;
        }
        Ok(())
    }
}

/// All that is kept, by connection and hour.
pub(crate) async fn all(reader: Reader) -> Result<Vec<HeardHour>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(ALL).fetch_all(&mut *conn).await.map_err(Error::database("read what came through connections"))?;
    let hour = |row| {
        let row = Columns::new(row, "heard", "hour");
        let came = Hour { accepted: row.count("accepted")?, refused: row.count("refused")?, last: row.opt_time("last")? };
        Ok(HeardHour { connection: row.get("connection")?, hour: row.get("hour")?, came })
    };
    rows.iter().map(hour).collect()
}
