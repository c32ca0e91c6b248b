//! Greets a person by message.

use serde::Deserialize;
use zelo_plugin::{Context, Failure, Message, Outcome, info};

/// What `plugin.toml` describes under `[inputs]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    to: String,
    name: String,
}

fn run(input: Input, context: &Context) -> Result<Outcome, Failure> {
    let name = input.name.trim();
    if name.is_empty() {
        // Also to be had: `Failure::missing`, for what a person or a later event may bring, and `Failure::retry`.
        return Err(Failure::permanent("the name is empty"));
    }
    info!("greeting for event {}", context.event.id);
    // `?` makes a permanent failure of what zelo refuses; troubles that pass never come here.
    let sent = Message::text(input.to, format!("Olá, {name}!")).send()?;
    Ok(Outcome::new("greeted", format!("Saudação enviada por {}", sent.channel)))
}

zelo_plugin::export!(run);

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zelo_plugin::messages::Body;
    use zelo_plugin::testing::Run;

    #[test]
    fn greets() {
        let run = Run::of(super::run, json!({ "to": "+55 11 98765-4321", "name": "Ana" }));
        assert_eq!(run.outcome().code, "greeted");
        assert_eq!(run.messages[0].body, Body::Text("Olá, Ana!".into()));
    }

    #[test]
    fn nobody_is_greeted_without_a_name() {
        let run = Run::of(super::run, json!({ "to": "+55 11 98765-4321", "name": " " }));
        assert_eq!(run.failure().to_string(), "the name is empty");
        assert!(run.messages.is_empty());
    }
}
