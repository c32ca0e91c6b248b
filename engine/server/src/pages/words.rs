//! Every word of the pages, in every language.

use zelo_core::job::Reason;
use zelo_core::{JobState, Status};
use zelo_rules::Class;

use super::contacts::STAGES;
use super::visit::Place;

/// The words of one language.
pub(crate) struct Words {
    /// BCP 47.
    pub(crate) lang: &'static str,
    pub(crate) skip: &'static str,
    pub(crate) menu: &'static str,
    /// Of the menu, in the order of [`Place`].
    places: [&'static str; 16],
    /// From Monday on.
    pub(super) weekdays: [&'static str; 7],
    pub(crate) sign_in: &'static str,
    pub(crate) sign_in_ready: &'static str,
    pub(crate) sign_in_how: &'static str,
    pub(crate) sign_in_code: &'static str,
    pub(crate) sign_in_link: &'static str,
    pub(crate) sign_in_name: &'static str,
    pub(crate) sign_in_password: &'static str,
    pub(crate) sign_in_digits: &'static str,
    pub(crate) sign_in_wrong: &'static str,
    pub(crate) sign_in_wait: &'static str,
    pub(crate) sign_out: &'static str,
    pub(crate) link_dead: &'static str,
    pub(crate) link_dead_how: &'static str,
    pub(crate) outside: &'static str,
    pub(crate) outside_then: &'static str,
    pub(crate) insecure: &'static str,
    pub(crate) insecure_how: &'static str,
    pub(crate) problems: &'static str,
    pub(crate) problems_how: &'static str,
    pub(crate) refused: &'static str,
    pub(crate) refused_how: &'static str,
    pub(crate) did_you_mean: &'static str,
    pub(crate) idle: &'static str,
    pub(crate) down: &'static str,
    pub(crate) down_since: &'static str,
    pub(crate) down_for: &'static str,
    pub(crate) down_again: &'static str,
    pub(crate) down_tried: &'static str,
    pub(crate) silent: &'static str,
    pub(crate) silent_how: &'static str,
    pub(crate) silent_since: &'static str,
    pub(crate) rising: &'static str,
    pub(crate) rising_how: &'static str,
    pub(crate) basis: &'static str,
    classes: [&'static str; Class::ALL.len()],
    pub(crate) attention: &'static str,
    pub(crate) run_again: &'static str,
    pub(crate) was_done: &'static str,
    pub(crate) was_not_done: &'static str,
    pub(crate) give_up: &'static str,
    pub(crate) cancel: &'static str,
    pub(crate) job_stays: &'static str,
    pub(crate) back: &'static str,
    pub(crate) halted: &'static str,
    pub(crate) since: &'static str,
    pub(crate) halt: &'static str,
    pub(crate) halt_how: &'static str,
    pub(crate) resume: &'static str,
    pub(crate) what: &'static str,
    pub(crate) reason_why: &'static str,
    pub(crate) new: &'static str,
    pub(crate) documents: &'static str,
    pub(crate) name: &'static str,
    pub(crate) says: &'static str,
    pub(crate) size: &'static str,
    pub(crate) events: &'static str,
    pub(crate) jobs: &'static str,
    pub(crate) messages: &'static str,
    pub(crate) message_to: &'static str,
    pub(crate) records: &'static str,
    pub(crate) nothing_yet: &'static str,
    pub(crate) time: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) status: &'static str,
    pub(crate) entity: &'static str,
    pub(crate) connection: &'static str,
    pub(crate) clinic: &'static str,
    pub(crate) due: &'static str,
    pub(crate) action: &'static str,
    pub(crate) state: &'static str,
    pub(crate) because: &'static str,
    pub(crate) to: &'static str,
    pub(crate) text: &'static str,
    pub(crate) channel: &'static str,
    pub(crate) record: &'static str,
    /// One whose name is not at hand.
    pub(crate) document: &'static str,
    pub(crate) content: &'static str,
    no_stage: &'static str,
    stages: [&'static str; STAGES.len()],
    statuses: [&'static str; 5],
    states: [&'static str; 8],
    /// What the codes of reasons say, where their own texts are not in this language.
    reasons: &'static [(&'static str, &'static str)],
}

const PT_BR: Words = Words {
    lang: "pt-BR",
    skip: "Ir para o conteúdo",
    menu: "Menu",
    places: [
        "Hoje",
        "Começar",
        "Automações",
        "Agenda",
        "Atividade",
        "Precisa de atenção",
        "Falhas",
        "Mensagens",
        "Documentos",
        "Contatos",
        "Titulares",
        "Regras",
        "Plugins",
        "Fontes",
        "Pessoas e acessos",
        "Auditoria",
    ],
    weekdays: ["segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo"],
    sign_in: "Entrar",
    sign_in_ready: "Este link serve para entrar uma única vez, por quinze minutos.",
    sign_in_how: "Cole aqui o código do link que `zelo token link` mostrou.",
    sign_in_code: "Código",
    sign_in_link: "Entrar com o código de um link",
    sign_in_name: "Nome",
    sign_in_password: "Senha",
    sign_in_digits: "Seis dígitos do aplicativo, se você usa um",
    sign_in_wrong: "O nome, a senha ou os dígitos não conferem.",
    sign_in_wait: "Houve tentativas demais. Espere um pouco e tente de novo.",
    sign_out: "Sair",
    link_dead: "Este link não vale mais",
    link_dead_how: "Ele já foi usado ou passou dos quinze minutos. Peça um novo no servidor:",
    outside: "Para entrar, peça um link no servidor onde o zelo está instalado:",
    outside_then: "Abra o link que ele mostrar. Já tem um código?",
    insecure: "Há conexões sem verificação",
    insecure_how: "Qualquer pessoa pode enviar eventos por elas. Dê a cada uma um segredo em zelo.toml, e à fonte dela um `verify` no lugar de `insecure`:",
    problems: "Os arquivos de regras têm erros",
    problems_how: "Por isso não estão em vigor; continua valendo o último conjunto sem erros.",
    refused: "Os arquivos em disco não estão em vigor",
    refused_how: "Continua valendo o último conjunto que pôde ser carregado.",
    did_you_mean: "Seria",
    idle: "Automações ligadas que não funcionam",
    down: "Outros sistemas que não respondem",
    down_since: "sem resposta desde",
    down_for: "pede que se espere com",
    down_again: "nova tentativa",
    down_tried: "voltou a ser consultado, aos poucos",
    silent: "Conexões em silêncio",
    silent_how: "Nada chega por elas há mais tempo do que o normal. Veja no outro sistema se o envio continua ligado:",
    silent_since: "última entrega:",
    rising: "Mais entregas recusadas do que o normal",
    rising_how: "Um segredo foi trocado em um dos lados, o outro sistema mudou o que envia, ou alguém tenta entrar. O motivo de cada recusa está em Entregas recusadas:",
    basis: "Base legal:",
    classes: ["público", "pessoal", "sensível"],
    attention: "Precisa de atenção",
    run_again: "Tentar de novo",
    was_done: "Foi feita",
    was_not_done: "Não foi feita: fazer agora",
    give_up: "Não foi feita, nem será",
    cancel: "Cancelar",
    job_stays: "A tarefa continua como estava",
    back: "Voltar",
    halted: "Parado por alguém",
    since: "desde",
    halt: "Parar",
    halt_how: "O que está em andamento é interrompido, nada começa e nada se perde, até que se mande continuar.",
    resume: "Continuar",
    what: "O quê",
    reason_why: "Motivo, sem o nome de ninguém",
    new: "Novo",
    documents: "Documentos",
    name: "Nome",
    says: "O que diz",
    size: "Tamanho",
    events: "Eventos",
    jobs: "Tarefas",
    messages: "Mensagens",
    message_to: "mensagem para",
    records: "Registros",
    nothing_yet: "Nada ainda.",
    time: "Quando",
    kind: "Tipo",
    status: "Situação",
    entity: "Sobre",
    connection: "Conexão",
    clinic: "Clínica",
    due: "Prevista para",
    action: "Automação e ação",
    state: "Estado",
    because: "Motivo ou resultado",
    to: "Para",
    text: "Texto",
    channel: "Canal",
    record: "Registro",
    document: "documento",
    content: "Conteúdo",
    no_stage: "Sem etapa",
    stages: ["Novos contatos", "Cadastrados", "Agendados", "Em atendimento", "Atendidos", "Cancelados"],
    statuses: ["aceito", "repetido", "atrasado", "em quarentena", "ignorado"],
    states: ["agendada", "pronta", "em execução", "concluída", "falhou", "cancelada", "não executada", "resultado incerto"],
    reasons: &REASONS_PT_BR,
};

const REASONS_PT_BR: [(&str, &str); 52] = [
    ("replaced", "Substituída: chegou um evento mais novo"),
    ("cancelled_by_event", "Cancelada por um evento"),
    ("no_longer_matches", "Já não atende às condições da regra"),
    ("no_time", "Falta o horário a partir do qual se conta"),
    ("already_done", "Já tinha sido feita"),
    ("outdated", "Um evento mais novo já tinha chegado"),
    ("late", "Tarde demais: o horário já havia passado"),
    ("expired", "Tarde demais: o prazo terminou"),
    ("missing", "Falta um dado necessário"),
    ("switched_off", "A automação está desligada"),
    ("rule_gone", "A regra já não tem esta ação"),
    ("step", "Um passo que vem antes não foi concluído"),
    ("only_if", "Uma condição da regra não se cumpre"),
    ("budget", "Este contato já recebeu o máximo de mensagens do período"),
    ("plugin", "O plugin não conseguiu concluir"),
    ("destination_down", "O outro sistema não responde; a tarefa espera por ele"),
    ("no_plugin", "O plugin não está instalado"),
    ("not_granted", "O plugin pede uma permissão que a regra não dá"),
    ("trap", "O plugin parou com um erro"),
    ("memory", "O plugin pediu mais memória do que pode usar"),
    ("cpu", "O plugin calculou por mais tempo do que pode"),
    ("wall", "A execução demorou mais do que pode"),
    ("host_calls", "O plugin fez mais chamadas do que pode"),
    ("bytes_in", "O plugin receberia mais dados do que pode"),
    ("bytes_out", "O plugin devolveu mais dados do que pode"),
    ("tables", "O plugin pediu tabelas maiores do que pode usar"),
    ("stack", "As chamadas do plugin se aninharam demais"),
    ("store", "Os dados não puderam ser lidos ou gravados"),
    ("later", "Um efeito ainda não pôde ser feito"),
    ("differs", "O plugin não repetiu o que fez na tentativa anterior"),
    ("crashed", "Nenhuma tentativa chegou ao fim"),
    ("unknown", "Não se sabe se um pedido a outro sistema foi atendido"),
    ("revived", "Alguém mandou tentar de novo"),
    ("decided", "Alguém disse o que aconteceu com ela"),
    ("cancelled_by_person", "Cancelada por alguém"),
    ("undecided", "Não se sabe se foi feita: diga se foi, antes de fazer duas vezes ou nenhuma"),
    ("wrong_state", "No estado em que está, isto não é possível"),
    ("gone", "O que ela usaria já foi apagado"),
    ("template", "Um texto da regra não pôde ser preenchido"),
    ("missing_late", "Faltou um dado depois de a tarefa começar"),
    ("deadline", "A execução não terminou quando devia"),
    ("halted", "Interrompida por uma parada; segue quando ela acabar"),
    ("consent_withdrawn", "A pessoa retirou o consentimento"),
    ("no_consent", "Falta o consentimento da pessoa"),
    ("erased", "Os dados da pessoa foram apagados"),
    ("throttled", "Já agiu o máximo de vezes neste período"),
    ("stale", "Chegou atrasado: já se sabia algo mais novo"),
    ("newer", "Algo mais novo já valeu"),
    ("cancelled", "Cancelada"),
    ("begun", "A tarefa já começou, e será tentada de novo sozinha"),
    ("after_anchor", "O novo horário é depois daquilo que a mensagem anuncia"),
    ("collects", "Reúne vários eventos, e o texto depende de todos"),
];

const EN: Words = Words {
    lang: "en",
    skip: "Skip to the content",
    menu: "Menu",
    places: [
        "Today",
        "Get started",
        "Automations",
        "Scheduled",
        "Activity",
        "Needs attention",
        "Failures",
        "Messages",
        "Documents",
        "Contacts",
        "Subjects",
        "Rules",
        "Plugins",
        "Sources",
        "People and tokens",
        "Audit",
    ],
    weekdays: ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    sign_in: "Sign in",
    sign_in_ready: "This link signs you in once, within fifteen minutes.",
    sign_in_how: "Paste the code of the link that `zelo token link` printed.",
    sign_in_code: "Code",
    sign_in_link: "Sign in with the code of a link",
    sign_in_name: "Name",
    sign_in_password: "Password",
    sign_in_digits: "Six digits of the app, if you use one",
    sign_in_wrong: "The name, the password or the digits are wrong.",
    sign_in_wait: "There were too many tries. Wait a little, and try again.",
    sign_out: "Sign out",
    link_dead: "This link is no longer valid",
    link_dead_how: "It was used before, or its fifteen minutes are over. Ask for a new one on the server:",
    outside: "To get in, ask for a link on the server where zelo is installed:",
    outside_then: "Open the link that it prints. Have a code already?",
    insecure: "Some connections are not verified",
    insecure_how: "Anybody can send events through them. Give each a secret in zelo.toml, and its source a `verify` in place of `insecure`:",
    problems: "The rule files have mistakes",
    problems_how: "So they are not in force; the last set without mistakes is.",
    refused: "The files on disk are not in force",
    refused_how: "The last set that could be loaded is.",
    did_you_mean: "Did you mean",
    idle: "Automations that are on and do not work",
    down: "Other systems that do not answer",
    down_since: "down since",
    down_for: "asks to wait with",
    down_again: "tried again",
    down_tried: "being tried, a few requests at a time",
    silent: "Connections that have fallen silent",
    silent_how: "Nothing has come through them for longer than usual. See in the other system whether it still sends:",
    silent_since: "last delivery:",
    rising: "More deliveries are refused than usual",
    rising_how: "A secret was changed on one side, the other system sends something else than before, or somebody tries to get in. The reason of each stands under Refused deliveries:",
    basis: "Legal basis:",
    classes: ["public", "personal", "sensitive"],
    attention: "Needs attention",
    run_again: "Try again",
    was_done: "It was done",
    was_not_done: "It was not: do it now",
    give_up: "It was not, and shall not be",
    cancel: "Cancel",
    job_stays: "The job stands as it did",
    back: "Back",
    halted: "Halted by somebody",
    since: "since",
    halt: "Halt",
    halt_how: "What runs is broken off, nothing begins and nothing is lost, until it is resumed.",
    resume: "Resume",
    what: "What",
    reason_why: "Reason, with nobody's name",
    new: "New",
    documents: "Documents",
    name: "Name",
    says: "What it says",
    size: "Size",
    events: "Events",
    jobs: "Jobs",
    messages: "Messages",
    message_to: "message to",
    records: "Records",
    nothing_yet: "Nothing yet.",
    time: "When",
    kind: "Type",
    status: "Status",
    entity: "About",
    connection: "Connection",
    clinic: "Clinic",
    due: "Due",
    action: "Rule and action",
    state: "State",
    because: "Reason or result",
    to: "To",
    text: "Text",
    channel: "Channel",
    record: "Record",
    document: "document",
    content: "Content",
    no_stage: "No stage",
    stages: ["Leads", "Registered", "Scheduled", "Attending", "Attended", "Canceled"],
    statuses: ["accepted", "duplicate", "stale", "quarantined", "ignored"],
    states: ["scheduled", "ready", "running", "done", "dead", "cancelled", "skipped", "unknown"],
    // The texts of reasons are in English.
    reasons: &[],
};

impl Words {
    /// Whether they are English.
    pub(crate) fn is_english(&self) -> bool {
        self.lang == "en"
    }

    /// The other language: its name, and what its button says.
    pub(super) fn other(&self) -> (&'static str, &'static str) {
        if self.is_english() { (PT_BR.lang, "Português") } else { (EN.lang, "English") }
    }

    /// What the menu calls a page.
    pub(crate) fn place(&self, place: Place) -> &'static str {
        self.places[place as usize]
    }

    pub(crate) fn status(&self, status: Status) -> &'static str {
        self.statuses[match status {
            Status::Accepted => 0,
            Status::Duplicate => 1,
            Status::Stale => 2,
            Status::Quarantined => 3,
            Status::Ignored => 4,
        }]
    }

    pub(crate) fn state(&self, state: JobState) -> &'static str {
        self.states[match state {
            JobState::Scheduled => 0,
            JobState::Ready => 1,
            JobState::Running => 2,
            JobState::Done => 3,
            JobState::Dead => 4,
            JobState::Cancelled => 5,
            JobState::Skipped => 6,
            JobState::Unknown => 7,
        }]
    }

    /// A stage of contacts; one that has no words is told as it is.
    pub(crate) fn stage<'a>(&'a self, stage: &'a str) -> &'a str {
        match STAGES.into_iter().position(|known| known == stage) {
            Some(place) => self.stages[place],
            None if stage.is_empty() => self.no_stage,
            None => stage,
        }
    }

    pub(super) fn class(&self, class: Class) -> &'static str {
        self.classes[class as usize]
    }

    /// What `reason` says in this language; `None` where its own text is all there is. The code of a job that is done is
    /// its plugin's own word, whatever it looks like.
    pub(crate) fn reason(&self, state: JobState, reason: &Reason) -> Option<&'static str> {
        if state == JobState::Done {
            return None;
        }
        self.reasons.iter().find(|(code, _)| *code == reason.code).map(|(_, told)| *told)
    }
}

/// The words of the language with this name.
pub(crate) fn called(lang: &str) -> Option<&'static Words> {
    [&PT_BR, &EN].into_iter().find(|words| words.lang == lang)
}

/// The words that an `Accept-Language` (RFC 9110 §12.5.4) asks for. Portuguese where nobody asks, English where neither is asked for.
pub(crate) fn choose(accept: Option<&str>) -> &'static Words {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return &PT_BR };
    let mut best: (f32, &'static Words) = (0.0, &EN);
    for range in accept.split(',') {
        let mut parts = range.split(';');
        let language = parts.next().unwrap_or_default().trim().split('-').next().unwrap_or_default();
        let words = match language {
            "*" => &PT_BR,
            language if language.eq_ignore_ascii_case("pt") => &PT_BR,
            language if language.eq_ignore_ascii_case("en") => &EN,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        // The first of equals stands.
        if weight > best.0 {
            best = (weight, words);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_chooses_the_language() {
        for (accept, lang) in [
            (None, "pt-BR"),
            (Some(""), "pt-BR"),
            (Some("*"), "pt-BR"),
            (Some("pt-BR,pt;q=0.9,en-US;q=0.8"), "pt-BR"),
            (Some("pt-PT"), "pt-BR"),
            (Some("en-US,en;q=0.9,pt;q=0.8"), "en"),
            (Some("de-DE, pt;q=0.5, en;q=0.3"), "pt-BR"),
            (Some("de"), "en"),
            (Some("pt;q=0, en;q=0.1"), "en"),
            (Some("EN"), "en"),
        ] {
            assert_eq!(choose(accept).lang, lang, "{accept:?}");
        }
    }

    #[test]
    fn a_stage_without_words_is_told_as_it_is() {
        let told = ["lead", "canceled", "", "returned"].map(|stage| PT_BR.stage(stage));
        assert_eq!(told, ["Novos contatos", "Cancelados", "Sem etapa", "returned"]);
    }

    #[test]
    fn every_reason_has_words_in_portuguese() {
        let texts = [
            include_str!("../../../core/src/decide.rs"),
            include_str!("../../../core/src/decide/replay.rs"),
            include_str!("../../../core/src/settle.rs"),
            include_str!("../../../core/src/timing.rs"),
            include_str!("../../../core/src/reschedule.rs"),
            include_str!("../../../core/src/revive.rs"),
            include_str!("../../../core/src/window.rs"),
            include_str!("../../../core/src/job.rs"),
            include_str!("../../../rules/src/prepare.rs"),
            include_str!("../../../rules/src/in_force.rs"),
            include_str!("../../../rules/src/in_force/timetable.rs"),
            include_str!("../../../runtime/src/attempt.rs"),
            include_str!("../../../runtime/src/outlook.rs"),
        ];
        let mut codes = vec![zelo_core::breaker::DOWN, zelo_core::halt::HALTED, "missing_late", "deadline", "erased", "consent_withdrawn"];
        codes.extend(["cpu", "wall", "memory", "tables", "stack", "host_calls", "bytes_in", "bytes_out"]);
        for text in texts {
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for before in ["Reason::new(", "dead(", "later("] {
                let found = text.match_indices(before).filter_map(|(at, _)| text[at + before.len()..].trim_start().strip_prefix('"'));
                codes.extend(found.filter_map(|rest| rest.split('"').next()).filter(|code| !code.contains(' ')));
            }
        }
        assert!(codes.len() > 40, "{codes:?}");
        let missing: Vec<_> = codes.iter().filter(|code| PT_BR.reason(JobState::Dead, &Reason::new(code, "")).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_reason_is_told_in_the_language_of_the_page() {
        let missing = Reason::new("missing", "patient $.phone is missing");
        assert_eq!(PT_BR.reason(JobState::Scheduled, &missing), Some("Falta um dado necessário"));
        assert_eq!(PT_BR.reason(JobState::Done, &missing), None, "a plugin's own word");
        assert_eq!(PT_BR.reason(JobState::Dead, &Reason::new("new", "a code that has no words yet")), None);
        assert_eq!(EN.reason(JobState::Scheduled, &missing), None);
    }
}
