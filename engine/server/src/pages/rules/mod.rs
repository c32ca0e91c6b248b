//! Rules, for integrators: which there are, what each says and does, why it fires for an event or does not, what its tests say, and what
//! it would have done.

mod explained;
mod files;
mod list;
mod testing;
mod trial;
mod words;

use std::collections::BTreeMap;

use axum::extract::Path;
use axum::response::Response;
use maud::{Markup, html};
use utoipa_axum::routes;
use zelo_rules::{Overview, Rule, Shown};
use zelo_runtime::rulebook::Edition;

pub(super) use self::files::{file_text, printed};
pub(super) use self::words::words as file_words;
use self::words::{Words, words};
use super::tables::{section, table as rows_of};
use super::visit::{Place, Visit};
use crate::access::{Gate, Reach, Role};
use crate::openapi::Table;
use crate::problem::Problem;

/// The routes of these pages.
pub(crate) fn table() -> Table {
    let (sees, writes) = (Gate::Known(Role::Viewer, Reach::Everything), Gate::Known(Role::Integrator, Reach::Everything));
    Table::new()
        .at(sees, routes!(list::show))
        .at(sees, routes!(files::show))
        .at(sees, routes!(show))
        .at(sees, routes!(explained::show))
        .at(sees, routes!(testing::show))
        .at(writes, routes!(testing::run))
        .at(sees, routes!(trial::show))
        .at(writes, routes!(trial::decide))
}

/// The pages of one rule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Rule,
    Explained,
    Tests,
    Trial,
}

/// That there is no such rule.
fn missing() -> Problem {
    Problem::not_found("There is no rule with this id. The page of all rules lists those that are in force.")
}

/// What people call a rule.
fn title<'r>(rule: &'r Rule, lang: &str) -> &'r str {
    rule.title.get(lang).map_or(rule.id.as_str(), String::as_str)
}

/// Where else the reader may look at this rule.
fn sides(w: &Words, id: &str, here: Side) -> Markup {
    let sides = [
        (Side::Rule, "", w.side_rule),
        (Side::Explained, "/explain", w.side_explain),
        (Side::Tests, "/tests", w.side_tests),
        (Side::Trial, "/backtest", w.side_backtest),
    ];
    html! {
        nav.sides data-key="sides" aria-label=(w.sides) {
            ul { @for (side, path, told) in sides { li { a href={ "/rules/" (id) (path) } aria-current=[(side == here).then_some("page")] { (told) } } } }
        }
    }
}

/// One rule: what it does in words, what it reads, where it is on, and its file.
#[utoipa::path(get, path = "/rules/{id}", tag = "pages", operation_id = "rule_page", params(("id" = String, Path, description = "As its file says it.")), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit, Path(id): Path<String>) -> Result<Response, Problem> {
    let w = words(visit.words);
    let edition = visit.app.runtime.rules.current();
    let rule = edition.rules.rule(&id).ok_or_else(missing)?;
    let overview = edition.rules.overview(&id).ok_or_else(missing)?;
    let printed = printed(&visit.app, &rule.file).await;
    let content = html! {
        (sides(w, &id, Side::Rule))
        (section("does", w.does, &does(&visit, w, &edition, &overview)))
        (section("reads", w.reads, &html! { @for action in &overview.actions { (reads(&visit, w, action)) } }))
        @if !overview.settings.is_empty() { (section("settings", w.settings, &settings(&visit, w, &overview))) }
        (section("file", w.file, &html! {
            @match &printed {
                Some(printed) => {
                    @if visit.app.runtime.rules.problem().is_some() { p.error { (w.not_in_force) " " a href="/rules/files" { (w.see_problems) } } }
                    (file_text(w, printed))
                }
                None => p.none { (w.no_text) },
            }
        }))
    };
    Ok(visit.page(Place::Rules, title(rule, visit.words.lang), &content))
}

/// What it does, and the facts about it.
fn does(visit: &Visit, w: &Words, edition: &Edition, overview: &Overview) -> Markup {
    let lang = visit.words.lang;
    let on = edition.in_force.automations().filter(|automation| automation.rule == overview.id);
    let on: Vec<String> =
        on.map(|one| one.clinic.as_ref().map_or(one.connection.clone(), |clinic| format!("{} · {clinic}", one.connection))).collect();
    let problems = edition.in_force.problems().iter().filter(|problem| problem.automation.to_string().starts_with(&overview.id));
    html! {
        p.said { (overview.sentence.get(lang).map(String::as_str).unwrap_or_default()) }
        @if let Some(description) = overview.description.as_ref().and_then(|text| text.get(lang)) { p.said { (description) } }
        @for problem in problems { p.error { (problem.text) } }
        dl.facts {
            div { dt { (w.id) } dd { code { (overview.id) } } }
            div { dt { (w.on_at) } dd { @if on.is_empty() { (w.on_nowhere) } @else { (on.join(", ")) } } }
            div { dt { (w.source) } dd { @match &overview.source { Some(source) => code { (source) }, None => (w.any_source) } } }
            div { dt { (w.types) } dd { code { (overview.on.join(", ")) } } }
            div { dt { (w.digest) } dd { code { (overview.digest) } } }
        }
    }
}

/// What one action shows to its plugin, and what that may do.
fn reads(visit: &Visit, w: &Words, action: &Shown) -> Markup {
    let lang = visit.words.lang;
    let said = |told: &BTreeMap<&'static str, String>| told.get(lang).cloned().unwrap_or_default();
    html! {
        div.card {
            h3 { (action.action) " · " a href={ "/plugins/" (action.plugin.split('@').next().unwrap_or(&action.plugin)) } { (action.plugin) " " (action.version) } }
            @if let Some(purpose) = action.purpose.as_ref().and_then(|purpose| purpose.get(lang)) { p { (purpose) } }
            @if let Some(basis) = &action.basis { p.facts { (visit.words.basis) " " (basis) @if let Some(called) = &action.basis_words { " (" (said(called)) ")" } } }
            @if let Some(consent) = &action.consent { p.facts { (said(&consent.words)) } }
            @if action.fields.is_empty() { p.none { (w.no_fields) } } @else {
                (rows_of(&format!("{}: {}", w.fields, action.action), &[w.field, w.path, w.class, w.made], &html! {
                    @for field in &action.fields {
                        tr {
                            th scope="row" { (said(&field.words)) " " small { code { (field.name) } } }
                            td { code { (field.path) } @if let Some(record) = &field.record { " " (w.of_record) " " code { (record) } } }
                            td { (visit.words.class(field.class)) }
                            td { @if let Some(made) = field.transform { code { (made) } } }
                        }
                    }
                }))
            }
            @if !action.grants.is_empty() {
                p { (w.may) }
                ul { @for grant in &action.grants { li { (said(&grant.words)) } } }
            }
        }
    }
}

/// What can be chosen.
fn settings(visit: &Visit, w: &Words, overview: &Overview) -> Markup {
    let lang = visit.words.lang;
    rows_of(
        w.setting,
        &[w.setting, w.label, w.default],
        &html! {
            @for setting in &overview.settings {
                tr {
                    th scope="row" { code { (setting.name) } }
                    td { (setting.label.as_ref().and_then(|label| label.get(lang)).map(String::as_str).unwrap_or_default()) }
                    td { @match &setting.default { Some(value) => code { (value) }, None => (w.must_choose) } }
                }
            }
        },
    )
}
