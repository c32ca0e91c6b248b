//! Signatures: where they stand, what they are of, and when they are too old.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq;

use super::super::Delivery;
use super::carrier::{Carrier, Why};
use super::keys::{Algorithm, Encoding, KeyForm, PublicKey, PublicKind};
use super::signed::Signed;

/// A signature of a delivery.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    pub(super) method: Method,
    /// The proof is a list of pairs.
    pub(super) fields: Option<Fields>,
    /// The header with the timestamp, where it is not among the `fields`.
    pub(super) stamp: Option<Carrier>,
    /// How far the timestamp may be from now, in either direction.
    pub(super) tolerance: Option<SignedDuration>,
    pub(super) signed: Signed,
    pub(super) body_hash: Option<BodyHash>,
    /// Whether what is signed says what the body is.
    pub(super) body_signed: bool,
    pub(super) key_form: KeyForm,
    pub(super) encodings: Vec<Encoding>,
}

/// How it is made.
#[derive(Clone, Debug)]
pub(super) enum Method {
    /// A keyed hash (RFC 2104), with a secret that both sides know.
    Hmac(Algorithm),
    /// A signature that anyone can check: keys of the file, beside those of the connection.
    Public { kind: PublicKind, keys: Vec<PublicKey> },
}

/// A list of pairs, such as `t=1614265330,v1=6ffbb59b`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) separator: String,
    pub(super) assign: String,
    /// The name of signatures; several may be in the list.
    pub(super) signature: String,
    /// The name of the timestamp.
    pub(super) timestamp: Option<String>,
}

/// A hash of the body that stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BodyHash {
    pub(super) carrier: Carrier,
    pub(super) algorithm: Algorithm,
    pub(super) encoding: Encoding,
}

/// The most pairs of a list. Providers send two or three; each signature costs a comparison.
const PAIRS_MAX: usize = 32;

/// Keys that can be used.
enum Keys {
    Secret(Algorithm, Vec<Vec<u8>>),
    Public(Vec<PublicKey>),
}

impl Signature {
    /// Whether `given`, which stands in `carrier`, proves `delivery`.
    pub(super) fn check(
        &self,
        given: &str,
        carrier: &Carrier,
        delivery: &Delivery<'_>,
        secrets: &[&[u8]],
        now: Timestamp,
    ) -> Result<(), Why> {
        let listed = match &self.fields {
            Some(fields) => fields.read(given, carrier)?,
            None => Listed { signatures: vec![given], stamp: None },
        };
        let stamp = match &self.stamp {
            Some(header) => Some(header.text(delivery)?),
            None => listed.stamp.map(Cow::Borrowed),
        };
        let stamp = stamp.as_deref().map(str::trim);
        let at = stamp
            .map(|text| instant(text).ok_or_else(|| Why::Unreadable("its timestamp is not a number of seconds".to_owned())))
            .transpose()?;
        self.signed.is_plain(delivery)?;
        let signed = self.signed.of(delivery, stamp)?;
        if !self.keys(secrets)?.fit(&signed, &listed.signatures, &self.encodings) {
            return Err(Why::Unfit(carrier.clone()));
        }
        if let Some(hash) = &self.body_hash {
            hash.check(delivery)?;
        }
        match (self.tolerance, at) {
            (None, _) => Ok(()),
            (Some(tolerance), Some(at)) if now.duration_since(at).abs() <= tolerance => Ok(()),
            (Some(tolerance), _) => Err(Why::Refused(format!(
                "its timestamp is more than {} seconds from now: it was sent too long ago, or a clock is wrong",
                tolerance.as_secs()
            ))),
        }
    }

    fn keys(&self, secrets: &[&[u8]]) -> Result<Keys, Why> {
        let read = secrets.iter().filter_map(|secret| self.key_form.read(secret));
        let (keys, is_empty) = match &self.method {
            Method::Hmac(algorithm) => {
                let keys: Vec<Vec<u8>> = read.collect();
                let is_empty = keys.is_empty();
                (Keys::Secret(*algorithm, keys), is_empty)
            }
            Method::Public { kind, keys } => {
                let keys: Vec<PublicKey> = keys.iter().cloned().chain(read.filter_map(|key| PublicKey::read(*kind, &key))).collect();
                let is_empty = keys.is_empty();
                (Keys::Public(keys), is_empty)
            }
        };
        if is_empty { Err(Why::Unreadable("no secret of this connection is written as its source says".to_owned())) } else { Ok(keys) }
    }

    /// Whether the file has the keys.
    pub(super) fn has_keys(&self) -> bool {
        matches!(&self.method, Method::Public { keys, .. } if !keys.is_empty())
    }

    /// Whether both sides know the same secret.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.method, Method::Hmac(_))
    }

    pub(super) fn takes(&self, secret: &[u8]) -> bool {
        self.keys(&[secret]).is_ok() && (self.is_shared() || self.key_form.read(secret).is_some_and(|key| self.is_public_key(&key)))
    }

    fn is_public_key(&self, key: &[u8]) -> bool {
        matches!(&self.method, Method::Public { kind, .. } if PublicKey::read(*kind, key).is_some())
    }
}

impl Keys {
    /// Whether one of `signatures` is one of `signed`, made with one of these.
    fn fit(&self, signed: &[Cow<'_, [u8]>], signatures: &[&str], encodings: &[Encoding]) -> bool {
        let given = || signatures.iter().flat_map(|text| encodings.iter().filter_map(|encoding| encoding.decode(text.as_bytes())));
        match self {
            Self::Secret(algorithm, keys) => keys.iter().any(|key| {
                let digest = algorithm.hmac(key, signed);
                given().any(|given| given.ct_eq(&digest).into())
            }),
            Self::Public(keys) => {
                let message = signed.concat();
                given().any(|given| keys.iter().any(|key| key.verifies(&message, &given)))
            }
        }
    }
}

/// What a list of pairs holds.
struct Listed<'t> {
    signatures: Vec<&'t str>,
    stamp: Option<&'t str>,
}

impl Fields {
    fn read<'t>(&self, text: &'t str, carrier: &Carrier) -> Result<Listed<'t>, Why> {
        let mut listed = Listed { signatures: Vec::new(), stamp: None };
        let unreadable = |why: &str| Why::Unreadable(format!("{carrier} {why}"));
        for (count, pair) in text.split(&self.separator).enumerate() {
            let (name, value) = pair.trim().split_once(&self.assign).filter(|_| count < PAIRS_MAX).ok_or_else(|| {
                let (separator, assign) = (&self.separator, &self.assign);
                unreadable(&format!("is not a list of at most {PAIRS_MAX} pairs, `name{assign}value`, with `{separator}` between them"))
            })?;
            if name == self.signature {
                listed.signatures.push(value);
            } else if Some(name) == self.timestamp.as_deref() && listed.stamp.replace(value).is_some() {
                return Err(unreadable(&format!("has `{name}` more than once")));
            }
        }
        if listed.signatures.is_empty() {
            return Err(unreadable(&format!("has no `{}`", self.signature)));
        }
        match &self.timestamp {
            Some(name) if listed.stamp.is_none() => Err(unreadable(&format!("has no `{name}`"))),
            _ => Ok(listed),
        }
    }

    /// A list with one signature.
    pub(super) fn write(&self, signature: &str, stamp: Option<&str>) -> String {
        let pair = |name: &str, value: &str| format!("{name}{}{value}", self.assign);
        let stamp = self.timestamp.as_deref().zip(stamp).map(|(name, stamp)| pair(name, stamp));
        stamp.into_iter().chain([pair(&self.signature, signature)]).collect::<Vec<_>>().join(&self.separator)
    }
}

impl BodyHash {
    pub(super) fn of(&self, body: &[u8]) -> String {
        self.encoding.encode(&self.algorithm.hash(body))
    }

    fn check(&self, delivery: &Delivery<'_>) -> Result<(), Why> {
        let given = self.carrier.text(delivery)?;
        let fits =
            self.encoding.decode(given.trim().as_bytes()).is_some_and(|given| bool::from(given.ct_eq(&self.algorithm.hash(delivery.body))));
        if fits { Ok(()) } else { Err(Why::Refused(format!("its body is not the one that {} was made of", self.carrier))) }
    }
}

/// From here on a number counts milliseconds: as seconds it would be the year 5138, as milliseconds it is March 1973.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Seconds or milliseconds since 1970, in digits.
fn instant(text: &str) -> Option<Timestamp> {
    let number: i64 = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()?;
    if number < MILLISECONDS_FROM { Timestamp::from_second(number).ok() } else { Timestamp::from_millisecond(number).ok() }
}
