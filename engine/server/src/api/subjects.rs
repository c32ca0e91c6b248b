//! People: found, told whole, erased. For admins alone.
//!
//! Who is meant stands in a body or under a pseudonym, never in an address: a CPF does not get into the log of a proxy.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, VARY};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use zelo_core::{IdentityKind, Pseudonym};
use zelo_rules::common_identity;
use zelo_runtime::rulebook;
use zelo_store::{AuditView, ConsentWrite, Erasure, SubjectExport, SubjectView, Who};

use super::query::{List, Parameters};
use crate::access::Known;
use crate::export::Export;
use crate::openapi::shapes;
use crate::pages::Language;
use crate::pages::moments::Zones;
use crate::problem::Problem;
use crate::seen::Seen;
use crate::{App, body, export};

/// The longest body in bytes.
const BODY_MAX: usize = 4096;

/// Whom somebody looks for: by one of these.
#[derive(Deserialize, ToSchema)]
#[schema(as = Whom)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    cpf: Option<String>,
    phone: Option<String>,
    email: Option<String>,
    /// What a provider calls them.
    id: Option<String>,
    /// Where `id` counts; everywhere, where it does not say.
    connection: Option<String>,
    pseudonym: Option<String>,
}

/// How [`Wanted`] is written.
const WANTED: &str = "exactly one of {cpf}, {phone}, {email}, {id} or {id, connection}, and {pseudonym}";

impl Wanted {
    fn who(self, app: &App) -> Result<Who, Problem> {
        let Self { cpf, phone, email, id, connection, pseudonym } = self;
        if connection.is_some() && id.is_none() {
            return Err(Problem::malformed(format!("This is not {WANTED}: `connection` stands beside `id` only.")));
        }
        let ways: [Option<Result<Who, Problem>>; 5] = [
            cpf.map(|text| identity(app, IdentityKind::Cpf, &text)),
            phone.map(|text| identity(app, IdentityKind::Phone, &text)),
            email.map(|text| identity(app, IdentityKind::Email, &text)),
            id.map(|id| Ok(Who::Id { connection, id })),
            pseudonym.map(|text| text.parse().map(Who::Pseudonym).map_err(|_| Problem::malformed(PSEUDONYM))),
        ];
        let mut ways = ways.into_iter().flatten();
        match (ways.next(), ways.next()) {
            (Some(way), None) => way,
            _ => Err(Problem::malformed(format!("This is not {WANTED}."))),
        }
    }
}

/// Somebody by what everybody knows them by, however it is written.
fn identity(app: &App, kind: IdentityKind, text: &str) -> Result<Who, Problem> {
    let why = match kind {
        IdentityKind::Cpf => "`cpf` is no CPF: it has eleven digits, and the last two follow from the others.",
        IdentityKind::Phone => "`phone` is no phone number: it has an area code, and a country code where it is not of Brazil.",
        IdentityKind::Email => "`email` is no e-mail address: it has a name, an @ and a host.",
    };
    let common = common_identity(kind, text).ok_or_else(|| Problem::malformed(why))?;
    Ok(Who::Identity(app.runtime.store.indexer().identity(kind, &common)))
}

const PSEUDONYM: &str = "`pseudonym` is none: it looks like `sub_` and 32 hexadecimal digits.";

/// The people who are meant.
#[utoipa::path(post, path = "/api/v1/subjects/find", tag = "subjects", operation_id = "find_subjects", request_body = Wanted, responses(
    (status = 200, description = "As asked for.", body = inline(List<shapes::Subject>)),
))]
pub(super) async fn find(
    State(app): State<App>,
    who: Known,
    parameters: Parameters,
    request: Body,
) -> Result<Json<List<SubjectView>>, Problem> {
    parameters.none()?;
    let wanted: Wanted = read(&app, request, WANTED).await?;
    let found = app.runtime.store.find_subjects(wanted.who(&app)?).await?;
    let items: Vec<SubjectView> = found.into_iter().filter(|subject| who.sees(subject)).map(|subject| told(&who, subject)).collect();
    Seen::of("subjects").rows(&items).by(&who, &app).await?;
    Ok(Json(List { items, next: None }))
}

/// All that is held of somebody, as JSON, or as a page to keep.
#[utoipa::path(get, path = "/api/v1/subjects/{pseudonym}/export", tag = "subjects", operation_id = "export_subject", params(("pseudonym" = shapes::Pseudonym, Path), ("format" = Option<shapes::Format>, Query, description = "`json`, where it does not say.")), responses(
    (status = 200, description = "As asked for.", content((Export = "application/json"), (String = "text/html"))),
))]
pub(super) async fn export(
    State(app): State<App>,
    who: Known,
    Path(pseudonym): Path<String>,
    Language(words): Language,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let page = match parameters.take("format").as_deref() {
        None | Some("json") => false,
        Some("html") => true,
        Some(_) => return Err(Problem::query("`format` is json or html.")),
    };
    parameters.none_but("format")?;
    let subject = named(&pseudonym)?;
    let export = app.runtime.store.export_subject(subject).await?.filter(|export| who.sees(&export.subject)).ok_or_else(unknown)?;
    let export = if who.sees_everything() { export } else { part(&who, export) };
    Seen::of(if page { "page" } else { "json" }).rows([&export.subject]).exported(&who, &app).await?;
    if !page {
        return Ok(Json(export::json(&export)).into_response());
    }
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"zelo-{subject}.html\"")).map_err(|_| Problem::internal())?;
    let zone = Zones::new(&app).of(&export.subject.connection, export.subject.clinic.as_deref()).await?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_DISPOSITION, disposition),
        (VARY, HeaderValue::from_static("Accept-Language, Cookie")),
    ];
    Ok((headers, export::page(&export, words.lang, zone)).into_response())
}

/// Who saw what of somebody.
#[utoipa::path(get, path = "/api/v1/subjects/{pseudonym}/disclosures", tag = "subjects", operation_id = "disclosures", params(("pseudonym" = shapes::Pseudonym, Path)), responses(
    (status = 200, description = "As asked for.", body = shapes::WhoSaw),
))]
pub(super) async fn disclosures(
    State(app): State<App>,
    who: Known,
    Path(pseudonym): Path<String>,
    parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    parameters.none()?;
    let subject =
        known(&app, named(&pseudonym)?).await.and_then(|subject| if who.sees(&subject) { Ok(subject) } else { Err(unknown()) })?;
    let mut audit = app.runtime.store.seen_of(subject.pseudonym).await?;
    audit.retain(|view| of_theirs(&who, view));
    Seen::of("disclosures").rows([&subject]).by(&who, &app).await?;
    Ok(Json(export::disclosures(&audit)))
}

/// The pseudonym again, so that nobody is erased by a slip.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    confirm: String,
}

/// Erases somebody: what became of their data.
#[utoipa::path(post, path = "/api/v1/subjects/{pseudonym}/erase", tag = "subjects", operation_id = "erase_subject", params(("pseudonym" = shapes::Pseudonym, Path)), request_body = Confirmation, responses(
    (status = 200, description = "As asked for.", body = shapes::Erasure),
    (status = 409, description = "Their data are on hold.", body = shapes::Problem, content_type = "application/problem+json"),
))]
pub(super) async fn erase(
    State(app): State<App>,
    who: Known,
    Path(pseudonym): Path<String>,
    parameters: Parameters,
    request: Body,
) -> Result<Json<Erasure>, Problem> {
    parameters.none()?;
    let subject = named(&pseudonym)?;
    let Confirmation { confirm } = read(&app, request, "{confirm}, the pseudonym again").await?;
    if confirm != pseudonym {
        return Err(Problem::malformed("`confirm` is not the pseudonym of the address. Nothing was erased."));
    }
    match app.runtime.store.erase(subject, who.actor(), app.runtime.clock.now()).await? {
        Some(erasure) => Ok(Json(erasure)),
        None => Err(known(&app, subject).await.map_or_else(|problem| problem, |_| erased())),
    }
}

/// Why data must not go.
#[derive(Deserialize, ToSchema)]
#[schema(as = HoldReason)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    reason: String,
}

/// They cannot be erased until they are let go.
#[utoipa::path(post, path = "/api/v1/subjects/{pseudonym}/hold", tag = "subjects", operation_id = "hold_subject", params(("pseudonym" = shapes::Pseudonym, Path)), request_body = Reason, responses(
    (status = 200, description = "As asked for.", body = shapes::Subject),
))]
pub(super) async fn hold(
    State(app): State<App>,
    who: Known,
    Path(pseudonym): Path<String>,
    parameters: Parameters,
    request: Body,
) -> Result<Json<SubjectView>, Problem> {
    parameters.none()?;
    let Reason { reason } = read(&app, request, "{reason}").await?;
    if reason.trim().is_empty() {
        return Err(Problem::malformed("`reason` is empty: who lets them go must know why they are held."));
    }
    held(&app, &who, named(&pseudonym)?, Some(reason)).await
}

/// Their data may go again.
#[utoipa::path(post, path = "/api/v1/subjects/{pseudonym}/release", tag = "subjects", operation_id = "release_subject", params(("pseudonym" = shapes::Pseudonym, Path)), responses(
    (status = 200, description = "As asked for.", body = shapes::Subject),
))]
pub(super) async fn release(
    State(app): State<App>,
    who: Known,
    Path(pseudonym): Path<String>,
    parameters: Parameters,
) -> Result<Json<SubjectView>, Problem> {
    parameters.none()?;
    held(&app, &who, named(&pseudonym)?, None).await
}

async fn held(app: &App, who: &Known, subject: Pseudonym, reason: Option<String>) -> Result<Json<SubjectView>, Problem> {
    let done = app.runtime.store.hold(subject, reason, who.actor(), app.runtime.clock.now()).await?;
    let view = known(app, subject).await?;
    if done { Ok(Json(view)) } else { Err(erased()) }
}

/// What somebody said.
#[derive(Deserialize, ToSchema)]
#[schema(as = ConsentSaid)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    /// A word of lower-case letters, digits, `_`, `-` and `.`.
    #[schema(pattern = "^[a-z][a-z0-9_.-]{0,63}$")]
    topic: String,
    given: bool,
}

/// Writes down what they said of a consent; how many jobs that ended.
#[utoipa::path(post, path = "/api/v1/subjects/{pseudonym}/consents", tag = "subjects", operation_id = "note_consent", params(("pseudonym" = shapes::Pseudonym, Path)), request_body = Said, responses(
    (status = 200, description = "As asked for.", body = ConsentJson),
))]
pub(super) async fn consent(
    State(app): State<App>,
    who: Known,
    Path(pseudonym): Path<String>,
    parameters: Parameters,
    request: Body,
) -> Result<Json<ConsentJson>, Problem> {
    parameters.none()?;
    let subject = named(&pseudonym)?;
    let Said { topic, given } = read(&app, request, "{topic, given}").await?;
    if !is_topic(&topic) {
        return Err(Problem::malformed("`topic` is none: it is a word of lower-case letters, digits, `_`, `-` and `.`."));
    }
    let actions = rulebook::asking_for(&app.runtime.rules.current().rules, &topic).to_vec();
    let write = ConsentWrite { subject, topic, given, actions, actor: who.actor() };
    match app.runtime.store.note_consent(write, app.runtime.clock.now()).await? {
        Some(cancelled) => Ok(Json(ConsentJson { cancelled })),
        None => Err(known(&app, subject).await.map_or_else(|problem| problem, |_| erased())),
    }
}

/// What came of it.
#[derive(Serialize, ToSchema)]
pub(super) struct ConsentJson {
    /// Jobs that were pending, and are cancelled.
    cancelled: usize,
}

/// Topics stand in the audit log, which holds no value of anybody's: a name with its spaces, or a number, is none.
fn is_topic(text: &str) -> bool {
    let word = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_-.".contains(letter);
    text.len() <= 64 && text.starts_with(|first: char| first.is_ascii_lowercase()) && text.chars().all(word)
}

/// Reads a body of JSON in the form `form`. What is wrong is told without any of its values.
async fn read<T: DeserializeOwned>(app: &App, request: Body, form: &str) -> Result<T, Problem> {
    let held = body::read(request, BODY_MAX, app.settings.request_timeout, &app.bodies).await?;
    serde_json::from_slice(&held.bytes)
        .map_err(|error| Problem::malformed(format!("This is not {form}, as JSON: line {}, column {}.", error.line(), error.column())))
}

/// Somebody as `who` is told of them: not who else they are in places of which they are not.
fn told(who: &Known, subject: SubjectView) -> SubjectView {
    if who.sees_everything() { subject } else { SubjectView { linked: Vec::new(), ..subject } }
}

/// What `who` is told of all that is held of somebody: what is of their clinics.
pub(crate) fn part(who: &Known, export: SubjectExport) -> SubjectExport {
    let SubjectExport { subject, mut events, mut records, mut jobs, mut messages, mut documents, state: _, consents, mut audit } = export;
    events.retain(|view| who.sees(view));
    records.retain(|view| who.sees(view));
    jobs.retain(|one| who.sees(&one.job));
    messages.retain(|view| who.sees(view));
    documents.retain(|(view, _)| who.sees(view));
    audit.retain(|view| of_theirs(who, view));
    // A value of an action's own state does not say of which clinic it is.
    SubjectExport { subject: told(who, subject), events, records, jobs, messages, documents, state: Vec::new(), consents, audit }
}

/// Whether an entry of the audit log is of a clinic of which `who` is told.
fn of_theirs(who: &Known, view: &AuditView) -> bool {
    view.entry
        .connection
        .as_deref()
        .map_or(who.sees_everything(), |connection| who.clinics.include(connection, view.entry.clinic.as_deref()))
}

/// Whom an address names.
fn named(pseudonym: &str) -> Result<Pseudonym, Problem> {
    pseudonym.parse().map_err(|_| unknown())
}

pub(crate) async fn known(app: &App, subject: Pseudonym) -> Result<SubjectView, Problem> {
    app.runtime.store.find_subjects(Who::Pseudonym(subject)).await?.pop().ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::not_found(
        "There is nobody with this pseudonym. It looks like `sub_` and 32 hexadecimal digits; POST /api/v1/subjects/find finds it.",
    )
}

fn erased() -> Problem {
    Problem::not_found("This person was erased already; what is left of them is what a law keeps, and the audit log.")
}
