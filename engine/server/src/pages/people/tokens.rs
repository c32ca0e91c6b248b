//! Tokens, sessions and sign-in links: which are good for something, new ones, and the end of one.

use axum::extract::Request;
use axum::response::{IntoResponse, Redirect, Response};
use http::{Extensions, HeaderMap, StatusCode};
use jiff::SignedDuration;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::ToSchema;
use zelo_store::CredentialRow;

use super::words::{Words, words};
use super::{clinics_field, clinics_of, field, once, role_field, sections, told};
use crate::access::{self, Role};
use crate::credentials;
use crate::origin;
use crate::pages::moments::{moment, zone_name};
use crate::pages::sent;
use crate::pages::tables::{section, table};
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;

/// The longest name of a token, in characters, and the most days it is good for.
const NAME_MAX: usize = 64;
const DAYS_MAX: i64 = 3650;

/// What is sent.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = TokenForm)]
pub(crate) struct Said {
    /// `new`, `link` or `revoke`.
    #[serde(default)]
    what: String,
    /// What people call it.
    #[serde(default)]
    name: String,
    #[serde(default)]
    role: String,
    /// `connection/clinic`, one on each line; empty: all.
    #[serde(default)]
    clinics: String,
    /// How long it is good for; empty: until it is revoked.
    #[serde(default)]
    days: String,
    /// Which one is revoked.
    #[serde(default)]
    id: String,
}

/// What is wrong with it, by field.
#[derive(Default)]
struct Wrong {
    name: Option<&'static str>,
    clinics: Option<&'static str>,
    days: Option<&'static str>,
}

/// What is good for something now.
#[utoipa::path(get, path = "/tokens", tag = "pages", operation_id = "tokens_page", responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit) -> Result<Response, Problem> {
    page(&visit, StatusCode::OK, &Said::default(), &Wrong::default()).await
}

/// Makes a token or a link, or revokes one.
#[utoipa::path(post, path = "/tokens", tag = "pages", operation_id = "change_tokens", request_body(content = Said, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, description = "Made; it is shown this once.", body = String, content_type = "text/html"),
    (status = 303, description = "Revoked; the page comes again."),
    (status = 404, description = "There is no such credential.", body = crate::openapi::shapes::Problem, content_type = "application/problem+json"),
    (status = 422, description = "The form is not filled in right; the page says where.", body = String, content_type = "text/html"),
))]
pub(crate) async fn change(visit: Visit, request: Request) -> Result<Response, Problem> {
    let (headers, extensions) = (request.headers().clone(), request.extensions().clone());
    let said: Said = sent::form(&visit.app, request).await?;
    match said.what.as_str() {
        "new" => make(&visit, said).await,
        "link" => link(&visit, &headers, &extensions).await,
        "revoke" => revoke(&visit, &said.id).await,
        _ => Err(Problem::malformed("`what` is new, link or revoke.")),
    }
}

async fn make(visit: &Visit, said: Said) -> Result<Response, Problem> {
    let w = words(visit.words);
    let name = said.name.trim();
    let is_name = !name.is_empty() && name.chars().count() <= NAME_MAX && !name.chars().any(char::is_control);
    let days = match said.days.trim() {
        "" => Some(None),
        text => text.parse::<i64>().ok().filter(|days| (1..=DAYS_MAX).contains(days)).map(Some),
    };
    let (role, clinics) = (Role::parse(&said.role), clinics_of(&said.clinics));
    let (true, Some(days), Some(role), Some(clinics)) = (is_name, days, role, clinics.clone()) else {
        let wrong = Wrong {
            name: (!is_name).then_some(w.bad_token_name),
            clinics: clinics.is_none().then_some(w.bad_clinics),
            days: days.is_none().then_some(w.bad_days),
        };
        return page(visit, StatusCode::UNPROCESSABLE_ENTITY, &said, &wrong).await;
    };
    let runtime = &visit.app.runtime;
    let life = days.map(|days| SignedDuration::from_hours(24 * days));
    let (clock, entropy) = (runtime.clock.as_ref(), runtime.entropy.as_ref());
    let token = access::new_token(runtime.store.as_ref(), clock, entropy, (role, clinics), name, life, visit.who.actor()).await?;
    Ok(once(visit, w, w.once_token, &[(name, &token)], None, "/tokens"))
}

async fn link(visit: &Visit, headers: &HeaderMap, extensions: &Extensions) -> Result<Response, Problem> {
    let (w, runtime) = (words(visit.words), &visit.app.runtime);
    let code = access::new_link(runtime.store.as_ref(), runtime.clock.as_ref(), runtime.entropy.as_ref(), visit.who.actor()).await?;
    let url = format!("{}/sign-in?code={code}", origin::base(&visit.app.settings, headers, extensions));
    Ok(once(visit, w, w.once_link, &[(w.link, &url)], Some(w.link_how), "/tokens"))
}

async fn revoke(visit: &Visit, id: &str) -> Result<Response, Problem> {
    let (runtime, now) = (&visit.app.runtime, visit.app.runtime.clock.now());
    let rows = runtime.store.credentials(now).await?;
    let gone = || Problem::not_found("There is no such credential any more.");
    let row = credentials::named(&rows, id).map_err(|_| gone())?;
    if !runtime.store.revoke_credential(row.hash, visit.who.actor(), now).await? {
        return Err(gone());
    }
    Ok(Redirect::to("/tokens").into_response())
}

async fn page(visit: &Visit, status: StatusCode, said: &Said, wrong: &Wrong) -> Result<Response, Problem> {
    let w = words(visit.words);
    let rows = visit.app.runtime.store.credentials(visit.app.runtime.clock.now()).await?;
    let content = html! {
        (sections(w, "/tokens"))
        (section("credentials", w.credentials, &list(visit, w, &rows)))
        div.columns data-key="forms" {
            (section("new", w.new_token, &html! {
                form.card method="post" action="/tokens" {
                    p { (w.token_how) }
                    (field("name", w.token_name, None, wrong.name, |invalid, about| html! {
                        input id="name" name="name" value=(said.name) required maxlength="64" autocomplete="off" aria-invalid=[invalid] aria-describedby=[about];
                    }))
                    (role_field(w, &said.role))
                    (clinics_field(w, &said.clinics, wrong.clinics))
                    (field("days", w.days, Some(w.days_how), wrong.days, |invalid, about| html! {
                        input id="days" name="days" value=(said.days) inputmode="numeric" autocomplete="off" aria-invalid=[invalid] aria-describedby=[about];
                    }))
                    button type="submit" name="what" value="new" { (w.make) }
                }
            }))
            (section("link", w.link, &html! {
                form.card method="post" action="/tokens" {
                    p { (w.link_how) }
                    button type="submit" name="what" value="link" { (w.make_link) }
                }
            }))
        }
    };
    Ok(visit.page_as(status, Place::People, visit.words.place(Place::People), &content))
}

fn list(visit: &Visit, w: &Words, rows: &[CredentialRow]) -> Markup {
    let zone = visit.zones().of_all();
    html! {
        p.none { (w.times) " " (zone_name(&zone)) }
        @if rows.is_empty() { div.empty { p { (w.none) } } } @else {
            (table(w.tokens, &[w.token_name, w.kind, w.role, w.clinics, w.created, w.expires, w.actions], &html! {
                @for row in rows {
                    @let id = credentials::id(row);
                    tr data-key={ "credential " (id) } {
                        th scope="row" { (row.name) small { code { (id) } } }
                        td { (w.kind_of(row.kind)) }
                        td { (row.role) }
                        td { (told(w, &row.clinics)) }
                        td { (moment(visit.words, row.created, &zone)) }
                        td { @match row.expires { Some(at) => (moment(visit.words, at, &zone)), None => (w.until_revoked) } }
                        td {
                            form.line-form method="post" action="/tokens" {
                                input type="hidden" name="id" value=(id);
                                button.quiet type="submit" name="what" value="revoke" aria-label={ (w.revoke) " " (row.name) " " (id) } { (w.revoke) }
                            }
                        }
                    }
                }
            }))
        }
    }
}
