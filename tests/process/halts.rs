//! The kill switch: what runs is broken off, what waits does not begin, and nothing is lost.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use crate::house::{House, Server, within};
use crate::requests::{INSIDE, KEYED, Other, ended, header, house, patient};

/// How the jobs of the rule stand, newest first.
fn states(server: &Server, token: &str) -> Vec<String> {
    let jobs = server.list("/api/v1/jobs", token);
    jobs.iter().filter(|job| job["rule"] == "tell").map(|job| job["state"].as_str().unwrap().to_owned()).collect()
}

fn token(house: &House) -> String {
    house.ok(&["token", "new"]).trim().to_owned()
}

#[test]
fn what_runs_is_broken_off_and_goes_on_when_it_may() {
    let other = Other::new(false);
    let house = house(&other, "POST", KEYED, INSIDE);
    let server = house.serve();
    let token = token(&house);
    patient(&server, "p1");
    within("it was asked", Duration::from_secs(60), || other.asked().len() == 1);
    let said = house.ok(&["halt", "rule:tell", "--reason", "it tells too much"]);
    assert!(said.contains("broken off"), "{said}");
    within("it is broken off", Duration::from_secs(60), || states(&server, &token) == ["ready"]);
    let job = &server.list("/api/v1/jobs", &token)[0];
    assert_eq!(job["reason"]["code"], "halted", "{job}");

    // It holds after a restart, and for what comes from now on.
    other.open.store(true, Ordering::SeqCst);
    server.stop();
    let server = house.serve();
    patient(&server, "p2");
    let listed: serde_json::Value = serde_json::from_str(&house.ok(&["halt", "--format", "json"])).unwrap();
    assert_eq!((&listed[0]["scope"], &listed[0]["reason"]), (&json!("rule:tell"), &json!("it tells too much")));
    assert_eq!(states(&server, &token), ["ready", "ready"]);
    assert_eq!(other.asked().len(), 1, "nothing began");

    house.ok(&["resume", "rule:tell"]);
    within("all is done", Duration::from_secs(60), || states(&server, &token) == ["done", "done"]);
    let mut keys: Vec<_> = other.asked().iter().map(|asked| header(asked, "x-idempotency-key").unwrap()).collect();
    assert_eq!(keys.iter().filter(|key| **key == keys[0]).count(), 2, "the one that was broken off is asked again: {keys:?}");
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 2, "each is one request");
    assert_eq!(house.zelo(&["resume", "rule:tell"]).status.code(), Some(1), "it is not halted any more");
}

#[test]
fn what_nobody_may_repeat_is_for_a_person_to_decide() {
    let other = Other::new(false);
    let house = house(&other, "POST", "", INSIDE);
    let server = house.serve();
    patient(&server, "p1");
    within("it was asked", Duration::from_secs(60), || other.asked().len() == 1);
    house.ok(&["halt", "all"]);
    other.open.store(true, Ordering::SeqCst);
    house.ok(&["resume", "all"]);
    let job = ended(&house, &server);
    assert_eq!(job["state"], "unknown", "{job}");
    assert_eq!(other.asked().len(), 1, "nothing was repeated");
}

#[test]
fn a_name_that_nothing_has_is_no_halt() {
    let other = Other::new(true);
    let house = house(&other, "POST", "", INSIDE);
    let server = house.serve();
    for (scope, meant) in [("rule:tel", "tell"), ("plugin:reqest", "request"), ("everything", "plugin:NAME")] {
        let refused = house.zelo(&["halt", scope]);
        assert_eq!(refused.status.code(), Some(2), "{scope}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains(meant), "{said}");
    }
    assert_eq!(house.ok(&["halt"]).trim(), "nothing is halted");
    drop(server);
    // A rule that does not load can be halted all the same.
    fs::write(house.path("rules/automations/tell.toml"), "id = 7").unwrap();
    house.ok(&["halt", "rule:tell"]);
    assert!(house.ok(&["halt"]).starts_with("rule:tell"));
}

#[test]
fn jobs_of_one_value_go_one_after_another() {
    let other = Other::new(false);
    let house = house(&other, "POST", KEYED, INSIDE);
    let file = house.path("rules/automations/tell.toml");
    let rule = fs::read_to_string(&file).unwrap();
    fs::write(&file, rule.replace("plugin = \"request\"", "plugin = \"request\"\norder_by = \"$.data.clinic.id\"\n")).unwrap();
    let server = house.serve();
    let token = token(&house);
    for (id, clinic) in [("p1", "a"), ("p2", "a"), ("p3", "b")] {
        let body = json!({ "data": { "id": id, "name": "Íris", "clinic": { "id": clinic } }, "timestamp": "2026-01-01 12:00:00" });
        assert_eq!(server.deliver("clinicarx/patient/new", &body.to_string()).0, 202);
    }
    let asked = |id: &str| other.asked().iter().filter(|asked| asked.contains(&format!("/contacts/{id} "))).count();
    within("the first of each was asked", Duration::from_secs(60), || asked("p1") == 1 && asked("p3") == 1);
    assert_eq!(asked("p2"), 0, "it waits for the one before it");
    assert_eq!(states(&server, &token), ["running", "ready", "running"]);
    other.open.store(true, Ordering::SeqCst);
    house.ok(&["halt", "plugin:request"]);
    house.ok(&["resume", "plugin:request"]);
    within("all is done", Duration::from_secs(60), || states(&server, &token) == ["done", "done", "done"]);
    assert_eq!(asked("p2"), 1);
}
