//! `[http]` and `[secrets.NAME]`: how far the requests of plugins go, and what they may carry.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use data_encoding::BASE64;
use serde::Deserialize;
use zelo_core::http::Target;
use zelo_host::Limits;
use zelo_runtime::outbound::{self, Bound, Inside, InternetConfig, SECRET_MIN};

use super::Config;
use super::secrets::SecretRef;

/// `[http]`: bounds of the requests that plugins make.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Hosts, addresses and networks of one's own that may be reached where a rule grants it; nothing else inside is.
    pub inside: Vec<String>,
    /// Seconds that a request may take. Default: 20.
    pub timeout_s: Option<u64>,
}

/// `[secrets.NAME]`: what a header may stand for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// Where it is.
    pub from: SecretRef,
    /// The hosts that it may be told to.
    pub hosts: Vec<String>,
    /// What the header says.
    #[serde(default, rename = "as")]
    pub form: Form,
}

/// What a header says of a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The secret alone.
    #[default]
    Raw,
    /// `Bearer SECRET` ([RFC 6750, 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
    Bearer,
    /// `Basic …` of a secret `user:password` ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).
    Basic,
}

impl Http {
    /// The bounds as the runtime has them.
    ///
    /// # Errors
    /// What is named inside is neither a host nor a network.
    pub fn bounds(&self) -> Result<InternetConfig> {
        let inside = self.inside.iter().map(|text| text.parse().context("[http] inside")).collect::<Result<_>>()?;
        let bounds = InternetConfig { inside, ..InternetConfig::default() };
        let timeout = self.timeout_s.map_or(bounds.timeout, Duration::from_secs);
        let (whole, longest) = (Limits::default().wall, Limits::default().wall - Duration::from_secs(5));
        ensure!(timeout > Duration::ZERO, "[http] timeout_s: a request needs some time");
        ensure!(
            timeout <= longest,
            "[http] timeout_s: a run has {} s in all, so a request gets {} at most",
            whole.as_secs(),
            longest.as_secs()
        );
        Ok(InternetConfig { timeout, ..bounds })
    }
}

impl Config {
    /// The secrets of `[secrets]`, read.
    ///
    /// # Errors
    /// One of them is not there, is bound to nobody, or cannot stand in a header.
    pub fn header_secrets(&self) -> Result<outbound::Secrets> {
        let inside = self.http.bounds()?.inside;
        let read = |(name, secret): (&String, &Secret)| {
            Ok((name.clone(), secret.read(self, &inside).with_context(|| format!("[secrets.{name}]"))?))
        };
        Ok(outbound::Secrets::Known(self.secrets.iter().map(read).collect::<Result<_>>()?))
    }
}

impl Secret {
    fn read(&self, config: &Config, inside: &[Inside]) -> Result<outbound::Secret> {
        ensure!(!self.hosts.is_empty(), "it is bound to no host; name those that it is for, as in `hosts = [\"api.example.com\"]`");
        let hosts = self.hosts.iter().map(|host| bound(host, inside)).collect::<Result<_>>()?;
        let bare = String::from_utf8(self.from.read(config)?).ok().filter(|text| text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let bare = bare.context("it is not printable ASCII on one line, so no header can carry it")?;
        ensure!(bare.len() >= SECRET_MIN, "it has {} characters; what can be guessed is no secret, so it needs {SECRET_MIN}", bare.len());
        let mut forms = vec![bare.clone()];
        let value = match self.form {
            Form::Raw => bare.clone(),
            Form::Bearer => format!("Bearer {bare}"),
            Form::Basic => {
                let (_, password) = bare.split_once(':').context("it is not of the form user:password")?;
                forms.push(password.to_owned());
                forms.push(BASE64.encode(bare.as_bytes()));
                format!("Basic {}", BASE64.encode(bare.as_bytes()))
            }
        };
        // As it stands in JSON, where that is different.
        let quoted: Vec<String> = forms.iter().map(|form| serde_json::Value::from(form.as_str()).to_string()).collect();
        forms.extend(quoted.iter().map(|quoted| quoted.trim_matches('"').to_owned()).filter(|quoted| quoted.contains('\\')));
        Ok(outbound::Secret { value, forms, hosts })
    }
}

/// The host that a secret is bound to, as requests have it; in one's own network without encryption too.
fn bound(host: &str, inside: &[Inside]) -> Result<Bound> {
    let target = Target::parse(&format!("https://{host}/")).ok().filter(|target| target.as_str().matches('/').count() == 3);
    let plain = target.filter(|_| !host.contains([':', '*', '/', '@']));
    let target = plain.with_context(|| format!("`{host}` is not a host, as in `api.example.com`"))?;
    let host = target.host();
    let named = |inside: &Inside| match (inside, target.address()) {
        (Inside::Name(name), _) => name.eq_ignore_ascii_case(&host),
        (network, Some(address)) => network.covers(&host, address),
        (Inside::Network { .. }, None) => false,
    };
    Ok(Bound { plain: inside.iter().any(named), host })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(text: &str) -> Result<String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("crm"), "user:s3cr3t\n").unwrap();
        std::fs::write(folder.path().join("lines"), "a line\nanother").unwrap();
        std::fs::write(folder.path().join("short"), "1234567").unwrap();
        let path = folder.path().join("zelo.toml");
        std::fs::write(&path, text).unwrap();
        let outbound::Secrets::Known(known) = Config::load(Some(&path))?.header_secrets()? else { panic!("they are known") };
        let secret = known.values().next().unwrap();
        let hosts: Vec<_> =
            secret.hosts.iter().map(|bound| format!("{}{}", bound.host, if bound.plain { " (plain)" } else { "" })).collect();
        Ok(format!("{} for {}, not {}", secret.value, hosts.join(", "), secret.forms.join(" ")))
    }

    #[test]
    fn a_secret_is_read_for_its_hosts() {
        let of =
            |more: &str| secrets(&format!("[secrets.crm]\nfrom = {{ file = \"crm\" }}\nhosts = [\"API.example.com\"]\n{more}")).unwrap();
        assert_eq!(of(""), "user:s3cr3t for api.example.com, not user:s3cr3t");
        assert_eq!(of("as = \"bearer\""), "Bearer user:s3cr3t for api.example.com, not user:s3cr3t");
        assert_eq!(of("as = \"basic\""), "Basic dXNlcjpzM2NyM3Q= for api.example.com, not user:s3cr3t s3cr3t dXNlcjpzM2NyM3Q=");
        let plain = of("[http]\ninside = [\"api.example.com\"]");
        assert!(plain.contains("api.example.com (plain)"), "{plain}");
    }

    #[test]
    fn what_is_wrong_says_where() {
        let why = |text: &str| format!("{:#}", secrets(&format!("[secrets.crm]\n{text}")).unwrap_err());
        assert!(why("from = { file = \"none\" }\nhosts = [\"a.b\"]").contains("[secrets.crm]"));
        assert!(why("from = { file = \"crm\" }\nhosts = []").contains("bound to no host"));
        for host in ["*.example.com", "https://api.example.com", "a.b/c", "a.b:8443", ""] {
            assert!(why(&format!("from = {{ file = \"crm\" }}\nhosts = [\"{host}\"]")).contains("is not a host"), "{host}");
        }
        assert!(why("from = { file = \"lines\" }\nhosts = [\"a.b\"]").contains("no header can carry it"));
        assert!(why("from = { file = \"short\" }\nhosts = [\"a.b\"]").contains("it needs 8"));
        assert!(Http { inside: Vec::new(), timeout_s: Some(26) }.bounds().unwrap_err().to_string().contains("25 at most"));

        assert!(Http { inside: vec!["*".into()], timeout_s: None }.bounds().is_err());
        assert!(Http { inside: Vec::new(), timeout_s: Some(0) }.bounds().is_err());
        assert_eq!(Http { inside: vec!["10.0.0.0/8".into()], timeout_s: Some(5) }.bounds().unwrap().timeout.as_secs(), 5);
    }
}
