//! `zelo source new`: a first source file, drafted from deliveries that were caught.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use zelo_rules::{Caught, FileText, Files, draft};
use zelo_runtime::Catalog;

use super::{Findings, print_line};
use crate::config::Config;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Draft a source file from deliveries of a provider that zelo does not know yet.
    New(New),
}

#[derive(Debug, clap::Args)]
pub(super) struct New {
    /// What the source is to be called: acme.
    id: String,
    /// Deliveries, one of each kind at best. A file holds a request as it was sent (`.http`), or deliveries as `zelo simulate` reads
    /// them, one a line: {"path": "…", "headers": {…}, "body": …}; or else it is a body.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print the source file, and write nothing.
    #[arg(long)]
    print: bool,
}

/// The longest file of deliveries, in bytes.
const LONGEST: u64 = 64 << 20;

pub(super) fn run(config: Option<&Path>, Command::New(arguments): &Command) -> Result<Findings> {
    let config = Config::load(config)?;
    let mut caught = Vec::new();
    for file in &arguments.files {
        caught.extend(deliveries(file)?);
    }
    let folder = config.rules().join("sources");
    let samples = PathBuf::from("samples").join(&arguments.id);
    let draft = draft(&arguments.id, &samples.to_string_lossy(), &caught).map_err(|why| anyhow!(why))?;
    if arguments.print {
        print_line(draft.text.trim_end());
        return Ok(Findings::None);
    }
    let file = folder.join(format!("{}.toml", arguments.id));
    fs::create_dir_all(folder.join(&samples)).with_context(|| format!("{} cannot be made", folder.join(&samples).display()))?;
    write_new(&file, draft.text.as_bytes())?;
    for (name, bytes) in &draft.samples {
        write_new(&folder.join(&samples).join(name), bytes)?;
    }
    print_line(&format!("{} is written. Go through it with the provider's documentation: every line of it is a guess.", file.display()));
    if !draft.samples.is_empty() {
        let place = folder.join(&samples);
        print_line(&format!("{} has a sample of each kind, of the same shape and without what people said.", place.display()));
    }
    let text = FileText { name: file.display().to_string(), text: draft.text };
    let files = Files { sources: vec![text], ..Files::default() };
    let diagnostics = zelo_rules::load(&files, &Catalog::default()).diagnostics;
    if !diagnostics.is_empty() {
        anstream::eprint!("{}", zelo_rules::render_in(zelo_rules::Colours::Ansi, &diagnostics, &files));
    }
    let id = &arguments.id;
    print_line(&format!("Then: zelo check; zelo send {id} --all; and give the provider the address /hooks/{id}/ and its secret."));
    Ok(Findings::None)
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = fs::OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.with_context(|| format!("{} cannot be written; nothing that is there is written over", path.display()))?;
    file.write_all(bytes).with_context(|| format!("{} cannot be written", path.display()))
}

/// A line as `zelo simulate` reads it.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Value,
}

fn deliveries(file: &Path) -> Result<Vec<Caught>> {
    let shown = file.display();
    let length = fs::metadata(file).with_context(|| format!("{shown} cannot be read"))?.len();
    ensure!(length <= LONGEST, "{shown} has more than {} MiB", LONGEST >> 20);
    let bytes = fs::read(file).with_context(|| format!("{shown} cannot be read"))?;
    if file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("http")) {
        return Ok(vec![request(&bytes).with_context(|| format!("{shown} is no HTTP request"))?]);
    }
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim().is_empty()).map(serde_json::from_str::<Line>);
    match lines.collect::<Result<Vec<_>, _>>() {
        Ok(lines) if !lines.is_empty() => Ok(lines.into_iter().map(Line::caught).collect()),
        _ => Ok(vec![Caught { body: bytes, ..Caught::default() }]),
    }
}

impl Line {
    fn caught(self) -> Caught {
        let body = match self.body {
            Value::String(text) => text.into_bytes(),
            other => other.to_string().into_bytes(),
        };
        let headers = self.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        Caught { path: own_path(&self.path), headers, body }
    }
}

/// What follows `/hooks/{connection}/`, where that is in it, without parameters.
fn own_path(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default().trim_start_matches('/');
    let own = path.strip_prefix("hooks/").map(|rest| rest.split_once('/').map_or("", |(_, own)| own));
    own.unwrap_or(path).trim_end_matches('/').to_owned()
}

/// A request as it goes over the wire (RFC 9112 §2.1).
fn request(bytes: &[u8]) -> Result<Caught> {
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    let end = ends.iter().filter_map(|end| Some((bytes.windows(end.len()).position(|window| window == *end)?, end.len()))).min();
    let (head, body) = end.map_or((bytes, &[][..]), |(at, length)| (&bytes[..at], &bytes[at + length..]));
    let head = std::str::from_utf8(head).context("its head is not UTF-8")?;
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split_whitespace();
    let (Some("POST"), Some(target)) = (first.next(), first.next()) else { bail!("it does not begin with POST and an address") };
    let path = target.split_once("://").map_or(target, |(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    let mut headers = Vec::new();
    for (number, line) in lines.enumerate() {
        let (name, value) = line.split_once(':').with_context(|| format!("line {} is no header", number + 2))?;
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Caught { path: own_path(path), headers, body: body.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_they_go_over_the_wire() {
        let caught = request(b"POST /hooks/acme/orders/new?x=1 HTTP/1.1\r\nHost: a\r\nX-Topic:  orders \r\n\r\n{\"a\":\r\n\r\n1}").unwrap();
        assert_eq!(caught.path, "orders/new");
        assert_eq!(caught.headers, [("host".to_owned(), "a".to_owned()), ("x-topic".to_owned(), "orders".to_owned())]);
        assert_eq!(caught.body, b"{\"a\":\r\n\r\n1}");
        assert_eq!(request(b"POST https://a.example/in/\n\nx").map(|caught| caught.path).unwrap(), "in");
        assert!(request(b"GET / HTTP/1.1\n\n").is_err() && request(b"POST / HTTP/1.1\nno header\n\n").is_err() && request(b"").is_err());
    }
}
