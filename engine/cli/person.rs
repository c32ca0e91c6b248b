//! `zelo person`: the people who sign in with a name and a password.

use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::process::{Command as Program, Stdio};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;
use zelo_core::ClinicRef;
use zelo_runtime::system::SystemEntropy;
use zelo_server::{password, people};

use super::control::{self, PersonAsk as Ask, Request};
use super::{Findings, Format, print_line};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add somebody. The password is read from the standard input: one line.
    Add {
        /// By which they sign in: lower-case letters, digits, `.`, `_`, `-` and `@`.
        #[arg(value_parser = name)]
        name: String,
        /// viewer, operator, integrator, approver or admin.
        #[arg(long, default_value = "viewer")]
        role: String,
        /// What they are told of alone: the name of a connection, a slash, and the clinic's id there. May stand several times; without
        /// it, of everything.
        #[arg(long = "clinic", value_name = "CONNECTION/CLINIC")]
        clinics: Vec<ClinicRef>,
    },
    /// List them.
    List {
        /// How to print the list.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Remove somebody; they are signed out.
    Remove {
        #[arg(value_parser = name)]
        name: String,
    },
    /// Give somebody another password, which is read from the standard input; they are signed out.
    Password {
        #[arg(value_parser = name)]
        name: String,
    },
    /// Have somebody sign in with six digits of an app, too: prints the secret for it, this once. They are signed out.
    Code {
        #[arg(value_parser = name)]
        name: String,
        /// No longer.
        #[arg(long)]
        off: bool,
    },
}

fn name(text: &str) -> Result<String> {
    people::name(text).ok_or_else(|| anyhow!("a name is at most {} lower-case letters, digits, `.`, `_`, `-` and `@`", people::NAME_MAX))
}

pub(super) fn run(config: Option<&Path>, command: &Command) -> Result<Findings> {
    let ask = match command {
        Command::Add { name, role, clinics } => {
            let clinics = clinics.iter().map(ToString::to_string).collect();
            Ask::Add { name: name.clone(), role: role.clone(), clinics, password: hashed()? }
        }
        Command::List { .. } => Ask::List,
        Command::Remove { name } => Ask::Remove { name: name.clone() },
        Command::Password { name } => Ask::Password { name: name.clone(), password: hashed()? },
        Command::Code { name, off } => Ask::Code { name: name.clone(), off: *off },
    };
    let (_, value) = control::run(config, &Request::Person(ask))?;
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    match command {
        Command::Add { name, .. } => print_line(&format!("{name} may sign in")),
        Command::List { format } => list(&value, *format)?,
        Command::Remove { name } => print_line(&format!("{name} is removed")),
        Command::Password { name } => print_line(&format!("{name} has another password")),
        Command::Code { name, off: true } => print_line(&format!("{name} signs in without a code")),
        Command::Code { .. } => {
            print_line(text("secret"));
            print_line(text("address"));
        }
    }
    Ok(Findings::None)
}

fn list(people: &Value, format: Format) -> Result<()> {
    if format == Format::Json {
        print_line(&serde_json::to_string_pretty(people)?);
        return Ok(());
    }
    let people = people.as_array().map(Vec::as_slice).unwrap_or_default();
    if people.is_empty() {
        print_line("nobody signs in with a password; see zelo person add");
    }
    for person in people {
        let text = |name: &str| person[name].as_str().unwrap_or_default();
        let clinics: Option<Vec<&str>> = person["clinics"].as_array().map(|named| named.iter().filter_map(Value::as_str).collect());
        let clinics = clinics.map_or("all clinics".to_owned(), |named| named.join(", "));
        let code = if person["code"] == true { "  with a code" } else { "" };
        print_line(&format!("{}  {}  {clinics}{code}", text("name"), text("role")));
    }
    Ok(())
}

/// The hash of the password on the standard input: the password itself goes no further than this.
fn hashed() -> Result<String> {
    let hidden = std::io::stdin().is_terminal();
    if hidden {
        eprintln!("Password:");
    }
    let _quiet = hidden.then(Quiet::begin);
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("the standard input has no password")?;
    let password = line.trim_end_matches(['\r', '\n']);
    ensure!(!password.is_empty(), "the standard input has no password");
    match password::hash(password, &SystemEntropy) {
        Ok(hash) => Ok(hash),
        Err(why) => bail!(why),
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Quiet;

impl Quiet {
    fn begin() -> Self {
        echo("-echo");
        Self
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        echo("echo");
    }
}

/// A terminal without `stty` shows it.
fn echo(how: &str) {
    let _ = Program::new("stty").arg(how).stdin(Stdio::inherit()).stderr(Stdio::null()).status();
}
