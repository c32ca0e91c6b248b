//! What comes of deliveries: the running server's set-up, and what happened since a moment.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zelo_core::effect::Body;
use zelo_core::{Effect, EffectResult, EventId, Job, JobId, JobState, JournalEntry, Timestamp};
use zelo_runtime::{ChannelKind, Connection};
use zelo_store::{EventView, JobView, Page};

use super::{Scene, automations};

/// How the running server is set up.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Here {
    /// Where it listens.
    pub(in crate::cli) address: SocketAddr,
    /// The sources of its connections, by their names.
    pub(in crate::cli) connections: BTreeMap<String, String>,
    /// The connections that take what nobody signed.
    pub(in crate::cli) insecure: Vec<String>,
    /// The channels whose messages reach people.
    pub(in crate::cli) reaching: Vec<String>,
    pub(in crate::cli) automations: Vec<Value>,
    /// Whether it has stored events already.
    pub(in crate::cli) has_events: bool,
    /// Now.
    pub(in crate::cli) since: Since,
}

/// A moment, and what has been told of what came after it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::cli) struct Since {
    /// The last event and job before it, by their cursors.
    pub(in crate::cli) event: i64,
    pub(in crate::cli) job: i64,
    /// Jobs whose effects need not be told again.
    pub(in crate::cli) told: Vec<JobId>,
}

/// What happened since, oldest first.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Followed {
    pub(in crate::cli) events: Vec<EventSeen>,
    pub(in crate::cli) jobs: Vec<JobSeen>,
}

/// An event.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct EventSeen {
    pub(in crate::cli) id: EventId,
    #[serde(rename = "type")]
    pub(in crate::cli) kind: String,
    /// The job whose plugin emitted it.
    pub(in crate::cli) cause: Option<JobId>,
}

/// A job, and if it is done, what it did.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct JobSeen {
    pub(in crate::cli) id: JobId,
    pub(in crate::cli) event: EventId,
    pub(in crate::cli) rule: String,
    pub(in crate::cli) action: String,
    pub(in crate::cli) state: JobState,
    pub(in crate::cli) run_at: Timestamp,
    /// Whether a step comes before it.
    pub(in crate::cli) waits: bool,
    /// What it lacks.
    pub(in crate::cli) attention: Option<String>,
    /// Why it ended, or waits.
    pub(in crate::cli) reason: Option<String>,
    pub(in crate::cli) effects: Vec<Value>,
}

/// Rows that are read at once.
const PAGE: u32 = 100;
/// Rows of one answer: far more than a day brings while somebody looks.
const ROWS_MAX: usize = 2_000;

/// The set-up of the server that answers.
pub(super) async fn here(scene: &Scene<'_>) -> Result<Here> {
    let (address, _) = scene.server.as_ref().context("no server runs here")?;
    let one = Page { limit: 1, ..Page::default() };
    let events = scene.store.events(&one).await?;
    let jobs = scene.store.jobs(&one, None).await?;
    let automations = automations::list(scene).await?;
    let connections = scene.connections.values();
    let is_insecure =
        |connection: &&Connection| connection.insecure || scene.rules.source(&connection.source).is_some_and(|source| source.insecure);
    Ok(Here {
        address: *address,
        connections: connections.clone().map(|connection| (connection.name.clone(), connection.source.clone())).collect(),
        insecure: connections.filter(is_insecure).map(|connection| connection.name.clone()).collect(),
        reaching: scene.channels.0.iter().filter(|(_, kind)| reaches_people(**kind)).map(|(name, _)| name.clone()).collect(),
        automations: automations.as_array().cloned().unwrap_or_default(),
        has_events: !events.is_empty(),
        since: Since {
            event: events.first().map_or(0, |event| event.cursor),
            job: jobs.first().map_or(0, |job| job.cursor),
            told: Vec::new(),
        },
    })
}

/// Whether a message in such a channel leaves this house.
fn reaches_people(kind: ChannelKind) -> bool {
    match kind {
        ChannelKind::Outbox => false,
    }
}

/// What happened after `since`.
pub(super) async fn follow(scene: &Scene<'_>, since: &Since) -> Result<Followed> {
    let mut events: Vec<EventView> = Vec::new();
    let mut page = Page { limit: PAGE, ..Page::default() };
    loop {
        let found = scene.store.events(&page).await?;
        let more = found.len() == PAGE as usize && found.iter().all(|event| event.cursor > since.event);
        page.before = found.last().map(|event| event.cursor);
        events.extend(found.into_iter().filter(|event| event.cursor > since.event));
        if !more || events.len() >= ROWS_MAX {
            break;
        }
    }
    let mut jobs: Vec<JobView> = Vec::new();
    let mut page = Page { limit: PAGE, ..Page::default() };
    loop {
        let found = scene.store.jobs(&page, None).await?;
        let more = found.len() == PAGE as usize && found.iter().all(|job| job.cursor > since.job);
        page.before = found.last().map(|job| job.cursor);
        jobs.extend(found.into_iter().filter(|job| job.cursor > since.job));
        if !more || jobs.len() >= ROWS_MAX {
            break;
        }
    }
    let mut seen = Vec::with_capacity(jobs.len());
    for JobView { job, .. } in jobs.iter().rev() {
        let effects = match job.state {
            JobState::Done if !since.told.contains(&job.id) => effects(scene, job).await?,
            _ => Vec::new(),
        };
        seen.push(JobSeen {
            id: job.id,
            event: job.event,
            rule: job.rule.clone(),
            action: job.action.clone(),
            state: job.state,
            run_at: job.run_at,
            waits: job.waits(),
            attention: job.attention.as_ref().map(ToString::to_string),
            reason: job.reason.as_ref().map(ToString::to_string),
            effects,
        });
    }
    let told = |view: &EventView| EventSeen {
        id: view.event.id,
        kind: view.event.kind.clone(),
        cause: view.event.cause.as_ref().map(|cause| cause.job),
    };
    Ok(Followed { events: events.iter().rev().map(told).collect(), jobs: seen })
}

/// What a job did, for people to read.
async fn effects(scene: &Scene<'_>, job: &Job) -> Result<Vec<Value>> {
    let mut told = Vec::new();
    for entry in scene.store.journal(job.id).await? {
        let JournalEntry::Effect { effect, result } = entry else { continue };
        told.push(match (effect, result) {
            (effect, EffectResult::Refused { reason }) => json!({ "kind": "refused", "effect": effect.kind(), "reason": reason }),
            (Effect::Message(message), EffectResult::Sent { channel, .. }) => {
                let text = match &message.body {
                    Body::Text { text } => text.clone(),
                    Body::Template { name, parameters } => format!("{name}: {}", parameters.join(", ")),
                };
                json!({ "kind": "message", "channel": channel, "to": message.to, "text": text, "attachments": message.attachments.len() })
            }
            (Effect::Document(document), EffectResult::Kept { document: id }) => {
                json!({ "kind": "document", "id": id, "name": document.name, "text": document.text })
            }
            (Effect::RecordEdit(edit), _) => {
                let hash = scene.store.indexer().record(&job.connection, &edit.record, &edit.id);
                let now = scene.store.record_at(hash).await?.map(|row| row.document);
                json!({ "kind": "record", "record": edit.record, "id": edit.id, "set": edit.set, "now": now })
            }
            _ => continue,
        });
    }
    Ok(told)
}
