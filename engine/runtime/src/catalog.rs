//! The plugins that can be run.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use zelo_core::grants::Capability;
use zelo_host::{Host, LoadError, MissingGrants, Plugin, Prepared};
use zelo_rules::{Localised, PluginFacts, PluginWords, Plugins, Text};

use crate::installed::{File, Installed};
use crate::lock::Lock;

/// Plugins by name, version and digest.
///
/// Loaded as a whole and never changed. Several versions of one plugin may be there side by side: a rule gets the highest, or the highest of
/// the major version that it pins; and a job that has begun finds the version that it began with again by its digest.
#[derive(Default)]
pub struct Catalog {
    /// The versions of each, the highest last.
    by_name: BTreeMap<String, Vec<Plugin>>,
    installed: Installed,
    /// Whether there was a lock when it was loaded.
    locked: bool,
    /// From the shelf, for jobs that began with them.
    former: Mutex<HashMap<String, Plugin>>,
    prepared: Mutex<HashMap<(String, Vec<Capability>), Prepared>>,
}

/// Why a folder of plugins cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{} cannot be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} is not a plugin that can be used", path.display())]
    Load {
        path: PathBuf,
        #[source]
        source: Box<LoadError>,
    },
    #[error("{} and another file are both plugin `{name}` in version {version}; take one away, or give it a version of its own", path.display())]
    Twice { path: PathBuf, name: String, version: String },
    #[error("{} is no lock: {why}", path.display())]
    Lock { path: PathBuf, why: String },
    #[error("{} is not there, so no plugin may run; `zelo plugin lock` writes it", path.display())]
    NoLock { path: PathBuf },
    #[error("{} is not among the plugins that {} names: its digest is {digest}; `zelo plugin lock` takes over what is installed", path.display(), lock.display())]
    NotLocked { path: PathBuf, lock: PathBuf, digest: String },
    #[error("{} may not run: {why}", path.display())]
    NotSigned { path: PathBuf, why: String },
    #[error("[plugins] signed_by: `{key}` is not a public key as minisign prints them, `RW…`")]
    Signer { key: String },
    #[error("{} cannot be kept for the jobs that begin with it", path.display())]
    Shelf {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl Catalog {
    /// Loads every `*.wasm` that is installed; a folder that does not exist has none.
    ///
    /// # Errors
    /// One of them is no plugin, is not one that the lock names, or is not signed where it must be.
    pub fn load(host: &Host, installed: &Installed) -> Result<Self, Error> {
        let lock = Lock::read(&installed.lock)?;
        if installed.locked && lock.is_none() {
            return Err(Error::NoLock { path: installed.lock.clone() });
        }
        Self::load_locked(host, installed, lock.as_ref())
    }

    /// The same, whatever the lock says: for who writes it.
    ///
    /// # Errors
    /// One of them is no plugin, or is not signed where it must be.
    pub fn load_unlocked(host: &Host, installed: &Installed) -> Result<Self, Error> {
        Self::load_locked(host, installed, None)
    }

    fn load_locked(host: &Host, installed: &Installed, lock: Option<&Lock>) -> Result<Self, Error> {
        let mut catalog = Self { installed: installed.clone(), locked: lock.is_some(), ..Self::default() };
        for File { path, bytes } in installed.files(lock)? {
            let hint = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let plugin = host.load(&hint, &bytes).map_err(|source| Error::Load { path: path.clone(), source: Box::new(source) })?;
            let manifest = plugin.manifest();
            let versions = catalog.by_name.entry(manifest.name.clone()).or_default();
            let place = versions.partition_point(|other| other.manifest().version < manifest.version);
            if versions.get(place).is_some_and(|other| other.manifest().version == manifest.version) {
                return Err(Error::Twice { path, name: manifest.name.clone(), version: manifest.version.to_string() });
            }
            installed.shelve(plugin.digest(), &bytes)?;
            versions.insert(place, plugin);
        }
        Ok(catalog)
    }

    /// Whether a lock says which plugins may run.
    pub fn is_locked(&self) -> bool {
        self.locked
    }

    /// Whether every plugin that is installed must be signed; those that are in force are.
    pub fn is_signed(&self) -> bool {
        !self.installed.signers.is_empty()
    }

    /// Whether the lock still names `plugin` among those that are installed; nothing where there is no lock.
    ///
    /// # Errors
    /// The lock cannot be read.
    pub fn lock_of(&self, plugin: &Plugin) -> Result<Option<bool>, Error> {
        Ok(Lock::read(&self.installed.lock)?.map(|lock| lock.installs(plugin.digest())))
    }

    /// The plugins, by name and version.
    pub fn plugins(&self) -> impl Iterator<Item = &Plugin> {
        self.by_name.values().flatten()
    }

    /// The highest version of the plugin called `name`, or of `name@major`.
    pub fn named(&self, name: &str) -> Option<&Plugin> {
        let (name, major) = match name.split_once('@') {
            Some((name, major)) => (name, Some(major)),
            None => (name, None),
        };
        let fits = |plugin: &&Plugin| major.is_none_or(|major| plugin.manifest().version.major.to_string() == major);
        self.by_name.get(name)?.iter().rev().find(fits)
    }

    /// The plugin with this digest: one that is installed, or one that was.
    pub async fn with_digest(self: &Arc<Self>, host: &Arc<Host>, digest: &str) -> Option<Plugin> {
        if let Some(plugin) = self.plugins().find(|plugin| plugin.digest() == digest) {
            return Some(plugin.clone());
        }
        let (catalog, host, digest) = (Arc::clone(self), Arc::clone(host), digest.to_owned());
        // Compiling takes a while; others go on meanwhile.
        tokio::task::spawn_blocking(move || catalog.former(&host, &digest)).await.ok().flatten()
    }

    /// The plugin with this digest from the shelf.
    fn former(&self, host: &Host, digest: &str) -> Option<Plugin> {
        let mut former = self.former.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = former.get(digest) {
            return Some(plugin.clone());
        }
        match Lock::read(&self.installed.lock) {
            Ok(lock) if lock.as_ref().is_none_or(|lock| lock.names(digest)) => {}
            Ok(_) => {
                tracing::error!(digest, "a job began with a plugin that the lock does not name any more, and is not run");
                return None;
            }
            Err(error) => {
                tracing::error!(%error, digest, "a former plugin is not run");
                return None;
            }
        }
        let bytes = self.installed.shelved(digest)?;
        let plugin = host.load("former", &bytes).map_err(|error| tracing::error!(%error, digest, "a former plugin cannot be used")).ok()?;
        former.insert(digest.to_owned(), plugin.clone());
        Some(plugin)
    }

    /// `plugin` with `granted` linked into it: made once, kept.
    pub fn prepared(&self, host: &Host, plugin: &Plugin, granted: Vec<Capability>) -> Result<Prepared, MissingGrants> {
        let key = (plugin.digest().to_owned(), granted);
        let mut kept = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = kept.get(&key) {
            return Ok(prepared.clone());
        }
        let prepared = host.prepare(plugin, &key.1)?;
        kept.insert(key, prepared.clone());
        Ok(prepared)
    }
}

impl Plugins for Catalog {
    fn plugin(&self, name: &str) -> Option<PluginFacts> {
        self.named(name).map(|plugin| PluginFacts {
            name: plugin.manifest().name.clone(),
            version: plugin.manifest().version.to_string(),
            digest: plugin.digest().to_owned(),
            imports: plugin.imports().to_vec(),
            inputs: plugin.manifest().inputs.clone(),
            words: PluginWords { title: Some(text(&plugin.manifest().title)), does: plugin.manifest().description.as_ref().map(text) },
        })
    }

    fn names(&self) -> Vec<String> {
        self.by_name.keys().cloned().collect()
    }
}

/// A manifest's text as rules have texts.
fn text(told: &zelo_host::manifest::Text) -> Text {
    let english = ("en".to_owned(), told.en.clone());
    let portuguese = told.pt_br.clone().map(|text| ("pt-BR".to_owned(), text));
    Localised::Each([english].into_iter().chain(portuguese).collect())
}

#[cfg(test)]
#[path = "catalog_tests.rs"]
mod tests;
