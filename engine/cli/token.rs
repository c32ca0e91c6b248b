//! `zelo token`: ways in.

use std::path::Path;

use anyhow::Result;
use zelo_core::ClinicRef;

use super::control::{self, Request};
use super::{Findings, Format, print_line, serve};

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
        /// How many days it is good for; without it, until it is revoked.
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
        days: Option<u16>,
    },
    /// List tokens, links and sessions that are good for something.
    List {
        /// How to print them.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Make one of them good for nothing, at once.
    Revoke {
        /// What `zelo token list` calls it.
        id: String,
    },
    /// Make a sign-in link and print it: for one use, within fifteen minutes.
    Link,
}

pub(super) fn run(config: Option<&Path>, command: &Command) -> Result<Findings> {
    let request = match command {
        Command::New { role, name, clinics, days } => {
            let clinics = clinics.iter().map(ToString::to_string).collect();
            Request::Token { role: role.clone(), name: name.clone(), clinics, days: *days }
        }
        Command::List { .. } => Request::Credentials,
        Command::Revoke { id } => Request::Revoke { id: id.clone() },
        Command::Link => Request::Link,
    };
    let (config, value) = control::run(config, &request)?;
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    match command {
        Command::New { .. } => print_line(&text("token")),
        Command::List { format: Format::Json } => print_line(&value.to_string()),
        Command::List { format: Format::Text } => value.as_array().into_iter().flatten().for_each(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let clinics =
                row["clinics"].as_array().map(|named| named.iter().filter_map(|clinic| clinic.as_str()).collect::<Vec<_>>().join(", "));
            let until = row["expires"].as_str().map_or("until it is revoked".to_owned(), |at| format!("until {at}"));
            let of = clinics.map(|clinics| format!("  {clinics}")).unwrap_or_default();
            print_line(&format!(
                "{}  {}  {}  {}  since {}  {until}{of}",
                text("id"),
                text("kind"),
                text("role"),
                text("name"),
                text("created")
            ));
        }),
        Command::Revoke { .. } => print_line(&format!("{} {} is good for nothing any more", text("kind"), text("id"))),
        Command::Link => print_line(&serve::sign_in_link(&config, &text("code"))),
    }
    Ok(Findings::None)
}
