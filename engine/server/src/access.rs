//! Who may come in: links, sessions and tokens.
//!
//! Each is 32 random bytes that are told once; the store keeps their SHA-256 (RFC 6234) only. A link is for a person and turns into a
//! session; a token is for a program. Every request goes through `guard`, and nothing else decides: by the [`Gate`] of its route, which
//! stands in the table of routes. Who comes in, who goes and who is refused is written down in the audit log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use data_encoding::BASE32_NOPAD;
use http::Method;
use http::header::{AUTHORIZATION, COOKIE, HeaderMap};
use http::request::Parts;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest, Sha256};
use zelo_core::{Actor, AuditEntry, AuditKind, Clinics, Clock, Entropy};
use zelo_store::{CredentialKind, CredentialRow, Error, PersonRow, Store};

use crate::openapi::Gates;
use crate::problem::Problem;
use crate::seen::Row;
use crate::{App, origin};

/// How long a sign-in link may be used.
pub const LINK_LIFE: SignedDuration = SignedDuration::from_mins(15);
/// How long a browser stays signed in.
pub const SESSION_LIFE: SignedDuration = SignedDuration::from_hours(12);
/// What every token begins with, so that scanners for leaked secrets know it.
pub const TOKEN_PREFIX: &str = "zelo_";

/// What somebody is let in as. Each may do all that those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sees.
    Viewer,
    /// Sees to jobs: retries, cancels.
    Operator,
    /// Writes rules and switches automations.
    Integrator,
    /// Approves what others wrote.
    Approver,
    /// Sees to people and their data, and everything else.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Operator, Self::Integrator, Self::Approver, Self::Admin];

    /// Whether it may retry and cancel jobs.
    pub fn sees_to_jobs(self) -> bool {
        self >= Self::Operator
    }

    /// Whether it may write rules and switch automations.
    pub fn writes_rules(self) -> bool {
        self >= Self::Integrator
    }

    /// The word in commands, answers and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Integrator => "integrator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }

    /// From the word in commands, answers and the store.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// Somebody who was let in.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) role: Role,
    /// Of which clinics they are told.
    pub(crate) clinics: Clinics,
    kind: CredentialKind,
    name: String,
}

impl Known {
    fn new(row: CredentialRow) -> Option<Self> {
        Some(Self { role: Role::parse(&row.role)?, clinics: row.clinics, kind: row.kind, name: row.name })
    }

    /// Whether they are told of this.
    pub(crate) fn sees(&self, row: &impl Row) -> bool {
        self.clinics.include(row.connection(), row.clinic())
    }

    /// Whether they are told of what is of no clinic, too.
    pub(crate) fn sees_everything(&self) -> bool {
        self.clinics == Clinics::All
    }

    /// As the audit log names them.
    pub(crate) fn actor(&self) -> Actor {
        Actor::credential(self.kind.as_str(), &self.name)
    }
}

/// Who asks, behind `guard`.
impl<S: Sync> FromRequestParts<S> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}

/// Makes the code of a sign-in link, `/sign-in?code=…`: for one use, within [`LINK_LIFE`]. Who uses it becomes an admin. `by` is who
/// asked for it.
///
/// # Errors
/// The store could not keep it.
pub async fn new_link(store: &dyn Store, clock: &dyn Clock, entropy: &dyn Entropy, by: Actor) -> Result<String, Error> {
    let code = secret(entropy);
    let now = clock.now();
    let expires = Some(after(now, LINK_LIFE));
    store.put_credential(row(&code, CredentialKind::Link, Role::Admin.as_str(), "link", now, expires), by).await?;
    Ok(code)
}

/// Makes an API token that does not run out, for a program that people call `name`, which is told of `clinics` alone. `by` is who asked
/// for it.
///
/// # Errors
/// The store could not keep it.
pub async fn new_token(
    store: &dyn Store,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    (role, clinics): (Role, Clinics),
    name: &str,
    life: Option<SignedDuration>,
    by: Actor,
) -> Result<String, Error> {
    let token = format!("{TOKEN_PREFIX}{}", secret(entropy));
    let now = clock.now();
    let made = row(&token, CredentialKind::Token, role.as_str(), name, now, life.map(|life| after(now, life)));
    store.put_credential(CredentialRow { clinics, ..made }, by).await?;
    Ok(token)
}

/// Exchanges the code of a link for the secret of a new session; `None` if the code is used, has run out or never was.
pub(crate) async fn open_session(app: &App, code: &str) -> Result<Option<String>, Error> {
    let (store, now) = (&app.runtime.store, app.runtime.clock.now());
    let hash = digest(code);
    // Looked at first: taking a token by mistake would destroy it.
    let is_link = store.credential(hash, now).await?.is_some_and(|row| row.kind == CredentialKind::Link);
    let link = if is_link { store.take_credential(hash, now).await? } else { None };
    let Some(link) = link else {
        refused(app, CredentialKind::Link.as_str()).await?;
        return Ok(None);
    };
    let session = secret(app.runtime.entropy.as_ref());
    let expires = Some(after(now, SESSION_LIFE));
    let by = Actor::credential(link.kind.as_str(), &link.name);
    store.put_credential(row(&session, CredentialKind::Session, &link.role, &link.name, now, expires), by).await?;
    Ok(Some(session))
}

/// The secret of a new session of `person`, who came in with their password, as `by`.
pub(crate) async fn begin_session(app: &App, role: Role, person: &PersonRow, by: Actor) -> Result<String, Error> {
    let now = app.runtime.clock.now();
    let session = secret(app.runtime.entropy.as_ref());
    let made = row(&session, CredentialKind::Session, role.as_str(), &person.name, now, Some(after(now, SESSION_LIFE)));
    let whose = Some((person.name.clone(), person.version));
    app.runtime.store.put_credential(CredentialRow { clinics: person.clinics.clone(), person: whose, ..made }, by).await?;
    Ok(session)
}

/// Ends the session of a browser, if it has one.
pub(crate) async fn close_session(app: &App, headers: &HeaderMap) -> Result<(), Error> {
    let (store, now) = (&app.runtime.store, app.runtime.clock.now());
    for session in sessions(headers) {
        let hash = digest(session);
        if store.credential(hash, now).await?.is_some_and(|row| row.kind == CredentialKind::Session)
            && let Some(row) = store.take_credential(hash, now).await?
        {
            let by = Actor::credential(row.kind.as_str(), &row.name);
            let entry = AuditEntry::new(now, AuditKind::SignedIn, by, &json!({ "what": "signed out", "role": row.role }));
            store.answer_for(vec![entry]).await?;
        }
    }
    Ok(())
}

/// As whom the sender of a request is known; `None`: not at all. A token that is given decides, even where a cookie is too.
pub(crate) async fn identify(app: &App, headers: &HeaderMap) -> Result<Option<Known>, Error> {
    if let Some(authorization) = headers.get(AUTHORIZATION) {
        let bearer = authorization.to_str().ok().and_then(|value| value.split_once(' '));
        let known = match bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
            Some((_, token)) => known(app, token.trim(), CredentialKind::Token).await?,
            None => None,
        };
        if known.is_none() {
            refused(app, CredentialKind::Token.as_str()).await?;
        }
        return Ok(known);
    }
    for session in sessions(headers) {
        if let Some(known) = known(app, session, CredentialKind::Session).await? {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

/// Who may ask at a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Whoever comes; what is shown may depend on who that is.
    Open,
    /// The same, however much there is to do.
    Health,
    /// Who is known, as at least this.
    Known(Role, Reach),
    /// The machine itself, and who is known for all clinics: the figures.
    Figures,
}

/// What the answer of a route is about, and so what a credential gets that is limited to clinics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What is of its clinics, and nothing else.
    Clinics,
    /// The whole server: nothing.
    Everything,
    /// Nothing of any clinic.
    Nothing,
}

impl Reach {
    /// The word in the OpenAPI document.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Clinics => "clinics",
            Self::Everything => "everything",
            Self::Nothing => "nothing",
        }
    }
}

/// What the guard decides by.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) app: App,
    pub(crate) gates: Arc<Gates>,
}

impl Guard {
    /// The gate of the route that a request found; what found none, or not this method of it, gets no further than the answer that says
    /// so, which below the API is for those alone who are known.
    pub(crate) fn gate(&self, request: &Request) -> Gate {
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        let gates = request.extensions().get::<MatchedPath>().and_then(|route| self.gates.get(route.as_str()));
        match gates.and_then(|gates| gates.iter().find(|(of, _)| of == method)) {
            Some((_, gate)) => *gate,
            None if is_api(request.uri().path()) => Gate::Known(Role::Viewer, Reach::Nothing),
            None => Gate::Open,
        }
    }
}

/// Whether an address is below that of the API.
pub(crate) fn is_api(path: &str) -> bool {
    path.strip_prefix("/api/v1").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Lets through who may ask at the route of the request, and tells the handlers who it is. A browser sends its cookie with whatever asks it
/// to: what changes something must come from a page of ours.
pub(crate) async fn guard(app: &App, gate: Gate, mut request: Request, next: Next) -> Result<Response, Problem> {
    let (role, reach) = match gate {
        Gate::Open | Gate::Health => return Ok(next.run(request).await),
        Gate::Figures if origin::is_local(&app.settings, request.headers(), request.extensions()) => return Ok(next.run(request).await),
        Gate::Figures => (Role::Viewer, Reach::Everything),
        Gate::Known(role, reach) => (role, reach),
    };
    let Some(known) = identify(app, request.headers()).await? else {
        if gate == Gate::Figures {
            return Err(Problem::credential(
                "Send `Authorization: Bearer` and a token made with `zelo token new --role viewer`, or give the figures an address of their own with `metrics` under [server].",
            ));
        }
        return Err(Problem::credential(
            "Send `Authorization: Bearer` and a token made with `zelo token new`, or sign in with a link made with `zelo token link`.",
        ));
    };
    let foreign = known.kind == CredentialKind::Session
        && !request.method().is_safe()
        && !origin::is_same_site(&app.settings, request.headers(), request.extensions());
    if foreign {
        return Err(Problem::cross_site());
    }
    if known.role < role {
        return Err(Problem::role(role.as_str()));
    }
    if reach == Reach::Everything && !known.sees_everything() {
        return Err(Problem::clinics());
    }
    request.extensions_mut().insert(known);
    Ok(next.run(request).await)
}

async fn known(app: &App, secret: &str, kind: CredentialKind) -> Result<Option<Known>, Error> {
    let row = app.runtime.store.credential(digest(secret), app.runtime.clock.now()).await?;
    Ok(row.filter(|row| row.kind == kind).and_then(Known::new))
}

/// Of each kind of credential, at most one refusal is written down in this time: whoever sends many does not fill the audit log.
const REFUSAL_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// How many were refused, by kind of credential.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<&'static str, Run>>);

/// The refusals of one kind.
#[derive(Default)]
struct Run {
    /// When one was written down last.
    written: Option<Timestamp>,
    /// Those that are not written down yet.
    unwritten: u64,
}

impl Refusals {
    /// One more; how many to write down now, if it is time to.
    fn add(&self, kind: &'static str, now: Timestamp) -> Option<u64> {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let run = runs.entry(kind).or_default();
        run.unwritten += 1;
        // A clock that was set back is no reason to be silent.
        if run.written.is_some_and(|written| (SignedDuration::ZERO..REFUSAL_EVERY).contains(&now.duration_since(written))) {
            return None;
        }
        run.written = Some(now);
        Some(std::mem::take(&mut run.unwritten))
    }

    /// So many could not be written down after all.
    fn give_back(&self, kind: &'static str, count: u64) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let run = runs.entry(kind).or_default();
        run.unwritten += count;
        run.written = None;
    }
}

/// Writes down that a credential of `kind` was refused, with those since the last entry.
pub(crate) async fn refused(app: &App, kind: &'static str) -> Result<(), Error> {
    let now = app.runtime.clock.now();
    let Some(count) = app.refusals.add(kind, now) else { return Ok(()) };
    let detail = json!({ "what": format!("{kind} refused"), "count": count });
    let entry = AuditEntry::new(now, AuditKind::SignedIn, Actor::credential(kind, "unknown"), &detail);
    app.runtime.store.answer_for(vec![entry]).await.inspect_err(|_| app.refusals.give_back(kind, count))
}

/// The cookie of a session. `__Host-` (RFC 6265bis §4.1.3) keeps it to this very host, where the browser only allows it: over https.
const COOKIE_SECURE: &str = "__Host-zelo";
const COOKIE_PLAIN: &str = "zelo";

/// The `Set-Cookie` that signs a browser in; with no session, the one that signs it out.
pub(crate) fn cookie(session: Option<&str>, base: &str) -> String {
    let (name, secure) = if base.starts_with("https://") { (COOKIE_SECURE, "; Secure") } else { (COOKIE_PLAIN, "") };
    let life = session.map_or(0, |_| SESSION_LIFE.as_secs());
    let value = session.unwrap_or_default();
    format!("{name}={value}; Path=/; Max-Age={life}; HttpOnly; SameSite=Strict{secure}")
}

fn sessions(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let pairs = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let values = pairs.filter_map(|pair| pair.trim().split_once('='));
    // A few at most: each costs a read.
    values.filter(|(name, _)| [COOKIE_SECURE, COOKIE_PLAIN].contains(name)).map(|(_, value)| value).take(2)
}

/// 256 bits in base32 (RFC 4648), lower case: no character that an address or a terminal would change.
fn secret(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()
}

/// No salt and no stretching: nobody can guess 256 random bits.
fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

fn row(secret: &str, kind: CredentialKind, role: &str, name: &str, created: Timestamp, expires: Option<Timestamp>) -> CredentialRow {
    CredentialRow {
        hash: digest(secret),
        kind,
        role: role.to_owned(),
        name: name.to_owned(),
        clinics: Clinics::All,
        person: None,
        created,
        expires,
    }
}

fn after(now: Timestamp, life: SignedDuration) -> Timestamp {
    now.saturating_add(life).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_reads_back_what_it_prints() {
        assert!(Role::ALL.into_iter().all(|role| Role::parse(role.as_str()) == Some(role)));
        assert_eq!(Role::parse("root"), None);
    }

    #[test]
    fn a_cookie_is_bound_to_its_host() {
        let secure = cookie(Some("s"), "https://zelo.example");
        assert_eq!(secure, "__Host-zelo=s; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure");
        assert_eq!(cookie(None, "http://localhost"), "zelo=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    }

    #[test]
    fn a_session_is_found_among_cookies() {
        let headers: HeaderMap =
            [(COOKIE, "a=b; zelo=one;x=y".parse().unwrap()), (COOKIE, "__Host-zelo=two".parse().unwrap())].into_iter().collect();
        assert_eq!(sessions(&headers).collect::<Vec<_>>(), ["one", "two"]);
    }
}
