//! CloudEvents read the same whichever way they are sent, and nothing else is taken for one.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::{Value, json};
use zelo_rules::{Delivery, FileText, Files, Headers, Read, Reading, Refusal, RuleSet, Texts};

use super::common::{file, loaded, root};

/// What the official SDK sends, and what it was told to send: `tests/vectors/cloudevents/make.py`.
#[derive(Deserialize)]
struct Vectors {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    name: String,
    mode: String,
    headers: BTreeMap<String, String>,
    body: String,
    events: Vec<Value>,
}

fn shipped() -> RuleSet {
    loaded(&Files { sources: vec![file("rules/sources/cloudevents.toml")], rules: vec![], samples: vec![] })
}

fn read(headers: &[(&str, &str)], body: &[u8]) -> Result<Texts, Refusal> {
    let headers: Headers<'_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    shipped().source("cloudevents").unwrap().texts(&Delivery { path: "", url: "", headers: &headers, body })
}

fn events(texts: &Texts) -> Vec<Value> {
    texts.all.iter().map(|text| serde_json::from_slice(text).unwrap()).collect()
}

#[test]
fn what_the_official_sdk_sends_reads_as_it_was_told() {
    let vectors = std::fs::read_to_string(root().join("tests/vectors/cloudevents/sdk.json")).unwrap();
    let vectors: Vectors = serde_json::from_str(&vectors).unwrap();
    assert_eq!(vectors.messages.len(), 30);
    for Message { name, mode, headers, body, events: expected } in vectors.messages {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let texts = read(&headers, &BASE64.decode(body.as_bytes()).unwrap()).unwrap_or_else(|why| panic!("{name}, {mode}: {why}"));
        assert_eq!(events(&texts), expected, "{name}, {mode}");
        assert_eq!(texts.split, mode == "batched", "{name}, {mode}");
    }
}

fn event(more: &Value) -> Value {
    let mut event = json!({ "specversion": "1.0", "id": "e-1", "source": "/visits", "type": "com.example.done" });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

const STRUCTURED: (&str, &str) = ("content-type", "application/cloudevents+json; charset=UTF-8");
const BATCH: (&str, &str) = ("Content-Type", "application/cloudevents-batch+json");

#[test]
fn what_is_no_event_is_refused_and_says_why() {
    let why = |more: Value| read(&[STRUCTURED], event(&more).to_string().as_bytes()).unwrap_err().to_string();
    for (more, expected) in [
        (json!({ "specversion": "0.3" }), "another version"),
        (json!({ "specversion": null }), "no `specversion`"),
        (json!({ "id": "" }), "`id`"),
        (json!({ "source": null }), "`source`"),
        (json!({ "type": 7 }), "`type`"),
        (json!({ "subject": "" }), "`subject`"),
        (json!({ "time": "yesterday" }), "RFC 3339"),
        (json!({ "Upper": "x" }), "lower-case"),
        (json!({ "with_underscore": "x" }), "lower-case"),
        (json!({ "big": 2_147_483_648_i64 }), "32 bits"),
        (json!({ "nested": {} }), "neither"),
        (json!({ "control": "a\u{7}" }), "neither"),
        (json!({ "data": 1, "data_base64": "AA==" }), "`data` and `data_base64`"),
        (json!({ "data_base64": "%%" }), "not base64"),
        (json!({ "data_base64": "AA==", "datacontenttype": "application/json" }), "its data"),
    ] {
        let said = why(more.clone());
        assert!(said.contains(expected) && !said.contains("yesterday"), "{more}: {said}");
    }
    assert!(read(&[STRUCTURED], b"[]").unwrap_err().to_string().contains("an event is an object"));
    assert!(read(&[STRUCTURED], br#"{"id": "a", "id": "b"}"#).unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn what_is_null_is_not_there_but_data_may_be_null() {
    let texts = read(&[STRUCTURED], event(&json!({ "subject": null, "data": null })).to_string().as_bytes()).unwrap();
    assert_eq!(events(&texts), [event(&json!({ "data": null }))]);
}

#[test]
fn headers_are_an_event_or_say_why_not() {
    let needed = [("ce-specversion", "1.0"), ("CE-ID", "e-1"), ("ce-source", "/visits"), ("ce-type", "com.example.done")];
    let with = |more: &[(&'static str, &'static str)], body: &[u8]| read(&[&needed, more].concat(), body);
    assert_eq!(events(&with(&[], b"").unwrap()), [event(&json!({}))]);
    assert_eq!(events(&with(&[("content-type", "text/plain; charset=latin1")], b"a").unwrap())[0]["data_base64"], "YQ==");
    let why = |more: &[(&'static str, &'static str)], body: &[u8]| with(more, body).unwrap_err().to_string();
    assert!(why(&[("ce-id", "e-2")], b"").contains("twice"));
    assert!(why(&[("ce-data", "x")], b"").contains("no header"));
    assert!(why(&[("ce-datacontenttype", "x")], b"").contains("no header"));
    assert!(why(&[("ce-subject", "%ff")], b"").contains("percent"));
    assert!(why(&[("content-type", "application/json")], b"{").contains("cannot be read"));
    assert!(why(&[], b"no json").contains("cannot be read"));
}

#[test]
fn other_forms_are_refused() {
    let refused = |headers: &[(&str, &str)]| matches!(read(headers, b"{}"), Err(Refusal::Unsupported { .. }));
    assert!(refused(&[("content-type", "application/json")]), "without `ce-` headers");
    assert!(refused(&[("content-type", "application/cloudevents+avro")]));
    assert!(refused(&[("content-type", "application/cloudevents-batch+avro")]));
    assert!(refused(&[("content-type", "application/cloudevents+json; charset=utf-16")]));
}

#[test]
fn a_batch_is_bounded_and_one_that_is_wrong_is_wrong_as_a_whole() {
    let batch = |count: usize| serde_json::to_vec(&vec![event(&json!({})); count]).unwrap();
    assert_eq!(read(&[BATCH], &batch(256)).unwrap().all.len(), 256);
    assert!(read(&[BATCH], &batch(257)).unwrap_err().to_string().contains("at most 256"));
    let mixed = json!([event(&json!({})), { "id": "x" }]).to_string();
    assert!(read(&[BATCH], mixed.as_bytes()).unwrap_err().to_string().contains("event 2 of the batch"));
    assert!(read(&[BATCH], b"{}").unwrap_err().to_string().contains("a list"));
}

fn reading(set: &RuleSet, source: &str, event: &Value) -> Reading {
    let text = event.to_string();
    let headers: Headers<'_> = [(STRUCTURED.0, STRUCTURED.1.as_bytes())].into_iter().collect();
    match set.source(source).unwrap().read(&Delivery { path: "", url: "", headers: &headers, body: text.as_bytes() }).unwrap() {
        Read::Event(reading) => reading,
        Read::Ignored { why } => panic!("{why}"),
    }
}

/// A source of somebody's own events.
const OWN: &str = r#"
id = "visits"
title = "Visits"
[receive]
format = "cloudevents"
verify = { kind = "token", header = "authorization", prefix = "Bearer " }
[[events]]
match = { body = { path = "$.type", equals = "com.example.done" } }
type = "visit.done"
entity = { type = "visit", id = "$.data.visit" }
"#;

#[test]
fn source_and_id_identify_an_event_together_and_time_says_when() {
    let files =
        Files { sources: vec![FileText { name: "rules/sources/visits.toml".into(), text: OWN.into() }], rules: vec![], samples: vec![] };
    let set = loaded(&files);
    let at = json!({ "time": "2026-03-02T08:00:00.5-03:00", "data": { "visit": 17 } });
    let one = reading(&set, "visits", &event(&at));
    assert_eq!((one.kind.as_str(), one.entity.as_ref().unwrap().id.as_str()), ("visit.done", "17"));
    assert_eq!(one.time, Some("2026-03-02T11:00:00.5Z".parse().unwrap()));
    assert_eq!(one.delivery_id.as_deref(), Some(r#"["/visits","e-1"]"#));
    let id = |more: Value| reading(&set, "visits", &event(&more)).delivery_id.unwrap();
    assert_ne!(id(json!({ "source": "/a", "id": "b/c" })), id(json!({ "source": "/a/b", "id": "c" })));
    assert_ne!(id(json!({ "source": "/a\",\"b", "id": "c" })), id(json!({ "source": "/a", "id": "b\",\"c" })));
}

#[test]
fn the_subject_of_the_shipped_source_is_whom_it_is_about() {
    let read = reading(&shipped(), "cloudevents", &event(&json!({ "subject": "patient-17" })));
    assert_eq!((read.kind.as_str(), read.subjects()), ("cloudevent.received", vec!["patient-17".to_owned()]));
    assert_eq!(read.time, None, "it does not say when");
}

#[test]
fn the_trace_that_an_event_names_goes_before_that_of_the_request() {
    let set = shipped();
    let source = set.source("cloudevents").unwrap();
    let said = |headers: &[(&str, &str)], body: &str| {
        let headers: Headers<'_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        source.traceparent(&Delivery { path: "", url: "", headers: &headers, body: body.as_bytes() })
    };
    let of_event = event(&json!({ "traceparent": "of the event" })).to_string();
    let of_request = ("traceparent", "of the request");
    assert_eq!(said(&[STRUCTURED, of_request], &of_event).as_deref(), Some("of the event"));
    assert_eq!(said(&[STRUCTURED, of_request], "{}").as_deref(), Some("of the request"));
    assert_eq!(said(&[("ce-traceparent", "of the event"), of_request], "").as_deref(), Some("of the event"));
    assert_eq!(said(&[BATCH, of_request], &format!("[{of_event}]")).as_deref(), Some("of the request"));
}
