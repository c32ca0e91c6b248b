//! Erasing a person: a step that says what goes and what stays, and the word that confirms it.

use axum::extract::{Path, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::ToSchema;
use zelo_store::{Duties, Error};

use super::super::names;
use super::super::sent::form;
use super::super::visit::{Place, Visit};
use super::super::words::Words as Common;
use super::words::{Words, words};
use super::{held_of, known, named, numbers, unknown};
use crate::openapi::shapes;
use crate::problem::Problem;
use crate::seen::Seen;

/// The words that confirm, in each language.
const WORDS: [&str; 2] = ["apagar", "erase"];

/// What confirms it.
#[derive(Deserialize, ToSchema)]
#[schema(as = EraseForm)]
pub(crate) struct Said {
    /// `apagar` or `erase`.
    #[serde(default)]
    word: String,
}

/// What goes and what stays, and the form that erases.
#[utoipa::path(get, path = "/subjects/{pseudonym}/erase", tag = "pages", operation_id = "ask_to_erase", params(("pseudonym" = shapes::Pseudonym, Path)), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
    (status = 303, description = "They were erased already; their page comes next."),
    (status = 409, description = "The page, which says that their data are on hold.", body = String, content_type = "text/html"),
))]
pub(crate) async fn ask(visit: Visit, Path(pseudonym): Path<String>) -> Result<Response, Problem> {
    show(&visit, &pseudonym, None).await
}

/// Erases somebody, and shows what came of it.
#[utoipa::path(post, path = "/subjects/{pseudonym}/erase", tag = "pages", operation_id = "erase_subject_page", params(("pseudonym" = shapes::Pseudonym, Path)), request_body(content = Said, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 303, description = "Done; their page comes next, which says what went."),
    (status = 409, description = "The page again: their data are on hold.", body = String, content_type = "text/html"),
    (status = 422, description = "The page again: the word is another one.", body = String, content_type = "text/html"),
))]
pub(crate) async fn erase(visit: Visit, Path(pseudonym): Path<String>, request: Request) -> Result<Response, Problem> {
    let Said { word } = form(&visit.app, request).await?;
    let subject = named(&pseudonym)?;
    if !WORDS.contains(&word.trim().to_lowercase().as_str()) {
        return show(&visit, &pseudonym, Some(words(visit.words).erase_wrong)).await;
    }
    let runtime = &visit.app.runtime;
    match runtime.store.erase(subject, visit.who.actor(), runtime.clock.now()).await {
        Ok(Some(_)) => Ok(Redirect::to(&format!("/subjects/{subject}")).into_response()),
        Ok(None) => Err(known(&visit.app, subject).await.map_or_else(|problem| problem, |_| unknown())),
        Err(Error::Held) => show(&visit, &pseudonym, None).await,
        Err(error) => Err(error.into()),
    }
}

/// The step before; `wrong`: what is wrong with the word.
async fn show(visit: &Visit, pseudonym: &str, wrong: Option<&str>) -> Result<Response, Problem> {
    let own = words(visit.words);
    let export = held_of(visit, named(pseudonym)?).await?;
    let subject = &export.subject;
    let theirs = format!("/subjects/{}", subject.pseudonym);
    if subject.erased.is_some() {
        return Ok(Redirect::to(&theirs).into_response());
    }
    Seen::of("subject").rows([subject]).by(&visit.who, &visit.app).await?;
    let held = subject.held.is_some();
    let content = html! {
        p data-key="back" { a href=(theirs) { "← " (own.cancel) } }
        p data-key="person" { (own.pseudonym) " " code { (subject.pseudonym) } }
        @if held {
            p.error data-key="held" role="alert" { (own.erase_held) }
        } @else {
            section data-key="goes" aria-labelledby="goes" { h2 id="goes" { (own.erase_goes) } p { (own.erase_goes_how) } (numbers(visit.words, own, &export)) }
            section data-key="stays" aria-labelledby="stays" { h2 id="stays" { (own.erase_stays) } (stays(visit.words, own, &visit.app.runtime.store.archive().duties())) }
            form.card.erase method="post" action={ (theirs) "/erase" } data-key="confirm" autocomplete="off" {
                p { strong { (own.erase_final) } }
                label for="word" { (own.erase_type) }
                input type="text" id="word" name="word" maxlength="20" required aria-invalid=[wrong.map(|_| "true")] aria-describedby=[wrong.map(|_| "word-wrong")];
                @if let Some(wrong) = wrong { p.error id="word-wrong" role="alert" { (wrong) } }
                p.choices { button.danger type="submit" { (own.erase_now) } a.button.quiet href=(theirs) { (own.cancel) } }
            }
        }
    };
    let status = match (held, wrong) {
        (true, _) => StatusCode::CONFLICT,
        (false, Some(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        (false, None) => StatusCode::OK,
    };
    Ok(visit.page_as(status, Place::Subjects, own.erase_title, &content))
}

/// What a law keeps, each with the law.
fn stays(common: &Common, own: &Words, duties: &Duties) -> Markup {
    let Duties { documents, messages, records } = duties;
    html! {
        ul {
            @if let Some(law) = documents { li { (own.duty_documents) ": " (law) } }
            @if let Some(law) = messages { li { (own.duty_messages) ": " (law) } }
            @for (kind, law) in records { li { (own.duty_records) " " (names::thing(common, kind)) ": " (law) } }
            @if *duties == Duties::default() { li { (own.erase_stays_nothing) } }
            li { (own.erase_stays_audit) }
        }
    }
}
