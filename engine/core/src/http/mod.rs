//! Requests over HTTP: what a plugin asks for, and what it is told. Where they go stands in [`target`], which of them a rule grants in
//! [`grant`].

mod grant;
mod target;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use grant::{Answer, BadPattern, HttpGrant, Pattern};
pub use target::{BadTarget, Target};

use crate::effect::base64_bytes;

/// The header that makes a request repeatable where its destination heeds it
/// ([draft-ietf-httpapi-idempotency-key-header](https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/)).
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Headers that belong to the connection or to who sends it, and those that some servers take for the method, the address or the sender of
/// a request. In small letters.
const RESERVED_HEADERS: [&str; 24] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "idempotency-key",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

/// Whether the header called `name`, in small letters, is not a plugin's to set.
pub fn is_reserved(name: &str) -> bool {
    RESERVED_HEADERS.contains(&name)
}

/// What is to be done with a resource ([RFC 9110, 9.3](https://www.rfc-editor.org/rfc/rfc9110#section-9.3), and
/// [RFC 5789](https://www.rfc-editor.org/rfc/rfc5789)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

/// One request of a plugin.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub method: Method,
    pub url: Target,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<Header>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
}

/// A header of a request.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// In small letters.
    pub name: String,
    #[serde(flatten)]
    pub value: HeaderValue,
}

/// What a header says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderValue {
    Text(String),
    /// The name of a secret: the secret itself is known to who sends the request, and to nobody before.
    Secret(String),
}

/// Bytes, of any kind.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Body(#[serde(with = "base64_bytes")] pub Vec<u8>);

/// A final answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    pub status: u16,
    /// Names in small letters; a name may come several times.
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 6] = [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Only asks ([RFC 9110, 9.2.1](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1)).
    pub fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head)
    }

    /// Twice is as once ([RFC 9110, 9.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2)).
    pub fn is_idempotent(self) -> bool {
        self.is_safe() || matches!(self, Self::Put | Self::Delete)
    }
}

/// Prints the method and the origin only.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {})", self.method.as_str(), self.url.origin())
    }
}

/// Prints the name only.
impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({})", self.name)
    }
}

/// Prints the status only.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({})", self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_journal() {
        let request = Request {
            method: Method::Post,
            url: Target::parse("https://e.com/v1?x=1").unwrap(),
            headers: vec![
                Header { name: "a".into(), value: HeaderValue::Text("b".into()) },
                Header { name: "authorization".into(), value: HeaderValue::Secret("crm".into()) },
            ],
            body: Some(Body(vec![0, 255])),
        };
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request, "{text}");
        assert_eq!(format!("{request:?}"), "Request(POST https://e.com)");
    }
}
