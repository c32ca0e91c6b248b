//! Deliveries are verified, and nothing is where no secret is.

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zelo_core::Timestamp;
use zelo_rules::{Delivery, FileText, Headers, Refusal, RuleSet};

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

#[test]
fn a_signed_sample_verifies() {
    let set = loaded(&shipped());
    let body = sample("new-appointment");
    let headers = set.sources().next().unwrap().sign("appointment/new", body.as_bytes(), SECRET, Timestamp::UNIX_EPOCH);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(verify(&set, &headers, &body, &[SECRET]), Ok(()));
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
