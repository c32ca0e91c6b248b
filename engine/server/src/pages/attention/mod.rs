//! What goes on only if a person does something: fills in what is missing, or says whether something was done.

mod value;
mod words;

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, Uri};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use zelo_core::revive::Verdict;
use zelo_core::{JobId, JobState, KeyHash, RecordRow};
use zelo_rules::Lack;
use zelo_store::{JobView, Page};

use self::value::Kind;
use self::words::{Words, words};
use super::moments::{moment, number};
use super::names;
use super::scheduled::{PEOPLE, at, called, clinic, whom};
use super::sent::{address, form};
use super::tables::section;
use super::visit::{Place, Visit};
use super::words::Words as Common;
use crate::App;
use crate::access::{Gate, Known, Reach, Role};
use crate::api::jobs::{cancelled, decide as decided};
use crate::openapi::Table;
use crate::problem::Problem;
use crate::seen::Seen;

/// Jobs of each kind on one page.
const ROWS: u32 = 25;
/// Fields that one job is asked about at once.
const FIELDS: usize = 5;

pub(crate) fn table() -> Table {
    Table::new().at(Gate::Known(Role::Viewer, Reach::Clinics), routes!(show)).at(Gate::Known(Role::Operator, Reach::Clinics), routes!(act))
}

/// What is asked for in the address.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Asked {
    /// Where the list of those that wait goes on.
    before: String,
    /// Where that of those whose end is unknown goes on.
    unknown: String,
    /// What was done right before.
    done: String,
}

/// A value that could not be taken, or why something was not done.
struct Wrong {
    job: JobId,
    /// Type and id of the record, and the field.
    at: (String, String, String),
    value: String,
    told: String,
}

/// What waits for a person.
#[utoipa::path(get, path = "/attention", tag = "pages", operation_id = "attention_page", params(Asked), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let content = content(&visit, &asked, None).await?;
    Ok(visit.page(Place::Attention, visit.words.place(Place::Attention), &content))
}

async fn content(visit: &Visit, asked: &Asked, wrong: Option<&Wrong>) -> Result<Markup, Problem> {
    let (common, words) = (visit.words, words(visit.words));
    let store = &visit.app.runtime.store;
    let page = Page { limit: ROWS + 1, clinics: visit.who.clinics.clone(), ..Page::default() };
    let mut waiting = store.attention(&Page { before: asked.before.parse().ok(), ..page.clone() }).await?;
    let more = waiting.len() > ROWS as usize;
    waiting.truncate(ROWS as usize);
    let mut unknown = store.jobs(&Page { before: asked.unknown.parse().ok(), ..page.clone() }, Some(JobState::Unknown)).await?;
    let more_unknown = unknown.len() > ROWS as usize;
    unknown.truncate(ROWS as usize);
    let troubles = store.archive().troubles(&page, JobState::Dead).await?;
    let dead = troubles.iter().map(|trouble| trouble.count).sum::<u64>();
    let looked_up = waiting.iter().chain(&unknown).flat_map(|view| &view.job.lookups).map(|lookup| lookup.record.hash).collect();
    let people = store.archive().people(&looked_up).await?;
    Seen::of("attention").rows(&waiting).rows(&unknown).people(people).by(&visit.who, &visit.app).await?;
    let next = waiting.last().filter(|_| more).map(|view| view.cursor.to_string());
    let next_unknown = unknown.last().filter(|_| more_unknown).map(|view| view.cursor.to_string());
    let mut tasks = Vec::new();
    for view in &waiting {
        tasks.push(Task::of(visit, view, wrong).await?.markup(words, visit).await?);
    }
    let mut asks = Vec::new();
    for view in &unknown {
        asks.push(Task::of(visit, view, wrong).await?.markup(words, visit).await?);
    }
    let done = match asked.done.as_str() {
        "fill" => words.filled,
        "decide" => words.decided,
        _ => "",
    };
    let lost = wrong.filter(|wrong| !waiting.iter().chain(&unknown).any(|view| view.job.id == wrong.job));
    Ok(html! {
        p.none data-key="intro" { (words.intro) }
        @if !done.is_empty() { p.done role="status" data-key="said" { (done) } }
        @if let Some(wrong) = lost { p.error role="alert" data-key="refusal" { (words.refused) " " (wrong.told) } }
        @if tasks.is_empty() && asks.is_empty() && dead == 0 {
            div.empty data-key="empty" { p { strong { (words.empty) } } p { (words.teach) } }
        }
        @if !tasks.is_empty() {
            (section("waiting", words.waiting, &html! {
                ul.tasks { @for task in &tasks { (task) } }
                @if let Some(next) = &next { p.pager { a href=(address("/attention", &[("before", next), ("unknown", &asked.unknown)])) { (words.older) } } }
            }))
        }
        @if !asks.is_empty() {
            (section("unknown", words.unknown, &html! {
                p.none { (words.unknown_how) }
                ul.tasks { @for task in &asks { (task) } }
                @if let Some(next) = &next_unknown { p.pager { a href=(address("/attention", &[("before", &asked.before), ("unknown", next)])) { (words.older) } } }
            }))
        }
        @if dead > 0 {
            (section("dead", common.place(Place::Failures), &html! {
                p { strong { (number(common, dead)) } " " (if dead == 1 { words.dead_one } else { words.dead }) }
                p { a.button.quiet href="/failures" { (words.to_failures) } }
            }))
        }
    })
}

/// One job that needs a person.
struct Task<'t> {
    view: &'t JobView,
    lacks: Vec<Lack>,
    records: HashMap<KeyHash, RecordRow>,
    /// The names that its event gives to those whose own records have none, by their ids.
    named: HashMap<String, String>,
    wrong: Option<&'t Wrong>,
}

/// The name in a record.
fn name(row: &RecordRow) -> Option<&str> {
    row.document.get("name").and_then(Value::as_str).filter(|name| !name.trim().is_empty())
}

/// The names that stand beside ids in a payload.
fn named(data: &Value) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let mut left = vec![data];
    while let Some(node) = left.pop() {
        match node {
            Value::Object(fields) => {
                let id = fields
                    .get("id")
                    .filter(|id| id.is_string() || id.is_number())
                    .map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
                let name = fields.get("name").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
                found.extend(id.zip(name.map(str::to_owned)));
                left.extend(fields.values());
            }
            Value::Array(items) => left.extend(items),
            _ => {}
        }
    }
    found
}

/// The names that other records of the same person have, by the ids of those who lack something and whom their event does not name.
async fn elsewhere(
    visit: &Visit,
    view: &JobView,
    lacks: &[Lack],
    named: &HashMap<String, String>,
) -> Result<HashMap<String, String>, Problem> {
    let store = &visit.app.runtime.store;
    let people = lacks.iter().filter(|lack| PEOPLE.contains(&lack.record.kind.as_str()) && !named.contains_key(&lack.id));
    let kinds = |lack: &'_ Lack| PEOPLE.map(|kind| (store.indexer().record(&view.job.connection, kind, &lack.id), lack.id.clone()));
    let asked: HashMap<KeyHash, String> = people.flat_map(kinds).collect();
    let rows = store.archive().records(asked.keys().copied().collect()).await?;
    Ok(asked.into_iter().filter_map(|(hash, id)| Some((id, name(rows.get(&hash)?)?.to_owned()))).collect())
}

/// What a job lacks, in words: each field, and whose.
pub(super) fn lacking(visit: &Visit, lacks: Vec<Lack>) -> Vec<String> {
    let words = visit.words;
    let told = |lack: &Lack| format!("{} ({})", names::field(words, &lack.field), names::thing(words, &lack.record.kind));
    fillable(lacks).iter().map(told).collect()
}

/// What a person may fill in: of a record that is shown to its plugin as a whole, only what is surely meant.
fn fillable(lacks: Vec<Lack>) -> Vec<Lack> {
    let mut wanted: Vec<Lack> = Vec::new();
    for lack in lacks.into_iter().filter(|lack| lack.named || Kind::of(&lack.field) == Kind::Money) {
        // Two lookups may name one record, and a list the same twice.
        if wanted.len() < FIELDS && !wanted.contains(&lack) {
            wanted.push(lack);
        }
    }
    wanted
}

impl<'t> Task<'t> {
    async fn of(visit: &Visit, view: &'t JobView, wrong: Option<&'t Wrong>) -> Result<Self, Problem> {
        let runtime = &visit.app.runtime;
        let (lacks, event) = match view.job.state.is_live() {
            true => runtime.outlook(&view.job).await?.map(|outlook| (fillable(outlook.lacks), Some(outlook.event))).unwrap_or_default(),
            false => (Vec::new(), runtime.store.archive().event(view.job.event).await?),
        };
        let hashes = view.job.lookups.iter().map(|lookup| lookup.record.hash).chain(clinic(visit, &view.job)).collect();
        let records = runtime.store.archive().records(hashes).await?;
        let mut named = event.map(|event| named(&event.data)).unwrap_or_default();
        named.extend(elsewhere(visit, view, &lacks, &named).await?);
        Ok(Self { view, lacks, records, named, wrong: wrong.filter(|wrong| wrong.job == view.job.id) })
    }

    /// Whom it is about: by the name of a record, else by that of its event, else by type and id.
    fn whom(&self, visit: &Visit) -> Option<String> {
        let known = whom(&self.view.job, &self.records);
        known.or_else(|| {
            let person = self.lacks.iter().find(|lack| PEOPLE.contains(&lack.record.kind.as_str()))?;
            Some(self.named.get(&person.id).cloned().unwrap_or_else(|| names::one(visit.words, &person.record.kind, &person.id)))
        })
    }

    async fn markup(&self, words: &Words, visit: &Visit) -> Result<Markup, Problem> {
        let (common, job) = (visit.words, &self.view.job);
        let zone = visit.zones().of(&job.connection, job.clinic.as_deref()).await?;
        let (title, purpose) = called(visit, job);
        let why = job.attention.as_ref().or(job.reason.as_ref());
        let told = why.map(|why| common.reason(job.state, why).unwrap_or(&why.text));
        let acts = visit.who.role.sees_to_jobs();
        let news = self.view.summary.as_deref().or(told).unwrap_or(common.attention);
        Ok(html! {
            li id=(job.id) data-key={ "task " (job.id) } data-news=(news) {
                h3 { (title) @if let Some(whom) = self.whom(visit) { " " (words.about) " " (whom) } }
                @if let Some(summary) = &self.view.summary { p.todo { (summary) } }
                @if let Some((why, told)) = why.zip(told) { p { (told) @if told != why.text { (names::exact(visit, why)) } } }
                p.facts {
                    @if let Some(purpose) = &purpose { (purpose) " · " }
                    @if job.state.is_live() { (words.waits_until) " " (moment(common, job.run_at, &zone)) }
                    @else { (words.due) " " (moment(common, job.due, &zone)) }
                    " · " (at(visit, job, &self.records))
                    " · " a href={ "/activity/jobs/" (job.id) } { (words.history) span.hidden { ": " (title) } }
                }
                @if let Some(wrong) = self.wrong.filter(|wrong| !self.lacks.iter().any(|lack| wrong.is_at(lack))) {
                    p.error role="alert" { (words.refused) " " (wrong.told) }
                }
                @if acts { (self.forms(common, words)) }
            }
        })
    }

    fn forms(&self, common: &Common, words: &Words) -> Markup {
        let job = &self.view.job;
        let action = format!("/attention/jobs/{}", job.id);
        html! {
            @if job.state.is_live() {
                @for (place, lack) in self.lacks.iter().enumerate() { (self.field(common, words, &action, place, lack)) }
                @if self.lacks.is_empty() { p { (words.elsewhere) } }
                form.choices method="post" action=(action) { button.quiet type="submit" name="what" value="cancel" { (words.cancel) } }
            } @else {
                form.choices method="post" action=(action) {
                    button type="submit" name="what" value=(Verdict::Done.as_str()) { (words.was_done) }
                    button type="submit" name="what" value=(Verdict::Run.as_str()) { (words.was_not) }
                    button type="submit" name="what" value=(Verdict::Not.as_str()) { (words.give_up) }
                }
            }
        }
    }

    fn field(&self, common: &Common, words: &Words, action: &str, place: usize, lack: &Lack) -> Markup {
        let kind = Kind::of(&lack.field);
        let (input, mode) = kind.input();
        let wrong = self.wrong.filter(|wrong| wrong.is_at(lack));
        let id = format!("fill-{}-{place}", self.view.job.id);
        let named = self.records.get(&lack.record.hash).and_then(name);
        let whose = names::one(common, &lack.record.kind, named.or(self.named.get(&lack.id).map(String::as_str)).unwrap_or(&lack.id));
        let label = names::capital(names::field(common, &lack.field));
        html! {
            form.fill method="post" action=(action) {
                input type="hidden" name="record" value=(lack.record.kind);
                input type="hidden" name="id" value=(lack.id);
                input type="hidden" name="field" value=(lack.field);
                label for=(id) { (label) @if kind == Kind::Money { " (R$)" } " · " (whose)
                    input id=(id) type=(input) inputmode=(mode) name="value" required autocomplete="off" value=[wrong.map(|wrong| wrong.value.as_str())] aria-describedby={ (id) "-hint" } aria-invalid=[wrong.map(|_| "true")];
                }
                button type="submit" name="what" value="fill" { (words.fill) }
                @if let Some(wrong) = wrong { p.error role="alert" { (wrong.told) } }
                p.hint id={ (id) "-hint" } { (words.hint(kind)) }
            }
        }
    }
}

impl Wrong {
    fn is_at(&self, lack: &Lack) -> bool {
        let (record, id, field) = &self.at;
        *record == lack.record.kind && *id == lack.id && *field == lack.field
    }
}

/// What is sent.
#[derive(Deserialize, ToSchema)]
#[schema(as = AttentionForm)]
pub(crate) struct Said {
    /// `fill`, `cancel`, `done`, `run` or `not`.
    what: String,
    /// The type of the record.
    #[serde(default)]
    record: String,
    /// Its id.
    #[serde(default)]
    id: String,
    #[serde(default)]
    field: String,
    #[serde(default)]
    value: String,
}

/// Fills in what a job waits for, cancels it, or says what became of it.
#[utoipa::path(post, path = "/attention/jobs/{id}", tag = "pages", operation_id = "decide_attention", params(("id" = String, Path, description = "`job_` and 32 hexadecimal digits.")), request_body(content = Said, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 303, description = "Done; what waits comes next."),
    (status = 409, description = "The job stands as it did: the page says why.", body = String, content_type = "text/html"),
    (status = 422, description = "Something is not filled in well: the page says what.", body = String, content_type = "text/html"),
))]
pub(crate) async fn act(State(app): State<App>, who: Known, Path(id): Path<String>, request: Request) -> Result<Response, Problem> {
    let job: JobId = id.parse().map_err(|_| Problem::no_job())?;
    let (mut here, body) = request.into_parts();
    let request = Request::from_parts(here.clone(), body);
    let malformed = || Problem::malformed("This is not the form of what waits for a person.");
    let said: Said = form(&app, request).await?;
    here.uri = Uri::from_static("/attention");
    let visit = Visit::from_request_parts(&mut here, &app).await?;
    let outcome = match said.what.as_str() {
        "fill" => return fill(&visit, job, said).await,
        "cancel" => cancelled(&app, &who, job).await.map(drop),
        verdict => match Verdict::parse(verdict).filter(|verdict| *verdict != Verdict::Retry) {
            Some(verdict) => decided(&app, &who, job, verdict).await.map(drop),
            None => return Err(malformed()),
        },
    };
    let Err(problem) = outcome else { return Ok(Redirect::to("/attention?done=decide").into_response()) };
    let Some(why) = problem.reason() else { return Err(problem) };
    let told = visit.words.reason(JobState::Unknown, why).map_or_else(|| why.text.clone(), str::to_owned);
    again(&visit, StatusCode::CONFLICT, Wrong { job, at: Default::default(), value: String::new(), told }).await
}

/// Writes what was filled in, where it still is what the job lacks.
async fn fill(visit: &Visit, id: JobId, said: Said) -> Result<Response, Problem> {
    let (runtime, words) = (&visit.app.runtime, words(visit.words));
    let view = runtime.store.job(id).await?.filter(|view| visit.who.sees(view)).ok_or_else(Problem::no_job)?;
    let Said { record, id: of, field, value, .. } = said;
    let wrong =
        |told: &str, value: String| Wrong { job: id, at: (record.clone(), of.clone(), field.clone()), value, told: told.to_owned() };
    let outlook = match view.job.attention.is_some() && view.job.state.is_live() {
        true => runtime.outlook(&view.job).await?,
        false => None,
    };
    let lack = outlook.as_ref().and_then(|outlook| {
        let place = wrong("", String::new());
        fillable(outlook.lacks.clone()).into_iter().find(|lack| place.is_at(lack))
    });
    let Some((outlook, lack)) = outlook.as_ref().zip(lack) else {
        return again(visit, StatusCode::CONFLICT, wrong(words.gone, value)).await;
    };
    let kind = Kind::of(&lack.field);
    let Some(meant) = kind.read(&value, visit.words.is_english()) else {
        return again(visit, StatusCode::UNPROCESSABLE_ENTITY, wrong(words.wrong(kind), value)).await;
    };
    let theirs = (visit.who.actor(), visit.who.clinics.clone());
    if !runtime.fill(&view.job, outlook, &lack, meant, theirs).await? {
        return again(visit, StatusCode::CONFLICT, wrong(words.gone, value)).await;
    }
    Ok(Redirect::to("/attention?done=fill").into_response())
}

/// The page again, with what is wrong.
async fn again(visit: &Visit, status: StatusCode, wrong: Wrong) -> Result<Response, Problem> {
    let content = content(visit, &Asked::default(), Some(&wrong)).await?;
    Ok(visit.page_as(status, Place::Attention, visit.words.place(Place::Attention), &content))
}
