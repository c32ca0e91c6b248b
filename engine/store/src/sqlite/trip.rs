//! Statements that go to the connection's thread together.
//!
//! What a batch writes is told by many modules and known long before anybody asks about it. It is gathered and written at once, when something
//! is asked, or at the end: to wake the connection's thread, and to be woken by it, takes longer than to write a hundred rows.

use futures::TryStreamExt;
use sqlx::Executor;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::bulk::{Bound, Rows, expect_rows, fetch_in, query, sizes};
use crate::Error;

/// Statements that are run in order, of which none says what another needs to know. Their parameters have no numbers.
#[derive(Default)]
pub(crate) struct Trip {
    sql: String,
    bound: Bound,
    /// What each statement does, and which of `wanted` it is a part of.
    statements: Vec<(&'static str, Option<usize>)>,
    /// Rows that must be touched, in which table, and what for.
    wanted: Vec<Wanted>,
}

struct Wanted {
    table: &'static str,
    doing: &'static str,
    rows: usize,
    touched: u64,
}

impl Trip {
    /// Takes a statement along, over all `rows`, which touches some of them.
    pub(crate) fn add<T>(&mut self, statement: &Rows, rows: Vec<T>, bind: impl Fn(Bound, T) -> Bound) {
        self.take(statement, None, rows, bind);
    }

    /// The same of one that must touch each of `rows` of `table`.
    pub(crate) fn add_all<T>(&mut self, table: &'static str, statement: &Rows, rows: Vec<T>, bind: impl Fn(Bound, T) -> Bound) {
        let wanted = self.want(table, statement.doing, rows.len());
        self.take(statement, Some(wanted), rows, bind);
    }

    /// Takes a statement along that is one by itself, which touches whatever it does.
    pub(crate) fn add_one(&mut self, doing: &'static str, sql: &str, bind: impl FnOnce(Bound) -> Bound) {
        self.push(sql, doing, None);
        self.bound = bind(std::mem::take(&mut self.bound));
    }

    /// The same of one that must touch so many rows of `table`.
    pub(crate) fn add_one_of(
        &mut self,
        table: &'static str,
        doing: &'static str,
        rows: usize,
        sql: &str,
        bind: impl FnOnce(Bound) -> Bound,
    ) {
        let wanted = self.want(table, doing, rows);
        self.push(sql, doing, Some(wanted));
        self.bound = bind(std::mem::take(&mut self.bound));
    }

    fn want(&mut self, table: &'static str, doing: &'static str, rows: usize) -> usize {
        self.wanted.push(Wanted { table, doing, rows, touched: 0 });
        self.wanted.len() - 1
    }

    fn take<T>(&mut self, statement: &Rows, wanted: Option<usize>, rows: Vec<T>, bind: impl Fn(Bound, T) -> Bound) {
        let sizes = sizes(rows.len());
        let mut rows = rows.into_iter();
        for size in sizes {
            self.push(&statement.sql(size), statement.doing, wanted);
            self.bound = statement.bound(std::mem::take(&mut self.bound), size, &mut rows, &bind);
        }
    }

    fn push(&mut self, sql: &str, doing: &'static str, wanted: Option<usize>) {
        self.sql.push_str(sql);
        self.sql.push(';');
        self.statements.push((doing, wanted));
    }

    /// Runs all of them, in order, until one fails.
    pub(crate) async fn make(mut self, conn: &mut SqliteConnection) -> Result<(), Error> {
        let Some((first, _)) = self.statements.first() else { return Ok(()) };
        let query = query(self.sql, self.bound).map_err(Error::database(first))?;
        let mut done = conn.execute_many(query);
        for (doing, wanted) in self.statements {
            let done = done.try_next().await.and_then(|done| done.ok_or(sqlx::Error::RowNotFound)).map_err(Error::database(doing))?;
            if let Some(wanted) = wanted.and_then(|wanted| self.wanted.get_mut(wanted)) {
                wanted.touched += done.rows_affected();
            }
        }
        self.wanted.iter().try_for_each(|wanted| expect_rows(wanted.table, wanted.doing, wanted.rows, wanted.touched))
    }
}

/// The connection of a transaction, and what is written on it before anything is asked again.
pub(crate) struct Pipeline<'c> {
    conn: &'c mut SqliteConnection,
    later: Trip,
}

impl<'c> Pipeline<'c> {
    pub(crate) fn new(conn: &'c mut SqliteConnection) -> Self {
        Self { conn, later: Trip::default() }
    }

    /// What is written later.
    pub(crate) fn later(&mut self) -> &mut Trip {
        &mut self.later
    }

    /// The connection, with all of it written.
    pub(crate) async fn now(&mut self) -> Result<&mut SqliteConnection, Error> {
        std::mem::take(&mut self.later).make(self.conn).await?;
        Ok(self.conn)
    }

    /// The rows of a query made by `in_list`, with all of it written; where the list is empty, nothing is asked, and nothing written yet.
    pub(crate) async fn fetch_in(&mut self, doing: &'static str, sql: &'static str, list: Vec<[u8; 16]>) -> Result<Vec<SqliteRow>, Error> {
        if list.is_empty() {
            return Ok(Vec::new());
        }
        fetch_in(self.now().await?, doing, sql, list).await
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::super::bulk::in_list;
    use super::*;

    const PUT: Rows =
        Rows { doing: "put", head: "INSERT OR FAIL INTO t (a, b) SELECT * FROM (VALUES", columns: 2, tail: ") WHERE column1 IS NOT NULL" };
    const SEEN: Rows =
        Rows { doing: "see", head: "INSERT INTO seen SELECT * FROM (VALUES", columns: 1, tail: ") WHERE column1 IS NOT NULL" };

    async fn empty() -> SqliteConnection {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let tables = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT) STRICT; CREATE TABLE seen (a INTEGER) STRICT";
        sqlx::raw_sql(tables).execute(&mut conn).await.unwrap();
        conn
    }

    async fn number(conn: &mut SqliteConnection, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
    }

    #[tokio::test]
    async fn a_trip_writes_what_its_statements_write_each_by_itself() {
        for rows in [0, 1, 2, 4, 5, 17, 64, 65, 128, 129, 256, 257, 300, 600] {
            let (mut apart, mut together) = (empty().await, empty().await);
            let all = || (1..=rows).map(|row| (row, format!("row {row}"))).collect::<Vec<_>>();
            assert_eq!(PUT.run(&mut apart, all(), |query, (a, b)| query.bind(a).bind(b)).await.unwrap(), rows as u64);
            let mut trip = Trip::default();
            trip.add(&SEEN, (0..rows / 2).collect(), Bound::bind);
            trip.add_all("t", &PUT, all(), |query, (a, b)| query.bind(a).bind(b));
            trip.add_one("see", "INSERT INTO seen VALUES (?)", |query| query.bind(-1));
            trip.add_one_of("t", "change", rows as usize, "UPDATE t SET b = b || ?", |query| query.bind(""));
            trip.make(&mut together).await.unwrap();
            assert_eq!(number(&mut together, "SELECT count(*) FROM seen").await, rows / 2 + 1, "{rows}");
            for question in ["SELECT count(*) FROM t", "SELECT coalesce(sum(a), 0) FROM t WHERE b = 'row ' || a"] {
                assert_eq!(number(&mut apart, question).await, number(&mut together, question).await, "{rows}: {question}");
            }
            assert_eq!(number(&mut together, "SELECT count(*) FROM t").await, rows);
        }
        Trip::default().make(&mut empty().await).await.unwrap();
    }

    #[tokio::test]
    async fn a_trip_ends_at_what_fails_and_says_which_it_was() {
        let mut conn = empty().await;
        let mut trip = Trip::default();
        trip.add(&SEEN, vec![1], Bound::bind);
        trip.add_all("t", &PUT, vec![(1, "a"), (1, "b")], |query, (a, b)| query.bind(a).bind(b));
        trip.add(&SEEN, vec![2], Bound::bind);
        let error = trip.make(&mut conn).await.unwrap_err();
        assert!(matches!(error, Error::Database { doing: "put", .. }), "{error:?}");
        assert_eq!(number(&mut conn, "SELECT max(a) FROM seen").await, 1, "what comes after is not done");
    }

    #[tokio::test]
    async fn what_must_be_touched_and_is_not_there_is_told() {
        let mut conn = empty().await;
        let mut trip = Trip::default();
        trip.add_all("t", &PUT, vec![(1, "a")], |query, (a, b)| query.bind(a).bind(b));
        trip.add_one_of("t", "remove", 2, "DELETE FROM t WHERE a < ?", |query| query.bind(5));
        let error = trip.make(&mut conn).await.unwrap_err();
        assert!(matches!(error, Error::Inconsistent { table: "t", .. }), "{error:?}");
    }

    #[tokio::test]
    async fn what_is_written_later_is_written_before_anything_is_asked() {
        const SEEN_IN: &str = in_list!("SELECT a FROM seen WHERE CAST(a AS BLOB)", "");
        let mut conn = empty().await;
        let mut pipe = Pipeline::new(&mut conn);
        pipe.later().add(&SEEN, vec![1_000_000_000_000_000_i64], Bound::bind);
        assert!(pipe.fetch_in("look", SEEN_IN, Vec::new()).await.unwrap().is_empty());
        assert_eq!(number(pipe.conn, "SELECT count(*) FROM seen").await, 0, "nothing was asked");
        assert_eq!(pipe.fetch_in("look", SEEN_IN, vec![*b"1000000000000000"]).await.unwrap().len(), 1);
        pipe.later().add(&SEEN, vec![2], Bound::bind);
        assert_eq!(number(pipe.now().await.unwrap(), "SELECT count(*) FROM seen").await, 2);
        assert_eq!(number(pipe.now().await.unwrap(), "SELECT count(*) FROM seen").await, 2, "and once");
    }
}
