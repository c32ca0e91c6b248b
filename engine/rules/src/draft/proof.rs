//! How deliveries seem to prove where they come from.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};

use super::{Caught, text};

/// What `verify` may say.
pub(super) struct Proof {
    /// What was seen, for who reads the file.
    seen: String,
    /// As TOML.
    verify: String,
}

impl Proof {
    /// By the headers that all of `deliveries` have.
    pub(super) fn of(deliveries: &[Caught]) -> Self {
        let first = deliveries.first().map_or(&[][..], |caught| caught.headers.as_slice());
        let common = first.iter().filter(|(name, _)| deliveries.iter().all(|other| other.headers.iter().any(|(known, _)| known == name)));
        let common: Vec<(&str, &str)> = common.map(|(name, value)| (name.as_str(), value.trim())).collect();
        let has = |name: &str| common.iter().any(|(known, _)| *known == name);
        if has("webhook-id") && has("webhook-timestamp") && has("webhook-signature") {
            return Self::new(
                "the headers of Standard Webhooks (https://www.standardwebhooks.com)",
                "{ kind = \"hmac\", header = \"webhook-signature\", fields = { separator = \" \", assign = \",\", signature = \"v1\" }, \
                 timestamp = { header = \"webhook-timestamp\" }, tolerance = \"5m\", signed = \"{header:webhook-id}.{header:webhook-timestamp}.{body}\", \
                 key_prefix = \"whsec_\", key_encoding = \"base64\", encodings = [\"base64\"] }",
            );
        }
        common
            .iter()
            .find_map(|(name, value)| Self::signature(name, value))
            .or_else(|| common.iter().find_map(|(name, value)| Self::token(name, value)))
            .unwrap_or_else(|| {
                Self::new(
                    "no header that looks like a signature or a token: this asks for a token of yours",
                    "{ kind = \"token\", header = \"x-zelo-token\" }",
                )
            })
    }

    fn new(seen: &str, verify: &str) -> Self {
        Self { seen: seen.to_owned(), verify: verify.to_owned() }
    }

    /// A keyed hash, alone, behind a word, or in a list with a time.
    fn signature(name: &str, value: &str) -> Option<Self> {
        if !["signature", "hmac", "sign"].iter().any(|piece| name.contains(piece)) {
            return None;
        }
        if value.contains("t=") && value.contains("v1=") {
            let verify = format!(
                "{{ kind = \"hmac\", header = {}, fields = {{ separator = \",\", assign = \"=\", signature = \"v1\", timestamp = \"t\" }}, signed = \
                 \"{{t}}.{{body}}\", tolerance = \"5m\", verified = false }}",
                text(name)
            );
            return Some(Self { seen: format!("`{name}` looks like a time and a signature over both it and the body"), verify });
        }
        let (prefix, digest) =
            value.split_once('=').filter(|(_, digest)| digest.len() >= 40).map_or(("", value), |(prefix, digest)| (prefix, digest));
        let prefix = if prefix.is_empty() { String::new() } else { format!(" prefix = {},", text(&format!("{prefix}="))) };
        let (encoding, bytes) = HEXLOWER_PERMISSIVE
            .decode(digest.as_bytes())
            .map(|bytes| ("hex", bytes.len()))
            .or_else(|_| BASE64.decode(digest.as_bytes()).map(|bytes| ("base64", bytes.len())))
            .ok()?;
        let algorithm = match bytes {
            20 => "sha1",
            32 => "sha256",
            64 => "sha512",
            _ => return None,
        };
        let verify = format!(
            "{{ kind = \"hmac\", header = {},{prefix} signed = \"{{body}}\", algorithm = \"{algorithm}\", encodings = [\"{encoding}\"], verified = false }}",
            text(name)
        );
        Some(Self {
            seen: format!("`{name}` holds {bytes} bytes in {encoding}, as of HMAC with {algorithm}; that it is over the body is a guess"),
            verify,
        })
    }

    fn token(name: &str, value: &str) -> Option<Self> {
        let scheme = value.split_once(' ').map(|(scheme, _)| scheme);
        let verify = match (name, scheme) {
            ("authorization", Some(scheme)) if scheme.eq_ignore_ascii_case("basic") => "{ kind = \"basic\", verified = false }".to_owned(),
            ("authorization", Some(scheme)) => {
                format!("{{ kind = \"token\", header = \"authorization\", prefix = {} }}", text(&format!("{scheme} ")))
            }
            _ if ["token", "api-key", "apikey", "secret"].iter().any(|piece| name.contains(piece)) || name == "authorization" => {
                format!("{{ kind = \"token\", header = {} }}", text(name))
            }
            _ => return None,
        };
        Some(Self { seen: format!("`{name}` looks like a secret that is always the same"), verify })
    }

    pub(super) fn lines(&self) -> Vec<String> {
        vec![format!("# {}", self.seen), format!("verify = {}", self.verify)]
    }
}
