//! `zelo simulate`: what would happen on a day.

use serde_json::{Value, json};

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

fn of_rule<'a>(rows: Vec<&'a Value>, rule: &str) -> Vec<&'a Value> {
    rows.into_iter().filter(|row| row["rule"] == rule).collect()
}

fn effects<'a>(rows: &'a [Value], kind: &str) -> Vec<&'a Value> {
    rows.iter().filter(|row| row["effect"]["kind"] == kind).map(|row| &row["effect"]).collect()
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
    let sent = of_rule(messages(&rows), "appointment-reminder");
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(text(sent[0], "at"), "2026-03-05T13:00:00Z");
    assert_eq!(sent[0]["effect"]["to"], "(11) 91234-5678");
    assert_eq!(sent[0]["effect"]["channel"], "outbox");
    let words = text(&sent[0]["effect"], "text");
    assert!(words.contains("10:00") && !words.contains("13:00"), "{words}");
    assert!(words.contains("Marina") && !words.contains("Silva"), "only the first name was allowed: {words}");
    assert_eq!(sent[0]["effect"]["attachments"][0]["media_type"], "text/calendar");

    // The second patient's: never sent, and why.
    let second: Vec<&&Value> = reminders.iter().filter(|row| row["anchor"] == "2026-03-05T13:00:00Z").collect();
    assert_eq!(second.iter().map(|row| text(row, "state")).collect::<Vec<_>>(), ["scheduled", "cancelled"]);
    assert!(text(second[1], "detail").contains("cancel"), "{}", second[1]);
}

#[test]
fn the_receipt_of_the_shipped_day() {
    let house = House::new("");
    let rows = rows(&house.ok(&["simulate", days::SHIPPED, "--format", "json"]));
    let documents = effects(&rows, "document");
    assert_eq!(documents.len(), 1, "one receipt, in spite of duplicates");
    let receipt = documents[0];
    assert_eq!((text(receipt, "name"), text(receipt, "media_type")), ("recibo-000001.pdf", "application/pdf"));
    let words = text(receipt, "text");
    for line in [
        "Marina Teste da Silva",
        "529.982.247-25",
        "Clínica Boa Vida Centro",
        "11.222.333/0001-81",
        "Rua Álvaro Moreira Filogônio",
        "1004",
        "Vacina Hexavalente",
        "189,90",
        "123",
        "Teste Rápido Influenza A/B",
        "65,50",
        "R$ 255,40",
        "06/03/2026",
        "duzentos e cinquenta e cinco reais e quarenta centavos",
    ] {
        assert!(words.contains(line), "{line}: {words}");
    }
    // Then it is sent: the document with it, to the number that is right by then.
    let sent = of_rule(messages(&rows), "attendance-receipt");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["effect"]["to"], "(11) 91234-5678");
    assert_eq!(sent[0]["effect"]["attachments"][0]["document"], receipt["id"]);
    assert!(text(&sent[0]["effect"], "text").contains("R$ 255,40"));
    // The number was given once, and the event that says so leads to nothing by itself.
    assert_eq!(effects(&rows, "counter").iter().map(|counter| &counter["value"]).collect::<Vec<_>>(), [1]);
    let issued: Vec<&Value> = rows.iter().filter(|row| row["type"] == "receipt.issued").collect();
    assert_eq!(issued.iter().map(|row| text(row, "state")).collect::<Vec<_>>(), ["accepted"]);
}

#[test]
fn the_contacts_of_the_shipped_day() {
    let house = House::new("");
    let rows = rows(&house.ok(&["simulate", days::SHIPPED, "--format", "json"]));
    let stages = |id: &str| -> Vec<String> {
        let moves = effects(&rows, "record").into_iter().filter(|edit| edit["record"] == "contact" && edit["id"] == id);
        moves.filter_map(|edit| edit["set"]["stage"].as_str().map(str::to_owned)).collect()
    };
    let marina = stages("9f1c2d3e-1111-4b1b-9a11-000000000101");
    assert_eq!(marina, ["registered", "scheduled", "scheduled", "attending", "attended"], "each stage in its turn");
    assert_eq!(stages("9f1c2d3e-1111-4b1b-9a11-000000000102"), ["registered", "scheduled", "canceled"]);
    // The professional hears of the cancellation, once.
    let notices = of_rule(messages(&rows), "cancellation-notice");
    assert_eq!(notices.len(), 1);
    assert!(text(&notices[0]["effect"], "text").contains("João") && !text(&notices[0]["effect"], "text").contains("Exemplo"));
}

#[test]
fn a_lead_is_greeted_once_however_it_is_told() {
    let house = House::new("");
    let lead = |at: &str, body: Value| json!({ "at": at, "source": "plotado", "path": "lead/new", "body": body });
    let as_json = std::fs::read_to_string(house.path("examples/events/plotado/lead.json")).unwrap();
    let as_xml = std::fs::read_to_string(house.path("examples/events/plotado/lead.xml")).unwrap();
    let object: Value = serde_json::from_str(&as_json).unwrap();
    let day = [
        lead("2026-03-02T13:00:00Z", object.clone()),
        lead("2026-03-02T13:00:05Z", object),
        lead("2026-03-02T13:20:00Z", Value::String(as_xml.clone())),
    ];
    let rows = play(&house, &day);
    assert_eq!(
        rows.iter().filter(|row| row["type"] == "lead.created").map(|row| text(row, "state")).collect::<Vec<_>>(),
        ["accepted", "duplicate", "accepted"]
    );
    let greeted: Vec<&Value> =
        messages(&rows).into_iter().filter(|row| row["rule"] == "lead-welcome" && row["action"] == "greet").collect();
    assert_eq!(greeted.len(), 1, "{greeted:?}");
    assert_eq!(greeted[0]["effect"]["to"], "+5501999999999");
    assert!(text(&greeted[0]["effect"], "text").contains("Carlos"));
    let alerts: Vec<&Value> = messages(&rows).into_iter().filter(|row| row["rule"] == "lead-welcome" && row["action"] == "alert").collect();
    assert_eq!(alerts.len(), 1);
    // Nothing came of it within two hours, so somebody asks.
    let follow_up = of_rule(messages(&rows), "lead-follow-up");
    assert_eq!(follow_up.iter().map(|row| text(row, "at")).collect::<Vec<_>>(), ["2026-03-02T15:20:00Z"], "two hours after the last word");

    // Unless they booked.
    let booked = json!({ "at": "2026-03-02T14:00:00Z", "source": "plotado", "path": "appointment/booked", "body": serde_json::from_str::<Value>(&as_json).unwrap() });
    let rows = play(&house, &[lead("2026-03-02T13:20:00Z", Value::String(as_xml)), booked]);
    assert!(of_rule(messages(&rows), "lead-follow-up").is_empty());
    assert!(rows.iter().any(|row| row["rule"] == "lead-follow-up" && row["state"] == "cancelled"));
}

#[test]
fn a_price_that_is_missing_waits_for_a_person() {
    let house = House::new("");
    let day = Day::new("America/Sao_Paulo").clinic("2026-05-04T12:00:00Z").patient(
        "2026-05-04T12:05:00Z",
        "Íris Modelo",
        Some("+55 11 90000-0001"),
    );
    let service = |at: &str, code: &str, price: Value| {
        let data = json!({ "id": format!("service-{code}"), "code": code, "name": "Serviço", "price": price });
        json!({ "at": at, "source": "clinicarx", "path": "service/new", "body": { "data": data, "timestamp": at.replace('T', " ").replace('Z', "") } })
    };
    let day = day.attendance("2026-05-04T14:00:00Z", &[("1", "Consulta"), ("2", "Exame"), ("3", "Curativo")]);
    let mut lines = day.lines;
    let place = lines.len() - 1;
    lines.insert(place, service("2026-05-04T13:00:00Z", "1", json!(1234.5)));
    lines.insert(place + 1, service("2026-05-04T13:00:01Z", "2", json!("0.10")));
    let rows_of_day = play(&house, &lines);
    assert!(effects(&rows_of_day, "document").is_empty(), "never summed as zero");
    let waiting = rows_of_day.iter().find(|row| row["action"] == "issue" && text(row, "detail").starts_with("needs attention")).unwrap();
    assert!(text(waiting, "detail").contains("3 Curativo") && !text(waiting, "detail").contains("Consulta"), "{waiting}");
    assert!(effects(&rows_of_day, "counter").is_empty(), "and no number is used");

    // The price comes: the receipt is made, to the cent.
    lines.push(service("2026-05-05T09:00:00Z", "3", json!(0.2)));
    let rows_of_day = play(&house, &lines);
    let receipt = effects(&rows_of_day, "document")[0];
    let words = text(receipt, "text");
    assert!(words.contains("R$ 1.234,80") && words.contains("mil duzentos e trinta e quatro reais e oitenta centavos"), "{words}");
    assert_eq!(of_rule(messages(&rows_of_day), "attendance-receipt").len(), 1);
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
    assert!(of_rule(messages(&rows), "appointment-reminder").is_empty());
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
    let reminders = |lines: &[Value]| of_rule(messages(&play(&house, lines)), "appointment-reminder").len();
    assert_eq!(reminders(&day.lines), 0);
    assert_eq!(reminders(&day.lines[..3]), 1, "without the cancellation it goes out");
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
    assert_eq!(of(&["simulate", days::SHIPPED, "--format", "json"]), 7);
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

#[test]
fn nothing_waits_for_ever() {
    let house = House::new("");
    let file = house.path("rules/automations/attendance-receipt.toml");
    let rule = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, rule.replace("expires = \"30d\"\n", "")).unwrap();
    let day = Day::new("America/Sao_Paulo").attendance("2026-05-04T14:00:00Z", &[("3", "Curativo")]);
    let rows = play(&house, &day.lines);
    let last: Vec<(&str, &str, &str)> =
        rows.iter().rev().take(2).map(|row| (text(row, "action"), text(row, "state"), text(row, "at"))).collect();
    assert_eq!(last, [("send", "cancelled", "2026-05-11T14:00:00Z"), ("issue", "skipped", "2026-05-11T14:00:00Z")], "after a week");
}
