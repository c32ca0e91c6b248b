//! Deliveries that are packed, or of several events, or not in their form.

use std::io::Write;

use axum::body::Body;
use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::write::GzEncoder;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::house::{Answer, House, MARKER, SECRET, delivery, patient, request};

const TOKEN: (&str, &str) = ("x-zelo-token", SECRET);

/// A source with this in `[receive]`, and these events.
fn source(receive: &str, events: &str) -> String {
    format!(
        r#"
id = "acme"
[receive]
max_body = 4096
{receive}
verify = {{ any = [
  {{ kind = "hmac", header = "x-signature" }},
  {{ kind = "token", header = "x-zelo-token" }} ] }}
{events}
[classes]
public = ["$.data.id"]
personal = ["$.data.name", "$.data.phone"]
"#
    )
}

async fn send(house: &House, body: &Value) -> Answer {
    house.send(delivery("/hooks/acme/x", &[TOKEN], body.to_string())).await
}

/// Each receipt: its status, and how many rules fired.
fn told(answer: &Answer) -> Vec<(String, u64)> {
    assert_eq!(answer.status, 202, "{}", answer.text);
    let receipts = answer.json();
    let receipts = receipts.as_array().cloned().unwrap_or_else(|| vec![receipts.clone()]);
    receipts.iter().map(|receipt| (receipt["status"].as_str().unwrap().to_owned(), receipt["rules"].as_u64().unwrap())).collect()
}

async fn stored(house: &House) -> Vec<Value> {
    house.api("events").await.json()["items"].as_array().unwrap().clone()
}

const SEVERAL: &str = r#"split = ["$.patients[*]", "$.visits[*]"]"#;
const OF_SEVERAL: &str = r#"
[[events]]
match = { body = { path = "$.patients[0].id", exists = true } }
type = "patient.created"
id = "$.patients[0].id"
entity = { type = "patient", id = "$.patients[0].id" }
subjects = [{ id = "$.patients[0].id" }]
[[events]]
match = { body = { path = "$.visits", exists = true } }
type = "visit.noted"
"#;

#[tokio::test]
async fn a_delivery_of_several_events_is_answered_with_a_list() {
    let house = House::reading(&source(SEVERAL, OF_SEVERAL), &[]).await;
    let of = |ids: &[u64], visits: &[&str]| {
        let patients: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        json!({ "account": 1, "patients": patients, "visits": visits })
    };
    let pair = |status: &str, rules| (status.to_owned(), rules);
    let first = send(&house, &of(&[1, 2], &["a"])).await;
    assert_eq!(told(&first), [pair("accepted", 1), pair("accepted", 1), pair("accepted", 0)]);
    let receipts = first.json();
    let ids: std::collections::BTreeSet<&str> = receipts.as_array().unwrap().iter().map(|one| one["event_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3);
    assert!(receipts.as_array().unwrap().iter().all(|one| one["trace_id"] == receipts[0]["trace_id"]), "one delivery, one trace");
    // A partly repeated delivery: the repeats are duplicates, the rest is taken. Without an id, the content of a part identifies it.
    let second = send(&house, &of(&[2, 3], &["a", "b"])).await;
    assert_eq!(told(&second), [pair("duplicate", 0), pair("accepted", 1), pair("duplicate", 0), pair("accepted", 0)]);
    assert_eq!(second.json()[0]["event_id"], receipts[1]["event_id"]);
    let events = stored(&house).await;
    assert_eq!(events.len(), 5);
    let one = house.api(&format!("events/{}", receipts[1]["event_id"].as_str().unwrap())).await.json();
    assert_eq!((&one["type"], &one["entity"]["id"]), (&"patient.created".into(), &"2".into()), "{one}");
    // One that is alone is a list too; where nothing is split, there is one event, whole.
    let alone = send(&house, &of(&[4], &[])).await;
    assert!(alone.json().is_array() && told(&alone) == [pair("accepted", 1)], "{}", alone.text);
    let whole = send(&house, &json!({ "account": 1 })).await;
    assert!(whole.json().is_object() && told(&whole) == [pair("ignored", 0)], "{}", whole.text);
}

#[tokio::test]
async fn of_a_delivery_that_is_refused_nothing_is_stored() {
    let schema = json!({ "properties": { "patients": { "items": { "properties": { "id": { "type": "integer" } } } } } });
    let events = OF_SEVERAL.replacen("type = \"patient.created\"", "type = \"patient.created\"\nschema = \"patient.json\"", 1);
    let receive = format!("on_violation = \"refuse\"\n{SEVERAL}");
    let house = House::reading(&source(&receive, &events), &[("patient.json", schema.clone())]).await;
    let problem = send(&house, &json!({ "patients": [{ "id": 1 }, { "id": MARKER }] })).await.is_problem(422, "violation");
    assert_eq!(problem["detail"], "`type` of its schema does not hold at $.patients[0].id");
    let many = vec![json!(0); 1001];
    send(&house, &json!({ "patients": many })).await.is_problem(400, "malformed");
    assert!(stored(&house).await.is_empty());
    assert_eq!(told(&send(&house, &json!({ "patients": [{ "id": 1 }, { "id": 2 }] })).await).len(), 2);
    // Each is in its form, or not, by itself.
    let house = House::reading(&source(SEVERAL, &events), &[("patient.json", schema)]).await;
    let mixed = send(&house, &json!({ "patients": [{ "id": 1 }, { "id": "2" }] })).await;
    assert_eq!(told(&mixed), [("accepted".to_owned(), 1), ("quarantined".to_owned(), 0)]);
}

#[tokio::test]
async fn what_is_in_quarantine_is_seen_and_fires_nothing() {
    let schema = json!({ "type": "object", "required": ["data"], "properties": { "data": { "required": ["name"], "properties": {
        "name": { "type": "string" } } } } });
    let events = r#"
[[events]]
type = "patient.created"
schema = "schemas/patient.json"
entity = { type = "patient", id = "$.data.id" }
subjects = [{ id = "$.data.id", phone = "$.data.phone" }]
[[records]]
type = "patient"
on = ["patient.created"]
key = "$.data.id"
keep = { name = "$.data.name" }
"#;
    let house = House::reading(&source("", events), &[("schemas/patient.json", schema)]).await;
    let mut odd = patient("1", "");
    odd["data"]["name"] = json!({ "first": MARKER });
    let answer = send(&house, &odd).await;
    let receipt = answer.json();
    assert_eq!((answer.status.as_u16(), &receipt["status"], &receipt["rules"]), (202, &"quarantined".into(), &0.into()), "{receipt}");
    assert_eq!(receipt["violation"], "`type` of its schema does not hold at $.data.name");
    assert!(!answer.text.contains(MARKER));
    let event = receipt["event_id"].as_str().unwrap();
    let view = house.api(&format!("events/{event}")).await.json();
    assert_eq!((&view["status"], &view["type"]), (&"quarantined".into(), &"patient.created".into()), "{view}");
    assert_eq!(house.api("events").await.json()["items"][0]["status"], "quarantined");
    assert_eq!(house.api("status").await.json()["deliveries"]["quarantined"], 1);
    for list in ["jobs", "records"] {
        assert!(house.api(list).await.json()["items"].as_array().unwrap().is_empty(), "{list}");
    }
    let why = house.api(&format!("events/{event}/explanation?lang=en")).await;
    assert_eq!((&why.json()["status"], &why.json()["violation"]), (&"quarantined".into(), &receipt["violation"]), "{}", why.text);
    // The same again is known; what is in its form is taken.
    let again = send(&house, &odd).await.json();
    assert_eq!((&again["status"], &again["event_id"], again.get("violation")), (&"duplicate".into(), &receipt["event_id"], None));
    assert_eq!(told(&send(&house, &patient("1", "Ana")).await), [("accepted".to_owned(), 1)]);
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_packed_body_is_what_it_was_before() {
    let house = House::new().await;
    let body = patient("1", "Ana").to_string();
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = HEXLOWER.encode(&mac.finalize().into_bytes());
    let send = async |signature: &str, bytes: &[u8]| {
        let headers = [("content-type", "application/json"), ("content-encoding", "gzip"), ("x-signature", signature)];
        house.send(request("POST", "/hooks/acme/patient/new", &headers, Body::from(bytes.to_vec()))).await
    };
    let packed_body = packed(body.as_bytes());
    assert_eq!(send(&signature, &packed_body).await.json()["status"], "accepted", "what is signed is what was packed");
    assert_eq!(house.send(delivery("/hooks/acme/patient/new", &[TOKEN], body)).await.json()["status"], "duplicate");
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&packed_body);
    let of_packed = HEXLOWER.encode(&mac.finalize().into_bytes());
    send(&of_packed, &packed_body).await.is_problem(401, "unverified");
    // Its `max_body` is 2048: packed and unpacked.
    let bomb = packed(&vec![b' '; 1 << 20]);
    assert!(bomb.len() < 2048);
    send(&signature, &bomb).await.is_problem(413, "too-large");
    send(&signature, &packed_body[..packed_body.len() - 9]).await.is_problem(400, "malformed");
}

#[tokio::test]
async fn a_form_and_what_stands_around_a_body_are_read() {
    let events = "[[events]]\ntype = \"patient.created\"\nid = \"$.id\"\n";
    let form = House::reading(&source("format = \"form\"", events), &[]).await;
    let headers = [TOKEN, ("content-type", "application/x-www-form-urlencoded")];
    let post = async |body: &str| form.send(request("POST", "/hooks/acme/x", &headers, Body::from(body.to_owned()))).await;
    assert_eq!(post("id=1&name=Ana+B").await.json()["status"], "accepted");
    assert_eq!(post("name=Ana+C&id=1").await.json()["status"], "duplicate");
    post(&format!("id=%{MARKER}")).await.is_problem(400, "malformed");

    let payload = "payload = { id = \"{query:data.id}\", state = \"{header:x-state}\" }";
    let around = House::reading(&source(payload, events), &[]).await;
    let post = async |path: &str, state: &str, body: &str| {
        around.send(request("POST", path, &[TOKEN, ("x-state", state)], Body::from(body.to_owned()))).await
    };
    assert_eq!(post("/hooks/acme/x?data.id=7", "new", "").await.json()["status"], "accepted");
    assert_eq!(post("/hooks/acme/x?data.id=7", "old", "{ is not read").await.json()["status"], "duplicate");
    assert_eq!(post("/hooks/acme/x?data.id=8", "old", "").await.json()["status"], "accepted");
}
