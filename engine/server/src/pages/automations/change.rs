//! Switching an automation on and off, and changing its settings.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request};
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use serde::Deserialize;
use zelo_runtime::automations::{Chosen, Error, Switch, To};

use super::form::texts;
use super::one::{Attempt, OfConnection, One, fields, sent};
use crate::pages::moments::number;
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;

/// What an address asks for.
#[derive(Deserialize)]
pub(crate) struct Asked {
    connection: Option<String>,
    clinic: Option<String>,
    /// What was done a moment ago.
    done: Option<String>,
    /// How many pending jobs that changed.
    jobs: Option<u64>,
}

type Asking = Result<Query<Asked>, QueryRejection>;

fn asked(query: Asking) -> Result<Asked, Problem> {
    let Query(asked) = query.map_err(|_| Problem::query("The query is that of no page: it has connection, clinic, done and jobs."))?;
    Ok(asked)
}

/// The page of one automation.
#[utoipa::path(get, path = "/automations/{rule}", tag = "pages", operation_id = "automation",
    params(("rule" = String, Path), ("connection" = Option<String>, Query), ("clinic" = Option<String>, Query)),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(crate) async fn show(visit: Visit, Path(rule): Path<String>, query: Asking) -> Result<Response, Problem> {
    let Asked { connection, clinic, done, jobs } = asked(query)?;
    let one = One::of(visit, &rule, connection.map(|connection| (connection, clinic))).await?;
    let words = one.words;
    let told = match done.as_deref() {
        Some("on") => Some(words.done_on),
        Some("saved") => Some(words.done_saved),
        Some("off") => Some(words.done_off),
        _ => None,
    };
    let common = one.visit.words;
    let done = told.map(|told| {
        html! { (told) @if let Some(jobs) = jobs.filter(|jobs| *jobs > 0) { " " (number(common, jobs)) " " (words.done_jobs) } }
    });
    one.page(done).await
}

/// Asks once more, before an automation is switched off: how much that cancels.
#[utoipa::path(get, path = "/automations/{rule}/off", tag = "pages", operation_id = "ask_automation_off",
    params(("rule" = String, Path), ("connection" = Option<String>, Query), ("clinic" = Option<String>, Query)),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html"))
)]
pub(crate) async fn ask_off(visit: Visit, Path(rule): Path<String>, query: Asking) -> Result<Response, Problem> {
    let Asked { connection, clinic, .. } = asked(query)?;
    let one = One::of(visit, &rule, connection.map(|connection| (connection, clinic))).await?;
    let (words, pending) = (one.words, one.pending(OfConnection::Too).await?);
    let title = one.rule()?.title.get(one.visit.words.lang).map_or(rule.as_str(), String::as_str);
    let body = html! {
        div.card data-key="off" {
            p { strong { (title) } " · " (one.place()) }
            @if pending > 0 {
                p.warn { strong { (number(one.visit.words, pending)) } " " (words.off_how) }
            } @else {
                p { (words.off_none) }
            }
            p { (words.off_stays) }
            form.choices method="post" action={ "/automations/" (rule) } {
                input type="hidden" name="connection" value=(one.spot.connection);
                @if let Some(clinic) = &one.spot.clinic { input type="hidden" name="clinic" value=(clinic); }
                button.danger type="submit" name="do" value="off" { (words.switch_off.trim_end_matches('…')) }
                a.button.quiet href=(one.address()) { (words.keep_on) }
            }
        }
    };
    Ok(one.visit.page(Place::Automations, words.off_title, &body))
}

/// Switches an automation on or off, or changes its settings; the page says what happens next, or what is wrong.
#[utoipa::path(post, path = "/automations/{rule}", tag = "pages", operation_id = "change_automation",
    params(("rule" = String, Path)),
    request_body(content = super::AutomationForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "Done; the page comes next."),
        (status = 409, description = "It stands as it did, was changed meanwhile, or does not hold yet; the page says why.", body = String, content_type = "text/html"),
        (status = 422, description = "A field is wrong, and the page says which.", body = String, content_type = "text/html"),
    )
)]
pub(crate) async fn change(visit: Visit, Path(rule): Path<String>, request: Request) -> Result<Response, Problem> {
    let (named, given) = fields(&visit, request).await?;
    let one = One::of(visit, &rule, Some(named)).await?;
    let stood = sent(&given, "stood");
    let (to, texts, done) = match sent(&given, "do").as_deref() {
        Some("off") => (To::Off, one.texts(), "off"),
        Some("on") => {
            let texts = texts(&given);
            // Before anything else is said of it: what is wrong with it may be so because of what somebody else has changed.
            if stood.as_ref().is_some_and(|stood| *stood != one.stands()) {
                return one.changed_meanwhile(texts).await;
            }
            let done = if one.row().is_some_and(|row| row.enabled) { "saved" } else { "on" };
            match one.chosen(&texts) {
                Ok(settings) => (To::On(Chosen::Exactly(settings)), texts, done),
                Err(wrongs) => return one.again(Attempt { texts, wrongs, stood, ..Attempt::default() }).await,
            }
        }
        _ => return Err(Problem::malformed("`do` is on or off.")),
    };
    // A form that does not say how it stood takes it as it is: that which asks before it is switched off.
    let stood = stood.map(|_| one.row().cloned());
    let switch = Switch { rule: rule.clone(), connection: Some(one.spot.connection.clone()), clinic: one.spot.clinic.clone(), to };
    let why = match one.visit.app.runtime.switch_where(&switch, stood, one.visit.who.actor()).await {
        Ok(switched) => {
            let address = format!("{}&done={done}&jobs={}", one.address(), switched.jobs);
            return Ok(Redirect::to(&address).into_response());
        }
        Err(Error::Store(error)) => return Err(error.into()),
        Err(gone @ (Error::NoRule { .. } | Error::NoConnection { .. })) => return Err(Problem::not_found(gone.to_string())),
        Err(Error::Changed) => {
            // Between being read and being written: how it stands is read again.
            let named = (one.spot.connection.clone(), one.spot.clinic.clone());
            return One::of(one.visit, &rule, Some(named)).await?.changed_meanwhile(texts).await;
        }
        Err(Error::NotInForce(error)) => {
            tracing::error!(%error, "an automation was switched, and what is in force stays");
            one.words.not_in_force.to_owned()
        }
        Err(refused @ (Error::Settings(_) | Error::NeverOn { .. })) => refused.to_string(),
    };
    one.again(Attempt { texts, why: Some(why), ..Attempt::default() }).await
}
