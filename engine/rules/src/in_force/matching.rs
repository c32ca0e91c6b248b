//! What one automation wants because of one event.

use jiff::tz::TimeZone;
use serde_json::Value;
use zelo_core::window::{Count, Throttle};
use zelo_core::{Candidate, Event, Indexer, KeyHash, LookupRef, OverTime, Plan, RecordRef};

use super::{InForce, Joined, REPLACED};
use crate::condition::{Circumstances, Documents};
use crate::facts::Facts;
use crate::json::id_text;
use crate::path::{Nodes, Path};
use crate::rule::{Action, Anchor, Lookup, Rule, told_apart};
use crate::time;

/// One rule against one event.
pub(super) struct Matching<'m> {
    pub(super) facts: &'m Facts<'m>,
    /// It is known that the rule's own condition holds.
    pub(super) certain: bool,
    pub(super) in_force: &'m InForce,
    pub(super) rule: &'m Rule,
    pub(super) joined: &'m Joined,
    pub(super) event: &'m Event,
    pub(super) index: &'m Indexer,
}

/// The event alone.
pub(crate) struct EventOnly<'e> {
    pub(crate) facts: &'e Facts<'e>,
    pub(crate) circumstances: Circumstances<'e>,
}

impl Documents for EventOnly<'_> {
    fn event(&self, path: &Path) -> Nodes<'_> {
        self.facts.nodes(path)
    }

    fn record(&self, _: &str) -> Option<&Value> {
        None
    }

    fn circumstances(&self) -> &Circumstances<'_> {
        &self.circumstances
    }
}

impl Matching<'_> {
    pub(super) fn collect(&self, candidates: &mut Vec<Candidate>) {
        let documents = EventOnly { facts: self.facts, circumstances: self.in_force.circumstances(self.rule, self.event) };
        let about = self.rule.on.contains(&self.event.kind);
        let failure = self.joined.when(self.rule).filter(|_| about && !self.certain).and_then(|when| when.failure(&documents));
        for action in &self.rule.actions {
            let about = about && action.is_for(&self.event.kind);
            let own = || self.joined.when_of(action).and_then(|when| when.failure(&documents));
            let plan = match action.cancel_on.iter().find(|cancel| cancel.types.contains(&self.event.kind)) {
                // What cancels never fires, even where the type is among those that the rule is about.
                Some(cancel) => self.cancel(action, &cancel.key, "cancelled_by_event", format!("cancelled by {}", self.event.kind)),
                None if !about => None,
                None => match failure.or_else(own) {
                    None => self.fire(action),
                    Some(failure) => action.key.as_ref().and_then(|key| {
                        self.cancel(action, key, "no_longer_matches", format!("the event no longer matches: {}", failure.why()))
                    }),
                },
            };
            candidates.extend(plan.map(|plan| self.candidate(action, plan)));
        }
    }

    /// Fires nothing, and ends what is pending from before the clinic had an automation of its own.
    pub(super) fn withdraw(&self, candidates: &mut Vec<Candidate>) {
        for action in &self.rule.actions {
            let cancel = action.cancel_on.iter().find(|cancel| cancel.types.contains(&self.event.kind));
            let own = action.key.as_ref().filter(|_| action.is_for(&self.event.kind));
            let key = cancel.map(|cancel| &cancel.key).or(own);
            let plan = key.and_then(|key| self.cancel(action, key, "no_longer_matches", REPLACED.to_owned()));
            candidates.extend(plan.map(|plan| self.candidate(action, plan)));
        }
    }

    fn candidate(&self, action: &Action, plan: Plan) -> Candidate {
        Candidate {
            automation: self.joined.automation.id.clone(),
            rule: self.rule.id.clone(),
            action: action.name.clone(),
            rule_digest: self.joined.digest.clone(),
            plan,
        }
    }

    fn cancel(&self, action: &Action, key: &Path, code: &'static str, text: String) -> Option<Plan> {
        Some(Plan::Cancel { key: self.key(action, key)?, code, text })
    }

    fn fire(&self, action: &Action) -> Option<Plan> {
        let key = match &action.key {
            None => None,
            Some(path) => Some(self.key(action, path)?),
        };
        let over = self.over_time(action)?;
        let anchor = action.timing.anchor.as_ref().or(over.debounce.map(|_| &Anchor::Event));
        let anchor = anchor.map(|anchor| match anchor {
            Anchor::At(path) => self.anchor(path),
            Anchor::Event => Ok(self.event.order()),
        });
        let lookups = self.rule.lookups.iter().flat_map(|lookup| self.lookups(lookup)).collect();
        Some(Plan::Fire { key, anchor, lookups, needs: action.needs.clone(), over })
    }

    /// What the action says over time about this event; nothing where a `by` is missing in it.
    fn over_time(&self, action: &Action) -> Option<OverTime> {
        let id = |path: &Path| self.facts.first(path).and_then(id_text);
        if action.over.by().any(|(_, path)| id(path).is_none()) {
            return None;
        }
        let (automation, name, over) = (&self.joined.automation.id, &action.name, &action.over);
        let set = self.joined.timings.get(name).map(|(_, over)| *over).unwrap_or_default();
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

    /// Where events are collected. Those of different clinics never are together: a job is of one clinic.
    fn collection(&self, action: &Action, value: Option<&str>) -> KeyHash {
        self.index.debounce(&self.joined.automation.id, &action.name, self.event.clinic.as_deref(), value)
    }

    fn key(&self, action: &Action, path: &Path) -> Option<KeyHash> {
        let value = self.facts.first(path).and_then(id_text)?;
        if action.over.debounce.is_some() {
            return Some(self.collection(action, Some(&value)));
        }
        Some(self.index.job_key(&self.joined.automation.id, &action.name, &value))
    }

    fn anchor(&self, path: &Path) -> Result<jiff::Timestamp, String> {
        let zone = self.in_force.rules.source(&self.event.source).map_or(TimeZone::UTC, |source| source.timezone.clone());
        let value = self.facts.first(path).filter(|value| !value.is_null());
        let value = value.ok_or_else(|| format!("{} is missing", path.as_str()))?;
        value.as_str().and_then(|text| time::instant(text, &zone)).ok_or_else(|| format!("{} is not a date and time", path.as_str()))
    }

    fn lookups(&self, lookup: &Lookup) -> Vec<LookupRef> {
        let found = self.facts.nodes(&lookup.key);
        let refs = found.iter().zip(0..).filter_map(|(node, position)| {
            let hash = self.index.record(&self.event.connection, &lookup.record, &id_text(node)?);
            let record = RecordRef { kind: lookup.record.clone(), hash };
            Some(LookupRef { name: lookup.name.clone(), position, singular: lookup.key.is_singular(), record })
        });
        refs.collect()
    }
}
