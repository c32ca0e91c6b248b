//! Earlier events: a rule that is switched on or changed fires for none of them, and a replay does so because a person says it.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::house::{House, Server, within};

/// Tells the desk of each appointment, unless it is cancelled.
fn rule(text: &str) -> String {
    format!(
        r#"
id     = "notice"
title  = "Notice"
source = "clinicarx"
on     = ["appointment.created", "appointment.updated"]

[[then]]
name      = "tell"
plugin    = "message"
key       = "$.data.id"
cancel_on = [{{ type = "appointment.canceled", key = "$.data.id" }}]
purpose   = "Tell the desk"
basis     = "lgpd:11.II.f"

[then.allow]
id = "$.data.id"

[then.with]
to   = "+55 11 90000 0000"
text = "{text} {{{{ id }}}}"

[then.grant]
messages = {{ channels = ["outbox"], to = ["+55 11 90000 0000"] }}
"#
    )
}

fn house() -> House {
    let house = House::new("");
    fs::write(house.path("rules/automations/notice.toml"), rule("Novo agendamento")).unwrap();
    house
}

fn appointment(server: &Server, word: &str, id: &str, starts: &str, at: &str) -> Value {
    let body = json!({
        "data": {
            "id": id, "event_status": "scheduled", "scheduled_start_at": starts,
            "patient": { "id": "90001", "name": "Íris Modelo" }, "clinic": { "id": "7", "name": "Centro" }
        },
        "timestamp": at
    });
    let (status, answer) = server.deliver(&format!("clinicarx/appointment/{word}"), &body.to_string());
    assert_eq!(status, 202);
    answer
}

/// One that stays, one that is cancelled, one that is moved; all far ahead.
fn day(server: &Server) -> Vec<Value> {
    [
        ("new", "a", "2099-01-10 12:00:00", "2026-01-01 12:00:00"),
        ("new", "b", "2099-01-10 13:00:00", "2026-01-01 12:01:00"),
        ("new", "c", "2099-01-10 14:00:00", "2026-01-01 12:02:00"),
        ("edit", "c", "2099-01-11 14:00:00", "2026-01-01 12:03:00"),
        ("cancel", "b", "2099-01-10 13:00:00", "2026-01-01 12:04:00"),
    ]
    .map(|(word, id, starts, at)| appointment(server, word, id, starts, at))
    .to_vec()
}

fn jobs(house: &House) -> Vec<Value> {
    serde_json::from_str(&house.ok(&["jobs", "--format", "json"])).unwrap()
}

fn states(house: &House) -> Vec<String> {
    let mut states: Vec<String> = jobs(house).iter().map(|job| job["state"].as_str().unwrap().to_owned()).collect();
    states.sort();
    states
}

fn replay(house: &House, more: &[&str]) -> Value {
    let told = house.ok(&[&["replay", "--rule", "notice", "--from", "1h", "--format", "json"], more].concat());
    serde_json::from_str(&told).unwrap()
}

#[test]
fn what_is_switched_on_or_changed_fires_for_nothing_that_came_before() {
    let house = house();
    let server = house.serve();
    day(&server);
    house.ok(&["automation", "enable", "notice"]);
    house.ok(&["automation", "enable", "appointment-reminder"]);
    assert_eq!(jobs(&house).len(), 0, "switched on");
    assert!(day(&server).iter().all(|answer| answer["status"] == "duplicate"), "sent again");
    house.ok(&["automation", "enable", "appointment-reminder", "--set", "hours_before=48"]);
    assert_eq!(jobs(&house).len(), 0, "other settings");
    house.ok(&["automation", "disable", "notice"]);
    house.ok(&["automation", "enable", "notice"]);
    server.stop();
    // Another text, another file, and a start in between.
    fs::write(house.path("rules/automations/notice.toml"), rule("Agendado")).unwrap();
    let server = house.serve();
    day(&server);
    assert_eq!(jobs(&house).len(), 0, "changed");
    appointment(&server, "new", "d", "2099-01-10 12:00:00", "2026-01-01 12:00:00");
    within("what comes now fires", Duration::from_secs(60), || jobs(&house).len() == 2);
}

#[test]
fn what_came_before_is_neither_counted_nor_collected_and_takes_no_place() {
    let house = house();
    for (id, over) in [
        ("counting", r#"count = { at_least = 2, within = "1h" }"#),
        ("throttled", r#"throttle = { limit = 1, per = "1h" }"#),
        ("collecting", r#"debounce = { wait = "30s" }"#),
    ] {
        let text = rule("Agendado").replace("id     = \"notice\"", &format!("id     = \"{id}\""));
        let (head, tail) = text.split_once("key       =").unwrap();
        let tail = tail.split_once("purpose").unwrap().1;
        let whole =
            format!("{head}{over}\npurpose{tail}").replace("id = \"$.data.id\"\n", "id = { path = \"$.data.id\", collected = true }\n");
        let whole =
            if id == "collecting" { whole.replace("{{ id }}", "{{ id | join(', ') }}") } else { format!("{head}{over}\npurpose{tail}") };
        fs::write(house.path(&format!("rules/automations/{id}.toml")), whole).unwrap();
    }
    let server = house.serve();
    day(&server);
    for id in ["counting", "throttled", "collecting"] {
        house.ok(&["automation", "enable", id]);
    }
    appointment(&server, "new", "d", "2099-01-10 12:00:00", "2026-01-01 12:05:00");
    within("the two that fire", Duration::from_secs(60), || states(&house) == ["done", "done"]);
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let texts: Vec<Value> = server.list("/api/v1/messages", &token).into_iter().map(|message| message["text"].clone()).collect();
    assert_eq!(texts, ["Agendado d", "Agendado d"]);
}

#[test]
fn a_replay_makes_each_job_once_and_none_for_what_was_cancelled() {
    let house = house();
    let server = house.serve();
    let cancelled = day(&server)[4]["event_id"].as_str().unwrap().to_owned();
    let off = house.zelo(&["replay", "--rule", "notice", "--from", "1h"]);
    assert_eq!(off.status.code(), Some(2), "it is off");
    house.ok(&["automation", "enable", "notice"]);

    let dry = house.ok(&["replay", "--rule", "notice", "--from", "1h"]);
    assert!(dry.contains("5 events, 4 matched, 2 made, 2 cancelled"), "{dry}");
    assert!(dry.contains("cancelled_by_event: cancelled by appointment.canceled") && dry.contains("nothing was changed"), "{dry}");
    assert_eq!(jobs(&house).len(), 0, "a dry run");

    // The cancellation came after the range, and is heard all the same.
    let token = house.ok(&["token", "new", "--role", "integrator"]).trim().to_owned();
    let to = server.get(&format!("/api/v1/events/{cancelled}"), &token)["received"].as_str().unwrap().to_owned();
    let before = replay(&house, &["--to", &to]);
    assert_eq!((&before["events"], &before["counts"]), (&json!(4), &json!({ "made": 2, "cancelled": 2 })), "{before}");

    let done = replay(&house, &["--yes", "--per-minute", "6000"]);
    assert_eq!(done["counts"], json!({ "made": 2, "cancelled": 2 }), "{done}");
    within("done", Duration::from_secs(60), || states(&house) == ["cancelled", "cancelled", "done", "done"]);
    let texts = |server: &Server| server.list("/api/v1/messages", &token).len();
    assert_eq!(texts(&server), 2);

    let again = replay(&house, &["--yes"]);
    assert_eq!(again["counts"], json!({ "known": 4 }), "{again}");
    server.stop();
    let server = house.serve();
    assert_eq!(replay(&house, &["--yes"])["counts"], json!({ "known": 4 }));
    assert_eq!((jobs(&house).len(), texts(&server)), (4, 2));

    let job = jobs(&house).into_iter().find(|job| job["state"] == "done").unwrap();
    let shown = house.ok(&["jobs", "show", job["id"].as_str().unwrap()]);
    assert!(shown.contains("made by replay on") && shown.contains("by command"), "{shown}");
    let explained = house.ok(&["explain", job["event"].as_str().unwrap(), "--lang", "en"]);
    assert!(explained.contains("made by a replay by command"), "{explained}");
    let entry = server.list("/api/v1/audit", &token).into_iter().find(|entry| entry["detail"]["decision"] == "replayed").unwrap();
    assert_eq!((&entry["actor"], &entry["detail"]["rule"]), (&json!("command"), &json!("notice")), "{entry}");
}

#[test]
fn a_replay_of_one_clinic_hears_what_the_others_say_of_the_same() {
    let house = house();
    let server = house.serve();
    for (id, time) in [("a", "12:00"), ("b", "12:01"), ("c", "12:02")] {
        appointment(&server, "new", id, "2099-01-10 12:00:00", &format!("2026-01-01 {time}:00"));
    }
    // Of no clinic, and of another one.
    for (id, clinic) in [("a", Value::Null), ("b", json!({ "id": "8", "name": "Norte" }))] {
        let body = json!({
            "data": { "id": id, "event_status": "canceled", "patient": { "id": "90001" }, "clinic": clinic },
            "timestamp": "2026-01-01 12:05:00"
        });
        assert_eq!(server.deliver("clinicarx/appointment/cancel", &body.to_string()).0, 202);
    }
    house.ok(&["automation", "enable", "notice"]);
    let one = replay(&house, &["--clinic", "7", "--yes"]);
    assert_eq!((&one["events"], &one["counts"]), (&json!(3), &json!({ "made": 1, "cancelled": 2 })), "{one}");
    assert_eq!(replay(&house, &["--clinic", "8"])["counts"], json!({}));
    within("done", Duration::from_secs(60), || states(&house) == ["cancelled", "cancelled", "done"]);
}

#[test]
fn a_reminder_whose_time_has_passed_is_not_sent() {
    let house = house();
    let server = house.serve();
    appointment(&server, "new", "past", "2026-01-02 12:00:00", "2026-01-01 12:00:00");
    appointment(&server, "new", "ahead", "2099-01-10 15:00:00", "2026-01-01 12:00:00");
    house.ok(&["automation", "enable", "appointment-reminder"]);
    server.stop();
    // Without a server, on the store itself.
    let replay = ["replay", "--rule", "appointment-reminder", "--from", "1h"];
    let dry = house.ok(&replay);
    assert!(dry.contains("1 made, 1 skipped; nothing was changed"), "{dry}");
    assert!(dry.contains("late: its time") && dry.contains("at 2099-01-09T15:00:00Z"), "{dry}");
    let done = house.ok(&[&replay[..], &["--yes"]].concat());
    assert!(done.contains("1 made, 1 skipped"), "{done}");
    assert_eq!(states(&house), ["scheduled", "skipped"]);
}

#[test]
fn what_came_before_the_range_is_heard_where_the_range_came_late() {
    let house = house();
    // Of each patient only the newest appointment counts, whichever it is.
    let by_patient = rule("Agendado").replace("key       = \"$.data.id\"", "key       = \"$.data.patient.id\"");
    fs::write(house.path("rules/automations/notice.toml"), by_patient).unwrap();
    let server = house.serve();
    appointment(&server, "new", "newer", "2099-01-10 12:00:00", "2026-01-01 12:10:00");
    let late = appointment(&server, "new", "older", "2099-01-10 15:00:00", "2026-01-01 12:00:00");
    house.ok(&["automation", "enable", "notice"]);
    house.ok(&["automation", "enable", "appointment-reminder"]);
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let event = late["event_id"].as_str().unwrap();
    let from = server.get(&format!("/api/v1/events/{event}"), &token)["received"].as_str().unwrap().to_owned();
    let part = house.ok(&["replay", "--rule", "notice", "--from", &from]);
    assert!(part.contains("newer: something newer has spoken") && part.contains("1 events, 1 matched, 1 outdated"), "{part}");
    assert_eq!(replay(&house, &[])["counts"], json!({ "made": 1, "outdated": 1 }), "and nothing of the other rule");
    // Only what is asked for.
    assert_eq!(replay(&house, &["--clinic", "8"])["events"], 0);
    assert_eq!(replay(&house, &["--clinic", "7", "--connection", "clinicarx"])["events"], 2);
    for (wrong, said) in [
        (&["--rule", "notise", "--from", "1h"][..], "there is no rule `notise`; did you mean `notice`?"),
        (&["--rule", "notice", "--from", "1h", "--connection", "x"], "there is no connection `x`"),
        (&["--rule", "notice", "--from", "1h", "--to", "2h"], "is not before --to"),
        (&["--rule", "notice"], "--from"),
        (&["--rule", "notice", "--from", "1h", "--per-minute", "0"], "--per-minute"),
    ] {
        let output = house.zelo(&[&["replay"][..], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(said), "{wrong:?}: {error}");
    }
    assert_eq!(jobs(&house).len(), 0);
}

#[test]
fn over_http_only_who_writes_rules_may_and_only_who_says_so_changes_something() {
    let house = house();
    let server = house.serve();
    day(&server);
    let token = |role: &str| house.ok(&["token", "new", "--role", role]).trim().to_owned();
    let (operator, integrator) = (token("operator"), token("integrator"));
    let body = |rule: &str, more: &str| format!(r#"{{"rule":"{rule}","from":"2026-01-01T00:00:00Z","to":"2099-01-01T00:00:00Z"{more}}}"#);
    let ask = |token: &str, body: &str| server.post("/api/v1/replay", token, body);
    assert_eq!(ask(&operator, &body("notice", "")).0, 403);
    assert_eq!(ask(&integrator, &body("notice", "")).1["type"], "urn:zelo:problem:replay", "it is off");
    assert_eq!(ask(&integrator, &body("notise", "")).0, 404);
    assert_eq!(ask(&integrator, &body("notice", ",\"all\":true")).0, 400);
    house.ok(&["automation", "enable", "notice"]);
    let (status, dry) = ask(&integrator, &body("notice", ""));
    assert_eq!((status, &dry["dry_run"], &dry["counts"]["made"]), (200, &json!(true), &json!(2)), "{dry}");
    assert_eq!(jobs(&house).len(), 0);
    let (status, done) = ask(&integrator, &body("notice", ",\"dry_run\":false"));
    assert_eq!((status, done["items"].as_array().unwrap().len()), (200, 4), "{done}");
    let job = done["items"].as_array().unwrap().iter().find(|item| item["fate"] == "made").unwrap()["job"].as_str().unwrap().to_owned();
    let decided = server.get(&format!("/api/v1/jobs/{job}"), &operator)["decisions"][0].clone();
    assert_eq!((&decided["decision"], &decided["actor"]), (&json!("replayed"), &json!("token:api")), "{decided}");
}
