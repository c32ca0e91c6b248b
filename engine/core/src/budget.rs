//! What stops loops: how many messages one contact gets, and how long a chain of automations may be.
//!
//! A budget is counted over a sliding window: within any span of its length no more messages go to a contact than it says.
//! Who the contact is, [`contact`] says; where it is counted, the store and the runtime know.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A chain of automations, each brought about by the one before it, is no longer. What is honest work has two or three.
pub const LINEAGE_MAX: usize = 8;

/// Messages of one budget.
pub const MESSAGES_MAX: u32 = 1000;

/// No window is longer: what was sent before it counts nowhere, and is forgotten.
pub const PER_MAX: SignedDuration = SignedDuration::from_hours(90 * 24);

/// So many messages to one contact within any span of a certain length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    limit: u32,
    per_s: u32,
}

/// Why there is no such budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    #[error("a budget is of 1 to {MESSAGES_MAX} messages")]
    Messages,
    #[error("the span of a budget is at least 1s and at most 90d")]
    Span,
}

impl Budget {
    /// `messages` within any span of `per`, which is taken in whole seconds.
    ///
    /// # Errors
    /// Out of bounds: none or more than [`MESSAGES_MAX`] messages, no span or one longer than [`PER_MAX`].
    pub fn new(messages: i64, per: SignedDuration) -> Result<Self, BudgetError> {
        let limit = u32::try_from(messages).ok().filter(|limit| (1..=MESSAGES_MAX).contains(limit)).ok_or(BudgetError::Messages)?;
        let per_s = u32::try_from(per.as_secs()).ok().filter(|per_s| *per_s > 0 && per <= PER_MAX).ok_or(BudgetError::Span)?;
        Ok(Self { limit, per_s })
    }

    /// Messages.
    pub fn limit(self) -> u32 {
        self.limit
    }

    /// What was sent later than this counts at `now`. What was sent in what looks like the future (a clock that was set
    /// back) counts too.
    pub fn since(self, now: Timestamp) -> Timestamp {
        now.saturating_sub(SignedDuration::from_secs(i64::from(self.per_s))).unwrap_or(Timestamp::MIN)
    }
}

/// 20 messages within any 24 hours.
impl Default for Budget {
    fn default() -> Self {
        Self { limit: 20, per_s: 24 * 3600 }
    }
}

/// `20 messages within 24h`.
impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.limit == 1 { "" } else { "s" };
        write!(f, "{} message{s} within ", self.limit)?;
        // A day is told as 24 hours: it is no day of the calendar.
        let (days, left) = if self.per_s < 2 * 86_400 { (0, self.per_s) } else { (self.per_s / 86_400, self.per_s % 86_400) };
        for (amount, unit) in [(days, 'd'), (left / 3600, 'h'), (left / 60 % 60, 'm'), (left % 60, 's')] {
            if amount > 0 {
                write!(f, "{amount}{unit}")?;
            }
        }
        Ok(())
    }
}

/// The contact that `address` names, however it is written: an e-mail address without regard to case, a telephone number by
/// its digits alone, anything else as it stands. A number with its country's code and one without are two contacts.
pub fn contact(address: &str) -> String {
    let address = address.trim();
    let punctuation = |char: char| char.is_whitespace() || matches!(char, '+' | '-' | '.' | '(' | ')' | '/');
    let digits: String = address.chars().filter(char::is_ascii_digit).collect();
    if !digits.is_empty() && address.chars().all(|char| char.is_ascii_digit() || punctuation(char)) {
        digits
    } else if address.contains('@') {
        address.to_lowercase()
    } else {
        address.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(messages: i64, seconds: i64) -> Result<Budget, BudgetError> {
        Budget::new(messages, SignedDuration::from_secs(seconds))
    }

    #[test]
    fn a_budget_has_bounds() {
        assert_eq!(budget(20, 86_400), Ok(Budget::default()));
        for messages in [0, -1, 1001, i64::MAX] {
            assert_eq!(budget(messages, 60), Err(BudgetError::Messages), "{messages}");
        }
        for seconds in [0, -60, 90 * 86_400 + 1, i64::MAX] {
            assert_eq!(budget(1, seconds), Err(BudgetError::Span), "{seconds}");
        }
        assert!(budget(1000, 90 * 86_400).is_ok() && budget(1, 1).is_ok());
        assert_eq!(Budget::new(1, PER_MAX + SignedDuration::from_millis(1)), Err(BudgetError::Span));
    }

    #[test]
    fn a_budget_is_told_as_it_is_written() {
        for (messages, seconds, told) in [
            (20, 86_400, "20 messages within 24h"),
            (1, 2 * 86_400, "1 message within 2d"),
            (2, 2 * 86_400 + 5400, "2 messages within 2d1h30m"),
            (3, 90, "3 messages within 1m30s"),
        ] {
            assert_eq!(budget(messages, seconds).unwrap().to_string(), told);
        }
    }

    #[test]
    fn the_window_is_open_at_its_beginning() {
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        assert_eq!(Budget::default().since(now).to_string(), "2026-03-01T12:00:00Z");
        assert_eq!(Budget::default().since(Timestamp::MIN), Timestamp::MIN);
    }

    #[test]
    fn one_contact_however_it_is_written() {
        for (address, is) in [
            ("+55 11 90000-0001", "5511900000001"),
            (" (55) 11.90000/0001 ", "5511900000001"),
            ("5511900000001", "5511900000001"),
            (" Marina@Example.COM ", "marina@example.com"),
            ("+55@example.com", "+55@example.com"),
            ("Recepcao", "Recepcao"),
            ("sala 12", "sala 12"),
            ("--", "--"),
            ("", ""),
        ] {
            assert_eq!(contact(address), is, "{address}");
        }
    }
}
