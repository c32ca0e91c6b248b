//! Where effects go: to the host inside WebAssembly, to the recorder of [`crate::testing`] outside.

#[cfg(target_family = "wasm")]
mod wasm {
    use crate::bindings::zelo::automation as wit;
    use crate::log::Level;
    use crate::{messages, state};

    pub(crate) fn log(level: Level, text: &str) {
        let level = match level {
            Level::Debug => wit::log::Level::Debug,
            Level::Info => wit::log::Level::Info,
            Level::Warn => wit::log::Level::Warn,
            Level::Error => wit::log::Level::Error,
        };
        wit::log::write(level, text);
    }

    pub(crate) fn send(message: messages::Message) -> Result<messages::Sent, messages::Error> {
        let messages::Message { channel, to, body, media, buttons } = message;
        let message = wit::messages::Message {
            channel,
            to,
            body: match body {
                messages::Body::Text(text) => wit::messages::Body::Text(text),
                messages::Body::Template { name, parameters } => {
                    wit::messages::Body::Template(wit::messages::Template { name, parameters })
                }
            },
            media: media
                .into_iter()
                .map(|messages::Media { name, media_type, content }| wit::messages::Media { name, media_type, content })
                .collect(),
            buttons: buttons.into_iter().map(|messages::Button { id, title }| wit::messages::Button { id, title }).collect(),
        };
        match wit::messages::send(&message) {
            Ok(sent) => Ok(messages::Sent { id: sent.id, channel: sent.channel }),
            Err(wit::messages::Error::Refused(reason)) => Err(messages::Error::Refused(reason)),
            Err(wit::messages::Error::Invalid(reason)) => Err(messages::Error::Invalid(reason)),
            Err(wit::messages::Error::Undeliverable(reason)) => Err(messages::Error::Undeliverable(reason)),
        }
    }

    fn state_error(error: wit::state::Error) -> state::Error {
        match error {
            wit::state::Error::Refused(reason) => state::Error::Refused(reason),
            wit::state::Error::Invalid(reason) => state::Error::Invalid(reason),
        }
    }

    pub(crate) fn get(key: &str) -> Result<Option<String>, state::Error> {
        wit::state::get(key).map_err(state_error)
    }

    pub(crate) fn set(key: &str, value: &str) -> Result<(), state::Error> {
        wit::state::set(key, value).map_err(state_error)
    }

    pub(crate) fn delete(key: &str) -> Result<(), state::Error> {
        wit::state::delete(key).map_err(state_error)
    }
}

#[cfg(target_family = "wasm")]
pub(crate) use wasm::{delete, get, log, send, set};

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::{delete, get, log, send, set};
