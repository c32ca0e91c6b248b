//! `zelo play`: a day against the server that runs here.

use std::fs;

use serde_json::Value;

use crate::days::{self, Day};
use crate::house::House;
use crate::serve::AT_ANY_HOUR;

/// A clinic, a patient, an appointment three hours after it was made, and its delivery again; long ago.
fn day() -> Day {
    let start = "2026-03-02 15:00:00";
    Day::new("America/Sao_Paulo")
        .clinic("2026-03-02T11:00:00Z")
        .patient("2026-03-02T11:30:00Z", "Íris Modelo", Some("(11) 90000-0001"))
        .appointment("2026-03-02T12:00:00Z", "2026-03-02T12:00:00Z", "appointment/new", start)
        .appointment("2026-03-02T12:00:00Z", "2026-03-02T12:00:00Z", "appointment/new", start)
}

#[test]
fn a_day_is_played_as_if_it_happened_now() {
    let house = House::new(AT_ANY_HOUR);
    fs::write(house.path("day.jsonl"), days::text(&day().lines)).unwrap();
    let server = house.serve();
    let text = house.ok(&["play", "day.jsonl", "--pace", "0"]);
    let of = |word: &str| text.lines().filter(|line| line.contains(word)).collect::<Vec<_>>();
    assert_eq!(of("  accepted  ").len(), 3, "{text}");
    assert_eq!(of("  duplicate ").len(), 1, "{text}");
    assert!(of("appointment/new")[0].contains("fires appointment-reminder"), "{text}");
    let messages = of("→ message to (11) 90000-0001: Olá Íris");
    assert_eq!(messages.len(), 1, "{text}");
    assert!(text.contains("received    3 accepted, 1 duplicate") && text.contains("messages    1, in the outbox"), "{text}");
    assert!(text.contains("/sign-in?code="), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours where nobody sees them");

    // The appointment is three hours from now, not long ago.
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let events = server.list("/api/v1/events", &token);
    assert_eq!(events.len(), 3);
    let received = |event: &Value| event["received"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let time = |event: &Value| event["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(events.iter().all(|event| received(event).duration_since(time(event)).abs().as_secs() < 60), "{events:?}");
}

#[test]
fn a_demo_stands_beside_what_is_there_and_ends_with_a_reminder() {
    let house = House::new(AT_ANY_HOUR);
    fs::write(house.path("day.jsonl"), days::text(&day().lines)).unwrap();
    let server = house.serve();
    house.ok(&["play", "day.jsonl", "--pace", "0"]);
    let text = house.ok(&["play", "day.jsonl", "--pace", "0", "--demo"]);
    assert!(text.contains("made-up people") && text.contains("has received events before"), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("  accepted  ")).count(), 4, "nothing is known yet: {text}");
    assert_eq!(text.matches("→ message to (11) 90000-0001: Olá Íris").count(), 2, "{text}");
    let token = house.ok(&["token", "new"]).trim().to_owned();
    assert_eq!(server.list("/api/v1/messages", &token).len(), 3);
    let patients = server.get("/api/v1/records?type=patient", &token);
    assert_eq!(patients["items"].as_array().unwrap().len(), 2, "the demo's patient is another");
}

#[test]
fn without_a_server_it_says_what_to_do() {
    let house = House::new("");
    let output = house.zelo(&["play", days::SHIPPED, "--demo"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("make run"));
}
