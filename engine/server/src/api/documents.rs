//! Documents: which there are, and the files themselves.
//!
//! A plugin chose their names, types and bytes, and a browser that is signed in opens them: so only types that cannot run
//! anything are shown, and every other is for saving.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS};

use super::query::{List, PageQuery, Parameters};
use super::views::DocumentJson;
use crate::App;
use crate::access::Known;
use crate::openapi::shapes;
use crate::problem::Problem;
use crate::seen::Seen;

/// What a browser may show by itself. Not SVG, which is a program.
const SHOWN: [&str; 6] = ["application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp", "text/plain; charset=utf-8"];

/// What a document may do: be looked at. Viewers of PDFs and images may be objects with a style of their own.
const POLICY: &str =
    "default-src 'none'; object-src 'self'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

/// The same for what stands in a frame on a page of ours, and of nobody else.
const FRAMED_POLICY: &str =
    "default-src 'none'; object-src 'self'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'; base-uri 'none'";

/// The one type that a page shows in a frame.
const FRAMED: &str = "application/pdf";

/// Characters of a file name that are told.
const NAME_MAX: usize = 150;

/// Documents, newest first, without their files.
#[utoipa::path(get, path = "/api/v1/documents", tag = "api", params(PageQuery), responses(
    (status = 200, description = "As asked for.", body = List<DocumentJson>),
))]
pub(super) async fn documents(State(app): State<App>, who: Known, parameters: Parameters) -> Result<Json<List<DocumentJson>>, Problem> {
    let wanted = parameters.page("", &who)?;
    let rows = app.runtime.store.documents(&wanted.page).await?;
    Seen::of("documents").rows(wanted.shown(&rows)).by(&who, &app).await?;
    Ok(Json(wanted.answer(&rows, |row| row.cursor, DocumentJson::new)))
}

/// The file of a document: shown by a browser where it cannot run anything, else for saving.
#[utoipa::path(get, path = "/api/v1/documents/{job}/{index}", tag = "api", params(
    ("job" = String, Path, description = "`job_` and 32 hexadecimal digits."),
    ("index" = String, Path, description = "A number."),
), responses(
    (status = 200, description = "The file.", body = shapes::Bytes, content_type = "*/*"),
))]
pub(super) async fn document(
    State(app): State<App>,
    who: Known,
    Path((job, index)): Path<(String, String)>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    parameters.none()?;
    let missing = || {
        Problem::not_found("There is no document with this id. An id looks like `job_` and 32 hexadecimal digits, a slash and a number.")
    };
    let (job, index) = zelo_store::parse_effect_id(&format!("{job}/{index}")).ok_or_else(missing)?;
    let (view, content) = app.runtime.store.document(job, index).await?.filter(|(view, _)| who.sees(view)).ok_or_else(missing)?;
    Seen::of("document").rows([&view]).by(&who, &app).await?;
    let shown = shown(&view.media_type);
    let disposition = disposition(if shown.is_some() { "inline" } else { "attachment" }, &view.name);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(shown.unwrap_or("application/octet-stream"))),
        (CONTENT_DISPOSITION, HeaderValue::try_from(disposition).map_err(|_| Problem::internal())?),
        (CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
    ];
    let mut response = (headers, content).into_response();
    if is_framed(&view.media_type) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(FRAMED_POLICY));
        response.headers_mut().insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    } else if shown.is_some() {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    }
    Ok(response)
}

/// Whether a page shows something of `media_type` in a frame.
pub(crate) fn is_framed(media_type: &str) -> bool {
    shown(media_type) == Some(FRAMED)
}

/// The type to show something of `media_type` as, if it is one of those that are shown. Its parameters are not taken over.
fn shown(media_type: &str) -> Option<&'static str> {
    let essence = |media_type: &str| media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let wanted = essence(media_type);
    SHOWN.into_iter().find(|shown| essence(shown) == wanted)
}

/// A `Content-Disposition` (RFC 6266) with a file name in UTF-8 (RFC 8187).
fn disposition(kind: &str, name: &str) -> String {
    let kept: String = name.chars().map(|letter| if is_kept(letter) { letter } else { '_' }).take(NAME_MAX).collect();
    // Names of dots are folders, and those that begin with one are hidden.
    let kept = Some(kept.trim_matches(['.', ' '])).filter(|kept| !kept.is_empty()).unwrap_or("document");
    let mut header = format!("{kind}; filename*=UTF-8''");
    for byte in kept.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            header.push(char::from(byte));
        } else {
            header.push_str(&format!("%{byte:02X}"));
        }
    }
    header
}

/// Whether `letter` may stand in a file name on any system, and does not turn the direction of what stands around it.
fn is_kept(letter: char) -> bool {
    let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !letter.is_control() && !turns && !r#"/\:*?"<>|"#.contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_run_is_shown() {
        for (media_type, expected) in [
            ("application/pdf", Some("application/pdf")),
            ("Application/PDF ; version=1.7", Some("application/pdf")),
            ("image/png", Some("image/png")),
            ("text/plain; charset=latin1", Some("text/plain; charset=utf-8")),
            ("text/html", None),
            ("image/svg+xml", None),
            ("application/xhtml+xml", None),
            ("text/plainer", None),
            ("application/pdf, text/html", None),
            ("application/pdf\r\nx: y", None),
            ("", None),
        ] {
            assert_eq!(shown(media_type), expected, "{media_type}");
        }
    }

    #[test]
    fn a_name_is_a_name_and_nothing_else() {
        for (name, expected) in [
            ("recibo-000001.pdf", "recibo-000001.pdf"),
            ("Declaração nº 1.pdf", "Declara%C3%A7%C3%A3o%20n%C2%BA%201.pdf"),
            ("a\r\nset-cookie: x=1.pdf", "a__set-cookie_%20x%3D1.pdf"),
            ("../../etc/passwd", "_.._etc_passwd"),
            (r"C:\x\y.pdf", "C__x_y.pdf"),
            ("a\"; filename=b.exe", "a_%3B%20filename%3Db.exe"),
            ("a'b%41.pdf", "a%27b%2541.pdf"),
            ("recibo\u{202e}fdp.exe", "recibo_fdp.exe"),
            (".bashrc", "bashrc"),
            ("..", "document"),
            ("", "document"),
        ] {
            assert_eq!(disposition("inline", name), format!("inline; filename*=UTF-8''{expected}"), "{name}");
        }
        assert_eq!(disposition("inline", &"x".repeat(1000)).len(), "inline; filename*=UTF-8''".len() + NAME_MAX);
    }
}
