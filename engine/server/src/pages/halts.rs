//! The kill switch on the page: what is halted, and the buttons of operators.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::ToSchema;
use zelo_core::Halt;
use zelo_core::halt::REASON_MAX;
use zelo_runtime::waits::named;

use super::Language;
use super::audit::actor;
use super::moments::moment;
use super::words::Words;
use crate::App;
use crate::access::{Known, Role};
use crate::api::halts;
use crate::openapi::shapes;
use crate::problem::Problem;

/// What the buttons send.
const HALT: &str = "halt";
const RESUME: &str = "resume";

/// What is sent.
#[derive(Deserialize, ToSchema)]
#[schema(as = HaltForm)]
pub(crate) struct Said {
    /// `halt` or `resume`.
    what: String,
    #[schema(value_type = shapes::HaltScope)]
    scope: String,
    #[serde(default)]
    reason: String,
}

/// What is halted, for every page; nothing where nothing is. Who may resumes it there.
pub(super) fn banner(words: &Words, halted: &[Halt], role: Role, zone: &TimeZone) -> Markup {
    html! {
        @if !halted.is_empty() {
            aside.alarm data-key="halts" aria-label=(words.halted) {
                h2 { (words.halted) }
                ul {
                    @for halt in halted {
                        @let scope = halt.scope.to_string();
                        li data-key={ "halt " (scope) } data-news={ (words.halted) ": " (named(&scope, words.is_english())) } {
                            strong { (named(&scope, words.is_english())) }
                            " · " (words.since) " " (moment(words, halt.at, zone)) " · " (actor(words, halt.actor.as_str()))
                            @if let Some(reason) = &halt.reason { p.said { (reason) } }
                            @if role.sees_to_jobs() {
                                form.choices method="post" action="/halts" {
                                    input type="hidden" name="scope" value=(scope);
                                    button type="submit" name="what" value=(RESUME) { (words.resume) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The form that halts all, a rule or a plugin; nothing for who may not.
pub(super) fn form(app: &App, words: &Words, role: Role) -> Markup {
    if !role.sees_to_jobs() {
        return html! {};
    }
    let edition = app.runtime.rules.current();
    let scopes = std::iter::once("all".to_owned()).chain(edition.in_force.scopes_to_halt().map(|scope| scope.to_string()));
    html! {
        details data-key="halt" {
            summary { (words.halt) }
            form method="post" action="/halts" {
                p { (words.halt_how) }
                label { (words.what) " "
                    select name="scope" { @for scope in scopes { option value=(scope) { (named(&scope, words.is_english())) } } }
                }
                label { (words.reason_why) " " input type="text" name="reason" maxlength=(REASON_MAX); }
                button type="submit" name="what" value=(HALT) { (words.halt) }
            }
        }
    }
}

/// Halts or resumes as a button says, and shows the first page again.
#[utoipa::path(post, path = "/halts", tag = "pages", operation_id = "decide_halt", request_body(content = Said, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 303, description = "Done; the first page comes next."),
    (status = 404, description = "There is nothing of this name.", body = shapes::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn decide(State(app): State<App>, who: Known, Language(_): Language, request: Request) -> Result<Response, Problem> {
    let malformed = || Problem::malformed("This is not the form of what is halted.");
    let Said { what, scope, reason } = super::sent::form(&app, request).await?;
    match what.as_str() {
        HALT => halts::put_halt(&app, &who, &scope, Some(&reason)).await?,
        RESUME => halts::lift_halt(&app, &who, &scope).await?,
        _ => return Err(malformed()),
    }
    Ok(Redirect::to("/").into_response())
}
