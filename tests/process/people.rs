//! People who sign in with a password, and credentials for some clinics, by commands.

use std::io::Write;
use std::process::Output;

use serde_json::{Value, json};

use crate::house::House;

/// Runs a command with something on its standard input.
fn told(house: &House, arguments: &[&str], input: &str) -> Output {
    let mut child = house.start(arguments);
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn people_are_added_changed_and_removed_with_the_server_running_or_not() {
    let house = House::new("");
    let added = told(&house, &["person", "add", "Ana", "--role", "operator", "--clinic", "clinicarx/7"], "correct horse battery\n");
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let server = house.serve();
    let list = || -> Value { serde_json::from_str(&house.ok(&["person", "list", "--format", "json"])).unwrap() };
    assert_eq!((&list()[0]["name"], &list()[0]["clinics"], &list()[0]["code"]), (&json!("ana"), &json!(["clinicarx/7"]), &json!(false)));
    assert_eq!(server.sign_in_as("ana", "correct horse battery").0, 303);
    assert_eq!(server.sign_in_as("ana", "incorrect horse").0, 401);

    let short = told(&house, &["person", "password", "ana"], "short\n");
    assert!(!short.status.success() && String::from_utf8_lossy(&short.stderr).contains("at least 12"));
    assert!(told(&house, &["person", "password", "ana"], "another horse battery\n").status.success());
    assert_eq!(server.sign_in_as("ana", "another horse battery").0, 303);
    let secret = house.ok(&["person", "code", "ana"]);
    assert!(secret.contains("otpauth://totp/zelo:ana?secret="), "{secret}");
    assert_eq!(server.sign_in_as("ana", "another horse battery").0, 401, "a code is needed now");
    house.ok(&["person", "code", "ana", "--off"]);
    assert_eq!(server.sign_in_as("ana", "another horse battery").0, 303);
    house.ok(&["person", "remove", "ana"]);
    assert_eq!((server.sign_in_as("ana", "another horse battery").0, list()), (401, json!([])));
    assert!(!house.zelo(&["person", "remove", "ana"]).status.success());
    let log = house.log();
    assert!(!log.contains("horse") && !log.contains("argon2"), "{log}");
}

#[test]
fn a_token_may_be_for_one_clinic() {
    let house = House::new("");
    let server = house.serve();
    let token = house.ok(&["token", "new", "--role", "admin", "--clinic", "clinicarx/7"]);
    assert_eq!(server.get("/api/v1/events", token.trim())["items"], json!([]));
    assert_eq!(server.get_bytes("/api/v1/status", token.trim()).0, 403);
    let wrong = house.zelo(&["token", "new", "--clinic", "7"]);
    assert!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("name of a connection"));
}
