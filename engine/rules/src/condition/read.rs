//! Reads conditions from files.
//!
//! To add an operator: a row in [`OPERATORS`], an arm in [`Reader::test`], a [`TestKind`] with its arms in `test`, `bind` and
//! `words`, a row in the tables of tests, a line in `ABOUT` of `schema/condition.rs`, and one in `rules/README.md`.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use regex::Regex;
use serde_json::{Map, Value};

use super::date::{DAYS, Day};
use super::{Clause, Comparison, Condition, Convert, Pattern, Right, Spans, Spot, Test, TestKind, Within, ZoneOfTime, glob};
use crate::diagnostic::{error, warning};
use crate::path::Path;
use crate::reader::{Item, Table};
use crate::rule::Draft;
use crate::rule::names::{Names, Reach};
use crate::source::{EventMapping, pick, zone};
use crate::template::Templates;
use crate::time;

/// What stands on the right side of an operator in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RightSide {
    /// `true` or `false`.
    Flag,
    /// A value, `{ path = … }` or `{ setting = … }`.
    Value,
    /// The same, where the value is a number; with `as` also a text that says one, or a time.
    Number,
    /// The same, where the value is a text.
    Text,
    /// The same, where the value is a time.
    Time,
    /// A list of values and such, or one that stands for a list.
    Values,
    /// Two of such.
    Pair,
    /// A text, or one over settings.
    Pattern,
    /// A number, or a table of comparisons.
    Length,
    /// `{ from, to, weekdays, timezone }`
    Hours,
    /// `true`, `false` or `{ from, to }`.
    Change,
}

/// Every operator that a clause may carry.
pub(crate) const OPERATORS: [(&str, RightSide); 23] = [
    ("equals", RightSide::Value),
    ("not_equals", RightSide::Value),
    ("in", RightSide::Values),
    ("not_in", RightSide::Values),
    ("exists", RightSide::Flag),
    ("is_null", RightSide::Flag),
    ("missing", RightSide::Flag),
    ("gt", RightSide::Number),
    ("gte", RightSide::Number),
    ("lt", RightSide::Number),
    ("lte", RightSide::Number),
    ("between", RightSide::Pair),
    ("contains", RightSide::Value),
    ("not_contains", RightSide::Value),
    ("starts_with", RightSide::Text),
    ("ends_with", RightSide::Text),
    ("matches", RightSide::Pattern),
    ("glob", RightSide::Pattern),
    ("length", RightSide::Length),
    ("before", RightSide::Time),
    ("after", RightSide::Time),
    ("within", RightSide::Hours),
    ("changed", RightSide::Change),
];

/// The comparisons of a length.
pub(crate) const COMPARISONS: [(&str, Comparison); 5] =
    [("equals", Comparison::Equal), ("gt", Comparison::Gt), ("gte", Comparison::Gte), ("lt", Comparison::Lt), ("lte", Comparison::Lte)];

/// What `as` may say.
pub(crate) const CONVERSIONS: [(&str, Convert); 3] = [("string", Convert::String), ("number", Convert::Number), ("date", Convert::Date)];

/// Conditions are nested no deeper.
const DEPTH_MAX: u32 = 16;

/// What a condition may name.
pub(crate) struct Scope<'s> {
    names: &'s Names,
    templates: &'s mut Templates,
    /// The settings where nobody chose.
    defaults: &'s Map<String, Value>,
    /// Something says in which zone clinics are, or nobody knows who would.
    has_zone: bool,
    /// What the edits among the events are edits of; nothing where that is not known.
    edits: Option<Vec<&'s Path>>,
    reach: Documents,
}

/// The documents that a condition may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Documents {
    /// The event alone, in `[when]`.
    Event,
    /// The event alone, in a source, which has no rule's settings and lookups.
    Delivery,
    /// Also the records of the rule's lookups.
    Records,
}

/// What the right side of an operator must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Anything,
    Scalar,
    Text,
    Number,
    /// A number, or a text that says one.
    NumberText,
    Date,
}

/// What the right side of `kind` must be.
pub(super) fn wanted(kind: &TestKind, convert: Option<Convert>) -> Wanted {
    match (kind, convert) {
        (TestKind::Before(_) | TestKind::After(_), _) => Wanted::Date,
        (TestKind::Length(_), _) => Wanted::Number,
        (TestKind::StartsWith(_) | TestKind::EndsWith(_) | TestKind::Matches(_) | TestKind::Glob(_), _) => Wanted::Text,
        (_, Some(Convert::Date)) => Wanted::Date,
        (_, Some(Convert::Number)) => Wanted::NumberText,
        (TestKind::Compare(..) | TestKind::Between(..), _) => Wanted::Number,
        (_, Some(Convert::String)) => Wanted::Scalar,
        _ => Wanted::Anything,
    }
}

/// Reads a list of conditions, all of which must hold.
pub(crate) fn conditions(item: Item<'_>, scope: &mut Scope<'_>) -> Option<Condition> {
    let parts = scope.parts(item, 0)?;
    Some(Condition::All(parts))
}

/// Reads one condition table: `all`, `any`, `not`, or a path with its operators.
pub(crate) fn condition(table: &Table<'_>, scope: &mut Scope<'_>) -> Option<Condition> {
    scope.tree(table, 0)
}

impl<'s> Scope<'s> {
    /// Of a condition over the event alone.
    pub(crate) fn of_event(names: &'s Names, draft: &'s mut Draft<'_, '_>) -> Self {
        Self::of_rule(names, draft, Documents::Event)
    }

    /// Of a condition that may also ask the records of the rule's lookups.
    pub(crate) fn of_records(names: &'s Names, draft: &'s mut Draft<'_, '_>) -> Self {
        Self::of_rule(names, draft, Documents::Records)
    }

    fn of_rule(names: &'s Names, draft: &'s mut Draft<'_, '_>, reach: Documents) -> Self {
        let known = draft.sources_are_known();
        let events = draft.sources.iter().flat_map(|source| &source.events).filter(|event| draft.about.contains(&event.kind));
        let edits = known.then(|| events.filter_map(|event| Some(&event.changes.as_ref()?.of)).collect());
        let has_zone = !known || draft.clinic_timezone().is_some();
        Self { names, has_zone, edits, templates: draft.templates, defaults: &draft.defaults, reach }
    }

    /// Of a condition that a source asks of its own `events`: it has no settings and no lookups.
    pub(crate) fn of_source(
        nothing: &'s (Names, Map<String, Value>),
        templates: &'s mut Templates,
        events: impl Iterator<Item = &'s EventMapping>,
        clinic_timezone: Option<&TimeZone>,
    ) -> Self {
        let edits = Some(events.filter_map(|event| Some(&event.changes.as_ref()?.of)).collect());
        let has_zone = clinic_timezone.is_some();
        Self { names: &nothing.0, templates, defaults: &nothing.1, has_zone, edits, reach: Documents::Delivery }
    }
}

impl Scope<'_> {
    fn parts(&mut self, item: Item<'_>, depth: u32) -> Option<Vec<Condition>> {
        check_depth(item, depth)?;
        let items = item.array()?;
        if items.is_empty() {
            item.report().push(error("empty-list", item.span(), "a list of conditions needs at least one"));
        }
        Some(items.into_iter().filter_map(|item| self.tree(&item.table("a condition")?, depth + 1)).collect())
    }

    fn tree(&mut self, table: &Table<'_>, depth: u32) -> Option<Condition> {
        let mut all = Vec::new();
        if let Some(item) = table.get("all") {
            all.extend(self.parts(item, depth).map(Condition::All));
        }
        if let Some(item) = table.get("any") {
            all.extend(self.parts(item, depth).map(Condition::Any));
        }
        if let Some(item) = table.get("not") {
            all.extend(self.negation(item, depth));
        }
        let path = table.get("path");
        let tree = ["all", "any", "not"].into_iter().any(|key| table.get(key).is_some());
        if path.is_some() || !tree {
            all.extend(self.clauses(table, path));
        }
        table.finish();
        if all.len() > 1 { Some(Condition::All(all)) } else { all.pop() }
    }

    fn negation(&mut self, item: Item<'_>, depth: u32) -> Option<Condition> {
        check_depth(item, depth)?;
        let part = self.tree(&item.table("a condition")?, depth + 1)?;
        Some(Condition::Not(Box::new(part)))
    }

    /// The clauses of one table: one for each operator, about one path.
    fn clauses(&mut self, table: &Table<'_>, path: Option<Item<'_>>) -> Option<Condition> {
        let report = table.report();
        let record = self.record(table);
        let every = table.get("every").and_then(Item::boolean).unwrap_or(false);
        let convert = table.get("as").and_then(|item| pick(item, "as", &CONVERSIONS));
        let at = path.and_then(Item::path).map(|path| Spot { record, path });
        let mut reader = Reader { scope: self, at: at.as_ref(), convert, every, dated: false };
        let mut tests = Vec::new();
        for (name, _) in OPERATORS {
            if let Some(item) = table.get(name) {
                tests.push(reader.test(name, item).map(|test| (test, item.span())));
            }
        }
        let Some(item) = path else {
            let known = "a condition is a path with an operator, or one of all, any, not";
            report.push(error("missing-key", table.span.clone(), "`path` is missing in a condition").help(known));
            return None;
        };
        // A misspelt operator is reported as such.
        if tests.is_empty() && !table.has_unknown_keys() {
            let known = OPERATORS.map(|(name, _)| name).join(", ");
            report.push(
                error("missing-operator", table.span.clone(), "this condition has a path, but no operator")
                    .help(format!("operators are {known}")),
            );
        }
        let at = at?;
        if let Some(record) = &at.record {
            self.names.check_kept(report, record, &at.path, item.span());
        }
        if every && at.path.is_singular() {
            let finding = warning("every-of-one", item.span(), "`every` says nothing about a path that yields one value");
            report.push(finding.help("`$.phones[*].phone` yields several values; `$.phones` is one list"));
        }
        let clause = |(test, right): (Test, Range<usize>)| {
            let spans = Spans { path: item.span(), right };
            Condition::Clause(Box::new(Clause { at: at.clone(), every, convert, test, spans }))
        };
        let mut clauses: Vec<_> = tests.into_iter().flatten().map(clause).collect();
        if clauses.len() > 1 { Some(Condition::All(clauses)) } else { clauses.pop() }
    }

    /// The lookup that a table names.
    fn record(&self, table: &Table<'_>) -> Option<String> {
        let name = table.string("record")?;
        match self.reach {
            Documents::Event => {
                let text = "[when] is about the event alone; records may have changed by the time of the action";
                table.report().push(error("record-in-when", name.span, text).help("move the condition to `only_if` of the action"));
            }
            Documents::Delivery => {
                let finding = error("record-in-when", name.span, "this condition is about the event alone");
                table.report().push(finding.help("ask the event: a source has no lookups"));
            }
            Documents::Records => self.names.check_lookup(table.report(), &name),
        }
        Some(name.value.to_owned())
    }
}

fn check_depth(item: Item<'_>, depth: u32) -> Option<()> {
    if depth > DEPTH_MAX {
        item.report().push(error("too-deep", item.span(), format!("conditions are nested deeper than {DEPTH_MAX}")));
        return None;
    }
    Some(())
}

/// Reads the operators of one clause.
struct Reader<'x, 's> {
    scope: &'x mut Scope<'s>,
    /// What they are about, where it could be read.
    at: Option<&'x Spot>,
    convert: Option<Convert>,
    every: bool,
    /// The operator that is being read compares times.
    dated: bool,
}

impl Reader<'_, '_> {
    fn test(&mut self, name: &'static str, item: Item<'_>) -> Option<Test> {
        self.dated = self.convert == Some(Convert::Date) || matches!(name, "before" | "after");
        let (negated, kind) = match name {
            "equals" => (false, TestKind::Equals(self.right(item)?)),
            "not_equals" => (true, TestKind::Equals(self.right(item)?)),
            "in" => (false, TestKind::In(self.rights(item)?)),
            "not_in" => (true, TestKind::In(self.rights(item)?)),
            "exists" => (!item.boolean()?, TestKind::Exists),
            "is_null" => (!item.boolean()?, TestKind::IsNull),
            "missing" => (!item.boolean()?, TestKind::Missing),
            "gt" => (false, TestKind::Compare(Comparison::Gt, self.right(item)?)),
            "gte" => (false, TestKind::Compare(Comparison::Gte, self.right(item)?)),
            "lt" => (false, TestKind::Compare(Comparison::Lt, self.right(item)?)),
            "lte" => (false, TestKind::Compare(Comparison::Lte, self.right(item)?)),
            "between" => (false, self.between(item)?),
            "contains" => (false, TestKind::Contains(self.right(item)?)),
            "not_contains" => (true, TestKind::Contains(self.right(item)?)),
            "starts_with" => (false, TestKind::StartsWith(self.right(item)?)),
            "ends_with" => (false, TestKind::EndsWith(self.right(item)?)),
            "matches" => (false, TestKind::Matches(self.pattern(item, glob::regex, "regular expression")?)),
            "glob" => (false, TestKind::Glob(self.pattern(item, glob::glob, "pattern")?)),
            "length" => (false, TestKind::Length(self.lengths(item)?)),
            "before" => (false, TestKind::Before(self.right(item)?)),
            "after" => (false, TestKind::After(self.right(item)?)),
            "within" => (false, TestKind::Within(self.within(item)?)),
            _ => self.changed(item)?,
        };
        self.check(name, item, &kind)?;
        if self.every && negated && !matches!(kind, TestKind::Exists | TestKind::IsNull | TestKind::Missing) {
            let text = format!("`{name}` with `every` holds where *not every* value fits, because it is the exact negation");
            let finding = warning("every-negated", item.span(), text);
            item.report().push(finding.help(format!("without `every`, `{name}` holds where no value fits")));
        }
        Some(Test { negated, kind })
    }

    /// Holds the right sides that are known against what the operator compares.
    fn check(&self, name: &str, item: Item<'_>, kind: &TestKind) -> Option<()> {
        let ordered = matches!(kind, TestKind::Compare(..) | TestKind::Between(..));
        let dated = matches!(kind, TestKind::Before(_) | TestKind::After(_));
        let as_other =
            (ordered && self.convert == Some(Convert::String)) || (dated && self.convert.is_some_and(|convert| convert != Convert::Date));
        if as_other {
            let compares = if dated { "dates" } else { "numbers, and dates with `as = \"date\"`" };
            item.report().push(error("contradiction", item.span(), format!("`{name}` compares {compares}, which `as` says this is not")));
            return None;
        }
        let wanted = wanted(kind, self.convert);
        let defaults = self.scope.defaults;
        let unfit = |right: &&Right| match right {
            Right::Literal(value) => !wanted.takes(value),
            Right::Setting(name) => defaults.get(name).is_some_and(|value| !wanted.takes(value)),
            Right::At(_) | Right::Template(_) => false,
        };
        if kind.rights().into_iter().any(|right| unfit(&right)) {
            let mut finding = error("wrong-type", item.span(), format!("`{name}` needs {} to compare with", wanted.name()));
            if ordered && self.convert.is_none() {
                finding = finding.help("dates are compared with `before` and `after`, or with `as = \"date\"`");
            }
            item.report().push(finding);
            return None;
        }
        Some(())
    }

    /// A value, `{ path = … }`, `{ record = …, path = … }` or `{ setting = … }`.
    fn right(&mut self, item: Item<'_>) -> Option<Right> {
        if item.is_table() {
            return self.reference(item);
        }
        if item.is_string() {
            let template = self.scope.names.template(item, self.scope.templates, Reach::Settings)?;
            let fixed = template.names().is_empty();
            return Some(if fixed { Right::Literal(Value::String(template.text().to_owned())) } else { Right::Template(template) });
        }
        if self.dated && item.is_datetime() {
            return item.instant_text().map(|text| Right::Literal(Value::String(text.value)));
        }
        item.json().map(Right::Literal)
    }

    fn reference(&mut self, item: Item<'_>) -> Option<Right> {
        let table = item.table("the right side")?;
        let setting = table.string("setting");
        let path = table.get("path");
        let record = self.scope.record(&table);
        table.finish();
        match (setting, path) {
            (Some(setting), None) => {
                self.scope.names.use_setting(setting.value);
                let known = &self.scope.names.settings;
                if !known.contains(setting.value) {
                    let finding = error("unknown-setting", setting.span.clone(), format!("there is no [settings.{}]", setting.value));
                    table.report().push(finding.meant(setting.value, known.iter().map(String::as_str)));
                    return None;
                }
                Some(Right::Setting(setting.value.to_owned()))
            }
            (None, Some(item)) => {
                let path = item.path()?;
                if let Some(record) = &record {
                    self.scope.names.check_kept(table.report(), record, &path, item.span());
                }
                Some(Right::At(Spot { record, path }))
            }
            _ => {
                let finding = error("wrong-type", item.span(), "a right side that is a table names a `path` or a `setting`");
                table.report().push(finding.help("such as { path = \"$.data.limit\" } or { setting = \"limit\" }"));
                None
            }
        }
    }

    /// A list of values, or one right side that stands for a list.
    fn rights(&mut self, item: Item<'_>) -> Option<Vec<Right>> {
        if item.is_table() {
            return self.reference(item).map(|right| vec![right]);
        }
        let items = item.array()?;
        Some(items.into_iter().filter_map(|item| self.right(item)).collect())
    }

    fn between(&mut self, item: Item<'_>) -> Option<TestKind> {
        let items = item.array()?;
        if items.len() != 2 {
            item.report().push(error("wrong-type", item.span(), "`between` needs a list of two, the lowest and the highest"));
            return None;
        }
        let rights: Vec<Right> = items.into_iter().filter_map(|item| self.right(item)).collect();
        // What is no right side has been reported.
        let [low, high] = <[Right; 2]>::try_from(rights).ok()?;
        Some(TestKind::Between(low, high))
    }

    fn pattern(&mut self, item: Item<'_>, compile: fn(&str) -> Result<Regex, String>, what: &str) -> Option<Pattern> {
        let bad = |why: String| item.report().push(error("bad-regex", item.span(), format!("this is not a {what}: {why}")));
        let text = item.string()?;
        // Braces are common in regular expressions; only two of them begin a template.
        if !text.value.contains("{{") {
            let regex = compile(text.value).map_err(bad).ok()?;
            return Some(Pattern::Fixed { text: text.value.to_owned(), regex });
        }
        let template = self.scope.names.template(item, self.scope.templates, Reach::Settings)?;
        if let Ok(text) = self.scope.templates.over_settings(&template, self.scope.defaults) {
            compile(text.as_str().unwrap_or_default()).map_err(bad).ok()?;
        }
        Some(Pattern::From(template))
    }

    /// A length, or `{ gte = 1, lt = 5 }`.
    fn lengths(&mut self, item: Item<'_>) -> Option<Vec<(Comparison, Right)>> {
        if !item.is_table() {
            return Some(vec![(Comparison::Equal, self.right(item)?)]);
        }
        let table = item.table("length")?;
        let is_reference = ["path", "setting"].into_iter().any(|key| table.get(key).is_some());
        if is_reference {
            return Some(vec![(Comparison::Equal, self.reference(item)?)]);
        }
        let bounds: Vec<_> =
            COMPARISONS.into_iter().filter_map(|(name, comparison)| Some((comparison, self.right(table.get(name)?)?))).collect();
        table.finish();
        if bounds.is_empty() && !table.has_unknown_keys() {
            item.report().push(error("missing-operator", item.span(), "`length` is a number, or a table of equals, gt, gte, lt, lte"));
        }
        Some(bounds)
    }

    fn within(&mut self, item: Item<'_>) -> Option<Within> {
        let table = item.table("within")?;
        let hour = |key: &'static str| table.get(key).map(hour);
        let (from, to) = (hour("from"), hour("to"));
        let weekdays = table.get("weekdays");
        let given = table.get("timezone");
        table.finish();
        let report = table.report();
        if from.is_some() != to.is_some() {
            report.push(error("missing-key", item.span(), "hours have both `from` and `to`"));
        }
        if from.is_none() && to.is_none() && weekdays.is_none() && !table.has_unknown_keys() {
            report.push(error("missing-key", item.span(), "`within` needs `from` and `to`, or `weekdays`"));
        }
        let weekdays = weekdays.map(days).unwrap_or_default();
        let zone = match given {
            None => {
                if !self.scope.has_zone {
                    let finding = error("no-zone", item.span(), "nothing says in which time zone these hours are");
                    report.push(finding.help("give the source a `clinic_timezone`, or `within` a `timezone`"));
                }
                ZoneOfTime::Clinic
            }
            Some(item) if item.is_table() => match self.reference(item)? {
                Right::At(spot) => ZoneOfTime::At(spot),
                Right::Literal(_) | Right::Setting(_) | Right::Template(_) => {
                    return item.mismatch("the name of a time zone, or a path to one");
                }
            },
            Some(item) => ZoneOfTime::Fixed(zone(item)?),
        };
        let hours = match (from, to) {
            (Some(from), Some(to)) => Some((from?, to?)),
            _ => None,
        };
        Some(Within { hours, weekdays, zone })
    }

    /// `true`, `false`, or `{ from, to }`.
    fn changed(&mut self, item: Item<'_>) -> Option<(bool, TestKind)> {
        let (negated, from, to) = if item.is_table() {
            let table = item.table("changed")?;
            let (from, to) = (table.get("from"), table.get("to"));
            table.finish();
            if from.is_none() && to.is_none() && !table.has_unknown_keys() {
                item.report().push(error("missing-key", item.span(), "`changed` is true, false, or a table with `from` or `to`"));
            }
            (false, from.and_then(|item| self.right(item)), to.and_then(|item| self.right(item)))
        } else {
            (!item.boolean()?, None, None)
        };
        self.check_edits(item);
        Some((negated, TestKind::Changed { from, to }))
    }

    /// Reports that no event of the rule says what was there before at this path.
    fn check_edits(&self, item: Item<'_>) {
        let Some(at) = self.at else { return };
        if at.record.is_some() {
            item.report().push(error(
                "contradiction",
                item.span(),
                "`changed` is about the event; a record does not say what it was before",
            ));
            return;
        }
        let Some(edits) = &self.scope.edits else { return };
        if edits.is_empty() {
            let finding = error("no-changes", item.span(), "no source says where these events tell what they changed");
            item.report().push(finding.help("give the [[events]] of the source `changes = { of = …, old = …, new = … }`"));
        } else if !edits.iter().any(|of| at.path.depth_below(of).is_some()) {
            let known: BTreeSet<&str> = edits.iter().map(|of| of.as_str()).collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            item.report().push(error("no-changes", item.span(), format!("changes are told of what stands below {known} only")));
        }
    }
}

fn hour(item: Item<'_>) -> Option<Time> {
    let text = item.string()?;
    time::time_of_day(text.value).or_else(|| {
        let finding = error("bad-time", text.span, format!("`{}` is not a time of day", text.value));
        item.report().push(finding.help("times of day are written 08:00"));
        None
    })
}

fn days(item: Item<'_>) -> BTreeSet<Day> {
    let words = item.strings().unwrap_or_default();
    if words.is_empty() && item.is_array() {
        item.report().push(error("empty-list", item.span(), "`weekdays` names no day"));
    }
    let day = |word: &crate::reader::At<&str>| {
        let found = DAYS.iter().zip(0_i8..).find(|(name, _)| **name == word.value).map(|(_, index)| Day(index));
        if found.is_none() {
            let finding = error("unknown-word", word.span.clone(), format!("`{}` is not a day of the week", word.value));
            item.report().push(finding.meant(word.value, DAYS));
        }
        found
    };
    words.iter().filter_map(day).collect()
}
