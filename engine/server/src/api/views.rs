//! The JSON shapes of the API. An absent value is null; a key is never left out, except those of one answer only.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use zelo_core::audit::verify::Verified;
use zelo_core::effect::{Attachment, Body, Button, Document, Emitted, Message, RecordEdit};
use zelo_core::job::Reason;
use zelo_core::settle::LogLine;
use zelo_core::{
    AuditKind, Cause, Disclosure, Effect, EffectResult, Entity, EventId, Grants, Halt, Invocation, JobId, JobState, JournalEntry, Need,
    Pseudonym, Status,
};
use zelo_runtime::Waits;
use zelo_store::{AttemptView, AuditView, Decided, DecisionView, DocumentView, EventView, JobView, MessageView, RecordView};

use crate::document_url;
use crate::openapi::shapes;

/// An event.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventJson {
    #[schema(value_type = shapes::EventId)]
    id: EventId,
    connection: String,
    clinic: Option<String>,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    time: Timestamp,
    received: Timestamp,
    #[schema(value_type = shapes::Status)]
    status: Status,
    #[schema(value_type = Option<shapes::Entity>)]
    entity: Option<Entity>,
    subjects: Vec<String>,
    /// What led to it, where a plugin emitted it.
    #[schema(value_type = Option<shapes::Cause>)]
    cause: Option<Cause>,
    /// The payload: only where one event is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>, nullable = false)]
    data: Option<zelo_core::Payload>,
}

impl EventJson {
    pub(crate) fn new(view: &EventView) -> Self {
        let event = &view.event;
        Self {
            id: event.id,
            connection: event.connection.clone(),
            clinic: event.clinic.clone(),
            source: event.source.clone(),
            kind: event.kind.clone(),
            time: event.time,
            received: event.received,
            status: view.status,
            entity: event.entity.clone(),
            subjects: event.subjects.clone(),
            cause: event.cause.clone(),
            data: None,
        }
    }

    pub(crate) fn with_data(view: &EventView) -> Self {
        Self { data: Some(view.event.data.clone()), ..Self::new(view) }
    }
}

/// A job.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobJson {
    #[schema(value_type = shapes::JobId)]
    id: JobId,
    #[schema(value_type = shapes::EventId)]
    event: EventId,
    connection: String,
    clinic: Option<String>,
    automation: String,
    rule: String,
    action: String,
    #[schema(value_type = shapes::JobState)]
    state: JobState,
    /// The steps of its rule that come before it.
    #[schema(value_type = Vec<shapes::Need>)]
    needs: Vec<Need>,
    /// The events that it collects; 0: it is for one.
    collected: u32,
    anchor: Option<Timestamp>,
    reference: Timestamp,
    due: Timestamp,
    expires: Option<Timestamp>,
    run_at: Timestamp,
    attempt: u32,
    #[schema(value_type = Option<shapes::Reason>)]
    attention: Option<Reason>,
    #[schema(value_type = Option<shapes::Reason>)]
    reason: Option<Reason>,
    /// What keeps it from running, though its time has come.
    #[schema(value_type = Option<shapes::Waits>)]
    waits: Option<Waits>,
    summary: Option<String>,
    ended: Option<Timestamp>,
    /// Only where one job is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    journal: Option<Vec<JournalJson>>,
    /// Only where one job is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    attempts: Option<Vec<AttemptJson>>,
    /// What people decided about it. Only where one job is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    decisions: Option<Vec<DecisionJson>>,
}

impl JobJson {
    pub(crate) fn new(view: &JobView, halts: &[Halt]) -> Self {
        let job = &view.job;
        Self {
            id: job.id,
            event: job.event,
            connection: job.connection.clone(),
            clinic: job.clinic.clone(),
            automation: job.automation.to_string(),
            rule: job.rule.clone(),
            action: job.action.clone(),
            state: job.state,
            needs: job.needs.clone(),
            collected: job.collected,
            anchor: job.anchor,
            reference: job.reference,
            due: job.due,
            expires: job.expires,
            run_at: job.run_at,
            attempt: job.attempt,
            attention: job.attention.clone(),
            reason: job.reason.clone(),
            waits: Waits::of(view, halts),
            summary: view.summary.clone(),
            ended: view.ended,
            journal: None,
            attempts: None,
            decisions: None,
        }
    }

    pub(crate) fn whole(view: &JobView, halts: &[Halt], journal: Vec<JournalEntry>, attempts: Vec<AttemptView>) -> Self {
        let journal = journal.into_iter().zip(0..).map(|(entry, index)| JournalJson::new(index, entry));
        let attempts = attempts.into_iter().map(AttemptJson::new);
        Self { journal: Some(journal.collect()), attempts: Some(attempts.collect()), ..Self::new(view, halts) }
    }

    pub(crate) fn decided(self, decisions: Vec<DecisionView>) -> Self {
        Self { decisions: Some(decisions.into_iter().map(DecisionJson::new).collect()), ..self }
    }
}

/// What a person decided about a job.
#[derive(Serialize, ToSchema)]
struct DecisionJson {
    at: Timestamp,
    /// Who did.
    actor: String,
    #[schema(value_type = shapes::Decided)]
    decision: Decided,
    /// How it stood before, and why.
    #[schema(value_type = shapes::JobState)]
    was: JobState,
    #[schema(value_type = Option<shapes::Reason>)]
    reason: Option<Reason>,
    /// The step with which it came back.
    #[schema(value_type = Option<shapes::JobId>)]
    with: Option<JobId>,
}

impl DecisionJson {
    fn new(view: DecisionView) -> Self {
        let DecisionView { at, actor, decision, was, reason, with } = view;
        Self { at, actor: actor.as_str().to_owned(), decision, was, reason, with }
    }
}

/// What a plugin said in one attempt.
#[derive(Serialize, ToSchema)]
struct AttemptJson {
    attempt: u32,
    at: Timestamp,
    /// What the job came to by it.
    #[schema(value_type = shapes::JobState)]
    state: JobState,
    summary: Option<String>,
    output: Option<Value>,
    #[schema(value_type = Vec<shapes::LogLine>)]
    lines: Vec<LogLine>,
}

impl AttemptJson {
    fn new(view: AttemptView) -> Self {
        let AttemptView { attempt, at, state, report } = view;
        Self { attempt, at, state, summary: report.summary, output: report.output, lines: report.lines }
    }
}

/// One entry of a journal: what was frozen, then what was done and what came of it.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum JournalJson {
    Invocation {
        index: u32,
        now: String,
        locale: String,
        /// What of somebody was disclosed to the plugin, by name and class; for what, and on which basis.
        #[schema(value_type = shapes::Disclosure)]
        disclosure: Disclosure,
        input: Value,
        #[schema(value_type = Map<String, Value>)]
        grants: Grants,
        plugin_digest: String,
    },
    Effect {
        index: u32,
        /// Under its `kind`.
        #[schema(value_type = Map<String, Value>)]
        effect: EffectJson,
        /// Under its `kind`.
        #[schema(value_type = Map<String, Value>)]
        result: ResultJson,
    },
    /// A request whose answer is not known.
    Begun {
        index: u32,
        /// Under its `kind`.
        #[schema(value_type = Map<String, Value>)]
        effect: EffectJson,
        /// Whether it may have been carried out.
        in_flight: bool,
    },
}

/// A result as in the journal; the body of an answer as JSON or text where it is that.
#[derive(Serialize)]
#[serde(untagged)]
enum ResultJson {
    Answered(Value),
    Other(EffectResult),
}

impl ResultJson {
    fn new(result: EffectResult) -> Self {
        match result {
            EffectResult::Answered { response } => Self::Answered(response.told()),
            other => Self::Other(other),
        }
    }
}

/// An effect as in the journal, under the word of [`Effect::kind`]; without the bytes of documents and files.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum EffectJson {
    Message(ContentJson),
    Document {
        name: String,
        media_type: String,
        bytes: usize,
        text: String,
    },
    RecordGet {
        record: String,
        id: String,
    },
    Record {
        record: String,
        id: String,
        set: Map<String, Value>,
        append: BTreeMap<String, String>,
    },
    Counter {
        key: String,
    },
    Event {
        r#type: String,
        data: Value,
    },
    StateGet {
        key: String,
    },
    StateSet {
        key: String,
        value: String,
    },
    StateDelete {
        key: String,
    },
    /// With its `kind`, as it is told everywhere.
    #[serde(untagged)]
    Http(Value),
}

impl JournalJson {
    fn new(index: u32, entry: JournalEntry) -> Self {
        match entry {
            JournalEntry::Invocation(invocation) => {
                let Invocation { now, locale, disclosure, input, grants, plugin_digest, .. } = *invocation;
                Self::Invocation { index, now, locale, disclosure, input, grants, plugin_digest }
            }
            JournalEntry::Effect { effect, result } => {
                Self::Effect { index, effect: EffectJson::new(effect), result: ResultJson::new(result) }
            }
            JournalEntry::Begun { effect, in_flight } => Self::Begun { index, effect: EffectJson::new(effect), in_flight },
        }
    }
}

impl EffectJson {
    fn new(effect: Effect) -> Self {
        match effect {
            Effect::Http(request) => Self::Http(request.told()),
            Effect::Message(message) => Self::Message(ContentJson::new(&message, message.channel.as_deref())),
            Effect::Document(Document { name, media_type, content, text }) => {
                Self::Document { name, media_type, bytes: content.len(), text }
            }
            Effect::RecordGet { record, id } => Self::RecordGet { record, id },
            Effect::RecordEdit(RecordEdit { record, id, set, append }) => Self::Record { record, id, set, append },
            Effect::StateNext { key } => Self::Counter { key },
            Effect::Event(Emitted { kind, data }) => Self::Event { r#type: kind, data },
            Effect::StateGet { key } => Self::StateGet { key },
            Effect::StateSet { key, value } => Self::StateSet { key, value },
            Effect::StateDelete { key } => Self::StateDelete { key },
        }
    }
}

/// An entry of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditJson {
    seq: i64,
    at: Timestamp,
    #[schema(value_type = shapes::AuditKind)]
    kind: AuditKind,
    connection: Option<String>,
    clinic: Option<String>,
    /// The people it is about, under random names.
    #[schema(value_type = Vec<shapes::Pseudonym>)]
    about: Vec<Pseudonym>,
    /// Who did it.
    actor: String,
    #[schema(value_type = Option<shapes::JobId>)]
    job: Option<JobId>,
    detail: Map<String, Value>,
    /// Of the chain up to it, hexadecimal.
    hash: String,
}

impl AuditJson {
    pub(crate) fn new(view: &AuditView) -> Self {
        let AuditView { cursor, entry, hash } = view;
        Self {
            seq: *cursor,
            at: entry.at,
            kind: entry.kind,
            connection: entry.connection.clone(),
            clinic: entry.clinic.clone(),
            about: entry.about.clone(),
            actor: entry.actor.as_str().to_owned(),
            job: entry.job,
            detail: entry.detail(),
            hash: data_encoding::HEXLOWER.encode(hash),
        }
    }
}

/// What came of looking through the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerifiedJson {
    /// What was done to it, in words; empty where nothing was.
    findings: Vec<String>,
    /// The entries that were looked at.
    entries: u64,
    /// The signed heads that they were held against.
    heads: u64,
    /// The place of the last entry.
    last: u64,
    /// Of the chain up to it, hexadecimal.
    hash: String,
    /// The Ed25519 key that signs, hexadecimal.
    key: String,
}

impl VerifiedJson {
    pub(crate) fn new(verified: &Verified, key: &[u8; 32]) -> Self {
        Self {
            findings: verified.findings.iter().map(ToString::to_string).collect(),
            entries: verified.entries,
            heads: verified.heads,
            last: verified.last.seq,
            hash: data_encoding::HEXLOWER.encode(&verified.last.hash),
            key: data_encoding::HEXLOWER.encode(key),
        }
    }
}

/// A message in an outbox channel.
#[derive(Serialize, ToSchema)]
pub(crate) struct MessageJson {
    id: String,
    #[schema(value_type = shapes::JobId)]
    job: JobId,
    at: Timestamp,
    connection: String,
    clinic: Option<String>,
    #[serde(flatten)]
    content: ContentJson,
}

impl MessageJson {
    pub(crate) fn new(view: &MessageView) -> Self {
        Self {
            id: view.id.clone(),
            job: view.job,
            at: view.at,
            connection: view.connection.clone(),
            clinic: view.clinic.clone(),
            content: ContentJson::new(&view.message, Some(&view.channel)),
        }
    }
}

/// To whom, and what. Either `text` or `template` is there.
#[derive(Serialize, ToSchema)]
struct ContentJson {
    channel: Option<String>,
    to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    template: Option<TemplateJson>,
    attachments: Vec<AttachmentJson>,
    #[schema(value_type = Vec<shapes::Button>)]
    buttons: Vec<Button>,
}

/// A message that the channel has the words of.
#[derive(Serialize, ToSchema)]
struct TemplateJson {
    name: String,
    parameters: Vec<String>,
}

/// What a message brings along.
#[derive(Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum AttachmentJson {
    /// It travels with its message, and is kept nowhere else.
    File { name: String, media_type: String, bytes: usize },
    /// One of `/documents`. `url` is null where its id is not one of zelo's.
    Document { id: String, url: Option<String> },
}

impl AttachmentJson {
    fn new(attachment: &Attachment) -> Self {
        match attachment {
            Attachment::File(file) => {
                Self::File { name: file.name.clone(), media_type: file.media_type.clone(), bytes: file.content.len() }
            }
            Attachment::Document { id } => Self::Document { id: id.clone(), url: document_url(id) },
        }
    }
}

impl ContentJson {
    fn new(message: &Message, channel: Option<&str>) -> Self {
        let (text, template) = match &message.body {
            Body::Text { text } => (Some(text.clone()), None),
            Body::Template { name, parameters } => (None, Some(TemplateJson { name: name.clone(), parameters: parameters.clone() })),
        };
        Self {
            channel: channel.map(str::to_owned),
            to: message.to.clone(),
            text,
            template,
            attachments: message.attachments.iter().map(AttachmentJson::new).collect(),
            buttons: message.buttons.clone(),
        }
    }
}

/// A document.
#[derive(Serialize, ToSchema)]
pub(crate) struct DocumentJson {
    id: String,
    #[schema(value_type = shapes::JobId)]
    job: JobId,
    at: Timestamp,
    connection: String,
    clinic: Option<String>,
    name: String,
    media_type: String,
    /// Bytes.
    size: u64,
    /// What it says, line by line.
    text: String,
    /// Where the file is.
    url: Option<String>,
}

impl DocumentJson {
    pub(crate) fn new(view: &DocumentView) -> Self {
        Self {
            id: view.id.clone(),
            job: view.job,
            at: view.at,
            connection: view.connection.clone(),
            clinic: view.clinic.clone(),
            name: view.name.clone(),
            media_type: view.media_type.clone(),
            size: view.size,
            text: view.text.clone(),
            url: document_url(&view.id),
        }
    }
}

/// A record.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecordJson {
    connection: String,
    clinic: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    id: String,
    time: Timestamp,
    document: Value,
}

impl RecordJson {
    pub(crate) fn new(view: &RecordView) -> Self {
        Self {
            connection: view.connection.clone(),
            clinic: view.clinic.clone(),
            kind: view.kind.clone(),
            id: view.id.clone(),
            time: view.time,
            document: view.document.clone(),
        }
    }
}
