//! Deliveries that were refused: all of them, and one with its body where that is kept.

use axum::extract::{Path, Query};
use axum::response::Response;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;
use zelo_store::{Page, RefusedView};

use super::advice::of_refusal;
use super::words::{Words, words};
use super::zone;
use crate::access::{Gate, Reach, Role};
use crate::openapi::Table;
use crate::pages::moments::{moment, number};
use crate::pages::tables::{section, size};
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;
use crate::seen::Seen;

/// Rows of a page.
const ROWS: u32 = 50;

pub(super) fn table() -> Table {
    Table::new()
        // Of whose clinic a delivery would have been, nobody has found out.
        .at(Gate::Known(Role::Viewer, Reach::Everything), routes!(list))
        .at(Gate::Known(Role::Integrator, Reach::Everything), routes!(show))
}

/// What is asked for in the address.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Asked {
    /// Only of this connection.
    connection: String,
    /// Where the list goes on.
    before: String,
}

/// Refused deliveries, newest first.
#[utoipa::path(get, path = "/refused", tag = "pages", operation_id = "refused_page", params(Asked), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn list(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let words = words(visit.words);
    let connection = Some(asked.connection.clone()).filter(|connection| !connection.is_empty());
    let page = Page { limit: ROWS + 1, before: asked.before.parse().ok(), connection, ..Page::default() };
    let mut views = visit.app.runtime.store.refused(&page).await?;
    let more = views.len() > ROWS as usize;
    views.truncate(ROWS as usize);
    Seen::of("refused").rows(&views).by(&visit.who, &visit.app).await?;
    let zone = zone(&visit).await?;
    let mut connections: Vec<&String> = visit.app.runtime.connections.keys().collect();
    connections.sort_unstable();
    let next = views.last().filter(|_| more).map(|view| view.cursor);
    let content = html! {
        p.none data-key="intro" { (words.refusals_intro) }
        form.filters method="get" action="/refused" data-key="filters" {
            label { (visit.words.connection)
                select name="connection" {
                    option value="" { (words.every) }
                    @for connection in connections { option value=(connection) selected[*connection == asked.connection] { (connection) } }
                }
            }
            button type="submit" { (words.show) }
        }
        (section("refused", words.refusals, &html! {
            @if views.is_empty() {
                div.empty { p { strong { (words.no_refusals) } } p { (words.no_refusals_teach) } }
            } @else { (rows(&visit, words, &views, &zone)) }
            @if let Some(next) = next {
                p.pager { a href={ "/refused?before=" (next) "&connection=" (super::super::scheduled::escaped(&asked.connection)) } { (words.older) } }
            }
        }))
    };
    Ok(visit.page(Place::Failures, words.refusals, &content))
}

/// Their rows, each with what to do.
pub(super) fn rows(visit: &Visit, words: &Words, views: &[RefusedView], zone: &TimeZone) -> Markup {
    let opens = visit.who.role >= Role::Integrator && visit.who.sees_everything();
    html! {
        @for view in views {
            @let refused = &view.refused;
            @let advice = of_refusal(visit.words, &refused.code);
            article.card.trouble data-key={ "refused " (refused.trace) } {
                h3 { (advice.map_or(refused.code.as_str(), |advice| advice.told)) }
                p.facts {
                    (moment(visit.words, refused.at, zone)) " · " (refused.connection)
                    @if refused.count > 1 { " · " (number(visit.words, refused.count)) "×" }
                    @if let Some(address) = &refused.address { " · " (address) }
                }
                @if let Some(advice) = advice { p.advice { strong { (words.what_to_do) } " " (advice.todo) } }
                p.facts lang="en" { code { (refused.code) } " " (refused.why) }
                @if opens { p { a href={ "/refused/" (refused.trace) } { (words.details) span.hidden { " " (refused.trace) } } } }
            }
        }
    }
}

/// One, with its body where that is kept.
#[utoipa::path(get, path = "/refused/{trace_id}", tag = "pages", operation_id = "refused_delivery_page", params(
    ("trace_id" = String, Path, description = "32 hexadecimal digits."),
), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit, Path(trace): Path<String>) -> Result<Response, Problem> {
    let words = words(visit.words);
    let missing = || Problem::not_found("No refused delivery of this trace is kept. An id is 32 hexadecimal digits.");
    let trace = trace.parse().map_err(|_| missing())?;
    let (view, body) = visit.app.runtime.store.refused_one(trace).await?.ok_or_else(missing)?;
    Seen::of("refused").rows([&view]).by(&visit.who, &visit.app).await?;
    let zone = zone(&visit).await?;
    let refused = &view.refused;
    let body = body.map(|body| String::from_utf8_lossy(&body).into_owned());
    let content = html! {
        (rows(&visit, words, std::slice::from_ref(&view), &zone))
        (section("delivery", words.details, &html! {
            dl {
                div { dt { (words.trace) } dd { code { (refused.trace) } } }
                div { dt { (words.path) } dd { code { "/hooks/" (refused.connection) "/" (refused.path) } } }
                div { dt { (words.size) } dd { (size(refused.size)) } }
                div { dt { (words.exact) } dd lang="en" { (refused.why) } }
            }
        }))
        (section("headers", words.headers, &html! {
            dl {
                @for (name, value) in &refused.headers {
                    div { dt { code { (name) } } dd { @if let Some(value) = value { (value) } @else { em { (words.hidden) } } } }
                }
            }
        }))
        (section("body", words.body, &html! {
            @if let Some(body) = &body { pre.card.said tabindex="0" { (body) } } @else { p.none { (words.no_body) } }
        }))
        p data-key="back" { a href="/refused" { (words.back) } }
    };
    Ok(visit.page(Place::Failures, words.refusals, &content))
}
