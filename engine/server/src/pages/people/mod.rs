//! People and tokens, for admins: who comes in and as what, programs' tokens, and the secrets that the store keeps.
//!
//! What is shown once is the answer to the form itself, which nobody can fetch again and no browser keeps.

mod person;
mod secrets;
mod tokens;
mod words;

use axum::extract::Request;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;
use zelo_core::{ClinicRef, Clinics, Entropy};
use zelo_store::PersonRow;

use self::words::{Words, words};
use super::moments::moment;
use super::sent;
use super::tables::{section, table as rows_of};
use super::visit::{Place, Visit};
use crate::access::{Gate, Reach, Role};
use crate::openapi::Table;
use crate::password;
use crate::people::{self, New};
use crate::problem::Problem;

/// The routes of these pages.
pub(crate) fn table() -> Table {
    let admin = Gate::Known(Role::Admin, Reach::Everything);
    Table::new()
        .at(admin, routes!(show, add))
        .at(admin, routes!(person::show, person::change))
        .at(admin, routes!(tokens::show, tokens::change))
        .at(admin, routes!(secrets::show, secrets::change))
}

/// Where else there is something of the kind.
fn sections(w: &Words, here: &str) -> Markup {
    html! {
        nav.sides data-key="sides" aria-label=(w.sections) {
            ul {
                @for (at, told) in [("/people", w.people), ("/tokens", w.tokens), ("/secrets", w.secrets)] {
                    li { a href=(at) aria-current=[(at == here).then_some("page")] { (told) } }
                }
            }
        }
    }
}

/// A field with its label, what is to be said of it, and what is wrong with it.
fn field(
    id: &str,
    label: &str,
    hint: Option<&str>,
    wrong: Option<&str>,
    input: impl FnOnce(Option<&str>, Option<String>) -> Markup,
) -> Markup {
    let about = match (wrong.is_some(), hint.is_some()) {
        (true, _) => Some(format!("{id}-wrong")),
        (false, true) => Some(format!("{id}-hint")),
        (false, false) => None,
    };
    html! {
        label for=(id) { (label) }
        (input(wrong.map(|_| "true"), about))
        @if let Some(hint) = hint { p.hint id={ (id) "-hint" } { (hint) } }
        @if let Some(wrong) = wrong { p.error id={ (id) "-wrong" } { (wrong) } }
    }
}

/// The choice of a role.
fn role_field(w: &Words, chosen: &str) -> Markup {
    html! {
        label for="role" { (w.role) }
        select id="role" name="role" { @for role in Role::ALL { option value=(role.as_str()) selected[role.as_str() == chosen] { (w.role(role)) } } }
    }
}

/// The clinics, one on each line.
fn clinics_field(w: &Words, written: &str, wrong: Option<&str>) -> Markup {
    field("clinics", w.clinics, Some(w.clinics_how), wrong, |invalid, about| {
        html! { textarea id="clinics" name="clinics" rows="3" autocapitalize="none" spellcheck="false" aria-invalid=[invalid] aria-describedby=[about] { (written) } }
    })
}

/// The clinics that somebody has written down; none where one of them is no clinic.
fn clinics_of(written: &str) -> Option<Clinics> {
    let parts = written.split(['\n', '\r', ',']).map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse::<ClinicRef>().ok()).collect::<Option<Vec<_>>>().map(Clinics::of)
}

/// The clinics as they are written into the form.
fn written(clinics: &Clinics) -> String {
    clinics.named().into_iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Of which clinics somebody is told, in words.
fn told(w: &Words, clinics: &Clinics) -> String {
    clinics.named().map_or(w.all_clinics.to_owned(), |named| named.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

/// A password that nobody has thought of: a hundred random bits.
fn made_up(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 13];
    entropy.fill(&mut bytes);
    let text = data_encoding::BASE32_NOPAD.encode(&bytes).to_ascii_lowercase();
    let groups: Vec<&str> = [0..5, 5..10, 10..15, 15..20].into_iter().filter_map(|part| text.get(part)).collect();
    groups.join("-")
}

/// What somebody is given as a password.
struct Given {
    hash: String,
    /// Where it was made up, itself.
    told: Option<String>,
}

/// The hash of `password`, or of one that is made up where it is empty.
async fn given(visit: &Visit, w: &Words, password: String) -> Result<Result<Given, &'static str>, Problem> {
    let entropy = visit.app.runtime.entropy.clone();
    let told = password.is_empty().then(|| made_up(entropy.as_ref()));
    let text = told.clone().unwrap_or(password);
    // It takes a while by design.
    let hashed = tokio::task::spawn_blocking(move || password::hash(&text, entropy.as_ref()));
    match hashed.await.map_err(|_| Problem::internal())? {
        Ok(hash) => Ok(Ok(Given { hash, told })),
        Err(password::Error::Short) => Ok(Err(w.short)),
        Err(password::Error::Long) => Ok(Err(w.long)),
        Err(password::Error::Hash) => Err(Problem::internal()),
    }
}

/// Something that is shown this once.
fn once(visit: &Visit, w: &Words, title: &str, lines: &[(&str, &str)], aside: Option<&str>, back: &str) -> Response {
    let content = html! {
        div.once role="status" data-key="once" {
            p { strong { (w.once_how) } }
            @for (label, value) in lines { p { (label) } code { (value) } }
            @if let Some(aside) = aside { p { (aside) } }
        }
        p data-key="back" { a.button href=(back) { (w.back) } }
    };
    visit.answered(Place::People, title, &content)
}

/// The form of somebody new, as it was filled in.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = NewPersonForm)]
pub(crate) struct Said {
    #[serde(default)]
    name: String,
    #[serde(default)]
    role: String,
    /// `connection/clinic`, one on each line; empty: all.
    #[serde(default)]
    clinics: String,
    /// Empty: one is made up, and shown once.
    #[serde(default)]
    password: String,
}

/// What is wrong with it, by field.
#[derive(Default)]
struct Wrong {
    name: Option<&'static str>,
    clinics: Option<&'static str>,
    password: Option<&'static str>,
}

/// Who signs in with a password.
#[utoipa::path(get, path = "/people", tag = "pages", operation_id = "people_page", responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit) -> Result<Response, Problem> {
    page(&visit, StatusCode::OK, &Said::default(), &Wrong::default()).await
}

/// Adds somebody.
#[utoipa::path(post, path = "/people", tag = "pages", operation_id = "add_person", request_body(content = Said, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, description = "Added; the password that was made up, this once.", body = String, content_type = "text/html"),
    (status = 303, description = "Added; the page comes again."),
    (status = 409, description = "There is somebody of this name.", body = String, content_type = "text/html"),
    (status = 422, description = "The form is not filled in right; the page says where.", body = String, content_type = "text/html"),
))]
pub(crate) async fn add(visit: Visit, request: Request) -> Result<Response, Problem> {
    let w = words(visit.words);
    let mut said: Said = sent::form(&visit.app, request).await?;
    let password = std::mem::take(&mut said.password);
    let (name, clinics, role) = (people::name(&said.name), clinics_of(&said.clinics), Role::parse(&said.role));
    let mut wrong =
        Wrong { name: name.is_none().then_some(w.bad_name), clinics: clinics.is_none().then_some(w.bad_clinics), ..Wrong::default() };
    let given = match given(&visit, w, password).await? {
        Ok(given) => Some(given),
        Err(why) => {
            wrong.password = Some(why);
            None
        }
    };
    let (Some(name), Some(clinics), Some(role), Some(given)) = (name, clinics, role, given) else {
        return page(&visit, StatusCode::UNPROCESSABLE_ENTITY, &said, &wrong).await;
    };
    let (runtime, by) = (&visit.app.runtime, visit.who.actor());
    let new = New { name: name.clone(), role, clinics, password: given.hash };
    match people::add(runtime.store.as_ref(), new, by, runtime.clock.now()).await {
        Ok(()) => {}
        Err(people::Error::Store(error)) => return Err(error.into()),
        Err(people::Error::Taken(_) | people::Error::Unknown(_) | people::Error::Last(_)) => {
            let wrong = Wrong { name: Some(w.taken), ..Wrong::default() };
            return page(&visit, StatusCode::CONFLICT, &said, &wrong).await;
        }
    }
    Ok(match given.told {
        Some(password) => once(&visit, w, &format!("{} {name}", w.once_password), &[(w.password, &password)], None, "/people"),
        None => Redirect::to("/people").into_response(),
    })
}

async fn page(visit: &Visit, status: StatusCode, said: &Said, wrong: &Wrong) -> Result<Response, Problem> {
    let w = words(visit.words);
    let people = visit.app.runtime.store.people().await?;
    let content = html! {
        (sections(w, "/people"))
        (section("people", w.people, &html! {
            @if people.is_empty() { div.empty { p { (w.nobody) } p { (w.nobody_how) } } } @else { (list(visit, w, &people)) }
        }))
        (section("add", w.add, &html! {
            form.card method="post" action="/people" {
                (field("name", w.name, Some(w.name_how), wrong.name, |invalid, about| html! {
                    input id="name" name="name" value=(said.name) required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false" aria-invalid=[invalid] aria-describedby=[about];
                }))
                (role_field(w, &said.role))
                (clinics_field(w, &said.clinics, wrong.clinics))
                (password_field(w, wrong.password))
                button type="submit" { (w.add_do) }
            }
        }))
    };
    Ok(visit.page_as(status, Place::People, visit.words.place(Place::People), &content))
}

fn password_field(w: &Words, wrong: Option<&str>) -> Markup {
    field("password", w.password, Some(w.password_how), wrong, |invalid, about| {
        html! { input id="password" name="password" type="password" autocomplete="new-password" aria-invalid=[invalid] aria-describedby=[about]; }
    })
}

fn list(visit: &Visit, w: &Words, people: &[PersonRow]) -> Markup {
    let zone = visit.zones().of_all();
    rows_of(
        w.name,
        &[w.name, w.role, w.clinics, w.code, w.created],
        &html! {
            @for person in people {
                tr data-key={ "person " (person.name) } {
                    th scope="row" { a href={ "/people/" (person.name) } { (person.name) } }
                    td { (Role::parse(&person.role).map_or(person.role.as_str(), |role| w.role(role))) }
                    td { (told(w, &person.clinics)) }
                    td { (if person.secret.is_some() { w.code_on } else { w.code_off }) }
                    td { (moment(visit.words, person.created, &zone)) }
                }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use zelo_core::SeededEntropy;

    use super::*;

    #[test]
    fn a_password_that_is_made_up_is_long_and_another_each_time() {
        let entropy = SeededEntropy::new(1);
        let (one, other) = (made_up(&entropy), made_up(&entropy));
        assert_eq!((one.len(), one.split('-').map(str::len).collect::<Vec<_>>()), (23, vec![5, 5, 5, 5]));
        assert_ne!(one, other);
        assert!(password::hash(&one, &entropy).is_ok());
    }

    #[test]
    fn clinics_are_written_one_on_each_line() {
        let read = clinics_of(" acme/9 \r\n\nacme/8, open/1\n").unwrap();
        assert_eq!(written(&read), "acme/8\nacme/9\nopen/1");
        assert_eq!(clinics_of(" \n"), Some(Clinics::All));
        assert_eq!(clinics_of("acme/9\nacme"), None, "half of them is not what was meant");
    }
}
