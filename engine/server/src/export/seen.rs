//! Who saw what of a person, read out of the audit log.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use zelo_core::{AuditKind, JobId};
use zelo_store::AuditView;

/// Who saw what of somebody, each in order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct WhoSaw {
    /// What plugins were shown.
    pub disclosures: Vec<Disclosed>,
    /// What people saw of them, and did about them.
    pub views: Vec<Looked>,
}

/// A plugin was shown fields of somebody.
#[derive(Debug, Serialize, Deserialize)]
pub struct Disclosed {
    pub seq: i64,
    pub at: Timestamp,
    pub connection: Option<String>,
    pub clinic: Option<String>,
    pub job: Option<JobId>,
    /// Where what the plugin did with it went: channels, addresses of other programs, what zelo keeps itself.
    #[serde(default)]
    pub went: BTreeSet<String>,
    /// The same, effect by effect.
    #[serde(default)]
    pub effects: Vec<Value>,
    #[serde(flatten)]
    pub what: What,
}

/// What the entry of a disclosure says.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct What {
    pub event: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub rule: String,
    pub action: String,
    pub plugin: String,
    /// The plugin, exactly.
    pub digest: String,
    /// By name, each with its class.
    pub fields: BTreeMap<String, String>,
    pub purpose: Option<String>,
    pub basis: Option<String>,
}

/// Somebody looked at somebody, or did something about them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Looked {
    pub seq: i64,
    pub at: Timestamp,
    pub kind: AuditKind,
    pub actor: String,
    #[serde(flatten)]
    pub detail: Map<String, Value>,
}

/// What the audit log says of somebody, sorted into what plugins were shown and what people saw and did.
pub fn who_saw(audit: &[AuditView]) -> WhoSaw {
    let mut seen = WhoSaw::default();
    // Where the last disclosure of a job stands: what the job did next, it did with that.
    let mut last: HashMap<JobId, usize> = HashMap::new();
    for AuditView { cursor: seq, entry, .. } in audit {
        let mut detail = entry.detail();
        match entry.kind {
            AuditKind::Disclosed => {
                last.extend(entry.job.map(|job| (job, seen.disclosures.len())));
                seen.disclosures.push(Disclosed {
                    seq: *seq,
                    at: entry.at,
                    connection: entry.connection.clone(),
                    clinic: entry.clinic.clone(),
                    job: entry.job,
                    went: BTreeSet::new(),
                    effects: Vec::new(),
                    what: serde_json::from_value(detail.into()).unwrap_or_default(),
                });
            }
            AuditKind::Done => {
                let shown = entry.job.and_then(|job| last.get(&job)).and_then(|place| seen.disclosures.get_mut(*place));
                if let (Some(shown), Some(Value::Array(done))) = (shown, detail.remove("effects")) {
                    shown.went.extend(done.iter().filter_map(destination));
                    shown.effects.extend(done);
                }
            }
            AuditKind::Refused => {}
            kind => seen.views.push(Looked { seq: *seq, at: entry.at, kind, actor: entry.actor.as_str().to_owned(), detail }),
        }
    }
    seen
}

/// The same as JSON, in the shape of the API.
pub fn disclosures(audit: &[AuditView]) -> Value {
    json!(who_saw(audit))
}

/// Where an effect went; nothing for what only read.
fn destination(effect: &Value) -> Option<String> {
    let text = |name: &str| effect[name].as_str();
    match text("effect")? {
        "message" => Some(format!("message by {}", text("to").unwrap_or("a channel"))),
        "http" => text("to").map(str::to_owned),
        "document" => Some("a document in zelo".to_owned()),
        "record" => Some(format!("the record {}", text("record")?)),
        "event" => Some(format!("an event {}", text("type")?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use zelo_core::{Actor, AuditEntry};

    use super::*;

    #[test]
    fn what_a_job_did_stands_beside_what_it_was_shown() {
        let job = |number| Some(JobId::from_bytes([number; 16]));
        let entry = |cursor, kind, job, detail: Value| {
            let entry = AuditEntry { job, ..AuditEntry::new(Timestamp::UNIX_EPOCH, kind, Actor::credential("token", "desk"), &detail) };
            AuditView { cursor, entry, hash: [0; 32] }
        };
        let effects = json!([{ "entry": 1, "effect": "message", "to": "outbox" }]);
        let seen = disclosures(&[
            entry(1, AuditKind::Disclosed, job(1), json!({ "plugin": "message", "fields": { "phone": "personal" } })),
            entry(2, AuditKind::Disclosed, job(2), json!({ "plugin": "receipt" })),
            entry(3, AuditKind::Done, job(1), json!({ "effects": effects })),
            entry(4, AuditKind::Consent, None, json!({ "topic": "messages" })),
            entry(5, AuditKind::Viewed, None, json!({ "what": "events", "rows": 1 })),
        ]);
        let told = |place: usize, name: &str| seen["disclosures"][place][name].clone();
        assert_eq!((told(0, "effects"), told(1, "effects")), (effects, json!([])));
        assert_eq!((told(0, "fields"), told(0, "job")), (json!({ "phone": "personal" }), json!(job(1))));
        let view = json!({ "seq": 5, "at": "1970-01-01T00:00:00Z", "kind": "viewed", "actor": "token:desk", "what": "events", "rows": 1 });
        let consent = json!({ "seq": 4, "at": "1970-01-01T00:00:00Z", "kind": "consent", "actor": "token:desk", "topic": "messages" });
        assert_eq!(seen["views"], json!([consent, view]));
        assert_eq!(told(0, "went"), json!(["message by outbox"]));
        let again: WhoSaw = serde_json::from_value(seen.clone()).unwrap();
        assert_eq!(json!(again), seen, "it travels");
    }
}
