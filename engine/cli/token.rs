//! `zelo token`: ways in.

use std::path::Path;

use anyhow::Result;
use zelo_core::ClinicRef;

use super::control::{self, Request};
use super::{Findings, print_line, serve};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make an API token and print it. It is shown this once; only its hash is kept.
    New {
        /// viewer, operator, integrator, approver or admin.
        #[arg(long, default_value = "viewer")]
        role: String,
        /// What people call it.
        #[arg(long, default_value = "api")]
        name: String,
        /// What it is told of alone: the name of a connection, a slash, and the clinic's id there. May stand several times; without it, of
        /// everything.
        #[arg(long = "clinic", value_name = "CONNECTION/CLINIC")]
        clinics: Vec<ClinicRef>,
    },
    /// Make a sign-in link and print it: for one use, within fifteen minutes.
    Link,
}

pub(super) fn run(config: Option<&Path>, command: &Command) -> Result<Findings> {
    let request = match command {
        Command::New { role, name, clinics } => {
            Request::Token { role: role.clone(), name: name.clone(), clinics: clinics.iter().map(ToString::to_string).collect() }
        }
        Command::Link => Request::Link,
    };
    let (config, value) = control::run(config, &request)?;
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    match command {
        Command::New { .. } => print_line(&text("token")),
        Command::Link => print_line(&serve::sign_in_link(&config, &text("code"))),
    }
    Ok(Findings::None)
}
