//! HTTP: the hooks that providers call, the API, and the pages.
//!
//! - `POST /hooks/{connection}/…` reads a body within its limits and hands it to
//!   [`Runtime::receive`](zelo_runtime::Runtime::receive); every refusal is an RFC 9457 problem document. GET only answers the
//!   handshakes that a source has.
//! - `POST /events` is the same for CloudEvents.
//! - `/api/v1/…`: what is stored, as JSON, behind a token or a session.
//! - `/`, `/sign-in`, `/sign-out`, and `/jobs/{id}`, where its buttons send what a person decides: the pages; they work without script.
//! - `/activity`: what came in and what was done because of it, each event and job on a page of its own.
//! - `/changes`: server-sent events by which an open page learns that it is no longer up to date.
//! - `/healthz`, `/readyz`: whether it lives, and whether it can take deliveries.
//! - `/metrics`: figures for monitoring.
//!
//! Nothing here verifies, matches or decides: that is `zelo-runtime` and below. Nothing here logs a body, a header or a
//! query string.

pub mod access;
mod api;
mod body;
pub mod codes;
pub mod credentials;
mod door;
mod events;
pub mod export;
mod health;
mod hooks;
mod limits;
mod live;
mod metrics;
mod openapi;
mod origin;
mod pages;
pub mod password;
pub mod people;
mod problem;
mod refused;
mod sealed;
mod seen;
mod serve;
mod throttle;
mod trials;
mod unpack;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore, watch};
use utoipa_axum::routes;
use zelo_core::sampling::Sampler;
use zelo_runtime::Runtime;

use crate::access::{Gate, Guard, Reach, Role};
use crate::door::{Door, Sockets};
use crate::limits::Room;
use crate::live::Live;
use crate::openapi::Table;
use crate::password::Checking;
use crate::problem::Problem;
use crate::throttle::Throttle;
use crate::trials::Trials;

pub use door::{Allow, Certificates, Network, NotANetwork, ProxyHeader, Rate, Rates, TlsError};
pub use sealed::{Sealed, Taken, Unkept, keep_secret};
pub use serve::{serve, serve_metrics};
pub use way::Front;

/// How the server listens and what it bears.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Under which URL the world reaches it, without a path: what providers sign, and whether cookies are for https only.
    pub public_url: Option<String>,
    /// The longest body of a delivery in bytes, whatever its source allows.
    pub body_max: usize,
    /// The bytes of all bodies that are being received at once; beyond it deliveries are told to come again.
    pub bodies_max: usize,
    /// Deliveries in work at once, and beside them a quarter as many other requests; beyond it they are told to come again.
    pub requests_max: usize,
    /// Open connections; beyond it they wait to be accepted.
    pub connections_max: usize,
    /// Who may ask whether events are welcome, by connection that takes CloudEvents.
    pub origins: BTreeMap<String, Vec<String>>,
    /// The connections that keep the bodies of what they refuse.
    pub keep_refused: BTreeSet<String>,
    /// The connections that the configuration names, where that is known: the secret of any other is one that zelo made, and shows once.
    pub configured: Option<BTreeSet<String>>,
    /// Open connections of one address that is no trusted proxy; beyond it they are closed at once.
    pub connections_each_max: usize,
    /// The longest head of a request in bytes, and the most headers in it.
    pub head_max: usize,
    pub headers_max: usize,
    /// Who is believed when they say for whom they ask, and how the world reached them.
    pub trusted_proxies: Vec<Network>,
    /// Where they say it.
    pub proxy_header: ProxyHeader,
    /// Who is let in, where not everybody is.
    pub allow: Allow,
    /// How much is taken in a time.
    pub rates: Rates,
    /// TLS; none: plain HTTP.
    pub tls: Option<Arc<Certificates>>,
    /// How often the files of the certificate are looked at.
    pub certificates_every: Duration,
    /// How long the head of a request may take to arrive, a handshake of TLS before it, and the silence between two requests; its body
    /// gets as long, and more as more of it is there.
    pub request_timeout: Duration,
    /// How long a client may take nothing of its answer.
    pub answer_timeout: Duration,
    /// How long a stop waits for requests in work.
    pub stop_timeout: Duration,
    /// Open pages that are told of changes at once; beyond it they show what came when they are loaded again.
    pub listeners_max: usize,
    /// How often the store is asked whether something changed, while a page is open.
    pub look_every: Duration,
    /// Where the rule files are that pages show; none: they show none.
    pub rules: Option<PathBuf>,
    /// What the configuration does with secrets that the store keeps.
    pub sealed: Sealed,
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
            connections_each_max: 128,
            head_max: 32 * 1024,
            headers_max: 100,
            origins: BTreeMap::new(),
            keep_refused: BTreeSet::new(),
            configured: None,
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::default(),
            allow: Allow::default(),
            rates: Rates::default(),
            tls: None,
            certificates_every: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            stop_timeout: Duration::from_secs(15),
            listeners_max: 64,
            look_every: Duration::from_secs(1),
            rules: None,
            sealed: Sealed::default(),
        }
    }
}

/// What the handlers share. Every layer of a request clones it, so it counts once.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

pub(crate) struct Parts {
    pub(crate) runtime: Runtime,
    pub(crate) settings: Arc<Settings>,
    /// Of deliveries.
    pub(crate) deliveries: Room,
    /// Of other requests: whoever holds all of this keeps no delivery out.
    pub(crate) requests: Room,
    /// One permit for each byte of a body that may be held.
    pub(crate) bodies: Arc<Semaphore>,
    /// Who was not let in.
    pub(crate) refusals: Arc<access::Refusals>,
    /// Who tries to come in with a password.
    pub(crate) throttle: Arc<Throttle>,
    /// The turns in which passwords are checked.
    pub(crate) checking: Checking,
    /// Who is let in to be heard.
    pub(crate) door: Arc<Door>,
    /// Who has how many connections.
    pub(crate) sockets: Sockets,
    /// Which refused deliveries are kept.
    pub(crate) refused: Arc<std::sync::Mutex<Sampler>>,
    /// Who is told of changes.
    pub(crate) live: Arc<Live>,
    /// Backtests that people have begun.
    pub(crate) trials: Arc<Trials>,
    /// Held by who has the tests of rules run, or the whole audit log read: one at a time.
    pub(crate) testing: Arc<Mutex<()>>,
    /// Held by who is told the figures.
    pub(crate) telling: Arc<Mutex<()>>,
    /// Held by who is shown a secret that is shown once.
    pub(crate) showing: Mutex<()>,
    /// Turns true when the server stops; none: it never does.
    pub(crate) stop: Option<watch::Receiver<bool>>,
}

impl App {
    pub(crate) fn new(runtime: Runtime, settings: Settings, stop: Option<watch::Receiver<bool>>) -> Self {
        let permits = |wanted: usize| Arc::new(Semaphore::new(wanted.min(u32::MAX as usize)));
        Self(Arc::new(Parts {
            door: Arc::new(Door::new(&runtime, &settings)),
            sockets: Sockets::default(),
            runtime,
            deliveries: Room::new(settings.requests_max),
            requests: Room::new(settings.requests_max.div_ceil(4)),
            bodies: permits(settings.bodies_max),
            refusals: Arc::default(),
            throttle: Arc::default(),
            checking: Checking::default(),
            refused: Arc::default(),
            live: Arc::new(Live::new(settings.listeners_max)),
            settings: Arc::new(settings),
            trials: Arc::default(),
            testing: Arc::default(),
            telling: Arc::default(),
            showing: Mutex::default(),
            stop,
        }))
    }
}

/// Everything that is answered over HTTP.
pub fn front(runtime: Runtime, settings: Settings) -> Front {
    answers(App::new(runtime, settings, None))
}

/// Where the file of the document with this id is; `None`: this is no id of a document.
pub(crate) fn document_url(id: &str) -> Option<String> {
    let (job, index) = zelo_store::parse_effect_id(id)?;
    Some(format!("/api/v1/documents/{}", zelo_store::effect_id(job, index)))
}

/// All routes.
fn table() -> Table {
    let sees_all = Gate::Known(Role::Viewer, Reach::Everything);
    Table::new()
        .at(Gate::Open, routes!(hooks::receive, hooks::ask))
        .also(Gate::Open, "/hooks/{connection}", "receive_at_connection", routes!(hooks::receive))
        .also(Gate::Open, "/hooks/{connection}", "ask_at_connection", routes!(hooks::ask))
        .also(Gate::Open, "/hooks/{connection}/", "receive_at_slash", routes!(hooks::receive))
        .also(Gate::Open, "/hooks/{connection}/", "ask_at_slash", routes!(hooks::ask))
        .at(Gate::Open, routes!(events::receive, events::ask))
        .at(Gate::Open, routes!(events::receive_for, events::ask_for))
        .merge(api::table())
        .at(sees_all, routes!(live::changes))
        .merge(pages::table())
        .at(Gate::Health, routes!(health::alive))
        .at(Gate::Health, routes!(health::ready))
        .at(Gate::Figures, routes!(metrics::tell))
}

/// The OpenAPI document of a server: what it answers at `/api/v1/openapi.json`.
pub fn openapi() -> Value {
    let mut document = serde_json::to_value(table().finish().2).unwrap_or_default();
    openapi::promise(&mut document);
    document
}

pub(crate) fn answers(app: App) -> Front {
    let (router, gates, _) = table().finish();
    let routes = router
        .method_not_allowed_fallback(async || Problem::method())
        .fallback(async |uri: Uri| {
            Problem::not_found(match access::is_api(uri.path()) {
                true => "There is nothing at this address of the API.",
                false => "There is nothing at this address.",
            })
        })
        .with_state(app.clone());
    Front::new(Guard { app, gates }, routes)
}
