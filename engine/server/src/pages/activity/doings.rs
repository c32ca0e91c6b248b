//! What a job did, from its journal: what its plugin was shown, and each effect with what came of it.

use std::collections::HashMap;

use maud::{Markup, html};
use zelo_core::effect::{Attachment, Body, Message};
use zelo_core::{Disclosure, Effect, EffectResult, EventId, Invocation, JournalEntry};
use zelo_rules::Class;
use zelo_store::AttemptView;

use super::event_url;
use super::words::Words;
use crate::document_url;
use crate::pages::contacts::STAGES;
use crate::pages::moments::moment;
use crate::pages::names;
use crate::pages::places::phone;
use crate::pages::values::Reading;
use crate::pages::words::Words as Common;

/// In which words things are told, and in which zone.
pub(super) struct Teller<'t> {
    pub(super) common: &'t Common,
    pub(super) words: &'static Words,
    pub(super) zone: &'t jiff::tz::TimeZone,
    /// The events that effects emitted, by the place of the effect: those that the reader is told of.
    pub(super) emitted: &'t HashMap<u32, EventId>,
}

impl Teller<'_> {
    /// What the plugin was shown of whom, for what and on which basis.
    pub(super) fn disclosure(&self, journal: &[JournalEntry]) -> Markup {
        let frozen = journal.iter().find_map(|entry| match entry {
            JournalEntry::Invocation(invocation) => Some(invocation.as_ref()),
            _ => None,
        });
        html! { @if let Some(Invocation { disclosure, .. }) = frozen { (self.shown(disclosure)) } }
    }

    fn shown(&self, disclosure: &Disclosure) -> Markup {
        let Disclosure { plugin, fields, purpose, basis } = disclosure;
        let of = |class: Class| fields.iter().filter(move |(_, word)| *word == class.as_str()).map(|(name, _)| name.as_str());
        html! {
            h4 { (self.words.shown) }
            @if !plugin.is_empty() { p { (self.words.to_plugin) " " code { (plugin) } } }
            @if fields.is_empty() { p.none { (self.words.shown_nothing) } }
            @else {
                ul.steps {
                    @for class in Class::ALL.into_iter().filter(|class| of(*class).next().is_some()) {
                        li { (self.common.class(class)) ": " (of(class).map(|name| names::field(self.common, name)).collect::<Vec<_>>().join(", ")) }
                    }
                }
            }
            @if let Some(purpose) = purpose { p { (self.words.purpose) " " (purpose) } }
            @if let Some(basis) = basis { p { (self.common.basis) " " (basis) } }
        }
    }

    /// What each attempt came to, in the plugin's words.
    pub(super) fn attempts(&self, attempts: &[AttemptView]) -> Markup {
        html! {
            @if !attempts.is_empty() {
                h4 { (self.words.attempts) }
                ol.steps {
                    @for AttemptView { attempt, at, state, report } in attempts {
                        li {
                            (moment(self.common, *at, self.zone)) " · " (self.words.attempt) " " (attempt) " · " (self.common.state(*state))
                            @if let Some(summary) = &report.summary { p.said { (summary) } }
                            @if !report.lines.is_empty() {
                                details data-key={ "lines " (attempt) " " (at) } {
                                    summary { (self.words.log) }
                                    ul { @for line in &report.lines { li { code { (line.level) } " " (line.text) } } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// What was done, in order.
    pub(super) fn effects(&self, journal: &[JournalEntry]) -> Markup {
        let done: Vec<(u32, &JournalEntry)> =
            (0..).zip(journal).filter(|(_, entry)| !matches!(entry, JournalEntry::Invocation(_))).collect();
        html! {
            @if !done.is_empty() {
                h4 { (self.words.effects) }
                ol.steps { @for (index, entry) in done { li { (self.effect(index, entry)) } } }
            }
        }
    }

    fn effect(&self, index: u32, entry: &JournalEntry) -> Markup {
        let (effect, result) = match entry {
            JournalEntry::Effect { effect, result } => (effect, Some(result)),
            JournalEntry::Begun { effect, in_flight } => {
                let told = if *in_flight { self.words.in_flight } else { self.words.not_carried_out };
                return html! { (self.asked(index, effect, None)) p.said { span.badge.bad { (told) } } };
            }
            JournalEntry::Invocation(_) => return html! {},
        };
        html! {
            (self.asked(index, effect, result))
            @match result {
                Some(EffectResult::Refused { reason }) => p.said { span.badge.bad { (self.words.refused) } " " (reason) },
                Some(EffectResult::Unusable { reason }) => p.said { span.badge.bad { (self.words.unusable) } " " (reason) },
                Some(EffectResult::Answered { response }) => p.facts { (self.words.answered) " " (response.status) },
                _ => {},
            }
        }
    }

    fn asked(&self, index: u32, effect: &Effect, result: Option<&EffectResult>) -> Markup {
        let words = self.words;
        match effect {
            Effect::Message(message) => self.message(message, result),
            Effect::Document(document) => {
                let url = match result {
                    Some(EffectResult::Kept { document }) => document_url(document),
                    _ => None,
                };
                html! {
                    (words.document) " "
                    @if let Some(url) = url { a href=(url) { (document.name) } } @else { (document.name) }
                    @if !document.text.is_empty() {
                        details data-key={ "text " (index) } { summary { (self.common.says) } p.said { (document.text) } }
                    }
                }
            }
            Effect::RecordEdit(edit) => html! {
                (words.record_changed) " " strong { (names::one(self.common, &edit.record, &edit.id)) }
                dl {
                    @for (name, value) in &edit.set { div { dt { (names::capital(names::field(self.common, name))) } dd { (self.value(name, value)) } } }
                    @for (name, text) in &edit.append { div { dt { (names::capital(names::field(self.common, name))) } dd { "+ " (text) } } }
                }
            },
            Effect::RecordGet { record, id } => html! { (words.record_read) " " strong { (names::one(self.common, record, id)) } },
            Effect::StateNext { key } => html! {
                (words.counter) " " code { (key) }
                @if let Some(EffectResult::Counted { value }) = result { " → " strong { (value) } }
            },
            Effect::Event(emitted) => html! {
                (words.emitted) " "
                @if let Some(id) = self.emitted.get(&index) { a href=(event_url(id)) { (emitted.kind) } } @else { code { (emitted.kind) } }
            },
            Effect::StateGet { key } => html! { (words.state_read) " " code { (key) } },
            Effect::StateSet { key, .. } | Effect::StateDelete { key } => html! { (words.state_written) " " code { (key) } },
            Effect::Http(request) => html! {
                (words.request) " " code { (request.method.as_str()) " " (request.url.host()) }
            },
        }
    }

    /// What stands in a field of a record now.
    fn value(&self, name: &str, value: &serde_json::Value) -> String {
        if let Some(stage) = value.as_str().filter(|stage| name == "stage" && STAGES.contains(stage)) {
            return self.common.stage(stage).to_owned();
        }
        Reading { words: self.common, zone: self.zone, written: self.zone, reais: true }.told(name, "", value)
    }

    fn message(&self, message: &Message, result: Option<&EffectResult>) -> Markup {
        let channel = match result {
            Some(EffectResult::Sent { channel, .. }) => Some(channel.as_str()),
            _ => message.channel.as_deref(),
        };
        html! {
            (self.words.message_to) " " strong { (phone(&message.to)) } @if let Some(channel) = channel { " · " (names::channel(self.common, channel)) }
            blockquote.said {
                @match &message.body {
                    Body::Text { text } => (text),
                    Body::Template { name, parameters } => { code { (name) } " " (parameters.join(" · ")) },
                }
            }
            @for attachment in &message.attachments {
                @match attachment {
                    Attachment::File(file) => p.facts { (self.words.attached) " " (file.name) },
                    Attachment::Document { id } => p.facts {
                        (self.words.attached) " " @if let Some(url) = document_url(id) { a href=(url) { (self.common.document) } } @else { (self.common.document) }
                    },
                }
            }
        }
    }
}

/// A value without the quotes of JSON.
pub(super) fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
