//! What keeps a rule or an action from firing, in words.

use crate::condition::{Failure, Language};
use crate::path::Path;

/// What keeps a rule or an action from firing.
#[derive(Clone)]
pub(super) enum Hindrance<'h> {
    /// It is not switched on for the connection.
    Off,
    /// The clinic has an automation of its own.
    Replaced,
    /// It is another clinic's.
    Elsewhere,
    /// It led to the event itself.
    SecondLap,
    /// It is about events of other types.
    NotAbout { kind: &'h str, types: Vec<&'h str> },
    /// Events of this type cancel.
    Cancels { kind: &'h str },
    /// A condition does not hold.
    When(Failure<'h>),
    /// The event says nothing where its key, or the `by` of one of its windows, stands.
    Unnamed(&'static str, &'h Path),
}

/// Says that the event has nothing at the `path` of the key, or of the `by` of what is called `name`.
pub(crate) fn unnamed(name: &str, path: &Path, language: Language) -> String {
    let path = path.as_str();
    if name == "key" {
        return language.pick(format!("falta a sua chave, {path}"), format!("its key {path} is missing"));
    }
    language.pick(format!("falta o seu `{name}.by`, {path}"), format!("its `{name}.by` {path} is missing"))
}

impl Hindrance<'_> {
    pub(super) fn text(&self, language: Language) -> String {
        match self {
            Self::Off => language.pick("não está ligada para esta conexão", "it is not switched on for this connection").to_owned(),
            Self::Replaced => language
                .pick(
                    "a clínica tem uma automação própria, que vale em lugar desta",
                    "the clinic has an automation of its own, which stands in for this one",
                )
                .to_owned(),
            Self::Elsewhere => language.pick("está ligada só para outra clínica", "it is on for another clinic only").to_owned(),
            Self::SecondLap => language
                .pick("segunda volta: esta automação levou ao próprio evento", "a second lap: this automation led to the event itself")
                .to_owned(),
            Self::NotAbout { kind, types } if types.is_empty() => {
                language.pick(format!("não trata de {kind}"), format!("it is not about {kind}"))
            }
            Self::NotAbout { kind, types } => {
                let types = types.join(", ");
                language.pick(format!("não trata de {kind}, só de {types}"), format!("it is not about {kind}, but about {types}"))
            }
            Self::Cancels { kind } => {
                language.pick(format!("{kind} cancela, e não dispara nada"), format!("{kind} cancels, and fires nothing"))
            }
            Self::When(failure) => failure.why_in(language),
            Self::Unnamed(name, path) => unnamed(name, path, language),
        }
    }
}
