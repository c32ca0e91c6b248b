//! Reads `verify`: how deliveries prove where they come from.

use jiff::SignedDuration;

use super::super::file::{choice, pick};
use super::carrier::Carrier;
use super::keys::{Algorithm, Encoding, KeyForm, PublicKey, PublicKind};
use super::signature::{BodyHash, Fields, Method, Signature};
use super::signed::{Signed, Value};
use super::{Proof, Scheme};
use crate::diagnostic::error;
use crate::reader::{At, Item, Table};
use crate::time;

/// What `algorithm` may say; the first where it is absent.
pub(crate) const ALGORITHMS: [(&str, Algorithm); 3] =
    [("sha256", Algorithm::Sha256), ("sha1", Algorithm::Sha1), ("sha512", Algorithm::Sha512)];
/// What `encodings` may name; the first where it is absent.
pub(crate) const ENCODINGS: [(&str, Encoding); 2] = [("hex", Encoding::Hex), ("base64", Encoding::Base64)];
/// What the `encoding` of a hash of the body may say; the first where it is absent.
pub(crate) const BODY_ENCODINGS: [(&str, Encoding); 2] = ENCODINGS;
/// What `key_encoding` may say; the first where it is absent.
pub(crate) const KEY_ENCODINGS: [(&str, Option<Encoding>); 3] =
    [("utf8", None), ("base64", Some(Encoding::Base64)), ("hex", Some(Encoding::Hex))];
/// The ways to verify a delivery, as `kind` names them.
pub(crate) const KINDS: [(&str, Way); 5] =
    [("hmac", Way::Hmac), ("token", Way::Token), ("basic", Way::Basic), ("ed25519", Way::Ed25519), ("rsa", Way::Rsa)];

/// A way to verify a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Hmac,
    Token,
    Basic,
    Ed25519,
    Rsa,
}

/// One way, or `{ any = [ … ] }`.
pub(in crate::source) fn schemes(item: Item<'_>) -> Vec<Scheme> {
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
    let Some((_, way)) = KINDS.into_iter().find(|(known, _)| *known == kind.value) else {
        let finding = error("unknown-kind", kind.span, format!("`{}` is not a way to verify a delivery", kind.value));
        table.report().push(finding.meant(kind.value, KINDS.map(|(known, _)| known)));
        return None;
    };
    let verified = table.get("verified").and_then(Item::boolean).unwrap_or(true);
    let prefix = |table: &Table<'_>| table.string("prefix").map(|prefix| prefix.value.to_owned()).unwrap_or_default();
    let (carrier, prefix, proof) = match way {
        Way::Basic => (Some(Carrier::Header("authorization".to_owned())), String::new(), Some(Proof::Basic)),
        Way::Token => (header_or_query(table), prefix(table), Some(Proof::Token)),
        Way::Hmac | Way::Ed25519 | Way::Rsa => {
            let header = table.need_string("header").map(|header| Carrier::Header(header.value.to_ascii_lowercase()));
            (header, prefix(table), signature(table, way).map(|signature| Proof::Signature(Box::new(signature))))
        }
    };
    table.finish();
    Some(Scheme { carrier: carrier?, prefix, proof: proof?, verified })
}

/// A header or a parameter of the URL.
fn header_or_query(table: &Table<'_>) -> Option<Carrier> {
    let query = table.string("query");
    let Some(query) = query else { return table.need_string("header").map(|name| Carrier::Header(name.value.to_ascii_lowercase())) };
    if table.get("header").is_some() {
        table.report().push(error("contradiction", query.span, "it stands either in a header or in the query of the URL"));
        return None;
    }
    Some(Carrier::Query(query.value.to_owned()))
}

fn signature(table: &Table<'_>, way: Way) -> Option<Signature> {
    let fields = table.get("fields").map(|item| item.table("fields").and_then(|table| fields(&table)));
    let in_fields = matches!(&fields, Some(Some(fields)) if fields.timestamp.is_some());
    let stamp = table.get("timestamp").map(|item| timestamp(item, in_fields));
    let has_stamp = in_fields || stamp.is_some();
    let tolerance = table.get("tolerance").map(|item| tolerance(item, has_stamp));
    let body_hash = table.get("body_hash").map(|item| item.table("body_hash").and_then(|table| body_hash(&table)));
    let template = table.string("signed");
    let span = template.as_ref().map_or(table.span.clone(), |template| template.span.clone());
    let signed = match template {
        None => Some(Signed::body()),
        Some(template) => Signed::parse(template.value).map_err(|why| table.report().push(error("bad-signed", span.clone(), why))).ok(),
    };
    let body_signed = table.get("body_signed").map(|item| At { value: item.boolean().unwrap_or(true), span: item.span() });
    let key_form = KeyForm {
        encoding: choice(table, "key_encoding", &KEY_ENCODINGS).unwrap_or_default(),
        prefix: table.string("key_prefix").map(|prefix| prefix.value.to_owned()).unwrap_or_default(),
    };
    let method = match way {
        Way::Ed25519 => public(table, PublicKind::Ed25519, &key_form),
        Way::Rsa => public(table, PublicKind::Rsa, &key_form),
        Way::Hmac | Way::Token | Way::Basic => choice(table, "algorithm", &ALGORITHMS).map(Method::Hmac),
    };
    let encodings = encodings(table);
    // What is left out because of a mistake is not missing as well.
    let (fields, stamp, tolerance, body_hash) = (whole(fields)?, whole(stamp)?, whole(tolerance)?, whole(body_hash)?);
    let draft = Signature {
        method: method?,
        fields,
        stamp,
        tolerance,
        signed: signed?,
        body_hash,
        body_signed: body_signed.as_ref().is_none_or(|said| said.value),
        key_form,
        encodings: encodings?,
    };
    check(table, &draft, span, body_signed.as_ref()).then_some(draft)
}

/// What may be absent, unless it has a mistake.
fn whole<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(read) => read.map(Some),
    }
}

/// Reports what does not go together: whatever a forger could change.
fn check(table: &Table<'_>, signature: &Signature, span: std::ops::Range<usize>, body_signed: Option<&At<bool>>) -> bool {
    let signed = &signature.signed;
    let bad = |why: &str| Some(("bad-signed", span.clone(), why.to_owned()));
    let in_fields = signature.fields.as_ref().is_some_and(|fields| fields.timestamp.is_some());
    let has_stamp = in_fields || signature.stamp.is_some();
    let stamp_is_signed =
        signed.covers(&Value::Stamp) || signature.stamp.as_ref().is_some_and(|header| signed.covers(&Value::Of(header.clone())));
    let hash_is_signed = signature.body_hash.as_ref().is_none_or(|hash| {
        signed.covers(&Value::Of(hash.carrier.clone())) || (signed.covers(&Value::Url) && matches!(hash.carrier, Carrier::Query(_)))
    });
    let proven = signed.covers(&Value::Body) || signed.covers(&Value::Form) || signature.body_hash.is_some();
    let found = if signed.mentions(&Value::Stamp) && !has_stamp {
        bad("`{t}` is the timestamp, and nothing says where it stands: `timestamp` or `fields.timestamp` does")
    } else if has_stamp && !stamp_is_signed {
        bad("the timestamp is not signed, so anyone could make an old delivery new: sign `{t}`")
    } else if !hash_is_signed {
        bad("the hash of the body is not signed, so anyone could send another with another body: sign what it stands in")
    } else if !proven && signature.body_signed {
        bad("what is signed must contain {body}, or anyone could send anything")
    } else {
        let two_minds = body_signed.filter(|said| proven && !said.value);
        two_minds.map(|said| ("contradiction", said.span.clone(), "what is signed says what the body is".to_owned()))
    };
    let Some((code, span, why)) = found else { return true };
    let unproven = code == "bad-signed" && !proven && signature.body_signed;
    let finding = error(code, span, why);
    table.report().push(if unproven {
        finding.help("`{form}` and `body_hash` do as well; where the provider signs no body, say `body_signed = false`")
    } else {
        finding
    });
    false
}

fn fields(table: &Table<'_>) -> Option<Fields> {
    let some = |key: &'static str| {
        let text = table.need_string(key)?;
        if text.value.is_empty() {
            table.report().push(error("bad-fields", text.span, format!("`{key}` is empty")));
            return None;
        }
        Some(text)
    };
    let (separator, assign, signature) = (some("separator"), some("assign"), some("signature"));
    let timestamp = table.string("timestamp");
    table.finish();
    let (separator, assign, signature) = (separator?, assign?, signature?);
    let same = |at: &At<&str>, why: &str| table.report().push(error("bad-fields", at.span.clone(), why.to_owned()));
    if separator.value == assign.value {
        same(&assign, "what stands between pairs cannot stand in them too");
        return None;
    }
    if let Some(timestamp) = timestamp.as_ref().filter(|timestamp| timestamp.value == signature.value || timestamp.value.is_empty()) {
        same(timestamp, "the timestamp has a name of its own");
        return None;
    }
    Some(Fields {
        separator: separator.value.to_owned(),
        assign: assign.value.to_owned(),
        signature: signature.value.to_owned(),
        timestamp: timestamp.map(|name| name.value.to_owned()),
    })
}

fn timestamp(item: Item<'_>, in_fields: bool) -> Option<Carrier> {
    let table = item.table("timestamp")?;
    let header = table.need_string("header");
    table.finish();
    if in_fields {
        table.report().push(error(
            "contradiction",
            table.span.clone(),
            "the timestamp stands in a header or among the `fields`, not in both",
        ));
        return None;
    }
    Some(Carrier::Header(header?.value.to_ascii_lowercase()))
}

fn tolerance(item: Item<'_>, has_stamp: bool) -> Option<SignedDuration> {
    let text = item.string()?;
    let Some(tolerance) = time::duration(text.value) else {
        let finding = error("bad-duration", text.span, format!("`{}` is not a duration", text.value));
        item.report().push(finding.help("durations are written 90s, 15m, 24h, 2d or 1h30m"));
        return None;
    };
    if !has_stamp {
        let finding = error("contradiction", text.span, "`tolerance` is about a timestamp, and there is none");
        item.report().push(finding.help("say where it stands: `timestamp = { header = \"…\" }`, or `timestamp` among the `fields`"));
        return None;
    }
    Some(tolerance)
}

fn body_hash(table: &Table<'_>) -> Option<BodyHash> {
    let carrier = header_or_query(table);
    let algorithm = choice(table, "algorithm", &ALGORITHMS);
    let encoding = choice(table, "encoding", &BODY_ENCODINGS);
    table.finish();
    Some(BodyHash { carrier: carrier?, algorithm: algorithm?, encoding: encoding? })
}

/// Public keys that stand in the file, beside those of connections.
fn public(table: &Table<'_>, kind: PublicKind, form: &KeyForm) -> Option<Method> {
    let keys = table.get("public_keys").map(|item| {
        let items = item.array()?;
        if items.is_empty() {
            item.report().push(error("empty-list", item.span(), "`public_keys` needs at least one key"));
        }
        let key = |item: Item<'_>| {
            let text = item.string()?;
            let key = form.read(text.value.as_bytes()).and_then(|bytes| PublicKey::read(kind, &bytes));
            if key.is_none() {
                let finding = error("bad-key", text.span, "this is not a public key of this kind");
                item.report()
                    .push(finding.help("it is PEM (`key_encoding = \"utf8\"`), or in Base64 or hexadecimal, as `key_encoding` says"));
            }
            key
        };
        items.into_iter().map(key).collect::<Option<Vec<_>>>()
    });
    Some(Method::Public { kind, keys: whole(keys)?.unwrap_or_default() })
}

fn encodings(table: &Table<'_>) -> Option<Vec<Encoding>> {
    let Some(item) = table.get("encodings") else { return Some(vec![Encoding::Hex]) };
    let items = item.array()?;
    Some(items.into_iter().filter_map(|item| pick(item, "encodings", &ENCODINGS)).collect())
}
