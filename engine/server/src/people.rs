//! Coming in with a name and a password.

use std::net::IpAddr;

use jiff::SignedDuration;
use zelo_core::Actor;
use zelo_store::PersonRow;

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
