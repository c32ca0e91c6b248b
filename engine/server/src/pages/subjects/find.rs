//! Looking for a person: what is typed is sent in a form, what is found is addressed by pseudonyms.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use zelo_core::{IdentityKind, Pseudonym};
use zelo_rules::common_identity;
use zelo_store::{SubjectView, Who};

use super::super::moments::moment;
use super::super::places::{Places, unreadable};
use super::super::sent;
use super::super::tables::{section, table as listed};
use super::super::visit::{Place, Visit};
use super::words::{Words, words};
use super::{known_by, status};
use crate::problem::Problem;
use crate::seen::Seen;

/// People who are shown at once.
const FOUND: usize = 20;

/// Who was found.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Found {
    /// Their pseudonyms, with commas between them.
    #[serde(default)]
    found: String,
}

/// Whom somebody looks for.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = SubjectForm)]
pub(crate) struct Said {
    /// `cpf`, `phone`, `email` or `id`.
    by: String,
    value: String,
}

/// The form to look for somebody, and who was found.
#[utoipa::path(get, path = "/subjects", tag = "pages", operation_id = "subjects_page", params(Found), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn list(visit: Visit, query: Result<Query<Found>, QueryRejection>) -> Result<Response, Problem> {
    let Query(Found { found }) = query.map_err(unreadable)?;
    let own = words(visit.words);
    let mut people = Vec::new();
    for pseudonym in found.split(',').filter_map(|text| text.parse::<Pseudonym>().ok()).take(FOUND) {
        people.extend(visit.app.runtime.store.find_subjects(Who::Pseudonym(pseudonym)).await?);
    }
    people.retain(|subject| visit.who.sees(subject));
    Seen::of("subjects").rows(&people).by(&visit.who, &visit.app).await?;
    let places = Places::of(&visit).await?;
    let zones = visit.zones();
    let mut rows = Vec::with_capacity(people.len());
    for subject in &people {
        let since = moment(visit.words, subject.since, &zones.of(&subject.connection, subject.clinic.as_deref()).await?);
        rows.push(row(own, &places, subject, &since));
    }
    let columns = [own.pseudonym, own.since, own.known_by, own.status, visit.words.connection, visit.words.clinic];
    let content = html! {
        p.none data-key="intro" { (own.intro) }
        @if !people.is_empty() {
            (section("found", own.found, &html! {
                p.none { (own.found_how) }
                (listed(own.found, &columns, &html! { @for row in &rows { (row) } }))
            }))
        }
        (form(own, &Said::default(), None))
    };
    Ok(visit.page(Place::Subjects, visit.words.place(Place::Subjects), &content))
}

fn row(own: &Words, places: &Places, subject: &SubjectView, since: &Markup) -> Markup {
    html! {
        tr data-key={ "subject " (subject.pseudonym) } {
            th scope="row" { a href={ "/subjects/" (subject.pseudonym) } { (subject.pseudonym) } }
            td { (since) }
            td { (known_by(own, subject)) }
            td { (status(own, subject)) }
            td { (subject.connection) }
            td { (places.name(&subject.connection, subject.clinic.as_deref()).unwrap_or_default()) }
        }
    }
}

/// The form, with what was typed and what is wrong with it.
fn form(own: &Words, said: &Said, wrong: Option<&str>) -> Markup {
    html! {
        form.card.find method="post" action="/subjects" data-key="find" autocomplete="off" {
            label for="by" { (own.by) }
            select id="by" name="by" { @for (way, told) in own.ways { option value=(way) selected[way == said.by] { (told) } } }
            label for="value" { (own.value) }
            input type="text" id="value" name="value" value=(said.value) maxlength="200" required spellcheck="false"
                aria-invalid=[wrong.map(|_| "true")] aria-describedby=(if wrong.is_some() { "value-wrong" } else { "value-hint" });
            @if let Some(wrong) = wrong { p.error id="value-wrong" role="alert" { (wrong) } }
            p.hint id="value-hint" { (own.value_hint) }
            button type="submit" { (own.find) }
        }
    }
}

/// Looks for somebody, and shows who was found.
#[utoipa::path(post, path = "/subjects", tag = "pages", operation_id = "find_subject", request_body(content = Said, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 303, description = "Somebody was found, and comes next."),
    (status = 404, description = "The page again: nobody was found.", body = String, content_type = "text/html"),
    (status = 422, description = "The page again, which says what is wrong.", body = String, content_type = "text/html"),
))]
pub(crate) async fn find(visit: Visit, request: Request) -> Result<Response, Problem> {
    let said: Said = sent::form(&visit.app, request).await?;
    let own = words(visit.words);
    let again = |status: StatusCode, wrong: &str| {
        let content = html! { p.none data-key="intro" { (own.intro) } (form(own, &said, Some(wrong))) };
        visit.page_as(status, Place::Subjects, visit.words.place(Place::Subjects), &content)
    };
    let store = &visit.app.runtime.store;
    let value = said.value.trim();
    let identity = |kind: IdentityKind| common_identity(kind, value).map(|common| Who::Identity(store.indexer().identity(kind, &common)));
    let (who, wrong) = match said.by.as_str() {
        "cpf" => (identity(IdentityKind::Cpf), own.no_cpf),
        "phone" => (identity(IdentityKind::Phone), own.no_phone),
        "email" => (identity(IdentityKind::Email), own.no_email),
        "id" => (Some(value).filter(|id| !id.is_empty()).map(|id| Who::Id { connection: None, id: id.to_owned() }), own.no_id),
        _ => (None, own.wrong_way),
    };
    let Some(who) = who else { return Ok(again(StatusCode::UNPROCESSABLE_ENTITY, wrong)) };
    let mut found = store.find_subjects(who).await?;
    found.retain(|subject| visit.who.sees(subject));
    Seen::of("subjects").rows(&found).by(&visit.who, &visit.app).await?;
    let to = match found.as_slice() {
        [] => return Ok(again(StatusCode::NOT_FOUND, own.nobody)),
        [one] => format!("/subjects/{}", one.pseudonym),
        several => {
            let names: Vec<String> = several.iter().take(FOUND).map(|subject| subject.pseudonym.to_string()).collect();
            format!("/subjects?found={}", names.join(","))
        }
    };
    Ok(Redirect::to(&to).into_response())
}
