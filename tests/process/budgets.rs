//! What stops loops: a second lap, a chain that is too long, and a contact who has had enough.

use std::time::Duration;

use serde_json::{Value, json};

use crate::days;
use crate::house::{House, root, within};

const SOURCE: &str = r#"
id = "clinicarx"
title = "Loops"

[receive]
verify = { kind = "hmac", header = "authorization" }

[[events]]
match = { path = "visit" }
type  = "visit.ended"

[[events]]
match = { path = "price" }
type  = "price.set"

[[events]]
match    = { path = "message" }
type     = "message.received"
subjects = [{ id = "$.from" }]

[[records]]
type = "price"
on   = ["price.set"]
key  = "$.total"
keep = { services = "$.services", prices = "$.prices" }
"#;

/// Makes a receipt of what stands at the total of the receipt before it, and says so.
const RECEIPT: &str = r#"
id    = "NAME"
title = "A receipt of a receipt"
on    = ["visit.ended", "receipt.issued"]
WHEN

[lookup.price]
key = "$.total"

[[then]]
name    = "issue"
plugin  = "receipt"
purpose = "See where it ends"
basis   = "lgpd:11.II.f"

[then.allow]
services = { record = "price", path = "$.services" }
prices   = { record = "price", path = "$.prices" }

[then.with]
patient  = "Ana"
clinic   = "Aurora"
date     = "02/03/2026"
services = "{{ services }}"
prices   = "{{ prices }}"

[then.grant]
documents = true
state     = true
events    = ["receipt.issued"]
"#;

/// Answers every message.
const ANSWER: &str = r#"
id    = "NAME"
title = "An answer to each message"
on    = "message.received"

[[then]]
name    = "answer"
plugin  = "message"
purpose = "Answer"
basis   = "lgpd:11.II.f"

[then.allow]
phone = "$.from"

[then.with]
to   = "{{ phone }}"
text = "Olá!"

[then.grant]
messages = { channels = ["outbox"], to = ["{{ phone }}"]BUDGET }
"#;

/// A house with these rules, the plugin that they use, and no others: each start compiles what there is.
fn house(more: &str, plugin: &str, rules: &[(&str, String)]) -> House {
    let house = House::new(more);
    std::fs::remove_file(house.path("plugins")).unwrap();
    std::fs::create_dir(house.path("plugins")).unwrap();
    let file = format!("{plugin}.wasm");
    std::os::unix::fs::symlink(root().join("plugins/dist").join(&file), house.path("plugins").join(&file)).unwrap();
    std::fs::remove_dir_all(house.path("rules")).unwrap();
    for folder in ["rules/sources", "rules/automations"] {
        std::fs::create_dir_all(house.path(folder)).unwrap();
    }
    std::fs::write(house.path("rules/sources/clinicarx.toml"), SOURCE).unwrap();
    for (name, text) in rules {
        std::fs::write(house.path(&format!("rules/automations/{name}.toml")), text.replace("NAME", name)).unwrap();
    }
    house
}

fn line(at: &str, path: &str, body: Value) -> Value {
    json!({ "at": at, "source": "clinicarx", "path": path, "body": body })
}

fn simulate(house: &House, day: &[Value]) -> Vec<Value> {
    std::fs::write(house.path("day.jsonl"), days::text(day)).unwrap();
    let output = house.ok(&["simulate", "day.jsonl", "--format", "json"]);
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Prices that lead from each total to the next, and a visit that begins with none.
fn visit() -> Vec<Value> {
    let price = |total: u32| {
        let (services, prices) = (json!([{ "service_code": "a", "service_name": "A" }]), json!([{ "code": "a", "price": total + 1 }]));
        line("2026-03-02T12:00:00Z", "price", json!({ "total": format!("{total}.00"), "services": services, "prices": prices }))
    };
    (0..12).map(price).chain([line("2026-03-02T13:00:00Z", "visit", json!({ "total": "0.00" }))]).collect()
}

/// The rules whose jobs ended so, in the order of their ends.
fn ended<'a>(rows: &'a [Value], state: &str) -> Vec<&'a str> {
    let mut jobs: Vec<(&Value, &str)> = Vec::new();
    for row in rows.iter().filter(|row| row["state"] == state && row["job"].is_string()) {
        if !jobs.iter().any(|(job, _)| **job == row["job"]) {
            jobs.push((&row["job"], row["rule"].as_str().unwrap()));
        }
    }
    jobs.into_iter().map(|(_, rule)| rule).collect()
}

fn detail(row: &Value) -> &str {
    row["detail"].as_str().unwrap()
}

#[test]
fn two_automations_that_answer_each_other_come_to_an_end() {
    let receipt = || RECEIPT.replace("WHEN", "");
    let house = house("", "receipt", &[("one", receipt()), ("other", receipt())]);
    let rows = simulate(&house, &visit());
    let issued: Vec<&str> = rows.iter().filter(|row| row["type"] == "receipt.issued").map(detail).collect();
    // Both fire on the visit, each on the other's receipt, and nobody on the answer to the own one.
    assert_eq!(ended(&rows, "done").len(), 4);
    assert_eq!(issued.len(), 4, "{issued:?}");
    let lap = "a second lap: this automation led to the event itself";
    for (detail, fires) in issued.iter().zip([true, true, false, false]) {
        assert_eq!(detail.contains("fires o"), fires, "{detail}");
        assert_eq!(detail.matches(lap).count(), if fires { 1 } else { 2 }, "{detail}");
    }
}

#[test]
fn a_chain_of_automations_comes_to_an_end() {
    let name = |step: u32| format!("step-{step:02}");
    let rules: Vec<(String, String)> =
        (0..10).map(|step| (name(step), RECEIPT.replace("WHEN", &format!("[when]\npath = \"$.total\"\nequals = \"{step}.00\"")))).collect();
    let rules: Vec<(&str, String)> = rules.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
    let house = house("", "receipt", &rules);
    let rows = simulate(&house, &visit());
    assert_eq!(ended(&rows, "done"), (0..8).map(name).collect::<Vec<_>>());
    assert_eq!(ended(&rows, "dead"), [name(8)], "the ninth may not go on");
    let refused = rows.iter().find(|row| row["effect"]["kind"] == "refused").unwrap();
    assert_eq!((&refused["effect"]["effect"], &refused["rule"]), (&json!("event"), &json!(name(8))));
    let why = "8 automations led to this job, each by an event of its own, and a chain is no longer than 8: this may be a loop";
    assert_eq!(refused["effect"]["reason"], why);
    assert!(detail(refused).contains(why), "{refused}");
    assert!(rows.iter().all(|row| row["rule"] != name(9).as_str()));
}

/// As many messages of one contact, a minute apart; the number is written in two ways.
fn messages(count: i64) -> Vec<Value> {
    let start: jiff::Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
    let message = |number: i64| {
        let at = start + jiff::SignedDuration::from_mins(number);
        let from = if number % 2 == 0 { "+55 11 90000-0001" } else { "(55) 11900000001" };
        line(&at.to_string(), "message", json!({ "from": from, "number": number }))
    };
    (0..count).map(message).collect()
}

fn sent(rows: &[Value]) -> usize {
    rows.iter().filter(|row| row["effect"]["kind"] == "message").count()
}

#[test]
fn a_contact_gets_twenty_messages_a_day() {
    let mut day = messages(25);
    let message = |at: &str, from: &str| line(at, "message", json!({ "from": from, "at": at }));
    day.extend((30..59).map(|minute| message(&format!("2026-03-02T12:{minute}:00Z"), "Equipe@example.com")));
    day.push(message("2026-03-02T13:00:00Z", "Ana@example.com"));
    day.push(message("2026-03-03T12:00:00Z", "+55 11 90000-0001"));
    day.push(message("2026-03-03T12:00:30Z", "+55 11 90000-0001"));

    let house_with = |more: &str, budget: &str| house(more, "message", &[("answer", ANSWER.replace("BUDGET", budget))]);
    let rows = simulate(&house_with("[budget]\nexcept = [\"equipe@example.com\"]", ""), &day);
    assert_eq!(sent(&rows), 20 + 29 + 1 + 1, "twenty; the team's and another person's; and one a day after the first");
    let skipped: Vec<&Value> = rows.iter().filter(|row| row["state"] == "skipped").collect();
    assert_eq!(skipped.len(), 5 + 1);
    for row in skipped {
        assert_eq!(detail(row), "this contact had 20 messages within 24h, and no more are sent");
    }
    let rows = simulate(&house_with("[budget]\nmessages = 1\nper = \"2m\"", ""), &day);
    assert_eq!(sent(&rows), 13 + 15 + 1 + 1, "every other minute");

    let rows = simulate(&house_with("[budget]\nmessages = \"unlimited\"", ", budget = { limit = 22, per = \"1d\" }"), &day);
    assert_eq!(sent(&rows), 22 + 22 + 1 + 1, "what the rule asks for, and nothing else");
    let why = rows.iter().filter(|row| row["state"] == "skipped").map(detail).next().unwrap();
    assert_eq!(why, "this contact had 22 messages of this action within 24h, and no more are sent");
}

#[test]
fn a_budget_that_is_none_is_refused_at_the_start() {
    let house = house("[budget]\nmessages = 0", "message", &[]);
    let output = house.zelo(&["simulate", "day.jsonl"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("zelo.toml") && said.contains("1 to 1000 messages"), "{said}");
}

#[test]
fn many_at_once_do_not_break_the_budget() {
    let answer = [("answer", ANSWER.replace("BUDGET", ""))];
    let house = house("[[automations]]\nrule = \"answer\"", "message", &answer);
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    std::thread::scope(|scope| {
        for line in messages(25) {
            let server = &server;
            scope.spawn(move || assert_eq!(server.deliver("clinicarx/message", &line["body"].to_string()).0, 202));
        }
    });
    let mut jobs = Vec::new();
    within("all jobs have ended", Duration::from_secs(30), || {
        jobs = server.list("/api/v1/jobs", &token);
        jobs.len() == 25 && jobs.iter().all(|job| ["done", "skipped", "dead"].contains(&job["state"].as_str().unwrap()))
    });
    let skipped: Vec<&Value> = jobs.iter().filter(|job| job["state"] == "skipped").collect();
    assert!(skipped.iter().all(|job| job["reason"]["code"] == "budget"), "{skipped:?}");
    assert_eq!((skipped.len(), server.list("/api/v1/messages", &token).len()), (5, 20));
}
