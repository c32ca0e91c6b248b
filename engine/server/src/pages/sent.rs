//! What a form has sent, and the addresses of pages that are asked something.

use axum::extract::{Form, FromRequest, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;

use crate::App;
use crate::problem::Problem;

/// What stands in the value of a parameter as it is (RFC 3986, 2.3).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Reads the form of a page.
///
/// # Errors
/// It is another form, or does not come in time.
pub(crate) async fn form<T: DeserializeOwned>(app: &App, request: Request) -> Result<T, Problem> {
    let form = tokio::time::timeout(app.settings.request_timeout, Form::<T>::from_request(request, &()));
    let Form(sent) = form.await.map_err(|_| Problem::slow())?.map_err(|_| Problem::malformed("This is not the form of this page."))?;
    Ok(sent)
}

/// The address of the page at `path` that is asked for these; what is empty is left out.
pub(crate) fn address(path: &str, asked: &[(&str, &str)]) -> String {
    let pairs = asked.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, PLAIN))).collect();
    let mark = if path.contains('?') { '&' } else { '?' };
    if pairs.is_empty() { path.to_owned() } else { format!("{path}{mark}{}", pairs.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_is_asked() {
        assert_eq!(
            address("/audit", &[("actor", "session:ana&b"), ("kind", ""), ("before", "7")]),
            "/audit?actor=session%3Aana%26b&before=7"
        );
        assert_eq!(address("/audit", &[("kind", "")]), "/audit");
    }
}
