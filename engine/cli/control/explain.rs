//! Why rules fire or do not.

use std::fmt;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zelo_core::{Event, EventId, Status};
use zelo_rules::{Class, InForce};
use zelo_runtime::Connection;
use zelo_runtime::explain::{self, Given, Telling};
use zelo_runtime::rulebook::{Edition, everything_on};

use super::Scene;
use crate::cli::meant::did_you_mean;

/// What is to be explained.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Ask {
    pub(in crate::cli) what: What,
    /// Values of this class and of less delicate ones are shown.
    pub(in crate::cli) reveal: String,
    pub(in crate::cli) locale: String,
    /// Only this rule.
    pub(in crate::cli) rule: Option<String>,
    /// As text for people; else as data.
    pub(in crate::cli) text: bool,
}

/// An event that is stored, or one that might come.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum What {
    Stored(EventId),
    Given { connection: Option<String>, kind: Option<String>, path: String, body: String, at: Option<Timestamp> },
}

/// Prints no payload.
impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored(id) => write!(f, "Stored({id})"),
            Self::Given { kind, path, body, .. } => write!(f, "Given({kind:?} {path} {} bytes)", body.len()),
        }
    }
}

pub(super) async fn explain(scene: &Scene<'_>, ask: &Ask) -> Result<Value> {
    let reveal = Class::ALL.into_iter().find(|class| class.as_str() == ask.reveal).context("`reveal` is public, personal or sensitive")?;
    if let Some(rule) = ask.rule.as_ref().filter(|rule| scene.rules.rule(rule).is_none()) {
        bail!("there is no rule `{rule}`{}", did_you_mean(rule, scene.rules.rules().map(|rule| rule.id.as_str())));
    }
    let (event, status) = event(scene, &ask.what).await?;
    let (in_force, supposed) = in_force(scene).await?;
    let telling = Telling { reveal, locale: &ask.locale };
    let mut explained = explain::explain(scene.store, &in_force, &event, status, telling).await?;
    if let Some(only) = &ask.rule {
        explained.explanation.rules.retain(|rule| rule.rule == *only);
        explained.jobs.retain(|job| job.rule == *only);
    }
    if !ask.text {
        return Ok(serde_json::to_value(explained)?);
    }
    let mut text = explained.render();
    if supposed {
        let note = match explained.explanation.language {
            "en" => "\nNothing is switched on here: this is told as if every rule were, at its defaults.",
            _ => "\nNada está ligado aqui: isto vale como se toda regra estivesse, com os valores padrão.",
        };
        text.push_str(note);
    }
    Ok(json!(text))
}

async fn event(scene: &Scene<'_>, what: &What) -> Result<(Event, Option<Status>)> {
    match what {
        What::Stored(id) => {
            let view = scene.store.event(*id).await?;
            let view = view.with_context(|| format!("there is no event {id}"))?;
            Ok((view.event, Some(view.status)))
        }
        What::Given { connection, kind, path, body, at } => {
            let connection = place(scene, connection.as_deref(), kind.as_deref(), path)?;
            let given = Given { kind: kind.as_deref(), path, body: body.as_bytes() };
            Ok((explain::given(scene.rules, connection, given, at.unwrap_or_else(|| scene.clock.now()))?, None))
        }
    }
}

/// The connection that is named, else the only one whose source knows what is given.
fn place<'s>(scene: &'s Scene<'_>, named: Option<&str>, kind: Option<&str>, path: &str) -> Result<&'s Connection> {
    let names = scene.connections.keys().map(String::as_str);
    if let Some(name) = named {
        return scene.connections.get(name).with_context(|| format!("there is no connection `{name}`{}", did_you_mean(name, names)));
    }
    let source = |connection: &Connection| scene.rules.source(&connection.source);
    let knows = |connection: &&Connection| {
        source(connection).is_some_and(|source| match kind {
            Some(kind) => source.types().any(|known| known == kind),
            None => source.events.iter().any(|event| event.matches.path.as_deref() == Some(path.trim_matches('/'))),
        })
    };
    let mut found: Vec<&Connection> = scene.connections.values().filter(knows).collect();
    if found.len() > 1 {
        // Those that some rule asks about, if that tells them apart.
        let asked = |connection: &&Connection| scene.rules.rules().any(|rule| rule.source.as_ref() == Some(&connection.source));
        let of_rules: Vec<&Connection> = found.iter().copied().filter(asked).collect();
        found = if of_rules.is_empty() { found } else { of_rules };
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    match (found.as_slice(), scene.connections.len()) {
        ([only], _) => Ok(only),
        ([], 1) => scene.connections.values().next().context("there is no connection"),
        ([], _) => {
            let types = scene.rules.sources().flat_map(|source| source.types());
            match kind {
                Some(kind) => bail!("no source of a connection names the event type `{kind}`{}", did_you_mean(kind, types)),
                None => bail!("say what the file is, with --type{}", did_you_mean("", types)),
            }
        }
        (several, _) => {
            let names: Vec<&str> = several.iter().map(|connection| connection.name.as_str()).collect();
            bail!("several connections know that: say which with --connection: {}", names.join(", "))
        }
    }
}

/// What is in force. Where no server has opened the store yet, what the configuration switches on; where that switches nothing on,
/// what would be if everything were.
async fn in_force(scene: &Scene<'_>) -> Result<(Arc<InForce>, bool)> {
    if scene.server.is_some() || !scene.store.automations().await?.is_empty() {
        return Ok((scene.in_force().await?, false));
    }
    let supposed = scene.configured.is_empty();
    let connections: Vec<&Connection> = scene.connections.values().collect();
    let rows = if supposed { everything_on(scene.rules, &connections, scene.clock.now()) } else { scene.configured.to_vec() };
    let edition = Edition::new(scene.rules.clone(), scene.catalog.clone(), &rows)?;
    Ok((edition.in_force, supposed))
}
