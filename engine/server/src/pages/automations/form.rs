//! Settings as a form: a field for each, typed; what it prints for what may be chosen reads back as the same.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::{Map, Number, Value};
use zelo_rules::{Setting, SettingKind, SettingRefused};

use super::words::Words;
use crate::pages::words::Words as Common;

/// Before the names of settings among the fields of a form.
const PREFIX: &str = "s.";

/// Longer texts get several lines.
const LINE_MAX: usize = 60;

/// What somebody filled in, by the names of settings.
pub(super) type Texts = BTreeMap<String, String>;

/// What cannot be taken, by the names of settings.
pub(super) type Wrongs = BTreeMap<String, Wrong>;

/// Why a field cannot be taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wrong {
    Missing,
    Refused(SettingRefused),
    /// Hours that end before they begin.
    Turned,
}

/// The fields of settings among all `fields` of a form; of several with one name, the last.
pub(super) fn texts(fields: &[(String, String)]) -> Texts {
    fields.iter().filter_map(|(name, text)| Some((name.strip_prefix(PREFIX)?.to_owned(), text.clone()))).collect()
}

/// What `settings` look like as they are chosen, with defaults for the rest.
pub(super) fn print(settings: &[Setting], chosen: &Map<String, Value>) -> Texts {
    let printed = settings.iter().filter_map(|setting| {
        let value = chosen.get(&setting.name).or(setting.default.as_ref())?;
        match (&setting.kind, value) {
            // A box that is not ticked sends nothing.
            (SettingKind::Boolean, Value::Bool(false)) => None,
            (_, Value::String(text)) => Some((setting.name.clone(), text.clone())),
            (_, value) => Some((setting.name.clone(), value.to_string())),
        }
    });
    printed.collect()
}

/// What `texts` choose, without what is a default anyway.
///
/// # Errors
/// All that cannot be taken.
pub(super) fn read(settings: &[Setting], texts: &Texts) -> Result<Map<String, Value>, Wrongs> {
    let (mut chosen, mut wrongs) = (Map::new(), Wrongs::new());
    for setting in settings {
        match value(setting, texts.get(&setting.name).map(String::as_str)) {
            Ok(Some(value)) if setting.default.as_ref() != Some(&value) => drop(chosen.insert(setting.name.clone(), value)),
            Ok(_) => {}
            Err(wrong) => drop(wrongs.insert(setting.name.clone(), wrong)),
        }
    }
    if wrongs.is_empty() { Ok(chosen) } else { Err(wrongs) }
}

/// What `text` chooses; none: the default.
fn value(setting: &Setting, text: Option<&str>) -> Result<Option<Value>, Wrong> {
    let missing = || if setting.default.is_some() { Ok(None) } else { Err(Wrong::Missing) };
    let value = match (&setting.kind, text) {
        // A box that is not ticked sends nothing.
        (SettingKind::Boolean, text) => Value::Bool(text == Some("true")),
        (_, None) => return missing(),
        (kind, Some(text)) => match kind {
            SettingKind::String if text.is_empty() && setting.default.is_none() => return missing(),
            // Browsers end lines with both (HTML, 4.10.21.7).
            SettingKind::String => Value::String(text.replace("\r\n", "\n")),
            _ if text.trim().is_empty() => return missing(),
            SettingKind::Integer { .. } => Value::Number(number(text).ok_or(Wrong::Refused(SettingRefused::NoInteger))?),
            SettingKind::Number { .. } => Value::Number(number(text).ok_or(Wrong::Refused(SettingRefused::NoNumber))?),
            SettingKind::Boolean | SettingKind::Choice { .. } => Value::String(text.to_owned()),
            SettingKind::Duration | SettingKind::TimeOfDay => Value::String(text.trim().to_owned()),
        },
    };
    match setting.kind.refuses(&value) {
        None => Ok(Some(value)),
        Some(refused) => Err(Wrong::Refused(refused)),
    }
}

/// A number as people write it, with a point or a comma before its decimals.
fn number(text: &str) -> Option<Number> {
    let text = text.trim();
    let whole = text.parse::<i64>().ok().map(Number::from);
    whole.or_else(|| serde_json::from_str(&text.replacen(',', ".", 1)).ok())
}

/// What a form is drawn from.
pub(super) struct Form<'f> {
    pub(super) words: &'static Words,
    pub(super) common: &'static Common,
    pub(super) settings: &'f [Setting],
    pub(super) texts: &'f Texts,
    pub(super) wrongs: &'f Wrongs,
    /// How they stand, where somebody else has changed them meanwhile.
    pub(super) meanwhile: Option<&'f Texts>,
}

impl Form<'_> {
    /// A field for each setting.
    pub(super) fn fields(&self) -> Markup {
        html! { @for setting in self.settings { (self.field(setting)) } }
    }

    /// What is chosen, for who may not change it.
    pub(super) fn facts(&self) -> Markup {
        html! {
            dl.chosen {
                @for setting in self.settings {
                    div { dt { (label(setting, self.common)) } dd { (self.told(setting, self.texts.get(&setting.name).map_or("", String::as_str))) } }
                }
            }
        }
    }

    fn field(&self, setting: &Setting) -> Markup {
        let id = format!("s-{}", setting.name);
        let wrong = self.wrongs.get(&setting.name);
        let hints = self.hints(setting);
        let now = self.stands(setting);
        let named = |is: bool, part: &str| is.then(|| format!("{id}-{part}"));
        let described = [named(!hints.is_empty(), "hint"), named(now.is_some(), "now"), named(wrong.is_some(), "wrong")];
        let described: Vec<String> = described.into_iter().flatten().collect();
        let described = (!described.is_empty()).then(|| described.join(" "));
        html! {
            div.field {
                @if setting.kind == SettingKind::Boolean {
                    (self.control(setting, &id, described.as_deref(), wrong.is_some()))
                    label for=(id) { (label(setting, self.common)) }
                } @else {
                    label for=(id) { (label(setting, self.common)) }
                    (self.control(setting, &id, described.as_deref(), wrong.is_some()))
                }
                @if !hints.is_empty() { p.hint id={ (id) "-hint" } { (hints.join(" ")) } }
                @if let Some(now) = now { p.warn id={ (id) "-now" } { (self.words.stands) " " strong { (now) } } }
                @if let Some(wrong) = wrong { p.error id={ (id) "-wrong" } { (self.why(wrong)) } }
            }
        }
    }

    fn control(&self, setting: &Setting, id: &str, described: Option<&str>, wrong: bool) -> Markup {
        let name = format!("{PREFIX}{}", setting.name);
        let text = self.texts.get(&setting.name).map_or("", String::as_str);
        let invalid = wrong.then_some("true");
        let required = setting.default.is_none();
        match &setting.kind {
            SettingKind::Boolean => html! {
                input type="checkbox" id=(id) name=(name) value="true" checked[text == "true"] aria-describedby=[described] aria-invalid=[invalid];
            },
            SettingKind::Choice { values } => html! {
                select id=(id) name=(name) required[required] aria-describedby=[described] aria-invalid=[invalid] {
                    @if !values.iter().any(|value| value == text) { option value="" selected {} }
                    @for value in values { option value=(value) selected[value == text] { (choice(setting, value)) } }
                }
            },
            SettingKind::Integer { min, max } | SettingKind::Number { min, max } => {
                let step = if matches!(setting.kind, SettingKind::Integer { .. }) { "1" } else { "any" };
                html! {
                    input type="number" id=(id) name=(name) value=(text) step=(step) min=[min.as_ref()] max=[max.as_ref()] required[required]
                        aria-describedby=[described] aria-invalid=[invalid];
                }
            }
            // Midnight at the end of a day is no time of a browser's.
            SettingKind::TimeOfDay if text.is_empty() || (text.len() == 5 && text != "24:00" && !wrong) => html! {
                input type="time" id=(id) name=(name) value=(text) required[required] aria-describedby=[described] aria-invalid=[invalid];
            },
            SettingKind::String if text.len() > LINE_MAX || text.contains('\n') => html! {
                textarea id=(id) name=(name) rows="4" required[required] aria-describedby=[described] aria-invalid=[invalid] { "\n" (text) }
            },
            SettingKind::String | SettingKind::TimeOfDay | SettingKind::Duration => html! {
                input type="text" id=(id) name=(name) value=(text) required[required] autocomplete="off" aria-describedby=[described]
                    aria-invalid=[invalid];
            },
        }
    }

    /// What there is to know about a field: its description, its form, its bounds and its default.
    fn hints(&self, setting: &Setting) -> Vec<String> {
        let mut hints: Vec<String> = Vec::new();
        hints.extend(setting.description.as_ref().and_then(|text| text.get(self.common.lang)).cloned());
        match &setting.kind {
            SettingKind::Duration => hints.push(self.words.duration_how.to_owned()),
            SettingKind::Integer { min: Some(min), max: Some(max) } | SettingKind::Number { min: Some(min), max: Some(max) } => {
                hints.push(format!("{} {min} {} {max}.", capital(self.words.from), self.words.to));
            }
            _ => {}
        }
        let default = setting.default.as_ref().filter(|default| !default.as_str().is_some_and(str::is_empty));
        hints.extend(default.map(|default| {
            let text = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
            format!("{} {}.", self.words.default, self.told(setting, &text))
        }));
        hints
    }

    /// How a setting stands for who has filled in something else, where somebody has changed it meanwhile.
    fn stands(&self, setting: &Setting) -> Option<String> {
        let text = |texts: &Texts| texts.get(&setting.name).cloned().unwrap_or_default();
        let now = text(self.meanwhile?);
        (now != text(self.texts)).then(|| self.told(setting, &now))
    }

    /// A chosen value, for people.
    fn told(&self, setting: &Setting, text: &str) -> String {
        match &setting.kind {
            SettingKind::Boolean => (if text == "true" { self.words.yes } else { self.words.no }).to_owned(),
            SettingKind::Choice { .. } => choice(setting, text).to_owned(),
            SettingKind::Number { .. } if !self.common.is_english() => text.replacen('.', ",", 1),
            _ if text.is_empty() => "—".to_owned(),
            _ => text.to_owned(),
        }
    }

    fn why(&self, wrong: &Wrong) -> String {
        match wrong {
            Wrong::Missing => self.words.must_choose.to_owned(),
            Wrong::Refused(refused) => self.words.refused(self.common, refused),
            Wrong::Turned => self.words.turned.to_owned(),
        }
    }
}

/// What people call a setting.
pub(super) fn label<'s>(setting: &'s Setting, common: &Common) -> &'s str {
    setting.label.as_ref().and_then(|label| label.get(common.lang)).unwrap_or(&setting.name)
}

/// What people call one of several values: languages have names.
fn choice<'v>(setting: &Setting, value: &'v str) -> &'v str {
    match (setting.name.as_str(), value) {
        ("language", "pt-BR") => "Português",
        ("language", "en") => "English",
        _ => value,
    }
}

/// With a capital at its beginning.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
