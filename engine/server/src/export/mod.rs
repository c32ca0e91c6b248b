//! What is held of a person, to hand out (LGPD art. 18, II and V): as JSON for programs, as one page for people.
//!
//! Both are made of what the store tells of somebody, by the API and by the command; who asks for it is written down by them, before.

mod page;
mod seen;
mod words;

use data_encoding::BASE64;
use serde_json::{Value, json};
use utoipa::ToSchema;
use zelo_store::{AuditView, DocumentView, JobExport, SubjectExport};

use crate::api::views::{AuditJson, DocumentJson, EventJson, JobJson, MessageJson, RecordJson};
use crate::openapi::shapes;

pub use crate::pages::moments::zone_of;
pub use page::page;
pub use seen::{Disclosed, Looked, What, WhoSaw, disclosures, who_saw};

/// What [`json`] makes, as the OpenAPI document says it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is a shape: nothing is made of it")]
pub(crate) struct Export {
    subject: shapes::Subject,
    events: Vec<EventJson>,
    records: Vec<RecordJson>,
    jobs: Vec<JobJson>,
    messages: Vec<MessageJson>,
    documents: Vec<File>,
    /// What actions keep between runs, as they wrote it.
    state: Vec<String>,
    consents: Vec<shapes::Consent>,
    seen: shapes::WhoSaw,
}

/// A document with its file.
#[derive(ToSchema)]
#[schema(as = DocumentFile)]
#[expect(dead_code, reason = "it is a shape: nothing is made of it")]
struct File {
    #[serde(flatten)]
    document: DocumentJson,
    /// In base64 (RFC 4648).
    content: String,
}

/// All that is held of a person, in the shapes of the API: the subject, its events with their payloads, records, jobs with their
/// journals, messages, documents with their `content` (base64, RFC 4648), state, consents, and who saw what.
pub fn json(export: &SubjectExport) -> Value {
    json!({
        "subject": export.subject,
        "events": export.events.iter().map(EventJson::with_data).collect::<Vec<_>>(),
        "records": export.records.iter().map(RecordJson::new).collect::<Vec<_>>(),
        "jobs": export.jobs.iter().map(job).collect::<Vec<_>>(),
        "messages": export.messages.iter().map(MessageJson::new).collect::<Vec<_>>(),
        "documents": export.documents.iter().map(document).collect::<Vec<_>>(),
        "state": export.state,
        "consents": export.consents,
        "seen": disclosures(&export.audit),
    })
}

/// An entry of the audit log, in the shape of the API.
pub fn entry(view: &AuditView) -> Value {
    json!(AuditJson::new(view))
}

fn job(one: &JobExport) -> JobJson {
    JobJson::whole(&one.job, &[], one.journal.clone(), one.attempts.clone())
}

fn document((view, content): &(DocumentView, Vec<u8>)) -> Value {
    let mut told = json!(DocumentJson::new(view));
    told["content"] = BASE64.encode(content).into();
    told
}
