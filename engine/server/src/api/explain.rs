//! Why rules fire or do not: for a stored event, or for a payload that is given.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use zelo_core::{Event, EventId, Status};
use zelo_rules::{Class, LOCALES};
use zelo_runtime::explain::{self, Explained, Given, Telling};
use zelo_store::Who;

use super::query::Parameters;
use crate::access::Known;
use crate::problem::Problem;
use crate::seen::Seen;
use crate::{App, body};

/// A payload that might come.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
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

pub(super) async fn stored(
    State(app): State<App>,
    who: Known,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<Explained>, Problem> {
    let missing = || Problem::not_found("There is no event with this id. An id looks like `evt_` and 32 hexadecimal digits.");
    let id: EventId = id.parse().map_err(|_| missing())?;
    let wanted = Wanted::read(parameters)?;
    let view = app.runtime.store.event(id).await?.ok_or_else(missing)?;
    let told = explained(&app, &view.event, Some(view.status), &wanted).await?;
    Seen::of("explanation").rows([&view]).by(&who, &app).await?;
    Ok(told)
}

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
