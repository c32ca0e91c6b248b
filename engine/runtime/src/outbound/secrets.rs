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
    /// What may not be repeated: the secret, without what the header says around it.
    pub bare: String,
    /// The hosts that it is bound to.
    pub hosts: Vec<String>,
}

/// Prints the hosts only.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret(for {})", self.hosts.join(", "))
    }
}

impl Secret {
    /// Whether `target` may be told it.
    pub fn is_for(&self, target: &Target) -> bool {
        let host = target.host();
        self.hosts.iter().any(|own| own.eq_ignore_ascii_case(&host))
    }
}

impl Secrets {
    /// Why the secret called `name` may not be said to `target`, if it may not.
    pub(super) fn refusal(&self, name: &str, target: &Target) -> Option<String> {
        let Self::Known(known) = self else { return None };
        match known.get(name) {
            None => Some(format!("no secret `{name}` is configured")),
            Some(secret) if !secret.is_for(target) => Some(format!("the secret `{name}` is not bound to {}", target.host())),
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

    /// Takes the secrets that `names` stand for out of what came back.
    pub(super) fn take_out(&self, names: &[&str], response: &mut Response) {
        for bare in names.iter().filter_map(|name| self.get(name)).map(|secret| secret.bare.as_str()).filter(|bare| !bare.is_empty()) {
            for (_, value) in &mut response.headers {
                if value.contains(bare) {
                    *value = value.replace(bare, TAKEN_OUT);
                }
            }
            replace(&mut response.body.0, bare.as_bytes());
        }
    }
}

/// Takes `secret` out of `body`, everywhere.
fn replace(body: &mut Vec<u8>, secret: &[u8]) {
    let mut from = 0;
    while let Some(found) = body.get(from..).and_then(|rest| rest.windows(secret.len()).position(|window| window == secret)) {
        let at = from + found;
        body.splice(at..at + secret.len(), TAKEN_OUT.bytes());
        from = at + TAKEN_OUT.len();
    }
}

#[cfg(test)]
mod tests {
    use zelo_core::http::Body;

    use super::*;

    fn secrets() -> Secrets {
        let secret = Secret { value: "Bearer s3cr3t".into(), bare: "s3cr3t".into(), hosts: vec!["api.example.com".into()] };
        Secrets::Known([("crm".to_owned(), secret)].into())
    }

    #[test]
    fn a_secret_is_for_its_hosts() {
        let secrets = secrets();
        let secret = secrets.get("crm").unwrap();
        let is_for = |url: &str| secret.is_for(&Target::parse(url).unwrap());
        assert!(is_for("https://API.example.com./v1"));
        assert!(!is_for("https://example.com/") && !is_for("https://x.api.example.com/"));
        assert_eq!(format!("{secret:?}"), "Secret(for api.example.com)");
    }

    #[test]
    fn what_an_answer_repeats_of_a_secret_is_taken_out() {
        let mut response = Response {
            status: 200,
            headers: vec![("x-echo".into(), "Bearer s3cr3t".into())],
            body: Body(b"\xffs3cr3ts3cr3t s3cr3".to_vec()),
        };
        secrets().take_out(&["crm", "other"], &mut response);
        assert_eq!(response.headers[0].1, "Bearer [secret]");
        assert_eq!(response.body.0, b"\xff[secret][secret] s3cr3");
    }
}
