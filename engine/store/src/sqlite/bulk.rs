//! Many rows in few statements.
//!
//! Every statement is a trip to the connection's own thread and back, so a batch makes as few as it can: lists of ids
//! and hashes travel as one blob and are cut up in SQL, rows are written by the hundred. Statements come in a few sizes,
//! so that each is prepared once and found again; the next larger one takes the rows, and what it has room for beyond
//! them is null.

use futures::TryStreamExt;
use sqlx::encode::Encode;
use sqlx::error::BoxDynError;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Either, Executor, Sqlite, Type};

use zelo_core::KeyHash;

use crate::Error;

/// Rows that a statement has room for. A job has 36 columns: 256 rows stay within SQLite's 32,766 parameters.
const SIZES: [usize; 6] = [1, 4, 16, 64, 128, 256];

/// What is bound to the parameters of statements, one after the other.
#[derive(Default)]
pub(crate) struct Bound {
    values: SqliteArguments,
    unbound: Option<BoxDynError>,
}

impl Bound {
    pub(crate) fn bind<'t, T: Encode<'t, Sqlite> + Type<Sqlite>>(mut self, value: T) -> Self {
        if let Err(error) = self.values.add(value) {
            self.unbound.get_or_insert(error);
        }
        self
    }

    fn values(self) -> Result<SqliteArguments, sqlx::Error> {
        self.unbound.map_or(Ok(self.values), |error| Err(sqlx::Error::Encode(error)))
    }
}

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
    pub(crate) async fn run<T: Send>(
        &self,
        conn: &mut SqliteConnection,
        rows: Vec<T>,
        bind: impl Fn(Bound, T) -> Bound + Send,
    ) -> Result<u64, Error> {
        let mut touched = 0;
        for query in self.queries(rows, bind) {
            let done = query.map_err(Error::database(self.doing))?.execute(&mut *conn).await;
            touched += done.map_err(Error::database(self.doing))?.rows_affected();
        }
        Ok(touched)
    }

    /// Asks the statement about all `rows`, each of which `bind` adds to the query; what it answers.
    pub(crate) async fn fetch<T: Send>(
        &self,
        conn: &mut SqliteConnection,
        rows: Vec<T>,
        bind: impl Fn(Bound, T) -> Bound + Send,
    ) -> Result<Vec<SqliteRow>, Error> {
        let mut found = Vec::with_capacity(rows.len());
        for query in self.queries(rows, bind) {
            let rows = query.map_err(Error::database(self.doing))?.fetch_all(&mut *conn).await;
            found.extend(rows.map_err(Error::database(self.doing))?);
        }
        Ok(found)
    }

    /// As many statements as all `rows` take.
    fn queries<T>(&self, rows: Vec<T>, bind: impl Fn(Bound, T) -> Bound) -> impl Iterator<Item = Result<Ready, sqlx::Error>> {
        let sizes = sizes(rows.len());
        let mut rows = rows.into_iter();
        sizes.map(move |size| query(self.sql(size), self.bound(Bound::default(), size, &mut rows, &bind)))
    }

    /// Binds as many of `rows` as the statement of this size has room for, and nothing to the rest of it.
    pub(super) fn bound<T>(
        &self,
        mut bound: Bound,
        size: usize,
        rows: &mut impl Iterator<Item = T>,
        bind: impl Fn(Bound, T) -> Bound,
    ) -> Bound {
        let all = bound.values.len() + size * self.columns;
        bound.values.reserve(size * self.columns, 0);
        let mut bound = rows.take(size).fold(bound, bind);
        while bound.values.len() < all {
            bound = bound.bind(None::<i64>);
        }
        bound
    }

    pub(super) fn sql(&self, rows: usize) -> String {
        let row = format!("({}?)", "?,".repeat(self.columns - 1));
        let others = format!(",{row}").repeat(rows - 1);
        [self.head, " ", &row, &others, " ", self.tail].concat()
    }
}

/// The sizes of the statements that so many rows take.
pub(super) fn sizes(mut rows: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size >= rows).unwrap_or(SIZES[SIZES.len() - 1]);
        let wanted = rows > 0;
        rows -= size.min(rows);
        wanted.then_some(size)
    })
}

/// A query with all that it needs.
pub(crate) type Ready = Query<'static, Sqlite, SqliteArguments>;

pub(super) fn query(sql: String, bound: Bound) -> Result<Ready, sqlx::Error> {
    Ok(sqlx::query_with(AssertSqlSafe(sql), bound.values()?))
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

/// The rows of several queries made by [`in_list`] that are asked about one list at once, of each by itself; a statement that gives none counts.
pub(crate) async fn fetch_each(
    conn: &mut SqliteConnection,
    doing: &'static str,
    sql: &'static str,
    list: Vec<[u8; 16]>,
) -> Result<Vec<Vec<SqliteRow>>, Error> {
    let query = sqlx::query(sql).bind(packed(list));
    let mut answers = conn.fetch_many(query);
    let (mut all, mut rows) = (Vec::new(), Vec::new());
    while let Some(answer) = answers.try_next().await.map_err(Error::database(doing))? {
        match answer {
            Either::Left(_) => all.push(std::mem::take(&mut rows)),
            Either::Right(row) => rows.push(row),
        }
    }
    Ok(all)
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
