//! Secrets that requests carry: filled in by the host, for the hosts that each is bound to, and taken out of the answers again.

use std::collections::BTreeMap;
use std::fmt;

use zelo_core::http::{Response, Target};

/// What stands in the place of a secret that an answer repeats.
const TAKEN_OUT: &str = "[secret]";

/// The secrets that headers may stand for.
#[derive(Clone, Debug)]
pub enum Secrets {
    /// By name.
    Known(BTreeMap<String, Secret>),
    /// Answers were given beforehand, so no secret is ever said to anybody, and any will do.
    Unsaid,
}

/// A secret, and whom it may be told to.
#[derive(Clone)]
pub struct Secret {
    /// The whole value of a header.
    pub value: String,
    /// What answers may not repeat: the secret, and other forms that it is known in; of those, what is shorter than [`SECRET_MIN`] is left in.
    pub forms: Vec<String>,
    /// The hosts that it is bound to.
    pub hosts: Vec<Bound>,
}

/// Fewer bytes are no secret; and what is this long does not come about by chance.
pub const SECRET_MIN: usize = 8;

/// A host that a secret may be told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub host: String,
    /// Whether without encryption too: it is in the operator's own network.
    pub plain: bool,
}

/// Prints the hosts only.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret(for {:?})", self.hosts)
    }
}

impl Secret {
    /// Whether `target` may be told it.
    pub fn is_for(&self, target: &Target) -> bool {
        let host = target.host();
        self.hosts.iter().any(|own| own.host.eq_ignore_ascii_case(&host) && (own.plain || target.is_encrypted()))
    }
}

impl Secrets {
    /// Why the secret called `name` may not be said to `target`, if it may not.
    pub(super) fn refusal(&self, name: &str, target: &Target) -> Option<String> {
        let Self::Known(known) = self else { return None };
        match known.get(name) {
            None => Some(format!("no secret `{name}` is configured")),
            Some(secret) if !secret.is_for(target) => {
                Some(format!("the secret `{name}` is not bound to {}, or would go there unencrypted", target.host()))
            }
            Some(_) => None,
        }
    }

    /// The secret called `name`, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<&Secret> {
        match self {
            Self::Known(known) => known.get(name),
            Self::Unsaid => None,
        }
    }

    /// Takes the secrets that `target` may have been told out of what came back from there, in the forms that they are known in.
    pub(super) fn take_out(&self, target: &Target, response: &mut Response) {
        let Self::Known(known) = self else { return };
        let forms = known.values().filter(|secret| secret.is_for(target)).flat_map(|secret| &secret.forms);
        for form in forms.filter(|form| form.len() >= SECRET_MIN) {
            for (_, value) in &mut response.headers {
                if value.contains(form) {
                    *value = value.replace(form, TAKEN_OUT);
                }
            }
            if let Some(body) = without(&response.body.0, form.as_bytes()) {
                response.body.0 = body;
            }
        }
    }
}

/// `body` without `secret`; nothing where it is not in there.
fn without(body: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = body;
    while let Some(at) = memchr::memmem::find(rest, secret) {
        let (before, after) = rest.split_at(at);
        found.extend_from_slice(before);
        found.extend_from_slice(TAKEN_OUT.as_bytes());
        rest = &after[secret.len()..];
    }
    if rest.len() == body.len() {
        return None;
    }
    found.extend_from_slice(rest);
    Some(found)
}

#[cfg(test)]
mod tests {
    use zelo_core::http::Body;

    use super::*;

    fn secrets() -> Secrets {
        let forms = vec!["s3cr3t-marker".into(), "s3cr3t\\marker".into()];
        let hosts = vec![Bound { host: "api.example.com".into(), plain: false }, Bound { host: "crm.interno".into(), plain: true }];
        let secret = Secret { value: "Bearer s3cr3t-marker".into(), forms, hosts };
        Secrets::Known([("crm".to_owned(), secret)].into())
    }

    fn at(url: &str) -> Target {
        Target::parse(url).unwrap()
    }

    #[test]
    fn a_secret_is_for_its_hosts_and_not_in_clear() {
        let secrets = secrets();
        let secret = secrets.get("crm").unwrap();
        assert!(secret.is_for(&at("https://API.example.com./v1")) && secret.is_for(&at("http://crm.interno/")));
        for other in ["https://example.com/", "https://x.api.example.com/", "http://api.example.com/v1"] {
            assert!(!secret.is_for(&at(other)), "{other}");
            assert!(secrets.refusal("crm", &at(other)).is_some());
        }
        assert!(!format!("{secret:?}").contains("s3cr3t"));
    }

    #[test]
    fn what_an_answer_repeats_of_a_secret_is_taken_out() {
        let answer = || Response {
            status: 200,
            headers: vec![("x-echo".into(), "Bearer s3cr3t-marker".into())],
            body: Body(b"\xffs3cr3t-markers3cr3t-marker s3cr3t\\marker s3cr3t-marke".to_vec()),
        };
        let mut response = answer();
        secrets().take_out(&at("https://api.example.com/v1"), &mut response);
        assert_eq!(response.headers[0].1, "Bearer [secret]");
        assert_eq!(response.body.0, b"\xff[secret][secret] [secret] s3cr3t-marke");
        let mut elsewhere = answer();
        secrets().take_out(&at("https://other.example.com/"), &mut elsewhere);
        assert_eq!(elsewhere, answer(), "it was not told there");
    }
}
