//! The audit log: entries are chained and written in the transaction of what they tell, heads are signed and kept for who exports
//! them.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::audit::verify::{Verified, Verifier};
use zelo_core::audit::{Head, Link};
use zelo_core::{Actor, AuditEntry, AuditKind, Pseudonym};

use super::bulk::{Rows, integers};
use super::column::{Columns, clinics, ms, of_clinics};
use super::interned::Interned;
use super::keys::packed_about;
use super::reader::Reader;
use super::trip::Trip;
use super::writer::{Desk, Write};
use crate::seal::is_signed;
use crate::{AuditPage, AuditView, Error};

const INSERT: Rows = Rows {
    doing: "write the audit log",
    head: "INSERT OR FAIL INTO audit_log (seq, at, kind, connection, clinic, about, actor, job_id, detail, hash) SELECT * FROM (VALUES",
    columns: 10,
    tail: ") WHERE column1 IS NOT NULL",
};

const INSERT_SEVERAL: Rows = Rows {
    doing: "say whom an entry of the audit log is about",
    head: "INSERT OR IGNORE INTO audit_several (pseudonym, seq) SELECT * FROM (VALUES",
    columns: 2,
    tail: ") WHERE column1 IS NOT NULL",
};

macro_rules! select {
    () => {
        "SELECT seq, at, kind, connection, clinic, about, actor, job_id, detail, hash FROM audit_log "
    };
}

const LAST: &str = concat!(select!(), "ORDER BY seq DESC LIMIT 1");

const PAGE: &str = concat!(
    select!(),
    "WHERE seq < ?1 AND (?2 IS NULL OR connection = ?2) AND (?3 IS NULL OR clinic = ?3) AND (?5 IS NULL OR kind = ?5) \
     AND (?7 IS NULL OR actor = ?7) AND (?8 IS NULL OR at >= ?8) AND (?9 IS NULL OR at < ?9) AND ",
    of_clinics!(),
    " ORDER BY seq DESC LIMIT ?4"
);

const ABOUT: &str = concat!(
    select!(),
    "WHERE (about = ?1 OR seq IN (SELECT seq FROM audit_several WHERE pseudonym = ?1)) AND seq > ?2 ORDER BY seq LIMIT ?3"
);

const IN_ORDER: &str = concat!(select!(), "WHERE seq > ?1 ORDER BY seq LIMIT ?2");

const HEADS: &str = "SELECT seq, at, hash, key, signature FROM audit_heads ORDER BY seq";

const UNEXPORTED: &str = "SELECT seq, at, hash, key, signature FROM audit_heads WHERE exported = 0 ORDER BY seq LIMIT ?1";

const LAST_HEAD: &str = "SELECT seq, at, hash, key, signature FROM audit_heads ORDER BY seq DESC LIMIT 1";

const HEAD_BEFORE: &str =
    "SELECT seq, at, hash, key, signature FROM audit_heads WHERE seq < ?1 AND (exported = 1 OR NOT ?2) ORDER BY seq DESC LIMIT 1";

const PUT_HEAD: &str = "INSERT INTO audit_heads (seq, at, hash, key, signature) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (seq) DO NOTHING";

const EXPORTED: &str = "UPDATE audit_heads SET exported = 1 WHERE seq IN (SELECT value FROM json_each(?1))";

const BASE: &str = "SELECT value FROM meta WHERE name = 'audit_base'";

const PRUNED: &str = "SELECT count(*) FROM audit_log WHERE kind = 'pruned' AND detail ->> '$.up_to' = ?1";

const PUT_BASE: &str = "INSERT INTO meta (name, value) VALUES ('audit_base', ?1) ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Entries that are read at once.
const CHUNK: i64 = 2000;

/// Where the chain stands: what is on disk, and what the present transaction adds.
pub(crate) struct Chain {
    committed: Link,
    link: Link,
}

impl Chain {
    /// As the log of the database stands.
    pub(crate) async fn load(conn: &mut SqliteConnection) -> Result<Self, Error> {
        let link = match last(conn).await? {
            Some(link) => link,
            None => base(conn).await?,
        };
        Ok(Self { committed: link, link })
    }

    pub(crate) fn committed(&mut self) {
        self.committed = self.link;
    }

    pub(crate) fn rolled_back(&mut self) {
        self.link = self.committed;
    }
}

/// Adds `entries` to the log, in order.
pub(crate) async fn append(conn: &mut SqliteConnection, desk: &mut Desk, entries: Vec<AuditEntry>) -> Result<(), Error> {
    let mut trip = Trip::default();
    write(&mut trip, desk, entries);
    trip.make(conn).await
}

/// The same with what else is written later.
pub(crate) fn write(trip: &mut Trip, desk: &mut Desk, entries: Vec<AuditEntry>) {
    #[cfg(feature = "unsealed")]
    if !desk.sealer.ring().is_sealing() {
        return;
    }
    let mut several: Vec<(Pseudonym, u64)> = Vec::new();
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        let link = desk.chain.link.next(&entry);
        desk.chain.link = link;
        if entry.about.len() > 1 {
            several.extend(entry.about.iter().map(|one| (*one, link.seq)));
        }
        rows.push((entry, link));
    }
    trip.add_all("audit_log", &INSERT, rows, |query, (entry, link)| {
        query
            .bind(link.seq as i64)
            .bind(ms(entry.at))
            .bind(Interned(entry.kind.as_str()))
            .bind(entry.connection)
            .bind(entry.clinic)
            .bind(packed_about(&entry.about))
            .bind(Interned(entry.actor.as_str()))
            .bind(entry.job.map(|job| job.bytes().to_vec()))
            .bind(entry.detail)
            .bind(link.hash.to_vec())
    });
    trip.add(&INSERT_SEVERAL, several, |query, (pseudonym, seq)| query.bind(pseudonym.bytes().to_vec()).bind(seq as i64));
}

/// Adds one entry that no other write brings along.
pub(crate) struct Append(pub Vec<AuditEntry>);

#[async_trait]
impl Write for Append {
    type Answer = ();

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<(), Error> {
        append(conn, desk, self.0.clone()).await
    }
}

/// Signs the chain as it stands, unless that was done; the last head.
pub(crate) struct Sign {
    pub now: Timestamp,
}

#[async_trait]
impl Write for Sign {
    type Answer = Option<Head>;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Option<Head>, Error> {
        let doing = "sign the audit log";
        let last = sqlx::query(LAST_HEAD).fetch_optional(&mut *conn).await.map_err(Error::database(doing))?;
        let last = last.as_ref().map(head).transpose()?;
        let link = desk.chain.link;
        if link.seq == 0 || last.as_ref().is_some_and(|head| head.seq == link.seq) {
            return Ok(last);
        }
        let head = desk.signer.sign(&link, self.now);
        sqlx::query(PUT_HEAD)
            .bind(head.seq as i64)
            .bind(ms(head.at))
            .bind(head.hash.to_vec())
            .bind(head.key.to_vec())
            .bind(head.signature.to_vec())
            .execute(conn)
            .await
            .map_err(Error::database(doing))?;
        Ok(Some(head))
    }
}

/// Notes that heads were exported.
pub(crate) struct Exported(pub Vec<u64>);

#[async_trait]
impl Write for Exported {
    type Answer = ();

    async fn run(&self, conn: &mut SqliteConnection, _: &mut Desk) -> Result<(), Error> {
        let heads = integers(self.0.iter().map(|seq| *seq as i64));
        sqlx::query(EXPORTED).bind(heads).execute(conn).await.map_err(Error::database("note which heads were exported"))?;
        Ok(())
    }
}

/// Cuts off what happened before a time, up to the last head before it; the head behind which it is, if there is anything to cut.
pub(crate) struct Prune {
    pub before: Timestamp,
    /// Only behind a head that was exported: one that nobody else holds proves nothing to anybody.
    pub exported: bool,
    pub now: Timestamp,
    pub actor: Actor,
}

#[async_trait]
impl Write for Prune {
    type Answer = Option<Head>;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Option<Head>, Error> {
        let doing = "prune the audit log";
        let first: Option<i64> = sqlx::query_scalar("SELECT min(seq) FROM audit_log WHERE at >= ?1")
            .bind(ms(self.before))
            .fetch_one(&mut *conn)
            .await
            .map_err(Error::database(doing))?;
        let row = sqlx::query(HEAD_BEFORE)
            .bind(first.unwrap_or(i64::MAX))
            .bind(self.exported)
            .fetch_optional(&mut *conn)
            .await
            .map_err(Error::database(doing))?;
        let Some(head) = row.as_ref().map(head).transpose()? else { return Ok(None) };
        if head.seq <= base(conn).await?.seq {
            return Ok(None);
        }
        for sql in
            ["DELETE FROM audit_log WHERE seq <= ?1", "DELETE FROM audit_several WHERE seq <= ?1", "DELETE FROM audit_heads WHERE seq < ?1"]
        {
            sqlx::query(sql).bind(head.seq as i64).execute(&mut *conn).await.map_err(Error::database(doing))?;
        }
        let base = [head.seq.to_be_bytes().as_slice(), &head.hash].concat();
        sqlx::query(PUT_BASE).bind(base).execute(&mut *conn).await.map_err(Error::database(doing))?;
        let detail = serde_json::json!({ "up_to": head.seq, "signed": head.at });
        append(conn, desk, vec![AuditEntry::new(self.now, AuditKind::Pruned, self.actor.clone(), &detail)]).await?;
        Ok(Some(head))
    }
}

/// What everything that is still in the log is chained to.
async fn base(conn: &mut SqliteConnection) -> Result<Link, Error> {
    let doing = "read where the audit log begins";
    let stored: Option<Vec<u8>> = sqlx::query_scalar(BASE).fetch_optional(conn).await.map_err(Error::database(doing))?;
    let Some(stored) = stored else { return Ok(Link::FIRST) };
    let read = || Some(Link { seq: u64::from_be_bytes(*stored.first_chunk()?), hash: stored.get(8..)?.try_into().ok()? });
    let damaged = || Error::Inconsistent { table: "meta", column: "value", row: "audit_base".into(), why: "it is no link".into() };
    read().ok_or_else(damaged)
}

/// Holds the whole log against its chain, its heads, and `others`: heads that were kept elsewhere.
pub(crate) async fn verify(conn: &mut SqliteConnection, key: [u8; 32], others: Vec<Head>) -> Result<Verified, Error> {
    let doing = "read the audit log";
    let mut heads = heads(conn).await?;
    heads.extend(others);
    let (good, forged): (Vec<Head>, Vec<Head>) = heads.into_iter().partition(|head| head.key == key && is_signed(head));
    let base = base(conn).await?;
    // What was cut off must have been signed, and said.
    let signed = good.iter().any(|head| head.link() == base);
    let said = sqlx::query_scalar::<_, i64>(PRUNED).bind(base.seq as i64).fetch_one(&mut *conn).await.map_err(Error::database(doing))? > 0;
    let unsaid = base.seq > 0 && !(signed && said);
    let mut verifier = Verifier::new(base, good);
    if unsaid {
        verifier.missing(1, base.seq);
    }
    forged.iter().for_each(|head| verifier.forged(head.seq));
    let mut after = -1;
    loop {
        let rows = sqlx::query(IN_ORDER).bind(after).bind(CHUNK).fetch_all(&mut *conn).await.map_err(Error::database(doing))?;
        for row in &rows {
            let seq: i64 = Columns::new(row, "audit_log", "seq").get("seq")?;
            match entry(row) {
                Ok((entry, link)) => verifier.entry(entry, link),
                Err(_) => {
                    let hash = fixed(&Columns::new(row, "audit_log", "seq"), "hash").unwrap_or_default();
                    verifier.unreadable(u64::try_from(seq).unwrap_or(0), hash);
                }
            }
            after = seq;
        }
        if rows.len() < CHUNK as usize {
            return Ok(verifier.finish());
        }
    }
}

/// All signed heads, in order.
pub(crate) async fn heads(conn: &mut SqliteConnection) -> Result<Vec<Head>, Error> {
    let rows = sqlx::query(HEADS).fetch_all(conn).await.map_err(Error::database("read heads of the audit log"))?;
    rows.iter().map(head).collect()
}

/// The last entry.
pub(crate) async fn last(conn: &mut SqliteConnection) -> Result<Option<Link>, Error> {
    let row = sqlx::query(LAST).fetch_optional(conn).await.map_err(Error::database("read the end of the audit log"))?;
    Ok(row.as_ref().map(entry).transpose()?.map(|(_, link)| link))
}

/// A page of the log, newest first.
pub(crate) async fn page(reader: Reader, wanted: AuditPage) -> Result<Vec<AuditView>, Error> {
    let mut conn = reader.conn().await?;
    let AuditPage { page, kind, actor, since, until } = wanted;
    let query = sqlx::query(PAGE).bind(page.before.unwrap_or(i64::MAX)).bind(page.connection).bind(page.clinic).bind(page.limit);
    let query = query.bind(kind.map(AuditKind::as_str)).bind(clinics(&page.clinics)).bind(actor).bind(since.map(ms)).bind(until.map(ms));
    let rows = query.fetch_all(&mut *conn).await.map_err(Error::database("read the audit log"))?;
    rows.iter().map(view).collect()
}

/// All that the log says about a person, in order.
pub(crate) async fn about(conn: &mut SqliteConnection, who: Pseudonym) -> Result<Vec<AuditView>, Error> {
    let mut views: Vec<AuditView> = Vec::new();
    loop {
        let after = views.last().map_or(0, |view| view.cursor);
        let query = sqlx::query(ABOUT).bind(who.bytes().to_vec()).bind(after).bind(CHUNK);
        let rows = query.fetch_all(&mut *conn).await.map_err(Error::database("read what the audit log says about somebody"))?;
        views.extend(rows.iter().map(view).collect::<Result<Vec<_>, _>>()?);
        if rows.len() < CHUNK as usize {
            return Ok(views);
        }
    }
}

/// Heads that nobody else holds yet, in order.
pub(crate) async fn unexported(reader: Reader, limit: u32) -> Result<Vec<Head>, Error> {
    let mut conn = reader.conn().await?;
    let rows = sqlx::query(UNEXPORTED).bind(limit).fetch_all(&mut *conn).await.map_err(Error::database("read heads of the audit log"))?;
    rows.iter().map(head).collect()
}

fn view(row: &SqliteRow) -> Result<AuditView, Error> {
    let (entry, link) = entry(row)?;
    Ok(AuditView { cursor: link.seq as i64, entry, hash: link.hash })
}

fn entry(row: &SqliteRow) -> Result<(AuditEntry, Link), Error> {
    let row = Columns::new(row, "audit_log", "seq");
    let entry = AuditEntry {
        at: row.time("at")?,
        kind: row.word("kind", AuditKind::parse)?,
        connection: row.get("connection")?,
        clinic: row.get("clinic")?,
        about: row.pseudonyms("about")?,
        actor: Actor::stored(row.get("actor")?),
        job: row.opt_job_id("job_id")?,
        detail: row.get("detail")?,
    };
    Ok((entry, Link { seq: row.count("seq")?, hash: fixed(&row, "hash")? }))
}

fn head(row: &SqliteRow) -> Result<Head, Error> {
    let row = Columns::new(row, "audit_heads", "seq");
    Ok(Head {
        seq: row.count("seq")?,
        hash: fixed(&row, "hash")?,
        at: row.time("at")?,
        key: fixed(&row, "key")?,
        signature: fixed(&row, "signature")?,
    })
}

fn fixed<const N: usize>(row: &Columns<'_>, column: &'static str) -> Result<[u8; N], Error> {
    let bytes: &[u8] = row.get(column)?;
    bytes.try_into().map_err(|_| row.damaged(column, format!("{} bytes, not {N}", bytes.len())))
}
