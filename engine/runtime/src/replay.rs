//! Events that are stored, once more for a rule that was not on when they came, or was another then. Only because a person says so: a rule
//! that is switched on or changed fires for what comes from then on, and for nothing else.
//!
//! Here the events are read and matched; [`zelo_store::Store::replay`] decides about all that speaks of the same in one transaction, so a
//! later cancellation is heard before anything runs. What came after the range is read, too, as far as it speaks under the same keys; and
//! what came before it, where something of the range came late.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zelo_core::{Actor, Arrival, Event, EventId, Indexer, KeyHash, Person, Plan, Status};
use zelo_rules::InForce;
use zelo_store::{Archive, Archived, EventView, Fate, Range, Replay, Replayable, Replayed, Store};

use crate::Runtime;

/// No replay is about more matches than this.
pub const REPLAYED_MAX: usize = 10_000;

/// How many of the jobs whose time has passed run each minute, where nobody says it.
pub const PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);

/// Events that are read at once: no more payloads than these are in memory.
const PAGE: u32 = 200;

/// How much one replay may be about.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Actions that fire in the range.
    pub matches: usize,
    /// Events of which something is kept until all are decided about, without their payloads: those that fire, and those that are heard.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { matches: REPLAYED_MAX, events: 50_000 }
    }
}

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
    #[error("the rule fires more than {0} times in this range; take a shorter one, or one clinic. Nothing was done")]
    TooMany(usize),
    #[error("more than {0} events speak of what the rule fires for in this range; take a shorter one, or one clinic. Nothing was done")]
    TooMuch(usize),
    #[error("another replay is going on; ask again when it is done. Nothing was done")]
    Another,
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
        let dry_run = wanted.dry_run;
        let outcome = replay(self.store.as_ref(), &in_force, wanted, Limits::default(), self.clock.now()).await;
        if !dry_run {
            // Also where it broke off: what was made by then is there.
            self.bell.notify_one();
        }
        let report = outcome?;
        if !dry_run {
            tracing::info!(rule = report.rule, events = report.events, items = report.items.len(), "a person had events replayed");
        }
        Ok(report)
    }
}

/// Has a rule of `in_force` make jobs at `now` for the events of `store` that are meant; or says what would become of them. One at a
/// time: each holds what it is about in memory.
///
/// # Errors
/// Why nothing was done.
pub async fn replay(store: &dyn Store, in_force: &Arc<InForce>, wanted: Wanted, limits: Limits, now: Timestamp) -> Result<Report, Error> {
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
    let _turn = store.replaying().ok_or(Error::Another)?;
    let mut reading = Reading {
        archive: store.archive(),
        in_force,
        index: store.indexer(),
        rule: &rule,
        range: &range,
        limits,
        unreadable: 0,
        looked: 0,
        within: HashSet::new(),
        keys: HashSet::new(),
        earliest: range.from,
    };
    reading.look().await?;
    let events = reading.hear().await?;
    let Reading { unreadable, looked, within, .. } = reading;
    let matched = within.len() as u64;
    let items = store.replay(Replay { rule: rule.clone(), range: range.clone(), events, within, per_minute, dry_run, actor }, now).await?;
    let mut counts = BTreeMap::new();
    for item in &items {
        *counts.entry(item.fate.as_str().to_owned()).or_default() += 1;
    }
    Ok(Report { rule, range, dry_run, events: looked, unreadable, matched, counts, items })
}

/// The events of a replay, being read: twice, so that nothing is kept of those that say nothing about what fires.
struct Reading<'r> {
    archive: Arc<dyn Archive>,
    in_force: &'r Arc<InForce>,
    index: &'r Indexer,
    rule: &'r str,
    range: &'r Replayable,
    limits: Limits,
    unreadable: u64,
    looked: u64,
    /// The events of the range for which the rule fires.
    within: HashSet<EventId>,
    /// What it fires under there.
    keys: HashSet<KeyHash>,
    /// When the first of them happened, where that is before the range: they came late.
    earliest: Timestamp,
}

impl Reading<'_> {
    /// Looks for what the rule fires for in the range.
    async fn look(&mut self) -> Result<(), Error> {
        let (mut pages, mut fired) = (Pages::of(self.range, self.range.from, self.range.to), 0);
        while let Some(page) = pages.next(self.archive.as_ref()).await? {
            for event in page {
                let Some(view) = event else {
                    self.looked += 1;
                    self.unreadable += 1;
                    continue;
                };
                if self.range.clinic.is_some() && view.event.clinic != self.range.clinic {
                    continue;
                }
                self.looked += 1;
                let (id, order) = (view.event.id, view.event.order());
                let Some(arrival) = self.arrival(view) else { continue };
                let plans = arrival.candidates.iter().map(|candidate| &candidate.plan).filter(|plan| fires(plan));
                let before = fired;
                self.keys.extend(plans.inspect(|_| fired += 1).filter_map(Plan::key));
                if fired > before {
                    self.within.insert(id);
                    self.earliest = self.earliest.min(order);
                }
            }
            if fired > self.limits.matches {
                return Err(Error::TooMany(self.limits.matches));
            }
        }
        Ok(())
    }

    /// What the rule wants of what fires, and of all that speaks under the same keys: in the range, behind it, and before it as far as
    /// what came late may have been outrun there. Of any clinic: a key is of a connection.
    async fn hear(&self) -> Result<Vec<Arrival>, Error> {
        let until = if self.keys.is_empty() { self.range.to } else { Timestamp::MAX };
        let (mut pages, mut heard) = (Pages::of(self.range, self.earliest, until), Vec::new());
        while let Some(page) = pages.next(self.archive.as_ref()).await? {
            for mut arrival in page.into_iter().flatten().filter_map(|view| self.arrival(view)) {
                let within = self.within.contains(&arrival.event.id);
                arrival.candidates.retain(|one| (within && fires(&one.plan)) || one.plan.key().is_some_and(|key| self.keys.contains(&key)));
                if !arrival.candidates.is_empty() {
                    heard.push(arrival);
                }
            }
            if heard.len() > self.limits.events {
                return Err(Error::TooMuch(self.limits.events));
            }
        }
        Ok(heard)
    }

    /// What the rule wants because of an event, without its payload, if anything. What it says itself was heard when it came.
    fn arrival(&self, view: EventView) -> Option<Arrival> {
        // No rule saw what is in quarantine.
        let event = Some(view.event).filter(|_| view.status != Status::Quarantined)?;
        let (index, name) = (self.index, &event.connection);
        let mut candidates = self.in_force.candidates(&event, index);
        candidates.retain(|candidate| candidate.origin.rule == self.rule);
        if candidates.is_empty() {
            return None;
        }
        // What a plugin emitted is about all of its people together; else the main one's part is the whole.
        let alone = event.cause.is_none();
        let people = event
            .subjects
            .iter()
            .enumerate()
            .map(|(place, subject)| Person { parts: (place > 0 && alone).then(Vec::new), ..Person::new(index.subject(name, subject)) });
        Some(Arrival {
            body: Arc::default(),
            delivery: index.delivery(name, &event.kind, &event.id.to_string()),
            quarantined: false,
            entity: event.entity.as_ref().map(|entity| index.entity(name, &entity.kind, &entity.id)),
            people: people.collect(),
            records: Vec::new(),
            consents: Vec::new(),
            candidates,
            timetable: self.in_force.clone(),
            event: Event { data: Value::Null.into(), ..event },
        })
    }
}

/// Events in order of arrival, page by page.
struct Pages {
    range: Range,
    after: i64,
}

impl Pages {
    /// Those of the connection of `of` that arrived between two instants.
    fn of(of: &Replayable, since: Timestamp, until: Timestamp) -> Self {
        Self { range: Range { since, until, connection: of.connection.clone() }, after: 0 }
    }

    /// The next of them; nothing in the place of one that cannot be read any more.
    async fn next(&mut self, archive: &dyn Archive) -> Result<Option<Vec<Option<EventView>>>, Error> {
        let found = archive.events(&self.range, self.after, PAGE).await?;
        let Some(last) = found.last() else { return Ok(None) };
        self.after = last.cursor;
        let read = |archived: Archived| -> Result<_, Error> {
            match archived.event {
                Ok(view) => Ok(Some(view)),
                Err(zelo_store::Error::Sealed { .. } | zelo_store::Error::Inconsistent { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        found.into_iter().map(read).collect::<Result<_, _>>().map(Some)
    }
}

fn fires(plan: &Plan) -> bool {
    matches!(plan, Plan::Fire { .. })
}
