//! Every source that ships, on deliveries that were computed without zelo (`tests/vectors`), among them what providers publish.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use zelo_core::Timestamp;
use zelo_rules::{Delivery, FileText, Files, Headers, Method, Read, Refusal, RuleSet};

use super::common::loaded;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn vectors(file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(root().join("tests/vectors").join(file)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The sources that vectors name, each alone, by their files.
fn sources(vectors: &[Value]) -> BTreeMap<String, RuleSet> {
    let files: BTreeSet<&str> = vectors.iter().map(|vector| vector["source_file"].as_str().unwrap()).collect();
    let read = |file: &str| {
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        loaded(&Files { sources: vec![FileText { name: file.to_owned(), text }], ..Files::default() })
    };
    files.into_iter().map(|file| (file.to_owned(), read(file))).collect()
}

fn text<'v>(vector: &'v Value, key: &str) -> &'v str {
    vector[key].as_str().unwrap_or_default()
}

fn secrets(vector: &Value, key: &str) -> Vec<Vec<u8>> {
    vector[key].as_array().into_iter().flatten().map(|secret| secret.as_str().unwrap().as_bytes().to_vec()).collect()
}

/// Does `each` with the delivery of `vector`.
fn delivered<T>(vector: &Value, each: impl FnOnce(&Delivery<'_>) -> T) -> T {
    let given = vector["headers"].as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap().as_bytes()));
    let kind = vector["content_type"].as_str().map(|kind| ("content-type", kind.as_bytes()));
    let headers: Headers<'_> = given.chain(kind).collect();
    let body = match vector["body_base64"].as_str() {
        Some(encoded) => data_encoding::BASE64.decode(encoded.as_bytes()).unwrap(),
        None => text(vector, "body").as_bytes().to_vec(),
    };
    each(&Delivery { path: text(vector, "path"), url: text(vector, "url"), headers: &headers, body: &body })
}

#[test]
fn deliveries_of_every_provider_are_verified_and_read() {
    let vectors = vectors("providers.json");
    let sources = sources(&vectors);
    let mut wrong = Vec::new();
    for vector in &vectors {
        let name = format!("{}: {}", text(vector, "source"), text(vector, "name"));
        let source = sources[text(vector, "source_file")].sources().next().unwrap();
        let now: Timestamp = text(vector, "now").parse().unwrap();
        let (verified, read) =
            delivered(vector, |delivery| (source.verify(delivery, &secrets(vector, "secrets"), now), source.read_all(delivery)));
        let wanted = text(vector, "expect") == "accepted";
        match &verified {
            Ok(()) if !wanted => wrong.push(format!("{name}: accepted")),
            Err(refusal) if wanted => wrong.push(format!("{name}: {refusal}")),
            Err(refusal) if !matches!(refusal, Refusal::Unverified { .. }) => wrong.push(format!("{name}: refused, but as {refusal}")),
            _ => {}
        }
        let Some(types) = vector.get("event_types") else { continue };
        let read = read.map(|all| {
            let kinds = all.into_iter().filter_map(|read| match read {
                Read::Event(reading) => Some(Value::String(reading.kind)),
                Read::Ignored { .. } => None,
            });
            Value::Array(kinds.collect())
        });
        if read.clone().unwrap_or(Value::Null) != *types {
            wrong.push(format!("{name}: read {read:?} where it is {types}"));
        }
    }
    assert!(vectors.len() > 300 && wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), vectors.len(), wrong.join("\n"));
}

#[test]
fn every_source_that_ships_has_vectors_of_both_kinds() {
    let vectors = vectors("providers.json");
    let mut missing = Vec::new();
    for file in std::fs::read_dir(root().join("rules/sources")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let file = format!("rules/sources/{name}");
        // Of these the official SDK writes them: `cloudevents.rs`.
        if name == "cloudevents.toml" {
            continue;
        }
        for expect in ["accepted", "refused"] {
            if name.ends_with(".toml") && !vectors.iter().any(|vector| vector["source_file"] == *file && vector["expect"] == expect) {
                missing.push(format!("{file}: none that is {expect}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn questions_of_providers_are_answered_or_refused() {
    let vectors = vectors("handshakes.json");
    let sources = sources(&vectors);
    for vector in &vectors {
        let name = format!("{}: {}", text(vector, "source"), text(vector, "name"));
        let source = sources[text(vector, "source_file")].sources().next().unwrap();
        let now: Timestamp = text(vector, "now").parse().unwrap();
        let handshake = secrets(vector, "handshake");
        let answer = delivered(vector, |request| {
            let method = if text(vector, "method") == "GET" { Method::Get } else { Method::Post };
            if method == Method::Post {
                source.verify(request, &secrets(vector, "secrets"), now)?;
            }
            source.handshake(method, request, handshake.first().map(Vec::as_slice))
        });
        match text(vector, "expect") {
            "answered" => assert_eq!(answer.as_ref().map(Option::as_deref), Ok(vector["answer"].as_str()), "{name}"),
            _ => assert!(!matches!(answer, Ok(Some(_))), "{name}: {answer:?}"),
        }
    }
    assert!(vectors.len() >= 9);
}
