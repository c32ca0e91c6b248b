//! HTTP: the hooks that providers call, the API, and the pages.
//!
//! - `POST /hooks/{connection}/…` reads a body within its limits and hands it to
//!   [`Runtime::receive`](zelo_runtime::Runtime::receive); every refusal is an RFC 9457 problem document.
//! - `POST /events` is the same for CloudEvents.
//! - `/api/v1/…`: what is stored, as JSON, behind a token or a session.
//! - `/`, `/sign-in`, `/sign-out`, and `/jobs/{id}`, where its buttons send what a person decides: the pages; they work without script.
//! - `/changes`: server-sent events by which an open page learns that it is no longer up to date.
//! - `/healthz`, `/readyz`: whether it lives, and whether it can take deliveries.
//! - `/metrics`: figures for monitoring.
//!
//! Nothing here verifies, matches or decides: that is `zelo-runtime` and below. Nothing here logs a body, a header or a
//! query string.

pub mod access;
mod api;
mod body;
mod events;
pub mod export;
mod health;
mod hooks;
mod limits;
mod live;
mod metrics;
mod origin;
mod pages;
mod problem;
mod refused;
mod seen;
mod serve;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use tokio::sync::{Mutex, Semaphore, watch};
use zelo_core::sampling::Sampler;
use zelo_runtime::Runtime;

use crate::live::Live;
use crate::problem::Problem;

pub use serve::{serve, serve_metrics};

/// How the server listens and what it bears.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Under which URL the world reaches it, without a path: what providers sign, and whether cookies are for https only.
    pub public_url: Option<String>,
    /// The longest body of a delivery in bytes, whatever its source allows.
    pub body_max: usize,
    /// The bytes of all bodies that are being received at once; beyond it deliveries are told to come again.
    pub bodies_max: usize,
    /// Requests in work at once; beyond it they are told to come again.
    pub requests_max: usize,
    /// Open connections; beyond it they wait to be accepted.
    pub connections_max: usize,
    /// Who may ask whether events are welcome, by connection that takes CloudEvents.
    pub origins: BTreeMap<String, Vec<String>>,
    /// The connections that keep the bodies of what they refuse.
    pub keep_refused: BTreeSet<String>,
    /// Whose `X-Forwarded-Proto` and `X-Forwarded-Host` are believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// How long the head of a request, and then its body, may take to arrive.
    pub request_timeout: Duration,
    /// How long a stop waits for requests in work.
    pub stop_timeout: Duration,
    /// Open pages that are told of changes at once; beyond it they show what came when they are loaded again.
    pub listeners_max: usize,
    /// How often the store is asked whether something changed, while a page is open.
    pub look_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_url: None,
            // What a source file may ask for at most.
            body_max: 16 * 1024 * 1024,
            bodies_max: 64 * 1024 * 1024,
            requests_max: 1024,
            connections_max: 4096,
            origins: BTreeMap::new(),
            keep_refused: BTreeSet::new(),
            trusted_proxies: Vec::new(),
            request_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(15),
            listeners_max: 64,
            look_every: Duration::from_secs(1),
        }
    }
}

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) runtime: Runtime,
    pub(crate) settings: Arc<Settings>,
    /// One permit for each request that may be in work.
    pub(crate) requests: Arc<Semaphore>,
    /// One permit for each byte of a body that may be held.
    pub(crate) bodies: Arc<Semaphore>,
    /// Who was not let in.
    pub(crate) refusals: Arc<access::Refusals>,
    /// Which refused deliveries are kept.
    pub(crate) refused: Arc<std::sync::Mutex<Sampler>>,
    /// Who is told of changes.
    pub(crate) live: Arc<Live>,
    /// Held by who is told the figures.
    pub(crate) telling: Arc<Mutex<()>>,
    /// Turns true when the server stops; none: it never does.
    pub(crate) stop: Option<watch::Receiver<bool>>,
}

impl App {
    pub(crate) fn new(runtime: Runtime, settings: Settings, stop: Option<watch::Receiver<bool>>) -> Self {
        let permits = |wanted: usize| Arc::new(Semaphore::new(wanted.min(u32::MAX as usize)));
        Self {
            runtime,
            requests: permits(settings.requests_max),
            bodies: permits(settings.bodies_max),
            refusals: Arc::default(),
            refused: Arc::default(),
            live: Arc::new(Live::new(settings.listeners_max)),
            settings: Arc::new(settings),
            telling: Arc::default(),
            stop,
        }
    }
}

/// Everything that is answered over HTTP.
pub fn router(runtime: Runtime, settings: Settings) -> Router {
    routes(App::new(runtime, settings, None))
}

/// Where the file of the document with this id is; `None`: this is no id of a document.
pub(crate) fn document_url(id: &str) -> Option<String> {
    let (job, index) = zelo_store::parse_effect_id(id)?;
    Some(format!("/api/v1/documents/{}", zelo_store::effect_id(job, index)))
}

/// The longest form that a page sends, in bytes.
const FORM_MAX: usize = 4096;

pub(crate) fn routes(app: App) -> Router {
    let bounded = Router::new()
        .route("/hooks/{connection}", post(hooks::receive))
        .route("/hooks/{connection}/", post(hooks::receive))
        .route("/hooks/{connection}/{*path}", post(hooks::receive))
        .route("/events", post(events::receive).options(events::ask))
        .route("/events/{connection}", post(events::receive_for).options(events::ask_for))
        .nest("/api/v1", api::routes(&app))
        .route("/", get(pages::home::show))
        .route("/style.css", get(pages::style))
        .route("/live.js", get(pages::script))
        .route("/changes", get(live::changes).layer(from_fn_with_state(app.clone(), access::guard)))
        .route("/jobs/{id}", post(pages::jobs::decide).layer(from_fn_with_state(app.clone(), access::guard)))
        .route("/halts", post(pages::halts::decide).layer(from_fn_with_state(app.clone(), access::guard)))
        .route("/sign-in", get(pages::sign_in::ask).post(pages::sign_in::enter))
        .route("/sign-out", post(pages::sign_in::leave))
        .method_not_allowed_fallback(async || Problem::method())
        .fallback(async || Problem::not_found("There is nothing at this address."))
        .layer(DefaultBodyLimit::max(FORM_MAX))
        .layer(from_fn_with_state(app.clone(), limits::bounded))
        .with_state(app.clone());
    // Outside of the bounds: a full server is alive, and says so.
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .merge(metrics::routes(&app))
        .with_state(app)
        .merge(bounded)
        .layer(from_fn(limits::careful))
}
