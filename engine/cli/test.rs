//! `zelo test`: the `[[test]]`s that stand in the rule files.

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::{Findings, Format, print_line, setup};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How to print the results.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let config = Config::load(config)?;
    let (rules, _) = setup::rules(&config, &setup::host_in_memory()?)?;
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let results = zelo_rules::run_tests(&rules, &read);
    let failed = results.iter().filter(|result| !result.passed).count();
    for result in &results {
        match arguments.format {
            Format::Json => print_line(
                &json!({ "rule": result.rule, "test": result.name, "file": result.file, "line": result.line, "passed": result.passed, "message": result.message })
                    .to_string(),
            ),
            Format::Text => {
                print_line(&format!("{} {}: {}", if result.passed { "ok    " } else { "FAILED" }, result.rule, result.name));
                if let Some(message) = &result.message {
                    print_line(&format!("       {}:{}", result.file, result.line));
                    message.lines().for_each(|line| print_line(&format!("       {line}")));
                }
            }
        }
    }
    if arguments.format == Format::Text {
        print_line(&format!("{} passed, {failed} failed", results.len() - failed));
    }
    Ok(if failed == 0 { Findings::None } else { Findings::Some })
}
