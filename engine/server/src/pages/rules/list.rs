//! The list of all rules.

use std::collections::HashMap;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Map;
use zelo_rules::{Diagnostic, Rule};
use zelo_runtime::rulebook::Edition;

use super::files::url;
use super::title;
use super::words::{Words, words};
use crate::pages::moments::number;
use crate::pages::sent::address;
use crate::pages::tables::section;
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;

/// Rules of one page.
const ROWS: usize = 30;
/// Files with mistakes that are named.
const FILES: usize = 10;

/// Which rules are wanted.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    source: String,
    #[serde(default, rename = "type")]
    kind: String,
    /// The id of the last rule that was seen.
    #[serde(default)]
    after: String,
}

impl Asked {
    fn wants(&self, rule: &Rule) -> bool {
        let has = |text: &str| text.to_lowercase().contains(&self.q.trim().to_lowercase());
        let text = self.q.trim().is_empty() || has(&rule.id) || rule.title.values().any(|title| has(title));
        let source = self.source.is_empty() || rule.source.as_ref() == Some(&self.source);
        let kind = self.kind.trim().is_empty() || rule.on.iter().any(|kind| kind.contains(self.kind.trim()));
        text && source && kind
    }

    fn is_filter(&self) -> bool {
        !(self.q.is_empty() && self.source.is_empty() && self.kind.is_empty())
    }
}

/// All rules that are in force, and what keeps files from it.
#[utoipa::path(get, path = "/rules", tag = "pages", operation_id = "rules_page", params(
    ("q" = Option<String>, Query, description = "Only rules with this in their id or title."),
    ("source" = Option<String>, Query, description = "Only rules of this source."),
    ("type" = Option<String>, Query, description = "Only rules about events with this in their type."),
    ("after" = Option<String>, Query, description = "Only rules behind the one with this id."),
), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit, query: Result<Query<Asked>, QueryRejection>) -> Result<Response, Problem> {
    let w = words(visit.words);
    let asked = query.map(|Query(asked)| asked).unwrap_or_default();
    let edition = visit.app.runtime.rules.current();
    let mut count = 0_u64;
    let (mut shown, mut more): (Vec<&Rule>, bool) = (Vec::new(), false);
    for rule in edition.rules.rules().filter(|rule| asked.wants(rule)) {
        count += 1;
        if rule.id.as_str() > asked.after.as_str() {
            more = shown.len() >= ROWS;
            if !more {
                shown.push(rule);
            }
        }
    }
    let mut on: HashMap<&str, usize> = HashMap::new();
    edition.in_force.automations().for_each(|automation| *on.entry(&automation.rule).or_default() += 1);
    let content = html! {
        (problems(&visit, w))
        (filters(&edition, w, &asked))
        (section("rules", &format!("{} {}", number(visit.words, count), if count == 1 { w.rule } else { w.rules }), &html! {
            @if shown.is_empty() {
                div.empty { @if asked.is_filter() { p { (w.none_found) } } @else { p { (w.none) } p { (w.none_how) } } }
            } @else {
                div.cards { @for rule in &shown { (card(&visit, w, &edition, rule, on.get(rule.id.as_str()).copied().unwrap_or(0))) } }
            }
            (pager(w, &asked, shown.last().filter(|_| more)))
        }))
    };
    Ok(visit.page(Place::Rules, visit.words.place(Place::Rules), &content))
}

fn card(visit: &Visit, w: &Words, edition: &Edition, rule: &Rule, on: usize) -> Markup {
    let sentence = edition.rules.sentence(&rule.id, &Map::new(), visit.words.lang).map(|told| told.to_string()).unwrap_or_default();
    html! {
        article.card data-key={ "rule " (rule.id) } {
            h3 { a href={ "/rules/" (rule.id) } { (title(rule, visit.words.lang)) } }
            p.said { (sentence) }
            p.facts {
                @if on > 0 { span.badge.good { (w.on) @if on > 1 { " ×" (on) } } } @else { span.badge.off { (w.off) } }
                " " code { (rule.id) }
                @if let Some(source) = &rule.source { " · " (source) }
                " · " (rule.on.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

fn filters(edition: &Edition, w: &Words, asked: &Asked) -> Markup {
    html! {
        form.filters method="get" action="/rules" data-key="filters" {
            div { label for="q" { (w.text) } input id="q" name="q" type="search" value=(asked.q) autocapitalize="none"; }
            div {
                label for="source" { (w.source) }
                select id="source" name="source" {
                    option value="" { (w.all) }
                    @for source in edition.rules.sources() { option value=(source.id) selected[source.id == asked.source] { (source.id) } }
                }
            }
            div { label for="type" { (w.kind) } input id="type" name="type" value=(asked.kind) autocapitalize="none" spellcheck="false"; }
            button type="submit" { (w.filter) }
        }
    }
}

fn pager(w: &Words, asked: &Asked, last: Option<&&Rule>) -> Markup {
    let query = |after: &str| address("/rules", &[("q", &asked.q), ("source", &asked.source), ("type", &asked.kind), ("after", after)]);
    html! {
        @if last.is_some() || !asked.after.is_empty() {
            nav.pager aria-label=(w.pages) {
                @if !asked.after.is_empty() { a href=(query("")) { (w.first) } }
                @if let Some(last) = last { a href=(query(&last.id)) rel="next" { (w.next) } }
            }
        }
    }
}

/// Why the files on disk are not in force.
fn problems(visit: &Visit, w: &Words) -> Markup {
    let (all, text) = (visit.app.runtime.rules.problems(), visit.app.runtime.rules.problem());
    // Of the first few files with mistakes: what is wrong first in each, and how many more there are.
    let mut by_file: Vec<(&str, &Diagnostic, usize)> = Vec::new();
    for one in &all {
        let has_room = by_file.len() < FILES;
        match by_file.iter_mut().find(|(file, ..)| *file == one.file) {
            Some((.., count)) => *count += 1,
            None if has_room => by_file.push((&one.file, one, 1)),
            None => {}
        }
    }
    html! {
        @if text.is_some() {
            div.alarm data-key="problems" {
                h2 { (if all.is_empty() { visit.words.refused } else { visit.words.problems }) }
                p { (w.before_stays) }
                @if by_file.is_empty() { @if let Some(text) = &text { p.said lang="en" { (text) } } }
                ul {
                    @for (file, first, count) in &by_file {
                        li {
                            a href=(url(&visit.app, file)) { (file) } " "
                            span lang="en" { (first.message) } @if *count > 1 { " (+" (count - 1) ")" }
                        }
                    }
                }
                p { a href="/rules/files" { (w.all_files) } }
            }
        }
    }
}
