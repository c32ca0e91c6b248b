//! The secrets that the store keeps: their names, and nothing of what they say.

use axum::extract::Request;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::html;
use serde::Deserialize;
use utoipa::ToSchema;

use super::words::words;
use super::{field, sections};
use crate::pages::moments::{moment, zone_name};
use crate::pages::sent;
use crate::pages::tables::{section, table};
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;
use crate::sealed::{Unkept, keep_secret};

/// What is sent.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = SecretForm)]
pub(crate) struct Said {
    /// `set` or `remove`.
    #[serde(default)]
    what: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: String,
}

/// What is wrong with it: with the name, with the value, with the list.
#[derive(Default)]
struct Wrong {
    name: Option<&'static str>,
    value: Option<&'static str>,
    list: Option<String>,
}

/// The names of the secrets, and when each was set.
#[utoipa::path(get, path = "/secrets", tag = "pages", operation_id = "secrets_page", responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit) -> Result<Response, Problem> {
    page(&visit, StatusCode::OK, "", &Wrong::default()).await
}

/// Keeps a secret, or forgets one.
#[utoipa::path(post, path = "/secrets", tag = "pages", operation_id = "change_secrets", request_body(content = Said, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 303, description = "Done; the page comes again."),
    (status = 409, description = "The configuration names it, or the server could not take it over; the page says so.", body = String, content_type = "text/html"),
    (status = 422, description = "The form is not filled in right; the page says where.", body = String, content_type = "text/html"),
))]
pub(crate) async fn change(visit: Visit, request: Request) -> Result<Response, Problem> {
    let w = words(visit.words);
    let Said { what, name, value } = sent::form(&visit.app, request).await?;
    let (name, sealed, runtime) = (name.trim(), &visit.app.settings.sealed, &visit.app.runtime);
    let (store, by, now) = (runtime.store.as_ref(), visit.who.actor(), runtime.clock.now());
    match what.as_str() {
        "set" => {
            let wrong = match keep_secret(store, name, value.trim_end(), by, now).await {
                Ok(_) => None,
                Err(Unkept::Name) => Some(Wrong { name: Some(w.bad_secret_name), ..Wrong::default() }),
                Err(Unkept::Empty) => Some(Wrong { value: Some(w.empty), ..Wrong::default() }),
                Err(Unkept::Long) => Some(Wrong { value: Some(w.too_long), ..Wrong::default() }),
                Err(Unkept::Store(error)) => return Err(error.into()),
            };
            if let Some(wrong) = wrong {
                return page(&visit, StatusCode::UNPROCESSABLE_ENTITY, name, &wrong).await;
            }
            tracing::info!(name, "a secret was set");
            if sealed.names(name)
                && let Err(why) = sealed.take(runtime).await
            {
                let wrong = Wrong { list: Some(format!("{} {why}", w.not_taken)), ..Wrong::default() };
                return page(&visit, StatusCode::CONFLICT, "", &wrong).await;
            }
        }
        "remove" if sealed.names(name) => {
            let wrong = Wrong { list: Some(w.named_stays.to_owned()), ..Wrong::default() };
            return page(&visit, StatusCode::CONFLICT, "", &wrong).await;
        }
        "remove" => {
            // One that is gone already is gone.
            store.remove_secret(name.to_owned(), by, now).await?;
        }
        _ => return Err(Problem::malformed("`what` is set or remove.")),
    }
    Ok(Redirect::to("/secrets").into_response())
}

async fn page(visit: &Visit, status: StatusCode, name: &str, wrong: &Wrong) -> Result<Response, Problem> {
    let w = words(visit.words);
    let secrets = visit.app.runtime.store.secrets().await?;
    let zone = visit.zones().of_all();
    let content = html! {
        (sections(w, "/secrets"))
        (section("secrets", w.secrets, &html! {
            @if let Some(why) = &wrong.list { p.error role="alert" { (why) } }
            @if secrets.is_empty() { div.empty { p { (w.no_secrets) } p { (w.no_secrets_how) } } } @else {
                p.none { (w.times) " " (zone_name(&zone)) }
                (table(w.secret_name, &[w.secret_name, w.set_at, w.actions], &html! {
                    @for secret in &secrets {
                        tr data-key={ "secret " (secret.name) } {
                            th scope="row" { code { (secret.name) } }
                            td { (moment(visit.words, secret.at, &zone)) }
                            td {
                                @if visit.app.settings.sealed.names(&secret.name) { span.badge { (w.in_use) } } @else {
                                    form.line-form method="post" action="/secrets" {
                                        input type="hidden" name="name" value=(secret.name);
                                        button.quiet type="submit" name="what" value="remove" aria-label={ (w.remove) " " (secret.name) } { (w.remove) }
                                    }
                                }
                            }
                        }
                    }
                }))
            }
        }))
        (section("set", w.set, &html! {
            form.card method="post" action="/secrets" {
                (field("name", w.secret_name, Some(w.secret_name_how), wrong.name, |invalid, about| html! {
                    input id="name" name="name" value=(name) required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck="false" aria-invalid=[invalid] aria-describedby=[about];
                }))
                (field("value", w.value, Some(w.value_how), wrong.value, |invalid, about| html! {
                    input id="value" name="value" type="password" required autocomplete="off" aria-invalid=[invalid] aria-describedby=[about];
                }))
                button type="submit" name="what" value="set" { (w.keep) }
            }
        }))
    };
    Ok(visit.page_as(status, Place::People, visit.words.place(Place::People), &content))
}
