//! The words of the first start.

use zelo_rules::Shows;

use crate::pages::words::Words as Common;

/// The words of one language.
pub(super) struct Words {
    pub(super) intro: &'static str,
    /// The states of a step.
    pub(super) done: &'static str,
    pub(super) now: &'static str,
    pub(super) next: &'static str,
    pub(super) choose: &'static str,
    pub(super) choose_how: &'static str,
    pub(super) choose_more: &'static str,
    pub(super) choose_go: &'static str,
    pub(super) choose_none: &'static str,
    pub(super) connection: &'static str,
    pub(super) address: &'static str,
    pub(super) address_how: &'static str,
    pub(super) address_each: &'static str,
    pub(super) event: &'static str,
    pub(super) secret: &'static str,
    pub(super) secret_is: fn(usize) -> String,
    pub(super) secret_none: &'static str,
    pub(super) secret_open: &'static str,
    pub(super) secret_where: fn(&str) -> String,
    pub(super) secret_ways: &'static str,
    pub(super) shows: fn(Shows, &str) -> String,
    pub(super) sample: &'static str,
    pub(super) sample_how: &'static str,
    pub(super) sample_kind: &'static str,
    pub(super) sample_go: &'static str,
    pub(super) sample_none: &'static str,
    pub(super) sample_known: &'static str,
    pub(super) sample_refused: &'static str,
    pub(super) sample_unsigned: &'static str,
    pub(super) sample_unread: &'static str,
    pub(super) sample_came: &'static str,
    pub(super) arrived: &'static str,
    pub(super) arrived_none: &'static str,
    pub(super) arrived_look: &'static str,
    pub(super) arrived_this: &'static str,
    pub(super) rule: &'static str,
    pub(super) rule_how: &'static str,
    pub(super) rule_none: &'static str,
    pub(super) rule_go: &'static str,
    pub(super) rule_chosen: &'static str,
    pub(super) would: &'static str,
    pub(super) would_how: &'static str,
    pub(super) would_nothing: &'static str,
    pub(super) would_fire: &'static str,
    pub(super) would_unknown: &'static str,
    pub(super) switch: &'static str,
    pub(super) switch_how: &'static str,
    pub(super) switch_go: &'static str,
    pub(super) switch_done: &'static str,
    pub(super) later: &'static str,
}

/// The words of the language of `common`.
pub(super) fn words(common: &Common) -> &'static Words {
    if common.is_english() { &EN } else { &PT_BR }
}

static PT_BR: Words = Words {
    intro: "Em sete passos curtos, do sistema da clínica até a primeira automação ligada. Nada é enviado a ninguém antes do último.",
    done: "feito",
    now: "agora",
    next: "depois",
    choose: "Escolha de onde vêm os avisos",
    choose_how: "Cada conexão recebe os avisos de um sistema: a agenda, o cadastro, os pagamentos.",
    choose_more: "Falta o seu sistema? Quem cuida do servidor acrescenta a conexão no arquivo zelo.toml; as que já existem estão em Fontes.",
    choose_go: "Escolher",
    choose_none: "Ainda não há nenhuma conexão. Quem cuida do servidor a acrescenta no arquivo zelo.toml, em [connections.nome].",
    connection: "Conexão",
    address: "Copie o endereço e combine o segredo",
    address_how: "No sistema da clínica, procure “webhooks” ou “integrações” e cole este endereço:",
    address_each: "Cada tipo de aviso tem o seu final",
    event: "O que acontece",
    secret: "O segredo",
    secret_is: |count| {
        if count == 1 { "Esta conexão tem um segredo.".to_owned() } else { format!("Esta conexão tem {count} segredos, todos válidos.") }
    },
    secret_none: "Esta conexão não tem segredo próprio: o sistema assina com uma chave pública dele.",
    secret_open: "Esta conexão não verifica quem envia: qualquer pessoa pode enviar por ela. Dê a ela um segredo antes de usar de verdade.",
    secret_where: |name| {
        format!(
            "Ele nunca aparece aqui. Está no servidor, onde o zelo.toml diz em [connections.{name}]; se não diz, no arquivo secrets/{name}."
        )
    },
    secret_ways: "O sistema da clínica mostra que conhece o segredo de um destes modos:",
    shows: |shows, place| match shows {
        Shows::Secret => format!("envia o próprio segredo em {place}"),
        Shows::Password => format!("envia usuário e senha em {place}"),
        Shows::Signature => format!("assina cada aviso com o segredo, em {place} (HMAC)"),
        Shows::PublicKey => format!("assina cada aviso com a chave dele, em {place}"),
    },
    sample: "Envie um exemplo",
    sample_how: "É um aviso inventado, com as datas de hoje, que entra pelo mesmo caminho de um verdadeiro. O que já estiver ligado age como agiria com um verdadeiro.",
    sample_kind: "Que exemplo",
    sample_go: "Enviar um exemplo",
    sample_none: "Esta fonte não traz exemplos. Faça um teste pelo próprio sistema: o aviso aparece no passo seguinte.",
    sample_known: "Este exemplo já tinha chegado, e por isso nada mudou. Continue com ele abaixo.",
    sample_refused: "O exemplo foi recusado:",
    sample_unsigned: "Só o próprio sistema pode assinar estes avisos. Faça um teste por ele: o aviso aparece no passo seguinte.",
    sample_unread: "O arquivo do exemplo não pôde ser lido no servidor. Escolha outro, ou faça um teste pelo próprio sistema.",
    sample_came: "O exemplo chegou.",
    arrived: "Veja chegar",
    arrived_none: "Nada chegou por esta conexão ainda. Assim que chegar, aparece aqui sozinho.",
    arrived_look: "Continuar com este",
    arrived_this: "escolhido",
    rule: "Escolha uma automação",
    rule_how: "Estas agem quando acontece o que você acabou de ver:",
    rule_none: "Nenhuma automação age neste tipo de aviso. Escolha outro exemplo, ou veja todas em Automações.",
    rule_go: "Ver o que faria",
    rule_chosen: "escolhida",
    would: "Veja o que ela teria feito",
    would_how: "Ensaio com este aviso e os ajustes iniciais. Nada foi enviado nem guardado.",
    would_nothing: "Com este aviso, nada. O motivo:",
    would_fire: "Enviar um exemplo em que ela age",
    would_unknown: "Não deu para ensaiar:",
    switch: "Ligue",
    switch_how: "Na página da automação você escolhe a clínica e os ajustes, e liga. Ela vale só para o que chegar depois.",
    switch_go: "Abrir e ligar",
    switch_done: "Esta automação já está ligada nesta conexão.",
    later: "Aparece quando o passo anterior estiver feito.",
};

static EN: Words = Words {
    intro: "Seven short steps, from the clinic's system to the first automation that is on. Nothing is sent to anybody before the last one.",
    done: "done",
    now: "now",
    next: "next",
    choose: "Choose where events come from",
    choose_how: "Each connection takes the events of one system: the calendar, the register, the payments.",
    choose_more: "Is yours missing? Who looks after the server adds its connection to zelo.toml; those that there are stand under Sources.",
    choose_go: "Choose",
    choose_none: "There is no connection yet. Who looks after the server adds it to zelo.toml, under [connections.name].",
    connection: "Connection",
    address: "Copy the address, and share the secret",
    address_how: "In the clinic's system, look for “webhooks” or “integrations”, and paste this address:",
    address_each: "Each kind of event has an ending of its own",
    event: "What happens",
    secret: "The secret",
    secret_is: |count| {
        if count == 1 {
            "This connection has one secret.".to_owned()
        } else {
            format!("This connection has {count} secrets, all of them valid.")
        }
    },
    secret_none: "This connection has no secret of its own: the system signs with a public key of its own.",
    secret_open: "This connection does not verify who sends: anybody can. Give it a secret before you use it for real.",
    secret_where: |name| {
        format!(
            "It is never shown here. It is on the server, where zelo.toml says under [connections.{name}]; where it does not say, in the file secrets/{name}."
        )
    },
    secret_ways: "The clinic's system shows that it knows the secret in one of these ways:",
    shows: |shows, place| match shows {
        Shows::Secret => format!("sends the secret itself in {place}"),
        Shows::Password => format!("sends a user and a password in {place}"),
        Shows::Signature => format!("signs each event with the secret, in {place} (HMAC)"),
        Shows::PublicKey => format!("signs each event with a key of its own, in {place}"),
    },
    sample: "Send a sample",
    sample_how: "It is a made-up event with the dates of today, and takes the same way in as a real one. What is on already acts as it would for a real one.",
    sample_kind: "Which sample",
    sample_go: "Send a sample",
    sample_none: "This source has no samples. Make a test from the system itself: its event shows up in the next step.",
    sample_known: "This sample had come before, so nothing has changed. Go on with it below.",
    sample_refused: "The sample was refused:",
    sample_unsigned: "Only the system itself can sign these events. Make a test from there: its event shows up in the next step.",
    sample_unread: "The file of the sample could not be read on the server. Choose another, or make a test from the system itself.",
    sample_came: "The sample has arrived.",
    arrived: "See it arrive",
    arrived_none: "Nothing has come through this connection yet. As soon as something does, it shows up here by itself.",
    arrived_look: "Go on with this one",
    arrived_this: "chosen",
    rule: "Choose an automation",
    rule_how: "These act when what you have just seen happens:",
    rule_none: "No automation acts on this kind of event. Choose another sample, or see them all under Automations.",
    rule_go: "See what it would do",
    rule_chosen: "chosen",
    would: "See what it would have done",
    would_how: "A rehearsal with this event and the initial settings. Nothing was sent, and nothing is kept.",
    would_nothing: "With this event, nothing. Why:",
    would_fire: "Send a sample for which it acts",
    would_unknown: "It could not be rehearsed:",
    switch: "Switch it on",
    switch_how: "On the page of the automation you choose the clinic and the settings, and switch it on. It acts on what comes from then on.",
    switch_go: "Open and switch on",
    switch_done: "This automation is on already for this connection.",
    later: "Shows up once the step before it is done.",
};
