//! `zelo automation`: what is on, and for whom.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::control::{self, Request, Switch};
use super::{Findings, Format, print_line};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Every automation that is on, or was.
    List {
        /// How to print them.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Switch a rule on. It fires for events that come from now on, never for earlier ones.
    Enable {
        rule: String,
        #[command(flatten)]
        place: Place,
        /// A setting: hours_before=48. Others keep their value, or get their default.
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
        settings: Vec<(String, Value)>,
    },
    /// Switch a rule off. What is pending for it is cancelled.
    Disable {
        rule: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// Default: every connection whose events the rule reads.
    #[arg(long)]
    connection: Option<String>,
    /// Only for this clinic, as the provider names it.
    #[arg(long)]
    clinic: Option<String>,
}

/// A number, true or false stands for itself; all else is text.
fn setting(text: &str) -> Result<(String, Value)> {
    let (name, value) = text.split_once('=').context("a setting is NAME=VALUE")?;
    let value = match serde_json::from_str(value) {
        Ok(scalar @ (Value::Number(_) | Value::Bool(_))) => scalar,
        _ => Value::String(value.to_owned()),
    };
    Ok((name.to_owned(), value))
}

pub(super) fn run(config: Option<&Path>, command: &Command) -> Result<Findings> {
    let switch = |rule: &String, place: &Place, settings: Map<String, Value>, enabled| {
        let (connection, clinic) = (place.connection.clone(), place.clinic.clone());
        Request::Automation(Switch { rule: rule.clone(), connection, clinic, settings, enabled })
    };
    let (request, format) = match command {
        Command::List { format } => (Request::Automations, *format),
        Command::Enable { rule, place, settings } => (switch(rule, place, settings.iter().cloned().collect(), true), Format::Text),
        Command::Disable { rule, place } => (switch(rule, place, Map::new(), false), Format::Text),
    };
    let (_, rows) = control::run(config, &request)?;
    if format == Format::Json {
        print_line(&serde_json::to_string_pretty(&rows)?);
        return Ok(Findings::None);
    }
    for row in rows.as_array().into_iter().flatten() {
        let state = if row["enabled"] == true { "on " } else { "off" };
        print_line(&format!("{state} {}  {}", row["id"].as_str().unwrap_or_default(), row["settings"]));
    }
    Ok(Findings::None)
}
