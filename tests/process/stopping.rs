//! Told to stop: what was begun is finished, within a time; the rest goes on at the next start, and nothing happens twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::house::{House, within};
use crate::requests::{self, INSIDE, KEYED, Other, header};

/// A house whose jobs all ask another system, and that has `seconds` to stop.
fn house(other: &Other, seconds: u32) -> House {
    let house = requests::house(other, "POST", KEYED, INSIDE);
    let config = fs::read_to_string(house.path("zelo.toml")).unwrap();
    fs::write(house.path("zelo.toml"), config.replacen("[server]\n", &format!("[server]\nstop_timeout_s = {seconds}\n"), 1)).unwrap();
    house
}

#[test]
fn a_stop_under_load_keeps_its_time_and_loses_nothing() {
    let other = Other::new(false);
    let house = house(&other, 2);
    let server = house.serve();
    let done = AtomicBool::new(false);
    let (elapsed, acknowledged) = std::thread::scope(|scope| {
        let deliver = |sender: u32| {
            let (server, done) = (&server, &done);
            move || {
                let mut acknowledged = BTreeSet::new();
                for number in 0..10_000 {
                    if done.load(Ordering::SeqCst) {
                        break;
                    }
                    let body =
                        json!({ "data": { "id": format!("p-{sender}-{number}"), "name": "Íris" }, "timestamp": "2026-01-01 12:00:00" });
                    if let (202, receipt) = server.deliver("clinicarx/patient/new", &body.to_string()) {
                        acknowledged.insert(receipt["event_id"].as_str().unwrap().to_owned());
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
                acknowledged
            }
        };
        let senders = [scope.spawn(deliver(1)), scope.spawn(deliver(2))];
        within("requests hang there", Duration::from_secs(60), || other.asked().len() >= 5);
        let begun = Instant::now();
        server.ask_to_stop();
        within("it says so", Duration::from_secs(10), || house.log().contains("stopping"));
        within("it ends", Duration::from_secs(30), || server.is_gone());
        let elapsed = begun.elapsed();
        done.store(true, Ordering::SeqCst);
        (elapsed, senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect::<BTreeSet<_>>())
    });
    assert_eq!(server.ended(), Some(0), "{}", house.log());
    // Two seconds were given; the rest is for a machine that has much to do.
    assert!(elapsed >= Duration::from_secs(2) && elapsed < Duration::from_secs(12), "{elapsed:?}");
    assert!(house.log().contains("are broken off"), "{}", house.log());
    assert!(acknowledged.len() >= 5, "{}", acknowledged.len());

    other.open.store(true, Ordering::SeqCst);
    let server = house.serve();
    let token = house.ok(&["token", "new"]).trim().to_owned();
    let live = || ["ready", "running", "scheduled"].iter().any(|state| !server.list_of_state(state, &token).is_empty());
    within("every job ends", Duration::from_secs(120), || !live());
    let events: BTreeSet<String> =
        server.list("/api/v1/events", &token).iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    assert!(acknowledged.is_subset(&events), "what was acknowledged is there");
    let jobs = server.list("/api/v1/jobs", &token);
    let jobs: BTreeMap<&str, &str> = jobs.iter().map(|job| (job["id"].as_str().unwrap(), job["state"].as_str().unwrap())).collect();
    assert_eq!(jobs.len(), events.len());
    assert!(jobs.values().all(|state| *state == "done"), "{jobs:?}");
    // Each job asked for one thing, however often it had to ask.
    let keys: BTreeSet<String> = other.asked().iter().map(|asked| header(asked, "x-idempotency-key").unwrap()).collect();
    assert_eq!(keys.len(), jobs.len());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let other = Other::new(false);
    let house = house(&other, 600);
    let server = house.serve();
    requests::patient(&server, "p-1");
    within("a request hangs there", Duration::from_secs(60), || other.asked().len() == 1);
    server.ask_to_stop();
    within("it stops", Duration::from_secs(20), || house.log().contains("stopping"));
    within("nothing new is taken", Duration::from_secs(20), || server.get_plain("/readyz").0 == 0);
    server.ask_to_stop();
    assert_eq!(server.ended(), Some(128 + 15), "{}", house.log());
}
