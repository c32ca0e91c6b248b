//! The page of a person: one file that needs nothing else, to be read, printed, or handed over.

use data_encoding::BASE64;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Value, json};
use zelo_core::effect::{Attachment, Body};
use zelo_store::{DocumentView, MessageView, SubjectExport, SubjectView};

use super::seen::{Disclosed, Looked, who_saw};
use super::words::Words;
use crate::pages::moments::{moment, zone_name};
use crate::pages::tables::{reason, size};
use crate::pages::{names, words};

/// Plain, and fit for paper.
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1d2320}\
    h1{margin-bottom:0}table{border-collapse:collapse;width:100%;margin:.5rem 0}\
    th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #cdd3cf;overflow-wrap:anywhere}\
    pre,.text{white-space:pre-wrap;overflow-wrap:anywhere;margin:0}pre{font-size:.85rem}\
    small{display:block;color:#5a655f}dl div{display:flex;gap:.5rem}dt{color:#5a655f}dd{margin:0}";

/// What one page is written with.
struct Scribe {
    /// What all pages say.
    words: &'static words::Words,
    /// What only this one says.
    own: &'static Words,
    /// In which times are told.
    zone: TimeZone,
}

impl Scribe {
    fn time(&self, instant: Timestamp) -> Markup {
        moment(self.words, instant, &self.zone)
    }
}

/// All that is held of a person as one HTML page in the language `locale`: `pt-BR`, or `en`; times in `zone`. It has no script, loads nothing, and
/// holds the files of the person's documents. Every value is escaped.
pub fn page(export: &SubjectExport, locale: &str, zone: TimeZone) -> String {
    let words = words::choose(Some(locale));
    let scribe = Scribe { words, own: Words::of(words.lang), zone };
    let own = scribe.own;
    let seen = who_saw(&export.audit);
    let body = html! {
        h1 { (own.title) }
        p { (own.how) " " (zone_name(&scribe.zone)) "." }
        (subject(&scribe, &export.subject))
        (events(&scribe, export))
        (records(&scribe, export))
        (section(&scribe, words.messages, export.messages.len(), || messages(&scribe, &export.messages)))
        (section(&scribe, words.documents, export.documents.len(), || documents(&scribe, &export.documents)))
        (section(&scribe, words.jobs, export.jobs.len(), || jobs(&scribe, export)))
        (section(&scribe, own.consents, export.consents.len(), || consents(&scribe, export)))
        (section(&scribe, own.state, export.state.len(), || html! { ul { @for value in &export.state { li.text { (value) } } } }))
        (shown(&scribe, &seen.disclosures))
        (looked_at(&scribe, &seen.views))
    };
    let document = html! {
        (DOCTYPE)
        html lang=(words.lang) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (own.title) " · zelo" }
                // Ours, and no value stands in it.
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    document.into_string()
}

/// A part of the page, with how much is in it.
fn section(scribe: &Scribe, title: &str, count: usize, content: impl Fn() -> Markup) -> Markup {
    html! {
        section {
            h2 { (title) " (" (count) ")" }
            @if count == 0 { p { (scribe.words.nothing_yet) } } @else { (content()) }
        }
    }
}

fn table(columns: &[&str], rows: &Markup) -> Markup {
    html! {
        table {
            thead { tr { @for column in columns { th scope="col" { (column) } } } }
            tbody { (rows) }
        }
    }
}

fn subject(scribe: &Scribe, subject: &SubjectView) -> Markup {
    let (words, own) = (scribe.words, scribe.own);
    let kinds: Vec<&str> = subject.identities.iter().map(|kind| own.identity(kind.as_str())).collect();
    html! {
        section {
            h2 { (own.person) }
            dl {
                div { dt { (own.pseudonym) } dd { (subject.pseudonym) } }
                div { dt { (words.connection) } dd { (subject.connection) } }
                @if let Some(clinic) = &subject.clinic { div { dt { (words.clinic) } dd { (clinic) } } }
                div { dt { (own.since) } dd { (scribe.time(subject.since)) } }
                @if !kinds.is_empty() { div { dt { (own.known_by) } dd { (kinds.join(", ")) } } }
                @for link in &subject.linked { div { dt { (own.linked) } dd { (link.pseudonym) " (" (own.identity(link.by.as_str())) ")" } } }
                @if let Some(held) = subject.held { div { dt { (own.held) } dd { (scribe.time(held)) } } }
                @if let Some(erased) = subject.erased { div { dt { (own.erased) } dd { (scribe.time(erased)) } } }
            }
        }
    }
}

fn events(scribe: &Scribe, export: &SubjectExport) -> Markup {
    let words = scribe.words;
    let rows = || {
        html! {
            @for view in &export.events {
                @let event = &view.event;
                tr {
                    td { (scribe.time(event.time)) small { (scribe.own.received) " " (scribe.time(event.received)) } }
                    td { (event.kind) small { (event.id) " · " (words.status(view.status)) } }
                    td { (event.connection) @if let Some(clinic) = &event.clinic { " · " (clinic) } }
                    td { (pretty(&event.data)) }
                }
            }
        }
    };
    section(scribe, words.events, export.events.len(), || table(&[words.time, words.kind, words.connection, words.content], &rows()))
}

fn records(scribe: &Scribe, export: &SubjectExport) -> Markup {
    let words = scribe.words;
    let rows = || {
        html! {
            @for view in &export.records {
                tr {
                    td { (scribe.time(view.time)) }
                    td { (names::one(words, &view.kind, &view.id)) }
                    td { (view.connection) @if let Some(clinic) = &view.clinic { " · " (clinic) } }
                    td { (pretty(&view.document)) }
                }
            }
        }
    };
    section(scribe, words.records, export.records.len(), || table(&[words.time, words.record, words.connection, words.content], &rows()))
}

fn messages(scribe: &Scribe, messages: &[MessageView]) -> Markup {
    let words = scribe.words;
    let rows = html! {
        @for view in messages {
            tr {
                td { (scribe.time(view.at)) }
                td { (view.message.to) }
                td.text {
                    @match &view.message.body {
                        Body::Text { text } => (text),
                        Body::Template { name, parameters } => { (name) " " (parameters.join(" · ")) },
                    }
                    @for attachment in &view.message.attachments {
                        @match attachment {
                            Attachment::File(file) => { small { (file.name) " " (save(scribe, &file.name, &file.content)) } },
                            Attachment::Document { id } => { small { (words.document) " " (id) } },
                        }
                    }
                }
                td { (names::channel(words, &view.channel)) }
            }
        }
    };
    table(&[words.time, words.to, words.text, words.channel], &rows)
}

fn documents(scribe: &Scribe, documents: &[(DocumentView, Vec<u8>)]) -> Markup {
    let words = scribe.words;
    let rows = html! {
        @for (view, content) in documents {
            tr {
                td { (scribe.time(view.at)) }
                td { (view.name) small { (view.id) } }
                td.text { (view.text) }
                td { (size(view.size)) " " (save(scribe, &view.name, content)) }
            }
        }
    };
    table(&[words.time, words.name, words.text, words.size], &rows)
}

/// A file inside of the page. As bytes, whatever a plugin called it: nothing opens it but who saves it.
fn save(scribe: &Scribe, name: &str, content: &[u8]) -> Markup {
    html! { a download=(name) href={ "data:application/octet-stream;base64," (BASE64.encode(content)) } { (scribe.own.save) } }
}

fn jobs(scribe: &Scribe, export: &SubjectExport) -> Markup {
    let words = scribe.words;
    let rows = html! {
        @for one in &export.jobs {
            @let (view, told) = (&one.job, json!(super::job(one)));
            @let job = &view.job;
            tr {
                td { (scribe.time(job.due)) }
                td { (job.rule) " · " (names::action(words, &job.action)) small { (job.id) } }
                td {
                    (words.state(job.state))
                    @if let Some(why) = job.attention.as_ref().or(job.reason.as_ref()) { small { (reason(words, job.state, why)) } }
                }
                td {
                    @if let Some(summary) = &view.summary { p.text { (summary) } }
                    details { summary { (scribe.own.journal) } (pretty(&told["journal"])) (pretty(&told["attempts"])) }
                }
            }
        }
    };
    table(&[words.due, words.action, words.state, scribe.own.summary], &rows)
}

fn consents(scribe: &Scribe, export: &SubjectExport) -> Markup {
    let own = scribe.own;
    let rows = html! {
        @for one in &export.consents {
            tr {
                td { (scribe.time(one.at)) }
                td { (one.topic) }
                td { (if one.given { own.given } else { own.withdrawn }) }
            }
        }
    };
    table(&[scribe.words.time, own.topic, own.answer], &rows)
}

/// What plugins were shown.
fn shown(scribe: &Scribe, all: &[Disclosed]) -> Markup {
    let (words, own) = (scribe.words, scribe.own);
    let rows = || {
        html! {
            @for one in all {
                tr {
                    td { (scribe.time(one.at)) }
                    td { (one.what.plugin) small { (one.what.rule) " · " (one.what.action) } }
                    td { @for (name, class) in &one.what.fields { (names::field(words, name)) " (" (own.class(class)) ")" br; } }
                    td { (one.what.purpose.as_deref().unwrap_or_default()) }
                    td { (one.what.basis.as_deref().unwrap_or_default()) }
                    td { @for effect in &one.effects { (text(effect, "effect")) " " (text(effect, "to")) br; } }
                }
            }
        }
    };
    let columns = [words.time, own.plugin, own.fields, own.purpose, own.basis, own.went];
    section(scribe, own.disclosures, all.len(), || table(&columns, &rows()))
}

/// What people looked at, and did.
fn looked_at(scribe: &Scribe, all: &[Looked]) -> Markup {
    let own = scribe.own;
    let rows = || {
        html! {
            @for one in all {
                @let what = one.detail.get("what").and_then(Value::as_str).unwrap_or(one.kind.as_str());
                tr { td { (scribe.time(one.at)) } td { (own.actor(&one.actor)) } td { (own.look(what)) } }
            }
        }
    };
    section(scribe, own.views, all.len(), || table(&[scribe.words.time, own.who, own.what], &rows()))
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// JSON as people can read it.
fn pretty(value: &Value) -> Markup {
    html! { pre { (format!("{value:#}")) } }
}
