//! Signs deliveries as a provider would: for tests, samples and whoever simulates one.

use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::{Delivery, Source};
use super::carrier::Carrier;
use super::keys::{Algorithm, Encoding, basic};
use super::signature::{Method, Signature};
use super::{Proof, Scheme};

/// What is to be added to a delivery, so that it is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    pub headers: Vec<(String, String)>,
    /// Parameters of the URL, not encoded.
    pub query: Vec<(String, String)>,
}

impl Added {
    /// `url` with the parameters.
    pub fn url(&self, url: &str) -> String {
        self.query.iter().fold(url.to_owned(), |mut url, (name, value)| {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.extend(utf8_percent_encode(name, NON_ALPHANUMERIC));
            url.push('=');
            url.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
            url
        })
    }

    /// Does something with `delivery` and what is added to it.
    fn with<R>(&self, delivery: &Delivery<'_>, look: impl FnOnce(&Delivery<'_>) -> R) -> R {
        let (url, headers) = (self.url(delivery.url), delivery.headers.and(&self.headers));
        look(&Delivery { url: &url, headers: &headers, ..*delivery })
    }

    fn put(&mut self, carrier: &Carrier, value: String) {
        match carrier {
            Carrier::Header(name) => self.headers.push((name.clone(), value)),
            Carrier::Query(name) => self.query.push((name.clone(), value)),
        }
    }

    /// The value of `carrier`: the one that is there, or the one that is made and put there.
    fn fill(&mut self, carrier: &Carrier, delivery: &Delivery<'_>, make: impl FnOnce() -> String) -> Option<String> {
        if let Some(there) =
            self.with(delivery, |delivery| carrier.bytes(delivery).map(|bytes| bytes.map(|bytes| bytes.into_owned()))).ok()?
        {
            return String::from_utf8(there).ok();
        }
        let made = make();
        self.put(carrier, made.clone());
        Some(made)
    }
}

impl Source {
    /// What makes `delivery` one that [`Source::verify`] accepts `now` for `secret`, by the first way that can be taken: none where
    /// only the provider can sign, where it has such a header already, where the secret cannot stand in one, or where the body is
    /// too large. Headers and parameters that are signed and missing are made up.
    pub fn sign(&self, delivery: &Delivery<'_>, secret: &[u8], now: Timestamp) -> Option<Added> {
        self.fits(delivery.body).ok()?;
        self.verify.iter().filter(|_| !secret.is_empty()).find_map(|scheme| {
            let added = scheme.sign(delivery, secret, now)?;
            let is_fine = added.headers.iter().all(|(_, value)| !value.contains(char::is_control));
            let accepted = added.with(delivery, |delivery| scheme.check(delivery, &[secret], now).is_ok());
            (is_fine && accepted).then_some(added)
        })
    }
}

impl Scheme {
    fn sign(&self, delivery: &Delivery<'_>, secret: &[u8], now: Timestamp) -> Option<Added> {
        let mut added = Added::default();
        let proof = match &self.proof {
            Proof::Token => String::from_utf8(secret.to_vec()).ok()?,
            Proof::Basic => basic(secret),
            Proof::Signature(signature) => signature.sign(&mut added, delivery, secret, now)?,
        };
        added.put(&self.carrier, format!("{}{proof}", self.prefix));
        Some(added)
    }
}

impl Signature {
    /// The proof; what else is signed and missing is added.
    fn sign(&self, added: &mut Added, delivery: &Delivery<'_>, secret: &[u8], now: Timestamp) -> Option<String> {
        let Method::Hmac(algorithm) = self.method else { return None };
        let key = self.key_form.read(secret)?;
        if let Some(hash) = &self.body_hash {
            added.fill(&hash.carrier, delivery, || hash.of(delivery.body))?;
        }
        let seconds = now.as_second().to_string();
        let stamp = match &self.stamp {
            Some(header) => Some(added.fill(header, delivery, || seconds)?),
            None => self.fields.as_ref().and_then(|fields| fields.timestamp.as_ref()).map(|_| seconds),
        };
        for needed in self.signed.needs() {
            added.fill(needed, delivery, || made_up(delivery.body, now))?;
        }
        let digest = added.with(delivery, |delivery| {
            let signed = self.signed.of(delivery, stamp.as_deref().map(str::trim)).ok()?;
            Some(algorithm.hmac(&key, &signed))
        })?;
        let signature = self.encodings.first()?.encode(&digest);
        Some(match &self.fields {
            Some(fields) => fields.write(&signature, stamp.as_deref()),
            None => signature,
        })
    }
}

/// An id for a delivery that has none: another for another body, and at another time.
fn made_up(body: &[u8], now: Timestamp) -> String {
    let hash = Algorithm::Sha256.hmac(now.to_string().as_bytes(), &[body]);
    format!("zelo-{}", Encoding::Hex.encode(&hash[..12]))
}
