//! Deliveries that are not plain JSON with everything in it, through the commands that send, check and simulate them.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::house::{House, SECRET, within};

/// Payloads of headers and parameters, whose examples are the payloads themselves.
const CALENDAR: &str = r#"
id = "calendar"
title = "Calendar"
[receive]
payload = { channel = "{header:x-channel}", data = { id = "{query:data.id}" } }
verify = { kind = "token", header = "x-token" }
[[events]]
match = { query = { name = "topic", equals = "changed things" } }
type = "calendar.changed"
id = ["$.channel", "$.data.id"]
schema = "schemas/calendar.json"
sample = "samples/calendar.json"
"#;

const SEVERAL: &str = r#"
id = "several"
title = "Several"
[receive]
format = ["form", "json"]
split = "$.things[*]"
verify = { kind = "token", header = "x-token" }
[[events]]
match = { body = { path = "$.things[0].id", exists = true } }
type = "thing.changed"
id = "$.things[0].id"
sample = "samples/things.json"
[[events]]
type = "thing.told"
sample = "samples/things.form"
"#;

fn house() -> House {
    let house = House::new("");
    for folder in ["schemas", "samples"] {
        fs::create_dir_all(house.path("rules/sources").join(folder)).unwrap();
    }
    for (file, text) in [
        ("rules/sources/calendar.toml", CALENDAR),
        ("rules/sources/several.toml", SEVERAL),
        ("rules/sources/schemas/calendar.json", r#"{ "properties": { "channel": { "pattern": "^c" } } }"#),
        ("rules/sources/samples/calendar.json", r#"{ "channel": "c1", "data": { "id": "7/8" } }"#),
        ("rules/sources/samples/things.json", r#"{ "things": [{ "id": 1 }, { "id": 2 }] }"#),
        ("rules/sources/samples/things.form", "id=1&id=2"),
        ("secrets/calendar", SECRET),
        ("secrets/several", SECRET),
    ] {
        fs::write(house.path(file), text).unwrap();
    }
    house
}

#[test]
fn every_kind_of_sample_can_be_sent() {
    let house = house();
    let server = house.serve();
    assert!(house.ok(&["send", "calendar", "calendar.changed"]).starts_with("202 accepted  evt_"));
    assert!(house.ok(&["send", "calendar", "calendar.changed"]).starts_with("202 duplicate"));
    let odd = house.ok(&["send", "calendar", "calendar.changed", "--set", "$.channel=d"]);
    assert!(odd.starts_with("202 quarantined") && odd.trim_end().ends_with("`pattern` of its schema does not hold at $.channel"), "{odd}");
    let lines = house.ok(&["send", "several", "thing.changed"]);
    assert_eq!(lines.lines().filter(|line| line.starts_with("202 accepted  evt_")).count(), 2, "{lines}");
    assert!(house.ok(&["send", "several", "thing.told"]).starts_with("202 accepted  evt_"));
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let events = server.list("/api/v1/events", &token);
    let mut data: Vec<String> = events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    data = data.iter().map(|id| server.get(&format!("/api/v1/events/{id}"), &token)["data"].to_string()).collect();
    for wanted in [
        r#"{"channel":"c1","data":{"id":"7/8"}}"#,
        r#"{"channel":"d","data":{"id":"7/8"}}"#,
        r#"{"things":[{"id":1}]}"#,
        r#"{"things":[{"id":2}]}"#,
        r#"{"id":["1","2"]}"#,
    ] {
        assert!(data.iter().any(|data| data == wanted), "{wanted}: {data:?}");
    }
    // A schema that changes is taken over as a rule is.
    fs::write(house.path("rules/sources/schemas/calendar.json"), r#"{ "properties": { "channel": { "pattern": "^e" } } }"#).unwrap();
    let mut number = 0;
    within("the changed schema is in force", Duration::from_secs(20), || {
        number += 1;
        house.ok(&["send", "calendar", "calendar.changed", "--set", &format!("$.data.id=x{number}")]).starts_with("202 quarantined")
    });
}

#[test]
fn a_simulated_day_has_headers_and_parameters_too() {
    let house = house();
    let day = [
        r#"{"at": "2026-03-02T10:00:00Z", "source": "calendar", "path": "x?topic=changed+things&data.id=7", "headers": {"X-Channel": "c1"}, "body": ""}"#,
        r#"{"at": "2026-03-02T10:01:00Z", "source": "calendar", "path": "x?topic=changed+things&data.id=8", "headers": {"X-Channel": "d"}, "body": ""}"#,
        r#"{"at": "2026-03-02T10:02:00Z", "source": "several", "path": "", "body": {"things": [{"id": 1}, {"id": 2}, {"id": 1}]}}"#,
    ];
    fs::write(house.path("day.jsonl"), day.join("\n")).unwrap();
    let rows = house.ok(&["simulate", "day.jsonl", "--format", "json"]);
    let rows: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let states: Vec<&str> = rows.iter().map(|row| row["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["accepted", "quarantined", "accepted", "accepted", "duplicate"], "{rows:?}");
    assert!(rows[1]["detail"].as_str().unwrap().contains("does not hold at $.channel"));
}

#[test]
fn a_payload_that_has_not_come_is_explained_as_it_would_be_made() {
    let house = house();
    let text = house.ok(&["explain", "rules/sources/samples/calendar.json", "--type", "calendar.changed", "--connection", "calendar"]);
    assert!(text.contains("calendar.changed") && !text.contains("esquema"), "{text}");
    fs::write(house.path("odd.json"), r#"{ "channel": "d" }"#).unwrap();
    let text = house.ok(&["explain", "odd.json", "--type", "calendar.changed", "--connection", "calendar"]);
    assert!(text.contains("\nPelo esquema em vigor: `pattern` of its schema does not hold at $.channel.\n"), "{text}");
    let output = house.zelo(&["explain", "rules/sources/samples/things.json", "--connection", "several"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("2 events"), "which of them is meant?");
    fs::write(house.path("rules/sources/schemas/calendar.json"), r#"{ "$ref": "https://example.com/schema.json" }"#).unwrap();
    let output = house.zelo(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("bad-schema"));
}
