//! Secrets of the store that the configuration names: `{ store = "NAME" }`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use anyhow::{Context, Result};
use zelo_store::{SecretValue, Store};

use super::Config;
use super::secrets::SecretRef;

/// Those that were read; nothing where nobody has read them: only who has the store open can.
#[derive(Clone, Default)]
pub struct Sealed(Option<Arc<BTreeMap<String, SecretValue>>>);

/// Prints no secret.
impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} secrets)", self.0.as_ref().map_or(0, |known| known.len()))
    }
}

impl Sealed {
    /// The secret of this name.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>> {
        let known = self.0.as_ref().with_context(|| {
            format!("the secret `{name}` is sealed in the store, which only the server reads; this command needs one in a file or the environment")
        })?;
        let secret =
            known.get(name).with_context(|| format!("the store has no secret `{name}`; give it one with `zelo secret set {name}`"))?;
        Ok(secret.bytes().to_vec())
    }
}

impl Config {
    /// The names of the secrets that are to be in the store.
    pub fn names_of_sealed(&self) -> BTreeSet<&str> {
        let of_connections = self.connections.values().flat_map(|connection| connection.secrets.iter().chain(&connection.handshake));
        let all = of_connections.chain(self.secrets.values().map(|secret| &secret.from));
        all.filter_map(|secret| if let SecretRef::Store { store } = secret { Some(store.as_str()) } else { None }).collect()
    }

    /// The same configuration with these secrets read, as the store has them now.
    ///
    /// # Errors
    /// The store cannot be read. One that it does not have is missed by whoever needs it.
    pub async fn unsealed(&self, store: &dyn Store) -> Result<Self> {
        let mut known = BTreeMap::new();
        for name in self.names_of_sealed() {
            if let Some(value) = store.secret(name.to_owned()).await? {
                known.insert(name.to_owned(), value);
            }
        }
        Ok(Self { sealed: Sealed(Some(Arc::new(known))), ..self.clone() })
    }
}
