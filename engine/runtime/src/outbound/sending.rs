//! One request of a plugin: whether it may be made, where it goes, what it carries, and what its answer means.

use jiff::Timestamp;
use zelo_core::http::{HeaderValue, HttpGrant, IDEMPOTENCY_KEY, Method, Request, Response, Target};
use zelo_core::{SignedDuration, TraceContext};

use super::{Cut, Exchange, Hop, Outbound, Secrets, Word};

/// Redirects that one request follows.
const REDIRECTS_MAX: usize = 5;

/// Where in which trace a request is sent ([W3C Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header)).
const TRACEPARENT: &str = "traceparent";

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

impl Sent {
    /// A word for logs and metrics.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            Self::Answered(_) => "answered",
            Self::Unusable(_) => "unusable",
            Self::Refused(_) => "refused",
            Self::NotYet { .. } => "not_yet",
            Self::Lost { .. } => "lost",
        }
    }
}

/// What an action may ask of whom, and what it may say there.
#[derive(Clone, Copy)]
pub(crate) struct Ways<'a> {
    pub(crate) grants: &'a [HttpGrant],
    pub(crate) secrets: &'a Secrets,
}

/// What tells a request from any other.
#[derive(Clone, Copy)]
pub(crate) struct Marks<'a> {
    /// The same whenever it is sent again.
    pub(crate) key: &'a str,
    /// Where in which trace it is sent.
    pub(crate) trace: Option<TraceContext>,
}

/// A request that may be made.
pub(crate) struct Sending<'a> {
    request: &'a Request,
    ways: Ways<'a>,
    /// The grant that it is made under.
    grant: &'a HttpGrant,
}

impl<'a> Sending<'a> {
    /// `request`, under one of the grants for its method and address that has its secrets, and rather one by which it may be repeated.
    ///
    /// # Errors
    /// Why it may not be made, whatever answers.
    pub(crate) fn granted(request: &'a Request, ways: Ways<'a>) -> Result<Self, String> {
        let (method, url) = (request.method, &request.url);
        let fitting: Vec<&HttpGrant> = ways.grants.iter().filter(|grant| grant.allows(method, url)).collect();
        if fitting.is_empty() {
            return Err(format!("{} to this address of {} is not granted", method.as_str(), url.origin()));
        }
        let ungranted = |grant: &&HttpGrant| secrets_of(request).find(|name| !grant.secrets.contains(*name));
        let able = fitting.iter().copied().filter(|grant| ungranted(grant).is_none());
        let Some(grant) = able.min_by_key(|grant| !grant.repeatable(method)) else {
            let name = fitting.first().and_then(ungranted).unwrap_or_default();
            return Err(format!("the secret `{name}` is not granted for this request"));
        };
        match secrets_of(request).find_map(|name| ways.secrets.refusal(name, url)) {
            Some(why) => Err(why),
            None => Ok(Self { request, ways, grant }),
        }
    }

    /// The grant that it is made under.
    pub(crate) fn grant(&self) -> &'a HttpGrant {
        self.grant
    }

    /// Sends it, with its `marks`, and follows redirects; all of it within the time that one request may take. Also what was heard
    /// of where it was meant to go, whatever became of it where that redirects to.
    pub(crate) async fn send(&self, outbound: &dyn Outbound, marks: Marks<'_>, now: Timestamp) -> (Sent, Word) {
        // Until something else is heard.
        let mut heard = Word::Failed;
        let sent = match tokio::time::timeout(outbound.longest(), self.follow(outbound, marks, now, &mut heard)).await {
            Ok(sent) => sent,
            Err(_elapsed) => Sent::Lost { reason: format!("no answer of {} in time", self.request.url.origin()), after: None },
        };
        (sent, heard)
    }

    async fn follow(&self, outbound: &dyn Outbound, marks: Marks<'_>, now: Timestamp, heard: &mut Word) -> Sent {
        let (method, secrets) = (self.request.method, self.ways.secrets);
        let (mut url, mut under) = (self.request.url.clone(), self.grant);
        for redirects in 0..=REDIRECTS_MAX {
            let body = self.request.body.as_ref().map(|body| body.0.as_slice());
            let hop = Hop { method, url: &url, headers: self.headers(&url, under, marks), body };
            let there = self.request.url.same_origin(&url);
            if there {
                *heard = Word::Failed;
            }
            let exchange = outbound.exchange(&hop).await;
            if there {
                *heard = heard_of(&exchange, now);
            }
            let (mut response, cut) = match exchange {
                Exchange::Answered(response) => (response, None),
                Exchange::Headed { head, why } => (head, Some(why)),
                Exchange::Inside(why) if redirects == 0 => return Sent::Refused(why),
                Exchange::Inside(why) => return Sent::Unusable(format!("{} redirects, and {why}", self.request.url.origin())),
                Exchange::Unsent(why) => return Sent::NotYet { reason: why, after: None },
                Exchange::Lost(why) => return Sent::Lost { reason: why, after: None },
            };
            secrets.take_out(&url, &mut response);
            let (origin, after) = (url.origin(), retry_after(&response, now));
            let reason = format!("{origin} answered with {}", response.status);
            match response.status {
                // It says itself that it did nothing.
                408 | 425 | 429 | 501 | 503 | 505 => return Sent::NotYet { reason, after },
                // It failed, or who stands between did not hear of its end: what was carried out before that, it does not say.
                500..=599 => return Sent::Lost { reason, after },
                status @ (301 | 302 | 303 | 307 | 308) if follows(method, status) => match self.onward(&response, &url) {
                    Ok(Some((next, allows))) => (url, under) = (next, allows),
                    Ok(None) => return Sent::Answered(response),
                    Err(why) => return Sent::Unusable(why),
                },
                _ => {
                    return match cut {
                        None => Sent::Answered(response),
                        Some(Cut::TooLarge(max)) => Sent::Unusable(format!("the answer of {origin} has more than {max} bytes")),
                        Some(Cut::BrokenOff(why)) if method.is_safe() => Sent::NotYet { reason: why, after: None },
                        Some(Cut::BrokenOff(why)) => Sent::Unusable(format!("{reason}, and the answer broke off: {why}")),
                    };
                }
            }
        }
        Sent::Unusable(format!("{} redirects more than {REDIRECTS_MAX} times", self.request.url.origin()))
    }

    /// The headers of a hop to `url`, which the grant `under` allows. Elsewhere than where the request was meant to go, nothing is said
    /// that lets somebody in: neither secrets, wherever they are bound, nor what is usually one.
    fn headers(&self, url: &Target, under: &HttpGrant, marks: Marks<'_>) -> Vec<(String, String)> {
        let there = self.request.url.same_origin(url);
        let mut headers = Vec::with_capacity(self.request.headers.len() + 2);
        let own = self.grant.idempotency_key.as_deref().unwrap_or(IDEMPOTENCY_KEY).to_ascii_lowercase();
        for header in self.request.headers.iter().filter(|header| header.name != own) {
            match &header.value {
                HeaderValue::Text(_) if !there && matches!(header.name.as_str(), "authorization" | "cookie") => {}
                HeaderValue::Text(text) => headers.push((header.name.clone(), text.clone())),
                HeaderValue::Secret(name) => {
                    let known = self.ways.secrets.get(name);
                    let secret = known.filter(|secret| there && under.secrets.contains(name) && secret.is_for(url));
                    headers.extend(secret.map(|secret| (header.name.clone(), secret.value.clone())));
                }
            }
        }
        if !self.request.method.is_safe() {
            headers.push((own, marks.key.to_owned()));
        }
        if let Some(trace) = marks.trace
            && !headers.iter().any(|(name, _)| name == TRACEPARENT)
        {
            headers.push((TRACEPARENT.to_owned(), trace.traceparent()));
        }
        headers
    }

    /// Where a redirect leads, if it says so, and the grant that allows it. What changes something stays under its own grant: another
    /// one would say something else about whether it may be repeated.
    fn onward(&self, response: &Response, from: &Target) -> Result<Option<(Target, &'a HttpGrant)>, String> {
        let Some((_, location)) = response.headers.iter().find(|(name, _)| name == "location") else { return Ok(None) };
        let next = from.join(location).map_err(|problem| format!("{} redirects to where no request can go: {problem}", from.origin()))?;
        let method = self.request.method;
        let allows = |grant: &&'a HttpGrant| grant.allows(method, &next);
        let under = if method.is_safe() { self.ways.grants.iter().find(allows) } else { Some(self.grant).filter(allows) };
        match under {
            Some(under) => Ok(Some((next, under))),
            None => Err(format!("{} redirects to {}, which is not granted", from.origin(), next.origin())),
        }
    }
}

/// What an exchange says about who was asked.
fn heard_of(exchange: &Exchange, now: Timestamp) -> Word {
    let (head, broke_off) = match exchange {
        Exchange::Answered(response) => (response, false),
        Exchange::Headed { head, why } => (head, matches!(why, Cut::BrokenOff(_))),
        Exchange::Inside(_) => return Word::Nothing,
        Exchange::Unsent(_) => return Word::Unreached,
        Exchange::Lost(_) => return Word::Failed,
    };
    // At once is no time.
    let after = retry_after(head, now).filter(|after| after.is_positive());
    match (head.status, after) {
        (429, after) => Word::Enough(after),
        (503, Some(after)) => Word::Asked(after),
        (500..=599, _) => Word::Failed,
        _ if broke_off => Word::Failed,
        _ => Word::Working,
    }
}

/// The names of the secrets that its headers stand for.
pub(crate) fn secrets_of(request: &Request) -> impl Iterator<Item = &str> {
    request.headers.iter().filter_map(|header| match &header.value {
        HeaderValue::Secret(name) => Some(name.as_str()),
        HeaderValue::Text(_) => None,
    })
}

/// Whether `method` goes where `status` leads: asking does, anything else only where method and body stay as they are
/// ([RFC 9110, 15.4](https://www.rfc-editor.org/rfc/rfc9110#section-15.4)).
fn follows(method: Method, status: u16) -> bool {
    method.is_safe() || matches!(status, 307 | 308)
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
