//! `zelo retain`: deletes now what was kept for as long as `[retention]` says.

use std::path::Path;

use anyhow::Result;
use serde_json::json;
use zelo_core::Clock;
use zelo_runtime::system::SystemClock;
use zelo_store::Retained;

use super::control::{self, Request};
use super::{Findings, Format, print_line, setup};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Say what would be deleted at least, and delete nothing.
    #[arg(long)]
    dry_run: bool,
    /// How to print what was deleted.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let config = Config::load(config)?;
    let all = if config.retention.is_for_ever() { Retained::default() } else { retain(&config, arguments.dry_run)? };
    if arguments.format == Format::Json {
        print_line(&serde_json::to_string_pretty(&json!({ "deleted": all.deleted, "keys": all.keys }))?);
    } else if config.retention.is_for_ever() {
        print_line("everything is kept for ever, but refused deliveries: the configuration has no [retention]");
    } else if all.is_empty() {
        print_line("nothing was kept for long enough to be deleted");
    } else {
        all.deleted.iter().for_each(|(kind, rows)| print_line(&format!("{rows:>8}  {kind}")));
        match arguments.dry_run {
            true => print_line("nothing was deleted: this is what would be, and with it what only that needs"),
            false => print_line(&format!("{:>8}  keys of people of whom nothing is left", all.keys)),
        }
    }
    Ok(Findings::None)
}

/// Round after round, until one finds nothing more.
fn retain(config: &Config, dry_run: bool) -> Result<Retained> {
    let (rules, _) = setup::rules(config, &setup::host(config)?, &config.installed())?;
    let keep = config.retention.at(SystemClock.now(), &rules.classified());
    control::aside(config, async |way| {
        let mut all = Retained::default();
        if dry_run {
            all.deleted = way.ask(&Request::Aged(keep.clone())).await?;
            return Ok(all);
        }
        loop {
            let round: Retained = way.ask(&Request::Retain(keep.clone())).await?;
            if round.is_empty() {
                return Ok(all);
            }
            all.keys += round.keys;
            round.deleted.into_iter().for_each(|(kind, rows)| *all.deleted.entry(kind).or_insert(0) += rows);
        }
    })
}
