//! Verifies deliveries: that they come from who shares a secret with us.
//!
//! Fails closed: without a secret nothing is verified. Secrets and signatures are compared in constant time.

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use subtle::ConstantTimeEq;

use super::{Delivery, Refusal, Source};

/// One way to verify a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A keyed hash (RFC 2104) of what is `signed`, in a header.
    Hmac {
        header: String,
        /// What stands before the signature in the header.
        prefix: Option<String>,
        signed: Vec<Part>,
        algorithm: Algorithm,
        encodings: Vec<Encoding>,
        /// Whether this is known from the provider itself.
        verified: bool,
    },
    /// The secret itself, in a header.
    Token { header: String, prefix: Option<String> },
}

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// In either case.
    Hex,
    /// RFC 4648 §4, with or without padding.
    Base64,
}

/// A part of what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Literal(String),
    Body,
    Url,
    Header(String),
}

impl Source {
    /// Whether `delivery` comes from someone who knows one of `secrets` (several while one is being replaced).
    ///
    /// # Errors
    /// `TooLarge`, or `Unverified` with what was missing or wrong, in words that help the sender and not a forger.
    pub fn verify(&self, delivery: &Delivery<'_>, secrets: &[Vec<u8>], _now: Timestamp) -> Result<(), Refusal> {
        self.fits(delivery.body)?;
        let secrets: Vec<&[u8]> = secrets.iter().map(Vec::as_slice).filter(|secret| !secret.is_empty()).collect();
        let refuse = |why: String| Err(Refusal::Unverified { why });
        if secrets.is_empty() {
            return refuse("this connection has no secret".to_owned());
        }
        if self.verify.iter().any(|scheme| secrets.iter().any(|secret| scheme.accepts(delivery, secret))) {
            return Ok(());
        }
        let present: Vec<&str> = self.verify.iter().map(Scheme::header).filter(|header| delivery.headers.get(header).is_some()).collect();
        if present.is_empty() {
            let wanted: Vec<&str> = self.verify.iter().map(Scheme::header).collect();
            return refuse(format!("it carries no `{}` header", wanted.join("` or `")));
        }
        refuse(format!("its `{}` header does not fit any secret of this connection", present.join("` or `")))
    }

    /// Whether `delivery` shows a secret itself, which somebody could have guessed; a signature cannot be.
    pub fn is_guess(&self, delivery: &Delivery<'_>) -> bool {
        self.verify.iter().any(|scheme| matches!(scheme, Scheme::Token { header, .. } if delivery.headers.get(header).is_some()))
    }

    /// The headers that make `delivery` one that [`Source::verify`] accepts for `secret`, by the first way that can be
    /// taken: none where it has such a header already, where the secret cannot stand in one, or where the body is too large.
    pub fn sign(&self, delivery: &Delivery<'_>, secret: &[u8], _now: Timestamp) -> Option<Vec<(String, String)>> {
        self.fits(delivery.body).ok()?;
        self.verify.iter().find_map(|scheme| {
            let value = scheme.sign(delivery, secret).filter(|value| !secret.is_empty() && !value.contains(char::is_control))?;
            let headers = delivery.headers.and(scheme.header(), value.as_bytes());
            let signed = Delivery { headers: &headers, ..*delivery };
            scheme.accepts(&signed, secret).then(|| vec![(scheme.header().to_owned(), value)])
        })
    }

    pub(super) fn fits(&self, body: &[u8]) -> Result<(), Refusal> {
        if body.len() > self.max_body { Err(Refusal::TooLarge { length: body.len(), max: self.max_body }) } else { Ok(()) }
    }
}

impl Scheme {
    /// The header that carries the proof.
    pub fn header(&self) -> &str {
        match self {
            Self::Hmac { header, .. } | Self::Token { header, .. } => header,
        }
    }

    fn prefix(&self) -> &str {
        match self {
            Self::Hmac { prefix, .. } | Self::Token { prefix, .. } => prefix.as_deref().unwrap_or_default(),
        }
    }

    fn accepts(&self, delivery: &Delivery<'_>, secret: &[u8]) -> bool {
        let Some(given) = delivery.headers.text(self.header()).map(str::trim).and_then(|text| text.strip_prefix(self.prefix())) else {
            return false;
        };
        match self {
            Self::Token { .. } => given.as_bytes().ct_eq(secret).into(),
            Self::Hmac { signed, algorithm, encodings, .. } => {
                let digest = algorithm.hmac(secret, signed, delivery);
                encodings.iter().filter_map(|encoding| encoding.decode(given)).any(|given| given.ct_eq(&digest).into())
            }
        }
    }

    /// The header's value.
    fn sign(&self, delivery: &Delivery<'_>, secret: &[u8]) -> Option<String> {
        let proof = match self {
            Self::Token { .. } => String::from_utf8(secret.to_vec()).ok()?,
            Self::Hmac { signed, algorithm, encodings, .. } => encodings.first()?.encode(&algorithm.hmac(secret, signed, delivery)),
        };
        Some(format!("{}{proof}", self.prefix()))
    }
}

impl Algorithm {
    fn hmac(self, secret: &[u8], signed: &[Part], delivery: &Delivery<'_>) -> Vec<u8> {
        match self {
            Self::Sha1 => mac::<Hmac<sha1::Sha1>>(secret, signed, delivery),
            Self::Sha256 => mac::<Hmac<sha2::Sha256>>(secret, signed, delivery),
            Self::Sha512 => mac::<Hmac<sha2::Sha512>>(secret, signed, delivery),
        }
    }
}

fn mac<M: Mac + KeyInit>(secret: &[u8], signed: &[Part], delivery: &Delivery<'_>) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(secret).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    for part in signed {
        mac.update(match part {
            Part::Literal(text) => text.as_bytes(),
            Part::Body => delivery.body,
            Part::Url => delivery.url.as_bytes(),
            Part::Header(name) => delivery.headers.get(name).unwrap_or_default(),
        });
    }
    mac.finalize().into_bytes().to_vec()
}

impl Encoding {
    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok(),
            Self::Base64 => BASE64_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok(),
        }
    }

    fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => HEXLOWER.encode(bytes),
            Self::Base64 => BASE64.encode(bytes),
        }
    }
}

/// Reads a `signed` template: text with `{body}`, `{url}` and `{header:name}`.
pub(crate) fn signed(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        if open > 0 {
            parts.push(Part::Literal(rest[..open].to_owned()));
        }
        let Some(length) = rest[open..].find('}') else { return Err("a `{` is never closed".to_owned()) };
        let name = &rest[open + 1..open + length];
        parts.push(match name.split_once(':') {
            None if name == "body" => Part::Body,
            None if name == "url" => Part::Url,
            Some(("header", name)) if !name.is_empty() => Part::Header(name.to_owned()),
            _ => return Err(format!("`{{{name}}}` cannot be signed; known are {{body}}, {{url}} and {{header:name}}")),
        });
        rest = &rest[open + length + 1..];
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    if parts.contains(&Part::Body) {
        Ok(parts)
    } else {
        Err("what is signed must contain {body}, or anyone could send anything".to_owned())
    }
}
