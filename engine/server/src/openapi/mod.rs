//! Every route in one table: what answers, who may ask, and what the OpenAPI document says of it.
//!
//! A route is not written anywhere else: [`Table::at`] takes a handler with its `#[utoipa::path]` and a [`Gate`], and makes the route, the
//! entry that [`guard`](crate::access::guard) decides by, and the operation of the document from them. What a handler cannot say by itself,
//! because it happens before it, stands here: the credentials, and the refusals that follow from them, from a body and from an address.

pub(crate) mod shapes;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem, Paths};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, Info, License, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder, Tag};
use utoipa::{PartialSchema, ToSchema};

use crate::App;
use crate::access::{Gate, Reach};

/// What `routes!` makes of handlers.
pub(crate) type Routes = (Vec<(String, RefOr<Schema>)>, Paths, MethodRouter<App>);

/// By route, as axum writes it, and method.
pub(crate) type Gates = HashMap<String, Vec<(Method, Gate)>>;

/// The routes so far.
pub(crate) struct Table {
    router: Router<App>,
    gates: Gates,
    paths: Paths,
    schemas: Components,
}

impl Table {
    pub(crate) fn new() -> Self {
        let mut schemas = shapes::texts();
        shapes::Problem::schemas(&mut schemas);
        schemas.push((shapes::Problem::name().into_owned(), shapes::Problem::schema()));
        let mut components = Components::new();
        components.schemas.extend(schemas);
        Self { router: Router::new(), gates: Gates::new(), paths: Paths::new(), schemas: components }
    }

    /// The same with the routes of some handlers at one address, behind `gate`.
    pub(crate) fn at(mut self, gate: Gate, (schemas, paths, methods): Routes) -> Self {
        self.schemas.schemas.extend(schemas);
        for (path, mut item) in paths.paths {
            let route = route(&path);
            for (method, operation) in operations(&mut item) {
                complete(operation, gate);
                self.gates.entry(route.clone()).or_default().push((method, gate));
            }
            self.router = self.router.route(&route, methods.clone());
            self.paths.paths.entry(path).or_default().merge_operations(item);
        }
        self
    }

    /// The same with the handlers of `routes` at another address too, which has fewer parameters.
    pub(crate) fn also(self, gate: Gate, path: &str, id: &str, (schemas, paths, methods): Routes) -> Self {
        let renamed = paths.paths.into_values().map(|mut item| {
            for (_, operation) in operations(&mut item) {
                operation.operation_id = Some(id.to_owned());
                if let Some(parameters) = &mut operation.parameters {
                    parameters.retain(|parameter| match parameter {
                        RefOr::T(parameter) => {
                            parameter.parameter_in != ParameterIn::Path || path.contains(&format!("{{{}}}", parameter.name))
                        }
                        RefOr::Ref(_) => true,
                    });
                }
            }
            (path.to_owned(), item)
        });
        let mut paths = Paths::new();
        paths.paths.extend(renamed);
        self.at(gate, (schemas, paths, methods))
    }

    /// All routes of both.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        for (route, gates) in other.gates {
            self.gates.entry(route).or_default().extend(gates);
        }
        self.paths.paths.extend(other.paths.paths);
        self.schemas.schemas.extend(other.schemas.schemas);
        self
    }

    /// The router, who may ask at its routes, and the document.
    pub(crate) fn finish(self) -> (Router<App>, Arc<Gates>, OpenApi) {
        let Self { router, gates, paths, mut schemas } = self;
        schemas.add_security_scheme("token", SecurityScheme::Http(token()));
        schemas.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description("zelo", SESSION))));
        let info = Info::builder()
            .title("zelo")
            .version(env!("CARGO_PKG_VERSION"))
            .description(Some(ABOUT))
            .license(Some(License::builder().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
            .build();
        let document = OpenApiBuilder::new().info(info).paths(paths).components(Some(schemas)).tags(Some(tags())).build();
        (router, Arc::new(gates), document)
    }
}

/// This document.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "api", operation_id = "openapi", responses(
    (status = 200, description = "OpenAPI 3.1.", body = Object),
))]
pub(crate) async fn document() -> Response {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| crate::openapi().to_string());
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

const ABOUT: &str = "A self-hosted rule engine: webhooks come in, rules match them, and matching actions run sandboxed plugins. \
    `x-zelo-role` is the least role that an operation needs; `x-zelo-reach` says what a credential that is limited to clinics gets: \
    `clinics`: what is of its clinics; `everything`: nothing, it is about the whole server; `nothing`: the answer holds nothing of any clinic. \
    Every refusal is a problem document (RFC 9457).";

/// RFC 9457.
const PROBLEM: &str = "application/problem+json";

const SESSION: &str = "The session of a browser that signed in at /sign-in. Over https the cookie is called `__Host-zelo`.";

fn token() -> utoipa::openapi::security::Http {
    HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A token made with `zelo token new`.")).build()
}

fn tags() -> Vec<Tag> {
    let tag = |name: &str, about: &str| Tag::builder().name(name).description(Some(about)).build();
    vec![
        tag("hooks", "The way in for providers."),
        tag("api", "What is stored and what is in force, as JSON."),
        tag("subjects", "People: found, told whole, erased."),
        tag("pages", "What browsers show, and the forms that they send."),
        tag("server", "Whether it lives, and its figures."),
    ]
}

/// Says of all that is answered that its keys are never left out: what may be null is there. Not of what is asked, which may leave out what
/// it does not need; and not of what stands in one answer only, which is never null.
pub(crate) fn promise(document: &mut Value) {
    let mut asked = BTreeSet::new();
    for operation in document["paths"].as_object().into_iter().flatten().flat_map(|(_, item)| item.as_object()).flatten() {
        references(&operation.1["requestBody"], &mut asked);
    }
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    // What is asked may refer to more of it.
    loop {
        let before = asked.len();
        for name in asked.clone() {
            schemas.get(&name).into_iter().for_each(|schema| references(schema, &mut asked));
        }
        if asked.len() == before {
            break;
        }
    }
    schemas.iter_mut().filter(|(name, _)| !asked.contains(*name)).for_each(|(_, schema)| require(schema));
}

/// The names of the schemas that `value` refers to.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(
                fields.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix("#/components/schemas/")).map(str::to_owned),
            );
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// Requires what may be null, in `schema` and all that it holds.
fn require(schema: &mut Value) {
    if let Some(properties) = schema["properties"].as_object() {
        let is_null = |kind: &Value| kind == "null" || kind["type"] == "null";
        let alternatives = |schema: &Value, key: &str| schema[key].as_array().is_some_and(|all| all.iter().any(is_null));
        let nullable = properties.iter().filter(|(_, property)| alternatives(property, "type") || alternatives(property, "oneOf"));
        let nullable: Vec<Value> = nullable.map(|(name, _)| name.as_str().into()).collect();
        match &mut schema["required"] {
            Value::Array(required) => required.extend(nullable),
            none if !nullable.is_empty() => *none = nullable.into(),
            _ => {}
        }
    }
    if schema["required"].is_null()
        && let Some(fields) = schema.as_object_mut()
    {
        fields.remove("required");
    }
    match schema {
        Value::Object(fields) => fields.values_mut().filter(|field| field.is_object() || field.is_array()).for_each(require),
        Value::Array(items) => items.iter_mut().for_each(require),
        _ => {}
    }
}

/// A path of the document as axum writes it: the last part of a hook's address goes over slashes.
fn route(path: &str) -> String {
    path.replace("{path}", "{*path}")
}

/// The operations at one address.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let PathItem { get, put, post, delete, options, .. } = item;
    [(Method::GET, get), (Method::PUT, put), (Method::POST, post), (Method::DELETE, delete), (Method::OPTIONS, options)]
        .into_iter()
        .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Adds what follows from where the operation stands: its gate, and the refusals before its handler.
fn complete(operation: &mut Operation, gate: Gate) {
    let has_path = operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.parameter_in == ParameterIn::Path,
        RefOr::Ref(_) => false,
    });
    let mut refusals = vec![(StatusCode::INTERNAL_SERVER_ERROR, "A defect of zelo; its log says where.")];
    if gate != Gate::Health {
        refusals.push((StatusCode::SERVICE_UNAVAILABLE, "Too much at once, or the store does not answer. Ask again."));
        refusals.push((
            StatusCode::TOO_MANY_REQUESTS,
            "More than is taken in this time, or an address that is locked out. Ask again when `Retry-After` says.",
        ));
    }
    if operation.request_body.is_some() {
        refusals.push((StatusCode::BAD_REQUEST, "The request cannot be read."));
        refusals.push((StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time."));
        refusals.push((StatusCode::PAYLOAD_TOO_LARGE, "The body is too large."));
    }
    if has_path {
        refusals.push((StatusCode::NOT_FOUND, "There is no such thing, or it is of a clinic that is not the credential's."));
        refusals.push((StatusCode::BAD_REQUEST, "The request cannot be read."));
    }
    let mut extensions = ExtensionsBuilder::new();
    match gate {
        Gate::Open => {
            refusals.push((StatusCode::FORBIDDEN, "Not from this address."));
            operation.security = Some(Vec::new());
        }
        Gate::Health => operation.security = Some(Vec::new()),
        Gate::Known(role, reach) => {
            refusals.push((StatusCode::BAD_REQUEST, "A parameter is wrong, or the request cannot be read."));
            refusals.push((StatusCode::UNAUTHORIZED, "A credential is needed."));
            refusals.push((StatusCode::FORBIDDEN, "The credential is not for this."));
            operation.security = Some(vec![requirement("token"), requirement("session")]);
            extensions = extensions.add("x-zelo-role", json!(role.as_str())).add("x-zelo-reach", json!(reach.as_str()));
        }
        Gate::Figures => {
            refusals.push((StatusCode::UNAUTHORIZED, "A credential is needed."));
            refusals.push((StatusCode::FORBIDDEN, "The credential is not for this."));
            // Nothing: the machine itself needs none.
            operation.security = Some(vec![SecurityRequirement::default(), requirement("token"), requirement("session")]);
            extensions = extensions.add("x-zelo-role", json!("viewer")).add("x-zelo-reach", json!(Reach::Everything.as_str()));
        }
    }
    operation.extensions = Some(extensions.build());
    for (status, about) in refusals {
        operation.responses.responses.entry(status.as_str().to_owned()).or_insert_with(|| RefOr::T(problem(about)));
    }
    if operation.tags.iter().flatten().any(|tag| tag == "pages") {
        shown(operation);
    }
}

/// What a page refuses, it refuses a browser with a page.
fn shown(operation: &mut Operation) {
    let answers = operation.responses.responses.values_mut().filter_map(|answer| match answer {
        RefOr::T(answer) if answer.content.contains_key(PROBLEM) => Some(answer),
        _ => None,
    });
    for answer in answers {
        let page = ContentBuilder::new().schema(Some(utoipa::openapi::schema::Object::with_type(utoipa::openapi::schema::Type::String)));
        answer.content.insert("text/html".to_owned(), RefOr::T(page.build()));
    }
}

fn requirement(scheme: &str) -> SecurityRequirement {
    SecurityRequirement::new(scheme, Vec::<String>::new())
}

/// A problem document.
fn problem(about: &str) -> utoipa::openapi::Response {
    let schema = Ref::from_schema_name(shapes::Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(about).content(PROBLEM, content).build()
}
