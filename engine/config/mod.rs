//! `zelo.toml`: where to listen, what to keep where, which subscriptions exist. Every key has a default.
//!
//! Paths are relative to the folder of the file. Secrets are never in it, only where to find them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use zelo_runtime::Installed;
use zelo_server::{Network, ProxyHeader, Rate};

mod budget;
mod door;
mod expect;
mod http;
mod retention;
mod sealed;
pub mod secrets;

pub use budget::Budget;
pub use door::Tls;
pub use expect::Expect;
pub use http::{Http, Secret};
pub use retention::{Audit, Keep, Span};
pub use sealed::Sealed;
use secrets::SecretRef;

/// The configuration as written, defaults filled in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub store: Store,
    pub paths: Paths,
    pub connections: BTreeMap<String, Connection>,
    pub channels: BTreeMap<String, Channel>,
    pub plugins: Plugins,
    pub http: Http,
    pub secrets: BTreeMap<String, Secret>,
    pub budget: Budget,
    pub retention: Keep,
    pub audit: Audit,
    pub automations: Vec<Automation>,
    /// The folder that paths are relative to.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The SHA-256 of the file, in hexadecimal: of another file it is another.
    #[serde(skip)]
    pub digest: String,
    /// The secrets of the store that it names, where somebody has read them.
    #[serde(skip)]
    pub sealed: Sealed,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    pub listen: SocketAddr,
    pub public_url: Option<String>,
    /// Who is believed when they say for whom they ask.
    pub trusted_proxies: Vec<Network>,
    pub proxy_header: ProxyHeader,
    /// Where pages and API are used from; empty: anywhere.
    pub admin_allow: Vec<Network>,
    pub tls: Option<door::Tls>,
    /// Why personal data may come in plain HTTP from elsewhere.
    pub plain_http: Option<door::Reason>,
    pub rates: door::RateLimits,
    pub limits: door::Limits,
    pub log: LogFormat,
    /// Where `/metrics` is told to whoever asks, beside what [`Server::listen`] tells of it.
    pub metrics: Option<SocketAddr>,
    /// Seconds from being told to stop until the end, whatever runs then.
    pub stop_timeout_s: u64,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// `[store]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    pub url: String,
    pub master_key: SecretRef,
    /// Who was erased: beside the master key by default, and never where backups of the database go.
    pub erasures: PathBuf,
}

/// `[paths]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Paths {
    pub rules: PathBuf,
    pub plugins: PathBuf,
}

/// `[plugins]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plugins {
    /// Whether `zelo.lock` must be there.
    pub locked: bool,
    /// Public keys as `minisign` prints them. With any, a plugin runs only if one of them has signed it.
    pub signed_by: Vec<String>,
    /// How many jobs may run a plugin at once, by its name.
    pub concurrency: BTreeMap<String, NonZeroU32>,
}

/// `[connections.NAME]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    pub source: String,
    #[serde(default)]
    pub secrets: Vec<SecretRef>,
    pub clinic: Option<String>,
    /// What the provider must know where it asks whether we are here.
    pub handshake: Option<SecretRef>,
    #[serde(default)]
    pub insecure: bool,
    /// Where its deliveries come from; empty: anywhere.
    #[serde(default)]
    pub allow: Vec<Network>,
    /// Its own limit.
    pub rate: Option<Rate>,
    /// Senders of CloudEvents that may ask whether their events are welcome; `*`: any.
    #[serde(default)]
    pub origins: Vec<String>,
    /// After how long without a delivery somebody is told; absent: after twice what is usual.
    pub expect: Option<Expect>,
    /// Keeps the bodies of refused deliveries, sealed, for as long as those are kept.
    #[serde(default)]
    pub keep_refused_body: bool,
}

/// `[channels.NAME]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Channel {
    Outbox {},
}

/// `[[automations]]`: a rule that is on for as long as it stands in the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Automation {
    pub rule: String,
    /// Default: every connection whose source the rule reads.
    pub connection: Option<String>,
    pub clinic: Option<String>,
    #[serde(default)]
    pub settings: Map<String, Value>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::default(),
            admin_allow: Vec::new(),
            tls: None,
            plain_http: None,
            rates: door::RateLimits::default(),
            limits: door::Limits::default(),
            log: LogFormat::Text,
            metrics: None,
            stop_timeout_s: 20,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: "sqlite://data/zelo.db".to_owned(),
            master_key: SecretRef::File { file: "keys/master.key".into() },
            erasures: "keys/erasures.jsonl".into(),
        }
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self { rules: "rules".into(), plugins: "plugins/dist".into() }
    }
}

impl Config {
    /// The file at `path`; without one, `zelo.toml` of this folder if it is there, else the defaults.
    pub fn load(path: Option<&Path>) -> Result<Self> {
        let (path, required) = (path.unwrap_or(Path::new("zelo.toml")), path.is_some());
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => String::new(),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        let mut config: Self = toml::from_str(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
        config.folder = path.parent().map(Path::to_owned).unwrap_or_default();
        config.digest = HEXLOWER.encode(&Sha256::digest(text.as_bytes()));
        if config.channels.is_empty() {
            config.channels.insert("outbox".to_owned(), Channel::Outbox {});
        }
        ensure!(
            !matches!(config.store.master_key, SecretRef::Store { .. }),
            "{}: store.master_key: what opens the store cannot be in it; write {{ file = \"…\" }} or {{ env = \"…\" }}",
            path.display()
        );
        Ok(config)
    }

    /// A path of the file, from here.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The folder of rule and source files.
    pub fn rules(&self) -> PathBuf {
        self.path(&self.paths.rules)
    }

    /// Where plugins are installed: their folder, and `zelo.lock` beside the configuration; and who must have signed them.
    pub fn installed(&self) -> Installed {
        Installed {
            folder: self.path(&self.paths.plugins),
            lock: self.path(Path::new("zelo.lock")),
            locked: self.plugins.locked,
            signers: self.plugins.signed_by.clone(),
            shelf: None,
        }
    }

    /// The same for who runs jobs: what they began with is kept beside the data.
    ///
    /// # Errors
    /// The store is not one that this version knows.
    pub fn installed_for_jobs(&self) -> Result<Installed> {
        Ok(Installed { shelf: Some(self.data()?.join("plugins")), ..self.installed() })
    }

    /// The database file.
    pub fn database(&self) -> Result<PathBuf> {
        match self.store.url.strip_prefix("sqlite://") {
            Some(file) if !file.is_empty() => Ok(self.path(Path::new(file))),
            _ => bail!("store.url: `{}` is not a store that this version knows; write sqlite://FILE", self.store.url),
        }
    }

    /// The folder that the database is in: what a backup would copy.
    pub fn data(&self) -> Result<PathBuf> {
        Ok(self.database()?.parent().map(Path::to_owned).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zelo.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path))
    }

    #[test]
    fn an_empty_file_is_a_configuration() {
        let config = load("").unwrap();
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
        assert!(config.channels.contains_key("outbox"));
        assert!(config.database().unwrap().ends_with("data/zelo.db"));
    }

    #[test]
    fn mistakes_say_where() {
        let error = load("[server]\nlistn = \"x\"\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("listn"), "{error}");
        let error = load("[connections.a]\nsource = \"a\"\nexpect = \"never\"\n").unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("never"), "{error}");
        assert!(load("[store]\nurl = \"mysql://x\"\n").unwrap().database().is_err());
    }
}
