//! Requests of plugins to another system, by a running server: once, with what only the host knows, and never inside unasked.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::house::{House, Server, within};

/// Another system: it remembers what it is asked, and answers when it is open.
pub(crate) struct Other {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    pub(crate) open: Arc<AtomicBool>,
}

impl Other {
    pub(crate) fn new(open: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let other = Self { port, asked: Arc::default(), open: Arc::new(AtomicBool::new(open)) };
        let (asked, open) = (other.asked.clone(), other.open.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (asked, open) = (asked.clone(), open.clone());
                std::thread::spawn(move || serve(stream, &asked, &open));
            }
        });
        other
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: TcpStream, asked: &Mutex<Vec<String>>, open: &AtomicBool) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(given) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = given.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        asked.lock().unwrap().push(head + "\n" + &String::from_utf8_lossy(&body));
        if !open.load(Ordering::SeqCst) {
            // Until whoever asked gives up.
            let _ = reader.read(&mut [0]);
            return;
        }
        let answer = b"HTTP/1.1 201 Created\r\ncontent-length: 17\r\nx-told: Bearer s3cr3t-marker\r\n\r\n{\"contact\":\"c-7\"}";
        if reader.get_mut().write_all(answer).is_err() {
            return;
        }
    }
}

/// A house with a rule that tells the other system about each new patient. `grant` is what stands beside the request in its grant.
pub(crate) fn house(other: &Other, method: &str, grant: &str, config: &str) -> House {
    let house = House::new(&format!(
        "{config}\n[secrets.crm]\nfrom = {{ file = \"secrets/crm\" }}\nhosts = [\"127.0.0.1\"]\nas = \"bearer\"\n[[automations]]\nrule = \"tell\"\n"
    ));
    fs::write(house.path("secrets/crm"), "s3cr3t-marker\n").unwrap();
    let base = format!("http://127.0.0.1:{}/contacts", other.port);
    let rule = format!(
        r#"
id     = "tell"
title  = "Tell"
source = "clinicarx"
on     = "patient.created"

[[then]]
name   = "tell"
plugin = "request"
purpose = "Keep the other system up to date"
basis   = "lgpd:11.II.f"

[then.allow]
id = "$.data.id"

[then.with]
method  = "{method}"
url     = "{base}/{{{{ id | urlencode }}}}"
secrets = {{ authorization = "crm" }}
body    = {{ id = "{{{{ id }}}}" }}

[then.grant]
http = [{{ request = "{method} {base}/*", secrets = ["crm"]{grant} }}]
"#
    );
    fs::write(house.path("rules/automations/tell.toml"), rule).unwrap();
    house
}

pub(crate) const INSIDE: &str = "[http]\ninside = [\"127.0.0.1\"]\n";
pub(crate) const KEYED: &str = ", idempotency_key = \"X-Idempotency-Key\"";

pub(crate) fn patient(server: &Server, id: &str) {
    let body = json!({ "data": { "id": id, "name": "Íris Modelo" }, "timestamp": "2026-01-01 12:00:00" }).to_string();
    assert_eq!(server.deliver("clinicarx/patient/new", &body).0, 202);
}

/// The job of the rule, once it has ended.
pub(crate) fn ended(house: &House, server: &Server) -> Value {
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let of_rule = |job: &Value| job["rule"] == "tell" && !["ready", "running", "scheduled"].contains(&job["state"].as_str().unwrap());
    let mut found = Value::Null;
    within("the job ends", Duration::from_secs(60), || {
        found = server.list("/api/v1/jobs", &token).into_iter().find(of_rule).unwrap_or_default();
        !found.is_null()
    });
    server.get(&format!("/api/v1/jobs/{}", found["id"].as_str().unwrap()), &token)
}

pub(crate) fn header(asked: &str, name: &str) -> Option<String> {
    asked.lines().find_map(|line| Some(line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name))?.1.trim().to_owned()))
}

#[test]
fn a_request_goes_out_once_with_a_secret_that_nothing_keeps() {
    let other = Other::new(true);
    let house = house(&other, "POST", "", INSIDE);
    let server = house.serve();
    patient(&server, "p/1?");
    let job = ended(&house, &server);
    assert_eq!(job["state"], "done", "{job}");
    let asked = other.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].starts_with("POST /contacts/p%2F1%3F HTTP/1.1\r\n") && asked[0].ends_with(r#"{"id":"p/1?"}"#), "{}", asked[0]);
    assert_eq!(header(&asked[0], "authorization").as_deref(), Some("Bearer s3cr3t-marker"));
    assert_eq!(header(&asked[0], "idempotency-key"), Some(format!("{}/1", job["id"].as_str().unwrap())));
    let told = job.to_string();
    assert!(told.contains(r#""contact":"c-7""#) && told.contains(r#"{"secret":"crm"}"#), "{told}");
    assert!(told.contains("Bearer [secret]") && !told.contains("s3cr3t-marker"), "{told}");
    server.stop();
    let mut files: Vec<_> =
        fs::read_dir(house.path("data")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.push(house.path("log"));
    for file in files {
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(13).any(|window| window == b"s3cr3t-marker"), "{}", file.display());
    }
}

/// Kills the server while the other system has a request and does not answer; from then on it does. What the next start makes of it.
fn killed_while_it_waits(other: &Other, house: &House) -> Value {
    let server = house.serve();
    patient(&server, "p1");
    within("it was asked", Duration::from_secs(60), || other.asked().len() == 1);
    server.kill_now();
    drop(server);
    other.open.store(true, Ordering::SeqCst);
    ended(house, &house.serve())
}

#[test]
fn killed_in_the_midst_of_a_request_that_nobody_may_repeat_the_job_is_unknown() {
    let other = Other::new(false);
    let job = killed_while_it_waits(&other, &house(&other, "POST", "", INSIDE));
    assert_eq!((&job["state"], &job["reason"]["code"]), (&json!("unknown"), &json!("unknown")), "{job}");
    assert!(job.to_string().contains(r#""in_flight":true"#), "{job}");
    assert_eq!(other.asked().len(), 1, "nothing was repeated");
}

#[test]
fn killed_in_the_midst_of_a_request_with_a_key_it_is_the_same_request_again() {
    for (method, grant) in [("POST", KEYED), ("PUT", "")] {
        let other = Other::new(false);
        assert_eq!(killed_while_it_waits(&other, &house(&other, method, grant, INSIDE))["state"], "done");
        let asked = other.asked();
        let key = |asked: &String| header(asked, if method == "POST" { "x-idempotency-key" } else { "idempotency-key" });
        // Each sending is a span of its own, in the one trace.
        let (untraced, traces): (Vec<_>, Vec<_>) = asked.iter().map(|asked| untraced(asked)).unzip();
        assert!(asked.len() == 2 && untraced[0] == untraced[1] && key(&asked[0]).is_some(), "{asked:?}");
        assert!(traces[0] != traces[1] && traces[0][..35] == traces[1][..35], "{traces:?}");
    }
}

/// What is asked without its `traceparent`, and that.
fn untraced(asked: &str) -> (String, String) {
    let trace = header(asked, "traceparent").unwrap();
    (asked.replace(&trace, ""), trace)
}

#[test]
fn what_is_inside_is_refused_and_has_to_be_answered_for() {
    let other = Other::new(true);
    let house = house(&other, "POST", "", "");
    let rule = fs::read_to_string(house.path("rules/automations/tell.toml")).unwrap();
    let without = rule.replace("secrets = { authorization = \"crm\" }\n", "").replace(", secrets = [\"crm\"]", "");
    fs::write(house.path("rules/automations/tell.toml"), without).unwrap();
    let server = house.serve();
    patient(&server, "p1");
    let job = ended(&house, &server);
    assert_eq!(job["state"], "dead", "{job}");
    assert!(job.to_string().contains("127.0.0.1 is inside of the operator's network"), "{job}");
    assert!(other.asked().is_empty());
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let mut audit = server.list("/api/v1/audit", &token);
    audit.retain(|entry| entry["kind"] == "refused");
    assert_eq!(audit.len(), 1);
    assert_eq!((&audit[0]["detail"]["effect"], &audit[0]["job"]), (&json!("http"), &job["id"]));
}
