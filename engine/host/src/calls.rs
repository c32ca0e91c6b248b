//! Translates the calls of a plugin into effects, and their results back.
//!
//! Whatever comes from a plugin is checked (in [`check`]) before anybody else sees it.

use zelo_core::effect::{Attachment, Body, Button, Document, Emitted, File, Message};
use zelo_core::{Effect, EffectResult};

use crate::bindings::{documents, events, http, log, messages, records, state, types};
use crate::check;
use crate::effects::{Level, Stop};
use crate::run::{End, State};

/// A longer line of log is cut, bytes.
const LOG_LINE_MAX: usize = 4 << 10;

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

impl http::Host for State {
    async fn send(&mut self, request: http::Request) -> wasmtime::Result<Result<http::Response, http::Error>> {
        self.called(request_bytes(&request))?;
        let request = match check::request(request) {
            Ok(request) => request,
            Err(problem) => return Ok(Err(http::Error::Invalid(problem))),
        };
        match self.perform(Effect::Http(request)).await? {
            EffectResult::Answered { response } => {
                let headers: usize = response.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
                self.give(headers + response.body.0.len())?;
                Ok(Ok(http::Response { status: response.status, headers: response.headers, body: response.body.0 }))
            }
            EffectResult::Unusable { reason } => Ok(Err(http::Error::Unusable(reason))),
            EffectResult::Refused { reason } => Ok(Err(http::Error::Refused(reason))),
            other => Err(self.mismatch("http", &other)),
        }
    }
}

impl messages::Host for State {
    async fn send(&mut self, message: messages::Message) -> wasmtime::Result<Result<messages::Sent, messages::Error>> {
        self.called(message_bytes(&message))?;
        if let Err(problem) = check::message(&message) {
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

impl documents::Host for State {
    async fn store(&mut self, document: documents::Document) -> wasmtime::Result<Result<String, documents::Error>> {
        self.called(document.name.len() + document.media_type.len() + document.content.len() + document.text.len())?;
        if let Err(problem) = check::document(&document) {
            return Ok(Err(documents::Error::Invalid(problem)));
        }
        let documents::Document { name, media_type, content, text } = document;
        match self.perform(Effect::Document(Document { name, media_type, content, text })).await? {
            EffectResult::Kept { document } => {
                self.give(document.len())?;
                Ok(Ok(document))
            }
            EffectResult::Refused { reason } => Ok(Err(documents::Error::Refused(reason))),
            other => Err(self.mismatch("document", &other)),
        }
    }
}

impl records::Host for State {
    async fn get(&mut self, record: String, id: String) -> wasmtime::Result<Result<Option<String>, records::Error>> {
        self.called(record.len() + id.len())?;
        if let Err(problem) = check::record(&record, &id) {
            return Ok(Err(records::Error::Invalid(problem)));
        }
        match self.perform(Effect::RecordGet { record, id }).await? {
            EffectResult::Record { fields } => {
                let fields = fields.map(|fields| serde_json::Value::Object(fields).to_string());
                self.give(fields.as_ref().map_or(0, String::len))?;
                Ok(Ok(fields))
            }
            EffectResult::Refused { reason } => Ok(Err(records::Error::Refused(reason))),
            other => Err(self.mismatch("record_get", &other)),
        }
    }

    async fn edit(&mut self, change: records::Change) -> wasmtime::Result<Result<(), records::Error>> {
        let appended: usize = change.append.iter().map(|(field, text)| field.len() + text.len()).sum();
        self.called(change.record.len() + change.id.len() + change.set.len() + appended)?;
        let edit = match check::edit(change) {
            Ok(edit) => edit,
            Err(problem) => return Ok(Err(records::Error::Invalid(problem))),
        };
        match self.perform(Effect::RecordEdit(edit)).await? {
            EffectResult::Done => Ok(Ok(())),
            EffectResult::Refused { reason } => Ok(Err(records::Error::Refused(reason))),
            other => Err(self.mismatch("record", &other)),
        }
    }
}

impl events::Host for State {
    async fn emit(&mut self, kind: String, data: String) -> wasmtime::Result<Result<(), events::Error>> {
        self.called(kind.len() + data.len())?;
        let data = match check::event(&kind, &data) {
            Ok(data) => data,
            Err(problem) => return Ok(Err(events::Error::Invalid(problem))),
        };
        match self.perform(Effect::Event(Emitted { kind, data })).await? {
            EffectResult::Done => Ok(Ok(())),
            EffectResult::Refused { reason } => Ok(Err(events::Error::Refused(reason))),
            other => Err(self.mismatch("event", &other)),
        }
    }
}

impl state::Host for State {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, state::Error>> {
        self.called(key.len())?;
        if let Err(problem) = check::key(&key) {
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
        let checked = check::key(&key).and_then(|()| check::value(&value));
        if let Err(problem) = checked {
            return Ok(Err(state::Error::Invalid(problem)));
        }
        self.settle("state_set", Effect::StateSet { key, value }).await
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), state::Error>> {
        self.called(key.len())?;
        if let Err(problem) = check::key(&key) {
            return Ok(Err(state::Error::Invalid(problem)));
        }
        self.settle("state_delete", Effect::StateDelete { key }).await
    }

    async fn next(&mut self, key: String) -> wasmtime::Result<Result<u64, state::Error>> {
        self.called(key.len())?;
        if let Err(problem) = check::key(&key) {
            return Ok(Err(state::Error::Invalid(problem)));
        }
        match self.perform(Effect::StateNext { key }).await? {
            EffectResult::Counted { value } => Ok(Ok(value)),
            EffectResult::Refused { reason } => Ok(Err(state::Error::Refused(reason))),
            other => Err(self.mismatch("counter", &other)),
        }
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
    let messages::Message { channel, to, body, attachments, buttons } = message;
    let attachment = |attachment| match attachment {
        messages::Attachment::File(messages::File { name, media_type, content }) => Attachment::File(File { name, media_type, content }),
        messages::Attachment::Document(id) => Attachment::Document { id },
    };
    Message {
        channel,
        to,
        body: match body {
            messages::Body::Text(text) => Body::Text { text },
            messages::Body::Template(messages::Template { name, parameters }) => Body::Template { name, parameters },
        },
        attachments: attachments.into_iter().map(attachment).collect(),
        buttons: buttons.into_iter().map(|messages::Button { id, title }| Button { id, title }).collect(),
    }
}

fn request_bytes(request: &http::Request) -> usize {
    let header = |header: &http::Header| match &header.value {
        http::HeaderValue::Text(value) | http::HeaderValue::Secret(value) => header.name.len() + value.len(),
    };
    request.url.len() + request.headers.iter().map(header).sum::<usize>() + request.body.as_ref().map_or(0, Vec::len)
}

fn message_bytes(message: &messages::Message) -> usize {
    let body = match &message.body {
        messages::Body::Text(text) => text.len(),
        messages::Body::Template(template) => template.name.len() + template.parameters.iter().map(String::len).sum::<usize>(),
    };
    let attachment = |attachment: &messages::Attachment| match attachment {
        messages::Attachment::File(file) => file.name.len() + file.media_type.len() + file.content.len(),
        messages::Attachment::Document(id) => id.len(),
    };
    let attachments: usize = message.attachments.iter().map(attachment).sum();
    let buttons: usize = message.buttons.iter().map(|button| button.id.len() + button.title.len()).sum();
    message.channel.as_ref().map_or(0, String::len) + message.to.len() + body + attachments + buttons
}

/// The beginning of `text`, of at most `max` bytes.
fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_between_characters() {
        assert_eq!(cut("ação", 3), "aç");
        assert_eq!(cut("ação", 2), "a");
        assert_eq!(cut("ação", 99), "ação");
    }
}
