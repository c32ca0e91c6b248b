//! `zelo check`: every mistake in every rule and source file, at once.

use std::path::Path;

use anyhow::Result;
use zelo_runtime::Catalog;
use zelo_runtime::rulebook;

use super::{Findings, Format, print_line, setup};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How to print what is found.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let config = Config::load(config)?;
    let catalog = Catalog::load(&setup::host_in_memory()?, &config.plugins())?;
    let files = rulebook::read_files(&config.rules())?;
    let loaded = zelo_rules::load(&files, &catalog);
    match arguments.format {
        Format::Json => print_line(&serde_json::to_string_pretty(&loaded.diagnostics)?),
        Format::Text => {
            if !loaded.diagnostics.is_empty() {
                print_line(zelo_rules::render(&loaded.diagnostics, &files).trim_end());
            }
            let (sources, rules) = (files.sources.len(), files.rules.len());
            match loaded.set {
                Some(_) => print_line(&format!("{sources} source and {rules} rule files are fine")),
                None => print_line("nothing of this is in force; mend the errors above"),
            }
        }
    }
    Ok(if loaded.set.is_some() { Findings::None } else { Findings::Some })
}
