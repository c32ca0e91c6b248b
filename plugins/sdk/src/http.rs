//! Requests over HTTP. The manifest has to want `http`, and the rule has to grant method and address, and the secrets.
//!
//! ```
//! # use zelo_plugin::http::Method;
//! # use zelo_plugin::testing::{Setup, response};
//! # let created = response(201, r#"{ "id": "c-17" }"#);
//! # let run = Setup::new().answer(Method::Post, "https://api.example.com/v1/contacts", Ok(created)).run(run, serde_json::json!({}));
//! # assert_eq!(run.outcome().summary, "Contact c-17");
//! # fn run(_: serde_json::Value, _: &zelo_plugin::Context) -> Result<zelo_plugin::Outcome, zelo_plugin::Failure> {
//! use zelo_plugin::http::Request;
//! use zelo_plugin::{Failure, Outcome};
//!
//! #[derive(serde::Deserialize)]
//! struct Contact {
//!     id: String,
//! }
//!
//! let response = Request::post("https://api.example.com/v1/contacts")
//!     .secret("authorization", "crm-token")
//!     .json(&serde_json::json!({ "name": "Ana" }))?
//!     .send()?;
//! if !response.is_success() {
//!     return Err(Failure::permanent(format!("the CRM answers with {}", response.status)));
//! }
//! let contact: Contact = response.json()?;
//! Ok(Outcome::new("created", format!("Contact {}", contact.id)))
//! # }
//! ```

use core::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Failure;

/// A request. Made with [`Request::get`], [`Request::post`] and so on, sent with [`Request::send`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is to be done.
    pub method: Method,
    /// Absolute: `https://api.example.com/v1/contacts`.
    pub url: String,
    /// Names and what they say. What the host sets itself is not to be here: `host`, `content-length`, `idempotency-key`
    /// and the like.
    pub headers: Vec<(String, HeaderValue)>,
    /// What it carries.
    pub body: Option<Vec<u8>>,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Read all but the body.
    Head,
    /// Do, or make.
    Post,
    /// Put in place.
    Put,
    /// Change.
    Patch,
    /// Remove.
    Delete,
}

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValue {
    /// This text.
    Text(String),
    /// The secret of this name, which the host puts in for the hosts that it is bound to; the plugin never sees it.
    Secret(String),
}

/// A final answer, of whatever status. Those that pass (408, 425, 429 and 5xx) never reach the plugin: the host ends the
/// attempt and tries the job again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// `200`.
    pub status: u16,
    /// Names, in small letters, and what they say; a name may come several times.
    pub headers: Vec<(String, String)>,
    /// What it carries.
    pub body: Vec<u8>,
}

/// Why there is no answer to read, for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Not granted: this method and address, this secret, or an address inside of the operator's network. Nothing was sent.
    Refused(String),
    /// Not a request: what is wrong with it. Nothing was sent.
    Invalid(String),
    /// The request was carried out, and nothing can be done with what came back: too large, redirected to where the rule does
    /// not let the action go, or not what it is read as.
    Unusable(String),
}

macro_rules! methods {
    ($($function:ident $method:ident),+) => {$(
        #[doc = concat!("A `", stringify!($function), "` of this absolute address.")]
        pub fn $function(url: impl Into<String>) -> Self {
            Self::new(Method::$method, url)
        }
    )+};
}

impl Request {
    methods!(get Get, head Head, post Post, put Put, patch Patch, delete Delete);

    /// A request without headers and body.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: None }
    }

    /// With a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), HeaderValue::Text(value.into())));
        self
    }

    /// With a header that says what the secret of this name says.
    pub fn secret(mut self, header: impl Into<String>, secret: impl Into<String>) -> Self {
        self.headers.push((header.into(), HeaderValue::Secret(secret.into())));
        self
    }

    /// With a body. What it is, a header `content-type` says.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// With a value as JSON, and the header `content-type` for it where there is none yet.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn json(self, value: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(value).map_err(|error| Error::Invalid(format!("the body is not JSON: {error}")))?;
        let told = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        Ok(if told { self } else { self.header("content-type", "application/json") }.body(body))
    }

    /// Sends it. What changes something is done once per job, however often the job is tried.
    ///
    /// # Errors
    /// There will never be an answer to read. `?` makes a permanent failure of it.
    pub fn send(self) -> Result<Response, Error> {
        crate::backend::request(self)
    }
}

impl Response {
    /// Whether the status is one of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What a header says; the first of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        core::str::from_utf8(&self.body).map_err(|error| Error::Unusable(format!("the body is not UTF-8: {error}")))
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// It is no JSON, or no `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::Unusable(format!("the body is not the JSON that was expected: {error}")))
    }
}

impl Method {
    /// `GET`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "the request was refused: {reason}"),
            Self::Invalid(reason) => write!(f, "the request is not valid: {reason}"),
            Self::Unusable(reason) => write!(f, "the answer cannot be used: {reason}"),
        }
    }
}

impl core::error::Error for Error {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::permanent(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Setup, response};
    use crate::{Context, Outcome};

    const URL: &str = "https://api.example.com/v1/contacts";

    fn create(input: Value, _: &Context) -> Result<Outcome, Failure> {
        let response = Request::post(URL).secret("authorization", "crm-token").json(&input)?.send()?;
        Outcome::new("created", response.header("Location").unwrap_or("nowhere")).with_output(&response.json::<Value>()?)
    }

    #[test]
    fn a_request_is_recorded_and_its_answer_read() {
        let mut created = response(201, r#"{ "id": 17 }"#);
        created.headers.push(("location".into(), "/v1/contacts/17".into()));
        assert!(created.is_success() && !response(300, "").is_success() && !response(199, "").is_success());
        let run = Setup::new().answer(Method::Post, URL, Ok(created)).run(create, json!({ "name": "Ana" }));
        assert_eq!((run.outcome().summary.as_str(), run.outcome().output.as_deref()), ("/v1/contacts/17", Some(r#"{"id":17}"#)));
        let [request] = &run.requests[..] else { panic!("one request") };
        assert_eq!((request.method, request.url.as_str()), (Method::Post, URL));
        assert_eq!(request.headers[0], ("authorization".into(), HeaderValue::Secret("crm-token".into())));
        assert_eq!(request.headers[1], ("content-type".into(), HeaderValue::Text("application/json".into())));
        assert_eq!(request.body.as_deref(), Some(br#"{"name":"Ana"}"#.as_slice()));
    }

    #[test]
    fn what_the_plugin_says_of_the_body_stands() {
        let request = Request::put(URL).header("Content-Type", "application/merge-patch+json").json(&json!({})).unwrap();
        assert_eq!(request.headers.len(), 1);
    }

    #[test]
    fn each_trouble_ends_for_good_unless_the_plugin_knows_better() {
        for (answer, reason) in [
            (Err(Error::Refused("not granted".into())), "the request was refused: not granted"),
            (Err(Error::Invalid("no host".into())), "the request is not valid: no host"),
            (Err(Error::Unusable("too large".into())), "the answer cannot be used: too large"),
            (Ok(response(200, "<html>")), "the answer cannot be used: the body is not the JSON that was expected"),
        ] {
            let run = Setup::new().answer(Method::Post, URL, answer).run(create, json!({}));
            assert!(matches!(run.failure(), Failure::Permanent { reason: said } if said.starts_with(reason)), "{:?}", run.end);
        }
        assert!(matches!(response(200, [0xff]).text(), Err(Error::Unusable(_))));
        assert_eq!(response(200, "Olá").text(), Ok("Olá"));
    }

    #[test]
    #[should_panic(expected = "gives no answer to GET https://api.example.com/v1/contacts")]
    fn a_request_that_the_test_did_not_expect_is_named() {
        Setup::new().answer(Method::Post, URL, Ok(response(200, ""))).run(
            |_: Value, _: &Context| {
                Request::get(URL).send()?;
                Ok(Outcome::new("read", "Read"))
            },
            json!({}),
        );
    }

    #[test]
    #[should_panic(expected = "no plugin sees an answer with 503")]
    fn an_answer_that_passes_is_none() {
        let _ = Setup::new().answer(Method::Get, URL, Ok(response(503, "")));
    }
}
