//! What was expected against what came.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use super::diff;
use crate::number::equal;

/// One thing that came otherwise than a test expects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where: `actions.remind.with.text`.
    pub path: String,
    /// Absent: nothing, or something else that `note` tells of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
    /// Why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Difference {
    /// Something that keeps the test from being run, or part of it.
    pub(super) fn problem(path: impl Into<String>, note: impl Into<String>) -> Self {
        Self { path: path.into(), expected: None, actual: None, note: Some(note.into()) }
    }

    pub(super) fn between(path: impl Into<String>, expected: impl Into<Value>, actual: impl Into<Value>) -> Self {
        Self { path: path.into(), expected: Some(expected.into()), actual: Some(actual.into()), note: None }
    }

    pub(super) fn because(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    /// For people: `-` stands before what was expected, `+` before what came. Instants are told in `zone` too.
    pub(super) fn told(&self, zone: Option<&TimeZone>) -> String {
        let mut told = self.path.clone();
        // Writing to a `String` cannot fail.
        let mut line = |text: &str| _ = write!(told, "\n  {text}");
        match (&self.expected, &self.actual) {
            (None, None) => {}
            (Some(Value::String(expected)), Some(Value::String(actual))) if expected.contains('\n') || actual.contains('\n') => {
                diff::told(expected, actual).iter().for_each(|text| line(text));
            }
            (expected, actual) => {
                let (before, after) = (shown(expected.as_ref(), zone), shown(actual.as_ref(), zone));
                line(&format!("- {before}"));
                line(&format!("+ {after}"));
                if let (Some(Value::String(expected)), Some(Value::String(actual))) = (expected, actual)
                    && let Some((place, length)) = diff::marked(expected, actual)
                    && instant(expected).is_none()
                {
                    // The quote stands before it.
                    line(&format!("   {}{}", " ".repeat(place), "^".repeat(length)));
                }
            }
        }
        if let Some(note) = &self.note {
            line(note);
        }
        told
    }
}

/// A value on one line.
fn shown(value: Option<&Value>, zone: Option<&TimeZone>) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    let Some(instant) = value.as_str().and_then(instant) else { return value.to_string() };
    let Some(zone) = zone else { return instant.to_string() };
    let local = instant.to_zoned(zone.clone());
    let time = if local.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
    format!("{instant} ({} on {} in {})", local.strftime(time), local.date(), zone.iana_name().unwrap_or("local time"))
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// How closely something is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Closeness {
    /// The members of an object that are expected; it may have others.
    Subset,
    /// All of it.
    Exact,
}

/// Finds what differs between what was expected at `path` and what came: of objects the members, of lists as long as one
/// another the elements.
pub(super) fn compare(path: &str, expected: &Value, actual: Option<&Value>, closeness: Closeness, found: &mut Vec<Difference>) {
    match (expected, actual) {
        (Value::Object(expected), Some(Value::Object(actual))) => {
            for (name, value) in expected {
                compare(&member(path, name), value, actual.get(name), closeness, found);
            }
            let others = actual.iter().filter(|(name, _)| closeness == Closeness::Exact && !expected.contains_key(*name));
            found.extend(others.map(|(name, value)| Difference {
                path: member(path, name),
                expected: None,
                actual: Some(value.clone()),
                note: None,
            }));
        }
        (Value::Array(expected), Some(Value::Array(actual))) if expected.len() == actual.len() => {
            for (place, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                compare(&format!("{path}[{place}]"), expected, Some(actual), closeness, found);
            }
        }
        (expected, Some(actual)) if equal(expected, actual) => {}
        (expected, actual) => {
            found.push(Difference { path: path.to_owned(), expected: Some(expected.clone()), actual: actual.cloned(), note: None });
        }
    }
}

/// Compares a list whose length counts: each element that was expected with the one in its place. `kind` is the member by which
/// elements are not to be compared at all, `summary` says in short what an element is.
pub(super) fn compare_lists(
    path: &str,
    expected: &[Value],
    actual: &[Value],
    kind: &str,
    summary: fn(&Value) -> String,
    found: &mut Vec<Difference>,
) {
    for (place, (expected, actual)) in expected.iter().zip(actual).enumerate() {
        let path = format!("{path}[{place}]");
        let (wanted, came) = (expected.get(kind), actual.get(kind));
        if wanted.is_some() && wanted != came {
            let difference = Difference { path: member(&path, kind), expected: wanted.cloned(), actual: came.cloned(), note: None };
            found.push(difference.because(format!("it is {actual}")));
        } else {
            compare(&path, expected, Some(actual), Closeness::Subset, found);
        }
    }
    if expected.len() != actual.len() {
        let told = |list: &[Value]| list.iter().map(summary).collect::<Vec<_>>();
        let note = format!("{} expected, {} came", expected.len(), actual.len());
        found.push(Difference::between(path, told(expected), told(actual)).because(note));
    }
}

fn member(path: &str, name: &str) -> String {
    let plain = name.starts_with(|char: char| char.is_alphabetic() || char == '_')
        && name.chars().all(|char| char.is_alphanumeric() || matches!(char, '_' | '-'));
    if plain { format!("{path}.{name}") } else { format!("{path}[{}]", Value::from(name)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(expected: &Value, actual: &Value, closeness: Closeness) -> Vec<(String, Option<Value>, Option<Value>)> {
        let mut found = Vec::new();
        compare("x", expected, Some(actual), closeness, &mut found);
        found.into_iter().map(|found| (found.path, found.expected, found.actual)).collect()
    }

    #[test]
    fn only_the_members_that_differ_are_named() {
        let expected = json!({ "a": 1, "b": { "c": [1, { "d": "x" }] }, "e f": true });
        let actual = json!({ "a": 1.0, "b": { "c": [1, { "d": "y" }] }, "g": null });
        let differing = ("x.b.c[1].d".to_owned(), Some(json!("x")), Some(json!("y")));
        let absent = ("x[\"e f\"]".to_owned(), Some(json!(true)), None);
        assert_eq!(found(&expected, &actual, Closeness::Subset), [differing.clone(), absent.clone()]);
        let other = ("x.g".to_owned(), None, Some(Value::Null));
        assert_eq!(found(&expected, &actual, Closeness::Exact), [differing, absent, other]);
        let lists = (json!([1, 2]), json!([1]));
        assert_eq!(found(&lists.0, &lists.1, Closeness::Subset), [("x".to_owned(), Some(lists.0.clone()), Some(lists.1.clone()))]);
    }

    #[test]
    fn a_difference_is_told_with_local_time_and_marks() {
        let zone = TimeZone::get("America/Sao_Paulo").unwrap();
        let told = |expected: Value, actual: Value| Difference::between("p", expected, actual).told(Some(&zone));
        assert_eq!(
            told(json!("2017-05-29T11:00:00Z"), json!("2017-05-29T12:00:30Z")),
            "p\n  - 2017-05-29T11:00:00Z (08:00 on 2017-05-29 in America/Sao_Paulo)\n  \
             + 2017-05-29T12:00:30Z (09:00:30 on 2017-05-29 in America/Sao_Paulo)",
        );
        assert_eq!(told(json!("ab"), json!("axb")), "p\n  - \"ab\"\n  + \"axb\"\n      ^");
        assert_eq!(told(json!("runs"), json!("waits")), "p\n  - \"runs\"\n  + \"waits\"", "words apart are not marked");
        assert_eq!(told(json!("a\nb"), json!("a\nc")), "p\n    a\n  - b\n  + c");
        assert_eq!(told(json!(1), json!([2])), "p\n  - 1\n  + [2]");
        let absent = Difference { actual: None, ..Difference::between("p", "x", 0) }.because("why not");
        assert_eq!(absent.told(None), "p\n  - \"x\"\n  + nothing\n  why not");
    }
}
