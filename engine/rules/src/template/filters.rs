//! The filters and tests of templates.
//!
//! To add a filter: a function here, its name in [`FILTERS`], its line in [`add`], a test, and a line in `rules/README.md`.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use jiff::Timestamp;
use jiff::Zoned;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters, tests};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::{OUTPUT_MAX, Values};
use crate::forms::{self, Unfit};
use crate::time;

/// Every filter.
pub(super) const FILTERS: &[&str] = &[
    "cnpj",
    "cpf",
    "currency",
    "date",
    "default",
    "digits",
    "first",
    "first_name",
    "instant",
    "join",
    "last",
    "length",
    "local_time",
    "lower",
    "phone_e164",
    "plural",
    "replace",
    "time",
    "title",
    "trim",
    "upper",
    "urlencode",
    "weekday",
];
/// Every test.
pub(super) const TESTS: &[&str] = &["defined", "undefined"];

/// The context also carries what filters need to know. These names cannot be written in a template.
const ZONE: &str = " zone";
const CLINIC_ZONE: &str = " clinic_zone";
const LOCALE: &str = " locale";

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("default", filters::default);
    environment.add_filter("first", first);
    environment.add_filter("join", join);
    environment.add_filter("last", last);
    environment.add_filter("length", length);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("replace", replace);
    environment.add_filter("title", filters::title);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("urlencode", urlencode);
    environment.add_filter("currency", currency);
    environment.add_filter("plural", plural);
    environment.add_filter("first_name", first_name);
    environment.add_filter("digits", digits);
    environment.add_filter("phone_e164", phone_e164);
    environment.add_filter("cpf", cpf);
    environment.add_filter("cnpj", cnpj);
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

/// `R$ 1.234,50`, `R$1,234.50`.
fn currency(state: &State, value: &Value, code: Option<&str>, locale: Option<&str>) -> Result<String, Error> {
    let amount = number(value)?.ok_or_else(|| unfit(Unfit::Amount))?;
    forms::money(&amount, code.unwrap_or("BRL"), english(state, locale)).map_err(unfit)
}

/// The word for as many: `consulta`, `consultas`.
fn plural(state: &State, value: &Value, one: &str, other: &str, locale: Option<&str>) -> Result<String, Error> {
    let count = match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => value.len().map(|length| length.to_string().into()),
        _ => number(value)?,
    };
    let count = count.ok_or_else(|| unfit(Unfit::Count))?;
    forms::plural(&count, one, other, english(state, locale)).map(str::to_owned).map_err(unfit)
}

fn first_name(value: &Value) -> Result<String, Error> {
    forms::first_name(&text(value)?).map(str::to_owned).map_err(unfit)
}

fn digits(value: &Value) -> Result<String, Error> {
    forms::digits(&text(value)?).map_err(unfit)
}

/// What stands for a text in a URL: all but the unreserved characters encoded
/// ([RFC 3986, 2.3](https://www.rfc-editor.org/rfc/rfc3986#section-2.3)), so that it can be a segment or a value and nothing more.
fn urlencode(value: &Value) -> Result<String, Error> {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    let text = text(value)?;
    // Alone in a segment these would mean a folder, and all that is in it, however they are encoded.
    if matches!(text.as_ref(), "" | "." | "..") {
        return Err(unfit(Unfit::Text));
    }
    Ok(utf8_percent_encode(text.as_ref(), RESERVED).to_string())
}

/// `+5511987654321`.
fn phone_e164(value: &Value, country: Option<&str>) -> Result<String, Error> {
    forms::phone_e164(&text(value)?, country.unwrap_or("BR")).map_err(unfit)
}

/// `529.982.247-25`.
fn cpf(value: &Value) -> Result<String, Error> {
    forms::cpf(&text(value)?).map_err(unfit)
}

/// `12.ABC.345/01DE-35`.
fn cnpj(value: &Value) -> Result<String, Error> {
    forms::cnpj(&text(value)?).map_err(unfit)
}

/// minijinja's, of what there is.
fn first(value: &Value) -> Result<Value, Error> {
    filters::first(present(value)?)
}

/// minijinja's, of what there is.
fn last(value: &Value) -> Result<Value, Error> {
    filters::last(present(value)?.clone())
}

/// minijinja's, of what there is.
fn length(value: &Value) -> Result<usize, Error> {
    filters::length(present(value)?)
}

/// minijinja's, with an end: a long separator and a long list would make a text of their product.
fn join(value: &Value, joiner: Option<Cow<'_, str>>) -> Result<String, Error> {
    let mut joined = Bounded(String::new());
    for (nth, item) in present(value)?.try_iter()?.enumerate() {
        let separator = joiner.as_deref().filter(|_| nth > 0).unwrap_or_default();
        write!(joined, "{separator}{item}").map_err(|_| unfit(Unfit::TooLong))?;
    }
    Ok(joined.0)
}

/// minijinja's, with an end, for the same reason.
fn replace(value: Cow<'_, str>, from: Cow<'_, str>, to: Cow<'_, str>) -> Result<String, Error> {
    let mut replaced = Bounded(String::new());
    for (nth, piece) in value.split(&*from).enumerate() {
        let to = if nth > 0 { &*to } else { "" };
        write!(replaced, "{to}{piece}").map_err(|_| unfit(Unfit::TooLong))?;
    }
    Ok(replaced.0)
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
        // What a record says may be no zone; what a rule says was checked when it was loaded.
        Some(name) => time::zone(name).or_else(|| named(state, CLINIC_ZONE)).ok_or_else(|| unfit(Unfit::Zone))?,
        None => named(state, CLINIC_ZONE).ok_or_else(|| unfit(Unfit::NoZone))?,
    };
    Ok(instant.to_zoned(zone))
}

fn read(state: &State, value: &str) -> Result<Timestamp, Error> {
    let zone = named(state, ZONE).unwrap_or(TimeZone::UTC);
    time::instant(value, &zone).ok_or_else(|| unfit(Unfit::Time))
}

fn named(state: &State, key: &str) -> Option<TimeZone> {
    state.lookup(key).as_ref().and_then(Value::as_str).and_then(time::zone)
}

/// A value that is there: an absent one is missing, not unfit.
fn present(value: &Value) -> Result<&Value, Error> {
    if value.is_undefined() { Err(ErrorKind::UndefinedError.into()) } else { Ok(value) }
}

/// A text, or an integer as its digits.
fn text(value: &Value) -> Result<Cow<'_, str>, Error> {
    match (value.as_str(), present(value)?.kind()) {
        (Some(text), _) => Ok(Cow::Borrowed(text)),
        (None, ValueKind::Number) if value.is_integer() => Ok(Cow::Owned(value.to_string())),
        _ => Err(unfit(Unfit::Text)),
    }
}

/// The decimal digits of a number, or a text, which may have some.
fn number(value: &Value) -> Result<Option<Cow<'_, str>>, Error> {
    match (value.as_str(), present(value)?.kind()) {
        (Some(text), _) => Ok(Some(Cow::Borrowed(text))),
        // Of a float, the shortest digits that mean it; never an exponent.
        (None, ValueKind::Number) => Ok(Some(Cow::Owned(value.to_string()))),
        _ => Ok(None),
    }
}

/// An error that says what it is, because it shows no value.
fn unfit(unfit: Unfit) -> Error {
    Error::new(ErrorKind::InvalidOperation, "unfit").with_source(unfit)
}

/// Takes text up to a limit.
struct Bounded(String);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > OUTPUT_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}
