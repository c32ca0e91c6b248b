//! The words that only the page of a person has; all others are those of the pages.

/// The words of one language.
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) how: &'static str,
    pub(super) person: &'static str,
    pub(super) pseudonym: &'static str,
    pub(super) since: &'static str,
    pub(super) held: &'static str,
    pub(super) erased: &'static str,
    pub(super) known_by: &'static str,
    pub(super) linked: &'static str,
    pub(super) received: &'static str,
    pub(super) summary: &'static str,
    pub(super) journal: &'static str,
    pub(super) save: &'static str,
    pub(super) state: &'static str,
    pub(super) consents: &'static str,
    pub(super) topic: &'static str,
    pub(super) answer: &'static str,
    pub(super) given: &'static str,
    pub(super) withdrawn: &'static str,
    pub(super) disclosures: &'static str,
    pub(super) plugin: &'static str,
    pub(super) fields: &'static str,
    pub(super) purpose: &'static str,
    pub(super) basis: &'static str,
    pub(super) went: &'static str,
    pub(super) views: &'static str,
    pub(super) who: &'static str,
    pub(super) what: &'static str,
    /// How delicate a field is.
    classes: [(&'static str, &'static str); 3],
    /// What people are known by.
    identities: [(&'static str, &'static str); 3],
    /// What people looked at, and what they did.
    looks: &'static [(&'static str, &'static str)],
    /// Who looked, by how they came in.
    actors: [(&'static str, &'static str); 4],
}

const PT_BR: Words = Words {
    title: "Dados pessoais",
    how: "Tudo o que o zelo guarda sobre esta pessoa, e quem viu o quê. Horários de",
    person: "A pessoa",
    pseudonym: "Pseudônimo",
    since: "Conhecida desde",
    held: "Dados retidos desde",
    erased: "Apagada em",
    known_by: "Também identificada por",
    linked: "Compartilha identificação com",
    received: "Recebido em",
    summary: "O que foi feito",
    journal: "Registro da execução",
    save: "Salvar o arquivo",
    state: "Valores guardados por automações",
    consents: "Consentimentos",
    topic: "Assunto",
    answer: "Resposta",
    given: "dado",
    withdrawn: "retirado",
    disclosures: "O que foi mostrado a plugins",
    plugin: "Plugin",
    fields: "Dados mostrados",
    purpose: "Finalidade",
    basis: "Base legal",
    went: "Para onde foi",
    views: "O que pessoas viram",
    who: "Quem",
    what: "O quê",
    classes: [("public", "público"), ("personal", "pessoal"), ("sensitive", "sensível")],
    identities: [("cpf", "CPF"), ("phone", "telefone"), ("email", "e-mail")],
    looks: &[
        ("changes", "o que acontecia"),
        ("disclosures", "quem viu o quê"),
        ("document", "um documento"),
        ("documents", "documentos"),
        ("event", "um evento"),
        ("events", "eventos"),
        ("explanation", "a explicação de um evento"),
        ("job", "uma tarefa"),
        ("jobs", "tarefas"),
        ("messages", "mensagens"),
        ("page", "a página inicial"),
        ("records", "registros"),
        ("subjects", "a busca de pessoas"),
        ("find", "a busca de pessoas"),
        ("who_saw", "quem viu o quê"),
        ("exported", "exportou os dados"),
        ("held", "reteve ou liberou os dados"),
        ("consent", "anotou um consentimento"),
        ("erased", "apagou os dados"),
    ],
    actors: [("command", "comando no servidor"), ("engine", "o zelo"), ("token", "token"), ("session", "sessão")],
};

const EN: Words = Words {
    title: "Personal data",
    how: "All that zelo holds of this person, and who saw what. Times of",
    person: "The person",
    pseudonym: "Pseudonym",
    since: "Known since",
    held: "On hold since",
    erased: "Erased",
    known_by: "Also known by",
    linked: "Shares an identity with",
    received: "Received",
    summary: "What was done",
    journal: "Journal",
    save: "Save the file",
    state: "Values that automations keep",
    consents: "Consents",
    topic: "Topic",
    answer: "Answer",
    given: "given",
    withdrawn: "withdrawn",
    disclosures: "What plugins were shown",
    plugin: "Plugin",
    fields: "Data shown",
    purpose: "Purpose",
    basis: "Legal basis",
    went: "Where it went",
    views: "What people looked at",
    who: "Who",
    what: "What",
    classes: [("public", "public"), ("personal", "personal"), ("sensitive", "sensitive")],
    identities: [("cpf", "CPF"), ("phone", "phone"), ("email", "e-mail")],
    looks: &[
        ("changes", "what was going on"),
        ("disclosures", "who saw what"),
        ("document", "a document"),
        ("event", "an event"),
        ("explanation", "the explanation of an event"),
        ("job", "a job"),
        ("page", "the first page"),
        ("subjects", "the search for people"),
        ("find", "the search for people"),
        ("who_saw", "who saw what"),
        ("exported", "exported the data"),
        ("held", "put the data on hold or let them go"),
        ("consent", "wrote down a consent"),
        ("erased", "erased the data"),
    ],
    actors: [("command", "a command on the server"), ("engine", "zelo"), ("token", "token"), ("session", "session")],
};

impl Words {
    /// Those of the language of a page.
    pub(super) fn of(lang: &str) -> &'static Self {
        if lang == "en" { &EN } else { &PT_BR }
    }

    /// A class of fields.
    pub(super) fn class<'a>(&self, class: &'a str) -> &'a str {
        told(&self.classes, class)
    }

    /// What somebody is known by.
    pub(super) fn identity<'a>(&self, kind: &'a str) -> &'a str {
        told(&self.identities, kind)
    }

    /// What somebody looked at, or did.
    pub(super) fn look<'a>(&self, what: &'a str) -> &'a str {
        told(self.looks, what)
    }

    /// Who it was: how they came in, and the name that stands behind it.
    pub(super) fn actor(&self, actor: &str) -> String {
        match actor.split_once(':') {
            Some((kind, name)) => format!("{} {name}", told(&self.actors, kind)),
            None => told(&self.actors, actor).to_owned(),
        }
    }
}

/// The word for `key`; what has none is told as it is.
fn told<'a>(words: &[(&'static str, &'static str)], key: &'a str) -> &'a str {
    words.iter().find(|(known, _)| *known == key).map_or(key, |(_, word)| word)
}
