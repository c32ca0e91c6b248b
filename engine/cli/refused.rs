//! `zelo refused`: deliveries that were refused, and why.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::control::{self, RefusedAsk, Request};
use super::{Findings, Format, print_line};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One of them, by its trace: with its headers, and its body where that is kept. Notes that you looked.
    trace: Option<String>,
    /// Of this connection only.
    #[arg(long, conflicts_with = "trace")]
    connection: Option<String>,
    /// At most so many, the newest.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000), conflicts_with = "trace")]
    limit: u32,
    /// How to print them.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let config = Config::load(config)?;
    let Arguments { trace, connection, limit, format } = arguments;
    let ask = RefusedAsk { trace: trace.clone(), connection: connection.clone(), limit: *limit };
    let answer: Value = control::aside(&config, async |way| way.ask(&Request::Refused(ask)).await)?;
    if *format == Format::Json {
        print_line(&serde_json::to_string_pretty(&answer)?);
        return Ok(Findings::None);
    }
    let rows = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        print_line("no refused delivery is kept");
    }
    for row in rows {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let times = if row["count"] == 1 { String::new() } else { format!("  ×{}", row["count"]) };
        print_line(
            format!("{}  {}  {}  {}{times}  {}", text("at"), text("connection"), text("trace_id"), text("code"), text("address"))
                .trim_end(),
        );
        print_line(&format!("    {}", text("why")));
        if trace.is_some() {
            print_line(&format!("    path: {}  size: {} bytes", text("path"), row["size"]));
            for header in row["headers"].as_array().into_iter().flatten() {
                print_line(&format!("    {}: {}", header[0].as_str().unwrap_or_default(), header[1].as_str().unwrap_or("(withheld)")));
            }
            if let Some(body) = row["body"].as_str() {
                print_line(&format!("\n{body}"));
            }
        }
    }
    Ok(Findings::None)
}
