//! People, for who answers to them: found, told what is held, handed out, put on hold, erased.
//!
//! No address names anybody but by their pseudonym.

mod erase;
mod find;
mod words;

use axum::extract::{Path, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::routes;
use zelo_core::{AuditKind, Pseudonym};
use zelo_store::{AuditView, SubjectExport, SubjectView};

use self::words::{Words, words};
use super::moments::{moment, number};
use super::places::Places;
use super::sent::form;
use super::tables::{section, table as listed};
use super::visit::{Place, Visit};
use super::{audit, names, words as common};
use crate::access::{Gate, Reach, Role};
use crate::api::subjects::{known, part};
use crate::openapi::{Table, shapes};
use crate::problem::Problem;
use crate::seen::Seen;

/// Entries of the audit log that are shown of somebody.
const SEEN: usize = 50;

pub(crate) fn table() -> Table {
    let answers = Gate::Known(Role::Admin, Reach::Clinics);
    // A person is known to a connection, whatever its clinics: what becomes of them becomes of them everywhere.
    let decides = Gate::Known(Role::Admin, Reach::Everything);
    Table::new()
        .at(answers, routes!(find::list, find::find))
        .at(answers, routes!(one))
        .at(decides, routes!(hold))
        .at(decides, routes!(release))
        .at(decides, routes!(erase::ask, erase::erase))
}

/// Whom an address names.
fn named(pseudonym: &str) -> Result<Pseudonym, Problem> {
    pseudonym.parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::not_found("There is nobody with this pseudonym.")
}

/// All that the reader is told of somebody.
async fn held_of(visit: &Visit, subject: Pseudonym) -> Result<SubjectExport, Problem> {
    let export = visit.app.runtime.store.export_subject(subject).await?.filter(|export| visit.who.sees(&export.subject));
    let export = export.ok_or_else(unknown)?;
    Ok(if visit.who.sees_everything() { export } else { part(&visit.who, export) })
}

/// One person.
#[utoipa::path(get, path = "/subjects/{pseudonym}", tag = "pages", operation_id = "subject_page", params(("pseudonym" = shapes::Pseudonym, Path)), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn one(visit: Visit, Path(pseudonym): Path<String>) -> Result<Response, Problem> {
    show(&visit, StatusCode::OK, &pseudonym, None).await
}

/// The page of somebody; `wrong`: what is wrong with the reason that was given for a hold.
async fn show(visit: &Visit, status: StatusCode, pseudonym: &str, wrong: Option<&str>) -> Result<Response, Problem> {
    let own = words(visit.words);
    let export = held_of(visit, named(pseudonym)?).await?;
    let subject = &export.subject;
    Seen::of("subject").rows([subject]).by(&visit.who, &visit.app).await?;
    let zone = visit.zones().of(&subject.connection, subject.clinic.as_deref()).await?;
    let places = Places::of(visit).await?;
    let told = |at| moment(visit.words, at, &zone);
    let edition = visit.app.runtime.rules.current();
    let titled = |rule: &str| names::rule(&edition.rules, visit.words, rule);
    let rows = html! {
        @for AuditView { cursor, entry, .. } in export.audit.iter().rev().take(SEEN) {
            tr data-key={ "entry " (cursor) } {
                td { (told(entry.at)) }
                td { (audit::actor(visit.words, entry.actor.as_str())) }
                td.text {
                    (audit::sentence(visit.words, entry, &titled))
                    @if let Some(job) = &entry.job { " " a href={ "/activity/jobs/" (job) } { (visit.words.jobs) } }
                }
            }
        }
    };
    let content = html! {
        p data-key="back" { a href="/subjects" { "← " (own.back) } }
        @if subject.erased.is_some() { (erasure(visit.words, own, &export.audit)) }
        dl.card data-key="person" {
            div { dt { (own.pseudonym) } dd { code { (subject.pseudonym) } } }
            div { dt { (visit.words.connection) } dd { (subject.connection) } }
            @if let Some(clinic) = places.name(&subject.connection, subject.clinic.as_deref()) { div { dt { (visit.words.clinic) } dd { (clinic) } } }
            div { dt { (own.since) } dd { (told(subject.since)) } }
            @if !subject.identities.is_empty() { div { dt { (own.known_by) } dd { (known_by(own, subject)) } } }
            div { dt { (own.status) } dd { (self::status(own, subject)) } }
            @for link in &subject.linked {
                div { dt { (own.linked) } dd { a href={ "/subjects/" (link.pseudonym) } { (link.pseudonym) } " (" (own.identity(link.by.as_str())) "): " (own.linked_how) } }
            }
        }
        (section("holds", own.holds, &numbers(visit.words, own, &export)))
        (section("export", own.export, &html! {
            p { (own.export_how) }
            p.choices {
                a.button href={ "/api/v1/subjects/" (subject.pseudonym) "/export?format=html" } download { (own.export_page) }
                a.button.quiet href={ "/api/v1/subjects/" (subject.pseudonym) "/export?format=json" } download={ "zelo-" (subject.pseudonym) ".json" } { (own.export_json) }
            }
        }))
        (section("consents", own.consents, &html! {
            @if export.consents.is_empty() {
                p.none { (own.no_consents) }
            } @else {
                (listed(own.consents, &[own.topic, own.answer, visit.words.time], &html! {
                    @for consent in &export.consents {
                        tr { th scope="row" { (names::topic(visit.words, &consent.topic)) } td { (if consent.given { own.given } else { own.withdrawn }) } td { (told(consent.at)) } }
                    }
                }))
            }
        }))
        (section("saw", own.saw, &html! {
            @if export.audit.is_empty() {
                p.none { (own.saw_nobody) }
            } @else {
                @if export.audit.len() > SEEN { p.none { (own.saw_latest) } }
                (listed(own.saw_caption, &[visit.words.time, own.who, own.what], &rows))
            }
        }))
        @if visit.who.sees_everything() && subject.erased.is_none() { (section("keep", own.keep, &keeping(own, subject, wrong))) }
    };
    Ok(visit.page_as(status, Place::Subjects, own.person, &content))
}

/// What somebody is known by beside their id, in kinds and not in values.
fn known_by(own: &Words, subject: &SubjectView) -> String {
    subject.identities.iter().map(|kind| own.identity(kind.as_str())).collect::<Vec<_>>().join(", ")
}

fn status(own: &Words, subject: &SubjectView) -> Markup {
    html! {
        @if subject.erased.is_some() { span.badge.off { (own.erased) } }
        @else if subject.held.is_some() { span.badge.wait { (own.held) } }
        @else { span.badge.good { (own.normal) } }
    }
}

/// What is held, in numbers.
fn numbers(common: &common::Words, own: &Words, export: &SubjectExport) -> Markup {
    let SubjectExport { events, records, jobs, messages, documents, state, consents, .. } = export;
    let counts = [events.len(), records.len(), jobs.len(), messages.len(), documents.len(), state.len(), consents.len()];
    html! {
        dl.numbers { @for (name, count) in own.holds_kinds.iter().zip(counts) { div { dt { (name) } dd { (number(common, count as u64)) } } } }
    }
}

/// What the erasure came to, as the audit log tells it.
fn erasure(common: &common::Words, own: &Words, audit: &[AuditView]) -> Markup {
    let detail = audit.iter().rev().find(|view| view.entry.kind == AuditKind::Erased).map(|view| view.entry.detail()).unwrap_or_default();
    let count = |name: &str| detail.get(name).and_then(Value::as_u64).unwrap_or_default();
    let deleted = detail.get("deleted").and_then(Value::as_object).map(|deleted| rows(common, deleted)).unwrap_or_default();
    let kept =
        detail.get("kept").and_then(Value::as_array).into_iter().flatten().map(|one| kept(common, one)).collect::<Vec<_>>().join(", ");
    let told = |text: String| if text.is_empty() { own.nothing.to_owned() } else { text };
    html! {
        div.done data-key="erased" {
            p { strong { (own.is_erased) } }
            dl {
                div { dt { (own.erasure_keys) } dd { (count("keys")) } }
                div { dt { (own.erasure_deleted) } dd { (told(deleted)) } }
                div { dt { (own.erasure_cancelled) } dd { (count("cancelled")) } }
                div { dt { (own.erasure_kept) } dd { (told(kept)) } }
            }
        }
    }
}

fn rows(common: &common::Words, deleted: &Map<String, Value>) -> String {
    let told = |(kind, rows): (&String, &Value)| format!("{}: {rows}", audit::rows(common, kind));
    deleted.iter().filter(|(_, rows)| rows.as_u64() != Some(0)).map(told).collect::<Vec<_>>().join(", ")
}

fn kept(common: &common::Words, kept: &Value) -> String {
    let text = |name: &str| kept[name].as_str().unwrap_or_default();
    format!("{}: {} ({})", audit::rows(common, text("kind")), kept["rows"], text("duty"))
}

/// What becomes of the data: held, let go, erased.
fn keeping(own: &Words, subject: &SubjectView, wrong: Option<&str>) -> Markup {
    let here = format!("/subjects/{}", subject.pseudonym);
    html! {
        @if subject.held.is_some() {
            form.card method="post" action={ (here) "/release" } { p { (own.release_how) } button.quiet type="submit" { (own.release) } }
            p.none { (own.erase_held) }
        } @else {
            form.card method="post" action={ (here) "/hold" } {
                p { (own.hold_how) }
                label for="reason" { (own.hold_reason) }
                input type="text" id="reason" name="reason" maxlength="500" required aria-invalid=[wrong.map(|_| "true")] aria-describedby=[wrong.map(|_| "reason-wrong")];
                @if let Some(wrong) = wrong { p.error id="reason-wrong" role="alert" { (wrong) } }
                button.quiet type="submit" { (own.hold) }
            }
            div.card { p { (own.erase_how) } p { a.button.danger href={ (here) "/erase" } { (own.erase) } } }
        }
    }
}

/// Why data must not go.
#[derive(Deserialize, ToSchema)]
#[schema(as = HoldForm)]
pub(crate) struct Reason {
    reason: String,
}

/// Puts somebody's data on hold.
#[utoipa::path(post, path = "/subjects/{pseudonym}/hold", tag = "pages", operation_id = "hold_subject_page", params(("pseudonym" = shapes::Pseudonym, Path)), request_body(content = Reason, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 303, description = "Done; their page comes next."),
    (status = 422, description = "Their page again: there is no reason.", body = String, content_type = "text/html"),
))]
pub(crate) async fn hold(visit: Visit, Path(pseudonym): Path<String>, request: Request) -> Result<Response, Problem> {
    let Reason { reason } = form(&visit.app, request).await?;
    if reason.trim().is_empty() {
        return show(&visit, StatusCode::UNPROCESSABLE_ENTITY, &pseudonym, Some(words(visit.words).hold_reason_empty)).await;
    }
    held(&visit, &pseudonym, Some(reason)).await
}

/// Lets somebody's data go.
#[utoipa::path(post, path = "/subjects/{pseudonym}/release", tag = "pages", operation_id = "release_subject_page", params(("pseudonym" = shapes::Pseudonym, Path)), responses(
    (status = 303, description = "Done; their page comes next."),
))]
pub(crate) async fn release(visit: Visit, Path(pseudonym): Path<String>) -> Result<Response, Problem> {
    held(&visit, &pseudonym, None).await
}

async fn held(visit: &Visit, pseudonym: &str, reason: Option<String>) -> Result<Response, Problem> {
    let runtime = &visit.app.runtime;
    let subject = named(pseudonym)?;
    if runtime.store.hold(subject, reason, visit.who.actor(), runtime.clock.now()).await? {
        Ok(Redirect::to(&format!("/subjects/{subject}")).into_response())
    } else {
        Err(unknown())
    }
}
