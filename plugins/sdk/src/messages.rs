//! Messages to people. The manifest has to want `messages`, and the rule has to grant it, with channels and recipients.
//!
//! ```
//! # fn main() { zelo_plugin::testing::Run::of(run, serde_json::json!({})); }
//! # fn run(_: serde_json::Value, _: &zelo_plugin::Context) -> Result<zelo_plugin::Outcome, zelo_plugin::Failure> {
//! use zelo_plugin::{File, Message};
//!
//! let sent = Message::text("+55 11 98765-4321", "See you tomorrow at ten.")
//!     .attach(File::new("appointment.ics", "text/calendar", "BEGIN:VCALENDAR…"))
//!     .button("confirm", "I will be there")
//!     .send()?;
//! # Ok(zelo_plugin::Outcome::new("sent", sent.channel))
//! # }
//! ```

use core::fmt;

use crate::Failure;

/// A message to a person. Made with [`Message::text`] or [`Message::template`], sent with [`Message::send`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel to use; none: the first of the granted ones that is configured.
    pub channel: Option<String>,
    /// The recipient, exactly as granted.
    pub to: String,
    /// What it says.
    pub body: Body,
    /// What is attached.
    pub attachments: Vec<Attachment>,
    /// Quick answers that it offers.
    pub buttons: Vec<Button>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A text.
    Text(String),
    /// A text that the channel's provider has approved beforehand, by name.
    Template {
        /// What the provider calls it.
        name: String,
        /// What fills its gaps, in order.
        parameters: Vec<String>,
    },
}

/// Something attached to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// A file, which travels with the message and is kept nowhere else.
    File(File),
    /// A document, by zelo's id of it: one that this job, or a step that it needs, has made.
    Document(String),
}

/// A file that travels with its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// A file name, without folders.
    pub name: String,
    /// `text/calendar`, `application/pdf`.
    pub media_type: String,
    /// The bytes of the file.
    pub content: Vec<u8>,
}

/// A quick answer that a message offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What comes back when it is pressed.
    pub id: String,
    /// What it says.
    pub title: String,
}

/// The message stands in its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// zelo's id of the message.
    pub id: String,
    /// The channel that took it.
    pub channel: String,
}

impl Sent {
    /// Through what it went, as the end of a sentence in `language` (`pt`, else English). A channel of somebody's own is told by its name.
    pub fn by(&self, language: &str) -> String {
        match (language, self.channel.as_str()) {
            ("pt", "outbox") => "pela caixa de saída".to_owned(),
            ("pt", "whatsapp") => "pelo WhatsApp".to_owned(),
            ("pt", channel) => format!("por {channel}"),
            (_, "outbox") => "through the outbox".to_owned(),
            (_, "whatsapp") => "by WhatsApp".to_owned(),
            (_, channel) => format!("through {channel}"),
        }
    }
}

/// Why a message was not sent, for good. Troubles that pass never reach the plugin: the host tries the job again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Not granted: this channel, this recipient, or a document of another job.
    Refused(String),
    /// Not a message: what is wrong with it.
    Invalid(String),
    /// The channel says that it will never reach this recipient.
    Undeliverable(String),
}

impl Message {
    /// A text to `to`.
    pub fn text(to: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(to.into(), Body::Text(text.into()))
    }

    /// A text that the channel's provider has approved, with what fills its gaps.
    pub fn template(to: impl Into<String>, name: impl Into<String>, parameters: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let parameters = parameters.into_iter().map(Into::into).collect();
        Self::new(to.into(), Body::Template { name: name.into(), parameters })
    }

    fn new(to: String, body: Body) -> Self {
        Self { channel: None, to, body, attachments: Vec::new(), buttons: Vec::new() }
    }

    /// Through this channel, and no other.
    pub fn through(mut self, channel: impl Into<String>) -> Self {
        self.channel = Some(channel.into());
        self
    }

    /// With a file attached.
    pub fn attach(mut self, file: File) -> Self {
        self.attachments.push(Attachment::File(file));
        self
    }

    /// With a document attached, by zelo's id of it.
    pub fn attach_document(mut self, id: impl Into<String>) -> Self {
        self.attachments.push(Attachment::Document(id.into()));
        self
    }

    /// With a quick answer.
    pub fn button(mut self, id: impl Into<String>, title: impl Into<String>) -> Self {
        self.buttons.push(Button { id: id.into(), title: title.into() });
        self
    }

    /// Sends it, once per job however often the job is tried.
    ///
    /// # Errors
    /// It will never be sent. `?` makes a permanent failure of it.
    pub fn send(self) -> Result<Sent, Error> {
        crate::backend::send(self)
    }
}

impl File {
    /// A file to attach.
    pub fn new(name: impl Into<String>, media_type: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), media_type: media_type.into(), content: content.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "the message was refused: {reason}"),
            Self::Invalid(reason) => write!(f, "the message is not valid: {reason}"),
            Self::Undeliverable(reason) => write!(f, "the message cannot be delivered: {reason}"),
        }
    }
}

impl core::error::Error for Error {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::permanent(error.to_string())
    }
}
