//! Secrets in force. They may change while the server runs: whoever is in the middle of something goes on with those it began with.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::connection::Connection;
use crate::outbound::Secrets;
use crate::{Runtime, Shared};

/// What has changed since the start; nothing where nothing has.
#[derive(Default)]
pub(crate) struct Keys(ArcSwapOption<Changed>);

struct Changed {
    /// Of connections, by name.
    deliveries: HashMap<String, Vec<Vec<u8>>>,
    /// Of headers that plugins send.
    headers: Secrets,
}

/// Secrets, for as long as one thing takes.
pub(crate) struct InHand<'a> {
    shared: &'a Shared,
    changed: Option<Arc<Changed>>,
}

impl InHand<'_> {
    /// Those that deliveries of `connection` may be signed with.
    pub(crate) fn of<'s>(&'s self, connection: &'s Connection) -> &'s [Vec<u8>] {
        let changed = self.changed.as_ref().and_then(|changed| changed.deliveries.get(&connection.name));
        changed.unwrap_or(&connection.secrets)
    }

    /// Those that headers may stand for.
    pub(crate) fn of_headers(&self) -> &Secrets {
        self.changed.as_ref().map_or(&self.shared.secrets, |changed| &changed.headers)
    }
}

impl Runtime {
    /// The secrets as they are now.
    pub(crate) fn keys_in_hand(&self) -> InHand<'_> {
        InHand { shared: self, changed: self.0.keys.0.load_full() }
    }

    /// How many secrets deliveries of `connection` may be signed with now.
    pub fn secrets_of(&self, connection: &Connection) -> usize {
        self.keys_in_hand().of(connection).len()
    }

    /// Takes over other secrets: of the connections that are named, and all that headers may stand for.
    pub fn take_secrets(&self, deliveries: HashMap<String, Vec<Vec<u8>>>, headers: Secrets) {
        self.0.keys.0.store(Some(Arc::new(Changed { deliveries, headers })));
    }
}
