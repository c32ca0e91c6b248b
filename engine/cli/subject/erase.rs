//! `zelo subject erase`: shows who is meant, asks, erases, and proves it.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use zelo_store::SubjectView;

use super::person::Person;
use super::{Ask, Way, Whom, ask, json_line, output, tell};
use crate::cli::control::Erased;
use crate::cli::{Format, print_line};
use crate::config::{Config, secrets};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    pub(super) person: Person,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// All people who are found, where there are several.
    #[arg(long)]
    all: bool,
    /// Write the proof here, as JSON; it holds no value of theirs, so it can be kept.
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// How to print the proof.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) async fn run(way: &Way, config: &Config, arguments: &Arguments, whom: &Whom, found: &[SubjectView]) -> Result<()> {
    let living: Vec<&SubjectView> = found.iter().filter(|view| view.erased.is_none()).collect();
    if living.is_empty() {
        if !found.is_empty() {
            eprintln!("{}", tell::erased(found));
        }
        return Ok(());
    }
    let people = || living.iter().flat_map(|view| tell::person(view)).collect::<Vec<_>>().join("\n");
    let several = living.len() > 1 && !arguments.all && !tell::is_one_person(whom);
    ensure!(
        !several,
        "this {} belongs to {} people, so nobody was erased; say which with --pseudonym, or --all:\n{}",
        tell::by(whom),
        living.len(),
        people()
    );
    if let Some(held) = living.iter().find(|view| view.held.is_some()) {
        bail!(
            "the data of {} are on hold, so nobody was erased; let them go first (zelo subject release --pseudonym {})",
            held.pseudonym,
            held.pseudonym
        );
    }
    if !arguments.yes {
        eprintln!("{}", people());
        confirm(&living)?;
    }
    // Made first: what is erased must not go without its proof because a folder is missing.
    let file = match &arguments.proof {
        Some(path) => {
            Some(output::make(path).with_context(|| format!("the proof {} cannot be written; nobody was erased", path.display()))?)
        }
        None => None,
    };
    let register = secrets::register(config)?;
    let mut proofs = Vec::new();
    for view in living {
        let erased: Erased = ask(way, Ask::Erase { subject: view.pseudonym }).await?;
        if arguments.format == Format::Text {
            tell::proof(view, &erased, &register).iter().for_each(|line| print_line(line));
        }
        proofs.push(erased.proof);
    }
    if let Some(mut file) = file {
        let text = if let [one] = proofs.as_slice() { serde_json::to_string_pretty(one)? } else { serde_json::to_string_pretty(&proofs)? };
        file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all()).context("the proof")?;
    }
    if arguments.format == Format::Json { json_line(&proofs) } else { Ok(()) }
}

/// Has the pseudonym of each typed.
fn confirm(living: &[&SubjectView]) -> Result<()> {
    for view in living {
        let name = view.pseudonym.to_string();
        eprint!("nothing brings it back. To erase {name}, type it: ");
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        ensure!(line.trim() == name, "this is not {name}, so nobody was erased");
    }
    Ok(())
}
