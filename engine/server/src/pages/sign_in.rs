//! Signing in with a link, or with a name and a password; and out.
//!
//! Looking at the link changes nothing (mail programs do that); its button sends the code, once.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::ToSchema;

use super::visit::narrow;
use super::words::Words;
use super::{Language, language};
use crate::App;
use crate::access;
use crate::door::Client;
use crate::openapi::shapes;
use crate::origin;
use crate::people::{self, Outcome, Sent};
use crate::problem::Problem;

/// What the link carries.
#[derive(Default, Deserialize)]
pub(crate) struct Code {
    #[serde(default)]
    code: String,
}

/// What is sent: the code of a link; or a name, a password, and where they need one, the six digits of their app.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SignInForm {
    #[serde(default)]
    code: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    digits: String,
    /// Where they were on the way to: the path of a page.
    #[serde(default)]
    next: String,
}

/// Signing in: with a link, one button; else a name and a password, or a code to paste.
#[utoipa::path(get, path = "/sign-in", tag = "pages", operation_id = "ask_to_sign_in",
    params(("code" = Option<String>, Query, description = "What the link carries.")),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(crate) async fn ask(Language(words): Language, query: Result<Query<Code>, QueryRejection>) -> Response {
    let code = query.map(|Query(Code { code })| code).unwrap_or_default();
    let body = html! {
        div {
            h1 { "zelo" }
            @if code.is_empty() {
                (forms(words, "/"))
            } @else {
                form method="post" action="/sign-in" {
                    p { (words.sign_in_ready) }
                    input type="hidden" name="code" value=(code);
                    button type="submit" { (words.sign_in) }
                }
            }
        }
    };
    narrow(StatusCode::OK, words, words.sign_in, &body)
}

/// All ways in that need no link; who takes one comes to the page `next` of ours.
pub(super) fn forms(words: &Words, next: &str) -> Markup {
    html! {
        (password_form(words, next))
        details { summary { (words.sign_in_link) } (code_form(words, next)) }
    }
}

fn password_form(words: &Words, next: &str) -> Markup {
    html! {
        form method="post" action="/sign-in" {
            input type="hidden" name="next" value=(next);
            label for="name" { (words.sign_in_name) }
            input id="name" name="name" required autocomplete="username" autocapitalize="none" spellcheck="false";
            label for="password" { (words.sign_in_password) }
            input id="password" name="password" type="password" required autocomplete="current-password";
            label for="digits" { (words.sign_in_digits) }
            input id="digits" name="digits" inputmode="numeric" autocomplete="one-time-code" spellcheck="false";
            button type="submit" { (words.sign_in) }
        }
    }
}

fn code_form(words: &Words, next: &str) -> Markup {
    html! {
        form method="post" action="/sign-in" {
            input type="hidden" name="next" value=(next);
            p { (words.sign_in_how) }
            label for="code" { (words.sign_in_code) }
            input id="code" name="code" required autocomplete="off" spellcheck="false";
            button type="submit" { (words.sign_in) }
        }
    }
}

/// Begins a session with the code of a link, or with a name and a password. The session that the browser had ends.
#[utoipa::path(post, path = "/sign-in", tag = "pages", operation_id = "sign_in",
    request_body(content = SignInForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "Signed in; the page that they were on the way to comes next."),
        (status = 401, description = "The link is not valid any more, or what was sent is wrong.", body = String, content_type = "text/html"),
        (status = 403, description = "Another site sent it.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many tries; `Retry-After` says how long to wait.", body = String, content_type = "text/html"),
    )
)]
pub(crate) async fn enter(State(app): State<App>, Language(words): Language, request: Request) -> Result<Response, Problem> {
    if !origin::is_same_site(&app.settings, request.headers(), request.extensions()) {
        return Err(Problem::cross_site());
    }
    let (headers, extensions) = (request.headers().clone(), request.extensions().clone());
    let SignInForm { code, name, password, digits, next } = super::sent::form(&app, request).await?;
    let session = if name.is_empty() {
        match access::open_session(&app, code.trim()).await? {
            Some(session) => session,
            None => {
                tracing::warn!("a sign-in was refused: its link was used before, has run out, or never was");
                return Ok(dead(words));
            }
        }
    } else {
        let address = extensions.get::<Client>().and_then(|client| client.0);
        match people::come_in(&app, address, Sent { name, password, code: digits }).await? {
            Outcome::In(session) => session,
            Outcome::Wrong => {
                tracing::warn!("a sign-in was refused: its name, password or code is wrong");
                return Ok(again(StatusCode::UNAUTHORIZED, words, words.sign_in_wrong, &next));
            }
            Outcome::Wait(wait) => {
                tracing::warn!("a sign-in was refused: there were too many before it");
                let mut response = again(StatusCode::TOO_MANY_REQUESTS, words, words.sign_in_wait, &next);
                // Whole seconds, so one more than begun.
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(u64::try_from(wait.as_secs()).unwrap_or(0) + 1));
                return Ok(response);
            }
        }
    };
    access::close_session(&app, &headers).await?;
    tracing::info!("somebody signed in");
    let base = origin::base(&app.settings, &headers, &extensions);
    Ok(([(SET_COOKIE, access::cookie(Some(&session), &base))], Redirect::to(language::here(&next))).into_response())
}

/// A link that is not valid.
fn dead(words: &Words) -> Response {
    let body = html! {
        div {
            h1 { (words.link_dead) }
            p { (words.link_dead_how) }
            p { code { "zelo token link" } }
        }
    };
    narrow(StatusCode::UNAUTHORIZED, words, words.link_dead, &body)
}

/// The form once more, and why.
fn again(status: StatusCode, words: &Words, why: &str, next: &str) -> Response {
    let body = html! { div { h1 { "zelo" } div.error role="alert" { (why) } (forms(words, next)) } };
    narrow(status, words, words.sign_in, &body)
}

/// Ends the session.
#[utoipa::path(post, path = "/sign-out", tag = "pages", operation_id = "sign_out", responses(
    (status = 303, description = "Signed out; the first page comes next."),
    (status = 403, description = "Another site sent it.", body = shapes::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn leave(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    if !origin::is_same_site(&app.settings, request.headers(), request.extensions()) {
        return Err(Problem::cross_site());
    }
    let base = origin::base(&app.settings, request.headers(), request.extensions());
    access::close_session(&app, request.headers()).await?;
    Ok(([(SET_COOKIE, access::cookie(None, &base))], Redirect::to("/")).into_response())
}
