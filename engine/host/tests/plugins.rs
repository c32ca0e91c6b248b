//! The plugins that ship, in the real sandbox: `message`, `receipt` and `crm`. (`reminder` has a file of its own.)

#![allow(clippy::unwrap_used, reason = "in tests")]

mod support;

use serde_json::{Value, json};
use support::{Runtime, host, invocation, shipped};
use zelo_core::effect::Attachment;
use zelo_core::grants::Capability;
use zelo_core::{Effect, EffectResult};
use zelo_host::{End, Limits, Run};

/// Runs with the limits of its own manifest, and exactly these grants.
async fn run(name: &str, grants: &[Capability], runtime: &Runtime, input: Value) -> Run {
    let host = host();
    let plugin = host.load(name, &shipped(name)).unwrap();
    let used: Vec<_> = plugin.imports().iter().copied().filter(|import| *import != Capability::Log).collect();
    assert_eq!(used, grants, "it uses what it wants, and nothing else");
    let limits = Limits::default().lowered_to(plugin.manifest());
    let prepared = host.prepare(&plugin, grants).unwrap();
    let run = host.run(&prepared, &invocation(input), runtime.effects(), &limits).await;
    assert!(run.memory <= 1 << 20, "{} bytes", run.memory);
    run
}

fn outcome(run: Run) -> (String, String, Option<Value>) {
    match run.end {
        End::Outcome { code, summary, output } => (code, summary, output),
        other => panic!("it ended as {other:?}"),
    }
}

fn attendance(prices: Value) -> Value {
    json!({
        "patient": "Marina Teste da Silva",
        "clinic": "Centro",
        "services": [{ "service_code": "1004", "service_name": "Vacina Hexavalente" }, { "service_code": "123", "service_name": "Teste Rápido" }],
        "prices": prices,
        "date": "02/03/2026",
        "cpf": "52998224725",
    })
}

const RECEIPT: [Capability; 3] = [Capability::Documents, Capability::State, Capability::Events];

#[tokio::test]
async fn a_receipt_takes_a_number_then_is_kept_then_announced() {
    let runtime = Runtime::answering(|effect| {
        Ok(match effect {
            Effect::StateNext { .. } => EffectResult::Counted { value: 42 },
            Effect::Document(_) => EffectResult::Kept { document: "doc_7".into() },
            Effect::Event(_) => EffectResult::Done,
            other => panic!("{other:?}"),
        })
    });
    let prices = json!([{ "code": "1004", "price": 189.9 }, { "code": "123", "price": "65,50" }]);
    let (code, summary, output) = outcome(run("receipt", &RECEIPT, &runtime, attendance(prices)).await);
    assert_eq!((code.as_str(), summary.as_str()), ("issued", "Recibo nº 42 de R$ 255,40"));
    assert_eq!(output, Some(json!({ "document": "doc_7", "number": 42, "total": "255.40", "total_text": "R$ 255,40" })));

    let effects = runtime.effects.lock().unwrap();
    let [Effect::StateNext { key }, Effect::Document(document), Effect::Event(event)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((key.as_str(), event.kind.as_str()), ("receipts", "receipt.issued"));
    assert_eq!(event.data, json!({ "number": 42, "total": "255.40", "document": "doc_7" }));
    assert_eq!((document.name.as_str(), document.media_type.as_str()), ("recibo-000042.pdf", "application/pdf"));
    assert!(document.content.starts_with(b"%PDF-1.7") && document.content.ends_with(b"%%EOF"));
    assert!(document.text.contains("R$ 255,40 (duzentos e cinquenta e cinco reais e quarenta centavos)"), "{}", document.text);
}

#[tokio::test]
async fn a_receipt_waits_for_a_price_before_it_does_anything() {
    let runtime = Runtime::default();
    let run = run("receipt", &RECEIPT, &runtime, attendance(json!([null, { "price": 65.5 }]))).await;
    assert_eq!(run.end, End::Missing { reason: "Falta o preço de: 1004 Vacina Hexavalente".into() });
    assert!(runtime.effects.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_longest_receipt_stays_within_its_limits() {
    let mut input = attendance(json!(vec![json!({ "price": "1.234,50" }); 200]));
    input["services"] =
        json!(vec![json!({ "service_code": "1004", "service_name": "Avaliação de acompanhamento à distância ".repeat(3) }); 200]);
    let runtime = Runtime::default();
    let run = run("receipt", &RECEIPT, &runtime, input).await;
    println!("200 services: {:?} of computing, {} bytes of memory", run.cpu, run.memory);
    outcome(run);
}

#[tokio::test]
async fn a_message_carries_the_document_of_an_earlier_step() {
    let runtime = Runtime::default();
    let input = json!({ "to": "m@example.com", "text": "Seu recibo", "channel": "mail", "document": "doc_7" });
    let (code, summary, output) = outcome(run("message", &[Capability::Messages], &runtime, input).await);
    assert_eq!((code.as_str(), summary.as_str()), ("sent", "Mensagem enviada por mail"));
    assert_eq!(output, Some(json!({ "message": "msg_1", "channel": "mail" })));
    let effects = runtime.effects.lock().unwrap();
    let [Effect::Message(message)] = &effects[..] else { panic!("{effects:?}") };
    assert!(message.attachments == [Attachment::Document { id: "doc_7".into() }]);
}

#[tokio::test]
async fn a_contact_is_looked_up_then_written() {
    let runtime = Runtime::default();
    let input = json!({ "contact": "p-17", "stage": "scheduled", "phone": null, "note": "Consulta marcada" });
    let (code, summary, _) = outcome(run("crm", &[Capability::Records], &runtime, input).await);
    assert_eq!((code.as_str(), summary.as_str()), ("moved", "Contato movido para: agendado"));
    let effects = runtime.effects.lock().unwrap();
    let [Effect::RecordGet { record, id }, Effect::RecordEdit(edit)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((record.as_str(), id.as_str(), edit.record.as_str(), edit.id.as_str()), ("contact", "p-17", "contact", "p-17"));
    assert_eq!(Value::Object(edit.set.clone()), json!({ "stage": "scheduled", "last_contact": "2026-03-02T11:59:58Z" }));
    assert_eq!(edit.append["notes"], "Consulta marcada");
}

#[test]
fn manifests_describe_exactly_what_is_taken() {
    for (name, required, optional) in [
        ("message", &["to", "text"][..], &["channel", "document"][..]),
        ("receipt", &["patient", "clinic", "services", "prices", "date"], &["address", "cnpj", "cpf"]),
        ("crm", &["contact"], &["email", "name", "note", "phone", "stage"]),
    ] {
        let manifest = zelo_host::package::manifest_of(&shipped(name)).unwrap();
        assert_eq!(manifest.required_inputs(), required, "{name}");
        let mut names = manifest.input_names();
        names.retain(|input| !required.contains(input));
        names.sort_unstable();
        assert_eq!(names, optional, "{name}");
        assert!(!manifest.takes_input("cc"));
        assert!(manifest.title.pt_br.is_some() && manifest.description.is_some_and(|text| text.pt_br.is_some()));
        assert!(manifest.wants.iter().all(|want| want.reason.pt_br.is_some()));
    }
}
