//! What a reason means, and what to do about it, for people who do not know how zelo works.

use crate::pages::words::Words as Common;

/// What is said about one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pages) struct Advice {
    pub(in crate::pages) code: &'static str,
    /// What happened.
    pub(in crate::pages) told: &'static str,
    /// What to do.
    pub(in crate::pages) todo: &'static str,
}

const fn say(code: &'static str, told: &'static str, todo: &'static str) -> Advice {
    Advice { code, told, todo }
}

/// About the codes that jobs end badly with.
pub(super) static JOBS_PT_BR: [Advice; 23] = [
    say(
        "unknown",
        "Não se sabe se um pedido a outro sistema foi atendido",
        "Veja no outro sistema se aquilo foi feito, e diga o que aconteceu em “Precisa de atenção”.",
    ),
    say(
        "plugin",
        "O outro lado não aceitou, ou o dado não serve",
        "Leia o que a automação disse no exemplo. Corrija o dado no seu sistema e tente de novo.",
    ),
    say("missing_late", "Faltou um dado depois de a tarefa começar", "Complete o dado no seu sistema e tente de novo."),
    say(
        "template",
        "Um texto da automação não pôde ser preenchido",
        "Um dado veio em outra forma do que o texto espera. Peça a quem cuida das regras que veja o exemplo; depois, tente de novo.",
    ),
    say(
        "destination_down",
        "O outro sistema ficou fora do ar até o prazo acabar",
        "Confirme que ele voltou a funcionar e tente de novo, aos poucos.",
    ),
    say("later", "O outro sistema recusou por enquanto, vezes demais", "Espere ele voltar ao normal e tente de novo, aos poucos."),
    say("store", "Os dados não puderam ser lidos ou gravados", "Veja se há espaço em disco no servidor. Depois, tente de novo."),
    say("no_plugin", "O plugin não está instalado", "Peça a quem cuida do servidor que instale o plugin de volta, e tente de novo."),
    say(
        "not_granted",
        "O plugin pede uma permissão que a regra não dá",
        "Peça a quem cuida das regras que dê a permissão, se for justa. Depois, tente de novo.",
    ),
    say("trap", "O plugin parou com um erro", "Avise quem fez o plugin, com o exemplo. Depois de atualizado, tente de novo."),
    say("differs", "O plugin não repetiu o que fez na tentativa anterior", "É um defeito do plugin: avise quem o fez, com o exemplo."),
    say(
        "crashed",
        "Nenhuma tentativa chegou ao fim",
        "O servidor parou no meio, várias vezes. Veja se tem memória bastante, e tente de novo.",
    ),
    say(
        "deadline",
        "A execução não terminou quando devia",
        "Tente de novo quando o servidor estiver mais livre. Se voltar, avise quem fez o plugin.",
    ),
    say(
        "cpu",
        "O plugin calculou por mais tempo do que pode",
        "Tente de novo quando o servidor estiver mais livre. Se voltar, avise quem fez o plugin.",
    ),
    say("wall", "A execução demorou mais do que pode", "O outro sistema pode estar lento. Tente de novo, aos poucos."),
    say("memory", "O plugin pediu mais memória do que pode usar", "Avise quem fez o plugin, com o exemplo: tentar de novo não basta."),
    say("tables", "O plugin pediu tabelas maiores do que pode usar", "Avise quem fez o plugin, com o exemplo: tentar de novo não basta."),
    say("stack", "As chamadas do plugin se aninharam demais", "Avise quem fez o plugin, com o exemplo: tentar de novo não basta."),
    say("host_calls", "O plugin fez mais chamadas do que pode", "Avise quem fez o plugin, com o exemplo: tentar de novo não basta."),
    say(
        "bytes_in",
        "O plugin receberia mais dados do que pode",
        "Peça a quem cuida das regras que mostre menos dados ao plugin. Depois, tente de novo.",
    ),
    say("bytes_out", "O plugin devolveu mais dados do que pode", "Avise quem fez o plugin, com o exemplo: tentar de novo não basta."),
    say("halted", "Foi interrompida por uma parada", "Mande continuar o que está parado, e tente de novo."),
    say("", "Motivo não registrado", "Abra o exemplo para ver o que aconteceu, e tente de novo."),
];

pub(super) static JOBS_EN: [Advice; 23] = [
    say(
        "unknown",
        "Nobody knows whether a request to another system was carried out",
        "Look in the other system whether it was, and say so under “Needs attention”.",
    ),
    say(
        "plugin",
        "The other side did not take it, or the data do not fit",
        "Read what the automation said in the example. Mend the data in your system, and try again.",
    ),
    say("missing_late", "Something was missing after the job had begun", "Fill it in in your system, and try again."),
    say(
        "template",
        "A text of the automation could not be filled in",
        "Something came in another form than the text expects. Ask who writes the rules to look at the example; then try again.",
    ),
    say(
        "destination_down",
        "The other system was down until the time was over",
        "See that it works again, and try again, a few at a time.",
    ),
    say("later", "The other system put it off, too many times", "Wait until it is well again, and try again, a few at a time."),
    say("store", "The data could not be read or written", "See whether there is room on the disk of the server. Then try again."),
    say("no_plugin", "The plugin is not installed", "Ask who runs the server to install it again, and try again."),
    say(
        "not_granted",
        "The plugin asks for a permission that its rule does not give",
        "Ask who writes the rules to give it, where that is right. Then try again.",
    ),
    say("trap", "The plugin broke off with an error", "Tell who made the plugin, with the example. When it is updated, try again."),
    say(
        "differs",
        "The plugin did not do again what it had done before",
        "This is a defect of the plugin: tell who made it, with the example.",
    ),
    say(
        "crashed",
        "None of its attempts came to an end",
        "The server stopped in the midst, several times. See whether it has enough memory, and try again.",
    ),
    say(
        "deadline",
        "A run did not end when it should",
        "Try again when the server has less to do. If it comes back, tell who made the plugin.",
    ),
    say(
        "cpu",
        "The plugin computed for longer than it may",
        "Try again when the server has less to do. If it comes back, tell who made the plugin.",
    ),
    say("wall", "A run took longer than it may", "The other system may be slow. Try again, a few at a time."),
    say(
        "memory",
        "The plugin asked for more memory than it may have",
        "Tell who made the plugin, with the example: trying again is not enough.",
    ),
    say(
        "tables",
        "The plugin asked for larger tables than it may have",
        "Tell who made the plugin, with the example: trying again is not enough.",
    ),
    say("stack", "The calls of the plugin were nested too deep", "Tell who made the plugin, with the example: trying again is not enough."),
    say("host_calls", "The plugin made more calls than it may", "Tell who made the plugin, with the example: trying again is not enough."),
    say("bytes_in", "The plugin would be given more data than it may", "Ask who writes the rules to show it less. Then try again."),
    say(
        "bytes_out",
        "The plugin gave back more data than it may",
        "Tell who made the plugin, with the example: trying again is not enough.",
    ),
    say("halted", "It was broken off by a halt", "Resume what is halted, and try again."),
    say("", "No reason was written down", "Open the example to see what happened, and try again."),
];

/// About the codes that deliveries are refused with.
static REFUSED_PT_BR: [Advice; 12] = [
    say(
        "unverified",
        "Não veio com a senha ou a assinatura certa",
        "Compare o segredo nos dois lados: o do outro sistema e o desta conexão. Se ninguém o mudou, alguém pode estar tentando entrar.",
    ),
    say(
        "malformed",
        "O conteúdo não pôde ser lido",
        "O outro sistema mudou o que envia, ou enviou pela metade. Mostre a quem cuida da integração.",
    ),
    say(
        "violation",
        "O conteúdo não tem a forma esperada",
        "O outro sistema mudou o que envia. Quem cuida da integração precisa ajustar a fonte.",
    ),
    say("too-large", "A entrega é grande demais", "Quem cuida da integração pode aumentar `max_body` na fonte, se o tamanho for normal."),
    say("format", "Veio em outro formato", "No outro sistema, escolha o formato que a fonte lê (quase sempre JSON)."),
    say("slow", "A entrega chegou devagar demais", "Quase sempre é a rede do outro lado. Se ele envia de novo sozinho, nada se perdeu."),
    say("handshake", "O aperto de mão não confere", "Copie de novo a palavra de verificação para os dois lados."),
    say("origin", "Veio de uma origem que não se esperava", "Acrescente a origem em `origins` da conexão, se for conhecida."),
    say("address", "Veio de um endereço que não é aceito", "Acrescente o endereço à conexão, se for do outro sistema."),
    say(
        "limited",
        "Chegou mais do que se aceita de uma vez",
        "Se o outro sistema envia de novo sozinho, nada se perdeu. Se é o normal, aumente o limite.",
    ),
    say("locked", "O endereço errou vezes demais e ficou bloqueado", "Confira o segredo no outro sistema; o bloqueio acaba sozinho."),
    say("method", "Foi pedido de outro modo do que se espera", "No outro sistema, escolha o método POST."),
];

static REFUSED_EN: [Advice; 12] = [
    say(
        "unverified",
        "It did not come with the right password or signature",
        "Compare the secret on both sides: in the other system and of this connection. If nobody changed it, somebody may be trying to get in.",
    ),
    say(
        "malformed",
        "Its content could not be read",
        "The other system has changed what it sends, or sent half of it. Show it to who sees to the integration.",
    ),
    say(
        "violation",
        "Its content is not in the form that was expected",
        "The other system has changed what it sends. Who sees to the integration has to mend the source.",
    ),
    say("too-large", "The delivery is too large", "Who sees to the integration can raise `max_body` in the source, if that size is usual."),
    say("format", "It came in another format", "Choose the format that the source reads in the other system (nearly always JSON)."),
    say(
        "slow",
        "The delivery came too slowly",
        "It is nearly always the network of the other side. If that sends again by itself, nothing is lost.",
    ),
    say("handshake", "The handshake is not right", "Copy the verification word to both sides again."),
    say("origin", "It came from an origin that was not expected", "Add it to `origins` of the connection, if you know it."),
    say("address", "It came from an address that is not let in", "Add the address to the connection, if it is that of the other system."),
    say(
        "limited",
        "More came at once than is taken",
        "If the other system sends again by itself, nothing is lost. If this is usual, raise the limit.",
    ),
    say(
        "locked",
        "The address was wrong too many times, and is locked out",
        "See to the secret in the other system; the lock ends by itself.",
    ),
    say("method", "It was asked in another way than is expected", "Choose the method POST in the other system."),
];

/// About a job that ended badly.
pub(in crate::pages) fn of_job(common: &Common, code: &str) -> Option<Advice> {
    find(if common.is_english() { &JOBS_EN } else { &JOBS_PT_BR }, code)
}

/// About a refused delivery.
pub(super) fn of_refusal(common: &Common, code: &str) -> Option<Advice> {
    find(if common.is_english() { &REFUSED_EN } else { &REFUSED_PT_BR }, code)
}

fn find(all: &[Advice], code: &str) -> Option<Advice> {
    all.iter().find(|advice| advice.code == code).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::words::called;

    /// What stands between `before` and the next quotation mark, wherever that is in `text`.
    fn quoted<'t>(text: &'t str, before: &'t str) -> impl Iterator<Item = &'t str> {
        text.match_indices(before).filter_map(move |(at, _)| text[at + before.len()..].split('"').next())
    }

    #[test]
    fn every_reason_that_ends_a_job_badly_comes_with_what_to_do() {
        let attempt = include_str!("../../../../runtime/src/attempt.rs");
        let settle = include_str!("../../../../core/src/settle.rs");
        let limits = include_str!("../../../../host/src/limits.rs");
        let limits = &limits[limits.find("fn as_str").unwrap()..limits.find("impl fmt::Display for Limit").unwrap_or(limits.len())];
        let limits = &limits[..limits.find("\n    }\n").unwrap()];
        let mut codes: Vec<&str> = ["dead(\"", "later(\"", ": &str = \""].into_iter().flat_map(|before| quoted(attempt, before)).collect();
        codes.extend(quoted(settle, "Reason::new(\"").filter(|code| *code != "cancelled"));
        codes.extend(quoted(limits, "=> \""));
        codes.extend([zelo_core::breaker::DOWN, "template", "unknown"]);
        assert!(codes.len() > 20, "{codes:?}");
        for common in ["pt-BR", "en"].map(|lang| called(lang).unwrap()) {
            // What waits for a person ends as skipped.
            for code in codes.iter().filter(|code| **code != "missing") {
                let advice = of_job(common, code).unwrap_or_else(|| panic!("{code} has no advice in {}", common.lang));
                assert!(advice.told.len() > 10 && advice.todo.len() > 10, "{code}");
            }
        }
        let same = JOBS_PT_BR.iter().zip(&JOBS_EN).chain(REFUSED_PT_BR.iter().zip(&REFUSED_EN));
        assert!(same.clone().all(|(one, other)| one.code == other.code && one.told != other.told && one.todo != other.todo));
    }

    #[test]
    fn every_refusal_of_a_delivery_comes_with_what_to_do() {
        // The problems that no delivery is refused with.
        const OTHERS: [&str; 17] = [
            "busy",
            "unavailable",
            "stopping",
            "internal",
            "connection",
            "query",
            "credential",
            "cross-site",
            "role",
            "clinics",
            "replay",
            "automation",
            "not-found",
            "held",
            "job",
            "method",
            "locked",
        ];
        let problems = include_str!("../../problem.rs");
        let codes = problems.match_indices("Self::new(StatusCode::").filter_map(|(at, _)| {
            let (status, rest) = problems[at..].split_once(", ")?;
            // Where it is a name, it stands as a text elsewhere.
            rest.strip_prefix('"').filter(|_| !status.contains('\n')).and_then(|rest| rest.split('"').next())
        });
        let codes: Vec<&str> = codes.filter(|code| !OTHERS.contains(code)).collect();
        assert!(codes.len() >= 8, "{codes:?}");
        for common in ["pt-BR", "en"].map(|lang| called(lang).unwrap()) {
            assert!(codes.iter().all(|code| of_refusal(common, code).is_some()), "{codes:?}");
        }
    }
}
