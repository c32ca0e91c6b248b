//! Times, durations and times of day, as files and payloads write them.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// An instant from a payload: RFC 3339, or `YYYY-MM-DD hh:mm:ss` (also with `T`) without an offset, which is then a
/// local time in `zone`. A date alone is not an instant.
pub fn instant(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    let text = text.trim();
    // Both forms have their hour at the twelfth byte.
    if text.len() < 16 || !matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    text.parse::<Timestamp>().ok().or_else(|| zone.to_timestamp(text.parse::<DateTime>().ok()?).ok())
}

/// An instant as a number: seconds since 1970, with or without a fraction, or milliseconds. Which of them its magnitude says: both reach from
/// 1973 to 5138, and what is neither is no instant, such as a day written `20260306`.
pub(crate) fn instant_of_number(number: f64) -> Option<Timestamp> {
    let milliseconds = match number {
        1e8..1e11 => number * 1e3,
        1e11..1e14 => number,
        _ => return None,
    };
    Timestamp::from_millisecond(milliseconds as i64).ok()
}

/// The same of a number that is written as text.
pub(crate) fn instant_of_digits(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_number.then(|| text.parse().ok()).flatten().and_then(instant_of_number)
}

/// A day alone, `YYYY-MM-DD`.
pub(crate) fn day(text: &str) -> Option<Date> {
    let text = text.trim();
    (text.len() == 10).then(|| text.parse().ok()).flatten()
}

/// A duration such as `90s`, `15m`, `24h`, `2d` or `1h30m`. A day is 24 hours.
pub fn duration(text: &str) -> Option<SignedDuration> {
    let mut seconds = 0_i64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit())?;
        let amount: i64 = rest.get(..digits)?.parse().ok()?;
        let unit = match rest.as_bytes().get(digits)? {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(amount.checked_mul(unit)?)?;
        rest = rest.get(digits + 1..)?;
    }
    (seconds <= LONGEST_S).then(|| SignedDuration::from_secs(seconds))
}

/// No duration is longer: ten years.
const LONGEST_S: i64 = 10 * 366 * 86_400;

/// A time of day, `hh:mm`; `24:00` is the end of the day, which is its beginning.
pub(crate) fn time_of_day(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let is_number = |digits: &str| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(hour) || !is_number(minute) {
        return None;
    }
    let hour: i8 = hour.parse().ok()?;
    let minute: i8 = minute.parse().ok()?;
    Time::new(if hour == 24 && minute == 0 { 0 } else { hour }, minute, 0, 0).ok()
}

/// A time zone of the IANA database.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants() {
        let zone = TimeZone::get("America/Sao_Paulo").unwrap();
        let read = |text| instant(text, &zone).map(|instant| instant.to_string());
        assert_eq!(read("2026-03-06T10:00:00Z").unwrap(), "2026-03-06T10:00:00Z");
        assert_eq!(read("2026-03-06T10:00:00-03:00").unwrap(), "2026-03-06T13:00:00Z");
        assert_eq!(read("2026-03-06 10:00:00").unwrap(), "2026-03-06T13:00:00Z", "in the zone given");
        assert_eq!(read("2026-03-06T10:00:00").unwrap(), "2026-03-06T13:00:00Z");
        assert_eq!(instant("2026-03-06 10:00:00", &TimeZone::UTC).unwrap().to_string(), "2026-03-06T10:00:00Z");
        for text in ["2026-03-06", "10:00:00", "soon", "", "2026-13-06 10:00:00", "20260306"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_seconds_or_milliseconds() {
        let read = |number| instant_of_number(number).map(|instant| instant.to_string());
        assert_eq!(read(1_772_791_200.0).unwrap(), "2026-03-06T10:00:00Z");
        assert_eq!(read(1_772_791_200_500.0).unwrap(), "2026-03-06T10:00:00.5Z");
        assert_eq!(read(1_772_791_200.25).unwrap(), "2026-03-06T10:00:00.25Z");
        assert_eq!(instant_of_digits(" 1772791200 ").unwrap().to_string(), "2026-03-06T10:00:00Z");
        assert_eq!(instant_of_digits("1772791200.000025").unwrap().to_string(), "2026-03-06T10:00:00Z");
        for number in [0.0, -1_772_791_200.0, 20_260_306.0, 1e14, f64::NAN, f64::INFINITY] {
            assert_eq!(read(number), None, "{number}");
        }
        for text in ["", ".", "1e9", "-1772791200", "1772791200Z", "0x69aaa", "2026", "1.2.3", "infinity"] {
            assert_eq!(instant_of_digits(text), None, "{text}");
        }
    }

    #[test]
    fn durations() {
        let seconds = |text| duration(text).map(|duration| duration.as_secs());
        assert_eq!(["90s", "15m", "24h", "2d", "1h30m"].map(seconds), [Some(90), Some(900), Some(86_400), Some(172_800), Some(5_400)]);
        for text in ["", "h", "24", "24 h", "-1h", "1w", "99999999999999999999d", "999999d"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn times_of_day() {
        let read = |text| time_of_day(text).map(|time| time.to_string());
        assert_eq!(read("08:00").unwrap(), "08:00:00");
        assert_eq!(read("24:00").unwrap(), "00:00:00");
        for text in ["8:00", "25:00", "24:01", "08", "08:60", "ab:cd", "+8:00"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
