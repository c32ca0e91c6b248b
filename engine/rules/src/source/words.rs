//! What people call the things of a provider: its events, the values in its payloads, its records.
//!
//! Sentences about rules are made of these words (see `sentence`). They stand as they are said, in small letters and with
//! their article, so that a sentence can bend them: `o título` becomes `do título`.

use std::collections::BTreeMap;

use crate::diagnostic::{error, warning};
use crate::path::Path;
use crate::reader::{Item, Table};
use crate::text::{LOCALES, Localised, Text, text};

/// The `[words]` of a source, or of one type of its records: names of paths, and of values that stand there.
#[derive(Clone, Debug, Default)]
pub struct Words {
    paths: Vec<(Path, Word)>,
}

/// What stands at one path.
#[derive(Clone, Debug)]
struct Word {
    title: Text,
    /// By the text that a payload has.
    values: BTreeMap<String, Text>,
}

impl Words {
    /// What people call that which stands at `path`.
    pub fn of(&self, path: &Path) -> Option<&Text> {
        self.at(path).map(|word| &word.title)
    }

    /// What people call `value` where it stands at `path`.
    pub fn value(&self, path: &Path, value: &str) -> Option<&Text> {
        self.at(path)?.values.get(value)
    }

    /// Each path that has words, with what people call that which stands there.
    pub fn all(&self) -> impl Iterator<Item = (&Path, &Text)> {
        self.paths.iter().map(|(path, word)| (path, &word.title))
    }

    fn at(&self, path: &Path) -> Option<&Word> {
        self.paths.iter().find(|(known, _)| same(known, path)).map(|(_, word)| word)
    }
}

/// Whether two queries are one, however they are written.
fn same(one: &Path, other: &Path) -> bool {
    one.as_str() == other.as_str() || (one.is_singular() && other.is_singular() && one.prefix() == other.prefix())
}

/// Reads `title`: how a sentence calls an event or a record.
pub(super) fn title(table: &Table<'_>) -> Option<Text> {
    table.get("title").and_then(said)
}

/// Reads `words`: texts by path, or `{ title, values }` by path.
pub(super) fn words(table: &Table<'_>) -> Words {
    let mut words = Words::default();
    let entries = table.table("words").map(|words| words.entries()).unwrap_or_default();
    for (key, item) in entries {
        let path = match Path::parse(key.value) {
            Ok(path) => path,
            Err(bad) => {
                let finding = error("bad-path", key.span, format!("this is not a JSONPath: {}", bad.message));
                table.report().push(finding.help("words are given to paths, such as \"$.data.title\""));
                continue;
            }
        };
        if words.at(&path).is_some() {
            table.report().push(error("contradiction", key.span, format!("`{}` has words already", key.value)));
            continue;
        }
        words.paths.extend(word(item).map(|word| (path, word)));
    }
    words
}

fn word(item: Item<'_>) -> Option<Word> {
    let whole = item.is_table().then(|| item.table("words")).flatten().filter(|table| table.get("title").is_some());
    let Some(table) = whole else { return Some(Word { title: said(item)?, values: BTreeMap::new() }) };
    let title = title(&table);
    let values = table.table("values").map(|values| values.entries()).unwrap_or_default();
    table.finish();
    let values = values.into_iter().filter_map(|(value, item)| Some((value.value.to_owned(), said(item)?))).collect();
    Some(Word { title: title?, values })
}

/// Reads words: some in each language, or the same for all.
fn said(item: Item<'_>) -> Option<Text> {
    let words = text(item)?;
    if words.values().any(|text| text.trim().is_empty()) {
        item.report().push(error("empty-text", item.span(), "these words are empty"));
        return None;
    }
    if let Localised::Each(each) = &words {
        let absent: Vec<&str> = LOCALES.into_iter().filter(|locale| !each.contains_key(*locale)).collect();
        if !absent.is_empty() {
            let finding = warning("missing-locale", item.span(), format!("there are no words in {}", absent.join(", ")));
            item.report().push(finding.help("sentences in that language would have these words in them"));
        }
    }
    Some(words)
}
