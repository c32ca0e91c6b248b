//! `kill -9` at any moment of a run under load: what was acknowledged is there, what was due is done, nothing twice.
//!
//! `tests/crash N` runs it N times over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::house::{House, Server, within};
use crate::serve::AT_ANY_HOUR;

fn now() -> Timestamp {
    Timestamp::from_millisecond(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64).unwrap()
}

/// Appointments in three hours, whose reminders are due at once.
fn appointment(number: u64) -> String {
    let local = |instant: Timestamp| instant.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string();
    json!({
        "data": {
            "id": format!("apt-{number}"), "event_status": "scheduled", "title": null,
            "scheduled_start_at": local(now() + SignedDuration::from_hours(3)),
            "patient": { "id": format!("patient-{}", number % 5), "name": "Íris Modelo" },
            "clinic": { "id": "77", "name": "Clínica Aurora" },
        },
        "api_version": "1.1.9", "timestamp": local(now()),
    })
    .to_string()
}

/// An attendance that is over: a receipt is made, then sent.
fn attendance(number: u64) -> String {
    let now = now().to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string();
    json!({
        "data": {
            "id": format!("att-{number}"), "closed_time": now,
            "patient": { "id": format!("patient-{}", number % 5), "name": "Íris Modelo", "document": "52998224725" },
            "clinic": { "id": "77", "name": "Clínica Aurora", "cnpj": "11222333000181" },
            "services": [{ "service_code": "7", "service_name": "Consulta" }],
        },
        "api_version": "1.1.9", "timestamp": now,
    })
    .to_string()
}

/// Delivers until the server is gone; what it acknowledged.
pub(crate) fn load(server: &Server, numbers: &AtomicU64, acknowledged: &Mutex<BTreeSet<String>>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let (status, answer) = match number % 2 {
            0 => server.deliver("clinicarx/appointment/new", &appointment(number)),
            _ => server.deliver("clinicarx/attendance/finished", &attendance(number)),
        };
        match status {
            202 => {
                let id = answer["event_id"].as_str().unwrap().to_owned();
                assert!(acknowledged.lock().unwrap().insert(id));
            }
            0 | 503 => std::thread::sleep(Duration::from_millis(5)),
            other => panic!("{other}: {answer}"),
        }
    }
}

#[test]
fn nothing_is_lost_and_nothing_is_done_twice() {
    let rounds: u64 = std::env::var("ZELO_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
    let house = House::new(&format!("{AT_ANY_HOUR}[[automations]]\nrule = \"attendance-receipt\"\n"));
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let numbers = Arc::new(AtomicU64::new(0));
    for round in 0..rounds {
        let server = Arc::new(house.serve());
        if round == 0 {
            prepare(&server);
        }
        let stop = Arc::new(AtomicBool::new(false));
        let loads: Vec<_> = (0..4)
            .map(|_| {
                let (server, numbers, acknowledged, stop) = (server.clone(), numbers.clone(), acknowledged.clone(), stop.clone());
                std::thread::spawn(move || load(&server, &numbers, &acknowledged, &stop))
            })
            .collect();
        // Another moment in every round.
        std::thread::sleep(Duration::from_millis(40 + round * 7919 % 600));
        server.kill_now();
        stop.store(true, Ordering::Relaxed);
        loads.into_iter().for_each(|load| load.join().unwrap());
    }

    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let pending = |state: &str| !server.get(&format!("/api/v1/jobs?state={state}"), &token)["items"].as_array().unwrap().is_empty();
    within("every due job ends", Duration::from_secs(120), || !["ready", "running", "scheduled"].into_iter().any(pending));

    let events: BTreeSet<String> =
        server.list("/api/v1/events", &token).iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    let acknowledged = acknowledged.lock().unwrap();
    let lost: Vec<&String> = acknowledged.difference(&events).collect();
    assert!(lost.is_empty(), "acknowledged, but not stored: {lost:?}");
    assert!(acknowledged.len() as u64 > rounds, "the load came through: {}", acknowledged.len());

    let jobs = server.list("/api/v1/jobs", &token);
    let of_type = |kind: &str| server.list("/api/v1/events", &token).iter().filter(|event| event["type"] == kind).count();
    let (appointments, attendances) = (of_type("appointment.created"), of_type("attendance.finished"));
    assert_eq!(jobs.len(), appointments + 2 * attendances, "one job for each action");
    let undone: Vec<_> = jobs.iter().filter(|job| job["state"] != "done").collect();
    assert!(undone.is_empty(), "{} are not done, such as {}", undone.len(), undone[0]);
    let mut messages = BTreeMap::<String, u32>::new();
    for message in server.list("/api/v1/messages", &token) {
        *messages.entry(message["job"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(messages.len(), appointments + attendances, "a message for each");
    assert!(messages.values().all(|count| *count == 1), "none twice");

    // Every number was given, and given once; every receipt says so in an event.
    let mut names: Vec<String> =
        server.list("/api/v1/documents", &token).iter().map(|document| document["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, (1..=attendances).map(|number| format!("recibo-{number:06}.pdf")).collect::<Vec<_>>());
    assert_eq!(of_type("receipt.issued"), attendances);
    println!("{rounds} kills: {} acknowledged, {} stored, {} messages", acknowledged.len(), events.len(), messages.len());
}

/// The clinic and the patients, before the first kill.
pub(crate) fn prepare(server: &Server) {
    let body = |data: serde_json::Value| json!({ "data": data, "timestamp": "2026-01-01 12:00:00" }).to_string();
    let clinic = body(json!({ "id": "77", "name": "Clínica Aurora", "timezone": "America/Sao_Paulo" }));
    assert_eq!(server.deliver("clinicarx/clinic/new", &clinic).0, 202);
    let service = body(json!({ "id": "s7", "code": "7", "name": "Consulta", "price": 150.5 }));
    assert_eq!(server.deliver("clinicarx/service/new", &service).0, 202);
    for number in 0..5 {
        let phones = json!([{ "phone": format!("+55 11 90000-000{number}") }]);
        let patient = body(json!({ "id": format!("patient-{number}"), "name": "Íris Modelo", "phones": phones }));
        assert_eq!(server.deliver("clinicarx/patient/new", &patient).0, 202);
    }
}
