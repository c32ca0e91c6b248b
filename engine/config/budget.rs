//! `[budget]`: how many messages one contact gets.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// `[budget]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Budget {
    /// Of every contact of every connection; none: any number of messages.
    pub of_contacts: Option<zelo_core::Budget>,
    /// Addresses that it is not for: the clinic's own.
    pub except: Vec<String>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { of_contacts: Some(zelo_core::Budget::default()), except: Vec::new() }
    }
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    messages: Messages,
    per: String,
    except: Vec<String>,
}

impl Default for Written {
    fn default() -> Self {
        Self { messages: Messages::AtMost(20), per: "24h".to_owned(), except: Vec::new() }
    }
}

enum Messages {
    AtMost(i64),
    Unlimited,
}

impl TryFrom<Written> for Budget {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let per = zelo_rules::duration(&written.per)
            .ok_or_else(|| format!("budget.per: `{}` is not a duration; durations are written 90s, 15m, 24h, 2d or 1h30m", written.per))?;
        // Checked even where nothing is limited: a mistake must not come to light only when the limit is switched on.
        let messages = match written.messages {
            Messages::AtMost(messages) => messages,
            Messages::Unlimited => 1,
        };
        let budget = zelo_core::Budget::new(messages, per).map_err(|error| format!("[budget]: {error}"))?;
        if written.except.iter().any(|address| address.trim().is_empty()) {
            return Err("budget.except: an address is empty".to_owned());
        }
        Ok(Self { of_contacts: matches!(written.messages, Messages::AtMost(_)).then_some(budget), except: written.except })
    }
}

impl<'de> Deserialize<'de> for Messages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl Visitor<'_> for Read {
            type Value = Messages;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of messages, or \"unlimited\"")
            }

            fn visit_i64<E: Error>(self, messages: i64) -> Result<Messages, E> {
                Ok(Messages::AtMost(messages))
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Messages, E> {
                if word == "unlimited" { Ok(Messages::Unlimited) } else { Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)) }
            }
        }

        deserializer.deserialize_any(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<String>, String> {
        toml::from_str::<Budget>(text).map(|budget| budget.of_contacts.map(|budget| budget.to_string())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_budget_is_checked() {
        assert_eq!(read("").unwrap().unwrap(), "20 messages within 24h");
        assert_eq!(read("messages = 5").unwrap().unwrap(), "5 messages within 24h");
        assert_eq!(read("messages = 1\nper = '30d'").unwrap().unwrap(), "1 message within 30d");
        assert_eq!(read("messages = 'unlimited'").unwrap(), None);
        for (text, why) in [
            ("messages = 0", "1 to 1000"),
            ("messages = -1", "1 to 1000"),
            ("messages = 1001", "1 to 1000"),
            ("messages = 'many'", "\"unlimited\""),
            ("messages = 2.5", "\"unlimited\""),
            ("per = '0s'", "at least 1s"),
            ("per = '91d'", "at most 90d"),
            ("per = 'soon'", "`soon` is not a duration"),
            ("messages = 'unlimited'\nper = 'soon'", "`soon` is not a duration"),
            ("limit = 3", "limit"),
            ("except = 'equipe'", "sequence"),
            ("except = ['equipe', ' ']", "an address is empty"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
