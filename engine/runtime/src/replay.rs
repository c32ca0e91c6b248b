//! Events that are stored, once more for a rule that was not on when they came, or was another then. Only because a person says so: a rule
//! that is switched on or changed fires for what comes from then on, and for nothing else.
//!
//! Here the events are read and matched; [`zelo_store::Store::replay`] decides about all of them in one transaction, so a later
//! cancellation is heard before anything runs. What came after the range is read, too, as far as it speaks under the same keys; and what
//! came before it, where something of the range came late.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zelo_core::{Actor, Arrival, Event, Indexer, KeyHash, Person, Plan, Status};
use zelo_rules::InForce;
use zelo_store::{Archive, Fate, Range, Replay, Replayable, Replayed, Store};

use crate::Runtime;

/// No replay is about more matches than this.
pub const REPLAYED_MAX: usize = 10_000;

/// How many of the jobs whose time has passed run each minute, where nobody says it.
pub const PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);

/// Events of which something is kept until all are decided about.
const HEARD_MAX: usize = 100_000;

/// Events that are read at once.
const PAGE: u32 = 200;

/// What a person asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub rule: String,
    pub range: Replayable,
    /// How many of the jobs whose time has passed run each minute.
    pub per_minute: NonZeroU32,
    /// Only says what would become of them.
    pub dry_run: bool,
    pub actor: Actor,
}

/// What a replay comes to.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    pub rule: String,
    #[serde(flatten)]
    pub range: Replayable,
    pub dry_run: bool,
    /// Events that were looked at.
    pub events: u64,
    /// Those among them that cannot be read any more: their people were erased.
    pub unreadable: u64,
    /// Those for which the rule fires.
    pub matched: u64,
    /// How many actions came to what.
    pub counts: BTreeMap<String, u64>,
    /// Each of them, in order of arrival.
    pub items: Vec<Replayed>,
}

/// Why nothing was replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no rule `{0}`")]
    NoRule(String),
    #[error("the rule `{0}` is not on there: switch it on first, then replay")]
    Off(String),
    #[error("the range is empty: {from} is not before {to}")]
    Empty { from: Timestamp, to: Timestamp },
    #[error("the rule fires more than {REPLAYED_MAX} times in this range; take a shorter one, or one clinic. Nothing was done")]
    TooMany,
    #[error(transparent)]
    Store(#[from] zelo_store::Error),
}

impl Report {
    /// How many actions nobody can decide about any more, because the jobs of their time were deleted.
    pub fn undecided(&self) -> u64 {
        self.counts.get(Fate::Forgotten.as_str()).copied().unwrap_or(0)
    }
}

impl Runtime {
    /// Has a rule in force make jobs for events that are stored.
    ///
    /// # Errors
    /// Why nothing was done.
    pub async fn replay(&self, wanted: Wanted) -> Result<Report, Error> {
        let in_force = self.rules.current().in_force.clone();
        let report = replay(self.store.as_ref(), &in_force, wanted, self.clock.now()).await?;
        if !report.dry_run {
            tracing::info!(rule = report.rule, events = report.events, items = report.items.len(), "a person had events replayed");
            self.bell.notify_one();
        }
        Ok(report)
    }
}

/// Has a rule of `in_force` make jobs at `now` for the events of `store` that are meant; or says what would become of them.
///
/// # Errors
/// Why nothing was done.
pub async fn replay(store: &dyn Store, in_force: &Arc<InForce>, wanted: Wanted, now: Timestamp) -> Result<Report, Error> {
    let Wanted { rule, range, per_minute, dry_run, actor } = wanted;
    let range = Replayable { to: range.to.min(now), ..range };
    if in_force.rules().rule(&rule).is_none() {
        return Err(Error::NoRule(rule));
    }
    let here = |asked: &Option<String>, of: &str| asked.as_deref().is_none_or(|asked| asked == of);
    let on = in_force.automations().any(|automation| {
        automation.rule == rule
            && here(&range.connection, &automation.connection)
            && automation.clinic.as_deref().is_none_or(|clinic| here(&range.clinic, clinic))
    });
    if !on {
        return Err(Error::Off(rule));
    }
    if range.from >= range.to {
        return Err(Error::Empty { from: range.from, to: range.to });
    }
    let mut reading =
        Reading { archive: store.archive(), in_force, index: store.indexer(), rule: &rule, range: &range, unreadable: 0, looked: 0 };
    let (events, matched, within) = reading.all().await?;
    let Reading { unreadable, looked, .. } = reading;
    let items = store.replay(Replay { rule: rule.clone(), range: range.clone(), events, within, per_minute, dry_run, actor }, now).await?;
    let mut counts = BTreeMap::new();
    for item in &items {
        *counts.entry(item.fate.as_str().to_owned()).or_default() += 1;
    }
    Ok(Report { rule, range, dry_run, events: looked, unreadable, matched, counts, items })
}

/// The events of a replay, being read.
struct Reading<'r> {
    archive: Arc<dyn Archive>,
    in_force: &'r Arc<InForce>,
    index: &'r Indexer,
    rule: &'r str,
    range: &'r Replayable,
    unreadable: u64,
    looked: u64,
}

impl Reading<'_> {
    /// What the rule wants of the events of the range, and before and behind them of those that speak under the same keys; for how many
    /// it fires in the range, and which of the events are of it.
    async fn all(&mut self) -> Result<(Vec<Arrival>, u64, std::ops::Range<usize>), Error> {
        let mut events = self.between(self.range.from, self.range.to, None).await?;
        let keys: HashSet<KeyHash> = fired(&events).filter_map(Plan::key).collect();
        let firing = || events.iter().filter(|event| event.candidates.iter().any(|one| fires(&one.plan)));
        let matched = firing().count() as u64;
        // What came late may have been outrun by what came before it: but by nothing that came before it happened.
        let earliest = firing().map(|event| event.event.order()).min().map_or(self.range.from, |first| first.min(self.range.from));
        keep(&mut events, &keys, true);
        if keys.is_empty() {
            let within = 0..events.len();
            return Ok((events, matched, within));
        }
        let looked = (self.looked, self.unreadable);
        let mut heard = self.between(earliest, self.range.from, Some(&keys)).await?;
        let within = heard.len()..heard.len() + events.len();
        heard.append(&mut events);
        heard.extend(self.between(self.range.to, Timestamp::MAX, Some(&keys)).await?);
        (self.looked, self.unreadable) = looked;
        Ok((heard, matched, within))
    }

    /// What the rule wants of the events that arrived between two instants; only under some keys, where these are given.
    async fn between(&mut self, since: Timestamp, until: Timestamp, keys: Option<&HashSet<KeyHash>>) -> Result<Vec<Arrival>, Error> {
        let range = Range { since, until, connection: self.range.connection.clone() };
        let (mut events, mut firing, mut after) = (Vec::new(), 0, 0);
        loop {
            let found = self.archive.events(&range, after, PAGE).await?;
            let Some(last) = found.last() else { return Ok(events) };
            after = last.cursor;
            let mut page = Vec::new();
            for archived in found {
                match archived.event {
                    Ok(view) if self.range.clinic.is_some() && view.event.clinic != self.range.clinic => {}
                    Ok(view) => {
                        self.looked += 1;
                        // No rule saw what is in quarantine.
                        page.extend((view.status != Status::Quarantined).then(|| self.arrival(view.event)));
                    }
                    Err(zelo_store::Error::Sealed { .. } | zelo_store::Error::Inconsistent { .. }) => {
                        self.looked += 1;
                        self.unreadable += 1;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            match keys {
                Some(keys) => keep(&mut page, keys, false),
                None => page.retain(|event| !event.candidates.is_empty()),
            }
            firing += fired(&page).count();
            events.extend(page);
            if events.len() > HEARD_MAX || (keys.is_none() && firing > REPLAYED_MAX) {
                return Err(Error::TooMany);
            }
        }
    }

    /// `event` once more, with what the rule wants because of it. What it says itself was heard when it came.
    fn arrival(&self, event: Event) -> Arrival {
        let (index, name) = (self.index, &event.connection);
        let mut candidates = self.in_force.candidates(&event, index);
        candidates.retain(|candidate| candidate.origin.rule == self.rule);
        // What a plugin emitted is about all of its people together; else the main one's part is the whole.
        let alone = event.cause.is_none();
        let people = event
            .subjects
            .iter()
            .enumerate()
            .map(|(place, subject)| Person { parts: (place > 0 && alone).then(Vec::new), ..Person::new(index.subject(name, subject)) });
        Arrival {
            body: Arc::default(),
            delivery: index.delivery(name, &event.kind, &event.id.to_string()),
            entity: event.entity.as_ref().map(|entity| index.entity(name, &entity.kind, &entity.id)),
            people: people.collect(),
            records: Vec::new(),
            consents: Vec::new(),
            candidates,
            timetable: self.in_force.clone(),
            event,
        }
    }
}

fn fires(plan: &Plan) -> bool {
    matches!(plan, Plan::Fire { .. })
}

fn fired(events: &[Arrival]) -> impl Iterator<Item = &Plan> {
    events.iter().flat_map(|event| &event.candidates).map(|candidate| &candidate.plan).filter(|plan| fires(plan))
}

/// Leaves of `events` what speaks under `keys`; and what fires, where that makes jobs.
fn keep(events: &mut Vec<Arrival>, keys: &HashSet<KeyHash>, within: bool) {
    for event in events.iter_mut() {
        event.candidates.retain(|one| (within && fires(&one.plan)) || one.plan.key().is_some_and(|key| keys.contains(&key)));
    }
    events.retain(|event| !event.candidates.is_empty());
}
