//! What went wrong: jobs by their reason, with what to do; connections that fell silent, systems that are down, refused deliveries.

pub(super) mod advice;
mod around;
mod refused;
mod words;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, Uri};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use zelo_core::revive::Verdict;
use zelo_core::{JobId, JobState};
use zelo_runtime::revive::Decision;
use zelo_store::{Page, Revivals, TROUBLED_MAX, Trouble, TroubleView, Which};

use self::advice::of_job;
use self::words::{Words, words};
use super::moments::{moment, number};
use super::tables::section;
use super::visit::{Place, Visit};
use super::words::Words as Common;
use crate::App;
use crate::access::{Gate, Known, Reach, Role};
use crate::api::jobs::{decide as decided, decide_all};
use crate::openapi::Table;
use crate::problem::Problem;

/// How many run each minute, where nobody says it.
const PER_MINUTE: u32 = 30;
/// Nobody wants more.
const PER_MINUTE_MAX: u32 = 1_000;

pub(crate) fn table() -> Table {
    Table::new()
        .at(Gate::Known(Role::Viewer, Reach::Clinics), routes!(show))
        .at(Gate::Known(Role::Operator, Reach::Clinics), routes!(retry))
        .at(Gate::Known(Role::Operator, Reach::Clinics), routes!(one))
        .merge(refused::table())
}

/// What is asked for in the address.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Asked {
    /// How many jobs were sent on their way right before.
    done: String,
}

/// The failures, by reason.
#[utoipa::path(get, path = "/failures", tag = "pages", operation_id = "failures_page", params(Asked), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let done = asked.done.parse::<u64>().ok();
    let content = content(&visit, &Told { done, ..Told::default() }).await?;
    Ok(visit.page(Place::Failures, visit.words.place(Place::Failures), &content))
}

/// What came of a form.
#[derive(Default)]
struct Told {
    done: Option<u64>,
    /// Of a job, and why it stands as it did.
    refused: Option<String>,
    /// Of the reason with this code, what was filled in as the rate, and what is wrong with it.
    rate: Option<(String, String)>,
    /// Of the reason with this code, what would become of its jobs at this rate.
    would: Option<(String, NonZeroU32, Revivals)>,
}

/// The jobs of one reason.
struct Group {
    state: JobState,
    code: String,
    count: u64,
    first: Timestamp,
    last: Timestamp,
    parts: Vec<TroubleView>,
}

/// The groups of `who`, the largest first.
async fn groups(visit: &Visit) -> Result<(Vec<Group>, bool), Problem> {
    let archive = visit.app.runtime.store.archive();
    let page = Page { clinics: visit.who.clinics.clone(), ..Page::default() };
    let (mut groups, mut cut) = (Vec::new(), false);
    for state in [JobState::Dead, JobState::Unknown] {
        let mut found: BTreeMap<String, Group> = BTreeMap::new();
        let troubles = archive.troubles(&page, state).await?;
        cut |= troubles.iter().map(|trouble| trouble.count).sum::<u64>() >= u64::from(TROUBLED_MAX);
        for trouble in troubles {
            let code = trouble.code.clone().unwrap_or_default();
            let (first, last) = (trouble.first, trouble.last);
            let new = || Group { state, code: code.clone(), count: 0, first, last, parts: Vec::new() };
            let group = found.entry(code.clone()).or_insert_with(new);
            group.count += trouble.count;
            (group.first, group.last) = (group.first.min(first), group.last.max(last));
            group.parts.push(trouble);
        }
        groups.extend(found.into_values());
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    Ok((groups, cut))
}

async fn content(visit: &Visit, told: &Told) -> Result<Markup, Problem> {
    let (common, words) = (visit.words, words(visit.words));
    let (groups, cut) = groups(visit).await?;
    let zone = zone(visit).await?;
    let around = if visit.who.sees_everything() { Some(around::around(visit, words, &zone).await?) } else { None };
    let list = html! {
        @if groups.is_empty() {
            div.empty { p { strong { (words.empty) } } p { (words.teach) } }
        }
        @for group in &groups { (markup(visit, words, group, told, &zone)) }
        @if cut { p.none { (words.cut) } }
    };
    Ok(html! {
        p.none data-key="intro" { (words.intro) }
        @if let Some(done) = told.done { p.done role="status" data-key="said" { (words.done) " " (number(common, done)) } }
        @if let Some(why) = &told.refused { p.error role="alert" data-key="refusal" { (words.refused) " " (why) } }
        (section("troubles", words.jobs, &list))
        @if let Some(around) = &around { (around) }
    })
}

/// The zone in which times of no clinic in particular are told: that of the reader's first.
pub(super) async fn zone(visit: &Visit) -> Result<TimeZone, Problem> {
    let named = visit.who.clinics.named().and_then(|clinics| clinics.iter().next());
    match named {
        Some(one) => visit.zones().of(&one.connection, Some(&one.clinic)).await,
        None => visit.zones().of(visit.app.runtime.connections.keys().min().map_or("", String::as_str), None).await,
    }
}

fn markup(visit: &Visit, words: &Words, group: &Group, told: &Told, zone: &TimeZone) -> Markup {
    let common = visit.words;
    let edition = visit.app.runtime.rules.current();
    let title =
        |rule: &str| edition.rules.rule(rule).and_then(|rule| rule.title.get(common.lang).cloned()).unwrap_or_else(|| rule.to_owned());
    let advice = of_job(common, &group.code);
    let acts = visit.who.role.sees_to_jobs();
    let dead = group.state == JobState::Dead;
    let what = advice.map_or(group.code.as_str(), |advice| advice.told);
    html! {
        article.card.trouble data-key={ "trouble " (group.state.as_str()) " " (group.code) } data-news=(what) {
            h3 { span.amount { (number(common, group.count)) } (what) }
            p.facts {
                (words.since) " " (moment(common, group.first, zone)) ", " (words.latest) " " (moment(common, group.last, zone))
                @if !group.code.is_empty() && visit.who.role >= Role::Integrator { " · " code { (group.code) } }
            }
            @if let Some(advice) = advice { p.advice { strong { (words.what_to_do) } " " (advice.todo) } }
            ul {
                @for part in &group.parts {
                    li {
                        (title(&part.rule)) " (" (number(common, part.count)) ") · "
                        a href={ "/activity/jobs/" (part.job) } { (words.example) span.hidden { ": " (title(&part.rule)) " · " (what) } }
                        @if acts && dead {
                            form.choices method="post" action={ "/failures/jobs/" (part.job) } {
                                button.quiet type="submit" { (words.try_one) span.hidden { ": " (title(&part.rule)) } }
                            }
                        }
                    }
                }
            }
            @if acts && dead { (form(common, words, group, told)) }
            @if !dead { p { a.button.quiet href="/attention" { (words.decide) } } }
        }
    }
}

/// What sends all jobs of a reason on their way: first it says what would become of them.
fn form(common: &Common, words: &Words, group: &Group, told: &Told) -> Markup {
    if let Some((_, rate, revivals)) = told.would.as_ref().filter(|(code, ..)| *code == group.code) {
        let mut not: BTreeMap<&str, u64> = BTreeMap::new();
        for refused in revivals.jobs.iter().filter_map(|job| job.refused.as_ref()) {
            *not.entry(common.reason(JobState::Dead, refused).unwrap_or(&refused.text)).or_default() += 1;
        }
        let would = revivals.jobs.len() as u64 - not.values().sum::<u64>();
        return html! {
            div.preview role="status" id="would" {
                p { strong { (words.would) " " (number(common, would)) } }
                @if !not.is_empty() {
                    p { (words.would_not) }
                    ul { @for (why, count) in &not { li { (number(common, *count)) " · " (why) } } }
                }
                form.choices method="post" action="/failures/retry" {
                    input type="hidden" name="code" value=(group.code);
                    input type="hidden" name="per_minute" value=(rate);
                    @if would > 0 { button type="submit" name="step" value="go" { (words.go) } }
                    a.button.quiet href="/failures" { (words.back) }
                }
            }
        };
    }
    let wrong = told.rate.as_ref().filter(|(code, _)| *code == group.code).map(|(_, filled)| filled.as_str());
    let id = format!("rate-{}", group.code);
    html! {
        form.rate method="post" action="/failures/retry" {
            input type="hidden" name="code" value=(group.code);
            label for=(id) { (words.per_minute) }
            input id=(id) type="number" name="per_minute" min="1" max=(PER_MINUTE_MAX) value=(wrong.map_or_else(|| PER_MINUTE.to_string(), str::to_owned)) aria-describedby={ (id) "-hint" } aria-invalid=[wrong.map(|_| "true")];
            p.hint id={ (id) "-hint" } { (words.per_minute_hint) }
            @if wrong.is_some() { p.error role="alert" { (words.not_a_rate) } }
            button type="submit" name="step" value="ask" { (words.try_all) }
        }
    }
}

/// What is sent.
#[derive(Deserialize, ToSchema)]
#[schema(as = RetryForm)]
pub(crate) struct Said {
    /// The code of the reason.
    #[serde(default)]
    code: String,
    /// How many run each minute.
    #[serde(default)]
    per_minute: String,
    /// `ask` what would become of them, or `go`.
    step: String,
}

/// Says what would become of the jobs that died of a reason; then runs them again.
#[utoipa::path(post, path = "/failures/retry", tag = "pages", operation_id = "retry_failures", request_body(content = Said, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, description = "What would become of them.", body = String, content_type = "text/html"),
    (status = 303, description = "Done; the failures come next."),
    (status = 422, description = "Something is not filled in well: the page says what.", body = String, content_type = "text/html"),
))]
pub(crate) async fn retry(State(app): State<App>, who: Known, request: Request) -> Result<Response, Problem> {
    let (mut here, body) = request.into_parts();
    let request = Request::from_parts(here.clone(), body);
    let malformed = || Problem::malformed("This is not the form of failures.");
    let Said { code, per_minute, step } = super::sent::form(&app, request).await?;
    if !["ask", "go"].contains(&step.as_str()) {
        return Err(malformed());
    }
    here.uri = Uri::from_static("/failures");
    let visit = Visit::from_request_parts(&mut here, &app).await?;
    let (told, status) = match per_minute.trim().parse::<NonZeroU32>().ok().filter(|rate| rate.get() <= PER_MINUTE_MAX) {
        None => (Told { rate: Some((code, per_minute)), ..Told::default() }, StatusCode::UNPROCESSABLE_ENTITY),
        Some(rate) => {
            let which = Which::All(Trouble { code: Some(code.clone()), ..Trouble::default() });
            let dry_run = step == "ask";
            let decision = Decision { which, verdict: Verdict::Retry, per_minute: Some(rate), dry_run, actor: who.actor() };
            let revivals = decide_all(&app, &who, decision).await?;
            if !dry_run {
                let done = revivals.jobs.len() - revivals.refused();
                return Ok(Redirect::to(&format!("/failures?done={done}")).into_response());
            }
            (Told { would: Some((code, rate, revivals)), ..Told::default() }, StatusCode::OK)
        }
    };
    let content = content(&visit, &told).await?;
    Ok(visit.page_as(status, Place::Failures, visit.words.place(Place::Failures), &content))
}

/// Runs one dead job again.
#[utoipa::path(post, path = "/failures/jobs/{id}", tag = "pages", operation_id = "retry_failure", params(("id" = String, Path, description = "`job_` and 32 hexadecimal digits.")), responses(
    (status = 303, description = "Done; the failures come next."),
    (status = 409, description = "The job stands as it did: the page says why.", body = String, content_type = "text/html"),
))]
pub(crate) async fn one(State(app): State<App>, who: Known, Path(id): Path<String>, request: Request) -> Result<Response, Problem> {
    let id: JobId = id.parse().map_err(|_| Problem::no_job())?;
    let Err(problem) = decided(&app, &who, id, Verdict::Retry).await else {
        return Ok(Redirect::to("/failures?done=1").into_response());
    };
    let Some(why) = problem.reason() else { return Err(problem) };
    let mut here = request.into_parts().0;
    here.uri = Uri::from_static("/failures");
    let visit = Visit::from_request_parts(&mut here, &app).await?;
    let why = visit.words.reason(JobState::Dead, why).map_or_else(|| why.text.clone(), str::to_owned);
    let content = content(&visit, &Told { refused: Some(why), ..Told::default() }).await?;
    Ok(visit.page_as(StatusCode::CONFLICT, Place::Failures, visit.words.place(Place::Failures), &content))
}
