//! A message to a person, with a document where there is one.

use serde::{Deserialize, Serialize};
use zelo_plugin::{Context, Failure, Message, Outcome};

/// What `plugin.toml` describes under `[inputs]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    to: String,
    text: String,
    channel: Option<String>,
    document: Option<String>,
}

/// What later steps get.
#[derive(Serialize)]
struct Output {
    message: String,
    channel: String,
}

/// Sends the message.
///
/// # Errors
/// The host refuses it, for good.
pub fn run(input: Input, context: &Context) -> Result<Outcome, Failure> {
    let Input { to, text, channel, document } = input;
    let mut message = Message::text(to, text);
    message.channel = channel;
    if let Some(document) = document {
        message = message.attach_document(document);
    }
    let sent = message.send()?;
    let language = context.language();
    let by = sent.by(&language);
    let summary = if language == "pt" { format!("Mensagem enviada {by}") } else { format!("Message sent {by}") };
    Outcome::new("sent", summary).with_output(&Output { message: sent.id, channel: sent.channel })
}

zelo_plugin::export!(run);

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zelo_plugin::Attachment;
    use zelo_plugin::messages::Body;
    use zelo_plugin::testing::{Run, Setup, context};

    use super::*;

    #[test]
    fn sends_the_text_to_the_person() {
        let run = Run::of(super::run, json!({ "to": "+55 11 98765-4321", "text": "Olá", "channel": null, "document": null }));
        let outcome = run.outcome();
        assert_eq!((outcome.code.as_str(), outcome.summary.as_str()), ("sent", "Mensagem enviada pela caixa de saída"));
        assert_eq!(outcome.output.as_deref(), Some(r#"{"message":"msg_1","channel":"outbox"}"#));
        let [message] = &run.messages[..] else { panic!("one message") };
        assert_eq!((message.to.as_str(), &message.body), ("+55 11 98765-4321", &Body::Text("Olá".into())));
        assert!(message.channel.is_none() && message.attachments.is_empty());
    }

    #[test]
    fn attaches_a_document_and_uses_the_channel() {
        let run = Run::of(super::run, json!({ "to": "a@example.com", "text": "Seu recibo", "channel": "mail", "document": "doc_1" }));
        assert_eq!(run.outcome().summary, "Mensagem enviada por mail");
        assert_eq!(run.messages[0].channel.as_deref(), Some("mail"));
        assert_eq!(run.messages[0].attachments, [Attachment::Document("doc_1".into())]);
    }

    #[test]
    fn speaks_the_language_of_the_clinic() {
        let english = Setup { context: Context { locale: "en-US".into(), ..context() }, ..Setup::new() };
        assert_eq!(english.run(super::run, json!({ "to": "a", "text": "b" })).outcome().summary, "Message sent through the outbox");
    }

    #[test]
    fn a_refusal_and_what_does_not_fit_end_for_good() {
        let refused = Setup { refused: vec!["a".into()], ..Setup::new() }.run(super::run, json!({ "to": "a", "text": "b" }));
        assert!(matches!(refused.failure(), Failure::Permanent { reason } if reason.contains("refused")));
        let run = Run::of(super::run, json!({ "to": "a", "text": "b", "cc": "c" }));
        assert!(run.failure().to_string().contains("unknown field `cc`") && run.messages.is_empty());
    }
}
