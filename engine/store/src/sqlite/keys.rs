//! Data keys in SQLite: found, made, and held back until their rows are on disk.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;
use zeroize::Zeroizing;

use zelo_core::KeyHash;

use super::bulk::{Rows, bytes, expect_rows, fetch_in, in_list, integers};
use super::column::{Columns, ms};
use crate::Error;
use crate::seal::{DataKey, Keyring, Owner, PURPOSE, Place};

const BY_OWNER: &str = in_list!("SELECT key_id, owner_hash, purpose, wrapped FROM seal_keys WHERE owner_hash", "");

const BY_ID: &str = "SELECT key_id, owner_hash, purpose, wrapped FROM seal_keys WHERE key_id IN (SELECT value FROM json_each(?1))";

const INSERT: Rows = Rows {
    doing: "store data keys",
    head: "INSERT OR FAIL INTO seal_keys (key_id, connection, clinic, owner_kind, owner_hash, purpose, wrapped, created_at) SELECT * FROM (VALUES",
    columns: 8,
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

    /// Opens what stands sealed at `place`.
    pub(crate) fn open(&self, id: i64, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.get(id)?.open(place, sealed).map_err(|_| unopened(place))
    }
}

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

    /// Makes sure that all `owners` have keys, and returns them by [`Keyring::owner_hash`].
    pub(crate) async fn owners(
        &mut self,
        conn: &mut SqliteConnection,
        owners: HashMap<KeyHash, (Owner, Timestamp)>,
    ) -> Result<HashMap<KeyHash, Arc<DataKey>>, Error> {
        let mut keys = HashMap::with_capacity(owners.len());
        let mut missing: HashMap<KeyHash, (Owner, Timestamp)> = HashMap::new();
        for (hash, owner) in owners {
            match self.fresh.get(&hash).cloned().or_else(|| self.ring.of_owner(hash)) {
                Some(key) => drop(keys.insert(hash, key)),
                None => drop(missing.insert(hash, owner)),
            }
        }
        for row in &fetch_in(conn, "read data keys", BY_OWNER, bytes(missing.keys())).await? {
            if let Some((hash, key)) = unwrap(&self.ring, &Columns::new(row, "seal_keys", "key_id"))? {
                self.ring.keep(hash, &key);
                missing.remove(&hash);
                keys.insert(hash, key);
            }
        }
        let mut made = Vec::with_capacity(missing.len());
        for (hash, (owner, created)) in missing {
            let (key, wrapped) = self.ring.make(self.next_id);
            self.next_id += 1;
            made.push((key.id(), owner, hash, wrapped, created));
            self.fresh.insert(hash, key.clone());
            keys.insert(hash, key);
        }
        made.sort_unstable_by_key(|(id, ..)| *id);
        let wanted = made.len();
        let touched = INSERT
            .run(conn, made, |query, (id, owner, hash, wrapped, created)| {
                let kind = owner.kind_str();
                query
                    .bind(id)
                    .bind(owner.connection)
                    .bind(owner.clinic)
                    .bind(kind)
                    .bind(hash.0.to_vec())
                    .bind(PURPOSE)
                    .bind(wrapped)
                    .bind(ms(created))
            })
            .await?;
        expect_rows("seal_keys", "make data keys", wanted, touched)?;
        Ok(keys)
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

/// Owner and key of a row; none if it was destroyed or serves another purpose.
fn unwrap(ring: &Keyring, row: &Columns<'_>) -> Result<Option<(KeyHash, Arc<DataKey>)>, Error> {
    let id: i64 = row.get("key_id")?;
    let Some(wrapped) = row.get::<Option<&[u8]>>("wrapped")? else { return Ok(None) };
    if row.get::<&str>("purpose")? != PURPOSE {
        return Ok(None);
    }
    let key = ring.unwrap(id, wrapped).map_err(|_| Error::Sealed { what: format!("data key {id}") })?;
    Ok(Some((row.hash("owner_hash")?, key)))
}

/// The error of a sealed value that does not open.
pub(crate) fn unopened(place: Place<'_>) -> Error {
    Error::Sealed { what: format!("{}.{} of row {}", place.table, place.column, data_encoding::HEXLOWER.encode(place.row)) }
}
