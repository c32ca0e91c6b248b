//! What can be made of an allowed field before anything sees it: less of it, or another form of it.
//!
//! To add a transform: a variant that says what is kept of the value, its line in [`TRANSFORMS`], its arm in
//! [`Transform::apply`], a test, and its line in `rules/README.md`.

use data_encoding::HEXLOWER;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};
use serde_json::Value;
use zelo_core::Indexer;

use crate::forms;
use crate::time;

/// What can be made of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    /// The first word.
    FirstName,
    /// The last four characters.
    Last4,
    /// The first letter of each word.
    Initials,
    /// The year of a date, as a number.
    Year,
    /// The year and month of a date, `YYYY-MM`.
    Month,
    /// The day, `YYYY-MM-DD`: where the clinic is, for a time.
    Date,
    /// Whole years from a date to the event, as a number.
    Age,
    /// A time of the payload as RFC 3339 in UTC.
    Instant,
    /// Only the digits.
    Digits,
    /// A phone number as `+5511987654321`; without `+` it is Brazil's.
    PhoneE164,
    /// Small letters.
    Lower,
    /// Capitals.
    Upper,
    /// All but the space around it.
    Trim,
    /// Nothing but whether two values are the same: 32 hex digits, under the installation's key, so that nobody finds the value by
    /// hashing what it could be. The same value has the same hash within a connection.
    Hash,
}

pub(crate) const TRANSFORMS: [(&str, Transform); 14] = [
    ("first_name", Transform::FirstName),
    ("last4", Transform::Last4),
    ("initials", Transform::Initials),
    ("year", Transform::Year),
    ("month", Transform::Month),
    ("date", Transform::Date),
    ("age", Transform::Age),
    ("instant", Transform::Instant),
    ("digits", Transform::Digits),
    ("phone_e164", Transform::PhoneE164),
    ("lower", Transform::Lower),
    ("upper", Transform::Upper),
    ("trim", Transform::Trim),
    ("hash", Transform::Hash),
];

/// What transforms know besides the value.
pub(crate) struct Making<'m> {
    /// Of times without an offset.
    pub(crate) zone: &'m TimeZone,
    /// Where the clinic is, as the source says; none: in `zone`.
    pub(crate) clinic_zone: Option<&'m TimeZone>,
    /// When the event happened.
    pub(crate) at: Timestamp,
    pub(crate) connection: &'m str,
    pub(crate) index: &'m Indexer,
}

impl Transform {
    /// The word in files.
    pub fn as_str(self) -> &'static str {
        TRANSFORMS.iter().find(|(_, transform)| *transform == self).map(|(word, _)| *word).unwrap_or_default()
    }

    /// What is made of `value`; none where it does not fit, or nothing is left.
    pub(super) fn apply(self, value: &Value, making: &Making<'_>) -> Option<Value> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) if !number.is_f64() => number.to_string(),
            _ => return None,
        };
        let made: String = match self {
            Self::FirstName => forms::first_name(&text).ok()?.to_owned(),
            Self::Last4 => text.chars().skip(text.chars().count().saturating_sub(4)).collect(),
            Self::Initials => text.split_whitespace().filter_map(|word| word.chars().next()).flat_map(char::to_uppercase).collect(),
            Self::Year => return making.day(&text).map(Date::year).or_else(|| leading_year(&text)).map(Value::from),
            Self::Month => making.day(&text)?.strftime("%Y-%m").to_string(),
            Self::Date => making.day(&text)?.to_string(),
            Self::Age => return making.age(making.day(&text)?).map(Value::from),
            Self::Instant => time::instant(&text, making.zone)?.to_string(),
            Self::Digits => forms::digits(&text).ok()?,
            Self::PhoneE164 => forms::phone_e164(&text, "BR").ok()?,
            Self::Lower => text.to_lowercase(),
            Self::Upper => text.to_uppercase(),
            Self::Trim => text.trim().to_owned(),
            Self::Hash if text.is_empty() => return None,
            Self::Hash => HEXLOWER.encode(&making.index.field(making.connection, &text).0),
        };
        (!made.is_empty()).then_some(Value::String(made))
    }
}

impl Making<'_> {
    /// The day that a text says: a date as it stands, a time as the clinic's calendar has it.
    fn day(&self, text: &str) -> Option<Date> {
        const LENGTH: usize = "YYYY-MM-DD".len();
        let text = text.trim();
        if text.len() == LENGTH {
            return text.parse().ok();
        }
        Some(self.local(time::instant(text, self.zone)?))
    }

    /// Whole years from `day` to the event; none for a day that has not come yet.
    fn age(&self, day: Date) -> Option<i16> {
        let today = self.local(self.at);
        let years = day.until((Unit::Year, today)).ok()?.get_years();
        (day <= today).then_some(years)
    }

    fn local(&self, instant: Timestamp) -> Date {
        instant.to_zoned(self.clinic_zone.unwrap_or(self.zone).clone()).date()
    }
}

/// The year of a text that begins with one and is no whole date: `1976`, `1976-05`.
fn leading_year(text: &str) -> Option<i16> {
    let year = text.get(..4).filter(|year| year.bytes().all(|byte| byte.is_ascii_digit()))?;
    year.parse().ok().filter(|_| !text.as_bytes().get(4).is_some_and(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn made_by(index: &Indexer, connection: &str, transform: &str, value: &Value) -> Option<Value> {
        let (zone, clinic) = (TimeZone::UTC, TimeZone::get("America/Sao_Paulo").unwrap());
        let at = "2026-03-01T02:00:00Z".parse().unwrap();
        let making = Making { zone: &zone, clinic_zone: Some(&clinic), at, connection, index };
        let (_, transform) = TRANSFORMS.iter().find(|(name, _)| *name == transform).unwrap();
        transform.apply(value, &making)
    }

    fn made(transform: &str, value: &Value) -> Option<Value> {
        made_by(&Indexer::new(&[7; 32]), "centro", transform, value)
    }

    #[test]
    fn transforms() {
        for (transform, value, expected) in [
            ("first_name", json!("  Marina Teste"), json!("Marina")),
            ("first_name", json!(" "), json!(null)),
            ("last4", json!(17052897890_i64), json!("7890")),
            ("last4", json!("é1"), json!("é1")),
            ("initials", json!("Édu da silva"), json!("ÉDS")),
            ("year", json!("1976-05-13"), json!(1976)),
            ("year", json!("1976"), json!(1976)),
            ("year", json!(1976), json!(1976)),
            ("year", json!("2026-01-01T02:59:59Z"), json!(2025)),
            ("year", json!("13/05/1976"), json!(null)),
            ("year", json!("19760513"), json!(null)),
            ("year", json!("+197"), json!(null)),
            ("month", json!("1976-05-13"), json!("1976-05")),
            ("month", json!("2026-03-01T02:59:59Z"), json!("2026-02")),
            ("month", json!("1976-13-01"), json!(null)),
            ("date", json!(" 1976-05-13 "), json!("1976-05-13")),
            ("date", json!("1976-05-13T03:00:00+00:00"), json!("1976-05-13")),
            ("date", json!("2026-03-06 02:00:00"), json!("2026-03-05")),
            ("date", json!("2026-02-30"), json!(null)),
            ("date", json!("soon"), json!(null)),
            // The event is on 28 February where the clinic is.
            ("age", json!("1976-02-28"), json!(50)),
            ("age", json!("1976-03-01"), json!(49)),
            ("age", json!("2000-02-29"), json!(25)),
            ("age", json!("2026-02-28"), json!(0)),
            ("age", json!("2026-03-01"), json!(null)),
            ("age", json!("50"), json!(null)),
            ("instant", json!("2026-03-06 13:00:00"), json!("2026-03-06T13:00:00Z")),
            ("instant", json!("soon"), json!(null)),
            ("digits", json!("(11) 98765-4321"), json!("11987654321")),
            ("digits", json!("none"), json!(null)),
            ("digits", json!({"a": 1}), json!(null)),
            ("digits", json!(1.5), json!(null)),
            ("phone_e164", json!("(11) 98765-4321"), json!("+5511987654321")),
            ("phone_e164", json!(11987654321_i64), json!("+5511987654321")),
            ("phone_e164", json!("98765-4321"), json!(null)),
            ("lower", json!("ÁGUA"), json!("água")),
            ("upper", json!("água"), json!("ÁGUA")),
            ("trim", json!("  a b\n"), json!("a b")),
            ("trim", json!("  "), json!(null)),
            ("hash", json!(""), json!(null)),
            ("hash", json!(["a"]), json!(null)),
        ] {
            assert_eq!(made(transform, &value).unwrap_or_default(), expected, "{transform} {value}");
        }
    }

    #[test]
    fn a_hash_shows_only_whether_two_values_are_the_same() {
        let hash = made("hash", &json!("52998224725")).unwrap();
        let text = hash.as_str().unwrap();
        assert!(text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{text}");
        assert_eq!(made("hash", &json!(52998224725_i64)).unwrap(), hash, "a number as its digits");
        assert_ne!(made("hash", &json!("52998224726")).unwrap(), hash);
        let value = json!("52998224725");
        assert_ne!(made_by(&Indexer::new(&[8; 32]), "centro", "hash", &value).unwrap(), hash, "who has no key cannot guess");
        assert_ne!(made_by(&Indexer::new(&[7; 32]), "norte", "hash", &value).unwrap(), hash, "connections are apart");
    }
}
