//! Consents: the last word of a person on a topic, and what a withdrawal ends.

use std::collections::{BTreeSet, HashSet};

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use zelo_core::job::Reason;
use zelo_core::{Actor, Arrival, AuditEntry, AuditKind, EventId, Job, JobId, JobState, KeyHash, Pseudonym};

use super::bulk::{Rows, bytes, fetch_in, in_list, integers, packed};
use super::column::{Columns, ms};
use super::jobs::{Kept, job_columns, live_job};
use super::reader::Reader;
use super::subjects::{self, keys_of};
use super::writer::{Desk, Write};
use super::{audit, steps};
use crate::{ConsentView, ConsentWrite, Error};

/// What a job is told that its person withdrew.
pub const WITHDRAWN: &str = "consent_withdrawn";

const PUT: Rows = Rows {
    doing: "store consents",
    head: "INSERT OR FAIL INTO consents (who, topic, key_id, connection, clinic, given, at, event_id) SELECT * FROM (VALUES",
    columns: 8,
    // Of one moment, a withdrawal is the last word.
    tail: ") WHERE column1 IS NOT NULL ON CONFLICT (who, topic) DO UPDATE SET key_id = excluded.key_id, given = excluded.given, \
           at = excluded.at, event_id = excluded.event_id WHERE excluded.at > consents.at OR (excluded.at = consents.at AND excluded.given = 0)",
};

const OF_KEYS: &str =
    "SELECT topic, given, at, event_id FROM consents WHERE key_id IN (SELECT value FROM json_each(?1)) ORDER BY topic, at";

const ABOUT_JOB: &str = "SELECT k.about FROM jobs j JOIN seal_keys k ON k.key_id = j.key_id WHERE j.job_id = ?1 \
    UNION ALL SELECT k.about FROM job_about b JOIN seal_keys k ON k.key_id = b.key_id WHERE b.job_id = ?1 AND b.shown = 0";

/// The last words on a topic of some people, under all that they are known by.
const WORDS: &str = concat!(
    in_list!(
        "SELECT topic, given, at, event_id FROM consents WHERE topic = ?2 AND who IN (SELECT k.owner_hash FROM seal_about a \
         JOIN seal_keys k ON k.key_id = a.key_id AND k.about = a.pseudonym WHERE a.pseudonym",
        "?1",
        ""
    ),
    // What somebody else who has the same phone gave was not given for this person; what they withdrew, for the phone.
    in_list!(
        " UNION SELECT i.identity FROM seal_about a JOIN identities i ON i.key_id = a.key_id WHERE consents.given = 0 AND a.pseudonym",
        "?1",
        ")"
    )
);

const KNOWN_BY: &str = in_list!("SELECT DISTINCT key_id FROM identities WHERE identity", "");

const OF_KEY: &str = "SELECT identity FROM identities WHERE key_id = ?1";

/// All live jobs that are about any of some people, by any of their keys.
const PENDING: &str = concat!(
    "SELECT ",
    job_columns!(),
    ", lease_expires, again, in_flight FROM jobs WHERE key_id IN (SELECT o.key_id FROM seal_keys k JOIN seal_about o ON o.pseudonym = k.about \
     WHERE k.key_id IN (SELECT value FROM json_each(?1))) OR job_id IN (SELECT b.job_id FROM seal_keys k \
     JOIN seal_about o ON o.pseudonym = k.about JOIN job_about b ON b.key_id = o.key_id AND b.shown = 0 \
     WHERE k.key_id IN (SELECT value FROM json_each(?1))) ORDER BY seq"
);

/// A word on a consent, for everything that the person is known by.
struct Word<'a> {
    who: KeyHash,
    topic: &'a str,
    key_id: i64,
    connection: &'a str,
    clinic: Option<&'a str>,
    given: bool,
    at: Timestamp,
    event: Option<EventId>,
}

/// Stores what `arrivals` say about consents, each with the key of its main person; the jobs that a withdrawal ended, with the arrival.
pub(crate) async fn hear(
    conn: &mut SqliteConnection,
    desk: &mut Desk,
    arrivals: Vec<(&Arrival, i64, Vec<Pseudonym>)>,
) -> Result<Vec<(EventId, Job)>, Error> {
    let mut ended = Vec::new();
    for (arrival, key_id, about) in arrivals {
        let (event, Some(person)) = (&arrival.event, arrival.people.first()) else { continue };
        let who: Vec<KeyHash> = [person.hash].into_iter().chain(person.identities.iter().map(|identity| identity.hash)).collect();
        for consent in &arrival.consents {
            let word = |who: &KeyHash| Word {
                who: *who,
                topic: &consent.topic,
                key_id,
                connection: &event.connection,
                clinic: event.clinic.as_deref(),
                given: consent.given,
                at: event.order(),
                event: Some(event.id),
            };
            let last = put(conn, who.iter().map(word).collect()).await?;
            let cancelled = if consent.given || !last {
                Vec::new()
            } else {
                cancel(conn, desk, &who, key_id, &consent.actions, event.received).await?
            };
            let entry = entry(event.received, Actor::engine(), &consent.topic, consent.given, Some(event.id), cancelled.len());
            let entry =
                AuditEntry { connection: Some(event.connection.clone()), clinic: event.clinic.clone(), about: about.clone(), ..entry };
            audit::append(conn, desk, vec![entry]).await?;
            ended.extend(cancelled.into_iter().map(|job| (event.id, job)));
        }
    }
    Ok(ended)
}

fn entry(at: Timestamp, actor: Actor, topic: &str, given: bool, event: Option<EventId>, cancelled: usize) -> AuditEntry {
    let detail = serde_json::json!({ "topic": topic, "given": given, "event": event, "cancelled": cancelled });
    AuditEntry::new(at, AuditKind::Consent, actor, &detail)
}

/// Writes words; whether any of them is the last one.
async fn put(conn: &mut SqliteConnection, words: Vec<Word<'_>>) -> Result<bool, Error> {
    let touched = PUT.run(conn, words, |query, word| {
        query
            .bind(word.who.0.to_vec())
            .bind(word.topic)
            .bind(word.key_id)
            .bind(word.connection)
            .bind(word.clinic)
            .bind(word.given)
            .bind(ms(word.at))
            .bind(word.event.map(|event| event.bytes().to_vec()))
    });
    Ok(touched.await? > 0)
}

/// Ends the pending jobs of `actions` that are about whoever is known by any of `who`; one that runs is asked to stop.
async fn cancel(
    conn: &mut SqliteConnection,
    desk: &mut Desk,
    who: &[KeyHash],
    key_id: i64,
    actions: &[(String, String)],
    now: Timestamp,
) -> Result<Vec<Job>, Error> {
    let known = fetch_in(conn, "look for who withdrew a consent", KNOWN_BY, bytes(who)).await?;
    let mut keys: BTreeSet<i64> =
        known.iter().map(|row| Columns::new(row, "identities", "key_id").get("key_id")).collect::<Result<_, _>>()?;
    keys.insert(key_id);
    let rows = sqlx::query(PENDING).bind(integers(keys)).fetch_all(&mut *conn).await.map_err(Error::database("look for pending jobs"))?;
    let pending = rows.iter().map(live_job).collect::<Result<Vec<(Kept, Job)>, _>>()?;
    let asks: HashSet<(&str, &str)> = actions.iter().map(|(rule, action)| (rule.as_str(), action.as_str())).collect();
    let reason = Reason::new(WITHDRAWN, "the person withdrew the consent that it needs");
    let mut changes = Vec::new();
    for (kept, mut job) in pending.into_iter().filter(|(_, job)| asks.contains(&(job.rule.as_str(), job.action.as_str()))) {
        if job.state == JobState::Running {
            job.cancel.get_or_insert_with(|| reason.clone());
        } else {
            job.attention = None;
            job.end(JobState::Cancelled, reason.clone());
        }
        changes.push((kept, job, desk.latest.max(now)));
    }
    let others = steps::write_back(conn, &changes).await?;
    Ok(changes.into_iter().map(|(_, job, _)| job).chain(others).collect())
}

/// What somebody wrote down. How many jobs it ended; nothing where the person is not known, or was erased.
pub(crate) struct Note {
    pub write: ConsentWrite,
    pub now: Timestamp,
}

#[async_trait]
impl Write for Note {
    type Answer = Option<usize>;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Option<usize>, Error> {
        desk.saw(self.now);
        let ConsentWrite { subject, topic, given, actions, actor } = &self.write;
        let Some(known) = subjects::subject(conn, *subject).await?.filter(|known| known.erased.is_none()) else { return Ok(None) };
        let mut who: Vec<KeyHash> = Vec::new();
        let mut own = None;
        for key in keys_of(conn, *subject).await? {
            let doing = "read what a person is known by";
            let row = sqlx::query("SELECT owner_hash, about FROM seal_keys WHERE key_id = ?1 AND purpose = 'operations'").bind(key);
            let Some(row) = row.fetch_optional(&mut *conn).await.map_err(Error::database(doing))? else { continue };
            let row = Columns::new(&row, "seal_keys", "owner_hash");
            if row.pseudonyms("about")?.as_slice() == [*subject] {
                who.push(row.hash("owner_hash")?);
                own = Some(key);
            }
            let rows = sqlx::query(OF_KEY).bind(key).fetch_all(&mut *conn).await.map_err(Error::database(doing))?;
            who.extend(rows.iter().map(|row| Columns::new(row, "identities", "identity").hash("identity")).collect::<Result<Vec<_>, _>>()?);
        }
        let Some(key_id) = own else { return Ok(None) };
        let word = |who: &KeyHash| Word {
            who: *who,
            topic,
            key_id,
            connection: &known.connection,
            clinic: known.clinic.as_deref(),
            given: *given,
            at: self.now,
            event: None,
        };
        put(conn, who.iter().map(word).collect()).await?;
        let cancelled = if *given { Vec::new() } else { cancel(conn, desk, &who, key_id, actions, self.now).await? };
        let entry = AuditEntry {
            connection: Some(known.connection.clone()),
            clinic: known.clinic.clone(),
            about: vec![*subject],
            ..entry(self.now, actor.clone(), topic, *given, None, cancelled.len())
        };
        audit::append(conn, desk, vec![entry]).await?;
        Ok(Some(cancelled.len()))
    }
}

/// What the people of a live job last said about a topic: a withdrawal by anything they are known by counts before what they gave.
pub(crate) async fn of_job(reader: Reader, job: JobId, topic: String) -> Result<Option<ConsentView>, Error> {
    let mut conn = reader.conn().await?;
    let doing = "look for a consent";
    let about = sqlx::query(ABOUT_JOB).bind(job.bytes().to_vec()).fetch_all(&mut *conn).await.map_err(Error::database(doing))?;
    let people = about.iter().map(|row| Columns::new(row, "seal_keys", "about").pseudonyms("about"));
    let people: Vec<Pseudonym> = people.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let query = sqlx::query(WORDS).bind(packed(people.iter().map(|one| *one.bytes()).collect())).bind(topic);
    let rows = query.fetch_all(&mut *conn).await.map_err(Error::database(doing))?;
    let words = rows.iter().map(view).collect::<Result<Vec<_>, _>>()?;
    Ok(words.into_iter().min_by_key(|word| (word.given, std::cmp::Reverse(word.at))))
}

/// The consents that stand under `keys`; the same word for all that one is known by is told once.
pub(crate) async fn of_keys(conn: &mut SqliteConnection, keys: &[i64]) -> Result<Vec<ConsentView>, Error> {
    let query = sqlx::query(OF_KEYS).bind(integers(keys.iter().copied()));
    let rows = query.fetch_all(conn).await.map_err(Error::database("read the consents of a person"))?;
    let mut views = rows.iter().map(view).collect::<Result<Vec<_>, _>>()?;
    views.dedup();
    Ok(views)
}

fn view(row: &sqlx::sqlite::SqliteRow) -> Result<ConsentView, Error> {
    let row = Columns::new(row, "consents", "topic");
    let event = row.get::<Option<&[u8]>>("event_id")?.is_some().then(|| row.event_id("event_id")).transpose()?;
    Ok(ConsentView { topic: row.get("topic")?, given: row.get("given")?, at: row.time("at")?, event })
}
