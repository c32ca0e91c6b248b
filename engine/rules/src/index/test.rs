//! Clauses as the index tests them: on nodes of an event, without making values of them.
//!
//! What is not so simple, dates and right sides that are paths among it, is left to the clause itself. Both come out the same: a property
//! test holds the one against the other.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::{Number, Value};

use super::gate::Lock;
use super::scalar::Scalar;
use crate::condition::{Clause, Comparison, Condition, Convert, Documents, PAIRS_MAX, Pattern, Right, TestKind};
use crate::facts::{Asked, Facts, Node, Slot};
use crate::number::order;
use crate::path::Hop;

/// A distinct clause.
pub(super) struct Test {
    pub(super) check: Check,
    negated: bool,
    every: bool,
    /// Several rules have it: its outcome is worth remembering.
    pub(super) shared: bool,
}

/// What is asked of the nodes of a slot.
pub(super) enum Check {
    Exists(Slot),
    IsNull(Slot),
    Missing(Slot),
    Equals(Slot, Scalar),
    In(Slot, Box<[Scalar]>),
    Contains {
        list: Slot,
        elements: Slot,
        part: Scalar,
        clause: Box<Condition>,
    },
    StartsWith(Slot, Box<str>),
    EndsWith(Slot, Box<str>),
    Fits(Slot, Regex),
    Compare(Slot, Comparison, Number),
    Between(Slot, Number, Number),
    /// Anything else.
    Other(Box<Condition>),
}

impl Test {
    pub(super) fn new(clause: &Clause, asked: &mut Asked) -> Self {
        let native = native(clause, asked);
        let own = native.is_some();
        let check = native.unwrap_or_else(|| {
            ask(clause, asked);
            Check::Other(Box::new(Condition::Clause(Box::new(clause.clone()))))
        });
        // A clause that answers itself knows these already.
        Self { check, negated: own && clause.test.negated, every: own && clause.every, shared: false }
    }

    /// Whether it holds; nothing where that takes too much to tell. `documents` are the event as the rule sees it, for what is not
    /// tested here.
    #[inline]
    pub(super) fn holds<'d>(&self, facts: &Facts<'_>, documents: impl FnOnce() -> Box<dyn Documents + 'd>) -> Option<bool> {
        if self.is_too_much(facts) {
            return None;
        }
        self.positive(facts, documents).map(|positive| positive != self.negated)
    }

    #[inline]
    fn positive<'d>(&self, facts: &Facts<'_>, documents: impl FnOnce() -> Box<dyn Documents + 'd>) -> Option<bool> {
        let nodes = |slot: &Slot, passes: &dyn Fn(&Node<'_>) -> bool| {
            if self.every {
                let mut some = false;
                facts.at(*slot).all(|node| {
                    some = true;
                    passes(node)
                }) && some
            } else {
                facts.at(*slot).any(passes)
            }
        };
        Some(match &self.check {
            Check::Equals(slot, right) => nodes(slot, &|node| right.is(node)),
            Check::In(slot, rights) => nodes(slot, &|node| rights.iter().any(|right| right.is(node))),
            Check::Exists(slot) => nodes(slot, &|node| !matches!(node, Node::Null)),
            Check::IsNull(slot) => nodes(slot, &|node| matches!(node, Node::Null)),
            Check::Missing(slot) => facts.at(*slot).next().is_none(),
            Check::StartsWith(slot, part) => nodes(slot, &|node| node.text().is_some_and(|text| text.starts_with(&**part))),
            Check::EndsWith(slot, part) => nodes(slot, &|node| node.text().is_some_and(|text| text.ends_with(&**part))),
            Check::Fits(slot, pattern) => nodes(slot, &|node| node.text().is_some_and(|text| pattern.is_match(text))),
            Check::Compare(slot, comparison, right) => {
                nodes(slot, &|node| in_order(node, right).is_some_and(|order| comparison.accepts(order)))
            }
            Check::Between(slot, low, high) => {
                nodes(slot, &|node| in_order(node, low).is_some_and(Ordering::is_ge) && in_order(node, high).is_some_and(Ordering::is_le))
            }
            Check::Contains { list, elements, part, clause } => {
                let (mut lists, mut objects) = (false, false);
                let in_text = facts.at(*list).any(|node| {
                    lists |= matches!(node, Node::List(_));
                    objects |= matches!(node, Node::Object(_));
                    node.text().zip(part.text()).is_some_and(|(text, part)| text.contains(part))
                });
                match (lists, objects) {
                    _ if in_text => true,
                    (false, _) => false,
                    (true, false) => facts.at(*elements).any(|node| part.is(node)),
                    // Among what the wildcard found are members of objects.
                    (true, true) => clause.decided(&*documents())?,
                }
            }
            Check::Other(clause) => clause.decided(&*documents())?,
        })
    }

    /// Whether more pairs of values would be compared than a clause compares.
    #[inline]
    fn is_too_much(&self, facts: &Facts<'_>) -> bool {
        let (slot, rights) = match &self.check {
            Check::Equals(slot, _) | Check::StartsWith(slot, _) | Check::EndsWith(slot, _) | Check::Compare(slot, ..) => (slot, 1),
            Check::Contains { list, elements, .. } => {
                let others = || facts.at(*list).filter(|node| !matches!(node, Node::List(_))).count();
                return facts.len() > PAIRS_MAX && facts.at(*elements).count() + others() > PAIRS_MAX;
            }
            Check::Between(slot, ..) => (slot, 2),
            Check::In(slot, rights) => (slot, rights.len()),
            Check::Exists(_) | Check::IsNull(_) | Check::Missing(_) | Check::Fits(..) | Check::Other(_) => return false,
        };
        facts.len().saturating_mul(rights) > PAIRS_MAX && facts.at(*slot).count().saturating_mul(rights) > PAIRS_MAX
    }

    /// Whether it is the negation of what it checks.
    pub(super) fn is_negated(&self) -> bool {
        self.negated
    }

    /// What must be so at least where it holds.
    pub(super) fn lock(&self) -> Option<Lock> {
        if self.negated {
            return None;
        }
        Some(match &self.check {
            Check::Exists(slot) => Lock::Exists(*slot),
            Check::Missing(slot) => Lock::Missing(*slot),
            Check::Equals(slot, right) => Lock::Value(*slot, right.hash()),
            Check::In(slot, rights) => Lock::one_of(*slot, rights.iter().map(Scalar::hash)),
            Check::Contains { list, elements, part, .. } => {
                Lock::Holds { list: u16::try_from(*list).ok()?, elements: u16::try_from(*elements).ok()?, hash: part.hash() }
            }
            Check::StartsWith(slot, part) => Lock::begins(*slot, part),
            Check::Compare(slot, comparison, right) => Lock::compared(*slot, *comparison, right)?,
            Check::Between(slot, low, high) => Lock::range(*slot, low.as_f64()?..=high.as_f64()?),
            Check::IsNull(_) | Check::EndsWith(..) | Check::Fits(..) | Check::Other(_) => return None,
        })
    }

    /// About which part of events its lock lets through, where no value says it.
    pub(super) fn generosity(&self) -> f64 {
        match self.check {
            Check::StartsWith(..) => 0.2,
            Check::Compare(..) | Check::Between(..) => 0.4,
            _ => 0.9,
        }
    }

    /// What testing it costs beside testing a plain one.
    pub(super) fn work(&self) -> u64 {
        match self.check {
            Check::Fits(..) => 20,
            Check::Other(_) => 100,
            _ => 1,
        }
    }

    /// An estimate of the memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let more = match &self.check {
            Check::Equals(_, right) => right.bytes(),
            Check::In(_, rights) => rights.iter().map(Scalar::bytes).sum(),
            Check::StartsWith(_, text) | Check::EndsWith(_, text) => text.len(),
            Check::Fits(_, pattern) => 4_000 + 100 * pattern.as_str().len(),
            Check::Contains { part, .. } => part.bytes() + size_of::<Clause>(),
            Check::Other(_) => 2 * size_of::<Clause>(),
            _ => 0,
        };
        size_of::<Self>() + more
    }
}

fn in_order(node: &Node<'_>, right: &Number) -> Option<Ordering> {
    if let Node::Number(number) = node { order(number, right) } else { None }
}

/// Asks for all that a clause looks at.
pub(super) fn ask(clause: &Clause, asked: &mut Asked) {
    clause.spots().into_iter().filter(|spot| spot.record.is_none()).for_each(|spot| _ = asked.ask(&spot.path));
}

fn native(clause: &Clause, asked: &mut Asked) -> Option<Check> {
    if clause.at.record.is_some() || clause.convert.is_some() {
        return None;
    }
    let hops = clause.at.path.hops()?;
    let literal = |right: &Right| if let Right::Literal(value) = right { Some(value.clone()) } else { None };
    let scalar = |right: &Right| literal(right).as_ref().and_then(Scalar::of);
    let string = |right: &Right| literal(right)?.as_str().map(Box::from);
    let number = |right: &Right| literal(right)?.as_number().cloned();
    Some(match &clause.test.kind {
        TestKind::Exists => Check::Exists(asked.slot(&hops)),
        TestKind::IsNull => Check::IsNull(asked.slot(&hops)),
        TestKind::Missing => Check::Missing(asked.slot(&hops)),
        TestKind::Equals(right) => {
            let right = scalar(right)?;
            Check::Equals(asked.slot(&hops), right)
        }
        TestKind::In(rights) => {
            let rights = rights.iter().map(scalar).collect::<Option<_>>()?;
            Check::In(asked.slot(&hops), rights)
        }
        TestKind::Contains(right) if !clause.every => {
            let part = scalar(right)?;
            let elements: Vec<Hop> = hops.iter().cloned().chain([Hop::Any]).collect();
            asked.ask(&clause.at.path);
            let whole = Condition::Clause(Box::new(Clause {
                test: crate::condition::Test { negated: false, ..clause.test.clone() },
                ..clause.clone()
            }));
            Check::Contains { list: asked.slot(&hops), elements: asked.slot(&elements), part, clause: Box::new(whole) }
        }
        TestKind::StartsWith(right) => {
            let part = string(right)?;
            Check::StartsWith(asked.slot(&hops), part)
        }
        TestKind::EndsWith(right) => {
            let part = string(right)?;
            Check::EndsWith(asked.slot(&hops), part)
        }
        TestKind::Matches(Pattern::Fixed { regex, .. }) | TestKind::Glob(Pattern::Fixed { regex, .. }) => {
            Check::Fits(asked.slot(&hops), regex.clone())
        }
        TestKind::Compare(comparison, right) => {
            let right = number(right)?;
            Check::Compare(asked.slot(&hops), *comparison, right)
        }
        TestKind::Between(low, high) => {
            let (low, high) = (number(low)?, number(high)?);
            Check::Between(asked.slot(&hops), low, high)
        }
        _ => return None,
    })
}

/// What makes two clauses one; nothing where the outcome depends on whose clause it is.
pub(super) fn identity(clause: &Clause) -> Option<String> {
    let is_dated = clause.convert == Some(Convert::Date)
        || matches!(clause.test.kind, TestKind::Before(_) | TestKind::After(_) | TestKind::Within(_) | TestKind::Changed { .. });
    let path = clause.at.path.as_str();
    match (&clause.test.kind, clause.convert) {
        _ if is_dated || clause.at.record.is_some() => None,
        (TestKind::Equals(Right::Literal(value)), None) => {
            Some(format!("={}{}{path} {value}", u8::from(clause.every), u8::from(clause.test.negated)))
        }
        (TestKind::In(rights), None) => {
            let mut text = format!("i{}{}{path} ", u8::from(clause.every), u8::from(clause.test.negated));
            for right in rights {
                let Right::Literal(value) = right else { return Some(debugged(clause)) };
                // The same value is written in one way only, but for numbers, of which it does no harm.
                text.push_str(&Value::to_string(value));
                text.push(',');
            }
            Some(text)
        }
        _ => Some(debugged(clause)),
    }
}

fn debugged(clause: &Clause) -> String {
    format!("?{}{:?}{} {:?}", u8::from(clause.every), clause.convert, clause.at.path.as_str(), clause.test)
}
