//! Reads the `[[events]]` and `[[records]]` of source files.

use std::collections::{BTreeMap, BTreeSet};

use zelo_core::IdentityKind;

use super::around::Given;
use super::changes::Changes;
use super::classes::{self, CLASSES, Class, Classes};
use super::file::choice;
use super::receive_file::around;
use super::shape::Shape;
use super::{EntityMapping, EventMapping, Holds, Match, PersonMapping, Place, RecordMapping, Wanted, words};
use crate::diagnostic::{Report, error, warning};
use crate::files::SampleText;
use crate::path::Path;
use crate::reader::{At, Item, Table};

/// Reads all `[[events]]`, whose schemas are `beside` the file.
pub(super) fn events(table: &Table<'_>, beside: &[SampleText]) -> Vec<EventMapping> {
    let tables = table.tables("events");
    if tables.is_empty() {
        table.report().push(error("missing-key", 0..0, "a source needs at least one [[events]]"));
    }
    let events = tables.iter().filter_map(|table| event(table, beside)).collect();
    let before_last = tables.split_last().map_or(&[] as &[Table<'_>], |(_, before)| before);
    if let Some(takes_all) = before_last.iter().find(|table| is_last_resort(table)) {
        let finding = warning("never-reached", takes_all.span.clone(), "without a `match` this takes whatever comes");
        table.report().push(finding.help("the [[events]] below it are never reached; put it last"));
    }
    events
}

/// Whether it says nothing about what it matches.
fn is_last_resort(table: &Table<'_>) -> bool {
    table.get("match").is_none_or(|item| item.is_table() && item.table("match").is_some_and(|matches| matches.entries().is_empty()))
}

fn event(table: &Table<'_>, beside: &[SampleText]) -> Option<EventMapping> {
    let matches = table.get("match").map_or_else(|| Some(Match::default()), |item| item.table("match").map(|table| matching(&table)));
    let kind = table.need_string("type");
    let time = table.get("time").and_then(given);
    let entity = table.get("entity").and_then(|item| item.table("entity")).and_then(|table| entity(&table));
    let subjects = table.get("subjects").and_then(Item::array).unwrap_or_default();
    let subjects = subjects.into_iter().enumerate().filter_map(|(place, item)| subject(&item.table("subjects")?, place == 0)).collect();
    let clinic = table.get("clinic").and_then(place);
    let id = table.get("id").map(identity).unwrap_or_default();
    let shape = table.string("schema").and_then(|name| shape(table.report(), name, beside));
    let changes = table.get("changes").and_then(|item| item.table("changes")).and_then(|table| changes(&table));
    let sample = table.string("sample").map(|sample| sample.value.to_owned());
    let title = words::title(table);
    let class = choice(table, "class", &CLASSES).unwrap_or(Class::Sensitive);
    let classes = table.get("classes").and_then(|item| item.table("classes")).map(|table| classes_of_event(&table)).unwrap_or_default();
    table.finish();
    let kind = kind?;
    check_type(table.report(), &kind);
    let kind = kind.value.to_owned();
    Some(EventMapping { matches: matches?, kind, time, entity, subjects, clinic, id, changes, shape, sample, title, class, classes })
}

/// Classes that hold for events of one mapping, before those of the source.
fn classes_of_event(table: &Table<'_>) -> Classes {
    let classes = classes::read(table);
    table.finish();
    classes
}

/// Where an edit says what it changed: each a path that yields one value.
fn changes(table: &Table<'_>) -> Option<Changes> {
    let path = |key: &'static str| {
        let item = table.need(key)?;
        let path = item.path()?;
        if !path.is_singular() {
            let finding = error("not-singular", item.span(), format!("`{}` may yield several values", path.as_str()));
            table.report().push(finding.help(format!("`{key}` is a path of names and indexes")));
            return None;
        }
        Some(path)
    };
    let (of, old, new) = (path("of"), path("old"), path("new"));
    table.finish();
    Some(Changes { of: of?, old: old?, new: new? })
}

fn check_type(report: &Report<'_>, kind: &At<&str>) {
    if !is_type(kind.value) {
        let finding = error("bad-type", kind.span.clone(), format!("`{}` is not an event type", kind.value));
        report.push(finding.help("a type is words with dots between, such as `appointment.created`"));
    }
}

/// Whether `text` can be the type of an event that a source gives.
pub(crate) fn is_type(text: &str) -> bool {
    let word = |part: &str| !part.is_empty() && part.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_');
    text.contains('.') && text.split('.').all(word)
}

/// A path, or a text over what stands around the body.
fn given(item: Item<'_>) -> Option<Given> {
    let text = item.string()?;
    if text.value.starts_with('$') || !text.value.contains('{') {
        return item.path().map(Given::Path);
    }
    around(item).map(Given::Around)
}

/// What identifies a delivery: one part, or a list of them.
fn identity(item: Item<'_>) -> Vec<Given> {
    if !item.is_array() {
        return given(item).into_iter().collect();
    }
    let items = item.array().unwrap_or_default();
    if items.is_empty() {
        item.report().push(error("empty-list", item.span(), "`id` needs at least one part"));
    }
    items.into_iter().filter_map(given).collect()
}

/// The schema called `name`.
fn shape(report: &Report<'_>, name: At<&str>, beside: &[SampleText]) -> Option<Shape> {
    let text = beside.iter().find(|text| text.source == report.file.name && text.name == name.value);
    // Without it nothing of the type could be told from what it should be.
    let text = text.map_or(Err("nobody looked for it"), |text| text.text.as_deref().map_err(String::as_str));
    let missing = |why| ("missing-schema", format!("the schema cannot be read: {why}"));
    let bad = |why| ("bad-schema", format!("this is not a JSON Schema that stands alone: {why}"));
    text.map_err(missing)
        .and_then(|text| Shape::read(name.value, text).map_err(bad))
        .map_err(|(code, text)| {
            report.push(
                error(code, name.span, text)
                    .help("schemas are named from the folder of this file, and refer to nothing outside of themselves"),
            );
        })
        .ok()
}

fn matching(table: &Table<'_>) -> Match {
    let path = table.string("path").map(|path| path.value.trim_matches('/').to_owned());
    let pair = |key: &'static str| {
        let table = table.get(key)?.table(key)?;
        let pair = (table.need_string("name"), table.need_string("equals"));
        table.finish();
        Some((pair.0?.value.to_owned(), pair.1?.value.to_owned()))
    };
    let (header, query) = (pair("header"), pair("query"));
    let body = table.get("body").map(|item| if item.is_array() { item.array().unwrap_or_default() } else { vec![item] });
    let body = body.unwrap_or_default().into_iter().filter_map(|item| holding(&item.table("body")?)).collect();
    table.finish();
    Match { path, header, query, body }
}

/// What must hold of the payload.
fn holding(table: &Table<'_>) -> Option<Holds> {
    let path = table.need("path").and_then(Item::path);
    let wanted = match table.get("exists") {
        Some(item) => {
            if let Some(equals) = table.get("equals") {
                table.report().push(error("contradiction", equals.span(), "`equals` says more than `exists`: leave one of them out"));
            }
            item.boolean().map(Wanted::Exists)
        }
        None => table.need("equals").and_then(Item::json).map(Wanted::Equals),
    };
    table.finish();
    Some(Holds { path: path?, wanted: wanted? })
}

fn entity(table: &Table<'_>) -> Option<EntityMapping> {
    let kind = table.need_string("type");
    let id = table.need("id").and_then(Item::path);
    table.finish();
    Some(EntityMapping { kind: kind?.value.to_owned(), id: id? })
}

fn subject(table: &Table<'_>, is_main: bool) -> Option<PersonMapping> {
    let id = table.need("id").and_then(Item::path);
    let path = |kind: IdentityKind| Some((kind, table.get(kind.as_str())?.path()?));
    let identities = IdentityKind::ALL.into_iter().filter_map(path).collect();
    let of = table.get("of").map(|item| if is_main { no_parts(item) } else { parts(item) }).unwrap_or_default();
    table.finish();
    Some(PersonMapping { id: id?, identities, of })
}

/// What of a payload is one person's alone: paths that yield one value.
fn parts(item: Item<'_>) -> Vec<Path> {
    let items = item.array().unwrap_or_default();
    let part = |item: Item<'_>| {
        let path = item.path()?;
        if !path.is_singular() {
            let finding = error("not-singular", item.span(), format!("`{}` may yield several values", path.as_str()));
            item.report().push(finding.help("`of` names parts of the payload by names and indexes"));
            return None;
        }
        Some(path)
    };
    items.into_iter().filter_map(part).collect()
}

fn no_parts(item: Item<'_>) -> Vec<Path> {
    let finding = error("contradiction", item.span(), "the first person is the one that all the rest of the payload is about");
    item.report().push(finding.help("say `of` of the others: what of the payload is theirs alone"));
    Vec::new()
}

/// A path, or a text that does not begin like one.
fn place(item: Item<'_>) -> Option<Place> {
    let text = item.string()?;
    if text.value.starts_with('$') { item.path().map(Place::Path) } else { Some(Place::Literal(text.value.to_owned())) }
}

/// Reads one of `[[records]]`, which names some of `types`.
pub(super) fn record(table: &Table<'_>, types: &BTreeSet<&str>) -> Option<RecordMapping> {
    let kind = table.need_string("type");
    let on = table.need("on").and_then(Item::strings).unwrap_or_default();
    let on = on.iter().flat_map(|pattern| expand(table.report(), pattern, types)).collect();
    let key = table.need("key").and_then(Item::path);
    let keep = table.need("keep").and_then(|item| item.table("keep")).map(|table| keep(&table)).unwrap_or_default();
    let subject = table.get("subject").and_then(Item::path);
    let clinic = table.get("clinic").and_then(place);
    let (title, words) = (words::title(table), words::words(table));
    table.finish();
    Some(RecordMapping { kind: kind?.value.to_owned(), on, key: key?, keep, subject, clinic, title, words })
}

fn keep(table: &Table<'_>) -> BTreeMap<String, Path> {
    table.entries().into_iter().filter_map(|(name, item)| Some((name.value.to_owned(), item.path()?))).collect()
}

/// The types that `pattern` names: itself, or with `.*` at its end all that begin so. One that names nothing is reported.
pub(crate) fn expand(report: &Report<'_>, pattern: &At<&str>, types: &BTreeSet<&str>) -> Vec<String> {
    let found: Vec<String> = match pattern.value.strip_suffix('*') {
        Some(beginning) if beginning.ends_with('.') => {
            types.iter().filter(|kind| kind.starts_with(beginning)).map(|kind| (*kind).to_owned()).collect()
        }
        _ => types.get(pattern.value).map(|kind| (*kind).to_owned()).into_iter().collect(),
    };
    if found.is_empty() {
        let finding = error("unknown-type", pattern.span.clone(), format!("no source names the event type `{}`", pattern.value));
        report.push(finding.meant(pattern.value, types.iter().copied()));
    }
    found
}
