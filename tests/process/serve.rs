//! `zelo serve`: the same way, over HTTP and through restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::days::{self, Day};
use crate::house::{House, Server, within};

const REMINDER_ON: &str = "[[automations]]\nrule = \"appointment-reminder\"\n";
/// What ships for the platform of the day.
const ALL_ON: &str = "[[automations]]\nrule = \"appointment-reminder\"\n[[automations]]\nrule = \"attendance-receipt\"\n\
                      [[automations]]\nrule = \"cancellation-notice\"\n[[automations]]\nrule = \"contact-board\"\n";
/// The same, at any hour, so that a test does not depend on the time of day.
pub(crate) const AT_ANY_HOUR: &str = "[[automations]]\nrule = \"appointment-reminder\"\nsettings = { from = \"00:00\", to = \"00:00\" }\n";

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_second(since.as_secs() as i64).unwrap()
}

fn deliver_all(server: &Server, day: &[Value]) -> Vec<String> {
    let mut statuses = Vec::new();
    for line in day {
        let path = format!("clinicarx/{}", line["path"].as_str().unwrap());
        let (status, answer) = server.deliver(&path, &line["body"].to_string());
        assert_eq!(status, 202, "{path}: {answer}");
        statuses.push(answer["status"].as_str().unwrap().to_owned());
    }
    statuses
}

/// What jobs there were, each once: what it counts from, and when it was due at last.
fn dues<'a>(rows: impl Iterator<Item = (&'a Value, &'a Value)>) -> Vec<[String; 3]> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let jobs: BTreeMap<&str, [String; 3]> =
        rows.map(|(id, row)| (id.as_str().unwrap(), [text(row, "rule"), text(row, "anchor"), text(row, "due")])).collect();
    let mut jobs: Vec<_> = jobs.into_values().collect();
    jobs.sort();
    jobs
}

#[test]
fn the_same_deliveries_give_the_same_jobs_and_records() {
    let house = House::new(ALL_ON);
    // A lead's payload has no time, so it happens when it arrives.
    let day: Vec<Value> = days::shipped().into_iter().filter(|line| line["source"] == "clinicarx").collect();
    let last: Timestamp = day.last().unwrap()["at"].as_str().unwrap().parse().unwrap();
    let whole_days = (now().duration_since(last).as_hours() - 1) / 24;
    let day = days::shifted(&day, SignedDuration::from_hours(whole_days * 24));
    fs::write(house.path("day.jsonl"), days::text(&day)).unwrap();

    let simulated: Vec<Value> =
        house.ok(&["simulate", "day.jsonl", "--format", "json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();

    let server = house.serve();
    let statuses = deliver_all(&server, &day);
    assert_eq!(statuses.iter().filter(|status| *status == "duplicate").count(), 1);
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let pending = |state: &str| !server.get(&format!("/api/v1/jobs?state={state}"), &token)["items"].as_array().unwrap().is_empty();
    within("every job ends", Duration::from_secs(60), || !["ready", "running", "scheduled"].into_iter().any(pending));
    let jobs = server.list("/api/v1/jobs", &token);
    let simulated_jobs = dues(simulated.iter().filter(|row| !row["job"].is_null()).map(|row| (&row["job"], row)));
    assert_eq!(dues(jobs.iter().map(|job| (&job["id"], job))), simulated_jobs);
    assert_eq!(simulated_jobs.len(), 15);

    let records = server.list("/api/v1/records", &token);
    let of = |kind: &str| records.iter().filter(|record| record["type"] == kind).collect::<Vec<_>>();
    assert_eq!((of("clinic").len(), of("service").len(), of("user").len(), of("patient").len()), (1, 2, 1, 2));
    let marina = of("patient").into_iter().find(|record| record["document"]["name"] == "Marina Teste da Silva").unwrap();
    assert_eq!(marina["document"]["phones"][0], "(11) 91234-5678", "the newest number");
    assert!(of("service").iter().any(|record| record["document"]["price"] == 189.9));

    // The board says the same as the simulation, in whatever order the jobs ran.
    let contact = of("contact").into_iter().find(|record| record["document"]["name"] == "Marina Teste da Silva").unwrap();
    assert_eq!(contact["document"]["stage"], "attended");
    assert_eq!(contact["document"]["notes"].as_array().unwrap().len(), 2, "{contact}");
    // And the receipt is there as a file.
    let documents = server.list("/api/v1/documents", &token);
    assert_eq!(documents.iter().map(|document| document["name"].as_str().unwrap()).collect::<Vec<_>>(), ["recibo-000001.pdf"]);
    let (status, pdf) = server.get_bytes(documents[0]["url"].as_str().unwrap(), &token);
    assert!(status == 200 && pdf.starts_with(b"%PDF-"));

    // Nothing of it lies open on the disk.
    server.stop();
    for marker in [
        "recibo-000001",
        "Vacina Hexavalente",
        "52998224725",
        "529.982.247-25",
        "255,40",
        "Marina",
        "91234-5678",
        "98765-4321",
        "Boa Vida",
        "a77e0c51-1111-4d1d-8b11-000000000201",
    ] {
        assert!(!lies_open(&house, marker), "`{marker}` can be read in the data folder");
        assert!(!house.log().contains(marker), "`{marker}` is in the log");
    }
    assert!(lies_open(&house, "appointment.created"), "the search finds what is there");
}

fn lies_open(house: &House, marker: &str) -> bool {
    let mut folders = vec![house.path("data")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() && fs::read(&path).unwrap().windows(marker.len()).any(|bytes| bytes == marker.as_bytes()) {
                return true;
            }
        }
    }
    false
}

/// A day whose reminder is due at once.
fn due_now(day: Day) -> Day {
    let text = |instant: Timestamp| instant.to_string();
    let start = (now() + SignedDuration::from_hours(3)).to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let soon = text(now());
    day.clinic(&soon).patient(&soon, "Íris Modelo", Some("+55 11 90000-0001")).appointment(&soon, &soon, "appointment/new", &start)
}

#[test]
fn a_reminder_goes_out_once_and_jobs_survive_a_restart() {
    let house = House::new(AT_ANY_HOUR);
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let day = due_now(Day::new("America/Sao_Paulo"));
    deliver_all(&server, &day.lines);
    within("the message is in the outbox", Duration::from_secs(20), || server.list("/api/v1/messages", &token).len() == 1);

    // One for next week stays pending.
    let soon = now().to_string();
    let start = (now() + SignedDuration::from_hours(24 * 7)).to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let mut later = Day::new("America/Sao_Paulo");
    later.appointment = "apt-later";
    let later = later.appointment(&soon, &soon, "appointment/new", &start);
    deliver_all(&server, &later.lines);
    assert_eq!(server.get("/api/v1/jobs?state=scheduled", &token)["items"].as_array().unwrap().len(), 1);
    let heard = |server: &Server| {
        let status = server.get("/api/v1/status", &token);
        let connections = status["connections"].as_array().unwrap();
        connections.iter().find(|connection| connection["name"] == "clinicarx").unwrap()["last_heard"].as_str().map(str::to_owned)
    };
    let last = heard(&server);
    assert!(last.is_some());
    server.stop();

    let server = house.serve();
    within("it is known when something came last", Duration::from_secs(20), || heard(&server) == last);
    let scheduled = server.get("/api/v1/jobs?state=scheduled", &token);
    assert_eq!(scheduled["items"].as_array().unwrap().len(), 1);
    assert_eq!(deliver_all(&server, &day.lines)[2], "duplicate");
    assert_eq!(server.list("/api/v1/messages", &token).len(), 1, "still once");

    // Switched off: what is pending is cancelled.
    house.ok(&["automation", "disable", "appointment-reminder"]);
    assert!(server.get("/api/v1/jobs?state=scheduled", &token)["items"].as_array().unwrap().is_empty());
    assert!(house.ok(&["automation", "list"]).starts_with("off"));
}

#[test]
fn a_clinic_can_stay_out() {
    let house = House::new(AT_ANY_HOUR);
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    house.ok(&["automation", "disable", "appointment-reminder", "--clinic", "77"]);
    deliver_all(&server, &due_now(Day::new("America/Sao_Paulo")).lines);
    let mut other = Day::new("America/Sao_Paulo");
    (other.clinic, other.patient, other.appointment) = ("78", "p-20", "apt-20");
    deliver_all(&server, &due_now(other).lines);
    within("the other clinic's goes out", Duration::from_secs(20), || server.list("/api/v1/messages", &token).len() == 1);
    let jobs = server.list("/api/v1/jobs", &token);
    assert_eq!(jobs.iter().map(|job| job["clinic"].as_str().unwrap()).collect::<Vec<_>>(), ["78"]);
}

#[test]
fn what_is_not_a_mistake_in_a_file_is_shown_too() {
    let house = House::new(AT_ANY_HOUR);
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    fs::remove_file(house.path("rules/automations/appointment-reminder.toml")).unwrap();
    let problem = || server.get("/api/v1/rules", &token)["problem"].as_str().unwrap_or_default().to_owned();
    within("the refusal is shown", Duration::from_secs(20), || problem().contains("there is no rule `appointment-reminder`"));
    deliver_all(&server, &due_now(Day::new("America/Sao_Paulo")).lines);
    within("the rules before it stay", Duration::from_secs(20), || server.list("/api/v1/messages", &token).len() == 1);
}

#[test]
fn nobody_else_gets_in() {
    let house = House::new(REMINDER_ON);
    let server = house.serve();
    let body = fs::read_to_string(house.path("examples/events/new-appointment.json")).unwrap();
    let path = "clinicarx/appointment/new";
    for (authorization, why) in [("", "none"), ("00ff", "wrong"), ("Bearer x", "not a signature")] {
        let (status, problem) = server.deliver_with(path, &body, authorization);
        assert_eq!(status, 401, "{why}");
        assert_eq!(problem["status"], 401, "a problem document: {problem}");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
    assert_eq!(server.deliver("nobody/appointment/new", &body).0, 404);
    assert_eq!(server.deliver(path, "{\"data\": ").0, 400);
    assert_eq!(server.deliver(path, "{\"data\": 1, \"data\": 2}").0, 400, "duplicate keys");
    assert_eq!(server.deliver(path, &" ".repeat(300 << 10)).0, 413);
    let (status, answer) = server.deliver("clinicarx/something/else", &body);
    assert_eq!((status, answer["status"].as_str()), (202, Some("ignored")));
    assert_eq!(server.get_plain("/api/v1/events").0, 401);
    let token = house.ok(&["token", "new"]).trim().to_owned();
    assert!(server.list("/api/v1/events", &token).is_empty(), "nothing of this was stored");
    assert!(!house.zelo(&["serve"]).status.success(), "a second server is refused");
}

#[test]
fn every_trigger_is_read() {
    let house = House::new(REMINDER_ON);
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let mut types = BTreeSet::new();
    for (file, path) in [
        ("new-appointment", "appointment/new"),
        ("edit-appointment", "appointment/edit"),
        ("cancel-appointment", "appointment/cancel"),
        ("new-attendance", "attendance/new"),
        ("finished-attendance", "attendance/finished"),
        ("cancelled-attendance", "attendance/cancelled"),
        ("new-patient", "patient/new"),
        ("edit-patient", "patient/edit"),
        ("new-clinic", "clinic/new"),
        ("edit-clinic", "clinic/edit"),
        ("new-user", "user/new"),
        ("edit-user", "user/edit"),
        ("new-service", "service/new"),
        ("edit-service", "service/edit"),
    ] {
        let body = fs::read_to_string(house.path(&format!("examples/events/{file}.json"))).unwrap();
        let (status, answer) = server.deliver(&format!("clinicarx/{path}"), &body);
        assert_eq!(status, 202, "{path}: {answer}");
        let id = answer["event_id"].as_str().unwrap();
        let event = server.get(&format!("/api/v1/events/{id}"), &token);
        types.insert(event["type"].as_str().unwrap().to_owned());
        assert_eq!(event["data"], serde_json::from_str::<Value>(&body).unwrap(), "the payload as it came");
        assert_eq!(server.deliver(&format!("clinicarx/{path}"), &body).1["status"], "duplicate");
    }
    assert_eq!(types.len(), 14);
}

#[test]
fn a_mistake_in_a_file_leaves_the_running_rules_in_force() {
    let house = House::new(AT_ANY_HOUR);
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let file = house.path("rules/automations/appointment-reminder.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, edited(&text, "\"reminder\"", "\"remindr\"")).unwrap();
    let problems = || server.get("/api/v1/rules", &token)["problems"].as_array().unwrap().len();
    within("the mistake is seen", Duration::from_secs(20), || problems() > 0);
    assert!(house.log().contains("did you mean") || house.log().contains("reminder"), "{}", house.log());
    deliver_all(&server, &due_now(Day::new("America/Sao_Paulo")).lines);
    within("the old rules go on", Duration::from_secs(20), || server.list("/api/v1/messages", &token).len() == 1);

    let only_updates = edited(&text, "[\"appointment.created\", \"appointment.updated\"]", "[\"appointment.updated\"]");
    fs::write(&file, only_updates).unwrap();
    within("the mended file is in force", Duration::from_secs(20), || problems() == 0);
    let mut other = Day::new("America/Sao_Paulo");
    other.appointment = "apt-other";
    deliver_all(&server, &due_now(other).lines);
    let jobs = server.list("/api/v1/jobs", &token);
    assert_eq!(jobs.len(), 1, "a creation no longer fires: {jobs:?}");
}

#[test]
fn changed_files_are_taken_over_together() {
    let house = House::new(AT_ANY_HOUR);
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let rules = || server.get("/api/v1/rules", &token);
    let ids = || rules()["items"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();

    // A rule about a type that no source has yet, saved several times, and then the source: without it the rule is a mistake. It
    // takes longer than the server waits between two looks, but never stands still for as long.
    let text = fs::read_to_string(house.path("rules/automations/appointment-reminder.toml")).unwrap();
    let text = edited(&text, "\"appointment-reminder\"", "\"renamed-reminder\"");
    let text = edited(&text, "[\"appointment.created\", \"appointment.updated\"]", "[\"appointment.confirmed\"]");
    let mut text = text[..text.find("[[test]]").unwrap()].to_owned();
    for save in 0..3 {
        text.push_str(&format!("# save {save}\n"));
        fs::write(house.path("rules/automations/new.toml"), &text).unwrap();
        std::thread::sleep(Duration::from_millis(600));
    }
    let source = fs::read_to_string(house.path("rules/sources/clinicarx.toml")).unwrap();
    let confirmed = "[[events]]\nmatch = { path = \"appointment/confirm\" }\ntype = \"appointment.confirmed\"\n\n[[events]]";
    fs::write(house.path("rules/sources/clinicarx.toml"), edited(&source, "[[events]]", confirmed)).unwrap();
    within("both are in force", Duration::from_secs(20), || {
        assert_eq!(rules()["problem"], Value::Null, "never one without the other");
        ids().contains(&"renamed-reminder".to_owned())
    });

    // One that is gone is gone, as long as nobody has it on.
    fs::remove_file(house.path("rules/automations/lead-follow-up.toml")).unwrap();
    within("it is gone", Duration::from_secs(20), || !ids().contains(&"lead-follow-up".to_owned()));
    assert!(!house.log().contains("are not in force"), "{}", house.log());
}

fn edited(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the shipped rule has {from}");
    text.replacen(from, to, 1)
}

#[test]
fn the_sign_in_link_works_once() {
    let house = House::new(REMINDER_ON);
    let server = house.serve();
    let printed = server.stop();
    let link = printed.iter().find_map(|line| line.trim().strip_prefix("http://").filter(|line| line.contains("/sign-in?code="))).unwrap();
    assert!(!house.log().contains("code="), "the link is never logged");
    let code = link.split("code=").nth(1).unwrap().to_owned();

    let server = house.serve();
    let body = fs::read_to_string(house.path("examples/events/new-clinic.json")).unwrap();
    assert_eq!(server.deliver("clinicarx/clinic/new", &body).0, 202);
    assert!(!server.get_plain("/activity").1.contains("clinic.created"), "nothing to see without signing in");
    let (status, cookie) = server.sign_in(&code);
    assert_eq!(status, 303);
    let page = server.page("/activity", &cookie.unwrap());
    assert!(page.contains("clinic.created"), "{page}");
    assert_ne!(server.sign_in(&code).0, 303, "a second time");
}

#[test]
fn every_start_writes_down_of_which_configuration_it_is() {
    let house = House::new("");
    let digests = || {
        let lines = house.ok(&["audit", "export"]);
        let entries = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let starts = entries.filter(|entry| entry["detail"]["what"] == "configuration in force");
        starts.map(|entry| entry["detail"]["digest"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    house.serve().stop();
    house.serve().stop();
    let file = house.path("zelo.toml");
    fs::write(&file, fs::read_to_string(&file).unwrap() + "\n[server.rates]\naddress = { per_second = 7, burst = 70 }\n").unwrap();
    house.serve().stop();
    let found = digests();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].len() == 64 && found[0] == found[1] && found[1] != found[2], "{found:?}");
}
