//! How deliveries are verified, as integrators say it: no secret, and nothing that the file does not say.

use super::carrier::Carrier;
use super::keys::{Algorithm, PublicKind};
use super::signature::{Method, Signature};
use super::{Proof, Scheme};
use crate::condition::Language;

impl Scheme {
    /// What this asks of a delivery, in the language `locale` (one of [`LOCALES`](crate::LOCALES)): one sentence without its point.
    pub fn told(&self, locale: &str) -> String {
        let language = Language::of(locale);
        let place = match &self.carrier {
            Carrier::Header(name) => language.pick(format!("no cabeçalho `{name}`"), format!("in the header `{name}`")),
            Carrier::Query(name) => {
                language.pick(format!("no parâmetro `{name}` do endereço"), format!("in the parameter `{name}` of its URL"))
            }
        };
        match &self.proof {
            Proof::Token => language.pick(format!("o próprio segredo {place}"), format!("the secret itself {place}")),
            Proof::Basic => {
                language.pick(format!("usuário e senha (HTTP Basic) {place}"), format!("user and password (HTTP Basic) {place}"))
            }
            Proof::Signature(signature) => signed(signature, &place, language),
        }
    }
}

fn signed(signature: &Signature, place: &str, language: Language) -> String {
    let kind = match &signature.method {
        Method::Hmac(Algorithm::Sha1) => "HMAC-SHA-1",
        Method::Hmac(Algorithm::Sha256) => "HMAC-SHA-256",
        Method::Hmac(Algorithm::Sha512) => "HMAC-SHA-512",
        Method::Public { kind: PublicKind::Ed25519, .. } => "Ed25519",
        Method::Public { kind: PublicKind::Rsa, .. } => "RSA",
    };
    let mut told = language.pick(format!("uma assinatura {kind} {place}"), format!("an {kind} signature {place}"));
    if let Some(tolerance) = signature.tolerance {
        let aside = language.pick(
            format!(", feita há no máximo {} segundos", tolerance.as_secs()),
            format!(", made at most {} seconds ago", tolerance.as_secs()),
        );
        told.push_str(&aside);
    }
    if !signature.body_signed {
        told.push_str(language.pick(
            ", que não diz nada do corpo: por isso nada nele é aceito como verdade",
            ", which says nothing of the body: nothing in it is believed",
        ));
    }
    if signature.has_keys() {
        told.push_str(language.pick("; as chaves públicas estão no arquivo", "; the public keys stand in the file"));
    }
    told
}
