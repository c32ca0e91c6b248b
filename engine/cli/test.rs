//! `zelo test`: the `[[test]]`s that stand in the rule files.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use serde_json::json;
use zelo_rules::{RuleSet, TestResult, Testing};
use zelo_runtime::rehearsal::Rehearsal;
use zelo_runtime::rulebook;

use super::meant::did_you_mean;
use super::{Findings, Format, print_line, setup};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only the tests with this in `RULE: TEST NAME`.
    filter: Option<String>,
    /// How to print the results.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let config = Config::load(config)?;
    let host = Arc::new(setup::host_for_tools()?);
    let catalog = Arc::new(setup::catalog(&host, &config.installed())?);
    let files = rulebook::read_files(&config.rules())?;
    let (rules, mut warnings) = rulebook::check(&files, &catalog)?;
    warnings.extend(zelo_rules::missing_fixtures(&rules, &files, &|path| Path::new(path).is_file()));
    if !warnings.is_empty() {
        eprint!("{}", zelo_rules::render(&warnings, &files));
    }
    let rules = Arc::new(rules);

    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string());
    let wanted = |rule: &str, test: &str| arguments.filter.as_ref().is_none_or(|filter| named(rule, test).contains(filter.as_str()));
    let tasks = super::tokio()?;
    let runner = Rehearsal::new(tasks.handle().clone(), host, Arc::clone(&rules), catalog, setup::channels(&config));
    let results = zelo_rules::run_tests(&rules, &Testing { fixtures: &read, runner: Some(&runner), wanted: &wanted });
    match arguments.format {
        Format::Json => results.iter().for_each(|result| print_line(&as_json(result))),
        Format::Text => tell(&rules, &results),
    }
    if let Some(filter) = arguments.filter.as_ref().filter(|_| results.is_empty()) {
        let meant = did_you_mean(filter, rules.rules().map(|rule| rule.id.as_str()));
        eprintln!("zelo: no test has `{filter}` in its rule or name{meant}");
        return Ok(Findings::Some);
    }
    Ok(if results.iter().all(|result| result.passed) { Findings::None } else { Findings::Some })
}

fn named(rule: &str, test: &str) -> String {
    format!("{rule}: {test}")
}

fn as_json(result: &TestResult) -> String {
    json!({
        "rule": result.rule, "test": result.name, "file": result.file, "line": result.line, "passed": result.passed,
        "differences": result.differences, "message": result.message,
    })
    .to_string()
}

/// What came of the tests, for people.
fn tell(rules: &RuleSet, results: &[TestResult]) {
    for result in results {
        print_line(&format!("{} {}", if result.passed { "ok    " } else { "FAILED" }, named(&result.rule, &result.name)));
        if let Some(message) = &result.message {
            print_line(&format!("       {}:{}", result.file, result.line));
            message.lines().for_each(|line| print_line(format!("       {line}").trim_end()));
        }
    }
    for rule in rules.rules().filter(|rule| rule.tests().next().is_none()) {
        print_line(&format!("hint   {}: rule {} has no test", rule.file, rule.id));
    }
    let all: usize = rules.rules().map(|rule| rule.tests().count()).sum();
    let failed = results.iter().filter(|result| !result.passed).count();
    if failed > 0 {
        print_line("`-` is what a test expects, `+` what came");
    }
    print_line(&format!("{} passed, {failed} failed, {} filtered out", results.len() - failed, all - results.len()));
}
