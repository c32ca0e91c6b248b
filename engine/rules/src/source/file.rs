//! Reads source files.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use super::classes::{self, Classes};
use super::event_file::{events, record};
use super::receive_file::{Made, made};
use super::{Algorithm, Encoding, Format, Scheme, Source, consents, verify, words};
use crate::diagnostic::{Report, error};
use crate::digest;
use crate::files::SampleText;
use crate::reader::{At, Item, Table, parse};
use crate::template::Templates;
use crate::text::{Text, text};
use crate::{time, xml};

/// The longest body where the file does not say: what providers send is far shorter.
const MAX_BODY_DEFAULT: usize = 256 * 1024;
/// No file may ask for more.
pub(crate) const MAX_BODY_MAX: usize = 16 * 1024 * 1024;

/// What `format` may say; the first where it is absent.
pub(crate) const FORMATS: [(&str, Format); 3] = [("json", Format::Json), ("xml", Format::Xml), ("form", Format::Form)];
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
    let receive = receive.as_ref().map(receiving).unwrap_or_default();
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

/// What `[receive]` says.
struct Receive {
    formats: Vec<Format>,
    xml_root: Option<String>,
    max_body: usize,
    verify: Vec<Scheme>,
    made: Made,
}

impl Default for Receive {
    fn default() -> Self {
        Self { formats: vec![Format::Json], xml_root: None, max_body: MAX_BODY_DEFAULT, verify: Vec::new(), made: Made::default() }
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
    let made = made(table);
    table.finish();
    Receive { formats: formats.unwrap_or_else(|| vec![Format::Json]), xml_root, max_body, verify, made }
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
            item.report().push(finding.help("known are `json`, `xml`, `form` and a list of them"));
            return None;
        };
        if !formats.contains(&format) {
            formats.push(format);
        }
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

fn encodings(table: &Table<'_>) -> Option<Vec<Encoding>> {
    let Some(item) = table.get("encodings") else { return Some(vec![Encoding::Hex]) };
    let items = item.array()?;
    Some(items.into_iter().filter_map(|item| pick(item, "encodings", &ENCODINGS)).collect())
}

fn signed(table: &Table<'_>) -> Option<Vec<verify::Part>> {
    let Some(template) = table.string("signed") else { return Some(vec![verify::Part::Body]) };
    verify::signed(template.value).map_err(|why| table.report().push(error("bad-signed", template.span, why))).ok()
}

/// Classes that hold for all events, and whether all about people is of their health.
fn classes_of_all(table: &Table<'_>) -> (Classes, bool) {
    let health = table.get("health").and_then(Item::boolean).unwrap_or_default();
    let classes = classes::read(table);
    table.finish();
    (classes, health)
}
