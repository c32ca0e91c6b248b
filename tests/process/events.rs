//! CloudEvents at /events.

use std::fs;

use serde_json::{Value, json};

use crate::house::{House, Server};

const TOKEN: &str = "the token of whoever sends events";
const STRUCTURED: &str = "application/cloudevents+json";

/// A house whose connection `lab` takes CloudEvents.
fn house(more: &str) -> House {
    let house = House::new(&format!("[connections.lab]\nsource = \"cloudevents\"\nsecrets = [{{ file = \"secrets/lab\" }}]\n{more}"));
    fs::write(house.path("secrets/lab"), TOKEN).unwrap();
    house
}

fn event(id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/visits", "type": "com.example.done", "subject": "patient-17",
        "time": "2026-03-02T11:00:00Z", "data": { "visit": 17 }
    })
}

fn send(server: &Server, path: &str, token: &str, content_type: &str, body: &str) -> (u16, Value) {
    let authorization = format!("Bearer {token}");
    server.send("POST", path, &[("authorization", &authorization), ("content-type", content_type)], body).json()
}

#[test]
fn events_are_taken_in_each_way_they_are_sent() {
    let house = house("");
    let server = house.serve();
    let (status, receipt) = send(&server, "/events", TOKEN, STRUCTURED, &event("e-1").to_string());
    assert_eq!((status, &receipt["status"]), (202, &json!("accepted")), "{receipt}");
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let stored = server.get(&format!("/api/v1/events/{}", receipt["event_id"].as_str().unwrap()), &token);
    assert_eq!((&stored["type"], &stored["time"]), (&json!("cloudevent.received"), &json!("2026-03-02T11:00:00Z")));
    assert_eq!((&stored["connection"], &stored["data"]), (&json!("lab"), &event("e-1")));

    // The same event in the other way: its source and id say so.
    let authorization = format!("Bearer {TOKEN}");
    let binary = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "e-1"),
        ("ce-source", "/visits"),
        ("ce-type", "com.example.done"),
    ];
    let (status, receipt) = server.send("POST", "/events/lab", &binary, r#"{"visit":17}"#).json();
    assert_eq!((status, &receipt["status"]), (202, &json!("duplicate")), "{receipt}");

    let other = json!({ "source": "/elsewhere" });
    let mut elsewhere = event("e-1");
    elsewhere.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    let batch = json!([event("e-1"), event("e-2"), elsewhere, event("e-2")]).to_string();
    let (status, receipts) = send(&server, "/events", TOKEN, "application/cloudevents-batch+json", &batch);
    let told: Vec<&str> = receipts.as_array().unwrap().iter().map(|receipt| receipt["status"].as_str().unwrap()).collect();
    assert_eq!((status, told), (202, vec!["duplicate", "accepted", "accepted", "duplicate"]));
    assert_eq!(send(&server, "/events", TOKEN, "application/cloudevents-batch+json", "[]"), (202, json!([])));

    let answer = house.ok(&["send", "cloudevents", "cloudevent.received"]);
    assert!(answer.starts_with("202 accepted"), "{answer}");
}

#[test]
fn nobody_comes_in_without_the_secret_and_no_other_connection_is_reached() {
    let house = house("[connections.centro]\nsource = \"clinicarx\"\nsecrets = [{ file = \"secrets/clinicarx\" }]\n");
    let server = house.serve();
    let body = event("e-1").to_string();
    let problem = |path: &str, token: &str, content_type: &str, body: &str| {
        let (status, problem) = send(&server, path, token, content_type, body);
        (status, problem["type"].as_str().unwrap_or_default().trim_start_matches("urn:zelo:problem:").to_owned())
    };
    let of = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(problem("/events", "guessed", STRUCTURED, &body), of(401, "unverified"));
    // The token of a person who may do everything is no secret of a connection.
    let admin = house.ok(&["token", "new", "--role", "admin"]).trim().to_owned();
    assert_eq!(problem("/events", &admin, STRUCTURED, &body), of(401, "unverified"));
    assert_eq!(server.send("POST", "/events", &[("content-type", STRUCTURED)], &body).json().0, 401);
    assert_eq!(problem("/events/centro", crate::house::SECRET, STRUCTURED, &body), of(404, "not-found"), "of another kind");
    assert_eq!(problem("/events/nobody", TOKEN, STRUCTURED, &body), of(404, "not-found"));
    assert_eq!(problem("/events", TOKEN, "application/json", &body), of(415, "format"));
    assert_eq!(problem("/events", TOKEN, STRUCTURED, "{}"), of(400, "malformed"));
    let half = json!([event("e-1"), { "id": "e-2" }]).to_string();
    assert_eq!(problem("/events", TOKEN, "application/cloudevents-batch+json", &half), of(400, "malformed"));
    let token = house.ok(&["token", "new"]).trim().to_owned();
    assert_eq!(server.list("/api/v1/events", &token), [] as [Value; 0], "nothing of all this is stored");
}

#[test]
fn with_several_connections_the_address_names_one() {
    let house = house("[connections.other]\nsource = \"cloudevents\"\nsecrets = [{ file = \"secrets/other\" }]\n");
    fs::write(house.path("secrets/other"), "another token").unwrap();
    let server = house.serve();
    let body = event("e-1").to_string();
    let (status, problem) = send(&server, "/events", TOKEN, STRUCTURED, &body);
    assert_eq!(status, 404);
    assert!(problem["detail"].as_str().unwrap().contains("Several connections"), "{problem}");
    assert_eq!(send(&server, "/events/lab", TOKEN, STRUCTURED, &body).0, 202);
    assert_eq!(send(&server, "/events/other", TOKEN, STRUCTURED, &body).0, 401, "each has its own secret");
    let (status, receipt) = send(&server, "/events/other", "another token", STRUCTURED, &body);
    assert_eq!((status, &receipt["status"]), (202, &json!("accepted")), "what one has seen is no duplicate of the other");
}

#[test]
fn a_sender_that_asks_is_welcome_where_it_is_named() {
    let house = house("origins = [\"Emitter.example.com\"]\n");
    let server = house.serve();
    let ask = |headers: &[(&str, &str)]| server.send("OPTIONS", "/events", headers, "");
    let named = ask(&[("webhook-request-origin", "emitter.example.com"), ("webhook-request-rate", "120")]);
    assert_eq!(
        (named.status, named.header("webhook-allowed-origin"), named.header("webhook-allowed-rate")),
        (200, "emitter.example.com", "*")
    );
    assert_eq!(named.header("allow"), "OPTIONS, POST");
    let stranger = ask(&[("webhook-request-origin", "evil.example.com")]);
    assert_eq!((stranger.status, stranger.header("webhook-allowed-origin")), (403, ""));
    let nobody = ask(&[]);
    assert_eq!((nobody.status, nobody.header("webhook-allowed-origin")), (204, ""));
}

#[test]
fn whoever_the_connection_is_not_for_is_not_told_either() {
    let server = house("origins = [\"*\"]\nallow = [\"203.0.113.0/24\"]\n").serve();
    for path in ["/events", "/events/lab"] {
        assert_eq!(server.send("OPTIONS", path, &[("webhook-request-origin", "a.example")], "").status, 403, "{path}");
    }
}
