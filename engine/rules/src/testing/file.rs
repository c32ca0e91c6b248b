//! Reads `[[test]]`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Expect, ExpectAction, Payload, RuleTest, TestEvent};
use crate::diagnostic::error;
use crate::path::Path;
use crate::reader::{Item, Table};
use crate::rule::names::LookedUp;
use crate::rule::{Setting, check_settings};

/// The names that the tests of a rule may use.
pub(crate) struct Declared<'r> {
    pub(crate) settings: &'r [Setting],
    pub(crate) lookups: &'r BTreeMap<String, LookedUp>,
    /// The names of the actions; none where one of them could not be read.
    pub(crate) actions: Option<BTreeSet<&'r str>>,
    /// The event types that sources name; none where they are not known.
    pub(crate) types: Option<BTreeSet<&'r str>>,
}

/// Reads one `[[test]]`.
pub(crate) fn read(table: &Table<'_>, declared: &Declared<'_>) -> Option<RuleTest> {
    let name = table.need_string("name");
    let event = table.need("event").and_then(|item| item.table("event")).and_then(|table| event(&table, declared));
    let connection = table.string("connection").map(|connection| connection.value.to_owned());
    let now = table.need("now").and_then(instant);
    let records = table.table("records").map(|table| records(&table, declared)).unwrap_or_default();
    let settings = table.get("settings").map(|item| settings(item, declared)).unwrap_or_default();
    let steps = table.table("steps").map(|table| steps(&table, declared)).unwrap_or_default();
    let expect = table.need("expect").and_then(|item| item.table("expect")).map(|table| expect(&table, declared));
    table.finish();
    let (line, _) = table.report().file.position(table.span.start);
    Some(RuleTest { name: name?.value.to_owned(), line, event: event?, connection, now: now?, records, settings, steps, expect: expect? })
}

fn instant(item: Item<'_>) -> Option<Timestamp> {
    let text = item.instant_text()?;
    text.value.parse().ok().or_else(|| {
        let finding = error("bad-time", text.span, format!("`{}` is not an instant", text.value));
        item.report().push(finding.help("instants are written 2026-03-06T13:00:00Z"));
        None
    })
}

fn event(table: &Table<'_>, declared: &Declared<'_>) -> Option<TestEvent> {
    let kind = table.need_string("type");
    let file = table.string("file");
    let data = table.get("data");
    let set = table.get("set").and_then(|item| item.table("set")).map(|table| assignments(&table)).unwrap_or_default();
    table.finish();
    if let (Some(kind), Some(types)) = (&kind, &declared.types)
        && !types.contains(kind.value)
    {
        let finding = error("unknown-type", kind.span.clone(), format!("no source names the event type `{}`", kind.value));
        table.report().push(finding.meant(kind.value, types.iter().copied()));
    }
    let payload = match (file, data) {
        (Some(_), Some(data)) => {
            table.report().push(error("contradiction", data.span(), "an event has a `file` or `data`, not both"));
            None
        }
        (Some(file), None) => Some(Payload::File(file.value.to_owned())),
        (None, Some(data)) => data.json().map(Payload::Data),
        (None, None) => {
            table.report().push(error("missing-key", table.span.clone(), "an event needs a `file` or `data`"));
            None
        }
    };
    Some(TestEvent { kind: kind?.value.to_owned(), payload: payload?, set })
}

fn assignments(table: &Table<'_>) -> Vec<(Path, Value)> {
    let entries = table.entries().into_iter();
    entries
        .filter_map(|(key, item)| {
            let path = match Path::parse(key.value) {
                Ok(path) if path.is_singular() => path,
                Ok(_) => {
                    table.report().push(error("not-singular", key.span, "a value is set at a path of names and indexes"));
                    return None;
                }
                Err(bad) => {
                    table.report().push(error("bad-path", key.span, format!("this is not a JSONPath: {}", bad.message)));
                    return None;
                }
            };
            // TOML has no null, and payloads are full of it.
            let null = item.is_table() && item.json().is_some_and(|value| value == serde_json::json!({"null": true}));
            Some((path, if null { Value::Null } else { item.json()? }))
        })
        .collect()
}

fn records(table: &Table<'_>, declared: &Declared<'_>) -> BTreeMap<String, Value> {
    let mut records = BTreeMap::new();
    for (name, item) in table.entries() {
        if !declared.lookups.contains_key(name.value) {
            let finding = error("unknown-lookup", name.span, format!("the rule has no [lookup.{}]", name.value));
            table.report().push(finding.meant(name.value, declared.lookups.keys().map(String::as_str)));
        } else if !item.is_table() && !item.is_array() {
            item.mismatch::<()>("a record, or a list of them");
        } else {
            records.extend(item.json().map(|value| (name.value.to_owned(), value)));
        }
    }
    records
}

fn steps(table: &Table<'_>, declared: &Declared<'_>) -> Map<String, Value> {
    let mut steps = Map::new();
    for (name, item) in table.entries() {
        if let Some(known) = declared.actions.as_ref().filter(|known| !known.contains(name.value)) {
            let finding = error("unknown-action", name.span, format!("the rule has no action `{}`", name.value));
            table.report().push(finding.meant(name.value, known.iter().copied()));
        } else {
            steps.extend(item.json().map(|value| (name.value.to_owned(), value)));
        }
    }
    steps
}

fn settings(item: Item<'_>, declared: &Declared<'_>) -> Map<String, Value> {
    let Some(Value::Object(given)) = item.table("settings").and(item.json()) else { return Map::new() };
    match check_settings(declared.settings, &given) {
        Ok(settings) => settings,
        Err(problems) => {
            for problem in problems {
                item.report().push(error("bad-setting", item.span(), problem));
            }
            Map::new()
        }
    }
}

fn expect(table: &Table<'_>, declared: &Declared<'_>) -> Expect {
    let fires = table.get("fires").and_then(Item::boolean);
    let check = |name: &str, span| {
        if let Some(known) = declared.actions.as_ref().filter(|known| !known.contains(name)) {
            let finding = error("unknown-action", span, format!("the rule has no action `{name}`"));
            table.report().push(finding.meant(name, known.iter().copied()));
        }
    };
    let mut actions = BTreeMap::new();
    for (name, item) in table.table("actions").map(|table| table.entries()).unwrap_or_default() {
        check(name.value, name.span);
        actions.extend(item.table("expect").map(|table| (name.value.to_owned(), expect_action(&table))));
    }
    let cancels = table.get("cancels").and_then(Item::strings).map(|names| {
        let names = names.into_iter().map(|name| {
            check(name.value, name.span);
            name.value.to_owned()
        });
        names.collect()
    });
    table.finish();
    Expect { fires, actions, cancels }
}

fn expect_action(table: &Table<'_>) -> ExpectAction {
    let at = table.get("at").and_then(instant);
    let with = match table.get("with").and_then(|item| item.table("with").and(item.json())) {
        Some(Value::Object(with)) => with,
        _ => Map::new(),
    };
    let word = |key: &'static str| table.string(key).map(|word| word.value.to_owned());
    let expect = ExpectAction { at, with, skipped: word("skipped"), waits: word("waits") };
    table.finish();
    expect
}
