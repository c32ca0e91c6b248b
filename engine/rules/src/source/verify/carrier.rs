//! Where a proof stands in a delivery, and why a delivery is not verified.

use std::borrow::Cow;

use super::super::Delivery;
use super::super::delivery::Twice;

/// A header, or a parameter of the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source) enum Carrier {
    /// In lower case.
    Header(String),
    Query(String),
}

/// Why one way to verify a delivery did not. Names what the sender sent, never what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    NoSecret,
    /// This is not there.
    Missing(Carrier),
    /// What is there cannot be read.
    Unreadable(String),
    /// What is there is not signed with any secret.
    Unfit(Carrier),
    /// All of it fits, and yet.
    Refused(String),
}

impl Carrier {
    /// Its value; none where it is not there.
    pub(super) fn bytes<'d>(&self, delivery: &Delivery<'d>) -> Result<Option<Cow<'d, [u8]>>, Why> {
        let found = match self {
            Self::Header(name) => delivery.headers.only(name).map(|value| value.map(Cow::Borrowed)),
            Self::Query(name) => delivery.parameter(name),
        };
        found.map_err(|Twice| Why::Unreadable(format!("{self} is there more than once")))
    }

    /// Its value as text.
    pub(super) fn text<'d>(&self, delivery: &Delivery<'d>) -> Result<Cow<'d, str>, Why> {
        let text = match self.bytes(delivery)?.ok_or_else(|| Why::Missing(self.clone()))? {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).ok(),
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).ok(),
        };
        text.ok_or_else(|| Why::Unfit(self.clone()))
    }

    fn name(&self) -> &str {
        match self {
            Self::Header(name) | Self::Query(name) => name,
        }
    }

    fn is_header(&self) -> bool {
        matches!(self, Self::Header(_))
    }
}

impl std::fmt::Display for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Header(name) => write!(f, "its `{name}` header"),
            Self::Query(name) => write!(f, "the `{name}` of its URL"),
        }
    }
}

impl Why {
    /// What is told of a delivery that none of several ways has verified: what came closest.
    pub(super) fn all(reasons: Vec<Self>) -> String {
        let closest = reasons.iter().map(Self::rank).max().unwrap_or_default();
        let mut carriers = Vec::new();
        for reason in reasons.into_iter().filter(|reason| reason.rank() == closest) {
            match reason {
                Self::Unreadable(why) | Self::Refused(why) => return why,
                Self::Missing(carrier) | Self::Unfit(carrier) if !carriers.contains(&carrier) => carriers.push(carrier),
                Self::Missing(_) | Self::Unfit(_) | Self::NoSecret => {}
            }
        }
        let named = |header: bool| {
            let names: Vec<&str> = carriers.iter().filter(|carrier| carrier.is_header() == header).map(Carrier::name).collect();
            (!names.is_empty()).then(|| format!("`{}`", names.join("` or `")))
        };
        match (closest, named(true), named(false)) {
            (MISSING, Some(headers), None) => format!("it carries no {headers} header"),
            (MISSING, None, Some(names)) => format!("its URL has no {names}"),
            (MISSING, Some(headers), Some(names)) => format!("it carries no {headers} header, and its URL has no {names}"),
            (_, Some(headers), None) => format!("its {headers} header does not fit any secret of this connection"),
            (_, None, Some(names)) => format!("the {names} of its URL does not fit any secret of this connection"),
            (_, Some(headers), Some(names)) => {
                format!("neither its {headers} header nor the {names} of its URL fits any secret of this connection")
            }
            (_, None, None) => "this connection has no secret".to_owned(),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::NoSecret => 0,
            Self::Missing(_) => MISSING,
            Self::Unreadable(_) => 2,
            Self::Unfit(_) => 3,
            Self::Refused(_) => 4,
        }
    }
}

const MISSING: u8 = 1;
