//! What the Clinicarx source makes of its provider's documented samples.

use serde_json::{Value, json};
use zelo_rules::{Class, Delivery, Headers, Path, Read, Reading, Refusal};

use super::common::{changed, event, loaded, reading, sample, shipped};

/// Sample, path, type, entity type, subjects, whether it has a clinic, records.
type Trigger = (&'static str, &'static str, &'static str, &'static str, usize, bool, &'static [&'static str]);

const TRIGGERS: [Trigger; 14] = [
    ("new-appointment", "appointment/new", "appointment.created", "appointment", 1, true, &[]),
    ("edit-appointment", "appointment/edit", "appointment.updated", "appointment", 1, true, &[]),
    ("cancel-appointment", "appointment/cancel", "appointment.canceled", "appointment", 1, true, &[]),
    ("new-attendance", "attendance/new", "attendance.started", "attendance", 1, true, &[]),
    ("finished-attendance", "attendance/finished", "attendance.finished", "attendance", 1, true, &[]),
    ("cancelled-attendance", "attendance/cancelled", "attendance.canceled", "attendance", 1, true, &[]),
    ("new-patient", "patient/new", "patient.created", "patient", 1, false, &["patient"]),
    ("edit-patient", "patient/edit", "patient.updated", "patient", 1, false, &["patient"]),
    ("new-clinic", "clinic/new", "clinic.created", "clinic", 0, true, &["clinic"]),
    ("edit-clinic", "clinic/edit", "clinic.updated", "clinic", 0, true, &["clinic"]),
    ("new-user", "user/new", "user.created", "user", 1, false, &["user"]),
    ("edit-user", "user/edit", "user.updated", "user", 1, false, &["user"]),
    ("new-service", "service/new", "service.created", "service", 0, false, &["service"]),
    ("edit-service", "service/edit", "service.updated", "service", 0, false, &["service"]),
];

fn read(name: &str, path: &str) -> Reading {
    reading(&loaded(&shipped()), path, sample(name).as_bytes())
}

#[test]
fn every_documented_trigger_is_read() {
    for (name, path, kind, entity, subjects, clinic, records) in TRIGGERS {
        for path in [path.to_owned(), format!("/{path}/")] {
            let reading = read(name, &path);
            assert_eq!(reading.kind, kind, "{name}");
            assert_eq!(reading.time.unwrap().to_string(), "2023-07-13T15:55:33Z", "{name}: UTC though it does not say so");
            assert_eq!(reading.entity.unwrap().kind, entity, "{name}");
            assert_eq!(reading.subjects.len(), subjects, "{name}");
            assert_eq!(reading.clinic.is_some(), clinic, "{name}");
            assert_eq!(reading.delivery_id, None, "{name}: nothing in it identifies the delivery");
            assert_eq!(reading.records.iter().map(|record| record.kind.as_str()).collect::<Vec<_>>(), records, "{name}");
            assert_eq!(*reading.data, serde_json::from_str::<Value>(&sample(name)).unwrap(), "{name}: as it came");
        }
    }
}

#[test]
fn records_keep_what_the_payload_mentions() {
    let patient = read("new-patient", "patient/new").records.remove(0);
    assert_eq!(patient.id, "fbf08025-ba70-4beb-9869-f7d0a13a6446");
    assert_eq!(patient.subject.as_deref(), Some("fbf08025-ba70-4beb-9869-f7d0a13a6446"), "the patient is the person it is about");
    assert_eq!(patient.clinic, None);
    assert_eq!(patient.fields["phones"], json!(["(00) 00000-0000", "(00) 00000-0000"]));
    assert_eq!(patient.fields.keys().collect::<Vec<_>>(), ["birthday", "document", "email", "name", "phones"]);

    let clinic = read("edit-clinic", "clinic/edit").records.remove(0);
    assert_eq!(clinic.clinic.as_deref(), Some("498124ed-53d5-46eb-89c9-2b1e6a6191a5"));
    assert_eq!(clinic.subject, None);
    assert_eq!(clinic.fields["timezone"], "America/Sao_Paulo");
    assert!(!clinic.fields.contains_key("name"), "a clinic's edit does not mention its name, so the old one stays");

    let service = read("new-service", "service/new").records.remove(0);
    assert_eq!((service.id.as_str(), &service.fields["price"]), ("845", &json!(6.51)), "attendances name services by code");
}

#[test]
fn emptied_is_not_the_same_as_not_mentioned() {
    let set = loaded(&shipped());
    let fields = |data: &Value| reading(&set, "patient/edit", data.to_string().as_bytes()).records.remove(0).fields;
    let emptied = fields(&changed("edit-patient", &[("/data/phones", json!([])), ("/data/email", json!(null))]));
    assert_eq!((&emptied["phones"], &emptied["email"]), (&json!([]), &json!(null)));
    let mut unmentioned = changed("edit-patient", &[]);
    unmentioned["data"].as_object_mut().unwrap().remove("phones");
    assert!(!fields(&unmentioned).contains_key("phones"));
}

#[test]
fn ids_are_texts_whatever_they_are_in_the_payload() {
    let set = loaded(&shipped());
    let event = event(&set, "appointment/new", &changed("new-appointment", &[("/data/id", json!(201)), ("/data/patient/id", json!(17.5))]));
    assert_eq!(event.entity.unwrap().id, "201");
    assert!(event.subjects.is_empty(), "a fraction names nobody");
}

#[test]
fn a_time_that_cannot_be_read_is_no_time() {
    let set = loaded(&shipped());
    for time in [json!(null), json!("yesterday"), json!("2023-07-13"), json!(1689263733)] {
        let data = changed("new-appointment", &[("/timestamp", time)]);
        assert_eq!(reading(&set, "appointment/new", data.to_string().as_bytes()).time, None);
    }
    let data = changed("new-appointment", &[("/timestamp", json!("2023-07-13T12:55:33-03:00"))]);
    assert_eq!(reading(&set, "appointment/new", data.to_string().as_bytes()).time.unwrap().to_string(), "2023-07-13T15:55:33Z");
}

#[test]
fn what_no_file_names_is_ignored_and_what_cannot_be_read_is_refused() {
    let set = loaded(&shipped());
    let source = set.source("clinicarx").unwrap();
    let read = |path: &str, content_type: &str, body: &[u8]| {
        let headers: Headers<'_> = [("Content-Type", content_type.as_bytes())].into_iter().collect();
        source.read(&Delivery { path, url: "", headers: &headers, body })
    };
    assert!(matches!(read("appointment/archived", "application/json", b"{}"), Ok(Read::Ignored { .. })));
    assert!(matches!(read("", "application/json", b"{}"), Ok(Read::Ignored { .. })));
    assert!(matches!(read("user/new", "application/json; charset=utf-8", b"{}"), Ok(Read::Event(_))));
    assert!(matches!(read("user/new", "application/vnd.api+json", b"{}"), Ok(Read::Event(_))));
    assert!(matches!(read("user/new", "application/x-www-form-urlencoded", b"a=b"), Err(Refusal::Unsupported { .. })));
    assert!(!matches!(read("user/new", "application/x-www-form-urlencoded", b" {}"), Err(Refusal::Unsupported { .. })), "curl -d says so");
    let secret = br#"{"data": {"name": "Marina"}, "data": 1}"#;
    let Err(Refusal::Malformed { why }) = read("user/new", "application/json", secret) else { panic!("it was read") };
    assert!(why.contains("one key twice") && !why.contains("Marina"), "{why}");
    assert!(matches!(read("user/new", "application/json", b"{\"a\": \"\xff\"}"), Err(Refusal::Malformed { .. })));
    let deep = format!("{}1{}", "[".repeat(70), "]".repeat(70));
    assert!(matches!(read("user/new", "application/json", deep.as_bytes()), Err(Refusal::Malformed { .. })));
}

#[test]
fn nothing_prints_a_payload() {
    let reading = read("new-patient", "patient/new");
    let printed = format!("{reading:?} {:?}", reading.records);
    assert!(!printed.contains("GUILHERME") && !printed.contains("fbf08025"), "{printed}");
}

#[test]
fn fields_are_classified() {
    let set = loaded(&shipped());
    let source = set.source("clinicarx").unwrap();
    let class = |path: &str| source.class(&Path::parse(path).unwrap());
    assert_eq!(class("$.data.clinic.name"), Class::Public);
    assert_eq!(class("$.data.patient.name"), Class::Personal);
    for path in ["$.data.patient", "$.data.religion", "$.data.services[*].name", "$.modified_data", "$.data.annotations", "$"] {
        assert_eq!(class(path), Class::Sensitive, "{path}");
    }
    let record = |kind: &str, path: &str| source.record_class(kind, &Path::parse(path).unwrap());
    assert_eq!(record("patient", "$.phones[0]"), Class::Personal);
    assert_eq!(record("clinic", "$.timezone"), Class::Public);
    assert_eq!(record("patient", "$.religion"), Class::Sensitive);
    assert_eq!(record("clinic", "$"), Class::Personal, "all of it: the most delicate field decides");
}
