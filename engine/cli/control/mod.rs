//! Commands that write: through the running server's control socket, or on the store itself if no server has it open.
//!
//! One JSON request a line, one JSON answer a line, over a Unix socket that only the server's user can reach (mode 0600). What takes
//! long says how far it is on lines of its own before the answer.

mod audit;
mod automations;
mod backtest;
mod credentials;
mod explain;
mod follow;
mod halts;
mod jobs;
mod persons;
mod records;
mod refused;
mod replay;
mod rules;
mod secrets;
mod subjects;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use zelo_core::{Actor, ClinicRef, Clinics, Clock, Entropy};
use zelo_rules::{InForce, RuleSet};
use zelo_runtime::backtest::Progress;
use zelo_runtime::rulebook::Edition;
use zelo_runtime::system::{SystemClock, SystemEntropy};
use zelo_runtime::{Catalog, Channels, Connection, Runtime};
use zelo_server::access::{self, Role};
use zelo_store::{AutomationRow, MasterKey, Retention, Store};

pub(super) use audit::{Ask as AuditAsk, Checked, Heads};
pub(super) use automations::Switch;
pub(super) use backtest::{Outcome, Text, Trial, Tried};
pub(super) use explain::{Ask, What};
pub(super) use follow::{Followed, Here, JobSeen, Since};
pub(super) use jobs::Ask as JobsAsk;
pub(super) use persons::Ask as PersonAsk;
pub(super) use records::{Batch, Fields, Row, Tally};
pub(super) use refused::Ask as RefusedAsk;
pub(super) use replay::Ask as ReplayAsk;
pub(super) use secrets::Unsaid;
pub(super) use subjects::{Ask as SubjectAsk, Erased, Exported, Shape, Whom};

use super::backup;
use super::setup::{self, Secrets};
use crate::config::Config;

/// What a command asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(super) enum Request {
    Token {
        role: String,
        name: String,
        /// Of which it is told alone; of everything, where none is named.
        #[serde(default)]
        clinics: Vec<String>,
        /// How long it is good for; for good, where that is not said.
        #[serde(default)]
        days: Option<u16>,
    },
    Credentials,
    /// Makes one good for nothing, by the beginning of its hash.
    Revoke {
        id: String,
    },
    Link,
    /// About people who sign in with a password.
    Person(PersonAsk),
    Automations,
    Automation(Switch),
    /// What is in force.
    Rules,
    /// One rule on one screen.
    Rule {
        id: String,
    },
    /// What is kept of records of a type.
    Fields {
        record: String,
        connection: Option<String>,
    },
    Import(Batch),
    /// Why rules fire or do not.
    Explain(Ask),
    /// How the running server is set up.
    Here,
    /// What happened since.
    Follow(Since),
    /// What other rules would have done.
    Backtest(Trial),
    /// About jobs.
    Jobs(JobsAsk),
    /// Stored events, once more for a rule.
    Replay(ReplayAsk),
    /// About a person.
    Subject(SubjectAsk),
    /// About the audit log.
    Audit(AuditAsk),
    /// A round of deleting what was kept long enough; those that follow are asked for, too.
    Retain(Retention),
    /// How much that would be.
    Aged(Retention),
    /// What is halted.
    Halts,
    Halt {
        scope: String,
        reason: Option<String>,
    },
    Resume {
        scope: String,
    },
    /// About refused deliveries.
    Refused(RefusedAsk),
    /// The names of secrets.
    Secrets,
    SetSecret {
        name: String,
        value: Unsaid,
    },
    RemoveSecret {
        name: String,
    },
    /// A copy of everything, to an absolute path.
    Backup {
        file: PathBuf,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Ok(Value),
    Error(String),
    /// The answer comes later.
    Progress(Progress),
}

/// In bytes: the texts of some thousand rules; all else is less than 1 MiB.
const LONGEST_REQUEST: u64 = 16 << 20;

/// The way to the store.
pub(super) enum Way {
    /// The server that has it open, by its socket.
    Server(PathBuf),
    /// Nobody else has it open: it is ours, under its lock.
    Store(Box<Opened>),
}

/// A store and what its requests need beside it.
pub(super) struct Opened {
    store: Arc<dyn Store>,
    rules: Arc<RuleSet>,
    catalog: Arc<Catalog>,
    connections: HashMap<String, Connection>,
    channels: Channels,
    entropy: Arc<dyn Entropy>,
    /// What the configuration switches on.
    configured: Vec<AutomationRow>,
}

/// What requests are carried out on.
struct Scene<'a> {
    store: &'a dyn Store,
    rules: &'a Arc<RuleSet>,
    catalog: &'a Arc<Catalog>,
    connections: &'a HashMap<String, Connection>,
    channels: &'a Channels,
    clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
    /// The server that answers.
    server: Option<(SocketAddr, Arc<InForce>)>,
    /// Why the files on disk are not what is in force; none where they are.
    problem: Option<String>,
    /// What the configuration switches on, for a store that no server has opened yet.
    configured: &'a [AutomationRow],
}

impl Scene<'_> {
    /// The rules in force for the automations that are on.
    async fn in_force(&self) -> Result<Arc<InForce>> {
        match &self.server {
            Some((_, in_force)) => Ok(in_force.clone()),
            None => Ok(Edition::new(self.rules.clone(), self.catalog.clone(), &self.store.automations().await?)?.in_force),
        }
    }
}

impl Opened {
    fn scene(&self) -> Scene<'_> {
        let Self { store, rules, catalog, connections, channels, entropy, configured } = self;
        let (clock, entropy, store) = (&SystemClock, entropy.as_ref(), store.as_ref());
        Scene { store, rules, catalog, connections, channels, clock, entropy, server: None, problem: None, configured }
    }
}

fn socket(config: &Config) -> Result<PathBuf> {
    Ok(config.data()?.join("zelo.sock"))
}

impl Way {
    /// The running server, if there is one.
    pub(super) async fn to_server(config: &Config) -> Result<Option<Self>> {
        let path = socket(config)?;
        Ok(UnixStream::connect(&path).await.is_ok().then_some(Self::Server(path)))
    }

    /// The running server, else the store.
    pub(super) async fn open(config: &Config) -> Result<Self> {
        if let Some(server) = Self::to_server(config).await? {
            return Ok(server);
        }
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let store = setup::open_store(config, entropy.clone()).await?;
        Self::over(config, store, entropy).await
    }

    /// The same for looking only: where there is no store yet, none is made.
    pub(super) async fn look(config: &Config) -> Result<Self> {
        if config.database()?.exists() {
            return Self::open(config).await;
        }
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let store = setup::store_in_memory(MasterKey::generate(entropy.as_ref()), entropy.clone()).await?;
        Self::over(config, store, entropy).await
    }

    /// The same for what needs no rules: nobody's data stay because of a mistake in a rule, or a plugin that is gone. There must be a
    /// store.
    pub(super) async fn aside(config: &Config) -> Result<Self> {
        if let Some(server) = Self::to_server(config).await? {
            return Ok(server);
        }
        let database = config.database()?;
        ensure!(database.exists(), "there is no store yet: {} is made by the first `zelo serve`", database.display());
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let rules = Arc::new(setup::sources(config)?);
        let connections = setup::connections(config, &rules, entropy.as_ref(), Secrets::Unused)?;
        let store = setup::open_store(config, entropy.clone()).await?;
        let (catalog, channels) = (Arc::new(Catalog::default()), setup::channels(config));
        Ok(Self::Store(Box::new(Opened { store, rules, catalog, connections, channels, entropy, configured: Vec::new() })))
    }

    async fn over(config: &Config, store: Arc<dyn Store>, entropy: Arc<dyn Entropy>) -> Result<Self> {
        let loaded = || {
            let host = if config.data()?.exists() { setup::host(config)? } else { setup::host_for_tools()? };
            let (rules, catalog) = setup::rules(config, &host, &config.installed())?;
            let connections = setup::connections(config, &rules, entropy.as_ref(), Secrets::Unused)?;
            let configured = setup::automations(config, &rules, &connections, SystemClock.now())?;
            Ok((rules, catalog, connections, configured))
        };
        match loaded() {
            Ok((rules, catalog, connections, configured)) => {
                let channels = setup::channels(config);
                Ok(Self::Store(Box::new(Opened { store, rules, catalog, connections, channels, entropy, configured })))
            }
            Err(error) => {
                store.close().await?;
                Err(error)
            }
        }
    }

    /// Asks for one thing.
    pub(super) async fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T> {
        let value = match self {
            Self::Server(path) => ask_server(path, request, |_| ControlFlow::Continue(())).await?,
            Self::Store(opened) => execute(&opened.scene(), request).await?,
        };
        serde_json::from_value(value).context("the answer is not what was asked for; is the server of another version?")
    }

    /// Counts what other rules would have done. `tell` hears how far it is.
    pub(super) async fn backtest(&self, trial: &Trial, tell: impl FnMut(Progress) -> ControlFlow<()> + Send + 'static) -> Result<Tried> {
        match self {
            Self::Server(path) => Ok(serde_json::from_value(ask_server(path, &Request::Backtest(trial.clone()), tell).await?)?),
            Self::Store(opened) => backtest::run(&opened.scene(), trial, tell).await,
        }
    }

    /// Gives the store back.
    pub(super) async fn close(self) -> Result<()> {
        match self {
            Self::Server(_) => Ok(()),
            Self::Store(opened) => Ok(opened.store.close().await?),
        }
    }
}

async fn ask_server(path: &Path, request: &Request, mut tell: impl FnMut(Progress) -> ControlFlow<()>) -> Result<Value> {
    let stream = UnixStream::connect(path).await.context("the server's control socket")?;
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    write.write_all(&line).await.context("the server's control socket")?;
    let mut read = BufReader::new(read);
    loop {
        let mut answer = String::new();
        read.read_line(&mut answer).await.context("the server's control socket")?;
        match serde_json::from_str(&answer).context("the server hung up")? {
            Answer::Ok(value) => return Ok(value),
            Answer::Error(message) => return Err(anyhow!(message)),
            Answer::Progress(progress) if tell(progress).is_break() => bail!("stopped"),
            Answer::Progress(_) => {}
        }
    }
}

/// Answers requests until the process ends. `address` is where the server listens for deliveries.
pub(super) fn listen(config: &Config, runtime: Runtime, address: SocketAddr) -> Result<()> {
    let path = socket(config)?;
    // The store's lock is held, so a socket that is still there belongs to a process that is gone.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).context("the old control socket"),
        _ => {}
    }
    let config = Arc::new(config.clone());
    let listener = UnixListener::bind(&path).with_context(|| format!("the control socket {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (config, runtime) = (config.clone(), runtime.clone());
            tokio::spawn(async move {
                if let Err(error) = answer(stream, &config, &runtime, address).await {
                    tracing::warn!(%error, "a request on the control socket was not answered");
                }
            });
        }
    });
    Ok(())
}

async fn answer(stream: UnixStream, config: &Config, runtime: &Runtime, address: SocketAddr) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(LONGEST_REQUEST)).read_line(&mut line).await?;
    if line.is_empty() {
        // Somebody only wanted to know whether there is a server.
        return Ok(());
    }
    let (steps, mut progress) = mpsc::channel(1);
    let serving = serve(config, runtime, &line, address, steps);
    tokio::pin!(serving);
    let answer = loop {
        tokio::select! {
            answer = &mut serving => break answer,
            // Nobody who listens is told of this failing: the step after it finds that out.
            Some(step) = progress.recv() => if say(&mut write, &Answer::Progress(step)).await.is_err() { progress.close() },
        }
    };
    let answer = match answer {
        Ok(value) => Answer::Ok(value),
        Err(error) => Answer::Error(format!("{error:#}")),
    };
    say(&mut write, &answer).await
}

async fn say(write: &mut OwnedWriteHalf, answer: &Answer) -> Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    Ok(write.write_all(&line).await?)
}

/// Carries out one request. `steps` takes how far it is; where nobody hears that any more, it stops.
async fn serve(config: &Config, runtime: &Runtime, line: &str, address: SocketAddr, steps: mpsc::Sender<Progress>) -> Result<Value> {
    if !line.ends_with('\n') {
        bail!("a request has at most {} KiB", LONGEST_REQUEST >> 10);
    }
    let request: Request = serde_json::from_str(line).context("not a request")?;
    let edition = runtime.rules.current();
    let store = runtime.store.as_ref();
    let scene = Scene {
        store,
        rules: &edition.rules,
        catalog: &edition.catalog,
        connections: &runtime.connections,
        channels: &runtime.channels,
        clock: runtime.clock.as_ref(),
        entropy: runtime.entropy.as_ref(),
        server: Some((address, edition.in_force.clone())),
        problem: runtime.rules.problem(),
        configured: &[],
    };
    if let Request::Backtest(trial) = &request {
        let tell = move |step| match steps.blocking_send(step) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        return Ok(serde_json::to_value(backtest::run(&scene, trial, tell).await?)?);
    }
    if let Request::Automation(switch) = &request {
        return automations::switch(runtime, switch).await;
    }
    if let Request::RemoveSecret { name } = &request {
        ensure!(
            !config.names_of_sealed().contains(name.as_str()),
            "the running server uses `{name}`; set another, or take it out of zelo.toml"
        );
    }
    let value = execute(&scene, &request).await?;
    match &request {
        Request::SetSecret { name, .. } => {
            if config.names_of_sealed().contains(name.as_str()) {
                setup::take_secrets(config, runtime)
                    .await
                    .context("the secret is kept, but the running server goes on with the one before")?;
            }
            tracing::info!(name, "a secret was set");
        }
        Request::Halt { scope, .. } | Request::Resume { scope } => {
            runtime.heed_halts().await?;
            tracing::warn!(scope, halted = matches!(request, Request::Halt { .. }), "the kill switch was used");
        }
        Request::Import(batch) if !batch.dry_run => {
            tracing::info!(connection = batch.connection, record = batch.record, records = batch.rows.len(), "records were imported");
            // Jobs may have waited for what is known now.
            runtime.bell.notify_one();
        }
        Request::Replay(ask) if !ask.dry_run => {
            tracing::info!(rule = ask.rule, "a person had events replayed");
            runtime.bell.notify_one();
        }
        Request::Jobs(ask) if ask.wakes() => {
            tracing::info!("a person decided about jobs");
            runtime.bell.notify_one();
        }
        _ => {}
    }
    Ok(value)
}

fn role_of(word: &str) -> Result<Role> {
    Role::parse(word).with_context(|| format!("`{word}` is not a role; there are viewer, operator, integrator, approver, admin"))
}

/// The clinics that are named; all, where none is.
fn named(clinics: &[String]) -> Result<Clinics> {
    let named: Result<Vec<ClinicRef>, String> = clinics.iter().map(|text| text.parse()).collect();
    Ok(Clinics::of(named.map_err(anyhow::Error::msg)?))
}

async fn execute(scene: &Scene<'_>, request: &Request) -> Result<Value> {
    let Scene { store, clock, entropy, .. } = *scene;
    match request {
        Request::Link => Ok(json!({ "code": access::new_link(store, clock, entropy, Actor::command()).await? })),
        Request::Token { role, name, clinics, days } => {
            let credential = (role_of(role)?, named(clinics)?);
            let life = days.map(|days| SignedDuration::from_hours(24 * i64::from(days)));
            Ok(json!({ "token": access::new_token(store, clock, entropy, credential, name, life, Actor::command()).await? }))
        }
        Request::Credentials => credentials::list(scene).await,
        Request::Revoke { id } => credentials::revoke(scene, id).await,
        Request::Person(ask) => persons::answer(scene, ask).await,
        Request::Automations => automations::list(scene).await,
        Request::Rules => rules::list(scene).await,
        Request::Rule { id } => rules::show(scene, id).await,
        Request::Automation(switch) => automations::keep(scene, switch).await,
        Request::Fields { record, connection } => Ok(serde_json::to_value(records::fields(scene, record, connection.as_deref())?)?),
        Request::Import(batch) => Ok(serde_json::to_value(records::import(scene, batch).await?)?),
        Request::Explain(ask) => explain::explain(scene, ask).await,
        Request::Here => Ok(serde_json::to_value(follow::here(scene).await?)?),
        Request::Follow(since) => Ok(serde_json::to_value(follow::follow(scene, since).await?)?),
        Request::Jobs(ask) => jobs::answer(scene, ask).await,
        Request::Replay(ask) => Ok(serde_json::to_value(replay::run(scene, ask).await?)?),
        Request::Subject(ask) => subjects::answer(scene, ask).await,
        Request::Audit(ask) => audit::answer(scene, ask).await,
        Request::Halts => halts::list(scene).await,
        Request::Halt { scope, reason } => halts::halt(scene, scope, reason.clone()).await,
        Request::Resume { scope } => halts::resume(scene, scope).await,
        Request::Refused(ask) => refused::answer(scene, ask).await,
        Request::Secrets => secrets::list(scene).await,
        Request::SetSecret { name, value } => secrets::set(scene, name, value).await,
        Request::RemoveSecret { name } => secrets::remove(scene, name).await,
        Request::Aged(keep) => Ok(serde_json::to_value(store.aged(keep.clone()).await?)?),
        Request::Retain(keep) => Ok(serde_json::to_value(store.retain(keep.clone(), Actor::command(), clock.now()).await?)?),
        Request::Backup { file } => Ok(serde_json::to_value(backup::copy(store, clock, file.clone()).await?)?),
        Request::Backtest(trial) => Ok(serde_json::to_value(backtest::run(scene, trial, |_| ControlFlow::Continue(())).await?)?),
    }
}

/// Carries out `command` on the way to a store that is there already.
pub(super) fn aside<T>(config: &Config, command: impl AsyncFnOnce(&Way) -> Result<T>) -> Result<T> {
    super::tokio()?.block_on(async {
        let way = Way::aside(config).await?;
        let done = command(&way).await;
        way.close().await?;
        done
    })
}

/// The configuration and the answer, for commands that ask for one thing.
pub(super) fn run(config: Option<&Path>, request: &Request) -> Result<(Config, Value)> {
    let config = Config::load(config)?;
    let asked = async {
        let way = Way::open(&config).await?;
        let answer = way.ask(request).await;
        way.close().await?;
        answer
    };
    let value = super::tokio()?.block_on(asked)?;
    Ok((config, value))
}
