//! `zelo explain`: why each rule fires or does not, of a file, of a stored event, and over the API.

use std::time::Duration;

use serde_json::{Value, json};

use crate::house::{House, within};

fn told(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn rule<'t>(told: &'t Value, id: &str) -> &'t Value {
    told["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == id).unwrap()
}

#[test]
fn a_file_is_explained_without_a_store() {
    let house = House::new("");
    let file = "examples/events/new-appointment.json";
    let text = house.ok(&["explain", file, "--type", "appointment.created"]);
    assert!(text.starts_with("appointment.created · clinicarx · clinicarx · "), "{text}");
    assert!(
        text.contains("✗ $.data.event_status not_in [\"done\", \"canceled\"]   visto: \"done\"   ← $.data.event_status é um dos excluídos")
    );
    assert!(text.contains("Nada está ligado aqui"), "{text}");
    let english = house.ok(&["explain", file, "--path", "appointment/new", "--lang", "en", "--rule", "appointment-reminder"]);
    assert!(english.contains("does not fire: $.data.event_status is one of those excluded"), "{english}");
    assert!(!english.contains("contact-board"), "{english}");
    let data = told(&house.ok(&["explain", file, "--type", "appointment.created", "--format", "json"]));
    let rules: Vec<&Value> = data["rules"].as_array().unwrap().iter().map(|rule| &rule["rule"]).collect();
    assert_eq!(rules.len(), 6, "every rule: {rules:?}");
    assert_eq!(rule(&data, "appointment-reminder")["outcome"], "cancels", "what no longer matches");
    assert!(!house.path("data").exists(), "looking makes no store");
}

#[test]
fn what_cannot_be_explained_is_said() {
    let house = House::new("");
    let file = "examples/events/new-appointment.json";
    for (arguments, said) in [
        (&["explain", file][..], "say what the file is, with --type"),
        (&["explain", file, "--type", "apointment.created"], "did you mean `appointment.created`?"),
        (&["explain", file, "--type", "appointment.created", "--connection", "x"], "there is no connection `x`"),
        (&["explain", file, "--type", "appointment.created", "--rule", "contactboard"], "did you mean `contact-board`?"),
        (&["explain", "nothing.json", "--type", "appointment.created"], "neither an event's id (evt_…) nor a file"),
        (&["explain", "evt_1"], "is not an event id"),
        (&["explain", "evt_00000000000000000000000000000000"], "there is no event evt_"),
        (&["explain", "evt_00000000000000000000000000000000", "--at", "2026-03-02T12:00:00Z"], "are about a file"),
        (&["explain", "zelo.toml", "--type", "appointment.created"], "cannot be read"),
    ] {
        let output = house.zelo(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}

#[test]
fn a_stored_event_is_explained_with_the_jobs_that_were_made() {
    let house = House::new("");
    let token = house.ok(&["token", "new"]).trim().to_owned();
    house.ok(&["automation", "enable", "appointment-reminder"]);
    let server = house.serve();
    let mut body: Value = told(&std::fs::read_to_string(house.path("examples/events/new-appointment.json")).unwrap());
    body["data"]["event_status"] = json!("scheduled");
    body["data"]["scheduled_start_at"] = json!("2090-05-30 09:17:03");
    body["data"]["patient"]["name"] = json!("Zacarias Marker");
    let (status, answer) = server.deliver("clinicarx/appointment/new", &body.to_string());
    assert_eq!(status, 202, "{answer}");
    let event = answer["event_id"].as_str().unwrap().to_owned();
    let asked = |arguments: &[&str]| house.ok(&[&["explain", &event], arguments].concat());
    let text = asked(&[]);
    assert!(text.contains("✓ appointment-reminder@clinicarx · Lembrete de consulta"), "{text}");
    assert!(text.contains("✓ remind (reminder)") && text.contains("→ fica agendada e espera por um valor, para 2090-05-2"), "{text}");
    assert!(text.contains("job criado: job_") && text.contains("appointment-reminder.remind scheduled"), "{text}");
    assert!(
        text.contains("contact-board · Quadro de contatos: não está ligada para esta conexão") || text.contains("não está ligada"),
        "{text}"
    );

    let over_api = server.get(&format!("/api/v1/events/{event}/explanation"), &token);
    let by_command = told(&asked(&["--format", "json"]));
    assert_eq!(over_api, by_command, "the same over the API");
    assert_eq!(rule(&over_api, "appointment-reminder")["outcome"], "fires");
    let shown = over_api.to_string();
    assert!(!shown.contains("Zacarias"), "{shown}");

    // The store alone says the same.
    drop(server);
    within("the server is gone", Duration::from_secs(20), || !house.zelo(&["explain", &event]).stdout.is_empty());
    assert_eq!(told(&asked(&["--format", "json"])), by_command);
}

#[test]
fn before_the_first_server_the_configuration_says_what_is_on() {
    let house = House::new("[[automations]]\nrule = \"appointment-reminder\"\nsettings = { hours_before = 48 }\n");
    let mut body: Value = told(&std::fs::read_to_string(house.path("examples/events/new-appointment.json")).unwrap());
    body["data"]["event_status"] = json!("scheduled");
    body["data"]["scheduled_start_at"] = json!("2090-05-30 15:00:00");
    std::fs::write(house.path("one.json"), body.to_string()).unwrap();
    let data = told(&house.ok(&["explain", "one.json", "--type", "appointment.created", "--format", "json"]));
    assert_eq!(rule(&data, "appointment-reminder")["actions"][0]["job"]["due"], "2090-05-28T15:00:00Z", "two days before");
    assert_eq!(rule(&data, "contact-board")["why"], "não está ligada para esta conexão");
}
