//! Requests to other people's machines.
//!
//! [`send`] decides what may go where and what an answer means; an [`Outbound`] is what carries one request to one place: over the
//! network ([`Internet`]), or to answers that were given beforehand ([`Answers`]).

mod address;
mod answers;
mod internet;
mod secrets;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use zelo_core::SignedDuration;
use zelo_core::http::{HeaderValue, HttpGrant, Method, Request, Response, Target};

pub use address::{Inside, NotInside, is_public};
pub use answers::Answers;
pub use internet::{Internet, InternetConfig};
pub use secrets::{Bound, SECRET_MIN, Secret, Secrets};

/// Redirects that one request follows.
const REDIRECTS_MAX: usize = 5;

/// Carries one request to one place.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Sends `hop` once, and follows nothing.
    async fn exchange(&self, hop: &Hop<'_>) -> Exchange;

    /// How long one request may take, redirects and all.
    fn longest(&self) -> Duration;
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
    /// It was answered, but of the answer there is only the head: it is more than is taken, or it broke off.
    Headed { head: Response, why: Cut },
    /// Nothing was sent, and nothing will be: where it leads is inside of the operator's network.
    Inside(String),
    /// Nothing was sent: nobody was there.
    Unsent(String),
    /// It was sent, or a part of it, and no answer came.
    Lost(String),
}

/// Why there is only the head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It has more than so many bytes.
    TooLarge(usize),
    BrokenOff(String),
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
    Lost {
        reason: String,
        after: Option<SignedDuration>,
    },
}

/// What may go where.
pub(crate) struct Rules<'a> {
    pub(crate) grants: &'a [HttpGrant],
    pub(crate) secrets: &'a Secrets,
}

/// The grant that `request` is made under: of those for its method and address one that has its secrets, and rather one by which it
/// may be repeated.
///
/// # Errors
/// Why it may not be made, whatever answers.
pub(crate) fn granted<'a>(request: &Request, rules: &Rules<'a>) -> Result<&'a HttpGrant, String> {
    let (method, url) = (request.method, &request.url);
    let fitting: Vec<&HttpGrant> = rules.grants.iter().filter(|grant| grant.allows(method, url)).collect();
    if fitting.is_empty() {
        return Err(format!("{} to this address of {} is not granted", method.as_str(), url.origin()));
    }
    let ungranted = |grant: &&HttpGrant| secrets_of(request).find(|name| !grant.secrets.contains(*name));
    let mut able: Vec<&HttpGrant> = fitting.iter().copied().filter(|grant| ungranted(grant).is_none()).collect();
    able.sort_by_key(|grant| !grant.repeatable(method));
    let Some(grant) = able.first() else {
        let name = fitting.first().and_then(ungranted).unwrap_or_default();
        return Err(format!("the secret `{name}` is not granted for this request"));
    };
    match secrets_of(request).find_map(|name| rules.secrets.refusal(name, url)) {
        Some(why) => Err(why),
        None => Ok(grant),
    }
}

/// Sends `request`, which `grant` allows, as the `key`th of its kind, and follows redirects; all of it within the time that one request
/// may take.
pub(crate) async fn send<'a>(
    outbound: &dyn Outbound,
    request: &Request,
    (grant, key): (&'a HttpGrant, &str),
    rules: &Rules<'a>,
    now: Timestamp,
) -> Sent {
    match tokio::time::timeout(outbound.longest(), follow(outbound, request, (grant, key), rules, now)).await {
        Ok(sent) => sent,
        Err(_elapsed) => Sent::Lost { reason: format!("no answer of {} in time", request.url.origin()), after: None },
    }
}

async fn follow<'a>(
    outbound: &dyn Outbound,
    request: &Request,
    (grant, key): (&'a HttpGrant, &str),
    rules: &Rules<'a>,
    now: Timestamp,
) -> Sent {
    let (mut url, mut under) = (request.url.clone(), grant);
    for _ in 0..=REDIRECTS_MAX {
        let hop =
            Hop { method: request.method, url: &url, headers: headers(request, &url, (grant, under, key), rules), body: body(request) };
        let (mut response, cut) = match outbound.exchange(&hop).await {
            Exchange::Answered(response) => (response, None),
            Exchange::Headed { head, why } => (head, Some(why)),
            Exchange::Inside(why) => return Sent::Refused(why),
            Exchange::Unsent(why) => return Sent::NotYet { reason: why, after: None },
            Exchange::Lost(why) => return Sent::Lost { reason: why, after: None },
        };
        rules.secrets.take_out(&url, &mut response);
        let (origin, after) = (url.origin(), retry_after(&response, now));
        let reason = format!("{origin} answered with {}", response.status);
        match response.status {
            // It says itself that it did nothing.
            408 | 425 | 429 | 501 | 503 | 505 => return Sent::NotYet { reason, after },
            // It failed, or who stands between did not hear of its end: what was carried out before that, it does not say.
            500..=599 => return Sent::Lost { reason, after },
            301 | 302 | 303 | 307 | 308 if follows(request.method, response.status) => {
                match onward(&response, &url, (request.method, grant), rules) {
                    Ok(Some((next, allows))) => (url, under) = (next, allows),
                    Ok(None) => return Sent::Answered(response),
                    Err(why) => return Sent::Unusable(why),
                }
            }
            _ => {
                return match cut {
                    None => Sent::Answered(response),
                    Some(Cut::TooLarge(max)) => Sent::Unusable(format!("the answer of {origin} has more than {max} bytes")),
                    Some(Cut::BrokenOff(why)) if request.method.is_safe() => Sent::NotYet { reason: why, after: None },
                    Some(Cut::BrokenOff(why)) => Sent::Unusable(format!("{reason}, and the answer broke off: {why}")),
                };
            }
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

/// The headers of a hop to `url`, which the grant `under` allows. Elsewhere than where the request was meant to go, nothing is said that lets somebody in: neither
/// secrets, wherever they are bound, nor what is usually one.
fn headers(
    request: &Request,
    url: &Target,
    (grant, under, key): (&HttpGrant, &HttpGrant, &str),
    rules: &Rules<'_>,
) -> Vec<(String, String)> {
    let there = request.url.same_origin(url);
    let mut headers = Vec::with_capacity(request.headers.len() + 2);
    let own = grant.idempotency_key.as_deref().map(str::to_ascii_lowercase);
    for header in request.headers.iter().filter(|header| own.as_ref() != Some(&header.name)) {
        match &header.value {
            HeaderValue::Text(_) if !there && matches!(header.name.as_str(), "authorization" | "cookie") => {}
            HeaderValue::Text(text) => headers.push((header.name.clone(), text.clone())),
            HeaderValue::Secret(name) => {
                let secret = rules.secrets.get(name).filter(|secret| there && under.secrets.contains(name) && secret.is_for(url));
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

/// Where a redirect leads, if it says so, and the grant that allows it. What changes something stays under its own grant: another one
/// would say something else about whether it may be repeated.
fn onward<'a>(
    response: &Response,
    from: &Target,
    (method, grant): (Method, &'a HttpGrant),
    rules: &Rules<'a>,
) -> Result<Option<(Target, &'a HttpGrant)>, String> {
    let Some((_, location)) = response.headers.iter().find(|(name, _)| name == "location") else { return Ok(None) };
    let next = from.join(location).map_err(|problem| format!("{} redirects to where no request can go: {problem}", from.origin()))?;
    let allows = |grant: &&'a HttpGrant| grant.allows(method, &next);
    let under = if method.is_safe() { rules.grants.iter().find(allows) } else { Some(grant).filter(allows) };
    match under {
        Some(under) => Ok(Some((next, under))),
        None => Err(format!("{} redirects to {}, which is not granted", from.origin(), next.origin())),
    }
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
