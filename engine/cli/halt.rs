//! `zelo halt` and `zelo resume`: the kill switch.

use std::path::Path;

use anyhow::{Result, anyhow};
use serde_json::Value;
use zelo_core::HaltScope;

use super::control::{self, Request};
use super::{Findings, Format, print_line};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What: all, rule:NAME or plugin:NAME. Without it, what is halted is listed.
    #[arg(value_parser = scope)]
    scope: Option<HaltScope>,
    /// Why, for those who find it halted. Nobody's name belongs here.
    #[arg(long, requires = "scope")]
    reason: Option<String>,
    /// How to print the list.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Resume {
    /// What: all, rule:NAME or plugin:NAME, as it was halted.
    #[arg(value_parser = scope)]
    scope: HaltScope,
}

fn scope(text: &str) -> Result<HaltScope> {
    text.parse().map_err(|why: String| anyhow!(why))
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let config = Config::load(config)?;
    let Arguments { scope, reason, format } = arguments;
    let Some(scope) = scope else { return list(&config, *format) };
    let request = Request::Halt { scope: scope.to_string(), reason: reason.clone() };
    let new: bool = control::aside(&config, async |way| way.ask(&request).await)?;
    print_line(&match new {
        true => format!("{scope} is halted: what runs of it is broken off, and nothing of it begins until `zelo resume {scope}`"),
        false => format!("{scope} was halted before"),
    });
    Ok(Findings::None)
}

pub(super) fn resume(config: Option<&Path>, arguments: &Resume) -> Result<Findings> {
    let config = Config::load(config)?;
    let scope = &arguments.scope;
    let lifted: bool = control::aside(&config, async |way| way.ask(&Request::Resume { scope: scope.to_string() }).await)?;
    print_line(&match lifted {
        true => format!("{scope} goes on"),
        false => format!("{scope} was not halted; see zelo halt"),
    });
    Ok(if lifted { Findings::None } else { Findings::Some })
}

fn list(config: &Config, format: Format) -> Result<Findings> {
    let halts: Value = control::aside(config, async |way| way.ask(&Request::Halts).await)?;
    if format == Format::Json {
        print_line(&serde_json::to_string_pretty(&halts)?);
        return Ok(Findings::None);
    }
    let halts = halts.as_array().map(Vec::as_slice).unwrap_or_default();
    if halts.is_empty() {
        print_line("nothing is halted");
    }
    for halt in halts {
        let text = |name: &str| halt[name].as_str().unwrap_or_default();
        print_line(format!("{}  since {}, by {}  {}", text("scope"), text("at"), text("actor"), text("reason")).trim_end());
    }
    Ok(Findings::None)
}
