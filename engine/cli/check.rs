//! `zelo check`: every mistake in every rule and source file, at once.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use zelo_rules::{Colours, Files, Loaded};
use zelo_runtime::Catalog;
use zelo_runtime::rulebook;

use super::{Findings, Format, print_line, setup};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How to print what is found.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Fail on warnings too.
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let config = Config::load(config)?;
    let catalog = Catalog::load(&setup::host_in_memory()?, &config.plugins())?;
    let files = rulebook::read_files(&config.rules())?;
    let loaded = zelo_rules::load(&files, &catalog);
    match arguments.format {
        Format::Json => print_line(&serde_json::to_string_pretty(&loaded.diagnostics)?),
        Format::Text => tell(&loaded, &files),
    }
    let fine = loaded.set.is_some() && (loaded.diagnostics.is_empty() || !arguments.strict);
    Ok(if fine { Findings::None } else { Findings::Some })
}

/// Prints the findings, in colours where a terminal shows them, and how many there are.
fn tell(loaded: &Loaded, files: &Files) {
    let (sources, rules) = (files.sources.len(), files.rules.len());
    let verdict = match (&loaded.set, loaded.diagnostics.is_empty()) {
        (Some(_), true) => format!("{sources} source and {rules} rule files are fine"),
        (Some(_), false) => format!("{sources} source and {rules} rule files can be in force"),
        (None, _) => "nothing of this is in force; mend the errors above".to_owned(),
    };
    let text = zelo_rules::render_in(Colours::Ansi, &loaded.diagnostics, files) + &verdict;
    let counts = zelo_rules::counts(&loaded.diagnostics).map(|counts| format!("\n{counts}")).unwrap_or_default();
    // Colours are left out where nobody sees them, or NO_COLOR asks for none.
    if writeln!(anstream::stdout(), "{text}{counts}").is_err() {
        std::process::exit(0);
    }
}
