//! Reads `expect` of a `[[test]]`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use zelo_core::JobState;
use zelo_core::told::KINDS;

use super::file::{Declared, instant};
use super::{Ended, Expect, ExpectAction};
use crate::diagnostic::error;
use crate::reader::{At, Item, Table};
use crate::rule::Action;
use crate::source::pick;

/// Reads `expect`.
pub(super) fn read(table: &Table<'_>, declared: &Declared<'_>) -> Expect {
    let report = table.report();
    let fires = table.get("fires").and_then(Item::boolean);
    let mut actions = BTreeMap::new();
    for (name, item) in table.table("actions").map(|table| table.entries()).unwrap_or_default() {
        let declared = declared.action(report, &name);
        actions.extend(item.table("expect").map(|table| (name.value.to_owned(), action(&table, declared))));
    }
    let cancels = table.get("cancels").and_then(Item::strings).map(|names| {
        let names = names.into_iter().map(|name| {
            declared.action(report, &name);
            name.value.to_owned()
        });
        names.collect()
    });
    let jobs = table.get("jobs").and_then(Item::array).map(|items| {
        let tables = items.into_iter().filter_map(|item| item.table("a job"));
        tables.map(|table| job(&table, declared)).collect()
    });
    table.finish();
    Expect { fires, actions, cancels, jobs }
}

/// What is expected of an action; `declared` is that action, where it could be read.
fn action(table: &Table<'_>, declared: Option<&Action>) -> ExpectAction {
    let report = table.report();
    let at = table.get("at").and_then(instant);
    let with = table.get("with").and_then(|item| item.table("with"));
    let mut inputs = Map::new();
    for (name, item) in with.map(|with| with.entries()).unwrap_or_default() {
        if let Some(action) = declared.filter(|action| action.plugin.inputs().all(|input| input != name.value)) {
            let finding = error("unknown-input", name.span, format!("plugin `{}` has no input `{}`", action.plugin.name, name.value));
            report.push(finding.meant(name.value, action.plugin.inputs()));
        }
        inputs.extend(item.json().map(|value| (name.value.to_owned(), value)));
    }
    let word = |key: &'static str| table.string(key).map(|word| word.value.to_owned());
    let (skipped, waits) = (word("skipped"), word("waits"));
    let outcome = table.get("outcome").and_then(|item| pick(item, "outcome", &Ended::WORDS));
    let effects = table.get("effects").and_then(Item::array);
    let effects = effects.map(|items| items.into_iter().filter_map(|item| effect(item, declared)).collect());
    let output = table.get("output").and_then(|item| item.table("output").and(item.json()));
    let expected = ExpectAction { at, with: inputs, skipped, waits, outcome, effects, output };
    let idle = [("skipped", expected.skipped.is_some()), ("waits", expected.waits.is_some())];
    if let Some((word, _)) = idle.into_iter().find(|(_, given)| *given)
        && (expected.asks_for_a_run() || !expected.with.is_empty())
    {
        let text = format!("an action with `{word}` is not run, so it has no `with`, `effects`, `outcome` or `output`");
        report.push(error("contradiction", table.span.clone(), text));
    }
    table.finish();
    expected
}

/// An effect, as it is told. None of its members is needed but its kind.
fn effect(item: Item<'_>, declared: Option<&Action>) -> Option<Value> {
    let table = item.table("an effect")?;
    let kind = table.need_string("kind")?;
    let Some((_, members)) = KINDS.into_iter().find(|(known, _)| *known == kind.value) else {
        let finding = error("unknown-effect", kind.span, format!("there is no kind of effect called `{}`", kind.value));
        item.report().push(finding.meant(kind.value, KINDS.map(|(known, _)| known)));
        return None;
    };
    for (name, value) in table.entries().into_iter().filter(|(name, _)| name.value != "kind") {
        if !members.contains(&name.value) {
            let text = format!("an effect of kind `{}` has no `{}`", kind.value, name.value);
            item.report().push(error("unknown-key", name.span, text).meant(name.value, members.iter().copied()));
        }
        match (declared, kind.value, name.value) {
            (Some(action), "record", "record") => granted(value, "records", action.grant.records.iter().map(|grant| grant.record.as_str())),
            (Some(action), "event", "type") => granted(value, "events", action.grant.events.iter().map(String::as_str)),
            _ => {}
        }
    }
    item.json()
}

/// Reports a word that is not among what the action is granted: then no such effect can be.
fn granted<'a>(item: Item<'_>, grant: &str, known: impl Iterator<Item = &'a str>) {
    let Some(word) = item.string() else { return };
    let known: Vec<&str> = known.collect();
    if !known.contains(&word.value) {
        let finding = error("not-granted", word.span, format!("the action is granted no `{}` in its `{grant}`", word.value));
        item.report().push(finding.meant(word.value, known));
    }
}

/// A job, with instants as they are printed.
fn job(table: &Table<'_>, declared: &Declared<'_>) -> Value {
    let mut job = Map::new();
    let mut put = |key: &str, value: Option<String>| job.extend(value.map(|value| (key.to_owned(), Value::String(value))));
    let action = table.string("action");
    if let Some(action) = &action {
        declared.action(table.report(), action);
    }
    let text = |text: At<&str>| text.value.to_owned();
    put("action", action.map(text));
    let states = JobState::ALL.map(|state| (state.as_str(), state));
    let state = table.get("state").and_then(|item| pick(item, "state", &states));
    put("state", state.map(|state| state.as_str().to_owned()));
    put("at", table.get("at").and_then(instant).map(|at| at.to_string()));
    put("reason", table.string("reason").map(text));
    let event = table.string("event");
    if let Some(kind) = &event {
        declared.check_type(table.report(), kind);
    }
    put("event", event.map(text));
    table.finish();
    Value::Object(job)
}
