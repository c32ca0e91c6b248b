//! The plugin that ships, in the real sandbox.

#![allow(clippy::unwrap_used, reason = "in tests")]

mod support;

use serde_json::{Value, json};
use support::{Runtime, host, invocation, shipped};
use zelo_core::Effect;
use zelo_core::effect::{Attachment, Body, Message};
use zelo_core::grants::Capability;
use zelo_host::{End, Limits, Run};

async fn run(runtime: &Runtime, input: Value) -> Run {
    let host = host();
    let plugin = host.load("reminder", &shipped("reminder")).unwrap();
    assert_eq!(plugin.imports(), [Capability::Log, Capability::Messages]);
    let limits = Limits::default().lowered_to(plugin.manifest());
    let prepared = host.prepare(&plugin, &[Capability::Messages]).unwrap();
    host.run(&prepared, &invocation(input), runtime.effects(), &limits).await
}

#[tokio::test]
async fn reminds_a_person_with_an_entry_for_the_calendar() {
    let runtime = Runtime::default();
    let input = json!({ "to": "(11) 98765-4321", "text": "Olá João", "starts_at": "2026-03-06T10:00:00-03:00", "title": "Consulta" });
    let run = run(&runtime, input).await;
    assert_eq!(run.end, End::Outcome { code: "sent".into(), summary: "Lembrete enviado pela caixa de saída".into(), output: None });
    assert!(run.memory <= 256 << 10, "{} bytes: more than the pool keeps ready", run.memory);

    let effects = runtime.effects.lock().unwrap();
    let [Effect::Message(Message { channel: None, to, body, attachments, .. })] = &effects[..] else { panic!("one message: {effects:?}") };
    assert_eq!(to, "(11) 98765-4321");
    assert!(*body == Body::Text { text: "Olá João".into() });
    let [Attachment::File(file)] = &attachments[..] else { panic!("one file") };
    let calendar = String::from_utf8(file.content.clone()).unwrap();
    assert_eq!(file.media_type, "text/calendar");
    for line in ["METHOD:PUBLISH", "UID:job_0199a5d3f8007000800000000000abcd@zelo", "DTSTAMP:20260302T120000Z", "DTSTART:20260306T130000Z"]
    {
        assert!(calendar.contains(&format!("{line}\r\n")), "{line} is not in {calendar}");
    }
}

#[tokio::test]
async fn an_input_that_does_not_fit_ends_for_good() {
    let run = run(&Runtime::default(), json!({ "to": "+55", "text": "Olá", "cc": "everybody" })).await;
    assert!(matches!(&run.end, End::Permanent { reason } if reason.contains("unknown field `cc`")), "{:?}", run.end);
}

#[tokio::test]
async fn a_recipient_that_was_not_granted_ends_for_good() {
    let runtime = Runtime::answering(|_| Ok(zelo_core::EffectResult::Refused { reason: "not granted".into() }));
    let run = run(&runtime, json!({ "to": "+55", "text": "Olá" })).await;
    assert_eq!(run.end, End::Permanent { reason: "the message was refused: not granted".into() });
}

#[test]
fn its_manifest_describes_exactly_its_inputs() {
    let manifest = zelo_host::package::manifest_of(&shipped("reminder")).unwrap();
    assert_eq!(manifest.required_inputs(), ["to", "text"]);
    let mut names = manifest.input_names();
    names.sort_unstable();
    assert_eq!(names, ["duration_minutes", "location", "starts_at", "text", "title", "to"]);
    assert!(!manifest.takes_input("cc"));
    assert_eq!(manifest.title.in_locale("pt-BR"), "Lembrete");
}
