//! Whose data jobs have beside what their own keys are about: of those whose events they collected, of those whose records their plugins
//! were shown, and whatever the steps before them had.

use std::collections::{BTreeSet, HashMap};

use sqlx::sqlite::{SqliteConnection, SqliteRow};

use zelo_core::decide::Decision;
use zelo_core::settle::Settlement;
use zelo_core::{Effect, EffectResult, Indexer, Job, JobId, JournalEntry, KeyHash, Pseudonym};

use super::bulk::{Rows, fetch_in, in_list};
use super::column::Columns;
use super::jobs::Kept;
use super::keys::Keys;
use super::trip::{Pipeline, Trip};
use crate::Error;

/// Whose data the jobs of a list of ids have.
macro_rules! about_jobs {
    () => {
        in_list!("SELECT b.job_id, b.key_id, k.about, b.shown FROM job_about b JOIN seal_keys k ON k.key_id = b.key_id WHERE b.job_id", "")
    };
}
pub(crate) use about_jobs;

const ABOUT_JOBS: &str = about_jobs!();

/// Of nobody's records too: what is not among the answers is gone.
const ABOUT_RECORDS: &str = concat!(
    in_list!("SELECT r.record, r.key_id, k.about FROM records r JOIN seal_keys k ON k.key_id = r.key_id WHERE r.record", ""),
    in_list!(" UNION SELECT a.record, a.key_id, k.about FROM record_about a JOIN seal_keys k ON k.key_id = a.key_id WHERE a.record", "")
);

const ABOUT_STEPS: &str = concat!(
    in_list!(
        "SELECT h.job_id, h.key_id, k.about, 0 AS shown FROM job_history h JOIN seal_keys k ON k.key_id = h.key_id WHERE h.job_id",
        ""
    ),
    in_list!(
        " UNION SELECT b.job_id, b.key_id, k.about, b.shown FROM job_about b JOIN seal_keys k ON k.key_id = b.key_id WHERE b.job_id",
        ""
    )
);

const PUT_EVENTS: Rows = Rows {
    doing: "say whose data events have",
    head: "INSERT OR IGNORE INTO event_about (key_id, event_id) SELECT * FROM (VALUES",
    columns: 2,
    tail: ") WHERE column1 IS NOT NULL",
};

const PUT: Rows = Rows {
    doing: "say whose data jobs were shown",
    head: "INSERT INTO job_about (key_id, job_id, shown) SELECT * FROM (VALUES",
    columns: 3,
    tail: ") WHERE column1 IS NOT NULL ON CONFLICT (key_id, job_id) DO UPDATE SET shown = min(shown, excluded.shown)",
};

/// A key, and the people whose data stand under it.
type About = (i64, Vec<Pseudonym>);

/// Whose data jobs have beside what stands under their own keys.
#[derive(Default)]
pub(crate) struct Others(HashMap<JobId, Vec<(About, bool)>>);

impl Others {
    /// Those of `jobs`.
    pub(crate) async fn load(conn: &mut SqliteConnection, jobs: impl IntoIterator<Item = JobId>) -> Result<Self, Error> {
        let jobs = jobs.into_iter().map(|job| *job.bytes()).collect();
        Self::of_rows(&fetch_in(conn, "read whose data jobs have", ABOUT_JOBS, jobs).await?)
    }

    /// What the rows of [`about_jobs`] say.
    pub(crate) fn of_rows(rows: &[SqliteRow]) -> Result<Self, Error> {
        let mut others = Self::default();
        for row in rows {
            let row = Columns::new(row, "job_about", "job_id");
            others.0.entry(row.job_id("job_id")?).or_default().push(((row.get("key_id")?, row.pseudonyms("about")?), row.get("shown")?));
        }
        Ok(others)
    }

    /// The job has this as well, or has more of it than it was shown.
    fn add(&mut self, job: JobId, of: About, shown: bool) {
        let all = self.0.entry(job).or_default();
        match all.iter_mut().find(|((key, _), _)| *key == of.0) {
            Some((_, before)) => *before &= shown,
            None => all.push((of, shown)),
        }
    }

    /// Each with whether the job was only shown what is theirs.
    fn of(&self, job: JobId) -> impl Iterator<Item = &(About, bool)> {
        self.0.get(&job).into_iter().flatten()
    }

    /// The people whose data `job` has; `own`: those of its own key.
    pub(crate) fn people(&self, job: JobId, own: &[Pseudonym]) -> Vec<Pseudonym> {
        let all: BTreeSet<Pseudonym> = self.of(job).flat_map(|((_, people), _)| people).chain(own).copied().collect();
        all.into_iter().collect()
    }

    /// The keys of people whose data `job` has, beside its own.
    pub(crate) fn keys(&self, job: JobId) -> impl Iterator<Item = i64> {
        self.of(job).filter(|((_, people), _)| !people.is_empty()).map(|((key, _), _)| *key)
    }
}

/// What was emitted has what its job has: the events with their jobs go with whoever the emitting jobs had data of. Who was only shown is
/// not asked about them.
pub(crate) fn link(trip: &mut Trip, others: &Others, emitted: &[(JobId, &Decision)]) {
    let of = |job: &JobId| others.of(*job).filter(|((_, people), _)| !people.is_empty()).map(|((key, _), shown)| (*key, *shown));
    let mut jobs: Vec<(i64, JobId, bool)> = Vec::new();
    let mut events = Vec::new();
    for (job, decision) in emitted {
        events.extend(of(job).map(|(key, _)| (key, decision.event)));
        jobs.extend(decision.jobs.iter().flat_map(|made| of(job).map(|(key, shown)| (key, made.id, shown))));
    }
    put(trip, jobs);
    trip.add(&PUT_EVENTS, events, |query, (key, event)| query.bind(key).bind(event.bytes().to_vec()));
}

/// Says whose data jobs have, and whether these were only shown.
fn put(trip: &mut Trip, mut about: Vec<(i64, JobId, bool)>) {
    // What is theirs comes before what was shown of them.
    about.sort_unstable();
    about.dedup_by_key(|(key, job, _)| (*key, *job));
    trip.add(&PUT, about, |query, (key, job, shown)| query.bind(key).bind(job.bytes().to_vec()).bind(shown));
}

/// The records that the plugin of a job of `connection` was shown.
pub(crate) fn shown(indexer: &Indexer, connection: &str, settlement: &Settlement) -> Vec<KeyHash> {
    let alone = settlement.shown.iter().flat_map(|invocation| &invocation.records).copied();
    shown_in(indexer, connection, &settlement.journal).chain(alone).collect()
}

/// The records that `journal` says the plugin of a job of `connection` was shown.
pub(crate) fn shown_in<'j>(
    indexer: &'j Indexer,
    connection: &'j str,
    journal: &'j [(u32, JournalEntry)],
) -> impl Iterator<Item = KeyHash> + 'j {
    journal.iter().flat_map(move |(_, entry)| match entry {
        JournalEntry::Invocation(invocation) => invocation.records.clone(),
        JournalEntry::Effect { effect: Effect::RecordGet { record, id }, result: EffectResult::Record { fields: Some(_) } } => {
            vec![indexer.record(connection, record, id)]
        }
        JournalEntry::Effect { .. } | JournalEntry::Begun { .. } => Vec::new(),
    })
}

/// Whose some records are.
pub(crate) struct Records(HashMap<KeyHash, Vec<About>>);

impl Records {
    pub(crate) async fn load(conn: &mut SqliteConnection, hashes: impl IntoIterator<Item = KeyHash>) -> Result<Self, Error> {
        let mut records: HashMap<KeyHash, Vec<About>> = HashMap::new();
        let hashes = hashes.into_iter().map(|hash| hash.0).collect();
        for row in &fetch_in(conn, "read whose records are", ABOUT_RECORDS, hashes).await? {
            let row = Columns::new(row, "records", "record");
            records.entry(row.hash("record")?).or_default().push((row.get("key_id")?, row.pseudonyms("about")?));
        }
        Ok(Self(records))
    }

    /// The people whose data the record at `hash` has.
    pub(crate) fn people(&self, hash: KeyHash) -> Vec<Pseudonym> {
        let all: BTreeSet<Pseudonym> = self.0.get(&hash).into_iter().flatten().flat_map(|(_, people)| people).copied().collect();
        all.into_iter().collect()
    }

    /// Whether any of `hashes` went while a job had it. What was done with it must not be kept: its people were erased.
    pub(crate) fn lack(&self, hashes: &[KeyHash]) -> bool {
        hashes.iter().any(|hash| !self.0.contains_key(hash))
    }

    /// Notes whose data `jobs` have now, by the records that each was shown and the steps that came before; `known` is what they had.
    pub(crate) async fn note(
        &self,
        pipe: &mut Pipeline<'_>,
        known: &mut Others,
        keys: &Keys,
        jobs: &HashMap<JobId, (Kept, &Job)>,
        shown: &HashMap<JobId, Vec<KeyHash>>,
    ) -> Result<(), Error> {
        let steps = jobs.values().flat_map(|(_, job)| &job.needs).filter(|need| need.done).map(|need| *need.job.bytes()).collect();
        let mut of_steps: HashMap<JobId, Vec<(About, bool)>> = HashMap::new();
        for row in &pipe.fetch_in("read whose data steps have", ABOUT_STEPS, steps).await? {
            let row = Columns::new(row, "job_about", "job_id");
            let about = ((row.get("key_id")?, row.pseudonyms("about")?), row.get("shown")?);
            of_steps.entry(row.job_id("job_id")?).or_default().push(about);
        }
        let mut about = Vec::new();
        for (id, (kept, job)) in jobs {
            let own = keys.about(kept.key_id);
            let records = shown.get(id).into_iter().flatten().filter_map(|hash| self.0.get(hash)).flatten().map(|about| (about, true));
            let steps = job.needs.iter().filter_map(|need| of_steps.get(&need.job)).flatten().map(|(about, shown)| (about, *shown));
            let others = records.chain(steps).filter(|((_, people), _)| people.iter().any(|person| !own.contains(person)));
            for (of, shown) in others {
                about.push((of.0, *id, shown));
                known.add(*id, of.clone(), shown);
            }
        }
        put(pipe.later(), about);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_job_has_is_more_than_what_it_was_shown() {
        let (job, mut others) = (JobId::from_bytes([1; 16]), Others::default());
        for (key, shown) in [(1, false), (1, true), (2, true), (2, false), (3, true), (3, true)] {
            others.add(job, (key, Vec::new()), shown);
        }
        let found: Vec<(i64, bool)> = others.of(job).map(|((key, _), shown)| (*key, *shown)).collect();
        assert_eq!(found, [(1, false), (2, false), (3, true)]);
    }
}
