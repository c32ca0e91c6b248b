//! A backtest where the data is: in the server that has the store open, else in this process. Only counts and ids leave it.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::runtime::Handle;
use zelo_core::Timestamp;
use zelo_rules::{FileText, Files, RuleSet};
use zelo_runtime::backtest::{self, Backtest, Counted, Progress};
use zelo_runtime::rulebook::{self, Edition, everything_on};
use zelo_runtime::{Catalog, Connection};
use zelo_store::{AutomationRow, Range};

use super::Scene;

/// Rules to try, as texts, and on which events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Trial {
    pub(in crate::cli) sources: Vec<Text>,
    pub(in crate::cli) rules: Vec<Text>,
    /// The rule that it is about, where it is one: counted as if it were on.
    pub(in crate::cli) about: Option<String>,
    pub(in crate::cli) since: Timestamp,
    pub(in crate::cli) until: Timestamp,
    pub(in crate::cli) connection: Option<String>,
}

/// A file, with the name to show to people.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::cli) struct Text {
    pub(in crate::cli) name: String,
    pub(in crate::cli) text: String,
}

/// Prints the name only.
impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({})", self.name)
    }
}

/// What came of a trial.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Tried {
    /// The rules have mistakes: as data, and as text.
    Refused {
        diagnostics: Value,
        rendered: String,
    },
    Counted(Outcome),
    /// Whoever asked has gone.
    Stopped,
}

/// The counts, and what is to be said of them.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Outcome {
    pub(in crate::cli) counted: Counted,
    /// Rules that are on nowhere, and were counted as if they were on with their defaults.
    pub(in crate::cli) as_if_on: Vec<String>,
}

impl From<FileText> for Text {
    fn from(FileText { name, text }: FileText) -> Self {
        Self { name, text }
    }
}

impl Trial {
    fn files(&self) -> Files {
        let texts = |files: &[Text]| files.iter().map(|file| FileText { name: file.name.clone(), text: file.text.clone() }).collect();
        Files { sources: texts(&self.sources), rules: texts(&self.rules), samples: Vec::new() }
    }
}

/// One at a time: each takes a processor for itself.
static TURN: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(1);

/// Counts what the rules of `trial` would have done beside those in force. `tell` hears how far it is, on a thread that may block.
pub(super) async fn run(
    scene: &Scene<'_>,
    trial: &Trial,
    mut tell: impl FnMut(Progress) -> ControlFlow<()> + Send + 'static,
) -> Result<Tried> {
    let _turn = TURN.try_acquire().ok().context("another backtest runs; wait until it is done")?;
    if let Some(name) = &trial.connection {
        known(scene, name)?;
    }
    let files = trial.files();
    let new = match rulebook::check(&files, scene.catalog) {
        Ok((set, _)) => Arc::new(set),
        Err(rulebook::Error::Refused { diagnostics, rendered }) => {
            return Ok(Tried::Refused { diagnostics: serde_json::to_value(diagnostics)?, rendered });
        }
        Err(error) => return Err(error.into()),
    };
    let rows = scene.store.automations().await?;
    let extra = as_if_on(scene, trial, &new, &rows);
    let old = edition(scene.rules, scene.catalog, &rows, &extra)?;
    let new = match edition(&new, scene.catalog, &rows, &extra) {
        Ok(edition) => edition,
        Err(error) => return Ok(Tried::Refused { diagnostics: Value::Array(Vec::new()), rendered: format!("{error:#}\n") }),
    };
    let backtest = Backtest::new(old.in_force, new.in_force, scene.channels.clone(), scene.store.indexer().clone());
    let range = Range { since: trial.since, until: trial.until, connection: trial.connection.clone() };
    let (archive, handle) = (scene.store.archive(), Handle::current());
    let counting = tokio::task::spawn_blocking(move || backtest::replay(archive, &handle, &range, backtest, &mut tell));
    let Some(counted) = counting.await.context("the backtest broke off")?? else { return Ok(Tried::Stopped) };
    let mut as_if_on: Vec<String> = extra.into_iter().map(|row| row.rule).collect();
    as_if_on.dedup();
    Ok(Tried::Counted(Outcome { counted, as_if_on }))
}

fn known(scene: &Scene<'_>, name: &str) -> Result<()> {
    if scene.connections.contains_key(name) {
        return Ok(());
    }
    let mut known: Vec<&str> = scene.connections.keys().map(String::as_str).collect();
    known.sort_unstable();
    bail!("there is no connection `{name}`; there are {}", known.join(", "))
}

/// Automations for rules that are on nowhere: those that only the new set has and nobody ever switched, and the one that the
/// trial is about.
fn as_if_on(scene: &Scene<'_>, trial: &Trial, new: &RuleSet, rows: &[AutomationRow]) -> Vec<AutomationRow> {
    let known: HashSet<&str> = rows.iter().map(|row| row.rule.as_str()).collect();
    let on: HashSet<&str> = rows.iter().filter(|row| row.enabled).map(|row| row.rule.as_str()).collect();
    let wanted = |rule: &str| {
        let is_new = scene.rules.rule(rule).is_none() && !known.contains(rule);
        is_new || (trial.about.as_deref() == Some(rule) && !on.contains(rule))
    };
    let mut connections: Vec<&Connection> = scene.connections.values().collect();
    connections.sort_by(|one, other| one.name.cmp(&other.name));
    let mut extra: Vec<AutomationRow> = everything_on(new, &connections, trial.until).into_iter().filter(|row| wanted(&row.rule)).collect();
    extra.sort_by(|one, other| one.rule.cmp(&other.rule));
    extra
}

/// `rules` with the automations of `rows` and `extra`, as far as it has their rules.
fn edition(rules: &Arc<RuleSet>, catalog: &Arc<Catalog>, rows: &[AutomationRow], extra: &[AutomationRow]) -> Result<Edition> {
    let replaced: HashSet<_> = extra.iter().map(|row| &row.id).collect();
    let rows = rows.iter().filter(|row| !replaced.contains(&row.id)).chain(extra);
    let rows: Vec<AutomationRow> = rows.filter(|row| rules.rule(&row.rule).is_some()).cloned().collect();
    Ok(Edition::new(rules.clone(), catalog.clone(), &rows)?)
}
