//! `zelo records import`: a clinic's first day.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::days::Day;
use crate::house::{House, Server, within};
use crate::serve::AT_ANY_HOUR;

/// As a Brazilian system exports it: Windows-1252, semicolons, a line break inside quotes; four lines of it are bad.
const EXPORT: &[u8] = b"C\xf3digo;Nome;Celular;Fixo;Obs\r\n\
    p-1;Jo\xe3o Exemplo;(11) 90000-0001;(11) 3000-0001;\r\n\
    p-2;\"Concei\xe7\xe3o; filha\";(11) 90000-0002;;\"duas\r\nlinhas\"\r\n\
    ;Sem Codigo;(11) 90000-0003;;\r\n\
    p-1;Outra Vez;(11) 90000-0004;;\r\n\
    p-5;Colunas Demais;(11) 90000-0005;;;\r\n\
    p-6;;;;so uma nota\r\n\
    p-7;\xcdris;90000-0007;;\r\n";

const MAPS: [&str; 10] =
    ["--record", "patient", "--key", "Código", "--map", "name=Nome", "--map", "phones=Celular", "--map", "phones=Fixo"];

fn import(house: &House, file: &str, more: &[&str]) -> Output {
    let mut arguments = vec!["records", "import", file];
    arguments.extend(MAPS);
    arguments.extend(more);
    house.zelo(&arguments)
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn patients(server: &Server, token: &str) -> Vec<(String, Value)> {
    let page = server.get("/api/v1/records?type=patient&limit=200", token);
    let mut found: Vec<(String, Value)> =
        page["items"].as_array().unwrap().iter().map(|row| (row["id"].as_str().unwrap().to_owned(), row["document"].clone())).collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

fn wanted() -> Vec<(String, Value)> {
    vec![
        ("p-1".to_owned(), json!({ "name": "João Exemplo", "phones": ["(11) 90000-0001", "(11) 3000-0001"] })),
        ("p-2".to_owned(), json!({ "name": "Conceição; filha", "phones": ["(11) 90000-0002"] })),
        ("p-7".to_owned(), json!({ "name": "Íris", "phones": ["90000-0007"] })),
    ]
}

#[test]
fn a_file_into_a_running_server() {
    let house = House::new(AT_ANY_HOUR);
    fs::write(house.path("export.csv"), EXPORT).unwrap();
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();

    // Dry: everything is said, nothing is written.
    let dry = import(&house, "export.csv", &["--dry-run"]);
    assert_eq!(dry.status.code(), Some(1), "bad lines are findings");
    assert!(said(&dry).contains("7 lines: 3 new, 0 changed, 0 same, 4 bad"), "{}", said(&dry));
    assert!(said(&dry).contains("the first record would fill name, phones"), "{}", said(&dry));
    assert!(patients(&server, &token).is_empty());

    let output = import(&house, "export.csv", &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(text.contains("windows-1252 (it is not UTF-8), 5 columns separated by `;`"), "{text}");
    for line in [
        "line 5: nothing stands in `Código`",
        "line 6: the same `Código` as in line 2",
        "line 7: 6 columns instead of 5",
        "line 8: none of the mapped columns has a value",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(text.contains("7 lines: 3 new, 0 changed, 0 same, 4 bad"), "{text}");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    for value in ["90000", "Exemplo", "Vez", "Conceição"] {
        assert!(!text.contains(value) && !errors.contains(value) && !house.log().contains(value), "a value is printed: {value}");
    }
    assert_eq!(patients(&server, &token), wanted());
    for entry in fs::read_dir(house.path("data")).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
        let bytes = fs::read(entry.path()).unwrap();
        let open = |value: &str| bytes.windows(value.len()).any(|window| window == value.as_bytes());
        assert!(!open("Conceição") && !open("90000-0001"), "{} holds a value in the clear", entry.path().display());
    }

    let again: Value = serde_json::from_str(&said(&import(&house, "export.csv", &["--format", "json"]))).unwrap();
    assert_eq!((&again["new"], &again["same"], &again["bad"]), (&json!(0), &json!(3), &json!(4)));
    assert_eq!(again["problems"][1]["line"], 6);
    assert_eq!(again["encoding"], "windows-1252");
}

#[test]
fn a_file_into_a_closed_store() {
    let house = House::new(AT_ANY_HOUR);
    fs::write(house.path("export.csv"), EXPORT).unwrap();
    assert_eq!(import(&house, "export.csv", &["--dry-run"]).status.code(), Some(1));
    assert!(!house.path("data/zelo.db").exists() && !house.path("keys").exists(), "looking makes no store");
    assert_eq!(import(&house, "export.csv", &[]).status.code(), Some(1));
    assert!(said(&import(&house, "export.csv", &["--dry-run"])).contains("0 new, 0 changed, 3 same"));
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    assert_eq!(patients(&server, &token), wanted());
}

#[test]
fn standard_input_with_a_mark_and_tabs() {
    let house = House::new(AT_ANY_HOUR);
    let mut arguments = vec!["records", "import", "-"];
    arguments.extend(MAPS);
    let mut child = Command::new(env!("CARGO_BIN_EXE_zelo"))
        .args(arguments)
        .current_dir(house.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text = "\u{feff}Código\tNome\tCelular\tFixo\np-1\tAna, Bia\t007\t\n";
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(said(&output).contains("standard input: UTF-8, 4 columns separated by tabs"), "{}", said(&output));
    assert!(said(&output).contains("1 line: 1 new"), "{}", said(&output));
}

#[test]
fn mistakes_are_answered_with_what_was_meant() {
    let house = House::new("");
    fs::write(house.path("export.csv"), EXPORT).unwrap();
    let try_it = |arguments: &[&str]| {
        let mut all = vec!["records", "import", "export.csv"];
        all.extend(arguments);
        complaint(&house.zelo(&all))
    };
    let text = try_it(&["--record", "patient", "--key", "Código", "--map", "phone=Celular"]);
    assert!(text.contains("did you mean `phones`?") && text.contains("birthday"), "{text}");
    let text = try_it(&["--record", "patient", "--key", "Codigo", "--map", "phones=Celular"]);
    assert!(text.contains("did you mean `Código`?"), "{text}");
    let text = try_it(&["--record", "pacient", "--key", "Código", "--map", "phones=Celular"]);
    assert!(text.contains("did you mean `patient`?"), "{text}");
    let text = try_it(&["--record", "patient", "--connection", "clinicarxx", "--key", "Código", "--map", "phones=Celular"]);
    assert!(text.contains("did you mean `clinicarx`?"), "{text}");
    let text = try_it(&["--record", "patient", "--key", "Código", "--map", "name=Nome", "--map", "name=Obs"]);
    assert!(text.contains("`name` is mapped twice"), "{text}");
    let text = try_it(&["--record", "patient", "--map", "name=Nome"]);
    assert!(text.contains("--key COLUMN, or --map id=COLUMN"), "{text}");
}

#[test]
fn the_key_may_be_a_map_like_the_others() {
    let house = House::new("");
    fs::write(house.path("export.csv"), EXPORT).unwrap();
    let output =
        house.zelo(&["records", "import", "export.csv", "--record", "patient", "--map", "id=Código", "--map", "name=Nome", "--dry-run"]);
    assert!(said(&output).contains("3 new"), "{}", said(&output));
}

#[test]
fn what_a_webhook_said_wins() {
    let house = House::new(AT_ANY_HOUR);
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let day = Day::new("America/Sao_Paulo").patient("2026-03-02T12:00:00Z", "Íris Modelo", Some("+55 11 90000-0001"));
    for line in &day.lines {
        assert_eq!(server.deliver("clinicarx/patient/new", &line["body"].to_string()).0, 202);
    }
    fs::write(house.path("export.csv"), "Código,Nome,Celular,Fixo,Email\np-19,Iris M.,1,2,iris@example.com\n").unwrap();
    let output = import(&house, "export.csv", &["--map", "email=Email"]);
    assert!(output.status.success() && said(&output).contains("0 new, 1 changed"), "{}", said(&output));
    let (_, patient) = patients(&server, &token).remove(0);
    assert_eq!(patient["email"], "iris@example.com", "a gap is filled");
    assert_eq!(patient["name"], "Íris Modelo");
    assert_eq!(patient["phones"], json!(["+55 11 90000-0001"]));

    let output = import(&house, "export.csv", &["--replace"]);
    assert!(said(&output).contains("1 changed"), "{}", said(&output));
    let (_, patient) = patients(&server, &token).remove(0);
    assert_eq!((&patient["name"], &patient["phones"]), (&json!("Iris M."), &json!(["1", "2"])));
}

#[test]
fn a_job_that_waited_for_a_phone_goes_on() {
    let house = House::new(AT_ANY_HOUR);
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let now = Timestamp::from_second(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64).unwrap();
    let start = (now + SignedDuration::from_hours(3)).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let soon = now.to_string();
    let day = Day::new("America/Sao_Paulo").clinic(&soon).appointment(&soon, &soon, "appointment/new", &start);
    for line in &day.lines {
        assert_eq!(server.deliver(&format!("clinicarx/{}", line["path"].as_str().unwrap()), &line["body"].to_string()).0, 202);
    }
    let waiting = || server.get("/api/v1/jobs?attention=true", &token)["items"].as_array().unwrap().len();
    within("the reminder waits for a phone", Duration::from_secs(20), || waiting() == 1);
    fs::write(house.path("export.csv"), "Código;Nome;Celular;Fixo\np-19;;(11) 90000-0019;\n").unwrap();
    assert!(import(&house, "export.csv", &[]).status.success());
    within("it goes out", Duration::from_secs(20), || server.list("/api/v1/messages", &token).len() == 1);
    assert_eq!(waiting(), 0);
}
