//! What the board of contacts says.

/// The words of one language.
pub(super) struct Words {
    pub(super) intro: &'static str,
    pub(super) how: &'static str,
    pub(super) board: &'static str,
    pub(super) filter: &'static str,
    pub(super) place: &'static str,
    pub(super) all_places: &'static str,
    pub(super) empty: &'static str,
    pub(super) empty_how: &'static str,
    pub(super) empty_filter: &'static str,
    pub(super) to_automations: &'static str,
    pub(super) back: &'static str,
    pub(super) only_latest: &'static str,
    pub(super) last_contact: &'static str,
    pub(super) cancelled: &'static str,
    pub(super) move_to: &'static str,
    pub(super) move_now: &'static str,
    pub(super) no_such_stage: &'static str,
    pub(super) somebody: &'static str,
    pub(super) moved: &'static str,
    pub(super) stands: &'static str,
    pub(super) not_moved: &'static str,
    pub(super) nobody_here: &'static str,
}

static PT_BR: Words = Words {
    intro: "Em que etapa cada pessoa está. As automações movem os cartões conforme chegam novidades; você também pode mover.",
    how: "Para mover um cartão, arraste-o, ou selecione-o e use as setas ← e →, ou abra “Mover para”. O que você decidir vale até que algo novo aconteça com a pessoa.",
    board: "Contatos por etapa",
    filter: "Filtrar",
    place: "Clínica",
    all_places: "Todas",
    empty: "Nenhum contato ainda",
    empty_how: "Quando a automação do quadro de contatos estiver ligada, cada paciente cadastrado, agendado ou atendido ganha um cartão aqui.",
    empty_filter: "Nenhum contato com este filtro.",
    to_automations: "Ver as automações",
    back: "Todos os contatos",
    only_latest: "Só os 200 contatos que mudaram por último estão aqui. Escolha uma clínica para ver os dela.",
    last_contact: "Último contato:",
    cancelled: "Cancelado. Antes:",
    move_to: "Mover para",
    move_now: "Mover",
    no_such_stage: "Esta etapa não existe. Escolha uma da lista; o cartão ficou onde estava.",
    somebody: "Alguém",
    moved: "mudou isto",
    stands: "Está agora em",
    not_moved: "O cartão não foi movido; para mover assim mesmo, confirme de novo.",
    nobody_here: "Ninguém aqui",
};

static EN: Words = Words {
    intro: "The stage each person is at. Automations move the cards as news comes in; you can move them, too.",
    how: "To move a card, drag it, or select it and use the arrows ← and →, or open “Move to”. What you decide holds until something new happens with the person.",
    board: "Contacts by stage",
    filter: "Filter",
    place: "Clinic",
    all_places: "All",
    empty: "No contact yet",
    empty_how: "When the automation of the contact board is on, each patient who is registered, scheduled or attended gets a card here.",
    empty_filter: "No contact with this filter.",
    to_automations: "See the automations",
    back: "All contacts",
    only_latest: "Only the 200 contacts that changed last are here. Choose a clinic to see its contacts.",
    last_contact: "Last contact:",
    cancelled: "Cancelled. Before:",
    move_to: "Move to",
    move_now: "Move",
    no_such_stage: "There is no such stage. Choose one of the list; the card stayed where it was.",
    somebody: "Somebody",
    moved: "changed this",
    stands: "It stands now at",
    not_moved: "The card was not moved; to move it all the same, confirm once more.",
    nobody_here: "Nobody here",
};

/// Those of the reader's language.
pub(super) fn words(common: &super::super::words::Words) -> &'static Words {
    if common.is_english() { &EN } else { &PT_BR }
}
