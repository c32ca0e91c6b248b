//! What came and what was done: events, jobs, messages, records.

use axum::Json;
use axum::extract::{Path, State};
use zelo_core::{EventId, JobId, JobState};

use super::query::{List, Parameters};
use super::views::{AuditJson, EventJson, JobJson, MessageJson, RecordJson};
use crate::App;
use crate::problem::Problem;

pub(super) async fn events(State(app): State<App>, parameters: Parameters) -> Result<Json<List<EventJson>>, Problem> {
    let wanted = parameters.page("")?;
    let rows = app.runtime.store.events(&wanted.page).await?;
    Ok(Json(wanted.answer(&rows, |row| row.cursor, EventJson::new)))
}

/// One event, with its payload.
pub(super) async fn event(State(app): State<App>, Path(id): Path<String>, parameters: Parameters) -> Result<Json<EventJson>, Problem> {
    parameters.none()?;
    let missing = || Problem::not_found("There is no event with this id. An id looks like `evt_` and 32 hexadecimal digits.");
    let id: EventId = id.parse().map_err(|_| missing())?;
    let view = app.runtime.store.event(id).await?.ok_or_else(missing)?;
    Ok(Json(EventJson::with_data(&view)))
}

pub(super) async fn jobs(State(app): State<App>, mut parameters: Parameters) -> Result<Json<List<JobJson>>, Problem> {
    let state = match parameters.take("state") {
        None => None,
        Some(word) => Some(JobState::parse(&word).ok_or_else(|| {
            let known = JobState::ALL.map(JobState::as_str).join(", ");
            Problem::query(format!("`state` is one of {known}."))
        })?),
    };
    let attention = match parameters.take("attention").as_deref() {
        None => false,
        Some("true") if state.is_none() => true,
        Some(_) => return Err(Problem::query("`attention` is true, and does not stand beside `state`.")),
    };
    let wanted = parameters.page(", state, attention")?;
    let store = &app.runtime.store;
    let rows = if attention { store.attention(&wanted.page).await? } else { store.jobs(&wanted.page, state).await? };
    Ok(Json(wanted.answer(&rows, |row| row.cursor, JobJson::new)))
}

/// One job, with its journal and what its plugin said in each attempt.
pub(super) async fn job(State(app): State<App>, Path(id): Path<String>, parameters: Parameters) -> Result<Json<JobJson>, Problem> {
    parameters.none()?;
    let missing = || Problem::not_found("There is no job with this id. An id looks like `job_` and 32 hexadecimal digits.");
    let id: JobId = id.parse().map_err(|_| missing())?;
    let view = app.runtime.store.job(id).await?.ok_or_else(missing)?;
    let journal = app.runtime.store.journal(id).await?;
    let attempts = app.runtime.store.attempts(id).await?;
    Ok(Json(JobJson::whole(&view, journal, attempts)))
}

pub(super) async fn messages(State(app): State<App>, parameters: Parameters) -> Result<Json<List<MessageJson>>, Problem> {
    let wanted = parameters.page("")?;
    let rows = app.runtime.store.messages(&wanted.page).await?;
    Ok(Json(wanted.answer(&rows, |row| row.cursor, MessageJson::new)))
}

pub(super) async fn audit(State(app): State<App>, parameters: Parameters) -> Result<Json<List<AuditJson>>, Problem> {
    let wanted = parameters.page("")?;
    let rows = app.runtime.store.audit(&wanted.page).await?;
    Ok(Json(wanted.answer(&rows, |row| row.cursor, AuditJson::new)))
}

pub(super) async fn records(State(app): State<App>, mut parameters: Parameters) -> Result<Json<List<RecordJson>>, Problem> {
    let kind = parameters.take("type");
    let wanted = parameters.page(", type")?;
    let rows = app.runtime.store.records(&wanted.page, kind.as_deref()).await?;
    Ok(Json(wanted.answer(&rows, |row| row.cursor, RecordJson::new)))
}
