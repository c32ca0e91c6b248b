//! Deliveries are verified, and nothing is where no secret is.

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use sha2::Sha256;
use zelo_core::Timestamp;
use zelo_rules::{Added, Delivery, FileText, Files, Headers, Refusal, RuleSet};

use super::common::{loaded, sample, shipped};

const SECRET: &[u8] = b"s3cret";

fn hmac(body: &[u8]) -> Vec<u8> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET).unwrap().chain_update(body).finalize().into_bytes().to_vec()
}

fn verify(set: &RuleSet, headers: &[(&str, &str)], body: &str, secrets: &[&[u8]]) -> Result<(), Refusal> {
    let headers: Headers<'_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let delivery = Delivery {
        path: "appointment/new",
        url: "https://hooks.example.com/hooks/centro/appointment/new",
        headers: &headers,
        body: body.as_bytes(),
    };
    let secrets: Vec<Vec<u8>> = secrets.iter().map(|secret| secret.to_vec()).collect();
    set.sources().next().unwrap().verify(&delivery, &secrets, Timestamp::UNIX_EPOCH)
}

#[test]
fn a_signature_in_either_encoding_is_accepted() {
    let set = loaded(&shipped());
    let body = sample("new-appointment");
    let digest = hmac(body.as_bytes());
    for signature in [HEXLOWER.encode(&digest), HEXUPPER.encode(&digest), BASE64.encode(&digest), BASE64.encode(&digest).replace('=', "")] {
        assert_eq!(verify(&set, &[("Authorization", &signature)], &body, &[SECRET]), Ok(()), "{signature}");
        assert_eq!(verify(&set, &[("authorization", &format!(" {signature} "))], &body, &[b"new", SECRET]), Ok(()), "while secrets rotate");
    }
}

#[test]
fn a_token_is_accepted() {
    let set = loaded(&shipped());
    assert_eq!(verify(&set, &[("X-Zelo-Token", "s3cret")], "{}", &[SECRET]), Ok(()));
}

#[test]
fn what_does_not_fit_is_refused() {
    let set = loaded(&shipped());
    let body = sample("new-appointment");
    let signature = HEXLOWER.encode(&hmac(body.as_bytes()));
    let refused = |headers: &[(&str, &str)], body: &str, secrets: &[&[u8]]| match verify(&set, headers, body, secrets) {
        Err(Refusal::Unverified { why }) => why,
        other => panic!("{other:?}"),
    };
    let no_fit = "its `authorization` header does not fit any secret of this connection";
    assert_eq!(refused(&[("authorization", &signature)], &format!("{body} "), &[SECRET]), no_fit, "another body");
    assert_eq!(refused(&[("authorization", &signature)], &body, &[b"other"]), no_fit, "another secret");
    assert_eq!(refused(&[("authorization", &signature[..62])], &body, &[SECRET]), no_fit, "a part of it");
    assert_eq!(refused(&[("authorization", "")], &body, &[SECRET]), no_fit);
    assert_eq!(refused(&[("authorization", "s3cret")], &body, &[SECRET]), no_fit, "the secret is no signature");
    assert_eq!(
        refused(&[("x-zelo-token", "s3cret ?")], &body, &[SECRET]),
        "its `x-zelo-token` header does not fit any secret of this connection"
    );
    assert_eq!(refused(&[], &body, &[SECRET]), "it carries no `authorization` or `x-zelo-token` header");
}

#[test]
fn without_a_secret_nothing_is_verified() {
    let set = loaded(&shipped());
    let empty = HEXLOWER.encode(&<Hmac<Sha256> as KeyInit>::new_from_slice(b"").unwrap().chain_update(b"{}").finalize().into_bytes());
    for secrets in [&[] as &[&[u8]], &[b""]] {
        for headers in [[("authorization", empty.as_str())], [("x-zelo-token", "")]] {
            let why = "this connection has no secret".to_owned();
            assert_eq!(verify(&set, &headers, "{}", secrets), Err(Refusal::Unverified { why }));
        }
    }
}

#[test]
fn a_body_that_is_too_large_is_not_even_hashed() {
    let set = loaded(&shipped());
    let body = "x".repeat(256 * 1024 + 1);
    assert_eq!(verify(&set, &[], &body, &[SECRET]), Err(Refusal::TooLarge { length: 262_145, max: 262_144 }));
}

/// A source whose signature covers more than the body, with every other option.
fn other(algorithm: &str) -> RuleSet {
    let verify = format!(
        r#"{{ kind = "hmac", header = "X-Signature", prefix = "{algorithm}=", signed = "{{header:x-id}}.{{url}}.{{body}}", algorithm = "{algorithm}", encodings = ["base64"] }}"#
    );
    let mut files = shipped();
    files.rules.clear();
    let start = files.sources[0].text.find("verify = {").unwrap();
    let end = start + files.sources[0].text[start..].find("] }\n").unwrap() + 4;
    files.sources[0] = FileText { name: "other.toml".to_owned(), text: files.sources[0].text.clone() };
    files.sources[0].text.replace_range(start..end, &format!("verify = {verify}\n"));
    loaded(&files)
}

#[test]
fn what_is_signed_is_a_template() {
    let signed = b"evt_1.https://hooks.example.com/hooks/centro/appointment/new.{}";
    let mac = <Hmac<sha2::Sha512> as KeyInit>::new_from_slice(SECRET).unwrap().chain_update(signed).finalize().into_bytes();
    let signature = format!("sha512={}", BASE64.encode(&mac));
    let set = other("sha512");
    assert_eq!(verify(&set, &[("x-signature", &signature), ("x-id", "evt_1")], "{}", &[SECRET]), Ok(()));
    assert!(verify(&set, &[("x-signature", &signature), ("x-id", "evt_2")], "{}", &[SECRET]).is_err());
    assert!(verify(&set, &[("x-signature", &signature[7..]), ("x-id", "evt_1")], "{}", &[SECRET]).is_err(), "without its prefix");
    let mac = <Hmac<sha1::Sha1> as KeyInit>::new_from_slice(SECRET).unwrap().chain_update(signed).finalize().into_bytes();
    let signature = format!("sha1={}", BASE64.encode(&mac));
    assert_eq!(verify(&other("sha1"), &[("x-signature", &signature), ("x-id", "evt_1")], "{}", &[SECRET]), Ok(()));
}

/// A source that takes `verify`.
fn verified_by(verify: &str) -> RuleSet {
    let text = format!("id = \"other\"\n[receive]\nverify = {verify}\n[[events]]\ntype = \"thing.created\"\n");
    loaded(&Files { sources: vec![FileText { name: "other.toml".to_owned(), text }], rules: vec![], samples: vec![] })
}

fn signed(set: &RuleSet, given: &[(&str, &str)], body: &str, secret: &[u8]) -> Option<Added> {
    let headers: Headers<'_> = given.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let delivery = Delivery {
        path: "appointment/new",
        url: "https://hooks.example.com/hooks/centro/appointment/new",
        headers: &headers,
        body: body.as_bytes(),
    };
    set.sources().next().unwrap().sign(&delivery, secret, Timestamp::UNIX_EPOCH)
}

const WAYS: [&str; 11] = [
    r#"{ kind = "hmac", header = "x-signature" }"#,
    r#"{ kind = "hmac", header = "x-signature", prefix = "sha1=", algorithm = "sha1", encodings = ["base64", "hex"] }"#,
    r#"{ kind = "hmac", header = "x-signature", prefix = "v0 ", algorithm = "sha512", signed = "v0:{header:x-id}:{url}:{body}" }"#,
    r#"{ any = [{ kind = "hmac", header = "x-signature", encodings = [] }, { kind = "hmac", header = "x-other" }] }"#,
    r#"{ kind = "token", header = "x-token" }"#,
    r#"{ kind = "token", header = "authorization", prefix = "Bearer " }"#,
    r#"{ kind = "hmac", header = "x-signature", fields = { separator = ",", assign = "=", signature = "v1", timestamp = "t" }, signed = "{t}.{body}", tolerance = "5m" }"#,
    r#"{ kind = "hmac", header = "x-signature", fields = { separator = " ", assign = ",", signature = "v1" }, timestamp = { header = "x-time" }, signed = "{header:x-made}.{t}.{body}", encodings = ["base64"], tolerance = "0s" }"#,
    r#"{ kind = "hmac", header = "x-signature", signed = "{url}[{query:none}]", body_hash = { query = "hash" }, algorithm = "sha1", encodings = ["base64"] }"#,
    r#"{ kind = "token", query = "token" }"#,
    r#"{ kind = "basic" }"#,
];

const NOW: Timestamp = Timestamp::constant(1_772_449_200, 0);
const URL: &str = "https://hooks.example.com/hooks/centro/appointment/new?a=b";

/// Whether it is verified with what was added to it.
fn verify_added(set: &RuleSet, given: &[(&str, &str)], added: &Added, body: &[u8], secret: &str) -> Result<(), Refusal> {
    let more = added.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers: Headers<'_> = given.iter().map(|(name, value)| (*name, value.as_bytes())).chain(more).collect();
    let delivery = Delivery { path: "appointment/new", url: &added.url(URL), headers: &headers, body };
    set.sources().next().unwrap().verify(&delivery, &[secret.as_bytes().to_vec()], NOW)
}

proptest! {
    #[test]
    fn what_is_signed_verifies_and_nothing_else_does(
        way in 0..WAYS.len(),
        body in ".{0,40}",
        other_body in ".{0,40}",
        secret in "[!-~]{1,80}",
        other_secret in "[!-~]{1,80}",
        at in any::<prop::sample::Index>(),
    ) {
        let basic = if WAYS[way].contains("basic") { ":" } else { "" };
        let (secret, other_secret) = (format!("{basic}{secret}"), format!("{basic}{other_secret}"));
        let set = verified_by(WAYS[way]);
        let given = [("x-id", "evt_1")];
        let headers: Headers<'_> = given.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let delivery = Delivery { path: "appointment/new", url: URL, headers: &headers, body: body.as_bytes() };
        let made = set.sources().next().unwrap().sign(&delivery, secret.as_bytes(), NOW).unwrap();
        prop_assert_eq!(verify_added(&set, &given, &made, body.as_bytes(), &secret), Ok(()));
        if secret != other_secret {
            prop_assert!(verify_added(&set, &given, &made, body.as_bytes(), &other_secret).is_err());
        }
        if !WAYS[way].contains("hmac") {
            return Ok(());
        }
        if body != other_body {
            prop_assert!(verify_added(&set, &given, &made, other_body.as_bytes(), &secret).is_err());
        }
        // One byte of the body, of any header that was made, or of the URL.
        let mut bytes = body.clone().into_bytes();
        if !bytes.is_empty() {
            let place = at.index(bytes.len());
            bytes[place] ^= 1;
            prop_assert!(verify_added(&set, &given, &made, &bytes, &secret).is_err());
        }
        for header in 0..made.headers.len() {
            let mut other = made.clone();
            let mut bytes = other.headers[header].1.clone().into_bytes();
            let place = at.index(bytes.len());
            bytes[place] ^= 1;
            other.headers[header].1 = String::from_utf8(bytes).unwrap();
            prop_assert!(verify_added(&set, &given, &other, body.as_bytes(), &secret).is_err(), "{:?}", other);
        }
        for parameter in 0..made.query.len() {
            let mut other = made.clone();
            other.query[parameter].1.push('0');
            prop_assert!(verify_added(&set, &given, &other, body.as_bytes(), &secret).is_err());
        }
    }
}

#[test]
fn the_first_way_that_can_be_taken_signs() {
    let names = |set: &RuleSet, given: &[(&str, &str)]| signed(set, given, "{}", SECRET).map(|made| made.headers[0].0.clone());
    let set = loaded(&shipped());
    assert_eq!(names(&set, &[]).as_deref(), Some("authorization"));
    assert_eq!(names(&set, &[("Authorization", "Basic x")]).as_deref(), Some("x-zelo-token"), "that header is taken");
    assert_eq!(names(&verified_by(WAYS[3]), &[]).as_deref(), Some("x-other"), "no encoding, no signature");
    assert_eq!(
        signed(&verified_by(WAYS[5]), &[], "{}", SECRET).map(|made| made.headers),
        Some(vec![("authorization".to_owned(), "Bearer s3cret".to_owned())])
    );
}

#[test]
fn what_cannot_be_signed_is_not() {
    let token = verified_by(WAYS[4]);
    for secret in [b"" as &[u8], b"two\nlines", b"s3cret\n", b" s3cret", b"\xff"] {
        assert_eq!(signed(&token, &[], "{}", secret), None, "{secret:?}");
    }
    assert_eq!(signed(&verified_by(WAYS[0]), &[], "{}", b""), None);
    assert!(signed(&verified_by(WAYS[0]), &[], "{}", b"\xff\n").is_some(), "a key is any bytes");
    assert_eq!(signed(&token, &[], &"x".repeat(256 * 1024 + 1), SECRET), None, "too large");
}

#[test]
fn what_a_signature_is_of_and_nobody_gave_is_made_up() {
    let set = verified_by(WAYS[7]);
    let made = signed(&set, &[], "{}", SECRET).unwrap();
    let names: Vec<&str> = made.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["x-time", "x-made", "x-signature"]);
    let given = signed(&set, &[("x-made", "msg_1"), ("x-time", "0")], "{}", SECRET).unwrap();
    assert_eq!(given.headers.len(), 1, "what was given stands: {given:?}");
    assert_eq!(signed(&set, &[("x-made", "msg_1"), ("x-time", "7")], "{}", SECRET), None, "too long ago");
    let rsa = verified_by(r#"{ kind = "rsa", header = "x-signature" }"#);
    assert_eq!(signed(&rsa, &[], "{}", SECRET), None, "only the provider can");
    let token = signed(&verified_by(WAYS[9]), &[], "{}", b"a&b=c").unwrap();
    assert_eq!(token.url("https://x.example/a"), "https://x.example/a?token=a%26b%3Dc");
    assert_eq!(token.url("https://x.example/a?b"), "https://x.example/a?b&token=a%26b%3Dc");
}
