//! `zelo simulate`: what would happen on a day.

use serde_json::Value;

use crate::days::{self, Day};
use crate::house::House;

fn play(house: &House, day: &[Value]) -> Vec<Value> {
    std::fs::write(house.path("day.jsonl"), days::text(day)).unwrap();
    rows(&house.ok(&["simulate", "day.jsonl", "--format", "json"]))
}

fn rows(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn messages(rows: &[Value]) -> Vec<&Value> {
    rows.iter().filter(|row| row["effect"]["kind"] == "message").collect()
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap_or_default()
}

fn states<'a>(rows: &'a [Value], state: &str) -> Vec<&'a Value> {
    rows.iter().filter(|row| row["state"] == state).collect()
}

#[test]
fn the_shipped_day() {
    let house = House::new("");
    let rows = rows(&house.ok(&["simulate", days::SHIPPED, "--format", "json"]));
    let times: Vec<&str> = rows.iter().map(|row| text(row, "at")).collect();
    assert!(times.is_sorted(), "in time order");

    assert_eq!(states(&rows, "duplicate").len(), 1);

    let reminders: Vec<&Value> = rows.iter().filter(|row| row["rule"] == "appointment-reminder").collect();
    let first = reminders[0];
    assert_eq!((text(first, "state"), text(first, "due")), ("scheduled", "2026-03-03T17:45:00Z"));

    // Moved by the edit: the old one ends, the new one is due a day before the new time.
    let moved: Vec<&&Value> = reminders.iter().filter(|row| row["at"] == "2026-03-02T15:00:00Z").collect();
    assert!(moved.iter().any(|row| row["state"] == "cancelled" && row["job"] == first["job"]));
    assert!(moved.iter().any(|row| row["state"] == "scheduled" && row["due"] == "2026-03-05T13:00:00Z"));

    // Sent once, at 10:00 local on the day before, to the new number, with the local time in its text.
    let sent = messages(&rows);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(text(sent[0], "at"), "2026-03-05T13:00:00Z");
    assert_eq!(sent[0]["effect"]["to"], "(11) 91234-5678");
    assert_eq!(sent[0]["effect"]["channel"], "outbox");
    let words = text(&sent[0]["effect"], "text");
    assert!(words.contains("10:00") && !words.contains("13:00"), "{words}");
    assert!(words.contains("Marina") && !words.contains("Silva"), "only the first name was allowed: {words}");
    assert_eq!(sent[0]["effect"]["media"][0]["media_type"], "text/calendar");

    // The second patient's: never sent, and why.
    let second: Vec<&&Value> = reminders.iter().filter(|row| row["anchor"] == "2026-03-05T13:00:00Z").collect();
    assert_eq!(second.iter().map(|row| text(row, "state")).collect::<Vec<_>>(), ["scheduled", "cancelled"]);
    assert!(text(second[1], "detail").contains("cancel"), "{}", second[1]);
}

#[test]
fn the_text_for_people_says_the_same() {
    let house = House::new("");
    let told = house.ok(&["simulate", days::SHIPPED]);
    assert!(told.contains("to: (11) 91234-5678") && told.contains("duplicate"), "{told}");
}

#[test]
fn a_patient_without_a_phone_is_not_forgotten() {
    let day = Day::new("America/Sao_Paulo")
        .clinic("2026-05-04T12:00:00Z")
        .patient("2026-05-04T12:05:00Z", "Íris Modelo", None)
        .appointment("2026-05-04T12:10:00Z", "2026-05-04T12:10:00Z", "appointment/new", "2026-05-07 18:00:00");
    let house = House::new("");
    let rows_of_day = play(&house, &day.lines);
    assert!(messages(&rows_of_day).is_empty());
    let last = rows_of_day.last().unwrap();
    assert_eq!((text(last, "state"), text(last, "at")), ("skipped", "2026-05-06T20:00:00Z"), "when it expired");
    assert!(text(last, "detail").contains("patient"), "{last}");
    assert!(rows_of_day.iter().any(|row| text(row, "detail").starts_with("needs attention")));

    // The number comes in time, while the reminder waits.
    let late = day.patient("2026-05-06T18:30:00Z", "Íris Modelo", Some("+55 11 90000-0001"));
    let rows_of_day = play(&house, &late.lines);
    assert_eq!(messages(&rows_of_day).iter().map(|row| text(row, "at")).collect::<Vec<_>>(), ["2026-05-06T18:30:00Z"]);
}

#[test]
fn an_edit_that_arrives_before_the_creation_it_edits() {
    let day = Day::new("America/Manaus")
        .clinic("2026-05-04T12:00:00Z")
        .patient("2026-05-04T12:05:00Z", "Íris Modelo", Some("+55 92 90000-0001"))
        .appointment("2026-05-04T12:10:00Z", "2026-05-04T12:09:00Z", "appointment/edit", "2026-05-08 15:00:00")
        .appointment("2026-05-04T12:11:00Z", "2026-05-04T12:08:00Z", "appointment/new", "2026-05-07 15:00:00");
    let rows = play(&House::new(""), &day.lines);
    assert_eq!(states(&rows, "stale").len(), 1);
    let sent = messages(&rows);
    assert_eq!(sent.len(), 1);
    assert_eq!(text(sent[0], "at"), "2026-05-07T15:00:00Z");
    assert!(text(&sent[0]["effect"], "text").contains("11:00"), "local time in Manaus: {}", sent[0]);
}

#[test]
fn a_late_older_edit_does_not_undo_a_cancellation() {
    let day = Day::new("America/Sao_Paulo")
        .clinic("2026-05-04T12:00:00Z")
        .patient("2026-05-04T12:05:00Z", "Íris Modelo", Some("+55 11 90000-0001"))
        .appointment("2026-05-04T12:10:00Z", "2026-05-04T12:10:00Z", "appointment/new", "2026-05-07 15:00:00")
        .appointment("2026-05-04T13:00:00Z", "2026-05-04T13:00:00Z", "appointment/cancel", "2026-05-07 15:00:00")
        .appointment("2026-05-04T13:05:00Z", "2026-05-04T12:30:00Z", "appointment/edit", "2026-05-08 15:00:00");
    let rows = play(&House::new(""), &day.lines);
    assert!(messages(&rows).is_empty());
    assert_eq!(states(&rows, "stale").len(), 1);
}

#[test]
fn deliveries_of_one_instant_come_before_the_jobs_of_it() {
    // Told two seconds before they arrive, for an appointment on short notice: due at once, and cancelled in the same breath.
    let day = Day::new("America/Sao_Paulo")
        .clinic("2026-05-04T12:00:00Z")
        .patient("2026-05-04T12:05:00Z", "Íris Modelo", Some("+55 11 90000-0001"))
        .appointment("2026-05-04T12:10:02Z", "2026-05-04T12:10:00Z", "appointment/new", "2026-05-04 18:00:00")
        .appointment("2026-05-04T12:10:02Z", "2026-05-04T12:10:01Z", "appointment/cancel", "2026-05-04 18:00:00");
    let house = House::new("");
    assert!(messages(&play(&house, &day.lines)).is_empty());
    assert_eq!(messages(&play(&house, &day.lines[..3])).len(), 1, "without the cancellation it goes out");
}

#[test]
fn a_rule_that_stays_silent_says_why() {
    let mut day = Day::new("America/Sao_Paulo")
        .appointment("2026-05-04T12:10:00Z", "2026-05-04T12:10:00Z", "appointment/new", "2026-05-07 15:00:00")
        .appointment("2026-05-04T12:11:00Z", "2026-05-04T12:11:00Z", "appointment/edit", "not a time");
    day.lines[0]["body"]["data"]["event_status"] = "done".into();
    let rows = play(&House::new(""), &day.lines);
    assert!(text(&rows[0], "detail").contains("$.data.event_status"), "{}", rows[0]);
    let skipped = states(&rows, "skipped");
    assert!(text(skipped[0], "detail").contains("$.data.scheduled_start_at"), "{}", skipped[0]);
}

#[test]
fn every_rule_is_played_unless_a_configuration_is_named() {
    let house = House::new("");
    let second = std::fs::read_to_string(house.path("rules/automations/appointment-reminder.toml")).unwrap();
    std::fs::write(house.path("rules/automations/second.toml"), second.replacen("\"appointment-reminder\"", "\"second\"", 1)).unwrap();
    let config = std::fs::read_to_string(house.path("zelo.toml")).unwrap();
    std::fs::write(house.path("zelo.toml"), format!("{config}\n[[automations]]\nrule = \"second\"\n")).unwrap();
    let of = |arguments: &[&str]| {
        let rows = rows(&house.ok(arguments));
        rows.iter().filter_map(|row| row["rule"].as_str().map(str::to_owned)).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(of(&["simulate", days::SHIPPED, "--format", "json"]), 2);
    assert_eq!(of(&["simulate", days::SHIPPED, "--format", "json", "--config", "zelo.toml"]), 1);
}

#[test]
fn outside_the_hours_it_goes_when_they_open() {
    // 05:30 local in Noronha (UTC-2): a day before is closed; it opens at 08:00 local, 10:00 UTC.
    let day = Day::new("America/Noronha")
        .clinic("2026-05-04T12:00:00Z")
        .patient("2026-05-04T12:05:00Z", "Íris Modelo", Some("+55 81 90000-0001"))
        .appointment("2026-05-04T12:10:00Z", "2026-05-04T12:10:00Z", "appointment/new", "2026-05-07 07:30:00");
    let rows = play(&House::new(""), &day.lines);
    assert_eq!(messages(&rows).iter().map(|row| text(row, "at")).collect::<Vec<_>>(), ["2026-05-06T10:00:00Z"]);
}

#[test]
fn the_clinic_moves_to_another_zone_while_a_reminder_is_pending() {
    let mut day = Day::new("America/Sao_Paulo")
        .clinic("2026-05-04T12:00:00Z")
        .patient("2026-05-04T12:05:00Z", "Íris Modelo", Some("+55 11 90000-0001"))
        .appointment("2026-05-04T12:10:00Z", "2026-05-04T12:10:00Z", "appointment/new", "2026-05-07 10:30:00");
    day.zone = "America/Rio_Branco";
    let day = day.clinic("2026-05-05T12:00:00Z");
    let rows = play(&House::new(""), &day.lines);
    // A day before is 07:30 in São Paulo, which waits until 08:00 (11:00 UTC), and 05:30 in Rio Branco, which waits
    // until 08:00 there (13:00 UTC).
    let due: Vec<&str> =
        rows.iter().filter(|row| row["rule"] == "appointment-reminder" && row["effect"].is_null()).map(|row| text(row, "due")).collect();
    assert_eq!(due, ["2026-05-06T11:00:00Z", "2026-05-06T13:00:00Z"]);
    assert!(text(&messages(&rows)[0]["effect"], "text").contains("05:30"));
}

#[test]
fn a_day_that_is_no_day_says_which_line() {
    let house = House::new("");
    std::fs::write(house.path("bad.jsonl"), "{\"at\": \"2026-01-01T00:00:00Z\"}\n").unwrap();
    let output = house.zelo(&["simulate", "bad.jsonl"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 1"));
}
