//! The files that tests name.

use super::{Payload, TestEvent};
use crate::diagnostic::{Diagnostic, Report, error};
use crate::files::Files;
use crate::load::RuleSet;

/// The `file`s of tests that are not there, each where its test names it. `files` are those that `set` was loaded from; `exists`
/// is asked with paths seen from where these were read.
pub fn missing_fixtures(set: &RuleSet, files: &Files, exists: &dyn Fn(&str) -> bool) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for rule in set.rules() {
        let Some(file) = files.get(&rule.file) else { continue };
        let report = Report::new(file);
        for event in rule.tests.iter().flat_map(|test| test.before.iter().chain([&test.event])) {
            let Payload::File(named) = &event.payload else { continue };
            let path = joined(&rule.file, &named.value);
            if !exists(&path) {
                let finding = error("missing-file", named.span.clone(), format!("there is no file {path}"));
                report.push(finding.help("a `file` of a test is named from the folder of its rule"));
            }
        }
        found.extend(report.into_diagnostics());
    }
    found
}

impl TestEvent {
    /// The path of its file, seen from where `rule` was read.
    pub(super) fn fixture(&self, rule: &str) -> Option<String> {
        match &self.payload {
            Payload::File(named) => Some(joined(rule, &named.value)),
            Payload::Data(_) => None,
        }
    }
}

/// `path` seen from the folder of `file`.
fn joined(file: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| !matches!(*last, ".." | "." | "")) => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
