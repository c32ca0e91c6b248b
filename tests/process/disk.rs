//! A disk that is full, that lets no file grow, that stalls: nothing that was acknowledged is lost, and it goes on by itself.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::Connection;

use crate::crash::{LOADED, Load, prepare};
use crate::house::{House, Server, within};

const PATIENT: &str = r#"{"data":{"id":"p9","name":"Íris Modelo"},"timestamp":"2026-01-01 12:00:00"}"#;

/// Has the disk of a loaded server refuse writes, and take them again.
fn survives(house: &House, server: Server, refuse: impl FnOnce(&Server), allow: impl FnOnce(&Server)) {
    let server = Arc::new(server);
    prepare(&server);
    let load = Arc::new(Load::default());
    let threads = load.start(&server);
    within("the load comes through", Duration::from_secs(60), || load.count() > 40);
    refuse(&server);
    within("it says that it is not ready", Duration::from_secs(60), || server.get_plain("/readyz").0 == 503);
    let (status, after) = server.refused("clinicarx/patient/new", PATIENT);
    assert_eq!((status, after.as_deref()), (503, Some("1")));
    let stands = load.count();
    // Many tries later: it is alive, nothing went through, and it still says so.
    let tries = Instant::now();
    within("it stays so", Duration::from_secs(60), || tries.elapsed() > Duration::from_secs(3));
    assert_eq!(server.get_plain("/healthz").0, 200);
    assert_eq!(server.get_plain("/readyz").0, 503);
    assert_eq!(load.count(), stands, "nothing is acknowledged that cannot be kept");
    allow(&server);
    within("it is ready again, without a restart", Duration::from_secs(60), || server.get_plain("/readyz").0 == 200);
    within("deliveries go on", Duration::from_secs(60), || load.count() > stands + 40);
    load.stop(threads);
    load.account_for(house, &server);
    Arc::into_inner(server).unwrap().stop();
    house.serve().stop();
}

fn limit(server: &Server, bytes: &str) {
    let limit = format!("--fsize={bytes}:");
    assert!(Command::new("prlimit").args(["--pid", &server.pid().to_string(), &limit]).status().unwrap().success());
}

#[test]
fn a_disk_that_lets_no_file_grow_is_waited_for() {
    let house = House::new(LOADED);
    let log = house.path("data/zelo.db-wal");
    let refuse = |server: &Server| limit(server, &std::fs::metadata(&log).unwrap().len().to_string());
    survives(&house, house.serve_with_limits(), refuse, |server| limit(server, "unlimited"));
    assert!(house.log().contains("lets no file grow"), "{}", house.log());
    assert!(house.log().contains("the disk takes writes again"));
}

/// A small disk of one's own, until it is dropped.
struct Disk<'a>(&'a Path);

impl<'a> Disk<'a> {
    /// None where mounting is not permitted.
    fn mount(at: &'a Path) -> Option<Self> {
        std::fs::create_dir(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=160m", "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(Self(at))
    }

    fn fill(&self) {
        let mut file = File::create(self.0.join("filler")).unwrap();
        for size in [1 << 20, 4096] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").args(["-l"]).arg(self.0).status());
    }
}

#[test]
fn a_full_disk_is_waited_for_and_refused_at_a_start() {
    let house = House::new(&format!("{LOADED}[store]\nurl = \"sqlite://small/zelo.db\"\n"));
    let small = house.path("small");
    let Some(disk) = Disk::mount(&small) else {
        println!("mounting is not permitted here; what a disk refuses is tested without");
        return;
    };
    survives(&house, house.serve(), |_| disk.fill(), |_| disk.free());
    assert!(house.log().contains("the disk is full"), "{}", house.log());
    disk.fill();
    let output = house.zelo(&["serve"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("full") && said.contains("small/zelo.db"), "{said}");
    disk.free();
    house.serve().stop();
}

#[test]
fn a_disk_that_stalls_for_two_seconds_loses_nothing() {
    let house = House::new(LOADED);
    let server = Arc::new(house.serve());
    prepare(&server);
    let load = Arc::new(Load::default());
    let threads = load.start(&server);
    within("the load comes through", Duration::from_secs(60), || load.count() > 40);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let file = format!("sqlite://{}", house.path("data/zelo.db").display());
    let stalled = runtime.block_on(async {
        // Whoever writes waits, as for a disk that does not answer.
        let mut conn = sqlx::SqliteConnection::connect(&file).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut conn).await.unwrap();
        let stalled = load.count();
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(load.count() <= stalled + 4, "nothing was written meanwhile");
        sqlx::query("ROLLBACK").execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        stalled
    });
    within("it goes on", Duration::from_secs(60), || load.count() > stalled + 40);
    load.stop(threads);
    assert!(!house.log().contains("nothing of a batch was written"), "it was waited for");
    load.account_for(&house, &server);
}

#[test]
fn a_disk_for_reading_only_is_refused_at_a_start() {
    let house = House::new("[store]\nurl = \"sqlite://small/zelo.db\"\n");
    let small = house.path("small");
    let Some(_disk) = Disk::mount(&small) else {
        println!("mounting is not permitted here");
        return;
    };
    house.serve().stop();
    let remount = |how: &str| assert!(Command::new("mount").args(["-o", how]).arg(&small).status().unwrap().success());
    let before = std::fs::read(small.join("zelo.db")).unwrap();
    remount("remount,ro");
    let output = house.zelo(&["serve"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("small/zelo.db") && said.contains("mounted for reading only"), "{said}");
    assert_eq!(std::fs::read(small.join("zelo.db")).unwrap(), before);
    remount("remount,rw");
    house.serve().stop();
}

#[test]
fn a_second_server_on_the_same_store_is_refused() {
    let house = House::new("");
    let server = house.serve();
    let output = house.zelo(&["serve", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("another zelo has") && said.contains("stop that one first") && said.contains("[store] url"), "{said}");
    assert_eq!(server.get_plain("/readyz").0, 200, "the first one goes on");
}
