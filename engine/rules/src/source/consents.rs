//! What people say in a delivery about being written to: `[[consents]]`.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use serde_json::Map;

use super::{EventMapping, check_name, expand};
use crate::condition::{Clause, Condition, Scope, condition};
use crate::diagnostic::error;
use crate::path::Path;
use crate::reader::{Item, Table};
use crate::rule::names::Names;
use crate::template::Templates;

/// When an event gives or takes the consent of the people it is about: one `[[consents]]`.
#[derive(Clone, Debug)]
pub struct ConsentMapping {
    /// What the consent is for, as actions name it.
    pub topic: String,
    /// The event types that are asked.
    pub on: BTreeSet<String>,
    /// Where this holds, the person takes the consent back, whatever else holds.
    pub withdrawn: Option<Condition>,
    /// Where this holds, the person gives it.
    pub given: Option<Condition>,
}

impl ConsentMapping {
    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.withdrawn.iter().chain(&self.given)
    }

    /// All that it asks of events.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.conditions().flat_map(Condition::clauses).flat_map(Clause::spots).map(|spot| &spot.path)
    }
}

/// Reads the `[[consents]]` of a source with these `events`.
pub(super) fn read(
    table: &Table<'_>,
    events: &[EventMapping],
    clinic_timezone: Option<&TimeZone>,
    templates: &mut Templates,
) -> Vec<ConsentMapping> {
    let types: BTreeSet<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let tables = table.tables("consents");
    tables.iter().filter_map(|table| consent(table, &types, events, clinic_timezone, templates)).collect()
}

fn consent(
    table: &Table<'_>,
    types: &BTreeSet<&str>,
    events: &[EventMapping],
    clinic_timezone: Option<&TimeZone>,
    templates: &mut Templates,
) -> Option<ConsentMapping> {
    let topic = table.need_string("topic");
    if let Some(topic) = &topic {
        check_name(table.report(), topic);
    }
    let on = table.need("on").and_then(Item::strings).unwrap_or_default();
    let on: BTreeSet<String> = on.iter().flat_map(|pattern| expand(table.report(), pattern, types)).collect();
    let nothing = (Names::default(), Map::new());
    let mut asked = |key: &'static str| {
        let item = table.get(key)?;
        let events = events.iter().filter(|event| on.contains(&event.kind));
        let condition = condition(&item.table(key)?, &mut Scope::of_source(&nothing, templates, events, clinic_timezone))?;
        // What names a setting has been reported; what is written as a template and names none is what it renders to.
        condition.bound(&nothing.1, templates).ok()
    };
    let (withdrawn, given) = (asked("withdrawn"), asked("given"));
    let says_something = table.get("withdrawn").is_some() || table.get("given").is_some();
    if !says_something && !table.has_unknown_keys() {
        let finding = error("missing-key", table.span.clone(), "[[consents]] needs `withdrawn`, `given` or both");
        table.report().push(finding.help("each is a condition over the event, as in [when] of a rule"));
    }
    table.finish();
    Some(ConsentMapping { topic: topic?.value.to_owned(), on, withdrawn, given })
}
