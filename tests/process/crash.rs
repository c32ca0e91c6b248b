//! `kill -9` at any moment of a run under load: what was acknowledged is there, what was due is done, nothing twice.
//!
//! `tests/crash N` kills it N times over; the moments are drawn from a seed, which is printed, and taken from `ZELO_SEED`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::house::{House, Server, within};

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

/// What the tests under load run with: everything fires at once, for the same few people.
pub(crate) const LOADED: &str = "[[automations]]\nrule = \"appointment-reminder\"\nsettings = { from = \"00:00\", to = \"00:00\" }\n\
    [[automations]]\nrule = \"attendance-receipt\"\n[budget]\nmessages = \"unlimited\"\n";

/// Senders that send everything until it is acknowledged, as providers do.
#[derive(Default)]
pub(crate) struct Load {
    numbers: AtomicU64,
    /// By number: the event that the server said it is.
    acknowledged: Mutex<BTreeMap<u64, String>>,
    /// Sent, but not acknowledged: perhaps stored, perhaps not.
    unanswered: Mutex<Vec<(u64, String)>>,
    stop: AtomicBool,
}

impl Load {
    /// Delivers from four sides at once until it is stopped.
    pub(crate) fn start(self: &Arc<Self>, server: &Arc<Server>) -> Vec<JoinHandle<()>> {
        self.stop.store(false, Ordering::Relaxed);
        let work = |_| {
            let (load, server) = (self.clone(), server.clone());
            std::thread::spawn(move || {
                while !load.stop.load(Ordering::Relaxed) {
                    load.one(&server);
                }
            })
        };
        (0..4).map(work).collect()
    }

    pub(crate) fn stop(&self, threads: Vec<JoinHandle<()>>) {
        self.stop.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }

    fn one(&self, server: &Server) {
        let again = self.unanswered.lock().unwrap().pop();
        let (number, body) = again.unwrap_or_else(|| {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            (number, if number.is_multiple_of(2) { appointment(number) } else { attendance(number) })
        });
        let path = if number.is_multiple_of(2) { "clinicarx/appointment/new" } else { "clinicarx/attendance/finished" };
        let (status, answer) = server.deliver(path, &body);
        match status {
            202 => {
                let id = answer["event_id"].as_str().unwrap().to_owned();
                assert!(self.acknowledged.lock().unwrap().insert(number, id).is_none(), "it was not to be sent again");
            }
            0 | 503 => {
                self.unanswered.lock().unwrap().push((number, body));
                std::thread::sleep(Duration::from_millis(5));
            }
            other => panic!("{other}: {answer}"),
        }
    }

    /// The events that were acknowledged.
    pub(crate) fn acknowledged(&self) -> BTreeSet<String> {
        self.acknowledged.lock().unwrap().values().cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    /// Has everything acknowledged that was ever sent, lets every job end, and looks whether each thing happened once.
    pub(crate) fn account_for(&self, house: &House, server: &Server) {
        within("everything is acknowledged", Duration::from_secs(120), || {
            let left = !self.unanswered.lock().unwrap().is_empty();
            if left {
                self.one(server);
            }
            !left
        });
        let token = house.ok(&["token", "new"]).trim().to_owned();
        let none = |state: &str| server.get(&format!("/api/v1/jobs?limit=1&state={state}"), &token)["items"].as_array().unwrap().is_empty();
        // What becomes due while it looks is seen in the second round.
        let ended = || (0..2).all(|_| ["scheduled", "ready", "running"].into_iter().all(none));
        // Who was in the middle of its work at many kills waits some minutes for the next attempt.
        within("every due job ends", Duration::from_secs(1800), ended);

        let sent = self.numbers.load(Ordering::Relaxed) as usize;
        let (appointments, attendances) = (sent.div_ceil(2), sent / 2);
        let events = server.list("/api/v1/events", &token);
        let of_type = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
        assert_eq!((of_type("appointment.created"), of_type("attendance.finished")), (appointments, attendances), "each is stored once");
        let stored: BTreeSet<String> = events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(stored.len(), events.len());
        let acknowledged = self.acknowledged();
        assert_eq!(acknowledged.len(), sent, "each got an answer of its own");
        let lost: Vec<_> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "acknowledged, but not stored: {lost:?}");

        let jobs = server.list("/api/v1/jobs", &token);
        assert_eq!(jobs.len(), appointments + 2 * attendances, "one job for each action");
        let undone: Vec<_> = jobs.iter().filter(|job| job["state"] != "done").collect();
        assert!(undone.is_empty(), "{} are not done, such as {}", undone.len(), undone[0]);
        let mut messages = BTreeMap::<String, u32>::new();
        for message in server.list("/api/v1/messages", &token) {
            *messages.entry(message["job"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        assert_eq!(messages.len(), sent, "a message for each");
        assert!(messages.values().all(|count| *count == 1), "none twice");

        // Every number was given, and given once; every receipt says so in an event.
        let documents = server.list("/api/v1/documents", &token);
        let mut names: Vec<String> = documents.iter().map(|document| document["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        let mut wanted: Vec<String> = (1..=attendances).map(|number| format!("recibo-{number:06}.pdf")).collect();
        wanted.sort();
        assert_eq!(names, wanted);
        assert_eq!(of_type("receipt.issued"), attendances);
        house.ok(&["audit", "verify"]);
        // A backup is looked through in full.
        let file = house.path(&format!("accounted-{sent}.db"));
        house.ok(&["backup", file.to_str().unwrap()]);
        std::fs::remove_file(file).unwrap();
    }
}

/// Numbers that look random, and are the same for a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_is_lost_and_nothing_is_done_twice() {
    let kills = number("ZELO_KILLS").unwrap_or(5);
    let seed = number("ZELO_SEED").unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 | 1);
    println!("ZELO_KILLS={kills} ZELO_SEED={seed}");
    let mut dice = Dice(seed);
    let house = House::new(LOADED);
    let load = Arc::new(Load::default());
    for kill in 0..kills {
        // Now and then in the middle of a start, before it answers.
        if kill > 0 && dice.below(5) == 0 {
            let mut start = house.start(&["serve"]);
            std::thread::sleep(Duration::from_millis(dice.below(400)));
            start.kill().unwrap();
            start.wait().unwrap();
        }
        let server = Arc::new(house.serve());
        if kill == 0 {
            prepare(&server);
        }
        let threads = load.start(&server);
        std::thread::sleep(Duration::from_millis(20 + dice.below(800)));
        server.kill_now();
        load.stop(threads);
    }
    let server = house.serve();
    load.account_for(&house, &server);
    assert!(load.count() as u64 > kills, "the load came through: {}", load.count());
    println!("{kills} kills: {} deliveries, each acknowledged, stored and done once", load.count());
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
