//! Requests to other people's machines.
//!
//! [`send`] decides what may go where and what an answer means; an [`Outbound`] is what carries one request to one place: over the
//! network ([`Internet`]), or to answers that were given beforehand ([`Answers`]).

mod address;
mod answers;
mod internet;
mod secrets;

use async_trait::async_trait;
use jiff::Timestamp;
use zelo_core::SignedDuration;
use zelo_core::http::{HeaderValue, HttpGrant, Method, Request, Response, Target};

pub use address::{Inside, NotInside, is_public};
pub use answers::Answers;
pub use internet::{Internet, InternetConfig};
pub use secrets::{Secret, Secrets};

/// Redirects that one request follows.
const REDIRECTS_MAX: usize = 5;

/// Carries one request to one place.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Sends `hop` once, and follows nothing.
    async fn exchange(&self, hop: &Hop<'_>) -> Exchange;
}

/// One request to one place, as it goes out.
pub struct Hop<'a> {
    pub method: Method,
    pub url: &'a Target,
    /// All of them, secrets filled in.
    pub headers: Vec<(String, String)>,
    pub body: Option<&'a [u8]>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// It was answered, whatever the status says.
    Answered(Response),
    /// It was answered with more than is taken, bytes.
    TooLarge(usize),
    /// Nothing was sent, and nothing will be: where it leads is inside of the operator's network.
    Inside(String),
    /// Nothing was sent: nobody was there.
    Unsent(String),
    /// It was sent, or a part of it, and no answer came.
    Lost(String),
}

/// What a request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Answered(Response),
    /// It was carried out, and what came back is not handed on.
    Unusable(String),
    /// Nothing was sent, and nothing will be.
    Refused(String),
    /// It was not carried out, and may be another time.
    NotYet {
        reason: String,
        after: Option<SignedDuration>,
    },
    /// Nobody knows whether it was carried out.
    Lost(String),
}

/// What may go where.
pub(crate) struct Rules<'a> {
    pub(crate) grants: &'a [HttpGrant],
    pub(crate) secrets: &'a Secrets,
}

/// The grant that `request` is made under.
///
/// # Errors
/// Why it may not be made, whatever answers.
pub(crate) fn granted<'a>(request: &Request, rules: &Rules<'a>) -> Result<&'a HttpGrant, String> {
    let (method, url) = (request.method, &request.url);
    let Some(grant) = rules.grants.iter().find(|grant| grant.allows(method, url)) else {
        return Err(format!("{} to this address of {} is not granted", method.as_str(), url.origin()));
    };
    for name in secrets_of(request) {
        if !grant.secrets.contains(name) {
            return Err(format!("the secret `{name}` is not granted for this request"));
        }
        if let Some(why) = rules.secrets.refusal(name, url) {
            return Err(why);
        }
    }
    Ok(grant)
}

/// Sends `request`, which `grant` allows, as the `key`th of its kind, and follows redirects.
pub(crate) async fn send(
    outbound: &dyn Outbound,
    request: &Request,
    (grant, key): (&HttpGrant, &str),
    rules: &Rules<'_>,
    now: Timestamp,
) -> Sent {
    let names: Vec<&str> = secrets_of(request).collect();
    let mut url = request.url.clone();
    for _ in 0..=REDIRECTS_MAX {
        let hop = Hop { method: request.method, url: &url, headers: headers(request, &url, (grant, key), rules), body: body(request) };
        let mut response = match outbound.exchange(&hop).await {
            Exchange::Answered(response) => response,
            Exchange::TooLarge(max) => return Sent::Unusable(format!("the answer of {} has more than {max} bytes", url.origin())),
            Exchange::Inside(why) => return Sent::Refused(why),
            Exchange::Unsent(why) => return Sent::NotYet { reason: why, after: None },
            Exchange::Lost(why) => return Sent::Lost(why),
        };
        rules.secrets.take_out(&names, &mut response);
        match response.status {
            408 | 425 | 429 | 500 | 501 | 503 | 505..=599 => {
                let reason = format!("{} answered with {}", url.origin(), response.status);
                return Sent::NotYet { reason, after: retry_after(&response, now) };
            }
            // The answer of who stands between: what became of the request behind it is not known there.
            502 | 504 => return Sent::Lost(format!("{} answered with {}", url.origin(), response.status)),
            301 | 302 | 303 | 307 | 308 if follows(request.method, response.status) => {
                match onward(&response, &url, request.method, rules) {
                    Ok(Some(next)) => url = next,
                    Ok(None) => return Sent::Answered(response),
                    Err(why) => return Sent::Unusable(why),
                }
            }
            _ => return Sent::Answered(response),
        }
    }
    Sent::Unusable(format!("{} redirects more than {REDIRECTS_MAX} times", request.url.origin()))
}

/// The names of the secrets that its headers stand for.
fn secrets_of(request: &Request) -> impl Iterator<Item = &str> {
    request.headers.iter().filter_map(|header| match &header.value {
        HeaderValue::Secret(name) => Some(name.as_str()),
        HeaderValue::Text(_) => None,
    })
}

fn body(request: &Request) -> Option<&[u8]> {
    request.body.as_ref().map(|body| body.0.as_slice())
}

/// The headers of a hop to `url`. Elsewhere than where the request was meant to go, nothing is said that lets somebody in: neither
/// secrets, wherever they are bound, nor what is usually one.
fn headers(request: &Request, url: &Target, (grant, key): (&HttpGrant, &str), rules: &Rules<'_>) -> Vec<(String, String)> {
    let there = request.url.same_origin(url);
    let mut headers = Vec::with_capacity(request.headers.len() + 2);
    let own = grant.idempotency_key.as_deref().map(str::to_ascii_lowercase);
    for header in request.headers.iter().filter(|header| own.as_ref() != Some(&header.name)) {
        match &header.value {
            HeaderValue::Text(_) if !there && matches!(header.name.as_str(), "authorization" | "cookie") => {}
            HeaderValue::Text(text) => headers.push((header.name.clone(), text.clone())),
            HeaderValue::Secret(name) => {
                let secret = rules.secrets.get(name).filter(|secret| there && secret.is_for(url));
                headers.extend(secret.map(|secret| (header.name.clone(), secret.value.clone())));
            }
        }
    }
    if !request.method.is_safe() {
        headers.push((own.unwrap_or_else(|| zelo_core::http::IDEMPOTENCY_KEY.to_owned()), key.to_owned()));
    }
    headers
}

/// Whether `method` goes where `status` leads: asking does, anything else only where method and body stay as they are
/// ([RFC 9110, 15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4)).
fn follows(method: Method, status: u16) -> bool {
    method.is_safe() || matches!(status, 307 | 308)
}

/// Where a redirect leads, if it says so.
fn onward(response: &Response, from: &Target, method: Method, rules: &Rules<'_>) -> Result<Option<Target>, String> {
    let Some((_, location)) = response.headers.iter().find(|(name, _)| name == "location") else { return Ok(None) };
    let next = from.join(location).map_err(|problem| format!("{} redirects to where no request can go: {problem}", from.origin()))?;
    if !rules.grants.iter().any(|grant| grant.allows(method, &next)) {
        return Err(format!("{} redirects to {}, which is not granted", from.origin(), next.origin()));
    }
    Ok(Some(next))
}

/// When the destination wants to be asked again: seconds or a date ([RFC 9110, 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
fn retry_after(response: &Response, now: Timestamp) -> Option<SignedDuration> {
    let (_, value) = response.headers.iter().find(|(name, _)| name == "retry-after")?;
    if let Ok(seconds) = value.trim().parse::<u32>() {
        return Some(SignedDuration::from_secs(seconds.into()));
    }
    let date = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
    Some(date.duration_since(now).max(SignedDuration::ZERO))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
