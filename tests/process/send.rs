//! `zelo send`: a sample delivery, signed as the provider signs.

use std::fs;

use serde_json::Value;

use crate::house::House;

#[test]
fn a_sample_is_accepted() {
    let house = House::new("");
    let server = house.serve();
    let text = house.ok(&["send", "clinicarx", "patient.created"]);
    assert!(text.starts_with("202 accepted  evt_"), "{text}");
    assert!(house.ok(&["send", "clinicarx", "patient.created"]).starts_with("202 duplicate"), "the same again");

    let set = ["--set", "$.data.id=p-77", "--set", "$.data.phones=[{\"phone\": \"11\"}]", "--format", "json"];
    let mut arguments = vec!["send", "clinicarx", "patient.created"];
    arguments.extend(set);
    let answer: Value = serde_json::from_str(&house.ok(&arguments)).unwrap();
    assert_eq!((&answer["status"], &answer["receipt"]["status"]), (&Value::from(202), &Value::from("accepted")));
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let event = server.get(&format!("/api/v1/events/{}", answer["receipt"]["event_id"].as_str().unwrap()), &token);
    assert_eq!((&event["type"], &event["data"]["data"]["id"]), (&Value::from("patient.created"), &Value::from("p-77")));

    // A body of one's own.
    let body = "examples/events/new-appointment.json";
    let answer = house.ok(&["send", "clinicarx", "appointment.created", "--body", body, "--set", "$.data.title=outra"]);
    assert!(answer.starts_with("202 accepted"), "{answer}");
}

#[test]
fn a_refusal_says_why() {
    let house = House::new("");
    let _server = house.serve();
    fs::write(house.path("secrets/clinicarx"), "not what the server knows").unwrap();
    let output = house.zelo(&["send", "clinicarx", "patient.created"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("401 The delivery is not verified: ") && text.contains("authorization"), "{text}");
    let output = house.zelo(&["send", "clinicarx", "patient.created", "--format", "json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&answer["status"], &answer["problem"]["status"]), (&Value::from(401), &Value::from(401)));
}

#[test]
fn mistakes_are_answered_with_what_was_meant() {
    let house = House::new("");
    let complaint = |arguments: &[&str]| {
        let output = house.zelo(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let text = complaint(&["send", "clinicarx", "pacient.created"]);
    assert!(text.contains("did you mean `patient.created`?") && text.contains("appointment.canceled"), "{text}");
    let text = complaint(&["send", "clinicar", "patient.created"]);
    assert!(text.contains("did you mean `clinicarx`?"), "{text}");
    let text = complaint(&["send", "clinicarx", "patient.created"]);
    assert!(text.contains("no server answers at http://127.0.0.1:") && text.contains("zelo serve"), "{text}");
    let text = complaint(&["send", "clinicarx", "patient.created", "--url", "https://hooks.example.com"]);
    assert!(text.contains("https is not spoken here"), "{text}");
    let text = complaint(&["send", "clinicarx", "patient.created", "--connection", "centro"]);
    assert!(text.contains("no connection `centro`"), "{text}");
}

#[test]
fn every_provider_that_ships_is_simulated() {
    let house = House::new("");
    let _server = house.serve();
    let sent = house.ok(&["send", "--all", "--replay", "--format", "json"]);
    let sent: Vec<Value> = sent.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |what: &str| sent.iter().filter(|line| line["what"] == *what).collect::<Vec<_>>();
    assert!(of("sent").len() > 100 && of("sent").len() == of("again").len(), "{} and {}", of("sent").len(), of("again").len());
    let shipped = fs::read_dir(house.path("rules/sources")).unwrap();
    for source in
        shipped.map(|file| file.unwrap().file_name().into_string().unwrap()).filter_map(|name| Some(name.strip_suffix(".toml")?.to_owned()))
    {
        let mine: Vec<_> = of("sent").into_iter().filter(|line| line["source"] == *source).collect();
        assert!(!mine.is_empty() && mine.iter().all(|line| line["status"].as_u64().unwrap() < 300), "{source}: {mine:?}");
    }

    let spoilt = house.ok(&["send", "--all", "--tamper", "--format", "json"]);
    let spoilt: Vec<Value> = spoilt.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(spoilt.iter().all(|line| line["status"] == 401), "{spoilt:?}");
    for what in ["not signed", "another secret", "another body"] {
        assert!(spoilt.iter().filter(|line| line["what"] == *what).count() > 50, "{what}");
    }
}
