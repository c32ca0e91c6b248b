//! `zelo records`: what was there before the first webhook.
//!
//! A clinic's patients never sent one. Their file is read here, line by line; what it says is written by the running
//! server, or by ourselves if none runs. None of its values is printed, only line numbers and the names of columns.

mod line;
mod table;

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::control::{Batch, Fields, Request, Row, Tally, Way};
use super::meant::did_you_mean;
use super::{Findings, Format, print_line};
use crate::config::Config;
use line::{Mapping, Problem};
use table::Table;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Import records from a CSV file: with a header line, separated by comma, semicolon or tab, in UTF-8 or Windows-1252.
    Import(Import),
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Import {
    /// The file; `-` reads standard input.
    file: PathBuf,
    /// The type of the records, as a source names it: patient.
    #[arg(long, value_name = "TYPE")]
    record: String,
    /// The column that holds the provider's id: what events name the record by. The same as `--map id=COLUMN`.
    #[arg(long, value_name = "COLUMN")]
    key: Option<String>,
    /// A field and the column that fills it: phones=Celular. A field that is a list may be given several times.
    #[arg(long = "map", value_name = "FIELD=COLUMN", required = true, value_parser = pair)]
    maps: Vec<(String, String)>,
    /// Default: the only connection whose source feeds such records.
    #[arg(long)]
    connection: Option<String>,
    /// The clinic that they belong to, as the provider names it.
    #[arg(long, value_name = "ID")]
    clinic: Option<String>,
    /// What separates the columns, one character or `tab`; default: found from the header.
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<u8>,
    /// Take these values over those that are known. Without it what webhooks said stays, and only gaps are filled.
    #[arg(long)]
    replace: bool,
    /// Do everything but write.
    #[arg(long)]
    dry_run: bool,
    /// How to print what became of it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The largest file that is read, in bytes: a million patients.
const FILE_MAX: u64 = 256 << 20;
/// Records that are written at once: webhooks wait no longer than that takes.
const BATCH_ROWS: usize = 500;
/// … and their bytes as JSON.
const BATCH_BYTES: usize = 512 << 10;
/// Bad lines that are printed.
const PRINTED: usize = 20;

fn pair(text: &str) -> Result<(String, String)> {
    let (field, column) = text.split_once('=').context("a map is FIELD=COLUMN")?;
    Ok((field.trim().to_owned(), column.trim().to_owned()))
}

fn delimiter(text: &str) -> Result<u8> {
    match (text, text.as_bytes()) {
        ("tab" | "\\t", _) => Ok(b'\t'),
        (_, [one]) if one.is_ascii() && !b"\"\r\n".contains(one) => Ok(*one),
        _ => bail!("the columns are separated by one character, such as `;`, or by `tab`"),
    }
}

pub(super) fn run(config: Option<&Path>, command: &Command) -> Result<Findings> {
    let Command::Import(arguments) = command;
    let arguments = &arguments.keyed()?;
    let config = Config::load(config)?;
    let outcome = super::tokio()?.block_on(import(&config, arguments))?;
    let findings = if outcome.bad == 0 { Findings::None } else { Findings::Some };
    outcome.print(arguments);
    Ok(findings)
}

impl Import {
    /// With the key's column where it belongs, if it was given as a map.
    fn keyed(&self) -> Result<Self> {
        let mut keyed = self.clone();
        if keyed.key.is_none() {
            let place = keyed.maps.iter().position(|(field, _)| field == "id");
            let place = place.context("which column has the id that webhooks name the record by? Say --key COLUMN, or --map id=COLUMN")?;
            keyed.key = Some(keyed.maps.remove(place).1);
        }
        Ok(keyed)
    }

    /// The key's column.
    fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }
}

/// What became of a file.
struct Outcome {
    table: Table,
    place: Fields,
    lines: u64,
    tally: Tally,
    bad: u64,
    /// The first of them.
    problems: Vec<Problem>,
    /// The fields that the first record fills.
    first: Option<Vec<String>>,
}

async fn import(config: &Config, arguments: &Import) -> Result<Outcome> {
    let table = read(arguments)?;
    let way = if arguments.dry_run { Way::look(config).await? } else { Way::open(config).await? };
    let outcome = through(&way, arguments, table).await;
    way.close().await?;
    outcome
}

/// The file, as a table.
fn read(arguments: &Import) -> Result<Table> {
    let mut bytes = Vec::new();
    let name = name(arguments);
    let mut file: Box<dyn Read> = if arguments.file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(&arguments.file).with_context(|| format!("{name} cannot be read"))?)
    };
    file.by_ref().take(FILE_MAX + 1).read_to_end(&mut bytes).with_context(|| format!("{name} cannot be read"))?;
    ensure!(bytes.len() as u64 <= FILE_MAX, "{name} has more than {} MiB; import it in parts", FILE_MAX >> 20);
    let wanted: Vec<&str> = std::iter::once(arguments.key()).chain(arguments.maps.iter().map(|(_, column)| column.as_str())).collect();
    Table::read(&bytes, arguments.delimiter, &wanted).with_context(|| name.clone())
}

fn name(arguments: &Import) -> String {
    if arguments.file == Path::new("-") { "standard input".to_owned() } else { arguments.file.display().to_string() }
}

async fn through(way: &Way, arguments: &Import, table: Table) -> Result<Outcome> {
    let request = Request::Fields { record: arguments.record.clone(), connection: arguments.connection.clone() };
    let place: Fields = way.ask(&request).await?;
    let mapping = mapping(arguments, &table, &place)?;
    let bar = progress(table.text.len() as u64);
    let mut outcome = Outcome { table, place, lines: 0, tally: Tally::default(), bad: 0, problems: Vec::new(), first: None };
    let mut batch = Batch {
        connection: outcome.place.connection.clone(),
        record: arguments.record.clone(),
        clinic: arguments.clinic.clone(),
        replace: arguments.replace,
        dry_run: arguments.dry_run,
        rows: Vec::new(),
    };
    let mut bytes = 0;
    let mut lines = outcome.table.lines()?;
    let mut seen = line::Seen::default();
    while let Some(line) = lines.next_line()? {
        outcome.lines += 1;
        bar.set_position(line.at);
        let row = match mapping.row(&line, &mut seen) {
            Ok(row) => row,
            Err(problem) => {
                outcome.bad += 1;
                if outcome.problems.len() < PRINTED {
                    outcome.problems.push(problem);
                }
                continue;
            }
        };
        outcome.first.get_or_insert_with(|| row.fields.keys().cloned().collect());
        let size = serde_json::to_vec(&row)?.len();
        if batch.rows.len() >= BATCH_ROWS || bytes + size > BATCH_BYTES {
            flush(way, &mut batch, &mut outcome.tally).await?;
            bytes = 0;
        }
        bytes += size;
        batch.rows.push(row);
    }
    flush(way, &mut batch, &mut outcome.tally).await?;
    bar.finish_and_clear();
    Ok(outcome)
}

async fn flush(way: &Way, batch: &mut Batch, tally: &mut Tally) -> Result<()> {
    if batch.rows.is_empty() {
        return Ok(());
    }
    let request = Request::Import(batch.clone());
    batch.rows.clear();
    let done = *tally;
    let dry = batch.dry_run;
    tally.add(way.ask(&request).await.with_context(|| match done.new + done.changed + done.same {
        written if !dry && written > 0 => format!("{written} records were imported before this; run it again to go on"),
        _ => "nothing was imported".to_owned(),
    })?);
    Ok(())
}

/// Which column fills what, checked against what is kept of such records.
fn mapping(arguments: &Import, table: &Table, place: &Fields) -> Result<Mapping> {
    let mut mapping = Mapping { key: table.column(arguments.key())?, columns: table.header.clone(), fields: Vec::new() };
    for (field, column) in &arguments.maps {
        let Some(is_list) = place.fields.get(field) else {
            let known = place.fields.keys().map(String::as_str);
            bail!("`{field}` is not a field that `{}` keeps of a {}{}", place.source, arguments.record, did_you_mean(field, known));
        };
        ensure!(
            *is_list || !mapping.fields.iter().any(|(other, ..)| other == field),
            "`{field}` is mapped twice, and it is not a list; a list may be filled from several columns"
        );
        mapping.fields.push((field.clone(), *is_list, table.column(column)?));
    }
    Ok(mapping)
}

/// On a terminal only.
fn progress(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:40} {percent}%  {bytes} of {total_bytes}, {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

impl Outcome {
    fn print(&self, arguments: &Import) {
        match arguments.format {
            Format::Json => print_line(&self.json(arguments).to_string()),
            Format::Text => self.text(arguments).iter().for_each(|line| print_line(line)),
        }
    }

    fn json(&self, arguments: &Import) -> Value {
        let Tally { new, changed, same } = self.tally;
        let mut told = json!({
            "file": name(arguments), "encoding": self.table.encoding, "delimiter": char::from(self.table.delimiter).to_string(),
            "connection": self.place.connection, "record": arguments.record, "dry_run": arguments.dry_run,
            "lines": self.lines, "new": new, "changed": changed, "same": same, "bad": self.bad, "problems": self.problems,
        });
        if arguments.dry_run {
            told["first"] = json!(self.first);
        }
        told
    }

    fn text(&self, arguments: &Import) -> Vec<String> {
        let separator = match self.table.delimiter {
            b'\t' => "tabs".to_owned(),
            other => format!("`{}`", char::from(other)),
        };
        let mut lines = vec![
            format!("{}: {}, {} columns separated by {separator}", name(arguments), self.table.said(), self.table.header.len()),
            format!("records of type {} for connection {}", arguments.record, self.place.connection),
        ];
        lines.extend(self.problems.iter().map(ToString::to_string));
        let more = self.bad - self.problems.len() as u64;
        if more > 0 {
            lines.push(format!("… and {more} more bad lines"));
        }
        let Tally { new, changed, same } = self.tally;
        let all = if self.lines == 1 { "1 line".to_owned() } else { format!("{} lines", self.lines) };
        lines.push(format!("{all}: {new} new, {changed} changed, {same} same, {} bad", self.bad));
        if arguments.dry_run {
            let first = match self.first.as_deref() {
                None => "no line would be imported".to_owned(),
                Some(fields) => format!("the first record would fill {}", fields.join(", ")),
            };
            lines.push(format!("nothing was written (--dry-run); {first}"));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_strictly() {
        assert_eq!(delimiter(";").unwrap(), b';');
        assert_eq!(delimiter("tab").unwrap(), b'\t');
        assert!(delimiter(";;").is_err() && delimiter("\"").is_err() && delimiter("").is_err());
        assert_eq!(pair("phones=Celular = 2").unwrap(), ("phones".to_owned(), "Celular = 2".to_owned()));
        assert!(pair("phones").is_err());
    }
}
