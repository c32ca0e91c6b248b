//! Records from before the first webhook.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use zelo_core::decide::{Imported, Needs, import};
use zelo_core::{Job, RecordWrite};

use super::jobs::Kept;
use super::load::{load_needs, record_at};
use super::record::{OwnerKeys, SealedRecord, owned, put_records};
use super::steps;
use super::trip::Trip;
use super::writer::{Desk, Write};
use crate::envelope::{self, RecordBody};
use crate::seal::Owner;
use crate::{Error, Import};

/// Brings records.
pub(crate) struct Bring {
    pub import: Import,
    pub now: Timestamp,
}

#[async_trait]
impl Write for Bring {
    type Answer = Vec<Imported>;

    async fn run(&self, conn: &mut SqliteConnection, desk: &mut Desk) -> Result<Vec<Imported>, Error> {
        desk.saw(self.now);
        let Import { connection, records, on_known, timetable } = &self.import;
        let needs = Needs { written: records.iter().map(|write| write.key.hash).collect(), ..Needs::default() };
        let (mut state, known) = load_needs(conn, desk.sealer.ring(), needs).await?;
        let outcomes = import(records, *on_known, timetable.as_ref(), &mut state);

        let mut owners = HashMap::new();
        for write in records {
            let owner = Owner::of_record(connection, write);
            owners.entry(desk.sealer.ring().owner_hash(&owner)).or_insert((owner, self.now));
        }
        let keys = OwnerKeys(desk.sealer.owners_now(conn, owners).await?);
        let ring = desk.sealer.ring();
        let owned = owned(conn, ring, &state.dirty.records).await?;
        // The last of several writes of one record is the one that stands.
        let last: HashMap<_, &RecordWrite> = records.iter().map(|write| (write.key.hash, write)).collect();
        let mut rows = Vec::with_capacity(state.dirty.records.len());
        for write in last.values().filter(|write| state.dirty.records.contains(&write.key.hash)) {
            let hash = write.key.hash;
            let Some(row) = state.records.get(&hash) else { continue };
            // Whose it is was decided when it was first written.
            let owner = owned.get(&hash);
            let key = owner.map_or_else(|| keys.of(ring, &Owner::of_record(connection, write)), |owner| Ok(&owner.key))?;
            let body = envelope::to_json(&RecordBody::of(&write.id, row)).map_err(|why| Error::Inconsistent {
                table: "records",
                column: "sealed",
                row: format!("{hash:?}"),
                why,
            })?;
            rows.push(SealedRecord {
                hash,
                connection,
                clinic: write.clinic.as_deref().or_else(|| owner?.clinic.as_deref()),
                kind: &write.key.kind,
                time: row.time,
                key_id: key.id(),
                sealed: ring.seal(key, record_at(&hash), &[&body]),
            });
        }
        let mut trip = Trip::default();
        put_records(&mut trip, rows);
        trip.make(conn).await?;

        let changed = state.dirty.changed_jobs.iter().filter_map(|id| Some((*known.get(id)?, state.jobs.get(id)?.clone(), self.now)));
        let changed: Vec<(Kept, Job, Timestamp)> = changed.collect();
        steps::write_back(conn, &changed).await?;
        Ok(outcomes)
    }
}
