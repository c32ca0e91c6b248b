//! The buttons by which a person decides about a job, and what they send.

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::ToSchema;
use zelo_core::revive::Verdict;
use zelo_core::{Job, JobId, JobState};

use super::Language;
use super::language::here;
use super::sent;
use super::tables::reason;
use super::visit::narrow;
use super::words::Words;
use crate::App;
use crate::access::Known;
use crate::api::jobs::{cancelled, decide as decided};
use crate::problem::Problem;

/// What the word of a verdict is where a pending job shall not run.
const CANCEL: &str = "cancel";

/// What is sent.
#[derive(Deserialize, ToSchema)]
#[schema(as = JobForm)]
pub(crate) struct Said {
    /// A verdict, or `cancel`.
    verdict: String,
    /// Where the reader is: the path of a page. The first, where it does not say.
    #[serde(default)]
    back: String,
}

/// The same on the page at `back`, which comes again.
pub(super) fn choices(words: &Words, job: &Job, back: &str) -> Markup {
    let choices: &[(&str, &str)] = match job.state {
        JobState::Dead => &[(Verdict::Retry.as_str(), words.run_again)],
        JobState::Unknown => {
            &[(Verdict::Done.as_str(), words.was_done), (Verdict::Run.as_str(), words.was_not_done), (Verdict::Not.as_str(), words.give_up)]
        }
        state if state.is_live() => &[(CANCEL, words.cancel)],
        _ => &[],
    };
    html! {
        @if !choices.is_empty() {
            form.choices method="post" action={ "/jobs/" (job.id) } {
                @if back != "/" { input type="hidden" name="back" value=(back); }
                @for (verdict, told) in choices { button type="submit" name="verdict" value=(verdict) { (told) } }
            }
        }
    }
}

/// Does what a button of a job says, and shows the page again on which it was; or why not.
#[utoipa::path(post, path = "/jobs/{id}", tag = "pages", operation_id = "decide_job", params(("id" = String, Path, description = "`job_` and 32 hexadecimal digits.")), request_body(content = Said, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 303, description = "Done; the page comes again."),
    (status = 409, description = "The job stands as it did.", body = String, content_type = "text/html"),
))]
pub(crate) async fn decide(
    State(app): State<App>,
    who: Known,
    Path(id): Path<String>,
    Language(words): Language,
    request: Request,
) -> Result<Response, Problem> {
    let id: JobId = id.parse().map_err(|_| Problem::no_job())?;
    let malformed = || Problem::malformed("This is not the form of a job.");
    let Said { verdict, back } = sent::form(&app, request).await?;
    let outcome = match Verdict::parse(&verdict) {
        Some(verdict) => decided(&app, &who, id, verdict).await.map(drop),
        None if verdict == CANCEL => cancelled(&app, &who, id).await.map(drop),
        None => return Err(malformed()),
    };
    let back = here(&back);
    let Err(problem) = outcome else { return Ok(Redirect::to(&told_at(back, &verdict)).into_response()) };
    let Some(why) = problem.reason() else { return Err(problem) };
    let body = html! {
        div {
            h1 { (words.job_stays) }
            p { (reason(words, JobState::Dead, why)) }
            p { a href=(back) { (words.back) } }
        }
    };
    Ok(narrow(StatusCode::CONFLICT, words, words.job_stays, &body))
}

/// The page at `back`; those of activity say what was done.
fn told_at(back: &str, verdict: &str) -> String {
    let plain = back.split('?').next().unwrap_or(back);
    if plain.starts_with("/activity/") { format!("{plain}?did={verdict}") } else { back.to_owned() }
}
