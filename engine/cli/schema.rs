//! `zelo schema`: the JSON Schema of rule or source files, for editors whose rules are not beside those that ship.

use anyhow::Result;
use clap::ValueEnum;

use super::{Findings, print_line};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Of which files.
    #[arg(value_enum)]
    files: Files,
}

/// The files that people write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Files {
    Rule,
    Source,
}

pub(super) fn run(arguments: &Arguments) -> Result<Findings> {
    let schema = match arguments.files {
        Files::Rule => zelo_rules::rule_schema(),
        Files::Source => zelo_rules::source_schema(),
    };
    print_line(&serde_json::to_string_pretty(&schema)?);
    Ok(Findings::None)
}
