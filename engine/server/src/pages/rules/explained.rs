//! Why a rule fires for a stored event, or does not: the condition tree, with what was found and what was wanted.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use zelo_core::{EventId, Timestamp};
use zelo_rules::{ActionTold, Class, ClauseTold, Outcome, Rule, RuleTold, Seen as SeenValue, Told};
use zelo_runtime::explain::{self, Explained, Telling};
use zelo_store::{EventView, Page};

use super::words::{Words, words};
use super::{Side, missing, sides, title};
use crate::pages::moments::moment;
use crate::pages::tables::section;
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;
use crate::seen::Seen;

/// Events among which those of the rule are looked for, and how many of these are offered.
const LOOKED_AT: u32 = 200;
const OFFERED: usize = 25;

/// Of which event, and what may be shown of it.
#[derive(Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    event: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    reveal: String,
}

/// Why this rule fires for an event, or does not.
#[utoipa::path(get, path = "/rules/{id}/explain", tag = "pages", operation_id = "rule_explained_page", params(
    ("id" = String, Path, description = "Of the rule."),
    ("event" = Option<String>, Query, description = "The event, as the list offers it."),
    ("reveal" = Option<String>, Query, description = "Values of this class and of less delicate ones are shown: public, personal or sensitive."),
), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
    (status = 422, description = "There is no such event; the page says so.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit, Path(id): Path<String>, query: Result<Query<Asked>, QueryRejection>) -> Result<Response, Problem> {
    let w = words(visit.words);
    let edition = visit.app.runtime.rules.current();
    let rule = edition.rules.rule(&id).ok_or_else(missing)?;
    let asked = query.map(|Query(asked)| asked).unwrap_or_default();
    let reveal = Class::ALL.into_iter().find(|class| class.as_str() == asked.reveal).unwrap_or(Class::Public);
    // What is typed counts more than what is chosen.
    let wanted = if asked.id.trim().is_empty() { asked.event.trim() } else { asked.id.trim() };
    let store = visit.app.runtime.store.as_ref();
    let page = Page { limit: LOOKED_AT, clinics: visit.who.clinics.clone(), ..Page::default() };
    let mut latest = store.events(&page).await?;
    latest.retain(|view| is_about(rule, view));
    latest.truncate(OFFERED);
    let view = match wanted.parse::<EventId>() {
        Ok(id) => store.event(id).await?.filter(|view| visit.who.sees(view)),
        Err(_) => None,
    };
    let mut told = None;
    if let Some(view) = &view {
        let telling = Telling { reveal, locale: visit.words.lang };
        let asked = (&view.event, view.status);
        let explained = explain::explain_rule(store, &edition.in_force, asked, telling, &rule.id).await?;
        told = Some(explained);
    }
    Seen::of("explanation").rows(&latest).rows(&view).by(&visit.who, &visit.app).await?;
    let unknown = view.is_none() && !wanted.is_empty();
    let zones = visit.zones();
    let mut offered = Vec::new();
    for event in &latest {
        offered
            .push((event, moment(visit.words, event.event.time, &zones.of(&event.event.connection, event.event.clinic.as_deref()).await?)));
    }
    let why = match (&told, &view) {
        (Some(explained), Some(view)) => {
            let zone = zones.of(&view.event.connection, view.event.clinic.as_deref()).await?;
            Some(told_of(&visit, w, explained, &|at| moment(visit.words, at, &zone)))
        }
        _ => None,
    };
    let content = html! {
        (sides(w, &id, Side::Explained))
        (section("choose", w.choose_event, &form(&visit, w, (&id, wanted, reveal), &offered, unknown)))
        @if let Some(why) = &why { (section("why", w.why, why)) }
    };
    let status = if unknown { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(visit.page_as(status, Place::Rules, title(rule, visit.words.lang), &content))
}

/// Whether the rule looks at events like this one.
fn is_about(rule: &Rule, view: &EventView) -> bool {
    rule.on.contains(&view.event.kind) && rule.source.as_ref().is_none_or(|source| *source == view.event.source)
}

type Offered<'e> = (&'e EventView, Markup);

fn form(visit: &Visit, w: &Words, (rule, wanted, reveal): (&str, &str, Class), offered: &[Offered<'_>], unknown: bool) -> Markup {
    html! {
        form method="get" action={ "/rules/" (rule) "/explain" } {
            @if offered.is_empty() {
                div.empty { p { (w.no_events) } p { (w.no_events_how) } }
            } @else {
                label for="event" { (w.event) }
                select id="event" name="event" {
                    @for (view, at) in offered {
                        option value=(view.event.id) selected[view.event.id.to_string() == wanted] {
                            (plain(at)) " · " (view.event.kind) " · " (view.event.connection)
                            @if let Some(clinic) = &view.event.clinic { " · " (clinic) }
                        }
                    }
                }
            }
            label for="id" { (w.event_id) }
            @let own = !offered.iter().any(|(view, _)| view.event.id.to_string() == wanted);
            input id="id" name="id" value=(if own { wanted } else { "" }) placeholder="evt_…" autocapitalize="none" spellcheck="false"
                aria-invalid=[unknown.then_some("true")] aria-describedby=[unknown.then_some("id-error")];
            @if unknown { p.error id="id-error" { (w.no_such_event) } }
            label for="reveal" { (w.reveal) }
            select id="reveal" name="reveal" {
                @for class in Class::ALL { option value=(class.as_str()) selected[class == reveal] { (visit.words.class(class)) } }
            }
            p.hint { (w.reveal_how) }
            button type="submit" { (w.explain) }
        }
    }
}

/// The text of a moment, for an option, which holds no elements.
fn plain(at: &Markup) -> String {
    at.0.split('>').nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default().to_owned()
}

/// The whole explanation of one rule.
fn told_of(visit: &Visit, w: &Words, explained: &Explained, at: &dyn Fn(Timestamp) -> Markup) -> Markup {
    html! {
        p.facts {
            (at(explained.explanation.event.time)) " · " (explained.explanation.event.kind) " · " (explained.explanation.event.connection)
            @if let Some(clinic) = &explained.explanation.event.clinic { " · " (clinic) }
            @if let Some(id) = &explained.explanation.event.id { " · " a href={ "/activity/events/" (id) } { code { (id) } } }
            @if let Some(status) = explained.status { " · " (visit.words.status(status)) }
        }
        @if let Some(violation) = &explained.violation { p.error lang="en" { (violation) } }
        @for rule in &explained.explanation.rules { (rule_told(w, rule, at)) }
        @if !explained.jobs.is_empty() {
            h3 { (w.jobs_made) }
            ul { @for job in &explained.jobs { li { a href={ "/activity/jobs/" (job.job) } { (job.action) } " · " (job.state) " · " (at(job.due)) @if let Some(reason) = &job.reason { " · " span lang="en" { (reason) } } } } }
        }
    }
}

/// What comes of one automation of the rule, and of each of its actions.
pub(super) fn rule_told(w: &Words, rule: &RuleTold, at: &dyn Fn(Timestamp) -> Markup) -> Markup {
    html! {
        div.card {
            h3 {
                @match &rule.automation { Some(automation) => code { (automation) }, None => (w.not_on_here) }
                " " (outcome(w, rule.outcome))
            }
            @if let Some(why) = &rule.why { p { (why) } }
            @if let Some(when) = &rule.when { p.facts { (w.when) } (tree(w, when)) }
            @for action in &rule.actions { (action_told(w, action, at)) }
        }
    }
}

fn action_told(w: &Words, action: &ActionTold, at: &dyn Fn(Timestamp) -> Markup) -> Markup {
    html! {
        div.action {
            h4 { (action.action) " · " (action.plugin) " " (outcome(w, action.outcome)) }
            @if let Some(why) = &action.why { p { (why) } }
            @if let Some(when) = &action.when { p.facts { (w.when) } (tree(w, when)) }
            @if let Some(only_if) = &action.only_if { p.facts { (w.only_if) } (tree(w, only_if)) }
            @if let Some(job) = &action.job {
                dl.facts {
                    @if let Some(due) = job.due { div { dt { (w.due) } dd { (at(due)) } } }
                    @if !job.needs.is_empty() { div { dt { (w.needs) } dd { (job.needs.join(", ")) } } }
                    @if !job.fields.is_empty() { div { dt { (w.fields) } dd { code { (job.fields.join(", ")) } } } }
                    @for told in &job.provided { div { dt { (w.provided) } dd { (told) } } }
                    @if let Some(reason) = &job.reason { div { dt { (w.reason) } dd { (reason.text) } } }
                }
            }
        }
    }
}

fn outcome(w: &Words, outcome: Outcome) -> Markup {
    match outcome {
        Outcome::Fires => html! { span.badge.good { (w.fires) } },
        Outcome::Cancels => html! { span.badge.wait { (w.cancels) } },
        Outcome::Silent => html! { span.badge.off { (w.silent) } },
    }
}

/// A condition as it came out, as a list in a list.
fn tree(w: &Words, told: &Told) -> Markup {
    html! { ul.tree { (node(w, told)) } }
}

fn node(w: &Words, told: &Told) -> Markup {
    let group =
        |title: &str, parts: &[Told]| html! { li { (mark(w, told.holds())) " " (title) ul { @for part in parts { (node(w, part)) } } } };
    match told {
        Told::All { parts, .. } => group(w.all_of, parts),
        Told::Any { parts, .. } => group(w.any_of, parts),
        Told::Not { part, .. } => group(w.none_of, std::slice::from_ref(part)),
        Told::Clause(clause) => self::clause(w, clause),
    }
}

/// Whether it holds: in words for who does not see the sign.
fn mark(w: &Words, holds: bool) -> Markup {
    if holds {
        html! { span.holds aria-hidden="true" { "✓" } span.hidden { (w.holds) } }
    } else {
        html! { span.fails aria-hidden="true" { "✗" } span.hidden { (w.fails) } }
    }
}

fn clause(w: &Words, clause: &ClauseTold) -> Markup {
    html! {
        li class=[clause.decisive.then_some("decisive")] {
            (mark(w, clause.holds)) " "
            code {
                @if let Some(record) = &clause.record { (record) " " }
                (clause.path) @if let Some(convert) = clause.convert { " as " (convert) } " " (clause.operator) " " (clause.right)
            }
            div.facts {
                (w.found) ": "
                @if clause.seen.is_empty() { (w.nothing) } @else { (values(w, &clause.seen)) }
                @if clause.more > 0 { " +" (clause.more) }
                @if !clause.against.is_empty() { " · " (w.against) ": " (values(w, &clause.against)) }
            }
            @if let Some(why) = &clause.why { div { (why) } }
        }
    }
}

fn values(w: &Words, seen: &[SeenValue]) -> Markup {
    html! {
        @for (place, value) in seen.iter().enumerate() {
            @if place > 0 { ", " }
            @match value {
                SeenValue::Shown { value } => code { (value) },
                SeenValue::Redacted { kind, .. } => span.badge.off { (w.hidden_value) " (" (kind) ")" },
            }
        }
    }
}
