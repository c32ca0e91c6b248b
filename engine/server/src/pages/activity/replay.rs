//! One event once more for one rule: first only what would be made, then, where a person says so, that.

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use jiff::SignedDuration;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::ToSchema;
use zelo_core::Event;
use zelo_rules::Explanation;
use zelo_runtime::replay::{Error, PER_MINUTE, Report, Wanted};
use zelo_store::{EventView, Replayable};

use super::event::{self, one};
use super::words::{Words, words};
use super::{event_title, event_url, job_url, rule_title, state_badge};
use crate::App;
use crate::access::{Known, Role};
use crate::pages::moments::moment;
use crate::pages::names;
use crate::pages::sent;
use crate::pages::tables::section;
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;
use crate::seen::Seen;

/// What says that it is to be done, and not only told.
const NOW: &str = "now";

/// What is sent.
#[derive(Deserialize, ToSchema)]
#[schema(as = ReplayForm)]
pub(crate) struct Said {
    /// A rule that is on.
    rule: String,
    /// `now`: it is done; anything else: it is told what would be.
    #[serde(default)]
    what: String,
}

/// The form that begins it; nothing for who may not, or where no rule that listens is on.
pub(super) fn form(visit: &Visit, event: &Event, explanation: &Explanation) -> Markup {
    let words = words(visit.words);
    let mut on: Vec<(&str, &str)> =
        explanation.rules.iter().filter(|rule| rule.automation.is_some()).map(|rule| (rule.rule.as_str(), rule.title.as_str())).collect();
    on.dedup();
    if on.is_empty() || visit.who.role < Role::Integrator || !visit.who.sees_everything() {
        return html! {};
    }
    let content = html! {
        p { (words.replay_how) }
        form method="post" action={ (event_url(event.id)) "/replay" } {
            label for="replay-rule" { (words.automation) }
            select id="replay-rule" name="rule" { @for (rule, title) in on { option value=(rule) { (title) " (" (rule) ")" } } }
            button.quiet type="submit" { (words.replay_try) }
        }
    };
    section("replay", words.replay, &content)
}

/// Tells what a rule would make of an event now, or has it make that.
#[utoipa::path(post, path = "/activity/events/{id}/replay", tag = "pages", operation_id = "replay_event",
    params(("id" = String, Path, description = "`evt_` and 32 hexadecimal digits.")),
    request_body(content = Said, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What would be made.", body = String, content_type = "text/html"),
        (status = 303, description = "Done; the event comes next."),
        (status = 409, description = "It cannot be: the page says why.", body = String, content_type = "text/html"),
    )
)]
pub(crate) async fn replay(State(app): State<App>, who: Known, Path(id): Path<String>, request: Request) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let visit = Visit::from_request_parts(&mut parts, &app).await?;
    let Said { rule, what } = sent::form(&app, Request::from_parts(parts, body)).await?;
    let view = one(&app, &who, &id).await?;
    let (event, dry_run) = (&view.event, what != NOW);
    // The millisecond in which it arrived.
    let to = event.received.checked_add(SignedDuration::from_millis(1)).map_err(|_| Problem::internal())?;
    let range = Replayable { from: event.received, to, connection: Some(event.connection.clone()), clinic: event.clinic.clone() };
    let wanted = Wanted { rule: rule.clone(), range, per_minute: PER_MINUTE, dry_run, actor: who.actor() };
    match app.runtime.replay(wanted).await {
        Ok(_) if !dry_run => Ok(Redirect::to(&format!("{}?did=replayed", event_url(event.id))).into_response()),
        Ok(report) => would(&visit, &view, &rule, &report).await,
        Err(Error::Store(error)) => Err(error.into()),
        Err(why) => refused(&visit, &view, &why).await,
    }
}

/// What would be made, and the button that makes it.
async fn would(visit: &Visit, view: &EventView, rule: &str, report: &Report) -> Result<Response, Problem> {
    let (common, words, event) = (visit.words, words(visit.words), &view.event);
    Seen::of("event").rows([view]).by(&visit.who, &visit.app).await?;
    let zone = visit.zones().of(&event.connection, event.clinic.as_deref()).await?;
    let edition = visit.app.runtime.rules.current();
    let makes = report.items.iter().any(|item| item.fate.runs());
    let known: Vec<_> = report.items.iter().filter(|item| item.fate == zelo_store::Fate::Known).filter_map(|item| item.job).collect();
    let content = html! {
        p data-key="where" { a href=(event_url(event.id)) { "← " (event_title(&edition.rules, common, event)) } }
        section data-key="would" aria-labelledby="would" {
            h2 id="would" { (words.would_be) " " (rule_title(&edition.rules, common, rule)) }
            p { (words.nothing_was_done) }
            @if report.items.is_empty() { p { strong { (words.would_make_nothing) } } }
            ul {
                @for item in &report.items {
                    li {
                        @if item.event != event.id { (words.of_another) " " a href=(event_url(item.event)) { code { (item.event) } } ": " }
                        (names::capital(names::action(common, &item.action))) ": " strong { (words.fate(item.fate)) }
                        @if let Some(at) = item.run_at { " · " (moment(common, at, &zone)) }
                        @if let Some(reason) = &item.reason { " · " (common.reason(zelo_core::JobState::Skipped, reason).unwrap_or(&reason.text)) }
                        @if let (zelo_store::Fate::Known, Some(job)) = (item.fate, item.job) {
                            " · " a href=(job_url(job)) { (words.that_job) }
                            @if let Some(state) = item.state { " " (state_badge(common, state)) }
                        }
                    }
                }
            }
            @if !makes && !known.is_empty() {
                p { (words.fired_already) }
                p.choices {
                    @for job in &known { a.button.quiet href=(job_url(*job)) { (words.see_that_job) } }
                    a.button.quiet href=(event_url(event.id)) { (words.see_event) }
                }
            }
            @if makes {
                form.choices method="post" action={ (event_url(event.id)) "/replay" } {
                    input type="hidden" name="rule" value=(rule);
                    button type="submit" name="what" value=(NOW) { (words.replay_do) }
                }
            }
        }
    };
    Ok(visit.page(Place::Activity, words.replay, &content))
}

/// The event again, and why it cannot be replayed.
async fn refused(visit: &Visit, view: &EventView, why: &Error) -> Result<Response, Problem> {
    let words = words(visit.words);
    let told = match why {
        Error::NoRule(_) => words.replay_no_rule,
        Error::Off(_) => words.replay_off,
        Error::Empty { .. } => words.replay_too_soon,
        Error::Another => words.replay_another,
        Error::TooMany(_) | Error::TooMuch(_) | Error::Store(_) => words.replay_too_much,
    };
    let mut page = event::page(visit, view, &html! { p.error role="alert" { (told) } }).await?;
    *page.status_mut() = StatusCode::CONFLICT;
    Ok(page)
}

impl Words {
    fn fate(&self, fate: zelo_store::Fate) -> &'static str {
        self.fates[zelo_store::Fate::ALL.iter().position(|one| *one == fate).unwrap_or_default()]
    }
}
