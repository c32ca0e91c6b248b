//! Reads `[[test]]`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value};
use zelo_core::http::Answer;

use super::{Payload, RuleTest, TestEvent, expect};
use crate::diagnostic::{Report, error};
use crate::path::Path;
use crate::reader::{At, Item, Table};
use crate::rule::grants::pattern;
use crate::rule::names::LookedUp;
use crate::rule::{Action, Setting, check_settings};

/// The names that the tests of a rule may use.
pub(crate) struct Declared<'r> {
    pub(crate) settings: &'r [Setting],
    pub(crate) lookups: &'r BTreeMap<String, LookedUp>,
    /// The actions by name; none where one of them could not be read.
    pub(crate) actions: Option<BTreeMap<&'r str, &'r Action>>,
    /// The event types that sources name; none where they are not known.
    pub(crate) types: Option<BTreeSet<&'r str>>,
}

impl<'r> Declared<'r> {
    /// The action called `name`, or a report that there is none.
    pub(super) fn action(&self, report: &Report<'_>, name: &At<&str>) -> Option<&'r Action> {
        let known = self.actions.as_ref()?;
        let found = known.get(name.value).copied();
        if found.is_none() {
            let finding = error("unknown-action", name.span.clone(), format!("the rule has no action `{}`", name.value));
            report.push(finding.meant(name.value, known.keys().copied()));
        }
        found
    }

    /// Reports a type of events that no source names, and no action emits.
    pub(super) fn check_type(&self, report: &Report<'_>, kind: &At<&str>) {
        let Some(types) = self.types.as_ref().filter(|types| !types.contains(kind.value)) else { return };
        let finding = error("unknown-type", kind.span.clone(), format!("no source names the event type `{}`", kind.value));
        report.push(finding.meant(kind.value, types.iter().copied()));
    }
}

/// Reads one `[[test]]`.
pub(crate) fn read(table: &Table<'_>, declared: &Declared<'_>) -> Option<RuleTest> {
    let name = table.need_string("name");
    let own = table.need("event").and_then(|item| item.table("event")).and_then(|table| event(&table, declared, None));
    let before = table.get("before").and_then(Item::array).unwrap_or_default().into_iter();
    let before = before.filter_map(|item| item.table("before")).filter_map(|table| {
        let at = table.get("at").and_then(instant);
        event(&table, declared, at)
    });
    let before = before.collect();
    let connection = table.string("connection").map(|connection| connection.value.to_owned());
    let now = table.need("now").and_then(instant);
    let records = table.table("records").map(|table| records(&table, declared)).unwrap_or_default();
    let settings = table.get("settings").map(|item| settings(item, declared)).unwrap_or_default();
    let steps = table.table("steps").map(|table| steps(&table, declared)).unwrap_or_default();
    let answers = table.get("http").and_then(Item::array).unwrap_or_default().into_iter();
    let answers = answers.filter_map(|item| answer(&item.table("http")?)).collect();
    let expect = table.need("expect").and_then(|item| item.table("expect")).map(|table| expect::read(&table, declared));
    table.finish();
    let (line, _) = table.report().file.position(table.span.start);
    Some(RuleTest {
        name: name?.value.to_owned(),
        line,
        event: own?,
        before,
        connection,
        now: now?,
        records,
        settings,
        answers,
        steps,
        expect: expect?,
    })
}

pub(super) fn instant(item: Item<'_>) -> Option<Timestamp> {
    let text = item.instant_text()?;
    text.value.parse().ok().or_else(|| {
        let finding = error("bad-time", text.span, format!("`{}` is not an instant", text.value));
        item.report().push(finding.help("instants are written 2026-03-06T13:00:00Z"));
        None
    })
}

fn event(table: &Table<'_>, declared: &Declared<'_>, at: Option<Timestamp>) -> Option<TestEvent> {
    let kind = table.need_string("type");
    let file = table.string("file");
    let data = table.get("data");
    let set = table.get("set").and_then(|item| item.table("set")).map(|table| assignments(&table)).unwrap_or_default();
    table.finish();
    if let Some(kind) = &kind {
        declared.check_type(table.report(), kind);
    }
    let payload = match (file, data) {
        (Some(_), Some(data)) => {
            table.report().push(error("contradiction", data.span(), "an event has a `file` or `data`, not both"));
            None
        }
        (Some(file), None) => Some(Payload::File(At { value: file.value.to_owned(), span: file.span })),
        (None, Some(data)) => data.json().map(Payload::Data),
        (None, None) => {
            table.report().push(error("missing-key", table.span.clone(), "an event needs a `file` or `data`"));
            None
        }
    };
    Some(TestEvent { kind: kind?.value.to_owned(), payload: payload?, set, at })
}

/// `{ request = "POST https://api.example.com/v1/*", status = 201, body = { id = 7 } }`
fn answer(table: &Table<'_>) -> Option<Answer> {
    let request = table.need("request").and_then(pattern);
    let status = table.get("status").map(|item| {
        let code = item.integer().and_then(|code| u16::try_from(code).ok()).filter(|code| (100..600).contains(code));
        code.or_else(|| item.mismatch("a status from 100 to 599"))
    });
    let headers = table.table("headers").map(|headers| {
        let texts = headers.entries().into_iter().filter_map(|(name, item)| Some((name.value.to_owned(), item.string()?.value.to_owned())));
        texts.collect()
    });
    let body = table.get("body").and_then(Item::json);
    table.finish();
    Some(Answer { request: request?, status: status.unwrap_or(Some(200))?, headers: headers.unwrap_or_default(), body })
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
        if declared.actions.is_none() || declared.action(table.report(), &name).is_some() {
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
