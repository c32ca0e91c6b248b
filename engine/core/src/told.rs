//! Effects in the form that people read: rows of a simulation, and what the tests of rules expect.
//!
//! A new kind of effect gets an arm in [`JournalEntry::told`] and a line in [`KINDS`].

use serde_json::{Value, json};

use crate::effect::{Attachment, Body, Effect, EffectResult, JournalEntry, Message};
use crate::http::{Body as Bytes, HeaderValue, Request, Response};

/// The kinds of effects that are told, each with the members that it may have beside `kind`.
pub const KINDS: [(&str, &[&str]); 8] = [
    ("http", &["method", "url", "headers", "body", "bytes", "status", "unusable", "unknown"]),
    ("message", &["channel", "to", "text", "template", "attachments"]),
    ("document", &["id", "name", "media_type", "text", "bytes"]),
    ("record", &["record", "id", "set", "append", "fields"]),
    ("event", &["type", "data"]),
    ("counter", &["key", "value"]),
    ("state", &["key"]),
    ("refused", &["effect", "reason"]),
];

impl JournalEntry {
    /// The effect as a JSON object with its `kind`; `None` for what did nothing but read.
    pub fn told(&self) -> Option<Value> {
        let (effect, result) = match self {
            Self::Effect { effect, result } => (effect, result),
            Self::Begun { effect: Effect::Http(request), in_flight: true } => {
                let mut told = request.told();
                told["unknown"] = json!(true);
                return Some(told);
            }
            _ => return None,
        };
        match (effect, result) {
            (_, EffectResult::Refused { reason }) => Some(json!({ "kind": "refused", "effect": effect.kind(), "reason": reason })),
            (Effect::Http(request), EffectResult::Answered { response }) => {
                let mut told = request.told();
                told["status"] = json!(response.status);
                Some(told)
            }
            (Effect::Http(request), EffectResult::Unusable { reason }) => {
                let mut told = request.told();
                told["unusable"] = json!(reason);
                Some(told)
            }
            (Effect::Document(document), EffectResult::Kept { document: id }) => Some(json!({
                "kind": "document", "id": id, "name": document.name, "media_type": document.media_type, "text": document.text,
                "bytes": document.content.len(),
            })),
            (Effect::RecordEdit(edit), _) => {
                let fields: Vec<&String> = edit.set.keys().chain(edit.append.keys()).collect();
                Some(
                    json!({ "kind": "record", "record": edit.record, "id": edit.id, "set": edit.set, "append": edit.append, "fields": fields }),
                )
            }
            (Effect::StateNext { key }, EffectResult::Counted { value }) => Some(json!({ "kind": "counter", "key": key, "value": value })),
            (Effect::Event(emitted), _) => Some(json!({ "kind": "event", "type": emitted.kind, "data": emitted.data })),
            (Effect::Message(message), EffectResult::Sent { channel, .. }) => Some(message_told(message, channel)),
            (Effect::StateSet { key, .. } | Effect::StateDelete { key }, EffectResult::Done) => {
                Some(json!({ "kind": "state", "key": key }))
            }
            _ => None,
        }
    }
}

impl Request {
    /// The request in the form that people read. Of a secret, the name.
    pub fn told(&self) -> Value {
        let mut told = json!({ "kind": "http", "method": self.method.as_str(), "url": self.url.as_str() });
        if !self.headers.is_empty() {
            let headers = self.headers.iter().map(|header| match &header.value {
                HeaderValue::Text(text) => (header.name.clone(), json!(text)),
                HeaderValue::Secret(name) => (header.name.clone(), json!({ "secret": name })),
            });
            told["headers"] = Value::Object(headers.collect());
        }
        self.body.iter().for_each(|body| body.tell(&mut told));
        told
    }
}

impl Response {
    /// The answer in the form that people read.
    pub fn told(&self) -> Value {
        let mut told = json!({ "kind": "answered", "status": self.status, "headers": self.headers });
        self.body.tell(&mut told);
        told
    }
}

impl Bytes {
    /// JSON and text as they are, anything else by its size.
    fn tell(&self, told: &mut Value) {
        let Self(bytes) = self;
        match (serde_json::from_slice::<Value>(bytes), std::str::from_utf8(bytes)) {
            (Ok(json), _) => told["body"] = json,
            (_, Ok(text)) => told["body"] = json!(text),
            _ => told["bytes"] = json!(bytes.len()),
        }
    }
}

fn message_told(message: &Message, channel: &str) -> Value {
    let mut told = json!({ "kind": "message", "channel": channel, "to": message.to });
    match &message.body {
        Body::Text { text } => told["text"] = json!(text),
        Body::Template { name, parameters } => told["template"] = json!({ "name": name, "parameters": parameters }),
    }
    if !message.attachments.is_empty() {
        let attached = message.attachments.iter().map(|attachment| match attachment {
            Attachment::File(file) => json!({ "name": file.name, "media_type": file.media_type, "bytes": file.content.len() }),
            Attachment::Document { id } => json!({ "document": id }),
        });
        told["attachments"] = attached.collect();
    }
    told
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::effect::{Document, Emitted, File, RecordEdit};
    use crate::http::{Header, Method, Target};

    fn request(body: Option<&[u8]>) -> Request {
        let secret = Header { name: "authorization".into(), value: HeaderValue::Secret("crm".into()) };
        let text = Header { name: "a".into(), value: HeaderValue::Text("b".into()) };
        let url = Target::parse("https://api.example.com/v1").unwrap();
        Request { method: Method::Post, url, headers: vec![secret, text], body: body.map(|body| Bytes(body.to_vec())) }
    }

    /// One of each: what is told of it has the members that are listed, and no others.
    #[test]
    fn what_is_told_is_listed() {
        let message = |body: Body, attachments: Vec<Attachment>| {
            Effect::Message(Message { channel: None, to: "t".into(), body, attachments, buttons: Vec::new() })
        };
        let sent = || EffectResult::Sent { message: "m".into(), channel: "outbox".into() };
        let key = || "k".to_owned();
        let file = File { name: "f".into(), media_type: "text/plain".into(), content: vec![1] };
        let document = Document { name: "d".into(), media_type: "text/plain".into(), content: vec![1], text: "x".into() };
        let edit = RecordEdit { record: "contact".into(), id: "1".into(), set: Map::new(), append: [(key(), "x".to_owned())].into() };
        let answered = || EffectResult::Answered { response: Response { status: 201, headers: Vec::new(), body: Bytes(Vec::new()) } };
        let done: [(Effect, EffectResult); 12] = [
            (Effect::Http(request(Some(&b"{}"[..]))), answered()),
            (Effect::Http(request(Some(&[255]))), answered()),
            (Effect::Http(request(None)), EffectResult::Unusable { reason: "r".into() }),
            (message(Body::Text { text: "x".into() }, vec![Attachment::File(file), Attachment::Document { id: "d".into() }]), sent()),
            (message(Body::Template { name: "n".into(), parameters: Vec::new() }, Vec::new()), sent()),
            (Effect::Document(document), EffectResult::Kept { document: "d".into() }),
            (Effect::RecordEdit(edit), EffectResult::Done),
            (Effect::StateNext { key: key() }, EffectResult::Counted { value: 1 }),
            (Effect::Event(Emitted { kind: "a.b".into(), data: json!({}) }), EffectResult::Done),
            (Effect::StateSet { key: key(), value: key() }, EffectResult::Done),
            (Effect::StateDelete { key: key() }, EffectResult::Done),
            (Effect::StateDelete { key: key() }, EffectResult::Refused { reason: "no".into() }),
        ];
        let mut seen = std::collections::BTreeSet::new();
        for (effect, result) in done {
            let told = JournalEntry::Effect { effect, result }.told().unwrap();
            let kind = told["kind"].as_str().unwrap();
            let (kind, members) = KINDS.into_iter().find(|(known, _)| *known == kind).unwrap();
            for member in told.as_object().unwrap().keys().filter(|member| *member != "kind") {
                assert!(members.contains(&member.as_str()), "{kind} has {member}");
                seen.insert((kind, member.clone()));
            }
        }
        let begun = JournalEntry::Begun { effect: Effect::Http(request(None)), in_flight: true }.told().unwrap();
        assert_eq!(begun["unknown"], json!(true));
        seen.insert(("http", "unknown".to_owned()));
        assert_eq!(seen.len(), KINDS.iter().map(|(_, members)| members.len()).sum::<usize>(), "nothing is listed that is never told");
    }

    #[test]
    fn what_only_reads_is_not_told() {
        let read = JournalEntry::Effect { effect: Effect::StateGet { key: "k".into() }, result: EffectResult::Value { value: None } };
        assert_eq!(read.told(), None);
    }
}
