//! What stands at a path of an event.

use std::borrow::Cow;

use serde_json::{Number, Value};

use crate::json::{id_of_number, id_of_text};

/// A value in an event: scalars as they are, lists and objects as the part of the event that they are.
#[derive(Clone)]
pub(crate) enum Node<'e> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'e, str>),
    List(Part<'e>),
    Object(Part<'e>),
}

/// A list or an object.
#[derive(Clone)]
pub(crate) enum Part<'e> {
    /// Its text, which was checked.
    Raw(&'e str),
    Tree(Cow<'e, Value>),
}

impl<'e> Node<'e> {
    pub(super) fn of(value: &'e Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(_) => Self::List(Part::Tree(Cow::Borrowed(value))),
            Value::Object(_) => Self::Object(Part::Tree(Cow::Borrowed(value))),
        }
    }

    /// The same, borrowed from nowhere.
    pub(super) fn into_owned(self) -> Node<'static> {
        match self {
            Self::Null => Node::Null,
            Self::Bool(value) => Node::Bool(value),
            Self::Number(number) => Node::Number(number),
            Self::Text(text) => Node::Text(Cow::Owned(text.into_owned())),
            Self::List(part) => Node::List(Part::Tree(Cow::Owned(part.value()))),
            Self::Object(part) => Node::Object(Part::Tree(Cow::Owned(part.value()))),
        }
    }

    /// The text that it is.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// What the id that it is says: see [`crate::json::id_text`].
    pub(crate) fn id(&self) -> Option<String> {
        match self {
            Self::Text(text) => id_of_text(text),
            Self::Number(number) => id_of_number(number),
            _ => None,
        }
    }

    /// The value itself.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => Value::String(text.clone().into_owned()),
            Self::List(part) | Self::Object(part) => part.value(),
        }
    }
}

impl Part<'_> {
    fn value(&self) -> Value {
        match self {
            // It was checked with the event that it is a part of.
            Self::Raw(text) => serde_json::from_str(text).unwrap_or_default(),
            Self::Tree(value) => Value::clone(value),
        }
    }
}

/// The number that `text`, which is one, says: as serde_json keeps it.
#[inline]
pub(super) fn number(text: &str) -> Option<Number> {
    let bytes = text.as_bytes();
    // Up to 18 digits fit an `i64`; `-0` is a double.
    if bytes.len() <= 18 && bytes != b"-0" {
        let (minus, digits) = match bytes.split_first() {
            Some((b'-', digits)) => (true, digits),
            _ => (false, bytes),
        };
        let sum = digits.iter().try_fold(0_i64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')));
        if let Some(sum) = sum {
            return Some(Number::from(if minus { -sum } else { sum }));
        }
    }
    text.parse().ok()
}

/// A text without its escapes, which were checked.
pub(super) fn unescaped(raw: &str) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(rest.get(..at)?);
        let escape = rest.get(at + 1..)?;
        let unit = |from: usize| u16::from_str_radix(escape.get(from..from + 4)?, 16).ok();
        let (char, length) = match escape.as_bytes().first()? {
            b'b' => ('\u{8}', 1),
            b'f' => ('\u{c}', 1),
            b'n' => ('\n', 1),
            b'r' => ('\r', 1),
            b't' => ('\t', 1),
            b'u' => match unit(1)? {
                high @ 0xd800..=0xdfff => (char::decode_utf16([high, unit(7)?]).next()?.ok()?, 11),
                unit => (char::from_u32(u32::from(unit))?, 5),
            },
            other => (char::from(*other), 1),
        };
        text.push(char);
        rest = escape.get(length..)?;
    }
    text.push_str(rest);
    Some(text)
}
