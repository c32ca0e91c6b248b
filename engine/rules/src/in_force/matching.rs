//! What one automation wants because of one event.

use std::cell::OnceCell;

use jiff::tz::TimeZone;
use serde_json::Value;
use zelo_core::window::{Count, Throttle};
use zelo_core::{Candidate, Event, Indexer, Job, KeyHash, Lane, LookupRef, OverTime, Plan, RecordRef};

use super::{InForce, Joined, JoinedAction, REPLACED};
use crate::condition::{Circumstances, Documents};
use crate::facts::{Facts, Node};
use crate::json::id_text;
use crate::path::{Nodes, Path};
use crate::rule::{Action, Anchor, Lookup, Rule, told_apart};
use crate::source::PersonMapping;
use crate::time;

/// One rule against one event.
pub(super) struct Matching<'m> {
    pub(super) facts: &'m Facts<'m>,
    pub(super) known: Known,
    pub(super) in_force: &'m InForce,
    pub(super) rule: &'m Rule,
    pub(super) joined: &'m Joined,
    pub(super) event: &'m Event,
    pub(super) index: &'m Indexer,
}

/// What is known already of a rule against an event: the most first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    /// It is about events of this type and source, and its own condition holds.
    Holds,
    /// It is about events of this type and source.
    About,
    Nothing,
}

/// The event alone, as a rule sees it.
pub(crate) struct EventOnly<'e> {
    facts: &'e Facts<'e>,
    /// Few conditions ask for them.
    circumstances: OnceCell<Circumstances<'e>>,
    make: Option<(&'e InForce, &'e Rule, &'e Event)>,
}

impl<'e> EventOnly<'e> {
    pub(crate) fn new(facts: &'e Facts<'e>, in_force: &'e InForce, rule: &'e Rule, event: &'e Event) -> Self {
        Self { facts, circumstances: OnceCell::new(), make: Some((in_force, rule, event)) }
    }

    /// Of no source and no clinic.
    pub(crate) fn nowhere(facts: &'e Facts<'e>) -> Self {
        Self { facts, circumstances: OnceCell::new(), make: None }
    }
}

impl Documents for EventOnly<'_> {
    fn event(&self, path: &Path) -> Nodes<'_> {
        self.facts.nodes(path)
    }

    fn record(&self, _: &str) -> Option<&Value> {
        None
    }

    fn circumstances(&self) -> &Circumstances<'_> {
        self.circumstances.get_or_init(|| match self.make {
            Some((in_force, rule, event)) => in_force.circumstances(rule, event),
            None => Circumstances::nowhere(jiff::Timestamp::UNIX_EPOCH),
        })
    }
}

/// The people beside the main one whose own parts `action` reads.
fn read_of<'p>(people: &'p [PersonMapping], action: &'p Action) -> impl Iterator<Item = &'p PersonMapping> {
    let reads = |person: &&PersonMapping| action.allow.iter().any(|field| field.record.is_none() && person.has(&field.path));
    people.iter().skip(1).filter(reads)
}

impl InForce {
    /// The people of `event` that what comes of `job` is about: the main one, and those whose own parts its action reads.
    pub fn subjects_of(&self, job: &Job, event: &Event) -> Vec<String> {
        let people = self.rules.source(&event.source).map_or(&[][..], |source| source.people(&event.kind));
        let Some(action) = self.action(&job.automation, &job.action).filter(|_| people.len() > 1) else { return event.subjects.clone() };
        let ids =
            read_of(people, action.action).flat_map(|person| person.id.nodes(&event.data).iter().filter_map(id_text).collect::<Vec<_>>());
        let ids: Vec<String> = ids.collect();
        let subjects = event.subjects.iter().enumerate();
        subjects.filter(|(place, subject)| *place == 0 || ids.contains(subject)).map(|(_, subject)| subject.clone()).collect()
    }
}

impl Matching<'_> {
    pub(super) fn collect(&self, candidates: &mut Vec<Candidate>) {
        let documents = EventOnly::new(self.facts, self.in_force, self.rule, self.event);
        let about = self.known < Known::Nothing || self.rule.on.contains(&self.event.kind);
        let asked = about && self.known > Known::Holds;
        let failure = self.joined.when(self.rule).filter(|_| asked).and_then(|when| when.failure(&documents));
        for (action, joined) in self.joined.actions(self.rule) {
            let about = about && action.is_for(&self.event.kind);
            let own = || joined.when(action).and_then(|when| when.failure(&documents));
            let plan = match action.cancel_on.iter().find(|cancel| cancel.types.contains(&self.event.kind)) {
                // What cancels never fires, even where the type is among those that the rule is about.
                Some(cancel) => self.cancel(action, &cancel.key, "cancelled_by_event", format!("cancelled by {}", self.event.kind)),
                None if !about => None,
                None => match failure.or_else(own) {
                    None => self.fire(action, joined),
                    // Where nobody can tell, what is pending stays.
                    Some(failure) if failure.is_undecided() => None,
                    Some(failure) => action.key.as_ref().and_then(|key| {
                        self.cancel(action, key, "no_longer_matches", format!("the event no longer matches: {}", failure.why()))
                    }),
                },
            };
            candidates.extend(plan.map(|plan| joined.wants(plan)));
        }
    }

    /// Fires nothing, and ends what is pending from before the clinic had an automation of its own.
    pub(super) fn withdraw(&self, candidates: &mut Vec<Candidate>) {
        for (action, joined) in self.joined.actions(self.rule) {
            let cancel = action.cancel_on.iter().find(|cancel| cancel.types.contains(&self.event.kind));
            let own = action.key.as_ref().filter(|_| action.is_for(&self.event.kind));
            let key = cancel.map(|cancel| &cancel.key).or(own);
            let plan = key.and_then(|key| self.cancel(action, key, "no_longer_matches", REPLACED.to_owned()));
            candidates.extend(plan.map(|plan| joined.wants(plan)));
        }
    }

    fn cancel(&self, action: &Action, key: &Path, code: &'static str, text: String) -> Option<Plan> {
        Some(Plan::Cancel { key: self.key(action, key)?, code, text })
    }

    fn fire(&self, action: &Action, joined: &JoinedAction) -> Option<Plan> {
        let key = match &action.key {
            None => None,
            Some(path) => Some(self.key(action, path)?),
        };
        let over = self.over_time(action, joined)?;
        let anchor = action.timing.anchor.as_ref().or(over.debounce.map(|_| &Anchor::Event));
        let anchor = anchor.map(|anchor| match anchor {
            Anchor::At(path) => self.anchor(path),
            Anchor::Event => Ok(self.event.order()),
        });
        let lookups = self.rule.lookups.iter().flat_map(|lookup| self.lookups(lookup)).collect();
        let (needs, also_about, lane) = (action.needs.clone(), self.also_about(action), self.lane(action));
        Some(Plan::Fire { key, anchor, lookups, needs, also_about, over, lane })
    }

    /// The people beside the main one whose own parts of the payload the action reads.
    fn also_about(&self, action: &Action) -> Vec<usize> {
        let people = self.in_force.rules.source(&self.event.source).map_or(&[][..], |source| source.people(&self.event.kind));
        if people.len() < 2 {
            return Vec::new();
        }
        // Ids may stand in lists, so a line of `subjects` may be several people: all of them then.
        let ids: Vec<String> = read_of(people, action).flat_map(|person| self.facts.ids(&person.id)).collect();
        let places = self.event.subjects.iter().enumerate().skip(1);
        places.filter(|(_, subject)| ids.contains(subject)).map(|(place, _)| place).collect()
    }

    /// What the action says over time about this event; nothing where a `by` is missing in it.
    fn over_time(&self, action: &Action, joined: &JoinedAction) -> Option<OverTime> {
        let id = |path: &Path| self.facts.id(path);
        if action.over.by().any(|(_, path)| id(path).is_none()) {
            return None;
        }
        let (automation, name, over, set) = (&self.joined.automation.id, &action.name, &action.over, joined.over);
        let throttle = over.throttle.as_ref().zip(set.throttle).map(|(throttle, (limit, per))| {
            let (by, path) = told_apart(throttle.by.as_ref(), action.key.as_ref());
            Throttle { window: self.index.throttle(automation, name, path.and_then(id).as_deref()), limit, per, by }
        });
        let count = over.count.as_ref().zip(set.count).map(|(count, (at_least, within))| {
            let (_, path) = told_apart(count.by.as_ref(), action.key.as_ref());
            Count { window: self.index.count(automation, name, path.and_then(id).as_deref()), at_least, within }
        });
        let debounce = over.debounce.as_ref().map(|debounce| self.collection(action, debounce.by.as_ref().and_then(id).as_deref()));
        Some(OverTime { throttle, count, debounce })
    }

    /// How the job stands to those beside it. An event without the value is told apart from none.
    fn lane(&self, action: &Action) -> Lane {
        let (automation, name, said) = (&self.joined.automation.id, &action.name, &action.lane);
        let order = said.order_by.as_ref().and_then(|path| self.facts.id(path));
        let group = said.concurrency.as_ref().and_then(|at_once| self.facts.id(at_once.by.as_ref()?));
        Lane {
            priority: said.priority,
            order: order.map(|value| self.index.order(automation, name, self.event.clinic.as_deref(), &value)),
            group: group.map(|value| self.index.group(automation, name, &value)),
        }
    }

    /// Where events are collected. Those of different clinics never are together: a job is of one clinic.
    fn collection(&self, action: &Action, value: Option<&str>) -> KeyHash {
        self.index.debounce(&self.joined.automation.id, &action.name, self.event.clinic.as_deref(), value)
    }

    fn key(&self, action: &Action, path: &Path) -> Option<KeyHash> {
        let value = self.facts.id(path)?;
        if action.over.debounce.is_some() {
            return Some(self.collection(action, Some(&value)));
        }
        Some(self.index.job_key(&self.joined.automation.id, &action.name, &value))
    }

    fn anchor(&self, path: &Path) -> Result<jiff::Timestamp, String> {
        let zone = self.in_force.rules.source(&self.event.source).map_or(TimeZone::UTC, |source| source.timezone.clone());
        let read = |node: &Node<'_>| (!matches!(node, Node::Null)).then(|| node.text().and_then(|text| time::instant(text, &zone)));
        let found = self.facts.read_first(path, read).ok_or_else(|| format!("{} is missing", path.as_str()))?;
        found.ok_or_else(|| format!("{} is not a date and time", path.as_str()))
    }

    fn lookups(&self, lookup: &Lookup) -> Vec<LookupRef> {
        let mut position = 0;
        self.facts.read_all(&lookup.key, |node| {
            let at = position;
            position += 1;
            let hash = self.index.record(&self.event.connection, &lookup.record, &node.id()?);
            let record = RecordRef { kind: lookup.record.clone(), hash };
            Some(LookupRef { name: lookup.name.clone(), position: at, singular: lookup.key.is_singular(), record })
        })
    }
}
