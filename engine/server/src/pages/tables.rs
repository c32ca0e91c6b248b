//! The lists of the first page, newest first.

use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;
use zelo_core::effect::{Attachment, Body};
use zelo_core::job::Reason;
use zelo_core::{Halt, JobState};
use zelo_runtime::Waits;
use zelo_store::{DocumentView, EventView, JobView, MessageView, RecordView};

use super::words::Words;
use crate::document_url;

pub(super) fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section id=(id) data-key=(id) aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { (title) }
            (content)
        }
    }
}

pub(super) fn some(words: &Words, empty: bool, list: impl Fn() -> Markup) -> Markup {
    if empty {
        html! { p.none { (words.nothing_yet) } }
    } else {
        list()
    }
}

/// A table that scrolls by itself where the window is narrow; reachable with the keyboard for that.
pub(crate) fn table(caption: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" data-key={ "table " (caption) } {
            table {
                caption { (caption) }
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { (rows) }
            }
        }
    }
}

pub(super) fn documents_table(words: &Words, documents: &[DocumentView]) -> Markup {
    let rows = html! {
        @for view in documents {
            tr data-key={ "document " (view.id) } data-news=(view.name) {
                td { (time(view.at)) }
                th scope="row" { (document_link(&view.id, &view.name)) }
                td.text {
                    @if !view.text.is_empty() {
                        details data-key={ "text " (view.id) } {
                            summary aria-label={ (words.says) ": " (view.name) } { (words.says) }
                            p.said { (view.text) }
                        }
                    }
                }
                td { (size(view.size)) }
                td { (view.connection) }
                td { (view.clinic.as_deref().unwrap_or_default()) }
            }
        }
    };
    table(words.latest_documents, &[words.time, words.name, words.text, words.size, words.connection, words.clinic], &rows)
}

/// A document by this name; only the name, where the id is none of ours.
fn document_link(id: &str, name: &str) -> Markup {
    match document_url(id) {
        Some(url) => html! { a href=(url) { (name) } },
        None => html! { (name) },
    }
}

/// To three digits or so: people compare it, and do not calculate with it.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..10_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}

pub(super) fn messages_table(words: &Words, messages: &[MessageView], documents: &[DocumentView]) -> Markup {
    // Of a document that is older than those listed, only that it is one.
    let named = |id: &str| documents.iter().find(|view| view.id == id).map_or(words.document, |view| view.name.as_str());
    let rows = html! {
        @for view in messages {
            tr data-key={ "message " (view.id) } data-news={ (words.message_to) " " (view.message.to) } {
                td { (time(view.at)) }
                th scope="row" { (view.message.to) }
                td.text {
                    @match &view.message.body {
                        Body::Text { text } => (text),
                        Body::Template { name, parameters } => { code { (name) } " " (parameters.join(" · ")) },
                    }
                    @for attachment in &view.message.attachments {
                        br;
                        @match attachment {
                            Attachment::File(file) => { code { (file.name) } },
                            Attachment::Document { id } => { (document_link(id, named(id))) },
                        }
                    }
                }
                td { (view.channel) }
                td { (view.connection) }
            }
        }
    };
    table(words.latest_messages, &[words.time, words.to, words.text, words.channel, words.connection], &rows)
}

pub(super) fn events_table(words: &Words, events: &[EventView]) -> Markup {
    let rows = html! {
        @for view in events {
            @let event = &view.event;
            tr data-key={ "event " (event.id) } {
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

pub(super) fn jobs_table(words: &Words, jobs: &[JobView], halts: &[Halt]) -> Markup {
    let rows = html! {
        @for view in jobs {
            @let job = &view.job;
            tr data-key={ "job " (job.id) } {
                td { (time(job.due)) }
                th scope="row" { a href={ "/api/v1/jobs/" (job.id) } { (job.rule) " · " (job.action) } }
                td { (words.state(job.state)) }
                td { (because(words, view, halts)) }
                td { (job.connection) }
                td { (job.clinic.as_deref().unwrap_or_default()) }
            }
        }
    };
    table(words.latest_jobs, &[words.due, words.action, words.state, words.because, words.connection, words.clinic], &rows)
}

/// What it waits for, what is missing or why it ended, and what the plugin said.
fn because(words: &Words, view: &JobView, halts: &[Halt]) -> Markup {
    let job = &view.job;
    let steps: Vec<&str> = job.needs.iter().filter(|need| !need.done).map(|need| need.step.as_str()).collect();
    html! {
        @if let Some(waits) = Waits::of(view, halts) {
            p { (waits.told(words.is_english())) }
        }
        @if let Some(why) = job.attention.as_ref().or(job.reason.as_ref()) {
            (reason(words, job.state, why))
        } @else if job.state.is_live() && !steps.is_empty() {
            (words.comes_after) @for step in steps { " " code { (step) } }
        }
        @if let Some(summary) = &view.summary { p.said { (summary) } }
    }
}

/// In the language of the page where it has words for it, the whole of it below.
pub(crate) fn reason(words: &Words, state: JobState, reason: &Reason) -> Markup {
    html! {
        @if let Some(told) = words.reason(state, reason) {
            (told) small lang="en" { (reason.text) }
        } @else {
            (reason.text)
        }
    }
}

pub(super) fn records_table(words: &Words, records: &[RecordView]) -> Markup {
    let rows = html! {
        @for view in records {
            tr data-key={ "record " (view.connection) " " (view.kind) " " (view.id) } {
                td { (time(view.time)) }
                th scope="row" { (view.kind) " " (view.id) }
                td.text { (document(&view.document)) }
                td { (view.connection) }
                td { (view.clinic.as_deref().unwrap_or_default()) }
            }
        }
    };
    table(words.latest_records, &[words.time, words.record, words.content, words.connection, words.clinic], &rows)
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
pub(crate) fn time(instant: Timestamp) -> Markup {
    html! { time datetime=(instant) { (instant.strftime("%Y-%m-%d %H:%M")) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_told_roughly() {
        let told = [0, 999, 1_000, 1_001, 9_999_999, 10_000_000].map(size);
        assert_eq!(told, ["0 B", "999 B", "1 kB", "2 kB", "10000 kB", "10 MB"]);
    }
}
