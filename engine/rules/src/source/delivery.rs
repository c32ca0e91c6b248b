//! One delivery as it came over HTTP, and why it may be refused.

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

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.0.iter().copied()
    }

    /// These, and one more behind them.
    pub(super) fn and<'b>(&self, name: &'b str, value: &'b [u8]) -> Headers<'b>
    where
        'a: 'b,
    {
        self.0.iter().copied().chain([(name, value)]).collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a [u8])> for Headers<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a [u8])>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}

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

/// Why a delivery is refused. Says which rule it broke, never what it contained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the body cannot be read: {why}")]
    Malformed { why: String },
    #[error("the delivery is not verified: {why}")]
    Unverified { why: String },
    #[error("the body is not in a form that this source takes: {why}")]
    Unsupported { why: String },
    #[error("the body has {length} bytes; this source takes at most {max}")]
    TooLarge { length: usize, max: usize },
}
