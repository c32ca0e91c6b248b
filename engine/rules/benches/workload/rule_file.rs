//! The rule files that integrators would write for the conditions.

use std::fmt::Write;

use serde_json::{Number, Value};
use zelo_rules::FileText;

use super::conditions::{Condition, Test};

/// The number of the rule with this id.
pub(crate) fn number(id: &str) -> Option<usize> {
    id.strip_prefix('r')?.parse().ok()
}

/// The file of the rule with this number: one action, no key.
pub(crate) fn rule_file(number: usize, conditions: &[Condition]) -> FileText {
    let clauses: Vec<String> = conditions.iter().map(|condition| clause(number, condition)).collect();
    let text = format!(
        "id = \"r{number:05}\"\ntitle = \"Rule {number}\"\non = [\"agenda.event\"]\n\n[when]\nall = [\n  {},\n]\n\n[[then]]\nname = \"note\"\n\
         plugin = \"note\"\n\n[then.allow]\nid = \"$.data.appointment.id\"\n\n[then.with]\nid = \"{{{{ id }}}}\"\n",
        clauses.join(",\n  ")
    );
    FileText { name: format!("rules/r{number:05}.toml"), text }
}

fn clause(number: usize, condition: &Condition) -> String {
    let path = condition.path.join(".");
    let (path, test) = match &condition.test {
        Test::Equals(value) => (path, format!("equals = {value}")),
        Test::OneOf(values) => (path, format!("in = [{}]", values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))),
        Test::Contains(value) => membership(number, &condition.path, value),
        Test::StartsWith(text) => (path, format!("starts_with = {}", Value::from(text.as_str()))),
        Test::Exists(wanted) => (path, format!("exists = {wanted}")),
        Test::Range { gte, lt } => (path, bounds(gte.as_ref(), lt.as_ref())),
    };
    format!("{{ path = \"$.{path}\", {test} }}")
}

/// Both ways to ask whether a list has something, one for every second rule. A list of objects has only one.
fn membership(number: usize, path: &[String], value: &Value) -> (String, String) {
    match path {
        [data, services, rest] => (format!("{data}.{services}[*].{rest}"), format!("equals = {value}")),
        _ if number.is_multiple_of(2) => (format!("{}[*]", path.join(".")), format!("equals = {value}")),
        _ => (path.join("."), format!("contains = {value}")),
    }
}

fn bounds(gte: Option<&Number>, lt: Option<&Number>) -> String {
    let mut bounds = String::new();
    for (word, bound) in [("gte", gte), ("lt", lt)] {
        if let Some(bound) = bound {
            let comma = if bounds.is_empty() { "" } else { ", " };
            write!(bounds, "{comma}{word} = {bound}").expect("writing to a text never fails");
        }
    }
    bounds
}
