//! `zelo simulate` over a rule set of its own: what is collected, throttled and counted.

use std::fs;

use serde_json::{Value, json};

use crate::house::House;

const SOURCE: &str = r#"
id       = "chat"
title    = "Chat"
timezone = "UTC"
clinic_timezone = "America/Sao_Paulo"

[receive]
verify = { kind = "token", header = "x-zelo-token" }

[[events]]
match    = { path = "message" }
type     = "message.received"
time     = "$.sent_at"
subjects = [{ id = "$.contact" }]

[[events]]
match    = { path = "reminder" }
type     = "reminder.asked"
subjects = [{ id = "$.contact" }]

[[events]]
match    = { path = "payment" }
type     = "payment.failed"
subjects = [{ id = "$.contact" }]

[classes]
personal = ["$.contact", "$.text"]
"#;

const ANSWER: &str = r#"
id    = "answer"
title = "Answer"
on    = "message.received"

[[then]]
name     = "answer"
plugin   = "message"
debounce = { wait = "30s", max = "5m", by = "$.contact" }
basis    = "lgpd:7.V"

[then.allow]
to    = "$.contact"
texts = { path = "$.text", collected = true }

[then.with]
to   = "{{ to }}"
text = "{{ texts | join(' / ') }}"

[then.grant]
messages = { channels = ["outbox"], to = ["{{ to }}"] }
"#;

const REMIND: &str = r#"
id    = "remind"
title = "Remind"
on    = "reminder.asked"

[settings.limit]
type    = "integer"
default = 3

[[then]]
name     = "remind"
plugin   = "message"
throttle = { limit = "{{ settings.limit }}", per = "1h", by = "$.contact" }
basis    = "lgpd:7.V"

[then.allow]
to = "$.contact"

[then.with]
to   = "{{ to }}"
text = "A reminder"

[then.grant]
messages = { channels = ["outbox"], to = ["{{ to }}"] }
"#;

const ALERT: &str = r#"
id    = "alert"
title = "Alert"
on    = "payment.failed"

[[then]]
name   = "alert"
plugin = "message"
count  = { at_least = 3, within = "1h", by = "$.contact" }

[then.with]
to   = "+55 11 90000-0000"
text = "Three payments failed"

[then.grant]
messages = { channels = ["outbox"], to = ["+55 11 90000-0000"] }
"#;

/// A house with these rules and no others.
fn house() -> House {
    let house = House::new("");
    for folder in ["rules/automations", "rules/sources"] {
        fs::remove_dir_all(house.path(folder)).unwrap();
        fs::create_dir(house.path(folder)).unwrap();
    }
    fs::write(house.path("rules/sources/chat.toml"), SOURCE).unwrap();
    for (name, text) in [("answer", ANSWER), ("remind", REMIND), ("alert", ALERT)] {
        fs::write(house.path(&format!("rules/automations/{name}.toml")), text).unwrap();
    }
    house
}

fn arrives(at: &str, path: &str, body: Value) -> Value {
    json!({ "at": at, "source": "chat", "path": path, "body": body })
}

fn play(day: &[Value]) -> Vec<Value> {
    let house = house();
    let lines: Vec<String> = day.iter().map(Value::to_string).collect();
    fs::write(house.path("day.jsonl"), lines.join("\n")).unwrap();
    let output = house.ok(&["simulate", "day.jsonl", "--format", "json"]);
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// When messages were sent, to whom, and what they say.
fn messages(rows: &[Value]) -> Vec<[&str; 3]> {
    let sent = rows.iter().filter(|row| row["effect"]["kind"] == "message");
    sent.map(|row| [&row["at"], &row["effect"]["to"], &row["effect"]["text"]].map(|text| text.as_str().unwrap())).collect()
}

#[test]
fn a_burst_of_messages_is_answered_once() {
    let message = |at: &str, sent: &str, contact: &str, text: &str| {
        arrives(at, "message", json!({ "contact": contact, "text": text, "sent_at": sent }))
    };
    let rows = play(&[
        message("2026-03-02T13:00:00Z", "2026-03-02T13:00:00Z", "ana", "Oi"),
        message("2026-03-02T13:00:20Z", "2026-03-02T13:00:20Z", "ana", "sou a Ana"),
        message("2026-03-02T13:00:21Z", "2026-03-02T13:00:05Z", "ana", "tudo bem?"),
        message("2026-03-02T13:00:21Z", "2026-03-02T13:00:21Z", "bia", "Olá"),
        message("2026-03-02T13:00:22Z", "2026-03-02T13:00:20Z", "ana", "sou a Ana"),
        message("2026-03-02T13:02:00Z", "2026-03-02T13:02:00Z", "ana", "obrigada"),
    ]);
    assert_eq!(
        messages(&rows),
        [
            ["2026-03-02T13:00:50Z", "ana", "Oi / tudo bem? / sou a Ana"],
            ["2026-03-02T13:00:51Z", "bia", "Olá"],
            ["2026-03-02T13:02:30Z", "ana", "obrigada"]
        ]
    );
    let grown: Vec<&str> = rows.iter().filter(|row| row["state"] == "scheduled").map(|row| row["detail"].as_str().unwrap()).collect();
    assert_eq!(grown[1], "collected 2, due 2026-03-02T13:00:50Z");
    assert_eq!(grown[2], "collected 3, due 2026-03-02T13:00:50Z", "what gets through late is collected too");
}

#[test]
fn messages_that_do_not_end_are_answered_in_time() {
    let day: Vec<Value> = (0..20)
        .map(|number| {
            let at = format!("2026-03-02T13:{:02}:{:02}Z", number * 20 / 60, number * 20 % 60);
            arrives(&at, "message", json!({ "contact": "ana", "text": number.to_string(), "sent_at": at }))
        })
        .collect();
    let rows = play(&day);
    let sent = messages(&rows);
    assert_eq!(sent.iter().map(|[at, ..]| *at).collect::<Vec<_>>(), ["2026-03-02T13:05:00Z", "2026-03-02T13:06:50Z"]);
    // The one that arrives in the instant in which the first would be answered comes before that.
    let all: Vec<&str> = sent.iter().flat_map(|[.., text]| text.split(" / ")).collect();
    assert_eq!(all, (0..20).map(|number| number.to_string()).collect::<Vec<_>>(), "each once, in order");
    assert!(sent[0][2].ends_with(" / 15"), "{}", sent[0][2]);
}

#[test]
fn the_fourth_reminder_is_throttled() {
    let ask = |at: &str, contact: &str| arrives(at, "reminder", json!({ "contact": contact, "number": at }));
    let rows = play(&[
        ask("2026-03-02T13:00:00Z", "ana"),
        ask("2026-03-02T13:10:00Z", "ana"),
        ask("2026-03-02T13:20:00Z", "ana"),
        ask("2026-03-02T13:59:59Z", "ana"),
        ask("2026-03-02T13:59:59Z", "bia"),
        ask("2026-03-02T14:00:00Z", "ana"),
    ]);
    assert_eq!(messages(&rows).iter().filter(|[_, to, _]| *to == "ana").count(), 4);
    assert_eq!(messages(&rows).len(), 5);
    let skipped: Vec<&Value> = rows.iter().filter(|row| row["state"] == "skipped").collect();
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0]["detail"], "already fired 3 times within 1h for this `by`");
    assert_eq!(skipped[0]["at"], "2026-03-02T13:59:59Z");
}

#[test]
fn the_third_failed_payment_within_an_hour_fires_once() {
    let fail = |at: &str, contact: &str| arrives(at, "payment", json!({ "contact": contact, "number": at }));
    let rows = play(&[
        fail("2026-03-02T12:00:00Z", "ana"),
        fail("2026-03-02T13:00:00Z", "ana"),
        fail("2026-03-02T13:20:00Z", "bia"),
        fail("2026-03-02T13:30:00Z", "ana"),
        fail("2026-03-02T13:30:00Z", "ana"),
        fail("2026-03-02T13:59:00Z", "ana"),
        fail("2026-03-02T13:59:30Z", "ana"),
    ]);
    let sent = messages(&rows);
    assert_eq!(sent, [["2026-03-02T13:59:00Z", "+55 11 90000-0000", "Three payments failed"]]);
    let counted: Vec<(&str, &str)> = rows
        .iter()
        .filter(|row| row["state"] == "counted")
        .map(|row| (row["rule"].as_str().unwrap(), row["detail"].as_str().unwrap()))
        .collect();
    let of = ["1", "1", "1", "2", "1"].map(|count| format!("counted {count} of 3 within 1h"));
    assert_eq!(counted, of.iter().map(|detail| ("alert", detail.as_str())).collect::<Vec<_>>());
    let first = rows[0]["detail"].as_str().unwrap();
    assert_eq!(first, "payment: counted, no rule fires yet");
}

#[test]
fn an_event_that_cannot_be_told_apart_says_so() {
    let rows = play(&[
        arrives("2026-03-02T13:00:00Z", "message", json!({ "text": "Oi" })),
        arrives("2026-03-02T13:00:00Z", "reminder", json!({})),
        arrives("2026-03-02T13:00:00Z", "payment", json!({ "contact": null })),
    ]);
    let said: Vec<&str> = rows.iter().map(|row| row["detail"].as_str().unwrap()).collect();
    assert_eq!(
        said,
        [
            "message: no rule fires; not answer: its `debounce.by` $.contact is missing",
            "reminder: no rule fires; not remind: its `throttle.by` $.contact is missing",
            "payment: no rule fires; not alert: its `count.by` $.contact is missing"
        ]
    );
}
