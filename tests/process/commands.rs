//! Commands about files: what they say of mistakes.

use std::fs;

use serde_json::Value;

use crate::house::House;

const REMINDER: &str = "rules/automations/appointment-reminder.toml";

#[test]
fn what_ships_is_fine() {
    let house = House::new("");
    assert!(house.ok(&["check"]).contains("are fine"));
    assert!(house.ok(&["test"]).contains(", 0 failed"));
}

#[test]
fn a_mistake_is_refused_with_its_place_and_what_to_do() {
    let house = House::new("");
    let text = fs::read_to_string(house.path(REMINDER)).unwrap();
    let broken = text.replacen("appointment.created", "apointment.created", 1);
    assert_ne!(text, broken);
    fs::write(house.path(REMINDER), &broken).unwrap();
    let output = house.zelo(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = 1 + broken.lines().position(|line| line.contains("apointment.created")).unwrap();
    assert!(said.contains(&format!("appointment-reminder.toml:{line}:")), "{said}");
    assert!(said.contains("appointment.created"), "it says what was meant: {said}");

    let json = String::from_utf8(house.zelo(&["check", "--format", "json"]).stdout).unwrap();
    let found: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(found[0]["line"], line);
    assert!(!house.zelo(&["serve"]).status.success(), "a server does not start on it");
}

#[test]
fn a_warning_keeps_nothing_out_unless_asked_to() {
    let house = House::new("");
    let text = fs::read_to_string(house.path(REMINDER)).unwrap();
    let odd = text.replacen("$.data.title", "$.data.titel", 1);
    assert_ne!(text, odd);
    fs::write(house.path(REMINDER), &odd).unwrap();
    let output = house.zelo(&["check", "--strict"]);
    assert_eq!(output.status.code(), Some(1), "asked to be strict, it fails on a warning");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("warning[no-such-path]") && !said.contains('\x1b'), "no colours where no terminal shows them: {said}");
    assert_eq!(said.trim_end().lines().last(), Some("1 warning"), "{said}");

    let json: Vec<Value> = serde_json::from_str(&house.ok(&["check", "--format", "json"])).unwrap();
    let place = |end: &str| usize::try_from(json[0]["replace"][end].as_u64().unwrap()).unwrap();
    let mut mended = odd;
    mended.replace_range(place("start")..place("end"), json[0]["suggestion"].as_str().unwrap());
    assert_eq!(mended, text, "the suggestion stands in for what it replaces");

    fs::write(house.path(REMINDER), &text).unwrap();
    fs::remove_file(house.path("examples/events/new-user.json")).unwrap();
    let said = house.ok(&["check"]);
    assert!(said.contains("warning[missing-sample]") && said.contains("clinicarx.toml:"), "{said}");
}

#[test]
fn a_failing_test_fails_the_command() {
    let house = House::new("");
    let text = fs::read_to_string(house.path(REMINDER)).unwrap();
    let wrong = text.replacen("at = \"2017-05-29T11:00:00Z\"", "at = \"2017-05-29T12:00:00Z\"", 1);
    assert_ne!(text, wrong, "the shipped rule tests the due time of the sample");
    fs::write(house.path(REMINDER), wrong).unwrap();
    let output = house.zelo(&["test"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("2017-05-29T11:00:00Z"), "it says what came instead");
}

#[test]
fn a_path_can_be_tried() {
    let house = House::new("");
    assert_eq!(house.ok(&["path", "$.data.patient.name", "examples/events/new-appointment.json"]).trim(), "[\"John Doe\"]");
    let output = house.zelo(&["path", "$.data[", "examples/events/new-appointment.json"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_connection_without_a_secret_is_no_connection() {
    let house = House::new("[connections.centro]\nsource = \"clinicarx\"\n");
    let output = house.zelo(&["serve"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no secret"));
}
