//! Where effects go: to the host inside WebAssembly, to the recorder of [`crate::testing`] outside.

#[cfg(target_family = "wasm")]
mod wasm {
    use crate::bindings::zelo::automation as wit;
    use crate::log::Level;
    use crate::{documents, events, messages, records, state};

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
        let messages::Message { channel, to, body, attachments, buttons } = message;
        let message = wit::messages::Message {
            channel,
            to,
            body: match body {
                messages::Body::Text(text) => wit::messages::Body::Text(text),
                messages::Body::Template { name, parameters } => {
                    wit::messages::Body::Template(wit::messages::Template { name, parameters })
                }
            },
            attachments: attachments.into_iter().map(attachment).collect(),
            buttons: buttons.into_iter().map(|messages::Button { id, title }| wit::messages::Button { id, title }).collect(),
        };
        match wit::messages::send(&message) {
            Ok(sent) => Ok(messages::Sent { id: sent.id, channel: sent.channel }),
            Err(wit::messages::Error::Refused(reason)) => Err(messages::Error::Refused(reason)),
            Err(wit::messages::Error::Invalid(reason)) => Err(messages::Error::Invalid(reason)),
            Err(wit::messages::Error::Undeliverable(reason)) => Err(messages::Error::Undeliverable(reason)),
        }
    }

    fn attachment(attachment: messages::Attachment) -> wit::messages::Attachment {
        match attachment {
            messages::Attachment::File(messages::File { name, media_type, content }) => {
                wit::messages::Attachment::File(wit::messages::File { name, media_type, content })
            }
            messages::Attachment::Document(id) => wit::messages::Attachment::Document(id),
        }
    }

    /// The error of an interface is that of the module with its name.
    macro_rules! errors {
        ($($interface:ident),+) => {$(
            impl From<wit::$interface::Error> for $interface::Error {
                fn from(error: wit::$interface::Error) -> Self {
                    match error {
                        wit::$interface::Error::Refused(reason) => Self::Refused(reason),
                        wit::$interface::Error::Invalid(reason) => Self::Invalid(reason),
                    }
                }
            }
        )+};
    }

    errors!(documents, events, records, state);

    pub(crate) fn store(document: documents::Document) -> Result<String, documents::Error> {
        let documents::Document { name, media_type, content, text } = document;
        Ok(wit::documents::store(&wit::documents::Document { name, media_type, content, text })?)
    }

    pub(crate) fn record(record: &str, id: &str) -> Result<Option<String>, records::Error> {
        Ok(wit::records::get(record, id)?)
    }

    pub(crate) fn edit(edit: records::Edit) -> Result<(), records::Error> {
        let records::Edit { record, id, set, append } = edit;
        let set = serde_json::Value::Object(set).to_string();
        Ok(wit::records::edit(&wit::records::Change { record, id, set, append: append.into_iter().collect() })?)
    }

    pub(crate) fn emit(kind: &str, data: &str) -> Result<(), events::Error> {
        Ok(wit::events::emit(kind, data)?)
    }

    pub(crate) fn get(key: &str) -> Result<Option<String>, state::Error> {
        Ok(wit::state::get(key)?)
    }

    pub(crate) fn set(key: &str, value: &str) -> Result<(), state::Error> {
        Ok(wit::state::set(key, value)?)
    }

    pub(crate) fn delete(key: &str) -> Result<(), state::Error> {
        Ok(wit::state::delete(key)?)
    }

    pub(crate) fn next(key: &str) -> Result<u64, state::Error> {
        Ok(wit::state::next(key)?)
    }
}

#[cfg(target_family = "wasm")]
pub(crate) use wasm::{delete, edit, emit, get, log, next, record, send, set, store};

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::{delete, edit, emit, get, log, next, record, send, set, store};
