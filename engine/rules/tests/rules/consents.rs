//! What deliveries say about the consent of the people they are about.

use serde_json::{Value, json};
use zelo_core::{Event, EventId};
use zelo_rules::{Delivery, FileText, Files, Headers, InForce, Read, RuleSet, Through};

use super::common::{file, in_force, indexer, loaded};

fn plotado() -> RuleSet {
    loaded(&Files { sources: vec![file("rules/sources/plotado.toml")], rules: vec![], samples: vec![] })
}

fn through() -> Through<'static> {
    Through {
        connection: "whatsapp",
        source: "plotado",
        clinic: None,
        event: EventId::from_bytes([7; 16]),
        received: "2026-03-02T12:30:00Z".parse().unwrap(),
    }
}

/// What a delivery of `source` says, read in one pass over its bytes as the way in does it; and the same from a tree.
fn said_in(in_force: &InForce, source: &str, path: &str, body: &str) -> Vec<(String, bool)> {
    let (rules, headers) = (in_force.rules(), Headers::default());
    let source = rules.source(source).unwrap();
    let delivery = Delivery { path, url: "", headers: &headers, body: body.as_bytes() };
    let text = source.text(&delivery).unwrap();
    let facts = rules.facts(&text).unwrap();
    let Read::Event(reading) = source.read_facts(&delivery, &text, &facts) else { panic!("it is of a known type") };
    let event: Event = reading.event(&Through { source: &source.id, ..through() });
    let said = in_force.consents_of(&event, &facts);
    assert_eq!(in_force.consents(&event), said, "from the bytes as from a tree");
    assert!(in_force.candidates(&event, &indexer()).is_empty());
    said
}

fn message(text: &Value) -> Vec<(String, bool)> {
    let body = json!({ "nome": "Marina", "telefone": "+5501999999999", "mensagem": text }).to_string();
    said_in(&in_force(&plotado(), vec![]), "plotado", "message/received", &body)
}

#[test]
fn who_writes_a_word_of_leave_withdraws() {
    for text in ["SAIR", "sair", "  Sair! ", "PARAR.", "pare", "Stop", "*STOP*", "descadastrar", "\u{201c}Parar\u{201d}", "\nsair\n"] {
        assert_eq!(message(&json!(text)), [("messages".to_owned(), false)], "{text:?}");
    }
    for text in ["voltar", "VOLTAR!", "start"] {
        assert_eq!(message(&json!(text)), [("messages".to_owned(), true)], "{text:?}");
    }
    for text in [json!("não quero parar o tratamento"), json!("posso sair às 10?"), json!("stopover"), json!(""), json!(null), json!(7)] {
        assert_eq!(message(&text), [], "{text:?}");
    }
}

#[test]
fn only_the_types_that_the_source_names_are_asked() {
    let body = json!({ "telefone": "+5501999999999", "mensagem": "SAIR" }).to_string();
    let in_force = in_force(&plotado(), vec![]);
    assert_eq!(said_in(&in_force, "plotado", "lead/new", &body), []);
    let xml = "<lead><telefone>+5501999999999</telefone><mensagem>Sair</mensagem></lead>";
    assert_eq!(said_in(&in_force, "plotado", "message/received", xml), [("messages".to_owned(), false)]);
}

/// A source whose every message is asked these `[[consents]]`.
fn asking(consents: &str) -> InForce {
    let source = format!(
        "id = \"s\"\ntimezone = \"America/Sao_Paulo\"\nclinic_timezone = \"America/Sao_Paulo\"\n[receive]\nverify = {{ kind = \"token\", header = \"x\" }}\n\
         [[events]]\ntype = \"message.received\"\nchanges = {{ of = \"$.now\", old = \"$.old\", new = \"$.new\" }}\n{consents}"
    );
    let sources = vec![FileText { name: "s.toml".to_owned(), text: source }];
    in_force(&loaded(&Files { sources, rules: vec![], samples: vec![] }), vec![])
}

#[test]
fn where_both_hold_it_is_withdrawn() {
    let both = "[[consents]]\ntopic = \"news\"\non = \"message.received\"\nwithdrawn = { path = \"$.no\", equals = true }\ngiven = { path = \"$.yes\", equals = true }\n";
    let said = |consents: &str, body: Value| said_in(&asking(consents), "s", "", &body.to_string());
    let news = |given| vec![("news".to_owned(), given)];
    assert_eq!(said(both, json!({ "yes": true })), news(true));
    assert_eq!(said(both, json!({ "no": true })), news(false));
    assert_eq!(said(both, json!({ "yes": true, "no": true })), news(false));
    assert_eq!(said(both, json!({})), []);
    // Said by two, too, in whatever order.
    let given = "[[consents]]\ntopic = \"news\"\non = \"message.received\"\ngiven = { path = \"$.sure\", equals = true }\n";
    for two in [format!("{both}{given}"), format!("{given}{both}")] {
        assert_eq!(said(&two, json!({ "sure": true, "no": true })), news(false));
    }
}

#[test]
fn conditions_are_those_of_rules() {
    let said = |condition: &str, body: Value| {
        let consents = format!("[[consents]]\ntopic = \"news\"\non = \"message.*\"\ngiven = {condition}\n");
        !said_in(&asking(&consents), "s", "", &body.to_string()).is_empty()
    };
    assert!(said("{ path = \"$.list[?@.a == 1].b\", equals = \"x\" }", json!({ "list": [{ "a": 1, "b": "x" }] })));
    assert!(said("{ not = { path = \"$.a\", exists = true } }", json!({})));
    let changed = "{ path = \"$.now.opt_in\", changed = { to = true } }";
    assert!(said(changed, json!({ "now": { "opt_in": true }, "old": { "opt_in": false }, "new": { "opt_in": true } })));
    assert!(!said(changed, json!({ "now": { "opt_in": true } })));
    // By the clinic's clock: half past nine in São Paulo.
    assert!(said("{ path = \"$.at\", within = { from = \"09:00\", to = \"10:00\" } }", json!({ "at": "2026-03-02T12:30:00Z" })));
}

#[test]
fn what_a_plugin_emits_is_no_word_of_the_person() {
    let in_force = in_force(&plotado(), vec![]);
    let source = in_force.rules().source("plotado").unwrap();
    let data = json!({ "telefone": "1", "mensagem": "SAIR" });
    let reading = source.read_as("message.received", data.into()).unwrap();
    let mut event = reading.event(&through());
    assert_eq!(in_force.consents(&event).len(), 1);
    let job = zelo_core::JobId::derive(event.id, &zelo_core::AutomationId("a".to_owned()), "b");
    event.cause = Some(zelo_core::Cause { job, lineage: vec![] });
    assert_eq!(in_force.consents(&event), []);
}
