//! Conditions: trees of clauses over an event and, when an action runs, over records.
//!
//! A clause holds if *any* node of its path passes the test. Negative operators are the exact negation of the positive
//! one, so they hold where the value is missing or of another type. A wrong type is never an error, only false.

mod read;
mod why;

use std::cmp::Ordering;

use regex::Regex;
use serde_json::{Number, Value};

use crate::number::{equal, order};
use crate::path::Path;

pub(crate) use read::{Scope, condition, conditions};

/// A tree of clauses.
#[derive(Clone, Debug)]
pub enum Condition {
    /// All parts hold; of none: true.
    All(Vec<Condition>),
    /// At least one part holds; of none: false.
    Any(Vec<Condition>),
    /// The part does not hold.
    Not(Box<Condition>),
    /// One test.
    Clause(Clause),
}

/// One test of what stands at one path.
#[derive(Clone, Debug)]
pub struct Clause {
    /// The lookup whose record is asked; none: the event.
    pub record: Option<String>,
    pub path: Path,
    pub test: Test,
}

/// A positive test, or the exact negation of one.
#[derive(Clone, Debug)]
pub struct Test {
    pub negated: bool,
    pub kind: TestKind,
}

/// What is tested of the nodes.
#[derive(Clone, Debug)]
pub enum TestKind {
    /// There is a node that is not null.
    Exists,
    /// There is no node.
    Missing,
    /// A node is null.
    IsNull,
    /// A node has this value.
    Equals(Value),
    /// A node has one of these values.
    In(Vec<Value>),
    /// A node is a number in this order to the given one.
    Compare(Comparison, Number),
    /// A node is a number from the first to the second, both included.
    Between(Number, Number),
    /// A node is a list with this element, or a string with this part.
    Contains(Value),
    /// A node is a string that begins so.
    StartsWith(String),
    /// A node is a string that ends so.
    EndsWith(String),
    /// A node is a string with a part that fits.
    Matches(Regex),
}

/// An order of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Gt,
    Gte,
    Lt,
    Lte,
}

/// The documents that conditions ask.
pub trait Documents {
    /// The payload.
    fn event(&self) -> &Value;
    /// The document of a lookup: an object, or a list of them.
    fn record(&self, name: &str) -> Option<&Value>;
}

/// The first clause that keeps a condition from holding.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'c> {
    pub clause: &'c Clause,
    /// It fails for want of a value: there is no node, or only null and empty texts.
    pub missing: bool,
    /// It stands under `not`: it holds, and should not.
    inverted: bool,
}

impl Condition {
    /// Whether it holds.
    pub fn holds(&self, documents: &dyn Documents) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(documents)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(documents)),
            Self::Not(part) => !part.holds(documents),
            Self::Clause(clause) => clause.holds(documents),
        }
    }

    /// The first clause that keeps it from holding; nothing where it holds.
    ///
    /// Of alternatives, one that fails only for want of a value is preferred: that is the one that may hold later.
    pub fn failure(&self, documents: &dyn Documents) -> Option<Failure<'_>> {
        self.blame(documents, true)
    }

    /// The first clause for which it does not come out as `wanted`; nothing where it does.
    fn blame(&self, documents: &dyn Documents, wanted: bool) -> Option<Failure<'_>> {
        if self.holds(documents) == wanted {
            return None;
        }
        match (self, wanted) {
            (Self::All(parts), true) | (Self::Any(parts), false) => parts.iter().find_map(|part| part.blame(documents, wanted)),
            (Self::Any(parts), true) | (Self::All(parts), false) => {
                let failures: Vec<_> = parts.iter().filter_map(|part| part.blame(documents, wanted)).collect();
                failures.iter().find(|failure| failure.missing).or(failures.first()).copied()
            }
            (Self::Not(part), _) => part.blame(documents, !wanted),
            (Self::Clause(clause), _) => {
                let inverted = !wanted;
                let missing = !clause.test.is_for_absence(inverted) && clause.has_no_value(documents);
                Some(Failure { clause, missing, inverted })
            }
        }
    }
}

impl Clause {
    fn document<'d>(&self, documents: &'d dyn Documents) -> Option<&'d Value> {
        match &self.record {
            Some(name) => documents.record(name),
            None => Some(documents.event()),
        }
    }

    fn holds(&self, documents: &dyn Documents) -> bool {
        match self.document(documents) {
            Some(document) => self.test.holds(self.path.nodes(document).iter()),
            None => self.test.holds(std::iter::empty()),
        }
    }

    /// There is no node, or only null and empty texts.
    fn has_no_value(&self, documents: &dyn Documents) -> bool {
        let empty = |node: &Value| node.is_null() || node.as_str().is_some_and(|text| text.trim().is_empty());
        self.document(documents).is_none_or(|document| self.path.nodes(document).iter().all(empty))
    }
}

impl Test {
    /// Whether it holds for these nodes.
    pub fn holds<'v>(&self, mut nodes: impl Iterator<Item = &'v Value>) -> bool {
        let holds = match &self.kind {
            TestKind::Missing => nodes.next().is_none(),
            kind => nodes.any(|node| kind.passes(node)),
        };
        holds != self.negated
    }

    /// Whether it asks for nothing to be there, so that waiting for a value would be no use.
    fn is_for_absence(&self, inverted: bool) -> bool {
        matches!((&self.kind, self.negated != inverted), (TestKind::Missing | TestKind::IsNull, false) | (TestKind::Exists, true))
    }
}

impl TestKind {
    fn passes(&self, node: &Value) -> bool {
        match self {
            Self::Exists => !node.is_null(),
            Self::Missing => false,
            Self::IsNull => node.is_null(),
            Self::Equals(value) => equal(node, value),
            Self::In(values) => values.iter().any(|value| equal(node, value)),
            Self::Compare(comparison, number) => {
                node.as_number().and_then(|node| order(node, number)).is_some_and(|order| comparison.accepts(order))
            }
            Self::Between(low, high) => node
                .as_number()
                .is_some_and(|node| order(node, low).is_some_and(Ordering::is_ge) && order(node, high).is_some_and(Ordering::is_le)),
            Self::Contains(value) => match (node, value) {
                (Value::Array(elements), value) => elements.iter().any(|element| equal(element, value)),
                (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
                _ => false,
            },
            Self::StartsWith(part) => node.as_str().is_some_and(|text| text.starts_with(part.as_str())),
            Self::EndsWith(part) => node.as_str().is_some_and(|text| text.ends_with(part.as_str())),
            Self::Matches(regex) => node.as_str().is_some_and(|text| regex.is_match(text)),
        }
    }
}

impl Comparison {
    fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Gt => order.is_gt(),
            Self::Gte => order.is_ge(),
            Self::Lt => order.is_lt(),
            Self::Lte => order.is_le(),
        }
    }
}
