//! An entry of the audit log in words.

use serde_json::{Map, Value};
use zelo_core::{AuditEntry, AuditKind};

use super::super::words::Words as Common;
use super::words::{Words, words};

/// What an entry says, as a sentence without its subject: who did it stands beside it.
pub(crate) fn sentence(common: &Common, entry: &AuditEntry) -> String {
    let (own, detail) = (words(common), entry.detail());
    let key = key(entry.kind, &detail);
    let template = own.sentences.iter().find(|(known, _)| *known == key).map_or(own.kind(entry.kind), |(_, told)| told);
    filled(own, template, &detail)
}

/// Who did it, in words: what people call them, and what they are.
pub(crate) fn actor(common: &Common, actor: &str) -> String {
    let own = words(common);
    let named = |kind: &str| own.actors.iter().find(|(known, _)| *known == kind).map_or(kind.to_owned(), |(_, told)| (*told).to_owned());
    match actor.split_once(':') {
        Some((kind, name)) => format!("{name} ({})", named(kind)),
        None => named(actor),
    }
}

/// By which sentence an entry is told.
fn key(kind: AuditKind, detail: &Map<String, Value>) -> String {
    let text = |name: &str| detail.get(name).and_then(Value::as_str);
    let is = |name: &str| detail.get(name).and_then(Value::as_bool).unwrap_or(false);
    let has = |name: &str| detail.contains_key(name);
    let either = |on: bool, one: &str, other: &str| if on { one.to_owned() } else { other.to_owned() };
    match kind {
        AuditKind::Configured if has("automation") => either(is("enabled"), "automation.on", "automation.off"),
        AuditKind::Configured if has("halted") => "halted".to_owned(),
        AuditKind::Configured if has("resumed") => "resumed".to_owned(),
        AuditKind::Configured if text("what") == Some("restored") => "restored".to_owned(),
        AuditKind::Configured if has("rules") => "rules".to_owned(),
        AuditKind::Configured if has("credential") => either(text("what") == Some("revoked"), "credential.revoked", "credential.made"),
        AuditKind::Configured if has("person") => format!("person.{}", text("what").unwrap_or_default()),
        AuditKind::Configured if has("secret") => format!("secret.{}", text("what").unwrap_or_default()),
        AuditKind::SignedIn if has("count") => "turned away".to_owned(),
        AuditKind::SignedIn => text("what").unwrap_or_default().to_owned(),
        AuditKind::Consent => either(is("given"), "consent.given", "consent.withdrawn"),
        AuditKind::Held => either(is("held"), "held", "released"),
        kind => kind.as_str().to_owned(),
    }
}

/// `template` with what `detail` says in its places.
fn filled(own: &Words, template: &str, detail: &Map<String, Value>) -> String {
    let mut told = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        told.push_str(before);
        // Of what was taken away, the command says `as`.
        let value = detail.get(name).or_else(|| detail.get("as").filter(|_| name == "what"));
        told.push_str(&value.map_or_else(|| own.nothing.to_owned(), |value| said(own, value)));
        rest = after;
    }
    told.push_str(rest);
    told
}

fn said(own: &Words, value: &Value) -> String {
    let named = |text: &str| own.names.iter().find(|(known, _)| *known == text).map_or(text.to_owned(), |(_, told)| (*told).to_owned());
    match value {
        Value::String(text) => named(text),
        Value::Array(items) if items.is_empty() => own.nothing.to_owned(),
        Value::Array(items) => items.iter().map(|item| said(own, item)).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => match fields.get("effect").and_then(Value::as_str) {
            Some(effect) => {
                let whereto = ["to", "record", "type"].into_iter().find_map(|name| fields.get(name)?.as_str());
                whereto.map_or_else(|| named(effect), |whereto| format!("{} ({whereto})", named(effect)))
            }
            None if fields.is_empty() => own.nothing.to_owned(),
            // Names of fields with their classes, kinds of rows with their counts.
            None => fields.iter().map(|(name, value)| counted(&named(name), value)).collect::<Vec<_>>().join(", "),
        },
        Value::Null => own.nothing.to_owned(),
        other => other.to_string(),
    }
}

fn counted(name: &str, value: &Value) -> String {
    match value {
        Value::Number(number) => format!("{name}: {number}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;
    use zelo_core::Actor;

    use super::*;
    use crate::pages::words::called;

    fn told(lang: &str, kind: AuditKind, detail: &Value) -> String {
        sentence(called(lang).unwrap(), &AuditEntry::new(Timestamp::UNIX_EPOCH, kind, Actor::engine(), detail))
    }

    #[test]
    fn an_entry_is_told_in_the_language_of_the_page() {
        let effects = json!({ "rule": "greeting", "effects": [{ "entry": 1, "effect": "message", "to": "outbox" }, { "entry": 2, "effect": "document" }] });
        for (kind, detail, pt, en) in [
            (
                AuditKind::Disclosed,
                json!({ "plugin": "reminder", "rule": "r", "fields": { "phone": "personal", "patient": "personal" } }),
                "Mostrou ao plugin reminder, para a automação r: patient, phone.",
                "Showed the plugin reminder, for the automation r: patient, phone.",
            ),
            (
                AuditKind::Done,
                effects,
                "A automação greeting fez: mensagem (outbox), documento.",
                "The automation greeting did: a message (outbox), a document.",
            ),
            (AuditKind::Held, json!({ "held": false }), "Liberou os dados: podem ser apagados.", "Let the data go: they can be erased."),
            (
                AuditKind::SignedIn,
                json!({ "what": "token refused", "count": 3 }),
                "Não deixou entrar: 3 tentativas.",
                "Turned away: 3 tries.",
            ),
            (AuditKind::Exported, json!({ "as": "json" }), "Levou uma cópia dos dados: em JSON.", "Took a copy of the data: as JSON."),
            (
                AuditKind::Exported,
                json!({ "as": "backup" }),
                "Levou uma cópia dos dados: de segurança, com tudo.",
                "Took a copy of the data: a backup of everything.",
            ),
            (
                AuditKind::Configured,
                json!({ "what": "restored", "events": 12 }),
                "Pôs no lugar uma cópia de segurança, com 12 eventos.",
                "Put a backup in the place of what was stored, with 12 events.",
            ),
            (
                AuditKind::Retained,
                json!({ "deleted": { "events": 3, "jobs": 4 } }),
                "Apagou o que passou do prazo: eventos: 3, tarefas: 4.",
                "Deleted what was kept long enough: events: 3, jobs: 4.",
            ),
            (AuditKind::Configured, json!({ "what": "news" }), "Mudou a configuração.", "Changed the configuration."),
            (
                AuditKind::Amended,
                json!({ "record": "contact", "fields": ["stage"] }),
                "Mudou à mão, em um registro do tipo contact: stage.",
                "Changed by hand, in a record of type contact: stage.",
            ),
        ] {
            assert_eq!((told("pt-BR", kind, &detail).as_str(), told("en", kind, &detail).as_str()), (pt, en));
        }
    }

    #[test]
    fn every_kind_has_a_sentence_of_its_own_in_both_languages() {
        for lang in ["pt-BR", "en"] {
            let all: std::collections::BTreeSet<String> = AuditKind::ALL.into_iter().map(|kind| told(lang, kind, &json!({}))).collect();
            assert_eq!(all.len(), AuditKind::ALL.len(), "{all:?}");
            assert!(all.iter().all(|one| !one.contains('{')), "{all:?}");
        }
        let keys = |lang: &str| words(called(lang).unwrap()).sentences.iter().map(|(key, _)| *key).collect::<Vec<_>>();
        assert_eq!(keys("pt-BR"), keys("en"));
    }

    #[test]
    fn who_it_was_is_told_by_name() {
        let words = called("pt-BR").unwrap();
        let told = ["engine", "session:Ana", "token:x:y", "odd"].map(|one| actor(words, one));
        assert_eq!(told, ["zelo", "Ana (pessoa)", "x:y (programa)", "odd"]);
    }
}
