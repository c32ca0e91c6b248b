//! Says why a clause keeps a condition from holding: the path and what is the matter with it, never a value.

use serde_json::Value;

use super::read::{Wanted, wanted};
use super::{Clause, Comparison, Documents, Failure, Spot, TestKind};

/// The language of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    Portuguese,
}

impl Language {
    /// That of a BCP 47 tag; Portuguese where there is no other.
    pub(crate) fn of(locale: &str) -> Self {
        if locale == "en" { Self::English } else { Self::Portuguese }
    }

    /// The one of two texts that is in this language.
    pub(crate) fn pick<T>(self, portuguese: T, english: T) -> T {
        match self {
            Self::English => english,
            Self::Portuguese => portuguese,
        }
    }
}

impl Failure<'_> {
    /// In English: `$.data.event_status is one of those excluded`, `patient $.phones[0] is missing`.
    pub fn why(&self) -> String {
        self.why_in(Language::English)
    }

    pub(crate) fn why_in(&self, language: Language) -> String {
        if let Some(spot) = self.too_much {
            let at = spot.name();
            return language.pick(format!("avaliar {at} exige processamento demais"), format!("{at} takes too much to evaluate"));
        }
        match self.missing {
            Some(spot) => format!("{} {}", spot.name(), language.pick("está faltando", "is missing")),
            None => {
                let (portuguese, english) = matter(&self.clause.test.kind, self.clause.test.negated != self.inverted);
                format!("{} {}", self.clause.at.name(), language.pick(portuguese, english))
            }
        }
    }
}

impl Spot {
    /// The path, and whose it is.
    pub fn name(&self) -> String {
        match &self.record {
            Some(record) => format!("{record} {}", self.path.as_str()),
            None => self.path.as_str().to_owned(),
        }
    }
}

impl Clause {
    /// What is wrong with the types of what stands there, where nothing of it could ever pass.
    pub(crate) fn wrong_type(&self, documents: &dyn Documents, language: Language) -> Option<String> {
        let wanted = match &self.test.kind {
            TestKind::Exists | TestKind::Missing | TestKind::IsNull | TestKind::Changed { .. } => return None,
            kind => wanted(kind, self.convert),
        };
        let convert = self.test.kind.converts(self.convert);
        let nodes = self.at.nodes(documents);
        let mut kinds: Vec<&str> = Vec::new();
        for node in nodes.iter() {
            if self.fits(node, documents) {
                return None;
            }
            kinds.push(kind_name(node, language));
        }
        kinds.dedup();
        let found = kinds.first()?;
        let wanted = match &self.test.kind {
            TestKind::Length(_) => language.pick("um texto, uma lista ou um objeto", "a text, a list or an object"),
            TestKind::Contains(_) => language.pick("uma lista ou um texto", "a list or a text"),
            TestKind::Within(_) => language.pick("uma data e hora", "a date and time"),
            TestKind::Equals(_) | TestKind::In(_) if convert.is_none() => {
                return Some(language.pick(
                    format!("é {found}, e o valor comparado é de outro tipo"),
                    format!("is {found}, and is compared with another type"),
                ));
            }
            _ => wanted.name_in(language),
        };
        Some(language.pick(format!("é {found}, e não {wanted}"), format!("is {found}, not {wanted}")))
    }
}

/// The type of a value, in words.
pub(super) fn kind_name(value: &Value, language: Language) -> &'static str {
    let (portuguese, english) = match value {
        Value::Null => ("nulo", "null"),
        Value::Bool(_) => ("verdadeiro ou falso", "true or false"),
        Value::Number(_) => ("um número", "a number"),
        Value::String(_) => ("um texto", "a text"),
        Value::Array(_) => ("uma lista", "a list"),
        Value::Object(_) => ("um objeto", "an object"),
    };
    language.pick(portuguese, english)
}

impl Wanted {
    /// In English, with an article.
    pub(super) fn kind_name(self) -> &'static str {
        self.name_in(Language::English)
    }

    fn name_in(self, language: Language) -> &'static str {
        match self {
            Self::Anything | Self::Scalar => language.pick("um texto, um número, verdadeiro ou falso", "a text, a number, true or false"),
            Self::Number => language.pick("um número", "a number"),
            Self::NumberText => language.pick("um número nem um texto que diga um", "a number or a text that says one"),
            Self::Text => language.pick("um texto", "a text"),
            Self::Date => language.pick("uma data", "a date"),
        }
    }
}

/// What is the matter where a test fails (`excluded`: where it holds and should not), in Portuguese and English.
fn matter(kind: &TestKind, excluded: bool) -> (&'static str, &'static str) {
    match (kind, excluded) {
        (TestKind::Exists, false) | (TestKind::Missing, true) => ("está faltando", "is missing"),
        (TestKind::Exists, true) | (TestKind::Missing, false) => ("está presente", "is there"),
        (TestKind::IsNull, false) => ("não é nulo", "is not null"),
        (TestKind::IsNull, true) => ("é nulo", "is null"),
        (TestKind::Equals(_), false) => ("não é o valor esperado", "is not the value wanted"),
        (TestKind::Equals(_), true) => ("é o valor excluído", "is the value excluded"),
        (TestKind::In(_), false) => ("não é nenhum dos esperados", "is none of those wanted"),
        (TestKind::In(_), true) => ("é um dos excluídos", "is one of those excluded"),
        (TestKind::Compare(comparison, _), false) => match comparison {
            Comparison::Equal => ("não é igual ao limite", "is not the same as its limit"),
            Comparison::Gt => ("não está acima do limite", "is not above its limit"),
            Comparison::Gte => ("não está no limite nem acima dele", "is not at or above its limit"),
            Comparison::Lt => ("não está abaixo do limite", "is not below its limit"),
            Comparison::Lte => ("não está no limite nem abaixo dele", "is not at or below its limit"),
        },
        (TestKind::Compare(comparison, _), true) => match comparison {
            Comparison::Equal => ("é igual ao limite", "is the same as its limit"),
            Comparison::Gt => ("está acima do limite", "is above its limit"),
            Comparison::Gte => ("está no limite ou acima dele", "is at or above its limit"),
            Comparison::Lt => ("está abaixo do limite", "is below its limit"),
            Comparison::Lte => ("está no limite ou abaixo dele", "is at or below its limit"),
        },
        (TestKind::Between(..), false) => ("não está entre os limites", "is not between its limits"),
        (TestKind::Between(..), true) => ("está entre os limites", "is between its limits"),
        (TestKind::Contains(_), false) => ("não contém o esperado", "does not contain what is wanted"),
        (TestKind::Contains(_), true) => ("contém o excluído", "contains what is excluded"),
        (TestKind::StartsWith(_), false) => ("não começa como esperado", "does not begin as wanted"),
        (TestKind::StartsWith(_), true) => ("começa como excluído", "begins as is excluded"),
        (TestKind::EndsWith(_), false) => ("não termina como esperado", "does not end as wanted"),
        (TestKind::EndsWith(_), true) => ("termina como excluído", "ends as is excluded"),
        (TestKind::Matches(_) | TestKind::Glob(_), false) => ("não segue o padrão esperado", "does not fit the pattern wanted"),
        (TestKind::Matches(_) | TestKind::Glob(_), true) => ("segue o padrão excluído", "fits the pattern excluded"),
        (TestKind::Length(_), false) => ("não tem o comprimento esperado", "is not of the length wanted"),
        (TestKind::Length(_), true) => ("tem o comprimento excluído", "is of the length excluded"),
        (TestKind::Before(_), false) => ("não é antes do limite", "is not before its limit"),
        (TestKind::Before(_), true) => ("é antes do limite", "is before its limit"),
        (TestKind::After(_), false) => ("não é depois do limite", "is not after its limit"),
        (TestKind::After(_), true) => ("é depois do limite", "is after its limit"),
        (TestKind::Within(_), false) => ("está fora do horário", "is outside of its hours"),
        (TestKind::Within(_), true) => ("está dentro do horário", "is inside of its hours"),
        (TestKind::Changed { .. }, false) => ("não mudou como esperado", "did not change as wanted"),
        (TestKind::Changed { .. }, true) => ("mudou", "changed"),
    }
}
