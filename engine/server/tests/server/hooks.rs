//! The way in.

use std::time::Duration;

use axum::body::{Body, Bytes};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zelo_server::Settings;

use crate::house::{House, MARKER, SECRET, delivery, patient, request};

const TOKEN: (&str, &str) = ("x-zelo-token", SECRET);

#[tokio::test]
async fn a_delivery_is_accepted_once() {
    let house = House::new().await;
    let first = house.deliver("1", MARKER).await;
    assert_eq!(first.status, 202, "{}", first.text);
    let receipt = first.json();
    assert_eq!((&receipt["status"], &receipt["rules"]), (&"accepted".into(), &1.into()));
    assert!(receipt["event_id"].as_str().unwrap().starts_with("evt_"));
    let second = house.deliver("1", MARKER).await;
    assert_eq!(second.status, 202);
    assert_eq!((&second.json()["status"], &second.json()["event_id"]), (&"duplicate".into(), &receipt["event_id"]));
}

#[tokio::test]
async fn a_signature_is_as_good_as_a_token() {
    let house = House::new().await;
    let body = patient("1", "Ana").to_string();
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signature = HEXLOWER.encode(&mac.finalize().into_bytes());
    let path = "/hooks/acme/patient/new";
    assert_eq!(house.send(delivery(path, &[("x-signature", &signature)], body.clone())).await.status, 202);
    let forged = house.send(delivery(path, &[("x-signature", &signature)], body.replace("Ana", MARKER))).await;
    forged.is_problem(401, "unverified");
}

#[tokio::test]
async fn who_does_not_know_the_secret_is_told_why_and_no_more() {
    let house = House::new().await;
    let path = "/hooks/acme/patient/new";
    let body = patient("1", MARKER).to_string();
    let unsigned = house.send(delivery(path, &[], body.clone())).await.is_problem(401, "unverified");
    assert!(unsigned["detail"].as_str().unwrap().contains("x-zelo-token"), "{unsigned}");
    house.send(delivery(path, &[("x-zelo-token", "another")], body.clone())).await.is_problem(401, "unverified");
    // What is wrong with the body is told only to who may know.
    house.send(delivery(path, &[], "{".to_owned() + MARKER)).await.is_problem(401, "unverified");
    assert_eq!(house.api("events").await.json()["items"].as_array().unwrap().len(), 0);
    assert_eq!(house.api("status").await.json()["deliveries"]["refused"], 3);
}

#[tokio::test]
async fn a_hook_needs_a_connection() {
    let house = House::new().await;
    for path in ["/hooks/nobody/patient/new", "/hooks/nobody"] {
        let answer = house.send(delivery(path, &[TOKEN], patient("1", MARKER).to_string())).await;
        answer.is_problem(404, "connection");
        assert!(!answer.text.contains("nobody"));
    }
    house.send(delivery("/hooks", &[TOKEN], String::new())).await.is_problem(404, "not-found");
    house.send(delivery("/hooks/acme/%ff", &[TOKEN], String::new())).await.is_problem(400, "malformed");
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let house = House::new().await;
    let path = "/hooks/acme/patient/new";
    let long = patient("1", &MARKER.repeat(200)).to_string();
    let announced = house.send(delivery(path, &[TOKEN], long.clone())).await.is_problem(413, "too-large");
    assert!(announced["detail"].as_str().unwrap().contains("2048"), "{announced}");
    let chunks = vec![Bytes::from(long); 2].into_iter().map(Ok::<_, std::io::Error>);
    let chunked = Body::from_stream(futures::stream::iter(chunks));
    house.send(request("POST", path, &[TOKEN], chunked)).await.is_problem(413, "too-large");

    let small = House::with(Settings { body_max: 10, ..Settings::default() }).await;
    small.deliver("1", MARKER).await.is_problem(413, "too-large");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let house = House::new().await;
    let path = "/hooks/acme/patient/new";
    house.send(delivery(path, &[TOKEN], format!("{{\"{MARKER}\": "))).await.is_problem(400, "malformed");
    house.send(delivery(path, &[TOKEN], format!("{{\"{MARKER}\": 1, \"{MARKER}\": 2}}"))).await.is_problem(400, "malformed");
    house.send(request("POST", path, &[TOKEN, ("content-type", "application/xml")], "<a/>".into())).await.is_problem(415, "format");
    for (coding, status, code) in [("br", 415, "format"), ("gzip, gzip", 415, "format"), ("gzip", 400, "malformed")] {
        let packed = delivery(path, &[TOKEN, ("content-encoding", coding)], patient("1", MARKER).to_string());
        house.send(packed).await.is_problem(status, code);
    }
}

#[tokio::test]
async fn a_type_that_nobody_names_is_ignored() {
    let house = House::new().await;
    for path in ["/hooks/acme/patient/gone", "/hooks/acme", "/hooks/acme/"] {
        let answer = house.send(delivery(path, &[TOKEN], patient("1", "Ana").to_string())).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let mut receipt = answer.json();
        let trace = receipt["trace_id"].take();
        assert_eq!(receipt, serde_json::json!({ "event_id": null, "status": "ignored", "rules": 0, "trace_id": null }));
        assert!(is_trace(&trace), "{trace}");
    }
}

/// Sixteen bytes in lower-case hexadecimal.
fn is_trace(trace: &serde_json::Value) -> bool {
    trace.as_str().is_some_and(|text| text.len() == 32 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')))
}

#[tokio::test]
async fn an_answer_says_what_its_log_lines_are_found_by() {
    let house = House::new().await;
    let receipt = house.deliver("1", "Ana").await.json();
    assert_eq!(receipt["event_id"], format!("evt_{}", receipt["trace_id"].as_str().unwrap()), "{receipt}");
    let again = house.deliver("1", "Ana").await.json();
    assert_eq!(again["event_id"], receipt["event_id"]);
    assert!(is_trace(&again["trace_id"]) && again["trace_id"] != receipt["trace_id"], "each delivery has its own: {again}");
    for (body, code) in [("{}".to_owned(), "unverified"), ("x".repeat(3000), "too-large")] {
        let status = if code == "unverified" { 401 } else { 413 };
        let problem = house.send(delivery("/hooks/acme/patient/new", &[("x-zelo-token", "forged")], body)).await.is_problem(status, code);
        assert!(is_trace(&problem["trace_id"]), "{problem}");
    }
}

#[tokio::test]
async fn a_hook_takes_posts_only() {
    let house = House::new().await;
    for (method, allow) in [("GET", "POST"), ("PUT", "POST,GET,HEAD"), ("DELETE", "POST,GET,HEAD")] {
        let answer = house.send(request(method, "/hooks/acme/patient/new", &[], Body::empty())).await;
        answer.is_problem(405, "method");
        // Whether GET is taken is for the source to say.
        assert_eq!(answer.header("allow"), allow);
    }
}

#[tokio::test]
async fn who_holds_the_pages_keeps_no_delivery_out() {
    let house = House::with(Settings { requests_max: 4, ..Settings::default() }).await;
    let (sender, body) = http_body_util::channel::Channel::<Bytes, std::io::Error>::new(1);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let (front, sign_in) = (house.front.clone(), request("POST", "/sign-in", &form, Body::new(body)));
    let slow = tokio::spawn(async move { front.answer(sign_in).await });
    tokio::task::yield_now().await;
    house.get("/sign-in", &[]).await.is_problem(503, "busy");
    assert_eq!(house.deliver("1", MARKER).await.status, 202);
    drop(sender);
    slow.await.unwrap();
    assert_eq!(house.get("/sign-in", &[]).await.status, 200);
}

#[tokio::test]
async fn a_full_server_says_come_again() {
    let full = House::with(Settings { requests_max: 0, ..Settings::default() }).await;
    let answer = full.deliver("1", MARKER).await;
    answer.is_problem(503, "busy");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(full.get("/healthz", &[]).await.status, 200);
    let no_memory = House::with(Settings { bodies_max: 16, ..Settings::default() }).await;
    no_memory.deliver("1", MARKER).await.is_problem(503, "busy");
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let house = House::with(Settings { request_timeout: Duration::from_millis(20), ..Settings::default() }).await;
    let (_sender, body) = http_body_util::channel::Channel::<Bytes, std::io::Error>::new(1);
    house.send(request("POST", "/hooks/acme/patient/new", &[TOKEN], Body::new(body))).await.is_problem(408, "slow");
}

#[tokio::test]
async fn without_a_store_nothing_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::built(Settings::default(), false, Some(folder.path().join("zelo.db"))).await;
    assert_eq!(house.get("/readyz", &[]).await.status, 200);
    house.store().close().await.unwrap();
    let answer = house.deliver("1", MARKER).await;
    answer.is_problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    house.get("/readyz", &[]).await.is_problem(503, "unavailable");
    assert_eq!(house.get("/healthz", &[]).await.status, 200);
}

#[tokio::test]
async fn an_insecure_connection_takes_anything_and_is_named() {
    let house = House::built(Settings::default(), true, None).await;
    assert_eq!(house.send(delivery("/hooks/open/patient/new", &[], patient("1", "Ana").to_string())).await.status, 202);
    let connections = house.api("status").await.json()["connections"].clone();
    assert_eq!(connections[1]["insecure"], true, "{connections}");
    let cookie = house.sign_in().await;
    assert!(house.get("/", &[("cookie", &cookie)]).await.text.contains("<section id=\"insecure\""));
}
