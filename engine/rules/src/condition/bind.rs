//! Joining conditions to settings: what was chosen takes the place of the names.

use serde_json::{Map, Value};

use super::operand::Operand;
use super::read::{Wanted, wanted};
use super::{Clause, Condition, Pattern, Right, Test, TestKind, glob};
use crate::template::{Template, Templates};

impl Condition {
    /// The same condition under `settings`.
    ///
    /// # Errors
    /// What a setting gives does not fit its place.
    pub(crate) fn bound(&self, settings: &Map<String, Value>, templates: &Templates) -> Result<Self, String> {
        let all = |parts: &[Self]| parts.iter().map(|part| part.bound(settings, templates)).collect::<Result<Vec<_>, _>>();
        Ok(match self {
            Self::All(parts) => Self::All(all(parts)?),
            Self::Any(parts) => Self::Any(all(parts)?),
            Self::Not(part) => Self::Not(Box::new(part.bound(settings, templates)?)),
            Self::Clause(clause) => {
                let chosen = Chosen { settings, templates };
                let kind = clause.test.kind.bound(&chosen)?;
                let bound = Clause { test: Test { negated: clause.test.negated, kind }, ..Clause::clone(clause) };
                bound.check()?;
                Self::Clause(Box::new(bound))
            }
        })
    }

    /// Whether it is the same under all settings.
    pub(crate) fn is_fixed(&self) -> bool {
        self.clauses().iter().all(|clause| clause.test.kind.is_fixed())
    }
}

impl Clause {
    /// Holds what settings gave against what the operator can compare.
    fn check(&self) -> Result<(), String> {
        let wanted = wanted(&self.test.kind, self.convert);
        let unfit = self.test.kind.rights().into_iter().find(|right| matches!(right, Right::Literal(value) if !wanted.takes(value)));
        match unfit {
            Some(_) => Err(format!("{} is compared with a setting that is not {}", self.at.name(), wanted.name())),
            None => Ok(()),
        }
    }
}

/// What was chosen, and the texts over it.
struct Chosen<'c> {
    settings: &'c Map<String, Value>,
    templates: &'c Templates,
}

impl Chosen<'_> {
    fn right(&self, right: &Right) -> Result<Right, String> {
        match right {
            Right::Literal(_) | Right::At(_) => Ok(right.clone()),
            Right::Setting(name) => {
                self.settings.get(name).cloned().map(Right::Literal).ok_or_else(|| format!("there is no setting `{name}`"))
            }
            Right::Template(template) => self.templates.over_settings(template, self.settings).map(Right::Literal),
        }
    }

    fn pattern(&self, pattern: &Pattern, compile: fn(&str) -> Result<regex::Regex, String>) -> Result<Pattern, String> {
        match pattern {
            Pattern::Fixed { .. } => Ok(pattern.clone()),
            Pattern::From(template) => self.compiled(template, compile),
        }
    }

    fn compiled(&self, template: &Template, compile: fn(&str) -> Result<regex::Regex, String>) -> Result<Pattern, String> {
        let text = match self.templates.over_settings(template, self.settings)? {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let regex = compile(&text).map_err(|why| format!("`{}` gives no pattern: {why}", template.text()))?;
        Ok(Pattern::Fixed { text, regex })
    }
}

impl TestKind {
    fn is_fixed(&self) -> bool {
        let named = |right: &&Right| matches!(right, Right::Setting(_) | Right::Template(_));
        let pattern = matches!(self, Self::Matches(Pattern::From(_)) | Self::Glob(Pattern::From(_)));
        !pattern && !self.rights().iter().any(named)
    }

    fn bound(&self, chosen: &Chosen<'_>) -> Result<Self, String> {
        let right = |right: &Right| chosen.right(right);
        let optional = |right: &Option<Right>| right.as_ref().map(|right| chosen.right(right)).transpose();
        Ok(match self {
            Self::Exists | Self::Missing | Self::IsNull | Self::Within(_) => self.clone(),
            Self::Equals(value) => Self::Equals(right(value)?),
            Self::In(values) => Self::In(values.iter().map(right).collect::<Result<_, _>>()?),
            Self::Compare(comparison, value) => Self::Compare(*comparison, right(value)?),
            Self::Between(low, high) => Self::Between(right(low)?, right(high)?),
            Self::Contains(value) => Self::Contains(right(value)?),
            Self::StartsWith(value) => Self::StartsWith(right(value)?),
            Self::EndsWith(value) => Self::EndsWith(right(value)?),
            Self::Before(value) => Self::Before(right(value)?),
            Self::After(value) => Self::After(right(value)?),
            Self::Matches(pattern) => Self::Matches(chosen.pattern(pattern, glob::regex)?),
            Self::Glob(pattern) => Self::Glob(chosen.pattern(pattern, glob::glob)?),
            Self::Length(bounds) => {
                let bound = |(comparison, value): &(_, Right)| Ok((*comparison, right(value)?));
                Self::Length(bounds.iter().map(bound).collect::<Result<_, String>>()?)
            }
            Self::Changed { from, to } => Self::Changed { from: optional(from)?, to: optional(to)? },
        })
    }
}

impl Wanted {
    /// Whether a right side may be this value.
    pub(super) fn takes(self, value: &Value) -> bool {
        match self {
            Self::Anything => true,
            Self::Number => value.is_number(),
            Self::NumberText => value.is_number() || value.as_str().is_some_and(|text| crate::number::parse(text).is_some()),
            Self::Text => value.is_string(),
            Self::Scalar => matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)),
            Self::Date => value.as_str().is_some_and(super::date::is_moment),
        }
    }

    /// In words, with an article.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Anything => "a value",
            Self::Number | Self::NumberText => "a number",
            Self::Text => "a text",
            Self::Scalar => "a text, a number, true or false",
            Self::Date => "a time, such as 2026-03-06T13:00:00Z, 2026-03-06, now, +24h or -2d",
        }
    }

    /// Whether a node, turned into what is compared, could ever pass.
    pub(super) fn fits(self, operand: Option<&Operand<'_>>) -> bool {
        match (self, operand) {
            (_, None) => false,
            (Self::Number | Self::NumberText, Some(operand)) => operand.json().is_some_and(Value::is_number),
            (Self::Text | Self::Scalar, Some(operand)) => operand.text().is_some(),
            (Self::Date | Self::Anything, Some(_)) => true,
        }
    }
}
