//! One clause: what stands at a path, and what an operator asks of it.

use super::conditions::Clause as Said;
use super::speaker::Speaker;
use super::words::{Form, Verb, drawn, list, quoted};
use crate::condition::{Clause, Comparison, Convert, Language, Pattern, Right, TestKind, Within, ZoneOfTime};
use serde_json::Value;

/// A predicate without its verb.
type Asked = (Verb, String);

/// No list of values is told further.
const VALUES_MAX: usize = 12;

impl Speaker<'_> {
    /// The clause; `inverted`: that it does not hold.
    pub(super) fn clause(&self, clause: &Clause, inverted: bool) -> Said {
        let negated = clause.test.negated != inverted;
        let noun = self.noun(&clause.at);
        let converted = match &clause.test.kind {
            TestKind::Before(_) | TestKind::After(_) => "",
            _ => self.converted(clause.convert),
        };
        // What is asked of the path as a whole, and not of each thing that stands there.
        let whole = matches!(clause.test.kind, TestKind::Missing | TestKind::Changed { .. }) || clause.at.path.is_singular();
        if whole {
            let predicate = self.predicate(clause, noun.form, negated);
            return Said { subject: noun.text + converted, predicate, shares: true };
        }
        let one = Form { plural: false, ..noun.form };
        let each = |some: &str| match (self.language, noun.form) {
            (Language::Portuguese, Form { plural: true, feminine }) => {
                let some = match (some, feminine) {
                    ("some", false) => "algum",
                    ("some", true) => "alguma",
                    ("none", false) => "nenhum",
                    ("none", true) => "nenhuma",
                    (_, false) => "cada um",
                    (_, true) => "cada uma",
                };
                format!("{some} {}", drawn("de", &noun.text))
            }
            (Language::Portuguese, _) => {
                let some = match some {
                    "some" => "algum valor",
                    "none" => "nenhum valor",
                    _ => "cada valor",
                };
                format!("{some} {}", drawn("de", &noun.text))
            }
            (Language::English, form) => {
                let some = match some {
                    "some" => "any",
                    "none" => "none",
                    _ => "each",
                };
                let values = if form.plural { "" } else { "the values of " };
                format!("{some} of {values}{}", noun.text)
            }
        };
        let one = if noun.form.plural { one } else { Form::default() };
        let predicate = self.predicate(clause, one, false);
        let (subject, shares) = match (clause.every, negated) {
            (false, false) => (each("some"), true),
            (false, true) => (each("none"), true),
            (true, false) => (each("each"), true),
            (true, true) => (format!("{} {}", self.pick("não é verdade que", "it is not so that"), each("each")), false),
        };
        Said { subject: subject + converted, predicate, shares }
    }

    fn converted(&self, convert: Option<Convert>) -> &'static str {
        match convert {
            None => "",
            Some(Convert::String) => self.pick(" (como texto)", " (as a text)"),
            Some(Convert::Number) => self.pick(" (como número)", " (as a number)"),
            Some(Convert::Date) => self.pick(" (como data)", " (as a date)"),
        }
    }

    fn predicate(&self, clause: &Clause, form: Form, negated: bool) -> String {
        let (verb, rest) = self.asked(clause, form, negated);
        let verb = verb.text(self.language, form, negated);
        if rest.is_empty() { verb } else { format!("{verb} {rest}") }
    }

    fn asked(&self, clause: &Clause, form: Form, negated: bool) -> Asked {
        let right = |right: &Right| self.right(right, &clause.at);
        let with = |portuguese: &str, english: &str, value: &Right| self.with(portuguese, english, &right(value));
        let moment = |portuguese: &str, english: &str, value: &Right| self.with(portuguese, english, &self.moment(value, clause));
        match &clause.test.kind {
            TestKind::Exists => (Verb::Stay, self.pick(format!("informad{}", form.ending()), "given".to_owned())),
            TestKind::Missing => (Verb::Stay, self.pick(if form.plural { "ausentes" } else { "ausente" }, "missing").to_owned()),
            TestKind::IsNull => (Verb::Be, self.pick(format!("nul{}", form.ending()), "null".to_owned())),
            TestKind::Equals(value) if clause.convert == Some(Convert::Date) => (Verb::Be, moment("em", "at", value)),
            TestKind::Equals(value @ Right::At(_)) => {
                (Verb::Be, self.pick(format!("{} {}", igual(form), with("a", "", value)), format!("the same as {}", right(value))))
            }
            TestKind::Equals(value) => (Verb::Be, right(value)),
            TestKind::In(values) => (Verb::Be, self.one_of(values, clause, negated)),
            TestKind::Compare(comparison, value) if clause.convert == Some(Convert::Date) => (
                Verb::Be,
                match comparison {
                    Comparison::Equal => moment("em", "at", value),
                    Comparison::Gt => moment("depois de", "after", value),
                    Comparison::Gte => moment("a partir de", "at or after", value),
                    Comparison::Lt => moment("antes de", "before", value),
                    Comparison::Lte => moment("até", "at or before", value),
                },
            ),
            TestKind::Compare(comparison, value) => {
                let (verb, portuguese, english) = compared(*comparison);
                (verb, with(portuguese, english, value))
            }
            TestKind::Between(low, high) if clause.convert == Some(Convert::Date) => {
                (Verb::Stay, self.between(&self.moment(low, clause), &self.moment(high, clause)))
            }
            TestKind::Between(low, high) => (Verb::Stay, self.between(&right(low), &right(high))),
            TestKind::Contains(value) => (Verb::Contain, right(value)),
            TestKind::StartsWith(value) => (Verb::Begin, with("com", "with", value)),
            TestKind::EndsWith(value) => (Verb::End, with("com", "with", value)),
            TestKind::Matches(pattern) => self.pattern(pattern),
            TestKind::Glob(pattern) => (Verb::Follow, format!("{} {}", self.pick("o modelo", "the form"), quoted(text_of(pattern)))),
            TestKind::Length(bounds) => {
                let bound = |(comparison, value): &(Comparison, Right)| {
                    let (_, portuguese, english) = compared(*comparison);
                    match comparison {
                        Comparison::Equal => right(value),
                        _ => with(portuguese, english, value),
                    }
                };
                let bounds: Vec<String> = bounds.iter().map(bound).collect();
                (Verb::Have, format!("{} {}", self.pick("comprimento", "a length of"), list(&bounds, self.pick("e", "and"))))
            }
            TestKind::Before(value) => (Verb::Be, moment("antes de", "before", value)),
            TestKind::After(value) => (Verb::Be, moment("depois de", "after", value)),
            TestKind::Within(within) => (Verb::Fall, self.within(within)),
            TestKind::Changed { from, to } => {
                let from = from.as_ref().map(|from| with("de", "from", from));
                let to = to.as_ref().map(|to| with("para", "to", to));
                (Verb::Change, from.into_iter().chain(to).collect::<Vec<_>>().join(" "))
            }
        }
    }

    fn one_of(&self, values: &[Right], clause: &Clause, negated: bool) -> String {
        if let [only @ (Right::At(_) | Right::Setting(_) | Right::Template(_))] = values {
            return self.with("um de", "one of", &self.right(only, &clause.at));
        }
        let mut told: Vec<String> = values.iter().take(VALUES_MAX).map(|value| self.right(value, &clause.at)).collect();
        match (values.len().checked_sub(VALUES_MAX).filter(|more| *more > 0), values.is_empty()) {
            (Some(more), _) => told.push(format!("{more} {}", self.pick("outros valores", "other values"))),
            (None, true) => return self.pick("um dos valores de uma lista vazia", "one of an empty list").to_owned(),
            (None, false) => {}
        }
        list(&told, if negated { self.pick("nem", "or") } else { self.pick("ou", "or") })
    }

    fn between(&self, low: &str, high: &str) -> String {
        format!("{} {low} {} {high}", self.pick("entre", "between"), self.pick("e", "and"))
    }

    /// A time: counted from the event where it says so, else as it stands.
    fn moment(&self, right: &Right, clause: &Clause) -> String {
        let Right::Literal(Value::String(text)) = right else { return self.right(right, &clause.at) };
        if text == "now" {
            return self.pick("o momento do evento", "the moment of the event").to_owned();
        }
        let counted = |rest: &str, portuguese: &str, english: &str| {
            let duration = super::words::duration(self.language, crate::time::duration(rest)?);
            Some(self.pick(format!("{duration} {portuguese} do evento"), format!("{duration} {english} the event")))
        };
        let relative = match (text.strip_prefix('+'), text.strip_prefix('-')) {
            (Some(rest), _) => counted(rest, "depois", "after"),
            (_, Some(rest)) => counted(rest, "antes", "before"),
            _ => None,
        };
        relative.unwrap_or_else(|| quoted(text))
    }

    /// Hours and days of the week.
    fn within(&self, within: &Within) -> String {
        let hour = |time: jiff::civil::Time| format!("{:02}:{:02}", time.hour(), time.minute());
        let hours = within.hours.map(|(from, to)| self.between(&hour(from), &hour(to)));
        let days: Vec<&str> = within.weekdays.iter().map(|day| day.name()).collect();
        let days: Vec<String> = days.into_iter().map(|day| self.day(day).to_owned()).collect();
        let days = (!days.is_empty()).then(|| format!("{} {}", self.pick("em", "on"), list(&days, self.pick("ou", "or"))));
        let zone = match &within.zone {
            ZoneOfTime::Clinic => self.pick("no horário da clínica", "in the clinic's time").to_owned(),
            ZoneOfTime::Fixed(zone) => self.zone(zone),
            ZoneOfTime::At(spot) => self.with("em", "in", &self.noun(spot).text),
        };
        hours.into_iter().chain(days).chain([zone]).collect::<Vec<_>>().join(" ")
    }

    /// A time zone by its name.
    pub(super) fn zone(&self, zone: &jiff::tz::TimeZone) -> String {
        format!("{} {}", self.pick("no horário de", "in the time of"), zone.iana_name().unwrap_or("UTC"))
    }

    fn day(&self, name: &str) -> &'static str {
        match name {
            "mon" => self.pick("segunda-feira", "Monday"),
            "tue" => self.pick("terça-feira", "Tuesday"),
            "wed" => self.pick("quarta-feira", "Wednesday"),
            "thu" => self.pick("quinta-feira", "Thursday"),
            "fri" => self.pick("sexta-feira", "Friday"),
            "sat" => self.pick("sábado", "Saturday"),
            _ => self.pick("domingo", "Sunday"),
        }
    }

    /// A regular expression: in words where it is one that people write for a simple thing.
    fn pattern(&self, pattern: &Pattern) -> Asked {
        let text = text_of(pattern);
        let (cased, bare) = text.strip_prefix("(?i)").map_or((true, text), |bare| (false, bare));
        let word = bare.strip_prefix(r"\b").and_then(|bare| bare.strip_suffix(r"\b"));
        match word.filter(|word| !word.is_empty() && word.chars().all(char::is_alphanumeric)) {
            _ if text == r"\d" => (Verb::Contain, self.pick("algum algarismo", "a digit").to_owned()),
            Some(word) if cased => (Verb::Contain, format!("{} {}", self.pick("a palavra", "the word"), quoted(word))),
            Some(word) => {
                let case = self.pick("sem distinguir maiúsculas", "in capitals too");
                (Verb::Contain, format!("{} {} ({case})", self.pick("a palavra", "the word"), quoted(word)))
            }
            None => (Verb::Follow, format!("{} {}", self.pick("o padrão", "the pattern"), quoted(text))),
        }
    }
}

/// `igual`, or of several things `iguais`.
fn igual(form: Form) -> &'static str {
    if form.plural { "iguais" } else { "igual" }
}

/// How a comparison of numbers is said: its verb, and what stands before the number.
fn compared(comparison: Comparison) -> (Verb, &'static str, &'static str) {
    match comparison {
        Comparison::Equal => (Verb::Be, "", ""),
        Comparison::Gt => (Verb::Stay, "acima de", "above"),
        Comparison::Gte => (Verb::Be, "no mínimo", "at least"),
        Comparison::Lt => (Verb::Stay, "abaixo de", "below"),
        Comparison::Lte => (Verb::Be, "no máximo", "at most"),
    }
}

fn text_of(pattern: &Pattern) -> &str {
    match pattern {
        Pattern::Fixed { text, .. } => text,
        Pattern::From(template) => template.text(),
    }
}
