//! Texts in several languages.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::diagnostic::error;
use crate::reader::Item;

/// The languages that zelo speaks (BCP 47); the first is what is used where nobody chose.
pub const LOCALES: [&str; 2] = ["pt-BR", "en"];

/// Something for every language, or one thing for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Localised<T> {
    /// The same in every language.
    Same(T),
    /// By language.
    Each(BTreeMap<String, T>),
}

/// A text for people.
pub type Text = Localised<String>;

impl<T> Localised<T> {
    /// What there is for `locale`: in that language, else in the first of [`LOCALES`] that there is.
    pub fn get(&self, locale: &str) -> Option<&T> {
        match self {
            Self::Same(value) => Some(value),
            Self::Each(values) => {
                values.get(locale).or_else(|| LOCALES.iter().find_map(|locale| values.get(*locale))).or_else(|| values.values().next())
            }
        }
    }

    /// All of them.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        let (one, each) = match self {
            Self::Same(value) => (Some(value), None),
            Self::Each(values) => (None, Some(values.values())),
        };
        one.into_iter().chain(each.into_iter().flatten())
    }
}

/// Reads a string, or a table of strings by language; `read` makes something of each.
pub(crate) fn localised<'a, T>(item: Item<'a>, mut read: impl FnMut(Item<'a>) -> Option<T>) -> Option<Localised<T>> {
    if !item.is_table() {
        return read(item).map(Localised::Same);
    }
    let table = item.table("a text by language")?;
    let mut values = BTreeMap::new();
    for (locale, item) in table.entries() {
        if LOCALES.contains(&locale.value) {
            values.extend(read(item).map(|value| (locale.value.to_owned(), value)));
        } else {
            let finding = error("unknown-locale", locale.span, format!("`{}` is not a language of zelo", locale.value));
            item.report().push(finding.meant(locale.value, LOCALES));
        }
    }
    (!values.is_empty()).then_some(Localised::Each(values))
}

/// Reads a text for people.
pub(crate) fn text(item: Item<'_>) -> Option<Text> {
    localised(item, |item| Some(item.string()?.value.to_owned()))
}
