//! One request to another system: what a rule needs where that system has an API and no plugin of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zelo_plugin::http::{Method, Request, Response};
use zelo_plugin::{Context, Failure, Outcome, info};

/// What `plugin.toml` describes under `[inputs]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    method: Option<String>,
    url: String,
    headers: Option<BTreeMap<String, String>>,
    secrets: Option<BTreeMap<String, String>>,
    body: Option<Value>,
}

/// What later steps get.
#[derive(Serialize)]
struct Output {
    status: u16,
    /// The answer as JSON, or as text; null where it is neither.
    body: Value,
}

/// Sends the request.
///
/// # Errors
/// The host refuses it, or the other system does: with any status but 200 to 299.
pub fn run(input: Input, context: &Context) -> Result<Outcome, Failure> {
    let Input { method, url, headers, secrets, body } = input;
    let method = match method.as_deref() {
        None if body.is_some() => Method::Post,
        None | Some("GET") => Method::Get,
        Some("POST") => Method::Post,
        Some("PUT") => Method::Put,
        Some("PATCH") => Method::Patch,
        Some("DELETE") => Method::Delete,
        Some(other) => return Err(Failure::permanent(format!("`{other}` is not a method of this plugin"))),
    };
    let mut request = Request::new(method, url);
    for (name, value) in headers.unwrap_or_default() {
        request = request.header(name, value);
    }
    for (name, secret) in secrets.unwrap_or_default() {
        request = request.secret(name, secret);
    }
    request = match body {
        None => request,
        Some(Value::String(text)) => request.body(text),
        Some(json) => request.json(&json)?,
    };
    let response = request.send()?;
    let status = response.status;
    if !response.is_success() {
        // What was wrong is often said in the answer, to those who read the job.
        info!("{}", response.text().unwrap_or_default());
        return Err(Failure::permanent(match context.language().as_str() {
            "pt" => format!("o outro sistema respondeu com {status}"),
            _ => format!("the other system answered with {status}"),
        }));
    }
    let summary = match context.language().as_str() {
        "pt" => format!("{} respondido com {status}", method.as_str()),
        _ => format!("{} answered with {status}", method.as_str()),
    };
    Outcome::new("answered", summary).with_output(&Output { status, body: content(&response) })
}

fn content(response: &Response) -> Value {
    response.json().ok().or_else(|| response.text().ok().map(Value::from)).unwrap_or_default()
}

zelo_plugin::export!(run);

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zelo_plugin::http::HeaderValue;
    use zelo_plugin::testing::{Run, Setup, response};

    use super::*;

    const URL: &str = "https://api.example.com/v1/contacts";

    #[test]
    fn sends_json_with_its_headers_and_secrets() {
        let input = json!({
            "url": URL, "headers": { "x-from": "zelo" }, "secrets": { "authorization": "crm" }, "body": { "name": "Ana" },
        });
        let run = Setup::new().answer(Method::Post, URL, Ok(response(201, r#"{"id":7}"#))).run(super::run, input);
        assert_eq!((run.outcome().code.as_str(), run.outcome().summary.as_str()), ("answered", "POST respondido com 201"));
        assert_eq!(run.outcome().output.as_deref(), Some(r#"{"status":201,"body":{"id":7}}"#));
        let [request] = &run.requests[..] else { panic!("one request") };
        let text = |value: &str| HeaderValue::Text(value.to_owned());
        let expected = [
            ("x-from".to_owned(), text("zelo")),
            ("authorization".to_owned(), HeaderValue::Secret("crm".to_owned())),
            ("content-type".to_owned(), text("application/json")),
        ];
        assert_eq!(request.headers, expected);
        assert_eq!(request.body.as_deref(), Some(&br#"{"name":"Ana"}"#[..]));
    }

    #[test]
    fn the_method_follows_from_the_body_unless_it_is_said() {
        let of = |method: Method, input: Value| {
            let run = Setup::new().answer(method, URL, Ok(response(200, [0xff]))).run(super::run, input);
            assert_eq!(run.outcome().output.as_deref(), Some(r#"{"status":200,"body":null}"#));
            run.requests[0].body.clone()
        };
        assert_eq!(of(Method::Get, json!({ "url": URL })), None);
        assert_eq!(of(Method::Post, json!({ "url": URL, "body": "a=b" })).as_deref(), Some(&b"a=b"[..]));
        assert_eq!(of(Method::Delete, json!({ "url": URL, "method": "DELETE" })), None);
        for (method, word) in [(Method::Put, "PUT"), (Method::Patch, "PATCH"), (Method::Get, "GET"), (Method::Post, "POST")] {
            of(method, json!({ "url": URL, "method": word, "body": null }));
        }
        let run = Run::of(super::run, json!({ "url": URL, "method": "FETCH" }));
        assert!(matches!(run.failure(), Failure::Permanent { reason } if reason.contains("`FETCH`")));
    }

    #[test]
    fn what_the_other_system_refuses_ends_for_good() {
        let run = Setup::new().answer(Method::Get, URL, Ok(response(404, "no such contact"))).run(super::run, json!({ "url": URL }));
        assert!(matches!(run.failure(), Failure::Permanent { reason } if reason == "o outro sistema respondeu com 404"));
        assert!(format!("{:?}", run.log).contains("no such contact"));
    }
}
