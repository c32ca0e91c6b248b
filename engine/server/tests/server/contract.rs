//! The OpenAPI document is true: of every answer in these tests, of every route, and of who may ask.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use axum::body::Body;
use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::Value;

use crate::house::{Answer, House, request};

/// What the server says of itself.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(zelo_server::openapi);

const HERE: &str = "http://zelo.test/openapi.json";

/// The schemas of the document, compiled, by where they stand in it.
struct Judge {
    schemas: Schemas,
    known: HashMap<String, SchemaIndex>,
}

static JUDGE: LazyLock<Judge> = LazyLock::new(|| {
    let mut compiler = Compiler::new();
    compiler.set_default_draft(Draft::V2020_12);
    compiler.add_resource(HERE, DOCUMENT.clone()).unwrap();
    let named = DOCUMENT["components"]["schemas"].as_object().unwrap().keys().map(|name| format!("/components/schemas/{}", escaped(name)));
    let answered = operations().flat_map(|(path, method, operation)| {
        let responses = operation["responses"].as_object().unwrap().iter();
        responses.flat_map(move |(status, told)| {
            let content = told["content"].as_object().into_iter().flatten();
            content.map(move |(media_type, _)| at(path, method, status, media_type))
        })
    });
    let mut schemas = Schemas::new();
    let known = named.chain(answered).map(|pointer| {
        let index = compiler.compile(&format!("{HERE}#{pointer}"), &mut schemas).unwrap_or_else(|error| panic!("{pointer}: {error:#}"));
        (pointer, index)
    });
    let known = known.collect();
    Judge { schemas, known }
});

/// Where the schema of an answer stands.
fn at(path: &str, method: &str, status: &str, media_type: &str) -> String {
    format!("/paths/{}/{method}/responses/{status}/content/{}/schema", escaped(path), escaped(media_type))
}

/// Asserts that `value` is as the schema at `pointer` of the document says.
fn is_valid(value: &Value, pointer: &str) {
    if let Err(error) = JUDGE.schemas.validate(value, JUDGE.known[pointer]) {
        panic!("{pointer}: {error:#}\n{value:#}");
    }
}

fn escaped(part: &str) -> String {
    // Of a JSON pointer (RFC 6901) in a fragment (RFC 3986).
    part.replace('~', "~0").replace('/', "~1").replace('{', "%7B").replace('}', "%7D").replace('*', "%2A")
}

/// The path of the document that an address belongs to, whose parts are more literal before others.
fn template(path: &str) -> Option<&'static str> {
    let fits = |template: &str| {
        let (mut wanted, mut given) = (template.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (Some("{path}"), Some(rest)) => return !rest.is_empty() || given.next().is_some(),
                (Some(part), Some(text)) if part == text || (part.starts_with('{') && !text.is_empty()) => {}
                (None, None) => return true,
                _ => return false,
            }
        }
    };
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths.keys().map(String::as_str).filter(|template| fits(template)).min_by_key(|template| template.matches('{').count())
}

/// Asserts that the document says of this answer that it may come.
pub(crate) fn holds(method: &str, uri: &str, answer: &Answer) {
    let path = uri.split('?').next().unwrap();
    let operation = template(path).map(|template| (template, &DOCUMENT["paths"][template][method.to_ascii_lowercase()]));
    let Some((template, operation)) = operation.filter(|(_, operation)| operation.is_object()) else {
        assert!([401, 404, 405, 503].contains(&answer.status.as_u16()), "{method} {path} is in no document: {}", answer.status);
        return;
    };
    let status = answer.status.as_str();
    let range = format!("{}XX", &status[..1]);
    let told = [status, &range].into_iter().find(|told| operation["responses"][*told].is_object()).unwrap_or(status);
    let (status, told) = (told, &operation["responses"][told]);
    assert!(told.is_object(), "{method} {template} answers {status}, which the document does not say: {}", answer.text);
    if status.ends_with("XX") && answer.text.is_empty() {
        return;
    }
    let media_type = answer.header("content-type").split(';').next().unwrap().to_owned();
    let Some(content) = told["content"].as_object() else {
        assert!(answer.text.is_empty(), "{method} {template} answers {status} with a body");
        return;
    };
    let found = content.keys().find(|told| **told == media_type || *told == "*/*");
    let Some(found) = found else { panic!("{method} {template} answers {status} as `{media_type}`, which the document does not say") };
    if media_type.ends_with("json") {
        is_valid(&answer.json(), &at(template, &method.to_ascii_lowercase(), status, found));
    }
}

/// Every operation: its path, its method in lower case, and what is said of it.
pub(crate) fn operations() -> impl Iterator<Item = (&'static str, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

#[tokio::test]
async fn the_document_is_served_and_is_what_it_says() {
    let house = House::new().await;
    let answer = house.api("openapi.json").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    let document = answer.json();
    assert_eq!(document, *DOCUMENT);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations() {
        let id = operation["operationId"].as_str().unwrap();
        assert!(names.insert(id), "{method} {path}: another operation is called `{id}` too");
        let told: BTreeSet<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| one["in"] == "path")
            .filter_map(|one| one["name"].as_str())
            .collect();
        let wanted: BTreeSet<&str> = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(told, wanted, "{method} {path}");
    }
    // What it refers to is there.
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for reference in answer.text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
    assert!(JUDGE.known.len() > schemas.len(), "each of them can be used");
}

/// The routes that the router has, as it prints them: nobody else lists them.
fn routes(house: &House) -> BTreeSet<String> {
    let printed = format!("{:?}", house.front.router());
    let listed = printed.split("RouteId(").filter_map(|part| part.split_once("): \"")?.1.split_once('"'));
    let routes: BTreeSet<String> =
        listed.map(|(route, _)| route.to_owned()).filter(|route| route.starts_with('/') && !route.contains("__private")).collect();
    assert!(routes.len() > 20, "the router prints itself in another way: {printed}");
    routes
}

#[tokio::test]
async fn the_router_and_the_document_have_the_same_routes() {
    let house = House::for_a_walk().await;
    let mut told: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (path, method, _) in operations() {
        told.entry(path.replace("{path}", "{*path}")).or_default().insert(method);
    }
    assert_eq!(routes(&house), told.keys().cloned().collect::<BTreeSet<_>>());
    let authorization = format!("Bearer {}", house.token_of(zelo_server::access::Role::Admin).await);
    for (route, methods) in told {
        let path: String = route.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/");
        for method in ["get", "put", "post", "delete", "patch", "options", "trace"] {
            if (route.as_str(), method) == ("/changes", "get") {
                // Its answer goes on.
                assert_eq!(house.open(&path, &[("authorization", &authorization)]).await.status(), 200);
                continue;
            }
            let sent = request(&method.to_ascii_uppercase(), &path, &[("authorization", &authorization)], Body::empty());
            let answer = house.send(sent).await;
            let is_told = methods.contains(method) && DOCUMENT["paths"][route.replace("{*", "{")][method]["responses"]["405"].is_object();
            let taken = answer.status != 405 || is_told;
            assert_eq!(taken, methods.contains(method), "{method} {route}: {} {}", answer.status, answer.text);
            assert!(answer.status != 405 || !answer.header("allow").is_empty(), "{method} {route} does not say what it takes");
        }
    }
}

#[tokio::test]
async fn every_parameter_of_the_document_is_read_and_no_other() {
    let house = House::new().await;
    for (path, method, operation) in operations().filter(|(path, method, _)| *method == "get" && path.starts_with("/api/v1/")) {
        let authorization = format!("Bearer {}", house.token_of(zelo_server::access::Role::Admin).await);
        let address: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
        let ask = async |query: &str| house.get(&format!("{}?{query}", address.join("/")), &[("authorization", &authorization)]).await;
        for parameter in operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            let answer = ask(&format!("{name}=")).await;
            let refused = answer.status == 400 && answer.json()["detail"].as_str().unwrap().contains("that this");
            assert!(!refused, "{method} {path} does not read `{name}`: {}", answer.text);
        }
        if path != "/api/v1/openapi.json" {
            assert!([400, 404].contains(&ask("of-no-operation=1").await.status.as_u16()), "{method} {path} takes any parameter");
        }
    }
}
