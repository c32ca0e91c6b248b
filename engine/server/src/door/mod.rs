//! The door: who is let in to be heard at all, before anything is read of them.
//!
//! Every request passes [`guard`], which finds out whose it is. Deliveries then [`knock`](Door::knock); pages and API are held against
//! `admin_allow` and their limit right there. Nothing here knows a secret: it counts what others found out.

mod client;
mod lockout;
mod network;
mod rates;
mod sockets;
mod stall;
mod steady;
mod tls;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::Request;
use http::{Extensions, Method};
use zelo_rules::Refusal;
use zelo_runtime::{Incoming, Refused, Runtime};

use self::lockout::{At, Lockouts, Policy, Proof, Say};
use self::network::{Place, any_has};
use self::rates::{Account, Limiters};
use self::steady::Steady;
use crate::origin::Peer;
use crate::problem::Problem;
use crate::{App, Settings};

pub use client::ProxyHeader;
pub use network::{Network, NotANetwork};
pub use rates::{Rate, Rates};
pub use tls::{Certificates, TlsError};

pub(crate) use client::said;
pub(crate) use sockets::{Seat, Sockets};
pub(crate) use stall::Patient;

/// Whose addresses are let in, where not everybody's are.
#[derive(Clone, Debug, Default)]
pub struct Allow {
    /// To pages, API and figures; empty: everybody.
    pub admin: Vec<Network>,
    /// To a connection; who is not named here is open to everybody.
    pub connections: BTreeMap<String, Vec<Network>>,
}

/// What is counted of who comes in.
pub(crate) struct Door {
    steady: Steady,
    lockouts: Mutex<Lockouts>,
    limiters: Limiters,
    connections: HashMap<String, At>,
    allow: Allow,
}

/// Whose request it is, as far as anybody knows: the other end, or whom a trusted proxy asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client(pub(crate) Option<IpAddr>);

impl Client {
    /// Of a request that passed [`guard`].
    pub(crate) fn of(extensions: &Extensions) -> Option<IpAddr> {
        extensions.get::<Self>().and_then(|client| client.0)
    }
}

impl Door {
    pub(crate) fn new(runtime: &Runtime, settings: &Settings) -> Self {
        let steady = Steady::new(runtime.clock.clone());
        let mut names: Vec<&str> = runtime.connections.keys().map(String::as_str).collect();
        names.sort_unstable();
        Self {
            lockouts: Mutex::new(Lockouts::new(Policy::default())),
            limiters: Limiters::new(&settings.rates, names.iter().copied(), &steady),
            connections: names.into_iter().map(str::to_owned).zip(0..).collect(),
            allow: settings.allow.clone(),
            steady,
        }
    }

    /// Whether a question about a connection is heard at all.
    ///
    /// # Errors
    /// Its address is not among those that the connection is for.
    pub(crate) fn hears(&self, connection: &str, extensions: &Extensions) -> Result<(), Problem> {
        self.allows(connection, Client::of(extensions))
    }

    fn allows(&self, connection: &str, client: Option<IpAddr>) -> Result<(), Problem> {
        let allow = self.allow.connections.get(connection);
        if allow.is_some_and(|networks| !client.is_some_and(|address| any_has(networks, address))) {
            return Err(Problem::address(
                "The address that this comes from is not among those that this connection takes deliveries from: `allow` in zelo.toml.",
            ));
        }
        Ok(())
    }

    /// Whether a delivery is looked at; `incoming` is its head. Of an unknown connection it is, for the answer that there is none.
    ///
    /// # Errors
    /// Its address is not let in, or is locked out, or there was too much.
    pub(crate) fn knock<'a>(&'a self, runtime: &Runtime, incoming: &Incoming<'_>, extensions: &Extensions) -> Result<Visit<'a>, Problem> {
        let proof = if runtime.is_guess(incoming) { Proof::Guessable } else { Proof::Signature };
        self.knock_with(proof, runtime, incoming, extensions)
    }

    /// The same for a question whether we are here: what it shows could be guessed.
    ///
    /// # Errors
    /// As of [`Door::knock`].
    pub(crate) fn knock_to_ask<'a>(
        &'a self,
        runtime: &Runtime,
        incoming: &Incoming<'_>,
        extensions: &Extensions,
    ) -> Result<Visit<'a>, Problem> {
        self.knock_with(Proof::Guessable, runtime, incoming, extensions)
    }

    fn knock_with<'a>(
        &'a self,
        proof: Proof,
        runtime: &Runtime,
        incoming: &Incoming<'_>,
        extensions: &Extensions,
    ) -> Result<Visit<'a>, Problem> {
        let client = Client::of(extensions);
        self.allows(incoming.connection, client)?;
        let at = self.connections.get(incoming.connection).copied();
        let verified = runtime.connections.get(incoming.connection).is_some_and(|connection| !runtime.is_insecure(connection));
        let visit = Visit { door: self, at: at.filter(|_| verified), place: Place::of(client), proof, watched: false };
        if at.is_none() {
            // Of no connection: that takes nothing of what deliveries have.
            self.limiters.other(visit.place).map_err(Problem::limited)?;
            return Ok(visit);
        }
        let say = visit.ask()?;
        let account = if say == Say::Known { Account::Known } else { Account::Strangers };
        self.limiters.delivery(at, account).map_err(Problem::limited)?;
        Ok(Visit { watched: matches!(say, Say::Watched(_)), ..visit })
    }

    /// What somebody hears who was sent away with `problem` before it was known where to: too much of that is too much as well.
    pub(crate) fn missed(&self, problem: Problem, extensions: &Extensions) -> Problem {
        self.limiters.other(Place::of(Client::of(extensions))).map_or_else(Problem::limited, |()| problem)
    }

    /// Whether a request that is no delivery is let in.
    fn lets_in(&self, path: &str, client: Option<IpAddr>) -> Result<(), Problem> {
        let is_way_in = is_way_in(path);
        let allow = &self.allow.admin;
        if !is_way_in && !allow.is_empty() && !client.is_some_and(|address| any_has(allow, address)) {
            return Err(Problem::address(
                "The address that this comes from is not among those that pages and API are for: `admin_allow` in zelo.toml.",
            ));
        }
        self.limiters.other(Place::of(client)).map_err(Problem::limited)
    }

    fn lockouts(&self) -> MutexGuard<'_, Lockouts> {
        self.lockouts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A delivery that is looked at.
pub(crate) struct Visit<'a> {
    door: &'a Door,
    /// Where it is verified; none: nowhere.
    at: Option<At>,
    place: Place,
    proof: Proof,
    /// Whether its place is locked out.
    watched: bool,
}

impl Visit<'_> {
    fn ask(&self) -> Result<Say, Problem> {
        let Some(at) = self.at else { return Ok(Say::Stranger) };
        match self.door.lockouts().ask(at, self.place, self.proof, self.door.steady.passed()) {
            Say::Shut(wait) => Err(Problem::locked(wait)),
            say => Ok(say),
        }
    }

    /// Its body could not be read. Whose fault that is, the problem says.
    pub(crate) fn unread(&self, problem: Problem) -> Problem {
        if problem.is_senders() { self.failed().unwrap_or(problem) } else { problem }
    }

    /// Whether its place was locked out while it arrived: who sends many at once gets no more guesses by it.
    ///
    /// # Errors
    /// It was.
    pub(crate) fn still(&self) -> Result<(), Problem> {
        if self.proof == Proof::Guessable { self.ask().map(|_| ()) } else { Ok(()) }
    }

    /// Counts what came of it, and says what it is answered.
    ///
    /// # Errors
    /// As the runtime has refused it; or that its place is locked out.
    pub(crate) fn heard<T>(&self, outcome: Result<T, Refused>) -> Result<T, Problem> {
        let verified = match &outcome {
            Ok(_) | Err(Refused::Busy | Refused::Unavailable(_)) => true,
            Err(Refused::NoConnection(_)) => return outcome.map_err(Problem::from),
            // All of a delivery but its length is looked at after it was verified.
            Err(Refused::Refusal(Refusal::Malformed { .. } | Refusal::Unsupported { .. } | Refusal::Violation { .. })) => true,
            Err(Refused::Refusal(Refusal::Unverified { .. } | Refusal::Handshake { .. } | Refusal::TooLarge { .. })) => false,
        };
        if verified {
            if let Some(at) = self.at {
                self.door.lockouts().verified(at, self.place, self.door.steady.passed());
            }
        } else if let Some(problem) = self.failed() {
            return Err(problem);
        }
        outcome.map_err(Problem::from)
    }

    /// Counts what came of a question whether we are here. It proves nothing: nobody is known by having asked, and no lock-out ends.
    ///
    /// # Errors
    /// As the runtime has refused it.
    pub(crate) fn asked<T>(&self, outcome: Result<T, Refused>) -> Result<T, Problem> {
        if let Err(Refused::Refusal(Refusal::Handshake { .. })) = &outcome {
            // It was not locked out, so it is told what was wrong.
            let _ = self.failed();
        }
        outcome.map_err(Problem::from)
    }

    /// Counts a failure. Who is locked out already hears that, and not what was wrong.
    fn failed(&self) -> Option<Problem> {
        let at = self.at?;
        let now = self.door.steady.passed();
        let mut lockouts = self.door.lockouts();
        if let Some(span) = lockouts.failed(at, self.place, now) {
            let connection = self.door.connections.iter().find(|(_, number)| **number == at).map(|(name, _)| name.as_str());
            tracing::warn!(connection, seconds = span.as_secs(), "an address is locked out here: too much that it sent was not verified");
        }
        match lockouts.ask(at, self.place, Proof::Guessable, now) {
            Say::Shut(left) if self.watched => Some(Problem::locked(left)),
            _ => None,
        }
    }
}

/// Where deliveries come in, each with its connection below it. Those that are sent there knock themselves.
const HOOKS: &str = "/hooks/";
/// Where those come in that do not name it there.
const EVENTS: &str = "/events";
/// What says how the server is, to whoever watches it.
const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

/// Whether deliveries come in there.
pub(crate) fn is_way_in(path: &str) -> bool {
    path.starts_with(HOOKS) || path.strip_prefix(EVENTS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Finds out whose request it is, and lets in who may.
pub(crate) fn guard(app: &App, request: &mut Request) -> Result<(), Problem> {
    let settings = &app.settings;
    let peer = request.extensions().get::<Peer>().copied();
    let client = peer.and_then(|peer| client::address(peer.0, &settings.trusted_proxies, settings.proxy_header, request.headers()));
    request.extensions_mut().insert(Client(client));
    let path = request.uri().path();
    let knocks = is_way_in(path) && matches!(*request.method(), Method::POST | Method::GET);
    if !knocks
        && !HEALTH.contains(&path)
        && let Err(problem) = app.door.lets_in(path, client)
    {
        app.runtime.metrics().turned_away(problem.code());
        tracing::debug!(code = problem.code(), "turned away");
        return Err(problem);
    }
    Ok(())
}
