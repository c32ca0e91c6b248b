//! Evaluates queries over documents, node by node: what a segment chooses goes straight to the next one, and no list of nodes
//! is made on the way. That yields the order of RFC 9535 §2.5, because each segment is of one node after the other.
//!
//! Nobody has to trust queries and documents not to be made to take long: an evaluation has so many steps and no more.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use serde_json::Value;

use super::TooMuch;
use super::iregexp::{FOUND_LENGTH_MAX, IRegexp};
use super::query::{Extent, Filter, Fits, From, Operand, Pattern, Query, Segment, Selector, element, walk};

/// An evaluation takes no more steps: nodes that it looks at, parts of filters, pieces of long texts.
pub(super) const STEPS_MAX: usize = 1_000_000;
/// Levels of documents, and of filters in filters, that an evaluation is in at a time: what the stack of a thread bears.
const DEPTH_MAX: usize = 400;
/// Compiling a pattern of a document takes as many steps, so that there are not many of them.
const COMPILE_STEPS: usize = 10_000;
/// A step compares so many bytes.
const BYTES_COMPARED: usize = 64;

/// One run of one query.
pub(super) struct Evaluation<'v> {
    root: &'v Value,
    steps_left: usize,
    depth: usize,
    is_too_much: bool,
    /// Patterns of the document that have been compiled for `match`, and for `search`.
    whole: BTreeMap<String, Option<Rc<IRegexp>>>,
    part: BTreeMap<String, Option<Rc<IRegexp>>>,
}

/// What an operand is in a document.
#[derive(Clone, Copy)]
pub(super) enum Found<'a> {
    Nothing,
    Value(&'a Value),
    /// What `length` and `count` give.
    Number(usize),
}

/// The nodes that `segments` yield below `node`, in order. `$` in filters is `root`.
pub(super) fn nodes<'v>(segments: &[Segment], node: &'v Value, root: &'v Value) -> Result<Vec<&'v Value>, TooMuch> {
    let mut found = Vec::new();
    let mut evaluation =
        Evaluation { root, steps_left: STEPS_MAX, depth: 0, is_too_much: false, whole: BTreeMap::new(), part: BTreeMap::new() };
    let _ = evaluation.visit(segments, node, &mut |node| {
        found.push(node);
        ControlFlow::Continue(())
    });
    if evaluation.is_too_much { Err(TooMuch) } else { Ok(found) }
}

/// The children of `nodes` that a segment of names, indexes or `*` chooses.
pub(super) fn children<'v>(segment: &Segment, nodes: &[&'v Value]) -> Vec<&'v Value> {
    let mut found = Vec::new();
    for node in nodes {
        for selector in &segment.selectors {
            match (selector, node) {
                (Selector::Name(name), Value::Object(members)) => found.extend(members.get(name)),
                (Selector::Index(index), Value::Array(elements)) => {
                    found.extend(super::query::position(*index, elements.len()).and_then(|index| elements.get(index)));
                }
                (Selector::Wildcard, Value::Array(elements)) => found.extend(elements),
                (Selector::Wildcard, Value::Object(members)) => found.extend(members.values()),
                _ => {}
            }
        }
    }
    found
}

impl<'v> Evaluation<'v> {
    /// Hands what `segments` yield below `node` to `sink`, until that breaks off.
    fn visit<F>(&mut self, segments: &[Segment], node: &'v Value, sink: &mut F) -> ControlFlow<()>
    where
        F: FnMut(&'v Value) -> ControlFlow<()>,
    {
        let (mut segments, mut node) = (segments, node);
        while let Some((segment, rest)) = segments.split_first() {
            let child = match segment.selectors.as_slice() {
                [Selector::Name(name)] if !segment.descend => node.as_object().and_then(|members| members.get(name)),
                [Selector::Index(index)] if !segment.descend => element(node, *index),
                _ if segment.descend => return self.descend(segment, rest, node, sink),
                _ => return self.deeper(|within| within.select(segment, rest, node, sink)),
            };
            let Some(child) = child else { return ControlFlow::Continue(()) };
            (segments, node) = (rest, child);
        }
        sink(node)
    }

    /// `segment` of `node` and all below it; `rest` comes after it.
    fn descend<F>(&mut self, segment: &Segment, rest: &[Segment], node: &'v Value, sink: &mut F) -> ControlFlow<()>
    where
        F: FnMut(&'v Value) -> ControlFlow<()>,
    {
        self.deeper(|within| {
            within.select(segment, rest, node, sink)?;
            within.each_child(node, |within, child| match child {
                Value::Array(_) | Value::Object(_) => within.descend(segment, rest, child, sink),
                _ => ControlFlow::Continue(()),
            })
        })
    }

    /// The children of `node` that the selectors choose, and `rest` of each.
    fn select<F>(&mut self, segment: &Segment, rest: &[Segment], node: &'v Value, sink: &mut F) -> ControlFlow<()>
    where
        F: FnMut(&'v Value) -> ControlFlow<()>,
    {
        self.take(segment.selectors.len())?;
        for selector in &segment.selectors {
            match selector {
                Selector::Name(name) => {
                    if let Some(child) = node.as_object().and_then(|members| members.get(name)) {
                        self.visit(rest, child, sink)?;
                    }
                }
                Selector::Index(index) => {
                    if let Some(child) = element(node, *index) {
                        self.visit(rest, child, sink)?;
                    }
                }
                Selector::Wildcard => self.each_child(node, |within, child| within.visit(rest, child, sink))?,
                Selector::Slice(slice) => {
                    let Value::Array(elements) = node else { continue };
                    for child in slice.indexes(elements.len()).filter_map(|index| elements.get(index)) {
                        self.take(1)?;
                        self.visit(rest, child, sink)?;
                    }
                }
                Selector::Filter(filter) => self.each_child(node, |within, child| {
                    if within.holds(filter, child) { within.visit(rest, child, sink) } else { ControlFlow::Continue(()) }
                })?,
            }
        }
        ControlFlow::Continue(())
    }

    /// Does `work` with the elements of a list in order, or the members of an object by name.
    fn each_child(&mut self, node: &'v Value, mut work: impl FnMut(&mut Self, &'v Value) -> ControlFlow<()>) -> ControlFlow<()> {
        let counted = |child| {
            self.take(1)?;
            work(self, child)
        };
        match node {
            Value::Array(elements) => elements.iter().try_for_each(counted),
            Value::Object(members) => members.values().try_for_each(counted),
            _ => ControlFlow::Continue(()),
        }
    }

    /// Whether the filter holds of `node`. What it says once there are no steps left counts for nothing.
    fn holds(&mut self, filter: &Filter, node: &'v Value) -> bool {
        if self.take(1).is_break() {
            return false;
        }
        match filter {
            Filter::Or(parts) => parts.iter().any(|part| self.holds(part, node)),
            Filter::And(parts) => parts.iter().all(|part| self.holds(part, node)),
            Filter::Not(part) => !self.holds(part, node),
            Filter::Exists(query) => self.first(query, node).is_some(),
            Filter::Compare(comparison) => {
                let left = self.operand(&comparison.left, node);
                let right = self.operand(&comparison.right, node);
                self.compare(left, comparison.is, right)
            }
            Filter::Fits(fits) => self.fits(fits, node),
        }
    }

    fn start(&self, from: From, node: &'v Value) -> &'v Value {
        match from {
            From::Root => self.root,
            From::Current => node,
        }
    }

    /// The first node of a query.
    fn first(&mut self, query: &Query, node: &'v Value) -> Option<&'v Value> {
        let mut first = None;
        let _ = self.visit(&query.segments, self.start(query.from, node), &mut |node| {
            first = Some(node);
            ControlFlow::Break(())
        });
        first
    }

    /// The node of a query that yields one and only one.
    fn only(&mut self, query: &Query, node: &'v Value) -> Option<&'v Value> {
        let mut only = None;
        let flow = self.visit(&query.segments, self.start(query.from, node), &mut |node| match only.replace(node) {
            None => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(()),
        });
        only.filter(|_| flow.is_continue())
    }

    fn count(&mut self, query: &Query, node: &'v Value) -> usize {
        let mut count = 0;
        let _ = self.visit(&query.segments, self.start(query.from, node), &mut |_| {
            count += 1;
            ControlFlow::Continue(())
        });
        count
    }

    fn operand<'a>(&mut self, operand: &'a Operand, node: &'v Value) -> Found<'a>
    where
        'v: 'a,
    {
        let value = |found: Option<&'a Value>| found.map_or(Found::Nothing, Found::Value);
        match operand {
            Operand::Literal(literal) => Found::Value(literal),
            Operand::At(from, steps) => value(walk(steps, self.start(*from, node))),
            Operand::Length(of) => match self.operand(of, node) {
                Found::Value(Value::String(text)) => {
                    let _ = self.take_bytes(text.len());
                    Found::Number(text.chars().count())
                }
                Found::Value(Value::Array(elements)) => Found::Number(elements.len()),
                Found::Value(Value::Object(members)) => Found::Number(members.len()),
                _ => Found::Nothing,
            },
            Operand::Count(query) => Found::Number(self.count(query, node)),
            Operand::ValueOf(query) => value(self.only(query, node)),
        }
    }

    /// `match` and `search` (RFC 9535 §2.4.6): false where one is no text, or the pattern is none.
    fn fits(&mut self, fits: &Fits, node: &'v Value) -> bool {
        let Found::Value(Value::String(text)) = self.operand(&fits.text, node) else { return false };
        match &fits.pattern {
            Pattern::Fixed(pattern) => self.take(pattern.steps(text)).is_continue() && pattern.fits(text),
            Pattern::Found(pattern) => {
                let Found::Value(Value::String(pattern)) = self.operand(pattern, node) else { return false };
                let Some(pattern) = self.found(pattern, fits.extent) else { return false };
                self.take(pattern.steps(text)).is_continue() && pattern.fits(text)
            }
        }
    }

    /// A pattern of the document, compiled once.
    fn found(&mut self, pattern: &str, extent: Extent) -> Option<Rc<IRegexp>> {
        if pattern.len() > FOUND_LENGTH_MAX {
            return None;
        }
        if !self.compiled(extent).contains_key(pattern) {
            if self.take(COMPILE_STEPS).is_break() {
                return None;
            }
            self.compiled(extent).insert(pattern.to_owned(), IRegexp::found(pattern, extent).map(Rc::new));
        }
        self.compiled(extent).get(pattern)?.clone()
    }

    fn compiled(&mut self, extent: Extent) -> &mut BTreeMap<String, Option<Rc<IRegexp>>> {
        match extent {
            Extent::Whole => &mut self.whole,
            Extent::Part => &mut self.part,
        }
    }

    /// Takes `count` of the steps that are left.
    pub(super) fn take(&mut self, count: usize) -> ControlFlow<()> {
        match self.steps_left.checked_sub(count) {
            Some(left) => {
                self.steps_left = left;
                ControlFlow::Continue(())
            }
            None => self.give_up(),
        }
    }

    /// Takes the steps of looking at so many bytes of text.
    pub(super) fn take_bytes(&mut self, bytes: usize) -> ControlFlow<()> {
        self.take(bytes / BYTES_COMPARED)
    }

    /// Does `work` one level deeper.
    pub(super) fn deeper(&mut self, work: impl FnOnce(&mut Self) -> ControlFlow<()>) -> ControlFlow<()> {
        if self.depth == DEPTH_MAX {
            return self.give_up();
        }
        self.depth += 1;
        let flow = work(self);
        self.depth -= 1;
        flow
    }

    fn give_up(&mut self) -> ControlFlow<()> {
        self.steps_left = 0;
        self.is_too_much = true;
        ControlFlow::Break(())
    }
}
