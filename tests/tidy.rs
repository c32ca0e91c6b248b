//! Keeps the house: who may depend on whom, what is pure, how long a file may be.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The dependencies of each crate, without those of its tests.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for folder in ["", "engine/core", "engine/rules", "engine/store", "engine/host", "engine/runtime", "engine/server"] {
        let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        found.insert(name, manifest["dependencies"].as_table().unwrap().keys().cloned().collect());
    }
    found
}

/// Files below `folder` with this extension, tests and build results left out.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | "dist" | "tests" | "node_modules") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no .{extension} files below {folder}");
    found
}

#[test]
fn one_crate_knows_each_foreign_world() {
    for (foreign, owner) in [("wasmtime", "zelo-host"), ("sqlx", "zelo-store"), ("axum", "zelo-server")] {
        let users: Vec<String> =
            dependencies().into_iter().filter(|(_, list)| list.iter().any(|name| name == foreign)).map(|(name, _)| name).collect();
        assert_eq!(users, [owner], "only {owner} may depend on {foreign}");
    }
}

#[test]
fn imports_point_down() {
    let floors: [&[&str]; 5] = [&["zelo-core"], &["zelo-rules", "zelo-store", "zelo-host"], &["zelo-runtime"], &["zelo-server"], &["zelo"]];
    let floor = |name: &str| floors.iter().position(|names| names.contains(&name));
    for (name, list) in dependencies() {
        for below in list.iter().filter(|below| below.starts_with("zelo")) {
            assert!(floor(below) < floor(&name), "{name} must not depend on {below}");
        }
    }
}

#[test]
fn core_and_rules_do_no_io_and_own_no_clock() {
    let banned = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "std::io::std",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "Zoned::now",
        "tokio",
        "async fn",
        "println!",
        "eprintln!",
    ];
    for folder in ["engine/core/src", "engine/rules/src"] {
        for path in files(folder, "rs") {
            let text = fs::read_to_string(&path).unwrap();
            // Tests may read the files that ship.
            let code = text.split("#[cfg(test)]").next().unwrap();
            if path.file_name().unwrap().to_string_lossy().contains("tests") {
                continue;
            }
            for word in banned {
                let used = code.lines().any(|line| line.contains(word) && !line.trim_start().starts_with("//"));
                assert!(!used, "{} uses {word}", path.display());
            }
        }
    }
}

#[test]
fn a_file_is_one_idea_and_says_which() {
    for folder in ["engine", "plugins"] {
        for path in files(folder, "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let lines = text.lines().count();
            assert!(lines <= 700, "{} has {lines} lines", path.display());
            let tests = path.to_string_lossy().contains("tests");
            assert!(tests || text.starts_with("//!"), "{} does not say what it is", path.display());
        }
    }
}

#[test]
fn words_that_are_not_of_this_house() {
    for path in files("engine", "rs") {
        let text = fs::read_to_string(&path).unwrap();
        for word in ["Manager", "Helper", "mod utils", "todo!(", "unimplemented!("] {
            assert!(!text.contains(word), "{} has `{word}`", path.display());
        }
    }
}
