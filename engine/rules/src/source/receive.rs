//! Reads `[receive]`: how deliveries look, how they prove where they come from, and what they are answered.

use super::file::formats;
use super::receive_file::{Made, made};
use super::verify::file::schemes;
use super::{Ack, Format, Handshake, Scheme, handshake};
use crate::diagnostic::{error, warning};
use crate::reader::{Item, Table};
use crate::xml;

/// The longest body where the file does not say: what providers send is far shorter.
const MAX_BODY_DEFAULT: usize = 256 * 1024;
/// No file may ask for more.
pub(crate) const MAX_BODY_MAX: usize = 16 * 1024 * 1024;
/// The longest exact answer, in bytes.
pub(crate) const ACK_MAX: usize = 1024;

/// What `[receive]` says.
pub(super) struct Receive {
    pub(super) formats: Vec<Format>,
    pub(super) xml_root: Option<String>,
    pub(super) max_body: usize,
    pub(super) verify: Vec<Scheme>,
    pub(super) insecure: bool,
    pub(super) handshakes: Vec<Handshake>,
    pub(super) ack: Option<Ack>,
    pub(super) made: Made,
}

impl Default for Receive {
    fn default() -> Self {
        Self {
            formats: vec![Format::Json],
            xml_root: None,
            max_body: MAX_BODY_DEFAULT,
            verify: Vec::new(),
            insecure: false,
            handshakes: Vec::new(),
            ack: None,
            made: Made::default(),
        }
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
    let insecure = insecure(table);
    let verify = if insecure { Vec::new() } else { table.need("verify").map(schemes).unwrap_or_default() };
    let made = made(table);
    if made.payload.is_none() {
        unproven_body(table, &verify);
    }
    let handshakes = table.get("handshakes").map(handshake::handshakes).unwrap_or_default();
    let ack = table.get("ack").and_then(|item| item.table("ack")).and_then(|table| ack(&table));
    table.finish();
    Receive { formats: formats.unwrap_or_else(|| vec![Format::Json]), xml_root, max_body, verify, insecure, handshakes, ack, made }
}

/// Whether nothing is to be checked. What says so beside a way to check has two minds.
fn insecure(table: &Table<'_>) -> bool {
    let Some(item) = table.get("insecure") else { return false };
    if item.boolean() != Some(true) {
        return false;
    }
    if table.get("verify").is_some() {
        let finding = error("contradiction", item.span(), "`insecure` stands in place of `verify`");
        table.report().push(finding.help("leave `insecure` out, and what `verify` says is checked"));
        return false;
    }
    let finding =
        warning("insecure", item.span(), "nothing proves where these deliveries come from: who knows the address can send events");
    table.report().push(finding.help("say `verify`, if only by a token in a header or in the URL"));
    true
}

/// Reports ways to verify that say nothing of the body.
fn unproven_body(table: &Table<'_>, verify: &[Scheme]) {
    if verify.iter().all(Scheme::proves_body) {
        return;
    }
    let span = table.get("verify").map_or(table.span.clone(), |item| item.span());
    let finding = error("missing-key", span, "the body is not signed, so it cannot be what is read: `payload` is missing in [receive]");
    table.report().push(finding.help("make it of headers and parameters that are signed"));
}

fn ack(table: &Table<'_>) -> Option<Ack> {
    let status = table.need("status").and_then(|item| {
        let status = item.integer()?;
        let fits = u16::try_from(status).ok().filter(|status| (200..=299).contains(status));
        if fits.is_none() {
            let why = format!("{status} does not say that a delivery was taken: that is said by 200 to 299");
            item.report().push(error("wrong-type", item.span(), why));
        }
        fits
    });
    let body = table.string("body");
    table.finish();
    let (status, body) = (status?, body);
    if let Some(body) = &body {
        let why = match body.value.len() {
            0 => None,
            _ if matches!(status, 204 | 205) => Some(format!("an answer of status {status} has no body")),
            length if length > ACK_MAX => Some(format!("an answer has at most {ACK_MAX} bytes")),
            _ => None,
        };
        if let Some(why) = why {
            table.report().push(error("contradiction", body.span.clone(), why));
            return None;
        }
    }
    Some(Ack { status, body: body.map(|body| body.value.to_owned()).unwrap_or_default() })
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
