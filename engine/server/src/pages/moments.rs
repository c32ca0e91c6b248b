//! Times as people of a clinic read them: in its zone, in the form of their language.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use zelo_rules::RuleSet;
use zelo_runtime::Connection;
use zelo_store::Store;

use super::words::Words;
use crate::App;
use crate::problem::Problem;

/// The zones of clinics: of its record, else what its source says, else UTC. Each is looked up once.
pub(crate) struct Zones<'a> {
    app: &'a App,
    found: Mutex<HashMap<(String, Option<String>), TimeZone>>,
}

impl<'a> Zones<'a> {
    pub(crate) fn new(app: &'a App) -> Self {
        Self { app, found: Mutex::default() }
    }

    /// The zone of a clinic of `connection`; of the connection, where there is none.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) async fn of(&self, connection: &str, clinic: Option<&str>) -> Result<TimeZone, Problem> {
        let place = (connection.to_owned(), clinic.map(str::to_owned));
        if let Some(zone) = self.found.lock().unwrap_or_else(PoisonError::into_inner).get(&place) {
            return Ok(zone.clone());
        }
        let zone = self.look_up(connection, clinic).await?;
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(place, zone.clone());
        Ok(zone)
    }

    /// The zone that the sources of all connections agree on, for what is of none of them; UTC where they do not.
    pub(crate) fn of_all(&self) -> TimeZone {
        let edition = self.app.runtime.rules.current();
        let mut said = self.app.runtime.connections.values().filter_map(|one| edition.rules.source(&one.source)?.clinic_timezone.clone());
        let first = said.next();
        first.filter(|first| said.all(|other| other == *first)).unwrap_or(TimeZone::UTC)
    }

    async fn look_up(&self, connection: &str, clinic: Option<&str>) -> Result<TimeZone, Problem> {
        let runtime = &self.app.runtime;
        let edition = runtime.rules.current();
        Ok(zone_of(runtime.store.as_ref(), &edition.rules, &runtime.connections, (connection, clinic)).await?)
    }
}

/// The zone of a clinic of a connection; of the connection, where there is no clinic.
///
/// # Errors
/// The store does not answer.
pub async fn zone_of(
    store: &dyn Store,
    rules: &RuleSet,
    connections: &HashMap<String, Connection>,
    (connection, clinic): (&str, Option<&str>),
) -> Result<TimeZone, zelo_store::Error> {
    if let Some(clinic) = clinic {
        let record = store.record_at(store.indexer().record(connection, "clinic", clinic)).await?;
        let named = record.as_ref().and_then(|record| record.document.get("timezone")?.as_str());
        if let Some(zone) = named.and_then(|name| TimeZone::get(name).ok()) {
            return Ok(zone);
        }
    }
    let said = connections.get(connection).and_then(|one| rules.source(&one.source)?.clinic_timezone.clone());
    Ok(said.unwrap_or(TimeZone::UTC))
}

/// To the minute, in `zone`.
pub(crate) fn in_words(words: &Words, instant: Timestamp, zone: &TimeZone) -> String {
    let form = if words.is_english() { "%Y-%m-%d %H:%M" } else { "%d/%m/%Y %H:%M" };
    instant.to_zoned(zone.clone()).strftime(form).to_string()
}

/// To the minute, in `zone`; the whole instant for programs.
pub(crate) fn moment(words: &Words, instant: Timestamp, zone: &TimeZone) -> Markup {
    html! { time datetime=(instant) { (in_words(words, instant, zone)) } }
}

/// What people call `zone`.
pub(crate) fn zone_name(zone: &TimeZone) -> String {
    let name = zone.iana_name().unwrap_or("UTC");
    let city = name.rsplit('/').next().unwrap_or(name);
    // The names of the database have no accents.
    const ACCENTED: [(&str, &str); 6] = [
        ("Sao_Paulo", "São Paulo"),
        ("Belem", "Belém"),
        ("Cuiaba", "Cuiabá"),
        ("Maceio", "Maceió"),
        ("Araguaina", "Araguaína"),
        ("Noronha", "Fernando de Noronha"),
    ];
    let known = ACCENTED.iter().find(|(plain, _)| *plain == city);
    known.map_or_else(|| city.replace('_', " "), |(_, told)| (*told).to_owned())
}

/// The hour and minute alone, in `zone`, where the day is said beside it.
pub(crate) fn hour(instant: Timestamp, zone: &TimeZone) -> Markup {
    html! { time datetime=(instant) { (instant.to_zoned(zone.clone()).strftime("%H:%M")) } }
}

/// When something was, in a sentence that is told at `now`: the hour alone, where that was today.
pub(crate) fn since(words: &Words, instant: Timestamp, now: Timestamp, zone: &TimeZone) -> Markup {
    let date = |instant: Timestamp| instant.to_zoned(zone.clone()).date();
    let (at, on) = if words.is_english() { ("at", "on") } else { ("às", "em") };
    html! { @if date(instant) == date(now) { (at) " " (hour(instant, zone)) } @else { (on) " " (moment(words, instant, zone)) } }
}

/// A day, with its weekday.
pub(crate) fn day(words: &Words, date: Date) -> Markup {
    let form = if words.is_english() { "%Y-%m-%d" } else { "%d/%m/%Y" };
    let weekday = words.weekdays[date.weekday().to_monday_zero_offset() as usize];
    html! { time datetime=(date) { (weekday) ", " (date.strftime(form)) } }
}

/// A number with its thousands apart: `12.345` in Portuguese, `12,345` in English.
pub(crate) fn number(words: &Words, number: u64) -> String {
    let digits = number.to_string();
    let apart = if words.is_english() { ',' } else { '.' };
    let mut told = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            told.push(apart);
        }
        told.push(digit);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::words::called;

    #[test]
    fn a_time_is_told_where_and_how_its_reader_lives() {
        let instant: Timestamp = "2026-03-02T02:30:00Z".parse().unwrap();
        let zone = TimeZone::get("America/Sao_Paulo").unwrap();
        let (portuguese, english) = (called("pt-BR").unwrap(), called("en").unwrap());
        assert_eq!(moment(portuguese, instant, &zone).0, "<time datetime=\"2026-03-02T02:30:00Z\">01/03/2026 23:30</time>");
        assert_eq!(moment(english, instant, &TimeZone::UTC).0, "<time datetime=\"2026-03-02T02:30:00Z\">2026-03-02 02:30</time>");
        assert_eq!(hour(instant, &zone).0, "<time datetime=\"2026-03-02T02:30:00Z\">23:30</time>");
        let date = instant.to_zoned(zone).date();
        assert_eq!(day(portuguese, date).0, "<time datetime=\"2026-03-01\">domingo, 01/03/2026</time>");
        assert_eq!(day(english, date).0, "<time datetime=\"2026-03-01\">Sunday, 2026-03-01</time>");
    }

    #[test]
    fn a_zone_is_called_as_people_call_it() {
        let told =
            ["America/Sao_Paulo", "America/Noronha", "America/Porto_Velho", "UTC"].map(|name| zone_name(&TimeZone::get(name).unwrap()));
        assert_eq!(told, ["São Paulo", "Fernando de Noronha", "Porto Velho", "UTC"]);
    }

    #[test]
    fn thousands_stand_apart() {
        let (portuguese, english) = (called("pt-BR").unwrap(), called("en").unwrap());
        let told = [0, 999, 1_000, 1_234_567].map(|count| (number(portuguese, count), number(english, count)));
        let told = told.iter().map(|(one, other)| (one.as_str(), other.as_str())).collect::<Vec<_>>();
        assert_eq!(told, [("0", "0"), ("999", "999"), ("1.000", "1,000"), ("1.234.567", "1,234,567")]);
    }
}
