//! Reads rule files.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::names::{LookedUp, Names};
use super::{Lookup, Plugin, Plugins, Promised, Rule, action, lane, settings};
use crate::condition::{Scope, condition};
use crate::diagnostic::{Report, error};
use crate::digest;
use crate::lint::unused;
use crate::path::Path;
use crate::reader::{At, Item, Table, parse};
use crate::source::{Source, check_name, expand};
use crate::template::Templates;
use crate::testing;
use crate::text::{Text, text};

/// What rules are checked against.
pub(crate) struct Catalog<'c> {
    pub(crate) sources: &'c BTreeMap<String, Source>,
    /// Some source file could not be read, so that what is unknown may well be in there.
    pub(crate) incomplete: bool,
    pub(crate) plugins: &'c dyn Plugins,
    /// What they said so far: rules share it, since what a plugin says about itself may be long.
    pub(crate) facts: RefCell<BTreeMap<String, Option<Plugin>>>,
    /// What actions of all rules bring about.
    pub(crate) promised: &'c Promised,
}

/// One rule file while it is being read.
pub(crate) struct Draft<'r, 'c> {
    pub(super) catalog: &'r Catalog<'c>,
    /// The source that the rule names, else all.
    candidates: Vec<&'c Source>,
    /// Those among them whose events the rule is about.
    pub(crate) sources: Vec<&'c Source>,
    /// What sources name is not known, so nothing that they do not name is a mistake here.
    sources_unknown: bool,
    /// The types that the rule is about.
    pub(crate) about: BTreeSet<String>,
    pub(crate) templates: &'r mut Templates,
    /// The settings where nobody chose.
    pub(crate) defaults: Map<String, Value>,
    /// The settings that may be chosen below 0.
    pub(super) signed: BTreeSet<String>,
}

impl Catalog<'_> {
    /// The plugin called `name`.
    pub(super) fn plugin(&self, name: &str) -> Option<Plugin> {
        let mut facts = self.facts.borrow_mut();
        facts.entry(name.to_owned()).or_insert_with(|| self.plugins.plugin(name).map(Arc::new)).clone()
    }
}

impl Draft<'_, '_> {
    /// Whether something that no source names is a mistake of this file, and not of another.
    pub(crate) fn sources_are_known(&self) -> bool {
        !self.sources_unknown && !self.sources.is_empty()
    }

    /// The event types that `pattern` names.
    pub(super) fn expand(&self, report: &Report<'_>, pattern: &At<&str>) -> Vec<String> {
        if self.sources_unknown || (self.catalog.promised.incomplete && !self.names_something(pattern.value)) {
            return vec![pattern.value.to_owned()];
        }
        expand(report, pattern, &self.types())
    }

    /// Whether `pattern` names a type that there is.
    fn names_something(&self, pattern: &str) -> bool {
        let beginning = pattern.strip_suffix('*').filter(|beginning| beginning.ends_with('.'));
        self.types().into_iter().any(|kind| beginning.map_or(kind == pattern, |beginning| kind.starts_with(beginning)))
    }

    /// The event types that there are: those of the sources, and those that plugins emit.
    fn types(&self) -> BTreeSet<&str> {
        let emitted = self.catalog.promised.events.iter().map(String::as_str);
        self.candidates.iter().flat_map(|source| source.types()).chain(emitted).collect()
    }

    /// Every source, whatever the rule is about.
    pub(super) fn all_sources(&self) -> impl Iterator<Item = &Source> {
        self.catalog.sources.values()
    }

    /// What the sources say about the records of `lookup`.
    fn looked_up(&self, record: &str, key: Option<&Path>) -> LookedUp {
        let known = key.is_some() && !self.catalog.incomplete;
        let records = self.sources.iter().flat_map(|source| &source.records).filter(|found| known && found.kind == record);
        let kept = records.flat_map(|record| record.keep.keys().cloned()).collect();
        LookedUp { record: record.to_owned(), many: key.is_some_and(|key| !key.is_singular()), kept }
    }

    /// The zone of clinics that do not say, where all the sources agree.
    pub(crate) fn clinic_timezone(&self) -> Option<TimeZone> {
        // An event of a plugin stands in the zone of the source whose event led to it.
        let sources = if self.sources.is_empty() { &self.candidates } else { &self.sources };
        let mut zones = sources.iter().map(|source| source.clinic_timezone.clone());
        let first = zones.next()??;
        zones.all(|zone| zone.as_ref() == Some(&first)).then_some(first)
    }
}

/// A rule as its file alone says it.
pub(crate) struct Read {
    pub(crate) id: At<String>,
    pub(crate) rule: Rule,
    /// Of each action.
    pub(super) places: Vec<action::Places>,
}

/// Reads the file of `report`; nothing where it has a mistake that leaves no rule.
pub(crate) fn read(report: &Report<'_>, catalog: &Catalog<'_>, templates: &mut Templates) -> Option<Read> {
    let document = parse(report)?;
    let table = Table::root(report, &document);
    let id = table.need_string("id");
    if let Some(id) = &id {
        check_name(report, id);
    }
    let title = table.need("title").and_then(text);
    let description = table.get("description").and_then(text);
    let source = table.string("source");
    let candidates = candidates(report, source.as_ref(), catalog);
    let sources_unknown = catalog.incomplete || (source.is_some() && candidates.is_empty());
    let mut draft = Draft {
        catalog,
        sources: candidates.clone(),
        candidates,
        sources_unknown,
        about: BTreeSet::new(),
        templates,
        defaults: Map::new(),
        signed: BTreeSet::new(),
    };
    let on = table.need("on").and_then(Item::strings).unwrap_or_default();
    let on: BTreeSet<String> = on.iter().flat_map(|pattern| draft.expand(report, pattern)).collect();
    // A type that a source gives is no plugin's, whatever an action claims.
    let given = |kind: &String| catalog.sources.values().any(|source| source.types().any(|given| given == kind));
    draft.about.clone_from(&on);
    let emitted = on.iter().any(|kind| catalog.promised.events.contains(kind) && !given(kind));
    draft.sources.retain(|source| source.types().any(|kind| on.contains(kind)));

    let settings = table.table("settings").map(|table| settings::read(&table)).unwrap_or_default();
    draft.defaults = settings.iter().filter_map(|setting| Some((setting.name.clone(), setting.default.clone()?))).collect();
    draft.signed = settings.iter().filter(|setting| setting.kind.is_signed()).map(|setting| setting.name.clone()).collect();
    let declared = table.table("lookup").map(|table| lookups(&table, &draft)).unwrap_or_default();
    let mut names = Names::new(
        settings.iter().map(|setting| setting.name.clone()).collect(),
        declared.iter().map(|lookup| (lookup.name.clone(), draft.looked_up(&lookup.record, lookup.key.as_ref()))).collect(),
    );
    let lookups = declared.into_iter().filter_map(|lookup| Some(Lookup { name: lookup.name, record: lookup.record, key: lookup.key? }));
    let lookups = lookups.collect();
    let when = table.table("when").and_then(|when| condition(&when, &mut Scope::of_event(&names, &mut draft)));
    let concurrency = lane::of_rule(&table);
    let (actions, places) = actions(&table, &mut names, &mut draft, &on);
    let types = (!draft.sources_unknown).then(|| draft.types());
    let tests = table.tables("test");
    // An action that could not be read has been reported, and its tests are no mistake.
    let all_read = actions.len() == table.tables("then").len();
    let known = all_read.then(|| actions.iter().map(|action| (action.name.as_str(), action)).collect());
    let declared = testing::Declared { settings: &settings, lookups: &names.lookups, actions: known, types };
    let tests = tests.iter().filter_map(|test| testing::read(test, &declared)).collect();
    table.finish();
    unused::warn(&table, &names);

    let id = id?;
    let rule = Rule {
        id: id.value.to_owned(),
        title: title.unwrap_or_else(|| Text::Same(id.value.to_owned())),
        description,
        file: report.file.name.clone(),
        source: source.map(|source| source.value.to_owned()),
        on,
        emitted,
        settings,
        when,
        lookups,
        digest: digest(report, &actions, &draft.sources),
        actions,
        concurrency,
        tests,
        clinic_timezone: draft.clinic_timezone(),
    };
    Some(Read { id: At { value: id.value.to_owned(), span: id.span }, rule, places })
}

/// The sources that the rule may be about: the one that it names, else all.
fn candidates<'c>(report: &Report<'_>, named: Option<&At<&str>>, catalog: &Catalog<'c>) -> Vec<&'c Source> {
    let Some(name) = named else { return catalog.sources.values().collect() };
    let found = catalog.sources.get(name.value);
    if found.is_none() && !catalog.incomplete {
        let finding = error("unknown-source", name.span.clone(), format!("there is no source `{}`", name.value));
        report.push(finding.meant(name.value, catalog.sources.keys().map(String::as_str)));
    }
    found.into_iter().collect()
}

/// A `[lookup.…]`, readable or not: what names it is no second mistake.
struct Declared {
    name: String,
    record: String,
    key: Option<Path>,
}

fn lookups(table: &Table<'_>, draft: &Draft<'_, '_>) -> Vec<Declared> {
    let written = draft.catalog.promised.records.iter().map(String::as_str);
    let known: BTreeSet<&str> = draft.sources.iter().flat_map(|source| source.record_types()).chain(written).collect();
    let entries = table.entries().into_iter();
    entries
        .map(|(name, item)| {
            check_name(table.report(), &name);
            let Some(lookup) = item.table(&format!("[lookup.{}]", name.value)) else {
                return Declared { name: name.value.to_owned(), record: name.value.to_owned(), key: None };
            };
            let key = lookup.need("key").and_then(Item::path);
            let record = lookup.string("record").unwrap_or(name.clone());
            lookup.finish();
            if !known.contains(record.value) && draft.sources_are_known() {
                let finding = error("unknown-record", record.span, format!("no source feeds records of type `{}`", record.value));
                table.report().push(finding.meant(record.value, known.iter().copied()));
            }
            Declared { name: name.value.to_owned(), record: record.value.to_owned(), key }
        })
        .collect()
}

fn actions(
    table: &Table<'_>,
    names: &mut Names,
    draft: &mut Draft<'_, '_>,
    on: &BTreeSet<String>,
) -> (Vec<action::Action>, Vec<action::Places>) {
    let tables = table.tables("then");
    if tables.is_empty() {
        table.report().push(error("missing-key", 0..0, "a rule needs at least one [[then]]"));
    }
    let mut actions: Vec<action::Action> = Vec::with_capacity(tables.len());
    let mut places = Vec::with_capacity(tables.len());
    // By name alone: an action that could not be read is no mistake of the one that needs it.
    let mut above: Vec<&str> = Vec::new();
    for table in &tables {
        let read = action::read(table, names, draft, on, &action::Above { names: &above, actions: &actions });
        above.extend(table.string("name").map(|name| name.value));
        let Some((action, its_places)) = read else { continue };
        if actions.iter().any(|other| other.name == action.name) {
            let span = table.string("name").map_or(table.span.clone(), |name| name.span);
            table.report().push(error("duplicate-action", span, format!("there is another action called `{}`", action.name)));
        }
        actions.push(action);
        places.push(its_places);
    }
    (actions, places)
}

/// What the rule depends on: its own text, its plugins, the sources it reads.
fn digest(report: &Report<'_>, actions: &[action::Action], sources: &[&Source]) -> String {
    let plugins: BTreeSet<&str> = actions.iter().map(|action| action.plugin.digest.as_str()).collect();
    let sources: BTreeSet<&str> = sources.iter().map(|source| source.digest.as_str()).collect();
    let mut parts: Vec<&[u8]> = vec![b"rule", report.file.text.as_bytes(), b"plugins"];
    parts.extend(plugins.iter().map(|digest| digest.as_bytes()));
    parts.push(b"sources");
    parts.extend(sources.iter().map(|digest| digest.as_bytes()));
    digest::of(&parts)
}
