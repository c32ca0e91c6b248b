//! What a form has sent, and the addresses of pages that are asked something.

use axum::extract::{Form, FromRequest, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use crate::App;
use crate::problem::Problem;

/// Reads the form of a page.
///
/// # Errors
/// It is another form, or does not come in time.
pub(super) async fn form<T: DeserializeOwned>(app: &App, request: Request) -> Result<T, Problem> {
    let form = tokio::time::timeout(app.settings.request_timeout, Form::<T>::from_request(request, &()));
    let Form(sent) = form.await.map_err(|_| Problem::slow())?.map_err(|_| Problem::malformed("This is not the form of this page."))?;
    Ok(sent)
}

/// The address of the page at `path` that is asked for these; what is empty is left out.
pub(super) fn address(path: &str, asked: &[(&str, &str)]) -> String {
    let pairs = asked.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}
