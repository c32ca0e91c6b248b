//! What a query is made of (RFC 9535 §2), read and checked: whatever is here can be evaluated.
//!
//! A new kind of selector or function begins here; `parse` reads it and `evaluate` says what it does.

use serde_json::Value;

use super::iregexp::IRegexp;

/// One step of a query: of each node, the children that its selectors choose, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// Of the node and all below it (`..`), not of the node alone.
    pub(crate) descend: bool,
    pub(crate) selectors: Vec<Selector>,
}

/// Which children of a node.
#[derive(Clone, Debug)]
pub(crate) enum Selector {
    Name(String),
    /// From the end where it is negative.
    Index(i64),
    Wildcard,
    Slice(Slice),
    Filter(Filter),
}

/// `start:end:step` as it was written; what is not there depends on the direction of the step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) step: i64,
}

/// One segment of a singular query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Name(String),
    Index(i64),
}

/// What holds of a child or not.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    Or(Vec<Filter>),
    And(Vec<Filter>),
    Not(Box<Filter>),
    Exists(Query),
    Compare(Box<Comparison>),
    Fits(Box<Fits>),
}

/// A query within a filter.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(super) from: From,
    pub(super) segments: Vec<Segment>,
}

/// Where a query within a filter begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    /// `$`
    Root,
    /// `@`
    Current,
}

/// One value, or nothing.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    Literal(Value),
    /// What a singular query yields.
    At(From, Vec<Step>),
    Length(Box<Operand>),
    Count(Query),
    /// The node of a query that yields one and only one.
    ValueOf(Query),
}

#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    pub(super) left: Operand,
    pub(super) is: Is,
    pub(super) right: Operand,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Is {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// `match` and `search`.
#[derive(Clone, Debug)]
pub(crate) struct Fits {
    pub(super) text: Operand,
    pub(super) pattern: Pattern,
    pub(super) extent: Extent,
}

/// How much of a text a pattern takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Extent {
    /// All of it: `match`.
    Whole,
    /// Any part of it: `search`.
    Part,
}

#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    Fixed(IRegexp),
    /// A text of the document.
    Found(Operand),
}

impl Segment {
    /// The name or index that this segment is, where it is only that.
    pub(crate) fn step(&self) -> Option<Step> {
        match self.selectors.as_slice() {
            _ if self.descend => None,
            [Selector::Name(name)] => Some(Step::Name(name.clone())),
            [Selector::Index(index)] => Some(Step::Index(*index)),
            _ => None,
        }
    }
}

impl Query {
    /// The names and indexes of a singular query.
    pub(super) fn steps(&self) -> Option<Vec<Step>> {
        self.segments.iter().map(Segment::step).collect()
    }
}

impl Slice {
    /// The indexes that the slice takes of a list of `length`, in order (RFC 9535 §2.3.4.2.2).
    pub(super) fn indexes(self, length: usize) -> impl Iterator<Item = usize> {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let placed = |at: i64| if at < 0 { length.saturating_add(at) } else { at };
        let (first, last) = if self.step >= 0 {
            let within = |at: Option<i64>, absent: i64| at.map_or(absent, placed).clamp(0, length);
            (within(self.start, 0), within(self.end, length))
        } else {
            let within = |at: Option<i64>, absent: i64| at.map_or(absent, placed).clamp(-1, length - 1);
            (within(self.start, length - 1), within(self.end, -1))
        };
        let step = self.step;
        let is_within = move |at: &i64| if step > 0 { *at < last } else { *at > last };
        std::iter::successors((step != 0).then_some(first), move |at| at.checked_add(step))
            .take_while(is_within)
            .filter_map(|at| usize::try_from(at).ok())
    }
}

/// What stands at the end of `steps` from `node`.
pub(super) fn walk<'v>(steps: &[Step], node: &'v Value) -> Option<&'v Value> {
    steps.iter().try_fold(node, |value, step| match step {
        Step::Name(name) => value.as_object()?.get(name),
        Step::Index(index) => element(value, *index),
    })
}

/// The element of a list at a possibly negative index.
pub(super) fn element(value: &Value, index: i64) -> Option<&Value> {
    value.as_array().and_then(|array| array.get(position(index, array.len())?))
}

/// The place of a possibly negative index (RFC 9535 §2.3.3.2).
pub(super) fn position(index: i64, length: usize) -> Option<usize> {
    if index >= 0 { usize::try_from(index).ok() } else { length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_takes_what_the_standard_says() {
        let taken = |start, end, step, length| Slice { start, end, step }.indexes(length).collect::<Vec<_>>();
        assert_eq!(taken(Some(1), Some(3), 1, 7), [1, 2]);
        assert_eq!(taken(Some(5), None, 1, 7), [5, 6]);
        assert_eq!(taken(Some(1), Some(5), 2, 7), [1, 3]);
        assert_eq!(taken(Some(5), Some(1), -2, 7), [5, 3]);
        assert_eq!(taken(None, None, -1, 3), [2, 1, 0]);
        assert_eq!(taken(Some(-2), None, 1, 3), [1, 2]);
        assert_eq!(taken(Some(-9), Some(9), 1, 2), [0, 1]);
        assert_eq!(taken(Some(9), Some(-9), -1, 2), [1, 0]);
        for (start, end, step) in [(None, None, 0), (Some(3), Some(1), 1), (Some(0), Some(1), -1), (Some(7), None, 1)] {
            assert!(taken(start, end, step, 7).is_empty(), "{start:?}:{end:?}:{step}");
        }
        assert_eq!(taken(Some(0), None, 9_007_199_254_740_991, 2), [0], "the next index is far beyond");
        assert!(taken(None, None, -1, 0).is_empty());
    }
}
