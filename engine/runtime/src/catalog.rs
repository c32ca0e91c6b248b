//! The plugins that can be run.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::lock::{Installed, Lock};
use zelo_core::grants::Capability;
use zelo_host::{Host, LoadError, MissingGrants, Plugin, Prepared};
use zelo_rules::{Localised, PluginFacts, PluginWords, Plugins, Text};

/// Plugins by name and by digest.
///
/// Loaded as a whole and never changed; a job that has begun finds its plugin again by digest.
#[derive(Default)]
pub struct Catalog {
    by_name: BTreeMap<String, Plugin>,
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
    #[error("{} and another file are both plugin `{name}`", path.display())]
    Twice { path: PathBuf, name: String },
    #[error("{} is no lock: {why}", path.display())]
    Lock { path: PathBuf, why: String },
    #[error("{} is not among the plugins that {} names: its digest is {digest}; `zelo plugin lock` takes over what is installed", path.display(), lock.display())]
    NotLocked { path: PathBuf, lock: PathBuf, digest: String },
}

impl Catalog {
    /// Loads every `*.wasm` that is installed; a folder that does not exist has none.
    ///
    /// # Errors
    /// One of them is no plugin, or not the one that the lock names.
    pub fn load(host: &Host, installed: &Installed) -> Result<Self, Error> {
        Self::load_locked(host, installed, Lock::read(&installed.lock)?.as_ref())
    }

    /// The same, whatever the lock says: for who writes it.
    ///
    /// # Errors
    /// One of them is no plugin.
    pub fn load_unlocked(host: &Host, installed: &Installed) -> Result<Self, Error> {
        Self::load_locked(host, installed, None)
    }

    fn load_locked(host: &Host, installed: &Installed, lock: Option<&Lock>) -> Result<Self, Error> {
        let folder = installed.folder.as_path();
        let mut catalog = Self::default();
        let read = |path: &Path, source| Error::Read { path: path.to_owned(), source };
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(catalog),
            Err(error) => return Err(read(folder, error)),
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        paths.sort();
        for path in paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "wasm")) {
            let bytes = std::fs::read(&path).map_err(|error| read(&path, error))?;
            let digest = zelo_host::digest(&bytes);
            if lock.is_some_and(|lock| !lock.names(&digest)) {
                return Err(Error::NotLocked { path, lock: installed.lock.clone(), digest });
            }
            let hint = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            let plugin = host.load(&hint, &bytes).map_err(|source| Error::Load { path: path.clone(), source: Box::new(source) })?;
            let name = plugin.manifest().name.clone();
            if catalog.by_name.insert(name.clone(), plugin).is_some() {
                return Err(Error::Twice { path, name });
            }
        }
        Ok(catalog)
    }

    /// The plugins, by name.
    pub fn plugins(&self) -> impl Iterator<Item = &Plugin> {
        self.by_name.values()
    }

    /// The plugin called `name`, or `name@major`.
    pub fn named(&self, name: &str) -> Option<&Plugin> {
        let (name, major) = match name.split_once('@') {
            Some((name, major)) => (name, Some(major)),
            None => (name, None),
        };
        self.by_name.get(name).filter(|plugin| major.is_none_or(|major| plugin.manifest().version.major.to_string() == major))
    }

    /// The plugin with this digest.
    pub fn with_digest(&self, digest: &str) -> Option<&Plugin> {
        self.by_name.values().find(|plugin| plugin.digest() == digest)
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
