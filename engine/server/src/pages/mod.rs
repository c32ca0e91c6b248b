//! The pages: HTML from the server, without script, in Portuguese and English.
//!
//! Every page is laid out by [`page`]; every word stands in [`words`]. maud escapes all values that it prints.

pub(crate) mod home;
pub(crate) mod sign_in;
mod words;

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

/// What a page may do: be looked at, fetch its own style, send its own forms.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The language of the reader, as the browser says.
pub(crate) struct Language(&'static Words);

impl<S: Sync> FromRequestParts<S> for Language {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let wanted = parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Ok(Self(words::choose(wanted)))
    }
}

/// A whole page.
fn page(status: StatusCode, words: &Words, title: &str, body: &Markup) -> Response {
    let document = html! {
        (DOCTYPE)
        html lang=(words.lang) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · zelo" }
                link rel="stylesheet" href="/style.css";
            }
            body { (body) }
        }
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (VARY, HeaderValue::from_static("Accept-Language, Cookie")),
    ];
    (status, headers, document.into_string()).into_response()
}

/// The digest of the style: what browsers ask whether it still holds.
static STYLE_TAG: LazyLock<String> = LazyLock::new(|| format!("\"{}\"", HEXLOWER.encode(&Sha256::digest(STYLE)[..16])));

/// `/style.css`.
pub(crate) async fn style(headers: HeaderMap) -> Response {
    let known = headers.get(IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == STYLE_TAG.as_bytes());
    let tags = [(ETAG, STYLE_TAG.as_str()), (CACHE_CONTROL, "no-cache")];
    if known {
        return (StatusCode::NOT_MODIFIED, tags).into_response();
    }
    (tags, [(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}
