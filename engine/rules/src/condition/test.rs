//! Tests of one node.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::operand::Operand;
use super::{Clause, Comparison, Convert, Documents, Pattern, Right, TestKind};
use crate::number::equal;
use crate::path::Nodes;

/// No clause compares more pairs of values: beyond, it is not decided.
pub(crate) const PAIRS_MAX: usize = 1_000_000;

/// The right sides of a clause, looked up once for all nodes of its left side.
pub(super) struct Sides<'d> {
    documents: &'d dyn Documents,
    rights: Vec<(&'d Right, Vec<&'d Value>)>,
}

impl<'d> Sides<'d> {
    pub(super) fn of(kind: &'d TestKind, documents: &'d dyn Documents) -> Self {
        let rights = kind.rights().into_iter().map(|right| (right, right.values(documents).iter().collect()));
        Self { documents, rights: rights.collect() }
    }

    /// Whether `nodes` are too many to be compared with all that stands here.
    pub(super) fn is_too_much_for(&self, kind: &TestKind, nodes: &Nodes<'_>) -> bool {
        let elements = |value: &Value| value.as_array().map_or(1, Vec::len);
        let left: usize = match kind {
            TestKind::Contains(_) => nodes.iter().map(elements).sum(),
            _ => nodes.iter().count(),
        };
        let right = |(right, values): &(&Right, Vec<&Value>)| match (kind, right) {
            // A list that stands at a path is what may be: its elements.
            (TestKind::In(_), Right::At(_)) => values.iter().copied().map(elements).sum(),
            _ => values.len(),
        };
        left.saturating_mul(self.rights.iter().map(right).sum()) > PAIRS_MAX
    }

    /// Whether any of what the right side at `index` stands for passes, turned into what is compared.
    fn any(&self, index: usize, convert: Option<Convert>, passes: impl Fn(&Operand<'_>) -> bool) -> bool {
        let Some((right, values)) = self.rights.get(index) else { return false };
        values.iter().any(|value| right.operand(value, convert, self.documents).is_some_and(|operand| passes(&operand)))
    }
}

impl TestKind {
    /// Whether `value` alone passes.
    pub(crate) fn takes(&self, value: &Value, convert: Option<Convert>, documents: &dyn Documents) -> bool {
        self.passes(value, convert, &Sides::of(self, documents))
    }

    /// Whether `node` passes. Presence and change are not questions about one node; they are answered by the clause.
    pub(super) fn passes(&self, node: &Value, convert: Option<Convert>, sides: &Sides<'_>) -> bool {
        match self {
            Self::Exists => return !node.is_null(),
            Self::IsNull => return node.is_null(),
            Self::Missing | Self::Changed { .. } => return false,
            _ => {}
        }
        let convert = self.converts(convert);
        if let (Self::Contains(_), Value::Array(elements)) = (self, node) {
            let of = |element| Operand::of(element, convert, sides.documents.circumstances());
            return sides.any(0, convert, |right| elements.iter().filter_map(of).any(|left| left.equals(right)));
        }
        let Some(left) = Operand::of(node, convert, sides.documents.circumstances()) else { return false };
        let text = |passes: fn(&str, &str) -> bool| {
            left.text().is_some_and(|text| sides.any(0, convert, |right| right.text().is_some_and(|part| passes(text, part))))
        };
        let in_order = |index, accepts: fn(Ordering) -> bool| sides.any(index, convert, |right| left.order(right).is_some_and(accepts));
        match self {
            Self::Exists | Self::IsNull | Self::Missing | Self::Changed { .. } => false,
            Self::Equals(_) => sides.any(0, convert, |right| left.equals(right)),
            Self::In(_) => sides.rights.iter().any(|(right, values)| right.is_among(&left, values, convert, sides.documents)),
            Self::Compare(comparison, _) => sides.any(0, convert, |right| left.order(right).is_some_and(|order| comparison.accepts(order))),
            Self::Before(_) => in_order(0, Ordering::is_lt),
            Self::After(_) => in_order(0, Ordering::is_gt),
            Self::Between(..) => in_order(0, Ordering::is_ge) && in_order(1, Ordering::is_le),
            Self::Contains(_) => text(|text, part| text.contains(part)),
            Self::StartsWith(_) => text(|text, part| text.starts_with(part)),
            Self::EndsWith(_) => text(|text, part| text.ends_with(part)),
            Self::Matches(pattern) | Self::Glob(pattern) => left.text().is_some_and(|text| pattern.fits(text)),
            Self::Length(bounds) => length(&left).is_some_and(|length| {
                let length = Operand::Json(std::borrow::Cow::Owned(Value::Number(length)));
                bounds.iter().enumerate().all(|(index, (comparison, _))| {
                    sides.any(index, None, |right| length.order(right).is_some_and(|order| comparison.accepts(order)))
                })
            }),
            Self::Within(within) => left.text().is_some_and(|text| within.contains(text, sides.documents)),
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
    /// Whether `left` is one of the `values` that it stands for, or an element of one.
    fn is_among(&self, left: &Operand<'_>, values: &[&Value], convert: Option<Convert>, documents: &dyn Documents) -> bool {
        let same = |value: &Value| self.operand(value, convert, documents).is_some_and(|right| left.equals(&right));
        let literal = matches!(self, Self::Literal(_));
        values.iter().any(|value| match value {
            // A list that stands at a path is what may be: its elements.
            Value::Array(elements) if !literal => elements.iter().any(same),
            value => same(value),
        })
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
    /// Whether the event is an edit that mentions the path, and what it says there is not what was there before; nothing where that
    /// takes too much to tell.
    pub(super) fn changed(&self, from: Option<&Right>, to: Option<&Right>, documents: &dyn Documents) -> Option<bool> {
        let Some(edit) = documents.circumstances().changes.and_then(|changes| changes.read(documents)) else { return Some(false) };
        let Some(depth) = self.at.path.depth_below(edit.of) else { return Some(false) };
        let old = self.at.path.nodes_below(depth, edit.old);
        let new = self.at.path.nodes_below(depth, edit.new);
        if old.is_too_much() || new.is_too_much() {
            return None;
        }
        let (from, to) = (self.is_any(from, &old, documents)?, self.is_any(to, &new, documents)?);
        let mentioned = new.iter().next().is_some();
        let same = old.iter().count() == new.iter().count() && old.iter().zip(new.iter()).all(|(old, new)| self.same(old, new, documents));
        Some(mentioned && !same && from && to)
    }

    /// Whether two values are the same, turned into what is compared; what cannot be turned is compared as it is.
    fn same(&self, old: &Value, new: &Value, documents: &dyn Documents) -> bool {
        let circumstances = documents.circumstances();
        match (Operand::of(old, self.convert, circumstances), Operand::of(new, self.convert, circumstances)) {
            (Some(old), Some(new)) => old.equals(&new),
            _ => equal(old, new),
        }
    }

    /// Whether any of `nodes` is what is wanted, where something is; nothing where that takes too much to tell.
    fn is_any(&self, wanted: Option<&Right>, nodes: &Nodes<'_>, documents: &dyn Documents) -> Option<bool> {
        let Some(wanted) = wanted else { return Some(true) };
        let values = wanted.values(documents);
        if nodes.iter().count().saturating_mul(values.iter().count()) > PAIRS_MAX {
            return None;
        }
        let rights: Vec<Operand<'_>> = values.iter().filter_map(|value| wanted.operand(value, self.convert, documents)).collect();
        let mut left = nodes.iter().filter_map(|node| Operand::of(node, self.convert, documents.circumstances()));
        Some(left.any(|left| rights.iter().any(|right| left.equals(right))))
    }
}
