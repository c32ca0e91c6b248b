//! Of which connection or clinic a list is: the choice in its filter, and what it comes to. And the small parts that lists share.

use std::collections::BTreeSet;

use maud::{Markup, html};
use zelo_store::Page;

use super::names::one;
use super::visit::Visit;
use super::words::Words;
use crate::App;
use crate::problem::Problem;

/// Clinics that a choice offers, and whose names are known.
const CLINICS: u32 = 200;
/// Signs of an id that stand for all of it, where it is longer than people read.
const SHORT: usize = 8;
const LONG: usize = 12;

/// The connections and clinics that a reader is told of.
pub(crate) struct Places {
    words: &'static Words,
    places: Vec<Place>,
}

struct Place {
    connection: String,
    clinic: Option<String>,
    name: String,
    /// Whether it is offered though nobody has chosen it.
    offered: bool,
}

impl Places {
    /// Those of the reader.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) async fn of(visit: &Visit) -> Result<Self, Problem> {
        let (runtime, words) = (&visit.app.runtime, visit.words);
        let page = Page { limit: CLINICS, clinics: visit.who.clinics.clone(), ..Page::default() };
        let mut places: Vec<Place> = Vec::new();
        for view in runtime.store.records(&page, Some("clinic")).await? {
            let name = view.document.get("name").and_then(|name| name.as_str()).filter(|name| !name.is_empty());
            let name = name.map_or_else(|| nameless(words, &view.id), str::to_owned);
            places.push(Place { connection: view.connection, clinic: Some(view.id), name, offered: true });
        }
        if visit.who.sees_everything() && runtime.connections.len() > 1 {
            let used = in_use(&visit.app);
            let whole = |name: &String| {
                let offered = used.contains(name) || places.iter().any(|clinic| clinic.connection == *name);
                Place { connection: name.clone(), clinic: None, name: name.clone(), offered }
            };
            let whole: Vec<Place> = runtime.connections.keys().map(whole).collect();
            places.extend(whole);
        }
        for one in visit.who.clinics.named().into_iter().flatten() {
            if !places.iter().any(|place| place.is(&one.connection, &one.clinic)) {
                let name = nameless(words, &one.clinic);
                places.push(Place { connection: one.connection.clone(), clinic: Some(one.clinic.clone()), name, offered: true });
            }
        }
        places.sort_by(|one, other| (one.clinic.is_some(), &one.name).cmp(&(other.clinic.is_some(), &other.name)));
        Ok(Self { words, places })
    }

    /// What a clinic is called; by its id, where that is not known.
    pub(crate) fn name(&self, connection: &str, clinic: Option<&str>) -> Option<Markup> {
        let clinic = clinic?;
        let known = self.places.iter().find(|place| place.is(connection, clinic));
        Some(titled(clinic, known.map_or(&nameless(self.words, clinic), |place| &place.name)))
    }

    /// A connection, with its clinic where there is one.
    pub(crate) fn whole(&self, connection: &str, clinic: Option<&str>) -> Markup {
        html! { (connection) @if let Some(clinic) = self.name(connection, clinic) { " · " (clinic) } }
    }

    /// The choice under `label`: of the places that are in use, and of the one that is chosen; nothing where there is none. `all` stands
    /// for every place.
    pub(crate) fn select(&self, label: &str, all: &str, chosen: &str) -> Markup {
        let offered: Vec<&Place> = self.places.iter().filter(|place| place.offered || place.value() == chosen).collect();
        let known = chosen.is_empty() || offered.iter().any(|place| place.value() == chosen);
        html! {
            @if offered.len() > 1 || !known {
                label { (label)
                    select name="place" {
                        option value="" { (all) }
                        @for place in &offered {
                            @let value = place.value();
                            option value=(value) selected[value == chosen] title=[place.clinic.as_deref()] { (place.name) }
                        }
                        @if !known {
                            option value=(chosen) selected {
                                @if let Some((_, clinic)) = chosen.split_once('/') { (nameless(self.words, clinic)) } @else { (chosen) }
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Place {
    fn is(&self, connection: &str, clinic: &str) -> bool {
        self.connection == connection && self.clinic.as_deref() == Some(clinic)
    }

    fn value(&self) -> String {
        match &self.clinic {
            Some(clinic) => format!("{}/{clinic}", self.connection),
            None => self.connection.clone(),
        }
    }
}

/// The connections that are in use: through which something came, or was turned away, or where an automation is on.
pub(crate) fn in_use(app: &App) -> BTreeSet<String> {
    let runtime = &app.runtime;
    let heard = runtime.heard().into_iter().map(|heard| (heard.last.is_some(), heard.connection));
    let heard = heard.filter(|(came, name)| *came || !runtime.heard_by_hour(name).is_empty()).map(|(_, name)| name);
    heard.chain(runtime.rules.current().in_force.automations().map(|one| one.connection.clone())).collect()
}

/// What a clinic is called that has no name: by the beginning of its id.
pub(crate) fn nameless(words: &Words, clinic: &str) -> String {
    if clinic.chars().count() <= LONG {
        return one(words, "clinic", clinic);
    }
    let short: String = clinic.chars().take(SHORT).collect();
    format!("{}…", one(words, "clinic", short.trim_end()))
}

/// The name of a clinic; under it its id, for who has to tell it apart.
pub(crate) fn titled(clinic: &str, name: &str) -> Markup {
    html! { span title=(clinic) { (name) } }
}

/// `page`, of the place that was chosen.
pub(crate) fn narrowed(page: Page, chosen: &str) -> Page {
    let (connection, clinic) = match chosen.split_once('/') {
        Some((connection, clinic)) => (connection, Some(clinic.to_owned())),
        None => (chosen, None),
    };
    Page { connection: Some(connection.to_owned()).filter(|name| !name.is_empty()), clinic, ..page }
}

/// What an automation is called whose doing `action` is, a `rule/action`; nothing where that is not known.
pub(crate) fn automation(visit: &Visit, action: &str) -> Option<String> {
    let id = action.split('/').next().filter(|id| !id.is_empty())?;
    let edition = visit.app.runtime.rules.current();
    let title = edition.rules.rule(id).and_then(|rule| rule.title.get(visit.words.lang));
    Some(title.map_or(id, String::as_str).to_owned())
}

/// A query that is not one.
pub(crate) fn unreadable<E>(_: E) -> Problem {
    Problem::query("The query of this page has a parameter that it does not have, or one that is not in its form.")
}

/// A CPF or CNPJ as people write it, where `text` is the signs of one alone: `123.456.789-09`, `12.345.678/0001-95`. A CNPJ may have letters,
/// but for its last two signs (Receita Federal, IN 2.229/2024).
pub(crate) fn registration(text: &str) -> String {
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    let marks: &[(usize, char)] = match text.as_bytes() {
        cpf if cpf.len() == 11 && digits(cpf) => &[(3, '.'), (6, '.'), (9, '-')],
        cnpj if cnpj.len() == 14 && digits(&cnpj[12..]) && cnpj.iter().all(|sign| sign.is_ascii_digit() || sign.is_ascii_uppercase()) => {
            &[(2, '.'), (5, '.'), (8, '/'), (12, '-')]
        }
        _ => return text.to_owned(),
    };
    let mut told = String::new();
    for (place, sign) in text.chars().enumerate() {
        told.extend(marks.iter().find(|(before, _)| *before == place).map(|(_, mark)| mark));
        told.push(sign);
    }
    told
}

/// A phone number as people write it, where it is one of Brazil.
pub(crate) fn phone(text: &str) -> String {
    let Some(rest) = text.strip_prefix("+55").filter(|rest| rest.bytes().all(|byte| byte.is_ascii_digit())) else { return text.to_owned() };
    match rest.len() {
        10 | 11 => format!("({}) {}-{}", &rest[..2], &rest[2..rest.len() - 4], &rest[rest.len() - 4..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_told_as_people_write_it() {
        let told = ["+5511987654321", "+551133334444", "+351912345678", "+55ab", "ana@example.com", "+55é1987654321"].map(phone);
        assert_eq!(told, ["(11) 98765-4321", "(11) 3333-4444", "+351912345678", "+55ab", "ana@example.com", "+55é1987654321"]);
    }

    #[test]
    fn a_registration_is_told_as_people_write_it() {
        for (text, told) in [
            ("12345678909", "123.456.789-09"),
            ("12345678000195", "12.345.678/0001-95"),
            ("12ABC34501DE35", "12.ABC.345/01DE-35"),
            ("123.456.789-09", "123.456.789-09"),
            ("1234567890", "1234567890"),
            ("12abc34501de35", "12abc34501de35"),
            ("12ABC34501DEAB", "12ABC34501DEAB"),
            ("1234567890é", "1234567890é"),
            ("", ""),
        ] {
            assert_eq!(registration(text), told);
        }
    }

    #[test]
    fn a_clinic_without_a_name_is_told_by_the_beginning_of_its_id() {
        let words = crate::pages::words::called("pt-BR").unwrap();
        let told = ["12", "498124ed-53d5-46eb-89c9-2b1e6a6191a5", "São João da Boa Vista"].map(|id| nameless(words, id));
        assert_eq!(told, ["Clínica 12", "Clínica 498124ed…", "Clínica São João…"]);
        assert_eq!(titled("498124ed-53", "Clínica 498124ed…").0, "<span title=\"498124ed-53\">Clínica 498124ed…</span>");
    }

    #[test]
    fn a_place_is_a_connection_or_a_clinic_of_it() {
        let told = ["", "centro", "centro/12/a"].map(|chosen| {
            let page = narrowed(Page::default(), chosen);
            (page.connection, page.clinic)
        });
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(told, [(None, None), (some("centro"), None), (some("centro"), some("12/a"))]);
    }
}
