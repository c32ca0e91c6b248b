//! Why the rules that listen to an event do not fire because of it.

use std::collections::BTreeMap;

use zelo_core::Event;

use super::{EventOnly, InForce, Joined, REPLACED, SECOND_LAP, Standing, is_second_lap};
use crate::condition::Language;
use crate::explain::unnamed;
use crate::json::id_text;
use crate::path::Path;
use crate::rule::{Action, Rule};

impl InForce {
    /// The rules that listen to events like `event` and do not fire because of it, by id, each with what is the matter,
    /// in words that name paths and no values.
    pub fn why_not(&self, event: &Event) -> Vec<(String, String)> {
        // Of several automations of a rule, the one that is nearest to firing speaks.
        let mut found: BTreeMap<&str, (u8, Option<String>)> = BTreeMap::new();
        for (joined, rule) in self.listening(event) {
            let (distance, why) = match self.standing(&joined.automation, event.clinic.as_deref()) {
                Standing::InForce if is_second_lap(joined, event) => (1, Some(SECOND_LAP.to_owned())),
                Standing::InForce => self.rule_fails(joined, rule, event).map_or((0, None), |why| (1, Some(why))),
                Standing::Replaced => (2, Some(format!("{REPLACED}, which is not on"))),
                Standing::Elsewhere => (3, Some("it is on for other clinics only".to_owned())),
            };
            if found.get(rule.id.as_str()).is_none_or(|(nearest, _)| distance < *nearest) {
                found.insert(&rule.id, (distance, why));
            }
        }
        found.into_iter().filter_map(|(rule, (_, why))| Some((rule.to_owned(), why?))).collect()
    }

    /// Why no action of `rule` fires because of `event`; nothing where one does.
    fn rule_fails(&self, joined: &Joined, rule: &Rule, event: &Event) -> Option<String> {
        let facts = self.facts(event);
        let documents = EventOnly::new(&facts, self, rule, event);
        rule_fails(joined, rule, event, &documents)
    }
}

fn rule_fails(joined: &Joined, rule: &Rule, event: &Event, documents: &EventOnly<'_>) -> Option<String> {
    let cancelled = |action: &Action| action.cancel_on.iter().any(|cancel| cancel.types.contains(&event.kind));
    let about = rule.on.contains(&event.kind);
    let candidates = rule.actions.iter().filter(|action| about && action.is_for(&event.kind) && !cancelled(action));
    let candidates: Vec<&Action> = candidates.collect();
    if candidates.is_empty() && rule.actions.iter().any(cancelled) {
        return Some(format!("{} cancels, and fires nothing", event.kind));
    }
    if candidates.is_empty() {
        return Some(format!("none of its actions is for {}", event.kind));
    }
    if let Some(failure) = joined.when(rule).and_then(|when| when.failure(documents)) {
        return Some(failure.why());
    }
    let fails = |action: &Action| Some(joined.action(&action.name)?.when(action)?.failure(documents)?.why());
    let failures: Vec<(&Action, Option<String>)> = candidates.into_iter().map(|action| (action, fails(action))).collect();
    let candidates: Vec<&Action> = failures.iter().filter(|(_, failure)| failure.is_none()).map(|(action, _)| *action).collect();
    if candidates.is_empty() {
        return failures.into_iter().find_map(|(action, failure)| Some(format!("{}: {}", action.name, failure?)));
    }
    let unknown = candidates.iter().map_while(|action| told_apart_by_nothing(action, event));
    let unknown: Vec<String> = unknown.map(|(name, path)| unnamed(name, path, Language::English)).collect();
    let all = unknown.len() == candidates.len();
    unknown.into_iter().next().filter(|_| all)
}

/// Why the event does not say which job of `action` is meant, or in which of its windows it belongs.
pub(crate) fn told_apart_by_nothing<'a>(action: &'a Action, event: &Event) -> Option<(&'static str, &'a Path)> {
    let missing = |path: &&Path| path.first(&event.data).and_then(id_text).is_none();
    if let Some(key) = action.key.as_ref().filter(missing) {
        return Some(("key", key));
    }
    action.over.by().find(|(_, path)| missing(path))
}
