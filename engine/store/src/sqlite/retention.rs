//! Retention: what was kept long enough is deleted, and the keys of people of whom nothing is left are destroyed.
//!
//! In portions, so that nobody waits long for the writer. What live jobs need stays; so does all of who is on hold.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use zelo_core::{Actor, AuditEntry, AuditKind};

use super::audit;
use super::bulk::integers;
use super::column::ms;
use super::reader::Reader;
use super::writer::{Desk, Write};
use crate::{Aged, Error, Retained, Retention};

/// Rows of a kind that one transaction deletes.
const PORTION: i64 = 500;

/// The keys of people on hold.
macro_rules! held {
    () => {
        "(SELECT a.key_id FROM holds h CROSS JOIN seal_about a WHERE a.pseudonym = h.pseudonym)"
    };
}

/// Whether what is called so is meant: a name, or a beginning and `*`.
macro_rules! meant {
    ($name:expr) => {
        concat!(
            "(?2 IS NULL OR EXISTS (SELECT 1 FROM json_each(?2) WHERE ",
            $name,
            " GLOB value)) AND (?3 IS NULL OR NOT EXISTS (SELECT 1 FROM json_each(?3) WHERE ",
            $name,
            " GLOB value))"
        )
    };
}

const EVENTS: &str = concat!(
    "SELECT e.seq FROM events e WHERE e.received < ?1 AND ",
    meant!("e.type"),
    " AND NOT EXISTS (SELECT 1 FROM event_parts p WHERE p.part_id >= e.seq * 256 AND p.part_id < e.seq * 256 + 256 AND p.key_id IN ",
    held!(),
    ") AND NOT EXISTS (SELECT 1 FROM event_about b WHERE b.event_id = e.event_id AND b.key_id IN ",
    held!(),
    ") AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.event_id = e.event_id) \
     AND NOT EXISTS (SELECT 1 FROM job_events c JOIN jobs j ON j.seq = c.job WHERE c.event = e.seq) ORDER BY e.seq LIMIT ?4"
);

const JOBS: &str = concat!(
    // A step is needed for as long as what comes after it is pending.
    "SELECT seq FROM job_history WHERE ended < ?1 AND NOT EXISTS (SELECT 1 FROM job_needs n WHERE n.needed = job_history.job_id) \
     AND job_id NOT IN (SELECT b.job_id FROM job_about b WHERE b.key_id IN ",
    held!(),
    ") AND key_id NOT IN ",
    held!(),
    " AND ",
    meant!("rule || '/' || action"),
    " ORDER BY seq LIMIT ?4"
);

/// What came of jobs, in a table of its own.
macro_rules! of_jobs {
    ($table:literal, $more:literal) => {
        concat!(
            "SELECT seq FROM ",
            $table,
            " WHERE at < ?1 AND key_id NOT IN ",
            held!(),
            " AND job_id NOT IN (SELECT b.job_id FROM job_about b WHERE b.key_id IN ",
            held!(),
            ") AND ",
            meant!("action"),
            $more,
            " ORDER BY seq LIMIT ?4"
        )
    };
}

const MESSAGES: &str = of_jobs!("messages", "");

// A step's document is needed for as long as what comes after it is pending.
const DOCUMENTS: &str = of_jobs!("documents", " AND NOT EXISTS (SELECT 1 FROM job_needs n WHERE n.needed = documents.job_id)");

const STATE: &str = concat!(
    "SELECT state_id FROM state WHERE updated < ?1 AND key_id NOT IN ",
    held!(),
    " AND slot NOT IN (SELECT b.slot FROM state_about b WHERE b.key_id IN ",
    held!(),
    ") AND ",
    meant!("action"),
    " ORDER BY state_id LIMIT ?4"
);

const RECORDS: &str = concat!(
    "SELECT written FROM records WHERE time < ?1 AND ",
    meant!("kind"),
    " AND key_id NOT IN ",
    held!(),
    " AND record NOT IN (SELECT b.record FROM record_about b WHERE b.key_id IN ",
    held!(),
    ") AND NOT EXISTS (SELECT 1 FROM job_lookups l WHERE l.record = records.record) ORDER BY written LIMIT ?4"
);

const REFUSED: &str = concat!("SELECT seq FROM refused WHERE at < ?1 AND ", meant!("connection"), " ORDER BY seq LIMIT ?4");

/// The keys of people under which nothing stands any more, and no pending job will put anything.
const BARE: &str = concat!(
    "SELECT key_id FROM seal_keys k WHERE about IS NOT NULL AND wrapped IS NOT NULL AND created_at < ?1 AND key_id > ?2 AND key_id NOT IN ",
    held!(),
    " AND NOT EXISTS (SELECT 1 FROM key_parts x WHERE x.key_id = k.key_id) AND NOT EXISTS (SELECT 1 FROM records x WHERE x.key_id = k.key_id) \
     AND NOT EXISTS (SELECT 1 FROM jobs x WHERE x.key_id = k.key_id) AND NOT EXISTS (SELECT 1 FROM job_history x WHERE x.key_id = k.key_id) \
     AND NOT EXISTS (SELECT 1 FROM messages x WHERE x.key_id = k.key_id) AND NOT EXISTS (SELECT 1 FROM documents x WHERE x.key_id = k.key_id) \
     AND NOT EXISTS (SELECT 1 FROM job_about x WHERE x.key_id = k.key_id) AND NOT EXISTS (SELECT 1 FROM event_about x WHERE x.key_id = k.key_id) \
     AND NOT EXISTS (SELECT 1 FROM record_about x WHERE x.key_id = k.key_id) \
     AND NOT EXISTS (SELECT 1 FROM state_about x WHERE x.key_id = k.key_id) \
     AND NOT EXISTS (SELECT 1 FROM seal_about x JOIN seal_keys o ON o.key_id = x.key_id WHERE x.pseudonym = k.about \
         AND x.key_id <> k.key_id AND o.wrapped IS NOT NULL) \
     AND NOT EXISTS (SELECT 1 FROM state x WHERE x.key_id = k.key_id) AND NOT EXISTS (SELECT 1 FROM consents x WHERE x.key_id = k.key_id) \
     ORDER BY key_id LIMIT ?3"
);

/// Whose data came into what is gone.
const FORGET: [&str; 4] = [
    "DELETE FROM event_about WHERE event_id NOT IN (SELECT event_id FROM events)",
    "DELETE FROM job_about WHERE NOT EXISTS (SELECT 1 FROM jobs x WHERE x.job_id = job_about.job_id) \
     AND NOT EXISTS (SELECT 1 FROM job_history x WHERE x.job_id = job_about.job_id) \
     AND NOT EXISTS (SELECT 1 FROM messages x WHERE x.job_id = job_about.job_id) \
     AND NOT EXISTS (SELECT 1 FROM documents x WHERE x.job_id = job_about.job_id)",
    "DELETE FROM record_about WHERE record NOT IN (SELECT record FROM records)",
    "DELETE FROM state_about WHERE slot NOT IN (SELECT slot FROM state)",
];

/// Deletes a portion of everything that is older than `keep` says.
pub(crate) struct Retain {
    pub keep: Retention,
    pub now: Timestamp,
    pub actor: Actor,
}

/// What is deleted of one kind: where it is looked for, and what goes with it.
struct Kind<'k> {
    aged: &'k Aged,
    select: &'static str,
    deletes: &'static [&'static str],
}

impl Kind<'_> {
    /// The names that are meant, and those that are not, as JSON.
    fn lists(&self) -> (Option<String>, Option<String>) {
        let list = |names: &Vec<String>| serde_json::to_string(names).ok();
        let except = Some(&self.aged.except).filter(|names| !names.is_empty());
        (self.aged.only.as_ref().and_then(list), except.and_then(list))
    }
}

/// How much is older than `keep` says, by kind; what else becomes free when that goes is not in it.
pub(crate) async fn aged(reader: Reader, keep: Retention) -> Result<BTreeMap<String, u64>, Error> {
    let mut conn = reader.conn().await?;
    let mut aged = BTreeMap::new();
    for kind in kinds(&keep) {
        let (only, except) = kind.lists();
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM ({})", kind.select));
        let query = sqlx::query_scalar(sql).bind(ms(kind.aged.before)).bind(only).bind(except).bind(-1_i64);
        let rows: i64 = query.fetch_one(&mut *conn).await.map_err(Error::database("count what was kept long enough"))?;
        if rows > 0 {
            *aged.entry(kind.aged.name.clone()).or_insert(0) += rows as u64;
        }
    }
    Ok(aged)
}

#[async_trait]
impl Write for Retain {
    type Answer = Retained;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Retained, Error> {
        desk.saw(self.now);
        let doing = "delete what was kept long enough";
        desk.recent.flush(conn).await?;
        let mut retained = Retained::default();
        for kind in kinds(&self.keep) {
            let (only, except) = kind.lists();
            let query = sqlx::query_scalar(kind.select).bind(ms(kind.aged.before)).bind(only).bind(except).bind(PORTION);
            let places: Vec<i64> = query.fetch_all(&mut *conn).await.map_err(Error::database(doing))?;
            if places.is_empty() {
                continue;
            }
            retained.more |= places.len() as i64 == PORTION;
            let list = integers(places.iter().copied());
            for sql in kind.deletes {
                sqlx::query(*sql).bind(&list).execute(&mut *conn).await.map_err(Error::database(doing))?;
            }
            *retained.deleted.entry(kind.aged.name.clone()).or_insert(0) += places.len() as u64;
        }
        // When the last portion goes: it reads all of it. What is kept for ever leaves nothing behind.
        if !retained.more && self.bare_before().is_some() {
            for sql in FORGET {
                sqlx::query(sql).execute(&mut *conn).await.map_err(Error::database(doing))?;
            }
        }
        if let Some(before) = self.bare_before() {
            retained.keys = destroy_bare(conn, desk, before, self.now).await?;
        }
        if !retained.is_empty() {
            desk.scrub = retained.keys > 0 || desk.scrub;
            let entry = AuditEntry::new(self.now, AuditKind::Retained, self.actor.clone(), &retained);
            audit::append(conn, desk, vec![entry]).await?;
        }
        Ok(retained)
    }
}

impl Retain {
    /// A key is bare for good when it is older than everything that is kept for some time only: a new one may be about to be used.
    fn bare_before(&self) -> Option<Timestamp> {
        let Retention { events, jobs, messages, documents, state, records, refused: _ } = &self.keep;
        [events, jobs, messages, documents, state, records].into_iter().flatten().map(|aged| aged.before).max()
    }
}

fn kinds(keep: &Retention) -> Vec<Kind<'_>> {
    const EVENT: &[&str] = &[
        "DELETE FROM key_parts WHERE (key_id, part_id) IN (SELECT p.key_id, p.part_id FROM json_each(?1) e \
         JOIN event_parts p ON p.part_id BETWEEN e.value * 256 AND e.value * 256 + 255)",
        "DELETE FROM deliveries WHERE delivery IN (SELECT delivery FROM events WHERE seq IN (SELECT value FROM json_each(?1)))",
        "DELETE FROM entity_events WHERE (entity, event) IN (SELECT entity, seq FROM events WHERE seq IN (SELECT value FROM json_each(?1)))",
        "DELETE FROM event_parts WHERE part_id / 256 IN (SELECT value FROM json_each(?1)) \
         AND part_id >= (SELECT min(value) FROM json_each(?1)) * 256 AND part_id < (SELECT max(value) + 1 FROM json_each(?1)) * 256",
        "DELETE FROM job_events WHERE event IN (SELECT value FROM json_each(?1))",
        "DELETE FROM jobs_erased WHERE event_id IN (SELECT event_id FROM events WHERE seq IN (SELECT value FROM json_each(?1)))",
        "DELETE FROM events WHERE seq IN (SELECT value FROM json_each(?1))",
    ];
    const JOB: &[&str] = &[
        "INSERT INTO jobs_forgotten (rule, ended) SELECT rule, max(ended) FROM job_history \
         WHERE seq IN (SELECT value FROM json_each(?1)) GROUP BY rule \
         ON CONFLICT (rule) DO UPDATE SET ended = max(ended, excluded.ended)",
        "DELETE FROM journal WHERE job_id IN (SELECT job_id FROM job_history WHERE seq IN (SELECT value FROM json_each(?1)))",
        "DELETE FROM attempts WHERE job_id IN (SELECT job_id FROM job_history WHERE seq IN (SELECT value FROM json_each(?1)))",
        "DELETE FROM job_decisions WHERE job_id IN (SELECT job_id FROM job_history WHERE seq IN (SELECT value FROM json_each(?1)))",
        "DELETE FROM job_events WHERE job IN (SELECT value FROM json_each(?1))",
        "DELETE FROM job_history WHERE seq IN (SELECT value FROM json_each(?1))",
    ];
    const STATE_DELETES: &[&str] = &[
        "DELETE FROM state_about WHERE slot IN (SELECT slot FROM state WHERE state_id IN (SELECT value FROM json_each(?1)))",
        "DELETE FROM state WHERE state_id IN (SELECT value FROM json_each(?1))",
    ];
    const MESSAGE: &[&str] = &["DELETE FROM messages WHERE seq IN (SELECT value FROM json_each(?1))"];
    const DOCUMENT: &[&str] = &["DELETE FROM documents WHERE seq IN (SELECT value FROM json_each(?1))"];
    const RECORD: &[&str] = &["DELETE FROM records WHERE written IN (SELECT value FROM json_each(?1))"];
    const REFUSAL: &[&str] = &["DELETE FROM refused WHERE seq IN (SELECT value FROM json_each(?1))"];
    let Retention { events, jobs, messages, documents, state, records, refused } = keep;
    let groups = [
        (messages, MESSAGES, MESSAGE),
        (documents, DOCUMENTS, DOCUMENT),
        (jobs, JOBS, JOB),
        (events, EVENTS, EVENT),
        (state, STATE, STATE_DELETES),
        (records, RECORDS, RECORD),
        (refused, REFUSED, REFUSAL),
    ];
    let kinds = groups.into_iter().flat_map(|(aged, select, deletes)| aged.iter().map(move |aged| Kind { aged, select, deletes }));
    kinds.filter(|kind| kind.aged.only.as_ref().is_none_or(|only| !only.is_empty())).collect()
}

/// Destroys keys under which nothing stands, and what their people are known by.
async fn destroy_bare(conn: &mut SqliteConnection, desk: &mut Desk, before: Timestamp, now: Timestamp) -> Result<u64, Error> {
    let doing = "destroy keys that nothing is left under";
    let query = sqlx::query_scalar(BARE).bind(ms(before)).bind(desk.bare_after).bind(PORTION);
    let keys: Vec<i64> = query.fetch_all(&mut *conn).await.map_err(Error::database(doing))?;
    // From the beginning again, when there was less than a portion.
    desk.bare_after = keys.last().copied().filter(|_| keys.len() as i64 == PORTION).unwrap_or(0);
    if keys.is_empty() {
        return Ok(0);
    }
    let list = integers(keys.iter().copied());
    let query = sqlx::query("DELETE FROM identities WHERE key_id IN (SELECT value FROM json_each(?1))").bind(&list);
    query.execute(&mut *conn).await.map_err(Error::database(doing))?;
    let query = sqlx::query(super::erase::DESTROY).bind(&list).bind(ms(now));
    query.execute(conn).await.map_err(Error::database(doing))?;
    desk.sealer.ring().forget(&keys);
    desk.known.forget(&keys);
    Ok(keys.len() as u64)
}
