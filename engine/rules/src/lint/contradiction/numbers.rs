//! Ranges of numbers and lengths that are empty.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::{Test, literal};
use crate::condition::{Comparison, Convert, Right, TestKind};
use crate::number::{self, order};

/// A bound, and whether it is inside.
type Bound = Option<(Number, bool)>;

/// What numbers may be.
#[derive(Default)]
struct Range {
    low: Bound,
    high: Bound,
    not: Vec<Number>,
    /// Ranges that are left out, both ends included.
    outside: Vec<(Number, Number)>,
}

/// Whether there is no number that all tests about its size let pass.
pub(super) fn out_of_range(tests: &[Test<'_>]) -> bool {
    let mut range = Range::default();
    let asks = |test: &&Test<'_>| {
        matches!(
            (test.kind, test.convert),
            (TestKind::Compare(..) | TestKind::Between(..), None | Some(Convert::Number)) | (TestKind::Equals(_), Some(Convert::Number))
        )
    };
    let positive: Vec<&Test<'_>> = tests.iter().filter(|test| !test.negated).filter(asks).collect();
    // Only then does what stands there have a number at all.
    if positive.is_empty() {
        return false;
    }
    for test in &positive {
        range.narrow(test);
    }
    // A text that says a number passes the negation of what asks for a number as such.
    let is_number = positive.iter().any(|test| test.convert.is_none());
    for test in tests.iter().filter(|test| test.negated && (is_number || test.convert == Some(Convert::Number))) {
        range.exclude(test);
    }
    range.is_empty()
}

/// The number that a right side says.
fn number(right: &Right, convert: Option<Convert>) -> Option<Number> {
    match literal(right)? {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) if convert == Some(Convert::Number) => number::parse(text),
        _ => None,
    }
}

impl Range {
    fn narrow(&mut self, test: &Test<'_>) {
        let number = |right: &Right| number(right, test.convert);
        match test.kind {
            TestKind::Compare(comparison, right) => {
                if let Some(number) = number(right) {
                    self.compare(*comparison, number);
                }
            }
            TestKind::Between(low, high) => {
                self.low = number(low).map_or(self.low.take(), |low| raised(self.low.take(), (low, true)));
                self.high = number(high).map_or(self.high.take(), |high| lowered(self.high.take(), (high, true)));
            }
            TestKind::Equals(right) => {
                if let Some(number) = number(right) {
                    self.compare(Comparison::Equal, number);
                }
            }
            _ => {}
        }
    }

    fn compare(&mut self, comparison: Comparison, number: Number) {
        if matches!(comparison, Comparison::Gt | Comparison::Gte | Comparison::Equal) {
            self.low = raised(self.low.take(), (number.clone(), comparison != Comparison::Gt));
        }
        if matches!(comparison, Comparison::Lt | Comparison::Lte | Comparison::Equal) {
            self.high = lowered(self.high.take(), (number, comparison != Comparison::Lt));
        }
    }

    /// Leaves out what passes the positive of a negated test.
    fn exclude(&mut self, test: &Test<'_>) {
        if !matches!(test.convert, None | Some(Convert::Number)) {
            return;
        }
        let number = |right: &Right| number(right, test.convert);
        match test.kind {
            TestKind::Compare(comparison, right) => {
                let Some(number) = number(right) else { return };
                match comparison {
                    Comparison::Equal => self.not.push(number),
                    Comparison::Gt => self.compare(Comparison::Lte, number),
                    Comparison::Gte => self.compare(Comparison::Lt, number),
                    Comparison::Lt => self.compare(Comparison::Gte, number),
                    Comparison::Lte => self.compare(Comparison::Gt, number),
                }
            }
            TestKind::Between(low, high) => self.outside.extend(number(low).zip(number(high))),
            TestKind::Equals(right) => self.not.extend(number(right)),
            TestKind::In(rights) => self.not.extend(rights.iter().filter_map(number)),
            _ => {}
        }
    }

    fn is_empty(&self) -> bool {
        let (Some((low, low_in)), Some((high, high_in))) = (&self.low, &self.high) else { return false };
        let inside = |(from, to): &(Number, Number)| at_most(from, low) && at_most(high, to);
        match order(low, high) {
            Some(Ordering::Greater) => true,
            Some(Ordering::Equal) if !(*low_in && *high_in) || self.not.iter().any(|not| order(not, low) == Some(Ordering::Equal)) => true,
            Some(_) => self.outside.iter().any(inside),
            None => false,
        }
    }
}

fn at_most(a: &Number, b: &Number) -> bool {
    order(a, b).is_some_and(Ordering::is_le)
}

fn raised(old: Bound, new: (Number, bool)) -> Bound {
    tighter(old, new, Ordering::Greater)
}

fn lowered(old: Bound, new: (Number, bool)) -> Bound {
    tighter(old, new, Ordering::Less)
}

fn tighter(old: Bound, new: (Number, bool), further: Ordering) -> Bound {
    Some(match old {
        None => new,
        Some(old) => match order(&new.0, &old.0) {
            Some(Ordering::Equal) => (old.0, old.1 && new.1),
            Some(found) if found == further => new,
            _ => old,
        },
    })
}

/// Whether no length passes all tests about it.
pub(super) fn no_length(tests: &[Test<'_>]) -> bool {
    [None, Some(Convert::String)].into_iter().any(|convert| {
        let asks = tests.iter().filter(|test| !test.negated && test.convert == convert);
        let bounds: Vec<(Comparison, &Number)> = asks.flat_map(|test| bounds(test.kind)).collect();
        let fits = |length: u64| {
            let length = Number::from(length);
            bounds.iter().all(|(comparison, bound)| order(&length, bound).is_some_and(|order| comparison.accepts(order)))
        };
        // The lengths that pass are a row without a gap, which begins at 0 or beside a bound.
        let beside = |bound: &Number| {
            let near = bound.as_f64().unwrap_or_default().clamp(0.0, 1e15) as u64;
            [near.saturating_sub(1), near, near + 1]
        };
        !bounds.is_empty() && !fits(0) && !bounds.iter().flat_map(|(_, bound)| beside(bound)).any(fits)
    })
}

fn bounds(kind: &TestKind) -> Vec<(Comparison, &Number)> {
    let TestKind::Length(bounds) = kind else { return Vec::new() };
    bounds.iter().filter_map(|(comparison, right)| Some((*comparison, literal(right)?.as_number()?))).collect()
}
