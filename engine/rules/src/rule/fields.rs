//! Allowed fields: the only values that can reach a plugin.
//!
//! [`transform`](super::transform) has what can be made of them before.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::care::ClassFrom;
use super::names::Names;
use super::transform::{Making, TRANSFORMS, Transform};
use crate::diagnostic::error;
use crate::path::Path;
use crate::reader::{Item, Table};
use crate::source::{Class, check_name, pick};

/// A named value that an action may see: one line of `[then.allow]`.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    /// The lookup whose record has it; none: the event.
    pub record: Option<String>,
    pub path: Path,
    /// What is made of it before anything sees it.
    pub transform: Option<Transform>,
    /// Whether it is the list of the values in all collected events.
    pub collected: bool,
    pub class: Class,
    /// Who says so.
    pub class_from: ClassFrom,
}

impl Field {
    /// The field in `document`; null and what cannot be transformed count as absent.
    pub(crate) fn value(&self, document: &Value, making: &Making<'_>) -> Option<Value> {
        let value = self.path.value(document).filter(|value| !value.is_null())?;
        match (self.transform, value) {
            (None, value) => Some(value),
            (Some(transform), Value::Array(values)) => {
                Some(Value::Array(values.iter().map(|value| transform.apply(value, making).unwrap_or(Value::Null)).collect()))
            }
            (Some(transform), value) => transform.apply(&value, making),
        }
    }
}

/// Reads `[then.allow]`; also where each field is declared.
pub(super) fn read(table: &Table<'_>, names: &Names) -> (Vec<Field>, BTreeMap<String, Range<usize>>) {
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
        fields.extend(field(name.value, item, names));
    }
    (fields, places)
}

fn field(name: &str, item: Item<'_>, names: &Names) -> Option<Field> {
    let (record, path, transform, collected) = if item.is_string() {
        (None, item.path()?, None, false)
    } else {
        let table = item.table("[then.allow]")?;
        let record = table.string("record");
        let item = table.need("path");
        let path = item.and_then(Item::path);
        let transform = table.get("as").and_then(|item| pick(item, "as", &TRANSFORMS));
        let collected = table.get("collected").and_then(Item::boolean).unwrap_or_default();
        table.finish();
        if let Some(record) = &record {
            names.check_lookup(table.report(), record);
        }
        if let (Some(record), Some(path), Some(item)) = (&record, &path, item) {
            names.check_kept(table.report(), record.value, path, item.span());
        }
        (record.map(|record| record.value.to_owned()), path?, transform, collected)
    };
    // How delicate it is, is known when all rules are read.
    Some(Field { name: name.to_owned(), record, path, transform, collected, class: Class::Sensitive, class_from: ClassFrom::Nobody })
}
