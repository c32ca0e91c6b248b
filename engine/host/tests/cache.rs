//! Compiled components outlive a restart, and a spoiled one is compiled again.

#![allow(clippy::unwrap_used, reason = "in tests")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use support::{Runtime, guest, invocation};
use zelo_host::{End, Host, HostConfig, Limits};

fn host(dir: &Path) -> Host {
    Host::new(HostConfig { instances: 2, cache_dir: Some(dir.to_owned()), ..HostConfig::default() }).unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

async fn works(host: &Host, bytes: &[u8]) -> bool {
    let prepared = host.prepare(&host.load("guest", bytes).unwrap(), &[]).unwrap();
    let run = host.run(&prepared, &invocation(json!({})), Runtime::default().effects(), &Limits::default()).await;
    matches!(run.end, End::Outcome { .. })
}

#[tokio::test]
async fn a_second_host_finds_what_the_first_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("plugins");
    let bytes = guest("", "(global.get $done)");
    assert!(!host(&dir).is_compiled(&bytes));
    assert!(works(&host(&dir), &bytes).await);
    assert!(host(&dir).is_compiled(&bytes));
    let [file] = &files(&dir)[..] else { panic!("one file, and nothing left aside") };
    let written = fs::metadata(file).unwrap().modified().unwrap();
    assert!(works(&host(&dir), &bytes).await);
    assert_eq!(fs::metadata(file).unwrap().modified().unwrap(), written, "read, not written");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_back_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = guest("", "(global.get $done)");
    assert!(works(&host(folder.path()), &bytes).await);
    let file = files(folder.path()).remove(0);
    let whole = fs::metadata(&file).unwrap().len();
    fs::write(&file, b"half a fi").unwrap();
    assert!(works(&host(folder.path()), &bytes).await);
    assert_eq!(fs::metadata(&file).unwrap().len(), whole);
}

#[cfg(unix)]
#[test]
fn the_folder_is_made_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    drop(host(folder.path()));
    assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(Host::new(HostConfig { cache_dir: Some("/proc/zelo".into()), ..HostConfig::default() }).is_err());
}
