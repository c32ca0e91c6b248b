//! The rules in force, and how they are exchanged.
//!
//! A rule set is built aside from all files at once. Only one that has no error takes over, by one pointer swap; whoever is
//! in the middle of an event or a job goes on with the set it began with.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use zelo_rules::{Automation, Diagnostic, FileText, Files, InForce, Rule, RuleSet, SampleText, Source};
use zelo_store::{AutomationRow, Store};

use crate::catalog::{self, Catalog};
use crate::connection::Connection;

/// Rules, automations and plugins that belong together.
pub struct Edition {
    pub in_force: Arc<InForce>,
    pub rules: Arc<RuleSet>,
    pub catalog: Arc<Catalog>,
}

/// Holds the edition in force.
pub struct Rulebook {
    current: ArcSwap<Edition>,
    /// Those before it, while somebody goes on with them.
    former: Mutex<Vec<Arc<Edition>>>,
    /// Held by who exchanges editions.
    turn: tokio::sync::Mutex<()>,
    /// Why the last try to load was refused.
    problem: Mutex<Option<Refusal>>,
}

/// Why the files on disk are not in force.
#[derive(Clone, Debug)]
struct Refusal {
    text: String,
    diagnostics: Vec<Diagnostic>,
}

/// Why a rule set did not take over.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{} cannot be read; set paths.rules in zelo.toml, or --config", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Plugins(#[from] catalog::Error),
    #[error("the rule files have mistakes:\n{rendered}")]
    Refused { diagnostics: Vec<Diagnostic>, rendered: String },
    #[error("{0}")]
    Automations(String),
    #[error("loading broke off: {0}")]
    Broken(String),
    #[error("the automations cannot be read")]
    Store(#[from] zelo_store::Error),
}

impl Rulebook {
    /// Begins with `edition`.
    pub fn new(edition: Edition) -> Self {
        Self {
            current: ArcSwap::from_pointee(edition),
            former: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            problem: Mutex::default(),
        }
    }

    /// The edition in force. Hold it for as long as one event or one attempt takes.
    pub fn current(&self) -> Arc<Edition> {
        self.current.load_full()
    }

    /// Puts in force what `next` makes of the edition that is, with what `store` says now of what is switched on; and gives what is in
    /// force then. Whoever changes rules and whoever switches automations take turns: neither undoes what the other did meanwhile.
    ///
    /// # Errors
    /// What `next` says, or the store.
    pub async fn exchange(
        &self,
        store: &dyn Store,
        next: impl FnOnce(&Edition, &[AutomationRow]) -> Result<Edition, Error> + Send + 'static,
    ) -> Result<Arc<Edition>, Error> {
        let _turn = self.turn.lock().await;
        let (current, rows) = (self.current(), store.automations().await?);
        let built = tokio::task::spawn_blocking(move || next(&current, &rows));
        let edition = Arc::new(built.await.unwrap_or_else(|broken| Err(Error::Broken(broken.to_string())))?);
        let former = self.current.swap(Arc::clone(&edition));
        lock(&self.former).push(former);
        *lock(&self.problem) = None;
        Ok(edition)
    }

    /// The editions that are in force no more, and that nobody goes on with. Clearing up after a large one takes a while, so it is for
    /// a thread with nothing else to do, and not for whoever was the last to hold it.
    pub fn outlived(&self) -> Vec<Arc<Edition>> {
        let is_held = |edition: &Arc<Edition>| Arc::strong_count(edition) > 1 || Arc::strong_count(&edition.in_force) > 1;
        lock(&self.former).extract_if(.., |edition| !is_held(edition)).collect()
    }

    /// Remembers why the files on disk are not in force.
    pub fn refuse(&self, error: &Error) {
        let diagnostics = match error {
            Error::Refused { diagnostics, .. } => diagnostics.clone(),
            _ => Vec::new(),
        };
        *lock(&self.problem) = Some(Refusal { text: error.to_string(), diagnostics });
    }

    /// Why the files on disk are not in force; none if they are.
    pub fn problem(&self) -> Option<String> {
        lock(&self.problem).as_ref().map(|refusal| refusal.text.clone())
    }

    /// The mistakes in rule and source files by which the files on disk are not in force.
    pub fn problems(&self) -> Vec<Diagnostic> {
        lock(&self.problem).as_ref().map(|refusal| refusal.diagnostics.clone()).unwrap_or_default()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Edition {
    /// Joins `rules` with the automations that are switched on.
    ///
    /// # Errors
    /// An automation whose rule is gone, or whose settings do not fit it any more: named, all of them.
    pub fn new(rules: Arc<RuleSet>, catalog: Arc<Catalog>, rows: &[AutomationRow]) -> Result<Self, Error> {
        let mut automations = Vec::new();
        let mut wrong = Vec::new();
        // One that is off for a clinic is joined too: there the automation of the whole connection is off with it.
        for row in rows.iter().filter(|row| row.enabled || row.clinic.is_some()) {
            if rules.rule(&row.rule).is_none() && !row.enabled {
                continue;
            }
            if rules.rule(&row.rule).is_none() {
                wrong.push(format!("automation {}: there is no rule `{}`; disable it, or bring the rule back", row.id, row.rule));
                continue;
            }
            match rules.settings_for(&row.rule, &row.settings) {
                Ok(settings) => automations.push(Automation {
                    id: row.id.clone(),
                    rule: row.rule.clone(),
                    connection: row.connection.clone(),
                    clinic: row.clinic.clone(),
                    settings,
                    enabled: row.enabled,
                }),
                Err(_) if !row.enabled => {}
                Err(problems) => wrong.extend(problems.into_iter().map(|problem| format!("automation {}: {problem}", row.id))),
            }
        }
        if !wrong.is_empty() {
            return Err(Error::Automations(wrong.join("\n")));
        }
        Ok(Self { in_force: Arc::new(InForce::new(rules.clone(), automations)), rules, catalog })
    }
}

/// Builds a rule set from the files under `folder` and the plugins of `catalog`, on a thread of its own: many rules take a while.
///
/// # Errors
/// The files cannot be read, or have mistakes.
pub async fn load(folder: &Path, catalog: &Arc<Catalog>) -> Result<Arc<RuleSet>, Error> {
    let (folder, catalog) = (folder.to_owned(), Arc::clone(catalog));
    let built = tokio::task::spawn_blocking(move || Ok(Arc::new(check(&read_files(&folder)?, &catalog)?.0)));
    built.await.unwrap_or_else(|broken| Err(Error::Broken(broken.to_string())))
}

/// Checks `files` against the plugins of `catalog`: a rule set with its warnings, or all that is wrong.
pub fn check(files: &Files, catalog: &Catalog) -> Result<(RuleSet, Vec<Diagnostic>), Error> {
    let loaded = zelo_rules::load(files, catalog);
    match loaded.set {
        Some(set) => Ok((set, loaded.diagnostics)),
        None => Err(Error::Refused { rendered: zelo_rules::render(&loaded.diagnostics, files), diagnostics: loaded.diagnostics }),
    }
}

/// Reads every `*.toml` under `folder`: those under `folder/sources` are sources, all others rules. Also the samples that sources
/// name; one that cannot be read is a warning when the files are checked.
pub fn read_files(folder: &Path) -> Result<Files, Error> {
    let mut files = Files::default();
    let mut paths = Vec::new();
    collect(folder, &mut paths)?;
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let file = FileText { name: path.display().to_string(), text };
        if path.starts_with(folder.join("sources")) {
            files.samples.extend(samples(&path, &file));
            files.sources.push(file);
        } else {
            files.rules.push(file);
        }
    }
    Ok(files)
}

/// The names of all rule and source files under `folder`, in order.
///
/// # Errors
/// The folder cannot be read.
pub fn file_names(folder: &Path) -> Result<Vec<String>, Error> {
    let mut paths = Vec::new();
    collect(folder, &mut paths)?;
    paths.sort();
    Ok(paths.iter().map(|path| path.display().to_string()).collect())
}

/// The samples that the source file at `path` names.
fn samples(path: &Path, file: &FileText) -> Vec<SampleText> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let read = |name: String| {
        let text = std::fs::read_to_string(folder.join(&name)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
            kind => kind.to_string(),
        });
        SampleText { source: file.name.clone(), name, text }
    };
    file.samples().into_iter().map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Error> {
    let read = |source| Error::Read { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let path = entry.path();
        if entry.file_type().map_err(read)?.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    Ok(())
}

/// The actions that ask for the consent `topic`, by rule and name.
pub fn asking_for(rules: &RuleSet, topic: &str) -> Arc<[(String, String)]> {
    let actions = rules.rules().flat_map(|rule| rule.actions.iter().map(move |action| (rule, action)));
    let asks = actions.filter(|(_, action)| action.consent.as_ref().is_some_and(|consent| consent.topic == topic));
    asks.map(|(rule, action)| (rule.id.clone(), action.name.clone())).collect()
}

/// Whether `rule` reads events of `source`. What plugins emit is of the source whose event led to it, so a rule about nothing
/// else reads it wherever it comes from.
pub fn reads(rule: &Rule, source: &Source) -> bool {
    let wanted = rule.source.as_ref().is_none_or(|wanted| *wanted == source.id);
    wanted && (source.types().any(|kind| rule.on.contains(kind)) || rule.emitted)
}

/// Switches every rule on, with its defaults, for every connection whose source it can read.
pub fn everything_on(rules: &RuleSet, connections: &[&Connection], now: jiff::Timestamp) -> Vec<AutomationRow> {
    let mut rows = Vec::new();
    for rule in rules.rules() {
        for connection in connections {
            if rules.source(&connection.source).is_some_and(|source| reads(rule, source)) {
                rows.push(AutomationRow {
                    id: zelo_core::AutomationId::new(&rule.id, &connection.name, None),
                    rule: rule.id.clone(),
                    connection: connection.name.clone(),
                    clinic: None,
                    settings: serde_json::Map::new(),
                    enabled: true,
                    origin: "config".to_owned(),
                    changed: now,
                });
            }
        }
    }
    rows
}

#[cfg(test)]
#[path = "rulebook_tests.rs"]
mod tests;
