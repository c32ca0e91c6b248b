//! What an automation would send, and when, before it is on: its pane, and the button and the script that ask for it.

use axum::extract::{Path, Request};
use axum::response::Response;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde_json::{Map, Value};
use zelo_core::effect::{Attachment, Body, Message, RecordEdit};
use zelo_core::{Effect, JobState};
use zelo_runtime::preview::{Asked, Error, JobTried, On, Preview, Tried};

use super::form::texts;
use super::one::{Attempt, One, fields, sent};
use super::words::Words;
use crate::pages::moments::moment;
use crate::pages::names;
use crate::pages::places::phone;
use crate::pages::tables::reason;
use crate::pages::values::Reading;
use crate::pages::visit::Visit;
use crate::pages::words::Words as Common;
use crate::problem::Problem;
use crate::seen::Seen;

/// The page of an automation with what it would do under the settings that were sent. Changes nothing.
#[utoipa::path(post, path = "/automations/{rule}/preview", tag = "pages", operation_id = "preview_automation",
    params(("rule" = String, Path)),
    request_body(content = super::AutomationForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The page, with the preview.", body = String, content_type = "text/html"),
        (status = 422, description = "A field is wrong, and the page says which.", body = String, content_type = "text/html"),
    )
)]
pub(crate) async fn try_it(visit: Visit, Path(rule): Path<String>, request: Request) -> Result<Response, Problem> {
    let (named, given) = fields(&visit, request).await?;
    let one = One::of(visit, &rule, Some(named)).await?;
    let stood = sent(&given, "stood");
    let texts = if one.may_change() { texts(&given) } else { one.texts() };
    match one.chosen(&texts) {
        Err(wrongs) => one.again(Attempt { texts, wrongs, stood, ..Attempt::default() }).await,
        Ok(settings) => {
            let pane = pane(&one, settings).await?;
            one.tried(texts, stood, pane).await
        }
    }
}

/// What comes of trying.
async fn pane(one: &One, settings: Map<String, Value>) -> Result<Markup, Problem> {
    let (visit, words) = (&one.visit, one.words);
    let rule = one.rule()?;
    // The records that a rule looks up may be of other clinics.
    let stored = visit.who.sees_everything() || rule.lookups.is_empty();
    let asked = Asked {
        rule: rule.id.clone(),
        connection: one.spot.connection.clone(),
        clinic: one.spot.clinic.clone(),
        clinics: visit.who.clinics.clone(),
        settings,
        on: if stored { On::Stored } else { On::Sample },
        only: None,
    };
    let preview = match visit.app.runtime.preview(&asked).await {
        Ok(preview) => preview,
        Err(Error::Settings(problems)) => return Ok(html! { @for problem in problems { p.error lang="en" { (problem) } } }),
        Err(Error::Store(error)) => return Err(error.into()),
        Err(gone @ (Error::NoRule(_) | Error::NoConnection(_))) => return Err(Problem::not_found(gone.to_string())),
    };
    let seen: Vec<_> = preview.events.iter().filter_map(|tried| tried.stored.as_ref()).collect();
    Seen::of("preview").rows(seen).by(&visit.who, &visit.app).await?;
    let zones = visit.zones();
    let mut events = Vec::new();
    for tried in &preview.events {
        let clinic = tried.stored.as_ref().map_or(one.spot.clinic.as_deref(), |view| view.event.clinic.as_deref());
        let zone = zones.of(&one.spot.connection, clinic).await?;
        events.push(event(visit.words, words, tried, &zone));
    }
    Ok(told(words, &preview, &events))
}

fn told(words: &Words, preview: &Preview, events: &[Markup]) -> Markup {
    html! {
        @match preview.on {
            Some(On::Stored) => p.facts { (words.on_stored) },
            Some(On::Sample) => p.facts { (words.on_sample) },
            None => p.none { (words.preview_nothing) },
        }
        @for event in events { (event) }
    }
}

/// What would be done about one event, wherever that is shown.
pub(crate) fn would(common: &Common, tried: &Tried, zone: &TimeZone) -> Markup {
    event(common, super::words::words(common), tried, zone)
}

/// One event, and what would be done about it.
fn event(common: &Common, words: &Words, tried: &Tried, zone: &TimeZone) -> Markup {
    html! {
        div.tried {
            h3 { (words.arrived) " " (moment(common, tried.received, zone)) }
            ol { @for job in &tried.jobs { li { (done(common, words, job, zone)) } } }
        }
    }
}

fn done(common: &Common, words: &Words, job: &JobTried, zone: &TimeZone) -> Markup {
    let seen: Vec<Markup> = job.effects.iter().filter_map(|effect| effected(common, words, effect, zone)).collect();
    html! {
        @if job.state == JobState::Done || !seen.is_empty() {
            p.when { (words.would_be_at) " " strong { (moment(common, job.at, zone)) } }
            @if seen.is_empty() { p.none { (words.quietly) } }
            @for effect in &seen { (effect) }
        }
        @if let Some(why) = &job.reason { p.when { (words.would_not) " " (reason(common, job.state, why)) } }
    }
}

/// An effect; nothing where there is nothing to see of it.
fn effected(common: &Common, words: &Words, effect: &Effect, zone: &TimeZone) -> Option<Markup> {
    match effect {
        Effect::Message(message) => Some(bubble(common, words, message)),
        Effect::Document(document) => Some(html! {
            p { (words.document) " " strong { (document.name) } }
            @if !document.text.is_empty() { pre.paper tabindex="0" { (document.text) } }
        }),
        Effect::RecordEdit(edit) => Some(written(common, words, edit, zone)),
        Effect::Http(request) => Some(html! { p { (words.asks) " " code { (request.method.as_str()) " " (request.url.origin()) } } }),
        Effect::Event(emitted) => Some(html! { p { (words.emits) " " code { (emitted.kind) } } }),
        _ => None,
    }
}

fn bubble(common: &Common, words: &Words, message: &Message) -> Markup {
    html! {
        p { (words.message_to) " " strong { (phone(&message.to)) } @if let Some(channel) = &message.channel { " " (words.by) " " (names::channel(common, channel)) } }
        blockquote.bubble {
            @match &message.body {
                Body::Text { text } => (text),
                Body::Template { name, parameters } => { code { (name) } " " (parameters.join(" · ")) },
            }
        }
        @for attachment in &message.attachments {
            p.facts {
                (words.attached) " "
                @match attachment {
                    Attachment::File(file) => (file.name),
                    Attachment::Document { .. } => (words.document.trim_end_matches(':')),
                }
            }
        }
    }
}

fn written(common: &Common, words: &Words, edit: &RecordEdit, zone: &TimeZone) -> Markup {
    let reading = Reading { words: common, zone, written: zone, reais: true };
    html! {
        p { (words.writes) " " strong { (names::one(common, &edit.record, &edit.id)) } }
        dl {
            @for (name, value) in &edit.set { div { dt { (names::capital(names::field(common, name))) } dd { (reading.told(name, "", value)) } } }
            @for (name, line) in &edit.append { div { dt { (names::capital(names::field(common, name))) } dd { (line) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use zelo_core::Timestamp;
    use zelo_core::effect::{Document, File};

    use super::*;
    use crate::pages::automations::words::words;
    use crate::pages::words::called;

    #[test]
    fn what_would_be_sent_is_shown_as_text_with_its_time_at_the_clinic() {
        let file = File { name: "<i>.ics".into(), media_type: String::new(), content: Vec::new() };
        let body = Body::Text { text: "Olá <b>Ana</b>".into() };
        let message =
            Message { channel: None, to: "+55 <11>".into(), body, attachments: vec![Attachment::File(file)], buttons: Vec::new() };
        let document = Document { name: "r.pdf".into(), media_type: String::new(), content: Vec::new(), text: "R$ <1>".into() };
        let effects = vec![Effect::Message(message), Effect::Document(document)];
        let at: Timestamp = "2026-03-02T02:30:00Z".parse().unwrap();
        let job = JobTried { action: "a".into(), state: JobState::Done, at, reason: None, effects };
        let common = called("pt-BR").unwrap();
        let shown = done(common, words(common), &job, &TimeZone::get("America/Sao_Paulo").unwrap()).into_string();
        for part in ["01/03/2026 23:30", "Olá &lt;b&gt;Ana&lt;/b&gt;", "+55 &lt;11&gt;", "&lt;i&gt;.ics", "r.pdf", "R$ &lt;1&gt;"] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert!(!shown.contains("<b>") && !shown.contains("<i>"), "{shown}");
    }
}
