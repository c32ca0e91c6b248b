//! The same workload from a folder, where somebody has made it for several matchers: `events.jsonl`, and for each number of rules
//! `rules_full_N.json` and `expected_full_N.json`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::conditions::Condition;
use super::events::Events;

/// The environment variable that names the folder.
const VARIABLE: &str = "ZELO_BENCH_WORKLOAD";

#[derive(Deserialize)]
struct Rule {
    conds: Vec<Condition>,
}

/// What a folder has of one number of rules.
pub(crate) struct Given {
    /// The conditions of each rule.
    pub(crate) rules: Vec<Vec<Condition>>,
    /// The rules that each event matches.
    pub(crate) expected: Vec<Vec<usize>>,
}

/// The folder, where one is named.
pub(crate) fn folder() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from)
}

pub(crate) fn events(folder: &Path) -> Events {
    Events::of(text(&folder.join("events.jsonl")).lines().map(str::to_owned).collect())
}

/// `count` rules; nothing where the folder has none of this number.
pub(crate) fn rules(folder: &Path, count: usize) -> Option<Given> {
    let (rules, expected) = (folder.join(format!("rules_full_{count}.json")), folder.join(format!("expected_full_{count}.json")));
    if !rules.exists() {
        return None;
    }
    let rules: Vec<Rule> = read(&rules);
    Some(Given { rules: rules.into_iter().map(|rule| rule.conds).collect(), expected: read(&expected) })
}

fn read<T: DeserializeOwned>(file: &Path) -> T {
    serde_json::from_str(&text(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{} ({VARIABLE}): {error}", file.display()))
}
