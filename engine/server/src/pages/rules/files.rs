//! The files on disk, whether they are in force or not: their text, with what is wrong in them where it is wrong.

use std::collections::HashMap;
use std::path::Path as FilePath;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use zelo_rules::{Diagnostic, Severity};
use zelo_runtime::rulebook;

use super::words::{Words, words};
use crate::App;
use crate::openapi::shapes;
use crate::pages::sent::address;
use crate::pages::tables::section;
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;

/// No file is shown that is longer, in bytes.
const LONGEST: u64 = 512 << 10;
/// Files that are listed.
const LISTED: usize = 200;

/// Which file is wanted.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    /// Below the folder of rules.
    #[serde(default)]
    name: String,
}

/// A file with what is to be said of it.
pub(in crate::pages) struct Printed {
    /// Its name below the folder of rules.
    name: String,
    text: String,
    diagnostics: Vec<Diagnostic>,
}

/// A file's name below the folder of rules.
fn below<'f>(app: &App, file: &'f str) -> &'f str {
    let folder = app.settings.rules.as_deref().unwrap_or(FilePath::new(""));
    FilePath::new(file).strip_prefix(folder).ok().and_then(FilePath::to_str).unwrap_or(file)
}

/// The address of the page of a file.
pub(in crate::pages) fn url(app: &App, file: &str) -> String {
    address("/rules/files", &[("name", below(app, file))])
}

/// The file that a rule or a source was read from, as it is now; none where it cannot be shown.
pub(in crate::pages) async fn printed(app: &App, file: &str) -> Option<Printed> {
    let folder = app.settings.rules.clone()?;
    let wanted = file.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        // Only what the loader reads too: no name leads out of the folder.
        rulebook::file_names(&folder).ok()?.contains(&wanted).then_some(())?;
        let length = std::fs::metadata(&wanted).ok()?.len();
        (length <= LONGEST).then_some(())?;
        std::fs::read(&wanted).ok()
    });
    let bytes = read.await.ok().flatten()?;
    let is_refused = app.runtime.rules.problem().is_some();
    let edition = app.runtime.rules.current();
    // What is said of the files in force does not fit those on disk where these are others.
    let mut diagnostics = if is_refused { app.runtime.rules.problems() } else { Vec::new() };
    diagnostics.retain(|one| one.file == file);
    diagnostics.extend(edition.rules.warnings().iter().filter(|one| !is_refused && one.file == file).cloned());
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Some(Printed { name: below(app, file).to_owned(), text, diagnostics })
}

/// One file; or all that have something wrong, and the others.
#[utoipa::path(get, path = "/rules/files", tag = "pages", operation_id = "rule_files_page", params(
    ("name" = Option<String>, Query, description = "The file, by its name below the folder of rules; without it, all of them."),
), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
    (status = 404, description = "There is no such file.", body = shapes::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn show(visit: Visit, query: Result<Query<Asked>, QueryRejection>) -> Result<Response, Problem> {
    let w = words(visit.words);
    let name = query.map(|Query(asked)| asked.name).unwrap_or_default();
    let Some(folder) = visit.app.settings.rules.clone() else {
        let content = html! { div.empty data-key="files" { p { (w.no_text) } } };
        return Ok(visit.page(Place::Rules, w.files, &content));
    };
    if name.is_empty() {
        let content = list(&visit, w, &folder).await;
        return Ok(visit.page(Place::Rules, w.files, &content));
    }
    let file = folder.join(&name).display().to_string();
    let printed = printed(&visit.app, &file).await.ok_or_else(|| Problem::not_found("There is no such file below the folder of rules."))?;
    let edition = visit.app.runtime.rules.current();
    let rule = edition.rules.rules().find(|rule| rule.file == file);
    let content = html! {
        p data-key="back" {
            a href="/rules/files" { (w.all_files) }
            @if let Some(rule) = rule { " · " a href={ "/rules/" (rule.id) } { (w.in_force_as) " " (super::title(rule, visit.words.lang)) } }
        }
        (section("file", w.file, &html! {
            @if let Some(problem) = visit.app.runtime.rules.problem() {
                p.error { (w.not_in_force) }
                @if visit.app.runtime.rules.problems().is_empty() { p.said lang="en" { (problem) } }
                @else if printed.diagnostics.is_empty() { p.none { (w.other_files) } }
            }
            (file_text(w, &printed))
        }))
    };
    Ok(visit.page(Place::Rules, &printed.name, &content))
}

async fn list(visit: &Visit, w: &Words, folder: &FilePath) -> Markup {
    let folder = folder.to_owned();
    let names = tokio::task::spawn_blocking(move || rulebook::file_names(&folder).unwrap_or_default()).await.unwrap_or_default();
    let problems = visit.app.runtime.rules.problems();
    let mut wrong: HashMap<&str, usize> = HashMap::new();
    problems.iter().for_each(|one| *wrong.entry(&one.file).or_default() += 1);
    let mut names: Vec<(usize, String)> = names.into_iter().map(|name| (wrong.get(name.as_str()).copied().unwrap_or(0), name)).collect();
    // Those with something wrong come first.
    names.sort_by(|one, other| (one.0 == 0, &one.1).cmp(&(other.0 == 0, &other.1)));
    let left = names.len().saturating_sub(LISTED);
    html! {
        @if visit.app.runtime.rules.problem().is_some() { p.error data-key="not-in-force" { (w.before_stays) } }
        (section("files", w.files, &html! {
            @if names.is_empty() { div.empty { p { (w.none) } p { (w.none_how) } } }
            ul.files {
                @for (count, name) in names.iter().take(LISTED) {
                    li {
                        a href=(url(&visit.app, name)) { (below(&visit.app, name)) }
                        @if *count > 0 { " " span.badge.bad { (count) " " (if *count == 1 { w.problem } else { w.problems }) } }
                    }
                }
            }
            @if left > 0 { p.none { (left) " " (w.more_files) } }
        }))
    }
}

/// A file with its lines numbered, and what is wrong below the line where it is.
pub(in crate::pages) fn file_text(w: &Words, printed: &Printed) -> Markup {
    let lines: Vec<&str> = printed.text.lines().collect();
    html! {
        @if !printed.diagnostics.is_empty() {
            ul.problems {
                @for one in &printed.diagnostics { li { a href={ "#L" (one.line.min(lines.len())) } { (w.line) " " (one.line) } ": " span lang="en" { (one.message) } } }
            }
        }
        div.scroll role="region" aria-label={ (w.file) ": " (printed.name) } tabindex="0" data-key={ "text " (printed.name) } {
            ol.source {
                @for (line, number) in lines.iter().zip(1..) {
                    @let here: Vec<&Diagnostic> = printed.diagnostics.iter().filter(|one| one.line.min(lines.len()) == number).collect();
                    li id={ "L" (number) } class=[(!here.is_empty()).then_some("wrong")] {
                        code { (marked(line, here.first().copied())) }
                        @for one in here { (told(w, one)) }
                    }
                }
            }
        }
    }
}

/// A line with what is wrong in it marked, where that is in this line alone.
fn marked(line: &str, diagnostic: Option<&Diagnostic>) -> Markup {
    let Some(one) = diagnostic.filter(|one| one.end_line == one.line && one.end_column > one.column) else { return html! { (line) } };
    let at = |column: usize| line.char_indices().nth(column - 1).map_or(line.len(), |(at, _)| at);
    let (start, end) = (at(one.column), at(one.end_column));
    html! { (line[..start]) mark { (line[start..end]) } (line[end..]) }
}

/// What is wrong, what was probably meant, and what to do.
fn told(w: &Words, one: &Diagnostic) -> Markup {
    let class = if one.severity == Severity::Error { "problem" } else { "problem warning" };
    html! {
        div class=(class) {
            p { strong { (if one.severity == Severity::Error { w.error } else { w.warning }) " " (one.line) ":" (one.column) } " " span lang="en" { (one.message) } }
            @if let Some(suggestion) = &one.suggestion { p { (w.did_you_mean) " " code { (suggestion) } } }
            @if let Some(help) = &one.help { p lang="en" { (help) } }
            p.facts { code { (one.code) } }
        }
    }
}
