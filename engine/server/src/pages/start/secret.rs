//! The secret that zelo made for a connection which nobody configured: shown once, to who brings it to the clinic's system.

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use maud::html;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use zelo_core::{AuditEntry, AuditKind};
use zelo_rules::Source;
use zelo_runtime::Connection;
use zelo_store::{AuditPage, Page};

use super::words::words;
use super::{Asked, page};
use crate::openapi::shapes;
use crate::pages::sent;
use crate::pages::visit::{Place, Visit};
use crate::problem::Problem;
use crate::{App, origin};

/// How many changes of a connection's configuration are looked through.
const LOOKED_AT: u32 = 1000;

/// Where the secret of a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// From who configured it, or there is none.
    Elsewhere,
    /// zelo made it, and it was not shown yet.
    Here,
    /// zelo made it, and it was shown.
    Shown,
}

impl Made {
    pub(super) async fn of(app: &App, connection: &Connection, source: &Source) -> Result<Self, Problem> {
        let configured = app.settings.configured.as_ref().is_none_or(|named| named.contains(&connection.name));
        if configured || made(connection, source).is_none() {
            return Ok(Self::Elsewhere);
        }
        let page = Page { limit: LOOKED_AT, connection: Some(connection.name.clone()), ..Page::default() };
        let wanted = AuditPage { page, kind: Some(AuditKind::Configured), ..AuditPage::default() };
        let said = app.runtime.store.audit(&wanted).await?;
        let shown = |entry: &AuditEntry| {
            let detail = entry.detail();
            let is = |name: &str, value: &str| detail.get(name).and_then(Value::as_str) == Some(value);
            is("what", "shown") && is("secret", &connection.name)
        };
        Ok(if said.iter().any(|view| shown(&view.entry)) { Self::Shown } else { Self::Here })
    }
}

/// The secret of a connection, where it looks as one that zelo made: random digits behind what its source asks for.
fn made<'c>(connection: &'c Connection, source: &Source) -> Option<&'c str> {
    let [only] = connection.secrets.as_slice() else { return None };
    let text = std::str::from_utf8(only).ok()?;
    let digits = text.strip_prefix(source.secret_prefix())?;
    (digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))).then_some(text)
}

/// What is sent.
#[derive(Deserialize, ToSchema)]
#[schema(as = ShowSecretForm)]
pub(crate) struct Said {
    connection: String,
}

/// Shows the secret that zelo made for a connection, this once. It is written down before it is shown; the secret itself nowhere.
#[utoipa::path(post, path = "/start/secret", tag = "pages", operation_id = "show_secret",
    request_body(content = Said, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The secret, this once.", body = String, content_type = "text/html"),
        (status = 404, description = "There is no such connection.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 409, description = "It was shown already, or is not one that zelo made; the page says where it is.", body = String, content_type = "text/html"),
    )
)]
pub(crate) async fn show_secret(visit: Visit, request: Request) -> Result<Response, Problem> {
    let base = origin::base(&visit.app.settings, request.headers(), request.extensions());
    let Said { connection: name } = sent::form(&visit.app, request).await?;
    let (app, own) = (&visit.app, words(visit.words));
    let edition = app.runtime.rules.current();
    let connection = app.runtime.connections.get(&name);
    let found = connection.and_then(|connection| Some((connection, edition.rules.source(&connection.source)?)));
    let (connection, source) = found.ok_or_else(|| Problem::not_found("There is no such connection."))?;
    let asked = Asked { connection: name.clone(), ..Asked::default() };
    let Some(secret) = made(connection, source).filter(|_| visit.who.sees_everything()) else {
        return page(&visit, &base, asked, StatusCode::CONFLICT, None).await;
    };
    // One after the other: of two who ask at once, one is shown it.
    let _turn = app.showing.lock().await;
    if Made::of(app, connection, source).await? != Made::Here {
        return page(&visit, &base, asked, StatusCode::CONFLICT, None).await;
    }
    let detail = json!({ "secret": name, "what": "shown" });
    let entry = AuditEntry {
        connection: Some(name.clone()),
        ..AuditEntry::new(app.runtime.clock.now(), AuditKind::Configured, visit.who.actor(), &detail)
    };
    app.runtime.store.answer_for(vec![entry]).await?;
    let content = html! {
        div.once role="status" data-key="once" {
            p { strong { (own.secret_once) } }
            p { (name) } code { (secret) }
        }
        p data-key="back" { a.button href={ (asked.address()) "#step-2" } { (own.secret_back) } }
    };
    Ok(visit.answered(Place::Start, own.secret, &content))
}
