//! Reads source files.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use zelo_core::IdentityKind;

use super::changes::Changes;
use super::classes::{self, CLASSES, Class, Classes};
use super::{
    Algorithm, Encoding, EntityMapping, EventMapping, Format, Match, PersonMapping, Place, RecordMapping, Scheme, Source, consents, verify,
    words,
};
use crate::diagnostic::{Report, error, warning};
use crate::digest;
use crate::path::Path;
use crate::reader::{At, Item, Table, parse};
use crate::template::Templates;
use crate::text::{Text, text};
use crate::{time, xml};

/// The longest body where the file does not say: what providers send is far shorter.
const MAX_BODY_DEFAULT: usize = 256 * 1024;
/// No file may ask for more.
pub(crate) const MAX_BODY_MAX: usize = 16 * 1024 * 1024;

/// What `format` may say; the first where it is absent.
pub(crate) const FORMATS: [(&str, Format); 3] = [("json", Format::Json), ("xml", Format::Xml), ("cloudevents", Format::CloudEvents)];
/// What `algorithm` may say; the first where it is absent.
pub(crate) const ALGORITHMS: [(&str, Algorithm); 3] =
    [("sha256", Algorithm::Sha256), ("sha1", Algorithm::Sha1), ("sha512", Algorithm::Sha512)];
/// What `encodings` may name; the first where it is absent.
pub(crate) const ENCODINGS: [(&str, Encoding); 2] = [("hex", Encoding::Hex), ("base64", Encoding::Base64)];
/// The ways to verify a delivery, as `kind` names them.
pub(crate) const KINDS: [(&str, Way); 2] = [("hmac", Way::Hmac), ("token", Way::Token)];

/// A way to verify a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Hmac,
    Token,
}

/// Reads the file of `report`. What cannot be read is reported and left out of the result, so that rules can still be
/// checked against the rest; nothing at all where the file is not TOML or has no id.
pub(crate) fn read(report: &Report<'_>, templates: &mut Templates) -> Option<(At<String>, Source)> {
    let document = parse(report)?;
    let table = Table::root(report, &document);
    let id = table.need_string("id");
    let title = table.get("title").and_then(text);
    let timezone = table.get("timezone").and_then(zone).unwrap_or(TimeZone::UTC);
    let clinic_timezone = table.get("clinic_timezone").and_then(zone);
    let receive = table.need("receive").and_then(|item| item.table("[receive]"));
    let receive = receive.as_ref().map(receiving).unwrap_or_default();
    let mut events = events(&table);
    if receive.formats.contains(&Format::CloudEvents) {
        events.iter_mut().for_each(identify);
    }
    let types: BTreeSet<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let records = table.tables("records").iter().filter_map(|table| record(table, &types)).collect();
    let (classes, health) = table.table("classes").map(|table| classes_of_all(&table)).unwrap_or_default();
    events.iter_mut().for_each(|event| event.classes = std::mem::take(&mut event.classes).before(&classes));
    let consents = consents::read(&table, &events, clinic_timezone.as_ref(), templates);
    let words = words::words(&table);
    table.finish();
    let id = id?;
    check_name(report, &id);
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
        events,
        records,
        health,
        consents,
        words,
        digest: digest::of(&[report.file.text.as_bytes()]),
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

/// What `[receive]` says.
struct Receive {
    formats: Vec<Format>,
    xml_root: Option<String>,
    max_body: usize,
    verify: Vec<Scheme>,
}

impl Default for Receive {
    fn default() -> Self {
        Self { formats: vec![Format::Json], xml_root: None, max_body: MAX_BODY_DEFAULT, verify: Vec::new() }
    }
}

fn receiving(table: &Table<'_>) -> Receive {
    let formats = table.get("format").map_or_else(|| Some(vec![Format::Json]), formats);
    let xml_root = table.string("xml_root").and_then(|root| {
        if formats.as_ref().is_some_and(|formats| !formats.contains(&Format::Xml)) {
            let finding = error("contradiction", root.span, "`xml_root` is for bodies in XML, which `format` does not name");
            table.report().push(finding);
            return None;
        }
        if !xml::is_name(root.value) {
            table.report().push(error("bad-name", root.span, format!("`{}` is not the name of an element", root.value)));
            return None;
        }
        Some(root.value.to_owned())
    });
    let max_body = table.get("max_body").and_then(size).unwrap_or(MAX_BODY_DEFAULT);
    let verify = table.need("verify").map(schemes).unwrap_or_default();
    table.finish();
    Receive { formats: formats.unwrap_or_else(|| vec![Format::Json]), xml_root, max_body, verify }
}

/// A format, or a list of them; none where it has a mistake.
fn formats(item: Item<'_>) -> Option<Vec<Format>> {
    let words = item.strings()?;
    if words.is_empty() && item.is_array() {
        item.report().push(error("empty-list", item.span(), "`format` needs at least one format"));
    }
    let mut formats = Vec::new();
    for word in &words {
        let Some((_, format)) = FORMATS.into_iter().find(|(known, _)| *known == word.value) else {
            let finding = error("unknown-format", word.span.clone(), format!("`{}` is not a format", word.value));
            item.report().push(finding.help("known are `json`, `xml`, a list of both, and `cloudevents`"));
            return None;
        };
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    if formats.len() > 1 && formats.contains(&Format::CloudEvents) {
        let finding = error("contradiction", item.span(), "`cloudevents` says by itself how an event may be written");
        item.report().push(finding.help("a source takes CloudEvents or something else; write `format = \"cloudevents\"`"));
        return None;
    }
    (!formats.is_empty()).then_some(formats)
}

/// Reads `512`, `"64KiB"` or `"1MiB"`.
fn size(item: Item<'_>) -> Option<usize> {
    let bytes = if item.is_string() { size_of(item.string()?.value) } else { usize::try_from(item.integer()?).ok() };
    let fits = bytes.filter(|bytes| (1..=MAX_BODY_MAX).contains(bytes));
    fits.or_else(|| item.mismatch("a size of at most 16 MiB, such as \"256KiB\""))
}

/// The bytes that `64KiB` stands for.
pub(crate) fn size_of(text: &str) -> Option<usize> {
    let (digits, unit) = match (text.strip_suffix("KiB"), text.strip_suffix("MiB")) {
        (Some(digits), _) => (digits, 1024),
        (_, Some(digits)) => (digits, 1024 * 1024),
        _ => (text, 1),
    };
    let digits = Some(digits.trim()).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

pub(crate) fn zone(item: Item<'_>) -> Option<TimeZone> {
    let name = item.string()?;
    time::zone(name.value).or_else(|| {
        let finding = error("unknown-zone", name.span, format!("`{}` is not a time zone", name.value));
        item.report().push(finding.help("zones are those of the IANA database, such as `America/Sao_Paulo`"));
        None
    })
}

fn schemes(item: Item<'_>) -> Vec<Scheme> {
    let Some(table) = item.table("verify") else { return Vec::new() };
    let Some(any) = table.get("any") else { return scheme(&table).into_iter().collect() };
    table.finish();
    let items = any.array().unwrap_or_default();
    if items.is_empty() {
        any.report().push(error("empty-list", any.span(), "`any` needs at least one way to verify a delivery"));
    }
    items.into_iter().filter_map(|item| scheme(&item.table("verify")?)).collect()
}

fn scheme(table: &Table<'_>) -> Option<Scheme> {
    let kind = table.need_string("kind")?;
    let header = table.need_string("header").map(|header| header.value.to_ascii_lowercase());
    let prefix = table.string("prefix").map(|prefix| prefix.value.to_owned());
    let Some((_, way)) = KINDS.into_iter().find(|(known, _)| *known == kind.value) else {
        let finding = error("unknown-kind", kind.span, format!("`{}` is not a way to verify a delivery", kind.value));
        table.report().push(finding.meant(kind.value, KINDS.map(|(known, _)| known)));
        return None;
    };
    let scheme = match way {
        Way::Hmac => {
            let algorithm = choice(table, "algorithm", &ALGORITHMS);
            let encodings = encodings(table);
            let signed = signed(table);
            let verified = table.get("verified").and_then(Item::boolean).unwrap_or(true);
            table.finish();
            Scheme::Hmac { header: header?, prefix, signed: signed?, algorithm: algorithm?, encodings: encodings?, verified }
        }
        Way::Token => {
            table.finish();
            Scheme::Token { header: header?, prefix }
        }
    };
    Some(scheme)
}

/// One of some words; the first where the key is absent.
fn choice<T: Copy>(table: &Table<'_>, key: &'static str, known: &[(&str, T)]) -> Option<T> {
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

fn encodings(table: &Table<'_>) -> Option<Vec<Encoding>> {
    let Some(item) = table.get("encodings") else { return Some(vec![Encoding::Hex]) };
    let items = item.array()?;
    Some(items.into_iter().filter_map(|item| pick(item, "encodings", &ENCODINGS)).collect())
}

fn signed(table: &Table<'_>) -> Option<Vec<verify::Part>> {
    let Some(template) = table.string("signed") else { return Some(vec![verify::Part::Body]) };
    verify::signed(template.value).map_err(|why| table.report().push(error("bad-signed", template.span, why))).ok()
}

fn events(table: &Table<'_>) -> Vec<EventMapping> {
    let tables = table.tables("events");
    if tables.is_empty() {
        table.report().push(error("missing-key", 0..0, "a source needs at least one [[events]]"));
    }
    let events = tables.iter().filter_map(event).collect();
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

fn event(table: &Table<'_>) -> Option<EventMapping> {
    let matches = table.get("match").map_or_else(|| Some(Match::default()), |item| item.table("match").map(|table| matching(&table)));
    let kind = table.need_string("type");
    let time = table.get("time").and_then(Item::path);
    let entity = table.get("entity").and_then(|item| item.table("entity")).and_then(|table| entity(&table));
    let subjects = table.get("subjects").and_then(Item::array).unwrap_or_default();
    let subjects = subjects.into_iter().enumerate().filter_map(|(place, item)| subject(&item.table("subjects")?, place == 0)).collect();
    let clinic = table.get("clinic").and_then(place);
    let id = table.get("id").and_then(Item::path).into_iter().collect();
    let changes = table.get("changes").and_then(|item| item.table("changes")).and_then(|table| changes(&table));
    let sample = table.string("sample").map(|sample| sample.value.to_owned());
    let title = words::title(table);
    let class = choice(table, "class", &CLASSES).unwrap_or(Class::Sensitive);
    let classes = table.get("classes").and_then(|item| item.table("classes")).map(|table| classes_of_event(&table)).unwrap_or_default();
    table.finish();
    let kind = kind?;
    check_type(table.report(), &kind);
    let kind = kind.value.to_owned();
    Some(EventMapping { matches: matches?, kind, time, entity, subjects, clinic, id, changes, sample, title, class, classes })
}

/// What every CloudEvent says of itself: `source` and `id` are its identity together, and `time` is when it happened.
fn identify(event: &mut EventMapping) {
    let attribute = |name: &str| Path::parse(name).ok();
    if event.id.is_empty() {
        event.id = ["$.source", "$.id"].into_iter().filter_map(attribute).collect();
    }
    event.time = event.time.take().or_else(|| attribute("$.time"));
}

/// Classes that hold for events of one mapping, before those of the source.
fn classes_of_event(table: &Table<'_>) -> Classes {
    let classes = classes::read(table);
    table.finish();
    classes
}

/// Classes that hold for all events, and whether all about people is of their health.
fn classes_of_all(table: &Table<'_>) -> (Classes, bool) {
    let health = table.get("health").and_then(Item::boolean).unwrap_or_default();
    let classes = classes::read(table);
    table.finish();
    (classes, health)
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

fn matching(table: &Table<'_>) -> Match {
    let path = table.string("path").map(|path| path.value.trim_matches('/').to_owned());
    let header = table.get("header").and_then(|item| item.table("header")).and_then(|table| {
        let pair = (table.need_string("name"), table.need_string("equals"));
        table.finish();
        Some((pair.0?.value.to_owned(), pair.1?.value.to_owned()))
    });
    let body = table.get("body").and_then(|item| item.table("body")).and_then(|table| {
        let pair = (table.need("path").and_then(Item::path), table.need("equals").and_then(Item::json));
        table.finish();
        Some((pair.0?, pair.1?))
    });
    table.finish();
    Match { path, header, body }
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

fn record(table: &Table<'_>, types: &BTreeSet<&str>) -> Option<RecordMapping> {
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
