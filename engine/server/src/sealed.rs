//! What the configuration does with secrets that the store keeps: which of them it names, and how a running server takes over one that
//! was changed. The configuration itself is nobody's business here, so whoever reads it says both.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;
use zelo_core::Actor;
use zelo_runtime::Runtime;
use zelo_store::{SECRET_MAX, SECRET_NAME_MAX, SecretValue, Store, is_secret_name};

/// Why a secret is not kept.
#[derive(Debug, thiserror::Error)]
pub enum Unkept {
    #[error(
        "this is no name of a secret: it begins with a letter and has lower-case letters, digits, `-` and `_`, {SECRET_NAME_MAX} at most"
    )]
    Name,
    #[error("the secret is empty")]
    Empty,
    #[error("this is longer than a secret may be: {SECRET_MAX} bytes")]
    Long,
    #[error("the store does not do it")]
    Store(#[from] zelo_store::Error),
}

/// Keeps `value` under `name`, as `by` asks; whether there was none of this name.
///
/// # Errors
/// It can have no such name, is empty or too long, or the store cannot keep it.
pub async fn keep_secret(store: &dyn Store, name: &str, value: &str, by: Actor, now: Timestamp) -> Result<bool, Unkept> {
    if !is_secret_name(name) {
        return Err(Unkept::Name);
    }
    if value.is_empty() {
        return Err(Unkept::Empty);
    }
    if value.len() > SECRET_MAX {
        return Err(Unkept::Long);
    }
    Ok(store.put_secret(name.to_owned(), SecretValue::new(value.as_bytes().to_vec()), by, now).await?)
}

/// Whether the secrets are taken over; else why not, in words.
pub type Taken = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Has a server take over the secrets as they are now.
type Take = dyn Fn(Runtime) -> Taken + Send + Sync;

/// What the configuration does with sealed secrets. By default, nothing.
#[derive(Clone, Default)]
pub struct Sealed {
    named: BTreeSet<String>,
    take: Option<Arc<Take>>,
}

impl Sealed {
    /// The secrets that the configuration has `named`; `take` reads them again.
    pub fn new(named: impl IntoIterator<Item = String>, take: impl Fn(Runtime) -> Taken + Send + Sync + 'static) -> Self {
        Self { named: named.into_iter().collect(), take: Some(Arc::new(take)) }
    }

    /// Whether the configuration names this one: then it may not go.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.named.contains(name)
    }

    /// Has `runtime` take over the secrets as they are now.
    pub(crate) async fn take(&self, runtime: &Runtime) -> Result<(), String> {
        match &self.take {
            Some(take) => take(runtime.clone()).await,
            None => Ok(()),
        }
    }
}

/// Prints names only.
impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.named).finish()
    }
}
