//! One delivery of a day, as if it happened now.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use regex::{Captures, Regex};
use serde_json::Value;
use zelo_runtime::simulation::DayLine;

use super::whole_seconds;

/// One line of the file.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) at: Timestamp,
    pub(super) source: String,
    /// With the parameters of the URL, where there are any.
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    /// A text stands for itself, anything else for its JSON.
    pub(super) body: Value,
    /// Whether its reminder is waited for.
    pub(super) watched: bool,
}

/// Times that lie further from the delivery are somebody's past, and stay: 60 days.
const NEAR: SignedDuration = SignedDuration::from_hours(60 * 24);

/// Date and time, with a space (UTC) or as RFC 3339 writes it, and the offset if there is one.
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    let time = r"(?<at>\d{4}-\d\d-\d\d(?<sep>[T ])\d\d:\d\d:\d\d)(?<rest>(?:\.\d+)?(?<zone>Z|[+-]\d\d:?\d\d)?)\b";
    Regex::new(time).unwrap_or_else(|error| unreachable!("{error}"))
});

/// How far the times to come were moved, by what they were: an appointment that several deliveries speak of stays one.
#[derive(Default)]
pub(super) struct Moves(RefCell<HashMap<Timestamp, SignedDuration>>);

impl Moves {
    /// How far `instant` moves, of which a delivery speaks that itself moves `by` from `at`.
    fn of(&self, instant: Timestamp, at: Timestamp, by: SignedDuration) -> SignedDuration {
        if instant <= at { by } else { *self.0.borrow_mut().entry(instant).or_insert(by) }
    }
}

impl Line {
    pub(super) fn new(number: usize, line: DayLine) -> Self {
        let DayLine { at, source, path, headers, body } = line;
        Self { number, at, source, path, headers, body, watched: false }
    }

    /// The body as the file has it.
    pub(super) fn text(&self) -> String {
        match &self.body {
            Value::String(text) => text.clone(),
            json => json.to_string(),
        }
    }

    /// The body with every time moved as far as the delivery is moved; one that is to come, as far as when it was first told.
    pub(super) fn body_at(&self, now: Timestamp, moves: &Moves) -> Vec<u8> {
        let by = whole_seconds(now).duration_since(whole_seconds(self.at));
        self.change(&|text| shifted(text, self.at, by, moves)).text().into_bytes()
    }

    /// With each text in the body changed.
    pub(super) fn change(&self, change: &dyn Fn(&str) -> String) -> Self {
        Self { body: changed(&self.body, change), ..self.clone() }
    }

    /// What a sender says of its body.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let kind = match &self.body {
            Value::String(text) if text.trim_start().starts_with('<') => "application/xml",
            Value::String(_) => "text/plain",
            _ => "application/json",
        };
        let said = self.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
        let kind = (!said).then(|| ("content-type".to_owned(), kind.to_owned()));
        kind.into_iter().chain(self.headers.clone()).collect()
    }
}

fn changed(value: &Value, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Array(items) => items.iter().map(|item| changed(item, change)).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), changed(value, change))).collect(),
        other => other.clone(),
    }
}

/// `text` with every time near `at` moved.
fn shifted(text: &str, at: Timestamp, by: SignedDuration, moves: &Moves) -> String {
    let moved = |found: &Captures<'_>| move_time(found, at, by, moves).unwrap_or_else(|| found[0].to_owned());
    TIME.replace_all(text, moved).into_owned()
}

fn move_time(found: &Captures<'_>, at: Timestamp, by: SignedDuration, moves: &Moves) -> Option<String> {
    let local: DateTime = found["at"].replacen(' ', "T", 1).parse().ok()?;
    let offset = match found.name("zone").map(|zone| zone.as_str()) {
        None | Some("Z") => Offset::UTC,
        Some(zone) => {
            let digits = zone[1..].replace(':', "");
            let minutes = digits.get(..2)?.parse::<i32>().ok()? * 60 + digits.get(2..)?.parse::<i32>().ok()?;
            Offset::from_seconds(if zone.starts_with('-') { -minutes } else { minutes } * 60).ok()?
        }
    };
    let instant = local.to_zoned(TimeZone::fixed(offset)).ok()?.timestamp();
    if instant.duration_since(at).abs() > NEAR {
        return None;
    }
    let moved = local.checked_add(moves.of(instant, at, by)).ok()?;
    Some(format!("{}{}{}{}", moved.date(), &found["sep"], moved.strftime("%H:%M:%S"), &found["rest"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(body: Value) -> Line {
        let at = "2026-03-02T12:30:00Z".parse().unwrap();
        Line { number: 1, at, source: "clinicarx".into(), path: "appointment/new".into(), headers: BTreeMap::new(), body, watched: false }
    }

    #[test]
    fn times_move_with_the_delivery_and_dates_stay() {
        let now = "2026-12-30T23:00:00.750Z".parse().unwrap();
        let body = json!({
            "timestamp": "2026-03-02 12:30:00", "start": "2026-03-04 17:45:00", "sent": "2026-03-02T09:30:00.123-03:00",
            "iso": "2026-03-02T12:30:00Z", "birthday": "1976-05-13", "created": "2023-08-18T11:55:15+00:00", "price": 189.9,
            "note": "since 2026-03-01 12:30:00, and 2026-03-02T12:30:00+0000", "cnpj": "11222333000181"
        });
        let moved: Value = serde_json::from_slice(&line(body).body_at(now, &Moves::default())).unwrap();
        let wanted = json!({
            "timestamp": "2026-12-30 23:00:00", "start": "2027-01-02 04:15:00", "sent": "2026-12-30T20:00:00.123-03:00",
            "iso": "2026-12-30T23:00:00Z", "birthday": "1976-05-13", "created": "2023-08-18T11:55:15+00:00", "price": 189.9,
            "note": "since 2026-12-29 23:00:00, and 2026-12-30T23:00:00+0000", "cnpj": "11222333000181"
        });
        assert_eq!(moved, wanted);
    }

    #[test]
    fn an_appointment_that_several_deliveries_speak_of_stays_one() {
        let (moves, start) = (Moves::default(), json!({ "start": "2026-03-04 17:45:00", "timestamp": "2026-03-02 12:30:00" }));
        let told = |line: Line, now: &str| serde_json::from_slice::<Value>(&line.body_at(now.parse().unwrap(), &moves)).unwrap();
        let made = told(line(start.clone()), "2026-12-30T23:00:00Z");
        let cancelled = Line { at: "2026-03-03T10:00:00Z".parse().unwrap(), ..line(start) };
        let cancelled = told(cancelled, "2026-12-30T23:00:07Z");
        assert_eq!((&made["start"], &made["start"]), (&cancelled["start"], &json!("2027-01-02 04:15:00")));
        assert_ne!(made["timestamp"], cancelled["timestamp"], "what has happened moves with its delivery");
    }

    #[test]
    fn a_text_is_sent_as_it_is() {
        let now = "2026-03-03T12:30:00Z".parse().unwrap();
        let xml = line(json!("<lead><quando>2026-03-02 12:30:00</quando></lead>"));
        assert_eq!(xml.body_at(now, &Moves::default()), b"<lead><quando>2026-03-03 12:30:00</quando></lead>");
        assert_eq!(xml.headers()[0].1, "application/xml");
        let form = Line { headers: [("Content-Type".to_owned(), "text/form".to_owned())].into(), ..line(json!("a=1")) };
        assert_eq!(form.headers(), [("Content-Type".to_owned(), "text/form".to_owned())]);
    }
}
