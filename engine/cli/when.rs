//! Instants as people write them: `30d`, `12h`, a date, a date and time.

use anyhow::{Context, Result, bail};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// An instant, or how long before now it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Ago(SignedDuration),
    At(Timestamp),
}

impl When {
    /// The instant that is meant at `now`.
    pub(super) fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::MIN),
            Self::At(at) => at,
        }
    }

    /// Reads `30d`, `12h`, `45m`, `2026-03-02` (its midnight in UTC) or an RFC 3339 instant.
    pub(super) fn parse(text: &str) -> Result<Self> {
        if let Some(hours) = ago(text)? {
            return Ok(Self::Ago(hours));
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        let date: Date = text.parse().ok().filter(|_| text.len() == "2026-03-02".len()).with_context(|| {
            format!("`{text}` is no time; write 30d, 12h, 45m, a date (2026-03-02, from midnight in UTC) or 2026-03-02T08:00:00-03:00")
        })?;
        Ok(Self::At(date.to_zoned(TimeZone::UTC)?.timestamp()))
    }
}

/// A number with `d`, `h` or `m`.
fn ago(text: &str) -> Result<Option<SignedDuration>> {
    let Some((digits, unit)) = text.char_indices().last().map(|(at, unit)| (text.get(..at).unwrap_or_default(), unit)) else {
        return Ok(None);
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    let minutes = match unit {
        'd' => 24 * 60,
        'h' => 60,
        'm' => 1,
        _ => return Ok(None),
    };
    let minutes = digits.parse::<i64>().ok().and_then(|number| number.checked_mul(minutes)).filter(|minutes| *minutes <= LONGEST);
    match minutes {
        Some(minutes) => Ok(Some(SignedDuration::from_mins(minutes))),
        None => bail!("`{text}` is longer than a hundred years"),
    }
}

/// A hundred years, in minutes.
const LONGEST: i64 = 100 * 366 * 24 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_it_in_many_ways() {
        let now: Timestamp = "2026-03-31T12:00:00Z".parse().unwrap();
        let at = |text: &str| When::parse(text).unwrap().at(now).to_string();
        assert_eq!(at("30d"), "2026-03-01T12:00:00Z");
        assert_eq!(at("12h"), "2026-03-31T00:00:00Z");
        assert_eq!(at("45m"), "2026-03-31T11:15:00Z");
        assert_eq!(at("2026-03-02"), "2026-03-02T00:00:00Z");
        assert_eq!(at("2026-03-02T08:00:00-03:00"), "2026-03-02T11:00:00Z");
        for wrong in ["", "d", "30", "30w", "-3d", "3.5h", "yesterday", "2026-13-02", "2026-03-02T08:00:00", "99999999999999d", "9999999d"]
        {
            assert!(When::parse(wrong).is_err(), "{wrong}");
        }
    }
}
