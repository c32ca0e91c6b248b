//! In which language a page is told: as the reader chose with its button, else as their browser asks.

use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{ACCEPT_LANGUAGE, COOKIE, HeaderMap, SET_COOKIE};
use http::request::Parts;
use serde::Deserialize;
use utoipa::ToSchema;

use super::words::{self, Words};
use crate::App;
use crate::openapi::shapes;
use crate::origin;
use crate::problem::Problem;

/// The cookie in which a browser keeps what its reader chose.
const COOKIE_NAME: &str = "zelo-lang";
/// A year, in seconds.
const KEPT: u32 = 365 * 24 * 60 * 60;

/// The words for the reader.
pub(crate) struct Language(pub(crate) &'static Words);

impl<S: Sync> FromRequestParts<S> for Language {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(of(&parts.headers)))
    }
}

/// The words for who sends these headers.
pub(crate) fn of(headers: &HeaderMap) -> &'static Words {
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut chosen = cookies.filter_map(|pair| words::called(pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('=')?));
    let asked = || words::choose(headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()));
    chosen.next().unwrap_or_else(asked)
}

/// What the button sends.
#[derive(Deserialize, ToSchema)]
#[schema(as = LanguageForm)]
pub(crate) struct Said {
    /// `pt-BR` or `en`.
    lang: String,
    /// Where the reader is: the path of a page.
    #[serde(default)]
    back: String,
}

/// Keeps the language that a reader chose, in their browser.
#[utoipa::path(post, path = "/language", tag = "pages", operation_id = "choose_language",
    request_body(content = Said, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "Kept; the page comes again."),
        (status = 403, description = "Another site sent it.", body = shapes::Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn choose(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    if !origin::is_same_site(&app.settings, request.headers(), request.extensions()) {
        return Err(Problem::cross_site());
    }
    let base = origin::base(&app.settings, request.headers(), request.extensions());
    let malformed = || Problem::malformed("This is not the form of the languages.");
    let Said { lang, back } = super::sent::form(&app, request).await?;
    let words = words::called(&lang).ok_or_else(malformed)?;
    let secure = if base.starts_with("https:") { "; Secure" } else { "" };
    let cookie = format!("{COOKIE_NAME}={}; Path=/; Max-Age={KEPT}; HttpOnly; SameSite=Lax{secure}", words.lang);
    Ok(([(SET_COOKIE, cookie)], Redirect::to(here(&back))).into_response())
}

/// An address of ours, whatever was sent.
pub(crate) fn here(back: &str) -> &str {
    let ours = back.starts_with('/') && !back.starts_with("//") && back.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if ours { back } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_chosen_counts_more_than_what_the_browser_asks() {
        let lang = |cookie: &'static str, accept: &'static str| {
            let headers: HeaderMap = [(COOKIE, cookie.parse().unwrap()), (ACCEPT_LANGUAGE, accept.parse().unwrap())].into_iter().collect();
            of(&headers).lang
        };
        assert_eq!(lang("zelo=1; zelo-lang=en", "pt-BR"), "en");
        assert_eq!(lang("zelo-lang=pt-BR", "en"), "pt-BR");
        assert_eq!(lang("zelo-lang=de; x=y", "en"), "en", "a language that we do not speak");
        assert_eq!(lang("zelo-langs=en", "pt"), "pt-BR");
    }

    #[test]
    fn the_way_back_stays_here() {
        for (sent, went) in [
            ("/activity?type=a", "/activity?type=a"),
            ("", "/"),
            ("https://evil.example/", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/a\r\nx: y", "/"),
        ] {
            assert_eq!(here(sent), went, "{sent}");
        }
    }
}
