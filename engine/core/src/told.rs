//! Effects in the form that people read: rows of a simulation, and what the tests of rules expect.
//!
//! A new kind of effect gets an arm in [`JournalEntry::told`] and a line in [`KINDS`].

use serde_json::{Value, json};

use crate::effect::{Attachment, Body, Effect, EffectResult, JournalEntry, Message};

/// The kinds of effects that are told, each with the members that it may have beside `kind`.
pub const KINDS: [(&str, &[&str]); 7] = [
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
        let Self::Effect { effect, result } = self else { return None };
        match (effect, result) {
            (_, EffectResult::Refused { reason }) => Some(json!({ "kind": "refused", "effect": effect.kind(), "reason": reason })),
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
        let done: [(Effect, EffectResult); 9] = [
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
        assert_eq!(seen.len(), KINDS.iter().map(|(_, members)| members.len()).sum::<usize>(), "nothing is listed that is never told");
    }

    #[test]
    fn what_only_reads_is_not_told() {
        let read = JournalEntry::Effect { effect: Effect::StateGet { key: "k".into() }, result: EffectResult::Value { value: None } };
        assert_eq!(read.told(), None);
    }
}
