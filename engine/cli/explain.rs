//! `zelo explain`: why each rule fired or not, for a stored event or a file.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use zelo_core::{EventId, Timestamp};

use super::control::{Ask, Request, Way, What};
use super::{Findings, Format, print_line};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The id of a stored event (`evt_…`), or a file with a payload; `-` reads it from the standard input.
    event: String,
    /// Of a file: its event type, such as appointment.created.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Of a file: what would follow /hooks/CONNECTION/, where that says the type.
    #[arg(long, value_name = "PATH", default_value = "", conflicts_with = "kind")]
    path: String,
    /// Of a file: the connection it would come through; default: the one that knows the type.
    #[arg(long)]
    connection: Option<String>,
    /// Of a file: when it would arrive, such as 2026-03-02T12:00:00Z; default: now.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Only this rule.
    #[arg(long)]
    rule: Option<String>,
    /// Show values of this class and of less delicate ones; of others only the type is shown.
    #[arg(long, value_parser = ["public", "personal", "sensitive"], default_value = "public")]
    reveal: String,
    /// The language of the sentences.
    #[arg(long, value_parser = ["pt-BR", "en"], default_value = "pt-BR")]
    lang: String,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let config = Config::load(config)?;
    let ask = Ask {
        what: what(arguments)?,
        reveal: arguments.reveal.clone(),
        locale: arguments.lang.clone(),
        rule: arguments.rule.clone(),
        text: arguments.format == Format::Text,
    };
    let asked = async {
        let way = Way::look(&config).await?;
        let answer: Result<Value> = way.ask(&Request::Explain(ask)).await;
        way.close().await?;
        answer
    };
    let answer = super::tokio()?.block_on(asked)?;
    match answer.as_str() {
        Some(text) => print_line(text.trim_end()),
        None => print_line(&serde_json::to_string_pretty(&answer)?),
    }
    Ok(Findings::None)
}

fn what(arguments: &Arguments) -> Result<What> {
    if arguments.event.starts_with("evt_") && !Path::new(&arguments.event).exists() {
        let of_file = arguments.kind.is_some() || !arguments.path.is_empty() || arguments.connection.is_some() || arguments.at.is_some();
        if of_file {
            bail!("--type, --path, --connection and --at are about a file; a stored event knows its own");
        }
        let id: EventId = arguments.event.parse()?;
        return Ok(What::Stored(id));
    }
    let body = if arguments.event == "-" {
        let mut body = String::new();
        std::io::stdin().read_to_string(&mut body).context("the standard input cannot be read")?;
        body
    } else {
        let file = PathBuf::from(&arguments.event);
        std::fs::read_to_string(&file)
            .with_context(|| format!("{} is neither an event's id (evt_…) nor a file that can be read", file.display()))?
    };
    let Arguments { connection, kind, path, at, .. } = arguments;
    Ok(What::Given { connection: connection.clone(), kind: kind.clone(), path: path.clone(), body, at: *at })
}
