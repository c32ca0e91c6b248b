//! The filters and tests of templates.
//!
//! To add a filter: a function here, its name in [`FILTERS`], its line in [`add`], a test, and a line in `rules/README.md`.

use jiff::Timestamp;
use jiff::Zoned;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, State, Value, filters, tests};
use serde_json::json;

use super::Values;
use crate::time;

/// Every filter.
pub(super) const FILTERS: &[&str] = &[
    "date",
    "default",
    "first",
    "instant",
    "join",
    "last",
    "length",
    "local_time",
    "lower",
    "replace",
    "time",
    "title",
    "trim",
    "upper",
    "weekday",
];
/// Every test.
pub(super) const TESTS: &[&str] = &["defined", "undefined"];

const NOT_A_TIME: &str = "the value is not a date and time";
const NOT_A_ZONE: &str = "the value is not a time zone";
const NO_ZONE: &str = "there is no time zone: neither the filter nor the source names one";
/// What filters say for themselves: none of it shows a value.
pub(super) const OWN_ERRORS: [&str; 3] = [NOT_A_TIME, NOT_A_ZONE, NO_ZONE];

/// The context also carries what filters need to know. These names cannot be written in a template.
const ZONE: &str = " zone";
const CLINIC_ZONE: &str = " clinic_zone";
const LOCALE: &str = " locale";

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("default", filters::default);
    environment.add_filter("first", filters::first);
    environment.add_filter("join", filters::join);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("replace", filters::replace);
    environment.add_filter("title", filters::title);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("instant", instant);
    environment.add_filter("local_time", local_time);
    environment.add_filter("date", date);
    environment.add_filter("time", time_of_day);
    environment.add_filter("weekday", weekday);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
}

/// What a template sees.
pub(super) fn context(values: &Values<'_>) -> Value {
    let name = |zone: &TimeZone| zone.iana_name().map(str::to_owned);
    let mut names = values.names.clone();
    names.insert(ZONE.to_owned(), json!(name(values.zone)));
    names.insert(CLINIC_ZONE.to_owned(), json!(values.clinic_zone.and_then(name)));
    names.insert(LOCALE.to_owned(), json!(values.locale));
    Value::from(Serde(names))
}

/// The instant of a time of the payload, RFC 3339 in UTC.
fn instant(state: &State, value: String) -> Result<String, Error> {
    read(state, &value).map(|instant| instant.to_string())
}

/// `06/03/2026 às 10:00`, `6 March 2026 at 10:00`.
fn local_time(state: &State, value: String, zone: Option<&str>, locale: Option<&str>) -> Result<String, Error> {
    let local = local(state, &value, zone)?;
    Ok(if english(state, locale) {
        format!("{} at {}", local.strftime("%-d %B %Y"), local.strftime("%H:%M"))
    } else {
        local.strftime("%d/%m/%Y às %H:%M").to_string()
    })
}

/// `06/03/2026`, `6 March 2026`.
fn date(state: &State, value: String, zone: Option<&str>, locale: Option<&str>) -> Result<String, Error> {
    let local = local(state, &value, zone)?;
    Ok(local.strftime(if english(state, locale) { "%-d %B %Y" } else { "%d/%m/%Y" }).to_string())
}

/// `10:00`.
fn time_of_day(state: &State, value: String, zone: Option<&str>) -> Result<String, Error> {
    Ok(local(state, &value, zone)?.strftime("%H:%M").to_string())
}

/// `sexta-feira`, `Friday`.
fn weekday(state: &State, value: String, zone: Option<&str>, locale: Option<&str>) -> Result<String, Error> {
    let local = local(state, &value, zone)?;
    if english(state, locale) {
        return Ok(local.strftime("%A").to_string());
    }
    let day = match local.weekday() {
        Weekday::Monday => "segunda-feira",
        Weekday::Tuesday => "terça-feira",
        Weekday::Wednesday => "quarta-feira",
        Weekday::Thursday => "quinta-feira",
        Weekday::Friday => "sexta-feira",
        Weekday::Saturday => "sábado",
        Weekday::Sunday => "domingo",
    };
    Ok(day.to_owned())
}

/// Whether the words are to be English: as the filter is told, else as the rule's texts are.
fn english(state: &State, locale: Option<&str>) -> bool {
    match locale {
        Some(locale) => locale == "en",
        None => state.lookup(LOCALE).is_some_and(|locale| locale.as_str() == Some("en")),
    }
}

/// A time of the payload in the zone given, else in the clinic's.
fn local(state: &State, value: &str, zone: Option<&str>) -> Result<Zoned, Error> {
    let instant = read(state, value)?;
    let zone = match zone.filter(|zone| !zone.is_empty()) {
        Some(name) => time::zone(name).or_else(|| named(state, CLINIC_ZONE)).ok_or_else(|| failure(NOT_A_ZONE))?,
        None => named(state, CLINIC_ZONE).ok_or_else(|| failure(NO_ZONE))?,
    };
    Ok(instant.to_zoned(zone))
}

fn read(state: &State, value: &str) -> Result<Timestamp, Error> {
    let zone = named(state, ZONE).unwrap_or(TimeZone::UTC);
    time::instant(value, &zone).ok_or_else(|| failure(NOT_A_TIME))
}

fn named(state: &State, key: &str) -> Option<TimeZone> {
    state.lookup(key).as_ref().and_then(Value::as_str).and_then(time::zone)
}

fn failure(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}
