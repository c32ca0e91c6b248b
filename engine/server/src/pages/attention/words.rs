//! What the page says of what waits for a person.

use super::value::Kind;
use crate::pages::words::Words as Common;

/// The words of one language.
pub(super) struct Words {
    pub(super) intro: &'static str,
    pub(super) empty: &'static str,
    pub(super) teach: &'static str,
    pub(super) waiting: &'static str,
    pub(super) unknown: &'static str,
    pub(super) unknown_how: &'static str,
    pub(super) dead: &'static str,
    pub(super) dead_one: &'static str,
    pub(super) to_failures: &'static str,
    pub(super) about: &'static str,
    pub(super) waits_until: &'static str,
    pub(super) due: &'static str,
    pub(super) fill: &'static str,
    pub(super) elsewhere: &'static str,
    pub(super) history: &'static str,
    pub(super) cancel: &'static str,
    pub(super) was_done: &'static str,
    pub(super) was_not: &'static str,
    pub(super) give_up: &'static str,
    pub(super) older: &'static str,
    pub(super) filled: &'static str,
    pub(super) decided: &'static str,
    pub(super) refused: &'static str,
    pub(super) gone: &'static str,
    hints: [&'static str; 4],
    wrong: [&'static str; 4],
}

static PT_BR: Words = Words {
    intro: "O que só anda se alguém fizer algo.",
    empty: "Tudo em ordem",
    teach: "Se faltar um telefone ou um preço, ou se não se souber se algo foi feito, aparece aqui.",
    waiting: "Falta um dado",
    unknown: "Foi feito?",
    unknown_how: "Um pedido a outro sistema começou e a resposta não veio. Veja lá se foi feito, e diga aqui.",
    dead: "tarefas falharam e não se tentam de novo sozinhas.",
    dead_one: "tarefa falhou e não se tenta de novo sozinha.",
    to_failures: "Ver as falhas e o que fazer",
    about: "sobre",
    waits_until: "espera até",
    due: "prevista para",
    fill: "Salvar e continuar",
    elsewhere: "Complete o dado no seu sistema: a tarefa continua sozinha quando ele chegar.",
    history: "Ver tudo sobre esta tarefa",
    cancel: "Não é mais preciso: cancelar",
    was_done: "Foi feito",
    was_not: "Não foi: fazer agora",
    give_up: "Não foi, nem precisa",
    older: "Mais antigas",
    filled: "Salvo. A tarefa continua.",
    decided: "Anotado.",
    refused: "Não foi possível:",
    gone: "este dado já não falta. Se a tarefa ainda está aqui, veja o que ela pede agora.",
    hints: [
        "Com DDD, por exemplo (11) 98765-4321",
        "Em reais, por exemplo 189,90",
        "Por exemplo nome@exemplo.com.br",
        "Como deve aparecer na mensagem",
    ],
    wrong: [
        "Isto não é um telefone com DDD. Escreva, por exemplo, (11) 98765-4321.",
        "Isto não é um valor em reais. Escreva, por exemplo, 189,90.",
        "Isto não é um e-mail. Escreva, por exemplo, nome@exemplo.com.br.",
        "Escreva de 1 a 500 letras, em uma linha.",
    ],
};

static EN: Words = Words {
    intro: "What goes on only if somebody does something.",
    empty: "All is well",
    teach: "If a phone or a price is missing, or nobody knows whether something was done, it stands here.",
    waiting: "Something is missing",
    unknown: "Was it done?",
    unknown_how: "A request to another system was begun, and no answer came. See there whether it was done, and say so here.",
    dead: "jobs have failed, and are not tried again by themselves.",
    dead_one: "job has failed, and is not tried again by itself.",
    to_failures: "See the failures, and what to do",
    about: "about",
    waits_until: "waits until",
    due: "due",
    fill: "Save and go on",
    elsewhere: "Fill it in in your system: the job goes on by itself when it comes.",
    history: "See all about this job",
    cancel: "Not needed any more: cancel",
    was_done: "It was done",
    was_not: "It was not: do it now",
    give_up: "It was not, and need not be",
    older: "Older",
    filled: "Saved. The job goes on.",
    decided: "Noted.",
    refused: "This could not be done:",
    gone: "this is not missing any more. If the job still stands here, see what it asks for now.",
    hints: [
        "With its area code, such as (11) 98765-4321",
        "In reais, such as 189.90",
        "Such as name@example.com",
        "As it shall stand in the message",
    ],
    wrong: [
        "This is no phone number with its area code. Write, for example, (11) 98765-4321.",
        "This is no amount in reais. Write, for example, 189.90.",
        "This is no e-mail address. Write, for example, name@example.com.",
        "Write 1 to 500 letters, in one line.",
    ],
};

/// The same in the language of `common`.
pub(super) fn words(common: &Common) -> &'static Words {
    if common.is_english() { &EN } else { &PT_BR }
}

impl Words {
    /// How a value is written.
    pub(super) fn hint(&self, kind: Kind) -> &'static str {
        self.hints[kind as usize]
    }

    /// What is wrong with what was typed.
    pub(super) fn wrong(&self, kind: Kind) -> &'static str {
        self.wrong[kind as usize]
    }
}
