//! Reads `[receive]`: how deliveries look, and how they prove where they come from.

use super::file::{choice, formats, pick};
use super::{Algorithm, Encoding, Format, Scheme, verify};
use crate::diagnostic::error;
use crate::reader::{Item, Table};
use crate::xml;

/// The longest body where the file does not say: what providers send is far shorter.
const MAX_BODY_DEFAULT: usize = 256 * 1024;
/// No file may ask for more.
pub(crate) const MAX_BODY_MAX: usize = 16 * 1024 * 1024;

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

/// What `[receive]` says.
pub(super) struct Receive {
    pub(super) formats: Vec<Format>,
    pub(super) xml_root: Option<String>,
    pub(super) max_body: usize,
    pub(super) verify: Vec<Scheme>,
}

impl Default for Receive {
    fn default() -> Self {
        Self { formats: vec![Format::Json], xml_root: None, max_body: MAX_BODY_DEFAULT, verify: Vec::new() }
    }
}

pub(super) fn receiving(table: &Table<'_>) -> Receive {
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

fn encodings(table: &Table<'_>) -> Option<Vec<Encoding>> {
    let Some(item) = table.get("encodings") else { return Some(vec![Encoding::Hex]) };
    let items = item.array()?;
    Some(items.into_iter().filter_map(|item| pick(item, "encodings", &ENCODINGS)).collect())
}

fn signed(table: &Table<'_>) -> Option<Vec<verify::Part>> {
    let Some(template) = table.string("signed") else { return Some(vec![verify::Part::Body]) };
    verify::signed(template.value).map_err(|why| table.report().push(error("bad-signed", template.span, why))).ok()
}
