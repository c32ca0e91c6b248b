//! What a pending job would do if it ran on the records of now, for people who look at it before it does; and what they fill in, so that
//! it can.

use std::collections::HashSet;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use zelo_core::job::Reason;
use zelo_core::timing::SendWindow;
use zelo_core::{Actor, Clinics, Event, Job};
use zelo_rules::{Lack, Prepared, Unprepared};
use zelo_store::{Amend, Amended, Error, NewRecord, RecordSet};

use crate::Runtime;
use crate::dry::{self, Trial};

/// A preview that takes longer is not shown.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a job would be run on.
pub struct Outlook {
    pub event: Event,
    /// What its plugin would be given; or why that cannot be said.
    pub prepared: Result<Prepared, Reason>,
    /// What a person may fill in.
    pub lacks: Vec<Lack>,
    /// The hours in which it may go out, where there are such.
    pub window: Option<(SendWindow, TimeZone)>,
}

impl Runtime {
    /// What `job` would be run on; nothing where its event is gone.
    ///
    /// # Errors
    /// The store failed.
    pub async fn outlook(&self, job: &Job) -> Result<Option<Outlook>, Error> {
        let archive = self.store.archive();
        let Some(event) = archive.event(job.event).await? else { return Ok(None) };
        let hashes: HashSet<_> = job.lookups.iter().map(|lookup| lookup.record.hash).collect();
        let records = archive.records(hashes).await?;
        let records = RecordSet(records.into_iter().map(|(hash, row)| (hash, row.document)).collect());
        let in_force = self.rules.current().in_force.clone();
        let prepared = if let Some(need) = job.needs.first() {
            Err(Reason::new("step", format!("what it does follows from its step `{}`", need.step)))
        } else if job.collected > 0 {
            Err(Reason::new("collects", "what it does follows from all events that it collects"))
        } else {
            in_force.prepare(job, &event, &records, &Map::new(), self.store.indexer()).map_err(|unprepared| match unprepared {
                Unprepared::Wait(reason) | Unprepared::Skip(reason) | Unprepared::Fail(reason) => reason,
            })
        };
        let lacks = in_force.lacks(job, &event, &records);
        Ok(Some(Outlook { lacks, window: in_force.send_window(job, &records), event, prepared }))
    }

    /// Writes what a person says is in a field that `job` lacks, by `outlook`: it stands against all events from before. The jobs that wait
    /// for it are looked at again at once. False where it is not theirs to say, or not lacking any more.
    ///
    /// # Errors
    /// The store failed.
    pub async fn fill(
        &self,
        job: &Job,
        outlook: &Outlook,
        lack: &Lack,
        value: Value,
        (actor, clinics): (Actor, Clinics),
    ) -> Result<bool, Error> {
        let in_force = self.rules.current().in_force.clone();
        let facts = in_force.rules().source(&outlook.event.source).and_then(|source| source.record(&lack.record.kind)).unwrap_or_default();
        let value = if lack.listed { Value::Array(vec![value]) } else { value };
        let new = NewRecord {
            connection: job.connection.clone(),
            kind: lack.record.kind.clone(),
            id: lack.id.clone(),
            subject: facts.is_person.then(|| self.store.indexer().subject(&job.connection, &lack.id)),
            clinic: if facts.is_clinic { Some(lack.id.clone()) } else { job.clinic.clone().filter(|_| facts.is_person) },
        };
        let amend = Amend {
            record: lack.record.hash,
            fields: [(lack.field.clone(), value)].into_iter().collect(),
            new: Some(new),
            lacking: Some(job.id),
            stood: None,
            clinics,
            actor,
            timetable: in_force,
        };
        let outcome = self.store.amend(amend, self.clock.now()).await?;
        self.bell.notify_one();
        tracing::info!(job = %job.id, record = lack.record.kind, field = lack.field, "a person filled in what a job waits for");
        Ok(matches!(outcome, Amended::New | Amended::Changed))
    }

    /// The texts of the messages that a plugin would send that is given `prepared`, as far as it gets: nothing that it asks of others is
    /// answered. None where it is not installed, takes too long, or others are looked at.
    pub async fn messages_of(&self, prepared: &Prepared) -> Vec<String> {
        let Ok(_turn) = crate::preview::TURNS.try_acquire() else { return Vec::new() };
        let edition = self.rules.current();
        let Some(plugin) = edition.catalog.with_digest(&self.host, &prepared.plugin_digest).await else { return Vec::new() };
        let trial = Trial { input: prepared.input.clone(), now: self.clock.now(), locale: prepared.locale.clone(), ..Trial::default() };
        let tried = tokio::time::timeout(PATIENCE, dry::run(&self.host, &plugin, trial)).await;
        let Ok(Ok(tried)) = tried else { return Vec::new() };
        let is_message = |effect: &&Value| effect["kind"] == "message";
        let texts = tried.effects.iter().filter(is_message).filter_map(|effect| effect["text"].as_str());
        texts.map(str::to_owned).collect()
    }
}
