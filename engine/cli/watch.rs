//! Sees when rule files, plugins and samples change, and has the running server take over changed ones: all of them, or none.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use tokio::sync::watch;
use zelo_host::Host;
use zelo_rules::{Shape, Source};
use zelo_runtime::rulebook::{self, Edition};
use zelo_runtime::{Catalog, Installed, Runtime};

use crate::config::Config;

/// How often the folders are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What a folder looks like from outside: changes when a file in it does.
type Stamp = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// What the folders of rules and plugins look like. Taken before they are loaded, so that no change falls between.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Seen {
    rules: Stamp,
    plugins: Stamp,
    samples: Stamp,
}

impl Seen {
    pub(super) fn now(config: &Config) -> Self {
        let installed = config.installed();
        let signatures = stamp(&installed.folder, "minisig");
        let plugins = stamp(&installed.folder, "wasm").into_iter().chain(signatures).chain([of(&installed.lock)]);
        // Schemas stand beside the sources that name them.
        let rules = stamp(&config.rules(), "toml").into_iter().chain(stamp(&config.rules(), "json"));
        Self { rules: rules.collect(), plugins: plugins.collect(), samples: Stamp::new() }
    }

    /// The same with the files `samples`.
    pub(super) fn with_samples(config: &Config, samples: &[PathBuf]) -> Self {
        Self { samples: samples.iter().map(of).collect(), ..Self::now(config) }
    }

    /// Whether the plugins are the same.
    pub(super) fn same_plugins(&self, other: &Self) -> bool {
        self.plugins == other.plugins
    }
}

/// What one file looks like, which may not be there.
fn of(path: &PathBuf) -> (PathBuf, u64, Option<SystemTime>) {
    let found = std::fs::metadata(path).ok();
    (path.clone(), found.as_ref().map_or(0, Metadata::len), found.and_then(|found| found.modified().ok()))
}

/// The files that `source` names: samples and schemas.
pub(super) fn samples(source: &Source) -> impl Iterator<Item = PathBuf> {
    let folder = Path::new(&source.file).parent().unwrap_or(Path::new("")).to_owned();
    let named = source.events.iter().flat_map(|event| [event.sample.as_deref(), event.shape.as_ref().map(Shape::name)]).flatten();
    named.map(move |name| folder.join(name))
}

/// Looks at the folders of rules and plugins, loaded as they were when `seen`, until `stop` turns true.
pub(super) fn spawn(config: Config, runtime: Runtime, mut seen: Seen, mut stop: watch::Receiver<bool>) {
    tokio::spawn(async move {
        let mut before = seen.clone();
        while !*stop.borrow() {
            tokio::select! {
                _ = stop.changed() => break,
                () = tokio::time::sleep(LOOK) => {}
            }
            let outlived = runtime.rules.outlived();
            let looked = config.clone();
            let now = tokio::task::spawn_blocking(move || {
                drop(outlived);
                Seen::now(&looked)
            });
            let Ok(now) = now.await else { continue };
            // Taken over when it has stood still for one look: an editor may be in the middle of several files.
            if now == before && now != seen {
                let plugins_changed = now.plugins != seen.plugins;
                seen = now.clone();
                take_over(&config, &runtime, plugins_changed).await;
            }
            before = now;
        }
    });
}

async fn take_over(config: &Config, runtime: &Runtime, plugins_changed: bool) {
    match load(config, runtime, plugins_changed).await {
        Ok(edition) => {
            let timetable = edition.in_force.clone();
            let rules = edition.rules.rules().count();
            match runtime.store.retime(timetable).await {
                Ok(changed) => {
                    runtime.count_ended(&changed);
                    tracing::info!(rules, jobs = changed.len(), "changed rules are in force");
                }
                Err(error) => tracing::error!(%error, "the due times of pending jobs could not be computed again; they are when they run"),
            }
            for connection in runtime.connections.values().filter(|connection| runtime.is_insecure(connection)) {
                tracing::warn!(connection = connection.name, "insecure: deliveries are not verified");
            }
            runtime.tell_rules().await;
            runtime.bell.notify_one();
        }
        Err(error) => {
            tracing::error!("the changed rules are not in force, those before them stay: {error}");
            runtime.rules.refuse(&error);
        }
    }
}

async fn load(config: &Config, runtime: &Runtime, plugins_changed: bool) -> Result<Arc<Edition>, rulebook::Error> {
    let catalog = if plugins_changed {
        let installed = config.installed_for_jobs().map_err(|error| rulebook::Error::Broken(error.to_string()))?;
        // A lock that is gone would let anything in: what was locked stays locked.
        let locked = installed.locked || runtime.rules.current().catalog.is_locked();
        load_plugins(&runtime.host, Installed { locked, ..installed }).await?
    } else {
        runtime.rules.current().catalog.clone()
    };
    let rules = rulebook::load(&config.rules(), &catalog).await?;
    runtime.rules.exchange(runtime.store.as_ref(), move |_, rows| Edition::new(rules, catalog, rows)).await
}

/// Compiling takes a while; others go on meanwhile.
async fn load_plugins(host: &Arc<Host>, installed: Installed) -> Result<Arc<Catalog>, rulebook::Error> {
    let host = host.clone();
    match tokio::task::spawn_blocking(move || Catalog::load(&host, &installed)).await {
        Ok(loaded) => Ok(Arc::new(loaded?)),
        Err(broken) => Err(rulebook::Error::Broken(broken.to_string())),
    }
}

fn stamp(folder: &Path, extension: &str) -> Stamp {
    let mut stamp = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                stamp.push((path, metadata.len(), metadata.modified().ok()));
            }
        }
    }
    stamp.sort();
    stamp
}
