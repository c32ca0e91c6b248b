//! Values as tests compare them: as they are, or turned into something else first.

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Number, Value};

use super::{Circumstances, Convert, Documents, Right, date};
use crate::number;
use crate::path::Nodes;

/// One side of a comparison.
pub(super) enum Operand<'v> {
    Json(Cow<'v, Value>),
    Date(Timestamp),
}

impl Right {
    /// What it stands for: any of these.
    pub(super) fn values<'v>(&'v self, documents: &'v dyn Documents) -> Nodes<'v> {
        match self {
            Self::Literal(value) => Nodes::One(Some(value)),
            Self::At(spot) => spot.nodes(documents),
            Self::Setting(_) | Self::Template(_) => Nodes::One(None),
        }
    }

    /// `value`, which it stands for, turned into what is compared. Only what a rule says may count from the event.
    pub(super) fn operand<'v>(&self, value: &'v Value, convert: Option<Convert>, documents: &dyn Documents) -> Option<Operand<'v>> {
        let circumstances = documents.circumstances();
        match (self, convert, value) {
            (Self::Literal(_), Some(Convert::Date), Value::String(text)) => date::moment(text, circumstances).map(Operand::Date),
            _ => Operand::of(value, convert, circumstances),
        }
    }
}

impl<'v> Operand<'v> {
    /// `value` turned into what is wanted; nothing where it cannot be.
    pub(super) fn of(value: &'v Value, convert: Option<Convert>, circumstances: &Circumstances<'_>) -> Option<Self> {
        let json = |value| Some(Self::Json(Cow::Owned(value)));
        match (convert, value) {
            (None, value) | (Some(Convert::String), value @ Value::String(_)) | (Some(Convert::Number), value @ Value::Number(_)) => {
                Some(Self::Json(Cow::Borrowed(value)))
            }
            (Some(Convert::String), Value::Number(_) | Value::Bool(_)) => json(Value::String(value.to_string())),
            (Some(Convert::Number), Value::String(text)) => number::parse(text).map(Value::Number).and_then(json),
            (Some(Convert::Date), Value::String(text)) => date::stated(text, circumstances).map(Self::Date),
            (Some(_), _) => None,
        }
    }

    pub(super) fn json(&self) -> Option<&Value> {
        match self {
            Self::Json(value) => Some(value),
            Self::Date(_) => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        self.json()?.as_str()
    }

    fn number(&self) -> Option<&Number> {
        self.json()?.as_number()
    }

    /// Whether both are the same.
    pub(super) fn equals(&self, other: &Operand<'_>) -> bool {
        match (self, other) {
            (Self::Json(a), Operand::Json(b)) => number::equal(a, b),
            (Self::Date(a), Operand::Date(b)) => a == b,
            _ => false,
        }
    }

    /// The order of two numbers or two times; nothing else has one.
    pub(super) fn order(&self, other: &Operand<'_>) -> Option<Ordering> {
        match (self, other) {
            (Self::Date(a), Operand::Date(b)) => Some(a.cmp(b)),
            _ => number::order(self.number()?, other.number()?),
        }
    }
}
