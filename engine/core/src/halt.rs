//! The kill switch: what people have put a halt to.
//!
//! What is halted does not run: jobs of it wait, and one that runs is broken off where it waits for something, in the midst of a request too. Nothing is lost by it: events
//! come in and make their jobs, which run when the halt is lifted, as far as they are not too late by then.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::audit::Actor;

/// The code of the reason of a job that was broken off.
pub const HALTED: &str = "halted";

/// What is halted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HaltScope {
    /// Every job.
    All,
    /// The jobs of a rule.
    Rule(String),
    /// The jobs that run a plugin, of whatever rule.
    Plugin(String),
}

impl HaltScope {
    /// Whether a job of `rule` that runs `plugin`, where that is known, is in it.
    pub fn includes(&self, rule: &str, plugin: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::Rule(halted) => halted == rule,
            Self::Plugin(halted) => plugin == Some(halted),
        }
    }
}

/// `all`, `rule:NAME`, `plugin:NAME`
impl fmt::Display for HaltScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Rule(name) => write!(f, "rule:{name}"),
            Self::Plugin(name) => write!(f, "plugin:{name}"),
        }
    }
}

impl FromStr for HaltScope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            Some(("rule", name)) if !name.is_empty() => Ok(Self::Rule(name.to_owned())),
            Some(("plugin", name)) if !name.is_empty() => Ok(Self::Plugin(name.to_owned())),
            _ => Err(format!("`{text}` is nothing that can be halted; that is all, rule:NAME or plugin:NAME")),
        }
    }
}

/// The longest reason in characters.
pub const REASON_MAX: usize = 500;

/// A reason as it is kept; none where it says nothing.
///
/// # Errors
/// It is too long.
pub fn reason(text: Option<&str>) -> Result<Option<String>, String> {
    match text.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) if text.chars().count() > REASON_MAX => Err(format!("a reason is at most {REASON_MAX} characters long")),
        text => Ok(text.map(str::to_owned)),
    }
}

/// Something that was halted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    pub scope: HaltScope,
    pub at: Timestamp,
    pub actor: Actor,
    /// For people; nobody's name belongs in it.
    pub reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_as_it_was_written() {
        for scope in [HaltScope::All, HaltScope::Rule("a:b".into()), HaltScope::Plugin("receipt".into())] {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        for text in ["", "everything", "rule:", "rule", "plug:receipt"] {
            assert!(text.parse::<HaltScope>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_reason_is_short_or_none() {
        assert_eq!(reason(Some("  ")), Ok(None));
        assert_eq!(reason(Some(" twice ")), Ok(Some("twice".to_owned())));
        assert_eq!(reason(Some(&"é".repeat(REASON_MAX))).map(|kept| kept.is_some()), Ok(true));
        assert!(reason(Some(&"é".repeat(REASON_MAX + 1))).is_err());
    }

    #[test]
    fn a_halt_is_of_what_it_names() {
        let includes =
            |scope: HaltScope| [("r", Some("p")), ("r", None), ("s", Some("q"))].map(|(rule, plugin)| scope.includes(rule, plugin));
        assert_eq!(includes(HaltScope::All), [true, true, true]);
        assert_eq!(includes(HaltScope::Rule("r".into())), [true, true, false]);
        assert_eq!(includes(HaltScope::Plugin("p".into())), [true, false, false]);
    }
}
