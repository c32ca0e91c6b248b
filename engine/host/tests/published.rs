//! What was published stays as it was, and what was built against it runs.

#![allow(clippy::unwrap_used, reason = "in tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};
use support::{MANIFEST, Runtime, host, invocation, prepare};
use zelo_core::Effect;
use zelo_host::{End, Limits, package};

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// SHA-256 of the names and contents of the files in a folder.
fn digest(folder: &Path) -> String {
    let mut digest = Sha256::new();
    for path in entries(folder) {
        let content = fs::read(&path).unwrap();
        for part in [path.file_name().unwrap().as_encoded_bytes(), &content] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A version that is published is never changed: a component that was built against it must always run. What is new goes into a
/// new folder.
#[test]
fn published_versions_are_as_they_were() {
    let listed: BTreeMap<String, String> = toml::from_str(&fs::read_to_string(wit().join("published.toml")).unwrap()).unwrap();
    let folders = entries(&wit()).into_iter().filter(|path| path.is_dir());
    let found: BTreeMap<String, String> =
        folders.map(|folder| (folder.file_name().unwrap().to_str().unwrap().to_owned(), digest(&folder))).collect();
    assert_eq!(found, listed, "a published folder was changed, or one is not in wit/published.toml");
}

#[tokio::test]
async fn what_was_built_against_the_first_version_runs() {
    let module = support::with_world(wat::parse_str(include_str!("published/0.1.0.wat")).unwrap());
    let plugin = package::pack(&module, MANIFEST).unwrap();
    let (host, runtime) = (host(), Runtime::default());
    let run = host.run(&prepare(&host, &plugin), &invocation(json!({})), runtime.effects(), &Limits::default()).await;
    assert_eq!(run.end, End::Outcome { code: "done".into(), summary: "text".into(), output: None });
    let done: Vec<&str> = runtime.effects.lock().unwrap().iter().map(Effect::kind).collect();
    let each = ["state_get", "state_set", "state_delete", "counter", "record_get", "record", "event", "document", "http", "message"];
    assert_eq!((done.as_slice(), runtime.logged().len()), (&each[..], 1));
}
