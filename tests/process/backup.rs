//! Backups of a server under load, and servers on what was restored.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::crash::{LOADED, Load, prepare};
use crate::house::{House, within};

/// What `zelo backup` or `zelo restore` says, as JSON.
fn told(house: &House, arguments: &[&str]) -> Value {
    serde_json::from_str(&house.ok(&[arguments, &["--format", "json"]].concat())).unwrap()
}

fn refused(house: &House, arguments: &[&str]) -> String {
    let output = house.zelo(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_backup_under_load_has_all_that_was_acknowledged_before_it() {
    let house = House::new(LOADED);
    let server = Arc::new(house.serve());
    prepare(&server);
    let load = Arc::new(Load::default());
    let threads = load.start(&server);
    within("the load comes through", Duration::from_secs(60), || load.count() > 100);
    let before = load.acknowledged();
    std::fs::create_dir(house.path("backups")).unwrap();
    let report = told(&house, &["backup", "backups/night.db"]);
    let after = load.count();
    within("deliveries go on", Duration::from_secs(60), || load.count() > after);
    assert!(refused(&house, &["backup", "backups/night.db"]).contains("is not overwritten"));
    assert!(refused(&house, &["restore", "backups/night.db", "--replace"]).contains("a server has the store open"));
    load.stop(threads);
    assert!(report["events"].as_u64().unwrap() as usize >= before.len(), "{report}");
    assert_eq!(told(&house, &["restore", "backups/night.db", "--check"])["events"], report["events"], "while the server runs, too");
    Arc::into_inner(server).unwrap().stop();

    // Elsewhere: only the backup, and what is kept apart from it.
    let other = House::new(LOADED);
    assert!(refused(&other, &["restore", house.path("backups/night.db").to_str().unwrap()]).contains("the master key"));
    std::fs::create_dir(other.path("keys")).unwrap();
    for name in ["keys/master.key", "keys/erasures.jsonl"] {
        std::fs::copy(house.path(name), other.path(name)).unwrap();
    }
    let restored = told(&other, &["restore", house.path("backups/night.db").to_str().unwrap()]);
    assert_eq!((&restored["events"], &restored["audit"]), (&report["events"], &report["audit"]));
    let server = other.serve();
    let token = other.ok(&["token", "new"]).trim().to_owned();
    let events: BTreeSet<String> =
        server.list("/api/v1/events", &token).iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect();
    let lost: Vec<_> = before.difference(&events).collect();
    assert!(lost.is_empty(), "acknowledged before the backup, and not in it: {lost:?}");
    let done = || server.list("/api/v1/jobs", &token).iter().all(|job| job["state"] == "done");
    within("what was pending goes on", Duration::from_secs(60), done);
    let audit = server.list("/api/v1/audit", &token);
    let are =
        |kind: &str, word: &str, told: &str| audit.iter().filter(|entry| entry["kind"] == kind && entry["detail"][word] == told).count();
    assert_eq!((are("exported", "as", "backup"), are("configured", "what", "restored")), (1, 1), "who has a copy, and what was put back");
    server.stop();

    // In the place of a store that is there.
    assert!(refused(&other, &["restore", house.path("backups/night.db").to_str().unwrap()]).contains("--replace"));
    let again = told(&other, &["restore", house.path("backups/night.db").to_str().unwrap(), "--replace"]);
    assert!(std::path::Path::new(other.path(".").join(again["moved"].as_str().unwrap()).as_path()).exists(), "{again}");
    other.serve().stop();
    other.ok(&["audit", "verify"]);
}

#[test]
fn a_backup_is_made_without_a_server_too_and_says_where_it_cannot_be() {
    let house = House::new("");
    assert!(refused(&house, &["backup", "x.db"]).contains("there is no store yet"));
    house.serve().stop();
    std::fs::write(house.path("rules/sources/clinicarx.toml"), "id = ").unwrap();
    let report = told(&house, &["backup", "x.db"]);
    assert_eq!(report["events"], 0, "a mistake in a rule is no reason to be without a backup");
    assert!(refused(&house, &["backup", "nowhere/x.db"]).contains("make it first"));
    let said = house.ok(&["backup", "y.db"]);
    assert!(said.contains("master.key") && said.contains("register of erasures") && said.contains("whole"), "{said}");
}
