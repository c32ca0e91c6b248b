//! The search box: what it was given is sent as a form, and leads to an address of ids and keyed hashes.

use axum::extract::State;
use axum::extract::{FromRequestParts, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::html;
use serde::Deserialize;
use utoipa::ToSchema;
use zelo_core::{EventId, IdentityKind, JobId, KeyHash, Pseudonym};
use zelo_rules::common_identity;
use zelo_store::{Concerning, EventsWanted, Page, SubjectView, Who};

use super::list::{Asked, page};
use super::words::{Words, words};
use super::{event_url, job_url};
use crate::App;
use crate::access::{Known, Role};
use crate::pages::names;
use crate::pages::sent;
use crate::pages::visit::Visit;
use crate::problem::Problem;
use crate::seen::Seen;

/// No search is longer, in bytes.
const SOUGHT_MAX: usize = 200;

/// What is looked for.
#[derive(Deserialize, ToSchema)]
#[schema(as = SearchForm)]
pub(crate) struct Said {
    /// An id of an event or a job, the id of a thing with or without its type; for admins a person too.
    #[serde(default)]
    q: String,
}

/// Where a search leads.
enum Found {
    /// To one page.
    At(String),
    /// To things of this id, and to people whom it names.
    Lists { things: Vec<KeyHash>, people: Vec<Pseudonym> },
}

/// Looks for an event, a job, a thing or a person.
#[utoipa::path(post, path = "/activity", tag = "pages", operation_id = "search_activity",
    request_body(content = Said, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Several things have this id: which is meant?", body = String, content_type = "text/html"),
        (status = 303, description = "Found; it comes next."),
        (status = 422, description = "Nothing is found so.", body = String, content_type = "text/html"),
    )
)]
pub(crate) async fn find(State(app): State<App>, who: Known, request: Request) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let visit = Visit::from_request_parts(&mut parts, &app).await?;
    let Said { q } = sent::form(&app, Request::from_parts(parts, body)).await?;
    let (sought, words) = (q.trim(), words(visit.words));
    if sought.is_empty() {
        return Ok(Redirect::to("/activity").into_response());
    }
    if sought.len() > SOUGHT_MAX {
        return nothing(&visit, words, "").await;
    }
    match look(&app, &who, sought).await? {
        Some(Found::At(url)) => Ok(Redirect::to(&url).into_response()),
        Some(Found::Lists { things, people }) => {
            let list = |things: &[KeyHash], about: &[Pseudonym]| {
                let things = things.iter().map(|one| data_encoding::HEXLOWER.encode(&one.0)).collect::<Vec<_>>().join(",");
                let about = about.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
                Asked::found(things, about).address()
            };
            if things.is_empty() || people.is_empty() {
                return Ok(Redirect::to(&list(&things, &people)).into_response());
            }
            let note = html! {
                div.card role="status" {
                    p { (words.which) }
                    ul {
                        li { a href=(list(&things, &[])) { (words.as_thing) } }
                        li { a href=(list(&[], &people)) { (words.as_person) } }
                    }
                }
            };
            page(&visit, &Asked::default(), StatusCode::OK, &note, sought).await
        }
        None => nothing(&visit, words, sought).await,
    }
}

/// The page again: nothing was found, and why that may be.
async fn nothing(visit: &Visit, words: &Words, sought: &str) -> Result<Response, Problem> {
    let person = visit.who.role < Role::Admin && identities(sought).next().is_some();
    let note = html! {
        div.error role="alert" { p { (words.nothing_found) } p { (if person { words.people_are_admins } else { words.how_to_search }) } }
    };
    page(visit, &Asked::default(), StatusCode::UNPROCESSABLE_ENTITY, &note, sought).await
}

async fn look(app: &App, who: &Known, sought: &str) -> Result<Option<Found>, Problem> {
    let store = app.runtime.store.as_ref();
    if let Ok(id) = sought.parse::<EventId>() {
        return Ok(store.event(id).await?.filter(|view| who.sees(view)).map(|_| Found::At(event_url(id))));
    }
    if let Ok(id) = sought.parse::<JobId>() {
        return Ok(store.job(id).await?.filter(|view| who.sees(view)).map(|_| Found::At(job_url(id))));
    }
    let things = things(app, who, sought).await?;
    let people = if who.role == Role::Admin { people(app, who, sought).await? } else { Vec::new() };
    Ok((!things.is_empty() || !people.is_empty()).then_some(Found::Lists { things, people }))
}

/// The things that are called so, with or without their type, of which an event speaks that the reader is told of.
async fn things(app: &App, who: &Known, sought: &str) -> Result<Vec<KeyHash>, Problem> {
    let edition = app.runtime.rules.current();
    let index = app.runtime.store.indexer();
    let mut asked = Vec::new();
    for connection in app.runtime.connections.values() {
        let Some(source) = edition.rules.source(&connection.source) else { continue };
        let mut kinds: Vec<&str> = source.events.iter().filter_map(|event| Some(event.entity.as_ref()?.kind.as_str())).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            asked.push(index.entity(&connection.name, kind, sought));
            // The type may be of several words, and so may an id.
            let parts = sought.match_indices([' ', '/', ':', '#']).map(|(at, _)| (&sought[..at], sought[at + 1..].trim()));
            asked.extend(parts.filter(|(word, _)| names::means(kind, word)).map(|(_, id)| index.entity(&connection.name, kind, id)));
        }
    }
    let archive = app.runtime.store.archive();
    let known = archive.known_things(asked).await?;
    let page = Page { limit: 1, clinics: who.clinics.clone(), ..Page::default() };
    let wanted = EventsWanted { page, concerning: Concerning::Things(known.clone()), ..EventsWanted::default() };
    // Of what is of other clinics not even that it is there.
    Ok(if archive.find_events(&wanted).await?.is_empty() { Vec::new() } else { known })
}

/// The people who are known by it, of whom the reader is told.
async fn people(app: &App, who: &Known, sought: &str) -> Result<Vec<Pseudonym>, Problem> {
    let (store, index) = (app.runtime.store.as_ref(), app.runtime.store.indexer());
    let mut asked = vec![Who::Id { connection: None, id: sought.to_owned() }];
    asked.extend(sought.parse().ok().map(Who::Pseudonym));
    asked.extend(identities(sought).map(|(kind, common)| Who::Identity(index.identity(kind, &common))));
    let mut found: Vec<SubjectView> = Vec::new();
    for one in asked {
        found.extend(store.find_subjects(one).await?.into_iter().filter(|subject| who.sees(subject) && subject.erased.is_none()));
    }
    found.sort_unstable_by_key(|subject| subject.pseudonym);
    found.dedup_by_key(|subject| subject.pseudonym);
    Seen::of("subjects").rows(&found).by(who, app).await?;
    Ok(found.into_iter().map(|subject| subject.pseudonym).collect())
}

/// What everybody knows a person by, as which a text can be read.
fn identities(sought: &str) -> impl Iterator<Item = (IdentityKind, String)> {
    IdentityKind::ALL.into_iter().filter_map(move |kind| Some((kind, common_identity(kind, sought)?)))
}
