//! The first page: what needs a person, then the latest of everything.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;
use zelo_core::JobState;
use zelo_core::effect::Body;
use zelo_rules::Diagnostic;
use zelo_store::{EventView, JobView, MessageView, Page, RecordView, Store};

use super::words::Words;
use super::{Language, page};
use crate::App;
use crate::access;
use crate::problem::Problem;

/// Rows of each table.
const ROWS: u32 = 25;

/// `GET /`: the page, or how to get in.
pub(crate) async fn show(State(app): State<App>, Language(words): Language, headers: HeaderMap) -> Result<Response, Problem> {
    if access::identify(&app, &headers).await?.is_none() {
        return Ok(outside(words));
    }
    let store = app.runtime.store.as_ref();
    let latest = Page { limit: ROWS, ..Page::default() };
    let events = store.events(&latest).await?;
    let jobs = store.jobs(&latest, None).await?;
    let messages = store.messages(&latest).await?;
    let records = store.records(&latest, None).await?;
    let attention = attention(store).await?;
    let mut insecure: Vec<&str> =
        app.runtime.connections.values().filter(|connection| connection.insecure).map(|connection| connection.name.as_str()).collect();
    insecure.sort_unstable();
    let (problems, problem) = (app.runtime.rules.problems(), app.runtime.rules.problem());
    let edition = app.runtime.rules.current();
    let idle = edition.in_force.problems();
    let body = html! {
        header {
            h1 { "zelo" }
            nav aria-label=(words.contents) {
                @for (id, title) in [("events", words.events), ("jobs", words.jobs), ("messages", words.messages), ("records", words.records)] {
                    a href={ "#" (id) } { (title) }
                }
            }
            form method="post" action="/sign-out" { button type="submit" { (words.sign_out) } }
        }
        main {
            @if !insecure.is_empty() { (insecure_section(words, &insecure)) }
            @if !problems.is_empty() {
                (problems_section(words, &problems))
            } @else if let Some(problem) = &problem {
                (refused_section(words, problem))
            }
            @if !idle.is_empty() { (idle_section(words, idle)) }
            @if !attention.jobs.is_empty() { (attention_section(words, &attention)) }
            (section("events", words.events, &some(words, events.is_empty(), || events_table(words, &events))))
            (section("jobs", words.jobs, &some(words, jobs.is_empty(), || jobs_table(words, words.latest_jobs, &jobs))))
            (section("messages", words.messages, &some(words, messages.is_empty(), || messages_table(words, &messages))))
            (section("records", words.records, &some(words, records.is_empty(), || records_table(words, &records))))
        }
    };
    Ok(page(StatusCode::OK, words, words.overview, &body))
}

/// For who is not signed in.
fn outside(words: &Words) -> Response {
    let body = html! {
        main.narrow {
            h1 { "zelo" }
            p { (words.outside) }
            p { code { "zelo token link" } }
            p { (words.outside_then) " " a href="/sign-in" { (words.sign_in) } }
        }
    };
    page(StatusCode::OK, words, words.sign_in, &body)
}

/// Jobs that go on only if a person does something, and those that ended badly.
struct Attention {
    jobs: Vec<JobView>,
    /// The queries of the API for those lists that are longer than what is shown of them.
    more: Vec<String>,
}

async fn attention(store: &dyn Store) -> Result<Attention, Problem> {
    let page = Page { limit: ROWS + 1, ..Page::default() };
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

fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section id=(id) aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { (title) }
            (content)
        }
    }
}

fn some(words: &Words, empty: bool, table: impl Fn() -> Markup) -> Markup {
    if empty {
        html! { p.none { (words.nothing_yet) } }
    } else {
        table()
    }
}

/// A table that scrolls by itself where the window is narrow; reachable with the keyboard for that.
fn table(caption: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { (rows) }
            }
        }
    }
}

fn insecure_section(words: &Words, names: &[&str]) -> Markup {
    let content = html! { p { (words.insecure_how) } ul { @for name in names { li { code { (name) } } } } };
    html! { div.alarm { (section("insecure", words.insecure, &content)) } }
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
    html! { div.alarm { (section("problems", words.problems, &content)) } }
}

/// What is not a mistake in a rule file, and keeps the files on disk out of force all the same.
fn refused_section(words: &Words, problem: &str) -> Markup {
    let content = html! { p { (words.refused_how) } p.text { (problem) } };
    html! { div.alarm { (section("problems", words.refused, &content)) } }
}

fn idle_section(words: &Words, idle: &[zelo_rules::Problem]) -> Markup {
    let content = html! { ul { @for problem in idle { li { code { (problem.automation) } " " (problem.text) } } } };
    html! { div.alarm { (section("idle", words.idle, &content)) } }
}

fn attention_section(words: &Words, attention: &Attention) -> Markup {
    let content = html! {
        (jobs_table(words, words.waiting_jobs, &attention.jobs))
        @if !attention.more.is_empty() {
            p { (words.there_are_more) @for query in &attention.more { " " a href={ "/api/v1/jobs?" (query) } { code { (query) } } } }
        }
    };
    section("attention", words.attention, &content)
}

fn events_table(words: &Words, events: &[EventView]) -> Markup {
    let rows = html! {
        @for view in events {
            @let event = &view.event;
            tr {
                td { (time(event.time)) }
                th scope="row" { a href={ "/api/v1/events/" (event.id) } { (event.kind) } }
                td { (words.status(view.status)) }
                td { @if let Some(entity) = &event.entity { (entity.kind) " " (entity.id) } }
                td { (event.connection) }
                td { (event.clinic.as_deref().unwrap_or_default()) }
            }
        }
    };
    table(words.latest_events, &[words.time, words.kind, words.status, words.entity, words.connection, words.clinic], &rows)
}

fn jobs_table(words: &Words, caption: &str, jobs: &[JobView]) -> Markup {
    let rows = html! {
        @for view in jobs {
            @let job = &view.job;
            tr {
                td { (time(job.due)) }
                th scope="row" { a href={ "/api/v1/jobs/" (job.id) } { (job.rule) " · " (job.action) } }
                td { (words.state(job.state)) }
                td { (because(words, view)) }
                td { (job.connection) }
                td { (job.clinic.as_deref().unwrap_or_default()) }
            }
        }
    };
    table(caption, &[words.due, words.action, words.state, words.because, words.connection, words.clinic], &rows)
}

/// What is missing or why it ended, and what the plugin said.
fn because(words: &Words, view: &JobView) -> Markup {
    let job = &view.job;
    html! {
        @if let Some(reason) = job.attention.as_ref().or(job.reason.as_ref()) {
            @if let Some(told) = words.reason(job.state, reason) {
                (told) small lang="en" { (reason.text) }
            } @else {
                (reason.text)
            }
        }
        @if let Some(summary) = &view.summary { p.said { (summary) } }
    }
}

fn messages_table(words: &Words, messages: &[MessageView]) -> Markup {
    let rows = html! {
        @for view in messages {
            tr {
                td { (time(view.at)) }
                th scope="row" { (view.message.to) }
                td.text {
                    @match &view.message.body {
                        Body::Text { text } => (text),
                        Body::Template { name, parameters } => { code { (name) } " " (parameters.join(" · ")) },
                    }
                    @for media in &view.message.media { br; code { (media.name) } }
                }
                td { (view.channel) }
                td { (view.connection) }
            }
        }
    };
    table(words.latest_messages, &[words.time, words.to, words.text, words.channel, words.connection], &rows)
}

fn records_table(words: &Words, records: &[RecordView]) -> Markup {
    let rows = html! {
        @for view in records {
            tr {
                td { (time(view.time)) }
                th scope="row" { (view.kind) " " (view.id) }
                td.text { (document(&view.document)) }
                td { (view.connection) }
                td { (view.clinic.as_deref().unwrap_or_default()) }
            }
        }
    };
    table(words.latest_records, &[words.time, words.record, words.document, words.connection, words.clinic], &rows)
}

/// The fields of a record; texts without their quotes.
fn document(document: &Value) -> Markup {
    let told = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    html! {
        @if let Value::Object(fields) = document {
            dl { @for (name, value) in fields { div { dt { (name) } dd { (told(value)) } } } }
        } @else {
            (told(document))
        }
    }
}

/// In UTC, to the minute; the whole instant for programs.
fn time(instant: Timestamp) -> Markup {
    html! { time datetime=(instant) { (instant.strftime("%Y-%m-%d %H:%M")) } }
}
