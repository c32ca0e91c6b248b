//! The first page: what needs a person, then people, documents and messages, then all the rest.
//!
//! Its script exchanges what has changed, so everything that it must find again has a `data-key`; and it tells the reader of
//! what came in the words of `data-news`.

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};
use zelo_core::JobState;
use zelo_rules::Diagnostic;
use zelo_runtime::Heard;
use zelo_runtime::outbound::Down;
use zelo_store::{JobView, Page, Store};

use super::tables::{documents_table, events_table, jobs_table, messages_table, reason, records_table, section, some, time};
use super::visit::{Place, Visit, narrow};
use super::words::Words;
use super::{Language, automations, board, halts, jobs, refused};
use crate::App;
use crate::access::{self, Known, Role};
use crate::problem::Problem;
use crate::seen::Seen;

/// Rows of each table.
pub(crate) const ROWS: u32 = 25;

/// The first page, or how to get in.
#[utoipa::path(get, path = "/", tag = "pages", operation_id = "home", responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(State(app): State<App>, Language(words): Language, request: Request) -> Result<Response, Problem> {
    let Some(who) = access::identify(&app, request.headers()).await? else { return Ok(outside(words)) };
    let visit = Visit::of(&app, who, &mut request.into_parts().0).await?;
    let who = &visit.who;
    let store = app.runtime.store.as_ref();
    let latest = Page { limit: ROWS, clinics: who.clinics.clone(), ..Page::default() };
    let all = who.sees_everything();
    let contacts = board::contacts(store, who).await?;
    let documents = store.documents(&latest).await?;
    let messages = store.messages(&latest).await?;
    let events = store.events(&latest).await?;
    let jobs = store.jobs(&latest, None).await?;
    let records = store.records(&latest, None).await?;
    let attention = attention(store, who).await?;
    // Of whose clinic a delivery would have been, nobody has found out.
    let refused = if all { store.refused(&latest).await? } else { Vec::new() };
    let shown = Seen::of("page").rows(contacts.cards()).rows(&documents).rows(&messages).rows(&events).rows(&jobs).rows(&records);
    shown.rows(&attention.jobs).rows(&refused).by(who, &app).await?;
    let halted = app.runtime.line.halts();
    let body = html! {
            @if all {
                (halts::form(&app, words, who.role))
                (alarms(&app, words))
            }
            @if !attention.jobs.is_empty() { (attention_section(words, &attention, who.role)) }
            (section("contacts", words.contacts, &some(words, contacts.is_empty(), || board::board(words, &contacts))))
            (section("documents", words.documents, &some(words, documents.is_empty(), || documents_table(words, &documents))))
            (section("messages", words.messages, &some(words, messages.is_empty(), || messages_table(words, &messages, &documents))))
            (section("events", words.events, &some(words, events.is_empty(), || events_table(words, &events))))
            (section("jobs", words.jobs, &some(words, jobs.is_empty(), || jobs_table(words, &jobs, &halted))))
            (section("records", words.records, &some(words, records.is_empty(), || records_table(words, &records))))
            (refused::refused(words, &refused))
            (automations::automations(&app, words, who))
    };
    Ok(visit.page(Place::Today, words.overview, &body))
}

/// For who is not signed in.
fn outside(words: &Words) -> Response {
    let body = html! {
        h1 { "zelo" }
        p { (words.outside) }
        p { code { "zelo token link" } }
        p { (words.outside_then) " " a href="/sign-in" { (words.sign_in) } }
    };
    narrow(StatusCode::OK, words, words.sign_in, &body)
}

/// What is wrong with the set-up, or around it.
fn alarms(app: &App, words: &Words) -> Markup {
    let connections = app.runtime.connections.values().filter(|connection| app.runtime.is_insecure(connection));
    let mut insecure: Vec<&str> = connections.map(|connection| connection.name.as_str()).collect();
    insecure.sort_unstable();
    let (problems, problem) = (app.runtime.rules.problems(), app.runtime.rules.problem());
    let edition = app.runtime.rules.current();
    let idle = edition.in_force.problems();
    let down = app.runtime.down();
    let heard = app.runtime.heard();
    let silent: Vec<&Heard> = heard.iter().filter(|heard| heard.silent).collect();
    let rising: Vec<&Heard> = heard.iter().filter(|heard| heard.refusals_rise).collect();
    html! {
        @if !insecure.is_empty() { (insecure_section(words, &insecure)) }
        @if !problems.is_empty() {
            (problems_section(words, &problems))
        } @else if let Some(problem) = &problem {
            (refused_section(words, problem))
        }
        @if !idle.is_empty() { (idle_section(words, idle)) }
        @if !down.is_empty() { (down_section(words, &down)) }
        @if !silent.is_empty() { (silent_section(words, &silent)) }
        @if !rising.is_empty() { (rising_section(words, &rising)) }
    }
}

fn alarm(id: &str, title: &str, content: &Markup) -> Markup {
    html! { div.alarm data-key={ "alarm " (id) } { (section(id, title, content)) } }
}

fn insecure_section(words: &Words, names: &[&str]) -> Markup {
    let content = html! { p { (words.insecure_how) } ul { @for name in names { li { code { (name) } } } } };
    alarm("insecure", words.insecure, &content)
}

fn problems_section(words: &Words, problems: &[Diagnostic]) -> Markup {
    let content = html! {
        p { (words.problems_how) }
        ul {
            @for problem in problems {
                li {
                    code { (problem.file) ":" (problem.line) ":" (problem.column) } " " (problem.message)
                    @if let Some(suggestion) = &problem.suggestion { " " (words.did_you_mean) " " code { (suggestion) } }
                    @if let Some(help) = &problem.help { br; (help) }
                }
            }
        }
    };
    alarm("problems", words.problems, &content)
}

/// What is not a mistake in a rule file, and keeps the files on disk out of force all the same.
fn refused_section(words: &Words, problem: &str) -> Markup {
    let content = html! { p { (words.refused_how) } p.text { (problem) } };
    alarm("problems", words.refused, &content)
}

fn idle_section(words: &Words, idle: &[zelo_rules::Problem]) -> Markup {
    let content = html! { ul { @for problem in idle { li { code { (problem.automation) } " " (problem.text) } } } };
    alarm("idle", words.idle, &content)
}

/// What is for these waits, and goes on by itself.
fn down_section(words: &Words, down: &[Down]) -> Markup {
    let content = html! {
        ul {
            @for Down { host, automation, since, again } in down {
                li {
                    code { (host) } " "
                    @if let Some(automation) = automation { (words.down_for) " " code { (automation) } " · " } @else { (words.down_since) " " }
                    (time(*since)) " · "
                    @if let Some(again) = again { (words.down_again) " " (time(*again)) } @else { (words.down_tried) }
                }
            }
        }
    };
    alarm("down", words.down, &content)
}

fn silent_section(words: &Words, silent: &[&Heard]) -> Markup {
    let content = html! {
        p { (words.silent_how) }
        ul {
            @for heard in silent {
                li {
                    code { (heard.connection) }
                    @if let Some(last) = heard.last { " " (words.silent_since) " " (time(last)) }
                }
            }
        }
    };
    alarm("silent", words.silent, &content)
}

fn rising_section(words: &Words, rising: &[&Heard]) -> Markup {
    let content = html! { p { (words.rising_how) } ul { @for heard in rising { li { code { (heard.connection) } } } } };
    alarm("rising", words.rising, &content)
}

/// Jobs that go on only if a person does something, and those that ended badly.
struct Attention {
    jobs: Vec<JobView>,
    /// The queries of the API for those lists that are longer than what is shown of them.
    more: Vec<String>,
}

async fn attention(store: &dyn Store, who: &Known) -> Result<Attention, Problem> {
    let page = Page { limit: ROWS + 1, clinics: who.clinics.clone(), ..Page::default() };
    let mut found = Attention { jobs: Vec::new(), more: Vec::new() };
    found.add(store.attention(&page).await?, "attention=true".to_owned());
    for state in [JobState::Unknown, JobState::Dead] {
        found.add(store.jobs(&page, Some(state)).await?, format!("state={}", state.as_str()));
    }
    Ok(found)
}

impl Attention {
    fn add(&mut self, jobs: Vec<JobView>, query: String) {
        if jobs.len() > ROWS as usize {
            self.more.push(query);
        }
        self.jobs.extend(jobs.into_iter().take(ROWS as usize));
    }
}

fn attention_section(words: &Words, attention: &Attention, role: Role) -> Markup {
    let content = html! {
        p.none { (words.waiting_jobs) }
        ul.tasks { @for view in &attention.jobs { (task(words, view, role)) } }
        @if !attention.more.is_empty() {
            p { (words.there_are_more) @for query in &attention.more { " " a href={ "/api/v1/jobs?" (query) } { code { (query) } } } }
        }
    };
    section("attention", words.attention, &content)
}

/// One job that needs a person: first what its plugin says, which is what there is to do.
fn task(words: &Words, view: &JobView, role: Role) -> Markup {
    let job = &view.job;
    let why = job.attention.as_ref().or(job.reason.as_ref());
    let told = why.map(|why| words.reason(job.state, why).unwrap_or(&why.text));
    let news = view.summary.as_deref().or(told).unwrap_or(words.attention);
    html! {
        li data-key={ "task " (job.id) } data-news=(news) {
            @if let Some(summary) = &view.summary { p.todo { (summary) } }
            @if let Some(why) = why { p.said { (reason(words, job.state, why)) } }
            p.facts {
                a href={ "/api/v1/jobs/" (job.id) } { (job.rule) " · " (job.action) }
                " · " (words.state(job.state)) " · " (words.due) " " (time(job.due)) " · " (job.connection)
                @if let Some(clinic) = &job.clinic { " · " (clinic) }
            }
            @if role.sees_to_jobs() { (jobs::choices(words, job)) }
        }
    }
}
