//! What several commands put together in the same way.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use zelo_core::retry::RetryPolicy;
use zelo_core::{Actor, AutomationId, Clock, Entropy, Timestamp};
use zelo_host::{Host, HostConfig, Limits};
use zelo_rules::{RuleSet, Source};
use zelo_runtime::intake::Counts;
use zelo_runtime::line::Line;
use zelo_runtime::rulebook::{self, Edition};
use zelo_runtime::{Budgets, Catalog, ChannelKind, Channels, Connection, Installed, Outbound, Rulebook, Runtime, Shared, catalog};
use zelo_store::sqlite::{SqliteConfig, SqliteStore};
use zelo_store::{AutomationRow, MasterKey, Store};

use crate::config::secrets::{self, SecretRef};
use crate::config::{self, Channel, Config};

/// The sandbox. Compiled plugins are kept beside the data.
pub(super) fn host(config: &Config) -> Result<Host> {
    let data = config.data()?;
    secrets::private_folder(&data)?;
    Host::new(HostConfig { cache_dir: Some(data.join("cache")), ..HostConfig::default() }).context("the sandbox cannot be made")
}

/// The sandbox, for commands that need no data folder: compiled plugins are kept with the user's other caches, because half a minute
/// for one in Python is too long to wait at each call.
pub(super) fn host_for_tools() -> Result<Host> {
    let caches = |home: std::ffi::OsString| std::path::Path::new(&home).join(".cache");
    let caches = std::env::var_os("XDG_CACHE_HOME").map(std::path::PathBuf::from).or_else(|| std::env::var_os("HOME").map(caches));
    let Some(folder) = caches.map(|caches| caches.join("zelo/plugins")) else { return host_in_memory() };
    forget_all_but(64, &folder);
    Host::new(HostConfig { cache_dir: Some(folder), ..HostConfig::default() }).or_else(|_| host_in_memory())
}

/// Removes all files but the newest: each change of a plugin leaves one behind, of up to a hundred megabytes.
fn forget_all_but(count: usize, folder: &std::path::Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
    files.sort();
    for (_, path) in files.iter().rev().skip(count) {
        // Whoever else removes it at the same time has done as well.
        let _ = std::fs::remove_file(path);
    }
}

/// The sandbox, without keeping anything.
pub(super) fn host_in_memory() -> Result<Host> {
    Host::new(HostConfig::default()).context("the sandbox cannot be made")
}

/// Opens the store, and makes it with its master key if this is the first start.
pub(super) async fn open_store(config: &Config, entropy: Arc<dyn Entropy>) -> Result<Arc<dyn Store>> {
    let master = secrets::master_key(config, entropy.as_ref())?;
    secrets::private_folder(&config.data()?)?;
    let sqlite = sqlite(config)?;
    let opened = SqliteStore::open(sqlite, master, entropy).await;
    let explained =
        opened.map_err(|error| match secrets::unfinished(config).filter(|_| matches!(error, zelo_store::Error::Sealed { .. })) {
            Some(why) => anyhow::Error::new(error).context(why),
            None => error.into(),
        });
    Ok(explained.with_context(|| format!("the store {}", config.database().unwrap_or_default().display()))?)
}

/// Where the store is, and what is kept of who is erased.
pub(super) fn sqlite(config: &Config) -> Result<SqliteConfig> {
    let register = secrets::register(config)?;
    Ok(SqliteConfig {
        path: Some(config.database()?),
        register: Some(register),
        duties: config.retention.duties(),
        ..SqliteConfig::default()
    })
}

/// A store that is gone with the process.
pub(super) async fn store_in_memory(master: MasterKey, entropy: Arc<dyn Entropy>) -> Result<Arc<dyn Store>> {
    Ok(SqliteStore::open(SqliteConfig { path: None, ..SqliteConfig::default() }, master, entropy).await?)
}

/// Whether secrets are read, and made where they are missing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    Read,
    /// Nothing is verified: a simulation.
    Unused,
}

/// The connections: those of the file, and one by default for each source that has none.
pub(super) fn connections(
    config: &Config,
    rules: &RuleSet,
    entropy: &dyn Entropy,
    secrets: Secrets,
) -> Result<HashMap<String, Connection>> {
    let mut connections = HashMap::new();
    for (name, given) in &config.connections {
        let source = source_of(config, rules, name)?;
        let (found, handshake) = match secrets {
            Secrets::Read => given_secrets(config, given, source).with_context(|| format!("connection `{name}`"))?,
            Secrets::Unused => (Vec::new(), None),
        };
        let connection = Connection {
            name: name.clone(),
            source: given.source.clone(),
            secrets: found,
            clinic: given.clinic.clone(),
            handshake,
            insecure: given.insecure,
            expect: given.expect.map(|expect| expect.0),
        };
        connections.insert(name.clone(), connection);
    }
    for source in rules.sources() {
        let id = source.id.as_str();
        if connections.contains_key(id) || connections.values().any(|connection| connection.source == id) {
            continue;
        }
        let found = match secrets {
            // The key to a public one is the provider's: none can be made up.
            Secrets::Read if source.shares_secret() => vec![default_secret(config, source, entropy)?],
            Secrets::Read | Secrets::Unused => Vec::new(),
        };
        let (name, source) = (id.to_owned(), id.to_owned());
        let connection = Connection { name, source, secrets: found, clinic: None, handshake: None, insecure: false, expect: None };
        connections.insert(id.to_owned(), connection);
    }
    Ok(connections)
}

/// The source of a connection of the file. Without a secret nobody could be let in, so that is a mistake.
pub(super) fn source_of<'r>(config: &Config, rules: &'r RuleSet, name: &str) -> Result<&'r Source> {
    let given = config.connections.get(name).with_context(|| format!("there is no connection `{name}`"))?;
    let Some(source) = rules.source(&given.source) else {
        bail!("connection `{name}`: there is no source `{}` under {}", given.source, config.rules().join("sources").display());
    };
    ensure!(
        given.insecure || !given.secrets.is_empty() || !source.needs_secret(),
        "connection `{name}` has no secret, so nobody could be let in; give it `secrets = [{{ file = \"secrets/{name}\" }}]`, \
         or `insecure = true` to take deliveries from anyone"
    );
    Ok(source)
}

/// The secrets of a connection, and what its provider must know for a handshake.
type GivenSecrets = (Vec<Vec<u8>>, Option<Vec<u8>>);

/// Reads them, and holds them against what the source can use.
fn given_secrets(config: &Config, given: &config::Connection, source: &Source) -> Result<GivenSecrets> {
    let secrets: Vec<Vec<u8>> = given.secrets.iter().map(|secret| secret.read(config)).collect::<Result<_>>()?;
    for (secret, number) in secrets.iter().zip(1..) {
        ensure!(
            given.insecure || source.takes_secret(secret),
            "secret {number} cannot be used: `{}` wants a secret or a public key that is written otherwise (`kind` and `key_encoding` in {})",
            source.id,
            source.file
        );
    }
    Ok((secrets, given.handshake.as_ref().map(|secret| secret.read(config)).transpose()?))
}

/// Has `runtime` take over the secrets of the configured connections, and those of headers, as they are now.
///
/// # Errors
/// One of them cannot be read, and all stay as they were.
pub(super) async fn take_secrets(config: &Config, runtime: &Runtime) -> Result<()> {
    let config = config.unsealed(runtime.store.as_ref()).await?;
    let mut deliveries = HashMap::new();
    let edition = runtime.rules.current();
    for (name, given) in &config.connections {
        let Some(source) = edition.rules.source(&given.source) else { continue };
        let (secrets, _) = given_secrets(&config, given, source).with_context(|| format!("connection `{name}`"))?;
        deliveries.insert(name.clone(), secrets);
    }
    runtime.take_secrets(deliveries, config.header_secrets()?);
    Ok(())
}

/// Where the secret of a connection that nobody configured is kept.
pub(super) fn default_secret_file(config: &Config, source: &str) -> std::path::PathBuf {
    config.path(&std::path::Path::new("secrets").join(source))
}

fn default_secret(config: &Config, source: &Source, entropy: &dyn Entropy) -> Result<Vec<u8>> {
    let path = default_secret_file(config, &source.id);
    if !path.exists() {
        secrets::make(&path, source.secret_prefix(), entropy)?;
    }
    default_secret_ref(&source.id).read(config)
}

fn default_secret_ref(source: &str) -> SecretRef {
    SecretRef::File { file: std::path::Path::new("secrets").join(source) }
}

/// The secret that a sender of `connection` signs with: the first one. None where nothing is verified.
pub(super) fn secret(config: &Config, connection: &str, source: &Source) -> Result<Option<Vec<u8>>> {
    if source.insecure {
        return Ok(None);
    }
    let secret = match config.connections.get(connection) {
        Some(given) => match given.secrets.first() {
            Some(secret) => secret.clone(),
            None => return Ok(None),
        },
        None if default_secret_file(config, &source.id).exists() => default_secret_ref(&source.id),
        None => bail!("connection `{connection}` has no secret yet; the first `zelo serve` makes it"),
    };
    secret.read(config).map(Some).with_context(|| format!("connection `{connection}`"))
}

/// The channels of the file.
pub(super) fn channels(config: &Config) -> Channels {
    let kind = |channel: &Channel| match channel {
        Channel::Outbox {} => ChannelKind::Outbox,
    };
    Channels(config.channels.iter().map(|(name, channel)| (name.clone(), kind(channel))).collect())
}

/// The automations of the file, as rows.
pub(super) fn automations(
    config: &Config,
    rules: &RuleSet,
    connections: &HashMap<String, Connection>,
    now: Timestamp,
) -> Result<Vec<AutomationRow>> {
    let mut rows = Vec::new();
    for given in &config.automations {
        let Some(rule) = rules.rule(&given.rule) else {
            bail!("[[automations]]: there is no rule `{}` under {}", given.rule, config.rules().display());
        };
        let mut on: Vec<&Connection> = match &given.connection {
            Some(name) => match connections.get(name) {
                Some(connection) => vec![connection],
                None => bail!("[[automations]] {}: there is no connection `{name}`", given.rule),
            },
            None => connections
                .values()
                .filter(|connection| rules.source(&connection.source).is_some_and(|source| rulebook::reads(rule, source)))
                .collect(),
        };
        on.sort_by(|one, other| one.name.cmp(&other.name));
        for connection in on {
            rows.push(AutomationRow {
                id: AutomationId::new(&given.rule, &connection.name, given.clinic.as_deref()),
                rule: given.rule.clone(),
                connection: connection.name.clone(),
                clinic: given.clinic.clone(),
                settings: given.settings.clone(),
                enabled: true,
                origin: "config".to_owned(),
                changed: now,
            });
        }
    }
    Ok(rows)
}

/// Makes the store agree with the file: its automations are on, those that left it are off. What people switched on or
/// off since stays as they want it: a restart must not undo their word.
pub(super) async fn keep_automations(store: &dyn Store, wanted: Vec<AutomationRow>, now: Timestamp) -> Result<()> {
    let known = store.automations().await?;
    for row in known.iter().filter(|row| row.origin == "config" && row.enabled) {
        if !wanted.iter().any(|wanted| wanted.id == row.id) {
            store.put_automation(AutomationRow { enabled: false, changed: now, ..row.clone() }, Actor::command()).await?;
        }
    }
    for row in wanted {
        let before = known.iter().find(|known| known.id == row.id);
        let peoples = before.is_some_and(|before| before.origin != "config");
        let same = before.is_some_and(|before| AutomationRow { changed: row.changed, ..before.clone() } == row);
        if !peoples && !same {
            store.put_automation(row, Actor::command()).await?;
        }
    }
    Ok(())
}

/// The plugins that are `installed`. Says so where it takes long.
pub(super) fn catalog(host: &Host, installed: &Installed) -> Result<Catalog, catalog::Error> {
    for path in std::fs::read_dir(&installed.folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "wasm") {
            std::fs::read(&path).iter().for_each(|bytes| announce(host, &path, bytes));
        }
    }
    Catalog::load(host, installed)
}

/// Says that a plugin is about to be compiled, if that takes long: those of Rust and C compile in a moment.
pub(super) fn announce(host: &Host, path: &std::path::Path, bytes: &[u8]) {
    if bytes.len() > 2 << 20 && !host.is_compiled(bytes) {
        eprintln!("compiling {} for this machine, which takes up to a minute and is kept for the next time", path.display());
    }
}

/// The rule files of `config` and the plugins that are `installed`, checked.
pub(super) fn rules(config: &Config, host: &Host, installed: &Installed) -> Result<(Arc<RuleSet>, Arc<Catalog>)> {
    let catalog = catalog(host, installed)?;
    let files = rulebook::read_files(&config.rules())?;
    let (rules, warnings) = rulebook::check(&files, &catalog)?;
    if !warnings.is_empty() {
        anstream::eprint!("{}", zelo_rules::render_in(zelo_rules::Colours::Ansi, &warnings, &files));
    }
    Ok((Arc::new(rules), Arc::new(catalog)))
}

/// The source files of `config` alone: for senders, who need no rules and no plugins.
pub(super) fn sources(config: &Config) -> Result<RuleSet> {
    let mut files = rulebook::read_files(&config.rules())?;
    files.rules.clear();
    Ok(rulebook::check(&files, &Catalog::default())?.0)
}

/// What a runtime stands on.
pub(super) struct Ground {
    pub(super) store: Arc<dyn Store>,
    pub(super) host: Arc<Host>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) outbound: Arc<dyn Outbound>,
    pub(super) secrets: zelo_runtime::Secrets,
}

/// Puts a runtime together.
pub(super) fn runtime(config: &Config, ground: Ground, edition: Edition, connections: HashMap<String, Connection>) -> Runtime {
    let Ground { store, host, clock, entropy, outbound, secrets } = ground;
    Runtime::new(Shared {
        store,
        host,
        rules: Rulebook::new(edition),
        connections,
        channels: channels(config),
        outbound,
        secrets,
        clock,
        entropy,
        retry: RetryPolicy::default(),
        limits: Limits::default(),
        budgets: Budgets::new(config.budget.of_contacts, config.budget.except.iter().map(String::as_str)),
        line: Line::new(config.plugins.concurrency.iter().map(|(name, limit)| (name.clone(), limit.get())).collect(), Vec::new()),
        bell: tokio::sync::Notify::new(),
        counts: Counts::default(),
    })
}
