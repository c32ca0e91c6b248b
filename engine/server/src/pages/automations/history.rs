//! Who switched an automation on and off, and who changed which settings: from the audit log, which names settings and holds no value.

use std::collections::HashMap;

use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::{Map, Value};
use zelo_core::AuditKind;
use zelo_rules::Rule;
use zelo_store::{AuditPage, AuditView, Page};

use super::form::label;
use super::spot::{Spot, Spots};
use super::words::Words;
use crate::pages::moments::moment;
use crate::pages::tables::table;
use crate::pages::visit::Visit;
use crate::problem::Problem;

/// How many changes of configuration are looked through: those of all automations, and of people and tokens, are among them.
const LOOKED_AT: u32 = 500;
/// How many of them are shown.
const SHOWN: usize = 20;

/// What was done, in the order of the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Did {
    On,
    Off,
    Changed,
}

/// One change.
struct Change {
    view: AuditView,
    detail: Map<String, Value>,
    did: Did,
}

/// The changes of `rule` of which the reader is told, newest first.
pub(super) async fn history(visit: &Visit, words: &Words, rule: &Rule, spots: &Spots) -> Result<Markup, Problem> {
    let page = Page { limit: LOOKED_AT, clinics: visit.who.clinics.clone(), ..Page::default() };
    let views = visit.app.runtime.store.audit(&AuditPage { page, kind: Some(AuditKind::Configured), ..AuditPage::default() }).await?;
    let changes = changes(views, &rule.id);
    let zones = visit.zones();
    let mut lines = Vec::new();
    for change in changes.iter().take(SHOWN) {
        let entry = &change.view.entry;
        let connection = entry.connection.clone().unwrap_or_default();
        let zone = zones.of(&connection, entry.clinic.as_deref()).await?;
        let spot = Spot { connection, clinic: entry.clinic.clone() };
        lines.push(html! {
            tr data-key={ "change " (change.view.cursor) } {
                td { (moment(visit.words, entry.at, &zone)) }
                td { (who(words, entry.actor.as_str(), &change.detail)) }
                td { (words.did[change.did as usize]) }
                td { (spots.name(&spot, words.every_clinic)) }
                td { (settings(visit, rule, &change.detail)) }
            }
        });
    }
    let rows = html! { @for line in &lines { (line) } };
    Ok(html! {
        p.facts { (words.history_how) }
        @if lines.is_empty() {
            p.none { (words.history_none) }
        } @else {
            (table(words.history, &[visit.words.time, words.who, words.what, words.where_, words.changed], &rows))
        }
    })
}

/// Who changed the automation of `rule` at `spot` last, and when, where that is still known.
pub(super) async fn last(visit: &Visit, words: &Words, rule: &str, spot: &Spot) -> Result<Option<(String, Timestamp)>, Problem> {
    let page = Page { limit: LOOKED_AT, clinics: visit.who.clinics.clone(), ..Page::default() };
    let views = visit.app.runtime.store.audit(&AuditPage { page, kind: Some(AuditKind::Configured), ..AuditPage::default() }).await?;
    let id = spot.id(rule).0;
    let last = changes(views, rule).into_iter().find(|change| change.detail.get("automation").and_then(Value::as_str) == Some(id.as_str()));
    Ok(last.map(|change| (who(words, change.view.entry.actor.as_str(), &change.detail), change.view.entry.at)))
}

/// Those entries, newest first, that are about `rule`, each with what it did to what was before.
fn changes(views: Vec<AuditView>, rule: &str) -> Vec<Change> {
    let mut stood: HashMap<String, bool> = HashMap::new();
    let mut changes = Vec::new();
    for view in views.into_iter().rev() {
        let detail = view.entry.detail();
        if detail.get("rule").and_then(Value::as_str) != Some(rule) {
            continue;
        }
        let Some(enabled) = detail.get("enabled").and_then(Value::as_bool) else { continue };
        let id = detail.get("automation").and_then(Value::as_str).unwrap_or_default().to_owned();
        let did = match (stood.insert(id, enabled), enabled) {
            (Some(true), true) => Did::Changed,
            (_, true) => Did::On,
            (_, false) => Did::Off,
        };
        changes.push(Change { view, detail, did });
    }
    changes.reverse();
    changes
}

/// Who it was, as people call them.
fn who(words: &Words, actor: &str, detail: &Map<String, Value>) -> String {
    let name = match actor.split_once(':') {
        Some((_, name)) => name,
        None if actor == "command" => words.command,
        None => actor,
    };
    if detail.get("origin").and_then(Value::as_str) == Some("config") { format!("{name} ({})", words.in_file) } else { name.to_owned() }
}

/// The settings that changed, by what people call them.
fn settings(visit: &Visit, rule: &Rule, detail: &Map<String, Value>) -> String {
    let names = detail.get("changed").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let called = |name| rule.settings.iter().find(|setting| setting.name == name).map_or(name, |setting| label(setting, visit.words));
    names.map(called).collect::<Vec<_>>().join(", ")
}
