//! People: found, told, erased, held. Whoever looks stands in the audit log.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zelo_core::{Actor, AuditEntry, AuditKind, IdentityKind, Pseudonym};
use zelo_runtime::rulebook;
use zelo_server::export;
use zelo_store::{ConsentWrite, Erasure, SubjectView, Who};

use super::Scene;
use crate::cli::meant::did_you_mean;

/// What is asked about a person.
#[derive(Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub(in crate::cli) enum Ask {
    Find {
        whom: Whom,
    },
    /// All that is held of one of those who were found.
    Export {
        subject: Pseudonym,
        shape: Shape,
    },
    /// Who was shown what of them.
    Seen {
        subject: Pseudonym,
    },
    Erase {
        subject: Pseudonym,
    },
    /// Without a reason, they are let go.
    Hold {
        subject: Pseudonym,
        reason: Option<String>,
    },
    Consent {
        subject: Pseudonym,
        topic: String,
        given: bool,
    },
}

/// Prints nothing of them.
impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ask(about a person)")
    }
}

/// Who is meant.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub(in crate::cli) enum Whom {
    Pseudonym {
        subject: Pseudonym,
    },
    /// What the provider calls them.
    Id {
        id: String,
        connection: Option<String>,
    },
    /// As everybody writes it.
    Identity {
        kind: IdentityKind,
        value: String,
    },
}

impl Whom {
    /// How they are asked for: never by what.
    pub(in crate::cli) fn by(&self) -> &'static str {
        match self {
            Self::Pseudonym { .. } => "pseudonym",
            Self::Id { .. } => "id",
            Self::Identity { kind, .. } => kind.as_str(),
        }
    }
}

/// Prints how they are asked for only.
impl fmt::Debug for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Whom(by {})", self.by())
    }
}

/// How what is held of somebody is handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Shape {
    /// For programs: everything, as it is kept.
    #[default]
    Json,
    /// A page for people.
    Html,
}

/// What is held of somebody, as a text.
#[derive(Serialize, Deserialize)]
pub(in crate::cli) struct Exported {
    pub(in crate::cli) text: String,
}

/// Somebody was erased.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::cli) struct Erased {
    pub(in crate::cli) proof: Erasure,
    /// Where plugins sent something of theirs, which is out of reach.
    pub(in crate::cli) went: BTreeSet<String>,
}

pub(super) async fn answer(scene: &Scene<'_>, ask: &Ask) -> Result<Value> {
    let (store, now) = (scene.store, scene.clock.now());
    match ask {
        Ask::Find { whom } => Ok(serde_json::to_value(find(scene, whom).await?)?),
        Ask::Export { subject, shape } => {
            let export = store.export_subject(*subject).await?.with_context(|| gone(*subject))?;
            let text = match shape {
                Shape::Json => serde_json::to_string_pretty(&export::json(&export))?,
                Shape::Html => {
                    let place = (export.subject.connection.as_str(), export.subject.clinic.as_deref());
                    export::page(&export, "pt-BR", export::zone_of(store, scene.rules, scene.connections, place).await?)
                }
            };
            note(scene, AuditKind::Exported, &export.subject, &json!({ "as": shape })).await?;
            tracing::info!(subject = %subject, "what is held of a person was exported");
            Ok(serde_json::to_value(Exported { text })?)
        }
        Ask::Seen { subject } => {
            let seen = export::who_saw(&store.seen_of(*subject).await?);
            let view = store.find_subjects(Who::Pseudonym(*subject)).await?.pop().with_context(|| gone(*subject))?;
            note(scene, AuditKind::Viewed, &view, &json!({ "what": "who_saw" })).await?;
            Ok(serde_json::to_value(seen)?)
        }
        Ask::Erase { subject } => {
            let proof = store.erase(*subject, Actor::command(), now).await?.with_context(|| gone(*subject))?;
            tracing::info!(subject = %subject, keys = proof.keys, cancelled = proof.cancelled, "a person was erased");
            let went =
                export::who_saw(&store.seen_of(*subject).await?).disclosures.into_iter().flat_map(|disclosure| disclosure.went).collect();
            Ok(serde_json::to_value(Erased { proof, went })?)
        }
        Ask::Hold { subject, reason } => {
            ensure!(store.hold(*subject, reason.clone(), Actor::command(), now).await?, gone(*subject));
            Ok(Value::Null)
        }
        Ask::Consent { subject, topic, given } => {
            let actions = rulebook::asking_for(scene.rules, topic).to_vec();
            let write = ConsentWrite { subject: *subject, topic: topic.clone(), given: *given, actions, actor: Actor::command() };
            let ended = store.note_consent(write, now).await?.with_context(|| gone(*subject))?;
            Ok(json!({ "ended": ended }))
        }
    }
}

/// The people who are meant; of each who was not erased, that they were looked at.
async fn find(scene: &Scene<'_>, whom: &Whom) -> Result<Vec<SubjectView>> {
    let who = match whom {
        Whom::Pseudonym { subject } => Who::Pseudonym(*subject),
        Whom::Id { id, connection } => {
            if let Some(name) = connection {
                let known = || scene.connections.keys().map(String::as_str);
                ensure!(scene.connections.contains_key(name), "there is no connection `{name}`{}", did_you_mean(name, known()));
            }
            Who::Id { connection: connection.clone(), id: id.clone() }
        }
        Whom::Identity { kind, value } => Who::Identity(scene.store.indexer().identity(*kind, value)),
    };
    let found = scene.store.find_subjects(who).await?;
    for view in found.iter().filter(|view| view.erased.is_none()) {
        note(scene, AuditKind::Viewed, view, &json!({ "what": "find", "by": whom.by() })).await?;
    }
    Ok(found)
}

/// Writes down what was done about a person.
async fn note(scene: &Scene<'_>, kind: AuditKind, view: &SubjectView, detail: &Value) -> Result<()> {
    let entry = AuditEntry {
        connection: Some(view.connection.clone()),
        clinic: view.clinic.clone(),
        about: vec![view.pseudonym],
        ..AuditEntry::new(scene.clock.now(), kind, Actor::command(), detail)
    };
    Ok(scene.store.answer_for(vec![entry]).await?)
}

fn gone(subject: Pseudonym) -> String {
    format!("{subject} is nobody, or was erased")
}
