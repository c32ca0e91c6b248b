//! The last step: the chosen automation is switched on where somebody is, as its file says by default.

use axum::extract::Request;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Map;
use utoipa::ToSchema;
use zelo_runtime::automations::{Chosen, Error, Switch, To};

use super::{Asked, Failed, page};
use crate::openapi::shapes;
use crate::origin;
use crate::pages::sent;
use crate::pages::visit::Visit;
use crate::problem::Problem;

/// What is sent: where somebody is on the way.
#[derive(Deserialize, ToSchema)]
#[schema(as = StartOnForm)]
pub(crate) struct Said {
    connection: String,
    rule: String,
    #[serde(default)]
    event: String,
}

/// Switches the chosen automation on for the chosen connection; the page says what comes next.
#[utoipa::path(post, path = "/start/on", tag = "pages", operation_id = "start_on",
    request_body(content = Said, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "It is on; the page says what comes next."),
        (status = 404, description = "There is no such rule or connection.", body = shapes::Problem, content_type = "application/problem+json"),
        (status = 409, description = "It could not be switched on so; the page says why.", body = String, content_type = "text/html"),
    )
)]
pub(crate) async fn switch_on(visit: Visit, request: Request) -> Result<Response, Problem> {
    let base = origin::base(&visit.app.settings, request.headers(), request.extensions());
    let Said { connection, rule, event } = sent::form(&visit.app, request).await?;
    let asked = Asked { connection: connection.clone(), event, rule: rule.clone(), ..Asked::default() };
    // Those settings that it has stay: it may have been on before.
    let switch = Switch { rule, connection: Some(connection), clinic: None, to: To::On(Chosen::Beside(Map::new())) };
    let why = match visit.app.runtime.switch(&switch, visit.who.actor()).await {
        Ok(_) => return Ok(Redirect::to(&format!("{}#step-7", asked.address())).into_response()),
        Err(Error::Store(error)) => return Err(error.into()),
        Err(gone @ (Error::NoRule { .. } | Error::NoConnection { .. })) => return Err(Problem::not_found(gone.to_string())),
        Err(Error::Settings(lines)) => lines,
        Err(refused @ (Error::NeverOn { .. } | Error::NotInForce(_) | Error::Changed)) => vec![refused.to_string()],
    };
    page(&visit, &base, asked, StatusCode::CONFLICT, Some(Failed::Switch(why))).await
}
