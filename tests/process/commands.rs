//! Commands about files: what they say of mistakes.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::house::House;

const REMINDER: &str = "rules/automations/appointment-reminder.toml";

#[test]
fn what_ships_is_fine() {
    let house = House::new("");
    assert!(house.ok(&["check"]).contains("are fine"));
    assert!(house.ok(&["test"]).contains(", 0 failed"));
}

#[test]
fn a_mistake_is_refused_with_its_place_and_what_to_do() {
    let house = House::new("");
    let text = fs::read_to_string(house.path(REMINDER)).unwrap();
    let broken = text.replacen("appointment.created", "apointment.created", 1);
    assert_ne!(text, broken);
    fs::write(house.path(REMINDER), &broken).unwrap();
    let output = house.zelo(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = 1 + broken.lines().position(|line| line.contains("apointment.created")).unwrap();
    assert!(said.contains(&format!("appointment-reminder.toml:{line}:")), "{said}");
    assert!(said.contains("appointment.created"), "it says what was meant: {said}");

    let json = String::from_utf8(house.zelo(&["check", "--format", "json"]).stdout).unwrap();
    let found: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(found[0]["line"], line);
    assert!(!house.zelo(&["serve"]).status.success(), "a server does not start on it");
}

#[test]
fn a_warning_keeps_nothing_out_unless_asked_to() {
    let house = House::new("");
    let text = fs::read_to_string(house.path(REMINDER)).unwrap();
    let odd = text.replacen("$.data.title", "$.data.titel", 1);
    assert_ne!(text, odd);
    fs::write(house.path(REMINDER), &odd).unwrap();
    let output = house.zelo(&["check", "--strict"]);
    assert_eq!(output.status.code(), Some(1), "asked to be strict, it fails on a warning");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("warning[no-such-path]") && !said.contains('\x1b'), "no colours where no terminal shows them: {said}");
    assert_eq!(said.trim_end().lines().last(), Some("1 warning"), "{said}");

    let json: Vec<Value> = serde_json::from_str(&house.ok(&["check", "--format", "json"])).unwrap();
    let place = |end: &str| usize::try_from(json[0]["replace"][end].as_u64().unwrap()).unwrap();
    let mut mended = odd;
    mended.replace_range(place("start")..place("end"), json[0]["suggestion"].as_str().unwrap());
    assert_eq!(mended, text, "the suggestion stands in for what it replaces");

    fs::write(house.path(REMINDER), &text).unwrap();
    fs::remove_file(house.path("examples/events/new-user.json")).unwrap();
    let said = house.ok(&["check"]);
    assert!(said.contains("warning[missing-sample]") && said.contains("clinicarx.toml:"), "{said}");
}

#[test]
fn a_failing_test_fails_the_command() {
    let house = House::new("");
    let text = fs::read_to_string(house.path(REMINDER)).unwrap();
    let wrong = text.replacen("at = \"2017-05-29T11:00:00Z\"", "at = \"2017-05-29T12:00:00Z\"", 1);
    assert_ne!(text, wrong, "the shipped rule tests the due time of the sample");
    fs::write(house.path(REMINDER), wrong).unwrap();
    let output = house.zelo(&["test"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("2017-05-29T11:00:00Z"), "it says what came instead");
}

#[test]
fn a_path_can_be_tried() {
    let house = House::new("");
    assert_eq!(house.ok(&["path", "$.data.patient.name", "examples/events/new-appointment.json"]).trim(), "[\"John Doe\"]");
    let output = house.zelo(&["path", "$.data[", "examples/events/new-appointment.json"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("  | $.data[\n  |        ^"), "a mark under the place: {said}");

    // One that takes too much is a query, and has found nothing.
    fs::write(house.path("long.json"), serde_json::to_string(&vec![json!({ "secret": "x" }); 2_000]).unwrap()).unwrap();
    for arguments in [vec!["path", "$[?$..[?@ == 1]]", "long.json"], vec!["path", "$[?$..[?@ == 1]]", "long.json", "--paths"]] {
        let output = house.zelo(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()), "{said}");
        assert!(said.contains("more than 1000000 steps") && !said.contains("secret"), "{said}");
    }
}

#[test]
fn a_path_sees_what_a_rule_would_see() {
    let house = House::new("");
    let path = |arguments: &[&str]| -> Value { serde_json::from_str(&house.ok(&[&["path"], arguments].concat())).unwrap() };
    let xml = "examples/events/plotado/lead.xml";
    assert_eq!(path(&["$.lead.nome", xml]), json!(["Carlos"]));
    assert_eq!(path(&["$.nome", xml, "--root", "lead"]), json!(["Carlos"]));
    let placed = path(&["$..name", "examples/events/new-appointment.json", "--paths"]);
    assert!(placed.as_array().unwrap().contains(&json!({ "path": "$['data']['patient']['name']", "value": "John Doe" })), "{placed}");

    // What a delivery may not be is refused here too, and no part of it is repeated.
    fs::write(house.path("twice.json"), r#"{"a": 1, "secret": 2, "secret": 3}"#).unwrap();
    let output = house.zelo(&["path", "$.a", "twice.json"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("one key twice") && !said.contains("secret"), "{said}");

    let mut child = house.start(&["path", "$.b[0]", "-"]);
    child.stdin.take().unwrap().write_all(b"{\"b\": [7]}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "[7]");
}

#[test]
fn a_watched_folder_is_checked_after_every_change() {
    let house = House::new("");
    let mut child = house.start(&["check", "--watch"]);
    let out = BufReader::new(child.stdout.take().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    let mut all = String::new();
    let mut until = |wanted: &str| loop {
        let line = told.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("{wanted} in {all}"));
        all.push_str(&line);
        all.push('\n');
        if line.contains(wanted) {
            break;
        }
    };
    until("are fine");
    let text = fs::read_to_string(house.path(REMINDER)).unwrap();
    fs::write(house.path(REMINDER), text.replacen("appointment.created", "apointment.created", 1)).unwrap();
    until("apointment.created");
    until("mend the errors above");

    // As editors save: the old one is moved away, the new one is written in pieces, and takes its place.
    fs::rename(house.path(REMINDER), house.path("rules/automations/appointment-reminder.toml~")).unwrap();
    fs::write(house.path(REMINDER), &text[..text.len() / 2]).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    fs::write(house.path(REMINDER), &text).unwrap();
    until("are fine");

    // A sample is one of the files, too.
    fs::write(house.path("examples/events/new-patient.json"), "{}").unwrap();
    until("are fine");
    // And so is what is not there for a while: the last word is that of what is.
    fs::rename(house.path("rules"), house.path("away")).unwrap();
    until("cannot be read");
    fs::rename(house.path("away"), house.path("rules")).unwrap();
    until("are fine");

    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0), "Ctrl-C ends it");
    assert!(!all.contains('\u{1b}'), "only a terminal is cleared");
}

#[test]
fn a_connection_without_a_secret_is_no_connection() {
    let house = House::new("[connections.centro]\nsource = \"clinicarx\"\n");
    let output = house.zelo(&["serve"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no secret"));
}

#[test]
fn schemas_are_printed_as_they_ship() {
    let house = House::new("");
    for kind in ["rule", "source"] {
        let shipped = fs::read_to_string(house.path(&format!("rules/schema/{kind}.schema.json"))).unwrap();
        assert_eq!(house.ok(&["schema", kind]).trim_end(), shipped.trim_end());
    }
    assert_eq!(house.zelo(&["schema", "plugin"]).status.code(), Some(2));
}

#[test]
fn a_plugin_is_tried_without_doing_anything() {
    let house = House::new("");
    let plugin = house.path("plugins/message.wasm");
    let plugin = plugin.to_str().unwrap();
    let said = house.ok(&["plugin", "run", plugin, "--input", r#"{"to":"x","text":"Olá, Ana!"}"#]);
    assert!(said.contains("outcome   sent") && said.contains(r#"would     message channel="outbox" text="Olá, Ana!" to="x""#), "{said}");
    let json = house.ok(&["plugin", "run", plugin, "--input", r#"{"to":"x","text":"y"}"#, "--format", "json"]);
    let told: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&told["end"]["code"], &told["effects"][0]["to"]), (&json!("sent"), &json!("x")));

    let dry = |how: &str| house.zelo(&["plugin", "run", plugin, "--input", r#"{"to":"x","text":"y"}"#, how]).status.code();
    assert_eq!((dry("--dry-run"), dry("--dry-run=false")), (Some(0), Some(2)));
    for (input, code) in [("{}", 1), ("[]", 2), ("{", 2)] {
        assert_eq!(house.zelo(&["plugin", "run", plugin, "--input", input]).status.code(), Some(code), "{input}");
    }

    let cases = house.path("cases.toml");
    let case = |expect: &str| format!("[[case]]\nname = \"it greets\"\ninput = {{ to = \"x\", text = \"y\" }}\nexpect = {{ {expect} }}\n");
    let tried = |expect: &str| {
        fs::write(&cases, case(expect)).unwrap();
        let output = house.zelo(&["plugin", "test", plugin, cases.to_str().unwrap()]);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(tried("end = \"outcome\", code = \"sent\""), (Some(0), "✓ it greets\n1 passed, 0 failed\n".to_owned()));
    let (code, said) = tried("end = \"outcome\", effects = [{ to = \"z\" }]");
    assert!(code == Some(1) && said.contains("effects[0].to: expected \"z\", got \"x\""), "{said}");
    assert_eq!(tried("end = \"fine\"").0, Some(2));
    assert_eq!(tried("end = \"outcome\", cod = 1").0, Some(2));
}

#[test]
fn a_plugin_that_the_lock_does_not_name_does_not_run() {
    let house = House::new("");
    let plugins = house.path("plugins");
    let dist = fs::canonicalize(&plugins).unwrap();
    fs::remove_file(&plugins).unwrap();
    fs::create_dir(&plugins).unwrap();
    for entry in fs::read_dir(dist).unwrap().map(Result::unwrap).filter(|entry| entry.path().extension().is_some_and(|end| end == "wasm")) {
        fs::copy(entry.path(), plugins.join(entry.file_name())).unwrap();
    }
    assert_eq!(house.zelo(&["plugin", "lock", "--check"]).status.code(), Some(1), "there is none");
    house.ok(&["plugin", "lock"]);
    house.ok(&["plugin", "lock", "--check"]);
    assert!(fs::read_to_string(house.path("zelo.lock")).unwrap().contains("name    = \"reminder\""));
    house.ok(&["check"]);

    // The same plugin with an empty custom section at its end: as good as before, and not the same.
    let reminder = plugins.join("reminder.wasm");
    let mut bytes = fs::read(&reminder).unwrap();
    bytes.extend([0, 1, 0]);
    fs::write(&reminder, bytes).unwrap();
    for command in [&["check"][..], &["serve"], &["test"], &["simulate", "examples/day/day.jsonl"]] {
        let output = house.zelo(command);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
        assert!(said.contains("reminder.wasm is not among the plugins") && said.contains("zelo plugin lock"), "{said}");
    }
    house.ok(&["plugin", "lock"]);
    house.ok(&["check"]);

    fs::write(house.path("zelo.lock"), "plugins = 1").unwrap();
    let output = house.zelo(&["check"]);
    assert!(output.status.code() == Some(2) && String::from_utf8_lossy(&output.stderr).contains("zelo.lock is no lock"));
}

#[test]
fn what_is_insecure_is_said_aloud() {
    let house = House::new("[connections.bot]\nsource = \"plotado\"\ninsecure = true\n");
    let wide = "id = \"wide\"\n[receive]\ninsecure = true\n[[events]]\ntype = \"thing.created\"\n";
    std::fs::write(house.path("rules/sources/wide.toml"), wide).unwrap();
    let said = house.ok(&["check"]);
    assert!(said.contains("ATTENTION: connection `bot` is insecure") && said.contains("warning[insecure]"), "{said}");
    let welcome = house.serve().stop().join("\n");
    for name in ["bot", "wide"] {
        assert!(welcome.contains(&format!("ATTENTION: connection `{name}` is insecure")), "{welcome}");
        assert!(house.log().contains(name), "{}", house.log());
    }
    assert!(!welcome.contains("`clinicarx` is insecure") && !house.path("secrets/wide").exists(), "{welcome}");
    let config = std::fs::read_to_string(house.path("zelo.toml")).unwrap();
    std::fs::write(house.path("zelo.toml"), config.replace("insecure = true", "")).unwrap();
    for command in ["check", "serve"] {
        let output = house.zelo(&[command]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && error.contains("connection `bot` has no secret"), "{command}: {error}");
    }
}

#[test]
fn a_token_that_is_revoked_lets_nobody_in() {
    let house = House::new("");
    let server = house.serve();
    let token = house.ok(&["token", "new", "--role", "operator", "--name", "painel", "--days", "30"]).trim().to_owned();
    assert!(server.get("/api/v1/rules", &token).is_object());
    let listed = house.ok(&["token", "list"]);
    let line = listed.lines().find(|line| line.contains("painel")).unwrap_or_else(|| panic!("{listed}"));
    assert!(line.contains("token  operator") && line.contains("until 20") && !listed.contains(&token), "{listed}");
    let id = line.split_whitespace().next().unwrap();
    assert_eq!(house.zelo(&["token", "revoke", &id[..3]]).status.code(), Some(2), "too little of it");
    house.ok(&["token", "revoke", &id[..6]]);
    assert!(!house.ok(&["token", "list"]).contains("painel"));
    assert_eq!(server.send("GET", "/api/v1/rules", &[("authorization", &format!("Bearer {token}"))], "").json().0, 401);
    assert_eq!(house.zelo(&["token", "revoke", id]).status.code(), Some(2), "it is gone");
}
