//! Verifies deliveries: that they come from who shares a secret with us, or holds the key to a public one.
//!
//! Fails closed: what is missing, is there twice or cannot be read is refused, and without a secret nothing is verified. Secrets and
//! signatures are compared in constant time. The clock is an argument.

mod carrier;
pub(super) mod file;
mod keys;
mod signature;
mod signed;
mod signing;
mod told;

use jiff::Timestamp;
use subtle::{Choice, ConstantTimeEq};

pub(crate) use file::{ALGORITHMS, BODY_ENCODINGS, ENCODINGS, KEY_ENCODINGS, KINDS};
#[cfg(test)]
pub(crate) use signed::Signed;
pub use signing::Added;

use self::carrier::{Carrier, Why};
use self::keys::decoded_basic;
use self::signature::Signature;
use super::{Delivery, Refusal, Source};

/// One way to verify a delivery.
#[derive(Clone, Debug)]
pub struct Scheme {
    /// Where the proof stands.
    carrier: Carrier,
    /// What stands before it.
    prefix: String,
    proof: Proof,
    /// Whether this is known from the provider itself.
    pub verified: bool,
}

/// What a delivery shows, for who sets up a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// The secret itself.
    Secret,
    /// A user and a password.
    Password,
    /// A signature made with the secret.
    Signature,
    /// A signature that the provider alone can make.
    PublicKey,
}

/// What proves a delivery.
#[derive(Clone, Debug)]
enum Proof {
    /// The secret itself.
    Token,
    /// The secret is `user:password` (RFC 7617).
    Basic,
    /// A signature of what was sent.
    Signature(Box<Signature>),
}

impl Source {
    /// Whether `delivery` comes from someone who knows one of `secrets` (several while one is being replaced), or whose public
    /// key is one of them or stands in the file. What a source declares insecure is taken from anyone.
    ///
    /// # Errors
    /// `TooLarge`, or `Unverified` with what was missing or wrong, in words that help the sender and not a forger.
    pub fn verify(&self, delivery: &Delivery<'_>, secrets: &[Vec<u8>], now: Timestamp) -> Result<(), Refusal> {
        self.fits(delivery.body)?;
        if self.insecure {
            return Ok(());
        }
        let secrets: Vec<&[u8]> = secrets.iter().map(Vec::as_slice).filter(|secret| !secret.is_empty()).collect();
        let mut reasons = Vec::new();
        for scheme in &self.verify {
            match scheme.check(delivery, &secrets, now) {
                Ok(()) => return Ok(()),
                Err(why) => reasons.push(why),
            }
        }
        Err(Refusal::Unverified { why: Why::all(reasons) })
    }

    /// Whether `delivery` shows a secret itself, which somebody could have guessed; a signature cannot be.
    pub fn is_guess(&self, delivery: &Delivery<'_>) -> bool {
        let shown = |scheme: &Scheme| matches!(scheme.proof, Proof::Token | Proof::Basic) && scheme.carrier.bytes(delivery) != Ok(None);
        self.verify.iter().any(shown)
    }

    /// Whether a connection needs secrets of its own: not where nothing is checked, or where the file has the keys.
    pub fn needs_secret(&self) -> bool {
        !self.insecure && !self.verify.iter().any(Scheme::has_keys)
    }

    /// Whether a secret that zelo makes up could be shared with the provider: a public key cannot be made up.
    pub fn shares_secret(&self) -> bool {
        !self.insecure && self.verify.iter().any(|scheme| scheme.is_shared())
    }

    /// What a secret that zelo makes up for it begins with: a user, where it is `user:password`, or what tells it from keys of other kinds.
    pub fn secret_prefix(&self) -> &str {
        match self.verify.iter().find(|scheme| scheme.is_shared()).map(|scheme| &scheme.proof) {
            Some(Proof::Basic) => "zelo:",
            Some(Proof::Signature(signature)) => &signature.key_form.prefix,
            Some(Proof::Token) | None => "",
        }
    }

    /// Whether `secret` is one that a connection of this source can have: what has to be decoded can be, and a key is one.
    pub fn takes_secret(&self, secret: &[u8]) -> bool {
        self.insecure || self.verify.iter().any(|scheme| scheme.takes(secret))
    }

    pub(super) fn fits(&self, body: &[u8]) -> Result<(), Refusal> {
        if body.len() > self.max_body { Err(Refusal::TooLarge { length: body.len(), max: self.max_body }) } else { Ok(()) }
    }
}

impl Scheme {
    /// What it wants to see, and the name of the header in which; of the parameter of the URL, where it is in none.
    pub fn shows(&self) -> (Shows, &str) {
        let shows = match &self.proof {
            Proof::Token => Shows::Secret,
            Proof::Basic => Shows::Password,
            Proof::Signature(signature) if signature.is_shared() => Shows::Signature,
            Proof::Signature(_) => Shows::PublicKey,
        };
        let (Carrier::Header(name) | Carrier::Query(name)) = &self.carrier;
        (shows, name)
    }

    fn check(&self, delivery: &Delivery<'_>, secrets: &[&[u8]], now: Timestamp) -> Result<(), Why> {
        if secrets.is_empty() && !self.has_keys() {
            return Err(Why::NoSecret);
        }
        let given = self.carrier.text(delivery)?;
        let given = given.trim();
        let unfit = || Why::Unfit(self.carrier.clone());
        match &self.proof {
            Proof::Token => any_same(given.strip_prefix(&self.prefix).ok_or_else(unfit)?.as_bytes(), secrets).ok_or_else(unfit),
            Proof::Basic => any_same(&decoded_basic(given).ok_or_else(unfit)?, secrets).ok_or_else(unfit),
            Proof::Signature(signature) => {
                signature.check(given.strip_prefix(&self.prefix).ok_or_else(unfit)?, &self.carrier, delivery, secrets, now)
            }
        }
    }

    /// What proves a delivery, in a word: `token`, `basic` or `signature`.
    pub fn way(&self) -> &'static str {
        match self.proof {
            Proof::Token => "token",
            Proof::Basic => "basic",
            Proof::Signature(_) => "signature",
        }
    }

    /// Whether what is signed says what the body is; where it does not, nothing in the body may be believed.
    pub(crate) fn proves_body(&self) -> bool {
        match &self.proof {
            Proof::Signature(signature) => signature.body_signed,
            Proof::Token | Proof::Basic => true,
        }
    }

    /// Whether the file has the keys.
    fn has_keys(&self) -> bool {
        matches!(&self.proof, Proof::Signature(signature) if signature.has_keys())
    }

    /// Whether both sides know the same secret.
    fn is_shared(&self) -> bool {
        match &self.proof {
            Proof::Signature(signature) => signature.is_shared(),
            Proof::Token | Proof::Basic => true,
        }
    }

    fn takes(&self, secret: &[u8]) -> bool {
        match &self.proof {
            Proof::Token => !secret.is_empty(),
            Proof::Basic => secret.contains(&b':'),
            Proof::Signature(signature) => signature.takes(secret),
        }
    }
}

/// Whether one of `secrets` is `given`. Takes as long whichever it is, and however much of one was guessed.
fn any_same(given: &[u8], secrets: &[&[u8]]) -> Option<()> {
    let found = secrets.iter().fold(Choice::from(0), |found, secret| found | same(given, secret));
    bool::from(found).then_some(())
}

/// Whether two texts are the same. Hashed before they are compared, so that not even the length of a secret shows in the time.
pub(super) fn same(one: &[u8], other: &[u8]) -> Choice {
    use sha2::{Digest, Sha256};
    Sha256::digest(one).as_slice().ct_eq(Sha256::digest(other).as_slice())
}
