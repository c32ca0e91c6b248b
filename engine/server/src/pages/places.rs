//! Of which connection or clinic a list is: the choice in its filter, and what it comes to. And the small parts that lists share.

use maud::{Markup, html};
use zelo_store::Page;

use super::visit::Visit;
use crate::problem::Problem;

/// Clinics that a choice offers, and whose names are known.
const CLINICS: u32 = 200;

/// The connections and clinics that a reader is told of.
pub(crate) struct Places(Vec<Place>);

struct Place {
    connection: String,
    clinic: Option<String>,
    name: String,
}

impl Places {
    /// Those of the reader.
    ///
    /// # Errors
    /// The store does not answer.
    pub(crate) async fn of(visit: &Visit) -> Result<Self, Problem> {
        let runtime = &visit.app.runtime;
        let page = Page { limit: CLINICS, clinics: visit.who.clinics.clone(), ..Page::default() };
        let mut places: Vec<Place> = Vec::new();
        if visit.who.sees_everything() && runtime.connections.len() > 1 {
            places.extend(runtime.connections.keys().map(|name| Place { connection: name.clone(), clinic: None, name: name.clone() }));
        }
        for view in runtime.store.records(&page, Some("clinic")).await? {
            let name =
                view.document.get("name").and_then(|name| name.as_str()).filter(|name| !name.is_empty()).unwrap_or(&view.id).to_owned();
            places.push(Place { connection: view.connection, clinic: Some(view.id), name });
        }
        for one in visit.who.clinics.named().into_iter().flatten() {
            if !places.iter().any(|place| place.connection == one.connection && place.clinic.as_deref() == Some(&one.clinic)) {
                places.push(Place { connection: one.connection.clone(), clinic: Some(one.clinic.clone()), name: one.clinic.clone() });
            }
        }
        places.sort_by(|one, other| (one.clinic.is_some(), &one.name).cmp(&(other.clinic.is_some(), &other.name)));
        Ok(Self(places))
    }

    /// What a clinic is called; its id, where that is not known.
    pub(crate) fn name<'a>(&'a self, connection: &str, clinic: Option<&'a str>) -> Option<&'a str> {
        let clinic = clinic?;
        let known = self.0.iter().find(|place| place.connection == connection && place.clinic.as_deref() == Some(clinic));
        Some(known.map_or(clinic, |place| place.name.as_str()))
    }

    /// The choice under `label`; nothing where there is none. `all` stands for every place.
    pub(crate) fn select(&self, label: &str, all: &str, chosen: &str) -> Markup {
        html! {
            @if self.0.len() > 1 {
                label { (label)
                    select name="place" {
                        option value="" { (all) }
                        @for place in &self.0 {
                            @let value = place.value();
                            option value=(value) selected[value == chosen] { (place.name) }
                        }
                    }
                }
            }
        }
    }
}

impl Place {
    fn value(&self) -> String {
        match &self.clinic {
            Some(clinic) => format!("{}/{clinic}", self.connection),
            None => self.connection.clone(),
        }
    }
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
    fn a_place_is_a_connection_or_a_clinic_of_it() {
        let told = ["", "centro", "centro/12/a"].map(|chosen| {
            let page = narrowed(Page::default(), chosen);
            (page.connection, page.clinic)
        });
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(told, [(None, None), (some("centro"), None), (some("centro"), some("12/a"))]);
    }
}
