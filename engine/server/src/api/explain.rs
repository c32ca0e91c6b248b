//! Why rules fire or do not: for a stored event, or for a payload that is given.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use zelo_core::{AutomationId, Event, EventId, Status};
use zelo_rules::{Class, LOCALES};
use zelo_runtime::explain::{self, Explained, Given, Telling};
use zelo_store::Who;

use super::query::Parameters;
use crate::access::Known;
use crate::openapi::shapes;
use crate::problem::Problem;
use crate::seen::Seen;
use crate::{App, body};

/// A payload that might come.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Payload {
    connection: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    /// What would follow `/hooks/{connection}/`.
    #[serde(default)]
    path: String,
    /// The body: JSON as it is, anything else as a text.
    data: Value,
    /// When it would arrive; now, where it does not say.
    at: Option<Timestamp>,
}

/// A payload has at most so many bytes.
const BODY_MAX: usize = 1 << 20;

/// Why each rule fires or does not for a stored event, and what was made because of it.
#[utoipa::path(get, path = "/api/v1/events/{id}/explanation", tag = "api", operation_id = "explain_event", params(
    ("reveal" = Option<shapes::Class>, Query, description = "Values of this class and of less delicate ones are shown; public, where it does not say."),
    ("lang" = Option<shapes::Locale>, Query, description = "The language of its sentences; pt-BR, where it does not say."),
    ("id" = String, Path, description = "`evt_` and 32 hexadecimal digits."),
), responses(
    (status = 200, description = "As asked for.", body = shapes::Explained),
))]
pub(super) async fn stored(
    State(app): State<App>,
    who: Known,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<Explained>, Problem> {
    let missing = || Problem::not_found("There is no event with this id. An id looks like `evt_` and 32 hexadecimal digits.");
    let id: EventId = id.parse().map_err(|_| missing())?;
    let wanted = Wanted::read(parameters)?;
    if wanted.reveal != Class::Public && !who.sees_everything() {
        // The records that rules look up may be of other clinics of the connection.
        return Err(Problem::clinics());
    }
    let view = app.runtime.store.event(id).await?.filter(|view| who.sees(view)).ok_or_else(missing)?;
    let mut told = explained(&app, &view.event, Some(view.status), &wanted).await?;
    let in_force = app.runtime.rules.current().in_force.clone();
    // What is switched on for another clinic is told of as well: that it is not for this one.
    let others = |id: &AutomationId| {
        let mut of_others =
            in_force.automations().filter(|one| one.clinic.is_some() && !who.clinics.include(&one.connection, one.clinic.as_deref()));
        of_others.any(|one| one.id == *id)
    };
    told.explanation.rules.retain(|rule| !rule.automation.as_ref().is_some_and(others));
    Seen::of("explanation").rows([&view]).by(&who, &app).await?;
    Ok(told)
}

/// The same for a payload that might come. Nothing is stored and nothing is made.
#[utoipa::path(post, path = "/api/v1/explain", tag = "api", operation_id = "explain_payload", params(
    ("reveal" = Option<shapes::Class>, Query, description = "Values of this class and of less delicate ones are shown; public, where it does not say."),
    ("lang" = Option<shapes::Locale>, Query, description = "The language of its sentences; pt-BR, where it does not say."),
), request_body = Payload, responses(
    (status = 200, description = "As asked for.", body = shapes::Explained),
))]
pub(super) async fn given(State(app): State<App>, who: Known, parameters: Parameters, request: Body) -> Result<Json<Explained>, Problem> {
    let wanted = Wanted::read(parameters)?;
    let held = body::read(request, BODY_MAX, app.settings.request_timeout, &app.bodies).await?;
    let payload: Payload = serde_json::from_slice(&held.bytes).map_err(|error| {
        Problem::malformed(format!("This is not {{connection, type, data}}: line {}, column {}.", error.line(), error.column()))
    })?;
    let edition = app.runtime.rules.current();
    let connection = app.runtime.connections.get(&payload.connection);
    let connection = connection.ok_or_else(|| Problem::malformed("There is no such connection."))?;
    let body = match &payload.data {
        Value::String(text) => text.clone(),
        data => data.to_string(),
    };
    let given = Given { kind: payload.kind.as_deref(), path: &payload.path, body: body.as_bytes() };
    let at = payload.at.unwrap_or_else(|| app.runtime.clock.now());
    let event = explain::given(&edition.rules, connection, given, at).map_err(|error| Problem::malformed(error.to_string()))?;
    let told = explained(&app, &event, None, &wanted).await?;
    if wanted.reveal != Class::Public {
        // Rules look up what is stored of the people that a payload names.
        let mut people = Vec::new();
        for id in event.subjects {
            people.extend(app.runtime.store.find_subjects(Who::Id { connection: Some(event.connection.clone()), id }).await?);
        }
        Seen::of("explanation").rows(&people).opened(&who, &app).await?;
    }
    Ok(told)
}

async fn explained(app: &App, event: &Event, status: Option<Status>, wanted: &Wanted) -> Result<Json<Explained>, Problem> {
    let in_force = app.runtime.rules.current().in_force.clone();
    let telling = Telling { reveal: wanted.reveal, locale: wanted.locale };
    Ok(Json(explain::explain(app.runtime.store.as_ref(), &in_force, event, status, telling).await?))
}

/// What may be shown, and in which language.
struct Wanted {
    reveal: Class,
    locale: &'static str,
}

impl Wanted {
    fn read(mut parameters: Parameters) -> Result<Self, Problem> {
        let reveal = match parameters.take("reveal") {
            None => Class::Public,
            Some(word) => Class::ALL
                .into_iter()
                .find(|class| class.as_str() == word)
                .ok_or_else(|| Problem::query("`reveal` is public, personal or sensitive."))?,
        };
        let locale = match parameters.take("lang") {
            None => LOCALES[0],
            Some(word) => LOCALES.into_iter().find(|locale| *locale == word).ok_or_else(|| Problem::query("`lang` is pt-BR or en."))?,
        };
        parameters.none_but("reveal and lang")?;
        Ok(Self { reveal, locale })
    }
}
