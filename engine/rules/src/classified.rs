//! How delicate what is kept is, as a whole: events and records by their types, what comes of actions by the actions.

use std::collections::BTreeMap;

use crate::load::RuleSet;
use crate::source::Class;

/// The classes of what is kept. What is not in here is nobody's to tell, and counts as sensitive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classified {
    /// By type of event.
    pub events: BTreeMap<String, Class>,
    /// By type of record.
    pub records: BTreeMap<String, Class>,
    /// By rule and name of the action: `rule/action`.
    pub actions: BTreeMap<String, Class>,
}

impl RuleSet {
    /// The classes of all that sources and rules speak of. What actions write and emit is as delicate as all that they see.
    pub fn classified(&self) -> Classified {
        let mut all = Classified::default();
        let put = |known: &mut BTreeMap<String, Class>, name: &str, class: Class| {
            known.entry(name.to_owned()).and_modify(|most| *most = class.max(*most)).or_insert(class);
        };
        for source in self.sources() {
            for kind in source.types() {
                put(&mut all.events, kind, source.event_class(kind));
            }
            for record in &source.records {
                put(&mut all.records, &record.kind, source.whole_record_class(&record.kind));
            }
        }
        for rule in self.rules() {
            for action in &rule.actions {
                put(&mut all.actions, &format!("{}/{}", rule.id, action.name), action.class);
                for kind in &action.grant.events {
                    put(&mut all.events, kind, action.class);
                }
                for grant in &action.grant.records {
                    put(&mut all.records, &grant.record, action.class);
                }
            }
        }
        all
    }
}
