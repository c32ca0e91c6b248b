//! Texts, numbers, true, false and null as right sides, and their hashes.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;
use serde_json::{Number, Value};

use crate::facts::{Node, Slot};
use crate::number::order;

/// A value that is compared by itself.
#[derive(Clone, Debug)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
}

impl Scalar {
    pub(super) fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::Text(text.as_str().into()),
            Value::Array(_) | Value::Object(_) => return None,
        })
    }

    /// Whether `node` is this value: see [`crate::number::equal`].
    #[inline]
    pub(super) fn is(&self, node: &Node<'_>) -> bool {
        match (self, node) {
            (Self::Text(text), Node::Text(other)) => **text == **other,
            (Self::Number(number), Node::Number(other)) => order(number, other).is_some_and(std::cmp::Ordering::is_eq),
            (Self::Bool(value), Node::Bool(other)) => value == other,
            (Self::Null, Node::Null) => true,
            _ => false,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The same as of a node that is this value.
    pub(super) fn hash(&self) -> u64 {
        match self {
            Self::Null => hashed(0_u8),
            Self::Bool(value) => hashed(value),
            Self::Number(number) => of_number(number),
            Self::Text(text) => hashed(&**text),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.text().map_or(0, str::len)
    }
}

/// The hash of `node`; nothing where it is a list or an object.
#[inline]
pub(super) fn hash(node: &Node<'_>) -> Option<u64> {
    Some(match node {
        Node::Null => hashed(0_u8),
        Node::Bool(value) => hashed(value),
        Node::Number(number) => of_number(number),
        Node::Text(text) => hashed(&**text),
        Node::List(_) | Node::Object(_) => return None,
    })
}

/// Equal numbers have one hash, however they are written.
fn of_number(number: &Number) -> u64 {
    let float = number.as_f64().unwrap_or_default();
    // All numbers that are equal are near to one double: that of 2^53 + 1 is that of 2^53 too, and no harm is done.
    hashed(if float == 0.0 { 0 } else { float.to_bits() })
}

#[inline]
fn hashed<T: Hash>(value: T) -> u64 {
    FixedState::default().hash_one(value)
}

/// Where rules are filed that are about events of a kind and some value in a slot, or, without its hash, any text there.
#[inline]
pub(super) fn file(kind: u32, slot: Slot, value: Option<u64>) -> u64 {
    let place = (u64::from(kind) << 32) | u64::from(slot);
    (value.unwrap_or(0x7e97) ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(31).wrapping_mul(0xd6e8_feb8_6659_fd93)
}
