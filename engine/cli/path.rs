//! `zelo path`: try a JSONPath on a file.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};

use super::{Findings, print_line};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A JSONPath (RFC 9535): `$.data.patient.name`.
    query: String,
    /// A JSON file.
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<Findings> {
    let path = zelo_rules::Path::parse(&arguments.query).map_err(|error| anyhow!("{}: {error}", arguments.query))?;
    let text = std::fs::read(&arguments.file).with_context(|| format!("{} cannot be read", arguments.file.display()))?;
    let document = serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", arguments.file.display()))?;
    print_line(&serde_json::to_string(&path.nodes(&document).iter().collect::<Vec<_>>())?);
    Ok(Findings::None)
}
