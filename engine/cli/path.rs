//! `zelo path`: try a JSONPath on a document, read as a delivery would be.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, ensure};
use serde_json::{Value, json};
use zelo_rules::{Format, PathError, TooMuch};

use super::{Findings, print_line};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A JSONPath (RFC 9535): `$.data.patient.name`.
    query: String,
    /// A JSON file, or an XML file (`.xml`), which is taken as the JSON that it becomes; `-` reads standard input.
    file: PathBuf,
    /// Print each node with its normalized path: {"path": "$['data']['id']", "value": …}.
    #[arg(long)]
    paths: bool,
    /// The root element of an XML file: `$` is then what stands in it, as `xml_root` says in a source.
    #[arg(long, value_name = "NAME")]
    root: Option<String>,
}

/// The longest document that is read, in bytes.
const LONGEST: u64 = 64 << 20;

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Findings> {
    let path = zelo_rules::Path::parse(&arguments.query).map_err(|error| anyhow!(refusal(&arguments.query, &error)))?;
    let document = document(arguments)?;
    match nodes(&path, &document, arguments) {
        Ok(nodes) => {
            print_line(&serde_json::to_string(&nodes)?);
            Ok(Findings::None)
        }
        Err(too_much) => {
            eprintln!("zelo: {}: {too_much}", arguments.query);
            Ok(Findings::Some)
        }
    }
}

fn nodes(path: &zelo_rules::Path, document: &Value, arguments: &Arguments) -> Result<Vec<Value>, TooMuch> {
    if arguments.paths {
        let placed = zelo_rules::placed(path, document)?;
        return Ok(placed.into_iter().map(|(path, value)| json!({ "path": path, "value": value })).collect());
    }
    Ok(path.try_nodes(document)?.iter().cloned().collect())
}

/// What is wrong with a query, with a mark under the place, as mistakes in files are shown.
fn refusal(query: &str, error: &PathError) -> String {
    let mut text = format!("this is no JSONPath (RFC 9535): {}", error.message);
    if let Some(before) = error.at.and_then(|at| query.get(..at)) {
        // Of a query over several lines, the one it is in.
        let (line, column) = (query.lines().nth(before.matches('\n').count()), before.rsplit('\n').next().unwrap_or_default());
        let indent: String = column.chars().map(|char| if char == '\t' { '\t' } else { ' ' }).collect();
        text.push_str(&format!("\n  |\n  | {}\n  | {indent}^", line.unwrap_or_default()));
    }
    text
}

fn document(arguments: &Arguments) -> anyhow::Result<Value> {
    let stdin = arguments.file == Path::new("-");
    let name = if stdin { "standard input".to_owned() } else { arguments.file.display().to_string() };
    let mut file: Box<dyn Read> = if stdin {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(&arguments.file).with_context(|| format!("{name} cannot be read"))?)
    };
    let mut bytes = Vec::new();
    file.by_ref().take(LONGEST + 1).read_to_end(&mut bytes).with_context(|| format!("{name} cannot be read"))?;
    ensure!(bytes.len() as u64 <= LONGEST, "{name} has more than {} MiB", LONGEST >> 20);
    let named = |extension: &str| arguments.file.extension().is_some_and(|given| given.eq_ignore_ascii_case(extension));
    let (format, called) = if arguments.root.is_some() || named("xml") {
        (Format::Xml, "XML")
    } else if named("form") {
        (Format::Form, "form")
    } else {
        (Format::Json, "JSON")
    };
    zelo_rules::read_document(&bytes, format, arguments.root.as_deref())
        .map_err(|why| anyhow!("{name} is no {called} that is taken: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_points_at_the_place() {
        let said = |query: &str| refusal(query, &zelo_rules::Path::parse(query).unwrap_err());
        assert!(said("$.ação[?@.b ==]").ends_with("\n  |\n  | $.ação[?@.b ==]\n  |               ^"), "{}", said("$.ação[?@.b ==]"));
        assert!(said("data").ends_with("  | data\n  | ^"));
        assert!(said("$.a.\n\t.b").ends_with('^'));
    }
}
