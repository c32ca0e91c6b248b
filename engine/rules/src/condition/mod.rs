//! Conditions: trees of clauses over an event and, when an action runs, over records.
//!
//! A clause holds if *any* node of its path passes the test, or with `every` if there are nodes and all of them do. Negative
//! operators are the exact negation of the positive one, so they hold where the value is missing or of another type. A wrong type
//! is never an error, only false.
//!
//! A condition that names settings is joined to them ([`Condition::bound`]) before it is asked anything.

mod bind;
pub(crate) mod date;
mod explain;
mod glob;
mod mismatch;
mod operand;
mod read;
mod test;
mod words;

use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use regex::Regex;
use serde_json::Value;

use crate::path::{Nodes, Path};
use crate::source::Changes;
use crate::template::Template;

pub(crate) use date::DAYS;
pub use date::{Within, ZoneOfTime};
pub(crate) use explain::Reveal;
pub use explain::{ClauseTold, Seen, Told};
pub(crate) use mismatch::Mismatch;
pub(crate) use read::{COMPARISONS, CONVERSIONS, OPERATORS, RightSide, Scope, condition, conditions};
pub(crate) use words::Language;

pub(crate) use test::PAIRS_MAX;
use test::Sides;

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
    Clause(Box<Clause>),
}

/// One test of what stands at one path.
#[derive(Clone, Debug)]
pub struct Clause {
    pub at: Spot,
    /// All nodes must pass, not any one of them.
    pub every: bool,
    /// What both sides are turned into first.
    pub convert: Option<Convert>,
    pub test: Test,
    /// Where it stands in its file.
    pub spans: Spans,
}

/// A path into the event, or into the record of a lookup.
#[derive(Clone, Debug)]
pub struct Spot {
    /// The lookup whose record is asked; none: the event.
    pub record: Option<String>,
    pub path: Path,
}

/// Where a clause stands in its file, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans {
    pub path: Range<usize>,
    /// The right side of the operator.
    pub right: Range<usize>,
}

/// What a value is turned into before it is compared: `as`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convert {
    /// The text of a text, a number, true or false.
    String,
    /// The number that a text says in JSON's way.
    Number,
    /// The instant that a text says.
    Date,
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
    Equals(Right),
    /// A node has one of these values.
    In(Vec<Right>),
    /// A node is a number, or with `as = "date"` a time, in this order to the given one.
    Compare(Comparison, Right),
    /// A node is a number, or with `as = "date"` a time, from the first to the second, both included.
    Between(Right, Right),
    /// A node is a list with this element, or a text with this part.
    Contains(Right),
    /// A node is a text that begins so.
    StartsWith(Right),
    /// A node is a text that ends so.
    EndsWith(Right),
    /// A node is a text with a part that fits.
    Matches(Pattern),
    /// A node is a text that fits as a whole: `*` for any characters, `?` for one.
    Glob(Pattern),
    /// A node is a text, a list or an object of a length that passes all of these.
    Length(Vec<(Comparison, Right)>),
    /// A node is a time before the given one.
    Before(Right),
    /// A node is a time after the given one.
    After(Right),
    /// A node is a time at these hours, on these days.
    Within(Within),
    /// The event is an edit that changed what stands at the path.
    Changed { from: Option<Right>, to: Option<Right> },
}

/// An order of numbers or times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    Gt,
    Gte,
    Lt,
    Lte,
}

/// What a test compares with.
#[derive(Clone, Debug)]
pub enum Right {
    Literal(Value),
    /// Any of what stands there.
    At(Spot),
    /// What was chosen. Until the condition is bound it is nothing at all.
    Setting(String),
    /// A text over settings. Until the condition is bound it is nothing at all.
    Template(Template),
}

/// A pattern of texts. It never comes from a payload.
#[derive(Clone, Debug)]
pub enum Pattern {
    Fixed {
        text: String,
        regex: Regex,
    },
    /// A text over settings. Until the condition is bound no text fits.
    From(Template),
}

/// What conditions ask.
pub trait Documents {
    /// What a path yields in the payload.
    fn event(&self, path: &Path) -> Nodes<'_>;
    /// The document of a lookup: an object, or a list of them.
    fn record(&self, name: &str) -> Option<&Value>;
    /// When and where the event happened.
    fn circumstances(&self) -> &Circumstances<'_>;
}

/// When and where an event happened.
#[derive(Clone, Debug)]
pub struct Circumstances<'c> {
    /// What `now`, `+24h` and `-2d` count from: when the event happened.
    pub time: Timestamp,
    /// That of times without an offset.
    pub zone: TimeZone,
    /// That of days and hours, where nothing else says.
    pub clinic_zone: Option<TimeZone>,
    /// Where an edit says what it changed.
    pub changes: Option<&'c Changes>,
}

impl Circumstances<'_> {
    /// Those of an event of which only the time is known.
    pub(crate) fn nowhere(time: Timestamp) -> Self {
        Self { time, zone: TimeZone::UTC, clinic_zone: None, changes: None }
    }
}

/// The first clause that keeps a condition from holding.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'c> {
    pub clause: &'c Clause,
    /// It fails for want of a value: there is no node, or only null and empty texts.
    pub missing: Option<&'c Spot>,
    /// Nobody can tell: finding what stands here takes too much, or comparing it does.
    too_much: Option<&'c Spot>,
    /// It stands under `not`: it holds, and should not.
    inverted: bool,
}

impl Failure<'_> {
    /// Whether nobody can tell: it may hold, and it may not.
    pub(crate) fn is_undecided(&self) -> bool {
        self.too_much.is_some()
    }
}

impl Condition {
    /// Whether it holds: not where that takes too much to tell, whatever it says.
    pub fn holds(&self, documents: &dyn Documents) -> bool {
        self.decided(documents) == Some(true)
    }

    /// Whether it holds; nothing where some clause takes too much to tell, and the others do not decide it.
    pub(crate) fn decided(&self, documents: &dyn Documents) -> Option<bool> {
        match self {
            Self::All(parts) => combined(parts, |part| part.decided(documents), false),
            Self::Any(parts) => combined(parts, |part| part.decided(documents), true),
            Self::Not(part) => part.decided(documents).map(|holds| !holds),
            Self::Clause(clause) => clause.decided(documents),
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
        if self.decided(documents) == Some(wanted) {
            return None;
        }
        match (self, wanted) {
            (Self::All(parts), true) | (Self::Any(parts), false) => parts.iter().find_map(|part| part.blame(documents, wanted)),
            (Self::Any(parts), true) | (Self::All(parts), false) => {
                let failures: Vec<_> = parts.iter().filter_map(|part| part.blame(documents, wanted)).collect();
                failures.iter().find(|failure| failure.missing.is_some()).or(failures.first()).copied()
            }
            (Self::Not(part), _) => part.blame(documents, !wanted),
            (Self::Clause(clause), _) => Some(clause.failure(documents, !wanted)),
        }
    }

    /// Every clause in it, in the order of the file.
    pub fn clauses(&self) -> Vec<&Clause> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::clauses).collect(),
            Self::Not(part) => part.clauses(),
            Self::Clause(clause) => vec![clause],
        }
    }
}

/// How parts come out together, where one that comes out as `decisive` decides; nothing where those that are not known would.
pub(crate) fn combined<P>(parts: &[P], mut outcome: impl FnMut(&P) -> Option<bool>, decisive: bool) -> Option<bool> {
    let mut known = true;
    for part in parts {
        match outcome(part) {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => known = false,
        }
    }
    known.then_some(!decisive)
}

impl Clause {
    /// What it looks at: its path, and those of its right side.
    pub(crate) fn spots(&self) -> Vec<&Spot> {
        let zone = if let TestKind::Within(within) = &self.test.kind { within.zone.spot() } else { None };
        [&self.at].into_iter().chain(self.test.kind.spots()).chain(zone).collect()
    }

    /// The first of what it looks at that takes too much to be found.
    fn too_far(&self, documents: &dyn Documents) -> Option<&Spot> {
        self.spots().into_iter().find(|spot| !spot.path.is_bounded() && spot.nodes(documents).is_too_much())
    }

    /// Whether it holds; nothing where that takes too much to tell.
    fn decided(&self, documents: &dyn Documents) -> Option<bool> {
        if self.too_far(documents).is_some() {
            return None;
        }
        let nodes = self.at.nodes(documents);
        let positive = match &self.test.kind {
            TestKind::Missing => nodes.iter().next().is_none(),
            TestKind::Changed { from, to } => self.changed(from.as_ref(), to.as_ref(), documents)?,
            kind => {
                let sides = Sides::of(kind, documents);
                let passes = |node| kind.passes(node, self.convert, &sides);
                match self.every {
                    _ if sides.is_too_much_for(kind, &nodes) => return None,
                    true => nodes.first().is_some() && nodes.iter().all(passes),
                    false => nodes.iter().any(passes),
                }
            }
        };
        Some(positive != self.test.negated)
    }

    /// What keeps it from holding (`inverted`: from not holding).
    fn failure(&self, documents: &dyn Documents, inverted: bool) -> Failure<'_> {
        let too_much = self.decided(documents).is_none().then(|| self.too_far(documents).unwrap_or(&self.at));
        let wants_a_value = too_much.is_none() && self.test.wants_a_value(inverted);
        let missing = self.test.kind.spots().into_iter().chain([&self.at]).filter(|_| wants_a_value);
        let missing = missing.filter(|spot| spot.has_no_value(documents)).last();
        Failure { clause: self, missing, too_much, inverted }
    }
}

impl Spot {
    /// What stands there.
    pub fn nodes<'d>(&self, documents: &'d dyn Documents) -> Nodes<'d> {
        match &self.record {
            Some(name) => documents.record(name).map_or(Nodes::One(None), |record| self.path.nodes(record)),
            None => documents.event(&self.path),
        }
    }

    /// There is no node, or only null and empty texts.
    fn has_no_value(&self, documents: &dyn Documents) -> bool {
        let empty = |node: &Value| node.is_null() || node.as_str().is_some_and(|text| text.trim().is_empty());
        self.nodes(documents).iter().all(empty)
    }
}

impl Test {
    /// Whether it may come out as it should once there is a value, so that waiting for one is some use: not where it asks for
    /// nothing to be there, and not where a value that is there stands against it.
    fn wants_a_value(&self, inverted: bool) -> bool {
        let positive = self.negated == inverted;
        if matches!(self.kind, TestKind::Missing | TestKind::IsNull) { !positive } else { positive }
    }
}

impl TestKind {
    /// What stands on its right side.
    pub fn rights(&self) -> Vec<&Right> {
        match self {
            Self::Exists | Self::Missing | Self::IsNull | Self::Matches(_) | Self::Glob(_) | Self::Within(_) => Vec::new(),
            Self::Equals(right)
            | Self::Compare(_, right)
            | Self::Contains(right)
            | Self::StartsWith(right)
            | Self::EndsWith(right)
            | Self::Before(right)
            | Self::After(right) => vec![right],
            Self::In(rights) => rights.iter().collect(),
            Self::Between(low, high) => vec![low, high],
            Self::Length(bounds) => bounds.iter().map(|(_, right)| right).collect(),
            Self::Changed { from, to } => from.iter().chain(to).collect(),
        }
    }

    /// The paths on its right side.
    fn spots(&self) -> Vec<&Spot> {
        let rights = self.rights().into_iter();
        rights.filter_map(|right| if let Right::At(spot) = right { Some(spot) } else { None }).collect()
    }
}
