//! `zelo audit`: the log of who did and saw what, held against itself and handed to others.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use zelo_core::audit::Head;
use zelo_core::{Clock, Timestamp};
use zelo_runtime::system::SystemClock;

use super::control::{self, AuditAsk as Ask, Checked, Heads, Request, Way};
use super::{Findings, Format, print_line};
use crate::config::{Config, Span};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Hold the log against its chain and its signed heads: what was changed, moved, rewritten or cut off.
    Verify {
        /// Heads that were kept elsewhere, JSON lines: they also tell what was cut off at the end together with its heads.
        #[arg(long, value_name = "FILE", num_args = 1..)]
        heads: Vec<PathBuf>,
        /// How to print it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print all entries, oldest first, one JSON object a line.
    Export {
        /// Only from this entry on.
        #[arg(long, value_name = "SEQ", default_value_t = 1)]
        since: u64,
        /// How to print them: there is one way, which is for programs.
        #[arg(long, value_enum, default_value_t = Format::Json)]
        format: Format,
    },
    /// Print the signed heads that nobody else holds yet, and the key that they are checked with.
    Heads {
        /// How to print them.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the public key that signs the log: Ed25519, hexadecimal.
    Key,
    /// Cut off the beginning of the log, behind a signed head.
    Prune {
        #[command(flatten)]
        until: Until,
        /// Also behind a head that nobody else holds: what is cut off can then be proved to nobody.
        #[arg(long)]
        unexported: bool,
        /// How to print it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Sign the log as it stands, and print the head as a line of JSON: to be kept elsewhere.
    Sign,
}

// How much is cut off.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Until {
    /// What happened before this: 2026-03-02, midnight in UTC, or 2026-03-02T08:00:00-03:00.
    #[arg(long, value_name = "DATE", value_parser = date)]
    before: Option<Timestamp>,
    /// What is older than this: 90d, 5y.
    #[arg(long, value_name = "SPAN")]
    keep: Option<Span>,
}

/// Entries that are read at once.
const PORTION: u64 = 1000;

fn date(text: &str) -> Result<Timestamp> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let date: Option<jiff::civil::Date> = text.parse().ok().filter(|_| text.len() == "2026-03-02".len());
    let date = date.with_context(|| format!("`{text}` is no date; write 2026-03-02 or 2026-03-02T08:00:00-03:00"))?;
    Ok(date.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp())
}

pub(super) fn run(config: Option<&Path>, command: &Command) -> Result<Findings> {
    let heads = match command {
        Command::Verify { heads, .. } => read_heads(heads)?,
        _ => Vec::new(),
    };
    let config = Config::load(config)?;
    control::aside(&config, async |way| match command {
        Command::Verify { format, .. } => verify(way, heads, *format).await,
        Command::Export { since, format: Format::Json } => export(way, *since).await,
        Command::Export { .. } => bail!("entries are printed as JSON lines only: --format json"),
        Command::Heads { format } => unexported(way, *format).await,
        Command::Key => {
            let heads: Heads = ask(way, Ask::Heads).await?;
            print_line(&heads.key);
            Ok(Findings::None)
        }
        Command::Prune { until, unexported, format } => prune(way, until, !unexported, *format).await,
        Command::Sign => {
            let Some(head) = ask::<Option<Head>>(way, Ask::Sign).await? else { bail!("the log is empty: there is nothing to sign") };
            print_line(&serde_json::to_string(&head)?);
            Ok(Findings::None)
        }
    })
}

async fn ask<T: serde::de::DeserializeOwned>(way: &Way, ask: Ask) -> Result<T> {
    way.ask(&Request::Audit(ask)).await
}

/// The heads of some files. A line that is none is named, never passed over: what it proves would go unnoticed.
fn read_heads(files: &[PathBuf]) -> Result<Vec<Head>> {
    let mut heads = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        for (line, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let head = serde_json::from_str(text).with_context(|| format!("line {} of {} is no signed head", line + 1, file.display()))?;
            heads.push(head);
        }
    }
    Ok(heads)
}

async fn verify(way: &Way, heads: Vec<Head>, format: Format) -> Result<Findings> {
    let checked: Checked = ask(way, Ask::Verify { heads }).await?;
    if format == Format::Json {
        print_line(&serde_json::to_string_pretty(&checked)?);
    } else {
        checked.findings.iter().for_each(|finding| print_line(finding));
        let Checked { entries, heads, last, .. } = &checked;
        let fine = if checked.findings.is_empty() { "the log is whole" } else { "the log is not what was written" };
        print_line(&format!("{fine}: {entries} entries up to {last}, {heads} signed heads"));
    }
    Ok(if checked.findings.is_empty() { Findings::None } else { Findings::Some })
}

async fn export(way: &Way, since: u64) -> Result<Findings> {
    let Some((first, last)) = ask::<Option<(u64, u64)>>(way, Ask::Ends { since: since.max(1) }).await? else {
        return Ok(Findings::None);
    };
    let mut from = first;
    while from <= last {
        let to = last.min(from + PORTION - 1);
        let entries: Vec<Value> = ask(way, Ask::Entries { from, to }).await?;
        for entry in entries {
            print_line(&entry.to_string());
        }
        from = to + 1;
    }
    Ok(Findings::None)
}

async fn unexported(way: &Way, format: Format) -> Result<Findings> {
    let found: Heads = ask(way, Ask::Heads).await?;
    if format == Format::Json {
        print_line(&serde_json::to_string_pretty(&found)?);
        return Ok(Findings::None);
    }
    print_line(&format!("key {}", found.key));
    for head in &found.heads {
        print_line(&format!("{}  {}  {}", head.seq, head.at, data_encoding::HEXLOWER.encode(&head.hash)));
    }
    Ok(Findings::None)
}

async fn prune(way: &Way, until: &Until, exported: bool, format: Format) -> Result<Findings> {
    let kept = || until.keep.map(|Span(span)| SystemClock.now().saturating_sub(span).unwrap_or(Timestamp::MIN));
    let before = until.before.or_else(kept).context("say how much with --before or --keep")?;
    let head: Option<Head> = ask(way, Ask::Prune { before, exported }).await?;
    match (format, head) {
        (Format::Json, head) => print_line(&serde_json::to_string(&head.map_or(Value::Null, |head| serde_json::json!(head)))?),
        (Format::Text, Some(head)) => {
            let hash = data_encoding::HEXLOWER.encode(&head.hash);
            print_line(&format!("cut off up to entry {}, behind the head signed {}: {hash}", head.seq, head.at));
        }
        (Format::Text, None) if exported => print_line(
            "nothing was cut off: no head from before then was exported (zelo audit heads tells those that were not; --unexported cuts all the same)",
        ),
        (Format::Text, None) => print_line("nothing was cut off: no head was signed before then"),
    }
    Ok(Findings::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_midnight_or_an_instant() {
        let at = |text: &str| date(text).map(|at| at.to_string()).ok();
        assert_eq!(at("2026-03-02").as_deref(), Some("2026-03-02T00:00:00Z"));
        assert_eq!(at("2026-03-02T08:00:00-03:00").as_deref(), Some("2026-03-02T11:00:00Z"));
        assert_eq!((at("2026-03"), at("2026-13-02"), at("soon")), (None, None, None));
    }
}
