//! Sources, for integrators: each connection with the address to give to its provider, how its deliveries are verified, what comes
//! through it and what is refused, and the file that says all that.

mod charts;
mod words;

use std::path::{Path as FilePath, PathBuf};

use axum::extract::{Path, Request};
use axum::response::Response;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use utoipa_axum::routes;
use zelo_core::hearing::{Hour, hour_of};
use zelo_rules::Source;
use zelo_runtime::{Connection, Heard};

use self::words::{Words, words};
use super::moments::{moment, number};
use super::rules::{file_text, printed};
use super::tables::{section, size, table as rows_of};
use super::visit::{Place, Visit};
use crate::access::{Gate, Reach, Role};
use crate::openapi::Table;
use crate::origin;
use crate::problem::Problem;

/// Hours that are shown.
const HOURS: i64 = 24;
/// No sample is shown that is longer, in bytes.
const SAMPLE_MAX: u64 = 64 << 10;

/// The routes of these pages.
pub(crate) fn table() -> Table {
    let sees = Gate::Known(Role::Viewer, Reach::Everything);
    Table::new().at(sees, routes!(list)).at(sees, routes!(show))
}

/// All connections.
#[utoipa::path(get, path = "/sources", tag = "pages", operation_id = "sources_page", responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn list(visit: Visit, request: Request) -> Result<Response, Problem> {
    let w = words(visit.words);
    let base = origin::base(&visit.app.settings, request.headers(), request.extensions());
    let edition = visit.app.runtime.rules.current();
    let heard = visit.app.runtime.heard();
    let mut cards = Vec::new();
    // By name, as they are heard.
    for heard in &heard {
        let Some(connection) = visit.app.runtime.connections.get(&heard.connection) else { continue };
        let zone = visit.zones().of(&connection.name, connection.clinic.as_deref()).await?;
        cards.push(card(&visit, w, (connection, edition.rules.source(&connection.source)), heard, &base, &zone));
    }
    let content = section(
        "connections",
        w.connections,
        &html! {
            @if cards.is_empty() { div.empty { p { (w.none) } p { (w.none_how) } } }
            div.cards { @for card in &cards { (card) } }
        },
    );
    Ok(visit.page(Place::Sources, visit.words.place(Place::Sources), &content))
}

fn card(
    visit: &Visit,
    w: &Words,
    (connection, source): (&Connection, Option<&Source>),
    heard: &Heard,
    base: &str,
    zone: &TimeZone,
) -> Markup {
    let (_, day) = hours(visit, connection);
    html! {
        article.card data-key={ "connection " (connection.name) } {
            h3 { a href={ "/sources/" (connection.name) } { (source.and_then(|source| source.title.get(visit.words.lang)).unwrap_or(&connection.name)) } }
            p { code { (base) "/hooks/" (connection.name) "/" } }
            p { (standing(visit, w, connection, source)) (alarms(w, heard)) }
            p.facts {
                (connection.name) " · " (w.last) ": "
                @match heard.last { Some(last) => (moment(visit.words, last, zone)), None => (w.never) }
                @if day.refused > 0 { " · " (w.refused_day) ": " (number(visit.words, day.refused)) }
            }
        }
    }
}

/// Whether deliveries are verified, and could be.
fn standing(visit: &Visit, w: &Words, connection: &Connection, source: Option<&Source>) -> Markup {
    let runtime = &visit.app.runtime;
    html! {
        @if runtime.is_insecure(connection) { span.badge.bad { (w.insecure) } }
        @else if runtime.secrets_of(connection) > 0 { span.badge.good { (w.secret_set) } }
        @else if source.is_some_and(|source| !source.needs_secret()) { span.badge.good { (w.key_in_file) } }
        @else { span.badge.wait { (w.secret_missing) } }
    }
}

fn alarms(w: &Words, heard: &Heard) -> Markup {
    html! {
        @if heard.silent { " " span.badge.bad { (w.silent) } }
        @if heard.refusals_rise { " " span.badge.bad { (w.rising) } }
    }
}

/// What came through a connection in each of the last hours, the present one last; and in all of them.
fn hours(visit: &Visit, connection: &Connection) -> (Vec<(i64, Hour)>, Hour) {
    let now = hour_of(visit.app.runtime.clock.now());
    let known = visit.app.runtime.heard_by_hour(&connection.name);
    let of = |hour: i64| known.iter().find(|(known, _)| *known == hour).map_or_else(Hour::default, |(_, came)| *came);
    let hours: Vec<(i64, Hour)> = (now - HOURS + 1..=now).map(|hour| (hour, of(hour))).collect();
    let sum = |count: fn(&Hour) -> u64| hours.iter().map(|(_, came)| count(came)).sum();
    let day = Hour { accepted: sum(|came| came.accepted), refused: sum(|came| came.refused), last: None };
    (hours, day)
}

/// One connection.
#[utoipa::path(get, path = "/sources/{connection}", tag = "pages", operation_id = "source_page", params(("connection" = String, Path, description = "Its name.")), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit, Path(name): Path<String>, request: Request) -> Result<Response, Problem> {
    let w = words(visit.words);
    let (app, edition) = (&visit.app, visit.app.runtime.rules.current());
    let missing = || Problem::not_found("There is no connection with this name. The page of all sources lists them.");
    let connection = app.runtime.connections.get(&name).ok_or_else(missing)?;
    let source = edition.rules.source(&connection.source).ok_or_else(missing)?;
    let base = origin::base(&app.settings, request.headers(), request.extensions());
    let zone = visit.zones().of(&connection.name, connection.clinic.as_deref()).await?;
    let samples = samples(source).await;
    let printed = printed(app, &source.file).await;
    let url = format!("{base}/hooks/{}/", connection.name);
    let content = html! {
        p data-key="back" { a href="/sources" { (w.all) } }
        @if app.runtime.is_insecure(connection) { div.alarm role="note" data-key="insecure" { h2 { (w.insecure) } p { (w.insecure_how) } } }
        (section("address", w.url, &html! { p { code { (url) } } p.none { (w.url_how) } }))
        (section("verification", w.verification, &verification(&visit, w, connection, source)))
        (section("heard", w.heard, &heard(&visit, w, connection, &zone)))
        (section("types", w.events, &events(&visit, w, source, &samples)))
        (section("limits", w.limits, &limits(&visit, w, connection, source)))
        (section("file", w.file, &html! {
            p.facts { code { (source.file) } }
            @match &printed { Some(printed) => (file_text(super::rules::file_words(visit.words), printed)), None => p.none { (w.no_text) } }
        }))
    };
    let title = source.title.get(visit.words.lang).unwrap_or(&connection.name);
    Ok(visit.page(Place::Sources, &format!("{title} · {}", connection.name), &content))
}

fn verification(visit: &Visit, w: &Words, connection: &Connection, source: &Source) -> Markup {
    html! {
        p { (standing(visit, w, connection, Some(source))) }
        @if source.verify.is_empty() { p { (w.verify_none) } } @else {
            p { (w.verify_any) }
            ul { @for scheme in &source.verify { li { (scheme.told(visit.words.lang)) } } }
        }
        p.none { (w.secrets) ": " (visit.app.runtime.secrets_of(connection)) ". " (w.secrets_how) }
    }
}

fn heard(visit: &Visit, w: &Words, connection: &Connection, zone: &TimeZone) -> Markup {
    let heard = visit.app.runtime.heard().into_iter().find(|heard| heard.connection == connection.name);
    let (hours, day) = hours(visit, connection);
    let last = heard.as_ref().and_then(|heard| heard.last);
    html! {
        @if let Some(heard) = &heard { p { (alarms(w, heard)) } }
        dl.facts {
            div { dt { (w.last) } dd { @match last { Some(last) => (moment(visit.words, last, zone)), None => (w.never) } } }
            div { dt { (w.taken_day) } dd { (number(visit.words, day.accepted)) } }
            div { dt { (w.refused_day) } dd { (number(visit.words, day.refused)) @if day.refused > 0 { " · " a href="/failures" { (w.see_failures) } } } }
        }
        @if day.accepted + day.refused == 0 { div.empty { p { (w.nothing_heard) } } } @else { (charts::by_hour(visit, w, &hours, zone)) }
    }
}

fn events(visit: &Visit, w: &Words, source: &Source, samples: &[(String, String)]) -> Markup {
    rows_of(
        w.title,
        &[w.kind, w.title, w.path, w.class, w.sample],
        &html! {
            @for event in &source.events {
                tr {
                    th scope="row" { code { (event.kind) } }
                    td { (event.title.as_ref().and_then(|title| title.get(visit.words.lang)).map(String::as_str).unwrap_or_default()) }
                    td { @match &event.matches.path { Some(path) => code { (path) }, None => (w.any_path) } }
                    td { (visit.words.class(event.class)) }
                    td.text {
                        @if let Some(name) = &event.sample {
                            @match samples.iter().find(|(known, _)| known == name) {
                                Some((_, text)) => details data-key={ "sample " (event.kind) } { summary { (name) } pre { code { (text) } } },
                                None => code { (name) },
                            }
                        }
                    }
                }
            }
        },
    )
}

/// The examples that the source names, by their names, as far as they can be read.
async fn samples(source: &Source) -> Vec<(String, String)> {
    let folder: PathBuf = FilePath::new(&source.file).parent().unwrap_or(FilePath::new("")).to_owned();
    let names: Vec<String> = source.events.iter().filter_map(|event| event.sample.clone()).collect();
    let read = tokio::task::spawn_blocking(move || {
        let read = |name: String| {
            let path = folder.join(&name);
            let fits = std::fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() <= SAMPLE_MAX);
            Some((name, std::fs::read_to_string(path).ok().filter(|_| fits)?))
        };
        names.into_iter().filter_map(read).collect()
    });
    read.await.unwrap_or_default()
}

fn limits(visit: &Visit, w: &Words, connection: &Connection, source: &Source) -> Markup {
    let settings = &visit.app.settings;
    let rate = settings.rates.own.get(&connection.name).unwrap_or(&settings.rates.each);
    let allowed: Vec<String> = settings.allow.connections.get(&connection.name).into_iter().flatten().map(ToString::to_string).collect();
    let origins: Vec<&str> = settings.origins.get(&connection.name).into_iter().flatten().map(String::as_str).collect();
    let keeps = settings.keep_refused.contains(&connection.name);
    html! {
        dl.facts {
            div { dt { (w.source) } dd { code { (source.id) } } }
            @if let Some(clinic) = &connection.clinic { div { dt { (w.clinic) } dd { code { (clinic) } } } }
            div { dt { (w.allow) } dd { @if allowed.is_empty() { (w.everybody) } @else { code { (allowed.join(", ")) } } } }
            div { dt { (w.rate) } dd { (number(visit.words, rate.per_second.get().into())) " " (w.per_second) " " (number(visit.words, rate.burst.get().into())) " " (w.at_once) } }
            div { dt { (w.body) } dd { (size(source.max_body.min(settings.body_max) as u64)) } }
            @if !origins.is_empty() { div { dt { (w.origins) } dd { code { (origins.join(", ")) } } } }
            div { dt { (w.keeps) } dd { (if keeps { w.keeps_yes } else { w.keeps_no }) } }
            div { dt { (w.expect) } dd { @match connection.expect { Some(expect) => { (format!("{expect:#}")) } , None => (w.expect_own) } } }
        }
    }
}
