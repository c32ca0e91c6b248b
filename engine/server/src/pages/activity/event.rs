//! One event as a timeline: how it came, what it said, which rules it was for and why, and what was done because of it.

use std::collections::HashMap;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;
use zelo_core::Effect;
use zelo_core::{Cause, Event, EventId, JobState, JournalEntry, Status};
use zelo_rules::{Class, Explanation, RuleSet};
use zelo_runtime::Waits;
use zelo_runtime::explain::{self, Telling};
use zelo_store::{AttemptView, DecisionView, EventView, JobView, JobsWanted, Page, effect_id};

use super::doings::{Teller, plain};
use super::tree::Why;
use super::words::{Words, words};
use super::{Came, event_title, event_url, job_url, replay, rule_title, said, state_badge, status_badge, why};
use crate::App;
use crate::access::{Known, Role};
use crate::pages::jobs::choices;
use crate::pages::moments::{moment, number};
use crate::pages::names;
use crate::pages::places::Places;
use crate::pages::tables::{reason, section, size};
use crate::pages::values::{Reading, in_reais};
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;
use crate::seen::Seen;

/// No event has more of its jobs told on its page.
const JOBS_MAX: u32 = 30;
/// Of a list in an event no more values.
const VALUES_MAX: usize = 20;

/// One event, from its arrival to what came of it.
#[utoipa::path(get, path = "/activity/events/{id}", tag = "pages", operation_id = "event_page",
    params(("id" = String, Path, description = "`evt_` and 32 hexadecimal digits."), Came),
    responses((status = 200, description = "The page.", body = String, content_type = "text/html")),
)]
pub(crate) async fn show(visit: Visit, Path(id): Path<String>, came: Result<Query<Came>, QueryRejection>) -> Result<Response, Problem> {
    let view = one(&visit.app, &visit.who, &id).await?;
    let did = came.as_ref().ok().and_then(|came| came.did.as_deref());
    page(&visit, &view, &said(words(visit.words), did)).await
}

/// The event with this id, where `who` is told of it.
pub(super) async fn one(app: &App, who: &Known, id: &str) -> Result<EventView, Problem> {
    let missing = || Problem::not_found("There is no event with this id. An id looks like `evt_` and 32 hexadecimal digits.");
    let id: EventId = id.parse().map_err(|_| missing())?;
    app.runtime.store.event(id).await?.filter(|view| who.sees(view)).ok_or_else(missing)
}

/// The page of `view`, under a `note`.
pub(super) async fn page(visit: &Visit, view: &EventView, note: &Markup) -> Result<Response, Problem> {
    let (common, words, event) = (visit.words, words(visit.words), &view.event);
    let edition = visit.app.runtime.rules.current();
    let zone = visit.zones().of(&event.connection, event.clinic.as_deref()).await?;
    let jobs = Told::all(&visit.app, &visit.who, event).await?;
    let shown = Seen::of("event").rows([view]).rows(jobs.iter().map(|job| &job.view)).rows(jobs.iter().flat_map(|job| &job.events));
    shown.by(&visit.who, &visit.app).await?;
    let (explanation, others) = explained(visit, event).await?;
    let cause = match &event.cause {
        Some(cause) => Some((cause, visit.app.runtime.store.job(cause.job).await?.filter(|job| visit.who.sees(job)))),
        None => None,
    };
    let title = event_title(&edition.rules, common, event);
    let places = Places::of(visit).await?;
    let told = Timeline { visit, words, view, zone: &zone, rules: &edition.rules, places: &places };
    let tree = Why { common, words, zone: &zone, reais: in_reais(&event.data), codes: visit.who.role >= Role::Integrator };
    let content = html! {
        (note)
        p.facts data-key="where" { a href="/activity" { "← " (common.place(Place::Activity)) } " · " code { (event.id) } }
        (section("received", words.received, &told.received(cause.as_ref().map(|(cause, job)| (*cause, job.as_ref())))))
        (section("content", words.content, &told.content()))
        (section("why", words.why, &html! {
            @match view.status {
                Status::Quarantined => p.said { (words.quarantined) },
                Status::Stale => p.said { (words.stale) },
                _ => {},
            }
            (tree.told(&explanation, others))
        }))
        (section("done", words.what_was_done, &told.jobs(&jobs)))
        (replay::form(visit, event, &explanation))
    };
    Ok(visit.page(Place::Activity, &title, &content))
}

/// Why the rules that listen to it fire or not, with what the reader may see: records that rules look up may be of other clinics.
async fn explained(visit: &Visit, event: &Event) -> Result<(Explanation, usize), Problem> {
    let reveal = if visit.who.sees_everything() { Class::Sensitive } else { Class::Public };
    let in_force = visit.app.runtime.rules.current().in_force.clone();
    let telling = Telling { reveal, locale: visit.words.lang };
    let (mut explanation, others) = explain::listeners(visit.app.runtime.store.as_ref(), &in_force, event, telling).await?;
    // What is on for another clinic is not about this one.
    let elsewhere: Vec<_> =
        in_force.automations().filter(|one| one.clinic.is_some() && one.clinic != event.clinic).map(|one| &one.id).collect();
    explanation.rules.retain(|rule| !rule.automation.as_ref().is_some_and(|automation| elsewhere.contains(&automation)));
    Ok((explanation, others))
}

/// A job with all that is told of it beside its event.
struct Told {
    view: JobView,
    journal: Vec<JournalEntry>,
    attempts: Vec<AttemptView>,
    decisions: Vec<DecisionView>,
    /// What its plugin emitted, as far as the reader is told of it.
    events: Vec<EventView>,
    emitted: HashMap<u32, EventId>,
}

impl Told {
    /// The jobs that an event made, in order, and those that collected it.
    async fn all(app: &App, who: &Known, event: &Event) -> Result<Vec<Self>, Problem> {
        let page = Page { limit: JOBS_MAX, clinics: who.clinics.clone(), ..Page::default() };
        let wanted = JobsWanted { page, event: Some(event.id), ..JobsWanted::default() };
        let mut told = Vec::new();
        for view in app.runtime.store.archive().find_jobs(&wanted).await?.into_iter().rev() {
            told.push(Self::of(app, who, view).await?);
        }
        Ok(told)
    }

    async fn of(app: &App, who: &Known, view: JobView) -> Result<Self, Problem> {
        let store = app.runtime.store.as_ref();
        let id = view.job.id;
        let journal = store.journal(id).await?;
        let (events, emitted) = emitted(app, who, &view, &journal).await?;
        Ok(Self { journal, attempts: store.attempts(id).await?, decisions: store.decisions(id).await?, events, emitted, view })
    }
}

/// The events that a job emitted, by the places of the effects, as far as `who` is told of them.
pub(super) async fn emitted(
    app: &App,
    who: &Known,
    view: &JobView,
    journal: &[JournalEntry],
) -> Result<(Vec<EventView>, HashMap<u32, EventId>), Problem> {
    let (store, job) = (app.runtime.store.as_ref(), &view.job);
    let emits = (0_u32..).zip(journal).filter_map(|(index, entry)| match entry {
        JournalEntry::Effect { effect: Effect::Event(emitted), .. } => Some((index, emitted.kind.as_str())),
        _ => None,
    });
    let (mut events, mut places) = (Vec::new(), HashMap::new());
    for (index, kind) in emits {
        let delivery = store.indexer().delivery(&job.connection, kind, &effect_id(job.id, index));
        for event in store.archive().delivered(vec![delivery]).await?.into_iter().filter(|event| who.sees(event)) {
            places.insert(index, event.event.id);
            events.push(event);
        }
    }
    Ok((events, places))
}

/// What one page tells.
struct Timeline<'p> {
    visit: &'p Visit,
    words: &'static Words,
    view: &'p EventView,
    zone: &'p jiff::tz::TimeZone,
    rules: &'p RuleSet,
    places: &'p Places,
}

impl Timeline<'_> {
    fn received(&self, cause: Option<(&Cause, Option<&JobView>)>) -> Markup {
        let (words, common, event) = (self.words, self.visit.words, &self.view.event);
        let fact = |name: &str, value: Markup| html! { div { dt { (name) } dd { (value) } } };
        html! {
            dl.wide {
                (fact(words.arrived, html! { (moment(common, event.received, self.zone)) }))
                (fact(words.happened, html! { (moment(common, event.time, self.zone)) }))
                (fact(common.status, html! { (status_badge(common, self.view.status)) }))
                @if self.visit.who.role >= Role::Integrator { (fact(common.kind, html! { code { (event.kind) } })) }
                @if let Some(entity) = &event.entity { (fact(common.entity, html! { (names::one(common, &entity.kind, &entity.id)) })) }
                (fact(words.came_by, html! { (self.source()) " · " (self.places.whole(&event.connection, event.clinic.as_deref())) }))
                (fact(words.verified, html! { (self.verified()) }))
                (fact(common.size, html! { (size(self.length())) }))
                @if let Some((cause, job)) = cause {
                    (fact(words.cause, html! {
                        (words.emitted_by) " "
                        @if let Some(job) = job { a href=(job_url(cause.job)) { (rule_title(self.rules, common, &job.job.rule)) } }
                        @else { code { (cause.job) } }
                    }))
                }
                @let fed = self.records();
                @if !fed.is_empty() { (fact(words.fed, html! { (fed.join(", ")) })) }
            }
        }
    }

    fn source(&self) -> String {
        let source = &self.view.event.source;
        let title = self.rules.source(source).and_then(|source| source.title.get(self.visit.words.lang));
        title.map_or_else(|| source.clone(), Clone::clone)
    }

    fn length(&self) -> u64 {
        let data = &self.view.event.data;
        data.text().map_or_else(|| data.to_string().len(), |text| text.len()) as u64
    }

    /// How it is made sure where such events come from. Which of several ways it was is not kept.
    fn verified(&self) -> String {
        let (words, event) = (self.words, &self.view.event);
        if event.cause.is_some() {
            return words.verified_own.to_owned();
        }
        let connection = self.visit.app.runtime.connections.get(&event.connection);
        let Some(source) = self.rules.source(&event.source) else { return words.verified_gone.to_owned() };
        if connection.is_some_and(|connection| self.visit.app.runtime.is_insecure(connection)) {
            return words.verified_not.to_owned();
        }
        let mut ways: Vec<&str> = source.verify.iter().map(|scheme| words.scheme(scheme.way())).collect();
        ways.dedup();
        format!("{} {}", words.verified_by, ways.join(words.or))
    }

    /// The records that its source remembers of it.
    fn records(&self) -> Vec<String> {
        let event = &self.view.event;
        // What came late or was not understood changes none.
        let Some(source) = self.rules.source(&event.source).filter(|_| self.view.status == Status::Accepted && event.cause.is_none())
        else {
            return Vec::new();
        };
        let fed = source.records.iter().filter(|record| record.on.contains(&event.kind));
        fed.filter_map(|record| Some(names::one(self.visit.words, &record.kind, &plain(record.key.first(&event.data)?)))).collect()
    }

    /// What it says: in words as far as its source has some, and for those who write rules as it came.
    fn content(&self) -> Markup {
        let (words, event, lang) = (self.words, &self.view.event, self.visit.words.lang);
        let source = self.rules.source(&event.source);
        let reais = in_reais(&event.data);
        let words_of = source.into_iter().flat_map(|source| source.words.all().map(move |(path, text)| (source, path, text)));
        let told = words_of.filter_map(|(source, path, text)| {
            // As its clinic reads it, however its provider writes it.
            let reading = Reading { words: self.visit.words, zone: self.zone, written: &source.timezone, reais };
            let label = text.get(lang).map_or("", String::as_str);
            let value = |node: &Value| {
                let known = node.as_str().and_then(|text| source.words.value(path, text)?.get(lang).cloned());
                known.unwrap_or_else(|| reading.told(path.as_str(), label, node))
            };
            let nodes = path.nodes(&event.data);
            let found: Vec<String> =
                nodes.iter().filter(|node| !(node.is_null() || node.is_object() || node.is_array())).take(VALUES_MAX).map(value).collect();
            (!found.is_empty()).then(|| (super::capital(label), found.join(", ")))
        });
        let told: Vec<(String, String)> = told.collect();
        let whole = self.visit.who.role >= Role::Integrator;
        html! {
            @if told.is_empty() { p.none { (words.no_words) } }
            @else { dl.wide { @for (name, value) in told { div { dt { (name) } dd { (value) } } } } }
            @if whole {
                details data-key="payload" {
                    summary { (words.as_it_came) }
                    pre tabindex="0" { (serde_json::to_string_pretty(&event.data).unwrap_or_default()) }
                }
            }
        }
    }

    fn jobs(&self, jobs: &[Told]) -> Markup {
        let words = self.words;
        html! {
            @if jobs.is_empty() { p.none { (words.no_jobs_of_event) } }
            @for job in jobs { (self.job(job)) }
            @if jobs.len() == JOBS_MAX as usize { p.facts { (words.and_perhaps_more) " " (number(self.visit.words, u64::from(JOBS_MAX))) } }
        }
    }

    fn job(&self, told: &Told) -> Markup {
        let (words, common, job) = (self.words, self.visit.words, &told.view.job);
        let teller = Teller { common, words, zone: self.zone, emitted: &told.emitted };
        let halts = self.visit.app.runtime.line.halts();
        html! {
            article.card data-key={ "job " (job.id) } data-news={ (rule_title(self.rules, common, &job.rule)) ": " (common.state(job.state)) } {
                h3 {
                    a href=(job_url(job.id)) { (rule_title(self.rules, common, &job.rule)) " · " (names::action_of(self.visit, job)) } " "
                    (state_badge(common, job.state))
                }
                @if let Some(waits) = Waits::of(&told.view, &halts) { p { (names::waits(common, self.rules, &waits, self.zone)) } }
                @else if let Some(why) = why(job) { p { (reason(common, job.state, why)) (names::exact(self.visit, why)) } }
                @if job.state == JobState::Scheduled { p { (common.due) " " (moment(common, job.due, self.zone)) } }
                @if let Some(ended) = told.view.ended { p.facts { (words.ended) " " (moment(common, ended, self.zone)) } }
                @if let Some(summary) = &told.view.summary { p.said { (summary) } }
                (teller.effects(&told.journal))
                (teller.attempts(&told.attempts))
                (teller.disclosure(&told.journal))
                (super::job::decisions(words, common, self.zone, &told.decisions))
                @if self.visit.who.role.sees_to_jobs() { (choices(common, job, &event_url(self.view.event.id))) }
            }
        }
    }
}
