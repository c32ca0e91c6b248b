//! Handshakes: how a provider asks whether we are here, before it sends anything.
//!
//! They are answered before anything is stored. What is answered is text that the provider sent, so it is short, and never a page.

use super::file::pick;
use super::verify::same;
use super::{Delivery, Refusal, Source};
use crate::diagnostic::error;
use crate::facts::{Asked, Facts};
use crate::path::Path;
use crate::reader::{Item, Table};

/// The longest answer, in bytes.
const ANSWER_MAX: usize = 1024;

/// A request of a provider that is no delivery.
#[derive(Clone, Debug)]
pub struct Handshake {
    method: Method,
    /// A text that stands there tells it from deliveries.
    when: (Spot, String),
    /// What must be what the connection's `handshake` is.
    check: Option<Spot>,
    /// What it is answered.
    answer: Spot,
}

/// How a handshake is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    /// Verified as any delivery.
    Post,
}

/// What `method` may say.
pub(crate) const METHODS: [(&str, Method); 2] = [("GET", Method::Get), ("POST", Method::Post)];

/// A place in a request.
#[derive(Clone, Debug)]
enum Spot {
    Query(String),
    Body(Path),
}

impl Source {
    /// Whether a provider may ask by `method`.
    pub fn has_handshake(&self, method: Method) -> bool {
        self.handshakes.iter().any(|handshake| handshake.method == method)
    }

    /// What `request` is to be answered, if it is a handshake. `secret` is what the connection shares with the provider for it.
    ///
    /// # Errors
    /// It is one, and is refused: it does not know the secret, there is none, or the answer would be too long.
    pub fn handshake(&self, method: Method, request: &Delivery<'_>, secret: Option<&[u8]>) -> Result<Option<String>, Refusal> {
        if !self.has_handshake(method) {
            return Ok(None);
        }
        let text = if method == Method::Post { self.text(request).ok() } else { None };
        let asked = Asked::default();
        // What is no document is no handshake; whoever reads it as a delivery says what is wrong with it.
        let facts = text.as_deref().and_then(|text| Facts::read(&asked, text).ok());
        let place = Place { request, facts: facts.as_ref() };
        let mut ours = self.handshakes.iter().filter(|handshake| handshake.method == method);
        let found = ours.find(|handshake| place.text(&handshake.when.0).is_some_and(|text| text == handshake.when.1));
        found.map(|handshake| handshake.answer(&place, secret)).transpose()
    }
}

impl Handshake {
    fn answer(&self, place: &Place<'_, '_>, secret: Option<&[u8]>) -> Result<String, Refusal> {
        let refuse = |why: String| Err(Refusal::Handshake { why });
        if let Some(check) = &self.check {
            let Some(secret) = secret.filter(|secret| !secret.is_empty()) else {
                return refuse("this connection has no `handshake` in zelo.toml to compare with".to_owned());
            };
            let given = place.text(check);
            if !bool::from(same(given.as_deref().unwrap_or_default().as_bytes(), secret)) {
                return refuse(format!("its {check} is not what this connection expects"));
            }
        }
        match place.text(&self.answer).filter(|answer| !answer.is_empty()) {
            Some(answer) if answer.len() <= ANSWER_MAX => Ok(answer),
            Some(_) => Err(Refusal::Malformed { why: format!("its {} has more than {ANSWER_MAX} bytes", self.answer) }),
            None => Err(Refusal::Malformed { why: format!("its {} is missing, or no text", self.answer) }),
        }
    }
}

impl std::fmt::Display for Spot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Query(name) => write!(f, "`{name}`"),
            Self::Body(path) => write!(f, "`{}`", path.as_str()),
        }
    }
}

/// A request, with its body where it has one.
struct Place<'p, 'f> {
    request: &'p Delivery<'p>,
    facts: Option<&'p Facts<'f>>,
}

impl Place<'_, '_> {
    /// The text that stands at `spot`. What is there twice is not there.
    fn text(&self, spot: &Spot) -> Option<String> {
        match spot {
            Spot::Query(name) => String::from_utf8(self.request.parameter(name).ok()??.into_owned()).ok(),
            Spot::Body(path) => self.facts?.read_first(path, |node| node.text().map(str::to_owned)),
        }
    }
}

/// Reads the list `handshakes`.
pub(super) fn handshakes(item: Item<'_>) -> Vec<Handshake> {
    let items = item.array().unwrap_or_default();
    items.into_iter().filter_map(|item| handshake(&item.table("handshakes")?)).collect()
}

fn handshake(table: &Table<'_>) -> Option<Handshake> {
    let method = table.need("method").and_then(|item| pick(item, "method", &METHODS));
    let when = table.need("when").and_then(|item| item.table("when")).and_then(|table| {
        let equals = table.need_string("equals");
        let spot = spot(&table, method);
        table.finish();
        Some((spot?, equals?.value.to_owned()))
    });
    let place = |item: Item<'_>, name: &str| {
        let table = item.table(name)?;
        let spot = spot(&table, method);
        table.finish();
        spot
    };
    let check = table.get("check").map(|item| place(item, "check"));
    let answer = table.need("answer").and_then(|item| place(item, "answer"));
    table.finish();
    let check = match check {
        None => None,
        Some(check) => Some(check?),
    };
    Some(Handshake { method: method?, when: when?, check, answer: answer? })
}

/// `query` or `body`.
fn spot(table: &Table<'_>, method: Option<Method>) -> Option<Spot> {
    let query = table.string("query");
    let Some(item) = table.get("body") else {
        if query.is_none() {
            table.report().push(error("missing-key", table.span.clone(), "`query` or `body` is missing here"));
        }
        return query.map(|name| Spot::Query(name.value.to_owned()));
    };
    if query.is_some() || method == Some(Method::Get) {
        let why = if query.is_some() { "it stands either in the query or in the body" } else { "a GET has no body" };
        table.report().push(error("contradiction", item.span(), why));
        return None;
    }
    let path = item.path()?;
    if !path.is_singular() {
        let finding = error("not-singular", item.span(), format!("`{}` may yield several values", path.as_str()));
        table.report().push(finding.help("a handshake names one place by names and indexes"));
        return None;
    }
    Some(Spot::Body(path))
}
