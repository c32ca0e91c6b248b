//! Secrets that the store keeps.

use std::fs;
use std::io::Write;
use std::process::Output;

use serde_json::{Value, json};

use crate::house::{House, Server};

const FIRST: &str = "Zuleica-first-secret-of-the-lab";
const SECOND: &str = "Zuleica-second-secret-of-the-lab";
/// What both have in common.
const MARKER: &[u8] = b"Zuleica";

const LAB: &str = "[connections.lab]\nsource = \"cloudevents\"\nsecrets = [{ store = \"lab\" }]\n\
    [secrets.crm]\nfrom = { store = \"crm\" }\nhosts = [\"api.example.com\"]\n";

fn set(house: &House, name: &str, value: &str) -> Output {
    let mut child = house.start(&["secret", "set", name]);
    child.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// What sending an event with this token is answered.
fn knock(server: &Server, token: &str) -> u16 {
    let event = json!({ "specversion": "1.0", "id": "e-1", "source": "/visits", "type": "com.example.done" }).to_string();
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/cloudevents+json")];
    server.send("POST", "/events", &headers, &event).status
}

fn holds_marker(bytes: &[u8]) -> bool {
    bytes.windows(MARKER.len()).any(|window| window == MARKER)
}

#[test]
fn a_connection_takes_its_secret_from_the_store_and_a_new_one_at_once() {
    let house = House::new(LAB);
    let output = house.zelo(&["serve"]);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && complaint.contains("zelo secret set lab"), "{complaint}");

    let mut told = Vec::new();
    let mut ok = |output: Output| {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        told.extend([output.stdout, output.stderr].concat());
        text
    };
    assert!(ok(set(&house, "lab", &format!("{FIRST}\n"))).contains("{ store = \"lab\" }"));
    ok(set(&house, "crm", FIRST));
    let server = house.serve();
    assert_eq!((knock(&server, FIRST), knock(&server, SECOND)), (202, 401));
    assert!(ok(set(&house, "lab", SECOND)).contains("is changed"));
    assert_eq!((knock(&server, FIRST), knock(&server, SECOND)), (401, 202), "while the server runs");

    let output = house.zelo(&["secret", "remove", "lab"]);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("zelo.toml names `lab`"));
    ok(set(&house, "spare", SECOND));
    let listed: Value = serde_json::from_str(&ok(house.zelo(&["secret", "list", "--format", "json"]))).unwrap();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|secret| secret["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["crm", "lab", "spare"]);
    assert!(listed.as_array().unwrap().iter().all(|secret| secret.as_object().unwrap().len() == 2), "a name and a date: {listed}");
    ok(house.zelo(&["secret", "list"]));
    ok(house.zelo(&["secret", "remove", "spare"]));
    assert_eq!(house.zelo(&["secret", "remove", "spare"]).status.code(), Some(1), "there is none");

    // Everything that anybody can look at.
    let token = house.ok(&["token", "new", "--role", "admin"]).trim().to_owned();
    let audit = server.get("/api/v1/audit?kind=configured", &token).to_string();
    for entry in [r#""secret":"lab","what":"changed""#, r#""secret":"lab","what":"set""#, r#""secret":"spare","what":"removed""#] {
        assert!(audit.contains(entry), "{entry}: {audit}");
    }
    for path in ["/api/v1/audit", "/api/v1/events", "/api/v1/status", "/api/v1/rules", "/metrics", "/readyz"] {
        told.extend(server.get_bytes(path, &token).1);
    }
    let id = server.get("/api/v1/events", &token)["items"][0]["id"].as_str().unwrap().to_owned();
    told.extend(house.ok(&["explain", &id]).into_bytes());
    told.extend(house.zelo(&["check"]).stdout);
    house.ok(&["backup", "copy.db"]);
    drop(server.stop());
    told.extend(house.log().into_bytes());
    for file in ["copy.db", "data/zelo.db", "zelo.toml"] {
        told.extend(fs::read(house.path(file)).unwrap());
    }
    assert!(!holds_marker(&told), "a secret is told");
    assert!(holds_marker(FIRST.as_bytes()) && holds_marker(SECOND.as_bytes()), "and would have been found");

    // It is there again after a start, and under another master key.
    house.ok(&["key", "rotate"]);
    let server = house.serve();
    assert_eq!(knock(&server, SECOND), 202);
}

#[test]
fn what_is_no_secret_is_refused() {
    let house = House::new("");
    drop(house.serve());
    let complaint = |name: &str, value: &str| {
        let output = set(&house, name, value);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(complaint("lab", "\n").contains("empty"));
    assert!(complaint("Lab", "x").contains("no name of a secret"));
    assert!(complaint("lab", &"x".repeat(8193)).contains("8192 bytes"));
    assert!(house.zelo(&["secret", "set", "lab", "value"]).status.code() == Some(2), "never an argument");
    let config = fs::read_to_string(house.path("zelo.toml")).unwrap();
    fs::write(house.path("zelo.toml"), format!("{config}[store]\nmaster_key = {{ store = \"key\" }}\n")).unwrap();
    let output = house.zelo(&["check"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be in it"), "{}", String::from_utf8_lossy(&output.stderr));
}
