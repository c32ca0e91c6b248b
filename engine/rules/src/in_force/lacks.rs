//! What a person may fill in so that a job goes on: fields of records that it would read, and that are not there.

use std::collections::BTreeSet;

use serde_json::Value;
use zelo_core::timing::Records;
use zelo_core::{Event, Job, RecordRef};

use super::{ActionRef, InForce};
use crate::condition::Documents;
use crate::path::{Path, Step};
use crate::prepare::Sight;
use crate::template::Template;

/// A field of a record that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    pub record: RecordRef,
    /// What the provider calls the record.
    pub id: String,
    pub field: String,
    /// Whether the field is a list, of which the first is missing.
    pub listed: bool,
    /// Whether the rule names the field; else it shows the whole record, and its plugin knows what of it is needed.
    pub named: bool,
}

impl InForce {
    /// What `job` lacks of `records`: what its condition or its inputs need, where that is so; else all that it may read and does not find.
    pub fn lacks(&self, job: &Job, event: &Event, records: &dyn Records) -> Vec<Lack> {
        let Some(action) = self.action(&job.automation, &job.action) else { return Vec::new() };
        let documents = self.sight(&action, job, event, records);
        let looking = Looking { in_force: self, action, job, event, records };
        let missing = action.only_if().and_then(|condition| condition.failure(&documents)).and_then(|failure| failure.missing);
        if let Some(spot) = missing {
            return spot.record.as_deref().map(|name| looking.at(name, &spot.path)).unwrap_or_default();
        }
        let needed = looking.needed();
        let absent = looking.absent(&documents);
        let first: Vec<Lack> =
            absent.iter().filter(|(name, ..)| needed.contains(name)).flat_map(|(_, record, path)| looking.at(record, path)).collect();
        if first.is_empty() { absent.iter().flat_map(|(_, record, path)| looking.at(record, path)).collect() } else { first }
    }
}

struct Looking<'l> {
    in_force: &'l InForce,
    action: ActionRef<'l>,
    job: &'l Job,
    event: &'l Event,
    records: &'l dyn Records,
}

impl<'l> Looking<'l> {
    /// The fields without which an input, or who is written to, cannot be made.
    fn needed(&self) -> BTreeSet<&'l str> {
        let (action, locale) = (self.action.action, self.action.locale());
        let required = |name: &str| action.plugin.required().any(|required| required == name);
        let inputs = action.with.iter().filter(|(name, input)| required(name) || !input.is_field(locale));
        let inputs = inputs.flat_map(|(_, input)| input.templates(locale));
        let to = action.grant.messages.iter().flat_map(|grant| &grant.to);
        inputs.chain(to).flat_map(Template::names).map(|name| name.split('.').next().unwrap_or(name)).collect()
    }

    /// The allowed fields of records that are not there, or of which a whole record is shown: name, lookup, path.
    fn absent(&self, documents: &Sight<'_>) -> Vec<(&'l str, &'l str, &'l Path)> {
        let fields = self.action.action.allow.iter().filter(|field| !field.collected);
        let absent = fields.filter_map(|field| {
            let record = field.record.as_deref()?;
            let value = documents.record(record).and_then(|document| field.path.value(document));
            let there = value.is_some_and(|value| !value.is_null());
            (!there || field.path.prefix().is_empty()).then_some((field.name.as_str(), record, &field.path))
        });
        absent.collect()
    }

    /// What is missing at `path` in the records of a lookup.
    fn at(&self, name: &str, path: &Path) -> Vec<Lack> {
        let Some(lookup) = self.action.rule.lookups.iter().find(|lookup| lookup.name == name) else { return Vec::new() };
        let facts = self.in_force.rules().source(&self.event.source).and_then(|source| source.record(&lookup.record));
        let Some(facts) = facts.filter(|_| path.is_singular()) else { return Vec::new() };
        let mut position = 0;
        let ids = self.in_force.facts(self.event).read_all(&lookup.key, |node| {
            let at = position;
            position += 1;
            Some((at, node.id()?.to_string()))
        });
        let mut lacks = Vec::new();
        for place in self.job.lookups.iter().filter(|place| place.name == name) {
            let Some((_, id)) = ids.iter().find(|(at, _)| *at == place.position) else { continue };
            let known = self.records.record(place.record.hash);
            let is_absent = |field: &str| known.and_then(|known| known.get(field)).is_none_or(is_nothing);
            let lack = |field: &str, listed: bool, named: bool| Lack {
                record: place.record.clone(),
                id: id.clone(),
                field: field.to_owned(),
                listed,
                named,
            };
            match path.prefix() {
                [] => lacks.extend(
                    facts.fields.iter().filter(|(name, listed)| !**listed && is_absent(name)).map(|(name, _)| lack(name, false, false)),
                ),
                [Step::Name(field)] if facts.fields.contains_key(field) && is_absent(field) => lacks.push(lack(field, false, true)),
                [Step::Name(field), Step::Index(0)] if facts.fields.get(field) == Some(&true) && is_absent(field) => {
                    lacks.push(lack(field, true, true));
                }
                _ => {}
            }
        }
        lacks
    }
}

/// Null, an empty text or list, or a list that begins with nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.first().is_none_or(is_nothing),
        _ => false,
    }
}
