//! Settings: what a clinic may choose, typed so that a page can draw the form.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::diagnostic::error;
use crate::number::order;
use crate::reader::{Item, Table};
use crate::source::check_name;
use crate::text::{LOCALES, Text, text};
use crate::time;

/// One thing to choose: one `[settings.…]`.
#[derive(Clone, Debug, Serialize)]
pub struct Setting {
    pub name: String,
    #[serde(flatten)]
    pub kind: SettingKind,
    /// None: it must be chosen.
    pub default: Option<Value>,
    pub label: Option<Text>,
    pub description: Option<Text>,
}

/// What may be chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum SettingKind {
    String,
    Integer { min: Option<Number>, max: Option<Number> },
    Number { min: Option<Number>, max: Option<Number> },
    Boolean,
    Choice { values: Vec<String> },
    Duration,
    TimeOfDay,
}

/// No text of a setting is longer, in bytes.
const TEXT_MAX: usize = 4_000;

/// Reads what may be chosen, where the type is known: of the setting of this name, in this table.
type ReadKind = fn(&str, &Table<'_>) -> Option<SettingKind>;

/// What `type` may say, and how the rest is read then.
pub(crate) const TYPES: [(&str, ReadKind); 7] = [
    ("string", |_, _| Some(SettingKind::String)),
    ("integer", |_, table| Some(SettingKind::Integer { min: bound(table, "min"), max: bound(table, "max") })),
    ("number", |_, table| Some(SettingKind::Number { min: bound(table, "min"), max: bound(table, "max") })),
    ("boolean", |_, _| Some(SettingKind::Boolean)),
    ("choice", choice),
    ("duration", |_, _| Some(SettingKind::Duration)),
    ("time-of-day", |_, _| Some(SettingKind::TimeOfDay)),
];

impl SettingKind {
    /// Whether a number below 0 may be chosen.
    pub(super) fn is_signed(&self) -> bool {
        let (Self::Integer { min, .. } | Self::Number { min, .. }) = self else { return false };
        min.as_ref().is_none_or(|min| order(min, &Number::from(0)).is_some_and(std::cmp::Ordering::is_lt))
    }

    /// Why `value` cannot be chosen.
    pub fn refuses(&self, value: &Value) -> Option<Refused> {
        let unless = |fits: bool, refused: Refused| (!fits).then_some(refused);
        match (self, value) {
            (Self::String, Value::String(text)) => unless(text.len() <= TEXT_MAX, Refused::TooLong(TEXT_MAX)),
            (Self::String, _) => Some(Refused::NoText),
            (Self::Integer { min, max }, Value::Number(number)) if number.is_i64() || number.is_u64() => {
                bounds(number, min.as_ref(), max.as_ref())
            }
            (Self::Integer { .. }, _) => Some(Refused::NoInteger),
            (Self::Number { min, max }, Value::Number(number)) => bounds(number, min.as_ref(), max.as_ref()),
            (Self::Number { .. }, _) => Some(Refused::NoNumber),
            (Self::Boolean, value) => unless(value.is_boolean(), Refused::NoBoolean),
            (Self::Choice { values }, value) => {
                let known = value.as_str().is_some_and(|word| values.iter().any(|value| value == word));
                unless(known, Refused::NoneOf(values.clone()))
            }
            (Self::Duration, value) => unless(value.as_str().and_then(time::duration).is_some(), Refused::NoDuration),
            (Self::TimeOfDay, value) => unless(value.as_str().and_then(time::time_of_day).is_some(), Refused::NoTimeOfDay),
        }
    }
}

/// Why a value cannot be chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    /// It has more bytes than this.
    TooLong(usize),
    NoText,
    NoInteger,
    NoNumber,
    AtLeast(Number),
    AtMost(Number),
    NoBoolean,
    NoneOf(Vec<String>),
    NoDuration,
    NoTimeOfDay,
}

/// In words that follow the name of the setting.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(max) => write!(f, "has at most {max} bytes"),
            Self::NoText => f.write_str("must be a text"),
            Self::NoInteger => f.write_str("must be an integer"),
            Self::NoNumber => f.write_str("must be a number"),
            Self::AtLeast(min) => write!(f, "must be at least {min}"),
            Self::AtMost(max) => write!(f, "must be at most {max}"),
            Self::NoBoolean => f.write_str("must be true or false"),
            Self::NoneOf(values) => write!(f, "must be one of {}", values.join(", ")),
            Self::NoDuration => f.write_str("must be a duration such as 90m or 24h"),
            Self::NoTimeOfDay => f.write_str("must be a time such as 08:00"),
        }
    }
}

fn bounds(number: &Number, min: Option<&Number>, max: Option<&Number>) -> Option<Refused> {
    let below = |a: &Number, b: &Number| order(a, b).is_some_and(std::cmp::Ordering::is_lt);
    match (min, max) {
        (Some(min), _) if below(number, min) => Some(Refused::AtLeast(min.clone())),
        (_, Some(max)) if below(max, number) => Some(Refused::AtMost(max.clone())),
        _ => None,
    }
}

/// The settings in force: those given, checked, and defaults for the rest.
pub(crate) fn check_all(settings: &[Setting], given: &Map<String, Value>) -> Result<Map<String, Value>, Vec<String>> {
    let mut problems = Vec::new();
    let mut chosen = Map::new();
    for name in given.keys().filter(|name| !settings.iter().any(|setting| setting.name == **name)) {
        problems.push(format!("there is no setting `{name}`"));
    }
    for setting in settings {
        match given.get(&setting.name).or(setting.default.as_ref()) {
            None => problems.push(format!("`{}` must be chosen: it has no default", setting.name)),
            Some(value) => match setting.kind.refuses(value) {
                Some(problem) => problems.push(format!("`{}` {problem}", setting.name)),
                None => {
                    chosen.insert(setting.name.clone(), value.clone());
                }
            },
        }
    }
    if problems.is_empty() { Ok(chosen) } else { Err(problems) }
}

/// Reads `[settings]`.
pub(super) fn read(table: &Table<'_>) -> Vec<Setting> {
    let entries = table.entries().into_iter();
    entries
        .filter_map(|(name, item)| {
            check_name(table.report(), &name);
            setting(name.value, &item.table(&format!("[settings.{}]", name.value))?)
        })
        .collect()
}

fn setting(name: &str, table: &Table<'_>) -> Option<Setting> {
    let word = table.need_string("type");
    let default = table.get("default");
    let label = table.get("label").and_then(text);
    let description = table.get("description").and_then(text);
    let kind = word.and_then(|word| match TYPES.iter().find(|(known, _)| *known == word.value) {
        Some((_, read)) => read(name, table),
        None => {
            let finding = error("unknown-word", word.span, format!("`{}` is not a type of setting", word.value));
            table.report().push(finding.meant(word.value, TYPES.map(|(known, _)| known)));
            None
        }
    });
    let Some(kind) = kind else {
        return Some(Setting { name: name.to_owned(), kind: SettingKind::String, default: None, label, description });
    };
    table.finish();
    let default = default.and_then(|item| {
        let value = item.json()?;
        if let Some(problem) = kind.refuses(&value) {
            table.report().push(error("bad-default", item.span(), format!("the default of `{name}` {problem}")));
            return None;
        }
        Some(value)
    });
    Some(Setting { name: name.to_owned(), kind, default, label, description })
}

fn bound(table: &Table<'_>, key: &'static str) -> Option<Number> {
    let item = table.get(key)?;
    match item.json()? {
        Value::Number(number) => Some(number),
        _ => item.mismatch("a number"),
    }
}

fn choice(name: &str, table: &Table<'_>) -> Option<SettingKind> {
    let item = table.need("values")?;
    let values = item.array()?.into_iter().filter_map(Item::string);
    let values: Vec<String> = values
        .map(|value| {
            if name == LANGUAGE && !LOCALES.contains(&value.value) {
                let finding = error("unknown-locale", value.span.clone(), format!("`{}` is not a language of zelo", value.value));
                table.report().push(finding.meant(value.value, LOCALES));
            }
            value.value.to_owned()
        })
        .collect();
    if values.is_empty() {
        table.report().push(error("empty-list", item.span(), "a choice needs values"));
    }
    Some(SettingKind::Choice { values })
}

/// The setting that chooses the language of an automation's texts.
pub(super) const LANGUAGE: &str = "language";

/// The language of texts under `settings`.
pub(crate) fn locale(settings: &Map<String, Value>) -> &str {
    settings.get(LANGUAGE).and_then(Value::as_str).filter(|locale| LOCALES.contains(locale)).unwrap_or(LOCALES[0])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_checked_and_filled() {
        let setting = |name: &str, kind, default| Setting { name: name.to_owned(), kind, default, label: None, description: None };
        let settings = [
            setting("hours", SettingKind::Integer { min: Some(1.into()), max: Some(168.into()) }, Some(json!(24))),
            setting("from", SettingKind::TimeOfDay, Some(json!("08:00"))),
            setting("language", SettingKind::Choice { values: vec!["pt-BR".to_owned(), "en".to_owned()] }, Some(json!("pt-BR"))),
            setting("sender", SettingKind::String, None),
        ];
        let check = |given: Value| check_all(&settings, given.as_object().unwrap()).map(Value::Object);
        assert_eq!(
            check(json!({"sender": "x", "hours": 2})).unwrap(),
            json!({"hours": 2, "from": "08:00", "language": "pt-BR", "sender": "x"})
        );
        let problems = check(json!({"hours": 200, "from": "8h", "language": "fr", "colour": 1})).unwrap_err();
        assert_eq!(
            problems,
            [
                "there is no setting `colour`",
                "`hours` must be at most 168",
                "`from` must be a time such as 08:00",
                "`language` must be one of pt-BR, en",
                "`sender` must be chosen: it has no default",
            ]
        );
        assert!(check(json!({"sender": "x", "hours": 1.5})).is_err());
        assert!(check(json!({"sender": "x", "hours": 0})).is_err());
        assert!(check(json!({"sender": 1})).is_err());
    }
}
