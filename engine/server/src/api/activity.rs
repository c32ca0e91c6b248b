//! What came and what was done: events, jobs, messages, records.

use axum::Json;
use axum::extract::{Path, State};
use zelo_core::{AuditKind, EventId, JobId, JobState};
use zelo_store::AuditPage;

use super::query::{List, PageQuery, Parameters};
use super::views::{AuditJson, EventJson, JobJson, MessageJson, RecordJson, VerifiedJson};
use crate::App;
use crate::access::Known;
use crate::openapi::shapes;
use crate::problem::Problem;
use crate::seen::Seen;

/// Events, newest first, without their payloads.
#[utoipa::path(get, path = "/api/v1/events", tag = "api", params(PageQuery), responses(
    (status = 200, description = "As asked for.", body = List<EventJson>),
))]
pub(super) async fn events(State(app): State<App>, who: Known, parameters: Parameters) -> Result<Json<List<EventJson>>, Problem> {
    let wanted = parameters.page("", &who)?;
    let rows = app.runtime.store.events(&wanted.page).await?;
    Seen::of("events").rows(wanted.shown(&rows)).by(&who, &app).await?;
    Ok(Json(wanted.answer(&rows, |row| row.cursor, EventJson::new)))
}

/// One event, with its payload.
#[utoipa::path(get, path = "/api/v1/events/{id}", tag = "api", params(("id" = String, Path, description = "`evt_` and 32 hexadecimal digits.")), responses(
    (status = 200, description = "As asked for.", body = EventJson),
))]
pub(super) async fn event(
    State(app): State<App>,
    who: Known,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<EventJson>, Problem> {
    parameters.none()?;
    let missing = || Problem::not_found("There is no event with this id. An id looks like `evt_` and 32 hexadecimal digits.");
    let id: EventId = id.parse().map_err(|_| missing())?;
    let view = app.runtime.store.event(id).await?.filter(|view| who.sees(view)).ok_or_else(missing)?;
    Seen::of("event").rows([&view]).by(&who, &app).await?;
    Ok(Json(EventJson::with_data(&view)))
}

/// Jobs, live and ended, newest first.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "api", params(
    PageQuery,
    ("state" = Option<shapes::JobState>, Query, description = "Only those that stand so."),
    ("attention" = Option<shapes::True>, Query, description = "Only those that wait for a person; not beside `state`."),
), responses(
    (status = 200, description = "As asked for.", body = List<JobJson>),
))]
pub(super) async fn jobs(State(app): State<App>, who: Known, mut parameters: Parameters) -> Result<Json<List<JobJson>>, Problem> {
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
    let wanted = parameters.page(", state, attention", &who)?;
    let store = &app.runtime.store;
    let rows = if attention { store.attention(&wanted.page).await? } else { store.jobs(&wanted.page, state).await? };
    Seen::of("jobs").rows(wanted.shown(&rows)).by(&who, &app).await?;
    let halts = app.runtime.line.halts();
    Ok(Json(wanted.answer(&rows, |row| row.cursor, |row| JobJson::new(row, &halts))))
}

/// One job, with its journal and what its plugin said in each attempt.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "api", params(("id" = String, Path, description = "`job_` and 32 hexadecimal digits.")), responses(
    (status = 200, description = "As asked for.", body = JobJson),
))]
pub(super) async fn job(
    State(app): State<App>,
    who: Known,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Json<JobJson>, Problem> {
    parameters.none()?;
    let id: JobId = id.parse().map_err(|_| Problem::no_job())?;
    let view = app.runtime.store.job(id).await?.filter(|view| who.sees(view)).ok_or_else(Problem::no_job)?;
    let journal = app.runtime.store.journal(id).await?;
    let attempts = app.runtime.store.attempts(id).await?;
    Seen::of("job").rows([&view]).by(&who, &app).await?;
    let decisions = app.runtime.store.decisions(id).await?;
    Ok(Json(JobJson::whole(&view, &app.runtime.line.halts(), journal, attempts).decided(decisions)))
}

/// Messages in the outbox channels, newest first.
#[utoipa::path(get, path = "/api/v1/messages", tag = "api", params(PageQuery), responses(
    (status = 200, description = "As asked for.", body = List<MessageJson>),
))]
pub(super) async fn messages(State(app): State<App>, who: Known, parameters: Parameters) -> Result<Json<List<MessageJson>>, Problem> {
    let wanted = parameters.page("", &who)?;
    let rows = app.runtime.store.messages(&wanted.page).await?;
    Seen::of("messages").rows(wanted.shown(&rows)).by(&who, &app).await?;
    Ok(Json(wanted.answer(&rows, |row| row.cursor, MessageJson::new)))
}

/// The audit log, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "api", params(
    PageQuery,
    ("kind" = Option<shapes::AuditKind>, Query, description = "Only entries that tell this."),
), responses(
    (status = 200, description = "As asked for.", body = List<AuditJson>),
))]
pub(super) async fn audit(State(app): State<App>, who: Known, mut parameters: Parameters) -> Result<Json<List<AuditJson>>, Problem> {
    let kind = parameters.take("kind").map(|word| AuditKind::parse(&word).ok_or_else(unknown_kind)).transpose()?;
    let wanted = parameters.page(", kind", &who)?;
    let rows = app.runtime.store.audit(&AuditPage { page: wanted.page.clone(), kind, ..AuditPage::default() }).await?;
    Ok(Json(wanted.answer(&rows, |row| row.cursor, AuditJson::new)))
}

/// Whether the audit log is as it was written, and signed.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "api", responses(
    (status = 200, description = "As asked for.", body = VerifiedJson),
))]
pub(super) async fn verify(State(app): State<App>, parameters: Parameters) -> Result<Json<VerifiedJson>, Problem> {
    parameters.none()?;
    let verified = app.runtime.store.verify_audit(Vec::new()).await?;
    Ok(Json(VerifiedJson::new(&verified, &app.runtime.store.audit_key())))
}

fn unknown_kind() -> Problem {
    let words: Vec<&str> = AuditKind::ALL.into_iter().map(AuditKind::as_str).collect();
    Problem::query(format!("`kind` is one of {}.", words.join(", ")))
}

/// Records, last written first.
#[utoipa::path(get, path = "/api/v1/records", tag = "api", params(
    PageQuery,
    ("type" = Option<String>, Query, description = "Only records of this type."),
), responses(
    (status = 200, description = "As asked for.", body = List<RecordJson>),
))]
pub(super) async fn records(State(app): State<App>, who: Known, mut parameters: Parameters) -> Result<Json<List<RecordJson>>, Problem> {
    let kind = parameters.take("type");
    let wanted = parameters.page(", type", &who)?;
    let rows = app.runtime.store.records(&wanted.page, kind.as_deref()).await?;
    Seen::of("records").rows(wanted.shown(&rows)).by(&who, &app).await?;
    Ok(Json(wanted.answer(&rows, |row| row.cursor, RecordJson::new)))
}
