//! What names and shapes say about deliveries.

use jiff::tz::TimeZone;
use serde_json::Value;

use super::shape::{Leaf, leaves};
use super::{Seen, text};
use crate::time;

/// Names of what kind an event is of, the likelier ones first.
const KINDS: [&str; 10] = ["event_type", "eventtype", "event", "type", "topic", "evento", "tipo", "kind", "action", "trigger"];
/// Names of what identifies a delivery, where it is a value of the document itself.
const IDS: [&str; 8] = ["event_id", "eventid", "delivery_id", "webhook_id", "notification_id", "message_id", "uuid", "id"];
/// Names of times, the likelier ones first.
const TIMES: [&str; 14] = [
    "timestamp",
    "occurred_at",
    "event_time",
    "created_at",
    "createdat",
    "created",
    "datecreated",
    "date_created",
    "sent_at",
    "time",
    "date",
    "updated_at",
    "updatedat",
    "data_hora",
];
/// What wraps the thing that a delivery is about, and does not say what it is.
const WRAPS: [&str; 8] = ["data", "object", "payload", "resource", "body", "content", "item", "entity"];
/// Pieces of names of what tells who somebody is.
const PERSONAL: [&str; 24] = [
    "name",
    "nome",
    "mail",
    "phone",
    "telefone",
    "celular",
    "mobile",
    "whatsapp",
    "cpf",
    "cnpj",
    "document",
    "rg",
    "address",
    "endereco",
    "street",
    "rua",
    "city",
    "cidade",
    "zip",
    "cep",
    "birth",
    "nascimento",
    "contact",
    "contato",
];
/// Names of what is nobody's.
const PUBLIC: [&str; 8] = ["status", "currency", "version", "api_version", "livemode", "locale", "timezone", "environment"];

/// A kind of event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// The event type.
    pub(super) name: String,
    /// What the delivery called it.
    pub(super) said: String,
    /// What `match` says, as TOML.
    pub(super) matched: Option<String>,
}

/// What is proposed.
pub(super) struct Guess {
    /// Of each delivery.
    pub(super) kinds: Vec<Kind>,
    pub(super) id: Option<String>,
    pub(super) time: Option<String>,
    /// The type of an entity, and where its id stands.
    pub(super) entity: Option<(String, String)>,
    /// An item of `subjects`, as TOML.
    pub(super) person: Option<String>,
    pub(super) public: Vec<String>,
    pub(super) personal: Vec<String>,
    /// The rest.
    pub(super) unknown: Vec<String>,
}

/// Where the kind of an event stands.
enum KindAt {
    Header(String),
    Body(String),
    Path,
}

impl Guess {
    pub(super) fn of(id: &str, seen: &[Seen<'_>]) -> Self {
        let all: Vec<Vec<Leaf<'_>>> = seen.iter().map(|seen| leaves(&seen.document)).collect();
        let first = all.first().map_or(&[][..], Vec::as_slice);
        let at = kind_at(seen, &all);
        let kinds: Vec<Kind> = seen.iter().zip(&all).map(|(seen, leaves)| kind(id, &at, seen, leaves)).collect();
        let person = person(first);
        let identity = identity(seen, &all);
        let time = best(first, &TIMES, |leaf| leaf.names.len() <= 3 && is_time(leaf.value));
        let entity = entity(&kinds, first, person.as_ref().map_or("", |person| person.at.as_str()));
        let mut guess = Self {
            kinds,
            id: identity,
            time,
            entity,
            person: person.as_ref().map(Person::toml),
            public: Vec::new(),
            personal: Vec::new(),
            unknown: Vec::new(),
        };
        let kind_path = match at {
            KindAt::Body(path) => Some(path),
            _ => None,
        };
        for leaf in all.iter().flatten() {
            let class = guess.class(leaf, kind_path.as_deref(), person.as_ref());
            if !class.contains(&leaf.path) {
                class.push(leaf.path.clone());
            }
        }
        guess
    }

    /// The list that a leaf belongs into.
    fn class(&mut self, leaf: &Leaf<'_>, kind: Option<&str>, person: Option<&Person>) -> &mut Vec<String> {
        let name = leaf.names.last().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
        let at = Some(leaf.path.as_str());
        let of_person = person.is_some_and(|person| is_below(&leaf.path, &person.at) && person.at != "$");
        let names_it = at == kind || at == self.id.as_deref() || at == self.time.as_deref();
        let is_entity = self.entity.as_ref().is_some_and(|(_, id)| *id == leaf.path);
        // A class holds for a path of names: of what stands in a list nobody can say that it is less than sensitive.
        if leaf.in_list {
            &mut self.unknown
        } else if names_it || (!of_person && (is_entity || PUBLIC.contains(&name.as_str()))) {
            &mut self.public
        } else if PERSONAL.iter().any(|piece| name.contains(piece)) || (of_person && name == "id") {
            &mut self.personal
        } else {
            &mut self.unknown
        }
    }
}

/// Where deliveries say what they are about: where they differ, if there are several; else where the likeliest name is.
fn kind_at(seen: &[Seen<'_>], all: &[Vec<Leaf<'_>>]) -> KindAt {
    let header = seen.first().and_then(|first| {
        let names = first.caught.headers.iter().map(|(name, _)| name);
        let mut names = names.filter(|name| ["event", "topic", "event-type"].iter().any(|end| name.ends_with(end)) && name.contains('-'));
        names.find(|name| seen.iter().all(|seen| seen.caught.headers.iter().any(|(known, _)| known == *name)))
    });
    if let Some(header) = header {
        return KindAt::Header(header.clone());
    }
    let paths: Vec<&str> = seen.iter().map(|seen| seen.caught.path.as_str()).collect();
    let mut found: Vec<(bool, usize, usize, &str)> = Vec::new();
    for leaf in all.first().into_iter().flatten().filter(|leaf| !leaf.in_list && leaf.names.len() <= 3 && is_word(leaf.value)) {
        let Some(rank) = rank(leaf, &KINDS) else { continue };
        let values = all.iter().map(|leaves| leaves.iter().find(|other| other.path == leaf.path).map(|other| other.value));
        let values: Vec<_> = values.collect();
        if values.iter().all(Option::is_some) {
            let same = values.windows(2).all(|pair| pair[0] == pair[1]);
            found.push((same, leaf.names.len(), rank, &leaf.path));
        }
    }
    found.sort();
    match found.first() {
        // Paths that differ say more than a value that does not.
        Some((true, ..)) if paths.windows(2).any(|pair| pair[0] != pair[1]) => KindAt::Path,
        Some((_, _, _, path)) => KindAt::Body((*path).to_owned()),
        None => KindAt::Path,
    }
}

fn kind(source: &str, at: &KindAt, seen: &Seen<'_>, leaves: &[Leaf<'_>]) -> Kind {
    match at {
        KindAt::Header(name) => {
            let said = seen.caught.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
            let matched = format!("{{ header = {{ name = {}, equals = {} }} }}", text(name), text(said));
            Kind { name: type_name(source, said), said: said.to_owned(), matched: Some(matched) }
        }
        KindAt::Body(path) => {
            let said = leaves.iter().find(|leaf| leaf.path == *path).and_then(|leaf| leaf.value.as_str()).unwrap_or_default();
            let matched = format!("{{ body = {{ path = {}, equals = {} }} }}", text(path), text(said));
            Kind { name: type_name(source, said), said: said.to_owned(), matched: Some(matched) }
        }
        KindAt::Path => {
            let said = seen.caught.path.trim_matches('/');
            let matched = (!said.is_empty()).then(|| format!("{{ path = {} }}", text(said)));
            Kind { name: type_name(source, if said.is_empty() { "received" } else { said }), said: said.to_owned(), matched }
        }
    }
}

/// An event type out of what a provider calls it: `PAYMENT_RECEIVED`, `invitee.created`, `orders/create`, `appointmentCreated`.
fn type_name(source: &str, said: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for char in said.chars() {
        let begins = !before.is_ascii_alphanumeric() || (char.is_ascii_uppercase() && before.is_ascii_lowercase());
        if char.is_ascii_alphanumeric() {
            if begins || words.is_empty() {
                words.push(String::new());
            }
            words.iter_mut().next_back().into_iter().for_each(|word| word.push(char.to_ascii_lowercase()));
        }
        before = char;
    }
    match words.len() {
        0 => format!("{}.received", source.replace('-', "_")),
        1 => format!("{}.{}", source.replace('-', "_"), words[0]),
        _ => format!("{}.{}", words[0], words[1..].join("_")),
    }
}

/// What identifies a delivery: a header that is made for it, or an id of the document itself. It differs between deliveries.
fn identity(seen: &[Seen<'_>], all: &[Vec<Leaf<'_>>]) -> Option<String> {
    let differ = |values: Vec<Option<String>>| {
        let distinct: std::collections::BTreeSet<_> = values.iter().collect();
        values.iter().all(Option::is_some) && distinct.len() == values.len()
    };
    let headers = seen.first()?.caught.headers.iter().map(|(name, _)| name);
    let made =
        |name: &&String| ["webhook-id", "event-id", "delivery-id", "delivery", "notification-id"].iter().any(|end| name.ends_with(end));
    let value = |seen: &Seen<'_>, name: &str| seen.caught.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let mut headers = headers.filter(made).filter(|name| differ(seen.iter().map(|seen| value(seen, name)).collect()));
    if let Some(name) = headers.next() {
        return Some(format!("{{header:{name}}}"));
    }
    let own = all.first()?.iter().filter(|leaf| leaf.names.len() == 1 && !leaf.in_list && crate::json::id_text(leaf.value).is_some());
    let mut own: Vec<(usize, &str)> = own.filter_map(|leaf| Some((rank(leaf, &IDS)?, leaf.path.as_str()))).collect();
    own.sort_unstable();
    let value =
        |leaves: &[Leaf<'_>], path: &str| leaves.iter().find(|leaf| leaf.path == path).and_then(|leaf| crate::json::id_text(leaf.value));
    let mut own = own.into_iter().filter(|(_, path)| differ(all.iter().map(|leaves| value(leaves, path)).collect()));
    own.next().map(|(_, path)| path.to_owned())
}

/// The thing that a delivery is about: what has an id of its own, and is no person.
fn entity(kinds: &[Kind], leaves: &[Leaf<'_>], person: &str) -> Option<(String, String)> {
    let ids = leaves
        .iter()
        .filter(|leaf| !leaf.in_list && leaf.names.len() > 1 && leaf.names.last().is_some_and(|name| name.eq_ignore_ascii_case("id")));
    let mut ids: Vec<&Leaf<'_>> = ids.filter(|leaf| person.is_empty() || person == "$" || !is_below(&leaf.path, person)).collect();
    ids.sort_by_key(|leaf| leaf.names.len());
    let leaf = ids.first()?;
    let around = leaf.names[..leaf.names.len() - 1].iter().rev().find(|name| !WRAPS.contains(&name.to_ascii_lowercase().as_str()));
    let called = around.map(|name| (*name).to_owned()).or_else(|| Some(kinds.first()?.name.split('.').next()?.to_owned()))?;
    Some((called.to_ascii_lowercase(), leaf.path.clone()))
}

/// Somebody a delivery speaks of.
struct Person {
    /// The path of the object.
    at: String,
    id: String,
    /// Which identity stands where.
    known_by: Vec<(&'static str, String)>,
}

impl Person {
    fn toml(&self) -> String {
        let known: String = self.known_by.iter().map(|(kind, path)| format!(", {kind} = {}", text(path))).collect();
        format!("{{ id = {}{known} }}", text(&self.id))
    }
}

/// The object that has most of what people are known by.
fn person(leaves: &[Leaf<'_>]) -> Option<Person> {
    let mut people: Vec<Person> = Vec::new();
    for leaf in leaves.iter().filter(|leaf| !leaf.in_list && crate::json::id_text(leaf.value).is_some()) {
        let Some(name) = leaf.names.last().map(|name| name.to_ascii_lowercase()) else { continue };
        let kind = match name.as_str() {
            _ if name.contains("mail") => "email",
            _ if ["phone", "telefone", "celular", "mobile", "whatsapp"].iter().any(|piece| name.contains(piece)) => "phone",
            _ if ["cpf", "document", "documento", "cpfcnpj"].contains(&name.as_str()) => "cpf",
            _ => continue,
        };
        let at = parent(&leaf.path, leaf.names.last().copied().unwrap_or_default());
        match people.iter_mut().find(|person| person.at == at) {
            Some(person) if person.known_by.iter().any(|(known, _)| *known == kind) => {}
            Some(person) => person.known_by.push((kind, leaf.path.clone())),
            None => people.push(Person { at, id: leaf.path.clone(), known_by: vec![(kind, leaf.path.clone())] }),
        }
    }
    let mut person = people.into_iter().rev().max_by_key(|person| person.known_by.len())?;
    let own_id = leaves.iter().find(|leaf| person.at != "$" && leaf.path == super::shape::step(&person.at, "id"));
    if let Some(own) = own_id {
        person.id = own.path.clone();
    }
    Some(person)
}

fn parent(path: &str, name: &str) -> String {
    let short = path.strip_suffix(name).and_then(|path| path.strip_suffix('.'));
    short.map_or_else(|| path[..path.rfind("['").unwrap_or(1)].to_owned(), str::to_owned)
}

fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// The likeliest name among those that `fit`; of equally likely ones the one that is less deep.
fn best(leaves: &[Leaf<'_>], names: &[&str], fits: impl Fn(&Leaf<'_>) -> bool) -> Option<String> {
    let found = leaves.iter().filter(|leaf| !leaf.in_list && fits(leaf));
    let ranked = found.filter_map(|leaf| Some((leaf.names.len(), rank(leaf, names)?, leaf.path.as_str())));
    ranked.min().map(|(_, _, path)| path.to_owned())
}

fn rank(leaf: &Leaf<'_>, names: &[&str]) -> Option<usize> {
    let name = leaf.names.last()?.to_ascii_lowercase();
    names.iter().position(|known| *known == name)
}

/// A word or a few with dots, underscores or slashes between them, as providers name events.
fn is_word(value: &Value) -> bool {
    let fits = |text: &str| text.chars().all(|char| char.is_ascii_alphanumeric() || "._-/:".contains(char));
    value.as_str().is_some_and(|text| (1..=64).contains(&text.len()) && fits(text) && !text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A time as text, or seconds or milliseconds since 1970 that fall between 2001 and 2100.
fn is_time(value: &Value) -> bool {
    let seconds =
        |number: i64| (1_000_000_000..4_102_444_800).contains(&number) || (1_000_000_000_000..4_102_444_800_000).contains(&number);
    match value {
        Value::Number(number) => number.as_i64().is_some_and(seconds),
        Value::String(text) => time::instant(text, &TimeZone::UTC).is_some() || text.parse().is_ok_and(seconds),
        _ => false,
    }
}
