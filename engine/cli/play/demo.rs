//! A demonstration: the day's people and things made new, at a place where it is daytime, and a reminder that comes soon.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use zelo_core::Entropy;
use zelo_rules::{Delivery, Headers, Read, RuleSet};

use super::day::Line;
use crate::cli::control::Here;

/// The rule that reminds of appointments.
pub(super) const REMINDER: &str = "appointment-reminder";
/// Where the day's clinic stands.
const HOME: &str = "America/Sao_Paulo";
/// Where it stands while São Paulo sleeps: together they leave no hour out.
const ELSEWHERE: [&str; 4] = ["Africa/Luanda", "Asia/Dili", "Pacific/Honolulu", "Europe/Lisbon"];
/// The hours in which reminders surely go out.
const DAYTIME: std::ops::Range<i8> = 9..19;
/// How long until the reminder is due, in seconds: time enough to see what else happens.
const SOON: i64 = 35;
/// How long the added appointment takes, in minutes.
const LENGTH: i64 = 30;

/// What was arranged.
pub(super) struct Stage {
    pub(super) zone: TimeZone,
    /// A sentence about it.
    pub(super) said: String,
    /// The line of the first appointment.
    pub(super) appointment: Option<usize>,
}

/// Makes `lines` this run's own: every id that they name is a new one, the same in all of them.
pub(super) fn stage(lines: &mut [Line], sources: &RuleSet, now: Timestamp, entropy: &dyn Entropy) -> Result<Stage> {
    let run = Run::new(entropy);
    let mut ids = BTreeMap::new();
    for line in lines.iter() {
        for id in ids_of(line, sources) {
            let own = run.id(&id);
            ids.insert(id, own);
        }
    }
    let (zone, name) = daytime(now).context("there is no daytime anywhere")?;
    for line in lines.iter_mut() {
        let whole = matches!(line.body, Value::String(_));
        *line = line.change(&|text| {
            if whole {
                // The longest first: one id may be a part of another.
                let mut order: Vec<_> = ids.iter().collect();
                order.sort_by_key(|(id, _)| std::cmp::Reverse(id.len()));
                return order.iter().fold(text.replace(HOME, name), |text, (id, own)| text.replace(id.as_str(), own));
            }
            if text == HOME { name.to_owned() } else { ids.get(text).cloned().unwrap_or_else(|| text.to_owned()) }
        });
    }
    let clock = now.to_zoned(zone.clone()).strftime("%H:%M").to_string();
    let said = if name == HOME {
        format!("the clinic stands in São Paulo, where it is {clock}")
    } else {
        format!("it is night in São Paulo, when no reminder goes out, so the clinic stands where it is day: {name}, {clock}")
    };
    let appointment = lines.iter().position(|line| line.path == "appointment/new" && line.body.pointer(START).is_some());
    Ok(Stage { zone, said, appointment })
}

/// Where an appointment says when it starts and ends, and what it is called.
const START: &str = "/data/scheduled_start_at";
const END: &str = "/data/scheduled_end_at";
const ID: &str = "/data/id";

/// The hours before an appointment at which this server reminds; none where it does not.
pub(super) fn hours_before(here: &Here, connection: &str) -> Option<i64> {
    let is_it = |row: &&Value| row["rule"] == REMINDER && row["connection"] == connection && row["clinic"].is_null();
    let on = here.automations.iter().filter(is_it).find(|row| row["enabled"] == true)?;
    // Without a word of the clinic it is what the rule says by itself.
    Some(on["settings"]["hours_before"].as_i64().unwrap_or(24))
}

/// Another appointment of the same patient, whose reminder, `hours` before it, is due soon.
pub(super) fn appointment(line: &Line, hours: i64, entropy: &dyn Entropy) -> Result<Line> {
    let mut line = Line { watched: true, ..line.clone() };
    // Its times are set from the delivery's own, so that they are right when it is sent.
    let start = line.at + SignedDuration::from_hours(hours) + SignedDuration::from_secs(SOON);
    let text = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let id = line.body.pointer(ID).and_then(Value::as_str).map(|id| Run::new(entropy).id(id)).context("an appointment without an id")?;
    for (place, value) in [(START, text(start)), (END, text(start + SignedDuration::from_mins(LENGTH))), (ID, id)] {
        if let Some(found) = line.body.pointer_mut(place) {
            *found = Value::String(value);
        }
    }
    Ok(line)
}

/// The ids that a line names, as its source reads it.
fn ids_of(line: &Line, sources: &RuleSet) -> Vec<String> {
    let (body, sent) = (line.text(), line.headers());
    let headers: Headers<'_> = sent.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let path = line.path.split('?').next().unwrap_or_default();
    let delivery = Delivery { path, url: &line.path, headers: &headers, body: body.as_bytes() };
    let Some(Ok(events)) = sources.source(&line.source).map(|source| source.read_all(&delivery)) else { return Vec::new() };
    let mut ids = Vec::new();
    for event in events {
        let Read::Event(reading) = event else { continue };
        ids.extend(reading.subjects());
        ids.extend(reading.entity.map(|entity| entity.id));
        ids.extend(reading.clinic);
        ids.extend(reading.records.into_iter().map(|record| record.id));
    }
    ids
}

/// The first place where it is daytime.
fn daytime(now: Timestamp) -> Option<(TimeZone, &'static str)> {
    std::iter::once(HOME).chain(ELSEWHERE).find_map(|name| {
        let zone = TimeZone::get(name).ok()?;
        DAYTIME.contains(&now.to_zoned(zone.clone()).hour()).then_some((zone, name))
    })
}

/// What is this run's own.
struct Run {
    hex: String,
    digits: String,
}

impl Run {
    fn new(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 4];
        entropy.fill(&mut bytes);
        let number = u32::from_be_bytes(bytes) & 0x0fff_ffff;
        Self { hex: format!("{number:07x}"), digits: format!("{:07}", number % 10_000_000) }
    }

    /// The id that stands for `id` in this run, of the same form.
    fn id(&self, id: &str) -> String {
        let (hex, _) = self.hex.split_at(4);
        let parts: Vec<&str> = id.split('-').collect();
        let is_hex = |part: &&str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(is_hex) {
            // A UUID: seven digits of the middle groups, its version stays.
            return format!("{}-{hex}-{}{}-{}-{}", parts[0], &parts[2][..1], &self.hex[4..], parts[3], parts[4]);
        }
        let digits = id.bytes().filter(u8::is_ascii_digit).count();
        if digits >= 10 && id.chars().all(|char| char.is_ascii_digit() || "+-() ".contains(char)) {
            // A telephone number: its last seven digits.
            let mut own = self.digits.chars();
            let mut left = digits;
            let number = id.chars().map(|char| {
                let last = char.is_ascii_digit() && left <= 7;
                left -= usize::from(char.is_ascii_digit());
                if last { own.next().unwrap_or(char) } else { char }
            });
            return number.collect();
        }
        match id.split_once('@') {
            Some((name, host)) => format!("{name}+{}@{host}", self.hex),
            None => format!("{id}-{hex}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_their_form() {
        let run = Run { hex: "abcdef0".into(), digits: "1234567".into() };
        assert_eq!(run.id("a77e0c51-1111-4d1d-8b11-000000000201"), "a77e0c51-abcd-4ef0-8b11-000000000201");
        assert_eq!(run.id("+5501999999999"), "+5501991234567");
        assert_eq!(run.id("(11) 98765-4321"), "(11) 98123-4567");
        assert_eq!(run.id("1004"), "1004-abcd");
        assert_eq!(run.id("ana@example.com"), "ana+abcdef0@example.com");
    }

    #[test]
    fn it_is_daytime_somewhere() {
        let midnight: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
        for month in 0..12 {
            for quarter in 0..96 {
                let now = midnight + SignedDuration::from_hours(24 * 30 * month) + SignedDuration::from_mins(15 * quarter);
                assert!(daytime(now).is_some(), "{now}");
            }
        }
        assert_eq!(daytime("2026-03-02T15:00:00Z".parse().unwrap()).unwrap().1, HOME);
        assert_eq!(daytime("2026-03-02T02:00:00Z".parse().unwrap()).unwrap().1, "Asia/Dili");
    }
}
