//! Requests over HTTP: what a plugin asks for, what it is told, and which requests a rule grants.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::{Host, Url};

use crate::effect::base64_bytes;

/// The header that makes a request repeatable where its destination heeds it
/// ([draft-ietf-httpapi-idempotency-key-header](https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/)).
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A path is percent-encoded no more often than this, one layer in another.
const ENCODED_MAX: u32 = 2;

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

/// Where a request goes: an absolute `http` or `https` URL, normalised as the
/// [URL standard](https://url.spec.whatwg.org/#url-parsing) says, without user and fragment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Target(Url);

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

/// Why a text is no URL that a request can go to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    #[error("it is not an absolute URL: {0}")]
    Url(String),
    #[error("it begins with `{0}:`; a request begins with `https:` or `http:`")]
    Scheme(String),
    #[error("it holds a user or a password; give the authorization as a header")]
    User,
    #[error("its path holds an encoded `..` or `.` between slashes")]
    Dots,
    #[error("its path holds an encoded control character")]
    Control,
    #[error("its path is percent-encoded more than twice over")]
    Encoded,
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

impl Target {
    /// The URL of a text.
    ///
    /// # Errors
    /// It is none that a request can go to.
    pub fn parse(text: &str) -> Result<Self, BadTarget> {
        Self::of(Url::parse(text).map_err(|error| BadTarget::Url(error.to_string()))?)
    }

    /// Where a redirect from here to `location` leads ([RFC 9110, 10.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.2)).
    ///
    /// # Errors
    /// It leads to where no request can go.
    pub fn join(&self, location: &str) -> Result<Self, BadTarget> {
        Self::of(self.0.join(location).map_err(|error| BadTarget::Url(error.to_string()))?)
    }

    fn of(mut url: Url) -> Result<Self, BadTarget> {
        if !matches!(url.scheme(), "https" | "http") {
            return Err(BadTarget::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadTarget::User);
        }
        // A server that decodes before it looks for dots would leave the folder that was granted.
        let (mut path, mut rounds) = (url.path().to_owned(), 0);
        loop {
            if path.chars().any(char::is_control) {
                return Err(BadTarget::Control);
            }
            // What follows a `;` in a segment are parameters, which some cut off before they look.
            let name = |segment: &str| segment.split(';').next().map(|name| matches!(name, "." | "..")).unwrap_or_default();
            if path.split(['/', '\\']).any(name) {
                return Err(BadTarget::Dots);
            }
            let decoded = unescaped(&path);
            if decoded == path {
                break;
            }
            rounds += 1;
            if rounds > ENCODED_MAX {
                return Err(BadTarget::Encoded);
            }
            path = decoded;
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host, as names are resolved: in small letters, international names in their ASCII form, IPv6 without brackets.
    pub fn host(&self) -> String {
        match self.0.host() {
            Some(Host::Domain(name)) => name.trim_end_matches('.').to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => String::new(),
        }
    }

    /// The host where it is written as an address.
    pub fn address(&self) -> Option<core::net::IpAddr> {
        match self.0.host()? {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        }
    }

    /// Whether what goes there is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Scheme, host and port: without path and query, which may hold what is nobody's business.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Whether scheme, host and port are the same.
    pub fn same_origin(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }
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

    /// Whether `method` on `target` is one of these requests.
    pub fn allows(&self, method: Method, target: &Target) -> bool {
        let (own, other) = (&self.target.0, &target.0);
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

/// `path` with its percent-encoding resolved, as far as it is ASCII.
fn unescaped(path: &str) -> String {
    let mut found = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        found.push_str(before);
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(u8::is_ascii) {
            Some(byte) => {
                found.push(byte as char);
                rest = &after[2..];
            }
            None => {
                found.push('%');
                rest = after;
            }
        }
    }
    found + rest
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
        if target.0.path().split('/').any(|segment| segment != "*" && segment.contains('*')) {
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

impl TryFrom<String> for Target {
    type Error = BadTarget;

    fn try_from(text: String) -> Result<Self, BadTarget> {
        Self::parse(&text)
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.0.into()
    }
}

/// Prints the method and the origin only.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {})", self.method.as_str(), self.url.origin())
    }
}

/// Prints the origin only.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())
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
    fn what_is_no_url_of_a_request_says_why() {
        let bad = |text: &str| Target::parse(text).unwrap_err();
        assert!(matches!(bad("/v1/contacts"), BadTarget::Url(_)));
        assert_eq!(bad("file:///etc/passwd"), BadTarget::Scheme("file".into()));
        assert_eq!(bad("https://ana:secret@example.com/"), BadTarget::User);
        for dotted in
            ["..%2fadmin", "x%5c..%5cadmin", "%2e%2e%2fadmin", "..;/admin", "..;x=1/admin", "%2e%2e;/admin", "..%3b/a", "%252e%252e/a"]
        {
            assert_eq!(bad(&format!("https://e.com/v1/{dotted}")), BadTarget::Dots, "{dotted}");
        }
        assert_eq!(bad("https://e.com/v1/..%00/admin"), BadTarget::Control);
        assert_eq!(bad("https://e.com/v1/a%0d%0ab"), BadTarget::Control);
        assert_eq!(bad("https://e.com/v1/%25252525"), BadTarget::Encoded);
        assert!(Target::parse("https://e.com/a%20b/100%/%zz/..c").is_ok());
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
    fn addresses_are_seen_however_they_are_written() {
        let host = |url: &str| Target::parse(url).unwrap().host();
        assert_eq!(host("http://2130706433/"), "127.0.0.1");
        assert_eq!(host("http://0x7f.1/"), "127.0.0.1");
        assert_eq!(host("http://0177.0.0.1/"), "127.0.0.1");
        assert_eq!(host("http://[::ffff:127.0.0.1]/"), "::ffff:127.0.0.1");
        assert_eq!(host("http://ｌocalhost./"), "localhost");
        assert!(Target::parse("http://127.0.0.1:1/").unwrap().address().is_some());
        assert!(Target::parse("http://localhost/").unwrap().address().is_none());
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
