//! Where effects go: to the host inside WebAssembly, to the recorder of [`crate::testing`] outside.

#[cfg(target_family = "wasm")]
mod wasm {
    use crate::bindings::zelo::automation as wit;
    use crate::log::Level;
    use crate::{documents, events, http, messages, records, state};

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

    pub(crate) fn request(request: http::Request) -> Result<http::Response, http::Error> {
        let http::Request { method, url, headers, body } = request;
        let method = match method {
            http::Method::Get => wit::http::Method::Get,
            http::Method::Head => wit::http::Method::Head,
            http::Method::Post => wit::http::Method::Post,
            http::Method::Put => wit::http::Method::Put,
            http::Method::Patch => wit::http::Method::Patch,
            http::Method::Delete => wit::http::Method::Delete,
        };
        let headers = headers.into_iter().map(|(name, value)| wit::http::Header { name, value: header_value(value) }).collect();
        match wit::http::send(&wit::http::Request { method, url, headers, body }) {
            Ok(wit::http::Response { status, headers, body }) => Ok(http::Response { status, headers, body }),
            Err(wit::http::Error::Refused(reason)) => Err(http::Error::Refused(reason)),
            Err(wit::http::Error::Invalid(reason)) => Err(http::Error::Invalid(reason)),
            Err(wit::http::Error::Unusable(reason)) => Err(http::Error::Unusable(reason)),
        }
    }

    fn header_value(value: http::HeaderValue) -> wit::http::HeaderValue {
        match value {
            http::HeaderValue::Text(text) => wit::http::HeaderValue::Text(text),
            http::HeaderValue::Secret(name) => wit::http::HeaderValue::Secret(name),
        }
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
pub(crate) use wasm::{delete, edit, emit, get, log, next, record, request, send, set, store};

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::{delete, edit, emit, get, log, next, record, request, send, set, store};
