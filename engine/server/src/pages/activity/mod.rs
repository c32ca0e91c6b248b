//! Activity: what came in and what was made of it, as lists that people search, and each event and job as a page of its own.
//!
//! The store is sealed: it is searched by ids and by keyed hashes of what is asked for, never by names. What is asked for is
//! sent as a form and leads to an address that holds ids and hashes only, so no CPF gets into a log on the way.

mod doings;
mod event;
mod find;
mod job;
mod list;
mod replay;
mod tree;
mod words;

use maud::{Markup, html};
use utoipa_axum::routes;
use zelo_core::job::Reason;
use zelo_core::{Event, Job, JobState, Status};
use zelo_rules::RuleSet;

use super::names::{capital, rule as rule_title};
use super::words::Words as Common;
use crate::access::{Gate, Reach, Role};
use crate::openapi::Table;

/// The routes.
pub(crate) fn table() -> Table {
    let sees = Gate::Known(Role::Viewer, Reach::Clinics);
    Table::new()
        .at(sees, routes!(list::show, find::find))
        .at(sees, routes!(event::show))
        .at(sees, routes!(job::show))
        // What else arrived at that instant may be of other clinics.
        .at(Gate::Known(Role::Integrator, Reach::Everything), routes!(replay::replay))
}

/// Where an event is shown.
fn event_url(id: impl std::fmt::Display) -> String {
    format!("/activity/events/{id}")
}

/// Where a job is shown.
pub(super) fn job_url(id: impl std::fmt::Display) -> String {
    format!("/activity/jobs/{id}")
}

/// What happened, as the source says it; the name of the type where nobody says it of what came from outside.
fn event_title(rules: &RuleSet, common: &Common, event: &Event) -> String {
    let mapping = rules.source(&event.source).and_then(|source| source.events.iter().find(|mapping| mapping.kind == event.kind));
    let said = mapping.and_then(|mapping| mapping.title.as_ref()?.get(common.lang));
    // No source has words for what a plugin emits.
    let own = || if event.cause.is_some() { words::words(common).own_event.to_owned() } else { event.kind.clone() };
    said.map_or_else(own, |said| capital(said))
}

fn status_badge(common: &Common, status: Status) -> Markup {
    let colour = match status {
        Status::Accepted => "badge good",
        Status::Quarantined => "badge bad",
        Status::Stale => "badge wait",
        Status::Duplicate | Status::Ignored => "badge off",
    };
    html! { span class=(colour) { (common.status(status)) } }
}

fn state_badge(common: &Common, state: JobState) -> Markup {
    let colour = match state {
        JobState::Done => "badge good",
        JobState::Dead | JobState::Unknown => "badge bad",
        JobState::Scheduled | JobState::Ready => "badge wait",
        JobState::Running => "badge",
        JobState::Cancelled | JobState::Skipped => "badge off",
    };
    html! { span class=(colour) { (common.state(state)) } }
}

/// What is missing, or why it ended. The reason of what is done is a word of its plugin, which says the same in its summary.
fn why(job: &Job) -> Option<&Reason> {
    job.attention.as_ref().or(job.reason.as_ref()).filter(|_| job.state != JobState::Done)
}

/// What was done by a form that led here.
fn said(words: &words::Words, did: Option<&str>) -> Markup {
    let told = did.and_then(|did| words.dids.iter().find(|(word, _)| *word == did)).map(|(_, told)| *told);
    html! { @if let Some(told) = told { p.done role="status" data-key="did" { (told) } } }
}

/// What an address asks of the page of an event or a job.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Came {
    /// What was just done by a form.
    did: Option<String>,
}
