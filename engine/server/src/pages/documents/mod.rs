//! The documents that automations made: a list, and each on a page of its own, shown and as text.
//!
//! A plugin made the file, so the page does not hold it: it stands in a frame, as the answer of its own address, which says what it may do.

mod words;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;
use zelo_core::Pseudonym;
use zelo_store::{DocumentView, Page, parse_effect_id};

use self::words::{Words, words};
use super::moments::moment;
use super::places::{Places, automation, narrowed, unreadable};
use super::sent::address;
use super::tables::{size, table as listed};
use super::visit::{Place, Visit};
use crate::access::{Gate, Reach, Role};
use crate::api::documents::is_framed;
use crate::document_url;
use crate::openapi::Table;
use crate::problem::Problem;
use crate::seen::Seen;

/// Documents on a page.
const ROWS: u32 = 30;

pub(crate) fn table() -> Table {
    let sees = Gate::Known(Role::Viewer, Reach::Clinics);
    Table::new().at(sees, routes!(list)).at(sees, routes!(one))
}

/// Which documents are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// A connection, or `connection/clinic`.
    #[serde(default)]
    place: String,
    /// Only documents older than this one: its cursor.
    before: Option<i64>,
}

/// All documents, newest first.
#[utoipa::path(get, path = "/documents", tag = "pages", operation_id = "documents_page", params(Filter), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn list(visit: Visit, query: Result<Query<Filter>, QueryRejection>) -> Result<Response, Problem> {
    let Query(filter) = query.map_err(unreadable)?;
    let own = words(visit.words);
    let page = Page { limit: ROWS + 1, before: filter.before, clinics: visit.who.clinics.clone(), ..Page::default() };
    let mut found = visit.app.runtime.store.documents(&narrowed(page, &filter.place)).await?;
    let more = found.len() > ROWS as usize;
    found.truncate(ROWS as usize);
    Seen::of("documents").rows(&found).by(&visit.who, &visit.app).await?;
    let places = Places::of(&visit).await?;
    let zones = visit.zones();
    let mut rows = Vec::with_capacity(found.len());
    for view in &found {
        let at = moment(visit.words, view.at, &zones.of(&view.connection, view.clinic.as_deref()).await?);
        rows.push(row(&visit, own, &places, view, &at));
    }
    let oldest = found.last().map(|view| view.cursor.to_string()).unwrap_or_default();
    let filtered = !filter.place.is_empty() || filter.before.is_some();
    let select = places.select(own.place, own.all_places, &filter.place);
    let words = visit.words;
    let content = html! {
        p.none data-key="intro" { (own.intro) }
        @if !select.0.is_empty() {
            form.filters method="get" action="/documents" data-key="filters" { (select) button type="submit" { (own.filter) } }
        }
        @if found.is_empty() {
            (empty(own, filtered))
        } @else {
            (listed(own.caption, &[words.name, words.time, own.automation, own.about, words.size, words.clinic], &html! { @for row in &rows { (row) } }))
        }
        @if more || filter.before.is_some() {
            nav.pager data-key="pager" aria-label=(own.older) {
                @if filter.before.is_some() { a href=(address("/documents", &[("place", &filter.place)])) { (own.newest) } }
                @if more { a href=(address("/documents", &[("place", &filter.place), ("before", &oldest)])) { (own.older) } }
            }
        }
    };
    Ok(visit.page(Place::Documents, words.place(Place::Documents), &content))
}

fn row(visit: &Visit, own: &Words, places: &Places, view: &DocumentView, at: &Markup) -> Markup {
    html! {
        tr data-key={ "document " (view.id) } data-news=(view.name) {
            th scope="row" { a href={ "/documents/" (view.id) } { (view.name) } }
            td { (at) }
            td { @if let Some(title) = automation(visit, &view.action) { (title) } }
            td { (about(visit, own, &view.about)) }
            td { (size(view.size)) }
            td { (places.name(&view.connection, view.clinic.as_deref()).unwrap_or_default()) }
        }
    }
}

/// Whom it is about. Admins go on to their pages.
fn about(visit: &Visit, own: &Words, people: &[Pseudonym]) -> Markup {
    html! {
        @for (place, person) in people.iter().enumerate() {
            @if place > 0 { ", " }
            @if visit.who.role == Role::Admin { a href={ "/subjects/" (person) } { (own.person) } } @else { (own.person) }
        }
    }
}

fn empty(own: &Words, filtered: bool) -> Markup {
    html! {
        div.empty data-key="empty" {
            @if filtered {
                p { (own.empty_filter) }
                p { a href="/documents" { (own.back) } }
            } @else {
                p { strong { (own.empty) } }
                p { (own.empty_how) }
                p { a.button href="/automations" { (own.to_automations) } }
            }
        }
    }
}

/// One document.
#[utoipa::path(get, path = "/documents/{job}/{index}", tag = "pages", operation_id = "document_page", params(
    ("job" = String, Path, description = "`job_` and 32 hexadecimal digits."),
    ("index" = String, Path, description = "A number."),
), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn one(visit: Visit, Path((job, index)): Path<(String, String)>) -> Result<Response, Problem> {
    let own = words(visit.words);
    let missing = || Problem::not_found("There is no document with this id.");
    let place = parse_effect_id(&format!("{job}/{index}")).ok_or_else(missing)?;
    let found = visit.app.runtime.store.archive().documents(&[place]).await?.pop();
    let view = found.filter(|view| visit.who.sees(view)).ok_or_else(missing)?;
    Seen::of("document").rows([&view]).by(&visit.who, &visit.app).await?;
    let zone = visit.zones().of(&view.connection, view.clinic.as_deref()).await?;
    let places = Places::of(&visit).await?;
    let words = visit.words;
    let url = document_url(&view.id).ok_or_else(missing)?;
    let facts = html! {
        dl.card data-key="facts" {
            div { dt { (own.made) } dd { (moment(words, view.at, &zone)) } }
            @if let Some(title) = automation(&visit, &view.action) {
                div { dt { (own.automation) } dd { a href={ "/activity/jobs/" (view.job) } { (title) } } }
            }
            @if !view.about.is_empty() { div { dt { (own.about) } dd { (about(&visit, own, &view.about)) } } }
            @if let Some(clinic) = places.name(&view.connection, view.clinic.as_deref()) { div { dt { (words.clinic) } dd { (clinic) } } }
            div { dt { (own.kind) } dd { (view.media_type) " · " (size(view.size)) } }
        }
    };
    let content = html! {
        p data-key="back" { a href="/documents" { "← " (own.back) } }
        h2.named data-key="name" { (view.name) }
        (facts)
        p data-key="save" { a.button href=(url) download=(view.name) { (own.download) } }
        @if is_framed(&view.media_type) {
            section data-key="shown" aria-labelledby="shown" {
                h2 id="shown" { (own.shown) }
                iframe.document src=(url) title=(view.name) loading="lazy" {}
            }
        } @else {
            p.none data-key="shown" { (own.not_shown) }
        }
        section data-key="text" aria-labelledby="text" {
            h2 id="text" { (own.in_words) }
            @if view.text.is_empty() { p.none { (own.no_text) } } @else { p.card.said { (view.text) } }
        }
    };
    Ok(visit.page(Place::Documents, own.document, &content))
}
