//! What a document looks like, and what is left of it when nobody is in it any more.

use serde_json::{Map, Number, Value};

/// A value that stands alone: a text, a number, true, false or null.
pub(super) struct Leaf<'v> {
    /// Where it stands, as a JSONPath; items of a list are all meant: `$.phones[*].number`.
    pub(super) path: String,
    /// The names that lead to it, without lists.
    pub(super) names: Vec<&'v str>,
    /// Whether a list is on the way, so that there may be several.
    pub(super) in_list: bool,
    pub(super) value: &'v Value,
}

/// All leaves of `document`, in its order.
pub(super) fn leaves(document: &Value) -> Vec<Leaf<'_>> {
    let mut leaves = Vec::new();
    walk(document, "$", &mut Vec::new(), false, &mut leaves);
    leaves
}

// Documents are nested 64 deep at most.
fn walk<'v>(value: &'v Value, path: &str, names: &mut Vec<&'v str>, in_list: bool, leaves: &mut Vec<Leaf<'v>>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, &format!("{path}[*]"), names, true, leaves)),
        Value::Object(members) => {
            for (name, member) in members {
                names.push(name);
                walk(member, &step(path, name), names, in_list, leaves);
                names.pop();
            }
        }
        _ => leaves.push(Leaf { path: path.to_owned(), names: names.clone(), in_list, value }),
    }
}

/// `path` and a name behind it: short where the name allows it (RFC 9535 §2.5.1.1).
pub(super) fn step(path: &str, name: &str) -> String {
    let first = |char: char| char.is_ascii_alphabetic() || char == '_';
    if name.starts_with(first) && name.chars().all(|char| first(char) || char.is_ascii_digit()) {
        return format!("{path}.{name}");
    }
    format!("{path}['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// `document` with its shape only, but for what stands at a path of `kept`: every letter is an `a` and every digit a `1`.
pub(super) fn masked(document: &Value, kept: &[String]) -> Value {
    mask(document, "$", kept)
}

fn mask(value: &Value, path: &str, kept: &[String]) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| mask(item, &format!("{path}[*]"), kept)).collect(),
        Value::Object(members) => {
            let masked = members.iter().map(|(name, member)| (name.clone(), mask(member, &step(path, name), kept)));
            Value::Object(masked.collect::<Map<_, _>>())
        }
        _ if kept.iter().any(|kept| kept == path) => value.clone(),
        Value::String(text) => Value::String(text.chars().map(like).collect()),
        Value::Number(number) => Value::Number(alike(number)),
        other => other.clone(),
    }
}

fn like(char: char) -> char {
    match char {
        _ if char.is_ascii_digit() => '1',
        _ if char.is_uppercase() => 'A',
        _ if char.is_alphanumeric() => 'a',
        _ => char,
    }
}

/// As many digits, where it is whole.
fn alike(number: &Number) -> Number {
    if number.as_i64().is_none() && number.as_u64().is_none() {
        return Number::from_f64(1.1).unwrap_or_else(|| Number::from(1));
    }
    let digits = u32::try_from(number.to_string().trim_start_matches('-').len()).unwrap_or(1).min(18);
    Number::from((10_i64.pow(digits) - 1) / 9)
}
