//! What is no mistake in a file and yet probably not meant: warnings, given when all files were read.
//!
//! - [`paths`]: a path that none of the examples has (`no-such-path`);
//! - [`types`]: a comparison with something of another type than all examples have there (`type-mismatch`);
//! - [`unreachable`]: conditions that never or always hold, whatever comes (`never-holds`, `always-holds`,
//!   `duplicate-condition`, `never-fires`);
//! - [`unused`]: what a rule declares and names nowhere (`unused-setting`, `unused-lookup`); asked while the rule is read.
//!
//! A false alarm is a bug: where something is not known, nothing is said. To add a lint: a file here, a line in [`run`], a case
//! in `tests/rules/diagnostics` with its `.err`, and a line in `rules/DIAGNOSTICS.md`.

mod contradiction;
mod paths;
mod samples;
mod types;
mod unreachable;
pub(crate) mod unused;

use std::collections::{BTreeMap, HashMap};

use crate::diagnostic::Report;
use crate::files::Files;
use crate::rule::Rule;
use crate::source::Source;
use crate::template::Templates;

/// All that was read.
pub(crate) struct Everything<'e> {
    pub(crate) files: &'e Files,
    pub(crate) sources: &'e BTreeMap<String, Source>,
    pub(crate) rules: &'e BTreeMap<String, Rule>,
    pub(crate) templates: &'e Templates,
    /// Some source file has a mistake, so that what events look like is not known.
    pub(crate) incomplete: bool,
}

/// Looks at everything, and reports to the report of each file.
pub(crate) fn run(everything: &Everything<'_>, sources: &[Report<'_>], rules: &[Report<'_>]) {
    let samples = samples::Samples::read(everything, sources);
    for report in sources.iter().filter(|_| !everything.incomplete) {
        if let Some(source) = everything.sources.values().find(|source| source.file == report.file.name) {
            paths::of_source(report, source, &samples);
        }
    }
    // Looked for one by one, ten thousand rules take seconds.
    let by_file: HashMap<&str, &Rule> = everything.rules.values().rev().map(|rule| (rule.file.as_str(), rule)).collect();
    for report in rules {
        let Some(rule) = by_file.get(report.file.name.as_str()).copied() else { continue };
        // Where a file has mistakes, what is left of its conditions says little.
        let is_whole = !report.has_errors();
        if !everything.incomplete {
            paths::of_rule(report, rule, &samples);
            if is_whole {
                types::of_rule(report, rule, &samples, everything.templates);
            }
        }
        if is_whole {
            unreachable::of_rule(report, rule);
        }
    }
}
