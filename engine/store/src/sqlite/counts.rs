//! How much came to be, by the hour: kept by the writer, a row for what a batch has of one kind, and read for whole days.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use zelo_core::{JobState, Status};

use super::bulk::Rows;
use super::column::{Columns, ms};
use super::interned::Interned;
use super::reader::Reader;
use super::trip::Trip;
use crate::Error;
use crate::archive::{Counted, Range, Tally};

const HOUR: i64 = 3_600_000;

/// What is older is dropped.
const KEPT: SignedDuration = SignedDuration::from_hours(100 * 24);

const ADD: Rows = Rows {
    doing: "count what came to be",
    head: "INSERT INTO counts (hour, connection, clinic, what, n) SELECT * FROM (VALUES",
    columns: 5,
    tail: ") WHERE column1 IS NOT NULL ON CONFLICT (hour, connection, clinic, what) DO UPDATE SET n = n + excluded.n",
};

// Asked for in some hours of a day only: mostly there is nothing to drop.
const DROP: &str = "DELETE FROM counts WHERE hour < ?";

const TALLY: &str = "SELECT connection, clinic, what, sum(n) AS n FROM counts \
    WHERE hour >= ?1 AND hour < ?2 AND (?3 IS NULL OR connection = ?3) GROUP BY connection, clinic, what ORDER BY connection, clinic, what";

/// Something that came to be: when, of which connection and clinic, and what it is.
pub(crate) type One<'a> = (Timestamp, &'a str, Option<&'a str>, Counted);

/// Counts `ones`, and drops, now and then, what is too old beside the newest of them.
pub(crate) fn add<'a>(trip: &mut Trip, ones: impl IntoIterator<Item = One<'a>>) {
    let mut sums: BTreeMap<(i64, &str, &str, &'static str), i64> = BTreeMap::new();
    for (at, connection, clinic, of) in ones {
        *sums.entry((ms(at).div_euclid(HOUR), connection, clinic.unwrap_or_default(), word(of))).or_default() += 1;
    }
    let newest = sums.last_key_value().map(|((newest, ..), _)| *newest);
    trip.add(&ADD, sums.into_iter().collect(), |query, ((hour, connection, clinic, what), n)| {
        query.bind(hour).bind(Interned(connection)).bind(Interned(clinic)).bind(Interned(what)).bind(n)
    });
    if let Some(newest) = newest.filter(|newest| newest % 6 == 0) {
        trip.add_one("drop old counts", DROP, |query| query.bind(newest - KEPT.as_hours()));
    }
}

/// What came to be in the hours that begin in `range`.
pub(crate) async fn tally(reader: Reader, range: Range) -> Result<Vec<Tally>, Error> {
    let mut conn = reader.conn().await?;
    let hour = |at: Timestamp| (ms(at) + HOUR - 1).div_euclid(HOUR);
    let query = sqlx::query(TALLY).bind(hour(range.since)).bind(hour(range.until)).bind(range.connection);
    let rows = query.fetch_all(&mut *conn).await.map_err(Error::database("read what came to be"))?;
    rows.iter()
        .map(|row| {
            let row = Columns::new(row, "counts", "hour");
            let clinic: String = row.get("clinic")?;
            let clinic = (!clinic.is_empty()).then_some(clinic);
            Ok(Tally { connection: row.get("connection")?, clinic, of: row.word("what", counted)?, count: row.count("n")? })
        })
        .collect()
}

const EVENTS: [(Status, &str); 5] = [
    (Status::Accepted, "event accepted"),
    (Status::Duplicate, "event duplicate"),
    (Status::Stale, "event stale"),
    (Status::Quarantined, "event quarantined"),
    (Status::Ignored, "event ignored"),
];

const JOBS: [(JobState, &str); 8] = [
    (JobState::Scheduled, "job scheduled"),
    (JobState::Ready, "job ready"),
    (JobState::Running, "job running"),
    (JobState::Done, "job done"),
    (JobState::Dead, "job dead"),
    (JobState::Cancelled, "job cancelled"),
    (JobState::Skipped, "job skipped"),
    (JobState::Unknown, "job unknown"),
];

/// As it stands in the table.
fn word(of: Counted) -> &'static str {
    let found = match of {
        Counted::Event(status) => EVENTS.iter().find(|(one, _)| *one == status).map(|(_, word)| *word),
        Counted::Job(state) => JOBS.iter().find(|(one, _)| *one == state).map(|(_, word)| *word),
        Counted::Message => Some("message"),
        Counted::Document => Some("document"),
    };
    found.unwrap_or_default()
}

fn counted(text: &str) -> Option<Counted> {
    let event = || Some(Counted::Event(EVENTS.iter().find(|(_, word)| *word == text)?.0));
    let job = || Some(Counted::Job(JOBS.iter().find(|(_, word)| *word == text)?.0));
    match text {
        "message" => Some(Counted::Message),
        "document" => Some(Counted::Document),
        _ => event().or_else(job),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;
    use sqlx::sqlite::SqliteConnection;

    use super::*;

    #[tokio::test]
    async fn what_is_too_old_beside_the_newest_is_dropped_now_and_then() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let table = "CREATE TABLE counts (hour INTEGER, connection TEXT, clinic TEXT, what TEXT, n INTEGER, \
            PRIMARY KEY (hour, connection, clinic, what)) STRICT";
        sqlx::raw_sql(table).execute(&mut conn).await.unwrap();
        let kept = KEPT.as_hours();
        // Of the hours that something is counted in, which are left.
        for (hour, left) in [(5_999 - kept, 1), (6_000 - kept, 2), (5_999, 3), (6_000, 3), (6_001, 4), (6_006 + kept, 1)] {
            let mut trip = Trip::default();
            add(&mut trip, [(Timestamp::from_second(hour * 3_600).unwrap(), "a", None, Counted::Message)]);
            trip.make(&mut conn).await.unwrap();
            let found: i64 = sqlx::query_scalar("SELECT count(*) FROM counts").fetch_one(&mut conn).await.unwrap();
            assert_eq!(found, left, "{hour}");
        }
    }

    #[test]
    fn what_is_counted_reads_back() {
        let events = EVENTS.map(|(status, _)| Counted::Event(status));
        let jobs = JOBS.map(|(state, _)| Counted::Job(state));
        for of in events.into_iter().chain(jobs).chain([Counted::Message, Counted::Document]) {
            assert_eq!(counted(word(of)), Some(of));
        }
        assert!(EVENTS.iter().all(|(status, word)| word.ends_with(status.as_str())));
        assert!(JOBS.iter().all(|(state, word)| word.ends_with(state.as_str())));
        assert_eq!(counted("job"), None);
    }
}
