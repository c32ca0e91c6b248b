//! `zelo backup` and `zelo restore`: a copy of everything that is stored, and the way back.
//!
//! The master key, the register of erasures, configuration, rules and plugins are no part of it: see `docs/operations.md`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use zelo_core::{Actor, AuditEntry, AuditKind, Clock};
use zelo_runtime::system::{SystemClock, SystemEntropy};
use zelo_store::sqlite::SqliteStore;
use zelo_store::{BackupReport, Store};

use super::control::{Request, Way};
use super::{Findings, Format, print_line, setup};
use crate::config::{Config, secrets};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The file to make; one that is there is not overwritten. The server's user must be able to write to its folder.
    file: PathBuf,
    /// How to print what the backup has.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// The backup.
    file: PathBuf,
    /// Where there is a store, move it aside and keep it.
    #[arg(long)]
    replace: bool,
    /// Only say what the backup has, and whether it is whole and opens with the master key; a server may run.
    #[arg(long, conflicts_with = "replace")]
    check: bool,
    /// How to print what the backup has.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let config = Config::load(config)?;
    // The server has another folder than whoever asks.
    let file = std::path::absolute(&arguments.file)?;
    let report = super::tokio()?.block_on(backup(&config, file.clone())).context("no backup was made")?;
    tell(arguments.format, &report, &[("file", file.display().to_string())])?;
    if arguments.format == Format::Text {
        print_line(&format!("keep {} and the register of erasures apart from it", key(&config)));
    }
    Ok(Findings::None)
}

/// Through the server that runs, else from the store itself: neither rules nor plugins must be right for that.
async fn backup(config: &Config, file: PathBuf) -> Result<BackupReport> {
    if let Some(server) = Way::to_server(config).await? {
        return server.ask(&Request::Backup { file }).await;
    }
    there(config)?;
    let store = setup::open_store(config, Arc::new(SystemEntropy)).await?;
    let report = copy(store.as_ref(), &SystemClock, file).await;
    store.close().await?;
    report
}

/// Makes a backup. It has everything, so the audit log says that it was made before it is.
pub(super) async fn copy(store: &dyn Store, clock: &dyn Clock, file: PathBuf) -> Result<BackupReport> {
    let entry = AuditEntry::new(clock.now(), AuditKind::Exported, Actor::command(), &json!({ "as": "backup" }));
    store.answer_for(vec![entry]).await.context("that a backup is made could not be written down in the audit log")?;
    Ok(store.backup(file).await?)
}

/// Writes down in what was restored that it was, and to where it goes.
async fn tell_restored(config: &Config, report: &BackupReport) -> Result<()> {
    let store = setup::open_store(config, Arc::new(SystemEntropy)).await?;
    let detail = json!({ "what": "restored", "newest": report.newest, "events": report.events });
    let told = store.answer_for(vec![AuditEntry::new(SystemClock.now(), AuditKind::Configured, Actor::command(), &detail)]).await;
    store.close().await?;
    Ok(told?)
}

fn there(config: &Config) -> Result<()> {
    let database = config.database()?;
    ensure!(database.exists(), "there is no store yet: {} is made by the first `zelo serve`", database.display());
    Ok(())
}

pub(super) fn restore(config: Option<&Path>, arguments: &Restore) -> Result<Findings> {
    let config = Config::load(config)?;
    super::tokio()?.block_on(put_back(&config, arguments))?;
    Ok(Findings::None)
}

async fn put_back(config: &Config, arguments: &Restore) -> Result<()> {
    let Restore { file, replace, check, format } = arguments;
    if *check {
        let report = SqliteStore::check(file, &secrets::present_key(config)?).await?;
        return tell(*format, &report, &[("file", file.display().to_string())]);
    }
    ensure!(Way::to_server(config).await?.is_none(), "a server has the store open; stop it first");
    let master = secrets::present_key(config)?;
    secrets::private_folder(&config.data()?)?;
    let mark = format!(".before-{}", SystemClock.now().strftime("%Y%m%dT%H%M%SZ"));
    let restored = SqliteStore::restore(&setup::sqlite(config)?, file, &master, replace.then_some(mark.as_str())).await;
    let restored = restored.context("nothing was restored")?;
    tell_restored(config, &restored.report).await.context("it was restored, and the audit log could not be told")?;
    let database = config.database()?.display().to_string();
    let mut more = vec![("store", database)];
    if let Some(moved) = &restored.moved {
        more.push(("moved", moved.display().to_string()));
    }
    tell(*format, &restored.report, &more)?;
    if *format == Format::Text {
        print_line("at the next start, who was erased since is erased again, from the register of erasures");
        print_line("what came and was done after the backup is not known any more: numbers can be given and messages sent a second time");
    }
    Ok(())
}

/// Where the master key is.
fn key(config: &Config) -> String {
    match &config.store.master_key {
        secrets::SecretRef::File { file } => format!("the master key ({})", config.path(file).display()),
        secrets::SecretRef::Store { .. } => "the master key".to_owned(),
        secrets::SecretRef::Env { env } => format!("the master key (the environment variable {env})"),
    }
}

fn tell(format: Format, report: &BackupReport, more: &[(&str, String)]) -> Result<()> {
    if format == Format::Json {
        let mut told = json!(report);
        if let Some(told) = told.as_object_mut() {
            told.extend(more.iter().map(|(name, text)| ((*name).to_owned(), json!(text))));
        }
        print_line(&serde_json::to_string_pretty(&told)?);
        return Ok(());
    }
    let BackupReport { bytes, schema, events, jobs, newest, audit } = report;
    let mut lines: Vec<(&str, String)> = more.to_vec();
    lines.push(("bytes", bytes.to_string()));
    lines.push(("events", events.to_string()));
    lines.push(("jobs", jobs.to_string()));
    lines.push(("newest event", newest.map_or_else(|| "none".to_owned(), |at| at.to_string())));
    lines.push(("audit log", audit.as_ref().map_or_else(|| "empty".to_owned(), |end| format!("{} entries, {}", end.seq, end.hash))));
    lines.push(("schema", schema.to_string()));
    lines.iter().for_each(|(name, text)| print_line(&format!("{name:<13} {text}")));
    print_line("whole: every page was read, and the audit log is what was written");
    Ok(())
}
