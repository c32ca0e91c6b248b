//! Jobs that went wrong, and the people who see to them: a destination that was down, a request of which nobody knows, a job that is
//! not wanted any more.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::house::{House, Server, within};

/// Another system, which answers everything with the same status.
struct Other {
    port: u16,
    status: Arc<AtomicU16>,
    /// Of each request its `Idempotency-Key` and its body.
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Other {
    fn new(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let other = Self { port, status: Arc::new(AtomicU16::new(status)), asked: Arc::default() };
        let (status, asked) = (other.status.clone(), other.asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (status, asked) = (status.clone(), asked.clone());
                std::thread::spawn(move || answer(stream, &status, &asked));
            }
        });
        other
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn asked(&self) -> Vec<(String, String)> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(stream: TcpStream, status: &AtomicU16, asked: &Mutex<Vec<(String, String)>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut key, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(given) = lower.strip_prefix("content-length:") {
                length = given.trim().parse().unwrap();
            }
            if let Some(given) = lower.strip_prefix("idempotency-key:") {
                key = given.trim().to_owned();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        asked.lock().unwrap().push((key, String::from_utf8_lossy(&body).into_owned()));
        let status = status.load(Ordering::SeqCst);
        if write!(reader.get_mut(), "HTTP/1.1 {status} Said\r\ncontent-length: 2\r\n\r\n{{}}").is_err() {
            return;
        }
    }
}

/// A house that tells the other system about each new patient, and then sends a message.
fn house(other: &Other) -> House {
    let house = House::new("[http]\ninside = [\"127.0.0.1\"]\n[[automations]]\nrule = \"tell\"\n");
    let base = format!("http://127.0.0.1:{}/contacts", other.port);
    let rule = format!(
        r#"
id     = "tell"
title  = "Tell"
source = "clinicarx"
on     = "patient.created"

[[then]]
name    = "tell"
plugin  = "request"
purpose = "Keep the other system up to date"
basis   = "lgpd:11.II.f"

[then.allow]
id = "$.data.id"

[then.with]
method = "POST"
url    = "{base}"
body   = {{ id = "{{{{ id }}}}" }}

[then.grant]
http = ["POST {base}"]

[[then]]
name    = "welcome"
plugin  = "message"
needs   = ["tell"]
purpose = "Welcome the patient"
basis   = "lgpd:11.II.f"

[then.allow]
id = "$.data.id"

[then.with]
to   = "+55 11 9000{{{{ id }}}}"
text = "Bem-vindo"

[then.grant]
messages = {{ channels = ["outbox"], to = ["+55 11 9000{{{{ id }}}}"] }}
"#
    );
    fs::write(house.path("rules/automations/tell.toml"), rule).unwrap();
    house
}

fn patient(server: &Server, id: &str) {
    let body = json!({ "data": { "id": id, "name": "Íris Modelo" }, "timestamp": "2026-01-01 12:00:00" }).to_string();
    assert_eq!(server.deliver("clinicarx/patient/new", &body).0, 202);
}

/// The jobs of the rule, as the command lists them.
fn jobs(house: &House, more: &[&str]) -> Vec<Value> {
    let listed = house.ok(&[&["jobs", "--rule", "tell", "--format", "json"], more].concat());
    serde_json::from_str(&listed).unwrap()
}

fn in_state(house: &House, state: &str, count: usize) {
    within(state, Duration::from_secs(60), || jobs(house, &["--state", state]).len() == count);
}

fn text(output: &std::process::Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_destination_that_was_down_gets_each_request_once_it_is_back() {
    let other = Other::new(403);
    let house = house(&other);
    let server = house.serve();
    for id in ["10001", "10002", "10003"] {
        patient(&server, id);
    }
    in_state(&house, "dead", 3);
    in_state(&house, "cancelled", 3);
    assert_eq!(other.asked().len(), 3);
    let listed = house.ok(&["jobs", "--state", "dead"]);
    assert!(listed.contains("tell.tell") && listed.contains("plugin: the plugin says that it cannot be done"), "{listed}");

    // What would become of them changes nothing.
    let before = jobs(&house, &[]);
    let retry = ["jobs", "retry", "--state", "dead", "--rule", "tell", "--since", "1h", "--per-minute", "600"];
    let dry = house.ok(&[&retry[..], &["--dry-run"]].concat());
    assert!(dry.contains("6 decided, 0 refused; nothing was changed"), "{dry}");
    assert!(dry.contains("dead → ready") && dry.contains("cancelled → scheduled"), "{dry}");
    assert_eq!((jobs(&house, &[]), other.asked().len()), (before, 3));

    other.answers(201);
    let revived: Value = serde_json::from_str(&house.ok(&[&retry[..], &["--format", "json"]].concat())).unwrap();
    let at: Vec<jiff::Timestamp> = revived["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|job| job["with"].is_null())
        .map(|job| job["run_at"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!((at[1].duration_since(at[0]).as_millis(), at[2].duration_since(at[1]).as_millis()), (100, 100), "ten a second");
    in_state(&house, "done", 6);
    let asked = other.asked();
    assert_eq!(asked.len(), 6);
    for (key, body) in &asked[..3] {
        assert_eq!(asked[3..].iter().filter(|again| **again == (key.clone(), body.clone())).count(), 1, "the same request, once more");
    }
    let token = house.ok(&["token", "new"]).trim().to_owned();
    assert_eq!(server.list("/api/v1/messages", &token).len(), 3, "what came after it was sent");

    // Nothing is left to do, and who did it can be seen.
    let again = house.ok(&retry);
    assert!(again.contains("0 decided, 0 refused"), "{again}");
    let job = jobs(&house, &[]).into_iter().find(|job| job["action"] == "tell").unwrap();
    let id = job["id"].as_str().unwrap();
    let shown = house.ok(&["jobs", "show", id]);
    assert!(shown.contains("revived") && shown.contains("by command; it was dead"), "{shown}");
    assert!(shown.contains(&format!("http POST http://127.0.0.1:{}: done", other.port)), "{shown}");
    let explained = house.ok(&["explain", job["event"].as_str().unwrap(), "--lang", "en"]);
    assert!(explained.contains("run again by command") && explained.contains("(it was dead)"), "{explained}");
    let refused = house.zelo(&["jobs", "retry", id]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("refused (wrong_state): it is done"), "{}", text(&refused));
}

#[test]
fn a_person_decides_what_became_of_a_request_that_nobody_knows_of() {
    let other = Other::new(500);
    let house = house(&other);
    let server = house.serve();
    let mut ids = Vec::new();
    for (id, count) in [("10001", 1), ("10002", 2), ("10003", 3)] {
        patient(&server, id);
        in_state(&house, "unknown", count);
        ids.push(jobs(&house, &["--state", "unknown"])[0]["id"].as_str().unwrap().to_owned());
    }
    other.answers(201);
    let undecided = house.zelo(&["jobs", "retry", "--state", "unknown"]);
    assert_eq!(undecided.status.code(), Some(1));
    assert!(text(&undecided).contains("0 decided, 3 refused") && text(&undecided).contains("(undecided)"), "{}", text(&undecided));
    assert_eq!(house.zelo(&["jobs", "decide", &ids[0]]).status.code(), Some(2), "it must be said");
    house.ok(&["jobs", "decide", &ids[0], "--done"]);
    house.ok(&["jobs", "decide", &ids[1], "--not-done"]);
    // Over HTTP, by somebody who may.
    let viewer = house.ok(&["token", "new", "--role", "viewer"]).trim().to_owned();
    let operator = house.ok(&["token", "new", "--role", "operator"]).trim().to_owned();
    let path = format!("/api/v1/jobs/{}/retry", ids[2]);
    assert_eq!(server.post(&path, &viewer, "{\"verdict\":\"run\"}").0, 403);
    assert_eq!(server.post(&path, &operator, "").1["code"], "undecided");
    assert_eq!(server.post(&path, &operator, "{\"verdict\":\"run\"}").0, 200);
    // Two requests, two messages: of the one that was done, and of the one that was not and is now.
    in_state(&house, "done", 4);
    assert_eq!(other.asked().len(), 4);
    assert_eq!(other.asked()[2], other.asked()[3], "the same request with the same key");
    assert_eq!(server.list("/api/v1/messages", &operator).len(), 2);
    let job = server.get(&format!("/api/v1/jobs/{}", ids[2]), &operator);
    assert_eq!((&job["decisions"][0]["decision"], &job["decisions"][0]["actor"]), (&json!("revived"), &json!("token:api")), "{job}");
    assert_eq!(jobs(&house, &["--state", "unknown"]).len(), 0);
}

#[test]
fn without_a_server_the_store_is_opened() {
    let other = Other::new(403);
    let house = house(&other);
    let server = house.serve();
    patient(&server, "10001");
    in_state(&house, "dead", 1);
    server.stop();
    let id = jobs(&house, &["--state", "dead"])[0]["id"].as_str().unwrap().to_owned();
    house.ok(&["jobs", "retry", &id]);
    let state = |state: &str| jobs(&house, &["--state", state]).len();
    assert_eq!((state("ready"), state("scheduled")), (1, 1));
    house.ok(&["jobs", "cancel", &id]);
    assert_eq!((state("ready"), state("cancelled")), (0, 2), "and what comes after it");
    assert_eq!(house.zelo(&["jobs", "cancel", &id]).status.code(), Some(1));
    // An automation that is off runs nothing, and a person is told at once.
    let server = house.serve();
    patient(&server, "10002");
    in_state(&house, "dead", 1);
    house.ok(&["automation", "disable", "tell"]);
    let refused = house.zelo(&["jobs", "retry", "--state", "dead"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("refused (switched_off)"), "{}", text(&refused));
    assert_eq!(other.asked().len(), 2);
}

#[test]
fn what_is_asked_wrongly_is_usage() {
    let house = House::new("");
    for wrong in [
        &["jobs", "retry"][..],
        &["jobs", "retry", "job_x"],
        &["jobs", "retry", "--state", "done"],
        &["jobs", "retry", "--state", "dead", "--per-minute", "0"],
        &["jobs", "retry", "job_00000000000000000000000000000001", "--state", "dead"],
        &["jobs", "decide", "job_00000000000000000000000000000001", "--done", "--run"],
        &["jobs", "--state", "gone"],
    ] {
        assert_eq!(house.zelo(wrong).status.code(), Some(2), "{wrong:?}");
    }
}
