//! What the page of messages says.

/// The words of one language.
pub(super) struct Words {
    pub(super) intro: &'static str,
    pub(super) filter: &'static str,
    pub(super) place: &'static str,
    pub(super) all_places: &'static str,
    pub(super) all_channels: &'static str,
    pub(super) empty: &'static str,
    pub(super) empty_how: &'static str,
    pub(super) empty_filter: &'static str,
    pub(super) to_automations: &'static str,
    pub(super) conversation: &'static str,
    pub(super) whole: &'static str,
    pub(super) older: &'static str,
    pub(super) newest: &'static str,
    pub(super) back: &'static str,
    pub(super) outbox: &'static str,
    pub(super) template: &'static str,
    pub(super) made_by: &'static str,
    pub(super) attachment: &'static str,
    pub(super) choices: &'static str,
}

static PT_BR: Words = Words {
    intro: "O que as automações escreveram, por pessoa. A conversa com a mensagem mais nova vem primeiro.",
    filter: "Filtrar",
    place: "Clínica",
    all_places: "Todas",
    all_channels: "Todos",
    empty: "Nenhuma mensagem ainda",
    empty_how: "Quando uma automação escrever a alguém, a conversa aparece aqui, como no telefone da pessoa. Para que isso aconteça, ligue uma automação que mande mensagens, como o lembrete de consulta.",
    empty_filter: "Nenhuma mensagem com este filtro.",
    to_automations: "Ver as automações",
    conversation: "Conversa",
    whole: "Ver a conversa inteira",
    older: "Mais antigas",
    newest: "Mais novas",
    back: "Todas as mensagens",
    outbox: "na caixa de saída",
    template: "Modelo",
    made_by: "Feita por",
    attachment: "Anexo:",
    choices: "Respostas oferecidas",
};

static EN: Words = Words {
    intro: "What automations wrote, by person. The conversation with the newest message comes first.",
    filter: "Filter",
    place: "Clinic",
    all_places: "All",
    all_channels: "All",
    empty: "No message yet",
    empty_how: "When an automation writes to somebody, the conversation shows here, as on that person's phone. For that, switch on an automation that sends messages, such as the appointment reminder.",
    empty_filter: "No message with this filter.",
    to_automations: "See the automations",
    conversation: "Conversation",
    whole: "See the whole conversation",
    older: "Older",
    newest: "Newest",
    back: "All messages",
    outbox: "in the outbox",
    template: "Template",
    made_by: "Made by",
    attachment: "Attached:",
    choices: "Answers offered",
};

/// Those of the reader's language.
pub(super) fn words(common: &super::super::words::Words) -> &'static Words {
    if common.is_english() { &EN } else { &PT_BR }
}
