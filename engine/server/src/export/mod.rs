//! What is held of a person, to hand out (LGPD art. 18, II and V): as JSON for programs, as one page for people.
//!
//! Both are made of what the store tells of somebody, by the API and by the command; who asks for it is written down by them, before.

mod page;
mod seen;
mod words;

use data_encoding::BASE64;
use serde_json::{Value, json};
use zelo_store::{AuditView, DocumentView, JobExport, SubjectExport};

use crate::api::views::{AuditJson, DocumentJson, EventJson, JobJson, MessageJson, RecordJson};

pub use page::page;
pub use seen::{Disclosed, Looked, What, WhoSaw, disclosures, who_saw};

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
