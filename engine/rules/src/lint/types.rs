//! `type-mismatch`: a comparison with another type than all examples have there.
//!
//! Null and absent say nothing. Of alternatives about one path that are there for one type each, the one that fits is enough.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::samples::{Sample, Samples, Seen};
use crate::condition::{Circumstances, Clause, Condition, Convert, Documents, Mismatch, TestKind};
use crate::diagnostic::{Report, warning};
use crate::path::{Nodes, Path};
use crate::rule::{Rule, Setting, SettingKind};
use crate::source::Source;
use crate::template::Templates;

/// Looks at all conditions of a rule.
pub(super) fn of_rule(report: &Report<'_>, rule: &Rule, samples: &Samples<'_>, templates: &Templates) {
    let sources = samples.sources_of(rule);
    let settings: Map<String, Value> = rule.settings.iter().map(|setting| (setting.name.clone(), chosen(setting))).collect();
    let look = Look { report, rule, samples, sources };
    let bound = |condition: &Condition| condition.bound(&settings, templates).ok();
    let all: BTreeSet<&str> = rule.on.iter().map(String::as_str).collect();
    let seen = samples.of_events(&look.sources, &all);
    if let Some(when) = rule.when.as_ref().and_then(bound) {
        look.at(&when, seen.as_ref(), &[]);
    }
    for action in &rule.actions {
        let own = action.on.as_ref().map(|own| own.iter().map(String::as_str).collect());
        let seen = samples.of_events(&look.sources, own.as_ref().unwrap_or(&all));
        for condition in action.when.iter().chain(&action.only_if).filter_map(bound) {
            look.at(&condition, seen.as_ref(), &[]);
        }
    }
}

/// A value of the type of the setting: its default where there is one.
fn chosen(setting: &Setting) -> Value {
    let some = || match &setting.kind {
        SettingKind::String => json!(""),
        SettingKind::Integer { min, .. } | SettingKind::Number { min, .. } => min.clone().map_or(json!(0), Value::Number),
        SettingKind::Boolean => json!(false),
        SettingKind::Choice { values } => json!(values.first()),
        SettingKind::Duration => json!("1h"),
        SettingKind::TimeOfDay => json!("08:00"),
    };
    setting.default.clone().unwrap_or_else(some)
}

struct Look<'l, 's> {
    report: &'l Report<'l>,
    rule: &'l Rule,
    samples: &'l Samples<'s>,
    sources: Vec<&'s Source>,
}

impl Look<'_, '_> {
    /// Looks at a condition that stands beside `others`, alternatives to it.
    fn at(&self, condition: &Condition, seen: Option<&Seen<'_>>, others: &[&Clause]) {
        match condition {
            Condition::Clause(clause) => self.clause(clause, seen, others),
            Condition::Not(part) => self.at(part, seen, others),
            Condition::All(parts) => parts.iter().for_each(|part| self.at(part, seen, others)),
            Condition::Any(parts) => {
                for (nth, part) in parts.iter().enumerate() {
                    let beside = parts.iter().enumerate().filter(|(other, _)| *other != nth).flat_map(|(_, other)| other.clauses());
                    let others: Vec<&Clause> = others.iter().copied().chain(beside).collect();
                    self.at(part, seen, &others);
                }
            }
        }
    }

    fn clause(&self, clause: &Clause, seen: Option<&Seen<'_>>, others: &[&Clause]) {
        let records;
        let (documents, of) = match (&clause.at.record, seen) {
            (None, Some(seen)) => (seen.samples.clone(), seen.of.clone()),
            (None, None) => return,
            (Some(lookup), _) => {
                let Some((found, of)) = self.records(lookup) else { return };
                records = found;
                (records.iter().collect(), of)
            }
        };
        let Some(mismatch) = mismatch(clause, &documents) else { return };
        let alternative = |other: &&&Clause| other.at.record == clause.at.record && other.at.path.as_str() == clause.at.path.as_str();
        if others.iter().filter(alternative).any(|other| mismatch_free(other, &documents)) {
            return;
        }
        let Mismatch { found, wanted } = mismatch;
        let (path, outcome) = (clause.at.name(), if clause.test.negated { "always" } else { "never" });
        let text = format!("`{path}` is {found} in every sample of {of}, and this compares it with {wanted}: it {outcome} holds");
        self.report.push(match advice(clause, &documents) {
            Some(help) => warning("type-mismatch", clause.spans.right.clone(), text).help(help),
            None => warning("type-mismatch", clause.spans.right.clone(), text),
        });
    }

    /// The records of a lookup, and how messages call them.
    fn records(&self, lookup: &str) -> Option<(Vec<Sample>, String)> {
        let lookup = self.rule.lookups.iter().find(|declared| declared.name == lookup)?;
        let records = self.samples.of_records(&self.sources, &lookup.record)?;
        let records = if lookup.key.is_singular() { records } else { records.into_iter().map(Sample::in_list).collect() };
        Some((records, format!("the records of type {}", lookup.record)))
    }
}

/// What keeps the clause from fitting any sample that has something there; nothing where none has.
fn mismatch(clause: &Clause, samples: &[&Sample]) -> Option<Mismatch> {
    let mut found = None;
    for sample in samples {
        let documents = One::new(clause, &sample.value);
        for node in clause.at.path.nodes(&sample.value).iter().filter(says_something) {
            found = Some(clause.mismatch(node, &documents)?);
        }
    }
    found
}

fn mismatch_free(clause: &Clause, samples: &[&Sample]) -> bool {
    let has_value = |sample: &&&Sample| clause.at.path.nodes(&sample.value).iter().any(|node| says_something(&node));
    samples.iter().any(|sample| has_value(&sample)) && mismatch(clause, samples).is_none()
}

/// Null and blank texts stand for anything.
fn says_something(node: &&Value) -> bool {
    !node.is_null() && node.as_str().is_none_or(|text| !text.trim().is_empty())
}

/// What would make a comparison of the right type.
fn advice(clause: &Clause, samples: &[&Sample]) -> Option<&'static str> {
    let node = samples.iter().flat_map(|sample| clause.at.path.nodes(&sample.value).iter().collect::<Vec<_>>()).find(says_something)?;
    let is_plain = matches!(node, Value::Number(_) | Value::Bool(_));
    let is_time =
        node.as_str().is_some_and(|text| crate::time::day(text).is_some() || crate::time::instant(text, &TimeZone::UTC).is_some());
    match (&clause.test.kind, clause.convert) {
        (TestKind::Compare(..) | TestKind::Between(..), None) if is_time => {
            Some("times are compared with `before` and `after`, or with `as = \"date\"`")
        }
        (TestKind::Compare(..) | TestKind::Between(..), None) if node.is_string() => {
            Some("with `as = \"number\"` a text that says a number is compared as one")
        }
        (TestKind::Equals(_) | TestKind::In(_), None) if is_plain => {
            Some("write it without quotes, or compare it as a text with `as = \"string\"`")
        }
        (TestKind::Equals(_) | TestKind::In(_), None) if node.is_string() => Some("write it in quotes"),
        (TestKind::Equals(_) | TestKind::In(_), None) if node.is_array() => {
            Some("a list has an element with `contains`, or with a path that ends with `[*]`")
        }
        (TestKind::StartsWith(_) | TestKind::EndsWith(_) | TestKind::Matches(_) | TestKind::Glob(_) | TestKind::Contains(_), None)
            if is_plain =>
        {
            Some("with `as = \"string\"` a number is compared as a text")
        }
        (_, Some(Convert::Number)) if node.is_string() => Some("a number is written as JSON writes it: 1234.5"),
        _ => None,
    }
}

/// One sample as the documents of a clause: the event, or the record that it asks.
struct One<'o> {
    record: Option<&'o str>,
    value: &'o Value,
    circumstances: Circumstances<'o>,
}

impl<'o> One<'o> {
    fn new(clause: &'o Clause, value: &'o Value) -> Self {
        let circumstances = Circumstances { time: Timestamp::UNIX_EPOCH, zone: TimeZone::UTC, clinic_zone: None, changes: None };
        Self { record: clause.at.record.as_deref(), value, circumstances }
    }
}

impl Documents for One<'_> {
    fn event(&self, path: &Path) -> Nodes<'_> {
        if self.record.is_none() { path.nodes(self.value) } else { Nodes::One(None) }
    }

    fn record(&self, name: &str) -> Option<&Value> {
        (self.record == Some(name)).then_some(self.value)
    }

    fn circumstances(&self) -> &Circumstances<'_> {
        &self.circumstances
    }
}
