//! People who sign in with a name and a password: how they come in, and how others see to them.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use zelo_core::{Actor, Clinics};
use zelo_store::{PersonRow, SeeTo, SeenTo, Store};
use zeroize::Zeroizing;

use crate::access::{self, Role};
use crate::problem::Problem;
use crate::{App, codes};

/// The longest name.
pub const NAME_MAX: usize = 64;

/// A name as it is kept; none where it cannot be one: lower-case letters, digits, `.`, `_`, `-` and `@`, a letter or digit first.
pub fn name(text: &str) -> Option<String> {
    let name = text.trim().to_ascii_lowercase();
    let letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let is_name = name.len() <= NAME_MAX && name.starts_with(letter) && name.chars().all(|one| letter(one) || "._-@".contains(one));
    is_name.then_some(name)
}

/// Why somebody is not seen to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is a {0} already; see zelo person password")]
    Taken(String),
    #[error("there is no {0}; see zelo person list")]
    Unknown(String),
    #[error("{0} is the last admin of everything")]
    Last(String),
    #[error("the store does not do it")]
    Store(#[from] zelo_store::Error),
}

/// Somebody new.
pub struct New {
    pub name: String,
    pub role: Role,
    pub clinics: Clinics,
    /// The hash of their password.
    pub password: String,
}

/// Adds somebody, as `by` asks.
///
/// # Errors
/// There is somebody of this name.
pub async fn add(store: &dyn Store, New { name, role, clinics, password }: New, by: Actor, now: Timestamp) -> Result<(), Error> {
    if store.person(&name).await?.is_some() {
        return Err(Error::Taken(name));
    }
    let role = role.as_str().to_owned();
    Ok(store.put_person(PersonRow { name, role, clinics, password, secret: None, created: now, version: 0 }, by, now).await?)
}

/// What is changed of somebody. They are signed out by each of these.
pub enum Change {
    /// As what they come in, and of which clinics they are told.
    Place(Role, Clinics),
    /// The hash of another password.
    Password(String),
    /// The secret of their codes; none: they need none any more.
    Codes(Option<Zeroizing<Vec<u8>>>),
}

/// Changes something of somebody, as `by` asks.
///
/// # Errors
/// There is nobody of this name.
pub async fn change(store: &dyn Store, name: &str, change: Change, by: Actor, now: Timestamp) -> Result<(), Error> {
    let row = changed(store, name, change).await?;
    Ok(store.put_person(row, by, now).await?)
}

/// Somebody as they are after `change`.
async fn changed(store: &dyn Store, name: &str, change: Change) -> Result<PersonRow, Error> {
    let row = store.person(name).await?.ok_or_else(|| Error::Unknown(name.to_owned()))?;
    Ok(match change {
        Change::Place(role, clinics) => PersonRow { role: role.as_str().to_owned(), clinics, ..row },
        Change::Password(password) => PersonRow { password, ..row },
        Change::Codes(secret) => PersonRow { secret, ..row },
    })
}

/// Changes something of somebody, or removes them where there is no change, as [`change`] and [`remove`] do; but not the only one who comes in
/// as an admin of everything: without them, nobody sees to people on the pages.
///
/// # Errors
/// There is nobody of this name, or they are the last admin.
pub(crate) async fn keeping_an_admin(
    store: &dyn Store,
    name: &str,
    change: Option<Change>,
    by: Actor,
    now: Timestamp,
) -> Result<(), Error> {
    let row = match change {
        Some(change) => Some(changed(store, name, change).await?),
        None => None,
    };
    let ask = SeeTo { name: name.to_owned(), row, keep: Role::Admin.as_str().to_owned() };
    match store.see_to_person(ask, by, now).await? {
        SeenTo::Done => Ok(()),
        SeenTo::Missing => Err(Error::Unknown(name.to_owned())),
        SeenTo::Last => Err(Error::Last(name.to_owned())),
    }
}

/// Removes somebody, as `by` asks.
///
/// # Errors
/// There is nobody of this name.
pub async fn remove(store: &dyn Store, name: &str, by: Actor, now: Timestamp) -> Result<(), Error> {
    if store.remove_person(name, by, now).await? { Ok(()) } else { Err(Error::Unknown(name.to_owned())) }
}

/// What somebody sends to come in.
pub(crate) struct Sent {
    pub(crate) name: String,
    pub(crate) password: String,
    /// Where they need one.
    pub(crate) code: String,
}

/// What comes of it.
pub(crate) enum Outcome {
    /// The secret of a new session.
    In(String),
    /// The name, the password or the code is wrong; which one is not told.
    Wrong,
    /// Too many tries: how long to wait.
    Wait(SignedDuration),
}

/// Lets somebody in from `address`, if what they sent is right. Every try is counted, and every refusal written down.
pub(crate) async fn come_in(app: &App, address: Option<IpAddr>, sent: Sent) -> Result<Outcome, Problem> {
    let now = app.runtime.clock.now();
    let name = name(&sent.name).unwrap_or_default();
    if let Err(wait) = app.throttle.admit(&name, address, now) {
        access::refused(app, "sign-in").await?;
        return Ok(Outcome::Wait(wait));
    }
    let person = app.runtime.store.person(&name).await?;
    let hash = person.as_ref().map(|person| person.password.clone());
    let checked = app.checking.check(hash, sent.password).await;
    let is_right = checked.inspect_err(|_| app.throttle.unheard(&name, address))?;
    let Some(person) = person.filter(|_| is_right) else {
        access::refused(app, "password").await?;
        return Ok(Outcome::Wrong);
    };
    if !has_code(app, &person, &sent.code).await? {
        access::refused(app, "code").await?;
        return Ok(Outcome::Wrong);
    }
    let Some(role) = Role::parse(&person.role) else { return Err(Problem::internal()) };
    app.throttle.succeeded(&name, address);
    let by = Actor::credential("password", &person.name);
    Ok(Outcome::In(access::begin_session(app, role, &person, by).await?))
}

/// Whether `code` is one that this person may use now, or they need none. A code is used once.
async fn has_code(app: &App, person: &PersonRow, code: &str) -> Result<bool, Problem> {
    let Some(secret) = &person.secret else { return Ok(true) };
    let now = app.runtime.clock.now();
    match codes::period(secret, code, now) {
        Some(period) => Ok(app.runtime.store.spend_code(&person.name, period, now).await?),
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word() {
        for (text, expected) in [
            (" Ana ", Some("ana")),
            ("ana.b-c_d@clinica", Some("ana.b-c_d@clinica")),
            ("1", Some("1")),
            ("", None),
            ("@ana", None),
            ("ana maria", None),
            ("ána", None),
            ("a/b", None),
        ] {
            assert_eq!(name(text).as_deref(), expected, "{text}");
        }
        assert!(name(&"a".repeat(64)).is_some() && name(&"a".repeat(65)).is_none());
    }
}
