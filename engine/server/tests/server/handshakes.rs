//! What providers ask before they send, what they want to hear after, how old a delivery may be, and sources that check nothing.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zelo_core::SignedDuration;

use crate::house::{Answer, House, MARKER, SECRET, START, delivery, request};

/// As Meta asks.
const META: &str = r#"
id = "meta"
[receive]
verify = { kind = "hmac", header = "x-hub-signature-256", prefix = "sha256=" }
handshakes = [
  { method = "GET", when = { query = "hub.mode", equals = "subscribe" }, check = { query = "hub.verify_token" }, answer = { query = "hub.challenge" } },
]
[[events]]
type = "message.received"
"#;

/// As Slack asks, and signs.
const SLACK: &str = r#"
id = "slack"
[receive]
verify = { kind = "hmac", header = "x-slack-signature", prefix = "v0=", timestamp = { header = "x-slack-request-timestamp" }, signed = "v0:{t}:{body}", tolerance = "5m" }
handshakes = [
  { method = "POST", when = { body = "$.type", equals = "url_verification" }, answer = { body = "$.challenge" } },
]
ack = { status = 200, body = "ok" }
[[events]]
match = { body = { path = "$.type", equals = "event_callback" } }
type = "message.received"
"#;

const TOKEN: &str = "the token that was agreed on";

fn question(token: &str, challenge: &str) -> String {
    let escaped = |text: &str| text.replace(' ', "%20").replace('<', "%3C").replace('>', "%3E");
    format!("/hooks/p/messages?hub.mode=subscribe&hub.verify_token={}&hub.challenge={}", escaped(token), escaped(challenge))
}

/// Asserts that this is `text`, and nothing that a browser would show as a page.
fn is_plain(answer: &Answer, text: &str) {
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, text));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
}

async fn events(house: &House) -> usize {
    house.api("events").await.json()["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn who_knows_the_token_hears_the_challenge() {
    let house = House::of_source(META, Some(TOKEN)).await;
    is_plain(&house.get(&question(TOKEN, "1158201444"), &[]).await, "1158201444");
    assert_eq!(events(&house).await, 0, "nothing is stored");
}

#[tokio::test]
async fn who_does_not_know_the_token_hears_nothing() {
    let house = House::of_source(META, Some(TOKEN)).await;
    for token in ["", "another", &TOKEN[1..], SECRET, &format!("{TOKEN} ")] {
        let answer = house.get(&question(token, MARKER), &[]).await;
        let problem = answer.is_problem(403, "handshake");
        assert!(!answer.text.contains(TOKEN) && problem["detail"].as_str().unwrap().contains("hub.verify_token"), "{problem}");
    }
    let twice = question(TOKEN, MARKER) + "&hub.verify_token=other";
    house.get(&twice, &[]).await.is_problem(403, "handshake");
    assert_eq!(house.api("status").await.json()["deliveries"]["refused"], 6);
}

#[tokio::test]
async fn who_guesses_the_token_is_locked_out_and_nobody_is_known_by_asking() {
    let house = House::of_source(META, Some(TOKEN)).await;
    let no_question = "/hooks/p/messages?hub.mode=unsubscribe";
    assert_eq!(house.get(no_question, &[]).await.status, 405);
    is_plain(&house.get(&question(TOKEN, "1"), &[]).await, "1");
    for _ in 0..10 {
        house.get(&question("another", MARKER), &[]).await.is_problem(403, "handshake");
    }
    house.get(&question(TOKEN, "1"), &[]).await.is_problem(429, "locked");
    house.get(no_question, &[]).await.is_problem(429, "locked");
    house.advance(SignedDuration::from_secs(30));
    assert_eq!(house.get(no_question, &[]).await.status, 405);
    is_plain(&house.get(&question(TOKEN, "1"), &[]).await, "1");
    house.get(&question("another", MARKER), &[]).await.is_problem(403, "handshake");
    house.get(&question(TOKEN, "1"), &[]).await.is_problem(429, "locked");
}

#[tokio::test]
async fn without_a_token_nobody_is_answered() {
    for token in [None, Some("")] {
        let house = House::of_source(META, token).await;
        for given in ["", TOKEN] {
            let problem = house.get(&question(given, MARKER), &[]).await.is_problem(403, "handshake");
            assert!(problem["detail"].as_str().unwrap().contains("zelo.toml"), "{problem}");
        }
    }
}

#[tokio::test]
async fn an_answer_is_short_and_never_a_page() {
    let house = House::of_source(META, Some(TOKEN)).await;
    let page = "<script>alert(1)</script>";
    is_plain(&house.get(&question(TOKEN, page), &[]).await, page);
    is_plain(&house.get(&question(TOKEN, &"1".repeat(1024)), &[]).await, &"1".repeat(1024));
    house.get(&question(TOKEN, &"1".repeat(1025)), &[]).await.is_problem(400, "malformed");
    house.get(&question(TOKEN, ""), &[]).await.is_problem(400, "malformed");
    house.get("/hooks/p/messages?hub.mode=subscribe&hub.verify_token=the+token+that+was+agreed+on", &[]).await.is_problem(400, "malformed");
}

#[tokio::test]
async fn what_is_no_question_is_a_delivery_or_nothing() {
    let house = House::of_source(META, Some(TOKEN)).await;
    for path in ["/hooks/p", "/hooks/p/?hub.mode=unsubscribe", "/hooks/p/messages?hub.challenge=1"] {
        let answer = house.get(path, &[]).await;
        answer.is_problem(405, "method");
        assert_eq!(answer.header("allow"), "GET, POST");
    }
    let of_nobody = house.get("/hooks/nobody?hub.mode=subscribe", &[]).await;
    of_nobody.is_problem(404, "connection");
    let question = request("POST", &question(TOKEN, "1"), &[("content-type", "application/json")], "{}".into());
    house.send(question).await.is_problem(401, "unverified");
}

fn signed_at(second: i64, body: &str) -> [(&'static str, String); 2] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("v0:{second}:{body}").as_bytes());
    let signature = format!("v0={}", HEXLOWER.encode(&mac.finalize().into_bytes()));
    [("x-slack-signature", signature), ("x-slack-request-timestamp", second.to_string())]
}

async fn send(house: &House, headers: &[(&'static str, String)], body: &str) -> Answer {
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    house.send(delivery("/hooks/p", &headers, body.to_owned())).await
}

fn start() -> i64 {
    START.parse::<zelo_core::Timestamp>().unwrap().as_second()
}

#[tokio::test]
async fn a_question_by_post_is_verified_first() {
    let house = House::of_source(SLACK, None).await;
    let page = format!(r#"{{"type": "url_verification", "challenge": "<b>{MARKER}</b>"}}"#);
    is_plain(&send(&house, &signed_at(start(), &page), &page).await, &format!("<b>{MARKER}</b>"));
    send(&house, &[], &page).await.is_problem(401, "unverified");
    send(&house, &signed_at(start(), "{}"), &page).await.is_problem(401, "unverified");
    let long = page.replace(MARKER, &"1".repeat(1024));
    send(&house, &signed_at(start(), &long), &long).await.is_problem(400, "malformed");
    let none = r#"{"type": "url_verification", "challenge": 7}"#;
    send(&house, &signed_at(start(), none), none).await.is_problem(400, "malformed");
    assert_eq!(events(&house).await, 0, "nothing is stored");
}

#[tokio::test]
async fn a_provider_that_minds_hears_exactly_what_it_wants() {
    let house = House::of_source(SLACK, None).await;
    let body = r#"{"type": "event_callback", "event_id": "Ev1"}"#;
    let (sent, other) = (signed_at(start(), body), r#"{"type": "app_rate_limited"}"#);
    is_plain(&send(&house, &sent, body).await, "ok");
    is_plain(&send(&house, &sent, body).await, "ok");
    is_plain(&send(&house, &signed_at(start(), other), other).await, "ok");
    assert_eq!(events(&house).await, 1, "stored once, however it is answered");
    send(&house, &sent, "{").await.is_problem(401, "unverified");

    let empty = House::of_source(&SLACK.replace(r#"status = 200, body = "ok""#, "status = 204"), None).await;
    let answer = send(&empty, &sent, body).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str(), answer.header("content-type")), (204, "", ""));
}

#[tokio::test]
async fn a_delivery_may_be_as_old_as_its_source_says() {
    let house = House::of_source(SLACK, None).await;
    let body = r#"{"type": "event_callback", "event_id": "Ev1"}"#;
    let sent = signed_at(start(), body);
    house.advance(SignedDuration::from_secs(300));
    is_plain(&send(&house, &sent, body).await, "ok");
    house.advance(SignedDuration::from_millis(1));
    let problem = send(&house, &sent, body).await.is_problem(401, "unverified");
    assert!(problem["detail"].as_str().unwrap().contains("300 seconds"), "{problem}");
    is_plain(&send(&house, &signed_at(start() + 600, body), body).await, "ok");
    send(&house, &signed_at(start() + 601, body), body).await.is_problem(401, "unverified");
}

#[tokio::test]
async fn a_source_that_checks_nothing_is_named() {
    let house = House::of_source("id = \"wide\"\n[receive]\ninsecure = true\n[[events]]\ntype = \"thing.created\"\n", None).await;
    assert_eq!(house.send(delivery("/hooks/p", &[], "{}".to_owned())).await.status, 202);
    assert_eq!(house.api("status").await.json()["connections"][0]["insecure"], true);
    let cookie = house.sign_in().await;
    assert!(house.get("/", &[("cookie", &cookie)]).await.text.contains("<section id=\"insecure\""));
    let checked = House::of_source(META, None).await;
    assert_eq!(checked.api("status").await.json()["connections"][0]["insecure"], false);
}
