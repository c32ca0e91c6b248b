//! Examples as if they happened today: with the instants and ids of their file they would be old, or known already.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use super::{Given, Source};
use crate::path::Path;

/// What an action counts from lies so many days ahead.
const AHEAD: i32 = 2;
/// What lies within so many days of it moves with it.
const BESIDE: i32 = 60;

impl Source {
    /// Makes `payload`, an example of type `kind`, one that happens `now` and has not come before. What stands at one of `ahead` lies some
    /// days ahead, and what is near it moves along; all other instants move together, so that the last of them was yesterday. Days without
    /// a time of day, such as birthdays, stay as they are.
    pub fn refresh(&self, kind: &str, payload: &mut Value, ahead: &[&Path], now: Timestamp) {
        let today = now.to_zoned(TimeZone::UTC).date();
        let anchor = ahead.iter().find_map(|path| day_of(path.first(payload)?.as_str()?));
        let near = |day: Date| anchor.is_some_and(|anchor| days(anchor, day).abs() <= BESIDE);
        let mapping = self.events.iter().find(|event| event.kind == kind);
        let at = mapping.and_then(|event| event.time.as_ref()?.path());
        if let Some(place) = at
            && let Some(value) = place.first(payload)
        {
            let instant = self.like(value, now);
            place.assign(payload, instant);
        }
        let told = at.and_then(|place| place.first(payload)).cloned();
        let mut rest = Vec::new();
        each(payload, &mut |text| {
            rest.extend(day_of(text).filter(|day| !near(*day) && told.as_ref().and_then(Value::as_str) != Some(text.as_str())));
        });
        let back = rest.iter().max().map_or(0, |last| days(*last, today) - 1);
        let forth = anchor.map_or(0, |anchor| days(anchor, today) + AHEAD);
        each(payload, &mut |text| {
            if told.as_ref().and_then(Value::as_str) == Some(text.as_str()) {
                return;
            }
            if let Some(day) = day_of(text) {
                let moved = day.saturating_add(if near(day) { forth } else { back }.days());
                text.replace_range(..10, &moved.to_string());
            }
        });
        for place in mapping.iter().flat_map(|event| &event.id).filter_map(Given::path) {
            let id = match place.first(payload) {
                Some(Value::Number(_)) => now.as_millisecond().into(),
                Some(Value::String(_)) => format!("zelo-{}", now.as_millisecond()).into(),
                _ => continue,
            };
            place.assign(payload, id);
        }
    }

    /// `now` in the form of `value`: seconds, milliseconds, or a text with or without an offset.
    fn like(&self, value: &Value, now: Timestamp) -> Value {
        match value {
            Value::Number(number) if number.as_i64().is_some_and(|number| number > 100_000_000_000) => now.as_millisecond().into(),
            Value::Number(_) => now.as_second().into(),
            Value::String(text) if day_of(text).is_some() && text.len() >= 19 => {
                let has_offset = text.get(19..).is_some_and(|rest| rest.contains(['Z', 'z', '+', '-']));
                let zone = if has_offset { TimeZone::UTC } else { self.timezone.clone() };
                let between = text.get(10..11).unwrap_or("T");
                let local = now.to_zoned(zone).strftime(&format!("%Y-%m-%d{between}%H:%M:%S")).to_string();
                if has_offset { format!("{local}Z").into() } else { local.into() }
            }
            other => other.clone(),
        }
    }
}

/// The day of an instant: `2017-05-30 09:17:03`, `2017-05-30T09:17`.
fn day_of(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let timed = bytes.len() >= 16 && matches!(bytes[10], b' ' | b'T') && bytes[11].is_ascii_digit() && bytes[13] == b':';
    if timed { text.get(..10)?.parse().ok() } else { None }
}

/// From one day to another.
fn days(from: Date, to: Date) -> i32 {
    from.until(to).map_or(0, |span| span.get_days())
}

/// Every text in `value`.
fn each(value: &mut Value, see: &mut dyn FnMut(&mut String)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, see)),
        Value::Object(fields) => fields.values_mut().for_each(|field| each(field, see)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{FileText, Files, PluginFacts, Plugins, RuleSet, load};

    struct Nothing;

    impl Plugins for Nothing {
        fn plugin(&self, _: &str) -> Option<PluginFacts> {
            None
        }

        fn names(&self) -> Vec<String> {
            Vec::new()
        }
    }

    const SOURCE: &str = r#"
id = "acme"
title = "Acme"
timezone = "UTC"
[receive]
format = "json"
verify = { kind = "token", header = "x-token" }
[[events]]
match = { path = "appointment/new" }
type = "appointment.created"
time = "$.timestamp"
id = ["$.id"]
[classes]
public = ["$.timestamp"]
"#;

    fn set() -> RuleSet {
        let files = Files { sources: vec![FileText { name: "acme.toml".into(), text: SOURCE.into() }], ..Files::default() };
        let loaded = load(&files, &Nothing);
        loaded.set.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
    }

    #[test]
    fn an_example_happens_now_and_what_it_is_about_lies_ahead() {
        let set = set();
        let source = set.source("acme").unwrap();
        let mut payload = json!({
            "timestamp": "2023-07-13 15:55:33",
            "id": "evt_1",
            "data": { "start": "2017-05-30 09:17:03", "end": "2017-05-30 10:47:03", "born": "1980-01-02", "made": "2016-01-01T10:00:00Z", "n": 1 },
        });
        let ahead = Path::parse("$.data.start").unwrap();
        let now: Timestamp = "2026-03-02T11:00:00Z".parse().unwrap();
        source.refresh("appointment.created", &mut payload, &[&ahead], now);
        let wanted = json!({
            "timestamp": "2026-03-02 11:00:00",
            "id": format!("zelo-{}", now.as_millisecond()),
            "data": { "start": "2026-03-04 09:17:03", "end": "2026-03-04 10:47:03", "born": "1980-01-02", "made": "2026-03-01T10:00:00Z", "n": 1 },
        });
        assert_eq!(payload, wanted);
        assert_eq!(source.like(&json!(1_500_000_000), now), json!(now.as_second()));
        assert_eq!(source.like(&json!("2017-05-30T09:17:03-03:00"), now), "2026-03-02T11:00:00Z");
    }
}
