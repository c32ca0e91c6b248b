//! The messages that automations wrote, as conversations: one for each person who got some.
//!
//! A conversation is addressed by any message of it, never by whom it went to: an address stands in histories and logs.

mod words;

use std::collections::HashMap;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::routes;
use zelo_core::JobId;
use zelo_core::effect::{Attachment, Body};
use zelo_runtime::ChannelKind;
use zelo_store::{MessageView, Page, parse_effect_id};

use self::words::{Words, words};
use super::moments::{Zones, moment};
use super::names;
use super::places::{Places, automation, narrowed, phone, unreadable};
use super::sent::address;
use super::visit::{Place, Visit};
use crate::access::{Gate, Reach, Role};
use crate::openapi::Table;
use crate::problem::Problem;
use crate::seen::Seen;

/// Conversations on a page, and messages of each.
const CONVERSATIONS: u32 = 12;
const EACH: u32 = 3;
/// Messages of one conversation on its own page.
const MESSAGES: u32 = 40;

pub(crate) fn table() -> Table {
    let sees = Gate::Known(Role::Viewer, Reach::Clinics);
    Table::new().at(sees, routes!(list)).at(sees, routes!(one))
}

/// Which messages are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// A connection, or `connection/clinic`.
    #[serde(default)]
    place: String,
    #[serde(default)]
    channel: String,
    /// Only conversations whose last message is older than this one: its cursor.
    before: Option<i64>,
}

/// Where to go on.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Older {
    /// Only messages older than this one: its cursor.
    before: Option<i64>,
}

/// All conversations, with their last messages.
#[utoipa::path(get, path = "/messages", tag = "pages", operation_id = "messages_page", params(Filter), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn list(visit: Visit, query: Result<Query<Filter>, QueryRejection>) -> Result<Response, Problem> {
    let Query(filter) = query.map_err(unreadable)?;
    let own = words(visit.words);
    let page = Page { limit: CONVERSATIONS + 1, before: filter.before, clinics: visit.who.clinics.clone(), ..Page::default() };
    let page = narrowed(page, &filter.place);
    let channel = Some(filter.channel.as_str()).filter(|channel| !channel.is_empty());
    let mut found = visit.app.runtime.store.archive().conversations(&page, channel, EACH + 1).await?;
    let more = found.len() > CONVERSATIONS as usize;
    found.truncate(CONVERSATIONS as usize);
    let longer: Vec<bool> = found.iter().map(|messages| messages.len() > EACH as usize).collect();
    found.iter_mut().for_each(|messages| messages.truncate(EACH as usize));
    Seen::of("messages").rows(found.iter().flatten()).by(&visit.who, &visit.app).await?;
    let places = Places::of(&visit).await?;
    let teller = Teller::of(&visit, own, found.iter().flatten()).await?;
    let mut conversations = Vec::with_capacity(found.len());
    for (messages, longer) in found.iter().zip(longer) {
        conversations.push(teller.conversation(&places, messages, longer).await?);
    }
    let filtered = channel.is_some() || !filter.place.is_empty() || filter.before.is_some();
    let oldest = found.last().and_then(|messages| messages.first()).map(|message| message.cursor.to_string()).unwrap_or_default();
    let again = [("place", filter.place.as_str()), ("channel", &filter.channel)];
    let content = html! {
        p.none data-key="intro" { (own.intro) }
        (form(&visit, own, &places, &filter))
        @if found.is_empty() { (empty(own, filtered)) }
        @for conversation in &conversations { (conversation) }
        @if more || filter.before.is_some() {
            nav.pager data-key="pager" aria-label=(own.older) {
                @if filter.before.is_some() { a href=(address("/messages", &again)) { (own.newest) } }
                @if more { a href=(address("/messages", &[&again[..], &[("before", &oldest)]].concat())) { (own.older) } }
            }
        }
    };
    Ok(visit.page(Place::Messages, visit.words.place(Place::Messages), &content))
}

/// One conversation, from its beginning to its end, as far as a page goes.
#[utoipa::path(get, path = "/messages/{job}/{index}", tag = "pages", operation_id = "conversation_page", params(
    ("job" = String, Path, description = "`job_` and 32 hexadecimal digits."),
    ("index" = String, Path, description = "A number."),
    Older,
), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn one(
    visit: Visit,
    Path((job, index)): Path<(String, String)>,
    query: Result<Query<Older>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(Older { before }) = query.map_err(unreadable)?;
    let own = words(visit.words);
    let missing = || Problem::not_found("There is no message with this id, or nothing older than that in its conversation.");
    let (job, index) = parse_effect_id(&format!("{job}/{index}")).ok_or_else(missing)?;
    let page = Page { limit: MESSAGES + 1, before, clinics: visit.who.clinics.clone(), ..Page::default() };
    let mut messages = visit.app.runtime.store.archive().conversation(job, index, &page).await?;
    let more = messages.len() > MESSAGES as usize;
    messages.truncate(MESSAGES as usize);
    let Some(oldest) = messages.last() else { return Err(missing()) };
    let here = format!("/messages/{job}/{index}");
    let older = address(&here, &[("before", &oldest.cursor.to_string())]);
    Seen::of("messages").rows(&messages).by(&visit.who, &visit.app).await?;
    let teller = Teller::of(&visit, own, messages.iter()).await?;
    let bubbles = teller.bubbles(&messages).await?;
    let content = html! {
        p data-key="back" { a href="/messages" { "← " (own.back) } }
        section.conversation data-key="conversation" aria-labelledby="to" {
            h2 id="to" { (phone(&oldest.message.to)) }
            @if more { p { a href=(older) { (own.older) } } }
            (bubbles)
            @if before.is_some() { p { a href=(here) { (own.newest) } } }
        }
    };
    Ok(visit.page(Place::Messages, own.conversation, &content))
}

fn form(visit: &Visit, own: &Words, places: &Places, filter: &Filter) -> Markup {
    let mut channels: Vec<&String> = visit.app.runtime.channels.0.keys().collect();
    channels.sort();
    let select = places.select(own.place, own.all_places, &filter.place);
    html! {
        @if channels.len() > 1 || !select.0.is_empty() {
            form.filters method="get" action="/messages" data-key="filters" {
                (select)
                @if channels.len() > 1 {
                    label { (visit.words.channel)
                        select name="channel" {
                            option value="" { (own.all_channels) }
                            @for channel in channels { option value=(channel) selected[*channel == filter.channel] { (names::channel(visit.words, channel)) } }
                        }
                    }
                }
                button type="submit" { (own.filter) }
            }
        }
    }
}

fn empty(own: &Words, filtered: bool) -> Markup {
    html! {
        div.empty data-key="empty" {
            @if filtered {
                p { (own.empty_filter) }
                p { a href="/messages" { (own.back) } }
            } @else {
                p { strong { (own.empty) } }
                p { (own.empty_how) }
                p { a.button href="/automations" { (own.to_automations) } }
            }
        }
    }
}

/// Tells messages, with what stands beside them.
struct Teller<'a> {
    visit: &'a Visit,
    own: &'static Words,
    zones: Zones<'a>,
    /// The names of the documents that are attached.
    documents: HashMap<(JobId, u32), String>,
}

impl<'a> Teller<'a> {
    async fn of(visit: &'a Visit, own: &'static Words, messages: impl Iterator<Item = &MessageView>) -> Result<Self, Problem> {
        let attached = messages.flat_map(|view| &view.message.attachments).filter_map(|attachment| match attachment {
            Attachment::Document { id } => parse_effect_id(id),
            Attachment::File(_) => None,
        });
        let wanted: Vec<(JobId, u32)> = attached.collect();
        let found = visit.app.runtime.store.archive().documents(&wanted).await?;
        let documents: HashMap<(JobId, u32), String> =
            found.into_iter().filter(|view| visit.who.sees(view)).map(|view| ((view.job, view.index), view.name)).collect();
        Ok(Self { visit, own, zones: visit.zones(), documents })
    }

    /// The last messages to somebody, newest first as given, told in order.
    async fn conversation(&self, places: &Places, messages: &[MessageView], longer: bool) -> Result<Markup, Problem> {
        let Some(newest) = messages.first() else { return Ok(html! {}) };
        let key = format!("conversation {} {}", newest.connection, newest.message.to);
        let id = format!("to-{}", newest.cursor);
        let bubbles = self.bubbles(messages).await?;
        Ok(html! {
            section.conversation data-key=(key) aria-labelledby=(id) {
                h2 id=(id) { (phone(&newest.message.to)) }
                @if let Some(clinic) = places.name(&newest.connection, newest.clinic.as_deref()) { p.facts { (clinic) } }
                @if longer { p { a href={ "/messages/" (newest.id) } { (self.own.whole) } } }
                (bubbles)
            }
        })
    }

    async fn bubbles(&self, messages: &[MessageView]) -> Result<Markup, Problem> {
        let mut told = Vec::with_capacity(messages.len());
        for view in messages.iter().rev() {
            told.push(self.bubble(view).await?);
        }
        Ok(html! { ol.bubbles { @for bubble in &told { (bubble) } } })
    }

    async fn bubble(&self, view: &MessageView) -> Result<Markup, Problem> {
        let (own, words) = (self.own, self.visit.words);
        let zone = self.zones.of(&view.connection, view.clinic.as_deref()).await?;
        let is_outbox = matches!(self.visit.app.runtime.channels.0.get(&view.channel), Some(ChannelKind::Outbox));
        let news = format!("{} {}", words.message_to, phone(&view.message.to));
        Ok(html! {
            li.bubble data-key={ "message " (view.id) } data-news=(news) {
                @match &view.message.body {
                    Body::Text { text } => { p.said { (text) } },
                    Body::Template { name, parameters } => {
                        p.said { (own.template) " " strong { (name) } }
                        @if !parameters.is_empty() { ul.parameters { @for parameter in parameters { li { (parameter) } } } }
                    },
                }
                @for attachment in &view.message.attachments { p.attached { (own.attachment) " " (self.attached(attachment)) } }
                @if !view.message.buttons.is_empty() {
                    ul.answers aria-label=(own.choices) { @for button in &view.message.buttons { li { (button.title) } } }
                }
                p.facts {
                    (moment(words, view.at, &zone))
                    // The channel that is called so says it already.
                    @if !is_outbox || view.channel != "outbox" { " · " (names::channel(words, &view.channel)) }
                    @if is_outbox { " · " (own.outbox) }
                    @if let Some(title) = automation(self.visit, &view.action) {
                        br; (own.made_by) " " a href={ "/activity/jobs/" (view.job) } { (title) }
                    }
                }
            }
        })
    }

    fn attached(&self, attachment: &Attachment) -> Markup {
        match attachment {
            Attachment::File(file) => html! { (file.name) },
            Attachment::Document { id } => {
                let name = parse_effect_id(id).and_then(|place| self.documents.get(&place));
                html! { @if let Some(name) = name { a href={ "/documents/" (id) } { (name) } } @else { (self.visit.words.document) } }
            }
        }
    }
}
