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
    let mut loaded = zelo_rules::load(&files, &catalog);
    let missing = loaded.set.as_ref().map(|set| zelo_rules::missing_fixtures(set, &files, &|path| Path::new(path).is_file()));
    let missing = missing.unwrap_or_default();
    let fine = loaded.set.is_some() && missing.is_empty();
    loaded.diagnostics.extend(missing);
    match arguments.format {
        Format::Json => print_line(&serde_json::to_string_pretty(&loaded.diagnostics)?),
        Format::Text => {
            if !loaded.diagnostics.is_empty() {
                print_line(zelo_rules::render(&loaded.diagnostics, &files).trim_end());
            }
            let (sources, rules) = (files.sources.len(), files.rules.len());
            match loaded.set {
                Some(_) if fine => print_line(&format!("{sources} source and {rules} rule files are fine")),
                Some(_) => print_line("the rules can be used, but not all of their tests can be run"),
                None => print_line("nothing of this is in force; mend the errors above"),
            }
        }
    }
    Ok(if fine { Findings::None } else { Findings::Some })
}
