//! The pages: HTML from the server, in Portuguese and English. All of it works without script; with it, the first page shows by
//! itself what came since.
//!
//! Every page is laid out by [`page`]; every word stands in [`words`]. maud escapes all values that it prints.

mod automations;
mod board;
pub(crate) mod halts;
pub(crate) mod home;
pub(crate) mod jobs;
pub(crate) mod sign_in;
pub(crate) mod tables;
pub(crate) mod words;

use std::sync::LazyLock;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH, VARY};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use maud::{DOCTYPE, Markup, html};
use sha2::{Digest, Sha256};

use self::words::Words;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("live.js");

/// What a page may do: be looked at, fetch its own style, send its own forms.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The same, and run our script, which fetches from us.
const LIVE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; \
                           frame-ancestors 'none'; base-uri 'none'";

/// The language of the reader, as the browser says.
pub(crate) struct Language(pub(crate) &'static Words);

impl<S: Sync> FromRequestParts<S> for Language {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let wanted = parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Ok(Self(words::choose(wanted)))
    }
}

/// A whole page.
fn page(status: StatusCode, words: &Words, title: &str, body: &Markup) -> Response {
    answer(status, POLICY, &document(words, title, &html! {}, body))
}

/// A whole page that shows by itself what came since.
fn live_page(words: &Words, title: &str, body: &Markup) -> Response {
    answer(StatusCode::OK, LIVE_POLICY, &document(words, title, &html! { script src="/live.js" defer {} }, body))
}

fn document(words: &Words, title: &str, script: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(words.lang) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · zelo" }
                link rel="stylesheet" href="/style.css";
                (script)
            }
            body { (body) }
        }
    }
}

fn answer(status: StatusCode, policy: &'static str, document: &Markup) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
        (VARY, HeaderValue::from_static("Accept-Language, Cookie")),
    ];
    (status, headers, document.0.clone()).into_response()
}

/// The digests of style and script: what browsers ask whether they still hold.
static STYLE_TAG: LazyLock<String> = LazyLock::new(|| tag(STYLE));
static SCRIPT_TAG: LazyLock<String> = LazyLock::new(|| tag(SCRIPT));

fn tag(text: &str) -> String {
    format!("\"{}\"", HEXLOWER.encode(&Sha256::digest(text)[..16]))
}

/// The style of the pages.
#[utoipa::path(get, path = "/style.css", tag = "pages", responses(
    (status = 200, description = "As asked for.", body = String, content_type = "text/css"),
    (status = 304, description = "The browser has it."),
))]
pub(crate) async fn style(headers: HeaderMap) -> Response {
    part(&headers, &STYLE_TAG, "text/css; charset=utf-8", STYLE)
}

/// The script of the first page.
#[utoipa::path(get, path = "/live.js", tag = "pages", responses(
    (status = 200, description = "As asked for.", body = String, content_type = "text/javascript"),
    (status = 304, description = "The browser has it."),
))]
pub(crate) async fn script(headers: HeaderMap) -> Response {
    part(&headers, &SCRIPT_TAG, "text/javascript; charset=utf-8", SCRIPT)
}

/// Something that pages are made of, unless the browser has it.
fn part(headers: &HeaderMap, tag: &str, media_type: &str, text: &'static str) -> Response {
    let known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let tags = [(ETAG, tag), (CACHE_CONTROL, "no-cache")];
    if known {
        return (StatusCode::NOT_MODIFIED, tags).into_response();
    }
    (tags, [(CONTENT_TYPE, media_type)], text).into_response()
}
