//! Whether tests can pass together.
//!
//! Sound and not complete: what is called a contradiction never holds, whatever the documents are; what is not may still never
//! hold. A right side that is not written out (a path, a setting) and whatever depends on the time of the event says nothing.

mod numbers;
mod times;

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::condition::{Circumstances, Clause, Convert, Documents, Pattern, Right, TestKind};
use crate::path::{Nodes, Path, Step};

/// The positive test of a clause, or its negation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Literal<'c> {
    pub(super) clause: &'c Clause,
    pub(super) negated: bool,
}

/// One test of one node.
#[derive(Clone, Copy, Debug)]
struct Test<'c> {
    kind: &'c TestKind,
    convert: Option<Convert>,
    negated: bool,
}

/// What can stand at a place, as a set of bits.
type Kinds = u8;

const ABSENT: Kinds = 1;
const NULL: Kinds = 1 << 1;
const BOOLEAN: Kinds = 1 << 2;
const NUMBER: Kinds = 1 << 3;
const TEXT: Kinds = 1 << 4;
const LIST: Kinds = 1 << 5;
const OBJECT: Kinds = 1 << 6;
const ANYTHING: Kinds = (1 << 7) - 1;
/// What has a text with `as = "string"`.
const SCALAR: Kinds = TEXT | NUMBER | BOOLEAN;

/// Nothing is said of more tests of one place: each may be held against each.
const TESTS_MAX: usize = 500;

/// Whether the clauses can never come out like this together.
pub(super) fn contradict(literals: &[Literal<'_>]) -> bool {
    let mut groups: HashMap<Asked<'_>, Vec<Literal<'_>>> = HashMap::new();
    literals.iter().for_each(|literal| groups.entry(Asked::by(literal.clause)).or_default().push(*literal));
    groups.into_values().any(|group| group.len() <= TESTS_MAX && group_contradicts(&group))
}

/// Which nodes a clause asks.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked<'c> {
    record: Option<&'c str>,
    /// Of a singular path, however it is written.
    steps: Option<&'c [Step]>,
    text: Option<&'c str>,
}

impl<'c> Asked<'c> {
    pub(super) fn by(clause: &'c Clause) -> Self {
        let path = &clause.at.path;
        let steps = path.is_singular().then(|| path.prefix());
        Self { record: clause.at.record.as_deref(), steps, text: steps.is_none().then(|| path.as_str()) }
    }
}

fn group_contradicts(literals: &[Literal<'_>]) -> bool {
    let tests = || literals.iter().map(|literal| (literal.clause.every, Test::of(*literal)));
    if literals.iter().all(|literal| literal.clause.at.path.is_singular()) {
        let tests: Vec<Test<'_>> = tests().map(|(_, test)| test).collect();
        return never(&tests, ANYTHING);
    }
    // Of several nodes: what all of them must pass, and what some node must pass.
    let mut all: Vec<Test<'_>> = Vec::new();
    let mut some: Vec<Option<Test<'_>>> = Vec::new();
    let mut none_there = false;
    for (every, test) in tests() {
        match (test.kind, every, test.negated) {
            // An edit may tell of what does not stand there.
            (TestKind::Changed { .. }, _, _) => {}
            (TestKind::Missing, _, false) => none_there = true,
            (TestKind::Missing, _, true) => some.push(None),
            (_, false, false) => some.push(Some(test)),
            (_, false, true) => all.push(test),
            (_, true, false) => {
                all.push(test);
                some.push(None);
            }
            (_, true, true) => {}
        }
    }
    let fails = |one: &Option<Test<'_>>| {
        let together: Vec<Test<'_>> = all.iter().copied().chain(*one).collect();
        never(&together, ANYTHING & !ABSENT)
    };
    some.iter().any(|one| none_there || fails(one))
}

/// Whether no node of these kinds passes all of the tests.
fn never(tests: &[Test<'_>], kinds: Kinds) -> bool {
    let kinds = tests.iter().fold(kinds, |kinds, test| kinds & test.kinds());
    kinds == 0
        || tests.iter().filter_map(Test::candidates).any(|candidates| candidates.iter().all(|candidate| candidate.fails(tests, kinds)))
        || numbers::out_of_range(tests)
        || numbers::no_length(tests)
        || times::out_of_order(tests)
        || torn(tests)
}

impl<'c> Test<'c> {
    fn of(literal: Literal<'c>) -> Self {
        Self { kind: &literal.clause.test.kind, convert: literal.clause.convert, negated: literal.negated }
    }

    /// What can stand there where it passes.
    fn kinds(&self) -> Kinds {
        let positive = self.positive_kinds();
        match (self.negated, self.kind) {
            (false, _) => positive,
            // Only these are decided by what stands there alone.
            (true, TestKind::Exists | TestKind::Missing | TestKind::IsNull) => ANYTHING & !positive,
            (true, _) => ANYTHING,
        }
    }

    fn positive_kinds(&self) -> Kinds {
        let with = |none: Kinds, string: Kinds, number: Kinds, date: Kinds| match self.convert {
            None => none,
            Some(Convert::String) => string,
            Some(Convert::Number) => number,
            Some(Convert::Date) => date,
        };
        match self.kind {
            TestKind::Exists => ANYTHING & !(ABSENT | NULL),
            TestKind::Missing => ABSENT,
            TestKind::IsNull => NULL,
            TestKind::Changed { .. } => ANYTHING,
            TestKind::Equals(right) => self.equal_kinds(right),
            TestKind::In(rights) => rights.iter().fold(0, |kinds, right| kinds | self.equal_kinds(right)),
            TestKind::Compare(..) | TestKind::Between(..) => with(NUMBER, 0, NUMBER | TEXT, TEXT),
            TestKind::Contains(Right::Literal(value)) if !value.is_string() => with(LIST, SCALAR | LIST, LIST, LIST),
            TestKind::Contains(_) => with(TEXT | LIST, SCALAR | LIST, LIST, LIST),
            TestKind::StartsWith(_) | TestKind::EndsWith(_) | TestKind::Matches(_) | TestKind::Glob(_) => with(TEXT, SCALAR, 0, 0),
            TestKind::Length(_) => with(TEXT | LIST | OBJECT, SCALAR, 0, 0),
            TestKind::Before(_) | TestKind::After(_) | TestKind::Within(_) => TEXT,
        }
    }

    /// What can be the same as `right`.
    fn equal_kinds(&self, right: &Right) -> Kinds {
        match (self.convert, right) {
            (None, Right::Literal(value)) => kind_of(value),
            (None, _) => ANYTHING & !ABSENT,
            (Some(Convert::String), _) => SCALAR,
            (Some(Convert::Number), _) => NUMBER | TEXT,
            (Some(Convert::Date), _) => TEXT,
        }
    }

    /// All values that pass, where they can be counted.
    fn candidates(&self) -> Option<Vec<Candidate>> {
        let rights: Vec<&Right> = match self.kind {
            TestKind::Equals(right) => vec![right],
            TestKind::In(rights) => rights.iter().collect(),
            _ => return None,
        };
        let values = rights.into_iter().map(literal).collect::<Option<Vec<&Value>>>()?;
        match self.convert.filter(|_| !self.negated) {
            None if self.negated => None,
            None => Some(values.into_iter().map(|value| Candidate { value: value.clone(), exact: !has_numbers(value) }).collect()),
            Some(Convert::String) => Some(values.into_iter().flat_map(with_text).collect()),
            Some(Convert::Number | Convert::Date) => None,
        }
    }

    /// Whether what it says of a value follows from the rule alone.
    fn is_decided(&self) -> bool {
        let fixed = match self.kind {
            TestKind::Before(_) | TestKind::After(_) | TestKind::Within(_) | TestKind::Changed { .. } => false,
            TestKind::Matches(pattern) | TestKind::Glob(pattern) => matches!(pattern, Pattern::Fixed { .. }),
            kind => kind.rights().into_iter().all(|right| literal(right).is_some()),
        };
        fixed && self.convert != Some(Convert::Date)
    }
}

/// A value that would pass a test.
struct Candidate {
    value: Value,
    /// No other value would do as well: a number may be written in several ways, which texts tell apart.
    exact: bool,
}

impl Candidate {
    fn fails(&self, tests: &[Test<'_>], kinds: Kinds) -> bool {
        let decides = |test: &&Test<'_>| test.is_decided() && (self.exact || test.convert != Some(Convert::String));
        kinds & kind_of(&self.value) == 0
            || tests.iter().filter(decides).any(|test| test.kind.takes(&self.value, test.convert, &Nowhere::new()) == test.negated)
    }
}

/// The values whose text is that of `value`.
fn with_text(value: &Value) -> Vec<Candidate> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return Vec::new(),
    };
    let read: Option<Value> = serde_json::from_str(&text).ok();
    let is_written_so = |value: &Value| (value.is_number() || value.is_boolean()) && value.to_string().as_str() == text;
    let other = read.filter(is_written_so);
    [Some(Value::String(text)), other].into_iter().flatten().map(|value| Candidate { value, exact: true }).collect()
}

/// Two beginnings, or two ends, that no text has both of.
fn torn(tests: &[Test<'_>]) -> bool {
    let texts = |of: fn(&TestKind) -> Option<&Right>| {
        let rights = tests.iter().filter(|test| !test.negated).filter_map(move |test| of(test.kind));
        rights.filter_map(|right| literal(right)?.as_str()).collect::<Vec<&str>>()
    };
    let beginnings = texts(|kind| if let TestKind::StartsWith(right) = kind { Some(right) } else { None });
    let ends = texts(|kind| if let TestKind::EndsWith(right) = kind { Some(right) } else { None });
    let apart = |parts: &[&str], within: fn(&str, &str) -> bool| parts.iter().any(|a| parts.iter().any(|b| !within(a, b) && !within(b, a)));
    apart(&beginnings, |long, short| long.starts_with(short)) || apart(&ends, |long, short| long.ends_with(short))
}

fn literal(right: &Right) -> Option<&Value> {
    if let Right::Literal(value) = right { Some(value) } else { None }
}

fn kind_of(value: &Value) -> Kinds {
    match value {
        Value::Null => NULL,
        Value::Bool(_) => BOOLEAN,
        Value::Number(_) => NUMBER,
        Value::String(_) => TEXT,
        Value::Array(_) => LIST,
        Value::Object(_) => OBJECT,
    }
}

fn has_numbers(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::Array(elements) => elements.iter().any(has_numbers),
        Value::Object(members) => members.values().any(has_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// Documents for tests that ask none.
struct Nowhere(Circumstances<'static>);

impl Nowhere {
    fn new() -> Self {
        Self(Circumstances { time: Timestamp::UNIX_EPOCH, zone: TimeZone::UTC, clinic_zone: None, changes: None })
    }
}

impl Documents for Nowhere {
    fn event(&self, _: &Path) -> Nodes<'_> {
        Nodes::One(None)
    }

    fn record(&self, _: &str) -> Option<&Value> {
        None
    }

    fn circumstances(&self) -> &Circumstances<'_> {
        &self.0
    }
}
