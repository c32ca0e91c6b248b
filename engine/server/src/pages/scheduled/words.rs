//! What the page of scheduled jobs says.

use zelo_core::job::Reason;

use crate::pages::words::Words as Common;

/// The words of one language.
pub(super) struct Words {
    pub(super) intro: &'static str,
    pub(super) whole: &'static str,
    pub(super) day: &'static str,
    pub(super) show: &'static str,
    pub(super) week: &'static str,
    pub(super) before: &'static str,
    pub(super) after: &'static str,
    pub(super) month: &'static str,
    pub(super) months: [&'static str; 12],
    /// From Monday on.
    pub(super) short: [&'static str; 7],
    pub(super) amount: [&'static str; 2],
    pub(super) zone: &'static str,
    pub(super) empty: &'static str,
    pub(super) next: &'static str,
    pub(super) teach: &'static str,
    pub(super) more: &'static str,
    pub(super) about: &'static str,
    pub(super) moved: &'static str,
    pub(super) again: &'static str,
    pub(super) comes_after: &'static str,
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    pub(super) preview: &'static str,
    pub(super) inputs: &'static str,
    pub(super) no_preview: &'static str,
    pub(super) as_of_now: &'static str,
    pub(super) history: &'static str,
    pub(super) date: &'static str,
    pub(super) hour: &'static str,
    pub(super) window: &'static str,
    pub(super) until: &'static str,
    pub(super) move_it: &'static str,
    pub(super) stands: &'static str,
    pub(super) now: &'static str,
    pub(super) cancel: &'static str,
    pub(super) no_date: &'static str,
    pub(super) outside: &'static str,
    pub(super) anyway: &'static str,
    pub(super) refused: &'static str,
    pub(super) done_moved: &'static str,
    pub(super) done_now: &'static str,
    pub(super) done_cancelled: &'static str,
    reasons: &'static [(&'static str, &'static str)],
}

static PT_BR: Words = Words {
    intro: "O que será feito, e quando. Os dados são lidos de novo na hora: o que mudar até lá vale.",
    whole: "Todas as clínicas",
    day: "Dia",
    show: "Mostrar",
    week: "Semana",
    before: "Semana anterior",
    after: "Próxima semana",
    month: "Calendário do mês",
    months: ["janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro", "dezembro"],
    short: ["seg", "ter", "qua", "qui", "sex", "sáb", "dom"],
    amount: ["tarefa", "tarefas"],
    zone: "Horários de",
    empty: "Nada agendado para este dia.",
    next: "Ir para o próximo dia com algo agendado:",
    teach: "Aqui aparece o que as automações vão enviar. Um lembrete, por exemplo, entra na agenda assim que a consulta é marcada.",
    more: "Mais tarde neste dia",
    about: "sobre",
    moved: "horário mudado por alguém",
    again: "nova tentativa",
    comes_after: "vem depois de",
    open: "Ver o que será enviado",
    close: "Fechar",
    preview: "Texto, com os dados de hoje",
    inputs: "Dados que serão usados",
    no_preview: "Ainda não se pode mostrar o texto:",
    as_of_now: "Com os dados de hoje, não sairia:",
    history: "Ver tudo sobre esta tarefa",
    date: "Data",
    hour: "Hora",
    window: "A automação só envia entre",
    until: "Precisa sair antes de",
    move_it: "Mudar o horário",
    stands: "O novo horário vale até que a consulta ou a automação mude.",
    now: "Enviar agora",
    cancel: "Cancelar o envio",
    no_date: "Preencha a data e a hora, por exemplo 02/03/2026 e 09:30.",
    outside: "Este horário está fora do período em que a automação envia. Quer mesmo assim?",
    anyway: "Sim, mesmo fora do período",
    refused: "Não foi possível:",
    done_moved: "Horário mudado.",
    done_now: "A caminho: sai em instantes.",
    done_cancelled: "Cancelado. Não será enviado.",
    reasons: &[
        ("begun", "a tarefa já começou, e será tentada de novo sozinha"),
        ("after_anchor", "o novo horário é depois daquilo que a mensagem anuncia"),
        ("expired", "o novo horário passa do prazo desta tarefa"),
        ("step", "ela espera outra tarefa terminar, e sai logo depois dela"),
        ("wrong_state", "ela já começou, terminou ou foi cancelada"),
        ("collects", "ela junta vários acontecimentos, e o texto depende de todos"),
    ],
};

static EN: Words = Words {
    intro: "What will be done, and when. Data are read again when the time comes: what changes until then counts.",
    whole: "All clinics",
    day: "Day",
    show: "Show",
    week: "Week",
    before: "Week before",
    after: "Next week",
    month: "Calendar of the month",
    months: ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"],
    short: ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    amount: ["job", "jobs"],
    zone: "Times of",
    empty: "Nothing is scheduled for this day.",
    next: "Go to the next day with something:",
    teach: "What automations are going to send stands here. A reminder, for example, is scheduled as soon as the appointment is made.",
    more: "Later on this day",
    about: "about",
    moved: "moved by somebody",
    again: "tried again",
    comes_after: "comes after",
    open: "See what will be sent",
    close: "Close",
    preview: "Text, with today's data",
    inputs: "Data that will be used",
    no_preview: "The text cannot be shown yet:",
    as_of_now: "With today's data it would not be sent:",
    history: "See all about this job",
    date: "Date",
    hour: "Hour",
    window: "The automation sends only between",
    until: "It has to go before",
    move_it: "Move it",
    stands: "The new time holds until the appointment or the automation changes.",
    now: "Send now",
    cancel: "Cancel it",
    no_date: "Give a date and an hour, such as 2026-03-02 and 09:30.",
    outside: "This is outside of the hours in which the automation sends. Do it all the same?",
    anyway: "Yes, outside of the hours too",
    refused: "This could not be done:",
    done_moved: "Moved.",
    done_now: "On its way: it goes in a moment.",
    done_cancelled: "Cancelled. It will not be sent.",
    reasons: &[
        ("begun", "the job has begun, and is tried again by itself"),
        ("after_anchor", "the new time is after what the message is about"),
        ("expired", "the new time is past the deadline of this job"),
        ("step", "it waits for another job, and goes right after that"),
        ("wrong_state", "it has begun, ended or been cancelled"),
        ("collects", "it collects several events, and its text depends on all of them"),
    ],
};

/// The same in the language of `common`.
pub(super) fn words(common: &Common) -> &'static Words {
    if common.is_english() { &EN } else { &PT_BR }
}

impl Words {
    /// Why a job cannot be moved or shown, for people of a clinic.
    pub(super) fn reason<'a>(&'a self, common: &'a Common, reason: &'a Reason) -> &'a str {
        let own = self.reasons.iter().find(|(code, _)| *code == reason.code).map(|(_, told)| *told);
        own.or_else(|| common.reason(zelo_core::JobState::Scheduled, reason)).unwrap_or(&reason.text)
    }

    /// `1 job`, `2 jobs`.
    pub(super) fn count(&self, common: &Common, count: u64) -> String {
        let [one, several] = self.amount;
        format!("{} {}", crate::pages::moments::number(common, count), if count == 1 { one } else { several })
    }
}
