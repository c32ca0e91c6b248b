//! The first start: from the clinic's system to the first automation that is on, step by step. Where somebody is stands in the address, so
//! that the way back works, and nothing of it needs script; with it, what arrives shows up by itself.

mod sample;
mod secret;
mod steps;
mod way_on;
mod words;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, json};
use utoipa::ToSchema;
use utoipa_axum::routes;
use zelo_core::{AuditEntry, AuditKind, EventId};
use zelo_rules::{Rule, RuleSet, Source};
use zelo_runtime::preview::{Asked as Trying, Error as Unknown, On, Tried};
use zelo_runtime::{Connection, explain};
use zelo_store::{EventView, Page};

use self::sample::{Parcel, Sent};
use self::secret::Made;
use self::words::words;
use super::Language;
use super::sent;
use super::visit::{Place, Visit};
use crate::access::{Gate, Known, Reach, Role};
use crate::openapi::{Table, shapes};
use crate::problem::Problem;
use crate::seen::Seen;
use crate::{App, origin};

/// The events that are shown to have arrived.
const ARRIVED: u32 = 5;

/// The routes.
pub(super) fn table() -> Table {
    let gate = Gate::Known(Role::Integrator, Reach::Everything);
    let admin = Gate::Known(Role::Admin, Reach::Everything);
    Table::new()
        .at(gate, routes!(show))
        .at(gate, routes!(send))
        .at(gate, routes!(way_on::switch_on))
        .at(admin, routes!(secret::show_secret))
}

/// Where somebody is on the way.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    connection: String,
    #[serde(default)]
    event: String,
    #[serde(default)]
    rule: String,
    /// What became of the example that was sent last: `came` or `known`.
    #[serde(default)]
    sent: String,
}

impl Asked {
    /// The address of this place on the way.
    fn address(&self) -> String {
        let asked = [("connection", self.connection.as_str()), ("event", &self.event), ("rule", &self.rule), ("sent", &self.sent)];
        sent::address("/start", &asked)
    }
}

/// The first start.
#[utoipa::path(get, path = "/start", tag = "pages", operation_id = "start", params(
    ("connection" = Option<String>, Query, description = "The connection that was chosen."),
    ("event" = Option<String>, Query, description = "The event that was chosen: `evt_` and 32 hexadecimal digits."),
    ("rule" = Option<String>, Query, description = "The rule that was chosen."),
    ("sent" = Option<String>, Query, description = "What became of the sample that was sent last."),
), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
pub(crate) async fn show(visit: Visit, query: Result<Query<Asked>, QueryRejection>, request: Request) -> Result<Response, Problem> {
    let Query(asked) = query.unwrap_or_default();
    let base = origin::base(&visit.app.settings, request.headers(), request.extensions());
    page(&visit, &base, asked, StatusCode::OK, None).await
}

/// What the form of the example sends.
#[derive(Deserialize, ToSchema)]
#[schema(as = SampleForm)]
pub(crate) struct Said {
    connection: String,
    /// The type of the event.
    kind: String,
    /// The rule that shall fire for it; none: no matter which.
    #[serde(default)]
    rule: String,
}

/// Sends an example through the way in, as its provider would.
#[utoipa::path(post, path = "/start/sample", tag = "pages", operation_id = "send_sample",
    request_body(content = Said, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "It came; the page shows it."),
        (status = 404, description = "There is no such connection or sample.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 422, description = "It could not be sent, or was refused; the page says why.", body = String, content_type = "text/html"),
    )
)]
pub(crate) async fn send(State(app): State<App>, who: Known, Language(common): Language, request: Request) -> Result<Response, Problem> {
    let base = origin::base(&app.settings, request.headers(), request.extensions());
    let (mut parts, body) = request.into_parts();
    let Said { connection: name, kind, rule } = sent::form(&app, Request::from_parts(parts.clone(), body)).await?;
    let edition = app.runtime.rules.current();
    let connection = app.runtime.connections.get(&name);
    let found = connection.and_then(|connection| Some((connection, edition.rules.source(&connection.source)?)));
    let (connection, source) = found.ok_or_else(|| Problem::not_found("There is no such connection."))?;
    if source.sample(&kind).is_none() {
        return Err(Problem::not_found("The source has no such sample."));
    }
    let listening: Vec<&Rule> = listening(&edition.rules, source, &kind).collect();
    let wanted = listening.iter().find(|one| one.id == rule);
    let set = wanted.map_or_else(|| listening.iter().find_map(|one| one.fires_with(&kind)), |one| one.fires_with(&kind));
    let parcel = Parcel {
        connection,
        source,
        kind: &kind,
        set: set.unwrap_or_default(),
        ahead: listening.iter().flat_map(|one| one.anchors()).collect(),
        base: &base,
    };
    let asked = Asked { connection: name.clone(), rule: wanted.map(|rule| rule.id.clone()).unwrap_or_default(), ..Asked::default() };
    let own = words(common);
    // Before it is sent: rules take it for real.
    let detail = json!({ "what": "sample sent", "kind": kind });
    let entry =
        AuditEntry { connection: Some(name.clone()), ..AuditEntry::new(app.runtime.clock.now(), AuditKind::Decided, who.actor(), &detail) };
    app.runtime.store.answer_for(vec![entry]).await?;
    let why = match parcel.send(&app).await? {
        Sent::Came(event) => {
            let there = Asked { event: event.to_string(), sent: "came".to_owned(), ..asked };
            return Ok(Redirect::to(&there.address()).into_response());
        }
        Sent::Known(event) => {
            let event = event.map(|event| event.to_string()).unwrap_or_default();
            return Ok(Redirect::to(&Asked { event, sent: "known".to_owned(), ..asked }.address()).into_response());
        }
        Sent::Unsigned => html! { (own.sample_unsigned) },
        Sent::Unread => html! { (own.sample_unread) },
        Sent::Refused(why) => html! { (own.sample_refused) " " span lang="en" { (why) } },
    };
    // The page that says why is at the address of the form: its language and its live updates come from there.
    parts.uri = asked.address().parse().map_err(|_| Problem::internal())?;
    let visit = Visit::of(&app, who, &mut parts).await?;
    page(&visit, &base, asked, StatusCode::UNPROCESSABLE_ENTITY, Some(Failed::Sample(why))).await
}

/// The rules that listen to events of type `kind` of `source`.
fn listening<'r>(rules: &'r RuleSet, source: &'r Source, kind: &'r str) -> impl Iterator<Item = &'r Rule> {
    rules.rules().filter(move |rule| rule.source.as_ref().is_none_or(|of| *of == source.id) && rule.on.contains(kind))
}

/// Where somebody is, with what they have chosen so far.
struct Way<'a> {
    visit: &'a Visit,
    base: &'a str,
    asked: Asked,
    rules: &'a RuleSet,
    connections: Vec<(&'a Connection, &'a Source)>,
    chosen: Option<(&'a Connection, &'a Source)>,
    /// The last events of the connection, and the chosen one.
    arrived: Vec<EventView>,
    event: Option<EventView>,
    rule: Option<&'a Rule>,
    would: Option<Would>,
    /// What was tried, and could not be.
    failed: Option<Failed>,
    secret: Made,
}

/// What could not be done, and why.
enum Failed {
    Sample(Markup),
    /// Line by line.
    Switch(Vec<String>),
}

/// What the chosen rule would have done.
enum Would {
    /// This; and where a record was missing for it, what it does about the example of its own tests, which has all.
    Do(Box<Tried>, Option<Box<Tried>>),
    /// Nothing, for this reason.
    Nothing(String),
    Unknown(String),
}

async fn page(visit: &Visit, base: &str, mut asked: Asked, status: StatusCode, failed: Option<Failed>) -> Result<Response, Problem> {
    let (app, store) = (&visit.app, visit.app.runtime.store.as_ref());
    let edition = app.runtime.rules.current();
    let known = app.runtime.connections.values().filter_map(|one| Some((one, edition.rules.source(&one.source)?)));
    let mut connections: Vec<(&Connection, &Source)> = known.collect();
    connections.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    if let (true, [(only, _)]) = (asked.connection.is_empty(), connections.as_slice()) {
        asked.connection.clone_from(&only.name);
    }
    let chosen = connections.iter().find(|(one, _)| one.name == asked.connection).copied();
    let secret = match chosen {
        Some((connection, source)) => Made::of(app, connection, source).await?,
        None => Made::Elsewhere,
    };
    let (mut arrived, mut event) = (Vec::new(), None);
    if let Some((connection, _)) = chosen {
        let latest = Page { limit: ARRIVED, connection: Some(connection.name.clone()), ..Page::default() };
        arrived = store.events(&latest).await?;
        if let Ok(id) = asked.event.parse::<EventId>() {
            event = store.event(id).await?.filter(|view| view.event.connection == connection.name);
        }
    }
    let kind = event.as_ref().map(|view| view.event.kind.clone());
    let listening = kind.as_deref().zip(chosen).map(|(kind, (_, source))| listening(&edition.rules, source, kind));
    let rule = listening.and_then(|mut rules| rules.find(|one| one.id == asked.rule));
    let would = match (&event, rule) {
        (Some(view), Some(rule)) => Some(would(visit, view, rule).await?),
        _ => None,
    };
    Seen::of("start").rows(&arrived).rows(&event).by(&visit.who, app).await?;
    let way = Way { visit, base, asked, rules: &edition.rules, connections, chosen, arrived, event, rule, would, failed, secret };
    let content = way.steps().await?;
    Ok(visit.page_as(status, Place::Start, visit.words.place(Place::Start), &content))
}

/// Rehearses `rule` with an event.
async fn would(visit: &Visit, view: &EventView, rule: &Rule) -> Result<Would, Problem> {
    let app = &visit.app;
    let trying = Trying {
        rule: rule.id.clone(),
        connection: view.event.connection.clone(),
        clinic: None,
        clinics: visit.who.clinics.clone(),
        settings: Map::new(),
        on: On::Stored,
        only: Some(view.event.id),
    };
    let mut tried = app.runtime.preview(&trying).await;
    let first = tried.as_mut().ok().and_then(|preview| preview.events.pop());
    Ok(match (tried, first) {
        (Ok(_), None) => {
            let telling = explain::Telling { reveal: zelo_rules::Class::Public, locale: visit.words.lang };
            let in_force = app.runtime.rules.current().in_force.clone();
            let told = explain::explain_rule(app.runtime.store.as_ref(), &in_force, (&view.event, view.status), telling, &rule.id).await?;
            let why = told.explanation.rules.into_iter().next();
            let of_action = |told: &zelo_rules::RuleTold| told.actions.iter().find_map(|action| action.why.clone());
            Would::Nothing(why.and_then(|told| told.why.clone().or_else(|| of_action(&told))).unwrap_or_default())
        }
        (Ok(_), Some(tried)) => {
            let nothing_seen = tried.jobs.iter().all(|job| job.effects.is_empty());
            let example =
                if nothing_seen { app.runtime.preview(&Trying { on: On::Sample, only: None, ..trying }).await.ok() } else { None };
            Would::Do(Box::new(tried), example.and_then(|mut preview| preview.events.pop()).map(Box::new))
        }
        (Err(Unknown::Store(error)), _) => return Err(error.into()),
        (Err(error), _) => Would::Unknown(error.to_string()),
    })
}
