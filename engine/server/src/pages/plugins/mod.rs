//! Plugins, for integrators: what each is, what it may use and why, where it is from, which rules use it, and how long its runs take.

mod words;

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::Path;
use axum::response::Response;
use maud::{Markup, html};
use utoipa_axum::routes;
use zelo_core::{Spread, Timestamp};
use zelo_host::Plugin;
use zelo_host::manifest::Text;
use zelo_runtime::Catalog;
use zelo_runtime::rulebook::Edition;

use self::words::{Words, words};
use super::moments::{moment, number};
use super::tables::{section, size, table as rows_of};
use super::visit::{Place, Visit};
use crate::access::{Gate, Reach, Role};
use crate::openapi::Table;
use crate::problem::Problem;

/// Rules that are named of one plugin.
const RULES: usize = 50;

/// The routes of these pages.
pub(crate) fn table() -> Table {
    let sees = Gate::Known(Role::Viewer, Reach::Everything);
    Table::new().at(sees, routes!(list)).at(sees, routes!(show))
}

/// All plugins that are installed.
#[utoipa::path(get, path = "/plugins", tag = "pages", operation_id = "plugins_page", responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn list(visit: Visit) -> Result<Response, Problem> {
    let w = words(visit.words);
    let edition = visit.app.runtime.rules.current();
    let used = used(&edition);
    let content = section(
        "plugins",
        w.installed,
        &html! {
            @if edition.catalog.plugins().next().is_none() { div.empty { p { (w.none) } p { (w.none_how) } } }
            div.cards { @for plugin in edition.catalog.plugins() { (card(&visit, w, &edition.catalog, plugin, &used)) } }
        },
    );
    Ok(visit.page(Place::Plugins, visit.words.place(Place::Plugins), &content))
}

/// The rules that use each plugin, by its name.
fn used(edition: &Edition) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for rule in edition.rules.rules() {
        for action in &rule.actions {
            used.entry(&action.plugin.name).or_default().insert(&rule.id);
        }
    }
    used
}

fn card(visit: &Visit, w: &Words, catalog: &Catalog, plugin: &Plugin, used: &BTreeMap<&str, BTreeSet<&str>>) -> Markup {
    let manifest = plugin.manifest();
    let count = used.get(manifest.name.as_str()).map_or(0, BTreeSet::len);
    let calls = all_of(&visit.app.runtime.metrics().calls_of(&manifest.name));
    html! {
        article.card data-key={ "plugin " (manifest.name) " " (manifest.version) } {
            h3 { a href={ "/plugins/" (manifest.name) } { (said(visit, &manifest.title)) } }
            @if let Some(description) = &manifest.description { p { (said(visit, description)) } }
            p.facts {
                code { (manifest.name) " " (manifest.version) } " · " (count) " " (if count == 1 { w.rule } else { w.rules }) " · "
                (number(visit.words, calls.as_ref().map_or(0, Spread::count))) " " (w.runs)
                " · " (if catalog.is_locked() { w.locked_short } else { w.not_locked_short })
            }
        }
    }
}

/// A text of a manifest in the reader's language.
fn said<'t>(visit: &Visit, text: &'t Text) -> &'t str {
    text.pt_br.as_deref().filter(|_| !visit.words.is_english()).unwrap_or(&text.en)
}

/// How long all runs took together; nothing where there were none.
fn all_of(calls: &[(String, Spread)]) -> Option<Spread> {
    calls.iter().map(|(_, spread)| spread.clone()).reduce(|all, one| all.and(&one))
}

/// One plugin, in every version that is installed.
#[utoipa::path(get, path = "/plugins/{name}", tag = "pages", operation_id = "plugin_page", params(("name" = String, Path, description = "As its manifest says it.")), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let w = words(visit.words);
    let edition = visit.app.runtime.rules.current();
    let newest = edition.catalog.named(&name).filter(|plugin| plugin.manifest().name == name);
    let newest = newest.ok_or_else(|| Problem::not_found("There is no plugin with this name. The page of all plugins lists them."))?;
    let used = used(&edition);
    let content = html! {
        p data-key="back" { a href="/plugins" { (w.all) } }
        @if let Some(description) = &newest.manifest().description { p data-key="description" { (said(&visit, description)) } }
        @for plugin in edition.catalog.plugins().filter(|plugin| plugin.manifest().name == name) { (version(&visit, w, &edition.catalog, plugin)) }
        (section("used", w.used_by, &rules(&visit, &edition, w, used.get(name.as_str()))))
        (section("calls", w.calls, &calls(&visit, w, &name)))
    };
    Ok(visit.page(Place::Plugins, said(&visit, &newest.manifest().title), &content))
}

/// What one version is, and what it may use.
fn version(visit: &Visit, w: &Words, catalog: &Catalog, plugin: &Plugin) -> Markup {
    let manifest = plugin.manifest();
    let limits = visit.app.runtime.limits.lowered_to(manifest);
    let inputs = serde_json::to_string_pretty(&manifest.inputs).unwrap_or_default();
    section(
        &format!("version-{}", manifest.version).replace('.', "-"),
        &format!("{} {}", w.version, manifest.version),
        &html! {
            h3 { (w.wants) }
            @if manifest.wants.is_empty() { p { (w.nothing) } } @else {
                ul { @for want in &manifest.wants { li { strong { (w.capability(want.capability.as_str())) } br; (said(visit, &want.reason)) } } }
            }
            dl.facts {
                div { dt { (w.imports) } dd { @for import in plugin.imports() { code { (import.as_str()) } " " } } }
                div { dt { (w.limits) } dd { (w.memory) ": " (size(limits.memory as u64)) " · " (w.cpu) ": " (seconds(limits.cpu.as_secs_f64())) " · " (w.wall) ": " (seconds(limits.wall.as_secs_f64())) } }
                div { dt { (w.size) } dd { (size(plugin.size() as u64)) } }
                div { dt { (w.digest) } dd { code { (plugin.digest()) } } }
                div { dt { (w.signature) } dd { (if catalog.is_signed() { w.signed } else { w.not_signed }) } }
                div { dt { (w.lock) } dd { (lock(w, catalog, plugin)) } }
            }
            details data-key={ "inputs " (manifest.version) } { summary { (w.inputs) } pre.scroll tabindex="0" { code { (inputs) } } }
        },
    )
}

/// How the lock stands to it.
fn lock(w: &Words, catalog: &Catalog, plugin: &Plugin) -> &'static str {
    match catalog.lock_of(plugin) {
        Ok(None) => w.not_locked,
        Ok(Some(true)) => w.locked,
        Ok(Some(false)) => w.lock_changed,
        Err(_) => w.lock_unread,
    }
}

fn rules(visit: &Visit, edition: &Edition, w: &Words, used: Option<&BTreeSet<&str>>) -> Markup {
    let ids: Vec<&str> = used.into_iter().flatten().copied().collect();
    html! {
        @if ids.is_empty() { p.none { (w.used_by_none) } }
        ul {
            @for rule in ids.iter().take(RULES).filter_map(|id| edition.rules.rule(id)) {
                li { a href={ "/rules/" (rule.id) } { (rule.title.get(visit.words.lang).map_or(rule.id.as_str(), String::as_str)) } }
            }
        }
        @if ids.len() > RULES { p.none { (w.more) " " (number(visit.words, (ids.len() - RULES) as u64)) } }
    }
}

/// How its runs ended, and how long they took.
fn calls(visit: &Visit, w: &Words, name: &str) -> Markup {
    let metrics = visit.app.runtime.metrics();
    let calls = metrics.calls_of(name);
    let Some(all) = all_of(&calls) else { return html! { div.empty { p { (w.calls_none) } } } };
    let since = |at: Timestamp| moment(visit.words, at, &visit.zones().of_all());
    let row = |title: &str, spread: &Spread| {
        let within = |share| spread.quantile(share).map_or(w.beyond.to_owned(), seconds);
        html! { tr { th scope="row" { (title) } td { (number(visit.words, spread.count())) } td { (within(0.5)) } td { (within(0.99)) } } }
    };
    html! {
        p.facts { (w.calls_since) " " (since(metrics.began())) }
        (rows_of(w.ended, &[w.ended, w.count, w.p50, w.p99], &html! {
            (row(w.all_ends, &all))
            @for (end, spread) in &calls { (row(w.end(end), spread)) }
        }))
    }
}

/// A time in seconds or milliseconds, as people read it.
fn seconds(seconds: f64) -> String {
    if seconds < 1.0 { format!("{} ms", (seconds * 10_000.0).round() / 10.0) } else { format!("{seconds} s") }
}
