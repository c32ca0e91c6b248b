//! What rules ask about, and how widely: the kinds of conditions.

use serde_json::{Number, Value};

use super::conditions::{Condition, Test};
use super::dice::Dice;
use super::words::{CHANNELS, FIRST, INSURERS, KINDS, LAST, METHODS, PLANS, STATUS, TAGS, TENANCIES, TYPES, clinic, service_code, tenancy};

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Type,
    OneOfTypes,
    Status,
    OneOfStatus,
    Clinic,
    Tenancy,
    Plan,
    Channel,
    Method,
    Appointment,
    Amount,
    Name,
    Initial,
    Email,
    Insured,
    Insurer,
    Service,
    Tag,
}

/// What holds of many events.
pub(crate) const WIDE: [Kind; 8] =
    [Kind::OneOfTypes, Kind::OneOfStatus, Kind::Amount, Kind::Insured, Kind::Email, Kind::Method, Kind::Appointment, Kind::Plan];

/// What holds of some.
pub(crate) const MIDDLING: [Kind; 8] =
    [Kind::Type, Kind::Status, Kind::Tenancy, Kind::Channel, Kind::Tag, Kind::Insurer, Kind::Name, Kind::Initial];

impl Kind {
    pub(crate) fn condition(self, dice: &mut Dice) -> Condition {
        let equals = |text: &str| Test::Equals(Value::from(text));
        let contains = |text: &str| Test::Contains(Value::from(text));
        let (path, test) = match self {
            Self::Type => ("data.event_type", equals(dice.weighted(&TYPES))),
            Self::OneOfTypes => ("data.event_type", some(dice, &TYPES)),
            Self::Status => ("data.event_status", equals(dice.weighted(&STATUS))),
            Self::OneOfStatus => ("data.event_status", some(dice, &STATUS)),
            Self::Clinic => ("data.clinic.id", Test::Equals(Value::from(clinic(dice)))),
            Self::Tenancy => ("data.tenancy.id", equals(&tenancy(dice.between(0, TENANCIES)))),
            Self::Plan => ("data.tenancy.plan", equals(dice.one_of(&PLANS))),
            Self::Channel => ("data.channel", equals(dice.one_of(&CHANNELS))),
            Self::Method => ("data.payment.method", one_of(dice.sample(&METHODS, 2))),
            Self::Appointment => ("data.appointment.kind", equals(dice.one_of(&KINDS))),
            Self::Amount => ("data.payment.amount", range(dice)),
            Self::Name => ("data.patient.name", Test::StartsWith(beginning(dice))),
            Self::Initial => ("data.patient.name", Test::StartsWith(letters(dice.one_of(&FIRST), 1))),
            Self::Email => ("data.patient.email", Test::Exists(dice.chance(0.7))),
            Self::Insured => ("data.insurance.plan_id", Test::Exists(dice.chance(0.6))),
            Self::Insurer => ("data.insurance.provider", equals(dice.one_of(&INSURERS))),
            Self::Service => ("data.services.service_code", contains(&service_code(dice))),
            Self::Tag => ("data.tags", contains(dice.one_of(&TAGS))),
        };
        Condition::new(path, test)
    }
}

fn one_of(words: Vec<&str>) -> Test {
    Test::OneOf(words.into_iter().map(Value::from).collect())
}

/// Two to five of the words.
fn some(dice: &mut Dice, words: &[(&'static str, u64)]) -> Test {
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let count = dice.between(2, 6) as usize;
    one_of(dice.sample(&words, count))
}

/// Bounds of an amount of money.
fn range(dice: &mut Dice) -> Test {
    let cents = |amount: f64| Number::from_f64((amount * 100.0).round() / 100.0);
    let which = dice.unit();
    if which < 0.4 {
        Test::Range { gte: cents(dice.uniform(30.0, 800.0)), lt: None }
    } else if which < 0.7 {
        Test::Range { gte: None, lt: cents(dice.uniform(100.0, 1_500.0)) }
    } else {
        let least = dice.uniform(30.0, 600.0);
        Test::Range { gte: cents(least), lt: cents(least + dice.uniform(50.0, 900.0)) }
    }
}

/// The beginning of a person's name.
fn beginning(dice: &mut Dice) -> String {
    let first = dice.one_of(&FIRST);
    if dice.chance(0.6) {
        let count = dice.between(1, first.chars().count() as u64 + 1);
        return letters(first, count as usize);
    }
    format!("{first} {}", letters(dice.one_of(&LAST), 2))
}

fn letters(word: &str, count: usize) -> String {
    word.chars().take(count).collect()
}
