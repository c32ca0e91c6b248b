//! `zelo serve`: everything together.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use zelo_core::http::Target;
use zelo_core::{Actor, AuditEntry, AuditKind, Clock, Entropy, Timestamp};
use zelo_rules::{Class, Classified, RuleSet, Source};
use zelo_runtime::caretaker::Keeping;
use zelo_runtime::keeper::Pace;
use zelo_runtime::outbound::Internet;
use zelo_runtime::rulebook::Edition;
use zelo_runtime::system::{SystemClock, SystemEntropy};
use zelo_runtime::{Care, Connection, Holders, Runtime};
use zelo_server::{Sealed, access};

use super::setup::{self, Ground, Secrets};
use super::{Findings, control, print_line, watch as files};
use crate::config::Config;
use crate::telemetry;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where to listen, instead of what the configuration says.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<std::net::SocketAddr>,
}

pub(super) fn run(config: Option<&Path>, arguments: &Arguments) -> Result<Findings> {
    let mut config = Config::load(config)?;
    if let Some(listen) = arguments.listen {
        config.server.listen = listen;
    }
    let tokio = super::tokio()?;
    let telemetry = telemetry::begin(config.server.log, tokio.handle()).context("cannot begin to log")?;
    tokio.block_on(async {
        let outcome = serve(&config).await;
        telemetry.finish(EXPORT_WITHIN).await;
        outcome
    })?;
    Ok(Findings::None)
}

/// How long the end waits for a collector of traces.
const EXPORT_WITHIN: Duration = Duration::from_secs(2);

/// The address of the pages, as people reach them.
pub(super) fn address(config: &Config) -> String {
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    config.server.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", config.server.listen)).trim_end_matches('/').to_owned()
}

/// A link that signs in once.
pub(super) fn sign_in_link(config: &Config, code: &str) -> String {
    format!("{}/sign-in?code={code}", address(config))
}

async fn serve(config: &Config) -> Result<()> {
    // Bound first: a second server on this address must fail before it touches anything.
    let listener = TcpListener::bind(config.server.listen).await.with_context(|| format!("cannot listen on {}", config.server.listen))?;
    let metrics = match config.server.metrics {
        Some(address) => Some(TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} for /metrics"))?),
        None => None,
    };
    let mut settings = config.door()?;
    settings.sealed = sealed(config);
    let mut signals = Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let seen = files::Seen::now(config);
    let runtime = start(config).await?;
    runtime.heed_halts().await?;
    runtime.tell_rules().await;
    tell_configuration(config, &runtime).await?;
    let (stop, stopped) = watch::channel(false);
    control::listen(config, runtime.clone(), listener.local_addr()?)?;
    files::spawn(config.clone(), runtime.clone(), seen, stopped.clone());
    let within = Duration::from_secs(config.server.stop_timeout_s);
    let keeper = tokio::spawn({
        let (runtime, stopped) = (runtime.clone(), stopped.clone());
        async move { runtime.keep(Pace { stop: within, ..Pace::under(&runtime.limits) }, stopped).await }
    });
    let caretaker = tokio::spawn({
        let (runtime, care, stopped) = (runtime.clone(), care(config)?, stopped.clone());
        async move { runtime.take_care(care, stopped).await }
    });
    // Until this function ends: who watches a stop has to see it.
    let (_serving, ended) = watch::channel(false);
    if let Some(listener) = metrics {
        tokio::spawn(zelo_server::serve_metrics(listener, runtime.clone(), stopped.clone(), ended));
    }
    let server = tokio::spawn(zelo_server::serve(listener, runtime.clone(), settings, stopped));
    welcome(config, &runtime).await?;

    signals.next().await;
    tracing::info!(seconds = within.as_secs(), "stopping: no new deliveries, what runs is finished within this time");
    stop.send_replace(true);
    let end = async {
        let deadline = Instant::now() + within;
        server.await??;
        keeper.await?;
        runtime.note_heard(runtime.clock.now()).await;
        // Whoever holds the heads of the audit log may not answer; the log is signed all the same.
        if let Ok(ended) = tokio::time::timeout_at(deadline.into(), caretaker).await {
            ended?;
        }
        runtime.store.close().await?;
        anyhow::Ok(())
    };
    tokio::select! {
        outcome = end => outcome,
        number = signals.next() => {
            tracing::warn!("stopped at once, as was asked a second time; what ran goes on at the next start");
            std::process::exit(128 + number);
        }
    }
}

/// What tells the process to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Waits for one; its number.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        }
    }
}

/// Writes down of which configuration this start is: of a file that was changed, the digest is another.
async fn tell_configuration(config: &Config, runtime: &Runtime) -> Result<()> {
    let connections: Vec<&String> = config.connections.keys().collect();
    let detail = json!({ "what": "configuration in force", "digest": config.digest, "connections": connections });
    let entry = AuditEntry::new(runtime.clock.now(), AuditKind::Configured, Actor::engine(), &detail);
    Ok(runtime.store.answer_for(vec![entry]).await?)
}

/// Opens the store, loads the rules, and puts them together.
async fn start(config: &Config) -> Result<Runtime> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let store = setup::open_store(config, entropy.clone()).await?;
    let host = Arc::new(setup::host(config)?);
    let config = &config.unsealed(store.as_ref()).await?;
    let (rules, catalog) = setup::rules(config, &host, &config.installed_for_jobs()?)?;
    let connections = setup::connections(config, &rules, entropy.as_ref(), Secrets::Read)?;
    refuse_to_be_overheard(config, &rules, &connections)?;
    let wanted = setup::automations(config, &rules, &connections, clock.now())?;
    setup::keep_automations(store.as_ref(), wanted, clock.now()).await?;
    let edition = Edition::new(rules, catalog, &store.automations().await?)?;
    // The rules may have changed while the server was down.
    store.retime(edition.in_force.clone()).await?;
    let outbound = Arc::new(Internet::new(config.http.bounds()?).map_err(|why| anyhow!("no requests can be made: {why}"))?);
    let ground = Ground { store, host, clock, entropy, outbound, secrets: config.header_secrets()? };
    Ok(setup::runtime(config, ground, edition, connections))
}

/// That nobody on the way reads what is personal: it comes by TLS, here or at a proxy, or does not leave the machine. Else somebody says
/// why not.
fn refuse_to_be_overheard(config: &Config, rules: &RuleSet, connections: &HashMap<String, Connection>) -> Result<()> {
    if !config.is_open_to_listeners() || config.server.plain_http.is_some() {
        return Ok(());
    }
    let is_personal = |source: &Source| source.events.iter().any(|event| event.class != Class::Public);
    let mut personal: Vec<&str> = connections
        .values()
        .filter(|connection| rules.source(&connection.source).is_some_and(is_personal))
        .map(|connection| connection.name.as_str())
        .collect();
    personal.sort_unstable();
    ensure!(
        personal.is_empty(),
        "what comes in through {} is about people, and {} speaks plain HTTP, which everybody on the way can read. Give it a certificate \
         ([server.tls] cert and key); or let a proxy with TLS stand before it, and listen on 127.0.0.1 or name the proxy in \
         trusted_proxies; or, where something else keeps it from being read, say what, as [server] plain_http = \"…\"",
        personal.join(", "),
        config.server.listen
    );
    Ok(())
}

/// What the pages do about sealed secrets.
fn sealed(config: &Config) -> Sealed {
    let (named, config) = (config.names_of_sealed().into_iter().map(str::to_owned).collect::<Vec<_>>(), config.clone());
    Sealed::new(named, move |runtime| {
        let config = config.clone();
        Box::pin(async move { setup::take_secrets(&config, &runtime).await.map_err(|error| format!("{error:#}")) })
    })
}

/// What is kept for how long, and who else holds the heads of the audit log.
fn care(config: &Config) -> Result<Care> {
    let webhook = config.audit.webhook.as_deref().map(Target::parse).transpose();
    let webhook = webhook.map_err(|why| anyhow!("audit.webhook: this is no address that heads could be sent to: {why}"))?;
    let keep = config.retention.clone();
    Ok(Care {
        heads: Holders { file: config.audit.file.as_deref().map(|file| config.path(file)), webhook },
        audit: config.audit.keep.map(|span| span.0),
        retention: Some(Box::new(move |now: Timestamp, classified: &Classified| keep.at(now, classified)) as Keeping),
    })
}

/// Says where everything is. Goes to standard output, never to the log: the link lets its reader in.
async fn welcome(config: &Config, runtime: &Runtime) -> Result<()> {
    let address = address(config);
    print_line(&format!("zelo listens on {address}"));
    if let Some(reason) = config.server.plain_http.as_ref().filter(|_| config.is_open_to_listeners()) {
        print_line(&format!("  ATTENTION: plain HTTP on {}, as plain_http says: {}", config.server.listen, reason.0));
        tracing::warn!(listen = %config.server.listen, reason = reason.0, "plain HTTP for personal data");
    }
    let edition = runtime.rules.current();
    let mut connections: Vec<_> = runtime.connections.values().collect();
    connections.sort_by(|one, other| one.name.cmp(&other.name));
    // Of those that nobody wrote down each is like the other.
    let is_own = |connection: &&Connection| !config.connections.contains_key(&connection.name);
    let mut alike = Vec::new();
    for connection in connections {
        let is_insecure = runtime.is_insecure(connection);
        if is_own(&connection) && !is_insecure && !connection.secrets.is_empty() {
            alike.push(connection.name.as_str());
            continue;
        }
        print_line(&format!("  {} webhooks   {address}/hooks/{}/…", connection.source, connection.name));
        if is_insecure {
            print_line(&format!("  ATTENTION: connection `{}` is insecure: it takes deliveries that nobody signed", connection.name));
            tracing::warn!(connection = connection.name, "insecure: deliveries are not verified");
        } else if connection.secrets.is_empty() && edition.rules.source(&connection.source).is_some_and(Source::needs_secret) {
            print_line(&format!(
                "    takes nothing yet: give it the provider's public key, [connections.{}] secrets in zelo.toml",
                connection.name
            ));
        }
    }
    if let Some(first) = alike.iter().find(|name| **name == "clinicarx").or(alike.first()) {
        print_line(&format!(
            "  webhooks, such as {address}/hooks/{first}/…, each with a secret of its own, such as {}:",
            setup::default_secret_file(config, first).display()
        ));
        for line in alike.chunks(8) {
            print_line(&format!("    {}", line.join("  ")));
        }
    }
    let on: Vec<String> = runtime.store.automations().await?.into_iter().filter(|row| row.enabled).map(|row| row.id.to_string()).collect();
    print_line(&format!(
        "  {} rules; switched on: {}",
        edition.rules.rules().count(),
        if on.is_empty() { "none".to_owned() } else { on.join(", ") }
    ));
    if runtime.store.has_credentials().await? {
        print_line("to sign in: zelo token link");
    } else {
        let (store, clock, entropy) = (runtime.store.as_ref(), runtime.clock.as_ref(), runtime.entropy.as_ref());
        let code = access::new_link(store, clock, entropy, Actor::command()).await?;
        print_line("sign in within fifteen minutes, once (later: zelo token link):");
        print_line(&format!("  {}", sign_in_link(config, &code)));
    }
    Ok(())
}
