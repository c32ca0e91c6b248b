//! Translates the calls of a plugin into effects, and their results back.
//!
//! Whatever comes from a plugin is checked here before anybody else sees it: that names and addresses are present, of
//! bearable length and without line breaks, which could become headers further on.

use zelo_core::effect::{Body, Button, Media, Message};
use zelo_core::{Effect, EffectResult};

use crate::bindings::{log, messages, state, types};
use crate::effects::{Level, Stop};
use crate::run::{End, State};

/// A longer line of log is cut, bytes.
const LOG_LINE_MAX: usize = 4 << 10;
/// Of a recipient, a channel, a name or a media type, bytes.
const NAME_MAX: usize = 512;
/// Of the text of a message, bytes.
const TEXT_MAX: usize = 64 << 10;
/// Attachments, buttons or parameters of one message.
const PARTS_MAX: usize = 32;
/// Of a key in the state, bytes.
const KEY_MAX: usize = 256;
/// Of a value in the state, bytes.
const VALUE_MAX: usize = 64 << 10;

impl types::Host for State {}

impl log::Host for State {
    async fn write(&mut self, level: log::Level, text: String) -> wasmtime::Result<()> {
        self.called(text.len())?;
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.log(level, cut(&text, LOG_LINE_MAX));
        Ok(())
    }
}

impl messages::Host for State {
    async fn send(&mut self, message: messages::Message) -> wasmtime::Result<Result<messages::Sent, messages::Error>> {
        self.called(message_bytes(&message))?;
        if let Err(problem) = check_message(&message) {
            return Ok(Err(messages::Error::Invalid(problem)));
        }
        match self.perform(Effect::Message(from_wit(message))).await? {
            EffectResult::Sent { message, channel } => {
                self.give(message.len() + channel.len())?;
                Ok(Ok(messages::Sent { id: message, channel }))
            }
            EffectResult::Refused { reason } => Ok(Err(messages::Error::Refused(reason))),
            other => Err(self.mismatch("message", &other)),
        }
    }
}

impl state::Host for State {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, state::Error>> {
        self.called(key.len())?;
        if let Err(problem) = check_key(&key) {
            return Ok(Err(state::Error::Invalid(problem)));
        }
        match self.perform(Effect::StateGet { key }).await? {
            EffectResult::Value { value } => {
                self.give(value.as_ref().map_or(0, String::len))?;
                Ok(Ok(value))
            }
            EffectResult::Refused { reason } => Ok(Err(state::Error::Refused(reason))),
            other => Err(self.mismatch("state_get", &other)),
        }
    }

    async fn set(&mut self, key: String, value: String) -> wasmtime::Result<Result<(), state::Error>> {
        self.called(key.len() + value.len())?;
        let checked = check_key(&key).and_then(|()| within("the value", &value, VALUE_MAX));
        if let Err(problem) = checked {
            return Ok(Err(state::Error::Invalid(problem)));
        }
        self.settle("state_set", Effect::StateSet { key, value }).await
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), state::Error>> {
        self.called(key.len())?;
        if let Err(problem) = check_key(&key) {
            return Ok(Err(state::Error::Invalid(problem)));
        }
        self.settle("state_delete", Effect::StateDelete { key }).await
    }
}

impl State {
    /// Performs a change of the state, which has nothing to report.
    async fn settle(&mut self, asked: &str, effect: Effect) -> wasmtime::Result<Result<(), state::Error>> {
        match self.perform(effect).await? {
            EffectResult::Done => Ok(Ok(())),
            EffectResult::Refused { reason } => Ok(Err(state::Error::Refused(reason))),
            other => Err(self.mismatch(asked, &other)),
        }
    }

    /// The result is not one that this effect can have: the journal tells of another.
    fn mismatch(&mut self, asked: &str, got: &EffectResult) -> wasmtime::Error {
        self.end(End::Stopped(Stop::Differs { asked: asked.to_owned(), recorded: format!("the result {got:?}") }))
    }
}

fn from_wit(message: messages::Message) -> Message {
    let messages::Message { channel, to, body, media, buttons } = message;
    Message {
        channel,
        to,
        body: match body {
            messages::Body::Text(text) => Body::Text { text },
            messages::Body::Template(messages::Template { name, parameters }) => Body::Template { name, parameters },
        },
        media: media.into_iter().map(|messages::Media { name, media_type, content }| Media { name, media_type, content }).collect(),
        buttons: buttons.into_iter().map(|messages::Button { id, title }| Button { id, title }).collect(),
    }
}

fn message_bytes(message: &messages::Message) -> usize {
    let body = match &message.body {
        messages::Body::Text(text) => text.len(),
        messages::Body::Template(template) => template.name.len() + template.parameters.iter().map(String::len).sum::<usize>(),
    };
    let media: usize = message.media.iter().map(|media| media.name.len() + media.media_type.len() + media.content.len()).sum();
    let buttons: usize = message.buttons.iter().map(|button| button.id.len() + button.title.len()).sum();
    message.channel.as_ref().map_or(0, String::len) + message.to.len() + body + media + buttons
}

/// What is wrong with a message, in words that name the part and never quote it.
fn check_message(message: &messages::Message) -> Result<(), String> {
    if let Some(channel) = &message.channel {
        name("the channel", channel)?;
    }
    name("the recipient", &message.to)?;
    match &message.body {
        messages::Body::Text(text) => {
            present("the text", text)?;
            within("the text", text, TEXT_MAX)?;
        }
        messages::Body::Template(template) => {
            name("the template's name", &template.name)?;
            few("parameters", template.parameters.len())?;
            template.parameters.iter().try_for_each(|parameter| within("a parameter", parameter, TEXT_MAX))?;
        }
    }
    few("attachments", message.media.len())?;
    for media in &message.media {
        name("an attachment's name", &media.name)?;
        if media.name.contains(['/', '\\']) {
            return Err("an attachment's name is a path".into());
        }
        name("an attachment's media type", &media.media_type)?;
        if !media.media_type.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty()) {
            return Err("an attachment's media type is not of the form `type/subtype`".into());
        }
    }
    few("buttons", message.buttons.len())?;
    message.buttons.iter().try_for_each(|button| name("a button's id", &button.id).and_then(|()| name("a button's title", &button.title)))
}

fn check_key(key: &str) -> Result<(), String> {
    present("the key", key)?;
    within("the key", key, KEY_MAX)
}

/// Something that names or addresses: present, short, on one line.
fn name(what: &str, text: &str) -> Result<(), String> {
    present(what, text)?;
    within(what, text, NAME_MAX)?;
    if text.chars().any(char::is_control) { Err(format!("{what} has a line break or another control character in it")) } else { Ok(()) }
}

fn present(what: &str, text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Err(format!("{what} is empty")) } else { Ok(()) }
}

fn within(what: &str, text: &str, max: usize) -> Result<(), String> {
    if text.len() > max { Err(format!("{what} has {} bytes; {max} are allowed", text.len())) } else { Ok(()) }
}

fn few(what: &str, count: usize) -> Result<(), String> {
    if count > PARTS_MAX { Err(format!("the message has {count} {what}; {PARTS_MAX} are allowed")) } else { Ok(()) }
}

/// The beginning of `text`, of at most `max` bytes.
fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> messages::Message {
        messages::Message {
            channel: None,
            to: "+55 11 98765-4321".into(),
            body: messages::Body::Text("Olá,\namanhã às 10:00.".into()),
            media: vec![messages::Media { name: "a.ics".into(), media_type: "text/calendar; method=PUBLISH".into(), content: vec![1] }],
            buttons: vec![],
        }
    }

    fn problem(change: impl FnOnce(&mut messages::Message)) -> String {
        let mut message = message();
        change(&mut message);
        check_message(&message).expect_err("it is wrong")
    }

    #[test]
    fn a_message_is_checked_before_anybody_sees_it() {
        assert_eq!(check_message(&message()), Ok(()));
        assert_eq!(problem(|m| m.to.clear()), "the recipient is empty");
        assert!(problem(|m| m.to.push_str("\r\nBcc: all@example.com")).contains("line break"));
        assert!(problem(|m| m.channel = Some(String::new())).contains("channel"));
        assert!(problem(|m| m.body = messages::Body::Text(" ".into())).contains("text is empty"));
        assert!(problem(|m| m.body = messages::Body::Text("x".repeat(TEXT_MAX + 1))).contains("65537 bytes"));
        assert!(problem(|m| m.media[0].name = "../../a.ics".into()).contains("path"));
        assert!(problem(|m| m.media[0].media_type = "calendar".into()).contains("type/subtype"));
        assert!(problem(|m| m.media = vec![m.media[0].clone(); 40]).contains("40 attachments"));
    }

    #[test]
    fn a_line_is_cut_between_characters() {
        assert_eq!(cut("ação", 3), "aç");
        assert_eq!(cut("ação", 2), "a");
        assert_eq!(cut("ação", 99), "ação");
    }
}
