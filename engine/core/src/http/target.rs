//! Where a request goes.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// A path is percent-encoded no more often than this, one layer in another.
const ENCODED_MAX: u32 = 2;

/// Where a request goes: an absolute `http` or `https` URL, normalised as the
/// [URL standard](https://url.spec.whatwg.org/#url-parsing) says, without user and fragment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Target(Url);

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
        stays_inside(url.path())?;
        url.set_fragment(None);
        Ok(Self(url))
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
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

/// Checks that `path` leads nowhere else than it seems to: not where a server looks for dots after it has decoded, once or twice, or
/// cuts off the parameters that follow a `;` in a segment.
fn stays_inside(path: &str) -> Result<(), BadTarget> {
    let mut path = path.to_owned();
    for _ in 0..=ENCODED_MAX {
        if path.chars().any(char::is_control) {
            return Err(BadTarget::Control);
        }
        let is_dots = |segment: &str| segment.split(';').next().is_some_and(|name| matches!(name, "." | ".."));
        if path.split(['/', '\\']).any(is_dots) {
            return Err(BadTarget::Dots);
        }
        let decoded = unescaped(&path);
        if decoded == path {
            return Ok(());
        }
        path = decoded;
    }
    Err(BadTarget::Encoded)
}

/// `path` with its percent-encoding resolved, as far as it is ASCII.
pub(super) fn unescaped(path: &str) -> String {
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

/// Prints the origin only.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
