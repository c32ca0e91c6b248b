//! Refusals as pages: where a browser asks for a page and the answer is a problem document, its reader is told in their language what
//! happened and what to do. Programs get the document as ever.

use axum::extract::Request;
use axum::response::Response;
use http::Method;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use maud::html;

use super::sign_in;
use super::visit::narrow;
use super::words::Words;
use super::{Language, language};
use crate::problem::Told;

/// What is said of one code: what happened, and what to do.
struct Say(&'static str, [&'static str; 2], [&'static str; 2]);

/// Those that a page can answer; Portuguese first, then English.
const SAID: [Say; 21] = [
    Say(
        "credential",
        ["Entre para ver esta página", "Sua entrada venceu, ou você ainda não entrou. Depois de entrar, você volta para cá."],
        ["Sign in to see this page", "You are not signed in, or no longer. Once you are, you come back here."],
    ),
    Say(
        "role",
        ["Seu acesso não permite isto", "Peça a quem administra o zelo na sua clínica que faça isto, ou que mude o seu acesso."],
        ["Your access does not allow this", "Ask an administrator of zelo at your clinic to do it, or to change your access."],
    ),
    Say(
        "automation",
        ["A automação continua como estava", "Ela não pode ser mudada assim. Volte, confira os ajustes e tente de novo."],
        ["The automation stands as it did", "It cannot be switched so. Go back, look at its settings and try once more."],
    ),
    Say(
        "clinics",
        ["Esta página é de todas as clínicas", "Seu acesso é só de algumas. Peça a quem tem acesso a todas."],
        ["This page is about all clinics", "Your access is for some of them. Ask somebody who has access to all."],
    ),
    Say(
        "not-found",
        [
            "Não encontramos isto",
            "Pode ter sido apagado, ser de outra clínica, ou o endereço está incompleto. Confira o endereço, ou procure pelo menu.",
        ],
        [
            "We cannot find this",
            "It may have been deleted, belong to another clinic, or the address is incomplete. Check the address, or look through the menu.",
        ],
    ),
    Say(
        "cross-site",
        ["Este pedido veio de outro site", "Por segurança, nada foi feito. Abra a página aqui no zelo e envie de novo."],
        ["This was sent from another site", "To be safe, nothing was done. Open the page here in zelo, and send it again."],
    ),
    Say(
        "malformed",
        ["Não entendemos o que foi enviado", "Nada foi feito. Volte, atualize a página e tente de novo."],
        ["We cannot read what was sent", "Nothing was done. Go back, load the page again and try once more."],
    ),
    Say(
        "query",
        ["Há algo errado neste endereço", "Um dos filtros não existe ou não está na forma certa. Volte e escolha de novo."],
        ["Something is wrong with this address", "One of its filters does not exist, or is not in its form. Go back and choose again."],
    ),
    Say(
        "method",
        ["Isto não se abre assim", "Este endereço é de um botão. Volte à página e use o botão dela."],
        ["This is not opened like that", "This address belongs to a button. Go back to the page and press it there."],
    ),
    Say(
        "slow",
        ["O envio demorou demais", "Nada foi feito. Veja se a internet está funcionando e envie de novo."],
        ["It took too long to arrive", "Nothing was done. See whether your connection works, and send it again."],
    ),
    Say(
        "too-large",
        ["É grande demais", "Nada foi feito. Diminua o que foi preenchido e envie de novo."],
        ["It is too large", "Nothing was done. Make what was filled in shorter, and send it again."],
    ),
    Say(
        "format",
        ["Não entendemos o que foi enviado", "Nada foi feito: veio em outro formato. Volte à página e use o formulário dela."],
        ["We cannot read what was sent", "Nothing was done: it came in another format. Go back to the page and use its form."],
    ),
    Say(
        "busy",
        ["Muita coisa ao mesmo tempo", "Nada foi feito. Espere alguns segundos e tente de novo."],
        ["Too much at once", "Nothing was done. Wait a few seconds, and try again."],
    ),
    Say(
        "unavailable",
        [
            "Os dados não estão respondendo",
            "Nada foi feito. Tente de novo em um minuto; se continuar, avise quem cuida do servidor: o registro dele diz o motivo.",
        ],
        [
            "The data cannot be reached",
            "Nothing was done. Try again in a minute; if it goes on, tell who looks after the server: its log says why.",
        ],
    ),
    Say("stopping", ["O zelo está reiniciando", "Tente de novo em um minuto."], ["zelo is restarting", "Try again in a minute."]),
    Say(
        "limited",
        ["Pedidos demais em pouco tempo", "Espere um pouco e tente de novo."],
        ["Too many requests in a short time", "Wait a little, and try again."],
    ),
    Say(
        "locked",
        ["Bloqueado por um tempo", "Houve tentativas demais deste endereço. Espere alguns minutos e tente de novo."],
        ["Locked out for a while", "There were too many tries from this address. Wait some minutes, and try again."],
    ),
    Say(
        "address",
        [
            "Não se entra por esta rede",
            "O zelo só aceita acessos de redes escolhidas. Use a rede da clínica, ou fale com quem cuida do servidor.",
        ],
        ["Not from this network", "zelo takes access from chosen networks only. Use the clinic's, or talk to who looks after the server."],
    ),
    Say(
        "job",
        ["A tarefa continua como estava", "Ela mudou enquanto você olhava. Volte, veja como está agora e decida de novo."],
        ["The job stands as it did", "It changed while you were looking. Go back, see how it stands now, and decide again."],
    ),
    Say(
        "held",
        ["Estes dados estão retidos", "Por isso não podem ser apagados. Libere a retenção antes."],
        ["These data are on hold", "So they cannot be erased. Let them go first."],
    ),
    Say(
        "internal",
        [
            "Algo quebrou no zelo",
            "Nada do que foi confirmado se perdeu. Tente de novo; se continuar, avise quem cuida do servidor: o registro dele diz onde foi.",
        ],
        [
            "Something broke in zelo",
            "Nothing is lost that was acknowledged. Try again; if it goes on, tell who looks after the server: its log says where.",
        ],
    ),
];

/// The longest address that one comes back to: a form has only so much room.
const BACK_MAX: usize = 2048;

/// Who asked for a page.
pub(crate) struct Asked {
    words: &'static Words,
    /// The page, where coming back to it is the same as having asked for it.
    back: Option<String>,
}

impl Asked {
    pub(crate) fn of(request: &Request) -> Option<Self> {
        if !is_page(request.method(), request.uri().path()) || !wants_page(request.headers()) {
            return None;
        }
        let Language(words) = Language(language::of(request.headers()));
        let back = request.uri().path_and_query().filter(|back| request.method() == Method::GET && back.as_str().len() <= BACK_MAX);
        Some(Self { words, back: back.map(|back| back.as_str().to_owned()) })
    }

    /// Makes a page of a refusal; anything else is answered as it is.
    pub(crate) fn answer(&self, response: Response) -> Response {
        match response.extensions().get::<Told>().copied() {
            Some(told) => self.page(told, response),
            None => response,
        }
    }

    /// The page in the place of `response`, with its status and what its headers say beside what the body is.
    fn page(&self, told: Told, response: Response) -> Response {
        let words = self.words;
        let (title, what) = said(words, told.code).unwrap_or((told.title, ""));
        let body = html! {
            div {
                h1 { (title) }
                @if !what.is_empty() { p { (what) } }
                @if told.code == "credential" {
                    (sign_in::forms(words, self.back.as_deref().unwrap_or("/")))
                } @else {
                    p { a.button href="/" { (words.place(super::visit::Place::Today)) } }
                }
                p { small.none { (response.status().as_u16()) " · " (told.code) } }
            }
        };
        let mut page = narrow(response.status(), words, title, &body);
        for (name, value) in response.headers() {
            if name != CONTENT_TYPE && name != CONTENT_LENGTH {
                page.headers_mut().append(name, value.clone());
            }
        }
        page
    }
}

fn said(words: &Words, code: &str) -> Option<(&'static str, &'static str)> {
    let Say(_, portuguese, english) = SAID.iter().find(|Say(known, ..)| *known == code)?;
    let [title, what] = if words.is_english() { english } else { portuguese };
    Some((title, what))
}

/// Whether this is where pages are, and not where programs ask.
fn is_page(method: &Method, path: &str) -> bool {
    let below = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let programs = ["/api", "/hooks", "/healthz", "/readyz", "/metrics", "/changes", "/style.css", "/icon.svg", "/zelo.js"];
    // What is posted there are CloudEvents; what is asked for is the page of an event.
    !(programs.into_iter().any(below) || below("/events") && method != Method::GET)
}

/// Whether the answer is to be looked at: browsers say so where they open a page.
fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut media = accepted.map(|range| range.split(';').next().unwrap_or_default().trim());
    media.any(|media| media.eq_ignore_ascii_case("text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::words::called;

    /// Those that nobody meets at a page: they are about deliveries, and about what only the API does.
    const ELSEWHERE: [&str; 6] = ["unverified", "origin", "handshake", "connection", "violation", "replay"];

    #[test]
    fn every_code_that_a_page_can_answer_has_words() {
        let source = include_str!("../problem.rs");
        let codes: Vec<&str> = source
            .split("StatusCode::")
            .skip(1)
            .filter_map(|part| part.split_once(", \"")?.1.split_once('"').map(|(code, _)| (part, code)))
            .filter(|(part, _)| {
                part.split(", \"").next().is_some_and(|status| status.chars().all(|one| one.is_ascii_uppercase() || one == '_'))
            })
            .map(|(_, code)| code)
            .chain(source.split("Self::later(").skip(1).filter_map(|part| part.split('"').nth(1)))
            .collect();
        assert!(codes.len() > 20, "{codes:?}");
        for code in &codes {
            let words = ["pt-BR", "en"].map(|lang| said(called(lang).unwrap(), code));
            let all = words.iter().all(|said| said.is_some_and(|(title, what)| !title.is_empty() && !what.is_empty()));
            assert!(all != ELSEWHERE.contains(code), "{code}: {words:?}");
        }
        assert!(SAID.iter().all(|Say(code, ..)| codes.contains(code)), "words for what is never said");
    }

    #[test]
    fn pages_are_told_from_what_programs_ask_for() {
        let page = |method: Method, path: &str| is_page(&method, path);
        for path in ["/", "/events/evt_1", "/apiary", "/nothing", "/sign-in"] {
            assert!(page(Method::GET, path), "{path}");
        }
        for path in ["/api/v1/jobs", "/hooks/acme/x", "/healthz", "/metrics", "/zelo.js"] {
            assert!(!page(Method::GET, path), "{path}");
        }
        assert!(!page(Method::POST, "/events") && page(Method::POST, "/halts"));
        let wants = |accept: &'static str| wants_page(&[(ACCEPT, accept.parse().unwrap())].into_iter().collect());
        assert!(wants("text/html,application/xhtml+xml,*/*;q=0.8") && wants("application/xml, text/html;q=0.9"));
        assert!(!wants("*/*") && !wants("application/json") && !wants_page(&HeaderMap::new()));
    }
}
