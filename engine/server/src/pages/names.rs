//! What codes are called: types of things, of records and of their fields, the actions of rules, channels. One table for all pages, in both
//! languages; what has no words in it is told as it is.

use jiff::tz::TimeZone;
use maud::{Markup, html};
use zelo_core::Job;
use zelo_core::job::Reason;
use zelo_rules::RuleSet;
use zelo_runtime::Waits;

use super::moments::in_words;
use super::places::phone;
use super::visit::Visit;
use super::words::Words;
use crate::access::Role;

/// A code, and what it is called in Portuguese and in English.
type Name = (&'static str, &'static str, &'static str);

/// Types of things that events are about, and of records.
const THINGS: [Name; 45] = [
    ("account", "conta", "account"),
    ("appointment", "consulta", "appointment"),
    ("attendance", "atendimento", "attendance"),
    ("calendar", "agenda", "calendar"),
    ("call", "ligação", "call"),
    ("channel", "canal", "channel"),
    ("charge", "cobrança", "charge"),
    ("chargeback", "contestação", "chargeback"),
    ("checkout", "compra", "checkout"),
    ("client", "cliente", "client"),
    ("clinic", "clínica", "clinic"),
    ("contact", "contato", "contact"),
    ("customer", "cliente", "customer"),
    ("document", "documento", "document"),
    ("event", "evento", "event"),
    ("form_response", "formulário", "form"),
    ("group", "grupo", "group"),
    ("invitee", "convidado", "invitee"),
    ("invoice", "fatura", "invoice"),
    ("issue", "chamado", "issue"),
    ("lead", "novo contato", "lead"),
    ("message", "mensagem", "message"),
    ("note", "anotação", "note"),
    ("order", "pedido", "order"),
    ("patient", "paciente", "patient"),
    ("payment", "pagamento", "payment"),
    ("person", "pessoa", "person"),
    ("product", "produto", "product"),
    ("professional", "profissional", "professional"),
    ("pull_request", "proposta de mudança", "pull request"),
    ("record", "registro", "record"),
    ("refund", "estorno", "refund"),
    ("release", "versão", "release"),
    ("repository", "repositório", "repository"),
    ("sale", "venda", "sale"),
    ("service", "serviço", "service"),
    ("session", "sessão", "session"),
    ("shop", "loja", "shop"),
    ("subscription", "assinatura", "subscription"),
    ("team", "equipe", "team"),
    ("template", "modelo", "template"),
    ("ticket", "chamado", "ticket"),
    ("transaction", "transação", "transaction"),
    ("user", "usuário", "user"),
    ("visit", "visita", "visit"),
];

/// What people call a type beside its name: a word for the search.
const ALSO: [(&str, &str); 13] = [
    ("appointment", "agendamento"),
    ("appointment", "marcação"),
    ("attendance", "visita"),
    ("customer", "comprador"),
    ("customer", "paciente"),
    ("invoice", "boleto"),
    ("invoice", "nota"),
    ("lead", "contato"),
    ("lead", "interessado"),
    ("order", "venda"),
    ("payment", "cobrança"),
    ("professional", "médico"),
    ("transaction", "pagamento"),
];

/// The actions of rules, by the names that jobs have.
const ACTIONS: [Name; 18] = [
    ("alert", "avisar a equipe", "alert"),
    ("ask", "perguntar", "ask"),
    ("attend", "pôr em atendimento", "attend"),
    ("attended", "concluir o atendimento", "attended"),
    ("cancel", "cancelar", "cancel"),
    ("card", "fazer o cartão", "card"),
    ("confirm", "confirmar", "confirm"),
    ("greet", "dar as boas-vindas", "greet"),
    ("issue", "emitir", "issue"),
    ("move", "mover", "move"),
    ("notify", "avisar", "notify"),
    ("register", "cadastrar", "register"),
    ("remind", "lembrar", "remind"),
    ("reply", "responder", "reply"),
    ("schedule", "pôr na agenda", "schedule"),
    ("send", "enviar", "send"),
    ("tell", "avisar", "tell"),
    ("update", "atualizar", "update"),
];

/// The fields of records.
const FIELDS: [Name; 32] = [
    ("active", "em uso", "active"),
    ("address", "endereço", "address"),
    ("addresses", "endereços", "addresses"),
    ("amount", "valor", "amount"),
    ("birthday", "data de nascimento", "birthday"),
    ("clinic", "clínica", "clinic"),
    ("clinic_tz", "fuso horário da clínica", "time zone of the clinic"),
    ("closed", "encerrado", "closed"),
    ("cnpj", "CNPJ", "CNPJ"),
    ("cpf", "CPF", "CPF"),
    ("document", "CPF", "CPF"),
    ("email", "e-mail", "e-mail"),
    ("first_name", "nome", "first name"),
    ("id", "código", "id"),
    ("instant", "horário", "time"),
    ("last_contact", "último contato", "last contact"),
    ("last_name", "sobrenome", "last name"),
    ("name", "nome", "name"),
    ("notes", "anotações", "notes"),
    ("patient", "paciente", "patient"),
    ("phone", "telefone", "phone"),
    ("phones", "telefone", "phone"),
    ("price", "preço", "price"),
    ("prices", "preços", "prices"),
    ("role", "função", "role"),
    ("service_hours", "horário de atendimento", "service hours"),
    ("services", "serviços", "services"),
    ("stage", "etapa", "stage"),
    ("starts_at", "início", "start"),
    ("timezone", "fuso horário", "time zone"),
    ("value", "valor", "amount"),
    ("whatsapp", "WhatsApp", "WhatsApp"),
];

/// The channels that messages go through.
const CHANNELS: [Name; 4] =
    [("email", "e-mail", "e-mail"), ("outbox", "caixa de saída", "outbox"), ("sms", "SMS", "SMS"), ("whatsapp", "WhatsApp", "WhatsApp")];

/// What people may do.
const ROLES: [Name; 5] = [
    ("admin", "administração", "admin"),
    ("approver", "aprovação", "approver"),
    ("integrator", "integração", "integrator"),
    ("operator", "operação", "operator"),
    ("viewer", "leitura", "viewer"),
];

/// What consents are given to.
const TOPICS: [Name; 1] = [("messages", "mensagens", "messages")];

fn told<'c>(names: &[Name], words: &Words, code: &'c str) -> Option<&'c str> {
    names.iter().find(|(known, ..)| *known == code).map(|(_, portuguese, english)| if words.is_english() { *english } else { *portuguese })
}

/// What a type of things or records is called, in small letters.
pub(crate) fn thing<'c>(words: &Words, kind: &'c str) -> &'c str {
    told(&THINGS, words, kind).unwrap_or(kind)
}

/// What a consent is about.
pub(crate) fn topic<'c>(words: &Words, topic: &'c str) -> &'c str {
    told(&TOPICS, words, topic).unwrap_or(topic)
}

/// One thing by its type and id: `Consulta 12`. Some are known by a phone number.
pub(crate) fn one(words: &Words, kind: &str, id: &str) -> String {
    format!("{} {}", capital(thing(words, kind)), phone(id))
}

/// What the action of a rule is called.
pub(crate) fn action<'c>(words: &Words, action: &'c str) -> &'c str {
    told(&ACTIONS, words, action).unwrap_or(action)
}

/// What a field of records is called, in small letters.
pub(crate) fn field<'c>(words: &Words, field: &'c str) -> &'c str {
    told(&FIELDS, words, field).unwrap_or(field)
}

/// What a channel is called.
pub(crate) fn channel<'c>(words: &Words, channel: &'c str) -> &'c str {
    told(&CHANNELS, words, channel).unwrap_or(channel)
}

/// What a role is called.
pub(crate) fn role<'c>(words: &Words, role: &'c str) -> &'c str {
    told(&ROLES, words, role).unwrap_or(role)
}

/// Whether `word`, as somebody typed it, means things of type `kind`: its code, or what it is called in any language, whatever its
/// accents and capitals.
pub(crate) fn means(kind: &str, word: &str) -> bool {
    let word = plain(word);
    let also = ALSO.iter().filter(|(known, _)| *known == kind).map(|(_, also)| *also);
    let called = THINGS.iter().filter(|(known, ..)| *known == kind).flat_map(|(_, portuguese, english)| [*portuguese, *english]);
    std::iter::once(kind).chain(called).chain(also).any(|name| plain(name) == word)
}

/// A word without accents and capitals.
fn plain(text: &str) -> String {
    let letter = |letter: char| match letter {
        'á' | 'à' | 'â' | 'ã' | 'ä' => 'a',
        'é' | 'è' | 'ê' => 'e',
        'í' => 'i',
        'ó' | 'ô' | 'õ' | 'ö' => 'o',
        'ú' | 'ü' => 'u',
        'ç' => 'c',
        other => other,
    };
    // An accent may be a sign of its own, after its letter.
    text.trim().chars().flat_map(char::to_lowercase).filter(|letter| !('\u{300}'..='\u{36f}').contains(letter)).map(letter).collect()
}

/// `text` with a capital at its beginning.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What a rule is called; its id where it is gone.
pub(crate) fn rule(rules: &RuleSet, words: &Words, rule: &str) -> String {
    rules.rule(rule).and_then(|found| found.title.get(words.lang)).map_or_else(|| rule.to_owned(), Clone::clone)
}

/// What the action of a job is called: by its name, else by what it is for.
pub(crate) fn action_of(visit: &Visit, job: &Job) -> String {
    if let Some(told) = told(&ACTIONS, visit.words, &job.action) {
        return told.to_owned();
    }
    let edition = visit.app.runtime.rules.current();
    let purpose = edition.in_force.action(&job.automation, &job.action).and_then(|action| action.purpose()?.get(visit.words.lang).cloned());
    purpose.unwrap_or_else(|| job.action.clone())
}

/// A code as those who write rules know it, small; nothing for others, who read words.
pub(crate) fn code(visit: &Visit, code: &str) -> Markup {
    html! { @if visit.who.role >= Role::Integrator { small { code { (code) } } } }
}

/// The code and the exact text of a reason, for those who write rules, where the page tells it in other words.
pub(crate) fn exact(visit: &Visit, reason: &Reason) -> Markup {
    html! { @if visit.who.role >= Role::Integrator { br; small lang="en" { code { (reason.code) ": " (reason.text) } } } }
}

/// What keeps a job that is ready, as a sentence; times in `zone`.
pub(crate) fn waits(words: &Words, rules: &RuleSet, waits: &Waits, zone: &TimeZone) -> String {
    let scope = waits.scope.as_deref().map(|scope| scoped(words, rules, scope)).unwrap_or_default();
    match (waits.limit, waits.since) {
        (Some(limit), _) if words.is_english() => format!("waits: limit of {scope} ({limit} at once)"),
        (Some(limit), _) => format!("espera: limite de {scope} ({limit} ao mesmo tempo)"),
        (None, Some(since)) => {
            let reason = waits.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            let (by, since) = (super::audit::actor(words, waits.by.as_deref().unwrap_or_default()), in_words(words, since, zone));
            match words.is_english() {
                true => format!("waits: {scope} halted since {since} by {by}{reason}"),
                false => format!("espera: {scope} com parada desde {since} por {by}{reason}"),
            }
        }
        (None, None) if words.is_english() => "waits for an earlier job about the same thing".to_owned(),
        (None, None) => "espera uma tarefa anterior sobre a mesma coisa".to_owned(),
    }
}

/// What is halted or has no room, in words.
fn scoped(words: &Words, rules: &RuleSet, scope: &str) -> String {
    match scope.split_once(':') {
        Some(("rule", name)) => format!("“{}”", rule(rules, words, name)),
        Some(("action", name)) => {
            let (of, name) = name.split_once('/').unwrap_or((name, ""));
            format!("“{}” · {}", rule(rules, words, of), action(words, name))
        }
        _ => zelo_runtime::waits::named(scope, words.is_english()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::words::called;

    #[test]
    fn codes_are_told_in_the_language_of_the_page() {
        let (portuguese, english) = (called("pt-BR").unwrap(), called("en").unwrap());
        assert_eq!(
            (one(portuguese, "appointment", "12"), one(english, "appointment", "12")),
            ("Consulta 12".into(), "Appointment 12".into())
        );
        assert_eq!(one(portuguese, "clinic", "9"), "Clínica 9");
        assert_eq!(one(portuguese, "lead", "+5511987654321"), "Novo contato (11) 98765-4321");
        assert_eq!((channel(portuguese, "outbox"), channel(english, "outbox")), ("caixa de saída", "outbox"));
        assert_eq!((action(portuguese, "remind"), field(portuguese, "phones")), ("lembrar", "telefone"));
        let unknown = [thing(portuguese, "robot"), action(portuguese, "robot"), field(portuguese, "robot"), channel(portuguese, "robot")];
        assert_eq!(unknown, ["robot"; 4]);
    }

    #[test]
    fn every_type_that_a_source_of_ours_names_has_words() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules/sources");
        let mut kinds = Vec::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for line in text.lines().filter(|line| line.starts_with("entity")) {
                kinds.extend(line.split_once("type = \"").and_then(|(_, rest)| rest.split('"').next()).map(str::to_owned));
            }
        }
        assert!(kinds.len() > 50, "{kinds:?}");
        let missing: Vec<&String> = kinds.iter().filter(|kind| !THINGS.iter().any(|(known, ..)| known == kind)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!([&THINGS[..], &ACTIONS, &FIELDS, &CHANNELS].iter().all(|names| names.is_sorted_by(|one, other| one.0 < other.0)));
    }

    #[test]
    fn every_action_of_our_rules_has_words() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../rules/automations");
        let mut actions = Vec::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let of_rule = text.split("[[test]]").next().unwrap();
            actions.extend(of_rule.split("[[then]]\nname").skip(1).filter_map(|part| Some(part.split('"').nth(1)?.to_owned())));
        }
        assert!(actions.len() > 8, "{actions:?}");
        let missing: Vec<&String> = actions.iter().filter(|action| !ACTIONS.iter().any(|(known, ..)| known == action)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_type_is_meant_by_any_of_its_words() {
        for word in ["appointment", "Consulta", "CONSULTA", "agendamento", "Marcação", "marcacao", "marcac\u{327}a\u{303}o", "Appointment "]
        {
            assert!(means("appointment", word), "{word}");
        }
        assert!(means("clinic", "clinica") && means("form_response", "Formulario") && means("robot", "Robot"));
        assert!(!means("appointment", "paciente") && !means("appointment", "consultas") && !means("appointment", ""));
    }
}
