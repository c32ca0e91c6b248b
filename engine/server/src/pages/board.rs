//! Contacts, as a board: a column for each stage, a card for each person.
//!
//! A contact is a record of type `contact`. What is shown of it: `stage`, `name`, `phone` (or the first of `phones`),
//! `last_contact` (else when it was last written) and the last of `notes`. All but the id may be missing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use maud::{Markup, html};
use zelo_store::{Error, Page, RecordView, Store};

use super::tables::time;
use super::words::Words;
use crate::access::Known;

/// The stages that have words, in the order that a person goes through them.
pub(super) const STAGES: [&str; 6] = ["lead", "registered", "scheduled", "attending", "attended", "canceled"];

/// Cards on the board: the contacts that changed last.
const CARDS: u32 = 200;

/// The contacts to show, and whether there are more.
pub(super) struct Contacts {
    cards: Vec<RecordView>,
    more: bool,
}

pub(super) async fn contacts(store: &dyn Store, who: &Known) -> Result<Contacts, Error> {
    let page = Page { limit: CARDS + 1, clinics: who.clinics.clone(), ..Page::default() };
    let mut cards = store.records(&page, Some("contact")).await?;
    let more = cards.len() > CARDS as usize;
    cards.truncate(CARDS as usize);
    Ok(Contacts { cards, more })
}

impl Contacts {
    pub(super) fn is_empty(&self) -> bool {
        self.cards.is_empty()
    }

    /// Those that are shown.
    pub(super) fn cards(&self) -> &[RecordView] {
        &self.cards
    }

    /// By stage: those with words in their order and even if nobody is there, then all others by name.
    fn columns(&self) -> Vec<(&str, Vec<&RecordView>)> {
        let mut found: BTreeMap<&str, Vec<&RecordView>> = BTreeMap::new();
        for view in &self.cards {
            found.entry(stage(view)).or_default().push(view);
        }
        let mut columns: Vec<_> = STAGES.into_iter().map(|stage| (stage, found.remove(stage).unwrap_or_default())).collect();
        columns.extend(found);
        columns
    }
}

pub(super) fn board(words: &Words, contacts: &Contacts) -> Markup {
    html! {
        p.none { (words.latest_contacts) }
        div.scroll.board role="region" aria-label=(words.latest_contacts) tabindex="0" data-key="board" {
            @for (stage, cards) in contacts.columns() {
                div.stage {
                    h3 { (words.stage(stage)) " " span.count { (cards.len()) } }
                    @if !cards.is_empty() { ul { @for view in cards { (card(words, view)) } } }
                }
            }
        }
        @if contacts.more {
            p { (words.there_are_more) " " a href="/api/v1/records?type=contact" { code { "type=contact" } } }
        }
    }
}

fn card(words: &Words, view: &RecordView) -> Markup {
    let name = text(view, "name").unwrap_or(&view.id);
    html! {
        li data-key={ "contact " (view.connection) " " (view.id) } data-news={ (name) " → " (words.stage(stage(view))) } {
            strong { (name) }
            @if let Some(phone) = phone(view) { p { (phone) } }
            p { (words.last_contact) " " (time(last_contact(view))) }
            @if let Some(note) = note(view) { p.said { (note) } }
        }
    }
}

fn text<'a>(view: &'a RecordView, field: &str) -> Option<&'a str> {
    view.document.get(field)?.as_str().filter(|text| !text.is_empty())
}

fn stage(view: &RecordView) -> &str {
    text(view, "stage").unwrap_or_default()
}

fn phone(view: &RecordView) -> Option<&str> {
    text(view, "phone").or_else(|| view.document.get("phones")?.get(0)?.as_str())
}

fn last_contact(view: &RecordView) -> Timestamp {
    text(view, "last_contact").and_then(|at| at.parse().ok()).unwrap_or(view.time)
}

/// The newest note: a text, or one with its time.
fn note(view: &RecordView) -> Option<&str> {
    let last = view.document.get("notes")?.as_array()?.last()?;
    last.as_str().or_else(|| last.get("text")?.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn contact(id: &str, document: Value) -> RecordView {
        let time = "2026-03-02T11:00:00Z".parse().unwrap();
        let (connection, kind) = ("acme".into(), "contact".into());
        RecordView { cursor: 1, about: Vec::new(), connection, clinic: None, kind, id: id.into(), time, document }
    }

    #[test]
    fn every_contact_stands_in_one_column() {
        let documents =
            [json!({ "stage": "zzz" }), json!({ "stage": "attended" }), json!({ "stage": 7 }), json!({ "stage": "aaa" }), json!({})];
        let cards: Vec<RecordView> = documents.into_iter().enumerate().map(|(id, document)| contact(&id.to_string(), document)).collect();
        let contacts = Contacts { cards, more: false };
        let columns = contacts.columns();
        let told: Vec<_> = columns.iter().map(|(stage, cards)| (*stage, cards.len())).collect();
        let known = ["lead", "registered", "scheduled", "attending"].map(|stage| (stage, 0));
        assert_eq!(told, [&known[..], &[("attended", 1), ("canceled", 0), ("", 2), ("aaa", 1), ("zzz", 1)]].concat());
    }

    #[test]
    fn a_card_says_what_is_known() {
        let at = "2026-03-02T09:30:00Z";
        let whole = contact(
            "1",
            json!({ "phones": ["+55 11"], "last_contact": at, "notes": [{ "at": at, "text": "first" }, { "at": at, "text": "last" }] }),
        );
        assert_eq!((phone(&whole), last_contact(&whole).to_string(), note(&whole)), (Some("+55 11"), at.to_owned(), Some("last")));
        for nothing in
            [json!({}), json!({ "phones": [], "notes": [], "last_contact": "soon" }), json!({ "phone": "", "notes": "x" }), json!([1])]
        {
            let view = contact("1", nothing);
            assert_eq!((phone(&view), last_contact(&view), note(&view)), (None, view.time, None));
        }
    }
}
