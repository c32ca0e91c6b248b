//! Allowed fields: the only values that can reach a plugin.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::file::Draft;
use super::names::Names;
use crate::diagnostic::error;
use crate::path::Path;
use crate::reader::{Item, Table};
use crate::source::{Class, check_name, pick};
use crate::time;

/// A named value that an action may see: one line of `[then.allow]`.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    /// The lookup whose record has it; none: the event.
    pub record: Option<String>,
    pub path: Path,
    /// What is made of it before anything sees it.
    pub transform: Option<Transform>,
    pub class: Class,
}

/// What can be made of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    /// The first word.
    FirstName,
    /// The last four characters.
    Last4,
    /// The first letter of each word.
    Initials,
    /// The year of a date, as a number.
    Year,
    /// Only the digits.
    Digits,
    /// A time of the payload as RFC 3339 in UTC.
    Instant,
}

/// What `as` may say.
pub(crate) const TRANSFORMS: [(&str, Transform); 6] = [
    ("first_name", Transform::FirstName),
    ("last4", Transform::Last4),
    ("initials", Transform::Initials),
    ("year", Transform::Year),
    ("digits", Transform::Digits),
    ("instant", Transform::Instant),
];

impl Field {
    /// The field in `document`; null and what cannot be transformed count as absent. `zone` is that of times without an offset.
    pub(crate) fn value(&self, document: &Value, zone: &TimeZone) -> Option<Value> {
        let value = self.path.value(document).filter(|value| !value.is_null())?;
        match (self.transform, value) {
            (None, value) => Some(value),
            (Some(transform), Value::Array(values)) => {
                Some(Value::Array(values.iter().map(|value| transform.apply(value, zone).unwrap_or(Value::Null)).collect()))
            }
            (Some(transform), value) => transform.apply(&value, zone),
        }
    }
}

impl Transform {
    fn apply(self, value: &Value, zone: &TimeZone) -> Option<Value> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) if !number.is_f64() => number.to_string(),
            _ => return None,
        };
        let made: String = match self {
            Self::FirstName => text.split_whitespace().next()?.to_owned(),
            Self::Last4 => text.chars().skip(text.chars().count().saturating_sub(4)).collect(),
            Self::Initials => text.split_whitespace().filter_map(|word| word.chars().next()).flat_map(char::to_uppercase).collect(),
            Self::Year => {
                return text
                    .get(..4)?
                    .parse::<u16>()
                    .ok()
                    .filter(|_| !text.as_bytes().get(4).is_some_and(u8::is_ascii_digit))
                    .map(Value::from);
            }
            Self::Digits => text.chars().filter(char::is_ascii_digit).collect(),
            Self::Instant => time::instant(&text, zone)?.to_string(),
        };
        (!made.is_empty()).then_some(Value::String(made))
    }
}

/// Reads `[then.allow]`; also where each field is declared.
pub(super) fn read(table: &Table<'_>, names: &Names, draft: &Draft<'_, '_>) -> (Vec<Field>, BTreeMap<String, Range<usize>>) {
    let mut places = BTreeMap::new();
    let mut fields = Vec::new();
    for (name, item) in table.entries() {
        // Names stand in templates, where `-` is a minus.
        if name.value.contains('-') {
            table.report().push(error(
                "bad-name",
                name.span.clone(),
                format!("`{}` cannot be a field: templates read `-` as minus", name.value),
            ));
        } else if ["settings", "steps"].contains(&name.value) {
            let text = format!("`{0}` is what templates call the {0}", name.value);
            table.report().push(error("bad-name", name.span.clone(), text));
        } else {
            check_name(table.report(), &name);
        }
        places.insert(name.value.to_owned(), name.span.clone());
        fields.extend(field(name.value, item, names, draft));
    }
    (fields, places)
}

fn field(name: &str, item: Item<'_>, names: &Names, draft: &Draft<'_, '_>) -> Option<Field> {
    let (record, path, transform) = if item.is_string() {
        (None, item.path()?, None)
    } else {
        let table = item.table("[then.allow]")?;
        let record = table.string("record");
        let item = table.need("path");
        let path = item.and_then(Item::path);
        let transform = table.get("as").and_then(|item| pick(item, "as", &TRANSFORMS));
        table.finish();
        if let Some(record) = &record {
            names.check_lookup(table.report(), record);
        }
        if let (Some(record), Some(path), Some(item)) = (&record, &path, item) {
            names.check_kept(table.report(), record.value, path, item.span());
        }
        (record.map(|record| record.value.to_owned()), path?, transform)
    };
    let kind = record.as_ref().map(|record| names.lookups.get(record));
    let class = match kind {
        None => draft.class(|source| source.class(&path)),
        // A lookup that there is not has been reported, and leaves no rule.
        Some(kind) => draft.class(|source| kind.map_or(Class::Public, |kind| source.record_class(&kind.record, &path))),
    };
    Some(Field { name: name.to_owned(), record, path, transform, class })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn transforms() {
        let made = |transform: Transform, value: Value| transform.apply(&value, &TimeZone::UTC);
        assert_eq!(made(Transform::FirstName, json!("  Marina Teste")).unwrap(), "Marina");
        assert_eq!(made(Transform::FirstName, json!("")), None);
        assert_eq!(made(Transform::Last4, json!(17052897890_i64)).unwrap(), "7890");
        assert_eq!(made(Transform::Initials, json!("Édu da silva")).unwrap(), "ÉDS");
        assert_eq!(made(Transform::Year, json!("1976-05-13")).unwrap(), json!(1976));
        assert_eq!(made(Transform::Year, json!("13/05/1976")), None);
        assert_eq!(made(Transform::Digits, json!("(11) 98765-4321")).unwrap(), "11987654321");
        assert_eq!(made(Transform::Instant, json!("2026-03-06 13:00:00")).unwrap(), "2026-03-06T13:00:00Z");
        assert_eq!(made(Transform::Instant, json!("soon")), None);
        assert_eq!(made(Transform::Digits, json!({"a": 1})), None);
    }
}
