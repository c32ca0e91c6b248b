//! Connections and channels, as configured.

use std::collections::BTreeMap;

use zelo_core::SignedDuration;

/// One subscription at a source.
#[derive(Clone)]
pub struct Connection {
    /// The name in its URL: `/hooks/{name}/…`.
    pub name: String,
    pub source: String,
    /// Any of these may have signed a delivery: several while one is being replaced.
    pub secrets: Vec<Vec<u8>>,
    /// The clinic of events that name none.
    pub clinic: Option<String>,
    /// What the provider must know where it asks whether we are here; none: such requests are refused.
    pub handshake: Option<Vec<u8>>,
    /// Accepts deliveries that nobody signed. Said aloud at every start.
    pub insecure: bool,
    /// After how long without a delivery somebody is told; none: that is found out from when it usually speaks.
    pub expect: Option<SignedDuration>,
}

/// Prints no secret.
impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({} of {}, {} secrets)", self.name, self.source, self.secrets.len())
    }
}

/// What a channel does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// Keeps it in the store, for a person or a program to read.
    Outbox,
}

/// The channels by name.
#[derive(Clone, Debug, Default)]
pub struct Channels(pub BTreeMap<String, ChannelKind>);

impl Channels {
    /// The channel for a message that may go through `granted`: the one `asked` for, or the first that exists.
    ///
    /// # Errors
    /// Why there is none, in words for the plugin's author.
    pub fn choose<'a>(&self, granted: &'a [String], asked: Option<&str>) -> Result<(&'a str, ChannelKind), String> {
        let allowed = granted.iter().filter(|name| asked.is_none_or(|asked| asked == name.as_str()));
        let mut refused = Vec::new();
        for name in allowed {
            match self.0.get(name) {
                Some(kind) => return Ok((name, *kind)),
                None => refused.push(name.as_str()),
            }
        }
        Err(match (asked, refused.as_slice()) {
            (Some(asked), []) => format!("channel `{asked}` is not granted"),
            (_, []) => "no channel is granted".to_owned(),
            (_, missing) => format!("no channel is configured under the name {}", missing.join(", ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_granted_channel_that_exists() {
        let channels = Channels([("outbox".to_owned(), ChannelKind::Outbox)].into());
        let granted = ["whatsapp".to_owned(), "outbox".to_owned()];
        assert_eq!(channels.choose(&granted, None), Ok(("outbox", ChannelKind::Outbox)));
        assert!(channels.choose(&granted, Some("whatsapp")).unwrap_err().contains("configured"));
        assert!(channels.choose(&granted, Some("sms")).unwrap_err().contains("not granted"));
        assert!(channels.choose(&[], None).is_err());
    }
}
