//! The pages: HTML from the server, in Portuguese and English. All of it works without script; with it, the first page shows by
//! itself what came since.
//!
//! Every page is laid out by [`visit`]. What all of them say stands in [`words`], what one of them says beside it. maud escapes all values that it prints.

mod activity;
mod attention;
mod audit;
pub(crate) mod automations;
mod contacts;
mod documents;
mod failures;
pub(crate) mod halts;
pub(crate) mod jobs;
mod language;
mod messages;
pub(crate) mod moments;
pub(crate) mod names;
pub(crate) mod people;
mod places;
pub(crate) mod plugins;
pub(crate) mod problems;
pub(crate) mod rules;
mod scheduled;
mod sent;
pub(crate) mod sign_in;
pub(crate) mod sources;
mod start;
mod subjects;
pub(crate) mod tables;
pub(crate) mod today;
mod values;
pub(crate) mod visit;
pub(crate) mod words;

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH, VARY};
use http::{HeaderValue, StatusCode};
use maud::{DOCTYPE, Markup, html};
use sha2::{Digest, Sha256};
use utoipa_axum::routes;

pub(crate) use self::language::Language;
use self::words::Words;
use crate::access::{Gate, Reach, Role};
use crate::openapi::Table;

/// The routes of the pages.
pub(crate) fn table() -> Table {
    Table::new()
        .merge(today::table_of_today())
        .merge(start::table())
        .at(Gate::Open, routes!(style))
        .at(Gate::Open, routes!(script))
        .at(Gate::Open, routes!(icon))
        .at(Gate::Open, routes!(language::choose))
        .at(Gate::Known(Role::Operator, Reach::Clinics), routes!(jobs::decide))
        .at(Gate::Known(Role::Operator, Reach::Everything), routes!(halts::decide))
        .at(Gate::Open, routes!(sign_in::ask, sign_in::enter))
        .at(Gate::Open, routes!(sign_in::leave))
        .merge(automations::table())
        .merge(scheduled::table())
        .merge(failures::table())
        .merge(attention::table())
        .merge(messages::table())
        .merge(documents::table())
        .merge(contacts::table())
        .merge(subjects::table())
        .merge(audit::table())
        .merge(rules::table())
        .merge(plugins::table())
        .merge(sources::table())
        .merge(people::table())
        .merge(activity::table())
}

/// What pages look like: a file for all of them, then one for each page that needs it.
const STYLE: &str = concat!(
    include_str!("style/base.css"),
    include_str!("style/today.css"),
    include_str!("style/start.css"),
    include_str!("style/automations.css"),
    include_str!("style/scheduled.css"),
    include_str!("style/failures.css"),
    include_str!("style/messages.css"),
    include_str!("style/documents.css"),
    include_str!("style/contacts.css"),
    include_str!("style/subjects.css"),
    include_str!("style/audit.css"),
    include_str!("style/integrators.css"),
    include_str!("style/activity.css"),
);
/// What pages do by themselves; each file stands for itself, and does nothing on a page that is not its own.
const SCRIPT: &str = concat!(
    include_str!("script/live.js"),
    include_str!("script/automations.js"),
    include_str!("script/board.js"),
    include_str!("script/rules.js")
);

const ICON: &str = include_str!("icon.svg");

/// What a page may do: be looked at, fetch its own style, send its own forms.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The same, run our script, which fetches from us, and show pictures and documents of ours.
const LIVE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; \
                           frame-ancestors 'none'; base-uri 'none'";

fn document(words: &Words, title: &str, script: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(words.lang) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · zelo" }
                link rel="icon" type="image/svg+xml" href="/icon.svg";
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
static ICON_TAG: LazyLock<String> = LazyLock::new(|| tag(ICON));

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

/// The script of the pages.
#[utoipa::path(get, path = "/zelo.js", tag = "pages", responses(
    (status = 200, description = "As asked for.", body = String, content_type = "text/javascript"),
    (status = 304, description = "The browser has it."),
))]
pub(crate) async fn script(headers: HeaderMap) -> Response {
    part(&headers, &SCRIPT_TAG, "text/javascript; charset=utf-8", SCRIPT)
}

/// What browsers show beside the title.
#[utoipa::path(get, path = "/icon.svg", tag = "pages", operation_id = "icon", responses(
    (status = 200, description = "As asked for.", body = String, content_type = "image/svg+xml"),
    (status = 304, description = "The browser has it."),
))]
pub(crate) async fn icon(headers: HeaderMap) -> Response {
    part(&headers, &ICON_TAG, "image/svg+xml", ICON)
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
