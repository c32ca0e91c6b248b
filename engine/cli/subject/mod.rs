//! `zelo subject`: what a person may ask of a clinic, and what a clinic must be able to answer (LGPD art. 18).
//!
//! Whoever is meant is never repeated: values stand in no message and no log, people under their pseudonyms.

mod erase;
mod output;
mod person;
mod tell;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use zelo_core::Pseudonym;
use zelo_server::export::WhoSaw;
use zelo_store::SubjectView;

use super::control::{self, Exported, Request, Shape, SubjectAsk as Ask, Way, Whom};
use super::{Findings, Format, print_line};
use crate::config::Config;
use person::Person;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Who is meant, and who shares a CPF, a phone or an e-mail address with them.
    Find {
        #[command(flatten)]
        person: Person,
        /// How to print it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Hand out all that is kept of a person.
    Export {
        #[command(flatten)]
        person: Person,
        /// Everything as it is kept, or a page to read.
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
        /// Where to write it, for the owner's eyes only: a file, or a folder that gets one file for each person. Default: standard output.
        #[arg(long, value_name = "FILE or FOLDER")]
        out: Option<PathBuf>,
    },
    /// Destroy what is kept of a person, except what a law keeps. Nothing brings it back.
    Erase(erase::Arguments),
    /// Who was shown what of a person: plugins, with purpose and legal basis, and people.
    WhoSaw {
        #[command(flatten)]
        person: Person,
        /// How to print it.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Keep a person's data whatever else is asked: they are neither erased nor deleted by retention until they are let go.
    Hold {
        #[command(flatten)]
        person: Person,
        /// Why; kept sealed like their data.
        #[arg(long)]
        reason: String,
    },
    /// Let go of a person's data that were on hold.
    Release {
        #[command(flatten)]
        person: Person,
    },
    /// Write down what a person said of a consent.
    Consent {
        #[command(flatten)]
        person: Person,
        /// What it is about, as the rules name it.
        #[arg(long)]
        topic: String,
        #[command(flatten)]
        said: Said,
    },
}

// What was said of a consent.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Said {
    /// They agree.
    #[arg(long)]
    given: bool,
    /// They agree no more: what is pending because they did is cancelled.
    #[arg(long)]
    withdrawn: bool,
}

pub(super) fn run(config: Option<&Path>, command: &Command) -> Result<Findings> {
    let config = Config::load(config)?;
    let person = match command {
        Command::Find { person, .. } | Command::Export { person, .. } | Command::WhoSaw { person, .. } => person,
        Command::Hold { person, .. } | Command::Release { person } | Command::Consent { person, .. } => person,
        Command::Erase(arguments) => &arguments.person,
    };
    let whom = person.whom()?;
    control::aside(&config, async |way| {
        let found: Vec<SubjectView> = ask(way, Ask::Find { whom: whom.clone() }).await?;
        match command {
            Command::Find { format: Format::Json, .. } => json_line(&found)?,
            Command::Find { .. } => found.iter().flat_map(tell::person).for_each(|line| print_line(&line)),
            Command::WhoSaw { format, .. } => who_saw(way, &found, *format).await?,
            Command::Export { format, out, .. } => export(way, &found, *format, out.as_deref()).await?,
            Command::Erase(arguments) => erase::run(way, &config, arguments, &whom, &found).await?,
            Command::Hold { reason, .. } => hold(way, &whom, &found, Some(reason)).await?,
            Command::Release { .. } => hold(way, &whom, &found, None).await?,
            Command::Consent { topic, said, .. } => consent(way, &whom, &found, topic, said.given).await?,
        }
        if found.is_empty() {
            eprintln!("zelo: nobody is known by this {}", tell::by(&whom));
            return Ok(Findings::Some);
        }
        Ok(Findings::None)
    })
}

async fn ask<T: serde::de::DeserializeOwned>(way: &Way, ask: Ask) -> Result<T> {
    way.ask(&Request::Subject(ask)).await
}

fn json_line(value: &impl Serialize) -> Result<()> {
    print_line(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Those of `found` whom a change is about. Of a CPF, all are one person; of anything else, several may be several people.
fn meant<'a>(whom: &Whom, found: &'a [SubjectView]) -> Result<Vec<&'a SubjectView>> {
    let living: Vec<&SubjectView> = found.iter().filter(|view| view.erased.is_none()).collect();
    let one = living.len() < 2 || tell::is_one_person(whom);
    ensure!(
        one,
        "this {} belongs to {} people; say which with --pseudonym:\n{}",
        tell::by(whom),
        living.len(),
        living.iter().flat_map(|view| tell::person(view)).collect::<Vec<_>>().join("\n")
    );
    ensure!(!living.is_empty() || found.is_empty(), "{}: nothing is kept of them that could be changed", tell::erased(found));
    Ok(living)
}

async fn hold(way: &Way, whom: &Whom, found: &[SubjectView], reason: Option<&String>) -> Result<()> {
    for view in meant(whom, found)? {
        let subject = view.pseudonym;
        ask::<Value>(way, Ask::Hold { subject, reason: reason.cloned() }).await?;
        let now = if reason.is_some() { "on hold: neither erased nor deleted until `zelo subject release`" } else { "let go" };
        print_line(&format!("{subject}  {now}"));
    }
    Ok(())
}

async fn consent(way: &Way, whom: &Whom, found: &[SubjectView], topic: &str, given: bool) -> Result<()> {
    for view in meant(whom, found)? {
        let subject = view.pseudonym;
        let answer: Value = ask(way, Ask::Consent { subject, topic: topic.to_owned(), given }).await?;
        let said = if given { "given" } else { "withdrawn" };
        let ended = answer["ended"].as_u64().filter(|jobs| *jobs > 0);
        print_line(&format!(
            "{subject}  {topic}: {said}{}",
            ended.map(|jobs| format!("; {jobs} pending jobs cancelled")).unwrap_or_default()
        ));
    }
    Ok(())
}

async fn who_saw(way: &Way, found: &[SubjectView], format: Format) -> Result<()> {
    let mut all = Vec::new();
    for view in found {
        let seen: WhoSaw = ask(way, Ask::Seen { subject: view.pseudonym }).await?;
        match format {
            Format::Text => tell::seen(view, &seen).iter().for_each(|line| print_line(line)),
            Format::Json => all.push(json!({ "subject": view, "disclosures": seen.disclosures, "views": seen.views })),
        }
    }
    if format == Format::Json { json_line(&all) } else { Ok(()) }
}

async fn export(way: &Way, found: &[SubjectView], shape: Shape, out: Option<&Path>) -> Result<()> {
    let pages = shape == Shape::Html && found.len() > 1;
    ensure!(!pages || out.is_some(), "{} people are found: one page each; say where with --out FOLDER", found.len());
    let folder = out.filter(|out| pages || out.is_dir());
    if found.len() > 1 {
        eprintln!("{} people are found: what is kept of one may not be for another's eyes", found.len());
    }
    let mut texts: Vec<(Pseudonym, String)> = Vec::new();
    for view in found {
        let exported: Exported = ask(way, Ask::Export { subject: view.pseudonym, shape }).await?;
        match folder {
            Some(folder) => output::into(folder, view.pseudonym, shape, &exported.text)?,
            None => texts.push((view.pseudonym, exported.text)),
        }
    }
    let text = match (texts.as_slice(), shape, folder) {
        (_, _, Some(_)) => return Ok(()),
        ([], Shape::Html, _) => return Ok(()),
        ([(_, one)], _, _) => one.clone(),
        (several, _, _) => format!("[{}]", several.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(",\n")),
    };
    match out {
        Some(file) => output::write(file, &text).with_context(|| format!("{} cannot be written", file.display())),
        None => {
            print_line(&text);
            Ok(())
        }
    }
}
