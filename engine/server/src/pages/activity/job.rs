//! One job: what it is, how it stands and why, when it runs, what it did, and what people decided about it.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use maud::{Markup, html};
use zelo_core::JobId;
use zelo_runtime::Waits;
use zelo_store::{Decided, DecisionView, JobView};

use super::doings::Teller;
use super::event::emitted;
use super::words::{Words, words};
use super::{Came, event_title, event_url, job_url, rule_title, said, state_badge, why};
use crate::pages::jobs::choices;
use crate::pages::moments::moment;
use crate::pages::names;
use crate::pages::places::Places;
use crate::pages::tables::{reason, section};
use crate::pages::visit::{Place, Visit};
use crate::pages::words::Words as Common;
use crate::problem::Problem;
use crate::seen::Seen;

/// One job, and what can be done about it.
#[utoipa::path(get, path = "/activity/jobs/{id}", tag = "pages", operation_id = "job_page",
    params(("id" = String, Path, description = "`job_` and 32 hexadecimal digits."), Came),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
pub(crate) async fn show(visit: Visit, Path(id): Path<String>, came: Result<Query<Came>, QueryRejection>) -> Result<Response, Problem> {
    let id: JobId = id.parse().map_err(|_| Problem::no_job())?;
    let store = visit.app.runtime.store.as_ref();
    let view = store.job(id).await?.filter(|view| visit.who.sees(view)).ok_or_else(Problem::no_job)?;
    let (journal, attempts, decided) = (store.journal(id).await?, store.attempts(id).await?, store.decisions(id).await?);
    let (events, places) = emitted(&visit.app, &visit.who, &view, &journal).await?;
    let event = store.event(view.job.event).await?.filter(|event| visit.who.sees(event));
    Seen::of("job").rows([&view]).rows(&events).rows(&event).by(&visit.who, &visit.app).await?;
    let (common, words, job) = (visit.words, words(visit.words), &view.job);
    let zone = visit.zones().of(&job.connection, job.clinic.as_deref()).await?;
    let edition = visit.app.runtime.rules.current();
    let did = came.as_ref().ok().and_then(|came| came.did.as_deref());
    let teller = Teller { common, words, zone: &zone, emitted: &places };
    let of_event = event.map(|event| event_title(&edition.rules, common, &event.event));
    let places = Places::of(&visit).await?;
    let done = html! { (teller.effects(&journal)) (teller.attempts(&attempts)) (teller.disclosure(&journal)) };
    let content = html! {
        (said(words, did))
        p.facts data-key="where" { a href="/activity?show=jobs" { "← " (common.place(Place::Activity)) } " · " code { (job.id) } }
        (section("stands", common.state, &html! {
            p { (state_badge(common, job.state)) }
            (because(&visit, &view, &zone))
            @if let Some(summary) = &view.summary { p.said { (summary) } }
            @if visit.who.role.sees_to_jobs() { (choices(common, job, &job_url(job.id))) }
        }))
        (section("what", words.what_it_is, &facts(&visit, (words, &places), &view, of_event.as_deref(), &zone)))
        (section("done", words.what_was_done, &html! { @if journal.is_empty() && attempts.is_empty() { p.none { (words.nothing_done) } } @else { (done) } }))
        @if !decided.is_empty() { (section("decided", words.decided, &decisions(words, common, &zone, &decided))) }
    };
    Ok(visit.page(Place::Activity, &rule_title(&edition.rules, common, &job.rule), &content))
}

/// What it waits for, what is missing, or why it ended.
fn because(visit: &Visit, view: &JobView, zone: &jiff::tz::TimeZone) -> Markup {
    let (common, job) = (visit.words, &view.job);
    html! {
        @if let Some(waits) = Waits::of(view, &visit.app.runtime.line.halts()) {
            p { (names::waits(common, &visit.app.runtime.rules.current().rules, &waits, zone)) }
        }
        @if let Some(why) = why(job) { p { (reason(common, job.state, why)) (names::exact(visit, why)) } }
    }
}

fn facts(visit: &Visit, (words, places): (&Words, &Places), view: &JobView, event: Option<&str>, zone: &jiff::tz::TimeZone) -> Markup {
    let (common, job) = (visit.words, &view.job);
    let fact = |name: &str, value: Markup| html! { div { dt { (name) } dd { (value) } } };
    let time = |at| moment(common, at, zone);
    html! {
        dl.wide {
            (fact(words.for_event, html! {
                @if let Some(event) = event { a href=(event_url(job.event)) { (event) } } @else { (words.event_gone) }
                @if job.collected > 1 { " · " (words.collected(job.collected)) }
            }))
            (fact(words.action, html! { (names::capital(&names::action_of(visit, job))) " " (names::code(visit, &format!("{}/{}", job.rule, job.action))) }))
            @if let Some(plugin) = &job.plugin { (fact(words.plugin, html! { code { (plugin) } })) }
            (fact(common.clinic, places.whole(&job.connection, job.clinic.as_deref())))
            @if !job.needs.is_empty() {
                (fact(words.steps_before, html! {
                    @for need in &job.needs { a href=(job_url(need.job)) { (names::action(common, &need.step)) } " (" (if need.done { words.step_done } else { words.step_open }) ") " }
                }))
            }
            (fact(words.counts_from, time(job.reference)))
            @if let Some(anchor) = job.anchor { (fact(words.anchor, time(anchor))) }
            (fact(common.due, time(job.due)))
            @if let Some(expires) = job.expires { (fact(words.not_after, time(expires))) }
            @if job.state.is_live() && job.run_at != job.due { (fact(words.next_look, time(job.run_at))) }
            @if job.attempt > 0 { (fact(words.tries, html! { (job.attempt) })) }
            @if let Some(ended) = view.ended { (fact(words.ended, time(ended))) }
        }
    }
}

/// What people decided, in order.
pub(super) fn decisions(words: &Words, common: &Common, zone: &jiff::tz::TimeZone, decided: &[DecisionView]) -> Markup {
    html! {
        @if !decided.is_empty() {
            ol.steps {
                @for DecisionView { at, actor, decision, was, with, .. } in decided {
                    li {
                        (moment(common, *at, zone)) " · " (words.decision(*decision)) " · " (crate::pages::audit::actor(common, actor.as_str()))
                        @if *decision != Decided::Replayed { " · " (words.was) " " (common.state(*was)) }
                        @if let Some(with) = with { " · " a href=(job_url(with)) { (words.came_with) } }
                    }
                }
            }
        }
    }
}
