//! Contacts as a board: a column for each stage, a card for each person, moved by automations and by hand.
//!
//! A contact is a record of type `contact`. What is shown of it: `stage`, `name`, `phone` (or the first of `phones`), `last_contact` (else
//! when it was last written) and the last of `notes`. All but the id may be missing.

mod words;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;
use zelo_core::{AuditEntry, AuditKind, KeyHash};
use zelo_store::{Amend, Amended, AuditPage, Page, RecordView};

use self::words::{Words, words};
use super::moments::{moment, since};
use super::names;
use super::places::{Places, narrowed, phone as told_phone, unreadable};
use super::sent::{self, address};
use super::visit::{Place, Visit};
use crate::access::{Gate, Reach, Role};
use crate::openapi::{Table, shapes};
use crate::problem::Problem;
use crate::seen::Seen;

/// The stages that have words, in the order that a person goes through them.
pub(super) const STAGES: [&str; 6] = ["lead", "registered", "scheduled", "attending", "attended", "canceled"];

/// The stage of those who cancelled.
const CANCELED: &str = "canceled";
/// The type of the records.
const CONTACT: &str = "contact";
/// Cards on the board: the contacts that changed last.
const CARDS: u32 = 200;

pub(crate) fn table() -> Table {
    Table::new()
        .at(Gate::Known(Role::Viewer, Reach::Clinics), routes!(board))
        .at(Gate::Known(Role::Operator, Reach::Clinics), routes!(move_card))
}

/// Which contacts are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// A connection, or `connection/clinic`.
    #[serde(default)]
    place: String,
}

/// What the form of a card sends. Its person stands in it, and never in an address.
#[derive(Deserialize, ToSchema)]
#[schema(as = ContactForm)]
pub(crate) struct Said {
    connection: String,
    id: String,
    stage: String,
    /// The stage at which the card stood when the form was drawn; no matter which, where it does not say.
    from: Option<String>,
    /// The filter of the board, to come back to.
    #[serde(default)]
    place: String,
}

/// The board.
#[utoipa::path(get, path = "/contacts", tag = "pages", operation_id = "contacts_page", params(Filter), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn board(visit: Visit, query: Result<Query<Filter>, QueryRejection>) -> Result<Response, Problem> {
    let Query(Filter { place }) = query.map_err(unreadable)?;
    show(&visit, StatusCode::OK, &place, None).await
}

/// Moves a card, because a person says so, and shows the board again.
#[utoipa::path(post, path = "/contacts", tag = "pages", operation_id = "move_contact", request_body(content = Said, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 303, description = "Moved; the board comes next."),
    (status = 404, description = "There is no such contact.", body = shapes::Problem, content_type = "application/problem+json"),
    (status = 409, description = "Somebody else moved it meanwhile; the page says where it stands.", body = String, content_type = "text/html"),
    (status = 422, description = "There is no such stage; the card stands where it did.", body = String, content_type = "text/html"),
))]
pub(crate) async fn move_card(visit: Visit, request: Request) -> Result<Response, Problem> {
    let Said { connection, id, stage, from, place } = sent::form(&visit.app, request).await?;
    if !STAGES.contains(&stage.as_str()) && !others(&contacts(&visit, &place).await?).contains(stage.as_str()) {
        let wrong = Wrong { connection: &connection, id: &id, wanted: &stage, why: Why::NoStage };
        return show(&visit, StatusCode::UNPROCESSABLE_ENTITY, &place, Some(wrong)).await;
    }
    let runtime = &visit.app.runtime;
    let said = Amend {
        lacking: None,
        stood: from.map(|from| Map::from_iter([("stage".to_owned(), if from.is_empty() { Value::Null } else { from.into() })])),
        record: runtime.store.indexer().record(&connection, CONTACT, &id),
        fields: Map::from_iter([("stage".to_owned(), Value::from(stage.as_str()))]),
        new: None,
        clinics: visit.who.clinics.clone(),
        actor: visit.who.actor(),
        timetable: runtime.rules.current().in_force.clone(),
    };
    match runtime.store.amend(said, runtime.clock.now()).await? {
        Amended::New | Amended::Changed | Amended::Same => {}
        Amended::Missing => return Err(Problem::not_found("There is no such contact any more.")),
        Amended::Otherwise => {
            let wrong = Wrong { connection: &connection, id: &id, wanted: &stage, why: Why::Moved };
            return show(&visit, StatusCode::CONFLICT, &place, Some(wrong)).await;
        }
    }
    // Jobs may read it.
    runtime.bell.notify_one();
    Ok(Redirect::to(&address("/contacts", &[("place", &place)])).into_response())
}

/// The card whose form could not be taken.
struct Wrong<'a> {
    connection: &'a str,
    id: &'a str,
    /// The stage that was chosen.
    wanted: &'a str,
    why: Why,
}

/// Why it could not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    NoStage,
    /// It was moved since the form was drawn.
    Moved,
}

/// How many of the last words of people about records are looked through for who moved a card.
const LOOKED_AT: u32 = 100;

/// Who moved a card last, where that was a person and is still known, and when.
async fn mover_of(visit: &Visit, view: &RecordView) -> Result<(Option<String>, Timestamp), Problem> {
    let page = Page { limit: LOOKED_AT, connection: Some(view.connection.clone()), clinics: visit.who.clinics.clone(), ..Page::default() };
    // What an event says of it from then on is newer than what people said before.
    let wanted = AuditPage { page, kind: Some(AuditKind::Amended), since: Some(view.time), ..AuditPage::default() };
    let said = visit.app.runtime.store.audit(&wanted).await?;
    let is_it = |entry: &&AuditEntry| {
        let detail = entry.detail();
        let moves = detail.get("fields").and_then(Value::as_array).is_some_and(|fields| fields.iter().any(|field| field == "stage"));
        let is_contact = detail.get("record").and_then(Value::as_str) == Some(CONTACT);
        is_contact && moves && !entry.about.is_empty() && entry.about == view.about && entry.clinic == view.clinic
    };
    let last = said.iter().map(|view| &view.entry).find(is_it);
    Ok(match last {
        Some(entry) => {
            let actor = entry.actor.as_str();
            (Some(actor.split_once(':').map_or(actor, |(_, name)| name).to_owned()), entry.at)
        }
        None => (None, view.time),
    })
}

/// The contacts of a place, one more than there are cards where there are more.
async fn contacts(visit: &Visit, place: &str) -> Result<Vec<RecordView>, Problem> {
    let page = Page { limit: CARDS + 1, clinics: visit.who.clinics.clone(), ..Page::default() };
    Ok(visit.app.runtime.store.records(&narrowed(page, place), Some(CONTACT)).await?)
}

/// Stages that rules use beside those that have words.
fn others(cards: &[RecordView]) -> BTreeSet<&str> {
    cards.iter().map(stage).filter(|stage| !stage.is_empty() && !STAGES.contains(stage)).collect()
}

async fn show(visit: &Visit, status: StatusCode, place: &str, wrong: Option<Wrong<'_>>) -> Result<Response, Problem> {
    let own = words(visit.words);
    let mut cards = contacts(visit, place).await?;
    let more = cards.len() > CARDS as usize;
    cards.truncate(CARDS as usize);
    Seen::of("contacts").rows(&cards).by(&visit.who, &visit.app).await?;
    let cancelled = cancelled(visit, &cards).await?;
    let places = Places::of(visit).await?;
    let others = others(&cards);
    let stages: Vec<&str> = STAGES.into_iter().chain(others).collect();
    let moves = visit.who.role.sees_to_jobs();
    let zones = visit.zones();
    let mut columns: BTreeMap<&str, Vec<Markup>> = BTreeMap::new();
    for view in &cards {
        let zone = zones.of(&view.connection, view.clinic.as_deref()).await?;
        let at = moment(visit.words, last_contact(view), &zone);
        let ended = cancelled.get(&visit.app.runtime.store.indexer().record(&view.connection, CONTACT, &view.id));
        let past = ended.zip(noted(view)).is_some_and(|(ended, noted)| noted < *ended);
        let clinic = places.name(&view.connection, view.clinic.as_deref());
        let form = if moves {
            let wrong = wrong.as_ref().filter(|wrong| wrong.connection == view.connection && wrong.id == view.id);
            let told = match wrong.map(|wrong| wrong.why) {
                None => None,
                Some(Why::NoStage) => Some(html! { (own.no_such_stage) }),
                Some(Why::Moved) => {
                    let (who, at) = mover_of(visit, view).await?;
                    let at = since(visit.words, at, visit.app.runtime.clock.now(), &zone);
                    Some(
                        html! { (who.as_deref().unwrap_or(own.somebody)) " " (own.moved) " " (at) ". " (own.stands) " " strong { (visit.words.stage(stage(view))) } ". " (own.not_moved) },
                    )
                }
            };
            mover(visit, own, &stages, place, view, wrong.map(|wrong| wrong.wanted).zip(told))
        } else {
            html! {}
        };
        columns.entry(stage(view)).or_default().push(card(visit, own, (view, past), &at, clinic.as_ref(), &form));
    }
    let unstaged = columns.contains_key("").then_some("");
    let select = places.select(own.place, own.all_places, place);
    let content = html! {
        p.none data-key="intro" { (own.intro) }
        @if !select.0.is_empty() {
            form.filters method="get" action="/contacts" data-key="filters" { (select) button type="submit" { (own.filter) } }
        }
        @if more { p.none data-key="more" { (own.only_latest) } }
        @if cards.is_empty() {
            (empty(own, !place.is_empty()))
        } @else {
            @if moves { p.hint id="how-to-move" data-key="how" { (own.how) } }
            div.kanban.scroll role="region" aria-label=(own.board) tabindex="0" data-key="kanban" data-board[moves] {
                @for name in unstaged.into_iter().chain(stages.iter().copied()) {
                    @let cards = columns.get(name).map(Vec::as_slice).unwrap_or_default();
                    section.column data-stage=(name) aria-label=(visit.words.stage(name)) {
                        h2 { (visit.words.stage(name)) " " span.count { (cards.len()) } }
                        @if cards.is_empty() { p.none { (own.nobody_here) } } @else { ul { @for card in cards { (card) } } }
                    }
                }
            }
        }
    };
    Ok(visit.page_as(status, Place::Contacts, visit.words.place(Place::Contacts), &content))
}

fn empty(own: &Words, filtered: bool) -> Markup {
    html! {
        div.empty data-key="empty" {
            @if filtered {
                p { (own.empty_filter) }
                p { a href="/contacts" { (own.back) } }
            } @else {
                p { strong { (own.empty) } }
                p { (own.empty_how) }
                p { a.button href="/automations" { (own.to_automations) } }
            }
        }
    }
}

/// The card of somebody. `past`: its note is from before it was cancelled, and tells of what will not be.
fn card(visit: &Visit, own: &Words, (view, past): (&RecordView, bool), at: &Markup, clinic: Option<&Markup>, form: &Markup) -> Markup {
    let name = named(visit, view);
    let moves = visit.who.role.sees_to_jobs();
    let news = format!("{name} → {}", visit.words.stage(stage(view)));
    html! {
        li.contact data-key={ "contact " (view.connection) " " (view.id) } data-news=(news)
            tabindex=[moves.then_some("0")] draggable=[moves.then_some("true")] aria-describedby=[moves.then_some("how-to-move")] {
            strong { (name) }
            @if let Some(phone) = phone(view) { p { (told_phone(phone)) } }
            p.facts { (own.last_contact) " " (at) @if let Some(clinic) = clinic { br; (clinic) } }
            @if let Some(note) = note(view) { p.said { @if past { (own.cancelled) " " } (note) } }
            (form)
        }
    }
}

/// What moves a card without a script.
fn mover(visit: &Visit, own: &Words, stages: &[&str], place: &str, view: &RecordView, wrong: Option<(&str, Markup)>) -> Markup {
    let name = text(view, "name").unwrap_or(&view.id);
    let (wanted, told) = wrong.unzip();
    let chosen = wanted.filter(|wanted| stages.contains(wanted)).unwrap_or_else(|| stage(view));
    html! {
        details data-key={ "move " (view.connection) " " (view.id) } open[told.is_some()] {
            summary aria-label={ (own.move_to) ": " (name) } { (own.move_to) }
            form method="post" action="/contacts" {
                input type="hidden" name="connection" value=(view.connection);
                input type="hidden" name="id" value=(view.id);
                input type="hidden" name="place" value=(place);
                input type="hidden" name="from" value=(stage(view));
                select name="stage" aria-label={ (own.move_to) ": " (name) } aria-invalid=[told.as_ref().map(|_| "true")] {
                    @for known in stages { option value=(known) selected[*known == chosen] { (visit.words.stage(known)) } }
                }
                @if let Some(told) = &told { p.error role="alert" { (told) } }
                button.quiet type="submit" { (own.move_now) }
            }
        }
    }
}

/// What somebody is called; by their id, where that is not known.
fn named(visit: &Visit, view: &RecordView) -> String {
    text(view, "name").map_or_else(|| names::one(visit.words, CONTACT, &view.id), str::to_owned)
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

/// When those of `cards` were cancelled that are, by the event or the person that said so.
async fn cancelled(visit: &Visit, cards: &[RecordView]) -> Result<HashMap<KeyHash, Timestamp>, Problem> {
    let store = &visit.app.runtime.store;
    let cancelled = cards.iter().filter(|view| stage(view) == CANCELED);
    let rows = store.archive().records(cancelled.map(|view| store.indexer().record(&view.connection, CONTACT, &view.id)).collect()).await?;
    Ok(rows.into_iter().filter_map(|(hash, row)| Some((hash, row.stamps.get("stage")?.time))).collect())
}

/// When the newest note was written, as far as it says that.
fn noted(view: &RecordView) -> Option<Timestamp> {
    view.document.get("notes")?.as_array()?.last()?.get("at")?.as_str()?.parse().ok()
}

/// The newest note: a text, or one with its time.
fn note(view: &RecordView) -> Option<&str> {
    let last = view.document.get("notes")?.as_array()?.last()?;
    last.as_str().or_else(|| last.get("text")?.as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contact(document: Value) -> RecordView {
        let time = "2026-03-02T11:00:00Z".parse().unwrap();
        let (connection, kind) = ("acme".into(), CONTACT.into());
        RecordView { cursor: 1, about: Vec::new(), connection, clinic: None, kind, id: "1".into(), time, document }
    }

    #[test]
    fn a_stage_that_rules_made_up_is_one() {
        let cards = [json!({ "stage": "zzz" }), json!({ "stage": "lead" }), json!({ "stage": 7 }), json!({ "stage": "aaa" }), json!({})];
        assert_eq!(others(&cards.map(contact)).into_iter().collect::<Vec<_>>(), ["aaa", "zzz"]);
    }

    #[test]
    fn a_card_says_what_is_known() {
        let at = "2026-03-02T09:30:00Z";
        let whole = contact(
            json!({ "phones": ["+55 11"], "last_contact": at, "notes": [{ "at": at, "text": "first" }, { "at": at, "text": "last" }] }),
        );
        assert_eq!((phone(&whole), last_contact(&whole).to_string(), note(&whole)), (Some("+55 11"), at.to_owned(), Some("last")));
        for nothing in
            [json!({}), json!({ "phones": [], "notes": [], "last_contact": "soon" }), json!({ "phone": "", "notes": "x" }), json!([1])]
        {
            let view = contact(nothing);
            assert_eq!((phone(&view), last_contact(&view), note(&view)), (None, view.time, None));
        }
    }
}
