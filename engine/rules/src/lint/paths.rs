//! `no-such-path`: paths that none of the examples has.
//!
//! The files are walked as TOML, not as rules: so a path is looked at wherever it may stand, and its place is known. A new key
//! that holds a path belongs into [`PATHS`]; a part that holds no paths about the event of the action into [`OTHERS`].

use std::collections::BTreeSet;
use std::ops::Range;

use super::samples::{Sample, Samples, Seen};
use crate::diagnostic::{Report, closest, warning};
use crate::path::{Broken, Example, Path, Why};
use crate::reader::{At, Item, Table, parse};
use crate::rule::{Action, Rule};
use crate::source::Source;

/// The keys that hold paths, wherever they stand.
const PATHS: [&str; 4] = ["path", "key", "time", "by"];
/// The parts of an action that are texts, or are looked at on their own.
const OTHERS: [&str; 9] = ["name", "plugin", "on", "needs", "purpose", "basis", "with", "grant", "cancel_on"];

/// Looks at the paths of a rule: each in the examples of the types of events that it is read in, or of the records.
pub(super) fn of_rule(report: &Report<'_>, rule: &Rule, samples: &Samples<'_>) {
    let scratch = Report::new(report.file);
    let Some(document) = parse(&scratch) else { return };
    let root = Table::root(&scratch, &document);
    let patterns = root.get("on").and_then(Item::strings).unwrap_or_default();
    // Where a type is misspelt, what its events look like is not known.
    if patterns.is_empty() || patterns.iter().any(|pattern| !rule.on.iter().any(|kind| names(pattern.value, kind))) {
        return;
    }
    let look = Look { report, rule, samples, sources: samples.sources_of(rule) };
    let all: BTreeSet<&str> = rule.on.iter().map(String::as_str).collect();
    let of_all = samples.of_events(&look.sources, &all);
    if let Some(when) = root.get("when") {
        look.item(when, of_all.as_ref());
    }
    for (_, lookup) in root.table("lookup").iter().flat_map(Table::entries) {
        if let Some(key) = lookup.table("lookup").and_then(|table| table.get("key")) {
            look.event(key, of_all.as_ref());
        }
    }
    for table in root.tables("then") {
        let action = table.string("name").and_then(|name| rule.action(name.value));
        look.action(&table, action, &all);
    }
}

/// Looks at the paths of a source: each in the examples of the types of events that it is read in.
pub(super) fn of_source(report: &Report<'_>, source: &Source, samples: &Samples<'_>) {
    let scratch = Report::new(report.file);
    let Some(document) = parse(&scratch) else { return };
    let root = Table::root(&scratch, &document);
    let sources = [source];
    let check = |item: Option<Item<'_>>, seen: Option<&Seen<'_>>| {
        if let (Some(item), Some(seen)) = (item.filter(is_path), seen) {
            check(report, item, &seen.examples(), &seen.of);
        }
    };
    for event in root.tables("events") {
        let Some(kind) = event.string("type") else { continue };
        let seen = samples.of_events(&sources, &BTreeSet::from([kind.value]));
        let seen = seen.as_ref();
        check(event.get("time"), seen);
        check(event.get("id"), seen);
        check(event.get("clinic"), seen);
        check(event.get("entity").and_then(|item| item.table("entity")).and_then(|table| table.get("id")), seen);
        for subject in event.get("subjects").and_then(Item::array).unwrap_or_default() {
            check(subject.table("subjects").and_then(|table| table.get("id")), seen);
        }
    }
    for record in root.tables("records") {
        let patterns = record.get("on").and_then(Item::strings).unwrap_or_default();
        let on = source.types().filter(|kind| patterns.iter().any(|pattern| names(pattern.value, kind))).collect();
        let seen = samples.of_events(&sources, &on);
        let seen = seen.as_ref();
        for key in ["key", "subject", "clinic"] {
            check(record.get(key), seen);
        }
        for (_, item) in record.table("keep").iter().flat_map(Table::entries) {
            check(Some(item), seen);
        }
    }
    for consent in root.tables("consents") {
        let patterns = consent.get("on").and_then(Item::strings).unwrap_or_default();
        let on = source.types().filter(|kind| patterns.iter().any(|pattern| names(pattern.value, kind))).collect();
        let conditions = [consent.get("withdrawn"), consent.get("given")].into_iter().flatten();
        if let Some(seen) = samples.of_events(&sources, &on) {
            conditions.for_each(|condition| of_condition(report, condition, &seen));
        }
    }
    if let Some(seen) = samples.of_events(&sources, &source.types().collect()) {
        // An edit mentions only what it touched: what stands in the other events of its kind may stand in it too.
        let of_events = root.tables("events");
        let classes = of_events.iter().filter_map(|event| event.get("classes").filter(Item::is_table)?.table("classes"));
        classes.chain(root.table("classes")).for_each(|classes| classified(report, &classes, &seen, source));
    }
}

/// Looks at the paths of a condition over the event.
fn of_condition(report: &Report<'_>, condition: Item<'_>, seen: &Seen<'_>) {
    if condition.is_array() {
        condition.array().unwrap_or_default().into_iter().for_each(|part| of_condition(report, part, seen));
    } else if condition.is_table() {
        for (key, item) in condition.table("a condition").iter().flat_map(Table::entries) {
            match key.value {
                "path" if is_path(&item) => check(report, item, &seen.examples(), &seen.of),
                _ => of_condition(report, item, seen),
            }
        }
    }
}

/// Looks at lists of paths by class. What only edits mention stands in their copies.
fn classified(report: &Report<'_>, classes: &Table<'_>, seen: &Seen<'_>, source: &Source) {
    let examples = seen.examples();
    let is_copied = |path: &Path| {
        let copies = source.events.iter().filter_map(|event| event.changes.as_ref()).flat_map(|changes| changes.copies(path));
        copies.into_iter().any(|copy| copy.broken(&examples).is_none())
    };
    let lists = classes.entries().into_iter().filter(|(_, list)| list.is_array());
    for item in lists.flat_map(|(_, list)| list.array().unwrap_or_default()).filter(is_path) {
        if item.path().is_some_and(|path| !is_copied(&path)) {
            check(report, item, &examples, &seen.of);
        }
    }
}

/// Whether a pattern of a file names the type.
fn names(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) if beginning.ends_with('.') => kind.starts_with(beginning),
        _ => pattern == kind,
    }
}

fn is_path(item: &Item<'_>) -> bool {
    item.is_string() && item.string().is_some_and(|text| text.value.starts_with('$'))
}

/// What the paths of one rule are held against.
struct Look<'l, 's> {
    report: &'l Report<'l>,
    rule: &'l Rule,
    samples: &'l Samples<'s>,
    sources: Vec<&'s Source>,
}

impl Look<'_, '_> {
    fn action(&self, table: &Table<'_>, action: Option<&Action>, all: &BTreeSet<&str>) {
        let kinds = match action.and_then(|action| action.on.as_ref()) {
            Some(own) => own.iter().map(String::as_str).collect(),
            // An action that could not be read may be about any of them.
            None => all.clone(),
        };
        let seen = self.samples.of_events(&self.sources, &kinds);
        for (key, item) in table.entries() {
            match key.value {
                "allow" => self.allowed(item, seen.as_ref()),
                "cancel_on" => self.cancellations(item),
                key if OTHERS.contains(&key) => {}
                key => self.entry(key, item, None, seen.as_ref()),
            }
        }
    }

    fn allowed(&self, item: Item<'_>, seen: Option<&Seen<'_>>) {
        for (_, field) in item.table("allow").iter().flat_map(Table::entries) {
            if field.is_string() { self.event(field, seen) } else { self.item(field, seen) }
        }
    }

    fn cancellations(&self, item: Item<'_>) {
        for entry in item.array().unwrap_or_default() {
            let Some(table) = entry.table("cancel_on") else { continue };
            let patterns = table.get("type").and_then(Item::strings).unwrap_or_default();
            let types = self.sources.iter().flat_map(|source| source.types());
            let kinds: BTreeSet<&str> = types.filter(|kind| patterns.iter().any(|pattern| names(pattern.value, kind))).collect();
            let all_known = patterns.iter().all(|pattern| kinds.iter().any(|kind| names(pattern.value, kind)));
            if let Some(key) = table.get("key").filter(|_| all_known) {
                self.event(key, self.samples.of_events(&self.sources, &kinds).as_ref());
            }
        }
    }

    /// Whatever is a list or a table: its paths, and those below.
    fn item(&self, item: Item<'_>, seen: Option<&Seen<'_>>) {
        if item.is_array() {
            item.array().unwrap_or_default().into_iter().for_each(|item| self.item(item, seen));
        } else if item.is_table()
            && let Some(table) = item.table("")
        {
            let record = table.get("record").filter(Item::is_string).and_then(Item::string);
            for (key, item) in table.entries() {
                self.entry(key.value, item, record.as_ref(), seen);
            }
        }
    }

    fn entry(&self, key: &str, item: Item<'_>, record: Option<&At<&str>>, seen: Option<&Seen<'_>>) {
        match record {
            _ if !item.is_string() => self.item(item, seen),
            Some(record) if key == "path" => self.record(item, record.value),
            None if PATHS.contains(&key) => self.event(item, seen),
            _ => {}
        }
    }

    fn event(&self, item: Item<'_>, seen: Option<&Seen<'_>>) {
        if let Some(seen) = seen.filter(|_| is_path(&item)) {
            check(self.report, item, &seen.examples(), &seen.of);
        }
    }

    /// A path into the records of a lookup: a record, or a list of them.
    fn record(&self, item: Item<'_>, lookup: &str) {
        let Some(lookup) = self.rule.lookups.iter().find(|declared| declared.name == lookup) else { return };
        let Some(records) = self.samples.of_records(&self.sources, &lookup.record).filter(|_| is_path(&item)) else { return };
        let Some(path) = item.path() else { return };
        let depth = usize::from(!lookup.key.is_singular());
        // A field that nobody keeps has been reported as such.
        let is_kept = |field: &String| self.sources.iter().any(|source| keeps(source, &lookup.record, field));
        if path.name_at(depth).is_some_and(|field| !is_kept(&field)) {
            return;
        }
        let records: Vec<Sample> = if depth == 0 { records } else { records.into_iter().map(Sample::in_list).collect() };
        let examples: Vec<Example<'_>> = records.iter().map(Sample::example).collect();
        check(self.report, item, &examples, &format!("the records of type {}", lookup.record));
    }
}

fn keeps(source: &Source, kind: &str, field: &str) -> bool {
    source.records.iter().any(|record| record.kind == kind && record.keep.contains_key(field))
}

/// Warns where the path leads nowhere in all `examples`.
fn check(report: &Report<'_>, item: Item<'_>, examples: &[Example<'_>], of: &str) {
    let (Some(text), Some(path)) = (item.string(), item.path()) else { return };
    let Some(Broken { segment, why }) = path.broken(examples) else { return };
    let place = path.places().get(segment).cloned();
    let within = |part: &Range<usize>| report.file.within(&text.span, text.value, part.clone());
    let span = place.as_ref().map_or(text.span.clone(), within);
    let before = place.as_ref().and_then(|place| text.value.get(..place.start)).unwrap_or("$");
    let known: Vec<&str> = match &why {
        Why::NoName { known, .. } | Why::IsList { known, .. } => known.iter().map(String::as_str).collect(),
        Why::NoContainer | Why::NoList => Vec::new(),
    };
    let meant = match (&why, &place) {
        (Why::NoName { name, .. }, Some(place)) => closest(name, &known).and_then(|meant| path.renamed(place, "", meant)),
        (Why::IsList { name, .. }, Some(place)) => {
            let meant = known.iter().find(|known| *known == name).copied().or_else(|| closest(name, &known));
            meant.and_then(|meant| path.renamed(place, "[*]", meant))
        }
        _ => None,
    };
    let matter = match &why {
        Why::NoName { name, .. } => format!("`{before}` has no `{name}` in any sample of {of}"),
        Why::IsList { name, .. } => format!("`{before}` is a list in every sample of {of}, so it has no `{name}`"),
        Why::NoList => format!("`{before}` is no list in any sample of {of}"),
        Why::NoContainer => format!("nothing stands below `{before}` in any sample of {of}"),
    };
    let finding = warning("no-such-path", span, matter);
    let listed = if meant.is_none() && !known.is_empty() && known.len() <= 20 {
        format!("there are: {}; ", known.join(", "))
    } else {
        String::new()
    };
    let finding = finding.help(format!("{listed}where events have it all the same, add it to a sample of the source"));
    report.push(match meant {
        Some(meant) => finding.instead(report.file.within(&text.span, text.value, 0..text.value.len()), meant),
        None => finding,
    });
}
