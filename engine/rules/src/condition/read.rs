//! Reads conditions from files.
//!
//! To add an operator: a name in [`OPERATORS`], an arm in [`test`], a [`TestKind`] with its arm in `passes` and its words in `why`, a row in
//! the table of tests, and a line in `rules/README.md`.

use regex::RegexBuilder;
use serde_json::{Number, Value};

use super::{Clause, Comparison, Condition, Test, TestKind};
use crate::diagnostic::error;
use crate::reader::{Item, Table};
use crate::rule::names::Names;

/// Every operator that a clause may carry.
const OPERATORS: [&str; 16] = [
    "equals",
    "not_equals",
    "in",
    "not_in",
    "exists",
    "is_null",
    "missing",
    "gt",
    "gte",
    "lt",
    "lte",
    "between",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
];
/// The operator whose right side is compiled.
const MATCHES: &str = "matches";

/// Conditions are nested no deeper.
const DEPTH_MAX: u32 = 16;
/// No regular expression takes more memory, in bytes.
const REGEX_SIZE_MAX: usize = 1 << 20;

/// What a condition may ask.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'n> {
    /// The event alone.
    Event,
    /// Also the records of these lookups.
    Records(&'n Names),
}

/// Reads a list of conditions, all of which must hold.
pub(crate) fn conditions(item: Item<'_>, scope: Scope<'_>) -> Option<Condition> {
    let parts = parts(item, scope, 0)?;
    Some(Condition::All(parts))
}

/// Reads one condition table: `all`, `any`, `not`, or a path with its operators.
pub(crate) fn condition(table: &Table<'_>, scope: Scope<'_>) -> Option<Condition> {
    tree(table, scope, 0)
}

fn parts(item: Item<'_>, scope: Scope<'_>, depth: u32) -> Option<Vec<Condition>> {
    if depth > DEPTH_MAX {
        item.report().push(error("too-deep", item.span(), format!("conditions are nested deeper than {DEPTH_MAX}")));
        return None;
    }
    let items = item.array()?;
    if items.is_empty() {
        item.report().push(error("empty-list", item.span(), "a list of conditions needs at least one"));
    }
    Some(items.into_iter().filter_map(|item| tree(&item.table("a condition")?, scope, depth + 1)).collect())
}

fn tree(table: &Table<'_>, scope: Scope<'_>, depth: u32) -> Option<Condition> {
    let mut all = Vec::new();
    if let Some(item) = table.get("all") {
        all.extend(parts(item, scope, depth).map(Condition::All));
    }
    if let Some(item) = table.get("any") {
        all.extend(parts(item, scope, depth).map(Condition::Any));
    }
    if let Some(item) = table.get("not") {
        all.extend(negation(item, scope, depth));
    }
    let path = table.get("path");
    let tree = ["all", "any", "not"].into_iter().any(|key| table.get(key).is_some());
    if path.is_some() || !tree {
        all.extend(clauses(table, path, scope));
    }
    table.finish();
    if all.len() > 1 { Some(Condition::All(all)) } else { all.pop() }
}

fn negation(item: Item<'_>, scope: Scope<'_>, depth: u32) -> Option<Condition> {
    if depth > DEPTH_MAX {
        item.report().push(error("too-deep", item.span(), format!("conditions are nested deeper than {DEPTH_MAX}")));
        return None;
    }
    let part = tree(&item.table("a condition")?, scope, depth + 1)?;
    Some(Condition::Not(Box::new(part)))
}

/// The clauses of one table: one for each operator, about one path.
fn clauses(table: &Table<'_>, path: Option<Item<'_>>, scope: Scope<'_>) -> Option<Condition> {
    let record = record(table, scope);
    let mut tests = Vec::new();
    for name in OPERATORS.into_iter().chain([MATCHES]) {
        if let Some(item) = table.get(name) {
            tests.push(test(name, item));
        }
    }
    let report = table.report();
    let Some(item) = path else {
        let known = "a condition is a path with an operator, or one of all, any, not";
        report.push(error("missing-key", table.span.clone(), "`path` is missing in a condition").help(known));
        return None;
    };
    let path = item.path();
    // A misspelt operator is reported as such.
    if tests.is_empty() && !table.has_unknown_keys() {
        let known = OPERATORS.iter().chain([&MATCHES]).copied().collect::<Vec<_>>().join(", ");
        report.push(
            error("missing-operator", table.span.clone(), "this condition has a path, but no operator")
                .help(format!("operators are {known}")),
        );
    }
    let path = path?;
    if let (Scope::Records(names), Some(record)) = (scope, &record) {
        names.check_kept(report, record, &path, item.span());
    }
    let clause = |test| Condition::Clause(Clause { record: record.clone(), path: path.clone(), test });
    let mut clauses: Vec<_> = tests.into_iter().flatten().map(clause).collect();
    if clauses.len() > 1 { Some(Condition::All(clauses)) } else { clauses.pop() }
}

fn record(table: &Table<'_>, scope: Scope<'_>) -> Option<String> {
    let name = table.string("record")?;
    match scope {
        Scope::Event => {
            let finding =
                error("record-in-when", name.span, "[when] is about the event alone; records may have changed by the time of the action");
            table.report().push(finding.help("move the condition to `only_if` of the action"));
        }
        Scope::Records(names) => names.check_lookup(table.report(), &name),
    }
    Some(name.value.to_owned())
}

fn test(name: &str, item: Item<'_>) -> Option<Test> {
    let (negated, kind) = match name {
        "equals" => (false, TestKind::Equals(literal(item)?)),
        "not_equals" => (true, TestKind::Equals(literal(item)?)),
        "in" => (false, TestKind::In(literals(item)?)),
        "not_in" => (true, TestKind::In(literals(item)?)),
        "exists" => (!item.boolean()?, TestKind::Exists),
        "is_null" => (!item.boolean()?, TestKind::IsNull),
        "missing" => (!item.boolean()?, TestKind::Missing),
        "gt" => (false, TestKind::Compare(Comparison::Gt, number(item)?)),
        "gte" => (false, TestKind::Compare(Comparison::Gte, number(item)?)),
        "lt" => (false, TestKind::Compare(Comparison::Lt, number(item)?)),
        "lte" => (false, TestKind::Compare(Comparison::Lte, number(item)?)),
        "between" => (false, between(item)?),
        "contains" => (false, TestKind::Contains(literal(item)?)),
        "not_contains" => (true, TestKind::Contains(literal(item)?)),
        "starts_with" => (false, TestKind::StartsWith(item.string()?.value.to_owned())),
        "ends_with" => (false, TestKind::EndsWith(item.string()?.value.to_owned())),
        _ => (false, matches(item)?),
    };
    Some(Test { negated, kind })
}

/// A value to compare with. Tables are kept for right sides that are looked up, so a literal object is refused.
fn literal(item: Item<'_>) -> Option<Value> {
    if item.is_table() { item.mismatch("a string, a number, true, false or a list") } else { item.json() }
}

fn literals(item: Item<'_>) -> Option<Vec<Value>> {
    item.array().map(|items| items.into_iter().filter_map(literal).collect())
}

fn number(item: Item<'_>) -> Option<Number> {
    match item.json()? {
        Value::Number(number) => Some(number),
        _ => item.mismatch("a number"),
    }
}

fn between(item: Item<'_>) -> Option<TestKind> {
    let numbers: Vec<Number> = item.array()?.into_iter().filter_map(number).collect();
    match <[Number; 2]>::try_from(numbers) {
        Ok([low, high]) => Some(TestKind::Between(low, high)),
        Err(_) => item.mismatch("a list of two numbers, the lowest and the highest"),
    }
}

fn matches(item: Item<'_>) -> Option<TestKind> {
    let text = item.string()?;
    match RegexBuilder::new(text.value).size_limit(REGEX_SIZE_MAX).build() {
        Ok(regex) => Some(TestKind::Matches(regex)),
        Err(bad) => {
            let why = bad.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            item.report().push(error("bad-regex", text.span, format!("this is not a regular expression: {why}")));
            None
        }
    }
}
