//! Data keys in SQLite: found, made, and held back until their rows are on disk.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use zeroize::Zeroizing;

use zelo_core::{KeyHash, KeyMap, Pseudonym};

use super::bulk::{Rows, bytes, in_list, integers};
use super::column::{Columns, ms};
use super::trip::{Pipeline, Trip};
use crate::Error;
use crate::seal::{DUTY, DataKey, Keyring, Owner, OwnerKind, PURPOSE, Place};

const BY_OWNER: &str = in_list!("SELECT key_id, owner_hash, about, wrapped FROM seal_keys WHERE owner_hash", " AND purpose = 'operations'");

const BY_ID: &str = "SELECT key_id, owner_hash, about, wrapped FROM seal_keys WHERE key_id IN (SELECT value FROM json_each(?1))";

const INSERT: Rows = Rows {
    doing: "store data keys",
    head: "INSERT OR FAIL INTO seal_keys (key_id, connection, clinic, owner_kind, owner_hash, about, purpose, wrapped, created_at) SELECT * FROM (VALUES",
    columns: 9,
    tail: ") WHERE column1 IS NOT NULL",
};

const INSERT_DUTY: &str = "INSERT INTO seal_keys (key_id, connection, clinic, owner_kind, owner_hash, about, purpose, wrapped, created_at) \
    VALUES (?1, ?2, ?3, 'subject', ?4, ?5, ?6, ?7, ?8)";

const INSERT_ABOUT: Rows = Rows {
    doing: "store whom data keys are about",
    head: "INSERT OR FAIL INTO seal_about (pseudonym, key_id) SELECT * FROM (VALUES",
    columns: 2,
    tail: ") WHERE column1 IS NOT NULL",
};

/// The keys that a piece of work needs, by row.
#[derive(Default)]
pub(crate) struct Keys(HashMap<i64, Arc<DataKey>>);

impl Keys {
    /// The keys of the rows `ids`.
    pub(crate) async fn load(conn: &mut SqliteConnection, ring: &Keyring, ids: Vec<i64>) -> Result<Self, Error> {
        let mut keys = Self::default();
        let mut missing = Vec::new();
        for id in ids {
            if keys.0.contains_key(&id) || missing.contains(&id) {
                continue;
            }
            match ring.of_id(id) {
                Some(key) => drop(keys.0.insert(id, key)),
                None => missing.push(id),
            }
        }
        if !missing.is_empty() {
            let rows = sqlx::query(BY_ID).bind(integers(missing)).fetch_all(conn).await.map_err(Error::database("read data keys"))?;
            for row in &rows {
                if let Some((owner, key)) = unwrap(ring, &Columns::new(row, "seal_keys", "key_id"))? {
                    ring.keep(owner, &key);
                    keys.0.insert(key.id(), key);
                }
            }
        }
        Ok(keys)
    }

    /// The key of the row `id`.
    pub(crate) fn get(&self, id: i64) -> Result<&Arc<DataKey>, Error> {
        self.0.get(&id).ok_or_else(|| Error::Inconsistent {
            table: "seal_keys",
            column: "wrapped",
            row: id.to_string(),
            why: "there is no such key, or it was destroyed".into(),
        })
    }

    /// The people whose data the key of the row `id` seals; nobody where it was destroyed.
    pub(crate) fn about(&self, id: i64) -> Vec<Pseudonym> {
        self.0.get(&id).map_or_else(Vec::new, |key| key.about().to_vec())
    }

    /// Opens what stands sealed at `place`.
    pub(crate) fn open(&self, id: i64, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.get(id)?.open(place, sealed).map_err(|_| unopened(place))
    }
}

/// Whose a key for what must stay is.
pub(crate) struct Owned<'a> {
    pub pseudonym: Pseudonym,
    pub connection: &'a str,
    pub clinic: Option<&'a str>,
}

/// A new key, whose it is and the hash of that, its wrapped form, and when it was made.
type Made = (Arc<DataKey>, Owner, KeyHash, Vec<u8>, Timestamp);

/// The writer's keys: it alone makes new ones.
pub(crate) struct Sealer {
    ring: Arc<Keyring>,
    next_id: i64,
    /// Made in the present transaction. At hand for all only when it has committed.
    fresh: HashMap<KeyHash, Arc<DataKey>>,
}

impl Sealer {
    /// Makes keys from row `next_id` on.
    pub(crate) fn new(ring: Arc<Keyring>, next_id: i64) -> Self {
        Self { ring, next_id, fresh: HashMap::new() }
    }

    pub(crate) fn ring(&self) -> &Keyring {
        &self.ring
    }

    /// Makes sure that all `owners` have keys, and returns them by [`Keyring::owner_hash`]; so have those who own something together.
    pub(crate) async fn owners_now(
        &mut self,
        conn: &mut SqliteConnection,
        owners: HashMap<KeyHash, (Owner, Timestamp)>,
    ) -> Result<KeyMap<Arc<DataKey>>, Error> {
        let mut pipe = Pipeline::new(conn);
        let keys = self.owners(&mut pipe, owners).await?;
        pipe.now().await?;
        Ok(keys)
    }

    /// The same; those that are new are written later.
    pub(crate) async fn owners(
        &mut self,
        pipe: &mut Pipeline<'_>,
        mut owners: HashMap<KeyHash, (Owner, Timestamp)>,
    ) -> Result<KeyMap<Arc<DataKey>>, Error> {
        let members: Vec<(Owner, Timestamp)> =
            owners.values().flat_map(|(owner, at)| owner.members().into_iter().map(|member| (member, *at))).collect();
        for (member, at) in members {
            owners.entry(self.ring.owner_hash(&member)).or_insert((member, at));
        }
        let mut keys = KeyMap::with_capacity_and_hasher(owners.len(), Default::default());
        let mut missing: HashMap<KeyHash, (Owner, Timestamp)> = HashMap::new();
        for (hash, owner) in owners {
            match self.fresh.get(&hash).cloned().or_else(|| self.ring.of_owner(hash)) {
                Some(key) => drop(keys.insert(hash, key)),
                None => drop(missing.insert(hash, owner)),
            }
        }
        for row in &pipe.fetch_in("read data keys", BY_OWNER, bytes(missing.keys())).await? {
            if let Some((hash, key)) = unwrap(&self.ring, &Columns::new(row, "seal_keys", "key_id"))? {
                self.ring.keep(hash, &key);
                missing.remove(&hash);
                keys.insert(hash, key);
            }
        }
        // Those who own something together come after its members, whose names it bears.
        let mut missing: Vec<_> = missing.into_iter().collect();
        missing.sort_unstable_by_key(|(hash, (owner, _))| (matches!(owner.kind, OwnerKind::Together(_)), *hash));
        let mut made = Vec::with_capacity(missing.len());
        for (hash, (owner, created)) in missing {
            let about = match &owner.kind {
                OwnerKind::Subject(_) => vec![self.ring.pseudonym()],
                OwnerKind::Together(people) => {
                    people.iter().filter_map(|person| keys.get(person)).flat_map(|key| key.about().to_vec()).collect()
                }
                OwnerKind::Clinic | OwnerKind::Connection => Vec::new(),
            };
            let (key, wrapped) = self.ring.make(self.next_id, &about);
            self.next_id += 1;
            made.push((key.clone(), owner, hash, wrapped, created));
            self.fresh.insert(hash, key.clone());
            keys.insert(hash, key);
        }
        store(pipe.later(), made);
        Ok(keys)
    }

    /// A new key for what must stay of the person, for as long as a law says so. It is nobody's but theirs: no new data comes under it.
    pub(crate) async fn duty(&mut self, conn: &mut SqliteConnection, of: &Owned<'_>, now: Timestamp) -> Result<Arc<DataKey>, Error> {
        let (key, wrapped) = self.ring.make(self.next_id, &[of.pseudonym]);
        self.next_id += 1;
        let mut nobody = [0; 16];
        self.ring.fill(&mut nobody);
        sqlx::query(INSERT_DUTY)
            .bind(key.id())
            .bind(of.connection)
            .bind(of.clinic)
            .bind(nobody.to_vec())
            .bind(packed_about(key.about()))
            .bind(DUTY)
            .bind(wrapped)
            .bind(ms(now))
            .execute(&mut *conn)
            .await
            .map_err(Error::database("make a key for what must stay"))?;
        let row = vec![(of.pseudonym, key.id())];
        INSERT_ABOUT.run(conn, row, |query, (pseudonym, key)| query.bind(pseudonym.bytes().to_vec()).bind(key)).await?;
        Ok(key)
    }

    /// The transaction is on disk: its keys may be used by all.
    pub(crate) fn committed(&mut self) {
        for (owner, key) in self.fresh.drain() {
            self.ring.keep(owner, &key);
        }
    }

    /// The transaction was taken back: its keys never were.
    pub(crate) fn rolled_back(&mut self) {
        self.fresh.clear();
    }
}

fn store(trip: &mut Trip, made: Vec<Made>) {
    let about = made.iter().flat_map(|(key, ..)| key.about().iter().map(|one| (*one, key.id())).collect::<Vec<_>>());
    let about: Vec<(Pseudonym, i64)> = about.collect();
    trip.add_all("seal_keys", &INSERT, made, |query, (key, owner, hash, wrapped, created)| {
        let kind = owner.kind_str();
        query
            .bind(key.id())
            .bind(owner.connection)
            .bind(owner.clinic)
            .bind(kind)
            .bind(hash.0.to_vec())
            .bind(packed_about(key.about()))
            .bind(PURPOSE)
            .bind(wrapped)
            .bind(ms(created))
    });
    trip.add_all("seal_about", &INSERT_ABOUT, about, |query, (pseudonym, key)| query.bind(pseudonym.bytes().to_vec()).bind(key));
}

/// Owner and key of a row; none if it was destroyed.
fn unwrap(ring: &Keyring, row: &Columns<'_>) -> Result<Option<(KeyHash, Arc<DataKey>)>, Error> {
    let id: i64 = row.get("key_id")?;
    let Some(wrapped) = row.get::<Option<&[u8]>>("wrapped")? else { return Ok(None) };
    let key = ring.unwrap(id, &row.pseudonyms("about")?, wrapped).map_err(|_| Error::Sealed { what: format!("data key {id}") })?;
    Ok(Some((row.hash("owner_hash")?, key)))
}

/// Pseudonyms as a column holds them; null where there are none.
pub(crate) fn packed_about(about: &[Pseudonym]) -> Option<Vec<u8>> {
    (!about.is_empty()).then(|| about.iter().flat_map(|one| *one.bytes()).collect())
}

/// The error of a sealed value that does not open.
pub(crate) fn unopened(place: Place<'_>) -> Error {
    Error::Sealed { what: format!("{}.{} of row {}", place.table, place.column, data_encoding::HEXLOWER.encode(place.row)) }
}
