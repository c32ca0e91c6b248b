//! `zelo secret`: secrets that the store keeps, sealed, for `{ store = "NAME" }` in zelo.toml.

use std::io::{IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::control::{self, Request, Unsaid};
use super::{Findings, Format, print_line};
use crate::config::Config;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Keep a secret under a name, in the place of the one before. It is read from standard input, never from the command line, where others
    /// could see it.
    Set {
        /// Lower-case letters, digits, `-` and `_`.
        name: String,
    },
    /// The names of the secrets, and when each was set. What they say is never told.
    List {
        /// How to print the list.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Forget a secret. One that zelo.toml names stays.
    Remove {
        /// Its name.
        name: String,
    },
}

pub(super) fn run(config: Option<&Path>, command: &Command) -> Result<Findings> {
    let config = Config::load(config)?;
    match command {
        Command::Set { name } => set(&config, name),
        Command::List { format } => list(&config, *format),
        Command::Remove { name } => remove(&config, name),
    }
}

fn set(config: &Config, name: &str) -> Result<Findings> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        eprintln!("type the secret, then Enter and Ctrl-D; it is shown while you type");
    }
    let mut text = String::new();
    // One byte more than is taken, so that what is too long is refused and not cut off.
    let longest = zelo_store::SECRET_MAX as u64 + 64;
    stdin.take(longest).read_to_string(&mut text).context("standard input, which is to be the secret")?;
    let request = Request::SetSecret { name: name.to_owned(), value: Unsaid::new(text.trim_end().to_owned()) };
    let new: bool = ask(config, &request)?;
    let what = if new { "is kept" } else { "is changed" };
    print_line(&format!("`{name}` {what}, sealed in the store; zelo.toml refers to it as {{ store = \"{name}\" }}"));
    Ok(Findings::None)
}

fn list(config: &Config, format: Format) -> Result<Findings> {
    let secrets: Value = ask(config, &Request::Secrets)?;
    if format == Format::Json {
        print_line(&serde_json::to_string_pretty(&secrets)?);
        return Ok(Findings::None);
    }
    let secrets = secrets.as_array().map(Vec::as_slice).unwrap_or_default();
    if secrets.is_empty() {
        print_line("the store keeps no secrets");
    }
    for secret in secrets {
        let text = |name: &str| secret[name].as_str().unwrap_or_default();
        print_line(&format!("{}  set at {}", text("name"), text("at")));
    }
    Ok(Findings::None)
}

fn remove(config: &Config, name: &str) -> Result<Findings> {
    ensure!(!config.names_of_sealed().contains(name), "zelo.toml names `{name}`; take it out there first, or set another");
    let gone: bool = ask(config, &Request::RemoveSecret { name: name.to_owned() })?;
    print_line(&if gone { format!("`{name}` is forgotten") } else { format!("there is no secret `{name}`; see zelo secret list") });
    Ok(if gone { Findings::None } else { Findings::Some })
}

/// Asks the server, or the store, which is made where there is none yet: secrets may come before the first start.
fn ask<T: serde::de::DeserializeOwned>(config: &Config, request: &Request) -> Result<T> {
    if config.database()?.exists() {
        return control::aside(config, async |way| way.ask(request).await);
    }
    super::tokio()?.block_on(async {
        let way = control::Way::open(config).await?;
        let answer = way.ask(request).await;
        way.close().await?;
        answer
    })
}
