//! Switching automations: which rows a word of somebody's comes to, and how it takes effect.
//!
//! [`rows`] decides, and is a function of its arguments; [`Runtime::switch`] writes them, puts them in force and computes due times again.
//! Whoever has a store and no runtime writes the rows with [`put`]: they are in force when a server starts.

use std::collections::HashMap;

use serde_json::{Map, Value};
use zelo_core::{Actor, AutomationId, Timestamp};
use zelo_rules::RuleSet;
use zelo_store::{AutomationRow, Store};

use crate::Runtime;
use crate::connection::Connection;
use crate::rulebook::{self, Edition};

/// Who says so, where it was not the file.
pub const PEOPLE: &str = "people";

/// What is to be switched.
#[derive(Clone, Debug)]
pub struct Switch {
    pub rule: String,
    /// None: every connection whose events the rule reads; to switch it off, every one where it is on.
    pub connection: Option<String>,
    /// Only for this clinic.
    pub clinic: Option<String>,
    pub to: To,
}

/// How an automation is to stand.
#[derive(Clone, Debug)]
pub enum To {
    Off,
    On(Chosen),
}

/// The settings of an automation that is switched on.
#[derive(Clone, Debug)]
pub enum Chosen {
    /// These, beside those that it has.
    Beside(Map<String, Value>),
    /// These and no other; the rest is defaults.
    Exactly(Map<String, Value>),
}

/// Why nothing was switched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no rule `{rule}`{}", known.as_deref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    NoRule { rule: String, known: Option<String> },
    #[error("there is no connection {}whose events `{rule}` reads", connection.as_deref().map(|name| format!("`{name}` ")).unwrap_or_default())]
    NoConnection { rule: String, connection: Option<String> },
    #[error("`{rule}` was never switched on there; see zelo automation list")]
    NeverOn { rule: String },
    /// One line for each.
    #[error("{}", .0.join("\n"))]
    Settings(Vec<String>),
    #[error("it was changed meanwhile")]
    Changed,
    #[error("it is kept, and not in force: {0}")]
    NotInForce(#[source] rulebook::Error),
    #[error("the automations cannot be read or written")]
    Store(#[from] zelo_store::Error),
}

/// What was switched.
#[derive(Debug)]
pub struct Switched {
    /// As they stand now.
    pub rows: Vec<AutomationRow>,
    /// How many pending jobs ended, or are due at another time.
    pub jobs: usize,
}

impl Runtime {
    /// Switches a rule on or off because `by` says so, and has that in force: it fires for what comes from now on, and what is pending for one
    /// that is off is cancelled.
    ///
    /// # Errors
    /// Why nothing was switched; or [`Error::NotInForce`].
    pub async fn switch(&self, switch: &Switch, by: Actor) -> Result<Switched, Error> {
        self.switch_where(switch, None, by).await
    }

    /// The same for one place, only where the automation there stands as it is `stood`, if that is given: who says so has seen it so.
    ///
    /// # Errors
    /// [`Error::Changed`], too: then nothing was switched.
    pub async fn switch_where(&self, switch: &Switch, stood: Option<Option<AutomationRow>>, by: Actor) -> Result<Switched, Error> {
        let store = self.store.as_ref();
        let edition = self.rules.current();
        let meant = rows(&edition.rules, &self.connections, &store.automations().await?, switch)?;
        let rows = match stood {
            None => put(store, meant, by, self.clock.now()).await?,
            Some(stood) => exchange(store, meant, stood, by, self.clock.now()).await?,
        };
        let switched = |now: &Edition, rows: &[_]| Edition::new(now.rules.clone(), now.catalog.clone(), rows);
        let timetable = self.rules.exchange(store, switched).await.map_err(Error::NotInForce)?.in_force.clone();
        let changed = store.retime(timetable).await?;
        self.count_ended(&changed);
        let enabled = matches!(switch.to, To::On(_));
        tracing::info!(rule = switch.rule, enabled, jobs = changed.len(), "an automation was switched");
        self.bell.notify_one();
        Ok(Switched { rows, jobs: changed.len() })
    }
}

/// Writes `rows` as people's word at `now`; as they stand then.
///
/// # Errors
/// The store does not answer.
pub async fn put(store: &dyn Store, rows: Vec<AutomationRow>, by: Actor, now: Timestamp) -> Result<Vec<AutomationRow>, zelo_store::Error> {
    let mut written = Vec::new();
    for row in rows {
        let row = AutomationRow { origin: PEOPLE.to_owned(), changed: now, ..row };
        store.put_automation(row.clone(), by.clone()).await?;
        written.push(row);
    }
    Ok(written)
}

/// The same where each stands as `stood`.
async fn exchange(
    store: &dyn Store,
    rows: Vec<AutomationRow>,
    stood: Option<AutomationRow>,
    by: Actor,
    now: Timestamp,
) -> Result<Vec<AutomationRow>, Error> {
    let mut written = Vec::new();
    for row in rows {
        let row = AutomationRow { origin: PEOPLE.to_owned(), changed: now, ..row };
        if !store.exchange_automation(row.clone(), stood.clone(), by.clone()).await? {
            return Err(Error::Changed);
        }
        written.push(row);
    }
    Ok(written)
}

/// The rows that `switch` comes to, where `known` are those that there are. Their origin and time are the caller's to say.
///
/// # Errors
/// Why there are none.
pub fn rows(
    rules: &RuleSet,
    connections: &HashMap<String, Connection>,
    known: &[AutomationRow],
    switch: &Switch,
) -> Result<Vec<AutomationRow>, Error> {
    match &switch.to {
        To::Off => switched_off(known, switch),
        To::On(chosen) => {
            let on = |connection| switched_on(rules, known, switch, chosen, connection);
            places(rules, connections, switch)?.into_iter().map(on).collect()
        }
    }
}

/// The row that switches a rule on for `connection`.
fn switched_on(
    rules: &RuleSet,
    known: &[AutomationRow],
    switch: &Switch,
    chosen: &Chosen,
    connection: String,
) -> Result<AutomationRow, Error> {
    let id = AutomationId::new(&switch.rule, &connection, switch.clinic.as_deref());
    let settings = match chosen {
        Chosen::Exactly(settings) => settings.clone(),
        Chosen::Beside(settings) => {
            let mut all = known.iter().find(|row| row.id == id).map(|row| row.settings.clone()).unwrap_or_default();
            all.extend(settings.clone());
            all
        }
    };
    rules.settings_for(&switch.rule, &settings).map_err(Error::Settings)?;
    let turned = rules.turned_hours(&switch.rule, &settings);
    if !turned.is_empty() {
        let told = turned.into_iter().map(|name| format!("`{name}`: the hours in which it sends must end after they begin"));
        return Err(Error::Settings(told.collect()));
    }
    Ok(AutomationRow {
        id,
        rule: switch.rule.clone(),
        connection,
        clinic: switch.clinic.clone(),
        settings,
        enabled: true,
        origin: PEOPLE.to_owned(),
        changed: Timestamp::UNIX_EPOCH,
    })
}

/// The rows that switch a rule off, which may be gone from the files already.
fn switched_off(known: &[AutomationRow], switch: &Switch) -> Result<Vec<AutomationRow>, Error> {
    let Switch { rule, connection, clinic, .. } = switch;
    let there = |row: &&AutomationRow| row.rule == *rule && connection.as_ref().is_none_or(|wanted| *wanted == row.connection);
    let of_clinic = |row: &AutomationRow| AutomationRow {
        id: AutomationId::new(rule, &row.connection, clinic.as_deref()),
        clinic: clinic.clone(),
        enabled: false,
        // Those of a connection are not for everybody who is told of a clinic.
        settings: if row.clinic == *clinic { row.settings.clone() } else { Map::new() },
        ..row.clone()
    };
    let mut rows: Vec<AutomationRow> = known.iter().filter(there).filter(|row| row.clinic == *clinic).map(of_clinic).collect();
    if rows.is_empty() {
        // Off for one clinic of a connection where it is on.
        rows.extend(known.iter().filter(there).filter(|row| row.clinic.is_none()).map(of_clinic));
    }
    if rows.is_empty() { Err(Error::NeverOn { rule: rule.clone() }) } else { Ok(rows) }
}

/// The connections that a rule is to be switched on for.
fn places(rules: &RuleSet, connections: &HashMap<String, Connection>, switch: &Switch) -> Result<Vec<String>, Error> {
    let Switch { rule, connection, .. } = switch;
    let unknown = || Error::NoRule { rule: rule.clone(), known: rules.nearest(rule).map(str::to_owned) };
    let found = rules.rule(rule).ok_or_else(unknown)?;
    let reads = |one: &&Connection| rules.source(&one.source).is_some_and(|source| rulebook::reads(found, source));
    let wanted = |one: &&Connection| connection.as_ref().is_none_or(|wanted| *wanted == one.name);
    let mut names: Vec<String> = connections.values().filter(reads).filter(wanted).map(|one| one.name.clone()).collect();
    names.sort();
    if names.is_empty() { Err(Error::NoConnection { rule: rule.clone(), connection: connection.clone() }) } else { Ok(names) }
}

#[cfg(test)]
#[path = "automations_tests.rs"]
mod tests;
