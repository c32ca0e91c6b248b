//! One delivery as it came over HTTP, and why it may be refused.

use std::borrow::Cow;

use super::parameters;

/// Headers of a delivery. Names are compared without regard to case.
#[derive(Clone, Debug, Default)]
pub struct Headers<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> Headers<'a> {
    /// The first value of `name`.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.0.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The first value of `name`, where it is text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The value of `name`, if it is there once.
    ///
    /// # Errors
    /// It is there more than once, and who reads on might mean another one.
    pub(super) fn only(&self, name: &str) -> Result<Option<&'a [u8]>, Twice> {
        let mut values = self.0.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        let first = values.next();
        if values.next().is_some() { Err(Twice) } else { Ok(first) }
    }

    /// These, and more behind them.
    pub(super) fn and<'b>(&'b self, more: &'b [(String, String)]) -> Headers<'b> {
        self.0.iter().copied().chain(more.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))).collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a [u8])> for Headers<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a [u8])>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}

/// Something is there more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Twice;

/// One delivery.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// What follows `/hooks/{connection}/`.
    pub path: &'a str,
    /// The whole URL, as the provider was given it.
    pub url: &'a str,
    pub headers: &'a Headers<'a>,
    pub body: &'a [u8],
}

impl<'a> Delivery<'a> {
    /// The decoded value of a parameter of its URL, if it is there once.
    ///
    /// # Errors
    /// It is there more than once.
    pub(super) fn parameter(&self, name: &str) -> Result<Option<Cow<'a, [u8]>>, Twice> {
        let query = self.url.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default());
        let mut values = parameters::pairs(query.as_bytes()).filter(|(given, _)| **given == *name.as_bytes()).map(|(_, value)| value);
        let first = values.next();
        if values.next().is_some() { Err(Twice) } else { Ok(first) }
    }
}

/// Why a delivery is refused. Says which rule it broke, never what it contained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the body cannot be read: {why}")]
    Malformed { why: String },
    #[error("the delivery is not verified: {why}")]
    Unverified { why: String },
    #[error("the body is not in a form that this source takes: {why}")]
    Unsupported { why: String },
    #[error("the handshake is refused: {why}")]
    Handshake { why: String },
    #[error("the payload is not in the form of its type: {why}")]
    Violation { why: String },
    #[error("the body has {length} bytes; this source takes at most {max}")]
    TooLarge { length: usize, max: usize },
}
