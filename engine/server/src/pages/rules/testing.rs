//! The tests of a rule, and what came of them. They run on the very code that decides about real events, over a store in memory; nothing
//! leaves the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Path;
use axum::response::Response;
use maud::{Markup, html};
use tokio::runtime::Handle;
use zelo_rules::{TestResult, Testing, run_tests};
use zelo_runtime::rehearsal::Rehearsal;
use zelo_runtime::rulebook::Edition;

use super::words::{Words, words};
use super::{Side, missing, sides, title};
use crate::App;
use crate::pages::tables::section;
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;

/// No test is begun after this time.
const WITHIN: Duration = Duration::from_secs(20);

/// The tests of a rule, by name.
#[utoipa::path(get, path = "/rules/{id}/tests", tag = "pages", operation_id = "rule_tests_page", params(("id" = String, Path, description = "Of the rule.")), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit, Path(id): Path<String>) -> Result<Response, Problem> {
    page(&visit, &id, None)
}

/// Runs them, and says what came of each.
#[utoipa::path(post, path = "/rules/{id}/tests", tag = "pages", operation_id = "run_rule_tests", params(("id" = String, Path, description = "Of the rule.")), responses(
    (status = 200, description = "What came of them.", body = String, content_type = "text/html"),
))]
pub(crate) async fn run(visit: Visit, Path(id): Path<String>) -> Result<Response, Problem> {
    let app = &visit.app;
    let edition = app.runtime.rules.current();
    edition.rules.rule(&id).ok_or_else(missing)?;
    // One at a time: each takes a processor for itself.
    let _turn = app.testing.clone().try_lock_owned().map_err(|_| Problem::busy())?;
    let results = results(app, edition, id.clone()).await?;
    page(&visit, &id, Some(&results))
}

async fn results(app: &App, edition: Arc<Edition>, id: String) -> Result<Vec<TestResult>, Problem> {
    let (runtime, handle) = (app.runtime.clone(), Handle::current());
    let work = tokio::task::spawn_blocking(move || {
        let deadline = Instant::now() + WITHIN;
        let read = |path: &str| std::fs::read_to_string(path).map_err(|error| error.kind().to_string());
        let wanted = |rule: &str, _: &str| rule == id && Instant::now() < deadline;
        let runner = Rehearsal::new(handle, runtime.host.clone(), edition.rules.clone(), edition.catalog.clone(), runtime.channels.clone());
        run_tests(&edition.rules, &Testing { fixtures: &read, runner: Some(&runner), wanted: &wanted })
    });
    work.await.map_err(|_| Problem::internal())
}

fn page(visit: &Visit, id: &str, results: Option<&[TestResult]>) -> Result<Response, Problem> {
    let w = words(visit.words);
    let edition = visit.app.runtime.rules.current();
    let rule = edition.rules.rule(id).ok_or_else(missing)?;
    let names: Vec<String> = rule.tests().map(str::to_owned).collect();
    let content = html! {
        (sides(w, id, Side::Tests))
        (section("tests", w.side_tests, &html! {
            @if names.is_empty() {
                div.empty { p { (w.no_tests) } p { (w.no_tests_how) } }
            } @else {
                @if visit.who.role.writes_rules() {
                    form method="post" action={ "/rules/" (id) "/tests" } { button type="submit" { (w.run_tests) } }
                } @else { p.none { (w.tests_are_integrators) } }
                @match results {
                    None => ul { @for name in &names { li { (name) } } },
                    Some(results) => (outcome(w, &names, results)),
                }
            }
        }))
    };
    let title = title(rule, visit.words.lang);
    Ok(if results.is_some() { visit.answered(Place::Rules, title, &content) } else { visit.page(Place::Rules, title, &content) })
}

fn outcome(w: &Words, names: &[String], results: &[TestResult]) -> Markup {
    let passed = results.iter().filter(|result| result.passed).count();
    let failed = results.len() - passed;
    let left = names.len().saturating_sub(results.len());
    html! {
        p.(if failed + left == 0 { "done" } else { "error" }) role="status" {
            (passed) " " (w.passed) ", " (failed) " " (w.failed) @if left > 0 { ", " (left) " " (w.not_run) }
        }
        ul.results {
            @for result in results {
                li {
                    @if result.passed { span.badge.good { (w.passed_one) } } @else { span.badge.bad { (w.failed_one) } }
                    " " (result.name) " " small { (w.line) " " (result.line) }
                    @for one in &result.differences {
                        div.difference {
                            p { code { (one.path) } }
                            @if one.expected.is_some() || one.actual.is_some() {
                                dl {
                                    div { dt { (w.expected) } dd { @match &one.expected { Some(value) => code { (value) }, None => (w.nothing) } } }
                                    div { dt { (w.came) } dd { @match &one.actual { Some(value) => code { (value) }, None => (w.nothing) } } }
                                }
                            }
                            @if let Some(note) = &one.note { p.facts lang="en" { (note) } }
                        }
                    }
                }
            }
        }
    }
}
