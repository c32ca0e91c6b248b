//! The audit log: who did and saw what, in words; whether it is whole; and a copy to keep.

mod sentence;
mod words;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use zelo_core::AuditKind;
use zelo_store::{AuditPage, AuditView, Page};

pub(crate) use self::sentence::{actor, rows, sentence};
use self::words::{Words, words};
use super::moments::{Zones, moment, number, zone_name};
use super::names;
use super::places::{Places, narrowed, unreadable};
use super::sent::{self, address};
use super::tables::{section, table as listed};
use super::visit::{Place, Visit};
use crate::access::{Gate, Reach, Role};
use crate::export;
use crate::openapi::Table;
use crate::problem::Problem;
use crate::seen::Seen;

/// Entries on a page.
const ROWS: u32 = 40;
/// Entries of one file, and how many are read at once.
const EXPORTED: usize = 10_000;
const PORTION: u32 = 1_000;

pub(crate) fn table() -> Table {
    Table::new()
        .at(Gate::Known(Role::Viewer, Reach::Clinics), routes!(list))
        .at(Gate::Known(Role::Viewer, Reach::Everything), routes!(verify))
        .at(Gate::Known(Role::Admin, Reach::Clinics), routes!(save))
}

/// Which entries are wanted.
#[derive(Clone, Default, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[schema(as = AuditForm)]
pub(crate) struct Filter {
    /// The word of a kind.
    #[serde(default)]
    kind: String,
    /// Who did it, as the log has it.
    #[serde(default)]
    actor: String,
    /// The first day, and the last.
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
    /// A connection, or `connection/clinic`.
    #[serde(default)]
    place: String,
    /// Only entries older than this one: its number.
    before: Option<i64>,
}

/// What a filter comes to, and what of it is no date.
struct Wanted {
    page: AuditPage,
    wrong: [bool; 2],
}

impl Filter {
    fn wanted(&self, visit: &Visit, zone: &TimeZone) -> Wanted {
        let day = |text: &str| text.trim().parse::<Date>();
        let (since, until) = (day(&self.since), day(&self.until));
        let wrong = [(&self.since, &since), (&self.until, &until)].map(|(text, day)| !text.trim().is_empty() && day.is_err());
        let start = |date: Date| date.to_zoned(zone.clone()).ok().map(|start| start.timestamp());
        let page = Page { limit: ROWS + 1, before: self.before, clinics: visit.who.clinics.clone(), ..Page::default() };
        let page = AuditPage {
            page: narrowed(page, &self.place),
            kind: AuditKind::parse(&self.kind),
            actor: Some(self.actor.trim().to_owned()).filter(|actor| !actor.is_empty()),
            since: since.ok().and_then(start),
            until: until.ok().and_then(|date| start(date.checked_add(1.day()).ok()?)),
        };
        Wanted { page, wrong }
    }

    /// What an address says of it, from `before` on.
    fn asked<'a>(&'a self, before: &'a str) -> [(&'static str, &'a str); 6] {
        let Self { kind, actor, since, until, place, .. } = self;
        [("kind", kind), ("actor", actor), ("since", since), ("until", until), ("place", place), ("before", before)]
    }

    fn is_empty(&self) -> bool {
        self.before.is_none() && self.asked("").iter().all(|(_, value)| value.is_empty())
    }
}

/// The zone in which days are counted and times are told, for all entries, so that their order shows: that of the first connection of which
/// the reader is told.
async fn home(visit: &Visit, zones: &Zones<'_>) -> Result<TimeZone, Problem> {
    let named = visit.who.clinics.named().into_iter().flatten().next();
    if let Some(clinic) = named {
        return zones.of(&clinic.connection, Some(&clinic.clinic)).await;
    }
    match visit.app.runtime.connections.keys().min() {
        Some(first) => zones.of(first, None).await,
        None => Ok(TimeZone::UTC),
    }
}

/// The audit log, newest first.
#[utoipa::path(get, path = "/audit", tag = "pages", operation_id = "audit_page", params(Filter), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
    (status = 422, description = "The page, which says what is no date.", body = String, content_type = "text/html"),
))]
pub(crate) async fn list(visit: Visit, query: Result<Query<Filter>, QueryRejection>) -> Result<Response, Problem> {
    let Query(filter) = query.map_err(unreadable)?;
    let own = words(visit.words);
    let zones = visit.zones();
    let home = home(&visit, &zones).await?;
    let Wanted { page, wrong } = filter.wanted(&visit, &home);
    let refused = wrong.contains(&true);
    let mut found = if refused { Vec::new() } else { visit.app.runtime.store.audit(&page).await? };
    let more = found.len() > ROWS as usize;
    found.truncate(ROWS as usize);
    let places = Places::of(&visit).await?;
    let mut rows = Vec::with_capacity(found.len());
    for view in &found {
        rows.push(row(&visit, own, &places, view, &home));
    }
    let caption = format!("{} {}", own.caption, zone_name(&home));
    let oldest = found.last().map(|view| view.cursor.to_string()).unwrap_or_default();
    let content = html! {
        p.none data-key="intro" { (own.intro) }
        (form(own, &places, &filter, wrong))
        @if found.is_empty() && !refused {
            (empty(own, !filter.is_empty()))
        } @else if !found.is_empty() {
            (listed(&caption, &[visit.words.time, own.who, own.what, own.about, visit.words.clinic], &html! { @for row in &rows { (row) } }))
        }
        @if more || filter.before.is_some() {
            nav.pager data-key="pager" aria-label=(own.older) {
                @if filter.before.is_some() { a href=(address("/audit", &filter.asked(""))) { (own.newest) } }
                @if more { a href=(address("/audit", &filter.asked(&oldest))) { (own.older) } }
            }
        }
        @if visit.who.sees_everything() {
            (section("whole", own.whole, &html! {
                p { (own.whole_how) }
                form method="get" action="/audit/verify" { button.quiet type="submit" { (own.verify) } }
            }))
        }
        @if visit.who.role == Role::Admin && !refused { (section("export", own.export, &taking(own, &filter))) }
    };
    let status = if refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(visit.page_as(status, Place::Audit, visit.words.place(Place::Audit), &content))
}

fn form(own: &Words, places: &Places, filter: &Filter, wrong: [bool; 2]) -> Markup {
    let date = |id: &str, label: &str, value: &str, wrong: bool| {
        html! {
            div {
                label for=(id) { (label) }
                input type="date" id=(id) name=(id) value=(value) aria-invalid=[wrong.then_some("true")]
                    aria-describedby=[wrong.then(|| format!("{id}-wrong"))];
                @if wrong { p.error id={ (id) "-wrong" } role="alert" { (own.bad_date) } }
            }
        }
    };
    html! {
        form.filters method="get" action="/audit" data-key="filters" {
            label { (own.kind)
                select name="kind" {
                    option value="" { (own.all_kinds) }
                    @for kind in AuditKind::ALL { option value=(kind.as_str()) selected[kind.as_str() == filter.kind] { (own.kind(kind)) } }
                }
            }
            label { (own.actor) input type="text" name="actor" value=(filter.actor) maxlength="100" title=(own.actor_hint) autocomplete="off"; }
            (date("since", own.since, &filter.since, wrong[0]))
            (date("until", own.until, &filter.until, wrong[1]))
            (places.select(own.place, own.all_places, &filter.place))
            button type="submit" { (own.filter) }
        }
    }
}

fn row(visit: &Visit, own: &Words, places: &Places, view: &AuditView, zone: &TimeZone) -> Markup {
    let AuditView { cursor, entry, hash } = view;
    let by = entry.actor.as_str();
    html! {
        tr data-key={ "entry " (cursor) } {
            td { (moment(visit.words, entry.at, zone)) }
            td { a href=(address("/audit", &[("actor", by)])) { (actor(visit.words, by)) } }
            td.text {
                (sentence(visit.words, entry, &|rule| names::rule(&visit.app.runtime.rules.current().rules, visit.words, rule)))
                details data-key={ "whole " (cursor) } {
                    summary { (own.entry) " " (number(visit.words, u64::try_from(*cursor).unwrap_or_default())) }
                    pre { (entry.kind.as_str()) " " (by) "\n" (entry.detail) "\n" (HEXLOWER.encode(hash)) }
                }
            }
            td {
                @for person in &entry.about {
                    @if visit.who.role == Role::Admin { a href={ "/subjects/" (person) } { (own.a_person) } } @else { (own.a_person) }
                    " "
                }
                @if let Some(job) = &entry.job { a href={ "/activity/jobs/" (job) } { (own.a_job) } }
            }
            td { (places.name(entry.connection.as_deref().unwrap_or_default(), entry.clinic.as_deref()).unwrap_or_default()) }
        }
    }
}

fn empty(own: &Words, filtered: bool) -> Markup {
    html! {
        div.empty data-key="empty" {
            @if filtered {
                p { (own.empty_filter) }
                p { a href="/audit" { (own.everything) } }
            } @else {
                p { strong { (own.empty) } }
                p { (own.empty_how) }
            }
        }
    }
}

/// The form that takes a copy of what `filter` shows.
fn taking(own: &Words, filter: &Filter) -> Markup {
    html! {
        p { (own.export_how) }
        form method="post" action="/audit/export" {
            @for (name, value) in filter.asked("").iter().filter(|(_, value)| !value.is_empty()) { input type="hidden" name=(name) value=(value); }
            button.quiet type="submit" { (own.export) }
        }
    }
}

/// Whether the log is as it was written, and signed.
#[utoipa::path(get, path = "/audit/verify", tag = "pages", operation_id = "verify_audit_page", responses(
    (status = 200, description = "What was found.", body = String, content_type = "text/html"),
))]
pub(crate) async fn verify(visit: Visit) -> Result<Response, Problem> {
    let own = words(visit.words);
    let store = &visit.app.runtime.store;
    // It reads all of it: one at a time.
    let _turn = visit.app.testing.clone().try_lock_owned().map_err(|_| Problem::busy())?;
    let verified = store.verify_audit(Vec::new()).await?;
    let content = html! {
        p data-key="back" { a href="/audit" { "← " (own.back) } }
        div data-key="result" {
            @if verified.findings.is_empty() {
                p.done { (own.intact) }
            } @else {
                div.error role="alert" {
                    p { strong { (own.not_intact) } }
                    p { (own.not_intact_how) }
                    ul lang="en" { @for finding in &verified.findings { li { (finding) } } }
                }
            }
            dl.card {
                div { dt { (own.entries) } dd { (number(visit.words, verified.entries)) } }
                div { dt { (own.up_to) } dd { (number(visit.words, verified.last.seq)) } }
                div { dt { (own.heads) } dd { (number(visit.words, verified.heads)) } }
                div { dt { (own.key) } dd { code { (HEXLOWER.encode(&store.audit_key())) } } }
            }
        }
    };
    Ok(visit.page(Place::Audit, own.whole, &content))
}

/// Hands out a copy of the entries, as JSON Lines, and writes that down.
#[utoipa::path(post, path = "/audit/export", tag = "pages", operation_id = "export_audit", request_body(content = Filter, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, description = "The entries, newest first, one a line.", body = String, content_type = "application/jsonl"),
))]
pub(crate) async fn save(visit: Visit, request: Request) -> Result<Response, Problem> {
    let filter: Filter = sent::form(&visit.app, request).await?;
    let zones = visit.zones();
    let Wanted { mut page, wrong } = filter.wanted(&visit, &home(&visit, &zones).await?);
    if wrong.contains(&true) {
        return Err(Problem::malformed("`since` and `until` are dates: 2026-03-31."));
    }
    Seen::of("audit").exported(&visit.who, &visit.app).await?;
    let (mut told, mut count) = (String::new(), 0);
    while count < EXPORTED {
        page.page.limit = PORTION.min(u32::try_from(EXPORTED - count).unwrap_or(PORTION));
        let portion = visit.app.runtime.store.audit(&page).await?;
        for view in &portion {
            told.push_str(&export::entry(view).to_string());
            told.push('\n');
        }
        count += portion.len();
        page.page.before = portion.last().map(|view| view.cursor);
        if portion.len() < page.page.limit as usize {
            break;
        }
    }
    let headers = [(CONTENT_TYPE, "application/jsonl"), (CONTENT_DISPOSITION, "attachment; filename=\"zelo-audit.jsonl\"")];
    Ok((headers, told).into_response())
}
