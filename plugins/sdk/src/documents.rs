//! Documents that zelo keeps. The manifest has to want `documents`, and the rule has to grant it.
//!
//! ```
//! # let run = zelo_plugin::testing::Run::of(run, serde_json::json!({}));
//! # assert_eq!(run.documents[0].text, "Thank you.");
//! # fn run(_: serde_json::Value, _: &zelo_plugin::Context) -> Result<zelo_plugin::Outcome, zelo_plugin::Failure> {
//! use zelo_plugin::{Document, Message};
//!
//! let id = Document::new("thanks.txt", "text/plain; charset=utf-8", "Thank you.", "Thank you.").store()?;
//! let sent = Message::text("+55 11 98765-4321", "Here it is.").attach_document(&id).send()?;
//! # Ok(zelo_plugin::Outcome::new("sent", sent.channel))
//! # }
//! ```

/// A document. Made with [`Document::new`], kept with [`Document::store`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// A file name, without folders.
    pub name: String,
    /// `application/pdf`.
    pub media_type: String,
    /// The bytes of the file.
    pub content: Vec<u8>,
    /// What it says, line by line: for lists, and for people who cannot see it.
    pub text: String,
}

crate::refusals! {
    /// Why a document was not kept, for good.
    Error, "the document was refused", "the document is not valid";
    /// Not a document that can be kept: what is wrong with it.
    Invalid
}

impl Document {
    /// A document, with what it says as text.
    pub fn new(name: impl Into<String>, media_type: impl Into<String>, content: impl Into<Vec<u8>>, text: impl Into<String>) -> Self {
        Self { name: name.into(), media_type: media_type.into(), content: content.into(), text: text.into() }
    }

    /// Keeps it, and gives zelo's id of it: the same on every attempt.
    ///
    /// # Errors
    /// It will never be kept. `?` makes a permanent failure of it.
    pub fn store(self) -> Result<String, Error> {
        crate::backend::store(self)
    }
}
