//! Refusals, as RFC 9457 problem documents: what is wrong, and what to do about it.
//!
//! A problem names rules that were broken and limits that were passed, never a value of a request.

use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use zelo_core::job::Reason;
use zelo_core::{JobState, TraceId};
use zelo_rules::Refusal;
use zelo_runtime::Refused;

/// What an answer is a refusal for: stands in its extensions, for who shows it in another way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
}

/// A refusal.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    /// The end of its `type`, `urn:zelo:problem:<code>`: stable, for programs.
    code: &'static str,
    title: &'static str,
    detail: Cow<'static, str>,
    header: Option<Box<(HeaderName, &'static str)>>,
    /// Why a job stands as it did: its code is for programs.
    reason: Option<Box<Reason>>,
    /// Seconds after which it may be tried again, where that depends.
    retry_after: Option<u64>,
    /// Of a delivery: what its log lines are found by.
    trace: Option<TraceId>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, title, detail: detail.into(), header: None, reason: None, retry_after: None, trace: None }
    }

    /// The same, about the delivery with this trace.
    pub(crate) fn traced(self, trace: TraceId) -> Self {
        Self { trace: Some(trace), ..self }
    }

    /// The stable end of its `type`.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong, in words.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// What its log lines are found by, where it is about a delivery.
    pub(crate) fn trace(&self) -> Option<TraceId> {
        self.trace
    }

    /// 400: the request cannot be read.
    pub(crate) fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "The request cannot be read", detail)
    }

    /// 400: a parameter of the query is not one, or not in its form.
    pub(crate) fn query(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "query", "A query parameter is wrong", detail)
    }

    /// 401: no credential, or none that is known.
    pub(crate) fn credential(detail: impl Into<Cow<'static, str>>) -> Self {
        let problem = Self::new(StatusCode::UNAUTHORIZED, "credential", "A credential is needed", detail);
        Self { header: Some(Box::new((WWW_AUTHENTICATE, "Bearer"))), ..problem }
    }

    /// 401: nobody who knows the secret of the connection sent this.
    fn unverified(detail: String) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unverified", "The delivery is not verified", detail)
    }

    /// 403: a form that another site sent.
    pub(crate) fn cross_site() -> Self {
        let detail = "This form was sent from another site. Open the page of this server, and send it from there.";
        Self::new(StatusCode::FORBIDDEN, "cross-site", "Not from this site", detail)
    }

    /// 403: a sender of CloudEvents that nobody named.
    pub(crate) fn origin() -> Self {
        let detail = "Events from this origin are not expected here. Name it under `origins` of the connection in zelo.toml.";
        Self::new(StatusCode::FORBIDDEN, "origin", "Not an expected origin", detail)
    }

    /// 403: known, and not as somebody who may do this.
    pub(crate) fn role(needed: &str) -> Self {
        let detail = format!("This needs the role {needed}. Make a token with it: `zelo token new --role {needed}`.");
        Self::new(StatusCode::FORBIDDEN, "role", "Another role is needed", detail)
    }

    /// 403: known, and for some clinics only.
    pub(crate) fn clinics() -> Self {
        let detail = "This is about the whole server, and your credential is for some clinics only.";
        Self::new(StatusCode::FORBIDDEN, "clinics", "A credential for all clinics is needed", detail)
    }

    /// 403: an address that is not let in.
    pub(crate) fn address(detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "address", "Not from this address", detail)
    }

    /// 409: what is asked for cannot be replayed so.
    pub(crate) fn replay(detail: String) -> Self {
        Self::new(StatusCode::CONFLICT, "replay", "This cannot be replayed", detail)
    }

    /// 409: an automation cannot be switched so.
    pub(crate) fn automation(detail: String) -> Self {
        Self::new(StatusCode::CONFLICT, "automation", "The automation cannot be switched so", detail)
    }

    /// 403: who asks whether we are here does not know what they would.
    fn handshake(detail: String) -> Self {
        Self::new(StatusCode::FORBIDDEN, "handshake", "The handshake is refused", detail)
    }

    /// 404.
    pub(crate) fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Not found", detail)
    }

    fn connection() -> Self {
        let detail = "There is no connection of this name. The address of a hook is /hooks/, the name of a connection in zelo.toml, and the provider's path.";
        Self::new(StatusCode::NOT_FOUND, "connection", "No such connection", detail)
    }

    /// 405, where these methods are taken.
    pub(crate) fn method_other_than(allow: &'static str) -> Self {
        Self { header: Some(Box::new((ALLOW, allow))), ..Self::method() }
    }

    /// 405.
    pub(crate) fn method() -> Self {
        let detail = "This address does not take this method; the Allow header names those that it takes.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "Another method is needed", detail)
    }

    /// 408: the body did not arrive in time.
    pub(crate) fn slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "slow", "The request came too slowly", "Its body did not arrive in time. Send it again.")
    }

    /// 409: these data must not go.
    fn held() -> Self {
        let detail = "These data are on hold, so they cannot be erased. Let them go first.";
        Self::new(StatusCode::CONFLICT, "held", "On hold", detail)
    }

    /// 409: the job stands as it did, for this reason.
    pub(crate) fn job(why: &Reason) -> Self {
        let problem = Self::new(StatusCode::CONFLICT, "job", "The job stands as it did", format!("{}.", why.text));
        Self { reason: Some(Box::new(why.clone())), ..problem }
    }

    /// 409: the job has ended, and cannot be cancelled.
    pub(crate) fn over(state: JobState) -> Self {
        Self::job(&Reason::new("wrong_state", format!("it is {}: only a pending job can be cancelled", state.as_str())))
    }

    /// 404: no such job.
    pub(crate) fn no_job() -> Self {
        Self::not_found("There is no job with this id. An id looks like `job_` and 32 hexadecimal digits.")
    }

    /// Why, where it is about a job.
    pub(crate) fn reason(&self) -> Option<&Reason> {
        self.reason.as_deref()
    }

    /// 413: the body has more than `max` bytes.
    pub(crate) fn too_large(max: usize) -> Self {
        let detail = format!("At most {max} bytes are taken here. For more, raise `max_body` in the source file.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large", detail)
    }

    /// 413: the body would become more than `times` as long when it is unpacked.
    pub(crate) fn packed(times: usize) -> Self {
        let detail = format!("Unpacked, it would be more than {times} times as long. Send it without Content-Encoding.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large", detail)
    }

    /// 415.
    pub(crate) fn unsupported(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "format", "The body is in another format", detail)
    }

    /// 422: the payload is not in the form of its type.
    fn violation(detail: String) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "violation", "The payload is not in the form of its type", detail)
    }

    /// 429: more than the limit.
    pub(crate) fn limited(wait: Duration) -> Self {
        let detail =
            "More came than is taken in this time. Nothing was stored; send it again when `Retry-After` says. The limits are in zelo.toml.";
        Self::after(wait, Self::new(StatusCode::TOO_MANY_REQUESTS, "limited", "Too much in too short a time", detail))
    }

    /// 429: too much from there was not verified.
    pub(crate) fn locked(wait: Duration) -> Self {
        let detail = "Too much from this address was not verified, so nothing is looked at for a while. Send it again when `Retry-After` says, \
                      with the secret of this connection.";
        Self::after(wait, Self::new(StatusCode::TOO_MANY_REQUESTS, "locked", "Locked out for a while", detail))
    }

    fn after(wait: Duration, problem: Self) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self { retry_after: Some(seconds.max(1)), ..problem }
    }

    /// Whether it was refused at the door, before it was looked at.
    pub(crate) fn is_turned_away(&self) -> bool {
        matches!(self.code, "address" | "limited" | "locked")
    }

    /// Whether a body could not be read because of who sent it.
    pub(crate) fn is_senders(&self) -> bool {
        self.status.is_client_error()
    }

    /// 500: a defect of zelo.
    pub(crate) fn internal() -> Self {
        let detail = "This is a defect of zelo; its log says where. Nothing is lost that was acknowledged.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something broke", detail)
    }

    /// 503: too much at once.
    pub(crate) fn busy() -> Self {
        Self::later(
            "busy",
            "Too much at once",
            "The server has as much to do as it can take. Nothing was stored; send it again in a second.",
        )
    }

    /// 503: the store does not answer.
    pub(crate) fn unavailable() -> Self {
        Self::later("unavailable", "The store does not answer", "Nothing was stored; send it again. The log of the server says why.")
    }

    /// 503: it is about to end.
    pub(crate) fn stopping() -> Self {
        Self::later("stopping", "The server stops", "It finishes what it has begun, and takes nothing new.")
    }

    fn later(code: &'static str, title: &'static str, detail: &'static str) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, title, detail);
        Self { header: Some(Box::new((RETRY_AFTER, "1"))), ..problem }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NoConnection(_) => Self::connection(),
            Refused::Refusal(Refusal::Malformed { why }) => Self::malformed(why),
            Refused::Refusal(Refusal::Unverified { why }) => Self::unverified(why),
            Refused::Refusal(Refusal::Unsupported { why }) => Self::unsupported(why),
            Refused::Refusal(Refusal::Handshake { why }) => Self::handshake(why),
            Refused::Refusal(Refusal::Violation { why }) => Self::violation(why),
            Refused::Refusal(Refusal::TooLarge { max, .. }) => Self::too_large(max),
            Refused::Busy => Self::busy(),
            Refused::Unavailable(error) => Self::from(error),
        }
    }
}

impl From<zelo_store::Error> for Problem {
    fn from(error: zelo_store::Error) -> Self {
        if matches!(error, zelo_store::Error::Busy) {
            return Self::busy();
        }
        if matches!(error, zelo_store::Error::Held) {
            return Self::held();
        }
        let cause = std::error::Error::source(&error).map(tracing::field::display);
        tracing::error!(%error, cause, "the store failed");
        Self::unavailable()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut document = serde_json::json!({
            "type": format!("urn:zelo:problem:{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(why) = self.reason {
            document["code"] = why.code.into();
        }
        if let Some(trace) = self.trace {
            document["trace_id"] = serde_json::json!(trace);
        }
        let mut response = (self.status, document.to_string()).into_response();
        response.extensions_mut().insert(Told { code: self.code, title: self.title });
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some((name, value)) = self.header.map(|header| *header) {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
