//! One person: what they come in as, their password and their codes.

use axum::extract::{Path, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::ToSchema;
use zelo_store::PersonRow;

use super::words::{Words, words};
use super::{clinics_field, clinics_of, given, once, password_field, role_field, sections, told, written};
use crate::access::Role;
use crate::codes;
use crate::pages::moments::moment;
use crate::pages::sent;
use crate::pages::tables::section;
use crate::pages::visit::{Place, Visit};
use crate::people::{self, Change};
use crate::problem::Problem;

/// What is sent.
#[derive(Deserialize, ToSchema)]
#[schema(as = PersonForm)]
pub(crate) struct Said {
    /// `place`, `password`, `codes`, `no-codes` or `remove`.
    what: String,
    #[serde(default)]
    role: String,
    /// `connection/clinic`, one on each line; empty: all.
    #[serde(default)]
    clinics: String,
    /// Empty: one is made up, and shown once.
    #[serde(default)]
    password: String,
    /// Whether they are sure.
    #[serde(default)]
    sure: Option<String>,
}

/// What is wrong with it: in which form, and what.
type Wrong<'w> = Option<(&'w str, &'static str)>;

/// One person.
#[utoipa::path(get, path = "/people/{name}", tag = "pages", operation_id = "person_page", params(("name" = String, Path, description = "By which they sign in.")), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let person = person(&visit, &name).await?;
    let (role, clinics) = (person.role.clone(), written(&person.clinics));
    Ok(page(&visit, StatusCode::OK, &person, (&role, &clinics), None))
}

async fn person(visit: &Visit, name: &str) -> Result<PersonRow, Problem> {
    let missing = || Problem::not_found("There is nobody of this name. The page of all people lists them.");
    visit.app.runtime.store.person(name).await?.ok_or_else(missing)
}

/// Changes something of somebody, or removes them.
#[utoipa::path(post, path = "/people/{name}", tag = "pages", operation_id = "change_person", params(("name" = String, Path, description = "By which they sign in.")), request_body(content = Said, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, description = "Done; what was made up, this once.", body = String, content_type = "text/html"),
    (status = 303, description = "Done; the page comes again."),
    (status = 409, description = "They are the last admin.", body = String, content_type = "text/html"),
    (status = 422, description = "The form is not filled in right; the page says where.", body = String, content_type = "text/html"),
))]
pub(crate) async fn change(visit: Visit, Path(name): Path<String>, request: Request) -> Result<Response, Problem> {
    let w = words(visit.words);
    let said: Said = sent::form(&visit.app, request).await?;
    let person = person(&visit, &name).await?;
    let (runtime, now) = (&visit.app.runtime, visit.app.runtime.clock.now());
    let store = runtime.store.as_ref();
    let refused = |status, form: &str, why| Ok(page(&visit, status, &person, (&said.role, &said.clinics), Some((form, why))));
    let mut shown = None;
    let change = match said.what.as_str() {
        "place" => {
            let (Some(role), Some(clinics)) = (Role::parse(&said.role), clinics_of(&said.clinics)) else {
                let why = if Role::parse(&said.role).is_none() { w.bad_role } else { w.bad_clinics };
                return refused(StatusCode::UNPROCESSABLE_ENTITY, "place", why);
            };
            Some(Change::Place(role, clinics))
        }
        "password" => match given(&visit, w, said.password.clone()).await? {
            Ok(given) => {
                shown = given.told.map(|password| (w.once_password, vec![(w.password, password)], None));
                Some(Change::Password(given.hash))
            }
            Err(why) => return refused(StatusCode::UNPROCESSABLE_ENTITY, "password", why),
        },
        "codes" => {
            let secret = codes::new_secret(runtime.entropy.as_ref());
            let (text, address) = codes::told(&name, &secret);
            shown = Some((w.once_code, vec![(w.code, text), (w.address, address)], Some(w.code_type)));
            Some(Change::Codes(Some(secret)))
        }
        "no-codes" => Some(Change::Codes(None)),
        "remove" => {
            if said.sure.is_none() {
                return refused(StatusCode::UNPROCESSABLE_ENTITY, "remove", w.not_sure);
            }
            None
        }
        _ => return Err(Problem::malformed("`what` is place, password, codes, no-codes or remove.")),
    };
    let removes = change.is_none();
    match people::keeping_an_admin(store, &name, change, visit.who.actor(), now).await {
        Ok(()) => {}
        Err(people::Error::Last(_)) => return refused(StatusCode::CONFLICT, if removes { "remove" } else { "place" }, w.last_admin),
        Err(people::Error::Store(error)) => return Err(error.into()),
        // Somebody who has gone meanwhile is not there.
        Err(people::Error::Unknown(_) | people::Error::Taken(_)) => {
            return Err(Problem::not_found("There is nobody of this name any more."));
        }
    }
    if removes {
        return Ok(Redirect::to("/people").into_response());
    }
    let back = format!("/people/{name}");
    Ok(match shown {
        Some((title, lines, aside)) => {
            let lines: Vec<(&str, &str)> = lines.iter().map(|(label, value)| (*label, value.as_str())).collect();
            once(&visit, w, &format!("{title} {name}"), &lines, aside, &back)
        }
        None => Redirect::to(&back).into_response(),
    })
}

fn page(visit: &Visit, status: StatusCode, person: &PersonRow, (role, clinics): (&str, &str), wrong: Wrong<'_>) -> Response {
    let w = words(visit.words);
    let of = |form: &str| wrong.filter(|(at, _)| *at == form).map(|(_, why)| why);
    let action = format!("/people/{}", person.name);
    // Only the form of the place says again what it was filled in with.
    let kept = (person.role.clone(), written(&person.clinics));
    let (role, clinics) = if of("place").is_some() { (role, clinics) } else { (kept.0.as_str(), kept.1.as_str()) };
    let content = html! {
        (sections(w, ""))
        p.facts data-key="facts" {
            (Role::parse(&person.role).map_or(person.role.as_str(), |role| w.role(role))) " · " (told(w, &person.clinics)) " · "
            (if person.secret.is_some() { w.code_on } else { w.code_off }) " · " (w.created) " " (moment(visit.words, person.created, &visit.zones().of_all()))
        }
        p.none data-key="signs-out" { (w.signs_out) }
        div.columns data-key="forms" {
            (section("place", w.change_who, &html! {
                form.card method="post" action=(action) {
                    (role_field(w, role))
                    (clinics_field(w, clinics, of("place")))
                    button type="submit" name="what" value="place" { (w.save) }
                }
            }))
            (section("new-password", w.new_password, &html! {
                form.card method="post" action=(action) {
                    (password_field(w, of("password")))
                    button type="submit" name="what" value="password" { (w.give_password) }
                }
            }))
            (section("codes", w.code, &codes_form(w, &action, person)))
            (section("remove", w.remove, &html! {
                form.card method="post" action=(action) {
                    p { (w.remove_how) }
                    @if let Some(why) = of("remove") { p.error id="remove-wrong" { (why) } }
                    p { input id="sure" name="sure" type="checkbox" value="yes" required aria-describedby=[of("remove").map(|_| "remove-wrong")]; label for="sure" { (w.sure) } }
                    button.danger type="submit" name="what" value="remove" { (w.remove) " " (person.name) }
                }
            }))
        }
    };
    visit.page_as(status, Place::People, &person.name, &content)
}

fn codes_form(w: &Words, action: &str, person: &PersonRow) -> Markup {
    html! {
        form.card method="post" action=(action) {
            p { (w.code_how) }
            div.choices {
                @if person.secret.is_some() {
                    button type="submit" name="what" value="codes" { (w.code_again) }
                    button type="submit" name="what" value="no-codes" { (w.code_end) }
                } @else { button type="submit" name="what" value="codes" { (w.code_begin) } }
            }
        }
    }
}
