//! A contact on the board: creates it, keeps it up to date, and moves it to another stage.

use serde::Deserialize;
use zelo_plugin::{Context, Failure, Outcome};

mod board;

use board::Board;

/// What `plugin.toml` describes under `[inputs]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    contact: String,
    name: Option<String>,
    phone: Option<String>,
    email: Option<String>,
    stage: Option<Stage>,
    note: Option<String>,
}

/// A column of the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stage {
    Lead,
    Registered,
    Scheduled,
    Attending,
    Attended,
    Canceled,
}

impl Stage {
    /// The word in inputs and records.
    fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Registered => "registered",
            Self::Scheduled => "scheduled",
            Self::Attending => "attending",
            Self::Attended => "attended",
            Self::Canceled => "canceled",
        }
    }

    /// What people call it.
    fn title(self, portuguese: bool) -> &'static str {
        if !portuguese {
            return self.as_str();
        }
        match self {
            Self::Lead => "novo contato",
            Self::Registered => "cadastrado",
            Self::Scheduled => "agendado",
            Self::Attending => "em atendimento",
            Self::Attended => "atendido",
            Self::Canceled => "cancelado",
        }
    }
}

/// What is known of a contact before anything is written.
struct Known {
    /// The word of its stage, as the CRM has it.
    stage: Option<String>,
}

/// What becomes of a contact. What is `None` stays as it is.
struct Change<'a> {
    name: Option<&'a str>,
    phone: Option<&'a str>,
    email: Option<&'a str>,
    stage: Option<Stage>,
    /// When the contact was last heard of, RFC 3339.
    last_contact: &'a str,
    note: Option<&'a str>,
}

/// Where contacts are kept. Another CRM is another of these.
trait Crm {
    /// What it knows of a contact; none: there is no such contact.
    fn find(&self, contact: &str) -> Result<Option<Known>, Failure>;

    /// Writes, and creates the contact where there is none.
    fn write(&self, contact: &str, change: Change<'_>) -> Result<(), Failure>;
}

/// Writes the contact.
///
/// # Errors
/// The host refuses it, for good.
pub fn run(input: Input, context: &Context) -> Result<Outcome, Failure> {
    apply(&Board, &input, context)
}

zelo_plugin::export!(run);

fn apply(crm: &impl Crm, input: &Input, context: &Context) -> Result<Outcome, Failure> {
    let known = crm.find(&input.contact)?;
    let change = Change {
        name: given(input.name.as_ref()),
        phone: given(input.phone.as_ref()),
        email: given(input.email.as_ref()),
        stage: input.stage,
        last_contact: &context.event.time,
        note: given(input.note.as_ref()),
    };
    crm.write(&input.contact, change)?;

    let portuguese = context.language() == "pt";
    let stage = input.stage.map(|stage| stage.title(portuguese));
    let moved = input.stage.is_some_and(|stage| known.as_ref().is_none_or(|known| known.stage.as_deref() != Some(stage.as_str())));
    let (code, words) = match (known.is_some(), moved) {
        (false, _) => ("created", if portuguese { "Contato criado" } else { "Contact created" }),
        (true, true) => ("moved", if portuguese { "Contato movido para" } else { "Contact moved to" }),
        (true, false) => ("updated", if portuguese { "Contato atualizado" } else { "Contact updated" }),
    };
    let summary = match stage.filter(|_| moved) {
        Some(stage) => format!("{words}: {stage}"),
        None => words.to_owned(),
    };
    Ok(Outcome::new(code, summary))
}

/// What is empty is not given: it must not wipe what is known.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use zelo_plugin::testing::{Run, Setup, context};

    use super::*;

    fn with(stage: &str) -> Setup {
        Setup::new().record("contact", "p-17", json!({ "name": "Marina", "stage": stage }))
    }

    fn ended(run: &Run) -> (&str, &str) {
        let outcome = run.outcome();
        (&outcome.code, &outcome.summary)
    }

    #[test]
    fn a_new_contact_is_created() {
        let input = json!({ "contact": "p-17", "name": "Marina", "phone": "(11) 98765-4321", "email": null, "stage": "registered" });
        let run = Run::of(super::run, input);
        assert_eq!(ended(&run), ("created", "Contato criado: cadastrado"));
        let [edit] = &run.records[..] else { panic!("one edit") };
        assert_eq!((edit.record.as_str(), edit.id.as_str()), ("contact", "p-17"));
        let expected =
            json!({ "name": "Marina", "phone": "(11) 98765-4321", "stage": "registered", "last_contact": "2026-03-02T11:59:58Z" });
        assert_eq!(Value::Object(edit.set.clone()), expected, "and nothing of what was not given");
        assert!(edit.append.is_empty());
    }

    #[test]
    fn a_known_contact_is_moved() {
        let run = with("registered").run(super::run, json!({ "contact": "p-17", "stage": "scheduled", "note": "Consulta em 06/03" }));
        assert_eq!(ended(&run), ("moved", "Contato movido para: agendado"));
        assert_eq!(run.records[0].append["notes"], "Consulta em 06/03");
        assert_eq!(run.records[0].set.len(), 2, "stage and last contact");
    }

    #[test]
    fn a_contact_that_stands_there_already_is_updated() {
        let run = with("scheduled").run(super::run, json!({ "contact": "p-17", "stage": "scheduled", "email": "m@example.com" }));
        assert_eq!(ended(&run), ("updated", "Contato atualizado"));
        assert_eq!((&run.records[0].set["stage"], &run.records[0].set["email"]), (&json!("scheduled"), &json!("m@example.com")));
        let run = with("scheduled").run(super::run, json!({ "contact": "p-17", "note": "Ligou" }));
        assert_eq!(ended(&run), ("updated", "Contato atualizado"));
    }

    #[test]
    fn what_is_empty_wipes_nothing() {
        let run = with("lead").run(super::run, json!({ "contact": "p-17", "name": "", "phone": " ", "note": "" }));
        assert_eq!(run.records[0].set.keys().collect::<Vec<_>>(), ["last_contact"]);
        assert!(run.records[0].append.is_empty());
    }

    #[test]
    fn a_contact_without_a_stage_is_created_too() {
        assert_eq!(ended(&Run::of(super::run, json!({ "contact": "p-18" }))), ("created", "Contato criado"));
    }

    #[test]
    fn every_stage_has_a_name_in_both_languages() {
        for (word, portuguese) in [
            ("lead", "novo contato"),
            ("registered", "cadastrado"),
            ("scheduled", "agendado"),
            ("attending", "em atendimento"),
            ("attended", "atendido"),
            ("canceled", "cancelado"),
        ] {
            let input = json!({ "contact": "p-17", "stage": word });
            let run = with("elsewhere").run(super::run, &input);
            assert_eq!(ended(&run), ("moved", format!("Contato movido para: {portuguese}").as_str()));
            let english = Setup { context: Context { locale: "en".into(), ..context() }, ..with("elsewhere") };
            assert_eq!(ended(&english.run(super::run, &input)), ("moved", format!("Contact moved to: {word}").as_str()));
            assert_eq!(run.records[0].set["stage"], word);
        }
    }

    #[test]
    fn what_does_not_fit_ends_for_good() {
        let failure = |input: Value| Run::of(super::run, input).failure().clone();
        assert!(failure(json!({ "contact": "1", "stage": "won" })).to_string().contains("unknown variant `won`"));
        assert!(failure(json!({ "contact": "1", "fax": "2" })).to_string().contains("unknown field `fax`"));
        assert!(matches!(failure(json!({})), Failure::Permanent { .. }));
    }
}
