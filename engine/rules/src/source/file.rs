//! Reads source files.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::classes::{self, Classes};
use super::event_file::{events, record};
use super::{Format, Source, consents, receive, words};
use crate::diagnostic::{Report, error};
use crate::digest;
use crate::files::SampleText;
use crate::reader::{At, Item, Table, parse};
use crate::template::Templates;
use crate::text::{Text, text};
use crate::time;

/// What `format` may say; the first where it is absent.
pub(crate) const FORMATS: [(&str, Format); 3] = [("json", Format::Json), ("xml", Format::Xml), ("form", Format::Form)];

/// Reads the file of `report`, which may name some of `beside`. What cannot be read is reported and left out of the result, so that rules can still be
/// checked against the rest; nothing at all where the file is not TOML or has no id.
pub(crate) fn read(report: &Report<'_>, beside: &[SampleText], templates: &mut Templates) -> Option<(At<String>, Source)> {
    let document = parse(report)?;
    let table = Table::root(report, &document);
    let id = table.need_string("id");
    let title = table.get("title").and_then(text);
    let timezone = table.get("timezone").and_then(zone).unwrap_or(TimeZone::UTC);
    let clinic_timezone = table.get("clinic_timezone").and_then(zone);
    let receive = table.need("receive").and_then(|item| item.table("[receive]"));
    let receive = receive.as_ref().map(receive::receiving).unwrap_or_default();
    let mut events = events(&table, beside);
    let types: BTreeSet<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let records = table.tables("records").iter().filter_map(|table| record(table, &types)).collect();
    let (classes, health) = table.table("classes").map(|table| classes_of_all(&table)).unwrap_or_default();
    events.iter_mut().for_each(|event| event.classes = std::mem::take(&mut event.classes).before(&classes));
    let consents = consents::read(&table, &events, clinic_timezone.as_ref(), templates);
    let words = words::words(&table);
    table.finish();
    let id = id?;
    check_name(report, &id);
    // What the file says is also what the schemas say that it names.
    let schemas = events.iter().filter_map(|event| Some(event.shape.as_ref()?.text().as_bytes()));
    let digest = digest::of(&[report.file.text.as_bytes()].into_iter().chain(schemas).collect::<Vec<_>>());
    let source = Source {
        id: id.value.to_owned(),
        title: title.unwrap_or_else(|| Text::Same(id.value.to_owned())),
        file: report.file.name.clone(),
        timezone,
        clinic_timezone,
        formats: receive.formats,
        xml_root: receive.xml_root,
        max_body: receive.max_body,
        verify: receive.verify,
        insecure: receive.insecure,
        handshakes: receive.handshakes,
        ack: receive.ack,
        payload: receive.made.payload,
        split: receive.made.split,
        on_violation: receive.made.on_violation,
        events,
        records,
        health,
        consents,
        words,
        digest,
    };
    Some((At { value: id.value.to_owned(), span: id.span }, source))
}

/// Reports a name that does not look like one: it stands in URLs, ids and logs.
pub(crate) fn check_name(report: &Report<'_>, name: &At<&str>) {
    if !is_name(name.value) {
        let finding = error("bad-name", name.span.clone(), format!("`{}` is not a name", name.value));
        report.push(finding.help("a name begins with a letter and has lower-case letters, digits, `-` and `_`"));
    }
}

/// Whether `text` can be a name.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_lowercase())
        && text.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-' || char == '_')
}

/// A format, or a list of them; none where it has a mistake.
pub(super) fn formats(item: Item<'_>) -> Option<Vec<Format>> {
    let words = item.strings()?;
    if words.is_empty() && item.is_array() {
        item.report().push(error("empty-list", item.span(), "`format` needs at least one format"));
    }
    let mut formats = Vec::new();
    for word in &words {
        let Some((_, format)) = FORMATS.into_iter().find(|(known, _)| *known == word.value) else {
            let finding = error("unknown-format", word.span.clone(), format!("`{}` is not a format", word.value));
            item.report().push(finding.help("known are `json`, `xml`, `form` and a list of them"));
            return None;
        };
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    (!formats.is_empty()).then_some(formats)
}

pub(crate) fn zone(item: Item<'_>) -> Option<TimeZone> {
    let name = item.string()?;
    time::zone(name.value).or_else(|| {
        let finding = error("unknown-zone", name.span, format!("`{}` is not a time zone", name.value));
        item.report().push(finding.help("zones are those of the IANA database, such as `America/Sao_Paulo`"));
        None
    })
}

/// One of some words; the first where the key is absent.
pub(super) fn choice<T: Copy>(table: &Table<'_>, key: &'static str, known: &[(&str, T)]) -> Option<T> {
    match table.get(key) {
        None => known.first().map(|(_, value)| *value),
        Some(item) => pick(item, key, known),
    }
}

/// The value of a word.
pub(crate) fn pick<T: Copy>(item: Item<'_>, key: &str, known: &[(&str, T)]) -> Option<T> {
    let word = item.string()?;
    let found = known.iter().find(|(name, _)| *name == word.value).map(|(_, value)| *value);
    if found.is_none() {
        let finding = error("unknown-word", word.span, format!("`{}` is not a value of `{key}`", word.value));
        item.report().push(finding.meant(word.value, known.iter().map(|(name, _)| *name)));
    }
    found
}

/// Classes that hold for all events, and whether all about people is of their health.
fn classes_of_all(table: &Table<'_>) -> (Classes, bool) {
    let health = table.get("health").and_then(Item::boolean).unwrap_or_default();
    let classes = classes::read(table);
    table.finish();
    (classes, health)
}
