//! Many rows in few statements.
//!
//! Every statement is a trip to the connection's own thread and back, so a batch makes as few as it can: lists of ids
//! and hashes travel as one blob and are cut up in SQL, rows are written by the hundred. Statements come in a few sizes,
//! so that each is prepared once and found again; the next larger one takes the rows, and what it has room for beyond
//! them is null.

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Sqlite};

use zelo_core::KeyHash;

use crate::Error;

/// Rows that a statement has room for. A job has 36 columns: 256 rows stay within SQLite's 32,766 parameters.
const SIZES: [usize; 5] = [1, 4, 16, 64, 256];

/// A query whose parameters are being bound.
pub(crate) type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// A statement over any number of rows. Those it has room for and is not given are null in every column; the statement
/// must leave them alone (an insertion selects `WHERE column1 IS NOT NULL`).
///
/// Insertions say OR FAIL: whatever fails takes the whole transaction back, so SQLite need not note the pages that each
/// statement changes in order to take back that statement alone.
pub(crate) struct Rows {
    /// What it does, for errors.
    pub doing: &'static str,
    /// Up to and including the word `VALUES`.
    pub head: &'static str,
    /// How many values each row has.
    pub columns: usize,
    /// What follows the rows.
    pub tail: &'static str,
}

impl Rows {
    /// Runs the statement over all `rows`, each of which `bind` adds to the query; the number of rows it touched.
    pub(crate) async fn run<'q, T: Send>(
        &self,
        conn: &mut SqliteConnection,
        rows: Vec<T>,
        bind: impl Fn(Bound<'q>, T) -> Bound<'q> + Send,
    ) -> Result<u64, Error> {
        let mut touched = 0;
        for query in self.queries(rows, bind) {
            touched += query.execute(&mut *conn).await.map_err(Error::database(self.doing))?.rows_affected();
        }
        Ok(touched)
    }

    /// Asks the statement about all `rows`, each of which `bind` adds to the query; what it answers.
    pub(crate) async fn fetch<'q, T: Send>(
        &self,
        conn: &mut SqliteConnection,
        rows: Vec<T>,
        bind: impl Fn(Bound<'q>, T) -> Bound<'q> + Send,
    ) -> Result<Vec<SqliteRow>, Error> {
        let mut found = Vec::with_capacity(rows.len());
        for query in self.queries(rows, bind) {
            found.extend(query.fetch_all(&mut *conn).await.map_err(Error::database(self.doing))?);
        }
        Ok(found)
    }

    fn queries<'q, T>(&self, rows: Vec<T>, bind: impl Fn(Bound<'q>, T) -> Bound<'q>) -> impl Iterator<Item = Bound<'q>> {
        let mut left = rows.len();
        let mut rows = rows.into_iter();
        std::iter::from_fn(move || {
            let size = SIZES.into_iter().find(|size| *size >= left).unwrap_or(SIZES[SIZES.len() - 1]);
            let wanted = left > 0;
            left -= size.min(left);
            wanted.then(|| rows.by_ref().take(size).fold(sqlx::query(AssertSqlSafe(self.sql(size))), &bind))
        })
    }

    fn sql(&self, rows: usize) -> String {
        let mut sql = String::with_capacity(self.head.len() + self.tail.len() + rows * (self.columns * 2 + 3) + 2);
        sql.push_str(self.head);
        for row in 0..rows {
            sql.push_str(if row == 0 { " (" } else { ",(" });
            for column in 0..self.columns {
                sql.push_str(if column == 0 { "?" } else { ",?" });
            }
            sql.push(')');
        }
        sql.push(' ');
        sql.push_str(self.tail);
        sql
    }
}

/// `$head IN (list)$tail`, where the list is the 16-byte values that a parameter (the first, or `$parameter`) holds end
/// to end.
macro_rules! in_list {
    ($head:expr, $tail:expr) => {
        in_list!($head, "?1", $tail)
    };
    ($head:expr, $parameter:literal, $tail:expr) => {
        concat!(
            $head,
            " IN (WITH RECURSIVE cut (at) AS (SELECT 1 WHERE length(",
            $parameter,
            ") > 0 UNION ALL SELECT at + 16 FROM cut WHERE at + 16 <= length(",
            $parameter,
            ")) SELECT substr(",
            $parameter,
            ", at, 16) FROM cut)",
            $tail
        )
    };
}
pub(crate) use in_list;

/// The rows of a query made by [`in_list`]; none without asking where the list is empty.
pub(crate) async fn fetch_in(
    conn: &mut SqliteConnection,
    doing: &'static str,
    sql: &'static str,
    list: Vec<[u8; 16]>,
) -> Result<Vec<SqliteRow>, Error> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query(sql).bind(packed(list)).fetch_all(conn).await.map_err(Error::database(doing))
}

/// A list as a parameter of [`in_list`].
pub(crate) fn packed(mut list: Vec<[u8; 16]>) -> Vec<u8> {
    list.sort_unstable();
    list.dedup();
    list.concat()
}

/// A list of integers, as JSON for `json_each`.
pub(crate) fn integers(list: impl IntoIterator<Item = i64>) -> String {
    let mut json = String::from("[");
    for (place, number) in list.into_iter().enumerate() {
        if place > 0 {
            json.push(',');
        }
        json.push_str(&number.to_string());
    }
    json.push(']');
    json
}

/// Fails where a write touched another number of rows than it must: what was read in the same transaction is gone.
pub(crate) fn expect_rows(table: &'static str, doing: &str, wanted: usize, touched: u64) -> Result<(), Error> {
    if touched == wanted as u64 {
        return Ok(());
    }
    let why = format!("to {doing} had to touch {wanted} rows and touched {touched}");
    Err(Error::Inconsistent { table, column: "*", row: "several".into(), why })
}

/// The bytes of hashes, as [`fetch_in`] wants them.
pub(crate) fn bytes<'a>(hashes: impl IntoIterator<Item = &'a KeyHash>) -> Vec<[u8; 16]> {
    hashes.into_iter().map(|hash| hash.0).collect()
}
