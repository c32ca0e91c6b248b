//! How a condition came out on an event: the whole tree, with what was seen and the first clause that failed.
//!
//! A value is shown only where its class is not more delicate than was asked for; of all others only the type is.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::words::Language;
use super::{Clause, Comparison, Condition, Convert, Documents, Pattern, Right, Spot, TestKind, Within, ZoneOfTime};
use crate::path::Nodes;
use crate::source::Class;

/// Of several values no more are shown.
const SHOWN_MAX: usize = 8;
/// No text is shown longer, in characters.
const TEXT_MAX: usize = 200;

/// A condition as it came out.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Told {
    All { holds: bool, parts: Vec<Told> },
    Any { holds: bool, parts: Vec<Told> },
    Not { holds: bool, part: Box<Told> },
    Clause(ClauseTold),
}

/// A clause as it came out.
#[derive(Clone, Debug, Serialize)]
pub struct ClauseTold {
    pub holds: bool,
    /// It is the first that keeps the whole condition from holding.
    pub decisive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    pub path: String,
    /// The whole clause as people say it, in the language that was asked for: not for programs.
    #[serde(skip)]
    pub said: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub every: bool,
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub convert: Option<&'static str>,
    /// As files call it: `not_in`.
    pub operator: &'static str,
    /// What stands on its right side, settings filled in.
    pub right: String,
    /// How delicate what stands at the path is.
    pub class: Class,
    /// What stood at the path: the first few values.
    pub seen: Vec<Seen>,
    /// How many values there were beside those.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
    /// What stood at the paths of the right side.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<Seen>,
    /// What is the matter, where it does not come out as it should: no values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A value that a clause saw.
#[derive(Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Seen {
    Shown {
        value: Value,
    },
    /// Too delicate to be shown.
    Redacted {
        redacted: Class,
        #[serde(rename = "type")]
        kind: &'static str,
    },
}

/// What may be shown, and in which words.
pub(crate) struct Reveal<'r> {
    /// Values of this class and of less delicate ones are shown.
    pub(crate) class: Class,
    pub(crate) language: Language,
    /// How delicate what stands at a path is.
    pub(crate) class_of: &'r dyn Fn(&Spot) -> Class,
    /// A clause in words.
    pub(crate) said: &'r dyn Fn(&Clause) -> String,
}

/// Prints no value.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shown { value } => f.write_str(kind_of(value)),
            Self::Redacted { kind, .. } => f.write_str(kind),
        }
    }
}

impl Told {
    /// Whether the condition held.
    pub fn holds(&self) -> bool {
        match self {
            Self::All { holds, .. } | Self::Any { holds, .. } | Self::Not { holds, .. } => *holds,
            Self::Clause(clause) => clause.holds,
        }
    }
}

impl Condition {
    /// How it came out on `documents`.
    pub(crate) fn told(&self, documents: &dyn Documents, reveal: &Reveal<'_>) -> Told {
        let decisive = self.failure(documents).map(|failure| std::ptr::from_ref(failure.clause));
        self.told_as(true, documents, reveal, decisive)
    }

    /// The same, where the part should come out as `wanted`.
    fn told_as(&self, wanted: bool, documents: &dyn Documents, reveal: &Reveal<'_>, decisive: Option<*const Clause>) -> Told {
        let decided = self.decided(documents);
        let holds = decided == Some(true);
        let told = |parts: &[Self]| parts.iter().map(|part| part.told_as(wanted, documents, reveal, decisive)).collect();
        match self {
            Self::All(parts) => Told::All { holds, parts: told(parts) },
            Self::Any(parts) => Told::Any { holds, parts: told(parts) },
            Self::Not(part) => Told::Not { holds, part: Box::new(part.told_as(!wanted, documents, reveal, decisive)) },
            Self::Clause(clause) => {
                let decisive = decisive == Some(std::ptr::from_ref(&**clause));
                Told::Clause(clause.told(decided, wanted, documents, reveal, decisive))
            }
        }
    }
}

impl Clause {
    fn told(&self, decided: Option<bool>, wanted: bool, documents: &dyn Documents, reveal: &Reveal<'_>, decisive: bool) -> ClauseTold {
        let class = (reveal.class_of)(&self.at);
        let nodes = self.at.nodes(documents);
        let against = self.test.kind.rights().into_iter().filter_map(|right| match right {
            Right::At(spot) => Some((spot.nodes(documents), (reveal.class_of)(spot))),
            Right::Literal(_) | Right::Setting(_) | Right::Template(_) => None,
        });
        let why = (decided != Some(wanted)).then(|| {
            let failure = self.failure(documents, !wanted);
            let unfit = (failure.missing.is_none() && decided.is_some() && wanted && !self.test.negated)
                .then(|| self.wrong_type(documents, reveal.language));
            match unfit.flatten() {
                Some(unfit) => format!("{} {unfit}", self.at.name()),
                None => failure.why_in(reveal.language),
            }
        });
        ClauseTold {
            holds: decided == Some(true),
            decisive,
            record: self.at.record.clone(),
            path: self.at.path.as_str().to_owned(),
            said: (reveal.said)(self),
            every: self.every,
            convert: self.convert.map(Convert::name),
            operator: self.test.operator(),
            right: self.test.right(),
            class,
            seen: reveal.shown(&nodes, class),
            more: nodes.iter().count().saturating_sub(SHOWN_MAX),
            against: against.flat_map(|(nodes, class)| reveal.shown(&nodes, class)).collect(),
            why,
        }
    }
}

impl Reveal<'_> {
    fn shown(&self, nodes: &Nodes<'_>, class: Class) -> Vec<Seen> {
        nodes.iter().take(SHOWN_MAX).map(|node| self.seen(node, class)).collect()
    }

    fn seen(&self, node: &Value, class: Class) -> Seen {
        if class > self.class {
            return Seen::Redacted { redacted: class, kind: kind_of(node) };
        }
        let value = match node {
            Value::String(text) if text.chars().count() > TEXT_MAX => {
                Value::String(text.chars().take(TEXT_MAX).chain(std::iter::once('…')).collect())
            }
            Value::Array(_) | Value::Object(_) if node.to_string().len() > TEXT_MAX => Value::String(format!("({})", kind_of(node))),
            node => node.clone(),
        };
        Seen::Shown { value }
    }
}

impl Convert {
    /// The word in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Date => "date",
        }
    }
}

impl Comparison {
    /// The word in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Equal => "equals",
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
        }
    }
}

impl super::Test {
    /// The operator, as files call it.
    pub fn operator(&self) -> &'static str {
        match (&self.kind, self.negated) {
            (TestKind::Exists, _) => "exists",
            (TestKind::Missing, _) => "missing",
            (TestKind::IsNull, _) => "is_null",
            (TestKind::Equals(_), false) => "equals",
            (TestKind::Equals(_), true) => "not_equals",
            (TestKind::In(_), false) => "in",
            (TestKind::In(_), true) => "not_in",
            (TestKind::Compare(comparison, _), _) => comparison.name(),
            (TestKind::Between(..), _) => "between",
            (TestKind::Contains(_), false) => "contains",
            (TestKind::Contains(_), true) => "not_contains",
            (TestKind::StartsWith(_), _) => "starts_with",
            (TestKind::EndsWith(_), _) => "ends_with",
            (TestKind::Matches(_), _) => "matches",
            (TestKind::Glob(_), _) => "glob",
            (TestKind::Length(_), _) => "length",
            (TestKind::Before(_), _) => "before",
            (TestKind::After(_), _) => "after",
            (TestKind::Within(_), _) => "within",
            (TestKind::Changed { .. }, _) => "changed",
        }
    }

    /// What stands on its right side: values as JSON writes them, paths as they are.
    pub fn right(&self) -> String {
        let list = |parts: Vec<String>| format!("[{}]", parts.join(", "));
        match &self.kind {
            TestKind::Exists | TestKind::Missing | TestKind::IsNull => (!self.negated).to_string(),
            TestKind::Equals(right)
            | TestKind::Compare(_, right)
            | TestKind::Contains(right)
            | TestKind::StartsWith(right)
            | TestKind::EndsWith(right)
            | TestKind::Before(right)
            | TestKind::After(right) => right.text(),
            TestKind::In(rights) => match rights.as_slice() {
                [right @ (Right::At(_) | Right::Setting(_))] => right.text(),
                rights => list(rights.iter().map(Right::text).collect()),
            },
            TestKind::Between(low, high) => list(vec![low.text(), high.text()]),
            TestKind::Matches(pattern) | TestKind::Glob(pattern) => Value::from(pattern.text()).to_string(),
            TestKind::Length(bounds) => match bounds.as_slice() {
                [(Comparison::Equal, right)] => right.text(),
                bounds => bounds
                    .iter()
                    .map(|(comparison, right)| format!("{} {}", comparison.name(), right.text()))
                    .collect::<Vec<_>>()
                    .join(", "),
            },
            TestKind::Within(within) => within.text(),
            TestKind::Changed { from: None, to: None } => (!self.negated).to_string(),
            TestKind::Changed { from, to } => {
                let sides = [("from", from), ("to", to)].into_iter();
                sides.filter_map(|(name, side)| Some(format!("{name} {}", side.as_ref()?.text()))).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

impl Right {
    /// As JSON writes it; a path as it is.
    pub fn text(&self) -> String {
        match self {
            Self::Literal(value) => value.to_string(),
            Self::At(spot) => spot.name(),
            Self::Setting(name) => format!("settings.{name}"),
            Self::Template(template) => Value::from(template.text()).to_string(),
        }
    }
}

impl Pattern {
    /// As it was written.
    pub fn text(&self) -> &str {
        match self {
            Self::Fixed { text, .. } => text,
            Self::From(template) => template.text(),
        }
    }
}

impl Within {
    fn text(&self) -> String {
        let hours = self.hours.map(|(from, to)| format!("{}–{}", from.strftime("%H:%M"), to.strftime("%H:%M")));
        let days = (!self.weekdays.is_empty()).then(|| self.weekdays.iter().map(|day| day.name()).collect::<Vec<_>>().join(" "));
        let zone = match &self.zone {
            ZoneOfTime::Clinic => None,
            ZoneOfTime::Fixed(zone) => zone.iana_name().map(str::to_owned),
            ZoneOfTime::At(spot) => Some(spot.name()),
        };
        [hours, days, zone].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// The type of a value, as JSON calls it.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}
