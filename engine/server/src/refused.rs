//! Keeps what can be told of deliveries that were refused: few of them, without what may be secret.

use std::sync::PoisonError;

use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use zelo_rules::Source;
use zelo_store::{Refused, RefusedWrite};

use crate::App;
use crate::door::Client;
use crate::hooks::Place;
use crate::problem::Problem;

/// The longest path and value of a header that are kept, in bytes.
const TEXT_MAX: usize = 256;
/// No more headers are kept.
const HEADERS_MAX: usize = 64;
/// The longest name of one.
const NAME_MAX: usize = 64;
/// What is kept of a body, where it is.
const BODY_MAX: usize = 64 * 1024;

/// What is no fault of the delivery, or of no connection.
const NOT_KEPT: [&str; 5] = ["busy", "unavailable", "stopping", "internal", "connection"];

/// Headers that say what was sent and by which program. Of all others only the name is kept: nobody knows which of them are secret.
const HARMLESS: [&str; 9] =
    ["content-type", "content-length", "content-encoding", "transfer-encoding", "user-agent", "accept", "host", "date", "traceparent"];

/// What the name of a header that holds a secret may have in it, although the source looks at it.
const SECRETS: [&str; 8] = ["auth", "token", "sign", "secret", "key", "cookie", "hmac", "password"];

/// Keeps what can be told of a delivery that `problem` refuses; its body as far as that was read.
///
/// What cannot be kept is only logged: the refusal stands.
pub(crate) async fn keep(app: &App, place: &Place, parts: &Parts, body: &[u8], problem: Problem) -> Problem {
    let Some(connection) = app.runtime.connections.get(&place.connection) else { return problem };
    let (Some(trace), false) = (problem.trace(), NOT_KEPT.contains(&problem.code())) else { return problem };
    let now = app.runtime.clock.now();
    let sampled = app.refused.lock().unwrap_or_else(PoisonError::into_inner).add(&connection.name, problem.code(), now);
    let Some(count) = sampled else { return problem };
    let edition = app.runtime.rules.current();
    let client = parts.extensions.get::<Client>().and_then(|client| client.0);
    let write = RefusedWrite {
        refused: Refused {
            trace,
            connection: connection.name.clone(),
            clinic: connection.clinic.clone(),
            at: now,
            code: problem.code().to_owned(),
            why: cut(problem.detail(), 2 * TEXT_MAX),
            count,
            size: size(&parts.headers, body),
            address: client.map(|client| client.to_string()),
            path: cut(&place.path, TEXT_MAX),
            headers: headers(&parts.headers, edition.rules.source(&connection.source)),
        },
        body: app.settings.keep_refused.contains(&connection.name).then(|| body[..body.len().min(BODY_MAX)].to_vec()),
    };
    if let Err(error) = app.runtime.store.put_refused(write).await {
        tracing::warn!(%error, "a refused delivery was not kept");
    }
    problem
}

/// Of the body, in bytes: what was read, or else what was announced.
fn size(headers: &HeaderMap, body: &[u8]) -> u64 {
    let announced = || headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    if body.is_empty() { announced().unwrap_or(0) } else { body.len() as u64 }
}

fn headers(headers: &HeaderMap, source: Option<&Source>) -> Vec<(String, Option<String>)> {
    let looked_at: Vec<&str> =
        source.into_iter().flat_map(|source| &source.events).filter_map(|event| Some(event.matches.header.as_ref()?.0.as_str())).collect();
    let may_be_secret = |name: &str| SECRETS.iter().any(|part| name.contains(part));
    let is_told =
        |name: &str| HARMLESS.contains(&name) || (!may_be_secret(name) && looked_at.iter().any(|known| known.eq_ignore_ascii_case(name)));
    let told = headers.iter().take(HEADERS_MAX).map(|(name, value)| {
        let value = is_told(name.as_str()).then(|| cut(&String::from_utf8_lossy(value.as_bytes()), TEXT_MAX));
        (cut(name.as_str(), NAME_MAX), value)
    });
    told.collect()
}

/// The beginning of a text.
fn cut(text: &str, max: usize) -> String {
    text[..text.floor_char_boundary(max)].to_owned()
}
