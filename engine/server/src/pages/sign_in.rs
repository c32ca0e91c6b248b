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

use super::{Language, page};
use crate::App;
use crate::access;
use crate::origin;
use crate::problem::Problem;

/// What the link carries, and what the form sends.
#[derive(Deserialize)]
pub(crate) struct Code {
    #[serde(default)]
    code: String,
}

/// `GET /sign-in`: one button; without a code, a field to paste it into.
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

/// `POST /sign-in`: exchanges the code for a session.
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

/// `POST /sign-out`: ends the session.
pub(crate) async fn leave(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    if !origin::is_same_site(&app.settings, request.headers(), request.extensions()) {
        return Err(Problem::cross_site());
    }
    let base = origin::base(&app.settings, request.headers(), request.extensions());
    access::close_session(&app, request.headers()).await?;
    Ok(([(SET_COOKIE, access::cookie(None, &base))], Redirect::to("/")).into_response())
}
