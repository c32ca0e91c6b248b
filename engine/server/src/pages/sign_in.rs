//! Signing in with a link, and out.
//!
//! Looking at the link changes nothing (mail programs do that); its button sends the code, once.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Form, FromRequest, Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use http::header::SET_COOKIE;
use maud::html;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Language, page};
use crate::App;
use crate::access;
use crate::openapi::shapes;
use crate::origin;
use crate::problem::Problem;

/// What the link carries, and what the form sends.
#[derive(Deserialize, ToSchema)]
#[schema(as = SignInForm)]
pub(crate) struct Code {
    #[serde(default)]
    code: String,
}

/// Signing in: one button; without a code, a field to paste it into.
#[utoipa::path(get, path = "/sign-in", tag = "pages", operation_id = "ask_to_sign_in", params(("code" = Option<String>, Query, description = "What the link carries.")), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn ask(Language(words): Language, query: Result<Query<Code>, QueryRejection>) -> Response {
    let code = query.map(|Query(Code { code })| code).unwrap_or_default();
    let body = html! {
        main.narrow {
            h1 { "zelo" }
            form method="post" action="/sign-in" {
                @if code.is_empty() {
                    p { (words.sign_in_how) }
                    label for="code" { (words.sign_in_code) }
                    input id="code" name="code" required autocomplete="off" spellcheck="false";
                } @else {
                    p { (words.sign_in_ready) }
                    input type="hidden" name="code" value=(code);
                }
                button type="submit" { (words.sign_in) }
            }
        }
    };
    page(StatusCode::OK, words, words.sign_in, &body)
}

/// Exchanges the code of a link for a session.
#[utoipa::path(post, path = "/sign-in", tag = "pages", operation_id = "sign_in", request_body(content = Code, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 303, description = "Signed in; the first page comes next."),
    (status = 401, description = "The link is not valid any more.", body = String, content_type = "text/html"),
    (status = 403, description = "Another site sent it.", body = shapes::Problem, content_type = "application/problem+json"),
))]
pub(crate) async fn enter(State(app): State<App>, Language(words): Language, request: Request) -> Result<Response, Problem> {
    if !origin::is_same_site(&app.settings, request.headers(), request.extensions()) {
        return Err(Problem::cross_site());
    }
    let base = origin::base(&app.settings, request.headers(), request.extensions());
    let form = tokio::time::timeout(app.settings.request_timeout, Form::<Code>::from_request(request, &()));
    let Form(Code { code }) =
        form.await.map_err(|_| Problem::slow())?.map_err(|_| Problem::malformed("This is not the form of the sign-in page."))?;
    let Some(session) = access::open_session(&app, code.trim()).await? else {
        tracing::warn!("a sign-in was refused: its link was used before, has run out, or never was");
        let body = html! {
            main.narrow {
                h1 { (words.link_dead) }
                p { (words.link_dead_how) }
                p { code { "zelo token link" } }
            }
        };
        return Ok(page(StatusCode::UNAUTHORIZED, words, words.link_dead, &body));
    };
    tracing::info!("somebody signed in with a link");
    Ok(([(SET_COOKIE, access::cookie(Some(&session), &base))], Redirect::to("/")).into_response())
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
