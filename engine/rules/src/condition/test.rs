//! Tests of one node.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::operand::Operand;
use super::{Clause, Comparison, Convert, Documents, Pattern, Right, TestKind};
use crate::number::equal;
use crate::path::Nodes;

impl TestKind {
    /// Whether `node` passes. Presence and change are not questions about one node; they are answered by the clause.
    pub(crate) fn passes(&self, node: &Value, convert: Option<Convert>, documents: &dyn Documents) -> bool {
        match self {
            Self::Exists => return !node.is_null(),
            Self::IsNull => return node.is_null(),
            Self::Missing | Self::Changed { .. } => return false,
            _ => {}
        }
        let convert = self.converts(convert);
        if let (Self::Contains(right), Value::Array(elements)) = (self, node) {
            let of = |element| Operand::of(element, convert, documents.circumstances());
            return right.any(convert, documents, |right| elements.iter().filter_map(of).any(|left| left.equals(right)));
        }
        let Some(left) = Operand::of(node, convert, documents.circumstances()) else { return false };
        let any = |right: &Right, passes: &dyn Fn(&Operand<'_>) -> bool| right.any(convert, documents, passes);
        let text = |right: &Right, passes: fn(&str, &str) -> bool| {
            left.text().is_some_and(|text| any(right, &|right| right.text().is_some_and(|part| passes(text, part))))
        };
        match self {
            Self::Exists | Self::IsNull | Self::Missing | Self::Changed { .. } => false,
            Self::Equals(right) => any(right, &|right| left.equals(right)),
            Self::In(rights) => rights.iter().any(|right| right.is_among(&left, convert, documents)),
            Self::Compare(comparison, right) => any(right, &|right| left.order(right).is_some_and(|order| comparison.accepts(order))),
            Self::Before(right) => any(right, &|right| left.order(right).is_some_and(Ordering::is_lt)),
            Self::After(right) => any(right, &|right| left.order(right).is_some_and(Ordering::is_gt)),
            Self::Between(low, high) => {
                any(low, &|low| left.order(low).is_some_and(Ordering::is_ge))
                    && any(high, &|high| left.order(high).is_some_and(Ordering::is_le))
            }
            Self::Contains(right) => text(right, |text, part| text.contains(part)),
            Self::StartsWith(right) => text(right, |text, part| text.starts_with(part)),
            Self::EndsWith(right) => text(right, |text, part| text.ends_with(part)),
            Self::Matches(pattern) | Self::Glob(pattern) => left.text().is_some_and(|text| pattern.fits(text)),
            Self::Length(bounds) => length(&left).is_some_and(|length| {
                let length = Operand::Json(std::borrow::Cow::Owned(Value::Number(length)));
                bounds.iter().all(|(comparison, right)| {
                    right.any(None, documents, |right| length.order(right).is_some_and(|order| comparison.accepts(order)))
                })
            }),
            Self::Within(within) => left.text().is_some_and(|text| within.contains(text, documents)),
        }
    }

    /// What both sides are turned into: some tests are about times alone.
    pub(super) fn converts(&self, convert: Option<Convert>) -> Option<Convert> {
        match self {
            Self::Before(_) | Self::After(_) => Some(Convert::Date),
            Self::Within(_) => None,
            _ => convert,
        }
    }
}

impl Right {
    /// Whether `left` is what it stands for, or an element of it.
    fn is_among(&self, left: &Operand<'_>, convert: Option<Convert>, documents: &dyn Documents) -> bool {
        let same = |value: &Value| Operand::of(value, convert, documents.circumstances()).is_some_and(|right| left.equals(&right));
        match self {
            Self::Literal(value) => same(value),
            // A list that stands at a path is what may be: its elements.
            _ => self.values(documents).iter().any(|value| match value {
                Value::Array(elements) => elements.iter().any(same),
                value => same(value),
            }),
        }
    }
}

impl Pattern {
    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Fixed { regex, .. } => regex.is_match(text),
            Self::From(_) => false,
        }
    }
}

impl Comparison {
    pub(crate) fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Gt => order.is_gt(),
            Self::Gte => order.is_ge(),
            Self::Lt => order.is_lt(),
            Self::Lte => order.is_le(),
        }
    }
}

/// The characters of a text, the elements of a list, the members of an object.
fn length(value: &Operand<'_>) -> Option<Number> {
    let length = match value.json()? {
        Value::String(text) => text.chars().count(),
        Value::Array(elements) => elements.len(),
        Value::Object(members) => members.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) => return None,
    };
    u64::try_from(length).ok().map(Number::from)
}

impl Clause {
    /// Whether the event is an edit that mentions the path, and what it says there is not what was there before.
    pub(super) fn changed(&self, from: Option<&Right>, to: Option<&Right>, documents: &dyn Documents) -> bool {
        let Some(edit) = documents.circumstances().changes.and_then(|changes| changes.read(documents.event())) else { return false };
        let Some(depth) = self.at.path.depth_below(edit.of) else { return false };
        let old = self.at.path.nodes_below(depth, edit.old);
        let new = self.at.path.nodes_below(depth, edit.new);
        let mentioned = new.iter().next().is_some();
        let same = old.iter().count() == new.iter().count() && old.iter().zip(new.iter()).all(|(old, new)| self.same(old, new, documents));
        mentioned && !same && self.is_any(from, &old, documents) && self.is_any(to, &new, documents)
    }

    /// Whether two values are the same, turned into what is compared; what cannot be turned is compared as it is.
    fn same(&self, old: &Value, new: &Value, documents: &dyn Documents) -> bool {
        let circumstances = documents.circumstances();
        match (Operand::of(old, self.convert, circumstances), Operand::of(new, self.convert, circumstances)) {
            (Some(old), Some(new)) => old.equals(&new),
            _ => equal(old, new),
        }
    }

    /// Whether any of `nodes` is what is wanted, where something is.
    fn is_any(&self, wanted: Option<&Right>, nodes: &Nodes<'_>, documents: &dyn Documents) -> bool {
        let Some(wanted) = wanted else { return true };
        let left = nodes.iter().filter_map(|node| Operand::of(node, self.convert, documents.circumstances()));
        left.into_iter().any(|left| wanted.any(self.convert, documents, |right| left.equals(right)))
    }
}
