//! Which requests a rule grants, and which ones an answer is given to beforehand: both by a pattern.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::target::unescaped;
use super::{BadTarget, Body, Method, Response, Target};

/// Requests that an action may make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpGrant {
    pub request: Pattern,
    /// The header by which the destination tells a repeated request from a new one; without it, nobody may repeat a `POST` or
    /// a `PATCH` that was perhaps carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The secrets that the headers may name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
}

/// `POST https://api.example.com/v1/contacts/*`: one method, one scheme, one host, one port, and a path.
///
/// A `*` that is a whole segment of the path stands for any one segment; at the end, for any rest of the path. The query is
/// free, unless the pattern has one: then it must be that.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    method: Method,
    target: Target,
}

/// Why a text is no pattern of requests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    #[error("it is not a method and a URL, as in `POST https://api.example.com/v1/*`")]
    Words,
    #[error("`{0}` is not a method; methods are GET, HEAD, POST, PUT, PATCH and DELETE")]
    Method(String),
    #[error("{0}")]
    Target(#[from] BadTarget),
    #[error("its host is not spelt out: a request goes to one host, without wildcards")]
    Host,
    #[error("it holds `{{`: neither fields nor settings can stand in what is granted; a `*` in the path stands for any segment")]
    Field,
    #[error("a `*` stands for a whole segment of the path, as in `/v1/*/notes`")]
    Star,
}

impl HttpGrant {
    /// Whether `method` may be used on `target`.
    pub fn allows(&self, method: Method, target: &Target) -> bool {
        self.request.allows(method, target)
    }

    /// Whether a request may be sent again that was perhaps carried out.
    pub fn repeatable(&self, method: Method) -> bool {
        method.is_idempotent() || self.idempotency_key.is_some()
    }
}

impl Pattern {
    /// The one host that it is about.
    pub fn host(&self) -> String {
        self.target.host()
    }

    /// Where the requests that it is about go: of the address, only scheme, host and port say something.
    pub fn destination(&self) -> &Target {
        &self.target
    }

    /// Whether `method` on `target` is one of these requests.
    pub fn allows(&self, method: Method, target: &Target) -> bool {
        let (own, other) = (self.target.url(), target.url());
        self.method == method
            && self.target.same_origin(target)
            && fits(own.path(), other.path(), matches!(method, Method::Put | Method::Patch | Method::Delete))
            && own.query().is_none_or(|query| other.query() == Some(query))
    }
}

/// Whether `path` is one of `pattern`. Both begin with a slash. `one`: it has to name something below a last `*`; to change or delete
/// all that is there is something else than one of it.
fn fits(pattern: &str, path: &str, one: bool) -> bool {
    let mut segments = path.split('/');
    let mut wanted = pattern.split('/').peekable();
    while let Some(word) = wanted.next() {
        if word == "*" && wanted.peek().is_none() {
            return segments.next().is_some_and(|first| !(one && first.is_empty()));
        }
        match segments.next() {
            // Servers that decode early would see two segments.
            Some(segment) if word == "*" && !segment.is_empty() && !unescaped(segment).contains(['/', '\\']) => {}
            Some(segment) if word == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

impl FromStr for Pattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        let (method, url) = text.trim().split_once(char::is_whitespace).ok_or(BadPattern::Words)?;
        let known = Method::ALL.into_iter().find(|known| known.as_str() == method);
        let method = known.ok_or_else(|| BadPattern::Method(method.to_owned()))?;
        // Before it is read as a URL: that would encode what stands in a name.
        let host = url.trim().split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
        if url.contains("{{") {
            return Err(BadPattern::Field);
        }
        if host.contains('*') {
            return Err(BadPattern::Host);
        }
        let target = Target::parse(url.trim())?;
        if target.url().path().split('/').any(|segment| segment != "*" && segment.contains('*')) {
            return Err(BadPattern::Star);
        }
        Ok(Self { method, target })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_str(), self.target.as_str())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Pattern {
    type Error = BadPattern;

    fn try_from(text: String) -> Result<Self, BadPattern> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

/// The answer to some requests, given beforehand: in tests, dry runs and simulations.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// As in a grant: `POST https://api.example.com/v1/*`. The first that fits answers.
    pub request: Pattern,
    #[serde(default = "ok")]
    pub status: u16,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A text as it is, anything else as JSON.
    #[serde(default)]
    pub body: Option<Value>,
}

fn ok() -> u16 {
    200
}

impl Answer {
    /// The answer as it comes in.
    pub fn response(&self) -> Response {
        let body = match &self.body {
            None => Vec::new(),
            Some(Value::String(text)) => text.clone().into_bytes(),
            Some(json) => json.to_string().into_bytes(),
        };
        let headers = self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
        Response { status: self.status, headers, body: Body(body) }
    }
}

/// Prints what it answers only.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {})", self.request, self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(pattern: &str, method: Method, url: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().allows(method, &Target::parse(url).unwrap())
    }

    #[test]
    fn a_pattern_allows_what_it_names_and_nothing_else() {
        let api = "POST https://api.example.com/v1/*";
        for url in [
            "https://api.example.com/v1/contacts",
            "https://api.example.com/v1/",
            "https://API.example.com:443/v1/contacts/7/notes?x=1#y",
            "https://api.example.com/v2/../v1/contacts",
            "https://api.example.com/v1/a%2Fb",
        ] {
            assert!(allows(api, Method::Post, url), "{url}");
        }
        for url in [
            "https://api.example.com/v1",
            "https://api.example.com/v2/contacts",
            "https://api.example.com/v1/../v2/contacts",
            "https://api.example.com/v1/%2e%2e/v2",
            "http://api.example.com/v1/contacts",
            "https://api.example.com:8443/v1/contacts",
            "https://api.example.com.evil.example/v1/contacts",
            "https://evil.example/v1/contacts",
            "https://example.com/v1/contacts",
        ] {
            assert!(!allows(api, Method::Post, url), "{url}");
        }
        assert!(!allows(api, Method::Put, "https://api.example.com/v1/contacts"), "another method");
        let notes = "GET https://api.example.com/v1/*/notes";
        assert!(allows(notes, Method::Get, "https://api.example.com/v1/7/notes"));
        for url in [
            "https://api.example.com/v1/7/8/notes",
            "https://api.example.com/v1/7%2f8/notes",
            "https://api.example.com/v1//notes",
            "https://api.example.com/v1/7/notes/1",
        ] {
            assert!(!allows(notes, Method::Get, url), "{url}");
        }
        for (method, whole) in [("GET", true), ("POST", true), ("PUT", false), ("PATCH", false), ("DELETE", false)] {
            let known = Method::ALL.into_iter().find(|known| known.as_str() == method).unwrap();
            assert_eq!(allows(&format!("{method} https://e.com/v1/*"), known, "https://e.com/v1/"), whole, "{method} of all that is there");
            assert!(allows(&format!("{method} https://e.com/v1/*"), known, "https://e.com/v1/7"));
        }
        let exact = "GET https://api.example.com/v1/me?full=1";
        assert!(allows(exact, Method::Get, "https://api.example.com/v1/me?full=1"));
        assert!(!allows(exact, Method::Get, "https://api.example.com/v1/me?full=2"));
        assert!(!allows(exact, Method::Get, "https://api.example.com/v1/me"));
        assert!(!allows("GET https://api.example.com/", Method::Get, "https://api.example.com/v1"), "no star, no rest");
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        let bad = |text: &str| text.parse::<Pattern>().unwrap_err();
        assert_eq!(bad("https://api.example.com/"), BadPattern::Words);
        assert_eq!(bad("FETCH https://api.example.com/"), BadPattern::Method("FETCH".into()));
        assert_eq!(bad("GET https://*.example.com/"), BadPattern::Host);
        assert_eq!(bad("GET https://{{ host }}/v1"), BadPattern::Field);
        assert_eq!(bad("GET https://api.example.com/{{ id }}"), BadPattern::Field);
        assert_eq!(bad("GET https://api.example.com/v1/a*"), BadPattern::Star);
        assert!(matches!(bad("GET api.example.com/v1"), BadPattern::Target(_)));
    }

    #[test]
    fn what_may_be_repeated() {
        let grant = |text: &str, key: Option<&str>| HttpGrant {
            request: text.parse().unwrap(),
            idempotency_key: key.map(str::to_owned),
            secrets: BTreeSet::new(),
        };
        let plain = grant("POST https://e.com/", None);
        assert!(!plain.repeatable(Method::Post) && !plain.repeatable(Method::Patch));
        assert!(plain.repeatable(Method::Put) && plain.repeatable(Method::Delete) && plain.repeatable(Method::Get));
        assert!(grant("POST https://e.com/", Some("idempotency-key")).repeatable(Method::Post));
    }
}
