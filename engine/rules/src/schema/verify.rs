//! What `[receive]` says of who sends, and of what is answered.

use serde_json::{Value, json};

use super::patterns;
use super::table::Keys;
use super::values::{boolean, by_default, first_by_default, fitting, list, path, some, string, with, word};
use crate::source::{ACK_MAX, ALGORITHMS, BODY_ENCODINGS, ENCODINGS, KEY_ENCODINGS, KINDS, METHODS};

/// What a signature has and a secret that is sent as it is has not.
const OF_SIGNATURES: [&str; 11] = [
    "fields",
    "timestamp",
    "tolerance",
    "signed",
    "body_hash",
    "body_signed",
    "key_encoding",
    "key_prefix",
    "encodings",
    "algorithm",
    "public_keys",
];

/// One way to verify a delivery.
pub(super) fn scheme() -> Value {
    let about = "`hmac`: a keyed hash of what is signed. `ed25519`, `rsa`: a signature that a public key checks. `token`: the secret itself. `basic`: `user:password`.";
    let stamp = Keys::new().need("header", "The header.", string()).schema();
    let only = |kinds: Value, without: &[&str]| {
        let keys: serde_json::Map<String, Value> = without.iter().map(|key| ((*key).to_owned(), Value::Bool(false))).collect();
        json!({ "if": { "properties": { "kind": { "enum": kinds } }, "required": ["kind"] }, "then": { "properties": keys } })
    };
    let needs =
        |kinds: Value, what: Value| json!({ "if": { "properties": { "kind": { "enum": kinds } }, "required": ["kind"] }, "then": what });
    let not_of_basic = [&OF_SIGNATURES[..], &["header", "query", "prefix"]].concat();
    Keys::new()
        .need("kind", about, word(&KINDS))
        .may("header", "The header that carries it.", string())
        .may("query", "The parameter of the URL that carries a token.", string())
        .may("prefix", "What stands before it, such as `\"sha256=\"` or `\"Bearer \"`.", string())
        .may("fields", "It is a list of pairs, such as `t=1614265330,v1=6ffb…`.", fields())
        .may("timestamp", "Where the timestamp stands, if not among the `fields`: seconds or milliseconds since 1970.", stamp)
        .may("tolerance", "How far the timestamp may be from now, in either direction.", fitting(patterns::DURATION))
        .may(
            "signed",
            "What is signed: a template over `{body}`, `{url}`, `{t}`, `{form}`, `{header:name}` and `{query:name}`; what stands in `[ ]` is left out where a value in it is missing.",
            by_default(fitting(patterns::SIGNED), "{body}"),
        )
        .may("body_hash", "A hash of the body that is signed in its place.", body_hash())
        .may("body_signed", "`false`: what is signed says nothing of the body, and the body is not read.", by_default(boolean(), true))
        .may("algorithm", "The hash.", first_by_default(&ALGORITHMS))
        .may("key_encoding", "How secrets and public keys are written.", first_by_default(&KEY_ENCODINGS))
        .may("key_prefix", "What is cut off a secret before it is decoded: `whsec_`.", string())
        .may("public_keys", "Keys of the provider, beside those of the connection.", some(&string()))
        .may("encodings", "How the signature may be written.", by_default(list(&word(&ENCODINGS)), vec![ENCODINGS[0].0]))
        .may("verified", "Whether the provider has confirmed all this.", by_default(boolean(), true))
        .holds(all([
            only(json!(["token"]), &OF_SIGNATURES),
            only(json!(["basic"]), &not_of_basic),
            only(json!(["hmac"]), &["public_keys", "query"]),
            only(json!(["ed25519", "rsa"]), &["algorithm", "query"]),
            needs(json!(["hmac", "ed25519", "rsa"]), json!({ "required": ["header"] })),
            needs(json!(["token"]), one_of("header", "query")),
            json!({
                "if": {
                    "properties": { "kind": { "enum": ["hmac", "ed25519", "rsa"] }, "body_signed": { "const": true }, "body_hash": false },
                    "required": ["kind"],
                },
                "then": { "properties": { "signed": fitting(patterns::PROVEN) } },
            }),
            json!({
                "if": { "properties": { "body_signed": { "const": false } }, "required": ["body_signed"] },
                "then": { "required": ["signed"], "properties": { "signed": { "not": fitting(patterns::PROVEN) }, "body_hash": false } },
            }),
            json!({ "if": { "required": ["tolerance"] }, "then": { "anyOf": [
                { "required": ["timestamp"] },
                { "required": ["fields"], "properties": { "fields": { "required": ["timestamp"] } } },
            ] } }),
            json!({ "not": { "required": ["timestamp", "fields"], "properties": { "fields": { "required": ["timestamp"] } } } }),
        ]))
        .schema()
}

/// All of these keywords hold. `allOf` is not for every editor; a choice of one is.
fn all<const N: usize>(rules: [Value; N]) -> Value {
    rules.into_iter().rev().reduce(|rest, rule| with(rule, json!({ "anyOf": [rest] }))).unwrap_or_default()
}

/// One of two keys, not both.
fn one_of(one: &str, other: &str) -> Value {
    let only = |one: &str, other: &str| json!({ "required": [one], "properties": { other: false } });
    json!({ "anyOf": [only(one, other), only(other, one)] })
}

fn fields() -> Value {
    let some = || with(string(), json!({ "minLength": 1 }));
    Keys::new()
        .need("separator", "What stands between pairs: `,`.", some())
        .need("assign", "What stands between a name and its value: `=`.", some())
        .need("signature", "The name of signatures; of several any may fit.", some())
        .may("timestamp", "The name of the timestamp.", some())
        .schema()
}

fn body_hash() -> Value {
    Keys::new()
        .may("header", "The header that it stands in.", string())
        .may("query", "The parameter of the URL that it stands in.", string())
        .may("algorithm", "The hash.", first_by_default(&ALGORITHMS))
        .may("encoding", "How it is written.", first_by_default(&BODY_ENCODINGS))
        .holds(one_of("header", "query"))
        .schema()
}

/// One request by which a provider asks.
pub(super) fn handshake() -> Value {
    let spot =
        || Keys::new().may("query", "A parameter of the URL.", string()).may("body", "A singular path over the body of a POST.", path());
    let when = spot().need("equals", "The text that stands there.", string()).holds(one_of("query", "body")).schema();
    let place = || spot().holds(one_of("query", "body")).schema();
    let no_body = json!({ "properties": { "body": false } });
    Keys::new()
        .need("method", "`GET`, which nobody signs, or `POST`, which is verified as any delivery.", word(&METHODS))
        .need("when", "What tells it from deliveries.", when)
        .may("check", "What must be what the connection's `handshake` in zelo.toml is.", place())
        .need("answer", "The text that is sent back: at most 1 KiB, as plain text.", place())
        .holds(json!({
            "if": { "properties": { "method": { "const": "GET" } }, "required": ["method"] },
            "then": { "properties": { "when": no_body, "check": no_body, "answer": no_body } },
        }))
        .schema()
}

/// An exact answer.
pub(super) fn ack() -> Value {
    let status = json!({ "type": "integer", "minimum": 200, "maximum": 299 });
    Keys::new()
        .need("status", "From 200 to 299.", status)
        .may("body", "A text; absent: empty.", with(string(), json!({ "maxLength": ACK_MAX })))
        .holds(json!({
            "if": { "properties": { "status": { "enum": [204, 205] } }, "required": ["status"] },
            "then": { "properties": { "body": { "maxLength": 0 } } },
        }))
        .schema()
}
