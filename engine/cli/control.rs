//! Commands that write: through the running server's control socket, or on the store itself if no server has it open.
//!
//! One JSON request a line, one JSON answer a line, over a Unix socket that only the server's user can reach (mode 0600).

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use zelo_core::{AutomationId, Clock, Entropy, Timestamp};
use zelo_rules::RuleSet;
use zelo_runtime::rulebook::{self, Edition};
use zelo_runtime::system::{SystemClock, SystemEntropy};
use zelo_runtime::{Connection, Runtime};
use zelo_server::access::{self, Role};
use zelo_store::{AutomationRow, Store};

use super::setup::{self, Secrets};
use crate::config::Config;

/// What a command asks to be written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(super) enum Request {
    Token { role: String, name: String },
    Link,
    Automations,
    Automation { rule: String, connection: Option<String>, clinic: Option<String>, settings: Map<String, Value>, enabled: bool },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Ok(Value),
    Error(String),
}

/// A request is a few hundred bytes; nobody needs more.
const LONGEST_REQUEST: u64 = 64 << 10;

fn socket(config: &Config) -> Result<PathBuf> {
    Ok(config.data()?.join("zelo.sock"))
}

/// Asks the running server; if there is none, does it here.
pub(super) async fn ask(config: &Config, request: &Request) -> Result<Value> {
    if let Ok(stream) = UnixStream::connect(socket(config)?).await {
        return ask_server(stream, request).await;
    }
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let store = setup::open_store(config, entropy.clone()).await?;
    let outcome = ask_store(config, store.as_ref(), entropy.as_ref(), request).await;
    store.close().await?;
    outcome
}

async fn ask_store(config: &Config, store: &dyn Store, entropy: &dyn Entropy, request: &Request) -> Result<Value> {
    let (rules, _) = setup::rules(config, &setup::host(config)?)?;
    let connections = setup::connections(config, &rules, entropy, Secrets::Unused)?;
    execute(store, &rules, &connections, &SystemClock, entropy, request).await
}

async fn ask_server(stream: UnixStream, request: &Request) -> Result<Value> {
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    write.write_all(&line).await.context("the server's control socket")?;
    let mut answer = String::new();
    BufReader::new(read).read_line(&mut answer).await.context("the server's control socket")?;
    match serde_json::from_str(&answer).context("the server hung up")? {
        Answer::Ok(value) => Ok(value),
        Answer::Error(message) => Err(anyhow!(message)),
    }
}

/// Answers requests until the process ends.
pub(super) fn listen(config: &Config, runtime: Runtime) -> Result<()> {
    let path = socket(config)?;
    // The store's lock is held, so a socket that is still there belongs to a process that is gone.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).context("the old control socket"),
        _ => {}
    }
    let listener = UnixListener::bind(&path).with_context(|| format!("the control socket {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let runtime = runtime.clone();
            tokio::spawn(async move {
                if let Err(error) = answer(stream, &runtime).await {
                    tracing::warn!(%error, "a request on the control socket was not answered");
                }
            });
        }
    });
    Ok(())
}

async fn answer(stream: UnixStream, runtime: &Runtime) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(LONGEST_REQUEST)).read_line(&mut line).await?;
    let answer = match serve(runtime, &line).await {
        Ok(value) => Answer::Ok(value),
        Err(error) => Answer::Error(format!("{error:#}")),
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    Ok(write.write_all(&line).await?)
}

async fn serve(runtime: &Runtime, line: &str) -> Result<Value> {
    let request: Request = serde_json::from_str(line).context("not a request")?;
    let edition = runtime.rules.current();
    let store = runtime.store.as_ref();
    let value = execute(store, &edition.rules, &runtime.connections, runtime.clock.as_ref(), runtime.entropy.as_ref(), &request).await?;
    if let Request::Automation { rule, enabled, .. } = &request {
        let next = Edition::new(edition.rules.clone(), edition.catalog.clone(), &store.automations().await?)?;
        let timetable = next.in_force.clone();
        runtime.rules.exchange(next);
        let changed = store.retime(timetable).await?.len();
        tracing::info!(rule, enabled, jobs = changed, "an automation was switched");
        runtime.bell.notify_one();
    }
    Ok(value)
}

async fn execute(
    store: &dyn Store,
    rules: &RuleSet,
    connections: &HashMap<String, Connection>,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    request: &Request,
) -> Result<Value> {
    match request {
        Request::Link => Ok(json!({ "code": access::new_link(store, clock, entropy).await? })),
        Request::Token { role, name } => {
            let role = Role::parse(role)
                .with_context(|| format!("`{role}` is not a role; there are viewer, operator, integrator, approver, admin"))?;
            Ok(json!({ "token": access::new_token(store, clock, entropy, role, name).await? }))
        }
        Request::Automations => {
            let rows = store.automations().await?;
            Ok(rows.iter().map(told).collect())
        }
        Request::Automation { rule, connection, clinic, settings, enabled } => {
            let known = store.automations().await?;
            let rows = if *enabled {
                let places = places(rules, connections, rule, connection.as_deref())?;
                places
                    .into_iter()
                    .map(|place| switched_on(rules, &known, rule, place, clinic.as_deref(), settings))
                    .collect::<Result<Vec<_>>>()?
            } else {
                switched_off(&known, rule, connection.as_deref(), clinic.as_deref())?
            };
            let mut told_rows = Vec::new();
            for row in rows {
                let row = AutomationRow { origin: "people".to_owned(), changed: clock.now(), ..row };
                told_rows.push(told(&row));
                store.put_automation(row).await?;
            }
            Ok(Value::Array(told_rows))
        }
    }
}

/// The row that switches `rule` on. A switch alone keeps the settings that it had.
fn switched_on(
    rules: &RuleSet,
    known: &[AutomationRow],
    rule: &str,
    connection: String,
    clinic: Option<&str>,
    settings: &Map<String, Value>,
) -> Result<AutomationRow> {
    let id = AutomationId::new(rule, &connection, clinic);
    let mut all = known.iter().find(|row| row.id == id).map(|row| row.settings.clone()).unwrap_or_default();
    all.extend(settings.clone());
    if let Err(problems) = rules.settings_for(rule, &all) {
        bail!("{}", problems.join("\n"));
    }
    Ok(AutomationRow {
        id,
        rule: rule.to_owned(),
        connection,
        clinic: clinic.map(str::to_owned),
        settings: all,
        enabled: true,
        origin: String::new(),
        changed: Timestamp::UNIX_EPOCH,
    })
}

/// The rows that switch `rule` off, which may be gone from the files already.
fn switched_off(known: &[AutomationRow], rule: &str, connection: Option<&str>, clinic: Option<&str>) -> Result<Vec<AutomationRow>> {
    let there = |row: &&AutomationRow| row.rule == rule && connection.is_none_or(|wanted| wanted == row.connection);
    let of_clinic = |row: &AutomationRow| AutomationRow {
        id: AutomationId::new(rule, &row.connection, clinic),
        clinic: clinic.map(str::to_owned),
        enabled: false,
        ..row.clone()
    };
    let mut rows: Vec<AutomationRow> = known.iter().filter(there).filter(|row| row.clinic.as_deref() == clinic).map(of_clinic).collect();
    if rows.is_empty() {
        // Off for one clinic of a connection where it is on.
        rows.extend(known.iter().filter(there).filter(|row| row.clinic.is_none()).map(of_clinic));
    }
    if rows.is_empty() {
        bail!("`{rule}` was never switched on there; see zelo automation list");
    }
    Ok(rows)
}

/// The connections that a rule is to be switched on for.
fn places(rules: &RuleSet, connections: &HashMap<String, Connection>, rule: &str, wanted: Option<&str>) -> Result<Vec<String>> {
    let found = rules.rule(rule).with_context(|| {
        let known: Vec<&str> = rules.rules().map(|rule| rule.id.as_str()).collect();
        format!("there is no rule `{rule}`; there are {}", known.join(", "))
    })?;
    let reads = |connection: &&Connection| rules.source(&connection.source).is_some_and(|source| rulebook::reads(found, source));
    let mut names: Vec<String> = connections
        .values()
        .filter(reads)
        .filter(|connection| wanted.is_none_or(|wanted| wanted == connection.name))
        .map(|connection| connection.name.clone())
        .collect();
    names.sort();
    if names.is_empty() {
        bail!("there is no connection {}whose events `{rule}` reads", wanted.map(|wanted| format!("`{wanted}` ")).unwrap_or_default());
    }
    Ok(names)
}

fn told(row: &AutomationRow) -> Value {
    json!({
        "id": row.id, "rule": row.rule, "connection": row.connection, "clinic": row.clinic, "settings": row.settings,
        "enabled": row.enabled, "origin": row.origin, "changed": row.changed.to_string(),
    })
}

/// The configuration and the answer, for the commands.
pub(super) fn run(config: Option<&Path>, request: &Request) -> Result<(Config, Value)> {
    let config = Config::load(config)?;
    let value = super::tokio()?.block_on(ask(&config, request))?;
    Ok((config, value))
}
