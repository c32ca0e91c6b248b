//! Comparing two values in a filter (RFC 9535 §2.3.5.2.2): numbers by value, texts by code points, the rest for being the same.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::evaluate::{Evaluation, Found};
use super::query::Is;
use crate::number;

impl Evaluation<'_> {
    pub(super) fn compare(&mut self, left: Found<'_>, is: Is, right: Found<'_>) -> bool {
        let (left, right) = (left.value(), right.value());
        let (left, right) = (left.as_deref(), right.as_deref());
        match is {
            Is::Equal => self.are_same(left, right),
            Is::NotEqual => !self.are_same(left, right),
            Is::Less => self.order(left, right) == Some(Ordering::Less),
            Is::Greater => self.order(left, right) == Some(Ordering::Greater),
            Is::LessOrEqual => self.order(left, right) == Some(Ordering::Less) || self.are_same(left, right),
            Is::GreaterOrEqual => self.order(left, right) == Some(Ordering::Greater) || self.are_same(left, right),
        }
    }

    /// Nothing is the same as nothing.
    fn are_same(&mut self, left: Option<&Value>, right: Option<&Value>) -> bool {
        match (left, right) {
            (Some(left), Some(right)) => self.is_same(left, right),
            (left, right) => left.is_none() && right.is_none(),
        }
    }

    /// As `number::equal`, in the steps that are left.
    fn is_same(&mut self, left: &Value, right: &Value) -> bool {
        match (left, right) {
            (Value::String(left), Value::String(right)) => {
                left.len() == right.len() && self.take_bytes(left.len()).is_continue() && left == right
            }
            (Value::Array(left), Value::Array(right)) => {
                left.len() == right.len()
                    && self.take(left.len()).is_continue()
                    && left.iter().zip(right).all(|(left, right)| self.is_same(left, right))
            }
            (Value::Object(left), Value::Object(right)) => {
                left.len() == right.len()
                    && self.take(left.len()).is_continue()
                    && left.iter().all(|(name, left)| right.get(name).is_some_and(|right| self.is_same(left, right)))
            }
            _ => number::equal(left, right),
        }
    }

    /// Only numbers and texts have an order.
    fn order(&mut self, left: Option<&Value>, right: Option<&Value>) -> Option<Ordering> {
        match (left?, right?) {
            (Value::Number(left), Value::Number(right)) => number::order(left, right),
            (Value::String(left), Value::String(right)) => {
                self.take_bytes(left.len().min(right.len())).is_continue().then(|| left.cmp(right))
            }
            _ => None,
        }
    }
}

impl<'a> Found<'a> {
    fn value(self) -> Option<Cow<'a, Value>> {
        match self {
            Self::Nothing => None,
            Self::Value(value) => Some(Cow::Borrowed(value)),
            Self::Number(number) => Some(Cow::Owned(Value::from(number))),
        }
    }
}
