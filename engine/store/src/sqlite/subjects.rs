//! People: found by what they are known by, told with all that is held of them.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::{Actor, AuditEntry, AuditKind, IdentityKind, Indexer, JobId, Pseudonym};

use super::bulk::integers;
use super::column::{Columns, ms};
use super::keys::Keys;
use super::reader::Reader;
use super::writer::{Desk, Write};
use super::{audit, consents, events, lists};
use crate::seal::Place;
use crate::{Error, JobExport, JobView, Link, SubjectExport, SubjectView, Who};

const SUBJECT: &str = "SELECT k.key_id, k.about, k.connection, k.clinic, k.created_at, k.destroyed_at, h.at AS held FROM seal_keys k \
    JOIN seal_about a ON a.key_id = k.key_id LEFT JOIN holds h ON h.pseudonym = k.about \
    WHERE a.pseudonym = ?1 AND k.about = ?1 AND k.purpose = 'operations'";

const CONNECTIONS: &str = "SELECT DISTINCT connection FROM seal_keys";

const BY_OWNER: &str =
    "SELECT about FROM seal_keys WHERE owner_hash = ?1 AND purpose = 'operations' AND length(about) = 16 AND wrapped IS NOT NULL";

const BY_IDENTITY: &str =
    "SELECT k.about FROM identities i JOIN seal_keys k ON k.key_id = i.key_id WHERE i.identity = ?1 ORDER BY k.key_id";

const IDENTITIES: &str = "SELECT kind FROM identities WHERE key_id = ?1 ORDER BY kind";

const LINKED: &str = "SELECT DISTINCT k.about, o.kind FROM identities i JOIN identities o ON o.identity = i.identity AND o.key_id <> i.key_id \
    JOIN seal_keys k ON k.key_id = o.key_id WHERE i.key_id = ?1 ORDER BY o.kind, k.key_id";

/// The keys that are about somebody and were not destroyed.
const KEYS: &str =
    "SELECT k.key_id FROM seal_about a JOIN seal_keys k ON k.key_id = a.key_id WHERE a.pseudonym = ?1 AND k.wrapped IS NOT NULL";

const JOBS: &str = "SELECT job_id FROM jobs WHERE key_id IN (SELECT value FROM json_each(?1)) \
    UNION SELECT job_id FROM job_history WHERE key_id IN (SELECT value FROM json_each(?1)) \
    UNION SELECT job_id FROM job_about WHERE key_id IN (SELECT value FROM json_each(?1))";

const EVENTS: &str = "SELECT e.event_id FROM key_parts p JOIN events e ON e.seq = p.part_id / 256 \
    WHERE p.key_id IN (SELECT value FROM json_each(?1)) ORDER BY e.seq";

/// What has the data of others too is handed out to nobody.
const STATE: &str = "SELECT slot, key_id, sealed FROM state WHERE key_id IN (SELECT key_id FROM seal_about WHERE pseudonym = ?1) \
    AND key_id IN (SELECT key_id FROM seal_keys WHERE about = ?1) AND NOT EXISTS (SELECT 1 FROM state_about b \
    JOIN seal_keys k ON k.key_id = b.key_id WHERE b.slot = state.slot AND k.about IS NOT ?1) ORDER BY slot";

const PUT_HOLD: &str = "INSERT INTO holds (pseudonym, key_id, at, actor, sealed) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT (pseudonym) DO UPDATE SET at = excluded.at, actor = excluded.actor, key_id = excluded.key_id, sealed = excluded.sealed";

/// The people who are meant, those that a CPF, a phone or an e-mail address names in several connections too.
pub(crate) async fn find(reader: Reader, indexer: Indexer, who: Who) -> Result<Vec<SubjectView>, Error> {
    let mut conn = reader.conn().await?;
    let doing = "look for a person";
    let found: Vec<SqliteRow> = match who {
        Who::Pseudonym(pseudonym) => {
            return Ok(subject(&mut conn, pseudonym).await?.into_iter().collect());
        }
        Who::Identity(hash) => {
            sqlx::query(BY_IDENTITY).bind(hash.0.to_vec()).fetch_all(&mut *conn).await.map_err(Error::database(doing))?
        }
        Who::Id { connection, id } => {
            let all = sqlx::query_scalar(CONNECTIONS).fetch_all(&mut *conn).await.map_err(Error::database(doing))?;
            let connections: Vec<String> = connection.map_or(all, |one| vec![one]);
            let mut rows = Vec::new();
            for connection in connections {
                let hash = indexer.subject(&connection, &id);
                let query = sqlx::query(BY_OWNER).bind(hash.0.to_vec());
                rows.extend(query.fetch_all(&mut *conn).await.map_err(Error::database(doing))?);
            }
            rows
        }
    };
    let mut views: Vec<SubjectView> = Vec::new();
    for pseudonym in pseudonyms(&found)? {
        if !views.iter().any(|view| view.pseudonym == pseudonym) {
            views.extend(subject(&mut conn, pseudonym).await?);
        }
    }
    Ok(views)
}

fn pseudonyms(rows: &[SqliteRow]) -> Result<Vec<Pseudonym>, Error> {
    let all = rows.iter().map(|row| Columns::new(row, "seal_keys", "about").pseudonyms("about"));
    Ok(all.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Somebody, whether they were erased or not.
pub(crate) async fn subject(conn: &mut SqliteConnection, pseudonym: Pseudonym) -> Result<Option<SubjectView>, Error> {
    let doing = "read about a person";
    let query = sqlx::query(SUBJECT).bind(pseudonym.bytes().to_vec());
    let Some(row) = query.fetch_optional(&mut *conn).await.map_err(Error::database(doing))? else { return Ok(None) };
    let row = Columns::new(&row, "seal_keys", "key_id");
    let key: i64 = row.get("key_id")?;
    let kinds = sqlx::query(IDENTITIES).bind(key).fetch_all(&mut *conn).await.map_err(Error::database(doing))?;
    let kinds = kinds.iter().map(|row| Columns::new(row, "identities", "kind").word("kind", parse_kind));
    let linked = sqlx::query(LINKED).bind(key).fetch_all(&mut *conn).await.map_err(Error::database(doing))?;
    let mut links = Vec::new();
    for row in linked.iter().map(|row| Columns::new(row, "identities", "about")) {
        let by = row.word("kind", parse_kind)?;
        links.extend(row.pseudonyms("about")?.into_iter().map(|pseudonym| Link { pseudonym, by }));
    }
    Ok(Some(SubjectView {
        pseudonym,
        connection: row.get("connection")?,
        clinic: row.get("clinic")?,
        since: row.time("created_at")?,
        erased: row.opt_time("destroyed_at")?,
        held: row.opt_time("held")?,
        identities: kinds.collect::<Result<_, _>>()?,
        linked: links,
    }))
}

fn parse_kind(word: &str) -> Option<IdentityKind> {
    IdentityKind::ALL.into_iter().find(|kind| kind.as_str() == word)
}

/// The keys that are about somebody, those too that are about others with them.
pub(crate) async fn keys_of(conn: &mut SqliteConnection, pseudonym: Pseudonym) -> Result<Vec<i64>, Error> {
    let query = sqlx::query_scalar(KEYS).bind(pseudonym.bytes().to_vec());
    query.fetch_all(conn).await.map_err(Error::database("read the keys of a person"))
}

/// The jobs that have something of what stands under `keys`.
pub(crate) async fn jobs_of(conn: &mut SqliteConnection, keys: &[i64]) -> Result<BTreeSet<JobId>, Error> {
    let query = sqlx::query(JOBS).bind(integers(keys.iter().copied()));
    let rows = query.fetch_all(conn).await.map_err(Error::database("read the jobs of a person"))?;
    rows.iter().map(|row| Columns::new(row, "jobs", "job_id").job_id("job_id")).collect()
}

/// All that is held of somebody.
pub(crate) async fn export(reader: Reader, pseudonym: Pseudonym) -> Result<Option<SubjectExport>, Error> {
    let mut conn = reader.conn().await?;
    let Some(subject) = subject(&mut conn, pseudonym).await? else { return Ok(None) };
    let keys = keys_of(&mut conn, pseudonym).await?;
    let ids = sqlx::query(EVENTS).bind(integers(keys.iter().copied())).fetch_all(&mut *conn).await;
    let ids = ids.map_err(Error::database("read the events of a person"))?;
    let ids: BTreeSet<_> = ids.iter().map(|row| Columns::new(row, "events", "event_id").event_id("event_id")).collect::<Result<_, _>>()?;
    let jobs = jobs_of(&mut conn, &keys).await?;
    let state = state(&mut conn, &reader, pseudonym).await?;
    let consents = consents::of_keys(&mut conn, &keys).await?;
    let audit = audit::about(&mut conn, pseudonym).await?;
    drop(conn);
    let mut of_events = Vec::with_capacity(ids.len());
    for id in ids {
        of_events.extend(events::of(reader.clone(), id, &keys).await?);
    }
    let mut of_jobs = Vec::with_capacity(jobs.len());
    for id in jobs {
        let Some(job) = lists::job(reader.clone(), id).await? else { continue };
        // What a job says that has the data of others too is not handed out to one of them.
        let own = job.about.as_slice() == [pseudonym];
        let (journal, attempts) = match own {
            true => (lists::journal(reader.clone(), id).await?, lists::attempts(reader.clone(), id).await?),
            false => (Vec::new(), Vec::new()),
        };
        let job = JobView { summary: job.summary.filter(|_| own), ..job };
        of_jobs.push(JobExport { job, journal, attempts });
    }
    let list = integers(keys.iter().copied());
    Ok(Some(SubjectExport {
        subject,
        events: of_events,
        records: lists::records_of(reader.clone(), list.clone()).await?,
        messages: lists::messages_of(reader.clone(), list.clone(), pseudonym).await?,
        documents: lists::documents_of(reader.clone(), list, pseudonym).await?,
        jobs: of_jobs,
        state,
        consents,
        audit,
    }))
}

async fn state(conn: &mut SqliteConnection, reader: &Reader, pseudonym: Pseudonym) -> Result<Vec<String>, Error> {
    let query = sqlx::query(STATE).bind(pseudonym.bytes().to_vec());
    let rows = query.fetch_all(&mut *conn).await.map_err(Error::database("read the state of a person"))?;
    let rows: Vec<_> = rows.iter().map(|row| Columns::new(row, "state", "slot")).collect();
    let ids = rows.iter().map(|row| row.get("key_id")).collect::<Result<Vec<i64>, _>>()?;
    let keys = Keys::load(conn, &reader.ring, ids).await?;
    let text = |row: &Columns<'_>| {
        let plain = keys.open(row.get("key_id")?, super::effects::state_at(&row.hash("slot")?), row.get("sealed")?)?;
        String::from_utf8(plain.to_vec()).map_err(|_| row.damaged("sealed", "it is not text".into()))
    };
    rows.iter().map(text).collect()
}

/// Puts a person's data on hold, or lets them go. Whether they are known, and were not erased.
pub(crate) struct Hold {
    pub subject: Pseudonym,
    /// Why; nothing lets them go.
    pub reason: Option<String>,
    pub actor: Actor,
    pub now: Timestamp,
}

#[async_trait]
impl Write for Hold {
    type Answer = bool;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<bool, Error> {
        let doing = "put a person's data on hold";
        let Some(known) = subject(conn, self.subject).await?.filter(|known| known.erased.is_none()) else { return Ok(false) };
        let id = self.subject.bytes();
        match &self.reason {
            Some(reason) => {
                let keys = keys_of(conn, self.subject).await?;
                let Some(key) = keys.first().copied() else { return Ok(false) };
                let key = Keys::load(conn, desk.sealer.ring(), vec![key]).await?.get(key)?.clone();
                let sealed = desk.sealer.ring().seal(&key, Place { table: "holds", column: "sealed", row: id }, &[reason.as_bytes()]);
                let query = sqlx::query(PUT_HOLD).bind(id.to_vec()).bind(key.id()).bind(ms(self.now)).bind(self.actor.as_str().to_owned());
                query.bind(sealed).execute(&mut *conn).await.map_err(Error::database(doing))?;
            }
            None => {
                let query = sqlx::query("DELETE FROM holds WHERE pseudonym = ?1").bind(id.to_vec());
                query.execute(&mut *conn).await.map_err(Error::database(doing))?;
            }
        }
        let detail = BTreeMap::from([("held", self.reason.is_some())]);
        let entry = AuditEntry {
            connection: Some(known.connection),
            clinic: known.clinic,
            about: vec![self.subject],
            ..AuditEntry::new(self.now, AuditKind::Held, self.actor.clone(), &detail)
        };
        audit::append(conn, desk, vec![entry]).await?;
        Ok(true)
    }
}
