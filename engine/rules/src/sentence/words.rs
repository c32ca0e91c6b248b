//! What sentences share about their languages: nouns with their articles, verbs with their numbers, lists, durations.

use jiff::SignedDuration;
use serde_json::Value;

use crate::condition::Language;

/// No value of a rule is told longer, in characters.
const VALUE_MAX: usize = 80;

/// A thing as people call it, with its article: `o título`, `the phones`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Noun {
    pub(super) text: String,
    pub(super) form: Form,
}

/// What agrees with a noun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) feminine: bool,
    pub(super) plural: bool,
}

/// The verbs that sentences have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Be,
    /// `está`: how a thing is, and not what it is.
    Stay,
    Contain,
    Begin,
    End,
    Follow,
    Have,
    Fall,
    Change,
}

impl Form {
    /// Of a Portuguese noun: its article says it.
    pub(super) fn of(portuguese: &str) -> Self {
        match portuguese.split_whitespace().next() {
            Some("a" | "uma") => Self { feminine: true, plural: false },
            Some("os" | "uns") => Self { feminine: false, plural: true },
            Some("as" | "umas") => Self { feminine: true, plural: true },
            _ => Self::default(),
        }
    }

    /// The ending of a Portuguese adjective: `informad` + `as`.
    pub(super) fn ending(self) -> &'static str {
        match (self.feminine, self.plural) {
            (false, false) => "o",
            (true, false) => "a",
            (false, true) => "os",
            (true, true) => "as",
        }
    }
}

impl Verb {
    /// The verb, or its denial, for a subject of this form.
    pub(super) fn text(self, language: Language, form: Form, negated: bool) -> String {
        match language {
            Language::Portuguese => {
                let (one, many) = self.portuguese();
                format!("{}{}", if negated { "não " } else { "" }, if form.plural { many } else { one })
            }
            Language::English => self.english(form, negated),
        }
    }

    fn portuguese(self) -> (&'static str, &'static str) {
        match self {
            Self::Be => ("é", "são"),
            Self::Stay => ("está", "estão"),
            Self::Contain => ("contém", "contêm"),
            Self::Begin => ("começa", "começam"),
            Self::End => ("termina", "terminam"),
            Self::Follow => ("segue", "seguem"),
            Self::Have => ("tem", "têm"),
            Self::Fall => ("cai", "caem"),
            Self::Change => ("mudou", "mudaram"),
        }
    }

    fn english(self, form: Form, negated: bool) -> String {
        let (one, many) = match self {
            Self::Be | Self::Stay => {
                return format!("{}{}", if form.plural { "are" } else { "is" }, if negated { " not" } else { "" });
            }
            Self::Change => return (if negated { "did not change" } else { "changed" }).to_owned(),
            Self::Contain => ("contains", "contain"),
            Self::Begin => ("begins", "begin"),
            Self::End => ("ends", "end"),
            Self::Follow => ("follows", "follow"),
            Self::Have => ("has", "have"),
            Self::Fall => ("falls", "fall"),
        };
        match (negated, form.plural) {
            (true, true) => format!("do not {many}"),
            (true, false) => format!("does not {many}"),
            (false, true) => many.to_owned(),
            (false, false) => one.to_owned(),
        }
    }
}

/// A Portuguese preposition before a noun, drawn together with its article: `antes de` + `o título` = `antes do título`.
pub(super) fn drawn(preposition: &str, noun: &str) -> String {
    let (before, preposition) = preposition.rsplit_once(' ').map_or(("", preposition), |(before, last)| (before, last));
    let (article, rest) = noun.split_once(' ').unwrap_or(("", noun));
    let joined = match (preposition, article) {
        ("de", "o" | "a" | "os" | "as") => format!("d{article}"),
        ("em", "o" | "a" | "os" | "as") => format!("n{article}"),
        ("por", "o" | "a" | "os" | "as") => format!("pel{article}"),
        ("a", "o" | "os") => format!("a{article}"),
        ("a", "a") => "à".to_owned(),
        ("a", "as") => "às".to_owned(),
        (_, "") => preposition.to_owned(),
        _ => format!("{preposition} {article}"),
    };
    let before = if before.is_empty() { String::new() } else { format!("{before} ") };
    format!("{before}{joined} {rest}")
}

/// A thing that has been named before: `um agendamento é criado` becomes `o agendamento é criado`.
pub(super) fn definite(language: Language, said: &str) -> String {
    let (article, rest) = said.split_once(' ').unwrap_or((said, ""));
    let known = match (language, article) {
        (Language::Portuguese, "um") => "o",
        (Language::Portuguese, "uma") => "a",
        (Language::English, "a" | "an") => "the",
        _ => return said.to_owned(),
    };
    format!("{known} {rest}")
}

/// `a, b ou c`; with semicolons where a part has a list of its own that could be taken for the outer one.
pub(super) fn list(parts: &[String], word: &str) -> String {
    let has_list = |part: &String| !part.starts_with('(') && [", ", " ou ", " or "].iter().any(|mark| part.contains(mark));
    let nested = parts.len() > 1 && parts.iter().any(has_list);
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] if nested => format!("{}; {word} {last}", first.join("; ")),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

/// With a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// With a small letter, unless it begins with an abbreviation; without the full stop at its end.
pub(super) fn inner(text: &str) -> String {
    let text = text.trim().trim_end_matches('.');
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), second) if second.is_none_or(|second| !second.is_uppercase()) => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

/// In quotes, shortened where it is long.
pub(super) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(VALUE_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("“{shown}”")
}

/// A value of a rule.
pub(super) fn value(language: Language, value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Number(number) if language == Language::Portuguese => number.to_string().replace('.', ","),
        Value::Number(number) => number.to_string(),
        Value::Bool(true) => language.pick("verdadeiro", "true").to_owned(),
        Value::Bool(false) => language.pick("falso", "false").to_owned(),
        Value::Null => language.pick("nulo", "null").to_owned(),
        // In its own brackets, so that it is not taken for a text.
        Value::Array(_) | Value::Object(_) => quoted(&value.to_string()).replace(['“', '”'], ""),
    }
}

/// `24 horas`, `1 dia e 12 horas`. Up to a day it is told in hours.
pub(super) fn duration(language: Language, duration: SignedDuration) -> String {
    let seconds = duration.as_secs().unsigned_abs();
    let days = if seconds > 86_400 { seconds / 86_400 } else { 0 };
    let rest = seconds - days * 86_400;
    let units = [
        (days, language.pick("dia", "day")),
        (rest / 3_600, language.pick("hora", "hour")),
        (rest % 3_600 / 60, language.pick("minuto", "minute")),
        (rest % 60, language.pick("segundo", "second")),
    ];
    let told = units.iter().filter(|(amount, _)| *amount > 0);
    let told: Vec<String> = told.map(|(amount, unit)| format!("{amount} {unit}{}", if *amount == 1 { "" } else { "s" })).collect();
    if told.is_empty() { language.pick("0 segundos", "0 seconds").to_owned() } else { list(&told, language.pick("e", "and")) }
}
